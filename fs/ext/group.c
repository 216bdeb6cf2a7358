/*
 * Metadata blocks and group descriptors.
 *
 * Metadata is read through the page cache of the block device: a buffer is a page of that with a
 * reference and the place of the block in it; blocks are never larger than a page. Descriptors lie
 * behind the superblock, in the blocks that follow it; each is checked when it is used, so a mount
 * reads none of them.
 */
#include <linux/errno.h>
#include "fs/ext/ext.h"
#include "kernel/lib/string.h"

/* See ext.h. ctx: thread; sleeps */
int ext_buf_get(const struct ext_sb *s, u32 block, struct ext_buf *out)
{
	u64 at = (u64)block << s->block_bits;
	int err;

	if (block >= s->blocks_count)
		return -EUCLEAN;
	err = pagecache_get(blkdev_cache(s->bdev), at >> PAGE_SHIFT, &out->page);
	if (err)
		return err;
	out->data = (char *)page_to_va(out->page) + (at & PAGE_MASK);
	return 0;
}

/* ctx: any */
void ext_buf_put(struct ext_buf *b)
{
	page_put(b->page);
}

static bool is_power_of(u32 n, u32 base)
{
	while (n > base && n % base == 0)
		n /= base;
	return n == base;
}

/* Has @group a copy of superblock and descriptors? ctx: any */
bool ext_group_has_super(const struct ext_sb *s, u32 group)
{
	if (group <= 1 || !(s->ro_compat & EXT_RO_SPARSE_SUPER))
		return true;
	return is_power_of(group, 3) || is_power_of(group, 5) || is_power_of(group, 7);
}

static u32 table_blocks(const struct ext_sb *s)
{
	return DIV_ROUND_UP(s->inodes_per_group, s->inodes_per_block);
}

/* See ext.h. ctx: thread; sleeps. 0, -EUCLEAN, -EIO, -ENOMEM */
int ext_group_get(const struct ext_sb *s, u32 group, struct ext_group_disk *out)
{
	u32 per_block = s->block_size / (u32)sizeof(*out);
	struct ext_buf b;
	int err = group < s->ngroups ? 0 : -EUCLEAN;

	if (!err)
		err = ext_buf_get(s, s->first_block + 1 + group / per_block, &b);
	if (err)
		return err;
	memcpy(out, (struct ext_group_disk *)b.data + group % per_block, sizeof(*out));
	ext_buf_put(&b);
	if (!ext_block_valid(s, out->block_bitmap) || !ext_block_valid(s, out->inode_bitmap) ||
	    !ext_block_valid(s, out->inode_table) ||
	    table_blocks(s) > s->blocks_count - out->inode_table)
		return ext_bad(s, 0, "the descriptor of group %u names blocks that there are not",
			       group);
	return 0;
}
