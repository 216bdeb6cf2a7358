/*
 * Generic Interrupt Controller, version 2: one distributor for all, and a CPU interface that each
 * CPU sees at the same address.
 *
 * Interrupts are taken one per exception: read the acknowledge register, run the handlers, write
 * the end register. What is pending beyond comes as the next exception, so no access is spent on
 * finding out that nothing is. A shared interrupt's priority, trigger and target are written when
 * it is unmasked for the first time.
 *
 * The distributor's bit registers are set and cleared by writing ones, so only the trigger
 * register, whose fields share a word, needs the lock (rank IRQ).
 *
 * Reference: Arm IHI 0048B.b; device tree binding arm,gic.
 */
#include <linux/errno.h>
#include <arch/barrier.h>
#include "kernel/base/fdt.h"
#include "kernel/base/irq.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/base/percpu.h"
#include "kernel/base/spinlock.h"
#include "mm/kvm.h"

/* Distributor registers, as byte offsets. */
#define GICD_CTLR 0x000
#define GICD_TYPER 0x004
#define GICD_ISENABLER(n) (0x100 + (n) / 32 * 4)
#define GICD_ICENABLER(n) (0x180 + (n) / 32 * 4)
#define GICD_ICPENDR(n) (0x280 + (n) / 32 * 4)
#define GICD_IPRIORITYR(n) (0x400 + (n)) /* bytes */
#define GICD_ITARGETSR(n) (0x800 + (n)) /* bytes */
#define GICD_ICFGR(n) (0xc00 + (n) / 16 * 4)
#define GICD_SGIR 0xf00
/* CPU interface. */
#define GICC_CTLR 0x00
#define GICC_PMR 0x04
#define GICC_BPR 0x08
#define GICC_IAR 0x0c
#define GICC_EOIR 0x10

#define SPURIOUS 1020
#define PRIORITY 0xa0
#define CPUS_MAX 8

static volatile u8 *gicd, *gicc; /* I */
static u32 lines; /* I: interrupt numbers the distributor has */
static u8 cpu_mask[CPUS_MAX]; /* I after the CPU came up: its bit in targets */
static struct spinlock config_lock = SPINLOCK_INIT(RANK_IRQ);

static u32 dist_read(u32 reg)
{
	return *(volatile u32 *)(gicd + reg);
}

static void dist_write(u32 reg, u32 v)
{
	*(volatile u32 *)(gicd + reg) = v;
}

static void cpuif_write(u32 reg, u32 v)
{
	*(volatile u32 *)(gicc + reg) = v;
}

static void gicv2_handle(struct trapframe *tf)
{
	u32 iar = *(volatile u32 *)(gicc + GICC_IAR);
	u32 irq = iar & 0x3ff;

	if (unlikely(irq >= SPURIOUS))
		return;
	irq_dispatch(irq);
	cpuif_write(GICC_EOIR, iar);
}

static void gicv2_mask(u32 irq)
{
	dist_write(GICD_ICENABLER(irq), 1u << (irq % 32));
}

static void set_trigger(u32 irq, bool edge)
{
	u64 flags = spin_lock_irqsave(&config_lock);
	u32 bit = 2u << (irq % 16 * 2);
	u32 v = dist_read(GICD_ICFGR(irq));

	dist_write(GICD_ICFGR(irq), edge ? v | bit : v & ~bit);
	spin_unlock_irqrestore(&config_lock, flags);
}

static void gicv2_unmask(u32 irq, u32 flags)
{
	if (irq >= lines)
		return;
	if (irq >= 32) {
		set_trigger(irq, flags & IRQ_EDGE);
		gicd[GICD_ITARGETSR(irq)] = cpu_mask[0];
	}
	gicd[GICD_IPRIORITYR(irq)] = PRIORITY;
	dist_write(GICD_ISENABLER(irq), 1u << (irq % 32));
}

static void gicv2_set_affinity(u32 irq, u32 cpu)
{
	if (irq >= 32 && irq < lines && cpu < CPUS_MAX && cpu_mask[cpu])
		gicd[GICD_ITARGETSR(irq)] = cpu_mask[cpu];
}

static void gicv2_send_ipi(u32 cpu, u32 sgi)
{
	dma_wmb(); /* what the other CPU is to see is written before */
	dist_write(GICD_SGIR, (u32)cpu_mask[cpu] << 16 | sgi);
}

/* On each CPU: banked registers and the CPU interface. */
static void gicv2_cpu_init(void)
{
	u32 cpu = cpu_id();

	if (cpu >= CPUS_MAX)
		panic("GICv2 serves %d CPUs, this is number %u", CPUS_MAX, cpu);
	cpu_mask[cpu] = gicd[GICD_ITARGETSR(0)];
	if (!cpu_mask[cpu])
		cpu_mask[cpu] = 1; /* a distributor for one CPU has no targets */
	dist_write(GICD_ICENABLER(0), 0xffff0000);
	for (u32 i = 0; i < 16; i += 4)
		dist_write(GICD_IPRIORITYR(i), PRIORITY * 0x01010101u);
	dist_write(GICD_ISENABLER(0), 0x0000ffff);
	cpuif_write(GICC_PMR, 0xff);
	cpuif_write(GICC_BPR, 0);
	cpuif_write(GICC_CTLR, 1);
}

static const struct irq_chip gicv2 = {
	.name = "GICv2",
	.handle = gicv2_handle,
	.mask = gicv2_mask,
	.unmask = gicv2_unmask,
	.set_affinity = gicv2_set_affinity,
	.send_ipi = gicv2_send_ipi,
	.cpu_init = gicv2_cpu_init,
};

static int gicv2_probe(int node)
{
	paddr_t dist, cpu;
	u64 dist_size, cpu_size;

	if (fdt_node_reg(node, 0, &dist, &dist_size) || fdt_node_reg(node, 1, &cpu, &cpu_size))
		return -EINVAL;
	gicd = kvm_map_io(dist, PAGE_SIZE);
	gicc = kvm_map_io(cpu, PAGE_SIZE);
	if (!gicd || !gicc)
		return -ENOMEM;
	dist_write(GICD_CTLR, 0);
	lines = MIN(((dist_read(GICD_TYPER) & 31) + 1) * 32, (u32)SPURIOUS);
	for (u32 i = 32; i < lines; i += 32) {
		dist_write(GICD_ICENABLER(i), ~0u);
		dist_write(GICD_ICPENDR(i), ~0u);
	}
	dist_write(GICD_CTLR, 1);
	irq_set_chip(&gicv2);
	gicv2_cpu_init();
	log_info("GICv2: %u interrupts", lines);
	return 0;
}

FDT_IRQCHIP(gicv2_a15, "arm,cortex-a15-gic", gicv2_probe);
FDT_IRQCHIP(gicv2_400, "arm,gic-400", gicv2_probe);
