/*
 * What TCP_INFO tells beyond the state that a connection needs anyway: what kept the sender waiting
 * and for how long (RFC 4898's SndLim times), and the rate at which data arrived.
 *
 * The time with something to send is shared out among what it was spent on: the path (data is under
 * way, and that is what there is to do), the peer's window, the send buffer (all of it is under way
 * and the user would send more). The rate is taken over rounds: one ends with the acknowledgment of
 * what was the newest when it began, and none goes on over an idle time.
 */
#include "net/tcp/tcp_pcb.h"

static enum tcp_limit limit_now(const struct tcp_pcb *p)
{
	const struct tcp_seg *s = p->unsent;

	if (p->snd_end == p->snd_una)
		return LIMIT_IDLE;
	if (!s)
		return READ_ONCE(p->no_room) ? LIMIT_BUFFER : LIMIT_PATH;
	if (p->cwnd > tcp_pipe(p) &&
	    (s32)(p->snd_una + p->snd_wnd - s->seq) < (s32)MIN(s->len, (u32)p->mss))
		return LIMIT_WINDOW;
	return LIMIT_PATH;
}

static void limit_update(struct tcp_pcb *p, s64 now)
{
	enum tcp_limit limit = limit_now(p);

	if (limit == p->stat.limit)
		return;
	if (p->stat.limit != LIMIT_IDLE)
		p->stat.limited[p->stat.limit] += now - p->stat.limit_at;
	p->stat.limit_at = now;
	p->stat.limit = (u8)limit;
}

static void round_begin(struct tcp_pcb *p, s64 now)
{
	p->stat.rate_at = p->snd_nxt == p->snd_una ? 0 : now;
	p->stat.rate_from = (u32)p->delivered;
	p->stat.rate_end = p->snd_nxt;
}

/* See tcp_pcb.h. */
void tcp_stat_sent(struct tcp_pcb *p, s64 now)
{
	if (!p->stat.rate_at)
		round_begin(p, now);
	limit_update(p, now);
}

/* See tcp_pcb.h. */
void tcp_stat_acked(struct tcp_pcb *p, u32 segs, s64 now)
{
	p->delivered += segs;
	tcp_count_add(TCP_MIB_TCPDelivered, segs);
	if (p->stat.rate_at && seq_ge(p->snd_una, p->stat.rate_end)) {
		u64 bytes = (u64)((u32)p->delivered - p->stat.rate_from) * p->mss;

		if (now - p->stat.rate_at >= p->rack_min_rtt && now > p->stat.rate_at) {
			bytes = bytes * SEC / (u64)(now - p->stat.rate_at);
			p->stat.rate = (u32)MIN(bytes, 0xffffffffu);
			p->stat.app_limited = !p->unsent;
		}
		round_begin(p, now);
	}
	limit_update(p, now);
}

/* See tcp_pcb.h. */
void tcp_stat_info(const struct tcp_pcb *p, struct tcp_info *i, s64 now)
{
	u64 us[LIMIT_IDLE];

	for (u32 n = 0; n < LIMIT_IDLE; n++)
		us[n] = (u64)(p->stat.limited[n] +
			      (n == p->stat.limit ? now - p->stat.limit_at : 0)) /
			USEC;
	i->tcpi_busy_time = us[LIMIT_PATH] + us[LIMIT_WINDOW] + us[LIMIT_BUFFER];
	i->tcpi_rwnd_limited = us[LIMIT_WINDOW];
	i->tcpi_sndbuf_limited = us[LIMIT_BUFFER];
	i->tcpi_delivery_rate = p->stat.rate;
	i->tcpi_delivery_rate_app_limited = p->stat.app_limited || !p->stat.rate;
	i->tcpi_delivered = (u32)p->delivered;
	i->tcpi_delivered_ce = p->stat.ce_in;
	i->tcpi_data_segs_in = p->stat.data_in;
	i->tcpi_data_segs_out = p->stat.data_out;
	i->tcpi_dsack_dups = p->stat.dsacks_in;
	i->tcpi_reord_seen = p->stat.reordered;
	i->tcpi_rcv_ooopack = p->stat.ooo_in;
}
