/* getrandom(2), set_tid_address(2), sync(2), syncfs(2): what they answer. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "tap.h"

#ifndef GRND_INSECURE
#define GRND_INSECURE 4
#endif
#define PAGE 4096

static long get(void *p, size_t n, unsigned flags)
{
	return syscall(SYS_getrandom, p, n, flags);
}

static void test_random(void)
{
	char *m = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const unsigned flags[] = { 0,
				   GRND_NONBLOCK,
				   GRND_RANDOM,
				   GRND_RANDOM | GRND_NONBLOCK,
				   GRND_INSECURE,
				   GRND_INSECURE | GRND_NONBLOCK };
	char a[64] = "", b[64] = "";
	long n;

	for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		CHECK(get(a, sizeof(a), flags[i]) == sizeof(a) && memcmp(a, b, sizeof(a)));
		memcpy(b, a, sizeof(b));
	}
	CHECK(get(NULL, 0, 0) == 0 && get(m, PAGE + 1, 0) == PAGE + 1);
	CHECK_ERR(get(a, 1, 8), EINVAL);
	CHECK_ERR(get(a, 1, GRND_RANDOM | GRND_INSECURE), EINVAL);
	CHECK_ERR(get(NULL, 0, 1u << 31), EINVAL);
	CHECK_ERR(get(NULL, 8, 0), EFAULT);
	CHECK_ERR(get((void *)-PAGE, 8, 0), EFAULT);
	munmap(m + PAGE, PAGE);
	CHECK_ERR(get(m + PAGE, 8, 0), EFAULT);
	/* What there is room for. */
	memset(m, 0, PAGE);
	n = get(m + PAGE - 256, 512, 0);
	CHECK(n == 256);
	CHECK(get(a, 3, 0) == 3);
	munmap(m, PAGE);
}

static char stack[16384] __attribute__((aligned(16)));
static volatile uint32_t word;

static int child(void *unused)
{
	return syscall(SYS_set_tid_address, &word) == syscall(SYS_gettid) ? 0 : 1;
}

/* The word of one that shares memory is cleared at its end, and who waits there is woken. */
static void test_tid_address(void)
{
	struct timespec t = { TAP_PATIENCE_MS / 1000, 0 };
	int st = -1;
	pid_t pid;

	word = 77;
	pid = clone(child, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
	while (word == 77 &&
	       (!syscall(SYS_futex, &word, FUTEX_WAIT, 77, &t, NULL, 0) || errno == EINTR))
		;
	CHECK(word == 0 && waitpid(pid, &st, 0) == pid && st == 0);
	/* Any address is taken; one that cannot be written is left alone. */
	if (!fork())
		_exit(syscall(SYS_set_tid_address, 8) == syscall(SYS_gettid) ? 0 : 1);
	CHECK(wait(&st) > 0 && st == 0);
	/* Memory of its own is not looked at any more. */
	pid = fork();
	if (!pid)
		_exit(syscall(SYS_set_tid_address, -1) == getpid() ? 0 : 1);
	CHECK(wait(&st) > 0 && st == 0);
}

static void test_sync(void)
{
	int file = open("/tmp", O_RDONLY), path = open("/tmp", O_PATH), p[2];

	CHECK(syscall(SYS_sync) == 0);
	CHECK(!pipe(p) && !syscall(SYS_syncfs, file) && !syscall(SYS_syncfs, p[0]));
	CHECK_ERR(syscall(SYS_syncfs, path), EBADF);
	CHECK_ERR(syscall(SYS_syncfs, -1), EBADF);
	close(file);
	CHECK_ERR(syscall(SYS_syncfs, file), EBADF);
}

int main(void)
{
	alarm(TAP_LIMIT);
	test_random();
	test_tid_address();
	test_sync();
	return tap_done();
}
