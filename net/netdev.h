#pragma once
/*
 * Network devices: what a driver implements and how packets enter and leave.
 *
 * A struct netdev that was ever registered stays memory of its driver until power-off, so pointers
 * to it need no reference. One that is unregistered is .gone: nothing goes out, nothing can be
 * bound to it; what packets in flight find is a device that is down. A driver that makes many uses
 * its oldest ones again (net/sock/tun.c). Settings change under net_config_lock (a mutex); readers
 * on the packet path load single words.
 *
 * Packets come in by netdev_rx(), in a thread: the device's worker, or the sender itself on
 * loopback. Nothing below it may sleep; nobody may hold a lock that some protocol's input takes.
 * They go out by netdev_output(), in any thread, with no lock held either.
 *
 * I immutable once registered, a atomic, c guarded by net_config_lock, read without it.
 */
#include <linux/if.h>
#include <linux/if_ether.h>
#include <arch/cpu.h>
#include "kernel/base/device.h"
#include "kernel/base/percpu.h"
#include "kernel/sched/mutex.h"
#include "net/ipconf.h"
#include "net/pkt.h"

#define NETDEV_MAX 64
#define NETDEV_ADDR_MAX 8
/* What a device can do for us. */
#define NETDEV_CSUM 1u /* completes PKT_CSUM_PARTIAL */
#define NETDEV_SG 2u /* takes fragments */
#define NETDEV_TSO 4u /* cuts TCP segments */
#define NETDEV_RX_CSUM 16u /* says of received packets that their sums are right */
#define NETDEV_LOOPBACK 8u /* packets never leave: no sums, no cutting */

struct netdev;

struct netdev_queue_stats {
	u64 rx_packets, rx_bytes, tx_packets, tx_bytes;
};

/* All ctx: thread; open, stop and set_* hold net_config_lock and may sleep; NULL: nothing to do. */
struct netdev_ops {
	int (*open)(struct netdev *d);
	void (*stop)(struct netdev *d);
	/* Consumes @p. 0, or -ENOBUFS. Sleeps: no. */
	int (*xmit)(struct netdev *d, struct pkt *p);
	void (*set_rx_mode)(struct netdev *d); /* flags or multicast addresses changed */
	int (*set_addr)(struct netdev *d, const u8 *addr); /* NULL: -EOPNOTSUPP */
	int (*set_mtu)(struct netdev *d, u32 mtu); /* NULL: any within bounds */
	int (*set_queues)(struct netdev *d, u32 n); /* NULL: -EOPNOTSUPP; 1 .. queues_max */
	/* Of the @n-th pair of queues. ctx: any. NULL: they are not counted */
	void (*queue_stats)(const struct netdev *d, u32 n, struct netdev_queue_stats *out);
	void (*remove)(struct netdev *d); /* somebody wants it gone; NULL: -EOPNOTSUPP */
	void (*add_files)(struct netdev *d, const char *path); /* more of it in sysfs */
};

/* One CPU's counters: a cache line. */
struct netdev_cpu_stats {
	u64 rx_packets, rx_bytes, tx_packets, tx_bytes; /* o: that CPU */
	u64 rx_dropped, tx_dropped, rx_errors, multicast; /* o */
} __aligned(64);

struct netdev {
	char name[IFNAMSIZ]; /* I */
	u32 index; /* I: from 1; of no other one ever since */
	u16 hw_type; /* I: ARPHRD_* */
	u16 shown_type; /* c: the same, as programs see it */
	u8 addr_len; /* I */
	u8 addr_from; /* c: NET_ADDR_*: how it came by .addr */
	u8 addr[NETDEV_ADDR_MAX], broadcast[NETDEV_ADDR_MAX]; /* c */
	u8 perm_addr[NETDEV_ADDR_MAX]; /* I: the address that it came with */
	const struct netdev_ops *ops; /* I */
	void *priv; /* I: the driver's */
	u32 flags; /* c: IFF_* without IFF_RUNNING */
	bool carrier; /* a: there is a link */
	bool gone; /* c: it was unregistered */
	bool link_seen; /* c: it came or went, or can be looked at */
	u32 mtu, mtu_min, mtu_max; /* c; I */
	u32 features; /* c: NETDEV_* */
	u32 tx_queue_len; /* c */
	u32 promisc, allmulti; /* c: how many want it */
	u32 tx_errors; /* a */
	u16 ring; /* I: packets that a queue holds; 0: it has none */
	u16 queues, queues_max; /* c: pairs of queues in use; I: that there are */
	u16 gso_max; /* I: bytes of the largest packet to be cut */
	const char *driver; /* I: its name; NULL: none */
	const char *version,
		*bus; /* I: of it, NULL: as the kernel's; what it is on, NULL: .device */
	u32 speed; /* I: Mbit/s, 0: not known */
	const struct device *device; /* I: what it is made of, NULL: nothing */
	struct netdev_cpu_stats *stats; /* I: one per CPU */
	void *shown; /* c: sysfs_net.c's: arguments of its files */
	struct conf_dir *conf_dir; /* c: proc_ipconf.c's files */
	struct ip_conf conf; /* a: as its fields say */
};

/* What @d has set for @which, IPV4_DEVCONF_* or NEIGH_*. ctx: any */
static inline int ip_conf(const struct netdev *d, u32 which)
{
	return READ_ONCE(d->conf.v[which]);
}
/* That, or what is set for all devices if it is more. */
static inline int ip_conf_max(const struct netdev *d, u32 which)
{
	int all = READ_ONCE(ip_conf_all.v[which]), own = ip_conf(d, which);

	return MAX(all, own);
}

extern struct mutex net_config_lock; /* rank NET_CONFIG */

/*
 * Make @d known; the fields marked I, mtu, addresses and flags are filled in; "%d" in the name
 * is replaced by the first free number. ctx: thread; sleeps. 0, -ENOMEM, -ENOSPC, -ENFILE (no
 * number is free), -EINVAL (no name for a device), -EEXIST.
 */
int __must_check netdev_register(struct netdev *d);
/* The same. holds: net_config_lock. .stats of a former time are used again. */
int __must_check netdev_register_locked(struct netdev *d);
/*
 * @d goes: down, its addresses, routes, neighbours and groups with it, sockets that look at it are
 * told. It may be registered again. holds: net_config_lock; ctx: thread; sleeps
 */
void netdev_unregister_locked(struct netdev *d);
/* By index (from 1), or by name; NULL: none. ctx: any */
struct netdev *netdev_by_index(u32 index);
struct netdev *netdev_by_name(const char *name);
/*
 * What a socket is bound to by @index: NULL when that is 0. Without such a device it is one that is
 * .gone, by which nothing comes or goes. ctx: any
 */
struct netdev *netdev_bound(u32 index);
/* The next with index > @index, or NULL. ctx: any */
struct netdev *netdev_next(u32 index);
extern struct netdev *netdev_lo; /* I after boot */

static inline bool netdev_up(const struct netdev *d)
{
	return READ_ONCE(d->flags) & IFF_UP;
}
/* All IFF_* as programs see them. */
u32 netdev_flags(const struct netdev *d);
/* Change settings. ctx: thread; sleeps; holds: net_config_lock. 0 or -errno */
int netdev_set_flags(struct netdev *d, u32 flags, u32 mask);
int netdev_set_mtu(struct netdev *d, u32 mtu);
int netdev_set_addr(struct netdev *d, const u8 *addr);
/*
 * Another name, which may have one %d in it: the first free number. -EBUSY: the device is up,
 * -EEXIST, -EINVAL, -ENFILE: no number is free.
 */
int netdev_rename(struct netdev *d, const char *name);
/* More or fewer want all frames (IFF_PROMISC) or all multicast. holds: net_config_lock */
void netdev_add_promisc(struct netdev *d, int n);
void netdev_add_allmulti(struct netdev *d, int n);
/* The driver's: the link came or went. ctx: thread; sleeps */
void netdev_set_carrier(struct netdev *d, bool on);
void netdev_set_carrier_locked(struct netdev *d, bool on); /* holds: net_config_lock */
/* Who is told of it, beside the listeners of netlink. ctx: thread; holds: net_config_lock */
extern void (*netdev_link_fn)(const struct netdev *d, bool on); /* a: NULL: nobody */

struct netdev_stats {
	u64 rx_packets, rx_bytes, tx_packets, tx_bytes, rx_dropped, tx_dropped, rx_errors,
		multicast;
	u64 tx_errors;
};
void netdev_get_stats(const struct netdev *d, struct netdev_stats *out); /* ctx: any */
/* Count on this CPU. ctx: thread */
#define NETDEV_COUNT(d, field, by)                  \
	do {                                        \
		preempt_disable();                  \
		(d)->stats[cpu_id()].field += (by); \
		preempt_enable();                   \
	} while (0)

/*
 * A packet came: head at the link's header, dev set. Consumes @p. ctx: thread; sleeps: no; holds:
 * nothing ranked.
 */
void netdev_rx(struct pkt *p);
void netdev_deliver(struct pkt *p); /* the same for one that was counted: gro.c's */
/*
 * Send an IP packet, head at its header, to @nexthop on @d's link; IP_BROADCAST and multicast
 * addresses too. Consumes @p. ctx: thread; sleeps: no. 0, or -ENOBUFS, -EHOSTUNREACH. A packet
 * that waits for its neighbour's address counts as sent, and one for a device that is down.
 */
int netdev_output(struct netdev *d, struct pkt *p, be32 nexthop);
/*
 * Send a whole frame. As above; -EMSGSIZE, -ENETDOWN. Does what the device cannot: sums, segments.
 */
int netdev_xmit(struct netdev *d, struct pkt *p);
int netdev_xmit_segment(struct netdev *d,
			struct pkt *p); /* gso.c's: a piece of one that was shown */

/* What a member wants of a group: packets from these sources, or from all but these. */
struct mc_filter {
	u8 mode; /* MCAST_INCLUDE, MCAST_EXCLUDE */
	bool own; /* to be freed by who has it */
	u32 n;
	be32 src[];
};
/* One of a group that members of it name: so many by filters that include, and that exclude. */
struct mc_source_info {
	be32 group, src;
	u32 includes, excludes;
};
/*
 * A member of @group on @d changes its filter from @old (NULL: it joins) to @new (NULL: it leaves).
 * ctx: thread; holds: net_config_lock. 0 or -ENOBUFS, never so without @new
 */
int netdev_mc_change(struct netdev *d, be32 group, const struct mc_filter *old,
		     const struct mc_filter *new);
void netdev_mc_gone(struct netdev *d); /* all of @d, which is gone. ctx: thread */
/* The device came up: routers are told of its groups. ctx: thread */
void netdev_mc_up(struct netdev *d);
/* Does @d listen to what @src (0: anybody) sends to @group? ctx: any */
bool netdev_mc_member(const struct netdev *d, be32 group, be32 src);
/* The @n-th group of @d and how often it was joined. ctx: any. False: there is none */
bool netdev_mc_nth(const struct netdev *d, u32 n, be32 *group, u32 *users);
bool netdev_mc_source_nth(const struct netdev *d, u32 n, struct mc_source_info *out);

/*
 * What net/sock looks at: every frame in and out while .on is not 0 (AF_PACKET), and news of
 * devices, addresses, routes and neighbours (netlink). Set at boot.
 */
struct net_tap {
	u32 on; /* a: sockets that look */
	void (*see)(struct netdev *d, const struct pkt *p); /* I; ctx: thread; sleeps: no */
	void (*gone)(const struct netdev *d); /* I; it was unregistered. As see */
};
extern struct net_tap net_tap;
/*
 * The sender of @p, which is about to go to p->dev, wants to know when (p->stamped, which this
 * clears). Set at boot. ctx: thread; holds: nothing ranked
 */
extern void (*netdev_stamp_fn)(struct pkt *p);
enum net_event { NET_LINK, NET_ADDR, NET_ROUTE, NET_NEIGH, NET_ROUTE_REPLACED };
extern void (*net_event_hook)(enum net_event what, const void *object,
			      bool gone); /* I after boot */
void net_event(enum net_event what, const void *object, bool gone);

/* ethernet: ether.c. */
void ether_setup(struct netdev *d, const u8 mac[ETH_ALEN]);
void ether_rx(struct pkt *p); /* as netdev_rx */
int ether_output(struct netdev *d, struct pkt *p, be32 nexthop); /* as netdev_output */
/* Put an Ethernet header in front. False: no headroom. */
bool __must_check ether_header(struct pkt *p, const u8 *dst, const u8 *src, u16 type);

/* Cut a packet into segments as a device with NETDEV_TSO would, and send them: gso.c. */
int gso_xmit(struct netdev *d, struct pkt *p);

/*
 * Joining of received TCP segments, for a driver's worker: gro.c. A packet that is held back; size
 * 0: an acknowledgment without data.
 */
struct gro_held {
	struct pkt *p; /* head at the link's header */
	u32 next; /* sequence number that carries on */
	u16 size; /* bytes of the first segment */
	u16 segs; /* that it has become */
};
#define GRO_FLOWS 4u

/* o: the worker of the device, which flushes before it sleeps. */
struct gro {
	u32 n;
	struct gro_held held[GRO_FLOWS]; /* the oldest first */
};

/*
 * Join the frame at @off of @page, IP header aligned, to a packet that is held: its sum is known to
 * be right when @sum_ok. True: done; what of the page is needed has a reference. False: the frame
 * is to be given to gro_rx. ctx: thread; sleeps: no.
 */
bool __must_check gro_join(struct gro *g, struct page *page, u32 off, u32 len, bool sum_ok);
/* As netdev_rx, but @p may be held until gro_flush. Consumes @p. */
void gro_rx(struct gro *g, struct pkt *p);
/* Deliver all that is held. ctx: thread; sleeps: no; holds: nothing ranked */
void gro_flush(struct gro *g);

void net_init(void); /* boot: loopback, and the tables */
void loopback_init(void); /* boot */
