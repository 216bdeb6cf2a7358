/*
 * PCI functions as sysfs shows them: identity, class, interrupt, base address registers, and the
 * configuration space itself, for lspci and for who looks devices up by number.
 *
 * A function hangs on its bridge, those of the first bus on the host bridge.
 */
#include <linux/pci_regs.h>
#include "drivers/pci/pci.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define CONFIG_SHOWN 256
#define RESOURCES 7 /* six base address registers, and the expansion ROM, which is not used here */

/* Flags of a resource as Linux counts them (include/linux/ioport.h), which lspci prints by. */
#define RES_IO 0x40100ull
#define RES_MEM 0x40200ull
#define RES_MEM_64 0x100000ull

static const struct pci_dev *of(const struct device *d)
{
	return container_of(d, struct pci_dev, device_node);
}

static void show_vendor(const struct device *d, struct sbuf *out)
{
	sbuf_printf(out, "0x%04x\n", of(d)->vendor);
}

static void show_device(const struct device *d, struct sbuf *out)
{
	sbuf_printf(out, "0x%04x\n", of(d)->device);
}

static void show_subvendor(const struct device *d, struct sbuf *out)
{
	sbuf_printf(out, "0x%04x\n", of(d)->subvendor);
}

static void show_subdevice(const struct device *d, struct sbuf *out)
{
	sbuf_printf(out, "0x%04x\n", of(d)->subdevice);
}

static void show_class(const struct device *d, struct sbuf *out)
{
	sbuf_printf(out, "0x%06x\n", of(d)->class);
}

static void show_irq(const struct device *d, struct sbuf *out)
{
	sbuf_printf(out, "%u\n", of(d)->irq);
}

static void show_modalias(const struct device *d, struct sbuf *out)
{
	const struct pci_dev *p = of(d);

	sbuf_printf(out, "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X\n", p->vendor, p->device,
		    p->subvendor, p->subdevice, p->class >> 16 & 0xff, p->class >> 8 & 0xff,
		    p->class & 0xff);
}

static void show_resource(const struct device *d, struct sbuf *out)
{
	for (u32 n = 0; n < RESOURCES; n++) {
		const struct pci_bar *b = n < ARRAY_SIZE(of(d)->bar) ? &of(d)->bar[n] : NULL;
		u64 flags, start;

		if (!b || !b->base || !b->size) {
			sbuf_printf(out, "0x%016x 0x%016x 0x%016x\n", 0, 0, 0);
			continue;
		}
		start = b->io ? b->base : b->cpu;
		flags = b->io ? RES_IO | PCI_BASE_ADDRESS_SPACE_IO : RES_MEM;
		if (b->wide)
			flags |= RES_MEM_64 | PCI_BASE_ADDRESS_MEM_TYPE_64;
		sbuf_printf(out, "0x%016llx 0x%016llx 0x%016llx\n", (unsigned long long)start,
			    (unsigned long long)(start + b->size - 1), (unsigned long long)flags);
	}
}

static void show_config(const struct device *d, struct sbuf *out)
{
	struct pci_dev *p = container_of(d, struct pci_dev, device_node);

	for (u32 off = 0; off < CONFIG_SHOWN; off += 4) {
		u32 v = pci_read32(p, off);

		sbuf_write(out, &v, sizeof(v));
	}
}

static void pci_uevent(const struct device *d, struct sbuf *out)
{
	const struct pci_dev *p = of(d);

	sbuf_printf(out, "PCI_CLASS=%X\nPCI_ID=%04X:%04X\nPCI_SUBSYS_ID=%04X:%04X\n", p->class,
		    p->vendor, p->device, p->subvendor, p->subdevice);
	sbuf_printf(out, "PCI_SLOT_NAME=%s\nMODALIAS=", p->name);
	show_modalias(d, out);
}

static const struct device_attr attrs[] = {
	{ "vendor", show_vendor },
	{ "device", show_device },
	{ "subsystem_vendor", show_subvendor },
	{ "subsystem_device", show_subdevice },
	{ "class", show_class },
	{ "irq", show_irq },
	{ "modalias", show_modalias },
	{ "resource", show_resource },
	{ "config", show_config },
	{ NULL, NULL },
};

/* See pci.h. ctx: boot thread. */
void pci_device_init(struct pci_dev *d)
{
	strlcpy(d->device_node.name, d->name, sizeof(d->device_node.name));
	d->device_node.parent = d->bridge ? &d->bridge->device_node : &d->host->bridge;
}

/* See pci.h. ctx: boot thread; sleeps. */
void pci_device_add(struct pci_dev *d, const char *driver)
{
	d->device_node.bus = "pci";
	d->device_node.driver = driver;
	d->device_node.attrs = attrs;
	d->device_node.uevent = pci_uevent;
	device_add(&d->device_node);
}
