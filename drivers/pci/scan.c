/*
 * Enumeration: find every function, give its base address registers addresses, number the buses
 * behind bridges, then let drivers probe (PCI local bus specification 3.0, sections 6.2.5 and 6.7;
 * bridge specification 1.2, 3.2).
 *
 * Addresses are handed out upwards from each window of the host. A bridge's windows are opened
 * around what was handed out while the buses behind it were scanned, so no sizes need to be known
 * beforehand; prefetchable registers behind bridges go into the ordinary memory window, which the
 * specification allows.
 *
 * All of this runs once, in the boot thread, before drivers see a function; afterwards it is
 * read-only.
 */
#include <linux/errno.h>
#include <linux/pci_regs.h>
#include "drivers/pci/pci.h"
#include "kernel/base/log.h"
#include "kernel/lib/fmt.h"
#include "mm/kvm.h"
#include "mm/slab.h"

#define LARGE_BAR MIB(64) /* from here on a 64-bit register goes to the 64-bit window */
#define BRIDGE_MEM_ALIGN MIB(1)
#define BRIDGE_IO_ALIGN KIB(4)
#define MAX_CAPS 48

static struct pci_dev *all_devs; /* boot only to change */

static void scan_bus(struct pci_host *h, struct pci_dev *bridge, u32 bus);

/*
 * The next capability of kind @id after the one at @from, or the first one (0).
 * ctx: any. Returns its offset, or 0; a list that loops is cut off.
 */
u16 pci_find_cap(struct pci_dev *d, u8 id, u16 from)
{
	u16 at;

	if (!(pci_read16(d, PCI_STATUS) & PCI_STATUS_CAP_LIST))
		return 0;
	at = pci_read8(d, from ? from + PCI_CAP_LIST_NEXT : PCI_CAPABILITY_LIST) & ~3;
	for (u32 i = 0; at >= 0x40 && i < MAX_CAPS; i++) {
		if (pci_read8(d, at + PCI_CAP_LIST_ID) == id)
			return at;
		at = pci_read8(d, at + PCI_CAP_LIST_NEXT) & ~3;
	}
	return 0;
}

/*
 * Map part of memory BAR @bar.
 * ctx: thread; sleeps: yes. NULL when the BAR is absent, an I/O BAR or too short, or there is no
 * room.
 */
volatile void *pci_map_bar(struct pci_dev *d, u32 bar, u64 off, u64 len)
{
	struct pci_bar *b = &d->bar[bar];

	if (bar > 5 || !b->base || b->io || !len || off > b->size || len > b->size - off)
		return NULL;
	return kvm_map_io(b->cpu + off, len);
}

/*
 * Let @d answer to its memory registers and become a bus master.
 * ctx: thread.
 */
void pci_enable(struct pci_dev *d)
{
	pci_write16(d, PCI_COMMAND,
		    pci_read16(d, PCI_COMMAND) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

/* Take @size bytes, naturally aligned, out of a window. 0 when it is used up. */
static u64 window_take(struct pci_window *w, u64 size)
{
	u64 at = ALIGN_UP(w->next, size);

	if (!w->size || at < w->next || at - w->pci > w->size || size > w->size - (at - w->pci))
		return 0;
	w->next = at + size;
	return at;
}

static u64 bar_size(struct pci_dev *d, u32 off, u32 old, bool wide)
{
	u64 mask;
	u32 high;

	pci_write32(d, off, ~0u);
	mask = pci_read32(d, off);
	pci_write32(d, off, old);
	if (old & PCI_BASE_ADDRESS_SPACE_IO)
		return mask ? (~(mask & PCI_BASE_ADDRESS_IO_MASK) & 0xffff) + 1 : 0;
	mask &= PCI_BASE_ADDRESS_MEM_MASK;
	if (wide) {
		high = pci_read32(d, off + 4);
		pci_write32(d, off + 4, ~0u);
		mask |= (u64)pci_read32(d, off + 4) << 32;
		pci_write32(d, off + 4, high);
	} else if (mask) {
		mask |= 0xffffffff00000000;
	}
	return mask ? ~mask + 1 : 0;
}

/*
 * Size register @n, give it an address. Returns the registers it takes: 1, or 2 for a 64-bit one.
 */
static u32 bar_assign(struct pci_dev *d, u32 n)
{
	struct pci_bar *b = &d->bar[n];
	u32 off = PCI_BASE_ADDRESS_0 + 4 * n, old = pci_read32(d, off);
	struct pci_window *w;

	b->io = old & PCI_BASE_ADDRESS_SPACE_IO;
	b->wide = !b->io && (old & PCI_BASE_ADDRESS_MEM_TYPE_MASK) == PCI_BASE_ADDRESS_MEM_TYPE_64;
	b->size = bar_size(d, off, old, b->wide);
	/* A size that is no power of two is no size. */
	if (!b->size || (b->size & (b->size - 1))) {
		b->size = 0;
		return b->wide ? 2 : 1;
	}
	w = &d->host->win[b->io ? PCI_WIN_IO : PCI_WIN_MEM32];
	if (b->wide && b->size >= LARGE_BAR && !d->bridge && d->host->win[PCI_WIN_MEM64].size)
		w = &d->host->win[PCI_WIN_MEM64];
	b->base = window_take(w, MAX(b->size, b->io ? 4ull : (u64)PAGE_SIZE));
	if (!b->base) {
		log_warn("pci %s: no room for BAR %u (%llu bytes)", d->name, n,
			 (unsigned long long)b->size);
		return b->wide ? 2 : 1;
	}
	b->cpu = w->cpu + (b->base - w->pci);
	pci_write32(d, off, (u32)b->base);
	if (b->wide)
		pci_write32(d, off + 4, b->base >> 32);
	return b->wide ? 2 : 1;
}

static void bars_assign(struct pci_dev *d, u32 count)
{
	u16 command = pci_read16(d, PCI_COMMAND);

	/* Decoding stays off while the registers hold all ones. */
	pci_write16(d, PCI_COMMAND, command & ~(PCI_COMMAND_MEMORY | PCI_COMMAND_IO));
	for (u32 n = 0; n < count;)
		n += bar_assign(d, n);
	pci_write16(d, PCI_COMMAND, command);
}

/* Round a window's next address up, so that a bridge's window begins or ends there. */
static u64 window_align(struct pci_window *w, u64 align)
{
	w->next = ALIGN_UP(w->next, align);
	return w->next;
}

static void bridge_windows(struct pci_dev *d, u64 io, u64 io_end, u64 mem, u64 mem_end)
{
	/* base > limit closes a window. */
	pci_write32(d, PCI_MEMORY_BASE,
		    mem < mem_end ? (u32)(mem >> 16) | ((u32)(mem_end - 1) & 0xfff00000) : 0xfff0);
	pci_write32(d, PCI_PREF_MEMORY_BASE, 0xfff0);
	pci_write16(d, PCI_IO_BASE,
		    io < io_end ? (u16)((io >> 8 & 0xf0) | ((io_end - 1) & 0xf000)) : 0x00f0);
	pci_write16(d, PCI_COMMAND,
		    pci_read16(d, PCI_COMMAND) | PCI_COMMAND_MEMORY | PCI_COMMAND_IO |
			    PCI_COMMAND_MASTER);
}

static void scan_bridge(struct pci_dev *d)
{
	struct pci_host *h = d->host;
	struct pci_window *io = &h->win[PCI_WIN_IO], *mem = &h->win[PCI_WIN_MEM32];
	u64 io_begin, mem_begin;
	u32 bus = h->bus_next;

	bars_assign(d, 2);
	if (bus > h->bus_last || !pci_bus_space(h, bus))
		return;
	h->bus_next++;
	/*
	 * Primary, secondary, and every bus above as subordinate until the scan has counted them.
	 */
	pci_write32(d, PCI_PRIMARY_BUS, d->bus | bus << 8 | h->bus_last << 16);
	io_begin = window_align(io, BRIDGE_IO_ALIGN);
	mem_begin = window_align(mem, BRIDGE_MEM_ALIGN);
	scan_bus(h, d, bus);
	bridge_windows(d, io_begin, window_align(io, BRIDGE_IO_ALIGN), mem_begin,
		       window_align(mem, BRIDGE_MEM_ALIGN));
	pci_write32(d, PCI_PRIMARY_BUS, d->bus | bus << 8 | (h->bus_next - 1) << 16);
}

static void read_identity(struct pci_dev *d)
{
	d->vendor = pci_read16(d, PCI_VENDOR_ID);
	d->device = pci_read16(d, PCI_DEVICE_ID);
	d->class = pci_read32(d, PCI_CLASS_REVISION) >> 8;
	d->subvendor = pci_read16(d, PCI_SUBSYSTEM_VENDOR_ID);
	d->subdevice = pci_read16(d, PCI_SUBSYSTEM_ID);
	snprintf(d->name, sizeof(d->name), "0000:%02x:%02x.%x", d->bus, d->dev, d->fn);
}

static void read_interrupts(struct pci_dev *d)
{
	u8 pin = pci_read8(d, PCI_INTERRUPT_PIN);

	if (pin >= 1 && pin <= 4 && pci_intx_route(d, pin, &d->irq, &d->irq_flags))
		d->irq = 0;
	d->msix_cap = pci_find_cap(d, PCI_CAP_ID_MSIX, 0);
	if (d->msix_cap)
		d->msix_count =
			(pci_read16(d, d->msix_cap + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_QSIZE) + 1;
}

/*
 * Look at one function. @multi says whether functions 1-7 may exist. False: nothing is there, or no
 * memory.
 */
static bool scan_function(struct pci_host *h, struct pci_dev *bridge, u32 bus, u32 dev, u32 fn,
			  bool *multi)
{
	struct pci_dev *d = kzalloc(sizeof(*d), 0);
	u8 type;

	if (!d)
		return false;
	d->host = h;
	d->bridge = bridge;
	d->bus = bus;
	d->dev = dev;
	d->fn = fn;
	if (pci_read16(d, PCI_VENDOR_ID) == 0xffff) {
		kfree(d);
		return false;
	}
	read_identity(d);
	pci_device_init(d);
	type = pci_read8(d, PCI_HEADER_TYPE);
	*multi = type & 0x80;
	read_interrupts(d);
	d->next = all_devs;
	all_devs = d;
	if ((type & 0x7f) == PCI_HEADER_TYPE_BRIDGE)
		scan_bridge(d);
	else if ((type & 0x7f) == PCI_HEADER_TYPE_NORMAL)
		bars_assign(d, 6);
	return true;
}

static void scan_bus(struct pci_host *h, struct pci_dev *bridge, u32 bus)
{
	for (u32 dev = 0; dev < 32; dev++) {
		bool multi = false, ignored;

		if (!scan_function(h, bridge, bus, dev, 0, &multi))
			continue;
		for (u32 fn = 1; multi && fn < 8; fn++)
			scan_function(h, bridge, bus, dev, fn, &ignored);
	}
}

static bool matches(const struct pci_driver *drv, const struct pci_dev *d)
{
	if (drv->class)
		return d->class >> 8 == drv->class;
	return d->vendor == drv->vendor && d->device >= drv->device_first &&
	       d->device <= drv->device_last;
}

static void probe_drivers(struct pci_dev *d)
{
	const struct pci_driver *drv;
	int err;

	TABLE_FOREACH(pci_driver, drv) {
		if (!matches(drv, d))
			continue;
		err = drv->probe(d);
		if (!err)
			d->driver = drv;
		else if (err != -ENODEV)
			log_warn("pci %s: %s: probe failed (%d)", d->name, drv->name, err);
	}
	pci_device_add(d, d->driver ? d->driver->name : NULL);
}

/* See pci.h. ctx: any, after the scan */
struct pci_dev *pci_next(struct pci_dev *d)
{
	return d ? d->next : all_devs;
}

/*
 * Enumerate everything behind @h and let drivers at it, in bus order.
 * ctx: boot thread; sleeps: yes.
 */
void pci_scan_host(struct pci_host *h)
{
	struct pci_dev *order = NULL, *next;

	if (!pci_bus_space(h, h->bus_first))
		return;
	h->bus_next = h->bus_first + 1;
	scan_bus(h, NULL, h->bus_first);
	/* The list grew at its head: turn it round. */
	for (struct pci_dev *d = all_devs; d; d = next) {
		next = d->next;
		d->next = order;
		order = d;
	}
	all_devs = order;
	for (struct pci_dev *d = all_devs; d; d = d->next)
		probe_drivers(d);
}
