#pragma once
/*
 * Wait queues. A waiter is an entry on the waiting thread's stack (or in a poll table), with a
 * callback. The default callback wakes the thread; poll and epoll bring their own. Exclusive
 * entries come behind all others, in FIFO order; they stop a wake after @nr of them were woken.
 */
#include <arch/barrier.h>
#include "kernel/base/spinlock.h"
#include "kernel/base/time.h"
#include "kernel/lib/list.h"
#include "kernel/sched/sched.h"

/* w guarded by .lock. */
struct waitq {
	struct spinlock lock; /* rank WAITQ */
	struct list waiters; /* w: struct waiter.link */
};

struct waiter {
	struct list link; /* WAITQ lock of the queue */
	struct thread *thread; /* I */
	/*
	 * Returns true if it woke somebody (counts for exclusive). Holds the queue's lock; any
	 * context. @key: POLL* bits.
	 */
	bool (*wake)(struct waiter *w, u32 key);
	bool exclusive; /* I */
};

#define WAITQ_INIT(name)                                             \
	{                                                            \
		SPINLOCK_INIT(RANK_WAITQ), LIST_INIT((name).waiters) \
	}
void waitq_init(struct waitq *q);
void waiter_init(struct waiter *w); /* current thread, default callback */
void waitq_add(struct waitq *q, struct waiter *w);
void waitq_add_exclusive(struct waitq *q, struct waiter *w); /* at the tail */
void waitq_remove(struct waitq *q, struct waiter *w); /* no-op when already off */
/* Wake up to @nr exclusive waiters and all others; @key says which poll events (0 = all). Cheap
 * when empty. ctx: any. The condition must have been made true before (the emptiness test is
 * preceded by a full barrier). */
void waitq_wake(struct waitq *q, u32 nr, u32 key);
#define waitq_wake_one(q) waitq_wake((q), 1, 0)
#define waitq_wake_all(q) waitq_wake((q), ~0u, 0)
/* As waitq_wake, and the waker will sleep soon: prefer running the woken thread on this CPU. */
void waitq_wake_sync(struct waitq *q, u32 nr, u32 key);
/*
 * Does anybody wait? To leave out the work that goes before a wake: what was stored before this is
 * seen by a waiter that this does not see.
 */
static inline bool waitq_active(struct waitq *q)
{
	smp_mb();
	return !list_empty(&q->waiters);
}

/*
 * Sleep until @cond, evaluated after being queued. The value: 0, -EINTR (interruptible and a signal
 * is pending), -ETIMEDOUT (deadline passed). No spinlock may be held; @cond may take locks itself.
 */
#define WAIT_EVENT(q, cond, state, until, excl)                  \
	({                                                       \
		struct waiter we_w;                              \
		int we_ret = 0;                                  \
		waiter_init(&we_w);                              \
		for (;;) {                                       \
			if (excl)                                \
				waitq_add_exclusive((q), &we_w); \
			else                                     \
				waitq_add((q), &we_w);           \
			sched_prepare(state);                    \
			if (cond) {                              \
				we_ret = 0;                      \
				break;                           \
			}                                        \
			if (we_ret)                              \
				break;                           \
			we_ret = wait_block((state), (until));   \
		}                                                \
		sched_cancel();                                  \
		waitq_remove((q), &we_w);                        \
		we_ret;                                          \
	})
/* schedule_until plus the signal checks of @state: 0, -EINTR, -ETIMEDOUT. */
int wait_block(enum thread_state state, s64 until);

#define wait_event(q, cond) ((void)WAIT_EVENT(q, cond, TS_BLOCKED, TIME_NEVER, false))
#define wait_event_interruptible(q, cond) WAIT_EVENT(q, cond, TS_SLEEPING, TIME_NEVER, false)
#define wait_event_exclusive(q, cond) WAIT_EVENT(q, cond, TS_SLEEPING, TIME_NEVER, true)
#define wait_event_timeout(q, cond, until) WAIT_EVENT(q, cond, TS_BLOCKED, until, false)
#define wait_event_interruptible_timeout(q, cond, until) \
	WAIT_EVENT(q, cond, TS_SLEEPING, until, false)

/* One-shot event: done once, all waiters pass. */
struct completion {
	struct waitq q;
	u32 done; /* a */
};
void completion_init(struct completion *c);
void completion_done(struct completion *c);
void completion_wait(struct completion *c);
