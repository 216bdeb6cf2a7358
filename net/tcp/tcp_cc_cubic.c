/*
 * CUBIC (RFC 9438): after a loss at window W_max the window is cut to 0.7 and grows by
 * W(t) = C (t - K)^3 + W_max, with K such that W(0) is where it was cut: fast, then flat near the
 * old maximum, then probing beyond it; never slower than Reno would be (W_est). Fast convergence
 * gives room to newcomers.
 *
 * In units of segments and milliseconds: C = 0.4 segments per second cubed, so K^3 in ms^3 is
 * (W_max - cwnd) * 2.5e9. Slow start ends early when the round trip grows (HyStart++, RFC 9406,
 * without its conservative phase: as classic delay-increase HyStart).
 */
#include "net/tcp/tcp_pcb.h"

#define BETA_NUM 7u
#define BETA_DEN 10u
#define ROUND_SAMPLES 8u
#define HYSTART_MIN_WINDOW 16u

static struct tcp_cubic *of(struct tcp_pcb *p)
{
	_Static_assert(sizeof(struct tcp_cubic) <= sizeof(p->cc_state), "fits");
	return (struct tcp_cubic *)p->cc_state;
}

/* Integer cube root. */
static u32 root3(u64 v)
{
	u64 r = 0;

	for (int bit = 21; bit >= 0; bit--) {
		u64 t = r | 1ull << bit;

		if (t * t * t <= v)
			r = t;
	}
	return (u32)r;
}

static void init(struct tcp_pcb *p)
{
	*of(p) = (struct tcp_cubic){ .round_end = p->snd_nxt, .round_rtt = ~0u, .last_rtt = ~0u };
}

static u32 ssthresh(struct tcp_pcb *p)
{
	struct tcp_cubic *c = of(p);
	u32 w = MAX(p->cwnd / p->mss, 1u);

	/* 4.7: a loss below the last maximum says that somebody else wants room. */
	c->w_max = w < c->w_max ? w * (BETA_DEN + BETA_NUM) / (2 * BETA_DEN) : w;
	c->last_max = w;
	c->epoch = 0;
	return MAX((u32)((u64)p->cwnd * BETA_NUM / BETA_DEN), 2u * p->mss);
}

static void begin_epoch(struct tcp_pcb *p, struct tcp_cubic *c, u32 ms)
{
	u32 w = p->cwnd / p->mss;

	c->epoch = MAX(ms, 1u);
	c->w_est = w;
	c->acked = 0;
	if (w < c->w_max) {
		c->k_ms = root3((u64)(c->w_max - w) * 2500000000ull);
		c->origin = c->w_max;
	} else {
		c->k_ms = 0;
		c->origin = w;
	}
}

/* W_cubic one round trip from now, in segments. */
static u32 target(const struct tcp_pcb *p, const struct tcp_cubic *c, u32 ms)
{
	s64 t = (s64)(ms - c->epoch) + p->srtt / MSEC - c->k_ms, delta;

	t = MIN(t, 600000); /* ten minutes: the cube stays in range */
	t = MAX(t, -600000);
	/* 0.4 t^3 with t in seconds; in ms that is t^3 * 4 / 10^10. */
	delta = t * t * t / 2500000000ll;
	return (u32)MAX((s64)c->origin + delta, 1);
}

/*
 * What Reno would have: 4.3. To make up for this beta alpha is 9/17, until it is where it was cut.
 */
static void reno_friendly(struct tcp_pcb *p, struct tcp_cubic *c, u32 bytes)
{
	u32 round = c->w_est < c->last_max ? (u32)((u64)p->cwnd * 17 / 9) : p->cwnd;

	c->acked += bytes;
	if (c->acked >= round) {
		c->acked -= round;
		c->w_est++;
	}
}

/* Leave slow start when the delay of a round grows by an eighth, within 4 to 16 ms. */
static void hystart(struct tcp_pcb *p, struct tcp_cubic *c)
{
	u32 rtt = (u32)MIN(p->rack_rtt / USEC, 0x7fffffff), more = c->last_rtt / 8;

	if (seq_gt(p->snd_una, c->round_end)) {
		c->round_end = p->snd_nxt;
		c->last_rtt = c->round_rtt;
		c->round_rtt = ~0u;
		c->samples = 0;
	}
	c->round_rtt = MIN(c->round_rtt, rtt);
	if (++c->samples < ROUND_SAMPLES || c->last_rtt == ~0u ||
	    p->cwnd < HYSTART_MIN_WINDOW * p->mss)
		return;
	more = MAX(more, 4000u);
	more = MIN(more, 16000u);
	if (c->round_rtt >= c->last_rtt + more)
		p->ssthresh = p->cwnd;
}

static void acked(struct tcp_pcb *p, u32 bytes, s64 now)
{
	struct tcp_cubic *c = of(p);
	u32 w, want, ms = (u32)(now / MSEC);

	if (p->cwnd < p->ssthresh) {
		hystart(p, c);
		tcp_slow_start(p, bytes);
		return;
	}
	if (!c->epoch)
		begin_epoch(p, c, ms);
	else if ((ms - c->last) * MSEC > p->rto)
		c->epoch += ms - c->last; /* 5.8: the sender had little to say */
	c->last = ms;
	reno_friendly(p, c, bytes);
	w = MAX(p->cwnd / p->mss, 1u);
	want = target(p, c, ms);
	want = MAX(want, c->w_est);
	want = MIN(want, w + w / 2);
	if (want <= w)
		return;
	/* (want - w) / w segments for each segment acknowledged. */
	p->cwnd_acked += MIN(bytes, p->cwnd);
	if ((u64)p->cwnd_acked * (want - w) >= p->cwnd) {
		u32 n = (u32)((u64)p->cwnd_acked * (want - w) / p->cwnd);

		if (n) {
			p->cwnd += n * p->mss;
			p->cwnd_acked = 0;
		}
	}
}

/* 4.8: the next curve begins at its origin, wherever that is then. */
static void timeout(struct tcp_pcb *p)
{
	of(p)->epoch = 0;
	of(p)->w_max = 0;
}

static void undo(struct tcp_pcb *p)
{
	struct tcp_cubic *c = of(p);

	c->epoch = 0;
	c->w_max = c->last_max = MAX(c->last_max, p->cwnd / p->mss);
}

TCP_CC(cubic, .init = init, .ssthresh = ssthresh, .acked = acked, .timeout = timeout, .undo = undo);
