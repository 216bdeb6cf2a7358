/*
 * Tests of threads and the scheduler. A crew is a number of threads that run one function and are
 * joined; the tests let it work for a while and then compare what was done. The machine may be an
 * emulator on a busy host, where any CPU stands still at any time while the clock goes on: what
 * must come about is waited for, shares are compared over a span that grows until they come out
 * right, and latency is measured in the work that others got done.
 */
#include <arch/cpu.h>
#include <linux/sched.h>
#include "kernel/base/ktest.h"
#include "kernel/base/log.h"
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"
#include "kernel/lib/bitmap.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/waitq.h"

#define CREW_MAX 16

struct crew;

struct member {
	struct crew *crew;
	struct thread *thread;
	struct completion ended;
	u32 index;
	u64 count; /* o */
	bool here; /* a: it is on CPU 0 for good */
	s64 exec; /* o: run time at the end */
	s64 begin; /* run time when a measurement began */
};

struct crew {
	void (*fn)(struct member *m);
	u32 n;
	bool stop; /* a */
	struct waitq q;
	u64 shared; /* a */
	struct member m[CREW_MAX];
};

static void member_main(void *arg)
{
	struct member *m = arg;
	s64 user, sys;

	m->crew->fn(m);
	sched_times(current, &user, &sys);
	m->exec = user + sys;
	completion_done(&m->ended);
}

static bool crew_start(struct crew *c, u32 n, void (*fn)(struct member *m))
{
	c->fn = fn;
	c->n = n;
	c->stop = false;
	c->shared = 0;
	waitq_init(&c->q);
	for (u32 i = 0; i < n; i++) {
		struct member *m = &c->m[i];

		*m = (struct member){ .crew = c, .index = i };
		completion_init(&m->ended);
		if (thread_create("crew", member_main, m, &m->thread))
			return false;
	}
	return true;
}

static void crew_join(struct crew *c)
{
	for (u32 i = 0; i < c->n; i++)
		completion_wait(&c->m[i].ended);
	/* Only now: they may wake each other to the end. */
	for (u32 i = 0; i < c->n; i++)
		thread_put(c->m[i].thread);
}

static u32 where_am_i(void)
{
	u32 cpu;

	preempt_disable();
	cpu = cpu_id();
	preempt_enable();
	return cpu;
}

static void spin(struct member *m)
{
	while (!READ_ONCE(m->crew->stop)) {
		WRITE_ONCE(m->count, m->count + 1);
		cpu_relax();
	}
}

static void pause_ms(u32 ms)
{
	sched_sleep_until(time_now() + ms * NSEC_PER_MSEC);
}

/* Wait for @cond, looking each @ms milliseconds, and say whether it came. */
#define EVENTUALLY_EACH(ms, cond)                                                  \
	({                                                                         \
		bool eventually = (cond);                                          \
		for (u32 looks = KT_LOOKS / (ms); !eventually && looks; looks--) { \
			pause_ms(ms);                                              \
			eventually = (cond);                                       \
		}                                                                  \
		eventually;                                                        \
	})
#define EVENTUALLY(cond) EVENTUALLY_EACH(1, cond)

static struct crew crew;

KTEST(sched, create_and_join)
{
	u64 forks = sched_total_forks();

	for (u32 round = 0; round < 50; round++) {
		crew.stop = true;
		KT_ASSERT(crew_start(&crew, 4, spin));
		crew.stop = true;
		crew_join(&crew);
	}
	KT_ASSERT(sched_total_forks() >= forks + 200); /* a worker may have been made meanwhile */
}

KTEST(sched, sleep)
{
	s64 begin = time_now();

	pause_ms(20);
	KT_ASSERT(time_now() - begin >= 20 * NSEC_PER_MSEC);
	KT_ASSERT(sched_sleep_interruptible(time_now() + NSEC_PER_MSEC) == 0);
	current->interrupted = true;
	KT_ASSERT(sched_sleep_interruptible(time_now() + 1000 * NSEC_PER_SEC) != 0);
	current->interrupted = false;
	KT_ASSERT(current->state == TS_RUNNABLE);
}

/* Two threads that compute share a CPU: neither gives it up itself. */
KTEST(sched, preemption)
{
	bool shared;

	KT_ASSERT(crew_start(&crew, 2, spin));
	for (u32 i = 0; i < 2; i++)
		KT_ASSERT(sched_set_affinity(crew.m[i].thread, 1) == 0);
	shared = EVENTUALLY(READ_ONCE(crew.m[0].count) && READ_ONCE(crew.m[1].count));
	crew.stop = true;
	crew_join(&crew);
	KT_ASSERT(shared);
}

static bool within(s64 got, s64 want, s64 percent)
{
	return got * 100 >= want * (100 - percent) && got * 100 <= want * (100 + percent);
}

static s64 run_time(struct thread *t)
{
	s64 user, sys;

	sched_times(t, &user, &sys);
	return user + sys;
}

static void spin_here(struct member *m)
{
	(void)sched_set_affinity(current, 1);
	store_release(&m->here, true);
	wait_event(&m->crew->q, READ_ONCE(m->crew->shared));
	spin(m);
}

static const int share_nice[4] = { 0, 0, 5, -3 };
static const s64 share_weight[4] = { 1024, 1024, 336, 2000 };

/* Whether the run times of the four since the start are by weight, within a tenth. */
static bool shares_are_fair(void)
{
	s64 share[4], total = 0, weights = 0;

	for (u32 i = 0; i < 4; i++) {
		share[i] = run_time(crew.m[i].thread) - crew.m[i].begin;
		total += share[i];
		weights += share_weight[i];
	}
	for (u32 i = 0; i < 4; i++)
		if (!within(share[i], total * share_weight[i] / weights, 10))
			return false;
	return true;
}

static void shares_show(void)
{
	for (u32 i = 0; i < 4; i++)
		log_err("# nice %d: %lld us", share_nice[i],
			(long long)(run_time(crew.m[i].thread) - crew.m[i].begin) / 1000);
}

/*
 * Four threads share one CPU; while the test itself, FIFO on their CPU, runs, they stand still. A
 * stall of the machine counts as run time of whoever had the CPU: the others catch up.
 */
KTEST(sched, fair_weights)
{
	bool set = true, fair;

	KT_ASSERT(sched_set_affinity(current, 1) == 0);
	KT_ASSERT(sched_set_policy(current, SCHED_FIFO, 50, 0) == 0);
	KT_ASSERT(crew_start(&crew, 4, spin_here));
	for (u32 i = 0; i < 4; i++) {
		set &= EVENTUALLY(load_acquire(&crew.m[i].here));
		set &= sched_set_policy(crew.m[i].thread, SCHED_NORMAL, 0, share_nice[i]) == 0;
		crew.m[i].begin = run_time(crew.m[i].thread);
	}
	crew.shared = 1;
	waitq_wake_all(&crew.q);
	pause_ms(500);
	fair = EVENTUALLY_EACH(200, shares_are_fair());
	if (!fair)
		shares_show();
	crew.stop = true;
	crew_join(&crew);
	KT_ASSERT(sched_set_policy(current, SCHED_NORMAL, 0, 0) == 0);
	KT_ASSERT(sched_set_affinity(current, ~0ull) == 0);
	KT_ASSERT(set && fair);
}

static u64 spun(void)
{
	return READ_ONCE(crew.m[0].count) + READ_ONCE(crew.m[1].count);
}

static struct {
	struct timeout t;
	u64 spun; /* a: by the crew, when it fired */
} alarm;

static void alarm_fired(struct timeout *t)
{
	WRITE_ONCE(alarm.spun, spun());
}

/* Sleep 2 ms; whether most of what the others did, they did before the time was over. */
static bool woken_soon(void)
{
	s64 until = time_now() + 2 * NSEC_PER_MSEC;
	u64 begin = spun(), end;

	timeout_set(&alarm.t, until);
	sched_sleep_until(until);
	end = spun();
	return end - READ_ONCE(alarm.spun) <= (end - begin) / 4;
}

/*
 * A thread that mostly sleeps gets the CPU soon although others compute; more often than not, as
 * one of them may be owed what a stall of the machine took from it.
 */
KTEST(sched, sleeper_latency)
{
	u32 soon, left = KT_LOOKS / 80;

	timeout_init(&alarm.t, alarm_fired);
	KT_ASSERT(crew_start(&crew, 2, spin));
	KT_ASSERT(sched_set_affinity(crew.m[0].thread, 1) == 0);
	KT_ASSERT(sched_set_affinity(crew.m[1].thread, 1) == 0);
	KT_ASSERT(sched_set_affinity(current, 1) == 0);
	do {
		soon = 0;
		for (u32 i = 0; i < 40; i++)
			soon += woken_soon();
	} while (soon < 20 && left--);
	KT_ASSERT(sched_set_affinity(current, ~0ull) == 0);
	crew.stop = true;
	crew_join(&crew);
	timeout_cancel_sync(&alarm.t);
	if (soon < 20)
		log_err("# %u of 40 times", soon);
	KT_ASSERT(soon >= 20);
}

/* All CPUs were used since @begin, and each thread of the crew had half of its part at least. */
static bool balanced(s64 begin, u32 cpus)
{
	s64 total = 0, least = TIME_NEVER;

	for (u32 i = 0; i < crew.n; i++) {
		s64 ran = run_time(crew.m[i].thread);

		total += ran;
		least = MIN(least, ran);
	}
	return total > (time_now() - begin) * cpus * 3 / 4 && least >= total / crew.n / 2;
}

/* More threads than CPUs: all CPUs are used, and shares come out even. */
KTEST(sched, balance)
{
	u32 cpus = bit_count(cpu_online_mask);
	u32 n = MIN(cpus * 2 + 1, (u32)CREW_MAX);
	s64 begin = time_now();
	bool even;

	KT_ASSERT(crew_start(&crew, n, spin));
	pause_ms(400);
	even = EVENTUALLY_EACH(100, balanced(begin, MIN(cpus, n)));
	crew.stop = true;
	crew_join(&crew);
	for (u32 i = 0; i < n && !even; i++)
		log_err("# thread %u: %lld us", i, (long long)crew.m[i].exec / 1000);
	KT_ASSERT(even);
}

static void note_order(struct member *m)
{
	m->count = __atomic_add_fetch(&m->crew->shared, 1, __ATOMIC_ACQ_REL);
}

/* The calling test becomes FIFO on CPU 0, and fair threads there get no share. The share before. */
static int rt_begin(void)
{
	int share = sched_rt_runtime_us;

	WRITE_ONCE(sched_rt_runtime_us, -1);
	if (sched_set_affinity(current, 1) || sched_set_policy(current, SCHED_FIFO, 50, 0))
		ktest_fail("the test becomes FIFO", __FILE__, __LINE__);
	return share;
}

static void rt_end(int share)
{
	WRITE_ONCE(sched_rt_runtime_us, share);
	if (sched_set_policy(current, SCHED_NORMAL, 0, 0) || sched_set_affinity(current, ~0ull))
		ktest_fail("the test becomes fair", __FILE__, __LINE__);
}

/* Real-time threads run by priority, and before the fair thread that made them. */
KTEST(sched, rt_priority)
{
	bool alone = cpu_online_mask == 1, set = true, early = false, ordered = true;
	int share = rt_begin();

	KT_ASSERT(crew_start(&crew, 4, note_order));
	for (u32 i = 0; i < 4; i++) {
		set &= sched_set_affinity(crew.m[i].thread, 1) == 0;
		early |= READ_ONCE(crew.m[i].count) != 0;
		set &= sched_set_policy(crew.m[i].thread, SCHED_FIFO, 10 + (int)i * 10, 0) == 0;
	}
	KT_ASSERT(sched_set_policy(current, SCHED_NORMAL, 0, 0) == 0);
	crew_join(&crew);
	rt_end(share);
	for (u32 i = 0; i < 4; i++)
		ordered &= crew.m[i].count == 4 - i;
	KT_ASSERT(set && (!alone || (!early && ordered)));
}

/*
 * Fair threads get nothing from real-time threads that compute, unless sched_rt_runtime_us leaves
 * them a share; real-time threads of one priority share. All are where they belong, and wait,
 * before any of them computes.
 */
KTEST(sched, rt_over_fair)
{
	bool set = true, turns, starved;
	int share = rt_begin();

	KT_ASSERT(crew_start(&crew, 3, spin_here));
	for (u32 i = 0; i < 3; i++)
		set &= EVENTUALLY(load_acquire(&crew.m[i].here));
	set &= sched_set_policy(crew.m[0].thread, SCHED_RR, 10, 0) == 0;
	set &= sched_set_policy(crew.m[1].thread, SCHED_RR, 10, 0) == 0;
	crew.shared = 1;
	waitq_wake_all(&crew.q);
	turns = EVENTUALLY(READ_ONCE(crew.m[0].count) && READ_ONCE(crew.m[1].count));
	starved = READ_ONCE(crew.m[2].count) == 0;
	crew.stop = true;
	crew_join(&crew);
	rt_end(share);
	KT_ASSERT(set && turns && starved);
}

static void order_here(struct member *m)
{
	(void)sched_set_affinity(current, 1);
	store_release(&m->here, true);
	wait_event(&m->crew->q, READ_ONCE(m->crew->stop));
	note_order(m);
}

/* Deadlines that were lent come in their order, all before priorities. */
KTEST(sched, deadline_order)
{
	static const u64 lent[4] = { 400, 100, 99, 200 }, order[4] = { 3, 1, 4, 2 };
	int share = rt_begin();
	bool good = true;

	KT_ASSERT(crew_start(&crew, 4, order_here));
	for (u32 i = 0; i < 4; i++)
		good &= EVENTUALLY(load_acquire(&crew.m[i].here));
	preempt_disable();
	for (u32 i = 0; i < 4; i++)
		good &= sched_lend(crew.m[i].thread, i == 2 ? lent[i] : ~lent[i]);
	crew.stop = true;
	waitq_wake_all(&crew.q);
	preempt_enable();
	crew_join(&crew);
	rt_end(share);
	for (u32 i = 0; i < 4; i++)
		good &= crew.m[i].count == order[i];
	KT_ASSERT(good);
}

/* Since the last look: did all but the last member go on, and that not? */
static bool last_stands_still(void)
{
	bool good = true;

	for (u32 i = 0; i < crew.n; i++) {
		u64 count = READ_ONCE(crew.m[i].count);

		good &= (count != (u64)crew.m[i].begin) == (i < crew.n - 1);
		crew.m[i].begin = (s64)count;
	}
	return good;
}

/* Of one thread more than there are CPUs, that with the latest deadline is left out. */
KTEST(sched, deadline_cpus)
{
	u32 n = cpu_count + 1;
	bool lent = true, good;

	(void)sched_lend(current, ~1ull);
	KT_ASSERT(n <= CREW_MAX && crew_start(&crew, n, spin));
	for (u32 i = 0; i < n; i++)
		lent &= sched_lend(crew.m[n - 1 - i].thread, ~(1000ull - i));
	good = EVENTUALLY(last_stands_still());
	crew.stop = true;
	(void)sched_lend(current, 0);
	crew_join(&crew);
	KT_ASSERT(lent && good);
}

/* What is left of a large runtime is no share of a small one: no time is reckoned from it. */
KTEST(sched, deadline_shrinks)
{
	const u64 period = 2000ull * NSEC_PER_SEC;
	struct sched_dl large = { period / 4, period, period, 0 };
	struct sched_dl small = { 1024, period, period, 0 };
	int err = sched_set_deadline(current, &large);

	if (!err)
		err = sched_set_deadline(current, &small);
	if (!err)
		err = sched_set_policy(current, SCHED_NORMAL, 0, 0);
	KT_ASSERT(!err);
}

static void watch_cpu(struct member *m)
{
	while (!READ_ONCE(m->crew->stop))
		WRITE_ONCE(m->count, where_am_i());
}

KTEST(sched, affinity)
{
	KT_ASSERT(sched_set_affinity(current, 0) != 0);
	for (u32 round = 0; round < 20; round++)
		for (cpumask_t left = cpu_online_mask; left; left &= left - 1) {
			u32 cpu = (u32)__builtin_ctzll(left);

			KT_ASSERT(sched_set_affinity(current, BIT(cpu)) == 0);
			KT_ASSERT(where_am_i() == cpu);
		}
	KT_ASSERT(sched_set_affinity(current, ~0ull) == 0);
	KT_ASSERT(crew_start(&crew, 1, watch_cpu));
	for (cpumask_t left = cpu_online_mask; left; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzll(left);

		KT_ASSERT(sched_set_affinity(crew.m[0].thread, BIT(cpu)) == 0);
		KT_ASSERT(EVENTUALLY(READ_ONCE(crew.m[0].count) == cpu));
	}
	crew.stop = true;
	crew_join(&crew);
}

KTEST(sched, parameters)
{
	int policy, prio, nice;

	KT_ASSERT(sched_set_policy(current, SCHED_FIFO, 0, 0) != 0);
	KT_ASSERT(sched_set_policy(current, SCHED_NORMAL, 1, 0) != 0);
	KT_ASSERT(sched_set_policy(current, SCHED_NORMAL, 0, 20) != 0);
	KT_ASSERT(sched_set_policy(current, 77, 0, 0) != 0);
	KT_ASSERT(sched_set_policy(current, SCHED_BATCH, 0, 7) == 0);
	sched_get_policy(current, &policy, &prio, &nice);
	KT_ASSERT(policy == SCHED_BATCH && prio == 0 && nice == 7);
	KT_ASSERT(sched_set_policy(current, SCHED_IDLE, 0, 0) == 0);
	sched_yield();
	KT_ASSERT(sched_set_policy(current, SCHED_RR, 99, 0) == 0);
	KT_ASSERT(sched_rr_interval(current) == 100 * NSEC_PER_MSEC);
	sched_yield();
	KT_ASSERT(sched_set_policy(current, SCHED_NORMAL, 0, 0) == 0);
}

static void yield_many(struct member *m)
{
	while (m->count < 1000) {
		m->count++;
		sched_yield();
	}
}

KTEST(sched, yield)
{
	KT_ASSERT(crew_start(&crew, 6, yield_many));
	crew_join(&crew);
	for (u32 i = 0; i < 6; i++)
		KT_ASSERT(crew.m[i].count == 1000);
}

/* Everybody waits for their number, and passes the baton to a pseudo-random next. */
static void pass_baton(struct member *m)
{
	struct crew *c = m->crew;

	for (;;) {
		u64 now;

		wait_event(&c->q, READ_ONCE(c->stop) || READ_ONCE(c->shared) % c->n == m->index);
		if (READ_ONCE(c->stop))
			return;
		m->count++;
		now = READ_ONCE(c->shared);
		if (now > 5000)
			WRITE_ONCE(c->stop, true);
		WRITE_ONCE(c->shared, now * 7 % 5 + now + 1);
		waitq_wake_all(&c->q);
	}
}

KTEST(sched, wake_storm)
{
	KT_ASSERT(crew_start(&crew, 8, pass_baton));
	crew_join(&crew);
	KT_ASSERT(crew.stop);
}

/* A ring of threads, each waking the next directly while that may be about to sleep. */
static void ring(struct member *m)
{
	struct crew *c = m->crew;
	struct member *next = &c->m[(m->index + 1) % c->n];

	while (READ_ONCE(c->shared) == 0)
		sched_yield();
	for (u32 i = 0; i < 800; i++) {
		while (!__atomic_exchange_n(&m->count, 0, __ATOMIC_ACQUIRE)) {
			sched_prepare(TS_BLOCKED);
			if (READ_ONCE(m->count))
				sched_cancel();
			else
				schedule();
		}
		__atomic_store_n(&next->count, 1, __ATOMIC_RELEASE);
		if (i % 2)
			sched_wake_sync(next->thread, WAKE_NORMAL);
		else
			sched_wake(next->thread, WAKE_NORMAL);
	}
}

KTEST(sched, wake_ring)
{
	KT_ASSERT(crew_start(&crew, 5, ring));
	crew.m[0].count = 1;
	__atomic_store_n(&crew.shared, 1, __ATOMIC_RELEASE);
	crew_join(&crew);
}

static void sleep_some(struct member *m)
{
	struct waitq q;

	waitq_init(&q);
	for (u32 i = 0; i < 40; i++) {
		s64 until = time_now() + (1 + (m->index + i) % 5) * 100 * NSEC_PER_USEC;

		if (wait_event_timeout(&q, false, until) == 0 || time_now() < until)
			return;
		m->count++;
	}
}

KTEST(sched, timeouts)
{
	KT_ASSERT(crew_start(&crew, 8, sleep_some));
	crew_join(&crew);
	for (u32 i = 0; i < 8; i++)
		KT_ASSERT(crew.m[i].count == 40);
}

KTEST(sched, figures)
{
	struct sched_cpu_stats a, b;
	u32 avg[3];
	s64 user, sys;

	sched_get_cpu_stats(0, &a);
	pause_ms(30);
	sched_get_cpu_stats(0, &b);
	KT_ASSERT(b.idle_ns + b.sys_ns + b.user_ns >= a.idle_ns + a.sys_ns + a.user_ns);
	sched_get_loadavg(avg);
	KT_ASSERT(avg[0] < 100 * 2048);
	sched_times(current, &user, &sys);
	KT_ASSERT(user >= 0 && sys >= 0 && user + sys <= time_now());
}
