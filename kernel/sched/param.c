/*
 * Scheduling parameters of a thread: policy, real-time priority, nice value. They are changed under
 * the lock of its run queue; a queued thread is taken off and put back, a running one may lose the
 * CPU. sched(7), sched_setscheduler(2).
 *
 * A thread may be lent a real-time priority or a deadline by others who wait for it (futex_owner.c
 * in kernel/proc). What it runs with, .klass and .prio, is the more urgent of that and its own;
 * what user space set stays to be read and inherited. SCHED_DEADLINE's parameters are deadline.c's.
 */
#include <linux/errno.h>
#include <linux/sched.h>
#include "kernel/sched/sched_internal.h"

/* What of a struct sched_entity is set from outside. */
struct params {
	int policy, rt_prio, nice;
	u64 boost;
};

static int klass_of(int policy)
{
	switch (policy) {
	case SCHED_NORMAL:
	case SCHED_BATCH: return SC_FAIR;
	case SCHED_IDLE: return SC_IDLE_POLICY;
	case SCHED_FIFO: return SC_FIFO;
	case SCHED_RR: return SC_RR;
	case SCHED_DEADLINE: return SC_DL;
	default: return -EINVAL;
	}
}

/* The class that a thread with @p runs in. */
static u8 klass_with(const struct params *p)
{
	if (URGENCY_IS_DL(p->boost))
		return SC_DL;
	if (p->boost > (u64)p->rt_prio && p->policy != SCHED_DEADLINE)
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
	WRITE_ONCE(se->prio, klass == SC_DL ? PRIO_DL : (u8)MAX((u64)p->rt_prio, p->boost));
	se->policy = (u8)p->policy;
	se->rt_prio = (u8)p->rt_prio;
	se->boost = p->boost;
	se->nice = (s8)p->nice;
	se->weight = p->policy == SCHED_IDLE ? WEIGHT_IDLE_POLICY : fair_weight(p->nice);
}

/* The same, off all queues; a server that it had is left. holds: rq->lock */
static void store(struct runq *rq, struct thread *t, const struct params *p, s64 now)
{
	params_store(t, p);
	if (unlikely(t->se.dl && p->policy != SCHED_DEADLINE))
		dl_leave(rq, t, now);
	if (t->se.klass == SC_DL)
		dl_effective(t);
}

/* A running thread keeps running with its new parameters until the next pick. */
static void change_running(struct runq *rq, struct thread *t, const struct params *p, s64 now)
{
	sched_account_locked(rq, now);
	if (klass_is_fair(t->se.klass))
		fair_leave(rq, t);
	else if (t->se.klass == SC_DL)
		dl_stop(rq);
	store(rq, t, p, now);
	if (klass_is_fair(t->se.klass))
		fair_place_running(rq, t);
	else if (t->se.klass == SC_DL)
		dl_run(rq, t, now);
	sched_resched_locked(rq);
}

/* holds: rq->lock, the run queue of @t */
static void params_change_locked(struct runq *rq, struct thread *t, const struct params *p)
{
	s64 now = time_now();

	if (t->se.on_cpu) {
		change_running(rq, t, p, now);
	} else if (t->se.queued) {
		sched_dequeue_locked(rq, t);
		store(rq, t, p, now);
		sched_enqueue_locked(rq, t);
		sched_check_preempt_locked(rq, t, false, now);
	} else {
		store(rq, t, p, now);
	}
	if (rq->tail_work)
		sched_pass_locked(rq);
}

/* See sched_internal.h. holds: rq->lock */
void sched_become_deadline(struct runq *rq, struct thread *t)
{
	struct params p = { SCHED_DEADLINE, 0, t->se.nice, t->se.boost };

	params_change_locked(rq, t, &p);
}

/*
 * Set policy (SCHED_* but DEADLINE), priority (1-99 for FIFO and RR, else 0) and nice value
 * (-20..19) of @t, if its policy is @was (< 0: whatever it is).
 * ctx: any. 0, -EINVAL, -EAGAIN: it is another.
 */
int sched_swap_policy(struct thread *t, int was, int policy, int rt_prio, int nice)
{
	struct params p = { policy, rt_prio, nice, 0 };
	int klass = klass_of(policy);
	struct runq *rq;
	int err = -EAGAIN;
	u64 irq;

	if (klass < 0 || klass == SC_DL || nice < -20 || nice > 19)
		return -EINVAL;
	if (klass_is_rt((u8)klass) ? rt_prio < 1 || rt_prio > 99 : rt_prio != 0)
		return -EINVAL;
	rq = sched_thread_lock(t, &irq);
	if (was < 0 || was == t->se.policy) {
		p.boost = t->se.boost;
		params_change_locked(rq, t, &p);
		err = 0;
	}
	sched_thread_unlock(rq, irq);
	return err;
}

/* The same, whatever its policy is. ctx: any. 0 or -EINVAL */
int sched_set_policy(struct thread *t, int policy, int rt_prio, int nice)
{
	return sched_swap_policy(t, -1, policy, rt_prio, nice);
}

/* Set the nice value (-20..19) only. ctx: any */
void sched_set_nice(struct thread *t, int nice)
{
	u64 irq;
	struct runq *rq = sched_thread_lock(t, &irq);
	struct params p = { t->se.policy, t->se.rt_prio, nice, t->se.boost };

	params_change_locked(rq, t, &p);
	sched_thread_unlock(rq, irq);
}

/* See sched.h. ctx: any */
bool sched_lend(struct thread *t, u64 urgency)
{
	u64 irq;
	struct runq *rq = sched_thread_lock(t, &irq);
	struct params p = { t->se.policy, t->se.rt_prio, t->se.nice, urgency };
	u64 before = sched_urgency(t);

	if (t->se.boost != urgency) {
		if (!URGENCY_IS_DL(before | urgency) && MAX(urgency, (u64)p.rt_prio) == before)
			t->se.boost = urgency;
		else
			params_change_locked(rq, t, &p);
	}
	before ^= sched_urgency(t);
	sched_thread_unlock(rq, irq);
	return before;
}

/* See sched.h. ctx: boot of a thread */
void sched_inherit(struct thread *t, const struct thread *from)
{
	struct params p = { from->se.policy, from->se.rt_prio, from->se.nice, 0 };

	if (unlikely(from->se.reset_on_fork || p.policy == SCHED_DEADLINE)) {
		if (!klass_is_fair((u8)klass_of(p.policy)))
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
	case SCHED_RR: return READ_ONCE(sched_rr_slice_ms) * NSEC_PER_MSEC;
	case SCHED_FIFO:
	case SCHED_DEADLINE: return 0;
	default: return SLICE_FAIR;
	}
}
