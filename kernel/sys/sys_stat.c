/*
 * stat and statfs in all their forms: struct kstat and struct kstatfs into the layouts user space
 * knows.
 *
 * stat(2), statx(2), statfs(2).
 */
#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/stat.h>
#include "fs/namei.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/path.h"

/*
 * The 64-bit "huge" encoding that stat and statfs use: the low 12+20 bits lie as in the old 32-bit
 * one.
 */
static u64 encode_dev(u64 dev)
{
	u32 major = dev_major(dev), minor = dev_minor(dev);

	return (minor & 0xff) | (u64)major << 8 | (u64)(minor & ~0xffu) << 12;
}

static s64 sec_of(s64 ns)
{
	return ns < 0 ? (ns + 1) / NSEC_PER_SEC - 1 : ns / NSEC_PER_SEC;
}

static u32 nsec_of(s64 ns)
{
	return (u32)(ns - sec_of(ns) * NSEC_PER_SEC);
}

static int stat_to_user(const struct kstat *k, u64 ubuf)
{
	struct stat st = {
		.st_dev = encode_dev(k->dev),
		.st_ino = k->ino,
		.st_mode = k->mode,
		.st_nlink = k->nlink,
		.st_uid = k->uid,
		.st_gid = k->gid,
		.st_rdev = encode_dev(k->rdev),
		.st_size = (long)k->size,
		.st_blksize = (int)k->blksize,
		.st_blocks = (long)k->blocks,
		.st_atime = sec_of(k->atime),
		.st_atime_nsec = nsec_of(k->atime),
		.st_mtime = sec_of(k->mtime),
		.st_mtime_nsec = nsec_of(k->mtime),
		.st_ctime = sec_of(k->ctime),
		.st_ctime_nsec = nsec_of(k->ctime),
	};

	return copy_to_user(ubuf, &st, sizeof(st));
}

/* Attributes of a descriptor, O_PATH ones included. */
static int fd_getattr(int fd, struct kstat *k)
{
	struct fdref r;
	int err = fd_borrow_any(fd, &r);

	if (err)
		return err;
	err = vfs_getattr(&r.file->path, k);
	fd_release(&r);
	return err;
}

static int name_getattr(int dfd, u64 uname, u32 flags, struct kstat *k)
{
	struct sys_path p;
	u8 first;
	int err;

	/* fstat of libraries that have only the -at form. */
	if ((flags & AT_EMPTY_PATH) && dfd != AT_FDCWD && !get_user(&first, uname) && !first)
		return fd_getattr(dfd, k);
	err = flags & AT_EMPTY_PATH ? sys_path_begin_empty(&p, dfd, uname)
				    : sys_path_begin(&p, dfd, uname);
	if (unlikely(err))
		return err;
	err = vfs_getattr_at(p.at, p.name,
			     (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
				     (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0),
			     k);
	sys_path_end(&p);
	return err;
}

/* ctx: thread */
long sys_newfstatat(u64 dfd, u64 uname, u64 ubuf, u64 flags)
{
	struct kstat k;
	int err;

	k.full = false;
	if (unlikely((u32)flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH |
					 AT_STATX_SYNC_TYPE)))
		return -EINVAL;
	err = name_getattr((int)dfd, uname, (u32)flags, &k);
	return unlikely(err) ? err : stat_to_user(&k, ubuf);
}

/* ctx: thread */
long sys_fstat(u64 fd, u64 ubuf)
{
	struct kstat k;
	int err;

	k.full = false;
	err = fd_getattr((int)fd, &k);
	return unlikely(err) ? err : stat_to_user(&k, ubuf);
}

static struct statx_timestamp statx_time(s64 ns)
{
	return (struct statx_timestamp){ .tv_sec = sec_of(ns), .tv_nsec = nsec_of(ns) };
}

/* ctx: thread */
long sys_statx(u64 dfd, u64 uname, u64 flags, u64 mask, u64 ubuf)
{
	struct statx x;
	struct kstat k = { .full = true };
	int err;

	if ((u32)mask & STATX__RESERVED)
		return -EINVAL;
	if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	if ((u32)flags &
	    ~(u32)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	err = name_getattr((int)dfd, uname, (u32)flags, &k);
	if (err)
		return err;
	memset(&x, 0, sizeof(x));
	x.stx_mask = STATX_BASIC_STATS | STATX_MNT_ID;
	x.stx_blksize = k.blksize;
	x.stx_attributes = k.attributes;
	x.stx_attributes_mask = k.attributes_mask;
	x.stx_nlink = k.nlink;
	x.stx_uid = k.uid;
	x.stx_gid = k.gid;
	x.stx_mode = (u16)k.mode;
	x.stx_ino = k.ino;
	x.stx_size = k.size;
	x.stx_blocks = k.blocks;
	x.stx_atime = statx_time(k.atime);
	x.stx_ctime = statx_time(k.ctime);
	x.stx_mtime = statx_time(k.mtime);
	if (k.has_btime && ((u32)mask & STATX_BTIME)) {
		x.stx_mask |= STATX_BTIME;
		x.stx_btime = statx_time(k.btime);
	}
	if (k.dio_align && ((u32)mask & STATX_DIOALIGN)) {
		x.stx_mask |= STATX_DIOALIGN;
		x.stx_dio_mem_align = x.stx_dio_offset_align = k.dio_align;
	}
	x.stx_rdev_major = dev_major(k.rdev);
	x.stx_rdev_minor = dev_minor(k.rdev);
	x.stx_dev_major = dev_major(k.dev);
	x.stx_dev_minor = dev_minor(k.dev);
	x.stx_mnt_id = k.mnt_id;
	return copy_to_user(ubuf, &x, sizeof(x));
}

static long do_statfs(const struct path *p, u64 ubuf)
{
	struct kstatfs k;
	struct statfs st;
	int err = vfs_statfs(p, &k);

	if (err)
		return err;
	memset(&st, 0, sizeof(st));
	st.f_type = (long)k.type;
	st.f_bsize = (long)k.bsize;
	st.f_blocks = (long)k.blocks;
	st.f_bfree = (long)k.bfree;
	st.f_bavail = (long)k.bavail;
	st.f_files = (long)k.files;
	st.f_ffree = (long)k.ffree;
	st.f_fsid.val[0] = (int)k.fsid;
	st.f_fsid.val[1] = (int)(k.fsid >> 32);
	st.f_namelen = (long)k.namelen;
	st.f_frsize = (long)k.frsize;
	st.f_flags = (long)k.flags;
	return copy_to_user(ubuf, &st, sizeof(st));
}

/* ctx: thread */
long sys_statfs(u64 uname, u64 ubuf)
{
	struct path p;
	long err = sys_path_lookup(AT_FDCWD, uname, LOOKUP_FOLLOW, 0, &p);

	if (err)
		return err;
	err = do_statfs(&p, ubuf);
	path_put(&p);
	return err;
}

/* ctx: thread */
long sys_fstatfs(u64 fd, u64 ubuf)
{
	struct fdref r;
	long err = fd_borrow_any((int)fd, &r);

	if (err)
		return err;
	err = do_statfs(&r.file->path, ubuf);
	fd_release(&r);
	return err;
}
