/*
 * A segment arrives: RFC 9293, 3.10.7, a function per state and step.
 *
 * SYN-SENT has its own steps (3.10.7.3). All other states share those of 3.10.7.4: is the sequence
 * number acceptable, RST, SYN, ACK, URG, text, FIN. LISTEN is in tcp_listen.c, TIME-WAIT in
 * tcp_timewait.c.
 *
 * RFC 5961 hardens the steps: an RST counts only with exactly the next sequence number, a SYN
 * never; what might be a blind attempt is answered with a challenge ACK, of which only so many are
 * sent per second. RFC 7323's PAWS is part of the first step.
 */
#include <linux/errno.h>
#include "kernel/base/errno.h"
#include "kernel/base/rand.h"
#include "net/tcp/tcp_pcb.h"

#define INVALID_INTERVAL (500 * MSEC)

/* See tcp_pcb.h. RFC 5961, 7: a limit for all, and one for each connection. holds: p->lock */
void tcp_challenge(struct tcp_pcb *p, s64 now)
{
	static s64 second; /* a */
	static int left; /* a */
	s64 sec = now / SEC;

	if (now - p->challenge_at < INVALID_INTERVAL && p->challenge_at) {
		TCP_COUNT(TCPACKSkipped);
		return;
	}
	if (READ_ONCE(second) != sec) {
		u32 limit = (u32)tcp_sysctl_challenge_limit;

		/* Who could count them would learn of other people's connections. */
		WRITE_ONCE(second, sec);
		WRITE_ONCE(left, (int)(limit / 2 + (limit ? (u32)rand_u64() % limit : 0) / 2));
	}
	if (tcp_sysctl_challenge_limit != 0x7fffffff &&
	    __atomic_fetch_sub(&left, 1, __ATOMIC_RELAXED) <= 0)
		return;
	p->challenge_at = now;
	TCP_COUNT(TCPChallengeACK);
	tcp_send_ack(p, now);
}

/* --- SYN-SENT --- */

/* See tcp_pcb.h. holds: p->lock */
void tcp_take_options(struct tcp_pcb *p, const struct tcp_in *in)
{
	p->peer_mss = MAX(in->mss ? in->mss : (u16)TCP_MSS_536, (u16)TCP_MSS_MIN);
	if (in->wscale != 255 && tcp_sysctl_wscale) {
		p->flags |= PF_WSCALE;
		p->snd_wscale = in->wscale;
	} else {
		p->snd_wscale = p->rcv_wscale = 0;
	}
	if (in->has_ts && tcp_sysctl_timestamps) {
		p->flags |= PF_TS;
		p->ts_recent = in->tsval;
		p->ts_recent_at = in->now;
	}
	if (in->sack_ok && tcp_sysctl_sack)
		p->flags |= PF_SACK;
	tcp_mtu(p, p->pmtu);
	/* Until there is better knowledge the other side is taken to send like us. */
	p->rcv_mss = (u16)MIN(p->mss, (u16)TCP_MSS_536);
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_established(struct tcp_pcb *p)
{
	s64 now = time_now();
	u32 most = (u32)tcp_sysctl_wmem[2];

	tcp_set_state(p, TCP_ESTABLISHED);
	p->cwnd = tcp_init_window(p);
	/* RFC 6298, 5.7: a lost SYN says that the path is bad, or longer than was thought. */
	if (p->retries > 1)
		p->cwnd = p->mss;
	if (p->retries && !p->srtt)
		p->rto = TCP_RTO_LOST_SYN;
	p->cc->init(p);
	p->retries = p->backoff = 0;
	p->first_unanswered = 0;
	p->quick = 16;
	p->copied = p->rcv_nxt;
	p->drs_seq = p->copied;
	p->drs_at = p->last_rcv = p->last_ack = p->last_sent = p->stat.limit_at = now;
	p->stat.limit = LIMIT_IDLE;
	p->delivered = 1; /* its SYN */
	p->drs_space = 10u * p->rcv_mss;
	p->rack_fack = p->use_end = p->snd_una;
	if (!(p->flags & PF_SNDBUF_SET))
		WRITE_ONCE(p->sndbuf, (int)MIN(MAX(2 * p->cwnd, (u32)p->sndbuf), most));
	if (p->flags & PF_KEEPALIVE)
		tcp_timer_set(p, TCPT_KEEP, now + p->keep_idle * SEC);
	p->wake |= WAKE_WRITE | WAKE_READ;
}

/* The SYN of the queue is acknowledged. */
static void syn_acked(struct tcp_pcb *p, struct tcp_in *in)
{
	struct tcp_seg *s = list_first(&p->sndq, struct tcp_seg, link);

	tcp_measure(p, in, s->mark & SEG_EVER ? -1 : in->now - s->sent);
	tcp_seg_drop(p, s);
	WRITE_ONCE(p->snd_una, p->iss + 1);
	tcp_timer_rearm(p, in->now);
}

/* The window of a SYN is never scaled. */
static void first_window(struct tcp_pcb *p, const struct tcp_in *in)
{
	p->snd_wnd = in->flags & TH_SYN ? in->wnd : in->wnd << p->snd_wscale;
	p->max_wnd = p->snd_wnd;
	p->snd_wl1 = in->seq;
	p->snd_wl2 = in->ack;
}

static void refused(struct tcp_pcb *p)
{
	TCP_COUNT(ATTEMPT_FAILS);
	tcp_drop(p, ECONNREFUSED);
}

/* The other side has ended: eighth step. */
static void fin_received(struct tcp_pcb *p, s64 now)
{
	p->wake |= WAKE_ALL;
	tcp_ooo_purge(p);
	p->nsacks = 0;
	p->dsack = false;
	switch (p->state) {
	case TCP_ESTABLISHED: tcp_set_state(p, TCP_CLOSE_WAIT); break;
	case TCP_FIN_WAIT1:
		tcp_set_state(p, TCP_CLOSING);
		p->flags |= PF_ACK_NOW;
		break;
	case TCP_FIN_WAIT2:
		tcp_send_ack(p, now);
		tcp_enter_timewait(p);
		break;
	default: break;
	}
}

/* RFC 9293, 3.10.7.3. */
static void syn_sent(struct tcp_pcb *p, struct tcp_in *in)
{
	bool ack = in->flags & TH_ACK;

	if ((p->fo & FO_HELD) ||
	    (ack && (seq_le(in->ack, p->snd_una) || seq_gt(in->ack, p->snd_nxt)))) {
		in->reset = true;
		return;
	}
	/* An answer to a SYN of another time. */
	if (ack && in->has_ts && in->tsecr &&
	    seq_gt(in->tsecr, tcp_ts_now(in->now, p->ts_offset))) {
		in->reset = true;
		return;
	}
	if (in->flags & TH_RST) {
		if (ack)
			refused(p);
		return;
	}
	if (!(in->flags & TH_SYN))
		return;
	WRITE_ONCE(p->rcv_nxt, in->seq + 1);
	p->rcv_wup = p->rcv_nxt; /* what our SYN promised counts from here */
	p->copied = p->rcv_nxt;
	tcp_take_options(p, in);
	first_window(p, in);
	if (ack) {
		if ((in->flags & (TH_ECE | TH_CWR)) == TH_ECE && tcp_sysctl_ecn == 1)
			p->flags |= PF_ECN;
		syn_acked(p, in);
		tcp_established(p);
		if (unlikely(p->fo))
			tcp_fo_answered(p, in);
		if (unlikely(p->flags & PF_FIN_RCVD))
			fin_received(p, in->now);
		if (unlikely(p->lost)) /* it is the third segment, too */
			tcp_output(p, in->now);
		else
			tcp_send_ack(p, in->now);
	} else {
		struct tcp_seg *s = list_first(&p->sndq, struct tcp_seg, link);

		/* Both opened at once: 3.5, figure 7. */
		tcp_set_state(p, TCP_SYN_RECV);
		s->mark |= SEG_EVER;
		tcp_xmit(p, s, in->now);
	}
}

/* --- the steps of the other states --- */

/* What is not acceptable is answered, not too often: RFC 9293, 3.10.7.4, first step. */
static void answer_unacceptable(struct tcp_pcb *p, struct tcp_in *in)
{
	struct tcp_seg *s;

	if (in->flags & TH_RST)
		return;
	if (in->len && seq_lt(in->seq, p->rcv_nxt))
		tcp_dsack(p, in->seq, seq_min(in->seq + in->len, p->rcv_nxt));
	if (!in->len && p->oow_at && in->now - p->oow_at < INVALID_INTERVAL) {
		TCP_COUNT(TCPACKSkipped);
		return;
	}
	p->oow_at = in->now;
	s = list_first(&p->sndq, struct tcp_seg, link);
	if (unlikely(p->fo & FO_PENDING) && (in->flags & TH_SYN) && (s->flags & TH_SYN)) {
		s->mark |= SEG_EVER;
		tcp_xmit(p, s, in->now); /* its SYN again: our answer was lost */
	} else {
		tcp_send_ack(p, in->now);
	}
}

/* RFC 7323, 5.3: is it from before the last one that counted? */
static bool paws_old(const struct tcp_pcb *p, const struct tcp_in *in)
{
	return in->has_ts && (p->flags & PF_TS) && seq_lt(in->tsval, p->ts_recent) &&
	       in->now - p->ts_recent_at < TCP_PAWS_IDLE;
}

/*
 * An acknowledgment that was overtaken by a later one has an old time, too, but not for long. What
 * it says of SACK is news; it moves nothing else.
 */
static bool overtaken(const struct tcp_pcb *p, const struct tcp_in *in)
{
	return !in->len && (in->flags & (TH_ACK | TH_SYN | TH_FIN | TH_RST)) == TH_ACK &&
	       in->seq == p->rcv_nxt && seq_le(in->ack, p->snd_una) &&
	       (in->ack != p->snd_una || in->wnd << p->snd_wscale == p->snd_wnd) &&
	       (s64)(p->ts_recent - in->tsval) * MSEC <= p->rto;
}

static bool acceptable(const struct tcp_pcb *p, const struct tcp_in *in)
{
	u32 edge = seq_max(p->rcv_wup + p->rcv_wnd, p->rcv_nxt);

	return seq_ge(in->end, p->rcv_wup) && seq_le(in->seq, edge);
}

static bool check_sequence(struct tcp_pcb *p, struct tcp_in *in)
{
	if (unlikely(paws_old(p, in)) && !(in->flags & TH_RST) && !overtaken(p, in)) {
		TCP_COUNT(PAWSEstab);
		answer_unacceptable(p, in);
		return false;
	}
	if (unlikely(!acceptable(p, in))) {
		answer_unacceptable(p, in);
		return false;
	}
	return true;
}

/* RFC 5961, 3.2. */
static void check_reset(struct tcp_pcb *p, struct tcp_in *in)
{
	if (in->seq != p->rcv_nxt) {
		tcp_challenge(p, in->now);
		return;
	}
	if (p->state == TCP_SYN_RECV && !(p->fo & FO_PENDING)) {
		refused(p);
		return;
	}
	if (p->state == TCP_SYN_RECV)
		TCP_COUNT(ATTEMPT_FAILS);
	else
		TCP_COUNT(ESTAB_RESETS);
	tcp_drop(p, p->state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET);
}

static void ecn_received(struct tcp_pcb *p, const struct tcp_in *in)
{
	if (in->flags & TH_CWR)
		p->flags &= ~PF_ECE_PENDING;
	if ((in->tos & 3) == 3) {
		TCP_COUNT(TCPDeliveredCE);
		p->stat.ce_in++;
		if (!(p->flags & PF_ECE_PENDING))
			p->flags |= PF_ACK_NOW;
		p->flags |= PF_ECE_PENDING;
	}
}

/* Our FIN was acknowledged, with all before it. */
static bool fin_acked(const struct tcp_pcb *p)
{
	return (p->flags & PF_FIN_QUEUED) && p->snd_una == p->snd_end;
}

static void enter_fin_wait2(struct tcp_pcb *p, s64 now)
{
	s64 wait = (p->linger2 ? p->linger2 : tcp_sysctl_fin_timeout) * SEC;

	tcp_set_state(p, TCP_FIN_WAIT2);
	p->wake |= WAKE_ALL;
	if (!(p->flags & PF_ORPHAN))
		return;
	if (wait < 0)
		tcp_drop(p, 0);
	else
		tcp_timer_set(p, TCPT_KEEP, now + wait);
}

/*
 * What an ACK does to the state: fifth step. False: the connection is gone, or the segment is bad.
 */
static bool check_ack(struct tcp_pcb *p, struct tcp_in *in)
{
	if (p->state == TCP_SYN_RECV) {
		if (!seq_lt(p->snd_una, in->ack) || seq_gt(in->ack, p->snd_nxt)) {
			in->reset = true;
			return false;
		}
		syn_acked(p, in);
		first_window(p, in);
		if (p->fo & FO_PENDING)
			tcp_fo_done(p, false);
		else
			tcp_established(p);
		if (p->flags & PF_FIN_QUEUED)
			tcp_set_state(p, TCP_FIN_WAIT1);
	}
	if (!tcp_ack(p, in))
		return false;
	if (likely(!fin_acked(p)))
		return true;
	if (unlikely(p->fo & FO_PENDING))
		tcp_fo_done(p, false);
	switch (p->state) {
	case TCP_FIN_WAIT1: enter_fin_wait2(p, in->now); break;
	case TCP_CLOSING: tcp_enter_timewait(p); return false;
	case TCP_LAST_ACK: tcp_drop(p, 0); return false;
	default: break;
	}
	return p->state != TCP_CLOSE;
}

/* Nobody will read it: say so (RFC 2525, 2.17). */
static bool text_for_nobody(struct tcp_pcb *p, struct tcp_in *in)
{
	if ((p->state != TCP_FIN_WAIT1 && p->state != TCP_FIN_WAIT2) || !(p->shut & 1) ||
	    !in->len || !seq_gt(in->seq + in->len, p->rcv_nxt))
		return false;
	TCP_COUNT(TCPAbortOnData);
	in->reset = true;
	tcp_drop(p, (p->flags & PF_ORPHAN) ? 0 : ECONNRESET);
	return true;
}

static bool takes_text(u8 state)
{
	return state == TCP_ESTABLISHED || state == TCP_FIN_WAIT1 || state == TCP_FIN_WAIT2;
}

/* RFC 9293, 3.10.7.4. */
static void synchronized(struct tcp_pcb *p, struct tcp_in *in)
{
	bool had_fin = p->flags & PF_FIN_RCVD;

	if (!check_sequence(p, in))
		return;
	if (unlikely(in->flags & TH_RST)) {
		check_reset(p, in);
		return;
	}
	if (unlikely(in->flags & TH_SYN)) {
		if ((p->fo & FO_PENDING) && !(in->flags & TH_ACK)) {
			answer_unacceptable(p, in);
			return;
		}
		TCP_COUNT(TCPSYNChallenge);
		tcp_challenge(p, in->now);
		return;
	}
	if (unlikely(!(in->flags & TH_ACK)))
		return;
	if (p->flags & PF_ECN)
		ecn_received(p, in);
	if (!check_ack(p, in))
		return;
	if (takes_text(p->state) && !text_for_nobody(p, in)) {
		if (unlikely(in->flags & TH_URG))
			tcp_urgent(p, in);
		tcp_data(p, in);
	} else if (in->end != in->seq && p->state != TCP_CLOSE) {
		p->flags |= PF_ACK_NOW; /* of before its FIN: it has missed our answer */
	}
	if (!had_fin && (p->flags & PF_FIN_RCVD))
		fin_received(p, in->now);
	if (p->state == TCP_CLOSE)
		return;
	if (p->unsent || p->lost)
		tcp_output(p, in->now);
	if (p->flags & PF_ACK_NOW)
		tcp_send_ack(p, in->now);
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_segment(struct tcp_pcb *p, struct tcp_in *in)
{
	if (unlikely(p->extra) && !tcp_admits(p, in))
		return;
	p->segs_in++;
	switch (p->state) {
	case TCP_CLOSE: in->reset = true; break;
	case TCP_LISTEN: tcp_listen_input(p, in); break;
	case TCP_SYN_SENT: syn_sent(p, in); break;
	default: synchronized(p, in); break;
	}
}
