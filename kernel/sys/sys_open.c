/*
 * open and close.
 *
 * openat checks little and ignores unknown flags, as always; openat2 checks everything. A
 * descriptor is reserved before the file is opened, so that a full table fails the call without
 * having created a file's side effects.
 *
 * open(2), openat2(2), close(2), close_range(2), memfd_create(2).
 */
#include <linux/close_range.h>
#include <linux/sched.h>
#include <linux/memfd.h>
#include <linux/openat2.h>
#include "fs/namei.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/path.h"

#define OPEN_FLAGS                                                                             \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC | \
	 O_SYNC | FASYNC | O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |     \
	 O_CLOEXEC | O_PATH | O_TMPFILE)

static long do_open(int dfd, u64 uname, u32 flags, u32 mode, u32 lookup)
{
	struct sys_path p;
	struct file *f;
	int fd, err = vfs_open_check(flags);

	if (unlikely(err))
		return err;
	if (unlikely(lookup & LOOKUP_IN_ROOT))
		err = sys_path_begin_in_root(&p, dfd, uname);
	else
		err = sys_path_begin(&p, dfd, uname);
	if (unlikely(err))
		return err;
	err = fd_reserve(0, proc_rlimit(RLIMIT_NOFILE), flags & O_CLOEXEC, &fd);
	if (unlikely(err))
		goto end;
	err = vfs_open(p.at, p.name, flags, mode, lookup, &f);
	if (unlikely(err)) {
		fd_unreserve(fd);
		goto end;
	}
	fd_install(fd, f);
	err = fd;
end:
	sys_path_end(&p);
	return err;
}

/* ctx: thread */
long sys_openat(u64 dfd, u64 uname, u64 flags, u64 mode)
{
	u32 f = ((u32)flags & OPEN_FLAGS) | O_LARGEFILE;

	if (f & O_PATH)
		f &= O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
	return do_open((int)dfd, uname, f, (u32)mode, 0);
}

/* RESOLVE_* as LOOKUP_*. */
static u32 lookup_of(u64 resolve)
{
	u32 l = 0;

	if (resolve & RESOLVE_NO_XDEV)
		l |= LOOKUP_NO_XDEV;
	if (resolve & RESOLVE_NO_MAGICLINKS)
		l |= LOOKUP_NO_MAGICLINKS;
	if (resolve & RESOLVE_NO_SYMLINKS)
		l |= LOOKUP_NO_SYMLINKS | LOOKUP_NO_MAGICLINKS;
	if (resolve & RESOLVE_BENEATH)
		l |= LOOKUP_BENEATH;
	if (resolve & RESOLVE_IN_ROOT)
		l |= LOOKUP_IN_ROOT;
	if (resolve & RESOLVE_CACHED)
		l |= LOOKUP_CACHED;
	return l;
}

/* What openat2 refuses and openat would not. */
static int check_how(const struct open_how *how)
{
	u64 known = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS |
		    RESOLVE_BENEATH | RESOLVE_IN_ROOT | RESOLVE_CACHED;
	bool creates = how->flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY));

	if ((how->flags & ~(u64)OPEN_FLAGS) || (how->resolve & ~known))
		return -EINVAL;
	if ((how->resolve & RESOLVE_BENEATH) && (how->resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	if (creates ? how->mode & ~07777ull : how->mode)
		return -EINVAL;
	if ((how->flags & O_PATH) &&
	    (how->flags & ~(u64)(O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)))
		return -EINVAL;
	/* What changes a file may have to wait. */
	return (how->resolve & RESOLVE_CACHED) && (creates || (how->flags & O_TRUNC)) ? -EAGAIN : 0;
}

/* ctx: thread */
long sys_openat2(u64 dfd, u64 uname, u64 uhow, u64 size)
{
	struct open_how how;
	int err;

	if (size < sizeof(how))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	err = sys_copy_struct(&how, sizeof(how), uhow, size);
	if (!err)
		err = check_how(&how);
	if (err)
		return err;
	return do_open((int)dfd, uname, (u32)how.flags | (how.flags & O_PATH ? 0 : O_LARGEFILE),
		       (u32)how.mode, lookup_of(how.resolve));
}

/* ctx: thread. An interrupted flush may not be repeated: the descriptor is gone. */
long sys_close(u64 fd)
{
	int err = fd_close((int)fd);

	return unlikely(err == -ERESTARTSYS || err == -ERESTARTNOINTR) ? -EINTR : err;
}

/* ctx: thread */
long sys_close_range(u64 first, u64 last, u64 flags)
{
	int err = 0;

	if ((u32)flags & ~(u32)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC))
		return -EINVAL;
	if ((u32)first > (u32)last)
		return -EINVAL;
	/* A table of its own first. */
	if (flags & CLOSE_RANGE_UNSHARE)
		err = proc_unshare(CLONE_FILES);
	return err ? err : fd_close_range((u32)first, (u32)last, flags & CLOSE_RANGE_CLOEXEC);
}

#define MEMFD_PREFIX "/memfd:"
#define MEMFD_NAME_MAX (NAME_MAX_LEN - (sizeof(MEMFD_PREFIX) - 2))

/* ctx: thread */
long sys_memfd_create(u64 uname, u64 flags)
{
	char name[NAME_MAX_LEN + 2] = MEMFD_PREFIX;
	struct file *f;
	ssize_t n;
	int fd, err;

	if ((u32)flags & ~(u32)(MFD_CLOEXEC | MFD_ALLOW_SEALING))
		return -EINVAL;
	n = strncpy_from_user(name + sizeof(MEMFD_PREFIX) - 1, uname, MEMFD_NAME_MAX + 1);
	if (n < 0)
		return n == -ENAMETOOLONG ? -EINVAL : n;
	err = fd_reserve(0, proc_rlimit(RLIMIT_NOFILE), flags & MFD_CLOEXEC, &fd);
	if (err)
		return err;
	err = tmpfs_make_unlinked(name, 0, &f);
	if (err) {
		fd_unreserve(fd);
		return err;
	}
	f->flags |= O_LARGEFILE;
	tmpfs_allow_seals(f->inode, flags & MFD_ALLOW_SEALING);
	fd_install(fd, f);
	return fd;
}
