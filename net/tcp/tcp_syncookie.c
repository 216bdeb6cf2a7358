/*
 * SYN cookies (RFC 4987, 3.6): under a flood of SYNs nothing is kept of them. The sequence number
 * of the SYN-ACK is a secret function of the four-tuple, the peer's number and the time, which the
 * third segment brings back; three of its bits say which of a few sizes of segments the peer can
 * take, five the time. If the peer uses timestamps, the low bits of ours bring back what else the
 * SYN said.
 */
#include "net/tcp/tcp_pcb.h"

#define PERIOD (64 * SEC)
#define HASH_BITS 24
#define STAMP_BITS 6u
#define STAMP_NO_WSCALE 15u
#define STAMP_SACK 16u

static const u16 sizes[8] = { 216, 536, 1200, 1300, 1400, 1440, 1460, 8960 };

static u32 hash(const struct tcp_in *in, u32 seq, u32 period, u32 size)
{
	u32 w[6] = { in->src, in->dst, (u32)in->sport << 16 | in->dport, seq, period, size };

	return (u32)tcp_siphash(w, 6, 4) >> (32 - HASH_BITS);
}

/* The number for a SYN-ACK; *mss becomes what will be remembered of it. ctx: any */
u32 tcp_cookie_make(const struct tcp_in *in, u16 *mss, s64 now)
{
	u32 period = (u32)(now / PERIOD), size = ARRAY_SIZE(sizes) - 1;

	while (size && sizes[size] > *mss)
		size--;
	*mss = sizes[size];
	return (period & 31) << 27 | size << HASH_BITS | hash(in, in->seq, period, size);
}

/* Does @in bring back a cookie of this period, or the last one? ctx: any */
bool tcp_cookie_check(const struct tcp_in *in, u16 *mss)
{
	u32 cookie = in->ack - 1, period = (u32)(in->now / PERIOD);
	u32 age = (period - (cookie >> 27)) & 31, size = cookie >> HASH_BITS & 7;

	if (age > 1 ||
	    (cookie & ((1u << HASH_BITS) - 1)) != hash(in, in->seq - 1, period - age, size))
		return false;
	*mss = sizes[size];
	return true;
}

/*
 * Our timestamp for a SYN-ACK, with the peer's options in its low bits; not in the future. ctx: any
 */
u32 tcp_cookie_stamp(const struct tcp_in *in, bool sack, bool wscale, s64 now)
{
	u32 ts = tcp_ts_now(now, tcp_ts_offset(in->dst, in->src)), mask = (1u << STAMP_BITS) - 1;
	u32 bits = (wscale ? in->wscale : STAMP_NO_WSCALE) | (sack ? STAMP_SACK : 0);
	u32 with = (ts & ~mask) | bits;

	return seq_gt(with, ts) ? with - mask - 1 : with;
}

/* What the peer's SYN said, by the timestamp that it sends back. ctx: any */
void tcp_cookie_options(const struct tcp_in *in, struct tcp_in *syn)
{
	u32 bits = in->tsecr & ((1u << STAMP_BITS) - 1);

	syn->sack_ok = bits & STAMP_SACK;
	syn->wscale = (bits & 15) == STAMP_NO_WSCALE ? 255 : (u8)(bits & 15);
}
