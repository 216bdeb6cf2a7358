/*
 * Where the blocks of a file lie: FS_IOC_FIEMAP and the older FIBMAP, of file systems that tell
 * (inode_ops.map).
 *
 * An extent is what one look-up gives, so two in a row may follow each other on the disk, and the
 * last one is the last of the range that was asked for, as Linux has it for files without extents.
 *
 * Reference: the kernel's documentation of fiemap; ioctl_list(2).
 */
#include <linux/fiemap.h>
#include <linux/fs.h>
#include "kernel/sys/abi.h"
#include "kernel/sys/sys.h"
#include "mm/vm/writeback.h"

#define EXTENTS_MAX (~0u / (u32)sizeof(struct fiemap_extent))

struct fiemap_out {
	u64 extents; /* where the caller wants them */
	struct fiemap_extent last; /* not given yet; .fe_length 0: none */
	struct fiemap m; /* ends in an array */
};

static u64 size_of(const struct inode *i)
{
	return i->cache ? READ_ONCE(i->cache->size) : READ_ONCE(i->size);
}

/* Give the caller the extent that was found last. True: there is room for more. */
static bool give(struct fiemap_out *o, u32 flags, int *err)
{
	u64 to = o->extents + o->m.fm_mapped_extents * sizeof(o->last);

	if (!o->last.fe_length)
		return true;
	o->last.fe_flags = FIEMAP_EXTENT_MERGED | flags;
	if (o->m.fm_extent_count && copy_to_user(to, &o->last, sizeof(o->last)))
		*err = -EFAULT;
	if (!*err)
		o->m.fm_mapped_extents++;
	return !*err && (!o->m.fm_extent_count || o->m.fm_mapped_extents < o->m.fm_extent_count);
}

/* The extents between the byte .fm_start and @end. holds: i->lock for reading */
static int collect(struct inode *i, struct fiemap_out *o, u64 end)
{
	u64 block = i->sb->blksize, stop = DIV_ROUND_UP(end, block);
	u32 phys, count;
	int err = 0;

	for (u64 at = o->m.fm_start / block; at < stop; at += count) {
		err = signal_fatal_pending()
			      ? -EINTR
			      : i->ops->map(i, at, (u32)MIN(stop - at, (u64)~0u), &phys, &count);
		if (err)
			return err;
		if (!phys)
			continue;
		if (!give(o, 0, &err))
			return err;
		o->last = (struct fiemap_extent){ .fe_logical = at * block,
						  .fe_physical = phys * block,
						  .fe_length = count * block };
	}
	give(o, FIEMAP_EXTENT_LAST, &err);
	return err;
}

static int map_extents(struct inode *i, struct fiemap_out *o)
{
	u64 start = o->m.fm_start, length = o->m.fm_length, size;
	u32 unknown = o->m.fm_flags & ~(u32)FIEMAP_FLAG_SYNC;
	int err = 0;

	if (!length)
		return -EINVAL;
	if (start >= i->sb->max_size)
		return -EFBIG;
	if (unknown) {
		o->m.fm_flags = unknown;
		return -EBADR;
	}
	if (o->m.fm_flags && i->cache)
		err = writeback_range(i->cache, 0, ~0ull, WRITEBACK_WAIT);
	rwsem_read_lock(&i->lock);
	size = size_of(i);
	if (!err)
		err = collect(i, o, start < size && length < size - start ? start + length : size);
	rwsem_read_unlock(&i->lock);
	return err;
}

/* See sys.h. ctx: thread; sleeps */
long sys_fiemap(struct file *f, u64 arg)
{
	struct fiemap_out o = { .extents = arg + offsetof(struct fiemap, fm_extents) };
	long err;

	if (!f->inode->ops || !f->inode->ops->map)
		return -EOPNOTSUPP;
	if (copy_from_user(&o.m, arg, sizeof(o.m)))
		return -EFAULT;
	if (o.m.fm_extent_count > EXTENTS_MAX)
		return -EINVAL;
	o.m.fm_mapped_extents = 0;
	err = map_extents(f->inode, &o);
	return copy_to_user(arg, &o.m, sizeof(o.m)) ? -EFAULT : err;
}

/* See sys.h. ctx: thread; sleeps */
long sys_fibmap(struct file *f, u64 arg)
{
	struct inode *i = f->inode;
	u32 phys = 0, count;
	int block, err = -EINVAL;

	if (!sys_capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (get_user(&block, arg))
		return -EFAULT;
	if (block < 0)
		return -EINVAL;
	if (i->ops && i->ops->map) {
		rwsem_read_lock(&i->lock);
		err = (u64)block * i->sb->blksize < size_of(i)
			      ? i->ops->map(i, (u64)block, 1, &phys, &count)
			      : 0;
		rwsem_read_unlock(&i->lock);
	}
	if (phys > 0x7fffffff)
		err = -ERANGE;
	block = err ? 0 : (int)phys;
	return put_user(arg, block) ? -EFAULT : err;
}
