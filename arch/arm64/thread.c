/*
 * Threads as the CPU sees them: kernel stack, user frame, TLS.
 *
 * A kernel stack ends with a word that leads entries from EL0 back to the thread (vectors.S); below
 * it lies the user frame, and below that, in a new thread, what switch_stacks() pops: the first
 * switch returns into thread_begin.
 *
 * FP registers are fpu.c's; of them only the bookkeeping of fork and exec is here. All fields
 * belong to the thread itself, or to whoever prepares it before it runs.
 */
#include <linux/errno.h>
#include <linux/prctl.h>
#include <arch/frame.h>
#include <arch/irqflags.h>
#include <arch/sysreg.h>
#include <arch/thread.h>
#include "arch/arm64/arch_private.h"
#include "kernel/lib/string.h"

#define NO_CPU (~0u)

int arch_tagged_disabled;

/*
 * Forked user thread: FP state and TLS of the current thread go to @t, which has not run yet.
 * ctx: thread.
 */
void arch_thread_fork(struct arch_thread *t)
{
	const struct arch_thread *cur = arch_current();

	t->tls = sysreg_read(tpidr_el0);
	t->tagged_addr = cur->tagged_addr;
	t->fpu_used = cur->fpu_used;
	t->fpu_cpu = NO_CPU;
	if (cur->fpu_used) {
		fpu_save_current();
		t->fpu = cur->fpu;
	}
}

/*
 * exec: forget FP state and TLS of the current thread, and that it may use tagged addresses.
 * ctx: thread.
 */
void arch_thread_exec(void)
{
	struct arch_thread *t = arch_current();
	u64 flags = irq_save();

	fpu_reload_current();
	t->fpu_used = t->tagged_addr = false;
	t->tls = 0;
	sysreg_write(tpidr_el0, 0);
	irq_restore(flags);
	memset(&t->fpu, 0, sizeof(t->fpu));
	debug_regs_clear();
}

/* Contract in arch/thread.h. */
int arch_tagged_set(struct arch_thread *t, u64 ctrl)
{
	if (ctrl & ~PR_TAGGED_ADDR_ENABLE || (ctrl && READ_ONCE(arch_tagged_disabled)))
		return -EINVAL;
	t->tagged_addr = ctrl;
	return 0;
}

/* Contract in arch/memlayout.h. */
bool user_tagged_ok(u64 addr, u64 len)
{
	return arch_current()->tagged_addr && len <= USER_TOP && user_untag(addr) <= USER_TOP - len;
}

/*
 * Contract in arch/thread.h. FP stays switched off for the thread until it is back in user mode, so
 * that no switch stores registers over what another thread has written.
 * ctx: thread.
 */
void arch_thread_park(void)
{
	struct arch_thread *t = arch_current();

	if (t->fpu_used) {
		fpu_save_current();
		fpu_reload_current();
	}
	t->tls_parked = sysreg_read(tpidr_el0);
}

/*
 * Contract in arch/thread.h.
 * ctx: thread.
 */
void arch_thread_unpark(void)
{
	sysreg_write(tpidr_el0, arch_current()->tls_parked);
	debug_apply();
}

/*
 * Contract in arch/thread.h. The word at kstack_top leads entries from EL0 back to the thread.
 * ctx: thread; the stack is @t's alone.
 */
void arch_thread_init(struct arch_thread *t, void *stack, size_t size, void (*fn)(void *),
		      void *arg)
{
	u64 top = (u64)stack + size - 16;
	u64 *saved; /* as switch_stacks pops it: x29, x30, x19 ... x28 */

	*(struct arch_thread **)top = t;
	t->kstack_top = top;
	memset(arch_user_frame(t), 0, top - (u64)arch_user_frame(t));
	saved = (u64 *)arch_user_frame(t) - 12;
	memset(saved, 0, 12 * sizeof(*saved));
	saved[1] = (u64)thread_begin;
	saved[2] = (u64)fn;
	saved[3] = (u64)arg;
	t->sp = (u64)saved;
	t->tls = 0;
	t->fpu_cpu = NO_CPU;
	t->fpu_used = false;
}

/*
 * Contract in arch/thread.h.
 * ctx: scheduler, IRQs off.
 */
struct arch_thread *arch_thread_switch(struct arch_thread *prev, struct arch_thread *next)
{
	fpu_switch(prev, next);
	prev->tls = sysreg_read(tpidr_el0);
	sysreg_write(tpidr_el0, next->tls);
	if (unlikely(prev->debug | next->debug))
		debug_switch(next);
	return switch_stacks(prev, next);
}
