/*
 * read(2) and write(2) through a page cache.
 *
 * Reading copies straight from the page to the caller under a reference; nothing is locked, so the
 * caller's memory may be a mapping of the very same file and fault. Holes of memory-only files read
 * as zeroes without making pages.
 *
 * Writing to a page that is in the cache copies into it the same way. For an absent page that the
 * write covers whole (or any page of a memory-only file) the data goes into a new frame first,
 * which nobody else can see, and the frame is inserted when it is complete: a reader never meets a
 * half-written new page and the copy may fault freely. If somebody inserted a page meanwhile, the
 * data is copied over into that one.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include "kernel/base/uio.h"
#include "kernel/lib/string.h"
#include "mm/vm/pagecache.h"
#include "mm/vm/pagecache_internal.h"
#include "mm/vm/writeback.h"

#define THROTTLE_PAGES 32u /* a large write looks that often whether it may go on */

/* One page's part of a read. Bytes, or -errno. */
static ssize_t read_page(struct pagecache *pc, struct uio *u, u64 pos, size_t n)
{
	struct page *p = pagecache_find(pc, pos >> PAGE_SHIFT);
	ssize_t done;
	int err;

	if (!p) {
		if (!pc->ops->fill)
			return pagecache_lost(pc, pos >> PAGE_SHIFT) ? -EIO : uio_zero(u, n);
		/* O_NONBLOCK is nothing to files: only a call that says so does not wait. */
		if (u->flags & RWF_NOWAIT)
			return -EAGAIN;
		if (pc->ra_pages)
			readahead_miss(pc, pos >> PAGE_SHIFT, DIV_ROUND_UP(u->left, PAGE_SIZE),
				       u->order);
		err = pagecache_get(pc, pos >> PAGE_SHIFT, &p);
		if (err)
			return err;
	} else if (unlikely(page_flag(p, PG_READAHEAD))) {
		readahead_hit(pc, p, u->order);
	}
	done = uio_copy_to(u, (char *)page_to_va(p) + (pos & PAGE_MASK), n);
	page_put(p);
	return done;
}

/*
 * Read at *@pos up to the end of the file; *@pos advances.
 * ctx: thread; sleeps. Bytes (0 at the end), or -errno when there were none.
 */
ssize_t pagecache_read(struct pagecache *pc, struct uio *u, u64 *pos)
{
	size_t done = 0;

	while (u->left) {
		u64 size = READ_ONCE(pc->size);
		size_t n = MIN(u->left, (size_t)(PAGE_SIZE - (*pos & PAGE_MASK)));
		ssize_t got;

		if (*pos >= size)
			break;
		n = (size_t)MIN((u64)n, size - *pos);
		got = read_page(pc, u, *pos, n);
		if (got < 0)
			return done ? (ssize_t)done : got;
		*pos += (u64)got;
		done += (size_t)got;
		if ((size_t)got < n)
			break;
	}
	return (ssize_t)done;
}

static void note_written(struct pagecache *pc, struct page *p)
{
	if (page_flag(p, PG_EXEC))
		page_flag_clear(p, PG_EXEC);
	pagecache_mark_dirty(pc, p);
}

/* Write into a page of the cache. Bytes or -errno. */
static ssize_t write_existing(struct pagecache *pc, struct page *p, struct uio *u, u64 pos,
			      size_t n)
{
	ssize_t done = uio_copy_from(u, (char *)page_to_va(p) + (pos & PAGE_MASK), n);

	if (done > 0)
		note_written(pc, p);
	return done;
}

/*
 * Write to an absent page by way of a frame of our own. Bytes or -errno; 0: nothing done, the page
 * has to be filled first.
 */
static ssize_t write_fresh(struct pagecache *pc, struct uio *u, u64 pos, size_t n)
{
	size_t off = pos & PAGE_MASK;
	bool whole = n == PAGE_SIZE;
	struct page *p = pmm_alloc(0, PMM_USER | (whole ? 0 : PMM_ZERO)), *there;
	ssize_t done;
	int err;

	if (!p)
		return -ENOMEM;
	done = uio_copy_from(u, (char *)page_to_va(p) + off, n);
	if (done <= 0)
		goto put;
	if (whole && (size_t)done < n) {
		if (pc->ops->fill) {
			uio_revert(u, (size_t)done);
			done = 0;
			goto put;
		}
		memset((char *)page_to_va(p) + done, 0, n - (size_t)done);
	}
	page_flag_set(p, PG_UPTODATE);
	page_get(p);
	err = pagecache_add(pc, pos >> PAGE_SHIFT, p, false);
	if (!err) {
		note_written(pc, p);
		goto put;
	}
	page_put(p);
	if (err == -EEXIST)
		err = pagecache_get(pc, pos >> PAGE_SHIFT, &there);
	if (err) {
		uio_revert(u, (size_t)done);
		done = err;
		goto put;
	}
	memcpy((char *)page_to_va(there) + off, (char *)page_to_va(p) + off, (size_t)done);
	note_written(pc, there);
	page_put(there);
put:
	page_put(p);
	return done;
}

/* One page's part of a write. Bytes or -errno. */
static ssize_t write_page(struct pagecache *pc, struct uio *u, u64 pos, size_t n)
{
	u64 index = pos >> PAGE_SHIFT;
	struct page *p;
	ssize_t done;
	int err;

	if (pc->ops->make_writable) {
		err = pc->ops->make_writable(pc, index);
		if (err)
			return err;
	}
	p = pagecache_find(pc, index);
	if (!p && (!pc->ops->fill || n == PAGE_SIZE)) {
		done = write_fresh(pc, u, pos, n);
		if (done)
			return done;
	}
	if (!p) {
		err = pagecache_get(pc, index, &p);
		if (err)
			return err;
	}
	done = write_existing(pc, p, u, pos, n);
	page_put(p);
	return done;
}

/*
 * Write at *@pos, extending .size as data arrives; *@pos advances.
 * ctx: thread; holds: the inode's lock exclusively; sleeps. Bytes, or -errno when there were none.
 */
ssize_t pagecache_write(struct pagecache *pc, struct uio *u, u64 *pos)
{
	size_t done = 0;

	while (u->left) {
		size_t n = MIN(u->left, (size_t)(PAGE_SIZE - (*pos & PAGE_MASK)));
		ssize_t put = write_page(pc, u, *pos, n);

		if (put < 0)
			return done ? (ssize_t)done : put;
		*pos += (u64)put;
		done += (size_t)put;
		if (*pos > pc->size)
			store_release(&pc->size, *pos);
		if ((size_t)put < n)
			break;
		if (pc->ops->write && (!u->left || !(*pos >> PAGE_SHIFT & (THROTTLE_PAGES - 1))))
			writeback_throttle();
	}
	return (ssize_t)done;
}
