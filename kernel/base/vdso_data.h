#pragma once
/*
 * The page that the vDSO reads to tell the time without a system call. Written by
 * kernel/base/time.c under an even/odd sequence; read by arch/arm64/vdso.
 *
 *   monotonic = base_ns + ((counter - base) * mult >> 32)        realtime = monotonic + wall_offset
 *   raw = (counter - raw_base) * raw_mult >> 32
 *
 * A new rate of the clock (adjtimex) begins at a new base.
 */
#include "kernel/lib/types.h"

struct vdso_data {
	u32 seq; /* odd while the fields change */
	u32 counter_hz;
	u64 base; /* counter value at base_ns */
	u64 mult; /* nanoseconds per tick, 32.32 fixed point */
	u64 base_ns;
	u64 raw_base, raw_mult; /* as they were at boot */
	s64 wall_offset; /* ns */
	u32 tz_minuteswest;
	u32 tz_dsttime;
};
