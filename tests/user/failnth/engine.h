#pragma once
/*
 * What the operations of failnth are made of. An operation is a function that gives 0 or more, or
 * -1 with errno; it leaves nothing behind, whatever fails. "before" and "after" are done with
 * nothing failing. An operation with .child set makes a child that counts for itself: it calls
 * child_arm() and hands what came of it back by child_report().
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include "../memcount.h"
#include "../tap.h"

#define PAGE 4096ul
#define OP_MAX 3000 /* allocations; more than that and it never ends */

struct op {
	const char *name;
	long (*run)(void);
	int (*before)(void); /* -1: cannot be done */
	void (*after)(void);
	int errs[4]; /* allowed beside ENOMEM */
	int child; /* run() makes a child that counts */
};

static int verbose, fail_fd = -1;
static char self_path[256];
static int child_nth, child_hit; /* for operations that count in a child */

static void fail_write(int fd, int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	if (pwrite(fd, text, len, 0) != len)
		abort();
}

/* How many allocations are left until one fails; 0: it has. */
static int fail_left(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
		abort();
	return atoi(text);
}

static void fail_arm(int n)
{
	fail_write(fail_fd, n);
}

static int fail_stopped = -1;

/* From here on nothing fails any more: for what an operation takes back at its end. */
static void fail_stop(void)
{
	if (fail_stopped < 0) {
		fail_stopped = fail_left(fail_fd) == 0;
		fail_write(fail_fd, 0);
	}
}

/* No more failures. Has there been the one? */
static int fail_disarm(void)
{
	int hit;

	fail_stop();
	hit = fail_stopped;
	fail_stopped = -1;
	return hit;
}

/* False: this kernel has no such thing. Touches what the operations would fault in. */
static int fail_begin(const char *self)
{
	char deep[65536];

	memset(deep, 1, sizeof(deep));
	__asm__ volatile("" : : "r"(deep) : "memory");
	snprintf(self_path, sizeof(self_path), "%s", self);
	fail_fd = open("/proc/thread-self/fail-nth", O_RDWR);
	return fail_fd >= 0;
}

static int err_allowed(const struct op *op, int err, int hit)
{
	if (hit && err == ENOMEM)
		return 1;
	for (int i = 0; hit && i < 4; i++)
		if (op->errs[i] && op->errs[i] == err)
			return 1;
	return 0;
}

/* --- operations in a child --- */

struct child_word {
	int hit, result, err;
};

static struct child_word *child_page(void)
{
	static struct child_word *w;

	if (!w) {
		w = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		if (w == MAP_FAILED)
			abort();
	}
	return w;
}

static int child_fd;

/* In the child: the count begins. Its memory is its own before that. */
static void child_arm(void)
{
	child_page()->hit = 0;
	child_fd = open("/proc/thread-self/fail-nth", O_RDWR);
	fail_write(child_fd, child_nth);
}

/* In the child: what came of it. */
static void child_report(long r, int err)
{
	struct child_word *w = child_page();

	w->hit = fail_left(child_fd) == 0;
	fail_write(child_fd, 0);
	w->result = r < 0 ? -1 : 0;
	w->err = err;
}

/* In the parent: the child's result as one's own. @dies: being killed is an answer. */
static long child_result(pid_t pid, int dies)
{
	struct child_word *w = child_page();
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	if (WIFSIGNALED(status)) {
		child_hit = 1;
		errno = dies ? ENOMEM : EPROTO;
		return -1;
	}
	child_hit = w->hit;
	errno = w->err;
	return w->result;
}

/* Do @fn in a child with the count there. */
static long in_child(long (*fn)(void), int dies)
{
	pid_t pid;

	child_page();
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return -1;
	if (!pid) {
		long r;

		child_arm();
		errno = 0;
		r = fn();
		child_report(r, errno);
		_exit(0);
	}
	return child_result(pid, dies);
}

/* --- small helpers --- */

static int saved_errno;

/* Undo something without touching errno, at the end of an operation. */
#define KEEP_ERRNO(x)                \
	do {                         \
		saved_errno = errno; \
		fail_stop();         \
		(void)!(x);          \
		errno = saved_errno; \
	} while (0)

/* Close what a call gave, and say how it went. */
static long closed(int fd)
{
	if (fd >= 0)
		close(fd);
	return fd;
}
