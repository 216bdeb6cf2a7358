/*
 * Setting and removing extended attributes.
 *
 * All attributes of the inode are taken apart into two lists, of those behind its known fields and
 * of those in its block; the one in question leaves both; its new value goes to the first that has
 * room for it; what changed is put together again. The block is put together first: that may need a
 * new one, which there may not be.
 *
 * A block that other inodes share is never changed: the inode gets one of its own. Their count is
 * guarded by the superblock's lock. Entries of a block are sorted by index, length and name; the
 * hashes of entries and block are what e2fsck computes.
 */
#include <linux/errno.h>
#include <linux/xattr.h>
#include "fs/ext/ext.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

struct attr {
	u8 index, len;
	const char *name;
	const char *value;
	u32 size;
};

/* Attributes of one place: pointers into its own copy of that, and to what the caller sets. */
struct place {
	char *copy; /* of everything that entries and values lie in */
	size_t size; /* bytes that there are for entries and values together */
	struct attr *attrs;
	u32 n, max;
	bool changed;
};

/* Everything one call works with. */
struct setting {
	struct inode *i;
	struct ext_sb *s;
	struct place body, block;
};

static size_t entry_bytes(u32 len)
{
	return ALIGN_UP(sizeof(struct ext_xattr_entry) + len, (size_t)4);
}

static size_t value_bytes(u32 size)
{
	return ALIGN_UP((size_t)size, (size_t)4);
}

/* --- taking apart --- */

/* The entries from @at on of p->copy, whose values are counted from @values. */
static int take_apart(struct place *p, size_t at, size_t values, size_t end)
{
	while (at + 4 <= end) {
		const struct ext_xattr_entry *e = (const void *)(p->copy + at);
		u32 word;

		memcpy(&word, e, sizeof(word));
		if (!word)
			return 0;
		if (end - at < sizeof(*e) || end - at < entry_bytes(e->name_len) ||
		    e->value_block || p->n == p->max)
			return -EUCLEAN;
		if (e->value_size > end - values || e->value_offs > end - values - e->value_size)
			return -EUCLEAN;
		p->attrs[p->n++] = (struct attr){ e->name_index, e->name_len, e->name,
						  p->copy + values + e->value_offs, e->value_size };
		at += entry_bytes(e->name_len);
	}
	return 0;
}

static int place_alloc(struct place *p, const void *from, size_t bytes, size_t usable)
{
	p->size = usable;
	p->max = (u32)(bytes / sizeof(struct ext_xattr_entry) + 2);
	p->copy = kmemdup(from, bytes, 0);
	p->attrs = kcalloc(p->max, sizeof(*p->attrs), 0);
	return p->copy && p->attrs ? 0 : -ENOMEM;
}

/* Behind the inode's known fields. */
static int take_body(struct setting *t)
{
	struct ext_inode *e = ext_of(t->i);
	u32 from = EXT_INODE_OLD + e->extra, magic;
	struct ext_buf b;
	int err;

	if (t->s->inode_size < from + 8 || !e->extra)
		return 0;
	err = ext_buf_get(t->s, e->table_block, &b);
	if (err)
		return err;
	err = place_alloc(&t->body, (char *)b.data + e->table_off + from, t->s->inode_size - from,
			  t->s->inode_size - from - sizeof(magic));
	ext_buf_put(&b);
	if (err)
		return err;
	memcpy(&magic, t->body.copy, sizeof(magic));
	if (magic != EXT_XATTR_MAGIC)
		return 0;
	return take_apart(&t->body, sizeof(magic), sizeof(magic), t->s->inode_size - from);
}

static int take_block(struct setting *t)
{
	u32 size = t->s->block_size;
	const struct ext_xattr_header *h;
	struct ext_buf b;
	int err;

	if (!ext_of(t->i)->file_acl) {
		t->block.size = size - sizeof(*h);
		t->block.max = 1;
		t->block.attrs = kcalloc(1, sizeof(*t->block.attrs), 0);
		return t->block.attrs ? 0 : -ENOMEM;
	}
	err = ext_buf_get(t->s, ext_of(t->i)->file_acl, &b);
	if (err)
		return err;
	h = b.data;
	err = -EUCLEAN;
	if (h->magic == EXT_XATTR_MAGIC && h->blocks == 1 && h->refcount)
		err = place_alloc(&t->block, b.data, size, size - sizeof(*h));
	ext_buf_put(&b);
	return err ? err : take_apart(&t->block, sizeof(*h), 0, size);
}

/* --- changing --- */

static int compare(const struct attr *a, u32 index, const char *name, u32 len)
{
	if (a->index != index)
		return a->index < index ? -1 : 1;
	if (a->len != len)
		return a->len < len ? -1 : 1;
	return memcmp(a->name, name, len);
}

/* True when it was there. */
static bool take_out(struct place *p, u32 index, const char *name, u32 len)
{
	for (u32 k = 0; k < p->n; k++) {
		if (compare(&p->attrs[k], index, name, len))
			continue;
		memmove(p->attrs + k, p->attrs + k + 1, (p->n - k - 1) * sizeof(*p->attrs));
		p->n--;
		p->changed = true;
		return true;
	}
	return false;
}

static size_t bytes_of(const struct place *p)
{
	size_t n = 4; /* the end */

	for (u32 k = 0; k < p->n; k++)
		n += entry_bytes(p->attrs[k].len) + value_bytes(p->attrs[k].size);
	return n;
}

/* Put @a in where it belongs; false: there is no room. */
static bool put_in(struct place *p, const struct attr *a)
{
	u32 at = 0;

	if (!p->attrs || p->n == p->max ||
	    bytes_of(p) + entry_bytes(a->len) + value_bytes(a->size) > p->size)
		return false;
	while (at < p->n && compare(&p->attrs[at], a->index, a->name, a->len) < 0)
		at++;
	memmove(p->attrs + at + 1, p->attrs + at, (p->n - at) * sizeof(*p->attrs));
	p->attrs[at] = *a;
	p->n++;
	p->changed = true;
	return true;
}

/* --- putting together --- */

static u32 entry_hash(const struct attr *a, const char *padded)
{
	u32 hash = 0, word;

	for (u32 k = 0; k < a->len; k++)
		hash = hash << 5 ^ hash >> 27 ^ (u8)a->name[k];
	for (size_t k = 0; k < value_bytes(a->size); k += 4) {
		memcpy(&word, padded + k, sizeof(word));
		hash = hash << 16 ^ hash >> 16 ^ word;
	}
	return hash;
}

/* Entries at @at, values at the end of @out, counted from @values. The hash of all of them. */
static u32 put_together(const struct place *p, char *out, size_t at, size_t values, size_t end)
{
	u32 hash = 0;

	memset(out + at, 0, end - at);
	for (u32 k = 0; k < p->n; k++) {
		const struct attr *a = &p->attrs[k];
		struct ext_xattr_entry *e = (void *)(out + at);

		end -= value_bytes(a->size);
		memcpy(out + end, a->value, a->size);
		e->name_index = a->index;
		e->name_len = a->len;
		e->value_offs = a->size ? (u16)(end - values) : 0;
		e->value_size = a->size;
		memcpy(e->name, a->name, a->len);
		e->hash = entry_hash(a, out + end);
		hash = hash << 16 ^ hash >> 16 ^ e->hash;
		at += entry_bytes(a->len);
	}
	return hash;
}

/* One inode fewer uses block @block. */
static void drop_block(struct inode *i, u32 block)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	struct ext_xattr_header *h;
	struct ext_buf b;
	bool bad, last;

	ext_add_blocks(i, -1);
	if (ext_check_data(s, i->ino, block, 1) || ext_buf_get(s, block, &b))
		return;
	h = b.data;
	mutex_lock(&s->super_lock);
	bad = h->magic != EXT_XATTR_MAGIC || !h->refcount;
	last = !bad && h->refcount == 1;
	if (!bad && !last) {
		h->refcount--;
		ext_buf_dirty(s, &b);
	}
	mutex_unlock(&s->super_lock);
	if (bad)
		ext_bad(s, i->ino, "a damaged block of attributes, %u", block);
	if (last) {
		ext_buf_forget(s, block);
		ext_blocks_free(s, i->ino, block, 1);
	}
	ext_buf_put(&b);
}

/* See ext.h. ctx: thread; sleeps */
void ext_xattr_free(struct inode *i)
{
	u32 block = ext_of(i)->file_acl;

	ext_of(i)->file_acl = 0;
	if (block)
		drop_block(i, block);
}

/* The inode's block, if it has it for itself, else a new one. */
static int own_block(struct setting *t, struct ext_buf *b, u32 *block)
{
	struct ext_inode *e = ext_of(t->i);
	u32 one = 1;
	bool mine;
	int err;

	*block = e->file_acl;
	if (*block) {
		err = ext_buf_get(t->s, *block, b);
		if (err)
			return err;
		mine = ((struct ext_xattr_header *)b->data)->refcount == 1;
		if (mine)
			return 0;
		ext_buf_put(b);
	}
	err = ext_blocks_alloc(t->i, ext_inode_goal(t->s, t->i->ino), &one, block);
	if (err)
		return err;
	err = ext_buf_new(t->s, *block, b);
	if (err)
		ext_blocks_free(t->s, t->i->ino, *block, 1);
	else
		ext_add_blocks(t->i, 1);
	return err;
}

static int write_block(struct setting *t)
{
	struct ext_inode *e = ext_of(t->i);
	u32 old = e->file_acl, block, hash;
	struct ext_xattr_header *h;
	struct ext_buf b;
	int err;

	if (!t->block.n) {
		ext_xattr_free(t->i);
		return 0;
	}
	err = own_block(t, &b, &block);
	if (err)
		return err;
	h = b.data;
	hash = put_together(&t->block, b.data, sizeof(*h), 0, t->s->block_size);
	*h = (struct ext_xattr_header){ EXT_XATTR_MAGIC, 1, 1, hash, 0, { 0 } };
	ext_buf_dirty_of(t->i, &b);
	ext_buf_put(&b);
	e->file_acl = block;
	if (old && old != block)
		drop_block(t->i, old);
	return 0;
}

static int write_body(struct setting *t)
{
	struct ext_inode *e = ext_of(t->i);
	u32 from = EXT_INODE_OLD + e->extra, magic = t->body.n ? EXT_XATTR_MAGIC : 0;
	struct ext_buf b;
	char *out;
	int err = ext_buf_get(t->s, e->table_block, &b);

	if (err)
		return err;
	out = (char *)b.data + e->table_off + from;
	memcpy(out, &magic, sizeof(magic));
	put_together(&t->body, out, sizeof(magic), sizeof(magic), t->s->inode_size - from);
	ext_buf_dirty(t->s, &b);
	ext_buf_put(&b);
	return 0;
}

static int change(struct setting *t, const struct attr *a, int flags)
{
	bool there = take_out(&t->body, a->index, a->name, a->len);

	there |= take_out(&t->block, a->index, a->name, a->len);
	if (there && (flags & XATTR_CREATE))
		return -EEXIST;
	if (!there && (!a->value || (flags & XATTR_REPLACE)))
		return -ENODATA;
	if (a->value && !put_in(&t->body, a) && !put_in(&t->block, a))
		return -ENOSPC;
	return 0;
}

static void setting_free(struct setting *t)
{
	kfree(t->body.copy);
	kfree(t->body.attrs);
	kfree(t->block.copy);
	kfree(t->block.attrs);
}

/* holds: map_lock */
static int apply(struct setting *t, const struct attr *a, int flags)
{
	int err = take_body(t);

	if (!err)
		err = take_block(t);
	if (err == -EUCLEAN)
		err = ext_bad(t->s, t->i->ino, "damaged extended attributes");
	if (!err)
		err = change(t, a, flags);
	if (!err && t->block.changed)
		err = write_block(t);
	if (!err && t->body.changed)
		err = write_body(t);
	return err;
}

/*
 * See ext.h. ctx: thread; sleeps. 0, -ENODATA, -EEXIST, -ENOSPC, -ERANGE, -EUCLEAN, -EIO, -ENOMEM
 */
int ext_xattr_set(struct inode *i, u32 index, const char *name, const void *value, size_t size,
		  int flags)
{
	struct setting t = { .i = i, .s = ext_sb_of(i->sb) };
	struct attr a = { (u8)index, (u8)strlen(name), name, value, (u32)size };
	int err;

	if (unlikely(!READ_ONCE(t.s->writable)))
		return -EROFS;
	if (strlen(name) > 255)
		return -ERANGE;
	if (size > t.s->block_size)
		return -ENOSPC;
	mutex_lock(&ext_of(i)->map_lock);
	err = apply(&t, &a, flags);
	mutex_unlock(&ext_of(i)->map_lock);
	setting_free(&t);
	if (err)
		return err;
	ext_need_xattr(t.s);
	inode_touch(i, ATTR_CTIME);
	return ext_inode_store(i);
}

/* inode_ops.setxattr */
int ext_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags)
{
	const char *rest;
	int index = ext_xattr_split(ext_sb_of(i->sb), name, &rest), err;

	if (index < 0)
		return index;
	if (ext_xattr_is_acl((u32)index))
		return ext_acl_set(i, (u32)index, buf ? buf : "", size);
	if (!*rest)
		return -EINVAL;
	err = ext_xattr_set(i, (u32)index, rest, buf ? buf : "", size, flags);
	return err ? err : ext_sync_if_asked(i, NULL);
}

/* inode_ops.removexattr */
int ext_removexattr(struct inode *i, const char *name)
{
	const char *rest;
	int index = ext_xattr_split(ext_sb_of(i->sb), name, &rest), err;

	if (index < 0)
		return index;
	if (ext_xattr_is_acl((u32)index))
		return ext_acl_set(i, (u32)index, NULL, 0);
	err = ext_xattr_set(i, (u32)index, rest, NULL, 0, 0);
	return err ? err : ext_sync_if_asked(i, NULL);
}
