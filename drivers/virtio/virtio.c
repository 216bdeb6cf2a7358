/*
 * The virtio core: from a device that a transport found to a driver that runs it.
 *
 * Initialisation follows the sequence of the specification (3.1.1; 3.1.2 for legacy devices):
 * reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK (modern only) and its confirmation, the
 * driver's queues, DRIVER_OK. Whatever fails sets FAILED, is logged in one line, and leaves the
 * device reset. Probing happens at boot in one thread; nothing here is locked.
 */
#include <linux/errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include "drivers/virtio/virtio.h"
#include "kernel/base/log.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define CORE_FEATURES                                                      \
	(BIT(VIRTIO_RING_F_INDIRECT_DESC) | BIT(VIRTIO_RING_F_EVENT_IDX) | \
	 BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_ACCESS_PLATFORM))

static const struct virtio_driver *driver_find(u32 id)
{
	const struct virtio_driver *d;

	TABLE_FOREACH(virtio_driver, d) {
		if (d->id == id)
			return d;
	}
	return NULL;
}

static void status_add(struct virtio_device *vd, u8 bit)
{
	vd->ops->set_status(vd, vd->ops->get_status(vd) | bit);
}

static int negotiate(struct virtio_device *vd)
{
	u64 offered = vd->ops->get_features(vd);

	if (vd->modern && !(offered & BIT(VIRTIO_F_VERSION_1)))
		return -ENODEV;
	vd->features = offered & (CORE_FEATURES | vd->driver->features);
	if (!vd->modern)
		vd->features &= 0xffffffff;
	vd->ops->set_features(vd, vd->features);
	if (!vd->modern)
		return 0;
	status_add(vd, VIRTIO_CONFIG_S_FEATURES_OK);
	return vd->ops->get_status(vd) & VIRTIO_CONFIG_S_FEATURES_OK ? 0 : -ENODEV;
}

static const struct virtio_device *of(const struct device *d)
{
	return container_of(d, struct virtio_device, device);
}

static void show_device(const struct device *d, struct sbuf *out)
{
	sbuf_printf(out, "0x%04x\n", of(d)->id);
}

static void show_vendor(const struct device *d, struct sbuf *out)
{
	sbuf_printf(out, "0x%04x\n", of(d)->vendor);
}

static void show_status(const struct device *d, struct sbuf *out)
{
	struct virtio_device *vd = container_of(d, struct virtio_device, device);

	sbuf_printf(out, "0x%08x\n", vd->ops->get_status(vd));
}

/* Lowest bit first, as a row of digits. */
static void show_features(const struct device *d, struct sbuf *out)
{
	for (u32 bit = 0; bit < 64; bit++)
		sbuf_putc(out, virtio_has_feature(of(d), bit) ? '1' : '0');
	sbuf_putc(out, '\n');
}

static void show_modalias(const struct device *d, struct sbuf *out)
{
	sbuf_printf(out, "virtio:d%08Xv%08X\n", of(d)->id, of(d)->vendor);
}

static void virtio_uevent(const struct device *d, struct sbuf *out)
{
	sbuf_puts(out, "MODALIAS=");
	show_modalias(d, out);
}

static const struct device_attr attrs[] = {
	{ "device", show_device },     { "vendor", show_vendor },     { "status", show_status },
	{ "features", show_features }, { "modalias", show_modalias }, { NULL, NULL },
};

/* Devices are numbered in the order in which they were found. */
static void show(struct virtio_device *vd)
{
	static u32 count;

	snprintf(vd->device.name, sizeof(vd->device.name), "virtio%u", count++);
	vd->device.bus = "virtio";
	vd->device.driver = vd->driver->name;
	vd->device.attrs = attrs;
	vd->device.uevent = virtio_uevent;
	device_add(&vd->device);
}

/*
 * Match @vd with a driver and bring it up. @vd lives for ever on success.
 * ctx: thread; sleeps: yes. Returns 0, -ENODEV (no driver, or no common features), or the driver's
 * error.
 */
int virtio_probe(struct virtio_device *vd)
{
	int err;

	vd->ops->set_status(vd, 0);
	vd->driver = driver_find(vd->id);
	if (!vd->driver)
		return -ENODEV;
	status_add(vd, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	status_add(vd, VIRTIO_CONFIG_S_DRIVER);
	err = negotiate(vd);
	if (!err) {
		show(vd);
		err = vd->driver->probe(vd);
	}
	if (!err)
		return 0;
	log_warn("%s: %s: not usable (%d)", vd->name, vd->driver->name, err);
	status_add(vd, VIRTIO_CONFIG_S_FAILED);
	vd->ops->set_status(vd, 0);
	return err;
}

/*
 * The driver's queues stand: the device may begin.
 * ctx: thread.
 */
void virtio_ready(struct virtio_device *vd)
{
	status_add(vd, VIRTIO_CONFIG_S_DRIVER_OK);
}

/*
 * Stop believing a device that broke the protocol; one log line.
 * ctx: any.
 */
void virtio_break(struct virtio_device *vd, const char *why)
{
	if (__atomic_exchange_n(&vd->broken, true, __ATOMIC_ACQ_REL))
		return;
	log_err("%s: device %s; it is not used any more", vd->name, why);
}

/* See virtio.h. A reset makes it forget all memory. ctx: worker; sleeps */
void virtio_removed(struct virtio_device *vd)
{
	__atomic_store_n(&vd->broken, true, __ATOMIC_RELEASE);
	if (vd->driver->removed)
		vd->driver->removed(vd);
	vd->ops->set_status(vd, 0);
	device_del(&vd->device);
}

/*
 * Read configuration so that it is of one moment: retried while the device changes it, a bounded
 * number of times.
 * ctx: thread.
 */
void virtio_config_read(struct virtio_device *vd, u32 off, void *buf, u32 len)
{
	for (u32 tries = 0; tries < 8; tries++) {
		u32 before = vd->ops->config_generation(vd);

		vd->ops->config_read(vd, off, buf, len);
		if (vd->ops->config_generation(vd) == before)
			return;
	}
}
