#pragma once
/* Interrupt masking on this CPU (PSTATE.DAIF). The compiler may move nothing across these. */
#include "kernel/lib/types.h"

static __always_inline u64 irq_save(void)
{
	u64 flags;

	__asm__ volatile("mrs %0, daif\n\tmsr daifset, #3" : "=r"(flags)::"memory");
	return flags;
}

static __always_inline void irq_restore(u64 flags)
{
	__asm__ volatile("msr daif, %0" ::"r"(flags) : "memory");
}

static __always_inline void irq_enable(void)
{
	__asm__ volatile("msr daifclr, #3" ::: "memory");
}

static __always_inline void irq_disable(void)
{
	__asm__ volatile("msr daifset, #3" ::: "memory");
}

static __always_inline bool irq_disabled(void)
{
	u64 flags;

	__asm__ volatile("mrs %0, daif" : "=r"(flags)::"memory");
	return flags & 0x80;
}
