/*
 * Partitions of a disk: read from its table, or as BLKPG adds and removes them one by one.
 *
 * Reading goes through the disk's page cache. A new table replaces the old partitions unless one of
 * them is in use; one that stays as it was keeps its struct, its cache and its node.
 *
 * Locking: part_lock.
 */
#include <linux/errno.h>
#include "block/block.h"
#include "block/parttable.h"
#include "kernel/base/log.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

static int read_sector(const struct part_source *s, u64 sector, void *buf)
{
	struct blkdev *b = s->priv;
	struct page *p;
	int err;

	if (sector >= s->nsect)
		return -EIO;
	err = pagecache_get(blkdev_cache(b), sector >> (PAGE_SHIFT - SECTOR_SHIFT), &p);
	if (err)
		return err;
	memcpy(buf, (char *)page_to_va(p) + ((sector << SECTOR_SHIFT) & PAGE_MASK), SECTOR_SIZE);
	page_put(p);
	return 0;
}

/* Take partition @b away. holds: part_lock; nobody has it open */
static void remove_locked(struct blkdev *b)
{
	blkdev_show_remove(b);
	WRITE_ONCE(b->present, false);
	WRITE_ONCE(b->nsect, 0);
	blkdev_node_resize(b);
	b->uuid[0] = b->label[0] = '\0';
}

/* Give partition @partno the sectors. holds: part_lock. 0 or -ENOMEM */
static int place_locked(struct disk *d, u32 partno, u64 start, u64 nsect, const char *uuid,
			const char *label)
{
	struct blkdev *b = d->parts[partno];
	int err = b ? 0 : blkdev_make(d, partno, &b);

	if (err)
		return err;
	WRITE_ONCE(b->start, start);
	WRITE_ONCE(b->nsect, nsect);
	strlcpy(b->uuid, uuid, sizeof(b->uuid));
	strlcpy(b->label, label, sizeof(b->label));
	blkdev_node_resize(b);
	WRITE_ONCE(b->present, true);
	blkdev_show_add(b);
	return 0;
}

/* See block.h. ctx: thread; sleeps */
void partitions_remove_locked(struct disk *d)
{
	for (u32 i = 1; i <= DISK_PARTS_MAX; i++)
		if (d->parts[i] && d->parts[i]->present)
			remove_locked(d->parts[i]);
}

static bool in_use(const struct disk *d)
{
	for (u32 i = 1; i <= DISK_PARTS_MAX; i++)
		if (d->parts[i] && d->parts[i]->present && d->parts[i]->openers)
			return true;
	return false;
}

/* The entry of number @partno, or NULL. */
static const struct part_entry *entry_of(const struct part_entry *e, u32 n, u32 partno)
{
	for (u32 i = 0; i < n; i++)
		if (e[i].number == partno)
			return &e[i];
	return NULL;
}

static bool unchanged(const struct blkdev *b, const struct part_entry *e)
{
	return e && b->start == e->start && b->nsect == e->nsect && !strcmp(b->uuid, e->uuid) &&
	       !strcmp(b->label, e->label);
}

static void log_found(const struct disk *d, enum part_kind kind)
{
	static const char *const names[] = { "no partition table", "MBR", "GPT",
					     "GPT, from its backup: the primary one is damaged" };
	u32 n = 0;

	for (u32 i = 1; i <= DISK_PARTS_MAX; i++)
		n += d->parts[i] && d->parts[i]->present;
	log_print(kind == PART_GPT_BACKUP ? LOG_WARN : LOG_INFO, "%s: %u partitions (%s)", d->name,
		  n, names[kind]);
}

static int apply_locked(struct disk *d, const struct part_entry *e, u32 n)
{
	int err = 0;

	for (u32 i = 1; i <= DISK_PARTS_MAX; i++) {
		struct blkdev *b = d->parts[i];
		const struct part_entry *want = entry_of(e, n, i);

		if (b && b->present && !unchanged(b, want))
			remove_locked(b);
		if (want && !(b && b->present) && !err)
			err = place_locked(d, i, want->start, want->nsect, want->uuid, want->label);
	}
	return err;
}

static int scan_locked(struct disk *d)
{
	struct blkdev *whole = d->parts[0];
	struct part_source s = {
		.nsect = whole->nsect, .block = d->limits.block, .read = read_sector, .priv = whole
	};
	struct part_entry *e;
	enum part_kind kind;
	u32 n;
	int err;

	if (READ_ONCE(d->gone))
		return -ENXIO;
	if (in_use(d))
		return -EBUSY;
	e = kcalloc(DISK_PARTS_MAX, sizeof(*e), 0);
	if (!e)
		return -ENOMEM;
	/* Who wrote the table may have done so behind the page cache. */
	if (!d->in_memory)
		(void)blkdev_invalidate(whole, 0, blkdev_bytes(whole));
	err = parttable_read(&s, e, DISK_PARTS_MAX, &n, &kind);
	if (!err)
		err = apply_locked(d, e, n);
	kfree(e);
	if (err)
		log_err("%s: cannot read the partition table (error %d)", d->name, -err);
	else if (kind != PART_NONE)
		log_found(d, kind);
	return err;
}

/* Read the table again. ctx: thread; sleeps. 0, -EBUSY, -EIO, -ENOMEM */
int disk_scan(struct disk *d)
{
	int err;

	mutex_lock(&d->part_lock);
	err = scan_locked(d);
	mutex_unlock(&d->part_lock);
	return err;
}

/* Does [@start, @start + @nsect) lie on the disk, clear of all partitions but @but? */
static int check_place(const struct disk *d, u32 but, u64 start, u64 nsect)
{
	u64 size = READ_ONCE(d->gone) ? 0 : d->parts[0]->nsect;

	if (!nsect || start >= size || nsect > size - start)
		return -EINVAL;
	for (u32 i = 1; i <= DISK_PARTS_MAX; i++) {
		const struct blkdev *b = d->parts[i];

		if (i != but && b && b->present && start < b->start + b->nsect &&
		    b->start < start + nsect)
			return -EBUSY;
	}
	return 0;
}

/* BLKPG_ADD_PARTITION. ctx: thread; sleeps. 0, -EINVAL, -EBUSY, -ENOMEM */
int partition_add(struct disk *d, u32 partno, u64 start, u64 nsect)
{
	int err;

	if (!partno || partno > DISK_PARTS_MAX)
		return -EINVAL;
	mutex_lock(&d->part_lock);
	err = d->parts[partno] && d->parts[partno]->present ? -EBUSY
							    : check_place(d, partno, start, nsect);
	if (!err)
		err = place_locked(d, partno, start, nsect, "", "");
	mutex_unlock(&d->part_lock);
	return err;
}

static struct blkdev *present(struct disk *d, u32 partno)
{
	struct blkdev *b = partno && partno <= DISK_PARTS_MAX ? d->parts[partno] : NULL;

	return b && b->present ? b : NULL;
}

/* BLKPG_DEL_PARTITION. ctx: thread; sleeps. 0, -ENXIO, -EBUSY */
int partition_del(struct disk *d, u32 partno)
{
	struct blkdev *b;
	int err = 0;

	mutex_lock(&d->part_lock);
	b = present(d, partno);
	if (!b)
		err = -ENXIO;
	else if (b->openers)
		err = -EBUSY;
	else
		remove_locked(b);
	mutex_unlock(&d->part_lock);
	return err;
}

/*
 * BLKPG_RESIZE_PARTITION: the start must be what it is. ctx: thread; sleeps. 0, -ENXIO, -EINVAL,
 * -EBUSY
 */
int partition_resize(struct disk *d, u32 partno, u64 start, u64 nsect)
{
	struct blkdev *b;
	int err;

	mutex_lock(&d->part_lock);
	b = present(d, partno);
	if (!b)
		err = -ENXIO;
	else if (b->start != start)
		err = -EINVAL;
	else
		err = check_place(d, partno, start, nsect);
	if (!err) {
		WRITE_ONCE(b->nsect, nsect);
		blkdev_node_resize(b);
		blkdev_show_change(b);
	}
	mutex_unlock(&d->part_lock);
	return err;
}
