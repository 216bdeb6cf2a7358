#pragma once
/*
 * Spinlocks. Holding one keeps preemption off; the _irqsave forms keep interrupts off too and are
 * required for every lock that an interrupt handler takes. Debug builds record rank and holder of
 * each held lock in the thread's held-lock stack and panic on a wrong order.
 */
#include <arch/atomic.h>
#include <arch/irqflags.h>
#include <arch/thread.h>
#include "kernel/base/lockrank.h"
#include "kernel/lib/types.h"

struct spinlock {
	u32 locked; /* a: 1 while somebody holds it */
#ifdef CONFIG_DEBUG
	struct lock_debug dbg;
#endif
};

#ifdef CONFIG_DEBUG
#define SPINLOCK_INIT(rank)              \
	{                                \
		0, LOCK_DEBUG_INIT(rank) \
	}
#else
#define SPINLOCK_INIT(rank) \
	{                   \
		0           \
	}
#endif

void spin_init(struct spinlock *l, enum lock_rank rank);
void spin_lock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
bool __must_check spin_trylock(struct spinlock *l);
u64 spin_lock_irqsave(struct spinlock *l); /* returns the flags for the unlock */
void spin_unlock_irqrestore(struct spinlock *l, u64 flags);
/* As spin_lock for a second lock of a NEST class (debug builds skip the equal-rank check). */
void spin_lock_nested(struct spinlock *l);
bool spin_is_locked(const struct spinlock *l);

/* Preemption. Counts nest; re-enabling reschedules if that was asked for meanwhile. ctx: any */
static __always_inline void preempt_disable(void)
{
	arch_current()->preempt_count++;
	__asm__ volatile("" ::: "memory");
}

void preempt_enable_slow(void); /* kernel/sched: the count is 0 and WORK_RESCHED is set */

static __always_inline void preempt_enable(void)
{
	struct arch_thread *t = arch_current();

	__asm__ volatile("" ::: "memory");
	if (--t->preempt_count == 0 && unlikely(READ_ONCE(t->work) & WORK_RESCHED))
		preempt_enable_slow();
}

/* Debug-build checks; nothing in release builds. */
#ifdef CONFIG_DEBUG
void lock_assert_held(const struct spinlock *l);
void assert_can_sleep(void);
#else
#define lock_assert_held(l) ((void)(l))
#define assert_can_sleep() ((void)0)
#endif
