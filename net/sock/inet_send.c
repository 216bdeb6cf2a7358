/*
 * Datagram sockets of AF_INET: sending.
 *
 * A datagram is one packet from the start: its data is copied from the user into it, and headers
 * are put in front. With UDP_CORK or MSG_MORE several calls make one datagram, which waits in
 * ->cork. With UDP_SEGMENT one call makes several datagrams, cut by the device or just before it.
 */
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/poll.h>
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "net/arp.h"
#include "net/sock/inet.h"

#define UDP_PIECES_MAX 128u /* datagrams that UDP_SEGMENT makes of one call at most */

/* Where one datagram goes, and how. */
struct sending {
	struct sockaddr_in to;
	be32 src; /* wanted; 0: by route */
	struct route rt;
	struct ip_out o;
	u8 ipopt[IP_OPTIONS_MAX];
	u16 gso_size;
	u8 stamp; /* PKT_STAMP_* */
};

static void sent_release(struct pkt *p)
{
	struct inet_dgram *d = p->owner;

	__atomic_sub_fetch(&d->wmem, p->charge, __ATOMIC_RELEASE);
	if (waitq_active(&d->wait) && inet_dgram_writable(d))
		waitq_wake(&d->wait, ~0u, POLLOUT | POLLWRNORM | POLLWRBAND);
	inet_pcb_put(&d->pcb);
}

/* See inet.h. ctx: thread */
void inet_dgram_stamped(struct pkt *p, u32 what)
{
	struct inet_dgram *d = p->owner;

	inet_errq_stamp(&d->i, p, what, (u32)p->cb[5]);
	inet_dgram_wake_error(d);
}

/* The destination: of this message, or of the connected socket. */
static int find_target(struct inet_dgram *d, struct sock_msg *m, struct sending *x)
{
	int err;

	if (!m->addr || !m->addr->len) {
		x->to.sin_addr.s_addr = READ_ONCE(d->pcb.faddr);
		x->to.sin_port = READ_ONCE(d->pcb.fport);
		return x->to.sin_addr.s_addr ? 0 : -EDESTADDRREQ;
	}
	err = inet_addr_in(m->addr, &x->to);
	if (err == -EAFNOSUPPORT && x->to.sin_family == AF_UNSPEC && d->pcb.table != PCB_PING)
		err = 0;
	if (!err && inet_pcb_has_ports(&d->pcb) && !x->to.sin_port)
		err = -EINVAL;
	return err;
}

/* The connected end's route, renewed if the tables changed since. */
static int connected_route(struct inet_dgram *d, struct sending *x)
{
	int err;

	spin_lock(&d->lock);
	x->rt = d->rt;
	spin_unlock(&d->lock);
	if (likely(route_valid(&x->rt)))
		return 0;
	err = inet_route(&d->i, x->to.sin_addr.s_addr, x->src, &x->rt);
	if (!err) {
		spin_lock(&d->lock);
		if (d->pcb.faddr == x->to.sin_addr.s_addr)
			d->rt = x->rt;
		spin_unlock(&d->lock);
	}
	return err;
}

static int find_route(struct inet_dgram *d, struct sock_msg *m, struct sending *x)
{
	bool own = m->addr && m->addr->len;

	x->src = READ_ONCE(d->pcb.laddr);
	if (inet_is_multicast(x->src) || x->src == IP_BROADCAST)
		x->src = 0;
	if (unlikely(m->inet.given)) {
		const struct netdev *dev = netdev_by_index(m->inet.dev);

		if (m->inet.src) {
			if (!ip_addr_is_local(m->inet.src) && !READ_ONCE(d->i.freebind))
				return -EINVAL;
			x->src = m->inet.src;
		}
		if (m->inet.dev) {
			int err = dev ? route_lookup(x->to.sin_addr.s_addr, x->src, dev, &x->rt)
				      : -ENODEV;

			if (!err && x->rt.type == ROUTE_BROADCAST &&
			    !socket_option(&d->i.s, SO_BROADCAST))
				err = -EACCES;
			return err;
		}
		own = true;
	}
	return own ? inet_route(&d->i, x->to.sin_addr.s_addr, x->src, &x->rt)
		   : connected_route(d, x);
}

static void fill_out(struct inet_dgram *d, const struct sock_msg *m, struct sending *x, u32 len)
{
	x->o = (struct ip_out){
		.src = x->src ? x->src : x->rt.src,
		.dst = x->to.sin_addr.s_addr ? x->to.sin_addr.s_addr : x->rt.nexthop,
		.proto = d->pcb.proto,
		.ttl = inet_ttl(&d->i, &x->rt),
		.tos = READ_ONCE(d->i.tos),
	};
	if (unlikely(m->inet.given)) {
		if (m->inet.ttl >= 0)
			x->o.ttl = (u8)m->inet.ttl;
		if (m->inet.tos >= 0)
			x->o.tos = (u8)m->inet.tos;
	}
	x->gso_size = (u16)(m->inet.gso_size ? m->inet.gso_size : READ_ONCE(d->gso_size));
	x->stamp = inet_stamp_wanted(&d->i, m) & (PKT_STAMP_SEND | PKT_STAMP_SCHED);
	if (x->gso_size >= len || d->pcb.table != PCB_UDP)
		x->gso_size = 0;
	if (unlikely(READ_ONCE(d->ipoptlen)))
		inet_ipopt_build(d, &x->o, x->ipopt);
	x->o.df = inet_df(&d->i, &x->rt,
			  (x->gso_size ? x->gso_size : len) + IP_HEADER_LEN + x->o.optlen + 8);
}

/* Room in the send buffer, waited for. 0, -EAGAIN, -EPIPE, -EINTR... */
static int wait_room(struct inet_dgram *d, u32 flags)
{
	s64 timeo = READ_ONCE(d->i.s.sndtimeo);
	s64 deadline = socket_deadline(timeo, flags & MSG_DONTWAIT);
	int err = socket_take_error(&d->i.s);

	if (err)
		return err;
	/* A raw socket's end is not looked at, as in Linux, unless headers are the user's. */
	while (!(READ_ONCE(d->shut) & SHUT_WRITE) ||
	       (d->pcb.table == PCB_RAW && !READ_ONCE(d->i.hdrincl))) {
		if (likely(READ_ONCE(d->wmem) < (u32)READ_ONCE(d->i.s.sndbuf)))
			return 0;
		if (!deadline) {
			net_count(UDP_SNDBUF_ERRORS);
			return -EAGAIN;
		}
		err = wait_event_interruptible_timeout(
			&d->wait,
			READ_ONCE(d->wmem) < (u32)READ_ONCE(d->i.s.sndbuf) ||
				(READ_ONCE(d->shut) & SHUT_WRITE),
			deadline);
		if (err)
			return socket_wait_error(err, timeo);
	}
	return -EPIPE;
}

/* A packet with the data of the message, charged to the socket. */
static int make_packet(struct inet_dgram *d, struct uio *u, u32 len, struct pkt **out)
{
	struct pkt *p = pkt_alloc_len(PKT_HEADROOM, len, 0);

	if (!p)
		return -ENOBUFS;
	if (pkt_from_uio(p, 0, u, len)) {
		pkt_put(p);
		return -EFAULT;
	}
	p->charge = len + PKT_CHARGE;
	p->owner = d;
	p->release = sent_release;
	inet_pcb_get(&d->pcb);
	p->tell = __atomic_add_fetch(&d->wmem, p->charge, __ATOMIC_RELAXED) >=
		  (u32)READ_ONCE(d->i.s.sndbuf) / 2;
	*out = p;
	return 0;
}

/* An echo request with the socket's identifier: nothing else may be sent. */
static int ping_header(struct inet_dgram *d, struct pkt *p)
{
	struct icmphdr *h = (struct icmphdr *)p->head;

	if (!pkt_linear(p, sizeof(*h)) || h->type != ICMP_ECHO || h->code)
		return -EINVAL;
	h->un.echo.id = READ_ONCE(d->pcb.lport);
	h->checksum = 0;
	h->checksum = (u16)~cksum_fold(pkt_cksum(p, 0, p->len, 0));
	return 0;
}

/* A header that the user made: lengths and sums are ours, an address and number left out too. */
static int send_hdrincl(struct pkt *p, const struct sending *x)
{
	struct iphdr *h = (struct iphdr *)p->head;
	u32 hlen;

	if (p->len > x->rt.mtu || x->o.optlen) { /* whose header has its own options */
		pkt_put(p);
		return x->o.optlen ? -EINVAL : -EMSGSIZE;
	}
	hlen = pkt_linear(p, sizeof(*h)) ? h->ihl * 4u : 0;
	if (hlen < sizeof(*h) || !pkt_linear(p, hlen)) {
		pkt_put(p);
		return -EINVAL;
	}
	if (!h->saddr)
		h->saddr = x->o.src;
	if (!h->id && !(h->frag_off & net16(IP_DF)))
		h->id = net16(ip_next_id(h->daddr, 1));
	if (x->rt.type == ROUTE_LOCAL)
		p->cb[0] |= IP_CB_HERE;
	h->tot_len = net16((u16)p->len);
	h->check = 0;
	h->check = (u16)~cksum_fold(cksum_add(h, hlen, 0));
	p->proto = h->protocol;
	return ip_output_raw(p, &x->rt);
}

/* Consumes @p. */
static int transmit(struct inet_dgram *d, struct pkt *p, const struct sending *x)
{
	int err;

	if (!READ_ONCE(d->i.mc_loop))
		p->cb[0] = IP_CB_NO_LOOP;
	if (unlikely(x->stamp) && p->owner) {
		p->stamped = x->stamp;
		p->cb[5] = inet_stamp_next(&d->i);
	}
	switch (d->pcb.table) {
	case PCB_UDP:
		if (x->gso_size) {
			if (p->len > x->gso_size * UDP_PIECES_MAX ||
			    x->gso_size + IP_HEADER_LEN + x->o.optlen + 8u > x->rt.mtu) {
				pkt_put(p);
				return -EINVAL;
			}
			p->gso_size = x->gso_size;
			p->gso_type = PKT_GSO_UDP;
		}
		return udp_output(p, &x->rt, &x->o, READ_ONCE(d->pcb.lport), x->to.sin_port,
				  !READ_ONCE(d->no_check) || x->gso_size);
	case PCB_LITE:
		return udplite_output(p, &x->rt, &x->o, READ_ONCE(d->pcb.lport), x->to.sin_port,
				      (u32)READ_ONCE(d->pcb.cover_out));
	case PCB_PING:
		err = ping_header(d, p);
		if (!err)
			return ip_output(p, &x->rt, &x->o);
		pkt_put(p);
		return err;
	default: return READ_ONCE(d->i.hdrincl) ? send_hdrincl(p, x) : ip_output(p, &x->rt, &x->o);
	}
}

/* What ends the call: a full device is not the sender's fault unless he wants to know (ip(7)). */
static int outcome(struct inet_dgram *d, int err, const struct sending *x)
{
	if (err == -EMSGSIZE && READ_ONCE(d->i.recverr))
		inet_errq_local(&d->i, EMSGSIZE, x->rt.mtu, &x->to);
	if (err == -ENOBUFS && !READ_ONCE(d->i.recverr))
		return 0;
	return err;
}

/* --- several calls, one datagram --- */

/* Add the data of this call to what waits. 0 or -errno */
static int cork_add(struct inet_dgram *d, struct sock_msg *m, const struct sending *x)
{
	u32 len = (u32)m->data->left, before;
	struct pkt *whole, *old;
	int err;

	spin_lock(&d->lock);
	old = d->cork;
	d->cork = NULL;
	spin_unlock(&d->lock);
	before = old ? old->len : 0;
	if (before + len > IP_MAX_LEN - IP_HEADER_LEN - 8)
		err = -EMSGSIZE;
	else
		err = wait_room(d, m->flags);
	if (err)
		goto drop;
	whole = pkt_alloc_len(PKT_HEADROOM, before + len, 0);
	err = whole ? pkt_from_uio(whole, before, m->data, len) : -ENOBUFS;
	if (err) {
		pkt_put(whole);
		goto drop;
	}
	for (u32 at = 0; at < before;) {
		u8 bytes[512];
		u32 n = MIN(before - at, (u32)sizeof(bytes));

		pkt_copy_out(old, at, bytes, n);
		pkt_copy_in(whole, at, bytes, n);
		at += n;
	}
	pkt_put(old);
	spin_lock(&d->lock);
	if (!old) {
		d->cork_to = x->to;
		d->cork_gso = m->inet.gso_size;
	}
	old = d->cork; /* of another thread's call meanwhile */
	d->cork = whole;
	spin_unlock(&d->lock);
	pkt_put(old);
	return 0;

drop:
	pkt_put(old);
	return err;
}

/* See inet.h. ctx: thread; sleeps: no */
int inet_dgram_push(struct inet_dgram *d)
{
	struct sock_addr to = { .len = sizeof(struct sockaddr_in) };
	struct sock_msg m = { .addr = &to };
	struct sending x = { 0 };
	struct pkt *p;
	int err;

	spin_lock(&d->lock);
	p = d->cork;
	d->cork = NULL;
	x.to = d->cork_to;
	m.inet.gso_size = d->cork_gso;
	spin_unlock(&d->lock);
	if (!p)
		return 0;
	err = find_route(d, &m, &x);
	if (err) {
		pkt_put(p);
		return err;
	}
	fill_out(d, &m, &x, p->len);
	return outcome(d, transmit(d, p, &x), &x);
}

static bool corking(const struct inet_dgram *d, const struct sock_msg *m)
{
	return inet_pcb_has_ports(&d->pcb) &&
	       ((m->flags & MSG_MORE) || READ_ONCE(d->corked) || READ_ONCE(d->cork));
}

static ssize_t send_corked(struct inet_dgram *d, struct sock_msg *m, const struct sending *x)
{
	ssize_t len = (ssize_t)m->data->left;
	struct pkt *notice = NULL;
	int err = m->flags & MSG_ZEROCOPY ? inet_errq_zerocopy(&d->i, m, &notice) : 0;

	if (!err)
		err = cork_add(d, m, x);
	if (!err && !(m->flags & MSG_MORE) && !READ_ONCE(d->corked))
		err = inet_dgram_push(d);
	if (unlikely(notice) && inet_errq_complete(&d->i, notice, !err))
		inet_dgram_wake_error(d);
	return err ? err : len;
}

/* See inet.h. */
ssize_t inet_dgram_send(struct socket *s, struct sock_msg *m)
{
	struct inet_dgram *d = dgram_of(s);
	size_t len = m->data->left;
	struct sending x;
	struct pkt *p, *notice = NULL;
	int err;

	err = inet_dgram_autobind(d); /* first of all, as Linux: it stays if the rest fails */
	if (err)
		return err;
	if (len > IP_MAX_LEN)
		return -EMSGSIZE;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	x.to = (struct sockaddr_in){ 0 };
	err = find_target(d, m, &x);
	if (!err)
		err = m->control_err;
	if (!err)
		err = find_route(d, m, &x);
	if (err)
		return err;
	if (unlikely(corking(d, m)))
		return send_corked(d, m, &x);
	fill_out(d, m, &x, (u32)len);
	if (len > IP_MAX_LEN - IP_HEADER_LEN - (inet_pcb_has_ports(&d->pcb) ? 8u : 0) &&
	    !READ_ONCE(d->i.hdrincl))
		return -EMSGSIZE;
	err = wait_room(d, m->flags);
	if (unlikely(m->flags & MSG_ZEROCOPY) && !err)
		err = inet_errq_zerocopy(&d->i, m, &notice);
	if (!err)
		err = make_packet(d, m->data, (u32)len, &p);
	if (err)
		goto complete;
	if (unlikely(m->flags & MSG_CONFIRM))
		arp_confirm(x.rt.dev, x.rt.nexthop);
	err = outcome(d, transmit(d, p, &x), &x);
complete:
	if (unlikely(notice) && inet_errq_complete(&d->i, notice, !err))
		inet_dgram_wake_error(d);
	return err ? err : (ssize_t)len;
}
