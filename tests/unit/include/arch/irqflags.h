#pragma once
/* No interrupts on the host. */
#include "kernel/lib/types.h"

static inline u64 irq_save(void)
{
	return 0;
}
static inline void irq_restore(u64 flags)
{
}
static inline void irq_enable(void)
{
}
static inline void irq_disable(void)
{
}
static inline bool irq_is_masked(void)
{
	return false;
}
