/*
 * Inodes in general: reference counts, time stamps, the default attribute operations, the one
 * permission check, and the count of writers that keeps a running program's file from being
 * changed.
 *
 * An inode belongs to its file system, which embeds it in a struct of its own and frees it in
 * ->evict, called when the last reference goes. Names (dentries) and open files hold references; so
 * does a file system that keeps inodes of linked files itself (tmpfs directories).
 *
 * Owner, group and mode are read without a lock by permission checks: each is one word, and a check
 * that races with chmod may see either state, as on Linux. Whoever changes them holds inode->lock
 * for writing.
 *
 * Permission rules: POSIX.1-2017 4.5 and capabilities(7). Set-id bits at chown and write: chown(2),
 * write(2).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/mount.h>
#include "fs/locks.h"
#include "fs/namei.h"
#include "kernel/base/time.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"

/*
 * Prepare @i of @sb: refs = 1, nlink 1, times now, owner from the current thread.
 * ctx: any; sleeps: no.
 */
void inode_init(struct inode *i, struct super *sb, u64 ino, u32 mode)
{
	s64 now = time_wall();

	ref_init(&i->refs, 1);
	i->mode = mode;
	i->uid = current->cred->fsuid;
	i->gid = current->cred->fsgid;
	i->nlink = 1;
	i->flags = 0;
	i->ino = ino;
	i->rdev = 0;
	i->size = 0;
	i->blocks = 0;
	i->atime = i->mtime = i->ctime = i->btime = now;
	i->sb = sb;
	i->ops = NULL;
	i->fops = NULL;
	i->cache = NULL;
	i->locks = NULL;
	i->writers = 0;
	i->deny_write = 0;
	i->readers = 0;
	i->priv = NULL;
	i->pipe = NULL;
	i->cdev = NULL;
	rwsem_init(&i->lock, RANK_INODE);
	waitq_init(&i->waitq);
	list_init(&i->watches);
	list_init(&i->hash);
}

/* As inode_get for the lookup side. ctx: any */
void inode_get(struct inode *i)
{
	ref_get(&i->refs);
}

/*
 * Drop a reference; the last gives the inode to its file system's evict.
 * ctx: thread; sleeps: in evict.
 */
void inode_put(struct inode *i)
{
	struct super *sb = i->sb;

	if (likely(!ref_put(&i->refs)))
		return;
	locks_free_ctx(i);
	if (sb->ops && sb->ops->evict)
		sb->ops->evict(i);
	else
		kfree(i);
}

/*
 * Owner, group and mode of a new inode made in @dir by the current thread: a set-group-id directory
 * gives its group, and the bit itself to subdirectories.
 * ctx: thread; sleeps: no.
 */
void inode_init_owner(struct inode *i, const struct inode *dir, u32 mode)
{
	const struct cred *c = current->cred;

	i->uid = c->fsuid;
	i->gid = c->fsgid;
	if (dir && (dir->mode & S_ISGID)) {
		i->gid = dir->gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
	}
	i->mode = mode;
}

/*
 * Set the times named by @attr_times to now. ctx: any; a torn mix of old and new is not possible
 * (one word each).
 */
void inode_touch(struct inode *i, u32 attr_times)
{
	s64 now = time_wall();

	if (attr_times & ATTR_ATIME)
		WRITE_ONCE(i->atime, now);
	if (attr_times & ATTR_MTIME)
		WRITE_ONCE(i->mtime, now);
	if (attr_times & ATTR_CTIME)
		WRITE_ONCE(i->ctime, now);
}

/*
 * Default setattr: store the fields; a size goes to the page cache.
 * ctx: thread; holds: i->lock for writing; sleeps.
 */
int inode_setattr_generic(struct inode *i, const struct iattr *a)
{
	if (a->valid & ATTR_SIZE) {
		if (!i->cache)
			return -EINVAL;
		pagecache_truncate(i->cache, a->size);
		WRITE_ONCE(i->size, a->size);
	}
	if (a->valid & ATTR_UID)
		WRITE_ONCE(i->uid, a->uid);
	if (a->valid & ATTR_GID)
		WRITE_ONCE(i->gid, a->gid);
	if (a->valid & ATTR_MODE)
		WRITE_ONCE(i->mode, (i->mode & S_IFMT) | (a->mode & 07777));
	if (a->valid & ATTR_ATIME)
		WRITE_ONCE(i->atime, a->atime);
	if (a->valid & ATTR_MTIME)
		WRITE_ONCE(i->mtime, a->mtime);
	if (a->valid & ATTR_CTIME)
		WRITE_ONCE(i->ctime, a->ctime);
	return 0;
}

/*
 * Default getattr: the inode's fields but for statx's own. ctx: any; takes no lock (see the head of
 * the file).
 */
void inode_getattr_generic(struct inode *i, struct kstat *st)
{
	st->dev = i->sb->dev;
	st->ino = i->ino;
	st->rdev = i->rdev;
	st->mode = READ_ONCE(i->mode);
	st->nlink = READ_ONCE(i->nlink);
	st->uid = READ_ONCE(i->uid);
	st->gid = READ_ONCE(i->gid);
	st->size = i->cache ? READ_ONCE(i->cache->size) : READ_ONCE(i->size);
	st->blocks = READ_ONCE(i->blocks);
	st->blksize = i->sb->blksize;
	st->atime = READ_ONCE(i->atime);
	st->mtime = READ_ONCE(i->mtime);
	st->ctime = READ_ONCE(i->ctime);
	st->btime = READ_ONCE(i->btime);
}

/* What capabilities allow beyond the mode bits. */
static int permission_by_capability(const struct inode *i, u32 mode, u32 want)
{
	if (i->flags & INODE_BOUND)
		return (i->flags & INODE_RESTORE) && (thread_capable(CAP_CHECKPOINT_RESTORE) ||
						      thread_capable(CAP_SYS_ADMIN))
			       ? 0
			       : -EACCES;
	if (S_ISDIR(mode)) {
		if (!(want & MAY_WRITE) && thread_capable(CAP_DAC_READ_SEARCH))
			return 0;
		return thread_capable(CAP_DAC_OVERRIDE) ? 0 : -EACCES;
	}
	if (want == MAY_READ && thread_capable(CAP_DAC_READ_SEARCH))
		return 0;
	/* Execution needs at least one x bit, also for the superuser. */
	if ((!(want & MAY_EXEC) || (mode & 0111)) && thread_capable(CAP_DAC_OVERRIDE))
		return 0;
	return -EACCES;
}

/* What the list of @i allows of @want, or, if it has none, the bits of the mode. */
static __cold u32 acl_bits(struct inode *i, u32 mode, u32 want)
{
	int err = i->ops->acl ? i->ops->acl(i, want) : -EAGAIN;

	if (err == -EAGAIN)
		return cred_in_group(current->cred, READ_ONCE(i->gid)) ? mode >> 3 : mode;
	return err ? 0 : want;
}

/*
 * May the current thread do @mask (MAY_*) with @i?
 * ctx: thread; sleeps: only in the file system's own check.
 * Returns 0, -EACCES, -EROFS (a write on a read-only file system), -EPERM (immutable).
 */
int inode_permission(struct inode *i, u32 mask)
{
	const struct cred *c = current->cred;
	u32 want = mask & (MAY_READ | MAY_WRITE | MAY_EXEC);
	u32 mode = READ_ONCE(i->mode);
	u32 bits;
	int err;

	if (want & MAY_WRITE) {
		if ((READ_ONCE(i->sb->flags) & MS_RDONLY) &&
		    (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode)))
			return -EROFS;
		if (i->flags & INODE_IMMUTABLE)
			return -EPERM;
	}
	if (c->fsuid == READ_ONCE(i->uid)) {
		bits = mode >> 6;
	} else if (unlikely(i->flags & INODE_ACL)) {
		bits = acl_bits(i, mode, want);
	} else if (((mode >> 3 ^ mode) & want) && cred_in_group(c, READ_ONCE(i->gid))) {
		bits = mode >> 3;
	} else {
		bits = mode;
	}
	if (want & ~bits) {
		err = permission_by_capability(i, mode, want);
		if (err && !(i->ops && i->ops->permitted && i->ops->permitted(i)))
			return err;
	}
	return i->ops && i->ops->permission ? i->ops->permission(i, mask) : 0;
}

/* Does the current thread own @i, or may it act as the owner? ctx: thread; sleeps: no */
bool inode_owner_or_capable(struct inode *i)
{
	const struct cred *c = current->cred;

	return c->fsuid == READ_ONCE(i->uid) || thread_capable(CAP_FOWNER);
}

/*
 * Writers and deniers each announce themselves first and look at the other count afterwards (full
 * barriers between): of two that meet, at least one sees the other and steps back.
 * ctx: thread. Returns 0, or -ETXTBSY when a program runs from the file.
 */
int inode_get_write(struct inode *i)
{
	__atomic_add_fetch(&i->writers, 1, __ATOMIC_SEQ_CST);
	if (likely(!__atomic_load_n(&i->deny_write, __ATOMIC_SEQ_CST)))
		return 0;
	inode_put_write(i);
	return -ETXTBSY;
}

/* Undo inode_get_write. ctx: any */
void inode_put_write(struct inode *i)
{
	__atomic_sub_fetch(&i->writers, 1, __ATOMIC_SEQ_CST);
}

/* Forbid writers (exec). ctx: thread. Returns 0, or -ETXTBSY when the file is open for writing. */
int inode_deny_write(struct inode *i)
{
	__atomic_add_fetch(&i->deny_write, 1, __ATOMIC_SEQ_CST);
	if (likely(!__atomic_load_n(&i->writers, __ATOMIC_SEQ_CST)))
		return 0;
	inode_allow_write(i);
	return -ETXTBSY;
}

/* Undo inode_deny_write. ctx: any */
void inode_allow_write(struct inode *i)
{
	__atomic_sub_fetch(&i->deny_write, 1, __ATOMIC_SEQ_CST);
}
