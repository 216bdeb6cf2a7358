/*
 * System calls on interval timers (getitimer, setitimer) and POSIX timers (timer_*).
 *
 * Times come as seconds with micro- or nanoseconds, are checked here and are nanoseconds from then
 * on. A timer is made before its number is stored for the caller; where that cannot be stored the
 * timer is taken back.
 */
#include <linux/time.h>
#include "kernel/proc/timers.h"
#include "kernel/sys/abi.h"

static bool timeval_ns(const struct __kernel_old_timeval *tv, s64 *ns)
{
	if (tv->tv_sec < 0 || tv->tv_usec < 0 || tv->tv_usec >= 1000000)
		return false;
	*ns = tv->tv_sec >= SYS_SEC_MAX ? TIME_NEVER - 1
					: tv->tv_sec * NSEC_PER_SEC + tv->tv_usec * NSEC_PER_USEC;
	return true;
}

static void ns_timeval(s64 ns, struct __kernel_old_timeval *tv)
{
	tv->tv_sec = ns / NSEC_PER_SEC;
	tv->tv_usec = ns % NSEC_PER_SEC / NSEC_PER_USEC;
}

static int itimer_to_user(u64 uold, const struct itimer_ns *old)
{
	struct __kernel_old_itimerval it;

	ns_timeval(old->interval, &it.it_interval);
	ns_timeval(old->value, &it.it_value);
	return copy_to_user(uold, &it, sizeof(it));
}

/* getitimer(2) */
long sys_getitimer(u64 which, u64 uold)
{
	struct itimer_ns old;
	int err = proc_itimer(current_proc(), (int)which, NULL, &old);

	return err ? err : itimer_to_user(uold, &old);
}

/* setitimer(2) */
long sys_setitimer(u64 which, u64 unew, u64 uold)
{
	struct __kernel_old_itimerval it = { 0 };
	struct itimer_ns set, old;
	int err;

	if (unew && copy_from_user(&it, unew, sizeof(it)))
		return -EFAULT;
	if (!timeval_ns(&it.it_interval, &set.interval) || !timeval_ns(&it.it_value, &set.value))
		return -EINVAL;
	err = proc_itimer(current_proc(), (int)which, &set, &old);
	if (err || !uold)
		return err;
	return itimer_to_user(uold, &old);
}

/* timer_create(2) */
long sys_timer_create(u64 clock, u64 uev, u64 uid)
{
	struct ptimer_event ev = { .notify = SIGEV_SIGNAL, .signo = SIGALRM, .value_is_id = true };
	struct sigevent se;
	int id, err;

	if (uev) {
		if (copy_from_user(&se, uev, sizeof(se)))
			return -EFAULT;
		ev.notify = se.sigev_notify;
		ev.signo = se.sigev_signo;
		ev.value = (u64)se.sigev_value.sival_ptr;
		ev.tid = (u32)se.sigev_notify_thread_id;
		ev.value_is_id = false;
	}
	switch (ev.notify) {
	case SIGEV_SIGNAL:
	case SIGEV_NONE:
	case SIGEV_THREAD:
	case SIGEV_SIGNAL | SIGEV_THREAD_ID: break;
	default: return -EINVAL;
	}
	err = ptimer_create((int)clock, &ev, &id);
	if (err)
		return err;
	if (put_user(uid, id)) {
		(void)ptimer_delete(id);
		return -EFAULT;
	}
	return 0;
}

static int ptimer_to_user(u64 uold, const struct itimer_ns *old)
{
	struct __kernel_itimerspec it = {
		.it_interval = sys_ns_timespec(old->interval),
		.it_value = sys_ns_timespec(old->value),
	};

	return copy_to_user(uold, &it, sizeof(it));
}

/* timer_settime(2) */
long sys_timer_settime(u64 id, u64 flags, u64 unew, u64 uold)
{
	struct __kernel_itimerspec it;
	struct itimer_ns set, old;
	int err;

	if (!unew)
		return -EINVAL;
	if (copy_from_user(&it, unew, sizeof(it)))
		return -EFAULT;
	if (!sys_timespec_ns(&it.it_interval, &set.interval) ||
	    !sys_timespec_ns(&it.it_value, &set.value))
		return -EINVAL;
	set.interval = MIN(set.interval, TIME_NEVER / 4);
	err = ptimer_settime((int)id, flags & TIMER_ABSTIME, &set, &old);
	if (err || !uold)
		return err;
	return ptimer_to_user(uold, &old);
}

/* timer_gettime(2) */
long sys_timer_gettime(u64 id, u64 uout)
{
	struct itimer_ns it;
	int err = ptimer_gettime((int)id, &it);

	return err ? err : ptimer_to_user(uout, &it);
}

/* timer_getoverrun(2) */
long sys_timer_getoverrun(u64 id)
{
	return ptimer_getoverrun((int)id);
}

/* timer_delete(2) */
long sys_timer_delete(u64 id)
{
	return ptimer_delete((int)id);
}
