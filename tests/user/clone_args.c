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
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
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

/* The numbers are told to the parent in its memory, to the child in its own. */
static void test_numbers_told(void)
{
	volatile pid_t *told =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int st;
	long kid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0,
			   &told[0], 0, &told[1]);

	if (!kid)
		_exit(told[1] == (pid_t)syscall(SYS_gettid) ? 0 : 1);
	CHECK(kid > 0 && told[0] == kid && told[1] == 0);
	CHECK(waitpid((pid_t)kid, &st, 0) == kid && st == 0);
	munmap((void *)told, 4096);
}

/* A number that was somebody's and is free again is given to who asks for it. */
static void test_number_asked_for(void)
{
	pid_t number = fork();
	long kid;
	int st;

	if (!number)
		_exit(0);
	CHECK(waitpid(number, &st, 0) == number);
	struct args a = { .set_tid = (uintptr_t)&number,
			  .set_tid_size = 1,
			  .exit_signal = SIGCHLD };
	kid = syscall(SYS_clone3, &a, VER2);
	if (!kid)
		_exit(getpid() == number ? 0 : 1);
	CHECK(kid == number && waitpid(number, &st, 0) == number && st == 0);
}

/* CLONE_PARENT: a child of the caller's parent, not of the caller. */
static void test_sibling(void)
{
	pid_t me = getpid(), maker = fork();
	int st;

	if (!maker) {
		long kid = syscall(SYS_clone, CLONE_PARENT | SIGUSR1, 0, NULL, 0, NULL);

		if (!kid)
			_exit(getppid() == me ? 5 : 1);
		_exit(kid > 0 && waitpid(-1, NULL, __WALL) == -1 && errno == ECHILD ? 6 : 2);
	}
	CHECK(waitpid(maker, &st, 0) == maker && WEXITSTATUS(st) == 6);
	/* It tells its end as the caller would, by SIGCHLD: no __WCLONE is needed. */
	CHECK(wait(&st) > 0 && WIFEXITED(st) && WEXITSTATUS(st) == 5);
}

static void handler(int sig)
{
}

static void test_clear_handlers(void)
{
	struct args a = { .flags = CLEAR_SIGHAND, .exit_signal = SIGCHLD };
	struct sigaction now;
	long kid;
	int st;

	signal(SIGUSR1, handler);
	signal(SIGUSR2, SIG_IGN);
	kid = syscall(SYS_clone3, &a, VER2);
	if (!kid) {
		if (sigaction(SIGUSR1, NULL, &now) || now.sa_handler != SIG_DFL)
			_exit(1);
		_exit(sigaction(SIGUSR2, NULL, &now) || now.sa_handler != SIG_IGN ? 2 : 0);
	}
	CHECK(waitpid((pid_t)kid, &st, 0) == kid && st == 0);
	CHECK(!sigaction(SIGUSR1, NULL, &now) && now.sa_handler == handler);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);
}

/* What is left of 1, to be undone by a process that another one of @flags was made from. */
static int undone_with(int sem, unsigned long flags)
{
	struct sembuf up = { 0, 1, SEM_UNDO };
	pid_t first = fork();
	int st;

	if (!first) {
		long kid = syscall(SYS_clone, flags | SIGCHLD, 0, NULL, 0, NULL);

		if (!kid)
			_exit(semop(sem, &up, 1) ? 1 : 0);
		if (waitpid((pid_t)kid, &st, 0) != kid || st)
			_exit(100);
		_exit(semctl(sem, 0, GETVAL)); /* the other one is gone */
	}
	return waitpid(first, &st, 0) == first && WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

/* CLONE_SYSVSEM: one list of what is undone, at the end of the last process that has it. */
static void test_shared_undo(void)
{
	int sem = semget(IPC_PRIVATE, 1, 0600);

	REQUIRE(sem >= 0);
	CHECK(undone_with(sem, 0) == 0 && semctl(sem, 0, GETVAL) == 0);
	CHECK(undone_with(sem, CLONE_SYSVSEM) == 1 && semctl(sem, 0, GETVAL) == 0);
	CHECK(!semctl(sem, 0, IPC_RMID));
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
	test_numbers_told();
	test_number_asked_for();
	test_sibling();
	test_clear_handlers();
	test_shared_undo();
	test_pidfd_open();
	test_pidfd_getfd();
	test_membarrier();
	return tap_done();
}
