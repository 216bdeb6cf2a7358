/* unit: tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_fastopen.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_pace.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c kernel/lib/rbtree.c */
/* TCP against a peer made by hand: what time does, and what a peer may make this side keep. */
#include <linux/errno.h>
#include <linux/poll.h>
#include <string.h>
#include "tests/unit/tcp/tcp_world.h"

static void set_int(struct tcp_pcb *p, int option, int v)
{
	CHECK_EQ(tcp_set_option(p, option, &v, sizeof(v)), 0);
}

static void say_wnd(const struct xend *x, u32 seq, u32 ack, u32 len, u32 wnd)
{
	x_say(&(struct xseg){ .sport = x->sport,
			      .dport = x->dport,
			      .seq = seq,
			      .ack = ack,
			      .flags = TH_ACK,
			      .len = len,
			      .wnd = wnd });
}

/* RFC 9293, 3.8.4: as long as they are answered, one in each idle time. */
UNIT_TEST(keepalives_that_are_answered)
{
	struct tcp_settings on = { .keepalive = true, .rcvlowat = 1 };
	struct heard h;
	struct xend x;
	u32 probes = 0;

	x_begin(&x, 110, mss_only, 4);
	set_int(x.p, TCP_KEEPIDLE, 100);
	set_int(x.p, TCP_KEEPINTVL, 5);
	set_int(x.p, TCP_KEEPCNT, 3);
	tcp_set(x.p, &on);
	for (u32 i = 0; i < 1050; i++) {
		world_sleep(SEC);
		while (x_hear(&h)) {
			CHECK(h.flags == TH_ACK && h.seq == x.ack - 1 && !h.len);
			probes++;
			say(&x, TH_ACK, x.seq, x.ack, 0);
		}
	}
	CHECK_EQ(probes, 10);
	/* And when they are not: three, 5 s apart, and the end. */
	world_sleep(130 * SEC);
	for (probes = 0; x_hear(&h) && h.flags == TH_ACK;)
		probes++;
	CHECK_EQ(probes, 3);
	CHECK(h.flags & TH_RST);
	CHECK_EQ(tcp_state(x.p), TCP_CLOSE);
	CHECK_EQ(tcp_take_error(x.p), -ETIMEDOUT);
	x_close(&x);
}

/* RFC 9293, 3.8.6.1: the interval grows, whether the probes are answered or not. */
UNIT_TEST(probes_of_a_window_become_rare)
{
	static char data[5000];
	struct heard h;
	struct xend x;
	s64 last = 0, gap = 0, longest = 0;
	u32 probes = 0;

	x_begin(&x, 111, mss_only, 4);
	say_wnd(&x, x.seq, x.ack, 1, 0);
	x_forget();
	CHECK_EQ(put(x.p, data, sizeof(data), 0), sizeof(data));
	for (u32 i = 0; i < 6000; i++) {
		world_sleep(100 * MSEC);
		while (x_hear(&h)) {
			if (h.seq != x.ack - 1)
				continue;
			probes++;
			gap = last ? h.at - last : 0;
			CHECK(!gap || gap >= longest || longest == TCP_RTO_MAX);
			longest = MAX(longest, gap);
			last = h.at;
			say_wnd(&x, x.seq + 1, x.ack, 0, 0);
		}
	}
	CHECK(probes >= 8 && probes <= 16);
	CHECK_EQ(tcp_state(x.p), TCP_ESTABLISHED);
	x_close(&x);
}

/* What is left of a closed connection ends, though the peer's window never opens. */
UNIT_TEST(an_orphan_before_a_closed_window_ends)
{
	static char data[5000];
	struct tcp_usage u;
	struct heard h;
	struct xend x;

	x_begin(&x, 112, mss_only, 4);
	say_wnd(&x, x.seq, x.ack, 1, 0);
	x_forget();
	CHECK_EQ(put(x.p, data, sizeof(data), 0), sizeof(data));
	(void)!take(x.p, data, 1, 0);
	tcp_close(x.p);
	for (u32 i = 0; i < 9000; i++) {
		world_sleep(100 * MSEC);
		while (x_hear(&h)) {
			if (!(h.flags & TH_RST))
				say_wnd(&x, x.seq + 1, x.ack, 0, 0);
		}
	}
	tcp_usage(&u);
	CHECK_EQ(u.orphans, 0);
	tcp_close(x.l);
	world_end();
}

/* The pace holds back what is new; what the clock sends again is not counted without being sent. */
UNIT_TEST(a_slow_pace_does_not_hold_back_what_is_tried_again)
{
	static char data[9000];
	struct heard h;
	struct xend x;
	u32 again = 0;

	x_begin(&x, 117, mss_only, 4);
	CHECK_EQ(tcp_set_pacing(x.p, 1), 0);
	CHECK_EQ(put(x.p, data, sizeof(data), 0), sizeof(data));
	CHECK(x_hear(&h) && h.seq == x.ack && h.len);
	x_forget();
	world_sleep(30 * SEC);
	while (x_hear(&h))
		again += h.seq == x.ack && h.len;
	CHECK(again >= 3 && again <= 10);
	world_sleep(1200 * SEC);
	CHECK_EQ(tcp_take_error(x.p), -ETIMEDOUT);
	x_close(&x);
}

/* A peer that says of each retransmission that it was in vain, but acknowledges nothing. */
UNIT_TEST(an_orphan_whose_peer_only_tells_of_duplicates_ends)
{
	static char data[5000];
	struct tcp_usage u;
	struct heard h;
	struct xend x;

	x_begin(&x, 118, sack_mss, 8);
	CHECK_EQ(put(x.p, data, sizeof(data), 0), sizeof(data));
	tcp_close(x.p);
	for (u32 i = 0; i < 9000; i++) {
		bool heard = false;
		u8 opt[20] = { 1, 1, 5, 18 };

		world_sleep(100 * MSEC);
		while (x_hear(&h))
			heard |= !(h.flags & TH_RST);
		for (u32 k = 0; k < 4; k++) {
			u32 at = x.ack + (k & 1 ? 4000 : 2000);

			opt[4 + 4 * k] = (u8)(at >> 24);
			opt[5 + 4 * k] = (u8)(at >> 16);
			opt[6 + 4 * k] = (u8)(at >> 8);
			opt[7 + 4 * k] = (u8)at;
		}
		if (heard)
			x_say(&(struct xseg){ .sport = x.sport,
					      .dport = x.dport,
					      .seq = x.seq,
					      .ack = x.ack,
					      .flags = TH_ACK,
					      .wnd = 60000,
					      .opt = opt,
					      .optlen = sizeof(opt) });
	}
	tcp_usage(&u);
	CHECK_EQ(u.orphans, 0);
	tcp_close(x.l);
	world_end();
}

static bool lose_large(const u8 *tcp, u32 len)
{
	return len <= 1100;
}

/* A router drops what is large and says nothing: smaller segments come through. */
UNIT_TEST(a_black_hole_is_found)
{
	static char data[3 * 1460];
	struct heard h;
	struct xend x;

	x_begin(&x, 113, mss_only, 4);
	world.filter = lose_large;
	CHECK_EQ(put(x.p, data, sizeof(data), 0), sizeof(data));
	CHECK_EQ(x_count(), 0);
	for (u32 i = 0; i < 40 && tcp_queued(x.p, true); i++) {
		world_sleep(SEC);
		while (x_hear(&h)) {
			CHECK(h.len <= 1024);
			if (h.seq == x.ack)
				x.ack += h.len;
			say(&x, TH_ACK, x.seq, x.ack, 0);
		}
	}
	CHECK_EQ(tcp_queued(x.p, true), 0);
	/* It was an outage perhaps: the old size after ten minutes. */
	world.filter = NULL;
	world_sleep(700 * SEC);
	CHECK_EQ(put(x.p, data, 1460, 0), 1460);
	CHECK(x_hear(&h) && h.len == 1460);
	x_close(&x);
}

/* ICMP can be forged: only what is out, and no sizes that no path has. */
UNIT_TEST(icmp_about_sizes)
{
	static char data[1460];
	struct heard h;
	struct xend x;

	x_begin(&x, 114, mss_only, 4);
	CHECK_EQ(put(x.p, data, sizeof(data), 0), sizeof(data));
	CHECK(x_hear(&h) && h.len == 1460);
	tcp_error(HOST_A, net16(x.dport), HOST_X, net16(x.sport), x.ack - 5, EMSGSIZE, 1000);
	tcp_error(HOST_A, net16(x.dport), HOST_X, net16(x.sport), x.ack, EMSGSIZE, 1500);
	CHECK_EQ(x_count(), 0);
	tcp_error(HOST_A, net16(x.dport), HOST_X, net16(x.sport), x.ack, EMSGSIZE, 68);
	CHECK(x_hear(&h) && h.seq == x.ack && h.len == 512 && !h.df); /* may be cut further */
	/* And none ends an established one. */
	tcp_error(HOST_A, net16(x.dport), HOST_X, net16(x.sport), x.ack, ECONNREFUSED, 0);
	CHECK_EQ(tcp_state(x.p), TCP_ESTABLISHED);
	x_close(&x);
}

/* IP_MTU_DISCOVER: who asks for no discovery is not told to send again. */
UNIT_TEST(who_does_not_fragment)
{
	static char data[2 * 1460];
	struct heard h;
	struct xend x;

	for (u8 how = IP_PMTUDISC_DONT; how <= IP_PMTUDISC_OMIT; how++) {
		bool heeds = how > IP_PMTUDISC_DONT && how < IP_PMTUDISC_INTERFACE;
		struct tcp_settings s = { .rcvlowat = 1, .pmtudisc = how };

		x_begin(&x, 116, mss_only, 4);
		tcp_set(x.p, &s);
		CHECK_EQ(put(x.p, data, 1460, 0), 1460);
		CHECK(x_hear(&h) && h.len == 1460);
		CHECK_EQ(h.df, how == IP_PMTUDISC_WANT || how == IP_PMTUDISC_DO);
		CHECK(tcp_error(HOST_A, net16(x.dport), HOST_X, net16(x.sport), x.ack, EMSGSIZE,
				1000));
		CHECK_EQ(x_count(), heeds ? 2 : 0);
		x_forget();
		say(&x, TH_ACK, x.seq, x.ack + 1460, 0);
		CHECK_EQ(put(x.p, data, 960, 0), 960);
		CHECK(x_hear(&h) && h.len == 960 && h.seq == x.ack + 1460);
		x_close(&x);
	}
}

/* A listener says it of its answers, and of the connections that come of them. */
UNIT_TEST(who_does_not_fragment_from_the_start)
{
	struct tcp_settings s = { .rcvlowat = 1, .pmtudisc = IP_PMTUDISC_DONT };
	struct xend x = { .sport = 900, .dport = 117, .seq = 1000 };
	struct heard h;
	char c = 'c';

	world_begin();
	x.l = listen_on(HOST_A, 117, 5);
	say(&x, TH_SYN, x.seq, 0, 0);
	CHECK(x_hear(&h) && h.df);
	tcp_set(x.l, &s);
	x.sport++;
	say(&x, TH_SYN, x.seq, 0, 0);
	CHECK(x_hear(&h) && h.flags == (TH_SYN | TH_ACK) && !h.df);
	say(&x, TH_ACK, x.seq + 1, h.seq + 1, 0);
	CHECK_EQ(tcp_accept(x.l, &x.p), 0);
	CHECK_EQ(put(x.p, &c, 1, 0), 1);
	CHECK(x_hear(&h) && h.len == 1 && !h.df);
	/* RST of nobody's is nobody's choice. */
	x.sport++;
	say(&x, TH_ACK, x.seq, 5, 0);
	CHECK(x_hear(&h) && h.flags == TH_RST && h.df);
	x_close(&x);
}

/* TCP_USER_TIMEOUT: not before, and soon after. */
UNIT_TEST(the_user_gives_up)
{
	struct xend x;
	char c = 'c';

	x_begin(&x, 115, mss_only, 4);
	set_int(x.p, TCP_USER_TIMEOUT, 10000);
	CHECK_EQ(put(x.p, &c, 1, 0), 1);
	world_sleep(9900 * MSEC);
	CHECK_EQ(tcp_state(x.p), TCP_ESTABLISHED);
	world_sleep(200 * MSEC);
	CHECK_EQ(tcp_state(x.p), TCP_CLOSE);
	CHECK_EQ(tcp_take_error(x.p), -ETIMEDOUT);
	x_close(&x);
}

/* The peer resets, its bytes are never read: what they were charged with is given back. */
UNIT_TEST(unread_bytes_of_a_dead_connection_are_given_back)
{
	struct xend x;

	x_begin(&x, 116, mss_only, 4);
	for (u32 i = 0; i < 20; i++)
		say(&x, TH_ACK, x.seq + i * 1000, x.ack, 1000);
	say(&x, TH_RST, x.seq + 20000, 0, 0);
	CHECK_EQ(tcp_state(x.p), TCP_CLOSE);
	CHECK_EQ(tcp_readable(x.p), 20000);
	tcp_close(x.p);
	tcp_close(x.l);
	x_forget();
	world_end();
}

/* What is being opened ends by any error of its own segment, as on Linux: RFC 5461, 4.1. */
UNIT_TEST(errors_end_what_is_being_opened)
{
	struct heard h;
	struct xend x;
	be16 port;

	world_begin();
	x_connect(&x, 117, 1, &h);
	port = net16(x.dport);
	CHECK(!tcp_error(HOST_A, port, HOST_X, net16(117), h.seq - 1, EHOSTUNREACH, 0));
	CHECK_EQ(tcp_state(x.p), TCP_SYN_SENT);
	CHECK(tcp_error(HOST_A, port, HOST_X, net16(117), h.seq, EHOSTUNREACH, 0));
	CHECK_EQ(tcp_state(x.p), TCP_CLOSE);
	CHECK_EQ(tcp_take_error(x.p), -EHOSTUNREACH);
	x_close(&x);
}

/* The same of one that we were asked for; but an answer that nobody listens to may yet be heard. */
UNIT_TEST(errors_about_an_answer)
{
	struct heard h;
	struct xend x = { .sport = 40000, .dport = 118, .seq = 1000 };

	for (u32 gone = 0; gone < 2; gone++) {
		world_begin();
		x.l = listen_on(HOST_A, 118, 4);
		say(&x, TH_SYN, 999, 0, 0);
		CHECK(x_hear(&h) && h.flags == (TH_SYN | TH_ACK));
		x.ack = h.seq + 1;
		CHECK(!tcp_error(HOST_A, net16(118), HOST_X, net16(40000), h.seq + 1, EHOSTUNREACH,
				 0));
		CHECK(tcp_error(HOST_A, net16(118), HOST_X, net16(40000), h.seq,
				gone ? EHOSTUNREACH : ECONNREFUSED, 0));
		say(&x, TH_ACK, 1000, x.ack, 0);
		CHECK_EQ(x_count(), gone);
		if (gone)
			CHECK(x_hear(&h) && h.flags == TH_RST);
		CHECK_EQ(tcp_accept(x.l, &x.p), gone ? -EAGAIN : 0);
		if (!gone)
			tcp_abort(x.p);
		x_forget();
		tcp_close(x.l);
		world_end();
	}
}
