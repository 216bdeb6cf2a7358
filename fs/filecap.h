#pragma once
/* File capabilities: the attribute security.capability (capabilities(7)), read and checked. */
#include "fs/vfs.h"

struct file_caps {
	capset_t permitted, inheritable;
	bool effective; /* the program gets what it is permitted at once */
};

/*
 * What the program @i is given. ctx: thread; sleeps. 0; -ENODATA: nothing; -EINVAL: the attribute
 * is damaged.
 */
int __must_check filecap_get(struct inode *i, struct file_caps *out);
/* May current store @value? 0, -EINVAL, -EPERM. ctx: thread */
int __must_check filecap_check_set(const void *value, size_t size);
/*
 * The attribute as programs see it: of revision 2 when the owner of its user name space is root.
 * ctx: thread; sleeps. The length, -ENODATA, -EINVAL, -ERANGE (@size; 0 asks for the length).
 */
ssize_t filecap_present(struct inode *i, void *buf, size_t size);
/* @i's contents or owner change: it has no capabilities any more. holds: i->lock; sleeps */
void filecap_drop_locked(struct inode *i);
