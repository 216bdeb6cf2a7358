/*
 * Memory calls, the rest of them: flags of mmap, moves of large mappings, all kinds of advice,
 * process_madvise, locking and its limit, seals of memfds, RLIMIT_DATA, the modes of overcommit, and
 * settings under /proc/sys/vm. Every expectation holds on Linux 6.1 as well.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include "tap.h"

#define PAGE 4096ul
#define GB (1ul << 30)
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHARED_VALIDATE 3
#define MAP_SYNC_FLAG 0x80000
#define DONTUNMAP 4
#define ADV_COLD 20
#define ADV_PAGEOUT 21
#define ADV_POPULATE_READ 22
#define ADV_POPULATE_WRITE 23
#define ADV_DONTNEED_LOCKED 24
#define ADD_SEALS 1033
#define GET_SEALS 1034
#define SEAL_SEAL 1
#define SEAL_SHRINK 2
#define SEAL_GROW 4
#define SEAL_WRITE 8
#define SEAL_FUTURE_WRITE 16

static sigjmp_buf fault_jump;

static void on_fault(int sig)
{
	siglongjmp(fault_jump, sig);
}

/* Touch one byte: 0, or the signal it raised. */
static int touch(volatile char *p, int write)
{
	int sig = sigsetjmp(fault_jump, 1);

	if (sig)
		return sig;
	if (write)
		*p = 1;
	else
		(void)*p;
	return 0;
}

static char *pages(unsigned long n)
{
	char *p = mmap(NULL, n * PAGE, RW, ANON, -1, 0);

	REQUIRE(p != MAP_FAILED);
	return p;
}

static int memfd(unsigned flags)
{
	int fd = syscall(SYS_memfd_create, "memory", flags);

	REQUIRE(fd >= 0 && ftruncate(fd, 4 * PAGE) == 0);
	return fd;
}

/* A number of /proc: the line of @path that begins with @key, or its first. -1: none. */
static long number(const char *path, const char *key)
{
	FILE *f = fopen(path, "r");
	char line[256];
	long v = -1;

	while (f && v < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			v = strtol(line + strlen(key) + (*key ? 1 : 0), NULL, 10);
	if (f)
		fclose(f);
	return v;
}

static long status(const char *key)
{
	return number("/proc/self/status", key);
}

static int set(const char *name, long v)
{
	char path[64], text[32];
	int fd, n;

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	fd = open(path, O_WRONLY);
	n = snprintf(text, sizeof(text), "%ld\n", v);
	if (fd < 0)
		return -1;
	n = write(fd, text, n) == n ? 0 : -1;
	close(fd);
	return n;
}

static long get(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	return number(path, "");
}

/* All of the @n pages at @p in memory, or none of them. */
static int resident(void *p, int n, int want)
{
	unsigned char vec[64];

	if (mincore(p, n * PAGE, vec))
		return 0;
	for (int i = 0; i < n; i++)
		if ((vec[i] & 1) != want)
			return 0;
	return 1;
}

static void test_mmap_flags(void)
{
	int fd = memfd(0);
	char *p;

	CHECK_ERR(mmap(NULL, PAGE, RW, SHARED_VALIDATE | MAP_SYNC_FLAG, fd, 0), EOPNOTSUPP);
	CHECK_ERR(mmap(NULL, PAGE, RW, SHARED_VALIDATE | 0x1000000, fd, 0), EOPNOTSUPP);
	CHECK_ERR(mmap(NULL, PAGE, RW, SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0), EINVAL);
	p = mmap(NULL, PAGE, RW, SHARED_VALIDATE, fd, 0);
	CHECK(p != MAP_FAILED && munmap(p, PAGE) == 0);
	/* Without _VALIDATE what is not known is ignored. */
	p = mmap(NULL, PAGE, RW, MAP_SHARED | 0x1000000, fd, 0);
	CHECK(p != MAP_FAILED && munmap(p, PAGE) == 0);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_GROWSDOWN, fd, 0), EINVAL);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0), EINVAL);
	p = mmap(NULL, 8 * PAGE, RW, ANON | MAP_POPULATE, -1, 0);
	CHECK(resident(p, 8, 1) && munmap(p, 8 * PAGE) == 0);
	p = mmap(NULL, 8 * PAGE, RW, ANON | MAP_NORESERVE | MAP_STACK, -1, 0);
	CHECK(p != MAP_FAILED && resident(p, 8, 0) && munmap(p, 8 * PAGE) == 0);
	p = mmap(NULL, 8 * PAGE, RW, ANON | MAP_LOCKED, -1, 0);
	CHECK(resident(p, 8, 1) && status("VmLck") == 32 && munmap(p, 8 * PAGE) == 0);
	CHECK(status("VmLck") == 0);
	close(fd);
}

static void test_large_moves(void)
{
	unsigned long flags = ANON | MAP_NORESERVE;
	char *p = mmap(NULL, 40 * GB, RW, flags, -1, 0), *wall, *q;
	long tables;

	REQUIRE(p != MAP_FAILED);
	wall = mmap(p + 20 * GB, PAGE, PROT_NONE, flags | MAP_FIXED, -1, 0);
	REQUIRE(wall == p + 20 * GB && munmap(wall + PAGE, 20 * GB - PAGE) == 0);
	p[0] = 1;
	p[7 * GB] = 7;
	tables = status("VmPTE");
	q = mremap(p, 20 * GB, 30 * GB, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && q != p && q[0] == 1 && q[7 * GB] == 7 && q[29 * GB] == 0);
	CHECK(status("VmPTE") - tables < 1000 /* tables for all of it would be 40 MB */);
	CHECK(touch(p, 0) == SIGSEGV);
	CHECK(munmap(q, 30 * GB) == 0 && munmap(wall, PAGE) == 0);
}

static void test_mremap(void)
{
	int fd = memfd(0);
	char *p = pages(4), *s = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0), *q;

	p[0] = 5;
	q = mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | DONTUNMAP, NULL);
	CHECK(q != MAP_FAILED && q != p && q[0] == 5 && p[0] == 0);
	munmap(q, 4 * PAGE);
	CHECK_ERR(mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | DONTUNMAP, NULL), EINVAL);
	CHECK_ERR(mremap(p, 4 * PAGE, 4 * PAGE, DONTUNMAP, NULL), EINVAL);
	CHECK_ERR(mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_FIXED, p + GB), EINVAL);
	CHECK_ERR(mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE), EINVAL);
	CHECK_ERR(mremap(p, 4 * PAGE, 4 * PAGE, 64), EINVAL);
	CHECK_ERR(mremap(p, 4 * PAGE, 0, 0), EINVAL);
	CHECK_ERR(mremap(p + 1, PAGE, PAGE, 0), EINVAL);
	CHECK_ERR(mremap(p, 0, PAGE, MREMAP_MAYMOVE), EINVAL); /* private */
	s[0] = 7;
	q = mremap(s, 0, 4 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && q != s && q[0] == 7 && (s[0] = 8) && q[0] == 8);
	munmap(q, 4 * PAGE);
	munmap(p + PAGE, PAGE);
	CHECK_ERR(mremap(p, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE), EFAULT);
	munmap(p, 4 * PAGE);
	CHECK_ERR(mremap(p, PAGE, PAGE, 0), EFAULT);
	munmap(s, 4 * PAGE);
	close(fd);
}

/* With MREMAP_FIXED the target goes first, even when the source is wrong or lies there itself. */
static void test_mremap_target(void)
{
	const int fixed = MREMAP_MAYMOVE | MREMAP_FIXED;
	char *p = pages(8), *q = pages(4), *m;

	munmap(p + 2 * PAGE, PAGE);
	CHECK_ERR(mremap(p, 4 * PAGE, 4 * PAGE, fixed, q), EFAULT);
	CHECK(touch(q, 0) == SIGSEGV && touch(q + 3 * PAGE, 0) == SIGSEGV);
	CHECK(touch(p, 0) == 0 && touch(p + 3 * PAGE, 0) == 0);
	m = mmap(q, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	CHECK(m == q);
	CHECK_ERR(mremap(p, 0, 2 * PAGE, fixed, q), EINVAL); /* private */
	CHECK(touch(q, 0) == SIGSEGV);
	CHECK_ERR(mremap(p, 0, PAGE, fixed, p), EFAULT);
	CHECK(touch(p, 0) == SIGSEGV && touch(p + PAGE, 0) == 0);
	CHECK_ERR(mremap(p + PAGE, PAGE, PAGE, fixed, p + PAGE), EINVAL);
	CHECK(touch(p + PAGE, 0) == 0);
	munmap(p, 8 * PAGE);
}

/* What a child maps beside memory that it has from its parent is a mapping of its own. */
static int neighbour_child(char *p)
{
	char *q = mmap(p + 3 * PAGE, 3 * PAGE, RW, ANON | MAP_FIXED, -1, 0);

	p[0] = q[0] = 2;
	if (mremap(p, 6 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | DONTUNMAP, NULL) != MAP_FAILED)
		return 1;
	/* Apart again after being one: the same memory joins. */
	if (mprotect(p + PAGE, PAGE, PROT_READ) || mprotect(p + PAGE, PAGE, RW))
		return 2;
	q = mremap(p, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | DONTUNMAP, NULL);
	return q == MAP_FAILED ? 3 : 0;
}

static void test_neighbours(void)
{
	char *p = pages(9);
	int st;

	munmap(p, 9 * PAGE);
	p = mmap(p + PAGE, 3 * PAGE, RW, ANON | MAP_FIXED, -1, 0);
	p[0] = 1;
	fflush(stdout);
	if (!fork())
		_exit(neighbour_child(p));
	CHECK(wait(&st) > 0 && st == 0);
	munmap(p, 3 * PAGE);
}

/* How many mappings there are, found without memory of its own. */
static int count_maps(void)
{
	static char text[4096];
	int fd = open("/proc/self/maps", O_RDONLY), n, lines = 0;

	while ((n = read(fd, text, sizeof(text))) > 0)
		for (int i = 0; i < n; i++)
			lines += text[i] == '\n';
	close(fd);
	return lines;
}

/* In a child: as many mappings as may be. */
static void crowd_child(int limit)
{
	char *m[2];

	for (int i = 0; i < 2; i++) {
		m[i] = pages(5);
		munmap(m[i], PAGE);
		munmap(m[i] + 4 * PAGE, PAGE);
		m[i] += PAGE;
	}
	while (mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		;
	CHECK(count_maps() == limit + 1);
	CHECK_ERR(munmap(m[0] + PAGE, PAGE), ENOMEM);
	CHECK_ERR(mprotect(m[0], PAGE, PROT_READ), ENOMEM);
	CHECK_ERR(madvise(m[0], PAGE, MADV_DONTFORK), EAGAIN);
	CHECK(munmap(m[0], PAGE) == 0 && munmap(m[1] + 2 * PAGE, PAGE) == 0);
}

static void test_crowd(void)
{
	long was = get("max_map_count");
	int st;

	CHECK(set("max_map_count", 300) == 0);
	fflush(stdout);
	if (!fork()) {
		crowd_child(300);
		_exit(0);
	}
	CHECK(wait(&st) > 0 && st == 0);
	CHECK(set("max_map_count", was) == 0);
}

static void test_advice(void)
{
	static const int hints[] = { MADV_NORMAL,    MADV_RANDOM,	MADV_SEQUENTIAL,
				     MADV_WILLNEED,  MADV_DONTDUMP,	MADV_DODUMP,
				     MADV_DONTFORK,  MADV_DOFORK,	ADV_COLD,
				     ADV_PAGEOUT,    MADV_WIPEONFORK,	MADV_KEEPONFORK,
				     MADV_FREE,	     ADV_POPULATE_READ, MADV_HUGEPAGE,
				     MADV_NOHUGEPAGE };
	int fd = memfd(0);
	char *p = pages(4), *s = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	struct stat st;

	for (unsigned i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		CHECK(madvise(p, 4 * PAGE, hints[i]) == 0);
	/* What is not needed soon keeps its contents. */
	memset(p, 5, 4 * PAGE);
	CHECK(!madvise(p, 2 * PAGE, ADV_COLD) && !madvise(p + PAGE, 3 * PAGE, ADV_PAGEOUT));
	CHECK(p[0] == 5 && p[PAGE] == 5 && p[4 * PAGE - 1] == 5);
	p[0] = 3;
	CHECK(madvise(p, PAGE, MADV_FREE) == 0 && (p[0] == 3 || p[0] == 0));
	p[0] = 4;
	CHECK(p[0] == 4);
	CHECK_ERR(madvise(s, PAGE, MADV_FREE), EINVAL);
	CHECK_ERR(madvise(s, PAGE, MADV_WIPEONFORK), EINVAL);
	memset(s, 1, 4 * PAGE);
	CHECK(madvise(s + PAGE, 2 * PAGE, MADV_REMOVE) == 0 && s[0] == 1 && s[PAGE] == 0 &&
	      s[3 * PAGE] == 1);
	CHECK(lseek(fd, 0, SEEK_HOLE) == (off_t)PAGE || s[PAGE] == 0);
	CHECK(madvise(s + PAGE, PAGE, MADV_REMOVE) == 0 && fstat(fd, &st) == 0 &&
	      st.st_size == (off_t)(4 * PAGE) && st.st_blocks <= 24);
	CHECK(mprotect(s, PAGE, PROT_READ) == 0);
	s[3 * PAGE] = 2;
	CHECK(madvise(s, PAGE, MADV_REMOVE) == 0 && s[0] == 0); /* it may be made writable */
	CHECK_ERR(madvise(p, PAGE, MADV_REMOVE), EINVAL);
	CHECK(mlock(p, PAGE) == 0);
	CHECK_ERR(madvise(p, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_ERR(madvise(p, PAGE, ADV_COLD), EINVAL);
	CHECK_ERR(madvise(p, PAGE, ADV_PAGEOUT), EINVAL);
	p[0] = 6;
	CHECK(!madvise(p, PAGE, ADV_DONTNEED_LOCKED) && !p[0] && status("VmLck") == 4);
	CHECK(munlock(p, PAGE) == 0);
	CHECK(madvise(p, 4 * PAGE, MADV_DONTNEED) == 0 && resident(p, 4, 0));
	CHECK(madvise(p, 4 * PAGE, ADV_POPULATE_WRITE) == 0 && resident(p, 4, 1));
	CHECK(madvise(p, 4 * PAGE, MADV_DONTNEED) == 0 && munmap(p, PAGE) == 0);
	CHECK_ERR(madvise(p, 4 * PAGE, ADV_POPULATE_WRITE), ENOMEM);
	CHECK(resident(p + PAGE, 3, 1)); /* a hole is passed over */
	CHECK(mprotect(p + 3 * PAGE, PAGE, PROT_READ) == 0);
	CHECK_ERR(madvise(p, 4 * PAGE, ADV_POPULATE_WRITE), EINVAL);
	munmap(p, 4 * PAGE);
	munmap(s, 4 * PAGE);
	close(fd);
}

/* PROT_GROWSDOWN: from the start of what grows down, which must be there. */
static void test_growing_protection(void)
{
	char *p = mmap(NULL, 8 * PAGE, PROT_NONE, ANON, -1, 0), *s = p + 4 * PAGE;
	int down = ANON | MAP_FIXED | MAP_GROWSDOWN;

	CHECK(mmap(s, 4 * PAGE, RW, down, -1, 0) == s);
	CHECK(!mprotect(s + 2 * PAGE, PAGE, PROT_READ | PROT_GROWSDOWN));
	CHECK(touch(s, 1) == SIGSEGV && touch(s + 2 * PAGE, 1) == SIGSEGV);
	CHECK(!touch(s, 0) && !touch(s + 3 * PAGE, 1));
	CHECK_ERR(mprotect(s, PAGE, PROT_READ | PROT_GROWSUP), EINVAL);
	CHECK_ERR(mprotect(s, PAGE, PROT_READ | PROT_GROWSUP | PROT_GROWSDOWN), EINVAL);
	CHECK_ERR(mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN), EINVAL);
	munmap(p, 8 * PAGE);
	CHECK_ERR(mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN), ENOMEM);
}

static void test_process_madvise(void)
{
	char *p = pages(4);
	struct iovec v[2] = { { p, PAGE }, { p + 2 * PAGE, PAGE } };
	int self = syscall(SYS_pidfd_open, getpid(), 0);

	CHECK(syscall(SYS_process_madvise, self, v, 2, ADV_COLD, 0) == (long)(2 * PAGE));
	CHECK(syscall(SYS_process_madvise, self, v, 2, MADV_WILLNEED, 0) == (long)(2 * PAGE));
	CHECK_ERR(syscall(SYS_process_madvise, self, v, 2, MADV_DONTNEED, 0), EINVAL);
	CHECK_ERR(syscall(SYS_process_madvise, self, v, 2, ADV_COLD, 1), EINVAL);
	CHECK_ERR(syscall(SYS_process_madvise, -1, v, 2, ADV_COLD, 0), EBADF);
	CHECK_ERR(syscall(SYS_process_madvise, self, (void *)1, 2, ADV_COLD, 0), EFAULT);
	munmap(p + 2 * PAGE, PAGE);
	CHECK(syscall(SYS_process_madvise, self, v, 2, ADV_PAGEOUT, 0) == (long)PAGE);
	munmap(p, 4 * PAGE);
	close(self);
}

/* As a plain user with little that may be locked. */
static int locking_child(void)
{
	struct rlimit few = { 4 * PAGE, 4 * PAGE }, none = { 0, 0 };
	char *p = mmap(NULL, 16 * PAGE, RW, ANON, -1, 0);
	int bad = 0;

#define EXPECT(x)                                                    \
	do {                                                         \
		errno = 0;                                           \
		if (!(x)) {                                          \
			printf("# not: %s (errno %d)\n", #x, errno); \
			bad = 1;                                     \
		}                                                    \
	} while (0)
	if (setrlimit(RLIMIT_MEMLOCK, &few) || setgroups(0, NULL) || setresuid(1000, 1000, 1000))
		return 2;
	EXPECT(mlock(p, 4 * PAGE) == 0 && status("VmLck") == 16);
	EXPECT(mlock(p, 4 * PAGE) == 0); /* what is locked counts once */
	EXPECT(mlock(p, 5 * PAGE) == -1 && errno == ENOMEM);
	EXPECT(mmap(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0) == MAP_FAILED && errno == EAGAIN);
	EXPECT(mlockall(MCL_CURRENT) == -1 && errno == ENOMEM);
	EXPECT(munlock(p, 16 * PAGE) == 0 && status("VmLck") == 0);
	EXPECT(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
	EXPECT(mlock(p, PAGE) == -1 && errno == EPERM);
	EXPECT(mlockall(MCL_FUTURE) == -1 && errno == EPERM);
	/* libc makes another error of it. */
	EXPECT(syscall(SYS_mmap, NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0) == -1 && errno == EPERM);
	EXPECT(munlockall() == 0);
	return bad;
}

/* Run @fn in a child; its exit status. */
static int in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int st = -1;

	if (!pid) {
		int r = fn();

		fflush(stdout);
		_exit(r);
	}
	return waitpid(pid, &st, 0) == pid && WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static void test_locking(void)
{
	char *p = pages(8), *q;

	CHECK(in_child(locking_child) == 0);
	CHECK(syscall(SYS_mlock2, p, 8 * PAGE, 1 /* ONFAULT */) == 0 && resident(p, 8, 0) &&
	      status("VmLck") == 32);
	p[0] = 1;
	CHECK(resident(p, 1, 1) && resident(p + PAGE, 7, 0));
	p[PAGE] = 1;
	CHECK(resident(p + PAGE, 1, 1) && resident(p + 2 * PAGE, 6, 0));
	CHECK(mlock(p + 2 * PAGE, PAGE) == 0 && resident(p + 2 * PAGE, 1, 1));
	CHECK(munlock(p, 8 * PAGE) == 0 && status("VmLck") == 0);
	CHECK(mlockall(MCL_FUTURE) == 0);
	q = pages(4);
	CHECK(resident(q, 4, 1) && status("VmLck") >= 16 && munmap(q, 4 * PAGE) == 0);
	CHECK(mlockall(MCL_FUTURE | 4 /* ONFAULT */) == 0);
	q = pages(4);
	CHECK(resident(q, 4, 0) && status("VmLck") >= 16);
	CHECK(munlockall() == 0 && status("VmLck") == 0);
	/* Of what is mapped already, too, only what is there and what comes. */
	CHECK(mlockall(MCL_CURRENT | 4 /* ONFAULT */) == 0 && status("VmLck") >= 32);
	CHECK(resident(p + 3 * PAGE, 5, 0) && (p[3 * PAGE] = 1) && resident(p + 3 * PAGE, 1, 1));
	CHECK_ERR(madvise(p + 3 * PAGE, PAGE, MADV_DONTNEED), EINVAL);
	CHECK(mlockall(MCL_CURRENT) == 0 && resident(p, 8, 1) && munlockall() == 0);
	CHECK(madvise(p, 8 * PAGE, MADV_DONTNEED) == 0 && resident(p, 8, 0));
	CHECK_ERR(mlockall(4), EINVAL);
	munmap(q, 4 * PAGE);
	q = pages(4);
	q[0] = 1;
	CHECK(resident(q, 1, 1) && resident(q + PAGE, 3, 0));
	munmap(q, 4 * PAGE);
	munmap(p, 8 * PAGE);
}

static void test_seals(void)
{
	int fd = memfd(2 /* ALLOW_SEALING */), plain = memfd(0), ro;
	int null = open("/dev/null", O_RDWR);
	char *p = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), path[64];

	CHECK(fcntl(plain, GET_SEALS) == SEAL_SEAL);
	CHECK_ERR(fcntl(plain, ADD_SEALS, SEAL_GROW), EPERM);
	CHECK(fcntl(fd, GET_SEALS) == 0);
	CHECK_ERR(fcntl(fd, ADD_SEALS, 0x10000), EINVAL);
	CHECK_ERR(fcntl(null, ADD_SEALS, SEAL_GROW), EINVAL);
	CHECK_ERR(fcntl(fd, ADD_SEALS, SEAL_WRITE), EBUSY);
	CHECK(fcntl(fd, ADD_SEALS, SEAL_GROW | SEAL_SHRINK) == 0);
	CHECK_ERR(ftruncate(fd, 8 * PAGE), EPERM);
	CHECK_ERR(ftruncate(fd, PAGE), EPERM);
	CHECK_ERR(fallocate(fd, 0, 4 * PAGE, PAGE), EPERM);
	CHECK_ERR(pwrite(fd, "x", 1, 4 * PAGE), EPERM);
	CHECK(pwrite(fd, "x", 1, 0) == 1 && p[0] == 'x');
	CHECK(fcntl(fd, ADD_SEALS, SEAL_FUTURE_WRITE) == 0);
	CHECK(touch(p, 1) == 0); /* what is mapped stays writable */
	CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EPERM);
	munmap(p, PAGE);
	p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_ERR(mprotect(p, PAGE, RW), EACCES);
	munmap(p, PAGE);
	p = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED && touch(p, 1) == 0 && munmap(p, PAGE) == 0);
	CHECK(fcntl(fd, ADD_SEALS, SEAL_WRITE) == 0);
	CHECK_ERR(fallocate(fd, 3 /* PUNCH_HOLE, KEEP_SIZE */, 0, PAGE), EPERM);
	CHECK(fcntl(fd, ADD_SEALS, SEAL_SEAL) == 0);
	CHECK_ERR(fcntl(fd, ADD_SEALS, SEAL_GROW), EPERM);
	CHECK(fcntl(fd, GET_SEALS) ==
	      (SEAL_SEAL | SEAL_SHRINK | SEAL_GROW | SEAL_WRITE | SEAL_FUTURE_WRITE));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", plain);
	ro = open(path, O_RDONLY);
	CHECK(ro >= 0);
	CHECK_ERR(fcntl(ro, ADD_SEALS, SEAL_GROW), EPERM);
	CHECK_ERR(syscall(SYS_memfd_create, "x", 0x100), EINVAL);
	CHECK_ERR(syscall(SYS_memfd_create, NULL, 0), EFAULT);
	close(ro);
	close(fd);
	close(plain);
	close(null);
}

static int data_child(void)
{
	char *p = mmap(NULL, 64 << 20, PROT_READ, ANON, -1, 0);
	struct rlimit lim = { 16 << 20, 16 << 20 };
	int bad = 0;

	EXPECT(setrlimit(RLIMIT_DATA, &lim) == 0);
	EXPECT(mmap(NULL, 64 << 20, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
	EXPECT(mmap(NULL, 64 << 20, PROT_READ, ANON, -1, 0) != MAP_FAILED);
	EXPECT(mmap(NULL, 64 << 20, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	EXPECT(mprotect(p, 64 << 20, RW) == -1 && errno == ENOMEM);
	EXPECT(mprotect(p, 1 << 20, RW) == 0);
	EXPECT(mremap(p, 1 << 20, 32 << 20, MREMAP_MAYMOVE) == MAP_FAILED && errno == ENOMEM);
	return bad;
}

/* The limit counts for what becomes data as well when there is too much of it already. */
static int over_data_child(void)
{
	char *more = mmap(NULL, 1 << 20, PROT_READ, ANON, -1, 0);
	struct rlimit data = { 4 << 20, 64 << 20 }, as = { 4 << 20, 64 << 20 };
	int bad = 0;

	EXPECT(mmap(NULL, 8 << 20, RW, ANON, -1, 0) != MAP_FAILED);
	EXPECT(setrlimit(RLIMIT_DATA, &data) == 0);
	EXPECT(mprotect(more, 1 << 20, RW) == -1 && errno == ENOMEM);
	/* Who may not map at all is not asked. */
	EXPECT(setrlimit(RLIMIT_AS, &as) == 0);
	EXPECT(mprotect(more, 1 << 20, RW) == 0);
	as.rlim_cur = 64 << 20;
	EXPECT(setrlimit(RLIMIT_AS, &as) == 0);
	/* A soft limit of 0 is brk's alone: Valgrind relies on it. */
	data.rlim_cur = 0;
	EXPECT(setrlimit(RLIMIT_DATA, &data) == 0);
	EXPECT(mmap(NULL, 1 << 20, RW, ANON, -1, 0) != MAP_FAILED);
	EXPECT(mmap(NULL, 60 << 20, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
	data.rlim_max = 0;
	EXPECT(setrlimit(RLIMIT_DATA, &data) == 0);
	EXPECT(mmap(NULL, 1 << 20, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM);
	return bad;
}

/* Pages of files in memory are promised as well. */
static void test_committed_files(void)
{
	long before = number("/proc/meminfo", "Committed_AS");
	int fd = memfd_create("committed", 0);

	CHECK(fd >= 0 && ftruncate(fd, 16 << 20) == 0);
	CHECK(number("/proc/meminfo", "Committed_AS") - before < 14 << 10);
	CHECK(fallocate(fd, 0, 0, 16 << 20) == 0);
	CHECK(number("/proc/meminfo", "Committed_AS") - before > 14 << 10);
	CHECK(ftruncate(fd, 0) == 0 && number("/proc/meminfo", "Committed_AS") - before < 14 << 10);
	CHECK(write(fd, "x", 1) == 1 && close(fd) == 0);
}

/* What is promised beyond memory: needs the settings to itself. */
static void test_overcommit(void)
{
	long total = number("/proc/meminfo", "MemTotal"), mode = get("overcommit_memory");
	long ratio = get("overcommit_ratio"), before;
	char *p;

	if (set("overcommit_memory", 0))
		return;
	CHECK_ERR(mmap(NULL, total * 4096, RW, ANON, -1, 0), ENOMEM);
	CHECK(munmap(mmap(NULL, total * 4096, RW, ANON | MAP_NORESERVE, -1, 0), total * 4096) == 0);
	p = mmap(NULL, total * 4096, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(p != MAP_FAILED && !(p[total * 4096 - 1] = 0) && munmap(p, total * 4096) == 0);
	CHECK_ERR(mmap(NULL, total * 4096, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0), ENOMEM);
	before = number("/proc/meminfo", "Committed_AS");
	p = mmap(NULL, 64 << 20, RW, ANON, -1, 0);
	CHECK(number("/proc/meminfo", "Committed_AS") - before > 60 << 10);
	CHECK(munmap(p, 64 << 20) == 0);
	test_committed_files();
	CHECK(set("overcommit_memory", 1) == 0);
	CHECK(munmap(mmap(NULL, total * 4096, RW, ANON, -1, 0), total * 4096) == 0);
	CHECK(set("overcommit_ratio", 60) == 0 && get("overcommit_kbytes") == 0);
	before = number("/proc/meminfo", "CommitLimit");
	CHECK(before > total / 100 * 59 && before <= total / 100 * 61);
	CHECK(set("overcommit_kbytes", 100000) == 0 && get("overcommit_ratio") == 0 &&
	      number("/proc/meminfo", "CommitLimit") == 100000);
	CHECK(set("overcommit_memory", 2) == 0);
	CHECK_ERR(mmap(NULL, 100 << 20, RW, ANON, -1, 0), ENOMEM);
	CHECK_ERR(mmap(NULL, 100 << 20, RW, ANON | MAP_NORESERVE, -1, 0), ENOMEM);
	p = mmap(NULL, 100 << 20, PROT_READ, ANON, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK_ERR(mprotect(p, 100 << 20, RW), ENOMEM);
	CHECK(set("overcommit_memory", mode) == 0 && set("overcommit_ratio", ratio) == 0);
	CHECK_ERR(set("overcommit_memory", 3), EINVAL);
	munmap(p, 100 << 20);
}

static void test_settings(void)
{
	static const char *const names[] = {
		"swappiness",
		"dirty_ratio",
		"dirty_background_ratio",
		"max_map_count",
		"min_free_kbytes",
		"admin_reserve_kbytes",
		"user_reserve_kbytes",
		"mmap_min_addr",
		"panic_on_oom",
		"oom_kill_allocating_task",
		"oom_dump_tasks",
		"overcommit_memory",
		"dirty_expire_centisecs",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		long v = get(names[i]);

		if (!CHECK(v >= 0 && set(names[i], v) == 0 && get(names[i]) == v))
			printf("# %s\n", names[i]);
	}
	CHECK_ERR(set("swappiness", 1000), EINVAL);
}

/* The page at 0, for who may have it: by an access, and by a lock. */
static void test_first_page(void)
{
	char *volatile first = NULL;
	int fixed = ANON | MAP_FIXED;

	CHECK(mmap(first, 2 * PAGE, RW, fixed, -1, 0) == first && !touch(first, 1));
	CHECK(mmap(first, 2 * PAGE, RW, fixed, -1, 0) == first && !mlock(first, 2 * PAGE));
	CHECK(!munmap(first, 2 * PAGE) && touch(first, 0) == SIGSEGV);
}

static double seconds(clockid_t clock)
{
	struct timespec t = { 0 };

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Whoever brings in pages for long can be killed meanwhile. */
static void test_populate_killed(void)
{
	siginfo_t si = { 0 };
	clockid_t cpu;
	double from;
	pid_t pid = fork();
	char *m;

	if (!pid) {
		m = mmap(NULL, 64 * GB, PROT_READ, ANON | MAP_NORESERVE, -1, 0);
		_exit(m == MAP_FAILED || madvise(m, 64 * GB, ADV_POPULATE_READ));
	}
	REQUIRE(pid > 0 && !clock_getcpuclockid(pid, &cpu));
	while (!si.si_pid && seconds(cpu) < 0.05) {
		sched_yield();
		waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT);
	}
	from = seconds(CLOCK_MONOTONIC);
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid && seconds(CLOCK_MONOTONIC) - from < 10);
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_fault };

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	test_mmap_flags();
	test_large_moves();
	test_mremap();
	test_mremap_target();
	test_neighbours();
	test_crowd();
	test_advice();
	test_populate_killed();
	test_growing_protection();
	test_process_madvise();
	test_locking();
	test_first_page();
	test_seals();
	CHECK(in_child(data_child) == 0);
	CHECK(in_child(over_data_child) == 0);
	test_overcommit();
	test_settings();
	return tap_done();
}
