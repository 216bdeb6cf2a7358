#pragma once
/* One CPU: its copy is the variable itself. */
#include <arch/memlayout.h>
#include "kernel/lib/types.h"

#define PERCPU(type, name) __typeof__(type) name
#define PERCPU_DECLARE(type, name) extern __typeof__(type) name
#define this_cpu_ptr(var) (&(var))
#define this_cpu(var) (var)
#define per_cpu(var, cpu) (var)

static inline u32 cpu_id(void)
{
	return 0;
}
