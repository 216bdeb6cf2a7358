/*
 * Allocating and freeing inodes.
 *
 * A file goes to the group of its directory, so that reading a directory's files moves the disk's
 * heads little. A directory of the top level goes to a group with few directories and much room,
 * any other to its parent's neighbourhood unless that is crowded (M. Orlov's rules). Where the
 * wanted group is full, others follow: first those that a hash of the parent's number leads to,
 * then all.
 *
 * A new inode's place on the disk is zeroed before its number is given to anybody.
 */
#include <linux/errno.h>
#include <linux/stat.h>
#include "fs/ext/ext.h"
#include "kernel/base/rand.h"
#include "kernel/lib/bitmap.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

#define GROUP_NONE (~0u)
#define GENERATION_STEP 0x9e3779b1u

/* The first block of the group that inode @ino lies in. ctx: any */
u32 ext_inode_goal(const struct ext_sb *s, u64 ino)
{
	u32 first = ext_group_first(s, ((u32)ino - 1) / s->inodes_per_group);

	/* Inodes of one group begin at different parts of it. */
	return first + ((u32)ino & 15) * (s->blocks_per_group / 16);
}

/* The best group for a directory of the top level: at least average room, fewest directories. */
static u32 spread(struct ext_sb *s)
{
	u32 start = (u32)(rand_u64() % s->ngroups), best = GROUP_NONE, fewest = ~0u;
	u32 avg_inodes = s->free_inodes / s->ngroups, avg_blocks = s->free_blocks / s->ngroups;

	for (u32 n = 0; n < s->ngroups; n++) {
		u32 g = (start + n) % s->ngroups;
		struct ext_group_disk d;

		if (ext_group_get(s, g, &d) || !d.free_inodes_count ||
		    d.used_dirs_count >= fewest || d.free_inodes_count < avg_inodes ||
		    d.free_blocks_count < avg_blocks)
			continue;
		best = g;
		fewest = d.used_dirs_count;
	}
	return best;
}

/* The first group from the parent's on that is not crowded. */
static u32 near_parent(struct ext_sb *s, u32 parent)
{
	u32 max_dirs = s->dirs / s->ngroups + s->inodes_per_group / 16;
	u32 min_inodes = s->free_inodes / s->ngroups -
			 MIN(s->free_inodes / s->ngroups, s->inodes_per_group / 4);
	u32 min_blocks = s->free_blocks / s->ngroups -
			 MIN(s->free_blocks / s->ngroups, s->blocks_per_group / 4);

	for (u32 n = 0; n < s->ngroups; n++) {
		u32 g = (parent + n) % s->ngroups;
		struct ext_group_disk d;

		if (!ext_group_get(s, g, &d) && d.free_inodes_count &&
		    d.used_dirs_count < max_dirs && d.free_inodes_count >= min_inodes &&
		    d.free_blocks_count >= min_blocks)
			return g;
	}
	return GROUP_NONE;
}

static u32 group_for(struct ext_sb *s, const struct inode *dir, u32 mode)
{
	u32 parent = ((u32)dir->ino - 1) / s->inodes_per_group, g = GROUP_NONE;
	bool top = dir->ino == EXT_ROOT_INO || (ext_of(dir)->flags & EXT_TOPDIR_FL);

	if (!S_ISDIR(mode) || s->ngroups == 1)
		return parent;
	if (top)
		g = spread(s);
	if (g == GROUP_NONE)
		g = near_parent(s, parent);
	return g == GROUP_NONE ? parent : g;
}

/* Number @n of the groups to be looked at, from @start on: 1, 2, 4 ... away, then one by one. */
static u32 probe(const struct ext_sb *s, u32 start, u32 n)
{
	u32 steps = 0;

	while ((1u << steps) < s->ngroups)
		steps++;
	if (n <= steps)
		return (u32)((start + (n ? (1ull << n) - 1 : 0)) % s->ngroups);
	return (start + n - steps) % s->ngroups;
}

/* Take an inode of @group. 0 with *ino, -ENOSPC, -EUCLEAN, -EIO. holds: the group's lock */
static int take(struct ext_sb *s, u32 group, bool dir, u32 *ino)
{
	struct ext_group_map m;
	u64 at;
	int err = ext_group_map_get(s, group, true, true, &m);

	if (err)
		return err;
	at = bitmap_find_clear(m.map, s->inodes_per_group, 0);
	err = at == BITMAP_NONE ? -ENOSPC : 0;
	if (!err && group == 0 && at < s->first_ino - 1)
		err = ext_bad(s, at + 1, "the inode bitmap has a reserved inode free");
	if (err)
		goto put;
	bitmap_set(m.map, at);
	m.d->free_inodes_count--;
	if (dir)
		m.d->used_dirs_count++;
	ext_group_map_dirty(s, &m);
	*ino = group * s->inodes_per_group + (u32)at + 1;
put:
	ext_group_map_put(&m);
	return err;
}

static int find_free(struct ext_sb *s, const struct inode *dir, u32 mode, u32 *ino)
{
	u32 start = group_for(s, dir, mode);
	int err = -ENOSPC;

	if (!__atomic_load_n(&s->free_inodes, __ATOMIC_RELAXED))
		return -ENOSPC;
	for (u32 n = 0; n < s->ngroups + 32; n++) {
		u32 g = probe(s, start, n);
		int ret;

		ext_group_lock(s, g);
		ret = take(s, g, S_ISDIR(mode), ino);
		ext_group_unlock(s, g);
		if (!ret) {
			__atomic_sub_fetch(&s->free_inodes, 1, __ATOMIC_RELAXED);
			if (S_ISDIR(mode))
				__atomic_add_fetch(&s->dirs, 1, __ATOMIC_RELAXED);
			return 0;
		}
		err = ret != -ENOSPC ? ret : err;
		if (ret == -ENOMEM)
			break;
	}
	return err;
}

/*
 * Inode @ino is in use no more; nothing of it is in memory. ctx: thread; sleeps. What cannot be
 * freed stays in use, which e2fsck finds.
 */
void ext_inode_free(struct ext_sb *s, u64 ino, bool dir)
{
	u32 group = ((u32)ino - 1) / s->inodes_per_group;
	u32 at = ((u32)ino - 1) % s->inodes_per_group;
	struct ext_group_map m;

	ext_freed(s);
	ext_group_lock(s, group);
	if (ext_group_map_get(s, group, true, false, &m))
		goto unlock;
	if (!bitmap_test(m.map, at) || m.d->free_inodes_count >= s->inodes_per_group) {
		ext_bad(s, ino, "an inode that is freed is free already");
		goto put;
	}
	bitmap_clear(m.map, at);
	m.d->free_inodes_count++;
	__atomic_add_fetch(&s->free_inodes, 1, __ATOMIC_RELAXED);
	if (dir && m.d->used_dirs_count) {
		m.d->used_dirs_count--;
		__atomic_sub_fetch(&s->dirs, 1, __ATOMIC_RELAXED);
	}
	ext_group_map_dirty(s, &m);
put:
	ext_group_map_put(&m);
unlock:
	ext_group_unlock(s, group);
}

/* Zero the place of inode @ino on the disk, and remember it in @e. */
static int clear_place(struct ext_sb *s, u32 ino, struct ext_inode *e)
{
	struct ext_buf b;
	int err = ext_inode_place(s, ino, &e->table_block, &e->table_off);

	if (!err)
		err = ext_buf_get(s, e->table_block, &b);
	if (err)
		return err;
	memset((char *)b.data + e->table_off, 0, s->inode_size);
	ext_buf_dirty(s, &b);
	ext_buf_put(&b);
	return 0;
}

static u32 inherited_flags(const struct inode *dir, u32 mode)
{
	u32 flags = ext_of(dir)->flags & EXT_INHERITED_FL;

	if (S_ISDIR(mode))
		return flags;
	if (S_ISREG(mode))
		return flags & ~EXT_DIRSYNC_FL;
	return flags & (EXT_NODUMP_FL | EXT_NOATIME_FL);
}

/* Owner and mode: the directory's group with grpid, else by the rules of all file systems. */
static void init_owner(struct inode *i, const struct inode *dir, u32 mode)
{
	inode_init_owner(i, dir, mode);
	if (!ext_sb_of(i->sb)->opt.grpid)
		return;
	i->mode = mode;
	i->gid = dir->gid;
}

/*
 * See ext.h. What is made is stored and dropped again by clearing its link count and putting it.
 * ctx: thread; holds: dir->lock for writing; sleeps. 0, -ENOSPC, -EIO, -EUCLEAN, -ENOMEM
 */
int ext_inode_new(struct inode *dir, u32 mode, u64 rdev, struct inode **out)
{
	struct ext_sb *s = ext_sb_of(dir->sb);
	struct ext_inode *e = ext_inode_alloc(dir->sb, 0, mode);
	struct inode *i;
	u32 ino = 0;
	int err;

	if (!e)
		return -ENOMEM;
	if (!READ_ONCE(s->writable)) {
		err = -EROFS;
		goto drop;
	}
	i = &e->inode;
	err = find_free(s, dir, mode, &ino);
	if (err)
		goto drop;
	i->ino = ino;
	init_owner(i, dir, mode);
	e->flags = inherited_flags(dir, mode);
	e->generation = __atomic_add_fetch(&s->next_generation, GENERATION_STEP, __ATOMIC_RELAXED);
	if (s->inode_size > EXT_INODE_OLD)
		e->extra = (u16)MIN(EXT_WANT_EXTRA, s->inode_size - EXT_INODE_OLD);
	ext_inode_set_flags(i);
	ext_inode_set_ops(i, rdev);
	err = clear_place(s, ino, e);
	if (err)
		goto free;
	if (!ext_inode_hash(e)) {
		/* The bitmap has it free, yet it is in use: it stays marked. */
		err = ext_bad(s, ino, "a new inode's number is in use");
		goto drop;
	}
	*out = i;
	return 0;
free:
	ext_inode_free(s, ino, S_ISDIR(mode));
drop:
	ext_inode_drop(e);
	return err;
}
