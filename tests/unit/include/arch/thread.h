#pragma once
/* The target's, but for which thread is the running one: there is one only. */
#define arch_current arch_current_on_target
#include "arch/arm64/include/arch/thread.h"
#undef arch_current
extern struct arch_thread *host_thread; /* I */
static inline struct arch_thread *arch_current(void)
{
	return host_thread;
}
