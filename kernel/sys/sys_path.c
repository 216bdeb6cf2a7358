/*
 * System calls on names: making, removing and renaming files, links, directories, and where a
 * process is.
 *
 * Each resolves its path arguments (path.h), checks flags and hands over to one vfs_ function,
 * which holds the rules.
 *
 * mkdir(2), mknod(2), unlink(2), symlink(2), link(2), rename(2), readlink(2), access(2), chdir(2),
 * chroot(2), chmod(2), chown(2), utimensat(2), umask(2), getcwd(2), truncate(2).
 */
#include <linux/fs.h>
#include "fs/namei.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/path.h"
#include "mm/slab.h"

/* Of linux/stat.h, which does not hand them to user space: utimensat(2). */
#define UTIME_NOW ((1l << 30) - 1l)
#define UTIME_OMIT ((1l << 30) - 2l)

static u32 follow_unless(u32 at_flags)
{
	return at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
}

/* ctx: thread */
long sys_mkdirat(u64 dfd, u64 uname, u64 mode)
{
	struct sys_path p;
	int err = sys_path_begin(&p, (int)dfd, uname);

	if (err)
		return err;
	err = vfs_mkdir(p.at, p.name, (u32)mode);
	sys_path_end(&p);
	return err;
}

/* What mknod may make. */
static int check_node_type(u32 type)
{
	switch (type) {
	case 0:
	case S_IFREG:
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK: return 0;
	case S_IFDIR: return -EPERM;
	}
	return -EINVAL;
}

/*
 * ctx: thread. Device numbers come in the 32-bit encoding: 12 bits of major, 20 of minor in two
 * parts.
 */
long sys_mknodat(u64 dfd, u64 uname, u64 mode, u64 dev)
{
	struct sys_path p;
	u32 d = (u32)dev;
	int err = check_node_type((u32)mode & S_IFMT);

	if (!err)
		err = sys_path_begin(&p, (int)dfd, uname);
	if (err)
		return err;
	err = vfs_mknod(p.at, p.name, (u32)mode & 0xffff,
			dev_make((d & 0xfff00) >> 8, (d & 0xff) | (d >> 12 & 0xfff00)));
	sys_path_end(&p);
	return err;
}

/* ctx: thread */
long sys_unlinkat(u64 dfd, u64 uname, u64 flags)
{
	struct sys_path p;
	int err;

	if ((u32)flags & ~(u32)AT_REMOVEDIR)
		return -EINVAL;
	err = sys_path_begin(&p, (int)dfd, uname);
	if (err)
		return err;
	err = flags & AT_REMOVEDIR ? vfs_rmdir(p.at, p.name) : vfs_unlink(p.at, p.name);
	sys_path_end(&p);
	return err;
}

/* ctx: thread */
long sys_symlinkat(u64 utarget, u64 dfd, u64 uname)
{
	struct sys_path p;
	char *target;
	int err = sys_string_dup(utarget, PATH_MAX_LEN, &target);

	if (err)
		return err;
	err = *target ? sys_path_begin(&p, (int)dfd, uname) : -ENOENT;
	if (!err) {
		err = vfs_symlink(target, p.at, p.name);
		sys_path_end(&p);
	}
	kfree(target);
	return err;
}

/* ctx: thread */
long sys_linkat(u64 odfd, u64 uold, u64 ndfd, u64 unew, u64 flags)
{
	struct sys_path p;
	struct path old;
	int err;

	if ((u32)flags & ~(u32)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if ((flags & AT_EMPTY_PATH) && !sys_capable(CAP_DAC_READ_SEARCH))
		return -ENOENT;
	err = sys_path_lookup((int)odfd, uold, flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0,
			      (u32)flags, &old);
	if (err)
		return err;
	err = sys_path_begin(&p, (int)ndfd, unew);
	if (!err) {
		err = vfs_link(&old, p.at, p.name);
		sys_path_end(&p);
	}
	path_put(&old);
	return err;
}

/* ctx: thread */
long sys_renameat2(u64 odfd, u64 uold, u64 ndfd, u64 unew, u64 flags)
{
	const u32 known = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
	struct sys_path o, n;
	int err;

	if (((u32)flags & ~known) || ((flags & RENAME_EXCHANGE) && ((u32)flags & ~RENAME_EXCHANGE)))
		return -EINVAL;
	err = sys_path_begin(&o, (int)odfd, uold);
	if (err)
		return err;
	err = sys_path_begin(&n, (int)ndfd, unew);
	if (!err) {
		err = vfs_rename(o.at, o.name, n.at, n.name, (u32)flags);
		sys_path_end(&n);
	}
	sys_path_end(&o);
	return err;
}

/* ctx: thread */
long sys_renameat(u64 odfd, u64 uold, u64 ndfd, u64 unew)
{
	return sys_renameat2(odfd, uold, ndfd, unew, 0);
}

static bool sys_name_is_empty(u64 uname)
{
	char c;

	return !get_user(&c, uname) && !c;
}

/* ctx: thread. An empty name means a symlink opened with O_PATH. */
long sys_readlinkat(u64 dfd, u64 uname, u64 ubuf, u64 size)
{
	struct path p;
	char *buf;
	ssize_t n;
	int err;

	if ((int)size <= 0)
		return -EINVAL;
	err = sys_path_lookup((int)dfd, uname, 0, AT_EMPTY_PATH, &p);
	if (err)
		return err;
	n = -ENOMEM;
	size = MIN((u64)(u32)size, (u64)PATH_MAX_LEN);
	buf = kmalloc(PATH_MAX_LEN, 0);
	if (buf)
		n = vfs_readlink(&p, buf, size);
	if (n > 0 && copy_to_user(ubuf, buf, (size_t)n))
		n = -EFAULT;
	kfree(buf);
	/* Of what the descriptor is itself, "no such link" is said otherwise. */
	if (n == -EINVAL && sys_name_is_empty(uname))
		n = -ENOENT;
	path_put(&p);
	return n;
}

/*
 * access(2) asks about the real user: credentials with the real ids in the place of the file-system
 * ones, and root's capabilities only if that is root. NULL: the ordinary ones do.
 */
static int access_cred(struct cred **out)
{
	struct cred *c = current->cred, *n;
	int err;

	*out = NULL;
	if (c->uid == c->fsuid && c->gid == c->fsgid && c->effective == (c->uid ? 0 : c->permitted))
		return 0;
	err = cred_copy(c, c->ngroups, &n);
	if (err)
		return err;
	n->fsuid = c->uid;
	n->fsgid = c->gid;
	n->effective = c->uid == 0 ? c->permitted : 0;
	*out = n;
	return 0;
}

static long do_access(int dfd, u64 uname, u32 mode, u32 flags)
{
	struct cred *mine = current->cred, *real = NULL;
	struct path p;
	int err;

	if ((mode & ~7u) || (flags & ~(u32)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		return -EINVAL;
	err = flags & AT_EACCESS ? 0 : access_cred(&real);
	if (err)
		return err;
	if (real)
		current->cred = real;
	err = sys_path_lookup(dfd, uname, follow_unless(flags), flags, &p);
	if (!err) {
		err = vfs_access(&p, mode);
		path_put(&p);
	}
	if (real) {
		current->cred = mine;
		cred_put(real);
	}
	return err;
}

/* ctx: thread */
long sys_faccessat(u64 dfd, u64 uname, u64 mode)
{
	return do_access((int)dfd, uname, (u32)mode, 0);
}

/* ctx: thread */
long sys_faccessat2(u64 dfd, u64 uname, u64 mode, u64 flags)
{
	return do_access((int)dfd, uname, (u32)mode, (u32)flags);
}

/* ctx: thread */
long sys_chdir(u64 uname)
{
	struct path p;
	int err = sys_path_lookup(AT_FDCWD, uname, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, 0, &p);

	if (err)
		return err;
	err = inode_permission(dentry_inode(p.dentry), MAY_EXEC);
	if (!err)
		fsctx_set_cwd(&p);
	path_put(&p);
	return err;
}

/* ctx: thread */
long sys_fchdir(u64 fd)
{
	struct fdref r;
	int err = fd_borrow_any((int)fd, &r);

	if (err)
		return err;
	err = inode_is_dir(r.file->inode) ? inode_permission(r.file->inode, MAY_EXEC) : -ENOTDIR;
	if (!err)
		fsctx_set_cwd(&r.file->path);
	fd_release(&r);
	return err;
}

/* ctx: thread */
long sys_chroot(u64 uname)
{
	struct path p;
	int err = sys_path_lookup(AT_FDCWD, uname, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, 0, &p);

	if (err)
		return err;
	err = inode_permission(dentry_inode(p.dentry), MAY_EXEC);
	if (!err && !sys_capable(CAP_SYS_CHROOT))
		err = -EPERM;
	if (!err)
		fsctx_set_root(&p);
	path_put(&p);
	return err;
}

static long do_chmod(const struct path *p, u32 mode)
{
	struct iattr a = { .valid = ATTR_MODE, .mode = mode & 07777 };

	return vfs_setattr(p, &a);
}

/* ctx: thread */
long sys_fchmod(u64 fd, u64 mode)
{
	struct fdref r;
	long err = fd_borrow((int)fd, &r);

	if (err)
		return err;
	err = do_chmod(&r.file->path, (u32)mode);
	fd_release(&r);
	return err;
}

/* ctx: thread */
long sys_fchmodat(u64 dfd, u64 uname, u64 mode)
{
	struct path p;
	long err = sys_path_lookup((int)dfd, uname, LOOKUP_FOLLOW, 0, &p);

	if (err)
		return err;
	err = do_chmod(&p, (u32)mode);
	path_put(&p);
	return err;
}

static long do_chown(const struct path *p, u32 uid, u32 gid)
{
	struct iattr a = { .valid = ATTR_KILL_SUID, .uid = uid, .gid = gid };

	if (uid != ~0u)
		a.valid |= ATTR_UID;
	if (gid != ~0u)
		a.valid |= ATTR_GID;
	return vfs_setattr(p, &a);
}

/* ctx: thread */
long sys_fchown(u64 fd, u64 uid, u64 gid)
{
	struct fdref r;
	long err = fd_borrow((int)fd, &r);

	if (err)
		return err;
	err = do_chown(&r.file->path, (u32)uid, (u32)gid);
	fd_release(&r);
	return err;
}

/* ctx: thread */
long sys_fchownat(u64 dfd, u64 uname, u64 uid, u64 gid, u64 flags)
{
	struct path p;
	long err;

	if ((u32)flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = sys_path_lookup((int)dfd, uname, follow_unless((u32)flags), (u32)flags, &p);
	if (err)
		return err;
	err = do_chown(&p, (u32)uid, (u32)gid);
	path_put(&p);
	return err;
}

/* One of the two times of utimensat. */
static int take_time(const struct __kernel_timespec *ts, u32 bit, s64 now, struct iattr *a,
		     s64 *out)
{
	if (ts->tv_nsec == UTIME_OMIT)
		return 0;
	a->valid |= bit;
	if (ts->tv_nsec == UTIME_NOW) {
		*out = now;
		return 0;
	}
	if (ts->tv_nsec < 0 || ts->tv_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	if (ts->tv_sec > SYS_SEC_MAX - 1)
		*out = TIME_NEVER;
	else if (ts->tv_sec < -SYS_SEC_MAX)
		*out = -TIME_NEVER;
	else
		*out = ts->tv_sec * NSEC_PER_SEC + ts->tv_nsec;
	return 0;
}

/* What utimensat does once the file is found. */
static long set_times(const struct path *p, const struct __kernel_timespec ts[2])
{
	s64 now = time_wall();
	struct iattr a = { .ctime = now }; /* the same as a time of now */
	int err = take_time(&ts[0], ATTR_ATIME, now, &a, &a.atime);

	if (!err)
		err = take_time(&ts[1], ATTR_MTIME, now, &a, &a.mtime);
	if (ts[0].tv_nsec == UTIME_NOW && ts[1].tv_nsec == UTIME_NOW)
		a.valid |= ATTR_TIMES_NOW;
	return err ? err : vfs_setattr(p, &a);
}

static long set_times_fd(int fd, const struct __kernel_timespec ts[2])
{
	struct fdref r;
	long err = fd_borrow(fd, &r);

	if (err)
		return err;
	err = set_times(&r.file->path, ts);
	fd_release(&r);
	return err;
}

/* ctx: thread. A NULL name means the file @dfd itself. */
long sys_utimensat(u64 dfd, u64 uname, u64 utimes, u64 flags)
{
	struct __kernel_timespec ts[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } };
	struct path p;
	long err;

	if (utimes && copy_from_user(ts, utimes, sizeof(ts)))
		return -EFAULT;
	/* Nothing to do: not even the name is looked at. */
	if (ts[0].tv_nsec == UTIME_OMIT && ts[1].tv_nsec == UTIME_OMIT)
		return 0;
	if (!uname && (int)dfd != AT_FDCWD)
		return (u32)flags ? -EINVAL : set_times_fd((int)dfd, ts);
	if ((u32)flags & ~(u32)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	err = sys_path_lookup((int)dfd, uname, follow_unless((u32)flags), (u32)flags, &p);
	if (err)
		return err;
	err = set_times(&p, ts);
	path_put(&p);
	return err;
}

/* ctx: thread */
long sys_umask(u64 mask)
{
	return __atomic_exchange_n(&current->fs->umask, (u32)mask & 0777, __ATOMIC_RELAXED);
}

/* ctx: thread. Returns the length with NUL. */
long sys_getcwd(u64 ubuf, u64 size)
{
	struct path root, cwd;
	char *buf = kmalloc(PATH_MAX_LEN, 0), *s;
	long n;

	if (!buf)
		return -ENOMEM;
	fsctx_get_root(&root);
	fsctx_get_cwd(&cwd);
	n = -ENOENT;
	if (!path_is_deleted(&cwd))
		n = path_to_string(&cwd, &root, buf, PATH_MAX_LEN, &s);
	if (!n) {
		n = (long)strlen(s) + 1;
		if ((u64)n > size)
			n = -ERANGE;
		else if (copy_to_user(ubuf, s, (size_t)n))
			n = -EFAULT;
	}
	path_put(&cwd);
	path_put(&root);
	kfree(buf);
	return n;
}

/* ctx: thread */
long sys_truncate(u64 uname, u64 size)
{
	struct path p;
	long err;

	if ((s64)size < 0)
		return -EINVAL;
	err = sys_path_lookup(AT_FDCWD, uname, LOOKUP_FOLLOW, 0, &p);
	if (err)
		return err;
	err = vfs_truncate(&p, size);
	path_put(&p);
	return err;
}
