/* unit: tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_fastopen.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_pace.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c kernel/lib/rbtree.c */
/* TCP against a peer made by hand: what slows a sender down, or lets it go on. */
#include <string.h>
#include "tests/unit/tcp/tcp_world.h"

#define MSS 1460
#define ECT0 2
#define CE 3

static char data[20 * MSS];

/* --- ECN: RFC 3168 --- */

/* X connects with @flags beside SYN; those beside SYN and ACK of the answer. */
static u8 ecn_open(struct xend *x, u16 port, u8 flags, int sysctl)
{
	struct heard h;

	world_begin();
	tcp_sysctl_ecn = sysctl;
	*x = (struct xend){ .sport = 40000, .dport = port, .seq = 1000 };
	x->l = listen_on(HOST_A, port, 4);
	x_say(&(struct xseg){ .sport = x->sport,
			      .dport = port,
			      .seq = 999,
			      .flags = TH_SYN | flags,
			      .wnd = 60000,
			      .opt = sack_mss,
			      .optlen = sizeof(sack_mss) });
	CHECK(x_hear(&h) && h.tos == 0);
	x->ack = h.seq + 1;
	world_sleep(20 * MSEC);
	say(x, TH_ACK, x->seq, x->ack, 0);
	CHECK_EQ(tcp_accept(x->l, &x->p), 0);
	x_forget();
	tcp_sysctl_ecn = 2;
	return h.flags & (u8) ~(TH_SYN | TH_ACK);
}

static void ecn_begin(struct xend *x, u16 port)
{
	CHECK_EQ(ecn_open(x, port, TH_ECE | TH_CWR, 2), TH_ECE);
}

/* The listener agrees to what was asked for in full, by default too. */
UNIT_TEST(a_listener_agrees_to_ecn)
{
	static const struct {
		u8 flags;
		int sysctl;
		bool agreed;
	} cases[] = { { TH_ECE | TH_CWR, 1, true },  { TH_ECE | TH_CWR, 2, true },
		      { TH_ECE | TH_CWR, 0, false }, { TH_ECE, 2, false },
		      { TH_CWR, 2, false },	     { 0, 1, false } };

	CHECK_EQ(tcp_sysctl_ecn, 2);
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct heard h;
		struct xend x;

		CHECK_EQ(ecn_open(&x, 160, cases[i].flags, cases[i].sysctl),
			 cases[i].agreed ? TH_ECE : 0);
		CHECK_EQ(put(x.p, data, 100, 0), 100);
		CHECK(x_hear(&h) && h.tos == (cases[i].agreed ? ECT0 : 0));
		x_close(&x);
	}
}

/* Who connects asks only if told to, and takes ECE alone for a yes: both may be an echo. */
UNIT_TEST(a_connection_asks_for_ecn)
{
	static const struct {
		int sysctl;
		u8 answer;
		bool agreed;
	} cases[] = { { 1, TH_ECE, true },
		      { 1, 0, false },
		      { 1, TH_ECE | TH_CWR, false },
		      { 0, TH_ECE, false },
		      { 2, TH_ECE, false } };

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct heard h;
		struct xend x;

		world_begin();
		tcp_sysctl_ecn = cases[i].sysctl;
		x_connect(&x, 161, 501, &h);
		CHECK_EQ(h.tos, 0);
		CHECK_EQ(h.flags, TH_SYN | (cases[i].sysctl == 1 ? TH_ECE | TH_CWR : 0));
		say(&x, TH_SYN | TH_ACK | cases[i].answer, 500, x.ack, 0);
		CHECK(x_hear(&h) && h.flags == TH_ACK && h.tos == 0);
		CHECK_EQ(put(x.p, data, 100, 0), 100);
		CHECK(x_hear(&h) && h.tos == (cases[i].agreed ? ECT0 : 0));
		tcp_sysctl_ecn = 2;
		x_close(&x);
	}
}

/* It may be what the path drops: RFC 3168, 6.1.1.1. */
UNIT_TEST(a_syn_again_asks_for_no_ecn)
{
	struct xend x = { 0 };
	struct heard h;

	world_begin();
	tcp_sysctl_ecn = 1;
	x.p = connect_to(HOST_A, HOST_X, 162);
	CHECK(x_hear(&h) && h.flags == (TH_SYN | TH_ECE | TH_CWR));
	world_sleep(1100 * MSEC);
	CHECK(x_hear(&h) && h.flags == TH_SYN);
	tcp_sysctl_ecn = 2;
	x_close(&x);
}

/* X sends 100 bytes, which arrive with @tos. Whether the answer has ECE. */
static bool echoed(struct xend *x, u8 flags, u8 tos)
{
	struct heard h;

	x_forget();
	x_say(&(struct xseg){ .sport = x->sport,
			      .dport = x->dport,
			      .seq = x->seq,
			      .ack = x->ack,
			      .flags = TH_ACK | flags,
			      .tos = tos,
			      .wnd = 60000,
			      .len = 100 });
	x->seq += 100;
	world_sleep(300 * MSEC);
	CHECK(x_hear(&h) && h.ack == x->seq && h.tos == 0);
	return h.flags & TH_ECE;
}

UNIT_TEST(a_mark_is_echoed_until_it_was_heard)
{
	struct heard h;
	struct xend x;

	ecn_begin(&x, 163);
	CHECK(!echoed(&x, 0, ECT0));
	CHECK(echoed(&x, 0, CE));
	CHECK(echoed(&x, 0, ECT0));
	CHECK(echoed(&x, 0, 0));
	CHECK_EQ(put(x.p, data, 10, 0), 10);
	CHECK(x_hear(&h) && (h.flags & TH_ECE)); /* with data, too */
	x.ack += 10;
	CHECK(!echoed(&x, TH_CWR, ECT0));
	CHECK(!echoed(&x, 0, ECT0));
	CHECK(echoed(&x, TH_CWR, CE)); /* that one is new */
	x_close(&x);

	(void)ecn_open(&x, 164, 0, 2);
	CHECK(!echoed(&x, 0, CE));
	x_close(&x);
}

/* Once in a window: until something is acknowledged that was sent after it. Then again. */
UNIT_TEST(an_echo_slows_down_once_a_window)
{
	struct heard h;
	struct xend x;
	u32 half, end;

	ecn_begin(&x, 165);
	CHECK_EQ(put(x.p, data, 20 * MSS, 0), 20 * MSS);
	CHECK_EQ(x_count(), 10);
	x_forget();
	end = x.ack + 10 * MSS;
	say(&x, TH_ACK | TH_ECE, x.seq, x.ack + MSS, 0);
	half = x.p->ssthresh;
	CHECK(half >= 5 * MSS && half < 8 * MSS);
	for (u32 i = 2; i <= 10; i++)
		say(&x, TH_ACK | TH_ECE, x.seq, x.ack + i * MSS, 0);
	CHECK_EQ(x.p->ssthresh, half);
	CHECK_EQ(x.p->cwnd, half);
	CHECK(x_hear(&h) && h.seq == end && (h.flags & TH_CWR) && h.tos == ECT0);
	while (x_hear(&h))
		CHECK(!(h.flags & TH_CWR) && h.tos == ECT0);
	CHECK_EQ(tcp_mib(TCP_MIB_RETRANS_SEGS), 0);
	say(&x, TH_ACK | TH_ECE, x.seq, end + MSS, 0);
	CHECK(x.p->ssthresh < half);
	x_close(&x);
}

/* RFC 3168, 6.1.2: whatever made the window smaller, the peer is told, and need not echo on. */
UNIT_TEST(a_loss_is_told_as_a_reduction)
{
	for (u32 timer = 0; timer < 2; timer++) {
		struct heard h;
		struct xend x;
		u32 cwrs = 0;

		ecn_begin(&x, 168);
		CHECK_EQ(put(x.p, data, 20 * MSS, 0), 20 * MSS);
		x_forget();
		if (timer)
			world_sleep(300 * MSEC);
		for (u32 i = 0; !timer && i < 8; i++) {
			u8 o[12] = { 1, 1, 5, 10 };
			u32 v[2] = { net32(x.ack + MSS), net32(x.ack + (i + 3) * MSS) };

			memcpy(o + 4, v, 8);
			ack_with(&x, x.ack, o, sizeof(o));
		}
		CHECK(x.p->ca == (timer ? CA_LOSS : CA_RECOVERY));
		say(&x, TH_ACK, x.seq, x.ack + 10 * MSS, 0);
		while (x_hear(&h)) {
			CHECK(!(h.flags & TH_CWR) || seq_ge(h.seq, x.ack + 10 * MSS));
			cwrs += !!(h.flags & TH_CWR);
		}
		CHECK_EQ(cwrs, 1);
		x_close(&x);
	}
}

/* RFC 3168, 6.1.5: what goes again could not tell of a mark. */
UNIT_TEST(what_goes_again_is_not_marked)
{
	struct heard h;
	struct xend x;

	ecn_begin(&x, 166);
	CHECK_EQ(put(x.p, data, 100, 0), 100);
	CHECK(x_hear(&h) && h.seq == x.ack && h.tos == ECT0);
	world_sleep(SEC);
	CHECK(x_hear(&h) && h.seq == x.ack && h.len == 100 && h.tos == 0);
	x_close(&x);
}

/* --- limited transmit: RFC 3042 --- */

/* The first two duplicates let one new segment go each, in a window that stays. */
UNIT_TEST(a_duplicate_lets_one_new_segment_go)
{
	for (u32 with = 0; with < 2; with++) {
		struct heard h;
		struct xend x;
		u32 cwnd;

		x_begin(&x, 167, with ? sack_mss : mss_only, with ? 8 : 4);
		CHECK_EQ(put(x.p, data, 20 * MSS, 0), 20 * MSS);
		CHECK_EQ(x_count(), 10);
		x_forget();
		cwnd = x.p->cwnd;
		for (u32 i = 0; i < 2; i++) {
			u8 o[12] = { 1, 1, 5, 10 };
			u32 v[2] = { net32(x.ack + MSS), net32(x.ack + (i + 2) * MSS) };

			memcpy(o + 4, v, 8);
			ack_with(&x, x.ack, o, with ? 12 : 0);
			CHECK(x_hear(&h) && h.seq == x.ack + (10 + i) * MSS && h.len == MSS);
			CHECK_EQ(x_count(), 0);
			CHECK_EQ(x.p->cwnd, cwnd);
		}
		x_close(&x);
	}
}

/* --- silly windows: RFC 9293, 3.8.6.2 --- */

static void window(const struct xend *x, u32 wnd)
{
	x_say(&(struct xseg){ .sport = x->sport,
			      .dport = x->dport,
			      .seq = x->seq,
			      .ack = x->ack,
			      .flags = TH_ACK,
			      .wnd = wnd });
}

/* Less than a segment waits for more window, but not for longer than the timer. */
UNIT_TEST(a_small_window_is_not_filled_at_once)
{
	struct heard h;
	struct xend x;
	s64 start;

	x_begin(&x, 168, mss_only, 4);
	window(&x, MSS - 1);
	CHECK_EQ(put(x.p, data, 3 * MSS, 0), 3 * MSS);
	CHECK_EQ(x_count(), 0);
	window(&x, MSS);
	CHECK(x_hear(&h) && h.seq == x.ack && h.len == MSS);
	CHECK_EQ(x_count(), 0);
	x.ack += MSS;
	window(&x, 1000);
	start = world.now;
	CHECK_EQ(x_count(), 0);
	world_sleep(x.p->rto - MSEC);
	CHECK_EQ(x_count(), 0);
	world_sleep(MSEC);
	CHECK(x_hear(&h) && h.seq == x.ack && h.len == 1000 && h.at - start == x.p->rto);
	x_close(&x);
}

/* Who never had much to offer would wait each time. */
UNIT_TEST(half_of_the_largest_window_is_filled)
{
	struct heard h;
	struct xend x;

	x_begin(&x, 169, mss_only, 4);
	x.p->max_wnd = 1600;
	window(&x, 799);
	CHECK_EQ(put(x.p, data, 3 * MSS, 0), 3 * MSS);
	CHECK_EQ(x_count(), 0);
	window(&x, 800);
	CHECK(x_hear(&h) && h.seq == x.ack && h.len == 800);
	CHECK_EQ(x_count(), 0);
	x_close(&x);
}

/* A closed window opens by a segment, or by half of the buffer: told at once, and no less. */
UNIT_TEST(a_window_does_not_open_little_by_little)
{
	for (u32 half = 0; half < 2; half++) {
		struct tcp_settings s = { .sndbuf = 20000, .rcvlowat = 1 };
		u32 full, least;
		struct heard h;
		struct xend x;
		char b;

		x_begin(&x, 170, mss_only, 4);
		for (u32 i = 0; i < 10; i++, x.seq += 100)
			say(&x, TH_ACK, x.seq, x.ack, 100);
		world_sleep(SEC);
		x_forget();
		full = x.p->rcv_mem;
		x.p->rcv_mss = half ? 60000 : MSS;
		least = half ? full : MSS;
		CHECK(full > MSS && full < 60000);
		x.p->rcv_wnd = 0;
		s.rcvbuf = (int)(full + least - 2);
		tcp_set(x.p, &s);
		CHECK_EQ(take(x.p, &b, 1, 0), 1);
		CHECK_EQ(x_count(), 0);
		say(&x, TH_ACK, x.seq - 1, x.ack, 0); /* a probe */
		CHECK(x_hear(&h) && h.wnd == 0);
		s.rcvbuf = (int)(full + least);
		tcp_set(x.p, &s);
		CHECK_EQ(take(x.p, &b, 1, 0), 1);
		CHECK(x_hear(&h) && h.wnd == least);
		x_close(&x);
	}
}
