/*
 * Disks and the devices on them: registration, numbers, finding, opening.
 *
 * A driver makes a struct disk, fills in what it knows and adds it; that makes its partition 0, the
 * whole disk, reads the partition table (scan.c) and shows everything (show.c, devtmpfs). Disks
 * stay until power-off, and so do their partitions' structs, so pointers to them need no
 * references; a partition that was deleted has no sectors, and a disk whose device died is dead.
 *
 * Claims: a mount, or an open with O_EXCL, claims the device for a holder; another holder is
 * refused. A claimed partition keeps the whole disk from being claimed, and the other way round.
 *
 * Locking: registry_lock guards the lists of all devices, disk->part_lock openers and partitions.
 */
#include <linux/errno.h>
#include <linux/major.h>
#include "block/block.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "mm/vm/writeback.h"

#define FIRST_MAJOR 254 /* Linux gives out its dynamic numbers from here down */
#define BLKEXT_MAJOR 259 /* partitions beyond what a disk has minors for */
#define TIMEOUT_DEFAULT (60 * NSEC_PER_SEC)
#define SECTORS_PER_PAGE (PAGE_SIZE / SECTOR_SIZE)

static struct spinlock registry_lock = SPINLOCK_INIT(RANK_SPIN_OUTER);
static struct list all_blkdevs = LIST_INIT(all_blkdevs); /* registry_lock */
static u32 next_major = FIRST_MAJOR; /* registry_lock */
static u32 next_ext_minor; /* registry_lock */
static u64 next_seq; /* registry_lock */
static u32 changes; /* a */
struct waitq blkdev_waitq = WAITQ_INIT(blkdev_waitq);

/* See blkdev.h. ctx: boot thread */
u32 disk_major(void)
{
	u32 major;

	spin_lock(&registry_lock);
	major = next_major--;
	spin_unlock(&registry_lock);
	return major;
}

/* See blkdev.h. Bijective numbers to the base 26. ctx: any */
void disk_letters(char *name, size_t size, const char *prefix, u32 index)
{
	char letters[8];
	u32 n = sizeof(letters) - 1;

	letters[n] = '\0';
	for (index++; index && n; index = (index - 1) / 26)
		letters[--n] = (char)('a' + (index - 1) % 26);
	snprintf(name, size, "%s%s", prefix, letters + n);
}

/* See blkdev.h. ctx: thread; sleeps */
struct disk *disk_alloc(const char *name, const struct disk_ops *ops, void *priv)
{
	struct disk *d = kzalloc(sizeof(*d), 0);

	if (!d)
		return NULL;
	strlcpy(d->name, name, sizeof(d->name));
	d->ops = ops;
	d->priv = priv;
	d->timeout_ns = TIMEOUT_DEFAULT;
	d->minors = 1;
	d->limits = (struct disk_limits){
		.block = SECTOR_SIZE,
		.physical = SECTOR_SIZE,
		.max_segs = 128,
		.max_sectors = 2048,
		.depth = 1,
	};
	mutex_init(&d->part_lock, RANK_BLKPART);
	queue_init(d);
	return d;
}

/* ctx: thread */
void disk_free(struct disk *d)
{
	queue_free(d);
	kfree(d);
}

static bool limits_sane(const struct disk_limits *l)
{
	if (l->block < SECTOR_SIZE || l->block > PAGE_SIZE || (l->block & (l->block - 1)))
		return false;
	return l->max_segs >= 1 && l->max_sectors >= SECTORS_PER_PAGE && l->depth >= 1;
}

static u64 number_of(const struct disk *d, u32 partno)
{
	u32 minor;

	if (partno < d->minors)
		return dev_make(d->major, d->first_minor + partno);
	spin_lock(&registry_lock);
	minor = next_ext_minor++;
	spin_unlock(&registry_lock);
	return dev_make(BLKEXT_MAJOR, minor);
}

/*
 * The struct of partition @partno of @d, with no sectors yet; once for each number.
 * ctx: thread; holds: part_lock, or @d is not known yet; sleeps. 0 or -ENOMEM.
 */
int blkdev_make(struct disk *d, u32 partno, struct blkdev **out)
{
	struct blkdev *b = kzalloc(sizeof(*b), 0);
	size_t n = strlen(d->name);
	int err;

	if (!b)
		return -ENOMEM;
	b->disk = d;
	b->partno = partno;
	b->block = PAGE_SIZE;
	if (partno)
		snprintf(b->name, sizeof(b->name), "%s%s%u", d->name,
			 n && char_is_digit(d->name[n - 1]) ? "p" : "", partno);
	else
		strlcpy(b->name, d->name, sizeof(b->name));
	b->dev = number_of(d, partno);
	err = blkdev_node_make(b);
	if (err) {
		kfree(b);
		return err;
	}
	d->parts[partno] = b;
	spin_lock(&registry_lock);
	list_add_tail(&all_blkdevs, &b->all);
	spin_unlock(&registry_lock);
	*out = b;
	return 0;
}

static void resize_run(struct work *w)
{
	struct disk *d = container_of(w, struct disk, resize_work);
	struct blkdev *b = d->parts[0];
	u64 nsect = READ_ONCE(d->new_capacity), old;

	mutex_lock(&d->part_lock);
	old = b->nsect;
	if (nsect != old) {
		WRITE_ONCE(b->nsect, nsect);
		blkdev_node_resize(b);
		blkdev_show_change(b);
		log_info("%s: %llu sectors, was %llu", d->name, (unsigned long long)nsect,
			 (unsigned long long)old);
	}
	mutex_unlock(&d->part_lock);
}

/* See blkdev.h. ctx: any */
void disk_resized(struct disk *d, u64 nsect)
{
	WRITE_ONCE(d->new_capacity, nsect);
	work_queue(&d->resize_work);
}

/* See blkdev.h. ctx: thread; sleeps */
int disk_add(struct disk *d, u64 nsect)
{
	struct blkdev *b;
	int err;

	if (!limits_sane(&d->limits))
		return -EINVAL;
	err = writeback_init();
	if (!err)
		err = queue_alloc(d);
	if (err)
		return err;
	work_init(&d->resize_work, resize_run);
	spin_lock(&registry_lock);
	d->seq = ++next_seq;
	spin_unlock(&registry_lock);
	err = blkdev_make(d, 0, &b);
	if (err)
		return err;
	b->nsect = nsect;
	b->present = true;
	blkdev_node_resize(b);
	blkdev_show_add(b);
	if (nsect && !d->no_scan)
		(void)disk_scan(d);
	return 0;
}

/* See blkdev.h. ctx: thread; sleeps */
int disk_hide(struct disk *d)
{
	struct blkdev *b = d->parts[0];
	int err = 0;

	mutex_lock(&d->part_lock);
	if (b->openers)
		err = -EBUSY;
	else if (b->present) {
		blkdev_show_remove(b);
		WRITE_ONCE(b->present, false);
	} else {
		err = -ENODEV;
	}
	mutex_unlock(&d->part_lock);
	return err;
}

/* See blkdev.h. ctx: thread; sleeps */
bool disk_reveal(struct disk *d)
{
	struct blkdev *b = d->parts[0];
	bool hidden;

	mutex_lock(&d->part_lock);
	hidden = !b->present;
	if (hidden) {
		WRITE_ONCE(b->present, true);
		blkdev_show_add(b);
	}
	mutex_unlock(&d->part_lock);
	return hidden;
}

/* --- finding --- */

/* See block.h. ctx: any */
u32 blkdev_changes(void)
{
	return __atomic_load_n(&changes, __ATOMIC_ACQUIRE);
}

/* Something new can be found. ctx: thread */
void blkdev_changed(void)
{
	__atomic_add_fetch(&changes, 1, __ATOMIC_RELEASE);
	waitq_wake_all(&blkdev_waitq);
}

static struct blkdev *find_known(u64 dev)
{
	struct blkdev *b, *found = NULL;

	spin_lock(&registry_lock);
	list_for_each(b, &all_blkdevs, all)
		if (b->dev == dev)
			found = b;
	spin_unlock(&registry_lock);
	return found;
}

/* See block.h. RAM disks and loop devices are made now. ctx: thread; sleeps */
struct blkdev *blkdev_find(u64 dev)
{
	struct blkdev *b = find_known(dev);

	if (b || (dev_major(dev) != LOOP_MAJOR && dev_major(dev) != RAMDISK_MAJOR))
		return b;
	if (dev_major(dev) == LOOP_MAJOR)
		loop_probe(dev_minor(dev));
	else
		ramdisk_probe(dev_minor(dev));
	return find_known(dev);
}

/* ctx: thread */
struct blkdev *blkdev_next(struct blkdev *b)
{
	struct list *n;

	spin_lock(&registry_lock);
	n = b ? b->all.next : all_blkdevs.next;
	spin_unlock(&registry_lock);
	return n == &all_blkdevs ? NULL : list_entry(n, struct blkdev, all);
}

/* ctx: thread */
struct blkdev *blkdev_find_name(const char *name)
{
	struct blkdev *b = NULL;

	while ((b = blkdev_next(b)))
		if (READ_ONCE(b->present) && !strcmp(b->name, name))
			return b;
	return NULL;
}

/* ctx: thread */
struct blkdev *blkdev_find_uuid(const char *uuid)
{
	struct blkdev *b = NULL;

	while ((b = blkdev_next(b)))
		if (READ_ONCE(b->present) && b->uuid[0] && !strcasecmp(b->uuid, uuid))
			return b;
	return NULL;
}

/* ctx: thread */
struct blkdev *blkdev_find_label(const char *label)
{
	struct blkdev *b = NULL;

	while ((b = blkdev_next(b)))
		if (READ_ONCE(b->present) && b->label[0] && !strcmp(b->label, label))
			return b;
	return NULL;
}

/* --- opening --- */

/* ctx: any */
bool blkdev_read_only(const struct blkdev *b)
{
	return b->disk->read_only || READ_ONCE(b->read_only);
}

/* Is another part of the disk claimed that overlaps @b by being the whole, or a part of it? */
static bool others_claimed(const struct blkdev *b, const void *holder)
{
	const struct disk *d = b->disk;

	if (b->partno)
		return d->parts[0]->holder && d->parts[0]->holder != holder;
	for (u32 i = 1; i <= DISK_PARTS_MAX; i++)
		if (d->parts[i] && d->parts[i]->holder && d->parts[i]->holder != holder)
			return true;
	return false;
}

/* See block.h. holds: part_lock */
bool blkdev_claimed(const struct blkdev *b)
{
	return b->holder || others_claimed(b, NULL);
}

static int get_locked(struct blkdev *b, u32 how, void *holder)
{
	int err;

	if (!b->present)
		return -ENXIO;
	if ((how & BLK_EXCL) && ((b->holder && b->holder != holder) || others_claimed(b, holder)))
		return -EBUSY;
	if (!b->openers && b->disk->ops->open) {
		err = b->disk->ops->open(b->disk);
		if (err)
			return err;
	}
	b->openers++;
	if (how & BLK_WRITE)
		b->writers++;
	if (how & BLK_EXCL) {
		b->holder = holder;
		b->holds++;
	}
	return 0;
}

/* See block.h. ctx: thread; sleeps */
int blkdev_get(struct blkdev *b, u32 how, void *holder)
{
	int err;

	mutex_lock(&b->disk->part_lock);
	err = get_locked(b, how, holder);
	mutex_unlock(&b->disk->part_lock);
	return err;
}

/* Undo blkdev_get, with the same @how; the last close writes what is dirty. ctx: thread; sleeps */
void blkdev_put(struct blkdev *b, u32 how)
{
	if (how & BLK_WRITE)
		(void)writeback_range(blkdev_cache(b), 0, ~0ull, WRITEBACK_WAIT);
	mutex_lock(&b->disk->part_lock);
	debug_assert(b->openers);
	if (how & BLK_WRITE)
		b->writers--;
	if ((how & BLK_EXCL) && !--b->holds)
		b->holder = NULL;
	if (!--b->openers && b->disk->ops->close)
		b->disk->ops->close(b->disk);
	mutex_unlock(&b->disk->part_lock);
}
