#pragma once
/* Resource limits of any process. */
#include "kernel/proc/proc.h"

/* prlimit64(2) on @p; NULL: leave alone, or do not tell. 0, -EINVAL, -EPERM. ctx: thread */
int __must_check proc_rlimit_exchange(struct proc *p, int which, const struct rlimit64 *new,
				      struct rlimit64 *old);
