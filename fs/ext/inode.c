/*
 * Inodes: read from the inode table, checked, and kept by number while somebody uses them.
 *
 * Life: ext_iget() finds the inode in the table of those in memory or reads it; the last put evicts
 * it. Two that read the same one at once both make it, and the second to finish takes the first's.
 *
 * The last put may come from an allocation that takes back names nobody uses, under any lock. So an
 * inode that is stored as it is goes at once; one with something to be stored stays in the table,
 * dead, until a worker has done that; who wants the same one meanwhile waits. One that has no name
 * is freed on the disk by who put it, unless that is an allocation.
 *
 * Times have 32 bits of seconds; a large inode adds two bits for the years after 2038 and the
 * nanoseconds. Owners have 16 bits and 16 more elsewhere.
 */
#include <linux/errno.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include "fs/ext/ext.h"
#include "fs/namei.h"
#include "fs/pipe.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "mm/vm/writeback.h"

#define AHEAD 16u /* blocks of the table read at once */

static struct list *bucket_of(struct ext_sb *s, u64 ino)
{
	return &s->inodes[ino & (s->nbuckets - 1)];
}

/* The inode in memory, dead or alive. holds: s->lock */
static struct inode *find_locked(struct ext_sb *s, u64 ino)
{
	struct inode *i;

	list_for_each(i, bucket_of(s, ino), hash)
		if (i->ino == ino)
			return i;
	return NULL;
}

/* The inode in memory with a reference, or NULL; *dead: there is one that is about to go. */
static struct inode *find(struct ext_sb *s, u64 ino, bool *dead)
{
	struct inode *i;

	spin_lock(&s->lock);
	i = find_locked(s, ino);
	*dead = i && !ref_get_unless_zero(&i->refs);
	spin_unlock(&s->lock);
	return *dead ? NULL : i;
}

/* See ext.h. ctx: thread */
struct inode *ext_inode_find(struct ext_sb *s, u64 ino)
{
	bool dead;

	return find(s, ino, &dead);
}

static bool is_gone(struct ext_sb *s, u64 ino)
{
	struct inode *i;
	bool gone;

	spin_lock(&s->lock);
	i = find_locked(s, ino);
	gone = !i || ref_read(&i->refs);
	spin_unlock(&s->lock);
	return gone;
}

/* See ext.h. ctx: thread */
bool ext_inode_hash(struct ext_inode *e)
{
	struct ext_sb *s = ext_sb_of(e->inode.sb);
	bool free;

	spin_lock(&s->lock);
	free = !find_locked(s, e->inode.ino);
	if (free)
		list_add(bucket_of(s, e->inode.ino), &e->inode.hash);
	spin_unlock(&s->lock);
	return free;
}

/* Where on the disk inode @ino lies. ctx: thread; sleeps */
int ext_inode_place(struct ext_sb *s, u64 ino, u32 *block, u32 *off)
{
	u32 index = ((u32)ino - 1) % s->inodes_per_group;
	struct ext_group_disk g;
	int err = ext_group_get(s, ((u32)ino - 1) / s->inodes_per_group, &g);

	if (err)
		return err;
	*block = g.inode_table + index / s->inodes_per_block;
	*off = index % s->inodes_per_block * s->inode_size;
	return 0;
}

/* Are there attributes behind the known fields of the inode at @from? */
static bool has_attributes(const struct ext_sb *s, const struct ext_inode_disk *d, const char *from)
{
	u32 at = EXT_INODE_OLD + d->extra_isize, magic;

	if (d->file_acl)
		return true;
	if (s->inode_size == EXT_INODE_OLD || at + 8 > s->inode_size)
		return false;
	memcpy(&magic, from + at, sizeof(magic));
	return magic == EXT_XATTR_MAGIC;
}

/* Read inode @ino as it is on the disk; what a small one lacks is 0. */
static int read_disk(struct ext_sb *s, u32 ino, struct ext_inode_disk *d, u32 *block, u32 *off,
		     bool *attributes)
{
	struct ext_buf b;
	int err = ext_inode_place(s, ino, block, off);
	u32 left;

	if (err)
		return err;
	left = (s->inodes_per_group - (ino - 1) % s->inodes_per_group) / s->inodes_per_block;
	err = ext_buf_get_ahead(s, *block, MIN(left, AHEAD), &b);
	if (err)
		return err;
	memset(d, 0, sizeof(*d));
	memcpy(d, (char *)b.data + *off, MIN((size_t)s->inode_size, sizeof(*d)));
	*attributes = has_attributes(s, d, (char *)b.data + *off);
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

static const char *fault_of(const struct ext_sb *s, const struct ext_inode_disk *d, bool orphan)
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
	if (!d->links_count != orphan)
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

/* By the type; a device's number goes into the block numbers' place. ctx: thread */
void ext_inode_set_ops(struct inode *i, u64 rdev)
{
	struct ext_inode *e = ext_of(i);

	if (S_ISREG(i->mode)) {
		i->ops = &ext_file_inode_ops;
		i->fops = &ext_file_fops;
		i->cache = &e->cache;
		e->cache.ra_pages = blkdev_cache(ext_sb_of(i->sb)->bdev)->ra_pages;
	} else if (S_ISDIR(i->mode)) {
		i->ops = &ext_dir_ops;
		i->fops = &ext_dir_fops;
	} else if (S_ISLNK(i->mode)) {
		i->ops = &ext_link_ops;
	} else {
		u32 major = dev_major(rdev), minor = dev_minor(rdev);

		i->ops = &ext_special_ops;
		inode_init_special(i, rdev);
		if (!S_ISCHR(i->mode) && !S_ISBLK(i->mode))
			return;
		if (major < 256 && minor < 256)
			e->block[0] = major << 8 | minor;
		else
			e->block[1] = (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
	}
}

/* What the VFS knows of e->flags. ctx: thread */
void ext_inode_set_flags(struct inode *i)
{
	u32 flags = ext_of(i)->flags;
	u32 vfs = i->flags & ~(INODE_IMMUTABLE | INODE_APPEND | INODE_NOATIME);

	vfs |= flags & EXT_IMMUTABLE_FL ? INODE_IMMUTABLE : 0;
	vfs |= flags & EXT_APPEND_FL ? INODE_APPEND : 0;
	vfs |= flags & EXT_NOATIME_FL ? INODE_NOATIME : 0;
	WRITE_ONCE(i->flags, vfs);
}

static void from_disk(struct ext_inode *e, const struct ext_inode_disk *d, const struct ext_sb *s)
{
	struct inode *i = &e->inode;

	i->uid = d->uid | (s->opt.no_uid32 ? 0 : (u32)d->uid_high << 16);
	i->gid = d->gid | (s->opt.no_uid32 ? 0 : (u32)d->gid_high << 16);
	i->nlink = d->links_count;
	i->size = d->size | (S_ISREG(d->mode) ? (u64)d->size_high << 32 : 0);
	i->blocks = d->blocks;
	i->atime = e->atime = time_of(d->atime, EXTRA(d, atime_extra));
	i->mtime = e->mtime = time_of(d->mtime, EXTRA(d, mtime_extra));
	i->ctime = e->ctime = time_of(d->ctime, EXTRA(d, ctime_extra));
	i->btime = time_of(EXTRA(d, crtime), EXTRA(d, crtime_extra));
	e->flags = d->flags;
	e->file_acl = d->file_acl;
	e->extra = d->extra_isize;
	e->generation = d->generation;
	ext_inode_set_flags(i);
	ext_inode_set_ops(i, device_of(d));
	memcpy(e->block, d->block, sizeof(e->block));
	e->cache.size = i->size;
	e->dirty = false;
}

/*
 * A struct for inode @ino, of which nothing but the type is known: times now, one link. NULL: no
 * memory. ctx: thread; sleeps
 */
struct ext_inode *ext_inode_alloc(struct super *sb, u64 ino, u32 mode)
{
	struct ext_inode *e = kzalloc(sizeof(*e), 0);

	if (!e)
		return NULL;
	inode_init(&e->inode, sb, ino, mode);
	pagecache_init(&e->cache, &ext_cache_ops, &e->inode);
	mutex_init(&e->map_lock, RANK_EXT_MAP);
	spin_init(&e->store_lock, RANK_SPIN_OUTER);
	list_init(&e->orphan_link);
	list_init(&e->dying_link);
	list_init(&e->window_link);
	e->dirty = true;
	e->meta_first = ~0u;
	return e;
}

/* Is any inode of @s in memory? ctx: thread */
bool ext_inodes_left(struct ext_sb *s)
{
	bool left = false;

	spin_lock(&s->lock);
	for (u32 k = 0; k < s->nbuckets; k++)
		left |= !list_empty(&s->inodes[k]);
	spin_unlock(&s->lock);
	return left;
}

/* Undo ext_inode_alloc of one that nobody else knows. ctx: thread */
void ext_inode_drop(struct ext_inode *e)
{
	ext_index_drop(&e->inode);
	ext_window_drop(&e->inode);
	pagecache_fini(&e->cache);
	kfree(e);
}

/* A struct for @ino as the disk has it; with @orphan one that has no name, and only such a one. */
static int make(struct super *sb, u32 ino, bool orphan, struct ext_inode **out)
{
	struct ext_sb *s = ext_sb_of(sb);
	struct ext_inode_disk d;
	struct ext_inode *e;
	const char *fault;
	u32 block, off;
	bool attributes = false;
	int err = read_disk(s, ino, &d, &block, &off, &attributes);

	if (err)
		return err;
	if (s->inode_size == EXT_INODE_OLD)
		d.extra_isize = 0;
	fault = fault_of(s, &d, orphan);
	if (fault)
		return ext_bad(s, ino, "an inode with a bad %s", fault);
	e = ext_inode_alloc(sb, ino, d.mode);
	if (!e)
		return -ENOMEM;
	e->table_block = block;
	e->table_off = off;
	from_disk(e, &d, s);
	if (attributes)
		e->inode.flags |= INODE_FILECAPS | INODE_ACL; /* perhaps: who asks finds out */
	if (orphan)
		e->dtime = d.dtime;
	*out = e;
	return 0;
}

/*
 * Inode @ino of the list of those that had no name when the file system was used last; in memory it
 * is none of the list. ctx: thread, mounting; sleeps. 0, -EUCLEAN, -EIO, -ENOMEM
 */
int ext_iget_orphan(struct super *sb, u32 ino, struct inode **out)
{
	struct ext_sb *s = ext_sb_of(sb);
	struct ext_inode *e;
	int err;

	if (ino < s->first_ino || ino > s->inodes_count)
		return ext_bad(s, ino, "the list of orphans leads to an inode that is none");
	err = make(sb, ino, true, &e);
	if (err)
		return err;
	if (!ext_inode_hash(e)) {
		ext_inode_drop(e);
		return ext_bad(s, ino, "an orphan is in use");
	}
	*out = &e->inode;
	return 0;
}

/*
 * Inode @ino with a reference. ctx: thread; sleeps. 0, -EUCLEAN (no such inode, or a bad one),
 * -EIO, -ENOMEM
 */
int ext_iget(struct super *sb, u32 ino, struct inode **out)
{
	struct ext_sb *s = ext_sb_of(sb);
	struct ext_inode *e;
	struct inode *i;
	bool dead;
	int err;

	if ((ino != EXT_ROOT_INO && ino < s->first_ino) || ino > s->inodes_count)
		return ext_bad(s, ino, "a name leads to an inode that is none");
	for (;;) {
		i = find(s, ino, &dead);
		if (i) {
			*out = i;
			return 0;
		}
		if (dead) {
			wait_event(&s->evicted, is_gone(s, ino));
			continue;
		}
		err = make(sb, ino, false, &e);
		if (err)
			return err;
		if (ext_inode_hash(e)) {
			*out = &e->inode;
			return 0;
		}
		ext_inode_drop(e);
	}
}

/*
 * Out of the table; who waits for that is told, under the lock: it may be who frees @s. The struct
 * is freed.
 */
static void forget(struct ext_sb *s, struct ext_inode *e)
{
	if (unlikely(e->orphan))
		ext_orphan_drop(&e->inode);
	spin_lock(&s->lock);
	list_del(&e->inode.hash);
	if (waitq_active(&s->evicted))
		waitq_wake_all(&s->evicted);
	spin_unlock(&s->lock);
	pipe_evict(&e->inode);
	ext_inode_drop(e);
}

/* @e has no name: free all it has, and itself. */
static void erase(struct ext_sb *s, struct ext_inode *e)
{
	struct inode *i = &e->inode;
	u64 ino = i->ino;
	bool dir = S_ISDIR(i->mode);

	pagecache_truncate(&e->cache, 0);
	(void)ext_map_cut(i, 0);
	ext_xattr_free(i);
	i->size = 0;
	i->nlink = 0;
	ext_orphan_del(i);
	e->dtime = (u32)(time_wall() / NSEC_PER_SEC);
	(void)ext_inode_store(i);
	ext_pin(s);
	forget(s, e);
	ext_inode_free(s, ino, dir);
	ext_unpin(s);
}

static bool needs_store(const struct ext_inode *e)
{
	const struct inode *i = &e->inode;

	return READ_ONCE(e->dirty) || i->atime != e->atime || i->mtime != e->mtime ||
	       i->ctime != e->ctime || e->cache.ndirty;
}

/* Write what the disk does not have yet, or free what has no name, and let go of it. */
static void let_go(struct ext_sb *s, struct ext_inode *e)
{
	if (READ_ONCE(s->writable) && !e->inode.nlink) {
		erase(s, e);
		return;
	}
	if (READ_ONCE(s->writable) && needs_store(e)) {
		if (e->cache.ndirty)
			(void)writeback_range(&e->cache, 0, ~0ull, WRITEBACK_WAIT);
		(void)ext_inode_store(&e->inode);
	}
	forget(s, e);
}

/*
 * May forget() wait for a lock or for a page? Memory pressure must not: it is under any lock, or in
 * the thread that a page's I/O depends on, as that of a loop device.
 */
static bool forget_waits(struct ext_inode *e)
{
	return e->orphan || e->window_end || pagecache_is_busy(&e->cache);
}

/* super_ops.evict: the last reference is gone. ctx: thread; sleeps, but not for memory pressure */
void ext_evict(struct inode *i)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	struct ext_inode *e = ext_of(i);
	bool pressure = arch_current()->reclaiming, at_once = true;

	if (READ_ONCE(s->writable))
		at_once = i->nlink ? !needs_store(e) : !pressure;
	if (at_once && !(pressure && forget_waits(e))) {
		let_go(s, e);
		return;
	}
	spin_lock(&s->lock);
	list_add_tail(&s->dying, &e->dying_link);
	spin_unlock(&s->lock);
	work_queue(&s->reaper);
}

static struct ext_inode *next_dying(struct ext_sb *s)
{
	struct ext_inode *e = NULL;

	spin_lock(&s->lock);
	if (!list_empty(&s->dying)) {
		e = list_first(&s->dying, struct ext_inode, dying_link);
		list_del(&e->dying_link);
	}
	spin_unlock(&s->lock);
	return e;
}

/* The worker: the end of those that were evicted. ctx: worker; sleeps */
void ext_reap(struct work *w)
{
	struct ext_sb *s = container_of(w, struct ext_sb, reaper);
	struct ext_inode *e;

	while ((e = next_dying(s)))
		let_go(s, e);
}
