/* futex(2), get_robust_list(2), membarrier(2). */
#define _GNU_SOURCE
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tap.h"

static uint32_t word, word2;
static volatile int woken;
static volatile pid_t tids[8];
static volatile int started;

static long fut(uint32_t *u, int op, uint32_t val, void *t, uint32_t *u2, uint32_t v3)
{
	return syscall(SYS_futex, u, op, val, t, u2, v3);
}

/* A thread of start() says who it is; the how manieth it is. */
static int here(void)
{
	int n = __atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);

	tids[n] = gettid();
	return n;
}

static void *waiter(void *arg)
{
	here();
	if (!fut(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0))
		__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static int all_asleep(int n)
{
	for (int i = 0; i < n; i++)
		if (!tids[i] || task_state(getpid(), tids[i]) != 'S')
			return 0;
	return 1;
}

/* Threads that run @fn, which calls here(); back when all of them sleep. */
static void start(pthread_t *t, int n, void *(*fn)(void *))
{
	woken = started = 0;
	for (int i = 0; i < n; i++) {
		tids[i] = 0;
		pthread_create(&t[i], NULL, fn, NULL);
	}
	CHECK(EVENTUALLY(all_asleep(n)));
}

static void join(pthread_t *t, int n)
{
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
}

static void test_wait_wake(void)
{
	pthread_t t[4];
	struct timespec ts = { 0, 5000000 }, abs;

	CHECK_ERR(fut(&word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
	CHECK_ERR(fut(&word, FUTEX_WAIT, 0, &ts, NULL, 0), ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &abs);
	abs.tv_sec = 0;
	CHECK_ERR(fut(&word, FUTEX_WAIT_BITSET, 0, &abs, NULL, ~0u), ETIMEDOUT);
	clock_gettime(CLOCK_REALTIME, &abs);
	abs.tv_nsec += 5000000;
	if (abs.tv_nsec >= 1000000000) {
		abs.tv_nsec -= 1000000000;
		abs.tv_sec++;
	}
	CHECK_ERR(fut(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &abs, NULL, ~0u),
		  ETIMEDOUT);
	CHECK_ERR(fut(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERR(fut((uint32_t *)((char *)&word + 1), FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
	CHECK_ERR(fut((uint32_t *)8, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
	CHECK_ERR(fut(&word, 77, 0, NULL, NULL, 0), ENOSYS);
	ts.tv_nsec = 1000000000;
	CHECK_ERR(fut(&word, FUTEX_WAIT, 0, &ts, NULL, 0), EINVAL);
	CHECK(fut(&word, FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
	start(t, 4, waiter);
	CHECK(fut(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 1);
	CHECK(fut(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 3);
	join(t, 4);
	CHECK(woken == 4);
}

static void test_requeue(void)
{
	pthread_t t[4];

	start(t, 4, waiter);
	CHECK_ERR(fut(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &word2, 5), EAGAIN);
	CHECK(fut(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &word2, 0) == 3);
	CHECK(fut(&word2, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 2);
	CHECK(fut(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 1);
	join(t, 4);
	start(t, 2, waiter);
	word2 = 10;
	CHECK(fut(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word2,
		  FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 10)) == 1);
	CHECK(word2 == 15);
	CHECK(fut(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 1);
	join(t, 2);
	word2 = 0;
}

static volatile int woken_bits;

static void *bit_waiter(void *arg)
{
	uint32_t bit = 1u << here();

	if (!fut(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, bit))
		__atomic_or_fetch(&woken_bits, (int)bit, __ATOMIC_SEQ_CST);
	return NULL;
}

/* FUTEX_WAKE_BITSET wakes those who wait for one of its bits. */
static void test_bitset(void)
{
	pthread_t t[4];

	CHECK_ERR(fut(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 0), EINVAL);
	start(t, 4, bit_waiter);
	CHECK(fut(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 1 << 8) == 0);
	CHECK(fut(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, 2 | 8 | 1 << 8) == 2);
	CHECK(EVENTUALLY(woken_bits == (2 | 8)));
	CHECK(fut(&word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 4 | 2) == 1);
	CHECK(EVENTUALLY(woken_bits == (2 | 4 | 8)));
	CHECK(fut(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 1); /* any bit */
	join(t, 4);
	CHECK(woken_bits == 15);
}

/* FUTEX_REQUEUE looks at no value; whom it wakes and whom it moves are counted together. */
static void test_requeue_blindly(void)
{
	pthread_t t[4];

	start(t, 4, waiter);
	CHECK(fut(&word, FUTEX_REQUEUE_PRIVATE, 1, (void *)2, &word2, 12345) == 3);
	CHECK(EVENTUALLY(woken == 1));
	CHECK(fut(&word2, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 2);
	CHECK(fut(&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 1);
	join(t, 4);
}

/* What FUTEX_WAKE_OP makes of the second word. */
static void test_wake_op(void)
{
	static const struct {
		int op, arg;
		uint32_t before, after;
	} rows[] = {
		{ FUTEX_OP_SET, 7, 100, 7 },
		{ FUTEX_OP_SET, -3, 100, -3u },
		{ FUTEX_OP_ADD, -1, 100, 99 },
		{ FUTEX_OP_OR, 0x50, 0x105, 0x155 },
		{ FUTEX_OP_ANDN, 0x0f, 0x1ff, 0x1f0 },
		{ FUTEX_OP_XOR, 0x0ff, 0x1f0, 0x10f },
		{ FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT, 31, 0, 1u << 31 },
		{ FUTEX_OP_ADD | FUTEX_OP_OPARG_SHIFT, 4, 3, 19 },
		{ FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 9, 1, 0x201 },
		{ FUTEX_OP_ANDN | FUTEX_OP_OPARG_SHIFT, 0, 3, 2 },
		{ FUTEX_OP_XOR | FUTEX_OP_OPARG_SHIFT, 1, 3, 1 },
	};
	uint32_t first = 0, second;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint32_t how = ((uint32_t)rows[i].op << 28) | ((uint32_t)FUTEX_OP_CMP_EQ << 24) |
			       (((uint32_t)rows[i].arg & 0xfff) << 12);

		second = rows[i].before;
		if (!CHECK(fut(&first, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &second, how) == 0 &&
			   second == rows[i].after && first == 0))
			printf("# row %zu: %#x\n", i, second);
	}
}

static uint32_t *view[2]; /* one file, mapped twice */

static void *view_waiter(void *arg)
{
	here();
	if (!fut(view[0], FUTEX_WAIT, 0, NULL, NULL, 0))
		__atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* A word of a file is the same one at each address and in each process that maps it shared. */
static void test_file(void)
{
	int fd = memfd_create("futex", 0), st;
	uint32_t *private;
	pthread_t t[1];
	pid_t p;

	REQUIRE(fd >= 0 && !ftruncate(fd, 8192));
	for (int i = 0; i < 2; i++)
		view[i] = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	private = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	REQUIRE(view[0] != view[1] && view[1] != MAP_FAILED && private != MAP_FAILED);
	start(t, 1, view_waiter);
	CHECK(fut(view[1] + 1, FUTEX_WAKE, INT_MAX, NULL, NULL, 0) == 0);
	CHECK(fut(view[1] + 1024, FUTEX_WAKE, INT_MAX, NULL, NULL, 0) == 0); /* next page */
	CHECK(fut(private, FUTEX_WAKE, INT_MAX, NULL, NULL, 0) == 0);
	CHECK(fut(view[1], FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0) == 0);
	CHECK(fut(view[1], FUTEX_WAKE, INT_MAX, NULL, NULL, 0) == 1);
	join(t, 1);
	CHECK(woken == 1);
	p = fork();
	if (p == 0) {
		munmap(view[0], 8192);
		munmap(view[1], 8192);
		view[0] = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
		_exit(fut(view[0] + 3, FUTEX_WAIT, 0, NULL, NULL, 0) ? 1 : 0);
	}
	CHECK(EVENTUALLY(is_asleep(p)));
	CHECK(fut(view[0] + 3, FUTEX_WAKE, INT_MAX, NULL, NULL, 0) == 0);
	CHECK(fut(view[1] + 1024 + 3, FUTEX_WAKE, INT_MAX, NULL, NULL, 0) == 1);
	CHECK(waitpid(p, &st, 0) == p && st == 0);
	munmap(view[0], 8192);
	munmap(view[1], 8192);
	munmap(private, 8192);
	close(fd);
}

static void test_shared(void)
{
	uint32_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t p;
	int st;

	p = fork();
	if (p == 0)
		_exit(fut(m, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 || errno == EAGAIN ? 0 : 1);
	CHECK(EVENTUALLY(is_asleep(p)));
	*m = 1;
	CHECK(fut(m, FUTEX_WAKE, 1, NULL, NULL, 0) == 1);
	CHECK(waitpid(p, &st, 0) == p && st == 0);
	munmap(m, 4096);
}

static void test_robust(void)
{
	pthread_mutexattr_t a;
	pthread_mutex_t *mx =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile int *locked = (volatile int *)(mx + 1);
	pid_t p;
	int st;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutex_init(mx, &a);
	p = fork();
	if (p == 0) {
		pthread_mutex_lock(mx);
		*locked = 1;
		_exit(!EVENTUALLY(is_asleep(getppid())));
	}
	while (!*locked)
		sched_yield();
	CHECK(pthread_mutex_lock(mx) == EOWNERDEAD);
	CHECK(!pthread_mutex_consistent(mx) && !pthread_mutex_unlock(mx) &&
	      !pthread_mutex_lock(mx));
	pthread_mutex_unlock(mx);
	CHECK(waitpid(p, &st, 0) == p && st == 0);
	CHECK_ERR(syscall(SYS_set_robust_list, NULL, 5), EINVAL);
}

static uint32_t pi;
static volatile int pi_order;

static void *pi_locker(void *arg)
{
	here();
	if (!fut(&pi, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0)) {
		pi_order++;
		CHECK((pi & FUTEX_TID_MASK) == (uint32_t)gettid());
		fut(&pi, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	}
	return NULL;
}

static void test_pi(void)
{
	pthread_t t[2];
	struct timespec abs;

	CHECK(!fut(&pi, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) && pi == (uint32_t)gettid());
	CHECK_ERR(fut(&pi, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
	CHECK_ERR(fut(&pi, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
	start(t, 2, pi_locker);
	CHECK(pi & FUTEX_WAITERS);
	CHECK(!fut(&pi, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
	join(t, 2);
	CHECK(pi_order == 2 && pi == 0);
	CHECK_ERR(fut(&pi, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EPERM);
	pi = 1 << 20;
	CHECK_ERR(fut(&pi, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), ESRCH);
	pi = (uint32_t)getppid();
	clock_gettime(CLOCK_REALTIME, &abs);
	CHECK_ERR(fut(&pi, FUTEX_LOCK_PI_PRIVATE, 0, &abs, NULL, 0), ETIMEDOUT);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn;

static void *pinger(void *arg)
{
	for (int i = 0; i < 300; i++) {
		pthread_mutex_lock(&mutex);
		while (turn != (int)(long)arg)
			pthread_cond_wait(&cond, &mutex);
		turn = !turn;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void on_alarm(int sig)
{
}

static void test_more(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval it = { { 0, 10000 }, { 0, 10000 } }, off = { { 0, 0 }, { 0, 0 } };
	struct timespec ts = { TAP_LONG, 0 };
	pthread_t t[2];
	long mb;

	pthread_create(&t[0], NULL, pinger, (void *)0);
	pthread_create(&t[1], NULL, pinger, (void *)1);
	join(t, 2);
	CHECK(turn == 0);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	CHECK_ERR(fut(&word, FUTEX_WAIT, 0, &ts, NULL, 0), EINTR);
	setitimer(ITIMER_REAL, &off, NULL);
	mb = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
	CHECK(mb > 0 && (mb & MEMBARRIER_CMD_PRIVATE_EXPEDITED));
	CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
	CHECK(!syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
	CHECK(!syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
	CHECK_ERR(syscall(SYS_membarrier, 1 << 29, 0, 0), EINVAL);
}

/* What is refused, in which order; the comparisons of FUTEX_WAKE_OP. */
static void test_refused(void)
{
	static const int cmps[6][3] = { { 0, 1, 0 }, { 1, 0, 1 }, { 1, 0, 0 },
					{ 1, 1, 0 }, { 0, 0, 1 }, { 0, 1, 1 } };
	uint32_t *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint32_t op[2] = { 0, 0 };
	struct timespec none = { 0, 0 };
	pthread_t t[1];

	CHECK_ERR(fut(ro, FUTEX_WAIT, 0, &none, NULL, 0), EFAULT);
	CHECK_ERR(fut(ro, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
	CHECK(fut(ro, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0);
	munmap(ro, 4096);
	CHECK_ERR(fut((uint32_t *)((char *)op + 1), FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0),
		  EPERM);
	CHECK_ERR(fut(op, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)1, (uint32_t *)8, 0), EFAULT);
	CHECK_ERR(fut(op, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &op[1], FUTEX_OP(1, 1, 6, 0)),
		  ENOSYS);
	CHECK(op[1] == 1);
	for (int cmp = 0; cmp < 6; cmp++) {
		for (int v = 0; v < 3; v++) {
			int woken;

			start(t, 1, waiter); /* on word, which is the second here */
			word = 0;
			/* Its value is 0: compared with 1, 0 and -1 it is less, equal, greater. */
			woken = (int)fut(op, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &word,
					 FUTEX_OP(FUTEX_OP_ADD, 0, cmp, (1 - v)));
			CHECK(woken == cmps[cmp][v]);
			if (!woken)
				fut(&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
			join(t, 1);
		}
	}
}

int main(void)
{
	alarm(TAP_LIMIT);
	test_wait_wake();
	test_requeue();
	test_bitset();
	test_requeue_blindly();
	test_wake_op();
	test_file();
	test_shared();
	test_robust();
	test_pi();
	test_more();
	test_refused();
	return tap_done();
}
