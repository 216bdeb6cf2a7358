#pragma once
/*
 * CPUs: identity, idle, start and power by PSCI, inter-processor interrupts.
 * Logical CPU numbers are dense: 0 is the boot CPU.
 */
#include <arch/memlayout.h>
#include "kernel/base/percpu.h"
#include "kernel/lib/types.h"

extern u32 cpu_count; /* I after smp_init: CPUs present (<= MAX_CPUS, maxcpus=) */
extern cpumask_t cpu_online_mask; /* a: grows while secondaries arrive */

/* Early CPU set-up from main.c, in this order; see the .c files. */
void cpu_init_firmware(void); /* from here on a panic can switch off or reset */
void cpu_init_boot(void);
/* Start the secondaries in parallel through PSCI; each runs secondary_main(). Waits until all
 * that answered are online, for at most a second. ctx: boot thread; sleeps: yes. */
void smp_init(void);

/* Wait for an interrupt with IRQs masked; the pending one is taken after they are unmasked. */
void cpu_idle(void);
void cpu_halt_forever(void) __noreturn;

/* PSCI SYSTEM_OFF / SYSTEM_RESET; return only if firmware refused. */
void cpu_power_off(void);
void cpu_power_reset(void);

/* Inter-processor interrupts. ctx: any. */
enum ipi {
	IPI_RESCHED, /* look at WORK_RESCHED of the current thread */
	IPI_CALL, /* run queued smp_call functions */
	IPI_STOP, /* panic: print a backtrace and stop */
	IPI_COUNT,
};
void ipi_send(u32 cpu, enum ipi what);

/* Run @fn(@arg) on @mask's CPUs (IRQ context there) and wait for all. ctx: thread, IRQs on. */
void smp_call(cpumask_t mask, void (*fn)(void *), void *arg);
void smp_mb_here(void *arg); /* a full barrier: all that some calls are for */

/* For /proc/cpuinfo and AT_HWCAP. */
u64 cpu_hwcap(void);
u64 cpu_hwcap2(void);
u64 cpu_midr(u32 cpu);
u64 cpu_mpidr(u32 cpu);

/* Make instructions written at [@va, @va+@len) through this mapping visible to all CPUs. */
void cpu_sync_icache(const void *va, size_t len);

static inline void cpu_relax(void)
{
	__asm__ volatile("yield" ::: "memory");
}
