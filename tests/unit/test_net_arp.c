/* unit: net/arp.c net/cksum.c net/ether.c net/gso.c net/icmp.c net/igmp.c net/ifaddr.c net/inet_pcb.c net/ip_input.c net/ip_output.c net/ipfrag.c net/loopback.c net/mcast.c net/netdev.c net/pkt.c net/raw.c net/route.c net/udp.c kernel/lib/string.c kernel/lib/fmt.c kernel/lib/sbuf.c */
/*
 * Neighbours as time passes: who is asked, how often, what becomes of packets that wait; how many
 * there may be. In the world of net/world.h.
 */
#include "tests/unit/net/world.h"

#define THIRD IP_ADDR(10, 0, 0, 33)
#define S NSEC_PER_SEC

static const u8 all[6] = { 255, 255, 255, 255, 255, 255 };

/* Nobody is known, nothing waits. */
static void start(void)
{
	begin();
	time_passes(1000 * S);
	(void)neigh_del(&card, PEER);
	(void)neigh_del(&card, THIRD);
	nsent = nleft = errors = last_error = 0;
}

/* A datagram of @n bytes from port 7. 0 or -errno */
static int try_send(be32 dst, u32 n)
{
	struct ip_out o = { .src = ME, .dst = dst, .proto = IPPROTO_UDP };
	struct pkt *p = pkt_alloc_len(PKT_HEADROOM, n, 0);
	struct route rt;
	int err;

	CHECK(p && !route_lookup(dst, 0, NULL, &rt) && rt.dev == &card);
	err = udp_output(p, &rt, &o, net16(7), net16(9), true);
	run_work();
	return err;
}

static void send_to(be32 dst, u32 n)
{
	CHECK_EQ(try_send(dst, n), 0);
}

static u8 state_of(be32 addr)
{
	struct neigh_info n;

	return neigh_find(&card, addr, &n) ? n.state : NUD_NONE;
}

/* Is the @i-th frame a question about @addr to @mac, @at that time? */
static void check_question(u32 i, be32 addr, const u8 *mac, s64 at)
{
	const struct arp_frame *f = (const struct arp_frame *)sent[i];
	be32 me = ME;

	CHECK(i < nsent && f->e.h_proto == net16(ETH_P_ARP));
	CHECK(f->a.ar_op == net16(ARPOP_REQUEST) && !memcmp(f->tpa, &addr, 4));
	CHECK(!memcmp(f->e.h_dest, mac, 6) && !memcmp(f->e.h_source, my_mac, 6));
	CHECK(!memcmp(f->spa, &me, 4) && !memcmp(f->sha, my_mac, 6));
	CHECK_EQ(sent_at[i], at);
}

static void make_stale(void)
{
	struct arp_frame f = arp_frame(ARPOP_REQUEST, PEER, ME);

	receive(&f, sizeof(f));
	CHECK_EQ(state_of(PEER), NUD_STALE);
	nsent = 0;
}

/* RFC 4861, 7.3.3: used as it is, asked alone when nobody has confirmed it for five seconds. */
UNIT_TEST(a_stale_one_is_asked_alone)
{
	struct arp_frame f = arp_frame(ARPOP_REPLY, PEER, ME);
	s64 from;

	start();
	make_stale();
	time_passes(100 * S); /* who is not used is not asked */
	CHECK(!nsent && state_of(PEER) == NUD_STALE);
	send_to(PEER, 10);
	from = now;
	CHECK(nsent == 1 && !memcmp(sent[0], peer_mac, 6) && state_of(PEER) == NUD_DELAY);
	send_to(PEER, 10);
	CHECK(nsent == 2 && state_of(PEER) == NUD_DELAY);
	time_passes(5 * S - 1);
	CHECK_EQ(nsent, 2);
	time_passes(S / 2);
	CHECK_EQ(state_of(PEER), NUD_PROBE);
	check_question(2, PEER, peer_mac, from + 5 * S);
	send_to(PEER, 10); /* meanwhile it is used */
	CHECK(nsent == 4 && !memcmp(sent[3], peer_mac, 6));
	receive(&f, sizeof(f));
	CHECK_EQ(state_of(PEER), NUD_REACHABLE);
	time_passes(5 * S);
	CHECK_EQ(nsent, 4);
	time_passes(60 * S);
	CHECK_EQ(state_of(PEER), NUD_STALE);
	CHECK_EQ(nsent, 4);
}

UNIT_TEST(a_confirmed_one_is_not_asked)
{
	start();
	make_stale();
	time_passes(100 * S);
	send_to(PEER, 10);
	time_passes(4 * S);
	arp_confirm(&card, PEER);
	CHECK_EQ(state_of(PEER), NUD_REACHABLE);
	time_passes(10 * S);
	CHECK_EQ(nsent, 1);
}

/* Three times, a second apart; then it is as if it were not known. */
UNIT_TEST(a_silent_one_fails)
{
	s64 from;

	start();
	make_stale();
	send_to(PEER, 10);
	from = now;
	time_passes(8 * S - 1);
	CHECK_EQ(nsent, 4);
	for (u32 i = 0; i < 3; i++)
		check_question(i + 1, PEER, peer_mac, from + (5 + i) * S);
	CHECK_EQ(state_of(PEER), NUD_PROBE);
	time_passes(1);
	CHECK_EQ(state_of(PEER), NUD_FAILED);
	time_passes(100 * S);
	CHECK(nsent == 4 && !errors);
	send_to(PEER, 10);
	check_question(4, PEER, all, now);
	CHECK(nsent == 5 && state_of(PEER) == NUD_INCOMPLETE);
}

/* RFC 1122, 2.3.2: all are asked three times, once a second; who waits is told EHOSTUNREACH. */
UNIT_TEST(an_unknown_one_fails_and_who_waits_is_told)
{
	s64 from;

	start();
	send_to(THIRD, 10);
	from = now;
	time_passes(S / 2);
	send_to(THIRD, 10); /* asks no more often */
	CHECK_EQ(nsent, 1);
	time_passes(5 * S / 2 - 1);
	CHECK(nsent == 3 && !errors);
	for (u32 i = 0; i < 3; i++)
		check_question(i, THIRD, all, from + i * S);
	CHECK_EQ(state_of(THIRD), NUD_INCOMPLETE);
	time_passes(1);
	CHECK_EQ(state_of(THIRD), NUD_FAILED);
	CHECK(errors && last_error == EHOSTUNREACH);
	CHECK_EQ(nsent, 3);
	time_passes(100 * S);
	CHECK_EQ(nsent, 3);
	begin(); /* nothing is held any more */
}

/* unres_qlen: the oldest make room, the others go in order when the answer came. */
UNIT_TEST(so_many_wait)
{
	struct arp_frame f = arp_frame(ARPOP_REPLY, THIRD, ME);
	u32 most = (u32)ip_conf(&card, NEIGH_QUEUE);

	start();
	CHECK(most >= 3 && most < 200);
	for (u32 i = 0; i < most + 5; i++)
		send_to(THIRD, 10 + i);
	CHECK_EQ(nsent, 1);
	nsent = nleft = 0;
	receive(&f, sizeof(f));
	CHECK_EQ(nleft, most);
	for (u32 i = 0; i < 3; i++)
		CHECK_EQ(sent_len[i], 14 + 20 + 8 + 10 + 5 + i);
	begin();
}

/* gc_thresh3: the one that was not used for longest goes, but none that was set by hand. */
UNIT_TEST(so_many_are_known)
{
	static const u8 mac[6] = { 2, 1 };
	struct neigh_info n;
	u32 known = 0;

	start();
	CHECK_EQ(neigh_max, 1024);
	while (neigh_get(0, &n))
		CHECK(!neigh_del(&card, n.addr));
	CHECK(!neigh_set(&card, IP_ADDR(10, 0, 9, 9), NUD_PERMANENT, mac, NEIGH_CREATE));
	for (u32 i = 1; i < 1024; i++) {
		now += S / 1000;
		CHECK(!neigh_set(&card, net32(0x0a010000 + i), NUD_STALE, mac, NEIGH_CREATE));
	}
	while (neigh_get(known, &n))
		known++;
	CHECK_EQ(known, 1024);
	send_to(THIRD, 10); /* the 1,025th */
	CHECK_EQ(state_of(THIRD), NUD_INCOMPLETE);
	CHECK_EQ(state_of(IP_ADDR(10, 0, 9, 9)), NUD_PERMANENT);
	CHECK_EQ(state_of(net32(0x0a010001)), NUD_NONE);
	CHECK_EQ(state_of(net32(0x0a010002)), NUD_STALE);
	known = 0;
	while (neigh_get(known, &n))
		known++;
	CHECK_EQ(known, 1024);
	/* With all of them set by hand there is no room: what would wait is lost. */
	neigh_max = 1;
	while (neigh_get(0, &n))
		CHECK(!neigh_del(n.dev, n.addr));
	CHECK(!neigh_set(&card, IP_ADDR(10, 0, 9, 9), NUD_PERMANENT, mac, NEIGH_CREATE));
	CHECK_EQ(try_send(THIRD, 10), -ENOBUFS);
	CHECK_EQ(state_of(THIRD), NUD_NONE);
	neigh_max = 1024;
	CHECK(!neigh_del(&card, IP_ADDR(10, 0, 9, 9)));
	begin();
}

/* arp_notify: RFC 5227, 3: who comes says who it is. */
UNIT_TEST(who_comes_says_so)
{
	static const u8 zero[6];
	const struct arp_frame *f = (const struct arp_frame *)sent[0];
	be32 me = ME;

	start();
	for (int notify = 0; notify < 2; notify++) {
		card.conf.v[IPV4_DEVCONF_ARP_NOTIFY] = notify;
		CHECK(!netdev_set_flags(&card, 0, IFF_UP));
		run_work();
		nsent = 0;
		CHECK(!netdev_set_flags(&card, IFF_UP, IFF_UP));
		run_work();
		CHECK_EQ(nsent, notify);
	}
	card.conf.v[IPV4_DEVCONF_ARP_NOTIFY] = 0;
	check_question(0, ME, all, now);
	CHECK(!memcmp(f->tha, zero, 6) && !memcmp(f->spa, &me, 4));
}
