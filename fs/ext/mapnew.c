/*
 * Giving blocks to holes.
 *
 * The way down to the number is walked as for looking it up; a block of numbers that is missing is
 * made on the way, zeroed before anything leads to it. Then as many numbers in a row as are wanted,
 * as are holes and as the bitmaps have in a row are filled in.
 *
 * The goal of an allocation is the block behind that of the file's previous block, else the block
 * behind the last one that the file got.
 */
#include <linux/errno.h>
#include "fs/ext/ext.h"

/* A table of numbers: the inode's, or that of a block. */
struct table {
	u32 *slot; /* the one that matters */
	struct ext_buf b;
	bool in_inode;
};

static void table_put(struct table *t)
{
	if (!t->in_inode)
		ext_buf_put(&t->b);
}

static void table_dirty(struct inode *i, struct table *t)
{
	if (t->in_inode)
		ext_inode_dirty(i);
	else
		ext_buf_dirty_of(i, &t->b);
}

/* Behind the block before this slot, or behind the last one; 0: nowhere special. */
static u32 goal_of(struct inode *i, const struct table *t, u32 at)
{
	if (at && t->slot[-1] && !(t->in_inode && at > EXT_IND))
		return t->slot[-1] + 1;
	return ext_of(i)->goal;
}

static int allocate(struct inode *i, u32 goal, u32 *count, u32 *block)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	int err;

	if (READ_ONCE(i->blocks) + ext_sectors(s, *count) > 0xffffffffull)
		return -EFBIG;
	err = ext_blocks_alloc(i, goal, count, block);
	if (err)
		return err;
	ext_of(i)->goal = *block + *count;
	ext_add_blocks(i, (s32)*count);
	return 0;
}

/* A new block of numbers for the empty slot of @t. */
static int make_level(struct inode *i, struct table *t, u32 at, struct ext_buf *out)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	u32 n = 1, block;
	int err = allocate(i, goal_of(i, t, at), &n, &block);

	if (err)
		return err;
	err = ext_buf_new(s, block, out);
	if (err) {
		ext_add_blocks(i, -1);
		ext_blocks_free(s, i->ino, block, 1);
		return err;
	}
	ext_note_block(i, block);
	__atomic_store_n(t->slot, block, __ATOMIC_RELEASE);
	table_dirty(i, t);
	return 0;
}

/* From @t, whose slot is number @at, to the table below, with slot @next. */
static int go_down(struct inode *i, struct table *t, u32 at, u32 next)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	struct table below = { .in_inode = false };
	u32 block = *t->slot;
	int err;

	if (block) {
		err = ext_check_data(s, i->ino, block, 1);
		if (!err)
			err = ext_buf_get(s, block, &below.b);
	} else {
		err = make_level(i, t, at, &below.b);
	}
	if (err)
		return err;
	table_put(t);
	below.slot = (u32 *)below.b.data + next;
	*t = below;
	return 0;
}

/* Fill the holes from @t's slot on, @limit at most. */
static int fill(struct inode *i, struct table *t, u32 at, u32 limit, u32 *phys, u32 *count)
{
	u32 n = 1, block;
	int err;

	while (n < limit && !t->slot[n])
		n++;
	err = allocate(i, goal_of(i, t, at), &n, &block);
	if (err)
		return err;
	for (u32 k = 0; k < n; k++)
		__atomic_store_n(t->slot + k, block + k, __ATOMIC_RELAXED);
	table_dirty(i, t);
	*phys = block;
	*count = n;
	return 0;
}

/* See ext.h. ctx: thread; holds: map_lock; sleeps. 0, -ENOSPC, -EFBIG, -EUCLEAN, -EIO, -ENOMEM */
int ext_map_new(struct inode *i, u64 index, u32 want, u32 *phys, u32 *count)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	u32 fan = s->block_size / (u32)sizeof(u32), slots[4], limit;
	struct table t = { .in_inode = true };
	int depth = ext_map_path(s, index, slots), err = 0;

	if (depth < 0)
		return depth;
	if (!READ_ONCE(s->writable))
		return -EROFS;
	t.slot = ext_of(i)->block + slots[0];
	for (int level = 0; level < depth && !err; level++)
		err = go_down(i, &t, slots[level], slots[level + 1]);
	if (err)
		goto put;
	limit = MIN(want, (depth ? fan : EXT_NDIR) - slots[depth]);
	if (*t.slot)
		err = ext_map(i, index, limit, phys, count);
	else
		err = fill(i, &t, slots[depth], limit, phys, count);
put:
	table_put(&t);
	return err;
}
