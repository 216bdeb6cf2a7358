/*
 * The error queue of AF_INET sockets: what MSG_ERRQUEUE gives.
 *
 * Three kinds of notices are in it, each a packet with a struct inet_error in its cb. Errors about
 * what was sent, with the data that they are about (IP_RECVERR). Time stamps of what was sent
 * (SO_TIMESTAMPING): a packet whose sender asked is marked, and netdev_xmit shows it here just
 * before the device has it; as there is no queue in front of devices that is both the time when it
 * was scheduled and when it was sent. TCP tells when the last byte of a call is acknowledged, and
 * shows the data of its segment. And completions of calls with MSG_ZEROCOPY: bytes are always
 * copied here, so the user may have his memory back when the call returns, and is told that there
 * was a copy; ranges of calls that follow each other are one notice as long as nobody took it.
 *
 * The queue is made when something is first put into it and lives as long as the socket.
 * ip(7), socket(7), Linux's networking/timestamping and networking/msg_zerocopy.
 */
#include <linux/errno.h>
#include <linux/net_tstamp.h>
#include <linux/poll.h>
#include "kernel/base/errno.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/sock/inet.h"

#define ERRORS_MAX 256u

/* q guarded by .lock; a atomic. */
struct inet_errq {
	struct spinlock lock; /* rank NET_QUEUE */
	struct list list; /* q: struct pkt with struct inet_error in its cb */
	u32 n; /* q; a to read */
	u32 bytes; /* q: what they take, within the receive buffer */
	u32 next_id; /* a: OPT_ID: of the next datagram; TCP: where counting began */
	u32 zerocopy; /* a: the number of the next call with MSG_ZEROCOPY */
};

/* The queue, made if need be. NULL: no memory. ctx: any */
static struct inet_errq *queue_of(struct inet_sock *i)
{
	struct inet_errq *q = load_acquire(&i->errq), *none = NULL;

	if (q)
		return q;
	q = kzalloc(sizeof(*q), PMM_NOWAIT);
	if (!q)
		return NULL;
	spin_init(&q->lock, RANK_NET_QUEUE);
	list_init(&q->list);
	if (__atomic_compare_exchange_n(&i->errq, &none, q, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return q;
	kfree(q);
	return none;
}

/* See inet.h. */
void inet_errq_free(struct inet_sock *i)
{
	if (!i->errq)
		return;
	pkt_purge(&i->errq->list);
	kfree(i->errq);
	i->errq = NULL;
}

/* See inet.h. */
u32 inet_errq_events(const struct inet_sock *i)
{
	const struct inet_errq *q = load_acquire(&i->errq);

	return likely(!q || !READ_ONCE(q->n)) ? 0 : POLLERR;
}

static u32 charge_of(const struct pkt *p)
{
	return p->len + PKT_CHARGE;
}

/* See inet.h. */
void inet_errq_add(struct inet_sock *i, struct pkt *p, const struct inet_error *e)
{
	struct inet_errq *q = queue_of(i);
	bool room = false;

	_Static_assert(sizeof(*e) <= sizeof(p->cb), "an error record fits the packet's own bytes");
	memcpy(p->cb, e, sizeof(*e));
	if (q) {
		spin_lock(&q->lock);
		room = q->n < ERRORS_MAX && q->bytes + charge_of(p) <= (u32)READ_ONCE(i->s.rcvbuf);
		if (room) {
			q->bytes += charge_of(p);
			list_add_tail(&q->list, &p->link);
			WRITE_ONCE(q->n, q->n + 1);
		}
		spin_unlock(&q->lock);
	}
	if (!room)
		pkt_put(p);
}

/* A notice without data. NULL: no memory */
static struct pkt *empty(void)
{
	return pkt_alloc(0, 64, PMM_NOWAIT);
}

/* See inet.h. */
void inet_errq_local(struct inet_sock *i, int err, u32 info, const struct sockaddr_in *to)
{
	struct pkt *p = empty();
	struct inet_error e = {
		.ee = { .ee_errno = (u32)err, .ee_origin = SO_EE_ORIGIN_LOCAL, .ee_info = info },
		.dst = to->sin_addr.s_addr,
		.port = to->sin_port,
		.named = true,
	};

	if (p)
		inet_errq_add(i, p, &e);
}

/* --- time stamps of what is sent --- */

/* See inet.h. */
u8 inet_stamp_asked(const struct inet_sock *i, const struct sock_msg *m)
{
	u32 flags = m->stamping_given ? m->stamping : READ_ONCE(i->s.stamping);

	return (u8)((flags & SOF_TIMESTAMPING_TX_SOFTWARE ? PKT_STAMP_SEND : 0) |
		    (flags & SOF_TIMESTAMPING_TX_SCHED ? PKT_STAMP_SCHED : 0) |
		    (flags & SOF_TIMESTAMPING_TX_ACK ? PKT_STAMP_ACK : 0));
}

/* See inet.h. */
void inet_stamp_number(struct inet_sock *i, u32 from)
{
	struct inet_errq *q = queue_of(i);

	if (q)
		WRITE_ONCE(q->next_id, from);
}

/* See inet.h. */
u32 inet_stamp_next(struct inet_sock *i)
{
	struct inet_errq *q =
		READ_ONCE(i->s.stamping) & SOF_TIMESTAMPING_OPT_ID ? queue_of(i) : NULL;

	return q ? __atomic_fetch_add(&q->next_id, 1, __ATOMIC_RELAXED) : 0;
}

/* One notice that @what happened to the message @id, which @p carries. */
static void add_stamp(struct inet_sock *i, const struct pkt *p, u32 what, u32 id, s64 now)
{
	u32 flags = READ_ONCE(i->s.stamping);
	bool whole = !(flags & SOF_TIMESTAMPING_OPT_TSONLY);
	struct inet_error e = {
		.ee = { .ee_errno = ENOMSG,
			.ee_origin = SO_EE_ORIGIN_TIMESTAMPING,
			.ee_info = what == PKT_STAMP_SEND    ? SCM_TSTAMP_SND
				   : what == PKT_STAMP_SCHED ? SCM_TSTAMP_SCHED
							     : SCM_TSTAMP_ACK,
			.ee_data = flags & SOF_TIMESTAMPING_OPT_ID ? id : 0 },
	};
	struct pkt *note = whole ? pkt_copy(p, 0) : empty();

	if (!note)
		return;
	note->stamp = now;
	if (whole && p->dev && (flags & SOF_TIMESTAMPING_OPT_CMSG)) {
		e.dev = p->dev->index;
		e.offender = pkt_net(p)->saddr;
	}
	inet_errq_add(i, note, &e);
}

/* See inet.h. */
void inet_errq_stamp(struct inet_sock *i, const struct pkt *p, u32 what, u32 id)
{
	static const u8 each[] = { PKT_STAMP_SCHED, PKT_STAMP_SEND, PKT_STAMP_ACK };
	s64 now = time_wall();

	for (u32 k = 0; k < ARRAY_SIZE(each); k++) {
		if (what & each[k])
			add_stamp(i, p, each[k], id, now);
	}
}

/* See inet.h. */
void inet_errq_stamp_stream(struct inet_sock *i, const struct pkt *p, u32 what, u32 end)
{
	const struct inet_errq *q = load_acquire(&i->errq);

	inet_errq_stamp(i, p, what, end - 1 - (q ? READ_ONCE(q->next_id) : 0));
}

/* See netdev_stamp_fn. */
static void stamp(struct pkt *p)
{
	u32 what = p->stamped;

	p->stamped = 0;
	if (what & PKT_STAMP_TCP)
		tcp_stamped(p, what);
	else
		inet_dgram_stamped(p, what);
}

/* See inet.h. */
void inet_stamp_init(void)
{
	netdev_stamp_fn = stamp;
}

/* --- zero copy --- */

/* The last notice goes on up to @id? holds: q->lock */
static bool widen(struct inet_errq *q, u32 id)
{
	struct inet_error *e;

	if (list_empty(&q->list))
		return false;
	e = (struct inet_error *)list_last(&q->list, struct pkt, link)->cb;
	if (e->ee.ee_origin != SO_EE_ORIGIN_ZEROCOPY || e->ee.ee_data + 1 != id)
		return false;
	e->ee.ee_data = id;
	return true;
}

/* See inet.h. ctx: thread */
int inet_errq_zerocopy(struct inet_sock *i, const struct sock_msg *m, struct pkt **notice)
{
	*notice = NULL;
	if (!m->data->left || !socket_option(&i->s, SO_ZEROCOPY))
		return 0;
	if (queue_of(i))
		*notice = empty();
	return *notice ? 0 : -ENOBUFS;
}

/* See inet.h. ctx: thread */
bool inet_errq_complete(struct inet_sock *i, struct pkt *notice, bool sent)
{
	struct inet_error e = { .ee = { .ee_origin = SO_EE_ORIGIN_ZEROCOPY,
					.ee_code = SO_EE_CODE_ZEROCOPY_COPIED } };
	struct inet_errq *q = queue_of(i); /* which is there */
	bool done = true;

	if (sent) {
		spin_lock(&q->lock);
		e.ee.ee_info = e.ee.ee_data = q->zerocopy++;
		done = widen(q, e.ee.ee_info);
		spin_unlock(&q->lock);
	}
	if (done)
		pkt_put(notice);
	else
		inet_errq_add(i, notice, &e);
	return sent;
}

/* --- to the user --- */

static const struct inet_error *error_of(const struct pkt *p)
{
	return (const struct inet_error *)p->cb;
}

static bool from_icmp(const struct pkt *p)
{
	return error_of(p)->ee.ee_origin == SO_EE_ORIGIN_ICMP;
}

/* The first; SO_ERROR is then that of the next, or none. */
static struct pkt *take(struct inet_sock *i, struct inet_errq *q)
{
	struct pkt *p = NULL, *next;

	spin_lock(&q->lock);
	if (!list_empty(&q->list)) {
		p = list_first(&q->list, struct pkt, link);
		list_del(&p->link);
		WRITE_ONCE(q->n, q->n - 1);
		q->bytes -= charge_of(p);
		next = list_empty(&q->list) ? NULL : list_first(&q->list, struct pkt, link);
		if (next && from_icmp(next))
			WRITE_ONCE(i->s.err, (int)error_of(next)->ee.ee_errno);
		else if (from_icmp(p))
			WRITE_ONCE(i->s.err, 0);
	}
	spin_unlock(&q->lock);
	return p;
}

/* See inet.h. */
void inet_errq_purge(struct inet_sock *i)
{
	struct inet_errq *q = load_acquire(&i->errq);
	struct pkt *p;
	int err = READ_ONCE(i->s.err);

	while (q && (p = take(i, q)))
		pkt_put(p);
	WRITE_ONCE(i->s.err, err); /* which stays */
}

static ssize_t give_data(struct sock_msg *m, const struct pkt *p)
{
	u32 n = (u32)MIN((size_t)p->len, m->data->left);

	if (n < p->len)
		m->out_flags |= MSG_TRUNC;
	return pkt_to_uio(p, 0, m->data, n) ? -EFAULT : (ssize_t)n;
}

/* See inet.h. */
ssize_t inet_errq_recv(struct inet_sock *i, struct sock_msg *m)
{
	struct {
		struct sock_extended_err ee;
		struct sockaddr_in offender;
	} out = { 0 };
	struct inet_errq *q = load_acquire(&i->errq);
	struct pkt *p = q ? take(i, q) : NULL;
	struct inet_error e;
	ssize_t n;

	if (!p)
		return -EAGAIN;
	memcpy(&e, p->cb, sizeof(e));
	out.ee = e.ee;
	if (e.ee.ee_origin == SO_EE_ORIGIN_ICMP || e.dev) {
		out.offender.sin_family = AF_INET;
		out.offender.sin_addr.s_addr = e.offender;
	}
	if (m->addr) {
		m->addr->len = 0;
		if (e.named)
			inet_addr_out(m->addr, e.dst, e.port);
	}
	m->stamp = p->stamp;
	n = give_data(m, p);
	if (e.dev && (READ_ONCE(i->recv) & INET_RECV_PKTINFO)) {
		struct in_pktinfo info = { .ipi_ifindex = (int)e.dev };

		info.ipi_spec_dst.s_addr = e.offender;
		info.ipi_addr.s_addr = pkt_net(p)->daddr;
		sock_msg_control(m, SOL_IP, IP_PKTINFO, &info, sizeof(info));
	}
	sock_msg_control(m, SOL_IP, IP_RECVERR, &out, sizeof(out));
	m->out_flags |= MSG_ERRQUEUE;
	pkt_put(p);
	return n;
}
