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
	void *owner; /* o: arch_thread that holds it */
	const void *where; /* o: return address of the acquisition */
};
#define LOCK_DEBUG_INIT(r) { (r), 0, 0 }

/* The three hooks every lock type calls. @nested: equal rank is allowed. */
void lockdebug_acquire(struct lock_debug *d, const void *where, bool nested);
void lockdebug_release(struct lock_debug *d);
/* The running thread leaves (exit): it must hold nothing. */
void lockdebug_assert_none(void);
/* Print the locks that the thread (NULL: current) holds, for panics. */
struct arch_thread;
void lockdebug_print_held(struct arch_thread *t);
#endif
