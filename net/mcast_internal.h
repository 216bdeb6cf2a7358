#pragma once
/* Between mcast.c, which knows who is in which group, and igmp.c, which tells routers. */
#include "net/netdev.h"

/* What the next report about a group says; the numbers of IGMPv3's records (RFC 3376, 4.2.12). */
enum mcast_report { MCAST_IS_MEMBER = 2, MCAST_LEAVES = 3, MCAST_JOINS = 4 };

/* G: group_lock; I: immutable after creation. */
struct mcast_group {
	struct list link; /* G */
	struct netdev *dev; /* I */
	be32 addr; /* I */
	u32 users; /* G: 0: it was left, and that is still to be said */
	u8 report; /* G: enum mcast_report */
	u8 times; /* G: that it is still to be said */
	bool last; /* G: we were the last to report it (IGMPv2) */
	s64 due; /* G: when; TIME_NEVER: nothing is to be said */
};
extern struct spinlock group_lock; /* rank NET_LEAF */
extern struct list mcast_groups; /* group_lock */
/* The group @g of a device that speaks IGMP was joined, or left (.users 0). holds: group_lock */
void igmp_changed(struct mcast_group *g);
/* What was known of routers on @d's link is forgotten. holds: group_lock */
void igmp_gone(const struct netdev *d);
/* Look at all deadlines soon. ctx: any; holds: perhaps group_lock */
void igmp_kick(void);
/* Does @d speak of @addr to routers at all? ctx: any */
bool igmp_speaks(const struct netdev *d, be32 addr);
/* It is not in the list any more. holds: group_lock */
void mcast_forget(struct mcast_group *g);
