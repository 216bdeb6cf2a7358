/*
 * timerfd_create(2): a timer whose expirations a read counts.
 *
 * A timer is armed for a deadline of the monotonic clock; one for a time of the wall clock stays a
 * deadline of that, so that setting the clock moves it. A cancel-on-set timer also watches the wall
 * clock: when it is set, readers wake, and the next call, to read or to arm it again, is told by
 * ECANCELED. A periodic timer that fired rests until it is read or asked for what is left: periods
 * that pass meanwhile are only counted then, and a timer that nobody reads costs nothing.
 *
 * Everything is guarded by t->lock (rank EVENT, irqsave: the timeout runs in interrupts), let go
 * before waking. The watch has the clock's own lock, which is taken first.
 */
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/time.h>
#include <linux/timerfd.h>
#include "fs/eventfd.h"
#include "kernel/base/errno.h"
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"
#include "kernel/lib/sbuf.h"
#include "mm/slab.h"

/* c: lock. */
struct timerfd {
	struct spinlock lock; /* rank EVENT */
	struct timeout timeout; /* its own */
	int clock; /* I */
	s64 deadline; /* c: monotonic or, with .wall, of the wall clock; TIME_NEVER: off */
	bool wall; /* c */
	s64 interval; /* c */
	u64 ticks; /* c: not read yet */
	bool resting; /* c: periodic and fired; .deadline is the next one */
	u32 flags; /* c: TFD_TIMER_* it was armed with */
	struct wall_watch watch; /* its own */
	bool watched; /* c: it is cancel-on-set */
	bool cancelled; /* c: the wall clock was set while it was, and nobody was told */
	struct waitq wait; /* own lock */
};

static bool is_wall(const struct timerfd *t)
{
	return t->clock == CLOCK_REALTIME || t->clock == CLOCK_REALTIME_ALARM;
}

static s64 now_of(const struct timerfd *t)
{
	return t->wall ? time_wall() : time_now();
}

/* Fire at the deadline, but not before @earliest. holds: t->lock */
static void arm(struct timerfd *t, s64 earliest)
{
	if (t->deadline == TIME_NEVER)
		return;
	if (t->wall)
		timeout_set_wall(&t->timeout, MAX(t->deadline, earliest));
	else
		timeout_set(&t->timeout, MAX(t->deadline, earliest));
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
	t->deadline = time_next_period(t->deadline, t->interval, now);
}

static void fired(struct timeout *to)
{
	struct timerfd *t = container_of(to, struct timerfd, timeout);
	u64 flags = spin_lock_irqsave(&t->lock);
	s64 now = now_of(t);
	bool due = t->deadline <= now;

	expire(t, now);
	if (due)
		t->resting = t->interval;
	else
		arm(t, now + TIMEOUT_AGAIN_MIN);
	spin_unlock_irqrestore(&t->lock, flags);
	waitq_wake(&t->wait, ~0u, POLLIN);
}

/* Somebody looks at a timer that rests: what it missed, and it goes on. holds: t->lock */
static void go_on(struct timerfd *t)
{
	if (!t->resting)
		return;
	t->resting = false;
	expire(t, now_of(t));
	arm(t, 0);
}

static void clock_was_set(struct wall_watch *w)
{
	struct timerfd *t = container_of(w, struct timerfd, watch);
	u64 flags = spin_lock_irqsave(&t->lock);

	t->cancelled = true;
	t->ticks++;
	spin_unlock_irqrestore(&t->lock, flags);
	waitq_wake(&t->wait, ~0u, POLLIN);
}

/* Is somebody to be told of a setting of the clock? Only once. holds: t->lock */
static bool take_cancelled(struct timerfd *t)
{
	bool yes = t->watched && t->cancelled;

	if (yes)
		t->cancelled = false;
	return yes;
}

/* Bytes to hand out: ticks in *ticks, or -ECANCELED, or -EAGAIN. */
static int take(struct timerfd *t, u64 *ticks)
{
	u64 flags = spin_lock_irqsave(&t->lock);
	int err = 0;

	go_on(t);
	if (take_cancelled(t))
		err = -ECANCELED;
	else if (!t->ticks)
		err = -EAGAIN;
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
		if (wait_event_interruptible(&t->wait, READ_ONCE(t->ticks)))
			return -ERESTARTSYS;
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
	return READ_ONCE(t->ticks) ? POLLIN : 0;
}

static void timerfd_release(struct file *f)
{
	struct timerfd *t = f->priv;

	wall_watch_remove(&t->watch);
	timeout_cancel_sync(&t->timeout);
	kfree(t);
}

/* holds: t->lock. */
static void spec_get(const struct timerfd *t, struct timerfd_spec *out)
{
	s64 left = t->deadline - now_of(t);

	out->interval = t->interval;
	/* An armed timer that is about to fire is not shown as off. */
	out->value = t->deadline == TIME_NEVER ? 0 : MAX(left, 1ll);
}

static void timerfd_show(struct file *f, struct sbuf *sb)
{
	struct timerfd *t = f->priv;
	struct timerfd_spec s;
	u64 ticks, irq = spin_lock_irqsave(&t->lock);

	ticks = t->ticks;
	spec_get(t, &s);
	if (t->resting)
		s.value = 0;
	spin_unlock_irqrestore(&t->lock, irq);
	sbuf_printf(sb,
		    "clockid: %d\nticks: %llu\nsettime flags: 0%o\n"
		    "it_value: (%llu, %llu)\nit_interval: (%llu, %llu)\n",
		    t->clock, (unsigned long long)ticks, t->flags,
		    (unsigned long long)(s.value / NSEC_PER_SEC),
		    (unsigned long long)(s.value % NSEC_PER_SEC),
		    (unsigned long long)(s.interval / NSEC_PER_SEC),
		    (unsigned long long)(s.interval % NSEC_PER_SEC));
}

/* TFD_IOC_SET_TICKS: a checkpoint that is restored had so many unread. */
static long timerfd_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct timerfd *t = f->priv;
	bool cancelled;
	u64 ticks, flags;

	if (cmd != TFD_IOC_SET_TICKS)
		return -ENOTTY;
	if (get_user(&ticks, arg))
		return -EFAULT;
	if (!ticks)
		return -EINVAL;
	flags = spin_lock_irqsave(&t->lock);
	cancelled = take_cancelled(t);
	if (!cancelled)
		t->ticks = ticks;
	spin_unlock_irqrestore(&t->lock, flags);
	if (cancelled)
		return -ECANCELED;
	waitq_wake(&t->wait, ~0u, POLLIN);
	return 0;
}

static const struct file_ops timerfd_ops = {
	.read = timerfd_read,
	.poll = timerfd_poll,
	.seek = file_seek_nothing,
	.release = timerfd_release,
	.ioctl = timerfd_ioctl,
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
	wall_watch_init(&t->watch, clock_was_set);
	waitq_init(&t->wait);
	t->clock = clock;
	t->deadline = TIME_NEVER;
	err = file_alloc_anon("[timerfd]", &timerfd_ops, t, FILE_READ | FILE_WRITE | FILE_STREAM,
			      O_RDWR | (flags & O_NONBLOCK), out);
	if (err)
		kfree(t);
	return err;
}

/* The deadline for @value. holds: t->lock */
static void deadline_set(struct timerfd *t, u32 flags, s64 value)
{
	s64 now = time_now();

	t->wall = is_wall(t) && (flags & TFD_TIMER_ABSTIME);
	if (!value)
		t->deadline = TIME_NEVER;
	else if (flags & TFD_TIMER_ABSTIME)
		t->deadline = value;
	else
		t->deadline = time_add(now, value);
}

/*
 * Is @f a timer of one of the clocks that wake a suspended system? ctx: any.
 */
bool timerfd_wakes_system(const struct file *f)
{
	const struct timerfd *t = f->priv;

	return f->ops == &timerfd_ops &&
	       (t->clock == CLOCK_REALTIME_ALARM || t->clock == CLOCK_BOOTTIME_ALARM);
}

/*
 * Arm or disarm; see eventfd.h.
 * ctx: thread. 0, -EINVAL, or -ECANCELED: armed, but the clock was set before.
 */
int timerfd_settime(struct file *f, u32 flags, const struct timerfd_spec *new,
		    struct timerfd_spec *old)
{
	struct timerfd *t = f->priv;
	const u32 cancel = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
	bool watched;
	int err = 0;
	u64 irq;

	if (f->ops != &timerfd_ops || (flags & ~(u32)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)))
		return -EINVAL;
	watched = is_wall(t) && (flags & cancel) == cancel;
	if (watched)
		wall_watch_add(&t->watch);
	else
		wall_watch_remove(&t->watch);
	timeout_cancel_sync(&t->timeout);
	irq = spin_lock_irqsave(&t->lock);
	if (t->resting)
		expire(t, now_of(t));
	t->resting = false;
	if (old)
		spec_get(t, old);
	t->watched = watched;
	t->interval = new->interval;
	t->ticks = 0;
	deadline_set(t, flags, new->value);
	arm(t, 0);
	if (new->value && take_cancelled(t))
		err = -ECANCELED;
	else
		t->flags = flags;
	spin_unlock_irqrestore(&t->lock, irq);
	return err;
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
	go_on(t);
	spec_get(t, out);
	spin_unlock_irqrestore(&t->lock, irq);
	return 0;
}
