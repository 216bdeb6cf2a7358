/*
 * The header in front of frames of virtio-net and of TUN/TAP (IFF_VNET_HDR): virtio 1.2, section
 * 5.1.6. It says which sum the receiver of the frame has to complete, if any, and into what
 * segments it is to be cut. What comes from outside is looked at here only as far as offsets go:
 * what they lead to is read by those who read any packet.
 */
#include "net/vnethdr.h"

/* See vnethdr.h. */
bool vnethdr_take(struct pkt *p, const struct virtio_net_hdr *h)
{
	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if ((u32)h->csum_start + h->csum_offset + 2 > p->len)
			return false;
		p->csum = PKT_CSUM_PARTIAL;
		p->csum_start = (u16)(pkt_headroom(p) + h->csum_start);
		p->csum_off = h->csum_offset;
	} else if (h->flags & VIRTIO_NET_HDR_F_DATA_VALID) {
		p->csum = PKT_CSUM_OK;
	}
	if (h->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return true;
	if ((h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) != VIRTIO_NET_HDR_GSO_TCPV4 || !h->gso_size)
		return false;
	p->gso_type = PKT_GSO_TCP4;
	p->gso_size = h->gso_size;
	return true;
}

/* See vnethdr.h. */
void vnethdr_make(struct virtio_net_hdr *h, const struct pkt *p, u32 pushed)
{
	if (p->csum == PKT_CSUM_PARTIAL) {
		h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h->csum_start = (u16)(p->csum_start - pkt_headroom(p) - pushed);
		h->csum_offset = p->csum_off;
	}
	if (p->gso_size) {
		h->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		h->gso_size = p->gso_size;
		h->hdr_len = (u16)MIN(pkt_linear_len(p) - pushed, 0xffffu);
	}
}
