/*
 * Mutexes.
 *
 * The owner word holds the owning thread, or 0, and MUTEX_WAITERS while the queue is not empty.
 * Without waiters, lock and unlock are one compare-and-swap each. With waiters, unlock leaves the
 * mutex free and wakes the first of them; a thread that comes by meanwhile may take it first, which
 * saves a switch. A waiter that lost once in this way is "starving": unlock then makes it the owner
 * itself, so every waiter gets in after at most one such loss.
 *
 * Locking: the waiters' list is in m->q, guarded by m->q.lock; the word changes from and to "with
 * waiters" under it.
 */
#include <linux/errno.h>
#include "kernel/base/lockstat.h"
#include "kernel/base/panic.h"
#include "kernel/base/time.h"
#include "kernel/sched/mutex.h"

#define MUTEX_WAITERS 1ull

struct mutex_waiter {
	struct list link; /* q.lock */
	struct thread *thread; /* I */
	bool starving; /* q.lock */
};

/* ctx: any */
void mutex_init(struct mutex *m, enum lock_rank rank)
{
	*m = (struct mutex)MUTEX_INIT(*m, rank);
}

static inline bool cas(struct mutex *m, u64 old, u64 new)
{
	return __atomic_compare_exchange_n(&m->owner, &old, new, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

/* Make the running thread owner if the mutex is free. holds: m->q.lock, with the WAITERS bit set */
static bool take_locked(struct mutex *m)
{
	if (m->owner & ~MUTEX_WAITERS)
		return m->owner == ((u64)current | MUTEX_WAITERS);
	/* Only unlockers that see the bit change the word, and they need q.lock. */
	__atomic_store_n(&m->owner, (u64)current | MUTEX_WAITERS, __ATOMIC_RELAXED);
	return true;
}

/* Leave the queue. holds: m->q.lock */
static void leave_locked(struct mutex *m, struct mutex_waiter *w)
{
	list_del(&w->link);
	if (list_empty(&m->q.waiters))
		__atomic_fetch_and(&m->owner, ~MUTEX_WAITERS, __ATOMIC_RELAXED);
}

static __noinline int lock_slow(struct mutex *m, enum thread_state state, const void *caller)
{
	struct mutex_waiter w = { .thread = current };
	s64 since = time_now();
	u64 irq = spin_lock_irqsave(&m->q.lock);
	int err = 0;

	list_add_tail(&m->q.waiters, &w.link);
	/* From here on the owner comes to the queue; free and no bit is taken by the usual way. */
	__atomic_fetch_or(&m->owner, MUTEX_WAITERS, __ATOMIC_ACQ_REL);
	for (;;) {
		struct mutex_waiter *first = list_first(&m->q.waiters, struct mutex_waiter, link);

		if (first == &w || !first->starving || m->owner == ((u64)current | MUTEX_WAITERS)) {
			if (take_locked(m))
				break;
		}
		if (state == TS_SLEEPING && READ_ONCE(current->interrupted)) {
			err = -EINTR;
			break;
		}
		sched_prepare(state);
		spin_unlock_irqrestore(&m->q.lock, irq);
		schedule();
		irq = spin_lock_irqsave(&m->q.lock);
		w.starving = true;
	}
	sched_cancel();
	leave_locked(m, &w);
	spin_unlock_irqrestore(&m->q.lock, irq);
	lockstat_count(LOCK_MUTEX, caller, since);
	return err;
}

static __noinline void unlock_slow(struct mutex *m)
{
	u64 irq = spin_lock_irqsave(&m->q.lock);
	struct mutex_waiter *first;

	if (list_empty(&m->q.waiters)) {
		store_release(&m->owner, 0);
	} else {
		first = list_first(&m->q.waiters, struct mutex_waiter, link);
		store_release(&m->owner,
			      first->starving ? (u64)first->thread | MUTEX_WAITERS : MUTEX_WAITERS);
		sched_wake(first->thread, WAKE_NORMAL);
	}
	spin_unlock_irqrestore(&m->q.lock, irq);
}

/* Take @m. ctx: thread; sleeps */
void mutex_lock(struct mutex *m)
{
	assert_can_sleep();
	LOCKDEBUG_CHECK(m, false);
	if (unlikely(!cas(m, 0, (u64)current)))
		(void)lock_slow(m, TS_BLOCKED, __builtin_return_address(0));
	LOCKDEBUG_ACQUIRED(m);
}

/* Take a second mutex of its class. ctx: thread; sleeps */
void mutex_lock_nested(struct mutex *m)
{
	assert_can_sleep();
	LOCKDEBUG_CHECK(m, true);
	if (unlikely(!cas(m, 0, (u64)current)))
		(void)lock_slow(m, TS_BLOCKED, __builtin_return_address(0));
	LOCKDEBUG_ACQUIRED(m);
}

/* Take @m unless a signal comes first. ctx: thread; sleeps. 0 or -EINTR. */
int mutex_lock_interruptible(struct mutex *m)
{
	assert_can_sleep();
	LOCKDEBUG_CHECK(m, false);
	if (unlikely(!cas(m, 0, (u64)current)) &&
	    lock_slow(m, TS_SLEEPING, __builtin_return_address(0)))
		return -EINTR;
	LOCKDEBUG_ACQUIRED(m);
	return 0;
}

/* Take @m if it is free and nobody waits. ctx: thread */
bool mutex_trylock(struct mutex *m)
{
	if (!cas(m, 0, (u64)current))
		return false;
	LOCKDEBUG_ACQUIRED(m);
	return true;
}

/* Release @m. ctx: thread, its owner */
void mutex_unlock(struct mutex *m)
{
	debug_assert(mutex_is_mine(m));
	LOCKDEBUG_RELEASE(m);
	if (unlikely(!cas(m, (u64)current, 0)))
		unlock_slow(m);
}

/* True when the running thread owns @m. ctx: thread */
bool mutex_is_mine(const struct mutex *m)
{
	return (READ_ONCE(m->owner) & ~MUTEX_WAITERS) == (u64)current;
}
