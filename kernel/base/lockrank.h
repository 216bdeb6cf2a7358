#pragma once
/*
 * Lock ranks and, in debug builds, the bookkeeping that enforces them. lockrank.def is the order.
 */
#include "kernel/lib/types.h"

enum lock_rank {
#define LOCKRANK(name, why) RANK_##name,
#include "kernel/base/lockrank.def"
#undef LOCKRANK
	RANK_COUNT,
};

#ifdef CONFIG_DEBUG
struct lock_debug {
	enum lock_rank rank; /* I */
	u32 usage; /* a: LOCKDEBUG_IN_IRQ, LOCKDEBUG_IRQS_ON: how it was taken so far */
	void *owner; /* o: arch_thread that holds it */
	const void *where; /* o: return address of the acquisition */
};
#define LOCK_DEBUG_INIT(r)   \
	{                    \
		(r), 0, 0, 0 \
	}

/*
 * The hooks every lock type calls. check: before waiting for the lock; panics when the order is
 * wrong (@nested: equal rank is allowed), when this thread holds it already, or when a lock that
 * interrupt handlers take is taken with interrupts on. acquired: it is ours. acquire: both in one.
 */
void lockdebug_check(struct lock_debug *d, const void *where, bool nested);
void lockdebug_acquired(struct lock_debug *d, const void *where);
void lockdebug_acquire(struct lock_debug *d, const void *where, bool nested);
void lockdebug_release(struct lock_debug *d);
/*
 * An interrupt handler begins and ends: what the interrupted code holds does not order its locks.
 */
u32 lockdebug_irq_enter(void);
void lockdebug_irq_exit(u32 saved);
/* The running thread leaves (exit): it must hold nothing. */
void lockdebug_assert_none(void);
/* Print the locks that the thread (NULL: current) holds, for panics. */
struct arch_thread;
void lockdebug_print_held(struct arch_thread *t);

/* For lock types with a struct lock_debug member dbg; nothing in release builds. */
#define LOCKDEBUG_CHECK(l, nested) lockdebug_check(&(l)->dbg, __builtin_return_address(0), (nested))
#define LOCKDEBUG_ACQUIRED(l) lockdebug_acquired(&(l)->dbg, __builtin_return_address(0))
#define LOCKDEBUG_RELEASE(l) lockdebug_release(&(l)->dbg)
#else
#define LOCKDEBUG_CHECK(l, nested) ((void)(l))
#define LOCKDEBUG_ACQUIRED(l) ((void)(l))
#define LOCKDEBUG_RELEASE(l) ((void)(l))
struct arch_thread;
static inline void lockdebug_assert_none(void)
{
}
static inline void lockdebug_print_held(struct arch_thread *t)
{
	(void)t;
}
static inline u32 lockdebug_irq_enter(void)
{
	return 0;
}
static inline void lockdebug_irq_exit(u32 saved)
{
	(void)saved;
}
#endif
