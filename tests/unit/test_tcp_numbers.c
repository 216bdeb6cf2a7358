/* unit: tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c */
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

/* A send before the other side's SYN was answered neither fails nor seems possible. */
UNIT_TEST(nothing_is_written_before_both_have_agreed)
{
	struct xend x = { .sport = 101, .seq = 500 };
	struct tcp_addr me;
	struct heard h;

	world_begin();
	x.p = connect_to(HOST_A, HOST_X, 101);
	CHECK(x_hear(&h) && tcp_name(x.p, false, &me));
	x.dport = net16(me.port);
	x.ack = h.seq + 1;
	CHECK_EQ(put(x.p, "a", 1, 0), -EAGAIN);
	CHECK(!(tcp_poll(x.p) & POLLOUT));
	say(&x, TH_SYN, x.seq - 1, 0, 0);
	CHECK_EQ(tcp_state(x.p), TCP_SYN_RECV);
	CHECK_EQ(put(x.p, "a", 1, 0), -EAGAIN);
	CHECK(!(tcp_poll(x.p) & POLLOUT));
	x_close(&x);
}
