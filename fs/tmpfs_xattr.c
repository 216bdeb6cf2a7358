/*
 * Extended attributes of tmpfs: a list per inode, guarded by the inode's lock. Like Linux 6.1's
 * tmpfs it has the trusted. and security. name spaces; user. and POSIX ACLs are not supported
 * (-EOPNOTSUPP). The system call's checks (name space permissions, sizes) are in xattr.c.
 */
#include <linux/errno.h>
#include <linux/xattr.h>
#include "fs/tmpfs.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

static bool name_ok(const char *name)
{
	return str_begins(name, XATTR_TRUSTED_PREFIX) || str_begins(name, XATTR_SECURITY_PREFIX);
}

/* Where the pointer to @name's attribute is, or the list's end. */
static struct tmpfs_xattr **find(struct tmpfs_inode *ti, const char *name)
{
	struct tmpfs_xattr **p = &ti->xattrs;

	while (*p && strcmp((*p)->name, name))
		p = &(*p)->next;
	return p;
}

static void xattr_free(struct tmpfs_xattr *x)
{
	kfree(x->value);
	kfree(x);
}

/*
 * Value of @name into @buf; @size 0 asks for the length. ctx: thread; holds: i->lock. -ENODATA,
 * -ERANGE, -EOPNOTSUPP.
 */
ssize_t tmpfs_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	struct tmpfs_xattr *x;

	if (!name_ok(name))
		return -EOPNOTSUPP;
	x = *find(tmpfs_of(i), name);
	if (!x)
		return -ENODATA;
	if (!size)
		return (ssize_t)x->size;
	if (size < x->size)
		return -ERANGE;
	memcpy(buf, x->value, x->size);
	return (ssize_t)x->size;
}

/* ctx: thread; holds: i->lock for writing; sleeps. 0, -EEXIST, -ENODATA, -ENOMEM, -EOPNOTSUPP. */
int tmpfs_setxattr(struct inode *i, const char *name, const void *buf, size_t size, int flags)
{
	struct tmpfs_inode *ti = tmpfs_of(i);
	struct tmpfs_xattr **p = find(ti, name), *x, *old = *p;
	size_t len = strlen(name);

	if (!name_ok(name))
		return -EOPNOTSUPP;
	if ((flags & XATTR_CREATE) && old)
		return -EEXIST;
	if ((flags & XATTR_REPLACE) && !old)
		return -ENODATA;
	x = kmalloc(sizeof(*x) + len + 1, 0);
	if (!x)
		return -ENOMEM;
	x->value = kmalloc(size + 1, 0);
	if (!x->value) {
		kfree(x);
		return -ENOMEM;
	}
	memcpy(x->value, buf, size);
	memcpy(x->name, name, len + 1);
	x->size = size;
	x->next = old ? old->next : NULL;
	*p = x;
	if (old)
		xattr_free(old);
	inode_touch(i, ATTR_CTIME);
	return 0;
}

/*
 * Names, each with its NUL. ctx: thread; holds: i->lock. Bytes, or -ERANGE; @size 0 asks for the
 * length.
 */
ssize_t tmpfs_listxattr(struct inode *i, char *buf, size_t size)
{
	struct tmpfs_xattr *x;
	size_t n = 0, len;

	for (x = tmpfs_of(i)->xattrs; x; x = x->next) {
		len = strlen(x->name) + 1;
		if (size && n + len > size)
			return -ERANGE;
		if (size)
			memcpy(buf + n, x->name, len);
		n += len;
	}
	return (ssize_t)n;
}

/* ctx: thread; holds: i->lock for writing. 0, -ENODATA, -EOPNOTSUPP. */
int tmpfs_removexattr(struct inode *i, const char *name)
{
	struct tmpfs_xattr **p = find(tmpfs_of(i), name), *x = *p;

	if (!name_ok(name))
		return -EOPNOTSUPP;
	if (!x)
		return -ENODATA;
	*p = x->next;
	xattr_free(x);
	inode_touch(i, ATTR_CTIME);
	return 0;
}

/* Free all at eviction. ctx: thread */
void tmpfs_xattr_free(struct tmpfs_inode *ti)
{
	struct tmpfs_xattr *x, *next;

	for (x = ti->xattrs; x; x = next) {
		next = x->next;
		xattr_free(x);
	}
}
