/*
 * Multicast groups that a device listens to.
 *
 * One list for all devices, counted per group, guarded by group_lock (rank NET_LEAF). The driver is
 * told with net_config_lock held (set_rx_mode) and may then ask for the groups by netdev_mc_nth.
 * 224.0.0.1 is everybody's (RFC 1112), nobody has to join it.
 */
#include <linux/errno.h>
#include "kernel/base/time.h"
#include "mm/slab.h"
#include "net/mcast_internal.h"

#define GROUPS_MAX 1024u

struct spinlock group_lock = SPINLOCK_INIT(RANK_NET_LEAF);
struct list mcast_groups = LIST_INIT(mcast_groups); /* group_lock */
static u32 ngroups; /* group_lock */

/* holds: group_lock */
static struct mcast_group *find(const struct netdev *d, be32 addr)
{
	struct mcast_group *g;

	list_for_each(g, &mcast_groups, link) {
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
	member = find(d, addr) && find(d, addr)->users;
	spin_unlock(&group_lock);
	return member;
}

/* See mcast_internal.h. */
void mcast_forget(struct mcast_group *g)
{
	list_del(&g->link);
	ngroups--;
}

static void tell(struct netdev *d)
{
	mutex_lock(&net_config_lock);
	if (netdev_up(d) && d->ops->set_rx_mode)
		d->ops->set_rx_mode(d);
	mutex_unlock(&net_config_lock);
}

/* See netdev.h. */
void netdev_mc_up(struct netdev *d)
{
	struct mcast_group *g;

	spin_lock(&group_lock);
	list_for_each(g, &mcast_groups, link) {
		if (g->dev == d && g->users && igmp_speaks(d, g->addr))
			igmp_changed(g);
	}
	spin_unlock(&group_lock);
}

/* See netdev.h. */
int netdev_mc_join(struct netdev *d, be32 addr)
{
	struct mcast_group *fresh = kzalloc(sizeof(*fresh), 0), *g;
	bool first = false;
	int err = 0;

	if (!fresh)
		return -ENOBUFS;
	fresh->dev = d;
	fresh->addr = addr;
	fresh->due = TIME_NEVER;
	spin_lock(&group_lock);
	g = find(d, addr);
	if (READ_ONCE(d->gone)) {
		err = -ENODEV;
		g = NULL;
	} else if (!g && ngroups >= GROUPS_MAX) {
		err = -ENOBUFS;
	} else if (!g) {
		list_add_tail(&mcast_groups, &fresh->link);
		ngroups++;
		g = fresh;
		fresh = NULL;
	}
	if (g) {
		first = !g->users++;
		if (first && igmp_speaks(d, addr))
			igmp_changed(g);
	}
	spin_unlock(&group_lock);
	kfree(fresh);
	if (first)
		tell(d);
	return err;
}

/* See netdev.h. ctx: thread; sleeps */
int netdev_mc_leave(struct netdev *d, be32 addr)
{
	struct mcast_group *g;
	bool last, known;

	spin_lock(&group_lock);
	g = find(d, addr);
	known = g && g->users;
	last = known && !--g->users;
	if (last && igmp_speaks(d, addr)) {
		igmp_changed(g); /* which frees it when that was said */
	} else if (last) {
		mcast_forget(g);
		kfree(g);
	}
	spin_unlock(&group_lock);
	if (last)
		tell(d);
	return known ? 0 : -EADDRNOTAVAIL;
}

/* See netdev.h. */
void netdev_mc_gone(struct netdev *d)
{
	struct mcast_group *g, *next;

	spin_lock(&group_lock);
	list_for_each_safe(g, next, &mcast_groups, link) {
		if (g->dev == d) {
			mcast_forget(g);
			kfree(g);
		}
	}
	igmp_gone(d);
	spin_unlock(&group_lock);
}

/* See netdev.h. ctx: any */
bool netdev_mc_nth(const struct netdev *d, u32 n, be32 *addr, u32 *users)
{
	struct mcast_group *g;
	bool found = false;

	spin_lock(&group_lock);
	list_for_each(g, &mcast_groups, link) {
		if (g->dev != d || !g->users || n--)
			continue;
		*addr = g->addr;
		*users = g->users;
		found = true;
		break;
	}
	spin_unlock(&group_lock);
	return found;
}
