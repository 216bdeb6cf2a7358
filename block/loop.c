/*
 * Loop devices: a file as a disk.
 *
 * Bios go to a thread of the device's own, which reads and writes the file like any program,
 * through its page cache (or past it, with O_DIRECT); a flush is an fsync, a discard punches a
 * hole. A thread of its own because who submits a bio may hold locks of a file system that is on
 * the device, or of pages of it. What it makes dirty in the file it also begins to write when there
 * is much dirty memory, and waits for that: the pages of the device and of the file together are
 * never more than the limits allow for one of them, and the disk below does not need this device to
 * go on.
 *
 * The file is opened anew, so the user's descriptor may be closed, and its flags do not matter.
 * Beyond the end of the file reads give zeroes.
 *
 * With LO_FLAGS_AUTOCLEAR the last close lets go of the file. All changes of a binding hold the
 * disk's part_lock, under which no file may be released: that is left to a worker.
 *
 * Reference: loop(4).
 */
#include <linux/errno.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/major.h>
#include "block/loop.h"
#include "fs/sysfs.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "mm/vm/writeback.h"

#define DISCARD_MAX (1u << 21) /* sectors: 1 GiB */

/* --- the worker --- */

/* A piece of memory and of the file. 0 or -errno */
static int transfer(struct loop *lo, const struct bio_seg *s, u64 pos, bool write)
{
	char *va = (char *)page_to_va(s->page) + s->off;
	ssize_t n;

	if (write) {
		n = file_write_kernel(lo->file, va, s->len, pos);
		return n == (ssize_t)s->len ? 0 : n < 0 ? (int)n : -EIO;
	}
	n = file_read_kernel(lo->file, va, s->len, pos);
	if (n >= 0)
		memset(va + n, 0, s->len - (size_t)n);
	return n < 0 ? (int)n : 0;
}

static int transfer_all(struct loop *lo, const struct bio *b, u64 pos)
{
	struct pagecache *pc = lo->file->inode->cache;
	u64 from = pos;
	int err = 0;

	for (u32 i = 0; i < b->nsegs && !err; i++) {
		err = transfer(lo, &b->segs[i], pos, b->op == BIO_WRITE);
		if (err == -ENOMEM && pc) {
			/* What is dirty can become memory. */
			(void)writeback_range(pc, 0, ~0ull, WRITEBACK_WAIT);
			err = transfer(lo, &b->segs[i], pos, b->op == BIO_WRITE);
		}
		pos += b->segs[i].len;
	}
	if (b->op == BIO_WRITE && pc && writeback_is_due())
		(void)writeback_range(pc, from >> PAGE_SHIFT, pos >> PAGE_SHIFT, WRITEBACK_WAIT);
	return err;
}

static int serve(struct loop *lo, const struct bio *b)
{
	u64 pos = lo->offset + (b->sector << SECTOR_SHIFT), len = (u64)b->nsect << SECTOR_SHIFT;
	int err;

	if (unlikely(!lo->file))
		return -EIO;
	switch (b->op) {
	case BIO_READ:
	case BIO_WRITE: return transfer_all(lo, b, pos);
	case BIO_FLUSH:
		err = file_fsync(lo->file, 0, ~0ull, false);
		return err == -EINVAL ? 0 : err;
	case BIO_DISCARD:
	case BIO_ZERO:
		return file_fallocate(lo->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, pos,
				      len);
	default: return -EOPNOTSUPP;
	}
}

static void run(struct work *w)
{
	struct loop *lo = container_of(w, struct loop, work);
	struct disk *d = lo->disk;

	for (;;) {
		struct bio *b = NULL;
		u64 flags = spin_lock_irqsave(&d->lock);

		if (!list_empty(&lo->pending)) {
			b = list_first(&lo->pending, struct bio, link);
			list_del(&b->link);
		}
		spin_unlock_irqrestore(&d->lock, flags);
		if (!b)
			return;
		bio_served(b, serve(lo, b));
	}
}

static void loop_submit(struct disk *d, struct bio *b)
{
	struct loop *lo = d->priv;
	u64 flags = spin_lock_irqsave(&d->lock);

	list_add_tail(&lo->pending, &b->link);
	spin_unlock_irqrestore(&d->lock, flags);
	work_queue_on(lo->queue, &lo->work);
}

/* --- sysfs: NAME/loop/, while it is bound --- */

static int backing_show(struct sbuf *out, void *arg)
{
	struct loop *lo = arg;
	char *buf = kmalloc(PATH_MAX_LEN, 0), *text;
	struct path root;

	if (!buf)
		return -ENOMEM;
	fsctx_get_root(&root);
	mutex_lock(&lo->disk->part_lock);
	if (lo->file && !path_to_string(&lo->file->path, &root, buf, PATH_MAX_LEN, &text))
		sbuf_printf(out, "%s\n", text);
	mutex_unlock(&lo->disk->part_lock);
	path_put(&root);
	kfree(buf);
	return 0;
}

static int offset_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%llu\n", (unsigned long long)((struct loop *)arg)->offset);
	return 0;
}

static int sizelimit_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%llu\n", (unsigned long long)((struct loop *)arg)->sizelimit);
	return 0;
}

static int flag_show(struct sbuf *out, void *arg, u32 flag)
{
	sbuf_printf(out, "%d\n", (((struct loop *)arg)->flags & flag) != 0);
	return 0;
}

static int autoclear_show(struct sbuf *out, void *arg)
{
	return flag_show(out, arg, LO_FLAGS_AUTOCLEAR);
}

static int partscan_show(struct sbuf *out, void *arg)
{
	return flag_show(out, arg, LO_FLAGS_PARTSCAN);
}

static int dio_show(struct sbuf *out, void *arg)
{
	return flag_show(out, arg, LO_FLAGS_DIRECT_IO);
}

static void show_binding(struct loop *lo)
{
	static const struct {
		const char *name;
		int (*show)(struct sbuf *out, void *arg);
	} files[] = {
		{ "backing_file", backing_show }, { "offset", offset_show },
		{ "sizelimit", sizelimit_show },  { "autoclear", autoclear_show },
		{ "partscan", partscan_show },	  { "dio", dio_show },
	};

	for (u32 i = 0; i < ARRAY_SIZE(files); i++) {
		const struct pseudo_attr a = { .mode = 0444, .show = files[i].show, .arg = lo };

		(void)sysfs_add_at(&a, "devices/virtual/block/loop%u/loop/%s", lo->number,
				   files[i].name);
	}
}

static void hide_binding(const struct loop *lo)
{
	char path[SYSFS_PATH_MAX];

	snprintf(path, sizeof(path), "devices/virtual/block/loop%u/loop", lo->number);
	sysfs_remove(path);
}

/* --- binding --- */

/* See loop.h. ctx: thread; holds: part_lock */
u32 loop_openers(const struct loop *lo)
{
	u32 n = 0;

	for (u32 i = 0; i <= DISK_PARTS_MAX; i++)
		n += lo->disk->parts[i] ? lo->disk->parts[i]->openers : 0;
	return n;
}

/* See loop.h. ctx: thread; sleeps */
void loop_settle(struct loop *lo)
{
	for (u32 i = 0; i <= DISK_PARTS_MAX; i++)
		if (lo->disk->parts[i])
			(void)writeback_range(blkdev_cache(lo->disk->parts[i]), 0, ~0ull,
					      WRITEBACK_WAIT);
	work_flush(&lo->work);
}

/* See loop.h. ctx: thread; sleeps */
void loop_resize(struct loop *lo)
{
	struct blkdev *b = lo->disk->parts[0];
	u64 size = READ_ONCE(lo->file->inode->size);

	size = size > lo->offset ? size - lo->offset : 0;
	if (lo->sizelimit)
		size = MIN(size, lo->sizelimit);
	WRITE_ONCE(b->nsect, size >> SECTOR_SHIFT);
	blkdev_node_resize(b);
	blkdev_show_change(b);
}

/* See loop.h. ctx: thread; sleeps */
int loop_bind(struct loop *lo, struct file *f, u32 block)
{
	struct disk_limits *l = &lo->disk->limits;

	if (!lo->queue)
		lo->queue = workqueue_create(lo->disk->name);
	if (!lo->queue)
		return -ENOMEM;
	lo->file = f;
	l->block = l->physical = block;
	l->write_cache = f->ops->fsync != NULL;
	l->max_discard = f->ops->fallocate && !(lo->flags & LO_FLAGS_READ_ONLY) ? DISCARD_MAX : 0;
	l->max_zero = l->max_discard; /* what has no room reads as zeroes */
	l->discard_align = block;
	lo->disk->read_only = lo->flags & LO_FLAGS_READ_ONLY;
	lo->disk->no_scan = !(lo->flags & LO_FLAGS_PARTSCAN);
	show_binding(lo);
	loop_resize(lo);
	return 0;
}

/* See loop.h. ctx: thread; sleeps */
void loop_unbind(struct loop *lo)
{
	struct disk *d = lo->disk;

	loop_settle(lo);
	hide_binding(lo);
	partitions_remove_locked(d);
	WRITE_ONCE(d->parts[0]->nsect, 0);
	blkdev_node_resize(d->parts[0]);
	file_put_deferred(lo->file);
	lo->file = NULL;
	lo->offset = lo->sizelimit = 0;
	lo->flags = 0;
	d->no_scan = true;
	lo->name[0] = '\0';
	d->read_only = false;
	WRITE_ONCE(d->parts[0]->read_only, false);
	blkdev_show_change(d->parts[0]);
}

/* The last of all openers of disk and partitions is gone. holds: part_lock */
static void loop_close(struct disk *d)
{
	struct loop *lo = d->priv;

	if (lo->file && (lo->flags & LO_FLAGS_AUTOCLEAR) && !loop_openers(lo))
		loop_unbind(lo);
}

/* --- making --- */

static const struct disk_ops loop_ops = {
	.submit = loop_submit,
	.close = loop_close,
	.ioctl = loop_ioctl,
};

/* See loop.h. ctx: thread; sleeps; holds: nothing of the disk's */
struct loop *loop_make(u32 number)
{
	struct loop *lo = kzalloc(sizeof(*lo), 0);
	char name[16];

	if (!lo)
		return NULL;
	snprintf(name, sizeof(name), "loop%u", number);
	lo->number = number;
	list_init(&lo->pending);
	work_init(&lo->work, run);
	lo->disk = disk_alloc(name, &loop_ops, lo);
	if (!lo->disk)
		goto free_loop;
	lo->disk->major = LOOP_MAJOR;
	lo->disk->first_minor = number;
	lo->disk->no_scan = true;
	if (disk_add(lo->disk, 0))
		goto free_disk;
	return lo;
free_disk:
	disk_free(lo->disk);
free_loop:
	kfree(lo);
	return NULL;
}
