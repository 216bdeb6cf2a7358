/*
 * virtio-net's control queue (virtio 1.2, section 5.1.6.5): what the card is to receive, its
 * address, and how many pairs of queues it is to use.
 *
 * A command is a header, data, and a byte in which the device answers. There is one buffer for
 * them: commands are given under net_config_lock, one at a time, and waited for. A device that does
 * not answer is not used any more; one that refuses is left as it was.
 */
#include <linux/errno.h>
#include "drivers/virtio/net.h"
#include "kernel/base/log.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"

#define CTRL_WAIT (120 * NSEC_PER_SEC) /* what a busy host may take; other devices have as long */

/* See net.h. */
void vnet_ctrl_interrupt(struct virtqueue *vq)
{
	struct vnet *v = vq->vd->priv;
	u64 flags = spin_lock_irqsave(&vq->lock);
	u32 len;
	bool done = virtqueue_get(vq, &len);

	spin_unlock_irqrestore(&vq->lock, flags);
	if (done) {
		store_release(&v->ctrl_done, true);
		waitq_wake_all(&v->ctrl_wait);
	}
}

/* Give a command with @len bytes of v->ctrl->data. holds: net_config_lock. 0 or -EIO, -EINVAL */
static int command(struct vnet *v, u8 class, u8 cmd, u32 len)
{
	struct virtqueue *vq = v->ctrl_vq;
	struct vnet_ctrl *c = v->ctrl;
	struct virtio_buf bufs[3] = { { &c->hdr, sizeof(c->hdr) },
				      { c->data, len },
				      { &c->ack, 1 } };
	u64 flags;
	int err;

	c->hdr.class = class;
	c->hdr.cmd = cmd;
	c->ack = VIRTIO_NET_ERR;
	WRITE_ONCE(v->ctrl_done, false);
	flags = spin_lock_irqsave(&vq->lock);
	err = virtqueue_add(vq, bufs, 2, 1, c);
	if (!err)
		virtqueue_kick(vq);
	spin_unlock_irqrestore(&vq->lock, flags);
	if (err)
		return err;
	if (wait_event_timeout(&v->ctrl_wait, load_acquire(&v->ctrl_done),
			       time_now() + CTRL_WAIT)) {
		virtio_break(v->vd, "does not answer on its control queue");
		return -EIO;
	}
	return READ_ONCE(c->ack) == VIRTIO_NET_OK ? 0 : -EINVAL;
}

/* The groups to listen to, as two tables of addresses (5.1.6.5.2). True: too many for them. */
static bool mac_tables(struct vnet *v, u32 *len)
{
	u8 *at = v->ctrl->data + 8;
	u32 n = 0, users;
	be32 group;

	while (netdev_mc_nth(&v->dev, n, &group, &users)) {
		u32 g = net32(group);

		if (n == VNET_MAC_ENTRIES)
			return true;
		memcpy(at, "\x01\x00\x5e", 3);
		at[3] = (u8)(g >> 16 & 0x7f);
		at[4] = (u8)(g >> 8);
		at[5] = (u8)g;
		at += ETH_ALEN;
		n++;
	}
	memset(v->ctrl->data, 0, 4); /* no unicast ones beside our own */
	memcpy(v->ctrl->data + 4, &n, 4);
	*len = 8 + n * ETH_ALEN;
	return false;
}

/* See net.h. */
void vnet_set_rx_mode(struct netdev *d)
{
	struct vnet *v = vnet_of(d);
	u32 len = 0;
	bool all;

	if (!v->ctrl || !virtio_has_feature(v->vd, VIRTIO_NET_F_CTRL_RX))
		return;
	v->ctrl->data[0] = d->promisc != 0;
	if (command(v, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_PROMISC, 1))
		log_warn("%s: cannot change promiscuous mode", d->name);
	all = mac_tables(v, &len);
	if (!all)
		(void)command(v, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_TABLE_SET, len);
	v->ctrl->data[0] = all || d->allmulti;
	(void)command(v, VIRTIO_NET_CTRL_RX, VIRTIO_NET_CTRL_RX_ALLMULTI, 1);
}

/* See net.h. */
int vnet_set_addr(struct netdev *d, const u8 *addr)
{
	struct vnet *v = vnet_of(d);

	if (addr[0] & 1)
		return -EADDRNOTAVAIL;
	if (!v->ctrl || !virtio_has_feature(v->vd, VIRTIO_NET_F_CTRL_MAC_ADDR))
		return -EOPNOTSUPP;
	memcpy(v->ctrl->data, addr, ETH_ALEN);
	return command(v, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, ETH_ALEN);
}

/*
 * Of fewer pairs nobody sends by the others before the device hears of it; of more only when it has
 * said yes (5.1.6.5.5).
 */
int vnet_set_queues(struct netdev *d, u32 n)
{
	struct vnet *v = vnet_of(d);
	u16 wanted = (u16)n, was = d->queues;
	int err;

	if (n == was)
		return 0;
	WRITE_ONCE(d->queues, MIN(wanted, was));
	memcpy(v->ctrl->data, &wanted, sizeof(wanted));
	err = command(v, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, sizeof(wanted));
	WRITE_ONCE(d->queues, err ? was : wanted);
	vnet_drop_waiting(v, d->queues);
	if (v->open)
		vnet_fill(v);
	return err;
}
