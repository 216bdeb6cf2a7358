/*
 * fanotify(7): who gets an event, and with what in it.
 *
 * An event concerns the marks on the inode it happened to, those on its directory that ask for
 * children, and those on its mount and file system; what was made, removed or renamed concerns the
 * marks on the directory. Each instance gets one event, by all of its marks together: what any
 * wants and none ignores. They are told one after the other, those that may forbid first, without a
 * lock held: a round looks for the next one in order.
 *
 * What an event carries depends on the instance: a path, to be opened when it is read, or numbers
 * of files from which handles are made (handle.c), which are entered here as far as a name is
 * known.
 */
#include <linux/errno.h>
#include "fs/fanotify_internal.h"
#include "fs/handle.h"
#include "fs/namei.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

/* How a mark is concerned. */
enum { BY_INODE, BY_INODE2, BY_PARENT, BY_MOUNT, BY_SUPER };

/* What the marks of one instance say. */
struct wishes {
	struct fan_group *group; /* reference */
	u32 mask, ignore; /* FAN_* */
	u32 matched; /* 1 << BY_*: marks that care about this kind of file */
};

static bool applies(u32 mask, bool ondir, int by)
{
	if (ondir && !(mask & FAN_ONDIR))
		return false;
	return by != BY_PARENT || (mask & FAN_EVENT_ON_CHILD);
}

/* Add what @m says. holds: notify_lock */
static void wishes_add(struct wishes *w, struct fan_mark *m, const struct fan_info *e, int by)
{
	bool ondir = e->mask & FAN_ONDIR;
	u32 ignore;

	if ((e->mask & FAN_MODIFY) && !(m->flags & FAN_MARK_IGNORED_SURV_MODIFY))
		m->ignore = 0;
	ignore = m->ignore;
	if (!(m->flags & FAN_MARK_IGNORE)) {
		/* Without flags of its own: all kinds of files, and children as the mask says. */
		ignore |= FAN_ONDIR;
		ignore = (ignore & ~FAN_EVENT_ON_CHILD) | (m->mask & FAN_EVENT_ON_CHILD);
	}
	if (applies(ignore, ondir, by))
		w->ignore |= ignore & ~(FAN_ONDIR | FAN_EVENT_ON_CHILD);
	if (!applies(m->mask, ondir, by))
		return;
	w->mask |= m->mask;
	w->matched |= 1u << by;
}

/* @m is one of the next instance's, if it comes after @order. holds: notify_lock */
static void consider(struct wishes *w, struct fan_mark *m, const struct fan_info *e, int by,
		     u64 order)
{
	struct fan_group *g = m->group;

	if (g->order <= order || (w->group && g->order > w->group->order))
		return;
	if (g != w->group)
		*w = (struct wishes){ .group = g };
	wishes_add(w, m, e, by);
}

static void consider_inode(struct wishes *w, struct inode *i, const struct fan_info *e, int by,
			   u64 order)
{
	struct watch *m;

	list_for_each(m, &i->watches, of_inode)
		if (m->fan && !container_of(m, struct fan_mark, w)->type)
			consider(w, container_of(m, struct fan_mark, w), e, by, order);
}

/* The first instance after @order that has marks for @e. False: there is none. */
static bool wishes_next(struct wishes *w, const struct fan_info *e, u64 order)
{
	bool dirent = e->mask & FAN_DIRENT;
	const struct super *sb = e->dir ? e->dir->sb : e->inode->sb;
	struct fan_mark *m;

	*w = (struct wishes){ .group = NULL };
	spin_lock(&notify_lock);
	if (!dirent)
		consider_inode(w, e->inode, e, BY_INODE, order);
	if (e->dir)
		consider_inode(w, dentry_inode(e->dir), e, dirent ? BY_INODE : BY_PARENT, order);
	if (e->dir2)
		consider_inode(w, dentry_inode(e->dir2), e, BY_INODE2, order);
	list_for_each(m, &fan_broad, broad) {
		if (m->type == FAN_MARK_FILESYSTEM && m->w.inode->sb == sb)
			consider(w, m, e, BY_SUPER, order);
		else if (m->mnt && e->path && m->mnt == e->path->mnt)
			consider(w, m, e, BY_MOUNT, order);
	}
	if (w->group)
		ref_get(&w->group->refs);
	spin_unlock(&notify_lock);
	return w->group;
}

/* What of @e the instance is told; 0: nothing. */
static u32 mask_for(const struct wishes *w, const struct fan_info *e)
{
	u32 fids = w->group->flags & FAN_FIDS, mask;
	bool ondir = e->mask & FAN_ONDIR;

	if (!fids && (!e->path || !(S_ISREG(e->inode->mode) || S_ISDIR(e->inode->mode))))
		return 0;
	if (fids && !(fids & FAN_REPORT_FID) && !e->dir && !ondir)
		return 0;
	mask = e->mask & w->mask & ~w->ignore & ~(FAN_ONDIR | FAN_EVENT_ON_CHILD);
	return mask && fids && ondir ? mask | FAN_ONDIR : mask;
}

/* The file of @e, to be found by its handle. */
static void fid_object(struct fan_event *n, const struct fan_info *e)
{
	n->object.there = true;
	n->object.ino = e->inode->ino;
	if (e->dentry && !e->locked)
		handle_enter(e->dentry, false);
}

/* The same of the directory @d. Whoever changes its entries has it locked. */
static void fid_dir(struct fan_fid *fid, const struct fan_info *e, struct dentry *d)
{
	fid->there = true;
	fid->ino = dentry_inode(d)->ino;
	if (!e->locked)
		handle_enter(d, e->mask & FAN_DIRENT);
}

static void fid_name(struct fan_event *n, struct fan_fid *fid, const struct qname *name)
{
	fid->name = n->names_len;
	fid->len = name->len;
	memcpy(n->names + n->names_len, name->name, name->len);
	n->names_len += name->len;
}

/* The two ends of a rename: those that the instance watches. */
static void fids_renamed(struct fan_event *n, const struct fan_info *e, u32 matched)
{
	if (matched & (1u << BY_SUPER | 1u << BY_INODE)) {
		fid_dir(&n->dir, e, e->dir);
		fid_name(n, &n->dir, &e->name);
	}
	if (matched & (1u << BY_SUPER | 1u << BY_INODE2)) {
		fid_dir(&n->dir2, e, e->dir2);
		fid_name(n, &n->dir2, &e->name2);
	}
}

/* Which files @n names, and how. */
static void fids_set(struct fan_event *n, const struct fan_info *e, const struct wishes *w)
{
	u32 fids = w->group->flags & FAN_FIDS;
	bool dirent = e->mask & FAN_DIRENT, ondir = e->mask & FAN_ONDIR, child;

	n->fsid = e->inode->sb->dev;
	if (!(fids & FAN_REPORT_DIR_FID) || (!e->dir && !ondir)) {
		if (dirent && !(fids & FAN_REPORT_TARGET_FID))
			fid_dir(&n->object, e, e->dir);
		else
			fid_object(n, e);
		return;
	}
	child = dirent ? fids & FAN_REPORT_TARGET_FID : (fids & FAN_REPORT_FID) && !ondir;
	if (e->mask & FAN_RENAME) {
		fids_renamed(n, e, w->matched);
	} else if (!dirent && ondir) {
		fid_object(n, e);
		return;
	} else if (child || (fids & FAN_REPORT_NAME)) {
		fid_dir(&n->dir, e, e->dir);
		if (fids & FAN_REPORT_NAME)
			fid_name(n, &n->dir, &e->name);
	} else {
		fid_dir(&n->object, e, e->dir);
		return;
	}
	if (child)
		fid_object(n, e);
}

/* An event of what @mask says of @e, or NULL. */
static struct fan_event *event_make(const struct fan_info *e, const struct wishes *w, u32 mask)
{
	bool asks = mask & FAN_PERMS;
	struct fan_event *n = kzalloc(sizeof(*n) + e->name.len + e->name2.len, 0);

	if (!n)
		return NULL;
	list_init(&n->link);
	ref_init(&n->refs, asks ? 2 : 1);
	n->mask = mask;
	n->fd = FAN_NOFD;
	n->pid = caller_ops->get(w->group->flags & FAN_REPORT_TID);
	if (w->group->flags & FAN_FIDS) {
		fids_set(n, e, w);
	} else {
		n->path = *e->path;
		path_get(&n->path);
	}
	return n;
}

/* Tell one instance. */
static int tell(const struct fan_info *e, const struct wishes *w, u32 mask)
{
	struct fan_event *n = event_make(e, w, mask);

	if (!n) {
		if (mask & FAN_PERMS)
			return -EPERM;
		fan_queue_overflow(w->group);
		return 0;
	}
	if (!(mask & FAN_PERMS)) {
		(void)fan_queue_add(w->group, n);
		return 0;
	}
	if (fan_queue_add(w->group, n))
		return fan_wait_answer(w->group, n);
	fan_event_put(n);
	return 0;
}

/* See fanotify.h. */
int fanotify_tell(const struct fan_info *e)
{
	struct wishes w;
	u64 order = 0;
	int err = 0;

	while (!err && wishes_next(&w, e, order)) {
		u32 mask = mask_for(&w, e);

		order = w.group->order;
		if (mask)
			err = tell(e, &w, mask);
		fan_group_put(w.group);
	}
	return err;
}

/* See fanotify.h. */
int fanotify_tell_path(struct dentry *d, const struct path *p, u32 mask)
{
	struct dentry *parent = dentry_get_parent(d);
	char name[NAME_MAX_LEN + 1];
	struct fan_info e = {
		.mask = mask & ~(NOTIFY_LOCKED | NOTIFY_SAME_DIR),
		.path = p,
		.inode = dentry_inode(d),
		.dentry = d,
		.name = { .name = name },
		.locked = mask & NOTIFY_LOCKED,
	};
	int err;

	if (parent != d) {
		spin_lock(&vfs_tree_lock);
		if (d->parent == parent) {
			e.dir = parent;
			e.name.len = d->name_len;
			memcpy(name, d->name, d->name_len);
		}
		spin_unlock(&vfs_tree_lock);
	}
	err = fanotify_tell(&e);
	dentry_put(parent);
	return err;
}

/* See notify.h. */
int notify_permission_event(const struct file *f, u32 mask)
{
	u32 kind = S_ISDIR(f->inode->mode) ? FAN_ONDIR : 0;
	int err = 0;

	if (f->mode & (FILE_PATH | FILE_UNNOTICED))
		return 0;
	if (mask & FAN_OPEN_EXEC_PERM)
		err = fanotify_tell_path(f->path.dentry, &f->path, FAN_OPEN_EXEC_PERM | kind);
	return err ? err
		   : fanotify_tell_path(f->path.dentry, &f->path,
					(mask & ~(u32)FAN_OPEN_EXEC_PERM) | kind);
}
