/* unit: tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_fastopen.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_pace.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c kernel/lib/rbtree.c */
/* Fast open (RFC 7413), segment by segment: the active side, and both over a wire. */
#include <linux/errno.h>
#include <linux/poll.h>
#include <string.h>
#include "tests/unit/tcp/fastopen.h"

static const u8 given[16] = { 2, 4, 5, 0xb4, 34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1 };

/* A goes to X with @data to be sent first. What went with the SYN is *n; the SYN is *h. */
static void go(struct xend *x, u16 port, const char *data, struct heard *h, ssize_t *n)
{
	struct uio u = { .left = strlen(data), .one = { (u64)data, strlen(data) } };
	struct tcp_addr me;
	static const struct tcp_user_ops *ops;
	struct tcp_pcb *like = listen_on(HOST_A, 9, 1);

	ops = like->uops;
	tcp_close(like);
	*x = (struct xend){ .sport = port, .seq = 501 };
	CHECK_EQ(tcp_open(ops, NULL, &x->p), 0);
	CHECK_EQ(tcp_connect_held(x->p, (struct tcp_addr){ HOST_X, net16(port) }), 0);
	CHECK(tcp_held(x->p));
	CHECK(!x_hear(h));
	*n = tcp_fast_open(x->p, &u);
	CHECK(!tcp_held(x->p));
	CHECK_EQ(tcp_fast_open(x->p, &u), -EALREADY);
	CHECK(x_hear(h));
	CHECK_EQ(h->flags, TH_SYN);
	CHECK(tcp_name(x->p, false, &me));
	x->dport = net16(me.port);
	x->ack = h->seq + 1;
}

/* X answers with the number 500, what it acknowledges and options. */
static void answer(const struct xend *x, u32 ack, const u8 *opt, u32 optlen)
{
	x_say(&(struct xseg){ .sport = x->sport,
			      .dport = x->dport,
			      .seq = 500,
			      .ack = ack,
			      .flags = TH_SYN | TH_ACK,
			      .wnd = 60000,
			      .opt = opt,
			      .optlen = optlen });
}

/* A knows the cookie: it is kept as long as there is no other. */
static void learn(void)
{
	static bool known;
	struct heard h;
	struct xend x;
	ssize_t n;

	if (known)
		return;
	known = true;
	go(&x, 300, "hello", &h, &n);
	CHECK_EQ(n, 0);
	CHECK_EQ(h.len, 0);
	CHECK_EQ(h.fo, 2);
	CHECK_EQ(info(x.p).tcpi_fastopen_client_fail, TFO_COOKIE_UNAVAILABLE);
	answer(&x, x.ack, given, sizeof(given));
	CHECK_EQ(tcp_state(x.p), TCP_ESTABLISHED);
	tcp_abort(x.p);
	x_forget();
}

/* Who gives no cookie may know the experimental option only; who does not know that is asked as before. */
UNIT_TEST(who_does_not_answer_is_asked_otherwise)
{
	fast_begin(1);
	for (u16 i = 0; i < 4; i++) {
		struct heard h;
		struct xend x;
		ssize_t n;

		go(&x, (u16)(310 + i), "hello", &h, &n);
		CHECK(!n && h.exp == (i == 1) && h.fo == (i == 1 ? 4 : 2));
		answer(&x, x.ack, mss_only, 4);
		tcp_abort(x.p);
		x_forget();
	}
	world_end();
}

UNIT_TEST(a_cookie_is_asked_for_and_brought_back)
{
	struct heard h;
	struct xend x;
	ssize_t n;

	fast_begin(1);
	learn();
	go(&x, 301, "hello", &h, &n);
	CHECK_EQ(n, 5);
	CHECK(h.len == 5 && !memcmp(h.data, "hello", 5));
	CHECK(h.fo == 10 && !memcmp(h.cookie, given + 6, 8));
	answer(&x, x.ack + 5, mss_only, 4);
	CHECK_EQ(tcp_state(x.p), TCP_ESTABLISHED);
	CHECK(x_hear(&h) && h.flags == TH_ACK && h.seq == x.ack + 5 && h.ack == 501);
	CHECK(info(x.p).tcpi_options & TCPI_OPT_SYN_DATA);
	CHECK_EQ(info(x.p).tcpi_delivered, 1);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPFastOpenActive), 1);
	CHECK_EQ(tcp_queued(x.p, true), 0);
	CHECK_EQ(put(x.p, "more", 4, 0), 4);
	CHECK(x_hear(&h) && h.len == 4 && h.seq == x.ack + 5);
	x_close(&x);
}

/* What the SYN-ACK does not acknowledge goes again at once, and is its answer. */
UNIT_TEST(bytes_that_were_not_taken)
{
	for (u32 taken = 0; taken < 5; taken += 2) {
		struct heard h;
		struct xend x;
		ssize_t n;

		fast_begin(1);
		learn();
		go(&x, 301, "hello", &h, &n);
		answer(&x, x.ack + taken, mss_only, 4);
		CHECK_EQ(tcp_state(x.p), TCP_ESTABLISHED);
		CHECK(x_hear(&h) && (h.flags & TH_ACK) && h.ack == 501);
		CHECK_EQ(h.seq, x.ack + taken);
		CHECK_EQ(h.len, 5 - taken);
		CHECK(!memcmp(h.data, &"hello"[taken], 5 - taken));
		CHECK_EQ(x_count(), 0);
		CHECK_EQ(tcp_mib(TCP_MIB_TCPFastOpenActiveFail), 1);
		CHECK_EQ(info(x.p).tcpi_fastopen_client_fail, TFO_DATA_NOT_ACKED);
		CHECK(!(info(x.p).tcpi_options & TCPI_OPT_SYN_DATA));
		say(&x, TH_ACK, x.seq, x.ack + 5, 0);
		CHECK_EQ(tcp_queued(x.p, true), 0);
		x_close(&x);
	}
}

/* A SYN that is sent again has neither bytes nor option. RFC 7413, 4.1.3.2. */
UNIT_TEST(a_lost_syn)
{
	struct heard h;
	struct xend x;
	ssize_t n;

	fast_begin(1);
	learn();
	go(&x, 301, "hello", &h, &n);
	world_sleep(1100 * MSEC);
	CHECK(x_hear(&h) && h.flags == TH_SYN && !h.len && !h.fo && h.seq == x.ack - 1);
	answer(&x, x.ack, mss_only, 4);
	CHECK(x_hear(&h) && h.len == 5 && h.seq == x.ack);
	CHECK_EQ(info(x.p).tcpi_fastopen_client_fail, TFO_SYN_RETRANSMITTED);
	/* That one is lost, too: the clock sends it again. */
	world_sleep(2 * SEC);
	CHECK(x_hear(&h) && h.len == 5 && h.seq == x.ack);
	x_close(&x);
}

UNIT_TEST(answers_that_do_not_fit)
{
	struct heard h;
	struct xend x;
	ssize_t n;

	fast_begin(1);
	learn();
	go(&x, 301, "hello", &h, &n);
	answer(&x, x.ack + 6, mss_only, 4);
	CHECK(x_hear(&h) && (h.flags & TH_RST));
	answer(&x, x.ack - 1, mss_only, 4);
	CHECK(x_hear(&h) && (h.flags & TH_RST));
	CHECK_EQ(tcp_state(x.p), TCP_SYN_SENT);
	x_say(&(struct xseg){
		.sport = 301, .dport = x.dport, .ack = x.ack + 5, .flags = TH_RST | TH_ACK });
	CHECK_EQ(tcp_take_error(x.p), -ECONNREFUSED);
	x_close(&x);
}

/* The peer answers "hello" with 5 bytes in its SYN-ACK, which has @more flags. */
static void answer_with_bytes(struct xend *x, u8 more)
{
	x_say(&(struct xseg){ .sport = 301,
			      .dport = x->dport,
			      .seq = 500,
			      .ack = x->ack + 5,
			      .flags = TH_SYN | TH_ACK | more,
			      .wnd = 60000,
			      .data = "reply",
			      .len = 5 });
}

/* The peer answers with bytes in its SYN-ACK. */
UNIT_TEST(bytes_in_the_answer)
{
	struct heard h;
	struct xend x;
	ssize_t n;

	fast_begin(1);
	learn();
	go(&x, 301, "hello", &h, &n);
	answer_with_bytes(&x, 0);
	CHECK_EQ(tcp_readable(x.p), 5);
	CHECK(x_hear(&h) && h.ack == 506);
	x_close(&x);
}

/* Both open at once, one of them with bytes. */
UNIT_TEST(both_open_at_once)
{
	struct heard h;
	struct xend x;
	ssize_t n;

	fast_begin(1);
	learn();
	go(&x, 301, "hello", &h, &n);
	say(&x, TH_SYN, 500, 0, 0);
	CHECK(x_hear(&h) && h.flags == (TH_SYN | TH_ACK) && h.ack == 501 && !h.len);
	say(&x, TH_ACK, 501, x.ack, 0);
	CHECK_EQ(tcp_state(x.p), TCP_ESTABLISHED);
	world_sleep(2 * SEC);
	CHECK(x_hear(&h) && h.len == 5 && h.seq == x.ack);
	x_close(&x);
}

/* TCP_FASTOPEN_CONNECT: with a cookie the SYN waits for the first write, else it asks for one. */
UNIT_TEST(a_connect_that_waits_for_bytes)
{
	struct uio u = { .left = 2, .one = { (u64) "ab", 2 } };
	struct tcp_pcb *p, *like;
	struct heard h;

	fast_begin(1);
	like = listen_on(HOST_A, 9, 1);
	CHECK_EQ(tcp_open(like->uops, NULL, &p), 0);
	set_option(p, TCP_FASTOPEN_CONNECT, 1);
	CHECK_EQ(tcp_connect(p, (struct tcp_addr){ IP_ADDR(10, 0, 0, 200), net16(5) }), 0);
	CHECK(!tcp_held(p));
	tcp_disconnect(p);
	CHECK_EQ(get_option(p, TCP_FASTOPEN_CONNECT), 1);
	learn();
	CHECK_EQ(tcp_connect(p, (struct tcp_addr){ HOST_X, net16(301) }), 0);
	CHECK(tcp_held(p) && !x_hear(&h));
	CHECK_EQ(tcp_poll(p), POLLOUT | POLLWRNORM);
	CHECK_EQ(put(p, "ab", 2, 0), -EAGAIN);
	CHECK_EQ(tcp_fast_open(p, &u), 2);
	CHECK(x_hear(&h) && h.len == 2);
	CHECK(!(tcp_poll(p) & POLLOUT));
	tcp_disconnect(p);
	/* Held, and given up; held, and a stranger's SYN. */
	CHECK_EQ(tcp_connect(p, (struct tcp_addr){ HOST_X, net16(302) }), 0);
	tcp_disconnect(p);
	CHECK_EQ(tcp_fast_open(p, &u), -EALREADY);
	CHECK_EQ(tcp_connect(p, (struct tcp_addr){ HOST_X, net16(302) }), 0);
	x_say(&(struct xseg){
		.sport = 302, .dport = net16(p->key.lport), .seq = 500, .flags = TH_SYN });
	CHECK(x_hear(&h) && (h.flags & TH_RST) && tcp_held(p));
	tcp_close(p);
	tcp_close(like);
	world_end();
}

/* Without cookies: bytes, and no option. */
UNIT_TEST(a_syn_with_bytes_and_no_option)
{
	struct heard h;
	struct xend x;
	ssize_t n;

	fast_begin(5);
	go(&x, 301, "hello", &h, &n);
	CHECK(n == 5 && h.len == 5 && !h.fo);
	x_close(&x);
}

/* Three timeouts in a row: something may swallow them, and all stop for a while. */
UNIT_TEST(a_black_hole)
{
	struct heard h;
	struct xend x;
	ssize_t n;

	fast_begin(1);
	tcp_sysctl_fastopen_pause = 100;
	learn();
	go(&x, 301, "hello", &h, &n);
	world_sleep(8 * SEC);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPFastOpenBlackhole), 1);
	tcp_abort(x.p);
	x_forget();
	go(&x, 302, "hello", &h, &n);
	CHECK(!n && !h.len && !h.fo);
	tcp_abort(x.p);
	x_forget();
	world_sleep(100 * SEC);
	go(&x, 303, "hello", &h, &n);
	CHECK(n == 5 && h.len == 5);
	answer(&x, x.ack + 5, mss_only, 4);
	x_close(&x);
}

/* --- both --- */

static bool has_all(void *arg)
{
	return tcp_readable(arg) >= 1000;
}

/* Whatever the wire does, the bytes arrive, once and in order. */
UNIT_TEST(over_a_bad_wire)
{
	static u8 out[1000], in[2000];

	for (u32 i = 0; i < sizeof(out); i++)
		out[i] = (u8)(i * 7);
	for (u32 round = 0; round < 60; round++) {
		struct uio u = { .left = sizeof(out), .one = { (u64)out, sizeof(out) } };
		struct tcp_pcb *l, *p, *c;
		ssize_t n;

		fast_begin(3);
		l = listen_on(HOST_B, 100, 4);
		set_option(l, TCP_FASTOPEN, 5);
		CHECK_EQ(tcp_open(l->uops, NULL, &c), 0);
		CHECK_EQ(tcp_bind(c, (struct tcp_addr){ HOST_A, 0 }), 0);
		CHECK_EQ(tcp_connect_held(c, (struct tcp_addr){ HOST_B, net16(100) }), 0);
		if (round) {
			world.loss = 200;
			world.dup = 100;
			world.jitter = 5 * MSEC;
		}
		n = tcp_fast_open(c, &u);
		CHECK_EQ(n, round ? 1000 : 0);
		while (tcp_accept(l, &p))
			world_sleep(MSEC);
		if (!n) {
			while (tcp_state(c) == TCP_SYN_SENT)
				world_sleep(MSEC);
			CHECK_EQ(put(c, out, 1000, 0), 1000);
		}
		CHECK(world_run(200 * SEC, has_all, p));
		CHECK_EQ(take(p, in, sizeof(in), 0), 1000);
		CHECK(!memcmp(in, out, 1000));
		tcp_close(c);
		tcp_close(p);
		tcp_close(l);
		world_end();
	}
}

/* An answer that ends at once: its bytes, and the end. */
UNIT_TEST(an_answer_that_ends)
{
	struct heard h;
	struct xend x;
	char got[8];
	ssize_t n;

	fast_begin(1);
	learn();
	go(&x, 301, "hello", &h, &n);
	answer_with_bytes(&x, TH_FIN);
	CHECK_EQ(tcp_state(x.p), TCP_CLOSE_WAIT);
	CHECK(x_hear(&h) && h.ack == 507);
	CHECK_EQ(take(x.p, got, sizeof(got), 0), 5);
	CHECK_EQ(take(x.p, got, sizeof(got), 0), 0);
	x_close(&x);
}

/* What a SYN-ACK says of sizes is kept without a cookie, too, and for a SYN that needs none. */
UNIT_TEST(how_much_fits_the_next_syn)
{
	static const u8 small[4] = { 2, 4, 3, 0xac }; /* 940 */
	static char much[1400];
	struct heard h;
	struct xend x;
	ssize_t n;

	fast_begin(5);
	memset(much, 'x', sizeof(much) - 1);
	learn();
	go(&x, 301, much, &h, &n);
	CHECK_EQ(h.fo, 0);
	answer(&x, x.ack + (u32)n, small, sizeof(small));
	x_close(&x);
	for (u32 with = 0; with < 2; with++) {
		fast_begin(with ? 1 : 5);
		go(&x, 301, much, &h, &n);
		CHECK_EQ(n, 900);
		CHECK_EQ(h.fo, with ? 10 : 0);
		answer(&x, x.ack + (u32)n, with ? mss_only : small, 4);
		x_close(&x);
	}
}

/* A SYN that was too long with its bytes goes without them, not only after a second. */
UNIT_TEST(a_syn_that_does_not_fit_the_path)
{
	struct heard h;
	struct xend x;
	ssize_t n;

	fast_begin(1);
	learn();
	go(&x, 301, "hello", &h, &n);
	CHECK(tcp_error(HOST_A, net16(x.dport), HOST_X, net16(301), x.ack - 1, EMSGSIZE, 840));
	CHECK(x_hear(&h) && h.flags == TH_SYN && !h.len && h.mss == 800 && h.at == world.now);
	answer(&x, x.ack, mss_only, 4);
	CHECK(x_hear(&h) && h.len == 5 && h.seq == x.ack);
	x_close(&x);
}
