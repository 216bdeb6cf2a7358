/*
 * Passive opens: LISTEN, and SYN-RECEIVED of connections that a SYN began (RFC 9293, 3.10.7.2 and
 * 3.10.7.4).
 *
 * A SYN makes a struct tcp_req, small because floods are made of them; it is in the table of
 * four-tuples and on its listener's list, and sends its SYN-ACK again by the listener's timer. The
 * third segment turns it into a connection, which waits in the queue of accept(2). Both lists are
 * bounded by the backlog. When the first is full, cookies take its place (tcp_syncookie.c): the
 * SYN-ACK carries all that a req would hold; when the second is full, SYNs and third segments are
 * dropped and come again.
 *
 * The listener's lock guards its lists and reqs. References of a req: the table's, the list's.
 */
#include <linux/errno.h>
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/tcp/tcp_pcb.h"

#define CHALLENGE_INTERVAL (500 * MSEC)

/* See tcp_pcb.h. ctx: thread */
void tcp_req_put(struct tcp_req *r)
{
	if (!ref_put(&r->key.refs))
		return;
	tcp_pcb_put(r->listener);
	kfree(r);
}

/* @r is over. holds: l->lock; the caller has a reference */
static void req_remove(struct tcp_pcb *l, struct tcp_req *r)
{
	if (list_empty(&r->wait))
		return;
	list_del(&r->wait);
	l->listener->nreqs--;
	tcp_table_del(&r->key);
	tcp_req_put(r);
}

static bool queue_full(const struct tcp_pcb *l)
{
	return l->listener->nready > l->listener->backlog;
}

/* --- SYN --- */

/* What a SYN-ACK says, besides its numbers. */
struct answer {
	struct tcp_key key;
	u32 seq, ack, tsval, tsecr, wnd;
	u16 mss;
	u8 wscale;
	bool ts, sack, ecn;
	const struct tcp_fo_opt *fo; /* NULL: none */
};

static void send_synack(struct tcp_pcb *l, const struct answer *a)
{
	u8 opt[TCP_OPT_MAX];
	u32 n = tcp_write_syn_options(opt, a->mss, a->wscale, a->ts, a->sack, a->tsval, a->tsecr);
	struct pkt *pkt;

	if (a->fo) {
		memcpy(opt + n, a->fo->text, a->fo->len);
		n += a->fo->len;
	}
	pkt = tcp_make(&a->key, a->seq, a->ack, TH_SYN | TH_ACK | (a->ecn ? TH_ECE : 0), a->wnd,
		       opt, n);
	if (!pkt)
		return;
	TCP_COUNT(OUT_SEGS);
	tcp_enqueue(&l->outq, pkt, &a->key, l->tos, l->ttl, tcp_df(l));
}

static u16 our_mss(const struct tcp_pcb *l, u32 mtu)
{
	u32 mss = MIN(mtu - 40, 65495u);

	return (u16)(l->user_mss ? MIN(mss, (u32)l->user_mss) : mss);
}

static void req_answer(struct tcp_pcb *l, const struct tcp_req *r, const struct tcp_fo_opt *fo,
		       s64 now)
{
	struct answer a = {
		.key = r->key,
		.seq = r->iss,
		.ack = r->irs + 1,
		.tsval = tcp_ts_now(now, r->ts_offset),
		.tsecr = r->ts_recent,
		.wnd = r->rcv_wnd,
		.mss = r->our_mss,
		.wscale = r->wscale == 255 ? 255 : r->rcv_wscale,
		.ts = r->ts,
		.sack = r->sack_ok,
		.ecn = r->ecn,
		.fo = fo,
	};

	send_synack(l, &a);
}

static u8 listen_wscale(const struct tcp_pcb *l)
{
	u32 most = (u32)l->rcvbuf;
	u8 scale = 0;

	if (!(l->flags & PF_RCVBUF_SET))
		most = MAX(most, (u32)tcp_sysctl_rmem[2]);
	while (most > 65535 && scale < TCP_WSCALE_MAX) {
		most >>= 1;
		scale++;
	}
	return scale;
}

static struct tcp_req *req_make(struct tcp_pcb *l, const struct tcp_in *in)
{
	struct tcp_req *r = kmalloc(sizeof(*r), PMM_NOWAIT);

	if (!r)
		return NULL;
	memset(r, 0, sizeof(*r));
	ref_init(&r->key.refs, 1);
	list_init(&r->key.link);
	list_init(&r->key.bind);
	r->key.kind = TCP_KIND_REQ;
	r->key.laddr = in->dst;
	r->key.lport = in->dport;
	r->key.raddr = in->src;
	r->key.rport = in->sport;
	r->key.dev = l->key.dev;
	r->listener = tcp_pcb_get(l);
	r->irs = in->seq;
	r->iss = in->isn ? in->isn : tcp_isn(in->dst, in->dport, in->src, in->sport);
	r->ts_offset = tcp_ts_offset(in->dst, in->src);
	r->ts = in->has_ts && tcp_sysctl_timestamps;
	r->ts_recent = r->ts ? in->tsval : 0;
	r->mss = in->mss;
	r->our_mss = our_mss(l, in->path.mtu);
	r->wscale = tcp_sysctl_wscale ? in->wscale : 255;
	r->rcv_wscale = r->wscale == 255 ? 0 : listen_wscale(l);
	r->sack_ok = in->sack_ok && tcp_sysctl_sack;
	r->ecn = tcp_sysctl_ecn && (in->flags & (TH_ECE | TH_CWR)) == (TH_ECE | TH_CWR);
	r->rcv_wnd = tcp_first_window(l);
	r->sent = in->now;
	r->due = in->now + TCP_RTO_INIT;
	return r;
}

/* The queue of SYNs is full: everything that must be known later is in the answer. */
static void answer_cookie(struct tcp_pcb *l, struct tcp_in *in)
{
	u16 mss = in->mss;
	bool ts = in->has_ts && tcp_sysctl_timestamps;
	struct answer a = {
		.key = { .laddr = in->dst,
			 .raddr = in->src,
			 .lport = in->dport,
			 .rport = in->sport,
			 .dev = l->key.dev },
		.ack = in->seq + 1,
		.wnd = tcp_first_window(l),
		.mss = our_mss(l, in->path.mtu),
		.ts = ts,
		.tsecr = in->tsval,
		.sack = ts && in->sack_ok && tcp_sysctl_sack,
		.wscale = ts && tcp_sysctl_wscale && in->wscale != 255 ? listen_wscale(l) : 255,
	};

	a.seq = tcp_cookie_make(in, &mss, in->now);
	if (ts)
		a.tsval = tcp_cookie_stamp(in, a.sack, a.wscale != 255, in->now);
	l->listener->cookies_at = in->now;
	TCP_COUNT(SyncookiesSent);
	send_synack(l, &a);
}

/* --- the third segment --- */

/* What of a listener's settings its connections have too. */
static void inherit(struct tcp_pcb *p, const struct tcp_pcb *l)
{
	p->flags = l->flags & (PF_NODELAY | PF_CORK | PF_KEEPALIVE | PF_RCVBUF_SET | PF_SNDBUF_SET |
			       PF_OOBINLINE | PF_THIN);
	p->cc = l->cc;
	p->sndbuf = l->sndbuf;
	p->rcvbuf = l->rcvbuf;
	p->rcvlowat = l->rcvlowat;
	p->tos = l->tos;
	p->ttl = l->ttl;
	p->pmtudisc = l->pmtudisc;
	p->user_mss = l->user_mss;
	p->user_timeout = l->user_timeout;
	p->linger2 = l->linger2;
	p->keep_idle = l->keep_idle;
	p->keep_intvl = l->keep_intvl;
	p->keep_cnt = l->keep_cnt;
	p->notsent_lowat = l->notsent_lowat;
	p->window_clamp = l->window_clamp;
	p->key.uid = l->key.uid;
	p->key.reuse = l->key.reuse;
	p->key.reuseport = l->key.reuseport;
}

/*
 * The connection that @in, its third segment, completes; @syn has what the SYN said. NULL: no
 * memory
 */
static struct tcp_pcb *child(struct tcp_pcb *l, const struct tcp_in *in, const struct tcp_in *syn,
			     u8 rcv_wscale)
{
	struct tcp_pcb *p = tcp_pcb_alloc();

	if (!p)
		return NULL;
	if (!tcp_admit_same(p, l)) {
		tcp_pcb_put(p);
		return NULL;
	}
	inherit(p, l);
	p->key.kind = TCP_KIND_PCB;
	p->key.laddr = in->dst;
	p->key.lport = in->dport;
	p->key.raddr = in->src;
	p->key.rport = in->sport;
	p->key.dev = l->key.dev;
	p->segs_in = 1; /* the SYN */
	p->rcv_nxt = p->rcv_wup = p->copied = in->seq;
	p->rcv_wnd = tcp_first_window(l);
	p->rcv_wscale = rcv_wscale;
	p->iss = in->ack - 1;
	p->snd_una = p->snd_nxt = p->snd_end = p->snd_up = p->snd_small = in->ack;
	p->pmtu = in->path.mtu;
	p->gso_max = (u16)in->path.gso_max;
	p->ts_offset = tcp_ts_offset(in->dst, in->src);
	tcp_take_options(p, syn);
	p->snd_wnd = p->max_wnd = in->wnd << p->snd_wscale;
	p->snd_wl1 = in->seq;
	p->snd_wl2 = in->ack;
	return p;
}

/* Before anybody else sees it: @p is established. */
static void child_begin(struct tcp_pcb *p)
{
	tcp_established(p);
	p->wake = 0;
	p->flags |= PF_IN_ACCEPT;
	tcp_port_add(&p->key);
}

/* The table has no place for @p, which nobody saw. */
static void child_undo(struct tcp_pcb *p)
{
	tcp_drop(p, 0);
	tcp_pcb_put(p);
}

/* @p, which is in the table, to accept(2). holds: l->lock. Takes a reference for the queue */
static void child_ready(struct tcp_pcb *l, struct tcp_pcb *p)
{
	tcp_pcb_get(p);
	list_add_tail(&l->listener->ready, &p->accept);
	WRITE_ONCE(l->listener->nready, l->listener->nready + 1);
	TCP_COUNT(PASSIVE_OPENS);
	l->wake |= WAKE_READ;
}

/* The connection that @r becomes, by its third segment or before. NULL: no memory */
static struct tcp_pcb *req_child(struct tcp_pcb *l, struct tcp_req *r, const struct tcp_in *in)
{
	struct tcp_in syn = { .mss = r->mss,
			      .wscale = r->wscale,
			      .has_ts = r->ts,
			      .tsval = in->has_ts ? in->tsval : r->ts_recent,
			      .sack_ok = r->sack_ok,
			      .now = in->now };
	struct tcp_in third = *in;
	struct tcp_pcb *p;

	third.seq = r->irs + 1;
	third.ack = r->iss + 1;
	p = child(l, &third, &syn, r->rcv_wscale);
	if (p && r->ecn)
		p->flags |= PF_ECN;
	return p;
}

/*
 * The third segment for @r. holds: l->lock. The connection, which has the reference of its maker;
 * or NULL
 */
static struct tcp_pcb *req_complete(struct tcp_pcb *l, struct tcp_req *r, const struct tcp_in *in)
{
	struct tcp_pcb *p = req_child(l, r, in);

	if (!p)
		return NULL;
	tcp_measure(p, in, r->retries ? -1 : in->now - r->sent);
	p->retries = r->retries;
	child_begin(p);
	if (!tcp_table_replace(&r->key, &p->key)) {
		child_undo(p);
		return NULL;
	}
	req_remove(l, r);
	child_ready(l, p);
	return p;
}

/*
 * RFC 7413, 4.2.2: the connection is there before the third segment, and answers the SYN itself.
 * holds: l->lock
 */
static bool open_fast(struct tcp_pcb *l, struct tcp_req *r, struct tcp_in *in, bool give)
{
	struct tcp_pcb *p = req_child(l, r, in);
	bool ok;

	if (!p)
		return false;
	spin_lock_nested(&p->lock);
	child_begin(p);
	p->fo = give ? FO_TRY : 0;
	ok = tcp_fo_begin(p, l, in) && tcp_table_add(&p->key);
	if (ok)
		list_splice_tail(&l->outq, &p->outq);
	else
		tcp_drop(p, 0);
	spin_unlock(&p->lock);
	if (ok)
		child_ready(l, p);
	tcp_pcb_put(p);
	return ok;
}

static void syn_received(struct tcp_pcb *l, struct tcp_in *in)
{
	struct tcp_listener *q = l->listener;
	struct tcp_req *r;
	struct tcp_fo_opt opt;
	u32 fast = 0, most = MIN(MAX(q->backlog, 8u), (u32)tcp_sysctl_max_syn_backlog);

	if (queue_full(l)) {
		TCP_COUNT(ListenOverflows);
		TCP_COUNT(ListenDrops);
		return;
	}
	if (q->nreqs >= most || tcp_sysctl_syncookies == 2) {
		if (tcp_sysctl_syncookies) {
			TCP_COUNT(TCPReqQFullDoCookies);
			answer_cookie(l, in);
		} else {
			TCP_COUNT(TCPReqQFullDrop);
			TCP_COUNT(ListenDrops);
		}
		return;
	}
	r = req_make(l, in);
	if (r && unlikely(in->fo || in->len))
		fast = tcp_fo_judge(l, in, &opt);
	if ((fast & FO_OPENS) && open_fast(l, r, in, fast & FO_GIVES)) {
		tcp_req_put(r);
		return;
	}
	if (!r || !tcp_table_add(&r->key)) {
		if (r)
			tcp_req_put(r);
		TCP_COUNT(ListenDrops);
		return;
	}
	list_add_tail(&q->reqs, &r->wait); /* with the first reference */
	q->nreqs++;
	req_answer(l, r, fast & FO_GIVES ? &opt : NULL, in->now);
	if (l->deadline[TCPT_SEND] > r->due)
		tcp_timer_set(l, TCPT_SEND, r->due);
}

/* Is the segment what may come after our SYN-ACK? It may be answered. holds: l->lock */
static bool req_check(struct tcp_pcb *l, struct tcp_req *r, struct tcp_in *in)
{
	bool old = in->has_ts && r->ts && seq_lt(in->tsval, r->ts_recent);

	if ((in->flags & (TH_SYN | TH_ACK | TH_RST)) == TH_SYN && in->seq == r->irs) {
		/* Its SYN again: our answer was lost. */
		if (in->now - (r->due - (TCP_RTO_INIT << r->retries)) > CHALLENGE_INTERVAL)
			req_answer(l, r, NULL, in->now);
		return false;
	}
	if (old || seq_lt(in->end, r->irs + 1) || seq_gt(in->seq, r->irs + 1 + r->rcv_wnd)) {
		if (!(in->flags & TH_RST))
			req_answer(l, r, NULL, in->now);
		return false;
	}
	if (in->flags & TH_RST) {
		if (in->seq == r->irs + 1) {
			TCP_COUNT(ATTEMPT_FAILS);
			req_remove(l, r);
		}
		return false;
	}
	if ((in->flags & TH_SYN) || !(in->flags & TH_ACK))
		return false;
	if (in->ack != r->iss + 1) {
		in->reset = true;
		return false;
	}
	return true;
}

/* Holds: l->lock. The connection that @in completed, or NULL. */
static struct tcp_pcb *req_segment(struct tcp_pcb *l, struct tcp_req *r, struct tcp_in *in)
{
	if (!req_check(l, r, in))
		return NULL;
	if ((l->flags & PF_DEFER) && in->seq == r->irs + 1 && in->end == in->seq &&
	    in->now - r->sent < tcp_answers_seconds(l->defer) * SEC) {
		r->acked = true;
		return NULL;
	}
	if (queue_full(l)) {
		TCP_COUNT(ListenOverflows);
		if (tcp_sysctl_abort_overflow) {
			req_remove(l, r);
			in->reset = true;
		}
		return NULL;
	}
	return req_complete(l, r, in);
}

static void to_child(struct tcp_pcb *p, struct tcp_in *in)
{
	tcp_lock(p);
	tcp_segment(p, in);
	tcp_unlock(p);
	tcp_pcb_put(p);
}

/* See tcp_pcb.h. ctx: thread; holds: nothing. Takes the reference to @r */
void tcp_req_input(struct tcp_req *r, struct tcp_in *in)
{
	struct tcp_pcb *l = r->listener, *p = NULL;

	in->path = (struct tcp_path){ .src = in->dst, .dev = READ_ONCE(l->key.dev) };
	if (!tcp_wire_route(in->src, &in->path)) {
		tcp_lock(l);
		if (l->state == TCP_LISTEN && !list_empty(&r->wait) && tcp_admits(l, in))
			p = req_segment(l, r, in);
		tcp_unlock(l);
	}
	if (p)
		to_child(p, in);
	tcp_req_put(r);
}

/* See tcp_pcb.h. Whoever cannot be reached will not answer. ctx: thread; holds: nothing */
bool tcp_req_error(struct tcp_req *r, u32 seq, int errno_)
{
	struct tcp_pcb *l = r->listener;
	bool ours = seq == r->iss;

	if (ours && (errno_ == EHOSTUNREACH || errno_ == ENETUNREACH || errno_ == EPROTO)) {
		tcp_lock(l);
		req_remove(l, r);
		tcp_unlock(l);
	}
	tcp_req_put(r);
	return ours;
}

/*
 * An ACK to a listener: does it bring a cookie back? The segment's text comes again. holds: l->lock
 */
static void cookie_received(struct tcp_pcb *l, struct tcp_in *in)
{
	struct tcp_in syn = { .wscale = 255, .now = in->now };
	struct tcp_pcb *p;

	in->reset = true;
	if (!tcp_sysctl_syncookies || in->now - l->listener->cookies_at > 2 * 64 * SEC)
		return;
	if (!tcp_cookie_check(in, &syn.mss)) {
		TCP_COUNT(SyncookiesFailed);
		return;
	}
	in->reset = false;
	if (queue_full(l)) {
		TCP_COUNT(ListenOverflows);
		return;
	}
	syn.has_ts = in->has_ts;
	syn.tsval = in->tsval;
	if (in->has_ts)
		tcp_cookie_options(in, &syn);
	p = child(l, in, &syn, syn.wscale == 255 ? 0 : listen_wscale(l));
	if (!p)
		return;
	child_begin(p);
	if (!tcp_table_add(&p->key)) {
		child_undo(p);
		return;
	}
	TCP_COUNT(SyncookiesRecv);
	child_ready(l, p);
	tcp_pcb_put(p);
}

/* See tcp_pcb.h. RFC 9293, 3.10.7.2. holds: l->lock */
void tcp_listen_input(struct tcp_pcb *l, struct tcp_in *in)
{
	if (in->flags & TH_RST)
		return;
	if (in->flags & TH_ACK) {
		if (in->flags & TH_SYN)
			in->reset = true;
		else
			cookie_received(l, in);
	} else if (in->flags & TH_SYN && !(in->flags & TH_FIN)) {
		syn_received(l, in);
	}
}

/* See tcp_pcb.h: SYN-ACKs again. holds: l->lock */
void tcp_listen_timer(struct tcp_pcb *l, s64 now)
{
	struct tcp_req *r, *tmp;
	s64 next = TIME_NEVER;

	list_for_each_safe(r, tmp, &l->listener->reqs, wait) {
		if (r->due <= now) {
			bool waits =
				r->acked && now - r->sent < tcp_answers_seconds(l->defer) * SEC;

			if (r->retries >= (u8)tcp_sysctl_synack_retries && !waits) {
				TCP_COUNT(ATTEMPT_FAILS);
				req_remove(l, r);
				continue;
			}
			if (!waits)
				req_answer(l, r, NULL, now);
			r->retries = (u8)MIN(r->retries + 1, 16);
			r->due = now + MIN(TCP_RTO_INIT << r->retries, TCP_RTO_MAX);
			TCP_COUNT(RETRANS_SEGS);
		}
		next = MIN(next, r->due);
	}
	if (next != TIME_NEVER)
		tcp_timer_set(l, TCPT_SEND, next);
}

/*
 * The listener goes: what it has not given out is reset. Its connections' locks rank as its own:
 * theirs is taken as the second. holds: l->lock
 */
void tcp_listen_stop(struct tcp_pcb *l)
{
	struct tcp_listener *q = l->listener;

	while (!list_empty(&q->reqs))
		req_remove(l, list_first(&q->reqs, struct tcp_req, wait));
	while (!list_empty(&q->ready)) {
		struct tcp_pcb *p = list_first(&q->ready, struct tcp_pcb, accept);

		list_del(&p->accept);
		WRITE_ONCE(q->nready, q->nready - 1);
		spin_lock_nested(&p->lock);
		tcp_send_reset(p);
		tcp_drop(p, 0);
		list_splice_tail(&l->outq, &p->outq);
		spin_unlock(&p->lock);
		tcp_pcb_put(p);
	}
}
