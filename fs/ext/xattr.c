/*
 * Extended attributes, read (attrset.c writes them): behind the known fields of a large inode, and
 * in a block that several inodes may share.
 *
 * Both are a list of entries, ended by four zero bytes, with values that are counted from the first
 * entry (inode) or from the block's beginning. An attribute is in one place only; the inode is
 * looked at first. Entries and values must lie within their region, else EUCLEAN.
 *
 * Access control lists have another form on the disk than for users: acl.c.
 */
#include <linux/errno.h>
#include <linux/xattr.h>
#include "fs/ext/ext.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

/* A list of entries: memory, its size, and what values are counted from. */
struct attr_list {
	const char *base, *values;
	size_t size, values_size;
};

struct search {
	const char *name; /* of a get, behind the prefix */
	u32 index; /* of a get */
	char *buf; /* of a get the value's place, of a list the names' */
	size_t size;
	ssize_t done; /* bytes so far (list), or the value's (get) */
	bool found;
};

/*
 * What the names of index @index begin with, all of the name of a whole one; NULL: not for users.
 */
static const char *prefix_of(u32 index)
{
	static const char *const prefixes[] = { [EXT_XATTR_USER] = XATTR_USER_PREFIX,
						[EXT_XATTR_ACL_ACCESS] =
							XATTR_NAME_POSIX_ACL_ACCESS,
						[EXT_XATTR_ACL_DEFAULT] =
							XATTR_NAME_POSIX_ACL_DEFAULT,
						[EXT_XATTR_TRUSTED] = XATTR_TRUSTED_PREFIX,
						[EXT_XATTR_SECURITY] = XATTR_SECURITY_PREFIX };

	return index < ARRAY_SIZE(prefixes) ? prefixes[index] : NULL;
}

/* See ext.h. ctx: any. -EOPNOTSUPP: no name that can be kept */
int ext_xattr_split(const struct ext_sb *s, const char *name, const char **rest)
{
	for (u32 k = 1; k <= EXT_XATTR_SECURITY; k++) {
		const char *prefix = prefix_of(k);

		if (!prefix || !str_begins(name, prefix))
			continue;
		if (k == EXT_XATTR_USER && s->opt.no_user_xattr)
			return -EOPNOTSUPP;
		*rest = name + strlen(prefix);
		if (ext_xattr_is_acl(k))
			return **rest ? -EOPNOTSUPP : (int)k;
		return **rest ? (int)k : -EINVAL;
	}
	return -EOPNOTSUPP;
}

/* One entry of a get. 1: it was this one. */
static int get_entry(struct search *s, const struct attr_list *r, const struct ext_xattr_entry *e,
		     const char *name)
{
	if (e->name_index != s->index || strlen(s->name) != e->name_len ||
	    memcmp(s->name, name, e->name_len) != 0)
		return 0;
	s->found = true;
	s->done = (ssize_t)e->value_size;
	if (!s->size)
		return 1;
	if (s->size < e->value_size)
		return -ERANGE;
	memcpy(s->buf, r->values + e->value_offs, e->value_size);
	return 1;
}

/* One entry of a list. */
static int list_entry_name(struct search *s, const struct ext_xattr_entry *e, const char *name)
{
	const char *prefix = prefix_of(e->name_index);
	size_t at = (size_t)s->done, n;

	if (!prefix)
		return 0;
	n = strlen(prefix) + e->name_len + 1;
	s->done += (ssize_t)n;
	if (!s->size)
		return 0;
	if (s->size < at + n)
		return -ERANGE;
	memcpy(s->buf + at, prefix, strlen(prefix));
	memcpy(s->buf + at + strlen(prefix), name, e->name_len);
	s->buf[at + n - 1] = '\0';
	return 0;
}

static size_t entry_size(const struct ext_xattr_entry *e)
{
	return ALIGN_UP(sizeof(*e) + e->name_len, (size_t)4);
}

/*
 * Every entry of @r. 0, 1 (found), -EUCLEAN, -ERANGE. A damaged file system may use the block for
 * something else as well, under another lock: what was checked is what is used.
 */
static int walk(const struct attr_list *r, struct search *s)
{
	size_t at = 0;

	while (at + 4 <= r->size) {
		const char *name = r->base + at + sizeof(struct ext_xattr_entry);
		struct ext_xattr_entry e;
		u32 end;
		int ret;

		memcpy(&end, r->base + at, sizeof(end));
		if (!end)
			return 0;
		if (r->size - at < sizeof(e))
			return -EUCLEAN;
		memcpy(&e, r->base + at, sizeof(e));
		barrier();
		if (r->size - at < entry_size(&e) || e.value_block)
			return -EUCLEAN;
		if (e.value_size > r->values_size || e.value_offs > r->values_size - e.value_size)
			return -EUCLEAN;
		ret = s->name ? get_entry(s, r, &e, name) : list_entry_name(s, &e, name);
		if (ret)
			return ret;
		at += entry_size(&e);
	}
	return 0;
}

/* The part of the inode behind its known fields. */
static int walk_inode(struct inode *i, struct search *s)
{
	struct ext_sb *sb = ext_sb_of(i->sb);
	u32 from = EXT_INODE_OLD + ext_of(i)->extra, magic;
	struct attr_list r;
	struct ext_buf b;
	int err;

	if (sb->inode_size < from + 8)
		return 0;
	err = ext_buf_get(sb, ext_of(i)->table_block, &b);
	if (err)
		return err;
	r.base = (char *)b.data + ext_of(i)->table_off + from;
	memcpy(&magic, r.base, sizeof(magic));
	r.base += sizeof(magic);
	r.size = sb->inode_size - from - sizeof(magic);
	r.values = r.base;
	r.values_size = r.size;
	if (magic == EXT_XATTR_MAGIC)
		err = walk(&r, s);
	ext_buf_put(&b);
	return err;
}

static int walk_block(struct inode *i, struct search *s)
{
	struct ext_sb *sb = ext_sb_of(i->sb);
	const struct ext_xattr_header *h;
	struct attr_list r;
	struct ext_buf b;
	int err;

	if (!ext_of(i)->file_acl)
		return 0;
	err = ext_buf_get(sb, ext_of(i)->file_acl, &b);
	if (err)
		return err;
	h = b.data;
	r.base = (char *)b.data + sizeof(*h);
	r.size = sb->block_size - sizeof(*h);
	r.values = b.data;
	r.values_size = sb->block_size;
	err = h->magic == EXT_XATTR_MAGIC && h->blocks == 1 ? walk(&r, s) : -EUCLEAN;
	ext_buf_put(&b);
	return err;
}

static int search(struct inode *i, struct search *s)
{
	int ret;

	/* A permission check comes here without inode->lock. */
	mutex_lock(&ext_of(i)->map_lock);
	ret = walk_inode(i, s);
	if (!ret)
		ret = walk_block(i, s);
	mutex_unlock(&ext_of(i)->map_lock);
	if (ret == -EUCLEAN)
		return ext_bad(ext_sb_of(i->sb), i->ino, "damaged extended attributes");
	return ret;
}

/* See ext.h. ctx: thread; holds: i->lock; sleeps. Bytes, -ENODATA, -ERANGE, -EUCLEAN, -EIO */
ssize_t ext_xattr_get(struct inode *i, u32 index, const char *name, void *buf, size_t size)
{
	struct search s = { .name = name, .index = index, .buf = buf, .size = size };
	int ret = search(i, &s);

	if (ret < 0)
		return ret;
	return s.found ? s.done : -ENODATA;
}

/* See vfs.h. ctx: thread; sleeps. Bytes, -ENODATA, -ERANGE, -EOPNOTSUPP, -EUCLEAN */
ssize_t ext_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	const char *rest;
	int index = ext_xattr_split(ext_sb_of(i->sb), name, &rest);

	if (index < 0)
		return index;
	if (ext_xattr_is_acl((u32)index))
		return ext_acl_get(i, (u32)index, buf, size);
	return ext_xattr_get(i, (u32)index, rest, buf, size);
}

/* See vfs.h. ctx: thread; sleeps. Bytes, -ERANGE, -EUCLEAN */
ssize_t ext_listxattr(struct inode *i, char *buf, size_t size)
{
	struct search s = { .buf = buf, .size = size };
	int ret = search(i, &s);

	return ret < 0 ? ret : s.done;
}
