#pragma once
/*
 * Time. All times are nanoseconds in s64/u64. "now" is the monotonic clock since boot of the
 * virtual counter, the same on every CPU. Wall time is now + an offset that RTC and settimeofday
 * set.
 */
#include "kernel/lib/list.h"
#include "kernel/lib/types.h"

#define NSEC_PER_SEC 1000000000LL
#define NSEC_PER_MSEC 1000000LL
#define NSEC_PER_USEC 1000LL
#define TIME_NEVER 0x7fffffffffffffffLL

/* @t + @delta, neither negative; at most a moment before TIME_NEVER. */
static inline s64 time_add(s64 t, s64 delta)
{
	return delta > TIME_NEVER - 1 - t ? TIME_NEVER - 1 : t + delta;
}

/* The first of the moments @t + n * @period that is later than @now, which is not before @t. */
static inline s64 time_next_period(s64 t, s64 period, s64 now)
{
	return time_add(now - (now - t) % period, period);
}

void time_init(void); /* boot, first of all: now is 0 */
s64 time_now(void); /* monotonic; ctx: any */
s64 time_raw(void); /* the same without what time_set_rate() does to it; ctx: any */
s64 time_wall(void); /* CLOCK_REALTIME */
s64 time_wall_offset(void); /* what it is ahead of the monotonic clock; ctx: any */
/*
 * settimeofday, RTC at boot; updates the vDSO page, and what waits for a time of the wall clock.
 * -EINVAL: before the boot. ctx: thread, IRQs on, no lock.
 */
int time_set_wall(s64 wall_ns);
/*
 * From now on the clocks gain @rate nanoseconds per 2^32 (a tenth at most, negative: lose). Waits
 * follow. ctx: thread, IRQs on, no lock.
 */
void time_set_rate(s64 rate);
void time_set_zone(s32 minutes_west, s32 dst); /* what gettimeofday(2) shows. ctx: any */
/* Seconds that CLOCK_TAI is ahead of the wall clock. ctx: any */
s32 time_tai_offset(void);
void time_set_tai_offset(s32 seconds);
u64 time_counter(void); /* raw counter ticks */
u32 time_counter_hz(void);
s64 time_from_counter(u64 ticks); /* length of a difference */
/* counter value at which time_now() is @ns: for the timer's compare register */
u64 time_to_counter(s64 ns);

/*
 * Somebody who is told when the wall clock was set. The function runs in the thread that set it,
 * under a lock (rank CLOCK): it wakes. w guarded by the clock's list lock, I immutable
 */
struct wall_watch {
	struct list link; /* w */
	void (*fn)(struct wall_watch *w); /* I */
};
void wall_watch_init(struct wall_watch *w, void (*fn)(struct wall_watch *w));
void wall_watch_add(struct wall_watch *w); /* no-op when it is watching. ctx: thread */
void wall_watch_remove(struct wall_watch *w); /* fn does not run any more. ctx: thread */

/* arch/arm64/timer.c */
void timer_init_boot(void); /* finds frequency and interrupt in the device tree */
void timer_init_cpu(void); /* per CPU */
void timer_program(s64 deadline); /* absolute; TIME_NEVER stops it. IRQs off, this CPU */
/* kernel/base/timeout.c, called by the timer interrupt on this CPU. */
void timeout_run_irq(void);
void timeout_wall_was_set(void); /* called by time.c */

/* The page the vDSO reads, and where it lies (vDSO data page; arch/arm64/vdso). */
paddr_t time_vdso_page(void);
