/*
 * TUN and TAP: the packets.
 *
 * What the system sends by the device waits in the device's queue, no more than tx_queue_len
 * packets, until the program reads it, one packet for each read; what does not fit the reader's
 * buffer is cut off. Without a program there is no queue: packets are lost, as on a link without a
 * carrier. What the program writes is one packet for each write, which goes the way of any received
 * one, in the writer's context; when the call returns, it has been dealt with.
 *
 * In front of a packet stand struct tun_pi (unless IFF_NO_PI) and virtio's header (IFF_VNET_HDR).
 *
 * The queue is guarded by the device's lock (rank NET_QUEUE); a sender wakes the reader without it,
 * with a reference to the opened file.
 */
#include <asm/siginfo.h>
#include <linux/errno.h>
#include <linux/poll.h>
#include "fs/async.h"
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/sock/tun.h"
#include "net/vnethdr.h"

/* So that the IP header behind it is aligned. */
#define HEADROOM_TUN 80u
#define HEADROOM_TAP 66u
#define WRITE_MAX 65535u
#define HEADERS 128u

/* See tun.h. */
void tun_file_put(struct tun_file *tf)
{
	if (ref_put(&tf->refs))
		kfree(tf);
}

/* --- from the system to the program --- */

static u64 hash_bit(const u8 *mac)
{
	u32 h = 0;

	for (u32 i = 0; i < ETH_ALEN; i++)
		h = h * 31 + mac[i];
	return 1ull << ((h * 0x9e3779b1u) >> 26);
}

/* Does the program want the frame @p? holds: t->lock */
static bool wanted(const struct tun *t, const struct pkt *p)
{
	const struct tun_accept *a = &t->accept;

	if (!a->count)
		return true;
	if (pkt_linear_len(p) < ETH_ALEN)
		return false;
	for (u32 i = 0; i < a->count; i++) {
		if (!memcmp(a->exact[i], p->head, ETH_ALEN))
			return true;
	}
	return (p->head[0] & 1) && (a->groups & hash_bit(p->head));
}

/* See tun.h. ctx: thread; sleeps */
long tun_set_filter(const struct tun_file *tf, u64 arg)
{
	struct tun *t = READ_ONCE(tf->tun);
	struct tun_accept a = { 0 };
	struct tun_filter head;
	u8 mac[ETH_ALEN];
	long r;

	if (copy_from_user(&head, arg, sizeof(head)))
		return -EFAULT;
	for (u32 i = 0; i < head.count; i++) {
		if (copy_from_user(mac, arg + sizeof(head) + i * ETH_ALEN, sizeof(mac)))
			return -EFAULT;
		if (i < TUN_EXACT) {
			memcpy(a.exact[i], mac, ETH_ALEN);
			a.count = i + 1;
		} else if (mac[0] & 1) {
			a.groups |= hash_bit(mac);
		} else { /* too many stations: all frames */
			a.count = 0;
			break;
		}
	}
	if (head.flags & TUN_FLT_ALLMULTI)
		a.groups = ~0ull;
	r = -EBADFD;
	if (!t)
		return r;
	spin_lock(&t->lock);
	if (t->file == tf) { /* it is still ours */
		t->accept = a;
		r = a.count;
	}
	spin_unlock(&t->lock);
	return r;
}

/* See tun.h. ctx: thread; holds: nothing ranked; consumes: @p. 0 or -ENOBUFS */
int tun_xmit(struct netdev *d, struct pkt *p)
{
	struct tun *t = d->priv;
	struct tun_file *tf;

	pkt_orphan(p);
	spin_lock(&t->lock);
	tf = t->file;
	if (tf && t->nqueued < READ_ONCE(d->tx_queue_len) && wanted(t, p)) {
		list_add_tail(&t->queue, &p->link);
		WRITE_ONCE(t->nqueued, t->nqueued + 1);
		ref_get(&tf->refs);
		p = NULL;
	}
	spin_unlock(&t->lock);
	if (p) {
		pkt_put(p);
		return -ENOBUFS;
	}
	waitq_wake(&tf->wait, 1, POLLIN | POLLRDNORM);
	if (!READ_ONCE(tf->dead))
		async_notify(&tf->async, POLL_IN);
	tun_file_put(tf);
	return 0;
}

static struct pkt *take(struct tun *t, const struct tun_file *tf)
{
	struct pkt *p = NULL;

	spin_lock(&t->lock);
	if (t->file == tf && !list_empty(&t->queue)) {
		p = list_first(&t->queue, struct pkt, link);
		list_del(&p->link);
		WRITE_ONCE(t->nqueued, t->nqueued - 1);
	}
	spin_unlock(&t->lock);
	return p;
}

/* What a packet of a TUN device is. */
static be16 proto_of(const struct pkt *p)
{
	switch (pkt_linear_len(p) ? p->head[0] >> 4 : 0) {
	case 4: return net16(ETH_P_IP);
	case 6: return net16(ETH_P_IPV6);
	}
	return p->ethertype;
}

/* The packet to the reader. Bytes that it has with its headers, at most those that there was room
 * for; -EINVAL: not even for the headers; -EFAULT. */
static ssize_t give(struct tun *t, const struct pkt *p, struct uio *u)
{
	u32 flags = READ_ONCE(t->flags);
	u32 vnet = flags & IFF_VNET_HDR ? READ_ONCE(t->vnet_len) : 0;
	size_t room = u->left, total = p->len + vnet;
	struct virtio_net_hdr h = { 0 };
	struct tun_pi pi = { 0 };

	if (!(flags & IFF_NO_PI)) {
		total += sizeof(pi);
		if (room < sizeof(pi))
			return -EINVAL;
		pi.flags = room < total ? TUN_PKT_STRIP : 0;
		pi.proto = flags & IFF_TAP ? p->ethertype : proto_of(p);
		if (uio_copy_to(u, &pi, sizeof(pi)) != sizeof(pi))
			return -EFAULT;
	}
	if (vnet) {
		if (u->left < vnet)
			return -EINVAL;
		vnethdr_make(&h, p, 0);
		if (uio_copy_to(u, &h, sizeof(h)) != sizeof(h))
			return -EFAULT;
		uio_advance(u, vnet - sizeof(h));
	}
	/* Memory that is not there is the reader's loss: he is told the length all the same. */
	if (pkt_to_uio(p, 0, u, (u32)MIN((size_t)p->len, u->left)))
		NETDEV_COUNT(&t->dev, tx_dropped, 1);
	return (ssize_t)MIN(room, total);
}

/* See tun.h. */
ssize_t tun_read(struct file *f, struct uio *u, u64 *pos)
{
	struct tun_file *tf = f->priv;
	struct tun *t = READ_ONCE(tf->tun);
	struct pkt *p;
	ssize_t n;

	if (!t)
		return -EBADFD;
	if (!u->left)
		return 0;
	while (!(p = take(t, tf))) {
		if (u->nonblock)
			return -EAGAIN;
		if (wait_event_exclusive(&tf->wait,
					 READ_ONCE(t->nqueued) || READ_ONCE(tf->tun) != t))
			return -ERESTARTSYS;
		if (READ_ONCE(tf->tun) != t) /* the device went meanwhile */
			return -EFAULT;
	}
	n = give(t, p, u);
	pkt_put(p);
	return n;
}

/* --- from the program to the system --- */

/* The headers in front of what is written. 0, -EINVAL, -EFAULT */
static int read_headers(const struct tun *t, struct uio *u, struct tun_pi *pi,
			struct virtio_net_hdr *h)
{
	u32 flags = READ_ONCE(t->flags), vnet = READ_ONCE(t->vnet_len), sum;

	if (!(flags & IFF_NO_PI)) {
		if (u->left < sizeof(*pi))
			return -EINVAL;
		if (uio_copy_from(u, pi, sizeof(*pi)) != sizeof(*pi))
			return -EFAULT;
	}
	if (flags & IFF_VNET_HDR) {
		if (u->left < vnet)
			return -EINVAL;
		if (uio_copy_from(u, h, sizeof(*h)) != sizeof(*h))
			return -EFAULT;
		uio_advance(u, vnet - sizeof(*h));
		sum = (u32)h->csum_start + h->csum_offset + 2;
		if ((h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && sum > h->hdr_len)
			h->hdr_len = (u16)MIN(sum, 0xffffu);
		if (h->hdr_len > u->left)
			return -EINVAL;
	}
	if ((flags & IFF_TAP) && (u->left < ETH_HLEN || (h->hdr_len && h->hdr_len < ETH_HLEN)))
		return -EINVAL;
	return u->left > WRITE_MAX ? -EMSGSIZE : 0;
}

/* What kind of packet was written to a TUN device, which has no header of its own. */
static bool set_proto(struct pkt *p, u32 flags, be16 proto)
{
	p->ethertype = proto;
	if (!(flags & IFF_NO_PI))
		return true;
	if (!pkt_linear(p, 1))
		return false;
	p->ethertype = 0;
	p->ethertype = proto_of(p);
	return p->ethertype;
}

/* Room for @len bytes; headers that are then in pages will find place in the linear part. */
static struct pkt *alloc_for(u32 headroom, u32 len)
{
	struct pkt *p = pkt_alloc_len(headroom + HEADERS, len, 0);

	if (p && p->nfrags)
		p->head = p->tail = p->head - HEADERS;
	return p;
}

/* See tun.h. */
ssize_t tun_write(struct file *f, struct uio *u, u64 *pos)
{
	struct tun_file *tf = f->priv;
	struct tun *t = READ_ONCE(tf->tun);
	struct virtio_net_hdr h = { 0 };
	struct tun_pi pi = { 0 };
	size_t whole = u->left;
	struct pkt *p;
	u32 len, flags;
	int err;

	if (!t)
		return -EBADFD;
	err = read_headers(t, u, &pi, &h);
	if (err)
		return err;
	len = (u32)u->left;
	flags = READ_ONCE(t->flags);
	p = alloc_for(flags & IFF_TAP ? HEADROOM_TAP : HEADROOM_TUN, len);
	err = p ? pkt_from_uio(p, 0, u, len) : -ENOMEM;
	if (!err && !pkt_linear(p, MIN(len, HEADERS))) /* as from any driver */
		err = -ENOMEM;
	if (err)
		goto drop;
	p->dev = &t->dev;
	if (!vnethdr_take(p, &h)) {
		NETDEV_COUNT(&t->dev, rx_errors, 1);
		pkt_put(p);
		return -EINVAL;
	}
	err = -EINVAL;
	if ((flags & IFF_TUN) && !set_proto(p, flags, pi.proto))
		goto drop;
	err = -EIO;
	if (!netdev_up(&t->dev) || READ_ONCE(tf->tun) != t) /* or it went while we copied */
		goto drop;
	netdev_rx(p);
	return (ssize_t)whole;
drop:
	NETDEV_COUNT(&t->dev, rx_dropped, 1);
	pkt_put(p);
	return err;
}
