/*
 * virtio over PCI (virtio 1.2, section 4.1): the modern interface, which transitional devices have
 * as well.
 *
 * Vendor capabilities say where in the BARs the four structures lie: common configuration,
 * notification, interrupt status, device configuration. Each is mapped with the length the device
 * states, after checking that it is long enough for what is used of it.
 *
 * Interrupts: MSI-X with vector 0 for configuration and one per queue; with fewer vectors one for
 * all queues; without MSI-X the INTx line, shared, and the status register tells what it was.
 * Probing happens at boot in one thread.
 */
#include <linux/errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_pci.h>
#include <arch/barrier.h>
#include "drivers/pci/pci.h"
#include "drivers/virtio/virtio.h"
#include "kernel/base/irq.h"
#include "kernel/base/log.h"
#include "kernel/lib/fmt.h"
#include "mm/kvm.h"
#include "mm/slab.h"

#define PCI_VENDOR_VIRTIO 0x1af4
#define MODERN_ID_BASE 0x1040
#define ISR_QUEUE 1u
#define ISR_CONFIG 2u

struct vpci_device {
	struct virtio_device vd;
	struct pci_dev *pci; /* I */
	volatile u8 *common; /* I: struct virtio_pci_common_cfg */
	volatile u8 *isr; /* I */
	volatile u8 *config; /* I: NULL when the device has none */
	volatile u8 *notify; /* I */
	u32 config_len, notify_len, notify_mult; /* I */
	u32 nvectors; /* I: 0 = INTx */
	u32 irqs[VIRTIO_MAX_QUEUES + 1]; /* I */
};

#define COMMON(field) offsetof(struct virtio_pci_common_cfg, field)

static struct vpci_device *vpci_of(struct virtio_device *vd)
{
	return container_of(vd, struct vpci_device, vd);
}

static u32 common_read32(struct virtio_device *vd, u32 off)
{
	return *(volatile u32 *)(vpci_of(vd)->common + off);
}

static u16 common_read16(struct virtio_device *vd, u32 off)
{
	return *(volatile u16 *)(vpci_of(vd)->common + off);
}

static void common_write32(struct virtio_device *vd, u32 off, u32 v)
{
	*(volatile u32 *)(vpci_of(vd)->common + off) = v;
}

static void common_write16(struct virtio_device *vd, u32 off, u16 v)
{
	*(volatile u16 *)(vpci_of(vd)->common + off) = v;
}

static void common_write64(struct virtio_device *vd, u32 off, u64 v)
{
	common_write32(vd, off, (u32)v);
	common_write32(vd, off + 4, v >> 32);
}

static u64 vpci_get_features(struct virtio_device *vd)
{
	u64 f;

	common_write32(vd, COMMON(device_feature_select), 1);
	f = (u64)common_read32(vd, COMMON(device_feature)) << 32;
	common_write32(vd, COMMON(device_feature_select), 0);
	return f | common_read32(vd, COMMON(device_feature));
}

static void vpci_set_features(struct virtio_device *vd, u64 features)
{
	common_write32(vd, COMMON(guest_feature_select), 1);
	common_write32(vd, COMMON(guest_feature), features >> 32);
	common_write32(vd, COMMON(guest_feature_select), 0);
	common_write32(vd, COMMON(guest_feature), (u32)features);
}

static u8 vpci_get_status(struct virtio_device *vd)
{
	return vpci_of(vd)->common[COMMON(device_status)];
}

static void vpci_set_status(struct virtio_device *vd, u8 status)
{
	vpci_of(vd)->common[COMMON(device_status)] = status;
	/*
	 * A reset is over when the status reads 0 (4.1.4.3.2); bounded, a device that never gets
	 * there is unusable. One that is not there any more reads all ones.
	 */
	for (u32 i = 0; !status && i < 100000; i++) {
		u8 now = vpci_get_status(vd);

		if (!now || now == 0xff)
			return;
		barrier();
	}
}

static void vpci_config_read(struct virtio_device *vd, u32 off, void *buf, u32 len)
{
	struct vpci_device *p = vpci_of(vd);

	for (u32 i = 0; i < len; i++)
		((u8 *)buf)[i] = p->config && off + i < p->config_len ? p->config[off + i] : 0;
}

static void vpci_config_write(struct virtio_device *vd, u32 off, const void *buf, u32 len)
{
	struct vpci_device *p = vpci_of(vd);

	if (!p->config || off + len > p->config_len)
		return;
	if (len == 4 && IS_ALIGNED(off, 4)) {
		*(volatile u32 *)(p->config + off) = *(const u32 *)buf;
		return;
	}
	for (u32 i = 0; i < len; i++)
		p->config[off + i] = ((const u8 *)buf)[i];
}

static u32 vpci_config_generation(struct virtio_device *vd)
{
	return vpci_of(vd)->common[COMMON(config_generation)];
}

static u32 vpci_queue_max(struct virtio_device *vd, u32 index)
{
	if (index >= common_read16(vd, COMMON(num_queues)))
		return 0;
	common_write16(vd, COMMON(queue_select), index);
	return common_read16(vd, COMMON(queue_size));
}

static bool has_vectors(const struct vpci_device *p)
{
	return p->nvectors > p->vd.nqueues;
}

/* MSI-X vector of @vq. */
static u16 queue_vector(const struct vpci_device *p, const struct virtqueue *vq)
{
	if (!p->nvectors)
		return VIRTIO_MSI_NO_VECTOR;
	return has_vectors(p) ? vq->place + 1 : 0;
}

static int vpci_queue_enable(struct virtio_device *vd, struct virtqueue *vq)
{
	struct vpci_device *p = vpci_of(vd);
	u16 vector = queue_vector(p, vq);
	u64 off;

	common_write16(vd, COMMON(queue_select), vq->index);
	common_write16(vd, COMMON(queue_size), vq->size);
	if (p->nvectors) {
		common_write16(vd, COMMON(queue_msix_vector), vector);
		if (common_read16(vd, COMMON(queue_msix_vector)) != vector)
			return -EBUSY;
	}
	common_write64(vd, COMMON(queue_desc_lo), virtqueue_pa(vq->desc));
	common_write64(vd, COMMON(queue_avail_lo), virtqueue_pa(vq->avail));
	common_write64(vd, COMMON(queue_used_lo), virtqueue_pa(vq->used));
	off = (u64)common_read16(vd, COMMON(queue_notify_off)) * p->notify_mult;
	if (off + 2 > p->notify_len)
		return -EINVAL;
	vq->transport = (void *)(p->notify + off);
	common_write16(vd, COMMON(queue_enable), 1);
	return 0;
}

static void vpci_notify(struct virtqueue *vq)
{
	dma_wmb();
	*(volatile u16 *)vq->transport = vq->index;
}

static void config_irq(u32 irq, void *arg)
{
	struct vpci_device *p = arg;

	if (p->vd.driver->config_changed)
		p->vd.driver->config_changed(&p->vd);
}

/* By its number: queues of a device that failed half-way are gone, but not their interrupts. */
static void queue_irq(u32 irq, void *arg)
{
	struct vpci_device *p = arg;

	for (u32 i = 0; i < p->vd.nqueues; i++) {
		if (p->irqs[i + 1] == irq)
			virtqueue_interrupt(p->vd.vqs[i]);
	}
}

/* One vector for everything: look at all queues. */
static void all_irq(u32 irq, void *arg)
{
	struct vpci_device *p = arg;

	config_irq(irq, p);
	for (u32 i = 0; i < p->vd.nqueues; i++)
		virtqueue_interrupt(p->vd.vqs[i]);
}

static void intx_irq(u32 irq, void *arg)
{
	struct vpci_device *p = arg;
	u8 isr = *p->isr; /* reading acknowledges */

	if (isr & ISR_CONFIG)
		config_irq(irq, p);
	for (u32 i = 0; (isr & ISR_QUEUE) && i < p->vd.nqueues; i++)
		virtqueue_interrupt(p->vd.vqs[i]);
}

static int msix_register(struct vpci_device *p)
{
	int err;

	if (!has_vectors(p))
		return irq_register(p->irqs[0], all_irq, p, p->vd.name, IRQ_EDGE);
	err = irq_register(p->irqs[0], config_irq, p, p->vd.name, IRQ_EDGE);
	for (u32 i = 0; !err && i < p->vd.nqueues; i++)
		err = irq_register(p->irqs[i + 1], queue_irq, p, p->vd.name, IRQ_EDGE);
	return err;
}

static int vpci_setup_irqs(struct virtio_device *vd, u32 nqueues)
{
	struct vpci_device *p = vpci_of(vd);
	u32 want = nqueues + 1;

	if (p->pci->msix_count < want)
		want = 1;
	if (!pci_msix_enable(p->pci, want, p->irqs) ||
	    (want > 1 && !pci_msix_enable(p->pci, want = 1, p->irqs))) {
		p->nvectors = want;
		common_write16(vd, COMMON(msix_config), 0);
		if (common_read16(vd, COMMON(msix_config)) != 0)
			return -EBUSY;
		return msix_register(p);
	}
	if (!p->pci->irq)
		return -ENODEV;
	return irq_register(p->pci->irq, intx_irq, p, vd->name, p->pci->irq_flags | IRQ_SHARED);
}

static void vpci_set_affinity(struct virtqueue *vq, u32 cpu)
{
	struct vpci_device *p = vpci_of(vq->vd);

	if (has_vectors(p))
		irq_set_affinity(p->irqs[vq->place + 1], cpu);
}

static const struct virtio_transport vpci_transport = {
	.get_features = vpci_get_features,
	.set_features = vpci_set_features,
	.get_status = vpci_get_status,
	.set_status = vpci_set_status,
	.config_read = vpci_config_read,
	.config_write = vpci_config_write,
	.config_generation = vpci_config_generation,
	.queue_max = vpci_queue_max,
	.queue_enable = vpci_queue_enable,
	.notify = vpci_notify,
	.setup_irqs = vpci_setup_irqs,
	.set_affinity = vpci_set_affinity,
};

#define CAP(field) offsetof(struct virtio_pci_cap, field)

/*
 * Map the first usable structure of @type, at least @min bytes. Its length in *len, its capability
 * in *cap.
 */
static volatile u8 *map_structure(struct pci_dev *d, u8 type, u32 min, u32 *len, u16 *cap)
{
	for (u16 at = pci_find_cap(d, PCI_CAP_ID_VNDR, 0); at;
	     at = pci_find_cap(d, PCI_CAP_ID_VNDR, at)) {
		u8 bar = pci_read8(d, at + CAP(bar));
		u32 off = pci_read32(d, at + CAP(offset));
		volatile void *va;

		*len = pci_read32(d, at + CAP(length));
		if (pci_read8(d, at + CAP(cfg_type)) != type || *len < min || bar > 5)
			continue;
		va = pci_map_bar(d, bar, off, *len);
		if (va) {
			*cap = at;
			return va;
		}
	}
	return NULL;
}

static int map_structures(struct vpci_device *p)
{
	u32 len;
	u16 cap;

	p->common = map_structure(p->pci, VIRTIO_PCI_CAP_COMMON_CFG,
				  sizeof(struct virtio_pci_common_cfg), &len, &cap);
	p->isr = map_structure(p->pci, VIRTIO_PCI_CAP_ISR_CFG, 1, &len, &cap);
	p->config = map_structure(p->pci, VIRTIO_PCI_CAP_DEVICE_CFG, 1, &p->config_len, &cap);
	p->notify = map_structure(p->pci, VIRTIO_PCI_CAP_NOTIFY_CFG, 2, &p->notify_len, &cap);
	if (!p->common || !p->isr || !p->notify)
		return -ENODEV;
	p->notify_mult = pci_read32(p->pci, cap + sizeof(struct virtio_pci_cap));
	return 0;
}

static void unmap_structures(struct vpci_device *p)
{
	volatile u8 *maps[] = { p->common, p->isr, p->config, p->notify };

	for (u32 i = 0; i < ARRAY_SIZE(maps); i++) {
		if (maps[i])
			kvm_unmap_io(maps[i]);
	}
}

static int vpci_probe(struct pci_dev *d)
{
	struct vpci_device *p = kzalloc(sizeof(*p), 0);
	int err;

	if (!p)
		return -ENOMEM;
	p->pci = d;
	p->vd.ops = &vpci_transport;
	p->vd.modern = true;
	/*
	 * Transitional devices carry the virtio id as subsystem id, modern ones in the device id
	 * (4.1.2.1).
	 */
	p->vd.id = d->device >= MODERN_ID_BASE ? (u32)d->device - MODERN_ID_BASE : d->subdevice;
	snprintf(p->vd.name, sizeof(p->vd.name), "virtio-pci.%s", d->name);
	p->vd.vendor = d->subvendor;
	p->vd.device.parent = &d->device_node;
	d->priv = p;
	pci_enable(d);
	err = map_structures(p);
	if (!err)
		err = virtio_probe(&p->vd);
	/*
	 * A driver that failed half-way may have left interrupt handlers: its device is reset, but
	 * stays.
	 */
	if (err != -ENODEV)
		return err;
	unmap_structures(p);
	kfree(p);
	d->priv = NULL;
	return 0;
}

static void vpci_remove(struct pci_dev *d)
{
	struct vpci_device *p = d->priv;

	if (p)
		virtio_removed(&p->vd);
}
PCI_DRIVER(virtio, .vendor = PCI_VENDOR_VIRTIO, .device_first = 0x1000, .device_last = 0x107f,
	   .probe = vpci_probe, .remove = vpci_remove);
