#pragma once
/* File handles: see handle.c. */
#include "fs/vfs.h"

/* The number of the file @p, to be found by from now on. 0, -EOPNOTSUPP, -ENOMEM. */
int __must_check handle_make(const struct path *p, u64 *ino);
/*
 * As above, of the name @d, as far as there is memory. @locked: its inode is, for writing. holds:
 * at most locks of directories above it; sleeps
 */
void handle_enter(struct dentry *d, bool locked);
/* A path in @m to the file with that number, with references. 0 or -ESTALE. */
int __must_check handle_find(const struct mount *m, u64 ino, struct path *out);
void handle_drop(struct inode *i); /* its last name is gone */
void handle_drop_super(const struct super *sb); /* nobody uses it any more */

/* @i lost a name. holds: no inode lock of @i */
static inline void handle_name_gone(struct inode *i)
{
	if (unlikely(i->flags & INODE_HANDLE) && !i->nlink)
		handle_drop(i);
}
