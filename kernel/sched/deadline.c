/*
 * SCHED_DEADLINE: earliest deadline first, each thread inside a constant bandwidth server.
 *
 * A thread asks for a runtime in each period, to be had before a deadline after the period's begin.
 * struct dl is its server: what is left of the runtime and until when. Of the queued threads the
 * one with the earliest deadline runs. Whoever has used up the runtime is throttled: it counts as
 * queued, but waits in .dl_wait of its run queue for the next period, which gives a new runtime and
 * a later deadline; so one that runs for longer than it said delays itself only. A thread that
 * wakes keeps its server's deadline when it can use the rest of the runtime until then without
 * running at more than its share, or else gets a new one.
 *
 * Admission: the shares (runtime / period) of all servers must fit into what sched_rt_runtime_us of
 * sched_rt_period_us allows on all CPUs together. A thread that goes to sleep, leaves the class or
 * ends may have used its share of the future already: the share is in use until the moment at which
 * the rest of its runtime would be used up at that share (0-lag time). Until then the server is in
 * .dl_wait as well, whether or not it still has a thread. SCHED_FLAG_RECLAIM charges less while
 * shares of others are not in use.
 *
 * CPUs: the threads that run should be those with the earliest deadlines of all. Each CPU tells the
 * deadlines of the thread it runs and of its first queued one (.dl_curr, .dl_first). When a thread
 * of this class was queued or has left the CPU, the tail of the switch looks for a queued one that
 * would run elsewhere, and moves it there (dl_balance). One CPU publishes, then looks; so does
 * the other: one of them sees what there is to do.
 *
 * A thread that was lent a deadline by others who wait for it runs with that and is not throttled.
 *
 * All of a server is guarded by the RUNQ lock of its thread, or of the queue that it waits in. The
 * timer of the CPU serves .dl_wait.
 *
 * Abeni and Buttazzo, "Integrating Multimedia Applications in Hard Real-Time Systems" (1998);
 * Lipari and Baruah, "Greedy Reclamation of Unused Bandwidth" (2000). sched(7), sched_setattr(2).
 */
#include <linux/errno.h>
#include <linux/sched.h>
#include "kernel/sched/sched_internal.h"
#include "mm/slab.h"

#define BW_SHIFT 20
#define BW_ONE (1ull << BW_SHIFT)
#define SCALE 10 /* times are multiplied in units of 1024 ns: they must not overflow */
/*
 * Periods that a debt is paid in at most: what is more was a machine that stood still, not a thread
 * that ran.
 */
#define RECHARGE_MAX 16
#define BUDGET_MIN (20 * NSEC_PER_USEC) /* the timer does not come sooner for the rest */

enum dl_state {
	DL_INACTIVE, /* its thread sleeps, its share is not in use */
	DL_ASLEEP, /* its thread sleeps or is gone, its share is in use: waits for the 0-lag time */
	DL_ACTIVE, /* its thread runs or is queued */
	DL_THROTTLED, /* the runtime is used up: waits for the next period */
};

/* R guarded by the RUNQ lock of its thread, or of the run queue in whose .dl_wait it is */
struct dl {
	struct rb_node node; /* R: .dl_wait */
	s64 wait_until; /* R */
	struct thread *thread; /* R: NULL: it has left the class or ended */
	struct sched_dl set; /* R: as user space set it */
	s64 runtime; /* R: what is left */
	s64 deadline; /* R: absolute */
	u64 bw; /* R: runtime / period, BW_SHIFT bits of fraction */
	u8 state; /* R: enum dl_state */
	bool overrun; /* R: SIGXCPU is due */
};

static u64 bw_total; /* a: shares of all servers */
static u64 bw_active; /* a: of those in use */

static bool wait_less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct dl, node)->wait_until < rb_entry(b, struct dl, node)->wait_until;
}

static bool deadline_less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct sched_entity, node)->deadline <
	       rb_entry(b, struct sched_entity, node)->deadline;
}

static bool is_lent(const struct thread *t)
{
	return URGENCY_IS_DL(t->se.boost);
}

/* Of all CPUs' time, what admission may give away on each. */
static u64 bw_limit(void)
{
	s64 run = READ_ONCE(sched_rt_runtime_us);

	return run < 0 ? BW_ONE : ((u64)run << BW_SHIFT) / (u64)READ_ONCE(sched_rt_period_us);
}

static u64 cpus(void)
{
	u64 n = 0;

	for (cpumask_t left = READ_ONCE(sched_cpus); left; left &= left - 1)
		n++;
	return n;
}

static void bw_add(u64 *sum, u64 bw)
{
	__atomic_add_fetch(sum, bw, __ATOMIC_RELAXED);
}

/* The share is not in use any more. Frees @d if nobody has it. */
static void deactivate(struct dl *d)
{
	bw_add(&bw_active, -d->bw);
	d->state = DL_INACTIVE;
	if (d->thread)
		return;
	bw_add(&bw_total, -d->bw);
	kfree(d);
}

static void wait(struct runq *rq, struct dl *d, enum dl_state why, s64 until)
{
	d->state = (u8)why;
	d->wait_until = until;
	rb_insert(&rq->dl_wait, &d->node, wait_less);
	rq->tail_work = true;
}

static s64 period_next(const struct dl *d)
{
	return d->deadline + (s64)(d->set.period - d->set.deadline);
}

static void period_new(struct dl *d, s64 now)
{
	d->deadline = now + (s64)d->set.deadline;
	d->runtime = (s64)d->set.runtime;
}

/* A new period: as many of them as the debt takes. */
static void recharge(struct dl *d, s64 now)
{
	s64 n = d->runtime > 0 ? 0 : -d->runtime / (s64)d->set.runtime + 1;

	n = MIN(n, (s64)RECHARGE_MAX);
	d->deadline += n * (s64)d->set.period;
	d->runtime += n * (s64)d->set.runtime;
	if (d->runtime <= 0)
		d->runtime = (s64)d->set.runtime;
	if (d->deadline < now)
		period_new(d, now);
}

/*
 * When what is left would be used up, if it was used at the server's share. More than one runtime
 * is left, or owed, of what it was before it became smaller.
 */
static s64 zero_lag(const struct dl *d)
{
	s64 most = (s64)d->set.runtime, left = MIN(MAX(d->runtime, -most), most) >> SCALE;
	s64 run = (s64)(d->set.runtime >> SCALE), period = (s64)(d->set.period >> SCALE);

	return d->deadline - left * period / run * (1 << SCALE);
}

/* Its thread stops wanting the CPU, or has left. */
static void rest(struct runq *rq, struct dl *d, s64 now)
{
	s64 at = zero_lag(d);

	if (at > now)
		wait(rq, d, DL_ASLEEP, at);
	else
		deactivate(d);
}

/* Would the rest of the runtime be more than the share of the time until the deadline? */
static bool overflows(const struct dl *d, s64 laxity)
{
	return d->runtime > 0 && (unsigned __int128)d->set.deadline * (u64)d->runtime >
					 (unsigned __int128)(u64)laxity * d->set.runtime;
}

/* The rule of the server for a thread that wakes. */
static void activate(struct dl *d, s64 now)
{
	bool constrained = d->set.deadline < d->set.period;
	s64 laxity = d->deadline - now;

	d->state = DL_ACTIVE;
	if (laxity >= 0 && !overflows(d, laxity))
		return;
	if (!constrained || period_next(d) <= now)
		period_new(d, now);
	else if (laxity < 0)
		d->runtime = MIN(d->runtime, 0); /* the next period has not begun */
	else
		d->runtime = (laxity >> SCALE) * (s64)(d->set.runtime >> SCALE) /
			     (s64)(d->set.deadline >> SCALE) * (1 << SCALE);
}

static void first_changed(struct runq *rq)
{
	struct rb_node *n = rb_first(&rq->dl);

	WRITE_ONCE(rq->dl_first,
		   n ? (s64)rb_entry(n, struct sched_entity, node)->deadline : TIME_NEVER);
	if (n)
		rq->rt_map[1] |= RT_MAP_DL;
	else
		rq->rt_map[1] &= ~RT_MAP_DL;
	rq->tail_work = true;
}

/*
 * What @t is to run with: its own deadline, or an earlier one that it was lent. holds: the run
 * queue's lock
 */
void dl_effective(struct thread *t)
{
	s64 at = t->se.dl ? t->se.dl->deadline : TIME_NEVER;

	if (is_lent(t))
		at = MIN(at, (s64)~t->se.boost);
	WRITE_ONCE(t->se.deadline, (u64)MAX(at, 0));
}

/* @t wakes: its server goes on or starts anew. holds: rq->lock, of where it slept */
void dl_wake(struct runq *rq, struct thread *t, s64 now)
{
	struct dl *d = t->se.dl;

	if (!d)
		return;
	if (d->state == DL_ASLEEP)
		rb_erase(&rq->dl_wait, &d->node);
	else
		bw_add(&bw_active, d->bw);
	activate(d, now);
	dl_effective(t);
}

/* Queued, but not before the next period. */
static void throttle(struct runq *rq, struct dl *d, s64 now)
{
	s64 next = period_next(d);

	if (d->set.period < TIMEOUT_AGAIN_MIN)
		next = MAX(next, now + TIMEOUT_AGAIN_MIN);
	wait(rq, d, DL_THROTTLED, next);
	WRITE_ONCE(rq->nr, rq->nr - 1);
}

/*
 * Among the queued threads, or to wait for its next period; .nr counts it. Its CPU is to pass
 * through the scheduler afterwards.
 * holds: rq->lock
 */
void dl_enqueue(struct runq *rq, struct thread *t, s64 now)
{
	struct dl *d = t->se.dl;

	if (d && d->state == DL_INACTIVE)
		dl_wake(rq, t, now);
	if (d && d->runtime <= 0 && !is_lent(t)) {
		if (period_next(d) > now) {
			throttle(rq, d, now);
			return;
		}
		recharge(d, now);
	}
	dl_effective(t);
	rb_insert(&rq->dl, &t->se.node, deadline_less);
	first_changed(rq);
}

/* The reverse. holds: rq->lock */
void dl_dequeue(struct runq *rq, struct thread *t)
{
	struct dl *d = t->se.dl;

	if (d && d->state == DL_THROTTLED) {
		rb_erase(&rq->dl_wait, &d->node);
		d->state = DL_ACTIVE;
		WRITE_ONCE(rq->nr, rq->nr + 1);
		return;
	}
	rb_erase(&rq->dl, &t->se.node);
	first_changed(rq);
}

/* The earliest deadline, off the queue, which is not empty. holds: rq->lock */
struct thread *dl_pick(struct runq *rq)
{
	struct thread *t = rb_entry(rb_first(&rq->dl), struct thread, se.node);

	rb_erase(&rq->dl, &t->se.node);
	first_changed(rq);
	return t;
}

/* @t has the CPU, or came to this class while it had it. holds: rq->lock */
void dl_run(struct runq *rq, struct thread *t, s64 now)
{
	struct dl *d = t->se.dl;

	if (d && d->state == DL_INACTIVE)
		dl_wake(rq, t, now);
	dl_effective(t);
	WRITE_ONCE(rq->dl_curr, (s64)t->se.deadline);
}

/* No thread of this class runs here any more. holds: rq->lock */
void dl_stop(struct runq *rq)
{
	WRITE_ONCE(rq->dl_curr, TIME_NEVER);
	rq->tail_work = true;
}

/* The running @t goes back to the queue; @yields: it gives up the rest. holds: rq->lock */
void dl_put_back(struct runq *rq, struct thread *t, bool yields, s64 now)
{
	struct dl *d = t->se.dl;

	dl_stop(rq);
	if (d && yields && !is_lent(t))
		d->runtime = MIN(d->runtime, 0);
	dl_enqueue(rq, t, now);
}

static void disown(struct thread *t, struct dl *d)
{
	t->se.dl = NULL;
	d->thread = NULL;
}

/* The running @t sleeps or has ended. holds: rq->lock */
void dl_sleep(struct runq *rq, struct thread *t, s64 now)
{
	struct dl *d = t->se.dl;

	dl_stop(rq);
	if (!d)
		return;
	if (t->state == TS_DEAD)
		disown(t, d);
	rest(rq, d, now);
}

/* @t, in none of the trees but perhaps asleep, is of another policy now. holds: rq->lock */
void dl_leave(struct runq *rq, struct thread *t, s64 now)
{
	struct dl *d = t->se.dl;

	disown(t, d);
	if (d->state == DL_ACTIVE) {
		rest(rq, d, now);
	} else if (d->state == DL_INACTIVE) {
		bw_add(&bw_total, -d->bw);
		kfree(d);
	}
}

/* What a nanosecond costs a server that reclaims. */
static u64 reclaim_rate(const struct dl *d)
{
	u64 max = bw_limit(), own = max ? (d->bw << BW_SHIFT) / max : BW_ONE;
	u64 others = BW_ONE - max + READ_ONCE(bw_active) / cpus();

	return MIN(MAX(own, others), BW_ONE);
}

/* The running @t got @ns. holds: the run queue's lock */
void dl_charge(struct thread *t, u64 ns)
{
	struct dl *d = t->se.dl;
	s64 before;

	if (!d)
		return;
	if (d->set.flags & SCHED_FLAG_RECLAIM)
		ns = ns * reclaim_rate(d) >> BW_SHIFT;
	before = d->runtime;
	d->runtime -= (s64)ns;
	if ((d->set.flags & SCHED_FLAG_DL_OVERRUN) && before > 0 && d->runtime <= 0) {
		d->overrun = true;
		word_or(&t->arch.work, WORK_NOTIFY);
	}
}

/* When the running @t must be looked at. holds: the run queue's lock */
s64 dl_want(const struct thread *t, s64 now)
{
	const struct dl *d = t->se.dl;

	if (!d || is_lent(t))
		return now + SAMPLE_PERIOD;
	if (d->runtime <= 0)
		return now;
	return now + MIN(MAX(d->runtime, BUDGET_MIN), SAMPLE_PERIOD);
}

/* Should the queued @t have the CPU instead of who runs? holds: rq->lock */
bool dl_preempts(const struct runq *rq, const struct thread *t)
{
	if (t->se.dl && t->se.dl->state == DL_THROTTLED)
		return false;
	return rq->curr->se.klass != SC_DL || t->se.deadline < rq->curr->se.deadline;
}

/* When the first of .dl_wait is due. holds: rq->lock */
s64 dl_next(const struct runq *rq)
{
	struct rb_node *n = rb_first(&rq->dl_wait);

	return n ? rb_entry(n, struct dl, node)->wait_until : TIME_NEVER;
}

/* The timer fired: whose time has come. Returns when the next is due. holds: rq->lock */
s64 dl_timer(struct runq *rq, s64 now)
{
	s64 at;

	while ((at = dl_next(rq)) <= now) {
		struct dl *d = rb_entry(rb_first(&rq->dl_wait), struct dl, node);
		struct thread *t = d->thread;

		if (d->state == DL_ASLEEP) {
			rb_erase(&rq->dl_wait, &d->node);
			deactivate(d);
			continue;
		}
		dl_dequeue(rq, t);
		recharge(d, now);
		dl_enqueue(rq, t, now);
		sched_check_preempt_locked(rq, t, false, now);
	}
	return at;
}

/* The deadline that @rq runs with, or is about to. */
static s64 runs_with(const struct runq *rq)
{
	return MIN(READ_ONCE(rq->dl_curr), READ_ONCE(rq->dl_first));
}

/*
 * The CPU for @t, of @may: one without such threads, idle if there is any, or else the one with the
 * latest deadline; @own when none is better.
 * holds: the run queue's lock of @t
 */
u32 dl_select(cpumask_t may, u32 own)
{
	s64 best = may & BIT(own) ? runs_with(runq_of(own)) : -1;
	bool idle = best >= 0 && !READ_ONCE(runq_of(own)->nr);
	u32 cpu = own;

	for (cpumask_t left = may & ~BIT(own); left; left &= left - 1) {
		const struct runq *rq = runq_of((u32)__builtin_ctzll(left));
		bool rq_idle = !READ_ONCE(rq->nr);
		s64 at = runs_with(rq);

		if (at > best || (at == TIME_NEVER && rq_idle && !idle)) {
			best = at;
			idle = rq_idle;
			cpu = rq->cpu;
		}
	}
	return cpu;
}

/* Move one that waits in vain on @rq to where it would run. True: done. IRQs off */
static bool push_one(struct runq *rq)
{
	struct thread *t;
	u32 cpu;

	spin_lock(&rq->lock);
	for (struct rb_node *n = rb_first(&rq->dl); n; n = rb_next(n)) {
		t = rb_entry(n, struct thread, se.node);
		if ((s64)t->se.deadline < READ_ONCE(rq->dl_curr))
			continue;
		cpu = dl_select(t->affinity & sched_cpus, rq->cpu);
		if (cpu != rq->cpu && (s64)t->se.deadline < runs_with(runq_of(cpu))) {
			sched_dequeue_locked(rq, t);
			t->cpu = cpu;
			spin_unlock(&rq->lock);
			sched_place(t);
			return true;
		}
		if (!(sched_cpus & ~t->affinity))
			break;
	}
	spin_unlock(&rq->lock);
	return false;
}

/*
 * Something of this class has changed on this CPU: see to it that the earliest deadlines run.
 * ctx: tail of the scheduler, IRQs off, no RUNQ lock held
 */
void dl_balance(void)
{
	smp_mb();
	for (cpumask_t left = sched_cpus; left; left &= left - 1) {
		struct runq *rq = runq_of((u32)__builtin_ctzll(left));

		if (READ_ONCE(rq->dl_first) == TIME_NEVER)
			continue;
		for (u32 n = 0; n < cpu_count && push_one(rq); n++)
			;
	}
}

/* Does @bw fit when @old of it is there already? If so it is added. */
static bool bw_admit(u64 old, u64 bw)
{
	u64 limit = bw_limit() * cpus(), sum = __atomic_load_n(&bw_total, __ATOMIC_RELAXED), new;

	do {
		new = sum - old + bw;
		if (READ_ONCE(sched_rt_runtime_us) >= 0 && bw != old && new > limit)
			return false;
	} while (!__atomic_compare_exchange_n(&bw_total, &sum, new, false, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return true;
}

/* May @t have @bw? It is given it if so. holds: rq->lock. 0, -ESRCH, -EPERM, -EBUSY */
static int admit(const struct thread *t, u64 bw)
{
	if (t->state == TS_DEAD)
		return -ESRCH;
	if (dl_confined(t->affinity) || !bw_limit())
		return -EPERM;
	return bw_admit(t->se.dl ? t->se.dl->bw : 0, bw) ? 0 : -EBUSY;
}

/*
 * See sched.h. ctx: thread; sleeps: for memory
 */
int sched_set_deadline(struct thread *t, const struct sched_dl *set)
{
	u64 irq, bw = (set->runtime << BW_SHIFT) / set->period;
	struct dl *fresh = kzalloc(sizeof(*fresh), 0), *d;
	struct runq *rq;
	int err;

	if (!fresh)
		return -ENOMEM;
	fresh->deadline = -TIME_NEVER / 2; /* long past */
	fresh->thread = t;
	rq = sched_thread_lock(t, &irq);
	d = t->se.dl;
	err = admit(t, bw);
	if (!err) {
		if (!d) {
			t->se.dl = d = fresh;
			fresh = NULL;
		} else if (d->state != DL_INACTIVE) {
			bw_add(&bw_active, bw - d->bw);
		}
		d->bw = bw;
		d->set = *set;
		sched_become_deadline(rq, t);
	}
	sched_thread_unlock(rq, irq);
	kfree(fresh);
	return err;
}

/* See sched.h. ctx: any */
bool sched_get_deadline(struct thread *t, struct sched_dl *set, s64 *runtime, s64 *deadline)
{
	u64 irq;
	struct runq *rq = sched_thread_lock(t, &irq);
	const struct dl *d = t->se.dl;

	if (d) {
		*set = d->set;
		*runtime = d->runtime;
		*deadline = d->deadline;
	}
	sched_thread_unlock(rq, irq);
	return d != NULL;
}

/* See sched.h. ctx: thread */
bool sched_take_overrun(void)
{
	u64 irq;
	struct runq *rq;
	bool was;

	if (likely(!READ_ONCE(current->se.dl)))
		return false;
	rq = sched_thread_lock(current, &irq);
	was = current->se.dl && current->se.dl->overrun;
	if (was)
		current->se.dl->overrun = false;
	sched_thread_unlock(rq, irq);
	return was;
}

/* See sched.h. ctx: thread */
int sched_set_rt_limits(int period, int runtime)
{
	if (period <= 0 || runtime < -1 || runtime > period)
		return -EINVAL;
	if (runtime >= 0 && ((u64)runtime << BW_SHIFT) / (u64)period * cpus() <
				    __atomic_load_n(&bw_total, __ATOMIC_RELAXED))
		return -EBUSY;
	WRITE_ONCE(sched_rt_period_us, period);
	WRITE_ONCE(sched_rt_runtime_us, runtime);
	return 0;
}
