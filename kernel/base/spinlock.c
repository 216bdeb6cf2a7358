/*
 * Spinlocks: one word, 1 while held.
 *
 * Whoever finds the lock free takes it; there is no queue. That is a choice for virtual machines:
 * with more CPUs than the host has cores, the CPU whose turn it would be is often not running, and
 * a fair lock hands each release to it and makes the running ones wait for the host's scheduler
 * (measured: 10,000 rounds on each of 4 CPUs over 2 cores take more than half a minute with
 * tickets, 20 ms this way). Sections are short, so nobody starves for long. Waiting is by WFE on
 * the word, which costs no memory traffic, and is counted for the caller (lockstat.c).
 *
 * Holding a lock keeps preemption off; the count lives in the running thread. Debug builds check
 * the order before waiting (lockrank.c), so that a deadlock is reported instead of entered.
 *
 * Everything here may be called in any context; nothing sleeps.
 */
#include <arch/wait.h>
#include "kernel/base/lockstat.h"
#include "kernel/base/spinlock.h"
#include "kernel/base/time.h"

/* A 1 over a 1 does no harm, and an exchange is two instructions shorter than to compare first. */
static __always_inline bool word_try(struct spinlock *l)
{
	return __atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE) == 0;
}

/*
 * Returns @flags, so that spin_lock_irqsave can end in it and needs no frame where it need not
 * wait.
 */
static __noinline u64 wait_slow(struct spinlock *l, u64 flags, const void *caller)
{
	s64 since = time_now();

	do
		arch_wait_change32(&l->locked, 1);
	while (!word_try(l));
	lockstat_count(LOCK_SPIN, caller, since);
	return flags;
}

/* For the functions that others call; returns @flags. */
static __always_inline u64 word_lock(struct spinlock *l, u64 flags)
{
	if (unlikely(!word_try(l)))
		return wait_slow(l, flags, __builtin_return_address(0));
	return flags;
}

static __always_inline void word_unlock(struct spinlock *l)
{
	store_release(&l->locked, 0);
}

/* Make @l free, of class @rank. ctx: any. */
void spin_init(struct spinlock *l, enum lock_rank rank)
{
	*l = (struct spinlock)SPINLOCK_INIT(rank);
}

/*
 * Take @l; preemption stays off until the unlock. ctx: any, but never for a lock that handlers
 * take.
 */
void spin_lock(struct spinlock *l)
{
	preempt_disable();
	LOCKDEBUG_CHECK(l, false);
	(void)word_lock(l, 0);
	LOCKDEBUG_ACQUIRED(l);
}

/* As spin_lock for the second lock of a class. ctx: any. */
void spin_lock_nested(struct spinlock *l)
{
	preempt_disable();
	LOCKDEBUG_CHECK(l, true);
	(void)word_lock(l, 0);
	LOCKDEBUG_ACQUIRED(l);
}

/* Release @l. May reschedule. ctx: any. */
void spin_unlock(struct spinlock *l)
{
	LOCKDEBUG_RELEASE(l);
	word_unlock(l);
	preempt_enable();
}

/* Take @l if it is free. ctx: any. */
bool spin_trylock(struct spinlock *l)
{
	preempt_disable();
	if (word_try(l)) {
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
	flags = word_lock(l, flags);
	LOCKDEBUG_ACQUIRED(l);
	return flags;
}

/* Release @l and put interrupts back as they were. May reschedule. ctx: any. */
void spin_unlock_irqrestore(struct spinlock *l, u64 flags)
{
	LOCKDEBUG_RELEASE(l);
	word_unlock(l);
	irq_restore(flags);
	preempt_enable();
}

/* True while somebody holds @l: for assertions only. ctx: any. */
bool spin_is_locked(const struct spinlock *l)
{
	return READ_ONCE(l->locked);
}
