/*
 * Clocks and sleeps.
 *
 * Every clock is the monotonic counter (kernel/base/time) plus an offset, or the CPU time of a
 * process or thread. The coarse clocks are the exact ones: nothing is saved by making them worse.
 *
 * A sleep waits for a deadline of the monotonic clock, or of the wall clock if it is one by that:
 * setting the clock then ends or prolongs it. An interrupted relative sleep is continued by
 * restart_syscall(2) from the restart block: its deadline stays as it was.
 *
 * Man pages: clock_gettime(2), clock_nanosleep(2), gettimeofday(2).
 */
#include <linux/personality.h>
#include "kernel/proc/timers.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/sys.h"

#define TZ_MAX_MINUTES (15 * 60)

static struct timezone time_zone; /* a: two words that nothing here depends on */
static bool zone_given; /* a: it was set once */

static s64 thread_cpu_time(struct thread *t, bool user_only)
{
	s64 user, sys;

	sched_times(t, &user, &sys);
	return user_only ? user : user + sys;
}

static s64 proc_cpu_time(struct proc *p, bool user_only)
{
	s64 user, sys;

	proc_times(p, &user, &sys);
	return user_only ? user : user + sys;
}

/*
 * The CPU clock @clock of another process or thread, or of one's own (id 0). -EINVAL: no such
 * clock.
 */
static int cpu_clock_read(int clock, s64 *out)
{
	u32 id = cpu_clock_id(clock);
	bool user_only = cpu_clock_is_user(clock);
	struct task *t;
	struct proc *p;

	if (!cpu_clock_valid(clock))
		return -EINVAL;
	if (cpu_clock_is_thread(clock)) {
		t = id ? task_lookup_dead(id) : current_task();
		if (!t)
			return -EINVAL;
		if (t->proc == current_proc())
			*out = thread_cpu_time(&t->thread, user_only);
		p = t->proc;
		if (id)
			task_put(t);
		return p == current_proc() ? 0 : -EINVAL;
	}
	p = id ? proc_lookup(id) : current_proc();
	if (!p)
		return -EINVAL;
	*out = proc_cpu_time(p, user_only);
	if (id)
		proc_put(p);
	return 0;
}

/* See sys.h. */
int sys_clock_read(int clock, s64 *out)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM: *out = time_wall(); return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM: *out = time_now(); return 0;
	case CLOCK_MONOTONIC_RAW: *out = time_raw(); return 0;
	case CLOCK_TAI: *out = time_wall() + time_tai_offset() * NSEC_PER_SEC; return 0;
	case CLOCK_PROCESS_CPUTIME_ID: *out = proc_cpu_time(current_proc(), false); return 0;
	case CLOCK_THREAD_CPUTIME_ID: *out = thread_cpu_time(current, false); return 0;
	default: return clock < 0 ? cpu_clock_read(clock, out) : -EINVAL;
	}
}

/* clock_gettime(2). ctx: thread */
long sys_clock_gettime(u64 clock, u64 uts)
{
	struct __kernel_timespec ts;
	s64 now;
	int err = sys_clock_read((int)clock, &now);

	if (err)
		return err;
	ts = sys_ns_timespec(now);
	return copy_to_user(uts, &ts, sizeof(ts));
}

/* clock_getres(2): the counter is converted to nanoseconds. ctx: thread */
long sys_clock_getres(u64 clock, u64 uts)
{
	struct __kernel_timespec ts = { .tv_nsec = 1 };
	s64 now;
	int err = sys_clock_read((int)clock, &now);

	if (err || !uts)
		return err;
	return copy_to_user(uts, &ts, sizeof(ts));
}

/* clock_settime(2): only the wall clock can be set. ctx: thread */
long sys_clock_settime(u64 clock, u64 uts)
{
	struct __kernel_timespec ts;
	s64 ns;

	if ((int)clock > CLOCK_REALTIME)
		return -EINVAL;
	if (copy_from_user(&ts, uts, sizeof(ts)))
		return -EFAULT;
	if ((int)clock < 0)
		return sys_clock_read((int)clock, &ns) ? -EINVAL : -EPERM;
	if (!sys_timespec_ns(&ts, &ns) || ns >= SYS_WALL_SEC_MAX * NSEC_PER_SEC)
		return -EINVAL;
	if (!sys_capable(CAP_SYS_TIME))
		return -EPERM;
	return sys_clock_set(ns);
}

/* gettimeofday(2). ctx: thread */
long sys_gettimeofday(u64 utv, u64 utz)
{
	struct __kernel_old_timeval tv;
	s64 now = time_wall();

	tv.tv_sec = now / NSEC_PER_SEC;
	tv.tv_usec = now % NSEC_PER_SEC / NSEC_PER_USEC;
	if (utv && copy_to_user(utv, &tv, sizeof(tv)))
		return -EFAULT;
	if (utz && copy_to_user(utz, &time_zone, sizeof(time_zone)))
		return -EFAULT;
	return 0;
}

/*
 * The time zone. The first setting of it since boot, if it comes alone, says that the real-time
 * clock showed local time: the wall clock, which was taken from that, becomes UTC.
 */
static int zone_set(const struct timezone *tz, bool alone)
{
	if (tz->tz_minuteswest > TZ_MAX_MINUTES || tz->tz_minuteswest < -TZ_MAX_MINUTES)
		return -EINVAL;
	time_zone = *tz;
	time_set_zone(tz->tz_minuteswest, tz->tz_dsttime);
	if (__atomic_exchange_n(&zone_given, true, __ATOMIC_RELAXED) || !alone ||
	    !tz->tz_minuteswest)
		return 0;
	return sys_clock_set(time_wall() + tz->tz_minuteswest * 60 * NSEC_PER_SEC);
}

/* settimeofday(2). ctx: thread; sleeps */
long sys_settimeofday(u64 utv, u64 utz)
{
	struct __kernel_old_timeval tv;
	struct timezone tz;

	if (utv && copy_from_user(&tv, utv, sizeof(tv)))
		return -EFAULT;
	if (utv && (tv.tv_usec < 0 || tv.tv_usec >= 1000000 || tv.tv_sec < 0 ||
		    tv.tv_sec >= SYS_WALL_SEC_MAX))
		return -EINVAL;
	if (utz && copy_from_user(&tz, utz, sizeof(tz)))
		return -EFAULT;
	if (!sys_capable(CAP_SYS_TIME))
		return -EPERM;
	if (utz) {
		int err = zone_set(&tz, !utv);

		if (err || !utv)
			return err;
	}
	if (!utv)
		return 0;
	return sys_clock_set(tv.tv_sec * NSEC_PER_SEC + tv.tv_usec * NSEC_PER_USEC);
}

/* Sleep until @clock reads @when. 0 or -EINTR */
static int sleep_until(int clock, s64 when)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM: return sched_sleep_wall(when);
	case CLOCK_TAI: return sched_sleep_wall(when - time_tai_offset() * NSEC_PER_SEC);
	default: return sched_sleep_interruptible(when);
	}
}

/*
 * Sleep until the process has used CPU time up to @when. Its threads use at most one CPU each, so
 * the time cannot come before the remainder divided by their number; look again then.
 */
static int sleep_cpu_time(int clock, s64 when)
{
	for (;;) {
		s64 now, least;
		int err = sys_clock_read(clock, &now);

		if (err || now >= when)
			return err;
		least = (when - now) / MAX(READ_ONCE(current_proc()->ntasks), 1u);
		if (sched_sleep_interruptible(time_add(time_now(), MAX(least, NSEC_PER_MSEC))))
			return -EINTR;
	}
}

static int sleep_on(int clock, s64 when)
{
	bool cpu = clock < 0 || clock == CLOCK_PROCESS_CPUTIME_ID;

	return cpu ? sleep_cpu_time(clock, when) : sleep_until(clock, when);
}

enum { RESTART_CLOCK, RESTART_WHEN, RESTART_REM };

static long sleep_restart(struct task *t);

/*
 * A relative sleep until @when on @clock; on a signal the rest is written and the restart block
 * set.
 */
static long sleep_relative(int clock, s64 when, u64 urem)
{
	struct task *t = current_task();
	struct __kernel_timespec ts;
	s64 now;
	int err = sleep_on(clock, when);

	if (err != -EINTR)
		return err;
	if (sys_clock_read(clock, &now) == 0 && now >= when)
		return 0;
	if (urem) {
		ts = sys_ns_timespec(when - now);
		if (copy_to_user(urem, &ts, sizeof(ts)))
			return -EFAULT;
	}
	t->restart_fn = sleep_restart;
	t->restart_arg[RESTART_CLOCK] = (u64)clock;
	t->restart_arg[RESTART_WHEN] = (u64)when;
	t->restart_arg[RESTART_REM] = urem;
	return -ERESTART_RESTARTBLOCK;
}

static long sleep_restart(struct task *t)
{
	return sleep_relative((int)t->restart_arg[RESTART_CLOCK], (s64)t->restart_arg[RESTART_WHEN],
			      t->restart_arg[RESTART_REM]);
}

static long sleep_begin(int clock, s64 rel, u64 urem)
{
	s64 now;
	int err = sys_clock_read(clock, &now);

	if (err)
		return err;
	return sleep_relative(clock, rel > TIME_NEVER - now ? TIME_NEVER : now + rel, urem);
}

/* nanosleep(2). ctx: thread; sleeps */
long sys_nanosleep(u64 ureq, u64 urem)
{
	struct __kernel_timespec ts;
	s64 rel;

	if (copy_from_user(&ts, ureq, sizeof(ts)))
		return -EFAULT;
	if (!sys_timespec_ns(&ts, &rel))
		return -EINVAL;
	return sleep_begin(CLOCK_MONOTONIC, rel, urem);
}

/* Is there such a clock that one can sleep on? 0, -EINVAL, -EOPNOTSUPP */
static int sleep_clock_find(int clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI:
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM: return 0;
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_THREAD_CPUTIME_ID: return -EOPNOTSUPP;
	default: return clock >= 0 ? -EINVAL : cpu_clock_is_device(clock) ? -EOPNOTSUPP : 0;
	}
}

/* May current sleep on @clock like that? 0 or -errno */
static int sleep_clock_check(int clock, u64 flags)
{
	s64 now;

	if (clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM) {
		if ((int)flags & ~TIMER_ABSTIME)
			return -EINVAL;
		return sys_capable(CAP_WAKE_ALARM) ? 0 : -EPERM;
	}
	if (clock >= 0)
		return 0;
	/* Nobody can wait for what its own sleep keeps from passing. */
	if (cpu_clock_is_thread(clock) &&
	    (!cpu_clock_id(clock) || cpu_clock_id(clock) == current_task()->tid->nr))
		return -EINVAL;
	return sys_clock_read(clock, &now);
}

/* clock_nanosleep(2). ctx: thread; sleeps */
long sys_clock_nanosleep(u64 uclock, u64 flags, u64 ureq, u64 urem)
{
	struct __kernel_timespec ts;
	int clock = (int)uclock, err = sleep_clock_find(clock);
	s64 ns;

	if (err)
		return err;
	if (copy_from_user(&ts, ureq, sizeof(ts)))
		return -EFAULT;
	if (!sys_timespec_ns(&ts, &ns))
		return -EINVAL;
	err = sleep_clock_check(clock, flags);
	if (err)
		return err;
	if (!(flags & TIMER_ABSTIME)) {
		/* What a setting of the wall clock does must not show in a relative sleep. */
		if (clock == CLOCK_REALTIME || clock == CLOCK_TAI || clock == CLOCK_REALTIME_ALARM)
			clock = CLOCK_MONOTONIC;
		return sleep_begin(clock, ns, urem);
	}
	err = sleep_on(clock, ns);
	return err == -EINTR ? -ERESTARTNOHAND : err;
}
