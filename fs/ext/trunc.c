/*
 * Cutting files, and the sizes of files.
 *
 * Order: the size in memory goes down first, then pages beyond it leave the page cache, so that
 * nobody reads or writes them any more; the page that the new end lies in is kept, up to date and
 * not being written; only then are blocks freed. A fault that wants a block for a page looks at the
 * size under map_lock, as the blocks are freed under it.
 *
 * Blocks are freed in runs. What is cut from a damaged file is bounded by the size of the file
 * system: blocks of numbers that lead to each other do not make it endless.
 */
#include <linux/errno.h>
#include "fs/ext/ext.h"
#include "mm/vm/writeback.h"

struct cut {
	struct inode *i;
	struct ext_sb *s;
	u32 first, count; /* run of blocks to be freed */
	u32 budget; /* blocks that may still be looked at */
	int err; /* the first */
};

static void cut_flush(struct cut *c)
{
	if (!c->count)
		return;
	ext_add_blocks(c->i, -(s32)c->count);
	ext_blocks_free(c->s, c->i->ino, c->first, c->count);
	c->count = 0;
}

static void cut_block(struct cut *c, u32 block)
{
	if (!c->budget) {
		if (!c->err)
			c->err = ext_bad(c->s, c->i->ino, "it has more blocks than there are");
		return;
	}
	c->budget--;
	/* Blocks of directories and links are metadata: kept in memory under their numbers. */
	if (!S_ISREG(c->i->mode) && block < c->s->blocks_count)
		ext_buf_forget(c->s, block);
	if (c->count && c->first + c->count == block) {
		c->count++;
		return;
	}
	cut_flush(c);
	c->first = block;
	c->count = 1;
}

/*
 * Free what block @block of numbers, @depth levels above the data, leads to from index @from of it
 * on, and with @from 0 itself. True when it is freed.
 */
static bool cut_branch(struct cut *c, u32 block, u32 depth, u64 from)
{
	u32 bits = c->s->block_bits - 2, n = 1u << bits;
	u64 below = 1ull << (depth - 1) * bits;
	struct ext_buf b;
	u32 *slot;
	int err = ext_check_data(c->s, c->i->ino, block, 1);

	if (!err)
		err = ext_buf_get(c->s, block, &b);
	if (err) {
		c->err = c->err ? c->err : err;
		return false;
	}
	slot = b.data;
	for (u32 k = (u32)(from / below); k < n && c->budget; k++) {
		u32 child = slot[k];

		if (!child)
			continue;
		if (depth == 1)
			cut_block(c, child);
		else if (!cut_branch(c, child, depth - 1, k == from / below ? from % below : 0))
			continue;
		if (from)
			__atomic_store_n(slot + k, 0, __ATOMIC_RELAXED);
	}
	if (from)
		ext_buf_dirty_of(c->i, &b);
	ext_buf_put(&b);
	if (from)
		return false;
	cut_flush(c); /* its children go before it does, as long as it leads to them */
	ext_buf_forget(c->s, block);
	cut_block(c, block);
	return true;
}

static bool has_blocks(const struct inode *i)
{
	return S_ISREG(i->mode) || S_ISDIR(i->mode) || (S_ISLNK(i->mode) && !ext_link_is_inline(i));
}

/* See ext.h. ctx: thread; sleeps */
int ext_map_cut(struct inode *i, u64 index)
{
	struct ext_inode *e = ext_of(i);
	struct cut c = { .i = i, .s = ext_sb_of(i->sb), .budget = ext_sb_of(i->sb)->blocks_count };
	u32 bits = c.s->block_bits - 2;
	u64 base = EXT_NDIR;

	if (!has_blocks(i))
		return 0;
	e->known_count = 0;
	for (u64 k = index; k < EXT_NDIR; k++) {
		if (!e->block[k])
			continue;
		cut_block(&c, e->block[k]);
		WRITE_ONCE(e->block[k], 0);
	}
	for (u32 depth = 1; depth <= 3; depth++) {
		u32 *top = e->block + EXT_IND + depth - 1;
		u64 span = 1ull << depth * bits;

		if (*top && index < base + span &&
		    cut_branch(&c, *top, depth, index > base ? index - base : 0))
			WRITE_ONCE(*top, 0);
		base += span;
	}
	cut_flush(&c);
	e->cut = true;
	ext_window_drop(i);
	e->goal = 0;
	ext_inode_dirty(i);
	return c.err;
}

/*
 * The page that @size lies in, held, so that what is beyond in it gets zeroed; NULL: a whole one.
 */
static int hold_boundary(struct inode *i, u64 size, struct page **out)
{
	*out = NULL;
	if (!(size & PAGE_MASK) || size >= i->cache->size)
		return 0;
	return pagecache_get(i->cache, size >> PAGE_SHIFT, out);
}

/* From here on no write of @p is under way that looked at the old size. */
static void settle_boundary(struct inode *i, struct page *p)
{
	writeback_wait(i->cache, p->index, p->index);
	page_put(p);
}

static int shrink(struct inode *i, u64 size)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	struct ext_inode *e = ext_of(i);
	struct page *boundary;
	int err = hold_boundary(i, size, &boundary);

	if (err)
		return err;
	pagecache_truncate(i->cache, size);
	WRITE_ONCE(i->size, size);
	if (boundary)
		settle_boundary(i, boundary);
	mutex_lock(&e->map_lock);
	err = ext_map_cut(i, DIV_ROUND_UP(size, (u64)s->block_size));
	mutex_unlock(&e->map_lock);
	return err;
}

/*
 * A file gets @size: cut, or a hole added. ctx: thread; holds: i->lock for writing; sleeps. 0,
 * -EFBIG, -EIO, -EUCLEAN, -ENOMEM. The inode is to be stored.
 */
int ext_set_size(struct inode *i, u64 size)
{
	u64 old = i->cache->size;
	int err;

	if (size <= old)
		return shrink(i, size);
	err = ext_need_large_file(ext_sb_of(i->sb), size);
	if (err)
		return err;
	/* A mapping may have stored behind the old end. */
	pagecache_punch(i->cache, old, MIN(size, ALIGN_UP(old, (u64)PAGE_SIZE)));
	pagecache_truncate(i->cache, size);
	WRITE_ONCE(i->size, size);
	ext_inode_dirty(i);
	return 0;
}
