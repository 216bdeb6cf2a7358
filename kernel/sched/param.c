/*
 * Scheduling parameters of a thread: policy, real-time priority, nice value. They are changed under
 * the lock of its run queue; a queued thread is taken off and put back, a running one may lose the
 * CPU. sched(7), sched_setscheduler(2).
 *
 * A thread may be lent a real-time priority by others who wait for it (futex_owner.c in
 * kernel/proc). What it runs with, .klass and .prio, is the higher of that and its own; what user
 * space set stays to be read and inherited.
 */
#include <linux/errno.h>
#include <linux/sched.h>
#include "kernel/sched/sched_internal.h"

/* What of a struct sched_entity is set from outside. */
struct params {
	int policy, rt_prio, nice, boost;
};

static int klass_of(int policy)
{
	switch (policy) {
	case SCHED_NORMAL:
	case SCHED_BATCH: return SC_FAIR;
	case SCHED_IDLE: return SC_IDLE_POLICY;
	case SCHED_FIFO: return SC_FIFO;
	case SCHED_RR: return SC_RR;
	default: return -EINVAL;
	}
}

/* The class that a thread with @p runs in. */
static u8 klass_with(const struct params *p)
{
	if (p->boost > p->rt_prio)
		return p->policy == SCHED_RR ? SC_RR : SC_FIFO;
	return (u8)klass_of(p->policy);
}

static void params_store(struct thread *t, const struct params *p)
{
	struct sched_entity *se = &t->se;
	u8 klass = klass_with(p);

	/* Virtual times mean nothing in another class: it starts even. */
	if (klass_is_fair(se->klass) != klass_is_fair(klass))
		se->lag = 0;
	if (!klass_is_rt(se->klass))
		se->rt_since = se->sum_exec;
	se->slice_left = 0;
	se->klass = klass;
	WRITE_ONCE(se->prio, (u8)MAX(p->rt_prio, p->boost));
	se->policy = (u8)p->policy;
	se->rt_prio = (u8)p->rt_prio;
	se->boost = (u8)p->boost;
	se->nice = (s8)p->nice;
	se->weight = p->policy == SCHED_IDLE ? WEIGHT_IDLE_POLICY : fair_weight(p->nice);
}

/* A running thread keeps running with its new parameters until the next pick. */
static void change_running(struct runq *rq, struct thread *t, const struct params *p)
{
	sched_account_locked(rq, time_now());
	if (klass_is_fair(t->se.klass))
		fair_leave(rq, t);
	params_store(t, p);
	if (klass_is_fair(t->se.klass))
		fair_place_running(rq, t);
	sched_resched_locked(rq);
}

/* holds: rq->lock, the run queue of @t */
static void params_change_locked(struct runq *rq, struct thread *t, const struct params *p)
{
	if (t->se.on_cpu) {
		change_running(rq, t, p);
	} else if (t->se.queued) {
		sched_dequeue_locked(rq, t);
		params_store(t, p);
		sched_enqueue_locked(rq, t);
		sched_check_preempt_locked(rq, t, false, time_now());
	} else {
		params_store(t, p);
	}
}

/*
 * Set policy (SCHED_*), priority (1-99 for FIFO and RR, else 0) and nice value (-20..19) of @t.
 * ctx: any. 0 or -EINVAL.
 */
int sched_set_policy(struct thread *t, int policy, int rt_prio, int nice)
{
	struct params p = { policy, rt_prio, nice, 0 };
	int klass = klass_of(policy);
	struct runq *rq;
	u64 irq;

	if (klass < 0 || nice < -20 || nice > 19)
		return -EINVAL;
	if (klass_is_rt((u8)klass) ? rt_prio < 1 || rt_prio > 99 : rt_prio != 0)
		return -EINVAL;
	rq = sched_thread_lock(t, &irq);
	p.boost = t->se.boost;
	params_change_locked(rq, t, &p);
	sched_thread_unlock(rq, irq);
	return 0;
}

/* See sched.h. ctx: any */
bool sched_lend_prio(struct thread *t, int rt_prio)
{
	u64 irq;
	struct runq *rq = sched_thread_lock(t, &irq);
	struct params p = { t->se.policy, t->se.rt_prio, t->se.nice, rt_prio };
	u8 before = t->se.prio;

	if (t->se.boost != rt_prio) {
		if (MAX(rt_prio, p.rt_prio) == before)
			t->se.boost = (u8)rt_prio;
		else
			params_change_locked(rq, t, &p);
	}
	before ^= t->se.prio;
	sched_thread_unlock(rq, irq);
	return before;
}

/* See sched.h. ctx: boot of a thread */
void sched_inherit(struct thread *t, const struct thread *from)
{
	struct params p = { from->se.policy, from->se.rt_prio, from->se.nice, 0 };

	if (unlikely(from->se.reset_on_fork)) {
		if (klass_is_rt((u8)klass_of(p.policy)))
			p = (struct params){ SCHED_NORMAL, 0, 0, 0 };
		else
			p.nice = MAX(p.nice, 0);
	}
	params_store(t, &p);
}

/* Read them. ctx: any */
void sched_get_policy(struct thread *t, int *policy, int *rt_prio, int *nice)
{
	u64 irq;
	struct runq *rq = sched_thread_lock(t, &irq);

	*policy = t->se.policy;
	*rt_prio = t->se.rt_prio;
	*nice = t->se.nice;
	sched_thread_unlock(rq, irq);
}

/* See sched.h. ctx: any */
void sched_set_reset_on_fork(struct thread *t, bool on)
{
	u64 irq;
	struct runq *rq = sched_thread_lock(t, &irq);

	t->se.reset_on_fork = on;
	sched_thread_unlock(rq, irq);
}

/* See sched.h. ctx: any */
bool sched_get_reset_on_fork(const struct thread *t)
{
	return READ_ONCE(t->se.reset_on_fork);
}

/* What sched_rr_get_interval(2) answers, in ns. ctx: any */
s64 sched_rr_interval(struct thread *t)
{
	switch (READ_ONCE(t->se.policy)) {
	case SCHED_RR: return SLICE_RR;
	case SCHED_FIFO: return 0;
	default: return SLICE_FAIR;
	}
}
