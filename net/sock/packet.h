#pragma once
/*
 * AF_PACKET, between its files: af_packet.c, packet_old.c with SOCK_PACKET, packet_ring.c with the
 * rings that a program maps, packet_fanout.c with groups of sockets that share what comes, and
 * packet_vnet.c with the header of virtio.
 *
 * p: packet_lock; q: qlock; k: net_config_lock; a atomic; I immutable.
 */
#include <linux/if_arp.h>
#include <linux/if_packet.h>
#include "kernel/base/timeout.h"
#include "kernel/sched/work.h"
#include "mm/vm/vmspace.h"
#include "net/netdev.h"
#include "net/sock/inet.h"

/* Frames or blocks in pages of their own, one after the other. */
struct packet_ring {
	struct page **pages; /* q: references; NULL: there is no ring */
	u32 npages; /* q */
	u32 block_size, nblocks; /* q */
	u32 frame_size, per_block; /* q: how many of them are in a block */
	u32 head; /* q: the frame, or with TPACKET_V3 the block, that is next */
};

/* TPACKET_V3: the block that is being filled. */
struct packet_block {
	u32 used; /* q: bytes of it; 0: none is open */
	u32 last; /* q: where its last packet is */
	u32 count; /* q: packets */
	u32 first; /* q: where the first one is, behind the user's own area */
	u64 seq; /* q: of the next block that is opened */
	s64 opened, stamp; /* q: monotonic; wall time of the last packet */
	s64 first_stamp; /* q: wall time of the first */
	s64 patience; /* q: ns until a block is given to the user however full it is */
	bool frozen; /* q: the user has all blocks */
	u32 freezes; /* q: how often that came about */
};

struct packet_fanout;

struct packet_sock {
	struct socket s; /* a: as its fields say */
	struct list all; /* p */
	u64 order; /* I: of creation, which is that of the list */
	refcount_t refs; /* a */
	be16 protocol; /* p; a to read: 0: takes nothing */
	u32 ifindex; /* p; a to read: 0: all devices */
	struct spinlock qlock; /* rank NET_QUEUE */
	struct list queue; /* q: struct pkt */
	u32 nqueued, received, dropped; /* q; a to read */
	u32 rmem, wmem; /* a */
	struct waitq wait; /* own lock */
	struct list members; /* k: struct packet_member */
	bool auxdata, ignore_outgoing; /* a */
	bool origdev, no_queue; /* a: told only: no device is part of another, none has a queue */
	bool vnet; /* q, a to read: PACKET_VNET_HDR: in front of frames read and written */
	bool dead; /* a */
	bool loss; /* a: PACKET_LOSS: wrong frames to send are passed over */
	u8 version; /* q; a to read: TPACKET_V1... */
	u32 reserve; /* q; a to read: room in front of received frames */
	u32 uid; /* I: who made it */
	u32 mapped; /* q: regions that show the rings */
	struct vm_file vmf; /* I */
	struct packet_ring rx, tx; /* q; .pages a to read */
	struct packet_block block; /* q */
	struct timeout timer; /* own lock: for the block */
	struct work expired; /* own lock */
	struct packet_fanout *fanout; /* p, a to look: once set it stays; NULL: alone */
	struct list fellow; /* p: of the group's */
	u32 rolled_to; /* p: who had room when this one had none: index */
	u32 flows[16]; /* p: some of the last ones then, by hash */
	struct tpacket_rollover_stats rolled; /* p */
};

extern struct spinlock packet_lock; /* rank NET_TABLE */

/* --- af_packet.c --- */

/* Whom @p came from. ctx: thread */
void packet_source(struct sock_addr *out, const struct pkt *p);
/* TP_STATUS_* of the checksum of @p. ctx: any */
u32 packet_csum_status(const struct pkt *p);
/* What a message to @m->addr, or NULL, goes to. 0 or -errno. ctx: thread */
int packet_find_target(struct packet_sock *k, const struct sock_msg *m, struct sockaddr_ll *to,
		       struct netdev **d);
/* Until there is room to send. As packet_send. ctx: thread; sleeps */
int packet_wait_room(struct packet_sock *k, u32 flags);
/*
 * A packet of @len bytes, charged to @k; its contents are left to the caller. ctx: any. NULL: no
 * memory
 */
struct pkt *packet_alloc(struct packet_sock *k, const struct netdev *d, u32 len, u32 flags);
/* Bytes of link header in what is sent on @d. ctx: any */
u32 packet_link_len(const struct packet_sock *k, const struct netdev *d);
/* Send @p of packet_alloc(). Consumes it. 0 or -errno. ctx: thread */
int packet_transmit(struct packet_sock *k, struct netdev *d, const struct sockaddr_ll *to,
		    struct pkt *p);

/* @k hears of device @index, 0: of all; @proto 0: what it was. 0 or -ENODEV. ctx: thread */
int packet_bind_to(struct packet_sock *k, u32 index, be16 proto);
/* One frame from @m, for which there is room. Bytes or -errno. ctx: thread; sleeps */
ssize_t packet_send_frame(struct packet_sock *k, struct netdev *d, const struct sockaddr_ll *to,
			  struct sock_msg *m);

/* Where an option that is on or off lives; NULL: it is another one. ctx: any */
static inline bool *packet_flag(struct packet_sock *k, int option)
{
	switch (option) {
	case PACKET_AUXDATA: return &k->auxdata;
	case PACKET_ORIGDEV: return &k->origdev;
	case PACKET_QDISC_BYPASS: return &k->no_queue;
	case PACKET_IGNORE_OUTGOING: return &k->ignore_outgoing;
	default: return NULL;
	}
}
/* Bytes of link header in front of what @d shows. ctx: any */
static inline u32 packet_shown_link(const struct netdev *d, const struct pkt *p)
{
	return p->type == PKT_OUTGOING && d->hw_type == ARPHRD_ETHER ? ETH_HLEN : 0;
}
/* Has @k room for @p? Much: for a quarter of all that it holds. ctx: thread; sleeps: no */
enum packet_room { PACKET_ROOM_NONE, PACKET_ROOM_LITTLE, PACKET_ROOM_MUCH };
enum packet_room packet_room(struct packet_sock *k, const struct pkt *p);

/* --- packet_fanout.c. holds: packet_lock, but for the options --- */

/* Who of @f gets @p, which @d shows. */
struct packet_sock *packet_fanout_choose(struct packet_fanout *f, const struct netdev *d,
					 const struct pkt *p);
bool packet_fanout_speaks(const struct packet_sock *k); /* is it alone, or the first of a group? */
/* Does @f hear @p, which is sent: by none of its own? */
bool packet_fanout_hears(const struct packet_fanout *f, const struct pkt *p);
void packet_fanout_leave(struct packet_sock *k); /* which may be in none */
/* PACKET_FANOUT and PACKET_FANOUT_DATA; PACKET_ROLLOVER_STATS. ctx: thread; sleeps */
int packet_fanout_setsockopt(struct packet_sock *k, int option, const void *val, u32 len);
int packet_fanout_getsockopt(struct packet_sock *k, int option, void *val, u32 *len);

/* --- packet_vnet.c: PACKET_VNET_HDR. ctx: thread; sleeps --- */

#define PACKET_VNET_MAX 32768u /* bytes of a frame that is to be cut */
struct virtio_net_hdr;
/* The header of @p to @u. 0, -EINVAL (no room), -EFAULT */
int packet_vnet_give(struct uio *u, const struct pkt *p);
/* That of the frame that follows it in @u. 0, -EINVAL, -EFAULT */
int packet_vnet_take(struct uio *u, struct virtio_net_hdr *h);
int packet_vnet_set(struct packet_sock *k, const void *val, u32 len); /* 0, -EINVAL, -EBUSY */

/* --- packet_old.c: SOCK_PACKET --- */

void packet_old_source(struct sock_addr *out, const struct pkt *p); /* as packet_source() */
int packet_old_bind(struct socket *s, const struct sock_addr *a);
int packet_old_getname(struct socket *s, bool peer, struct sock_addr *out);
ssize_t packet_old_send(struct socket *s, struct sock_msg *m);

/* --- packet_ring.c --- */

void packet_ring_init(struct packet_sock *k);
/* The socket is released: nothing is put into its rings any more. ctx: thread; sleeps */
void packet_ring_fini(struct packet_sock *k);
/* @q, of @whole bytes before a filter cut it, for the ring. False: there is none. ctx: thread */
bool packet_ring_receive(struct packet_sock *k, const struct pkt *q, u32 whole);
/* Send what the ring has. Bytes, or -errno. ctx: thread; sleeps */
ssize_t packet_ring_send(struct packet_sock *k, struct sock_msg *m);
/* As packet_room(). holds: qlock; there is a ring to receive */
enum packet_room packet_ring_room(const struct packet_sock *k);
/* POLLIN, POLLOUT by the rings. ctx: thread */
u32 packet_ring_poll(struct packet_sock *k);
int packet_ring_mmap(struct socket *s, struct vm_map_args *a);
/* PACKET_RX_RING and the like. -ENOPROTOOPT: another one. ctx: thread; sleeps */
int packet_ring_setsockopt(struct packet_sock *k, int option, const void *val, u32 len);
int packet_ring_getsockopt(struct packet_sock *k, int option, void *val, u32 *len);
