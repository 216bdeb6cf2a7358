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
