/* unit: tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_fastopen.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_pace.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c kernel/lib/rbtree.c */
/* Fast open (RFC 7413), segment by segment: the passive side. */
#include <linux/errno.h>
#include <linux/poll.h>
#include <string.h>
#include "tests/unit/tcp/fastopen.h"

static const u8 ask[8] = { 2, 4, 5, 0xb4, 34, 2, 1, 1 };

static struct tcp_pcb *fast_listen(u16 port, int most)
{
	struct tcp_pcb *l = listen_on(HOST_A, port, 4);

	set_option(l, TCP_FASTOPEN, most);
	return l;
}

/* A SYN from X's port @sport at 999 with options and @len bytes; what is answered. */
static struct heard syn(u16 sport, u16 port, const u8 *opt, u32 optlen, const char *data)
{
	struct heard h = { 0 };

	x_say(&(struct xseg){ .sport = sport,
			      .dport = port,
			      .seq = 999,
			      .flags = TH_SYN,
			      .wnd = 60000,
			      .opt = opt,
			      .optlen = optlen,
			      .data = data,
			      .len = (u32)strlen(data) });
	(void)x_hear(&h);
	return h;
}

/* The options of a SYN with a cookie of 8 bytes. */
static const u8 *with_cookie(const u8 *cookie)
{
	static u8 o[16] = { 2, 4, 5, 0xb4, 34, 10 };

	memcpy(o + 6, cookie, 8);
	o[14] = o[15] = 1;
	return o;
}

static const u8 *cookie_of(u16 port)
{
	static struct heard h;

	h = syn(39999, port, ask, sizeof(ask), "");
	CHECK_EQ(h.fo, 10);
	CHECK_EQ(h.ack, 1000);
	x_say(&(struct xseg){ .sport = 39999, .dport = port, .seq = 1000, .flags = TH_RST });
	return with_cookie(h.cookie);
}

/* X's SYN with "hello", which is accepted, in SYN_RECV. */
static void begin(struct xend *x, u16 sport, u16 port, int most)
{
	const u8 *opt;
	struct heard h;

	*x = (struct xend){ .sport = sport, .dport = port, .seq = 1005 };
	x->l = fast_listen(port, most);
	opt = cookie_of(port);
	h = syn(sport, port, opt, 16, "hello");
	CHECK_EQ(h.flags, TH_SYN | TH_ACK);
	CHECK_EQ(h.ack, 1005);
	CHECK_EQ(h.fo, 0);
	x->ack = h.seq + 1;
	CHECK(tcp_poll(x->l) & POLLIN);
	CHECK_EQ(tcp_accept(x->l, &x->p), 0);
	CHECK_EQ(tcp_state(x->p), TCP_SYN_RECV);
}

UNIT_TEST(a_cookie_is_given_to_who_asks)
{
	struct tcp_pcb *l;
	struct heard h;

	fast_begin(3);
	l = fast_listen(100, 5);
	CHECK_EQ(get_option(l, TCP_FASTOPEN), 5);
	h = syn(40000, 100, ask, sizeof(ask), "");
	CHECK_EQ(h.fo, 10);
	CHECK_EQ(h.ack, 1000);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPFastOpenCookieReqd), 1);
	CHECK_EQ(syn(40001, 100, mss_only, 4, "").fo, 0);
	tcp_sysctl_fastopen = 1;
	CHECK_EQ(syn(40002, 100, ask, sizeof(ask), "").fo, 0);
	tcp_sysctl_fastopen = 3;
	set_option(l, TCP_FASTOPEN, 0);
	CHECK_EQ(syn(40003, 100, ask, sizeof(ask), "").fo, 0);
	tcp_close(l);
	world_end();
}

/* As Linux makes them, so that servers of one name can share a key. */
UNIT_TEST(a_cookie_is_siphash_of_both_addresses)
{
	static const u8 want[8] = { 0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93 };
	u8 bytes[16], addresses[8];
	struct tcp_pcb *l;
	u32 w[2];
	u64 key[2], h;
	u8 got[32];

	for (u8 i = 0; i < 16; i++)
		bytes[i] = i;
	memcpy(addresses, bytes, 8);
	memcpy(key, bytes, 16);
	memcpy(w, addresses, 8);
	h = tcp_siphash_key(key, w, 2, 0);
	CHECK(!memcmp(&h, want, 8));
	fast_begin(3);
	l = fast_listen(100, 5);
	CHECK_EQ(tcp_fo_keys_get(l, got), 0);
	CHECK_EQ(tcp_fo_keys_set(l, bytes, 15), -EINVAL);
	CHECK_EQ(tcp_fo_keys_set(l, bytes, 16), 0);
	CHECK_EQ(tcp_fo_keys_get(l, got), 16);
	CHECK(!memcmp(got, bytes, 16));
	w[0] = HOST_X;
	w[1] = HOST_A;
	h = tcp_siphash_key(key, w, 2, 0);
	CHECK(!memcmp(cookie_of(100) + 6, &h, 8));
	tcp_close(l);
	world_end();
}

/* Who speaks by the option of before RFC 7413 is answered by it, and its cookie is as good. */
UNIT_TEST(the_experimental_option_is_answered)
{
	static const u8 ask_exp[8] = { 2, 4, 5, 0xb4, 254, 4, 0xf9, 0x89 }, other[8] = { 2, 4, 5, 0xb4, 254, 4, 0xf9, 0x88 };
	u8 opt[16] = { 2, 4, 5, 0xb4, 254, 12, 0xf9, 0x89 };
	struct tcp_pcb *l;
	struct heard h;

	fast_begin(3);
	l = fast_listen(100, 5);
	CHECK_EQ(syn(40000, 100, other, sizeof(other), "").fo, 0);
	h = syn(40001, 100, ask_exp, sizeof(ask_exp), "");
	CHECK(h.exp && h.fo == 12 && h.ack == 1000);
	CHECK(!memcmp(h.cookie, cookie_of(100) + 6, 8));
	memcpy(opt + 8, h.cookie, 8);
	h = syn(40002, 100, opt, sizeof(opt), "hello");
	CHECK(h.ack == 1005 && !h.fo);
	opt[8] ^= 1;
	h = syn(40003, 100, opt, sizeof(opt), "hello");
	CHECK(h.ack == 1000 && h.exp && h.fo == 12);
	tcp_close(l);
	x_forget();
	world_end();
}

UNIT_TEST(bytes_of_the_syn_are_read_and_answered_at_once)
{
	struct heard h;
	struct xend x;
	char got[8];

	fast_begin(3);
	begin(&x, 40000, 100, 5);
	CHECK(tcp_poll(x.p) & POLLIN);
	CHECK(tcp_poll(x.p) & POLLOUT);
	CHECK_EQ(take(x.p, got, sizeof(got), 0), 5);
	CHECK(!memcmp(got, "hello", 5));
	CHECK_EQ(take(x.p, got, sizeof(got), 0), -EAGAIN);
	CHECK_EQ(put(x.p, "reply", 5, 0), 5);
	do
		CHECK(x_hear(&h));
	while (!h.len);
	CHECK(h.seq == x.ack && h.len == 5 && !memcmp(h.data, "reply", 5));
	CHECK_EQ(tcp_state(x.p), TCP_SYN_RECV);
	say(&x, TH_ACK, x.seq, x.ack + 5, 3);
	CHECK_EQ(tcp_state(x.p), TCP_ESTABLISHED);
	CHECK_EQ(take(x.p, got, sizeof(got), 0), 3);
	CHECK(info(x.p).tcpi_options & TCPI_OPT_SYN_DATA);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPFastOpenPassive), 1);
	x_close(&x);
}

/* A SYN that brings the cookie and no bytes opens, too; its SYN again is answered as before. */
UNIT_TEST(a_syn_without_bytes_that_comes_again)
{
	struct xend x = { .sport = 40000, .dport = 100, .seq = 1000 };
	struct heard h, again;
	const u8 *opt;

	fast_begin(3);
	x.l = fast_listen(100, 5);
	opt = cookie_of(100);
	h = syn(40000, 100, opt, 16, "");
	CHECK_EQ(tcp_accept(x.l, &x.p), 0);
	CHECK(!(tcp_poll(x.p) & POLLIN));
	world_sleep(600 * MSEC);
	again = syn(40000, 100, opt, 16, "");
	CHECK_EQ(again.flags, TH_SYN | TH_ACK);
	CHECK(again.seq == h.seq && again.ack == 1000);
	say(&x, TH_ACK, 1000, h.seq + 1, 0);
	CHECK_EQ(tcp_state(x.p), TCP_ESTABLISHED);
	CHECK(!(info(x.p).tcpi_options & TCPI_OPT_SYN_DATA));
	x_close(&x);
}

UNIT_TEST(the_syn_alone_again_is_answered_with_all)
{
	struct xend x;
	struct heard h;

	fast_begin(3);
	begin(&x, 40000, 100, 5);
	world_sleep(600 * MSEC);
	h = syn(40000, 100, mss_only, 4, "");
	CHECK_EQ(h.flags, TH_SYN | TH_ACK);
	CHECK_EQ(h.seq, x.ack - 1);
	CHECK_EQ(h.ack, 1005);
	/* And by the clock, until it is given up: the user of what was read learns of it. */
	world_sleep(500 * MSEC);
	CHECK(x_hear(&h) && h.flags == (TH_SYN | TH_ACK) && h.ack == 1005);
	world_sleep(300 * SEC);
	CHECK_EQ(tcp_state(x.p), TCP_CLOSE);
	CHECK_EQ(tcp_take_error(x.p), -ETIMEDOUT);
	x_close(&x);
}

UNIT_TEST(a_wrong_cookie_gets_the_right_one)
{
	static const u8 wrong[8] = "nonsense";
	const u8 *right;
	struct tcp_pcb *l, *p;
	struct heard h;

	fast_begin(3);
	l = fast_listen(100, 5);
	right = cookie_of(100) + 6;
	h = syn(40000, 100, with_cookie(wrong), 16, "hello");
	CHECK_EQ(h.ack, 1000);
	CHECK_EQ(h.fo, 10);
	(void)with_cookie(h.cookie);
	CHECK(memcmp(right, wrong, 8) && !memcmp(right, h.cookie, 8));
	CHECK_EQ(tcp_accept(l, &p), -EAGAIN);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPFastOpenPassiveFail), 1);
	/* The bytes come again, after the handshake. */
	x_say(&(struct xseg){ .sport = 40000,
			      .dport = 100,
			      .seq = 1000,
			      .ack = h.seq + 1,
			      .flags = TH_ACK,
			      .wnd = 60000,
			      .data = "hello",
			      .len = 5 });
	CHECK_EQ(tcp_accept(l, &p), 0);
	CHECK_EQ(tcp_readable(p), 5);
	tcp_abort(p);
	tcp_close(l);
	world_end();
}

/* An option of a length that no cookie has is none. */
UNIT_TEST(options_of_wrong_lengths)
{
	struct tcp_pcb *l;
	u8 opt[40];

	fast_begin(3);
	l = fast_listen(100, 5);
	for (u8 n = 0; n < 40; n++) {
		struct heard h;

		memset(opt, 1, sizeof(opt));
		opt[0] = 34;
		opt[1] = n;
		h = syn((u16)(41000 + n), 100, opt, 40, "hello");
		CHECK_EQ(h.ack, 1000);
		CHECK_EQ(h.fo, n >= 2 && n <= 18 && n % 2 == 0 && n != 4 ? 10 : 0);
		x_say(&(struct xseg){
			.sport = (u16)(41000 + n), .dport = 100, .seq = 1000, .flags = TH_RST });
	}
	tcp_close(l);
	world_end();
}

UNIT_TEST(the_older_key_is_believed)
{
	struct xend x = { .sport = 40000, .dport = 100, .seq = 1005 };
	u8 keys[32], opt[16], first[8];
	struct heard h;

	fast_begin(3);
	x.l = fast_listen(100, 5);
	for (u8 i = 0; i < 32; i++)
		keys[i] = i;
	CHECK_EQ(tcp_fo_keys_set(x.l, keys + 16, 16), 0);
	memcpy(opt, cookie_of(100), 16);
	CHECK_EQ(tcp_fo_keys_set(x.l, keys, 32), 0);
	memcpy(first, cookie_of(100) + 6, 8);
	h = syn(40000, 100, opt, 16, "hello");
	CHECK_EQ(h.ack, 1005);
	CHECK_EQ(h.fo, 10);
	CHECK(!memcmp(h.cookie, first, 8));
	CHECK_EQ(tcp_mib(TCP_MIB_TCPFastOpenPassiveAltKey), 1);
	CHECK_EQ(tcp_accept(x.l, &x.p), 0);
	x_close(&x);
}

/* 0x200: nobody needs a cookie. 0x400: all listen so. */
UNIT_TEST(settings_without_cookies)
{
	struct xend x = { .sport = 40000, .dport = 100, .seq = 1005 };
	struct tcp_pcb *p;

	fast_begin(0x603);
	x.l = listen_on(HOST_A, 100, 4);
	CHECK_EQ(get_option(x.l, TCP_FASTOPEN), 4);
	CHECK_EQ(syn(40000, 100, mss_only, 4, "hello").ack, 1005);
	CHECK_EQ(tcp_accept(x.l, &x.p), 0);
	/* One socket alone. */
	tcp_sysctl_fastopen = 3;
	CHECK_EQ(syn(40001, 100, mss_only, 4, "hello").ack, 1000);
	set_option(x.l, TCP_FASTOPEN_NO_COOKIE, 1);
	CHECK_EQ(syn(40002, 100, mss_only, 4, "hello").ack, 1005);
	CHECK_EQ(tcp_accept(x.l, &p), 0);
	tcp_abort(p);
	x_close(&x);
}

/* Only so many are pending; one that was reset counts for a minute. RFC 7413, 5.1. */
UNIT_TEST(pending_ones_are_bounded)
{
	struct tcp_pcb *p;
	struct heard h;
	struct xend x;
	u8 opt[16];

	fast_begin(3);
	begin(&x, 40000, 100, 2);
	memcpy(opt, cookie_of(100), 16);
	set_option(x.l, TCP_FASTOPEN, 1);
	CHECK_EQ(syn(40001, 100, opt, 16, "hello").ack, 1000);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPFastOpenListenOverflow), 1);
	say(&x, TH_RST, x.seq, 0, 0);
	CHECK_EQ(tcp_take_error(x.p), -ECONNRESET);
	CHECK_EQ(syn(40002, 100, opt, 16, "hello").ack, 1000);
	world_sleep(61 * SEC);
	x_forget();
	h = syn(40003, 100, opt, 16, "hello");
	CHECK_EQ(h.ack, 1005);
	CHECK_EQ(tcp_accept(x.l, &p), 0);
	/* One whose handshake ends counts no more. */
	x.sport = 40003;
	say(&x, TH_ACK, 1005, h.seq + 1, 0);
	CHECK_EQ(tcp_state(p), TCP_ESTABLISHED);
	tcp_abort(p);
	x_forget();
	CHECK_EQ(syn(40004, 100, opt, 16, "hello").ack, 1005);
	x_close(&x);
}

/* The queue of accept(2) bounds it, too; and under a flood there are cookies of the other kind. */
UNIT_TEST(full_queues)
{
	struct tcp_pcb *l;
	u8 opt[16];

	fast_begin(3);
	l = fast_listen(100, 100);
	memcpy(opt, cookie_of(100), 16);
	for (u16 i = 0; i < 5; i++)
		CHECK_EQ(syn((u16)(40000 + i), 100, opt, 16, "hello").ack, 1005);
	CHECK_EQ(syn(40005, 100, opt, 16, "hello").flags, 0);
	CHECK_EQ(tcp_mib(TCP_MIB_ListenOverflows), 1);
	tcp_close(l);
	x_forget();
	l = fast_listen(100, 100);
	tcp_sysctl_syncookies = 2;
	CHECK_EQ(syn(40010, 100, opt, 16, "hello").ack, 1000);
	tcp_sysctl_syncookies = 1;
	tcp_close(l);
	world_end();
}

/* Read, answered and closed before the handshake is over. */
UNIT_TEST(closed_before_the_third_segment)
{
	struct heard h;
	struct xend x;
	char got[8];

	fast_begin(3);
	begin(&x, 40000, 100, 1);
	CHECK_EQ(take(x.p, got, sizeof(got), 0), 5);
	x_forget();
	CHECK_EQ(put(x.p, "bye", 3, 0), 3);
	CHECK(x_hear(&h) && h.len == 3 && h.seq == x.ack);
	tcp_close(x.p);
	CHECK(x_hear(&h) && (h.flags & TH_FIN) && h.seq == x.ack + 3);
	world_sleep(600 * MSEC);
	h = syn(40000, 100, mss_only, 4, "");
	CHECK_EQ(h.flags, TH_SYN | TH_ACK);
	say(&x, TH_ACK, x.seq, x.ack, 0);
	say(&x, TH_ACK | TH_FIN, x.seq, x.ack + 4, 0);
	x_forget();
	CHECK_EQ(syn(40001, 100, cookie_of(100), 16, "hello").ack, 1005);
	tcp_close(x.l);
	x_forget();
	world_end();
}
