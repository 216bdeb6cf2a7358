/*
 * Counts per user: see fsuser.h. Few users have such things at the same time, so they are on one
 * list.
 *
 * The superuser's object is there from the beginning and never goes: most pipes of a small system
 * are his.
 */
#include <linux/errno.h>
#include "fs/fsuser.h"
#include "kernel/base/spinlock.h"
#include "mm/slab.h"

static struct spinlock user_lock = SPINLOCK_INIT(RANK_EVENT);
static struct fs_user root_user = { .link = LIST_INIT(root_user.link), .refs = 1 };
static struct list users = LIST_INIT(users); /* user_lock: all others */

/* With a reference, or NULL. holds: user_lock */
static struct fs_user *find_locked(u32 uid)
{
	struct fs_user *u;

	if (!uid) {
		root_user.refs++;
		return &root_user;
	}
	list_for_each(u, &users, link) {
		if (u->uid == uid) {
			u->refs++;
			return u;
		}
	}
	return NULL;
}

/* See fsuser.h. */
int fs_user_get(u32 uid, struct fs_user **out)
{
	struct fs_user *fresh = NULL, *u;

	spin_lock(&user_lock);
	u = find_locked(uid);
	spin_unlock(&user_lock);
	if (!u) {
		fresh = kzalloc(sizeof(*fresh), 0);
		if (!fresh)
			return -ENOMEM;
		fresh->uid = uid;
		fresh->refs = 1;
		spin_lock(&user_lock);
		u = find_locked(uid);
		if (!u) {
			list_add(&users, &fresh->link);
			u = fresh;
			fresh = NULL;
		}
		spin_unlock(&user_lock);
		kfree(fresh);
	}
	*out = u;
	return 0;
}

/* See fsuser.h. */
void fs_user_put(struct fs_user *u)
{
	bool last;

	spin_lock(&user_lock);
	last = --u->refs == 0;
	if (last)
		list_del(&u->link);
	spin_unlock(&user_lock);
	if (last)
		kfree(u);
}

/* See fsuser.h. */
bool fs_user_charge(u32 *count, u32 max)
{
	if (__atomic_add_fetch(count, 1, __ATOMIC_RELAXED) <= max)
		return true;
	fs_user_uncharge(count);
	return false;
}

/* ctx: any */
void fs_user_uncharge(u32 *count)
{
	__atomic_sub_fetch(count, 1, __ATOMIC_RELAXED);
}
