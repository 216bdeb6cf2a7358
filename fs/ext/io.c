/*
 * Contents of files and metadata between their page caches and the disk.
 *
 * A page of a file holds one to four blocks, which may lie anywhere or be holes; one of metadata
 * holds one block, whose number is its index. A pass goes over pages that are to be read ahead or
 * written: blocks that follow each other on the disk are put into one bio, across pages, and all
 * bios are submitted together. A page is done when the last of its pieces is: page->owner counts
 * them, and one for the pass itself; its highest bit says that one failed. A page that is wanted
 * now is read piece by piece and waited for; its error is the exact one.
 *
 * Writing finds blocks there for all that holds data: they were given before the page became dirty
 * (write.c). What has none is zeroes. What lies behind the end of the file is not written.
 */
#include <linux/errno.h>
#include "fs/ext/ext.h"
#include "kernel/lib/string.h"

#define FAILED BIT(63)
#define BIO_PIECES 64u

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

/* Read part of a page now. */
static int read_now(struct ext_sb *s, struct page *p, u64 sector, const struct piece *c)
{
	struct bio *b = bio_alloc(s->bdev, BIO_READ, sector, 1, 0);
	int err;

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
		if (!err && c.block)
			err = read_now(s, p, sector_of(s, c.block), &c);
		else if (!err)
			memset((char *)page_to_va(p) + c.off, 0, c.len);
	}
	if (!err)
		zero_tail(pc, p);
	return err;
}

static int meta_fill(struct pagecache *pc, struct page *p)
{
	struct ext_sb *s = pc->owner;
	struct piece whole = { 0, s->block_size, 0 };

	return read_now(s, p, sector_of(s, (u32)p->index), &whole);
}

/* One piece fewer to wait for; the last ends the page. ctx: any */
static void piece_done(struct page *p, bool write, int err)
{
	u64 left;

	if (err)
		__atomic_fetch_or(&p->owner, FAILED, __ATOMIC_RELAXED);
	left = __atomic_sub_fetch(&p->owner, 1, __ATOMIC_ACQ_REL);
	if (left & ~FAILED)
		return;
	p->owner = 0;
	if (write) {
		pagecache_write_done(p, left ? -EIO : 0);
		return;
	}
	if (!left && p->cache->ops == &ext_cache_ops)
		zero_tail(p->cache, p);
	pagecache_read_done(p, left ? -EIO : 0);
}

static void bio_ended(struct bio *b)
{
	for (u32 i = 0; i < b->nsegs; i++)
		piece_done(b->segs[i].page, b->op == BIO_WRITE, b->status);
	bio_free(b);
}

struct pass {
	struct ext_sb *s;
	struct bio_plug plug;
	struct bio *bio; /* the last one, which the next piece may continue */
	bool write;
};

/* @c of @p, which is at @sector, into a bio. */
static int pass_add(struct pass *t, struct page *p, u64 sector, const struct piece *c)
{
	struct bio *b = t->bio;

	if (b && b->sector + b->nsect == sector && bio_add(b, p, c->off, c->len))
		return 0;
	b = bio_alloc(t->s->bdev, t->write ? BIO_WRITE : BIO_READ, sector, BIO_PIECES, 0);
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

static int pass_piece(struct pass *t, struct page *p, u64 sector, const struct piece *c)
{
	int err;

	__atomic_add_fetch(&p->owner, 1, __ATOMIC_RELAXED);
	err = pass_add(t, p, sector, c);
	if (err)
		piece_done(p, t->write, err);
	return err;
}

static void pass_page(struct pass *t, struct pagecache *pc, struct page *p)
{
	struct piece c;
	int err = 0;

	for (u32 off = 0; off < PAGE_SIZE && !err; off += c.len) {
		err = piece_at(pc, p->index, off, &c);
		if (err)
			break;
		if (c.block && t->write)
			err = ext_check_data(t->s, inode_of(pc)->ino, c.block,
					     c.len >> t->s->block_bits);
		if (c.block && !err)
			err = pass_piece(t, p, sector_of(t->s, c.block), &c);
		else if (!t->write && !err)
			memset((char *)page_to_va(p) + c.off, 0, c.len);
	}
	if (err)
		__atomic_fetch_or(&p->owner, FAILED, __ATOMIC_RELAXED);
}

static void pass(struct pagecache *pc, struct page **pages, u32 n, bool write)
{
	bool meta = pc->ops == &ext_meta_ops;
	struct pass t = { .write = write };

	t.s = meta ? pc->owner : ext_sb_of(inode_of(pc)->sb);
	bio_plug_init(&t.plug);
	for (u32 i = 0; i < n; i++) {
		struct piece whole = { 0, t.s->block_size, 0 };

		pages[i]->owner = 1;
		if (!meta)
			pass_page(&t, pc, pages[i]);
		else if (pass_piece(&t, pages[i], sector_of(t.s, (u32)pages[i]->index), &whole))
			__atomic_fetch_or(&pages[i]->owner, FAILED, __ATOMIC_RELAXED);
	}
	bio_plug_submit(&t.plug);
	for (u32 i = 0; i < n; i++)
		piece_done(pages[i], write, 0);
}

static void ext_read_ahead(struct pagecache *pc, struct page **pages, u32 n)
{
	pass(pc, pages, n, false);
}

static void ext_write(struct pagecache *pc, struct page **pages, u32 n)
{
	pass(pc, pages, n, true);
}

/* Dirty pages keep their inode; when they are written, so is its size. */
static bool ext_cache_pin(struct pagecache *pc)
{
	return ref_get_unless_zero(&inode_of(pc)->refs);
}

static void ext_cache_unpin(struct pagecache *pc)
{
	struct inode *i = inode_of(pc);

	if (i->nlink)
		(void)ext_inode_settle(i);
	inode_put(i);
}

static bool meta_pin(struct pagecache *pc)
{
	ext_pin(pc->owner);
	return true;
}

static void meta_unpin(struct pagecache *pc)
{
	ext_unpin(pc->owner);
}

const struct pagecache_ops ext_cache_ops = {
	.fill = ext_fill,
	.read_ahead = ext_read_ahead,
	.write = ext_write,
	.make_writable = ext_make_writable,
	.pin = ext_cache_pin,
	.unpin = ext_cache_unpin,
};

const struct pagecache_ops ext_meta_ops = {
	.fill = meta_fill,
	.read_ahead = ext_read_ahead,
	.write = ext_write,
	.pin = meta_pin,
	.unpin = meta_unpin,
};
