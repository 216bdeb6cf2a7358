/* unit: tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_fastopen.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_pace.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c kernel/lib/rbtree.c */
/* TCP against a peer made by hand: what is sent when acknowledgments do not come, and taken back. */
#include <string.h>
#include "tests/unit/tcp/tcp_world.h"

#define MSS 1460

static const u8 with_ts[16] = { 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1 };
static char data[20 * MSS];

/* An ACK with a block of SACK. */
static void sack(const struct xend *x, u32 ack, u32 start, u32 end)
{
	u8 o[12] = { 1, 1, 5, 10 };
	u32 v[2] = { net32(start), net32(end) };

	memcpy(o + 4, v, 8);
	ack_with(x, ack, o, sizeof(o));
}

/* An ACK that answers a segment of the time @echo. */
static void echo(const struct xend *x, u32 ack, u32 echo)
{
	u8 o[12] = { 1, 1, 8, 10, 0, 0, 0, 1 };
	u32 v = net32(echo);

	memcpy(o + 8, &v, 4);
	ack_with(x, ack, o, sizeof(o));
}

/* A connection over a path of 20 ms, whose timeout is 220 ms, with @n bytes sent now. */
static s64 begin_with(struct xend *x, u16 port, size_t n)
{
	x_begin(x, port, sack_mss, 8);
	CHECK_EQ(x->p->srtt, 20 * MSEC);
	CHECK_EQ(x->p->rto, 220 * MSEC);
	CHECK_EQ(put(x->p, data, n, 0), n);
	return world.now;
}

/* --- tail loss probes: RFC 8985, 7 --- */

/* After two round trips the last segment, once; then the timeout, from there. */
UNIT_TEST(a_lost_tail_is_probed)
{
	struct heard h;
	struct xend x;
	s64 start = begin_with(&x, 140, 3 * MSS);
	u32 cwnd = x.p->cwnd;

	CHECK_EQ(x_count(), 3);
	x_forget();
	world_sleep(100 * MSEC);
	CHECK(x_hear(&h) && h.seq == x.ack + 2 * MSS && h.len == MSS);
	CHECK_EQ(h.at - start, 42 * MSEC);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPLossProbes), 1);
	CHECK_EQ(x.p->cwnd, cwnd);
	world_sleep(200 * MSEC);
	CHECK(x_hear(&h) && h.seq == x.ack);
	CHECK_EQ(h.at - start, (42 + 220) * MSEC);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPLossProbes), 1);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPTimeouts), 1);
	x_close(&x);
}

/* What may be sent anyway is the better probe. */
UNIT_TEST(a_probe_is_of_new_data)
{
	struct heard h;
	struct xend x;
	s64 start = begin_with(&x, 141, 2 * MSS + 50);
	u32 cwnd = x.p->cwnd;

	CHECK_EQ(put(x.p, data, 100, 0), 100);
	CHECK_EQ(x_count(), 3); /* Nagle keeps what is behind a small one */
	x_forget();
	world_sleep(100 * MSEC);
	CHECK(x_hear(&h) && h.seq == x.ack + 2 * MSS + 50 && h.len == 100);
	CHECK_EQ(h.at - start, 42 * MSEC);
	CHECK_EQ(tcp_mib(TCP_MIB_RETRANS_SEGS), 0);
	say(&x, TH_ACK, x.seq, x.ack + 2 * MSS + 150, 0);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPLossProbeRecovery), 0);
	CHECK(x.p->cwnd >= cwnd);
	x_close(&x);
}

/* One segment: its answer may be delayed, 200 ms more; but a probe comes no later than a timeout. */
UNIT_TEST(a_single_segment_is_probed_late)
{
	static const struct {
		s64 rto, probe;
	} cases[] = { { 220 * MSEC, 220 * MSEC }, { 500 * MSEC, 242 * MSEC } };

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct heard h;
		struct xend x;
		s64 start;

		x_begin(&x, 142, sack_mss, 8);
		x.p->rto = cases[i].rto;
		start = world.now;
		CHECK_EQ(put(x.p, data, 100, 0), 100);
		x_forget();
		world_sleep(cases[i].probe + cases[i].rto - MSEC);
		CHECK(x_hear(&h) && h.seq == x.ack && h.len == 100);
		CHECK_EQ(h.at - start, cases[i].probe);
		CHECK_EQ(tcp_mib(TCP_MIB_TCPLossProbes), 1);
		CHECK_EQ(tcp_mib(TCP_MIB_TCPTimeouts), 0);
		world_sleep(MSEC);
		CHECK_EQ(tcp_mib(TCP_MIB_TCPTimeouts), 1);
		x_close(&x);
	}
}

/* Each segment moves the probe, but not behind the timeout of the first. */
UNIT_TEST(new_data_does_not_put_off_the_probe_for_ever)
{
	struct heard h;
	struct xend x;
	int on = 1;
	s64 start;

	x_begin(&x, 143, sack_mss, 8);
	CHECK_EQ(tcp_set_option(x.p, TCP_NODELAY, &on, sizeof(on)), 0);
	start = world.now;
	CHECK_EQ(put(x.p, data, 2 * MSS, 0), 2 * MSS);
	for (u32 i = 0; i < 20; i++) {
		world_sleep(20 * MSEC);
		CHECK_EQ(put(x.p, data, 1, 0), 1);
	}
	for (u32 end = x.ack; x_hear(&h) && h.seq == end;)
		end += h.len;
	CHECK_EQ(h.at - start, 220 * MSEC);
	x_close(&x);
}

/* An ACK of a part does not begin another episode. */
UNIT_TEST(one_probe_until_it_is_answered)
{
	struct heard h;
	struct xend x;

	(void)begin_with(&x, 144, 3 * MSS);
	world_sleep(60 * MSEC);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPLossProbes), 1);
	x_forget();
	say(&x, TH_ACK, x.seq, x.ack + MSS, 0);
	world_sleep(x.p->rto - MSEC);
	CHECK_EQ(x_count(), 0);
	world_sleep(MSEC);
	CHECK(x_hear(&h) && h.seq == x.ack + MSS);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPLossProbes), 1);
	x_close(&x);
}

/*
 * A probe that was needed repaired a loss, which the window pays for; one that came twice did not.
 * Which it was shows only after its first answer: the next one tells of the second, or of what came
 * later.
 */
UNIT_TEST(a_probe_that_repairs_is_paid_for)
{
	enum { LATER, DSACK_FIRST, DSACK_NEXT, DUP_NEXT, CASES };

	for (u32 how = 0; how < CASES; how++) {
		struct xend x;
		u32 cwnd, end;

		(void)begin_with(&x, 145, 3 * MSS);
		cwnd = x.p->cwnd;
		end = x.ack + 3 * MSS;
		world_sleep(50 * MSEC);
		if (how == DSACK_FIRST)
			sack(&x, end, end - MSS, end);
		else
			say(&x, TH_ACK, x.seq, end, 0);
		CHECK_EQ(tcp_mib(TCP_MIB_TCPLossProbeRecovery), 0);
		CHECK(x.p->cwnd >= cwnd);
		if (how == DSACK_NEXT)
			sack(&x, end, end - MSS, end);
		if (how == DUP_NEXT)
			say(&x, TH_ACK, x.seq, end, 0);
		CHECK_EQ(put(x.p, data, MSS, 0), MSS);
		world_sleep(20 * MSEC);
		say(&x, TH_ACK, x.seq, end + MSS, 0);
		CHECK_EQ(tcp_mib(TCP_MIB_TCPLossProbeRecovery), how == LATER);
		CHECK_EQ(x.p->cwnd < cwnd, how == LATER);
		x_close(&x);
	}
}

/* New data goes while RACK waits for what may only be late: it goes on waiting. RFC 8985, 6.3. */
UNIT_TEST(new_data_does_not_end_the_wait_for_reordering)
{
	struct heard h;
	struct xend x;

	(void)begin_with(&x, 146, 11 * MSS);
	CHECK_EQ(x_count(), 10);
	x_forget();
	world_sleep(20 * MSEC);
	sack(&x, x.ack, x.ack + MSS, x.ack + 2 * MSS);
	CHECK(x_hear(&h) && h.seq == x.ack + 10 * MSS);
	world_sleep(5 * MSEC);
	CHECK(x_hear(&h) && h.seq == x.ack && h.len == MSS);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPSackRecovery), 1);
	x_close(&x);
}

/* --- F-RTO: RFC 5682, 3.1 --- */

/*
 * The timer runs out with ten segments on their way and more to send; the first is acknowledged,
 * which lets two new ones go instead of the others again.
 */
static void time_out(struct xend *x, u16 port)
{
	struct heard h;

	tcp_sysctl_early_retrans = 0;
	(void)begin_with(x, port, 14 * MSS);
	tcp_sysctl_early_retrans = 3;
	CHECK_EQ(x_count(), 10);
	x_forget();
	world_sleep(220 * MSEC);
	CHECK(x_hear(&h) && h.seq == x->ack && h.len == MSS);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPTimeouts), 1);
	CHECK_EQ(x->p->cwnd, MSS);
	say(x, TH_ACK, x->seq, x->ack + MSS, 0);
	CHECK(x_hear(&h) && h.seq == x->ack + 10 * MSS);
	CHECK(x_hear(&h) && h.seq == x->ack + 11 * MSS);
	CHECK_EQ(x_count(), 0);
}

/* What was sent once and before arrives: it had only been late. */
UNIT_TEST(a_timeout_for_nothing_is_undone)
{
	struct xend x;

	time_out(&x, 147);
	say(&x, TH_ACK, x.seq, x.ack + 2 * MSS, 0);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPSpuriousRTOs), 1);
	CHECK(x.p->cwnd >= 10 * MSS);
	CHECK_EQ(x.p->ca, CA_OPEN);
	say(&x, TH_ACK, x.seq, x.ack + 12 * MSS, 0);
	CHECK_EQ(tcp_mib(TCP_MIB_RETRANS_SEGS), 1);
	x_close(&x);
}

/* Only what was sent after it arrives: the rest is lost, and goes again. */
UNIT_TEST(a_timeout_with_reason_stays)
{
	struct heard h;
	struct xend x;

	time_out(&x, 148);
	sack(&x, x.ack + MSS, x.ack + 10 * MSS, x.ack + 11 * MSS);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPSpuriousRTOs), 0);
	CHECK(x.p->cwnd < 10 * MSS);
	CHECK_EQ(x.p->ca, CA_LOSS);
	CHECK(x_hear(&h) && h.seq == x.ack + MSS);
	x_close(&x);
}

/* --- undoing by what the peer tells --- */

/* RFC 3522: the answer is to the first sending if it echoes its time, to the second otherwise. */
UNIT_TEST(an_old_echo_undoes)
{
	for (u32 i = 0; i < 4; i++) {
		u32 n = i & 1 ? 10 : 4, was_late = i & 2, cwnd, at;
		struct heard h;
		struct xend x;

		x_begin(&x, 149, with_ts, sizeof(with_ts));
		echo(&x, x.ack, 0);
		CHECK_EQ(put(x.p, data, 10 * 1448, 0), 10 * 1448);
		cwnd = x.p->cwnd;
		CHECK(x_hear(&h) && h.seq == x.ack);
		at = h.tsval;
		x_forget();
		world_sleep(20 * MSEC);
		for (u32 k = 2; k <= 4; k++) {
			u8 o[24] = { 1, 1, 5, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 8, 10, 0, 0, 0, 1 };
			u32 v[3] = { net32(x.ack + 1448), net32(x.ack + k * 1448), net32(at) };

			memcpy(o + 4, v, 8);
			memcpy(o + 20, v + 2, 4);
			ack_with(&x, x.ack, o, sizeof(o));
		}
		CHECK(x_hear(&h) && h.seq == x.ack && h.tsval == at + 20);
		CHECK_EQ(x.p->ca, CA_RECOVERY);
		echo(&x, x.ack + n * 1448, was_late ? at : at + 20);
		CHECK_EQ(tcp_mib(TCP_MIB_TCPPartialUndo), was_late && n == 4);
		CHECK_EQ(tcp_mib(TCP_MIB_TCPFullUndo), was_late && n == 10);
		CHECK_EQ(x.p->cwnd >= cwnd, !!was_late);
		x_close(&x);
	}
}

/* RFC 3708: all that was sent again had come before. */
UNIT_TEST(a_dsack_undoes_a_timeout)
{
	for (u32 twice = 0; twice < 2; twice++) {
		struct xend x;

		tcp_sysctl_early_retrans = 0;
		(void)begin_with(&x, 150, 10 * MSS);
		tcp_sysctl_early_retrans = 3;
		world_sleep(220 * MSEC);
		if (twice)
			sack(&x, x.ack + 10 * MSS, x.ack, x.ack + MSS);
		else
			say(&x, TH_ACK, x.seq, x.ack + 10 * MSS, 0);
		CHECK_EQ(tcp_mib(TCP_MIB_TCPLossUndo), twice);
		CHECK_EQ(x.p->cwnd >= 10 * MSS, twice);
		x_close(&x);
	}
}
