/*
 * rename(2) and renameat2(2).
 *
 * Locks, in order: the file system's rename mutex when the directories differ (so that the shape of
 * the tree of directories stands still while "is one an ancestor of the other" is asked), both
 * directories (an ancestor first, else by address), then what is replaced or exchanged. Both names
 * are looked up under these locks.
 *
 * The cache follows after the file system agreed: see dentry_move(). A directory may not move into
 * itself, a mountpoint not at all, and what is replaced must be of the same kind and, if a
 * directory, empty (the file system checks that).
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include "fs/handle.h"
#include "fs/landlock.h"
#include "fs/namei.h"
#include "fs/notify.h"

#define RENAME_KNOWN (RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)

/* Everything one rename works with. */
struct renaming {
	struct walk from, to;
	struct inode *odir, *ndir;
	struct dentry *od, *nd;
	u32 flags;
	bool tree_locked; /* the super's rename_lock */
};

/*
 * The child of @top on the way down to @d, or NULL when @d is not below @top. holds: the rename
 * lock
 */
static struct dentry *child_towards(struct dentry *top, struct dentry *d)
{
	while (d->parent != d) {
		if (d->parent == top)
			return d;
		d = d->parent;
	}
	return NULL;
}

static void lock_dirs(struct renaming *r)
{
	struct dentry *op = r->from.cur.dentry, *np = r->to.cur.dentry;
	struct inode *first = r->odir, *second = r->ndir;

	if (op == np) {
		rwsem_write_lock(&first->lock);
		return;
	}
	mutex_lock(&r->odir->sb->rename_lock);
	r->tree_locked = true;
	if (child_towards(np, op) || (!child_towards(op, np) && r->ndir < r->odir)) {
		first = r->ndir;
		second = r->odir;
	}
	rwsem_write_lock(&first->lock);
	rwsem_write_lock_nested(&second->lock);
}

static void unlock_dirs(struct renaming *r)
{
	rwsem_write_unlock(&r->odir->lock);
	if (r->tree_locked) {
		rwsem_write_unlock(&r->ndir->lock);
		mutex_unlock(&r->odir->sb->rename_lock);
	}
}

/* Neither may be an ancestor of the other's directory. */
static int check_ancestors(struct renaming *r)
{
	if (!r->tree_locked)
		return 0;
	if (dentry_is_below(r->to.cur.dentry, r->od))
		return -EINVAL;
	if (dentry_is_below(r->from.cur.dentry, r->nd))
		return r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	return 0;
}

/* Trailing slashes demand directories. */
static int check_slashes(struct renaming *r)
{
	if (inode_is_dir(dentry_inode(r->od)))
		return 0;
	if (r->from.last_slash)
		return -ENOTDIR;
	if (!(r->flags & RENAME_EXCHANGE) && r->to.last_slash)
		return -ENOTDIR;
	return 0;
}

static int check_names(struct renaming *r)
{
	struct inode *oi = dentry_inode(r->od), *ni = dentry_inode(r->nd);

	if (!oi)
		return -ENOENT;
	if (ni && (r->flags & RENAME_NOREPLACE))
		return -EEXIST;
	if (r->flags & RENAME_EXCHANGE) {
		if (!ni)
			return -ENOENT;
		if (!inode_is_dir(ni) && r->to.last_slash)
			return -ENOTDIR;
	}
	return check_slashes(r);
}

static int check_rights(struct renaming *r)
{
	struct inode *oi = dentry_inode(r->od), *ni = dentry_inode(r->nd);
	bool isdir = inode_is_dir(oi);
	int err = dir_may_delete(r->odir, r->od, isdir);

	if (err)
		return err;
	if (!ni)
		err = dir_may_change(r->ndir);
	else
		err = dir_may_delete(r->ndir, r->nd,
				     r->flags & RENAME_EXCHANGE ? inode_is_dir(ni) : isdir);
	if (err)
		return err;
	/* A directory that gets another parent has its ".." written. */
	if (r->odir != r->ndir) {
		if (isdir)
			err = inode_permission(oi, MAY_WRITE);
		if (!err && (r->flags & RENAME_EXCHANGE) && inode_is_dir(ni))
			err = inode_permission(ni, MAY_WRITE);
	}
	return err;
}

/* @i went from one name to another. holds: the directories' locks */
static void notify_move(struct dentry *from, const struct qname *old, struct dentry *to,
			const struct qname *new, struct inode *i, struct dentry *d)
{
	u32 kind = inode_is_dir(i) ? IN_ISDIR : 0, cookie = notify_cookie();

	notify_rename_event(from, old, to, new, i, d);
	notify_entry_event(from, old, i, d,
			   IN_MOVED_FROM | kind | (from == to ? NOTIFY_SAME_DIR : 0), cookie);
	notify_entry_event(to, new, i, d, IN_MOVED_TO | kind, cookie);
}

/* @oi took the place of @ni (may be NULL), or the two were exchanged. holds: as above */
static void notify_renamed(struct renaming *r, struct inode *oi, struct inode *ni)
{
	const struct qname *old = &r->from.last, *new = &r->to.last;

	notify_move(r->from.cur.dentry, old, r->to.cur.dentry, new, oi, r->od);
	if (ni && !(r->flags & RENAME_EXCHANGE))
		notify_inode(ni, NULL, IN_ATTRIB);
	notify_inode(oi, r->od, IN_MOVE_SELF);
	if (ni && (r->flags & RENAME_EXCHANGE)) {
		notify_move(r->to.cur.dentry, new, r->from.cur.dentry, old, ni, r->nd);
		notify_inode(ni, r->nd, IN_MOVE_SELF);
	}
}

/* Ask the file system, then move the names. holds: the directories' locks */
static int rename_checked(struct renaming *r)
{
	struct inode *oi = dentry_inode(r->od), *ni = dentry_inode(r->nd);
	int err;

	if (!r->odir->ops->rename)
		return -EPERM;
	if (ni)
		rwsem_write_lock_nested(&ni->lock);
	err = -EBUSY;
	if (!READ_ONCE(r->od->nmounts) && !READ_ONCE(r->nd->nmounts))
		err = r->odir->ops->rename(r->odir, r->od, r->ndir, r->nd, r->flags);
	if (!err && ni && inode_is_dir(ni) && !(r->flags & RENAME_EXCHANGE))
		ni->flags |= INODE_DEAD;
	if (ni)
		rwsem_write_unlock(&ni->lock);
	if (!err && ni && (ni->flags & INODE_DEAD))
		dentry_drop_children(r->nd);
	if (!err) {
		dentry_move(r->od, r->nd, r->flags & RENAME_EXCHANGE);
		if (notify_wanted())
			notify_renamed(r, oi, ni);
	}
	return err;
}

/* holds: the directories' locks */
static int rename_locked(struct renaming *r)
{
	int err = dentry_lookup_locked(r->from.cur.dentry, &r->from.last, &r->od);

	if (err)
		return err;
	err = dentry_lookup_locked(r->to.cur.dentry, &r->to.last, &r->nd);
	if (err)
		return err;
	err = check_names(r);
	if (!err)
		err = check_ancestors(r);
	if (!err)
		err = landlock_refer(r->od, &r->to.cur, r->nd, true, r->flags);
	if (err)
		return err;
	if (dentry_inode(r->od) == dentry_inode(r->nd))
		return 0; /* two names of one file: nothing happens */
	err = check_rights(r);
	return err ? err : rename_checked(r);
}

/*
 * renameat2(2). ctx: thread; sleeps. Returns 0 or -errno.
 */
int vfs_rename(const struct path *oat, const char *oname, const struct path *nat, const char *nname,
	       u32 flags)
{
	struct renaming r = { .flags = flags };
	int err;

	if ((flags & ~RENAME_KNOWN) ||
	    ((flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT))))
		return -EINVAL;
	err = walk_begin(&r.from, oat, oname, LOOKUP_PARENT);
	if (err)
		goto end_from;
	err = walk_begin(&r.to, nat, nname, LOOKUP_PARENT);
	if (err)
		goto end_to;
	err = -EXDEV;
	if (r.from.cur.mnt != r.to.cur.mnt)
		goto end_to;
	err = r.from.last_type != LAST_NORM ? -EBUSY : 0;
	if (!err && r.to.last_type != LAST_NORM)
		err = flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (!err)
		err = mount_may_write(r.from.cur.mnt);
	if (err)
		goto end_to;
	r.odir = dentry_inode(r.from.cur.dentry);
	r.ndir = dentry_inode(r.to.cur.dentry);
	lock_dirs(&r);
	err = rename_locked(&r);
	unlock_dirs(&r);
	if (r.od)
		dentry_put(r.od);
	if (r.nd && dentry_inode(r.nd))
		handle_name_gone(dentry_inode(r.nd));
	if (r.nd)
		dentry_put(r.nd);
end_to:
	walk_end(&r.to);
end_from:
	walk_end(&r.from);
	return err;
}
