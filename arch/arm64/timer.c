/*
 * The generic timer as the kernel's one source of timed interrupts.
 *
 * Each CPU's virtual timer compares the counter with CNTV_CVAL_EL0 and raises a per-CPU interrupt,
 * whose number the device tree gives. timeout.c tells the next deadline; between deadlines the
 * timer is off, so an idle CPU is not woken. The virtual timer is used because its offset is zero
 * or the hypervisor's business, whatever level the kernel entered at.
 *
 * Reference: Arm ARM D11; device tree binding arm,armv8-timer.
 */
#include <arch/barrier.h>
#include <arch/sysreg.h>
#include "kernel/base/fdt.h"
#include "kernel/base/irq.h"
#include "kernel/base/panic.h"
#include "kernel/base/percpu.h"
#include "kernel/base/time.h"

#define CTL_ENABLE 1
#define DT_VIRTUAL 2 /* interrupts: secure, non-secure, virtual, hypervisor */

static u32 timer_irq; /* I */
PERCPU(u8, timer_on); /* o: CNTV_CTL_EL0.ENABLE */

static void timer_stop(void)
{
	sysreg_write(cntv_ctl_el0, 0);
	this_cpu(timer_on) = 0;
}

/* The line stays up until the timer is stopped or has a later deadline. */
static void timer_interrupt(u32 irq, void *arg)
{
	timer_stop();
	timeout_run_irq();
}

/* Contract in kernel/base/time.h. */
void timer_program(s64 deadline)
{
	if (deadline == TIME_NEVER) {
		if (this_cpu(timer_on))
			timer_stop();
		return;
	}
	sysreg_write(cntv_cval_el0, time_to_counter(deadline));
	if (!this_cpu(timer_on)) {
		sysreg_write(cntv_ctl_el0, CTL_ENABLE);
		this_cpu(timer_on) = 1;
	}
	isb();
}

/*
 * Find the interrupt and attach to it; the boot CPU's timer is ready afterwards.
 * ctx: boot, interrupt controller up. Without a timer there is nothing to run on.
 */
void timer_init_boot(void)
{
	int node = fdt_find_compatible(-1, "arm,armv8-timer");
	u32 flags;

	if (node < 0)
		node = fdt_find_compatible(-1, "arm,armv7-timer");
	if (node < 0 || fdt_node_irq(node, DT_VIRTUAL, &timer_irq, &flags))
		panic_plain("the device tree describes no virtual timer");
	sysreg_write(cntv_ctl_el0, 0);
	if (irq_register(timer_irq, timer_interrupt, NULL, "arch_timer", flags | IRQ_PERCPU))
		panic_plain("the timer's interrupt %u cannot be used", timer_irq);
}

/* This CPU's timer, stopped. ctx: a secondary coming up, IRQs off. */
void timer_init_cpu(void)
{
	timer_stop();
	irq_enable_percpu(timer_irq);
}
