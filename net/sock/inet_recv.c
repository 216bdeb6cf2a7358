/*
 * Datagram sockets of AF_INET: receiving.
 *
 * Packets and errors come from the protocols in any thread, with preemption perhaps off, and are
 * put on a queue; receivers take them off and copy. A receiver that only looks (MSG_PEEK) takes a
 * reference and leaves the packet. What is queued is charged by its memory; beyond SO_RCVBUF
 * packets are lost.
 *
 * Errors that ICMP reports make the next call fail when the socket is connected; with IP_RECVERR
 * they are kept with the packet that they are about, for MSG_ERRQUEUE. ip(7), recv(2).
 */
#include <asm/siginfo.h>
#include <linux/errno.h>
#include <linux/poll.h>
#include <linux/udp.h>
#include "fs/async.h"
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "net/sock/inet.h"
#include "net/sock/sockfilter.h"

static struct inet_dgram *of_pcb(struct inet_pcb *pcb)
{
	return container_of(pcb, struct inet_dgram, pcb);
}

static void received_release(struct pkt *p)
{
	struct inet_dgram *d = p->owner;

	__atomic_sub_fetch(&d->rmem, p->charge, __ATOMIC_RELAXED);
}

/* --- from the protocols --- */

static void wake(struct inet_dgram *d, u32 key, int code)
{
	waitq_wake(&d->wait, key & POLLERR ? ~0u : 1, key);
	if (!READ_ONCE(d->dead))
		async_notify(&d->i.s.async, code);
}

/*
 * What a packet of @len bytes costs its receiver: as on Linux, where memory comes in powers of two
 * and holds headers and a record too, so that as many fit into SO_RCVBUF.
 */
static u32 received_charge(u32 len)
{
	return (2u << (31 - __builtin_clz(len + 383))) + 256;
}

/* See inet.h. ctx: thread; sleeps: no */
void inet_dgram_input(struct inet_pcb *pcb, struct pkt *p)
{
	struct inet_dgram *d = of_pcb(pcb);
	struct socket *s = &d->i.s;
	u32 charge = received_charge(p->len);
	bool full;

	/* The program sees UDP's header too; IP's, for raw sockets, is in the packet already. */
	if (unlikely(READ_ONCE(s->filter)) &&
	    !socket_filter_run(s, p, inet_pcb_has_ports(pcb) ? sizeof(struct udphdr) : 0))
		goto drop;
	full = READ_ONCE(d->rmem) > (u32)READ_ONCE(s->rcvbuf);
	if (unlikely(full)) {
		net_count(UDP_RCVBUF_ERRORS);
		net_count(UDP_IN_ERRORS);
		__atomic_add_fetch(&s->drops, 1, __ATOMIC_RELAXED);
		goto drop;
	}
	pkt_orphan(p);
	p->charge = charge;
	p->owner = d;
	p->release = received_release;
	__atomic_add_fetch(&d->rmem, charge, __ATOMIC_RELAXED);
	if (unlikely(socket_wants_stamp(s)) && !p->stamp)
		p->stamp = time_wall();
	p->cb[0] = READ_ONCE(s->drops);
	socket_came_in(s);
	spin_lock(&d->qlock);
	list_add_tail(&d->queue, &p->link);
	WRITE_ONCE(d->nqueued, d->nqueued + 1);
	spin_unlock(&d->qlock);
	wake(d, POLLIN | POLLRDNORM, POLL_IN);
	return;

drop:
	pkt_put(p);
}

/* See inet.h. ctx: any */
void inet_dgram_wake_error(struct inet_dgram *d)
{
	wake(d, POLLERR, POLL_ERR);
}

/* See inet.h. ctx: thread; sleeps: no */
void inet_dgram_error(struct inet_pcb *pcb, struct pkt *p, const struct net_error *e)
{
	struct inet_dgram *d = of_pcb(pcb);
	bool connected = READ_ONCE(pcb->faddr), hard = e->hard;
	struct inet_error de = {
		.ee = { .ee_errno = (u32)e->err,
			.ee_origin = SO_EE_ORIGIN_ICMP,
			.ee_type = e->type,
			.ee_code = e->code,
			.ee_info = e->info },
		.offender = e->from,
		.dst = pkt_net(p)->daddr,
		.named = true,
	};
	struct pkt *copy;

	if (e->err == EMSGSIZE)
		hard = READ_ONCE(d->i.pmtudisc) != IP_PMTUDISC_DONT;
	if (!READ_ONCE(d->i.recverr)) {
		if (!hard || !connected)
			return;
	} else {
		if (inet_pcb_has_ports(pcb))
			de.port = ((const be16 *)pkt_transport(p))[1];
		copy = pkt_copy(p, 0);
		if (copy)
			inet_errq_add(&d->i, copy, &de);
	}
	WRITE_ONCE(d->i.s.err, e->err);
	wake(d, POLLERR, POLL_ERR);
}

/* --- to the user --- */

/*
 * The first of the queue; @peek: it stays. With SO_PEEK_OFF, *off bytes are passed over, and those
 * left are of the packet. NULL: there is none; *passed is how many were passed over.
 */
static struct pkt *queue_take(struct inet_dgram *d, bool peek, u32 *off, u32 *passed)
{
	struct pkt *p = NULL, *q;

	*passed = 0;
	spin_lock(&d->qlock);
	list_for_each(q, &d->queue, link) {
		if (likely(!*off || *off < q->len)) {
			p = q;
			break;
		}
		*off -= q->len;
		++*passed;
	}
	if (p && peek) {
		pkt_get(p);
	} else if (p) {
		list_del(&p->link);
		WRITE_ONCE(d->nqueued, d->nqueued - 1);
	}
	spin_unlock(&d->qlock);
	return p;
}

/* 0: look at the queue again; 1: the end (shutdown); or -errno. */
static int wait_packet(struct inet_dgram *d, u32 flags, u32 passed)
{
	s64 timeo = READ_ONCE(d->i.s.rcvtimeo);
	s64 deadline = socket_deadline(timeo, flags & MSG_DONTWAIT);
	int err = socket_take_error(&d->i.s);

	if (err)
		return err;
	if (READ_ONCE(d->nqueued) != passed)
		return 0;
	if (!deadline) /* also after a shutdown: only who would wait is told of the end */
		return -EAGAIN;
	if (READ_ONCE(d->shut) & SHUT_READ)
		return 1;
	err = WAIT_EVENT(&d->wait,
			 READ_ONCE(d->nqueued) != passed || READ_ONCE(d->i.s.err) ||
				 (READ_ONCE(d->shut) & SHUT_READ),
			 TS_SLEEPING, deadline, true);
	return err ? socket_wait_error(err, timeo) : 0;
}

static void give_control(struct inet_dgram *d, struct sock_msg *m, struct pkt *p)
{
	const struct iphdr *ip = pkt_net(p);
	u8 want = READ_ONCE(d->i.recv);

	if (want & INET_RECV_PKTINFO) {
		struct in_pktinfo info = { .ipi_ifindex = (int)p->dev->index };

		info.ipi_addr.s_addr = ip->daddr;
		if (d->pcb.table != PCB_PING) /* which Linux does not tell */
			info.ipi_spec_dst.s_addr = ip_addr_is_local(ip->daddr)
							   ? ip->daddr
							   : ip_addr_source(p->dev, ip->saddr);
		sock_msg_control(m, SOL_IP, IP_PKTINFO, &info, sizeof(info));
	}
	if (want & INET_RECV_TTL) {
		int ttl = ip->ttl;

		sock_msg_control(m, SOL_IP, IP_TTL, &ttl, sizeof(ttl));
	}
	if (want & INET_RECV_TOS)
		sock_msg_control(m, SOL_IP, IP_TOS, &ip->tos, sizeof(ip->tos));
	if ((want & INET_RECV_OPTS) && ip->ihl > 5)
		sock_msg_control(m, SOL_IP, IP_RECVOPTS, ip + 1, ip->ihl * 4u - 20);
	if ((want & INET_RECV_RETOPTS) && ip->ihl > 5)
		sock_msg_control(m, SOL_IP, IP_RETOPTS, ip + 1, ip->ihl * 4u - 20);
	if (want & INET_RECV_ORIGDST) {
		struct sock_addr a;

		inet_addr_out(&a, ip->daddr, READ_ONCE(d->pcb.lport));
		sock_msg_control(m, SOL_IP, IP_ORIGDSTADDR, a.bytes, a.len);
	}
}

/* Copy the packet's data out; bytes (with MSG_TRUNC all that there were), or -EFAULT. */
static ssize_t give_data(struct sock_msg *m, const struct pkt *p, u32 off)
{
	u32 n = (u32)MIN((size_t)(p->len - off), m->data->left);

	if (n < p->len - off)
		m->out_flags |= MSG_TRUNC;
	if (pkt_to_uio(p, off, m->data, n))
		return -EFAULT;
	return m->flags & MSG_TRUNC ? p->len : n;
}

/* May @q follow @p, of which it is no more than a piece, in one message? */
static bool may_follow(const struct pkt *p, const struct pkt *q)
{
	const struct iphdr *a = pkt_net(p), *b = pkt_net(q);

	return q->len && q->len <= p->len && a->saddr == b->saddr && a->daddr == b->daddr &&
	       a->tos == b->tos && a->ttl == b->ttl && a->ihl == 5 && b->ihl == 5 &&
	       *(const be16 *)pkt_transport(p) == *(const be16 *)pkt_transport(q);
}

/*
 * UDP_GRO: datagrams behind @p from the same sender, as long as @p but the last, which may be
 * shorter, make one message with it, as far as there is room for them. How many bytes more; the
 * receiver is told how long each is.
 */
static ssize_t take_more(struct inet_dgram *d, struct sock_msg *m, const struct pkt *p)
{
	int size = (int)p->len;
	ssize_t more = 0;
	bool last = !p->len;

	while (!last) {
		struct pkt *q = NULL;

		spin_lock(&d->qlock);
		if (!list_empty(&d->queue))
			q = list_first(&d->queue, struct pkt, link);
		if (q && may_follow(p, q) && q->len <= m->data->left &&
		    p->len + (u32)more + q->len <= IP_MAX_LEN) {
			list_del(&q->link);
			WRITE_ONCE(d->nqueued, d->nqueued - 1);
		} else {
			q = NULL;
		}
		spin_unlock(&d->qlock);
		if (!q)
			break;
		last = pkt_to_uio(q, 0, m->data, q->len);
		if (!last) {
			more += q->len;
			last = q->len < p->len;
		}
		pkt_put(q);
	}
	if (more)
		sock_msg_control(m, SOL_UDP, UDP_GRO, &size, sizeof(size));
	return more;
}

static void give_source(const struct inet_dgram *d, struct sock_msg *m, const struct pkt *p)
{
	be16 port = 0;

	if (inet_pcb_has_ports(&d->pcb))
		port = *(const be16 *)pkt_transport(p);
	inet_addr_out(m->addr, pkt_net(p)->saddr, port);
}

/* See inet.h. ctx: thread; sleeps */
ssize_t inet_dgram_recv(struct socket *s, struct sock_msg *m)
{
	struct inet_dgram *d = dgram_of(s);
	u32 off, passed;
	bool waited = false;
	struct pkt *p;
	ssize_t n;

	if (unlikely(m->flags & MSG_ERRQUEUE))
		return inet_errq_recv(&d->i, m);
	if ((m->flags & MSG_OOB) && !inet_pcb_has_ports(&d->pcb))
		return -EOPNOTSUPP; /* UDP passes over the word */
	for (;;) {
		int err = READ_ONCE(s->err) ? socket_take_error(s) : 0;

		if (err)
			return err;
		off = socket_peek_from(s, m->flags);
		p = queue_take(d, m->flags & MSG_PEEK, &off, &passed);
		if (p)
			break;
		err = wait_packet(d, m->flags, passed);
		if (err)
			return err < 0 ? err : 0;
		waited = true;
	}
	if (m->addr)
		give_source(d, m, p);
	if (m->control) {
		socket_tell_drops(s, m, (u32)p->cb[0]);
		give_control(d, m, p);
	}
	if (unlikely(socket_wants_stamp(s)))
		socket_received(s, m, p->stamp ? p->stamp : time_wall());
	else if (unlikely(READ_ONCE(s->last_stamp) < 0))
		WRITE_ONCE(s->last_stamp, 0);
	n = give_data(m, p, off);
	if (n >= 0)
		socket_peek_moved(s, m->flags, (u32)n);
	if (unlikely(READ_ONCE(d->gro)) && n == (ssize_t)p->len && !(m->flags & MSG_PEEK))
		n += take_more(d, m, p);
	/* The one wake that came for this thread may have been meant for more than it took. */
	if (waited && !(m->flags & MSG_PEEK) && READ_ONCE(d->nqueued))
		waitq_wake(&d->wait, 1, POLLIN | POLLRDNORM);
	pkt_put(p);
	return n;
}
