/*
 * O_DIRECT on files: between the caller's memory and the blocks, past the page cache.
 *
 * A transfer goes on in pieces that lie in a row on the disk. Holes read as zeroes. A write goes to
 * blocks that are there and lie before the end of the file; what fills a hole or makes the file
 * longer is written through the page cache, and to the disk before the call returns, since new
 * blocks are given there only (write.c).
 *
 * Both ways see the same data: what is dirty in the cache is written before, and what a write
 * replaces leaves the cache and all mappings before and, should somebody have read it in meanwhile,
 * once more after. A page that is stored to all the time cannot be taken out: it is written through
 * the cache. The inode's lock keeps blocks where they are, for reading too.
 *
 * Position, length and addresses are multiples of the device's logical block, else EINVAL.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include "fs/ext/ext.h"
#include "kernel/base/uio.h"
#include "mm/vm/writeback.h"

/* A piece of a file: @n bytes from byte @pos on, at block @phys, or a hole. */
struct piece {
	u64 pos;
	size_t n;
	u32 phys;
};

/* What lies at @pos, @want bytes at most. */
static int piece_at(struct inode *i, u64 pos, size_t want, struct piece *out)
{
	u32 bits = ext_sb_of(i->sb)->block_bits, count;
	u64 last = (pos + want - 1) >> bits, index = pos >> bits;
	int err = ext_map(i, index, (u32)MIN(last - index + 1, (u64)~0u), &out->phys, &count);

	out->pos = pos;
	if (!err)
		out->n = (size_t)MIN((u64)want, ((index + count) << bits) - pos);
	return err;
}

static ssize_t transfer(struct inode *i, struct uio *u, const struct piece *p, bool write)
{
	const struct ext_sb *s = ext_sb_of(i->sb);
	size_t rest = u->left - p->n;
	u64 at = ((u64)p->phys << s->block_bits) + (p->pos & (s->block_size - 1));
	ssize_t done;

	u->left = p->n;
	done = blkdev_direct_transfer(s->bdev, u, at, write);
	u->left += rest;
	return done;
}

static int write_out(struct inode *i, u64 pos, size_t n)
{
	return writeback_range(i->cache, pos >> PAGE_SHIFT, (pos + n - 1) >> PAGE_SHIFT,
			       WRITEBACK_WAIT);
}

static int take_out(struct inode *i, u64 pos, size_t n)
{
	return pagecache_invalidate(i->cache, pos >> PAGE_SHIFT, (pos + n - 1) >> PAGE_SHIFT);
}

/* --- reading --- */

/* Up to @size, the end of the file; the last block's rest comes with it and does not count. */
static ssize_t read_all(struct inode *i, struct uio *u, u64 *pos, u64 size)
{
	u64 start = *pos;
	ssize_t done = 0;

	while (u->left && *pos < size) {
		struct piece p;
		int err = piece_at(i, *pos, u->left, &p);

		if (err) {
			done = err;
			break;
		}
		done = p.phys ? transfer(i, u, &p, false) : uio_zero(u, p.n);
		if (done <= 0)
			break;
		*pos += (u64)done;
		if ((size_t)done < p.n)
			break;
	}
	*pos = MIN(*pos, MAX(size, start));
	return *pos > start ? (ssize_t)(*pos - start) : done;
}

/* holds: i->lock for reading */
static ssize_t read_locked(struct inode *i, struct uio *u, u64 *pos)
{
	const struct blkdev *b = ext_sb_of(i->sb)->bdev;
	u64 size = i->cache->size;
	int err;

	if (*pos >= size || !u->left)
		return 0;
	if (!blkdev_direct_aligned(b, u, *pos))
		return -EINVAL;
	u->left = MIN(u->left, (size_t)ALIGN_UP(size - *pos, (u64)b->disk->limits.block));
	err = write_out(i, *pos, u->left);
	return err ? err : read_all(i, u, pos, size);
}

/* See ext.h. ctx: thread; sleeps */
ssize_t ext_direct_read(struct file *f, struct uio *u, u64 *pos)
{
	struct inode *i = f->inode;
	ssize_t n;

	if (u->flags & RWF_NOWAIT)
		return -EAGAIN;
	rwsem_read_lock(&i->lock);
	n = read_locked(i, u, pos);
	rwsem_read_unlock(&i->lock);
	file_accessed(f);
	return n;
}

/* --- writing --- */

/* By the page cache, and to the disk. Bytes or -errno. */
static ssize_t write_through(struct inode *i, struct uio *u, const struct piece *p)
{
	size_t rest = u->left - p->n;
	u64 pos = p->pos;
	ssize_t done;
	int err;

	u->left = p->n;
	done = ext_write_locked(i, u, &pos);
	u->left += rest;
	if (done <= 0)
		return done;
	err = write_out(i, p->pos, (size_t)done);
	(void)take_out(i, p->pos, (size_t)done);
	return err ? err : done;
}

/* To blocks that are there. Bytes or -errno; -EBUSY: a page would not leave the cache. */
static ssize_t write_piece(struct inode *i, struct uio *u, const struct piece *p)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	u32 blocks = (u32)(((p->pos & (s->block_size - 1)) + p->n - 1) >> s->block_bits) + 1;
	int err = ext_check_data(s, i->ino, p->phys, blocks);
	ssize_t done;

	if (!err)
		err = write_out(i, p->pos, p->n);
	if (!err)
		err = take_out(i, p->pos, p->n);
	if (err)
		return err;
	done = transfer(i, u, p, true);
	(void)take_out(i, p->pos, p->n);
	return done;
}

/* See ext.h. ctx: thread; holds: i->lock for writing; sleeps */
ssize_t ext_direct_write(struct inode *i, struct uio *u, u64 *pos)
{
	const struct blkdev *b = ext_sb_of(i->sb)->bdev;
	u64 start = *pos, end = i->cache->size & ~(u64)(b->disk->limits.block - 1);
	ssize_t done = 0;

	if (!blkdev_direct_aligned(b, u, *pos))
		return -EINVAL;
	while (u->left) {
		struct piece p = { *pos, u->left, 0 };
		int err = 0;

		if (*pos < end)
			err = piece_at(i, *pos, (size_t)MIN((u64)u->left, end - *pos), &p);
		if (err) {
			done = err;
			break;
		}
		done = p.phys ? write_piece(i, u, &p) : -EBUSY;
		if (done == -EBUSY)
			done = write_through(i, u, &p);
		if (done > 0)
			*pos += (u64)done;
		if (done <= 0 || (size_t)done < p.n)
			break;
	}
	return *pos > start ? (ssize_t)(*pos - start) : done;
}
