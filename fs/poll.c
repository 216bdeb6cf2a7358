/*
 * Waiting on many files at once.
 *
 * The first look at each file passes a poll table, through which the file names its wait queues;
 * an entry on each wakes this thread. Once a ready file was found, or when the call is not to
 * wait, no more entries are made. After a wake every file is looked at again without a table: the
 * entries are there already.
 *
 * Entries lie in the caller's frame as far as POLL_INLINE of them go, then in chunks from the
 * allocator. Files stay referenced (fdref) until all entries are off their queues. A wake between
 * two looks leaves .triggered set, so it is not lost.
 */
#include <asm/poll.h>
#include "fs/poll.h"
#include "kernel/base/errno.h"
#include "kernel/base/time.h"
#include "mm/slab.h"

#define POLL_INLINE 6
#define POLL_CHUNK 60 /* a chunk is about a page */
#define POLL_ALWAYS (POLLERR | POLLHUP | POLLNVAL)

struct poller;

struct poll_entry {
	struct waiter w; /* the queue's lock */
	struct waitq *q; /* o */
	struct poller *owner; /* o */
	u32 events; /* o: that this thread waits for here */
};

struct poll_chunk {
	struct poll_chunk *next; /* o */
	u32 used; /* o */
	struct poll_entry entry[POLL_CHUNK]; /* o */
};

struct poller {
	struct poll_table pt; /* o */
	bool triggered; /* a: a queue was woken since the last look */
	bool failed; /* o: no memory for an entry */
	u32 inline_used; /* o */
	struct poll_chunk *chunks; /* o */
	struct poll_entry entry[POLL_INLINE]; /* o */
};

static bool entry_wake(struct waiter *w, u32 key)
{
	struct poll_entry *e = container_of(w, struct poll_entry, w);

	if (key && !(key & e->events))
		return false;
	WRITE_ONCE(e->owner->triggered, true);
	return sched_wake(w->thread, WAKE_NORMAL);
}

static struct poll_entry *entry_alloc(struct poller *p)
{
	struct poll_chunk *c = p->chunks;

	if (p->inline_used < POLL_INLINE)
		return &p->entry[p->inline_used++];
	if (!c || c->used == POLL_CHUNK) {
		c = kmalloc(sizeof(*c), 0);
		if (!c)
			return NULL;
		c->next = p->chunks;
		c->used = 0;
		p->chunks = c;
	}
	return &c->entry[c->used++];
}

static void entry_queue(struct poll_table *pt, struct waitq *q)
{
	struct poller *p = container_of(pt, struct poller, pt);
	struct poll_entry *e = entry_alloc(p);

	if (!e) {
		p->failed = true;
		return;
	}
	waiter_init(&e->w);
	e->w.wake = entry_wake;
	e->q = q;
	e->owner = p;
	e->events = pt->key | POLL_ALWAYS;
	waitq_add(q, &e->w);
}

static void poller_fini(struct poller *p)
{
	struct poll_chunk *c, *next;

	for (u32 i = 0; i < p->inline_used; i++)
		waitq_remove(p->entry[i].q, &p->entry[i].w);
	for (c = p->chunks; c; c = next) {
		next = c->next;
		for (u32 i = 0; i < c->used; i++)
			waitq_remove(c->entry[i].q, &c->entry[i].w);
		kfree(c);
	}
}

/* One look at all; @pt NULL: make no entries. Returns how many are ready. */
static u32 look(struct poll_item *items, u32 n, struct poll_table *pt)
{
	u32 ready = 0;

	for (u32 i = 0; i < n; i++) {
		struct poll_item *it = &items[i];

		if (it->fd < 0) {
			it->revents = 0;
			continue;
		}
		if (!it->ref.file) {
			it->revents = POLLNVAL;
			ready++;
			continue;
		}
		if (pt)
			pt->key = it->events;
		it->revents =
			file_poll(it->ref.file, ready ? NULL : pt) & (it->events | POLL_ALWAYS);
		ready += it->revents != 0;
	}
	return ready;
}

static long wait_ready(struct poll_item *items, u32 n, s64 deadline, struct poller *p)
{
	struct poll_table *pt = deadline ? &p->pt : NULL;
	int err = deadline ? 0 : -ETIMEDOUT;

	for (;;) {
		u32 ready = look(items, n, pt);

		pt = NULL;
		if (ready)
			return ready;
		if (p->failed)
			return -ENOMEM;
		if (err)
			return err == -ETIMEDOUT ? 0 : err;
		sched_prepare(TS_SLEEPING);
		if (!READ_ONCE(p->triggered))
			err = wait_block(TS_SLEEPING, deadline);
		sched_cancel();
		WRITE_ONCE(p->triggered, false);
		/* The looks that follow must see what the wakers did before they set .triggered. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
}

static void refs_get(struct poll_item *items, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		items[i].ref.file = NULL;
		if (items[i].fd >= 0 && fd_borrow(items[i].fd, &items[i].ref))
			items[i].ref.file = NULL;
	}
}

/* See poll.h. */
long poll_files(struct poll_item *items, u32 n, s64 deadline)
{
	struct poller p;
	long r;

	p.pt.queue = entry_queue;
	p.triggered = false;
	p.failed = false;
	p.inline_used = 0;
	p.chunks = NULL;
	refs_get(items, n);
	r = wait_ready(items, n, deadline, &p);
	poller_fini(&p);
	for (u32 i = 0; i < n; i++) {
		if (items[i].ref.file)
			fd_release(&items[i].ref);
	}
	return r;
}
