/*
 * write(2) and stores through mappings: blocks before data.
 *
 * A write goes on in pieces, each all of blocks that are there, or all of a hole. The former is the
 * page cache's alone. For the latter the pages are brought into the cache first, where the hole
 * reads as zeroes, and are held; then blocks are given to what is written; then the data is copied.
 * So what a new block held before is never read, and a page whose blocks are there is dirty before
 * it can leave memory. If the copy ends early, the pages are dirty all the same, with zeroes in the
 * rest; blocks beyond the end that the file then has are freed.
 *
 * A store through a mapping to a page with a hole does the same for that page, which is mapped and
 * so in the cache: all of its blocks up to the end of the file. No space makes it a SIGBUS.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include "fs/ext/ext.h"
#include "kernel/base/uio.h"
#include "kernel/sched/thread.h"

#define HOLD 32u /* pages that are held at once */
#define KNOWN 128u /* blocks that are looked at beyond what a write needs */

/* Write @n bytes at most of what is left. Bytes or -errno. */
static ssize_t write_some(struct inode *i, struct uio *u, u64 *pos, size_t n)
{
	size_t kept = u->left - MIN(n, u->left);
	ssize_t done;

	u->left -= kept;
	done = pagecache_write(i->cache, u, pos);
	u->left += kept;
	return done;
}

/* Pages of [@pos, @pos + @n) into @pages, up to date. How many, or -errno when not even one. */
static int hold_pages(struct inode *i, u64 pos, size_t n, struct page **pages)
{
	u64 first = pos >> PAGE_SHIFT, last = (pos + n - 1) >> PAGE_SHIFT;
	u32 count = (u32)MIN(last - first + 1, (u64)HOLD);

	for (u32 k = 0; k < count; k++) {
		int err = pagecache_get(i->cache, first + k, &pages[k]);

		if (err)
			return k ? (int)k : err;
	}
	return (int)count;
}

/* Give blocks to the bytes [@pos, @end), holes at first. *@end may become less; 0 or -errno. */
static int give_blocks(struct inode *i, u64 pos, u64 *end)
{
	u32 bits = ext_sb_of(i->sb)->block_bits, phys, count;
	u64 at = pos >> bits, stop = ((*end - 1) >> bits) + 1;
	struct ext_inode *e = ext_of(i);
	int err = 0;

	mutex_lock(&e->map_lock);
	while (at < stop && !err) {
		err = ext_map_new(i, at, (u32)(stop - at), &phys, &count);
		if (!err)
			at += count;
	}
	mutex_unlock(&e->map_lock);
	*end = MIN(*end, at << bits);
	return *end > pos ? 0 : err;
}

/*
 * Write to a hole, *@n bytes of which are known to be one; *@n gets what was to be done. Bytes or
 * -errno.
 */
static ssize_t write_hole(struct inode *i, struct uio *u, u64 *pos, size_t *n)
{
	struct page *pages[HOLD];
	int held = hold_pages(i, *pos, *n, pages), err;
	u64 end = *pos + *n;
	ssize_t done;

	if (held < 0)
		return held;
	end = MIN(end, ((*pos >> PAGE_SHIFT) + (u64)held) << PAGE_SHIFT);
	err = give_blocks(i, *pos, &end);
	*n = end - *pos;
	done = err ? err : write_some(i, u, pos, *n);
	for (int k = 0; k < held; k++) {
		if (!err && (pages[k]->index << PAGE_SHIFT) < i->cache->size)
			pagecache_mark_dirty(i->cache, pages[k]);
		page_put(pages[k]);
	}
	return done;
}

/*
 * As ext_map(), but of blocks that are there only tells that, *@phys is 1. What the last write
 * found is remembered until something is cut. holds: i->lock for writing
 */
static int map_known(struct inode *i, u64 index, u32 want, u32 *phys, u32 *count)
{
	struct ext_inode *e = ext_of(i);
	int err = 0;

	if (unlikely(index - e->known >= e->known_count)) {
		err = ext_map(i, index, want, phys, count);
		if (!err && *phys && *count == want && want < KNOWN)
			err = ext_map(i, index, KNOWN, phys, count);
		if (!err && *phys) {
			e->known = index;
			e->known_count = *count;
		}
	} else {
		*phys = 1;
		*count = (u32)(e->known + e->known_count - index);
	}
	*count = MIN(*count, want);
	return err;
}

/*
 * Everything that can be written. Bytes, or -errno when there were none. holds: i->lock for writing
 */
static ssize_t write_all(struct inode *i, struct uio *u, u64 *pos)
{
	u32 bits = ext_sb_of(i->sb)->block_bits;
	u64 start = *pos;
	ssize_t done = 0;

	while (u->left) {
		u64 want = ((*pos + u->left - 1) >> bits) - (*pos >> bits) + 1;
		u32 phys, count;
		int err = map_known(i, *pos >> bits, (u32)MIN(want, (u64)~0u), &phys, &count);
		size_t n;

		if (err) {
			done = err;
			break;
		}
		n = MIN(u->left, (((*pos >> bits) + count) << bits) - *pos);
		done = phys ? write_some(i, u, pos, n) : write_hole(i, u, pos, &n);
		if (done <= 0 || (size_t)done < n)
			break;
	}
	return *pos > start ? (ssize_t)(*pos - start) : done;
}

/* See ext.h. ctx: thread; holds: i->lock for writing; sleeps */
ssize_t ext_write_locked(struct inode *i, struct uio *u, u64 *pos)
{
	struct ext_inode *e = ext_of(i);
	u64 old = i->cache->size;
	ssize_t n = ext_need_large_file(ext_sb_of(i->sb), *pos + u->left);

	if (n)
		return n;
	/* A mapping may have stored behind the old end. */
	if (*pos > old)
		pagecache_punch(i->cache, old, MIN(*pos, ALIGN_UP(old, (u64)PAGE_SIZE)));
	__atomic_store_n(&e->writer, current, __ATOMIC_RELAXED);
	n = write_all(i, u, pos);
	__atomic_store_n(&e->writer, NULL, __ATOMIC_RELAXED);
	WRITE_ONCE(i->size, i->cache->size);
	if (i->size != old)
		ext_inode_dirty(i);
	if (u->left) {
		/* Blocks that no data came for. */
		mutex_lock(&e->map_lock);
		(void)ext_map_cut(i, DIV_ROUND_UP(i->size, 1ull << ext_sb_of(i->sb)->block_bits));
		mutex_unlock(&e->map_lock);
	}
	return n;
}

static int write_sync(struct file *f, const struct uio *u, u64 start, u64 end)
{
	bool all = (f->flags & __O_SYNC) || (u->flags & RWF_SYNC);
	bool asked = all || (f->flags & O_DSYNC) || (u->flags & RWF_DSYNC) ||
		     (READ_ONCE(f->inode->sb->flags) & MS_SYNCHRONOUS) ||
		     (ext_of(f->inode)->flags & EXT_SYNC_FL);

	return likely(!asked) ? 0 : ext_fsync(f, start, end - 1, !all);
}

/* file_ops.write */
ssize_t ext_file_write(struct file *f, struct uio *u, u64 *pos)
{
	struct inode *i = f->inode;
	ssize_t n;
	int err;

	rwsem_write_lock(&i->lock);
	n = i->flags & INODE_IMMUTABLE ? -EPERM : generic_write_begin(f, u, pos);
	if (!n && u->left)
		n = f->flags & O_DIRECT ? ext_direct_write(i, u, pos) : ext_write_locked(i, u, pos);
	rwsem_write_unlock(&i->lock);
	err = n > 0 ? write_sync(f, u, *pos - (u64)n, *pos) : 0;
	return err ? err : n;
}

/* Blocks for page @index of a mapping. holds: map_lock. 0, -EIO (beyond the end), -ENOSPC ... */
static int map_page(struct inode *i, u64 index)
{
	u32 bits = ext_sb_of(i->sb)->block_bits, phys, count;
	u64 size = READ_ONCE(i->cache->size);
	u64 at = index << (PAGE_SHIFT - bits);
	u64 stop = MIN((index + 1) << (PAGE_SHIFT - bits), DIV_ROUND_UP(size, 1ull << bits));
	int err = at < stop ? 0 : -EIO;

	while (at < stop && !err) {
		err = ext_map_new(i, at, (u32)(stop - at), &phys, &count);
		if (!err)
			at += count;
	}
	return err;
}

/*
 * pagecache_ops.make_writable: page @index, in the cache and held, is about to be stored to through
 * a mapping, or written to by write(2), which has seen to its blocks. ctx: thread; sleeps
 */
int ext_make_writable(struct pagecache *pc, u64 index)
{
	struct inode *i = pc->owner;
	struct ext_inode *e = ext_of(i);
	struct page *p;
	int err;

	if (likely(__atomic_load_n(&e->writer, __ATOMIC_RELAXED) == current))
		return 0;
	mutex_lock(&e->map_lock);
	err = map_page(i, index);
	mutex_unlock(&e->map_lock);
	inode_touch(i, ATTR_MTIME | ATTR_CTIME);
	if (likely(!err) || err == -EIO)
		return err;
	/* Some blocks of it may be there now: they are to hold what the page does. */
	p = pagecache_find(pc, index);
	if (p) {
		pagecache_mark_dirty(pc, p);
		page_put(p);
	}
	return err;
}
