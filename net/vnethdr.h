#pragma once
/* The header that virtio puts in front of a frame: sums and segments left to the receiver. */
#include <linux/virtio_net.h>
#include "net/pkt.h"

/*
 * What a header that came with @p says of it; @p->head is at the frame. False: nonsense, or of a
 * kind that nobody here can cut. ctx: thread
 */
bool __must_check vnethdr_take(struct pkt *p, const struct virtio_net_hdr *h);
/* The header for @p, whose frame begins @pushed bytes behind its head. ctx: any */
void vnethdr_make(struct virtio_net_hdr *h, const struct pkt *p, u32 pushed);
