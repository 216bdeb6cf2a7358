/*
 * Spinlocks: ticket locks.
 *
 * .next is the ticket the next comer takes, .serving the one whose holder may go in; they are equal when the
 * lock is free. CPUs get it in the order they came, and wait in WFE until .serving changes, so a waiter costs no
 * memory traffic (and, under an emulator, hardly any host time).
 *
 * Holding a lock keeps preemption off; the count lives in the running thread. Debug builds check the order before
 * waiting (lockrank.c), so that a deadlock is reported instead of entered.
 *
 * Everything here may be called in any context; nothing sleeps.
 */
#include <arch/wait.h>
#include "kernel/base/spinlock.h"

static __always_inline void ticket_lock(struct spinlock *l)
{
	u32 mine = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);
	u32 now = load_acquire(&l->serving);

	while (unlikely(now != mine))
		now = arch_wait_change32(&l->serving, now);
}

static __always_inline void ticket_unlock(struct spinlock *l)
{
	store_release(&l->serving, l->serving + 1);
}

/* Make @l free, of class @rank. ctx: any. */
void spin_init(struct spinlock *l, enum lock_rank rank)
{
	*l = (struct spinlock)SPINLOCK_INIT(rank);
}

/* Take @l; preemption stays off until the unlock. ctx: any, but never for a lock that handlers take. */
void spin_lock(struct spinlock *l)
{
	preempt_disable();
	LOCKDEBUG_CHECK(l, false);
	ticket_lock(l);
	LOCKDEBUG_ACQUIRED(l);
}

/* As spin_lock for the second lock of a class. ctx: any. */
void spin_lock_nested(struct spinlock *l)
{
	preempt_disable();
	LOCKDEBUG_CHECK(l, true);
	ticket_lock(l);
	LOCKDEBUG_ACQUIRED(l);
}

/* Release @l. May reschedule. ctx: any. */
void spin_unlock(struct spinlock *l)
{
	LOCKDEBUG_RELEASE(l);
	ticket_unlock(l);
	preempt_enable();
}

/* Take @l if it is free. ctx: any. */
bool spin_trylock(struct spinlock *l)
{
	u32 now;

	preempt_disable();
	now = load_acquire(&l->serving);
	/* Nobody can be served past .next: if .next still is @now, the lock is free and becomes ours. */
	if (__atomic_compare_exchange_n(&l->next, &now, now + 1, false, __ATOMIC_ACQUIRE,
					__ATOMIC_RELAXED)) {
		LOCKDEBUG_ACQUIRED(l);
		return true;
	}
	preempt_enable();
	return false;
}

/* Take @l with interrupts off on this CPU; returns the flags for the unlock. ctx: any. */
u64 spin_lock_irqsave(struct spinlock *l)
{
	u64 flags = irq_save();

	preempt_disable();
	LOCKDEBUG_CHECK(l, false);
	ticket_lock(l);
	LOCKDEBUG_ACQUIRED(l);
	return flags;
}

/* Release @l and put interrupts back as they were. May reschedule. ctx: any. */
void spin_unlock_irqrestore(struct spinlock *l, u64 flags)
{
	LOCKDEBUG_RELEASE(l);
	ticket_unlock(l);
	irq_restore(flags);
	preempt_enable();
}

/* True while somebody holds @l: for assertions only. ctx: any. */
bool spin_is_locked(const struct spinlock *l)
{
	return READ_ONCE(l->next) != READ_ONCE(l->serving);
}
