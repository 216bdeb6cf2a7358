/*
 * Copies between open files without a way through user memory.
 *
 * From a file with a page cache, each page is written to the other side straight from the cache:
 * one copy. From a stream, data is read into a buffer first, and then written in full: what left a
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

#define STREAM_ORDER 2 /* buffer of 16 KiB */
#define STREAM_SIZE (PAGE_SIZE << STREAM_ORDER)

/* See splice.h. ctx: any */
bool file_can_splice(const struct file *f, bool write)
{
	u32 type = f->inode->mode & S_IFMT;

	if (f->inode->cache || type == S_IFIFO || type == S_IFSOCK)
		return true;
	return f->ops && (write ? f->ops->splice_write : f->ops->splice_read);
}

/* Write @n bytes, once. */
static ssize_t put_once(struct file *out, const void *buf, size_t n, u64 *opos, bool nonblock)
{
	struct uio u;

	uio_init_kernel(&u, (void *)(uintptr_t)buf, n);
	u.nonblock = nonblock;
	return file_write(out, &u, opos);
}

/* The part of one cached page at *ipos; a hole gives zeroes. 0 at the end of the file. */
static ssize_t copy_page(struct file *in, u64 *ipos, struct file *out, u64 *opos, u64 len,
			 bool nonblock)
{
	static const u8 zeroes[512];
	struct pagecache *pc = in->inode->cache;
	u64 size = READ_ONCE(pc->size), off = *ipos & PAGE_MASK;
	struct page *p;
	ssize_t n;
	int err;

	if (*ipos >= size)
		return 0;
	len = MIN(len, size - *ipos);
	len = MIN(len, PAGE_SIZE - off);
	err = pagecache_get_existing(pc, *ipos >> PAGE_SHIFT, &p);
	if (err && err != -ENOENT)
		return err;
	if (err) {
		n = put_once(out, zeroes, MIN(len, sizeof(zeroes)), opos, nonblock);
	} else {
		n = put_once(out, (char *)page_to_va(p) + off, len, opos, nonblock);
		page_put(p);
	}
	if (n > 0)
		*ipos += (u64)n;
	return n;
}

static ssize_t copy_cached(struct file *in, u64 *ipos, struct file *out, u64 *opos, u64 len,
			   bool nonblock)
{
	ssize_t done = 0, n = 0;

	while (len) {
		n = copy_page(in, ipos, out, opos, len, nonblock);
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
		w = put_once(out, buf + done, n - done, opos, false);
		if (w <= 0)
			break;
		done += (size_t)w;
	}
	return done ? (ssize_t)done : w;
}

/*
 * Room to wait for before data is taken out of a stream: -EAGAIN when there is none and waiting is
 * not wanted.
 */
static int room_in(struct file *out, bool nonblock)
{
	return nonblock && !(file_poll(out, NULL) & (4 | 0x100)) ? -EAGAIN
								 : 0; /* POLLOUT | POLLWRNORM */
}

static ssize_t copy_stream(struct file *in, u64 *ipos, struct file *out, u64 *opos, u64 len,
			   bool nonblock)
{
	char *buf = pmm_alloc_va(STREAM_ORDER, 0);
	ssize_t done = 0, got, n;
	struct uio u;

	if (!buf)
		return -ENOMEM;
	do {
		n = room_in(out, nonblock || (out->flags & O_NONBLOCK));
		if (n)
			break;
		uio_init_kernel(&u, buf, MIN(len, (u64)STREAM_SIZE));
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
	} while (n == got && len && !current->interrupted);
	pmm_free_va(buf, STREAM_ORDER);
	return done ? done : n;
}

/* See splice.h. */
ssize_t splice_copy(struct file *in, u64 *ipos, struct file *out, u64 *opos, u64 len, u32 flags)
{
	bool nonblock = flags & SPLICE_F_NONBLOCK;
	u64 at = *ipos;
	ssize_t n;

	if (in->inode->cache)
		n = copy_cached(in, &at, out, opos, len, nonblock);
	else
		n = copy_stream(in, &at, out, opos, len, nonblock);
	if (n > 0) {
		*ipos = at;
		if (in->inode->cache)
			notify_file(in, IN_ACCESS);
	}
	return n;
}
