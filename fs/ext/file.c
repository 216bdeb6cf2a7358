/*
 * Regular files and symbolic links.
 *
 * A link shorter than 60 bytes lies in the inode, where others have their block numbers; a longer
 * one is the contents of one block, which is metadata. Contents of files are the page cache's
 * (io.c).
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include "fs/ext/ext.h"
#include "kernel/lib/string.h"
#include "mm/vm/writeback.h"

static int ext_file_open(struct inode *i, struct file *f)
{
	if (unlikely(!READ_ONCE(i->nlink)) && (f->mode & FILE_WRITE))
		writeback_relist(i->cache);
	return 0;
}

/*
 * What nobody can read or write any more need not be written: the last writer of a nameless file.
 */
static void ext_file_release(struct file *f)
{
	struct inode *i = f->inode;

	if (unlikely(!READ_ONCE(i->nlink)) && (f->mode & FILE_WRITE) && READ_ONCE(i->writers) <= 1)
		writeback_unlist(i->cache);
}

static ssize_t ext_file_read(struct file *f, struct uio *u, u64 *pos)
{
	if (unlikely(f->flags & O_DIRECT))
		return ext_direct_read(f, u, pos);
	return generic_file_read(f, u, pos);
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
	.setattr = ext_setattr,
	.acl = ext_acl_check,
	.getxattr = ext_getxattr,
	.setxattr = ext_setxattr,
	.listxattr = ext_listxattr,
	.removexattr = ext_removexattr,
	.fileattr = ext_fileattr,
};

const struct inode_ops ext_special_ops = {
	.setattr = ext_setattr,
	.acl = ext_acl_check,
	.getxattr = ext_getxattr,
	.setxattr = ext_setxattr,
	.listxattr = ext_listxattr,
	.removexattr = ext_removexattr,
};

const struct inode_ops ext_link_ops = {
	.readlink = ext_readlink,
	.setattr = ext_setattr,
	.acl = ext_acl_check,
	.getxattr = ext_getxattr,
	.setxattr = ext_setxattr,
	.listxattr = ext_listxattr,
	.removexattr = ext_removexattr,
};

const struct file_ops ext_file_fops = {
	.open = ext_file_open,
	.release = ext_file_release,
	.read = ext_file_read,
	.write = ext_file_write,
	.fsync = ext_fsync,
};
