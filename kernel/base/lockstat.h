#pragma once
/*
 * Who had to wait for a lock, how often and for how long: per CPU, by the place that asked. Only
 * the slow paths of the locks count, so a lock that is free costs what it did.
 */
#include "kernel/lib/sbuf.h"
#include "kernel/lib/types.h"

enum lock_kind {
	LOCK_SPIN,
	LOCK_MUTEX,
	LOCK_RWSEM,
};

/*
 * The running thread has waited for a lock from @since (time_now()) until now; @caller asked for
 * it. ctx: any; takes no lock
 */
void lockstat_count(enum lock_kind kind, const void *caller, s64 since);

/* One line per place: "lock KIND FUNCTION+OFFSET WAITS NANOSECONDS". ctx: thread; sleeps: no */
void lockstat_show(struct sbuf *out);
