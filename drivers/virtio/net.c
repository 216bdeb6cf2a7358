/*
 * virtio-net (virtio 1.2, section 5.1): Ethernet, legacy and modern, by mmio or PCI.
 *
 * Pairs of queues, as many as there are CPUs where the device has them, and the control queue where
 * there is one (net_ctrl.c). An interrupt only wakes the pair's worker, which takes up to BUDGET
 * packets per turn, gives them to gro_rx() and refills the ring; interrupts of a queue stay off
 * while the worker has something to do. With more than one pair the interrupts of each go to a CPU
 * of its own, and its worker with them. The device chooses the pair by which a packet comes; one to
 * be sent goes by the pair of its addresses and ports, so that packets of a connection never
 * overtake each other, and most devices answer by the pair that was asked.
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
 * come on until it is empty; so they do for packets whose sender has little room left, and perhaps
 * nothing to send before it has more. Otherwise sent packets are reclaimed by the next sender or by
 * the worker.
 *
 * Locking: each queue's lock (DEVQ); the waiting list is under that of the transmit queue.
 */
#include <linux/errno.h>
#include <linux/ip.h>
#include <linux/virtio_ids.h>
#include <arch/cpu.h>
#include "drivers/virtio/net.h"
#include "kernel/base/log.h"
#include "kernel/base/rand.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/vnethdr.h"

#define RING 256u
#define RING_SHARED 128u /* of each of several pairs */
#define BUDGET 64u
#define COPY_ALL 256u /* packets up to this length are copied whole */
#define COPY_HEAD 128u
#define RX_HEADROOM 66u /* so that words of the IP header are aligned */
#define RX_PAD(v) (-((v)->hdr_len + ETH_HLEN) & 3) /* likewise, in a page */
#define RX_PAGES_MAX 17u
#define IP_FRAGMENT 0x3fff /* more of them, or not the first */

/* A chain of receive buffers that the device has. */
struct rx_chain {
	u32 n;
	struct page *pages[RX_PAGES_MAX];
};

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
static bool rx_give(struct vnet_pair *q, struct rx_chain *c)
{
	const struct vnet *v = q->v;
	struct virtqueue *vq = q->rx;
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
static bool rx_add(struct vnet_pair *q)
{
	struct rx_chain *c = kmalloc(sizeof(*c), PMM_NOWAIT);

	if (!c)
		return false;
	for (c->n = 0; c->n < q->v->rx_pages; c->n++) {
		c->pages[c->n] = pmm_alloc(0, PMM_NOWAIT);
		if (!c->pages[c->n])
			goto free;
	}
	if (rx_give(q, c))
		return true;
free:
	chain_free(c);
	return false;
}

/* @c goes back, with other pages for those that a packet keeps. */
static void rx_renew(struct vnet_pair *q, struct rx_chain *c)
{
	for (u32 i = 0; i < c->n; i++) {
		struct page *page = q->fresh;

		if (page_refs(c->pages[i]) == 1)
			continue;
		q->fresh = NULL;
		if (!page)
			page = pmm_alloc(0, PMM_NOWAIT);
		if (!page)
			goto free;
		page_put(c->pages[i]);
		c->pages[i] = page;
	}
	if (rx_give(q, c))
		return;
free:
	chain_free(c);
}

/* There is a page for the next buffer. */
static bool rx_ready(struct vnet_pair *q)
{
	if (!q->fresh)
		q->fresh = pmm_alloc(0, PMM_NOWAIT);
	return q->fresh;
}

static void rx_fill(struct vnet_pair *q)
{
	struct virtqueue *vq = q->rx;
	u64 flags;

	while (READ_ONCE(vq->nfree) && rx_add(q))
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
static struct pkt *rx_packet(struct vnet_pair *q, struct rx_chain *c, u32 len,
			     const struct virtio_net_hdr_mrg_rxbuf *h)
{
	struct vnet *v = q->v;
	struct pkt *p = pkt_alloc(RX_HEADROOM, COPY_ALL, PMM_NOWAIT);
	bool ok = p && len >= v->hdr_len + ETH_HLEN && rx_ready(q);
	u32 n = v->mergeable ? h->num_buffers : 1, pad = RX_PAD(v);

	if (ok) {
		p->dev = &v->dev;
		ok = rx_append(p, c, pad + v->hdr_len, pad + len, true);
	}
	rx_renew(q, c);
	for (u32 i = 1; i < n; i++) { /* the rest of a large packet */
		c = rx_take(q->rx, &len);
		if (!c) {
			ok = false;
			break;
		}
		ok = ok && rx_ready(q) && rx_append(p, c, pad, pad + len, false);
		rx_renew(q, c);
	}
	if (ok && vnethdr_take(p, &h->hdr))
		return p;
	NETDEV_COUNT(&v->dev, rx_errors, 1);
	pkt_put(p);
	return NULL;
}

/* The frame in @c carries on a packet that is held, and was joined to it. Then @c is used up. */
static bool rx_join(struct vnet_pair *q, struct rx_chain *c, u32 len,
		    const struct virtio_net_hdr_mrg_rxbuf *h)
{
	const struct vnet *v = q->v;
	u32 pad = RX_PAD(v);

	if (len < v->hdr_len || len > PAGE_SIZE - pad || h->hdr.gso_type ||
	    (h->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || (v->mergeable && h->num_buffers != 1) ||
	    !rx_ready(q) ||
	    !gro_join(&q->gro, c->pages[0], pad + v->hdr_len, len - v->hdr_len,
		      h->hdr.flags & VIRTIO_NET_HDR_F_DATA_VALID))
		return false;
	rx_renew(q, c);
	return true;
}

static void rx_count(struct vnet_pair *q, u32 bytes)
{
	WRITE_ONCE(q->rx_packets, q->rx_packets + 1);
	WRITE_ONCE(q->rx_bytes, q->rx_bytes + bytes);
}

/* Up to BUDGET packets; how many there were. */
static u32 rx_run(struct vnet_pair *q)
{
	struct vnet *v = q->v;
	struct virtio_net_hdr_mrg_rxbuf h;
	struct rx_chain *c;
	u32 n = 0, len;

	for (; n < BUDGET && (c = rx_take(q->rx, &len)); n++) {
		struct pkt *p;

		memcpy(&h, (u8 *)page_to_va(c->pages[0]) + RX_PAD(v), sizeof(h));
		if (rx_join(q, c, len, &h)) {
			rx_count(q, len - v->hdr_len);
			continue;
		}
		p = rx_packet(q, c, len, &h);
		if (p && READ_ONCE(v->open)) {
			rx_count(q, p->len);
			gro_rx(&q->gro, p);
		} else {
			pkt_put(p);
		}
	}
	gro_flush(&q->gro);
	if (n)
		rx_fill(q);
	return n;
}

/* See net.h. */
void vnet_fill(struct vnet *v)
{
	for (u32 i = 0; i < v->dev.queues; i++) {
		struct vnet_pair *q = &v->pairs[i];

		if (!q->filled)
			rx_fill(q);
		q->filled = true;
	}
}

/* --- sending --- */

/* Put @p, with virtio's header, on the ring. holds: the queue's lock. 0, -ENOSPC, -EIO... */
static int tx_add(struct vnet_pair *q, struct pkt *p)
{
	const struct vnet *v = q->v;
	struct virtio_buf bufs[PKT_FRAGS_MAX + 2];
	u32 n = 0, head = v->any_layout ? 0 : v->hdr_len;
	int err;

	if (head)
		bufs[n++] = (struct virtio_buf){ p->head, head };
	bufs[n++] = (struct virtio_buf){ p->head + head, pkt_linear_len(p) - head };
	for (u32 i = 0; i < p->nfrags; i++) {
		const struct pkt_frag *f = &p->frags[i];

		bufs[n++] = (struct virtio_buf){ (u8 *)page_to_va(f->page) + f->off, f->len };
	}
	err = virtqueue_add(q->tx, bufs, n, 0, p);
	q->ntell += !err && p->tell;
	return err;
}

/* Sent packets come off the ring, onto @done, and waiting ones go on it. holds: the queue's lock */
static void tx_turn(struct vnet_pair *q, struct list *done)
{
	struct pkt *p;
	u32 len;

	while ((p = virtqueue_get(q->tx, &len))) {
		q->ntell -= p->tell;
		list_add_tail(done, &p->link);
	}
	while (!list_empty(&q->waiting)) {
		p = list_first(&q->waiting, struct pkt, link);
		if (tx_add(q, p))
			break;
		list_del(&p->link);
		q->nwaiting--;
	}
}

/* Does anybody wait for what is on the ring? holds: the queue's lock */
static bool tx_awaited(const struct vnet_pair *q)
{
	return !list_empty(&q->waiting) || q->ntell;
}

/* holds: the queue's lock. True: completions came before interrupts were on */
static bool tx_interrupts(struct vnet_pair *q)
{
	if (tx_awaited(q))
		return !virtqueue_enable_cb(q->tx);
	virtqueue_disable_cb(q->tx);
	return false;
}

/* A number of the flow of the frame @p, the same for all that must not overtake each other. */
static u32 flow_of(const struct pkt *p)
{
	const struct iphdr *ip = (const struct iphdr *)(p->head + ETH_HLEN);
	u32 n = pkt_linear_len(p), x, hlen;

	if (n < ETH_HLEN + sizeof(*ip) ||
	    ((const struct ethhdr *)p->head)->h_proto != net16(ETH_P_IP))
		return 0;
	x = ip->saddr ^ ip->daddr ^ ip->protocol;
	hlen = ip->ihl * 4u;
	if ((ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP) &&
	    !(ip->frag_off & net16(IP_FRAGMENT)) && n >= ETH_HLEN + hlen + 4) {
		u32 ports;

		memcpy(&ports, (const u8 *)ip + hlen, sizeof(ports));
		x ^= ports ^ ports >> 16;
	}
	return x * 0x9e3779b1u >> 16;
}

static struct vnet_pair *tx_pair(struct vnet *v, const struct pkt *p)
{
	u32 n = READ_ONCE(v->dev.queues);

	return &v->pairs[likely(n == 1) ? 0 : flow_of(p) * n >> 16];
}

/* Put @p on the ring, or let it wait; on error it stays. holds: the queue's lock. 0 or an error */
static int tx_queue(struct vnet_pair *q, struct pkt *p)
{
	u32 len = p->len - q->v->hdr_len;
	int err = list_empty(&q->waiting) ? tx_add(q, p) : -ENOSPC;

	if ((err == -ENOSPC || err == -ENOMEM) && q->nwaiting < READ_ONCE(q->v->dev.tx_queue_len)) {
		list_add_tail(&q->waiting, &p->link);
		q->nwaiting++;
		err = 0;
	}
	if (!err) {
		WRITE_ONCE(q->tx_packets, q->tx_packets + 1);
		WRITE_ONCE(q->tx_bytes, q->tx_bytes + len);
	}
	return err;
}

static int vnet_xmit(struct netdev *d, struct pkt *p)
{
	struct vnet *v = vnet_of(d);
	struct vnet_pair *q = tx_pair(v, p);
	struct list done = LIST_INIT(done);
	u64 flags;
	int err;

	if (unlikely(pkt_headroom(p) < v->hdr_len)) {
		struct pkt *copy = pkt_copy(p, PKT_HEADROOM);

		pkt_put(p);
		if (!copy)
			return -ENOBUFS;
		p = copy;
	}
	pkt_push(p, v->hdr_len);
	memset(p->head, 0, v->hdr_len);
	vnethdr_make((struct virtio_net_hdr *)p->head, p, v->hdr_len);
	flags = spin_lock_irqsave(&q->tx->lock);
	tx_turn(q, &done);
	err = tx_queue(q, p);
	if (!err)
		p = NULL;
	virtqueue_kick(q->tx);
	if (tx_awaited(q) && tx_interrupts(q))
		work_queue_on(q->wq, &q->work);
	spin_unlock_irqrestore(&q->tx->lock, flags);
	pkt_purge(&done);
	pkt_put(p);
	return err ? -ENOBUFS : 0;
}

/* True: there is more to do. */
static bool tx_run(struct vnet_pair *q)
{
	struct list done = LIST_INIT(done);
	u64 flags = spin_lock_irqsave(&q->tx->lock);
	bool more;

	tx_turn(q, &done);
	virtqueue_kick(q->tx);
	more = tx_interrupts(q);
	spin_unlock_irqrestore(&q->tx->lock, flags);
	pkt_purge(&done);
	return more;
}

/* See net.h. */
void vnet_drop_waiting(struct vnet *v, u32 from)
{
	struct list drop = LIST_INIT(drop);

	for (u32 i = from; i < v->npairs; i++) {
		struct vnet_pair *q = &v->pairs[i];
		u64 flags = spin_lock_irqsave(&q->tx->lock);

		list_splice_tail(&drop, &q->waiting);
		q->nwaiting = 0;
		spin_unlock_irqrestore(&q->tx->lock, flags);
	}
	pkt_purge(&drop);
}

/* --- the workers and what wakes them --- */

static void pair_run(struct work *w)
{
	struct vnet_pair *q = container_of(w, struct vnet_pair, work);
	bool more = rx_run(q) == BUDGET;
	u64 flags;

	more |= tx_run(q);
	if (!more) {
		flags = spin_lock_irqsave(&q->rx->lock);
		more = !virtqueue_enable_cb(q->rx);
		spin_unlock_irqrestore(&q->rx->lock, flags);
	}
	if (more && !READ_ONCE(q->v->vd->broken))
		work_queue_on(q->wq, w);
}

static void pair_interrupt(struct virtqueue *vq)
{
	struct vnet_pair *q = vq->priv;
	u64 flags;

	if (!q)
		return;
	flags = spin_lock_irqsave(&vq->lock);
	virtqueue_disable_cb(vq);
	spin_unlock_irqrestore(&vq->lock, flags);
	work_queue_on(q->wq, &q->work);
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

/* --- the device --- */

static int vnet_open(struct netdev *d)
{
	struct vnet *v = vnet_of(d);

	if (READ_ONCE(v->vd->broken))
		return -EIO;
	WRITE_ONCE(v->open, true);
	vnet_fill(v);
	return 0;
}

static void vnet_stop(struct netdev *d)
{
	struct vnet *v = vnet_of(d);

	WRITE_ONCE(v->open, false);
	vnet_drop_waiting(v, 0);
}

static void vnet_queue_stats(const struct netdev *d, u32 n, struct netdev_queue_stats *out)
{
	const struct vnet_pair *q = &vnet_of(d)->pairs[n];

	*out = (struct netdev_queue_stats){ READ_ONCE(q->rx_packets), READ_ONCE(q->rx_bytes),
					    READ_ONCE(q->tx_packets), READ_ONCE(q->tx_bytes) };
}

static const struct netdev_ops vnet_ops = {
	.open = vnet_open,
	.stop = vnet_stop,
	.xmit = vnet_xmit,
	.set_rx_mode = vnet_set_rx_mode,
	.set_addr = vnet_set_addr,
	.set_queues = vnet_set_queues,
	.queue_stats = vnet_queue_stats,
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
	d->link_seen = true;
	d->carrier = !virtio_has_feature(vd, VIRTIO_NET_F_STATUS) ||
		     (CONFIG(vd, status) & VIRTIO_NET_S_LINK_UP);
}

/*
 * How many pairs there are for us. The control queue lies behind all those of the device: *ctrl is
 * its index, 0: it has none. With a number of pairs that cannot be, there is no telling where.
 */
static u32 count_pairs(struct virtio_device *vd, u32 *ctrl)
{
	u32 max;

	*ctrl = virtio_has_feature(vd, VIRTIO_NET_F_CTRL_VQ) ? 2 : 0;
	if (!virtio_has_feature(vd, VIRTIO_NET_F_MQ))
		return 1;
	max = CONFIG(vd, max_virtqueue_pairs);
	if (!*ctrl || max < VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN ||
	    max > VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MAX || !vd->ops->queue_max(vd, 2 * max)) {
		log_warn("%s: cannot have %u pairs of queues", vd->name, max);
		*ctrl = 0;
		return 1;
	}
	*ctrl = 2 * max;
	max = MIN(max, cpu_count);
	return MIN(max, (u32)VNET_PAIRS_MAX);
}

/* The queues, and a worker for each pair. 0, -ENOMEM, or as virtio_setup_queues. */
static int setup_pairs(struct vnet *v, u32 ctrl)
{
	struct virtio_device *vd = v->vd;
	struct virtqueue_spec specs[VIRTIO_MAX_QUEUES];
	u32 n = VNET_RX(v->npairs), ring = v->npairs > 1 ? RING_SHARED : RING;
	int err;

	for (u32 i = 0; i < n; i++)
		specs[i] = (struct virtqueue_spec){ "pair", pair_interrupt, ring, 0 };
	specs[n] = (struct virtqueue_spec){ "control", vnet_ctrl_interrupt, 16, ctrl };
	err = virtio_setup_queues(vd, specs, n + (ctrl != 0));
	for (u32 i = 0; !err && i < v->npairs; i++) {
		v->pairs[i].wq = workqueue_create("eth");
		if (!v->pairs[i].wq)
			err = -ENOMEM; /* the queues stay with the device, which is reset */
	}
	if (err)
		return err;
	v->ctrl_vq = ctrl ? vd->vqs[n] : NULL;
	v->dev.ring = (u16)vd->vqs[0]->size;
	for (u32 i = 0; i < v->npairs; i++) {
		struct vnet_pair *q = &v->pairs[i];
		u64 flags;

		q->rx = vd->vqs[VNET_RX(i)];
		q->tx = vd->vqs[VNET_TX(i)];
		flags = spin_lock_irqsave(&q->tx->lock);
		virtqueue_disable_cb(q->tx);
		spin_unlock_irqrestore(&q->tx->lock, flags);
		q->rx->priv = q->tx->priv = q;
		if (v->npairs > 1 && vd->ops->set_affinity && (cpu_online_mask >> i & 1)) {
			vd->ops->set_affinity(q->rx, i);
			vd->ops->set_affinity(q->tx, i);
		}
	}
	return 0;
}

/* The device begins with one pair; one that does not want more stays with it. */
static void use_pairs(struct vnet *v)
{
	struct netdev *d = &v->dev;

	d->queues = 1;
	mutex_lock(&net_config_lock);
	if (vnet_set_queues(d, v->npairs))
		log_warn("%s: uses one pair of queues only", v->vd->name);
	d->queues_max = d->queues;
	mutex_unlock(&net_config_lock);
}

static int vnet_probe(struct virtio_device *vd)
{
	u32 ctrl, npairs = count_pairs(vd, &ctrl);
	struct vnet *v = kzalloc(sizeof(*v) + npairs * sizeof(v->pairs[0]), 0);
	int err = -ENOMEM;

	if (!v)
		return -ENOMEM;
	v->vd = vd;
	v->npairs = npairs;
	waitq_init(&v->ctrl_wait);
	work_init(&v->config_work, config_run);
	for (u32 i = 0; i < npairs; i++) {
		v->pairs[i].v = v;
		list_init(&v->pairs[i].waiting);
		work_init(&v->pairs[i].work, pair_run);
	}
	v->ctrl = ctrl ? kzalloc(sizeof(*v->ctrl), 0) : NULL;
	if (ctrl && !v->ctrl)
		goto free;
	v->dev = (struct netdev){ .name = "eth%d",
				  .ops = &vnet_ops,
				  .priv = v,
				  .driver = "virtio_net",
				  .device = &vd->device };
	set_features(v);
	vd->priv = v;
	err = setup_pairs(v, ctrl);
	if (err)
		goto free;
	virtio_ready(vd);
	use_pairs(v);
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
			  BIT(VIRTIO_NET_F_MQ) | BIT(VIRTIO_NET_F_CTRL_MAC_ADDR));
