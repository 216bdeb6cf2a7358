/* unit: net/arp.c net/cksum.c net/ether.c net/gso.c net/icmp.c net/igmp.c net/ifaddr.c net/inet_pcb.c net/ip_input.c net/ip_output.c net/ipfrag.c net/loopback.c net/mcast.c net/netdev.c net/pkt.c net/raw.c net/route.c net/udp.c kernel/lib/string.c kernel/lib/fmt.c kernel/lib/sbuf.c */
/*
 * What the way of a datagram does to it: links that are too small for it, pieces that are lost;
 * and the port it leaves from. In the world of net/world.h.
 */
#include "tests/unit/net/world.h"

#define S NSEC_PER_SEC
#define OTHER IP_ADDR(10, 0, 0, 3)

static void start(void)
{
	begin();
	time_passes(1000 * S);
	know_peer();
	CHECK(!neigh_set(&card, OTHER, NUD_PERMANENT, peer_mac, NEIGH_CREATE | NEIGH_REPLACE));
	nsent = nleft = got = errors = last_error = last_info = 0;
}

/* A router says that of a datagram from @port to PEER's port 9 so much would fit. */
static void frag_needed(u16 port, u16 mtu)
{
	struct ip_frame f;
	struct iphdr *about = (struct iphdr *)(f.data + 8);
	struct udphdr *u = (struct udphdr *)(about + 1);
	struct icmphdr *h = (struct icmphdr *)f.data;

	*h = (struct icmphdr){ .type = ICMP_DEST_UNREACH,
			       .code = ICMP_FRAG_NEEDED,
			       .un.frag.mtu = net16(mtu) };
	*about = (struct iphdr){
		.version = 4, .ihl = 5, .protocol = IPPROTO_UDP, .saddr = ME, .daddr = PEER
	};
	*u = (struct udphdr){ .source = net16(port), .dest = net16(9) };
	h->checksum = (u16)~cksum_fold(cksum_add(f.data, 36, 0));
	receive(&f, ip_frame(&f, IPPROTO_ICMP, 36, 0));
}

/* @n bytes of UDP to @dst: the error; *largest: the IP length of the largest packet. */
static int send_to(be32 dst, u32 n, bool df, u32 *largest)
{
	struct ip_out o = { .src = ME, .dst = dst, .proto = IPPROTO_UDP, .df = df };
	struct pkt *p = pkt_alloc_len(PKT_HEADROOM, n, 0);
	struct route rt;
	u32 total = 0;
	int err;

	nsent = nleft = *largest = 0;
	CHECK(p && !route_lookup(dst, 0, NULL, &rt));
	err = udp_output(p, &rt, &o, net16(7), net16(9), true);
	run_work();
	for (u32 i = 0; i < nsent; i++) {
		const struct ip_frame *f = (const struct ip_frame *)sent[i];

		*largest = MAX(*largest, sent_len[i] - 14);
		total += sent_len[i] - 34;
		CHECK_EQ(!!(f->ip.frag_off & net16(IP_DF)), df);
	}
	CHECK(err || total == n + 8);
	return err;
}

/* RFC 1191 for datagrams: too large is told, or they are cut, for ten minutes. */
UNIT_TEST(datagrams_learn_their_path)
{
	struct route before;
	u32 largest;

	start();
	CHECK(!send_to(PEER, 1400, true, &largest) && largest == 1428);
	CHECK(!route_lookup(PEER, 0, NULL, &before) && before.mtu == 1500);
	frag_needed(7, 1000);
	CHECK(errors == 1 && last_error == EMSGSIZE && last_info == 1000);
	CHECK(!route_valid(&before)); /* who remembers it asks again */
	CHECK_EQ(send_to(PEER, 1400, true, &largest), -EMSGSIZE);
	CHECK_EQ(nsent, 0);
	CHECK_EQ(send_to(PEER, 973, true, &largest), -EMSGSIZE);
	CHECK(!send_to(PEER, 972, true, &largest) && largest == 1000);
	CHECK(!send_to(PEER, 1400, false, &largest) && largest <= 1000 && nsent == 2);
	CHECK(!send_to(OTHER, 1400, true, &largest) && largest == 1428);
	/* Not larger again because somebody says so, but after its time. */
	time_passes(300 * S);
	frag_needed(7, 1400);
	CHECK_EQ(send_to(PEER, 1300, true, &largest), -EMSGSIZE);
	time_passes(299 * S);
	CHECK_EQ(send_to(PEER, 1300, true, &largest), -EMSGSIZE);
	time_passes(2 * S);
	CHECK(!send_to(PEER, 1400, true, &largest) && largest == 1428);
}

/* What is too small is taken for an attack: 552 bytes always go. */
UNIT_TEST(paths_have_a_least_size)
{
	u32 largest;

	start();
	frag_needed(7, 68);
	CHECK(!send_to(PEER, 552 - 28, true, &largest) && largest == 552);
	CHECK_EQ(send_to(PEER, 552 - 27, true, &largest), -EMSGSIZE);
	CHECK(!send_to(PEER, 1400, false, &largest) && largest <= 552 && largest > 540);
	time_passes(700 * S);
}

/* About what nobody here sent nothing is learnt; without a size the least. */
UNIT_TEST(paths_are_not_learnt_from_anybody)
{
	u32 largest;

	start();
	frag_needed(4711, 600);
	CHECK(!errors && !send_to(PEER, 1400, true, &largest) && largest == 1428);
	frag_needed(7, 0);
	CHECK_EQ(send_to(PEER, 552 - 27, true, &largest), -EMSGSIZE);
	CHECK(!send_to(PEER, 552 - 28, true, &largest) && largest == 552);
	time_passes(700 * S);
}

/* ip_no_pmtu_disc: what is said is taken, as the least, not at all, from TCP only. */
UNIT_TEST(paths_are_learnt_as_set)
{
	static const u32 most[] = { 1000, 552, 1500, 1500 };
	u32 largest;

	for (int how = 0; how < 4; how++) {
		start();
		ip_no_pmtu_disc = how;
		frag_needed(7, 1000);
		ip_no_pmtu_disc = 0;
		CHECK(!send_to(PEER, most[how] - 28, true, &largest) && largest == most[how]);
		CHECK_EQ(send_to(PEER, most[how] - 27, true, &largest), -EMSGSIZE);
		time_passes(700 * S);
	}
}

/* --- reassembly --- */

static void piece(u32 off, bool more, u16 id, be32 dst)
{
	struct ip_frame whole, f;
	u32 n = ip_frame(&f, IPPROTO_UDP, 800, (u16)(off / 8 | (more ? IP_MF : 0)));

	(void)udp_frame(&whole, 7, 1592);
	f.ip.id = net16(id);
	f.ip.daddr = dst;
	f.ip.check = 0;
	f.ip.check = (u16)~cksum_fold(cksum_add(&f.ip, 20, 0));
	if (dst != ME)
		memset(f.e.h_dest, 255, 6);
	memcpy(f.data, whole.data + off, 800);
	receive(&f, n);
}

/* RFC 792, 1122, 3.3.2: after half a minute its sender is told, if the first piece came. */
UNIT_TEST(a_missing_piece_is_told)
{
	const struct ip_frame *f = (const struct ip_frame *)sent[0];
	const struct iphdr *about = (const struct iphdr *)(f->data + 8);
	u32 queues;
	s64 from;

	start();
	piece(0, true, 77, ME);
	from = now;
	time_passes(20 * S);
	piece(0, true, 77, ME); /* again: that gives it no more time */
	time_passes(10 * S - 1);
	CHECK_EQ(nsent, 0);
	time_passes(S);
	CHECK_EQ(nsent, 1);
	CHECK_EQ(sent_at[0], from + 30 * S);
	CHECK(f->ip.protocol == IPPROTO_ICMP && f->ip.daddr == PEER && f->ip.saddr == ME);
	CHECK(f->data[0] == ICMP_TIME_EXCEEDED && f->data[1] == ICMP_EXC_FRAGTIME);
	CHECK_EQ(cksum_fold(cksum_add(f->data, net16(f->ip.tot_len) - 20, 0)), 0xffff);
	CHECK(about->id == net16(77) && about->saddr == PEER && about->daddr == ME);
	CHECK(about->frag_off == net16(IP_MF) && net16(about->tot_len) == 820);
	CHECK_EQ(net16(((const be16 *)(about + 1))[1]), 7); /* its ports */
	CHECK(!ip_frag_memory(&queues) && !queues);
	begin();
}

UNIT_TEST(not_every_missing_piece_is_told)
{
	u32 queues;

	start();
	piece(800, false, 78, ME); /* the first never came: whose it was cannot be said */
	piece(0, true, 79, IP_ADDR(10, 0, 0, 255)); /* it was to all */
	piece(0, true, 80, ME);
	piece(800, false, 80, ME); /* all there */
	CHECK_EQ(got, 1);
	time_passes(100 * S);
	CHECK_EQ(nsent, 0);
	CHECK(!ip_frag_memory(&queues) && !queues);
	begin();
}

/* --- ports: RFC 6056 --- */

UNIT_TEST(ports_of_datagrams_are_nobodys_guess)
{
	static struct inet_pcb pcb[64];
	u32 parts = 0, near = 0, last = 0;

	start();
	for (u32 i = 0; i < 64; i++) {
		u32 port;

		inet_pcb_init(&pcb[i], &user_ops, PCB_UDP, IPPROTO_UDP);
		CHECK(!inet_pcb_bind(&pcb[i], 0, 0));
		port = net16(pcb[i].lport);
		CHECK(port >= (u32)inet_port_first && port <= (u32)inet_port_last);
		parts |= 1u << (port - (u32)inet_port_first) * 8 /
				       (u32)(inet_port_last - inet_port_first + 1);
		near += port - last + 64 < 128;
		last = port;
	}
	CHECK(__builtin_popcount(parts) >= 6 && near <= 2);
	for (u32 i = 0; i < 64; i++)
		inet_pcb_unbind(&pcb[i]);
}

/* IP_LOCAL_PORT_RANGE: each half counts as far as it is in the range of all. */
UNIT_TEST(ports_of_ones_own_are_some_of_all)
{
	static const struct {
		u32 own_first, own_last, first, last;
	} cases[] = {
		{ 0, 0, 32768, 60999 },		{ 40000, 40001, 40000, 40001 },
		{ 60999, 60999, 60999, 60999 }, { 40000, 0, 40000, 60999 },
		{ 0, 40000, 32768, 40000 },	{ 100, 40000, 32768, 40000 },
		{ 40000, 61000, 40000, 60999 }, { 61000, 61001, 32768, 60999 },
	};
	static struct inet_pcb pcb;
	u32 low;

	start();
	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		u32 own = cases[i].own_last << 16 | cases[i].own_first;

		CHECK_EQ(inet_port_range(own, &low), cases[i].last - cases[i].first + 1);
		CHECK_EQ(low, cases[i].first);
	}
	inet_pcb_init(&pcb, &user_ops, PCB_UDP, IPPROTO_UDP);
	pcb.ports = 40000u << 16 | 40000;
	CHECK_EQ(inet_pcb_bind(&pcb, 0, 0), 0);
	CHECK_EQ(pcb.lport, net16(40000));
	inet_pcb_unbind(&pcb);
}

/* ip_local_port_range: none beside it, and all of it, wherever the search begins. */
UNIT_TEST(ports_of_datagrams_stay_in_their_range)
{
	static struct inet_pcb pcb[5];
	int first = inet_port_first, last = inet_port_last;

	start();
	inet_port_first = 50000;
	inet_port_last = 50003;
	for (u32 round = 0; round < 20; round++) {
		u32 seen = 0;

		for (u32 i = 0; i < 5; i++) {
			inet_pcb_init(&pcb[i], &user_ops, PCB_UDP, IPPROTO_UDP);
			CHECK_EQ(inet_pcb_bind(&pcb[i], 0, 0), i < 4 ? 0 : -EAGAIN);
			if (i < 4)
				seen |= 1u << (net16(pcb[i].lport) - 50000);
		}
		CHECK_EQ(seen, 15);
		for (u32 i = 0; i < 4; i++)
			inet_pcb_unbind(&pcb[i]);
	}
	inet_port_first = first;
	inet_port_last = last;
}
