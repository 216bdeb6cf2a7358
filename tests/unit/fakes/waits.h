#pragma once
/* Wait queues of a test in which nobody waits: wait_block(), its own, says what happens instead. */
#include "kernel/sched/thread.h"
#include "kernel/sched/waitq.h"

void waiter_init(struct waiter *w)
{
}
void waitq_add(struct waitq *q, struct waiter *w)
{
}
void waitq_remove(struct waitq *q, struct waiter *w)
{
}
void waitq_wake(struct waitq *q, u32 nr, u32 key)
{
}
void sched_prepare(enum thread_state state)
{
}
void sched_cancel(void)
{
}
