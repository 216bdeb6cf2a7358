#pragma once
/*
 * Per-CPU variables. PERCPU(type, name) defines one, zero at first, in section .bss.percpu, which
 * is only a template: each CPU has a copy (percpu_init_cpu), and TPIDR_EL1 holds the distance from
 * template to copy.
 *
 * this_cpu(var) is an lvalue of this CPU's copy: keep preemption or IRQs off while it is used.
 */
#include <arch/memlayout.h>
#include "kernel/lib/types.h"

#define PERCPU(type, name) __section(".bss.percpu") __used __typeof__(type) name
#define PERCPU_DECLARE(type, name) extern __typeof__(type) name

extern u64 percpu_offset[MAX_CPUS]; /* I: after the CPU was prepared */

static __always_inline u64 percpu_this_offset(void)
{
	u64 off;

	__asm__ volatile("mrs %0, tpidr_el1" : "=r"(off));
	return off;
}

static inline void percpu_set_this_offset(u64 off)
{
	__asm__ volatile("msr tpidr_el1, %0" ::"r"(off) : "memory");
}

#define percpu_ptr_off(var, off) ((__typeof__(&(var)))((u64) & (var) + (off)))
#define this_cpu_ptr(var) percpu_ptr_off(var, percpu_this_offset())
#define this_cpu(var) (*this_cpu_ptr(var))
#define per_cpu(var, cpu) (*percpu_ptr_off(var, percpu_offset[cpu]))

PERCPU_DECLARE(u32, cpu_number);

/* This CPU's number; stable only while preemption is off. */
static inline u32 cpu_id(void)
{
	return this_cpu(cpu_number);
}

/*
 * Allocate and fill @cpu's copy and set percpu_offset (mm/percpu.c: it needs frames). CPU 0 uses
 * the template itself until main.c does this for it, as soon as frames can be had; the offset in
 * TPIDR_EL1 is loaded by whoever starts the CPU. ctx: boot. 0 or -ENOMEM.
 */
int __must_check percpu_init_cpu(u32 cpu);
