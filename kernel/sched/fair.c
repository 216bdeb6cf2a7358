/*
 * The fair class: earliest eligible virtual deadline first.
 *
 * Every thread has a weight from its nice value, a factor of 1.25 per step. Running for d ns
 * advances its virtual time by d * 1024 / weight. The virtual time V of a queue is the weighted
 * average over all of its threads; who is behind V is owed CPU time (lag > 0) and is eligible.
 * Threads ask for CPU time in requests of fixed length; a request's deadline is the virtual time at
 * which it will have been served. Of the eligible threads the one with the earliest deadline runs.
 * The tree is ordered by deadline; the first eligible node from the left is taken. At least one is
 * eligible, because not all can be ahead of their average.
 *
 * A thread that sleeps takes its lag along and gets it back where it wakes, so neither sleeping nor
 * changing CPUs gains anything; the lag is limited to two requests. The first request after a sleep
 * is a short one, whose early deadline lets the thread in before those that compute. A new thread's
 * first request is a whole one: its parent goes on, as Linux lets it, which scripts rely on.
 *
 * The running thread is not in the tree; load_sum and load cover the tree only. All of it under the
 * RUNQ lock. The algorithm is Stoica and Abdel-Wahab, "Earliest Eligible Virtual Deadline First"
 * (1995), without their tree.
 */
#include "kernel/sched/sched_internal.h"

#define REBASE_AT (1ll << 28)

static u32 weights[40]; /* I: index nice + 20 */

/* 1024 * 1.25^-nice, rounded. ctx: boot */
void fair_weights_init(void)
{
	u64 up = (u64)WEIGHT_NICE0 << 32, down = up;

	weights[20] = WEIGHT_NICE0;
	for (int i = 1; i <= 20; i++) {
		up += up / 4;
		down = down / 5 * 4;
		weights[20 - i] = (u32)((up + (1ull << 31)) >> 32);
		if (i < 20)
			weights[20 + i] = (u32)((down + (1ull << 31)) >> 32);
	}
}

/* Weight of @nice (-20..19). ctx: any */
u32 fair_weight(int nice)
{
	return weights[nice + 20];
}

static inline s64 key(const struct runq *rq, u64 v)
{
	return (s64)(v - rq->vbase);
}

static void sums_add(struct runq *rq, const struct sched_entity *se)
{
	rq->load_sum += key(rq, se->vruntime) * (s64)se->weight;
	rq->load += se->weight;
	rq->nfair++;
}

static void sums_sub(struct runq *rq, const struct sched_entity *se)
{
	rq->load_sum -= key(rq, se->vruntime) * (s64)se->weight;
	rq->load -= se->weight;
	rq->nfair--;
}

/* V, the running thread included; moves the base along so that the sums stay small. */
static u64 queue_vtime(struct runq *rq)
{
	const struct sched_entity *c = &rq->curr->se;
	s64 sum = rq->load_sum, avg;
	u64 load = rq->load;

	if (klass_is_fair(c->klass)) {
		if (!load) {
			rq->vbase = c->vruntime;
			return c->vruntime;
		}
		sum += key(rq, c->vruntime) * (s64)c->weight;
		load += c->weight;
	}
	if (!load)
		return rq->vbase;
	avg = sum / (s64)load;
	if (avg > REBASE_AT || avg < -REBASE_AT) {
		rq->load_sum -= avg * (s64)rq->load;
		rq->vbase += (u64)avg;
		return rq->vbase;
	}
	return rq->vbase + (u64)avg;
}

static bool deadline_less(const struct rb_node *a, const struct rb_node *b)
{
	return (s64)(rb_entry(a, struct sched_entity, node)->deadline -
		     rb_entry(b, struct sched_entity, node)->deadline) < 0;
}

/*
 * Into the tree. A thread that was only off it to run keeps its times; any other is placed by its
 * lag.
 * holds: rq->lock
 */
void fair_enqueue(struct runq *rq, struct thread *t, bool placed)
{
	struct sched_entity *se = &t->se;

	if (!placed) {
		se->vruntime = queue_vtime(rq) - (u64)se->lag;
		se->deadline = se->vruntime +
			       virtual_of(se->sum_exec ? SLICE_WAKE : SLICE_FAIR, se->weight);
	}
	sums_add(rq, se);
	rb_insert(&rq->fair, &se->node, deadline_less);
}

/* Out of the tree. holds: rq->lock */
void fair_dequeue(struct runq *rq, struct thread *t)
{
	sums_sub(rq, &t->se);
	rb_erase(&rq->fair, &t->se.node);
}

/*
 * The running thread @t got @ns. A request that is served is followed by the next. holds: rq->lock
 */
void fair_charge(struct thread *t, u64 ns)
{
	struct sched_entity *se = &t->se;

	se->vruntime += virtual_of(ns, se->weight);
	if (unlikely((s64)(se->vruntime - se->deadline) >= 0))
		se->deadline = se->vruntime + virtual_of(SLICE_FAIR, se->weight);
}

/*
 * @t, not in the tree, stops being runnable here: note what it is owed.
 * holds: rq->lock
 */
void fair_leave(struct runq *rq, struct thread *t)
{
	struct sched_entity *se = &t->se;
	s64 limit;

	if (rq->curr == t && !rq->load) {
		se->lag = 0;
		rq->vbase = se->vruntime;
		return;
	}
	limit = (s64)virtual_of(2 * SLICE_FAIR, se->weight);
	se->lag = (s64)(queue_vtime(rq) - se->vruntime);
	se->lag = MIN(MAX(se->lag, -limit), limit);
}

/*
 * The next to run, out of the tree; the one that ran must be back in it. @any: take the earliest
 * deadline even when it is not eligible. NULL: empty. holds: rq->lock
 */
struct thread *fair_pick(struct runq *rq, bool any)
{
	struct rb_node *n = rb_first(&rq->fair), *first = n;

	if (!n)
		return NULL;
	if (rq->nfair > 1 && !any)
		while (n &&
		       key(rq, rb_entry(n, struct sched_entity, node)->vruntime) * (s64)rq->load >
			       rq->load_sum)
			n = rb_next(n);
	if (!n)
		n = first;
	else
		first = n;
	fair_dequeue(rq, rb_entry(first, struct thread, se.node));
	return rb_entry(first, struct thread, se.node);
}

/*
 * The running @t, not in the tree, joins the class or changed its weight: place it by its lag.
 * holds: rq->lock
 */
void fair_place_running(struct runq *rq, struct thread *t)
{
	struct sched_entity *se = &t->se;
	u64 v = rq->load ? rq->vbase + (u64)(rq->load_sum / (s64)rq->load) : rq->vbase;

	se->vruntime = v - (u64)se->lag;
	se->deadline = se->vruntime + virtual_of(SLICE_FAIR, se->weight);
}

/*
 * Should @t, just placed, have the CPU before the fair thread that runs? Its accounting is up to
 * date.
 * holds: rq->lock
 */
bool fair_preempts(struct runq *rq, struct thread *t, s64 now)
{
	struct sched_entity *c = &rq->curr->se;

	if (c->klass == SC_IDLE_POLICY)
		return t->se.klass != SC_IDLE_POLICY;
	if (t->se.klass == SC_IDLE_POLICY || t->se.policy != 0 || t->se.lag < 0)
		return false;
	if ((s64)(t->se.deadline - c->deadline) >= 0)
		return false;
	if (now - c->pick_time >= WAKE_GRANULARITY)
		return true;
	c->slice_end = MIN(c->slice_end, c->pick_time + WAKE_GRANULARITY);
	return false;
}
