/*
 * Generic Interrupt Controller, version 3: a distributor for shared interrupts, a redistributor per
 * CPU for its own, and a CPU interface in system registers.
 *
 * The redistributors lie one behind the other in one or more regions, in any order of CPUs; probing
 * maps the few registers used of each and notes its affinity, and a CPU that comes up looks for its
 * own. Everything is put in group 1. Interrupts are taken one per exception, as in gicv2.c. Message
 * interrupts (LPIs) are its.c's.
 *
 * Locking as in gicv2.c: config_lock (rank IRQ) for the trigger registers.
 *
 * Reference: Arm IHI 0069; device tree binding arm,gic-v3.
 */
#include <linux/errno.h>
#include <arch/barrier.h>
#include <arch/cpu.h>
#include <arch/gic.h>
#include "drivers/irqchip/gicv3.h"
#include "kernel/base/fdt.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/base/percpu.h"
#include "kernel/base/spinlock.h"
#include "mm/kvm.h"

#define GICD_CTLR 0x0000
#define GICD_TYPER 0x0004
#define GICD_IGROUPR(n) (0x0080 + (n) / 32 * 4)
#define GICD_ISENABLER(n) (0x0100 + (n) / 32 * 4)
#define GICD_ICENABLER(n) (0x0180 + (n) / 32 * 4)
#define GICD_ICPENDR(n) (0x0280 + (n) / 32 * 4)
#define GICD_IPRIORITYR(n) (0x0400 + (n))
#define GICD_ICFGR(n) (0x0c00 + (n) / 16 * 4)
#define GICD_IROUTER(n) (0x6000 + (n)*8)
#define GICD_SIZE 0x10000
#define CTLR_GRP1 0x02u
#define CTLR_ARE 0x10u
#define CTLR_RWP 0x80000000u
#define TYPER_LPIS 0x20000u

#define GICR_CTLR 0x0000
#define GICR_TYPER 0x0008
#define GICR_WAKER 0x0014
#define GICR_SGI_OFFSET 0x10000
#define GICR_FRAME 0x20000
#define GICR_FRAME_V4 0x40000
#define GICR_RWP 0x8u
#define WAKER_SLEEP 2u
#define WAKER_CHILDREN 4u
#define GICR_TYPER_VLPIS 2u
#define GICR_TYPER_LAST 0x10u

#define SPURIOUS 1020
#define PRIORITY 0xa0
#define WAIT_LIMIT 1000000

struct redist {
	volatile u8 *rd; /* I: control page */
	volatile u8 *sgi; /* I: page of the CPU's own interrupts */
	paddr_t pa; /* I */
	u32 affinity; /* I */
	u32 number; /* I: processor number, as ITS commands may want it */
};

static volatile u8 *gicd; /* I */
static u32 lines; /* I */
static u32 id_bits; /* I: 0 without LPIs */
static struct redist redists[MAX_CPUS]; /* I: as found */
static u32 nredists; /* I */
static u8 redist_of[MAX_CPUS]; /* I after the CPU came up: index into redists, plus 1 */
static u32 affinity_of[MAX_CPUS]; /* I after the CPU came up */
static const struct gicv3_lpi_ops *lpi; /* I */
static struct spinlock config_lock = SPINLOCK_INIT(RANK_IRQ);

static u32 read32(volatile u8 *base, u32 reg)
{
	return *(volatile u32 *)(base + reg);
}

static void write32(volatile u8 *base, u32 reg, u32 v)
{
	*(volatile u32 *)(base + reg) = v;
}

/* Wait for a bit to clear: bounded, as it is hardware that promises it. */
static void wait_clear(volatile u8 *base, u32 reg, u32 bit)
{
	for (u32 i = 0; (read32(base, reg) & bit) && i < WAIT_LIMIT; i++)
		cpu_relax();
}

static struct redist *this_redist(void)
{
	return &redists[redist_of[cpu_id()] - 1];
}

static void gicv3_handle(struct trapframe *tf)
{
	u32 irq = (u32)GIC_READ(ICC_IAR1) & 0xffffff;

	if (unlikely(irq >= SPURIOUS && irq < LPI_BASE))
		return;
	irq_dispatch(irq);
	GIC_WRITE(ICC_EOIR1, irq);
}

static void gicv3_mask(u32 irq)
{
	if (irq >= LPI_BASE) {
		lpi->mask(irq);
	} else if (irq < 32) {
		write32(this_redist()->sgi, GICD_ICENABLER(0), 1u << irq);
		wait_clear(this_redist()->rd, GICR_CTLR, GICR_RWP);
	} else {
		write32(gicd, GICD_ICENABLER(irq), 1u << (irq % 32));
		wait_clear(gicd, GICD_CTLR, CTLR_RWP);
	}
}

static void set_trigger(u32 irq, bool edge)
{
	u64 flags = spin_lock_irqsave(&config_lock);
	u32 bit = 2u << (irq % 16 * 2);
	u32 v = read32(gicd, GICD_ICFGR(irq));

	write32(gicd, GICD_ICFGR(irq), edge ? v | bit : v & ~bit);
	spin_unlock_irqrestore(&config_lock, flags);
}

/* Affinity in the form of routing registers. */
static void set_route(u32 irq, u32 affinity)
{
	u64 route = (u64)(affinity >> 24) << 32 | (affinity & 0xffffff);

	*(volatile u64 *)(gicd + GICD_IROUTER(irq)) = route;
}

static void gicv3_unmask(u32 irq, u32 flags)
{
	if (irq >= LPI_BASE) {
		lpi->unmask(irq);
	} else if (irq < 32) {
		volatile u8 *sgi = this_redist()->sgi;

		sgi[GICD_IPRIORITYR(irq)] = PRIORITY;
		write32(sgi, GICD_ISENABLER(0), 1u << irq);
	} else if (irq < lines) {
		set_trigger(irq, flags & IRQ_EDGE);
		set_route(irq, affinity_of[0]);
		gicd[GICD_IPRIORITYR(irq)] = PRIORITY;
		write32(gicd, GICD_ISENABLER(irq), 1u << (irq % 32));
	}
}

static void gicv3_set_affinity(u32 irq, u32 cpu)
{
	if (irq >= LPI_BASE)
		lpi->set_affinity(irq, cpu);
	else if (irq >= 32 && irq < lines && redist_of[cpu])
		set_route(irq, affinity_of[cpu]);
}

static void gicv3_send_ipi(u32 cpu, u32 sgi)
{
	u32 a = affinity_of[cpu];
	u64 v = (u64)(a >> 24) << 48 | (u64)(a >> 16 & 0xff) << 32 | (u64)(a >> 8 & 0xff) << 16;

	v |= (u64)(a >> 4 & 15) << 44 | 1ULL << (a & 15) | (u64)sgi << 24;
	smp_wmb(); /* what the other CPU is to see is written before */
	dsb(ishst);
	GIC_WRITE(ICC_SGI1R, v);
	isb();
}

static void find_redist(u32 cpu)
{
	u32 affinity = arch_affinity();

	for (u32 i = 0; i < nredists; i++) {
		if (redists[i].affinity == affinity) {
			affinity_of[cpu] = affinity;
			redist_of[cpu] = (u8)(i + 1);
			return;
		}
	}
	panic("GICv3: no redistributor for CPU %u (affinity %#x)", cpu, affinity);
}

static void redist_init(struct redist *r)
{
	write32(r->rd, GICR_WAKER, read32(r->rd, GICR_WAKER) & ~WAKER_SLEEP);
	wait_clear(r->rd, GICR_WAKER, WAKER_CHILDREN);
	write32(r->sgi, GICD_ICENABLER(0), 0xffff0000);
	write32(r->sgi, GICD_IGROUPR(0), ~0u);
	for (u32 i = 0; i < 16; i += 4)
		write32(r->sgi, GICD_IPRIORITYR(i), PRIORITY * 0x01010101u);
	write32(r->sgi, GICD_ISENABLER(0), 0x0000ffff);
	wait_clear(r->rd, GICR_CTLR, GICR_RWP);
}

static void gicv3_cpu_init(void)
{
	find_redist(cpu_id());
	redist_init(this_redist());
	GIC_WRITE(ICC_SRE, GIC_READ(ICC_SRE) | 1);
	isb();
	GIC_WRITE(ICC_PMR, 0xff);
	GIC_WRITE(ICC_BPR1, 0);
	GIC_WRITE(ICC_CTLR, 0);
	GIC_WRITE(ICC_IGRPEN1, 1);
	isb();
}

static const struct irq_chip gicv3 = {
	.name = "GICv3",
	.handle = gicv3_handle,
	.mask = gicv3_mask,
	.unmask = gicv3_unmask,
	.set_affinity = gicv3_set_affinity,
	.send_ipi = gicv3_send_ipi,
	.cpu_init = gicv3_cpu_init,
};

/* See gicv3.h. ctx: boot. */
void gicv3_set_lpi_ops(const struct gicv3_lpi_ops *ops)
{
	lpi = ops;
}

/* See gicv3.h. ctx: any. */
volatile u8 *gicv3_redist(u32 cpu, paddr_t *pa, u32 *number)
{
	struct redist *r;

	if (cpu >= MAX_CPUS || !redist_of[cpu])
		return NULL;
	r = &redists[redist_of[cpu] - 1];
	*pa = r->pa;
	*number = r->number;
	return r->rd;
}

/* See gicv3.h. ctx: boot. */
u32 gicv3_lpi_id_bits(void)
{
	return id_bits;
}

/*
 * Note the redistributor at @pa; *last says whether its region ends with it. Returns its size, 0:
 * no memory.
 */
static u64 note_redist(paddr_t pa, bool *last)
{
	struct redist *r = &redists[nredists];
	u64 typer;

	r->rd = kvm_map_io(pa, PAGE_SIZE);
	r->sgi = kvm_map_io(pa + GICR_SGI_OFFSET, PAGE_SIZE);
	if (!r->rd || !r->sgi)
		return 0;
	typer = *(volatile u64 *)(r->rd + GICR_TYPER);
	r->pa = pa;
	r->affinity = (u32)(typer >> 32);
	r->number = (u32)(typer >> 8) & 0xffff;
	*last = typer & GICR_TYPER_LAST;
	nredists++;
	return typer & GICR_TYPER_VLPIS ? GICR_FRAME_V4 : GICR_FRAME;
}

static int note_region(paddr_t base, u64 size, u64 stride)
{
	bool last = false;

	for (u64 off = 0; !last && off + GICR_FRAME <= size && nredists < MAX_CPUS;) {
		u64 step = note_redist(base + off, &last);

		if (!step)
			return -ENOMEM;
		off += stride ? stride : step;
	}
	return 0;
}

static int note_redists(int node)
{
	u32 regions = fdt_prop_u32(node, "#redistributor-regions", 1);
	u64 stride = 0;
	int len;
	const u8 *p = fdt_prop(node, "redistributor-stride", &len);
	paddr_t base;
	u64 size;

	for (int i = 0; p && i < len; i++)
		stride = stride << 8 | p[i];
	for (u32 i = 0; i < regions; i++) {
		int err = fdt_node_reg(node, i + 1, &base, &size);

		if (!err)
			err = note_region(base, size, stride);
		if (err)
			return err;
	}
	return nredists ? 0 : -EINVAL;
}

static void dist_init(void)
{
	u32 typer = read32(gicd, GICD_TYPER);

	write32(gicd, GICD_CTLR, 0);
	wait_clear(gicd, GICD_CTLR, CTLR_RWP);
	lines = MIN(((typer & 31) + 1) * 32, (u32)SPURIOUS);
	if (typer & TYPER_LPIS)
		id_bits = (typer >> 19 & 31) + 1;
	for (u32 i = 32; i < lines; i += 32) {
		write32(gicd, GICD_ICENABLER(i), ~0u);
		write32(gicd, GICD_ICPENDR(i), ~0u);
		write32(gicd, GICD_IGROUPR(i), ~0u);
	}
	write32(gicd, GICD_CTLR, CTLR_ARE | CTLR_GRP1);
	wait_clear(gicd, GICD_CTLR, CTLR_RWP);
}

static int gicv3_probe(int node)
{
	paddr_t base;
	u64 size;
	int err;

	if (fdt_node_reg(node, 0, &base, &size) || size < GICD_SIZE)
		return -EINVAL;
	gicd = kvm_map_io(base, GICD_SIZE);
	if (!gicd)
		return -ENOMEM;
	err = note_redists(node);
	if (err)
		return err;
	dist_init();
	irq_set_chip(&gicv3);
	gicv3_cpu_init();
	log_info("GICv3: %u interrupts, %u redistributors", lines, nredists);
	return 0;
}

FDT_IRQCHIP(gicv3, "arm,gic-v3", gicv3_probe);
