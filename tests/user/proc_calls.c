/*
 * Calls about processes that few programs use: kcmp, waiting by descriptors that do not block,
 * clone's descriptors, unshare, close_range, and the rarer options of prctl.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/kcmp.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "tap.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static long kcmp(pid_t a, pid_t b, int kind, unsigned long x, unsigned long y)
{
	return syscall(SYS_kcmp, a, b, kind, x, y);
}

static pid_t tid;
static sem_t sits, may_go;

static void *sit(void *arg)
{
	tid = gettid();
	sem_post(&sits);
	sem_wait(&may_go);
	return NULL;
}

/* A descriptor against the second of those that an epoll set watches under the same number. */
static void test_kcmp_epoll(void)
{
	int set = epoll_create1(0), a = eventfd(0, 0), b, kept = dup(a);
	struct epoll_event ev = { 0 };
	struct kcmp_epoll_slot slot = { .efd = (unsigned)set, .tfd = (unsigned)a };
	pid_t me = getpid();
	long first, second;

	CHECK(!epoll_ctl(set, EPOLL_CTL_ADD, a, &ev));
	close(a);
	b = eventfd(0, 0);
	CHECK(b == a && !epoll_ctl(set, EPOLL_CTL_ADD, b, &ev));
	first = kcmp(me, me, KCMP_EPOLL_TFD, kept, (unsigned long)&slot);
	slot.toff = 1;
	second = kcmp(me, me, KCMP_EPOLL_TFD, kept, (unsigned long)&slot);
	CHECK(first >= 0 && second >= 0 && (first == 0) + (second == 0) == 1);
	slot.toff = 2;
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, kept, (unsigned long)&slot), ENOENT);
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, 999, (unsigned long)&slot), EBADF);
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, kept, 8), EFAULT);
	slot.efd = 999;
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, kept, (unsigned long)&slot), EBADF);
	slot.efd = (unsigned)kept;
	CHECK_ERR(kcmp(me, me, KCMP_EPOLL_TFD, kept, (unsigned long)&slot), EINVAL);
	close(set);
	close(b);
	close(kept);
}

static void test_kcmp(void)
{
	int a = open("/", O_RDONLY), b = dup(a), c = open("/", O_RDONLY), st;
	pid_t me = getpid(), kid = fork();
	pthread_t t;
	long r, s;

	if (!kid)
		for (;;)
			pause();
	CHECK(kcmp(me, me, KCMP_FILE, a, b) == 0 && kcmp(me, kid, KCMP_FILE, a, b) == 0);
	r = kcmp(me, me, KCMP_FILE, a, c);
	s = kcmp(me, me, KCMP_FILE, c, a);
	CHECK((r == 1 && s == 2) || (r == 2 && s == 1));
	CHECK(kcmp(me, me, KCMP_FILE, c, b) == s);
	CHECK_ERR(kcmp(me, me, KCMP_FILE, a, 999), EBADF);
	CHECK(kcmp(me, kid, KCMP_VM, 0, 0) > 0 && kcmp(me, kid, KCMP_FILES, 0, 0) > 0);
	CHECK(kcmp(me, kid, KCMP_FS, 0, 0) > 0 && kcmp(me, kid, KCMP_SIGHAND, 0, 0) > 0);
	CHECK_ERR(kcmp(me, me, 99, 0, 0), EINVAL);
	CHECK_ERR(kcmp(me, 4194303, KCMP_VM, 0, 0), ESRCH);
	sem_init(&sits, 0, 0);
	sem_init(&may_go, 0, 0);
	CHECK(!pthread_create(&t, NULL, sit, NULL) && !sem_wait(&sits));
	for (int i = KCMP_VM; i <= KCMP_SIGHAND; i++)
		CHECK(kcmp(me, tid, i, 0, 0) == 0);
	CHECK_ERR(setpgid(tid, 0), EINVAL);
	sem_post(&may_go);
	pthread_join(t, NULL);
	kill(kid, SIGKILL);
	waitpid(kid, &st, 0);
	close(a);
	close(b);
	close(c);
}

static void test_pidfd_wait(void)
{
	pid_t kid = fork();
	siginfo_t si;
	struct pollfd p;
	int fd;

	if (!kid)
		for (;;)
			pause();
	fd = (int)syscall(SYS_pidfd_open, kid, O_NONBLOCK);
	CHECK(fd >= 0);
	memset(&si, 1, sizeof(si));
	CHECK_ERR(waitid(P_PIDFD, fd, &si, WEXITED), EAGAIN);
	CHECK(waitid(P_PIDFD, fd, &si, WEXITED | WNOHANG) == 0 && si.si_pid == 0);
	kill(kid, SIGKILL);
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	CHECK(poll(&p, 1, TAP_PATIENCE_MS) == 1);
	CHECK(waitid(P_PIDFD, fd, &si, WEXITED) == 0 && si.si_pid == kid && si.si_status == 9);
	CHECK_ERR(waitid(P_PIDFD, fd, &si, WEXITED), ECHILD);
	close(fd);
	CHECK_ERR(waitid(P_PIDFD, fd, &si, WEXITED), EBADF);
	CHECK_ERR(waitid(P_PIDFD, 0, &si, WEXITED), EBADF);
}

static long clone3(struct clone_args *a)
{
	return syscall(SYS_clone3, a, sizeof(*a));
}

static void test_clone(void)
{
	int fd = -1, st, both = 0;
	struct clone_args a = { .flags = CLONE_PIDFD,
				.pidfd = (uintptr_t)&fd,
				.exit_signal = SIGCHLD };
	pid_t kid = (pid_t)clone3(&a);

	if (!kid)
		_exit(3);
	CHECK(kid > 0 && fd >= 0 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
	CHECK(waitpid(kid, &st, 0) == kid && WEXITSTATUS(st) == 3);
	close(fd);
	a.flags = CLONE_PIDFD | CLONE_PARENT_SETTID;
	a.pidfd = a.parent_tid = (uintptr_t)&both;
	CHECK_ERR(clone3(&a), EINVAL);
	a.flags = CLONE_THREAD;
	CHECK_ERR(clone3(&a), EINVAL);
	a = (struct clone_args){ .flags = CLONE_SIGHAND, .exit_signal = SIGCHLD };
	CHECK_ERR(clone3(&a), EINVAL);
	a.flags = CLONE_VM | CLONE_SIGHAND | CLONE_CLEAR_SIGHAND;
	CHECK_ERR(clone3(&a), EINVAL);
	a.flags = 1ull << 40;
	CHECK_ERR(clone3(&a), EINVAL);
	a = (struct clone_args){ .exit_signal = 65 };
	CHECK_ERR(clone3(&a), EINVAL);
	a = (struct clone_args){ .exit_signal = SIGCHLD, .stack = 4096 };
	CHECK_ERR(clone3(&a), EINVAL);
	CHECK_ERR(syscall(SYS_clone3, &a, 8), EINVAL);
	CHECK_ERR(syscall(SYS_clone3, &a, 8192), E2BIG);
	CHECK_ERR(syscall(SYS_clone3, 8, sizeof(a)), EFAULT);
}

static void test_unshare(void)
{
	int st;
	pid_t kid = fork();

	if (!kid) {
		if (unshare(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM) || unshare(0))
			_exit(1);
		_exit(unshare(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM) ? 2 : 0);
	}
	CHECK(waitpid(kid, &st, 0) == kid && st == 0);
	CHECK_ERR(unshare(CLONE_PTRACE), EINVAL);
	CHECK_ERR(setns(-1, 0), EBADF);
	CHECK_ERR(setns(0, 0), EINVAL);
}

static void test_close_range(void)
{
	int a = dup2(0, 100), b = dup2(0, 101);

	CHECK(a == 100 && b == 101);
	CHECK(!syscall(SYS_close_range, 100, 101, CLOSE_RANGE_CLOEXEC));
	CHECK(fcntl(a, F_GETFD) == FD_CLOEXEC && fcntl(b, F_GETFD) == FD_CLOEXEC);
	CHECK(!syscall(SYS_close_range, 101, ~0u, CLOSE_RANGE_UNSHARE));
	CHECK(fcntl(a, F_GETFD) >= 0);
	CHECK_ERR(fcntl(b, F_GETFD), EBADF);
	CHECK_ERR(syscall(SYS_close_range, 101, 100, 0), EINVAL);
	CHECK_ERR(syscall(SYS_close_range, 100, 101, 1), EINVAL);
	close(a);
}

static void test_prctl(void)
{
	char name[16];

	CHECK(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_DEFAULT);
	CHECK(!prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0));
	CHECK(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_EARLY);
	CHECK(!prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0));
	CHECK(prctl(PR_MCE_KILL_GET, 0, 0, 0, 0) == PR_MCE_KILL_DEFAULT);
	CHECK_ERR(prctl(PR_MCE_KILL, 5, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_MCE_KILL, PR_MCE_KILL_SET, 3, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_MCE_KILL_GET, 1, 0, 0, 0), EINVAL);
	CHECK(!prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) && prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 1);
	CHECK(!prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0) && prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 0);
	CHECK_ERR(prctl(PR_SET_IO_FLUSHER, 2, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_DUMPABLE, 2, 0, 0, 0), EINVAL);
	CHECK_ERR(prctl(PR_SET_NAME, 0, 0, 0, 0), EFAULT);
	/* All 16 bytes are given: nothing is left of an earlier, longer name. */
	CHECK(!prctl(PR_SET_NAME, "a long, long name"));
	CHECK(!prctl(PR_GET_NAME, name) && !memcmp(name, "a long, long na", 16));
	CHECK(!prctl(PR_SET_NAME, "short"));
	CHECK(!prctl(PR_GET_NAME, name) && !memcmp(name, "short\0\0\0\0\0\0\0\0\0\0", 16));
	CHECK_ERR(prctl(12345, 0, 0, 0, 0), EINVAL);
}

int main(void)
{
	test_kcmp();
	test_kcmp_epoll();
	test_pidfd_wait();
	test_clone();
	test_unshare();
	test_close_range();
	test_prctl();
	return tap_done();
}
