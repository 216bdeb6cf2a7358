#pragma once
/*
 * Packets.
 *
 * A packet has a linear part, [head, tail) inside the buffer [base, end), and then page fragments.
 * Headers are pushed in front by moving head down, and taken off by moving it up. .len counts all
 * bytes from head to the end of the last fragment. Offsets of headers are from base, so that they
 * stay right while head moves.
 *
 * One who holds the only reference owns the packet and may change it; with more, all only look.
 * Functions that "consume" take over the caller's reference, on errors too.
 */
#include "kernel/base/uio.h"
#include "kernel/lib/list.h"
#include "kernel/lib/refcount.h"
#include "mm/pmm.h"
#include "net/inet.h"

struct netdev;

/* 64 KiB that begin anywhere in a page. */
#define PKT_FRAGS_MAX 17
/* Room in front of the transport header for IP with options, the link's header, and virtio's. */
#define PKT_HEADROOM 112
/* What a packet of its own costs beside its bytes, for charging it to a socket. */
#define PKT_CHARGE 512

enum pkt_csum {
	PKT_CSUM_NONE, /* received: nobody has looked; to send: it is in place */
	PKT_CSUM_OK, /* received: found right by the device */
	/*
	 * The sum field at csum_start + csum_off holds that of the pseudo header only: the device
	 * (or netdev_xmit, when it cannot) adds the bytes from csum_start on. A packet that comes
	 * back so over loopback was never on a wire and is right.
	 */
	PKT_CSUM_PARTIAL,
};

/* To whom the link addressed it: the numbers of PACKET_* of <linux/if_packet.h>. */
enum pkt_type { PKT_HOST, PKT_BROADCAST, PKT_MULTICAST, PKT_OTHERHOST, PKT_OUTGOING };

/* Bits of pkt.stamped: what the sender wants to be told (netdev_stamp_fn). */
#define PKT_STAMP_SEND 1u /* the device has it */
#define PKT_STAMP_SCHED 2u /* it is about to get it */
#define PKT_STAMP_ACK 4u /* of TCP: the other side has it */
#define PKT_STAMP_TCP 8u /* .owner is a connection */

enum pkt_gso { PKT_GSO_NONE, PKT_GSO_TCP4, PKT_GSO_UDP };

struct pkt_frag {
	struct page *page; /* a reference */
	u32 off, len;
};

/* o: by the owner only. */
struct pkt {
	struct list link; /* o: for whoever keeps it */
	refcount_t refs; /* a */
	u32 len; /* o: of the linear part and the fragments */
	u8 *base, *head, *tail, *end; /* o */
	struct netdev *dev; /* o: came from, goes to */
	void (*release)(
		struct pkt *p); /* o: the memory goes back; gives up the charge. NULL: none */
	void *owner; /* o: for release */
	s64 stamp; /* o: wall time of arrival, when somebody wants to know; 0: not taken */
	u32 charge; /* o: bytes charged to the owner */
	u32 hash; /* o: of the flow, 0: not known */
	u16 mac, net, transport; /* o: offsets of the headers from base */
	be16 ethertype; /* o: ETH_P_* */
	u16 csum_start, csum_off; /* o: PKT_CSUM_PARTIAL: from base, from there */
	u16 gso_size; /* o: payload of a segment when this is cut; 0: not to be cut */
	u16 nfrags; /* o */
	u8 gso_type; /* o: enum pkt_gso */
	u8 csum; /* o: enum pkt_csum */
	u8 type; /* o: enum pkt_type */
	u8 proto; /* o: of IP, once it is known */
	u8 ecn; /* o: two low bits of the received TOS */
	bool looped; /* o: came over loopback */
	u8 stamped; /* o: PKT_STAMP_*; cb[5] is the number that goes with it */
	bool tell; /* o: its sender may wait: to be released as soon as the device is done */
	u64 cb[6]; /* o: of the protocol that has it */
	struct pkt_frag frags[PKT_FRAGS_MAX]; /* o: the first nfrags */
};

/*
 * A packet with @headroom bytes before head and room for @room behind it; empty. ctx: any with
 * PMM_NOWAIT, else thread. NULL: out of memory. @room may be up to 32 KiB.
 */
struct pkt *__must_check pkt_alloc(u32 headroom, u32 room, u32 flags);
/*
 * The same with @len bytes in it, in pages beyond what is well kept in one piece. @len <= 65,535.
 */
struct pkt *__must_check pkt_alloc_len(u32 headroom, u32 len, u32 flags);
static inline void pkt_get(struct pkt *p)
{
	ref_get(&p->refs);
}
/* Drop one reference; NULL is allowed. ctx: any */
void pkt_put(struct pkt *p);
/* A copy of one's own, with @headroom at least; pages are shared. NULL: out of memory. ctx: any */
struct pkt *__must_check pkt_copy(const struct pkt *p, u32 headroom);
/* Give up the charge to the socket it came from. ctx: any */
static inline void pkt_orphan(struct pkt *p)
{
	if (p->release) {
		p->release(p);
		p->release = NULL;
	}
}
/* Free all of a list. ctx: any */
void pkt_purge(struct list *queue);

static inline u32 pkt_headroom(const struct pkt *p)
{
	return (u32)(p->head - p->base);
}
/* Bytes of the linear part. */
static inline u32 pkt_linear_len(const struct pkt *p)
{
	return (u32)(p->tail - p->head);
}
/* @n bytes more in front; there must be headroom. */
static inline void *pkt_push(struct pkt *p, u32 n)
{
	p->head -= n;
	p->len += n;
	return p->head;
}
/* @n bytes of the linear part off the front. */
static inline void pkt_pull(struct pkt *p, u32 n)
{
	p->head += n;
	p->len -= n;
}
/* @n more at the end of the linear part; only without fragments. */
static inline void *pkt_append(struct pkt *p, u32 n)
{
	u8 *at = p->tail;

	p->tail += n;
	p->len += n;
	return at;
}
/*
 * The first @n bytes are in the linear part, moved there if need be. False: there are not so many.
 */
bool __must_check pkt_linear_slow(struct pkt *p, u32 n);
static inline bool __must_check pkt_linear(struct pkt *p, u32 n)
{
	return likely(n <= pkt_linear_len(p)) || pkt_linear_slow(p, n);
}
/* Cut to @len bytes; nothing when it is shorter. */
void pkt_trim(struct pkt *p, u32 len);
/* @n bytes off the front, from fragments too. */
void pkt_drop_front(struct pkt *p, u32 n);
/* Add a piece of a page, whose reference it takes. False: no place left, the reference stays. */
bool __must_check pkt_add_frag(struct pkt *p, struct page *page, u32 off, u32 len);

/* Bytes of the packet to and from memory; [@off, @off + @n) must lie inside. */
void pkt_copy_out(const struct pkt *p, u32 off, void *dst, u32 n);
void pkt_copy_in(struct pkt *p, u32 off, const void *src, u32 n);
/* The same with a uio: 0 or -EFAULT. ctx: thread; sleeps (user memory). */
int __must_check pkt_to_uio(const struct pkt *p, u32 off, struct uio *u, u32 n);
int __must_check pkt_from_uio(struct pkt *p, u32 off, struct uio *u, u32 n);

/* Header pointers. */
#define pkt_net(p) ((struct iphdr *)((p)->base + (p)->net))
#define pkt_transport(p) ((void *)((p)->base + (p)->transport))
static inline void pkt_set_net(struct pkt *p)
{
	p->net = (u16)(p->head - p->base);
}
static inline void pkt_set_transport(struct pkt *p)
{
	p->transport = (u16)(p->head - p->base);
}
static inline void pkt_set_mac(struct pkt *p)
{
	p->mac = (u16)(p->head - p->base);
}

/*
 * --- cksum.c: the Internet checksum (RFC 1071). Sums are of 16-bit words as they lie in memory.
 * ---
 */

/* Add @n bytes to @sum; a run that is not the last has an even length. ctx: any */
u32 cksum_add(const void *data, size_t n, u32 sum);
/* To 16 bits, not yet inverted. */
static inline u16 cksum_fold(u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (u16)(sum + (sum >> 16));
}
/* The pseudo header of UDP and TCP. */
static inline u32 cksum_pseudo(be32 src, be32 dst, u8 proto, u32 len)
{
	u64 sum = (u64)src + dst + net16((u16)len) + ((u32)proto << 8);

	sum = (sum & 0xffffffff) + (sum >> 32);
	return (u32)sum + (u32)(sum >> 32);
}
/* Add bytes [@off, @off + @n) of the packet to @sum. */
u32 pkt_cksum(const struct pkt *p, u32 off, u32 n, u32 sum);
/*
 * The transport's sum of all from head on, with the pseudo header @pseudo, of a received packet: is
 * it right?
 */
bool pkt_cksum_ok(struct pkt *p, u32 pseudo);
/* Complete a PKT_CSUM_PARTIAL packet; of others nothing. False: malformed. */
bool __must_check pkt_cksum_finish(struct pkt *p);
