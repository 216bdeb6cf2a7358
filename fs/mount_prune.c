/*
 * Mounts on names that pass: what hangs in /proc/PID, or on a file of it, when the process goes.
 *
 * A name of procfs is asked again at each use whether it still means what it did. When it does not,
 * what is mounted on it or below cannot be reached by it any more and is taken off, as by
 * umount2(2) with MNT_DETACH. Two look for such mounts: who has taken a process or a thread out of
 * the tables, if any mount hangs on a name that passes, so that after wait(2) they are gone; and a
 * worker, when a lookup met a name that had gone otherwise (a descriptor that was closed). A lookup
 * holds the directory's lock and cannot do it itself.
 *
 * Names other than directories are not asked here, as asking may end with the last reference to a
 * file: a lookup that found them gone took them out of the name cache.
 */
#include "fs/mount.h"
#include "kernel/sched/work.h"

u32 mounts_on_passing;
static struct work prune_work;

/* Is @d no longer what its directory has under that name? */
static bool has_passed(struct dentry *d)
{
	struct inode *dir = dentry_inode(d->parent);

	if (!dir->ops->revalidate)
		return false;
	return !(READ_ONCE(d->flags) & DENTRY_HASHED) ||
	       (inode_is_dir(dentry_inode(d)) && !dir->ops->revalidate(dir, d));
}

/* Names under which something hangs are never renamed where names pass: no lock is needed. */
static bool hangs_on_passed(const struct mount *m)
{
	struct dentry *d = m->mountpoint;

	for (; d && d->parent != d; d = d->parent)
		if (has_passed(d))
			return true;
	return false;
}

/* See vfs.h. ctx: thread; sleeps */
void mount_prune(void)
{
	struct mount *m;

	mount_lock();
	while ((m = mount_find(hangs_on_passed))) {
		mount_remove_tree(m, true);
		mount_tree_changed();
	}
	mount_unlock();
}

static void prune_later(struct work *w)
{
	mount_prune();
}

/* See vfs.h. ctx: any */
void mount_prune_soon(void)
{
	work_queue(&prune_work);
}

/* ctx: boot */
void mount_prune_init(void)
{
	work_init(&prune_work, prune_later);
}
