#pragma once
/*
 * Contract of the virtio family (Virtual I/O Device specification 1.2): devices, transports,
 * queues, drivers.
 *
 * Life of a device: a transport (mmio.c, pci.c) finds it, makes a struct virtio_device and calls
 * virtio_probe(); that resets it, negotiates features with the matching driver's wishes and calls
 * the driver's probe, which sets up its queues (virtio_setup_queues) and then calls virtio_ready().
 * Devices stay until power-off.
 *
 * What the device writes (used rings, configuration) is untrusted: virtqueue.c keeps its own record
 * of every outstanding chain and refuses completions that do not match it; a device caught lying is
 * marked broken.
 *
 * I immutable after probe, a atomic, q guarded by vq->lock (rank DEVQ, taken with irqsave).
 */
#include "kernel/base/device.h"
#include "kernel/base/spinlock.h"
#include "kernel/base/table.h"
#include "kernel/lib/types.h"

struct virtio_device;
struct virtqueue;

struct virtio_transport {
	u64 (*get_features)(struct virtio_device *vd);
	void (*set_features)(struct virtio_device *vd, u64 features);
	u8 (*get_status)(struct virtio_device *vd);
	void (*set_status)(struct virtio_device *vd, u8 status);
	void (*config_read)(struct virtio_device *vd, u32 off, void *buf, u32 len);
	void (*config_write)(struct virtio_device *vd, u32 off, const void *buf, u32 len);
	u32 (*config_generation)(struct virtio_device *vd);
	/* Queue @index's largest size, 0 if there is none. */
	u32 (*queue_max)(struct virtio_device *vd, u32 index);
	/* Tell the device where the rings of @vq are and switch it on. 0 or -errno. */
	int (*queue_enable)(struct virtio_device *vd, struct virtqueue *vq);
	void (*notify)(struct virtqueue *vq);
	/* Interrupts for @nqueues queues and configuration changes. 0 or -errno. */
	int (*setup_irqs)(struct virtio_device *vd, u32 nqueues);
	/* The queue's interrupt, if it has one of its own, goes to @cpu. NULL: none has */
	void (*set_affinity)(struct virtqueue *vq, u32 cpu);
};

#define VIRTIO_MAX_QUEUES 17

struct virtio_device {
	const struct virtio_transport *ops; /* I */
	const struct virtio_driver *driver; /* I */
	void *priv; /* I: the driver's */
	u32 id; /* I: VIRTIO_ID_* */
	u64 features; /* I: negotiated */
	bool modern; /* I: version 1 layout; else legacy */
	bool broken; /* a: answered nonsense; no more requests */
	u32 nqueues; /* I */
	struct virtqueue *vqs[VIRTIO_MAX_QUEUES]; /* I */
	char name[24]; /* I: for the log and /proc/interrupts */
	u32 vendor; /* I */
	struct device device; /* I: as shown in sysfs; the transport sets its parent */
};

struct virtio_driver {
	const char *name;
	u32 id; /* VIRTIO_ID_* */
	u64 features; /* understood; the ring features are added by the core */
	int (*probe)(struct virtio_device *vd); /* 0 or -errno (device is reset again) */
	void (*config_changed)(struct virtio_device *vd); /* IRQ context; may be NULL */
	void (*removed)(struct virtio_device *vd); /* it was taken away; worker; may be NULL */
};
#define VIRTIO_DRIVER(id_, ...)                                                                 \
	TABLE_ENTRY(virtio_driver, struct virtio_driver, virtio_driver_##id_) = { .name = #id_, \
										  __VA_ARGS__ }
TABLE_DECLARE(virtio_driver, struct virtio_driver);

/*
 * Find the driver of @vd, negotiate, probe. ctx: thread; sleeps. 0 or -errno; -ENODEV: no driver.
 */
int __must_check virtio_probe(struct virtio_device *vd);
/* Tell the device that the driver is ready (DRIVER_OK). */
void virtio_ready(struct virtio_device *vd);
static inline bool virtio_has_feature(const struct virtio_device *vd, u32 bit)
{
	return vd->features >> bit & 1;
}
/*
 * The transport's: @vd is taken away, or has been; the driver asks it nothing any more. ctx: worker
 */
void virtio_removed(struct virtio_device *vd);
/* Log once that the device broke the rules and stop using it. ctx: any. */
void virtio_break(struct virtio_device *vd, const char *why);
/* Configuration field at @off, consistent over the device's updates. ctx: thread. */
void virtio_config_read(struct virtio_device *vd, u32 off, void *buf, u32 len);

/* --- queues --- */

struct virtqueue_spec {
	const char *name;
	/* IRQ context: completions are there. NULL: never interrupts */
	void (*callback)(struct virtqueue *vq);
	u32 size; /* wanted; rounded down to what the device offers */
	u32 index; /* the device's number of it; 0: its place among those that are made */
};
/* Make @n queues and their interrupts. 0, -ENOMEM, -ENOENT (device has fewer). ctx: thread */
int __must_check virtio_setup_queues(struct virtio_device *vd, const struct virtqueue_spec *spec,
				     u32 n);

/* A piece of memory of the linear map that the device reads or writes. */
struct virtio_buf {
	void *va;
	u32 len;
};

struct virtqueue {
	struct spinlock lock; /* rank DEVQ: for the driver's use around the calls below */
	struct virtio_device *vd; /* I */
	u32 index, size; /* I */
	u32 place; /* I: in vd->vqs */
	void (*callback)(struct virtqueue *vq); /* I */
	void *priv; /* I: the driver's */
	struct vring_desc *desc; /* q: shared with the device */
	struct vring_avail *avail; /* q */
	struct vring_used *used; /* q */
	u16 *used_event; /* q: where we say when to interrupt */
	u16 *avail_event; /* q: where the device says when to kick */
	struct virtqueue_slot *slots; /* q: our record, one per descriptor */
	u16 free_head, nfree; /* q */
	u16 avail_idx, used_idx; /* q */
	u16 kicked_idx; /* q: avail_idx at the last kick */
	bool event_idx, indirect; /* I */
	bool cb_on; /* q: interrupts wanted */
	void *transport; /* I: notify address and the like */
};

/*
 * Queue a request: @nout pieces the device reads, then @nin it writes. The memory stays the
 * caller's and must stay put until virtqueue_get returns @token. 0, -ENOSPC (queue full), -ENOMEM,
 * -EIO (device broken). holds: vq->lock. ctx: any
 */
int __must_check virtqueue_add(struct virtqueue *vq, const struct virtio_buf *buf, u32 nout,
			       u32 nin, void *token);
/* Tell the device, if it wants to be told. holds: vq->lock. */
void virtqueue_kick(struct virtqueue *vq);
/* Next completed request's token and the bytes written, or NULL. holds: vq->lock. */
void *virtqueue_get(struct virtqueue *vq, u32 *len);
/*
 * Interrupts off and on; enable returns false when completions came in meanwhile (go on polling).
 * holds: vq->lock.
 */
void virtqueue_disable_cb(struct virtqueue *vq);
bool __must_check virtqueue_enable_cb(struct virtqueue *vq);
/* From a transport's interrupt. */
void virtqueue_interrupt(struct virtqueue *vq);
paddr_t virtqueue_pa(const void *ring); /* physical address of a ring part, for transports */
