/*
 * Memory failures by madvise(2): MADV_HWPOISON takes a page's contents, MADV_SOFT_OFFLINE only its
 * frame; who touches what was lost gets SIGBUS, who asked to know at once too. And what fallocate
 * reserves in memory: no data until it is touched, and a promise in the strictest overcommit mode.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "tap.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif
#define P 4096ul
#define RW (PROT_READ | PROT_WRITE)

static sigjmp_buf back;
static volatile siginfo_t seen;

static void on_bus(int sig, siginfo_t *i, void *u)
{
	seen = *i;
	siglongjmp(back, 1);
}

/* Load from @p, or with @write store there. False: a SIGBUS that says so came of it. */
static int touch(volatile char *p, int write)
{
	if (sigsetjmp(back, 1)) {
		CHECK(seen.si_code == BUS_MCEERR_AR && seen.si_addr == (void *)p &&
		      seen.si_addr_lsb == 12);
		return 0;
	}
	if (write)
		*p = 'w';
	else
		(void)*p;
	return 1;
}

/* A line of /proc/meminfo, in kB; @format names it. -1: it is not there */
static long meminfo(const char *format)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kb = -1;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, format, &kb);
	if (f)
		fclose(f);
	return kb;
}

static char *pages(int n, int flags)
{
	char *m = mmap(NULL, n * P, RW, flags | MAP_ANONYMOUS, -1, 0);

	madvise(m, n * P, MADV_NOHUGEPAGE);
	return m;
}

static void test_lost(void)
{
	long before = meminfo("HardwareCorrupted: %ld");
	char *m = pages(4, MAP_PRIVATE), *zero;
	int p[2], st;

	m[0] = 'a';
	m[P] = 'b';
	CHECK(!pipe(p) && !madvise(m, P, MADV_HWPOISON) &&
	      meminfo("HardwareCorrupted: %ld") == before + 4);
	CHECK(!touch(m + 5, 0) && !touch(m + 5, 1) && m[P] == 'b');
	CHECK_ERR(write(p[1], m, 8), EFAULT);
	CHECK(write(p[1], "hello", 5) == 5);
	CHECK_ERR(read(p[0], m, 5), EFAULT);
	CHECK(!mprotect(m, P, PROT_READ) && !touch(m, 0) && !mprotect(m, P, RW) && !touch(m, 1));
	CHECK_ERR(madvise(m, P, MADV_HWPOISON), EFAULT);
	CHECK_ERR(madvise(m, P, MADV_SOFT_OFFLINE), EFAULT);
	if (!fork())
		_exit(touch(m, 0) ? 1 : 0);
	CHECK(wait(&st) > 0 && st == 0);
	CHECK(mremap(m, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, m + 3 * P) == m + 3 * P);
	CHECK(!touch(m + 3 * P, 0));
	CHECK(!madvise(m + 3 * P, P, MADV_DONTNEED) && touch(m + 3 * P, 0) && !m[3 * P]);
	/* Nobody's zeroes cannot be lost, and need not move. */
	zero = mmap(NULL, P, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(!*(volatile char *)zero);
	CHECK_ERR(madvise(zero, P, MADV_HWPOISON), EBUSY);
	before = meminfo("HardwareCorrupted: %ld");
	CHECK(!madvise(zero, P, MADV_SOFT_OFFLINE) && meminfo("HardwareCorrupted: %ld") == before);
	munmap(zero, P);
	CHECK(!madvise(m + P, P, MADV_SOFT_OFFLINE) && m[P] == 'b' &&
	      meminfo("HardwareCorrupted: %ld") == before + 4);
	close(p[0]);
	close(p[1]);
	munmap(m + P, 3 * P);
}

static void test_shared(void)
{
	int go[2], st[2] = { -1, -1 }, fd = memfd_create("x", 0);
	char *m = pages(2, MAP_PRIVATE), *f, b[8];

	CHECK(!pipe(go) && !ftruncate(fd, 4 * P));
	f = mmap(NULL, 4 * P, RW, MAP_SHARED, fd, 0);
	strcpy(m, "lost");
	strcpy(m + P, "kept");
	strcpy(f, "file");
	for (int i = 0; i < 2; i++) {
		if (fork())
			continue;
		close(go[1]);
		(void)!read(go[0], b, 1);
		if (touch(m, 0) || strcmp(m + P, "kept"))
			_exit(1);
		m[P] = 'K';
		_exit(strcmp(m + P, "Kept") != 0);
	}
	CHECK(!madvise(m, P, MADV_HWPOISON) && !madvise(m + P, P, MADV_SOFT_OFFLINE));
	CHECK(!touch(m, 1) && !strcmp(m + P, "kept"));
	close(go[1]);
	CHECK(wait(&st[0]) > 0 && wait(&st[1]) > 0 && !st[0] && !st[1] && m[P] == 'k');
	/* A file in memory. */
	CHECK(!madvise(f, P, MADV_SOFT_OFFLINE) && !strcmp(f, "file"));
	CHECK(!madvise(f, P, MADV_HWPOISON) && !touch(f, 0) && !touch(f, 1));
	CHECK_ERR(pread(fd, b, 4, 2), EIO);
	CHECK_ERR(pwrite(fd, b, 4, 2), EIO);
	CHECK_ERR(pread(fd, b, 4, 4), EIO);
	CHECK(pread(fd, b, 4, P) == 4 && !madvise(f, P, MADV_DONTNEED) && !touch(f, 0));
	CHECK(!madvise(f, P, MADV_REMOVE) && pread(fd, b, 4, 0) == 4 && touch(f, 1) && *f == 'w');
	munmap(f, 4 * P);
	munmap(m, 2 * P);
	close(go[0]);
	close(fd);
}

/* Who asked to know is told at once, although it never touches the page again. */
static void test_early(void)
{
	char *m = pages(1, MAP_SHARED);
	int ready[2], go[2], st = -1;
	char b;

	CHECK(!pipe(ready) && !pipe(go));
	*m = 1;
	if (!fork()) {
		sigset_t bus;
		siginfo_t i;

		sigemptyset(&bus);
		sigaddset(&bus, SIGBUS);
		sigprocmask(SIG_BLOCK, &bus, NULL);
		prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
		b = *(volatile char *)m;
		(void)!write(ready[1], &b, 1);
		alarm(TAP_LIMIT);
		_exit(sigwaitinfo(&bus, &i) == SIGBUS && i.si_code == BUS_MCEERR_AO &&
				      i.si_addr == m && i.si_addr_lsb == 12
			      ? 0
			      : 1);
	}
	CHECK(read(ready[0], &b, 1) == 1 && !madvise(m, P, MADV_HWPOISON));
	CHECK(wait(&st) > 0 && st == 0);
	munmap(m, P);
}

static void test_errors(void)
{
	char *m = pages(2, MAP_PRIVATE),
	     *none = mmap(NULL, P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int st = -1;

	*m = 1;
	for (int a = MADV_HWPOISON; a <= MADV_SOFT_OFFLINE; a++) {
		CHECK_ERR(madvise(m + 1, P, a), EINVAL);
		CHECK_ERR(madvise(m, -P, a), EINVAL);
		CHECK_ERR(madvise((void *)P, P, a), EFAULT);
		CHECK_ERR(madvise(none, P, a), EFAULT);
		CHECK(!madvise((void *)P, 0, a));
		if (!fork()) {
			int bad = setuid(1000) || madvise(m, 0, a) || madvise(m, P, a) != -1 ||
				  errno != EPERM || madvise(m + 1, P, a) != -1 || errno != EINVAL;

			_exit(bad);
		}
		CHECK(wait(&st) > 0 && st == 0);
	}
	munmap(none, P);
	/* Nothing here may become a huge page. */
	CHECK_ERR(madvise(m, P, MADV_COLLAPSE), EINVAL);
	CHECK_ERR(madvise((void *)P, P, MADV_COLLAPSE), ENOMEM);
	munmap(m, 2 * P);
}

static unsigned resident(char *m, int n)
{
	unsigned char v[8];
	unsigned set = 0;

	if (mincore(m, n * P, v))
		return ~0u;
	for (int i = 0; i < n; i++)
		set |= (v[i] & 1u) << i;
	return set;
}

static void test_reserved(void)
{
	int fd = memfd_create("y", 0);
	char *m, b;

	CHECK(!fallocate(fd, 0, 0, 8 * P));
	m = mmap(NULL, 8 * P, RW, MAP_SHARED, fd, 0);
	CHECK(!resident(m, 8));
	CHECK(pread(fd, &b, 1, P) == 1 && !b && !resident(m, 8));
	CHECK_ERR(lseek(fd, 0, SEEK_DATA), ENXIO);
	CHECK(lseek(fd, 0, SEEK_HOLE) == 0);
	CHECK(pwrite(fd, "x", 1, 3 * P) == 1 && resident(m, 8) == 8);
	CHECK(lseek(fd, 0, SEEK_DATA) == 3 * P && lseek(fd, 3 * P, SEEK_HOLE) == 4 * P);
	CHECK(lseek(fd, 0, SEEK_HOLE) == 0);
	CHECK(!m[6 * P] && m[3 * P] == 'x' && (resident(m, 8) & 0x48) == 0x48);
	m[0]++;
	CHECK(m[0] == 1 && pread(fd, &b, 1, 0) == 1 && b == 1);
	munmap(m, 8 * P);
	close(fd);
}

static int set_number(const char *name, int v)
{
	char path[64], text[16];
	int fd, n = snprintf(text, sizeof(text), "%d", v), ok;

	snprintf(path, sizeof(path), "/proc/sys/vm/%s", name);
	fd = open(path, O_WRONLY);
	ok = write(fd, text, n) == n;
	close(fd);
	return ok;
}

/* The others that run on the machine need some room, too, while the limit is low. */
static void test_strict(void)
{
	int fd = memfd_create("z", 0), err, n;
	long now = meminfo("Committed_AS: %ld");

	CHECK(now > 0 && pwrite(fd, "x", 1, 0) == 1);
	CHECK(set_number("overcommit_memory", 2) && set_number("overcommit_kbytes", now + 16384));
	errno = 0;
	err = fallocate(fd, 0, 0, 64ul << 20) == -1 ? errno : 0;
	n = pwrite(fd, "x", 1, 0);
	CHECK(set_number("overcommit_memory", 0) && set_number("overcommit_ratio", 50));
	CHECK(err == ENOSPC && n == 1);
	CHECK(pwrite(fd, "x", 1, P) == 1);
	close(fd);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &sa, NULL);
	test_lost();
	test_shared();
	test_early();
	test_errors();
	test_reserved();
	test_strict();
	return tap_done();
}
