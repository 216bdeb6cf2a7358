#pragma once
/*
 * The IP stack's world on the host: a card that is a list of frames, a clock that the test turns,
 * work that runs when the test says so, memory that can fail. For one file of tests each, which
 * need not use all of it.
 */
#pragma GCC diagnostic ignored "-Wunused-function"
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include <stdlib.h>
#include "kernel/base/log.h"
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/work.h"
#include "mm/slab.h"
#include "net/arp.h"
#include "net/mcast_internal.h"
#include "net/udp.h"
#include "tests/unit/fakes/mutex.h"
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
bool log_rate_ok(struct log_rate *r, u32 burst, s64 interval_ns)
{
	return true;
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

/* Those of the stack are static: who was set once stays in the list. */
static struct timeout *timers[16];

void timeout_set(struct timeout *t, s64 deadline)
{
	u32 i = 0;

	t->deadline = deadline;
	t->armed = true;
	while (i < ARRAY_SIZE(timers) && timers[i] && timers[i] != t)
		i++;
	if (i < ARRAY_SIZE(timers))
		timers[i] = t;
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

/* Time passes, and with it the timers. */
static void time_passes(s64 ns)
{
	s64 end = now + ns;

	for (;;) {
		struct timeout *next = NULL;

		for (u32 i = 0; i < ARRAY_SIZE(timers) && timers[i]; i++) {
			if (timers[i]->armed && timers[i]->deadline <= end &&
			    (!next || timers[i]->deadline < next->deadline))
				next = timers[i];
		}
		if (!next)
			break;
		now = MAX(now, next->deadline);
		next->armed = false;
		next->fn(next);
		run_work();
	}
	now = end;
}

/* --- the card and who listens --- */

static u8 sent[16][4096]; /* frames that went out */
static s64 sent_at[16];
static u32 sent_len[16], nsent;
static u32 __attribute__((unused)) nleft; /* all that went out */
static u32 got, got_len, errors, last_error;
static u32 __attribute__((unused)) last_info;
static u32 __attribute__((unused)) got_ecn;
static u8 got_data[70000];

static int card_xmit(struct netdev *d, struct pkt *p)
{
	nleft++;
	if (nsent < 16 && p->len <= sizeof(sent[0])) {
		pkt_copy_out(p, 0, sent[nsent], p->len);
		sent_at[nsent] = now;
		sent_len[nsent++] = p->len;
	}
	pkt_put(p);
	return 0;
}

static const struct netdev_ops card_ops = { .xmit = card_xmit };
static const u8 my_mac[6] = { 2, 0, 0, 0, 0, 1 }, peer_mac[6] = { 2, 0, 0, 0, 0, 2 };
static struct netdev card = { .name = "eth%d", .ops = &card_ops, .carrier = true };
#define ME IP_ADDR(10, 0, 0, 1)
#define PEER IP_ADDR(10, 0, 0, 2)

static void user_input(struct inet_pcb *pcb, struct pkt *p)
{
	CHECK_EQ(pkt_net(p)->saddr, PEER);
	CHECK_EQ(((const be16 *)pkt_transport(p))[1], net16(7));
	got++;
	got_len = p->len;
	got_ecn = pkt_net(p)->tos & 3;
	pkt_copy_out(p, 0, got_data, p->len);
	pkt_put(p);
}

static void user_error(struct inet_pcb *pcb, struct pkt *p, const struct net_error *e)
{
	errors++;
	last_error = (u32)e->err;
	last_info = e->info;
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
