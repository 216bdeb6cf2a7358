#pragma once
/* What /proc/stats counts: see stats.c. */
#include "kernel/base/percpu.h"
#include "kernel/base/trap.h"
#include "kernel/lib/types.h"
#include "kernel/sys/syscall.h"

#define STATS_FAULT_KINDS (FAULT_FPE + 1)
#define STATS_ERRORS 128 /* pairs of call and error that a CPU remembers */

/* a: written by its own CPU only */
struct sys_stats {
	u64 calls[SYSCALL_MAX]; /* a */
	u64 faults[STATS_FAULT_KINDS]; /* a */
	struct {
		u32 what; /* a: call << 16 | errno; 0: free */
		u32 count; /* a */
	} error[STATS_ERRORS];
	u64 other_errors; /* a: those that found no place */
};
PERCPU_DECLARE(struct sys_stats, sys_stats);

/*
 * A preemption between load and store may lose a count: the price of doing it with three
 * instructions.
 */
static inline void stats_count_call(u64 nr)
{
	this_cpu(sys_stats).calls[nr]++;
}

static inline void stats_count_fault(u32 kind)
{
	this_cpu(sys_stats).faults[kind]++;
}

void stats_count_error(u64 nr, long r); /* @r: -errno */
/* current asked for a call that is not there. True: for the first time, as far as is known. */
bool stats_count_absent(s64 nr, const char comm[16]);
