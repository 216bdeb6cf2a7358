#pragma once
/* Neighbours: link addresses of IPv4 addresses, by ARP (RFC 826). */
#include <linux/neighbour.h>
#include "net/netdev.h"

/*
 * The link address of @addr into @mac: true. False: *@p was taken; it goes out when the answer
 * comes; *@p is NULL when it was dropped. ctx: thread; sleeps: no
 */
bool arp_resolve(struct netdev *d, be32 addr, struct pkt **p, u8 *mac);
extern int neigh_max; /* a: sysctl: how many there may be */
/* A frame of type ARP, head behind the link's header. Consumes @p. As netdev_rx. */
void arp_input(struct pkt *p);
/* The neighbour answered at a higher layer: it is reachable. ctx: thread; sleeps: no */
void arp_confirm(const struct netdev *d, be32 addr);
/* Tell the link that @addr is ours (gratuitous ARP). ctx: thread; sleeps */
void arp_announce(struct netdev *d, be32 addr);
/*
 * Ask the link who has @addr, as one that has no address yet (RFC 5227). ctx: thread; sleeps: no
 */
void arp_probe(struct netdev *d, be32 addr);
/*
 * From now on arp_watch_fn is called when somebody else on @d has @addr, or, as long as we are only
 * @probing for it, asks for it as one that would have it; 0: never. There is one watch.
 * ctx: thread; fn's ctx: thread; sleeps: no
 */
void arp_watch(struct netdev *d, be32 addr, bool probing);
extern void (*arp_watch_fn)(void); /* I once something is watched */

struct neigh_info {
	struct netdev *dev;
	be32 addr;
	u8 state; /* NUD_* */
	u8 mac[ETH_ALEN];
	u32 confirmed, used, updated; /* 1/100 s ago */
};
/* The @n-th neighbour, in no order that means anything. ctx: any. False: there is none */
bool neigh_get(u32 n, struct neigh_info *out);
bool neigh_find(const struct netdev *d, be32 addr, struct neigh_info *out); /* ctx: any */
#define NEIGH_CREATE 1u
#define NEIGH_REPLACE 2u
/* By hand: NUD_PERMANENT and the like. 0, -EEXIST, -ENOENT, -ENOBUFS. ctx: thread; sleeps */
int neigh_set(struct netdev *d, be32 addr, u8 state, const u8 *mac, u32 how);
int neigh_del(struct netdev *d, be32 addr); /* 0 or -ENOENT */
/* Forget all but permanent ones, and those too of a device that is gone. ctx: thread */
void neigh_dev_down(struct netdev *d);
