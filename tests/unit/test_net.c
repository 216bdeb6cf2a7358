/* unit: net/arp.c net/cksum.c net/ether.c net/gso.c net/icmp.c net/igmp.c net/ifaddr.c net/inet_pcb.c net/ip_input.c net/ip_output.c net/ipfrag.c net/loopback.c net/mcast.c net/netdev.c net/pkt.c net/raw.c net/route.c net/udp.c kernel/lib/string.c kernel/lib/fmt.c kernel/lib/sbuf.c */
/*
 * The IP stack with a card that is a list of frames, a clock that the test turns, and work that runs
 * when the test says so. Good frames, lying ones, and random damage; each runs under ASan and UBSan.
 */
#include "tests/unit/net/world.h"

UNIT_TEST(checksum_is_that_of_rfc_1071)
{
	static const u8 example[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };
	u8 data[300];

	CHECK_EQ(net16(cksum_fold(cksum_add(example, 8, 0))), 0xddf2);
	for (u32 i = 0; i < sizeof(data); i++)
		data[i] = (u8)unit_random();
	for (u32 n = 0; n < sizeof(data); n++) {
		u32 sum = 0;

		for (u32 i = 0; i < n; i++)
			sum += (u32)data[i] << (i & 1 ? 8 : 0);
		CHECK_EQ(cksum_fold(cksum_add(data, n, 0)) % 0xffff, cksum_fold(sum) % 0xffff);
	}
	memset(data, 0xff, sizeof(data));
	CHECK_EQ(cksum_fold(cksum_add(data, 300, 0xffffffff)), 0xffff);
}

UNIT_TEST(packets_with_fragments)
{
	struct pkt *p, *q;
	u8 in[9000], out[9000];

	begin();
	for (u32 i = 0; i < sizeof(in); i++)
		in[i] = (u8)(i * 31 + i / 256);
	p = pkt_alloc_len(32, sizeof(in), 0);
	CHECK(p && p->len == sizeof(in) && p->nfrags == 3);
	pkt_copy_in(p, 0, in, sizeof(in));
	CHECK(pkt_linear(p, 20) && !memcmp(p->head, in, 20));
	pkt_copy_out(p, 0, out, sizeof(out));
	CHECK(!memcmp(in, out, sizeof(in)));
	q = pkt_copy(p, 10);
	pkt_drop_front(p, 4101);
	pkt_trim(p, 3000);
	pkt_copy_out(p, 0, out, 3000);
	CHECK(p->len == 3000 && !memcmp(in + 4101, out, 3000));
	pkt_copy_out(q, 0, out, sizeof(out));
	CHECK(!memcmp(in, out, sizeof(in)));
	for (u32 off = 0; off < 60; off++) {
		u16 whole = cksum_fold(cksum_add(in + off, 8000, 0));

		CHECK_EQ(cksum_fold(pkt_cksum(q, off, 8000, 0)) % 0xffff, whole % 0xffff);
	}
	pkt_put(p);
	pkt_put(q);
	CHECK_EQ(pages_used(), 0);
}

UNIT_TEST(arp_answers_and_asks)
{
	struct arp_frame f, *r = (struct arp_frame *)sent[0];
	struct neigh_info n;
	struct ip_frame ip;

	begin();
	(void)neigh_del(&card, PEER);
	f = arp_frame(ARPOP_REQUEST, PEER, ME);
	receive(&f, sizeof(f));
	CHECK(nsent == 1 && r->a.ar_op == net16(ARPOP_REPLY) && !memcmp(r->tha, peer_mac, 6));
	CHECK(neigh_find(&card, PEER, &n) && n.state == NUD_STALE);
	(void)neigh_del(&card, PEER);
	nsent = 0;
	/* To somebody unknown: a question, the datagram when the answer came. */
	receive(&ip, udp_frame(&ip, 9999, 4));
	CHECK(nsent == 1 && r->a.ar_op == net16(ARPOP_REQUEST));
	f = arp_frame(ARPOP_REPLY, PEER, ME);
	receive(&f, sizeof(f));
	CHECK(nsent == 2 && ((struct ip_frame *)sent[1])->data[0] == ICMP_DEST_UNREACH);
	CHECK(neigh_find(&card, PEER, &n) && n.state == NUD_REACHABLE);
	/* Confirmed just now: another's claim is not believed; an unasked one makes no entry. */
	memset(f.sha, 6, 6);
	receive(&f, sizeof(f));
	CHECK(neigh_find(&card, PEER, &n) && !memcmp(n.mac, peer_mac, 6));
	f = arp_frame(ARPOP_REPLY, IP_ADDR(10, 0, 0, 77), ME);
	receive(&f, sizeof(f));
	CHECK(!neigh_find(&card, IP_ADDR(10, 0, 0, 77), &n));
	f = arp_frame(ARPOP_REQUEST, ME, ME);
	receive(&f, sizeof(f));
	CHECK(!neigh_find(&card, ME, &n));
}

UNIT_TEST(datagrams_reach_their_port)
{
	struct ip_frame f;
	u32 n;

	begin();
	know_peer();
	n = udp_frame(&f, 7, 100);
	receive(&f, n);
	CHECK(got == 1 && got_len == 100 && got_data[99] == 99);
	receive(&f, n + 18); /* padded by the link */
	CHECK(got == 2 && got_len == 100);
	for (u32 cut = 0; cut < n; cut++)
		receive(&f, cut);
	CHECK_EQ(got, 2);
	f.data[20] ^= 1;
	receive(&f, n);
	CHECK_EQ(got, 2);
	/* To a group that all are members of: each listener has a copy, with its headers. */
	n = udp_frame(&f, 7, 50);
	memcpy(f.e.h_dest, "\1\0\x5e\0\0\1", 6);
	f.ip.daddr = IP_ADDR(224, 0, 0, 1);
	f.ip.check = 0;
	f.ip.check = (u16)~cksum_fold(cksum_add(&f.ip, 20, 0));
	((struct udphdr *)f.data)->check = 0;
	receive(&f, n);
	CHECK(got == 3 && got_len == 50 && got_data[49] == 49);
	receive(&f, udp_frame(&f, 8, 100));
	CHECK(nsent == 1 && ((struct ip_frame *)sent[0])->data[1] == ICMP_PORT_UNREACH);
}

UNIT_TEST(headers_that_lie_are_dropped)
{
	struct ip_frame f;
	u32 n, dropped = 0;

	begin();
	know_peer();
	for (u32 i = 0; i < 160; i++) { /* each bit of the header turned, with the sum put right */
		n = udp_frame(&f, 7, 10);
		((u8 *)&f.ip)[i / 8] ^= (u8)(1 << i % 8);
		f.ip.check = 0;
		f.ip.check = (u16)~cksum_fold(cksum_add(&f.ip, 20, 0));
		got = 0;
		receive(&f, n);
		dropped += !got;
	}
	CHECK(dropped > 100);
	for (u32 i = 0; i < 4; i++) {
		const be32 bad[] = { IP_ADDR(127, 0, 0, 1), IP_ADDR(224, 0, 0, 5), IP_BROADCAST,
				     ME };

		n = udp_frame(&f, 7, 10);
		f.ip.saddr = bad[i];
		f.ip.check = 0;
		f.ip.check = (u16)~cksum_fold(cksum_add(&f.ip, 20, 0));
		got = 0;
		receive(&f, n);
		CHECK_EQ(got, 0);
	}
}

static u8 fragment_tos;

static void send_fragment(const u8 *whole, u32 off, u32 n, bool more, u16 id)
{
	struct ip_frame f;
	u32 len = ip_frame(&f, IPPROTO_UDP, n, (u16)(off / 8 | (more ? IP_MF : 0)));

	f.ip.id = net16(id);
	f.ip.tos = fragment_tos;
	f.ip.check = 0;
	f.ip.check = (u16)~cksum_fold(cksum_add(&f.ip, 20, 0));
	memcpy(f.data, whole + off, n);
	receive(&f, len);
}

UNIT_TEST(fragments_in_any_order)
{
	struct ip_frame f;
	u8 whole[1600];
	u32 queues;

	begin();
	know_peer();
	(void)udp_frame(&f, 7, 1592);
	memcpy(whole, f.data, 1600);
	for (u32 order = 0; order < 24; order++) {
		u32 left = 15, at = order;

		got = 0;
		for (u32 i = 4; i; i--) {
			u32 pick = at % i, k = 0;

			at /= i;
			for (;; k++) {
				if ((left >> k & 1) && !pick--)
					break;
			}
			left &= ~(1u << k);
			CHECK_EQ(got, 0);
			send_fragment(whole, k * 400, 400, k < 3, (u16)(100 + order));
			send_fragment(whole, k * 400, left ? 400 : 8, true, (u16)(100 + order));
		}
		CHECK(got == 1 && got_len == 1592 && !memcmp(got_data, whole + 8, 1592));
		now += 40 * NSEC_PER_SEC; /* the one that came too late */
	}
	/* One that overlaps makes the whole go; one that is never complete is forgotten in time. */
	got = 0;
	send_fragment(whole, 0, 400, true, 5);
	send_fragment(whole, 392, 408, true, 5);
	send_fragment(whole, 400, 400, true, 5);
	send_fragment(whole, 800, 800, false, 5);
	CHECK_EQ(got, 0);
	for (u32 i = 0; i < 3000; i++)
		send_fragment(whole, 8, 800, true, (u16)(i + 1000));
	CHECK(ip_frag_memory(&queues) <= (5u << 20) && queues <= 1024);
	/* Nor may many that were begun grow beyond the limit. */
	for (u32 at = 0; at < 1600; at += 16) {
		for (u32 i = 0; i < 1000; i++)
			send_fragment(whole, at, 8, true, (u16)(i + 5000));
	}
	CHECK(ip_frag_memory(&queues) <= (5u << 20) && queues <= 1024);
}

/* RFC 3168, 5.3: by the marks of two fragments; -1: the datagram is lost. */
UNIT_TEST(marks_of_fragments)
{
	static const struct {
		u8 tos[2];
		int ecn;
	} cases[] = { { { 0, 0 }, 0 },	{ { 2, 2 }, 2 },  { { 2, 3 }, 3 }, { { 3, 1 }, 3 },
		      { { 0, 3 }, -1 }, { { 3, 0 }, -1 }, { { 3, 3 }, 3 } };
	struct ip_frame f;
	u8 whole[1600];

	begin();
	(void)udp_frame(&f, 7, 1592);
	memcpy(whole, f.data, 1600);
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		got = 0;
		fragment_tos = cases[i].tos[0];
		send_fragment(whole, 0, 800, true, (u16)(i + 9000));
		fragment_tos = cases[i].tos[1];
		send_fragment(whole, 800, 800, false, (u16)(i + 9000));
		CHECK_EQ(got, cases[i].ecn >= 0);
		if (got)
			CHECK_EQ(got_ecn, cases[i].ecn);
	}
	fragment_tos = 0;
}

UNIT_TEST(echo_is_answered_within_limits)
{
	struct ip_frame f, *r = (struct ip_frame *)sent[0];
	struct icmphdr *h = (struct icmphdr *)f.data;
	u32 n;

	begin();
	know_peer();
	memset(f.data, 'e', 64);
	*h = (struct icmphdr){ .type = ICMP_ECHO };
	h->checksum = (u16)~cksum_fold(cksum_add(f.data, 64, 0));
	n = ip_frame(&f, IPPROTO_ICMP, 64, 0);
	receive(&f, n);
	CHECK(nsent == 1 && r->data[0] == ICMP_ECHOREPLY && r->ip.daddr == PEER);
	CHECK_EQ(cksum_fold(cksum_add(r->data, 64, 0)), 0xffff);
	/* Errors are limited: of a hundred for one peer a few go out. */
	nsent = 0;
	for (u32 i = 0; i < 100; i++)
		receive(&f, udp_frame(&f, 8, 1));
	CHECK(nsent > 0 && nsent < 10);
}

/* RFC 792: the sender's time comes back, ours is behind it, and nothing of what was too much. */
UNIT_TEST(the_time_is_told)
{
	struct ip_frame f, *r = (struct ip_frame *)sent[0];
	struct icmphdr *h = (struct icmphdr *)f.data;

	begin();
	know_peer();
	for (u32 len = 8; len <= 40; len += 4) {
		u32 n, ms = net32((u32)((u64)time_wall() / NSEC_PER_MSEC % 86400000));

		memset(f.data, 't', len);
		*h = (struct icmphdr){ .type = ICMP_TIMESTAMP };
		h->checksum = (u16)~cksum_fold(cksum_add(f.data, len, 0));
		n = ip_frame(&f, IPPROTO_ICMP, len, 0);
		nsent = 0;
		receive(&f, n);
		CHECK_EQ(nsent, len >= 20);
		if (!nsent)
			continue;
		CHECK(r->data[0] == ICMP_TIMESTAMPREPLY && r->ip.daddr == PEER);
		CHECK_EQ(net16(r->ip.tot_len), 40);
		CHECK_EQ(cksum_fold(cksum_add(r->data, 20, 0)), 0xffff);
		CHECK(!memcmp(r->data + 8, "tttt", 4));
		CHECK(!memcmp(r->data + 12, &ms, 4) && !memcmp(r->data + 16, &ms, 4));
	}
}

/* Nobody can count by what he gets what others got: SAD DNS, CVE-2020-25705. */
UNIT_TEST(the_limit_of_all_errors_is_not_exact)
{
	u32 least = ~0u, most = 0;
	struct ip_frame f;

	begin();
	know_peer();
	icmp_ratelimit = 0;
	for (u32 round = 0; round < 10; round++) {
		u32 n = 0;

		now += 10 * NSEC_PER_SEC;
		for (u32 i = 0; i < 100; i++) {
			nsent = 0;
			receive(&f, udp_frame(&f, 8, 1));
			n += nsent;
		}
		least = MIN(least, n);
		most = MAX(most, n);
	}
	icmp_ratelimit = 1000;
	CHECK(least > 25 && least < most && most <= 100);
}

/* RFC 1191, 3: what a router tells makes the estimate smaller, never larger, and not too small. */
UNIT_TEST(paths_do_not_grow_by_what_routers_say)
{
	begin();
	CHECK_EQ(route_pmtu(PEER, 1500), 1500);
	route_pmtu_update(PEER, 1000);
	CHECK_EQ(route_pmtu(PEER, 1500), 1000);
	now += 400 * NSEC_PER_SEC;
	route_pmtu_update(PEER, 1400);
	CHECK_EQ(route_pmtu(PEER, 1500), 1000);
	now += 300 * NSEC_PER_SEC;
	CHECK_EQ(route_pmtu(PEER, 1500), 1500);
	route_pmtu_update(PEER, 68);
	CHECK_EQ(route_pmtu(PEER, 1500), 552);
	now += 700 * NSEC_PER_SEC;
}

UNIT_TEST(errors_find_their_socket)
{
	struct ip_frame f;
	struct iphdr *about = (struct iphdr *)(f.data + 8);
	struct udphdr *u = (struct udphdr *)(about + 1);
	struct icmphdr *h = (struct icmphdr *)f.data;
	u32 n;

	begin();
	know_peer();
	*h = (struct icmphdr){ .type = ICMP_DEST_UNREACH, .code = ICMP_PORT_UNREACH };
	*about = (struct iphdr){
		.version = 4, .ihl = 5, .protocol = IPPROTO_UDP, .saddr = ME, .daddr = PEER
	};
	*u = (struct udphdr){ .source = net16(7), .dest = net16(9) };
	h->checksum = (u16)~cksum_fold(cksum_add(f.data, 36, 0));
	n = ip_frame(&f, IPPROTO_ICMP, 36, 0);
	receive(&f, n);
	CHECK(errors == 1 && last_error == ECONNREFUSED);
	for (u32 cut = 0; cut < n; cut++)
		receive(&f, cut);
	CHECK_EQ(errors, 1);
}

UNIT_TEST(large_datagrams_are_cut_to_the_mtu)
{
	struct ip_out o = { .src = ME, .dst = PEER, .proto = IPPROTO_UDP };
	struct pkt *p = NULL;
	struct route rt;
	u32 total = 0;

	begin();
	know_peer();
	CHECK(!route_lookup(PEER, 0, NULL, &rt) && rt.dev == &card && rt.src == ME);
	p = pkt_alloc_len(PKT_HEADROOM, 5000, 0);
	CHECK(p != NULL);
	CHECK(!udp_output(p, &rt, &o, net16(7), net16(9), true));
	CHECK_EQ(nsent, 4);
	for (u32 i = 0; i < nsent; i++) {
		const struct ip_frame *f = (const struct ip_frame *)sent[i];

		CHECK(sent_len[i] <= 1514 && sent_len[i] == 14u + net16(f->ip.tot_len));
		CHECK_EQ((net16(f->ip.frag_off) & IP_OFFSET) * 8u, total);
		CHECK_EQ(!!(f->ip.frag_off & net16(IP_MF)), i < nsent - 1);
		total += sent_len[i] - 34;
	}
	CHECK_EQ(total, 5008);
	o.df = true;
	p = pkt_alloc_len(PKT_HEADROOM, 5000, 0);
	CHECK_EQ(udp_output(p, &rt, &o, net16(7), net16(9), true), -EMSGSIZE);
	CHECK_EQ(pages_used(), 0);
}

UNIT_TEST(routes_by_longest_prefix_and_metric)
{
	struct rt_entry r = { .gateway = PEER, .type = RTN_UNICAST, .table = RT_TABLE_MAIN };
	struct route rt;

	begin();
	CHECK_EQ(route_lookup(IP_ADDR(8, 8, 8, 8), 0, NULL, &rt), -ENETUNREACH);
	CHECK(!route_add(&r, ROUTE_CREATE));
	CHECK_EQ(route_add(&r, ROUTE_CREATE), -EEXIST);
	CHECK(!route_lookup(IP_ADDR(8, 8, 8, 8), 0, NULL, &rt) && rt.nexthop == PEER && rt.gateway);
	r.dst = IP_ADDR(8, 8, 0, 0);
	r.prefix = 16;
	r.gateway = IP_ADDR(10, 0, 0, 3);
	CHECK(!route_add(&r, ROUTE_CREATE));
	CHECK(!route_valid(&rt));
	CHECK(!route_lookup(IP_ADDR(8, 8, 8, 8), 0, NULL, &rt) && rt.nexthop == r.gateway);
	r.gateway = IP_ADDR(99, 0, 0, 1);
	r.metric = 1;
	(void)route_del(&(struct rt_entry){ .table = RT_TABLE_MAIN });
	CHECK_EQ(route_add(&r, ROUTE_CREATE), -ENETUNREACH);
	r = (struct rt_entry){ .dst = IP_ADDR(8, 8, 0, 0), .prefix = 16, .table = RT_TABLE_MAIN };
	while (!route_del(&r))
		;
	r = (struct rt_entry){ .table = RT_TABLE_MAIN };
	while (!route_del(&r))
		;
	CHECK_EQ(route_lookup(IP_ADDR(8, 8, 8, 8), 0, NULL, &rt), -ENETUNREACH);
	CHECK(!route_lookup(IP_ADDR(127, 0, 0, 1), 0, NULL, &rt) && rt.dev == netdev_lo);
	CHECK(!route_lookup(ME, 0, NULL, &rt) && rt.type == ROUTE_LOCAL);
	CHECK(!route_lookup(IP_ADDR(10, 0, 0, 255), 0, NULL, &rt) && rt.type == ROUTE_BROADCAST);
}

static be32 source_to(be32 dst)
{
	struct route rt;

	return route_lookup(dst, 0, NULL, &rt) ? 0 : rt.src;
}

/* A throw ends the search in its table; the next table is asked, which knows more of some. */
UNIT_TEST(routes_are_thrown_to_the_next_table)
{
	struct rt_entry r[] = {
		{ .gateway = PEER, .type = RTN_UNICAST, .table = RT_TABLE_MAIN },
		{ .dst = IP_ADDR(8, 8, 0, 0),
		  .prefix = 16,
		  .type = RTN_THROW,
		  .table = RT_TABLE_MAIN },
		{ .dst = IP_ADDR(8, 8, 8, 0),
		  .prefix = 24,
		  .gateway = IP_ADDR(10, 0, 0, 3),
		  .type = RTN_UNICAST,
		  .table = RT_TABLE_DEFAULT },
		{ .dst = IP_ADDR(9, 9, 9, 0),
		  .prefix = 24,
		  .gateway = IP_ADDR(10, 0, 0, 3),
		  .type = RTN_UNICAST,
		  .table = RT_TABLE_DEFAULT },
	};
	struct route rt;

	begin();
	for (u32 i = 0; i < ARRAY_SIZE(r); i++)
		CHECK(!route_add(&r[i], ROUTE_CREATE));
	CHECK_EQ(route_lookup(IP_ADDR(8, 8, 9, 9), 0, NULL, &rt), -ENETUNREACH);
	CHECK(!route_lookup(IP_ADDR(8, 8, 8, 8), 0, NULL, &rt) && rt.nexthop == r[2].gateway);
	CHECK(!route_lookup(IP_ADDR(9, 9, 9, 9), 0, NULL, &rt) && rt.nexthop == PEER);
	for (u32 i = 0; i < ARRAY_SIZE(r); i++)
		CHECK(!route_del(&r[i]));
}

/* An address that reaches less far than the way goes is no source for it, first or not. */
UNIT_TEST(sources_reach_as_far_as_the_way)
{
	struct rt_entry r = { .gateway = PEER, .type = RTN_UNICAST, .table = RT_TABLE_MAIN };
	struct ifaddr a = { .local = IP_ADDR(10, 7, 0, 1), .prefix = 32, .label = "lo" };
	struct rt_entry by_lo = { .dst = IP_ADDR(9, 9, 9, 0),
				  .prefix = 24,
				  .type = RTN_UNICAST,
				  .table = RT_TABLE_MAIN };

	begin();
	a.dev = by_lo.dev = netdev_lo;
	a.peer = a.local;
	CHECK(!route_add(&r, ROUTE_CREATE) && !route_add(&by_lo, ROUTE_CREATE));
	CHECK_EQ(source_to(IP_ADDR(8, 8, 8, 8)), ME);
	CHECK_EQ(source_to(IP_ADDR(9, 9, 9, 9)), ME); /* lo has only 127.0.0.1 */
	CHECK(!ifaddr_add(&a));
	CHECK_EQ(source_to(IP_ADDR(9, 9, 9, 9)), a.local);
	CHECK_EQ(source_to(IP_ADDR(8, 8, 8, 8)), ME);
	CHECK(!ifaddr_del(netdev_lo, a.local, 32, NULL));
	CHECK(!route_del(&r) && !route_del(&by_lo));
}

/* Random frames, and good ones with random damage, with memory failing now and then. */
UNIT_TEST(whatever_comes_does_no_harm)
{
	static struct ip_frame f;
	u8 *b = (u8 *)&f;

	begin();
	know_peer();
	for (u32 i = 0; i < 60000; i++) {
		u32 n = udp_frame(&f, 7, (u32)(unit_random() % 200));
		u64 r = unit_random();

		if (r % 3 == 0)
			n = ip_frame(&f, r >> 8 & 1 ? IPPROTO_ICMP : (u8)(r >> 9), (r >> 17) % 100,
				     (u16)(r >> 33));
		if (r % 7 == 0)
			f.e.h_proto = net16(ETH_P_ARP);
		for (u32 k = 0; k < (r >> 50) % 6; k++)
			b[unit_random() % n] = (u8)unit_random();
		if (r >> 60 & 1) { /* let it come further */
			f.ip.check = 0;
			f.ip.check = (u16)~cksum_fold(cksum_add(&f.ip, 20, 0));
		}
		fail_alloc = r % 11 == 0 ? 1 + (r >> 40) % 6 : 0;
		receive(&f, (r >> 61) ? n : (u32)(unit_random() % (n + 1)));
		fail_alloc = 0;
		if (i % 64 == 0) {
			now += NSEC_PER_SEC;
			nsent = 0;
		}
	}
	CHECK(!thread.net_queue);
}
