/*
 * Signal-driven I/O: O_ASYNC and FIOASYNC on pipes, FIFOs, terminals and inotify, owners, F_SETSIG
 * with its siginfo. And the sizes of pipes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "tap.h"

#ifndef F_SETOWN_EX
#define F_SETOWN_EX 15
#define F_GETOWN_EX 16
struct f_owner_ex {
	int type;
	pid_t pid;
};
#endif
#ifndef F_OWNER_TID
#define F_OWNER_TID 0
#define F_OWNER_PID 1
#define F_OWNER_PGRP 2
#endif
#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif
#define RT (SIGRTMIN + 2)

/* A signal of SIGIO and RT that is pending: its number, 0: none within @ms. */
static int next(siginfo_t *si, int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };
	sigset_t s;
	int sig;

	sigemptyset(&s);
	sigaddset(&s, SIGIO);
	sigaddset(&s, SIGUSR1);
	sigaddset(&s, RT);
	memset(si, 0, sizeof(*si));
	sig = sigtimedwait(&s, si, &ts);
	return sig > 0 ? sig : 0;
}

static void test_pipe(void)
{
	siginfo_t si;
	char c[8];
	int p[2], on = 1, off = 0;

	REQUIRE(!pipe(p));
	CHECK(fcntl(p[0], F_GETOWN) == 0);
	/* Nobody is told before there is an owner. */
	CHECK(!fcntl(p[0], F_SETFL, O_ASYNC) && (fcntl(p[0], F_GETFL) & O_ASYNC));
	CHECK(write(p[1], "a", 1) == 1 && next(&si, 0) == 0);
	CHECK(!fcntl(p[0], F_SETOWN, getpid()) && fcntl(p[0], F_GETOWN) == getpid());
	CHECK(write(p[1], "b", 1) == 1);
	CHECK(next(&si, TAP_PATIENCE_MS) == SIGIO && si.si_code == SI_KERNEL);
	CHECK(next(&si, 0) == 0);
	/* With a signal of one's own, the siginfo says what happened where. */
	CHECK(!fcntl(p[0], F_SETSIG, RT) && fcntl(p[0], F_GETSIG) == RT);
	CHECK(write(p[1], "c", 1) == 1);
	CHECK(next(&si, TAP_PATIENCE_MS) == RT && si.si_code == POLL_IN && si.si_fd == p[0]);
	CHECK(si.si_band == (POLLIN | POLLRDNORM));
	/* Real-time ones queue. */
	CHECK(write(p[1], "d", 1) == 1 && write(p[1], "e", 1) == 1);
	CHECK(next(&si, 0) == RT && next(&si, 0) == RT && next(&si, 0) == 0);
	/* The other end: room. */
	CHECK(!ioctl(p[1], FIOASYNC, &on) && (fcntl(p[1], F_GETFL) & O_ASYNC));
	CHECK(!fcntl(p[1], F_SETOWN, getpid()) && !fcntl(p[1], F_SETSIG, SIGUSR1));
	CHECK(read(p[0], c, 2) == 2);
	CHECK(next(&si, TAP_PATIENCE_MS) == SIGUSR1 && si.si_code == POLL_OUT && si.si_fd == p[1]);
	CHECK(si.si_band == (POLLOUT | POLLWRNORM | POLLWRBAND));
	CHECK(!ioctl(p[1], FIOASYNC, &off) && !(fcntl(p[1], F_GETFL) & O_ASYNC));
	CHECK(read(p[0], c, 1) == 1 && next(&si, 0) == 0);
	/* The end of the writers is an event, too. */
	close(p[1]);
	CHECK(next(&si, TAP_PATIENCE_MS) == RT && si.si_code == POLL_IN);
	CHECK(!fcntl(p[0], F_SETFL, 0));
	CHECK_ERR(fcntl(p[0], F_SETSIG, 65), EINVAL);
	CHECK_ERR(fcntl(p[0], F_SETSIG, -1), EINVAL);
	CHECK(!fcntl(p[0], F_SETSIG, 0) && fcntl(p[0], F_GETSIG) == 0);
	close(p[0]);
	CHECK_ERR(ioctl(open("/dev/null", O_RDWR), FIOASYNC, &on), ENOTTY);
}

static void test_owners(void)
{
	struct f_owner_ex o = { F_OWNER_TID, 0 };
	unsigned uids[2] = { 1, 1 };
	int p[2], status;
	siginfo_t si;
	pid_t pid;

	REQUIRE(!pipe(p));
	CHECK_ERR(fcntl(p[0], F_SETOWN, 0x7ffffff0), ESRCH);
	CHECK_ERR(syscall(SYS_fcntl, p[0], F_SETOWN, (long)0x80000000), EINVAL);
	CHECK(!fcntl(p[0], F_SETOWN, -getpgrp()));
	CHECK(!fcntl(p[0], F_GETOWN_EX, &o) && o.type == F_OWNER_PGRP && o.pid == getpgrp());
	/* The wrapper takes the group's negative number for an error. */
	CHECK_ERR(syscall(SYS_fcntl, p[0], F_GETOWN, 0), getpgrp());
	o = (struct f_owner_ex){ F_OWNER_TID, (pid_t)syscall(SYS_gettid) };
	CHECK(!fcntl(p[0], F_SETOWN_EX, &o));
	o = (struct f_owner_ex){ 9, 9 };
	CHECK(!fcntl(p[0], F_GETOWN_EX, &o) && o.type == F_OWNER_TID &&
	      o.pid == (pid_t)syscall(SYS_gettid));
	o.type = 3;
	CHECK_ERR(fcntl(p[0], F_SETOWN_EX, &o), EINVAL);
	o = (struct f_owner_ex){ F_OWNER_PID, -5 };
	CHECK_ERR(fcntl(p[0], F_SETOWN_EX, &o), ESRCH);
	CHECK_ERR(fcntl(p[0], F_SETOWN_EX, NULL), EFAULT);
	CHECK_ERR(fcntl(p[0], F_GETOWN_EX, NULL), EFAULT);
	CHECK(!fcntl(p[0], F_GETOWNER_UIDS, uids) && uids[0] == getuid() && uids[1] == geteuid());
	/* A process that has gone is nobody. */
	pid = fork();
	if (!pid)
		_exit(0);
	CHECK(!fcntl(p[0], F_SETOWN, pid) && fcntl(p[0], F_GETOWN) == pid);
	waitpid(pid, &status, 0);
	CHECK(fcntl(p[0], F_GETOWN) == 0);
	CHECK(!fcntl(p[0], F_SETFL, O_ASYNC) && write(p[1], "x", 1) == 1);
	/* Another process is told. */
	pid = fork();
	if (!pid)
		_exit(next(&si, TAP_PATIENCE_MS) != SIGIO);
	CHECK(!fcntl(p[0], F_SETOWN, pid) && write(p[1], "x", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	/* One may not send through the file what one may not send by kill. */
	pid = fork();
	if (!pid)
		_exit(next(&si, 100) == SIGIO);
	int child = fork();
	if (!child) {
		setresuid(1000, 1000, 1000);
		_exit(fcntl(p[0], F_SETOWN, pid) || write(p[1], "x", 1) != 1);
	}
	CHECK(waitpid(child, &status, 0) == child && !status);
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	close(p[0]), close(p[1]);
}

static int tpipe[2];

static void *thread_waits(void *arg)
{
	struct f_owner_ex o = { F_OWNER_TID, (pid_t)syscall(SYS_gettid) };
	siginfo_t si;

	fcntl(tpipe[0], F_SETOWN_EX, &o);
	fcntl(tpipe[0], F_SETFL, O_ASYNC);
	write(tpipe[1], "x", 1);
	return (void *)(long)(next(&si, TAP_PATIENCE_MS) == SIGIO);
}

static void test_thread(void)
{
	pthread_t t;
	void *got;
	siginfo_t si;

	REQUIRE(!pipe(tpipe));
	pthread_create(&t, NULL, thread_waits, NULL);
	CHECK(!pthread_join(t, &got) && got && next(&si, 0) == 0);
	close(tpipe[0]), close(tpipe[1]);
}

/* When the queue of real-time signals is full, a SIGIO says so. */
static void test_overflow(void)
{
	struct rlimit old, few;
	siginfo_t si;
	int p[2], n = 0, sig;

	REQUIRE(!pipe(p));
	getrlimit(RLIMIT_SIGPENDING, &old);
	few = (struct rlimit){ 5, old.rlim_max };
	CHECK(!setrlimit(RLIMIT_SIGPENDING, &few));
	fcntl(p[0], F_SETOWN, getpid()), fcntl(p[0], F_SETSIG, RT), fcntl(p[0], F_SETFL, O_ASYNC);
	for (int i = 0; i < 20; i++)
		write(p[1], "x", 1);
	CHECK(next(&si, 0) == SIGIO);
	while ((sig = next(&si, 0)) == RT)
		n++;
	CHECK(n > 0 && n <= 5 && sig == 0);
	setrlimit(RLIMIT_SIGPENDING, &old);
	close(p[0]), close(p[1]);
}

static void test_fifo(void)
{
	siginfo_t si;
	int f;

	mkfifo("sigio.fifo", 0600);
	f = open("sigio.fifo", O_RDWR);
	REQUIRE(f >= 0);
	fcntl(f, F_SETOWN, getpid()), fcntl(f, F_SETSIG, RT);
	CHECK(!fcntl(f, F_SETFL, O_ASYNC));
	CHECK(write(f, "x", 1) == 1 && next(&si, TAP_PATIENCE_MS) == RT && si.si_code == POLL_IN);
	CHECK(next(&si, 0) == 0);
	CHECK(read(f, &si, 1) == 1 && next(&si, TAP_PATIENCE_MS) == RT && si.si_code == POLL_OUT);
	close(f);
	unlink("sigio.fifo");
}

static void test_tty(void)
{
	struct termios t;
	siginfo_t si;
	char c[16];
	int m, s;

	REQUIRE(!openpty(&m, &s, NULL, NULL, NULL));
	CHECK(!fcntl(s, F_SETFL, O_ASYNC | O_NONBLOCK));
	/* A terminal without a session tells who switched the mode on. */
	CHECK(fcntl(s, F_GETOWN) == getpid());
	CHECK(write(m, "hi\n", 3) == 3 && next(&si, TAP_PATIENCE_MS) == SIGIO);
	CHECK(!fcntl(s, F_SETSIG, RT));
	while (next(&si, 50))
		;
	CHECK(read(s, c, sizeof(c)) == 3);
	/* Half a line is no input yet. */
	CHECK(write(m, "a", 1) == 1 && next(&si, 50) == 0);
	CHECK(write(m, "\n", 1) == 1);
	CHECK(next(&si, TAP_PATIENCE_MS) == RT && si.si_code == POLL_IN && si.si_fd == s);
	while (next(&si, 50))
		;
	tcgetattr(s, &t);
	cfmakeraw(&t);
	tcsetattr(s, TCSANOW, &t);
	CHECK(!fcntl(s, F_SETFL, O_NONBLOCK));
	while (next(&si, 50))
		;
	CHECK(write(m, "x", 1) == 1 && next(&si, 50) == 0);
	/* The master is a terminal's end too. */
	CHECK(!fcntl(m, F_SETOWN, getpid()) && !fcntl(m, F_SETSIG, RT));
	CHECK(!fcntl(m, F_SETFL, O_ASYNC) && write(s, "out", 3) == 3);
	CHECK(next(&si, TAP_PATIENCE_MS) == RT && si.si_code == POLL_IN && si.si_fd == m);
	close(s), close(m);
	while (next(&si, 0))
		;
}

static void test_inotify(void)
{
	int fd = inotify_init();
	siginfo_t si;

	inotify_add_watch(fd, ".", IN_CREATE);
	fcntl(fd, F_SETOWN, getpid()), fcntl(fd, F_SETSIG, RT);
	CHECK(!fcntl(fd, F_SETFL, O_ASYNC));
	close(open("sigio.new", O_CREAT | O_WRONLY, 0600));
	CHECK(next(&si, TAP_PATIENCE_MS) == RT && si.si_code == POLL_IN && si.si_fd == fd);
	close(fd);
	unlink("sigio.new");
	CHECK(next(&si, 0) == 0);
}

/* A signal with codes of its own cannot say them here. */
static void test_own_codes(void)
{
	struct timespec ts = { TAP_PATIENCE_MS / 1000, 0 };
	siginfo_t si = { 0 };
	sigset_t s;
	int p[2];

	REQUIRE(!pipe(p));
	sigemptyset(&s);
	sigaddset(&s, SIGCHLD);
	sigprocmask(SIG_BLOCK, &s, NULL);
	fcntl(p[0], F_SETOWN, getpid()), fcntl(p[0], F_SETSIG, SIGCHLD);
	fcntl(p[0], F_SETFL, O_ASYNC);
	while (sigtimedwait(&s, &si, &(struct timespec){ 0, 0 }) > 0)
		;
	write(p[1], "x", 1);
	CHECK(sigtimedwait(&s, &si, &ts) == SIGCHLD && si.si_code == SI_SIGIO && si.si_fd == p[0]);
	close(p[0]), close(p[1]);
}

static long set_text(const char *name, const char *value)
{
	char path[64], buf[32] = "";
	int fd;
	long n;

	snprintf(path, sizeof(path), "/proc/sys/fs/%s", name);
	fd = open(path, O_RDWR);
	if (fd < 0 || read(fd, buf, sizeof(buf) - 1) <= 0)
		return -1;
	n = value ? pwrite(fd, value, strlen(value), 0) : 0;
	close(fd);
	return n < 0 ? -2 : atol(buf);
}

static int as_user(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		setresuid(4242, 4242, 4242);
		_exit(fn());
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int may_not_pass_max(void)
{
	int p[2];

	return pipe(p) || fcntl(p[0], F_SETPIPE_SZ, 16384) != 16384 ||
	       fcntl(p[0], F_SETPIPE_SZ, 65536) != -1 || errno != EPERM ||
	       fcntl(p[0], F_SETPIPE_SZ, 8192) != 8192;
}

/* 40 pages: two pipes of 16, then small ones, and none may grow. */
static int soft_limit(void)
{
	int a[2], b[2], c[2];

	return pipe(a) || pipe(b) || pipe(c) || fcntl(b[0], F_GETPIPE_SZ) != 65536 ||
	       fcntl(c[0], F_GETPIPE_SZ) != 8192 || fcntl(a[0], F_SETPIPE_SZ, 131072) != -1 ||
	       errno != EPERM;
}

static int hard_limit(void)
{
	int p[2], n = 0;

	while (n < 100 && !pipe(p))
		n++;
	return n != 4 || errno != ENFILE;
}

static void test_sizes(void)
{
	static char page[4096];
	int p[2];

	REQUIRE(!pipe(p));
	CHECK(fcntl(p[0], F_GETPIPE_SZ) == 65536);
	CHECK(fcntl(p[0], F_SETPIPE_SZ, 0) == 4096 && fcntl(p[1], F_GETPIPE_SZ) == 4096);
	CHECK(fcntl(p[1], F_SETPIPE_SZ, 4097) == 8192);
	CHECK(write(p[1], page, 4096) == 4096 && write(p[1], page, 4096) == 4096);
	CHECK_ERR(fcntl(p[1], F_SETPIPE_SZ, 4096), EBUSY);
	CHECK(fcntl(p[1], F_SETPIPE_SZ, 2 << 20) == 2 << 20); /* as root */
	CHECK_ERR(fcntl(p[1], F_SETPIPE_SZ, -1), EINVAL);
	CHECK_ERR(fcntl(p[1], F_SETPIPE_SZ, 3u << 30), EINVAL);
	CHECK_ERR(fcntl(0x7fff, F_SETPIPE_SZ, 4096), EBADF);
	CHECK_ERR(fcntl(open("/dev/null", O_RDWR), F_GETPIPE_SZ), EBADF);
	close(p[0]), close(p[1]);
	CHECK(set_text("pipe-max-size", "5000") == 1048576);
	CHECK(set_text("pipe-max-size", "16384") == 8192);
	CHECK(as_user(may_not_pass_max) == 0);
	CHECK(set_text("pipe-max-size", "4294967296") == -2);
	CHECK(set_text("pipe-max-size", "1048576") == 16384);
	CHECK(set_text("pipe-user-pages-soft", "40") == 16384);
	CHECK(as_user(soft_limit) == 0);
	CHECK(set_text("pipe-user-pages-soft", "0") == 40);
	CHECK(set_text("pipe-user-pages-hard", "64") == 0);
	CHECK(as_user(hard_limit) == 0);
	CHECK(set_text("pipe-user-pages-hard", "0") == 64);
	set_text("pipe-user-pages-soft", "16384");
}

static void test_leases(void)
{
	int f = open("sigio.lease", O_CREAT | O_RDWR, 0600);

	CHECK(fcntl(f, F_GETLEASE) == F_UNLCK);
	close(f);
	unlink("sigio.lease");
}

int main(void)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, SIGIO);
	sigaddset(&s, SIGUSR1);
	sigaddset(&s, RT);
	sigprocmask(SIG_BLOCK, &s, NULL);
	test_pipe();
	test_owners();
	test_thread();
	test_overflow();
	test_fifo();
	test_tty();
	test_inotify();
	test_own_codes();
	test_sizes();
	test_leases();
	return tap_done();
}
