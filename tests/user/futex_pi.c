/*
 * Priority-inheritance futexes: who gets the word, whose priority the owner runs with (also over
 * several locks), deadlocks, owners that die, with and without a robust list, and the two calls
 * that condition variables are made of: FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI. futex(2).
 */
#define _GNU_SOURCE
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "tap.h"

static long fut(uint32_t *u, int op, uint32_t val, void *t, uint32_t *u2, uint32_t v3)
{
	return syscall(SYS_futex, u, op | FUTEX_PRIVATE_FLAG, val, t, u2, v3);
}

static long lock(uint32_t *u)
{
	return fut(u, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
}

static long unlock(uint32_t *u)
{
	return fut(u, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
}

static struct timespec in_ms(clockid_t clock, long ms)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_sec += ms / 1000 + (ts.tv_nsec / 1000000 + ms % 1000) / 1000;
	ts.tv_nsec = (ts.tv_nsec + ms % 1000 * 1000000) % 1000000000;
	return ts;
}

/* Field 18 of the thread's stat: 20 + nice, or -1 - real-time priority; what it runs with. */
static int priority(pid_t tid)
{
	char text[512], *p = task_stat(getpid(), tid, text, sizeof(text));
	int prio = -1000;

	if (p)
		sscanf(p, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %d", &prio);
	return prio;
}

static void set_fifo(pid_t tid, int prio)
{
	struct sched_param p = { .sched_priority = prio };

	syscall(SYS_sched_setscheduler, tid, prio ? SCHED_FIFO : SCHED_OTHER, &p);
}

/* --- a thread that does what it is told --- */

enum what { NOTHING, LOCK, UNLOCK, LOCK_TIMED, WAIT_REQUEUE, END };

struct worker {
	pthread_t thread;
	sem_t up, told; /* it runs; it has something to do */
	pid_t tid;
	volatile enum what what; /* NOTHING when it is done */
	uint32_t *volatile word, *volatile word2;
	struct timespec until;
	volatile int timed; /* WAIT_REQUEUE: .until is meant */
	volatile int begun; /* it has seen .what: if it sleeps now, then for that */
	volatile long result; /* negative errno */
	volatile int order;
};

static volatile int locked; /* how often LOCK came to its end */

static void *work(void *arg)
{
	struct worker *w = arg;
	long r = 0;

	w->tid = gettid();
	sem_post(&w->up);
	for (;;) {
		while (sem_wait(&w->told))
			;
		w->begun = 1;
		switch (w->what) {
		case LOCK: r = lock(w->word); break;
		case UNLOCK: r = unlock(w->word); break;
		case LOCK_TIMED: r = fut(w->word, FUTEX_LOCK_PI2, 0, &w->until, NULL, 0); break;
		case WAIT_REQUEUE:
			r = fut(w->word, FUTEX_WAIT_REQUEUE_PI, *w->word,
				w->timed ? &w->until : NULL, w->word2, 0);
			break;
		default: return NULL;
		}
		w->result = r < 0 ? -errno : r;
		if (w->what == LOCK)
			w->order = __atomic_add_fetch(&locked, 1, __ATOMIC_SEQ_CST);
		w->what = NOTHING;
	}
}

static void worker_start(struct worker *w, int prio)
{
	memset(w, 0, sizeof(*w));
	sem_init(&w->up, 0, 0);
	sem_init(&w->told, 0, 0);
	REQUIRE(!pthread_create(&w->thread, NULL, work, w) && !sem_wait(&w->up));
	set_fifo(w->tid, prio);
}

static void tell(struct worker *w, enum what what, uint32_t *word)
{
	w->word = word;
	w->result = 1000;
	w->begun = 0;
	__atomic_store_n(&w->what, what, __ATOMIC_SEQ_CST);
	sem_post(&w->told);
}

/* Tell it and wait for the end. */
static long make(struct worker *w, enum what what, uint32_t *word)
{
	tell(w, what, word);
	if (!EVENTUALLY(w->what == NOTHING))
		return 2000;
	return w->result;
}

/* Tell it what makes it sleep, until it does. */
static int block(struct worker *w, enum what what, uint32_t *word)
{
	tell(w, what, word);
	return EVENTUALLY(w->begun && task_state(getpid(), w->tid) == 'S') && w->what == what;
}

static void worker_end(struct worker *w)
{
	w->what = END;
	sem_post(&w->told);
	pthread_join(w->thread, NULL);
}

/* --- inheritance --- */

static void test_inherit(void)
{
	uint32_t a = 0, b = 0;
	struct worker o, m, h;
	struct timespec soon;

	worker_start(&o, 0);
	worker_start(&m, 0);
	worker_start(&h, 20);
	CHECK(make(&o, LOCK, &a) == 0 && a == (uint32_t)o.tid);
	CHECK(make(&m, LOCK, &b) == 0);
	CHECK(priority(o.tid) == 20 && priority(h.tid) == -21);
	CHECK(block(&m, LOCK, &a) && (a & FUTEX_WAITERS));
	CHECK(priority(o.tid) == 20);
	/* Over two locks. */
	CHECK(block(&h, LOCK, &b));
	CHECK(EVENTUALLY(priority(m.tid) == -21 && priority(o.tid) == -21));
	CHECK(syscall(SYS_sched_getscheduler, o.tid) == SCHED_OTHER);
	/* A waiter's priority changes while it waits. */
	set_fifo(h.tid, 30);
	CHECK(priority(m.tid) == -31 && priority(o.tid) == -31);
	set_fifo(h.tid, 10);
	CHECK(priority(m.tid) == -11 && priority(o.tid) == -11);
	/* The owner's own may be higher. */
	set_fifo(o.tid, 40);
	CHECK(priority(o.tid) == -41);
	set_fifo(o.tid, 5);
	CHECK(priority(o.tid) == -11);
	CHECK(syscall(SYS_sched_getscheduler, o.tid) == SCHED_FIFO);
	set_fifo(o.tid, 0);
	CHECK(priority(o.tid) == -11);
	CHECK(make(&o, UNLOCK, &a) == 0);
	CHECK(priority(o.tid) == 20);
	CHECK(EVENTUALLY(m.what == NOTHING) && m.result == 0 && priority(m.tid) == -11);
	CHECK(make(&m, UNLOCK, &b) == 0 && priority(m.tid) == 20);
	CHECK(EVENTUALLY(h.what == NOTHING) && h.result == 0);
	CHECK((b & FUTEX_TID_MASK) == (uint32_t)h.tid);
	CHECK(make(&h, UNLOCK, &b) == 0 && b == 0);
	CHECK(make(&m, UNLOCK, &a) == 0 && a == 0);
	/* One that gives up takes its priority back. */
	CHECK(make(&o, LOCK, &a) == 0);
	soon = in_ms(CLOCK_MONOTONIC, 300);
	h.until = soon;
	tell(&h, LOCK_TIMED, &a);
	CHECK(EVENTUALLY(h.what == NOTHING) && h.result == -ETIMEDOUT);
	CHECK(priority(o.tid) == 20);
	CHECK(make(&o, UNLOCK, &a) == 0 && a == 0);
	worker_end(&o);
	worker_end(&m);
	worker_end(&h);
}

/* The highest priority first, among equals who came first. */
static void test_order(void)
{
	static const int prio[5] = { 5, 0, 30, 10, 30 }, order[5] = { 4, 5, 1, 3, 2 };
	struct worker w[5];
	uint32_t a = 0;

	CHECK(lock(&a) == 0);
	for (int i = 0; i < 5; i++) {
		worker_start(&w[i], prio[i]);
		CHECK(block(&w[i], LOCK, &a));
	}
	locked = 0;
	CHECK(unlock(&a) == 0);
	for (int n = 1; n <= 5; n++) {
		int i = 0;

		while (i < 4 && order[i] != n)
			i++;
		CHECK(EVENTUALLY(w[i].what == NOTHING) && w[i].order == n);
		CHECK((a & FUTEX_TID_MASK) == (uint32_t)w[i].tid);
		CHECK(make(&w[i], UNLOCK, &a) == 0);
	}
	CHECK(a == 0);
	for (int i = 0; i < 5; i++)
		worker_end(&w[i]);
}

static void test_deadlock(void)
{
	uint32_t a = 0, b = 0, c = 0;
	struct worker x, y;

	worker_start(&x, 0);
	worker_start(&y, 0);
	CHECK(lock(&a) == 0);
	CHECK(make(&x, LOCK, &b) == 0 && make(&y, LOCK, &c) == 0);
	CHECK(block(&x, LOCK, &a));
	CHECK_ERR(lock(&b), EDEADLK);
	CHECK(block(&y, LOCK, &b));
	CHECK_ERR(lock(&c), EDEADLK);
	CHECK_ERR(lock(&a), EDEADLK);
	CHECK_ERR(fut(&c, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EAGAIN);
	CHECK(unlock(&a) == 0);
	CHECK(EVENTUALLY(x.what == NOTHING) && x.result == 0);
	CHECK(make(&x, UNLOCK, &b) == 0);
	CHECK(EVENTUALLY(y.what == NOTHING) && y.result == 0);
	CHECK_ERR(fut(&c, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EAGAIN);
	worker_end(&x);
	worker_end(&y);
}

static void test_errors(void)
{
	struct timespec ts = in_ms(CLOCK_MONOTONIC, 20), wall = in_ms(CLOCK_REALTIME, 20);
	struct worker x;
	uint32_t a = 0;

	CHECK_ERR(unlock(&a), EPERM);
	CHECK_ERR(lock((uint32_t *)8), EFAULT);
	CHECK_ERR(lock((uint32_t *)((char *)&a + 2)), EINVAL);
	CHECK_ERR(syscall(SYS_futex, &a, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, 0),
		  ENOSYS);
	worker_start(&x, 0);
	CHECK(make(&x, LOCK, &a) == 0);
	CHECK_ERR(unlock(&a), EPERM);
	CHECK_ERR(fut(&a, FUTEX_LOCK_PI2, 0, &ts, NULL, 0), ETIMEDOUT);
	CHECK_ERR(fut(&a, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, &wall, NULL, 0), ETIMEDOUT);
	CHECK_ERR(fut(&a, FUTEX_LOCK_PI, 0, &wall, NULL, 0), ETIMEDOUT);
	CHECK(a == ((uint32_t)x.tid | FUTEX_WAITERS));
	CHECK(make(&x, UNLOCK, &a) == 0 && a == 0);
	/* Those who wait for a lock are not to be woken. */
	CHECK(lock(&a) == 0);
	CHECK(block(&x, LOCK, &a));
	CHECK_ERR(fut(&a, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(fut(&a, FUTEX_CMP_REQUEUE, 1, (void *)1, &ts.tv_sec ? (uint32_t *)&ts : NULL, a),
		  EINVAL);
	CHECK(unlock(&a) == 0 && EVENTUALLY(x.what == NOTHING) && x.result == 0);
	CHECK(make(&x, UNLOCK, &a) == 0);
	worker_end(&x);
}

/* --- owners that die --- */

static void test_owner_dies(void)
{
	uint32_t a = 0, dead;
	struct worker o, x, y;

	worker_start(&o, 0);
	worker_start(&x, 10);
	worker_start(&y, 20);
	CHECK(make(&o, LOCK, &a) == 0);
	CHECK(block(&x, LOCK, &a));
	CHECK(block(&y, LOCK, &a));
	worker_end(&o);
	/* No robust list: the best waiter owns it, and the word says why. */
	CHECK(EVENTUALLY(y.what == NOTHING) && y.result == 0 && x.what == LOCK);
	CHECK((a & ~FUTEX_WAITERS) == ((uint32_t)y.tid | FUTEX_OWNER_DIED));
	CHECK(make(&y, UNLOCK, &a) == 0);
	CHECK(EVENTUALLY(x.what == NOTHING) && x.result == 0);
	CHECK((a & ~FUTEX_WAITERS) == (uint32_t)x.tid);
	CHECK(make(&x, UNLOCK, &a) == 0);
	/* Nobody waited: the word is all there is. */
	dead = 0;
	CHECK(make(&x, LOCK, &dead) == 0);
	worker_end(&x);
	CHECK_ERR(lock(&dead), ESRCH);
	CHECK_ERR(fut(&dead, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), ESRCH);
	dead = FUTEX_OWNER_DIED;
	CHECK(lock(&dead) == 0 && dead == ((uint32_t)gettid() | FUTEX_OWNER_DIED));
	CHECK(unlock(&dead) == 0);
	worker_end(&y);
}

static pthread_mutex_t *shared_mutex(void)
{
	pthread_mutex_t *mx =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(mx, &a);
	return mx;
}

/* With a robust list, and in memory that two processes share, at two addresses. */
static void test_robust(void)
{
	pthread_mutex_t *mx = shared_mutex();
	volatile int *locked = (volatile int *)(mx + 1);
	int st;
	pid_t p = fork();

	if (!p) {
		mx = mremap(mx, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (char *)mx + (1 << 20));
		pthread_mutex_lock(mx);
		*(volatile int *)(mx + 1) = 1;
		_exit(!EVENTUALLY(is_asleep(getppid())));
	}
	CHECK(EVENTUALLY(*locked));
	CHECK(pthread_mutex_lock(mx) == EOWNERDEAD);
	CHECK(!pthread_mutex_consistent(mx) && !pthread_mutex_unlock(mx));
	CHECK(!pthread_mutex_lock(mx) && !pthread_mutex_unlock(mx));
	CHECK(waitpid(p, &st, 0) == p && st == 0);
	/* Without anybody waiting. */
	p = fork();
	if (!p) {
		pthread_mutex_lock(mx);
		_exit(0);
	}
	waitpid(p, &st, 0);
	CHECK(pthread_mutex_lock(mx) == EOWNERDEAD);
	CHECK(!pthread_mutex_unlock(mx)); /* not made consistent */
	CHECK(pthread_mutex_lock(mx) == ENOTRECOVERABLE);
}

/* The owner, another process without a robust list, maps the word elsewhere or no more. */
static void test_shared_word(void)
{
	uint32_t *a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int st, has_it[2];
	char c;
	pid_t p;

	REQUIRE(!pipe(has_it));
	p = fork();
	if (!p) {
		if (syscall(SYS_futex, a, FUTEX_LOCK_PI, 0, NULL, NULL, 0) ||
		    write(has_it[1], "l", 1) != 1)
			_exit(2);
		/* Not "is asleep": its output may make it sleep before. */
		if (!EVENTUALLY(*(volatile uint32_t *)a & FUTEX_WAITERS) || munmap(a, 4096))
			_exit(1);
		_exit(0);
	}
	close(has_it[1]);
	CHECK(read(has_it[0], &c, 1) == 1 && a[0] == (uint32_t)p);
	close(has_it[0]);
	CHECK(syscall(SYS_futex, a, FUTEX_LOCK_PI, 0, NULL, NULL, 0) == 0);
	CHECK((a[0] & ~FUTEX_WAITERS) == ((uint32_t)gettid() | FUTEX_OWNER_DIED));
	CHECK(waitpid(p, &st, 0) == p && st == 0);
	CHECK(syscall(SYS_futex, a, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0) == 0);
}

/* --- condition variables --- */

static long requeue_pi(uint32_t *c, uint32_t *m, int wake, int move, uint32_t expect)
{
	return fut(c, FUTEX_CMP_REQUEUE_PI, wake, (void *)(intptr_t)move, m, expect);
}

static int wait_requeue(struct worker *w, uint32_t *c, uint32_t *m)
{
	w->word2 = m;
	return block(w, WAIT_REQUEUE, c);
}

static void test_requeue(void)
{
	uint32_t c = 7, m = 0, other = 0;
	struct worker w[3];

	CHECK_ERR(requeue_pi(&c, &m, 0, 1, 7), EINVAL);
	CHECK_ERR(requeue_pi(&c, &m, 2, 1, 7), EINVAL);
	CHECK_ERR(requeue_pi(&c, &c, 1, 1, 7), EINVAL);
	CHECK_ERR(requeue_pi(&c, &m, 1, -1, 7), EINVAL);
	CHECK_ERR(requeue_pi(&c, &m, 1, 1, 8), EAGAIN);
	CHECK(requeue_pi(&c, &m, 1, 1, 7) == 0 && m == 0);
	CHECK_ERR(fut(&c, FUTEX_WAIT_REQUEUE_PI, 7, NULL, &c, 0), EINVAL);
	CHECK_ERR(fut(&c, FUTEX_WAIT_REQUEUE_PI, 8, NULL, &m, 0), EAGAIN);
	for (int i = 0; i < 3; i++) {
		worker_start(&w[i], 10 + i);
		CHECK(wait_requeue(&w[i], &c, &m));
	}
	/* They are for m, and only by requeueing. */
	CHECK_ERR(fut(&c, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECK_ERR(fut(&c, FUTEX_CMP_REQUEUE, 1, (void *)1, &m, 7), EINVAL);
	CHECK_ERR(requeue_pi(&c, &other, 1, INT_MAX, 7), EINVAL);
	/* Free: one gets it at once, the rest wait for it. */
	CHECK(requeue_pi(&c, &m, 1, INT_MAX, 7) == 3);
	CHECK(EVENTUALLY(w[2].what == NOTHING) && w[2].result == 0);
	CHECK(m == ((uint32_t)w[2].tid | FUTEX_WAITERS));
	CHECK(w[0].what == WAIT_REQUEUE && w[1].what == WAIT_REQUEUE);
	CHECK(make(&w[2], UNLOCK, &m) == 0);
	CHECK(EVENTUALLY(w[1].what == NOTHING) && w[1].result == 0);
	CHECK(make(&w[1], UNLOCK, &m) == 0);
	CHECK(EVENTUALLY(w[0].what == NOTHING) && w[0].result == 0);
	CHECK(make(&w[0], UNLOCK, &m) == 0 && m == 0);
	/* Taken: all wait, and the owner has their priority. */
	CHECK(lock(&m) == 0);
	for (int i = 0; i < 3; i++)
		CHECK(wait_requeue(&w[i], &c, &m));
	CHECK(requeue_pi(&c, &m, 1, 1, 7) == 2);
	CHECK(m == ((uint32_t)gettid() | FUTEX_WAITERS));
	CHECK(priority(gettid()) == -13);
	CHECK(requeue_pi(&c, &m, 1, INT_MAX, 7) == 1);
	for (int i = 2; i >= 0; i--) {
		uint32_t *me = &m;

		CHECK(i == 2 ? unlock(me) == 0 : make(&w[i + 1], UNLOCK, me) == 0);
		CHECK(EVENTUALLY(w[i].what == NOTHING) && w[i].result == 0);
	}
	CHECK(priority(gettid()) == 20);
	CHECK(make(&w[0], UNLOCK, &m) == 0 && m == 0);
	for (int i = 0; i < 3; i++)
		worker_end(&w[i]);
}

static volatile int handled;

static void on_signal(int sig)
{
	handled++;
}

static void test_requeue_ends(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	uint32_t c = 7, m = 0;
	struct worker x;

	sigaction(SIGUSR1, &sa, NULL);
	worker_start(&x, 0);
	/* Time is up before it was moved, and after. */
	x.until = in_ms(CLOCK_MONOTONIC, 10);
	x.timed = 1;
	x.word2 = &m;
	CHECK(make(&x, WAIT_REQUEUE, &c) == -ETIMEDOUT);
	CHECK(lock(&m) == 0);
	x.until = in_ms(CLOCK_MONOTONIC, 200);
	tell(&x, WAIT_REQUEUE, &c);
	CHECK(EVENTUALLY(requeue_pi(&c, &m, 1, 1, 7) == 1 || x.what == NOTHING));
	CHECK(EVENTUALLY(x.what == NOTHING) && x.result == -ETIMEDOUT);
	x.timed = 0;
	/* A signal before: it waits on; after: back without the lock. */
	CHECK(wait_requeue(&x, &c, &m));
	syscall(SYS_tgkill, getpid(), x.tid, SIGUSR1);
	CHECK(EVENTUALLY(handled == 1 && task_state(getpid(), x.tid) == 'S'));
	CHECK(x.what == WAIT_REQUEUE);
	CHECK(EVENTUALLY(requeue_pi(&c, &m, 1, 1, 7) == 1));
	syscall(SYS_tgkill, getpid(), x.tid, SIGUSR1);
	CHECK(EVENTUALLY(x.what == NOTHING) && x.result == -EAGAIN);
	CHECK((m & FUTEX_TID_MASK) == (uint32_t)gettid());
	CHECK(unlock(&m) == 0 && m == 0);
	/* The mover would wait for itself. */
	CHECK(make(&x, LOCK, &m) == 0);
	CHECK(wait_requeue(&x, &c, &m));
	CHECK_ERR(requeue_pi(&c, &m, 1, 1, 7), EDEADLK);
	m = 0;
	CHECK(requeue_pi(&c, &m, 1, 0, 7) == 1);
	CHECK(EVENTUALLY(x.what == NOTHING) && x.result == 0 && m == (uint32_t)x.tid);
	/* The owner dies while one that was moved waits. */
	CHECK(make(&x, UNLOCK, &m) == 0);
	{
		struct worker o;

		worker_start(&o, 0);
		CHECK(make(&o, LOCK, &m) == 0);
		CHECK(wait_requeue(&x, &c, &m));
		CHECK(requeue_pi(&c, &m, 1, 1, 7) == 1);
		worker_end(&o);
		CHECK(EVENTUALLY(x.what == NOTHING) && x.result == 0);
		CHECK((m & ~FUTEX_WAITERS) == ((uint32_t)x.tid | FUTEX_OWNER_DIED));
	}
	worker_end(&x);
}

/* --- ordinary waiters by priority --- */

static uint32_t plain;
static volatile int woken_order[4], nwoken;

static void *plain_wait(void *arg)
{
	set_fifo(0, (int)(intptr_t)arg);
	fut(&plain, FUTEX_WAIT, 0, NULL, NULL, 0);
	woken_order[__atomic_fetch_add(&nwoken, 1, __ATOMIC_SEQ_CST)] = (int)(intptr_t)arg;
	return NULL;
}

static int sleepers(void)
{
	int n = 0;

	/* How many are moved tells how many wait; they stay. */
	n = (int)fut(&plain, FUTEX_CMP_REQUEUE, 0, (void *)INT_MAX, &plain, 0);
	return n;
}

static void test_plain(void)
{
	static const int prio[4] = { 0, 7, 3, 9 };
	pthread_t t[4];

	for (int i = 0; i < 4; i++) {
		pthread_create(&t[i], NULL, plain_wait, (void *)(intptr_t)prio[i]);
		CHECK(EVENTUALLY(sleepers() == i + 1));
	}
	for (int i = 0; i < 4; i++) {
		CHECK(fut(&plain, FUTEX_WAKE, 1, NULL, NULL, 0) == 1);
		CHECK(EVENTUALLY(nwoken == i + 1));
	}
	/* Not before they have ended: each counts itself first and tells its name then. */
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECK(woken_order[0] == 9 && woken_order[1] == 7 && woken_order[2] == 3 &&
	      woken_order[3] == 0);
}

int main(void)
{
	if (geteuid() != 0) {
		printf("1..0 # skip real-time priorities are for root\n");
		return 0;
	}
	alarm(TAP_LIMIT);
	test_inherit();
	test_order();
	test_deadlock();
	test_errors();
	test_owner_dies();
	test_robust();
	test_shared_word();
	test_requeue();
	test_requeue_ends();
	test_plain();
	return tap_done();
}
