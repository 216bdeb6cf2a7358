#pragma once
/* One CPU: variables of its own are plain ones. For host tests of net/. */
#include <arch/memlayout.h>
#include "kernel/lib/types.h"

#define PERCPU(type, name) __typeof__(type) name
#define PERCPU_DECLARE(type, name) extern __typeof__(type) name
#define percpu_offset ((const u64[MAX_CPUS]){ 0 })
#define this_cpu(var) (var)
#define per_cpu(var, cpu) (var)
#define cpu_id() 0u
