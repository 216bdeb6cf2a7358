/* unit: tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_fastopen.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_pace.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c kernel/lib/rbtree.c */
/* TCP against a peer made by hand: the numbers of the handshake and of windows. */
#include <linux/errno.h>
#include <linux/poll.h>
#include <string.h>
#include "tests/unit/tcp/tcp_world.h"

static const u8 scaled[] = { 2, 4, 5, 0xb4, 1, 3, 3, 7 };

/* Wherever the peer's numbers begin, the first window is no more than the buffer. */
UNIT_TEST(the_third_segment_promises_what_there_is)
{
	static const u32 irs[] = { 0, 7000, 0x7ffffff0, 0x80000000, 0x90000000, 0xfffffffe };

	for (u32 i = 0; i < ARRAY_SIZE(irs); i++) {
		struct heard h;
		struct xend x;
		int rcv, snd;

		world_begin();
		x_accept(&x, 100, irs[i], scaled, sizeof(scaled));
		tcp_buffers(x.p, &rcv, &snd);
		CHECK(x_hear(&h) && h.flags == TH_ACK && h.ack == irs[i] + 1);
		CHECK(h.wnd << 7 <= (u32)rcv);
		x_close(&x);
	}
}

/* RFC 6528: a clock of 64 ns for each connection, moved by what only we know. */
UNIT_TEST(first_numbers_are_nobodys_guess)
{
	u32 seen[64];

	world_begin();
	for (u32 i = 0; i < ARRAY_SIZE(seen); i++) {
		seen[i] = tcp_isn(HOST_A, 1024 + i, HOST_X, 80);
		CHECK_EQ(seen[i], tcp_isn(HOST_A, 1024 + i, HOST_X, 80));
		for (u32 k = 0; k < i; k++)
			CHECK(seen[k] != seen[i] && seen[k] + 1 != seen[i]);
	}
	CHECK(tcp_isn(HOST_A, 1024, HOST_X, 81) != tcp_isn(HOST_A, 1025, HOST_X, 80));
	world_sleep(64 * MSEC);
	CHECK_EQ(tcp_isn(HOST_A, 1024, HOST_X, 80), seen[0] + (u32)MSEC);
}

/* A send before the other side's SYN was answered neither fails nor seems possible. */
UNIT_TEST(nothing_is_written_before_both_have_agreed)
{
	struct heard h;
	struct xend x;

	world_begin();
	x_connect(&x, 101, 500, &h);
	CHECK_EQ(put(x.p, "a", 1, 0), -EAGAIN);
	CHECK(!(tcp_poll(x.p) & POLLOUT));
	say(&x, TH_SYN, x.seq - 1, 0, 0);
	CHECK_EQ(tcp_state(x.p), TCP_SYN_RECV);
	CHECK_EQ(put(x.p, "a", 1, 0), -EAGAIN);
	CHECK(!(tcp_poll(x.p) & POLLOUT));
	x_close(&x);
}

/* --- acknowledgments that come late --- */

/* An ACK with a time stamp, 0: without, and a block of SACK. */
static void ack_at(const struct xend *x, u32 tsval, u32 ack, u32 start, u32 end)
{
	u8 o[24] = { 1, 1, 5, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 8, 10 };
	u32 v[3] = { net32(start), net32(end), net32(tsval) };

	memcpy(o + 4, v, 8);
	memcpy(o + 16, v + 2, 4);
	ack_with(x, ack, o, tsval ? 24 : 12);
}

/* RFC 7323 would have it thrown away for its time, but what was overtaken a moment ago is news. */
UNIT_TEST(an_overtaken_acknowledgment_is_heard)
{
	static const u8 opt[16] = { 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1 };
	static char data[14480];
	struct heard h;
	struct xend x;

	world_begin();
	x_open(&x, 131, opt, sizeof(opt));
	ack_at(&x, 1000, x.ack, 0, 0);
	CHECK_EQ(put(x.p, data, sizeof(data), 0), sizeof(data));
	CHECK_EQ(x_count(), 10);
	x_forget();
	world_sleep(20 * MSEC);
	ack_at(&x, 1030, x.ack, x.ack + 3 * 1448, x.ack + 4 * 1448);
	ack_at(&x, 1020, x.ack, x.ack + 2 * 1448, x.ack + 3 * 1448);
	CHECK_EQ(x_count(), 0);
	ack_at(&x, 1010, x.ack, x.ack + 1448, x.ack + 2 * 1448);
	CHECK_EQ(tcp_mib(TCP_MIB_PAWSEstab), 0);
	world_sleep(10 * MSEC);
	CHECK(x_hear(&h) && h.seq == x.ack && h.len == 1448);
	/* What is too old for that is not heard. */
	x_forget();
	world_sleep(SEC);
	x_forget();
	ack_at(&x, 700, x.ack, x.ack + 4 * 1448, x.ack + 5 * 1448);
	CHECK_EQ(tcp_mib(TCP_MIB_PAWSEstab), 1);
	x_close(&x);
}

/* The segment was late, not lost: that is known when its second copy is told to have come, too. */
UNIT_TEST(a_late_dsack_undoes)
{
	static char data[14600];
	struct heard h;
	struct xend x;
	u32 first, cwnd;

	x_begin(&x, 132, sack_mss, 8);
	first = x.ack;
	CHECK_EQ(put(x.p, data, sizeof(data), 0), sizeof(data));
	world_sleep(20 * MSEC);
	cwnd = x.p->cwnd;
	ack_at(&x, 0, first, first + 1460, first + 4 * 1460);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPSackRecovery), 1);
	CHECK_EQ(tcp_mib(TCP_MIB_RETRANS_SEGS), 1);
	say(&x, TH_ACK, x.seq, first + 14600, 0);
	CHECK(x.p->cwnd < cwnd);
	x_forget();
	CHECK_EQ(put(x.p, data, 1460, 0), 1460);
	CHECK(x_hear(&h) && h.seq == first + 14600);
	ack_at(&x, 0, first + 14600, first, first + 1460);
	CHECK_EQ(tcp_mib(TCP_MIB_TCPDSACKUndo), 1);
	CHECK(x.p->cwnd >= cwnd);
	x_close(&x);
}

/* --- buffers that follow the path --- */

/* X sends @n bytes, A reads them all, in a round trip. */
static void read_round(struct xend *x, u32 n)
{
	static char data[1 << 20];

	for (u32 left = n, k; left; left -= k) {
		k = MIN(left, 1460u);
		say(x, TH_ACK, x->seq, x->ack, k);
		x->seq += k;
	}
	world_sleep(20 * MSEC);
	CHECK_EQ(take(x->p, data, sizeof(data), 0), n);
}

static u32 last_window(const struct xend *x)
{
	struct heard h = { 0 };

	while (x_hear(&h))
		;
	return h.wnd << x->p->rcv_wscale;
}

/* Three times what is read in a round trip, to tcp_rmem[2]; not for what waits unread. */
UNIT_TEST(the_receive_buffer_follows_the_reader)
{
	int rcv, snd, most = tcp_sysctl_rmem[2];
	struct xend x;

	x_begin(&x, 133, scaled, sizeof(scaled));
	tcp_sysctl_rmem[2] = 500000;
	say(&x, TH_ACK, x.seq, x.ack, 60000);
	world_sleep(SEC);
	tcp_buffers(x.p, &rcv, &snd);
	CHECK_EQ(rcv, tcp_sysctl_rmem[1]);
	x_close(&x);

	x_begin(&x, 134, scaled, sizeof(scaled));
	read_round(&x, 60000);
	tcp_buffers(x.p, &rcv, &snd);
	CHECK_EQ(rcv, 3 * 60000 + 16 * 1460);
	for (u32 i = 0; i < 20; i++) {
		u32 wnd = last_window(&x);

		read_round(&x, wnd ? wnd / 2 : 60000);
	}
	tcp_buffers(x.p, &rcv, &snd);
	CHECK_EQ(rcv, 500000);
	read_round(&x, 60000);
	CHECK(last_window(&x) > 250000);
	tcp_sysctl_rmem[2] = most;
	x_close(&x);
}

/* Two windows of congestion, to tcp_wmem[2]. */
UNIT_TEST(the_send_buffer_follows_the_window)
{
	static char data[1 << 20];
	int rcv, snd, most = tcp_sysctl_wmem[2];
	struct xend x;
	struct heard h;

	x_begin(&x, 135, scaled, sizeof(scaled));
	tcp_sysctl_wmem[2] = 300000;
	for (u32 i = 0; i < 8; i++) {
		u32 cwnd = x.p->cwnd;

		(void)put(x.p, data, sizeof(data), 0);
		while (x_hear(&h))
			x.ack += h.len;
		world_sleep(20 * MSEC);
		say(&x, TH_ACK, x.seq, x.ack, 0);
		tcp_buffers(x.p, &rcv, &snd);
		CHECK_EQ(snd, MIN(2 * cwnd, 300000u));
	}
	CHECK_EQ(snd, 300000);
	tcp_sysctl_wmem[2] = most;
	x_close(&x);
}

/* What SO_RCVBUF and SO_SNDBUF set stays. */
UNIT_TEST(a_buffer_of_the_user_is_left_alone)
{
	struct tcp_settings s = { .rcvbuf = 100000, .sndbuf = 20000, .rcvlowat = 1 };
	static char data[20000];
	struct heard h;
	struct xend x;
	int rcv, snd;

	x_begin(&x, 136, scaled, sizeof(scaled));
	tcp_set(x.p, &s);
	for (u32 i = 0; i < 8; i++) {
		CHECK(put(x.p, data, sizeof(data), 0) > 0);
		while (x_hear(&h))
			x.ack += h.len;
		read_round(&x, 30000);
	}
	tcp_buffers(x.p, &rcv, &snd);
	CHECK_EQ(rcv, 100000);
	CHECK_EQ(snd, 20000);
	x_close(&x);
}
