/*
 * AF_PACKET: frames as they come and go, raw or without the link's header (packet(7)).
 *
 * A socket is bound to a protocol and perhaps to a device. While there are any, each device shows
 * them every frame (net_tap); a filter (classic BPF) says which ones a socket takes, and how much
 * of each. A frame is copied for each socket that wants it. The list of sockets is guarded by
 * packet_lock (rank NET_TABLE); a socket's queue by its own (NET_QUEUE).
 *
 * On loopback an Ethernet header of zeroes is shown, as on Linux; a device of type ARPHRD_NONE has
 * no header to show. A socket that is bound to a device that goes has ENETDOWN, and sees no more.
 */
#include <asm/siginfo.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/if_arp.h>
#include <linux/poll.h>
#include "fs/async.h"
#include "fs/procfs.h"
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"
#include "net/sock/packet.h"
#include "net/sock/sockfilter.h"
#include "net/vnethdr.h"

struct packet_member {
	struct list link; /* k */
	struct netdev *dev; /* I */
	u32 index; /* I: of it then */
	u16 type; /* I: PACKET_MR_* */
	be32 group; /* I */
	u32 count; /* k */
};

struct spinlock packet_lock = SPINLOCK_INIT(RANK_NET_TABLE);
static struct list socks = LIST_INIT(socks); /* packet_lock */
static u64 last_order; /* packet_lock: of who was created last */

static struct packet_sock *of(struct socket *s)
{
	return container_of(s, struct packet_sock, s);
}

static void packet_put(struct packet_sock *k)
{
	if (ref_put(&k->refs)) {
		pkt_purge(&k->queue);
		kfree(k);
	}
}

static void received_release(struct pkt *p)
{
	struct packet_sock *k = p->owner;

	__atomic_sub_fetch(&k->rmem, p->charge, __ATOMIC_RELAXED);
}

/* --- frames in --- */

/*
 * A copy for @k, head where its reader begins: the link's header (SOCK_RAW) or behind it. @p is as
 * the device shows it: received ones without their header, sent ones with it.
 */
static struct pkt *copy_for(const struct packet_sock *k, const struct netdev *d,
			    const struct pkt *p)
{
	struct pkt *q = pkt_copy(p, ETH_HLEN + 2);
	bool ether = d->hw_type == ARPHRD_ETHER;
	u32 hlen = packet_shown_link(d, p);

	if (!q)
		return NULL;
	if (hlen) {
		if (pkt_linear_len(q) < hlen) {
			pkt_put(q);
			return NULL;
		}
		pkt_set_mac(q);
		pkt_pull(q, hlen);
	}
	pkt_set_net(q);
	if (d->hw_type == ARPHRD_NONE) {
		q->mac = q->net; /* there is none */
	} else if (p->type != PKT_OUTGOING || !ether) { /* the header, in front of the copy again */
		u8 *at = q->head - ETH_HLEN;

		memset(at, 0, ETH_HLEN);
		if (ether)
			memcpy(at, p->base + p->mac, ETH_HLEN);
		else
			memcpy(at + 2 * ETH_ALEN, &p->ethertype, 2);
		q->mac = (u16)(at - q->base);
	}
	if (k->s.type != SOCK_DGRAM)
		pkt_push(q, (u32)(q->head - (q->base + q->mac)));
	return q;
}

static bool enqueue(struct packet_sock *k, struct pkt *q)
{
	bool room = READ_ONCE(k->rmem) <= (u32)READ_ONCE(k->s.rcvbuf);

	q->charge = q->len + PKT_CHARGE;
	q->owner = k;
	q->cb[1] = READ_ONCE(k->s.drops);
	socket_came_in(&k->s);
	spin_lock(&k->qlock);
	WRITE_ONCE(k->received, k->received + 1);
	if (room) {
		__atomic_add_fetch(&k->rmem, q->charge, __ATOMIC_RELAXED);
		q->release = received_release;
		list_add_tail(&k->queue, &q->link);
		WRITE_ONCE(k->nqueued, k->nqueued + 1);
	} else {
		WRITE_ONCE(k->dropped, k->dropped + 1);
		WRITE_ONCE(k->s.drops, k->s.drops + 1);
	}
	spin_unlock(&k->qlock);
	return room;
}

static void give(struct packet_sock *k, const struct netdev *d, const struct pkt *p)
{
	struct pkt *q = copy_for(k, d, p);
	u32 whole;

	if (!q)
		return;
	whole = q->len;
	if (READ_ONCE(k->s.filter) && !socket_filter_run(&k->s, q, 0)) {
		pkt_put(q);
		return;
	}
	q->stamp = time_wall();
	if (READ_ONCE(k->rx.pages) && packet_ring_receive(k, q, whole)) {
		pkt_put(q);
		return;
	}
	q->cb[0] = whole; /* the length before the filter cut it */
	if (!enqueue(k, q)) {
		pkt_put(q);
		return;
	}
	waitq_wake(&k->wait, 1, POLLIN | POLLRDNORM);
	if (!READ_ONCE(k->dead))
		async_notify(&k->s.async, POLL_IN);
}

static bool wants(const struct packet_sock *k, const struct netdev *d, const struct pkt *p)
{
	be16 proto = READ_ONCE(k->protocol);
	u32 index = READ_ONCE(k->ifindex);

	if (!proto || (index && index != d->index))
		return false;
	/* Of what is sent only those see it who want everything. */
	if (p->type == PKT_OUTGOING)
		return proto == net16(ETH_P_ALL) &&
		       (k->fanout ? packet_fanout_hears(k->fanout, p)
				  : !READ_ONCE(k->ignore_outgoing) && p->owner != k);
	return proto == net16(ETH_P_ALL) || proto == p->ethertype;
}

/*
 * The next socket that is to have @p, with a reference; NULL: there is none. @order: of the one
 * that was found last, 0: none was.
 */
static struct packet_sock *next_sock(u64 *order, const struct netdev *d, const struct pkt *p)
{
	struct packet_sock *k, *found = NULL;

	spin_lock(&packet_lock);
	list_for_each(k, &socks, all) { /* in which the last one may be no more */
		if (k->order > *order && packet_fanout_speaks(k) && wants(k, d, p)) {
			*order = k->order;
			found = k->fanout ? packet_fanout_choose(k->fanout, d, p) : k;
			ref_get(&found->refs);
			break;
		}
	}
	spin_unlock(&packet_lock);
	return found;
}

/* See struct net_tap. */
static void packet_see(struct netdev *d, const struct pkt *p)
{
	struct packet_sock *k;
	u64 order = 0;

	while ((k = next_sock(&order, d, p))) {
		give(k, d, p);
		packet_put(k);
	}
}

/* See packet.h. */
enum packet_room packet_room(struct packet_sock *k, const struct pkt *p)
{
	s64 most = READ_ONCE(k->s.rcvbuf), left = most - READ_ONCE(k->rmem) - p->len - PKT_CHARGE;
	enum packet_room room = left > most / 4 ? PACKET_ROOM_MUCH
				: left > 0	? PACKET_ROOM_LITTLE
						: PACKET_ROOM_NONE;

	spin_lock(&k->qlock);
	if (k->rx.pages)
		room = packet_ring_room(k);
	spin_unlock(&k->qlock);
	return room;
}

/* See struct net_tap. */
static void packet_gone(const struct netdev *d)
{
	struct packet_sock *k;

	spin_lock(&packet_lock);
	list_for_each(k, &socks, all) {
		if (k->ifindex != d->index)
			continue;
		WRITE_ONCE(k->ifindex, ~0u);
		WRITE_ONCE(k->s.err, ENETDOWN);
		waitq_wake_all(&k->wait);
	}
	spin_unlock(&packet_lock);
}

/* --- a socket --- */

/* It takes frames while it has a protocol. holds: packet_lock */
static void set_protocol(struct packet_sock *k, be16 proto)
{
	if (proto && !k->protocol)
		__atomic_add_fetch(&net_tap.on, 1, __ATOMIC_RELEASE);
	if (!proto && k->protocol)
		__atomic_sub_fetch(&net_tap.on, 1, __ATOMIC_RELEASE);
	WRITE_ONCE(k->protocol, proto);
}

static void member_change(struct packet_member *m, int n)
{
	if (m->index != m->dev->index) /* it went, and there is another one of its memory */
		return;
	switch (m->type) {
	case PACKET_MR_PROMISC: netdev_add_promisc(m->dev, n); break;
	case PACKET_MR_ALLMULTI: netdev_add_allmulti(m->dev, n); break;
	}
}

static void packet_release(struct socket *s)
{
	struct packet_sock *k = of(s);
	struct packet_member *m, *next;

	spin_lock(&packet_lock);
	packet_fanout_leave(k);
	set_protocol(k, 0);
	list_del(&k->all);
	spin_unlock(&packet_lock);
	WRITE_ONCE(k->dead, true);
	packet_ring_fini(k);
	mutex_lock(&net_config_lock);
	list_for_each_safe(m, next, &k->members, link) {
		member_change(m, -1);
		list_del(&m->link);
		kfree(m);
	}
	mutex_unlock(&net_config_lock);
	packet_put(k);
}

/* See packet.h. */
int packet_bind_to(struct packet_sock *k, u32 index, be16 proto)
{
	const struct netdev *d = NULL;
	int err = 0;

	spin_lock(&packet_lock);
	if (index)
		d = netdev_by_index(index);
	if (k->fanout) {
		err = -EINVAL;
	} else if (index && !d) {
		err = -ENODEV;
	} else {
		WRITE_ONCE(k->ifindex, index);
		if (proto)
			set_protocol(k, proto);
	}
	spin_unlock(&packet_lock);
	if (!err && d && !netdev_up(d))
		WRITE_ONCE(k->s.err, ENETDOWN);
	return err;
}

static int packet_bind(struct socket *s, const struct sock_addr *a)
{
	struct sockaddr_ll sll;

	if (a->len < sizeof(sll) || a->family != AF_PACKET)
		return -EINVAL;
	memcpy(&sll, a->bytes, sizeof(sll));
	return packet_bind_to(of(s), (u32)sll.sll_ifindex, sll.sll_protocol);
}

static void give_addr(struct sock_addr *out, const struct netdev *d, be16 proto, u8 type)
{
	struct sockaddr_ll sll = { .sll_family = AF_PACKET,
				   .sll_protocol = proto,
				   .sll_pkttype = type };

	if (d) {
		sll.sll_ifindex = (int)d->index;
		sll.sll_hatype = d->shown_type;
		sll.sll_halen = d->addr_len;
		memcpy(sll.sll_addr, d->addr, d->addr_len);
	}
	memcpy(out->bytes, &sll, sizeof(sll));
	out->len = (u32)offsetof(struct sockaddr_ll, sll_addr) + sll.sll_halen;
}

static int packet_getname(struct socket *s, bool peer, struct sock_addr *out)
{
	struct packet_sock *k = of(s);

	if (peer)
		return -EOPNOTSUPP;
	give_addr(out, netdev_by_index(READ_ONCE(k->ifindex)), READ_ONCE(k->protocol), 0);
	return 0;
}

/* --- receiving --- */

static int wait_frame(struct packet_sock *k, u32 flags)
{
	s64 timeo = READ_ONCE(k->s.rcvtimeo);
	s64 deadline = socket_deadline(timeo, flags & MSG_DONTWAIT);
	int err = socket_take_error(&k->s);

	if (err || READ_ONCE(k->nqueued))
		return err;
	if (!deadline)
		return -EAGAIN;
	err = WAIT_EVENT(&k->wait, READ_ONCE(k->nqueued) || READ_ONCE(k->s.err), TS_SLEEPING,
			 deadline, true);
	return err ? socket_wait_error(err, timeo) : 0;
}

static struct pkt *take(struct packet_sock *k, bool peek)
{
	struct pkt *p = NULL;

	spin_lock(&k->qlock);
	if (!list_empty(&k->queue)) {
		p = list_first(&k->queue, struct pkt, link);
		if (peek) {
			pkt_get(p);
		} else {
			list_del(&p->link);
			WRITE_ONCE(k->nqueued, k->nqueued - 1);
		}
	}
	spin_unlock(&k->qlock);
	return p;
}

/* See packet.h. */
void packet_source(struct sock_addr *out, const struct pkt *p)
{
	give_addr(out, p->dev, p->ethertype, p->type);
	out->len = sizeof(struct sockaddr_ll);
	if (p->dev->hw_type == ARPHRD_ETHER)
		memcpy(out->bytes + offsetof(struct sockaddr_ll, sll_addr),
		       p->base + p->mac + ETH_ALEN, ETH_ALEN);
}

static void give_auxdata(struct sock_msg *m, const struct pkt *p)
{
	struct tpacket_auxdata aux = {
		.tp_status = TP_STATUS_USER | packet_csum_status(p),
		.tp_len = (u32)p->cb[0],
		.tp_snaplen = p->len,
		.tp_mac = 0,
		.tp_net = (u16)(p->net - (p->head - p->base)),
	};

	sock_msg_control(m, SOL_PACKET, PACKET_AUXDATA, &aux, sizeof(aux));
}

static ssize_t packet_recv(struct socket *s, struct sock_msg *m)
{
	u32 n, vnet = READ_ONCE(of(s)->vnet) ? sizeof(struct virtio_net_hdr) : 0;
	struct packet_sock *k = of(s);
	struct pkt *p;
	ssize_t got;

	if (m->flags & ~(MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_COMPAT | MSG_ERRQUEUE))
		return -EINVAL;
	if (m->flags & MSG_ERRQUEUE)
		return -EAGAIN;
	do {
		int err = wait_frame(k, m->flags);

		if (err)
			return err;
		p = take(k, m->flags & MSG_PEEK);
	} while (!p);
	got = vnet ? packet_vnet_give(m->data, p) : 0;
	if (got) {
		pkt_put(p);
		return got;
	}
	n = (u32)MIN((size_t)p->len, m->data->left);
	got = vnet + (m->flags & MSG_TRUNC ? p->len : n);
	if (n < p->len)
		m->out_flags |= MSG_TRUNC;
	if (m->addr && s->type == SOCK_PACKET)
		packet_old_source(m->addr, p);
	else if (m->addr)
		packet_source(m->addr, p);
	if (READ_ONCE(k->auxdata))
		give_auxdata(m, p);
	if (m->control)
		socket_tell_drops(s, m, (u32)p->cb[1]);
	if (socket_wants_stamp(s))
		socket_received(s, m, p->stamp);
	else if (unlikely(READ_ONCE(s->last_stamp) < 0))
		WRITE_ONCE(s->last_stamp, 0);
	if (pkt_to_uio(p, 0, m->data, n))
		got = -EFAULT;
	pkt_put(p);
	return got;
}

/* --- sending --- */

static void sent_release(struct pkt *p)
{
	struct packet_sock *k = p->owner;

	__atomic_sub_fetch(&k->wmem, p->charge, __ATOMIC_RELEASE);
	if (waitq_active(&k->wait))
		waitq_wake(&k->wait, ~0u, POLLOUT | POLLWRNORM | POLLWRBAND);
	packet_put(k);
}

/* See packet.h: device, protocol and address of the link, of the message or of the socket. */
int packet_find_target(struct packet_sock *k, const struct sock_msg *m, struct sockaddr_ll *to,
		       struct netdev **d)
{
	*to = (struct sockaddr_ll){ .sll_ifindex = (int)READ_ONCE(k->ifindex),
				    .sll_protocol = READ_ONCE(k->protocol) };
	if (m->addr && m->addr->len) {
		if (m->addr->len < offsetof(struct sockaddr_ll, sll_addr))
			return -EINVAL;
		memcpy(to, m->addr->bytes, MIN((size_t)m->addr->len, sizeof(*to)));
		if (to->sll_halen > 8 ||
		    m->addr->len < offsetof(struct sockaddr_ll, sll_addr) + to->sll_halen)
			return -EINVAL;
	}
	*d = netdev_by_index((u32)to->sll_ifindex);
	if (!*d)
		return -ENXIO;
	if (k->s.type == SOCK_DGRAM && (*d)->addr_len && m->addr && m->addr->len &&
	    to->sll_halen < (*d)->addr_len && (*d)->hw_type == ARPHRD_ETHER)
		return -EINVAL;
	return netdev_up(*d) ? 0 : -ENETDOWN;
}

/* See packet.h. */
int packet_wait_room(struct packet_sock *k, u32 flags)
{
	s64 timeo = READ_ONCE(k->s.sndtimeo);
	s64 deadline = socket_deadline(timeo, flags & MSG_DONTWAIT);
	int err = socket_take_error(&k->s);

	if (err || READ_ONCE(k->wmem) < (u32)READ_ONCE(k->s.sndbuf))
		return err;
	if (!deadline)
		return -EAGAIN;
	err = wait_event_interruptible_timeout(
		&k->wait, READ_ONCE(k->wmem) < (u32)READ_ONCE(k->s.sndbuf), deadline);
	return err ? socket_wait_error(err, timeo) : 0;
}

/* See packet.h. */
u32 packet_link_len(const struct packet_sock *k, const struct netdev *d)
{
	return k->s.type != SOCK_DGRAM && (d->hw_type == ARPHRD_ETHER || d == netdev_lo) ? ETH_HLEN
											 : 0;
}

/* See packet.h. What is behind the link's header is aligned. */
struct pkt *packet_alloc(struct packet_sock *k, const struct netdev *d, u32 len, u32 flags)
{
	struct pkt *p = pkt_alloc(PKT_HEADROOM + (-packet_link_len(k, d) & 3), len, flags);

	if (!p)
		return NULL;
	pkt_append(p, len);
	p->owner = k;
	p->charge = len + PKT_CHARGE;
	p->release = sent_release;
	ref_get(&k->refs);
	p->tell = __atomic_add_fetch(&k->wmem, p->charge, __ATOMIC_RELAXED) >=
		  (u32)READ_ONCE(k->s.sndbuf) / 2;
	return p;
}

/* See packet.h. */
int packet_transmit(struct packet_sock *k, struct netdev *d, const struct sockaddr_ll *to,
		    struct pkt *p)
{
	u32 hlen = packet_link_len(k, d);
	be16 proto = to->sll_protocol;

	/* A whole frame says itself what it carries: loopback believes nothing else. */
	if (hlen && (d == netdev_lo || !proto || proto == net16(ETH_P_ALL))) {
		memcpy(&proto, p->head + 2 * ETH_ALEN, sizeof(proto));
		if (net16(proto) < ETH_P_802_3_MIN)
			proto = net16(ETH_P_802_2);
	}
	p->ethertype = proto;
	p->net = (u16)(pkt_headroom(p) + hlen);
	pkt_set_mac(p);
	if (k->s.type == SOCK_DGRAM && d->hw_type == ARPHRD_ETHER &&
	    !ether_header(p, to->sll_addr, d->addr, net16(to->sll_protocol))) {
		pkt_put(p);
		return -EINVAL;
	}
	if (d == netdev_lo)
		pkt_pull(p, hlen); /* which has no header of its own */
	return netdev_xmit(d, p);
}

/* See packet.h. */
ssize_t packet_send_frame(struct packet_sock *k, struct netdev *d, const struct sockaddr_ll *to,
			  struct sock_msg *m)
{
	struct virtio_net_hdr h = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
	u32 hlen = packet_link_len(k, d);
	size_t whole = m->data->left, len;
	struct pkt *p;
	int err = READ_ONCE(k->vnet) ? packet_vnet_take(m->data, &h) : 0;

	if (err)
		return err;
	len = m->data->left;
	if (len > (h.gso_type ? PACKET_VNET_MAX : (size_t)d->mtu + hlen))
		return -EMSGSIZE;
	if (len < hlen)
		return -EINVAL;
	p = packet_alloc(k, d, (u32)len, 0);
	if (!p)
		return -ENOBUFS;
	err = pkt_from_uio(p, 0, m->data, (u32)len);
	if (!err && !vnethdr_take(p, &h))
		err = -EINVAL;
	if (err)
		pkt_put(p);
	else
		err = packet_transmit(k, d, to, p);
	return err ? err : (ssize_t)whole;
}

static ssize_t packet_send(struct socket *s, struct sock_msg *m)
{
	struct packet_sock *k = of(s);
	struct sockaddr_ll to;
	struct netdev *d;
	int err;

	if (READ_ONCE(k->tx.pages))
		return packet_ring_send(k, m);
	err = packet_find_target(k, m, &to, &d);
	if (!err)
		err = packet_wait_room(k, m->flags);
	return err ? err : packet_send_frame(k, d, &to, m);
}

/* --- options --- */

static int change_member(struct packet_sock *k, const struct packet_mreq *mr, bool add)
{
	struct netdev *d = netdev_by_index((u32)mr->mr_ifindex);
	struct packet_member *m, *found = NULL;
	int err = 0;

	if (!d)
		return -ENODEV;
	if (mr->mr_type > PACKET_MR_UNICAST)
		return -EINVAL;
	mutex_lock(&net_config_lock);
	list_for_each(m, &k->members, link) {
		if (m->index == d->index && m->type == mr->mr_type)
			found = m;
	}
	if (add && found) {
		found->count++;
	} else if (add) {
		m = kzalloc(sizeof(*m), 0);
		if (m) {
			*m = (struct packet_member){
				.dev = d, .index = d->index, .type = mr->mr_type, .count = 1
			};
			list_add(&k->members, &m->link);
			member_change(m, 1);
		} else {
			err = -ENOBUFS;
		}
	} else if (!found) {
		err = -EADDRNOTAVAIL;
	} else if (!--found->count) {
		member_change(found, -1);
		list_del(&found->link);
		kfree(found);
	}
	mutex_unlock(&net_config_lock);
	return err;
}

static int packet_setsockopt(struct socket *s, int level, int option, const void *val, u32 len)
{
	struct packet_sock *k = of(s);
	bool *flag = packet_flag(k, option);
	struct packet_mreq mr;
	int v = 0;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	if (flag) {
		memcpy(&v, val, MIN(len, (u32)sizeof(v)));
		if (len < sizeof(v) || (option == PACKET_IGNORE_OUTGOING && (v & ~1)))
			return -EINVAL;
		WRITE_ONCE(*flag, v != 0);
		return 0;
	}
	switch (option) {
	case PACKET_ADD_MEMBERSHIP:
	case PACKET_DROP_MEMBERSHIP:
		if (len < sizeof(mr))
			return -EINVAL;
		memcpy(&mr, val, sizeof(mr));
		return change_member(k, &mr, option == PACKET_ADD_MEMBERSHIP);
	case PACKET_VNET_HDR: return packet_vnet_set(k, val, len);
	case PACKET_FANOUT:
	case PACKET_FANOUT_DATA: return packet_fanout_setsockopt(k, option, val, len);
	}
	return packet_ring_setsockopt(k, option, val, len);
}

static int packet_getsockopt(struct socket *s, int level, int option, void *val, u32 *len)
{
	struct packet_sock *k = of(s);
	struct tpacket_stats_v3 st;
	u32 size;

	if (level != SOL_PACKET)
		return -ENOPROTOOPT;
	if (packet_flag(k, option))
		return inet_opt_give(READ_ONCE(*packet_flag(k, option)), val, len);
	switch (option) {
	case PACKET_STATISTICS: /* since they were asked for last */
		spin_lock(&k->qlock);
		st = (struct tpacket_stats_v3){ k->received, k->dropped, k->block.freezes };
		WRITE_ONCE(k->received, 0);
		WRITE_ONCE(k->dropped, 0);
		k->block.freezes = 0;
		spin_unlock(&k->qlock);
		size = READ_ONCE(k->version) == TPACKET_V3 ? sizeof(st)
							   : sizeof(struct tpacket_stats);
		*len = MIN(*len, size);
		memcpy(val, &st, *len);
		return 0;
	case PACKET_VNET_HDR: return inet_opt_give(READ_ONCE(k->vnet), val, len);
	case PACKET_FANOUT:
	case PACKET_ROLLOVER_STATS: return packet_fanout_getsockopt(k, option, val, len);
	}
	return packet_ring_getsockopt(k, option, val, len);
}

static u32 packet_poll(struct socket *s, struct poll_table *pt)
{
	struct packet_sock *k = of(s);

	poll_wait(pt, &k->wait);
	return packet_ring_poll(k) | (READ_ONCE(k->nqueued) ? POLLIN | POLLRDNORM : 0) |
	       (READ_ONCE(s->err) ? POLLERR : 0) |
	       (READ_ONCE(k->wmem) < (u32)READ_ONCE(s->sndbuf) / 2
			? POLLOUT | POLLWRNORM | POLLWRBAND
			: 0);
}

static long packet_queued(struct socket *s, bool out)
{
	struct packet_sock *k = of(s);
	long n = 0;

	if (out)
		return READ_ONCE(k->wmem);
	spin_lock(&k->qlock);
	if (!list_empty(&k->queue))
		n = list_first(&k->queue, struct pkt, link)->len;
	spin_unlock(&k->qlock);
	return n;
}

static u32 packet_charged(const struct socket *s, bool out)
{
	const struct packet_sock *k = container_of(s, const struct packet_sock, s);

	return out ? READ_ONCE(k->wmem) : READ_ONCE(k->rmem);
}

static void packet_device(struct socket *s)
{
	WRITE_ONCE(of(s)->ifindex, READ_ONCE(s->bound_dev));
}

static const struct sock_ops packet_ops = {
	.release = packet_release,
	.bind = packet_bind,
	.getname = packet_getname,
	.send = packet_send,
	.recv = packet_recv,
	.poll = packet_poll,
	.mmap = packet_ring_mmap,
	.queued = packet_queued,
	.setsockopt = packet_setsockopt,
	.getsockopt = packet_getsockopt,
	.charged = packet_charged,
	.device = packet_device,
};

/* SOCK_PACKET */
static const struct sock_ops old_ops = {
	.release = packet_release,
	.bind = packet_old_bind,
	.getname = packet_old_getname,
	.send = packet_old_send,
	.recv = packet_recv,
	.poll = packet_poll,
	.queued = packet_queued,
	.charged = packet_charged,
	.device = packet_device,
};

static int packet_create(int type, int protocol, struct socket **out)
{
	struct packet_sock *k;

	if (!cred_capable(current->cred, CAP_NET_RAW))
		return -EPERM;
	if (type != SOCK_RAW && type != SOCK_DGRAM && type != SOCK_PACKET)
		return -ESOCKTNOSUPPORT;
	k = kzalloc(sizeof(*k), 0);
	if (!k)
		return -ENOBUFS;
	socket_init(&k->s, type == SOCK_PACKET ? &old_ops : &packet_ops, AF_PACKET, (u16)type,
		    0); /* SO_PROTOCOL says nothing */
	ref_init(&k->refs, 1);
	spin_init(&k->qlock, RANK_NET_QUEUE);
	list_init(&k->queue);
	list_init(&k->members);
	waitq_init(&k->wait);
	packet_ring_init(k);
	spin_lock(&packet_lock);
	net_tap.see = packet_see;
	net_tap.gone = packet_gone;
	k->order = ++last_order;
	k->uid = current->cred->fsuid;
	list_add_tail(&socks, &k->all);
	set_protocol(k, (be16)protocol);
	spin_unlock(&packet_lock);
	*out = &k->s;
	return 0;
}
SOCK_FAMILY(packet, .family = AF_PACKET, .create = packet_create);

static int packet_show(struct sbuf *out, void *arg)
{
	struct packet_sock *k;

	sbuf_puts(out, "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
	spin_lock(&packet_lock);
	list_for_each(k, &socks, all) {
		sbuf_printf(out, "%016llx %-6u %-4u %04x   %-5u %u %-6u %-6u %-6llu\n", 0ull,
			    ref_read(&k->refs), k->s.type, net16(k->protocol), k->ifindex,
			    k->protocol != 0, READ_ONCE(k->rmem), k->uid,
			    (unsigned long long)k->s.ino);
	}
	spin_unlock(&packet_lock);
	return 0;
}
PROC_FILE(net_packet, "net/packet", 0444, .show = packet_show);
