/*
 * The real-time classes: SCHED_FIFO and SCHED_RR, strictly by priority.
 *
 * One list per priority and a bitmap of those that are not empty. A FIFO thread runs until it
 * sleeps, yields or is preempted by a higher priority (it then keeps its place at the front); a RR
 * thread goes to the tail when its slice is over, and when it was preempted before that, it is owed
 * the rest only: or else a thread that comes and goes above would keep it in front of its equals
 * for ever. The running thread is on no list. All of it under the RUNQ lock. POSIX.1-2017, 2.8.4,
 * Process Scheduling.
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
	if (rq->rt_map[1])
		return 127 - __builtin_clzll(rq->rt_map[1]);
	return rq->rt_map[0] ? 63 - __builtin_clzll(rq->rt_map[0]) : -1;
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
