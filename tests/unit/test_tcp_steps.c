/* unit: tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_fastopen.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_pace.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c kernel/lib/rbtree.c */
/*
 * TCP against a peer made by hand, acknowledgment by acknowledgment: how many segments each lets
 * go, as Linux has it where the standards leave a choice.
 */
#include <linux/errno.h>
#include <linux/poll.h>
#include <stdarg.h>
#include <string.h>
#include "tests/unit/tcp/tcp_world.h"

#define MSS 1460u

static char data[30 * MSS];

/* A connection over a path of 20 ms with @segs segments queued, ten of which are sent. */
static void begin(struct xend *x, u16 port, const u8 *opt, u32 optlen, u32 segs)
{
	x_begin(x, port, opt, optlen);
	x->p->sndbuf = 1 << 20;
	CHECK_EQ(put(x->p, data, segs * MSS, 0), segs * MSS);
	CHECK_EQ(x_count(), MIN(segs, 10u));
	x_forget();
	world_sleep(20 * MSEC);
}

/* An acknowledgment of segment @ack on; [from, to) came, too, if @to. */
static void ack(const struct xend *x, u32 acked, u32 from, u32 to)
{
	u8 o[12] = { 1, 1, 5, 10 };
	u32 v[2] = { net32(x->ack + from * MSS), net32(x->ack + to * MSS) };

	memcpy(o + 4, v, sizeof(v));
	ack_with(x, x->ack + acked * MSS, o, to ? sizeof(o) : 0);
}

/* The numbers of @n segments, which were heard since, and no other. */
static bool went(const struct xend *x, u32 n, ...)
{
	struct heard h;
	bool ok = x_count() == n;
	va_list ap;

	va_start(ap, n);
	while (ok && n--)
		ok = x_hear(&h) && h.seq == x->ack + va_arg(ap, u32) * MSS && h.len == MSS;
	va_end(ap);
	x_forget();
	return ok;
}

/* --- slow start --- */

/*
 * A window that was used at least by half in a round trip grows with all that arrives of it,
 * however little is still out by then.
 */
UNIT_TEST(a_flight_counts_as_a_whole)
{
	static const struct {
		u32 segs, cwnd;
	} cases[] = { { 5, 10 }, { 6, 12 }, { 9, 18 }, { 10, 20 } };

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct xend x;

		begin(&x, 300, sack_mss, 8, cases[i].segs);
		for (u32 n = 2; n < cases[i].segs; n += 2)
			ack(&x, n, 0, 0);
		ack(&x, cases[i].segs, 0, 0);
		CHECK_EQ(x.p->cwnd, cases[i].cwnd * MSS);
		x_close(&x);
	}
}

/* What duplicates spoke for is not counted again when it is acknowledged. */
UNIT_TEST(without_sack_a_segment_is_delivered_once)
{
	struct xend x;

	begin(&x, 301, mss_only, 4, 15);
	ack(&x, 0, 0, 0);
	CHECK(went(&x, 1, 10u)); /* RFC 3042 */
	ack(&x, 0, 0, 0);
	CHECK(went(&x, 1, 11u));
	ack(&x, 3, 0, 0); /* the first was late */
	CHECK_EQ(x.p->cwnd, 11 * MSS);
	CHECK(went(&x, 2, 12u, 13u));
	x_close(&x);
}

/* The acknowledgment that ends a timeout is the first of slow start. */
UNIT_TEST(a_timeout_ends_with_two_segments)
{
	struct xend x;

	begin(&x, 302, mss_only, 4, 1);
	world_sleep(220 * MSEC);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPTimeouts), 1);
	x_forget();
	ack(&x, 1, 0, 0);
	CHECK_EQ(x.p->cwnd, 2 * MSS);
	x_close(&x);
}

/* --- proportional rate reduction: RFC 6937, and 9937 --- */

/* While losses show the window stays what arrives; slow start is for acknowledgments of new data. */
UNIT_TEST(a_recovery_is_no_slow_start_before_it_goes_on)
{
	struct xend x;

	begin(&x, 303, sack_mss, 8, 20);
	ack(&x, 0, 4, 5);
	CHECK(went(&x, 1, 10u));
	ack(&x, 0, 4, 6);
	CHECK(went(&x, 1, 11u));
	for (u32 i = 0; i < 4; i++) {
		world_sleep(2 * MSEC);
		ack(&x, 0, 4, 7 + i);
		CHECK(went(&x, 1, i));
	}
	world_sleep(2 * MSEC);
	ack(&x, 0, 4, 11);
	CHECK(went(&x, 1, 12u));
	ack(&x, 0, 4, 12);
	CHECK(went(&x, 1, 13u));
	world_sleep(10 * MSEC);
	ack(&x, 1, 4, 12); /* una moves, nothing more is lost */
	CHECK(went(&x, 2, 14u, 15u));
	x_close(&x);
}

/* A reduction ends at what it was for, however little was on its way then. */
UNIT_TEST(an_echo_leaves_the_new_window)
{
	struct xend x;

	x_begin(&x, 310, sack_mss, 8);
	x.p->flags |= PF_ECN;
	CHECK_EQ(put(x.p, data, 4 * MSS, 0), 4 * MSS);
	world_sleep(20 * MSEC);
	say(&x, TH_ACK | TH_ECE, x.seq, x.ack + MSS, 0);
	CHECK(x.p->ca == CA_CWR && x.p->cwnd == 5 * MSS && x.p->ssthresh == 7 * MSS);
	ack(&x, 4, 0, 0);
	CHECK_EQ(put(x.p, data, MSS, 0), MSS);
	ack(&x, 5, 0, 0);
	CHECK(x.p->ca == CA_OPEN && x.p->cwnd == 7 * MSS);
	x_close(&x);
}

/* --- reordering, as TCP_INFO tells it --- */

UNIT_TEST(how_far_something_was_overtaken_is_told)
{
	struct tcp_info i;
	u32 len = sizeof(i);
	struct xend x;

	begin(&x, 304, sack_mss, 8, 10);
	ack(&x, 0, 9, 10);
	CHECK_EQ(tcp_get_option(x.p, TCP_INFO, &i, &len), 0);
	CHECK(i.tcpi_reordering == 3 && i.tcpi_reord_seen == 0);
	ack(&x, 0, 3, 4);
	CHECK_EQ(tcp_get_option(x.p, TCP_INFO, &i, &len), 0);
	CHECK(i.tcpi_reordering == 7 && i.tcpi_reord_seen == 1);
	ack(&x, 10, 0, 0); /* two gaps are filled: that is one event */
	CHECK_EQ(tcp_get_option(x.p, TCP_INFO, &i, &len), 0);
	CHECK(i.tcpi_reordering == 10 && i.tcpi_reord_seen == 2);
	x_close(&x);
}

/* --- what a receiver tells --- */

/* RFC 2883, 4: what waited out of order and comes again with the rest is told as twice. */
UNIT_TEST(bytes_of_the_queue_that_come_again_are_told)
{
	struct heard h;
	struct xend x;

	x_begin(&x, 305, sack_mss, 8);
	say(&x, TH_ACK, x.seq + 1000, x.ack, 1000);
	say(&x, TH_ACK, x.seq + 2000, x.ack, 1000);
	say(&x, TH_ACK, x.seq + 4000, x.ack, 1000);
	say(&x, TH_ACK, x.seq + 7000, x.ack, 1000);
	x_forget();
	say(&x, TH_ACK, x.seq, x.ack, 6000);
	CHECK(x_hear(&h) && h.ack == x.seq + 6000 && h.nsack == 2);
	CHECK(h.sack[0].start == x.seq + 1000 && h.sack[0].end == x.seq + 3000);
	CHECK(h.sack[1].start == x.seq + 7000 && h.sack[1].end == x.seq + 8000);
	say(&x, TH_ACK, x.seq + 6000, x.ack, 2000);
	CHECK(x_hear(&h) && h.ack == x.seq + 8000 && h.nsack == 1);
	CHECK(h.sack[0].start == x.seq + 7000 && h.sack[0].end == x.seq + 8000);
	x_close(&x);
}

/* RFC 5681, 4.2: that a gap was filled is told at once, however small what filled it. */
UNIT_TEST(a_filled_gap_is_told_at_once)
{
	struct heard h;
	struct xend x;

	x_begin(&x, 306, sack_mss, 8);
	say(&x, TH_ACK, x.seq + 10, x.ack, 10);
	CHECK_EQ(put(x.p, data, 100, 0), 100); /* whatever it answers meanwhile */
	x.p->flags |= PF_PINGPONG;
	x_forget();
	say(&x, TH_ACK, x.seq, x.ack, 10);
	CHECK(x_hear(&h) && h.ack == x.seq + 20 && !h.len);
	x_close(&x);
}

/* Nothing is to be sent again behind a FIN: its acknowledgment says no more. */
UNIT_TEST(the_answer_to_a_fin_is_bare)
{
	struct heard h;
	struct xend x;

	x_begin(&x, 307, sack_mss, 8);
	say(&x, TH_ACK, x.seq, x.ack, 10);
	x_forget();
	say(&x, TH_ACK | TH_FIN, x.seq, x.ack, 10);
	CHECK(x_hear(&h) && h.ack == x.seq + 11 && !h.nsack);
	x_close(&x);
}

/* --- room for a sender --- */

static u32 told; /* events */

static void note_event(void *user, u32 events)
{
	if (events & POLLOUT)
		told++;
}

static void no_urgent(void *user)
{
}

static const struct tcp_user_ops noting = { .event = note_event, .urgent = no_urgent };

/* That there is room is told to whom it was refused, once; not with each acknowledgment. */
UNIT_TEST(room_is_told_to_who_waits_for_it)
{
	static const struct tcp_settings small = { .sndbuf = 20 * MSS, .rcvlowat = 1 };
	struct xend x;
	ssize_t n;

	x_begin(&x, 308, sack_mss, 8);
	tcp_set(x.p, &small);
	tcp_set_user(x.p, &noting, NULL);
	CHECK_EQ(put(x.p, data, 4 * MSS, 0), 4 * MSS);
	told = 0;
	ack(&x, 2, 0, 0);
	ack(&x, 4, 0, 0);
	CHECK_EQ(told, 0); /* it never ran short */
	x.ack += 4 * MSS;
	n = put(x.p, data, sizeof(data), 0);
	CHECK(n > 10 * (ssize_t)MSS && n < (ssize_t)sizeof(data));
	CHECK(!(tcp_poll(x.p) & POLLOUT));
	ack(&x, 2, 0, 0);
	CHECK_EQ(told, 0); /* too little */
	ack(&x, 10, 0, 0);
	CHECK_EQ(told, 1);
	CHECK(tcp_poll(x.p) & POLLOUT);
	ack(&x, 14, 0, 0);
	CHECK_EQ(told, 1);
	tcp_set_user(x.p, NULL, NULL);
	x_close(&x);
}

/* TCP_NOTSENT_LOWAT stops a sender, and is what a poller sees less than half of. */
UNIT_TEST(little_waits_to_be_sent)
{
	struct xend x;

	x_begin(&x, 309, sack_mss, 8);
	x.p->sndbuf = 1 << 20;
	tcp_set_user(x.p, &noting, NULL);
	CHECK_EQ(get_option(x.p, TCP_NOTSENT_LOWAT), 0);
	set_option(x.p, TCP_NOTSENT_LOWAT, 4 * MSS);
	CHECK_EQ(put(x.p, data, 10 * MSS, 0), 10 * MSS);
	CHECK_EQ(put(x.p, data, 4 * MSS, 0), 4 * MSS);
	CHECK_EQ(put(x.p, data, MSS, 0), -EAGAIN);
	told = 0;
	ack(&x, 1, 0, 0); /* two go */
	CHECK_EQ(told, 0);
	CHECK(!(tcp_poll(x.p) & POLLOUT));
	CHECK_EQ(put(x.p, data, MSS, 0), MSS);
	ack(&x, 2, 0, 0);
	CHECK_EQ(told, 1);
	CHECK(tcp_poll(x.p) & POLLOUT);
	tcp_set_user(x.p, NULL, NULL);
	x_close(&x);
}
