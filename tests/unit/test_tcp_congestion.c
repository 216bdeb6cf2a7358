/* unit: tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_fastopen.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_pace.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c kernel/lib/rbtree.c */
/* TCP against a peer made by hand that takes all: the size of the window from round to round. */
#include <stdlib.h>
#include <string.h>
#include "tests/unit/tcp/tcp_world.h"

#define MSS 1460
#define BETA 0.7
#define C 0.4

static const u8 large[12] = { 2, 4, 5, 0xb4, 1, 3, 3, 7, 1, 1, 4, 2 }; /* windows times 128 */
static char data[16384];

/* So much is queued that the window alone keeps it. */
static void fill(const struct xend *x)
{
	while (put(x->p, data, sizeof(data), 0) == sizeof(data))
		;
}

/* What is out is acknowledged after @rtt, each second segment. How many segments that were. */
static u32 turn(struct xend *x, s64 rtt)
{
	u32 end, n = 0;
	struct heard h;

	fill(x);
	end = x->p->snd_nxt;
	world_sleep(rtt);
	while (x->ack != end) {
		CHECK(x_hear(&h) && seq_le(h.seq, x->ack));
		if (h.seq != x->ack) /* what came in a recovery that is over */
			continue;
		x->ack += h.len;
		if (++n % 2 && x->ack != end)
			continue;
		say(x, TH_ACK, x->seq, x->ack, 0);
		fill(x);
	}
	return n;
}

static double window(const struct xend *x)
{
	return (double)x->p->cwnd / MSS;
}

/* The first segment is lost in a window of @segs, which is full; all arrives in the end. */
static void lose(struct xend *x, u32 segs)
{
	x->p->cwnd = segs * MSS;
	fill(x);
	say(x, TH_ACK, x->seq, x->ack, 0);
	CHECK(x_count() >= segs);
	world_sleep(10 * MSEC);
	for (u32 i = 0; i < 4; i++) {
		u8 o[12] = { 1, 1, 5, 10 };
		u32 v[2] = { net32(x->ack + MSS), net32(x->ack + (i + 2) * MSS) };

		memcpy(o + 4, v, 8);
		ack_with(x, x->ack, o, sizeof(o));
	}
	CHECK(x->p->ca == CA_RECOVERY);
	x->ack = x->p->high_seq;
	say(x, TH_ACK, x->seq, x->ack - MSS, 0);
	say(x, TH_ACK, x->seq, x->ack, 0);
	CHECK(x->p->ca == CA_OPEN && x->p->cwnd == x->p->ssthresh);
}

static void begin(struct xend *x, u16 port, const char *name, s64 rtt)
{
	static const struct tcp_settings much = { .sndbuf = 4 << 20, .rcvlowat = 1 };

	x_begin(x, port, large, sizeof(large));
	tcp_set(x->p, &much);
	CHECK_EQ(tcp_set_option(x->p, TCP_CONGESTION, name, (u32)strlen(name)), 0);
	for (u32 i = 0; i < 3; i++)
		(void)turn(x, rtt);
}

static double cube(double x)
{
	return x * x * x;
}

/* Where the cube of RFC 9438, figure 1, is at its origin when it begins at @cwnd. */
static double k_of(double w_max, double cwnd)
{
	double k = 0;

	while (C * cube(k) < w_max - cwnd)
		k += 0.001;
	return k;
}

/* The window by RFC 9438, 4.2 to 4.5, with numbers that have no steps. */
struct model {
	double w_max, k, cwnd, w_est, prior;
};

static void model_begin(struct model *m, double prior, double w_max)
{
	*m = (struct model){ .w_max = w_max, .cwnd = prior * BETA, .prior = prior };
	m->w_est = m->cwnd;
	m->k = k_of(w_max, m->cwnd);
}

static void model_turn(struct model *m, u32 segs, double t, double rtt)
{
	for (u32 i = 0; i < segs; i++) {
		double target = C * cube(t + rtt - m->k) + m->w_max;

		m->w_est += (m->w_est < m->prior ? 3 * (1 - BETA) / (1 + BETA) : 1) / m->cwnd;
		target = MIN(MAX(target, m->cwnd), 1.5 * m->cwnd);
		if (C * cube(t - m->k) + m->w_max < m->w_est)
			m->cwnd = MAX(m->cwnd, m->w_est);
		else
			m->cwnd += (target - m->cwnd) / m->cwnd;
	}
}

static void near(double is, double should, double by)
{
	if (is < should - by || is > should + by)
		unit_fail(__FILE__, __LINE__, "the window is %.2f, not %.2f", is, should);
}

/* Fast, flat at the old maximum, fast again: 4.4, 4.5; and the cut, 4.6. */
UNIT_TEST(cubic_follows_its_curve)
{
	double at[13] = { 0 };
	struct model m;
	struct xend x;

	begin(&x, 200, "cubic", 100 * MSEC);
	lose(&x, 200);
	CHECK_EQ(x.p->cwnd, 140 * MSS);
	model_begin(&m, 200, 200);
	CHECK(m.k > 5.31 && m.k < 5.32);
	for (u32 i = 0; i < 120; i++) {
		if (i % 10 == 0)
			at[i / 10] = window(&x);
		model_turn(&m, turn(&x, 100 * MSEC), i * 0.1, 0.1);
		near(window(&x), m.cwnd, 1 + m.cwnd / 50);
	}
	at[12] = window(&x);
	for (u32 i = 0; i < 3; i++)
		CHECK(at[i + 1] - at[i] > at[i + 2] - at[i + 1] + 1);
	near(at[5], 200, 2);
	near(at[6], 200, 3);
	for (u32 i = 7; i < 11; i++)
		CHECK(at[i + 1] - at[i] + 1 < at[i + 2] - at[i + 1]);
	CHECK(at[12] > 300);
	x_close(&x);
}

/* With little to win the cube is slow: 4.3 gives what Reno would have, with less at first. */
UNIT_TEST(cubic_is_never_slower_than_reno)
{
	struct xend x;
	u32 rounds = 0;

	begin(&x, 201, "cubic", 10 * MSEC);
	lose(&x, 20);
	CHECK_EQ(x.p->cwnd, 14 * MSS);
	for (; window(&x) < 20; rounds++)
		(void)turn(&x, 10 * MSEC);
	near(rounds, 6 * 17 / 9.0, 2);
	for (u32 i = 0; i < 20; i++)
		(void)turn(&x, 10 * MSEC);
	near(window(&x), 40, 2);
	x_close(&x);
}

/* Where both come together. 4.3: W_est grows by rounds of the window, not of its own size. */
UNIT_TEST(cubic_goes_over_to_reno)
{
	struct model m;
	struct xend x;

	begin(&x, 202, "cubic", 100 * MSEC);
	lose(&x, 100);
	model_begin(&m, 100, 100);
	for (u32 i = 0; i < 80; i++) {
		model_turn(&m, turn(&x, 100 * MSEC), i * 0.1, 0.1);
		near(window(&x), m.cwnd, 3);
	}
	x_close(&x);
}

/* 4.7: who loses before its maximum gives room: the next one is lower than where it lost. */
UNIT_TEST(cubic_converges_fast)
{
	static const struct {
		u32 at, w_max10;
	} losses[] = { { 200, 2000 }, { 150, 1275 }, { 140, 1400 }, { 180, 1800 }, { 100, 850 } };
	struct xend x;

	begin(&x, 203, "cubic", 100 * MSEC);
	for (u32 i = 0; i < ARRAY_SIZE(losses); i++) {
		double w_max = losses[i].w_max10 / 10.0, k;

		lose(&x, losses[i].at);
		CHECK_EQ(x.p->cwnd, losses[i].at * 7 / 10 * MSS);
		k = k_of(w_max, losses[i].at * BETA);
		for (u32 n = 0; n < (u32)(k * 10); n++)
			(void)turn(&x, 100 * MSEC);
		near(window(&x), w_max, 4);
	}
	x_close(&x);
}

/* 4.8: the curve begins at its origin, as what was reached before the timeout says nothing now. */
UNIT_TEST(cubic_begins_anew_after_a_timeout)
{
	struct xend x;

	begin(&x, 210, "cubic", 100 * MSEC);
	tcp_sysctl_frto = 0; /* which would find that nothing was lost */
	x.p->cwnd = 100 * MSS;
	fill(&x);
	say(&x, TH_ACK, x.seq, x.ack, 0);
	for (u32 i = 0; i < 100 && x.p->ca != CA_LOSS; i++)
		world_sleep(20 * MSEC);
	tcp_sysctl_frto = 2;
	CHECK(x.p->ca == CA_LOSS && x.p->cwnd == MSS && x.p->ssthresh == 70 * MSS);
	x_forget();
	x.ack = x.p->snd_nxt;
	say(&x, TH_ACK, x.seq, x.ack, 0);
	CHECK(x.p->ca == CA_OPEN);
	for (u32 i = 0; i < 10 && window(&x) < 70; i++)
		(void)turn(&x, 100 * MSEC);
	near(window(&x), 70, 1);
	for (u32 i = 0; i < 20; i++)
		(void)turn(&x, 100 * MSEC);
	near(window(&x), 70 + 20 * 9 / 17.0, 2);
	x_close(&x);
}

UNIT_TEST(cubic_never_goes_below_two_segments)
{
	struct xend x;

	begin(&x, 204, "cubic", 20 * MSEC);
	x.p->cwnd = 2 * MSS;
	CHECK_EQ(x.p->cc->ssthresh(x.p), 2 * MSS);
	x_close(&x);
}

/* RFC 5681, 3.1: twice as much each round trip, up to the threshold. */
UNIT_TEST(reno_starts_slowly)
{
	struct xend x;

	x_begin(&x, 205, large, sizeof(large));
	CHECK_EQ(tcp_set_option(x.p, TCP_CONGESTION, "reno", 4), 0);
	CHECK_EQ(x.p->cwnd, 10 * MSS);
	for (u32 i = 1; i < 5; i++) {
		near(turn(&x, 50 * MSEC), 10u << (i - 1), 1);
		near(window(&x), 10u << i, 1);
	}
	x.p->ssthresh = 200 * MSS;
	(void)turn(&x, 50 * MSEC);
	near(window(&x), 200, 1);
	x_close(&x);
}

/* Then by one segment; a loss halves what is out. */
UNIT_TEST(reno_grows_by_a_segment_and_halves)
{
	struct xend x;

	begin(&x, 206, "reno", 50 * MSEC);
	lose(&x, 60);
	near(window(&x), 30, 0.1);
	for (u32 i = 1; i <= 20; i++) {
		(void)turn(&x, 50 * MSEC);
		near(window(&x), 30 + i, 1);
	}
	lose(&x, 50);
	near(window(&x), 25, 0.1);
	x_close(&x);
}

/* RFC 5681, 3.1: a timeout leaves one segment, and half of what was out to reach again. */
UNIT_TEST(reno_begins_again_after_a_timeout)
{
	struct xend x;
	u32 out;

	begin(&x, 207, "reno", 50 * MSEC);
	out = x.p->snd_nxt - x.p->snd_una;
	world_sleep(x.p->rto + 200 * MSEC); /* the tail's probe goes first */
	CHECK(x.p->ca == CA_LOSS && x.p->cwnd == MSS);
	near(x.p->ssthresh / (double)MSS, out / 2.0 / MSS, 1);
	x_close(&x);
}

/* net.ipv4.tcp_congestion_control: of those that come later. */
UNIT_TEST(the_default_is_chosen)
{
	struct xend x, y;

	x_begin(&x, 208, large, sizeof(large));
	CHECK_STR(tcp_cc_chosen(), "cubic");
	CHECK(!tcp_cc_choose("vegas", 5) && tcp_cc_choose("reno", 4));
	CHECK_STR(tcp_cc_chosen(), "reno");
	CHECK_STR(x.p->cc->name, "cubic");
	x_open(&y, 209, large, sizeof(large));
	CHECK_STR(y.p->cc->name, "reno");
	lose(&y, 20);
	near(window(&y), 10, 1);
	CHECK(tcp_cc_choose("cubic", 5));
	tcp_abort(y.p);
	tcp_close(y.l);
	x_close(&x);
}
