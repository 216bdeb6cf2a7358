/*
 * The queue of an inotify instance: events in the order they happened, until they are read.
 *
 * An event that repeats the last one in the queue is dropped. When the queue is full, or there is
 * no memory, one IN_Q_OVERFLOW stands for all that is lost until it is read; its record is made
 * with the instance, so that there is always one.
 *
 * A reader gets whole records, as many as fit. The name is padded with zeroes to a multiple of the
 * record's size. inotify(7).
 */
#include <asm/siginfo.h>
#include <linux/errno.h>
#include "fs/async.h"
#include "fs/inotify.h"
#include "fs/procfs.h"
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

static int max_queued_events = 16384;
SYSCTL_INT(inotify_max_queued_events, "sys/fs/inotify/max_queued_events", &max_queued_events, 0,
	   0x7fffffff);

struct inotify_record {
	struct list link; /* e: of the queue */
	int wd; /* I */
	u32 mask; /* I */
	u32 cookie; /* I */
	u32 len; /* I: of the name, without NUL */
	char name[]; /* I */
};

static struct inotify_record *record_alloc(int wd, u32 mask, u32 cookie, const char *name, u32 len,
					   u32 flags)
{
	struct inotify_record *r = kmalloc(sizeof(*r) + len, flags);

	if (!r)
		return NULL;
	list_init(&r->link);
	r->wd = wd;
	r->mask = mask;
	r->cookie = cookie;
	r->len = len;
	memcpy(r->name, name, len);
	return r;
}

/* ctx: thread. 0 or -ENOMEM. */
int inotify_queue_init(struct inotify_queue *q)
{
	spin_init(&q->lock, RANK_EVENT);
	list_init(&q->events);
	waitq_init(&q->wait);
	list_init(&q->async);
	q->count = 0;
	q->max = (u32)READ_ONCE(max_queued_events);
	q->overflow = record_alloc(-1, IN_Q_OVERFLOW, 0, "", 0, 0);
	return q->overflow ? 0 : -ENOMEM;
}

static void record_free(struct inotify_queue *q, struct inotify_record *r)
{
	if (r != q->overflow)
		kfree(r);
}

/* Drop what was not read. ctx: thread */
void inotify_queue_fini(struct inotify_queue *q)
{
	while (!list_empty(&q->events)) {
		struct inotify_record *r = list_first(&q->events, struct inotify_record, link);

		list_del(&r->link);
		record_free(q, r);
	}
	kfree(q->overflow);
}

/* Does the last event say the same? holds: q->lock */
static bool repeats(const struct inotify_queue *q, int wd, u32 mask, const char *name, u32 len)
{
	const struct inotify_record *last;

	if (list_empty(&q->events))
		return false;
	last = list_last(&q->events, struct inotify_record, link);
	return last->wd == wd && last->mask == mask && !(mask & IN_IGNORED) && last->len == len &&
	       !memcmp(last->name, name, len);
}

/*
 * Append an event and wake who waits for one.
 * ctx: any but IRQ; sleeps: no. Lost when the queue is full, which the reader is told.
 */
void inotify_queue_add(struct inotify_queue *q, int wd, u32 mask, u32 cookie, const char *name,
		       u32 len)
{
	struct inotify_record *r = NULL;

	spin_lock(&q->lock);
	if (q->count < q->max) {
		if (repeats(q, wd, mask, name, len))
			goto unlock;
		r = record_alloc(wd, mask, cookie, name, len, PMM_NOWAIT);
	}
	if (!r) {
		r = q->overflow;
		if (!list_empty(&r->link))
			goto unlock;
	}
	list_add_tail(&q->events, &r->link);
	q->count++;
	spin_unlock(&q->lock);
	waitq_wake_all(&q->wait);
	async_notify(&q->async, POLL_IN);
	return;
unlock:
	spin_unlock(&q->lock);
}

/* Bytes of the name as it is read: with NUL and padding, none for an empty one. */
static u32 padded(const struct inotify_record *r)
{
	return r->len ? (u32)ALIGN_UP(r->len + 1, sizeof(struct inotify_event)) : 0;
}

/* The first record if it fits @room: 0 with *out (NULL: none is there), or -EINVAL. */
static int take(struct inotify_queue *q, size_t room, struct inotify_record **out)
{
	struct inotify_record *r = NULL;
	int err = 0;

	spin_lock(&q->lock);
	if (!list_empty(&q->events)) {
		r = list_first(&q->events, struct inotify_record, link);
		if (sizeof(struct inotify_event) + padded(r) > room) {
			err = -EINVAL;
		} else {
			list_del(&r->link);
			q->count--;
		}
	}
	spin_unlock(&q->lock);
	*out = r;
	return err;
}

static bool put_record(const struct inotify_record *r, struct uio *u)
{
	struct inotify_event e = {
		.wd = r->wd, .mask = r->mask, .cookie = r->cookie, .len = padded(r)
	};
	size_t pad = e.len - r->len;

	return uio_copy_to(u, &e, sizeof(e)) == sizeof(e) &&
	       uio_copy_to(u, r->name, r->len) == (ssize_t)r->len &&
	       uio_zero(u, pad) == (ssize_t)pad;
}

/*
 * Read whole events, waiting for the first.
 * ctx: thread; sleeps. Bytes, -EINVAL (not even one fits), -EAGAIN, -ERESTARTSYS, -EFAULT.
 */
ssize_t inotify_queue_read(struct inotify_queue *q, struct uio *u)
{
	struct inotify_record *r;
	size_t room = u->left;
	bool good;

	for (;;) {
		int err = take(q, u->left, &r);

		if (err)
			return u->left < room ? (ssize_t)(room - u->left) : err;
		if (r) {
			good = put_record(r, u);
			record_free(q, r);
			if (!good)
				return -EFAULT;
			continue;
		}
		if (u->left < room)
			return (ssize_t)(room - u->left);
		if (u->nonblock)
			return -EAGAIN;
		if (wait_event_interruptible(&q->wait, !inotify_queue_empty(q)))
			return -ERESTARTSYS;
	}
}

/* What a read of everything would give. ctx: thread */
u32 inotify_queue_bytes(struct inotify_queue *q)
{
	struct inotify_record *r;
	u32 n = 0;

	spin_lock(&q->lock);
	list_for_each(r, &q->events, link)
		n += (u32)sizeof(struct inotify_event) + padded(r);
	spin_unlock(&q->lock);
	return n;
}
