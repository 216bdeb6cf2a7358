/*
 * Wait queues and completions.
 *
 * A waiter stays on the queue from waitq_add to waitq_remove, also while awake between two looks at
 * its condition; waking an awake thread does nothing and, for exclusive waiters, does not count, so
 * no wake is lost to one that is just leaving: it looks at its condition once more (WAIT_EVENT)
 * before it gives up.
 *
 * The lost-wakeup argument is that of sched.c: the sleeper queues itself, announces the sleep (full
 * barrier) and looks; the waker makes the condition true, then (full barrier) looks whether the
 * queue is empty.
 *
 * Locking: waitq.lock (rank WAITQ, interrupts off) guards the list and is held during callbacks, so
 * a waiter that was removed is in nobody's hands.
 */
#include <linux/errno.h>
#include <arch/barrier.h>
#include "kernel/sched/waitq.h"

/* ctx: any */
void waitq_init(struct waitq *q)
{
	spin_init(&q->lock, RANK_WAITQ);
	list_init(&q->waiters);
}

static bool wake_thread(struct waiter *w, u32 key)
{
	(void)key;
	return sched_wake(w->thread, WAKE_NORMAL);
}

/* Prepare @w for the running thread, with the callback that wakes it. ctx: thread */
void waiter_init(struct waiter *w)
{
	list_init(&w->link);
	w->thread = current;
	w->wake = wake_thread;
	w->exclusive = false;
}

static void add(struct waitq *q, struct waiter *w, bool exclusive)
{
	u64 irq;

	/* Only its owner puts a waiter on or takes it off, so this needs no lock. */
	if (!list_empty(&w->link))
		return;
	irq = spin_lock_irqsave(&q->lock);
	w->exclusive = exclusive;
	/* A wake that stops after an exclusive waiter must have passed all others. */
	if (exclusive)
		list_add_tail(&q->waiters, &w->link);
	else
		list_add(&q->waiters, &w->link);
	spin_unlock_irqrestore(&q->lock, irq);
}

/* Queue @w, a no-op when it is queued. ctx: any */
void waitq_add(struct waitq *q, struct waiter *w)
{
	add(q, w, false);
}

/* As waitq_add; a wake stops after its number of those. ctx: any */
void waitq_add_exclusive(struct waitq *q, struct waiter *w)
{
	add(q, w, true);
}

/* Take @w off; its callback does not run any more after this. No-op when it is off. ctx: any */
void waitq_remove(struct waitq *q, struct waiter *w)
{
	u64 irq;

	if (list_empty(&w->link))
		return;
	irq = spin_lock_irqsave(&q->lock);
	list_del(&w->link);
	spin_unlock_irqrestore(&q->lock, irq);
}

/* holds: q->lock */
static void wake_locked(struct waitq *q, u32 nr, u32 key, bool sync)
{
	struct waiter *w, *tmp;

	list_for_each_safe(w, tmp, &q->waiters, link) {
		bool exclusive = w->exclusive, woke;

		if (sync && w->wake == wake_thread)
			woke = sched_wake_sync(w->thread, WAKE_NORMAL);
		else
			woke = w->wake(w, key);
		if (woke && exclusive && --nr == 0)
			return;
	}
}

static void wake(struct waitq *q, u32 nr, u32 key, bool sync)
{
	u64 irq;

	smp_mb();
	if (list_empty(&q->waiters))
		return;
	/*
	 * Nested: a callback may wake another queue, epoll's; epoll_control keeps such chains short
	 * and free of loops.
	 */
	irq = irq_save();
	spin_lock_nested(&q->lock);
	wake_locked(q, nr, key, sync);
	spin_unlock_irqrestore(&q->lock, irq);
}

/* See waitq.h. ctx: any */
void waitq_wake(struct waitq *q, u32 nr, u32 key)
{
	wake(q, nr, key, false);
}

/* See waitq.h. ctx: thread */
void waitq_wake_sync(struct waitq *q, u32 nr, u32 key)
{
	wake(q, nr, key, true);
}

/*
 * Sleep after sched_prepare(@state).
 * ctx: thread; sleeps. 0 (woken), -EINTR (only TS_SLEEPING: a signal is pending), -ETIMEDOUT.
 */
int wait_block(enum thread_state state, s64 until)
{
	struct thread *t = current;
	int err;

	if (state == TS_SLEEPING && READ_ONCE(t->interrupted))
		return -EINTR;
	t->wait_addr = __builtin_return_address(0);
	err = schedule_until(until);
	t->wait_addr = NULL;
	if (!err && state == TS_SLEEPING && READ_ONCE(t->interrupted))
		return -EINTR;
	return err;
}

/* ctx: any */
void completion_init(struct completion *c)
{
	waitq_init(&c->q);
	c->done = 0;
}

/*
 * Let all waiters pass, now and later. The completion is not touched any more once a waiter may
 * have seen it done, so it may live on the waiter's stack.
 * ctx: any
 */
void completion_done(struct completion *c)
{
	u64 irq = spin_lock_irqsave(&c->q.lock);

	store_release(&c->done, 1);
	wake_locked(&c->q, ~0u, 0, false);
	spin_unlock_irqrestore(&c->q.lock, irq);
}

/* Wait until it is done. ctx: thread; sleeps */
void completion_wait(struct completion *c)
{
	u64 irq;

	wait_event(&c->q, load_acquire(&c->done));
	/* Who set it may still hold the lock. */
	irq = spin_lock_irqsave(&c->q.lock);
	spin_unlock_irqrestore(&c->q.lock, irq);
}
