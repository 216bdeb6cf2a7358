/*
 * From IP: check, take apart, find whose it is, hand over. Errors of ICMP likewise.
 *
 * A segment that belongs to a connection goes to tcp_segment() under its lock. One for a connection
 * in the making (struct tcp_req), for a listener, or for a TIME_WAIT is handled where those live.
 * What belongs to nobody is answered with RST. Answers leave when no lock is held. What its user
 * does not let in is dropped without a word (tcp_admits).
 */
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/ip.h>
#include "kernel/base/errno.h"
#include "net/proto.h"
#include "net/tcp/tcp_pcb.h"

/* --- what the user lets in --- */

/* See tcp_pcb.h. The program sees the header too, which it cannot cut. */
bool tcp_admits(const struct tcp_pcb *p, struct tcp_in *in)
{
	const struct tcp_extra *x = p->extra;
	struct pkt *pkt = in->pkt;
	u32 header, keep;

	if (!x)
		return true;
	if (((const struct iphdr *)pkt_net(pkt))->ttl < x->min_ttl) {
		TCP_COUNT(TCPMinTTLDrop);
		return false;
	}
	if (!x->filter)
		return true;
	header = (u32)(pkt->head - (pkt->base + pkt->transport));
	pkt_push(pkt, header);
	keep = x->filter->choose(x->filter, pkt);
	pkt_pull(pkt, header);
	if (!keep)
		return false;
	keep -= MIN(keep, header);
	if (keep < in->len) {
		in->end -= in->len - keep;
		in->len = keep;
		pkt_trim(pkt, keep);
	}
	return true;
}

/* See net/tcp.h. ctx: thread */
int tcp_set_min_ttl(struct tcp_pcb *p, u8 ttl)
{
	struct tcp_extra *x = ttl ? tcp_extra(p) : load_acquire(&p->extra);

	if (!x)
		return ttl ? -ENOMEM : 0;
	tcp_lock(p);
	x->min_ttl = ttl;
	tcp_unlock(p);
	return 0;
}

/* See net/tcp.h. ctx: thread */
int tcp_set_filter(struct tcp_pcb *p, struct net_chooser *c)
{
	struct tcp_extra *x = c ? tcp_extra(p) : load_acquire(&p->extra);
	struct net_chooser *old;

	if (!x)
		return c ? -ENOMEM : 0;
	if (c)
		c->get(c);
	tcp_lock(p);
	old = x->filter;
	x->filter = c;
	tcp_unlock(p);
	net_chooser_put(old);
	return 0;
}

/* See net/tcp.h. ctx: thread */
struct net_chooser *tcp_get_filter(struct tcp_pcb *p)
{
	struct net_chooser *c;

	tcp_lock(p);
	c = p->extra ? p->extra->filter : NULL;
	if (c)
		c->get(c);
	tcp_unlock(p);
	return c;
}

/* See tcp_pcb.h. holds: l->lock; @p is nobody else's yet */
bool tcp_admit_same(struct tcp_pcb *p, const struct tcp_pcb *l)
{
	const struct tcp_extra *of = l->extra;
	struct tcp_extra *x;

	if (!of || (!of->filter && !of->min_ttl))
		return true;
	x = tcp_extra(p);
	if (!x)
		return false;
	x->min_ttl = of->min_ttl;
	x->filter = of->filter;
	if (x->filter)
		x->filter->get(x->filter);
	return true;
}

/* --- segments --- */

static void to_listener(struct tcp_in *in)
{
	struct tcp_pcb *l = tcp_lookup_listener(in);

	if (!l) {
		in->reset = true;
		return;
	}
	in->path = (struct tcp_path){ .src = in->dst, .dev = READ_ONCE(l->key.dev) };
	if (!tcp_wire_route(in->src, &in->path)) {
		tcp_lock(l);
		tcp_segment(l, in);
		tcp_unlock(l);
	}
	tcp_pcb_put(l);
}

static void to_pcb(struct tcp_pcb *p, struct tcp_in *in)
{
	tcp_lock(p);
	tcp_segment(p, in);
	tcp_unlock(p);
	tcp_pcb_put(p);
}

static void to_timewait(struct tcp_tw *tw, struct tcp_in *in)
{
	bool again = tcp_timewait_input(tw, in);

	tcp_tw_put(tw);
	if (again)
		to_listener(in);
}

static void dispatch(struct tcp_in *in)
{
	struct tcp_key *k = tcp_lookup(in);

	if (!k)
		to_listener(in);
	else if (likely(k->kind == TCP_KIND_PCB))
		to_pcb(container_of(k, struct tcp_pcb, key), in);
	else if (k->kind == TCP_KIND_REQ)
		tcp_req_input(container_of(k, struct tcp_req, key), in);
	else
		to_timewait(container_of(k, struct tcp_tw, key), in);
}

static bool sum_ok(struct pkt *pkt, const struct iphdr *ip)
{
	if (pkt->csum != PKT_CSUM_NONE)
		return true;
	return pkt_cksum_ok(pkt, cksum_pseudo(ip->saddr, ip->daddr, IPPROTO_TCP, pkt->len));
}

/* A packet that others look at too is not ours to change. */
static struct pkt *own(struct pkt *pkt)
{
	struct pkt *copy;

	if (likely(ref_read(&pkt->refs) == 1))
		return pkt;
	copy = pkt_copy(pkt, 0);
	pkt_put(pkt);
	return copy;
}

/* See tcp_pcb.h. ctx: thread; holds: nothing */
void tcp_input(struct pkt *pkt)
{
	const struct iphdr *ip = pkt_net(pkt);
	struct tcp_in in = { .src = ip->saddr, .dst = ip->daddr, .tos = ip->tos, .dev = pkt->dev };

	TCP_COUNT(IN_SEGS);
	/* RFC 1122, 4.2.3.10: never from or to many. */
	if (pkt->type != PKT_HOST || inet_is_multicast(in.src) || inet_is_reserved(in.src) ||
	    inet_is_multicast(in.dst) || in.dst == IP_BROADCAST || !in.src) {
		pkt_put(pkt);
		return;
	}
	pkt = own(pkt);
	if (!pkt)
		return;
	if (!sum_ok(pkt, ip)) {
		TCP_COUNT(IN_CSUM_ERRORS);
		TCP_COUNT(IN_ERRS);
		pkt_put(pkt);
		return;
	}
	if (!tcp_parse(&in, pkt)) {
		TCP_COUNT(IN_ERRS);
		pkt_put(pkt);
		return;
	}
	in.now = time_now();
	dispatch(&in);
	if (in.reset)
		tcp_answer_reset(&in);
	pkt_put(in.pkt);
}

/* --- errors --- */

/*
 * The path takes no more than @mtu. Less than any should take is believed only so far that it has
 * to cut what is sent. holds: p->lock
 */
static void narrowed(struct tcp_pcb *p, u32 mtu)
{
	struct tcp_seg *s;

	if (mtu < TCP_MTU_MIN) {
		mtu = TCP_MTU_MIN;
		p->mtu_locked = true;
	}
	if (mtu >= p->pmtu)
		return;
	tcp_mtu(p, mtu);
	if (p->state == TCP_SYN_RECV || p->pmtudisc == IP_PMTUDISC_DONT ||
	    p->pmtudisc > IP_PMTUDISC_PROBE)
		return;
	if (p->state == TCP_SYN_SENT) {
		s = list_first(&p->sndq, struct tcp_seg, link);
		if (p->fo & FO_DATA) { /* without its bytes it gets there */
			s->mark |= SEG_EVER;
			tcp_xmit(p, s, time_now());
		}
		return;
	}
	/* What is out is too large: cut and send again, without a reduction (RFC 8201, 5.4). */
	list_for_each(s, &p->sndq, link) {
		if (s == p->unsent)
			break;
		if (s->len > p->mss && !(s->mark & SEG_LOST))
			tcp_mark_lost(p, s);
	}
	if (p->lost && p->ca < CA_RECOVERY) {
		p->ca = CA_LOSS;
		p->high_seq = p->snd_nxt;
		p->undo_marker = 0;
	}
	tcp_output(p, time_now());
}

/*
 * RFC 9293, 3.9.2.2; RFC 5927: only of something that is out, and an established one is not ended.
 * One that is being opened is, whatever the error: RFC 5461, 4.1.
 */
static bool error_for(struct tcp_pcb *p, u32 seq, int err, u32 mtu)
{
	if (p->state == TCP_LISTEN || p->state == TCP_CLOSE || seq_lt(seq, p->snd_una) ||
	    seq_gt(seq, p->snd_nxt))
		return false;
	if (mtu) {
		narrowed(p, mtu);
		return true;
	}
	/* An accepted fast open is treated as the connection that it is for its user. */
	if (p->state == TCP_SYN_SENT ||
	    (p->state == TCP_SYN_RECV && (!(p->fo & FO_PENDING) || (p->flags & PF_IN_ACCEPT)))) {
		TCP_COUNT(ATTEMPT_FAILS);
		tcp_drop(p, err);
		return true;
	}
	p->soft_err = (s16)err;
	return true;
}

/* See tcp_pcb.h. ctx: thread; holds: nothing */
bool tcp_error(be32 laddr, be16 lport, be32 raddr, be16 rport, u32 seq, int errno_, u32 mtu)
{
	struct tcp_in in = { .dst = laddr, .dport = lport, .src = raddr, .sport = rport };
	struct tcp_key *k = tcp_lookup(&in);
	bool taken = false;

	if (!k)
		return false;
	if (k->kind == TCP_KIND_PCB) {
		struct tcp_pcb *p = container_of(k, struct tcp_pcb, key);

		tcp_lock(p);
		taken = error_for(p, seq, errno_, mtu);
		tcp_unlock(p);
		tcp_pcb_put(p);
	} else if (k->kind == TCP_KIND_REQ) {
		taken = tcp_req_error(container_of(k, struct tcp_req, key), seq, errno_);
	} else {
		tcp_tw_put(container_of(k, struct tcp_tw, key));
	}
	return taken;
}
