#pragma once
/*
 * One transfer between memory and a block device, or a command to it.
 *
 * Life: bio_alloc (or a bio of the caller's own, with bio_setup), bio_add pieces, bio_submit; the
 * device owns it until ->done is called, in any context, interrupts included, with ->status set;
 * then it is the submitter's again. The memory must stay until then: who submits holds the pages.
 *
 * Sectors are 512 bytes, whatever the device's blocks are.
 */
#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "mm/pmm.h"

#define SECTOR_SHIFT 9
#define SECTOR_SIZE 512u

struct blkdev;

enum bio_op {
	BIO_READ,
	BIO_WRITE,
	BIO_DISCARD, /* contents may go */
	BIO_FLUSH, /* what was written before is to be on the medium */
	BIO_ZERO, /* write zeroes */
	BIO_SERIAL, /* read the device's serial number, 20 bytes */
};
#define BIO_STAT_OPS 4 /* the first four are counted, as /proc/diskstats has them */

struct bio_seg {
	struct page *page;
	u32 off, len;
};

/* I immutable while submitted, q the queue's: guarded by its lock */
struct bio {
	struct list link; /* q: of a request; the submitter's before and after */
	struct blkdev *bdev; /* I */
	enum bio_op op; /* I */
	u64 sector; /* I: on @bdev; from bio_submit on, of the whole disk */
	u32 nsect; /* I */
	u32 nsegs, max_segs; /* I */
	int status; /* q: valid from ->done on */
	s64 start; /* q: when it was submitted */
	void (*done)(struct bio *b); /* I: any context */
	void *priv; /* I: the submitter's */
	struct bio_seg segs[]; /* I */
};

/*
 * Bios that are submitted together: sorted, merged and given to the device at once. On the stack of
 * who makes them; nothing else waits for it.
 */
struct bio_plug {
	struct list bios;
};

static inline void bio_plug_init(struct bio_plug *p)
{
	list_init(&p->bios);
}
static inline void bio_plug_add(struct bio_plug *p, struct bio *b)
{
	list_add_tail(&p->bios, &b->link);
}
void bio_plug_submit(struct bio_plug *p);

/* NULL: no memory. @max_segs is cut to what the device takes at once. @flags: PMM_*. */
struct bio *__must_check bio_alloc(struct blkdev *bdev, enum bio_op op, u64 sector, u32 max_segs,
				   u32 flags);
void bio_free(struct bio *b);
/* False: it is full, or would become more than the device takes at once. */
bool __must_check bio_add(struct bio *b, struct page *p, u32 off, u32 len);
void bio_submit(struct bio *b);
int __must_check bio_submit_wait(struct bio *b);
/* For devices that serve bios themselves (disk_ops.submit). */
void bio_end(struct bio *b, int status);
void bio_served(struct bio *b, int status); /* that ->submit got: counted, errors logged */
