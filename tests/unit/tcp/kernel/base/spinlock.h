#pragma once
/* Stands in for the kernel's locks: one thread, so a lock that is taken twice is a deadlock. */
#include <arch/atomic.h>
#include "kernel/base/lockrank.h"
#include "kernel/base/panic.h"
#include "kernel/lib/types.h"

struct spinlock {
	u32 locked;
};
#define SPINLOCK_INIT(rank) \
	{                   \
		0           \
	}

static inline void spin_init(struct spinlock *l, enum lock_rank rank)
{
	l->locked = 0;
}
static inline void spin_lock(struct spinlock *l)
{
	if (l->locked)
		panic("a lock is taken twice");
	l->locked = 1;
}
#define spin_lock_nested(l) spin_lock(l)
static inline void spin_unlock(struct spinlock *l)
{
	if (!l->locked)
		panic("a lock is given up that was not taken");
	l->locked = 0;
}
