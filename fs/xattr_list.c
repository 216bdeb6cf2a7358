/*
 * Extended attributes kept in memory: one list per file. Like Linux 6.1's tmpfs and sysfs it has
 * the trusted. and security. name spaces; others are not supported (-EOPNOTSUPP). The system call's
 * checks (name space permissions, sizes) are in xattr.c.
 *
 * One mutex for all lists: a file of sysfs that is mounted twice has two inodes, whose locks say
 * nothing about each other.
 */
#include <linux/errno.h>
#include <linux/xattr.h>
#include "fs/xattr_list.h"
#include "kernel/lib/string.h"
#include "kernel/sched/mutex.h"
#include "mm/slab.h"

/* x: list_lock, I immutable. */
struct xattr_item {
	struct xattr_item *next; /* x */
	char *value; /* I */
	size_t size; /* I */
	char name[]; /* I */
};

static struct mutex list_lock = MUTEX_INIT(list_lock, RANK_LEAF_MUTEX);

/* 0, -EOPNOTSUPP (another name space), -EINVAL (nothing but the name space). */
static int name_check(const char *name)
{
	size_t prefix = str_begins(name, XATTR_TRUSTED_PREFIX)	  ? XATTR_TRUSTED_PREFIX_LEN
			: str_begins(name, XATTR_SECURITY_PREFIX) ? XATTR_SECURITY_PREFIX_LEN
								  : 0;

	return !prefix ? -EOPNOTSUPP : name[prefix] ? 0 : -EINVAL;
}

/* The file's list, if it has one and @name may be on it. 0, -EOPNOTSUPP, -EINVAL. */
static int list_of(struct inode *i, const char *name, struct xattr_item ***out)
{
	*out = i->ops->xattrs(i);
	return *out ? name_check(name) : -EOPNOTSUPP;
}

/* Where the pointer to @name's attribute is, or the list's end. holds: list_lock */
static struct xattr_item **find(struct xattr_item **p, const char *name)
{
	while (*p && strcmp((*p)->name, name))
		p = &(*p)->next;
	return p;
}

static void item_free(struct xattr_item *x)
{
	if (x)
		kfree(x->value);
	kfree(x);
}

static struct xattr_item *item_make(const char *name, const void *buf, size_t size)
{
	size_t len = strlen(name) + 1;
	struct xattr_item *x = kmalloc(sizeof(*x) + len, 0);

	if (!x)
		return NULL;
	x->value = kmalloc(size + 1, 0);
	x->size = size;
	memcpy(x->name, name, len);
	if (!x->value) {
		kfree(x);
		return NULL;
	}
	memcpy(x->value, buf, size);
	return x;
}

/* inode_ops.getxattr. ctx: thread; sleeps */
ssize_t xattr_list_get(struct inode *i, const char *name, void *buf, size_t size)
{
	struct xattr_item **list, *x;
	ssize_t n = list_of(i, name, &list);

	if (n)
		return n;
	mutex_lock(&list_lock);
	x = *find(list, name);
	n = !x ? -ENODATA : size && size < x->size ? -ERANGE : (ssize_t)x->size;
	if (n > 0 && size)
		memcpy(buf, x->value, x->size);
	mutex_unlock(&list_lock);
	return n;
}

/* inode_ops.setxattr. ctx: thread; holds: i->lock for writing; sleeps */
int xattr_list_set(struct inode *i, const char *name, const void *buf, size_t size, int flags)
{
	struct xattr_item **p, *x, *old;
	int err = list_of(i, name, &p);

	if (err)
		return err;
	x = item_make(name, buf, size);
	if (!x)
		return -ENOMEM;
	mutex_lock(&list_lock);
	p = find(p, name);
	old = *p;
	if ((flags & XATTR_CREATE) && old)
		err = -EEXIST;
	else if ((flags & XATTR_REPLACE) && !old)
		err = -ENODATA;
	if (!err) {
		x->next = old ? old->next : NULL;
		*p = x;
	}
	mutex_unlock(&list_lock);
	item_free(err ? x : old);
	if (!err)
		inode_touch(i, ATTR_CTIME);
	return err;
}

/* inode_ops.listxattr: @size 0 asks for the length. ctx: thread; sleeps */
ssize_t xattr_list_names(struct inode *i, char *buf, size_t size)
{
	struct xattr_item **list = i->ops->xattrs(i);
	ssize_t n = 0;

	if (!list)
		return 0;
	mutex_lock(&list_lock);
	for (struct xattr_item *x = *list; x; x = x->next) {
		size_t len = strlen(x->name) + 1;

		if (size && (size_t)n + len > size) {
			n = -ERANGE;
			break;
		}
		if (size)
			memcpy(buf + n, x->name, len);
		n += (ssize_t)len;
	}
	mutex_unlock(&list_lock);
	return n;
}

/* inode_ops.removexattr. ctx: thread; holds: i->lock for writing; sleeps */
int xattr_list_remove(struct inode *i, const char *name)
{
	struct xattr_item **p, *x;
	int err = list_of(i, name, &p);

	if (err)
		return err;
	mutex_lock(&list_lock);
	p = find(p, name);
	x = *p;
	if (x)
		*p = x->next;
	mutex_unlock(&list_lock);
	if (!x)
		return -ENODATA;
	item_free(x);
	inode_touch(i, ATTR_CTIME);
	return 0;
}

/* See xattr_list.h. ctx: thread */
void xattr_list_free(struct xattr_item *list)
{
	struct xattr_item *next;

	for (; list; list = next) {
		next = list->next;
		item_free(list);
	}
}
