/*
 * O_DIRECT: transfers between the caller's pages and the device.
 *
 * The caller's memory is made present page by page and held by references while the device works on
 * it; pieces are gathered into bios of up to what the device takes, each waited for before the next
 * begins, so a short result says exactly how far it came. Position, length and addresses must be
 * multiples of the device's logical block: EINVAL, as open(2) has it.
 *
 * Cached pages of the range are written and forgotten before, and after a write once more, so that
 * a page somebody read in meanwhile does not stay with the old contents.
 */
#include <linux/errno.h>
#include "block/block.h"
#include "kernel/sched/thread.h"

/*
 * Are position, length and every piece of @u multiples of the device's logical block? ctx: any
 */
bool blkdev_direct_aligned(const struct blkdev *b, const struct uio *u, u64 pos)
{
	u64 bits = pos | u->left, block = b->disk->limits.block;
	size_t left = u->left, off = u->off;

	for (u32 i = 0; i < u->nseg && left; i++) {
		size_t n = MIN(u->seg[i].len - off, left);

		bits |= (u->seg[i].base + off) | n;
		left -= n;
		off = 0;
	}
	return !(bits & (block - 1));
}

/* See block.h. ctx: thread; sleeps */
u32 blkdev_dio_align(u64 dev)
{
	const struct blkdev *b = blkdev_find(dev);

	return b ? b->disk->limits.block : 0;
}

/* The page at the cursor with a reference, where in it, and how many bytes of it are meant. */
static int page_at(const struct uio *u, bool write, struct page **out, u32 *off, u32 *len)
{
	u64 addr = u->seg->base + u->off;
	size_t n = MIN(u->seg->len - u->off, u->left);

	*off = (u32)(addr & PAGE_MASK);
	*len = (u32)MIN(n, (size_t)(PAGE_SIZE - *off));
	if (u->kernel) {
		*out = va_to_page((void *)addr);
		page_get(*out);
		return 0;
	}
	/* Reading from the device writes to the caller's memory. */
	return vm_get_page(current->vm, addr & ~(u64)PAGE_MASK, !write, out);
}

/* Fill @b from the cursor, which advances. 0, or an error when not even one piece could be had. */
static int gather(struct bio *b, struct uio *u, bool write)
{
	while (u->left) {
		struct page *p;
		u32 off, len;
		int err;

		if (u->off == u->seg->len) {
			uio_advance(u, 0);
			if (u->off == u->seg->len) {
				u->seg++;
				u->nseg--;
				u->off = 0;
				continue;
			}
		}
		err = page_at(u, write, &p, &off, &len);
		if (err)
			return b->nsegs ? 0 : err;
		if (!bio_add(b, p, off, len)) {
			page_put(p);
			return 0;
		}
		uio_advance(u, len);
	}
	return 0;
}

/* What the device stored to a mapped page of a file is newer than that file on its disk. */
static void stored_to(struct page *p)
{
	if (p->type != PAGE_CACHE)
		return;
	page_lock(p);
	if (p->cache)
		pagecache_mark_dirty(p->cache, p);
	page_unlock(p);
}

static int transfer(struct bio *b, bool write)
{
	int err = bio_submit_wait(b);

	for (u32 i = 0; i < b->nsegs; i++) {
		if (!write)
			stored_to(b->segs[i].page);
		page_put(b->segs[i].page);
	}
	return err;
}

/* See block.h. ctx: thread; sleeps. Bytes, -EFAULT, -ENOMEM, -EIO */
ssize_t blkdev_direct_transfer(struct blkdev *b, struct uio *u, u64 pos, bool write)
{
	u64 from = pos;
	int err = 0;

	while (!err && u->left) {
		struct bio *bio =
			bio_alloc(b, write ? BIO_WRITE : BIO_READ, pos >> SECTOR_SHIFT, 128, 0);

		if (!bio) {
			err = -ENOMEM;
			break;
		}
		err = gather(bio, u, write);
		if (!err) {
			u64 bytes = (u64)bio->nsect << SECTOR_SHIFT;

			err = transfer(bio, write);
			if (!err)
				pos += bytes;
		}
		bio_free(bio);
	}
	return pos > from ? (ssize_t)(pos - from) : err;
}

/*
 * Transfer at @pos of @b, within its size. ctx: thread; holds: for writing the inode's lock;
 * sleeps. Bytes, -EINVAL (not aligned), -EFAULT, -ENOMEM, -EIO.
 */
ssize_t blkdev_direct(struct blkdev *b, struct uio *u, u64 pos, bool write)
{
	u64 from = pos, end = pos + u->left;
	ssize_t n;
	int err;

	if (!blkdev_direct_aligned(b, u, pos))
		return -EINVAL;
	if (!u->left)
		return 0;
	err = blkdev_invalidate(b, from, end);
	if (err)
		return err;
	n = blkdev_direct_transfer(b, u, pos, write);
	if (write)
		(void)blkdev_invalidate(b, from, end);
	return n;
}
