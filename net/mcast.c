/*
 * Multicast groups that a device listens to.
 *
 * One list for all devices, counted per group, guarded by group_lock (rank NET_LEAF). The driver is
 * told with net_config_lock held (set_rx_mode) and may then ask for the groups by netdev_mc_nth.
 * 224.0.0.1 is everybody's (RFC 1112), nobody has to join it.
 */
#include <linux/errno.h>
#include "mm/slab.h"
#include "net/netdev.h"

#define GROUPS_MAX 1024u

/* G: group_lock; I: immutable after creation. */
struct group {
	struct list link; /* G */
	const struct netdev *dev; /* I */
	be32 addr; /* I */
	u32 users; /* G */
};
static struct spinlock group_lock = SPINLOCK_INIT(RANK_NET_LEAF);
static struct list groups = LIST_INIT(groups); /* group_lock */
static u32 ngroups; /* group_lock */

/* holds: group_lock */
static struct group *find(const struct netdev *d, be32 addr)
{
	struct group *g;

	list_for_each(g, &groups, link) {
		if (g->addr == addr && g->dev == d)
			return g;
	}
	return NULL;
}

/* See netdev.h. */
bool netdev_mc_member(const struct netdev *d, be32 addr)
{
	bool member;

	if (addr == IP_ADDR(224, 0, 0, 1))
		return true;
	spin_lock(&group_lock);
	member = find(d, addr);
	spin_unlock(&group_lock);
	return member;
}

static void tell(struct netdev *d)
{
	mutex_lock(&net_config_lock);
	if (netdev_up(d) && d->ops->set_rx_mode)
		d->ops->set_rx_mode(d);
	mutex_unlock(&net_config_lock);
}

/* See netdev.h. */
int netdev_mc_join(struct netdev *d, be32 addr)
{
	struct group *fresh = kzalloc(sizeof(*fresh), 0), *g;
	int err = 0;

	if (!fresh)
		return -ENOBUFS;
	fresh->dev = d;
	fresh->addr = addr;
	fresh->users = 1;
	spin_lock(&group_lock);
	g = find(d, addr);
	if (g) {
		g->users++;
	} else if (ngroups >= GROUPS_MAX) {
		err = -ENOBUFS;
	} else {
		list_add_tail(&groups, &fresh->link);
		ngroups++;
	}
	spin_unlock(&group_lock);
	if (g || err)
		kfree(fresh);
	else
		tell(d);
	return err;
}

/* See netdev.h. ctx: thread; sleeps */
int netdev_mc_leave(struct netdev *d, be32 addr)
{
	struct group *g;
	bool last = false;

	spin_lock(&group_lock);
	g = find(d, addr);
	if (g && !--g->users) {
		list_del(&g->link);
		ngroups--;
		last = true;
	}
	spin_unlock(&group_lock);
	if (last) {
		kfree(g);
		tell(d);
	}
	return g ? 0 : -EADDRNOTAVAIL;
}

/* See netdev.h. ctx: any */
bool netdev_mc_nth(const struct netdev *d, u32 n, be32 *addr, u32 *users)
{
	struct group *g;
	bool found = false;

	spin_lock(&group_lock);
	list_for_each(g, &groups, link) {
		if (g->dev != d || n--)
			continue;
		*addr = g->addr;
		*users = g->users;
		found = true;
		break;
	}
	spin_unlock(&group_lock);
	return found;
}
