/*
 * What programs say about the pages of an open file: read them ahead, write them now, forget them.
 *
 * readahead(2) and POSIX_FADV_WILLNEED begin to read and do not wait. POSIX_FADV_DONTNEED begins to
 * write what is dirty and drops the clean pages that nobody maps. What is said of the order of
 * reading holds for what is read through this open file (readahead.c); POSIX_FADV_NOREUSE is
 * checked and then nothing, as in Linux up to 6.2.
 *
 * sync_file_range(2) neither writes metadata nor empties the device's write cache, as its manual
 * page warns; an error of writing is told once to each open file, as by fsync.
 */
#include <linux/errno.h>
#include <linux/fadvise.h>
#include <linux/fs.h>
#include "fs/vfs.h"
#include "kernel/lib/errseq.h"
#include "mm/vm/writeback.h"

#define AHEAD_MAX 4096u /* pages of one call */

static void read_ahead(struct pagecache *pc, u64 off, u64 end)
{
	u64 first = off >> PAGE_SHIFT, n;

	end = MIN(end, READ_ONCE(pc->size));
	if (off >= end)
		return;
	n = DIV_ROUND_UP(end, PAGE_SIZE) - first;
	pagecache_prefetch(pc, first, (u32)MIN(n, (u64)AHEAD_MAX));
}

/* readahead(2). ctx: thread; sleeps: for room in the device's queue. 0, -EBADF, -EINVAL */
int file_readahead(struct file *f, u64 off, u64 count)
{
	const struct inode *i = f->inode;

	if (!(f->mode & FILE_READ))
		return -EBADF;
	if ((!S_ISREG(i->mode) && !S_ISBLK(i->mode)) || (s64)count < 0)
		return -EINVAL;
	if (i->cache) /* those of /proc have none: nothing to do */
		read_ahead(i->cache, off, off + count < off ? ~0ull : off + count);
	return 0;
}

/* Whole pages only: a part of one may still be wanted. */
static void forget(struct pagecache *pc, u64 off, u64 end)
{
	u64 first = DIV_ROUND_UP(off, PAGE_SIZE);
	u64 after = end >= READ_ONCE(pc->size) ? ~0ull >> PAGE_SHIFT : end >> PAGE_SHIFT;

	if (pc->ndirty)
		(void)writeback_range(pc, off >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT,
				      WRITEBACK_START);
	if (first < after)
		(void)pagecache_forget(pc, first, after - 1);
}

/* posix_fadvise(2). ctx: thread; sleeps. 0, -ESPIPE, -EINVAL */
int file_advise(struct file *f, u64 off, u64 len, u32 advice)
{
	struct pagecache *pc = f->inode->cache;
	u64 end = !len || off + len < off ? ~0ull >> 1 : off + len;

	if (S_ISFIFO(f->inode->mode))
		return -ESPIPE;
	if ((s64)len < 0 || advice > POSIX_FADV_NOREUSE)
		return -EINVAL;
	switch (advice) {
	case POSIX_FADV_NORMAL: f->order = READ_NORMAL; break;
	case POSIX_FADV_SEQUENTIAL: f->order = READ_IN_ORDER; break;
	case POSIX_FADV_RANDOM: f->order = READ_RANDOM; break;
	case POSIX_FADV_WILLNEED:
		if (pc)
			read_ahead(pc, off, end);
		break;
	case POSIX_FADV_DONTNEED:
		if (pc && off < end)
			forget(pc, off, end);
	}
	return 0;
}

/* sync_file_range(2). ctx: thread; sleeps. 0, -EINVAL, -ESPIPE, or an error of writing */
int file_sync_range(struct file *f, u64 off, u64 len, u32 flags)
{
	const u32 waits = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER;
	u32 mode = f->inode->mode;
	struct pagecache *pc = f->inode->cache;
	u64 first = off >> PAGE_SHIFT, last = len ? (off + len - 1) >> PAGE_SHIFT : ~0ull;

	if ((flags & ~(waits | SYNC_FILE_RANGE_WRITE)) || (s64)off < 0 || (s64)(off + len) < 0 ||
	    off + len < off)
		return -EINVAL;
	if (!S_ISREG(mode) && !S_ISBLK(mode) && !S_ISDIR(mode) && !S_ISLNK(mode))
		return -ESPIPE;
	if (!pc || !pc->ops->write)
		return 0;
	if (flags & SYNC_FILE_RANGE_WAIT_BEFORE)
		writeback_wait(pc, first, last);
	if (flags & SYNC_FILE_RANGE_WRITE)
		(void)writeback_range(pc, first, last, WRITEBACK_START);
	if (flags & SYNC_FILE_RANGE_WAIT_AFTER)
		writeback_wait(pc, first, last);
	return flags & waits ? errseq_check(&pc->error, &f->wb_err) : 0;
}
