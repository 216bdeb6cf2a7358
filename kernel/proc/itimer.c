/*
 * Interval timers (setitimer), and what goes by CPU time: ITIMER_VIRTUAL and PROF, RLIMIT_CPU and
 * RLIMIT_RTTIME, POSIX timers on CPU clocks.
 *
 * ITIMER_REAL is one kernel timer per process. CPU time has no tick here: one kernel timer
 * (cpu_timeout) is set for the earliest moment at which a limit could be reached, that is the time
 * left divided by the number of threads; when it fires, the sum is compared and the timer set anew.
 * A process without such limits has no timer at all.
 *
 * Both functions run in interrupts and take the siglock; itimers_exit makes sure that none runs any
 * more.
 */
#include <linux/errno.h>
#include <linux/time.h>
#include "kernel/proc/internal.h"
#include "kernel/proc/timers.h"

#define CPU_CHECK_MIN NSEC_PER_MSEC

static void itimer_real_fire(struct timeout *t)
{
	struct proc *p = container_of(t, struct proc, itimer_real);
	s64 now = time_now();
	u64 f = spin_lock_irqsave(&p->siglock);

	/* Set or stopped while we waited for the lock: not this one's time. */
	if (p->itimer_real_expires && now >= p->itimer_real_expires) {
		signal_send_locked(p, NULL, SIGALRM, NULL, false);
		if (p->itimer_real_interval) {
			p->itimer_real_expires = time_next_period(p->itimer_real_expires,
								  p->itimer_real_interval, now);
			timeout_set(t, MAX(p->itimer_real_expires, now + TIMEOUT_AGAIN_MIN));
		} else {
			p->itimer_real_expires = 0;
		}
	}
	spin_unlock_irqrestore(&p->siglock, f);
}

/* One CPU-time interval timer against the time used. */
static void cpu_itimer_check(struct proc *p, struct cpu_itimer *it, s64 used, int sig, s64 *left)
{
	if (!it->expires)
		return;
	if (used >= it->expires) {
		signal_send_locked(p, NULL, sig, NULL, false);
		if (!it->interval) {
			it->expires = 0;
			return;
		}
		it->expires = time_next_period(it->expires, it->interval, used);
	}
	*left = MIN(*left, it->expires - used);
}

/* RLIMIT_CPU: SIGXCPU at the soft limit and each second after it, SIGKILL at the hard one. */
static void cpu_limit_check(struct proc *p, s64 used, s64 *left)
{
	struct rlimit64 *r = &p->rlim[RLIMIT_CPU];

	if (r->rlim_max < (u64)TIME_NEVER / NSEC_PER_SEC) {
		s64 hard = (s64)r->rlim_max * NSEC_PER_SEC;

		if (used >= hard)
			signal_send_locked(p, NULL, SIGKILL, NULL, false);
		else
			*left = MIN(*left, hard - used);
	}
	if (r->rlim_cur < (u64)TIME_NEVER / NSEC_PER_SEC) {
		s64 soft = (s64)MAX(r->rlim_cur, p->cpu_warned) * NSEC_PER_SEC;

		if (used >= soft) {
			signal_send_locked(p, NULL, SIGXCPU, NULL, false);
			p->cpu_warned = (u64)(used / NSEC_PER_SEC) + 1;
			soft = (s64)p->cpu_warned * NSEC_PER_SEC;
		}
		*left = MIN(*left, soft - used);
	}
}

/*
 * RLIMIT_RTTIME, in microseconds that a real-time thread runs without sleeping: SIGXCPU at the soft
 * limit, which is then a second higher, SIGKILL at the hard one. Nobody tells when a thread wakes,
 * so it is looked after the time that is left to it even if it sleeps.
 */
static void rt_limit_check(struct proc *p, s64 *left)
{
	struct rlimit64 *r = &p->rlim[RLIMIT_RTTIME];
	struct task *t;

	if (likely(r->rlim_cur >= (u64)TIME_NEVER / NSEC_PER_USEC))
		return;
	list_for_each(t, &p->tasks, proc_link) {
		s64 us = sched_rt_time(&t->thread);

		if (us < 0)
			continue;
		us /= NSEC_PER_USEC;
		if ((u64)us >= r->rlim_max) {
			signal_send_locked(p, NULL, SIGKILL, NULL, false);
			return;
		}
		if ((u64)us >= r->rlim_cur) {
			WRITE_ONCE(r->rlim_cur, r->rlim_cur + NSEC_PER_SEC / NSEC_PER_USEC);
			signal_send_locked(p, NULL, SIGXCPU, NULL, false);
		}
		us = ((s64)MIN(r->rlim_cur, r->rlim_max) - us) * NSEC_PER_USEC;
		*left = MIN(*left, us);
	}
}

/* Compare, raise, set the timer anew. holds: siglock */
static void cpu_check_locked(struct proc *p)
{
	struct proc_usage u;
	s64 left = TIME_NEVER;

	if (!p->ntasks || p->group_exit)
		return;
	proc_usage_get(p, &u);
	cpu_itimer_check(p, &p->itimer_cpu[CPU_VIRT], u.utime, SIGVTALRM, &left);
	cpu_itimer_check(p, &p->itimer_cpu[CPU_PROF], u.utime + u.stime, SIGPROF, &left);
	cpu_limit_check(p, u.utime + u.stime, &left);
	rt_limit_check(p, &left);
	left = MIN(left, ptimers_check_cpu_locked(p));
	if (left == TIME_NEVER || p->group_exit)
		return;
	p->had_timers = true;
	timeout_set(&p->cpu_timeout, time_add(time_now(), MAX(left / p->ntasks, CPU_CHECK_MIN)));
}

static void cpu_timeout_fire(struct timeout *t)
{
	struct proc *p = container_of(t, struct proc, cpu_timeout);
	u64 f = spin_lock_irqsave(&p->siglock);

	if (p->nlive)
		cpu_check_locked(p);
	spin_unlock_irqrestore(&p->siglock, f);
}

/*
 * A limit or timer by CPU time of @p has changed. ctx: thread.
 */
void cpu_timers_rearm(struct proc *p)
{
	u64 f = spin_lock_irqsave(&p->siglock);

	if (p->nlive)
		cpu_check_locked(p);
	spin_unlock_irqrestore(&p->siglock, f);
}

/*
 * The process @p begins, with limits that it inherited. ctx: thread.
 */
void cpu_limit_inherited(struct proc *p)
{
	if (unlikely((p->rlim[RLIMIT_CPU].rlim_cur & p->rlim[RLIMIT_CPU].rlim_max &
		      p->rlim[RLIMIT_RTTIME].rlim_cur) != RLIM64_INFINITY))
		cpu_timers_rearm(p);
}

/*
 * RLIMIT_CPU or RLIMIT_RTTIME of @p has changed. ctx: thread.
 */
void cpu_limit_changed(struct proc *p)
{
	p->cpu_warned = 0;
	cpu_timers_rearm(p);
}

static void itimer_real_exchange(struct proc *p, const struct itimer_ns *set, struct itimer_ns *old)
{
	s64 now = time_now();

	old->interval = p->itimer_real_interval;
	old->value = p->itimer_real_expires ? MAX(p->itimer_real_expires - now, 1000) : 0;
	if (!set)
		return;
	p->itimer_real_interval = set->value ? set->interval : 0;
	p->itimer_real_expires = 0;
	timeout_cancel(&p->itimer_real);
	if (set->value) {
		p->itimer_real_expires = time_add(now, set->value);
		p->had_timers = true;
		timeout_set(&p->itimer_real, p->itimer_real_expires);
	}
}

static void itimer_cpu_exchange(struct proc *p, enum cpu_clock clock, const struct itimer_ns *set,
				struct itimer_ns *old)
{
	struct cpu_itimer *it = &p->itimer_cpu[clock];
	struct proc_usage u;
	s64 used;

	proc_usage_get(p, &u);
	used = clock == CPU_VIRT ? u.utime : u.utime + u.stime;
	old->interval = it->interval;
	old->value = it->expires ? MAX(it->expires - used, 1000) : 0;
	if (!set)
		return;
	it->interval = set->interval;
	it->expires = set->value ? time_add(used, set->value) : 0;
	cpu_check_locked(p);
}

/*
 * Read and perhaps set an interval timer of @p: see timers.h. ctx: thread. 0 or -EINVAL.
 */
int proc_itimer(struct proc *p, int which, const struct itimer_ns *set, struct itimer_ns *old)
{
	u64 f;

	if (which != ITIMER_REAL && which != ITIMER_VIRTUAL && which != ITIMER_PROF)
		return -EINVAL;
	f = spin_lock_irqsave(&p->siglock);
	if (which == ITIMER_REAL)
		itimer_real_exchange(p, set, old);
	else
		itimer_cpu_exchange(p, which == ITIMER_VIRTUAL ? CPU_VIRT : CPU_PROF, set, old);
	spin_unlock_irqrestore(&p->siglock, f);
	return 0;
}

/*
 * A new process has no timer. ctx: thread.
 */
void itimers_init(struct proc *p)
{
	timeout_init(&p->itimer_real, itimer_real_fire);
	timeout_init(&p->cpu_timeout, cpu_timeout_fire);
}

/*
 * The last thread of @p exits (nlive is 0): stop the timers, so that the structure may be freed.
 * ctx: thread; no lock held.
 */
void itimers_exit(struct proc *p)
{
	u64 f;

	/* Most processes never had one: do not pay for waiting. */
	if (!p->had_timers)
		return;
	f = spin_lock_irqsave(&p->siglock);
	p->itimer_real_expires = 0;
	p->itimer_real_interval = 0;
	spin_unlock_irqrestore(&p->siglock, f);
	timeout_cancel_sync(&p->itimer_real);
	timeout_cancel_sync(&p->cpu_timeout);
}
