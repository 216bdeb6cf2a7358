/*
 * eventfd(2): a 64-bit counter as a file. A write adds, a read takes all of it, or 1 with
 * EFD_SEMAPHORE; a write that would pass 2^64 - 2 waits for room, a read of 0 waits for a write.
 * Only the kernel's own signals reach 2^64 - 1, where it stays: overflow, shown as POLLERR.
 *
 * The counter is guarded by ctx->lock (rank EVENT), which is let go before waiters are woken.
 * Writers wake readers through the _sync form: the usual partner is a thread that answers at once.
 */
#include <linux/fcntl.h>
#include <linux/poll.h>
#include "fs/eventfd.h"
#include "kernel/base/errno.h"
#include "kernel/lib/sbuf.h"
#include "mm/slab.h"

#define COUNT_OVER (~0ull)

struct eventfd {
	struct spinlock lock; /* rank EVENT */
	u64 count; /* c: lock; a for looking */
	bool semaphore; /* I */
	u32 id; /* I: for fdinfo */
	struct waitq wait; /* own lock */
};

/* Take what a read takes. False: nothing is there. */
static bool take(struct eventfd *e, u64 *v)
{
	spin_lock(&e->lock);
	*v = e->semaphore && e->count ? 1 : e->count;
	e->count -= *v;
	spin_unlock(&e->lock);
	return *v;
}

static bool add(struct eventfd *e, u64 v)
{
	bool fits;

	spin_lock(&e->lock);
	fits = v < COUNT_OVER - e->count;
	if (fits)
		e->count += v;
	spin_unlock(&e->lock);
	return fits;
}

static ssize_t eventfd_read(struct file *f, struct uio *u, u64 *pos)
{
	struct eventfd *e = f->priv;
	u64 v;

	if (u->left < sizeof(v))
		return -EINVAL;
	while (!take(e, &v)) {
		if (u->nonblock)
			return -EAGAIN;
		if (wait_event_exclusive(&e->wait, READ_ONCE(e->count)))
			return -ERESTARTSYS;
	}
	waitq_wake(&e->wait, 1, POLLOUT);
	return uio_copy_to(u, &v, sizeof(v)) == sizeof(v) ? (ssize_t)sizeof(v) : -EFAULT;
}

static ssize_t eventfd_write(struct file *f, struct uio *u, u64 *pos)
{
	struct eventfd *e = f->priv;
	u64 v;

	if (u->left < sizeof(v))
		return -EINVAL;
	if (uio_copy_from(u, &v, sizeof(v)) != sizeof(v))
		return -EFAULT;
	if (v == COUNT_OVER)
		return -EINVAL;
	while (!add(e, v)) {
		if (u->nonblock)
			return -EAGAIN;
		if (wait_event_interruptible(&e->wait, v < COUNT_OVER - READ_ONCE(e->count)))
			return -ERESTARTSYS;
	}
	waitq_wake_sync(&e->wait, 1, POLLIN);
	return sizeof(v);
}

static u32 eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->priv;
	u64 count;

	poll_wait(pt, &e->wait);
	count = READ_ONCE(e->count);
	return (count ? POLLIN : 0) | (count < COUNT_OVER - 1 ? POLLOUT : 0) |
	       (count == COUNT_OVER ? POLLERR : 0);
}

static void eventfd_release(struct file *f)
{
	kfree(f->priv);
}

static void eventfd_show(struct file *f, struct sbuf *sb)
{
	struct eventfd *e = f->priv;

	sbuf_printf(sb, "eventfd-count: %16llx\neventfd-id: %u\n",
		    (unsigned long long)READ_ONCE(e->count), e->id);
}

static const struct file_ops eventfd_ops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.seek = file_seek_nothing,
	.release = eventfd_release,
	.show_fdinfo = eventfd_show,
};

/*
 * A new counter; EFD_* in @flags.
 * ctx: thread; sleeps: yes. 0, -EINVAL (unknown flags), -ENOMEM.
 */
int eventfd_create(u32 count, u32 flags, struct file **out)
{
	static u32 last_id;
	struct eventfd *e;
	int err;

	if (flags & ~(u32)(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
		return -EINVAL;
	e = kzalloc(sizeof(*e), 0);
	if (!e)
		return -ENOMEM;
	spin_init(&e->lock, RANK_EVENT);
	waitq_init(&e->wait);
	e->count = count;
	e->semaphore = flags & EFD_SEMAPHORE;
	e->id = __atomic_fetch_add(&last_id, 1, __ATOMIC_RELAXED);
	err = file_alloc_anon("[eventfd]", &eventfd_ops, e,
			      FILE_READ | FILE_WRITE | FILE_STREAM | FILE_NOWAIT,
			      O_RDWR | (flags & O_NONBLOCK), out);
	if (err)
		kfree(e);
	return err;
}

/* See eventfd.h. ctx: any */
bool file_is_eventfd(const struct file *f)
{
	return f->ops == &eventfd_ops;
}

/* See eventfd.h. */
void eventfd_signal(struct file *f)
{
	struct eventfd *e = f->priv;

	spin_lock(&e->lock);
	e->count += e->count != COUNT_OVER;
	spin_unlock(&e->lock);
	waitq_wake(&e->wait, 1, POLLIN);
}
