/* unit: net/arp.c net/cksum.c net/ether.c net/gso.c net/icmp.c net/igmp.c net/ifaddr.c net/inet_pcb.c net/ip_input.c net/ip_output.c net/ipfrag.c net/loopback.c net/mcast.c net/netdev.c net/pkt.c net/raw.c net/route.c net/udp.c kernel/lib/string.c kernel/lib/fmt.c kernel/lib/sbuf.c */
/*
 * Settings of IPv4 that each device has: which packets it takes, whom it answers, how long it waits
 * for a neighbour. In the world of net/world.h.
 */
#include "tests/unit/net/world.h"

#define STRANGER IP_ADDR(10, 9, 9, 9) /* the way to whom is not by the card */

static void set(u32 which, int v)
{
	card.conf.v[which] = v;
}

/* Is a datagram from @src to @dst, to the link's address @mac, heard at port 7? */
static bool heard(be32 src, be32 dst, u8 mac)
{
	static struct ip_frame f;
	u32 len = udp_frame(&f, 7, 4);

	((struct udphdr *)f.data)->check = 0;
	f.e.h_dest[0] |= mac;
	f.ip.saddr = src;
	f.ip.daddr = dst;
	f.ip.check = 0;
	f.ip.check = (u16)~cksum_fold(cksum_add(&f.ip, 20, 0));
	if (mac)
		memset(f.e.h_dest, 0xff, 6);
	got = 0;
	receive(&f, len);
	return got;
}

static bool answered(be32 spa, be32 tpa)
{
	struct arp_frame f = arp_frame(ARPOP_REQUEST, spa, tpa);
	struct arp_frame *r = (struct arp_frame *)sent[0];

	nsent = 0;
	receive(&f, sizeof(f));
	return nsent == 1 && r->a.ar_op == net16(ARPOP_REPLY) && !memcmp(r->spa, &tpa, 4);
}

UNIT_TEST(packets_that_have_another_way_back)
{
	begin();
	CHECK(heard(PEER, ME, 0));
	set(IPV4_DEVCONF_RP_FILTER, 1);
	CHECK(heard(PEER, ME, 0));
	set(IPV4_DEVCONF_RP_FILTER, 0);
	ip_conf_all.v[IPV4_DEVCONF_RP_FILTER] = 1;
	CHECK(heard(PEER, ME, 0));
	CHECK(!netdev_set_flags(&card, 0, IFF_UP)); /* there is no way back at all now */
	CHECK(!heard(PEER, ME, 0));
	ip_conf_all.v[IPV4_DEVCONF_RP_FILTER] = 0;
	CHECK(!netdev_set_flags(&card, IFF_UP, IFF_UP));
	CHECK(heard(PEER, ME, 0));
}

UNIT_TEST(packets_that_are_not_what_they_seem)
{
	begin();
	CHECK(heard(PEER, ME, 1));
	set(IPV4_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST, 1);
	CHECK(!heard(PEER, ME, 1));
	CHECK(heard(PEER, ME, 0));
	set(IPV4_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST, 0);
	CHECK(!heard(PEER, IP_ADDR(127, 0, 0, 1), 0));
	set(IPV4_DEVCONF_ROUTE_LOCALNET, 1);
	CHECK(heard(PEER, IP_ADDR(127, 0, 0, 1), 0));
	set(IPV4_DEVCONF_ROUTE_LOCALNET, 0);
}

UNIT_TEST(who_is_answered_by_arp)
{
	const be32 home = IP_ADDR(127, 0, 0, 1), lo_addr = IP_ADDR(10, 7, 7, 7);
	struct ifaddr a = { .dev = netdev_lo, .local = lo_addr, .peer = lo_addr, .prefix = 32 };

	begin();
	CHECK(!ifaddr_add(&a));
	CHECK(answered(PEER, ME) && answered(PEER, lo_addr) && !answered(PEER, home));
	set(IPV4_DEVCONF_ARP_IGNORE, 1);
	CHECK(answered(STRANGER, ME) && !answered(PEER, lo_addr));
	set(IPV4_DEVCONF_ARP_IGNORE, 2);
	CHECK(answered(PEER, ME) && !answered(STRANGER, ME));
	set(IPV4_DEVCONF_ARP_IGNORE, 8);
	CHECK(!answered(PEER, ME));
	set(IPV4_DEVCONF_ARP_IGNORE, 0);
	set(IPV4_DEVCONF_ARPFILTER, 1);
	CHECK(answered(PEER, ME) && !answered(STRANGER, ME));
	set(IPV4_DEVCONF_ARPFILTER, 0);
	CHECK(!ifaddr_del(netdev_lo, lo_addr, 32, NULL));
}

UNIT_TEST(announcements_that_are_believed)
{
	const be32 third = IP_ADDR(10, 0, 0, 3);
	struct arp_frame f = arp_frame(ARPOP_REQUEST, third, third);
	struct neigh_info n;

	begin();
	receive(&f, sizeof(f));
	CHECK(!neigh_find(&card, third, &n));
	set(IPV4_DEVCONF_ARP_ACCEPT, 1);
	set(IPV4_DEVCONF_DROP_GRATUITOUS_ARP, 1);
	receive(&f, sizeof(f));
	CHECK(!neigh_find(&card, third, &n));
	set(IPV4_DEVCONF_DROP_GRATUITOUS_ARP, 0);
	receive(&f, sizeof(f));
	CHECK(neigh_find(&card, third, &n));
	set(IPV4_DEVCONF_ARP_ACCEPT, 0);
	CHECK(!neigh_del(&card, third));
}

UNIT_TEST(the_next_address_takes_the_place)
{
	const be32 one = IP_ADDR(10, 5, 0, 1), two = IP_ADDR(10, 5, 0, 2);
	struct ifaddr a = { .dev = &card, .local = one, .peer = one, .prefix = 24 };
	struct route rt;

	begin();
	for (int promote = 0; promote < 2; promote++) {
		a.local = a.peer = one;
		CHECK(!ifaddr_add(&a));
		a.local = a.peer = two;
		CHECK(!ifaddr_add(&a));
		set(IPV4_DEVCONF_PROMOTE_SECONDARIES, promote);
		CHECK(!ifaddr_del(&card, one, 24, NULL));
		CHECK_EQ(ip_addr_is_local(two), promote);
		CHECK_EQ(!route_lookup(IP_ADDR(10, 5, 0, 9), 0, NULL, &rt), promote);
	}
	CHECK_EQ(rt.src, two);
	CHECK(!ifaddr_del(&card, two, 24, NULL));
	set(IPV4_DEVCONF_PROMOTE_SECONDARIES, 0);
}

UNIT_TEST(routes_by_a_device_without_a_link)
{
	struct route rt;

	begin();
	netdev_set_carrier(&card, false);
	CHECK(!route_lookup(PEER, 0, NULL, &rt));
	set(IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN, 1);
	CHECK_EQ(route_lookup(PEER, 0, NULL, &rt), -ENETUNREACH);
	netdev_set_carrier(&card, true);
	CHECK(!route_lookup(PEER, 0, NULL, &rt));
	set(IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN, 0);
}

static u32 nnews;

static void count_news(enum net_event what, const void *object, bool gone)
{
	nnews++;
}

/* A driver's device has a link before it is registered, and also when that has failed. */
UNIT_TEST(links_of_devices_that_nobody_knows)
{
	static struct netdev unknown;

	begin();
	nnews = 0;
	net_event_hook = count_news;
	netdev_set_carrier(&unknown, true);
	CHECK(unknown.carrier && !nnews);
	netdev_set_carrier(&card, !card.carrier);
	CHECK_EQ(nnews, 1);
	netdev_set_carrier(&card, !card.carrier);
	net_event_hook = NULL;
}
