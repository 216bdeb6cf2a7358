/*
 * Contents of files between the page cache and the disk.
 *
 * A page holds one to four blocks, which may lie anywhere or be holes. Pages that are read ahead go
 * through one pass: blocks that follow each other on the disk are put into one bio, across pages,
 * and all bios are submitted together. A page is done when the last of its pieces is: page->owner
 * counts them, and one for the pass itself; its highest bit says that one failed. A page that is
 * wanted now is read piece by piece and waited for; its error is the exact one.
 */
#include <linux/errno.h>
#include "fs/ext/ext.h"
#include "kernel/lib/string.h"

#define FAILED BIT(63)

static struct inode *inode_of(const struct pagecache *pc)
{
	return pc->owner;
}

static u64 sector_of(const struct ext_sb *s, u32 block)
{
	return (u64)block << (s->block_bits - SECTOR_SHIFT);
}

/* Part of a page: @off of @len bytes, at @block of the disk (0: a hole). */
struct piece {
	u32 off, len, block;
};

/* The piece of page @index that begins at @off. */
static int piece_at(struct pagecache *pc, u64 index, u32 off, struct piece *out)
{
	struct inode *i = inode_of(pc);
	const struct ext_sb *s = ext_sb_of(i->sb);
	u64 at = (index << PAGE_SHIFT) + off;
	u32 count;
	int err;

	out->off = off;
	out->len = PAGE_SIZE - off;
	out->block = 0;
	if (at >= ALIGN_UP(READ_ONCE(pc->size), (u64)s->block_size))
		return 0;
	err = ext_map(i, at >> s->block_bits, out->len >> s->block_bits, &out->block, &count);
	if (!err)
		out->len = count << s->block_bits;
	return err;
}

/* What lies behind the end of the file reads as zeroes, whatever the disk has there. */
static void zero_tail(struct pagecache *pc, struct page *p)
{
	u64 size = READ_ONCE(pc->size), at = p->index << PAGE_SHIFT;

	if (size > at && size < at + PAGE_SIZE)
		memset((char *)page_to_va(p) + (size - at), 0, at + PAGE_SIZE - size);
}

static int read_piece(struct ext_sb *s, struct page *p, const struct piece *c)
{
	struct bio *b;
	int err;

	if (!c->block) {
		memset((char *)page_to_va(p) + c->off, 0, c->len);
		return 0;
	}
	b = bio_alloc(s->bdev, BIO_READ, sector_of(s, c->block), 1, 0);
	if (!b)
		return -ENOMEM;
	err = bio_add(b, p, c->off, c->len) ? bio_submit_wait(b) : -EIO;
	bio_free(b);
	return err;
}

static int ext_fill(struct pagecache *pc, struct page *p)
{
	struct ext_sb *s = ext_sb_of(inode_of(pc)->sb);
	struct piece c;
	int err = 0;

	for (u32 off = 0; off < PAGE_SIZE && !err; off += c.len) {
		err = piece_at(pc, p->index, off, &c);
		if (!err)
			err = read_piece(s, p, &c);
	}
	if (!err)
		zero_tail(pc, p);
	return err;
}

/* One piece fewer to wait for; the last ends the page. ctx: any */
static void piece_done(struct page *p, int err)
{
	u64 left;

	if (err)
		__atomic_fetch_or(&p->owner, FAILED, __ATOMIC_RELAXED);
	left = __atomic_sub_fetch(&p->owner, 1, __ATOMIC_ACQ_REL);
	if (left & ~FAILED)
		return;
	p->owner = 0;
	if (!left)
		zero_tail(p->cache, p);
	pagecache_read_done(p, left ? -EIO : 0);
}

static void bio_ended(struct bio *b)
{
	for (u32 i = 0; i < b->nsegs; i++)
		piece_done(b->segs[i].page, b->status);
	bio_free(b);
}

struct pass {
	struct ext_sb *s;
	struct bio_plug plug;
	struct bio *bio; /* the last one, which the next piece may continue */
};

static int pass_add(struct pass *t, struct page *p, const struct piece *c)
{
	u64 sector = sector_of(t->s, c->block);
	struct bio *b = t->bio;

	if (b && b->sector + b->nsect == sector && bio_add(b, p, c->off, c->len))
		return 0;
	b = bio_alloc(t->s->bdev, BIO_READ, sector, 32, 0);
	if (!b)
		return -ENOMEM;
	b->done = bio_ended;
	if (!bio_add(b, p, c->off, c->len)) {
		bio_free(b);
		return -EIO;
	}
	t->bio = b;
	bio_plug_add(&t->plug, b);
	return 0;
}

static void pass_page(struct pass *t, struct pagecache *pc, struct page *p)
{
	struct piece c;
	int err = 0;

	p->owner = 1;
	for (u32 off = 0; off < PAGE_SIZE && !err; off += c.len) {
		err = piece_at(pc, p->index, off, &c);
		if (err)
			break;
		if (!c.block) {
			memset((char *)page_to_va(p) + c.off, 0, c.len);
			continue;
		}
		__atomic_add_fetch(&p->owner, 1, __ATOMIC_RELAXED);
		err = pass_add(t, p, &c);
		if (err)
			piece_done(p, err);
	}
	if (err)
		__atomic_fetch_or(&p->owner, FAILED, __ATOMIC_RELAXED);
}

static void ext_read_ahead(struct pagecache *pc, struct page **pages, u32 n)
{
	struct pass t = { .s = ext_sb_of(inode_of(pc)->sb) };

	bio_plug_init(&t.plug);
	for (u32 i = 0; i < n; i++)
		pass_page(&t, pc, pages[i]);
	bio_plug_submit(&t.plug);
	for (u32 i = 0; i < n; i++)
		piece_done(pages[i], 0);
}

const struct pagecache_ops ext_cache_ops = { .fill = ext_fill, .read_ahead = ext_read_ahead };
