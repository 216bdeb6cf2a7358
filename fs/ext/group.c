/*
 * Groups: their descriptors, their locks, and which of their blocks are the file system's own.
 *
 * Descriptors lie behind the superblock, in the blocks that follow it. Each is checked whenever it
 * is used: a mount for reading looks at none of them, one for writing sums them up once.
 *
 * A group's lock guards its descriptor and its two bitmaps. There are fewer locks than groups can
 * be; two groups that share one are never locked together.
 */
#include <linux/errno.h>
#include "fs/ext/ext.h"
#include "kernel/lib/string.h"

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

/* ctx: any */
u32 ext_table_blocks(const struct ext_sb *s)
{
	return DIV_ROUND_UP(s->inodes_per_group, s->inodes_per_block);
}

/* ctx: any */
u32 ext_group_first(const struct ext_sb *s, u32 group)
{
	return s->first_block + group * s->blocks_per_group;
}

/* Blocks that @group has: the last one may have fewer. ctx: any */
u32 ext_group_blocks(const struct ext_sb *s, u32 group)
{
	return MIN(s->blocks_per_group, s->blocks_count - ext_group_first(s, group));
}

/* ctx: thread; sleeps */
void ext_group_lock(struct ext_sb *s, u32 group)
{
	mutex_lock(&s->group_locks[group % EXT_GROUP_LOCKS]);
}

/* ctx: thread */
void ext_group_unlock(struct ext_sb *s, u32 group)
{
	mutex_unlock(&s->group_locks[group % EXT_GROUP_LOCKS]);
}

/* See ext.h. ctx: thread; sleeps. 0, -EUCLEAN, -EIO, -ENOMEM */
int ext_group_buf(struct ext_sb *s, u32 group, struct ext_buf *b, struct ext_group_disk **d)
{
	u32 per_block = s->block_size / (u32)sizeof(**d);
	int err = group < s->ngroups ? 0 : -EUCLEAN;

	if (!err)
		err = ext_buf_get(s, s->super_block + 1 + group / per_block, b);
	if (err)
		return err;
	*d = (struct ext_group_disk *)b->data + group % per_block;
	if (likely(ext_block_valid(s, (*d)->block_bitmap) &&
		   ext_block_valid(s, (*d)->inode_bitmap) &&
		   ext_block_valid(s, (*d)->inode_table) &&
		   ext_table_blocks(s) <= s->blocks_count - (*d)->inode_table))
		return 0;
	ext_buf_put(b);
	return ext_bad(s, 0, "the descriptor of group %u names blocks that there are not", group);
}

/* See ext.h. ctx: thread; sleeps. 0, -EUCLEAN, -EIO, -ENOMEM */
int ext_group_get(struct ext_sb *s, u32 group, struct ext_group_disk *out)
{
	struct ext_group_disk *d;
	struct ext_buf b;
	int err = ext_group_buf(s, group, &b, &d);

	if (err)
		return err;
	*out = *d;
	ext_buf_put(&b);
	return 0;
}

/* See ext.h. ctx: thread; sleeps. 0, -ENOSPC, -EUCLEAN, -EIO, -ENOMEM */
int ext_group_map_get(struct ext_sb *s, u32 group, bool inodes, bool some,
		      struct ext_group_map *out)
{
	int err = ext_group_buf(s, group, &out->db, &out->d);

	if (err)
		return err;
	if (some && !(inodes ? out->d->free_inodes_count : out->d->free_blocks_count))
		err = -ENOSPC;
	if (!err)
		err = ext_buf_get(s, inodes ? out->d->inode_bitmap : out->d->block_bitmap,
				  &out->mb);
	if (err)
		ext_buf_put(&out->db);
	else
		out->map = out->mb.data;
	return err;
}

/* See ext.h. ctx: thread */
void ext_group_map_put(struct ext_group_map *m)
{
	ext_buf_put(&m->mb);
	ext_buf_put(&m->db);
}

/* See ext.h. ctx: thread */
void ext_group_map_dirty(struct ext_sb *s, struct ext_group_map *m)
{
	ext_buf_dirty(s, &m->mb);
	ext_buf_dirty(s, &m->db);
}

static bool overlap(u32 a, u32 na, u32 b, u32 nb)
{
	return a < b + nb && b < a + na;
}

/* See ext.h. ctx: any */
bool ext_group_own(const struct ext_sb *s, u32 group, const struct ext_group_disk *d, u32 block,
		   u32 count)
{
	return overlap(d->block_bitmap, 1, block, count) ||
	       overlap(d->inode_bitmap, 1, block, count) ||
	       overlap(d->inode_table, ext_table_blocks(s), block, count) ||
	       (ext_group_has_super(s, group) &&
		overlap(ext_group_first(s, group), 1 + s->gdt_blocks, block, count));
}

/* See ext.h. ctx: thread; sleeps */
int ext_check_data(struct ext_sb *s, u64 ino, u32 block, u32 count)
{
	if (!ext_block_valid(s, block) || count > s->blocks_count - block)
		return ext_bad(s, ino, "a block number %u that there is not", block);
	while (count) {
		u32 group = (block - s->first_block) / s->blocks_per_group;
		u32 n = MIN(count, ext_group_first(s, group) + ext_group_blocks(s, group) - block);
		struct ext_group_disk d;
		int err = ext_group_get(s, group, &d);

		if (err)
			return err;
		if (ext_group_own(s, group, &d, block, n))
			return ext_bad(s, ino, "block %u of it is the file system's own", block);
		block += n;
		count -= n;
	}
	return 0;
}

/* See ext.h. ctx: thread, mounting; sleeps */
int ext_groups_count(struct ext_sb *s)
{
	u64 blocks = 0, inodes = 0, dirs = 0;

	for (u32 g = 0; g < s->ngroups; g++) {
		struct ext_group_disk d;
		int err = ext_group_get(s, g, &d);

		if (err)
			return err;
		if (d.free_blocks_count > ext_group_blocks(s, g) ||
		    d.free_inodes_count > s->inodes_per_group ||
		    d.used_dirs_count > s->inodes_per_group)
			return ext_bad(s, 0, "the descriptor of group %u has bad counts", g);
		blocks += d.free_blocks_count;
		inodes += d.free_inodes_count;
		dirs += d.used_dirs_count;
	}
	s->free_blocks = (u32)blocks;
	s->free_inodes = (u32)inodes;
	s->dirs = (u32)dirs;
	return 0;
}
