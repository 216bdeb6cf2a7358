#pragma once
/* Stands in for wait queues: counts. */
#include "kernel/base/spinlock.h"
#include "kernel/base/time.h"

struct waitq {
	u32 wakes, events;
};
static inline void waitq_init(struct waitq *q)
{
	q->wakes = q->events = 0;
}
static inline void waitq_wake_sync(struct waitq *q, u32 nr, u32 key)
{
	q->wakes++;
	q->events |= key;
}

/* The one thread of a test waits: it says what happens meanwhile. 0, or an error that ends it. */
int wait_host(s64 until);
#define wait_event_interruptible_timeout(q, cond, until) \
	({                                               \
		int wh_ret = 0;                          \
		while (!(cond) && !wh_ret)               \
			wh_ret = wait_host(until);       \
		wh_ret;                                  \
	})
