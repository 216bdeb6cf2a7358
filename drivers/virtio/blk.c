/*
 * virtio-blk (virtio 1.2, section 5.2): disks vda, vdb and so on.
 *
 * A request of the block layer becomes one chain: a header, the pages, and a status byte that the
 * device writes; header and status lie in the request (struct vblk_request). Several are under way
 * at once, as many as the queues take, on as many queues as the device and the CPUs have. The
 * completion interrupt takes all that are done off the queue and ends them.
 *
 * Nothing that the device says is believed without a look: the queue refuses completions of what
 * was not asked (virtqueue.c) and breaks the device; a status that is none of the three is an
 * error. A device that is broken, or silent for the disk's timeout, is reset, which makes it forget
 * all memory it was given; then everything that waits for it fails (queue.c).
 *
 * Configuration changes (a new size) come by interrupt and are read by a worker.
 *
 * Locking: each queue's lock (DEVQ) inside the disk's (BLKQ); completions take them one after the
 * other.
 */
#include <linux/errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>
#include <arch/cpu.h>
#include "block/blkdev.h"
#include "drivers/virtio/virtio.h"
#include "kernel/base/log.h"
#include "kernel/base/percpu.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "mm/slab.h"

#define QUEUE_SIZE 256
#define QUEUES_MAX 4
#define SEGS_MAX 126u /* of data in one request */
#define MAX_SECTORS 2048u
#define SERIAL_LEN 20u
#define DONE_BATCH 16u
#define MINORS 16
#define SERIAL_ID 8u /* VIRTIO_BLK_T_GET_ID */

struct vblk_request {
	struct virtio_blk_outhdr hdr;
	struct virtio_blk_discard_write_zeroes range;
	u8 status;
	u8 queue;
};

/* I immutable after the probe */
struct vblk {
	struct virtio_device *vd; /* I */
	struct disk *disk; /* I */
	u32 nqueues; /* I */
	struct work config_work; /* own lock */
	struct virtio_buf bufs[SEGS_MAX + 3]; /* disk->lock: of the request being queued */
};

static u32 next_index; /* o: of the boot thread, which probes */
static u32 vblk_major; /* I after the first probe */

static struct vblk *vblk_of(struct disk *d)
{
	return d->priv;
}

static u32 type_of(enum bio_op op)
{
	switch (op) {
	case BIO_READ: return VIRTIO_BLK_T_IN;
	case BIO_WRITE: return VIRTIO_BLK_T_OUT;
	case BIO_FLUSH: return VIRTIO_BLK_T_FLUSH;
	case BIO_DISCARD: return VIRTIO_BLK_T_DISCARD;
	case BIO_ZERO: return VIRTIO_BLK_T_WRITE_ZEROES;
	case BIO_SERIAL: return SERIAL_ID;
	}
	return ~0u;
}

/* The pages of @r behind the header; how many pieces. holds: disk->lock */
static u32 add_pages(struct virtio_buf *at, const struct request *r)
{
	const struct bio *b;
	u32 n = 0;

	list_for_each(b, &r->bios, link) {
		for (u32 i = 0; i < b->nsegs; i++) {
			const struct bio_seg *s = &b->segs[i];

			at[n].va = (char *)page_to_va(s->page) + s->off;
			at[n++].len = r->op == BIO_SERIAL ? SERIAL_LEN : s->len;
		}
	}
	return n;
}

static int vblk_queue(struct disk *d, struct request *r)
{
	struct vblk *v = vblk_of(d);
	struct vblk_request *q = (struct vblk_request *)r->driver;
	struct virtqueue *vq;
	u32 n = 0, nout;
	int err;

	q->hdr = (struct virtio_blk_outhdr){ .type = type_of(r->op) };
	q->status = 0xff;
	v->bufs[n++] = (struct virtio_buf){ &q->hdr, sizeof(q->hdr) };
	if (r->op == BIO_READ || r->op == BIO_WRITE) {
		q->hdr.sector = r->sector;
	} else if (r->op == BIO_DISCARD || r->op == BIO_ZERO) {
		q->range = (struct virtio_blk_discard_write_zeroes){ .sector = r->sector,
								     .num_sectors = r->nsect };
		v->bufs[n++] = (struct virtio_buf){ &q->range, sizeof(q->range) };
	}
	nout = n;
	n += add_pages(v->bufs + n, r);
	if (r->op == BIO_WRITE)
		nout = n;
	v->bufs[n++] = (struct virtio_buf){ &q->status, 1 };
	q->queue = (u8)(cpu_id() % v->nqueues);
	vq = v->vd->vqs[q->queue];
	spin_lock(&vq->lock);
	err = virtqueue_add(vq, v->bufs, nout, n - nout, r);
	spin_unlock(&vq->lock);
	return err == -ENOSPC || err == -ENOMEM ? -EBUSY : err;
}

static void vblk_commit(struct disk *d)
{
	struct vblk *v = vblk_of(d);

	for (u32 i = 0; i < v->nqueues; i++) {
		struct virtqueue *vq = v->vd->vqs[i];

		spin_lock(&vq->lock);
		virtqueue_kick(vq);
		spin_unlock(&vq->lock);
	}
}

static int status_of(const struct request *r)
{
	switch (READ_ONCE(((const struct vblk_request *)r->driver)->status)) {
	case VIRTIO_BLK_S_OK: return 0;
	case VIRTIO_BLK_S_UNSUPP: return -EOPNOTSUPP;
	default: return -EIO;
	}
}

/* Up to DONE_BATCH requests off the queue. */
static u32 take_done(struct virtqueue *vq, struct request **done)
{
	u64 flags = spin_lock_irqsave(&vq->lock);
	u32 n = 0, len;

	while (n < DONE_BATCH && (done[n] = virtqueue_get(vq, &len)))
		n++;
	spin_unlock_irqrestore(&vq->lock, flags);
	return n;
}

static void vblk_done(struct virtqueue *vq)
{
	struct vblk *v = vq->vd->priv;
	struct request *done[DONE_BATCH];
	u32 n;

	do {
		n = take_done(vq, done);
		for (u32 i = 0; i < n; i++)
			request_done(done[i], status_of(done[i]));
	} while (n == DONE_BATCH);
	if (READ_ONCE(vq->vd->broken))
		disk_broken(v->disk);
}

/*
 * The reset makes the device forget all memory; a broken one is given and asked nothing any more.
 */
static void vblk_stop(struct disk *d)
{
	struct vblk *v = vblk_of(d);

	WRITE_ONCE(v->vd->broken, true);
	v->vd->ops->set_status(v->vd, 0);
}

static void read_config(struct virtio_device *vd, u32 off, void *buf, u32 len)
{
	virtio_config_read(vd, off, buf, len);
}
#define CONFIG(vd, field)                                                                          \
	({                                                                                         \
		__typeof__(((struct virtio_blk_config *)0)->field) cf_v = 0;                       \
		read_config((vd), offsetof(struct virtio_blk_config, field), &cf_v, sizeof(cf_v)); \
		cf_v;                                                                              \
	})

static int vblk_set_write_cache(struct disk *d, bool on)
{
	struct virtio_device *vd = vblk_of(d)->vd;
	u8 wce = on;

	if (!virtio_has_feature(vd, VIRTIO_BLK_F_CONFIG_WCE))
		return on == d->limits.write_cache ? 0 : -EINVAL;
	vd->ops->config_write(vd, offsetof(struct virtio_blk_config, wce), &wce, 1);
	WRITE_ONCE(d->limits.write_cache, CONFIG(vd, wce) != 0);
	return d->limits.write_cache == on ? 0 : -EIO;
}

static void config_run(struct work *w)
{
	struct vblk *v = container_of(w, struct vblk, config_work);

	if (!READ_ONCE(v->vd->broken))
		disk_resized(v->disk, CONFIG(v->vd, capacity));
}

static void vblk_removed(struct virtio_device *vd)
{
	struct vblk *v = vd->priv;

	if (v)
		disk_gone(v->disk);
}

static void vblk_config_changed(struct virtio_device *vd)
{
	struct vblk *v = vd->priv;

	if (v)
		work_queue(&v->config_work);
}

static const struct disk_ops vblk_ops = {
	.queue = vblk_queue,
	.commit = vblk_commit,
	.stop = vblk_stop,
	.set_write_cache = vblk_set_write_cache,
	.request_size = sizeof(struct vblk_request),
};

/* What the device takes; the block layer checks that it makes sense. 0 or -EINVAL. */
static int read_limits(struct virtio_device *vd, struct disk_limits *l, u32 ring)
{
	u32 offered = SEGS_MAX;

	if (ring < 4)
		return -EINVAL;
	if (virtio_has_feature(vd, VIRTIO_BLK_F_SEG_MAX))
		offered = MAX(CONFIG(vd, seg_max), 1u);
	l->max_segs = MIN(SEGS_MAX, ring - 3);
	l->max_segs = MIN(l->max_segs, offered);
	if (virtio_has_feature(vd, VIRTIO_BLK_F_SIZE_MAX) && CONFIG(vd, size_max) < PAGE_SIZE)
		return -EINVAL;
	l->max_sectors = MIN(MAX_SECTORS, l->max_segs * (PAGE_SIZE / SECTOR_SIZE));
	if (virtio_has_feature(vd, VIRTIO_BLK_F_BLK_SIZE))
		l->block = l->physical = CONFIG(vd, blk_size);
	if (virtio_has_feature(vd, VIRTIO_BLK_F_TOPOLOGY)) {
		u32 order = CONFIG(vd, physical_block_exp);

		if (order <= 12)
			l->physical = l->block << order;
		l->io_min = CONFIG(vd, min_io_size) * l->block;
		l->io_opt = CONFIG(vd, opt_io_size) * l->block;
	}
	if (virtio_has_feature(vd, VIRTIO_BLK_F_DISCARD)) {
		l->max_discard = CONFIG(vd, max_discard_sectors);
		l->discard_align = CONFIG(vd, discard_sector_alignment) * SECTOR_SIZE;
	}
	if (virtio_has_feature(vd, VIRTIO_BLK_F_WRITE_ZEROES))
		l->max_zero = CONFIG(vd, max_write_zeroes_sectors);
	if (virtio_has_feature(vd, VIRTIO_BLK_F_CONFIG_WCE))
		l->write_cache = CONFIG(vd, wce) != 0;
	else
		l->write_cache = virtio_has_feature(vd, VIRTIO_BLK_F_FLUSH);
	l->has_serial = true;
	l->depth = QUEUE_SIZE;
	return 0;
}

static u32 queues_wanted(struct virtio_device *vd)
{
	u32 n = 1;

	if (virtio_has_feature(vd, VIRTIO_BLK_F_MQ))
		n = MAX(CONFIG(vd, num_queues), (u16)1);
	n = MIN(n, cpu_count);
	return MIN(n, (u32)QUEUES_MAX);
}

static int setup_queues(struct vblk *v)
{
	struct virtqueue_spec spec[QUEUES_MAX];

	v->nqueues = queues_wanted(v->vd);
	for (u32 i = 0; i < v->nqueues; i++)
		spec[i] = (struct virtqueue_spec){ "requests", vblk_done, QUEUE_SIZE, 0 };
	return virtio_setup_queues(v->vd, spec, v->nqueues);
}

static struct disk *make_disk(struct vblk *v)
{
	struct disk *d;
	char name[24];

	if (!vblk_major)
		vblk_major = disk_major();
	disk_letters(name, sizeof(name), "vd", next_index);
	d = disk_alloc(name, &vblk_ops, v);
	if (!d)
		return NULL;
	d->major = vblk_major;
	d->first_minor = MINORS * next_index;
	d->minors = MINORS;
	d->parent = &v->vd->device;
	d->read_only = virtio_has_feature(v->vd, VIRTIO_BLK_F_RO);
	return d;
}

static int vblk_probe(struct virtio_device *vd)
{
	struct vblk *v = kzalloc(sizeof(*v), 0);
	int err = -ENOMEM;
	u64 capacity;

	if (!v)
		return -ENOMEM;
	v->vd = vd;
	work_init(&v->config_work, config_run);
	v->disk = make_disk(v);
	if (!v->disk)
		goto free_v;
	vd->priv = v;
	err = setup_queues(v);
	if (!err)
		err = read_limits(vd, &v->disk->limits, vd->vqs[0]->size);
	if (err)
		goto free_disk;
	capacity = CONFIG(vd, capacity);
	next_index++;
	virtio_ready(vd);
	log_info("%s: %s, %llu sectors of 512, %u queue%s%s", v->disk->name, vd->name,
		 (unsigned long long)capacity, v->nqueues, v->nqueues == 1 ? "" : "s",
		 v->disk->read_only ? ", read-only" : "");
	/* The disk stays, whatever is missing of it: the device may have its requests. */
	return disk_add(v->disk, capacity);
free_disk:
	vd->priv = NULL;
	disk_free(v->disk);
free_v:
	kfree(v);
	return err;
}
VIRTIO_DRIVER(blk, .id = VIRTIO_ID_BLOCK,
	      .features = BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_SEG_MAX) |
			  BIT(VIRTIO_BLK_F_RO) | BIT(VIRTIO_BLK_F_BLK_SIZE) |
			  BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_TOPOLOGY) |
			  BIT(VIRTIO_BLK_F_CONFIG_WCE) | BIT(VIRTIO_BLK_F_MQ) |
			  BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES),
	      .probe = vblk_probe, .config_changed = vblk_config_changed, .removed = vblk_removed);
