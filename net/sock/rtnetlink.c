/*
 * NETLINK_ROUTE: devices, addresses, routes and neighbours (rtnetlink(7)).
 *
 * A request is a head, a fixed structure and attributes. Dumps walk the tables by number under
 * net_config_lock; changes are the same calls that the ioctls make. What changes is told to those
 * who listen to its group. Attributes that are not known are passed over, as rtnetlink(7) wants;
 * lengths are checked before anything is looked at.
 */
#include <linux/errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include "kernel/lib/string.h"
#include "net/arp.h"
#include "net/sock/inet.h"
#include "net/sock/netlink.h"

/* The attributes of a request by type. */
#define ATTRS 64
struct attrs {
	const struct rtattr *by[ATTRS];
};

/* 0 or -EINVAL: the fixed part is not there, or an attribute goes beyond the end. */
static int parse(const struct nlmsghdr *h, u32 fixed, struct attrs *a)
{
	const u8 *at = (const u8 *)h + NLMSG_HDRLEN, *end = (const u8 *)h + h->nlmsg_len;

	memset(a, 0, sizeof(*a));
	if ((size_t)(end - at) < fixed)
		return -EINVAL;
	at += NLMSG_ALIGN(fixed);
	while (at < end && (size_t)(end - at) >= sizeof(struct rtattr)) {
		const struct rtattr *r = (const struct rtattr *)at;
		u32 type = r->rta_type & 0x3fffu;

		if (r->rta_len < sizeof(*r) || r->rta_len > (size_t)(end - at))
			return -EINVAL;
		if (type < ATTRS)
			a->by[type] = r;
		at += NLMSG_ALIGN(r->rta_len);
	}
	return 0;
}

static u32 attr_len(const struct attrs *a, u32 type)
{
	return a->by[type] ? a->by[type]->rta_len - (u32)RTA_LENGTH(0) : 0;
}

/* Its value as a number of four bytes; @none when it is not there, or shorter. */
static u32 attr_u32(const struct attrs *a, u32 type, u32 none)
{
	u32 v;

	if (attr_len(a, type) < sizeof(v))
		return none;
	memcpy(&v, RTA_DATA(a->by[type]), sizeof(v));
	return v;
}

static const u8 *attr_mac(const struct attrs *a, u32 type)
{
	return attr_len(a, type) == ETH_ALEN ? RTA_DATA(a->by[type]) : NULL;
}

static void attr_name(const struct attrs *a, u32 type, char name[IFNAMSIZ])
{
	memset(name, 0, IFNAMSIZ);
	if (a->by[type])
		memcpy(name, RTA_DATA(a->by[type]), MIN(attr_len(a, type), (u32)IFNAMSIZ - 1));
}

/* --- what is told --- */

static void put_stats(struct nl_out *o, const struct netdev *d)
{
	struct rtnl_link_stats64 s = { 0 };
	struct rtnl_link_stats small = { 0 };
	struct netdev_stats n;

	netdev_get_stats(d, &n);
	s.rx_packets = n.rx_packets;
	s.tx_packets = n.tx_packets;
	s.rx_bytes = n.rx_bytes;
	s.tx_bytes = n.tx_bytes;
	s.rx_errors = n.rx_errors;
	s.tx_errors = n.tx_errors;
	s.rx_dropped = n.rx_dropped;
	s.tx_dropped = n.tx_dropped;
	s.multicast = n.multicast;
	small.rx_packets = (u32)n.rx_packets;
	small.tx_packets = (u32)n.tx_packets;
	small.rx_bytes = (u32)n.rx_bytes;
	small.tx_bytes = (u32)n.tx_bytes;
	nl_attr(o, IFLA_STATS64, &s, sizeof(s));
	nl_attr(o, IFLA_STATS, &small, sizeof(small));
}

static void put_link(struct nl_out *o, const struct netdev *d, u16 type)
{
	struct ifinfomsg *m = nl_begin(o, type, sizeof(*m));
	u32 flags = netdev_flags(d);
	u8 state = !(flags & IFF_UP)	   ? IF_OPER_DOWN
		   : !d->link_seen	   ? IF_OPER_UNKNOWN
		   : (flags & IFF_RUNNING) ? IF_OPER_UP
					   : IF_OPER_DOWN;
	u8 mode = 0, carrier = READ_ONCE(d->carrier);

	if (!m)
		return;
	m->ifi_type = d->shown_type;
	m->ifi_index = (int)d->index;
	m->ifi_flags = flags;
	nl_attr_str(o, IFLA_IFNAME, d->name);
	nl_attr_u32(o, IFLA_TXQLEN, d->tx_queue_len);
	nl_attr(o, IFLA_OPERSTATE, &state, 1);
	nl_attr(o, IFLA_LINKMODE, &mode, 1);
	nl_attr_u32(o, IFLA_MTU, d->mtu);
	nl_attr_u32(o, IFLA_MIN_MTU, d->mtu_min);
	nl_attr_u32(o, IFLA_MAX_MTU, d->mtu_max);
	nl_attr_u32(o, IFLA_GROUP, 0);
	nl_attr_u32(o, IFLA_PROMISCUITY, READ_ONCE(d->promisc));
	nl_attr(o, IFLA_CARRIER, &carrier, 1);
	nl_attr_str(o, IFLA_QDISC, "noqueue");
	nl_attr(o, IFLA_ADDRESS, d->addr, d->addr_len);
	nl_attr(o, IFLA_BROADCAST, d->broadcast, d->addr_len);
	put_stats(o, d);
	nl_end(o);
}

static void put_addr(struct nl_out *o, const struct ifaddr *a, u16 type)
{
	struct ifaddrmsg *m = nl_begin(o, type, sizeof(*m));
	struct ifa_cacheinfo life = { .ifa_prefered = ~0u, .ifa_valid = ~0u };

	if (!m)
		return;
	m->ifa_family = AF_INET;
	m->ifa_prefixlen = a->prefix;
	m->ifa_flags = (u8)a->flags;
	m->ifa_scope = a->scope;
	m->ifa_index = a->dev->index;
	nl_attr_u32(o, IFA_ADDRESS, a->peer);
	nl_attr_u32(o, IFA_LOCAL, a->local);
	if (a->broadcast)
		nl_attr_u32(o, IFA_BROADCAST, a->broadcast);
	nl_attr_str(o, IFA_LABEL, a->label);
	nl_attr_u32(o, IFA_FLAGS, a->flags);
	nl_attr(o, IFA_CACHEINFO, &life, sizeof(life));
	nl_end(o);
}

static void put_route(struct nl_out *o, const struct rt_entry *r, u16 type)
{
	struct rtmsg *m = nl_begin(o, type, sizeof(*m));

	if (!m)
		return;
	m->rtm_family = AF_INET;
	m->rtm_dst_len = r->prefix;
	m->rtm_tos = r->tos;
	m->rtm_table = r->table < 256 ? (u8)r->table : RT_TABLE_COMPAT;
	m->rtm_protocol = r->protocol;
	m->rtm_scope = r->scope;
	m->rtm_type = r->type;
	m->rtm_flags = r->flags;
	nl_attr_u32(o, RTA_TABLE, r->table);
	if (r->prefix)
		nl_attr_u32(o, RTA_DST, r->dst);
	if (r->metric)
		nl_attr_u32(o, RTA_PRIORITY, r->metric);
	if (r->gateway)
		nl_attr_u32(o, RTA_GATEWAY, r->gateway);
	if (r->src)
		nl_attr_u32(o, RTA_PREFSRC, r->src);
	if (r->dev)
		nl_attr_u32(o, RTA_OIF, r->dev->index);
	if (r->mtu) {
		struct {
			struct rtattr head;
			u32 mtu;
		} metrics = { { sizeof(metrics), RTAX_MTU }, r->mtu };

		nl_attr(o, RTA_METRICS, &metrics, sizeof(metrics));
	}
	nl_end(o);
}

static void put_neigh(struct nl_out *o, const struct neigh_info *n, u16 type)
{
	struct ndmsg *m = nl_begin(o, type, sizeof(*m));
	struct nda_cacheinfo info = { n->confirmed, n->used, n->updated, 0 };

	if (!m)
		return;
	m->ndm_family = AF_INET;
	m->ndm_ifindex = (int)n->dev->index;
	m->ndm_state = n->state;
	m->ndm_type = RTN_UNICAST;
	nl_attr_u32(o, NDA_DST, n->addr);
	if (n->state &
	    (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE))
		nl_attr(o, NDA_LLADDR, n->mac, ETH_ALEN);
	nl_attr(o, NDA_CACHEINFO, &info, sizeof(info));
	nl_end(o);
}

/* --- dumps and questions --- */

static void dump_links(struct nl_out *o)
{
	for (struct netdev *d = netdev_next(0); d; d = netdev_next(d->index))
		put_link(o, d, RTM_NEWLINK);
}

/*
 * The tables are walked by number: each step takes the lock by itself, so nobody waits for a dump.
 */
static void dump_addrs(struct nl_out *o)
{
	struct ifaddr a;

	mutex_lock(&net_config_lock);
	for (u32 n = 0; ifaddr_get(NULL, n, &a); n++)
		put_addr(o, &a, RTM_NEWADDR);
	mutex_unlock(&net_config_lock);
}

static void dump_routes(struct nl_out *o)
{
	struct rt_entry r;

	mutex_lock(&net_config_lock);
	for (u32 n = 0; route_get(n, &r); n++)
		put_route(o, &r, RTM_NEWROUTE);
	mutex_unlock(&net_config_lock);
}

/* What the addresses themselves mean to the lookup, as Linux shows it in its table "local". */
static void put_local(struct nl_out *o, const struct ifaddr *a, be32 dst, u8 prefix, u8 type)
{
	struct rt_entry r = { .dst = dst,
			      .src = a->local,
			      .dev = a->dev,
			      .prefix = prefix,
			      .type = type,
			      .scope = type == RTN_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_LINK,
			      .protocol = RTPROT_KERNEL,
			      .table = RT_TABLE_LOCAL };

	put_route(o, &r, RTM_NEWROUTE);
}

static void dump_local(struct nl_out *o)
{
	struct ifaddr a;

	mutex_lock(&net_config_lock);
	for (u32 n = 0; ifaddr_get(NULL, n, &a); n++) {
		be32 mask = inet_mask(a.prefix);
		bool lo = a.dev->flags & IFF_LOOPBACK;

		if (!netdev_up(a.dev))
			continue;
		if (lo && a.prefix < 32)
			put_local(o, &a, a.local & mask, a.prefix, RTN_LOCAL);
		put_local(o, &a, a.local, 32, RTN_LOCAL);
		if (a.prefix < 31 && !(a.flags & IFA_F_SECONDARY))
			put_local(o, &a, a.local | ~mask, 32, RTN_BROADCAST);
	}
	mutex_unlock(&net_config_lock);
}

/* The three that are there from the start; there are no others. */
static void dump_rules(struct nl_out *o)
{
	static const struct {
		u32 priority, table;
	} rules[] = { { 0, RT_TABLE_LOCAL },
		      { 32766, RT_TABLE_MAIN },
		      { 32767, RT_TABLE_DEFAULT } };

	for (u32 i = 0; i < ARRAY_SIZE(rules); i++) {
		struct fib_rule_hdr *h = nl_begin(o, RTM_NEWRULE, sizeof(*h));

		if (!h)
			return;
		h->family = AF_INET;
		h->table = (u8)rules[i].table;
		h->action = FR_ACT_TO_TBL;
		nl_attr_u32(o, FRA_TABLE, rules[i].table);
		nl_attr_u32(o, FRA_SUPPRESS_PREFIXLEN, ~0u);
		if (rules[i].priority)
			nl_attr_u32(o, FRA_PRIORITY, rules[i].priority);
		nl_end(o);
	}
}

static void dump_neighs(struct nl_out *o)
{
	struct neigh_info n;

	for (u32 i = 0; neigh_get(i, &n); i++)
		put_neigh(o, &n, RTM_NEWNEIGH);
}

/* What stands between a packet and its device: nothing. */
static void dump_queues(struct nl_out *o)
{
	for (struct netdev *d = netdev_next(0); d; d = netdev_next(d->index)) {
		struct tcmsg *m = nl_begin(o, RTM_NEWQDISC, sizeof(*m));

		if (!m)
			return;
		m->tcm_ifindex = (int)d->index;
		m->tcm_parent = TC_H_ROOT;
		m->tcm_info = 2; /* references */
		nl_attr_str(o, TCA_KIND, "noqueue");
		nl_end(o);
	}
}

static int dump(const struct nlmsghdr *h, struct nl_out *o)
{
	u8 family = h->nlmsg_len > NLMSG_HDRLEN ? *((const u8 *)h + NLMSG_HDRLEN) : 0;

	o->flags = NLM_F_MULTI;
	if (h->nlmsg_type == RTM_GETLINK)
		dump_links(o);
	else if (family != AF_UNSPEC && family != AF_INET)
		; /* nothing is known of others: an empty answer */
	else if (h->nlmsg_type == RTM_GETADDR)
		dump_addrs(o);
	else if (h->nlmsg_type == RTM_GETROUTE) {
		dump_routes(o);
		dump_local(o);
	} else if (h->nlmsg_type == RTM_GETRULE)
		dump_rules(o);
	else if (h->nlmsg_type == RTM_GETNEIGH)
		dump_neighs(o);
	else if (h->nlmsg_type == RTM_GETQDISC)
		dump_queues(o);
	else if (h->nlmsg_type != RTM_GETTCLASS && h->nlmsg_type != RTM_GETTFILTER &&
		 h->nlmsg_type != RTM_GETNEXTHOP)
		return -EOPNOTSUPP;
	nl_done(o);
	return 0;
}

static struct netdev *link_of(const struct ifinfomsg *m, const struct attrs *a)
{
	char name[IFNAMSIZ];

	if (m->ifi_index)
		return netdev_by_index((u32)m->ifi_index);
	attr_name(a, IFLA_IFNAME, name);
	return name[0] ? netdev_by_name(name) : NULL;
}

/* The device that a request must name, by index or name. 0, -EINVAL, -ENODEV. */
static int link_asked(const struct nlmsghdr *h, struct netdev **out)
{
	struct attrs a;
	int err = parse(h, sizeof(struct ifinfomsg), &a);

	if (err)
		return err;
	if (!((const struct ifinfomsg *)NLMSG_DATA(h))->ifi_index && !a.by[IFLA_IFNAME])
		return -EINVAL;
	*out = link_of(NLMSG_DATA(h), &a);
	return *out ? 0 : -ENODEV;
}

static int get_link(const struct nlmsghdr *h, struct nl_out *o)
{
	struct netdev *d;
	int err = link_asked(h, &d);

	if (err)
		return err;
	put_link(o, d, RTM_NEWLINK);
	return 0;
}

/* ip route get: which way would a packet go? */
static int get_route(const struct nlmsghdr *h, struct nl_out *o)
{
	struct rt_entry r = { .prefix = 32, .table = RT_TABLE_MAIN };
	struct route rt;
	struct attrs a;
	int err = parse(h, sizeof(struct rtmsg), &a);

	if (err)
		return err;
	r.dst = attr_u32(&a, RTA_DST, 0);
	err = route_lookup(r.dst, attr_u32(&a, RTA_SRC, 0),
			   netdev_by_index(attr_u32(&a, RTA_OIF, 0)), &rt);
	if (err)
		return err;
	r.dev = rt.dev;
	r.src = rt.src;
	r.gateway = rt.gateway ? rt.nexthop : 0;
	r.type = rt.type == ROUTE_LOCAL	      ? RTN_LOCAL
		 : rt.type == ROUTE_BROADCAST ? RTN_BROADCAST
		 : rt.type == ROUTE_MULTICAST ? RTN_MULTICAST
					      : RTN_UNICAST;
	r.flags = RTM_F_CLONED;
	put_route(o, &r, RTM_NEWROUTE);
	return 0;
}

static int get_neigh(const struct nlmsghdr *h, struct nl_out *o)
{
	const struct ndmsg *m = NLMSG_DATA(h);
	struct neigh_info n;
	struct netdev *d;
	struct attrs a;
	int err = parse(h, sizeof(*m), &a);

	if (err)
		return err;
	d = netdev_by_index((u32)m->ndm_ifindex);
	if (m->ndm_family != AF_INET || attr_len(&a, NDA_DST) != sizeof(be32))
		return -EINVAL;
	if (!d)
		return m->ndm_ifindex ? -ENODEV : -EINVAL;
	if (!neigh_find(d, attr_u32(&a, NDA_DST, 0), &n))
		return -ENOENT;
	put_neigh(o, &n, RTM_NEWNEIGH);
	return 0;
}

/* --- changes; all hold net_config_lock --- */

/* There are no masters, other name spaces, nor devices made by users. */
static bool asks_too_much(const struct attrs *a)
{
	return attr_u32(a, IFLA_MASTER, 0) || a->by[IFLA_NET_NS_PID] || a->by[IFLA_NET_NS_FD] ||
	       a->by[IFLA_LINKINFO];
}

static int new_link(const struct nlmsghdr *h)
{
	const struct ifinfomsg *m = NLMSG_DATA(h);
	struct netdev *d;
	struct attrs a;
	char name[IFNAMSIZ];
	u32 mtu;
	int err = parse(h, sizeof(*m), &a);

	if (err)
		return err;
	d = link_of(m, &a);
	if (!d) /* a device can be made by its driver only */
		return (h->nlmsg_flags & NLM_F_CREATE) && !m->ifi_index ? -EOPNOTSUPP : -ENODEV;
	if (h->nlmsg_type == RTM_NEWLINK && (h->nlmsg_flags & NLM_F_EXCL))
		return -EEXIST;
	if (asks_too_much(&a))
		return -EOPNOTSUPP;
	if (attr_mac(&a, IFLA_ADDRESS))
		err = netdev_set_addr(d, attr_mac(&a, IFLA_ADDRESS));
	mtu = attr_u32(&a, IFLA_MTU, d->mtu);
	if (!err && mtu != d->mtu)
		err = netdev_set_mtu(d, mtu);
	attr_name(&a, IFLA_IFNAME, name);
	if (!err && m->ifi_index > 0 && name[0])
		err = netdev_rename(d, name);
	if (!err)
		d->tx_queue_len = attr_u32(&a, IFLA_TXQLEN, d->tx_queue_len);
	if (!err && (m->ifi_flags || m->ifi_change))
		err = netdev_set_flags(d, m->ifi_flags, m->ifi_change ? m->ifi_change : ~0u);
	return err;
}

/* What its driver lets users make they may also take away. */
static int del_link(const struct nlmsghdr *h)
{
	struct netdev *d;
	int err = link_asked(h, &d);

	if (err)
		return err;
	if (!d->ops->remove)
		return -EOPNOTSUPP;
	d->ops->remove(d);
	return 0;
}

static int change_addr(const struct nlmsghdr *h, bool add)
{
	const struct ifaddrmsg *m = NLMSG_DATA(h);
	struct ifaddr ia = { 0 };
	struct attrs a;
	int err = parse(h, sizeof(*m), &a);

	if (err)
		return err;
	if (m->ifa_family != AF_INET)
		return -EAFNOSUPPORT;
	ia.dev = netdev_by_index(m->ifa_index);
	ia.local = attr_u32(&a, IFA_LOCAL, attr_u32(&a, IFA_ADDRESS, 0));
	ia.peer = attr_u32(&a, IFA_ADDRESS, ia.local);
	ia.broadcast = attr_u32(&a, IFA_BROADCAST, 0);
	ia.prefix = m->ifa_prefixlen;
	ia.scope = m->ifa_scope;
	ia.flags = attr_u32(&a, IFA_FLAGS, m->ifa_flags) | IFA_F_PERMANENT;
	attr_name(&a, IFA_LABEL, ia.label);
	if (!ia.dev)
		return -ENODEV;
	if (!add)
		return ifaddr_del(ia.dev, ia.local, ia.prefix, ia.label[0] ? ia.label : NULL);
	if (!ia.local || ia.prefix > 32)
		return -EINVAL;
	err = ifaddr_add(&ia);
	return err == -EEXIST && (h->nlmsg_flags & NLM_F_REPLACE) ? 0 : err;
}

/* The MTU among the metrics, 0: none. */
static u32 metric_mtu(const struct attrs *a)
{
	const u8 *at = a->by[RTA_METRICS] ? RTA_DATA(a->by[RTA_METRICS]) : NULL;
	u32 left = attr_len(a, RTA_METRICS);

	while (at && left >= sizeof(struct rtattr) + sizeof(u32)) {
		const struct rtattr *r = (const struct rtattr *)at;
		u32 n = NLMSG_ALIGN((u32)r->rta_len), v;

		if (r->rta_len < sizeof(*r) + sizeof(u32) || n > left)
			return 0;
		memcpy(&v, RTA_DATA(r), sizeof(v));
		if (r->rta_type == RTAX_MTU)
			return v;
		at += n;
		left -= n;
	}
	return 0;
}

static int change_route(const struct nlmsghdr *h, bool add)
{
	const struct rtmsg *m = NLMSG_DATA(h);
	struct rt_entry r = { 0 };
	struct attrs a;
	u32 how = 0;
	int err = parse(h, sizeof(*m), &a);

	if (err)
		return err;
	if (m->rtm_family != AF_INET)
		return -EAFNOSUPPORT;
	r.dst = attr_u32(&a, RTA_DST, 0);
	r.gateway = attr_u32(&a, RTA_GATEWAY, 0);
	r.src = attr_u32(&a, RTA_PREFSRC, 0);
	r.metric = attr_u32(&a, RTA_PRIORITY, 0);
	r.table = attr_u32(&a, RTA_TABLE, m->rtm_table ? m->rtm_table : RT_TABLE_MAIN);
	r.mtu = metric_mtu(&a);
	r.prefix = m->rtm_dst_len;
	r.tos = m->rtm_tos;
	r.protocol = m->rtm_protocol;
	r.scope = m->rtm_scope;
	r.type = m->rtm_type ? m->rtm_type : add ? RTN_UNICAST : 0;
	r.flags = m->rtm_flags & RTNH_F_ONLINK;
	if (a.by[RTA_MULTIPATH] || a.by[RTA_VIA] || a.by[RTA_ENCAP] || a.by[RTA_NH_ID])
		return -EOPNOTSUPP;
	if (a.by[RTA_OIF]) {
		r.dev = netdev_by_index(attr_u32(&a, RTA_OIF, 0));
		if (!r.dev)
			return -ENODEV;
	}
	if (!add)
		return route_del(&r);
	if (h->nlmsg_flags & NLM_F_CREATE)
		how |= ROUTE_CREATE;
	if (h->nlmsg_flags & NLM_F_REPLACE)
		how |= ROUTE_REPLACE;
	if (h->nlmsg_flags & NLM_F_APPEND)
		how |= ROUTE_APPEND;
	return route_add(&r, how);
}

static int change_neigh(const struct nlmsghdr *h, bool add)
{
	const struct ndmsg *m = NLMSG_DATA(h);
	struct netdev *d;
	struct attrs a;
	u32 how = 0;
	be32 addr;
	int err = parse(h, sizeof(*m), &a);

	if (err)
		return err;
	if (m->ndm_family != AF_INET)
		return -EAFNOSUPPORT;
	if (m->ndm_flags & NTF_PROXY)
		return -EOPNOTSUPP;
	d = netdev_by_index((u32)m->ndm_ifindex);
	if (!d)
		return -ENODEV;
	if (attr_len(&a, NDA_DST) < sizeof(addr) || d->hw_type != ARPHRD_ETHER)
		return -EINVAL;
	addr = attr_u32(&a, NDA_DST, 0);
	if (!add)
		return neigh_del(d, addr);
	if (h->nlmsg_flags & NLM_F_CREATE)
		how |= NEIGH_CREATE;
	if (!(h->nlmsg_flags & NLM_F_EXCL))
		how |= NEIGH_REPLACE;
	if (!attr_mac(&a, NDA_LLADDR) &&
	    (m->ndm_state & (NUD_PERMANENT | NUD_REACHABLE | NUD_STALE)) && (how & NEIGH_CREATE))
		return -EINVAL;
	return neigh_set(d, addr, (u8)m->ndm_state, attr_mac(&a, NDA_LLADDR), how);
}

static int change(const struct nlmsghdr *h)
{
	int err;

	if (h->nlmsg_type == RTM_NEWNEIGH || h->nlmsg_type == RTM_DELNEIGH)
		return change_neigh(h, h->nlmsg_type == RTM_NEWNEIGH);
	mutex_lock(&net_config_lock);
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_SETLINK: err = new_link(h); break;
	case RTM_DELLINK: err = del_link(h); break;
	case RTM_NEWADDR:
	case RTM_DELADDR: err = change_addr(h, h->nlmsg_type == RTM_NEWADDR); break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE: err = change_route(h, h->nlmsg_type == RTM_NEWROUTE); break;
	default: err = -EOPNOTSUPP;
	}
	mutex_unlock(&net_config_lock);
	return err;
}

/* See netlink.h. */
int rtnetlink_request(const struct nlmsghdr *h, bool admin, struct nl_out *o)
{
	bool get =
		(h->nlmsg_type & 3) == 2; /* RTM_NEW, DEL, GET, SET: in that order for each kind */

	if (h->nlmsg_len <= NLMSG_HDRLEN) /* of no family: passed over */
		return 0;
	if (get && (h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP)
		return dump(h, o);
	if (!get)
		return admin ? change(h) : -EPERM;
	switch (h->nlmsg_type) {
	case RTM_GETLINK: return get_link(h, o);
	case RTM_GETROUTE: return get_route(h, o);
	case RTM_GETNEIGH: return get_neigh(h, o);
	}
	return -EOPNOTSUPP;
}

/* --- news --- */

static void tell(struct nl_out *o, enum net_event what, const void *object, bool gone)
{
	switch (what) {
	case NET_LINK: put_link(o, object, gone ? RTM_DELLINK : RTM_NEWLINK); break;
	case NET_ADDR: put_addr(o, object, gone ? RTM_DELADDR : RTM_NEWADDR); break;
	case NET_ROUTE:
	case NET_ROUTE_REPLACED: put_route(o, object, gone ? RTM_DELROUTE : RTM_NEWROUTE); break;
	case NET_NEIGH: put_neigh(o, object, gone ? RTM_DELNEIGH : RTM_NEWNEIGH); break;
	}
	nl_flush(o);
}

static void news(enum net_event what, const void *object, bool gone)
{
	static const u8 groups[] = { [NET_LINK] = RTNLGRP_LINK,
				     [NET_ADDR] = RTNLGRP_IPV4_IFADDR,
				     [NET_ROUTE] = RTNLGRP_IPV4_ROUTE,
				     [NET_ROUTE_REPLACED] = RTNLGRP_IPV4_ROUTE,
				     [NET_NEIGH] = RTNLGRP_NEIGH };
	struct nl_out o = { .group = groups[what],
			    .flags = what == NET_ROUTE_REPLACED ? NLM_F_REPLACE : 0 };

	if (what == NET_LINK && !gone)
		sysfs_net_added(netdev_by_index(((const struct netdev *)object)->index));
	if (nl_wanted(o.group))
		tell(&o, what, object, gone);
	if (what == NET_LINK && gone)
		sysfs_net_removed(object);
}

/* See netlink.h. */
void rtnetlink_init(void)
{
	net_event_hook = news;
	for (struct netdev *d = netdev_next(0); d; d = netdev_next(d->index))
		sysfs_net_added(d);
}
