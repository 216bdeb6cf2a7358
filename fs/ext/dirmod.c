/*
 * Changing directories: records are added, removed, and led to other inodes.
 *
 * A new record goes into the first room that is large enough, behind a shorter one or in place of a
 * free one; where there is none the directory grows by a block. dir_room is the first block that
 * may have room, so that filling a large directory does not look at all of it for each name. A
 * record that is removed becomes room of the one before it; the first of a block loses its inode.
 *
 * An index (dir_index) is not kept: the first change of a directory clears its flag, and what was
 * the index is room, as its blocks look like that already.
 */
#include <linux/errno.h>
#include <linux/stat.h>
#include "fs/ext/ext.h"
#include "kernel/lib/string.h"

#define FULL 32u /* a block without that much room in one piece counts as full */

static u32 record_size(u32 name_len)
{
	return ALIGN_UP((u32)sizeof(struct ext_dirent_disk) + name_len, 4u);
}

static u8 type_of_mode(const struct ext_sb *s, u32 mode)
{
	if (!(s->incompat & EXT_INCOMPAT_FILETYPE))
		return 0;
	switch (mode & S_IFMT) {
	case S_IFREG: return 1;
	case S_IFDIR: return 2;
	case S_IFCHR: return 3;
	case S_IFBLK: return 4;
	case S_IFIFO: return 5;
	case S_IFSOCK: return 6;
	case S_IFLNK: return 7;
	}
	return 0;
}

static void fill_record(const struct ext_sb *s, struct ext_dirent_disk *d, const char *name,
			u32 len, const struct inode *i)
{
	d->inode = (u32)i->ino;
	d->name_len = (u8)len;
	d->file_type = type_of_mode(s, i->mode);
	memcpy(d->name, name, len);
}

/* @dir was changed. It is stored with its new times; if that fails now, it is tried again later. */
static void changed(struct inode *dir)
{
	ext_of(dir)->flags &= ~EXT_INDEX_FL;
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
	ext_inode_dirty(dir);
	(void)ext_inode_store(dir);
}

/* What the record @d, a good one, leaves to another one behind it. ctx: any */
u32 ext_dir_room(const struct ext_dirent_disk *d)
{
	return d->inode ? d->rec_len - record_size(d->name_len) : d->rec_len;
}

/*
 * Room for @need bytes in a block. 0 with *off, -ENOSPC, -EUCLEAN; *largest: the largest room seen.
 */
static int find_room(struct inode *dir, const struct ext_buf *b, u32 index, u32 need, u32 *off,
		     u32 *largest)
{
	u32 size = ext_sb_of(dir->sb)->block_size;

	*largest = 0;
	for (*off = 0; *off < size;) {
		const struct ext_dirent_disk *d = ext_dir_record(dir, b, index, *off);

		if (!d)
			return -EUCLEAN;
		*largest = MAX(*largest, ext_dir_room(d));
		if (ext_dir_room(d) >= need)
			return 0;
		*off += d->rec_len;
	}
	return -ENOSPC;
}

/*
 * Put a record into the room that the one at *@off has; *@off: where it is. 0 or -EUCLEAN: the room
 * is there no more, as a damaged file system uses the block for something else as well.
 */
static int put_record(struct inode *dir, struct ext_buf *b, u32 *off, const char *name, u32 len,
		      const struct inode *i)
{
	struct ext_sb *s = ext_sb_of(dir->sb);
	struct ext_dirent_disk *d = (void *)((char *)b->data + *off);
	u32 used = d->inode ? record_size(READ_ONCE(d->name_len)) : 0, room = READ_ONCE(d->rec_len);

	if (unlikely(room < used + record_size(len) || room > s->block_size - *off))
		return ext_bad(s, dir->ino, "a directory record that changed by itself");
	if (used) {
		struct ext_dirent_disk *next = (void *)((char *)d + used);

		next->rec_len = (u16)(room - used);
		fill_record(s, next, name, len, i);
		d->rec_len = (u16)used;
		*off += used;
	} else {
		fill_record(s, d, name, len, i);
	}
	ext_buf_dirty_of(dir, b);
	return 0;
}

/* Another block at the end of @dir, one free record. */
static int grow(struct inode *dir, struct ext_buf *out)
{
	struct ext_sb *s = ext_sb_of(dir->sb);
	struct ext_inode *e = ext_of(dir);
	struct ext_dirent_disk *d;
	u32 phys, count;
	int err;

	if (dir->size + s->block_size > 0x7fffffff)
		return -EFBIG;
	mutex_lock(&e->map_lock);
	err = ext_map_new(dir, dir->size >> s->block_bits, 1, &phys, &count);
	mutex_unlock(&e->map_lock);
	if (err)
		return err;
	err = ext_buf_new(s, phys, out);
	if (err) {
		mutex_lock(&e->map_lock);
		(void)ext_map_cut(dir, dir->size >> s->block_bits);
		mutex_unlock(&e->map_lock);
		return err;
	}
	ext_note_block(dir, phys);
	d = out->data;
	d->rec_len = (u16)s->block_size;
	WRITE_ONCE(dir->size, dir->size + s->block_size);
	ext_inode_dirty(dir);
	return 0;
}

/*
 * The name @name leads to @i. ctx: thread; holds: dir->lock for writing; sleeps. 0, -ENOSPC,
 * -EFBIG, -ENAMETOOLONG, -EUCLEAN, -EIO, -ENOMEM
 */
int ext_dir_add(struct inode *dir, const char *name, u32 len, struct inode *i)
{
	struct ext_inode *e = ext_of(dir);
	u32 bits = ext_sb_of(dir->sb)->block_bits, n = (u32)(dir->size >> bits), off = 0, largest;
	u32 index = ext_index_room(dir, record_size(len));
	struct ext_buf b;
	int err = -ENOSPC;

	if (len > EXT_NAME_MAX)
		return -ENAMETOOLONG;
	for (; index < n && err == -ENOSPC; index += err == -ENOSPC) {
		err = ext_dir_block(dir, index, &b);
		if (err)
			return err;
		err = find_room(dir, &b, index, record_size(len), &off, &largest);
		if (err)
			ext_buf_put(&b);
		if (err == -ENOSPC && largest < FULL && index == e->dir_room)
			e->dir_room++;
		if (err == -ENOSPC)
			ext_index_full(dir, index, largest);
	}
	if (err == -ENOSPC) {
		off = 0;
		index = n;
		err = grow(dir, &b);
	}
	if (err)
		return err;
	err = put_record(dir, &b, &off, name, len, i);
	ext_buf_put(&b);
	if (err)
		return err;
	ext_index_add(dir, name, len, ((u64)index << bits) + off);
	ext_note_name(i, dir);
	changed(dir);
	return 0;
}

/* The record before that of @sl in its block; none, or a bad block: itself. */
static u32 record_before(struct inode *dir, const struct ext_slot *sl)
{
	u32 before = sl->off;

	for (u32 off = 0; off < sl->off;) {
		const struct ext_dirent_disk *d = ext_dir_record(dir, &sl->b, sl->index, off);

		if (!d)
			return sl->off;
		before = off;
		off += d->rec_len;
		if (off > sl->off)
			return sl->off;
	}
	return before;
}

/* The record in @sl goes. ctx: thread; holds: dir->lock for writing; sleeps */
void ext_dir_remove(struct inode *dir, struct ext_slot *sl)
{
	struct ext_dirent_disk *d = (void *)((char *)sl->b.data + sl->off);
	struct ext_dirent_disk *before;

	before = (void *)((char *)sl->b.data + (sl->prev == EXT_NO_PREV ? 0 : sl->prev));
	/* Another record may have come between them since. */
	if (sl->off && (sl->prev == EXT_NO_PREV || sl->prev + before->rec_len != sl->off))
		sl->prev = record_before(dir, sl);
	before = (void *)((char *)sl->b.data + sl->prev);
	ext_index_remove(dir, d->name, d->name_len,
			 ((u64)sl->index << ext_sb_of(dir->sb)->block_bits) + sl->off);
	if (sl->off && sl->off != sl->prev)
		before->rec_len = (u16)(before->rec_len + d->rec_len);
	d->inode = 0;
	ext_buf_dirty_of(dir, &sl->b);
	ext_of(dir)->dir_room = MIN(ext_of(dir)->dir_room, sl->index);
	changed(dir);
}

/* The name in @sl leads to @i from now on. ctx: thread; holds: dir->lock for writing; sleeps */
void ext_dir_replace(struct inode *dir, struct ext_slot *sl, const struct inode *i)
{
	struct ext_sb *s = ext_sb_of(dir->sb);
	struct ext_dirent_disk *d = (void *)((char *)sl->b.data + sl->off);

	d->inode = (u32)i->ino;
	d->file_type = type_of_mode(s, i->mode);
	ext_buf_dirty_of(dir, &sl->b);
	changed(dir);
}

/* The first block of the new @dir, with its two names. ctx: thread; sleeps. 0 or as ext_dir_add */
int ext_dir_make(struct inode *dir, struct inode *parent)
{
	struct ext_sb *s = ext_sb_of(dir->sb);
	struct ext_dirent_disk *d;
	struct ext_buf b;
	int err = grow(dir, &b);

	if (err)
		return err;
	d = b.data;
	fill_record(s, d, ".", 1, dir);
	d->rec_len = (u16)record_size(1);
	d = (void *)((char *)b.data + d->rec_len);
	fill_record(s, d, "..", 2, parent);
	d->rec_len = (u16)(s->block_size - record_size(1));
	ext_buf_dirty_of(dir, &b);
	ext_buf_put(&b);
	return 0;
}

/*
 * The ".." of @dir, which is in its first block: the rest of it may be changing, its lock is not
 * held. ctx: thread; holds: both parents' locks; sleeps. 0 with *out, to be put, -EUCLEAN, -EIO ...
 */
int ext_dir_find_parent(struct inode *dir, struct ext_slot *out)
{
	int err;

	out->index = 0;
	err = ext_dir_block(dir, 0, &out->b);
	if (err)
		return err;
	err = ext_dir_find_in(dir, "..", 2, out);
	if (err)
		ext_slot_put(out);
	if (err == -ENOENT)
		return ext_bad(ext_sb_of(dir->sb), dir->ino, "a directory without ..");
	return err;
}

static bool is_dots(const struct ext_dirent_disk *d)
{
	return d->name_len <= 2 && d->name[0] == '.' && (d->name_len == 1 || d->name[1] == '.');
}

/*
 * Has @dir no names but its own? ctx: thread; holds: dir->lock; sleeps. 0, -ENOTEMPTY, -EUCLEAN ...
 */
int ext_dir_is_empty(struct inode *dir)
{
	struct ext_sb *s = ext_sb_of(dir->sb);
	u32 n = (u32)(dir->size >> s->block_bits), next;

	for (u32 index = 0; index < n; index++) {
		struct ext_buf b;
		int err = ext_dir_block(dir, index, &b);

		if (err)
			return err;
		for (u32 off = 0; off < s->block_size && !err; off = next) {
			const struct ext_dirent_disk *d = ext_dir_record(dir, &b, index, off);

			next = d ? off + d->rec_len : 0;
			if (!d)
				err = -EUCLEAN;
			else if (d->inode && !is_dots(d))
				err = -ENOTEMPTY;
		}
		ext_buf_put(&b);
		if (err)
			return err;
	}
	return 0;
}
