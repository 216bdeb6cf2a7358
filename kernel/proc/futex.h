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
/* exit (@dead) and exec: release what @t, current, holds. ctx: thread; sleeps */
void futex_exit(struct task *t, bool dead);
void futex_prio_changed(struct task *t); /* after a change of its scheduling parameters */
void futex_wake_address(u64 uaddr, int nr);
/* One word of futex_waitv(2). */
struct futex_wait_word {
	u64 uaddr;
	u32 val;
	bool private;
};
/* The index of a word that was woken, or -errno. ctx: thread; sleeps */
long futex_wait_any(const struct futex_wait_word *words, u32 n, const struct futex_deadline *until);
