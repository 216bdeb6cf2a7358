/*
 * Open block devices: reading, writing, O_DIRECT, fsync.
 *
 * Opening a node of type S_IFBLK finds the device by its number and gives the open file the
 * device's own inode (node.c); the path stays the node's. From there on this is a file whose size
 * is fixed: a read beyond the end gives 0 bytes, a write beyond it ENOSPC.
 *
 * O_DIRECT takes pages of the caller's memory as bios' segments. The cache is written out and
 * emptied of the range before, so both ways see the same data.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include "block/block.h"
#include "fs/namei.h"
#include "kernel/lib/errseq.h"
#include "kernel/sched/thread.h"
#include "mm/vm/writeback.h"

static u32 how_of(const struct file *f)
{
	return (f->mode & FILE_WRITE ? BLK_WRITE : 0) | (f->mode & FILE_EXCL ? BLK_EXCL : 0);
}

/* See block.h. ctx: thread; sleeps. 0, -ENXIO, -EBUSY or the driver's error */
int blkdev_open_node(struct inode *i, struct file *f)
{
	struct blkdev *b = blkdev_find(i->rdev);
	u32 how = how_of(f);
	int err;

	if (!b)
		return -ENXIO;
	err = blkdev_get(b, how, f);
	if (err)
		return err;
	f->inode = blkdev_inode(b);
	inode_get(f->inode);
	f->ops = &blkdev_fops;
	f->priv = b;
	f->wb_err = errseq_sample(&blkdev_cache(b)->error);
	return 0;
}

static void blkdev_release(struct file *f)
{
	blkdev_put(blkdev_of_file(f), how_of(f));
	inode_put(f->inode);
}

/* Cut @u to what lies before @end. The bytes cut. */
static size_t cut(struct uio *u, u64 pos, u64 end)
{
	size_t over = 0;

	if (u->left > end - pos) {
		over = u->left - (size_t)(end - pos);
		u->left -= over;
	}
	return over;
}

/* See block.h. ctx: thread; sleeps */
void blkdev_set_guard(struct blkdev *b, struct blkdev_guard *g)
{
	struct inode *i = blkdev_inode(b);

	rwsem_write_lock(&i->lock);
	WRITE_ONCE(b->guard, g);
	rwsem_write_unlock(&i->lock);
}

/* @n bytes at @pos are about to be read. */
static void settle_for_read(struct blkdev *b, u64 pos, size_t n)
{
	struct inode *i = blkdev_inode(b);

	rwsem_read_lock(&i->lock);
	if (b->guard)
		b->guard->settle(b->guard, pos, pos + n);
	rwsem_read_unlock(&i->lock);
}

/* Write, to a device that somebody keeps blocks of. holds: the inode's lock for writing */
static ssize_t write_guarded(struct blkdev *b, struct uio *u, u64 *pos, bool direct)
{
	u64 from = *pos, to = ALIGN_UP(from + u->left, (u64)PAGE_SIZE);
	ssize_t n;
	int err;

	/* Pages are written whole: what lies beside in them is to be the newest. */
	b->guard->settle(b->guard, from & ~(u64)PAGE_MASK, to);
	if (direct) {
		n = blkdev_direct(b, u, from, true);
		if (n > 0)
			*pos += (u64)n;
	} else {
		n = pagecache_write(blkdev_cache(b), u, pos);
	}
	err = blkdev_invalidate(b, from, to);
	if (n > 0)
		b->guard->take(b->guard, from, from + (u64)n);
	return n > 0 && err ? err : n;
}

static ssize_t blkdev_read(struct file *f, struct uio *u, u64 *pos)
{
	struct blkdev *b = blkdev_of_file(f);
	u64 size = blkdev_bytes(b);
	ssize_t n;

	if (*pos >= size)
		return 0;
	cut(u, *pos, size);
	if (unlikely(READ_ONCE(b->guard)))
		settle_for_read(b, *pos, u->left);
	u->order = f->order;
	if (!(f->flags & O_DIRECT))
		return pagecache_read(f->inode->cache, u, pos);
	n = blkdev_direct(b, u, *pos, false);
	if (n > 0)
		*pos += (u64)n;
	return n;
}

static ssize_t blkdev_write(struct file *f, struct uio *u, u64 *pos)
{
	struct blkdev *b = blkdev_of_file(f);
	struct inode *i = f->inode;
	u64 size = blkdev_bytes(b);
	ssize_t n;
	int err;

	if (blkdev_read_only(b))
		return -EPERM;
	if (!u->left)
		return 0;
	if (*pos >= size)
		return -ENOSPC;
	cut(u, *pos, size);
	rwsem_write_lock(&i->lock);
	if (unlikely(b->guard)) {
		n = write_guarded(b, u, pos, f->flags & O_DIRECT);
	} else if (f->flags & O_DIRECT) {
		n = blkdev_direct(b, u, *pos, true);
		if (n > 0)
			*pos += (u64)n;
	} else {
		n = pagecache_write(i->cache, u, pos);
	}
	rwsem_write_unlock(&i->lock);
	if (n > 0 && ((f->flags & O_DSYNC) || (u->flags & (RWF_DSYNC | RWF_SYNC)))) {
		err = file_fsync(f, *pos - (u64)n, *pos - 1, true);
		if (err)
			n = err;
	}
	return n;
}

/* There is nothing beyond the end, and holes are not known. */
static s64 blkdev_seek(struct file *f, s64 off, int whence)
{
	u64 old = f->pos;
	s64 pos = whence > SEEK_END ? -EINVAL : generic_file_seek(f, off, whence);

	if (pos <= (s64)blkdev_bytes(blkdev_of_file(f)))
		return pos;
	f->pos = old;
	return -EINVAL;
}

static int blkdev_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	struct blkdev *b = blkdev_of_file(f);
	int err = writeback_range(f->inode->cache, start >> PAGE_SHIFT, end >> PAGE_SHIFT,
				  WRITEBACK_WAIT);
	int flush = blkdev_flush(b);
	int seen = errseq_check(&f->inode->cache->error, &f->wb_err);

	if (seen)
		return seen;
	if (err)
		return err;
	return flush == -EOPNOTSUPP ? 0 : flush;
}

/* Zeroes, by the device if it can; a hole is that without writing them. */
static int blkdev_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	struct blkdev *b = blkdev_of_file(f);
	u64 size = blkdev_bytes(b), end = off + len;
	bool hole = mode & FALLOC_FL_PUNCH_HOLE;

	if (!hole && !(mode & FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if (mode & ~(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (off >= size || (end > size && !(mode & FALLOC_FL_KEEP_SIZE)))
		return -EINVAL;
	end = MIN(end, size);
	if ((off | end) & (b->disk->limits.block - 1))
		return -EINVAL;
	if (blkdev_read_only(b))
		return -EPERM;
	return hole && !b->disk->limits.max_zero ? -EOPNOTSUPP
						 : blkdev_zero_range(f->inode, b, off, end);
}

const struct file_ops blkdev_fops = {
	.open = blkdev_open_node,
	.release = blkdev_release,
	.read = blkdev_read,
	.write = blkdev_write,
	.seek = blkdev_seek,
	.fsync = blkdev_fsync,
	.fallocate = blkdev_fallocate,
	.ioctl = blkdev_ioctl,
	.splice_read = true,
	.splice_write = true,
};
