/*
 * Timers, and the estimate of the round trip that they go by (RFC 6298).
 *
 * A connection has deadlines (struct tcp_pcb.deadline) and one kernel timeout for the earliest.
 * Most deadlines are moved or cleared long before they come, so the timeout is only ever moved
 * forward: armed too early it looks, and arms again. It fires in interrupt context and queues work,
 * which takes the lock.
 *
 * As long as .timer_on is set one reference is held for the timeout and the work. Of "the timeout
 * is in the tree", "the work is queued" and "neither, .armed is TIME_NEVER" one is true at any time
 * under the lock: whoever arms again takes the timeout out first, and if that fails leaves all to
 * the work.
 */
#include <linux/errno.h>
#include "kernel/base/errno.h"
#include "net/tcp/tcp_pcb.h"

#define TLP_WORST_DELACK (200 * MSEC)
#define ORPHAN_RETRIES 8
#define THIN_RETRIES 6u
#define THIN_SEGMENTS 4u

static void fired(struct timeout *t)
{
	struct tcp_pcb *p = container_of(t, struct tcp_pcb, timer);

	(void)work_queue(&p->work);
}

static s64 earliest(const struct tcp_pcb *p)
{
	s64 d = unlikely(p->extra) ? p->extra->deadline : TIME_NEVER;

	for (u32 i = 0; i < TCPT_COUNT; i++)
		d = MIN(d, p->deadline[i]);
	return d;
}

static void arm(struct tcp_pcb *p, s64 deadline)
{
	if (p->armed != TIME_NEVER && !timeout_cancel(&p->timer))
		return;
	if (!p->timer_on) {
		p->timer_on = true;
		tcp_pcb_get(p);
	}
	p->armed = deadline;
	timeout_set(&p->timer, deadline);
}

static void work(struct work *w)
{
	struct tcp_pcb *p = container_of(w, struct tcp_pcb, work);
	bool last = false;
	s64 next;

	tcp_pcb_get(p);
	tcp_lock(p);
	p->armed = TIME_NEVER;
	if (p->flags & PF_CLOSED) {
		last = p->timer_on;
		p->timer_on = false;
	} else {
		tcp_timers_run(p, time_now());
		p->wake |= WAKE_ROOM;
		next = earliest(p);
		if (next != TIME_NEVER && !(p->flags & PF_CLOSED))
			arm(p, next);
	}
	tcp_unlock(p);
	if (last)
		tcp_pcb_put(p);
	tcp_pcb_put(p);
}

/* See tcp_pcb.h. ctx: any */
void tcp_timers_init(struct tcp_pcb *p)
{
	timeout_init(&p->timer, fired);
	work_init(&p->work, work);
	p->armed = TIME_NEVER;
	for (u32 i = 0; i < TCPT_COUNT; i++)
		p->deadline[i] = TIME_NEVER;
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_timer_set(struct tcp_pcb *p, enum tcp_timer which, s64 deadline)
{
	p->deadline[which] = deadline;
	if (deadline < p->armed && !(p->flags & PF_CLOSED))
		arm(p, deadline);
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_timer_pace(struct tcp_pcb *p, s64 deadline)
{
	p->extra->deadline = deadline;
	if (deadline < p->armed && !(p->flags & PF_CLOSED))
		arm(p, deadline);
}

/* See tcp_pcb.h. The caller has another reference. holds: p->lock */
void tcp_timers_stop(struct tcp_pcb *p)
{
	if (p->extra)
		p->extra->deadline = TIME_NEVER;
	for (u32 i = 0; i < TCPT_COUNT; i++)
		p->deadline[i] = TIME_NEVER;
	if (!p->timer_on || (p->armed != TIME_NEVER && !timeout_cancel(&p->timer)))
		return;
	p->armed = TIME_NEVER;
	p->timer_on = false;
	tcp_pcb_put(p);
}

/* --- round trips --- */

/* One measurement. RFC 6298, 2.2 and 2.3; the deviation is bounded below by the least timeout. */
void tcp_rtt(struct tcp_pcb *p, s64 rtt)
{
	s64 err;

	rtt = MAX(rtt, 1 * USEC);
	if (!p->srtt) {
		p->srtt = rtt;
		p->rttvar = rtt / 2;
	} else {
		err = p->srtt - rtt;
		p->rttvar += ((err < 0 ? -err : err) - p->rttvar) / 4;
		p->srtt -= err / 8;
	}
	p->rto = p->srtt + MAX(4 * p->rttvar, TCP_RTO_MIN);
	p->rto = MIN(p->rto, TCP_RTO_MAX);
	p->backoff = 0;
	if (!p->rack_min_rtt || rtt < p->rack_min_rtt)
		p->rack_min_rtt = rtt;
}

static s64 rto_now(const struct tcp_pcb *p)
{
	return tcp_backoff(p->rto, p->backoff);
}

/* RFC 8985, 7.2: after how long to probe for a lost tail; 0: not at all. */
static s64 tail_probe_delay(const struct tcp_pcb *p)
{
	s64 pto;

	if ((p->ca != CA_OPEN && p->ca != CA_CWR) || !(p->flags & PF_SACK) || p->tlp_end ||
	    !p->srtt || p->sacked || !tcp_sysctl_early_retrans || p->state == TCP_SYN_RECV)
		return 0;
	pto = 2 * p->srtt + 2 * MSEC;
	if (p->snd_nxt - p->snd_una <= p->mss)
		pto += TLP_WORST_DELACK;
	return pto;
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_timer_rearm(struct tcp_pcb *p, s64 now)
{
	s64 pto, rto = rto_now(p), at = now + rto;

	if (p->snd_nxt == p->snd_una) {
		p->first_unanswered = 0;
		p->deadline[TCPT_SEND] = TIME_NEVER;
		return;
	}
	pto = tail_probe_delay(p);
	p->send_timer = pto ? ST_TLP : ST_RTO;
	if (pto) /* each segment moves it, but never behind the timeout of the first */
		at = MIN(now + pto, p->first_unanswered + rto);
	tcp_timer_set(p, TCPT_SEND, at);
}

/* --- what is done when they run out --- */

static void give_up(struct tcp_pcb *p)
{
	TCP_COUNT(TCPAbortOnTimeout);
	if (p->state != TCP_SYN_SENT)
		tcp_send_reset(p);
	else
		TCP_COUNT(ATTEMPT_FAILS);
	tcp_drop(p, p->soft_err ? p->soft_err : ETIMEDOUT);
}

/* R2 of RFC 9293, 3.8.3, or the user's timeout (RFC 5482). */
static bool too_long(const struct tcp_pcb *p, u32 tries, s64 now)
{
	u32 most = MAX((u32)tcp_sysctl_retries2, 1u); /* once it goes again, as on Linux */

	if (p->state == TCP_SYN_SENT || p->state == TCP_SYN_RECV)
		most = p->syn_retries;
	else if (p->flags & PF_ORPHAN)
		most = tcp_sysctl_orphan_retries ? (u32)tcp_sysctl_orphan_retries : ORPHAN_RETRIES;
	if (p->user_timeout && p->first_unanswered)
		return now - p->first_unanswered >= p->user_timeout * MSEC;
	return tries >= most;
}

/* So little in flight that timeouts are the only way to recover: the first ones do not double. */
static bool is_thin(const struct tcp_pcb *p)
{
	return (p->flags & PF_THIN) && p->state == TCP_ESTABLISHED && p->retries <= THIN_RETRIES &&
	       p->ssthresh < 0x7fffffff && p->snd_nxt - p->snd_una < THIN_SEGMENTS * p->mss;
}

/* RFC 6298, 5.4 to 5.7. */
static void retransmit_timeout(struct tcp_pcb *p, s64 now)
{
	struct tcp_seg *s = list_first(&p->sndq, struct tcp_seg, link);
	bool over = too_long(p, p->retries, now);
	/* The window was taken back: as long as there are answers it may come again. 3.8.6.1. */
	bool shrunk = !p->snd_wnd && !(p->flags & PF_ORPHAN) && p->state != TCP_SYN_SENT &&
		      now - p->last_ack <= 2 * TCP_RTO_MAX;
	s64 next;

	if (p->snd_nxt == p->snd_una)
		return;
	if (unlikely(p->fo) && (p->retries == 2 || (p->retries < 2 && over)))
		tcp_fo_timeout(p, now);
	if (over && !shrunk) {
		give_up(p);
		return;
	}
	TCP_COUNT(TCPTimeouts);
	if (p->state == TCP_SYN_SENT || p->state == TCP_SYN_RECV) {
		tcp_xmit(p, s, now);
		s->mark |= SEG_EVER;
	} else {
		if (p->retries >= (u32)tcp_sysctl_retries1)
			tcp_mtu_black_hole(p, now);
		tcp_enter_loss(p, now);
		tcp_pace_skip(p, now);
		tcp_output(p, now);
	}
	p->retries = (u8)MIN(p->retries + 1, 255);
	p->backoff = is_thin(p) ? 0 : (u8)MIN(p->backoff + 1, 16);
	p->send_timer = ST_RTO;
	next = now + rto_now(p);
	if (!over && p->user_timeout && p->first_unanswered)
		next = MIN(next, MAX(p->first_unanswered + p->user_timeout * MSEC, now + MSEC));
	tcp_timer_set(p, TCPT_SEND, next);
}

/* The peer's window is closed, or too small to be worth it. RFC 9293, 3.8.6.1. */
static void probe_window(struct tcp_pcb *p, s64 now)
{
	s64 next;

	if (!p->unsent || p->snd_nxt != p->snd_una)
		return;
	p->unsent->flags |= TH_PSH; /* there may be no more for long */
	if (tcp_output_forced(p, now)) {
		tcp_timer_rearm(p, now);
		return;
	}
	if (!p->first_unanswered)
		p->first_unanswered = now;
	/*
	 * One that answers may keep its user waiting, but not what is left of a closed connection.
	 */
	if (too_long(p, p->flags & PF_ORPHAN ? p->backoff : p->probes, now)) {
		give_up(p);
		return;
	}
	TCP_COUNT(TCPWinProbe);
	tcp_send_probe(p, now, false);
	p->probes++;
	p->backoff = (u8)MIN(p->backoff + 1, 16);
	next = tcp_backoff(p->rto, p->backoff);
	p->send_timer = ST_PROBE;
	tcp_timer_set(p, TCPT_SEND, now + next);
}

static void tail_probe(struct tcp_pcb *p, s64 now)
{
	if (p->snd_nxt == p->snd_una)
		return;
	tcp_send_tail_probe(p, now);
	p->send_timer = ST_RTO;
	tcp_timer_set(p, TCPT_SEND, now + rto_now(p));
}

static void reorder_timeout(struct tcp_pcb *p, s64 now)
{
	struct tcp_ackinfo a = {
		.prior_una = p->snd_una, .prior_pipe = tcp_pipe(p), .now = now, .rtt = -1
	};

	tcp_rack_mark(p, now);
	tcp_recover(p, &a);
	tcp_output(p, now);
	if (p->deadline[TCPT_SEND] == TIME_NEVER)
		tcp_timer_rearm(p, now);
}

static void delayed_ack(struct tcp_pcb *p, s64 now)
{
	/* Nothing went the other way in time: not a conversation of question and answer. */
	p->flags &= ~PF_PINGPONG;
	TCP_COUNT(DelayedACKs);
	tcp_send_ack(p, now);
}

/* RFC 9293, 3.8.4. */
static void keepalive(struct tcp_pcb *p, s64 now)
{
	s64 heard = MAX(p->last_rcv, p->last_ack), idle = now - heard;

	if ((p->flags & PF_ORPHAN) && p->state == TCP_FIN_WAIT2) {
		tcp_drop(p, 0);
		return;
	}
	if (!(p->flags & PF_KEEPALIVE) || p->state == TCP_SYN_SENT || p->state == TCP_CLOSE)
		return;
	if (p->snd_nxt != p->snd_una || p->unsent) {
		tcp_timer_set(p, TCPT_KEEP, now + p->keep_idle * SEC);
		return;
	}
	if (!p->keep_sent && idle < p->keep_idle * SEC) {
		tcp_timer_set(p, TCPT_KEEP, now + p->keep_idle * SEC - idle);
		return;
	}
	if (p->user_timeout ? p->keep_sent && idle >= p->user_timeout * MSEC
			    : p->keep_sent >= p->keep_cnt) {
		give_up(p);
		return;
	}
	TCP_COUNT(TCPKeepAlive);
	tcp_send_probe(p, now, false);
	p->keep_sent++;
	tcp_timer_set(p, TCPT_KEEP, now + p->keep_intvl * SEC);
}

static void run_send(struct tcp_pcb *p, s64 now)
{
	switch (p->send_timer) {
	case ST_RTO: retransmit_timeout(p, now); break;
	case ST_PROBE: probe_window(p, now); break;
	case ST_TLP: tail_probe(p, now); break;
	case ST_REORDER: reorder_timeout(p, now); break;
	}
}

/* See tcp_pcb.h. holds: p->lock */
void tcp_timers_run(struct tcp_pcb *p, s64 now)
{
	bool due[TCPT_COUNT];

	for (u32 i = 0; i < TCPT_COUNT; i++) {
		due[i] = p->deadline[i] <= now;
		if (due[i])
			p->deadline[i] = TIME_NEVER;
	}
	if (p->state == TCP_LISTEN) {
		tcp_listen_timer(p, now);
		return;
	}
	if (due[TCPT_SEND])
		run_send(p, now);
	if (unlikely(p->extra) && p->extra->deadline <= now) {
		p->extra->deadline = TIME_NEVER;
		tcp_output(p, now);
	}
	if (due[TCPT_ACK] && !(p->flags & PF_CLOSED))
		delayed_ack(p, now);
	if (due[TCPT_KEEP] && !(p->flags & PF_CLOSED))
		keepalive(p, now);
}
