/* unit: tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_fastopen.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_pace.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c kernel/lib/rbtree.c */
/* TCP against a peer made by hand who lies, is unlucky, or says something unusual. */
#include <linux/errno.h>
#include <linux/poll.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit/tcp/tcp_world.h"

#define MSS 1460

static const u8 with_ts[16] = { 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 100 };
static char data[20 * MSS];

/* A segment with the time @val. */
/* --- the end of the stream out of order --- */

/* A FIN that the peer's own bytes contradict: what was acknowledged is not taken back. */
UNIT_TEST(an_end_before_later_bytes)
{
	struct heard h;
	struct xend x;

	x_begin(&x, 200, mss_only, 4);
	say(&x, TH_ACK | TH_FIN, x.seq + 50, x.ack, 10);
	x_forget();
	say(&x, TH_ACK, x.seq, x.ack, 100);
	CHECK(x_hear(&h) && h.ack == x.seq + 100);
	CHECK_EQ(tcp_state(x.p), TCP_ESTABLISHED);
	CHECK_EQ(tcp_readable(x.p), 100);
	CHECK_EQ(take(x.p, data, sizeof(data), 0), 100);
	CHECK_EQ(tcp_readable(x.p), 0);
	x_close(&x);
}

/* A FIN behind bytes that came out of order is kept like them. */
UNIT_TEST(an_end_out_of_order)
{
	for (u32 with_bytes = 0; with_bytes < 2; with_bytes++) {
		struct heard h;
		struct xend x;

		x_begin(&x, 201, sack_mss, 8);
		say(&x, TH_ACK, x.seq + 100, x.ack, 100);
		if (with_bytes)
			say(&x, TH_ACK | TH_FIN, x.seq + 100, x.ack, 100);
		else
			say(&x, TH_ACK | TH_FIN, x.seq + 200, x.ack, 0);
		x_forget();
		say(&x, TH_ACK, x.seq, x.ack, 100);
		CHECK(x_hear(&h) && h.ack == x.seq + 201);
		CHECK_EQ(tcp_state(x.p), TCP_CLOSE_WAIT);
		CHECK_EQ(take(x.p, data, sizeof(data), 0), 200);
		CHECK_EQ(take(x.p, data, sizeof(data), 0), 0);
		x_close(&x);
	}
}

/* --- what a segment that is not taken may change --- */

/* RFC 7323, 5.3: the time of a segment counts when the segment does. */
UNIT_TEST(a_forged_time_does_not_stop_a_connection)
{
	struct xend x;

	x_begin(&x, 202, with_ts, sizeof(with_ts));
	say_at(&x, TH_ACK, x.seq, x.ack, 100, 101, 0);
	CHECK_EQ(take(x.p, data, sizeof(data), 0), 100);
	x.seq += 100;
	say_at(&x, TH_ACK, x.seq, x.ack + 1, 10, 0x40000000, 0); /* of what was never sent */
	say_at(&x, TH_ACK, x.seq, x.ack - 70000, 10, 0x40000000, 0);
	say_at(&x, TH_SYN, x.seq, 0, 0, 0x40000000, 0);
	say_at(&x, TH_RST, x.seq - 1, 0, 1, 0x40000000, 0);
	say_at(&x, 0, x.seq, 0, 10, 0x40000000, 0);
	say_at(&x, TH_ACK, x.seq, x.ack, 100, 102, 0);
	CHECK_EQ(take(x.p, data, sizeof(data), 0), 100);
	x_close(&x);
}

/* --- timers --- */

/*
 * RFC 6298, 5.7: a SYN-ACK had to go twice, and nothing says how long the way is: three seconds. A
 * time stamp does say it.
 */
UNIT_TEST(a_lost_syn_ack_makes_careful)
{
	for (u32 ts = 0; ts < 2; ts++) {
		struct xend x = { .sport = 40000, .dport = 203, .seq = 1000 };
		struct heard h;
		s64 start;

		world_begin();
		tcp_sysctl_early_retrans = 0;
		x.l = listen_on(HOST_A, 203, 4);
		x_say(&(struct xseg){ .sport = x.sport,
				      .dport = 203,
				      .seq = 999,
				      .flags = TH_SYN,
				      .wnd = 60000,
				      .opt = with_ts,
				      .optlen = ts ? sizeof(with_ts) : 4 });
		x_forget();
		world_sleep(1020 * MSEC);
		CHECK(x_hear(&h) && h.flags == (TH_SYN | TH_ACK));
		x.ack = h.seq + 1;
		if (ts) {
			u8 o[12] = { 1, 1, 8, 10, 0, 0, 0, 101 };
			u32 v = net32(h.tsval);

			memcpy(o + 8, &v, 4);
			ack_with(&x, x.ack, o, sizeof(o));
		} else {
			say(&x, TH_ACK, x.seq, x.ack, 0);
		}
		CHECK_EQ(tcp_accept(x.l, &x.p), 0);
		start = world.now;
		CHECK_EQ(put(x.p, data, 100, 0), 100);
		x_forget();
		world_sleep(4 * SEC);
		CHECK(x_hear(&h) && h.len == 100);
		CHECK_EQ(h.at - start, ts ? 220 * MSEC : 3 * SEC);
		tcp_sysctl_early_retrans = 3;
		x_close(&x);
	}
}

/* RFC 9293, 3.8.6.1: a window that was taken back is waited for as long as the peer answers. */
UNIT_TEST(a_window_that_shrinks_is_waited_for)
{
	struct xseg closed = { .flags = TH_ACK };
	struct heard h;
	struct xend x;

	x_begin(&x, 204, mss_only, 4);
	CHECK_EQ(put(x.p, data, 1000, 0), 1000);
	closed.sport = x.sport;
	closed.dport = x.dport;
	closed.seq = x.seq;
	closed.ack = x.ack;
	for (u32 i = 0; i < 4000; i++) {
		world_sleep(SEC);
		while (x_hear(&h)) {
			CHECK(h.seq == x.ack && h.len == 1000);
			x_say(&closed);
		}
	}
	CHECK_EQ(tcp_state(x.p), TCP_ESTABLISHED);
	say(&x, TH_ACK, x.seq, x.ack + 1000, 0);
	CHECK_EQ(tcp_queued(x.p, true), 0);
	/* Who says nothing more is given up. */
	CHECK_EQ(put(x.p, data, 1000, 0), 1000);
	closed.ack = x.ack + 1000;
	x_say(&closed);
	world_sleep(2000 * SEC);
	CHECK_EQ(tcp_state(x.p), TCP_CLOSE);
	CHECK_EQ(tcp_take_error(x.p), -ETIMEDOUT);
	x_close(&x);
}

/* Also beyond the user's timeout, and no more often for it. */
UNIT_TEST(a_window_that_shrinks_is_asked_for_rarely)
{
	struct xseg closed = { .flags = TH_ACK };
	struct heard h;
	struct xend x;
	u32 n = 0;
	int ms = 5000;

	x_begin(&x, 211, mss_only, 4);
	CHECK_EQ(tcp_set_option(x.p, TCP_USER_TIMEOUT, &ms, sizeof(ms)), 0);
	CHECK_EQ(put(x.p, data, 1000, 0), 1000);
	closed.sport = x.sport;
	closed.dport = x.dport;
	closed.seq = x.seq;
	closed.ack = x.ack;
	for (u32 i = 0; i < 60; i++) {
		world_sleep(SEC);
		for (; x_hear(&h); n++)
			x_say(&closed);
	}
	CHECK(n >= 5 && n < 15);
	CHECK_EQ(tcp_state(x.p), TCP_ESTABLISHED);
	x_close(&x);
}

/* --- F-RTO: RFC 5682, 3.1 --- */

/* What comes the other way says nothing of the timeout: before the first answer, and after it. */
UNIT_TEST(bytes_of_the_peer_do_not_end_frto)
{
	struct heard h;
	struct xend x;

	tcp_sysctl_early_retrans = 0;
	x_begin(&x, 205, sack_mss, 8);
	CHECK_EQ(put(x.p, data, 14 * MSS, 0), 14 * MSS);
	x_forget();
	world_sleep(220 * MSEC);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPTimeouts), 1);
	say(&x, TH_ACK, x.seq, x.ack, 10);
	x.seq += 10;
	x_forget();
	say(&x, TH_ACK, x.seq, x.ack + MSS, 0);
	CHECK(x_hear(&h) && h.seq == x.ack + 10 * MSS);
	CHECK(x_hear(&h) && h.seq == x.ack + 11 * MSS);
	say(&x, TH_ACK, x.seq, x.ack + MSS, 10);
	x.seq += 10;
	x_forget();
	say(&x, TH_ACK, x.seq, x.ack + 2 * MSS, 0);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPSpuriousRTOs), 1);
	CHECK_EQ(tcp_mib(TCP_MIB_RETRANS_SEGS), 1);
	tcp_sysctl_early_retrans = 3;
	x_close(&x);
}

/* --- sending --- */

/* The pointer counts from each segment's own number: none may be of two when it is set. */
UNIT_TEST(urgent_bytes_are_pointed_at_by_each_segment)
{
	struct heard h;
	struct xend x;
	u32 segs = 0, end;

	x_begin(&x, 206, mss_only, 4);
	end = x.ack + 5 * MSS;
	CHECK_EQ(put(x.p, data, 5 * MSS, TCP_SEND_OOB), 5 * MSS);
	for (u32 again = 0; again < 2; again++) {
		while (x_hear(&h)) {
			CHECK(h.flags & TH_URG);
			CHECK_EQ(h.seq + h.urg, end);
			segs++;
		}
		world_sleep(300 * MSEC);
	}
	CHECK(segs > 5);
	x_close(&x);
}

/* RFC 8201, 5.4: segments that were too large are not lost ones, and cost no window. */
UNIT_TEST(a_smaller_path_is_no_congestion)
{
	struct heard h;
	struct xend x;
	u32 cwnd, ssthresh;

	x_begin(&x, 207, sack_mss, 8);
	CHECK_EQ(put(x.p, data, 4 * MSS, 0), 4 * MSS);
	x_forget();
	cwnd = x.p->cwnd;
	ssthresh = x.p->ssthresh;
	tcp_error(HOST_A, net16(x.dport), HOST_X, net16(x.sport), x.ack, EMSGSIZE, 1000);
	CHECK(x_hear(&h) && h.seq == x.ack && h.len == 960);
	for (u32 end = x.ack; seq_lt(end, x.ack + 4 * MSS);) {
		world_sleep(20 * MSEC);
		end = seq_min(end + 960, x.ack + 4 * MSS);
		say(&x, TH_ACK, x.seq, end, 0);
	}
	CHECK_EQ(x.p->ssthresh, ssthresh);
	CHECK(x.p->cwnd >= cwnd);
	CHECK_EQ(x.p->ca, CA_OPEN);
	CHECK_EQ(tcp_queued(x.p, true), 0);
	x_close(&x);
}

/* RFC 2018, 4: bytes that go the other way in full segments leave no room; then an ACK tells. */
UNIT_TEST(full_segments_do_not_hide_sacks)
{
	struct heard h;
	struct xend x;
	u32 told = 0;

	x_begin(&x, 208, sack_mss, 8);
	CHECK_EQ(put(x.p, data, 14 * MSS, 0), 14 * MSS);
	x_forget();
	say(&x, TH_ACK, x.seq + 1000, x.ack + MSS, 500); /* lets new segments go */
	while (x_hear(&h))
		told += h.nsack == 1 && h.sack[0].start == x.seq + 1000;
	CHECK_EQ(told, 1);
	x_close(&x);
}

/* A byte in a segment of its own costs what a segment does: the buffer is one of memory. */
UNIT_TEST(bytes_by_themselves_fill_the_buffer)
{
	struct xend x;
	int on = 1;
	u32 n = 0;

	x_begin(&x, 210, mss_only, 4);
	CHECK_EQ(tcp_set_option(x.p, TCP_NODELAY, &on, sizeof(on)), 0);
	while (n < 1000 && put(x.p, data, 1, 0) == 1)
		n++;
	CHECK(n >= 20 && n < 200);
	CHECK(!(tcp_poll(x.p) & POLLOUT));
	say(&x, TH_ACK, x.seq, x.ack + n, 0);
	CHECK(tcp_poll(x.p) & POLLOUT);
	CHECK_EQ(put(x.p, data, sizeof(data), 0), sizeof(data));
	x_close(&x);
}

/* --- CUBIC: RFC 9438, 5.8 --- */

/* The time in which nothing was sent is none in which the window may grow. */
UNIT_TEST(an_idle_hour_does_not_open_the_window)
{
	static char much[200 * MSS];
	u32 gained[2];
	struct xend x;

	x_begin(&x, 209, sack_mss, 8);
	x.p->ssthresh = 1;
	for (u32 idle = 0; idle < 2; idle++) {
		u32 cwnd;

		if (idle)
			world_sleep(3600 * SEC);
		for (u32 sent = 0, i = 0; i < 5; i++) {
			ssize_t n = put(x.p, much, sizeof(much), 0);

			CHECK(n >= 0 || n == -EAGAIN);
			if (!i)
				cwnd = x.p->cwnd;
			sent = x.p->snd_nxt - x.p->snd_una;
			world_sleep(20 * MSEC);
			for (u32 k = 0; k < sent / MSS; k++)
				say(&x, TH_ACK, x.seq, x.p->snd_una + MSS, 0);
		}
		gained[idle] = x.p->cwnd - cwnd;
		say(&x, TH_ACK, x.seq, x.p->snd_nxt, 0);
		while (tcp_queued(x.p, true)) {
			world_sleep(20 * MSEC);
			say(&x, TH_ACK, x.seq, x.p->snd_nxt, 0);
		}
	}
	CHECK(gained[1] <= 2 * gained[0] + 4 * MSS); /* where it was is reached sooner */
	x_close(&x);
}

/* Bytes [from, to) of @bytes, which begins at x->seq. */
static void say_part(const struct xend *x, const u8 *bytes, u32 from, u32 to)
{
	x_say(&(struct xseg){ .sport = x->sport,
			      .dport = x->dport,
			      .seq = x->seq + from,
			      .ack = x->ack,
			      .flags = TH_ACK,
			      .wnd = 65535,
			      .len = to - from,
			      .data = bytes + from });
}

static void taken_whole(struct xend *x, const u8 *bytes, u32 n)
{
	static u8 got[8192];

	CHECK_EQ(take(x->p, got, sizeof(got), 0), (ssize_t)n);
	CHECK(!memcmp(got, bytes, n));
	CHECK(rb_empty(&x->p->ooo) && !x->p->ooo_mem);
}

/* What waits is in order, and no byte of it is there twice. */
static void check_order(const struct xend *x)
{
	for (struct rb_node *n = rb_first(&x->p->ooo), *next; n && (next = rb_next(n)); n = next)
		CHECK(seq_le(rb_entry(n, struct tcp_rx, node)->end, rb_entry(next, struct tcp_rx, node)->seq));
}

/* Pieces that overlap, come twice and in any order: each byte is taken once, and nothing stays. */
UNIT_TEST(pieces_in_any_order)
{
	static u8 bytes[6000];

	srandom(7);
	for (u32 i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)random();
	for (u16 round = 0; round < 50; round++) {
		struct xend x;

		x_begin(&x, (u16)(400 + round), sack_mss, 8);
		for (u32 i = 0; i < 60; i++) {
			u32 from = 1 + (u32)random() % (sizeof(bytes) - 1);

			say_part(&x, bytes, from, MIN(from + 1 + (u32)random() % 500, (u32)sizeof(bytes)));
			x_forget();
			check_order(&x);
		}
		for (u32 at = 0; at < sizeof(bytes); at += 500)
			say_part(&x, bytes, at, at + 500);
		taken_whole(&x, bytes, sizeof(bytes));
		x_close(&x);
	}
}

/* Every other byte from the end on: the order in which a list would be walked whole for each. */
UNIT_TEST(pieces_in_the_worst_order)
{
	static u8 bytes[101];
	struct xend x;

	memset(bytes, 'w', sizeof(bytes));
	x_begin(&x, 460, sack_mss, 8);
	for (u32 at = sizeof(bytes) - 2; at < sizeof(bytes); at -= 2)
		say_part(&x, bytes, at, at + 1);
	x_forget();
	check_order(&x);
	say_part(&x, bytes, 0, sizeof(bytes));
	taken_whole(&x, bytes, sizeof(bytes));
	x_close(&x);
}
