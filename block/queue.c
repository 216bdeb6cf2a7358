/*
 * Request queues: bios become requests, requests wait in order, the driver gets as many as it
 * takes.
 *
 * A bio that continues a waiting request (or comes right before it) is merged into it, as long as
 * the device takes that much at once. Else it becomes a request of its own, of a fixed number per
 * disk; when none is free the submitter sleeps.
 *
 * Order is "deadline": reads and writes each wait sorted by sector and by age. A run of up to BATCH
 * requests goes in one direction, in ascending sectors; then the direction is chosen anew: reads
 * first, but after STARVE_MAX times that writes had to wait it is theirs. A run begins with the
 * oldest request when that one has waited too long, else where the last run of the direction ended.
 * Flushes and discards have no sector to be sorted by and go before both. A flush covers what had
 * ended before it was submitted, so it needs no place in the order.
 *
 * A request under way has the disk's timeout to come back. When it does not, or the driver says
 * that the device answers nonsense, the device is stopped, everything it had and everything that
 * waits ends with EIO, and the disk is dead: nothing can be said about memory that a device may
 * still write to, other than by stopping it.
 *
 * Locking: disk->lock (BLKQ, interrupts off). ->done of bios and waiting happen outside it.
 */
#include <linux/errno.h>
#include "block/block.h"
#include "kernel/base/log.h"
#include "kernel/base/time.h"
#include "mm/slab.h"

#define REQUESTS 128u
#define BATCH 16u
#define STARVE_MAX 2u
#define READ_AGE (500 * NSEC_PER_MSEC)
#define WRITE_AGE (5 * NSEC_PER_SEC)

static void timer_fired(struct timeout *t);
static void stop_run(struct work *w);

/* The empty queue of @d. ctx: thread */
void queue_init(struct disk *d)
{
	spin_init(&d->lock, RANK_BLKQ);
	waitq_init(&d->room);
	list_init(&d->free);
	list_init(&d->under_way);
	list_init(&d->others);
	for (u32 i = 0; i < 2; i++) {
		rb_root_init(&d->sorted[i]);
		list_init(&d->aged[i]);
	}
	timeout_init(&d->timer, timer_fired);
	work_init(&d->stop_work, stop_run);
}

/* Its requests. ctx: thread; sleeps. 0 or -ENOMEM, with what was made left to queue_free. */
int queue_alloc(struct disk *d)
{
	for (u32 i = 0; i < REQUESTS && !d->ops->submit; i++) {
		struct request *r = kzalloc(sizeof(*r) + d->ops->request_size, 0);

		if (!r)
			return -ENOMEM;
		r->disk = d;
		list_init(&r->bios);
		rb_clear(&r->node);
		list_add_tail(&d->free, &r->link);
	}
	return 0;
}

/* Undo queue_alloc of a disk that nobody used. ctx: thread */
void queue_free(struct disk *d)
{
	while (!list_empty(&d->free)) {
		struct request *r = list_first(&d->free, struct request, link);

		list_del(&r->link);
		kfree(r);
	}
}

/* --- counting --- */

static void stats_begin_one(struct blk_stats *s, enum bio_op op, s64 now)
{
	if (!s->inflight[0] && !s->inflight[1])
		s->busy_since = now;
	s->inflight[op != BIO_READ]++;
}

static void stats_end_one(struct blk_stats *s, const struct bio *b, s64 now)
{
	s->inflight[b->op != BIO_READ]--;
	if (!s->inflight[0] && !s->inflight[1])
		s->busy_ns += (u64)(now - s->busy_since);
	if (b->op >= BIO_STAT_OPS)
		return;
	s->ios[b->op]++;
	s->sectors[b->op] += b->nsect;
	s->ns[b->op] += (u64)(now - b->start);
}

/* A bio of kind @op begins: on the partition and on the whole disk. holds: disk->lock */
void stats_begin(struct blkdev *b, enum bio_op op, s64 now)
{
	stats_begin_one(&b->stats, op, now);
	if (b->partno)
		stats_begin_one(&b->disk->parts[0]->stats, op, now);
}

/* @bio ends. holds: disk->lock */
void stats_end(struct blkdev *b, const struct bio *bio, s64 now)
{
	stats_end_one(&b->stats, bio, now);
	if (b->partno)
		stats_end_one(&b->disk->parts[0]->stats, bio, now);
}

/* Two bios became one request: it is counted as one I/O. holds: disk->lock */
static void stats_merged(const struct bio *b)
{
	b->bdev->stats.merges[b->op]++;
	b->bdev->stats.ios[b->op]--;
	if (b->bdev->partno) {
		b->bdev->disk->parts[0]->stats.merges[b->op]++;
		b->bdev->disk->parts[0]->stats.ios[b->op]--;
	}
}

/* --- waiting requests --- */

static bool sorts_before(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct request, node)->sector <
	       rb_entry(b, struct request, node)->sector;
}

static bool is_below(const struct rb_node *n, u64 sector)
{
	return rb_entry(n, struct request, node)->sector < sector;
}

static struct request *request_of(struct rb_node *n)
{
	return n ? rb_entry(n, struct request, node) : NULL;
}

static bool is_sorted(enum bio_op op)
{
	return op == BIO_READ || op == BIO_WRITE;
}

static void waiting_add(struct disk *d, struct request *r)
{
	bool write = r->op == BIO_WRITE;

	if (!is_sorted(r->op)) {
		list_add_tail(&d->others, &r->link);
		return;
	}
	rb_insert(&d->sorted[write], &r->node, sorts_before);
	list_add_tail(&d->aged[write], &r->link);
}

static void waiting_remove(struct disk *d, struct request *r)
{
	if (is_sorted(r->op))
		rb_erase(&d->sorted[r->op == BIO_WRITE], &r->node);
	list_del(&r->link);
}

static bool fits(const struct disk *d, const struct request *r, const struct bio *b)
{
	return r->nsegs + b->nsegs <= d->limits.max_segs &&
	       r->nsect + b->nsect <= d->limits.max_sectors;
}

static void merged(struct request *r, const struct bio *b)
{
	r->nsegs += b->nsegs;
	r->nsect += b->nsect;
	stats_merged(b);
}

/* Into the request that ends where @b begins, or begins where it ends. holds: lock */
static bool try_merge(struct disk *d, struct bio *b)
{
	struct rb_root *tree = &d->sorted[b->op == BIO_WRITE];
	struct rb_node *n;
	struct request *before, *after;

	if (!is_sorted(b->op) || rb_empty(tree))
		return false;
	n = rb_lower_bound(tree, b->sector, is_below);
	after = request_of(n);
	before = request_of(n ? rb_prev(n) : rb_last(tree));
	if (before && before->sector + before->nsect == b->sector && fits(d, before, b)) {
		list_add_tail(&before->bios, &b->link);
		merged(before, b);
		return true;
	}
	if (after && after->sector == b->sector + b->nsect && fits(d, after, b)) {
		rb_erase(tree, &after->node);
		list_add(&after->bios, &b->link);
		after->sector = b->sector;
		merged(after, b);
		rb_insert(tree, &after->node, sorts_before);
		return true;
	}
	return false;
}

/* A request for @b alone; false: none is free. holds: lock */
static bool try_new(struct disk *d, struct bio *b)
{
	struct request *r;

	if (list_empty(&d->free))
		return false;
	r = list_first(&d->free, struct request, link);
	list_del(&r->link);
	r->op = b->op;
	r->sector = b->sector;
	r->nsect = b->nsect;
	r->nsegs = b->nsegs;
	r->expires = b->start + (b->op == BIO_READ ? READ_AGE : WRITE_AGE);
	list_add_tail(&r->bios, &b->link);
	waiting_add(d, r);
	return true;
}

/* --- dispatch --- */

static struct request *oldest(struct list *l)
{
	return list_empty(l) ? NULL : list_first(l, struct request, link);
}

/* The next in order of sectors from where the last one of this direction ended. */
static struct request *next_sorted(struct disk *d, u32 dir)
{
	return request_of(rb_lower_bound(&d->sorted[dir], d->next_sector[dir], is_below));
}

/* Choose the direction of the next run. At least one has something. */
static void choose_direction(struct disk *d)
{
	bool reads = !list_empty(&d->aged[0]), writes = !list_empty(&d->aged[1]);

	if (!reads || (writes && d->starved >= STARVE_MAX)) {
		d->direction = 1;
		d->starved = 0;
	} else {
		d->direction = 0;
		if (writes)
			d->starved++;
	}
	d->batch = 0;
}

/* What goes next, taken out; NULL: nothing waits. holds: lock */
static struct request *pick(struct disk *d, s64 now)
{
	struct request *r = oldest(&d->others);
	u32 dir;

	if (r)
		goto found;
	if (list_empty(&d->aged[0]) && list_empty(&d->aged[1]))
		return NULL;
	dir = d->direction;
	if (d->batch && d->batch < BATCH)
		r = next_sorted(d, dir);
	if (!r) {
		choose_direction(d);
		dir = d->direction;
		r = next_sorted(d, dir);
		if (!r || oldest(&d->aged[dir])->expires <= now)
			r = oldest(&d->aged[dir]);
	}
	d->batch++;
	d->next_sector[dir] = r->sector + r->nsect;
found:
	waiting_remove(d, r);
	return r;
}

/* Back where it came from: the driver is full. holds: lock */
static void unpick(struct disk *d, struct request *r)
{
	if (!is_sorted(r->op)) {
		list_add(&d->others, &r->link);
		return;
	}
	rb_insert(&d->sorted[r->op == BIO_WRITE], &r->node, sorts_before);
	list_add(&d->aged[r->op == BIO_WRITE], &r->link);
	d->next_sector[r->op == BIO_WRITE] = r->sector;
	d->batch--;
}

static void watch(struct disk *d, s64 now)
{
	if (d->timer_set)
		return;
	d->timer_set = true;
	timeout_set(&d->timer, now + (s64)READ_ONCE(d->timeout_ns));
}

/* Take all bios of @r to @out with @status, and free it. holds: lock */
static void retire(struct disk *d, struct request *r, int status, struct list *out)
{
	s64 now = time_now();
	struct bio *b;

	list_for_each(b, &r->bios, link) {
		b->status = status;
		stats_end(b->bdev, b, now);
	}
	list_splice_tail(out, &r->bios);
	list_add(&d->free, &r->link);
}

/*
 * Give the driver what it takes. Bios of requests that it refuses for good go to @ended.
 * holds: lock
 */
static void dispatch(struct disk *d, struct list *ended)
{
	bool some = false;

	while (!d->dead && !d->full && d->nunderway < d->limits.depth) {
		s64 now = time_now();
		struct request *r = pick(d, now);
		int err;

		if (!r)
			break;
		list_add_tail(&d->under_way, &r->link);
		r->under_way = true;
		d->nunderway++;
		err = d->ops->queue(d, r);
		if (!err) {
			r->expires = now;
			watch(d, now);
			some = true;
			continue;
		}
		list_del(&r->link);
		r->under_way = false;
		d->nunderway--;
		if (err != -EBUSY || !d->nunderway) {
			retire(d, r, err == -EBUSY ? -EIO : err, ended);
			continue;
		}
		unpick(d, r);
		d->full = true;
	}
	if (some && d->ops->commit)
		d->ops->commit(d);
}

/* Outside the lock: tell the submitters. */
static void end_bios(struct list *ended)
{
	while (!list_empty(ended)) {
		struct bio *b = list_first(ended, struct bio, link);

		list_del(&b->link);
		b->done(b);
	}
}

/*
 * Queue all of @bios, which is empty afterwards, and let the driver begin.
 * ctx: thread; sleeps: when no request is free.
 */
void queue_submit(struct disk *d, struct list *bios)
{
	struct list ended = LIST_INIT(ended);
	s64 now = time_now();
	u64 flags = spin_lock_irqsave(&d->lock);

	while (!list_empty(bios)) {
		struct bio *b = list_first(bios, struct bio, link);

		list_del(&b->link);
		b->start = now;
		if (d->dead) {
			b->status = -EIO;
			list_add_tail(&ended, &b->link);
			continue;
		}
		if (try_merge(d, b) || try_new(d, b)) {
			stats_begin(b->bdev, b->op, now);
			continue;
		}
		list_add(bios, &b->link);
		dispatch(d, &ended);
		spin_unlock_irqrestore(&d->lock, flags);
		end_bios(&ended);
		wait_event(&d->room, !list_empty(&d->free));
		flags = spin_lock_irqsave(&d->lock);
	}
	dispatch(d, &ended);
	spin_unlock_irqrestore(&d->lock, flags);
	end_bios(&ended);
}

/* --- ends --- */

static const char *op_name(enum bio_op op)
{
	static const char *const names[] = { "read",  "write",	      "discard",
					     "flush", "write zeroes", "serial" };

	return names[op];
}

/* One line for a failure of the device. ctx: any */
void blkdev_log_error(const struct disk *d, enum bio_op op, u64 sector, u32 nsect, int status)
{
	log_limited(LOG_ERR, "%s: I/O error: %s of %u sectors at sector %llu (error %d)", d->name,
		    op_name(op), nsect, (unsigned long long)sector, -status);
}

static void log_failure(const struct disk *d, const struct request *r, int status)
{
	if (status && status != -EOPNOTSUPP)
		blkdev_log_error(d, r->op, r->sector, r->nsect, status);
}

/*
 * A request has ended. ctx: any; holds: nothing of the block layer. Drivers call it after their own
 * lock is released; what was ended meanwhile because the device was stopped is left alone.
 */
void request_done(struct request *r, int status)
{
	struct disk *d = r->disk;
	struct list ended = LIST_INIT(ended);
	u64 flags = spin_lock_irqsave(&d->lock);

	if (!r->under_way) {
		spin_unlock_irqrestore(&d->lock, flags);
		return;
	}
	log_failure(d, r, status);
	list_del(&r->link);
	r->under_way = false;
	d->nunderway--;
	d->full = false;
	retire(d, r, status, &ended);
	dispatch(d, &ended);
	spin_unlock_irqrestore(&d->lock, flags);
	waitq_wake_all(&d->room);
	end_bios(&ended);
}

/*
 * The oldest request under way has had its time, or the timer is set for it. It is given as much
 * once more: when the whole machine was held up, this may run before the device's interrupt does.
 * ctx: IRQ
 */
static void timer_fired(struct timeout *t)
{
	struct disk *d = container_of(t, struct disk, timer);
	u64 flags = spin_lock_irqsave(&d->lock);
	s64 now = time_now(), due;
	bool late = false;

	d->timer_set = false;
	if (!list_empty(&d->under_way) && !d->dead) {
		s64 began = oldest(&d->under_way)->expires;

		due = began + (s64)READ_ONCE(d->timeout_ns);
		late = due <= now && d->suspect == began;
		if (due <= now && !late) {
			d->suspect = began;
			due = now + (s64)READ_ONCE(d->timeout_ns);
		}
		if (!late) {
			d->timer_set = true;
			timeout_set(t, due);
		}
	}
	spin_unlock_irqrestore(&d->lock, flags);
	if (late)
		disk_broken(d);
}

/* See blkdev.h. ctx: any */
void disk_broken(struct disk *d)
{
	work_queue(&d->stop_work);
}

/* See blkdev.h. ctx: thread; sleeps */
void disk_gone(struct disk *d)
{
	WRITE_ONCE(d->gone, true);
	disk_broken(d);
	work_flush(&d->stop_work);
	mutex_lock(&d->part_lock);
	for (u32 i = DISK_PARTS_MAX + 1; i--;) {
		struct blkdev *b = d->parts[i];

		if (b && b->present) {
			blkdev_show_remove(b);
			WRITE_ONCE(b->present, false);
		}
	}
	mutex_unlock(&d->part_lock);
}

static void take_all(struct disk *d, struct list *from, struct list *to)
{
	while (!list_empty(from)) {
		struct request *r = list_first(from, struct request, link);

		if (rb_linked(&r->node))
			rb_erase(&d->sorted[r->op == BIO_WRITE], &r->node);
		list_del(&r->link);
		list_add_tail(to, &r->link);
	}
}

/* Stop the device, then end all that it had and all that waits. */
static void stop_run(struct work *w)
{
	struct disk *d = container_of(w, struct disk, stop_work);
	struct list all = LIST_INIT(all), ended = LIST_INIT(ended);
	struct request *r;
	u64 flags = spin_lock_irqsave(&d->lock);
	bool already = d->dead;

	d->dead = true;
	spin_unlock_irqrestore(&d->lock, flags);
	if (already)
		return;
	if (READ_ONCE(d->gone))
		log_warn("%s: the device was taken away", d->name);
	else
		log_err("%s: the device does not answer; it is not used any more", d->name);
	if (d->ops->stop)
		d->ops->stop(d);
	flags = spin_lock_irqsave(&d->lock);
	take_all(d, &d->under_way, &all);
	take_all(d, &d->aged[0], &all);
	take_all(d, &d->aged[1], &all);
	take_all(d, &d->others, &all);
	d->nunderway = 0;
	while (!list_empty(&all)) {
		r = list_first(&all, struct request, link);
		log_failure(d, r, -EIO);
		list_del(&r->link);
		r->under_way = false;
		retire(d, r, -EIO, &ended);
	}
	spin_unlock_irqrestore(&d->lock, flags);
	waitq_wake_all(&d->room);
	end_bios(&ended);
}
