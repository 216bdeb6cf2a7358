#pragma once
/*
 * What the VFS tells about files to those who watch them (inotify, dnotify). While there is no
 * watch at all, a call costs one look at a counter. Masks are IN_* of <linux/inotify.h>; IN_ISDIR
 * is added here.
 */
#include <linux/inotify.h>
#include "fs/vfs.h"

/* Beside IN_MOVED_FROM: the new name is in the same directory (dnotify wants to know). */
#define NOTIFY_SAME_DIR 0x00100000u

extern u32 notify_watches; /* a: watches there are */

void notify_path_event(struct dentry *d, u32 mask, bool by_file);
void notify_inode_event(struct inode *i, u32 mask);
void notify_entry_event(struct inode *dir, const struct qname *n, u32 mask, u32 cookie);
void notify_gone_event(struct inode *i);
void notify_unmount_event(struct super *sb);
/* For the two halves of a rename. ctx: any */
u32 notify_cookie(void);

static inline bool notify_wanted(void)
{
	return unlikely(READ_ONCE(notify_watches));
}

/* @f was opened, read, written, closed: tells the watchers of it and of its directory. */
static inline void notify_file(const struct file *f, u32 mask)
{
	if (notify_wanted() && !(f->mode & FILE_PATH))
		notify_path_event(f->path.dentry, mask, true);
}

/* The file named @d was changed by name or attribute: as above. */
static inline void notify_dentry(struct dentry *d, u32 mask)
{
	if (notify_wanted())
		notify_path_event(d, mask, false);
}

/* Tells the watchers of @i alone. */
static inline void notify_inode(struct inode *i, u32 mask)
{
	if (notify_wanted())
		notify_inode_event(i, mask);
}

/* The entry @n of @dir came, went or moved: tells the watchers of @dir. */
static inline void notify_entry(struct inode *dir, const struct qname *n, u32 mask)
{
	if (notify_wanted())
		notify_entry_event(dir, n, mask, 0);
}

/* A name of @i goes away for good. holds: no spinlock */
static inline void notify_gone(struct inode *i)
{
	if (notify_wanted() && !i->nlink)
		notify_gone_event(i);
}

/*
 * The open directory @f leaves the descriptor table @owner (NULL: goes for good): no more signals
 * from it.
 */
void notify_file_gone(struct file *f, const void *owner);
static inline void notify_close(struct file *f, const void *owner)
{
	if (notify_wanted() && !list_empty(&f->inode->watches))
		notify_file_gone(f, owner);
}

/*
 * F_NOTIFY: signals by the owner of @f, which @owner's @fd means, for the DN_* events of @mask. 0,
 * -ENOTDIR, -EINVAL (switched off), -ENOMEM. ctx: thread; sleeps
 */
int dnotify_set(struct file *f, const void *owner, int fd, u32 mask);

/* The superblock is about to go. ctx: thread; sleeps */
static inline void notify_unmount(struct super *sb)
{
	if (notify_wanted())
		notify_unmount_event(sb);
}
