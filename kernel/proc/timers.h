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

/*
 * The CPU clocks of processes and threads by number, clock_getcpuclockid(3): ~id << 3 | kind, bit 2
 * for a thread; id 0: one's own. Kinds 0 and 2 count all time, 1 that in user mode.
 */
static inline u32 cpu_clock_id(int clock)
{
	return (u32) ~(clock >> 3);
}
static inline bool cpu_clock_valid(int clock)
{
	return clock < 0 && (clock & 3) != 3;
}
static inline bool cpu_clock_is_device(int clock) /* none of these: that of an open file */
{
	return (clock & 7) == 3;
}
static inline bool cpu_clock_is_thread(int clock)
{
	return clock & 4;
}
static inline bool cpu_clock_is_user(int clock)
{
	return clock < 0 && (clock & 3) == 1;
}

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
s64 ptimers_check_cpu_locked(struct proc *p);
void cpu_timers_rearm(struct proc *p); /* a CPU-time timer was set */
