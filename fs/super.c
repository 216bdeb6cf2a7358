/*
 * Superblocks: one per mounted file-system instance. Mounts hold references; when the last goes,
 * the cached names are dropped, the root's reference with them, and ->put_super frees what the file
 * system keeps.
 *
 * Types with FS_SINGLE have one instance for ever, made at the first mount and shared by all.
 */
#include <linux/errno.h>
#include <linux/mount.h>
#include "block/block.h"
#include "fs/handle.h"
#include "fs/landlock.h"
#include "fs/mount.h"
#include "fs/notify.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

static atomic_t next_anon_dev = { 1 };

/* A superblock with refs = 1, no root yet. NULL: no memory. ctx: thread; sleeps. */
struct super *super_alloc(const struct fs_type *t, u64 magic, const struct super_ops *ops)
{
	struct super *sb = kzalloc(sizeof(*sb), 0);

	if (!sb)
		return NULL;
	ref_init(&sb->refs, 1);
	sb->type = t;
	sb->magic = magic;
	sb->ops = ops;
	sb->blksize = PAGE_SIZE;
	sb->max_size = 0x7fffffffffffffffULL;
	mutex_init(&sb->rename_lock, RANK_RENAME);
	return sb;
}

/*
 * Give @sb an st_dev when it has none: major 0, as Linux numbers file systems without a device.
 * ctx: thread. 0
 */
int vfs_register_super(struct super *sb)
{
	if (!sb->dev)
		sb->dev = dev_make(0, atomic_add_return(&next_anon_dev, 1));
	return 0;
}

/* ctx: any */
void super_get(struct super *sb)
{
	ref_get(&sb->refs);
}

/* See the head of the file. ctx: thread; sleeps. */
void super_put(struct super *sb)
{
	if (!ref_put(&sb->refs))
		return;
	if (sb->ops && sb->ops->sync)
		sb->ops->sync(sb, true);
	notify_unmount(sb);
	handle_drop_super(sb);
	landlock_drop_super(sb);
	dcache_drop_super(sb);
	if (sb->root)
		dentry_put(sb->root);
	if (sb->ops && sb->ops->put_super)
		sb->ops->put_super(sb);
	kfree(sb);
}

static void sync_one(struct mount *m, void *arg)
{
	int err = m->sb->ops && m->sb->ops->sync ? m->sb->ops->sync(m->sb, true) : 0;

	if (err)
		*(int *)arg = err;
}

/*
 * sync(2): every file system, then every block device, waiting. ctx: thread; sleeps. The last
 * error, or 0.
 */
int vfs_sync_all(void)
{
	int err = 0;

	mount_foreach(sync_one, &err);
	blkdev_sync_all();
	return err;
}

/* Superblocks with references, as their mounts were made. */
struct super_set {
	struct super *sb[32];
	u32 n;
};

static void collect(struct mount *m, void *arg)
{
	struct super_set *set = arg;

	for (u32 i = 0; i < set->n; i++)
		if (set->sb[i] == m->sb)
			return;
	if ((m->sb->type->flags & FS_NODEV) || set->n == ARRAY_SIZE(set->sb))
		return;
	super_get(m->sb);
	set->sb[set->n++] = m->sb;
}

/* Whoever has files open for writing. */
static void force_read_only(struct super *sb)
{
	int err = 0;

	mount_lock();
	if (!(sb->flags & MS_RDONLY)) {
		if (sb->ops->remount)
			err = sb->ops->remount(sb, sb->flags | MS_RDONLY, NULL);
		if (!err)
			WRITE_ONCE(sb->flags, sb->flags | MS_RDONLY);
		mount_tree_changed();
	}
	mount_unlock();
}

/*
 * All file systems on disks become read-only, the last mounted first (it may lie in a file of an
 * earlier one); with @for_good nothing more is written to their devices, whatever programs still
 * do. ctx: thread; sleeps
 */
void vfs_read_only_all(bool for_good)
{
	struct super_set set = { .n = 0 };
	struct blkdev *b;

	mount_foreach(collect, &set);
	while (set.n) {
		struct super *sb = set.sb[--set.n];

		force_read_only(sb);
		b = for_good ? blkdev_find(sb->dev) : NULL;
		if (b) {
			(void)blkdev_sync(b);
			WRITE_ONCE(b->read_only, true);
		}
		super_put(sb);
	}
}
