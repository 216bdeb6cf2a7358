/* unit: tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_fastopen.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_pace.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c kernel/lib/rbtree.c */
/* TCP against a peer made by hand: when it acknowledges, and what a cork holds back. */
#include <string.h>
#include "tests/unit/tcp/tcp_world.h"

#define MSS 1460

static char data[10 * MSS];

/* X sends @n bytes. Nobody reads them: that would be worth an ACK of its own. */
static void give(struct xend *x, u32 n)
{
	say(x, TH_ACK | TH_PSH, x->seq, x->ack, n);
	x->seq += n;
}

/* All is acknowledged by one ACK alone. When */
static s64 acked(const struct xend *x)
{
	struct heard h;

	CHECK(x_hear(&h) && h.flags == TH_ACK && !h.len && h.ack == x->seq);
	CHECK_EQ(x_count(), 0);
	return h.at;
}

/* The first ones of a connection are acknowledged each: the other side starts slowly. */
static void use_up_quick(struct xend *x)
{
	for (u32 i = 0; i < 40 && !x_count(); i++) {
		give(x, MSS);
		if (!x_count())
			break;
		(void)acked(x);
	}
}

static void begin(struct xend *x, u16 port)
{
	x_begin(x, port, mss_only, 4);
	use_up_quick(x);
	CHECK_EQ(x_count(), 0);
	world_sleep(SEC);
	(void)acked(x);
}

UNIT_TEST(the_first_ones_are_acknowledged_at_once)
{
	struct xend x;

	x_begin(&x, 220, mss_only, 4);
	for (u32 i = 0; i < 15; i++) {
		give(&x, MSS);
		CHECK_EQ(acked(&x), world.now);
		world_sleep(MSEC);
	}
	use_up_quick(&x); /* there is an end to it */
	CHECK_EQ(x_count(), 0);
	x_close(&x);
}

/* RFC 1122, 4.2.3.2: for each second segment, and soon in any case. */
UNIT_TEST(one_acknowledgment_for_two_segments)
{
	struct xend x;
	s64 start;

	begin(&x, 221);
	for (u32 i = 0; i < 10; i++) {
		give(&x, MSS);
		CHECK_EQ(x_count(), 0);
		world_sleep(10 * MSEC);
		give(&x, MSS);
		CHECK_EQ(acked(&x), world.now);
	}
	give(&x, MSS);
	start = world.now;
	world_sleep(TCP_DELACK - 1);
	CHECK_EQ(x_count(), 0);
	world_sleep(SEC);
	CHECK_EQ(acked(&x), start + TCP_DELACK);
	CHECK(TCP_DELACK <= 200 * MSEC);
	/* The delay is the first one's. */
	give(&x, 100);
	start = world.now;
	world_sleep(30 * MSEC);
	give(&x, 100);
	world_sleep(SEC);
	CHECK_EQ(acked(&x), start + TCP_DELACK);
	x_close(&x);
}

/* Without window scaling more than 65,535 cannot be said, however much room there is. */
UNIT_TEST(reading_tells_nothing_when_nothing_more_can_be_said)
{
	struct tcp_settings s = { .rcvbuf = 1 << 20, .rcvlowat = 1 };
	struct xend x;

	begin(&x, 230);
	tcp_set(x.p, &s);
	give(&x, MSS);
	give(&x, MSS);
	(void)acked(&x);
	CHECK(take(x.p, data, sizeof(data), 0) > 0);
	CHECK_EQ(x_count(), 0);
	x_close(&x);
}

/* RFC 5681, 4.2: out of order, and what fills a hole, are news for a sender that has lost. */
UNIT_TEST(a_hole_is_told_at_once)
{
	struct heard h;
	struct xend x;

	begin(&x, 222);
	say(&x, TH_ACK, x.seq + MSS, x.ack, MSS);
	CHECK(x_hear(&h) && h.ack == x.seq && h.at == world.now);
	say(&x, TH_ACK, x.seq, x.ack, MSS);
	CHECK(x_hear(&h) && h.ack == x.seq + 2 * MSS && h.at == world.now);
	say(&x, TH_ACK, x.seq, x.ack, MSS); /* again: the ACK was lost */
	CHECK(x_hear(&h) && h.ack == x.seq + 2 * MSS && h.at == world.now);
	/* As long as there is a hole each one that makes it smaller is told. */
	x.seq += 2 * MSS;
	say(&x, TH_ACK, x.seq + 30 * 100, x.ack, 100);
	CHECK(x_hear(&h) && h.ack == x.seq);
	for (u32 i = 0; i < 29; i++) {
		give(&x, 100);
		CHECK_EQ(acked(&x), world.now);
	}
	x_close(&x);
}

/* An answer carries it; in such a conversation nothing is quick. */
UNIT_TEST(an_answer_carries_the_acknowledgment)
{
	struct heard h;
	struct xend x;

	x_begin(&x, 223, mss_only, 4);
	set_option(x.p, TCP_NODELAY, 1);
	for (u32 i = 0; i < 6; i++) {
		give(&x, 100);
		if (i) {
			CHECK_EQ(x_count(), 0);
			CHECK_EQ(get_option(x.p, TCP_QUICKACK), 0);
		}
		x_forget();
		CHECK_EQ(put(x.p, "answer", 6, 0), 6);
		CHECK(x_hear(&h) && h.len == 6 && h.ack == x.seq);
		x.ack += 6;
		say(&x, TH_ACK, x.seq, x.ack, 0);
		world_sleep(MSEC);
		CHECK_EQ(x_count(), 0);
	}
	give(&x, 100);
	CHECK_EQ(x_count(), 0);
	world_sleep(SEC);
	CHECK(acked(&x) < world.now);
	x_close(&x);
}

/* TCP_QUICKACK: what waits goes, and the next ones do not wait; 0: they do. */
UNIT_TEST(quickack_is_heard)
{
	struct xend x;

	begin(&x, 224);
	give(&x, 100);
	CHECK_EQ(x_count(), 0);
	set_option(x.p, TCP_QUICKACK, 1);
	CHECK_EQ(acked(&x), world.now);
	CHECK_EQ(get_option(x.p, TCP_QUICKACK), 1);
	for (u32 i = 0; i < 3; i++) {
		give(&x, 100);
		CHECK_EQ(acked(&x), world.now);
		world_sleep(MSEC);
	}
	set_option(x.p, TCP_QUICKACK, 0);
	CHECK_EQ(get_option(x.p, TCP_QUICKACK), 0);
	give(&x, 100);
	world_sleep(MSEC);
	CHECK_EQ(x_count(), 0);
	world_sleep(SEC);
	CHECK(acked(&x) < world.now);
	x_close(&x);

	/* Those at the beginning of a connection, too. */
	x_begin(&x, 225, mss_only, 4);
	set_option(x.p, TCP_QUICKACK, 0);
	give(&x, 100);
	CHECK_EQ(x_count(), 0);
	x_close(&x);
}

/* A connection with a cork, behind which @n bytes wait. */
static void begin_corked(struct xend *x, u16 port, u32 n)
{
	x_begin(x, port, mss_only, 4);
	set_option(x->p, TCP_CORK, 1);
	CHECK_EQ(put(x->p, data, n, 0), n);
	CHECK_EQ(x_count(), 0);
}

/* TCP_CORK: whole segments go, the rest when it is taken out. */
UNIT_TEST(a_cork_holds_the_rest)
{
	struct heard h;
	struct xend x;

	begin_corked(&x, 226, 100);
	CHECK_EQ(put(x.p, data, 2 * MSS, 0), 2 * MSS);
	CHECK(x_hear(&h) && h.seq == x.ack && h.len == MSS);
	CHECK(x_hear(&h) && h.seq == x.ack + MSS && h.len == MSS);
	CHECK_EQ(x_count(), 0);
	world_sleep(10 * MSEC);
	x.ack += 2 * MSS;
	say(&x, TH_ACK, x.seq, x.ack, 0); /* nor does an acknowledgment let it go */
	CHECK_EQ(x_count(), 0);
	world_sleep(10 * MSEC);
	CHECK_EQ(put(x.p, data, 20, 0), 20);
	CHECK_EQ(x_count(), 0);
	set_option(x.p, TCP_CORK, 0);
	CHECK(x_hear(&h) && h.at == world.now && h.seq == x.ack && h.len == 120);
	x_close(&x);
}

/*
 * Not for longer than a timeout, some 200 ms: then it goes as if it were taken out, and the next
 * bytes wait.
 */
UNIT_TEST(a_cork_holds_for_a_timeout)
{
	struct heard h;
	struct xend x;
	s64 start, rto;

	x_begin(&x, 227, mss_only, 4);
	set_option(x.p, TCP_CORK, 1);
	for (u32 i = 0; i < 3; i++) {
		CHECK_EQ(put(x.p, data, 100, 0), 100);
		start = world.now;
		rto = x.p->rto;
		world_sleep(100 * MSEC);
		CHECK_EQ(put(x.p, data, 50, 0), 50);
		CHECK_EQ(x_count(), 0);
		world_sleep(99 * MSEC);
		CHECK_EQ(x_count(), 0);
		world_sleep(30 * MSEC);
		CHECK(x_hear(&h) && h.seq == x.ack && h.len == 150);
		CHECK_EQ(h.at, start + rto);
		x.ack += 150;
		say(&x, TH_ACK, x.seq, x.ack, 0);
	}
	x_close(&x);
}

/* The end of the connection takes it out. */
UNIT_TEST(a_cork_does_not_hold_the_end)
{
	struct heard h;
	struct xend x;

	begin_corked(&x, 228, 100);
	CHECK_EQ(tcp_shutdown(x.p, 2), 0);
	CHECK(x_hear(&h) && h.len == 100 && (h.flags & TH_FIN));
	x_close(&x);
}

/* A call that announces more is corked, whatever TCP_NODELAY says; full segments go. */
UNIT_TEST(more_to_come_holds_as_a_cork_does)
{
	struct heard h;
	struct xend x;
	s64 start;

	x_begin(&x, 229, mss_only, 4);
	set_option(x.p, TCP_NODELAY, 1);
	start = world.now;
	CHECK_EQ(put(x.p, data, 40, TCP_SEND_MORE), 40);
	CHECK_EQ(x_count(), 0);
	world_sleep(400 * MSEC);
	CHECK(x_hear(&h) && h.seq == x.ack && h.len == 40);
	CHECK_EQ(h.flags, TH_ACK | TH_PSH);
	CHECK_EQ(h.at, start + 220 * MSEC);
	say(&x, TH_ACK, x.seq, x.ack += 40, 0);
	x_forget();
	CHECK_EQ(put(x.p, data, MSS + 100, TCP_SEND_MORE), MSS + 100);
	CHECK(x_hear(&h) && h.len == MSS && h.flags == TH_ACK);
	CHECK_EQ(x_count(), 0);
	say(&x, TH_ACK, x.seq, x.ack += MSS, 0); /* once they are asked for they go */
	CHECK(x_hear(&h) && h.len == 100 && h.flags == TH_ACK);
	say(&x, TH_ACK, x.seq, x.ack += 100, 0);
	CHECK_EQ(put(x.p, data, 10, TCP_SEND_MORE), 10);
	CHECK_EQ(put(x.p, data, 20, 0), 20);
	CHECK(x_hear(&h) && h.len == 30 && h.flags == (TH_ACK | TH_PSH));
	x_close(&x);
}

/* tcp(7): TCP_NODELAY forces out what is there even if it is corked; the cork stays. */
UNIT_TEST(no_delay_goes_over_a_cork_once)
{
	struct heard h;
	struct xend x;

	begin_corked(&x, 230, 40);
	set_option(x.p, TCP_NODELAY, 1);
	CHECK(x_hear(&h) && h.seq == x.ack && h.len == 40);
	say(&x, TH_ACK, x.seq, x.ack += 40, 0);
	CHECK_EQ(put(x.p, data, 40, 0), 40);
	CHECK_EQ(x_count(), 0);
	x_close(&x);
}

/* MSG_EOR: what waits is added to up to there, and nothing behind it. */
UNIT_TEST(a_record_ends_a_segment)
{
	static const u32 lens[] = { 200, 100, 300 };
	struct heard h;
	struct xend x;

	x_begin(&x, 231, mss_only, 4);
	x.p->cwnd = MSS;
	CHECK_EQ(put(x.p, data, MSS, 0), MSS);
	CHECK_EQ(put(x.p, data, 100, 0), 100);
	CHECK_EQ(put(x.p, data, 100, TCP_SEND_EOR), 100);
	CHECK_EQ(put(x.p, data, 100, TCP_SEND_EOR), 100);
	CHECK_EQ(put(x.p, data, 300, 0), 300);
	x_forget();
	x.p->cwnd = 10 * MSS;
	x.ack += MSS;
	say(&x, TH_ACK, x.seq, x.ack, 0);
	for (u32 i = 0; i < ARRAY_SIZE(lens); i++) {
		CHECK(x_hear(&h) && h.seq == x.ack && h.len == lens[i] && (h.flags & TH_PSH));
		x.ack += h.len;
		say(&x, TH_ACK, x.seq, x.ack, 0);
	}
	x_close(&x);
}

/* What is cut by the device is pushed with its last segment, as the receiver need not wait. */
UNIT_TEST(what_goes_in_one_piece_is_pushed)
{
	struct heard h;
	struct xend x;

	x_begin(&x, 232, mss_only, 4);
	CHECK_EQ(put(x.p, data, 3 * MSS, TCP_SEND_MORE), 3 * MSS);
	for (u32 i = 0; i < 3; i++)
		CHECK(x_hear(&h) && !(h.flags & TH_PSH) == (i < 2));
	x_close(&x);
}

/* A client's first request is no answer: what comes back is acknowledged at once. */
UNIT_TEST(a_request_is_no_answer)
{
	struct heard h;
	struct xend x;

	x_begin(&x, 233, mss_only, 4);
	CHECK_EQ(put(x.p, "request", 7, 0), 7);
	CHECK(x_hear(&h) && h.len == 7);
	x.ack += 7;
	say(&x, TH_ACK, x.seq, x.ack, 0);
	give(&x, 100);
	CHECK_EQ(acked(&x), world.now);
	x_close(&x);
}

/* The end behind some bytes waits for this side's end, not for long; alone it is answered at once. */
UNIT_TEST(an_end_waits_for_the_other)
{
	for (u32 how = 0; how < 3; how++) {
		s64 start;
		struct heard h;
		struct xend x;

		x_begin(&x, (u16)(234 + how), mss_only, 4);
		if (how) {
			give(&x, 100);
			(void)acked(&x);
		}
		start = world.now;
		say(&x, TH_ACK | TH_FIN, x.seq++, x.ack, 0);
		if (how == 2) {
			CHECK_EQ(x_count(), 0);
			CHECK_EQ(tcp_shutdown(x.p, 2), 0);
			CHECK(x_hear(&h) && (h.flags & TH_FIN) && h.ack == x.seq);
			world_sleep(SEC / 10);
			CHECK_EQ(x_count(), 0);
		} else {
			world_sleep(SEC);
			CHECK_EQ(acked(&x), start + how * TCP_DELACK);
		}
		x_close(&x);
	}
}

/* Half a congestion window is handed down at a time, so that a device does not send it in one burst. */
UNIT_TEST(a_window_goes_in_two_pieces)
{
	struct heard h;
	struct xend x;

	x_begin(&x, 238, mss_only, 4);
	CHECK_EQ(put(x.p, data, 10 * MSS, 0), 10 * MSS);
	for (u32 i = 0; i < 10; i++)
		CHECK(x_hear(&h) && !(h.flags & TH_PSH) == (i != 4 && i != 9));
	x_close(&x);
}
