/*
 * The twelve calls on extended attributes: by path, by path without following a last symlink, by
 * descriptor.
 *
 * Values and lists pass through a kernel buffer of at most 64 KiB. getxattr(2), setxattr(2),
 * listxattr(2), removexattr(2).
 */
#include <linux/limits.h>
#include <linux/xattr.h>
#include "kernel/sys/abi.h"
#include "kernel/sys/path.h"
#include "mm/slab.h"

/* The file a call is about. */
struct target {
	struct path path;
	struct fdref ref;
	bool by_fd;
};

static int target_by_path(struct target *t, u64 upath, bool follow)
{
	t->by_fd = false;
	return sys_path_lookup(AT_FDCWD, upath, follow ? LOOKUP_FOLLOW : 0, 0, &t->path);
}

static int target_by_fd(struct target *t, u64 fd)
{
	int err = fd_borrow((int)fd, &t->ref);

	t->by_fd = true;
	if (!err)
		t->path = t->ref.file->path;
	return err;
}

static void target_put(struct target *t)
{
	if (t->by_fd)
		fd_release(&t->ref);
	else
		path_put(&t->path);
}

/* Name of an attribute: -ERANGE when empty or too long. */
static int name_get(u64 uname, char name[XATTR_NAME_MAX + 1])
{
	ssize_t n = strncpy_from_user(name, uname, XATTR_NAME_MAX + 1);

	if (n == -ENAMETOOLONG || n == 0)
		return -ERANGE;
	return n < 0 ? (int)n : 0;
}

/* Consumes @err and @t: the common body of the get calls. */
static long do_get(struct target *t, int err, u64 uname, u64 ubuf, u64 size)
{
	char name[XATTR_NAME_MAX + 1], *buf;
	ssize_t n;

	if (err)
		return err;
	size = MIN(size, (u64)XATTR_SIZE_MAX);
	n = name_get(uname, name);
	if (n)
		goto put;
	n = -ENOMEM;
	buf = kmalloc(size + 1, 0);
	if (!buf)
		goto put;
	n = vfs_getxattr(&t->path, name, buf, size);
	if (n > 0 && size && copy_to_user(ubuf, buf, (size_t)n))
		n = -EFAULT;
	kfree(buf);
put:
	target_put(t);
	return n;
}

static long do_set(struct target *t, int err, u64 uname, u64 ubuf, u64 size, u64 flags)
{
	char name[XATTR_NAME_MAX + 1], *buf;

	if (err)
		return err;
	err = mount_may_write(t->path.mnt);
	if (err)
		goto put;
	err = -EINVAL;
	if ((u32)flags & ~(u32)(XATTR_CREATE | XATTR_REPLACE))
		goto put;
	err = name_get(uname, name);
	if (err)
		goto put;
	err = -E2BIG;
	if (size > XATTR_SIZE_MAX)
		goto put;
	err = -ENOMEM;
	buf = kmalloc(size + 1, 0);
	if (!buf)
		goto put;
	err = copy_from_user(buf, ubuf, size);
	if (!err)
		err = vfs_setxattr(&t->path, name, buf, size, (int)flags);
	kfree(buf);
put:
	target_put(t);
	return err;
}

static long do_list(struct target *t, int err, u64 ubuf, u64 size)
{
	char *buf;
	ssize_t n = -ENOMEM;

	if (err)
		return err;
	size = MIN(size, (u64)XATTR_LIST_MAX);
	buf = kmalloc(size + 1, 0);
	if (buf)
		n = vfs_listxattr(&t->path, buf, size);
	if (n > 0 && size && copy_to_user(ubuf, buf, (size_t)n))
		n = -EFAULT;
	kfree(buf);
	target_put(t);
	return n;
}

static long do_remove(struct target *t, int err, u64 uname)
{
	char name[XATTR_NAME_MAX + 1];

	if (err)
		return err;
	err = mount_may_write(t->path.mnt);
	if (!err)
		err = name_get(uname, name);
	if (!err)
		err = vfs_removexattr(&t->path, name);
	target_put(t);
	return err;
}

/* ctx: thread */
long sys_getxattr(u64 upath, u64 uname, u64 ubuf, u64 size)
{
	struct target t;

	return do_get(&t, target_by_path(&t, upath, true), uname, ubuf, size);
}

/* ctx: thread */
long sys_lgetxattr(u64 upath, u64 uname, u64 ubuf, u64 size)
{
	struct target t;

	return do_get(&t, target_by_path(&t, upath, false), uname, ubuf, size);
}

/* ctx: thread */
long sys_fgetxattr(u64 fd, u64 uname, u64 ubuf, u64 size)
{
	struct target t;

	return do_get(&t, target_by_fd(&t, fd), uname, ubuf, size);
}

/* ctx: thread */
long sys_setxattr(u64 upath, u64 uname, u64 ubuf, u64 size, u64 flags)
{
	struct target t;

	return do_set(&t, target_by_path(&t, upath, true), uname, ubuf, size, flags);
}

/* ctx: thread */
long sys_lsetxattr(u64 upath, u64 uname, u64 ubuf, u64 size, u64 flags)
{
	struct target t;

	return do_set(&t, target_by_path(&t, upath, false), uname, ubuf, size, flags);
}

/* ctx: thread */
long sys_fsetxattr(u64 fd, u64 uname, u64 ubuf, u64 size, u64 flags)
{
	struct target t;

	return do_set(&t, target_by_fd(&t, fd), uname, ubuf, size, flags);
}

/* ctx: thread */
long sys_listxattr(u64 upath, u64 ubuf, u64 size)
{
	struct target t;

	return do_list(&t, target_by_path(&t, upath, true), ubuf, size);
}

/* ctx: thread */
long sys_llistxattr(u64 upath, u64 ubuf, u64 size)
{
	struct target t;

	return do_list(&t, target_by_path(&t, upath, false), ubuf, size);
}

/* ctx: thread */
long sys_flistxattr(u64 fd, u64 ubuf, u64 size)
{
	struct target t;

	return do_list(&t, target_by_fd(&t, fd), ubuf, size);
}

/* ctx: thread */
long sys_removexattr(u64 upath, u64 uname)
{
	struct target t;

	return do_remove(&t, target_by_path(&t, upath, true), uname);
}

/* ctx: thread */
long sys_lremovexattr(u64 upath, u64 uname)
{
	struct target t;

	return do_remove(&t, target_by_path(&t, upath, false), uname);
}

/* ctx: thread */
long sys_fremovexattr(u64 fd, u64 uname)
{
	struct target t;

	return do_remove(&t, target_by_fd(&t, fd), uname);
}
