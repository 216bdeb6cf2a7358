/*
 * Datagram sockets of AF_INET: UDP, raw IP, and ping.
 *
 * Binding and connecting change the endpoint (net/udp.h) under .lock. A connected socket keeps its
 * route and asks for a new one when the tables have changed. The object lives by the endpoint's
 * references: a packet on its way in may be the last to let go of it. So no data of the file is
 * touched once it is dead.
 *
 * What is sent is charged to the sender until the device has it (SO_SNDBUF). What is queued is
 * charged to the receiver (SO_RCVBUF; inet_recv.c). udp(7), raw(7), icmp(7).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/poll.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include "fs/procfs.h"
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"
#include "net/sock/inet.h"

static u32 dgram_charged(const struct socket *s, bool out)
{
	const struct inet_dgram *d = container_of(s, const struct inet_dgram, i.s);

	return out ? READ_ONCE(d->wmem) : READ_ONCE(d->rmem);
}

static const struct sock_ops dgram_ops;

/* See inet.h. ctx: any */
bool inet_is_dgram(const struct socket *s)
{
	return s->ops == &dgram_ops;
}

static struct inet_dgram *of_pcb(struct inet_pcb *pcb)
{
	return container_of(pcb, struct inet_dgram, pcb);
}

static void dgram_destroy(struct inet_pcb *pcb)
{
	struct inet_dgram *d = of_pcb(pcb);

	pkt_purge(&d->queue);
	inet_errq_free(&d->i);
	kfree(d);
}

/* Is it for this raw socket? holds: the bucket's lock */
static bool dgram_wants(struct inet_pcb *pcb, const struct pkt *p)
{
	struct inet_dgram *d = of_pcb(pcb);
	u32 filter = READ_ONCE(d->icmp_filter);

	if (pcb->table == PCB_RAW && pcb->proto == IPPROTO_ICMP) {
		u8 type;

		if (p->len < sizeof(struct icmphdr)) /* even without a filter */
			return false;
		pkt_copy_out(p, 0, &type, sizeof(type)); /* of pieces that were put together, too */
		if (type < 32 && (filter >> type & 1))
			return false;
	}
	return likely(!inet_is_multicast(pkt_net(p)->daddr)) || inet_mcast_wants(&d->i, p);
}

static const struct inet_pcb_ops dgram_pcb_ops = {
	.input = inet_dgram_input,
	.error = inet_dgram_error,
	.destroy = dgram_destroy,
	.wants = dgram_wants,
};

static int dgram_alloc(enum pcb_table table, int type, int protocol, struct socket **out)
{
	struct inet_dgram *d = kzalloc(sizeof(*d), 0);

	if (!d)
		return -ENOBUFS;
	inet_sock_init(&d->i, &dgram_ops, type, protocol);
	inet_pcb_init(&d->pcb, &dgram_pcb_ops, table, (u8)protocol);
	d->pcb.uid = current->cred->euid;
	d->pcb.owner = d;
	spin_init(&d->lock, RANK_NET_SOCK);
	spin_init(&d->qlock, RANK_NET_QUEUE);
	list_init(&d->queue);
	waitq_init(&d->wait);
	d->pcb.reuse = !inet_pcb_has_ports(&d->pcb);
	socket_set_option(&d->i.s, SO_REUSEADDR, d->pcb.reuse);
	if (table == PCB_RAW) { /* is there from the start: raw(7) */
		d->i.hdrincl = protocol == IPPROTO_RAW;
		if (protocol <= 255) /* no packet says that it is of another */
			(void)!inet_pcb_bind(&d->pcb, 0, 0);
	}
	*out = &d->i.s;
	return 0;
}

static int udp_create(int type, int protocol, struct socket **out)
{
	return dgram_alloc(protocol == IPPROTO_UDP ? PCB_UDP : PCB_LITE, type, protocol, out);
}
INET_TYPE(udp, .type = SOCK_DGRAM, .protocol = IPPROTO_UDP, .create = udp_create);
INET_TYPE(udplite, .type = SOCK_DGRAM, .protocol = IPPROTO_UDPLITE, .create = udp_create);

static int raw_create(int type, int protocol, struct socket **out)
{
	return dgram_alloc(PCB_RAW, type, protocol, out);
}

static bool raw_may(void)
{
	return cred_capable(current->cred, CAP_NET_RAW);
}
INET_TYPE(raw, .type = SOCK_RAW, .any = true, .may = raw_may, .create = raw_create);

static u32 ping_group_first = 1, ping_group_last; /* a: sysctl net.ipv4.ping_group_range: nobody */

static int ping_group_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%u\t%u\n", ping_group_first, ping_group_last);
	return 0;
}

static ssize_t ping_group_write(const char *text, size_t n, void *arg)
{
	u64 v[2] = { ping_group_first, ping_group_last };

	if (sysctl_row_write(text, n, &(struct sysctl_row){ v, 2, true, 0, 0xfffffffe }) < 0)
		return -EINVAL;
	WRITE_ONCE(ping_group_first, v[1] < v[0] ? 1 : (u32)v[0]); /* nobody: always written 1 0 */
	WRITE_ONCE(ping_group_last, v[1] < v[0] ? 0 : (u32)v[1]);
	return (ssize_t)n;
}
PROC_FILE(ping_group_range, "sys/net/ipv4/ping_group_range", 0644, .show = ping_group_show,
	  .write = ping_group_write);

static bool ping_may(void)
{
	const struct cred *c = current->cred;

	if (c->fsgid >= ping_group_first && c->fsgid <= ping_group_last)
		return true;
	for (u32 i = 0; i < c->ngroups; i++) {
		if (c->groups[i] >= ping_group_first && c->groups[i] <= ping_group_last)
			return true;
	}
	return false;
}

static int ping_create(int type, int protocol, struct socket **out)
{
	return dgram_alloc(PCB_PING, type, protocol, out);
}
INET_TYPE(ping, .type = SOCK_DGRAM, .protocol = IPPROTO_ICMP, .may = ping_may,
	  .create = ping_create);

/* --- the end --- */

static void dgram_release(struct socket *s)
{
	struct inet_dgram *d = dgram_of(s);

	spin_lock(&d->lock);
	inet_pcb_unbind(&d->pcb);
	WRITE_ONCE(d->dead, true);
	spin_unlock(&d->lock);
	inet_mcast_free(&d->i);
	pkt_put(d->cork);
	inet_pcb_put(&d->pcb);
}

/* --- ends --- */

/* See inet.h. ctx: thread */
int inet_dgram_autobind(struct inet_dgram *d)
{
	int err = 0;

	if (likely(READ_ONCE(d->pcb.bound)) || d->pcb.table == PCB_RAW)
		return 0;
	spin_lock(&d->lock);
	if (!d->pcb.bound && !d->dead)
		err = inet_pcb_bind(&d->pcb, d->pcb.laddr, 0);
	spin_unlock(&d->lock);
	return err == -EADDRINUSE ? -EAGAIN : err;
}

static int dgram_bind(struct socket *s, const struct sock_addr *a)
{
	struct inet_dgram *d = dgram_of(s);
	bool raw = d->pcb.table == PCB_RAW;
	struct sockaddr_in in;
	int err = inet_addr_in(a, &in);

	/* A program may say "any" without a family (bind(2) of old ones). */
	if (err == -EAFNOSUPPORT &&
	    (raw || (in.sin_family == AF_UNSPEC && !in.sin_addr.s_addr))) /* raw: any family */
		err = 0;
	if (!err)
		err = inet_may_bind(&d->i, in.sin_addr.s_addr, raw ? 0 : net16(in.sin_port));
	if (err)
		return err;
	spin_lock(&d->lock);
	if (raw ? d->pcb.faddr : d->pcb.bound) {
		err = -EINVAL;
		goto unlock;
	}
	if (raw) {
		inet_pcb_set_peer(&d->pcb, in.sin_addr.s_addr, 0, 0);
	} else {
		err = inet_pcb_bind(&d->pcb, in.sin_addr.s_addr, in.sin_port);
		err = err == -EAGAIN ? -EADDRINUSE : err;
		d->port_bound = !err && in.sin_port;
	}
	d->addr_bound = !err && in.sin_addr.s_addr;
	if (!err && inet_is_multicast(in.sin_addr.s_addr))
		d->rt.gen = 0;
unlock:
	spin_unlock(&d->lock);
	return err;
}

static int dgram_disconnect(struct inet_dgram *d)
{
	spin_lock(&d->lock);
	WRITE_ONCE(d->i.s.bound_dev, 0);
	inet_pcb_set_dev(&d->pcb, NULL);
	inet_pcb_set_peer(&d->pcb, d->addr_bound ? d->pcb.laddr : 0, 0, 0);
	if (!d->port_bound) { /* one of SOCK_RAW never hears anything again */
		inet_pcb_unbind(&d->pcb);
		d->pcb.lport = 0;
	}
	d->rt.gen = 0;
	spin_unlock(&d->lock);
	return 0;
}

static int dgram_connect(struct socket *s, const struct sock_addr *a, bool nonblock)
{
	struct inet_dgram *d = dgram_of(s);
	struct sockaddr_in in;
	struct route rt;
	be32 src;
	int err;

	if (a->len < sizeof(a->family))
		return -EINVAL;
	if (a->family == AF_UNSPEC)
		return dgram_disconnect(d);
	err = inet_dgram_autobind(d);
	if (!err)
		err = inet_addr_in(a, &in);
	if (err)
		return err;
	src = READ_ONCE(d->pcb.laddr);
	if (inet_is_multicast(src))
		src = 0;
	err = inet_route(&d->i, in.sin_addr.s_addr, src, &rt);
	if (err)
		return err;
	if (!in.sin_addr.s_addr)
		in.sin_addr.s_addr = rt.nexthop;
	spin_lock(&d->lock);
	inet_pcb_set_peer(&d->pcb, d->pcb.laddr ? d->pcb.laddr : rt.src, in.sin_addr.s_addr,
			  in.sin_port);
	d->rt = rt;
	spin_unlock(&d->lock);
	return 0;
}

static int dgram_getname(struct socket *s, bool peer, struct sock_addr *out)
{
	struct inet_dgram *d = dgram_of(s);
	be16 lport;

	if (peer && !READ_ONCE(d->pcb.fport))
		return -ENOTCONN;
	lport = d->pcb.table == PCB_RAW && READ_ONCE(d->pcb.bound) ? net16(d->pcb.proto)
								   : READ_ONCE(d->pcb.lport);
	inet_addr_out(out, peer ? READ_ONCE(d->pcb.faddr) : READ_ONCE(d->pcb.laddr),
		      peer ? READ_ONCE(d->pcb.fport) : lport);
	return 0;
}

static int dgram_shutdown(struct socket *s, u32 how)
{
	struct inet_dgram *d = dgram_of(s);

	__atomic_or_fetch(&d->shut, how, __ATOMIC_RELEASE);
	waitq_wake_all(&d->wait);
	return READ_ONCE(d->pcb.faddr) ? 0 : -ENOTCONN;
}

static void dgram_device(struct socket *s)
{
	struct inet_dgram *d = dgram_of(s);

	spin_lock(&d->lock);
	inet_pcb_set_dev(&d->pcb, netdev_bound(READ_ONCE(s->bound_dev)));
	d->rt.gen = 0;
	spin_unlock(&d->lock);
}

/* --- options --- */

static int udp_set(struct inet_dgram *d, int option, int v)
{
	switch (option) {
	case UDP_CORK: WRITE_ONCE(d->corked, v != 0); return v ? 0 : inet_dgram_push(d);
	case UDP_GRO: WRITE_ONCE(d->gro, v != 0); return 0;
	case UDP_SEGMENT:
		if (v < 0 || v > 0xffff)
			return -EINVAL;
		WRITE_ONCE(d->gso_size, (u16)v);
		return 0;
	case UDPLITE_SEND_CSCOV:
	case UDPLITE_RECV_CSCOV:
		if (d->pcb.table != PCB_LITE)
			return -ENOPROTOOPT;
		v = v ? MIN(MAX(v, 8), 0xffff) : 0; /* the header at least */
		if (option == UDPLITE_SEND_CSCOV)
			WRITE_ONCE(d->pcb.cover_out, v);
		else
			WRITE_ONCE(d->pcb.cover_in, v);
		return 0;
	}
	return -ENOPROTOOPT;
}

static int dgram_setsockopt(struct socket *s, int level, int option, const void *val, u32 len)
{
	struct inet_dgram *d = dgram_of(s);
	int v;

	if (level == SOL_IP)
		return inet_setsockopt(&d->i, option, val, len);
	if (level == SOL_SOCKET && len >= sizeof(v)) {
		memcpy(&v, val, sizeof(v));
		switch (option) {
		case SO_NO_CHECK: WRITE_ONCE(d->no_check, v != 0); break;
		case SO_REUSEADDR: WRITE_ONCE(d->pcb.reuse, v != 0); break;
		case SO_REUSEPORT: WRITE_ONCE(d->pcb.reuseport, v != 0); break;
		}
	}
	if (level == SOL_SOCKET) /* who has no ports, cannot peek at an offset */
		return option == SO_PEEK_OFF && !inet_pcb_has_ports(&d->pcb) ? -EOPNOTSUPP
									     : -ENOPROTOOPT;
	if (level == SOL_RAW && d->pcb.table == PCB_RAW && option == ICMP_FILTER) {
		if (d->pcb.proto != IPPROTO_ICMP)
			return -EOPNOTSUPP;
		v = (int)READ_ONCE(
			d->icmp_filter); /* of which a short value changes the first bytes */
		memcpy(&v, val, MIN(len, (u32)sizeof(v)));
		WRITE_ONCE(d->icmp_filter, (u32)v);
		return 0;
	}
	if (!inet_pcb_has_ports(&d->pcb) || (level != SOL_UDP && level != SOL_UDPLITE))
		return -ENOPROTOOPT;
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	return udp_set(d, option, v);
}

static int udp_get(struct inet_dgram *d, int option, void *val, u32 *len)
{
	int v = 0;

	switch (option) {
	case UDP_CORK: v = READ_ONCE(d->corked); break;
	case UDP_SEGMENT: v = READ_ONCE(d->gso_size); break;
	case UDPLITE_SEND_CSCOV: v = READ_ONCE(d->pcb.cover_out); break;
	case UDPLITE_RECV_CSCOV: v = MAX(READ_ONCE(d->pcb.cover_in), 0); break;
	case UDP_GRO: v = READ_ONCE(d->gro); break;
	default: return -ENOPROTOOPT;
	}
	*len = MIN(*len, (u32)sizeof(v));
	memcpy(val, &v, *len);
	return 0;
}

static int dgram_getsockopt(struct socket *s, int level, int option, void *val, u32 *len)
{
	struct inet_dgram *d = dgram_of(s);

	if (level == SOL_IP)
		return inet_getsockopt(&d->i, option, val, len);
	if (level == SOL_RAW && d->pcb.table == PCB_RAW && option == ICMP_FILTER)
		return d->pcb.proto == IPPROTO_ICMP
			       ? inet_opt_give((int)READ_ONCE(d->icmp_filter), val, len)
			       : -EOPNOTSUPP;
	if (level == SOL_SOCKET && option == SO_PEEK_OFF && !inet_pcb_has_ports(&d->pcb))
		return -EOPNOTSUPP;
	if (inet_pcb_has_ports(&d->pcb) && (level == SOL_UDP || level == SOL_UDPLITE))
		return udp_get(d, option, val, len);
	return level == SOL_SOCKET || (level == SOL_RAW && d->pcb.table == PCB_RAW) ? -ENOPROTOOPT
										    : -EOPNOTSUPP;
}

static int dgram_control(struct socket *s, struct sock_msg *m, int level, int type,
			 const void *data, u32 len)
{
	struct in_pktinfo info;
	int v = 0;

	if (level == SOL_UDP && type == UDP_SEGMENT && len >= sizeof(u16)) {
		m->inet.gso_size = *(const u16 *)data;
		m->inet.given = true;
		return 0;
	}
	if (level != SOL_IP)
		return 0;
	m->inet.given = true;
	memcpy(&v, data, MIN(len, (u32)sizeof(v)));
	switch (type) {
	case IP_PKTINFO:
		if (len != sizeof(info))
			return -EINVAL;
		memcpy(&info, data, sizeof(info));
		m->inet.dev = (u32)info.ipi_ifindex;
		m->inet.src = info.ipi_spec_dst.s_addr;
		return 0;
	case IP_TTL: m->inet.ttl = v; return len == sizeof(v) && v >= 1 && v <= 255 ? 0 : -EINVAL;
	case IP_TOS:
		m->inet.tos = v;
		return (len == sizeof(v) || len == 1) && v >= 0 && v <= 255 ? 0 : -EINVAL;
	}
	return -EINVAL;
}

/* --- poll and the like --- */

/* See inet.h. ctx: any */
bool inet_dgram_writable(const struct inet_dgram *d)
{
	return READ_ONCE(d->wmem) < (u32)READ_ONCE(d->i.s.sndbuf) / 2;
}

static u32 dgram_poll(struct socket *s, struct poll_table *pt)
{
	struct inet_dgram *d = dgram_of(s);
	u32 shut, events = 0;

	poll_wait(pt, &d->wait);
	shut = READ_ONCE(d->shut);
	if (READ_ONCE(s->err) || unlikely(inet_errq_events(&d->i)))
		events |= POLLERR | (socket_option(s, SO_SELECT_ERR_QUEUE) ? POLLPRI : 0);
	if (READ_ONCE(d->nqueued))
		events |= POLLIN | POLLRDNORM;
	if (shut & SHUT_READ)
		events |= POLLIN | POLLRDNORM | POLLRDHUP;
	if (shut == (SHUT_READ | SHUT_WRITE))
		events |= POLLHUP;
	if (inet_dgram_writable(d))
		events |= POLLOUT | POLLWRNORM | POLLWRBAND;
	return events;
}

static long dgram_queued(struct socket *s, bool out)
{
	struct inet_dgram *d = dgram_of(s);
	long n = 0;

	if (out)
		return READ_ONCE(d->wmem);
	spin_lock(&d->qlock);
	if (!list_empty(&d->queue))
		n = list_first(&d->queue, struct pkt, link)->len;
	spin_unlock(&d->qlock);
	return n;
}

static int dgram_chooser(struct socket *s, struct net_chooser *c)
{
	struct inet_dgram *d = dgram_of(s);
	int err = 0;

	spin_lock(&d->lock);
	if (d->pcb.table != PCB_UDP || !d->pcb.reuseport)
		err = -EINVAL;
	if (!err && !inet_pcb_set_chooser(&d->pcb, c) && !c)
		err = -ENOENT;
	spin_unlock(&d->lock);
	return err;
}

static int dgram_number(struct socket *s)
{
	inet_stamp_number(inet_of(s), 0);
	return 0;
}

static const struct sock_ops dgram_ops = {
	.number = dgram_number,
	.chooser = dgram_chooser,
	.release = dgram_release,
	.bind = dgram_bind,
	.connect = dgram_connect,
	.getname = dgram_getname,
	.send = inet_dgram_send,
	.recv = inet_dgram_recv,
	.shutdown = dgram_shutdown,
	.poll = dgram_poll,
	.queued = dgram_queued,
	.charged = dgram_charged,
	.setsockopt = dgram_setsockopt,
	.getsockopt = dgram_getsockopt,
	.control = dgram_control,
	.late_control = true,
	.peek_off = true,
	.device = dgram_device,
};
