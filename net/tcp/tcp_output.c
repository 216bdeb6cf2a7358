/*
 * Sending: what may go now, and making it a segment (RFC 9293, 3.8).
 *
 * The send queue is one list of struct tcp_seg: first what was sent and not acknowledged, then,
 * from p->unsent on, what was not. SYN and FIN are in it like data, so that one mechanism sends all
 * again. A segment of the queue may be larger than the MSS: it is handed down as one packet and cut
 * by the device, or by who stands in for it; where a part of it must go alone it is split.
 *
 * New data waits for four things: the congestion window (against RFC 6675's pipe), the peer's
 * window, Nagle's rule in Minshall's form with TCP_CORK over it, and the sender's side of
 * silly-window avoidance (RFC 9293, 3.8.6.2.1). What is marked lost goes before new data.
 */
#include <linux/errno.h>
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/tcp/tcp_pcb.h"

#define MTU_AGAIN (600 * SEC) /* RFC 4821, 7.3 */

/* See tcp_pcb.h. NULL: no memory. ctx: any */
struct tcp_seg *tcp_seg_alloc(void)
{
	struct tcp_seg *s = kmalloc(sizeof(*s), PMM_NOWAIT);

	if (s)
		memset(s, 0, offsetof(struct tcp_seg, frags));
	return s;
}

/* See tcp_pcb.h. It is on no list. ctx: any */
void tcp_seg_free(struct tcp_seg *s)
{
	for (u32 i = 0; i < s->nfrags; i++)
		page_put(s->frags[i].page);
	kfree(s);
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_seg_add(struct tcp_pcb *p, struct tcp_seg *s)
{
	list_add_tail(&p->sndq, &s->link);
	WRITE_ONCE(p->nsegs, p->nsegs + 1);
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_seg_drop(struct tcp_pcb *p, struct tcp_seg *s)
{
	list_del(&s->link);
	WRITE_ONCE(p->nsegs, p->nsegs - 1);
	tcp_seg_free(s);
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_seg_front(struct tcp_seg *s, u32 n)
{
	u32 gone = 0;

	s->seq += n;
	s->len -= n;
	while (gone < s->nfrags && n >= s->frags[gone].len) {
		n -= s->frags[gone].len;
		page_put(s->frags[gone++].page);
	}
	if (gone) {
		s->nfrags = (u8)(s->nfrags - gone);
		memmove(s->frags, s->frags + gone, s->nfrags * sizeof(s->frags[0]));
	}
	if (n) {
		s->frags[0].off += n;
		s->frags[0].len -= n;
	}
}

/* Move what lies behind @len bytes of @s to @t. */
static void frags_move(struct tcp_seg *s, struct tcp_seg *t, u32 len)
{
	u32 i = 0, n = 0, keep;

	while (len && len >= s->frags[i].len)
		len -= s->frags[i++].len;
	keep = i;
	if (len) {
		struct pkt_frag *f = &s->frags[i++];

		page_get(f->page);
		t->frags[n++] = (struct pkt_frag){ f->page, f->off + len, f->len - len };
		f->len = len;
		keep = i;
	}
	while (i < s->nfrags)
		t->frags[n++] = s->frags[i++];
	t->nfrags = (u8)n;
	s->nfrags = (u8)keep;
}

/* See tcp_pcb.h: what is behind becomes a segment of its own. holds: p->lock. False: no memory */
bool tcp_seg_split(struct tcp_pcb *p, struct tcp_seg *s, u32 len)
{
	struct tcp_seg *t = tcp_seg_alloc();

	if (!t)
		return false;
	frags_move(s, t, len);
	t->seq = s->seq + len;
	t->end = s->end;
	t->len = s->len - len;
	t->flags = s->flags;
	t->mark = s->mark;
	t->stamp = s->stamp;
	s->stamp = 0;
	t->sent = s->sent;
	if (s->mark & SEG_SACKED)
		p->nsacked++;
	s->end = s->seq + len;
	s->len = len;
	s->flags &= ~(TH_FIN | TH_PSH);
	list_add(&s->link, &t->link);
	WRITE_ONCE(p->nsegs, p->nsegs + 1);
	return true;
}

/* --- making segments --- */

/* See tcp_pcb.h. */
u32 tcp_first_window(const struct tcp_pcb *p)
{
	u32 most = MIN((u32)READ_ONCE(p->rcvbuf), 65535u);

	return p->window_clamp ? MIN(most, p->window_clamp) : most;
}

/* See tcp_pcb.h. Never less than was promised. holds: p->lock */
u32 tcp_window(struct tcp_pcb *p)
{
	s64 space = (s64)READ_ONCE(p->rcvbuf) - p->rcv_mem;
	u32 now = p->rcv_wup + p->rcv_wnd - p->rcv_nxt, want;
	u32 unit = 1u << p->rcv_wscale, most = 65535u << p->rcv_wscale;

	if (seq_lt(p->rcv_wup + p->rcv_wnd, p->rcv_nxt))
		now = 0;
	if (p->window_clamp)
		space = MIN(space, (s64)p->window_clamp);
	if (unlikely(tcp_memory_pressure()))
		space = MIN(space, 4 * (s64)p->rcv_mss);
	want = (u32)MIN(MAX(space, 0), (s64)most);
	/* Receiver's silly-window avoidance: RFC 9293, 3.8.6.2.2. */
	if (want < MIN((u32)READ_ONCE(p->rcvbuf) / 2, (u32)p->rcv_mss))
		want = 0;
	want = ALIGN_DOWN(want, unit);
	if (want < now)
		want = MIN(ALIGN_UP(now, unit), most);
	if (!want && p->rcv_wnd)
		TCP_COUNT(TCPToZeroWindowAdv);
	p->rcv_wnd = want;
	p->rcv_wup = p->rcv_nxt;
	return want;
}

static void put32(u8 *b, u32 v)
{
	v = net32(v);
	memcpy(b, &v, 4);
}

static void write_block(u8 *o, const struct tcp_block *b)
{
	put32(o, b->start);
	put32(o + 4, b->end);
}

/* Are there SACK blocks, and is there room for them beside @len bytes? */
static bool tells_sacks(const struct tcp_pcb *p, u32 len)
{
	return unlikely(p->nsacks || p->dsack) && len + 4 + 8 * TCP_SACKS <= p->mss;
}

/*
 * Timestamps, and SACK blocks if @len bytes of data leave room, of a segment that is no SYN. Their
 * length.
 */
static u32 write_options(struct tcp_pcb *p, u8 *o, u32 len, s64 now)
{
	u32 n = 0, blocks = 0;

	if (p->flags & PF_TS) {
		o[0] = o[1] = 1;
		o[2] = 8;
		o[3] = 10;
		put32(o + 4, tcp_ts_now(now, p->ts_offset));
		put32(o + 8, p->ts_recent);
		n = TCP_TS_LEN;
	}
	if (!tells_sacks(p, len))
		return n;
	o[n] = o[n + 1] = 1;
	o[n + 2] = 5;
	if (p->dsack) { /* told once */
		p->dsack = false;
		write_block(o + n + 4, &p->dblock);
		blocks++;
	}
	for (u32 i = 0; i < p->nsacks && n + 12 + blocks * 8 <= TCP_OPT_MAX; i++)
		write_block(o + n + 4 + blocks++ * 8, &p->sacks[i]);
	o[n + 3] = (u8)(2 + blocks * 8);
	return n + 4 + blocks * 8;
}

static u32 syn_options(struct tcp_pcb *p, u8 *o, s64 now)
{
	bool answer = p->state != TCP_SYN_SENT;
	bool ts = answer ? (p->flags & PF_TS) != 0 : tcp_sysctl_timestamps != 0;
	bool sack = answer ? (p->flags & PF_SACK) != 0 : tcp_sysctl_sack != 0;
	bool scale = answer ? (p->flags & PF_WSCALE) != 0 : tcp_sysctl_wscale != 0;
	u32 mss = p->pmtu - 40;

	if (p->user_mss)
		mss = MIN(mss, (u32)p->user_mss);
	mss = tcp_write_syn_options(o, (u16)MIN(mss, 65495u), scale ? p->rcv_wscale : 255, ts, sack,
				    tcp_ts_now(now, p->ts_offset), p->ts_recent);
	return p->fo & FO_TRY ? mss + tcp_fo_option(p, o + mss) : mss;
}

/* What an ACK that leaves changes. */
static void acked_now(struct tcp_pcb *p)
{
	p->flags &= ~PF_ACK_NOW;
	p->deadline[TCPT_ACK] = TIME_NEVER;
	if (p->quick)
		p->quick--;
}

/* A packet with all but its bytes. */
static struct pkt *make(struct tcp_pcb *p, u32 seq, u8 flags, u32 bytes, s64 now)
{
	u8 opt[TCP_OPT_MAX];
	u32 len, wnd;
	struct pkt *pkt;

	len = flags & TH_SYN ? syn_options(p, opt, now) : write_options(p, opt, bytes, now);
	if (flags & TH_SYN) {
		wnd = tcp_first_window(p);
		p->rcv_wnd = wnd;
		p->rcv_wup = p->rcv_nxt;
	} else {
		wnd = tcp_window(p) >> p->rcv_wscale;
	}
	if ((p->flags & PF_ECE_PENDING) && !(flags & TH_SYN))
		flags |= TH_ECE;
	pkt = tcp_make(&p->key, seq, p->rcv_nxt, flags, wnd, opt, len);
	if (pkt) {
		p->segs_out++;
		TCP_COUNT(OUT_SEGS);
	}
	return pkt;
}

static void push(struct tcp_pcb *p, struct pkt *pkt)
{
	tcp_enqueue(&p->outq, pkt, &p->key, p->tos | pkt->ecn, p->ttl, tcp_df(p));
}

/* Flags of ECN on a segment with data. RFC 3168, 6.1. */
static u8 ecn_flags(struct tcp_pcb *p, const struct tcp_seg *s, u8 *field)
{
	u8 flags = 0;

	*field = 0;
	if (s->flags & TH_SYN) {
		if (p->state == TCP_SYN_SENT && tcp_sysctl_ecn == 1 && !s->sent)
			return TH_ECE | TH_CWR;
		return p->state != TCP_SYN_SENT && (p->flags & PF_ECN) ? TH_ECE : 0;
	}
	if (!(p->flags & PF_ECN) || !s->len || s->sent)
		return 0;
	*field = 2; /* ECT(0) */
	if (p->flags & PF_CWR_PENDING)
		flags = TH_CWR;
	p->flags &= ~PF_CWR_PENDING;
	return flags;
}

static void set_urgent(const struct tcp_pcb *p, const struct tcp_seg *s, struct pkt *pkt)
{
	u8 *h = pkt_transport(pkt);
	u32 ptr = p->snd_up - s->seq;

	if (!s->len || !seq_gt(p->snd_up, s->seq) || ptr > 65535)
		return;
	h[13] |= TH_URG;
	h[18] = (u8)(ptr >> 8);
	h[19] = (u8)ptr;
}

/* Behind the last byte of @s. */
static u32 data_end(const struct tcp_seg *s)
{
	return s->end - !!(s->flags & TH_FIN);
}

static void stamp_release(struct pkt *pkt)
{
	tcp_pcb_put(pkt->owner);
}

/* The user is told when @pkt leaves, which carries @s. holds: p->lock */
static void ask_stamp(struct tcp_pcb *p, const struct tcp_seg *s, struct pkt *pkt)
{
	pkt->stamped = (s->stamp & (PKT_STAMP_SEND | PKT_STAMP_SCHED)) | PKT_STAMP_TCP;
	pkt->cb[5] = data_end(s);
	pkt->owner = tcp_pcb_get(p);
	pkt->release = stamp_release;
}

/* See net/tcp.h. */
void tcp_stamped(struct pkt *pkt, u32 what)
{
	struct tcp_pcb *p = pkt->owner;

	tcp_lock(p);
	if (p->uops) {
		p->uops->sent(p->user, pkt, what, (u32)pkt->cb[5]);
		p->wake |= WAKE_ERR;
	}
	tcp_unlock(p);
}

/* The data of @s behind what @pkt has. False: no memory */
static bool add_data(struct pkt *pkt, const struct tcp_seg *s)
{
	for (u32 i = 0; i < s->nfrags; i++) {
		page_get(s->frags[i].page);
		if (!pkt_add_frag(pkt, s->frags[i].page, s->frags[i].off, s->frags[i].len)) {
			page_put(s->frags[i].page);
			return false;
		}
	}
	return true;
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_seg_acked(struct tcp_pcb *p, const struct tcp_seg *s)
{
	struct pkt *pkt;

	if (!(s->stamp & PKT_STAMP_ACK) || !p->uops)
		return;
	pkt = pkt_alloc(0, 64, PMM_NOWAIT);
	if (pkt && add_data(pkt, s))
		p->uops->sent(p->user, pkt, PKT_STAMP_ACK, data_end(s));
	pkt_put(pkt);
	p->wake |= WAKE_ERR;
}

/* See tcp_pcb.h: one segment of the queue, for the first time or again. holds: p->lock */
bool tcp_xmit(struct tcp_pcb *p, struct tcp_seg *s, s64 now)
{
	u8 flags = s->flags | (p->state == TCP_SYN_SENT ? 0 : TH_ACK), ecn;
	bool untold = (p->nsacks || p->dsack) && !tells_sacks(p, s->len);
	struct pkt *pkt;

	flags |= ecn_flags(p, s, &ecn);
	if (s->len > p->mss)
		flags |= TH_PSH; /* of the last: what came in one piece need not wait for more */
	pkt = make(p, s->seq, flags, s->len, now);
	if (!pkt)
		return false;
	pkt->ecn = ecn;
	if (!add_data(pkt, s)) {
		pkt_put(pkt);
		return false;
	}
	if (s->len > p->mss) {
		pkt->gso_size = p->mss;
		pkt->gso_type = PKT_GSO_TCP4;
	}
	set_urgent(p, s, pkt);
	if (unlikely(s->stamp) && !s->sent)
		ask_stamp(p, s, pkt);
	if (s->sent) {
		p->total_retrans++;
		p->bytes_retrans += s->len;
		TCP_COUNT(RETRANS_SEGS);
		if (s->flags & TH_SYN)
			TCP_COUNT(TCPSynRetrans);
	} else {
		TCP_COUNT(TCPOrigDataSent);
	}
	s->sent = now;
	if (s->len) {
		p->last_sent = now;
		p->stat.data_out += DIV_ROUND_UP(s->len, p->mss);
		if (p->stat.data_in && now - p->last_rcv < p->ato)
			p->flags |= PF_PINGPONG;
	}
	p->bytes_sent += s->len;
	if (unlikely(p->extra))
		tcp_pace_sent(p, s->len, now);
	if ((flags & TH_ACK) && !untold)
		acked_now(p);
	push(p, pkt);
	return true;
}

/* See tcp_pcb.h. No memory: it is tried again soon. holds: p->lock */
void tcp_send_ack(struct tcp_pcb *p, s64 now)
{
	struct pkt *pkt;

	if (p->state == TCP_CLOSE || p->state == TCP_SYN_SENT)
		return;
	pkt = make(p, p->snd_nxt, TH_ACK, 0, now);
	if (!pkt) {
		tcp_timer_set(p, TCPT_ACK, now + TCP_DELACK);
		return;
	}
	acked_now(p);
	push(p, pkt);
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_send_reset(struct tcp_pcb *p)
{
	u8 opt[TCP_OPT_MAX];
	struct pkt *pkt;

	if (p->state == TCP_CLOSE || p->state == TCP_LISTEN)
		return;
	/* With the time: RFC 7323, 3.2. */
	pkt = tcp_make(&p->key, p->snd_nxt, p->rcv_nxt, TH_RST | TH_ACK, 0, opt,
		       write_options(p, opt, p->mss, time_now()));
	if (!pkt)
		return;
	TCP_COUNT(OUT_RSTS);
	push(p, pkt);
}

/*
 * A segment below the window, which the other side answers: a keepalive, a probe of a closed window
 * (RFC 9293, 3.8.4 and 3.8.6.1). holds: p->lock
 */
void tcp_send_probe(struct tcp_pcb *p, s64 now, bool urgent)
{
	struct pkt *pkt = make(p, p->snd_una - 1 + !!urgent, TH_ACK, 0, now);

	if (!pkt)
		return;
	acked_now(p);
	push(p, pkt);
}

/* --- opening and closing --- */

/* The scale that tells the largest buffer that auto-tuning may reach. RFC 7323, 2. */
static u8 choose_wscale(const struct tcp_pcb *p)
{
	u32 most = (u32)READ_ONCE(p->rcvbuf);
	u8 scale = 0;

	if (!tcp_sysctl_wscale)
		return 0;
	if (!(p->flags & PF_RCVBUF_SET))
		most = MAX(most, (u32)tcp_sysctl_rmem[2]);
	while (most > 65535 && scale < TCP_WSCALE_MAX) {
		most >>= 1;
		scale++;
	}
	return scale;
}

/* See tcp_pcb.h. holds: p->lock */
bool tcp_begin(struct tcp_pcb *p, struct tcp_seg *with, s64 now)
{
	struct tcp_seg *s = tcp_seg_alloc();

	if (!s)
		return false;
	p->snd_una = p->snd_up = p->snd_small = p->iss;
	p->snd_nxt = p->snd_end = p->iss + 1;
	s->seq = p->iss;
	s->end = p->iss + 1;
	s->flags = TH_SYN;
	tcp_seg_add(p, s);
	if (with)
		tcp_fo_send(p, s, with, now);
	else
		tcp_xmit(p, s, now);
	p->first_unanswered = now;
	tcp_timer_rearm(p, now);
	return true;
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_send_syn(struct tcp_pcb *p, struct tcp_seg *with, s64 now)
{
	p->mss = (u16)MIN(TCP_MSS_536, p->pmtu - 40);
	p->rcv_mss = TCP_MSS_536;
	p->cwnd = p->mss;
	p->rcv_wscale = choose_wscale(p);
	if (tcp_begin(p, with, now))
		return;
	if (with)
		tcp_seg_free(with);
	tcp_drop(p, ENOMEM);
}

/* See tcp_pcb.h: the last thing that this side says. holds: p->lock */
void tcp_queue_fin(struct tcp_pcb *p)
{
	struct tcp_seg *s = NULL;

	p->flags |= PF_FIN_QUEUED;
	if (p->unsent)
		s = list_last(&p->sndq, struct tcp_seg, link);
	if (!s) {
		s = tcp_seg_alloc();
		if (!s) {
			tcp_send_reset(p);
			tcp_drop(p, ENOMEM);
			return;
		}
		s->seq = s->end = p->snd_end;
		tcp_seg_add(p, s);
		p->unsent = s;
	}
	s->flags |= TH_FIN;
	s->end++;
	WRITE_ONCE(p->snd_end, s->end);
}

/* --- what may go --- */

static bool may_send(const struct tcp_pcb *p)
{
	switch (p->state) {
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
	case TCP_FIN_WAIT1:
	case TCP_CLOSING:
	case TCP_LAST_ACK: return true;
	default: return p->fo & FO_PENDING;
	}
}

/* Must the end of @s, which does not fill a segment, wait? */
static bool nagle(const struct tcp_pcb *p, const struct tcp_seg *s)
{
	if (s->flags & TH_FIN || s->link.next != &p->sndq || seq_gt(p->snd_up, s->seq))
		return false;
	if (p->flags & PF_CORK)
		return true;
	/* Minshall: one small segment at a time. */
	return !(p->flags & PF_NODELAY) && p->snd_nxt != p->snd_una &&
	       seq_gt(p->snd_small, p->snd_una);
}

static u32 cwnd_room(const struct tcp_pcb *p)
{
	u32 pipe = tcp_pipe(p);

	return p->cwnd > pipe ? p->cwnd - pipe : 0;
}

/* How much of @s may be handed down as one: an urgent pointer, and CWR, are of one segment only. */
static u32 piece_max(const struct tcp_pcb *p, const struct tcp_seg *s)
{
	bool cwr = (p->flags & (PF_ECN | PF_CWR_PENDING)) == (PF_ECN | PF_CWR_PENDING);

	return seq_gt(p->snd_up, s->seq) || cwr ? p->mss
						: MAX((u32)p->gso_max / p->mss, 1u) * p->mss;
}

/* How many bytes of the first unsent segment may go; all of it: its length. -1: not now. */
static s64 sendable(struct tcp_pcb *p, const struct tcp_seg *s)
{
	s32 open = (s32)(p->snd_una + p->snd_wnd - s->seq);
	u32 room = cwnd_room(p), part = s->len % p->mss, n;

	if (!room || open <= 0)
		return -1;
	/* Counted in segments, of which the last may fit in part; half a window is burst enough. */
	room = MIN(MAX(room / p->mss, 1u), MAX(p->cwnd / 2 / p->mss, 1u)) * p->mss;
	n = MIN(room, piece_max(p, s));
	n = MIN(n, (u32)open);
	if (unlikely(p->extra))
		n = tcp_pace_burst(p, n);
	if (n >= s->len) {
		if (part && nagle(p, s))
			return s->len > part ? (s64)(s->len - part) : -1;
		return s->len;
	}
	if (n >= p->mss)
		return n / p->mss * p->mss;
	/* Less than a segment, because of the peer's window. */
	if (p->snd_nxt == p->snd_una && (u32)open >= p->max_wnd / 2)
		return open;
	return -1;
}

/* Send the first unsent segment, or its first @n bytes. */
static bool send_new(struct tcp_pcb *p, struct tcp_seg *s, u32 n, s64 now)
{
	if (n < s->len && !tcp_seg_split(p, s, n))
		return false;
	if (!tcp_xmit(p, s, now))
		return false;
	p->unsent = s->link.next == &p->sndq ? NULL : list_next_of(s, link);
	if (p->snd_nxt == p->snd_una)
		p->first_unanswered = now;
	WRITE_ONCE(p->snd_nxt, s->end);
	if (s->len % p->mss)
		p->snd_small = s->end;
	p->prr_out += s->end - s->seq;
	return true;
}

/* What was marked lost and not sent again yet. RFC 6675, 5 (C); in LOSS it is the go-back. */
static void send_lost(struct tcp_pcb *p, s64 now)
{
	struct tcp_seg *s;

	list_for_each(s, &p->sndq, link) {
		u32 room = cwnd_room(p);

		if (s == p->unsent || !room || !tcp_pace(p, now))
			break;
		if ((s->mark & (SEG_LOST | SEG_RETRANS | SEG_SACKED)) != SEG_LOST)
			continue;
		room = MAX(room / p->mss, 1u) * p->mss;
		room = MIN(room, piece_max(p, s));
		if (unlikely(p->extra))
			room = tcp_pace_burst(p, room);
		if (s->len > room && !tcp_seg_split(p, s, room))
			break;
		if (!tcp_xmit(p, s, now)) {
			TCP_COUNT(TCPRetransFail);
			break;
		}
		s->mark |= SEG_RETRANS | SEG_EVER;
		p->retrans += s->end - s->seq;
		p->prr_out += s->end - s->seq;
		p->undo_retrans =
			MAX(p->undo_retrans, 0) + (int)DIV_ROUND_UP(s->end - s->seq, p->mss);
		if (!p->retrans_stamp) {
			p->retrans_stamp = now;
			p->retrans_ts = tcp_ts_now(now, p->ts_offset);
		}
		if (p->ca == CA_LOSS)
			TCP_COUNT(TCPSlowStartRetrans);
		else
			TCP_COUNT(TCPFastRetrans);
	}
}

/* After a pause the window says nothing about the path any more. RFC 5681, 4.1. */
static void after_idle(struct tcp_pcb *p, s64 now)
{
	if (tcp_sysctl_slow_start_idle && p->snd_nxt == p->snd_una && p->last_sent &&
	    now - p->last_sent > p->rto && p->ca == CA_OPEN) {
		p->ssthresh = MAX(p->ssthresh, p->cwnd / 4 * 3);
		p->cwnd = MIN(p->cwnd, tcp_init_window(p));
	}
}

/*
 * How much of the window is needed: whether it was full at some time of this round trip, else the
 * most that was on its way. RFC 7661.
 */
static void note_use(struct tcp_pcb *p, bool sent)
{
	u32 out = p->snd_nxt - p->snd_una;
	bool full = !cwnd_room(p);

	if (!sent && !full)
		return;
	if (full || seq_ge(p->snd_una, p->use_end) ||
	    (!(p->flags & PF_CWND_LIMITED) && out > p->most_out)) {
		p->flags = full ? p->flags | PF_CWND_LIMITED : p->flags & ~PF_CWND_LIMITED;
		p->most_out = out;
		p->use_end = p->snd_nxt;
	}
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_output(struct tcp_pcb *p, s64 now)
{
	u32 before = p->snd_nxt;
	struct tcp_seg *s;

	if (!may_send(p))
		return;
	if (p->lost && !(p->flags & PF_FRTO2))
		send_lost(p, now);
	if (p->unsent)
		after_idle(p, now);
	if (unlikely(p->path_mtu && now >= p->mtu_again && p->ca == CA_OPEN)) {
		u32 mtu = p->path_mtu;

		p->path_mtu = 0;
		tcp_mtu(p, mtu);
	}
	while ((s = p->unsent)) {
		s64 n = sendable(p, s);

		if (n < 0 || !tcp_pace(p, now) || !send_new(p, s, (u32)n, now))
			break;
	}
	note_use(p, before != p->snd_nxt);
	if (before != p->snd_nxt && (before == p->snd_una || p->send_timer == ST_TLP)) {
		tcp_timer_rearm(p, now);
	} else if (p->unsent && p->snd_nxt == p->snd_una && p->deadline[TCPT_SEND] == TIME_NEVER &&
		   (!p->extra || p->extra->deadline == TIME_NEVER)) {
		p->send_timer = ST_PROBE;
		tcp_timer_set(p, TCPT_SEND, now + p->rto); /* no longer is it corked, either */
	}
	tcp_stat_sent(p, now);
}

/*
 * The persist timer: send what the window lets through, however little. False: it is closed.
 * holds: p->lock
 */
bool tcp_output_forced(struct tcp_pcb *p, s64 now)
{
	struct tcp_seg *s = p->unsent;
	s32 open = (s32)(p->snd_una + p->snd_wnd - p->snd_nxt);
	u32 n = (u32)MIN(open, (s32)p->mss);

	if (!s || !may_send(p) || open <= 0)
		return false;
	return send_new(p, s, MIN(n, s->len), now);
}

/*
 * Tail loss probe (RFC 8985, 7.3): one segment, new if there is one and the window has room, else
 * the last again. holds: p->lock
 */
void tcp_send_tail_probe(struct tcp_pcb *p, s64 now)
{
	struct tcp_seg *s;

	if (!tcp_pace(p, now))
		return;
	p->flags &= ~PF_TLP_RETRANS;
	if (!tcp_output_forced(p, now)) {
		s = p->unsent ? list_entry(p->unsent->link.prev, struct tcp_seg, link)
			      : list_last(&p->sndq, struct tcp_seg, link);
		if (list_node_of(s, link) == &p->sndq || (s->mark & SEG_SACKED))
			return;
		if (s->len > p->mss && tcp_seg_split(p, s, (s->len - 1) / p->mss * p->mss))
			s = list_next_of(s, link);
		if (!tcp_xmit(p, s, now))
			return;
		s->mark |= SEG_EVER;
		p->flags |= PF_TLP_RETRANS;
	}
	TCP_COUNT(TCPLossProbes);
	p->tlp_end = p->snd_nxt;
}

/* RFC 6928: ten segments, about 14 KiB. ctx: any */
u32 tcp_init_window(const struct tcp_pcb *p)
{
	return 10u * p->mss;
}

/*
 * Segments are lost again and again, and no ICMP says why: perhaps a router that drops large ones
 * in silence (RFC 4821, 7.7). Try smaller ones, and the old size again after a while: it may have
 * been an outage. holds: p->lock
 */
void tcp_mtu_black_hole(struct tcp_pcb *p, s64 now)
{
	u32 base = (u32)tcp_sysctl_base_mss, mss = p->path_mtu ? p->mss / 2u : base;
	const struct tcp_seg *s = list_first(&p->sndq, struct tcp_seg, link);

	mss = MAX(MIN(mss, base), TCP_MSS_MIN);
	if (!tcp_sysctl_mtu_probing || p->mss <= mss || s->len <= mss)
		return;
	if (!p->path_mtu)
		p->path_mtu = (u16)MIN(p->pmtu, 65535u); /* that of lo is 65536 */
	p->mtu_again = now + MTU_AGAIN;
	tcp_mtu(p, mss + 40 + (p->flags & PF_TS ? TCP_TS_LEN : 0));
}

/* See tcp_pcb.h. @mtu: of the path. holds: p->lock */
void tcp_mtu(struct tcp_pcb *p, u32 mtu)
{
	u32 mss;

	p->pmtu = MAX(mtu, TCP_MSS_MIN + 40);
	mss = p->pmtu - 40;
	if (p->peer_mss)
		mss = MIN(mss, (u32)p->peer_mss);
	if (p->user_mss)
		mss = MIN(mss, (u32)p->user_mss);
	mss = MAX(MIN(mss, 65495u), TCP_MSS_MIN);
	p->mss = (u16)(mss - (p->flags & PF_TS ? TCP_TS_LEN : 0));
}
