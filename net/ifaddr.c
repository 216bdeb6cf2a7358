/*
 * The addresses of interfaces.
 *
 * They are few, so they are one list, in the order in which they were given; the first of an
 * interface that fits is the one that packets are sent from. On a loopback interface the whole net
 * of an address is local. An address is ours whether its interface is up or not, as on Linux; the
 * route to its net and its broadcasts are there while that is up.
 *
 * Guarded by route_lock (rank NET_ROUTE), and changed under net_config_lock too, which is enough to
 * read it. RFC 1122, section 3.3.4.
 */
#include <linux/errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/arp.h"
#include "net/route_internal.h"

static struct list addrs = LIST_INIT(addrs); /* route_lock */
static u32 naddrs; /* net_config_lock */

static bool in_net(const struct ifaddr *a, be32 addr)
{
	return !((addr ^ a->peer) & inet_mask(a->prefix));
}

/* Directed broadcast: all bits of the host part set, or none. On loopback only the former. */
static bool is_broadcast(const struct ifaddr *a, be32 addr)
{
	be32 mask = inet_mask(a->prefix);
	bool ends = a->prefix < 31 && in_net(a, addr);

	if (ends && !(~addr & ~mask))
		return true;
	return (a->dev->flags & IFF_BROADCAST) &&
	       (a->broadcast == addr || (ends && !(addr & ~mask)));
}

static bool is_local(const struct ifaddr *a, be32 addr)
{
	return a->local == addr ||
	       ((a->dev->flags & IFF_LOOPBACK) && in_net(a, addr) && !is_broadcast(a, addr));
}

/* See route_internal.h. */
u8 ifaddr_type(be32 addr, const struct netdev *only, struct netdev **dev)
{
	u8 type = RTN_UNICAST;
	const struct ifaddr *a;

	list_for_each(a, &addrs, link) {
		if (only && a->dev != only)
			continue;
		if (is_local(a, addr))
			type = RTN_LOCAL;
		else if (netdev_up(a->dev) && is_broadcast(a, addr))
			type = RTN_BROADCAST;
		else
			continue;
		*dev = a->dev;
		return type;
	}
	return type;
}

/* See route.h. */
bool ifaddr_same_net(const struct netdev *d, be32 one, be32 other)
{
	const struct ifaddr *a;
	bool same = false;

	spin_lock(&route_lock);
	list_for_each(a, &addrs, link)
		same |= a->dev == d && in_net(a, one) && in_net(a, other);
	spin_unlock(&route_lock);
	return same;
}

/* See route.h. */
bool ifaddr_answers(const struct netdev *d, be32 addr, be32 from, int ignore)
{
	const struct ifaddr *a;
	bool yes = ignore == 3;

	if (ignore == 8)
		return false;
	if (ignore < 1 || ignore > 3)
		return true;
	spin_lock(&route_lock);
	list_for_each(a, &addrs, link) {
		if (ignore == 3)
			yes &= a->local != addr || a->scope < RT_SCOPE_HOST;
		else if (a->dev == d && a->local == addr)
			yes |= ignore == 1 || in_net(a, from);
	}
	spin_unlock(&route_lock);
	return yes;
}

/* See route_internal.h. On loopback all of the net is ours, by the one address. */
be32 ifaddr_own(be32 addr)
{
	const struct ifaddr *a;
	be32 own = addr;

	list_for_each(a, &addrs, link) {
		if (a->local == addr)
			return addr;
		if (own == addr && is_local(a, addr))
			own = a->local;
	}
	return own;
}

static u8 addr_type(be32 addr, const struct netdev *only)
{
	struct netdev *dev;
	u8 type;

	if (addr == IP_BROADCAST || !addr)
		return RTN_BROADCAST;
	if (inet_is_multicast(addr))
		return RTN_MULTICAST;
	spin_lock(&route_lock);
	type = ifaddr_type(addr, only, &dev);
	spin_unlock(&route_lock);
	return type;
}

/* See route.h. */
u8 ip_addr_type(be32 addr)
{
	return addr_type(addr, NULL);
}

/* See route.h. ctx: any */
u8 ip_addr_type_dev(be32 addr, const struct netdev *dev)
{
	return addr_type(addr, dev);
}

/* See route_internal.h. */
be32 ifaddr_source(const struct netdev *d, be32 dst, u8 scope)
{
	const struct ifaddr *a;
	be32 first = 0, other = 0, host = 0;

	list_for_each(a, &addrs, link) {
		be32 *as = a->dev != d ? &other : a->scope > scope ? &host : &first;

		if (as == &other && (a->scope > scope || a->scope == RT_SCOPE_LINK))
			continue;
		if (as == &first && in_net(a, dst))
			return a->local;
		*as = *as ? *as : a->local;
	}
	return first ? first : other ? other : host;
}

/* See route.h. */
be32 ip_addr_source(const struct netdev *d, be32 dst)
{
	be32 src;

	spin_lock(&route_lock);
	src = ifaddr_source(d, dst, RT_SCOPE_LINK);
	spin_unlock(&route_lock);
	return src;
}

/* The route to the net of @a. */
static struct rt_entry net_route(const struct ifaddr *a)
{
	return (struct rt_entry){
		.dst = a->peer & inet_mask(a->prefix),
		.prefix = a->prefix,
		.src = a->local,
		.dev = a->dev,
		.type = RTN_UNICAST,
		.scope = RT_SCOPE_LINK,
		.protocol = RTPROT_KERNEL,
		.table = RT_TABLE_MAIN,
	};
}

static void net_route_change(const struct ifaddr *a, bool add)
{
	struct rt_entry r = net_route(a);

	if ((a->dev->flags & IFF_LOOPBACK) || (a->prefix == 32 && a->peer == a->local))
		return;
	if (!add)
		(void)route_del(&r);
	else if (netdev_up(a->dev) && !(a->flags & IFA_F_NOPREFIXROUTE))
		(void)route_add(&r, ROUTE_CREATE | ROUTE_APPEND);
}

static struct ifaddr *find(const struct netdev *d, be32 local, u8 prefix, const char *label)
{
	struct ifaddr *a;

	list_for_each(a, &addrs, link) {
		if (a->dev == d && (!local || a->local == local) &&
		    (prefix > 32 || a->prefix == prefix) && (!label || !strcmp(a->label, label)))
			return a;
	}
	return NULL;
}

/* The first of the net that @a is in, on its device, but @a itself; NULL: there is none. */
static struct ifaddr *of_same_net(const struct ifaddr *a)
{
	struct ifaddr *b;

	list_for_each(b, &addrs, link) {
		if (b != a && b->dev == a->dev && b->prefix == a->prefix && in_net(a, b->peer))
			return b;
	}
	return NULL;
}

/* See route.h. */
int ifaddr_add(const struct ifaddr *from)
{
	struct ifaddr *a;

	mutex_assert_held(&net_config_lock);
	if (from->prefix > 32)
		return -EINVAL;
	if (from->dev->gone)
		return -ENODEV;
	if (find(from->dev, from->local, from->prefix, NULL))
		return -EEXIST;
	if (naddrs >= IFADDRS_MAX)
		return -ENOBUFS;
	a = kmemdup(from, sizeof(*a), 0);
	if (!a)
		return -ENOBUFS;
	a->flags &= ~(u32)IFA_F_SECONDARY;
	if (of_same_net(a))
		a->flags |= IFA_F_SECONDARY;
	if (!a->label[0])
		strlcpy(a->label, a->dev->name, sizeof(a->label));
	spin_lock(&route_lock);
	list_add_tail(&addrs, &a->link);
	spin_unlock(&route_lock);
	naddrs++;
	a->dev->conf.written = ~0ull; /* it is set up: what is default for new ones is not for it */
	route_changed();
	net_event(NET_ADDR, a, false);
	if (!(a->flags & IFA_F_SECONDARY))
		net_route_change(a, true);
	return 0;
}

/*
 * See route.h. The first label is the device's name; the others keep what is behind the colon, or
 * get a number.
 */
void ifaddr_dev_renamed(const struct netdev *d)
{
	char rest[IFNAMSIZ];
	struct ifaddr *a;
	u32 n = 0;

	mutex_assert_held(&net_config_lock);
	list_for_each(a, &addrs, link) {
		const char *colon = strchr(a->label, ':');

		if (a->dev != d)
			continue;
		rest[0] = '\0';
		if (n++ && colon)
			strlcpy(rest, colon, sizeof(rest));
		else if (n > 1)
			snprintf(rest, sizeof(rest), ":%u", n);
		snprintf(a->label, sizeof(a->label), "%.*s%s", (int)(IFNAMSIZ - 1 - strlen(rest)),
			 d->name, rest);
		net_event(NET_ADDR, a, false);
	}
}

static void del(struct ifaddr *a)
{
	struct netdev *d = a->dev;

	spin_lock(&route_lock);
	list_del(&a->link);
	spin_unlock(&route_lock);
	naddrs--;
	if (!(a->flags & IFA_F_SECONDARY))
		net_route_change(a, false);
	if (ip_addr_type(a->local) != RTN_LOCAL)
		route_addr_gone(a->local);
	/* Without an address it takes no part in IP: what routes others gave it go too. */
	if (!find(d, 0, 255, NULL))
		route_dev_down(d);
	else
		route_changed();
	net_event(NET_ADDR, a, true);
}

/*
 * See route.h. With the first address of a net the others of it go, or the next is the first now.
 * holds: net_config_lock
 */
int ifaddr_del(struct netdev *d, be32 local, u8 prefix, const char *label)
{
	bool promote = ip_conf_max(d, IPV4_DEVCONF_PROMOTE_SECONDARIES);
	struct ifaddr *a, *second;

	mutex_assert_held(&net_config_lock);
	a = find(d, local, prefix, label);
	if (!a)
		return -EADDRNOTAVAIL;
	while (!(a->flags & IFA_F_SECONDARY) && (second = of_same_net(a)) && !promote) {
		del(second);
		kfree(second);
	}
	second = a->flags & IFA_F_SECONDARY ? NULL : of_same_net(a);
	del(a);
	kfree(a);
	if (second) {
		spin_lock(&route_lock);
		second->flags &= ~(u32)IFA_F_SECONDARY;
		spin_unlock(&route_lock);
		net_route_change(second, true);
		net_event(NET_ADDR, second, false);
	}
	return 0;
}

/* See route.h. ctx: thread */
bool ifaddr_get(const struct netdev *d, u32 n, struct ifaddr *out)
{
	const struct ifaddr *a;

	mutex_assert_held(&net_config_lock);
	list_for_each(a, &addrs, link) {
		if ((d && a->dev != d) || n--)
			continue;
		*out = *a;
		return true;
	}
	return false;
}

/* See route.h. */
void ifaddr_notify(struct netdev *d)
{
	const struct ifaddr *a;

	mutex_assert_held(&net_config_lock);
	list_for_each(a, &addrs, link)
		if (a->dev == d && ip_conf_max(d, IPV4_DEVCONF_ARP_NOTIFY))
			arp_announce(d, a->local);
}

/* See route.h. */
void route_dev_up(struct netdev *d)
{
	struct ifaddr *a;

	if ((d->flags & IFF_LOOPBACK) && !find(d, 0, 255, NULL)) {
		struct ifaddr own = { .dev = d,
				      .local = IP_ADDR(127, 0, 0, 1),
				      .peer = IP_ADDR(127, 0, 0, 1),
				      .prefix = 8,
				      .scope = RT_SCOPE_HOST,
				      .flags = IFA_F_PERMANENT };

		(void)ifaddr_add(&own);
	}
	route_changed();
	list_for_each(a, &addrs, link)
		if (a->dev == d && !(a->flags & IFA_F_SECONDARY))
			net_route_change(a, true);
	ifaddr_notify(d);
}
