/*
 * The real-time classes: SCHED_FIFO and SCHED_RR, strictly by priority.
 *
 * One list per priority and a bitmap of those that are not empty. A FIFO thread runs until it
 * sleeps, yields or is preempted by a higher priority (it then keeps its place at the front); a RR
 * thread goes to the tail when its slice is over, and when it was preempted before that, it is owed
 * the rest only: or else a thread that comes and goes above would keep it in front of its equals
 * for ever. The running thread is on no list. All of it under the RUNQ lock. POSIX.1-2017, 2.8.4,
 * Process Scheduling.
 *
 * So that a real-time thread that never sleeps does not take the machine from who could end it, the
 * class rests now and then: when it was found running sched_rt_runtime_us long while fair threads
 * waited on the same CPU, they come first for the rest of sched_rt_period_us (sched(7)). What it
 * ran is counted in samples of the timer, not in time: a virtual machine that was held up is not
 * taken for a thread that ran.
 */
#include "kernel/sched/sched_internal.h"

/* Onto the list of its priority. holds: rq->lock */
void rt_enqueue(struct runq *rq, struct thread *t, bool front)
{
	u32 prio = t->se.prio;

	if (front)
		list_add(&rq->rt[prio], &t->se.link);
	else
		list_add_tail(&rq->rt[prio], &t->se.link);
	rq->rt_map[prio / 64] |= BIT(prio % 64);
}

/* Off its list. holds: rq->lock */
void rt_dequeue(struct runq *rq, struct thread *t)
{
	u32 prio = t->se.prio;

	list_del(&t->se.link);
	if (list_empty(&rq->rt[prio]))
		rq->rt_map[prio / 64] &= ~BIT(prio % 64);
}

/* The running thread @t goes back to its list. holds: rq->lock */
void rt_put_back(struct runq *rq, struct thread *t, bool yields, s64 now)
{
	bool tail = yields || (t->se.klass == SC_RR && now >= t->se.slice_end);

	t->se.slice_left = tail || t->se.klass == SC_FIFO ? 0 : t->se.slice_end - now;
	rt_enqueue(rq, t, !tail);
}

static int highest(const struct runq *rq)
{
	u64 high = rq->rt_map[1] & (RT_MAP_DL - 1);

	if (high)
		return 127 - __builtin_clzll(high);
	return rq->rt_map[0] ? 63 - __builtin_clzll(rq->rt_map[0]) : -1;
}

int sched_rt_period_us = 1000000, sched_rt_runtime_us = 950000;

/*
 * The timer fired: note whether fair threads wait for a real-time one, and begin a rest when they
 * have waited for long enough. True: pick again, as a rest has begun or is being missed.
 * ctx: IRQ; holds: rq->lock
 */
bool rt_sample(struct runq *rq, s64 now)
{
	s64 run = (s64)READ_ONCE(sched_rt_runtime_us) * NSEC_PER_USEC;
	s64 period = (s64)READ_ONCE(sched_rt_period_us) * NSEC_PER_USEC;

	if (!klass_is_rt(rq->curr->se.klass)) {
		rq->rt_samples = 0;
		return now >= rq->rt_rest_end && highest(rq) >= 0 && rq->curr->se.klass != SC_DL;
	}
	if (!rq->nfair || run < 0 || run >= period)
		return false;
	if (now < rq->rt_rest_end)
		return true;
	if (++rq->rt_samples * SAMPLE_PERIOD < run)
		return false;
	rq->rt_samples = 0;
	rq->rt_rest_end = now + period - run;
	return true;
}

/* Do fair threads go first at @now, and is there one queued? holds: rq->lock */
bool rt_rests(const struct runq *rq, s64 now)
{
	return unlikely(now < rq->rt_rest_end) && rq->nfair && READ_ONCE(sched_rt_runtime_us) >= 0;
}

/* First of the highest priority, off its list; NULL: none. holds: rq->lock */
struct thread *rt_pick(struct runq *rq)
{
	int prio = highest(rq);
	struct thread *t;

	if (prio < 0)
		return NULL;
	t = list_first(&rq->rt[prio], struct thread, se.link);
	rt_dequeue(rq, t);
	return t;
}

/* Is a thread queued that shares the CPU with the running real-time thread @t? holds: rq->lock */
bool rt_has_peer(const struct runq *rq, const struct thread *t)
{
	return highest(rq) >= t->se.prio;
}
