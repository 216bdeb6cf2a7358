/*
 * What of the machine itself user space sees: the real-time clock as /dev/rtc0, and the power
 * button.
 *
 * The clock counts seconds since 1970; programs set and read it as broken-down UTC. Three things
 * wake readers and pollers of the device, who find flags and a count as rtc(4) says: the alarm,
 * each new second (updates), and a timer of some frequency, which is no affair of the clock. The
 * first two share the clock's one match register: it has what comes next. One program at a time has
 * the device open; what it left on goes off with it, but for the alarm. rtc_state.lock (rank EVENT)
 * guards all that.
 *
 * The power button tells init to power off as "poweroff" does, by SIGUSR2 (BusyBox init's
 * convention); an interrupt may not send signals to processes it has to look up, so a worker does.
 *
 * Reference: rtc(4); Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms" for the
 * calendar.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/rtc.h>
#include <linux/signal.h>
#include "fs/sysfs.h"
#include "fs/vfs.h"
#include "kernel/base/cred.h"
#include "kernel/base/log.h"
#include "kernel/base/power.h"
#include "kernel/base/rtc.h"
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"
#include "kernel/base/uio.h"
#include "kernel/proc/proc.h"
#include "kernel/proc/signal.h"
#include "kernel/sched/waitq.h"
#include "kernel/sched/work.h"
#include "kernel/sys/sys.h"

#define RTC_MAJOR 253
#define DAY 86400
#define ERA_DAYS 146097 /* 400 years */
#define FREQ_USER_MAX 64 /* Hz: more takes CAP_SYS_RESOURCE */
#define FREQ_MAX 8192
#define EPOCH_DAYS 719468 /* from 1 March of year 0 to 1 January 1970 */

/* e guarded by lock */
static struct {
	struct spinlock lock; /* rank EVENT */
	struct waitq waiters;
	s64 alarm; /* e: seconds */
	s64 update; /* e: the next second to tell of */
	bool armed; /* e: the alarm */
	bool updates; /* e */
	bool periodic; /* e: the timer */
	bool open; /* e */
	u32 freq; /* e: of the timer, Hz */
	u64 events; /* e: a count from bit 8 on, and flags: what nobody has read yet */
	struct timeout timer; /* its own */
} rtc_state = { .lock = SPINLOCK_INIT(RANK_EVENT),
		.waiters = WAITQ_INIT(rtc_state.waiters),
		.freq = 1 };

/* Days since 1970 of a date; months count from 1. */
static s64 days_from_date(s64 year, u32 month, u32 day)
{
	s64 y = year - (month <= 2);
	s64 era = y / 400;
	s64 in_era = y - era * 400;
	s64 in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * ERA_DAYS + in_era * 365 + in_era / 4 - in_era / 100 + in_year - EPOCH_DAYS;
}

static void time_from_seconds(s64 t, struct rtc_time *out)
{
	s64 days = t / DAY, z = days + EPOCH_DAYS;
	s64 era = z / ERA_DAYS, in_era = z % ERA_DAYS;
	s64 year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
	s64 in_year = in_era - (365 * year + year / 4 - year / 100);
	s64 month = (5 * in_year + 2) / 153; /* from March */

	*out = (struct rtc_time){
		.tm_sec = (int)(t % 60),
		.tm_min = (int)(t / 60 % 60),
		.tm_hour = (int)(t / 3600 % 24),
		.tm_mday = (int)(in_year - (153 * month + 2) / 5) + 1,
		.tm_mon = (int)(month < 10 ? month + 2 : month - 10),
		.tm_wday = (int)((days + 4) % 7),
	};
	out->tm_year = (int)(year + era * 400 + (out->tm_mon <= 1)) - 1900;
	out->tm_yday = (int)(days - days_from_date(out->tm_year + 1900, 1, 1));
}

/* 0, or -EINVAL for what is no time from 1970 to 2106. */
static int seconds_from_time(const struct rtc_time *t, s64 *out)
{
	struct rtc_time back;
	s64 s;

	if (t->tm_year < 70 || t->tm_year > 206 || (u32)t->tm_mon > 11 ||
	    (u32)t->tm_mday - 1 > 30 || (u32)t->tm_hour > 23 || (u32)t->tm_min > 59 ||
	    (u32)t->tm_sec > 59)
		return -EINVAL;
	s = days_from_date(t->tm_year + 1900, (u32)t->tm_mon + 1, (u32)t->tm_mday) * DAY +
	    t->tm_hour * 3600 + t->tm_min * 60 + t->tm_sec;
	time_from_seconds(s, &back);
	if (back.tm_mday != t->tm_mday || s > 0xffffffffLL) /* 31 April is 1 May */
		return -EINVAL;
	*out = s;
	return 0;
}

/* holds: rtc_state.lock */
static void note_event(u32 flag)
{
	rtc_state.events = (rtc_state.events + 0x100) | RTC_IRQF | flag;
}

/*
 * Note what has come, and have the clock match what comes next; a second may begin between the two.
 * holds: rtc_state.lock
 */
static void match_next(struct rtc *r)
{
	s64 next, now = r->read(r);

	do {
		if (rtc_state.armed && rtc_state.alarm <= now) {
			rtc_state.armed = false;
			note_event(RTC_AF);
		}
		if (rtc_state.updates && rtc_state.update <= now) {
			rtc_state.update = now + 1;
			note_event(RTC_UF);
		}
		next = rtc_state.armed ? rtc_state.alarm : TIME_NEVER;
		if (rtc_state.updates)
			next = MIN(next, rtc_state.update);
		r->set_alarm(r, next, next != TIME_NEVER);
		now = r->read(r);
	} while (next <= now);
}

/* Release the lock; there may be news for who waits. */
static void unlock_and_wake(u64 flags)
{
	spin_unlock_irqrestore(&rtc_state.lock, flags);
	waitq_wake(&rtc_state.waiters, ~0u, POLLIN);
}

static void rtc_alarm(struct rtc *r)
{
	u64 flags = spin_lock_irqsave(&rtc_state.lock);

	match_next(r);
	unlock_and_wake(flags);
}

static void alarm_set(s64 seconds, bool on)
{
	u64 flags = spin_lock_irqsave(&rtc_state.lock);

	rtc_state.alarm = seconds;
	rtc_state.armed = on;
	match_next(rtc_get());
	unlock_and_wake(flags);
}

static int updates_set(bool on)
{
	struct rtc *r = rtc_get();
	u64 flags = spin_lock_irqsave(&rtc_state.lock);

	if (on && !rtc_state.updates)
		rtc_state.update = r->read(r) + 1;
	rtc_state.updates = on;
	match_next(r);
	unlock_and_wake(flags);
	return 0;
}

static void timer_fired(struct timeout *to)
{
	u64 flags = spin_lock_irqsave(&rtc_state.lock);

	if (rtc_state.periodic) {
		note_event(RTC_PF);
		timeout_set(to, time_now() + NSEC_PER_SEC / rtc_state.freq);
	}
	unlock_and_wake(flags);
}

/* The timer goes on or off, and at @freq. */
static void timer_set(bool on, u32 freq)
{
	u64 flags = spin_lock_irqsave(&rtc_state.lock);

	rtc_state.periodic = on;
	rtc_state.freq = freq;
	if (on)
		timeout_set(&rtc_state.timer, time_now() + NSEC_PER_SEC / freq);
	else
		timeout_cancel(&rtc_state.timer);
	spin_unlock_irqrestore(&rtc_state.lock, flags);
}

static int timer_freq(u64 freq)
{
	if (freq > FREQ_USER_MAX && !cred_capable(current->cred, CAP_SYS_RESOURCE))
		return -EACCES;
	if (!freq || freq > FREQ_MAX)
		return -EINVAL;
	timer_set(READ_ONCE(rtc_state.periodic), (u32)freq);
	return 0;
}

/* RTC_PARAM_GET; nothing can be set: the clock has no correction. */
static int param_ioctl(u32 cmd, u64 arg)
{
	struct rtc_param p;

	if (copy_from_user(&p, arg, sizeof(p)))
		return -EFAULT;
	if (cmd == RTC_PARAM_SET || p.param != RTC_PARAM_FEATURES || p.index)
		return -EINVAL;
	p.uvalue = 1u << RTC_FEATURE_ALARM | 1u << RTC_FEATURE_UPDATE_INTERRUPT;
	return copy_to_user(arg, &p, sizeof(p));
}

/* RTC_ALM_SET: hour, minute and second of the next time they come; the date is not looked at. */
static int alarm_set_daily(u64 arg)
{
	struct rtc *r = rtc_get();
	struct rtc_time t;
	s64 now = r->read(r), s;

	if (get_user(&t, arg))
		return -EFAULT;
	if ((u32)t.tm_hour > 23 || (u32)t.tm_min > 59 || (u32)t.tm_sec > 59)
		return -EINVAL;
	s = now - now % DAY + t.tm_hour * 3600 + t.tm_min * 60 + t.tm_sec;
	alarm_set(s > now ? s : s + DAY, false);
	return 0;
}

static int alarm_set_full(u64 arg)
{
	struct rtc_wkalrm w;
	s64 s;
	int err;

	if (get_user(&w, arg))
		return -EFAULT;
	err = seconds_from_time(&w.time, &s);
	if (!err)
		alarm_set(s, w.enabled);
	return err;
}

static int alarm_get(u64 arg, bool full)
{
	struct rtc_wkalrm w = { .enabled = READ_ONCE(rtc_state.armed) };

	time_from_seconds(READ_ONCE(rtc_state.alarm), &w.time);
	return full ? put_user(arg, w) : put_user(arg, w.time);
}

static int clock_set(u64 arg)
{
	struct rtc *r = rtc_get();
	struct rtc_time t;
	u64 flags;
	s64 s;
	int err;

	if (!cred_capable(current->cred, CAP_SYS_TIME))
		return -EACCES;
	if (get_user(&t, arg))
		return -EFAULT;
	err = seconds_from_time(&t, &s);
	if (err)
		return err;
	flags = spin_lock_irqsave(&rtc_state.lock);
	r->set(r, s);
	rtc_state.update = s + 1;
	if (r->set_alarm)
		match_next(r);
	unlock_and_wake(flags);
	return 0;
}

static int clock_get(u64 arg)
{
	struct rtc *r = rtc_get();
	struct rtc_time t;

	time_from_seconds(r->read(r), &t);
	return put_user(arg, t);
}

static long rtc_ioctl(struct file *f, u32 cmd, u64 arg)
{
	switch (cmd) {
	case RTC_RD_TIME: return clock_get(arg);
	case RTC_SET_TIME: return clock_set(arg);
	case RTC_PIE_ON:
	case RTC_PIE_OFF: timer_set(cmd == RTC_PIE_ON, READ_ONCE(rtc_state.freq)); return 0;
	case RTC_IRQP_SET: return timer_freq(arg);
	case RTC_IRQP_READ: return put_user(arg, (u64)READ_ONCE(rtc_state.freq));
	case RTC_EPOCH_SET:
	case RTC_PARAM_SET:
		if (!cred_capable(current->cred, CAP_SYS_TIME))
			return -EACCES;
		return cmd == RTC_PARAM_SET ? param_ioctl(cmd, arg) : -ENOTTY;
	case RTC_PARAM_GET: return param_ioctl(cmd, arg);
	}
	if (!rtc_get()->set_alarm)
		return -EINVAL;
	switch (cmd) {
	case RTC_ALM_SET: return alarm_set_daily(arg);
	case RTC_ALM_READ: return alarm_get(arg, false);
	case RTC_WKALM_SET: return alarm_set_full(arg);
	case RTC_WKALM_RD: return alarm_get(arg, true);
	case RTC_AIE_ON:
	case RTC_AIE_OFF: alarm_set(READ_ONCE(rtc_state.alarm), cmd == RTC_AIE_ON); return 0;
	case RTC_UIE_ON:
	case RTC_UIE_OFF: return updates_set(cmd == RTC_UIE_ON);
	}
	return -ENOTTY;
}

static u64 take_events(void)
{
	u64 flags = spin_lock_irqsave(&rtc_state.lock);
	u64 events = rtc_state.events;

	rtc_state.events = 0;
	spin_unlock_irqrestore(&rtc_state.lock, flags);
	return events;
}

static ssize_t rtc_read(struct file *f, struct uio *u, u64 *pos)
{
	u64 events;
	int err;

	if (u->left != sizeof(u32) && u->left < sizeof(u64))
		return -EINVAL;
	while (!(events = take_events())) {
		if (u->nonblock)
			return -EAGAIN;
		err = wait_event_interruptible(&rtc_state.waiters, READ_ONCE(rtc_state.events));
		if (err)
			return -ERESTARTSYS;
	}
	return uio_copy_to(u, &events, MIN(u->left, sizeof(events)));
}

static u32 rtc_poll(struct file *f, struct poll_table *pt)
{
	poll_wait(pt, &rtc_state.waiters);
	return READ_ONCE(rtc_state.events) ? POLLIN | POLLRDNORM : 0;
}

static int rtc_open(struct inode *i, struct file *f)
{
	u64 flags = spin_lock_irqsave(&rtc_state.lock);
	bool busy = rtc_state.open;

	if (!busy)
		rtc_state.events = 0;
	rtc_state.open = true;
	spin_unlock_irqrestore(&rtc_state.lock, flags);
	return busy ? -EBUSY : 0;
}

static void rtc_release(struct file *f)
{
	timer_set(false, READ_ONCE(rtc_state.freq));
	if (rtc_get()->set_alarm)
		(void)updates_set(false);
	WRITE_ONCE(rtc_state.open, false);
}

static const struct file_ops rtc_ops = {
	.open = rtc_open,
	.release = rtc_release,
	.read = rtc_read,
	.poll = rtc_poll,
	.ioctl = rtc_ioctl,
};
static struct chrdev rtc_dev = { .name = "rtc0", .mode = 0600, .ops = &rtc_ops, .class = "rtc" };

static const char *const rtc_attrs[] = { "date", "hctosys", "name", "since_epoch", "time" };

/* @arg: the attribute's place in rtc_attrs. hctosys: that the system's time comes from it. */
static int rtc_attr_show(struct sbuf *out, void *arg)
{
	struct rtc *r = rtc_get();
	s64 now = r->read(r);
	struct rtc_time t;

	time_from_seconds(now, &t);
	switch ((size_t)arg) {
	case 0:
		sbuf_printf(out, "%04d-%02d-%02d\n", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday);
		break;
	case 1: sbuf_puts(out, "1\n"); break;
	case 2: sbuf_printf(out, "%s %s\n", r->parent->driver, r->parent->name); break;
	case 3: sbuf_printf(out, "%lld\n", (long long)now); break;
	default: sbuf_printf(out, "%02d:%02d:%02d\n", t.tm_hour, t.tm_min, t.tm_sec);
	}
	return 0;
}

static void rtc_show(const struct rtc *r)
{
	char path[SYSFS_PATH_MAX];

	if (!r->parent || !sysfs_device_path(r->parent, path, sizeof(path)))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rtc_attrs); i++) {
		const struct pseudo_attr a = { .mode = 0444,
					       .show = rtc_attr_show,
					       .arg = (void *)i };

		(void)sysfs_add_at(&a, "%s/rtc/rtc0/%s", path, rtc_attrs[i]);
	}
}

static void tell_init(struct work *w)
{
	struct proc *init = proc_lookup(1);

	if (!init)
		return;
	log_info("power button: telling init to power off");
	if (signal_send_proc(init, SIGUSR2, NULL))
		log_err("power button: init cannot be told");
	proc_put(init);
}

static struct work power_work;

static void power_pressed(void)
{
	work_queue(&power_work);
}

/* See sys.h. */
void machine_init(void)
{
	struct rtc *r = rtc_get();

	work_init(&power_work, tell_init);
	power_button_hook = power_pressed;
	if (!r)
		return;
	r->alarm = rtc_alarm;
	timeout_init(&rtc_state.timer, timer_fired);
	rtc_dev.dev = dev_make(RTC_MAJOR, 0);
	rtc_dev.parent = r->parent;
	if (chrdev_register(&rtc_dev))
		log_err("rtc: no device file");
	rtc_show(r);
}
