#pragma once
/*
 * What a system-call file needs of the user-space interface: Linux's own constants and structures,
 * user copies, the current process. Numbers and layouts are never retyped here.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include "kernel/base/errno.h"
#include "kernel/base/time.h"
#include "kernel/base/uio.h"
#include "kernel/lib/string.h"
#include "kernel/proc/proc.h"
#include "kernel/sys/syscall.h"

/* Does the caller have capability @cap? */
static inline bool sys_capable(int cap)
{
	return thread_capable(cap);
}

/*
 * A structure that grows: @known bytes of ours from one of @size. 0, -EFAULT, -E2BIG. ctx: thread;
 * sleeps
 */
int __must_check sys_copy_struct(void *out, size_t known, u64 usrc, u64 size);

/* Largest tv_sec that fits nanoseconds in 63 bits; later times mean "never". */
#define SYS_SEC_MAX (TIME_NEVER / NSEC_PER_SEC)
/* The wall clock can be set below this: 30 years of running are left. */
#define SYS_WALL_SEC_MAX (SYS_SEC_MAX - 30 * 365 * 86400ll)

/*
 * A valid struct timespec as nanoseconds, TIME_NEVER when it is later than that can say. False: not
 * valid.
 */
static inline bool sys_timespec_ns(const struct __kernel_timespec *ts, s64 *ns)
{
	if (ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= NSEC_PER_SEC)
		return false;
	*ns = ts->tv_sec >= SYS_SEC_MAX ? TIME_NEVER : ts->tv_sec * NSEC_PER_SEC + ts->tv_nsec;
	return true;
}

static inline struct __kernel_timespec sys_ns_timespec(s64 ns)
{
	struct __kernel_timespec ts = { .tv_sec = ns / NSEC_PER_SEC, .tv_nsec = ns % NSEC_PER_SEC };

	if (ts.tv_nsec < 0) {
		ts.tv_nsec += NSEC_PER_SEC;
		ts.tv_sec--;
	}
	return ts;
}

/* @rel nanoseconds from now, without running past the end of time. */
static inline s64 sys_deadline(s64 rel)
{
	s64 now = time_now();

	return rel > TIME_NEVER - now ? TIME_NEVER : now + rel;
}
