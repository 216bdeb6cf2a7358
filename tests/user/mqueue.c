/*
 * POSIX message queues: mq_overview(7) and the manual pages of the calls.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "tap.h"

#define NAME "/linnet-test"

static struct mq_attr small = { .mq_maxmsg = 3, .mq_msgsize = 16 };
static const struct timespec past = { 1, 0 };

static int child_status(pid_t pid)
{
	int st = -1;

	while (waitpid(pid, &st, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static mqd_t fresh(int flags)
{
	mq_unlink(NAME);
	return mq_open(NAME, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &small);
}

/* Receive one and say whether it is @text with priority @prio. */
static int next_is(mqd_t q, const char *text, unsigned prio)
{
	char buf[16];
	unsigned got = ~0u;
	ssize_t n = mq_receive(q, buf, sizeof(buf), &got);

	return n == (ssize_t)strlen(text) && !memcmp(buf, text, n) && got == prio;
}

static void test_open(void)
{
	struct mq_attr bad = small, a;
	char name[NAME_MAX + 8];
	struct stat st;
	mqd_t q = fresh(0), r;

	REQUIRE(q >= 0);
	CHECK(fcntl(q, F_GETFD) == FD_CLOEXEC);
	CHECK((fcntl(q, F_GETFL) & O_ACCMODE) == O_RDWR);
	CHECK(!mq_getattr(q, &a) && a.mq_maxmsg == 3 && a.mq_msgsize == 16 && !a.mq_curmsgs &&
	      !a.mq_flags);
	CHECK(!fstat(q, &st) && S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0600 &&
	      st.st_size == 80 && st.st_nlink == 1);
	CHECK_ERR(mq_open(NAME, O_CREAT | O_EXCL | O_RDWR, 0600, &small), EEXIST);
	r = mq_open(NAME, O_RDONLY);
	CHECK(r >= 0);
	CHECK_ERR(mq_send(r, "x", 1, 0), EBADF);
	CHECK(!mq_close(r));
	r = mq_open(NAME, O_WRONLY | O_NONBLOCK);
	CHECK(r >= 0);
	CHECK_ERR(mq_receive(r, name, sizeof(name), NULL), EBADF);
	CHECK(!mq_close(r));
	CHECK_ERR(mq_close(r), EBADF);
	CHECK_ERR(mq_open("/linnet-none", O_RDWR), ENOENT);
	CHECK_ERR(syscall(SYS_mq_open, "linnet/test", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	CHECK_ERR(syscall(SYS_mq_open, "..", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	CHECK_ERR(syscall(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, NULL), ENOENT);
	CHECK_ERR(syscall(SYS_mq_open, NULL, O_RDWR, 0600, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_mq_open, "linnet-x", O_RDWR | O_CREAT, 0600, 8), EFAULT);
	memset(name, 'a', sizeof(name));
	name[NAME_MAX + 1] = 0;
	CHECK_ERR(syscall(SYS_mq_open, name, O_RDWR | O_CREAT, 0600, NULL), ENAMETOOLONG);
	bad.mq_maxmsg = 0;
	CHECK_ERR(mq_open("/linnet-bad", O_CREAT | O_RDWR, 0600, &bad), EINVAL);
	bad.mq_maxmsg = 65537;
	CHECK_ERR(mq_open("/linnet-bad", O_CREAT | O_RDWR, 0600, &bad), EINVAL);
	bad = small;
	bad.mq_msgsize = 16 * 1024 * 1024 + 1;
	CHECK_ERR(mq_open("/linnet-bad", O_CREAT | O_RDWR, 0600, &bad), EINVAL);
	bad.mq_msgsize = -1;
	CHECK_ERR(mq_open("/linnet-bad", O_CREAT | O_RDWR, 0600, &bad), EINVAL);
	CHECK_ERR(syscall(SYS_mq_open, "linnet-test", O_RDWR | O_WRONLY, 0, NULL), EINVAL);
	CHECK(!mq_unlink(NAME));
	CHECK_ERR(mq_unlink(NAME), ENOENT);
	CHECK(!mq_send(q, "still", 5, 1) && next_is(q, "still", 1));
	CHECK(!mq_close(q));
}

static void test_messages(void)
{
	char big[17] = "";
	struct mq_attr a;
	mqd_t q = fresh(O_NONBLOCK);

	REQUIRE(q >= 0);
	CHECK_ERR(mq_receive(q, big, sizeof(big), NULL), EAGAIN);
	CHECK_ERR(mq_receive(q, big, 15, NULL), EMSGSIZE);
	CHECK_ERR(mq_send(q, big, 17, 0), EMSGSIZE);
	CHECK_ERR(mq_send(q, "x", 1, 32768), EINVAL);
	CHECK_ERR(syscall(SYS_mq_timedsend, q, 8, 4, 0, NULL), EFAULT);
	CHECK(!mq_send(q, "low", 3, 1));
	CHECK(!mq_send(q, "high", 4, 32767));
	CHECK(!mq_send(q, "low two", 7, 1));
	CHECK_ERR(mq_send(q, "x", 1, 5), EAGAIN);
	CHECK(!mq_getattr(q, &a) && a.mq_curmsgs == 3 && a.mq_flags == O_NONBLOCK);
	CHECK(next_is(q, "high", 32767));
	CHECK(next_is(q, "low", 1));
	CHECK(!mq_send(q, "", 0, 1));
	CHECK(next_is(q, "low two", 1));
	CHECK(next_is(q, "", 1));
	CHECK(!mq_send(q, "lost", 4, 0));
	CHECK_ERR(syscall(SYS_mq_timedreceive, q, 8, 16, NULL, NULL), EFAULT);
	CHECK_ERR(mq_receive(q, big, sizeof(big), NULL), EAGAIN);
	CHECK_ERR(syscall(SYS_mq_timedsend, 0, "x", 1, 0, NULL), EBADF);
	CHECK_ERR(syscall(SYS_mq_timedreceive, 99, big, 16, NULL, NULL), EBADF);
	CHECK_ERR(write(q, "x", 1), EINVAL);
	mq_close(q);
}

static void test_getsetattr(void)
{
	struct mq_attr a = { .mq_flags = O_NONBLOCK, .mq_maxmsg = 7 }, old;
	mqd_t q = fresh(0);

	REQUIRE(q >= 0);
	CHECK(!mq_setattr(q, &a, &old) && !old.mq_flags && old.mq_maxmsg == 3);
	CHECK(!mq_getattr(q, &old) && old.mq_flags == O_NONBLOCK && old.mq_maxmsg == 3);
	CHECK(fcntl(q, F_GETFL) & O_NONBLOCK);
	a.mq_flags = O_NONBLOCK | O_APPEND;
	CHECK_ERR(mq_setattr(q, &a, NULL), EINVAL);
	a.mq_flags = 0;
	CHECK(!mq_setattr(q, &a, NULL) && !(fcntl(q, F_GETFL) & O_NONBLOCK));
	CHECK_ERR(syscall(SYS_mq_getsetattr, 0, NULL, &old), EBADF);
	CHECK_ERR(syscall(SYS_mq_getsetattr, q, 8, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_mq_getsetattr, q, NULL, 8), EFAULT);
	mq_close(q);
}

static void test_timeouts(void)
{
	struct timespec bad = { 0, 1000000000 }, soon;
	char buf[16];
	mqd_t q = fresh(0);

	REQUIRE(q >= 0);
	CHECK_ERR(mq_timedreceive(q, buf, 16, NULL, &past), ETIMEDOUT);
	CHECK_ERR(mq_timedreceive(q, buf, 16, NULL, &bad), EINVAL);
	CHECK_ERR(syscall(SYS_mq_timedreceive, q, buf, 16, NULL, 8), EFAULT);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec += 20000000;
	soon.tv_sec += soon.tv_nsec / 1000000000;
	soon.tv_nsec %= 1000000000;
	CHECK_ERR(mq_timedreceive(q, buf, 16, NULL, &soon), ETIMEDOUT);
	CHECK(!mq_send(q, "1", 1, 0) && !mq_send(q, "2", 1, 0) && !mq_send(q, "3", 1, 0));
	CHECK_ERR(mq_timedsend(q, "4", 1, 0, &past), ETIMEDOUT);
	CHECK_ERR(mq_timedsend(q, "4", 1, 0, &soon), ETIMEDOUT);
	CHECK(next_is(q, "1", 0) && next_is(q, "2", 0) && next_is(q, "3", 0));
	CHECK_ERR(mq_timedreceive(q, buf, 16, NULL, &past), ETIMEDOUT);
	mq_close(q);
}

static volatile sig_atomic_t handled;

static void on_signal(int sig)
{
	handled = sig;
}

/* Waiting: a receiver served by a sender, a sender by a receiver, and a signal. */
static void test_waiting(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	mqd_t q = fresh(0);
	char buf[16];
	pid_t pid;

	REQUIRE(q >= 0);
	pid = fork();
	if (!pid)
		_exit(next_is(q, "hello", 9) ? 7 : 8);
	CHECK(EVENTUALLY(is_asleep(pid)));
	CHECK(!mq_send(q, "hello", 5, 9));
	CHECK(child_status(pid) == 7);
	CHECK(!mq_send(q, "1", 1, 0) && !mq_send(q, "2", 1, 0) && !mq_send(q, "3", 1, 0));
	pid = fork();
	if (!pid)
		_exit(mq_send(q, "urgent", 6, 30) ? 8 : 7);
	CHECK(EVENTUALLY(is_asleep(pid)));
	CHECK(next_is(q, "1", 0));
	CHECK(child_status(pid) == 7);
	CHECK(next_is(q, "urgent", 30));
	CHECK(next_is(q, "2", 0) && next_is(q, "3", 0));
	/* Without SA_RESTART a signal ends the call. */
	pid = fork();
	if (!pid) {
		sigaction(SIGUSR1, &sa, NULL);
		_exit(mq_receive(q, buf, 16, NULL) < 0 && errno == EINTR && handled ? 7 : 8);
	}
	CHECK(EVENTUALLY(is_asleep(pid)));
	CHECK(!kill(pid, SIGUSR1));
	CHECK(child_status(pid) == 7);
	sa.sa_flags = SA_RESTART;
	pid = fork();
	if (!pid) {
		sigaction(SIGUSR1, &sa, NULL);
		_exit(next_is(q, "after", 0) && handled ? 7 : 8);
	}
	CHECK(EVENTUALLY(is_asleep(pid)));
	CHECK(!kill(pid, SIGUSR1));
	CHECK(EVENTUALLY(is_asleep(pid)));
	CHECK(!mq_send(q, "after", 5, 0));
	CHECK(child_status(pid) == 7);
	mq_close(q);
}

/* The more urgent of two that wait is served first, though it came later. */
static void test_urgency(void)
{
	struct sched_param sp = { .sched_priority = 3 };
	mqd_t q = fresh(0);
	pid_t slow, quick;
	int status;

	REQUIRE(q >= 0);
	slow = fork();
	if (!slow)
		_exit(next_is(q, "second", 0) ? 7 : 8);
	CHECK(EVENTUALLY(is_asleep(slow)));
	quick = fork();
	if (!quick) {
		if (syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &sp)) /* musl has none */
			_exit(9);
		_exit(next_is(q, "first", 0) ? 7 : 8);
	}
	CHECK(EVENTUALLY(is_asleep(quick)));
	CHECK(!mq_send(q, "first", 5, 0));
	status = child_status(quick);
	CHECK(status == 7);
	CHECK(!mq_send(q, "second", 6, 0));
	CHECK(child_status(slow) == 7);
	mq_close(q);
}

static void test_poll(void)
{
	mqd_t q = fresh(O_NONBLOCK);
	struct pollfd p = { .fd = q, .events = POLLIN | POLLOUT };
	pid_t pid;

	REQUIRE(q >= 0);
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
	CHECK(!mq_send(q, "1", 1, 0));
	CHECK(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLOUT));
	CHECK(!mq_send(q, "2", 1, 0) && !mq_send(q, "3", 1, 0));
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN);
	CHECK(next_is(q, "1", 0) && next_is(q, "2", 0) && next_is(q, "3", 0));
	pid = fork();
	if (!pid) {
		p.events = POLLIN;
		_exit(poll(&p, 1, -1) == 1 && p.revents == POLLIN ? 7 : 8);
	}
	CHECK(EVENTUALLY(is_asleep(pid)));
	CHECK(!mq_send(q, "1", 1, 0));
	CHECK(child_status(pid) == 7);
	mq_close(q);
}

static void test_notify_signal(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct timespec zero = { 0, 0 };
	siginfo_t si;
	sigset_t set;
	mqd_t q = fresh(0), other;
	pid_t pid;

	REQUIRE(q >= 0);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	ev.sigev_value.sival_int = 4711;
	CHECK(!mq_notify(q, &ev));
	CHECK_ERR(mq_notify(q, &ev), EBUSY);
	pid = fork();
	if (!pid) /* not its registration, and the queue is not empty when this is told */
		_exit(mq_notify(q, NULL) || mq_send(q, "one", 3, 0) ? 8 : 7);
	CHECK(child_status(pid) == 7);
	CHECK(sigwaitinfo(&set, &si) == SIGRTMIN);
	CHECK(si.si_code == SI_MESGQ && si.si_value.sival_int == 4711 && si.si_pid == pid &&
	      si.si_uid == getuid());
	/* Being told ends it; and a queue that is not empty tells nobody. */
	CHECK(!mq_notify(q, &ev));
	CHECK(!mq_send(q, "two", 3, 0));
	CHECK_ERR(sigtimedwait(&set, &si, &zero), EAGAIN);
	CHECK(next_is(q, "one", 0) && next_is(q, "two", 0));
	CHECK(!mq_send(q, "three", 5, 0));
	CHECK(sigtimedwait(&set, &si, &zero) == SIGRTMIN && si.si_pid == getpid());
	CHECK(next_is(q, "three", 0));
	/* A receiver that waits takes the message, and nobody is told. */
	CHECK(!mq_notify(q, &ev));
	pid = fork();
	if (!pid)
		_exit(next_is(q, "for it", 0) ? 7 : 8);
	CHECK(EVENTUALLY(is_asleep(pid)));
	CHECK(!mq_send(q, "for it", 6, 0));
	CHECK(child_status(pid) == 7);
	CHECK_ERR(sigtimedwait(&set, &si, &zero), EAGAIN);
	CHECK(!mq_notify(q, NULL));
	CHECK(!mq_notify(q, &ev));
	/* Closing any descriptor of the queue ends it. */
	other = mq_open(NAME, O_RDONLY);
	CHECK(other >= 0 && !mq_close(other));
	CHECK(!mq_notify(q, &ev));
	CHECK(!mq_notify(q, NULL));
	ev.sigev_notify = SIGEV_NONE;
	CHECK(!mq_notify(q, &ev));
	CHECK(!mq_send(q, "x", 1, 0) && next_is(q, "x", 0));
	CHECK(!mq_notify(q, &ev));
	ev.sigev_notify = SIGEV_SIGNAL;
	ev.sigev_signo = 65;
	CHECK_ERR(mq_notify(q, &ev), EINVAL);
	ev.sigev_notify = 77;
	CHECK_ERR(mq_notify(q, &ev), EINVAL);
	CHECK_ERR(mq_notify(0, NULL), EBADF);
	CHECK_ERR(syscall(SYS_mq_notify, q, 8), EFAULT);
	mq_close(q);
}

/* SIGEV_THREAD as the C library asks for it: 32 bytes that come back by a netlink socket. */
static void test_notify_netlink(void)
{
	unsigned char cookie[32], back[64];
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD };
	int nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0), pair[2];
	mqd_t q = fresh(0);

	REQUIRE(q >= 0 && nl >= 0);
	for (int i = 0; i < 32; i++)
		cookie[i] = i + 1;
	ev.sigev_signo = nl;
	ev.sigev_value.sival_ptr = cookie;
	CHECK(!syscall(SYS_mq_notify, q, &ev));
	CHECK(!mq_send(q, "x", 1, 0));
	CHECK(recv(nl, back, sizeof(back), 0) == 32);
	CHECK(!memcmp(back, cookie, 31) && back[31] == 1);
	CHECK(next_is(q, "x", 0));
	CHECK(!syscall(SYS_mq_notify, q, &ev));
	CHECK(!syscall(SYS_mq_notify, q, NULL));
	CHECK(recv(nl, back, sizeof(back), 0) == 32 && back[31] == 2);
	CHECK_ERR(recv(nl, back, sizeof(back), MSG_DONTWAIT), EAGAIN);
	ev.sigev_value.sival_ptr = (void *)8;
	CHECK_ERR(syscall(SYS_mq_notify, q, &ev), EFAULT);
	ev.sigev_value.sival_ptr = cookie;
	ev.sigev_signo = q;
	CHECK_ERR(syscall(SYS_mq_notify, q, &ev), ENOTSOCK);
	ev.sigev_signo = -1;
	CHECK_ERR(syscall(SYS_mq_notify, q, &ev), EBADF);
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	ev.sigev_signo = pair[0];
	CHECK_ERR(syscall(SYS_mq_notify, q, &ev), EINVAL);
	/* The socket may be closed before it is told. */
	ev.sigev_signo = nl;
	CHECK(!syscall(SYS_mq_notify, q, &ev));
	CHECK(!close(nl));
	CHECK(!mq_send(q, "x", 1, 0) && next_is(q, "x", 0));
	close(pair[0]);
	close(pair[1]);
	mq_close(q);
}

static volatile int thread_ran;

static void in_thread(union sigval v)
{
	thread_ran = v.sival_int;
}

static void test_notify_thread(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_THREAD, .sigev_notify_function = in_thread };
	mqd_t q = fresh(0);

	REQUIRE(q >= 0);
	ev.sigev_value.sival_int = 12;
	CHECK(!mq_notify(q, &ev));
	CHECK(!mq_send(q, "x", 1, 0));
	CHECK(EVENTUALLY(thread_ran == 12));
	mq_close(q);
}

static int set_number(const char *path, int n)
{
	FILE *f = fopen(path, "r+");
	int ok;

	if (!f)
		return 0;
	ok = fprintf(f, "%d\n", n) > 0;
	return !fclose(f) && ok;
}

static int number(const char *path)
{
	FILE *f = fopen(path, "r");
	int n = -1;

	if (f && fscanf(f, "%d", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

/* In a child that is nobody special: 7 when all is as it should be, else the line. */
static int limits_of_others(void)
{
	struct rlimit rl = { 3 * (16 + 48) + 3 * 48, 100000 };
	struct mq_attr a = small;
	mqd_t q;

#define MUST(x)                                 \
	do {                                    \
		if (!(x))                       \
			return __LINE__ & 0x7f; \
	} while (0)
	MUST(!setgid(1000) && !setuid(1000));
	MUST(mq_open(NAME, O_RDONLY) < 0 && errno == EACCES);
	MUST(syscall(SYS_mq_unlink, NAME + 1) < 0 && errno == EPERM);
	a.mq_maxmsg = 11;
	MUST(mq_open("/linnet-mine", O_CREAT | O_RDWR, 0600, &a) < 0 && errno == EINVAL);
	a.mq_maxmsg = 3;
	a.mq_msgsize = 8193;
	MUST(mq_open("/linnet-mine", O_CREAT | O_RDWR, 0600, &a) < 0 && errno == EINVAL);
	MUST(!setrlimit(RLIMIT_MSGQUEUE, &rl));
	q = mq_open("/linnet-mine", O_CREAT | O_RDWR, 0600, &small);
	MUST(q >= 0);
	MUST(mq_open("/linnet-mine2", O_CREAT | O_RDWR, 0600, &small) < 0 && errno == EMFILE);
	/* It is the queue's life that counts, not the name's. */
	MUST(!mq_unlink("/linnet-mine"));
	MUST(mq_open("/linnet-mine2", O_CREAT | O_RDWR, 0600, &small) < 0 && errno == EMFILE);
	MUST(!mq_close(q));
	q = mq_open("/linnet-mine2", O_CREAT | O_RDWR, 0600, &small);
	MUST(q >= 0 && !mq_unlink("/linnet-mine2"));
	return 7;
}

static void test_limits(void)
{
	static const char max[] = "/proc/sys/fs/mqueue/queues_max";
	int was = number(max), status;
	struct mq_attr a;
	mqd_t q = fresh(0), p;
	pid_t pid;

	REQUIRE(q >= 0);
	CHECK(was == 256);
	CHECK(number("/proc/sys/fs/mqueue/msg_max") == 10);
	CHECK(number("/proc/sys/fs/mqueue/msg_default") == 10);
	CHECK(number("/proc/sys/fs/mqueue/msgsize_max") == 8192);
	CHECK(number("/proc/sys/fs/mqueue/msgsize_default") == 8192);
	CHECK(!set_number("/proc/sys/fs/mqueue/msg_max", 0));
	CHECK(set_number("/proc/sys/fs/mqueue/msg_default", 4));
	mq_unlink("/linnet-plain");
	p = mq_open("/linnet-plain", O_CREAT | O_RDWR, 0600, NULL);
	CHECK(p >= 0 && !mq_getattr(p, &a) && a.mq_maxmsg == 4 && a.mq_msgsize == 8192);
	mq_close(p);
	mq_unlink("/linnet-plain");
	CHECK(set_number("/proc/sys/fs/mqueue/msg_default", 10));
	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(limits_of_others());
	status = child_status(pid);
	CHECK(status == 7);
	if (status != 7)
		printf("# at line %d modulo 128\n", status);
	/* With CAP_SYS_RESOURCE the number of queues is not limited. */
	CHECK(set_number(max, 1));
	p = mq_open("/linnet-two", O_CREAT | O_RDWR, 0600, &small);
	CHECK(p >= 0);
	pid = fork();
	if (!pid)
		_exit(!setuid(1000) && mq_open("/linnet-3", O_CREAT | O_RDWR, 0600, &small) < 0 &&
				      errno == ENOSPC
			      ? 7
			      : 8);
	CHECK(child_status(pid) == 7);
	CHECK(set_number(max, was));
	mq_close(p);
	mq_unlink("/linnet-two");
	mq_close(q);
}

static void test_file_system(void)
{
	char text[128] = "", dir[] = "/tmp/mqueue.XXXXXX", name[64];
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	struct statfs sf;
	struct dirent *e;
	mqd_t q = fresh(0), p;
	int fd, seen = 0;
	DIR *d;

	REQUIRE(q >= 0);
	REQUIRE(mkdtemp(dir));
	REQUIRE(!mount("none", dir, "mqueue", 0, NULL));
	CHECK(!statfs(dir, &sf) && sf.f_type == 0x19800202);
	snprintf(name, sizeof(name), "%s%s", dir, NAME);
	CHECK(!mq_send(q, "12345", 5, 0) && !mq_send(q, "67", 2, 0));
	CHECK(!mq_notify(q, &ev));
	fd = open(name, O_RDONLY);
	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	snprintf(name, sizeof(name), "QSIZE:7          NOTIFY:0     SIGNO:%-5d NOTIFY_PID:%-6d\n",
		 SIGUSR2, getpid());
	CHECK(!strcmp(text, name));
	close(fd); /* which also ends the registration */
	snprintf(name, sizeof(name), "%s/by-open", dir);
	CHECK((fd = open(name, O_CREAT | O_RDWR, 0640)) >= 0);
	close(fd);
	p = mq_open("/by-open", O_RDWR);
	CHECK(p >= 0);
	mq_close(p);
	d = opendir(dir);
	while (d && (e = readdir(d)))
		seen += !strcmp(e->d_name, "by-open") + !strcmp(e->d_name, NAME + 1) * 10 +
			(e->d_name[0] == '.') * 100;
	CHECK(seen == 211);
	if (d)
		closedir(d);
	CHECK(!unlink(name));
	CHECK_ERR(mq_open("/by-open", O_RDWR), ENOENT);
	snprintf(name, sizeof(name), "%s/d", dir);
	CHECK_ERR(mkdir(name, 0755), EPERM);
	CHECK_ERR(symlink("x", name), EPERM);
	mq_close(q);
	CHECK(!umount(dir));
	CHECK(!rmdir(dir));
	CHECK(!mq_unlink(NAME));
}

/* Many to many: nothing is lost and nothing comes twice. */
static void test_crowd(void)
{
	enum { SENDERS = 4, EACH = 300 };
	mqd_t q = fresh(0);
	pid_t senders[SENDERS], readers[2];
	unsigned v, sum = 0;
	int pipefd[2];

	REQUIRE(q >= 0 && !pipe(pipefd));
	for (int i = 0; i < SENDERS; i++) {
		senders[i] = fork();
		if (senders[i])
			continue;
		for (v = 0; v < EACH; v++)
			if (mq_send(q, (char *)&v, sizeof(v), v % 7))
				_exit(8);
		_exit(7);
	}
	for (int i = 0; i < 2; i++) {
		readers[i] = fork();
		if (readers[i])
			continue;
		for (int n = 0; n < SENDERS * EACH / 2; n++) {
			unsigned got[4];

			if (mq_receive(q, (char *)got, sizeof(got), NULL) != sizeof(v))
				_exit(8);
			sum += got[0];
		}
		_exit(write(pipefd[1], &sum, sizeof(sum)) == sizeof(sum) ? 7 : 8);
	}
	for (int i = 0; i < SENDERS; i++)
		CHECK(child_status(senders[i]) == 7);
	for (int i = 0; i < 2; i++)
		CHECK(child_status(readers[i]) == 7);
	sum = 0;
	for (int i = 0; i < 2; i++)
		sum += read(pipefd[0], &v, sizeof(v)) == sizeof(v) ? v : 0;
	CHECK(sum == SENDERS * (EACH * (EACH - 1) / 2));
	mq_close(q);
	mq_unlink(NAME);
}

int main(void)
{
	umask(022);
	test_open();
	test_messages();
	test_getsetattr();
	test_timeouts();
	test_waiting();
	test_urgency();
	test_poll();
	test_notify_signal();
	test_notify_netlink();
	test_notify_thread();
	test_limits();
	test_file_system();
	test_crowd();
	return tap_done();
}
