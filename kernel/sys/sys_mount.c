/*
 * mount, umount2, pivot_root, and the calls of swapping, which this kernel does not do.
 *
 * mount(2), umount(2), pivot_root(2), swapon(2).
 */
#include <linux/mount.h>
#include "fs/namei.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/path.h"
#include "mm/slab.h"

/* An optional string argument. *out NULL when the pointer is. */
static int optional_string(u64 ustr, size_t max, char **out)
{
	int err;

	*out = NULL;
	if (!ustr)
		return 0;
	err = sys_string_dup(ustr, max, out);
	return err == -ENAMETOOLONG ? -EINVAL : err;
}

/*
 * The data of a mount: a page of whatever is there, or up to the end of the user's page when the
 * next one is missing; as a string.
 */
static int mount_data(u64 udata, char **out)
{
	size_t some = PAGE_SIZE - (udata & PAGE_MASK);
	char *data;

	*out = NULL;
	if (!udata)
		return 0;
	data = kzalloc(PAGE_SIZE, 0);
	if (!data)
		return -ENOMEM;
	if (copy_from_user(data, udata, PAGE_SIZE) && copy_from_user(data, udata, some)) {
		kfree(data);
		return -EFAULT;
	}
	data[PAGE_SIZE - 1] = '\0';
	*out = data;
	return 0;
}

/* ctx: thread */
long sys_mount(u64 usource, u64 uwhere, u64 utype, u64 flags, u64 udata)
{
	char *source = NULL, *type = NULL, *data = NULL;
	struct path where;
	int err;

	err = optional_string(utype, PATH_MAX_LEN, &type);
	if (!err)
		err = optional_string(usource, PATH_MAX_LEN, &source);
	if (!err)
		err = mount_data(udata, &data);
	if (!err)
		err = sys_path_lookup(AT_FDCWD, uwhere, LOOKUP_FOLLOW, 0, &where);
	if (!err) {
		err = vfs_mount(source, &where, type, flags, data);
		path_put(&where);
	}
	kfree(data);
	kfree(source);
	kfree(type);
	return err;
}

/* ctx: thread */
long sys_umount2(u64 uwhere, u64 flags)
{
	struct path where;
	int err;

	if ((u32)flags & ~(u32)(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW))
		return -EINVAL;
	err = sys_path_lookup(AT_FDCWD, uwhere, flags & UMOUNT_NOFOLLOW ? 0 : LOOKUP_FOLLOW, 0,
			      &where);
	if (err)
		return err;
	err = vfs_umount(&where, (u32)flags);
	path_put(&where);
	return err;
}

/* ctx: thread */
long sys_pivot_root(u64 unew, u64 uold)
{
	struct path new_root, put_old, was;
	int err;

	if (!sys_capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = sys_path_lookup(AT_FDCWD, unew, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, 0, &new_root);
	if (err)
		return err;
	err = sys_path_lookup(AT_FDCWD, uold, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, 0, &put_old);
	if (!err) {
		err = vfs_pivot_root(&new_root, &put_old, &was);
		path_put(&put_old);
	}
	if (!err) {
		procs_move(&was, &new_root);
		path_put(&was);
	}
	path_put(&new_root);
	return err;
}

/* swapon(2): priority, discarding. Of linux/swap.h, which user space does not get. */
#define SWAP_FLAGS 0x7ffffu

/*
 * A swap area must be a block device or a regular file with swap's header: there is none that this
 * kernel takes.
 */
static long swap_call(u64 upath)
{
	struct sys_path p;
	struct file *f;
	long err;

	if (!sys_capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = sys_path_begin(&p, AT_FDCWD, upath);
	if (err)
		return err;
	err = vfs_open(p.at, p.name, O_RDWR | O_LARGEFILE, 0, 0, &f);
	sys_path_end(&p);
	if (err)
		return err;
	file_put(f);
	return -EINVAL;
}

/* ctx: thread */
long sys_swapon(u64 upath, u64 flags)
{
	return (u32)flags & ~(u32)SWAP_FLAGS ? -EINVAL : swap_call(upath);
}

/* ctx: thread */
long sys_swapoff(u64 upath)
{
	return swap_call(upath);
}
