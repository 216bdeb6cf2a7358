/* unit: net/arp.c net/cksum.c net/ether.c net/gso.c net/icmp.c net/igmp.c net/ifaddr.c net/inet_pcb.c net/ip_input.c net/ip_output.c net/ipfrag.c net/loopback.c net/mcast.c net/netdev.c net/pkt.c net/raw.c net/route.c net/udp.c kernel/lib/string.c kernel/lib/fmt.c kernel/lib/sbuf.c */
/*
 * The IP stack with a card that is a list of frames, a clock that the test turns, and work that runs
 * when the test says so. Good frames, lying ones, and random damage; each runs under ASan and UBSan.
 */
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include <stdlib.h>
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/work.h"
#include "mm/slab.h"
#include "net/arp.h"
#include "net/mcast_internal.h"
#include "net/udp.h"
#include "tests/unit/unit.h"

/* --- the kernel below --- */

#define PAGES 512u
static u8 arena[PAGES][PAGE_SIZE] __aligned(PAGE_SIZE);
static struct page pages[PAGES];
struct page *pmm_pages = pages;
u64 pmm_base_pfn, pmm_end_pfn;
static s64 now = NSEC_PER_SEC;
static struct thread thread;
static struct work *queued[8];
static u32 nqueued;
static u64 fail_alloc; /* so many allocations from now one fails; 0: none */

struct arch_thread *arch_current(void)
{
	return &thread.arch;
}

void *kmalloc(size_t n, u32 flags)
{
	return fail_alloc && !--fail_alloc ? NULL : malloc(n);
}

void *kzalloc(size_t n, u32 flags)
{
	void *p = kmalloc(n, flags);

	return p ? memset(p, 0, n) : NULL;
}

void *kcalloc(size_t n, size_t size, u32 flags)
{
	return kzalloc(n * size, flags);
}

void *kmemdup(const void *from, size_t n, u32 flags)
{
	void *p = kmalloc(n, flags);

	return p ? memcpy(p, from, n) : NULL;
}

void kfree(const void *p)
{
	free((void *)p);
}

struct page *pmm_alloc(u32 order, u32 flags)
{
	for (u32 i = 0; i < PAGES; i++) {
		if (!pages[i].refs) {
			pages[i].refs = 1;
			return &pages[i];
		}
	}
	return NULL;
}

void page_put(struct page *p)
{
	CHECK(p->refs > 0);
	p->refs--;
}

static u32 pages_used(void)
{
	u32 n = 0;

	for (u32 i = 0; i < PAGES; i++)
		n += pages[i].refs != 0;
	return n;
}

void spin_init(struct spinlock *l, enum lock_rank rank)
{
}
void spin_lock(struct spinlock *l)
{
	CHECK(!l->locked++);
}
void spin_unlock(struct spinlock *l)
{
	CHECK(!--l->locked);
}
void mutex_lock(struct mutex *m)
{
}
void mutex_unlock(struct mutex *m)
{
}
bool mutex_is_mine(const struct mutex *m)
{
	return true;
}
void preempt_enable_slow(void)
{
}
s64 time_now(void)
{
	return now;
}
s64 time_wall(void)
{
	return now;
}
u64 rand_u64(void)
{
	return unit_random();
}
void work_init(struct work *w, void (*fn)(struct work *w))
{
	w->fn = fn;
	w->queued = false;
}

bool work_queue(struct work *w)
{
	if (w->queued)
		return false;
	w->queued = true;
	queued[nqueued++] = w;
	return true;
}

void timeout_set(struct timeout *t, s64 deadline)
{
	t->deadline = deadline;
	t->armed = true;
}

ssize_t uio_copy_to(struct uio *u, const void *src, size_t n)
{
	return -EFAULT;
}
ssize_t uio_copy_from(struct uio *u, void *dst, size_t n)
{
	return -EFAULT;
}

static void run_work(void)
{
	while (nqueued) {
		struct work *w = queued[--nqueued];

		w->queued = false;
		w->fn(w);
	}
}

/* --- the card and who listens --- */

static u8 sent[16][4096]; /* frames that went out */
static u32 sent_len[16], nsent;
static u32 got, got_len, errors, last_error;
static u8 got_data[70000];

static int card_xmit(struct netdev *d, struct pkt *p)
{
	if (nsent < 16 && p->len <= sizeof(sent[0])) {
		pkt_copy_out(p, 0, sent[nsent], p->len);
		sent_len[nsent++] = p->len;
	}
	pkt_put(p);
	return 0;
}

static const struct netdev_ops card_ops = { .xmit = card_xmit };
static const u8 my_mac[6] = { 2, 0, 0, 0, 0, 1 }, peer_mac[6] = { 2, 0, 0, 0, 0, 2 };
static struct netdev card = { .name = "eth%u", .ops = &card_ops, .carrier = true };
#define ME IP_ADDR(10, 0, 0, 1)
#define PEER IP_ADDR(10, 0, 0, 2)

static void user_input(struct inet_pcb *pcb, struct pkt *p)
{
	CHECK_EQ(pkt_net(p)->saddr, PEER);
	CHECK_EQ(((const be16 *)pkt_transport(p))[1], net16(7));
	got++;
	got_len = p->len;
	pkt_copy_out(p, 0, got_data, p->len);
	pkt_put(p);
}

static void user_error(struct inet_pcb *pcb, struct pkt *p, const struct net_error *e)
{
	errors++;
	last_error = (u32)e->err;
}

static void user_destroy(struct inet_pcb *pcb)
{
}
static const struct inet_pcb_ops user_ops = { .input = user_input,
					      .error = user_error,
					      .destroy = user_destroy };
static struct inet_pcb udp_pcb;

/* Everything is set up once; each test begins with nothing sent and nothing heard. */
static void begin(void)
{
	static bool done;

	if (!done) {
		struct ifaddr a = { .dev = &card,
				    .local = ME,
				    .peer = ME,
				    .prefix = 24,
				    .broadcast = IP_ADDR(10, 0, 0, 255),
				    .flags = IFA_F_PERMANENT };

		done = true;
		pmm_base_pfn = va_to_pa(arena) >> PAGE_SHIFT;
		net_init();
		ether_setup(&card, my_mac);
		card.features = NETDEV_SG;
		CHECK(!netdev_register(&card) && !strcmp(card.name, "eth0"));
		CHECK(!netdev_set_flags(netdev_lo, IFF_UP, IFF_UP));
		CHECK(!netdev_set_flags(&card, IFF_UP, IFF_UP));
		CHECK(!ifaddr_add(&a));
		inet_pcb_init(&udp_pcb, &user_ops, PCB_UDP, IPPROTO_UDP);
		CHECK(!inet_pcb_bind(&udp_pcb, 0, net16(7)));
	}
	fail_alloc = 0;
	now += 100 * NSEC_PER_SEC;
	run_work();
	nsent = got = got_len = errors = 0;
	CHECK_EQ(pages_used(), 0);
}

/* A frame comes in. */
static void receive(const void *frame, u32 len)
{
	struct pkt *p = pkt_alloc(66, MAX(len, 64u), 0);

	if (!p)
		return;
	memcpy(pkt_append(p, len), frame, len);
	p->dev = &card;
	netdev_rx(p);
	run_work();
}

struct arp_frame {
	struct ethhdr e;
	struct arphdr a;
	u8 sha[6], spa[4], tha[6], tpa[4];
} __packed;

static struct arp_frame arp_frame(u16 op, be32 spa, be32 tpa)
{
	struct arp_frame f = { .a = { net16(1), net16(ETH_P_IP), 6, 4, net16(op) } };

	memcpy(f.e.h_dest, my_mac, 6);
	memcpy(f.e.h_source, peer_mac, 6);
	f.e.h_proto = net16(ETH_P_ARP);
	memcpy(f.sha, peer_mac, 6);
	memcpy(f.spa, &spa, 4);
	memcpy(f.tpa, &tpa, 4);
	return f;
}

static void know_peer(void)
{
	CHECK(!neigh_set(&card, PEER, NUD_PERMANENT, peer_mac, NEIGH_CREATE | NEIGH_REPLACE));
}

/* An IP frame with @n bytes of payload at @f->data; lengths and sum are right. */
struct ip_frame {
	struct ethhdr e;
	struct iphdr ip;
	u8 data[2000];
} __packed;

static u32 ip_frame(struct ip_frame *f, u8 proto, u32 n, u16 frag)
{
	memcpy(f->e.h_dest, my_mac, 6);
	memcpy(f->e.h_source, peer_mac, 6);
	f->e.h_proto = net16(ETH_P_IP);
	f->ip = (struct iphdr){ .version = 4,
				.ihl = 5,
				.ttl = 64,
				.protocol = proto,
				.saddr = PEER,
				.daddr = ME,
				.id = net16(1),
				.frag_off = net16(frag),
				.tot_len = net16((u16)(20 + n)) };
	f->ip.check = (u16)~cksum_fold(cksum_add(&f->ip, 20, 0));
	return 14 + 20 + n;
}

static u32 udp_frame(struct ip_frame *f, u16 port, u32 n)
{
	struct udphdr *u = (struct udphdr *)f->data;

	*u = (struct udphdr){ net16(9), net16(port), net16((u16)(8 + n)), 0 };
	for (u32 i = 0; i < n; i++)
		f->data[8 + i] = (u8)i;
	u->check = (u16)~cksum_fold(
		cksum_add(u, 8 + n, cksum_fold(cksum_pseudo(PEER, ME, IPPROTO_UDP, 8 + n))));
	return ip_frame(f, IPPROTO_UDP, 8 + n, 0);
}

/* --- tests --- */

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

static void send_fragment(const u8 *whole, u32 off, u32 n, bool more, u16 id)
{
	struct ip_frame f;
	u32 len = ip_frame(&f, IPPROTO_UDP, n, (u16)(off / 8 | (more ? IP_MF : 0)));

	f.ip.id = net16(id);
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
	static struct netdev other = { .name = "eth%u", .ops = &card_ops, .carrier = true };
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
	ip_forwarding = 1;
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
	ip_forwarding = 0;
	(void)neigh_del(&other, FAR);
	CHECK(!netdev_set_flags(&other, 0, IFF_UP));
}
