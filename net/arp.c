/*
 * ARP (RFC 826) with the neighbour states of RFC 4861, section 7.3.
 *
 * INCOMPLETE: asked, up to unres_qlen packets wait for the answer. REACHABLE: an answer to our
 * question came, or a protocol above saw progress, not longer ago than base_reachable_time. STALE:
 * after that, or learnt without asking: used as it is, and on the first use DELAY: if nobody
 * confirms it in that time, PROBE asks it alone; then FAILED. REACHABLE becomes STALE when somebody
 * looks: no timer runs for neighbours that nobody uses.
 *
 * What others say is believed sparingly: a frame can change an entry we have, or make one when it
 * asks for our own address; never for an address of ours, nor one that cannot be a neighbour's. A
 * link address that was confirmed is not replaced within locktime (the first of two answers wins),
 * and permanent entries never.
 *
 * One spinlock (rank NET_ARP) guards the table, which holds at most gc_thresh3; when it is full the
 * entry that was unused longest goes. One timer serves the earliest deadline of all. Packets are
 * sent after the lock was given up.
 */
#include <linux/errno.h>
#include <linux/icmp.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"
#include "kernel/lib/string.h"
#include "kernel/sched/work.h"
#include "mm/slab.h"
#include "net/arp.h"
#include "net/ip.h"

#define BUCKETS 64u
#define RETRANS_MIN 10 /* ms */
#define KNOWN (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE)
#define TIMED (NUD_INCOMPLETE | NUD_DELAY | NUD_PROBE)

/* A: arp_lock; I: immutable after creation. */
struct neigh {
	struct list link; /* A: its bucket */
	struct netdev *dev; /* I */
	be32 addr; /* I */
	u8 mac[ETH_ALEN]; /* A */
	u8 state; /* A: NUD_* */
	u8 probes; /* A: sent so far */
	u32 nqueue; /* A */
	struct list queue; /* A: packets that wait */
	s64 deadline; /* A: in a state of TIMED */
	s64 confirmed, updated, used; /* A */
};

struct arp_packet {
	struct arphdr h;
	u8 sha[ETH_ALEN], spa[4], tha[ETH_ALEN], tpa[4];
} __packed;
_Static_assert(sizeof(struct arp_packet) == 28, "ARP for Ethernet and IPv4");

static void timer_fired(struct timeout *t);
static void timer_run(struct work *w);

int neigh_max = 1024;
static struct spinlock arp_lock = SPINLOCK_INIT(RANK_NET_ARP);
static struct list table[BUCKETS]; /* arp_lock; not used while .next is NULL */
static u32 count; /* arp_lock */
static struct timeout timer = { .fn = timer_fired }; /* own lock */
static struct work timer_work = { .link = LIST_INIT(timer_work.link),
				  .fn = timer_run }; /* own lock */

static struct list *bucket_of(const struct netdev *d, be32 addr)
{
	struct list *b = &table[(net32(addr) ^ d->index) % BUCKETS];

	if (!b->next)
		list_init(b);
	return b;
}

/* holds: arp_lock */
static struct neigh *find(const struct netdev *d, be32 addr)
{
	struct list *b = bucket_of(d, addr);
	struct neigh *n;

	list_for_each(n, b, link) {
		if (n->addr == addr && n->dev == d)
			return n;
	}
	return NULL;
}

/* Takes it out; its packets go to @drop. holds: arp_lock */
static void neigh_free(struct neigh *n, struct list *drop)
{
	list_splice_tail(drop, &n->queue);
	list_del(&n->link);
	count--;
	kfree(n);
}

/* The entry that was unused longest and that nobody set by hand goes. holds: arp_lock */
static void evict(struct list *drop)
{
	struct neigh *n, *oldest = NULL;

	for (u32 i = 0; i < BUCKETS; i++) {
		if (!table[i].next)
			continue;
		list_for_each(n, &table[i], link) {
			if (!(n->state & NUD_PERMANENT) && (!oldest || n->used < oldest->used))
				oldest = n;
		}
	}
	if (oldest)
		neigh_free(oldest, drop);
}

/* holds: arp_lock. NULL: no room, no memory */
static struct neigh *make(struct netdev *d, be32 addr, struct list *drop)
{
	struct neigh *n;

	if (count >= (u32)READ_ONCE(neigh_max))
		evict(drop);
	n = count < (u32)READ_ONCE(neigh_max) && !READ_ONCE(d->gone)
		    ? kzalloc(sizeof(*n), PMM_NOWAIT)
		    : NULL;
	if (!n)
		return NULL;
	n->dev = d;
	n->addr = addr;
	n->state = NUD_NONE;
	n->used = n->updated = n->confirmed = time_now();
	list_init(&n->queue);
	list_add(bucket_of(d, addr), &n->link);
	count++;
	return n;
}

/* holds: arp_lock */
static void set_deadline(struct neigh *n, s64 after)
{
	n->deadline = time_now() + after;
	if (!timer.armed || n->deadline < timer.deadline)
		timeout_set(&timer, n->deadline);
}

/* ns between questions about one that does not answer. */
static s64 retrans(const struct neigh *n)
{
	return MAX(ip_conf(n->dev, NEIGH_RETRANS_MS), RETRANS_MIN) * NSEC_PER_MSEC;
}

/* REACHABLE for too long now? holds: arp_lock */
static void age(struct neigh *n, s64 now)
{
	if (n->state == NUD_REACHABLE &&
	    now - n->confirmed > ip_conf(n->dev, NEIGH_REACHABLE_MS) * NSEC_PER_MSEC)
		n->state = NUD_STALE;
}

/* --- frames out --- */

static void arp_send(struct netdev *d, u16 op, const u8 *dst, be32 spa, const u8 *tha, be32 tpa)
{
	struct pkt *p = pkt_alloc(PKT_HEADROOM, sizeof(struct arp_packet), PMM_NOWAIT);
	struct arp_packet *a;

	if (!p)
		return;
	a = pkt_append(p, sizeof(*a));
	a->h = (struct arphdr){ net16(ARPHRD_ETHER), net16(ETH_P_IP), ETH_ALEN, 4, net16(op) };
	memcpy(a->sha, d->addr, ETH_ALEN);
	memcpy(a->spa, &spa, 4);
	if (tha)
		memcpy(a->tha, tha, ETH_ALEN);
	else
		memset(a->tha, 0, ETH_ALEN);
	memcpy(a->tpa, &tpa, 4);
	pkt_set_net(p);
	if (ether_header(p, dst, d->addr, ETH_P_ARP))
		(void)netdev_xmit(d, p);
	else
		pkt_put(p);
}

static void arp_ask(struct netdev *d, be32 addr, const u8 *mac)
{
	be32 src = ip_addr_source(d, addr);

	arp_send(d, ARPOP_REQUEST, mac ? mac : d->broadcast, src, mac, addr);
}

/* See arp.h. */
void arp_announce(struct netdev *d, be32 addr)
{
	if (netdev_up(d) && d->hw_type == ARPHRD_ETHER && !(d->flags & IFF_NOARP))
		arp_send(d, ARPOP_REQUEST, d->broadcast, addr, NULL, addr);
}

/* See arp.h. */
void arp_probe(struct netdev *d, be32 addr)
{
	arp_send(d, ARPOP_REQUEST, d->broadcast, 0, NULL, addr);
}

void (*arp_watch_fn)(void);
static const struct netdev *watched_dev; /* a: before watched_addr */
static bool watched_probing; /* a: before watched_addr */
static be32 watched_addr; /* a: 0: nothing is watched */

/* See arp.h. ctx: thread */
void arp_watch(struct netdev *d, be32 addr, bool probing)
{
	WRITE_ONCE(watched_dev, d);
	WRITE_ONCE(watched_probing, probing);
	store_release(&watched_addr, addr);
}

/* Somebody else says that @spa is his, or is about to say so of @tpa. */
static void look_at_claim(const struct netdev *d, const struct arp_packet *a, be32 spa, be32 tpa)
{
	be32 addr = load_acquire(&watched_addr);

	if (unlikely(addr) &&
	    (spa == addr || (!spa && tpa == addr && READ_ONCE(watched_probing))) &&
	    d == READ_ONCE(watched_dev) && memcmp(a->sha, d->addr, ETH_ALEN))
		arp_watch_fn();
}

/* Packets that waited for @n go out, now that the address is known. */
static void send_waiting(struct netdev *d, struct list *queue, const u8 *mac)
{
	while (!list_empty(queue)) {
		struct pkt *p = list_first(queue, struct pkt, link);

		list_del(&p->link);
		if (ether_header(p, mac, d->addr, ETH_P_IP))
			(void)netdev_xmit(d, p);
		else
			pkt_put(p);
	}
}

/* They go nowhere: the senders are told. */
static void fail_waiting(struct list *queue)
{
	while (!list_empty(queue)) {
		struct pkt *p = list_first(queue, struct pkt, link);

		list_del(&p->link);
		icmp_send_error(p, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
		pkt_put(p);
	}
}

/* --- resolving --- */

/* @n is used: may its address be? holds: arp_lock */
static bool use(struct neigh *n)
{
	n->used = time_now();
	age(n, n->used);
	if (n->state == NUD_STALE) {
		n->state = NUD_DELAY;
		n->probes = 0;
		set_deadline(n, ip_conf(n->dev, NEIGH_DELAY_S) * NSEC_PER_SEC);
	}
	return n->state & KNOWN;
}

/* @p waits. True: the question has to be asked. holds: arp_lock */
static bool enqueue(struct neigh *n, struct pkt *p, struct list *drop)
{
	bool ask = n->state != NUD_INCOMPLETE;

	if (n->nqueue && n->nqueue >= (u32)ip_conf(n->dev, NEIGH_QUEUE)) {
		struct pkt *old = list_first(&n->queue, struct pkt, link);

		list_del(&old->link);
		list_add_tail(drop, &old->link);
		n->nqueue--;
	}
	list_add_tail(&n->queue, &p->link);
	n->nqueue++;
	if (ask) {
		n->state = NUD_INCOMPLETE;
		n->probes = 1;
		set_deadline(n, retrans(n));
	}
	return ask;
}

/* See arp.h. */
bool arp_resolve(struct netdev *d, be32 addr, struct pkt **p, u8 *mac)
{
	struct list drop = LIST_INIT(drop);
	bool known = false, ask = false;
	struct neigh *n;

	spin_lock(&arp_lock);
	n = find(d, addr);
	if (!n)
		n = make(d, addr, &drop);
	if (n) {
		known = use(n);
		if (known)
			memcpy(mac, n->mac, ETH_ALEN);
		else
			ask = enqueue(n, *p, &drop);
	}
	spin_unlock(&arp_lock);
	if (unlikely(!list_empty(&drop)))
		pkt_purge(&drop);
	if (ask)
		arp_ask(d, addr, NULL);
	if (!n) {
		pkt_put(*p);
		*p = NULL;
	}
	return known;
}

/* See arp.h. */
void arp_confirm(const struct netdev *d, be32 addr)
{
	struct neigh *n;

	if (d->hw_type != ARPHRD_ETHER)
		return;
	spin_lock(&arp_lock);
	n = find(d, addr);
	if (n && (n->state & (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE))) {
		n->state = NUD_REACHABLE;
		n->confirmed = time_now();
	}
	spin_unlock(&arp_lock);
}

/* --- the timer --- */

/* What a deadline leads to, to be done without the lock. */
struct due {
	struct netdev *dev;
	be32 addr;
	bool ask, unicast;
	u8 mac[ETH_ALEN];
};

/* @n's time has come. holds: arp_lock */
static void expire(struct neigh *n, struct due *due, struct list *failed)
{
	due->dev = n->dev;
	due->addr = n->addr;
	due->ask = false;
	if (n->state == NUD_DELAY) {
		n->state = NUD_PROBE;
		n->probes = 0;
	}
	if (n->probes >=
		    (u32)ip_conf(n->dev, n->state == NUD_PROBE ? NEIGH_ASK_ONE : NEIGH_ASK_ALL) ||
	    !netdev_up(n->dev)) {
		n->state = NUD_FAILED;
		n->nqueue = 0;
		list_splice_tail(failed, &n->queue);
		return;
	}
	n->probes++;
	due->ask = true;
	due->unicast = n->state == NUD_PROBE;
	memcpy(due->mac, n->mac, ETH_ALEN);
	n->deadline = time_now() + retrans(n);
}

/* One entry whose time has come, or false and *next is the earliest to come. holds: arp_lock */
static bool find_due(struct due *due, struct list *failed, s64 *next)
{
	s64 now = time_now();
	struct neigh *n;

	*next = TIME_NEVER;
	for (u32 i = 0; i < BUCKETS; i++) {
		if (!table[i].next)
			continue;
		list_for_each(n, &table[i], link) {
			if (!(n->state & TIMED))
				continue;
			if (n->deadline <= now) {
				expire(n, due, failed);
				return true;
			}
			*next = MIN(*next, n->deadline);
		}
	}
	return false;
}

static void timer_run(struct work *w)
{
	for (;;) {
		struct list failed = LIST_INIT(failed);
		struct due due;
		bool found;
		s64 next;

		spin_lock(&arp_lock);
		found = find_due(&due, &failed, &next);
		if (!found && next != TIME_NEVER)
			timeout_set(&timer, next);
		spin_unlock(&arp_lock);
		if (!found)
			return;
		if (due.ask)
			arp_ask(due.dev, due.addr, due.unicast ? due.mac : NULL);
		fail_waiting(&failed);
	}
}

static void timer_fired(struct timeout *t)
{
	work_queue(&timer_work);
}

/* --- frames in --- */

/* What was heard about @spa. @solicited: an answer to us. @create: it asked for our address. */
static void learn(struct netdev *d, be32 spa, const u8 *sha, bool solicited, bool create)
{
	struct list drop = LIST_INIT(drop), ready = LIST_INIT(ready);
	s64 now = time_now();
	struct neigh *n;
	bool same;

	spin_lock(&arp_lock);
	n = find(d, spa);
	if (!n && create)
		n = make(d, spa, &drop);
	if (!n || (n->state & (NUD_PERMANENT | NUD_NOARP)))
		goto out;
	same = (n->state & KNOWN) && !memcmp(n->mac, sha, ETH_ALEN);
	if ((n->state & KNOWN) && !same &&
	    now - n->updated < ip_conf(d, NEIGH_LOCK_TICKS) * (NSEC_PER_SEC / 100))
		goto out;
	solicited =
		solicited && (n->state & (NUD_INCOMPLETE | NUD_DELAY | NUD_PROBE | NUD_REACHABLE));
	if (!same) {
		memcpy(n->mac, sha, ETH_ALEN);
		n->updated = now;
	}
	if (solicited) {
		n->state = NUD_REACHABLE;
		n->confirmed = now;
	} else if (!same || !(n->state & KNOWN)) {
		n->state = NUD_STALE;
	}
	list_splice_tail(&ready, &n->queue);
	n->nqueue = 0;
out:
	spin_unlock(&arp_lock);
	pkt_purge(&drop);
	send_waiting(d, &ready, sha);
}

static bool sender_sane(const struct netdev *d, be32 spa, const u8 *sha)
{
	return !(sha[0] & 1) && !inet_is_loopback(spa) && ip_addr_type_dev(spa, d) == RTN_UNICAST &&
	       net32(spa) >> 24;
}

/* Do we answer that we have @tpa, which is ours, when @spa asks on @d? */
static bool answers(const struct netdev *d, be32 spa, be32 tpa)
{
	struct route rt;

	if (!ifaddr_answers(d, tpa, spa, ip_conf_max(d, IPV4_DEVCONF_ARP_IGNORE)))
		return false;
	return !ip_conf_max(d, IPV4_DEVCONF_ARPFILTER) || !spa ||
	       (!route_lookup(spa, tpa, NULL, &rt) && rt.dev == d);
}

/* Do we answer for @tpa, to which we send on by another device (RFC 1027)? */
static bool answers_for(const struct netdev *d, be32 tpa)
{
	struct route rt;

	return ip_conf_max(d, IPV4_DEVCONF_PROXY_ARP) && ip_conf(d, IPV4_DEVCONF_FORWARDING) &&
	       ip_addr_type(tpa) == RTN_UNICAST && !route_lookup(tpa, 0, NULL, &rt) &&
	       rt.type == ROUTE_UNICAST && rt.dev != d;
}

/* A sound packet: what it says is remembered, what it asks for answered. */
static void hear(struct netdev *d, const struct arp_packet *a, be32 spa, be32 tpa, bool to_us)
{
	bool ask = a->h.ar_op == net16(ARPOP_REQUEST), sane = spa && sender_sane(d, spa, a->sha);
	int accept = ip_conf_max(d, IPV4_DEVCONF_ARP_ACCEPT);
	bool ours = ip_addr_type(tpa) == RTN_LOCAL &&
		    (!inet_is_loopback(tpa) || ip_conf_max(d, IPV4_DEVCONF_ROUTE_LOCALNET));

	if (spa == tpa && ip_conf_max(d, IPV4_DEVCONF_DROP_GRATUITOUS_ARP))
		return;
	if (ours && ask && !answers(d, spa, tpa))
		return;
	if (sane && spa != tpa)
		learn(d, spa, a->sha, !ask && to_us, ours && ask);
	else if (sane)
		learn(d, spa, a->sha, false,
		      accept && (accept != 2 || ifaddr_same_net(d, spa, spa)));
	/* A sender without an address yet (RFC 5227) is answered, and not remembered. */
	if (ask && (!spa || sane) && (ours || (spa != tpa && answers_for(d, tpa))))
		arp_send(d, ARPOP_REPLY, a->sha, tpa, a->sha, spa);
}

/* See arp.h. */
void arp_input(struct pkt *p)
{
	struct netdev *d = p->dev;
	const struct arp_packet *a;
	be32 spa, tpa;

	if (!pkt_linear(p, sizeof(*a)) || (d->flags & IFF_NOARP) || p->type == PKT_OTHERHOST)
		goto out;
	a = (const struct arp_packet *)p->head;
	if (a->h.ar_hrd != net16(ARPHRD_ETHER) || a->h.ar_pro != net16(ETH_P_IP) ||
	    a->h.ar_hln != ETH_ALEN || a->h.ar_pln != 4)
		goto out;
	if (a->h.ar_op != net16(ARPOP_REQUEST) && a->h.ar_op != net16(ARPOP_REPLY))
		goto out;
	memcpy(&spa, a->spa, 4);
	memcpy(&tpa, a->tpa, 4);
	look_at_claim(d, a, spa, tpa);
	hear(d, a, spa, tpa, p->type == PKT_HOST);
out:
	pkt_put(p);
}

/* --- looking and setting by hand --- */

static u32 ago(s64 then)
{
	return (u32)((time_now() - then) / (NSEC_PER_SEC / 100));
}

/* holds: arp_lock */
static void describe(struct neigh *n, struct neigh_info *out)
{
	age(n, time_now());
	*out = (struct neigh_info){ n->dev,	    n->addr,	       n->state,
				    { 0 },	    ago(n->confirmed), ago(n->used),
				    ago(n->updated) };
	memcpy(out->mac, n->mac, ETH_ALEN);
}

/* See arp.h. */
bool neigh_get(u32 at, struct neigh_info *out)
{
	struct neigh *n;
	bool found = false;

	spin_lock(&arp_lock);
	for (u32 i = 0; i < BUCKETS && !found; i++) {
		if (!table[i].next)
			continue;
		list_for_each(n, &table[i], link) {
			if (at--)
				continue;
			describe(n, out);
			found = true;
			break;
		}
	}
	spin_unlock(&arp_lock);
	return found;
}

/* See arp.h. */
bool neigh_find(const struct netdev *d, be32 addr, struct neigh_info *out)
{
	struct neigh *n;

	spin_lock(&arp_lock);
	n = find(d, addr);
	if (n)
		describe(n, out);
	spin_unlock(&arp_lock);
	return n;
}

/* See arp.h. */
int neigh_set(struct netdev *d, be32 addr, u8 state, const u8 *mac, u32 how)
{
	struct list drop = LIST_INIT(drop), ready = LIST_INIT(ready);
	struct neigh_info info;
	struct neigh *n;
	int err = 0;

	spin_lock(&arp_lock);
	n = find(d, addr);
	if (n && !(how & NEIGH_REPLACE))
		err = -EEXIST;
	else if (!n && !(how & NEIGH_CREATE))
		err = -ENOENT;
	else if (!n)
		n = make(d, addr, &drop);
	if (!err && !n)
		err = -ENOBUFS;
	if (!err) {
		if (mac)
			memcpy(n->mac, mac, ETH_ALEN);
		n->state = state;
		n->updated = n->confirmed = time_now();
		if (state & KNOWN) {
			list_splice_tail(&ready, &n->queue);
			n->nqueue = 0;
		}
		describe(n, &info);
	}
	spin_unlock(&arp_lock);
	pkt_purge(&drop);
	if (err)
		return err;
	send_waiting(d, &ready, info.mac);
	net_event(NET_NEIGH, &info, false);
	return 0;
}

/* See arp.h. ctx: thread; sleeps */
int neigh_del(struct netdev *d, be32 addr)
{
	struct list drop = LIST_INIT(drop);
	struct neigh_info info;
	struct neigh *n;

	spin_lock(&arp_lock);
	n = find(d, addr);
	if (n) {
		describe(n, &info);
		neigh_free(n, &drop);
	}
	spin_unlock(&arp_lock);
	pkt_purge(&drop);
	if (!n)
		return -ENOENT;
	net_event(NET_NEIGH, &info, true);
	return 0;
}

/* See arp.h. */
void neigh_dev_down(struct netdev *d)
{
	struct list drop = LIST_INIT(drop);
	struct neigh *n, *next;

	spin_lock(&arp_lock);
	for (u32 i = 0; i < BUCKETS; i++) {
		if (!table[i].next)
			continue;
		list_for_each_safe(n, next, &table[i], link) {
			if (n->dev == d && (d->gone || !(n->state & NUD_PERMANENT)))
				neigh_free(n, &drop);
		}
	}
	spin_unlock(&arp_lock);
	pkt_purge(&drop);
}
