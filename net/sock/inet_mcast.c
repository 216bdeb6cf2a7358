/*
 * Groups that a socket is in, and whose packets it wants there: ip(7), RFC 3678.
 *
 * Each group on each device is a struct mc_member with a filter (net/netdev.h): "all but those"
 * for who just joined, "only those" for who joined by source. All options say how the filter is to
 * change; the new one is made whole, counted in at the device in place of the old one
 * (net/mcast.c), and then put where packets on their way in see it. An empty filter that nobody
 * has put sources into is one of two constants, and may turn into the other mode.
 *
 * net_config_lock orders the changes, filter_lock keeps them from packets. A device that goes
 * takes its groups along; what a socket knows of them then has an index that no device has, until
 * it leaves.
 */
#include <linux/errno.h>
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/sock/inet.h"

#define SOURCES_MOST 5000u /* whatever igmp_max_msf says: a socket's option memory on Linux */

struct mc_member {
	struct mc_member *next; /* as .groups */
	be32 group; /* I */
	u32 index; /* I: of the device */
	const struct mc_filter *filter; /* as .groups */
};

static struct spinlock filter_lock = SPINLOCK_INIT(RANK_NET_LEAF);
static const struct mc_filter everything = { .mode = MCAST_EXCLUDE };
static const struct mc_filter nothing = { .mode = MCAST_INCLUDE };

/* What a call speaks of; begins as struct ip_mreqn. */
struct request {
	be32 group;
	be32 addr; /* of the device */
	u32 index; /* or its number; both 0: by route */
	be32 src;
};

static const struct mc_filter *empty(u32 mode)
{
	return mode == MCAST_INCLUDE ? &nothing : &everything;
}

static struct mc_filter *filter_make(u32 mode, u32 n)
{
	struct mc_filter *f = NULL;

	if (n <= SOURCES_MOST)
		f = kmalloc(sizeof(*f) + n * sizeof(f->src[0]), 0);
	if (f) {
		f->mode = (u8)mode;
		f->own = true;
		f->n = n;
	}
	return f;
}

/* The place of @src; .n: it is not there. */
static u32 place(const struct mc_filter *f, be32 src)
{
	u32 at = 0;

	while (at < f->n && f->src[at] != src)
		at++;
	return at;
}

/* Where the member is, or would be: at the end. */
static struct mc_member **find(struct inet_sock *i, const struct request *r)
{
	struct mc_member **at = &i->groups;

	while (*at && ((*at)->group != r->group || (*at)->index != r->index))
		at = &(*at)->next;
	return at;
}

/* See inet.h. */
bool inet_mcast_wants(struct inet_sock *i, const struct pkt *p)
{
	struct request r = { .group = pkt_net(p)->daddr, .index = p->dev->index };
	bool wants = READ_ONCE(i->mc_all);
	const struct mc_member *m;

	spin_lock(&filter_lock);
	m = *find(i, &r);
	if (m)
		wants = (place(m->filter, pkt_net(p)->saddr) < m->filter->n) ==
			(m->filter->mode == MCAST_INCLUDE);
	spin_unlock(&filter_lock);
	return wants;
}

/* --- changing --- */

/* The group is one, and r->index is the device's. 0, -EINVAL, -ENODEV */
static int resolve(struct request *r)
{
	struct route rt;

	if (!inet_is_multicast(r->group))
		return -EINVAL;
	if (r->index)
		return netdev_by_index(r->index) ? 0 : -ENODEV;
	if (route_lookup(r->group, r->addr, NULL, &rt))
		return -ENODEV;
	r->index = rt.dev->index;
	return 0;
}

/* One that is in no group yet; NULL: it must not. */
static struct mc_member *member_make(struct inet_sock *i, const struct request *r)
{
	struct mc_member *m;
	int n = 0;

	for (m = i->groups; m; m = m->next)
		n++;
	m = n < READ_ONCE(inet_max_groups) ? kzalloc(sizeof(*m), 0) : NULL;
	if (m) {
		m->group = r->group;
		m->index = r->index;
	}
	return m;
}

/*
 * @f takes the place of the filter of the member at @at, which joins if there is none; NULL: it
 * leaves the group. 0 or -ENOBUFS: all is as before.
 */
static int change(struct inet_sock *i, const struct request *r, struct mc_member **at,
		  const struct mc_filter *f)
{
	struct mc_member *m = *at ? *at : member_make(i, r);
	const struct mc_filter *old;
	struct netdev *d;
	int err;

	if (!m)
		return -ENOBUFS;
	old = m->filter;
	d = netdev_by_index(m->index);
	err = d ? netdev_mc_change(d, m->group, old, f) : 0;
	if (err) {
		if (!old)
			kfree(m);
		return err;
	}
	spin_lock(&filter_lock);
	m->filter = f;
	*at = f ? m : m->next;
	spin_unlock(&filter_lock);
	if (old && old->own)
		kfree(old);
	if (!f)
		kfree(m);
	return 0;
}

static int leave(struct inet_sock *i, struct mc_member **at)
{
	return *at ? change(i, NULL, at, NULL) : -EADDRNOTAVAIL;
}

/* @f with the source, or without it, which is at @at. */
static int change_list(struct inet_sock *i, struct mc_member **m, const struct request *r,
		       const struct mc_filter *f, u32 at)
{
	bool add = at == f->n;
	struct mc_filter *fresh = filter_make(f->mode, add ? at + 1 : f->n - 1);
	int err;

	if (!fresh)
		return -ENOBUFS;
	memcpy(fresh->src, f->src, at * sizeof(f->src[0]));
	if (add)
		fresh->src[at] = r->src;
	else
		memcpy(fresh->src + at, f->src + at + 1, (fresh->n - at) * sizeof(f->src[0]));
	err = change(i, r, m, fresh);
	if (err)
		kfree(fresh);
	return err;
}

/* A source is added to, or taken out of, a filter of @mode. */
static int change_source(struct inet_sock *i, const struct request *r, struct mc_member **m,
			 u32 mode, bool add)
{
	const struct mc_filter *f = &nothing;
	u32 at;

	if (*m)
		f = (*m)->filter;
	else if (!add || mode == MCAST_EXCLUDE) /* has to join first */
		return -EINVAL;
	if (f->mode != mode) {
		if (f->own)
			return -EINVAL;
		f = empty(mode); /* even when nothing is found in it */
		if (!add && change(i, r, m, f))
			return -ENOBUFS;
	}
	if (add && f->own && f->n >= (u32)READ_ONCE(inet_max_sources))
		return -ENOBUFS;
	at = place(f, r->src);
	if (add != (at == f->n))
		return -EADDRNOTAVAIL;
	if (!add && f->n == 1 && mode == MCAST_INCLUDE)
		return leave(i, m);
	return change_list(i, m, r, f, at);
}

/* --- values --- */

/*
 * The lists of sources (IP_MSFILTER, MCAST_MSFILTER): a head, which ends with mode and number, and
 * so many addresses. Those of RFC 3678 come with their family, in front.
 */
#define IP_HEAD ((u32)offsetof(struct ip_msfilter, imsf_slist))
#define GROUP_HEAD ((u32)offsetof(struct group_filter, gf_slist))
#define STORAGE ((u32)sizeof(struct __kernel_sockaddr_storage))
#define ADDR offsetof(struct sockaddr_in, sin_addr)

static u32 head_size(int option)
{
	return option == IP_MSFILTER ? IP_HEAD : GROUP_HEAD;
}

static u32 addr_size(int option)
{
	return option == IP_MSFILTER ? (u32)sizeof(be32) : STORAGE;
}

/* The address of a family; false: it is another one. */
static bool addr_at(const u8 *at, be32 *out)
{
	u16 family;

	memcpy(&family, at, sizeof(family));
	memcpy(out, at + ADDR, sizeof(*out));
	return family == AF_INET;
}

/* What is in front: addresses, or index and group; false: of another family. */
static bool head(int option, const u8 *val, struct request *r)
{
	if (option < MCAST_JOIN_GROUP) {
		memcpy(r, val, 2 * sizeof(be32));
		return true;
	}
	memcpy(&r->index, val, sizeof(r->index));
	return addr_at(val + offsetof(struct group_req, gr_group), &r->group);
}

static int set_filter(struct inet_sock *i, int option, const u8 *val, u32 len)
{
	u32 size = addr_size(option), from = head_size(option);
	struct mc_filter *f = NULL;
	struct request r = { 0 };
	struct mc_member **m;
	u32 mode, n;
	bool ok;
	int err;

	if (len < from)
		return -EINVAL;
	memcpy(&mode, val + from - 8, sizeof(mode));
	memcpy(&n, val + from - 4, sizeof(n));
	if (n > (u32)READ_ONCE(inet_max_sources))
		return -ENOBUFS;
	if (n > (len - from) / size)
		return -EINVAL;
	ok = head(option, val, &r);
	f = filter_make(mode, n);
	if (!f)
		return -ENOBUFS;
	for (u32 k = 0; k < n; k++, from += size) {
		if (size == STORAGE)
			ok &= addr_at(val + from, &f->src[k]);
		else
			memcpy(&f->src[k], val + from, size);
	}
	err = -EADDRNOTAVAIL;
	if (!ok)
		goto out;
	err = mode > MCAST_INCLUDE ? -EINVAL : resolve(&r);
	if (err)
		goto out;
	m = find(i, &r);
	if (mode == MCAST_INCLUDE && !n)
		err = leave(i, m);
	else if (!*m)
		err = -EINVAL;
	else
		err = change(i, &r, m, n ? f : &everything);
	if (!err && n)
		return 0;
out:
	kfree(f);
	return err;
}

/* What options do, from IP_ADD_MEMBERSHIP on. */
enum { MODE = 1, ADD = 2, ALL = 4 };
#define OF(option) [(option)-IP_ADD_MEMBERSHIP]
static const u8 acts[] = {
	OF(IP_ADD_MEMBERSHIP) = ALL | ADD,
	OF(IP_DROP_MEMBERSHIP) = ALL,
	OF(IP_BLOCK_SOURCE) = MCAST_EXCLUDE | ADD,
	OF(IP_UNBLOCK_SOURCE) = MCAST_EXCLUDE,
	OF(IP_ADD_SOURCE_MEMBERSHIP) = MCAST_INCLUDE | ADD,
	OF(IP_DROP_SOURCE_MEMBERSHIP) = MCAST_INCLUDE,
	OF(MCAST_JOIN_GROUP) = ALL | ADD,
	OF(MCAST_LEAVE_GROUP) = ALL,
	OF(MCAST_BLOCK_SOURCE) = MCAST_EXCLUDE | ADD,
	OF(MCAST_UNBLOCK_SOURCE) = MCAST_EXCLUDE,
	OF(MCAST_JOIN_SOURCE_GROUP) = MCAST_INCLUDE | ADD,
	OF(MCAST_LEAVE_SOURCE_GROUP) = MCAST_INCLUDE,
};

/* holds: net_config_lock */
static int act(struct inet_sock *i, u8 what, struct request *r)
{
	bool named = r->index || r->addr;
	int err = resolve(r);
	struct mc_member **m = find(i, r);

	if (what == ALL && (err != -ENODEV || named)) /* even of a device that is gone */
		return leave(i, m);
	if (err)
		return err;
	if (what & ALL)
		return *m ? -EADDRINUSE : change(i, r, m, &everything);
	return change_source(i, r, m, what & MODE, what & ADD);
}

/* The value of @option, which is none of the lists. 0 or -errno */
static int parse(struct inet_sock *i, int option, const u8 *val, u32 len, struct request *r)
{
	bool group = acts[option - IP_ADD_MEMBERSHIP] & ALL, ok;

	if (option <= IP_DROP_MEMBERSHIP) {
		if (i->s.type == SOCK_STREAM)
			return -EPROTO;
		if (len < sizeof(struct ip_mreq))
			return -EINVAL;
		memcpy(r, val, MIN(len, (u32)sizeof(struct ip_mreqn)));
		return 0;
	}
	if (option < IP_MSFILTER) {
		if (len != sizeof(struct ip_mreq_source))
			return -EINVAL;
		(void)head(option, val, r);
		memcpy(&r->src, val + 2 * sizeof(be32), sizeof(be32));
		return 0;
	}
	if (group ? len < sizeof(struct group_req) : len != sizeof(struct group_source_req))
		return -EINVAL;
	ok = head(option, val, r);
	if (group)
		return ok ? 0 : -EINVAL;
	ok &= addr_at(val + offsetof(struct group_source_req, gsr_source), &r->src);
	return ok ? 0 : -EADDRNOTAVAIL;
}

/* See inet.h. */
int inet_mcast_set(struct inet_sock *i, int option, const void *val, u32 len)
{
	bool list = option == IP_MSFILTER || option == MCAST_MSFILTER;
	struct request r = { 0 };
	int err = list ? 0 : parse(i, option, val, len, &r);

	if (err)
		return err;
	mutex_lock(&net_config_lock);
	err = list ? set_filter(i, option, val, len) : act(i, acts[option - IP_ADD_MEMBERSHIP], &r);
	mutex_unlock(&net_config_lock);
	return err;
}

/* See inet.h. */
int inet_mcast_get(struct inet_sock *i, int option, u8 *val, u32 *len)
{
	u32 at = head_size(option), size = addr_size(option), n;
	struct request r = { 0 };
	const struct mc_member *m;
	int err = -EADDRNOTAVAIL;

	if (*len < at || !head(option, val, &r) || !inet_is_multicast(r.group))
		return -EINVAL;
	memcpy(&n, val + at - 4, sizeof(n));
	n = MIN(n, (*len - at) / size);
	mutex_lock(&net_config_lock);
	if (option == IP_MSFILTER && resolve(&r))
		err = -ENODEV;
	m = *find(i, &r);
	if (m) {
		err = 0;
		n = MIN(n, m->filter->n);
		memcpy(val + at - 8, &(u32){ m->filter->mode }, sizeof(u32));
		memcpy(val + at - 4, &m->filter->n, sizeof(u32));
		*len = at + n * size;
		memset(val + at, 0, n * size);
		for (u32 k = 0; k < n; k++, at += size) {
			if (size == STORAGE)
				memcpy(val + at, &(u16){ AF_INET }, sizeof(u16));
			memcpy(val + at + (size == STORAGE ? ADDR : 0), &m->filter->src[k],
			       sizeof(be32));
		}
	}
	mutex_unlock(&net_config_lock);
	return err;
}

/* See inet.h. Nothing can be sent to it any more. */
void inet_mcast_free(struct inet_sock *i)
{
	if (likely(!i->groups))
		return;
	mutex_lock(&net_config_lock);
	while (i->groups)
		(void)leave(i, &i->groups);
	mutex_unlock(&net_config_lock);
}
