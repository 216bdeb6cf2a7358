#pragma once
/* Fast user-space locking: waiting on and waking by a word of user memory. See futex.c. */
#include "kernel/lib/types.h"

struct task;

/*
 * futex(2). @timeout: absolute monotonic nanoseconds, TIME_NEVER for none; the caller has converted
 * relative and wall-clock ones. The value of the operation or -errno. ctx: thread; sleeps.
 */
struct futex_args {
	u64 uaddr, uaddr2;
	int op; /* FUTEX_* with its flags */
	u32 val, val2, val3;
	s64 deadline; /* monotonic ns, or wall clock with .wall */
	bool wall; /* deadline is CLOCK_REALTIME's */
};
long futex_call(const struct futex_args *a);
void futex_init(void);
/* exit and exec: release the held robust locks; wake one waiter on clear_child_tid. ctx: thread */
void futex_exit_robust(struct task *t);
void futex_wake_address(u64 uaddr, u32 nr);
