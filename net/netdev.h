#pragma once
/*
 * Network devices: what a driver implements and how packets enter and leave.
 *
 * A device is registered once and stays until power-off, so pointers to it need no reference. Its
 * settings change under net_config_lock (a mutex); readers on the packet path load single words.
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

/* All ctx: thread; open, stop and set_* hold net_config_lock and may sleep; NULL: nothing to do. */
struct netdev_ops {
	int (*open)(struct netdev *d);
	void (*stop)(struct netdev *d);
	/* Consumes @p. 0, or -ENOBUFS. Sleeps: no. */
	int (*xmit)(struct netdev *d, struct pkt *p);
	void (*set_rx_mode)(struct netdev *d); /* flags or multicast addresses changed */
	int (*set_addr)(struct netdev *d, const u8 *addr); /* NULL: -EOPNOTSUPP */
	int (*set_mtu)(struct netdev *d, u32 mtu); /* NULL: any within bounds */
};

/* One CPU's counters: a cache line. */
struct netdev_cpu_stats {
	u64 rx_packets, rx_bytes, tx_packets, tx_bytes; /* o: that CPU */
	u64 rx_dropped, tx_dropped, rx_errors, multicast; /* o */
} __aligned(64);

struct netdev {
	char name[IFNAMSIZ]; /* I */
	u32 index; /* I: from 1 */
	u16 hw_type; /* I: ARPHRD_* */
	u8 addr_len; /* I */
	u8 addr[NETDEV_ADDR_MAX], broadcast[NETDEV_ADDR_MAX]; /* c */
	u8 perm_addr[NETDEV_ADDR_MAX]; /* I: the address that it came with */
	const struct netdev_ops *ops; /* I */
	void *priv; /* I: the driver's */
	u32 flags; /* c: IFF_* without IFF_RUNNING */
	bool carrier; /* a: there is a link */
	u32 mtu, mtu_min, mtu_max; /* c; I */
	u32 features; /* I: NETDEV_* */
	u32 tx_queue_len; /* c */
	u32 promisc, allmulti; /* c: how many want it */
	u32 tx_errors; /* a */
	u16 ring; /* I: packets that a queue holds; 0: it has none */
	u16 gso_max; /* I: bytes of the largest packet to be cut */
	const char *driver; /* I: its name; NULL: none */
	const struct device *device; /* I: what it is made of, NULL: nothing */
	struct netdev_cpu_stats *stats; /* I: one per CPU */
};

extern struct mutex net_config_lock; /* rank NET_CONFIG */

/*
 * Make @d known; the fields marked I, mtu, addresses and flags are filled in; "%u" in the name is
 * replaced by the first free number. ctx: thread; sleeps. 0, -ENOMEM, -ENOSPC.
 */
int __must_check netdev_register(struct netdev *d);
/* By index (from 1), or by name; NULL: none. ctx: any */
struct netdev *netdev_by_index(u32 index);
struct netdev *netdev_by_name(const char *name);
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
/* More or fewer want all frames (IFF_PROMISC) or all multicast. holds: net_config_lock */
void netdev_add_promisc(struct netdev *d, int n);
void netdev_add_allmulti(struct netdev *d, int n);
/* The driver's: the link came or went. ctx: thread; sleeps */
void netdev_set_carrier(struct netdev *d, bool on);
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
 * addresses too. Consumes @p. ctx: thread; sleeps: no. 0, or -ENETDOWN, -ENOBUFS, -EHOSTUNREACH. A
 * packet that waits for its neighbour's address counts as sent.
 */
int netdev_output(struct netdev *d, struct pkt *p, be32 nexthop);
/* Send a whole frame. As above; -EMSGSIZE. Does what the device cannot: sums, segments. */
int netdev_xmit(struct netdev *d, struct pkt *p);
int netdev_xmit_segment(struct netdev *d,
			struct pkt *p); /* gso.c's: a piece of one that was shown */

/*
 * Multicast groups that @d listens to, counted. ctx: thread; sleeps. 0 or -ENOBUFS, -EADDRNOTAVAIL
 */
int __must_check netdev_mc_join(struct netdev *d, be32 group);
int netdev_mc_leave(struct netdev *d, be32 group);
/* The device came up: routers are told of its groups. ctx: thread */
void netdev_mc_up(struct netdev *d);
bool netdev_mc_member(const struct netdev *d, be32 group); /* ctx: any */
/* The @n-th group of @d and how often it was joined. ctx: any. False: there is none */
bool netdev_mc_nth(const struct netdev *d, u32 n, be32 *group, u32 *users);

/*
 * What net/sock looks at: every frame in and out while .on is not 0 (AF_PACKET), and news of
 * devices, addresses, routes and neighbours (netlink). Set at boot.
 */
struct net_tap {
	u32 on; /* a: sockets that look */
	void (*see)(struct netdev *d, const struct pkt *p); /* I; ctx: thread; sleeps: no */
};
extern struct net_tap net_tap;
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
 * Joining of received TCP segments, for a driver's worker: gro.c. A packet that is held back; size 0:
 * an acknowledgment without data.
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
 * be right when @sum_ok. True: done; what of the page is needed has a reference. False: the frame is
 * to be given to gro_rx. ctx: thread; sleeps: no.
 */
bool __must_check gro_join(struct gro *g, struct page *page, u32 off, u32 len, bool sum_ok);
/* As netdev_rx, but @p may be held until gro_flush. Consumes @p. */
void gro_rx(struct gro *g, struct pkt *p);
/* Deliver all that is held. ctx: thread; sleeps: no; holds: nothing ranked */
void gro_flush(struct gro *g);

void net_init(void); /* boot: loopback, and the tables */
void loopback_init(void); /* boot */
