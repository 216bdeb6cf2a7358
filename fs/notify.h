#pragma once
/*
 * What the VFS tells about files to those who watch them (inotify, dnotify). While there is no
 * watch at all, a call costs one look at a counter. Masks are IN_* of <linux/inotify.h>; IN_ISDIR
 * is added here.
 */
#include <linux/fanotify.h>
#include <linux/inotify.h>
#include "fs/fanotify.h"
#include "fs/vfs.h"

/* Beside IN_MOVED_FROM: the new name is in the same directory (dnotify wants to know). */
#define NOTIFY_SAME_DIR 0x00100000u
/* The caller has the file's inode locked. */
#define NOTIFY_LOCKED 0x00200000u

extern u32 notify_watches; /* a: watches there are */

void notify_path_event(struct dentry *d, const struct path *p, u32 mask);
void notify_inode_event(struct inode *i, struct dentry *d, u32 mask);
void notify_entry_event(struct dentry *dir, const struct qname *n, struct inode *i,
			struct dentry *d, u32 mask, u32 cookie);
void notify_rename_event(struct dentry *from, const struct qname *old, struct dentry *to,
			 const struct qname *new, struct inode *i, struct dentry *d);
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
	if (notify_wanted() && !(f->mode & (FILE_PATH | FILE_UNNOTICED)))
		notify_path_event(f->path.dentry, &f->path, mask);
}

int notify_permission_event(const struct file *f, u32 mask);

/*
 * FAN_*_PERM: may @f, a file or directory, be opened, read? 0, -EPERM, -EINTR. ctx: thread; holds:
 * nothing that a listener may want; sleeps
 */
static inline int __must_check notify_permission(const struct file *f, u32 mask)
{
	return unlikely(READ_ONCE(fanotify_asked)) ? notify_permission_event(f, mask) : 0;
}

/* The file named @d was changed by name or attribute: as above. */
static inline void notify_dentry(struct dentry *d, u32 mask)
{
	if (notify_wanted())
		notify_path_event(d, NULL, mask);
}

/* Tells the watchers of @i alone; @d: its name, or NULL. */
static inline void notify_inode(struct inode *i, struct dentry *d, u32 mask)
{
	if (notify_wanted())
		notify_inode_event(i, d, mask);
}

/*
 * The entry @n of @dir, which is locked, came or went: tells the watchers of @dir. @i is what it
 * names, @d NULL when it no longer does.
 */
static inline void notify_entry(struct dentry *dir, const struct qname *n, struct inode *i,
				struct dentry *d, u32 mask)
{
	if (notify_wanted())
		notify_entry_event(dir, n, i, d, mask, 0);
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
