/*
 * Mounts that hang nowhere yet: what fsmount(2) and open_tree(2) give as a descriptor.
 *
 * A loose tree is made of ordinary mounts, marked .loose, that are in no list and have no number.
 * It can be walked through its descriptor, but nothing can be mounted in it or taken off it. The
 * reference it was made with is the tree's own: move_mount(2) hands it over to the place where the
 * tree is hung, and if that never happens, the end of the descriptor drops it. Copies of shared
 * mounts are in their peer group at once, but nothing is propagated to them while they hang
 * nowhere.
 *
 * .loose is guarded by the mount tree's lock. open_tree(2), move_mount(2), mount_setattr(2).
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include "fs/mount.h"
#include "fs/mount_fd.h"

static void set_loose(struct mount *top, bool loose)
{
	for (struct mount *m = top; m; m = mount_tree_next(m, top, false))
		m->loose = loose;
}

/* See mount_fd.h. ctx: thread; sleeps */
void mount_release_loose(struct mount *m)
{
	mount_lock();
	if (m->loose && !m->parent) {
		set_loose(m, false);
		m->detached = true;
		mount_discard_tree(m);
	}
	mount_unlock();
}

/* The file of the loose tree @m, which it takes over, also on failure. */
static int open_loose(struct mount *m, struct file **out)
{
	struct path p = { m, m->root };
	int err = file_open_path(&p, O_PATH, out);

	if (err)
		mount_release_loose(m);
	else
		(*out)->mode |= FILE_UNMOUNT;
	return err;
}

/* See mount_fd.h. */
int mount_open_copy(const struct path *src, bool recursive, struct file **out)
{
	struct mount *m;
	int err;

	if (src->mnt->anon || src->mnt->unbindable || src->mnt->loose || src->mnt->detached)
		return -EINVAL;
	err = mount_clone(src->mnt, src->dentry, &m);
	if (err)
		return err;
	mount_lock();
	mount_join(m, src->mnt, KIN_PEER);
	err = recursive ? mount_copy_children(src, m, KIN_PEER) : 0;
	if (err)
		mount_discard_tree(m);
	else
		set_loose(m, true);
	mount_unlock();
	return err ? err : open_loose(m, out);
}

/* See mount_fd.h. */
int mount_open_new(struct super *sb, u32 flags, const char *source, struct file **out)
{
	struct mount *m;
	int err = mount_make(sb, flags, source, &m);

	if (err)
		return err;
	m->loose = true;
	return open_loose(m, out);
}

/* See mount_fd.h. ctx: thread; sleeps */
int mount_hang_loose(const struct path *from, const struct path *to)
{
	struct mount *m = from->mnt;
	struct path at;
	int err = mount_place_lock(to, &at);

	if (err)
		return err;
	err = -EINVAL;
	if (!m->loose || m->parent || from->dentry != m->root)
		goto unlock;
	err = mount_may_move(m, &at);
	if (err)
		goto unlock;
	set_loose(m, false);
	err = mount_hang(m, &at);
	if (err)
		set_loose(m, true);
	else
		mount_tree_changed();
unlock:
	mount_place_unlock(&at);
	return err;
}

/* Does @p name a whole mount that hangs in the tree? holds: the tree's lock */
static bool is_hung_root(const struct path *p)
{
	const struct mount *m = p->mnt;

	return p->dentry == m->root && !m->loose && !m->anon && !m->detached;
}

/* See mount_fd.h. ctx: thread; sleeps */
int mount_set_group(const struct path *from, const struct path *to)
{
	struct mount *f = from->mnt, *t = to->mnt;
	int err = -EINVAL;

	mount_lock();
	if (is_hung_root(from) && is_hung_root(to) && f->sb == t->sb &&
	    mount_dentry_below(t->root, f->root) && !t->group && !t->master &&
	    (f->group || f->master)) {
		mount_join(t, f, KIN_PEER);
		mount_tree_changed();
		err = 0;
	}
	mount_unlock();
	return err;
}

/* See mount_fd.h. ctx: thread; sleeps. 0, -EINVAL (not the root of a mount), -EBUSY (writers). */
int mount_change_flags(const struct path *p, const struct mount_change *c)
{
	struct mount *top = p->mnt, *m;
	int err = 0;

	if (p->dentry != top->root || top->anon || top->detached)
		return -EINVAL;
	file_flush_deferred();
	mount_lock();
	for (m = top; m && !err; m = c->recursive ? mount_tree_next(m, top, false) : NULL)
		if ((c->set & MS_RDONLY) && READ_ONCE(m->writers))
			err = -EBUSY;
	for (m = err ? NULL : top; m; m = c->recursive ? mount_tree_next(m, top, false) : NULL) {
		WRITE_ONCE(m->flags, (m->flags & ~c->clear) | c->set);
		if (c->propagation)
			mount_set_kind(m, c->propagation);
	}
	if (!err)
		mount_tree_changed();
	mount_unlock();
	return err;
}
