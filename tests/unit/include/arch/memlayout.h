#pragma once
/* The target's, but that a physical address is a pointer. */
#define pa_to_va pa_to_va_on_target
#define va_to_pa va_to_pa_on_target
#include "arch/arm64/include/arch/memlayout.h"
#undef pa_to_va
#undef va_to_pa
static inline void *pa_to_va(paddr_t pa)
{
	return (void *)pa;
}
static inline paddr_t va_to_pa(const void *va)
{
	return (paddr_t)va;
}
