/*
 * Directories: names to inode numbers.
 *
 * A directory's contents are records that fill each block exactly, none across the end of one; a
 * record without an inode is free room. Directories with an index (dir_index) read the same way:
 * the blocks of the index look like free room. Every record is checked before it is used; a bad one
 * ends the search of the directory with EUCLEAN.
 *
 * Positions of readdir are byte offsets of records. One that lies in the middle of a record (seekdir
 * with a made-up value) goes on with the next.
 */
#include <linux/errno.h>
#include "fs/ext/ext.h"
#include "fs/namei.h"
#include "kernel/lib/string.h"

/* Why the record at @off of a block of @size bytes cannot be, or NULL. */
static const char *record_fault(const struct ext_sb *s, const struct ext_dirent_disk *d, u32 off,
				u32 size)
{
	if (d->rec_len < 12 || (d->rec_len & 3) || d->rec_len > size - off)
		return "length";
	if (sizeof(*d) + d->name_len > d->rec_len)
		return "name's length";
	if (d->inode > s->inodes_count)
		return "inode number";
	if (d->inode &&
	    (!d->name_len || memchr(d->name, '/', d->name_len) || memchr(d->name, 0, d->name_len)))
		return "name";
	return NULL;
}

/* The record at byte @pos of @dir whose page is at @page; NULL when it is bad, which is logged. */
static const struct ext_dirent_disk *record_at(struct inode *dir, const char *page, u64 pos)
{
	const struct ext_sb *s = ext_sb_of(dir->sb);
	u32 off = (u32)pos & (s->block_size - 1);
	const struct ext_dirent_disk *d = (const void *)(page + (pos & PAGE_MASK));
	const char *fault = record_fault(s, d, off, s->block_size);

	if (!fault)
		return d;
	ext_bad(s, dir->ino, "a directory record with a bad %s at byte %llu", fault,
		(unsigned long long)pos);
	return NULL;
}

struct scan {
	struct inode *dir;
	/* Called for each used record; false ends the scan before it. */
	bool (*each)(struct scan *sc, const struct ext_dirent_disk *d, u64 pos);
	u64 from; /* records that begin before it are passed over */
	const struct qname *name; /* of find */
	u32 ino; /* what find found */
	struct dir_ctx *ctx; /* of readdir */
};

/* The records of one block at @pos. 1: ended by ->each. */
static int scan_block(struct scan *sc, const char *page, u64 pos)
{
	u64 end = pos + ext_sb_of(sc->dir->sb)->block_size;

	while (pos < end) {
		const struct ext_dirent_disk *d = record_at(sc->dir, page, pos);

		if (!d)
			return -EUCLEAN;
		if (d->inode && pos >= sc->from && !sc->each(sc, d, pos))
			return 1;
		pos += d->rec_len;
	}
	return 0;
}

static int scan_dir(struct scan *sc)
{
	const struct ext_sb *s = ext_sb_of(sc->dir->sb);
	struct pagecache *pc = &ext_of(sc->dir)->cache;
	u64 size = READ_ONCE(pc->size);

	for (u64 pos = sc->from & ~(u64)(s->block_size - 1); pos < size; pos += s->block_size) {
		struct page *p;
		int err;

		if (!(pos & PAGE_MASK))
			pagecache_prefetch(pc, pos >> PAGE_SHIFT, 8);
		err = pagecache_get(pc, pos >> PAGE_SHIFT, &p);
		if (err)
			return err;
		err = scan_block(sc, page_to_va(p), pos);
		page_put(p);
		if (err)
			return err;
	}
	return 0;
}

static bool find_each(struct scan *sc, const struct ext_dirent_disk *d, u64 pos)
{
	if (d->name_len != sc->name->len || memcmp(d->name, sc->name->name, d->name_len) != 0)
		return true;
	sc->ino = d->inode;
	return false;
}

static int ext_lookup(struct inode *dir, const struct qname *n, struct inode **out)
{
	struct scan sc = { .dir = dir, .each = find_each, .name = n };
	int ret;

	if (n->len > EXT_NAME_MAX)
		return -ENAMETOOLONG;
	ret = scan_dir(&sc);
	if (ret <= 0)
		return ret ? ret : -ENOENT;
	return ext_iget(dir->sb, sc.ino, out);
}

/* DT_* of a record; 0 (unknown) where the file system does not keep types. */
static u8 type_of(const struct ext_sb *s, const struct ext_dirent_disk *d)
{
	static const u8 types[] = { 0, 8, 4, 2, 6, 1, 12, 10 };

	if (!(s->incompat & EXT_INCOMPAT_FILETYPE) || d->file_type >= ARRAY_SIZE(types))
		return 0;
	return types[d->file_type];
}

static bool emit_each(struct scan *sc, const struct ext_dirent_disk *d, u64 pos)
{
	u8 type = type_of(ext_sb_of(sc->dir->sb), d);

	if (!sc->ctx->emit(sc->ctx, d->name, d->name_len, d->inode, type, pos + d->rec_len)) {
		sc->ctx->pos = pos;
		return false;
	}
	sc->ctx->pos = pos + d->rec_len;
	return true;
}

static int ext_readdir(struct file *f, struct dir_ctx *c)
{
	struct scan sc = { .dir = f->inode, .each = emit_each, .from = c->pos, .ctx = c };
	int ret = scan_dir(&sc);

	if (!ret)
		c->pos = MAX(c->pos, READ_ONCE(ext_of(f->inode)->cache.size));
	return ret < 0 ? ret : 0;
}

static int nothing_to_sync(struct file *f, u64 start, u64 end, bool datasync)
{
	return 0;
}

const struct inode_ops ext_dir_ops = {
	.lookup = ext_lookup,
	.getxattr = ext_getxattr,
	.listxattr = ext_listxattr,
	.fileattr = ext_fileattr,
};

const struct file_ops ext_dir_fops = { .readdir = ext_readdir, .fsync = nothing_to_sync };
