/*
 * GICv2m: message-signalled interrupts for a GICv2. A device that writes an interrupt number to the
 * frame's one register raises that shared interrupt, edge triggered. The frame says which numbers
 * are its own.
 *
 * A bitmap of numbers in use is all the state (lock rank IRQ). Consecutive numbers are not needed:
 * MSI-X has an address and a value per vector.
 *
 * Reference: Arm Server Base System Architecture, appendix "GICv2m"; device tree binding
 * arm,gic-v2m-frame.
 */
#include <linux/errno.h>
#include "kernel/base/fdt.h"
#include "kernel/base/irq.h"
#include "kernel/base/log.h"
#include "kernel/base/spinlock.h"
#include "kernel/lib/bitmap.h"
#include "mm/kvm.h"

#define MSI_TYPER 0x008
#define MSI_SETSPI 0x040
#define SPI_END 1020

static struct spinlock frame_lock = SPINLOCK_INIT(RANK_IRQ);
static u64 used[BITMAP_WORDS(SPI_END)]; /* f: guarded by frame_lock */
static paddr_t frame; /* I */
static u32 first, count; /* I */

static void gicv2m_free(u32 devid, u32 n, const u32 *irqs)
{
	u64 flags = spin_lock_irqsave(&frame_lock);

	for (u32 i = 0; i < n; i++)
		bitmap_clear(used, irqs[i] - first);
	spin_unlock_irqrestore(&frame_lock, flags);
}

static u64 take_number(void)
{
	u64 flags = spin_lock_irqsave(&frame_lock);
	u64 bit = bitmap_find_clear(used, count, 0);

	if (bit != BITMAP_NONE)
		bitmap_set(used, bit);
	spin_unlock_irqrestore(&frame_lock, flags);
	return bit;
}

static int gicv2m_alloc(u32 devid, u32 n, u32 *irqs, struct irq_msg *msg)
{
	for (u32 i = 0; i < n; i++) {
		u64 bit = take_number();

		if (bit == BITMAP_NONE) {
			gicv2m_free(devid, i, irqs);
			return -ENOSPC;
		}
		irqs[i] = first + (u32)bit;
		msg[i] = (struct irq_msg){ frame + MSI_SETSPI, irqs[i] };
	}
	return 0;
}

static const struct irq_msi_ops gicv2m_ops = { .alloc = gicv2m_alloc, .free = gicv2m_free };

static int gicv2m_probe(int node)
{
	volatile u32 *regs;
	u64 size;
	u32 typer;

	if (count || fdt_node_reg(node, 0, &frame, &size))
		return -EINVAL;
	regs = kvm_map_io(frame, PAGE_SIZE);
	if (!regs)
		return -ENOMEM;
	typer = regs[MSI_TYPER / 4];
	kvm_unmap_io(regs);
	first = fdt_prop_u32(node, "arm,msi-base-spi", typer >> 16 & 0x3ff);
	count = fdt_prop_u32(node, "arm,msi-num-spis", typer & 0x3ff);
	if (first < 32 || first + count > SPI_END) {
		count = 0;
		return -EINVAL;
	}
	irq_set_msi(&gicv2m_ops);
	log_info("GICv2m: %u message interrupts from %u", count, first);
	return 0;
}

FDT_IRQCHIP(gicv2m, "arm,gic-v2m-frame", gicv2m_probe);
