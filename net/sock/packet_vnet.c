/*
 * What a packet socket is told, and may say, of the work that is left to be done with a frame.
 *
 * With PACKET_VNET_HDR frames have the header of virtio in front, both ways: a sum to complete,
 * segments to cut (net/vnethdr.c, packet(7)). Without it there is only a word on the sum: that it
 * is not there yet, or that somebody has found it right.
 */
#include <linux/errno.h>
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "net/sock/packet.h"
#include "net/vnethdr.h"

/* See packet.h. */
u32 packet_csum_status(const struct pkt *p)
{
	return p->csum == PKT_CSUM_PARTIAL ? TP_STATUS_CSUMNOTREADY
	       : p->csum == PKT_CSUM_OK	   ? TP_STATUS_CSUM_VALID
					   : 0u;
}

/* See packet.h. */
int packet_vnet_give(struct uio *u, const struct pkt *p)
{
	struct virtio_net_hdr h = { 0 };

	if (u->left < sizeof(h))
		return -EINVAL;
	vnethdr_make(&h, p, 0);
	if (p->csum == PKT_CSUM_OK)
		h.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	return uio_copy_to(u, &h, sizeof(h)) == sizeof(h) ? 0 : -EFAULT;
}

/* See packet.h. */
int packet_vnet_take(struct uio *u, struct virtio_net_hdr *h)
{
	u32 sum;

	if (u->left < sizeof(*h))
		return -EINVAL;
	if (uio_copy_from(u, h, sizeof(*h)) != sizeof(*h))
		return -EFAULT;
	sum = h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM ? (u32)h->csum_start + h->csum_offset + 2 : 0;
	return MAX((u32)h->hdr_len, sum) > u->left ? -EINVAL : 0;
}

/* See packet.h. */
int packet_vnet_set(struct packet_sock *k, const void *val, u32 len)
{
	int v, err = 0;

	if (k->s.type != SOCK_RAW || len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	spin_lock(&k->qlock);
	if (k->rx.pages || k->tx.pages)
		err = -EBUSY;
	else
		WRITE_ONCE(k->vnet, v != 0);
	spin_unlock(&k->qlock);
	return err;
}
