/* unit: tests/unit/tcp/tcp_world.c tests/unit/uio.c net/pkt.c net/cksum.c net/tcp/tcp_ack.c net/tcp/tcp_cc.c net/tcp/tcp_cc_cubic.c net/tcp/tcp_cc_newreno.c net/tcp/tcp_fastopen.c net/tcp/tcp_hash.c net/tcp/tcp_input.c net/tcp/tcp_listen.c net/tcp/tcp_option.c net/tcp/tcp_output.c net/tcp/tcp_pace.c net/tcp/tcp_param.c net/tcp/tcp_pcb.c net/tcp/tcp_reass.c net/tcp/tcp_recover.c net/tcp/tcp_sack.c net/tcp/tcp_seg.c net/tcp/tcp_stat.c net/tcp/tcp_state.c net/tcp/tcp_syncookie.c net/tcp/tcp_table.c net/tcp/tcp_timer.c net/tcp/tcp_timewait.c net/tcp/tcp_user.c net/tcp/tcp_xfer.c kernel/lib/string.c kernel/lib/rbtree.c */
/* TCP: whose place a connection may take, how many may wait for accept(2), and which port it gets. */
#include <linux/errno.h>
#include <linux/poll.h>
#include <stdlib.h>
#include <string.h>
#include "tests/unit/tcp/tcp_world.h"

#define PEER_TIME 5000 /* X's time stamp when a connection ends */

/* --- TIME_WAIT: RFC 6191 --- */

/* A segment of X with a time stamp, 0: without. */
static u32 timewaits(void)
{
	struct tcp_usage u;

	tcp_usage(&u);
	return u.timewait;
}

/* A closes first; X, too. x->seq and x->ack are the next numbers of both. */
static void end(struct xend *x, bool stamps, u32 tsecr)
{
	struct heard h;

	x_forget();
	tcp_close(x->p);
	x->p = NULL;
	CHECK(x_hear(&h) && (h.flags & TH_FIN) && h.seq == x->ack);
	x->ack++;
	say_at(x, TH_FIN | TH_ACK, x->seq++, x->ack, 0, stamps ? PEER_TIME : 0, tsecr);
	CHECK(x_hear(&h) && h.ack == x->seq);
	CHECK_EQ(x_count(), 0);
	CHECK_EQ(timewaits(), 1);
}

/* A connects from its only port to X, and it is over. Its last time stamp */
static u32 connected(struct xend *x, bool stamps)
{
	struct tcp_addr me;
	struct heard h;

	*x = (struct xend){ .sport = 240, .seq = 70000 };
	x->p = connect_to(0, HOST_X, 240);
	CHECK(x_hear(&h) && h.flags == TH_SYN && tcp_name(x->p, false, &me));
	x->p->key.reuse = true; /* SO_REUSEADDR, for who comes after it */
	x->dport = net16(me.port);
	x->ack = h.seq + 1;
	say_at(x, TH_SYN | TH_ACK, x->seq++, x->ack, 0, stamps ? PEER_TIME - 10 : 0, h.tsval);
	CHECK_EQ(tcp_state(x->p), TCP_ESTABLISHED);
	CHECK(x_hear(&h) && h.has_ts == stamps);
	end(x, stamps, h.tsval);
	return h.tsval;
}

UNIT_TEST(a_connect_takes_over_from_a_time_wait)
{
	static const struct {
		int reuse;
		bool stamps, far;
		s64 after;
		bool taken;
	} cases[] = {
		{ 0, true, false, 2 * SEC, false }, { 1, true, false, 2 * SEC, true },
		{ 1, true, true, 2 * SEC, true },   { 1, false, false, 2 * SEC, false },
		{ 1, true, false, SEC / 2, false }, { 2, true, false, 2 * SEC, true },
		{ 2, true, true, 2 * SEC, false },  { 0, true, false, 61 * SEC, true },
	};
	int before = tcp_sysctl_tw_reuse;

	CHECK_EQ(before, 2);
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct tcp_pcb *p;
		struct heard h;
		struct xend x;
		u32 stamp;

		world_begin();
		world.ports = 1;
		world.far = cases[i].far;
		stamp = connected(&x, cases[i].stamps);
		tcp_sysctl_tw_reuse = cases[i].reuse;
		world_sleep(cases[i].after);
		CHECK_EQ(tcp_open(NULL, NULL, &p), 0);
		CHECK_EQ(tcp_connect(p, (struct tcp_addr){ HOST_X, net16(240) }),
			 cases[i].taken ? 0 : -EADDRNOTAVAIL);
		tcp_sysctl_tw_reuse = before;
		CHECK_EQ(x_count(), cases[i].taken);
		if (cases[i].taken) {
			CHECK(x_hear(&h) && h.flags == TH_SYN && h.dport == 240);
			CHECK(h.sport == x.dport && seq_gt(h.tsval, stamp));
			if (cases[i].after < TCP_TIMEWAIT) {
				/* Behind all that was sent, or promised: RFC 1122, 4.2.2.13. */
				CHECK_EQ(h.seq, x.ack + 65535 + 2);
				CHECK_EQ(tcp_mib(TCP_MIB_TWRecycled), 1);
			}
			CHECK_EQ(timewaits(), 0);
		}
		tcp_abort(p);
		x_forget();
		world_end();
	}
}

/* Its user bound the port (SO_REUSEADDR): it need not wait, but for its time stamps. */
UNIT_TEST(a_bound_port_is_taken_over_at_once)
{
	for (u32 stamps = 0; stamps < 2; stamps++) {
		int before = tcp_sysctl_tw_reuse;
		struct tcp_pcb *p;
		struct heard h;
		struct xend x;

		world_begin();
		world.ports = 1;
		connected(&x, stamps);
		tcp_sysctl_tw_reuse = 0;
		CHECK_EQ(tcp_open(NULL, NULL, &p), 0);
		p->key.reuse = true;
		CHECK_EQ(tcp_bind(p, (struct tcp_addr){ 0, net16(x.dport) }), 0);
		CHECK_EQ(tcp_connect(p, (struct tcp_addr){ HOST_X, net16(240) }),
			 stamps ? 0 : -EADDRNOTAVAIL);
		tcp_sysctl_tw_reuse = before;
		CHECK_EQ(x_count(), stamps);
		CHECK_EQ(timewaits(), !stamps);
		if (stamps)
			CHECK(x_hear(&h) && h.flags == TH_SYN && h.seq == x.ack + 65535 + 2);
		tcp_abort(p);
		x_forget();
		world_end();
	}
}

/* A SYN to a listener of A, whose last connection from there is in TIME_WAIT. */
UNIT_TEST(a_newer_syn_takes_over_from_a_time_wait)
{
	static const u8 opt[16] = { 2, 4, 5, 0xb4, 1, 1, 8, 10, 0, 0, PEER_TIME / 2 >> 8, 1 };
	static const struct {
		bool stamps;
		int time; /* against the last one; its SYN's number likewise */
		int seq;
		bool taken;
	} cases[] = {
		{ true, 1, -100000, true }, { true, 1, 100000, true }, { true, -1, 100000, false },
		{ true, 0, 1, true },	    { true, 0, -1, false },    { true, 0, 0, false },
		{ false, 0, 1, true },	    { false, 0, -1, false },   { false, 0, 0, false },
		{ false, 0, 100000, true },
	};

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		struct heard h;
		struct xend x;
		u32 seq, last;

		x_begin(&x, 242, cases[i].stamps ? opt : mss_only, cases[i].stamps ? 16 : 4);
		end(&x, cases[i].stamps, 0);
		seq = x.seq + (u32)cases[i].seq;
		last = x.ack;
		world_sleep(SEC);
		say_at(&x, TH_SYN, seq, 0, 0,
		       cases[i].stamps ? (u32)(PEER_TIME + cases[i].time) : 0, 0);
		CHECK(x_hear(&h));
		CHECK_EQ(x_count(), 0);
		if (cases[i].taken) {
			CHECK_EQ(h.flags, TH_SYN | TH_ACK);
			CHECK(h.ack == seq + 1 && seq_gt(h.seq, last + 65535));
			CHECK_EQ(timewaits(), 0);
			say_at(&x, TH_ACK, seq + 1, h.seq + 1, 0,
			       cases[i].stamps ? (u32)(PEER_TIME + cases[i].time) : 0, h.tsval);
			CHECK_EQ(tcp_accept(x.l, &x.p), 0);
			CHECK_EQ(tcp_state(x.p), TCP_ESTABLISHED);
			tcp_abort(x.p);
		} else {
			CHECK_EQ(h.flags, TH_ACK);
			CHECK(h.ack == x.seq && h.seq == x.ack);
			CHECK_EQ(timewaits(), 1);
		}
		tcp_close(x.l);
		x_forget();
		world_end();
	}
}

/* --- the queue of accept(2) --- */

static void syn(struct xend *x, u16 sport)
{
	*x = (struct xend){ .sport = sport, .dport = 243, .seq = 1000, .l = x->l };
	say(x, TH_SYN, x->seq - 1, 0, 0);
}

/* X's handshake from @sport. Was the SYN answered? */
static bool shake(struct xend *x, u16 sport)
{
	struct heard h;

	syn(x, sport);
	if (!x_hear(&h))
		return false;
	CHECK_EQ(h.flags, TH_SYN | TH_ACK);
	x->ack = h.seq + 1;
	say(x, TH_ACK, x->seq, x->ack, 0);
	CHECK_EQ(x_count(), 0);
	return true;
}

/* listen(2)'s backlog, and one more, as on Linux. What comes then is not answered. */
UNIT_TEST(a_full_accept_queue_hears_no_syn)
{
	struct xend x = { 0 };
	struct tcp_pcb *p;

	world_begin();
	x.l = listen_on(HOST_A, 243, 2);
	for (u16 i = 0; i < 3; i++)
		CHECK(shake(&x, (u16)(41000 + i)));
	CHECK(!shake(&x, 41003));
	CHECK_EQ(tcp_mib(TCP_MIB_ListenOverflows), 1);
	CHECK_EQ(tcp_mib(TCP_MIB_ListenDrops), 1);
	CHECK_EQ(tcp_accept(x.l, &p), 0);
	tcp_abort(p);
	x_forget();
	CHECK(shake(&x, 41003)); /* the SYN comes again */
	for (u32 i = 0; i < 3; i++) {
		CHECK_EQ(tcp_accept(x.l, &p), 0);
		tcp_abort(p);
	}
	CHECK_EQ(tcp_accept(x.l, &p), -EAGAIN);
	x_forget();
	tcp_close(x.l);
	world_end();
}

/* The third segment that finds no place is not heard; it comes again with the next SYN-ACK. */
UNIT_TEST(a_full_accept_queue_hears_no_third_segment)
{
	struct xend x = { 0 }, late;
	struct tcp_pcb *p;
	struct heard h;

	world_begin();
	x.l = listen_on(HOST_A, 243, 0);
	late = x;
	syn(&late, 42000);
	CHECK(x_hear(&h) && h.flags == (TH_SYN | TH_ACK));
	late.ack = h.seq + 1;
	CHECK(shake(&x, 42001));
	say(&late, TH_ACK, late.seq, late.ack, 0);
	CHECK_EQ(x_count(), 0);
	CHECK_EQ(tcp_mib(TCP_MIB_ListenOverflows), 1);
	say(&late, TH_ACK | TH_PSH, late.seq, late.ack, 10); /* nor are its bytes */
	CHECK_EQ(x_count(), 0);
	world_sleep(1100 * MSEC);
	CHECK(x_hear(&h) && h.dport == 42000 && h.flags == (TH_SYN | TH_ACK));
	CHECK_EQ(h.seq + 1, late.ack);
	CHECK_EQ(tcp_accept(x.l, &p), 0);
	tcp_abort(p);
	x_forget();
	CHECK_EQ(tcp_accept(x.l, &p), -EAGAIN);
	say(&late, TH_ACK | TH_PSH, late.seq, late.ack, 10);
	CHECK_EQ(tcp_accept(x.l, &p), 0);
	CHECK(tcp_poll(p) & POLLIN);
	CHECK_EQ(tcp_readable(p), 10);
	tcp_abort(p);
	tcp_close(x.l);
	x_forget();
	world_end();
}

/* net.ipv4.tcp_abort_on_overflow: it is told. */
UNIT_TEST(a_full_accept_queue_resets_if_set)
{
	struct xend x = { 0 }, late;
	struct tcp_pcb *p;
	struct heard h;

	world_begin();
	x.l = listen_on(HOST_A, 243, 0);
	late = x;
	syn(&late, 42000);
	CHECK(x_hear(&h));
	late.ack = h.seq + 1;
	CHECK(shake(&x, 42001));
	tcp_sysctl_abort_overflow = 1;
	say(&late, TH_ACK, late.seq, late.ack, 0);
	tcp_sysctl_abort_overflow = 0;
	CHECK(x_hear(&h) && (h.flags & TH_RST) && h.seq == late.ack && h.dport == 42000);
	world_sleep(2 * SEC);
	CHECK_EQ(x_count(), 0);
	CHECK_EQ(tcp_accept(x.l, &p), 0);
	tcp_abort(p);
	CHECK_EQ(tcp_accept(x.l, &p), -EAGAIN);
	tcp_close(x.l);
	x_forget();
	world_end();
}

/* --- ports of the kernel's choice: RFC 6056 --- */

static u16 port_of(const struct tcp_pcb *p)
{
	struct tcp_addr me;

	CHECK(tcp_name(p, false, &me));
	return net16(me.port);
}

/* In the range, all over it, and none tells of the next. */
static void check_ports(const u16 *ports, u32 n)
{
	u32 parts = 0, near = 0;

	for (u32 i = 0; i < n; i++) {
		CHECK(ports[i] >= 32768 && ports[i] < 32768 + world.ports);
		parts |= 1u << (ports[i] - 32768u) * 8 / world.ports;
		near += i && abs(ports[i] - ports[i - 1]) < 64;
	}
	CHECK(__builtin_popcount(parts) >= 6);
	CHECK(near <= 2);
}

UNIT_TEST(ports_are_nobodys_guess)
{
	struct tcp_pcb *p[64];
	u16 ports[64];

	world_begin();
	for (u16 i = 0; i < 64; i++) {
		p[i] = connect_to(0, HOST_X, (u16)(300 + i));
		ports[i] = port_of(p[i]);
	}
	check_ports(ports, 64);
	for (u32 i = 0; i < 64; i++)
		tcp_abort(p[i]);
	for (u32 i = 0; i < 64; i++) {
		p[i] = listen_on(HOST_A, 0, 1);
		ports[i] = port_of(p[i]);
	}
	check_ports(ports, 64);
	for (u32 i = 0; i < 64; i++)
		tcp_close(p[i]);
	x_forget();
	world_end();
}

/* To one place one after the other, so that one that is over is not soon used again: 3.3.3. */
UNIT_TEST(ports_to_one_place_are_all_used)
{
	struct tcp_pcb *p[9], *other;
	u32 seen = 0;

	world_begin();
	world.ports = 8;
	for (u32 i = 0; i < 8; i++) {
		p[i] = connect_to(0, HOST_X, 400);
		seen |= 1u << (port_of(p[i]) - 32768);
		tcp_abort(p[i]);
	}
	CHECK_EQ(seen, 255);
	/* None is free: but for another place. */
	for (u32 i = 0; i < 8; i++)
		p[i] = connect_to(0, HOST_X, 400);
	CHECK_EQ(tcp_open(NULL, NULL, &other), 0);
	CHECK_EQ(tcp_connect(other, (struct tcp_addr){ HOST_X, net16(400) }), -EADDRNOTAVAIL);
	CHECK_EQ(tcp_connect(other, (struct tcp_addr){ HOST_X, net16(401) }), 0);
	tcp_abort(other);
	for (u32 i = 0; i < 8; i++)
		tcp_abort(p[i]);
	x_forget();
	world_end();
}
