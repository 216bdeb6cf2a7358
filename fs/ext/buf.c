/*
 * Blocks of metadata: superblock, descriptors, bitmaps, inode tables, blocks of numbers,
 * directories and attributes.
 *
 * They have a page cache of their own, in which the index of a page is the number of the block, so
 * one page holds one block, however small. The device's own cache would not do: there a page holds
 * several small blocks, of which some may be a file's contents, and writing the one back would
 * write an old state of the other. A buffer is a page with a reference.
 *
 * All changes go through ext_buf_dirty(): a journal would be told there what a transaction is about
 * to change. A block that stops being metadata leaves this cache before its number is free for
 * others (ext_buf_forget): it must not be written over what comes there next.
 *
 * The writeback thread may hold on to the cache by a pin for as long as it writes it; unmounting
 * waits for that.
 */
#include <linux/errno.h>
#include "fs/ext/ext.h"
#include "kernel/lib/string.h"
#include "mm/vm/writeback.h"

/* See ext.h. ctx: thread; sleeps */
int ext_buf_get(struct ext_sb *s, u32 block, struct ext_buf *out)
{
	int err;

	if (block >= s->blocks_count)
		return -EUCLEAN;
	err = pagecache_get(&s->meta, block, &out->page);
	if (err == -EIO)
		(void)ext_bad(s, 0, "block %u cannot be read", block);
	if (err)
		return err;
	out->data = page_to_va(out->page);
	return 0;
}

/* See ext.h. ctx: thread; sleeps */
int ext_buf_get_ahead(struct ext_sb *s, u32 block, u32 count, struct ext_buf *out)
{
	out->page = pagecache_find(&s->meta, block);
	if (likely(out->page)) {
		out->data = page_to_va(out->page);
		return 0;
	}
	/* A page that is there was read ahead in vain: next to others it might fail again. */
	if (count > 1 && pagecache_next_data(&s->meta, block) != block)
		pagecache_prefetch(&s->meta, block, count);
	return ext_buf_get(s, block, out);
}

/* See ext.h. ctx: thread; sleeps */
int ext_buf_new(struct ext_sb *s, u32 block, struct ext_buf *out)
{
	bool fresh;
	int err;

	if (block >= s->blocks_count)
		return -EUCLEAN;
	err = pagecache_get_for_overwrite(&s->meta, block, &out->page, &fresh);
	if (err)
		return err;
	out->data = page_to_va(out->page);
	page_zero(out->data);
	if (fresh)
		pagecache_fresh_done(&s->meta, out->page, true);
	ext_buf_dirty(s, out);
	return 0;
}

/* ctx: any */
void ext_buf_put(struct ext_buf *b)
{
	page_put(b->page);
}

/* See ext.h. ctx: thread */
void ext_buf_dirty(struct ext_sb *s, struct ext_buf *b)
{
	pagecache_mark_dirty(&s->meta, b->page);
}

/* See ext.h. ctx: thread; sleeps */
void ext_buf_forget(struct ext_sb *s, u32 block)
{
	pagecache_punch(&s->meta, (u64)block << PAGE_SHIFT, ((u64)block + 1) << PAGE_SHIFT);
}

/* --- the device's node --- */

/*
 * Metadata of bytes [@from, @to) to the device, and what the device's own cache has of it goes, so
 * that who reads there next gets this. ctx: thread; sleeps
 */
void ext_meta_settle(struct blkdev_guard *g, u64 from, u64 to)
{
	struct ext_sb *s = container_of(g, struct ext_sb, guard);
	u64 last = (to - 1) >> s->block_bits, k = from >> s->block_bits;

	(void)writeback_range(&s->meta, k, last, WRITEBACK_WAIT);
	for (; (k = pagecache_next_data(&s->meta, k)) <= last; k++) {
		u64 page = k << s->block_bits >> PAGE_SHIFT;

		(void)pagecache_forget(blkdev_cache(s->bdev), page, page);
	}
}

/*
 * Bytes [@from, @to) of block @k were written to the device: put them into its page, if it has one.
 */
static void take_block(struct ext_sb *s, u64 k, u64 from, u64 to)
{
	struct page *p = pagecache_find(&s->meta, k), *there;
	u64 at = MAX(from, k << s->block_bits), end = MIN(to, (k + 1) << s->block_bits);

	if (!p)
		return;
	if (at < end && !pagecache_get(blkdev_cache(s->bdev), at >> PAGE_SHIFT, &there)) {
		memcpy((char *)page_to_va(p) + (at & (s->block_size - 1)),
		       (char *)page_to_va(there) + (at & PAGE_MASK), end - at);
		page_put(there);
	}
	/* Its neighbours in a page may have been written back as they were before. */
	if (READ_ONCE(s->writable))
		pagecache_mark_dirty(&s->meta, p);
	page_put(p);
}

/* Bytes [@from, @to) were written by way of the node. ctx: thread; sleeps */
void ext_meta_take(struct blkdev_guard *g, u64 from, u64 to)
{
	struct ext_sb *s = container_of(g, struct ext_sb, guard);
	u64 last = (ALIGN_UP(to, (u64)PAGE_SIZE) - 1) >> s->block_bits;
	u64 k = (from & ~(u64)PAGE_MASK) >> s->block_bits;

	for (; (k = pagecache_next_data(&s->meta, k)) <= last; k++)
		take_block(s, k, from, to);
}

/* See ext.h. ctx: any */
void ext_pin(struct ext_sb *s)
{
	__atomic_add_fetch(&s->pins, 1, __ATOMIC_RELAXED);
}

/* See ext.h. ctx: thread; sleeps: no */
void ext_unpin(struct ext_sb *s)
{
	spin_lock(&s->lock);
	if (!__atomic_sub_fetch(&s->pins, 1, __ATOMIC_RELEASE))
		waitq_wake_all(&s->evicted);
	spin_unlock(&s->lock);
}

/* @s knows its block size. ctx: thread */
void ext_meta_init(struct ext_sb *s)
{
	pagecache_init(&s->meta, &ext_meta_ops, s);
	s->meta.size = (u64)s->blocks_count << PAGE_SHIFT;
	s->meta.ra_pages = blkdev_cache(s->bdev)->ra_pages;
}

/* Nothing of it is dirty any more, no inode is left in use. ctx: thread; sleeps */
void ext_meta_fini(struct ext_sb *s)
{
	wait_event(&s->evicted, !ext_inodes_left(s));
	wait_event(&s->evicted, !__atomic_load_n(&s->pins, __ATOMIC_ACQUIRE));
	/* Who let the last pin go may be about to wake us. */
	spin_lock(&s->lock);
	spin_unlock(&s->lock);
	pagecache_fini(&s->meta);
}
