/*
 * Tests of the request queue, with a disk whose driver only takes notes: what is merged, in which
 * order requests go, what an error and a silent device do to those who wait.
 *
 * Disks stay for ever, so each test makes its own.
 */
#include <linux/errno.h>
#include "block/block.h"
#include "kernel/base/ktest.h"
#include "kernel/base/time.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

#define SECTORS 100000u
#define SEEN_MAX 64u

/* d: guarded by the disk's lock */
struct fake {
	struct disk *disk; /* I */
	struct request *seen[SEEN_MAX]; /* d: what the driver was given */
	u64 sectors[SEEN_MAX]; /* d */
	u32 nsect[SEEN_MAX]; /* d */
	u32 n, room; /* d */
	u32 stops; /* d */
	struct completion ended; /* own lock */
	u32 left; /* a: bios not ended */
	int status; /* a: of the last that failed */
};

static int fake_queue(struct disk *d, struct request *r)
{
	struct fake *f = d->priv;

	if (f->n == f->room)
		return -EBUSY;
	f->sectors[f->n] = r->sector;
	f->nsect[f->n] = r->nsect;
	f->seen[f->n++] = r;
	return 0;
}

static void fake_stop(struct disk *d)
{
	((struct fake *)d->priv)->stops++;
}

static const struct disk_ops fake_ops = { .queue = fake_queue, .stop = fake_stop };

static struct fake *fake_make(u32 room)
{
	static u32 count;
	struct fake *f = kzalloc(sizeof(*f), 0);
	char name[16];

	if (!f)
		return NULL;
	f->room = room;
	completion_init(&f->ended);
	snprintf(name, sizeof(name), "fake%u", count);
	f->disk = disk_alloc(name, &fake_ops, f);
	if (!f->disk)
		return NULL;
	f->disk->major = 240;
	f->disk->first_minor = count++;
	f->disk->no_scan = true;
	f->disk->limits.depth = 64;
	return disk_add(f->disk, SECTORS) ? NULL : f;
}

static void bio_ended(struct bio *b)
{
	struct fake *f = b->priv;

	if (b->status)
		__atomic_store_n(&f->status, b->status, __ATOMIC_RELAXED);
	bio_free(b);
	if (!__atomic_sub_fetch(&f->left, 1, __ATOMIC_ACQ_REL))
		completion_done(&f->ended);
}

static bool plug_add(struct fake *f, struct bio_plug *plug, struct page *p, enum bio_op op,
		     u64 sector)
{
	struct bio *b = bio_alloc(f->disk->parts[0], op, sector, 1, 0);

	if (!b || !bio_add(b, p, 0, PAGE_SIZE))
		return false;
	b->done = bio_ended;
	b->priv = f;
	f->left++;
	bio_plug_add(plug, b);
	return true;
}

/* Answer what the driver has, the requests that follow too. */
static void answer_all(struct fake *f, int status)
{
	for (u32 i = 0; i < f->n; i++)
		request_done(f->seen[i], status);
}

KTEST(block, neighbours_become_one_request)
{
	struct fake *f = fake_make(SEEN_MAX);
	struct page *p = pmm_alloc(0, PMM_ZERO);
	struct bio_plug plug;

	KT_ASSERT(f && p);
	bio_plug_init(&plug);
	KT_ASSERT(plug_add(f, &plug, p, BIO_WRITE, 80));
	KT_ASSERT(plug_add(f, &plug, p, BIO_WRITE, 88));
	KT_ASSERT(plug_add(f, &plug, p, BIO_WRITE, 72));
	KT_ASSERT(plug_add(f, &plug, p, BIO_READ, 96));
	KT_ASSERT(plug_add(f, &plug, p, BIO_WRITE, 8000));
	bio_plug_submit(&plug);
	KT_ASSERT(f->n == 3);
	KT_ASSERT(f->sectors[0] == 96 && f->nsect[0] == 8);
	KT_ASSERT(f->sectors[1] == 72 && f->nsect[1] == 24);
	KT_ASSERT(f->sectors[2] == 8000);
	answer_all(f, 0);
	completion_wait(&f->ended);
	KT_ASSERT(f->disk->parts[0]->stats.ios[BIO_WRITE] == 2);
	KT_ASSERT(f->disk->parts[0]->stats.merges[BIO_WRITE] == 2);
	KT_ASSERT(f->disk->parts[0]->stats.sectors[BIO_WRITE] == 32);
	KT_ASSERT(!f->status);
	page_put(p);
}

KTEST(block, a_run_goes_up_the_disk)
{
	static const u64 places[] = { 9000, 100, 5000, 300, 700 };
	struct fake *f = fake_make(SEEN_MAX);
	struct page *p = pmm_alloc(0, PMM_ZERO);
	struct bio_plug plug;

	KT_ASSERT(f && p);
	bio_plug_init(&plug);
	for (u32 i = 0; i < ARRAY_SIZE(places); i++)
		KT_ASSERT(plug_add(f, &plug, p, BIO_READ, places[i]));
	bio_plug_submit(&plug);
	KT_ASSERT(f->n == ARRAY_SIZE(places));
	for (u32 i = 1; i < f->n; i++)
		KT_ASSERT(f->sectors[i - 1] < f->sectors[i]);
	answer_all(f, 0);
	completion_wait(&f->ended);
	page_put(p);
}

KTEST(block, a_full_device_gets_the_rest_later)
{
	struct fake *f = fake_make(2);
	struct page *p = pmm_alloc(0, PMM_ZERO);
	struct bio_plug plug;

	KT_ASSERT(f && p);
	bio_plug_init(&plug);
	for (u32 i = 0; i < 6; i++)
		KT_ASSERT(plug_add(f, &plug, p, BIO_WRITE, 1000 * i));
	bio_plug_submit(&plug);
	KT_ASSERT(f->n == 2);
	f->room = SEEN_MAX;
	request_done(f->seen[0], 0);
	KT_ASSERT(f->n == 6);
	for (u32 i = 1; i < f->n; i++)
		request_done(f->seen[i], 0);
	completion_wait(&f->ended);
	page_put(p);
}

KTEST(block, an_error_is_that_request_only)
{
	struct fake *f = fake_make(SEEN_MAX);
	struct page *p = pmm_alloc(0, PMM_ZERO);
	struct bio_plug plug;
	struct bio *b;

	KT_ASSERT(f && p);
	bio_plug_init(&plug);
	KT_ASSERT(plug_add(f, &plug, p, BIO_WRITE, 0) && plug_add(f, &plug, p, BIO_WRITE, 64));
	bio_plug_submit(&plug);
	request_done(f->seen[0], -EIO);
	request_done(f->seen[1], 0);
	completion_wait(&f->ended);
	KT_ASSERT(f->status == -EIO);
	b = bio_alloc(f->disk->parts[0], BIO_READ, SECTORS - 1, 1, 0);
	KT_ASSERT(b && bio_add(b, p, 0, PAGE_SIZE));
	KT_ASSERT(bio_submit_wait(b) == -EIO); /* beyond the end: never sent */
	KT_ASSERT(f->n == 2);
	bio_free(b);
	page_put(p);
}

/* One that never answers is stopped; an answer that comes too late changes nothing. */
KTEST(block, a_silent_device_is_stopped)
{
	struct fake *f = fake_make(1);
	struct page *p = pmm_alloc(0, PMM_ZERO);
	struct bio_plug plug;
	struct bio *b;

	KT_ASSERT(f && p);
	f->disk->timeout_ns = NSEC_PER_MSEC;
	bio_plug_init(&plug);
	for (u32 i = 0; i < 4; i++)
		KT_ASSERT(plug_add(f, &plug, p, BIO_READ, 1000 * i));
	bio_plug_submit(&plug);
	completion_wait(&f->ended);
	KT_ASSERT(f->status == -EIO && f->stops == 1 && f->n == 1);
	request_done(f->seen[0], 0);
	b = bio_alloc(f->disk->parts[0], BIO_READ, 0, 1, 0);
	KT_ASSERT(b && bio_add(b, p, 0, PAGE_SIZE) && bio_submit_wait(b) == -EIO);
	bio_free(b);
	page_put(p);
}
