/*
 * Routes: the longest prefix wins, then the lowest metric, then the oldest. Where the table main
 * has none, or a throw, the table default is asked.
 *
 * The list is kept by address, the order in which Linux shows it; a lookup goes through all of it,
 * as a guest has a handful. Local and broadcast addresses come before all routes, from the
 * addresses of the interfaces. What routers tell, path MTUs and redirects, is in a small table of
 * its own, where a new one may take the place of an old one. A redirect holds as long as the route
 * does whose gateway it was.
 *
 * A lookup copies what it found out of the lock. Whoever keeps the copy compares its generation
 * (route_valid): any change of addresses, routes, devices or path MTUs makes a new one.
 *
 * RFC 1122, section 3.3.1; RFC 1191 for path MTUs.
 */
#include <linux/errno.h>
#include <linux/rtnetlink.h>
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/arp.h"
#include "net/route_internal.h"

#define LEARNT_SLOTS 64u
#define PMTU_MIN 552u
#define PMTU_LIFE (600 * NSEC_PER_SEC)
#define REDIRECT_LIFE (300 * NSEC_PER_SEC)

struct spinlock route_lock = SPINLOCK_INIT(RANK_NET_ROUTE);
u32 route_gen = 1;
static struct list routes = LIST_INIT(routes); /* route_lock */
static u32 nroutes; /* net_config_lock */

/* What routers told of the way to one address. All: route_lock */
struct learnt {
	be32 dst;
	u32 mtu;
	s64 until;
	be32 gateway, instead; /* the route's, if that is still .instead */
};
static struct learnt learnts[LEARNT_SLOTS]; /* route_lock */
static u32 nlearnt; /* route_lock: ever learnt */

/* See route.h. It is odd always, so never 0. */
void route_changed(void)
{
	__atomic_add_fetch(&route_gen, 2, __ATOMIC_RELEASE);
}

static bool covers(const struct rt_entry *r, be32 dst)
{
	return !((dst ^ r->dst) & inet_mask(r->prefix));
}

static bool usable(const struct netdev *d)
{
	return netdev_up(d) && (likely(READ_ONCE(d->carrier)) ||
				!ip_conf_max(d, IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN));
}

/* The route to @dst of main, else of default. holds: route_lock */
static struct rt_entry *find_route(be32 dst, const struct netdev *dev)
{
	struct rt_entry *best, *r;

	for (u32 table = RT_TABLE_MAIN; table >= RT_TABLE_DEFAULT; table--) {
		best = NULL;
		list_for_each(r, &routes, link) {
			if (r->table == table && covers(r, dst) && (!dev || r->dev == dev) &&
			    (!r->dev || usable(r->dev)) && (!best || r->prefix > best->prefix))
				best = r;
		}
		if (best && best->type != RTN_THROW)
			return best;
	}
	return NULL;
}

static int error_of(u8 type)
{
	switch (type) {
	case RTN_UNREACHABLE: return -EHOSTUNREACH;
	case RTN_PROHIBIT: return -EACCES;
	case RTN_BLACKHOLE: return -EINVAL;
	default: return 0;
	}
}

/* NULL: nothing was, or it is too old. holds: route_lock */
static const struct learnt *learnt_of(be32 dst)
{
	const struct learnt *m = &learnts[net32(dst) % LEARNT_SLOTS];

	return likely(!nlearnt) || m->dst != dst || m->until < time_now() ? NULL : m;
}

/* The place for something about @dst, which holds for @life. holds: route_lock */
static struct learnt *learn(be32 dst, s64 life)
{
	struct learnt *m = &learnts[net32(dst) % LEARNT_SLOTS];

	if (!learnt_of(dst))
		*m = (struct learnt){ .dst = dst, .mtu = ~0u };
	nlearnt = 1;
	m->until = time_now() + life;
	return m;
}

/* holds: route_lock */
static u32 pmtu_of(be32 dst, u32 mtu)
{
	const struct learnt *m = learnt_of(dst);

	return m ? MIN(mtu, m->mtu) : mtu;
}

/* Whom @r goes by to @dst; 0: nobody. holds: route_lock */
static be32 gateway_of(const struct rt_entry *r, be32 dst)
{
	const struct learnt *m = learnt_of(dst);

	return m && m->instead == r->gateway ? m->gateway : r->gateway;
}

/* To a neighbour or through a gateway. holds: route_lock */
static int lookup_unicast(be32 dst, const struct netdev *dev, struct route *out)
{
	const struct rt_entry *r = find_route(dst, dev);
	int err = r ? error_of(r->type) : 0;

	if (err)
		return err;
	if (!r) { /* a device that was asked for is taken as the link to all */
		if (!dev)
			return -ENETUNREACH;
		out->nexthop = dst;
		return 0;
	}
	out->dev = r->dev;
	out->gateway = r->gateway;
	out->nexthop = r->gateway ? gateway_of(r, dst) : dst;
	if (!out->src)
		out->src = r->src;
	if (r->mtu)
		out->mtu = MIN(r->mtu, out->dev->mtu);
	return 0;
}

/*
 * To many: by the device asked for, that of the source, or where a route leads. holds: route_lock
 */
static int lookup_many(be32 dst, const struct netdev *dev, struct route *out)
{
	const struct rt_entry *r;

	if (!out->dev && out->src)
		(void)ifaddr_type(out->src, NULL, &out->dev);
	if (!out->dev) {
		r = find_route(dst, dev);
		out->dev = r && !error_of(r->type) ? r->dev : NULL;
		if (out->dev && !out->src)
			out->src = r->src;
	}
	out->nexthop = dst;
	return out->dev ? 0 : -ENETUNREACH;
}

/* holds: route_lock */
static int lookup_locked(be32 dst, const struct netdev *dev, struct route *out)
{
	struct netdev *its = out->dev;
	u8 type;

	if (dst == IP_BROADCAST) {
		out->type = ROUTE_BROADCAST;
		return lookup_many(dst, dev, out);
	}
	if (inet_is_multicast(dst)) {
		out->type = ROUTE_MULTICAST;
		return lookup_many(dst, dev, out);
	}
	type = ifaddr_type(dst, NULL, &its);
	if (type == RTN_LOCAL) {
		out->type = ROUTE_LOCAL;
		out->dev = netdev_lo;
		out->nexthop = dst;
		out->src = out->src ? out->src : ifaddr_own(dst);
		return 0;
	}
	if (type == RTN_BROADCAST && (!dev || dev == its)) {
		out->type = ROUTE_BROADCAST;
		out->dev = its;
		out->src = out->src ? out->src : ifaddr_source(its, dst, RT_SCOPE_HOST);
		return lookup_many(dst, dev, out);
	}
	out->type = ROUTE_UNICAST;
	return lookup_unicast(dst, dev, out);
}

/* See route.h. */
int route_lookup(be32 dst, be32 src, const struct netdev *dev, struct route *out)
{
	struct route r = { .dev = (struct netdev *)dev, .src = src };
	int err;

	r.gen = load_acquire(&route_gen);
	if (dev && READ_ONCE(dev->gone))
		return -ENODEV;
	spin_lock(&route_lock);
	if (!dst) /* 0.0.0.0 means this host */
		dst = src ? src : IP_ADDR(127, 0, 0, 1);
	err = lookup_locked(dst, dev, &r);
	if (!err) {
		if (!r.mtu)
			r.mtu = r.dev->mtu;
		if (r.type == ROUTE_UNICAST)
			r.mtu = pmtu_of(dst, r.mtu);
		if (!r.src)
			r.src = ifaddr_source(r.dev, r.nexthop,
					      r.gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
	}
	spin_unlock(&route_lock);
	if (!err)
		*out = r;
	return err;
}

/* --- what routers tell --- */

/* See route.h. What is smaller than any link should be is taken for an attack. */
void route_pmtu_update(be32 dst, u32 mtu)
{
	spin_lock(&route_lock);
	mtu = MAX(mtu, PMTU_MIN);
	if (mtu < pmtu_of(dst, ~0u)) /* never larger: RFC 1191, 3 */
		learn(dst, PMTU_LIFE)->mtu = mtu;
	spin_unlock(&route_lock);
	route_changed();
}

/* See route.h. ctx: any */
u32 route_pmtu(be32 dst, u32 mtu)
{
	spin_lock(&route_lock);
	mtu = pmtu_of(dst, mtu);
	spin_unlock(&route_lock);
	return mtu;
}

/* See route.h. */
void route_forget(void)
{
	spin_lock(&route_lock);
	memset(learnts, 0, sizeof(learnts));
	spin_unlock(&route_lock);
	route_changed();
}

/* Is @addr a gateway of @d that a route names? holds: route_lock */
static bool is_gateway(be32 addr, const struct netdev *d)
{
	const struct rt_entry *r;

	list_for_each(r, &routes, link) {
		if (r->gateway == addr && r->dev == d)
			return true;
	}
	return false;
}

/* Does @d hear redirects? A router only if both it and all are told to. */
static bool heard(const struct netdev *d)
{
	bool all = READ_ONCE(ip_conf_all.v[IPV4_DEVCONF_ACCEPT_REDIRECTS]),
	     own = ip_conf(d, IPV4_DEVCONF_ACCEPT_REDIRECTS);

	return ip_conf(d, IPV4_DEVCONF_FORWARDING) ? all && own : all || own;
}

/* See route.h. RFC 1122, 3.2.2.2: who speaks is the gateway in use, the other is a neighbour. */
void route_redirect(be32 dst, be32 from, be32 to, const struct netdev *d)
{
	bool shared = ip_conf_max(d, IPV4_DEVCONF_SHARED_MEDIA),
	     secure = ip_conf_max(d, IPV4_DEVCONF_SECURE_REDIRECTS);
	const struct rt_entry *r;

	if (!heard(d) || to == from || ip_addr_type(to) != RTN_UNICAST ||
	    (!shared && !ifaddr_same_net(d, to, from)))
		return;
	spin_lock(&route_lock);
	r = find_route(dst, d);
	if (r && r->gateway && gateway_of(r, dst) == from &&
	    (shared || !secure || is_gateway(to, d))) {
		struct learnt *m = learn(dst, REDIRECT_LIFE);

		m->gateway = to;
		m->instead = r->gateway;
		route_changed();
	}
	spin_unlock(&route_lock);
}

/* --- changes --- */

/* Does @a stand before @b? Of one address the longest prefix comes first. */
static bool before(const struct rt_entry *a, const struct rt_entry *b)
{
	if (a->dst != b->dst)
		return net32(a->dst) < net32(b->dst);
	return a->prefix != b->prefix ? a->prefix > b->prefix : a->metric < b->metric;
}

static bool same_place(const struct rt_entry *a, const struct rt_entry *b)
{
	return a->dst == b->dst && a->prefix == b->prefix && a->metric == b->metric &&
	       a->tos == b->tos && a->table == b->table;
}

/* The gateway must be a neighbour; its device, where none was given. */
static int check_gateway(struct rt_entry *r)
{
	struct netdev *its;
	struct rt_entry *via;
	int err = 0;
	u8 type;

	spin_lock(&route_lock);
	type = ifaddr_type(r->gateway, NULL, &its);
	if (type == RTN_LOCAL && !(r->flags & RTNH_F_ONLINK)) {
		if (r->dev && r->dev != its)
			err = -ENETUNREACH;
		r->dev = its;
		goto out; /* pointless, but the custom */
	}
	if (type != RTN_UNICAST || inet_is_multicast(r->gateway))
		err = -EINVAL;
	via = err || (r->flags & RTNH_F_ONLINK) ? NULL : find_route(r->gateway, r->dev);
	if (!err && !(r->flags & RTNH_F_ONLINK) && (!via || via->gateway || !via->dev))
		err = -ENETUNREACH;
	if (!err && via)
		r->dev = via->dev;
out:
	spin_unlock(&route_lock);
	return err;
}

static int check(struct rt_entry *r)
{
	if (r->prefix > 32 || (r->dst & ~inet_mask(r->prefix)))
		return -EINVAL;
	if (r->type != RTN_UNICAST) {
		r->dev = NULL;
		return r->type == RTN_THROW || error_of(r->type) ? 0 : -EINVAL;
	}
	if (r->dev && !netdev_up(r->dev))
		return -ENETDOWN;
	if (r->src && ip_addr_type(r->src) != RTN_LOCAL)
		return -EINVAL;
	if (r->gateway)
		return check_gateway(r);
	return r->dev ? 0 : -ENODEV;
}

/* What the new one takes the place of; NULL: nothing. holds: net_config_lock */
static struct rt_entry *find_same(const struct rt_entry *like)
{
	struct rt_entry *r;

	list_for_each(r, &routes, link) {
		if (same_place(r, like))
			return r;
	}
	return NULL;
}

static void insert(struct rt_entry *r)
{
	struct rt_entry *at;

	spin_lock(&route_lock);
	list_for_each(at, &routes, link) {
		if (before(r, at))
			break;
	}
	list_add_tail(list_node_of(at, link), &r->link);
	spin_unlock(&route_lock);
	nroutes++;
}

/* holds: net_config_lock */
static void remove(struct rt_entry *r, bool told)
{
	spin_lock(&route_lock);
	list_del(&r->link);
	for (u32 i = 0; i < LEARNT_SLOTS; i++) {
		if (learnts[i].instead == r->gateway)
			learnts[i].instead = 0;
	}
	spin_unlock(&route_lock);
	nroutes--;
	route_changed();
	if (!told)
		net_event(NET_ROUTE, r, true);
	kfree(r);
}

/* See route.h. */
int route_add(const struct rt_entry *from, u32 how)
{
	struct rt_entry want = *from, *old, *r;
	int err = check(&want);
	bool replaced;

	mutex_assert_held(&net_config_lock);
	if (err)
		return err;
	old = find_same(&want);
	if (old && !(how & (ROUTE_REPLACE | ROUTE_APPEND)))
		return -EEXIST;
	if (!old && !(how & ROUTE_CREATE))
		return -ENOENT;
	if (nroutes >= ROUTES_MAX)
		return -ENOSPC;
	r = kmemdup(&want, sizeof(want), 0);
	if (!r)
		return -ENOMEM;
	insert(r);
	route_changed();
	replaced = old && (how & ROUTE_REPLACE);
	net_event(replaced ? NET_ROUTE_REPLACED : NET_ROUTE, r, false);
	if (replaced)
		remove(old, true);
	return 0;
}

/* See route.h. ctx: thread; sleeps */
int route_del(const struct rt_entry *like)
{
	struct rt_entry *r;

	mutex_assert_held(&net_config_lock);
	list_for_each(r, &routes, link) {
		if (r->dst != like->dst || r->prefix != like->prefix || r->table != like->table)
			continue;
		if ((like->gateway && r->gateway != like->gateway) ||
		    (like->dev && r->dev != like->dev) ||
		    (like->metric && r->metric != like->metric) ||
		    (like->type && r->type != like->type) ||
		    (like->protocol && r->protocol != like->protocol) ||
		    (like->src && r->src != like->src))
			continue;
		remove(r, false);
		return 0;
	}
	return -ESRCH;
}

/* See route.h. */
bool route_get(u32 n, struct rt_entry *out)
{
	const struct rt_entry *r;

	mutex_assert_held(&net_config_lock);
	list_for_each(r, &routes, link) {
		if (n--)
			continue;
		*out = *r;
		return true;
	}
	return false;
}

/* See route.h. */
void route_addr_gone(be32 addr)
{
	struct rt_entry *r, *next;

	list_for_each_safe(r, next, &routes, link) {
		if (r->src == addr)
			remove(r, false);
	}
}

/* See route.h. */
void route_dev_down(struct netdev *d)
{
	struct rt_entry *r, *next;

	list_for_each_safe(r, next, &routes, link) {
		if (r->dev == d)
			remove(r, false);
	}
	route_changed();
	neigh_dev_down(d);
}
