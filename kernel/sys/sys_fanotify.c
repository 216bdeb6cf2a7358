/*
 * fanotify_init and fanotify_mark: the checks, in Linux's order; the rest is fs/fanotify.c.
 *
 * Without CAP_SYS_ADMIN an instance reports handles only, never descriptors or others' process
 * numbers, and marks inodes alone. Nobody ever listens to audit records (FAN_ENABLE_AUDIT), so none
 * are made.
 *
 * fanotify_init(2), fanotify_mark(2), fanotify(7).
 */
#include <linux/fanotify.h>
#include <linux/magic.h>
#include "fs/fanotify.h"
#include "fs/namei.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/path.h"

#define FIDS FAN_REPORT_DFID_NAME_TARGET
#define INIT_ADMIN                                                                       \
	(FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT | FAN_REPORT_TID | FAN_REPORT_PIDFD | \
	 FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS)
#define INIT_FLAGS (INIT_ADMIN | FIDS | FAN_CLOEXEC | FAN_NONBLOCK | FAN_ENABLE_AUDIT)
#define EVENT_F_FLAGS \
	(O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_CLOEXEC | O_LARGEFILE | O_NOATIME)

#define MARK_TYPES (FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM)
#define MARK_IGNORES (FAN_MARK_IGNORE | FAN_MARK_IGNORED_MASK)
#define MARK_COMMANDS (FAN_MARK_ADD | FAN_MARK_REMOVE | FAN_MARK_FLUSH)
#define MARK_FLAGS                                                                             \
	(MARK_TYPES | MARK_IGNORES | MARK_COMMANDS | FAN_MARK_DONT_FOLLOW | FAN_MARK_ONLYDIR | \
	 FAN_MARK_IGNORED_SURV_MODIFY | FAN_MARK_EVICTABLE)

#define PERMS (FAN_OPEN_PERM | FAN_ACCESS_PERM | FAN_OPEN_EXEC_PERM)
#define FD_EVENTS (FAN_ACCESS | FAN_MODIFY | FAN_CLOSE | FAN_OPEN | FAN_OPEN_EXEC | PERMS)
#define DIRENTS (FAN_MOVE | FAN_CREATE | FAN_DELETE | FAN_RENAME)
#define EVENT_FLAGS (FAN_EVENT_ON_CHILD | FAN_ONDIR)
#define MARK_MASK                                                                           \
	(FD_EVENTS | DIRENTS | EVENT_FLAGS | FAN_ATTRIB | FAN_MOVE_SELF | FAN_DELETE_SELF | \
	 FAN_FS_ERROR)

static int check_init(u32 flags, u32 event_flags)
{
	u32 fids = flags & FIDS;

	if (!sys_capable(CAP_SYS_ADMIN) && ((flags & INIT_ADMIN) || !fids))
		return -EPERM;
	if (flags & ~(u32)INIT_FLAGS)
		return -EINVAL;
	if ((flags & FAN_REPORT_PIDFD) && (flags & FAN_REPORT_TID))
		return -EINVAL;
	if ((event_flags & ~(u32)EVENT_F_FLAGS) || (event_flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	if (fids && (flags & (FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT)))
		return -EINVAL;
	if ((fids & FAN_REPORT_NAME) && !(fids & FAN_REPORT_DIR_FID))
		return -EINVAL;
	if ((fids & FAN_REPORT_TARGET_FID) &&
	    (!(fids & FAN_REPORT_NAME) || !(fids & FAN_REPORT_FID)))
		return -EINVAL;
	/* The two classes are not bits to be joined. */
	if ((flags & FAN_CLASS_CONTENT) && (flags & FAN_CLASS_PRE_CONTENT))
		return -EINVAL;
	return (flags & FAN_ENABLE_AUDIT) && !sys_capable(CAP_AUDIT_WRITE) ? -EPERM : 0;
}

/* ctx: thread; sleeps */
long sys_fanotify_init(u64 flags, u64 event_flags)
{
	struct file *f;
	int fd, err = check_init((u32)flags, (u32)event_flags);

	if (!err)
		err = fanotify_create((u32)flags |
					      (sys_capable(CAP_SYS_ADMIN) ? 0 : FANOTIFY_UNPRIV),
				      (u32)event_flags | O_LARGEFILE, &f);
	if (err)
		return err;
	err = fd_reserve(0, proc_rlimit(RLIMIT_NOFILE), flags & FAN_CLOEXEC, &fd);
	if (err) {
		file_put(f);
		return err;
	}
	fd_install(fd, f);
	return fd;
}

/* What can be said without looking at any file. */
static int check_mark(u32 flags, u64 mask)
{
	u32 command = flags & MARK_COMMANDS;

	if (mask >> 32 || (flags & ~(u32)MARK_FLAGS) || (flags & MARK_TYPES) == MARK_TYPES)
		return -EINVAL;
	if (command != FAN_MARK_ADD && command != FAN_MARK_REMOVE && command != FAN_MARK_FLUSH)
		return -EINVAL;
	if (command == FAN_MARK_FLUSH ? flags & ~(u32)(MARK_TYPES | FAN_MARK_FLUSH) : !mask)
		return -EINVAL;
	if ((mask & ~(u64)MARK_MASK) || (flags & MARK_IGNORES) == MARK_IGNORES)
		return -EINVAL;
	return 0;
}

/* What the instance allows. */
static int check_group(u32 group, u32 flags, u32 mask)
{
	u32 type = flags & MARK_TYPES;

	if (type && ((group & FANOTIFY_UNPRIV) || !sys_capable(CAP_SYS_ADMIN)))
		return -EPERM;
	if ((mask & PERMS) && !(group & (FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT)))
		return -EINVAL;
	if ((mask & FAN_FS_ERROR) && type != FAN_MARK_FILESYSTEM)
		return -EINVAL;
	if ((flags & FAN_MARK_EVICTABLE) && type)
		return -EINVAL;
	if ((mask & ~(u32)(FD_EVENTS | EVENT_FLAGS)) && (!(group & FIDS) || type == FAN_MARK_MOUNT))
		return -EINVAL;
	return (mask & FAN_RENAME) && !(group & FAN_REPORT_NAME) ? -EINVAL : 0;
}

static int find_marked(int dfd, u64 uname, u32 flags, struct path *out)
{
	u32 lookup = flags & FAN_MARK_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW;
	struct file *f;
	int err;

	if (uname) {
		if (flags & FAN_MARK_ONLYDIR)
			lookup |= LOOKUP_DIRECTORY;
		err = sys_path_lookup(dfd, uname, lookup, 0, out);
	} else {
		err = fd_get(dfd, &f);
		if (err)
			return err;
		*out = f->path;
		if ((flags & FAN_MARK_ONLYDIR) && !S_ISDIR(f->inode->mode))
			err = -ENOTDIR;
		else
			path_get(out);
		file_put(f);
	}
	if (err)
		return err;
	err = inode_permission(dentry_inode(out->dentry), MAY_READ);
	if (err)
		path_put(out);
	return err;
}

/* What the file and its file system allow. */
static int check_marked(u32 group, const struct path *p, u32 flags, u32 mask)
{
	bool dir = S_ISDIR(dentry_inode(p->dentry)->mode), add = flags & FAN_MARK_ADD;
	bool strict =
		(group & FAN_REPORT_TARGET_FID) || (mask & FAN_RENAME) || (flags & FAN_MARK_IGNORE);
	u32 type = flags & MARK_TYPES;

	if (add && (mask & PERMS) && p->mnt->sb->magic == PROC_SUPER_MAGIC)
		return -EINVAL; /* reading it may take locks that the listener's reading takes */
	if (add && type && p->mnt->anon)
		return -EINVAL;
	if (add && strict && !type && !dir && (mask & (DIRENTS | EVENT_FLAGS)))
		return -ENOTDIR;
	if ((group & FIDS) && !p->mnt->sb->handles)
		return p->mnt->sb->type->flags & FS_NODEV ? -ENODEV : -EOPNOTSUPP;
	if (add && (flags & FAN_MARK_IGNORE) && (type || dir) &&
	    !(flags & FAN_MARK_IGNORED_SURV_MODIFY))
		return type ? -EINVAL : -EISDIR;
	return 0;
}

/* ADD and REMOVE. @f: the instance */
static long change_mark(struct file *f, u32 flags, u32 mask, int dfd, u64 uname)
{
	u32 group = fanotify_flags(f), kept = 0;
	struct path p;
	int err;

	if (flags & FAN_MARK_IGNORED_MASK) {
		mask &= ~(u32)EVENT_FLAGS;
		kept = EVENT_FLAGS;
	}
	err = find_marked(dfd, uname, flags, &p);
	if (err)
		return err;
	err = check_marked(group, &p, flags, mask);
	if (err)
		goto put;
	if ((flags & MARK_TYPES) || !S_ISDIR(dentry_inode(p.dentry)->mode)) {
		mask &= ~(u32)FAN_EVENT_ON_CHILD;
		kept = FAN_EVENT_ON_CHILD;
		/* Who wants the directory of a file is told by it of what happens to the file. */
		if ((group & FAN_REPORT_DIR_FID) && (flags & FAN_MARK_ADD) &&
		    !(flags & MARK_IGNORES))
			mask |= FAN_EVENT_ON_CHILD;
	}
	err = flags & FAN_MARK_ADD ? fanotify_mark_add(f, &p, flags, mask)
				   : fanotify_mark_remove(f, &p, flags, mask, kept);
put:
	path_put(&p);
	return err;
}

/* ctx: thread; sleeps */
long sys_fanotify_mark(u64 fd, u64 flags, u64 mask, u64 dfd, u64 uname)
{
	struct file *f;
	long err = check_mark((u32)flags, mask);
	u32 wanted = (u32)mask;

	if (err)
		return err;
	if (flags & FAN_MARK_IGNORED_MASK)
		wanted &= ~(u32)EVENT_FLAGS;
	err = fd_get((int)fd, &f);
	if (err)
		return err;
	err = file_is_fanotify(f) ? check_group(fanotify_flags(f), (u32)flags, wanted) : -EINVAL;
	if (!err && (flags & FAN_MARK_FLUSH))
		fanotify_mark_flush(f, (u32)flags);
	else if (!err)
		err = change_mark(f, (u32)flags, wanted, (int)dfd, uname);
	file_put(f);
	return err;
}
