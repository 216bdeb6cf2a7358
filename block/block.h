#pragma once
/*
 * Block devices for who uses them: finding, claiming, sizes, flushing. Below block/blkdev.h, which
 * is the drivers' side.
 */
#include "block/blkdev.h"
#include "fs/vfs.h"

/* What the open of a device node does. */
int blkdev_open_node(struct inode *i, struct file *f);

/* The device of number @dev, or NULL. They stay for ever: no reference. ctx: thread; sleeps */
struct blkdev *blkdev_find(u64 dev);
/* By name ("vda1"), PARTUUID or PARTLABEL. NULL: there is none */
struct blkdev *blkdev_find_name(const char *name);
struct blkdev *blkdev_find_uuid(const char *uuid);
struct blkdev *blkdev_find_label(const char *label);
/* Each in the order of their making; NULL past the end. ctx: thread */
struct blkdev *blkdev_next(struct blkdev *b);
/* Becomes another number whenever a device appears; then the queue is woken. */
u32 blkdev_changes(void);
extern struct waitq blkdev_waitq;

#define BLK_WRITE 1u /* to be written */
#define BLK_EXCL 2u /* nobody else may claim it: a mount, O_EXCL */
/*
 * Open @b. With BLK_EXCL @holder claims it; the same holder may again. 0, -ENXIO (no such
 * partition any more), -EROFS, -EBUSY, -ENOMEM. ctx: thread; sleeps
 */
int __must_check blkdev_get(struct blkdev *b, u32 how, void *holder);
void blkdev_put(struct blkdev *b, u32 how);

struct inode *blkdev_inode(struct blkdev *b);
/*
 * @g, or NULL, from now on; the last one's functions are not running any more. ctx: thread; sleeps
 */
void blkdev_set_guard(struct blkdev *b, struct blkdev_guard *g);
struct pagecache *blkdev_cache(struct blkdev *b);
bool blkdev_read_only(const struct blkdev *b);
/* Is it, or what overlaps it, mounted or open with O_EXCL? holds: part_lock */
bool blkdev_claimed(const struct blkdev *b);
static inline u64 blkdev_bytes(const struct blkdev *b)
{
	return READ_ONCE(b->nsect) << SECTOR_SHIFT;
}

/* Tell the device to keep what was written. 0 or -EIO. ctx: thread; sleeps */
int __must_check blkdev_flush(struct blkdev *b);
/* Discard or zero sectors. 0, -EOPNOTSUPP, -EIO. ctx: thread; sleeps */
int __must_check blkdev_discard(struct blkdev *b, u64 sector, u64 nsect);
int __must_check blkdev_zero(struct blkdev *b, u64 sector, u64 nsect);
/*
 * Zeroes from byte @from to @to, in the cache too. @i: its inode. 0 or -errno. ctx: thread; sleeps
 */
int __must_check blkdev_zero_range(struct inode *i, struct blkdev *b, u64 from, u64 to);
/* Frames in the caches of all devices: "Buffers" of meminfo. ctx: thread */
u64 blkdev_cached_frames(void);
/* Write what is dirty and flush. 0 or -errno. ctx: thread; sleeps */
int blkdev_sync(struct blkdev *b);
void blkdev_sync_all(void);
/* Write what is dirty in [start, end) and forget all clean pages of it. 0 or -errno */
int blkdev_invalidate(struct blkdev *b, u64 start, u64 end);

/* File operations of open block devices (file.c). */
extern const struct file_ops blkdev_fops;
long blkdev_ioctl(struct file *f, u32 cmd, u64 arg);
bool blkdev_direct_aligned(const struct blkdev *b, const struct uio *u, u64 pos);
/* Between @u's memory, aligned, and byte @pos on of the device; caches are the caller's affair. */
ssize_t blkdev_direct_transfer(struct blkdev *b, struct uio *u, u64 pos, bool write);
u32 blkdev_dio_align(u64 dev); /* of the device of that number, 0: there is none */
ssize_t blkdev_direct(struct blkdev *b, struct uio *u, u64 pos, bool write);
static inline struct blkdev *blkdev_of_file(const struct file *f)
{
	return f->priv;
}

/* Partitions (scan.c). */
int disk_scan(struct disk *d); /* read the table again: 0, -EBUSY, -EIO. holds: nothing */
int partition_add(struct disk *d, u32 partno, u64 start, u64 nsect);
int partition_del(struct disk *d, u32 partno);
void partitions_remove_locked(struct disk *d); /* all; holds: part_lock; none is open */
int partition_resize(struct disk *d, u32 partno, u64 start, u64 nsect);

/* Devices that are made when somebody asks for their number. */
void loop_probe(u32 minor);
void ramdisk_probe(u32 minor);
void loop_init(void); /* boot, after vfs_init */
void ramdisk_init(void);

/* Showing (show.c). */
void blkdev_show_add(struct blkdev *b);
void blkdev_show_remove(struct blkdev *b);
void blkdev_show_change(struct blkdev *b);
void blkdev_stats(struct blkdev *b, struct blk_stats *out);
void blkdev_show_majors(struct sbuf *out);

#define RA_PAGES_DEFAULT 32u
#define RA_PAGES_MAX 256u

/* node.c, disk.c: between the files here */
int blkdev_node_make(struct blkdev *b);
void blkdev_node_resize(struct blkdev *b);
int blkdev_make(struct disk *d, u32 partno, struct blkdev **out);
void blkdev_changed(void);
void queue_init(struct disk *d);
int queue_alloc(struct disk *d);
void queue_free(struct disk *d);
void queue_submit(struct disk *d, struct list *bios);
void blkdev_log_error(const struct disk *d, enum bio_op op, u64 sector, u32 nsect, int status);
void stats_begin(struct blkdev *b, enum bio_op op, s64 now);
void stats_end(struct blkdev *b, const struct bio *bio, s64 now);
