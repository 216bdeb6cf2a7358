/*
 * What becomes of a call that sleeps when a signal comes: signal(7), "Interruption of system calls
 * and library functions by signal handlers" and "... by stop signals". Each call is made by a child
 * that sleeps in it; it is sent a signal with a handler, one with a handler and SA_RESTART, or is
 * stopped and continued. Then it has either failed with EINTR or sleeps again.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include "tap.h"

static struct shared {
	volatile int begun; /* the child is about to make the call */
	volatile int handled; /* the handler ran */
	volatile int returned; /* the call did; with .result, a negative errno */
	volatile long result;
	uint32_t word[2]; /* for futexes; 0: never changes; 1: locked by the parent */
} * shared;

static char byte;
static int ids[2]; /* message queue, semaphores: full and empty */
static const char lock_name[] = "restarts.lock", fifo_name[] = "restarts.fifo";
static const char mqueue_name[] = "/restarts";
static struct timespec forever = { TAP_LONG, 0 };

/* --- calls that sleep; what they need is made by the child itself --- */

static int pipe_end(int end)
{
	int p[2];

	if (pipe(p))
		_exit(100);
	return p[end];
}

/* Write to @fd when it is full: a call that was under way would return the part that it wrote. */
static long write_full(int fd)
{
	static char much[65536];

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (write(fd, much, sizeof(much)) > 0 || write(fd, much, 1) > 0)
		;
	fcntl(fd, F_SETFL, 0);
	return write(fd, much, sizeof(much));
}

static long pipe_read(void)
{
	return read(pipe_end(0), &byte, 1);
}

static long pipe_write(void)
{
	return write_full(pipe_end(1));
}

static long splice_from_pipe(void)
{
	int from = pipe_end(0), to = pipe_end(1);

	return splice(from, NULL, to, NULL, 1, 0);
}

static long tee_from_pipe(void)
{
	int from = pipe_end(0), to = pipe_end(1);

	return tee(from, to, 1, 0);
}

static long fifo_open(void)
{
	return open(fifo_name, O_RDONLY);
}

static long read_eventfd(void)
{
	uint64_t v;

	return read(eventfd(0, 0), &v, sizeof(v));
}

static long write_eventfd(void)
{
	uint64_t v = UINT64_MAX - 1;
	int fd = eventfd(0, 0);

	if (write(fd, &v, sizeof(v)) != sizeof(v))
		_exit(101);
	return write(fd, &v, sizeof(v));
}

static long timerfd_read(void)
{
	uint64_t v;

	return read(timerfd_create(CLOCK_MONOTONIC, 0), &v, sizeof(v));
}

static long signalfd_read(void)
{
	struct signalfd_siginfo si;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return read(signalfd(-1, &set, 0), &si, sizeof(si));
}

static long inotify_read(void)
{
	char e[512];

	return read(inotify_init(), e, sizeof(e));
}

static long pty_read(int which)
{
	int fds[2];

	if (openpty(&fds[0], &fds[1], NULL, NULL, NULL))
		_exit(102);
	return read(fds[which], &byte, 1);
}

static long pty_master_read(void)
{
	return pty_read(0);
}

static long tty_read(void)
{
	return pty_read(1);
}

static long wait_for_child(int call)
{
	siginfo_t si;

	if (!fork())
		for (;;)
			pause();
	return call ? waitid(P_ALL, 0, &si, WEXITED) : wait(NULL);
}

static long call_wait4(void)
{
	return wait_for_child(0);
}

static long call_waitid(void)
{
	return wait_for_child(1);
}

static long call_flock(void)
{
	return flock(open(lock_name, O_RDWR), LOCK_EX);
}

static long lock_range(int op)
{
	struct flock l = { .l_type = F_WRLCK, .l_start = op == F_SETLKW ? 0 : 10, .l_len = 1 };

	return fcntl(open(lock_name, O_RDWR), op, &l);
}

static long posix_lock(void)
{
	return lock_range(F_SETLKW);
}

static long ofd_lock(void)
{
	return lock_range(F_OFD_SETLKW);
}

static long fut(uint32_t *u, int op, uint32_t val, const struct timespec *t, uint32_t *u2)
{
	return syscall(SYS_futex, u, op, val, t, u2, FUTEX_BITSET_MATCH_ANY);
}

static long futex_wait(void)
{
	return fut(&shared->word[0], FUTEX_WAIT, 0, NULL, NULL);
}

static long futex_wait_timed(void)
{
	return fut(&shared->word[0], FUTEX_WAIT, 0, &forever, NULL);
}

static long futex_wait_bitset(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += TAP_LONG;
	return fut(&shared->word[0], FUTEX_WAIT_BITSET, 0, &t, NULL);
}

static long futex_lock_pi(void)
{
	return fut(&shared->word[1], FUTEX_LOCK_PI, 0, NULL, NULL);
}

static long futex_wait_requeue_pi(void)
{
	return fut(&shared->word[0], FUTEX_WAIT_REQUEUE_PI, 0, NULL, &shared->word[1]);
}

static long futex_waitv(void)
{
	struct {
		uint64_t val, uaddr;
		uint32_t flags, reserved;
	} w = { 0, (uintptr_t)&shared->word[0], 2, 0 };

	return syscall(449, &w, 1, 0, NULL, 0);
}

/* A socket whose peer says and takes nothing. With nearly the longest @timeout: it must not wrap. */
static int quiet_socket(int timeout)
{
	struct timeval t = { INT64_MAX / 1000000000 - 2, 999999 };
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
		_exit(103);
	if (timeout && setsockopt(s[0], SOL_SOCKET, timeout, &t, sizeof(t)))
		_exit(104);
	return s[0];
}

static long call_recv(void)
{
	return recv(quiet_socket(0), &byte, 1, 0);
}

static long recv_timed(void)
{
	return recv(quiet_socket(SO_RCVTIMEO), &byte, 1, 0);
}

static long call_send(void)
{
	return write_full(quiet_socket(0));
}

static long send_timed(void)
{
	return write_full(quiet_socket(SO_SNDTIMEO));
}

static long accept_with(int timed)
{
	struct sockaddr_un a = { AF_UNIX, "" };
	struct timeval t = { TAP_LONG, 0 };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	if (bind(s, (struct sockaddr *)&a, sizeof(a.sun_family)) || listen(s, 1))
		_exit(105);
	if (timed && setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)))
		_exit(106);
	return accept(s, NULL, NULL);
}

static long call_accept(void)
{
	return accept_with(0);
}

static long accept_timed(void)
{
	return accept_with(1);
}

static long call_poll(void)
{
	return poll(NULL, 0, -1);
}

static long poll_timed(void)
{
	return poll(NULL, 0, TAP_LONG * 1000);
}

static long call_select(void)
{
	fd_set in;
	int fd = pipe_end(0);

	FD_ZERO(&in);
	FD_SET(fd, &in);
	return select(fd + 1, &in, NULL, NULL, NULL);
}

static long call_pselect(void)
{
	sigset_t none;

	sigemptyset(&none);
	return pselect(0, NULL, NULL, NULL, &forever, &none);
}

static long call_epoll_wait(void)
{
	struct epoll_event e;

	return epoll_wait(epoll_create1(0), &e, 1, -1);
}

static long call_nanosleep(void)
{
	return syscall(SYS_nanosleep, &forever, NULL);
}

static long nanosleep_on(int clock, int flags)
{
	struct timespec t = forever, now = { 0, 0 };

	if (flags & TIMER_ABSTIME)
		clock_gettime(clock, &now);
	t.tv_sec += now.tv_sec;
	return syscall(SYS_clock_nanosleep, clock, flags, &t, NULL);
}

static long sleep_realtime(void)
{
	return nanosleep_on(CLOCK_REALTIME, 0);
}

static long sleep_absolute(void)
{
	return nanosleep_on(CLOCK_MONOTONIC, TIMER_ABSTIME);
}

static long sleep_absolute_wall(void)
{
	return nanosleep_on(CLOCK_REALTIME, TIMER_ABSTIME);
}

static long sleep_cpu(void)
{
	return nanosleep_on(CLOCK_PROCESS_CPUTIME_ID, 0);
}

static long call_sigtimedwait(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return syscall(SYS_rt_sigtimedwait, &set, NULL, &forever, 8);
}

static long call_sigsuspend(void)
{
	sigset_t none;

	sigemptyset(&none);
	return sigsuspend(&none);
}

struct message {
	long type;
	char text[1];
};

static long call_msgrcv(void)
{
	struct message m;

	return msgrcv(ids[0], &m, 1, 7, 0);
}

static long call_msgsnd(void)
{
	struct message m = { 1, "" };

	while (!msgsnd(ids[0], &m, 1, IPC_NOWAIT))
		;
	return msgsnd(ids[0], &m, 1, 0);
}

static long call_semop(void)
{
	struct sembuf op = { 0, -1, 0 };

	return syscall(SYS_semop, ids[1], &op, 1);
}

static long call_semtimedop(void)
{
	struct sembuf op = { 0, -1, 0 };

	return semtimedop(ids[1], &op, 1, &forever);
}

static long mqueue_call(int full)
{
	struct timespec t = { time(NULL) + TAP_LONG, 0 };
	struct mq_attr a = { .mq_maxmsg = 1, .mq_msgsize = 1 };
	mqd_t q = mq_open(mqueue_name, O_RDWR | O_CREAT, 0600, &a);

	mq_unlink(mqueue_name);
	if (!full)
		return mq_timedreceive(q, &byte, 1, NULL, &t);
	if (mq_send(q, "", 1, 0))
		_exit(107);
	return mq_timedsend(q, "", 1, 0, &t);
}

static long call_mq_timedreceive(void)
{
	return mqueue_call(0);
}

static long call_mq_timedsend(void)
{
	return mqueue_call(1);
}

static long call_pause(void)
{
	return pause();
}

static long call_ppoll(void)
{
	sigset_t none;

	sigemptyset(&none);
	return ppoll(NULL, 0, &forever, &none);
}

static long call_epoll_pwait2(void)
{
	struct epoll_event e;

	return syscall(441, epoll_create1(0), &e, 1, &forever, NULL, 8);
}

static long call_io_getevents(void)
{
	aio_context_t ctx = 0;
	struct io_event e;

	if (syscall(SYS_io_setup, 1, &ctx))
		_exit(108);
	return syscall(SYS_io_getevents, ctx, 1, 1, &e, &forever);
}

static long call_vmsplice(void)
{
	static char page[4096];
	struct iovec v = { page, 1 };
	int fd = pipe_end(1);

	while (vmsplice(fd, &v, 1, SPLICE_F_NONBLOCK) == 1)
		;
	return vmsplice(fd, &v, 1, 0);
}

static long tty_write(void)
{
	int fds[2];

	if (openpty(&fds[0], &fds[1], NULL, NULL, NULL))
		_exit(109);
	return write_full(fds[1]);
}

#include "restarts/network.h"

static const struct blocker {
	const char *name;
	long (*call)(void);
	int handler, restart, stop; /* what it does */
} blockers[] = {
	{ "read of a pipe", pipe_read, EINTRS, SLEEPS, SLEEPS },
	{ "write to a pipe", pipe_write, EINTRS, SLEEPS, SLEEPS },
	{ "splice", splice_from_pipe, EINTRS, SLEEPS, SLEEPS },
	{ "tee", tee_from_pipe, EINTRS, SLEEPS, SLEEPS },
	{ "open of a FIFO", fifo_open, EINTRS, SLEEPS, SLEEPS },
	{ "read of an eventfd", read_eventfd, EINTRS, SLEEPS, SLEEPS },
	{ "write to an eventfd", write_eventfd, EINTRS, SLEEPS, SLEEPS },
	{ "read of a timerfd", timerfd_read, EINTRS, SLEEPS, SLEEPS },
	{ "read of a signalfd", signalfd_read, EINTRS, SLEEPS, SLEEPS },
	{ "read of an inotify instance", inotify_read, EINTRS, SLEEPS, SLEEPS },
	{ "read of a pty's master", pty_master_read, EINTRS, SLEEPS, SLEEPS },
	{ "read of a terminal", tty_read, EINTRS, SLEEPS, SLEEPS },
	{ "wait4", call_wait4, EINTRS, SLEEPS, SLEEPS },
	{ "waitid", call_waitid, EINTRS, SLEEPS, SLEEPS },
	{ "flock", call_flock, EINTRS, SLEEPS, SLEEPS },
	{ "fcntl F_SETLKW", posix_lock, EINTRS, SLEEPS, SLEEPS },
	{ "fcntl F_OFD_SETLKW", ofd_lock, EINTRS, SLEEPS, SLEEPS },
	{ "FUTEX_WAIT", futex_wait, EINTRS, SLEEPS, SLEEPS },
	{ "FUTEX_WAIT with a timeout", futex_wait_timed, EINTRS, EINTRS, SLEEPS },
	{ "FUTEX_WAIT_BITSET with a timeout", futex_wait_bitset, EINTRS, EINTRS, SLEEPS },
	{ "FUTEX_LOCK_PI", futex_lock_pi, SLEEPS, SLEEPS, SLEEPS },
	{ "FUTEX_WAIT_REQUEUE_PI", futex_wait_requeue_pi, SLEEPS, SLEEPS, SLEEPS },
	{ "futex_waitv", futex_waitv, EINTRS, SLEEPS, SLEEPS },
	{ "recv", call_recv, EINTRS, SLEEPS, SLEEPS },
	{ "recv with SO_RCVTIMEO", recv_timed, EINTRS, EINTRS, EINTRS },
	{ "send", call_send, EINTRS, SLEEPS, SLEEPS },
	{ "send with SO_SNDTIMEO", send_timed, EINTRS, EINTRS, EINTRS },
	{ "accept", call_accept, EINTRS, SLEEPS, SLEEPS },
	{ "accept with SO_RCVTIMEO", accept_timed, EINTRS, EINTRS, EINTRS },
	{ "poll", call_poll, EINTRS, EINTRS, SLEEPS },
	{ "poll with a timeout", poll_timed, EINTRS, EINTRS, SLEEPS },
	{ "select", call_select, EINTRS, EINTRS, SLEEPS },
	{ "pselect with a timeout", call_pselect, EINTRS, EINTRS, SLEEPS },
	{ "epoll_wait", call_epoll_wait, EINTRS, EINTRS, EINTRS },
	{ "nanosleep", call_nanosleep, EINTRS, EINTRS, SLEEPS },
	{ "clock_nanosleep", sleep_realtime, EINTRS, EINTRS, SLEEPS },
	{ "clock_nanosleep until a time", sleep_absolute, EINTRS, EINTRS, SLEEPS },
	{ "clock_nanosleep until a wall time", sleep_absolute_wall, EINTRS, EINTRS, SLEEPS },
	{ "clock_nanosleep of CPU time", sleep_cpu, EINTRS, EINTRS, SLEEPS },
	{ "sigtimedwait", call_sigtimedwait, EINTRS, EINTRS, EINTRS },
	{ "sigsuspend", call_sigsuspend, EINTRS, EINTRS, SLEEPS },
	{ "msgrcv", call_msgrcv, EINTRS, EINTRS, SLEEPS },
	{ "msgsnd", call_msgsnd, EINTRS, EINTRS, SLEEPS },
	{ "semop", call_semop, EINTRS, EINTRS, EINTRS },
	{ "semtimedop", call_semtimedop, EINTRS, EINTRS, EINTRS },
	{ "mq_timedreceive", call_mq_timedreceive, EINTRS, SLEEPS, SLEEPS },
	{ "mq_timedsend", call_mq_timedsend, EINTRS, SLEEPS, SLEEPS },
	{ "pause", call_pause, EINTRS, EINTRS, SLEEPS },
	{ "ppoll with a timeout", call_ppoll, EINTRS, EINTRS, SLEEPS },
	{ "epoll_pwait2", call_epoll_pwait2, EINTRS, EINTRS, EINTRS },
	{ "io_getevents", call_io_getevents, EINTRS, EINTRS, EINTRS },
	{ "vmsplice", call_vmsplice, EINTRS, SLEEPS, SLEEPS },
	{ "write to a terminal", tty_write, EINTRS, SLEEPS, SLEEPS },
	{ "connect of a Unix socket", connect_unix, EINTRS, SLEEPS, SLEEPS },
	{ "connect with SO_SNDTIMEO", connect_unix_timed, EINTRS, EINTRS, EINTRS },
	{ "connect of TCP", connect_tcp, EINTRS, SLEEPS, SLEEPS },
	{ "connect of TCP with SO_SNDTIMEO", connect_tcp_timed, EINTRS, EINTRS, EINTRS },
	{ "accept4 of TCP", accept_tcp, EINTRS, SLEEPS, SLEEPS },
	{ "recv of UDP", recv_udp, EINTRS, SLEEPS, SLEEPS },
	{ "recv of UDP with SO_RCVTIMEO", recv_udp_timed, EINTRS, EINTRS, EINTRS },
	{ "recv of a raw socket", recv_raw, EINTRS, SLEEPS, SLEEPS },
	{ "recv of a packet socket", recv_packet, EINTRS, SLEEPS, SLEEPS },
	{ "recv of netlink", recv_netlink, EINTRS, SLEEPS, SLEEPS },
	{ "recvmmsg with a timeout", call_recvmmsg, EINTRS, SLEEPS, SLEEPS },
	{ "send of a datagram", send_datagram, EINTRS, SLEEPS, SLEEPS },
	{ "send of a datagram with SO_SNDTIMEO", send_datagram_timed, EINTRS, EINTRS, EINTRS },
	{ "sendmmsg", call_sendmmsg, EINTRS, SLEEPS, SLEEPS },
};

/* --- trying one --- */

static void on_signal(int sig)
{
	shared->handled = 1;
}

static void child(const struct blocker *b, int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };
	long r;

	sigaction(SIGUSR1, &sa, NULL);
	shared->begun = 1;
	r = b->call();
	shared->result = r < 0 ? -errno : r;
	shared->returned = 1;
	for (;;)
		pause();
}

static int asleep(pid_t p)
{
	return task_state(p, p) == 'S';
}

enum mode { HANDLER, RESTART, STOP };

/* EINTRS, SLEEPS, or 0: something else. */
static int try(const struct blocker *b, enum mode mode)
{
	int good, verdict;
	pid_t p;

	shared->begun = shared->handled = shared->returned = 0;
	p = fork();
	if (!p) {
		setpgid(0, 0);
		child(b, mode == RESTART ? SA_RESTART : 0);
	}
	good = EVENTUALLY(shared->begun && asleep(p));
	if (mode == STOP) {
		kill(p, SIGSTOP);
		good = good && EVENTUALLY(task_state(p, p) == 'T');
		kill(p, SIGCONT);
		good = good && EVENTUALLY(asleep(p));
	} else {
		kill(p, SIGUSR1);
		good = good && EVENTUALLY(shared->handled && asleep(p));
	}
	verdict = !shared->returned ? SLEEPS : shared->result == -EINTR ? EINTRS : 0;
	if (!verdict)
		printf("# result %ld\n", shared->result);
	kill(p, SIGKILL);
	kill(-p, SIGKILL);
	waitpid(p, NULL, 0);
	return good ? verdict : 0;
}

static void test(const struct blocker *b)
{
	static const char *const does[] = { "something else", "EINTR", "sleeps on" };
	static const char *const what[] = { "a handler", "a handler with SA_RESTART", "a stop" };
	const int want[] = { b->handler, b->restart, b->stop };
	char text[160];

	for (int m = HANDLER; m <= STOP; m++) {
		int got = try(b, (enum mode)m);

		snprintf(text, sizeof(text), "%s, %s: %s (wanted: %s)", b->name, what[m], does[got],
			 does[want[m]]);
		tap_result(got == want[m], text, __FILE__, __LINE__, 0);
	}
}

int main(int argc, char **argv)
{
	struct flock l = { .l_type = F_WRLCK, .l_len = 1 }, m = l;
	int fd;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared->word[1] = (uint32_t)gettid();
	fd = open(lock_name, O_CREAT | O_RDWR, 0600);
	m.l_start = 10;
	REQUIRE(fd >= 0 && !flock(fd, LOCK_EX) && !fcntl(fd, F_SETLK, &l) &&
		!fcntl(fd, F_OFD_SETLK, &m));
	REQUIRE(!mkfifo(fifo_name, 0600));
	ids[0] = msgget(IPC_PRIVATE, 0600);
	ids[1] = semget(IPC_PRIVATE, 1, 0600);
	REQUIRE(ids[0] >= 0 && ids[1] >= 0);
	for (size_t i = 0; i < sizeof(blockers) / sizeof(*blockers); i++) {
		if (argc < 2 || !strcmp(argv[1], blockers[i].name))
			test(&blockers[i]);
	}
	msgctl(ids[0], IPC_RMID, NULL);
	semctl(ids[1], 0, IPC_RMID);
	unlink(lock_name), unlink(fifo_name);
	return tap_done();
}
