/*
 * The generic PCI host bridge of the virt machine: configuration space as plain memory (PCI Express
 * base specification, section 7.2.2; device tree binding "pci-host-ecam-generic").
 *
 * Function F of device D on bus B has its 4 KiB of configuration space at ecam + (B << 20 | D << 15
 * | F << 12). A bus's megabyte is mapped when the scan first reaches it; afterwards nothing here
 * changes, so there is no lock.
 */
#include <linux/errno.h>
#include "drivers/platform/platform.h"
#include "drivers/pci/pci.h"
#include "kernel/base/fdt.h"
#include "kernel/base/log.h"
#include "mm/kvm.h"
#include "mm/slab.h"

#define BUS_BYTES 0x100000
#define RANGE_CELLS 7 /* 3 child address, 2 parent address, 2 size */

/* Space code of a range's first cell (IEEE 1275 PCI binding). */
#define SPACE_IO 1
#define SPACE_MEM32 2
#define SPACE_MEM64 3

/*
 * Configuration space of bus @bus of @h.
 * ctx: boot thread; sleeps: yes. NULL when the host has no such bus, or no memory is left to map
 * it.
 */
volatile u8 *pci_bus_space(struct pci_host *h, u32 bus)
{
	if (bus < h->bus_first || bus > h->bus_last)
		return NULL;
	if (!h->bus_map[bus])
		h->bus_map[bus] =
			kvm_map_io(h->ecam + (paddr_t)(bus - h->bus_first) * BUS_BYTES, BUS_BYTES);
	return h->bus_map[bus];
}

static volatile u8 *config_address(struct pci_dev *d, u32 off)
{
	return d->host->bus_map[d->bus] + ((u32)d->dev << 15 | (u32)d->fn << 12 | (off & 0xfff));
}

/* Accessors of @d's configuration space at @off, aligned to their size. ctx: any. */
u32 pci_read32(struct pci_dev *d, u32 off)
{
	return *(volatile u32 *)config_address(d, off);
}

/* See pci_read32. */
u16 pci_read16(struct pci_dev *d, u32 off)
{
	return *(volatile u16 *)config_address(d, off);
}

/* See pci_read32. */
u8 pci_read8(struct pci_dev *d, u32 off)
{
	return *config_address(d, off);
}

/* See pci_read32. */
void pci_write32(struct pci_dev *d, u32 off, u32 v)
{
	*(volatile u32 *)config_address(d, off) = v;
}

/* See pci_read32. */
void pci_write16(struct pci_dev *d, u32 off, u16 v)
{
	*(volatile u16 *)config_address(d, off) = v;
}

static u32 be32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static u64 cells2(const u8 *p)
{
	return (u64)be32(p) << 32 | be32(p + 4);
}

static void window_add(struct pci_host *h, const u8 *range)
{
	struct pci_window *w;

	switch (be32(range) >> 24 & 3) {
	case SPACE_IO: w = &h->win[PCI_WIN_IO]; break;
	case SPACE_MEM32: w = &h->win[PCI_WIN_MEM32]; break;
	case SPACE_MEM64: w = &h->win[PCI_WIN_MEM64]; break;
	default: return;
	}
	w->pci = cells2(range + 4);
	w->cpu = cells2(range + 12);
	w->size = cells2(range + 20);
	/* Address 0 means "not assigned" in a base register. */
	w->next = w->pci ? w->pci : PAGE_SIZE;
}

static int ecam_probe(int node)
{
	struct pci_host *h = kzalloc(sizeof(*h), 0);
	const u8 *p;
	u64 size;
	int len, err;

	if (!h)
		return -ENOMEM;
	err = fdt_node_reg(node, 0, &h->ecam, &size);
	if (err)
		goto free_host;
	h->node = node;
	h->bus_last = 255;
	p = fdt_prop(node, "bus-range", &len);
	if (p && len >= 8) {
		h->bus_first = be32(p);
		h->bus_last = MIN(be32(p + 4), 255u);
	}
	if (size / BUS_BYTES < h->bus_last - h->bus_first + 1)
		h->bus_last = h->bus_first + size / BUS_BYTES - 1;
	if (h->bus_first > h->bus_last) {
		err = -EINVAL;
		goto free_host;
	}
	h->has_msi = fdt_prop(node, "msi-map", &len) || fdt_prop(node, "msi-parent", &len);
	p = fdt_prop(node, "ranges", &len);
	for (; p && len >= RANGE_CELLS * 4; p += RANGE_CELLS * 4, len -= RANGE_CELLS * 4)
		window_add(h, p);
	h->bridge = (struct device){
		.name = "pci0000:00",
		.parent = platform_device_add(node, "pci-host-generic"),
	};
	device_add(&h->bridge);
	pci_scan_host(h);
	return 0;

free_host:
	kfree(h);
	return err;
}
FDT_DRIVER(pci_ecam, "pci-host-ecam-generic", ecam_probe);
