/* unit: net/arp.c net/cksum.c net/ether.c net/gso.c net/icmp.c net/igmp.c net/ifaddr.c net/inet_pcb.c net/ip_input.c net/ip_output.c net/ipfrag.c net/loopback.c net/mcast.c net/netdev.c net/pkt.c net/raw.c net/route.c net/udp.c kernel/lib/string.c kernel/lib/fmt.c kernel/lib/sbuf.c */
/*
 * What the stack tells its links, and what it hears there: IGMP, packets that are for others, claims
 * to an address. In the world of net/world.h.
 */
#include "tests/unit/net/world.h"

/* --- groups --- */

#define GROUP IP_ADDR(239, 1, 2, 3)

static void igmp_frame(struct ip_frame *f, be32 dst, const void *msg, u32 n)
{
	u16 sum;

	ip_frame(f, IPPROTO_IGMP, n, 0);
	f->ip.daddr = dst;
	f->ip.check = 0;
	f->ip.check = (u16)~cksum_fold(cksum_add(&f->ip, 20, 0));
	memcpy(f->data, msg, n);
	memset(f->data + 2, 0, 2);
	sum = (u16)~cksum_fold(cksum_add(f->data, n, 0));
	memcpy(f->data + 2, &sum, 2);
	receive(f, ETH_HLEN + 20 + n);
}

/* All that is due within @ns. */
static void pass(s64 ns)
{
	nsent = 0;
	now += ns;
	igmp_kick();
	run_work();
}

/* The message of the frame that was sent; its sum, its option and its TTL are right. */
static const u8 *igmp_sent(be32 dst, u32 len)
{
	const struct iphdr *ip = (const struct iphdr *)(sent[0] + ETH_HLEN);
	const u8 *msg = sent[0] + ETH_HLEN + 24;

	CHECK_EQ(nsent, 1);
	CHECK_EQ(ip->ihl, 6);
	CHECK_EQ(ip->ttl, 1);
	CHECK_EQ(ip->daddr, dst);
	CHECK(!memcmp(ip + 1, "\x94\4\0\0", 4));
	CHECK_EQ(net16(ip->tot_len), 24 + len);
	CHECK_EQ(cksum_fold(cksum_add(msg, len, 0)), 0xffff);
	CHECK(!memcmp(sent[0], "\1\0\x5e", 3));
	return msg;
}

/* A report of version 3 with one record about GROUP, of this kind. */
static void check_v3(u8 kind)
{
	const u8 *m = igmp_sent(IP_ADDR(224, 0, 0, 22), 16);

	CHECK(m[0] == 0x22 && m[7] == 1 && m[8] == kind && !memcmp(m + 12, &(be32){ GROUP }, 4));
}

UNIT_TEST(groups_are_reported)
{
	const u8 v3_query[12] = { 0x11, 20 }, v2_query[8] = { 0x11, 100 };
	const u8 v2_report[8] = { 0x16, 0, 0, 0, 239, 1, 2, 3 };
	const u8 *m;
	struct ip_frame f;

	begin();
	CHECK(!netdev_mc_join(&card, GROUP));
	CHECK(!netdev_mc_join(&card, GROUP));
	pass(0);
	check_v3(MCAST_JOINS);
	pass(NSEC_PER_SEC);
	check_v3(MCAST_JOINS);
	pass(100 * NSEC_PER_SEC);
	CHECK_EQ(nsent, 0);
	igmp_frame(&f, IP_ADDR(224, 0, 0, 1), v3_query, 12);
	pass(2 * NSEC_PER_SEC);
	check_v3(MCAST_IS_MEMBER);
	pass(100 * NSEC_PER_SEC);
	CHECK_EQ(nsent, 0);
	igmp_frame(&f, IP_ADDR(224, 0, 0, 1), v2_query, 8); /* an older router: its version */
	pass(10 * NSEC_PER_SEC);
	m = igmp_sent(GROUP, 8);
	CHECK(m[0] == 0x16 && !memcmp(m + 4, &(be32){ GROUP }, 4));
	igmp_frame(&f, IP_ADDR(224, 0, 0, 1), v2_query, 8);
	nsent = 0;
	igmp_frame(&f, GROUP, v2_report, 8); /* somebody else was first */
	pass(10 * NSEC_PER_SEC);
	CHECK_EQ(nsent, 0);
	pass(500 * NSEC_PER_SEC);
	CHECK(!netdev_mc_leave(&card, GROUP));
	CHECK(netdev_mc_member(&card, GROUP));
	CHECK(!netdev_mc_leave(&card, GROUP));
	CHECK(!netdev_mc_member(&card, GROUP));
	pass(0);
	check_v3(MCAST_LEAVES);
	pass(NSEC_PER_SEC);
	check_v3(MCAST_LEAVES);
	pass(100 * NSEC_PER_SEC);
	CHECK_EQ(nsent, 0);
	CHECK_EQ(netdev_mc_leave(&card, GROUP), -EADDRNOTAVAIL);
	CHECK(list_empty(&mcast_groups));
}

UNIT_TEST(groups_that_are_not_reported)
{
	u8 bad[12] = { 0x11, 20 };
	struct ip_frame f;

	begin();
	CHECK(!netdev_mc_join(netdev_lo, GROUP));
	CHECK(!netdev_mc_join(&card, IP_ADDR(224, 0, 0, 1)));
	igmp_frame(&f, IP_ADDR(224, 0, 0, 1), bad, 12);
	pass(100 * NSEC_PER_SEC);
	CHECK_EQ(nsent, 0);
	CHECK(!netdev_mc_leave(netdev_lo, GROUP));
	CHECK(!netdev_mc_leave(&card, IP_ADDR(224, 0, 0, 1)));
	for (u32 n = 0; n < 12; n++) /* cut off */
		igmp_frame(&f, IP_ADDR(224, 0, 0, 1), bad, MAX(n, 4u));
	pass(100 * NSEC_PER_SEC);
	CHECK_EQ(nsent, 0);
}

/* --- forwarding --- */

#define FAR IP_ADDR(10, 1, 0, 2)

static void send_far(struct ip_frame *f, u32 n, u8 ttl, u16 frag)
{
	u32 len = ip_frame(f, IPPROTO_UDP, n, frag);

	f->ip.daddr = FAR;
	f->ip.ttl = ttl;
	f->ip.check = 0;
	f->ip.check = (u16)~cksum_fold(cksum_add(&f->ip, 20, 0));
	nsent = 0;
	receive(f, len);
}

/* An ICMP error to PEER was sent. */
static void check_error(u8 type, u8 code)
{
	const struct iphdr *ip = (const struct iphdr *)(sent[0] + ETH_HLEN);
	const u8 *icmp = (const u8 *)(ip + 1);

	CHECK_EQ(nsent, 1);
	CHECK(ip->protocol == IPPROTO_ICMP && ip->daddr == PEER);
	CHECK_EQ(icmp[0], type);
	CHECK_EQ(icmp[1], code);
}

UNIT_TEST(packets_for_others)
{
	static struct netdev other = { .name = "eth%d", .ops = &card_ops, .carrier = true };
	const u8 mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct ifaddr a = { .dev = &other,
			    .local = IP_ADDR(10, 1, 0, 1),
			    .peer = IP_ADDR(10, 1, 0, 1),
			    .prefix = 24,
			    .flags = IFA_F_PERMANENT };
	const struct iphdr *ip = (const struct iphdr *)(sent[0] + ETH_HLEN);
	struct ip_frame f;

	begin();
	ether_setup(&other, mac);
	CHECK(!netdev_register(&other));
	CHECK(!netdev_set_flags(&other, IFF_UP, IFF_UP));
	CHECK(!ifaddr_add(&a));
	CHECK(!neigh_set(&other, FAR, NUD_PERMANENT, peer_mac, NEIGH_CREATE));
	know_peer();
	send_far(&f, 100, 64, 0);
	CHECK_EQ(nsent, 0); /* not asked to */
	card.conf.v[IPV4_DEVCONF_FORWARDING] = 1;
	send_far(&f, 100, 64, 0);
	CHECK_EQ(nsent, 1);
	CHECK(ip->ttl == 63 && ip->daddr == FAR && ip->saddr == PEER);
	CHECK_EQ(cksum_fold(cksum_add(ip, 20, 0)), 0xffff);
	CHECK(!memcmp(sent[0] + ETH_ALEN, mac, ETH_ALEN));
	send_far(&f, 100, 1, 0);
	check_error(ICMP_TIME_EXCEEDED, ICMP_EXC_TTL);
	CHECK(!netdev_set_mtu(&other, 576));
	send_far(&f, 1000, 64, IP_DF);
	check_error(ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED);
	send_far(&f, 1000, 64, 0);
	CHECK_EQ(nsent, 2); /* cut */
	CHECK(!ifaddr_del(&other, a.local, 24, NULL));
	send_far(&f, 100, 64, 0);
	check_error(ICMP_DEST_UNREACH, ICMP_NET_UNREACH);
	card.conf.v[IPV4_DEVCONF_FORWARDING] = 0;
	(void)neigh_del(&other, FAR);
	CHECK(!netdev_set_flags(&other, 0, IFF_UP));
}

/* --- somebody else has the address --- */

static u32 claims;
static void on_claim(void)
{
	claims++;
}

UNIT_TEST(claims_to_an_address_are_told)
{
	const be32 wanted = IP_ADDR(10, 0, 0, 77);
	struct arp_frame f = arp_frame(ARPOP_REPLY, wanted, ME);

	begin();
	arp_watch_fn = on_claim;
	receive(&f, sizeof(f));
	CHECK_EQ(claims, 0); /* nothing is watched */
	arp_watch(&card, wanted);
	arp_probe(&card, wanted);
	CHECK_EQ(nsent, 1);
	CHECK(!memcmp(sent[0] + ETH_HLEN + 14, "\0\0\0\0", 4)); /* from nobody */
	CHECK(!memcmp(sent[0] + ETH_HLEN + 24, &wanted, 4));
	receive(&f, sizeof(f));
	CHECK_EQ(claims, 1);
	f = arp_frame(ARPOP_REQUEST, 0, wanted); /* another that probes for it */
	receive(&f, sizeof(f));
	CHECK_EQ(claims, 2);
	f = arp_frame(ARPOP_REQUEST, PEER, wanted); /* who only asks has no claim */
	receive(&f, sizeof(f));
	f = arp_frame(ARPOP_REPLY, wanted, ME);
	memcpy(f.sha, my_mac, ETH_ALEN); /* ourselves */
	receive(&f, sizeof(f));
	CHECK_EQ(claims, 2);
	arp_watch(&card, 0);
	f = arp_frame(ARPOP_REPLY, wanted, ME);
	receive(&f, sizeof(f));
	CHECK_EQ(claims, 2);
}
