#pragma once
/* Deferred work: functions run by kernel worker threads, in thread context where they may sleep. */
#include "kernel/lib/list.h"
#include "kernel/lib/types.h"

struct workqueue;

struct work {
	struct list link; /* WORK lock of the queue */
	void (*fn)(struct work *w); /* I */
	bool queued; /* WORK */
	struct workqueue *q; /* a: where it was queued last */
};

void work_init_all(void); /* boot: starts the system queue's threads */
void work_init(struct work *w, void (*fn)(struct work *w));
/*
 * Queue on the system queue; false if it is queued already. It may be freed or re-queued by its own
 * function. ctx: any
 */
bool work_queue(struct work *w);
/* A queue with its own single thread (ordered), for drivers and the tty. NULL: out of memory. */
struct workqueue *workqueue_create(const char *name);
bool work_queue_on(struct workqueue *q, struct work *w);
void work_flush(struct work *w); /* wait until it neither is queued nor runs. ctx: thread */
