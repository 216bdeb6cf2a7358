/*
 * timerfd_create(2): a timer whose expirations a read counts.
 *
 * A timer is armed for a deadline on its clock; wall-clock deadlines are turned into monotonic ones
 * then. A cancel-on-set timer notices by the wall clock's generation that it was set since, and
 * reports ECANCELED. Periodic timers are armed again when they fire, and missed periods are counted
 * at once.
 *
 * Everything is guarded by t->lock (rank EVENT, irqsave: the timeout runs in interrupts), let go
 * before waking.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/time.h>
#include <linux/timerfd.h>
#include "fs/eventfd.h"
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"
#include "kernel/lib/sbuf.h"
#include "mm/slab.h"

/* c: lock. */
struct timerfd {
	struct spinlock lock; /* rank EVENT */
	struct timeout timeout; /* its own */
	int clock; /* I */
	s64 deadline; /* c: monotonic; TIME_NEVER: off */
	s64 interval; /* c */
	u64 ticks; /* c: not read yet */
	u32 flags; /* c: TFD_TIMER_* it was armed with */
	u32 generation; /* c: of the wall clock when armed */
	struct waitq wait; /* own lock */
};

static bool is_wall(const struct timerfd *t)
{
	return t->clock == CLOCK_REALTIME || t->clock == CLOCK_REALTIME_ALARM;
}

/* Count the periods that are over and move the deadline on. holds: t->lock. */
static void expire(struct timerfd *t, s64 now)
{
	u64 periods;

	if (t->deadline > now)
		return;
	if (!t->interval) {
		t->ticks++;
		t->deadline = TIME_NEVER;
		return;
	}
	periods = (u64)(now - t->deadline) / t->interval + 1;
	t->ticks += periods;
	t->deadline += periods * t->interval;
}

static void fired(struct timeout *to)
{
	struct timerfd *t = container_of(to, struct timerfd, timeout);
	u64 flags = spin_lock_irqsave(&t->lock);

	expire(t, time_now());
	if (t->deadline != TIME_NEVER)
		timeout_set(&t->timeout, t->deadline);
	spin_unlock_irqrestore(&t->lock, flags);
	waitq_wake(&t->wait, ~0u, POLLIN);
}

static bool cancelled(const struct timerfd *t)
{
	return (t->flags & TFD_TIMER_CANCEL_ON_SET) && is_wall(t) &&
	       t->generation != time_wall_generation();
}

/* Bytes to hand out: ticks in *ticks, or -ECANCELED, or -EAGAIN. */
static int take(struct timerfd *t, u64 *ticks)
{
	u64 flags = spin_lock_irqsave(&t->lock);
	int err = 0;

	if (cancelled(t)) {
		t->generation = time_wall_generation();
		err = -ECANCELED;
	} else if (!t->ticks) {
		err = -EAGAIN;
	}
	*ticks = t->ticks;
	t->ticks = 0;
	spin_unlock_irqrestore(&t->lock, flags);
	return err;
}

static ssize_t timerfd_read(struct file *f, struct uio *u, u64 *pos)
{
	struct timerfd *t = f->priv;
	u64 ticks;
	int err;

	if (u->left < sizeof(ticks))
		return -EINVAL;
	while ((err = take(t, &ticks)) == -EAGAIN && !u->nonblock) {
		err = wait_event_interruptible(&t->wait, READ_ONCE(t->ticks) || cancelled(t));
		if (err)
			return err;
	}
	if (err)
		return err;
	return uio_copy_to(u, &ticks, sizeof(ticks)) == sizeof(ticks) ? (ssize_t)sizeof(ticks)
								      : -EFAULT;
}

static u32 timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = f->priv;

	poll_wait(pt, &t->wait);
	return READ_ONCE(t->ticks) || cancelled(t) ? POLLIN : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->priv;

	timeout_cancel_sync(&t->timeout);
	kfree(t);
}

static void timerfd_show(struct file *f, struct sbuf *sb)
{
	struct timerfd *t = f->priv;
	struct timerfd_spec s;
	u64 ticks = READ_ONCE(t->ticks);

	if (timerfd_gettime(f, &s))
		return;
	sbuf_printf(
		sb,
		"clockid: %d\nticks: %llu\nsettime flags: 0%o\nit_value: (%llu, %llu)\nit_interval: (%llu, %llu)\n",
		t->clock, (unsigned long long)ticks, t->flags,
		(unsigned long long)(s.value / NSEC_PER_SEC),
		(unsigned long long)(s.value % NSEC_PER_SEC),
		(unsigned long long)(s.interval / NSEC_PER_SEC),
		(unsigned long long)(s.interval % NSEC_PER_SEC));
}

static const struct file_ops timerfd_ops = {
	.read = timerfd_read,
	.poll = timerfd_poll,
	.seek = file_seek_nothing,
	.release = timerfd_release,
	.show_fdinfo = timerfd_show,
};

/*
 * A timer that is not armed.
 * ctx: thread; sleeps: yes. 0, -EINVAL (no such clock), -ENOMEM.
 */
int timerfd_create(int clock, u32 flags, struct file **out)
{
	struct timerfd *t;
	int err;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM: break;
	default: return -EINVAL;
	}
	t = kzalloc(sizeof(*t), 0);
	if (!t)
		return -ENOMEM;
	spin_init(&t->lock, RANK_EVENT);
	timeout_init(&t->timeout, fired);
	waitq_init(&t->wait);
	t->clock = clock;
	t->deadline = TIME_NEVER;
	err = file_alloc_anon("[timerfd]", &timerfd_ops, t, FILE_READ | FILE_WRITE | FILE_STREAM,
			      O_RDWR | (flags & O_NONBLOCK), out);
	if (err)
		kfree(t);
	return err;
}

/* holds: t->lock. */
static void spec_get(const struct timerfd *t, struct timerfd_spec *out)
{
	s64 left = t->deadline - time_now();

	out->interval = t->interval;
	/* An armed timer that is about to fire is not shown as off. */
	out->value = t->deadline == TIME_NEVER ? 0 : MAX(left, 1ll);
}

/* Monotonic deadline of @value. */
static s64 deadline_of(const struct timerfd *t, u32 flags, s64 value)
{
	s64 now = time_now();

	if (!(flags & TFD_TIMER_ABSTIME))
		return value > TIME_NEVER - now ? TIME_NEVER - 1 : now + value;
	if (is_wall(t))
		value -= time_wall() - now;
	return MAX(value, 0ll);
}

/*
 * Arm or disarm; see eventfd.h.
 * ctx: thread. 0 or -EINVAL.
 */
int timerfd_settime(struct file *f, u32 flags, const struct timerfd_spec *new,
		    struct timerfd_spec *old)
{
	struct timerfd *t = f->priv;
	u64 irq;

	if (f->ops != &timerfd_ops || (flags & ~(u32)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)))
		return -EINVAL;
	timeout_cancel_sync(&t->timeout);
	irq = spin_lock_irqsave(&t->lock);
	if (old)
		spec_get(t, old);
	t->flags = flags;
	t->generation = time_wall_generation();
	t->interval = new->interval;
	t->ticks = 0;
	t->deadline = new->value ? deadline_of(t, flags, new->value) : TIME_NEVER;
	if (t->deadline != TIME_NEVER)
		timeout_set(&t->timeout, t->deadline);
	spin_unlock_irqrestore(&t->lock, irq);
	return 0;
}

/*
 * What is left; see eventfd.h.
 * ctx: thread. 0 or -EINVAL (not a timer descriptor).
 */
int timerfd_gettime(struct file *f, struct timerfd_spec *out)
{
	struct timerfd *t = f->priv;
	u64 irq;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	irq = spin_lock_irqsave(&t->lock);
	spec_get(t, out);
	spin_unlock_irqrestore(&t->lock, irq);
	return 0;
}
