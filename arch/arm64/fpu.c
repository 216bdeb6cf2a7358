/*
 * FP/SIMD registers, lazily.
 *
 * The kernel does not use them, so they keep the state of the thread that used them last on this
 * CPU: fpu_owner. A thread that starts to run finds FP enabled for EL0 when the registers are still
 * its own; else its first FP instruction traps, and fpu_trap() loads them. When a thread that has
 * FP enabled is switched out its registers are stored in struct arch_thread, so another CPU can
 * take the thread over at any time; they stay valid here too.
 *
 *   loaded here  <=>  fpu_owner == t && t->fpu_cpu == this CPU
 *   enabled (CPACR_EL1.FPEN)  =>  loaded here
 *
 * Both halves of the condition are needed: the first is undone when another thread loads, the
 * second when the thread loads elsewhere or when its memory copy is changed (fpu_reload_current).
 * Everything is done with IRQs off by the CPU itself, so there is no lock. Threads that never use
 * FP pay one register read per switch.
 */
#include <arch/barrier.h>
#include <arch/cpu.h>
#include <arch/irqflags.h>
#include <arch/sysreg.h>
#include <arch/thread.h>
#include "arch/arm64/arch_private.h"
#include "kernel/base/percpu.h"
#include "kernel/lib/string.h"

#define NO_CPU (~0u)

PERCPU(struct arch_thread *, fpu_owner); /* o */

void fpu_regs_save(struct fpu_state *s);
void fpu_regs_load(const struct fpu_state *s);

static inline bool fpu_enabled(void)
{
	return sysreg_read(cpacr_el1) & CPACR_FP_EL0;
}

static inline void fpu_enable(bool on)
{
	sysreg_write(cpacr_el1, CPACR_FP_EL1 | (on ? CPACR_FP_EL0 : 0));
}

static inline bool fpu_is_loaded(const struct arch_thread *t)
{
	return this_cpu(fpu_owner) == t && t->fpu_cpu == cpu_id();
}

/*
 * Hand the unit over from @prev to @next.
 * ctx: scheduler, IRQs off.
 */
void fpu_switch(struct arch_thread *prev, struct arch_thread *next)
{
	bool was = fpu_enabled();
	bool will = next->fpu_used && fpu_is_loaded(next);

	if (was)
		fpu_regs_save(&prev->fpu);
	if (was != will)
		fpu_enable(will);
}

/*
 * First FP instruction of the current thread since it lost the unit.
 * ctx: exception from EL0, IRQs off.
 */
void fpu_trap(void)
{
	struct arch_thread *t = arch_current();

	fpu_regs_load(&t->fpu);
	this_cpu(fpu_owner) = t;
	t->fpu_cpu = cpu_id();
	t->fpu_used = true;
	fpu_enable(true);
}

/*
 * Bring the current thread's FP registers into arch.fpu.
 * ctx: thread.
 */
void fpu_save_current(void)
{
	u64 flags = irq_save();

	if (fpu_enabled())
		fpu_regs_save(&arch_current()->fpu);
	irq_restore(flags);
}

/*
 * Make arch.fpu of the current thread the truth: the registers are loaded from it at the next use.
 * ctx: thread.
 */
void fpu_reload_current(void)
{
	struct arch_thread *t = arch_current();
	u64 flags = irq_save();

	t->fpu_used = true;
	t->fpu_cpu = NO_CPU;
	if (fpu_enabled())
		fpu_enable(false);
	irq_restore(flags);
}
