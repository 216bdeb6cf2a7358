/*
 * Extended attributes: the rules that hold for every file system, around its four operations.
 *
 * Name spaces (xattr(7)): trusted. is for CAP_SYS_ADMIN, and not there for others; user. exists on
 * regular files and directories only; security. may be read by all and written with CAP_SYS_ADMIN,
 * but for the file capabilities (filecap.c), which CAP_SETFCAP is for; system. is what the file
 * system makes of it. Sizes are limited as on Linux.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/xattr.h>
#include "fs/filecap.h"
#include "fs/namei.h"
#include "fs/notify.h"
#include "kernel/lib/string.h"

static bool is_filecap(const char *name)
{
	return !strcmp(name, XATTR_NAME_CAPS);
}

/* May current use attribute @name of @i? */
static int may_use(const struct path *p, const char *name, bool write)
{
	struct inode *i = dentry_inode(p->dentry);
	bool admin = cred_capable(current->cred, CAP_SYS_ADMIN);

	if (write) {
		int err = mount_may_write(p->mnt);

		if (err)
			return err;
		if (i->flags & (INODE_IMMUTABLE | INODE_APPEND))
			return -EPERM;
	}
	if (str_begins(name, XATTR_TRUSTED_PREFIX))
		return admin ? 0 : write ? -EPERM : -ENODATA;
	if (is_filecap(name))
		return !write || cred_capable(current->cred, CAP_SETFCAP) ? 0 : -EPERM;
	if (str_begins(name, XATTR_SECURITY_PREFIX))
		return !write || admin ? 0 : -EPERM;
	if (str_begins(name, XATTR_SYSTEM_PREFIX))
		return 0;
	if (str_begins(name, XATTR_USER_PREFIX)) {
		if (!S_ISREG(i->mode) && !S_ISDIR(i->mode))
			return write ? -EPERM : -ENODATA;
		if (S_ISDIR(i->mode) && (i->mode & S_ISVTX) && write && !inode_owner_or_capable(i))
			return -EPERM;
	}
	return inode_permission(i, write ? MAY_WRITE : MAY_READ);
}

/* ctx: thread; sleeps. The value's length, -ENODATA, -ERANGE (@size), -EOPNOTSUPP, -EACCES. */
ssize_t vfs_getxattr(const struct path *p, const char *name, void *buf, size_t size)
{
	struct inode *i = dentry_inode(p->dentry);
	ssize_t n = may_use(p, name, false);

	if (n)
		return n;
	if (!i->ops || !i->ops->getxattr)
		return -EOPNOTSUPP;
	if (is_filecap(name))
		return filecap_present(i, buf, size);
	rwsem_read_lock(&i->lock);
	n = i->ops->getxattr(i, name, buf, size);
	rwsem_read_unlock(&i->lock);
	return n;
}

/* ctx: thread; sleeps. 0 or -errno as setxattr(2). */
int vfs_setxattr(const struct path *p, const char *name, const void *buf, size_t size, int flags)
{
	struct inode *i = dentry_inode(p->dentry);
	int err = is_filecap(name) ? filecap_check_set(buf, size) : 0;

	if (!err)
		err = may_use(p, name, true);
	if (err)
		return err;
	if (!i->ops || !i->ops->setxattr)
		return -EOPNOTSUPP;
	rwsem_write_lock(&i->lock);
	err = i->ops->setxattr(i, name, buf, size, flags);
	if (!err && is_filecap(name))
		i->flags |= INODE_FILECAPS;
	rwsem_write_unlock(&i->lock);
	if (!err)
		notify_dentry(p->dentry, IN_ATTRIB);
	return err;
}

/* Leaves out the trusted names for those who may not see them. */
static ssize_t hide_trusted(char *buf, size_t n)
{
	size_t out = 0, len;

	for (size_t k = 0; k < n; k += len) {
		len = strlen(buf + k) + 1;
		if (str_begins(buf + k, XATTR_TRUSTED_PREFIX))
			continue;
		memmove(buf + out, buf + k, len);
		out += len;
	}
	return (ssize_t)out;
}

/*
 * Names, each with NUL. ctx: thread; sleeps. Bytes (@size 0: at least as many as needed), -ERANGE.
 */
ssize_t vfs_listxattr(const struct path *p, char *buf, size_t size)
{
	struct inode *i = dentry_inode(p->dentry);
	ssize_t n;

	if (!i->ops || !i->ops->listxattr)
		return 0;
	rwsem_read_lock(&i->lock);
	n = i->ops->listxattr(i, buf, size);
	rwsem_read_unlock(&i->lock);
	if (n > 0 && size && !cred_capable(current->cred, CAP_SYS_ADMIN))
		n = hide_trusted(buf, (size_t)n);
	return n;
}

/* ctx: thread; sleeps. 0, -ENODATA, -EOPNOTSUPP, -EPERM, -EACCES, -EROFS. */
int vfs_removexattr(const struct path *p, const char *name)
{
	struct inode *i = dentry_inode(p->dentry);
	int err = may_use(p, name, true);

	if (err)
		return err;
	if (!i->ops || !i->ops->removexattr)
		return -EOPNOTSUPP;
	rwsem_write_lock(&i->lock);
	err = i->ops->removexattr(i, name);
	if (!err && is_filecap(name))
		i->flags &= ~INODE_FILECAPS;
	rwsem_write_unlock(&i->lock);
	if (!err)
		notify_dentry(p->dentry, IN_ATTRIB);
	return err;
}
