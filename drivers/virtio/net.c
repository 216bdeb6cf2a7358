/*
 * virtio-net (virtio 1.2, section 5.1): Ethernet, legacy and modern, by mmio or PCI.
 *
 * One pair of queues, and the control queue where there is one. An interrupt only wakes the
 * device's worker, which takes up to BUDGET packets per turn, gives them to gro_rx() and refills
 * the ring; interrupts of a queue stay off while the worker has something to do.
 *
 * Receive buffers are single pages (mergeable buffers), or chains of pages where the device must
 * have room for the largest packet in one request. Of a packet the first bytes, with all headers,
 * are copied into the linear part; short ones whole. A segment that carries on one before it is
 * joined to that as the piece of its page (net/gro.c). A buffer goes back to the device at once,
 * with a fresh page where the packet keeps the old one; that page is allocated beforehand, so that
 * a frame is dropped for lack of memory, and not the buffer.
 *
 * To send, virtio's header lies in the packet's headroom. What does not fit the ring waits in a
 * list of tx_queue_len packets, still charged to its sender, and interrupts of the transmit queue
 * come on until it is empty. Otherwise sent packets are reclaimed by the next sender or by the
 * worker.
 *
 * Locking: each queue's lock (DEVQ); the waiting list is under that of the transmit queue. Commands
 * on the control queue are given under net_config_lock, one at a time, and waited for.
 */
#include <linux/errno.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include "drivers/virtio/virtio.h"
#include "kernel/base/log.h"
#include "kernel/base/rand.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "kernel/sched/work.h"
#include "mm/slab.h"
#include "net/netdev.h"

enum { RX, TX, CTRL, QUEUES };
#define RING 256u
#define BUDGET 64u
#define COPY_ALL 256u /* packets up to this length are copied whole */
#define COPY_HEAD 128u
#define RX_HEADROOM 66u /* so that words of the IP header are aligned */
#define RX_PAD(v) (-((v)->hdr_len + ETH_HLEN) & 3) /* likewise, in a page */
#define RX_PAGES_MAX 17u
#define MAC_ENTRIES 32u
#define CTRL_WAIT (10 * NSEC_PER_SEC)

/* A chain of receive buffers that the device has. */
struct rx_chain {
	u32 n;
	struct page *pages[RX_PAGES_MAX];
};

/* A command and its answer; the device reads and writes it. */
struct ctrl {
	struct virtio_net_ctrl_hdr hdr;
	u8 ack;
	u8 data[8 + MAC_ENTRIES * ETH_ALEN];
};

/*
 * I immutable after the probe, r the worker's, t guarded by the transmit queue's lock, c by
 * net_config_lock, a atomic.
 */
struct vnet {
	struct virtio_device *vd; /* I */
	struct netdev dev; /* I: as its fields say */
	u32 hdr_len; /* I: of virtio's header */
	u32 rx_pages; /* I: of each chain */
	bool any_layout, mergeable; /* I */
	struct gro gro; /* r */
	struct page *fresh; /* r: for a buffer whose page a packet keeps; NULL: none */
	struct workqueue *wq; /* I */
	struct work work; /* own lock: packets came, or went */
	struct work config_work; /* own lock */
	bool open; /* a: packets are taken */
	bool filled; /* c: the receive ring was filled once */
	struct list waiting; /* t: packets for which the ring had no room */
	u32 nwaiting; /* t */
	struct ctrl *ctrl; /* c: NULL: no control queue */
	struct waitq ctrl_wait; /* own lock */
	bool ctrl_done; /* a */
};

static struct vnet *vnet_of(struct netdev *d)
{
	return d->priv;
}

#define CONFIG(vd, field)                                                                  \
	({                                                                                 \
		__typeof__(((struct virtio_net_config *)0)->field) cf_v;                   \
		virtio_config_read((vd), offsetof(struct virtio_net_config, field), &cf_v, \
				   sizeof(cf_v));                                          \
		cf_v;                                                                      \
	})

/* --- receiving --- */

static void chain_free(struct rx_chain *c)
{
	for (u32 i = 0; i < c->n; i++)
		page_put(c->pages[i]);
	kfree(c);
}

/* Give a chain to the device. False: the ring is full. */
static bool rx_give(struct vnet *v, struct rx_chain *c)
{
	struct virtqueue *vq = v->vd->vqs[RX];
	struct virtio_buf bufs[RX_PAGES_MAX + 1];
	u32 n = 0, pad = RX_PAD(v);
	u64 flags;
	int err;

	for (u32 i = 0; i < c->n; i++, pad = 0) {
		u8 *va = (u8 *)page_to_va(c->pages[i]) + pad;
		/* The old layout has the header in a piece of its own. */
		u32 head = !i && !v->any_layout ? v->hdr_len : 0;

		if (head)
			bufs[n++] = (struct virtio_buf){ va, head };
		bufs[n++] = (struct virtio_buf){ va + head, PAGE_SIZE - pad - head };
	}
	flags = spin_lock_irqsave(&vq->lock);
	err = virtqueue_add(vq, bufs, 0, n, c);
	spin_unlock_irqrestore(&vq->lock, flags);
	return !err;
}

/* One more chain for the device. False: no memory, or the ring is full. */
static bool rx_add(struct vnet *v)
{
	struct rx_chain *c = kmalloc(sizeof(*c), PMM_NOWAIT);

	if (!c)
		return false;
	for (c->n = 0; c->n < v->rx_pages; c->n++) {
		c->pages[c->n] = pmm_alloc(0, PMM_NOWAIT);
		if (!c->pages[c->n])
			goto free;
	}
	if (rx_give(v, c))
		return true;
free:
	chain_free(c);
	return false;
}

/* @c goes back, with other pages for those that a packet keeps. */
static void rx_renew(struct vnet *v, struct rx_chain *c)
{
	for (u32 i = 0; i < c->n; i++) {
		struct page *page = v->fresh;

		if (page_refs(c->pages[i]) == 1)
			continue;
		v->fresh = NULL;
		if (!page)
			page = pmm_alloc(0, PMM_NOWAIT);
		if (!page)
			goto free;
		page_put(c->pages[i]);
		c->pages[i] = page;
	}
	if (rx_give(v, c))
		return;
free:
	chain_free(c);
}

/* There is a page for the next buffer. */
static bool rx_ready(struct vnet *v)
{
	if (!v->fresh)
		v->fresh = pmm_alloc(0, PMM_NOWAIT);
	return v->fresh;
}

static void rx_fill(struct vnet *v)
{
	struct virtqueue *vq = v->vd->vqs[RX];
	u64 flags;

	while (READ_ONCE(vq->nfree) && rx_add(v))
		;
	flags = spin_lock_irqsave(&vq->lock);
	virtqueue_kick(vq);
	spin_unlock_irqrestore(&vq->lock, flags);
}

static struct rx_chain *rx_take(struct virtqueue *vq, u32 *len)
{
	u64 flags = spin_lock_irqsave(&vq->lock);
	struct rx_chain *c = virtqueue_get(vq, len);

	spin_unlock_irqrestore(&vq->lock, flags);
	return c;
}

/* What the device says about sums and segments. False: nonsense. */
static bool rx_header(struct pkt *p, const struct virtio_net_hdr *h)
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

/* Bytes [@off, @len) of the chain, as the packet's next ones; pages that are used go with it. */
static bool rx_append(struct pkt *p, struct rx_chain *c, u32 off, u32 len, bool copy)
{
	for (u32 i = 0, at = 0; i < c->n && at < len; i++, at += PAGE_SIZE) {
		u32 from = off > at ? off - at : 0, to = MIN(len - at, (u32)PAGE_SIZE), n;
		const u8 *va = (const u8 *)page_to_va(c->pages[i]);

		if (from >= to)
			continue;
		n = to - from;
		if (copy) {
			u32 part = p->nfrags ? 0 : MIN(n, (u32)(p->end - p->tail));

			if (len - off > COPY_ALL)
				part = MIN(part, COPY_HEAD);
			memcpy(pkt_append(p, part), va + from, part);
			from += part;
			n -= part;
		}
		copy = false;
		if (!n)
			continue;
		if (!pkt_add_frag(p, c->pages[i], from, n))
			return false;
		page_get(c->pages[i]);
	}
	return true;
}

/* The packet that begins in @c, of @len bytes with the header @h. NULL: dropped. @c is used up. */
static struct pkt *rx_packet(struct vnet *v, struct rx_chain *c, u32 len,
			     const struct virtio_net_hdr_mrg_rxbuf *h)
{
	struct pkt *p = pkt_alloc(RX_HEADROOM, COPY_ALL, PMM_NOWAIT);
	bool ok = p && len >= v->hdr_len + ETH_HLEN && rx_ready(v);
	u32 n = v->mergeable ? h->num_buffers : 1, pad = RX_PAD(v);

	if (ok) {
		p->dev = &v->dev;
		ok = rx_append(p, c, pad + v->hdr_len, pad + len, true);
	}
	rx_renew(v, c);
	for (u32 i = 1; i < n; i++) { /* the rest of a large packet */
		c = rx_take(v->vd->vqs[RX], &len);
		if (!c) {
			ok = false;
			break;
		}
		ok = ok && rx_ready(v) && rx_append(p, c, pad, pad + len, false);
		rx_renew(v, c);
	}
	if (ok && rx_header(p, &h->hdr))
		return p;
	NETDEV_COUNT(&v->dev, rx_errors, 1);
	pkt_put(p);
	return NULL;
}

/* The frame in @c carries on a packet that is held, and was joined to it. Then @c is used up. */
static bool rx_join(struct vnet *v, struct rx_chain *c, u32 len,
		    const struct virtio_net_hdr_mrg_rxbuf *h)
{
	u32 pad = RX_PAD(v);

	if (len < v->hdr_len || len > PAGE_SIZE - pad || h->hdr.gso_type ||
	    (h->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || (v->mergeable && h->num_buffers != 1) ||
	    !rx_ready(v) ||
	    !gro_join(&v->gro, c->pages[0], pad + v->hdr_len, len - v->hdr_len,
		      h->hdr.flags & VIRTIO_NET_HDR_F_DATA_VALID))
		return false;
	rx_renew(v, c);
	return true;
}

/* Up to BUDGET packets; how many there were. */
static u32 rx_run(struct vnet *v)
{
	struct virtqueue *vq = v->vd->vqs[RX];
	struct virtio_net_hdr_mrg_rxbuf h;
	struct rx_chain *c;
	u32 n = 0, len;

	for (; n < BUDGET && (c = rx_take(vq, &len)); n++) {
		struct pkt *p;

		memcpy(&h, (u8 *)page_to_va(c->pages[0]) + RX_PAD(v), sizeof(h));
		if (rx_join(v, c, len, &h))
			continue;
		p = rx_packet(v, c, len, &h);
		if (p && READ_ONCE(v->open))
			gro_rx(&v->gro, p);
		else
			pkt_put(p);
	}
	gro_flush(&v->gro);
	if (n)
		rx_fill(v);
	return n;
}

/* --- sending --- */

static void fill_header(const struct vnet *v, struct virtio_net_hdr *h, const struct pkt *p)
{
	memset(h, 0, v->hdr_len);
	if (p->csum == PKT_CSUM_PARTIAL) {
		h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h->csum_start = (u16)(p->csum_start - pkt_headroom(p) - v->hdr_len);
		h->csum_offset = p->csum_off;
	}
	if (p->gso_size) {
		h->gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
		h->gso_size = p->gso_size;
		h->hdr_len = (u16)MIN(pkt_linear_len(p) - v->hdr_len, 0xffffu);
	}
}

/* Put @p, with virtio's header, on the ring. holds: the queue's lock. 0, -ENOSPC, -EIO... */
static int tx_add(struct vnet *v, struct pkt *p)
{
	struct virtio_buf bufs[PKT_FRAGS_MAX + 2];
	u32 n = 0, head = v->any_layout ? 0 : v->hdr_len;

	if (head)
		bufs[n++] = (struct virtio_buf){ p->head, head };
	bufs[n++] = (struct virtio_buf){ p->head + head, pkt_linear_len(p) - head };
	for (u32 i = 0; i < p->nfrags; i++) {
		const struct pkt_frag *f = &p->frags[i];

		bufs[n++] = (struct virtio_buf){ (u8 *)page_to_va(f->page) + f->off, f->len };
	}
	return virtqueue_add(v->vd->vqs[TX], bufs, n, 0, p);
}

/* Sent packets come off the ring, onto @done, and waiting ones go on it. holds: the queue's lock */
static void tx_turn(struct vnet *v, struct list *done)
{
	struct virtqueue *vq = v->vd->vqs[TX];
	struct pkt *p;
	u32 len;

	while ((p = virtqueue_get(vq, &len)))
		list_add_tail(done, &p->link);
	while (!list_empty(&v->waiting)) {
		p = list_first(&v->waiting, struct pkt, link);
		if (tx_add(v, p))
			break;
		list_del(&p->link);
		v->nwaiting--;
	}
}

/* holds: the queue's lock. True: completions came before interrupts were on */
static bool tx_interrupts(struct vnet *v)
{
	struct virtqueue *vq = v->vd->vqs[TX];

	if (!list_empty(&v->waiting))
		return !virtqueue_enable_cb(vq);
	virtqueue_disable_cb(vq);
	return false;
}

static int vnet_xmit(struct netdev *d, struct pkt *p)
{
	struct vnet *v = vnet_of(d);
	struct virtqueue *vq = v->vd->vqs[TX];
	struct list done = LIST_INIT(done);
	u64 flags;
	int err;

	if (unlikely(pkt_headroom(p) < v->hdr_len)) {
		struct pkt *q = pkt_copy(p, PKT_HEADROOM);

		pkt_put(p);
		if (!q)
			return -ENOBUFS;
		p = q;
	}
	pkt_push(p, v->hdr_len);
	fill_header(v, (struct virtio_net_hdr *)p->head, p);
	flags = spin_lock_irqsave(&vq->lock);
	tx_turn(v, &done);
	err = list_empty(&v->waiting) ? tx_add(v, p) : -ENOSPC;
	if ((err == -ENOSPC || err == -ENOMEM) && v->nwaiting < READ_ONCE(d->tx_queue_len)) {
		list_add_tail(&v->waiting, &p->link);
		v->nwaiting++;
		err = 0;
	}
	if (!err)
		p = NULL;
	virtqueue_kick(vq);
	if (!list_empty(&v->waiting) && tx_interrupts(v))
		work_queue_on(v->wq, &v->work);
	spin_unlock_irqrestore(&vq->lock, flags);
	pkt_purge(&done);
	pkt_put(p);
	return err ? -ENOBUFS : 0;
}

/* True: there is more to do. */
static bool tx_run(struct vnet *v)
{
	struct virtqueue *vq = v->vd->vqs[TX];
	struct list done = LIST_INIT(done);
	u64 flags = spin_lock_irqsave(&vq->lock);
	bool more;

	tx_turn(v, &done);
	virtqueue_kick(vq);
	more = tx_interrupts(v);
	spin_unlock_irqrestore(&vq->lock, flags);
	pkt_purge(&done);
	return more;
}

/* --- the worker and what wakes it --- */

static void vnet_run(struct work *w)
{
	struct vnet *v = container_of(w, struct vnet, work);
	struct virtqueue *vq = v->vd->vqs[RX];
	bool more = rx_run(v) == BUDGET;
	u64 flags;

	more |= tx_run(v);
	if (!more) {
		flags = spin_lock_irqsave(&vq->lock);
		more = !virtqueue_enable_cb(vq);
		spin_unlock_irqrestore(&vq->lock, flags);
	}
	if (more && !READ_ONCE(v->vd->broken))
		work_queue_on(v->wq, w);
}

static void vnet_interrupt(struct virtqueue *vq)
{
	struct vnet *v = vq->vd->priv;
	u64 flags = spin_lock_irqsave(&vq->lock);

	virtqueue_disable_cb(vq);
	spin_unlock_irqrestore(&vq->lock, flags);
	work_queue_on(v->wq, &v->work);
}

static void config_run(struct work *w)
{
	struct vnet *v = container_of(w, struct vnet, config_work);

	if (virtio_has_feature(v->vd, VIRTIO_NET_F_STATUS))
		netdev_set_carrier(&v->dev, CONFIG(v->vd, status) & VIRTIO_NET_S_LINK_UP);
}

static void vnet_config_changed(struct virtio_device *vd)
{
	struct vnet *v = vd->priv;

	if (v)
		work_queue(&v->config_work);
}

/* --- the control queue --- */

static void ctrl_interrupt(struct virtqueue *vq)
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
	struct virtqueue *vq = v->vd->vqs[CTRL];
	struct ctrl *c = v->ctrl;
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

		if (n == MAC_ENTRIES)
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

static void vnet_set_rx_mode(struct netdev *d)
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

static int vnet_set_addr(struct netdev *d, const u8 *addr)
{
	struct vnet *v = vnet_of(d);

	if (addr[0] & 1)
		return -EADDRNOTAVAIL;
	if (!v->ctrl || !virtio_has_feature(v->vd, VIRTIO_NET_F_CTRL_MAC_ADDR))
		return -EOPNOTSUPP;
	memcpy(v->ctrl->data, addr, ETH_ALEN);
	return command(v, VIRTIO_NET_CTRL_MAC, VIRTIO_NET_CTRL_MAC_ADDR_SET, ETH_ALEN);
}

/* --- the device --- */

static int vnet_open(struct netdev *d)
{
	struct vnet *v = vnet_of(d);

	if (READ_ONCE(v->vd->broken))
		return -EIO;
	WRITE_ONCE(v->open, true);
	if (!v->filled) {
		v->filled = true;
		rx_fill(v);
	}
	return 0;
}

static void vnet_stop(struct netdev *d)
{
	struct vnet *v = vnet_of(d);
	struct virtqueue *vq = v->vd->vqs[TX];
	struct list drop = LIST_INIT(drop);
	u64 flags;

	WRITE_ONCE(v->open, false);
	flags = spin_lock_irqsave(&vq->lock);
	list_splice_tail(&drop, &v->waiting);
	v->nwaiting = 0;
	spin_unlock_irqrestore(&vq->lock, flags);
	pkt_purge(&drop);
}

static const struct netdev_ops vnet_ops = {
	.open = vnet_open,
	.stop = vnet_stop,
	.xmit = vnet_xmit,
	.set_rx_mode = vnet_set_rx_mode,
	.set_addr = vnet_set_addr,
};

/* What was negotiated, as the fields of the device. */
static void set_features(struct vnet *v)
{
	struct virtio_device *vd = v->vd;
	struct netdev *d = &v->dev;
	u8 mac[ETH_ALEN];

	v->mergeable = virtio_has_feature(vd, VIRTIO_NET_F_MRG_RXBUF);
	v->any_layout = vd->modern;
	v->hdr_len = v->mergeable || vd->modern ? sizeof(struct virtio_net_hdr_mrg_rxbuf)
						: sizeof(struct virtio_net_hdr);
	v->rx_pages =
		v->mergeable || !virtio_has_feature(vd, VIRTIO_NET_F_GUEST_TSO4) ? 1 : RX_PAGES_MAX;
	d->features = NETDEV_SG;
	d->ring = RING;
	if (virtio_has_feature(vd, VIRTIO_NET_F_GUEST_CSUM))
		d->features |= NETDEV_RX_CSUM;
	if (virtio_has_feature(vd, VIRTIO_NET_F_CSUM))
		d->features |= NETDEV_CSUM;
	if (virtio_has_feature(vd, VIRTIO_NET_F_CSUM) &&
	    virtio_has_feature(vd, VIRTIO_NET_F_HOST_TSO4))
		d->features |= NETDEV_TSO;
	d->gso_max = 65535 - ETH_HLEN;
	d->mtu_max = v->mergeable ? 65535 : ETH_DATA_LEN;
	if (virtio_has_feature(vd, VIRTIO_NET_F_MAC)) {
		virtio_config_read(vd, offsetof(struct virtio_net_config, mac), mac, ETH_ALEN);
	} else {
		rand_bytes(mac, ETH_ALEN);
		mac[0] = (mac[0] & 0xfc) | 2; /* of local administration */
	}
	ether_setup(d, mac);
	if (virtio_has_feature(vd, VIRTIO_NET_F_MTU)) {
		u32 mtu = CONFIG(vd, mtu);

		if (mtu >= d->mtu_min && mtu <= d->mtu_max)
			d->mtu = d->mtu_max = mtu;
	}
	d->carrier = !virtio_has_feature(vd, VIRTIO_NET_F_STATUS) ||
		     (CONFIG(vd, status) & VIRTIO_NET_S_LINK_UP);
}

static int vnet_probe(struct virtio_device *vd)
{
	static const struct virtqueue_spec specs[QUEUES] = {
		{ "rx", vnet_interrupt, RING },
		{ "tx", vnet_interrupt, RING },
		{ "control", ctrl_interrupt, 16 },
	};
	bool ctrl = virtio_has_feature(vd, VIRTIO_NET_F_CTRL_VQ);
	struct vnet *v = kzalloc(sizeof(*v), 0);
	int err = -ENOMEM;
	u64 flags;

	if (!v)
		return -ENOMEM;
	v->vd = vd;
	list_init(&v->waiting);
	waitq_init(&v->ctrl_wait);
	work_init(&v->work, vnet_run);
	work_init(&v->config_work, config_run);
	v->ctrl = ctrl ? kzalloc(sizeof(*v->ctrl), 0) : NULL;
	if (ctrl && !v->ctrl)
		goto free;
	v->dev = (struct netdev){ .name = "eth%u",
				  .ops = &vnet_ops,
				  .priv = v,
				  .driver = "virtio_net",
				  .device = &vd->device };
	set_features(v);
	vd->priv = v;
	err = virtio_setup_queues(vd, specs, ctrl ? QUEUES : CTRL);
	if (err)
		goto free;
	v->wq = workqueue_create("eth");
	if (!v->wq) {
		err = -ENOMEM; /* the queues stay with the device, which is reset */
		goto free;
	}
	flags = spin_lock_irqsave(&vd->vqs[TX]->lock);
	virtqueue_disable_cb(vd->vqs[TX]);
	spin_unlock_irqrestore(&vd->vqs[TX]->lock, flags);
	virtio_ready(vd);
	/* From here on it stays, even if nobody can be told of it: its worker may run. */
	if (netdev_register(&v->dev))
		log_warn("%s: there are too many network devices", vd->name);
	return 0;

free:
	vd->priv = NULL;
	kfree(v->ctrl);
	kfree(v);
	return err;
}
VIRTIO_DRIVER(net, .id = VIRTIO_ID_NET, .probe = vnet_probe, .config_changed = vnet_config_changed,
	      .features = BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) |
			  BIT(VIRTIO_NET_F_MTU) | BIT(VIRTIO_NET_F_MAC) |
			  BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO4) |
			  BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_STATUS) |
			  BIT(VIRTIO_NET_F_CTRL_VQ) | BIT(VIRTIO_NET_F_CTRL_RX) |
			  BIT(VIRTIO_NET_F_CTRL_MAC_ADDR));
