/* futex_waitv(2): waiting for several words, which of them was woken, limits and bad arguments. */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include "tap.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

static uint32_t words[FUTEX_WAITV_MAX + 1];
static struct futex_waitv vec[FUTEX_WAITV_MAX + 1];

static long waitv(void *v, unsigned n, unsigned flags, struct timespec *ts, int clock)
{
	return syscall(SYS_futex_waitv, v, n, flags, ts, clock);
}

static long wake(uint32_t *u, int flags)
{
	return syscall(SYS_futex, u, FUTEX_WAKE | flags, 1, NULL, NULL, 0);
}

static void fill(int flags)
{
	for (int i = 0; i <= FUTEX_WAITV_MAX; i++)
		vec[i] = (struct futex_waitv){ .val = words[i],
					       .uaddr = (uintptr_t)&words[i],
					       .flags = FUTEX_32 | flags };
}

static volatile pid_t tid;
static volatile long result;
static struct timespec *until;

static void *waiter(void *arg)
{
	tid = gettid();
	result = waitv(vec, (unsigned)(intptr_t)arg, 0, until, CLOCK_MONOTONIC);
	if (result < 0)
		result = -errno;
	return NULL;
}

static pthread_t start(int n)
{
	pthread_t t;

	tid = 0;
	result = 1000;
	pthread_create(&t, NULL, waiter, (void *)(intptr_t)n);
	CHECK(EVENTUALLY(tid && task_state(getpid(), tid) == 'S'));
	return t;
}

static void test_wake(void)
{
	static const int which[] = { 0, 3, FUTEX_WAITV_MAX - 1 };
	pthread_t t;

	for (int i = 0; i < 3; i++) {
		fill(FUTEX_PRIVATE_FLAG);
		t = start(FUTEX_WAITV_MAX);
		CHECK(wake(&words[which[i]], 0) == 0); /* the shared word is another */
		CHECK(wake(&words[which[i]], FUTEX_PRIVATE_FLAG) == 1);
		pthread_join(t, NULL);
		CHECK(result == which[i]);
		CHECK(wake(&words[5], FUTEX_PRIVATE_FLAG) == 0);
	}
}

static void test_shared(void)
{
	uint32_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_t t;

	fill(0);
	vec[1].uaddr = (uintptr_t)m;
	t = start(2);
	CHECK(wake(m, 0) == 1);
	pthread_join(t, NULL);
	CHECK(result == 1);
	munmap(m, 4096);
}

static void on_signal(int sig)
{
}

static void test_ends(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct timespec ts;
	pthread_t t;

	fill(FUTEX_PRIVATE_FLAG);
	words[2] = 1;
	CHECK_ERR(waitv(vec, 3, 0, NULL, 0), EAGAIN);
	words[2] = 0;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	CHECK_ERR(waitv(vec, 3, 0, &ts, CLOCK_MONOTONIC), ETIMEDOUT);
	clock_gettime(CLOCK_REALTIME, &ts);
	CHECK_ERR(waitv(vec, 3, 0, &ts, CLOCK_REALTIME), ETIMEDOUT);
	sigaction(SIGUSR1, &sa, NULL);
	t = start(3);
	syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
	pthread_join(t, NULL);
	CHECK(result == -EINTR);
	sa.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &sa, NULL);
	t = start(3);
	syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
	CHECK(EVENTUALLY(wake(&words[1], FUTEX_PRIVATE_FLAG) == 1));
	pthread_join(t, NULL);
	CHECK(result == 1);
}

static void test_bad(void)
{
	struct timespec ts = { 0, 1000000000 };

	fill(0);
	CHECK_ERR(waitv(vec, 0, 0, NULL, 0), EINVAL);
	CHECK_ERR(waitv(vec, FUTEX_WAITV_MAX + 1, 0, NULL, 0), EINVAL);
	CHECK_ERR(waitv(NULL, 1, 0, NULL, 0), EINVAL);
	CHECK_ERR(waitv(vec, 1, 1, NULL, 0), EINVAL);
	CHECK_ERR(waitv((void *)8, 1, 0, NULL, 0), EFAULT);
	CHECK_ERR(waitv(vec, 1, 0, &ts, CLOCK_BOOTTIME), EINVAL);
	CHECK_ERR(waitv(vec, 1, 0, &ts, CLOCK_MONOTONIC), EINVAL);
	CHECK_ERR(waitv(vec, 1, 0, (void *)8, CLOCK_MONOTONIC), EFAULT);
	vec[1].flags = 0;
	CHECK_ERR(waitv(vec, 2, 0, NULL, 0), EINVAL);
	vec[1].flags = FUTEX_32 | 1;
	CHECK_ERR(waitv(vec, 2, 0, NULL, 0), EINVAL);
	fill(0);
	vec[1].__reserved = 1;
	CHECK_ERR(waitv(vec, 2, 0, NULL, 0), EINVAL);
	fill(0);
	vec[1].uaddr += 2;
	CHECK_ERR(waitv(vec, 2, 0, NULL, 0), EINVAL);
	vec[1].uaddr = 8;
	CHECK_ERR(waitv(vec, 2, 0, NULL, 0), EFAULT);
	CHECK(wake(&words[0], 0) == 0); /* nothing stays behind */
}

int main(void)
{
	alarm(TAP_LIMIT);
	test_wake();
	test_shared();
	test_ends();
	test_bad();
	return tap_done();
}
