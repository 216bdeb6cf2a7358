#pragma once
/* Fast user-space locking: waiting on and waking by a word of user memory. See futex.c. */
#include "kernel/lib/types.h"

struct task;

/* When a wait ends. TIME_NEVER: it does not. */
struct futex_deadline {
	s64 at; /* nanoseconds of the monotonic clock */
	bool wall; /* of the wall clock instead */
};

/*
 * futex(2). The caller has converted relative timeouts. The value of the operation or -errno. ctx:
 * thread; sleeps.
 */
struct futex_args {
	u64 uaddr, uaddr2;
	int op; /* FUTEX_* with its flags */
	u32 val, val2, val3;
	struct futex_deadline deadline;
};
long futex_call(const struct futex_args *a);
void futex_init(void);
/* exit and exec: release the held robust locks; wake one waiter on clear_child_tid. ctx: thread */
void futex_exit_robust(struct task *t);
void futex_wake_address(u64 uaddr, u32 nr);
