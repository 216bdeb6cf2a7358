#pragma once
/* The virtual counter of the generic timer, and the CPU's random numbers. */
#include "kernel/lib/types.h"

/* Ticks since the machine started; the barrier keeps the read behind what came before. ctx: any. */
static __always_inline u64 arch_counter(void)
{
	u64 v;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(v)::"memory");
	return v;
}

/* As arch_counter without the barrier: may be read some instructions early. */
static __always_inline u64 arch_counter_relaxed(void)
{
	u64 v;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(v));
	return v;
}

static inline u32 arch_counter_hz(void)
{
	u64 v;

	__asm__("mrs %0, cntfrq_el0" : "=r"(v));
	return (u32)v;
}

/* RNDR (FEAT_RNG): false when this CPU has none, or it has none ready. */
static inline bool arch_random(u64 *out)
{
	u64 isar0, v, ok;

	__asm__("mrs %0, id_aa64isar0_el1" : "=r"(isar0));
	if (isar0 >> 60 == 0)
		return false;
	__asm__ volatile("mrs %0, s3_3_c2_c4_0\n\tcset %1, ne" : "=r"(v), "=r"(ok)::"cc");
	*out = v;
	return ok;
}
