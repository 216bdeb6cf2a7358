/*
 * IGMP: multicast routers are told which groups have members here (RFC 3376, with RFC 2236 and 1112
 * where older routers are).
 *
 * A group that is joined is reported at once and again within a second, one that is left likewise;
 * a router's question is answered after a random part of the time that it gives. A router that asks
 * by version 1 or 2 is spoken to in that version for 400 s; there, who hears another's report of a
 * group leaves out its own, and only who reported last says that it leaves. 224.0.0.1 is never
 * reported.
 *
 * Each group has one deadline and what to say then (mcast_internal.h), under group_lock; one timer
 * serves the earliest, and a work sends what is due, each report by itself, with no lock held. A
 * group that was left stays in the list until that was said often enough. Messages carry the Router
 * Alert option and a TTL of 1.
 */
#include <linux/errno.h>
#include <linux/igmp.h>
#include "kernel/base/rand.h"
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"
#include "kernel/lib/string.h"
#include "kernel/sched/work.h"
#include "mm/slab.h"
#include "net/igmp.h"
#include "net/ip.h"
#include "net/mcast_internal.h"

#define ALL_HOSTS IP_ADDR(224, 0, 0, 1)
#define ALL_ROUTERS IP_ADDR(224, 0, 0, 2)
#define ALL_V3_ROUTERS IP_ADDR(224, 0, 0, 22)
#define ROBUSTNESS 2
#define OLD_QUERIER (400 * NSEC_PER_SEC)
#define REPORT_LEN (sizeof(struct igmpv3_report) + sizeof(struct igmpv3_grec))

static void timer_fired(struct timeout *t);
static void timer_run(struct work *w);

static struct timeout timer = { .fn = timer_fired }; /* own lock */
static struct work timer_work = { .link = LIST_INIT(timer_work.link),
				  .fn = timer_run }; /* own lock */
/* group_lock: until when routers of version 1 and 2 are on the link, by place in the table */
static s64 old_until[NETDEV_MAX][2];
#define OLD_UNTIL(d) old_until[((d)->index - 1) % NETDEV_MAX]

/* See mcast_internal.h. */
bool igmp_speaks(const struct netdev *d, be32 addr)
{
	return addr != ALL_HOSTS && (d->flags & (IFF_MULTICAST | IFF_LOOPBACK)) == IFF_MULTICAST;
}

/* See igmp.h. ctx: any */
u32 igmp_version(const struct netdev *d)
{
	int forced = READ_ONCE(ip_conf_all.v[IPV4_DEVCONF_FORCE_IGMP_VERSION]);
	s64 now = time_now();

	forced = forced ? forced : ip_conf(d, IPV4_DEVCONF_FORCE_IGMP_VERSION);
	if (forced >= 1 && forced <= 3)
		return (u32)forced;
	if (READ_ONCE(OLD_UNTIL(d)[0]) > now)
		return 1;
	return READ_ONCE(OLD_UNTIL(d)[1]) > now ? 2 : 3;
}

/* See mcast_internal.h. */
void igmp_gone(const struct netdev *d)
{
	memset(OLD_UNTIL(d), 0, sizeof(OLD_UNTIL(d)));
}

/* ns between the repetitions, at most. */
static s64 unsolicited(const struct netdev *d)
{
	return ip_conf(d, igmp_version(d) == 3 ? IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL
					       : IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL) *
	       NSEC_PER_MSEC;
}

static s64 random_part(s64 max)
{
	return (s64)(rand_u64() % (u64)MAX(max, 1));
}

static void timer_fired(struct timeout *t)
{
	work_queue(&timer_work);
}

/* See mcast_internal.h. */
void igmp_kick(void)
{
	work_queue(&timer_work);
}

/* See mcast_internal.h. */
void igmp_changed(struct mcast_group *g)
{
	g->report = g->users ? MCAST_JOINS : MCAST_LEAVES;
	g->times = ROBUSTNESS;
	g->due = time_now();
	igmp_kick();
}

/* --- sending --- */

static void send_message(struct netdev *d, be32 dst, const void *msg, u32 len)
{
	static const u8 router_alert[4] = { 0x94, 4, 0, 0 };
	struct ip_out o = { .src = ip_addr_source(d, dst),
			    .dst = dst,
			    .proto = IPPROTO_IGMP,
			    .ttl = 1,
			    .tos = 0xc0,
			    .optlen = 4,
			    .options = router_alert };
	struct route rt = {
		.dev = d, .nexthop = dst, .src = o.src, .mtu = d->mtu, .type = ROUTE_MULTICAST
	};
	struct pkt *p = netdev_up(d) ? pkt_alloc(PKT_HEADROOM, len, 0) : NULL;

	if (!p)
		return;
	memcpy(pkt_append(p, len), msg, len);
	pkt_set_transport(p);
	p->cb[0] = IP_CB_NO_LOOP;
	(void)ip_output(p, &rt, &o);
}

/* What is to be said of one group; @last: nobody else reported it after us. */
static void report(struct netdev *d, be32 group, u8 what, bool last)
{
	u32 version = igmp_version(d);
	struct igmphdr h = { .group = group };
	_Alignas(struct igmpv3_report) u8 v3[REPORT_LEN] = { 0 };
	struct igmpv3_report *r = (void *)v3;

	if (version == 3) {
		r->type = IGMPV3_HOST_MEMBERSHIP_REPORT;
		r->ngrec = net16(1);
		r->grec[0].grec_type = what;
		r->grec[0].grec_mca = group;
		r->csum = (u16)~cksum_fold(cksum_add(v3, REPORT_LEN, 0));
		send_message(d, ALL_V3_ROUTERS, v3, REPORT_LEN);
		return;
	}
	if (what == MCAST_LEAVES && (version == 1 || !last))
		return;
	h.type = what == MCAST_LEAVES ? IGMP_HOST_LEAVE_MESSAGE
		 : version == 1	      ? IGMP_HOST_MEMBERSHIP_REPORT
				      : IGMPV2_HOST_MEMBERSHIP_REPORT;
	h.csum = (u16)~cksum_fold(cksum_add(&h, sizeof(h), 0));
	send_message(d, what == MCAST_LEAVES ? ALL_ROUTERS : group, &h, sizeof(h));
}

struct due {
	struct netdev *dev;
	be32 group;
	u8 what;
	bool last;
};

/*
 * Take one group that is due; what stays is put off, what is over goes. *next: the next deadline.
 */
static bool take_due(struct due *out, s64 *next)
{
	struct mcast_group *g, *after;
	s64 now = time_now();
	bool found = false;

	*next = TIME_NEVER;
	spin_lock(&group_lock);
	list_for_each_safe(g, after, &mcast_groups, link) {
		if (!found && g->due <= now) {
			found = true;
			*out = (struct due){ g->dev, g->addr, g->report, g->last };
			g->last = true;
			g->times -= g->times != 0;
			g->due = g->times ? now + random_part(unsolicited(g->dev)) : TIME_NEVER;
			if (!g->times && !g->users) {
				mcast_forget(g);
				kfree(g);
				continue;
			}
		}
		*next = MIN(*next, g->due);
	}
	if (!found && *next != TIME_NEVER)
		timeout_set(&timer, *next);
	spin_unlock(&group_lock);
	return found;
}

static void timer_run(struct work *w)
{
	struct due due;
	s64 next;

	while (take_due(&due, &next))
		report(due.dev, due.group, due.what, due.last);
}

/* --- receiving --- */

/* Times of a query, in tenths of a second: above 127 with an exponent (RFC 3376, 4.1.1). */
static s64 response_time(u32 code, bool v3)
{
	if (v3 && code >= 128)
		code = ((code & 15) | 16) << ((code >> 4 & 7) + 3);
	return (s64)code * (NSEC_PER_SEC / 10);
}

/* A router asks about @group, or all (0): answers are due within @max. holds: group_lock */
static void put_answers(const struct netdev *d, be32 group, s64 max)
{
	struct mcast_group *g;
	s64 now = time_now();

	list_for_each(g, &mcast_groups, link) {
		s64 at = now + random_part(max);

		if (g->dev != d || !g->users || (group && g->addr != group) ||
		    !igmp_speaks(d, g->addr))
			continue;
		if (g->due == TIME_NEVER) {
			g->report = MCAST_IS_MEMBER;
			g->times = 1;
		}
		g->due = MIN(g->due, at);
	}
}

static void query(const struct netdev *d, const struct igmphdr *h, u32 len)
{
	bool v3 = len >= sizeof(struct igmpv3_query);
	s64 max = response_time(h->code, v3), until = time_now() + OLD_QUERIER;

	if (!v3 && len != sizeof(*h))
		return;
	spin_lock(&group_lock);
	if (!v3)
		WRITE_ONCE(OLD_UNTIL(d)[h->code ? 1 : 0], until);
	put_answers(d, h->group, h->code || v3 ? max : 10 * NSEC_PER_SEC);
	spin_unlock(&group_lock);
	igmp_kick();
}

/* Another member has said it: with an old router ours is not needed. */
static void heard_report(const struct netdev *d, be32 group)
{
	struct mcast_group *g;

	if (igmp_version(d) == 3)
		return;
	spin_lock(&group_lock);
	list_for_each(g, &mcast_groups, link) {
		if (g->dev == d && g->addr == group && g->users) {
			g->due = TIME_NEVER;
			g->times = 0;
			g->last = false;
		}
	}
	spin_unlock(&group_lock);
}

static void igmp_input(struct pkt *p)
{
	const struct igmphdr *h;

	if (p->looped || !pkt_linear(p, sizeof(*h)) || !pkt_cksum_ok(p, 0))
		goto out;
	h = (const struct igmphdr *)p->head;
	if (h->group && !inet_is_multicast(h->group))
		goto out;
	if (h->type == IGMP_HOST_MEMBERSHIP_QUERY)
		query(p->dev, h, p->len);
	else if (h->type == IGMP_HOST_MEMBERSHIP_REPORT || h->type == IGMPV2_HOST_MEMBERSHIP_REPORT)
		heard_report(p->dev, h->group);
out:
	pkt_put(p);
}
NET_PROTO(igmp, .proto = IPPROTO_IGMP, .input = igmp_input);
