#pragma once
/*
 * Private to inotify.c, dnotify.c and fanotify*.c: a watch on an inode, and the one lock over all
 * of them. Events reach every watch of an inode in one pass (inotify.c).
 */
#include "fs/notify.h"
#include "kernel/base/spinlock.h"
#include "kernel/lib/rbtree.h"

struct inotify_group;

/* n: guarded by notify_lock */
struct watch {
	struct rb_node node; /* n: group->watches */
	struct list of_inode; /* n: inode->watches */
	struct list all; /* n: all watches, later a list to free */
	struct inotify_group *group; /* I; NULL: it is not inotify's */
	struct inode *inode; /* I: reference */
	int wd; /* I: inotify's number; dnotify's descriptor: n */
	u32 mask; /* n: IN_*, flags included; dnotify: DN_* */
	struct file *file; /* I: dnotify's, which is still open: not counted */
	const void *owner; /* I: dnotify's descriptor table */
	bool fan; /* I: it is the head of a fanotify mark */
};

extern struct spinlock notify_lock; /* rank SPIN_OUTER */

/* Hang the new @w, with its fields set, on @i. holds: notify_lock */
void watch_hang(struct watch *w, struct inode *i);
/* Take @w out of everything, onto @dead, for watches_free(). holds: notify_lock */
void watch_detach(struct watch *w, struct list *dead);
void fanotify_watch_gone(struct watch *w); /* its mark is being detached. holds: notify_lock */
void watches_free(struct list *dead); /* holds: no lock; ctx: thread; sleeps */
/* IN_* @mask happened: tell dnotify's @w if it cares. True: that was all. holds: notify_lock */
bool dnotify_tell(struct watch *w, u32 mask);
