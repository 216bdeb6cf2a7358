/*
 * clone(2), clone3(2), pidfd_open(2), pidfd_getfd(2), membarrier(2): what their arguments may be,
 * and which fault is found first.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "tap.h"

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
#define CLEAR_SIGHAND 0x100000000ull
#define BAD ((void *)8)

struct args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
		set_tid_size, cgroup, more[4];
};
#define VER0 64
#define VER1 80
#define VER2 88

static long clone3(const void *a, size_t size)
{
	long r = syscall(SYS_clone3, a, size);

	if (!r)
		_exit(0);
	return r;
}

/* A child that ends at once: is it waited for with @options, and by which signal did it say so? */
static int ends(long kid, int options)
{
	int st;

	return kid > 0 && waitpid((pid_t)kid, &st, options) == kid && st == 0;
}

static void test_clone3_size(void)
{
	struct args a = { .exit_signal = SIGCHLD };
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct args *edge = (void *)(page + 4096 - VER0);

	CHECK_ERR(clone3(BAD, 4097), E2BIG);
	CHECK_ERR(clone3(BAD, VER0 - 1), EINVAL);
	CHECK_ERR(clone3(BAD, VER0), EFAULT);
	CHECK(ends(clone3(&a, VER0), 0) && ends(clone3(&a, VER1), 0) && ends(clone3(&a, VER2), 0));
	CHECK(ends(clone3(&a, sizeof(a)), 0));
	a.more[3] = 1;
	CHECK_ERR(clone3(&a, sizeof(a)), E2BIG);
	memcpy(edge, &a, VER0);
	mprotect(page + 4096, 4096, PROT_NONE);
	CHECK(ends(clone3(edge, VER0), 0));
	CHECK_ERR(clone3(edge, VER1), EFAULT);
	munmap(page, 8192);
}

static long with(struct args a)
{
	return clone3(&a, VER2);
}

/* A number asked for by who may not is told so when everything else is right. */
static void set_tids_as_user(void)
{
	pid_t number = 1, pid = fork();
	uint64_t p = (uintptr_t)&number;
	int st;

	if (!pid) {
		if (setgid(1000) || setuid(1000))
			_exit(1);
		if (with((struct args){ .set_tid = p, .set_tid_size = 1 }) != -1 || errno != EPERM)
			_exit(2);
		if (with((struct args){
			    .flags = CLONE_SIGHAND, .set_tid = p, .set_tid_size = 1 }) != -1 ||
		    errno != EINVAL)
			_exit(3);
		number = 0;
		if (with((struct args){ .set_tid = p, .set_tid_size = 1 }) != -1 || errno != EINVAL)
			_exit(4);
		_exit(0);
	}
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);
}

static void test_clone3_values(void)
{
	pid_t number = 0;
	uint64_t p = (uintptr_t)&number;

	CHECK_ERR(with((struct args){ .flags = SIGCHLD }), EINVAL);
	CHECK_ERR(with((struct args){ .flags = CLONE_DETACHED }), EINVAL);
	CHECK_ERR(with((struct args){ .flags = 1ull << 40 }), EINVAL);
	CHECK_ERR(with((struct args){ .exit_signal = 65 }), EINVAL);
	CHECK_ERR(with((struct args){ .exit_signal = 1ull << 32 }), EINVAL);
	CHECK_ERR(with((struct args){ .flags = CLONE_PARENT, .exit_signal = SIGCHLD }), EINVAL);
	CHECK_ERR(with((struct args){ .stack_size = 4096 }), EINVAL);
	CHECK_ERR(with((struct args){ .stack = p & ~15 }), EINVAL);
	CHECK_ERR(with((struct args){ .stack = -4096ull, .stack_size = 4096 }), EINVAL);
	CHECK_ERR(with((struct args){ .flags = CLONE_SIGHAND }), EINVAL);
	CHECK_ERR(with((struct args){ .flags = CLONE_THREAD | CLONE_VM }), EINVAL);
	CHECK_ERR(with((struct args){ .flags = CLONE_VM | CLONE_SIGHAND | CLEAR_SIGHAND }), EINVAL);
	CHECK_ERR(with((struct args){ .flags = CLONE_FS | CLONE_NEWNS }), EINVAL);
	CHECK_ERR(
		with((struct args){ .flags = CLONE_PIDFD | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD,
				    .pidfd = p }),
		EINVAL);
	/* Numbers that are asked for: the list is read before anything is looked at. */
	CHECK_ERR(with((struct args){ .set_tid_size = 1 }), EINVAL);
	CHECK_ERR(with((struct args){ .set_tid = p }), EINVAL);
	CHECK_ERR(with((struct args){ .set_tid = p, .set_tid_size = 33 }), EINVAL);
	CHECK_ERR(with((struct args){ .set_tid = 8, .set_tid_size = 1 }), EFAULT);
	CHECK_ERR(with((struct args){ .flags = CLONE_DETACHED, .set_tid = 8, .set_tid_size = 1 }),
		  EFAULT);
	CHECK_ERR(with((struct args){ .exit_signal = 65, .set_tid = 8, .set_tid_size = 1 }),
		  EINVAL);
	CHECK_ERR(with((struct args){ .set_tid = p, .set_tid_size = 1 }), EINVAL); /* 0 */
	number = -1;
	CHECK_ERR(with((struct args){ .set_tid = p, .set_tid_size = 1 }), EINVAL);
	number = 1;
	CHECK_ERR(with((struct args){ .set_tid = p, .set_tid_size = 1 }), EEXIST);
	CHECK_ERR(with((struct args){ .flags = CLONE_SIGHAND, .set_tid = p, .set_tid_size = 1 }),
		  EINVAL);
	set_tids_as_user();
	/* The child is there when its descriptor cannot be told: nothing is. */
	CHECK_ERR(with((struct args){ .flags = CLONE_PIDFD, .pidfd = 8, .exit_signal = SIGCHLD }),
		  EFAULT);
	CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
}

static void test_clone(void)
{
	int fd = -1;
	long r;

	/* Signals that there are not: nobody is told. */
	r = syscall(SYS_clone, 200, 0, NULL, 0, NULL);
	if (!r)
		_exit(0);
	CHECK(ends(r, __WALL));
	r = syscall(SYS_clone, 0, 0, NULL, 0, NULL);
	if (!r)
		_exit(0);
	CHECK(waitpid((pid_t)r, NULL, WNOHANG) == -1 && errno == ECHILD);
	CHECK(ends(r, __WCLONE));
	r = syscall(SYS_clone, CLONE_DETACHED | SIGCHLD, 0, NULL, 0, NULL);
	if (!r)
		_exit(0);
	CHECK(ends(r, 0));
	CHECK_ERR(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &fd, 0, NULL),
		  EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_PIDFD | CLONE_DETACHED | SIGCHLD, 0, &fd, 0, NULL),
		  EINVAL);
	r = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &fd, 0, NULL);
	if (!r)
		_exit(0);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC &&
	      (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
	CHECK(ends(r, 0) && close(fd) == 0);
	/* A number that cannot be told is no error. */
	r = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, BAD, 0, BAD);
	if (!r)
		_exit(0);
	CHECK(ends(r, 0));
}

static void test_pidfd_open(void)
{
	pid_t kid = fork();
	struct pollfd p = { .events = POLLIN };
	siginfo_t si;
	int fd;

	if (!kid)
		_exit(0);
	CHECK_ERR(syscall(SYS_pidfd_open, -1, 1), EINVAL);
	CHECK_ERR(syscall(SYS_pidfd_open, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_pidfd_open, getpid(), O_CLOEXEC), EINVAL);
	CHECK_ERR(syscall(SYS_pidfd_open, 0x7fffffff, 0), ESRCH);
	CHECK_ERR(syscall(SYS_pidfd_open, 0x7fffffff, 1), EINVAL);
	CHECK(waitid(P_PID, (id_t)kid, &si, WEXITED | WNOWAIT) == 0);
	fd = (int)syscall(SYS_pidfd_open, kid, 0);
	p.fd = fd;
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC && poll(&p, 1, 0) == 1 &&
	      p.revents == POLLIN);
	/* A zombie has no files; who is gone is not there. */
	CHECK_ERR(syscall(SYS_pidfd_getfd, fd, 0, 0), ESRCH);
	CHECK(waitpid(kid, NULL, 0) == kid);
	CHECK_ERR(syscall(SYS_pidfd_getfd, fd, 0, 0), ESRCH);
	CHECK_ERR(syscall(SYS_pidfd_open, kid, 0), ESRCH);
	close(fd);
	fd = (int)syscall(SYS_pidfd_open, getpid(), O_NONBLOCK);
	CHECK(fd >= 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK));
	CHECK_ERR(read(fd, &si, 1), EINVAL);
	CHECK_ERR(write(fd, &si, 1), EINVAL);
	close(fd);
}

static void test_pidfd_getfd(void)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0), plain = open("/", O_RDONLY);
	int path = open("/", O_PATH), one, st, ends[2];
	struct stat a, b;
	pid_t kid;
	char c = 0;

	REQUIRE(self >= 0 && plain >= 0 && path >= 0 && pipe(ends) == 0);
	CHECK_ERR(syscall(SYS_pidfd_getfd, -1, -1, 1), EINVAL);
	CHECK_ERR(syscall(SYS_pidfd_getfd, -1, -1, 0), EBADF);
	CHECK_ERR(syscall(SYS_pidfd_getfd, plain, 0, 0), EBADF);
	CHECK_ERR(syscall(SYS_pidfd_getfd, self, -1, 0), EBADF);
	CHECK_ERR(syscall(SYS_pidfd_getfd, self, 1000, 0), EBADF);
	one = (int)syscall(SYS_pidfd_getfd, self, path, 0);
	CHECK(one >= 0 && fcntl(one, F_GETFD) == FD_CLOEXEC && (fcntl(one, F_GETFL) & O_PATH));
	close(one);
	one = (int)syscall(SYS_pidfd_getfd, self, plain, 0);
	CHECK(one >= 0 && !fstat(one, &a) && !fstat(plain, &b) && a.st_ino == b.st_ino);
	close(one);
	close(self);
	/* Of another: only with the right to trace it. */
	kid = fork();
	if (!kid) {
		close(ends[1]);
		_exit(read(ends[0], &c, 1) == 1 ? 0 : 1);
	}
	self = (int)syscall(SYS_pidfd_open, kid, 0);
	one = (int)syscall(SYS_pidfd_getfd, self, plain, 0);
	CHECK(one >= 0 && close(one) == 0);
	if (!fork()) {
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(2);
		/* The right is asked for before the number is looked at. */
		_exit(syscall(SYS_pidfd_getfd, self, plain, 0) == -1 && errno == EPERM &&
				      syscall(SYS_pidfd_getfd, self, -1, 0) == -1 && errno == EPERM
			      ? 0
			      : 1);
	}
	CHECK(waitpid(-1, &st, 0) > 0 && st == 0);
	CHECK(write(ends[1], "x", 1) == 1 && waitpid(kid, &st, 0) == kid && st == 0);
	close(self);
	close(plain);
	close(path);
	close(ends[0]);
	close(ends[1]);
}

static long barrier(int command, unsigned flags, int cpu)
{
	return syscall(SYS_membarrier, command, flags, cpu);
}

static void test_membarrier(void)
{
	long known = barrier(MEMBARRIER_CMD_QUERY, 0, 0);
	int st;
	pid_t kid;

	CHECK((known & 0x1ff) == 0x1ff);
	for (unsigned command = 1; command <= 256; command <<= 1)
		if (command != MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ)
			CHECK_ERR(barrier((int)command, 1, 0), EINVAL);
	CHECK_ERR(barrier(MEMBARRIER_CMD_QUERY, 1, 0), EINVAL);
	CHECK_ERR(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 3, 0), EINVAL);
	CHECK_ERR(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 1, 0), EPERM);
	CHECK_ERR(barrier(-1, 0, 0), EINVAL);
	CHECK_ERR(barrier(3, 0, 0), EINVAL);
	/* Each is registered for by itself; to interrupt others globally, not at all. */
	CHECK(!barrier(MEMBARRIER_CMD_GLOBAL, 0, 0) &&
	      !barrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
	CHECK_ERR(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0), EPERM);
	CHECK(!barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
	CHECK(!barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
	CHECK_ERR(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0), EPERM);
	CHECK(!barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0));
	CHECK(!barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 1, 0));
	CHECK(!barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 1, -1));
	CHECK(!barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 1, 100000));
	kid = fork();
	if (!kid)
		_exit(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0) ? 1 : 0);
	CHECK(waitpid(kid, &st, 0) == kid && st == 0);
}

int main(void)
{
	alarm(TAP_LIMIT);
	test_clone3_size();
	test_clone3_values();
	test_clone();
	test_pidfd_open();
	test_pidfd_getfd();
	test_membarrier();
	return tap_done();
}
