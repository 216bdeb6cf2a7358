/*
 * The scheduler: run queues, switching, sleeping and waking.
 *
 * Each CPU has a run queue: the thread that runs, the others that could, and an idle thread for
 * when there are none. Threads with deadlines (deadline.c) go before real-time ones (rt.c), these
 * before fair ones (fair.c). All of a thread's scheduling state belongs to the lock of the run
 * queue that t->cpu names, whether it runs, waits its turn or sleeps; sched_thread_lock() takes it.
 *
 * A switch is made with that lock held: __schedule() takes it, arch_thread_switch() changes stacks,
 * and the thread that comes on releases it (switch_tail). So whoever holds the lock of a thread's
 * run queue never sees it half way: either it still runs (on_cpu) or all of it is in memory and any
 * CPU may take it up. No other handshake exists.
 *
 * Sleeping and waking. sched_prepare() stores the new state, a full barrier follows, then the
 * sleeper looks at its condition once more and calls schedule(). A waker makes the condition true,
 * a full barrier follows, then it reads the state. So at least one of the two sees the other's
 * store. Transitions, all under the RUNQ lock but the first:
 *   RUNNABLE -> sleeping   by the thread itself (sched_prepare; undone by sched_cancel)
 *   sleeping -> RUNNABLE   by one waker; while the thread still is on_cpu or queued that is all
 *                          there is to do, and schedule() finds it RUNNABLE and goes on
 *   on_cpu, sleeping -> off the queue   in __schedule(), never on preemption: a preempted thread
 *                          stays queued whatever its state says, since it has not looked at its
 *                          condition yet
 *   NEW -> RUNNABLE   by thread_start(), as a wake
 *   off the queue, RUNNABLE -> queued   by the waker that set RUNNABLE. On another CPU's queue this
 *                          is done after t->cpu was changed and the old lock dropped ("in
 *                          flight"): others see a RUNNABLE thread that is neither on_cpu nor
 *                          queued, change parameters at most, and sched_place() looks at the
 *                          affinity again.
 *   any -> DEAD            in thread_exit(); the tail of the switch away releases the thread.
 * A spurious wake is possible at any time; every wait looks at its condition in a loop.
 *
 * There is no tick. The timer of a CPU (tick.c) is armed when a running thread has a competitor; a
 * wake that finds it not armed cannot do so (locks), it sends the CPU through __schedule(), which
 * then only arms it.
 *
 * WORK_RESCHED asks a CPU's running thread to call __schedule(); it is acted on where preemption is
 * enabled, at the end of an interrupt, and on the way to user mode.
 */
#include <arch/pmap.h>
#include "kernel/base/trap.h"
#include "kernel/lib/string.h"
#include "kernel/base/irq.h"
#include "kernel/sched/sched_internal.h"

PERCPU(struct runq, sched_runq);
cpumask_t sched_cpus;

/*
 * Lock the run queue of @t.
 * ctx: any; IRQs are off until sched_thread_unlock
 */
struct runq *sched_thread_lock(struct thread *t, u64 *irq)
{
	*irq = irq_save();
	for (;;) {
		u32 cpu = READ_ONCE(t->cpu);
		struct runq *rq = runq_of(cpu);

		spin_lock(&rq->lock);
		if (likely(t->cpu == cpu))
			return rq;
		spin_unlock(&rq->lock);
	}
}

/* Undo sched_thread_lock; may reschedule. ctx: any */
void sched_thread_unlock(struct runq *rq, u64 irq)
{
	spin_unlock_irqrestore(&rq->lock, irq);
}

/*
 * Charge the running thread for its time up to @now.
 * holds: rq->lock
 */
void sched_account_locked(struct runq *rq, s64 now)
{
	struct thread *t = rq->curr;
	s64 ns = now - t->se.exec_start;
	u64 irq = irq_time(rq->cpu) - rq->irq_seen;

	if (unlikely(ns <= 0))
		return;
	t->se.exec_start = now;
	/* What interrupts took is nobody's. */
	if (unlikely(irq)) {
		rq->irq_seen += irq;
		irq = MIN((u64)time_from_counter(irq), (u64)ns);
		rq->irq_ns += irq;
		ns -= (s64)irq;
	}
	if (unlikely(t->se.klass == SC_IDLE)) {
		rq->idle_ns += (u64)ns;
		return;
	}
	t->se.sum_exec += (u64)ns;
	t->se.unsplit += (u64)ns;
	if (likely(klass_is_fair(t->se.klass)))
		fair_charge(t, (u64)ns);
	else if (t->se.klass == SC_DL)
		dl_charge(t, (u64)ns);
}

/*
 * @t, on no queue, becomes runnable here.
 * holds: rq->lock
 */
void sched_enqueue_locked(struct runq *rq, struct thread *t)
{
	t->se.queued = true;
	WRITE_ONCE(rq->nr, rq->nr + 1);
	if (unlikely(t->se.blocked)) {
		t->se.blocked = false;
		WRITE_ONCE(rq->nblocked, rq->nblocked - 1);
	}
	if (likely(klass_is_fair(t->se.klass)))
		fair_enqueue(rq, t, false);
	else if (t->se.klass == SC_DL)
		dl_enqueue(rq, t, time_now());
	else
		rt_enqueue(rq, t, false);
}

/*
 * A queued @t is taken off this queue, to be enqueued again, here or elsewhere.
 * holds: rq->lock
 */
void sched_dequeue_locked(struct runq *rq, struct thread *t)
{
	t->se.queued = false;
	WRITE_ONCE(rq->nr, rq->nr - 1);
	if (rq->handover == t)
		rq->handover = NULL;
	if (likely(klass_is_fair(t->se.klass))) {
		fair_leave(rq, t);
		fair_dequeue(rq, t);
	} else if (t->se.klass == SC_DL) {
		dl_dequeue(rq, t);
	} else {
		rt_dequeue(rq, t);
	}
}

/*
 * Make the CPU of @rq pass through the scheduler, the running thread going on.
 * holds: rq->lock, IRQs off
 */
void sched_pass_locked(struct runq *rq)
{
	u32 *work = &rq->curr->arch.work;

	if (READ_ONCE(*work) & WORK_RESCHED)
		return;
	word_or(work, WORK_RESCHED);
	if (rq != runq_this())
		ipi_send(rq->cpu, IPI_RESCHED);
}

/*
 * Make the CPU of @rq pick again.
 * holds: rq->lock, IRQs off
 */
void sched_resched_locked(struct runq *rq)
{
	rq->preempt = true;
	sched_pass_locked(rq);
}

/* The same when @t or the running thread is not a fair one. */
static void check_preempt_unfair(struct runq *rq, struct thread *t, s64 now)
{
	struct sched_entity *c = &rq->curr->se;

	if (t->se.klass == SC_DL) {
		if (dl_preempts(rq, t))
			sched_resched_locked(rq);
		else
			sched_pass_locked(rq);
	} else if (c->klass == SC_IDLE) {
		sched_resched_locked(rq);
	} else if (c->klass == SC_DL || !klass_is_rt(t->se.klass)) {
		return;
	} else if (!klass_is_rt(c->klass)) {
		/* In a rest of its class it has the CPU when the running thread's slice is over. */
		if (likely(now >= rq->rt_rest_end))
			sched_resched_locked(rq);
		else if (c->slice_end < READ_ONCE(rq->timer_at))
			sched_pass_locked(rq);
	} else if (t->se.prio > c->prio) {
		sched_resched_locked(rq);
	} else if (c->klass == SC_RR && t->se.prio == c->prio &&
		   c->slice_end < READ_ONCE(rq->timer_at)) {
		sched_pass_locked(rq);
	}
}

/*
 * @t was enqueued: should it run at once, or does the running thread now need the timer?
 * holds: rq->lock, IRQs off
 */
void sched_check_preempt_locked(struct runq *rq, struct thread *t, bool sync, s64 now)
{
	struct sched_entity *c = &rq->curr->se;

	/* Who starts a thread usually has more to do first, like telling others of it. */
	sync |= !t->se.sum_exec;
	if (!klass_is_fair(t->se.klass) || !klass_is_fair(c->klass)) {
		check_preempt_unfair(rq, t, now);
		return;
	}
	if (rq->nr == 2 && c->slice_end < now + WAKE_GRANULARITY)
		c->slice_end = now + (sync ? SLICE_FAIR : WAKE_GRANULARITY);
	if (!sync) {
		sched_account_locked(rq, now);
		if (fair_preempts(rq, t, now)) {
			sched_resched_locked(rq);
			return;
		}
	}
	if (c->slice_end < READ_ONCE(rq->timer_at))
		sched_pass_locked(rq);
}

/*
 * Queue a thread that is RUNNABLE but on no queue ("in flight").
 * ctx: any, IRQs off, no RUNQ lock held
 */
void sched_place(struct thread *t)
{
	for (;;) {
		struct runq *rq = runq_of(t->cpu);

		spin_lock(&rq->lock);
		if (unlikely(!(t->affinity & BIT(rq->cpu)) && (t->affinity & sched_cpus))) {
			t->cpu = balance_select(rq, t, false);
			spin_unlock(&rq->lock);
			continue;
		}
		sched_enqueue_locked(rq, t);
		sched_check_preempt_locked(rq, t, false, time_now());
		spin_unlock(&rq->lock);
		return;
	}
}

/* What the thread before left to do, and deadlines that changed. holds: rq->lock, releases it */
static void tail_work(struct runq *rq, s64 at)
{
	struct thread *push = rq->push, *dead = rq->dead;

	rq->push = NULL;
	rq->dead = NULL;
	rq->tail_work = false;
	at = MIN(at, dl_next(rq));
	spin_unlock(&rq->lock);
	if (at < rq->timer_at)
		tick_arm(rq, at);
	if (push)
		sched_place(push);
	if (dead)
		thread_ended(dead);
	dl_balance();
}

/*
 * The last thing of a pass through the scheduler: arm the timer for the running thread, which got
 * the CPU at @now, and do what is left. IRQs off, preemption off; holds: rq->lock, releases it
 */
static __always_inline void pass_end(struct runq *rq, s64 now)
{
	s64 at = tick_want_locked(rq, now);

	if (unlikely(rq->tail_work)) {
		tail_work(rq, at);
		return;
	}
	spin_unlock(&rq->lock);
	if (at < rq->timer_at)
		tick_arm(rq, at);
}

/*
 * The first thing after a switch, on the stack of the thread that comes on. IRQs off, preemption
 * off.
 */
static void switch_tail(void)
{
	struct runq *rq = runq_this();

	LOCKDEBUG_ACQUIRED(&rq->lock);
	pass_end(rq, rq->curr->se.exec_start);
}

int sched_rr_slice_ms = SCHED_RR_SLICE_MS;

/* @t gets the CPU, or keeps it for another turn. */
static void turn_begin(struct runq *rq, struct thread *t, s64 now)
{
	struct sched_entity *se = &t->se;

	se->pick_time = now;
	if (likely(klass_is_fair(se->klass)))
		se->slice_end = now + MAX(real_of((s64)(se->deadline - se->vruntime), se->weight),
					  WAKE_GRANULARITY);
	else if (se->klass == SC_DL)
		dl_run(rq, t, now);
	else
		se->slice_end =
			now + (se->slice_left ? se->slice_left
					      : READ_ONCE(sched_rr_slice_ms) * NSEC_PER_MSEC);
}

/* What an earlier turn left over is served by this pick; who wants to know of it is told. */
static void work_at_switch(struct arch_thread *next)
{
	if (READ_ONCE(next->work) & WORK_RESCHED)
		word_and(&next->work, ~WORK_RESCHED);
	if (READ_ONCE(next->work) & WORK_RSEQ)
		word_or(&next->work, WORK_RSEQ_EVENT);
}

/* holds: rq->lock, which the tail releases */
static void switch_to(struct runq *rq, struct thread *prev, struct thread *next, s64 now)
{
	struct sched_entity *se = &next->se;

	prev->se.on_cpu = false;
	se->on_cpu = true;
	se->exec_start = now;
	turn_begin(rq, next, now);
	if (unlikely(READ_ONCE(next->arch.work) & (WORK_RESCHED | WORK_RSEQ)))
		work_at_switch(&next->arch);
	rq->curr = next;
	rq->switches++;
	if (next->pmap && next->pmap != prev->pmap)
		pmap_activate(next->pmap);
	LOCKDEBUG_RELEASE(&rq->lock);
	arch_thread_switch(&prev->arch, &next->arch);
	switch_tail();
}

/* The running thread does not sleep: back to where the pick can see it. */
static void put_back(struct runq *rq, struct thread *t, s64 now)
{
	if (unlikely(!(t->affinity & BIT(rq->cpu)) && (t->affinity & sched_cpus))) {
		WRITE_ONCE(rq->nr, rq->nr - 1);
		if (klass_is_fair(t->se.klass))
			fair_leave(rq, t);
		else if (t->se.klass == SC_DL)
			dl_stop(rq);
		t->cpu = balance_select(rq, t, false);
		rq->push = t;
		rq->tail_work = true;
		return;
	}
	t->se.queued = true;
	if (likely(klass_is_fair(t->se.klass)))
		fair_enqueue(rq, t, true);
	else if (t->se.klass == SC_DL)
		dl_put_back(rq, t, rq->skip_curr, now);
	else
		rt_put_back(rq, t, rq->skip_curr, now);
}

/* The running thread sleeps, or has ended. */
static void put_asleep(struct runq *rq, struct thread *t, s64 now)
{
	WRITE_ONCE(rq->nr, rq->nr - 1);
	t->se.nvcsw++;
	if (likely(klass_is_fair(t->se.klass)))
		fair_leave(rq, t);
	else if (t->se.klass == SC_DL)
		dl_sleep(rq, t, now);
	else
		t->se.slice_left = 0;
	if (unlikely(t->state == TS_DEAD)) {
		rq->dead = t;
		rq->tail_work = true;
	}
	/*
	 * Kernel threads wait that way for work; what users' wait for says something of the load.
	 */
	if (unlikely(t->state == TS_BLOCKED && t->user)) {
		t->se.blocked = true;
		WRITE_ONCE(rq->nblocked, rq->nblocked + 1);
	}
}

static struct thread *pick(struct runq *rq, s64 now)
{
	struct thread *t = NULL;

	if (unlikely(rq->rt_map[0] | rq->rt_map[1])) {
		if (rq->rt_map[1] & RT_MAP_DL)
			t = dl_pick(rq);
		else if (!rt_rests(rq, now))
			t = rt_pick(rq);
	}
	if (!t)
		t = fair_pick(rq, false);
	if (!t)
		return rq->idle;
	t->se.queued = false;
	return t;
}

/* sched_yield: somebody else if there is anybody, whatever the deadlines say. */
static struct thread *pick_other(struct runq *rq, struct thread *t, s64 now)
{
	struct thread *next = NULL;

	if (klass_is_fair(t->se.klass) && !(rq->rt_map[0] | rq->rt_map[1])) {
		next = fair_pick(rq, true);
		if (next)
			next->se.queued = false;
	}
	put_back(rq, t, now);
	return next ? next : pick(rq, now);
}

/*
 * Let the thread run that should. @preempt: the running one did not ask to sleep, whatever its
 * state.
 * ctx: preemption on (count 0), IRQs on or off
 */
static void __schedule(bool preempt)
{
	struct thread *prev = current, *next;
	struct runq *rq;
	s64 now;
	u64 irq;

	preempt_disable();
	irq = irq_save();
	rq = runq_this();
	spin_lock(&rq->lock);
	if (READ_ONCE(prev->arch.work) & WORK_RESCHED)
		word_and(&prev->arch.work, ~WORK_RESCHED);
	now = time_now();
	sched_account_locked(rq, now);
	if (prev == rq->idle) {
		if (rq->nr == 0)
			(void)balance_pull_locked(rq, 2);
		next = pick(rq, now);
	} else if (!preempt && prev->state != TS_RUNNABLE) {
		/* Before it leaves: while this lock is held it cannot be taken for asleep. */
		if (rq->nr == 1)
			(void)balance_pull_locked(rq, 2);
		put_asleep(rq, prev, now);
		next = pick(rq, now);
	} else if (!rq->preempt) {
		next = prev;
	} else if (rq->skip_curr) {
		next = pick_other(rq, prev, now);
	} else {
		put_back(rq, prev, now);
		next = pick(rq, now);
		if (next == prev)
			turn_begin(rq, prev, now);
	}
	rq->preempt = false;
	rq->skip_curr = false;
	rq->handover = NULL;
	if (next != prev) {
		if (prev->se.queued)
			prev->se.nivcsw++;
		switch_to(rq, prev, next, now);
	} else {
		pass_end(rq, now);
	}
	irq_restore(irq);
	barrier();
	arch_current()->preempt_count--;
}

static void schedule_all(bool preempt)
{
	do {
		__schedule(preempt);
		preempt = true;
	} while (unlikely(READ_ONCE(arch_current()->work) & WORK_RESCHED));
}

/*
 * Sleep if sched_prepare() was called and nobody woke us since; else let others run if they should.
 * ctx: thread; sleeps
 */
void schedule(void)
{
	assert_can_sleep();
	schedule_all(false);
}

/*
 * See spinlock.h: preemption was enabled and WORK_RESCHED is set. ctx: any; nothing while IRQs are
 * off.
 */
void preempt_enable_slow(void)
{
	if (!irq_disabled())
		schedule_all(true);
}

/* See trap.h: the end of an interrupt. IRQs off */
void trap_preempt_irq(void)
{
	schedule_all(true);
}

/* See trap.h: a new thread's first step. IRQs off, preemption off twice (lock and __schedule). */
void trap_thread_start(struct arch_thread *prev)
{
	(void)prev;
	switch_tail();
	barrier();
	arch_current()->preempt_count--;
}

/*
 * Announce a sleep in @state. The condition must be looked at after this and before schedule().
 * ctx: thread
 */
void sched_prepare(enum thread_state state)
{
	__atomic_store_n(&current->state, (u32)state, __ATOMIC_RELAXED);
	smp_mb();
}

/* Take sched_prepare() back. ctx: thread */
void sched_cancel(void)
{
	/* A waker may be storing the same value. */
	__atomic_store_n(&current->state, (u32)TS_RUNNABLE, __ATOMIC_RELAXED);
}

/* Cut short when asleep in none of the states of @mask: nothing is locked then. */
static bool wake(struct thread *t, u32 mask, bool sync)
{
	struct runq *rq;
	u32 cpu;
	u64 irq;

	smp_mb();
	if (!(mask >> READ_ONCE(t->state) & 1))
		return false;
	rq = sched_thread_lock(t, &irq);
	if (!(mask >> t->state & 1)) {
		sched_thread_unlock(rq, irq);
		return false;
	}
	__atomic_store_n(&t->state, (u32)TS_RUNNABLE, __ATOMIC_RELAXED);
	if (t->se.on_cpu || t->se.queued) {
		sched_thread_unlock(rq, irq);
		return true;
	}
	if (unlikely(!klass_is_fair(t->se.klass))) {
		t->se.rt_since = t->se.sum_exec;
		if (t->se.klass == SC_DL)
			dl_wake(rq, t, time_now());
	}
	cpu = balance_select(rq, t, sync);
	if (likely(cpu == rq->cpu)) {
		sched_enqueue_locked(rq, t);
		sync = sync && rq == runq_this();
		if (sync)
			rq->handover = t;
		sched_check_preempt_locked(rq, t, sync, time_now());
		sched_thread_unlock(rq, irq);
		return true;
	}
	t->cpu = cpu;
	preempt_disable();
	spin_unlock(&rq->lock);
	sched_place(t);
	irq_restore(irq);
	preempt_enable();
	return true;
}

/* See sched.h. ctx: any; @t must be kept alive by the caller */
bool sched_wake(struct thread *t, u32 state_mask)
{
	return wake(t, state_mask, false);
}

/* See sched.h. ctx: thread; @t must be kept alive by the caller */
bool sched_wake_sync(struct thread *t, u32 state_mask)
{
	return wake(t, state_mask, true);
}

/* Let another thread of the same standing run, if there is one. ctx: thread; sleeps */
void sched_yield(void)
{
	u64 irq;
	struct runq *rq;

	preempt_disable();
	irq = irq_save();
	rq = runq_this();
	spin_lock(&rq->lock);
	if (rq->nr > 1 || current->se.klass == SC_DL) {
		rq->skip_curr = true;
		sched_resched_locked(rq);
	}
	spin_unlock(&rq->lock);
	irq_restore(irq);
	preempt_enable();
}

/*
 * Fill the run queue of @cpu.
 * ctx: boot, or on @cpu before it runs threads
 */
void sched_runq_init(u32 cpu, struct thread *curr, struct thread *idle)
{
	struct runq *rq = runq_of(cpu);

	memset(rq, 0, sizeof(*rq));
	spin_init(&rq->lock, RANK_RUNQ);
	for (u32 i = 0; i < RT_PRIOS; i++)
		list_init(&rq->rt[i]);
	rb_root_init(&rq->fair);
	rb_root_init(&rq->dl);
	rb_root_init(&rq->dl_wait);
	rq->dl_first = rq->dl_curr = TIME_NEVER;
	rq->cpu = cpu;
	rq->curr = curr;
	rq->idle = idle;
	rq->nr = curr != idle;
	tick_init(rq);
	curr->cpu = cpu;
	curr->se.on_cpu = true;
	curr->se.exec_start = time_now();
	idle->cpu = cpu;
	__atomic_or_fetch(&sched_cpus, BIT(cpu), __ATOMIC_RELEASE);
}
