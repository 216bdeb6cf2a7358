#pragma once
/*
 * Time. All times are nanoseconds in s64/u64. "now" is the monotonic clock since boot of the
 * virtual counter, the same on every CPU. Wall time is now + an offset that RTC and settimeofday
 * set.
 */
#include "kernel/lib/types.h"

#define NSEC_PER_SEC 1000000000LL
#define NSEC_PER_MSEC 1000000LL
#define NSEC_PER_USEC 1000LL
#define TIME_NEVER 0x7fffffffffffffffLL

void time_init(void); /* boot, first of all: now is 0 */
s64 time_now(void); /* monotonic; ctx: any */
s64 time_wall(void); /* CLOCK_REALTIME */
/* settimeofday, RTC at boot; updates the vDSO page and absolute timers */
void time_set_wall(s64 wall_ns);
u64 time_counter(void); /* raw counter ticks */
u32 time_counter_hz(void);
s64 time_from_counter(u64 ticks); /* length of a difference */
/* counter value at which time_now() is @ns: for the timer's compare register */
u64 time_to_counter(s64 ns);
/*
 * Generation of the wall clock: changes at each time_set_wall (for absolute CLOCK_REALTIME waits).
 */
u32 time_wall_generation(void);

/* arch/arm64/timer.c */
void timer_init_boot(void); /* finds frequency and interrupt in the device tree */
void timer_init_cpu(void); /* per CPU */
void timer_program(s64 deadline); /* absolute; TIME_NEVER stops it. IRQs off, this CPU */
/* kernel/base/timeout.c, called by the timer interrupt on this CPU. */
void timeout_run_irq(void);

/* The page the vDSO reads, and where it lies (vDSO data page; arch/arm64/vdso). */
paddr_t time_vdso_page(void);
