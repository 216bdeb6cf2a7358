#pragma once
/* A clock that goes on by a step each time it is read. */
#include "kernel/lib/types.h"

static inline u64 arch_counter(void)
{
	static u64 ticks;

	return ticks += 1000;
}
static inline u64 arch_counter_relaxed(void)
{
	return arch_counter();
}
static inline u32 arch_counter_hz(void)
{
	return 62500000;
}
