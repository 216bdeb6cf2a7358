/*
 * Telling the time without a system call, from the counter and the data page below the image. The
 * arithmetic is that of kernel/base/time.c, to the bit, so that vDSO and system call never
 * disagree. What is not served here goes to the kernel.
 */
#include <asm/unistd.h>
#include <linux/time.h>
#include "kernel/base/vdso_data.h"

#define NSEC_PER_SEC 1000000000ULL

extern const struct vdso_data vdso_data __attribute__((visibility("hidden")));

int __kernel_clock_gettime(int clock, struct __kernel_timespec *ts);
int __kernel_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz);
int __kernel_clock_getres(int clock, struct __kernel_timespec *res);

static long syscall2(long nr, long a, long b)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;

	__asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory", "cc");
	return x0;
}

/* Nanoseconds of the monotonic clock, and the offset of wall time that belongs to them. */
static u64 read_clock(s64 *wall_offset)
{
	u32 seq;
	u64 now, base, mult, base_ns;

	do {
		while ((seq = __atomic_load_n(&vdso_data.seq, __ATOMIC_ACQUIRE)) & 1)
			__asm__ volatile("yield");
		__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(now)::"memory");
		base = vdso_data.base;
		mult = vdso_data.mult;
		base_ns = vdso_data.base_ns;
		*wall_offset = vdso_data.wall_offset;
		__asm__ volatile("dmb ishld" ::: "memory");
	} while (__atomic_load_n(&vdso_data.seq, __ATOMIC_RELAXED) != seq);
	return base_ns + (u64)((__uint128_t)(now - base) * mult >> 32);
}

static u64 read_raw(void)
{
	u64 now;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(now)::"memory");
	return (u64)((__uint128_t)(now - vdso_data.raw_base) * vdso_data.raw_mult >> 32);
}

int __kernel_clock_gettime(int clock, struct __kernel_timespec *ts)
{
	s64 wall;
	u64 ns;

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		ns = read_clock(&wall);
		ns += (u64)wall;
		break;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME: ns = read_clock(&wall); break;
	case CLOCK_MONOTONIC_RAW: ns = read_raw(); break;
	default: return (int)syscall2(__NR_clock_gettime, clock, (long)ts);
	}
	ts->tv_sec = (long long)(ns / NSEC_PER_SEC);
	ts->tv_nsec = (long long)(ns % NSEC_PER_SEC);
	return 0;
}

int __kernel_gettimeofday(struct __kernel_old_timeval *tv, struct timezone *tz)
{
	s64 wall;
	u64 ns;

	if (tv) {
		ns = read_clock(&wall);
		ns += (u64)wall;
		tv->tv_sec = (long)(ns / NSEC_PER_SEC);
		tv->tv_usec = (long)(ns % NSEC_PER_SEC / 1000);
	}
	if (tz) {
		tz->tz_minuteswest = (int)vdso_data.tz_minuteswest;
		tz->tz_dsttime = (int)vdso_data.tz_dsttime;
	}
	return 0;
}

int __kernel_clock_getres(int clock, struct __kernel_timespec *res)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
		if (res) {
			res->tv_sec = 0;
			res->tv_nsec = 1;
		}
		return 0;
	default: return (int)syscall2(__NR_clock_getres, clock, (long)res);
	}
}
