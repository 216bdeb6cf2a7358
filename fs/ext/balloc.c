/*
 * Allocating and freeing blocks.
 *
 * A file's next block is best where its last one ends: the caller's goal. It is looked for from
 * there to the end of the group, first as eight blocks in a row when several are wanted, then as
 * any; then in the other groups in turn. What is taken is a run as long as wanted, or as free.
 *
 * The bitmap of a group is believed only as far as it can be: before its first use by a mount it
 * must have the group's own metadata marked; a group whose bitmap has not is left alone. A block is
 * freed only if it is none of the file system's own and was in use.
 *
 * The counts of the file system in memory are sums of the groups'; they only tell when it is full.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include "fs/ext/ext.h"
#include "kernel/lib/bitmap.h"
#include "kernel/sched/thread.h"

#define ROW 8u /* blocks in a row that are looked for first */

/* Blocks that current may still take. */
static u32 available(const struct ext_sb *s)
{
	u32 free = __atomic_load_n(&s->free_blocks, __ATOMIC_RELAXED), kept = s->reserved;
	const struct cred *c = current->cred;

	if (kept && (cred_capable(c, CAP_SYS_RESOURCE) || c->fsuid == s->opt.resuid ||
		     (s->opt.resgid && cred_in_group(c, s->opt.resgid))))
		kept = 0;
	return free > kept ? free - kept : 0;
}

static bool all_set(const u64 *map, u32 from, u32 count)
{
	return bitmap_find_clear(map, from + count, from) == BITMAP_NONE;
}

/* Does the bitmap know @count blocks from @block on, as far as they lie in the group? */
static bool knows(const u64 *map, u32 first, u32 blocks, u32 block, u32 count)
{
	if (block < first || block - first >= blocks)
		return true;
	return all_set(map, block - first, MIN(count, blocks - (block - first)));
}

/* The bitmap of @group has its own blocks marked, or cannot be trusted. holds: the group's lock */
static int check_bitmap(struct ext_sb *s, u32 group, const struct ext_group_disk *d, const u64 *map)
{
	u32 first = ext_group_first(s, group), blocks = ext_group_blocks(s, group);

	if (likely(bitmap_test(s->checked, group)))
		return 0;
	if (!knows(map, first, blocks, d->block_bitmap, 1) ||
	    !knows(map, first, blocks, d->inode_bitmap, 1) ||
	    !knows(map, first, blocks, d->inode_table, ext_table_blocks(s)) ||
	    (ext_group_has_super(s, group) &&
	     !knows(map, first, blocks, first, MIN(1 + s->gdt_blocks, blocks))))
		return ext_bad(s, 0, "the block bitmap of group %u lacks the group's own blocks",
			       group);
	bitmap_set(s->checked, group);
	return 0;
}

/* A free run in @map of @bits from @from on, @want long at most: its first bit, or BITMAP_NONE. */
static u64 find_run(const u64 *map, u32 bits, u32 from, u32 want, u32 *count)
{
	u64 at = BITMAP_NONE;
	u32 n = 1;

	if (from < bits && !bitmap_test(map, from))
		at = from;
	if (at == BITMAP_NONE && want >= ROW)
		at = bitmap_find_clear_range(map, bits, from, ROW, ROW);
	if (at == BITMAP_NONE)
		at = bitmap_find_clear(map, bits, from);
	if (at == BITMAP_NONE)
		return at;
	while (n < want && at + n < bits && !bitmap_test(map, at + n))
		n++;
	*count = n;
	return at;
}

/* The same outside the windows of others. holds: the group's lock */
static u64 find_outside(struct inode *i, u32 group, const u64 *map, u32 from, u32 want, u32 *count)
{
	const struct ext_sb *s = ext_sb_of(i->sb);
	u32 first = ext_group_first(s, group), bits = ext_group_blocks(s, group), next;

	while (from < bits) {
		u64 at = find_run(map, bits, from, want, count);

		if (at == BITMAP_NONE || ext_window_avoid(i, group, first + (u32)at, count, &next))
			return at;
		from = next - first;
	}
	return BITMAP_NONE;
}

/*
 * Take blocks of @group, from bit @from on; with @steal out of windows too. 0 with *first and
 * *count, -ENOSPC, -EUCLEAN, -EIO, -ENOMEM. holds: the group's lock
 */
static int take(struct inode *i, u32 group, u32 from, bool steal, u32 *count, u32 *first)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	u32 bits = ext_group_blocks(s, group), n = 0;
	struct ext_group_map m;
	u64 at;
	int err = ext_group_map_get(s, group, false, true, &m);

	if (err)
		return err;
	err = check_bitmap(s, group, m.d, m.map);
	if (err)
		goto put;
	*count = MIN(*count, (u32)m.d->free_blocks_count);
	at = steal ? find_run(m.map, bits, from, *count, &n)
		   : find_outside(i, group, m.map, from, *count, &n);
	err = at == BITMAP_NONE ? -ENOSPC : 0;
	if (err)
		goto put;
	bitmap_set_range(m.map, at, n);
	m.d->free_blocks_count -= (u16)n;
	ext_group_map_dirty(s, &m);
	*first = ext_group_first(s, group) + (u32)at;
	*count = n;
	ext_window_keep(i, group, m.map, *first + n);
put:
	ext_group_map_put(&m);
	return err;
}

/* Is any free block of @group anywhere? Its descriptor is looked at without the lock. */
static bool worth_a_look(struct ext_sb *s, u32 group)
{
	struct ext_group_disk d;

	return !ext_group_get(s, group, &d) && d.free_blocks_count;
}

/* See ext.h. ctx: thread; sleeps. 0, -ENOSPC, -EUCLEAN, -EIO, -ENOMEM */
int ext_blocks_alloc(struct inode *i, u32 goal, u32 *count, u32 *first)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	u32 want = MIN(*count, available(s)), group, from;
	int err = -ENOSPC, ret;

	if (unlikely(!READ_ONCE(s->writable)))
		return -EROFS;
	if (!want)
		return -ENOSPC;
	if (!ext_block_valid(s, goal))
		goal = ext_inode_goal(s, i->ino);
	group = (goal - s->first_block) / s->blocks_per_group;
	from = (goal - s->first_block) % s->blocks_per_group;
	if (ext_of(i)->window_end &&
	    goal - ext_of(i)->window > ext_of(i)->window_end - ext_of(i)->window)
		ext_window_drop(i);
	/*
	 * The goal's group comes once more at the end, for what lies before the goal; then all of
	 * them again, for what is kept for others.
	 */
	for (u32 n = 0; n <= 2 * s->ngroups; n++) {
		if (!n || worth_a_look(s, group)) {
			*count = want;
			ext_window_stay(i, group);
			ext_group_lock(s, group);
			ret = take(i, group, from, n > s->ngroups, count, first);
			ext_group_unlock(s, group);
			if (!ret) {
				__atomic_sub_fetch(&s->free_blocks, *count, __ATOMIC_RELAXED);
				return 0;
			}
			err = ret != -ENOSPC ? ret : err;
			if (ret == -ENOMEM)
				break;
		}
		group = group + 1 < s->ngroups ? group + 1 : 0;
		from = 0;
	}
	return err;
}

/* How many of @count bits from @at on are set; all are clear afterwards. */
static u32 clear_bits(u64 *map, u32 at, u32 count)
{
	u32 n = 0;

	for (u32 k = at; k < at + count; k++) {
		n += bitmap_test(map, k);
		bitmap_clear(map, k);
	}
	return n;
}

/* The part of ext_blocks_free() that lies in @group. holds: the group's lock */
static void give_back(struct ext_sb *s, u64 ino, u32 group, u32 block, u32 count)
{
	struct ext_group_map m;
	u32 n;

	if (ext_group_map_get(s, group, false, false, &m))
		return;
	if (ext_group_own(s, group, m.d, block, count)) {
		ext_bad(s, ino, "blocks %u+%u to be freed are the file system's own", block, count);
		goto put;
	}
	if (check_bitmap(s, group, m.d, m.map))
		goto put;
	n = clear_bits(m.map, block - ext_group_first(s, group), count);
	if (n != count)
		ext_bad(s, ino, "of blocks %u+%u to be freed only %u are in use", block, count, n);
	if (m.d->free_blocks_count + n > ext_group_blocks(s, group)) {
		ext_bad(s, ino, "group %u has more free blocks than blocks", group);
		n = ext_group_blocks(s, group) -
		    MIN(ext_group_blocks(s, group), (u32)m.d->free_blocks_count);
	}
	m.d->free_blocks_count += (u16)n;
	__atomic_add_fetch(&s->free_blocks, n, __ATOMIC_RELAXED);
	ext_group_map_dirty(s, &m);
put:
	ext_group_map_put(&m);
}

/*
 * Blocks that inode @ino has no more. What cannot be freed stays in use, which e2fsck finds.
 * ctx: thread; sleeps
 */
void ext_blocks_free(struct ext_sb *s, u64 ino, u32 block, u32 count)
{
	if (!ext_block_valid(s, block) || count > s->blocks_count - block) {
		ext_bad(s, ino, "blocks %u+%u to be freed are none", block, count);
		return;
	}
	ext_freed(s);
	while (count) {
		u32 group = (block - s->first_block) / s->blocks_per_group;
		u32 n = MIN(count, ext_group_first(s, group) + ext_group_blocks(s, group) - block);

		ext_group_lock(s, group);
		give_back(s, ino, group, block, n);
		ext_group_unlock(s, group);
		block += n;
		count -= n;
	}
}
