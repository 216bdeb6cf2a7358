/*
 * Multicast groups that a device listens to, and from whom.
 *
 * One list for all devices, guarded by group_lock (rank NET_LEAF). Each member of a group has a
 * filter; what the device takes and reports is all of them together, which follows from counts: of
 * the members by mode, and for each source of the members that name it (RFC 3376, 3.2). A group
 * that nobody is in is one that includes no source, so joining and leaving are changes of a filter
 * as any other. What a change makes of mode and list is what routers are to be told (igmp.c).
 *
 * Changes hold net_config_lock, as the driver is told of them (set_rx_mode), which may then ask
 * for the groups by netdev_mc_nth. 224.0.0.1 is everybody's (RFC 1112), nobody has to join it.
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

static struct mcast_source *find_source(const struct mcast_group *g, be32 addr)
{
	struct mcast_source *s = g->sources;

	while (s && s->addr != addr)
		s = s->next;
	return s;
}

/* See netdev.h. */
bool netdev_mc_member(const struct netdev *d, be32 addr, be32 src)
{
	const struct mcast_source *s;
	const struct mcast_group *g;
	bool member;

	if (addr == IP_ADDR(224, 0, 0, 1))
		return true;
	spin_lock(&group_lock);
	g = find(d, addr);
	member = g && mcast_used(g);
	if (member && src) {
		s = find_source(g, src);
		member = mcast_excludes(g) != (s && mcast_listed(g, s));
	}
	spin_unlock(&group_lock);
	return member;
}

/* See mcast_internal.h. */
bool mcast_tidy(struct mcast_group *g, bool all)
{
	struct mcast_source **at = &g->sources, *s;

	while ((s = *at)) {
		if (!all && (s->n[0] || s->n[1] || s->times || s->say)) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		kfree(s);
	}
	if (!all && (mcast_used(g) || g->times || g->say || g->sources))
		return true;
	list_del(&g->link);
	ngroups--;
	kfree(g);
	return false;
}

/* --- changing --- */

/*
 * The filter is another than it was: @excluded, and its list by .was of the sources. Routers are to
 * be told; a group that is over goes. holds: group_lock
 */
static void settle(struct mcast_group *g, bool excluded)
{
	u8 times = igmp_speaks(g->dev, g->addr) ? MCAST_ROBUSTNESS : 0;
	bool turned = mcast_excludes(g) != excluded, any = turned;

	if (turned)
		g->times = times; /* the record of the new mode has the list, too */
	for (struct mcast_source *s = g->sources; s; s = s->next) {
		bool changed = mcast_listed(g, s) != s->was;

		if (turned || changed)
			s->times = turned ? 0 : times;
		any |= changed;
	}
	if (any && times) {
		g->due = time_now();
		igmp_kick();
	}
	(void)mcast_tidy(g, false);
}

/* There are objects for all that @f names. holds: group_lock */
static int reserve(struct mcast_group *g, const struct mc_filter *f)
{
	for (u32 i = 0; i < f->n; i++) {
		struct mcast_source *s;

		if (find_source(g, f->src[i]))
			continue;
		s = kzalloc(sizeof(*s), PMM_NOWAIT);
		if (!s)
			return -ENOBUFS;
		s->addr = f->src[i];
		s->next = g->sources;
		g->sources = s;
	}
	return 0;
}

static void count(struct mcast_group *g, const struct mc_filter *f, u32 by)
{
	g->users[f->mode] += by;
	for (u32 i = 0; i < f->n; i++)
		find_source(g, f->src[i])->n[f->mode] += by;
}

/* One that nobody is in; NULL: -ENOBUFS. holds: group_lock */
static struct mcast_group *add_group(struct netdev *d, be32 addr)
{
	struct mcast_group *g = ngroups < GROUPS_MAX ? kzalloc(sizeof(*g), PMM_NOWAIT) : NULL;

	if (!g)
		return NULL;
	g->dev = d;
	g->addr = addr;
	g->due = TIME_NEVER;
	list_add_tail(&mcast_groups, &g->link);
	ngroups++;
	return g;
}

/* See netdev.h. */
int netdev_mc_change(struct netdev *d, be32 addr, const struct mc_filter *old,
		     const struct mc_filter *new)
{
	struct mcast_group *g;
	bool excluded, used;
	int err = -ENOBUFS;

	mutex_assert_held(&net_config_lock);
	spin_lock(&group_lock);
	g = find(d, addr);
	used = g && mcast_used(g);
	if (!g)
		g = add_group(d, addr);
	if (g) {
		excluded = mcast_excludes(g);
		for (struct mcast_source *s = g->sources; s; s = s->next)
			s->was = mcast_listed(g, s);
		err = new ? reserve(g, new) : 0;
		if (!err && new)
			count(g, new, 1);
		if (!err && old)
			count(g, old, ~0u);
		used ^= mcast_used(g);
		settle(g, excluded);
	}
	spin_unlock(&group_lock);
	if (!err && used && netdev_up(d) && d->ops->set_rx_mode)
		d->ops->set_rx_mode(d);
	return err;
}

/* See netdev.h. What is reported begins anew. */
void netdev_mc_up(struct netdev *d)
{
	struct mcast_group *g, *next;

	spin_lock(&group_lock);
	list_for_each_safe(g, next, &mcast_groups, link) {
		if (g->dev != d)
			continue;
		for (struct mcast_source *s = g->sources; s; s = s->next)
			s->was = false;
		settle(g, false);
	}
	spin_unlock(&group_lock);
}

/* See netdev.h. */
void netdev_mc_gone(struct netdev *d)
{
	struct mcast_group *g, *next;

	spin_lock(&group_lock);
	list_for_each_safe(g, next, &mcast_groups, link) {
		if (g->dev == d)
			(void)mcast_tidy(g, true);
	}
	igmp_gone(d);
	spin_unlock(&group_lock);
}

/* --- looking --- */

/* See netdev.h. ctx: any */
bool netdev_mc_nth(const struct netdev *d, u32 n, be32 *addr, u32 *users)
{
	struct mcast_group *g;
	bool found = false;

	spin_lock(&group_lock);
	list_for_each(g, &mcast_groups, link) {
		if (g->dev != d || !mcast_used(g) || n--)
			continue;
		*addr = g->addr;
		*users = g->users[0] + g->users[1];
		found = true;
		break;
	}
	spin_unlock(&group_lock);
	return found;
}

/* See netdev.h. ctx: any */
bool netdev_mc_source_nth(const struct netdev *d, u32 n, struct mc_source_info *out)
{
	const struct mcast_source *s = NULL;
	struct mcast_group *g;

	spin_lock(&group_lock);
	list_for_each(g, &mcast_groups, link) {
		for (s = g->dev == d ? g->sources : NULL; s; s = s->next) {
			if ((s->n[0] || s->n[1]) && !n--)
				break;
		}
		if (s) {
			*out = (struct mc_source_info){ g->addr, s->addr, s->n[MCAST_INCLUDE],
							s->n[MCAST_EXCLUDE] };
			break;
		}
	}
	spin_unlock(&group_lock);
	return s;
}
