#pragma once
/*
 * Contract of PCI functions: found by scan.c at boot, never freed, also when they are taken out.
 * Base address registers are assigned here (there is no firmware): 32-bit memory window first, the
 * 64-bit window for what is large, I/O space for I/O.
 *
 * I immutable after the scan.
 */
#include "kernel/base/device.h"
#include "kernel/base/table.h"
#include "kernel/lib/types.h"

struct pci_host;

struct pci_bar {
	u64 base; /* PCI bus address; 0 size: not there */
	u64 size;
	paddr_t cpu; /* where the CPU sees it */
	bool io, wide;
};

struct pci_dev {
	struct pci_host *host; /* I */
	struct pci_dev *bridge; /* I: upstream bridge, NULL on bus 0 */
	u8 bus, dev, fn; /* I */
	u16 vendor, device, subvendor, subdevice; /* I */
	u32 class; /* I: class, subclass, interface */
	struct pci_bar bar[6]; /* I */
	u32 irq, irq_flags; /* I: INTx, 0 if none */
	u16 msix_cap; /* I: offset, 0 if none */
	u16 msix_count; /* I: vectors in the table */
	volatile u32 *msix_table; /* I after pci_msix_enable */
	const struct pci_driver *driver; /* I: NULL: none */
	void *priv; /* I: the driver's */
	bool gone; /* o: of the hot-plug worker: was taken away */
	char name[16]; /* I: 0000:00:01.0 */
	struct device device_node; /* I: as shown in sysfs */
	struct pci_dev *next; /* I: all functions */
};

struct pci_driver {
	const char *name;
	u16 vendor, device_first, device_last;
	u32 class; /* instead of these: class and subclass */
	int (*probe)(struct pci_dev *d); /* 0 or -errno; -ENODEV: not for this driver after all */
	/* @d goes, or has gone: it is to be left alone from now on. ctx: worker. NULL: nothing */
	void (*remove)(struct pci_dev *d);
};
#define PCI_DRIVER(id, ...) \
	TABLE_ENTRY(pci_driver, struct pci_driver, pci_driver_##id) = { .name = #id, __VA_ARGS__ }
TABLE_DECLARE(pci_driver, struct pci_driver);

/*
 * Configuration space; @off below 4096, aligned to the access. ctx: any; one access needs no lock.
 */
u32 pci_read32(struct pci_dev *d, u32 off);
u16 pci_read16(struct pci_dev *d, u32 off);
u8 pci_read8(struct pci_dev *d, u32 off);
void pci_write32(struct pci_dev *d, u32 off, u32 v);
void pci_write16(struct pci_dev *d, u32 off, u16 v);

/* Next capability @id after offset @from (0: first), or 0. Bounded: a looping list ends. */
u16 pci_find_cap(struct pci_dev *d, u8 id, u16 from);
/* Map [off, off + len) of a memory BAR. NULL: not there, too short, or no room. */
volatile void *pci_map_bar(struct pci_dev *d, u32 bar, u64 off, u64 len);
/* Memory decoding and bus mastering on. */
void pci_enable(struct pci_dev *d);
/* Every function in bus order; NULL past the end. ctx: any, after the scan */
struct pci_dev *pci_next(struct pci_dev *d);

/*
 * MSI-X: allocate @count vectors and switch the capability on; irqs[i] can then be registered. 0,
 * -ENODEV (no capability or no MSI controller), -ENOSPC, -ENOMEM. ctx: thread
 */
int __must_check pci_msix_enable(struct pci_dev *d, u32 count, u32 *irqs);

/* --- between the files of this folder --- */

#define PCI_WINDOWS 3
struct pci_window { /* I/O, 32-bit memory, 64-bit memory */
	u64 pci, size, next;
	paddr_t cpu;
};

struct pci_host {
	int node; /* boot only: device tree node */
	paddr_t ecam;
	u32 bus_first, bus_last;
	u32 bus_next; /* next number to give to a bridge's secondary bus */
	volatile u8 *bus_map[256]; /* I: configuration space of a bus, mapped when first used */
	struct pci_window win[PCI_WINDOWS];
	bool has_msi;
	struct device bridge; /* I: what the functions of the first bus hang on */
};
enum { PCI_WIN_IO, PCI_WIN_MEM32, PCI_WIN_MEM64 };

void pci_scan_host(struct pci_host *h);
/* Give @d its place among the devices, before drivers hang theirs on it (sysfs.c). */
void pci_device_init(struct pci_dev *d);
/* Show @d, driven by @driver (NULL: nobody), in sysfs. */
void pci_device_add(struct pci_dev *d, const char *driver);
/* INTx of pin @pin (1-4) of @d by the host's interrupt-map. 0 or -ENOENT. Boot only. */
int __must_check pci_intx_route(struct pci_dev *d, u8 pin, u32 *irq, u32 *flags);
/* NULL: outside the host's range, or no memory */
volatile u8 *pci_bus_space(struct pci_host *h, u32 bus);
