/*
 * System calls on descriptors other than reading, writing and fcntl: ioctl, getdents64, sizes and
 * syncing.
 *
 * ioctl(2), getdents(2), lseek(2), ftruncate(2), fallocate(2), fsync(2), sync(2),
 * posix_fadvise(2), readahead(2).
 */
#include <asm/ioctls.h>
#include <asm/sockios.h>
#include <linux/fadvise.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include "fs/locks.h"
#include "fs/namei.h"
#include "fs/notify.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/sys.h"

static long ioctl_flag(struct file *f, int fd, u32 flag, u64 uarg)
{
	int on;

	if (get_user(&on, uarg))
		return -EFAULT;
	if (flag == FASYNC && !on == !(f->flags & FASYNC))
		return 0;
	if (flag == FASYNC && !f->ops->fasync)
		return -ENOTTY;
	return sys_file_set_flags(f, fd, on ? f->flags | flag : f->flags & ~flag);
}

static long ioctl_attr_flags(struct file *f, u32 cmd, u64 uarg)
{
	u32 flags = 0;
	long err;

	if (cmd == FS_IOC_GETFLAGS) {
		err = vfs_get_fileattr(f->inode, &flags);
		return err ? err : put_user(uarg, flags);
	}
	if (get_user(&flags, uarg))
		return -EFAULT;
	return vfs_set_fileattr(&f->path, flags, 0);
}

/* The flags that both forms of the calls know, as struct fsxattr has them and as FS_*_FL. */
static const u32 xflags[][2] = {
	{ FS_XFLAG_IMMUTABLE, FS_IMMUTABLE_FL },
	{ FS_XFLAG_APPEND, FS_APPEND_FL },
	{ FS_XFLAG_SYNC, FS_SYNC_FL },
	{ FS_XFLAG_NOATIME, FS_NOATIME_FL },
	{ FS_XFLAG_NODUMP, FS_NODUMP_FL },
	{ FS_XFLAG_DAX, FS_DAX_FL },
	{ FS_XFLAG_PROJINHERIT, FS_PROJINHERIT_FL },
};

/* @flags in the other form, @from and @to being 0 or 1. Others are left out. */
static u32 convert_flags(u32 flags, u32 from, u32 to)
{
	u32 out = 0;

	for (u32 k = 0; k < ARRAY_SIZE(xflags); k++)
		if (flags & xflags[k][from])
			out |= xflags[k][to];
	return out;
}

static long ioctl_fsxattr(struct file *f, u32 cmd, u64 uarg)
{
	struct fsxattr x = { 0 };
	u32 flags;
	long err;

	if (cmd == FS_IOC_FSGETXATTR) {
		err = vfs_get_fileattr(f->inode, &flags);
		x.fsx_xflags = err ? 0 : convert_flags(flags, 1, 0);
		return err ? err : copy_to_user(uarg, &x, sizeof(x));
	}
	if (copy_from_user(&x, uarg, sizeof(x)))
		return -EFAULT;
	flags = convert_flags(x.fsx_xflags, 0, 1);
	/* Nothing here has extents or projects. */
	if (convert_flags(flags, 1, 0) != x.fsx_xflags || x.fsx_extsize || x.fsx_projid ||
	    x.fsx_cowextsize) {
		err = vfs_get_fileattr(f->inode, &flags);
		return err ? err : inode_owner_or_capable(f->inode) ? -EOPNOTSUPP : -EPERM;
	}
	return vfs_set_fileattr(&f->path, flags, ~convert_flags(~0u, 0, 1));
}

/* May the contents of @in be shared with @out? Nothing here can, so never 0. */
static long clone_refusal(const struct file *in, const struct file *out)
{
	u32 from = in->inode->mode, to = out->inode->mode;

	if (in->inode->sb != out->inode->sb)
		return -EXDEV;
	if (S_ISDIR(from) || S_ISDIR(to))
		return -EISDIR;
	if (!S_ISREG(from) || !S_ISREG(to))
		return -EINVAL;
	if (!(in->mode & FILE_READ) || !(out->mode & FILE_WRITE) || (out->flags & O_APPEND))
		return -EBADF;
	return -EOPNOTSUPP;
}

/* FICLONE: @arg is the descriptor of the source, of FICLONERANGE it is in a structure there. */
static long ioctl_clone(struct file *f, u32 cmd, u64 arg)
{
	struct file_clone_range r = { .src_fd = (int)arg };
	struct fdref src;
	long err;

	if (cmd == FICLONERANGE && copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	err = fd_borrow((int)r.src_fd, &src);
	if (err)
		return err;
	err = clone_refusal(src.file, f);
	fd_release(&src);
	return err;
}

static long ioctl_dedupe(struct file *f, u64 arg)
{
	struct file_dedupe_range r;
	u64 size;
	u8 last;

	if (get_user(&r.dest_count, arg + offsetof(struct file_dedupe_range, dest_count)))
		return -EFAULT;
	size = sizeof(r) + r.dest_count * sizeof(struct file_dedupe_range_info);
	if (size > PAGE_SIZE)
		return -ENOMEM;
	if (copy_from_user(&r, arg, sizeof(r)) || get_user(&last, arg + size - 1))
		return -EFAULT;
	if (!(f->mode & FILE_READ) || r.reserved1 || r.reserved2)
		return -EINVAL;
	if (S_ISDIR(f->inode->mode))
		return -EISDIR;
	return S_ISREG(f->inode->mode) ? -EOPNOTSUPP : -EINVAL;
}

/* FIOQSIZE: not the length of the file but the room that it takes. */
static long ioctl_room(struct file *f, u64 arg)
{
	struct kstat st = { 0 };
	s64 size;
	long err;

	if (!S_ISREG(f->inode->mode) && !S_ISDIR(f->inode->mode) && !S_ISLNK(f->inode->mode))
		return -ENOTTY;
	err = vfs_getattr(&f->path, &st);
	size = (s64)st.blocks << 9;
	return err ? err : put_user(arg, size);
}

/* What every file, or every regular file, answers itself. */
static long ioctl_generic(struct file *f, int fd, u32 cmd, u64 arg)
{
	bool regular = S_ISREG(f->inode->mode);
	long err;
	int n;

	switch (cmd) {
	case FIONBIO: return ioctl_flag(f, fd, O_NONBLOCK, arg);
	case FIOASYNC: return ioctl_flag(f, fd, FASYNC, arg);
	case FIOSETOWN:
	case SIOCSPGRP:
		if (!S_ISSOCK(f->inode->mode))
			break;
		return get_user(&n, arg) ? -EFAULT : sys_file_set_owner(f, n);
	case FIOGETOWN:
	case SIOCGPGRP:
		if (!S_ISSOCK(f->inode->mode))
			break;
		n = (int)sys_file_get_owner(f);
		return put_user(arg, n);
	case FIOQSIZE: return ioctl_room(f, arg);
	case FIGETBSZ: n = (int)f->inode->sb->blksize; return put_user(arg, n);
	case FIONREAD:
		if (!regular)
			break;
		n = (int)(f->inode->size - f->pos);
		return put_user(arg, n);
	case FS_IOC_GETFLAGS:
	case FS_IOC_SETFLAGS:
	case FS_IOC_FSGETXATTR:
	case FS_IOC_FSSETXATTR:
		err = cmd == FS_IOC_GETFLAGS || cmd == FS_IOC_SETFLAGS
			      ? ioctl_attr_flags(f, cmd, arg)
			      : ioctl_fsxattr(f, cmd, arg);
		if (err != -ENOTTY || !f->ops->ioctl)
			return err;
		break;
	case FIFREEZE:
	case FITHAW: /* no file system here can be frozen, so none is */
		if (!sys_capable(CAP_SYS_ADMIN))
			return -EPERM;
		return cmd == FIFREEZE ? -EOPNOTSUPP : -EINVAL;
	case FICLONE:
	case FICLONERANGE: return ioctl_clone(f, cmd, arg);
	case FIDEDUPERANGE: return ioctl_dedupe(f, arg);
	case FS_IOC_FIEMAP: return sys_fiemap(f, arg);
	case FIBMAP:
		if (!regular)
			break;
		return sys_fibmap(f, arg);
	}
	return file_ioctl(f, cmd, arg);
}

/* ctx: thread */
long sys_ioctl(u64 fd, u64 cmd, u64 arg)
{
	struct fdref r;
	long ret = fd_borrow((int)fd, &r);

	if (ret)
		return ret;
	if ((u32)cmd == FIOCLEX || (u32)cmd == FIONCLEX)
		ret = fd_set_cloexec((int)fd, (u32)cmd == FIOCLEX);
	else
		ret = ioctl_generic(r.file, (int)fd, (u32)cmd, arg);
	fd_release(&r);
	return ret;
}

/* getdents(2): the layout that the UAPI headers leave to the C library. */
struct dirent64 {
	u64 ino;
	s64 off;
	u16 reclen;
	u8 type;
	char name[];
};

struct getdents {
	struct dir_ctx ctx; /* first */
	u64 ubuf;
	size_t left, done;
	int err;
};

static bool getdents_emit(struct dir_ctx *c, const char *name, u32 len, u64 ino, u8 dtype,
			  u64 next_pos)
{
	struct getdents *g = container_of(c, struct getdents, ctx);
	u8 entry[offsetof(struct dirent64, name) + NAME_MAX_LEN + 9] __aligned(8);
	struct dirent64 *d = (struct dirent64 *)entry;
	size_t head = offsetof(struct dirent64, name);
	size_t size = ALIGN_UP(head + len + 1, sizeof(u64));

	if (len > NAME_MAX_LEN || size > g->left) {
		g->err = -EINVAL; /* too small even for one; unless some are there */
		return false;
	}
	d->ino = ino;
	d->off = (s64)next_pos;
	d->reclen = (u16)size;
	d->type = dtype;
	memcpy(entry + head, name, len);
	memset(entry + head + len, 0, size - head - len);
	if (copy_to_user(g->ubuf + g->done, entry, size)) {
		g->err = -EFAULT;
		return false;
	}
	g->done += size;
	g->left -= size;
	return true;
}

/* ctx: thread */
long sys_getdents64(u64 fd, u64 ubuf, u64 count)
{
	struct getdents g = { .ctx.emit = getdents_emit, .ubuf = ubuf, .left = (u32)count };
	struct fdref r;
	long ret = fd_borrow((int)fd, &r);

	if (ret)
		return ret;
	ret = file_readdir(r.file, &g.ctx);
	fd_release(&r);
	if (ret)
		return ret;
	return g.done ? (long)g.done : g.err;
}

/* ctx: thread */
long sys_lseek(u64 fd, u64 off, u64 whence)
{
	struct fdref r;
	long ret = fd_borrow((int)fd, &r);

	if (ret)
		return ret;
	ret = (u32)whence > SEEK_MAX ? -EINVAL : file_seek(r.file, (s64)off, (int)whence);
	fd_release(&r);
	return ret;
}

/* ctx: thread */
long sys_ftruncate(u64 fd, u64 size)
{
	struct fdref r;
	long ret;

	if ((s64)size < 0)
		return -EINVAL;
	ret = fd_borrow((int)fd, &r);
	if (ret)
		return ret;
	if (!S_ISREG(r.file->inode->mode) || !(r.file->mode & FILE_WRITE))
		ret = -EINVAL;
	else
		ret = vfs_set_size(&r.file->path, size);
	fd_release(&r);
	return ret;
}

/* ctx: thread */
long sys_fallocate(u64 fd, u64 mode, u64 off, u64 len)
{
	struct fdref r;
	long ret = fd_borrow((int)fd, &r);

	if (ret)
		return ret;
	ret = file_fallocate(r.file, (int)mode, off, len);
	fd_release(&r);
	return ret;
}

static long do_fsync(int fd, u64 start, u64 end, bool datasync)
{
	struct fdref r;
	long ret = fd_borrow(fd, &r);

	if (ret)
		return ret;
	ret = file_fsync(r.file, start, end, datasync);
	fd_release(&r);
	return ret;
}

/* ctx: thread */
long sys_fsync(u64 fd)
{
	return do_fsync((int)fd, 0, LOCK_END_MAX, false);
}

/* ctx: thread */
long sys_fdatasync(u64 fd)
{
	return do_fsync((int)fd, 0, LOCK_END_MAX, true);
}

/* ctx: thread */
long sys_sync_file_range(u64 fd, u64 off, u64 len, u64 flags)
{
	struct fdref r;
	long ret = fd_borrow((int)fd, &r);

	if (ret)
		return ret;
	ret = file_sync_range(r.file, off, len, (u32)flags);
	fd_release(&r);
	return ret;
}

/* ctx: thread */
long sys_sync(void)
{
	vfs_sync_all();
	return 0;
}

/* ctx: thread */
long sys_syncfs(u64 fd)
{
	struct fdref r;
	struct super *sb;
	long ret = fd_borrow((int)fd, &r);

	if (ret)
		return ret;
	sb = r.file->inode->sb;
	ret = sb->ops && sb->ops->sync ? sb->ops->sync(sb, true) : 0;
	fd_release(&r);
	return ret;
}

/* ctx: thread; sleeps */
long sys_fadvise64(u64 fd, u64 off, u64 len, u64 advice)
{
	struct fdref r;
	long ret = fd_borrow((int)fd, &r);

	if (ret)
		return ret;
	ret = file_advise(r.file, off, len, (u32)advice);
	fd_release(&r);
	return ret;
}

/* ctx: thread; sleeps */
long sys_readahead(u64 fd, u64 off, u64 count)
{
	struct fdref r;
	long ret = fd_borrow((int)fd, &r);

	if (ret)
		return ret;
	ret = file_readahead(r.file, off, count);
	fd_release(&r);
	return ret;
}
