/*
 * How block devices show: nodes in devtmpfs, /proc/partitions, /proc/diskstats, sysfs and its
 * events.
 *
 * A disk is the directory block/NAME below the device it is on (or devices/virtual), each partition
 * a directory in that of its disk; links lead there from class/block, block and dev/block. What
 * lsblk, blkid, mdev and udev look for is there under Linux's names. The files are tables, each a
 * function that writes the text.
 */
#include <linux/errno.h>
#include "block/block.h"
#include "fs/procfs.h"
#include "fs/sysfs.h"
#include "kernel/base/time.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

typedef unsigned long long ull;

static ull ms(u64 ns)
{
	return ns / (u64)NSEC_PER_MSEC;
}

/* A consistent copy, with the busy time up to now. ctx: thread */
void blkdev_stats(struct blkdev *b, struct blk_stats *out)
{
	u64 flags = spin_lock_irqsave(&b->disk->lock);

	*out = b->stats;
	spin_unlock_irqrestore(&b->disk->lock, flags);
	if (out->inflight[0] || out->inflight[1])
		out->busy_ns += (u64)(time_now() - out->busy_since);
}

/* The numbers of /proc/diskstats (Documentation/admin-guide/iostats.rst). */
static void stats_print(struct sbuf *out, const struct blk_stats *s)
{
	u64 all = 0;

	for (u32 op = 0; op < BIO_STAT_OPS; op++)
		all += s->ns[op];
	for (u32 op = BIO_READ; op <= BIO_WRITE; op++)
		sbuf_printf(out, "%llu %llu %llu %llu ", (ull)s->ios[op], (ull)s->merges[op],
			    (ull)s->sectors[op], ms(s->ns[op]));
	sbuf_printf(out, "%u %llu %llu ", s->inflight[0] + s->inflight[1], ms(s->busy_ns), ms(all));
	sbuf_printf(out, "%llu %llu %llu %llu %llu %llu\n", (ull)s->ios[BIO_DISCARD],
		    (ull)s->merges[BIO_DISCARD], (ull)s->sectors[BIO_DISCARD],
		    ms(s->ns[BIO_DISCARD]), (ull)s->ios[BIO_FLUSH], ms(s->ns[BIO_FLUSH]));
}

static int diskstats_show(struct sbuf *out, void *arg)
{
	struct blkdev *b = NULL;
	struct blk_stats s;

	while ((b = blkdev_next(b))) {
		if (!READ_ONCE(b->present))
			continue;
		blkdev_stats(b, &s);
		sbuf_printf(out, "%4u %7u %s ", dev_major(b->dev), dev_minor(b->dev), b->name);
		stats_print(out, &s);
	}
	return 0;
}
PROC_FILE(diskstats, "diskstats", 0444, .show = diskstats_show);

static int partitions_show(struct sbuf *out, void *arg)
{
	struct blkdev *b = NULL;
	bool first = true;

	while ((b = blkdev_next(b))) {
		if (!READ_ONCE(b->present) || !READ_ONCE(b->nsect))
			continue;
		if (first)
			sbuf_puts(out, "major minor  #blocks  name\n\n");
		first = false;
		sbuf_printf(out, "%4u  %7u %10llu %s\n", dev_major(b->dev), dev_minor(b->dev),
			    (ull)READ_ONCE(b->nsect) / 2, b->name);
	}
	return 0;
}
PROC_FILE(partitions, "partitions", 0444, .show = partitions_show);

/* The name a major goes by: a disk's without what tells it from others. */
static void major_name(const struct disk *d, char *name, size_t size)
{
	size_t n;

	if (str_begins(d->name, "vd")) {
		strlcpy(name, "virtblk", size);
		return;
	}
	strlcpy(name, d->name, size);
	n = strlen(name);
	while (n && char_is_digit(name[n - 1]))
		name[--n] = '\0';
}

/* The second half of /proc/devices, each major once, in order. ctx: thread */
void blkdev_show_majors(struct sbuf *out)
{
	struct blkdev *b, *next;
	u32 from = 0;
	char name[32];

	do {
		next = NULL;
		b = NULL;
		while ((b = blkdev_next(b)))
			if (dev_major(b->dev) >= from && (!next || b->dev < next->dev))
				next = b;
		if (next) {
			from = dev_major(next->dev) + 1;
			major_name(next->disk, name, sizeof(name));
			sbuf_printf(out, "%3u %s\n", dev_major(next->dev),
				    dev_major(next->dev) == next->disk->major ? name : "blkext");
		}
	} while (next);
}

/* --- sysfs --- */

static int dev_show(struct sbuf *out, void *arg)
{
	const struct blkdev *b = arg;

	sbuf_printf(out, "%u:%u\n", dev_major(b->dev), dev_minor(b->dev));
	return 0;
}

static int size_show(struct sbuf *out, void *arg)
{
	const struct blkdev *b = arg;

	sbuf_printf(out, "%llu\n", (ull)READ_ONCE(b->nsect));
	return 0;
}

static int start_show(struct sbuf *out, void *arg)
{
	const struct blkdev *b = arg;

	sbuf_printf(out, "%llu\n", (ull)READ_ONCE(b->start));
	return 0;
}

static int partition_show(struct sbuf *out, void *arg)
{
	const struct blkdev *b = arg;

	sbuf_printf(out, "%u\n", b->partno);
	return 0;
}

static int ro_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%d\n", blkdev_read_only(arg));
	return 0;
}

static int zero_show(struct sbuf *out, void *arg)
{
	sbuf_puts(out, "0\n");
	return 0;
}

static int range_show(struct sbuf *out, void *arg)
{
	const struct blkdev *b = arg;

	sbuf_printf(out, "%u\n", b->disk->minors);
	return 0;
}

static int ext_range_show(struct sbuf *out, void *arg)
{
	sbuf_puts(out, "256\n");
	return 0;
}

static int diskseq_show(struct sbuf *out, void *arg)
{
	const struct blkdev *b = arg;

	sbuf_printf(out, "%llu\n", (ull)b->disk->seq);
	return 0;
}

static int inflight_show(struct sbuf *out, void *arg)
{
	struct blk_stats s;

	blkdev_stats(arg, &s);
	sbuf_printf(out, "%8u %8u\n", s.inflight[0], s.inflight[1]);
	return 0;
}

static int stat_show(struct sbuf *out, void *arg)
{
	struct blk_stats s;

	blkdev_stats(arg, &s);
	stats_print(out, &s);
	return 0;
}

/* Asks the device; without an answer the text is empty, as Linux has it. */
static int serial_show(struct sbuf *out, void *arg)
{
	struct blkdev *b = arg;
	struct page *p = pmm_alloc(0, PMM_ZERO);
	struct bio *bio = p ? bio_alloc(b, BIO_SERIAL, 0, 1, 0) : NULL;
	const char *text = p ? page_to_va(p) : NULL;

	if (bio && bio_add(bio, p, 0, SECTOR_SIZE) && !bio_submit_wait(bio))
		sbuf_write(out, text, strnlen(text, 20));
	if (bio)
		bio_free(bio);
	if (p)
		page_put(p);
	return 0;
}

static int uevent_show(struct sbuf *out, void *arg)
{
	const struct blkdev *b = arg;

	sbuf_printf(out, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\nDEVTYPE=%s\n", dev_major(b->dev),
		    dev_minor(b->dev), b->name, b->partno ? "partition" : "disk");
	if (!b->partno)
		sbuf_printf(out, "DISKSEQ=%llu\n", (ull)b->disk->seq);
	else
		sbuf_printf(out, "PARTN=%u\n", b->partno);
	if (b->label[0])
		sbuf_printf(out, "PARTNAME=%s\n", b->label);
	return 0;
}

static bool path_of(const struct blkdev *b, char path[SYSFS_PATH_MAX])
{
	const struct disk *d = b->disk;

	if (!d->parent)
		strlcpy(path, "devices/virtual", SYSFS_PATH_MAX);
	else if (!sysfs_device_path(d->parent, path, SYSFS_PATH_MAX))
		return false;
	strlcat(path, "/block/", SYSFS_PATH_MAX);
	if (strlcat(path, d->name, SYSFS_PATH_MAX) >= SYSFS_PATH_MAX)
		return false;
	if (!b->partno)
		return true;
	strlcat(path, "/", SYSFS_PATH_MAX);
	return strlcat(path, b->name, SYSFS_PATH_MAX) < SYSFS_PATH_MAX;
}

static ssize_t uevent_write(const char *text, size_t n, void *arg)
{
	const char *action = sysfs_event_action(text, n);
	char path[SYSFS_PATH_MAX];

	if (!action)
		return -EINVAL;
	if (path_of(arg, path))
		sysfs_event(action, path, "block", uevent_show, arg);
	return (ssize_t)n;
}

/* --- queue/ --- */

#define LIMIT_SHOW(id, expression)                              \
	static int id##_show(struct sbuf *out, void *arg)       \
	{                                                       \
		const struct blkdev *b = arg;                   \
		const struct disk_limits *l = &b->disk->limits; \
		(void)l;                                        \
		sbuf_printf(out, "%llu\n", (ull)(expression));  \
		return 0;                                       \
	}
LIMIT_SHOW(logical_block, l->block)
LIMIT_SHOW(physical_block, l->physical)
LIMIT_SHOW(io_min, l->io_min ? l->io_min : l->physical)
LIMIT_SHOW(io_opt, l->io_opt)
LIMIT_SHOW(max_segs, l->max_segs)
LIMIT_SHOW(max_kb, l->max_sectors / 2)
LIMIT_SHOW(max_discard, (u64)l->max_discard << SECTOR_SHIFT)
LIMIT_SHOW(max_zero, (u64)l->max_zero << SECTOR_SHIFT)
LIMIT_SHOW(discard_align, l->max_discard ? l->discard_align : 0)
LIMIT_SHOW(rotational, l->rotational)
LIMIT_SHOW(depth, l->depth)
LIMIT_SHOW(timeout, ms(b->disk->timeout_ns))
LIMIT_SHOW(ra_kb, (u64)READ_ONCE(blkdev_cache(arg)->ra_pages) * (PAGE_SIZE / 1024))

static int scheduler_show(struct sbuf *out, void *arg)
{
	sbuf_puts(out, "[none]\n");
	return 0;
}

static int cache_show(struct sbuf *out, void *arg)
{
	const struct blkdev *b = arg;

	sbuf_puts(out, READ_ONCE(b->disk->limits.write_cache) ? "write back\n" : "write through\n");
	return 0;
}

static ssize_t cache_write(const char *text, size_t n, void *arg)
{
	struct blkdev *b = arg;
	bool back = str_begins(text, "write back");
	int err;

	if (!back && !str_begins(text, "write through") && !str_begins(text, "none"))
		return -EINVAL;
	if (!b->disk->ops->set_write_cache)
		return -EINVAL;
	err = blkdev_sync(b);
	if (!err)
		err = b->disk->ops->set_write_cache(b->disk, back);
	return err ? err : (ssize_t)n;
}

static ssize_t number_write(const char *text, size_t n, u64 *out)
{
	int err = str_to_u64(text, NULL, 10, out);

	return err ? err : (ssize_t)n;
}

static ssize_t ra_write(const char *text, size_t n, void *arg)
{
	u64 kb;
	ssize_t ret = number_write(text, n, &kb);

	if (ret > 0)
		WRITE_ONCE(blkdev_cache(arg)->ra_pages,
			   (u32)MIN(kb / (PAGE_SIZE / 1024), (u64)RA_PAGES_MAX));
	return ret;
}

static ssize_t timeout_write(const char *text, size_t n, void *arg)
{
	struct blkdev *b = arg;
	u64 v;
	ssize_t ret = number_write(text, n, &v);

	if (ret > 0 && (!v || v > 24 * 3600 * 1000))
		return -EINVAL;
	if (ret > 0)
		WRITE_ONCE(b->disk->timeout_ns, v * (u64)NSEC_PER_MSEC);
	return ret;
}

struct blk_attr {
	const char *name;
	int (*show)(struct sbuf *out, void *arg);
	ssize_t (*write)(const char *text, size_t n, void *arg);
};

static const struct blk_attr common_attrs[] = {
	{ "dev", dev_show, NULL },
	{ "size", size_show, NULL },
	{ "ro", ro_show, NULL },
	{ "stat", stat_show, NULL },
	{ "inflight", inflight_show, NULL },
	{ "alignment_offset", zero_show, NULL },
	{ "discard_alignment", zero_show, NULL },
	{ "uevent", uevent_show, uevent_write },
};

static const struct blk_attr partition_attrs[] = {
	{ "partition", partition_show, NULL },
	{ "start", start_show, NULL },
};

static const struct blk_attr disk_attrs[] = {
	{ "removable", zero_show, NULL },
	{ "hidden", zero_show, NULL },
	{ "range", range_show, NULL },
	{ "ext_range", ext_range_show, NULL },
	{ "capability", zero_show, NULL },
	{ "diskseq", diskseq_show, NULL },
	{ "queue/logical_block_size", logical_block_show, NULL },
	{ "queue/hw_sector_size", logical_block_show, NULL },
	{ "queue/physical_block_size", physical_block_show, NULL },
	{ "queue/minimum_io_size", io_min_show, NULL },
	{ "queue/optimal_io_size", io_opt_show, NULL },
	{ "queue/max_segments", max_segs_show, NULL },
	{ "queue/max_sectors_kb", max_kb_show, NULL },
	{ "queue/max_hw_sectors_kb", max_kb_show, NULL },
	{ "queue/discard_granularity", discard_align_show, NULL },
	{ "queue/discard_max_bytes", max_discard_show, NULL },
	{ "queue/discard_max_hw_bytes", max_discard_show, NULL },
	{ "queue/discard_zeroes_data", zero_show, NULL },
	{ "queue/write_zeroes_max_bytes", max_zero_show, NULL },
	{ "queue/rotational", rotational_show, NULL },
	{ "queue/nr_requests", depth_show, NULL },
	{ "queue/scheduler", scheduler_show, NULL },
	{ "queue/write_cache", cache_show, cache_write },
	{ "queue/read_ahead_kb", ra_kb_show, ra_write },
	{ "queue/io_timeout", timeout_show, timeout_write },
};

static const struct blk_attr serial_attr = { "serial", serial_show, NULL };

static void add_attrs(struct blkdev *b, const char *path, const struct blk_attr *a, u32 n)
{
	for (; n; n--, a++) {
		const struct pseudo_attr attr = {
			.mode = a->write ? 0644 : 0444,
			.show = a->show,
			.write = a->write,
			.arg = b,
		};

		(void)sysfs_add_at(&attr, "%s/%s", path, a->name);
	}
}

static void add_links(const struct blkdev *b, const char *path)
{
	char target[SYSFS_PATH_MAX];

	sysfs_add_link("class/block", "%s/subsystem", path);
	sysfs_add_link(path, "class/block/%s", b->name);
	sysfs_add_link(path, "dev/block/%u:%u", dev_major(b->dev), dev_minor(b->dev));
	if (b->partno)
		return;
	sysfs_add_link(path, "block/%s", b->name);
	if (b->disk->parent && sysfs_device_path(b->disk->parent, target, sizeof(target)))
		sysfs_add_link(target, "%s/device", path);
}

/* @b is there: node, files, event. ctx: thread; sleeps. Without memory some of it is missing. */
void blkdev_show_add(struct blkdev *b)
{
	char path[SYSFS_PATH_MAX];

	(void)devfs_add_node(b->name, S_IFBLK | 0600, b->dev);
	blkdev_changed();
	if (!path_of(b, path))
		return;
	add_attrs(b, path, common_attrs, ARRAY_SIZE(common_attrs));
	if (b->partno)
		add_attrs(b, path, partition_attrs, ARRAY_SIZE(partition_attrs));
	else
		add_attrs(b, path, disk_attrs, ARRAY_SIZE(disk_attrs));
	if (!b->partno && b->disk->limits.has_serial)
		add_attrs(b, path, &serial_attr, 1);
	add_links(b, path);
	sysfs_event("add", path, "block", uevent_show, b);
}

/* @b goes. ctx: thread; sleeps */
void blkdev_show_remove(struct blkdev *b)
{
	char path[SYSFS_PATH_MAX], link[SYSFS_PATH_MAX];

	(void)devfs_remove(b->name);
	if (!path_of(b, path))
		return;
	sysfs_event("remove", path, "block", uevent_show, b);
	snprintf(link, sizeof(link), "class/block/%s", b->name);
	sysfs_remove(link);
	snprintf(link, sizeof(link), "dev/block/%u:%u", dev_major(b->dev), dev_minor(b->dev));
	sysfs_remove(link);
	if (!b->partno) {
		snprintf(link, sizeof(link), "block/%s", b->name);
		sysfs_remove(link);
	}
	sysfs_remove(path);
}

static int resized_show(struct sbuf *out, void *arg)
{
	sbuf_puts(out, "RESIZE=1\n");
	return uevent_show(out, arg);
}

/* @b has another size. ctx: thread; sleeps */
void blkdev_show_change(struct blkdev *b)
{
	char path[SYSFS_PATH_MAX];

	if (path_of(b, path))
		sysfs_event("change", path, "block", resized_show, b);
}
