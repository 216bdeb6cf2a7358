#pragma once
/* Interval timers, POSIX timers and CPU-time limits of processes: itimer.c, ptimer.c. */
#include "kernel/proc/proc.h"

/*
 * getitimer(2), setitimer(2): ITIMER_*, nanoseconds. @set NULL: only look. 0 or -EINVAL. ctx:
 * thread
 */
struct itimer_ns {
	s64 value; /* left until the next; 0: off */
	s64 interval; /* 0: once */
};
int proc_itimer(struct proc *p, int which, const struct itimer_ns *set, struct itimer_ns *old);

/* CPU time used by @p (who == CPU_PROF), or only in user mode. */
enum cpu_clock { CPU_VIRT, CPU_PROF };

/* timer_create(2) and friends, for current. Clocks CLOCK_*. 0 or -errno. ctx: thread; sleeps */
struct ptimer_event {
	int notify; /* SIGEV_* */
	int signo;
	u64 value; /* sigval */
	u32 tid; /* SIGEV_THREAD_ID */
	bool value_is_id; /* no sigevent given: sigval is the timer's number */
};
int ptimer_create(int clock, const struct ptimer_event *ev, int *id);
int ptimer_settime(int id, bool absolute, const struct itimer_ns *set, struct itimer_ns *old);
int ptimer_gettime(int id, struct itimer_ns *out);
int ptimer_getoverrun(int id);
int ptimer_delete(int id);
/* Check the CPU-time timers of @p; the earliest time left, TIME_NEVER. holds: siglock */
s64 ptimers_check_cpu_locked(struct proc *p, s64 cpu_now);
void cpu_timers_rearm(struct proc *p); /* a CPU-time timer was set */
