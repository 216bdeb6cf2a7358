/*
 * File capabilities: what a program gets by the extended attribute security.capability.
 *
 * The value is a struct vfs_cap_data, little-endian: a word with the revision and the flag
 * "effective", then one (revision 1) or two pairs of words, permitted and inheritable. Revision 3
 * ends with the user id that is root in the name space which the capabilities are for; there is one
 * user name space here, so they count when that is 0. Values of revision 1 are obeyed where a file
 * system has them, yet cannot be stored.
 *
 * An inode with the attribute has INODE_FILECAPS, so that a write to any other file looks at one
 * bit. Writing to a file, truncating it or changing its owner takes the capabilities away, whoever
 * does it.
 *
 * man: capabilities(7), "File capabilities".
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/xattr.h>
#include "fs/filecap.h"
#include "fs/namei.h"
#include "kernel/lib/string.h"

#define CAPS_VALID (BIT(CAP_LAST_CAP + 1) - 1)

static u32 revision_of(const struct vfs_ns_cap_data *d)
{
	return d->magic_etc & VFS_CAP_REVISION_MASK;
}

/* Is a value of @size bytes what its revision says? */
static bool shape_ok(const struct vfs_ns_cap_data *d, size_t size)
{
	if (size < sizeof(d->magic_etc))
		return false;
	switch (revision_of(d)) {
	case VFS_CAP_REVISION_1: return size == XATTR_CAPS_SZ_1;
	case VFS_CAP_REVISION_2: return size == XATTR_CAPS_SZ_2;
	case VFS_CAP_REVISION_3: return size == XATTR_CAPS_SZ_3;
	default: return false;
	}
}

/* The stored value, which is well formed; its length. holds: nothing */
static ssize_t value_read(struct inode *i, struct vfs_ns_cap_data *d)
{
	ssize_t n;

	memset(d, 0, sizeof(*d));
	if (!i->ops || !i->ops->getxattr)
		return -EOPNOTSUPP;
	rwsem_read_lock(&i->lock);
	n = i->ops->getxattr(i, XATTR_NAME_CAPS, d, sizeof(*d));
	rwsem_read_unlock(&i->lock);
	if (n == -ERANGE)
		return -EINVAL;
	return n >= 0 && !shape_ok(d, (size_t)n) ? -EINVAL : n;
}

/* See the header. */
int filecap_get(struct inode *i, struct file_caps *out)
{
	struct vfs_ns_cap_data d;
	ssize_t n = value_read(i, &d);

	if (n == -EOPNOTSUPP)
		return -ENODATA;
	if (n < 0)
		return (int)n;
	if (revision_of(&d) == VFS_CAP_REVISION_3 && d.rootid != 0)
		return -ENODATA;
	out->permitted = (d.data[0].permitted | (u64)d.data[1].permitted << 32) & CAPS_VALID;
	out->inheritable = (d.data[0].inheritable | (u64)d.data[1].inheritable << 32) & CAPS_VALID;
	out->effective = d.magic_etc & VFS_CAP_FLAGS_EFFECTIVE;
	return 0;
}

/* See the header. */
int filecap_check_set(const void *value, size_t size)
{
	struct vfs_ns_cap_data d = { 0 };

	memcpy(&d, value, MIN(size, sizeof(d)));
	if (!shape_ok(&d, size) || revision_of(&d) == VFS_CAP_REVISION_1)
		return -EINVAL;
	if (d.magic_etc & ~(u32)(VFS_CAP_REVISION_MASK | VFS_CAP_FLAGS_EFFECTIVE))
		return -EINVAL;
	if (revision_of(&d) == VFS_CAP_REVISION_3 && d.rootid == ~0u)
		return -EINVAL;
	return cred_capable(current->cred, CAP_SETFCAP) ? 0 : -EPERM;
}

/* See the header. */
ssize_t filecap_present(struct inode *i, void *buf, size_t size)
{
	struct vfs_ns_cap_data d;
	ssize_t n = value_read(i, &d);

	if (n < 0)
		return n;
	if (revision_of(&d) == VFS_CAP_REVISION_1)
		return -EINVAL;
	if (revision_of(&d) == VFS_CAP_REVISION_3 && d.rootid == 0) {
		d.magic_etc = VFS_CAP_REVISION_2 | (d.magic_etc & VFS_CAP_FLAGS_EFFECTIVE);
		n = XATTR_CAPS_SZ_2;
	}
	if (!size)
		return n;
	if (size < (size_t)n)
		return -ERANGE;
	memcpy(buf, &d, (size_t)n);
	return n;
}

/* See the header. */
void filecap_drop_locked(struct inode *i)
{
	i->flags &= ~INODE_FILECAPS;
	if (i->ops && i->ops->removexattr)
		(void)i->ops->removexattr(i, XATTR_NAME_CAPS);
}
