/* signalfd(2): records, who reads what, waiting, poll and epoll, changing the set. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tap.h"

#define RT1 (SIGRTMIN + 1)

static sigset_t set_of(int a, int b)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, a);
	if (b)
		sigaddset(&s, b);
	return s;
}

static int readable(int fd, int ms)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, ms) == 1 && p.revents == POLLIN;
}

static int next_signal(int fd)
{
	struct signalfd_siginfo r;

	return read(fd, &r, sizeof(r)) == sizeof(r) ? (int)r.ssi_signo : -1;
}

static void test_arguments(void)
{
	sigset_t s = set_of(SIGUSR1, SIGKILL);
	uint64_t raw = 1;
	int fd = signalfd(-1, &s, SFD_CLOEXEC | SFD_NONBLOCK), p[2];
	char buf[256], text[512] = "";
	int info;

	REQUIRE(fd >= 0 && !pipe(p));
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK((fcntl(fd, F_GETFL) & (O_NONBLOCK | O_ACCMODE)) == (O_NONBLOCK | O_RDWR));
	CHECK_ERR(syscall(SYS_signalfd4, -1, &raw, 4, 0), EINVAL);
	CHECK_ERR(syscall(SYS_signalfd4, -1, NULL, 8, 0), EFAULT);
	CHECK_ERR(syscall(SYS_signalfd4, -1, &raw, 8, 1), EINVAL);
	CHECK_ERR(syscall(SYS_signalfd4, 99, &raw, 8, 0), EBADF);
	CHECK_ERR(syscall(SYS_signalfd4, p[0], &raw, 8, 0), EINVAL);
	CHECK_ERR(syscall(SYS_signalfd4, -2, &raw, 8, 0), EBADF);
	CHECK_ERR(read(fd, buf, 127), EINVAL);
	CHECK_ERR(read(fd, buf, 128), EAGAIN);
	CHECK_ERR(write(fd, buf, 128), EINVAL);
	CHECK_ERR(pread(fd, buf, 128, 0), ESPIPE);
	CHECK(lseek(fd, 7, SEEK_SET) == 0);
	snprintf(buf, sizeof(buf), "/proc/self/fdinfo/%d", fd);
	info = open(buf, O_RDONLY);
	CHECK(read(info, text, sizeof(text) - 1) > 0);
	CHECK(strstr(text, "sigmask:\t0000000000000200\n"));
	close(info), close(fd), close(p[0]), close(p[1]);
}

static void test_records(void)
{
	sigset_t s = set_of(SIGUSR1, RT1);
	int fd, n;
	struct signalfd_siginfo r[4];
	union sigval v = { .sival_int = 0x1234567 };

	sigaddset(&s, SIGCHLD);
	sigprocmask(SIG_BLOCK, &s, NULL);
	fd = signalfd(-1, &s, SFD_NONBLOCK);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR1);
	CHECK(readable(fd, 0));
	CHECK(read(fd, r, sizeof(r)) == sizeof(r[0]));
	CHECK(r[0].ssi_signo == SIGUSR1 && r[0].ssi_code == SI_USER && !r[0].ssi_errno);
	CHECK(r[0].ssi_pid == (uint32_t)getpid() && r[0].ssi_uid == getuid() && !r[0].ssi_int);
	CHECK(!readable(fd, 0));
	/* Real-time signals queue, with their values; a short buffer takes what fits. */
	for (n = 0; n < 3; n++, v.sival_int++)
		CHECK(!sigqueue(getpid(), RT1, v));
	CHECK(read(fd, r, 2 * sizeof(r[0]) + 5) == 2 * sizeof(r[0]));
	CHECK(r[0].ssi_signo == (uint32_t)RT1 && r[0].ssi_code == SI_QUEUE);
	CHECK(r[0].ssi_int == 0x1234567 && r[1].ssi_int == 0x1234568);
	CHECK((uint32_t)r[0].ssi_ptr == 0x1234567 && r[0].ssi_pid == (uint32_t)getpid());
	CHECK(next_signal(fd) == RT1);
	CHECK_ERR(read(fd, r, sizeof(r)), EAGAIN);
	/* To one thread. */
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
	CHECK(read(fd, r, sizeof(r)) == sizeof(r[0]) && r[0].ssi_code == SI_TKILL);
	/* A child's end. */
	if (!fork())
		_exit(7);
	CHECK(readable(fd, TAP_PATIENCE_MS));
	CHECK(read(fd, r, sizeof(r)) == sizeof(r[0]) && r[0].ssi_signo == SIGCHLD);
	CHECK(r[0].ssi_code == CLD_EXITED && r[0].ssi_status == 7 && r[0].ssi_pid > 1);
	CHECK(wait(NULL) == (pid_t)r[0].ssi_pid);
	close(fd);
}

static void test_timer_record(void)
{
	sigset_t s = set_of(RT1, 0);
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = RT1 };
	struct itimerspec its = { { 0, 0 }, { 0, 1000000 } };
	struct signalfd_siginfo r;
	int fd = signalfd(-1, &s, 0);
	timer_t t;

	ev.sigev_value.sival_ptr = &r;
	REQUIRE(!timer_create(CLOCK_MONOTONIC, &ev, &t));
	CHECK(!timer_settime(t, 0, &its, NULL));
	CHECK(read(fd, &r, sizeof(r)) == sizeof(r));
	CHECK(r.ssi_signo == (uint32_t)RT1 && r.ssi_code == SI_TIMER && r.ssi_overrun == 0);
	CHECK(r.ssi_ptr == (uint64_t)&r);
	timer_delete(t);
	close(fd);
}

static void on_alarm(int sig)
{
}

static void *reader(void *arg)
{
	return (void *)(long)next_signal(*(int *)arg);
}

static void test_waiting(void)
{
	sigset_t s = set_of(SIGUSR1, 0), t = set_of(SIGUSR2, 0);
	struct sigaction sa = { .sa_handler = on_alarm };
	/* Again and again: one may come before the call that it is to interrupt. */
	struct itimerval it = { { 0, 50000 }, { 0, 50000 } }, off = { 0 };
	int fd = signalfd(-1, &s, 0);
	pthread_t th;
	void *ret;

	/* A blocked reader is woken by a signal to the process. */
	pthread_create(&th, NULL, reader, &fd);
	CHECK(!kill(getpid(), SIGUSR1));
	CHECK(!pthread_join(th, &ret) && (long)ret == SIGUSR1);
	/* Another signal interrupts it. */
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	CHECK_ERR(read(fd, (char[128]){ 0 }, 128), EINTR);
	setitimer(ITIMER_REAL, &off, NULL);
	/* Another set wakes who waits. */
	sigprocmask(SIG_BLOCK, &t, NULL);
	kill(getpid(), SIGUSR2);
	CHECK(!readable(fd, 0));
	pthread_create(&th, NULL, reader, &fd);
	CHECK(signalfd(fd, &t, 0) == fd);
	CHECK(!pthread_join(th, &ret) && (long)ret == SIGUSR2);
	close(fd);
}

static void *send_to_self(void *arg)
{
	/* Only this thread has it pending, so only this thread's poll shows it. */
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
	return (void *)(long)(readable(*(int *)arg, 0) && next_signal(*(int *)arg) == SIGUSR1);
}

static void *hold_until(void *arg)
{
	int *pipes = arg;
	char c;

	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
	write(pipes[1], "x", 1);
	read(pipes[2], &c, 1);
	return NULL;
}

static void test_threads(void)
{
	sigset_t s = set_of(SIGUSR1, 0);
	int fd = signalfd(-1, &s, SFD_NONBLOCK), a[2], b[2], pipes[4];
	pthread_t th;
	void *ret;
	char c;

	pthread_create(&th, NULL, send_to_self, &fd);
	CHECK(!pthread_join(th, &ret) && ret);
	REQUIRE(!pipe(a) && !pipe(b));
	pipes[1] = a[1], pipes[2] = b[0];
	pthread_create(&th, NULL, hold_until, pipes);
	read(a[0], &c, 1);
	CHECK(!readable(fd, 0));
	CHECK(next_signal(fd) == -1 && errno == EAGAIN);
	write(b[1], "x", 1);
	pthread_join(th, NULL);
	close(fd), close(a[0]), close(a[1]), close(b[0]), close(b[1]);
}

static void test_epoll(void)
{
	sigset_t s = set_of(SIGUSR1, RT1);
	struct epoll_event e = { .events = EPOLLIN | EPOLLET, .data.u32 = 3 };
	int fd = signalfd(-1, &s, SFD_NONBLOCK), ep = epoll_create1(0), status;
	union sigval v = { 0 };
	pid_t pid;

	sigprocmask(SIG_BLOCK, &s, NULL);
	REQUIRE(!epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	CHECK(epoll_wait(ep, &e, 1, 0) == 0);
	kill(getpid(), SIGUSR1);
	CHECK(epoll_wait(ep, &e, 1, TAP_PATIENCE_MS) == 1 && e.data.u32 == 3);
	CHECK(epoll_wait(ep, &e, 1, 0) == 0);
	/* Each signal sent is an edge, though nothing was read. */
	sigqueue(getpid(), RT1, v);
	CHECK(epoll_wait(ep, &e, 1, TAP_PATIENCE_MS) == 1);
	sigqueue(getpid(), RT1, v);
	CHECK(epoll_wait(ep, &e, 1, TAP_PATIENCE_MS) == 1);
	CHECK(next_signal(fd) == SIGUSR1 && next_signal(fd) == RT1 && next_signal(fd) == RT1);
	/* A child sees its own signals through the same descriptor; the set outlives it. */
	pid = fork();
	if (!pid) {
		struct epoll_event ce = { .events = EPOLLIN, .data.u32 = 4 };
		int cep = epoll_create1(0);
		int bad = epoll_ctl(cep, EPOLL_CTL_ADD, fd, &ce) || readable(fd, 0);

		kill(getpid(), SIGUSR1);
		bad |= epoll_wait(cep, &ce, 1, TAP_PATIENCE_MS) != 1 || next_signal(fd) != SIGUSR1;
		epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL);
		ce.events = EPOLLIN;
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ce);
		_exit(bad);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	kill(getpid(), SIGUSR1);
	CHECK(readable(fd, 0) && next_signal(fd) == SIGUSR1);
	close(ep);
	close(fd);
}

static void test_exec(char *self)
{
	sigset_t s = set_of(SIGUSR1, 0);
	char num[16];
	int fd = signalfd(-1, &s, 0), status;

	if (!fork()) {
		kill(getpid(), SIGUSR1);
		snprintf(num, sizeof(num), "%d", fd);
		execl(self, self, "read", num, NULL);
		_exit(99);
	}
	/* What is pending stays so over exec, and the descriptor too. */
	CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == SIGUSR1);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc == 3)
		return next_signal(atoi(argv[2]));
	test_arguments();
	test_records();
	test_timer_record();
	test_waiting();
	test_threads();
	test_epoll();
	test_exec(argv[0]);
	return tap_done();
}
