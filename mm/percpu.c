/*
 * Per-CPU data: the copies.
 *
 * The linker gathers PERCPU variables into one section, the template. Each CPU's copy is a block of
 * whole frames of its own, so no cache line is shared; the distance from template to copy is kept
 * in percpu_offset[] and, on the CPU itself, in TPIDR_EL1. Copies are made at boot before their CPU
 * runs and live for ever; access rules are in kernel/base/percpu.h. In mm because it takes frames.
 */
#include <linux/errno.h>
#include "kernel/base/percpu.h"
#include "kernel/lib/string.h"
#include "mm/pmm.h"

extern char __percpu_begin[], __percpu_end[];

u64 percpu_offset[MAX_CPUS];
PERCPU(u32, cpu_number);

/* See percpu.h. CPU 0's copy is made before the frame allocator is up, from early memory. */
int percpu_init_cpu(u32 cpu)
{
	size_t size = (size_t)(__percpu_end - __percpu_begin);
	u32 order = 0;
	char *copy;

	while (((size_t)PAGE_SIZE << order) < size)
		order++;
	copy = cpu == 0 ? pmm_early_alloc(size) : pmm_alloc_va(order, 0);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, __percpu_begin, size);
	percpu_offset[cpu] = (u64)(copy - __percpu_begin);
	per_cpu(cpu_number, cpu) = cpu;
	return 0;
}
