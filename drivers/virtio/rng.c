/*
 * virtio-rng (virtio 1.2, section 5.4): entropy from the host for the kernel's generator.
 *
 * One buffer, one request: at boot, and again each time its bytes have been mixed in, until the
 * generator calls itself ready. Everything after the probe happens in the queue's interrupt, under
 * vq->lock.
 */
#include <linux/errno.h>
#include <linux/virtio_ids.h>
#include "drivers/virtio/virtio.h"
#include "kernel/base/rand.h"
#include "mm/slab.h"

#define RNG_BYTES 64

static int rng_request(struct virtqueue *vq)
{
	struct virtio_buf b = { vq->priv, RNG_BYTES };
	int err = virtqueue_add(vq, &b, 0, 1, vq->priv);

	if (!err)
		virtqueue_kick(vq);
	return err;
}

static void rng_done(struct virtqueue *vq)
{
	u64 flags = spin_lock_irqsave(&vq->lock);
	u32 len;

	while (virtqueue_get(vq, &len)) {
		rand_add(vq->priv, len, len * 8);
		if (!rand_ready() && rng_request(vq))
			break;
	}
	spin_unlock_irqrestore(&vq->lock, flags);
}

static int rng_probe(struct virtio_device *vd)
{
	static const struct virtqueue_spec spec = { "requests", rng_done, 8, 0 };
	u8 *buf = kmalloc(RNG_BYTES, 0);
	int err;
	u64 flags;

	if (!buf)
		return -ENOMEM;
	err = virtio_setup_queues(vd, &spec, 1);
	if (err) {
		kfree(buf);
		return err;
	}
	vd->vqs[0]->priv = buf;
	virtio_ready(vd);
	flags = spin_lock_irqsave(&vd->vqs[0]->lock);
	err = rng_request(vd->vqs[0]);
	spin_unlock_irqrestore(&vd->vqs[0]->lock, flags);
	return err;
}
VIRTIO_DRIVER(rng, .id = VIRTIO_ID_RNG, .probe = rng_probe);
