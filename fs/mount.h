#pragma once
/*
 * Mounts: what mount.c, mount_peer.c, mount_pivot.c and mount_type.c share. All is called with
 * mount_mutex held, unless a function says otherwise.
 */
#include <linux/mount.h>
#include "fs/namei.h"

/* The MS_* that are a superblock's; the others are a mount's. */
#define SB_FLAGS (MS_RDONLY | MS_SYNCHRONOUS | MS_MANDLOCK | MS_DIRSYNC | MS_LAZYTIME)
#define REMOUNT_FLAGS (SB_FLAGS & ~MS_DIRSYNC)

/*
 * Take mount_mutex and lock the topmost mount on @p for hanging something there; 0 with both locks
 * and in *at that place, with references, -ENOENT.
 */
int __must_check mount_place_lock(const struct path *p, struct path *at);
void mount_place_unlock(struct path *at); /* undoes all of it */

/* A copy of @m that shows @root, in no group and in no tree. 0 or -ENOMEM; ctx: any lock. */
int __must_check mount_clone(const struct mount *m, struct dentry *root, struct mount **out);
void mount_attach(struct mount *m, const struct path *at); /* the tree's reference is @m's own */
void mount_commit(struct mount *m); /* the tree @m is hung for good: it gets numbers, is listed */
void mount_detach(struct mount *m, struct path *was); /* *was: with references */
/* Next of the tree under @top in depth-first order. */
struct mount *mount_tree_next(struct mount *m, struct mount *top, bool skip_children);
/* What hangs on (@m, @d), without a reference; NULL. */
struct mount *mount_child_at(const struct mount *m, const struct dentry *d);
bool mount_is_below(const struct mount *m, const struct mount *top);
bool mount_dentry_below(const struct dentry *d, const struct dentry *top);
/* Out of the tree for good, with all that hangs on it; @spread: where it was propagated to, too. */
void mount_remove_tree(struct mount *top, bool spread);
void mount_tree_changed(void);
/* The oldest mount in the tree that @match likes, without a reference; NULL. */
struct mount *mount_find(bool (*match)(const struct mount *m));
/* A tree that was never hung anywhere goes again. */
void mount_discard_tree(struct mount *top);
/* The tree's lock alone. ctx: thread; sleeps */
void mount_lock(void);
void mount_unlock(void);
/* A mount of @sb, whose reference it takes, in no tree. 0 or -ENOMEM. ctx: any lock */
int __must_check mount_make(struct super *sb, u32 flags, const char *source, struct mount **out);
const struct fs_type *mount_type_find(const char *name); /* NULL: there is none */
/* A superblock of @t, with a reference. ctx: no lock of mounts */
int __must_check mount_super_make(const struct fs_type *t, const char *source, u32 flags,
				  const char *data, struct super **out);
/* Change the MS_* of @sb and tell it @data. 0, -EBUSY (writers), -EINVAL. ctx: as above */
int __must_check mount_super_change(struct super *sb, u32 set, u32 clear, const char *data);
/* May @m be hung on @at? 0, -ENOTDIR, -EINVAL. */
int __must_check mount_may_attach(const struct mount *m, const struct path *at);
/* The same as move_mount(2) says it: -EINVAL for -ENOTDIR. */
int __must_check mount_may_move(const struct mount *m, const struct path *at);

/* --- mount_peer.c: groups and propagation --- */

enum mount_kin { KIN_PEER, KIN_SLAVE };

/* How a change at one mount reaches others: MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE. */
void mount_set_kind(struct mount *m, u32 type);
/* Make @copy a peer of @m and a slave of its master, or a slave of @m. */
void mount_join(struct mount *copy, struct mount *m, enum mount_kin kin);
/* Copy what hangs below @src onto @copy, the clone of its mount. 0 or -ENOMEM: a part is there. */
int __must_check mount_copy_children(const struct path *src, struct mount *copy,
				     enum mount_kin kin);
/* Hang the tree @m on @at and, when that is shared, copies of it on all that it reaches. */
int __must_check mount_hang(struct mount *m, const struct path *at);
/* Something uses what mount_spread_removal(@m) would take away. */
bool mount_spread_is_busy(struct mount *m);
/* @m, below @top, is about to go: so do its copies elsewhere that nothing hangs on. */
void mount_spread_removal(struct mount *m, const struct mount *top);
