/*
 * Inodes: read from the inode table, checked, and kept by number while somebody uses them.
 *
 * Life: ext_iget() finds the inode in the table of those in memory or reads it; the last put evicts
 * it with its pages. Two that read the same one at once both make it, and the second to finish takes
 * the first's.
 *
 * Times have 32 bits of seconds; a large inode adds two bits for the years after 2038 and the
 * nanoseconds. Owners have 16 bits and 16 more elsewhere.
 */
#include <linux/errno.h>
#include <linux/stat.h>
#include "fs/ext/ext.h"
#include "fs/namei.h"
#include "fs/pipe.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

static struct list *bucket_of(struct ext_sb *s, u64 ino)
{
	return &s->inodes[(ino ^ ino >> 8) % EXT_BUCKETS];
}

/* The inode in memory with a reference, or NULL. holds: s->lock */
static struct inode *find_locked(struct ext_sb *s, u32 ino)
{
	struct inode *i;

	list_for_each(i, bucket_of(s, ino), hash)
		if (i->ino == ino && ref_get_unless_zero(&i->refs))
			return i;
	return NULL;
}

/* Read inode @ino as it is on the disk; what a small one lacks is 0. */
static int read_disk(const struct ext_sb *s, u32 ino, struct ext_inode_disk *d)
{
	u32 group = (ino - 1) / s->inodes_per_group, index = (ino - 1) % s->inodes_per_group;
	struct ext_group_disk g;
	struct ext_buf b;
	int err = ext_group_get(s, group, &g);

	if (!err)
		err = ext_buf_get(s, g.inode_table + index / s->inodes_per_block, &b);
	if (err)
		return err;
	memset(d, 0, sizeof(*d));
	memcpy(d, (char *)b.data + index % s->inodes_per_block * s->inode_size,
	       MIN((size_t)s->inode_size, sizeof(*d)));
	ext_buf_put(&b);
	return 0;
}

static bool has_extra(const struct ext_inode_disk *d, size_t end)
{
	return EXT_INODE_OLD + d->extra_isize >= end;
}
#define EXTRA(d, field)                                                                           \
	(has_extra((d), offsetof(struct ext_inode_disk, field) + sizeof((d)->field)) ? (d)->field \
										     : 0)

static s64 time_of(u32 seconds, u32 extra)
{
	s64 s = (s64)(s32)seconds + ((s64)(extra & 3) << 32);

	return s * NSEC_PER_SEC + MIN(extra >> 2, 999999999u);
}

static const char *fault_of(const struct ext_sb *s, const struct ext_inode_disk *d)
{
	u64 size = d->size | (S_ISREG(d->mode) ? (u64)d->size_high << 32 : 0);

	switch (d->mode & S_IFMT) {
	case S_IFREG:
		if (size > ext_max_size(s) && size > 0x7fffffff)
			return "size";
		break;
	case S_IFDIR:
		if (!size || size & (s->block_size - 1))
			return "size";
		break;
	case S_IFLNK:
		if (!size || size >= PAGE_SIZE)
			return "size";
		break;
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK: break;
	default: return "type";
	}
	if (!d->links_count)
		return "link count";
	if (s->inode_size > EXT_INODE_OLD && d->extra_isize > s->inode_size - EXT_INODE_OLD)
		return "extra size";
	if (d->file_acl && !ext_block_valid(s, d->file_acl))
		return "attribute block";
	return NULL;
}

/* major:minor of a device inode: the old 16-bit form, else the new one in the next word. */
static u64 device_of(const struct ext_inode_disk *d)
{
	u32 v = d->block[0];

	if (v)
		return dev_make(v >> 8 & 0xff, v & 0xff);
	v = d->block[1];
	return dev_make((v & 0xfff00) >> 8, (v & 0xff) | (v >> 12 & 0xfff00));
}

static void set_ops(struct inode *i, const struct ext_inode_disk *d)
{
	struct ext_inode *e = ext_of(i);

	if (S_ISREG(i->mode)) {
		i->ops = &ext_file_inode_ops;
		i->fops = &ext_file_fops;
		i->cache = &e->cache;
	} else if (S_ISDIR(i->mode)) {
		i->ops = &ext_dir_ops;
		i->fops = &ext_dir_fops;
	} else if (S_ISLNK(i->mode)) {
		i->ops = &ext_link_ops;
	} else {
		i->ops = &ext_special_ops;
		inode_init_special(i, device_of(d));
	}
}

static void set_flags(struct inode *i, u32 flags)
{
	if (flags & EXT_IMMUTABLE_FL)
		i->flags |= INODE_IMMUTABLE;
	if (flags & EXT_APPEND_FL)
		i->flags |= INODE_APPEND;
	if (flags & EXT_NOATIME_FL)
		i->flags |= INODE_NOATIME;
}

static void from_disk(struct ext_inode *e, const struct ext_inode_disk *d, const struct ext_sb *s)
{
	struct inode *i = &e->inode;

	i->uid = d->uid | (s->no_uid32 ? 0 : (u32)d->uid_high << 16);
	i->gid = d->gid | (s->no_uid32 ? 0 : (u32)d->gid_high << 16);
	i->nlink = d->links_count;
	i->size = d->size | (S_ISREG(d->mode) ? (u64)d->size_high << 32 : 0);
	i->blocks = d->blocks;
	i->atime = time_of(d->atime, EXTRA(d, atime_extra));
	i->mtime = time_of(d->mtime, EXTRA(d, mtime_extra));
	i->ctime = time_of(d->ctime, EXTRA(d, ctime_extra));
	i->btime = time_of(EXTRA(d, crtime), EXTRA(d, crtime_extra));
	e->flags = d->flags;
	e->file_acl = d->file_acl;
	e->extra = d->extra_isize;
	memcpy(e->block, d->block, sizeof(e->block));
	pagecache_init(&e->cache, &ext_cache_ops, i);
	e->cache.size = i->size;
	e->cache.ra_pages = S_ISREG(d->mode) ? blkdev_cache(s->bdev)->ra_pages : 0;
	set_flags(i, d->flags);
	set_ops(i, d);
}

/* A struct for @ino as the disk has it. */
static int make(struct super *sb, u32 ino, struct ext_inode **out)
{
	const struct ext_sb *s = ext_sb_of(sb);
	struct ext_inode_disk d;
	struct ext_inode *e;
	const char *fault;
	int err = read_disk(s, ino, &d);

	if (err)
		return err;
	if (s->inode_size == EXT_INODE_OLD)
		d.extra_isize = 0;
	fault = fault_of(s, &d);
	if (fault)
		return ext_bad(s, ino, "an inode with a bad %s", fault);
	e = kzalloc(sizeof(*e), 0);
	if (!e)
		return -ENOMEM;
	inode_init(&e->inode, sb, ino, d.mode);
	from_disk(e, &d, s);
	*out = e;
	return 0;
}

/*
 * Inode @ino with a reference. ctx: thread; sleeps. 0, -EUCLEAN (no such inode, or a bad one), -EIO,
 * -ENOMEM
 */
int ext_iget(struct super *sb, u32 ino, struct inode **out)
{
	struct ext_sb *s = ext_sb_of(sb);
	struct ext_inode *e = NULL;
	struct inode *i;
	int err;

	if ((ino != EXT_ROOT_INO && ino < s->first_ino) || ino > s->inodes_count)
		return ext_bad(s, ino, "a name leads to an inode that is none");
	spin_lock(&s->lock);
	i = find_locked(s, ino);
	spin_unlock(&s->lock);
	if (i) {
		*out = i;
		return 0;
	}
	err = make(sb, ino, &e);
	if (err)
		return err;
	spin_lock(&s->lock);
	i = find_locked(s, ino);
	if (!i)
		list_add(bucket_of(s, ino), &e->inode.hash);
	spin_unlock(&s->lock);
	if (i) {
		pagecache_fini(&e->cache);
		kfree(e);
	}
	*out = i ? i : &e->inode;
	return 0;
}

/* super_ops.evict: the last reference is gone. ctx: thread; sleeps */
void ext_evict(struct inode *i)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	struct ext_inode *e = ext_of(i);

	spin_lock(&s->lock);
	list_del(&i->hash);
	spin_unlock(&s->lock);
	pipe_evict(i);
	pagecache_fini(&e->cache);
	kfree(e);
}
