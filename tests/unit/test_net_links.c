/* unit: net/arp.c net/cksum.c net/ether.c net/gso.c net/icmp.c net/igmp.c net/ifaddr.c net/inet_pcb.c net/ip_input.c net/ip_output.c net/ipfrag.c net/loopback.c net/mcast.c net/netdev.c net/pkt.c net/raw.c net/route.c net/udp.c kernel/lib/string.c kernel/lib/fmt.c kernel/lib/sbuf.c */
/*
 * What the stack tells its links, and what it hears there: IGMP, packets that are for others, claims
 * to an address. In the world of net/world.h.
 */
#include <linux/igmp.h>
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

/* A report of version 3 with one record about GROUP, of this kind, with these sources. */
static void check_list(u8 kind, const be32 *src, u32 n)
{
	const u8 *m = igmp_sent(IP_ADDR(224, 0, 0, 22), 16 + 4 * n);

	CHECK(m[0] == 0x22 && m[7] == 1 && m[8] == kind && !memcmp(m + 12, &(be32){ GROUP }, 4));
	CHECK(m[10] == 0 && m[11] == n);
	for (u32 i = 0; i < n; i++) { /* in any order */
		u32 k = 0;

		while (k < n && memcmp(m + 16 + 4 * k, &src[i], 4))
			k++;
		CHECK(k < n);
	}
}

static void check_v3(u8 kind)
{
	check_list(kind, NULL, 0);
}

#define S1 IP_ADDR(10, 0, 0, 51)
#define S2 IP_ADDR(10, 0, 0, 52)
#define S3 IP_ADDR(10, 0, 0, 53)

static struct mc_filter *filter(u8 mode, u32 n, be32 a, be32 b)
{
	struct mc_filter *f = malloc(sizeof(*f) + 2 * sizeof(be32));

	*f = (struct mc_filter){ .mode = mode, .n = n };
	f->src[0] = a;
	f->src[1] = b;
	return f;
}

static const struct mc_filter everything = { .mode = MCAST_EXCLUDE };

static int change(struct netdev *d, be32 group, const struct mc_filter *old,
		  const struct mc_filter *new)
{
	int err;

	mutex_lock(&net_config_lock);
	err = netdev_mc_change(d, group, old, new);
	mutex_unlock(&net_config_lock);
	return err;
}

static int join(struct netdev *d, be32 group)
{
	return change(d, group, NULL, &everything);
}

static int leave(struct netdev *d, be32 group)
{
	return change(d, group, &everything, NULL);
}

/* What is said twice, the second time within a second, and then no more. */
#define CHECK_TWICE(check)                \
	do {                              \
		pass(0);                  \
		check;                    \
		pass(NSEC_PER_SEC);       \
		check;                    \
		pass(100 * NSEC_PER_SEC); \
		CHECK_EQ(nsent, 0);       \
	} while (0)

UNIT_TEST(groups_are_reported)
{
	const u8 v3_query[12] = { 0x11, 20 }, v2_query[8] = { 0x11, 100 };
	const u8 v2_report[8] = { 0x16, 0, 0, 0, 239, 1, 2, 3 };
	const u8 *m;
	struct ip_frame f;

	begin();
	CHECK(!join(&card, GROUP));
	CHECK(!join(&card, GROUP));
	CHECK_TWICE(check_v3(IGMPV3_CHANGE_TO_EXCLUDE));
	igmp_frame(&f, IP_ADDR(224, 0, 0, 1), v3_query, 12);
	pass(2 * NSEC_PER_SEC);
	check_v3(IGMPV3_MODE_IS_EXCLUDE);
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
	CHECK(!leave(&card, GROUP));
	CHECK(netdev_mc_member(&card, GROUP, 0));
	CHECK(!leave(&card, GROUP));
	CHECK(!netdev_mc_member(&card, GROUP, 0));
	CHECK_TWICE(check_v3(IGMPV3_CHANGE_TO_INCLUDE));
	CHECK(list_empty(&mcast_groups));
}

/* RFC 3376, 3.2 and 5.1: one member by source, then another with more, then one that wants all. */
UNIT_TEST(sources_are_reported)
{
	const be32 both[] = { S1, S2 }, third[] = { S3 };
	struct mc_filter *in1 = filter(MCAST_INCLUDE, 1, S1, 0);
	struct mc_filter *in12 = filter(MCAST_INCLUDE, 2, S1, S2);
	struct mc_filter *ex13 = filter(MCAST_EXCLUDE, 2, S1, S3);

	begin();
	CHECK(!change(&card, GROUP, NULL, in1));
	CHECK(netdev_mc_member(&card, GROUP, S1) && !netdev_mc_member(&card, GROUP, S2));
	CHECK_TWICE(check_list(IGMPV3_ALLOW_NEW_SOURCES, both, 1));
	CHECK(!change(&card, GROUP, NULL, in12));
	CHECK(netdev_mc_member(&card, GROUP, S2));
	CHECK_TWICE(check_list(IGMPV3_ALLOW_NEW_SOURCES, both + 1, 1));
	CHECK(!change(&card, GROUP, NULL, ex13)); /* S1 is wanted by others */
	CHECK(netdev_mc_member(&card, GROUP, S1) && !netdev_mc_member(&card, GROUP, S3));
	CHECK(netdev_mc_member(&card, GROUP, PEER));
	CHECK_TWICE(check_list(IGMPV3_CHANGE_TO_EXCLUDE, third, 1));
	CHECK(!change(&card, GROUP, in12, NULL)); /* S2 was never kept away */
	CHECK(!change(&card, GROUP, in1, NULL)); /* nobody wants S1 any more */
	CHECK(!netdev_mc_member(&card, GROUP, S1) && netdev_mc_member(&card, GROUP, S2));
	CHECK_TWICE(check_list(IGMPV3_BLOCK_OLD_SOURCES, both, 1));
	CHECK(!change(&card, GROUP, ex13, in12)); /* the mode, with all of the list */
	CHECK_TWICE(check_list(IGMPV3_CHANGE_TO_INCLUDE, both, 2));
	CHECK(!change(&card, GROUP, in12, in1));
	CHECK_TWICE(check_list(IGMPV3_BLOCK_OLD_SOURCES, both + 1, 1));
	CHECK(!change(&card, GROUP, in1, NULL));
	CHECK_TWICE(check_list(IGMPV3_BLOCK_OLD_SOURCES, both, 1));
	CHECK(list_empty(&mcast_groups));
	free(in1);
	free(in12);
	free(ex13);
}

/* A router asks about a source of GROUP: is there an answer? */
static u32 ask(be32 src)
{
	u8 q[16] = { 0x11, 20, 0, 0, 239, 1, 2, 3, 2, 125, 0, 1 };
	struct ip_frame f;

	memcpy(q + 12, &src, 4);
	igmp_frame(&f, GROUP, q, 16);
	pass(2 * NSEC_PER_SEC);
	return nsent;
}

UNIT_TEST(questions_about_sources_are_answered)
{
	const u8 whole[12] = { 0x11, 20, 0, 0, 239, 1, 2, 3 };
	const u8 some[16] = { 0x11, 20, 0, 0, 239, 1, 2, 3, 2, 125, 0, 1, 10, 0, 0, 51 };
	u8 bad[16] = { 0x11, 20, 0, 0, 239, 1, 2, 3, 2, 125, 0, 2, 10, 0, 0, 51 };
	struct mc_filter *in = filter(MCAST_INCLUDE, 2, S1, S2);
	struct mc_filter *ex = filter(MCAST_EXCLUDE, 2, S1, S2);
	const be32 both[] = { S1, S2 };
	struct ip_frame f;

	begin();
	CHECK(!change(&card, GROUP, NULL, in));
	CHECK_TWICE(check_list(IGMPV3_ALLOW_NEW_SOURCES, both, 2));
	CHECK_EQ(ask(S3), 0);
	CHECK_EQ(ask(S2), 1);
	check_list(IGMPV3_MODE_IS_INCLUDE, both + 1, 1);
	igmp_frame(&f, GROUP, some, 16);
	igmp_frame(&f, GROUP, whole, 12); /* both questions have one answer */
	pass(2 * NSEC_PER_SEC);
	check_list(IGMPV3_MODE_IS_INCLUDE, both, 2);
	igmp_frame(&f, GROUP, bad, 16); /* it says that there are more */
	memset(bad + 4, 0, 4);
	bad[11] = 1;
	igmp_frame(&f, IP_ADDR(224, 0, 0, 1), bad, 16); /* sources of which group? */
	pass(2 * NSEC_PER_SEC);
	CHECK_EQ(nsent, 0);
	CHECK(!change(&card, GROUP, in, ex));
	CHECK_TWICE(check_list(IGMPV3_CHANGE_TO_EXCLUDE, both, 2));
	CHECK_EQ(ask(S1), 0); /* whom nobody wants */
	CHECK_EQ(ask(S3), 1);
	check_list(IGMPV3_MODE_IS_EXCLUDE, both, 2);
	CHECK(!change(&card, GROUP, ex, NULL));
	pass(0);
	check_v3(IGMPV3_CHANGE_TO_INCLUDE);
	CHECK(!change(&card, GROUP, NULL, in)); /* before that was said again: in one */
	pass(0);
	check_list(IGMPV3_CHANGE_TO_INCLUDE, both, 2);
	CHECK(!change(&card, GROUP, in, NULL));
	pass(100 * NSEC_PER_SEC);
	pass(100 * NSEC_PER_SEC);
	CHECK(list_empty(&mcast_groups));
	free(in);
	free(ex);
}

/* More than a message has room for, and memory that ends. */
UNIT_TEST(long_lists_of_sources)
{
	struct mc_filter *f = malloc(sizeof(*f) + 300 * sizeof(be32));
	u32 n = 0;

	begin();
	*f = (struct mc_filter){ .mode = MCAST_INCLUDE, .n = 300 };
	for (u32 i = 0; i < 300; i++)
		f->src[i] = IP_ADDR(10, 1, i / 250, i % 250);
	for (u64 i = 1; i <= 301; i += 50) {
		fail_alloc = i;
		CHECK_EQ(change(&card, GROUP, NULL, f), -ENOBUFS);
		CHECK(list_empty(&mcast_groups));
	}
	fail_alloc = 0;
	CHECK(!change(&card, GROUP, NULL, f));
	pass(0);
	for (u32 i = 0; i < nsent; i++)
		n += sent[i][ETH_HLEN + 24 + 11];
	CHECK(nsent == 3 && n == 300);
	CHECK(!change(&card, GROUP, f, NULL));
	pass(0);
	CHECK_EQ(nsent, 3);
	pass(NSEC_PER_SEC);
	CHECK(list_empty(&mcast_groups));
	free(f);
}

UNIT_TEST(groups_that_are_not_reported)
{
	u8 bad[12] = { 0x11, 20 };
	struct ip_frame f;

	begin();
	CHECK(!join(netdev_lo, GROUP));
	CHECK(!join(&card, IP_ADDR(224, 0, 0, 1)));
	igmp_frame(&f, IP_ADDR(224, 0, 0, 1), bad, 12);
	pass(100 * NSEC_PER_SEC);
	CHECK_EQ(nsent, 0);
	CHECK(!leave(netdev_lo, GROUP));
	CHECK(!leave(&card, IP_ADDR(224, 0, 0, 1)));
	for (u32 n = 0; n < 12; n++) /* cut off */
		igmp_frame(&f, IP_ADDR(224, 0, 0, 1), bad, MAX(n, 4u));
	pass(100 * NSEC_PER_SEC);
	CHECK_EQ(nsent, 0);
	CHECK(list_empty(&mcast_groups));
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
	arp_watch(&card, wanted, true);
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
	/* Who probes for one in use is answered, and it stays ours (RFC 5227, 2.4). */
	arp_watch(&card, wanted, false);
	f = arp_frame(ARPOP_REQUEST, 0, wanted);
	receive(&f, sizeof(f));
	CHECK_EQ(claims, 2);
	f = arp_frame(ARPOP_REPLY, wanted, ME);
	receive(&f, sizeof(f));
	CHECK_EQ(claims, 3);
	arp_watch(&card, 0, false);
	receive(&f, sizeof(f));
	CHECK_EQ(claims, 3);
}
