#pragma once
/*
 * virtio-net, between its two files: net.c moves packets, net_ctrl.c gives commands.
 *
 * I immutable after the probe, r the pair's worker's, t guarded by the transmit queue's lock, c by
 * net_config_lock, a atomic.
 */
#include <linux/virtio_net.h>
#include "drivers/virtio/virtio.h"
#include "kernel/sched/waitq.h"
#include "kernel/sched/work.h"
#include "net/netdev.h"

#define VNET_MAC_ENTRIES 32u
/* Queues in the order in which they are set up: those of the pairs, and the control queue. */
#define VNET_RX(pair) (2 * (pair))
#define VNET_TX(pair) (2 * (pair) + 1)
#define VNET_PAIRS_MAX ((VIRTIO_MAX_QUEUES - 1) / 2)

/* A command and its answer; the device reads and writes it. */
struct vnet_ctrl {
	struct virtio_net_ctrl_hdr hdr;
	u8 ack;
	u8 data[8 + VNET_MAC_ENTRIES * ETH_ALEN];
};

/* A receive and a transmit queue with the worker that polls both. */
struct vnet_pair {
	struct vnet *v; /* I */
	struct virtqueue *rx, *tx; /* I */
	struct gro gro; /* r */
	struct page *fresh; /* r: for a buffer whose page a packet keeps; NULL: none */
	struct workqueue *wq; /* I */
	struct work work; /* own lock: packets came, or went */
	bool filled; /* c: the receive ring was filled once */
	struct list waiting; /* t: packets for which the ring had no room */
	u32 nwaiting; /* t */
	u32 ntell; /* t: on the ring, of senders that are to be told when they are gone */
	u64 rx_packets, rx_bytes; /* r; a to read */
	u64 tx_packets, tx_bytes; /* t; a to read */
};

struct vnet {
	struct virtio_device *vd; /* I */
	struct netdev dev; /* I: as its fields say; .queues pairs are in use */
	u32 hdr_len; /* I: of virtio's header */
	u32 rx_pages; /* I: of each chain of receive buffers */
	bool any_layout, mergeable; /* I */
	bool open; /* a: packets are taken */
	struct work config_work; /* own lock */
	struct vnet_ctrl *ctrl; /* c: NULL: no control queue */
	struct virtqueue *ctrl_vq; /* I */
	struct waitq ctrl_wait; /* own lock */
	bool ctrl_done; /* a */
	u32 npairs; /* I: that there are */
	struct vnet_pair pairs[]; /* as their fields say */
};

static inline struct vnet *vnet_of(const struct netdev *d)
{
	return d->priv;
}

/* The receive rings in use get their buffers. ctx: thread; holds: net_config_lock */
void vnet_fill(struct vnet *v);
/* What waits for room on the rings from the @from-th pair on is lost. ctx: thread */
void vnet_drop_waiting(struct vnet *v, u32 from);

/* The control queue's callback. ctx: IRQ */
void vnet_ctrl_interrupt(struct virtqueue *vq);
/* See struct netdev_ops. ctx: thread; holds: net_config_lock; sleep */
void vnet_set_rx_mode(struct netdev *d);
int vnet_set_addr(struct netdev *d, const u8 *addr);
int vnet_set_queues(struct netdev *d, u32 n);
