#pragma once
/* inotify(7): instances and their watches, for the system calls; notify.h is the other side. */
#include <linux/inotify.h>
#include "fs/vfs.h"

/* An instance as an open file; IN_NONBLOCK in @flags. 0, -EMFILE (the user's limit), -ENOMEM. */
int __must_check inotify_create(u32 flags, struct file **out);
bool file_is_inotify(const struct file *f);
/* Watch @i, or change the watch there is. Its number, -ENOSPC, -EEXIST, -ENOMEM. */
int inotify_watch(struct file *f, struct inode *i, u32 mask);
int inotify_unwatch(struct file *f, int wd); /* 0 or -EINVAL */

/* ---- between inotify.c and inotify_queue.c ---- */

/* Events that wait to be read. e: guarded by .lock */
struct inotify_queue {
	struct spinlock lock; /* rank EVENT */
	struct list events; /* e */
	u32 count; /* e */
	u32 max; /* I: more make an overflow */
	struct inotify_record *overflow; /* I; on .events at most once */
	struct waitq wait; /* own lock */
	struct list async; /* a: open files to tell (async.h) */
};

int __must_check inotify_queue_init(struct inotify_queue *q);
void inotify_queue_fini(struct inotify_queue *q);
void inotify_queue_add(struct inotify_queue *q, int wd, u32 mask, u32 cookie, const char *name,
		       u32 len);
ssize_t inotify_queue_read(struct inotify_queue *q, struct uio *u);
u32 inotify_queue_bytes(struct inotify_queue *q);
static inline bool inotify_queue_empty(const struct inotify_queue *q)
{
	return list_empty(&q->events);
}
