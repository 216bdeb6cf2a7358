#pragma once
/*
 * Mounting by descriptors: loose trees of mounts, and contexts in which a superblock is made or
 * changed. See mount_fd.c and fscontext.c.
 */
#include "fs/vfs.h"

/* What mount_setattr(2) does to one mount. */
struct mount_change {
	u32 set, clear; /* MS_* */
	u32 propagation; /* MS_SHARED...; 0: stays */
	bool recursive;
};

/*
 * A loose copy of what hangs at @src, as an O_PATH file. 0, -EINVAL, -ENOMEM. ctx: thread; sleeps
 */
int __must_check mount_open_copy(const struct path *src, bool recursive, struct file **out);
/* A loose mount of @sb with MS_* @flags. As above. */
int __must_check mount_open_new(struct super *sb, u32 flags, const char *source, struct file **out);
/* Hang the loose tree whose root is @from on @to. 0, -EINVAL, -ELOOP, -EBUSY, -ENOENT, -ENOMEM. */
int __must_check mount_hang_loose(const struct path *from, const struct path *to);
/*
 * MOVE_MOUNT_SET_GROUP: @to, which is private, joins the groups of @from, which shows more. -EINVAL
 */
int __must_check mount_set_group(const struct path *from, const struct path *to);
int __must_check mount_change_flags(const struct path *p, const struct mount_change *c);
/* Move a mount that hangs somewhere. 0, -EINVAL, -ELOOP, -EBUSY, -ENOENT. ctx: thread; sleeps */
int vfs_move_mount(const struct path *src, const struct path *where);
void mount_release_loose(struct mount *m); /* the file of mount_open_* goes */

/* fsopen(2), fspick(2): a context as a file. 0, -ENODEV, -EINVAL, -ENOMEM. */
int __must_check fscontext_open(const char *type, struct file **out);
int __must_check fscontext_pick(const struct path *p, struct file **out);
bool file_is_fscontext(const struct file *f);
/* fsconfig(2): an option (@value NULL: a flag), or doing it. 0, -EBUSY, -EINVAL, or the error. */
int fscontext_set(struct file *f, const char *key, const char *value);
/*
 * An option by a file or by bytes: no type here has any. -EINVAL, with a message; -EOPNOTSUPP for
 * types that take one text. What all types know ("sync") is set whatever comes with it.
 */
int fscontext_set_object(struct file *f, const char *key);
int fscontext_create(struct file *f);
int fscontext_reconfigure(struct file *f);
/* fsmount(2). 0, -EINVAL (there is nothing yet), -EBUSY, -ENOMEM. */
int fscontext_mount(struct file *f, u32 flags, struct file **out);
