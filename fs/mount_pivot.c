/*
 * pivot_root(2): the way from an initial root file system to the real one. Two mounts change
 * places: the current root's is hung on a directory below the new root, and the new root's where
 * the current one hung. The first root of all hangs nowhere and cannot be moved.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include "fs/landlock.h"
#include "fs/mount.h"

/* The checks of pivot_root(2). holds: mount_mutex */
static int may_pivot(const struct path *root, const struct path *new_root,
		     const struct path *put_old)
{
	struct path up = *put_old;

	if (new_root->mnt == root->mnt || put_old->mnt == root->mnt)
		return -EBUSY;
	if (root->mnt->root != root->dentry || !root->mnt->parent)
		return -EINVAL;
	if (new_root->mnt->root != new_root->dentry || !new_root->mnt->parent)
		return -EINVAL;
	/* Moves are not propagated: nothing shared may be changed. */
	if (put_old->mnt->group || new_root->mnt->parent->group || root->mnt->parent->group)
		return -EINVAL;
	/* put_old at or below new_root, new_root below the old root */
	while (up.mnt != new_root->mnt && up.mnt->parent) {
		up.dentry = up.mnt->mountpoint;
		up.mnt = up.mnt->parent;
	}
	if (up.mnt != new_root->mnt || !mount_dentry_below(up.dentry, new_root->dentry))
		return -EINVAL;
	return mount_is_below(new_root->mnt, root->mnt) ? 0 : -EINVAL;
}

/*
 * pivot_root(2): the current root's mount moves to @put_old, @new_root takes its place. *was is the
 * old root with references: those who have it for root or current directory are the caller's to
 * move (procs_move()). ctx: thread; sleeps. Returns 0, -EPERM, -EINVAL, -EBUSY, -ENOTDIR, -ENOENT.
 */
int vfs_pivot_root(const struct path *new_root, const struct path *put_old, struct path *was)
{
	struct path root, old, was_new, was_root;
	int err;

	if (!cred_capable(current->cred, CAP_SYS_ADMIN))
		return -EPERM;
	if (!inode_is_dir(dentry_inode(new_root->dentry)) ||
	    !inode_is_dir(dentry_inode(put_old->dentry)))
		return -ENOTDIR;
	if (landlock_is_bound())
		return -EPERM;
	fsctx_get_root(&root);
	err = mount_place_lock(put_old, &old);
	if (err)
		goto put;
	err = may_pivot(&root, new_root, &old);
	if (!err) {
		mount_detach(new_root->mnt, &was_new);
		mount_detach(root.mnt, &was_root);
		mount_attach(root.mnt, &old);
		mount_attach(new_root->mnt, &was_root);
		mount_tree_changed();
		path_put(&was_new);
		path_put(&was_root);
	}
	mount_place_unlock(&old);
put:
	if (err)
		path_put(&root);
	else
		*was = root;
	return err;
}
