/*
 * Memory calls: mmap, munmap, mprotect, mremap, madvise, brk, msync, mlock, mincore,
 * process_vm_readv, stack growth, faults past the end of a file, and memory shared across fork.
 * Every expectation holds on Linux 6.1 as well.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tap.h"

#define PAGE 4096ul
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

static sigjmp_buf fault_jump;
static volatile int fault_signal, fault_code;
static void *volatile fault_addr;

static void on_fault(int sig, siginfo_t *si, void *ctx)
{
	(void)ctx;
	fault_signal = sig;
	fault_code = si->si_code;
	fault_addr = si->si_addr;
	siglongjmp(fault_jump, 1);
}

/* Touch one byte: 0, or the signal it raised. */
static int touch(volatile char *p, int write)
{
	fault_signal = 0;
	if (sigsetjmp(fault_jump, 1) == 0) {
		if (write)
			*p = 1;
		else
			(void)*p;
	}
	return fault_signal;
}

static char *pages(unsigned long n)
{
	char *p = mmap(NULL, n * PAGE, RW, ANON, -1, 0);

	REQUIRE(p != MAP_FAILED);
	return p;
}

static int temp_file(const char *text, unsigned long size)
{
	char name[] = "/tmp/memory-XXXXXX";
	int fd = mkstemp(name);

	REQUIRE(fd >= 0);
	unlink(name);
	REQUIRE(ftruncate(fd, size) == 0);
	if (text)
		REQUIRE(pwrite(fd, text, strlen(text), 0) == (ssize_t)strlen(text));
	return fd;
}

static void test_mmap(void)
{
	int fd = temp_file("hello", 3 * PAGE), rd = open("/proc/self/exe", O_RDONLY);
	struct stat st;
	char *p;

	CHECK_ERR(mmap(NULL, 0, RW, ANON, -1, 0), EINVAL);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0), EBADF);
	CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, rd, 0), EACCES);
	CHECK_ERR(mmap(NULL, ~0ul & ~(PAGE - 1), RW, ANON, -1, 0), ENOMEM);
	CHECK_ERR(mmap((void *)0x10001, PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERR(syscall(SYS_mmap, NULL, PAGE, RW, MAP_PRIVATE, fd, 5), EINVAL);
	p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, rd, 0);
	CHECK(p != MAP_FAILED && !memcmp(p, "\177ELF", 4));
	CHECK(munmap(p, PAGE) == 0 && touch(p, 0) == SIGSEGV && fault_code == SEGV_MAPERR &&
	      fault_addr == p);
	p = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED && !memcmp(p, "hello", 5));
	CHECK(futimens(fd, (struct timespec[2]){ { 1, 0 }, { 1, 0 } }) == 0);
	memcpy(p + 2 * PAGE, "there", 5);
	CHECK(fstat(fd, &st) == 0 && st.st_mtime > 1);
	char buf[6] = "";
	CHECK(pread(fd, buf, 5, 2 * PAGE) == 5 && !strcmp(buf, "there"));
	CHECK(pwrite(fd, "HELLO", 5, 0) == 5 && !memcmp(p, "HELLO", 5));
	CHECK(ftruncate(fd, PAGE + 10) == 0);
	CHECK(touch(p + 2 * PAGE, 0) == SIGBUS && fault_code == BUS_ADRERR);
	CHECK(touch(p + 2 * PAGE, 1) == SIGBUS && touch(p + PAGE, 1) == 0);
	CHECK(ftruncate(fd, 3 * PAGE) == 0 && touch(p + 2 * PAGE, 0) == 0 && p[2 * PAGE] == 0);
	CHECK(munmap(p, 3 * PAGE) == 0);
	p = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	p[0] = 'x';
	CHECK(pread(fd, buf, 1, 0) == 1 && buf[0] == 'H' && p[0] == 'x' && p[1] == 'E');
	munmap(p, PAGE);
	close(fd);
	close(rd);
}

static void test_fixed(void)
{
	char *p = pages(8);

	p[0] = 1;
	p[3 * PAGE] = 3;
	CHECK(mmap(p + 3 * PAGE, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0) == p + 3 * PAGE &&
	      p[3 * PAGE] == 0);
	CHECK(touch(p + 3 * PAGE, 1) == SIGSEGV && fault_code == SEGV_ACCERR);
	CHECK_ERR(mmap(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	CHECK(munmap(p + PAGE, PAGE) == 0 &&
	      mmap(p + PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == p + PAGE);
	CHECK(munmap(p, PAGE) == 0 && mmap(p, PAGE, RW, ANON, -1, 0) == p);
	CHECK_ERR(munmap(p + 1, PAGE), EINVAL);
	CHECK_ERR(munmap(p, 0), EINVAL);
	CHECK(munmap(p, 8 * PAGE) == 0 && munmap(p, 8 * PAGE) == 0);
}

static void test_mprotect(void)
{
	char *p = pages(4);
	int fd = open("/proc/self/exe", O_RDONLY);
	char *f = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	memset(p, 5, 4 * PAGE);
	CHECK(mprotect(p + PAGE, PAGE, PROT_READ) == 0 && touch(p + PAGE, 1) == SIGSEGV &&
	      p[PAGE] == 5);
	CHECK(mprotect(p + PAGE, PAGE, PROT_NONE) == 0 && touch(p + PAGE, 0) == SIGSEGV &&
	      fault_code == SEGV_ACCERR);
	CHECK(mprotect(p + PAGE, PAGE, RW) == 0 && touch(p + PAGE, 1) == 0 && p[PAGE + 1] == 5);
	CHECK_ERR(syscall(SYS_mprotect, p + 1, PAGE, RW), EINVAL); /* musl rounds the address */
	CHECK_ERR(mprotect(p, PAGE, 0x100), EINVAL);
	CHECK_ERR(mprotect(f, PAGE, RW), EACCES);
	CHECK(mprotect(p, 0, PROT_READ) == 0);
	munmap(p + 2 * PAGE, PAGE);
	CHECK_ERR(mprotect(p, 4 * PAGE, PROT_READ), ENOMEM);
	CHECK(touch(p, 1) == SIGSEGV && touch(p + 3 * PAGE, 1) == 0);
	munmap(p, 4 * PAGE);
	munmap(f, PAGE);
	close(fd);
	p = mmap(NULL, PAGE, PROT_WRITE, ANON, -1, 0);
	CHECK(touch(p, 1) == 0 && touch(p, 0) == 0);
	munmap(p, PAGE);
}

static void test_mremap(void)
{
	char *p = pages(8), *q;

	p[0] = 1;
	p[PAGE] = 2;
	CHECK(mremap(p, 8 * PAGE, 4 * PAGE, 0) == p && touch(p + 4 * PAGE, 0) == SIGSEGV);
	CHECK(mremap(p, 4 * PAGE, 8 * PAGE, 0) == p && touch(p + 7 * PAGE, 1) == 0);
	CHECK(mmap(p + 7 * PAGE, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0) == p + 7 * PAGE);
	CHECK_ERR(mremap(p, 7 * PAGE, 9 * PAGE, 0), ENOMEM);
	q = mremap(p, 7 * PAGE, 700 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && q != p && q[0] == 1 && q[PAGE] == 2 && touch(p, 0) == SIGSEGV);
	CHECK(mremap(q, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p && p[PAGE] == 2);
	CHECK(touch(q, 0) == SIGSEGV && touch(q + 2 * PAGE, 0) == 0);
	CHECK_ERR(mremap(p, PAGE, PAGE, MREMAP_FIXED, q), EINVAL);
	CHECK_ERR(mremap(p, PAGE, 0, 0), EINVAL);
	CHECK_ERR(mremap(p + 1, PAGE, PAGE, 0), EINVAL);
	CHECK_ERR(mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE), EINVAL);
	CHECK_ERR(mremap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
	munmap(q, 700 * PAGE);
	q = mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	CHECK(q != MAP_FAILED && q[PAGE] == 2 && p[PAGE] == 0);
	munmap(q, 2 * PAGE);
	munmap(p, 8 * PAGE);
	p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	p[0] = 7;
	q = mremap(p, 0, 2 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && q != p && q[0] == 7);
	q[1] = 8;
	CHECK(p[1] == 8);
	munmap(p, 2 * PAGE);
	munmap(q, 2 * PAGE);
}

static void test_madvise(void)
{
	char *p = pages(4);
	unsigned char vec[4];
	int status;

	memset(p, 1, 4 * PAGE);
	CHECK(madvise(p, 2 * PAGE, MADV_DONTNEED) == 0 && p[0] == 0 && p[2 * PAGE] == 1);
	CHECK(madvise(p, 4 * PAGE, MADV_DONTNEED) == 0 && mincore(p, 4 * PAGE, vec) == 0 &&
	      !vec[1]);
	CHECK(madvise(p, PAGE, MADV_POPULATE_WRITE) == 0 && mincore(p, 4 * PAGE, vec) == 0 &&
	      (vec[0] & 1));
	CHECK_ERR(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_ERR(madvise(p, PAGE, 12345), EINVAL);
	CHECK(madvise(p, 0, MADV_DONTNEED) == 0);
	CHECK_ERR(madvise(p, PAGE, MADV_REMOVE), EINVAL);
	CHECK(madvise(p, PAGE, MADV_WILLNEED) == 0 && madvise(p, PAGE, MADV_SEQUENTIAL) == 0);
	p[0] = 5;
	p[PAGE] = 6;
	CHECK(madvise(p, PAGE, MADV_WIPEONFORK) == 0 &&
	      madvise(p + 2 * PAGE, PAGE, MADV_DONTFORK) == 0);
	if (fork() == 0)
		_exit(p[0] == 0 && p[PAGE] == 6 && touch(p + 2 * PAGE, 0) == SIGSEGV ? 0 : 1);
	CHECK(wait(&status) > 0 && status == 0);
	munmap(p + 3 * PAGE, PAGE);
	CHECK_ERR(madvise(p, 4 * PAGE, MADV_DONTNEED), ENOMEM);
	CHECK(p[0] == 0);
	CHECK_ERR(mincore(p, 4 * PAGE, vec), ENOMEM);
	CHECK_ERR(mincore(p + 1, PAGE, vec), EINVAL);
	CHECK_ERR(mincore(p, PAGE, (void *)1), EFAULT);
	munmap(p, 4 * PAGE);
	p = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	p[0] = 1;
	CHECK(madvise(p, PAGE, MADV_DONTNEED) == 0 && p[0] == 1);
	CHECK(madvise(p, PAGE, MADV_REMOVE) == 0 && p[0] == 0);
	CHECK(mprotect(p, PAGE, PROT_READ) == 0);
	CHECK_ERR(madvise(p, PAGE, MADV_POPULATE_WRITE), EINVAL);
	CHECK(mprotect(p, PAGE, PROT_WRITE) == 0);
	CHECK_ERR(madvise(p, PAGE, MADV_POPULATE_READ), EINVAL);
	munmap(p, 2 * PAGE);
}

static void test_brk(void)
{
	char *start = sbrk(0), *raw = (char *)syscall(SYS_brk, 0);
	struct rlimit old, lim;

	CHECK(raw != NULL);
	CHECK((char *)syscall(SYS_brk, raw + 5 * PAGE) == raw + 5 * PAGE &&
	      touch(raw + 4 * PAGE, 1) == 0);
	CHECK((char *)syscall(SYS_brk, raw) == raw && touch(raw + 4 * PAGE, 1) == SIGSEGV);
	CHECK((char *)syscall(SYS_brk, 1) == raw);
	getrlimit(RLIMIT_DATA, &old);
	lim = old;
	lim.rlim_cur = PAGE;
	setrlimit(RLIMIT_DATA, &lim);
	CHECK((char *)syscall(SYS_brk, raw + 64 * PAGE) == raw);
	CHECK_ERR(mmap(NULL, 64 * PAGE, RW, ANON, -1, 0), ENOMEM);
	setrlimit(RLIMIT_DATA, &old);
	(void)start;
}

static void test_sync_lock(void)
{
	char *p = pages(3);
	struct rlimit old, lim;

	CHECK(msync(p, 3 * PAGE, MS_SYNC) == 0 && msync(p, 3 * PAGE, MS_ASYNC) == 0);
	CHECK_ERR(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERR(msync(p + 1, PAGE, MS_SYNC), EINVAL);
	CHECK_ERR(msync(p, PAGE, 64), EINVAL);
	CHECK(mlock(p, 3 * PAGE) == 0);
	CHECK_ERR(msync(p, PAGE, MS_INVALIDATE), EBUSY);
	CHECK_ERR(madvise(p, PAGE, MADV_DONTNEED), EINVAL);
	CHECK(munlock(p, 3 * PAGE) == 0);
	munmap(p + PAGE, PAGE);
	CHECK_ERR(msync(p, 3 * PAGE, MS_SYNC), ENOMEM);
	CHECK_ERR(mlock(p, 3 * PAGE), ENOMEM);
	CHECK_ERR(syscall(SYS_mlock2, p, PAGE, 8), EINVAL);
	CHECK_ERR(mlockall(0), EINVAL);
	CHECK_ERR(mlockall(64), EINVAL);
	munmap(p, 3 * PAGE);
	getrlimit(RLIMIT_AS, &old);
	lim = old;
	lim.rlim_cur = 64 << 20;
	setrlimit(RLIMIT_AS, &lim);
	CHECK_ERR(mmap(NULL, 128 << 20, RW, ANON, -1, 0), ENOMEM);
	setrlimit(RLIMIT_AS, &old);
}

static void test_fork(void)
{
	char *priv = pages(2), *shared = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	priv[0] = 1;
	if (fork() == 0) {
		int good = priv[0] == 1;

		priv[0] = 2;
		priv[PAGE] = 3;
		shared[0] = 9;
		_exit(good ? 0 : 1);
	}
	CHECK(wait(&status) > 0 && status == 0);
	CHECK(priv[0] == 1 && priv[PAGE] == 0 && shared[0] == 9);
	munmap(priv, 2 * PAGE);
	munmap(shared, PAGE);
}

static void test_process_vm(void)
{
	char *p = pages(2), buf[64] = "";
	struct iovec local = { buf, 10 }, remote = { p + PAGE - 5, 10 };
	int status, pipes[2];
	pid_t pid;

	memcpy(p + PAGE - 5, "0123456789", 10);
	REQUIRE(pipe(pipes) == 0);
	pid = fork();
	if (pid == 0) {
		char c;

		p[PAGE] = 'x';
		close(pipes[1]);
		_exit(read(pipes[0], &c, 1) == 0 && p[PAGE - 5] == '#' ? 0 : 1);
	}
	CHECK(EVENTUALLY(is_asleep(pid)));
	CHECK(process_vm_readv(pid, &local, 1, &remote, 1, 0) == 10 &&
	      !memcmp(buf, "01234x6789", 10));
	buf[0] = '#';
	CHECK(process_vm_writev(pid, &local, 1, &remote, 1, 0) == 10);
	remote.iov_base = p + 2 * PAGE - 4;
	CHECK(process_vm_readv(pid, &local, 1, &remote, 1, 0) == 4 || p[2 * PAGE - 4] == 0);
	remote.iov_base = (void *)16;
	CHECK_ERR(process_vm_readv(pid, &local, 1, &remote, 1, 0), EFAULT);
	CHECK_ERR(process_vm_readv(pid, &local, 1, &remote, 1, 1), EINVAL);
	CHECK_ERR(process_vm_readv(0x3fffff, &local, 1, &remote, 1, 0), ESRCH);
	close(pipes[1]);
	close(pipes[0]);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	munmap(p, 2 * PAGE);
}

/* Uses about @depth KiB of stack. */
static __attribute__((noinline)) int deep(int depth)
{
	volatile char frame[1024];

	frame[0] = (char)depth;
	return depth ? deep(depth - 1) + frame[0] * 0 : 0;
}

static void test_stack(void)
{
	char *p = mmap(NULL, 300 * PAGE, PROT_NONE, ANON, -1, 0);
	char *s = mmap(p + 290 * PAGE, PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);

	CHECK(deep(4096) == 0);
	CHECK(s == p + 290 * PAGE && touch(s, 1) == 0);
	munmap(p, 290 * PAGE);
	CHECK(touch(s - 20 * PAGE, 1) == 0);
	munmap(p, 300 * PAGE);
	CHECK(touch((char *)0, 0) == SIGSEGV && fault_code == SEGV_MAPERR);
}

/*
 * Threads fault the same fresh pages while another drops them: each page reads as zero or as what
 * was written.
 */
static char *race_area;
static volatile int race_stop, race_bad;

static void *race_toucher(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;

	while (!race_stop) {
		volatile char *p = race_area + (rand_r(&seed) % 64) * PAGE;
		char c = *p;

		if (c != 0 && c != 1)
			race_bad = 1;
		*p = 1;
	}
	return NULL;
}

static void test_races(void)
{
	pthread_t t[4];
	int status, bad = 0;

	race_area = pages(64);
	for (long i = 0; i < 4; i++)
		REQUIRE(pthread_create(&t[i], NULL, race_toucher, (void *)(i + 1)) == 0);
	for (int i = 0; i < 200; i++) {
		madvise(race_area + (i % 32) * PAGE, 32 * PAGE, MADV_DONTNEED);
		if (i % 20 == 0) {
			pid_t pid = fork();

			if (pid == 0) {
				for (int k = 0; k < 64; k++)
					race_area[k * PAGE] = 2;
				_exit(0);
			}
			bad |= waitpid(pid, &status, 0) != pid || status;
		}
	}
	race_stop = 1;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK(!race_bad && !bad);
	munmap(race_area, 64 * PAGE);
}

/* A record of the kernel's log goes to memory that is not there yet. */
static void test_kmsg(void)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);

	REQUIRE(p != MAP_FAILED && fd >= 0);
	CHECK(read(fd, p + 4096, 4096) > 0 && p[4096] >= '0' && p[4096] <= '9');
	CHECK_ERR(read(fd, NULL, 4096), EFAULT);
	close(fd);
	munmap(p, 8192);
}

int main(void)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	test_mmap();
	test_fixed();
	test_mprotect();
	test_mremap();
	test_madvise();
	test_brk();
	test_sync_lock();
	test_fork();
	test_process_vm();
	test_stack();
	test_races();
	test_kmsg();
	return tap_done();
}
