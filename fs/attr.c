/*
 * Attributes of files: stat, chmod, chown, utimens, truncate, access, readlink, statfs.
 *
 * vfs_setattr() holds the rules of who may change what (chmod(2), chown(2), utimensat(2)): a mode
 * or time by the owner or CAP_FOWNER; an owner by CAP_CHOWN; a group by the owner to one of his
 * groups; set-id bits are dropped when the owner changes or somebody without CAP_FSETID writes. The
 * caller says which times are explicit and which are "now" (ATTR_TIMES_NOW), since the latter need
 * only write permission.
 *
 * Locking: changes hold the inode's lock for writing; reads take none (inode.c).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include "block/block.h"
#include "fs/filecap.h"
#include "fs/locks.h"
#include "fs/namei.h"
#include "fs/notify.h"
#include "kernel/base/time.h"

#define FILEATTR_STATX (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP)
_Static_assert(STATX_ATTR_IMMUTABLE == FS_IMMUTABLE_FL && STATX_ATTR_APPEND == FS_APPEND_FL &&
		       STATX_ATTR_NODUMP == FS_NODUMP_FL,
	       "statx(2) took them over");

static bool has_fileattr(const struct inode *i)
{
	return (S_ISREG(i->mode) || S_ISDIR(i->mode)) && i->ops && i->ops->fileattr;
}

/* What statx says beyond stat. */
static __cold void getattr_more(const struct path *p, struct kstat *st)
{
	struct inode *i = dentry_inode(p->dentry);
	u32 flags = 0;

	st->mnt_id = p->mnt->id;
	st->has_btime = i->sb->has_btime;
	st->attributes_mask = STATX_ATTR_AUTOMOUNT | STATX_ATTR_DAX | STATX_ATTR_MOUNT_ROOT;
	st->attributes = p->dentry == p->mnt->root ? STATX_ATTR_MOUNT_ROOT : 0;
	if (S_ISREG(i->mode))
		st->dio_align = i->sb->dio_align;
	if (S_ISBLK(i->mode))
		st->dio_align = blkdev_dio_align(i->rdev);
	/* Links and devices of a file system with such flags may have some, but cannot get any. */
	if (!vfs_get_fileattr(i, &flags) ||
	    (i->sb->root && has_fileattr(dentry_inode(i->sb->root))))
		st->attributes_mask |= FILEATTR_STATX;
	/* The same bits in both. */
	st->attributes |= flags & FILEATTR_STATX;
}

/* ctx: thread; sleeps: in the file system. 0 or its error. */
int vfs_getattr(const struct path *p, struct kstat *st)
{
	struct inode *i = dentry_inode(p->dentry);

	if (i->ops && i->ops->getattr) {
		int err = i->ops->getattr(i, st);

		if (err)
			return err;
	} else {
		inode_getattr_generic(i, st);
	}
	if (unlikely(st->full))
		getattr_more(p, st);
	return 0;
}

/* See vfs.h. ctx: thread */
int vfs_get_fileattr(struct inode *i, u32 *flags)
{
	return has_fileattr(i) ? i->ops->fileattr(i, flags, false) : -ENOTTY;
}

/* See vfs.h. ctx: thread; sleeps */
int vfs_set_fileattr(const struct path *p, u32 flags, u32 keep)
{
	struct inode *i = dentry_inode(p->dentry);
	u32 old;
	int err = mount_may_write(p->mnt);

	if (err)
		return err;
	if (!has_fileattr(i))
		return -ENOTTY;
	if (!inode_owner_or_capable(i))
		return -EPERM;
	rwsem_write_lock(&i->lock);
	err = i->ops->fileattr(i, &old, false);
	flags |= old & keep;
	if (!err && ((flags ^ old) & (FS_APPEND_FL | FS_IMMUTABLE_FL)) &&
	    !thread_capable(CAP_LINUX_IMMUTABLE))
		err = -EPERM;
	if (!err)
		err = i->ops->fileattr(i, &flags, true);
	if (!err)
		inode_touch(i, ATTR_CTIME);
	rwsem_write_unlock(&i->lock);
	if (!err)
		notify_dentry(p->dentry, IN_ATTRIB);
	return err;
}

/* Set-id bits that go when the owner changes or the contents do. */
static u32 mode_without_suid(const struct inode *i)
{
	u32 mode = i->mode;

	if (S_ISDIR(mode))
		return mode;
	mode &= ~(u32)S_ISUID;
	if ((mode & S_ISGID) && ((mode & S_IXGRP) || (!cred_in_group(current->cred, i->gid) &&
						      !thread_capable(CAP_FSETID))))
		mode &= ~(u32)S_ISGID;
	return mode;
}

/* holds: i->lock for writing */
static int setattr_locked(struct inode *i, struct iattr *a)
{
	if (!(a->valid & ATTR_CTIME)) {
		a->valid |= ATTR_CTIME;
		if (!a->ctime)
			a->ctime = time_wall();
	}
	if (a->valid & ATTR_KILL_SUID) {
		a->valid &= ~ATTR_KILL_SUID;
		if (!(a->valid & ATTR_MODE) && mode_without_suid(i) != i->mode) {
			a->valid |= ATTR_MODE;
			a->mode = mode_without_suid(i);
		}
	}
	return i->ops && i->ops->setattr ? i->ops->setattr(i, a) : inode_setattr_generic(i, a);
}

/*
 * See vfs.h. ctx: thread; holds: i->lock for writing; sleeps. 1: there were some, 0: none, or the
 * file system's error.
 */
int inode_strip_suid_locked(struct inode *i)
{
	struct iattr a = { .valid = ATTR_KILL_SUID };
	int err;

	if (unlikely(i->flags & INODE_FILECAPS))
		filecap_drop_locked(i);
	if (likely(mode_without_suid(i) == i->mode) || thread_capable(CAP_FSETID))
		return 0;
	err = setattr_locked(i, &a);
	return err ? err : 1;
}

/* What the changes of @a are to those who watch @p; after setattr_locked(). */
static void notify_setattr(const struct path *p, const struct iattr *a)
{
	u32 mask = 0;

	if ((a->valid & (ATTR_UID | ATTR_GID | ATTR_MODE)) ||
	    (a->valid & (ATTR_ATIME | ATTR_MTIME)) == (ATTR_ATIME | ATTR_MTIME))
		mask |= IN_ATTRIB;
	else if (a->valid & ATTR_ATIME)
		mask |= IN_ACCESS;
	else if (a->valid & ATTR_MTIME)
		mask |= IN_MODIFY;
	if (a->valid & ATTR_SIZE)
		mask |= IN_MODIFY;
	if (mask)
		notify_dentry(p->dentry, mask);
}

/*
 * Apply @a without permission checks; times named but zero become now.
 * ctx: thread; sleeps. 0 or the file system's error.
 */
int vfs_setattr_nocheck(const struct path *p, struct iattr *a)
{
	struct inode *i = dentry_inode(p->dentry);
	int err;

	if ((a->valid & (ATTR_MTIME | ATTR_CTIME)) && !a->mtime && !a->ctime)
		a->mtime = a->ctime = time_wall();
	if ((a->valid & ATTR_KILL_SUID) && thread_capable(CAP_FSETID))
		a->valid &= ~ATTR_KILL_SUID;
	rwsem_write_lock(&i->lock);
	if ((a->valid & ATTR_SIZE) && (i->flags & INODE_FILECAPS))
		filecap_drop_locked(i);
	err = setattr_locked(i, a);
	rwsem_write_unlock(&i->lock);
	if (!err)
		notify_setattr(p, a);
	return err;
}

/* chown's rules. holds: i->lock */
static int may_chown(struct inode *i, struct iattr *a)
{
	const struct cred *c = current->cred;

	if (thread_capable(CAP_CHOWN))
		return 0;
	if ((a->valid & ATTR_UID) && (c->fsuid != i->uid || a->uid != i->uid))
		return -EPERM;
	if ((a->valid & ATTR_GID) &&
	    (c->fsuid != i->uid || (!cred_in_group(c, a->gid) && a->gid != i->gid)))
		return -EPERM;
	return 0;
}

/* May current make these changes? Also adapts the mode. holds: i->lock */
static int may_setattr(struct inode *i, struct iattr *a)
{
	const struct cred *c = current->cred;
	u32 gid = a->valid & ATTR_GID ? a->gid : i->gid;
	int err;

	if ((a->valid & ~ATTR_KILL_SUID) &&
	    ((i->flags & INODE_IMMUTABLE) ||
	     ((i->flags & INODE_APPEND) && !(a->valid & ATTR_TIMES_NOW))))
		return -EPERM;
	err = may_chown(i, a);
	if (err)
		return err;
	/* Set-id bits that go are a change of mode. */
	if ((a->valid & ATTR_KILL_SUID) && mode_without_suid(i) != i->mode &&
	    !inode_owner_or_capable(i))
		return -EPERM;
	if (a->valid & ATTR_MODE) {
		if (!inode_owner_or_capable(i))
			return -EPERM;
		if (!cred_in_group(c, gid) && !thread_capable(CAP_FSETID))
			a->mode &= ~(u32)S_ISGID;
	}
	if ((a->valid & (ATTR_ATIME | ATTR_MTIME)) && !inode_owner_or_capable(i)) {
		if (!(a->valid & ATTR_TIMES_NOW))
			return -EPERM;
		return inode_permission(i, MAY_WRITE);
	}
	return 0;
}

/*
 * Change attributes with all checks (see the head of the file); truncation goes through
 * vfs_truncate.
 * ctx: thread; sleeps. Returns 0, -EPERM, -EACCES, -EROFS or the file system's error.
 */
int vfs_setattr(const struct path *p, struct iattr *a)
{
	struct inode *i = dentry_inode(p->dentry);
	int err = mount_may_write(p->mnt);

	if (err)
		return err;
	rwsem_write_lock(&i->lock);
	err = may_setattr(i, a);
	a->valid &= ~ATTR_TIMES_NOW;
	if (!err && (a->valid & ATTR_KILL_SUID) && (i->flags & INODE_FILECAPS))
		filecap_drop_locked(i);
	if (!err)
		err = setattr_locked(i, a);
	rwsem_write_unlock(&i->lock);
	if (!err)
		notify_setattr(p, a);
	return err;
}

/*
 * truncate(2): write permission, a regular file, nobody executing it.
 * ctx: thread; sleeps. Returns 0, -EISDIR, -EINVAL, -EACCES, -EROFS, -EPERM, -ETXTBSY, -EFBIG or
 * the file system's error.
 */
int vfs_truncate(const struct path *p, u64 size)
{
	struct inode *i = dentry_inode(p->dentry);
	int err;

	if (S_ISDIR(i->mode))
		return -EISDIR;
	if (!S_ISREG(i->mode))
		return -EINVAL;
	err = mount_may_write(p->mnt);
	if (!err)
		err = inode_permission(i, MAY_WRITE);
	if (!err && (i->flags & INODE_APPEND))
		err = -EPERM;
	if (!err)
		err = inode_get_write(i);
	if (err)
		return err;
	err = lease_break(i, O_WRONLY);
	if (!err)
		err = vfs_set_size(p, size);
	inode_put_write(i);
	return err;
}

/*
 * Size of a regular file that may be written, with the limits. ctx: thread; sleeps. 0, -EFBIG,
 * -EPERM or the file system's error.
 */
int vfs_set_size(const struct path *p, u64 size)
{
	struct inode *i = dentry_inode(p->dentry);
	struct iattr a = { .valid = ATTR_SIZE | ATTR_MTIME | ATTR_CTIME | ATTR_KILL_SUID,
			   .size = size };
	int err;

	if (i->flags & INODE_APPEND)
		return -EPERM;
	if (size > i->sb->max_size)
		return -EFBIG;
	err = size > i->size ? vfs_check_fsize(size) : 0;
	return err ? err : vfs_setattr_nocheck(p, &a);
}

/* Text of the symlink @p; its length. ctx: thread; sleeps. -EINVAL: not a symlink. */
ssize_t vfs_readlink(const struct path *p, char *buf, size_t size)
{
	struct inode *i = dentry_inode(p->dentry);

	if (!S_ISLNK(i->mode) || !i->ops || !i->ops->readlink)
		return -EINVAL;
	if (i->atime <= i->mtime && !((p->mnt->flags | i->sb->flags) & (MS_NOATIME | MS_RDONLY)))
		inode_touch(i, ATTR_ATIME);
	return i->ops->readlink(i, buf, size);
}

/* ctx: thread; sleeps. 0, -ENOSYS (it has no figures) or the file system's error. */
int vfs_statfs(const struct path *p, struct kstatfs *st)
{
	struct super *sb = p->mnt->sb;

	*st = (struct kstatfs){ .type = sb->magic, .bsize = PAGE_SIZE, .namelen = NAME_MAX_LEN };
	if (sb->magic == ANON_INODE_FS_MAGIC) { /* in Linux pipes and sockets have their own */
		u32 mode = dentry_inode(p->dentry)->mode;

		st->type = S_ISFIFO(mode) ? PIPEFS_MAGIC : S_ISSOCK(mode) ? SOCKFS_MAGIC : st->type;
	}
	if (sb->ops && sb->ops->statfs) {
		int err = sb->ops->statfs(sb, st);

		if (err)
			return err;
	}
	if (!st->frsize)
		st->frsize = st->bsize;
	if (!st->fsid)
		st->fsid = sb->dev;
	/*
	 * ST_VALID, and the mount's flags under their statfs names (the same bits up to MS_NOEXEC).
	 */
	st->flags |=
		0x20 | ((p->mnt->flags | sb->flags) & (MS_RDONLY | MS_NOSUID | MS_NODEV |
						       MS_NOEXEC | MS_SYNCHRONOUS | MS_MANDLOCK));
	st->flags |= p->mnt->flags & (MS_NOATIME | MS_NODIRATIME);
	if (p->mnt->flags & MS_RELATIME)
		st->flags |= 0x1000;
	if (p->mnt->flags & MS_NOSYMFOLLOW)
		st->flags |= 0x2000;
	return 0;
}

/*
 * Permission of the current fsuid for access(2), mount flags included.
 * ctx: thread; sleeps. Returns 0, -EACCES, -EROFS, -EPERM.
 */
int vfs_access(const struct path *p, u32 mask)
{
	struct inode *i = dentry_inode(p->dentry);
	int err;

	if ((mask & MAY_EXEC) && S_ISREG(i->mode) && (p->mnt->flags & MS_NOEXEC))
		return -EACCES;
	err = inode_permission(i, mask);
	if (err || !(mask & MAY_WRITE) ||
	    !(S_ISREG(i->mode) || S_ISDIR(i->mode) || S_ISLNK(i->mode)))
		return err;
	return mount_may_write(p->mnt);
}
