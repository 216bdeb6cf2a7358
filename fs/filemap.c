/*
 * Reading and writing through the page cache, for every file system whose files have one: the
 * checks, limits and time stamps around pagecache_read() and pagecache_write().
 *
 * Writers hold the inode's lock, so that writes are atomic to each other, appends find the end and
 * truncation waits; readers take no lock, as on Linux. atime follows the mount: relatime by default
 * (mount(8)).
 */
#include <linux/errno.h>
#include <asm/signal.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include "fs/namei.h"
#include "fs/notify.h"
#include "kernel/base/time.h"

static u64 (*fsize_limit)(void); /* I after boot */
static void (*send_signal)(int sig); /* I after boot */

/* See vfs.h. ctx: boot */
void vfs_set_write_hooks(u64 (*limit)(void), void (*signal)(int sig))
{
	fsize_limit = limit;
	send_signal = signal;
}

/* See vfs.h. ctx: thread, after boot */
void vfs_signal(int sig)
{
	send_signal(sig);
}

/* See vfs.h. ctx: thread */
int vfs_check_fsize(u64 size)
{
	if (!fsize_limit || size <= fsize_limit())
		return 0;
	send_signal(SIGXFSZ);
	return -EFBIG;
}

/* See vfs.h. ctx: thread */
int vfs_check_write(const struct super *sb, u64 pos, size_t *len)
{
	u64 limit = fsize_limit ? fsize_limit() : ~0ULL;

	if (unlikely(pos >= limit)) {
		send_signal(SIGXFSZ);
		return -EFBIG;
	}
	limit = MIN(limit, sb->max_size);
	if (pos >= limit)
		return -EFBIG;
	*len = MIN(*len, limit - pos);
	return 0;
}

/* atime of a file that was read, by the rules of its mount. ctx: thread; sleeps: no */
void file_accessed(struct file *f)
{
	struct inode *i = f->inode;
	u32 mf = f->path.mnt->flags | i->sb->flags;
	s64 now;

	if ((f->flags & O_NOATIME) || (mf & (MS_NOATIME | MS_RDONLY)) || (i->flags & INODE_NOATIME))
		return;
	if ((mf & MS_NODIRATIME) && S_ISDIR(i->mode))
		return;
	if (mf & MS_RELATIME && i->atime > i->mtime && i->atime > i->ctime) {
		now = time_wall();
		if (now - i->atime < 24 * 3600 * NSEC_PER_SEC)
			return;
	}
	inode_touch(i, ATTR_ATIME);
}

/* ctx: thread; sleeps. Bytes, 0 at the end, or -errno. */
ssize_t generic_file_read(struct file *f, struct uio *u, u64 *pos)
{
	ssize_t n = notify_permission(f, FAN_ACCESS_PERM);

	if (unlikely(n))
		return n;
	u->order = f->order;
	n = pagecache_read(f->inode->cache, u, pos);
	file_accessed(f);
	return n;
}

/* See vfs.h. ctx: thread; holds: i->lock for writing; sleeps. */
int generic_write_begin(struct file *f, struct uio *u, u64 *pos)
{
	struct inode *i = f->inode;
	int err;

	if (!u->left)
		return 0;
	if ((f->flags & O_APPEND) || (u->flags & RWF_APPEND))
		*pos = i->cache ? i->cache->size : i->size;
	err = vfs_check_write(i->sb, *pos, &u->left);
	if (unlikely(err))
		return err;
	err = inode_strip_suid_locked(i);
	if (err < 0)
		return err;
	if (err)
		notify_file(f, IN_ATTRIB | NOTIFY_LOCKED);
	inode_touch(i, ATTR_MTIME | ATTR_CTIME);
	return 0;
}

/* ctx: thread; sleeps. Bytes or -errno. */
ssize_t generic_file_write(struct file *f, struct uio *u, u64 *pos)
{
	struct inode *i = f->inode;
	ssize_t n;

	rwsem_write_lock(&i->lock);
	n = generic_write_begin(f, u, pos);
	if (!n && u->left)
		n = pagecache_write(i->cache, u, pos);
	i->size = i->cache->size;
	rwsem_write_unlock(&i->lock);
	if (n > 0 && ((f->flags & O_DSYNC) || (u->flags & (RWF_DSYNC | RWF_SYNC))) &&
	    f->ops->fsync) {
		int err = f->ops->fsync(f, *pos - (u64)n, *pos,
					!((f->flags & __O_SYNC) || (u->flags & RWF_SYNC)));

		if (err)
			n = err;
	}
	return n;
}

static s64 seek_base(const struct file *f, s64 off, int whence, u64 size, s64 *base)
{
	switch (whence) {
	case SEEK_SET: *base = 0; return 0;
	case SEEK_CUR: *base = (s64)f->pos; return 0;
	case SEEK_END: *base = (s64)size; return 0;
	case SEEK_DATA:
	case SEEK_HOLE:
		/* All is data, with a hole at the end. */
		if (off < 0 || (u64)off >= size)
			return -ENXIO;
		*base = whence == SEEK_DATA ? 0 : (s64)size - off;
		return 0;
	}
	return -EINVAL;
}

static __noinline s64 seek_within(struct file *f, s64 off, int whence, u64 size)
{
	s64 base, pos, err = seek_base(f, off, whence, size, &base);

	if (err)
		return err;
	if (__builtin_add_overflow(base, off, &pos))
		return -EINVAL;
	if (pos < 0 || (u64)pos > f->inode->sb->max_size)
		return -EINVAL;
	f->pos = (u64)pos;
	return pos;
}

/*
 * lseek by the inode's size. ctx: thread; holds: the position's lock. The new position, -EINVAL,
 * -ENXIO.
 */
s64 generic_file_seek(struct file *f, s64 off, int whence)
{
	struct inode *i = f->inode;

	if (S_ISDIR(i->mode) && whence > SEEK_CUR)
		return -EINVAL; /* the end of a directory is nowhere */
	return seek_within(f, off, whence,
			   i->cache ? READ_ONCE(i->cache->size) : READ_ONCE(i->size));
}

/* See the header. ctx: thread; holds: the position's lock. As generic_file_seek. */
s64 sizeless_seek(struct file *f, s64 off, int whence)
{
	return seek_within(f, off, whence, 0);
}
