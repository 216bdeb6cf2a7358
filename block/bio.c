/*
 * Bios: making them, checking them, and their way to the queue.
 *
 * A bio names sectors of a partition; submitting it checks that they lie within, and turns them
 * into sectors of the disk. What can be refused without the device (out of bounds, read-only, no
 * such partition) ends at once with its error, through ->done as any other. A bio never exceeds
 * what the device takes in one request, since bio_add() says no before: nothing is ever split.
 *
 * Disks that serve bios themselves (RAM disks) get them here; all others through queue.c.
 */
#include <linux/errno.h>
#include "block/block.h"
#include "kernel/base/panic.h"
#include "kernel/base/time.h"
#include "mm/slab.h"

#define BIO_SEGS_MAX 256u

/* See bio.h. ctx: any, with PMM_NOWAIT; sleeps without */
struct bio *bio_alloc(struct blkdev *bdev, enum bio_op op, u64 sector, u32 max_segs, u32 flags)
{
	struct bio *b;

	max_segs = MIN(max_segs, bdev->disk->limits.max_segs);
	max_segs = MIN(max_segs, BIO_SEGS_MAX);
	b = kmalloc(sizeof(*b) + max_segs * sizeof(b->segs[0]), flags);
	if (!b)
		return NULL;
	list_init(&b->link);
	b->bdev = bdev;
	b->op = op;
	b->sector = sector;
	b->nsect = 0;
	b->nsegs = 0;
	b->max_segs = max_segs;
	b->status = 0;
	b->start = 0;
	b->done = NULL;
	b->priv = NULL;
	return b;
}

/* ctx: any */
void bio_free(struct bio *b)
{
	kfree(b);
}

/*
 * Add @len bytes, a multiple of 512, at @off of @p. ctx: any
 */
bool bio_add(struct bio *b, struct page *p, u32 off, u32 len)
{
	u32 sectors = len >> SECTOR_SHIFT;

	debug_assert(!(len & (SECTOR_SIZE - 1)) && off + len <= PAGE_SIZE);
	if (b->nsegs == b->max_segs || b->nsect + sectors > b->bdev->disk->limits.max_sectors)
		return false;
	b->segs[b->nsegs++] = (struct bio_seg){ p, off, len };
	b->nsect += sectors;
	return true;
}

/* End @b with @status. ctx: any */
void bio_end(struct bio *b, int status)
{
	b->status = status;
	b->done(b);
}

/* Why @b cannot be done at all, or 0. */
static int bio_check(const struct bio *b)
{
	u64 nsect = READ_ONCE(b->bdev->nsect);

	if (READ_ONCE(b->bdev->disk->dead))
		return -EIO;
	if (b->op == BIO_FLUSH || b->op == BIO_SERIAL)
		return 0;
	if (b->sector > nsect || b->nsect > nsect - b->sector)
		return -EIO;
	if (b->op != BIO_READ && blkdev_read_only(b->bdev))
		return -EROFS;
	return 0;
}

/* For disks without a queue: count, serve. */
static void serve(struct disk *d, struct bio *b)
{
	u64 flags;

	b->start = time_now();
	flags = spin_lock_irqsave(&d->lock);
	stats_begin(b->bdev, b->op, b->start);
	spin_unlock_irqrestore(&d->lock, flags);
	d->ops->submit(d, b);
}

/* End @b, which disk_ops.submit got. ctx: thread */
void bio_served(struct bio *b, int status)
{
	struct disk *d = b->bdev->disk;
	u64 flags = spin_lock_irqsave(&d->lock);

	stats_end(b->bdev, b, time_now());
	spin_unlock_irqrestore(&d->lock, flags);
	if (status && status != -EOPNOTSUPP)
		blkdev_log_error(d, b->op, b->sector, b->nsect, status);
	bio_end(b, status);
}

/* Submit all of @p, which is empty afterwards. ctx: thread; sleeps */
void bio_plug_submit(struct bio_plug *p)
{
	struct disk *d = NULL;
	struct list same = LIST_INIT(same);

	while (!list_empty(&p->bios)) {
		struct bio *b = list_first(&p->bios, struct bio, link);
		int err = bio_check(b);

		list_del(&b->link);
		if (err) {
			bio_end(b, err);
			continue;
		}
		b->sector += READ_ONCE(b->bdev->start);
		if (b->bdev->disk->ops->submit) {
			serve(b->bdev->disk, b);
			continue;
		}
		if (d && d != b->bdev->disk)
			queue_submit(d, &same);
		d = b->bdev->disk;
		list_add_tail(&same, &b->link);
	}
	if (d)
		queue_submit(d, &same);
}

/* Submit @b alone; ->done may be called before this returns. ctx: thread; sleeps */
void bio_submit(struct bio *b)
{
	struct bio_plug p;

	bio_plug_init(&p);
	bio_plug_add(&p, b);
	bio_plug_submit(&p);
}

static void wait_done(struct bio *b)
{
	completion_done(b->priv);
}

/* Submit @b and wait for its end. ctx: thread; sleeps. 0 or -errno */
int bio_submit_wait(struct bio *b)
{
	struct completion c;

	completion_init(&c);
	b->done = wait_done;
	b->priv = &c;
	bio_submit(b);
	completion_wait(&c);
	return b->status;
}

/* A command without pieces, in steps of at most @max sectors. */
static int command(struct blkdev *bdev, enum bio_op op, u64 sector, u64 nsect, u32 max)
{
	struct bio *b = bio_alloc(bdev, op, sector, 0, 0);
	int err = 0;

	if (!b)
		return -ENOMEM;
	do {
		b->sector = sector;
		b->nsect = (u32)MIN(nsect, (u64)max);
		sector += b->nsect;
		nsect -= b->nsect;
		err = bio_submit_wait(b);
	} while (!err && nsect);
	bio_free(b);
	return err;
}

/* See block.h. A device without a write cache has nothing to flush. ctx: thread; sleeps */
int blkdev_flush(struct blkdev *b)
{
	if (!READ_ONCE(b->disk->limits.write_cache))
		return READ_ONCE(b->disk->dead) ? -EIO : 0;
	return command(b, BIO_FLUSH, 0, 0, 1);
}

/* See block.h. ctx: thread; sleeps */
int blkdev_discard(struct blkdev *b, u64 sector, u64 nsect)
{
	u32 max = b->disk->limits.max_discard;

	if (!max)
		return -EOPNOTSUPP;
	return nsect ? command(b, BIO_DISCARD, sector, nsect, max) : 0;
}

/* By writing pages of zeroes. */
static int zero_by_writing(struct blkdev *b, u64 sector, u64 nsect)
{
	struct page *zero = pmm_alloc(0, PMM_ZERO);
	int err = zero ? 0 : -ENOMEM;

	while (!err && nsect) {
		struct bio *bio = bio_alloc(b, BIO_WRITE, sector, 64, 0);

		if (!bio) {
			err = -ENOMEM;
			break;
		}
		while (nsect) {
			u32 n = (u32)MIN(nsect, (u64)PAGE_SIZE / SECTOR_SIZE);

			if (!bio_add(bio, zero, 0, n << SECTOR_SHIFT))
				break;
			nsect -= n;
			sector += n;
		}
		err = bio_submit_wait(bio);
		bio_free(bio);
	}
	if (zero)
		page_put(zero);
	return err;
}

/* See block.h. ctx: thread; sleeps */
int blkdev_zero(struct blkdev *b, u64 sector, u64 nsect)
{
	u32 max = b->disk->limits.max_zero;
	int err = max && nsect ? command(b, BIO_ZERO, sector, nsect, max) : -EOPNOTSUPP;

	return err == -EOPNOTSUPP ? zero_by_writing(b, sector, nsect) : err;
}
