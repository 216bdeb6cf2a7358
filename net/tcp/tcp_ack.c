/*
 * The acknowledgment of a segment (RFC 9293, 3.10.7.4, fifth step): what was sent and has arrived
 * leaves the send queue, the round trip is measured (RFC 6298, 7323), the window moves, and
 * congestion control is told (tcp_recover.c).
 */
#include <linux/errno.h>
#include "net/tcp/tcp_pcb.h"

static void delivered(const struct tcp_pcb *p, u32 n, struct tcp_ackinfo *a)
{
	a->delivered += n;
	a->segs += DIV_ROUND_UP(n, p->mss);
}

/* @n bytes of the sequence space off the front of @s, or all of it. */
static void forget(struct tcp_pcb *p, struct tcp_seg *s, u32 n, struct tcp_ackinfo *a)
{
	if (s->mark & SEG_SACKED)
		p->sacked -= n;
	else
		delivered(p, n, a);
	if (s->mark & SEG_LOST)
		p->lost -= n;
	if (s->mark & SEG_RETRANS)
		p->retrans -= n;
}

static void clean_queue(struct tcp_pcb *p, u32 ack, struct tcp_ackinfo *a)
{
	struct tcp_seg *s, *tmp;

	list_for_each_safe(s, tmp, &p->sndq, link) {
		if (s == p->unsent || seq_ge(s->seq, ack))
			break;
		if (a->rtt < 0 && !(s->mark & (SEG_EVER | SEG_SACKED)))
			a->rtt = a->now - s->sent;
		if (!(s->mark & SEG_SACKED))
			tcp_rack_delivered(p, s, a);
		if (seq_gt(s->end, ack)) {
			forget(p, s, ack - s->seq, a);
			tcp_seg_front(s, ack - s->seq);
			break;
		}
		forget(p, s, s->end - s->seq, a);
		if (s->mark & SEG_SACKED)
			p->nsacked--;
		if (unlikely(s->stamp))
			tcp_seg_acked(p, s);
		tcp_seg_drop(p, s);
	}
}

/* See tcp_pcb.h. RFC 7323, 4. holds: p->lock */
void tcp_measure(struct tcp_pcb *p, const struct tcp_in *in, s64 rtt)
{
	if (rtt < 0 && in->has_ts && in->tsecr && (p->flags & PF_TS)) {
		u32 ms = tcp_ts_now(in->now, p->ts_offset) - in->tsecr;

		if (ms < 60000)
			rtt = (s64)MAX(ms, 1u) * MSEC;
	}
	if (rtt >= 0)
		tcp_rtt(p, rtt);
}

/* RFC 9293, 3.10.7.4: only a newer segment says something of the window. */
static bool take_window(struct tcp_pcb *p, const struct tcp_in *in)
{
	u32 wnd = in->wnd << p->snd_wscale;
	bool changed = wnd != p->snd_wnd;

	if (seq_lt(p->snd_wl1, in->seq) || (p->snd_wl1 == in->seq && seq_le(p->snd_wl2, in->ack))) {
		p->snd_wnd = wnd;
		p->snd_wl1 = in->seq;
		p->snd_wl2 = in->ack;
		p->max_wnd = MAX(p->max_wnd, wnd);
		return changed;
	}
	return false;
}

/* The send buffer keeps up with the window: two of it, so that the sender is never the brake. */
static void tune_sndbuf(struct tcp_pcb *p)
{
	u32 want = 2 * MIN(p->cwnd, (u32)tcp_sysctl_wmem[2]);

	if ((p->flags & PF_SNDBUF_SET) || want <= (u32)p->sndbuf || tcp_memory_pressure())
		return;
	WRITE_ONCE(p->sndbuf, (int)MIN(want, (u32)tcp_sysctl_wmem[2]));
}

/* What was sent has arrived: timers, memory, who waits for room. */
static void advanced(struct tcp_pcb *p, s64 now)
{
	p->retries = 0;
	p->soft_err = 0;
	p->first_unanswered = p->snd_nxt != p->snd_una ? now : 0;
	if (seq_lt(p->snd_up, p->snd_una))
		p->snd_up = p->snd_una;
	if (seq_lt(p->snd_small, p->snd_una))
		p->snd_small = p->snd_una;
	tcp_settle(p);
	if (p->snd_una == p->snd_end && READ_ONCE(p->spage)) {
		struct page *idle = __atomic_exchange_n(&p->spage, NULL, __ATOMIC_ACQUIRE);

		if (idle)
			page_put(idle);
	}
	tune_sndbuf(p);
	p->wake |= WAKE_ROOM;
	tcp_timer_rearm(p, now);
}

static void process(struct tcp_pcb *p, struct tcp_in *in, struct tcp_ackinfo *a)
{
	if (in->nsack && (p->flags & PF_SACK))
		tcp_sack_tag(p, in, a);
	if (seq_gt(in->ack, p->snd_una)) {
		a->acked = in->ack - p->snd_una;
		p->bytes_acked += a->acked;
		clean_queue(p, in->ack, a);
		WRITE_ONCE(p->snd_una, in->ack);
		tcp_measure(p, in, a->rtt);
		advanced(p, in->now);
	}
	a->delivered += a->sacked;
	tcp_stat_acked(p, a->segs, in->now);
	tcp_tail_probe_answered(p, a);
	tcp_recover(p, a);
}

/* See tcp_pcb.h. holds: p->lock */
bool tcp_ack(struct tcp_pcb *p, struct tcp_in *in)
{
	struct tcp_ackinfo a = {
		.prior_una = p->snd_una,
		.prior_pipe = tcp_pipe(p),
		.prior_fack = p->rack_fack,
		.rtt = -1,
		.now = in->now,
		.tsecr = in->tsecr,
		.has_ts = in->has_ts && (p->flags & PF_TS),
		.ece = in->flags & TH_ECE,
	};
	bool window;

	/* RFC 5961, 5.2, and 9293: of what was never sent, or long ago. */
	if (seq_gt(in->ack, p->snd_nxt) || seq_lt(in->ack, p->snd_una - p->max_wnd)) {
		tcp_challenge(p, in->now);
		return false;
	}
	/* RFC 7323, 4.3; only now, as a forged time would make old what is not. */
	if (a.has_ts && seq_le(in->seq, p->rcv_wup) && seq_ge(in->tsval, p->ts_recent)) {
		p->ts_recent = in->tsval;
		p->ts_recent_at = in->now;
	}
	if (seq_lt(in->ack, p->snd_una)) {
		if (in->nsack && (p->flags & PF_SACK))
			process(p, in, &a);
		return true;
	}
	window = take_window(p, in);
	a.dup = in->ack == p->snd_una && !in->len && !window && !(in->flags & (TH_SYN | TH_FIN));
	p->probes = 0;
	p->keep_sent = 0;
	p->last_ack = in->now;
	if (p->snd_nxt == p->snd_una) {
		if (window) { /* a new window; what waits is sent by who called */
			p->deadline[TCPT_SEND] = TIME_NEVER;
			p->wake |= WAKE_ROOM;
			p->backoff = 0;
			p->first_unanswered = 0;
		} else if (!p->snd_wnd) {
			p->first_unanswered = 0; /* it answers probes: that may go on for ever */
		}
		if (unlikely(in->nsack) && (p->flags & PF_SACK))
			process(p, in, &a); /* what came twice */
		else
			tcp_tail_probe_answered(p, &a);
		return true;
	}
	process(p, in, &a);
	return true;
}
