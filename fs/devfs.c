/*
 * devtmpfs: a tmpfs of which there is one instance, made at boot and mounted by whoever likes, in
 * which the kernel makes the nodes of its devices. User space may add, remove and chmod as in any
 * tmpfs.
 *
 * Nodes are made by the directory operations directly, not through vfs_mknod(): the owner is root
 * and the mode exact, whoever happens to be running.
 */
#include <linux/errno.h>
#include "fs/namei.h"
#include "fs/tmpfs.h"
#include "kernel/base/panic.h"
#include "kernel/lib/string.h"

static struct super *devfs; /* I after boot */

/* What one call makes. */
struct devfs_new {
	u32 mode; /* with type */
	u64 rdev;
	const char *target; /* of a symlink */
};

static int make_locked(struct inode *dir, struct dentry *d, const struct devfs_new *n)
{
	struct inode *i;
	int err;

	if (dentry_inode(d))
		return -EEXIST;
	if (S_ISDIR(n->mode))
		err = dir->ops->mkdir(dir, d, n->mode, &i);
	else if (S_ISLNK(n->mode))
		err = dir->ops->symlink(dir, d, n->target, &i);
	else
		err = dir->ops->create(dir, d, n->mode, n->rdev, &i);
	if (err)
		return err;
	i->uid = i->gid = 0;
	i->mode = n->mode;
	dentry_instantiate(d, i);
	return 0;
}

/* Make (or find) the child @name of @parent; *out with a reference, also for -EEXIST. */
static int make_child(struct dentry *parent, const char *name, u32 len, const struct devfs_new *n,
		      struct dentry **out)
{
	struct inode *dir = dentry_inode(parent);
	struct qname q;
	int err;

	qname_set(&q, name, len);
	rwsem_write_lock(&dir->lock);
	err = dentry_lookup_locked(parent, &q, out);
	if (!err) {
		err = make_locked(dir, *out, n);
		if (err && err != -EEXIST)
			dentry_put(*out);
	}
	rwsem_write_unlock(&dir->lock);
	return err;
}

/*
 * The directory that @name ends in, made as needed, with a reference; *last is the final component.
 */
static int parent_of(const char *name, struct dentry **out, const char **last)
{
	static const struct devfs_new dir = { .mode = S_IFDIR | 0755 };
	struct dentry *d = dentry_get(devfs->root), *child;
	const char *slash;
	int err;

	while ((slash = strchr(name, '/')) != NULL) {
		err = make_child(d, name, (u32)(slash - name), &dir, &child);
		dentry_put(d);
		if (err && err != -EEXIST)
			return err;
		d = child;
		name = slash + 1;
	}
	*out = d;
	*last = name;
	return 0;
}

static int add(const char *name, const struct devfs_new *n)
{
	struct dentry *parent, *d;
	int err = parent_of(name, &parent, &name);

	if (err)
		return err;
	err = make_child(parent, name, (u32)strlen(name), n, &d);
	if (!err || err == -EEXIST)
		dentry_put(d);
	dentry_put(parent);
	return err;
}

/* Node of a device, directories as needed. ctx: thread; sleeps. 0, -EEXIST, -ENOMEM, -ENOSPC. */
int devfs_add_node(const char *name, u32 mode, u64 rdev)
{
	return add(name, &(struct devfs_new){ .mode = mode, .rdev = rdev });
}

/* Symlink. ctx: thread; sleeps. 0, -EEXIST, -ENOMEM, -ENOSPC. */
int devfs_add_link(const char *name, const char *target)
{
	return add(name, &(struct devfs_new){ .mode = S_IFLNK | 0777, .target = target });
}

/* Remove a node or symlink. ctx: thread; sleeps. 0 or -ENOENT. */
int devfs_remove(const char *name)
{
	struct dentry *parent, *d;
	struct inode *dir, *i;
	struct qname q;
	int err = parent_of(name, &parent, &name);

	if (err)
		return err;
	dir = dentry_inode(parent);
	qname_set(&q, name, (u32)strlen(name));
	rwsem_write_lock(&dir->lock);
	err = dentry_lookup_locked(parent, &q, &d);
	if (err)
		goto unlock;
	i = dentry_inode(d);
	err = -ENOENT;
	if (i && !inode_is_dir(i)) {
		rwsem_write_lock_nested(&i->lock);
		err = dir->ops->unlink(dir, d);
		rwsem_write_unlock(&i->lock);
		if (!err)
			dentry_delete(d);
	}
	dentry_put(d);
unlock:
	rwsem_write_unlock(&dir->lock);
	dentry_put(parent);
	return err;
}

static int devtmpfs_mount(const struct fs_type *t, const char *source, u32 flags, const char *data,
			  struct super **out)
{
	super_get(devfs);
	*out = devfs;
	return 0;
}

FS_TYPE(devtmpfs, .flags = FS_NODEV | FS_SINGLE, .mount = devtmpfs_mount);

/* Boot: the instance, before any driver registers a device. ctx: boot thread */
void devfs_init(void)
{
	if (tmpfs_super_create(&fs_type_devtmpfs, NULL, 0755, &devfs))
		panic("no memory for devtmpfs");
}
