#pragma once
/*
 * One-shot kernel timers with nanosecond deadlines, per CPU, in a red-black tree; the hardware
 * timer is programmed for the earliest only. The function runs in IRQ context: it wakes, or queues
 * work.
 */
#include "kernel/lib/rbtree.h"
#include "kernel/lib/types.h"

struct timeout {
	struct rb_node node; /* TIMEOUT lock of .cpu */
	s64 deadline; /* TIMEOUT: on its clock */
	void (*fn)(struct timeout *t); /* I */
	u32 cpu; /* TIMEOUT: whose tree */
	bool armed; /* TIMEOUT */
	bool wall; /* TIMEOUT: the deadline is one of the wall clock, whatever that is set to */
};

void timeout_init_cpu(u32 cpu); /* boot: that CPU's tree */
void timeout_init(struct timeout *t, void (*fn)(struct timeout *t));
/*
 * A callback that arms its own timeout again does it at least this far in the future: a user's
 * period of a microsecond must not keep a slow CPU in the timer interrupt for ever.
 */
#define TIMEOUT_AGAIN_MIN (100 * NSEC_PER_USEC)
/* (Re)arm for absolute monotonic @deadline on this CPU. ctx: any. */
void timeout_set(struct timeout *t, s64 deadline);
/* The same for a time of the wall clock. Setting the clock moves it. ctx: any. */
void timeout_set_wall(struct timeout *t, s64 deadline);
/*
 * Disarm; true if it had not fired. May return while fn is still running on another CPU. ctx: any.
 */
bool timeout_cancel(struct timeout *t);
/* Disarm and make sure fn is not running any more. ctx: thread, no lock that fn takes. */
bool timeout_cancel_sync(struct timeout *t);
/* Earliest deadline on this CPU, for tickless idle. */
s64 timeout_next(void);

/* For /proc/timer_list: one armed timeout. */
struct timeout_info {
	s64 deadline; /* on its clock */
	void (*fn)(struct timeout *t);
};
/* What @cpu's hardware waits for, TIME_NEVER: nothing. ctx: any */
s64 timeout_programmed(u32 cpu);
/*
 * The armed timeouts of @cpu by the monotonic or the @wall clock that are due at @from or later, up
 * to @max of them, without the first @skip. Returns how many. ctx: any
 */
u32 timeout_list(u32 cpu, bool wall, s64 from, u32 skip, struct timeout_info *out, u32 max);
