/* unit: tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_fastopen.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_pace.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c kernel/lib/rbtree.c */
/* TCP against a peer whose segments are made by hand: what it answers, and when it sends again. */
#include <linux/errno.h>
#include <linux/poll.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit/tcp/tcp_world.h"

UNIT_TEST(nobody_is_there)
{
	struct xend x = { .sport = 5, .dport = 6 };
	struct heard h;

	world_begin();
	say(&x, TH_SYN, 100, 0, 0);
	CHECK(x_hear(&h) && h.flags == (TH_RST | TH_ACK) && h.seq == 0 && h.ack == 101);
	say(&x, TH_ACK, 100, 777, 10);
	CHECK(x_hear(&h) && h.flags == TH_RST && h.seq == 777);
	say(&x, TH_FIN, 100, 0, 5);
	CHECK(x_hear(&h) && h.flags == (TH_RST | TH_ACK) && h.ack == 106);
	say(&x, TH_RST, 100, 0, 0);
	say(&x, TH_RST | TH_ACK, 100, 5, 0);
	CHECK_EQ(x_count(), 0);
	world_end();
}

UNIT_TEST(resets_and_challenges)
{
	struct heard h;
	struct xend x;

	x_begin(&x, 81, mss_only, 4);
	/* RFC 5961: in the window, not exact: a challenge; outside: nothing. */
	say(&x, TH_RST, x.seq + 100, 0, 0);
	CHECK(x_hear(&h) && h.flags == TH_ACK && h.seq == x.ack && h.ack == x.seq);
	CHECK_EQ(tcp_state(x.p), TCP_ESTABLISHED);
	say(&x, TH_RST, x.seq - 1000, 0, 0);
	say(&x, TH_RST, x.seq + 0x10000000, 0, 0);
	CHECK_EQ(x_count(), 0);
	/* A SYN never ends it, and the challenges are limited. */
	say(&x, TH_SYN, x.seq, 0, 0);
	CHECK_EQ(x_count(), 0);
	world_sleep(SEC);
	say(&x, TH_SYN, x.seq, 0, 0);
	CHECK(x_hear(&h) && h.flags == TH_ACK);
	/* An ACK of what was never sent. */
	world_sleep(SEC);
	say(&x, TH_ACK, x.seq, x.ack + 1, 0);
	CHECK(x_hear(&h) && h.flags == TH_ACK && h.ack == x.seq);
	CHECK_EQ(tcp_state(x.p), TCP_ESTABLISHED);
	/* Without ACK: dropped. */
	world_sleep(SEC);
	say(&x, 0, x.seq, 0, 10);
	CHECK_EQ(x_count(), 0);
	/* Exact. */
	say(&x, TH_RST, x.seq, 0, 0);
	CHECK_EQ(tcp_state(x.p), TCP_CLOSE);
	CHECK_EQ(tcp_take_error(x.p), -ECONNRESET);
	CHECK_EQ(x_count(), 0);
	x_close(&x);
}

UNIT_TEST(retransmission_times)
{
	struct heard h;
	struct xend x;
	char data[100] = { 0 };
	s64 first, last, gap = 0;

	x_begin(&x, 82, mss_only, 4);
	first = world.now;
	CHECK_EQ(put(x.p, data, 100, 0), 100);
	CHECK(x_hear(&h) && h.len == 100 && h.at == first);
	last = first;
	world_sleep(400 * SEC);
	CHECK(x_count() >= 8);
	while (x_hear(&h)) {
		CHECK(h.len == 100 && h.seq == x.ack);
		/* RFC 6298, 5.5: each twice the one before, to a limit. */
		if (gap)
			CHECK(h.at - last == MIN(2 * gap, TCP_RTO_MAX));
		else
			CHECK(h.at - last >= TCP_RTO_MIN);
		gap = h.at - last;
		last = h.at;
	}
	x_close(&x);
}

UNIT_TEST(fast_retransmit_by_duplicates)
{
	static char data[14600];
	struct heard h;
	struct xend x;

	x_begin(&x, 83, mss_only, 4);
	CHECK_EQ(put(x.p, data, sizeof(data), 0), sizeof(data));
	CHECK_EQ(x_count(), 10); /* the initial window */
	x_forget();
	/* The first is lost: two duplicates are not enough, the third is. */
	for (u32 i = 0; i < 2; i++)
		say(&x, TH_ACK, x.seq, x.ack, 0);
	CHECK_EQ(x_count(), 0);
	say(&x, TH_ACK, x.seq, x.ack, 0);
	CHECK(x_hear(&h) && h.seq == x.ack && h.len == 1460);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPRenoRecovery), 1);
	/* A partial acknowledgment: the next hole at once (RFC 6582). */
	say(&x, TH_ACK, x.seq, x.ack + 2 * 1460, 0);
	CHECK(x_hear(&h) && h.seq == x.ack + 2 * 1460 && h.len == 1460);
	say(&x, TH_ACK, x.seq, x.ack + 14600, 0);
	CHECK_EQ(tcp_queued(x.p, true), 0);
	x_close(&x);
}

/* One short segment at a time, also when it is the end of a long write. RFC 9293, 3.7.4. */
UNIT_TEST(nagle_holds_what_follows_a_short_end)
{
	static char data[3000];
	struct heard h;
	struct xend x;

	x_begin(&x, 96, mss_only, 4);
	CHECK_EQ(put(x.p, data, 2 * 1460 + 50, 0), 2 * 1460 + 50);
	CHECK_EQ(x_count(), 3);
	x_forget();
	CHECK_EQ(put(x.p, data, 100, 0), 100);
	CHECK_EQ(x_count(), 0);
	say(&x, TH_ACK, x.seq, x.ack + 2 * 1460, 0);
	CHECK_EQ(x_count(), 0);
	say(&x, TH_ACK, x.seq, x.ack + 2 * 1460 + 50, 0);
	CHECK(x_hear(&h) && h.seq == x.ack + 2 * 1460 + 50 && h.len == 100);
	x_close(&x);
}

static void sack(struct xend *x, u32 ack, u32 start, u32 end)
{
	u8 o[12] = { 1, 1, 5, 10 };
	u32 v[2] = { net32(start), net32(end) };

	memcpy(o + 4, v, 8);
	ack_with(x, ack, o, 12);
}

UNIT_TEST(recovery_by_sack)
{
	static char data[14600];
	struct heard h;
	struct xend x;

	x_begin(&x, 84, sack_mss, 8);
	CHECK_EQ(put(x.p, data, sizeof(data), 0), sizeof(data));
	CHECK_EQ(x_count(), 10);
	x_forget();
	world_sleep(20 * MSEC);
	/* Segments 0 and 4 are lost. */
	sack(&x, x.ack, x.ack + 1460, x.ack + 2 * 1460);
	sack(&x, x.ack, x.ack + 1460, x.ack + 3 * 1460);
	CHECK_EQ(x_count(), 0);
	sack(&x, x.ack, x.ack + 1460, x.ack + 4 * 1460);
	CHECK(x_hear(&h) && h.seq == x.ack && h.len == 1460);
	CHECK_EQ(x_count(), 0);
	sack(&x, x.ack, x.ack + 5 * 1460, x.ack + 10 * 1460);
	CHECK(x_hear(&h) && h.seq == x.ack + 4 * 1460 && h.len == 1460);
	CHECK_EQ(x_count(), 0); /* what was SACKed does not go again */
	say(&x, TH_ACK, x.seq, x.ack + 14600, 0);
	CHECK_EQ(tcp_queued(x.p, true), 0);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPTimeouts), 0);
	x_close(&x);
}

UNIT_TEST(out_of_order_is_told)
{
	struct heard h;
	struct xend x;
	char buf[4000];

	x_begin(&x, 85, sack_mss, 8);
	say(&x, TH_ACK, x.seq + 1000, x.ack, 500);
	CHECK(x_hear(&h) && h.ack == x.seq && h.nsack == 1 && h.sack[0].start == x.seq + 1000 &&
	      h.sack[0].end == x.seq + 1500);
	say(&x, TH_ACK, x.seq + 2000, x.ack, 500);
	CHECK(x_hear(&h) && h.nsack == 2 && h.sack[0].start == x.seq + 2000);
	/* The same again: DSACK (RFC 2883). */
	say(&x, TH_ACK, x.seq + 2000, x.ack, 500);
	CHECK(x_hear(&h) && h.nsack == 3 && h.sack[0].start == x.seq + 2000 &&
	      h.sack[0].end == x.seq + 2500);
	say(&x, TH_ACK, x.seq, x.ack, 1000);
	CHECK(x_hear(&h) && h.ack == x.seq + 1500 && h.nsack == 1);
	say(&x, TH_ACK, x.seq + 1200, x.ack, 1000);
	CHECK(x_hear(&h) && h.ack == x.seq + 2500);
	CHECK_EQ(take(x.p, buf, sizeof(buf), 0), 2500);
	x_close(&x);
}

UNIT_TEST(a_closed_window_is_probed)
{
	static char data[5000];
	struct heard h;
	struct xend x;
	u32 probes = 0;

	x_begin(&x, 86, mss_only, 4);
	x_say(&(struct xseg){ .sport = x.sport,
			      .dport = 86,
			      .seq = x.seq,
			      .ack = x.ack,
			      .flags = TH_ACK,
			      .len = 1 });
	x_forget();
	CHECK_EQ(put(x.p, data, sizeof(data), 0), sizeof(data));
	CHECK_EQ(x_count(), 0);
	for (u32 i = 0; i < 5; i++) {
		world_sleep(20 * SEC);
		while (x_hear(&h)) {
			if (h.seq == x.ack - 1 && !h.len)
				probes++;
			else
				CHECK(h.ack == x.seq + 1 && h.len == 0);
		}
		/* Still closed: it answers, and so is never given up. */
		x_say(&(struct xseg){ .sport = x.sport,
				      .dport = 86,
				      .seq = x.seq + 1,
				      .ack = x.ack,
				      .flags = TH_ACK });
	}
	CHECK(probes >= 5);
	say(&x, TH_ACK, x.seq + 1, x.ack, 0);
	CHECK(x_hear(&h) && h.seq == x.ack && h.len == 1460);
	x_close(&x);
}

UNIT_TEST(a_flood_gets_cookies)
{
	struct tcp_pcb *l, *p;
	struct xend x = { .dport = 87 };
	struct heard h, last = { 0 };

	world_begin();
	l = listen_on(HOST_A, 87, 4);
	for (u32 i = 0; i < 100; i++) {
		x.sport = (u16)(1000 + i);
		x_say(&(struct xseg){ .sport = x.sport,
				      .dport = 87,
				      .seq = 5000,
				      .flags = TH_SYN,
				      .wnd = 60000,
				      .opt = mss_only,
				      .optlen = 4 });
		CHECK(x_hear(&h) && h.flags == (TH_SYN | TH_ACK) && h.ack == 5001);
		last = h;
	}
	CHECK(tcp_mib(TCP_MIB_SyncookiesSent) >= 90);
	/* A wrong one is refused, the right one opens. */
	say(&x, TH_ACK, 5001, last.seq + 2, 0);
	CHECK(x_hear(&h) && h.flags == TH_RST);
	CHECK_EQ(tcp_accept(l, &p), -EAGAIN);
	say(&x, TH_ACK, 5001, last.seq + 1, 10);
	CHECK_EQ(tcp_accept(l, &p), 0);
	CHECK_EQ(tcp_state(p), TCP_ESTABLISHED);
	CHECK_EQ(tcp_mib(TCP_MIB_SyncookiesRecv), 1);
	x_forget();
	tcp_abort(p);
	tcp_close(l);
	x_forget();
	world_end();
}

UNIT_TEST(both_open_at_once)
{
	struct heard h;
	struct xend x;

	world_begin();
	x_connect(&x, 90, 7000, &h);
	CHECK(h.flags == TH_SYN && h.sack_ok && h.has_ts && h.mss == 1460);
	say(&x, TH_SYN, x.seq - 1, 0, 0);
	CHECK(x_hear(&h) && h.flags == (TH_SYN | TH_ACK) && h.seq == x.ack - 1 && h.ack == x.seq);
	CHECK_EQ(tcp_state(x.p), TCP_SYN_RECV);
	say(&x, TH_ACK, x.seq, x.ack, 0);
	CHECK_EQ(tcp_state(x.p), TCP_ESTABLISHED);
	/* And both close at once. */
	x_forget();
	CHECK_EQ(tcp_shutdown(x.p, 2), 0);
	CHECK(x_hear(&h) && h.flags == (TH_FIN | TH_ACK) && h.seq == x.ack);
	say(&x, TH_FIN | TH_ACK, x.seq, x.ack, 0);
	CHECK(x_hear(&h) && h.ack == x.seq + 1);
	CHECK_EQ(tcp_state(x.p), TCP_CLOSING);
	say(&x, TH_ACK, x.seq + 1, x.ack + 1, 0);
	CHECK_EQ(tcp_state(x.p), TCP_CLOSE); /* its TIME_WAIT is kept elsewhere */
	say(&x, TH_FIN | TH_ACK, x.seq, x.ack, 0);
	CHECK(x_hear(&h) && h.ack == x.seq + 1); /* the FIN again: the answer again */
	tcp_close(x.p);
	world_end();
}

UNIT_TEST(connecting_in_vain)
{
	struct tcp_pcb *p;
	struct heard h;
	struct xend x;
	u32 syns = 0;

	world_begin();
	p = connect_to(HOST_A, HOST_X, 91);
	world_sleep(300 * SEC);
	while (x_hear(&h)) {
		CHECK_EQ(h.flags, TH_SYN);
		syns++;
	}
	CHECK_EQ(syns, 7);
	CHECK_EQ(tcp_state(p), TCP_CLOSE);
	CHECK_EQ(tcp_take_error(p), -ETIMEDOUT);
	tcp_close(p);
	x_connect(&x, 91, 0, &h);
	say(&x, TH_RST | TH_ACK, 0, h.seq, 0); /* acknowledges nothing of ours */
	CHECK_EQ(tcp_state(x.p), TCP_SYN_SENT);
	say(&x, TH_RST | TH_ACK, 0, x.ack, 0);
	CHECK_EQ(tcp_take_error(x.p), -ECONNREFUSED);
	tcp_close(x.p);
	x_forget();
	world_end();
}

/* Any segment in any state: it must neither crash nor loop, and all must be freed in the end. */
UNIT_TEST(anything_at_any_time)
{
	static char data[30000];

	for (u32 round = 0; round < 300; round++) {
		struct xend x;
		u8 opt[40];

		x_begin(&x, 95, round & 1 ? sack_mss : mss_only, round & 1 ? 8 : 4);
		for (u32 i = 0; i < 60; i++) {
			u64 r = unit_random();
			u32 optlen = (r >> 8 & 7) == 0 ? (u32)(r >> 16 & 7) * 4 : 0;

			for (u32 k = 0; k < sizeof(opt); k++)
				opt[k] = (u8)unit_random();
			if (optlen >= 12 && (r >> 24 & 1))
				memcpy(opt, (u8[]){ 1, 1, 5, 10 }, 4);
			x_say(&(struct xseg){
				.sport = x.sport,
				.dport = 95,
				.seq = x.seq + (u32)(r >> 32 & 3 ? unit_random() % 3000 : 0) -
				       (r >> 34 & 1 ? 100 : 0),
				.ack = x.ack + (u32)(unit_random() % 4 ? unit_random() % 20000 : 0),
				.flags = (u8)((r & 15) == 0 ? unit_random()
					      : r & 16	    ? TH_ACK
							    : TH_ACK | TH_PSH),
				.wnd = (u32)unit_random() & 0xffff,
				.len = (u32)(unit_random() % 5 ? unit_random() % 1460 : 0),
				.urg = r >> 40 & 7 ? 0 : (u32)unit_random() & 0xffff,
				.opt = opt,
				.optlen = optlen });
			if ((r >> 44 & 3) == 0)
				(void)!put(x.p, data, unit_random() % sizeof(data), r >> 46 & 3);
			if ((r >> 48 & 3) == 0)
				(void)!take(x.p, data, unit_random() % sizeof(data), 0);
			if ((r >> 50 & 31) == 0)
				(void)!tcp_shutdown(x.p, 1 + (r >> 55) % 3);
			if ((r >> 56 & 7) == 0)
				world_sleep((s64)(unit_random() % 500) * MSEC);
			x_forget();
		}
		if (round & 2)
			tcp_close(x.p);
		else
			tcp_abort(x.p);
		tcp_close(x.l);
		world_end();
		x_forget();
	}
}

/* A reset of ours carries the time as all else does: RFC 7323, 3.2. */
UNIT_TEST(a_reset_has_the_time)
{
	static const u8 with_ts[16] = { 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1 };
	struct heard h;
	struct xend x;

	x_begin(&x, 97, with_ts, sizeof(with_ts));
	say_at(&x, TH_ACK, x.seq, x.ack, 10, 7, 1);
	CHECK(x_hear(&h) && h.ack == x.seq + 10);
	tcp_close(x.p); /* with ten bytes that nobody read */
	CHECK(x_hear(&h) && h.flags == (TH_RST | TH_ACK));
	CHECK(h.seq == x.ack && h.ack == x.seq + 10 && h.has_ts && h.tsecr == 7);
	tcp_close(x.l);
	world_end();
}

/* Bytes for a connection that was closed are answered as those for none: RFC 2525, 2.17. */
UNIT_TEST(bytes_for_nobody_are_answered_by_their_number)
{
	struct heard h;
	struct xend x;

	x_begin(&x, 98, mss_only, 4);
	tcp_close(x.p);
	CHECK(x_hear(&h) && (h.flags & TH_FIN) && h.seq == x.ack);
	say(&x, TH_ACK, x.seq, x.ack, 1); /* our FIN has not come there */
	CHECK(x_hear(&h) && h.flags == TH_RST && h.seq == x.ack && !h.len);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPAbortOnData), 1);
	tcp_close(x.l);
	world_end();
}
