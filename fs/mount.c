/*
 * Mounts: which file system shows at which directory. One tree for all processes.
 *
 * A struct mount is one appearance of a superblock (or, by bind, of a subtree of one). It hangs on
 * a dentry of its parent mount; a walk that reaches a dentry with nmounts > 0 asks the hash table
 * for (mount, dentry) and goes on at the root of what it finds. Several can be stacked on one
 * place: the later hangs on the root of the earlier.
 *
 * References: the tree holds one, each child holds one on its parent, each user (paths: open files,
 * current directories) one. Umount takes a mount out of the tree when nobody but the tree and the
 * caller has it, or regardless with MNT_DETACH; the last reference frees it and drops the
 * superblock's.
 *
 * Locking: mount_mutex (rank MOUNT) is held by all that change the tree. .parent and .mountpoint
 * change under vfs_tree_lock too, and the hash chains under their bucket's lock, so that walks up
 * and down take only those. A mountpoint's inode lock is held while something is hung on it, so
 * that it cannot be removed meanwhile.
 *
 * mount(2), umount(2), pivot_root(2).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/mount.h>
#include "fs/fanotify.h"
#include "fs/landlock.h"
#include "fs/mount.h"
#include "fs/mount_fd.h"
#include "kernel/base/panic.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

#define MNT_FLAGS                                                                                  \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | \
	 MS_NOSYMFOLLOW)
#define ATIME_FLAGS (MS_NOATIME | MS_NODIRATIME | MS_RELATIME)
#define PROPAGATION_FLAGS (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)

#define MOUNT_BUCKETS 64
/* b: guarded by .lock (rank DCACHE). */
static struct mount_bucket {
	struct spinlock lock;
	struct list chain; /* b: struct mount.hash */
} mount_table[MOUNT_BUCKETS];

/* s: guarded by mount_mutex. */
static struct mutex mount_mutex;
static struct list all_mounts = LIST_INIT(all_mounts); /* s: oldest first */
static u32 next_id = 1; /* s */
static u32 generation = 1; /* a */
struct waitq mount_waitq = WAITQ_INIT(mount_waitq);

static void (*umount_hook)(const struct mount *m); /* I after boot */

static struct mount_bucket *bucket_of(const struct mount *m, const struct dentry *d)
{
	u64 h = ((u64)m >> 6) * 31 + ((u64)d >> 7);

	return &mount_table[(h ^ h >> 6) % MOUNT_BUCKETS];
}

/* ctx: any */
struct mount *mount_get(struct mount *m)
{
	ref_get(&m->refs);
	return m;
}

/* The last frees @m, which is in no tree any more. ctx: thread; sleeps. */
void mount_put(struct mount *m)
{
	u8 expire = READ_ONCE(m->expire);

	if (unlikely(expire))
		WRITE_ONCE(m->expire, expire - 1);
	if (likely(!ref_put(&m->refs)))
		return;
	if (READ_ONCE(fanotify_marks))
		fanotify_mount_gone(m);
	dentry_put(m->root);
	super_put(m->sb);
	kfree(m->source);
	kfree(m);
}

/* May @m be written to? ctx: any */
int mount_may_write(const struct mount *m)
{
	return (READ_ONCE(m->flags) | READ_ONCE(m->sb->flags)) & MS_RDONLY ? -EROFS : 0;
}

/* Consumes the references to @sb and @root, also on failure. */
static int mount_alloc(struct super *sb, struct dentry *root, u32 flags, const char *source,
		       struct mount **out)
{
	struct mount *m = kzalloc(sizeof(*m), 0);

	if (m)
		m->source = kstrdup(source && *source ? source : "none", 0);
	if (!m || !m->source) {
		kfree(m);
		dentry_put(root);
		super_put(sb);
		return -ENOMEM;
	}
	ref_init(&m->refs, 1);
	m->flags = flags;
	m->sb = sb;
	m->root = root;
	list_init(&m->peers);
	list_init(&m->slaves);
	list_init(&m->slave_link);
	list_init(&m->todo);
	list_init(&m->doomed);
	list_init(&m->children);
	list_init(&m->sibling);
	list_init(&m->all);
	list_init(&m->hash);
	*out = m;
	return 0;
}

/* See vfs.h. ctx: thread; sleeps. */
int mount_create_internal(struct super *sb, struct mount **out)
{
	int err = mount_alloc(sb, dentry_get(sb->root), 0, sb->type->name, out);

	if (!err)
		(*out)->anon = true;
	return err;
}

static struct mount *find_locked(struct mount_bucket *b, const struct mount *m,
				 const struct dentry *d)
{
	struct mount *c;

	list_for_each(c, &b->chain, hash)
		if (c->parent == m && c->mountpoint == d)
			return c;
	return NULL;
}

/* The mount on (@m, @d) with a reference, or NULL. */
static struct mount *mount_lookup(const struct mount *m, const struct dentry *d)
{
	struct mount_bucket *b = bucket_of(m, d);
	struct mount *found;

	spin_lock(&b->lock);
	found = find_locked(b, m, d);
	if (found)
		mount_get(found);
	spin_unlock(&b->lock);
	return found;
}

/* See mount.h. ctx: thread; holds: mount_mutex. */
struct mount *mount_child_at(const struct mount *m, const struct dentry *d)
{
	struct mount_bucket *b = bucket_of(m, d);
	struct mount *found;

	spin_lock(&b->lock);
	found = find_locked(b, m, d);
	spin_unlock(&b->lock);
	return found;
}

/*
 * Go to the topmost mount on @p. The flags say for which half @p holds a reference; afterwards for
 * both if it moved.
 * ctx: thread; sleeps.
 */
void mount_traverse_owned(struct path *p, bool *own_mnt, bool *own_dentry)
{
	struct mount *m;

	while (READ_ONCE(p->dentry->nmounts) && (m = mount_lookup(p->mnt, p->dentry))) {
		if (*own_dentry)
			dentry_put(p->dentry);
		if (*own_mnt)
			mount_put(p->mnt);
		p->mnt = m;
		p->dentry = dentry_get(m->root);
		*own_mnt = *own_dentry = true;
	}
}

/* As above for a path that holds both references. ctx: thread; sleeps. */
void mount_traverse(struct path *p)
{
	bool own_mnt = true, own_dentry = true;

	mount_traverse_owned(p, &own_mnt, &own_dentry);
}

/*
 * From the root of a mount to the place it hangs on; false when it hangs nowhere. ctx: thread;
 * sleeps.
 */
bool mount_go_up(struct path *p, bool *own_mnt, bool *own_dentry)
{
	struct path up;

	spin_lock(&vfs_tree_lock);
	up.mnt = p->mnt->parent;
	up.dentry = p->mnt->mountpoint;
	if (up.mnt)
		path_get(&up);
	spin_unlock(&vfs_tree_lock);
	if (!up.mnt)
		return false;
	if (*own_dentry)
		dentry_put(p->dentry);
	if (*own_mnt)
		mount_put(p->mnt);
	*p = up;
	*own_mnt = *own_dentry = true;
	return true;
}

/* Is @d in the tree below @top, or @top? ctx: any */
bool mount_dentry_below(const struct dentry *d, const struct dentry *top)
{
	bool below;

	spin_lock(&vfs_tree_lock);
	below = dentry_is_below(d, top);
	spin_unlock(&vfs_tree_lock);
	return below;
}

/* Tell those who wait for changes of the mount table. ctx: any */
void mount_tree_changed(void)
{
	__atomic_add_fetch(&generation, 1, __ATOMIC_RELEASE);
	waitq_wake(&mount_waitq, ~0u, 0);
}

/* Changes with each change of the tree. ctx: any */
u32 mount_generation(void)
{
	return __atomic_load_n(&generation, __ATOMIC_ACQUIRE);
}

/* Hang @m on @at. holds: mount_mutex. The tree's reference is the one @m was made with. */
void mount_attach(struct mount *m, const struct path *at)
{
	struct mount_bucket *b = bucket_of(at->mnt, at->dentry);

	path_get(at);
	spin_lock(&vfs_tree_lock);
	spin_lock(&b->lock);
	m->parent = at->mnt;
	m->mountpoint = at->dentry;
	list_add(&b->chain, &m->hash);
	mounts_on_passing += at->dentry->flags & DENTRY_UNCACHED ? 1 : 0;
	__atomic_add_fetch(&at->dentry->nmounts, 1, __ATOMIC_RELEASE);
	spin_unlock(&b->lock);
	spin_unlock(&vfs_tree_lock);
	list_add_tail(&at->mnt->children, &m->sibling);
	if (at->dentry->flags & DENTRY_UNCACHED)
		mount_prune_soon(); /* it may have passed before it was counted */
}

/* See mount.h. ctx: thread; holds: mount_mutex. */
void mount_commit(struct mount *m)
{
	for (struct mount *c = m; c; c = mount_tree_next(c, m, false)) {
		if (c->id)
			continue;
		c->id = next_id++;
		list_add_tail(&all_mounts, &c->all);
	}
}

/* Take @m off its place; *was (with references) is where it hung. holds: mount_mutex */
void mount_detach(struct mount *m, struct path *was)
{
	struct mount_bucket *b = bucket_of(m->parent, m->mountpoint);

	was->mnt = m->parent;
	was->dentry = m->mountpoint;
	spin_lock(&vfs_tree_lock);
	spin_lock(&b->lock);
	list_del(&m->hash);
	m->parent = NULL;
	m->mountpoint = NULL;
	mounts_on_passing -= was->dentry->flags & DENTRY_UNCACHED ? 1 : 0;
	__atomic_sub_fetch(&was->dentry->nmounts, 1, __ATOMIC_RELEASE);
	spin_unlock(&b->lock);
	spin_unlock(&vfs_tree_lock);
	list_del(&m->sibling);
}

/* See mount.h. The last to go is @top. ctx: thread; holds: mount_mutex; sleeps: yes. */
void mount_remove_tree(struct mount *top, bool spread)
{
	struct mount *m = top;
	struct path was;

	for (;;) {
		struct mount *up;

		while (!list_empty(&m->children))
			m = list_first(&m->children, struct mount, sibling);
		up = m->parent;
		if (spread)
			mount_spread_removal(m, top);
		mount_detach(m, &was);
		mount_set_kind(m, MS_PRIVATE);
		list_del(&m->all);
		m->detached = true;
		path_put(&was);
		if (m == top) {
			mount_put(m);
			return;
		}
		mount_put(m);
		m = up;
	}
}

/*
 * Lock the topmost mount on @p, which becomes *at, for hanging something on it.
 * holds on success: mount_mutex, the directory's inode lock. Returns 0 or -ENOENT (it was removed).
 */
int mount_place_lock(const struct path *p, struct path *at)
{
	struct dentry *d;

	*at = *p;
	path_get(at);
	mutex_lock(&mount_mutex);
	mount_traverse(at);
	d = at->dentry;
	rwsem_write_lock(&dentry_inode(d)->lock);
	if (!(dentry_inode(d)->flags & INODE_DEAD) &&
	    (d->parent == d || (d->flags & DENTRY_HASHED)))
		return 0;
	mount_place_unlock(at);
	return -ENOENT;
}

/* Undo mount_place_lock. ctx: thread; holds: what it took. */
void mount_place_unlock(struct path *at)
{
	rwsem_write_unlock(&dentry_inode(at->dentry)->lock);
	mutex_unlock(&mount_mutex);
	path_put(at);
}

/* See mount.h. ctx: thread; sleeps */
void mount_lock(void)
{
	mutex_lock(&mount_mutex);
}

/* See mount.h. ctx: thread */
void mount_unlock(void)
{
	mutex_unlock(&mount_mutex);
}

static u32 flags_of(u64 ms)
{
	u32 f = (u32)ms & MNT_FLAGS & ~(u32)(MS_NOATIME | MS_RELATIME);

	if (!(ms & MS_STRICTATIME))
		f |= ms & MS_NOATIME ? MS_NOATIME : MS_RELATIME;
	return f;
}

/* See mount.h. A directory goes on a directory, a file on a file. */
int mount_may_attach(const struct mount *m, const struct path *at)
{
	if (inode_is_dir(dentry_inode(m->root)) != inode_is_dir(dentry_inode(at->dentry)))
		return -ENOTDIR;
	if (at->mnt->anon || at->mnt->detached || at->mnt->loose)
		return -EINVAL;
	return 0;
}

/* See mount.h. */
int mount_may_move(const struct mount *m, const struct path *at)
{
	int err = mount_may_attach(m, at);

	return err == -ENOTDIR ? -EINVAL : err;
}

static int attach_new(struct mount *m, const struct path *where)
{
	struct path at;
	int err = mount_place_lock(where, &at);

	if (err)
		return err;
	err = mount_may_attach(m, &at);
	/* The same file system not twice, one on the other. */
	if (!err && at.mnt->sb == m->sb && at.mnt->root == at.dentry)
		err = -EBUSY;
	if (!err)
		err = mount_hang(m, &at);
	mount_place_unlock(&at);
	return err;
}

static int mount_new(const char *source, const struct path *where, const char *type, u64 ms,
		     const char *data)
{
	const struct fs_type *t = type ? mount_type_find(type) : NULL;
	struct super *sb;
	struct mount *m;
	int err;

	if (!type)
		return -EINVAL;
	if (!t)
		return -ENODEV;
	err = mount_super_make(t, source, (u32)ms & SB_FLAGS, data, &sb);
	if (err)
		return err;
	err = mount_alloc(sb, dentry_get(sb->root), flags_of(ms), source, &m);
	if (err)
		return err;
	err = attach_new(m, where);
	if (err)
		mount_put(m);
	return err;
}

/* See mount.h. ctx: thread; sleeps */
int mount_make(struct super *sb, u32 flags, const char *source, struct mount **out)
{
	return mount_alloc(sb, dentry_get(sb->root), flags, source, out);
}

/* Copy of @m that shows @root. */
int mount_clone(const struct mount *m, struct dentry *root, struct mount **out)
{
	super_get(m->sb);
	return mount_alloc(m->sb, dentry_get(root), m->flags, m->source, out);
}

/* Next mount of the tree under @top in depth-first order. holds: mount_mutex */
struct mount *mount_tree_next(struct mount *m, struct mount *top, bool skip_children)
{
	if (!skip_children && !list_empty(&m->children))
		return list_first(&m->children, struct mount, sibling);
	while (m != top) {
		if (m->sibling.next != &m->parent->children)
			return list_first(&m->sibling, struct mount, sibling);
		m = m->parent;
	}
	return NULL;
}

static int mount_bind(const struct path *src, const struct path *where, bool recursive)
{
	struct mount *m;
	struct path at;
	int err;

	if (src->mnt->anon || src->mnt->unbindable || src->mnt->loose)
		return -EINVAL;
	err = mount_clone(src->mnt, src->dentry, &m);
	if (err)
		return err;
	err = mount_place_lock(where, &at);
	if (err)
		goto put;
	err = mount_may_attach(m, &at);
	mount_join(m, src->mnt, KIN_PEER);
	/*
	 * The copies are made before the new mount is reachable, so that it is not copied into
	 * itself.
	 */
	if (!err && recursive)
		err = mount_copy_children(src, m, KIN_PEER);
	if (!err)
		err = mount_hang(m, &at);
	if (!err) {
		mount_get(m);
	} else {
		while (!list_empty(&m->children))
			mount_remove_tree(list_first(&m->children, struct mount, sibling), false);
		mount_set_kind(m, MS_PRIVATE);
	}
	mount_place_unlock(&at);
put:
	mount_put(m);
	return err;
}

/* Is @m in the tree under @top? holds: mount_mutex */
bool mount_is_below(const struct mount *m, const struct mount *top)
{
	for (; m; m = m->parent)
		if (m == top)
			return true;
	return false;
}

/* move_mount(2) of a mount that hangs somewhere; mount(2) with MS_MOVE. ctx: thread; sleeps */
int vfs_move_mount(const struct path *src, const struct path *where)
{
	struct path at, was;
	int err = mount_place_lock(where, &at);

	if (err)
		return err;
	err = -EINVAL;
	if (src->dentry != src->mnt->root || !src->mnt->parent || src->mnt->parent->group ||
	    src->mnt->loose)
		goto unlock;
	err = mount_may_move(src->mnt, &at);
	if (!err && mount_is_below(at.mnt, src->mnt))
		err = -ELOOP;
	if (err)
		goto unlock;
	mount_detach(src->mnt, &was);
	err = mount_hang(src->mnt, &at);
	if (err)
		mount_attach(src->mnt, &was);
	path_put(&was);
unlock:
	mount_place_unlock(&at);
	return err;
}

/* Files open for writing anywhere on @sb? holds: mount_mutex */
static bool super_has_writers(const struct super *sb)
{
	struct mount *m;

	list_for_each(m, &all_mounts, all)
		if (m->sb == sb && READ_ONCE(m->writers))
			return true;
	return false;
}

/* See mount.h. ctx: thread; sleeps */
int mount_super_change(struct super *sb, u32 set, u32 clear, const char *data)
{
	u32 flags;
	int err = 0;

	file_flush_deferred();
	mutex_lock(&mount_mutex);
	flags = (sb->flags & ~clear) | set;
	if ((flags & ~sb->flags & MS_RDONLY) && super_has_writers(sb))
		err = -EBUSY;
	if (!err && sb->ops && sb->ops->remount)
		err = sb->ops->remount(sb, flags & SB_FLAGS, data);
	if (!err)
		WRITE_ONCE(sb->flags, flags);
	mutex_unlock(&mount_mutex);
	return err;
}

static u32 remount_flags(const struct mount *m, u64 ms)
{
	u32 f = flags_of(ms);

	if (!(ms & (ATIME_FLAGS | MS_STRICTATIME)))
		f = (f & ~(u32)ATIME_FLAGS) | (m->flags & ATIME_FLAGS);
	return f;
}

static int mount_remount(const struct path *where, u64 ms, const char *data)
{
	struct mount *m = where->mnt;
	struct super *sb = m->sb;
	u32 flags = (u32)ms & SB_FLAGS;
	int err = 0;

	if (where->dentry != m->root || m->anon || m->loose)
		return -EINVAL;
	if (!(ms & MS_BIND) && sb->type)
		err = vfs_judge_options(sb->type, data, &flags);
	if (err)
		return err;
	if ((flags & ~(u32)ms) & MS_DIRSYNC)
		return -EINVAL; /* stays as it is */
	file_flush_deferred();
	mutex_lock(&mount_mutex);
	if (ms & MS_BIND) {
		if ((ms & MS_RDONLY) && READ_ONCE(m->writers))
			err = -EBUSY;
	} else {
		flags = (sb->flags & ~(u32)REMOUNT_FLAGS) | (flags & REMOUNT_FLAGS);
		if ((flags & ~sb->flags & MS_RDONLY) && super_has_writers(sb))
			err = -EBUSY;
		if (!err && sb->ops && sb->ops->remount)
			err = sb->ops->remount(sb, flags & SB_FLAGS, data);
		if (!err)
			WRITE_ONCE(sb->flags, flags);
	}
	if (!err) {
		WRITE_ONCE(m->flags, remount_flags(m, ms));
		mount_tree_changed();
	}
	mutex_unlock(&mount_mutex);
	return err;
}

static int mount_propagation(const struct path *where, u64 ms)
{
	struct mount *m = where->mnt, *c;
	u32 type = (u32)ms & ~(u32)(MS_REC | MS_SILENT);

	if (where->dentry != m->root || (type & ~(u32)PROPAGATION_FLAGS) || (type & (type - 1)))
		return -EINVAL;
	mutex_lock(&mount_mutex);
	for (c = m; c; c = ms & MS_REC ? mount_tree_next(c, m, false) : NULL)
		mount_set_kind(c, type);
	mount_tree_changed();
	mutex_unlock(&mount_mutex);
	return 0;
}

/*
 * mount(2). @source and @data may be NULL.
 * ctx: thread; sleeps. Returns 0 or -EPERM, -ENODEV, -EINVAL, -EBUSY, -ENOTDIR, -ENOENT, -ELOOP,
 * -ENOMEM or the file system's error.
 */
int vfs_mount(const char *source, const struct path *where, const char *type, u64 ms,
	      const char *data)
{
	struct path src;
	int err;

	if ((ms & MS_MGC_MSK) == MS_MGC_VAL)
		ms &= ~(u64)MS_MGC_MSK;
	if (ms > 0x7fffffff) /* Linux's MS_NOUSER, as it is there: this bit and all above */
		return -EINVAL;
	if (!thread_capable(CAP_SYS_ADMIN) || landlock_is_bound())
		return -EPERM;
	if (ms & MS_REMOUNT)
		return mount_remount(where, ms, data);
	if (!(ms & MS_BIND) && (ms & PROPAGATION_FLAGS))
		return mount_propagation(where, ms);
	if (!(ms & (MS_BIND | MS_MOVE)))
		return mount_new(source, where, type, ms, data);
	if (!source || !*source)
		return -EINVAL;
	err = path_lookup(NULL, source, LOOKUP_FOLLOW, &src);
	if (err)
		return err;
	err = ms & MS_BIND ? mount_bind(&src, where, ms & MS_REC) : vfs_move_mount(&src, where);
	path_put(&src);
	return err;
}

/* The checks of umount2 with mount_mutex held. */
static int may_umount(struct mount *m, u32 flags)
{
	if (m->detached)
		return -EINVAL;
	if (flags & MNT_DETACH)
		return 0;
	/* Besides the tree's reference there is the caller's. */
	if (!list_empty(&m->children) || ref_read(&m->refs) > 2 || mount_spread_is_busy(m))
		return -EBUSY;
	if (flags & MNT_EXPIRE) {
		bool again = READ_ONCE(m->expire);

		WRITE_ONCE(m->expire, 2);
		return again ? 0 : -EAGAIN;
	}
	return 0;
}

/*
 * umount2(2) of the mount whose root is @where, which holds one reference to it.
 * ctx: thread; sleeps. Returns 0, -EPERM, -EINVAL (not the root of a mount), -EBUSY, -EAGAIN
 * (MNT_EXPIRE).
 */
int vfs_umount(const struct path *where, u32 flags)
{
	struct mount *m = where->mnt;
	struct path root;
	int err;

	if (flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
		return -EINVAL;
	if (!thread_capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (where->dentry != m->root || m->loose)
		return -EINVAL;
	if (landlock_is_bound())
		return -EPERM;
	if ((flags & MNT_EXPIRE) && (flags & (MNT_FORCE | MNT_DETACH)))
		return -EINVAL;
	if (!m->parent) /* the first root stays for ever */
		return -EINVAL;
	fsctx_get_root(&root);
	path_put(&root);
	/* The caller's root stays too, and becomes read-only. */
	if (root.mnt == m && !(flags & MNT_DETACH))
		return flags & MNT_EXPIRE ? -EINVAL : mount_super_change(m->sb, MS_RDONLY, 0, NULL);
	file_flush_deferred();
	mutex_lock(&mount_mutex);
	err = may_umount(m, flags);
	if (!err) {
		mount_remove_tree(m, true);
		mount_tree_changed();
	}
	mutex_unlock(&mount_mutex);
	if (!err && umount_hook)
		umount_hook(m);
	return err;
}

/* See vfs.h. ctx: boot */
void vfs_set_umount_hook(void (*gone)(const struct mount *m))
{
	umount_hook = gone;
}

/* See mount.h. ctx: thread; holds: mount_mutex */
struct mount *mount_find(bool (*match)(const struct mount *m))
{
	struct mount *m;

	list_for_each(m, &all_mounts, all)
		if (match(m))
			return m;
	return NULL;
}

/* Run @fn on every mount, oldest first. holds (during @fn): mount_mutex. ctx: thread; sleeps. */
void mount_foreach(void (*fn)(struct mount *m, void *arg), void *arg)
{
	struct mount *m;

	mutex_lock(&mount_mutex);
	list_for_each(m, &all_mounts, all)
		fn(m, arg);
	mutex_unlock(&mount_mutex);
}

/* Boot: the root file system, a tmpfs, and where kernel threads are in it. ctx: boot thread */
void mount_init(void)
{
	struct super *sb;
	struct mount *m;

	mutex_init(&mount_mutex, RANK_MOUNT);
	for (u32 n = 0; n < MOUNT_BUCKETS; n++) {
		spin_init(&mount_table[n].lock, RANK_DCACHE);
		list_init(&mount_table[n].chain);
	}
	if (fs_rootfs.mount(&fs_rootfs, "rootfs", 0, NULL, &sb) ||
	    mount_alloc(sb, dentry_get(sb->root), 0, "rootfs", &m))
		panic("no memory for the root file system");
	m->id = next_id++;
	list_add_tail(&all_mounts, &m->all);
	fsctx_boot.root = fsctx_boot.cwd = (struct path){ m, sb->root };
	path_get(&fsctx_boot.root);
	path_get(&fsctx_boot.cwd);
}
