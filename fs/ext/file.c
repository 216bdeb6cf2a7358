/*
 * Regular files and symbolic links.
 *
 * A link shorter than 60 bytes lies in the inode, where others have their block numbers; a longer
 * one is the contents of one block, which is metadata. Contents of files are the page cache's
 * (io.c).
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include "fs/ext/ext.h"
#include "fs/notify.h"
#include "kernel/lib/string.h"
#include "mm/vm/writeback.h"

static int ext_file_open(struct inode *i, struct file *f)
{
	if (unlikely(!READ_ONCE(i->nlink)) && (f->mode & FILE_WRITE))
		writeback_relist(i->cache);
	return 0;
}

/*
 * The last writer leaves: no room is kept. What nobody can read or write any more need not be
 * written: a file without a name.
 */
static void ext_file_release(struct file *f)
{
	struct inode *i = f->inode;
	struct ext_inode *e = ext_of(i);

	if (!(f->mode & FILE_WRITE) || READ_ONCE(i->writers) > 1)
		return;
	if (READ_ONCE(e->window_end)) {
		mutex_lock(&e->map_lock);
		ext_window_drop(i);
		mutex_unlock(&e->map_lock);
	}
	if (unlikely(!READ_ONCE(i->nlink)))
		writeback_unlist(i->cache);
}

static ssize_t ext_file_read(struct file *f, struct uio *u, u64 *pos)
{
	if (unlikely(f->flags & O_DIRECT)) {
		int err = notify_permission(f, FAN_ACCESS_PERM);

		return err ? err : ext_direct_read(f, u, pos);
	}
	return generic_file_read(f, u, pos);
}

/*
 * Where data (@hole: a hole) comes at or behind byte @at, before @size. holds: i->lock for reading.
 * 0 with *out, -ENXIO (there is none), -EIO ...
 */
static int find_edge(struct inode *i, u64 at, u64 size, bool hole, u64 *out)
{
	u32 bits = ext_sb_of(i->sb)->block_bits, phys, count;
	int err;

	for (u64 index = at >> bits; index << bits < size; index += count) {
		err = ext_map(i, index, ~0u, &phys, &count);
		if (err)
			return err;
		if (!phys == hole) {
			*out = MAX(at, index << bits);
			return 0;
		}
	}
	*out = size;
	return hole ? 0 : -ENXIO;
}

static s64 ext_file_seek(struct file *f, s64 off, int whence)
{
	struct inode *i = f->inode;
	u64 pos = 0;
	int err = -ENXIO;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_file_seek(f, off, whence);
	rwsem_read_lock(&i->lock);
	if (off >= 0 && (u64)off < i->cache->size)
		err = find_edge(i, (u64)off, i->cache->size, whence == SEEK_HOLE, &pos);
	rwsem_read_unlock(&i->lock);
	if (err)
		return err;
	f->pos = pos;
	return (s64)pos;
}

/* Blocks of attributes are counted in .blocks, too. ctx: thread */
bool ext_link_is_inline(const struct inode *i)
{
	const struct ext_sb *s = ext_sb_of(i->sb);

	return i->blocks == (ext_of(i)->file_acl ? ext_sectors(s, 1) : 0) &&
	       i->size < EXT_LINK_INLINE;
}

static ssize_t ext_readlink(struct inode *i, char *buf, size_t size)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	size_t n = MIN((size_t)i->size, size);
	struct ext_buf b;
	u32 phys, count;
	int err;

	if (ext_link_is_inline(i)) {
		memcpy(buf, ext_of(i)->block, n);
		return (ssize_t)n;
	}
	if (i->size > s->block_size)
		return ext_bad(s, i->ino, "a link longer than a block");
	err = ext_map(i, 0, 1, &phys, &count);
	if (!err && !phys)
		err = ext_bad(s, i->ino, "a link without a block");
	if (!err)
		err = ext_buf_get(s, phys, &b);
	if (err)
		return err;
	memcpy(buf, b.data, n);
	ext_buf_put(&b);
	return (ssize_t)n;
}

/* inode_ops.fileattr. ctx: thread; holds: for setting, i->lock; sleeps */
int ext_fileattr(struct inode *i, u32 *flags, bool set)
{
	struct ext_inode *e = ext_of(i);

	if (!set) {
		*flags = e->flags & EXT_VISIBLE_FL;
		return 0;
	}
	if (S_ISREG(i->mode))
		*flags &= ~(EXT_DIRSYNC_FL | EXT_TOPDIR_FL);
	e->flags = (e->flags & ~EXT_SETTABLE_FL) | (*flags & EXT_SETTABLE_FL);
	ext_inode_set_flags(i);
	inode_touch(i, ATTR_CTIME);
	return ext_inode_store(i);
}

const struct inode_ops ext_file_inode_ops = {
	EXT_ATTR_OPS,
	.fileattr = ext_fileattr,
	.map = ext_map,
};

const struct inode_ops ext_special_ops = {
	EXT_ATTR_OPS,
};

const struct inode_ops ext_link_ops = {
	.readlink = ext_readlink,
	EXT_ATTR_OPS,
};

const struct file_ops ext_file_fops = {
	.open = ext_file_open,
	.release = ext_file_release,
	.read = ext_file_read,
	.write = ext_file_write,
	.seek = ext_file_seek,
	.fsync = ext_fsync,
};
