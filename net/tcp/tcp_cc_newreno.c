/*
 * NewReno: RFC 5681's congestion avoidance. In a round trip without loss the window grows by one
 * segment; a loss halves it. Recovery itself (RFC 6582) is tcp_recover.c's.
 *
 * Growth is counted in bytes that were acknowledged (RFC 3465), so that a receiver that
 * acknowledges each byte by itself gains nothing.
 */
#include "net/tcp/tcp_pcb.h"

static void init(struct tcp_pcb *p)
{
	p->cwnd_acked = 0;
}

/* RFC 5681, equation 4: of what is out. */
static u32 ssthresh(struct tcp_pcb *p)
{
	return MAX(MIN(p->cwnd, p->snd_nxt - p->snd_una) / 2, 2u * p->mss);
}

static void acked(struct tcp_pcb *p, u32 bytes, s64 now)
{
	if (p->cwnd < p->ssthresh) {
		tcp_slow_start(p, bytes);
		return;
	}
	p->cwnd_acked += bytes;
	if (p->cwnd_acked >= p->cwnd) {
		p->cwnd_acked -= p->cwnd;
		p->cwnd += p->mss;
	}
}

TCP_CC(reno, .init = init, .ssthresh = ssthresh, .acked = acked);
