/*
 * IGMP: multicast routers are told which groups have members here, and which sources these want
 * (RFC 3376, with RFC 2236 and 1112 where older routers are).
 *
 * A change is reported at once and again within a second: another mode of the filter, which
 * joining and leaving are for most, with the whole list; else the sources that came and went. A
 * router's question is answered after a random part of the time that it gives; one about sources,
 * where the filter includes, by those of them that are wanted. A router that asks by version 1 or
 * 2 is spoken to in that version for 400 s; there, who hears another's report of a group leaves
 * out its own, and only who reported last says that it leaves. 224.0.0.1 is never reported.
 *
 * Each group has one deadline and what to say then (mcast_internal.h), under group_lock; one timer
 * serves the earliest. At the deadline each source is marked with the kinds of records that it is
 * to be in, and a work sends record after record, each by itself and with no lock held, until no
 * mark is left. A group that was left stays in the list until that was said often enough. Messages
 * carry the Router Alert option and a TTL of 1.
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
#define OLD_QUERIER (400 * NSEC_PER_SEC)
#define HEADERS (sizeof(struct igmpv3_report) + sizeof(struct igmpv3_grec))
#define SOURCES_MAX 120u /* of one message; a longer list takes several */

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

/* One message; I: all of it. */
struct due {
	struct netdev *dev;
	bool left; /* nobody is in the group */
	bool last; /* and nobody else reported it after us */
	u32 len;
	union {
		struct igmpv3_report r;
		u8 bytes[HEADERS + SOURCES_MAX * sizeof(be32)];
	};
};

static u16 sum_of(const void *msg, u32 len)
{
	return (u16)~cksum_fold(cksum_add(msg, len, 0));
}

static void report(struct due *due)
{
	u32 version = igmp_version(due->dev);
	be32 group = due->r.grec[0].grec_mca;
	struct igmphdr h = { .group = group };

	if (version == 3) {
		due->r.csum = sum_of(&due->r, due->len);
		send_message(due->dev, ALL_V3_ROUTERS, &due->r, due->len);
		return;
	}
	if (due->left && (version == 1 || !due->last))
		return;
	h.type = due->left	? IGMP_HOST_LEAVE_MESSAGE
		 : version == 1 ? IGMP_HOST_MEMBERSHIP_REPORT
				: IGMPV2_HOST_MEMBERSHIP_REPORT;
	h.csum = sum_of(&h, sizeof(h));
	send_message(due->dev, due->left ? ALL_ROUTERS : group, &h, sizeof(h));
}

/* @g is due: mark what is to be said. Old versions say all at once: bit 0. holds: group_lock */
static void mark(struct mcast_group *g)
{
	bool ex = mcast_excludes(g), old = igmp_version(g->dev) < 3, some = false;
	u32 whole = 0; /* the record that has the list */

	if (old) {
		whole = 1;
	} else if (g->times) {
		whole = 1 << (ex ? IGMPV3_CHANGE_TO_EXCLUDE : IGMPV3_CHANGE_TO_INCLUDE);
	} else if (g->answer) {
		whole = 1 << (ex ? IGMPV3_MODE_IS_EXCLUDE : IGMPV3_MODE_IS_INCLUDE);
		some = !ex && g->answer == MCAST_ANSWER_ASKED;
	}
	g->say = some ? 0 : (u8)whole;
	for (struct mcast_source *s = g->sources; s; s = s->next) {
		bool in = mcast_listed(g, s);
		u32 say = in && (!some || s->asked) ? whole : 0;

		if (s->times && !g->times)
			say |= 1 << (in == ex ? IGMPV3_BLOCK_OLD_SOURCES
					      : IGMPV3_ALLOW_NEW_SOURCES);
		s->say = old ? 0 : (u8)say;
		g->say |= s->say;
		s->times -= s->times != 0;
		s->asked = false;
	}
	g->times -= g->times != 0;
	g->answer = MCAST_NO_ANSWER;
}

/* The first of the records that @g is to be in, or a part of it. holds: group_lock */
static void fill(struct mcast_group *g, struct due *out)
{
	u32 room =
		MIN((READ_ONCE(g->dev->mtu) - 24 - (u32)HEADERS) / (u32)sizeof(be32), SOURCES_MAX);
	u32 kind = (u32)__builtin_ctz(g->say), n = 0;
	bool cut = kind == IGMPV3_MODE_IS_EXCLUDE || kind == IGMPV3_CHANGE_TO_EXCLUDE;
	struct igmpv3_grec *rec = out->r.grec;

	g->say ^= (u8)(1 << kind);
	for (struct mcast_source *s = g->sources; s; s = s->next) {
		if (!(s->say >> kind & 1))
			continue;
		if (n < room) {
			rec->grec_src[n++] = s->addr;
		} else if (!cut) { /* else it is a list that is not the whole, 4.2.16 */
			g->say |= (u8)(1 << kind);
			break;
		}
		s->say ^= (u8)(1 << kind);
	}
	out->dev = g->dev;
	out->left = !mcast_used(g);
	out->last = g->last;
	out->len = (u32)HEADERS + n * (u32)sizeof(be32);
	out->r = (struct igmpv3_report){ .type = IGMPV3_HOST_MEMBERSHIP_REPORT, .ngrec = net16(1) };
	*rec = (struct igmpv3_grec){ .grec_type = (u8)kind,
				     .grec_nsrcs = net16((u16)n),
				     .grec_mca = g->addr };
	g->last = true;
}

/*
 * @g is due: the next message of what is to be said; none is left: it is put off. True: there is
 * one. holds: group_lock
 */
static bool take(struct mcast_group *g, struct due *out)
{
	bool found, again;

	if (!g->say)
		mark(g);
	found = g->say;
	if (found)
		fill(g, out);
	if (g->say)
		return found;
	again = g->times;
	for (const struct mcast_source *s = g->sources; s; s = s->next)
		again |= s->times;
	g->due = again ? time_now() + random_part(unsolicited(g->dev)) : TIME_NEVER;
	return found;
}

static bool take_due(struct due *out)
{
	struct mcast_group *g, *after;
	s64 now = time_now(), next = TIME_NEVER;
	bool found = false;

	spin_lock(&group_lock);
	list_for_each_safe(g, after, &mcast_groups, link) {
		if (!found && g->due <= now) {
			found = take(g, out);
			if (!mcast_tidy(g, false))
				continue;
		}
		next = MIN(next, g->due);
	}
	if (!found && next != TIME_NEVER)
		timeout_set(&timer, next);
	spin_unlock(&group_lock);
	return found;
}

static void timer_run(struct work *w)
{
	struct due due;

	while (take_due(&due))
		report(&due);
}

/* --- receiving --- */

/* Times of a query, in tenths of a second: above 127 with an exponent (RFC 3376, 4.1.1). */
static s64 response_time(u32 code, bool v3)
{
	if (v3 && code >= 128)
		code = ((code & 15) | 16) << ((code >> 4 & 7) + 3);
	return (s64)code * (NSEC_PER_SEC / 10);
}

/* Is there anything to say to a router that asks about these @n sources? holds: group_lock */
static bool asked(struct mcast_group *g, const be32 *src, u32 n)
{
	u32 listed = 0;

	for (struct mcast_source *s = g->sources; s; s = s->next) {
		for (u32 i = 0; i < n && mcast_listed(g, s); i++) {
			if (src[i] == s->addr) {
				s->asked = true;
				listed++;
				break;
			}
		}
	}
	return mcast_excludes(g) ? listed < n : listed;
}

/* A router asks about @group, or all (0), within @max; about @n sources. holds: group_lock */
static void put_answers(const struct netdev *d, be32 group, s64 max, const be32 *src, u32 n)
{
	struct mcast_group *g;
	s64 now = time_now();

	list_for_each(g, &mcast_groups, link) {
		s64 at = now + random_part(max);

		if (g->dev != d || !mcast_used(g) || (group && g->addr != group) ||
		    !igmp_speaks(d, g->addr))
			continue;
		if (!n)
			g->answer = MCAST_ANSWER_ALL;
		else if (!asked(g, src, n))
			continue;
		else if (!g->answer)
			g->answer = MCAST_ANSWER_ASKED;
		g->due = MIN(g->due, at);
	}
}

static void query(const struct netdev *d, const struct igmpv3_query *q, u32 len)
{
	bool v3 = len >= sizeof(*q);
	s64 max = response_time(q->code, v3), until = time_now() + OLD_QUERIER;
	u32 n = v3 ? net16(q->nsrcs) : 0;

	if ((!v3 && len != sizeof(struct igmphdr)) ||
	    (n && (!q->group || n > (len - sizeof(*q)) / sizeof(be32))))
		return;
	spin_lock(&group_lock);
	if (!v3)
		WRITE_ONCE(OLD_UNTIL(d)[q->code ? 1 : 0], until);
	put_answers(d, q->group, q->code || v3 ? max : 10 * NSEC_PER_SEC, q->srcs, n);
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
		if (g->dev != d || g->addr != group || !mcast_used(g))
			continue;
		g->due = TIME_NEVER;
		g->times = 0;
		g->answer = MCAST_NO_ANSWER;
		g->last = false;
		for (struct mcast_source *s = g->sources; s; s = s->next)
			s->times = 0;
	}
	spin_unlock(&group_lock);
}

static void igmp_input(struct pkt *p)
{
	const struct igmphdr *h;

	if (p->looped || p->len < sizeof(*h) || !pkt_linear(p, p->len) || !pkt_cksum_ok(p, 0))
		goto out;
	h = (const struct igmphdr *)p->head;
	if (h->group && !inet_is_multicast(h->group))
		goto out;
	if (h->type == IGMP_HOST_MEMBERSHIP_QUERY)
		query(p->dev, (const void *)h, p->len);
	else if (h->type == IGMP_HOST_MEMBERSHIP_REPORT || h->type == IGMPV2_HOST_MEMBERSHIP_REPORT)
		heard_report(p->dev, h->group);
out:
	pkt_put(p);
}
NET_PROTO(igmp, .proto = IPPROTO_IGMP, .input = igmp_input);
