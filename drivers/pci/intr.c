/*
 * Interrupts of PCI functions: INTx pins through the device tree's interrupt-map (IEEE 1275 PCI
 * binding), and MSI-X (PCI local bus specification 3.0, section 6.8.2).
 *
 * Behind a bridge, a device's pin appears on the bridge's upstream side rotated by its device
 * number. MSI-X vectors are allocated from the interrupt controller; the requester id (bus, device,
 * function) names the device to it.
 */
#include <linux/errno.h>
#include <linux/pci_regs.h>
#include <libfdt.h>
#include "drivers/pci/pci.h"
#include "kernel/base/fdt.h"
#include "kernel/base/irq.h"
#include "mm/slab.h"

#define CHILD_CELLS 4 /* 3 of address, 1 of interrupt */
#define MSIX_ENTRY_WORDS (PCI_MSIX_ENTRY_SIZE / 4)

static u32 cell(const u8 *p, u32 n)
{
	p += 4 * n;
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

/*
 * Cells after the child specifier of one map entry: phandle, parent address, parent interrupt. -1:
 * bad entry.
 */
static int parent_cells(u32 phandle, u32 *addr_cells, u32 *int_cells)
{
	int node = fdt_node_offset_by_phandle(fdt_blob(), phandle);

	if (node < 0)
		return -1;
	*addr_cells = fdt_prop_u32(node, "#address-cells", 0);
	*int_cells = fdt_prop_u32(node, "#interrupt-cells", 0);
	return *addr_cells <= 3 && *int_cells == 3 ? 0 : -1;
}

static bool entry_matches(const u8 *entry, const u8 *mask, const u32 want[CHILD_CELLS])
{
	for (u32 i = 0; i < CHILD_CELLS; i++) {
		if ((cell(entry, i) ^ want[i]) & cell(mask, i))
			return false;
	}
	return true;
}

static int map_lookup(int node, const u32 want[CHILD_CELLS], u32 *irq, u32 *flags)
{
	int len, mask_len;
	const u8 *map = fdt_prop(node, "interrupt-map", &len);
	const u8 *mask = fdt_prop(node, "interrupt-map-mask", &mask_len);
	u32 addr_cells, int_cells, n;

	if (!map || !mask || mask_len < CHILD_CELLS * 4)
		return -ENOENT;
	for (; len >= (CHILD_CELLS + 1) * 4; map += n * 4, len -= n * 4) {
		if (parent_cells(cell(map, CHILD_CELLS), &addr_cells, &int_cells))
			return -ENOENT;
		n = CHILD_CELLS + 1 + addr_cells + int_cells;
		if ((u32)len < n * 4)
			return -ENOENT;
		if (entry_matches(map, mask, want)) {
			const u8 *spec = map + (CHILD_CELLS + 1 + addr_cells) * 4;
			u32 cells[3] = { cell(spec, 0), cell(spec, 1), cell(spec, 2) };

			return irq_from_fdt(cells, irq, flags);
		}
	}
	return -ENOENT;
}

/*
 * Where pin @pin (1: INTA) of @d ends up at the interrupt controller.
 * ctx: boot thread (device tree access). Returns 0 or -ENOENT.
 */
int pci_intx_route(struct pci_dev *d, u8 pin, u32 *irq, u32 *flags)
{
	u32 want[CHILD_CELLS] = { 0 };

	for (; d->bridge; d = d->bridge)
		pin = (pin - 1 + d->dev) % 4 + 1;
	want[0] = (u32)d->bus << 16 | (u32)d->dev << 11 | (u32)d->fn << 8;
	want[3] = pin;
	return map_lookup(d->host->node, want, irq, flags) ? -ENOENT : 0;
}

static void msix_write(struct pci_dev *d, u32 vector, const struct irq_msg *m)
{
	volatile u32 *e = d->msix_table + vector * MSIX_ENTRY_WORDS;

	e[PCI_MSIX_ENTRY_LOWER_ADDR / 4] = (u32)m->addr;
	e[PCI_MSIX_ENTRY_UPPER_ADDR / 4] = m->addr >> 32;
	e[PCI_MSIX_ENTRY_DATA / 4] = m->data;
	e[PCI_MSIX_ENTRY_VECTOR_CTRL / 4] = 0;
}

static int msix_map(struct pci_dev *d)
{
	u32 where = pci_read32(d, d->msix_cap + PCI_MSIX_TABLE);

	if (!d->msix_table)
		d->msix_table =
			pci_map_bar(d, where & PCI_MSIX_TABLE_BIR, where & PCI_MSIX_TABLE_OFFSET,
				    (u64)d->msix_count * PCI_MSIX_ENTRY_SIZE);
	return d->msix_table ? 0 : -ENODEV;
}

/*
 * Give @d @count vectors, unmasked and with MSI-X on; see pci.h.
 * ctx: thread; sleeps: yes. Returns 0, -ENODEV, -ENOSPC, -ENOMEM.
 */
int pci_msix_enable(struct pci_dev *d, u32 count, u32 *irqs)
{
	u32 devid = (u32)d->bus << 8 | (u32)d->dev << 3 | d->fn;
	struct irq_msg *msg;
	u16 control;
	int err;

	if (!d->msix_cap || !d->host->has_msi || !count || count > d->msix_count)
		return -ENODEV;
	err = msix_map(d);
	if (err)
		return err;
	msg = kcalloc(count, sizeof(*msg), 0);
	if (!msg)
		return -ENOMEM;
	err = irq_msi_alloc(devid, count, irqs, msg);
	if (err)
		goto free_msg;
	control = pci_read16(d, d->msix_cap + PCI_MSIX_FLAGS);
	pci_write16(d, d->msix_cap + PCI_MSIX_FLAGS,
		    control | PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	for (u32 i = 0; i < count; i++)
		msix_write(d, i, &msg[i]);
	/* INTx off, so that a stray level does not interrupt beside the messages. */
	pci_write16(d, PCI_COMMAND, pci_read16(d, PCI_COMMAND) | PCI_COMMAND_INTX_DISABLE);
	pci_write16(d, d->msix_cap + PCI_MSIX_FLAGS,
		    (control | PCI_MSIX_FLAGS_ENABLE) & (u16)~PCI_MSIX_FLAGS_MASKALL);

free_msg:
	kfree(msg);
	return err;
}
