#pragma once
/*
 * Sleeping locks: mutex (one owner; a waiter that lost to a passer-by once is handed the mutex,
 * FIFO; no priority inheritance) and rwsem (many readers or one writer, writers not starved). ctx:
 * thread, IRQs on, no spinlock held.
 */
#include "kernel/base/panic.h"
#include "kernel/base/spinlock.h"
#include "kernel/sched/waitq.h"

struct mutex {
	u64 owner; /* a: struct thread * | MUTEX_WAITERS */
	struct waitq q;
#ifdef CONFIG_DEBUG
	struct lock_debug dbg;
#endif
};
#ifdef CONFIG_DEBUG
#define MUTEX_INIT(name, rank)                                 \
	{                                                      \
		0, WAITQ_INIT((name).q), LOCK_DEBUG_INIT(rank) \
	}
#else
#define MUTEX_INIT(name, rank)          \
	{                               \
		0, WAITQ_INIT((name).q) \
	}
#endif
void mutex_init(struct mutex *m, enum lock_rank rank);
void mutex_lock(struct mutex *m);
void mutex_lock_nested(struct mutex *m); /* second of a NEST class */
int __must_check mutex_lock_interruptible(struct mutex *m); /* 0 or -EINTR */
bool __must_check mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_is_mine(const struct mutex *m);
#define mutex_assert_held(m) debug_assert(mutex_is_mine(m))

struct rwsem {
	u32 state; /* a: readers, or RW_WRITER; RW_WAITERS */
	struct spinlock lock; /* rank WAITQ: guards the queue */
	struct list waiters; /* w */
	struct thread *writer; /* o */
#ifdef CONFIG_DEBUG
	struct lock_debug dbg;
#endif
};
#ifdef CONFIG_DEBUG
#define RWSEM_INIT(name, rank)                                                 \
	{                                                                      \
		0, SPINLOCK_INIT(RANK_WAITQ), LIST_INIT((name).waiters), NULL, \
			LOCK_DEBUG_INIT(rank)                                  \
	}
#else
#define RWSEM_INIT(name, rank)                                                \
	{                                                                     \
		0, SPINLOCK_INIT(RANK_WAITQ), LIST_INIT((name).waiters), NULL \
	}
#endif
void rwsem_init(struct rwsem *s, enum lock_rank rank);
void rwsem_read_lock(struct rwsem *s);
bool __must_check rwsem_read_trylock(struct rwsem *s);
void rwsem_read_unlock(struct rwsem *s);
void rwsem_write_lock(struct rwsem *s);
void rwsem_write_lock_nested(struct rwsem *s);
/* 0 or -EINTR when a fatal signal is pending. */
int __must_check rwsem_write_lock_killable(struct rwsem *s);
void rwsem_write_unlock(struct rwsem *s);
void rwsem_downgrade(struct rwsem *s); /* writer -> reader */
