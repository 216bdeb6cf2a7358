/*
 * Directories: names to inode numbers.
 *
 * A directory's contents are records that fill each block exactly, none across the end of one; a
 * record without an inode is free room. Directories with an index (dir_index) read the same way:
 * the blocks of the index look like free room. Every record is checked before it is used; a bad one
 * ends the search of the directory with EUCLEAN. Blocks of directories are metadata (buf.c).
 *
 * Positions of readdir are byte offsets of records. One that lies in the middle of a record
 * (seekdir with a made-up value, or the record's been joined with the one before) goes on with the
 * next.
 */
#include <linux/errno.h>
#include "fs/ext/ext.h"
#include "fs/namei.h"
#include "kernel/lib/string.h"

#define AHEAD 16u /* blocks read at once */

#define BYTES(c) ((c)*0x0101010101010101ull)

/* Is any byte of @w 0? */
static bool has_zero(u64 w)
{
	return (w - BYTES(1ull)) & ~w & BYTES(0x80ull);
}

/* Names have neither a slash nor a 0 in them. */
static bool good_name(const char *name, u32 len)
{
	u64 w;

	for (; len >= sizeof(w); len -= sizeof(w), name += sizeof(w)) {
		memcpy(&w, name, sizeof(w));
		if (has_zero(w) || has_zero(w ^ BYTES((u64)'/')))
			return false;
	}
	for (; len; len--, name++)
		if (!*name || *name == '/')
			return false;
	return true;
}

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
	if (d->inode && (!d->name_len || !good_name(d->name, d->name_len)))
		return "name";
	return NULL;
}

/* The record at @off of block @index; NULL when it is bad, which is logged. ctx: thread */
const struct ext_dirent_disk *ext_dir_record(struct inode *dir, const struct ext_buf *b, u32 index,
					     u32 off)
{
	struct ext_sb *s = ext_sb_of(dir->sb);
	const struct ext_dirent_disk *d = (const void *)((const char *)b->data + off);
	const char *fault = record_fault(s, d, off, s->block_size);

	if (likely(!fault))
		return d;
	ext_bad(s, dir->ino, "a directory record with a bad %s at byte %llu", fault,
		((unsigned long long)index << s->block_bits) + off);
	return NULL;
}

/*
 * Block @index of @dir. ctx: thread; holds: dir->lock; sleeps. 0, -EUCLEAN (also a hole), -EIO,
 * -ENOMEM
 */
int ext_dir_block(struct inode *dir, u32 index, struct ext_buf *out)
{
	struct ext_sb *s = ext_sb_of(dir->sb);
	u32 phys, count;
	int err = ext_map(dir, index, AHEAD, &phys, &count);

	if (err)
		return err;
	if (!phys)
		return ext_bad(s, dir->ino, "a hole in a directory, block %u", index);
	return ext_buf_get_ahead(s, phys, count, out);
}

static u32 blocks_of(const struct inode *dir)
{
	return (u32)(READ_ONCE(dir->size) >> ext_sb_of(dir->sb)->block_bits);
}

static bool is_name(const struct ext_dirent_disk *d, const char *name, u32 len)
{
	return d->name_len == len && d->inode && !memcmp(d->name, name, len);
}

/*
 * In the block that @sl has, and keeps. ctx: thread; sleeps: no. 0, -ENOENT, -EUCLEAN
 */
int ext_dir_find_in(struct inode *dir, const char *name, u32 len, struct ext_slot *sl)
{
	u32 size = ext_sb_of(dir->sb)->block_size;

	sl->prev = 0;
	for (sl->off = 0; sl->off < size;) {
		const struct ext_dirent_disk *d = ext_dir_record(dir, &sl->b, sl->index, sl->off);

		if (!d)
			return -EUCLEAN;
		if (is_name(d, name, len)) {
			sl->ino = d->inode;
			return 0;
		}
		sl->prev = sl->off;
		sl->off += d->rec_len;
	}
	return -ENOENT;
}

/* See ext.h. ctx: thread; holds: dir->lock; sleeps */
int ext_dir_find(struct inode *dir, const char *name, u32 len, struct ext_slot *out)
{
	u32 n = blocks_of(dir);

	if (n >= EXT_INDEX_BLOCKS) {
		int err = ext_index_find(dir, name, len, out);

		if (err != -EAGAIN)
			return err;
	}
	for (out->index = 0; out->index < n; out->index++) {
		int err = ext_dir_block(dir, out->index, &out->b);

		if (err)
			return err;
		err = ext_dir_find_in(dir, name, len, out);
		if (!err)
			return 0;
		ext_buf_put(&out->b);
		if (err != -ENOENT)
			return err;
	}
	return -ENOENT;
}

/* ctx: any */
void ext_slot_put(struct ext_slot *sl)
{
	ext_buf_put(&sl->b);
}

/* inode_ops.lookup */
int ext_lookup(struct inode *dir, const struct qname *n, struct inode **out)
{
	struct ext_slot sl;
	u32 ino;
	int err;

	if (n->len > EXT_NAME_MAX)
		return -ENAMETOOLONG;
	err = ext_dir_find(dir, n->name, n->len, &sl);
	if (err)
		return err;
	ino = sl.ino;
	ext_slot_put(&sl);
	return ext_iget(dir->sb, ino, out);
}

/* DT_* of a record; 0 (unknown) where the file system does not keep types. */
static u8 type_of(const struct ext_sb *s, const struct ext_dirent_disk *d)
{
	static const u8 types[] = { 0, 8, 4, 2, 6, 1, 12, 10 };

	if (!(s->incompat & EXT_INCOMPAT_FILETYPE) || d->file_type >= ARRAY_SIZE(types))
		return 0;
	return types[d->file_type];
}

/* The records of one block from c->pos on. 1: the reader has enough. */
static int emit_block(struct inode *dir, const struct ext_buf *b, u32 index, struct dir_ctx *c)
{
	const struct ext_sb *s = ext_sb_of(dir->sb);
	u64 base = (u64)index << s->block_bits;
	u32 next;

	for (u32 off = 0; off < s->block_size; off = next) {
		const struct ext_dirent_disk *d = ext_dir_record(dir, b, index, off);

		u32 len;

		if (!d)
			return -EUCLEAN;
		next = off + READ_ONCE(d->rec_len);
		len = READ_ONCE(d->name_len);
		/* A damaged file system may use the block for something else as well. */
		if (unlikely(next <= off || off + sizeof(*d) + len > s->block_size))
			return -EUCLEAN;
		if (base + off < c->pos)
			continue;
		if (d->inode && !c->emit(c, d->name, len, d->inode, type_of(s, d), base + next)) {
			c->pos = base + off;
			return 1;
		}
		c->pos = base + next;
	}
	return 0;
}

static int ext_readdir(struct file *f, struct dir_ctx *c)
{
	struct inode *dir = f->inode;
	u32 bits = ext_sb_of(dir->sb)->block_bits, n = blocks_of(dir);

	for (u64 index = c->pos >> bits; index < n; index++) {
		struct ext_buf b;
		int ret = ext_dir_block(dir, (u32)index, &b);

		if (ret)
			return ret;
		ret = emit_block(dir, &b, (u32)index, c);
		ext_buf_put(&b);
		if (ret)
			return ret < 0 ? ret : 0;
	}
	return 0;
}

const struct inode_ops ext_dir_ops = {
	.lookup = ext_lookup,
	.create = ext_create,
	.mkdir = ext_mkdir,
	.symlink = ext_symlink,
	.link = ext_link,
	.unlink = ext_unlink,
	.rmdir = ext_rmdir,
	.rename = ext_rename,
	.tmpfile = ext_tmpfile,
	EXT_ATTR_OPS,
	.permission = ext_acl_permission,
	.default_acl = ext_acl_has_default,
	.fileattr = ext_fileattr,
	.map = ext_map,
};

const struct file_ops ext_dir_fops = { .readdir = ext_readdir, .fsync = ext_fsync };
