#pragma once
/* Extended attributes kept in memory, as a list: of tmpfs and sysfs. */
#include "fs/vfs.h"

struct xattr_item; /* one attribute; NULL is the empty list */

/*
 * The operations on them as members of struct inode_ops; @where is its .xattrs. User names are not
 * supported (-EOPNOTSUPP), nor is anything when .xattrs says NULL.
 */
#define XATTR_LIST_OPS(where)                                                      \
	.xattrs = (where), .getxattr = xattr_list_get, .setxattr = xattr_list_set, \
	.listxattr = xattr_list_names, .removexattr = xattr_list_remove

ssize_t xattr_list_get(struct inode *i, const char *name, void *buf, size_t size);
int xattr_list_set(struct inode *i, const char *name, const void *buf, size_t size, int flags);
ssize_t xattr_list_names(struct inode *i, char *buf, size_t size);
int xattr_list_remove(struct inode *i, const char *name);
void xattr_list_free(struct xattr_item *list); /* all of it, when nobody can reach it any more */
