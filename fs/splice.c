/*
 * Copies between open files without a way through user memory.
 *
 * Where a pipe is one side, its slots are worked on directly (pipe_splice.c). Otherwise, from a
 * file with a page cache, pages are written to the other side straight from the cache: one copy, or
 * none, as they are lent (uio.lend): TCP sends them from where they lie. Who changes the file
 * before they have arrived may then change what arrives, as on Linux.
 * From anything else, data is read into a buffer first, and then written in full: what left a
 * stream cannot be put back, so the write does not give up half-way except on an error of the other
 * side.
 *
 * No lock is held between the two sides; a position of the reading side moves only over what was
 * written. Two calls at the same time on one open file read the same bytes, as on Linux.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include "fs/namei.h"
#include "fs/notify.h"
#include "fs/pipe.h"
#include "fs/splice.h"
#include "kernel/base/errno.h"
#include "mm/pmm.h"
#include "mm/vm/vmspace.h"

#define STREAM_ORDER 2 /* buffer of 16 KiB */
#define STREAM_SIZE (PAGE_SIZE << STREAM_ORDER)
#define LEND_PAGES 16u

/* See splice.h. ctx: any */
bool file_can_splice(const struct file *f, bool write)
{
	u32 type = f->inode->mode & S_IFMT;

	if (f->inode->cache || type == S_IFIFO || type == S_IFSOCK)
		return true;
	return f->ops && (write ? f->ops->splice_write : f->ops->splice_read);
}

/* Write @n bytes, once. */
static ssize_t put_once(struct file *out, const void *buf, size_t n, u64 *opos)
{
	struct uio u;

	uio_init_kernel(&u, (void *)(uintptr_t)buf, n);
	return file_write(out, &u, opos);
}

/* Pages that are written to the other side at once. */
struct lent {
	u32 n;
	struct uio_seg seg[LEND_PAGES];
	struct page *page[LEND_PAGES];
};

/* What is cached, or can be, of [@at, @at + @len). Bytes; 0: a hole, or -errno. */
static ssize_t lend_pages(struct pagecache *pc, u64 at, u64 len, struct lent *l)
{
	size_t total = 0;
	int err = 0;

	for (l->n = 0; len && l->n < LEND_PAGES; l->n++) {
		u64 off = at & PAGE_MASK, part = MIN(len, PAGE_SIZE - off);

		err = pagecache_get_existing(pc, at >> PAGE_SHIFT, &l->page[l->n]);
		if (err)
			break;
		l->seg[l->n] = (struct uio_seg){ (u64)page_to_va(l->page[l->n]) + off, part };
		total += part;
		at += part;
		len -= part;
	}
	return total || err == -ENOENT ? (ssize_t)total : err;
}

/* Some pages of the file at *ipos; a hole gives zeroes. 0 at the end of the file. */
static ssize_t copy_pages(struct file *in, u64 *ipos, struct file *out, u64 *opos, u64 len)
{
	struct pagecache *pc = in->inode->cache;
	u64 size = READ_ONCE(pc->size);
	struct lent l;
	struct uio u;
	ssize_t n;

	if (*ipos >= size)
		return 0;
	len = MIN(len, size - *ipos);
	n = lend_pages(pc, *ipos, len, &l);
	if (n > 0) {
		uio_init_segs(&u, l.seg, l.n, (size_t)n);
		u.kernel = u.lend = true;
		n = file_write(out, &u, opos);
		while (l.n)
			page_put(l.page[--l.n]);
	} else if (!n) {
		len = MIN(len, PAGE_SIZE - (*ipos & PAGE_MASK));
		n = put_once(out, vm_zeroes(), len, opos);
	}
	if (n > 0)
		*ipos += (u64)n;
	return n;
}

static ssize_t copy_cached(struct file *in, u64 *ipos, struct file *out, u64 *opos, u64 len)
{
	ssize_t done = 0, n = 0;

	while (len) {
		n = copy_pages(in, ipos, out, opos, len);
		if (n <= 0)
			break;
		done += n;
		len -= (u64)n;
		if (current->interrupted) {
			n = -ERESTARTSYS;
			break;
		}
	}
	file_accessed(in);
	return done ? done : n;
}

/* All of @n bytes. Bytes written, or -errno when there were none. */
static ssize_t put_all(struct file *out, const char *buf, size_t n, u64 *opos)
{
	size_t done = 0;
	ssize_t w = 0;

	while (done < n) {
		w = put_once(out, buf + done, n - done, opos);
		if (w <= 0)
			break;
		done += (size_t)w;
	}
	return done ? (ssize_t)done : w;
}

/* @once: what one read gives is all. @nonblock: do not wait for the first bytes either. */
static ssize_t copy_stream(struct file *in, u64 *ipos, struct file *out, u64 *opos, u64 len,
			   bool once, bool nonblock)
{
	char *buf = pmm_alloc_va(STREAM_ORDER, 0);
	ssize_t done = 0, got, n;
	struct uio u;

	if (!buf)
		return -ENOMEM;
	do {
		uio_init_kernel(&u, buf, MIN(len, once ? PAGE_SIZE : (u64)STREAM_SIZE));
		u.nonblock = nonblock || done; /* wait for the first bytes only */
		n = file_read(in, &u, ipos);
		if (n <= 0)
			break;
		got = n;
		n = put_all(out, buf, (size_t)got, opos);
		if (!(in->mode & FILE_STREAM))
			*ipos -= (u64)(got - MAX(n, 0L));
		if (n <= 0)
			break;
		done += n;
		len -= (u64)n;
	} while (n == got && len && !once && !current->interrupted);
	pmm_free_va(buf, STREAM_ORDER);
	return done ? done : n;
}

/* From @in, which is no pipe, into the pipe @out. */
static ssize_t to_pipe(struct file *in, u64 *ipos, struct file *out, u64 len, bool nonblock)
{
	u64 nowhere = 0;
	int err;

	if (in->inode->cache)
		return pipe_from_cache(in, ipos, out, len, nonblock);
	err = pipe_wait_room(out, nonblock);
	if (err)
		return err;
	/* SPLICE_F_NONBLOCK is for the pipe, but sockets heed it as well. */
	return copy_stream(in, ipos, out, &nowhere, len, true,
			   nonblock && S_ISSOCK(in->inode->mode));
}

static ssize_t copy_files(struct file *in, u64 *ipos, struct file *out, u64 *opos, u64 len)
{
	ssize_t n;

	if (!in->inode->cache)
		return copy_stream(in, ipos, out, opos, len, false, false);
	n = notify_permission(in, FAN_ACCESS_PERM);
	return n ? n : copy_cached(in, ipos, out, opos, len);
}

/* See splice.h. */
ssize_t splice_copy(struct file *in, u64 *ipos, struct file *out, u64 *opos, u64 len, u32 flags)
{
	bool nonblock = flags & SPLICE_F_NONBLOCK;
	u64 at = *ipos;
	ssize_t n;

	if (file_is_pipe(in))
		return file_is_pipe(out) ? pipe_move_pages(in, out, len, nonblock)
					 : pipe_to_file(in, out, opos, len, nonblock);
	if (file_is_pipe(out))
		n = to_pipe(in, &at, out, len, nonblock);
	else
		n = copy_files(in, &at, out, opos, len);
	if (n > 0)
		*ipos = at;
	return n;
}
