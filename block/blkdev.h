#pragma once
/*
 * Block devices: the contract between drivers (disks), the block layer and who uses them.
 *
 * A struct disk is one device of a driver, with a queue of requests; a struct blkdev is what has a
 * number and a node: the whole disk (partition 0) or one partition. Both stay for ever once made: a
 * partition that is deleted keeps its struct, with no sectors, for the next of that number.
 *
 * Life of a request: bios are merged into it while it waits in the queue; the driver gets it by
 * ->queue, and ends it by request_done() from any context.
 *
 * I immutable after disk_add, a atomic, q guarded by disk->lock (rank BLKQ, taken with irqsave), p
 * guarded by disk->part_lock, o the owner's.
 */
#include "block/bio.h"
#include "kernel/base/device.h"
#include "kernel/base/spinlock.h"
#include "kernel/base/timeout.h"
#include "kernel/lib/rbtree.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/waitq.h"
#include "kernel/sched/work.h"

struct disk;
struct blkdev_node;

struct request {
	struct rb_node node; /* q: by sector, while it waits */
	struct list link; /* q: free, waiting (by age) or under way */
	struct list bios; /* q: in order of sectors; I while under way */
	struct disk *disk; /* I */
	enum bio_op op; /* q */
	u64 sector; /* q */
	u32 nsect, nsegs; /* q */
	bool under_way; /* q: the driver has it */
	s64 expires; /* q: waiting: when it goes before its turn; under way: when it began */
	u64 driver[]; /* o: driver's own, disk_ops.request_size bytes */
};

struct disk_ops {
	/*
	 * Begin @r. 0, or -EBUSY: full, asked again after the next request_done(). Another error
	 * fails @r. holds: disk->lock; ctx: any; sleeps: no.
	 */
	int (*queue)(struct disk *d, struct request *r);
	/*
	 * The last of several requests was queued: tell the device. holds: disk->lock. NULL:
	 * nothing
	 */
	void (*commit)(struct disk *d);
	/*
	 * Instead of the above: serve @b and bio_end() it. ctx: thread; sleeps.
	 */
	void (*submit)(struct disk *d, struct bio *b);
	/*
	 * The device does not answer any more, or not sensibly: stop it for good, so that it
	 * touches no memory. A request_done() that comes afterwards is ignored. ctx: worker;
	 * sleeps. NULL: cannot happen
	 */
	void (*stop)(struct disk *d);
	/* Switch the write cache. 0 or -errno. NULL: it cannot be. ctx: thread */
	int (*set_write_cache)(struct disk *d, bool on);
	/* ctx: thread; sleeps. First open, last close. NULL: nothing */
	int (*open)(struct disk *d);
	void (*close)(struct disk *d);
	/* ioctls of its own. -ENOTTY: none of them. NULL: none */
	long (*ioctl)(struct disk *d, u32 mode, u32 cmd, u64 arg);
	u32 request_size; /* bytes of request.driver */
};

/* What the device takes; the block layer never sends more. */
struct disk_limits {
	u32 block; /* bytes: logical block, power of two, 512 to 4096 */
	u32 physical; /* bytes: physical block */
	u32 io_min, io_opt; /* bytes */
	u32 align; /* bytes: offset of the first aligned block */
	u32 max_segs; /* pieces of one request */
	u32 max_sectors; /* of one request */
	u32 max_discard, max_zero; /* sectors; 0: it cannot */
	u32 discard_align; /* bytes */
	u32 depth; /* requests under way at once */
	bool write_cache; /* it may hold back what was written: flush counts */
	bool rotational;
	bool has_serial; /* understands BIO_SERIAL */
};

struct blk_stats {
	u64 ios[BIO_STAT_OPS], merges[BIO_STAT_OPS], sectors[BIO_STAT_OPS]; /* q */
	u64 ns[BIO_STAT_OPS]; /* q: from submission to the end */
	u32 inflight[2]; /* q: reads and others */
	s64 busy_since; /* q: of the present busy time */
	u64 busy_ns; /* q: before that */
};

/*
 * Who keeps blocks of a device elsewhere than in its own page cache: what is read and written by
 * way of the device's node is to agree with that.
 */
struct blkdev_guard {
	/* Of bytes [@from, @to), write what is newer to the device. */
	void (*settle)(struct blkdev_guard *g, u64 from, u64 to);
	/* These bytes were written to the device. */
	void (*take)(struct blkdev_guard *g, u64 from, u64 to);
};

#define PART_NAME_MAX 64
struct blkdev {
	struct disk *disk; /* I */
	u32 partno; /* I: 0: the whole disk */
	u64 dev; /* I: number, dev_make() of vfs.h */
	char name[32]; /* I */
	u64 start; /* p; a for reading: first sector on the disk */
	u64 nsect; /* p; a for reading: 0: there is no such partition */
	bool present; /* p: has a node */
	bool read_only; /* a: BLKROSET */
	u32 block; /* a: BLKBSZSET: of who reads by blocks */
	char uuid[40]; /* p: PARTUUID; "" if the table has none */
	char label[PART_NAME_MAX]; /* p: GPT partition name, UTF-8 */
	struct blk_stats stats; /* q */
	struct list all; /* registry lock: every one there ever was */
	u32 openers; /* p */
	u32 writers; /* p */
	void *holder; /* p: who claimed it; NULL: nobody */
	u32 holds; /* p: claims by that holder */
	struct blkdev_guard
		*guard; /* changed under its inode's lock; a for reading; NULL: nobody */
	struct blkdev_node *node; /* I: its inode and page cache (block/node.c) */
};

#define DISK_PARTS_MAX 128
struct disk {
	char name[24]; /* I: "vda" */
	const struct disk_ops *ops; /* I */
	void *priv; /* I: the driver's */
	const struct device *parent; /* I: NULL: devices/virtual */
	u32 major, first_minor, minors; /* I: partitions beyond .minors get numbers of their own */
	struct disk_limits limits; /* I; .write_cache a */
	bool read_only; /* I */
	bool in_memory; /* I: the page cache of the whole disk is the disk (RAM disks) */
	bool no_scan; /* I: partitions are not looked for (loop without LO_FLAGS_PARTSCAN) */
	bool dead; /* q; a for reading: every request fails */
	bool gone; /* a: it was taken away */
	struct spinlock lock; /* rank BLKQ */
	struct waitq room; /* own lock: for a free request */
	struct list free; /* q: requests */
	struct list under_way; /* q: oldest first */
	struct rb_root sorted[2]; /* q: reads, writes by sector */
	struct list aged[2]; /* q: the same, oldest first */
	struct list others; /* q: flushes, discards: in order */
	u64 next_sector[2]; /* q: where the last dispatched request of that kind ended */
	u32 batch; /* q: requests in this run of one direction */
	u32 direction; /* q: of the run */
	u32 starved; /* q: times reads went before waiting writes */
	u32 nunderway; /* q */
	bool full; /* q: the driver said -EBUSY; until the next completion */
	u64 timeout_ns; /* a: how long the device may take for a request */
	struct timeout timer; /* own lock */
	bool timer_set; /* q */
	s64 suspect; /* q: when the request began that has had its time once */
	struct work stop_work; /* own lock */
	struct work resize_work; /* own lock */
	u64 new_capacity; /* a: for resize_work */
	struct mutex part_lock; /* rank BLKPART */
	struct blkdev *parts[DISK_PARTS_MAX + 1]; /* p: made on demand, never freed; [0] I */
	u64 seq; /* I: BLKGETDISKSEQ */
	struct list all; /* registry lock */
};

/* --- for drivers --- */

/*
 * A disk with nothing known but its name; the driver fills the fields marked I. NULL: no memory.
 * ctx: thread
 */
struct disk *__must_check disk_alloc(const char *name, const struct disk_ops *ops, void *priv);
/* Undo disk_alloc of a disk that was not added. */
void disk_free(struct disk *d);
/*
 * Make @d, of @nsect sectors, known: node, sysfs, partitions. 0, -EINVAL (limits that make no
 * sense), -ENOMEM. ctx: thread; sleeps
 */
int __must_check disk_add(struct disk *d, u64 nsect);
/*
 * Take @d, which nobody has open, out of sight, and show it again. 0 or -EBUSY; false: it was to be
 * seen all the time. ctx: thread; sleeps
 */
int __must_check disk_hide(struct disk *d);
bool disk_reveal(struct disk *d);
/* The device has @nsect sectors now. ctx: any */
void disk_resized(struct disk *d, u64 nsect);
/* @r has ended with 0 or -errno. ctx: any; holds: nothing of the block layer */
void request_done(struct request *r, int status);
/* Nothing more will come from the device: as if a request had taken too long. ctx: any */
void disk_broken(struct disk *d);
/*
 * The device was taken away: nobody finds the disk any more, and who has it open gets errors; all
 * it had has ended. ctx: thread; sleeps
 */
void disk_gone(struct disk *d);
/* vda, vdb ... vdz, vdaa: the name of disk number @index behind @prefix. */
void disk_letters(char *name, size_t size, const char *prefix, u32 index);
/* Majors given out at boot: the next free one from 254 down. */
u32 disk_major(void);
