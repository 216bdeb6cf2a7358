#pragma once
/*
 * The scheduler: per-CPU run queues; fair by weighted virtual deadline, FIFO/RR above; idle
 * stealing and periodic balance; tickless when idle and when one thread runs.
 */
#include "kernel/sched/thread.h"

void sched_init(void); /* boot CPU: makes the boot context the first thread */
void sched_start_cpu(void) __noreturn; /* secondary: become this CPU's idle loop */

/*
 * Sleeping: sched_prepare(state) announces it, the caller re-checks its condition, then schedule().
 * A wake in between makes schedule() return at once. (wait queues do this for you.)
 */
void sched_prepare(enum thread_state state);
void sched_cancel(void); /* condition came true: stay runnable */
void schedule(void); /* ctx: thread, preemption on, no spinlock */
/* schedule() with a deadline (monotonic, TIME_NEVER: none). Returns 0 or -ETIMEDOUT. */
int schedule_until(s64 deadline);
/* The same; @wall: the deadline is one of the wall clock, also when that is set meanwhile. */
int schedule_until_clock(s64 deadline, bool wall);
/*
 * Make @t runnable if it sleeps. @state_mask: bits (1 << TS_*) that this wake applies to. True if
 * it did. ctx: any.
 */
bool sched_wake(struct thread *t, u32 state_mask);
#define WAKE_NORMAL ((1u << TS_SLEEPING) | (1u << TS_BLOCKED))
/* Hint: the waker is about to sleep; run @t here next (pipe and futex hand-over). */
bool sched_wake_sync(struct thread *t, u32 state_mask);

void sched_yield(void);
void sched_sleep_until(s64 deadline); /* uninterruptible */
/* -EINTR when a signal came first. */
int sched_sleep_interruptible(s64 deadline);
int sched_sleep_wall(s64 deadline); /* interruptible, until a time of the wall clock */

/* Parameters. 0 or -EINVAL; permission is the caller's business. ctx: any */
extern int sched_rt_period_us, sched_rt_runtime_us; /* a: of one, real-time may use the other */
extern int sched_rr_slice_ms; /* a: a turn of SCHED_RR */
#define SCHED_RR_SLICE_MS 100 /* unless it was set */
int sched_set_policy(struct thread *t, int policy, int rt_prio, int nice);
int __must_check sched_swap_policy(struct thread *t, int was, int policy, int rt_prio, int nice);
void sched_set_nice(struct thread *t, int nice);
/* What SCHED_DEADLINE asks for, in ns: runtime <= deadline <= period; flags: SCHED_DL_FLAGS */
struct sched_dl {
	u64 runtime, deadline, period, flags;
};
#define SCHED_DL_FLAGS (SCHED_FLAG_RECLAIM | SCHED_FLAG_DL_OVERRUN)
/*
 * Make @t SCHED_DEADLINE, with checked values. 0, -ENOMEM, -ESRCH (it has ended), -EPERM (it may
 * not run on all CPUs), -EBUSY (so much time is not left).
 */
int __must_check sched_set_deadline(struct thread *t, const struct sched_dl *set);
/* False: it has none. *runtime, *deadline: what is left of it until when. */
bool sched_get_deadline(struct thread *t, struct sched_dl *set, s64 *runtime, s64 *deadline);
bool sched_take_overrun(void); /* is SIGXCPU due to current? once */
/* 0, -EINVAL, -EBUSY (more was given away to SCHED_DEADLINE) */
int __must_check sched_set_rt_limits(int period_us, int runtime_us);
void sched_get_policy(struct thread *t, int *policy, int *rt_prio, int *nice);
/* The real-time priority that @t runs with, PRIO_DL: by a deadline, 0: none of both. */
#define PRIO_DL 100
static inline u8 sched_prio(const struct thread *t)
{
	return READ_ONCE(t->se.prio);
}
/*
 * The same as one number, the higher the more urgent: a priority, or all bits of a deadline turned.
 */
#define URGENCY_IS_DL(u) ((s64)(u) < 0)
static inline u64 sched_urgency(const struct thread *t)
{
	u8 prio = sched_prio(t);

	return prio == PRIO_DL ? ~READ_ONCE(t->se.deadline) : prio;
}
/*
 * @t runs at least with this urgency, 0: with its own. True: what it runs with has changed. ctx:
 * any
 */
bool sched_lend(struct thread *t, u64 urgency);
/* SCHED_RESET_ON_FORK: children start with SCHED_NORMAL and nice >= 0. ctx: any */
void sched_set_reset_on_fork(struct thread *t, bool on);
bool sched_get_reset_on_fork(const struct thread *t);
/* migrates; -EINVAL if no online CPU is in it, -EBUSY: SCHED_DEADLINE needs all */
int sched_set_affinity(struct thread *t, cpumask_t mask);
s64 sched_rr_interval(struct thread *t);

/* Accounting: user and system time of @t up to now (running included). */
void sched_times(struct thread *t, s64 *user_ns, s64 *sys_ns);
/* What @t, a real-time thread, has run since it last slept, in ns; -1: it is none. ctx: any */
s64 sched_rt_time(struct thread *t);
/* Global figures for /proc/stat, loadavg, uptime. */
struct sched_cpu_stats {
	u64 user_ns, nice_ns, sys_ns, idle_ns, irq_ns;
	u64 switches;
	u32 running;
	s32 blocked; /* in uninterruptible waits; right in the sum over all CPUs only */
};
void sched_get_cpu_stats(u32 cpu, struct sched_cpu_stats *out);
void sched_get_loadavg(u32 avg[3]); /* fixed point, 11 bits of fraction, 1/5/15 minutes */
u64 sched_total_forks(void);
