/* unit: tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_fastopen.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_pace.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c kernel/lib/rbtree.c */
/* TCP's settings, net.ipv4.tcp_*, that only a peer sees: each with one value and with another. */
#include <linux/errno.h>
#include <string.h>
#include "tests/unit/tcp/tcp_world.h"

#define MSS 1460

static u32 orphans(void)
{
	struct tcp_usage u;

	tcp_usage(&u);
	return u.orphans;
}

static u32 timewaits(void)
{
	struct tcp_usage u;

	tcp_usage(&u);
	return u.timewait;
}

UNIT_TEST(dsack_tells_what_came_twice)
{
	for (int on = 0; on < 2; on++) {
		struct heard h;
		struct xend x;

		x_begin(&x, 300, sack_mss, 8);
		tcp_sysctl_dsack = on;
		say(&x, TH_ACK, x.seq, x.ack, 1000);
		x_forget();
		say(&x, TH_ACK, x.seq, x.ack, 1000);
		CHECK(x_hear(&h) && h.ack == x.seq + 1000 && h.nsack == on);
		tcp_sysctl_dsack = 1;
		x_close(&x);
	}
}

/* How large the receive buffer becomes while much is read. */
UNIT_TEST(moderate_rcvbuf_lets_the_buffer_grow)
{
	static char data[60000];

	for (int on = 0; on < 2; on++) {
		int rcv, snd;
		struct xend x;

		x_begin(&x, 301, mss_only, 4);
		tcp_sysctl_moderate_rcvbuf = on;
		for (u32 round = 0; round < 3; round++) {
			for (u32 i = 0; i < 40; i++, x.seq += MSS)
				say(&x, TH_ACK, x.seq, x.ack, MSS);
			world_sleep(20 * MSEC);
			CHECK_EQ(take(x.p, data, sizeof(data), 0), 40 * MSS);
		}
		tcp_buffers(x.p, &rcv, &snd);
		CHECK(on ? rcv > tcp_sysctl_rmem[1] : rcv == tcp_sysctl_rmem[1]);
		tcp_sysctl_moderate_rcvbuf = 1;
		x_close(&x);
	}
}

UNIT_TEST(slow_start_after_idle_forgets_the_window)
{
	for (int on = 0; on < 2; on++) {
		struct xend x;

		x_begin(&x, 302, mss_only, 4);
		tcp_sysctl_slow_start_idle = on;
		CHECK_EQ(put(x.p, "x", 1, 0), 1);
		say(&x, TH_ACK, x.seq, x.ack + 1, 0);
		x.p->cwnd = 40 * MSS;
		world_sleep(10 * SEC);
		CHECK_EQ(put(x.p, "y", 1, 0), 1);
		CHECK_EQ(x.p->cwnd, on ? 10 * MSS : 40 * MSS);
		tcp_sysctl_slow_start_idle = 1;
		x_close(&x);
	}
}

/* A SYN is answered so often again. */
UNIT_TEST(synack_retries_are_counted)
{
	for (int n = 0; n < 4; n++) {
		struct xend x = { .sport = 40000, .dport = 303, .seq = 1000 };

		world_begin();
		tcp_sysctl_synack_retries = n;
		x.l = listen_on(HOST_A, 303, 4);
		x_say(&(struct xseg){ .sport = x.sport,
				      .dport = 303,
				      .seq = 999,
				      .flags = TH_SYN,
				      .wnd = 60000,
				      .opt = mss_only,
				      .optlen = 4 });
		world_sleep(100 * SEC);
		CHECK_EQ(x_count(), 1 + n);
		tcp_sysctl_synack_retries = 5;
		x_forget();
		tcp_close(x.l);
		world_end();
	}
}

/* What nobody owns any more is tried again so often; of none is there more than max_orphans. */
UNIT_TEST(orphans_are_few_and_patient_as_set)
{
	int before = tcp_sysctl_max_orphans;
	struct heard h;

	for (int n = 1; n < 5; n++) {
		struct xend x;
		u32 sent = 0;

		x_begin(&x, 304, mss_only, 4);
		tcp_sysctl_orphan_retries = n;
		tcp_sysctl_early_retrans = 0; /* no probes of the tail between */
		x_forget();
		CHECK_EQ(put(x.p, "last words", 10, 0), 10);
		tcp_close(x.p);
		x.p = NULL;
		CHECK_EQ(orphans(), 1);
		world_sleep(200 * SEC);
		CHECK_EQ(orphans(), 0);
		while (x_hear(&h))
			sent += h.seq == x.ack && h.len == 10;
		CHECK_EQ(sent, 1 + n);
		tcp_sysctl_early_retrans = 3;
		tcp_sysctl_orphan_retries = 0;
		tcp_close(x.l);
		world_end();
	}
	for (int most = 0; most < 2; most++) {
		struct xend x;

		x_begin(&x, 305, mss_only, 4);
		tcp_sysctl_max_orphans = most;
		x_forget();
		tcp_close(x.p);
		x.p = NULL;
		CHECK_EQ(orphans(), most);
		tcp_sysctl_max_orphans = before;
		x_forget();
		say(&x, TH_RST, x.seq, 0, 0);
		tcp_close(x.l);
		world_end();
	}
}

/* A closes first, then X: TIME_WAIT, if there may be one. RFC 1337: a reset does not end it. */
UNIT_TEST(timewaits_are_as_many_and_as_hard_as_set)
{
	int before = tcp_sysctl_max_tw;

	for (int how = 0; how < 3; how++) {
		struct xend x;

		x_begin(&x, 306, mss_only, 4);
		tcp_sysctl_max_tw = how ? before : 0;
		tcp_sysctl_rfc1337 = how == 2;
		tcp_close(x.p);
		x.p = NULL;
		say(&x, TH_FIN | TH_ACK, x.seq, x.ack + 1, 0);
		CHECK_EQ(timewaits(), !!how);
		say(&x, TH_RST, x.seq + 1, 0, 0);
		CHECK_EQ(timewaits(), how == 2);
		tcp_sysctl_max_tw = before;
		tcp_sysctl_rfc1337 = 0;
		x_forget();
		tcp_close(x.l);
		world_end();
	}
}

/* Whether the pointer is to the urgent byte (RFC 1122) or behind it. */
UNIT_TEST(stdurg_moves_the_urgent_byte)
{
	for (int on = 0; on < 2; on++) {
		struct xend x;

		x_begin(&x, 307, mss_only, 4);
		tcp_sysctl_stdurg = on;
		x_say(&(struct xseg){ .sport = x.sport,
				      .dport = x.dport,
				      .seq = x.seq,
				      .ack = x.ack,
				      .flags = TH_ACK | TH_URG,
				      .wnd = 60000,
				      .urg = 5,
				      .len = 10 });
		CHECK_EQ(x.p->urg_seq, x.seq + 4 + (u32)on);
		tcp_sysctl_stdurg = 0;
		x_close(&x);
	}
}

UNIT_TEST(challenges_are_limited_as_set)
{
	int before = tcp_sysctl_challenge_limit;

	for (int on = 0; on < 2; on++) {
		struct xend x;

		x_begin(&x, 308, mss_only, 4);
		tcp_sysctl_challenge_limit = on ? before : 0;
		world_sleep(2 * SEC);
		x_forget();
		say(&x, TH_RST, x.seq + 100, 0, 0);
		CHECK_EQ(x_count(), on);
		tcp_sysctl_challenge_limit = before;
		x_forget();
		x_close(&x);
	}
}
