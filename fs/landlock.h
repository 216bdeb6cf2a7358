#pragma once
/*
 * Landlock: threads that forbid themselves, and all that descends from them, parts of the tree of
 * files. See landlock.c. A thread without a domain pays one look at a pointer per question.
 */
#include <linux/landlock.h>
#include "fs/vfs.h"
#include "kernel/sched/thread.h"

#define LANDLOCK_ABI 2 /* what LANDLOCK_CREATE_RULESET_VERSION answers: Linux 6.1's */
/* What was mended since, as numbers of Linux's list: 3, moved directories; 4, whiteouts. */
#define LANDLOCK_ERRATA (BIT(2) | BIT(3))
#ifndef LANDLOCK_CREATE_RULESET_ERRATA /* not in the packaged headers of its first years */
#define LANDLOCK_CREATE_RULESET_ERRATA 2u
#endif
#define LANDLOCK_FS_ALL ((u32)(LANDLOCK_ACCESS_FS_REFER << 1) - 1)

struct landlock;

/* A ruleset for @handled (LANDLOCK_ACCESS_FS_*) as a file. 0 or -ENOMEM. ctx: thread; sleeps */
int __must_check landlock_ruleset_open(u32 handled, struct file **out);
/* That of @f, as long as the file is there. 0 or -EBADFD. ctx: any */
int __must_check landlock_ruleset_of(const struct file *f, struct landlock **out);
u32 landlock_handled(const struct landlock *l); /* ctx: any */
/*
 * Allow @access beneath what @f, which may be O_PATH, has open. 0, -EBADFD (nothing with a path),
 * -EINVAL (rights of directories for a file), -ENOMEM. ctx: thread; sleeps
 */
int __must_check landlock_rule_add(struct landlock *l, const struct file *f, u32 access);
/* @c, a copy nobody uses yet, is bound by @l too. 0, -E2BIG, -ENOMEM. ctx: thread; sleeps */
int __must_check landlock_bind(struct landlock *l, struct cred *c);
/* By their domains alone. ctx: any */
bool landlock_may_trace(const struct cred *tracer, const struct cred *tracee);
/* @sb is about to go: so do the rules about it. ctx: thread; sleeps */
void landlock_drop_super(const struct super *sb);

int landlock_check_path(const struct path *p, u32 access);
int landlock_check_open(const struct file *f);
int landlock_check_refer(struct dentry *old, const struct path *dir, struct dentry *new, bool moves,
			 u32 flags);
/* LANDLOCK_ACCESS_FS_MAKE_* of a type; a whiteout counts as a regular file. ctx: any */
u32 landlock_right_to_make(u32 mode, u64 rdev);

/* Has current a domain? Then it changes no mounts, for one. ctx: thread */
static inline bool landlock_is_bound(void)
{
	return unlikely(current->cred->bound);
}

/* May current do @access at @p? 0 or -EACCES. ctx: thread; holds: no spinlock */
static inline int __must_check landlock_check(const struct path *p, u32 access)
{
	return landlock_is_bound() ? landlock_check_path(p, access) : 0;
}

/* May current open @f, which is about to be, as its mode says? As above. */
static inline int __must_check landlock_open(const struct file *f)
{
	return landlock_is_bound() ? landlock_check_open(f) : 0;
}

/*
 * May @old get the name @new in @dir, of the same mount, and with @moves lose its own? @flags:
 * RENAME_*. 0, -EACCES, -EXDEV. holds: both directories' locks
 */
static inline int __must_check landlock_refer(struct dentry *old, const struct path *dir,
					      struct dentry *new, bool moves, u32 flags)
{
	return landlock_is_bound() ? landlock_check_refer(old, dir, new, moves, flags) : 0;
}
