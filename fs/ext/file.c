/*
 * Regular files and symbolic links.
 *
 * A link shorter than 60 bytes lies in the inode, where others have their block numbers; a longer one
 * is the contents of one block. Contents of files are the page cache's (io.c).
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/stat.h>
#include "fs/ext/ext.h"
#include "kernel/lib/string.h"

static int ext_file_open(struct inode *i, struct file *f)
{
	return f->flags & O_DIRECT ? -EINVAL : 0;
}

static int ext_file_set_flags(struct file *f, u32 flags)
{
	return flags & O_DIRECT ? -EINVAL : 0;
}

/* Nothing is ever dirty. */
static int ext_file_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	return 0;
}

/* Blocks of attributes are counted in .blocks, too. */
static bool link_is_inline(const struct inode *i)
{
	u64 own = ext_of(i)->file_acl ? ext_sb_of(i->sb)->block_size / 512 : 0;

	return i->blocks == own && i->size < EXT_LINK_INLINE;
}

static ssize_t ext_readlink(struct inode *i, char *buf, size_t size)
{
	size_t n = MIN((size_t)i->size, size);
	struct page *p;
	int err;

	if (link_is_inline(i)) {
		memcpy(buf, ext_of(i)->block, n);
		return (ssize_t)n;
	}
	if (i->size > ext_sb_of(i->sb)->block_size)
		return ext_bad(ext_sb_of(i->sb), i->ino, "a link longer than a block");
	err = pagecache_get(&ext_of(i)->cache, 0, &p);
	if (err)
		return err;
	memcpy(buf, page_to_va(p), n);
	page_put(p);
	return (ssize_t)n;
}

/* FS_IOC_GETFLAGS; nothing is set on a file system that is read only. ctx: thread */
int ext_fileattr(struct inode *i, u32 *flags, bool set)
{
	if (set)
		return -EROFS;
	*flags = ext_of(i)->flags & EXT_VISIBLE_FL;
	return 0;
}

const struct inode_ops ext_file_inode_ops = {
	.getxattr = ext_getxattr,
	.listxattr = ext_listxattr,
	.fileattr = ext_fileattr,
};

const struct inode_ops ext_special_ops = {
	.getxattr = ext_getxattr,
	.listxattr = ext_listxattr,
};

const struct inode_ops ext_link_ops = {
	.readlink = ext_readlink,
	.getxattr = ext_getxattr,
	.listxattr = ext_listxattr,
};

const struct file_ops ext_file_fops = {
	.open = ext_file_open,
	.read = generic_file_read,
	.fsync = ext_file_fsync,
	.set_flags = ext_file_set_flags,
};
