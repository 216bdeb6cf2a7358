/*
 * System calls on descriptors other than reading and writing: dup, fcntl, ioctl, flock, getdents64,
 * sizes and syncing.
 *
 * dup(2), fcntl(2), ioctl(2), flock(2), getdents(2), lseek(2), ftruncate(2), fallocate(2),
 * fsync(2), sync(2), posix_fadvise(2), readahead(2).
 */
#include <asm/ioctls.h>
#include <linux/fadvise.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include "fs/locks.h"
#include "fs/namei.h"
#include "fs/notify.h"
#include "fs/pipe.h"
#include "kernel/sys/abi.h"

/* Flags that F_SETFL changes; the others are ignored, as fcntl(2) says. */
#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | FASYNC)

static long dup_from(struct file *f, int min, bool cloexec)
{
	int fd, err = fd_reserve(min, proc_rlimit(RLIMIT_NOFILE), cloexec, &fd);

	if (err)
		return err;
	fd_install(fd, file_get(f));
	return fd;
}

/* ctx: thread */
long sys_dup(u64 ofd)
{
	struct fdref r;
	long fd = fd_borrow_any((int)ofd, &r);

	if (fd)
		return fd;
	fd = dup_from(r.file, 0, false);
	fd_release(&r);
	return fd;
}

/* ctx: thread */
long sys_dup3(u64 ofd, u64 nfd, u64 flags)
{
	struct file *f;
	long fd;

	if (((u32)flags & ~(u32)O_CLOEXEC) || (int)ofd == (int)nfd)
		return -EINVAL;
	if ((u32)nfd >= proc_rlimit(RLIMIT_NOFILE))
		return -EBADF;
	fd = fd_get_any((int)ofd, &f);
	if (fd)
		return fd;
	fd = fd_dup2(f, (int)nfd, flags & O_CLOEXEC, proc_rlimit(RLIMIT_NOFILE));
	file_put(f);
	return fd;
}

static long fcntl_setfl(struct file *f, u32 arg)
{
	u32 now = READ_ONCE(f->flags), next = (now & ~(u32)SETFL_MASK) | (arg & SETFL_MASK);

	if ((now ^ next) & now & O_APPEND && (f->inode->flags & INODE_APPEND))
		return -EPERM;
	if ((next & ~now & O_NOATIME) && !inode_owner_or_capable(f->inode))
		return -EPERM;
	if (f->ops->set_flags) {
		int err = f->ops->set_flags(f, next);

		if (err)
			return err;
	}
	WRITE_ONCE(f->flags, next);
	return 0;
}

/* struct flock's range, which may count from three places and backwards, as first and last byte. */
static int lock_range_of(struct file *f, const struct flock *fl, struct file_lock *l)
{
	s64 start, end;

	switch (fl->l_whence) {
	case SEEK_SET: start = 0; break;
	case SEEK_CUR: start = (s64)f->pos; break;
	case SEEK_END:
		start = (s64)(f->inode->cache ? f->inode->cache->size : f->inode->size);
		break;
	default: return -EINVAL;
	}
	if (__builtin_add_overflow(start, (s64)fl->l_start, &start))
		return -EOVERFLOW;
	if (start < 0)
		return -EINVAL;
	end = (s64)LOCK_END_MAX;
	if (fl->l_len > 0 && __builtin_add_overflow(start, fl->l_len - 1, &end))
		return -EOVERFLOW;
	if (fl->l_len < 0) {
		end = start - 1;
		start += fl->l_len;
		if (start < 0)
			return -EINVAL;
	}
	l->start = (u64)start;
	l->end = (u64)end;
	return 0;
}

/* The lock that a fcntl command is about. */
static int lock_of(struct file *f, int cmd, const struct flock *fl, struct file_lock *l)
{
	bool ofd = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;

	if (ofd && fl->l_pid)
		return -EINVAL;
	l->kind = ofd ? LOCK_KIND_OFD : LOCK_KIND_POSIX;
	l->owner = ofd ? (const void *)f : (const void *)current->files;
	l->pid = ofd ? ~0u : current_proc()->pid->nr;
	l->write = fl->l_type == F_WRLCK;
	return lock_range_of(f, fl, l);
}

static long fcntl_getlk(struct file *f, int cmd, u64 uarg)
{
	struct file_lock want, found;
	struct flock fl;
	int err;

	if (copy_from_user(&fl, uarg, sizeof(fl)))
		return -EFAULT;
	if (fl.l_type != F_RDLCK && fl.l_type != F_WRLCK)
		return -EINVAL;
	err = lock_of(f, cmd, &fl, &want);
	if (err)
		return err;
	if (!locks_test(f, &want, &found)) {
		fl.l_type = F_UNLCK;
		return copy_to_user(uarg, &fl, sizeof(fl));
	}
	fl.l_type = found.write ? F_WRLCK : F_RDLCK;
	fl.l_whence = SEEK_SET;
	fl.l_start = (s64)found.start;
	fl.l_len = found.end == LOCK_END_MAX ? 0 : (s64)(found.end - found.start + 1);
	fl.l_pid = (int)found.pid;
	return copy_to_user(uarg, &fl, sizeof(fl));
}

static long fcntl_setlk(struct file *f, int cmd, u64 uarg)
{
	bool wait = cmd == F_SETLKW || cmd == F_OFD_SETLKW;
	struct file_lock want;
	struct flock fl;
	int err;

	if (copy_from_user(&fl, uarg, sizeof(fl)))
		return -EFAULT;
	err = lock_of(f, cmd, &fl, &want);
	if (err)
		return err;
	switch (fl.l_type) {
	case F_RDLCK:
		if (!(f->mode & FILE_READ))
			return -EBADF;
		break;
	case F_WRLCK:
		if (!(f->mode & FILE_WRITE))
			return -EBADF;
		break;
	case F_UNLCK: break;
	default: return -EINVAL;
	}
	return locks_set(f, &want, fl.l_type == F_UNLCK, wait);
}

static long fcntl_setown(struct file *f, int type, int id)
{
	if (id < 0 && id == (int)0x80000000)
		return -EINVAL;
	if (id) {
		struct pid *p = pid_lookup((u32)(id < 0 ? -id : id));

		if (!p)
			return -ESRCH;
		pid_put(p);
	}
	WRITE_ONCE(f->owner_pid, type == F_OWNER_PGRP ? -id : id);
	return 0;
}

static long fcntl_owner_ex(struct file *f, int cmd, u64 uarg)
{
	struct f_owner_ex o;
	int id = READ_ONCE(f->owner_pid);

	if (cmd == F_GETOWN_EX) {
		o.type = id < 0 ? F_OWNER_PGRP : F_OWNER_PID;
		o.pid = id < 0 ? -id : id;
		return copy_to_user(uarg, &o, sizeof(o));
	}
	if (copy_from_user(&o, uarg, sizeof(o)))
		return -EFAULT;
	if (o.type != F_OWNER_TID && o.type != F_OWNER_PID && o.type != F_OWNER_PGRP)
		return -EINVAL;
	return o.pid < 0 ? -EINVAL : fcntl_setown(f, o.type, o.pid);
}

/* Checked as Linux does; what could be granted is refused, as if another had the file open. */
static long fcntl_setlease(const struct file *f, u64 type)
{
	if (type != F_RDLCK && type != F_WRLCK && type != F_UNLCK)
		return -EINVAL;
	if (current->cred->fsuid != f->inode->uid && !cred_capable(current->cred, CAP_LEASE))
		return -EACCES;
	return S_ISREG(f->inode->mode) ? -EAGAIN : -EINVAL;
}

/* How long what is written will live: kept, and of no consequence. */
static long fcntl_write_hint(struct inode *i, int cmd, u64 uarg)
{
	u64 hint = READ_ONCE(i->flags) >> INODE_HINT_SHIFT;

	if (cmd == F_GET_RW_HINT)
		return put_user(uarg, hint);
	if (get_user(&hint, uarg))
		return -EFAULT;
	if (hint > RWH_WRITE_LIFE_EXTREME)
		return -EINVAL;
	rwsem_write_lock(&i->lock);
	WRITE_ONCE(i->flags,
		   (i->flags & ((1u << INODE_HINT_SHIFT) - 1)) | (u32)hint << INODE_HINT_SHIFT);
	rwsem_write_unlock(&i->lock);
	return 0;
}

/* Commands that need a file which is really open. */
static long fcntl_file(struct file *f, int cmd, u64 arg)
{
	switch (cmd) {
	case F_SETFL: return fcntl_setfl(f, (u32)arg);
	case F_GETLK:
	case F_OFD_GETLK: return fcntl_getlk(f, cmd, arg);
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_SETLK:
	case F_OFD_SETLKW: return fcntl_setlk(f, cmd, arg);
	case F_GETOWN: return f->owner_pid;
	case F_SETOWN:
		return fcntl_setown(f, (int)arg < 0 ? F_OWNER_PGRP : F_OWNER_PID,
				    (int)arg < 0 ? -(int)arg : (int)arg);
	case F_GETOWN_EX:
	case F_SETOWN_EX: return fcntl_owner_ex(f, cmd, arg);
	case F_GETSIG: return f->owner_sig;
	case F_SETSIG:
		if (arg > 64)
			return -EINVAL;
		f->owner_sig = (int)arg;
		return 0;
	case F_GETLEASE: return F_UNLCK;
	case F_SETLEASE: return fcntl_setlease(f, arg);
	case F_GETPIPE_SZ: return file_is_pipe(f) ? pipe_get_size(f) : -EBADF;
	case F_SETPIPE_SZ: return file_is_pipe(f) ? pipe_set_size(f, arg) : -EBADF;
	case F_GET_SEALS: return tmpfs_get_seals(f);
	case F_ADD_SEALS: return arg > ~0u ? -EINVAL : tmpfs_add_seals(f, (u32)arg);
	case F_GET_RW_HINT:
	case F_SET_RW_HINT: return fcntl_write_hint(f->inode, cmd, arg);
	}
	return -EINVAL;
}

/* ctx: thread */
long sys_fcntl(u64 fd, u64 cmd, u64 arg)
{
	struct fdref r;
	long ret = fd_borrow_any((int)fd, &r);

	if (ret)
		return ret;
	switch ((int)cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		ret = (u32)arg >= proc_rlimit(RLIMIT_NOFILE)
			      ? -EINVAL
			      : dup_from(r.file, (int)arg, (int)cmd == F_DUPFD_CLOEXEC);
		break;
	case F_GETFD: ret = fd_get_cloexec((int)fd); break;
	case F_SETFD: ret = fd_set_cloexec((int)fd, arg & FD_CLOEXEC); break;
	case F_GETFL: ret = READ_ONCE(r.file->flags); break;
	default: ret = r.file->mode & FILE_PATH ? -EBADF : fcntl_file(r.file, (int)cmd, arg);
	}
	fd_release(&r);
	return ret;
}

static long ioctl_flag(struct file *f, u32 flag, u64 uarg)
{
	int on;

	if (get_user(&on, uarg))
		return -EFAULT;
	return fcntl_setfl(f, on ? f->flags | flag : f->flags & ~flag);
}

static long ioctl_attr_flags(struct file *f, u32 cmd, u64 uarg)
{
	const struct inode_ops *ops = f->inode->ops;
	u32 flags = 0;
	long err;

	if (!ops || !ops->fileattr)
		return -ENOTTY;
	if (cmd == FS_IOC_GETFLAGS) {
		err = ops->fileattr(f->inode, &flags, false);
		return err ? err : put_user(uarg, flags);
	}
	if (get_user(&flags, uarg))
		return -EFAULT;
	err = mount_may_write(f->path.mnt);
	if (!err && !inode_owner_or_capable(f->inode))
		err = -EPERM;
	if (!err)
		err = ops->fileattr(f->inode, &flags, true);
	if (!err)
		notify_dentry(f->path.dentry, IN_ATTRIB);
	return err;
}

/* What every file, or every regular file, answers itself. */
static long ioctl_generic(struct file *f, u32 cmd, u64 arg)
{
	bool regular = S_ISREG(f->inode->mode);
	int n;

	switch (cmd) {
	case FIONBIO: return ioctl_flag(f, O_NONBLOCK, arg);
	case FIOASYNC: return ioctl_flag(f, FASYNC, arg);
	case FIOQSIZE:
		if (regular || S_ISDIR(f->inode->mode) || S_ISLNK(f->inode->mode)) {
			s64 size = (s64)f->inode->size;

			return put_user(arg, size);
		}
		return -ENOTTY;
	case FIGETBSZ: n = (int)f->inode->sb->blksize; return put_user(arg, n);
	case FIONREAD:
		if (!regular)
			break;
		n = (int)(f->inode->size - f->pos);
		return put_user(arg, n);
	case FS_IOC_GETFLAGS:
	case FS_IOC_SETFLAGS:
		if (f->ops->ioctl)
			break;
		return ioctl_attr_flags(f, cmd, arg);
	case FICLONE:
	case FICLONERANGE:
	case FIDEDUPERANGE:
	case FS_IOC_FIEMAP: return regular ? -EOPNOTSUPP : -ENOTTY;
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
		ret = ioctl_generic(r.file, (u32)cmd, arg);
	fd_release(&r);
	return ret;
}

/* ctx: thread */
long sys_flock(u64 fd, u64 op)
{
	struct fdref r;
	int type;
	long ret;

	if (op & LOCK_MAND) /* mandatory locks are gone, and asking for one is harmless */
		return 0;
	switch ((u32)op & ~(u32)LOCK_NB) {
	case LOCK_SH: type = 1; break;
	case LOCK_EX: type = 2; break;
	case LOCK_UN: type = 0; break;
	default: return -EINVAL;
	}
	ret = fd_borrow((int)fd, &r);
	if (ret)
		return ret;
	ret = type && !(r.file->mode & (FILE_READ | FILE_WRITE))
		      ? -EBADF
		      : locks_flock(r.file, type, current_proc()->pid->nr, !(op & LOCK_NB));
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

/* Which of the modes go together. 0, -EOPNOTSUPP, -EINVAL. */
static int check_fallocate_mode(int mode)
{
	const int known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE |
			  FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE;
	const int both = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE;

	if ((mode & ~known) || (mode & both) == both)
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_PUNCH_HOLE) && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if ((mode & FALLOC_FL_COLLAPSE_RANGE) && (mode & ~FALLOC_FL_COLLAPSE_RANGE))
		return -EINVAL;
	if ((mode & FALLOC_FL_INSERT_RANGE) && (mode & ~FALLOC_FL_INSERT_RANGE))
		return -EINVAL;
	if ((mode & FALLOC_FL_UNSHARE_RANGE) &&
	    (mode & ~(FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_KEEP_SIZE)))
		return -EINVAL;
	return 0;
}

static long do_fallocate(struct file *f, int mode, u64 off, u64 len)
{
	int err = (s64)off < 0 || (s64)len <= 0 ? -EINVAL : check_fallocate_mode(mode);

	if (err)
		return err;
	if (!(f->mode & FILE_WRITE))
		return -EBADF;
	if ((f->inode->flags & INODE_APPEND) && (mode & ~FALLOC_FL_KEEP_SIZE))
		return -EPERM;
	if (S_ISFIFO(f->inode->mode))
		return -ESPIPE;
	if (S_ISDIR(f->inode->mode))
		return -EISDIR;
	if (!S_ISREG(f->inode->mode))
		return -ENODEV;
	if (off + len < off || off + len > f->inode->sb->max_size)
		return -EFBIG;
	if (!f->ops->fallocate)
		return -EOPNOTSUPP;
	err = f->ops->fallocate(f, mode, off, len);
	if (!err)
		notify_file(f, IN_MODIFY);
	return err;
}

/* ctx: thread */
long sys_fallocate(u64 fd, u64 mode, u64 off, u64 len)
{
	struct fdref r;
	long ret = fd_borrow((int)fd, &r);

	if (ret)
		return ret;
	ret = do_fallocate(r.file, (int)mode, off, len);
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
	u32 mode;
	long ret;

	if ((u32)flags & ~(u32)(SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				SYNC_FILE_RANGE_WAIT_AFTER))
		return -EINVAL;
	if ((s64)off < 0 || (s64)(off + len) < 0 || off + len < off)
		return -EINVAL;
	ret = fd_borrow((int)fd, &r);
	if (ret)
		return ret;
	mode = r.file->inode->mode;
	fd_release(&r);
	if (!S_ISREG(mode) && !S_ISBLK(mode) && !S_ISDIR(mode) && !S_ISLNK(mode))
		return -ESPIPE;
	return flags ? do_fsync((int)fd, off, len ? off + len : LOCK_END_MAX, true) : 0;
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

/* ctx: thread. Advice that changes nothing here is checked all the same. */
long sys_fadvise64(u64 fd, u64 off, u64 len, u64 advice)
{
	struct fdref r;
	long ret = fd_borrow((int)fd, &r);

	if (ret)
		return ret;
	if (S_ISFIFO(r.file->inode->mode))
		ret = -ESPIPE;
	else if ((s64)len < 0 || (u32)advice > POSIX_FADV_NOREUSE)
		ret = -EINVAL;
	fd_release(&r);
	return ret;
}

/* ctx: thread. The page cache reads ahead by itself. */
long sys_readahead(u64 fd, u64 off, u64 count)
{
	struct fdref r;
	long ret = fd_borrow((int)fd, &r);

	if (ret)
		return ret;
	if (!(r.file->mode & FILE_READ))
		ret = -EBADF;
	else if (!S_ISREG(r.file->inode->mode) || (s64)count < 0)
		ret = -EINVAL;
	fd_release(&r);
	return ret;
}
