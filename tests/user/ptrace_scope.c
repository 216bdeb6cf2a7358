/*
 * Yama: /proc/sys/kernel/yama/ptrace_scope and PR_SET_PTRACER. 3 cannot be taken back and so is not
 * tried here.
 */
#include "tracing.h"
#include <fcntl.h>
#include <string.h>

#ifndef PR_SET_PTRACER
#define PR_SET_PTRACER 0x59616d61
#define PR_SET_PTRACER_ANY ((unsigned long)-1)
#endif
#define SCOPE "/proc/sys/kernel/yama/ptrace_scope"
#define USER 1000

static pid_t target;
static int asked[2], answered[2]; /* pipes: what the target declares, and that it has */

static int set_scope(const char *text)
{
	int fd = open(SCOPE, O_WRONLY);
	int good = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return good ? 0 : -1;
}

/* Nobody's privileges, but open to all of the same user. */
static void become_user(void)
{
	if (setresgid(USER, USER, USER) || setresuid(USER, USER, USER) ||
	    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
		_exit(99);
}

/* Declares what it is asked for, until there is nobody to ask. */
static void declares(void)
{
	unsigned long who;
	long r;

	become_user();
	close(asked[1]);
	while (read(asked[0], &who, sizeof(who)) == sizeof(who)) {
		r = prctl(PR_SET_PTRACER, who, 0, 0, 0) ? -errno : 0;
		if (write(answered[1], &r, sizeof(r)) != sizeof(r))
			break;
	}
}

static long declare(unsigned long who)
{
	long r = -1;

	if (write(asked[1], &who, sizeof(who)) != sizeof(who) ||
	    read(answered[0], &r, sizeof(r)) != sizeof(r))
		return -1;
	return r;
}

/* What each way to control the target says, a letter each: . yes, P, A: the errno, ? another. */
static void try_ways(char *s)
{
	static char word;
	struct iovec here = { &word, 1 }, there = { &word, 1 };
	char path[64];
	int fd;

	*s++ = process_vm_readv(target, &here, 1, &there, 1, 0) == 1 ? '.'
	       : errno == EPERM					     ? 'P'
								     : '?';
	snprintf(path, sizeof(path), "/proc/%d/mem", target);
	fd = open(path, O_RDONLY);
	*s++ = fd >= 0 ? '.' : errno == EACCES ? 'A' : '?';
	close(fd);
	snprintf(path, sizeof(path), "/proc/%d/syscall", target);
	fd = open(path, O_RDONLY);
	*s++ = fd >= 0 && read(fd, path, 1) == 1 ? '.' : errno == EPERM ? 'P' : '?';
	close(fd);
	*s++ = trace(PTRACE_SEIZE, target, 0, 0) == 0 ? '.' : errno == EPERM ? 'P' : '?';
	/* To look is no control. */
	snprintf(path, sizeof(path), "/proc/%d/environ", target);
	fd = open(path, O_RDONLY);
	*s++ = fd >= 0 ? '.' : '?';
	close(fd);
}

/*
 * A child, of user USER when @user, tries; before that it is declared the tracer when @declared.
 */
static const char *tried(int user, int declared)
{
	static char *s;
	int go[2];
	char c;
	pid_t pid;

	if (!s)
		s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(s, 0, 8);
	if (pipe(go))
		return "no pipe";
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		if (user)
			become_user();
		if (read(go[0], &c, 1) == 0)
			try_ways(s);
		_exit(0);
	}
	close(go[0]);
	if (declared)
		(void)declare((unsigned long)pid);
	close(go[1]);
	(void)news(pid);
	return s;
}

static int is(const char *got, const char *want)
{
	if (strcmp(got, want))
		printf("# %s, not %s\n", got, want);
	return !strcmp(got, want);
}

static void test_values(void)
{
	static const char *bad[] = { "-1", "4", "x" };
	int fd = open(SCOPE, O_RDWR), st;
	char text[8] = "";
	pid_t pid;

	CHECK(fd >= 0 && read(fd, text, sizeof(text)) == 2 && !strcmp(text, "0\n"));
	for (unsigned i = 0; i < 3; i++)
		CHECK_ERR(set_scope(bad[i]), EINVAL);
	CHECK(set_scope("2\n") == 0 && set_scope("1") == 0);
	pid = fork();
	if (pid == 0) {
		become_user();
		_exit(pwrite(fd, "0", 1, 0) == -1 && errno == EPERM ? 0 : 1);
	}
	st = news(pid);
	CHECK(st == 0);
	CHECK(pread(fd, text, 1, 0) == 1 && text[0] == '1');
	close(fd);
}

/* Scope 1: who is no relative needs a declaration. */
static void test_declarations(void)
{
	pid_t gone = fork();

	if (gone == 0)
		_exit(0);
	(void)news(gone);
	CHECK(is(tried(1, 0), "PAPP."));
	CHECK(is(tried(0, 0), "....."));
	/* Of the one that is declared, as long as it is there. */
	CHECK(is(tried(1, 1), "....."));
	CHECK(is(tried(1, 0), "PAPP."));
	/* A declared ancestor will do. */
	CHECK(declare((unsigned long)getpid()) == 0 && is(tried(1, 0), "....."));
	CHECK(declare(0) == 0 && is(tried(1, 0), "PAPP."));
	CHECK(declare(PR_SET_PTRACER_ANY) == 0 && is(tried(1, 0), "....."));
	/* What is refused changes nothing. */
	CHECK(declare((unsigned long)gone) == -EINVAL && declare(0x7fffffff) == -EINVAL);
	CHECK(is(tried(1, 0), "....."));
	CHECK(declare(0xffffffff) == 0 && is(tried(1, 0), "....."));
	CHECK(declare((unsigned long)target) == 0 && is(tried(1, 0), "PAPP."));
}

static void test_scope_0(void)
{
	CHECK(set_scope("0") == 0 && is(tried(1, 0), "....."));
}

/* Scope 2: not for relatives, nor for who is declared. */
static void test_scope_2(void)
{
	CHECK(set_scope("2") == 0 && declare(PR_SET_PTRACER_ANY) == 0);
	CHECK(is(tried(1, 1), "PAPP.") && is(tried(0, 0), "....."));
}

/* What PTRACE_TRACEME in a child of a user, or of root, and seizing such a child, say. */
static int own_child(int user)
{
	pid_t pid, child;
	int st;

	pid = fork();
	if (pid == 0) {
		if (user)
			become_user();
		child = fork();
		if (child == 0) {
			_exit(trace(PTRACE_TRACEME, 0, 0, 0) ? errno : 0);
		}
		st = news(child);
		child = plain_child((void (*)(void))pause);
		if (trace(PTRACE_SEIZE, child, 0, 0))
			st |= errno << 16;
		finish(child);
		_exit(st >> 16 << 4 | st >> 8);
	}
	st = news(pid);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static void test_children(void)
{
	CHECK(set_scope("1") == 0 && own_child(1) == 0);
	CHECK(set_scope("2") == 0 && own_child(1) == (EPERM << 4 | EPERM));
	CHECK(own_child(0) == 0);
}

int main(void)
{
	alarm(TAP_LIMIT);
	REQUIRE(pipe(asked) == 0 && pipe(answered) == 0);
	target = plain_child(declares);
	/* It is a user by the time that it answers. */
	test_values();
	CHECK(declare(0) == 0);
	test_declarations();
	test_scope_0();
	test_scope_2();
	test_children();
	CHECK(set_scope("0") == 0);
	close(asked[1]);
	CHECK(news(target) == 0);
	return tap_done();
}
