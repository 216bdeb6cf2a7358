/*
 * Making and removing names: mknod, mkdir, symlink, link, unlink, rmdir. Renaming is in rename.c.
 *
 * Each walks to the parent, takes the directory's lock for writing, looks the last component up
 * under it (what the cache said before may be old), checks, calls the file system, and then tells
 * the name cache. A file that loses a name is locked too, child after parent: its link count is its
 * own, and a directory must not get entries while it is removed. References are put after the
 * locks, since the last one frees.
 *
 * Permissions: path_resolution(7), unlink(2) (sticky directories), link(2) and proc(5)
 * (protected_hardlinks).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/mount.h>
#include "fs/handle.h"
#include "fs/landlock.h"
#include "fs/namei.h"
#include "fs/notify.h"
#include "fs/procfs.h"

static int protected_hardlinks = 1;
SYSCTL_INT(protected_hardlinks, "sys/fs/protected_hardlinks", &protected_hardlinks, 0, 1);

/*
 * Entries of @dir may be added. ctx: thread; holds: dir->lock. 0, -ENOENT (it was removed),
 * -EACCES, -EROFS, -EPERM.
 */
int dir_may_change(struct inode *dir)
{
	if (dir->flags & INODE_DEAD)
		return -ENOENT;
	return inode_permission(dir, MAY_WRITE | MAY_EXEC);
}

/*
 * See namei.h. ctx: thread; holds: dir->lock. 0, -EACCES, -EPERM, -ENOTDIR, -EISDIR, -EBUSY,
 * -EROFS.
 */
int dir_may_delete(struct inode *dir, struct dentry *victim, bool isdir)
{
	struct inode *i = dentry_inode(victim);
	const struct cred *c = current->cred;
	int err = inode_permission(dir, MAY_WRITE | MAY_EXEC);

	if (err)
		return err;
	if (dir->flags & INODE_APPEND)
		return -EPERM;
	if ((dir->mode & S_ISVTX) && i->uid != c->fsuid && dir->uid != c->fsuid &&
	    !thread_capable(CAP_FOWNER))
		return -EPERM;
	if (i->flags & (INODE_APPEND | INODE_IMMUTABLE))
		return -EPERM;
	if (isdir)
		return inode_is_dir(i) ? 0 : -ENOTDIR;
	return inode_is_dir(i) ? -EISDIR : 0;
}

/*
 * Walk to the parent of a name that is to be made, lock the directory, find the (negative) dentry.
 * On success the caller ends with make_end(). @right: what a domain must allow in the directory;
 * 0: that, and whether the directory may be written to, is looked at elsewhere.
 */
static int make_begin(struct walk *w, const struct path *at, const char *name, u32 right,
		      struct dentry **out)
{
	struct inode *dir;
	struct dentry *d;
	int err = walk_begin(w, at, name, LOOKUP_PARENT);

	if (err)
		goto end;
	err = -EEXIST;
	if (w->last_type != LAST_NORM)
		goto end;
	dir = dentry_inode(w->cur.dentry);
	rwsem_write_lock(&dir->lock);
	err = dentry_lookup_locked(w->cur.dentry, &w->last, &d);
	if (err)
		goto unlock;
	err = -EEXIST;
	if (dentry_inode(d))
		goto put;
	err = -ENOENT;
	if (w->last_slash && right != LANDLOCK_ACCESS_FS_MAKE_DIR)
		goto put;
	err = mount_may_write(w->cur.mnt);
	if (!err && right) {
		err = landlock_check(&w->cur, right);
		if (!err)
			err = dir_may_change(dir);
	}
	if (err)
		goto put;
	*out = d;
	return 0;
put:
	dentry_put(d);
unlock:
	rwsem_write_unlock(&dir->lock);
end:
	walk_end(w);
	return err;
}

/* @i: what was made, NULL on failure. */
static void make_end(struct walk *w, struct dentry *d, struct inode *i)
{
	struct inode *dir = dentry_inode(w->cur.dentry);

	if (i) {
		dentry_instantiate(d, i);
		notify_entry(w->cur.dentry, &w->last, i, d,
			     IN_CREATE | (inode_is_dir(i) ? IN_ISDIR : 0));
	}
	rwsem_write_unlock(&dir->lock);
	dentry_put(d);
	walk_end(w);
}

/*
 * See vfs.h: a list that is inherited takes the umask's place. Nobody makes a program that runs
 * with a group that he is not in; that is asked before the umask hides the right to execute.
 * ctx: thread; holds: dir->lock; sleeps
 */
u32 inode_umask(struct inode *dir, u32 mode)
{
	if ((dir->mode & S_ISGID) && (mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
	    !cred_in_group(current->cred, dir->gid) && !thread_capable(CAP_FSETID))
		mode &= ~(u32)S_ISGID;
	if (unlikely(dir->flags & INODE_ACL) && dir->ops->default_acl && dir->ops->default_acl(dir))
		return mode;
	return mode & ~(fsctx_current()->umask & 07777);
}

/*
 * mknod(2): a file of any type but directory and symlink; type 0 means regular. The umask is
 * applied here.
 * ctx: thread; sleeps. Returns 0 or -errno.
 */
int vfs_mknod(const struct path *at, const char *name, u32 mode, u64 rdev)
{
	struct walk w;
	struct dentry *d;
	struct inode *dir, *i = NULL;
	int err;

	switch (mode & S_IFMT) {
	case 0: mode |= S_IFREG; break;
	case S_IFREG:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK: break;
	case S_IFDIR: return -EPERM;
	default: return -EINVAL;
	}
	err = make_begin(&w, at, name, landlock_right_to_make(mode, rdev), &d);
	if (err)
		return err;
	dir = dentry_inode(w.cur.dentry);
	err = -EPERM;
	/* The device 0:0 is none: a whiteout, which anybody may make. */
	if (((S_ISCHR(mode) && rdev) || S_ISBLK(mode)) && !thread_capable(CAP_MKNOD))
		goto end;
	mode = inode_umask(dir, mode);
	if (S_ISREG(mode))
		err = -EACCES;
	if (dir->ops->create)
		err = dir->ops->create(dir, d, mode, S_ISCHR(mode) || S_ISBLK(mode) ? rdev : 0, &i);
end:
	make_end(&w, d, err ? NULL : i);
	return err;
}

/* mkdir(2). ctx: thread; sleeps. Returns 0 or -errno. */
int vfs_mkdir(const struct path *at, const char *name, u32 mode)
{
	struct walk w;
	struct dentry *d;
	struct inode *dir, *i = NULL;
	int err = make_begin(&w, at, name, LANDLOCK_ACCESS_FS_MAKE_DIR, &d);

	if (err)
		return err;
	dir = dentry_inode(w.cur.dentry);
	mode = inode_umask(dir, mode & (0777 | S_ISVTX)) | S_IFDIR;
	err = dir->ops->mkdir ? dir->ops->mkdir(dir, d, mode, &i) : -EPERM;
	make_end(&w, d, err ? NULL : i);
	return err;
}

/* symlink(2). ctx: thread; sleeps. Returns 0 or -errno. */
int vfs_symlink(const char *target, const struct path *at, const char *name)
{
	struct walk w;
	struct dentry *d;
	struct inode *dir, *i = NULL;
	int err;

	if (!*target)
		return -ENOENT;
	err = make_begin(&w, at, name, LANDLOCK_ACCESS_FS_MAKE_SYM, &d);
	if (err)
		return err;
	dir = dentry_inode(w.cur.dentry);
	err = dir->ops->symlink ? dir->ops->symlink(dir, d, target, &i) : -EPERM;
	make_end(&w, d, err ? NULL : i);
	return err;
}

/*
 * proc(5), protected_hardlinks: only files that one owns or could open for both reading and
 * writing.
 */
static int may_link(struct inode *i)
{
	if (!protected_hardlinks || inode_owner_or_capable(i))
		return 0;
	if (!S_ISREG(i->mode) || (i->mode & S_ISUID) ||
	    (i->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return -EPERM;
	return inode_permission(i, MAY_READ | MAY_WRITE) ? -EPERM : 0;
}

/* holds: dir->lock for writing, @i's lock for writing */
static int link_locked(struct inode *dir, struct dentry *d, struct inode *i)
{
	if (i->flags & (INODE_APPEND | INODE_IMMUTABLE))
		return -EPERM;
	if (!dir->ops->link)
		return -EPERM;
	if ((!i->nlink && !(i->flags & INODE_TMPFILE)) || (i->flags & INODE_NOLINK))
		return -ENOENT;
	return dir->ops->link(dir, d, i);
}

/* link(2): @old gets another name. ctx: thread; sleeps. Returns 0 or -errno. */
int vfs_link(const struct path *old, const struct path *at, const char *name)
{
	struct walk w;
	struct dentry *d;
	struct inode *i = dentry_inode(old->dentry);
	int err = make_begin(&w, at, name, 0, &d);

	if (err)
		return err;
	err = -EXDEV;
	if (w.cur.mnt != old->mnt)
		goto end;
	err = may_link(i);
	if (!err)
		err = landlock_refer(old->dentry, &w.cur, d, false, 0);
	if (!err)
		err = dir_may_change(dentry_inode(w.cur.dentry));
	if (!err && inode_is_dir(i)) /* which might be the very directory that is locked */
		err = -EPERM;
	if (err)
		goto end;
	rwsem_write_lock_nested(&i->lock);
	err = link_locked(dentry_inode(w.cur.dentry), d, i);
	rwsem_write_unlock(&i->lock);
	if (!err) {
		inode_get(i);
		notify_inode(i, NULL, IN_ATTRIB);
	}
end:
	make_end(&w, d, err ? NULL : i);
	return err;
}

/* rmdir's errors for names that are none. */
static int special_error(const struct walk *w)
{
	switch (w->last_type) {
	case LAST_DOTDOT: return -ENOTEMPTY;
	case LAST_DOT: return -EINVAL;
	}
	return -EBUSY;
}

/* As make_begin, for a name that is to go: *out is positive. @isdir: rmdir. */
static int remove_begin(struct walk *w, const struct path *at, const char *name, bool isdir,
			struct dentry **out)
{
	struct inode *dir;
	struct dentry *d;
	int err = walk_begin(w, at, name, LOOKUP_PARENT);

	if (err)
		goto end;
	err = isdir ? special_error(w) : -EISDIR;
	if (w->last_type != LAST_NORM)
		goto end;
	err = mount_may_write(w->cur.mnt);
	if (err)
		goto end;
	dir = dentry_inode(w->cur.dentry);
	rwsem_write_lock(&dir->lock);
	err = dentry_lookup_locked(w->cur.dentry, &w->last, &d);
	if (err)
		goto unlock;
	err = -ENOENT;
	if (!dentry_inode(d))
		goto put;
	*out = d;
	return 0;
put:
	dentry_put(d);
unlock:
	rwsem_write_unlock(&dir->lock);
end:
	walk_end(w);
	return err;
}

static void remove_end(struct walk *w, struct dentry *d, bool removed)
{
	struct inode *dir = dentry_inode(w->cur.dentry), *i = dentry_inode(d);
	bool isdir = inode_is_dir(i);

	/* Keep the inode until the directory is unlocked: the last reference frees its contents. */
	inode_get(i);
	if (removed && isdir)
		dentry_drop_children(d);
	else if (removed)
		notify_inode(i, NULL, IN_ATTRIB); /* its link count */
	if (removed) {
		dentry_delete(d);
		notify_entry(w->cur.dentry, &w->last, i, NULL, IN_DELETE | (isdir ? IN_ISDIR : 0));
	}
	rwsem_write_unlock(&dir->lock);
	dentry_put(d);
	if (removed)
		handle_name_gone(i);
	inode_put(i);
	walk_end(w);
}

/* unlink(2). ctx: thread; sleeps. Returns 0 or -errno. */
int vfs_unlink(const struct path *at, const char *name)
{
	struct walk w;
	struct dentry *d;
	struct inode *dir, *i;
	int err = remove_begin(&w, at, name, false, &d);

	if (err)
		return err;
	dir = dentry_inode(w.cur.dentry);
	i = dentry_inode(d);
	err = inode_is_dir(i) ? -EISDIR : -ENOTDIR;
	if (w.last_slash)
		goto end;
	err = landlock_check(&w.cur, LANDLOCK_ACCESS_FS_REMOVE_FILE);
	if (!err)
		err = dir_may_delete(dir, d, false);
	if (!err && !dir->ops->unlink)
		err = -EPERM;
	if (err)
		goto end;
	rwsem_write_lock_nested(&i->lock);
	err = READ_ONCE(d->nmounts) ? -EBUSY : dir->ops->unlink(dir, d);
	rwsem_write_unlock(&i->lock);
end:
	remove_end(&w, d, !err);
	return err;
}

/* rmdir(2). ctx: thread; sleeps. Returns 0 or -errno. */
int vfs_rmdir(const struct path *at, const char *name)
{
	struct walk w;
	struct dentry *d;
	struct inode *dir, *i;
	int err = remove_begin(&w, at, name, true, &d);

	if (err)
		return err;
	dir = dentry_inode(w.cur.dentry);
	i = dentry_inode(d);
	err = landlock_check(&w.cur, LANDLOCK_ACCESS_FS_REMOVE_DIR);
	if (!err)
		err = dir_may_delete(dir, d, true);
	if (!err && !dir->ops->rmdir)
		err = -EPERM;
	if (err)
		goto end;
	rwsem_write_lock_nested(&i->lock);
	err = READ_ONCE(d->nmounts) ? -EBUSY : dir->ops->rmdir(dir, d);
	if (!err)
		i->flags |= INODE_DEAD;
	rwsem_write_unlock(&i->lock);
end:
	remove_end(&w, d, !err);
	return err;
}
