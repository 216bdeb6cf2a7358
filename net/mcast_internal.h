#pragma once
/* Between mcast.c, which knows who is in which group, and igmp.c, which tells routers. */
#include <linux/in.h>
#include "net/netdev.h"

/* Reports of each change, of which some may be lost: the robustness variable (RFC 3376, 8.1). */
#define MCAST_ROBUSTNESS 2

/* G: group_lock; I: immutable after creation. */
struct mcast_source {
	struct mcast_source *next; /* G */
	be32 addr; /* I */
	u32 n[2]; /* G: members that name it, by the mode of their filters */
	u8 times; /* G: that its coming or going is still to be said */
	u8 say; /* G: of those records, the ones that it is to be in; a bit each */
	bool was; /* G: it was listed before the change that is under way */
	bool asked; /* G: by a router, see .answer */
};

/* What a router that has asked is to hear. */
enum { MCAST_NO_ANSWER, MCAST_ANSWER_ASKED, MCAST_ANSWER_ALL };

struct mcast_group {
	struct list link; /* G */
	struct netdev *dev; /* I */
	be32 addr; /* I */
	u32 users[2]; /* G: by the mode of their filters. None: it was left */
	struct mcast_source *sources; /* G: that members name, or that are still to be reported */
	u8 times; /* G: that its mode is still to be said */
	u8 say; /* G: kinds of records that are to go out now */
	u8 answer; /* G */
	bool last; /* G: we were the last to report it (IGMPv2) */
	s64 due; /* G: when; TIME_NEVER: nothing is to be said */
};
extern struct spinlock group_lock; /* rank NET_LEAF */
extern struct list mcast_groups; /* group_lock */

static inline bool mcast_used(const struct mcast_group *g)
{
	return g->users[MCAST_EXCLUDE] || g->users[MCAST_INCLUDE];
}
/* The mode of the device's own filter, that of all members together (RFC 3376, 3.2). */
static inline bool mcast_excludes(const struct mcast_group *g)
{
	return g->users[MCAST_EXCLUDE];
}
/* Is @s in the list of that filter? */
static inline bool mcast_listed(const struct mcast_group *g, const struct mcast_source *s)
{
	if (mcast_excludes(g))
		return s->n[MCAST_EXCLUDE] == g->users[MCAST_EXCLUDE] && !s->n[MCAST_INCLUDE];
	return s->n[MCAST_INCLUDE];
}
/* What was known of routers on @d's link is forgotten. holds: group_lock */
void igmp_gone(const struct netdev *d);
/* Look at all deadlines soon. ctx: any; holds: perhaps group_lock */
void igmp_kick(void);
/* Does @d speak of @addr to routers at all? ctx: any */
bool igmp_speaks(const struct netdev *d, be32 addr);
/*
 * Free sources that nobody names and of which nothing is to be said; the group likewise: then
 * false. @all: whatever is to be said. holds: group_lock
 */
bool mcast_tidy(struct mcast_group *g, bool all);
