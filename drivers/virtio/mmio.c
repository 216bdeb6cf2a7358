/*
 * virtio over memory-mapped registers (virtio 1.2, section 4.2): version 2, and the legacy version
 * 1 that QEMU's virt machine gives by default. One node of the device tree is one slot; a slot
 * without a device has id 0.
 *
 * One level interrupt serves queues and configuration changes; InterruptStatus tells which. All
 * fields are immutable after the probe; register writes that come in pairs (QueueSel first) happen
 * at boot only.
 */
#include <linux/errno.h>
#include <linux/virtio_mmio.h>
#include <arch/barrier.h>
#include "drivers/platform/platform.h"
#include "drivers/virtio/virtio.h"
#include "kernel/base/fdt.h"
#include "kernel/base/irq.h"
#include "kernel/base/log.h"
#include "kernel/lib/fmt.h"
#include "mm/kvm.h"
#include "mm/slab.h"

#define MMIO_MAGIC 0x74726976 /* "virt" */
#define MMIO_SIZE 0x200

struct mmio_device {
	struct virtio_device vd;
	volatile u8 *regs; /* I */
	u32 irq, irq_flags; /* I */
};

static u32 reg_read(struct virtio_device *vd, u32 off)
{
	struct mmio_device *md = container_of(vd, struct mmio_device, vd);

	return *(volatile u32 *)(md->regs + off);
}

static void reg_write(struct virtio_device *vd, u32 off, u32 v)
{
	struct mmio_device *md = container_of(vd, struct mmio_device, vd);

	*(volatile u32 *)(md->regs + off) = v;
}

static u64 mmio_get_features(struct virtio_device *vd)
{
	u64 f;

	reg_write(vd, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
	f = vd->modern ? (u64)reg_read(vd, VIRTIO_MMIO_DEVICE_FEATURES) << 32 : 0;
	reg_write(vd, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
	return f | reg_read(vd, VIRTIO_MMIO_DEVICE_FEATURES);
}

static void mmio_set_features(struct virtio_device *vd, u64 features)
{
	if (vd->modern) {
		reg_write(vd, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
		reg_write(vd, VIRTIO_MMIO_DRIVER_FEATURES, features >> 32);
	}
	reg_write(vd, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	reg_write(vd, VIRTIO_MMIO_DRIVER_FEATURES, (u32)features);
}

static u8 mmio_get_status(struct virtio_device *vd)
{
	return reg_read(vd, VIRTIO_MMIO_STATUS);
}

static void mmio_set_status(struct virtio_device *vd, u8 status)
{
	reg_write(vd, VIRTIO_MMIO_STATUS, status);
}

static void mmio_config_read(struct virtio_device *vd, u32 off, void *buf, u32 len)
{
	struct mmio_device *md = container_of(vd, struct mmio_device, vd);

	for (u32 i = 0; i < len && off + i < MMIO_SIZE - VIRTIO_MMIO_CONFIG; i++)
		((u8 *)buf)[i] = md->regs[VIRTIO_MMIO_CONFIG + off + i];
}

static void mmio_config_write(struct virtio_device *vd, u32 off, const void *buf, u32 len)
{
	struct mmio_device *md = container_of(vd, struct mmio_device, vd);

	if (len == 4 && IS_ALIGNED(off, 4)) {
		*(volatile u32 *)(md->regs + VIRTIO_MMIO_CONFIG + off) = *(const u32 *)buf;
		return;
	}
	for (u32 i = 0; i < len; i++)
		md->regs[VIRTIO_MMIO_CONFIG + off + i] = ((const u8 *)buf)[i];
}

static u32 mmio_config_generation(struct virtio_device *vd)
{
	return vd->modern ? reg_read(vd, VIRTIO_MMIO_CONFIG_GENERATION) : 0;
}

static u32 mmio_queue_max(struct virtio_device *vd, u32 index)
{
	reg_write(vd, VIRTIO_MMIO_QUEUE_SEL, index);
	return reg_read(vd, VIRTIO_MMIO_QUEUE_NUM_MAX);
}

static int mmio_queue_enable(struct virtio_device *vd, struct virtqueue *vq)
{
	u64 desc = virtqueue_pa(vq->desc), avail = virtqueue_pa(vq->avail),
	    used = virtqueue_pa(vq->used);

	reg_write(vd, VIRTIO_MMIO_QUEUE_SEL, vq->index);
	reg_write(vd, VIRTIO_MMIO_QUEUE_NUM, vq->size);
	if (!vd->modern) {
		if (desc >> PAGE_SHIFT > 0xffffffff)
			return -ENOMEM;
		reg_write(vd, VIRTIO_MMIO_QUEUE_ALIGN, PAGE_SIZE);
		reg_write(vd, VIRTIO_MMIO_QUEUE_PFN, desc >> PAGE_SHIFT);
		return 0;
	}
	reg_write(vd, VIRTIO_MMIO_QUEUE_DESC_LOW, (u32)desc);
	reg_write(vd, VIRTIO_MMIO_QUEUE_DESC_HIGH, desc >> 32);
	reg_write(vd, VIRTIO_MMIO_QUEUE_AVAIL_LOW, (u32)avail);
	reg_write(vd, VIRTIO_MMIO_QUEUE_AVAIL_HIGH, avail >> 32);
	reg_write(vd, VIRTIO_MMIO_QUEUE_USED_LOW, (u32)used);
	reg_write(vd, VIRTIO_MMIO_QUEUE_USED_HIGH, used >> 32);
	reg_write(vd, VIRTIO_MMIO_QUEUE_READY, 1);
	return 0;
}

static void mmio_notify(struct virtqueue *vq)
{
	dma_wmb();
	reg_write(vq->vd, VIRTIO_MMIO_QUEUE_NOTIFY, vq->index);
}

static void mmio_irq(u32 irq, void *arg)
{
	struct mmio_device *md = arg;
	u32 status = reg_read(&md->vd, VIRTIO_MMIO_INTERRUPT_STATUS);

	if (!status)
		return;
	reg_write(&md->vd, VIRTIO_MMIO_INTERRUPT_ACK, status);
	if ((status & VIRTIO_MMIO_INT_CONFIG) && md->vd.driver->config_changed)
		md->vd.driver->config_changed(&md->vd);
	for (u32 i = 0; (status & VIRTIO_MMIO_INT_VRING) && i < md->vd.nqueues; i++)
		virtqueue_interrupt(md->vd.vqs[i]);
}

static int mmio_setup_irqs(struct virtio_device *vd, u32 nqueues)
{
	struct mmio_device *md = container_of(vd, struct mmio_device, vd);

	return irq_register(md->irq, mmio_irq, md, vd->name, md->irq_flags);
}

static const struct virtio_transport mmio_transport = {
	.get_features = mmio_get_features,
	.set_features = mmio_set_features,
	.get_status = mmio_get_status,
	.set_status = mmio_set_status,
	.config_read = mmio_config_read,
	.config_write = mmio_config_write,
	.config_generation = mmio_config_generation,
	.queue_max = mmio_queue_max,
	.queue_enable = mmio_queue_enable,
	.notify = mmio_notify,
	.setup_irqs = mmio_setup_irqs,
};

/* 0 when there is a device to drive behind @regs; its version decides the layout. */
static int mmio_identify(struct mmio_device *md)
{
	struct virtio_device *vd = &md->vd;
	u32 version;

	if (reg_read(vd, VIRTIO_MMIO_MAGIC_VALUE) != MMIO_MAGIC)
		return -ENODEV;
	version = reg_read(vd, VIRTIO_MMIO_VERSION);
	vd->id = reg_read(vd, VIRTIO_MMIO_DEVICE_ID);
	if (!vd->id || version < 1 || version > 2)
		return -ENODEV;
	vd->vendor = reg_read(vd, VIRTIO_MMIO_VENDOR_ID);
	vd->modern = version == 2;
	if (!vd->modern)
		reg_write(vd, VIRTIO_MMIO_GUEST_PAGE_SIZE, PAGE_SIZE);
	return 0;
}

static int mmio_probe(int node)
{
	struct mmio_device *md;
	paddr_t base;
	u64 size;
	int err = fdt_node_reg(node, 0, &base, &size);

	if (err)
		return err;
	if (size < MMIO_SIZE)
		return -EINVAL;
	md = kzalloc(sizeof(*md), 0);
	if (!md)
		return -ENOMEM;
	err = fdt_node_irq(node, 0, &md->irq, &md->irq_flags);
	if (err)
		goto free_device;
	md->regs = kvm_map_io(base, MMIO_SIZE);
	if (!md->regs) {
		err = -ENOMEM;
		goto free_device;
	}
	md->vd.ops = &mmio_transport;
	snprintf(md->vd.name, sizeof(md->vd.name), "virtio-mmio.%llx", (unsigned long long)base);
	err = mmio_identify(md);
	if (!err)
		err = virtio_probe(&md->vd);
	/*
	 * A driver that failed half-way may have left interrupt handlers: its device is reset, but
	 * stays.
	 */
	if (err != -ENODEV)
		return err;
	/* An empty slot, or one without a driver here, is nothing to report. */
	err = 0;
	kvm_unmap_io(md->regs);

free_device:
	kfree(md);
	return err;
}
FDT_DRIVER(virtio_mmio, "virtio,mmio", mmio_probe);
