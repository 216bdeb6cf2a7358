/*
 * quotactl and quotactl_fd: no file system here keeps quotas.
 *
 * What names no type, no block device or nothing that is mounted is told so, in Linux's order;
 * then the file system itself answers, and one without quotas says ENOSYS to every command. To
 * write out the quotas of all file systems is done at once. As Linux answers where it can hold
 * quotas and the file system in question cannot.
 *
 * quotactl(2).
 */
#include <linux/dqblk_xfs.h>
#include <linux/mount.h>
#include <linux/quota.h>
#include "fs/namei.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/path.h"

/* Which file system lies on a device. */
struct on_device {
	u64 dev;
	bool found;
};

static void look_at(struct mount *m, void *arg)
{
	struct on_device *on = arg;

	on->found |= m->sb->dev == on->dev;
}

/* The file system on the block device @uspecial. -ENOSYS: it knows nothing of quotas. */
static long ask_device(u64 uspecial)
{
	struct on_device on = { .found = false };
	struct path p;
	long err = sys_path_lookup(AT_FDCWD, uspecial, LOOKUP_FOLLOW, 0, &p);

	if (err)
		return err;
	on.dev = p.dentry->inode->rdev;
	if (!S_ISBLK(p.dentry->inode->mode))
		err = -ENOTBLK;
	else if (p.mnt->flags & MS_NODEV)
		err = -EACCES;
	path_put(&p);
	if (err)
		return err;
	mount_foreach(look_at, &on);
	return on.found ? -ENOSYS : -ENODEV;
}

/* Commands that a file system mounted read-only may still be asked. */
static bool only_reads(u32 command)
{
	switch (command) {
	case Q_SYNC:
	case Q_GETFMT:
	case Q_GETINFO:
	case Q_XGETQUOTA:
	case Q_XGETNEXTQUOTA:
	case Q_XGETQSTAT:
	case Q_XGETQSTATV:
	case Q_XQUOTASYNC: return true;
	}
	return false;
}

/* quotactl(2). ctx: thread; sleeps */
long sys_quotactl(u64 cmd, u64 uspecial, u64 id, u64 addr)
{
	if (((u32)cmd & SUBCMDMASK) >= MAXQUOTAS)
		return -EINVAL;
	if (uspecial)
		return ask_device(uspecial);
	return (u32)cmd >> SUBCMDSHIFT == Q_SYNC ? 0 : -ENODEV;
}

/* quotactl_fd(2): the file system by one of its files. ctx: thread; sleeps */
long sys_quotactl_fd(u64 fd, u64 cmd, u64 id, u64 addr)
{
	struct fdref r;
	long err = fd_borrow_any((int)fd, &r);

	if (err)
		return err;
	if (((u32)cmd & SUBCMDMASK) >= MAXQUOTAS)
		err = -EINVAL;
	else if (!only_reads((u32)cmd >> SUBCMDSHIFT))
		err = mount_may_write(r.file->path.mnt);
	err = err ? err : -ENOSYS;
	fd_release(&r);
	return err;
}
