#pragma once
/*
 * Loop devices: what loop.c (the device) and loop_ctl.c (its ioctls and /dev/loop-control) share.
 */
#include <linux/loop.h>
#include "block/block.h"

/*
 * Disks of kind loop stay once made; unbound ones have no sectors. I immutable, p guarded by the
 * disk's part_lock (.file also o of the worker's while bound), q by the disk's lock, l by
 * loops_lock.
 */
struct loop {
	struct disk *disk; /* I */
	u32 number; /* I */
	struct list link; /* l */
	struct file *file; /* p: open for the device alone; NULL: not bound */
	u64 offset, sizelimit; /* p */
	u32 flags; /* p: LO_FLAGS_* */
	char name[LO_NAME_SIZE]; /* p: as user space gave it */
	struct list pending; /* q: bios */
	struct work work; /* own lock */
	struct workqueue *queue; /* p: made by the first binding */
};

/* A file for a loop device: opened apart from the user's descriptor @fd. 0, -EBADF, -EINVAL... */
int __must_check loop_open_backing(struct loop *lo, int fd, u32 mode, bool direct,
				   struct file **out, bool *read_only);
/* Take @f for the contents. holds: part_lock. 0 or -ENOMEM */
int __must_check loop_bind(struct loop *lo, struct file *f, u32 block);
/* Sectors by file, offset and limit again. holds: part_lock */
void loop_resize(struct loop *lo);
/* Write everything into the file and let go of it. holds: part_lock; nobody has the device open */
void loop_unbind(struct loop *lo);
/* Everything written to the device is in the file, and no bio is under way. holds: part_lock */
void loop_settle(struct loop *lo);
u32 loop_openers(const struct loop *lo);
long loop_ioctl(struct disk *d, u32 mode, u32 cmd, u64 arg);
/* The device @number, made if need be; NULL: no memory. ctx: thread; sleeps */
struct loop *loop_make(u32 number);
