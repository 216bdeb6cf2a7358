/*
 * Taking functions out of PCI Express slots (PCI Express base specification 5.0, section 6.7).
 *
 * A root or downstream port that has a slot for hot-plug says by an interrupt that its attention
 * button was pushed, which asks for what is in the slot to be let go of, or that the presence of a
 * card has changed. In both cases a worker tells the drivers of all functions behind the port,
 * shows these no more, and switches the slot's power off; then the card may be taken out. A card
 * that is put in later is not looked for, and its slot stays without power.
 *
 * The list of functions does not change after the scan; one that went is marked. Locking: the one
 * worker of a port.
 */
#include <linux/errno.h>
#include <linux/pci_regs.h>
#include "drivers/pci/pci.h"
#include "kernel/base/irq.h"
#include "kernel/base/log.h"
#include "kernel/sched/work.h"
#include "mm/slab.h"

#define CLASS_PCI_BRIDGE 0x0604
#define ASKED (PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PDC) /* what the worker is for */
#define EVENTS                                                                   \
	(ASKED | PCI_EXP_SLTSTA_PFD | PCI_EXP_SLTSTA_MRLSC | PCI_EXP_SLTSTA_CC | \
	 PCI_EXP_SLTSTA_DLLSC)

struct slot {
	struct pci_dev *port; /* I */
	u16 cap; /* I: of PCI Express */
	struct work work; /* own lock */
};

static bool is_behind(const struct pci_dev *d, const struct pci_dev *port)
{
	while (d && d != port)
		d = d->bridge;
	return d;
}

/* From the last function to the first: what hangs on a bridge goes before it. */
static bool let_go(struct pci_dev *port)
{
	struct pci_dev *last;
	bool any = false;

	do {
		last = NULL;
		for (struct pci_dev *d = pci_next(NULL); d; d = pci_next(d))
			if (d != port && !d->gone && is_behind(d, port))
				last = d;
		if (last) {
			last->gone = any = true;
			log_info("pci %s: is taken out", last->name);
			if (last->driver && last->driver->remove)
				last->driver->remove(last);
			device_del(&last->device_node);
		}
	} while (last);
	return any;
}

static void slot_run(struct work *w)
{
	struct slot *s = container_of(w, struct slot, work);
	u16 control;

	if (!let_go(s->port))
		return;
	control = pci_read16(s->port, s->cap + PCI_EXP_SLTCTL);
	control &= (u16) ~(PCI_EXP_SLTCTL_PIC | PCI_EXP_SLTCTL_AIC);
	pci_write16(s->port, s->cap + PCI_EXP_SLTCTL,
		    control | PCI_EXP_SLTCTL_PWR_OFF | PCI_EXP_SLTCTL_PWR_IND_OFF |
			    PCI_EXP_SLTCTL_ATTN_IND_OFF);
}

/* Writing ones acknowledges. */
static void slot_irq(u32 irq, void *arg)
{
	struct slot *s = arg;
	u16 status = pci_read16(s->port, s->cap + PCI_EXP_SLTSTA) & EVENTS;

	if (!status)
		return;
	pci_write16(s->port, s->cap + PCI_EXP_SLTSTA, status);
	if (status & ASKED)
		work_queue(&s->work);
}

static int register_irq(struct slot *s)
{
	struct pci_dev *d = s->port;
	u32 irq;

	pci_enable(d);
	if (!pci_msix_enable(d, 1, &irq))
		return irq_register(irq, slot_irq, s, d->name, IRQ_EDGE);
	if (!d->irq)
		return -ENODEV;
	return irq_register(d->irq, slot_irq, s, d->name, d->irq_flags | IRQ_SHARED);
}

static int slot_probe(struct pci_dev *d)
{
	u16 cap = pci_find_cap(d, PCI_CAP_ID_EXP, 0);
	struct slot *s;
	int err;

	if (!cap || !(pci_read16(d, cap + PCI_EXP_FLAGS) & PCI_EXP_FLAGS_SLOT) ||
	    !(pci_read32(d, cap + PCI_EXP_SLTCAP) & PCI_EXP_SLTCAP_HPC))
		return -ENODEV;
	s = kzalloc(sizeof(*s), 0);
	if (!s)
		return -ENOMEM;
	s->port = d;
	s->cap = cap;
	work_init(&s->work, slot_run);
	err = register_irq(s);
	if (err) {
		kfree(s);
		return err;
	}
	pci_write16(d, cap + PCI_EXP_SLTSTA, EVENTS);
	pci_write16(d, cap + PCI_EXP_SLTCTL,
		    pci_read16(d, cap + PCI_EXP_SLTCTL) | PCI_EXP_SLTCTL_ABPE |
			    PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_HPIE);
	return 0;
}
PCI_DRIVER(pcieport, .class = CLASS_PCI_BRIDGE, .probe = slot_probe);
