#pragma once
/*
 * fanotify(7): instances, their marks, and what notify.h has to tell them. Events are FAN_* of
 * <linux/fanotify.h>, which has the numbers of IN_* for what both know.
 */
#include "fs/vfs.h"

/*
 * Something happened. References are the caller's. Without .path nobody can be given a descriptor;
 * .dentry NULL: no handle is made of the file.
 */
struct fan_info {
	u32 mask;
	const struct path *path;
	struct inode *inode; /* what it happened to */
	struct dentry *dentry; /* its name */
	struct dentry *dir, *dir2; /* where; where it moved to (FAN_RENAME) */
	struct qname name, name2;
	bool locked; /* .inode is locked by the caller: nothing is entered as handle */
};

extern u32 fanotify_marks; /* a: how many there are */
extern u32 fanotify_asked; /* a: those with permission events */

/*
 * Tell those who want to know. 0, or for a permission event: -EPERM, -EINTR (killed).
 * ctx: thread; holds: no spinlock; sleeps
 */
int fanotify_tell(const struct fan_info *e);
/* @d, in its directory, as @p if there is a path. As above. */
int fanotify_tell_path(struct dentry *d, const struct path *p, u32 mask);
void fanotify_init(int marks); /* as many as a user may have. ctx: boot */
void fanotify_mount_gone(struct mount *m); /* nobody uses it any more. ctx: thread; sleeps */

/* @flags and @event_flags are checked. 0, -EMFILE, -ENOMEM. ctx: thread; sleeps */
int __must_check fanotify_create(u32 flags, u32 event_flags, struct file **out);
#define FANOTIFY_UNPRIV 0x80000000u /* beside FAN_REPORT_*: of a user without CAP_SYS_ADMIN */
bool file_is_fanotify(const struct file *f);
u32 fanotify_flags(const struct file *f); /* as it was made with */
/*
 * FAN_MARK_ADD and _REMOVE with checked @flags. @kept: bits of @mask that do not keep a mark alive.
 * 0, -ENOSPC, -ENOMEM, -EEXIST; -ENOENT. ctx: thread; sleeps
 */
int fanotify_mark_add(struct file *f, const struct path *p, u32 flags, u32 mask);
int fanotify_mark_remove(struct file *f, const struct path *p, u32 flags, u32 mask, u32 kept);
void fanotify_mark_flush(struct file *f, u32 flags);
