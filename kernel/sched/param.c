/*
 * Scheduling parameters of a thread: policy, real-time priority, nice value. They are changed under
 * the lock of its run queue; a queued thread is taken off and put back, a running one may lose the
 * CPU. sched(7), sched_setscheduler(2).
 */
#include <linux/errno.h>
#include <linux/sched.h>
#include "kernel/sched/sched_internal.h"

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

static void params_store(struct thread *t, u8 klass, int policy, int rt_prio, int nice)
{
	struct sched_entity *se = &t->se;

	/* Virtual times mean nothing in another class: it starts even. */
	if (klass_is_fair(se->klass) != klass_is_fair(klass))
		se->lag = 0;
	se->slice_left = 0;
	se->klass = klass;
	se->policy = (u8)policy;
	se->rt_prio = (u8)rt_prio;
	se->nice = (s8)nice;
	se->weight = klass == SC_IDLE_POLICY ? WEIGHT_IDLE_POLICY : fair_weight(nice);
}

/* A running thread keeps running with its new parameters until the next pick. */
static void change_running(struct runq *rq, struct thread *t, u8 klass, int policy, int rt_prio,
			   int nice)
{
	bool was_fair = klass_is_fair(t->se.klass);

	sched_account_locked(rq, time_now());
	if (was_fair)
		fair_leave(rq, t);
	params_store(t, klass, policy, rt_prio, nice);
	if (klass_is_fair(klass))
		fair_place_running(rq, t);
	sched_resched_locked(rq);
}

/*
 * Set policy (SCHED_*), priority (1-99 for FIFO and RR, else 0) and nice value (-20..19) of @t.
 * ctx: any. 0 or -EINVAL.
 */
int sched_set_policy(struct thread *t, int policy, int rt_prio, int nice)
{
	int klass = klass_of(policy);
	struct runq *rq;
	u64 irq;

	if (klass < 0 || nice < -20 || nice > 19)
		return -EINVAL;
	if (klass_is_rt((u8)klass) ? rt_prio < 1 || rt_prio > 99 : rt_prio != 0)
		return -EINVAL;
	rq = sched_thread_lock(t, &irq);
	if (t->se.on_cpu) {
		change_running(rq, t, (u8)klass, policy, rt_prio, nice);
	} else if (t->se.queued) {
		sched_dequeue_locked(rq, t);
		params_store(t, (u8)klass, policy, rt_prio, nice);
		sched_enqueue_locked(rq, t);
		sched_check_preempt_locked(rq, t, false, time_now());
	} else {
		params_store(t, (u8)klass, policy, rt_prio, nice);
	}
	sched_thread_unlock(rq, irq);
	return 0;
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
	switch (READ_ONCE(t->se.klass)) {
	case SC_RR: return SLICE_RR;
	case SC_FIFO: return 0;
	default: return SLICE_FAIR;
	}
}
