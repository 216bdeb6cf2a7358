/*
 * POSIX timers: timer_create(2) and friends.
 *
 * A timer belongs to a process and is found by number in its list. It brings its own queue entry
 * for the signal, so that expiring cannot fail. While that entry is queued no further expiry
 * happens: like on Linux, a periodic timer is set anew when its signal is taken
 * (ptimer_dequeued_locked), and the periods missed until then are the overrun. A timer whose signal
 * is ignored is set anew at once, but not faster than IGNORED_PERIOD.
 *
 * Wall-clock, monotonic and boot-time clocks use a kernel timer each; it is one by the wall clock
 * only for absolute times of that, which setting the clock moves. CPU clocks have none:
 * itimer.c compares them (ptimers_check_cpu_locked) together with the interval timers. A timer on
 * the CPU clock of another process has a kernel timer again: it looks what that process has used,
 * under its siglock and before the owner's, and comes back when the rest could be used up, later
 * each time while the process does not run.
 *
 * All fields are guarded by the owner's siglock (S); the kernel timer's function takes it in
 * interrupts. Deleting first takes the timer off the list, then waits for its function to end.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/time.h>
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "kernel/proc/procfs_pid.h"
#include "kernel/proc/timers.h"

#define IGNORED_PERIOD (10 * NSEC_PER_MSEC)
#define OVERRUN_MAX 0x7fffffff
#define LOOK_MIN (4 * NSEC_PER_MSEC) /* between looks at the CPU time of another process */
#define LOOK_MAX (64 * NSEC_PER_MSEC) /* while that does not run */

struct ptimer {
	struct list link; /* S: proc->posix_timers */
	struct proc *proc; /* I: no reference: deleted before it goes */
	int id; /* I */
	int clock; /* I */
	int notify; /* I: SIGEV_* */
	struct task *target; /* I: SIGEV_THREAD_ID: reference */
	bool by_cpu; /* I: .clock is a CPU clock: of the process, or of .cpu_of */
	struct task *cpu_of; /* I: reference */
	struct proc *other; /* I: reference: .clock is the CPU clock of this other process */
	s64 used; /* S: by .other, as seen last */
	s64 look; /* S: nanoseconds until the next look */
	struct user_counts *user; /* I: reference: whose RLIMIT_SIGPENDING it counts against */
	struct timeout timeout; /* S */
	s64 expires; /* S: monotonic, wall or CPU time; 0 = off */
	bool wall; /* S: by the wall clock */
	s64 interval; /* S */
	u64 overrun; /* S: of the signal taken last */
	struct sigqueue_entry entry; /* S */
};

static bool clock_is_wall(int clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_TAI || clock == CLOCK_REALTIME_ALARM;
}

/* The clock's time as .expires counts it. holds: siglock */
static s64 ptimer_now(const struct ptimer *t)
{
	struct proc_usage u = { 0 };

	if (t->other)
		return t->used;
	if (!t->by_cpu)
		return t->wall ? time_wall() : time_now();
	if (t->cpu_of)
		proc_usage_add_task(&u, t->cpu_of);
	else
		proc_usage_get(t->proc, &u);
	return cpu_clock_is_user(t->clock) ? u.utime : u.utime + u.stime;
}

/* What the other process of @t has used so far. ctx: any; holds: no siglock */
static s64 other_used(const struct ptimer *t)
{
	s64 utime, stime;

	proc_times(t->other, &utime, &stime);
	return cpu_clock_is_user(t->clock) ? utime : utime + stime;
}

/* The other process has used @used: when to look again? */
static void other_seen_locked(struct ptimer *t, s64 used)
{
	u32 threads = READ_ONCE(t->other->ntasks);

	if (used > t->used && threads)
		t->look = MAX(LOOK_MIN, (t->expires - used) / threads);
	else
		t->look = MIN(t->look * 2, LOOK_MAX);
	t->used = MAX(t->used, used);
}

static void ptimer_start_locked(struct ptimer *t)
{
	t->proc->had_timers = true;
	if (t->other) {
		timeout_set(&t->timeout, time_add(time_now(), MAX(t->look, LOOK_MIN)));
		return;
	}
	if (t->by_cpu)
		return;
	if (t->wall)
		timeout_set_wall(&t->timeout, t->expires);
	else
		timeout_set(&t->timeout, t->expires);
}

/* Move .expires past @now; the number of periods skipped. */
static u64 ptimer_forward(struct ptimer *t, s64 now)
{
	s64 late = now - t->expires;
	u64 n = late < 0 ? 0 : (u64)late / (u64)t->interval;

	if (late >= 0)
		t->expires = time_next_period(t->expires, t->interval, now);
	return n;
}

/* It is time. holds: siglock */
static void ptimer_expire_locked(struct ptimer *t, s64 now)
{
	if (t->notify != SIGEV_NONE && signal_send_entry(t->proc, t->target, &t->entry) == 0)
		return;
	/* Nobody is told: once is over, periodic goes on by itself. */
	if (!t->interval) {
		t->expires = 0;
		return;
	}
	ptimer_forward(t, now);
	if (!t->by_cpu && !t->other)
		t->expires = MAX(t->expires, now + IGNORED_PERIOD);
	ptimer_start_locked(t);
}

static void ptimer_fire(struct timeout *to)
{
	struct ptimer *t = container_of(to, struct ptimer, timeout);
	s64 used = t->other ? other_used(t) : 0;
	u64 f = spin_lock_irqsave(&t->proc->siglock);
	s64 now;

	if (t->other)
		other_seen_locked(t, used);
	now = ptimer_now(t);
	if (t->expires && !list_empty(&t->link)) {
		if (now >= t->expires)
			ptimer_expire_locked(t, now);
		else /* set anew, or the wall clock was set back, meanwhile */
			ptimer_start_locked(t);
	}
	/* Nothing more will be used. */
	if (t->other && READ_ONCE(t->other->state) != PROC_ALIVE)
		t->expires = 0;
	spin_unlock_irqrestore(&t->proc->siglock, f);
}

/*
 * Raise what is due of the timers on CPU clocks; time left until the next. ctx: any; holds:
 * siglock.
 */
s64 ptimers_check_cpu_locked(struct proc *p)
{
	struct ptimer *t;
	s64 left = TIME_NEVER;

	list_for_each(t, &p->posix_timers, link) {
		s64 now;

		if (!t->by_cpu || !t->expires || !list_empty(&t->entry.link))
			continue;
		now = ptimer_now(t);
		if (now >= t->expires)
			ptimer_expire_locked(t, now);
		if (t->expires && list_empty(&t->entry.link))
			left = MIN(left, MAX(t->expires - now, 1));
	}
	return left;
}

/*
 * The signal of a timer is being taken: count the overruns, set a periodic timer anew. ctx: thread;
 * holds: siglock.
 */
void ptimer_dequeued_locked(struct sigqueue_entry *e, struct ksiginfo *info)
{
	struct ptimer *t = container_of(e, struct ptimer, entry);

	t->overrun = 0;
	if (t->expires && t->interval) {
		t->overrun = MIN(ptimer_forward(t, ptimer_now(t)), (u64)OVERRUN_MAX);
		ptimer_start_locked(t);
		if (t->by_cpu)
			timeout_set(&t->proc->cpu_timeout, time_now() + NSEC_PER_MSEC);
	} else {
		t->expires = 0;
	}
	info->si_overrun = (int)t->overrun;
}

static struct ptimer *ptimer_find_locked(struct proc *p, int id)
{
	struct ptimer *t;

	list_for_each(t, &p->posix_timers, link) {
		if (t->id == id)
			return t;
	}
	return NULL;
}

static int ptimer_set_event(struct ptimer *t, const struct ptimer_event *ev)
{
	t->notify = ev->notify & ~SIGEV_THREAD_ID;
	if (t->notify == SIGEV_NONE)
		return 0;
	if (ev->signo < 1 || ev->signo > KSIG_COUNT)
		return -EINVAL;
	if (ev->notify & SIGEV_THREAD_ID) {
		t->target = task_lookup(ev->tid);
		if (!t->target || t->target->proc != current_proc())
			return -EINVAL;
	}
	t->entry.info.si_signo = ev->signo;
	t->entry.info.si_code = SI_TIMER;
	return 0;
}

static void ptimer_free(struct ptimer *t)
{
	if (t->target)
		task_put(t->target);
	if (t->cpu_of)
		task_put(t->cpu_of);
	if (t->other)
		proc_put(t->other);
	if (t->user) {
		atomic_dec(&t->user->signals);
		user_put(t->user);
	}
	kfree(t);
}

/* The CPU clock by number, @clock < 0: any process's, or that of a thread of this one. */
static int ptimer_set_cpu_clock(struct ptimer *t, int clock)
{
	struct proc *p = current_proc();
	u32 id = cpu_clock_id(clock);

	if (!cpu_clock_valid(clock))
		return cpu_clock_is_device(clock) ? -EOPNOTSUPP : -EINVAL;
	if (!cpu_clock_is_thread(clock) && id && id != p->pid->nr) {
		t->other = proc_lookup(id);
		return t->other ? 0 : -EINVAL;
	}
	t->by_cpu = true;
	if (!cpu_clock_is_thread(clock))
		return 0;
	t->cpu_of = id ? task_lookup(id) : current_task();
	if (t->cpu_of && !id)
		task_get(t->cpu_of);
	return t->cpu_of && t->cpu_of->proc == p ? 0 : -EINVAL;
}

static int ptimer_set_clock(struct ptimer *t, int clock)
{
	t->clock = clock;
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI: return 0;
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM: return cred_capable(current->cred, CAP_WAKE_ALARM) ? 0 : -EPERM;
	case CLOCK_PROCESS_CPUTIME_ID: t->by_cpu = true; return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		t->by_cpu = true;
		t->cpu_of = current_task();
		task_get(t->cpu_of);
		return 0;
	/* Clocks that tell the time and wake nobody. */
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE: return -EOPNOTSUPP;
	default: return clock < 0 ? ptimer_set_cpu_clock(t, clock) : -EINVAL;
	}
}

/* Its signal, which is always there, counts as one that is queued. 0 or -EAGAIN. */
static int ptimer_charge(struct ptimer *t)
{
	struct proc *p = t->proc;
	u64 f = spin_lock_irqsave(&p->siglock);

	t->user = user_get(p->user);
	spin_unlock_irqrestore(&p->siglock, f);
	return atomic_add_return(&t->user->signals, 1) >
			       READ_ONCE(p->rlim[RLIMIT_SIGPENDING].rlim_cur)
		       ? -EAGAIN
		       : 0;
}

/*
 * timer_create(2) for current's process. ctx: thread; sleeps. 0 and the timer's number; -EINVAL,
 * -EOPNOTSUPP, -EPERM, -EAGAIN (RLIMIT_SIGPENDING, or no memory).
 */
int ptimer_create(int clock, const struct ptimer_event *ev, int *id)
{
	struct proc *p = current_proc();
	struct ptimer *t;
	int err;
	u64 f;

	t = kzalloc(sizeof(*t), 0);
	if (!t)
		return -EAGAIN;
	t->proc = p;
	list_init(&t->link);
	list_init(&t->entry.link);
	timeout_init(&t->timeout, ptimer_fire);
	err = ptimer_set_clock(t, clock);
	if (!err)
		err = ptimer_charge(t);
	if (!err)
		err = ptimer_set_event(t, ev);
	if (err) {
		ptimer_free(t);
		return err;
	}
	f = spin_lock_irqsave(&p->siglock);
	do {
		t->id = (int)(p->posix_timer_next++ & 0x7fffffff);
	} while (ptimer_find_locked(p, t->id));
	t->entry.info.si_tid = t->id;
	t->entry.info.si_value.sival_ptr = (void *)(ev->value_is_id ? (u64)t->id : ev->value);
	list_add_tail(&p->posix_timers, &t->link);
	*id = t->id;
	spin_unlock_irqrestore(&p->siglock, f);
	return 0;
}

/* Time left and interval. holds: siglock */
static void ptimer_read_locked(struct ptimer *t, struct itimer_ns *out)
{
	s64 now = ptimer_now(t);

	out->interval = t->interval;
	out->value = 0;
	if (!t->expires)
		return;
	/* Its signal waits to be taken: say what would be left if it had been. */
	if (t->interval && now >= t->expires)
		out->value = t->interval - (now - t->expires) % t->interval;
	else
		out->value = t->expires - now;
	if (out->value <= 0)
		out->value = t->notify == SIGEV_NONE ? 0 : 1;
}

/* Take its entry off the queue of pending signals. holds: siglock */
static void ptimer_unqueue_locked(struct ptimer *t)
{
	struct sigpending *s = t->target ? &t->target->pending : &t->proc->pending;
	int sig = t->entry.info.si_signo;
	struct sigqueue_entry *e;

	if (list_empty(&t->entry.link))
		return;
	list_del(&t->entry.link);
	list_for_each(e, &s->queue, link) {
		if (e->info.si_signo == sig)
			return;
	}
	WRITE_ONCE(s->set, s->set & ~SIGBIT(sig));
}

/* Set .expires for @value, not 0. holds: siglock */
static void ptimer_aim_locked(struct ptimer *t, bool absolute, s64 value)
{
	s64 now;

	t->wall = absolute && clock_is_wall(t->clock);
	if (absolute) {
		if (t->clock == CLOCK_TAI)
			value -= time_tai_offset() * NSEC_PER_SEC;
		t->expires = MAX(value, 1);
		return;
	}
	now = ptimer_now(t);
	t->expires = time_add(now, value);
}

/*
 * The timer @id of @p, with the siglock held and what its other process has used looked up: found
 * again, as that takes other locks. NULL: there is none; the siglock is held nevertheless.
 */
static struct ptimer *ptimer_find_fresh(struct proc *p, int id, u64 *flags)
{
	u64 f = spin_lock_irqsave(&p->siglock);
	struct ptimer *t = ptimer_find_locked(p, id);
	struct proc *other = t && t->other ? proc_get(t->other) : NULL;

	if (other) {
		bool user = cpu_clock_is_user(t->clock);
		s64 utime, stime;

		spin_unlock_irqrestore(&p->siglock, f);
		proc_times(other, &utime, &stime);
		f = spin_lock_irqsave(&p->siglock);
		t = ptimer_find_locked(p, id);
		if (t && t->other == other && cpu_clock_is_user(t->clock) == user)
			t->used = MAX(t->used, user ? utime : utime + stime);
		spin_unlock_irqrestore(&p->siglock, f);
		proc_put(other);
		f = spin_lock_irqsave(&p->siglock);
		t = ptimer_find_locked(p, id);
	}
	*flags = f;
	return t;
}

/* The process whose time @t counts is gone, for good. */
static bool ptimer_is_orphan(const struct ptimer *t)
{
	return t->other && READ_ONCE(t->other->state) == PROC_DEAD;
}

/*
 * timer_settime(2). ctx: thread. 0, -EINVAL; -ESRCH: its other process is no more.
 */
int ptimer_settime(int id, bool absolute, const struct itimer_ns *set, struct itimer_ns *old)
{
	struct proc *p = current_proc();
	bool cpu = false;
	int err = -EINVAL;
	u64 f;
	struct ptimer *t = ptimer_find_fresh(p, id, &f);

	if (t && ptimer_is_orphan(t)) {
		err = -ESRCH;
	} else if (t) {
		err = 0;
		t->look = LOOK_MIN;
		ptimer_read_locked(t, old);
		timeout_cancel(&t->timeout);
		ptimer_unqueue_locked(t);
		t->overrun = 0;
		t->interval = set->value ? set->interval : 0;
		t->expires = 0;
		if (set->value) {
			ptimer_aim_locked(t, absolute, set->value);
			ptimer_start_locked(t);
		}
		cpu = t->by_cpu;
	}
	spin_unlock_irqrestore(&p->siglock, f);
	if (cpu)
		cpu_timers_rearm(p);
	return err;
}

/*
 * timer_gettime(2). ctx: thread. 0 or -EINVAL.
 */
int ptimer_gettime(int id, struct itimer_ns *out)
{
	struct proc *p = current_proc();
	u64 f;
	struct ptimer *t = ptimer_find_fresh(p, id, &f);

	if (t && ptimer_is_orphan(t))
		memset(out, 0, sizeof(*out));
	else if (t)
		ptimer_read_locked(t, out);
	spin_unlock_irqrestore(&p->siglock, f);
	return t ? 0 : -EINVAL;
}

/*
 * timer_getoverrun(2). ctx: thread. The overruns of the signal taken last, or -EINVAL.
 */
int ptimer_getoverrun(int id)
{
	struct proc *p = current_proc();
	struct ptimer *t;
	int n = -EINVAL;
	u64 f = spin_lock_irqsave(&p->siglock);

	t = ptimer_find_locked(p, id);
	if (t)
		n = (int)t->overrun;
	spin_unlock_irqrestore(&p->siglock, f);
	return n;
}

/* Take @t, or the first one, off the list; NULL: there is none. */
static struct ptimer *ptimer_take(struct proc *p, int id, bool any)
{
	struct ptimer *t = NULL;
	u64 f = spin_lock_irqsave(&p->siglock);

	if (!any)
		t = ptimer_find_locked(p, id);
	else if (!list_empty(&p->posix_timers))
		t = list_first(&p->posix_timers, struct ptimer, link);
	if (t) {
		ptimer_unqueue_locked(t);
		list_del(&t->link);
		t->expires = 0;
	}
	spin_unlock_irqrestore(&p->siglock, f);
	return t;
}

/*
 * timer_delete(2). ctx: thread; sleeps. 0 or -EINVAL.
 */
int ptimer_delete(int id)
{
	struct ptimer *t = ptimer_take(current_proc(), id, false);

	if (!t)
		return -EINVAL;
	timeout_cancel_sync(&t->timeout);
	ptimer_free(t);
	return 0;
}

/*
 * Delete all timers of @p: exec, and the last thread's exit. ctx: thread; sleeps.
 */
void ptimers_exit(struct proc *p)
{
	struct ptimer *t;

	while (!list_empty(&p->posix_timers) && (t = ptimer_take(p, 0, true)) != NULL) {
		timeout_cancel_sync(&t->timeout);
		ptimer_free(t);
	}
}

static void timer_show(struct sbuf *out, const struct ptimer *t)
{
	static const char *const ways[] = {
		[SIGEV_SIGNAL] = "signal", [SIGEV_NONE] = "none", [SIGEV_THREAD] = "thread"
	};
	bool one = t->notify & SIGEV_THREAD_ID;

	sbuf_printf(out, "ID: %d\nsignal: %d/%016llx\nnotify: %s/%s.%u\nClockID: %d\n", t->id,
		    t->entry.info.si_signo,
		    (unsigned long long)(u64)t->entry.info.si_value.sival_ptr,
		    ways[t->notify & ~SIGEV_THREAD_ID], one ? "tid" : "pid",
		    one && t->target->tid ? t->target->tid->nr : t->proc->pid->nr, t->clock);
}

/*
 * timers: what timer_create(2) made, four lines each. ctx: thread. 0 or -ESRCH.
 */
int pid_timers_show(struct sbuf *out, void *h)
{
	struct proc *p = handle_proc(h);
	struct ptimer *t;
	u64 f;

	if (!p)
		return -ESRCH;
	f = spin_lock_irqsave(&p->siglock);
	list_for_each(t, &p->posix_timers, link)
		timer_show(out, t);
	spin_unlock_irqrestore(&p->siglock, f);
	proc_put(p);
	return 0;
}
