/*
 * Windows: room behind the last block of a file that grows, which other files leave alone, so that
 * several that are written at once each lie in a row.
 *
 * A window is only in memory: its blocks are free in the bitmap, and count as free. It is made
 * behind a block that a regular file got, of the free blocks that follow there; the file's next
 * block comes from its beginning, and when all of it is taken the next one is twice as large. Who
 * finds free blocks only in windows of others takes those. A window goes when the last who writes
 * to the file closes it, and when the file's goal is another.
 *
 * The windows of a group are on the list of the group's lock, which guards them; that of an inode
 * is changed under its map_lock too, so its own can be looked at under either.
 */
#include "fs/ext/ext.h"
#include "kernel/lib/bitmap.h"

#define SMALLEST 8u /* blocks */
#define LARGEST 512u

static struct list *windows_of(struct ext_sb *s, u32 group)
{
	return &s->windows[group % EXT_GROUP_LOCKS];
}

/* See ext.h. ctx: thread; holds: the lock of the group that @block is in */
bool ext_window_avoid(struct inode *i, u32 group, u32 block, u32 *count, u32 *next)
{
	struct ext_inode *e;

	list_for_each(e, windows_of(ext_sb_of(i->sb), group), window_link) {
		if (&e->inode == i || e->window_end <= block || e->window >= block + *count)
			continue;
		if (e->window <= block) {
			*next = e->window_end;
			return false;
		}
		*count = e->window - block;
	}
	return true;
}

static void unlink_window(struct ext_inode *e)
{
	list_del(&e->window_link);
	e->window = e->window_end = 0;
}

static u32 group_of(const struct ext_sb *s, u32 block)
{
	return (block - s->first_block) / s->blocks_per_group;
}

/* See ext.h. ctx: thread; holds: map_lock, the lock of @group */
void ext_window_keep(struct inode *i, u32 group, const u64 *map, u32 block)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	struct ext_inode *e = ext_of(i);
	u32 first = ext_group_first(s, group), blocks = ext_group_blocks(s, group);
	u32 n = 0, most, next;

	if (!S_ISREG(i->mode))
		return;
	if (e->window_end > block && e->window <= block) {
		e->window = block;
		return;
	}
	if (e->window_end)
		unlink_window(e);
	e->window_size = most = MIN(MAX(e->window_size * 2, SMALLEST), LARGEST);
	while (n < most && block - first + n < blocks && !bitmap_test(map, block - first + n))
		n++;
	if (!n || !ext_window_avoid(i, group, block, &n, &next))
		return;
	e->window = block;
	e->window_end = block + n;
	list_add(windows_of(s, group), &e->window_link);
}

/* See ext.h. ctx: thread; holds: map_lock; sleeps */
void ext_window_stay(struct inode *i, u32 group)
{
	const struct ext_inode *e = ext_of(i);

	if (e->window_end && group_of(ext_sb_of(i->sb), e->window_end - 1) != group)
		ext_window_drop(i);
}

/* See ext.h. ctx: thread; holds: map_lock, or nobody uses @i; sleeps */
void ext_window_drop(struct inode *i)
{
	struct ext_sb *s = ext_sb_of(i->sb);
	struct ext_inode *e = ext_of(i);
	u32 group;

	if (!e->window_end)
		return;
	group = group_of(s, e->window_end - 1);
	ext_group_lock(s, group);
	unlink_window(e);
	ext_group_unlock(s, group);
}
