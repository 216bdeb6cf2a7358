/*
 * The CPU's scheduling timer, and what is counted when it fires.
 *
 * There is no regular tick. The timer is armed for the end of the running thread's slice when it
 * has a competitor, else for a sample in SAMPLE_PERIOD. It is never disarmed or put off: it may
 * fire early or on an idle CPU once, which costs less than reprogramming it at each switch, and
 * then is armed only as far as needed. An idle CPU arms nothing.
 *
 * Run times are exact: they are measured at each switch. Their division into user and system time
 * is sampled: what a thread ran since its last sample goes to where the timer found it.
 *
 * The load average decays every five seconds. It is brought up to date by any CPU's timer and by
 * who reads it; periods in which nothing ran are made up for then, so an idle machine keeps no
 * timer for it.
 *
 * Locking: RUNQ for figures of a CPU; the load average has load_lock. The timer is touched by its
 * own CPU only.
 */
#include "kernel/base/irq.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched_internal.h"

#define BALANCE_TICKS 4
#define ROTATE_TICKS 16
#define LOAD_PERIOD (5 * NSEC_PER_SEC)
#define LOAD_ONE 2048u /* 11 bits of fraction */
#define LOAD_PERIODS_MAX 4096 /* after so many idle ones (hours), every average is 0 */

/* 2048 * exp(-5 s / 1, 5, 15 min) */
static const u32 load_decay[3] = { 1884, 2014, 2037 };

static struct spinlock load_lock = SPINLOCK_INIT(RANK_RUNQ);
static s64 load_next = LOAD_PERIOD; /* load_lock; a for reading */
static u32 load_avg[3]; /* load_lock */

/* When the timer must fire for the running thread. holds: rq->lock */
s64 tick_want_locked(const struct runq *rq, s64 now)
{
	const struct thread *t = rq->curr;

	if (likely(klass_is_fair(t->se.klass)))
		return rq->nr > 1 ? t->se.slice_end : now + SAMPLE_PERIOD;
	if (t->se.klass == SC_IDLE)
		return TIME_NEVER;
	if (t->se.klass == SC_DL)
		return dl_want(t, now);
	if (rq->nr > 1 && t->se.klass == SC_RR && rt_has_peer(rq, t))
		return t->se.slice_end;
	return now + SAMPLE_PERIOD;
}

/* Arm this CPU's timer for @at, which is earlier than it was. IRQs off, no RUNQ lock held */
void tick_arm(struct runq *rq, s64 at)
{
	WRITE_ONCE(rq->timer_at, at);
	timeout_set(&rq->timer, at);
}

static void sample(struct runq *rq)
{
	struct thread *t = rq->curr;
	u64 ns = t->se.unsplit;

	t->se.unsplit = 0;
	if (irq_from_user()) {
		t->se.user_ns += ns;
		if (t->se.nice > 0)
			rq->nice_ns += ns;
		else
			rq->user_ns += ns;
	} else {
		t->se.sys_ns += ns;
		rq->sys_ns += ns;
	}
}

/* Threads that run, want to run, or wait uninterruptibly. */
static u32 load_active(void)
{
	s32 n = 0;

	for (cpumask_t left = sched_cpus; left; left &= left - 1) {
		const struct runq *rq = runq_of((u32)__builtin_ctzll(left));

		n += (s32)READ_ONCE(rq->nr) + READ_ONCE(rq->nblocked);
	}
	return (u32)MAX(n, 0);
}

static void load_step(u32 active)
{
	for (u32 i = 0; i < 3; i++) {
		u64 v = (u64)load_avg[i] * load_decay[i] +
			(u64)active * LOAD_ONE * (LOAD_ONE - load_decay[i]);

		/* Rounded up while rising, so that a constant load is reached. */
		if (active * LOAD_ONE >= load_avg[i])
			v += LOAD_ONE - 1;
		load_avg[i] = (u32)(v / LOAD_ONE);
	}
}

/* IRQs off */
static void load_update(s64 now)
{
	s64 missed;

	if (likely(now < READ_ONCE(load_next)) || !spin_trylock(&load_lock))
		return;
	missed = (now - load_next) / LOAD_PERIOD;
	if (missed >= 0 && now >= load_next) {
		load_next += (missed + 1) * LOAD_PERIOD;
		for (s64 i = 0; i < MIN(missed, (s64)LOAD_PERIODS_MAX); i++)
			load_step(0);
		load_step(load_active());
	}
	spin_unlock(&load_lock);
}

/*
 * Even out the queues; now and then a difference of one changes sides, so that it is shared by all.
 */
static void rebalance(struct runq *rq, s64 now)
{
	u32 min_nr = rq->nr + (rq->ticks % ROTATE_TICKS ? 2 : 1);
	struct thread *t = balance_pull_locked(rq, min_nr);

	if (t)
		sched_check_preempt_locked(rq, t, false, now);
}

/* The timer fired: charge, sample, end the slice. Returns when it must fire next. */
static s64 tick_work(struct runq *rq, s64 now, bool *waiting)
{
	struct thread *t;
	s64 at, dl_at;

	spin_lock(&rq->lock);
	t = rq->curr;
	sched_account_locked(rq, now);
	dl_at = dl_timer(rq, now);
	if (t == rq->idle) {
		spin_unlock(&rq->lock);
		return dl_at;
	}
	sample(rq);
	rq->handover = NULL;
	if (++rq->ticks % BALANCE_TICKS == 0)
		rebalance(rq, now);
	*waiting = rq->nr > 1;
	at = tick_want_locked(rq, now);
	if (unlikely(rt_sample(rq, now)))
		at = now;
	if (at <= now) {
		/* Its turn is over; the switch arms the timer for who comes on. */
		sched_resched_locked(rq);
		at = now + SAMPLE_PERIOD;
	}
	spin_unlock(&rq->lock);
	return MIN(at, dl_at);
}

static void tick_fire(struct timeout *to)
{
	struct runq *rq = container_of(to, struct runq, timer);
	bool waiting = false;
	s64 now = time_now(), at;

	rq->timer_at = TIME_NEVER;
	at = tick_work(rq, now, &waiting);
	if (waiting)
		balance_kick();
	load_update(now);
	if (at < rq->timer_at)
		tick_arm(rq, at);
}

/* ctx: boot of the CPU */
void tick_init(struct runq *rq)
{
	rq->timer_at = TIME_NEVER;
	timeout_init(&rq->timer, tick_fire);
}

/*
 * User and system time of @t up to now. What no sample has divided yet is divided as the rest, or
 * counts as user time. The next sample may find otherwise, but neither of both ever goes back.
 * ctx: any
 */
void sched_times(struct thread *t, s64 *user_ns, s64 *sys_ns)
{
	struct sched_entity *se = &t->se;
	struct runq *rq;
	u64 irq, user, sys, all;

	rq = sched_thread_lock(t, &irq);
	if (se->on_cpu)
		sched_account_locked(rq, time_now());
	sys = se->sys_ns;
	all = se->user_ns + sys + se->unsplit;
	/* In thousandths, so that nothing overflows. */
	if (sys)
		sys += se->unsplit / 1000 * (sys * 1000 / (se->user_ns + sys));
	sys = MAX(sys, se->told_sys);
	user = MAX(all - sys, se->told_user);
	se->told_user = user;
	se->told_sys = all - user;
	*user_ns = (s64)user;
	*sys_ns = (s64)(all - user);
	sched_thread_unlock(rq, irq);
}

/* See sched.h. */
s64 sched_rt_time(struct thread *t)
{
	u64 irq;
	struct runq *rq = sched_thread_lock(t, &irq);
	s64 ns = -1;

	if (t->se.on_cpu)
		sched_account_locked(rq, time_now());
	if (klass_is_rt(t->se.klass))
		ns = (s64)(t->se.sum_exec - t->se.rt_since);
	sched_thread_unlock(rq, irq);
	return ns;
}

/* Figures of @cpu for /proc/stat; zero for one that runs no threads. ctx: any */
void sched_get_cpu_stats(u32 cpu, struct sched_cpu_stats *out)
{
	struct runq *rq;
	u64 irq;

	memset(out, 0, sizeof(*out));
	if (cpu >= MAX_CPUS || !(sched_cpus & BIT(cpu)))
		return;
	rq = runq_of(cpu);
	irq = spin_lock_irqsave(&rq->lock);
	sched_account_locked(rq, time_now());
	*out = (struct sched_cpu_stats){ .user_ns = rq->user_ns,
					 .nice_ns = rq->nice_ns,
					 .sys_ns = rq->sys_ns,
					 .idle_ns = rq->idle_ns,
					 .irq_ns = rq->irq_ns,
					 .blocked = rq->nblocked,
					 .switches = rq->switches,
					 .running = rq->nr };
	spin_unlock_irqrestore(&rq->lock, irq);
}

/* Load averages over 1, 5 and 15 minutes, 11 bits of fraction. ctx: any */
void sched_get_loadavg(u32 avg[3])
{
	u64 irq = irq_save();

	load_update(time_now());
	irq_restore(irq);
	memcpy(avg, load_avg, sizeof(load_avg));
}

/* Threads started since boot. ctx: any */
u64 sched_total_forks(void)
{
	u64 n = 0;

	for (cpumask_t left = sched_cpus; left; left &= left - 1)
		n += READ_ONCE(runq_of((u32)__builtin_ctzll(left))->forks);
	return n;
}
