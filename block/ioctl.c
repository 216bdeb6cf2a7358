/*
 * ioctls of block devices: sizes, limits, the read-only flag, partitions, discarding.
 *
 * ioctl_list(2), blockdev(8), and the definitions of linux/fs.h, linux/blkpg.h, linux/hdreg.h. What
 * changes the device or its partitions needs CAP_SYS_ADMIN, what changes data a file opened for
 * writing.
 */
#include <linux/blkpg.h>
#include <linux/blkzoned.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/hdreg.h>
#include "block/block.h"
#include "kernel/sched/thread.h"
#include "mm/vm/writeback.h"

#define USER_BLOCK_MAX 65536

static bool admin(void)
{
	return cred_capable(current->cred, CAP_SYS_ADMIN);
}

static long put_int(u64 arg, int v)
{
	return put_user(arg, v);
}

static long put_ushort(u64 arg, u32 v)
{
	return put_user(arg, (u16)MIN(v, 0xffffu));
}

static long put_u64(u64 arg, u64 v)
{
	return put_user(arg, v);
}

static long set_block_size(struct blkdev *b, u64 arg)
{
	int n;

	if (!admin())
		return -EACCES;
	if (get_user(&n, arg))
		return -EFAULT;
	if (n < (int)b->disk->limits.block || n > USER_BLOCK_MAX || (n & (n - 1)))
		return -EINVAL;
	WRITE_ONCE(b->block, (u32)n);
	return 0;
}

static long set_read_only(struct blkdev *b, u64 arg)
{
	int on;

	if (!admin())
		return -EACCES;
	if (get_user(&on, arg))
		return -EFAULT;
	if (on)
		(void)writeback_range(blkdev_cache(b), 0, ~0ull, WRITEBACK_WAIT);
	WRITE_ONCE(b->read_only, on != 0);
	return 0;
}

static long flush_buffers(struct blkdev *b)
{
	if (!admin())
		return -EACCES;
	(void)blkdev_sync(b);
	pagecache_forget(blkdev_cache(b), 0, ~0ull);
	return 0;
}

/* See block.h. ctx: thread; sleeps */
int blkdev_zero_range(struct inode *i, struct blkdev *b, u64 from, u64 to)
{
	int err;

	rwsem_write_lock(&i->lock);
	if (b->disk->in_memory) {
		pagecache_punch(i->cache, from, to);
		err = 0;
	} else {
		err = blkdev_invalidate(b, from, to);
		if (!err)
			err = blkdev_zero(b, from >> SECTOR_SHIFT, (to - from) >> SECTOR_SHIFT);
		(void)blkdev_invalidate(b, from, to);
	}
	rwsem_write_unlock(&i->lock);
	return err;
}

/* BLKDISCARD and BLKZEROOUT: a range of bytes, which leaves the cache. */
static long change_range(struct file *f, struct blkdev *b, u32 cmd, u64 arg)
{
	u64 range[2], size = blkdev_bytes(b);
	struct inode *i = f->inode;
	int err;

	if (!(f->mode & FILE_WRITE))
		return -EBADF;
	if (cmd == BLKDISCARD && !b->disk->limits.max_discard)
		return -EOPNOTSUPP;
	if (get_user(&range, arg))
		return -EFAULT;
	if ((range[0] | range[1]) & (b->disk->limits.block - 1))
		return -EINVAL;
	if (range[0] >= size || range[1] > size - range[0])
		return -EINVAL;
	if (blkdev_read_only(b))
		return -EPERM;
	if (cmd == BLKZEROOUT)
		return blkdev_zero_range(i, b, range[0], range[0] + range[1]);
	rwsem_write_lock(&i->lock);
	err = blkdev_invalidate(b, range[0], range[0] + range[1]);
	if (!err)
		err = blkdev_discard(b, range[0] >> SECTOR_SHIFT, range[1] >> SECTOR_SHIFT);
	(void)blkdev_invalidate(b, range[0], range[0] + range[1]);
	rwsem_write_unlock(&i->lock);
	return err;
}

/* A geometry for those who still think in cylinders: 16 heads of 63 sectors, as virtio disks. */
static long geometry(struct blkdev *b, u64 arg)
{
	struct hd_geometry g = { .heads = 16, .sectors = 63 };

	g.cylinders = (unsigned short)MIN(b->disk->parts[0]->nsect / (16 * 63), (u64)0xffff);
	g.start = (unsigned long)b->start;
	return put_user(arg, g);
}

static long partition_change(struct blkdev *b, u64 arg)
{
	struct blkpg_ioctl_arg a;
	struct blkpg_partition p;
	u64 start, n;

	if (!admin())
		return -EACCES;
	if (get_user(&a, arg) || get_user(&p, (u64)a.data))
		return -EFAULT;
	if (b->partno || p.pno <= 0)
		return -EINVAL;
	if (a.op == BLKPG_DEL_PARTITION)
		return partition_del(b->disk, (u32)p.pno);
	if (p.start < 0 || p.length <= 0 || ((p.start | p.length) & (b->disk->limits.block - 1)))
		return -EINVAL;
	start = (u64)p.start >> SECTOR_SHIFT;
	n = (u64)p.length >> SECTOR_SHIFT;
	switch (a.op) {
	case BLKPG_ADD_PARTITION: return partition_add(b->disk, (u32)p.pno, start, n);
	case BLKPG_RESIZE_PARTITION: return partition_resize(b->disk, (u32)p.pno, start, n);
	}
	return -EINVAL;
}

static long rescan(struct file *f, struct blkdev *b)
{
	if (!admin())
		return -EACCES;
	/* A loop device that was not asked to have partitions has none to read. */
	if (b->partno || (b->disk->no_scan && !b->disk->in_memory))
		return -EINVAL;
	if (READ_ONCE(b->holder) && !(f->mode & FILE_EXCL))
		return -EBUSY;
	return disk_scan(b->disk);
}

/* In sectors of 512. */
static long set_readahead(struct blkdev *b, u64 sectors)
{
	if (!admin())
		return -EACCES;
	WRITE_ONCE(blkdev_cache(b)->ra_pages,
		   (u32)MIN(sectors >> (PAGE_SHIFT - SECTOR_SHIFT), (u64)RA_PAGES_MAX));
	return 0;
}

static u64 readahead_sectors(struct blkdev *b)
{
	return (u64)READ_ONCE(blkdev_cache(b)->ra_pages) << (PAGE_SHIFT - SECTOR_SHIFT);
}

/* What only tells. -ENOTTY: none of these. */
static long ask(struct blkdev *b, u32 cmd, u64 arg)
{
	const struct disk_limits *l = &b->disk->limits;

	switch (cmd) {
	case BLKGETSIZE64: return put_u64(arg, blkdev_bytes(b));
	case BLKGETSIZE: return put_u64(arg, READ_ONCE(b->nsect));
	case BLKSSZGET: return put_int(arg, (int)l->block);
	case BLKPBSZGET: return put_int(arg, (int)l->physical);
	case BLKBSZGET: return put_int(arg, (int)READ_ONCE(b->block));
	case BLKIOMIN: return put_int(arg, (int)(l->io_min ? l->io_min : l->physical));
	case BLKIOOPT: return put_int(arg, (int)l->io_opt);
	case BLKALIGNOFF: return put_int(arg, 0);
	case BLKROGET: return put_int(arg, blkdev_read_only(b));
	case BLKSECTGET: return put_ushort(arg, l->max_sectors);
	case BLKROTATIONAL: return put_ushort(arg, l->rotational);
	case BLKGETZONESZ:
	case BLKGETNRZONES:
	case BLKDISCARDZEROES: return put_int(arg, 0);
	case BLKRAGET:
	case BLKFRAGET: return put_u64(arg, readahead_sectors(b));
	case BLKGETDISKSEQ: return put_u64(arg, b->disk->seq);
	case HDIO_GETGEO: return geometry(b, arg);
	}
	return -ENOTTY;
}

/* file_ops.ioctl of block devices. ctx: thread; sleeps. -ENOTTY: no such command */
long blkdev_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct blkdev *b = blkdev_of_file(f);
	long ret;

	switch (cmd) {
	case BLKBSZSET: return set_block_size(b, arg);
	case BLKROSET: return set_read_only(b, arg);
	case BLKFLSBUF: return flush_buffers(b);
	case BLKRASET:
	case BLKFRASET: return set_readahead(b, arg);
	case BLKDISCARD:
	case BLKZEROOUT: return change_range(f, b, cmd, arg);
	case BLKSECDISCARD: return f->mode & FILE_WRITE ? -EOPNOTSUPP : -EBADF;
	case BLKRRPART: return rescan(f, b);
	case BLKPG: return partition_change(b, arg);
	}
	ret = ask(b, cmd, arg);
	if (ret == -ENOTTY && b->disk->ops->ioctl)
		ret = b->disk->ops->ioctl(b->disk, f->mode, cmd, arg);
	return ret;
}
