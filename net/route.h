#pragma once
/*
 * Addresses of interfaces and routes: who is local, where does a packet go, by which source.
 *
 * Both tables are guarded by one spinlock (rank NET_ROUTE) and change under net_config_lock too. A
 * lookup gives a struct route by value; it may be kept and used while route_valid() says so.
 * Devices stay for ever, so it holds no reference.
 */
#include "net/netdev.h"

enum route_type { ROUTE_UNICAST, ROUTE_LOCAL, ROUTE_BROADCAST, ROUTE_MULTICAST };

struct route {
	struct netdev *dev; /* goes out here; loopback for ROUTE_LOCAL */
	be32 nexthop; /* the neighbour to give it to */
	be32 src; /* the address to send from */
	u32 mtu; /* of the path, as far as known */
	u32 gen; /* see route_valid */
	u8 type; /* enum route_type */
	bool gateway; /* nexthop is one */
	bool mtu_locked; /* the path's: learnt, or set */
};

extern u32 route_gen; /* a: counts changes of the tables */
void route_changed(void); /* what was looked up before is not valid any more. ctx: any */
static inline bool route_valid(const struct route *r)
{
	return r->gen && r->gen == READ_ONCE(route_gen);
}

/*
 * The way to @dst. @src: 0, or the address that will be used. @dev: NULL, or only there. ctx: any;
 * sleeps: no. 0, -ENETUNREACH, -EHOSTUNREACH, -EACCES (prohibited), -EINVAL (blackhole, or a source
 * that may not be).
 */
int __must_check route_lookup(be32 dst, be32 src, const struct netdev *dev, struct route *out);
/* What is @addr to us: RTN_LOCAL, RTN_BROADCAST, RTN_MULTICAST or RTN_UNICAST. ctx: any */
u8 ip_addr_type(be32 addr);
/* The same, as seen by @dev. */
u8 ip_addr_type_dev(be32 addr, const struct netdev *dev);
static inline bool ip_addr_is_local(be32 addr)
{
	return ip_addr_type(addr) == 2; /* RTN_LOCAL */
}
/* Are @one and @other in the net of one address of @d? ctx: any */
bool ifaddr_same_net(const struct netdev *d, be32 one, be32 other);
/* Does @d tell @from who has our address @addr, where arp_ignore is @ignore? ctx: any */
bool ifaddr_answers(const struct netdev *d, be32 addr, be32 from, int ignore);
/* An address of @d to send to @dst from, 0: none. ctx: any */
be32 ip_addr_source(const struct netdev *d, be32 dst);

/* c: changed under net_config_lock and the spinlock NET_ROUTE. */
struct ifaddr {
	struct list link; /* c */
	struct netdev *dev; /* I */
	be32 local, peer, broadcast; /* I: peer: the far end, or local */
	u8 prefix; /* I: of peer */
	u8 scope; /* I: RT_SCOPE_* */
	u32 flags; /* IFA_F_*: changes under net_config_lock and route_lock */
	char label[IFNAMSIZ]; /* I */
};
#define IFADDRS_MAX 1024
/* A copy of @a is added, with the route to its net. ctx: thread; holds: net_config_lock; sleeps */
int ifaddr_add(const struct ifaddr *a);
/* 0 or -EADDRNOTAVAIL. @prefix 255: any. @label NULL: any. */
int ifaddr_del(struct netdev *d, be32 local, u8 prefix, const char *label);
/* Its addresses are announced, if arp_notify asks. ctx: thread; holds: net_config_lock */
void ifaddr_notify(struct netdev *d);
/* The labels follow the name of @d. ctx: thread; holds: net_config_lock */
void ifaddr_dev_renamed(const struct netdev *d);
/* The @n-th of @d (NULL: of all), copied. holds: net_config_lock. False: there is none */
bool ifaddr_get(const struct netdev *d, u32 n, struct ifaddr *out);

struct rt_entry {
	struct list link; /* NET_ROUTE */
	be32 dst, gateway, src; /* I: 0: none */
	struct netdev *dev; /* I: NULL: of type that goes nowhere */
	u32 metric, mtu, flags; /* I: mtu 0: the device's; flags: RTNH_F_ONLINK */
	u8 prefix, type, scope, protocol, tos; /* I: RTN_*, RT_SCOPE_*, RTPROT_* */
	u32 table; /* I: RT_TABLE_* */
};
#define ROUTES_MAX 4096
/*
 * Add a copy. @replace: instead of one with the same destination, metric and tos. 0, -EEXIST,
 * -ENETUNREACH (gateway not reachable), -ENETDOWN, -EINVAL, -ENOMEM, -ENOSPC. ctx: thread; holds:
 * net_config_lock; sleeps
 */
#define ROUTE_REPLACE 1u
#define ROUTE_APPEND 2u
#define ROUTE_CREATE 4u
int route_add(const struct rt_entry *r, u32 how);
/* The first that fits; fields 0 fit all. 0 or -ESRCH. holds: net_config_lock */
int route_del(const struct rt_entry *like);
/* The @n-th route, copied. ctx: thread; holds: net_config_lock. False: there is none */
bool route_get(u32 n, struct rt_entry *out);
/*
 * The device went down: its routes go. Came up: those of its addresses come. holds: net_config_lock
 */
void route_dev_down(struct netdev *d);
/* Nobody here has @addr any more: routes that prefer it as source go. holds: net_config_lock */
void route_addr_gone(be32 addr);
void route_dev_up(struct netdev *d);

/* Path MTU: a router says that @dst takes @mtu only. ctx: any */
void route_pmtu_update(be32 dst, u32 mtu);
u32 route_pmtu(be32 dst, u32 mtu); /* what is known, at most @mtu */
void route_forget(void); /* all that routers told. ctx: any */
/* @from says by @d that @to is the better gateway to @dst: believed or not. ctx: any */
void route_redirect(be32 dst, be32 from, be32 to, const struct netdev *d);
