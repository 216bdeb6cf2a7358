/*
 * On which CPU a thread runs.
 *
 * A woken thread stays where it ran, unless its waker is about to sleep (then it takes that CPU),
 * or another CPU that it may use is idle and its own is not. An idle CPU looks once, before it goes
 * idle, for a CPU with a thread waiting. While a CPU is overloaded its timer (tick.c) tells an idle
 * one, and pulls from longer queues now and then, so that a fair share holds over CPUs too. Nothing
 * of this runs when no CPU has more than one runnable thread.
 *
 * Queue lengths of other CPUs are read without their locks and may be out of date; a thread moves
 * only under both locks. The second lock is only tried, so the order between queues does not
 * matter.
 */
#include "kernel/sched/sched_internal.h"
#include <linux/errno.h>

static bool cpu_is_idle(u32 cpu)
{
	return READ_ONCE(runq_of(cpu)->nr) == 0;
}

/*
 * The CPU for @t, which is runnable and on no queue. @rq: where it ran.
 * holds: rq->lock, IRQs off
 */
u32 balance_select(struct runq *rq, struct thread *t, bool sync)
{
	cpumask_t may = t->affinity & sched_cpus;
	u32 this = cpu_id();

	if (may == BIT(rq->cpu) || unlikely(!may))
		return rq->cpu;
	if (unlikely(t->se.klass == SC_DL))
		return dl_select(may, rq->cpu);
	if (sync && (may & BIT(this)))
		return this;
	if ((may & BIT(rq->cpu)) && cpu_is_idle(rq->cpu))
		return rq->cpu;
	if ((may & BIT(this)) && cpu_is_idle(this))
		return this;
	for (cpumask_t left = may; left; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzll(left);

		if (cpu_is_idle(cpu))
			return cpu;
	}
	if (may & BIT(rq->cpu))
		return rq->cpu;
	return may & BIT(this) ? this : (u32)__builtin_ctzll(may);
}

/* A queued thread of @from that may run on @cpu, or NULL. holds: from->lock */
static struct thread *movable(struct runq *from, u32 cpu)
{
	struct thread *t;

	for (int prio = RT_PRIOS - 1; (from->rt_map[0] | from->rt_map[1]) && prio > 0; prio--)
		list_for_each(t, &from->rt[prio], se.link)
			if (t->affinity & BIT(cpu))
				return t;
	for (struct rb_node *n = rb_first(&from->fair); n; n = rb_next(n)) {
		t = rb_entry(n, struct thread, se.node);
		if ((t->affinity & BIT(cpu)) && t != from->handover)
			return t;
	}
	return NULL;
}

/*
 * Move one thread here from the CPU with the longest queue, if that has at least @min_nr runnable
 * threads.
 * holds: rq->lock, IRQs off. Returns it, queued, or NULL.
 */
struct thread *balance_pull_locked(struct runq *rq, u32 min_nr)
{
	cpumask_t others = sched_cpus & ~BIT(rq->cpu);
	struct runq *busiest = NULL;
	struct thread *t;

	for (; others; others &= others - 1) {
		struct runq *o = runq_of((u32)__builtin_ctzll(others));
		u32 nr = READ_ONCE(o->nr);

		if (nr >= min_nr) {
			min_nr = nr + 1;
			busiest = o;
		}
	}
	if (likely(!busiest) || !spin_trylock(&busiest->lock))
		return NULL;
	t = busiest->nr > 1 ? movable(busiest, rq->cpu) : NULL;
	if (t) {
		sched_dequeue_locked(busiest, t);
		t->cpu = rq->cpu;
	}
	spin_unlock(&busiest->lock);
	if (t)
		sched_enqueue_locked(rq, t);
	return t;
}

/*
 * This CPU has threads waiting: send an idle CPU to look for work.
 * ctx: IRQs off, no RUNQ lock held
 */
void balance_kick(void)
{
	for (cpumask_t left = sched_cpus & ~BIT(cpu_id()); left; left &= left - 1) {
		u32 cpu = (u32)__builtin_ctzll(left);
		struct runq *rq = runq_of(cpu);

		if (!cpu_is_idle(cpu))
			continue;
		spin_lock(&rq->lock);
		if (rq->curr == rq->idle)
			sched_resched_locked(rq);
		spin_unlock(&rq->lock);
		return;
	}
}

/*
 * Let @t run on the CPUs of @mask only; it is moved at once if it must.
 * ctx: any (a thread changing itself: thread, may move it). 0, -EINVAL when no CPU of @mask runs
 * threads, or -EBUSY: SCHED_DEADLINE was admitted to all CPUs.
 */
int sched_set_affinity(struct thread *t, cpumask_t mask)
{
	struct runq *rq;
	int err = 0;
	u64 irq;

	preempt_disable();
	rq = sched_thread_lock(t, &irq);
	if (unlikely(t->se.dl && dl_confined(mask)))
		err = -EBUSY;
	else if (!(mask & sched_cpus))
		err = -EINVAL;
	else
		t->affinity = mask;
	if (err || (mask & BIT(rq->cpu))) {
		spin_unlock(&rq->lock);
	} else if (t->se.on_cpu) {
		sched_resched_locked(rq);
		spin_unlock(&rq->lock);
	} else if (t->se.queued) {
		sched_dequeue_locked(rq, t);
		t->cpu = balance_select(rq, t, false);
		spin_unlock(&rq->lock);
		sched_place(t);
	} else {
		/* Asleep, or in flight: whoever queues it looks at the mask. */
		spin_unlock(&rq->lock);
	}
	irq_restore(irq);
	preempt_enable();
	return err;
}
