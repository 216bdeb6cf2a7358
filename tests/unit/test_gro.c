/* unit: net/arp.c net/cksum.c net/ether.c net/gro.c net/gso.c net/icmp.c net/igmp.c net/ifaddr.c net/inet_pcb.c net/ip_input.c net/ip_output.c net/ipfrag.c net/loopback.c net/mcast.c net/netdev.c net/pkt.c net/raw.c net/route.c net/udp.c kernel/lib/string.c kernel/lib/fmt.c kernel/lib/sbuf.c */
/*
 * Joining of received segments: what becomes one packet, what must not, and that a stream says the
 * same whether its segments were joined or not. Frames come in pages, as a card's driver has them.
 */
#include "tests/unit/net/world.h"
#include <linux/tcp.h>
#include "net/proto.h"

#define PSH 8
#define ACK 16
#define FULL 1460u

static struct gro gro;

/* What TCP was given. */
static struct {
	u32 seq, ack, n, size, flags, wnd;
	be16 port;
} seen[1024];
static u32 nseen;
static bool damaged; /* two wrong bits may have the sum of none */

static u8 byte_at(u32 seq)
{
	return (u8)(seq * 7 + (seq >> 8));
}

static void tcp_input(struct pkt *p)
{
	const struct tcphdr *th = (const struct tcphdr *)p->head;
	const struct iphdr *ip = pkt_net(p);
	u32 hlen = th->doff * 4u, n = p->len - hlen;
	u8 data[70000];

	CHECK_EQ(net16(ip->tot_len), p->len + 20);
	CHECK(cksum_fold(cksum_add(ip, 20, 0)) == 0xffff);
	if (hlen < 20 || hlen > p->len ||
	    !pkt_cksum_ok(p, cksum_pseudo(ip->saddr, ip->daddr, IPPROTO_TCP, p->len))) {
		errors++;
		pkt_put(p);
		return;
	}
	pkt_copy_out(p, hlen, data, n);
	for (u32 i = 0; i < n && !damaged; i++)
		CHECK_EQ(data[i], byte_at(net32(th->seq) + i));
	CHECK(nseen < ARRAY_SIZE(seen));
	seen[nseen].seq = net32(th->seq);
	seen[nseen].ack = net32(th->ack_seq);
	seen[nseen].n = n;
	seen[nseen].size = p->gso_size;
	seen[nseen].flags = ((const u8 *)th)[13];
	seen[nseen].wnd = net16(th->window);
	seen[nseen++].port = th->source;
	pkt_put(p);
}
NET_PROTO(tcp_for_test, .proto = IPPROTO_TCP, .input = tcp_input);

/* A segment to be changed before it goes: sums are put right by feed(). */
struct segment {
	struct ip_frame f;
	u32 len;
	struct tcphdr *th;
};

static struct segment segment(u16 port, u32 seq, u32 ack, u8 flags, u32 n)
{
	struct segment s;
	u8 *th = s.f.data;

	memset(th, 0, 20);
	*(be16 *)th = net16(port);
	*(be16 *)(th + 2) = net16(80);
	*(be32 *)(th + 4) = net32(seq);
	*(be32 *)(th + 8) = net32(ack);
	th[12] = 5 << 4;
	th[13] = flags;
	*(be16 *)(th + 14) = net16(1000);
	for (u32 i = 0; i < n; i++)
		th[20 + i] = byte_at(seq + i);
	s.len = ip_frame(&s.f, IPPROTO_TCP, 20 + n, IP_DF);
	return s;
}

/* Twelve bytes of options: timestamps, or what @kind makes of them. */
static void options(struct segment *s, u8 kind, u32 tsval)
{
	u32 n = s->len - 54;
	u8 *o = s->f.data + 20;

	memmove(o + 12, o, n);
	memcpy(o, "\x01\x01\x08\x0a", 4);
	o[2] = kind;
	tsval = net32(tsval);
	memcpy(o + 4, &tsval, 4);
	memset(o + 8, 0, 4);
	s->f.data[12] = 8 << 4;
	s->len = ip_frame(&s->f, IPPROTO_TCP, 32 + n, IP_DF);
}

static void sums(struct segment *s)
{
	u32 n = s->len - 34;

	memset(s->f.data + 16, 0, 2);
	*(u16 *)(s->f.data + 16) = (u16)~cksum_fold(
		cksum_add(s->f.data, n,
			  cksum_fold(cksum_pseudo(s->f.ip.saddr, s->f.ip.daddr, IPPROTO_TCP, n))));
	s->f.ip.check = 0;
	s->f.ip.check = (u16)~cksum_fold(cksum_add(&s->f.ip, 20, 0));
}

/* As the driver does it. */
static void arrive(const void *frame, u32 len)
{
	struct page *page = pmm_alloc(0, 0);
	u8 *at = (u8 *)page_to_va(page) + 14;
	u32 part = len > 256 ? 128 : len;

	memcpy(at, frame, len);
	if (!gro_join(&gro, page, 14, len, false)) {
		struct pkt *p = pkt_alloc(66, 256, 0);

		memcpy(pkt_append(p, part), at, part);
		if (len > part) {
			CHECK(pkt_add_frag(p, page, 14 + part, len - part));
			page_get(page);
		}
		p->dev = &card;
		gro_rx(&gro, p);
	}
	page_put(page);
}

static void feed(struct segment s)
{
	sums(&s);
	arrive(&s.f, s.len);
}

static void start(void)
{
	begin();
	card.conf.v[IPV4_DEVCONF_FORWARDING] = 0;
	net_tap.on = 0;
	nseen = 0;
}

static void done(u32 want)
{
	gro_flush(&gro);
	CHECK_EQ(nseen, want);
	CHECK_EQ(gro.n, 0);
	CHECK_EQ(pages_used(), 0);
}

UNIT_TEST(segments_become_one_packet)
{
	struct netdev_stats before, after;

	start();
	netdev_get_stats(&card, &before);
	for (u32 i = 0; i < 5; i++)
		feed(segment(5, 1000 + i * FULL, 9, ACK, FULL));
	CHECK_EQ(nseen, 0);
	feed(segment(5, 1000 + 5 * FULL, 9, ACK | PSH, 100)); /* the end: it does not wait */
	CHECK_EQ(nseen, 1);
	CHECK(seen[0].n == 5 * FULL + 100 && seen[0].size == FULL && seen[0].seq == 1000);
	CHECK_EQ(seen[0].flags, ACK | PSH);
	netdev_get_stats(&card, &after);
	CHECK_EQ(after.rx_packets - before.rx_packets, 6);
	CHECK_EQ(after.rx_bytes - before.rx_bytes, 5 * (FULL + 54) + 154);
	done(1);
	/* One that is shorter than the first ends it too; one alone is as it was. */
	feed(segment(5, 0, 9, ACK, 700));
	feed(segment(5, 700, 9, ACK, 699));
	CHECK(nseen == 2 && seen[1].n == 1399 && seen[1].size == 700);
	feed(segment(5, 1399, 9, ACK, 30));
	done(3);
	CHECK(seen[2].n == 30 && seen[2].size == 0);
}

UNIT_TEST(packets_have_bounds)
{
	u32 total = 0;

	start();
	for (u32 i = 0; i < 100; i++)
		feed(segment(5, i * FULL, 9, ACK, FULL));
	gro_flush(&gro);
	for (u32 i = 0; i < nseen; i++) {
		CHECK_EQ(seen[i].seq, total);
		total += seen[i].n;
	}
	CHECK_EQ(total, 100 * FULL);
	CHECK(nseen >= 2 && nseen <= 7);
	done(nseen);
}

/* Behind a full segment comes @s: two packets, in order, @n bytes in the second. */
static void apart(struct segment s, u32 n)
{
	nseen = 0;
	feed(segment(5, 1000, 9, ACK, FULL));
	feed(s);
	gro_flush(&gro);
	CHECK_EQ(nseen, 2);
	CHECK(seen[0].n == FULL && seen[0].size == 0 && seen[1].n == n && seen[1].size == 0);
	CHECK_EQ(pages_used(), 0);
}

UNIT_TEST(what_differs_stays_apart)
{
	struct segment s;
	u32 next = 1000 + FULL;

	start();
	apart(segment(5, next + 1, 9, ACK, FULL), FULL); /* a gap */
	apart(segment(5, next - 1, 9, ACK, FULL), FULL);
	apart(segment(5, 1000, 9, ACK, FULL), FULL); /* again */
	apart(segment(5, next, 10, ACK, FULL), FULL);
	apart(segment(5, next, 9, ACK, FULL + 1), FULL + 1);
	apart(segment(5, next, 9, ACK, 0), 0);
	apart(segment(5, next, 10, ACK, 0), 0);
	for (u8 flag = 1; flag;
	     flag = (u8)(flag << 1)) { /* FIN, SYN, RST, URG, ECE, CWR; not ACK */
		if (flag != PSH)
			apart(segment(5, next, 9, flag == ACK ? 0 : ACK | flag, FULL), FULL);
	}
	s = segment(5, next, 9, ACK, FULL);
	*(be16 *)(s.f.data + 14) = net16(999);
	apart(s, FULL);
	s = segment(5, next, 9, ACK, FULL);
	s.f.ip.tos = 3; /* congestion was experienced */
	apart(s, FULL);
	s = segment(5, next, 9, ACK, FULL);
	s.f.ip.ttl--;
	apart(s, FULL);
	s = segment(5, next, 9, ACK, FULL);
	s.f.e.h_source[5] ^= 1;
	apart(s, FULL);
	s = segment(5, next, 9, ACK, FULL - 20);
	options(&s, 8, 1);
	apart(s, FULL - 20);
	s = segment(5, next, 9, ACK, FULL - 20);
	options(&s, 30, 1);
	apart(s, FULL - 20);
	s = segment(5, next, 9, ACK, FULL);
	s.f.data[12] |= 1; /* a reserved bit */
	apart(s, FULL);
}

UNIT_TEST(damage_is_not_joined)
{
	struct segment s;

	start();
	feed(segment(5, 1000, 9, ACK, FULL));
	s = segment(5, 1000 + FULL, 9, ACK, FULL);
	sums(&s);
	s.f.data[500] ^= 1;
	arrive(&s.f, s.len);
	CHECK_EQ(errors, 1);
	feed(segment(5, 1000 + FULL, 9, ACK, FULL));
	sums(&s);
	s.f.ip.id ^= 1; /* IP's sum is wrong now: nobody sees it */
	arrive(&s.f, s.len);
	done(2);
	/* The other way round: what is held was looked at first. */
	s = segment(5, 1000, 9, ACK, FULL);
	sums(&s);
	s.f.data[1000] ^= 1;
	arrive(&s.f, s.len);
	feed(segment(5, 1000 + FULL, 9, ACK, FULL));
	CHECK_EQ(errors, 2);
	done(3);
	/* Lengths that lie. */
	for (u32 total = 0; total < 60; total++) {
		s = segment(5, 1000 + 2 * FULL, 9, ACK, 4);
		s.f.ip.tot_len = net16((u16)total);
		feed(s);
		s = segment(5, 1000 + 2 * FULL, 9, ACK, 4);
		s.f.data[12] = (u8)(total << 4);
		feed(s);
		s = segment(5, 1000 + 2 * FULL, 9, ACK, 4);
		sums(&s);
		arrive(&s.f, 14 + total % 44);
	}
	gro_flush(&gro);
	CHECK_EQ(pages_used(), 0);
}

UNIT_TEST(random_damage)
{
	start();
	damaged = true;
	for (u32 i = 0; i < 50000; i++) {
		struct segment s = segment((u16)(5 + unit_random() % 2), i / 4 * 8, 9, ACK, 8);

		if (i % 5 == 0)
			options(&s, 8, 1);
		sums(&s);
		for (u32 k = unit_random() % 3; k; k--)
			((u8 *)&s.f)[unit_random() % 66] ^= 1 << unit_random() % 8;
		arrive(&s.f, unit_random() % 4 ? s.len : 14 + unit_random() % 60);
		if (nseen > 900)
			nseen = 0;
		run_work();
	}
	gro_flush(&gro);
	damaged = false;
	CHECK_EQ(pages_used(), 0);
}

UNIT_TEST(what_the_link_padded_is_cut)
{
	struct segment s;

	start();
	for (u32 i = 0; i < 3; i++) {
		s = segment(5, i * 4, 9, ACK, 4);
		sums(&s);
		memset((u8 *)&s.f + s.len, 0xee, 2);
		arrive(&s.f, 60);
	}
	done(1);
	CHECK_EQ(seen[0].n, 12);
}

UNIT_TEST(acknowledgments_take_the_place_of_earlier_ones)
{
	struct segment s;

	start();
	for (u32 i = 0; i < 9; i++)
		feed(segment(5, 1000, 0xfffffff0 + i * 10, ACK, 0));
	done(1);
	CHECK_EQ(seen[0].ack, 0xfffffff0 + 80);
	nseen = 0;
	feed(segment(5, 1000, 50, ACK, 0));
	feed(segment(5, 1000, 50, ACK, 0)); /* duplicates are counted */
	feed(segment(5, 1000, 50, ACK, 0));
	s = segment(5, 1000, 50, ACK, 0);
	*(be16 *)(s.f.data + 14) = net16(2000); /* a window */
	feed(s);
	feed(segment(5, 1000, 60, ACK, 0)); /* more, and a window: the newest counts */
	feed(segment(5, 1000, 55, ACK, 0)); /* an old one */
	feed(segment(5, 1001, 70, ACK, 0)); /* of another place */
	feed(segment(5, 1001, 80, ACK, 1)); /* with data */
	done(7);
	CHECK(seen[3].ack == 60 && seen[3].wnd == 1000 && seen[4].ack == 55 && seen[6].n == 1);
	nseen = 0;
	for (u32 i = 0; i < 4; i++) { /* timestamps that grow, and one that is older */
		s = segment(5, 1000, 50 + i, ACK, 0);
		options(&s, 8, i < 3 ? 7 + i : 6);
		feed(s);
	}
	s = segment(5, 1000, 60, ACK, 0);
	options(&s, 5, 0); /* SACK */
	feed(s);
	done(3);
	CHECK(seen[0].ack == 52 && seen[1].ack == 53 && seen[2].ack == 60);
}

UNIT_TEST(nothing_is_held_while_packets_are_looked_at)
{
	start();
	feed(segment(5, 0, 9, ACK, FULL));
	card.conf.v[IPV4_DEVCONF_FORWARDING] = 1;
	feed(segment(6, 0, 9, ACK, FULL));
	CHECK_EQ(nseen, 2);
	feed(segment(6, FULL, 9, ACK, FULL));
	CHECK_EQ(nseen, 3);
	card.conf.v[IPV4_DEVCONF_FORWARDING] = 0;
	done(3);
}

/* Flows at once, with losses, repetitions and marks: each hears what it would have heard. */
UNIT_TEST(streams_say_the_same)
{
	static u32 sent_seq[8][1024], sent_n[8][1024], nsent_of[8];

	for (u32 round = 0; round < 200; round++) {
		u32 flows = 1 + unit_random() % 8, next[8] = { 0 }, heard[8] = { 0 };

		start();
		memset(nsent_of, 0, sizeof(nsent_of));
		for (u32 i = 0; i < 64; i++) {
			u32 f = unit_random() % flows,
			    n = unit_random() % 8 ? FULL : unit_random() % FULL;
			u32 seq = unit_random() % 16 ? next[f]
						     : next[f] + (unit_random() % 3 - 1) * 10;
			u8 flags = (u8)(ACK | (unit_random() % 16 ? 0 : PSH));

			if (!n)
				continue;
			feed(segment((u16)(100 + f), seq, 9, flags, n));
			sent_seq[f][nsent_of[f]] = seq;
			sent_n[f][nsent_of[f]++] = n;
			next[f] = seq + n;
		}
		gro_flush(&gro);
		for (u32 i = 0; i < nseen; i++) {
			u32 f = net16(seen[i].port) - 100u, seq = seen[i].seq, left = seen[i].n;

			while (left) { /* a packet is the segments that were sent next */
				CHECK(heard[f] < nsent_of[f]);
				CHECK_EQ(sent_seq[f][heard[f]], seq);
				CHECK(sent_n[f][heard[f]] <= left);
				seq += sent_n[f][heard[f]];
				left -= sent_n[f][heard[f]++];
			}
		}
		for (u32 f = 0; f < flows; f++)
			CHECK_EQ(heard[f], nsent_of[f]);
		CHECK_EQ(pages_used(), 0);
	}
}
