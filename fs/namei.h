#pragma once
/*
 * Private to fs: the name cache's inner functions and the path walk, for the files that make,
 * remove and rename names (namei_ops.c, rename.c, open.c, mount.c).
 */
#include "fs/vfs.h"
#include "kernel/sched/thread.h"

/* ---- dentry.c ---- */

/*
 * Guards moves of names (rename) and the shape of the mount tree: rank SPIN_OUTER, taken by those
 * that walk upward.
 */
extern struct spinlock vfs_tree_lock;

void dcache_init(void);
/* Hash of a name; *end is its first '/' or NUL. */
u32 name_hash(const char *name, const char **end);
void qname_set(struct qname *q, const char *name, u32 len);

/* Cached child with a reference, or NULL. ctx: thread; sleeps: no */
struct dentry *dentry_find(struct dentry *parent, const struct qname *n);
/*
 * Child in the cache, or looked up by the file system and then cached, negative too. holds:
 * dir->lock (either way).
 */
int __must_check dentry_lookup_locked(struct dentry *parent, const struct qname *n,
				      struct dentry **out);
/* As above without the lock held: takes it for reading when the name is not cached. */
int __must_check dentry_lookup(struct dentry *parent, const struct qname *n, bool cached,
			       struct dentry **out);
/* A name outside the cache: refs = 1, takes over @i's reference on success. */
int __must_check dentry_alloc(struct super *sb, struct dentry *parent, const struct qname *n,
			      struct inode *i, struct dentry **out);
/* @d, negative, now names @i (reference taken over). holds: dir->lock for writing */
void dentry_instantiate(struct dentry *d, struct inode *i);
/*
 * The name was removed: @d becomes negative, or is unhashed when others use it. holds: dir->lock
 * for writing
 */
void dentry_delete(struct dentry *d);
/* @d is a directory that was removed (INODE_DEAD): its names leave the cache. */
void dentry_drop_children(struct dentry *d);
/* Take @d out of the cache. */
void dentry_unhash(struct dentry *d);
/*
 * @d takes the place of @target (exchange: and the other way round). holds: both dirs' locks for
 * writing
 */
void dentry_move(struct dentry *d, struct dentry *target, bool exchange);
/* Is @d below or equal @top? holds: vfs_tree_lock, or the super's rename_lock */
bool dentry_is_below(const struct dentry *d, const struct dentry *top);
/* Parent with a reference. */
struct dentry *dentry_get_parent(struct dentry *d);
/* Drop every unused name of @sb. */
void dcache_drop_super(struct super *sb);

static inline struct inode *dentry_inode(const struct dentry *d)
{
	return load_acquire(&d->inode);
}

static inline bool inode_is_dir(const struct inode *i)
{
	return S_ISDIR(i->mode);
}

static inline bool inode_can_lookup(const struct inode *i)
{
	return i && i->ops && i->ops->lookup;
}

extern struct fsctx fsctx_boot;

/* The current thread's; kernel threads have the boot one. */
static inline struct fsctx *fsctx_current(void)
{
	return current->fs ? current->fs : &fsctx_boot;
}

/* ---- namei.c ---- */

enum last_type { LAST_NORM, LAST_ROOT, LAST_DOT, LAST_DOTDOT };

struct walk_link {
	char *text; /* owned */
	const char *rest; /* what follows the link in the text above */
};

/*
 * One walk. .cur is where it is; the owned flags say for which half .cur holds a reference (the
 * start is borrowed from an unshared struct fsctx, which only this thread can change).
 */
struct walk {
	struct path cur;
	bool own_mnt, own_dentry;
	bool own_root;
	bool last_slash; /* LOOKUP_PARENT: slashes follow the last component */
	u8 last_type; /* LOOKUP_PARENT: enum last_type */
	u32 flags; /* LOOKUP_* */
	struct path root; /* as this walk sees it */
	struct qname last; /* LOOKUP_PARENT: points into name or link text */
	u32 nlinks; /* followed so far */
	u32 depth; /* of .links in use */
	struct walk_link *links; /* SYMLINK_MAX_DEPTH of them, made at the first link */
};

/*
 * Walk @name from @at (NULL: the current directory) to its end, or with LOOKUP_PARENT to the last
 * component's directory. After success or failure walk_end() must be called. ctx: thread; sleeps.
 */
int __must_check walk_begin(struct walk *w, const struct path *at, const char *name, u32 flags);
/*
 * The final component is the symlink @d in .cur: follow it; again stops at a parent. Consumes @d.
 */
int __must_check walk_follow_last(struct walk *w, struct dentry *d);
/* Go to the child @d of .cur, crossing mounts. Consumes @d. */
int __must_check walk_enter(struct walk *w, struct dentry *d);
/* LOOKUP_PARENT ended at "." or "..": go there. */
int __must_check walk_last_special(struct walk *w);
/* The result with references of its own. */
void walk_take(struct walk *w, struct path *out);
void walk_end(struct walk *w);

/* Directory @w->cur for a change of entries: -EROFS by the mount; search and write permission. */
int __must_check dir_may_change(struct inode *dir);
/*
 * May the entry @victim be removed from @dir (sticky bit, append-only...)? @isdir: by rmdir or as a
 * directory.
 */
int __must_check dir_may_delete(struct inode *dir, struct dentry *victim, bool isdir);

/* ---- others ---- */
/* Follows mounts on p->dentry upward in the stack; as mount_traverse with ownership flags. */
void mount_traverse_owned(struct path *p, bool *own_mnt, bool *own_dentry);
/* From the root of a mount to its mountpoint: false at the top of the tree. Ownership as above. */
bool mount_go_up(struct path *p, bool *own_mnt, bool *own_dentry);
void mount_init(void);
void mount_prune_init(void);
void devfs_init(void);
void memdev_init(void);
void tmpfs_init(void);
void file_init(void);
void inotify_init(void);
extern const struct fs_type fs_rootfs;
/* Unlinked file in the kernel's own tmpfs (memfd, SysV shared memory). */
int __must_check tmpfs_make_unlinked(const char *name, u64 size, struct file **out);
/* Seals of memfd files (fcntl F_ADD_SEALS); other files: -EINVAL. */
void tmpfs_allow_seals(struct inode *i, bool allow);
long tmpfs_get_seals(struct file *f);
long tmpfs_add_seals(struct file *f, u32 seals);
/* Checks of open(2) on a found file; with @created none but the type's. */
int __must_check file_open_checked(const struct path *p, u32 oflags, struct file **out);
