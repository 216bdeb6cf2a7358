/*
 * dup, fcntl and flock: descriptors as such, flags and owners of open files, advisory locks.
 *
 * O_ASYNC is more than a flag: an object that supports signal-driven I/O is told when it changes,
 * with the descriptor that si_fd will say. Those that do not leave the flag as it is, and FIOASYNC
 * says so (sys_file.c). F_NOTIFY (fs/dnotify.c) and F_SETLEASE (fs/lease.c) use the same
 * owner.
 *
 * dup(2), fcntl(2), flock(2).
 */
#include <linux/fs.h>
#include "fs/locks.h"
#include "fs/namei.h"
#include "fs/notify.h"
#include "fs/pipe.h"
#include "kernel/proc/fileowner.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/sys.h"

/* Flags that F_SETFL changes; the others are ignored, as fcntl(2) says. */
#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME)

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

/* See sys.h. ctx: thread; sleeps. */
long sys_file_set_flags(struct file *f, int fd, u32 arg)
{
	u32 mask = SETFL_MASK | (f->ops->fasync ? FASYNC : 0), now = READ_ONCE(f->flags);
	u32 next = (now & ~mask) | (arg & mask);
	int err;

	if (((now ^ next) & O_APPEND) && (f->inode->flags & INODE_APPEND))
		return -EPERM;
	if ((next & ~now & O_NOATIME) && !inode_owner_or_capable(f->inode))
		return -EPERM;
	/* A pipe then keeps its writes apart. */
	if ((next & O_DIRECT) && !S_ISFIFO(f->inode->mode) && !file_can_direct(f))
		return -EINVAL;
	err = (now ^ next) & FASYNC ? f->ops->fasync(f, fd, next & FASYNC) : 0;
	if (err)
		return err;
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

/* See sys.h. */
long sys_file_set_owner(struct file *f, int who)
{
	if (who == (int)0x80000000)
		return -EINVAL;
	return file_owner_set(f, who < 0 ? F_OWNER_PGRP : F_OWNER_PID, who < 0 ? -who : who);
}

/* See sys.h. */
long sys_file_get_owner(struct file *f)
{
	int type, nr = file_owner_get(f, &type);

	return type == F_OWNER_PGRP ? -nr : nr;
}

static long fcntl_owner_ex(struct file *f, int cmd, u64 uarg)
{
	struct f_owner_ex o;

	if (cmd == F_GETOWN_EX) {
		o.pid = file_owner_get(f, &o.type);
		return copy_to_user(uarg, &o, sizeof(o));
	}
	if (copy_from_user(&o, uarg, sizeof(o)))
		return -EFAULT;
	if (o.type != F_OWNER_TID && o.type != F_OWNER_PID && o.type != F_OWNER_PGRP)
		return -EINVAL;
	return file_owner_set(f, o.type, o.pid);
}

static long fcntl_owner_uids(struct file *f, u64 uarg)
{
	u32 uids[2];

	file_owner_uids(f, uids);
	return copy_to_user(uarg, uids, sizeof(uids));
}

/* Whom the file tells. -ENOSYS: another command. */
static long fcntl_owner(struct file *f, int cmd, u64 arg)
{
	switch (cmd) {
	case F_GETOWN: return sys_file_get_owner(f);
	case F_SETOWN: return sys_file_set_owner(f, (int)arg);
	case F_GETOWN_EX:
	case F_SETOWN_EX: return fcntl_owner_ex(f, cmd, arg);
	case F_GETOWNER_UIDS: return fcntl_owner_uids(f, arg);
	case F_GETSIG: return file_owner_get_signal(f);
	case F_SETSIG: return arg > 64 ? -EINVAL : file_owner_set_signal(f, (int)arg);
	}
	return -ENOSYS;
}

/* The signal of a lease goes to the process that has it, unless the file has an owner. */
static long fcntl_setlease(struct file *f, int fd, u64 type)
{
	int err = type == F_UNLCK ? 0 : file_owner_prepare(f);

	return err ? err : lease_set(f, fd, type);
}

/* The signals go to the process that asked first, unless the file has an owner. */
static long fcntl_notify(struct file *f, int fd, u64 mask)
{
	if ((mask & ~(u64)DN_MULTISHOT) && S_ISDIR(f->inode->mode))
		file_owner_set_default(f, F_OWNER_PID, current_proc()->pid);
	return dnotify_set(f, current->files, fd, (u32)mask);
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
static long fcntl_file(struct file *f, int fd, int cmd, u64 arg)
{
	long ret = fcntl_owner(f, cmd, arg);

	if (ret != -ENOSYS)
		return ret;
	switch (cmd) {
	case F_SETFL: return sys_file_set_flags(f, fd, (u32)arg);
	case F_GETLK:
	case F_OFD_GETLK: return fcntl_getlk(f, cmd, arg);
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_SETLK:
	case F_OFD_SETLKW: return fcntl_setlk(f, cmd, arg);
	case F_GETLEASE: return lease_get(f);
	case F_SETLEASE: return fcntl_setlease(f, fd, arg);
	case F_NOTIFY: return fcntl_notify(f, fd, arg);
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
	default:
		ret = r.file->mode & FILE_PATH ? -EBADF
					       : fcntl_file(r.file, (int)fd, (int)cmd, arg);
	}
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
