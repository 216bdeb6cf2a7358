/*
 * Idle threads, and how CPUs come under the scheduler.
 *
 * Each CPU has a thread that runs when no other can. It is on no queue, is never woken and never
 * sleeps: it waits for an interrupt with interrupts masked, so that one which arrives after the
 * look at the queue ends the wait. The interrupt's end then switches to whatever was woken
 * (trap_preempt_irq).
 *
 * The boot CPU begins in boot_thread, an ordinary thread; its idle thread is made by sched_init. A
 * secondary CPU begins in its idle thread.
 */
#include "kernel/base/cred.h"
#include "kernel/base/trap.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched_internal.h"
#include "mm/kvm.h"
#include "mm/slab.h"
#include <linux/errno.h>

static void idle_loop(void *arg)
{
	struct runq *rq;

	(void)arg;
	irq_disable();
	rq = runq_this();
	for (;;) {
		if (!(READ_ONCE(arch_current()->work) & WORK_RESCHED) && READ_ONCE(rq->nr) == 0)
			cpu_idle();
		irq_enable();
		if (READ_ONCE(arch_current()->work) & WORK_RESCHED)
			preempt_enable_slow();
		irq_disable();
	}
}

/*
 * See trap.h: make the idle thread of @cpu.
 * ctx: thread; sleeps: for memory. 0 or -ENOMEM.
 */
int sched_idle_thread(u32 cpu, struct arch_thread **out)
{
	struct thread *t = kzalloc(sizeof(*t), 0);

	if (!t)
		return -ENOMEM;
	if (thread_init(t, "idle", idle_loop, NULL)) {
		kfree(t);
		return -ENOMEM;
	}
	t->se.klass = SC_IDLE;
	t->state = TS_RUNNABLE;
	t->affinity = BIT(cpu);
	t->cpu = cpu;
	*out = &t->arch;
	return 0;
}

/*
 * Bring the boot CPU under the scheduler; the caller becomes its first thread.
 * ctx: boot, memory and time work
 */
void sched_init(void)
{
	struct arch_thread *idle;

	fair_weights_init();
	current->cred = &cred_root;
	if (sched_idle_thread(0, &idle))
		panic_plain("out of memory at boot");
	sched_runq_init(0, current, (struct thread *)idle);
}

/*
 * A secondary CPU, in its idle thread, begins to run threads.
 * ctx: IRQs off
 */
void sched_start_cpu(void)
{
	struct thread *t = current;

	t->arch.preempt_count = 0;
	sched_runq_init(cpu_id(), t, t);
	idle_loop(NULL);
	__builtin_unreachable();
}
