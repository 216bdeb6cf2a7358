/*
 * open(2): find or make the file, check what may be done with it, make an open file description.
 *
 * Without O_CREAT it is a lookup and the checks. With O_CREAT the walk stops in front of the last
 * component. A name that exists is opened as without O_CREAT (or -EEXIST with O_EXCL); a symlink
 * there is followed, dangling or not, and the walk stops again in front of the last component of
 * where it leads; a name that is missing is made under the directory's lock, looked up once more
 * first, since another thread may have made it.
 *
 * The order of the checks is Linux's: type, then permission, then the mount's and the file's own
 * flags. open(2), openat2(2), path_resolution(7).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include "fs/landlock.h"
#include "fs/namei.h"
#include "fs/notify.h"
#include "fs/procfs.h"
#include "kernel/lib/fmt.h"

#define OPEN_PATH_FLAGS (O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)
#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)

static int protected_regular, protected_fifos; /* a: off, until the system sets them */
SYSCTL_INT(protected_regular, "sys/fs/protected_regular", &protected_regular, 0, 2);
SYSCTL_INT(protected_fifos, "sys/fs/protected_fifos", &protected_fifos, 0, 2);

/* MAY_* that the open flags ask for; access mode 3 asks for both and gets neither (ioctl only). */
static u32 want_of(u32 oflags)
{
	static const u8 want[4] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE,
				    MAY_READ | MAY_WRITE };
	u32 w = want[oflags & O_ACCMODE];

	return oflags & O_TRUNC ? w | MAY_WRITE : w;
}

static int check_type(const struct path *p, const struct inode *i, u32 oflags, u32 want)
{
	switch (i->mode & S_IFMT) {
	case S_IFLNK: return -ELOOP;
	case S_IFDIR: return (want & MAY_WRITE) || (oflags & O_CREAT) ? -EISDIR : 0;
	case S_IFCHR:
	case S_IFBLK: return p->mnt->flags & MS_NODEV ? -EACCES : 0;
	case S_IFREG: return want & MAY_WRITE ? mount_may_write(p->mnt) : 0;
	}
	return 0;
}

/* The checks of open(2) on a file that exists. */
static int may_open(const struct path *p, u32 oflags)
{
	struct inode *i = dentry_inode(p->dentry);
	u32 want = want_of(oflags);
	int err = check_type(p, i, oflags, want);

	if (err)
		return err;
	err = inode_permission(i, want);
	if (err)
		return err;
	if ((i->flags & INODE_STRICT) && (want & ~(i->mode | i->mode >> 3 | i->mode >> 6)))
		return -EACCES;
	if ((i->flags & INODE_APPEND) && (((oflags & O_TRUNC) && S_ISREG(i->mode)) ||
					  ((want & MAY_WRITE) && !(oflags & O_APPEND))))
		return -EPERM;
	if ((oflags & O_NOATIME) && !inode_owner_or_capable(i))
		return -EPERM;
	return 0;
}

/*
 * proc(5), fs.protected_regular and fs.protected_fifos: in a sticky directory that others may write
 * to, O_CREAT does not open somebody else's file.
 */
static int may_create_in_sticky(const struct inode *dir, const struct inode *i)
{
	u32 mode = READ_ONCE(dir->mode);
	int level = S_ISFIFO(i->mode) ? protected_fifos : S_ISREG(i->mode) ? protected_regular : 0;

	if (!level || !(mode & S_ISVTX) || i->uid == dir->uid || i->uid == current->cred->fsuid)
		return 0;
	if ((mode & S_IWOTH) || (level >= 2 && (mode & S_IWGRP)))
		return -EACCES;
	return 0;
}

/* O_TRUNC on a regular file that was opened. */
static int truncate_opened(const struct path *p)
{
	struct inode *i = dentry_inode(p->dentry);
	struct iattr a = { .valid = ATTR_SIZE | ATTR_MTIME | ATTR_CTIME | ATTR_KILL_SUID };
	int err;

	if (!S_ISREG(i->mode))
		return 0;
	err = inode_get_write(i);
	if (err)
		return err;
	err = vfs_setattr_nocheck(p, &a);
	inode_put_write(i);
	return err;
}

/*
 * Open a file that was found: checks, open file, truncation.
 * ctx: thread; sleeps. Returns 0 with *out, or -errno.
 */
int file_open_checked(const struct path *p, u32 oflags, struct file **out)
{
	struct file *f;
	int err = 0;

	if (oflags & O_PATH)
		return file_open_path(p, oflags, out);
	err = may_open(p, oflags);
	if (err)
		return err;
	if (!S_ISREG(dentry_inode(p->dentry)->mode))
		oflags &= ~(u32)O_TRUNC;
	err = file_open_path(p, oflags & ~(u32)O_TRUNC, &f);
	if (err)
		return err;
	if (oflags & O_TRUNC) {
		err = truncate_opened(p);
		if (err) {
			file_put(f);
			return err;
		}
	}
	*out = f;
	return 0;
}

/* Open the plain result of a walk. */
static int open_found(struct walk *w, u32 oflags, struct file **out)
{
	struct path p;
	int err;

	walk_take(w, &p);
	err = file_open_checked(&p, oflags, out);
	path_put(&p);
	return err;
}

/* Make the negative @d in w->cur a regular file. holds: dir->lock for writing */
static int create_locked(struct walk *w, struct dentry *d, u32 mode)
{
	struct inode *dir = dentry_inode(w->cur.dentry), *i;
	int err = mount_may_write(w->cur.mnt);

	if (!err)
		err = landlock_check(&w->cur, LANDLOCK_ACCESS_FS_MAKE_REG);
	if (!err)
		err = dir_may_change(dir);
	if (!err && !dir->ops->create)
		err = -EACCES;
	if (!err)
		err = dir->ops->create(dir, d, inode_umask(dir, mode & 07777) | S_IFREG, 0, &i);
	if (!err) {
		dentry_instantiate(d, i);
		notify_entry(w->cur.dentry, &w->last, i, d, IN_CREATE);
	}
	return err;
}

/* The dentry of the last component, made if it is missing. */
static int find_or_create(struct walk *w, u32 mode, u32 oflags, struct dentry **out, bool *created)
{
	struct inode *dir = dentry_inode(w->cur.dentry);
	struct dentry *d;
	int err;

	*created = false;
	err = dentry_lookup(w->cur.dentry, &w->last, false, &d);
	if (err)
		return err;
	if (!dentry_inode(d)) {
		dentry_put(d);
		rwsem_write_lock(&dir->lock);
		err = dentry_lookup_locked(w->cur.dentry, &w->last, &d);
		if (!err && !dentry_inode(d)) {
			err = create_locked(w, d, mode);
			*created = !err;
			if (err)
				dentry_put(d);
		}
		rwsem_write_unlock(&dir->lock);
		if (err)
			return err;
	}
	if ((oflags & O_EXCL) && !*created) {
		dentry_put(d);
		return -EEXIST;
	}
	*out = d;
	return 0;
}

/* A file just made is opened whatever its mode says. */
static int open_created(struct walk *w, struct dentry *d, u32 oflags, struct file **out)
{
	struct path p;
	int err = walk_enter(w, d);

	if (err)
		return err;
	walk_take(w, &p);
	err = file_open_path(&p, oflags & ~(u32)O_TRUNC, out);
	path_put(&p);
	return err;
}

static int open_create(const struct path *at, const char *name, u32 oflags, u32 mode, u32 lookup,
		       struct file **out)
{
	struct walk w;
	struct inode *dir;
	struct dentry *d;
	bool created;
	int err = walk_begin(&w, at, name, (lookup & ~LOOKUP_EMPTY) | LOOKUP_PARENT);

	while (!err) {
		if (w.last_type != LAST_NORM) {
			err = walk_last_special(&w);
			if (!err && (oflags & O_EXCL))
				err = -EEXIST;
			if (!err)
				err = open_found(&w, oflags, out);
			break;
		}
		err = w.last_slash ? -EISDIR : find_or_create(&w, mode, oflags, &d, &created);
		if (err)
			break;
		if (created) {
			err = open_created(&w, d, oflags, out);
			break;
		}
		if (S_ISLNK(dentry_inode(d)->mode) && (lookup & LOOKUP_FOLLOW)) {
			err = walk_follow_last(&w, d);
			continue;
		}
		dir = dentry_inode(w.cur.dentry);
		err = may_create_in_sticky(dir, dentry_inode(d));
		if (err) {
			dentry_put(d);
			break;
		}
		err = walk_enter(&w, d);
		if (!err)
			err = open_found(&w, oflags, out);
		break;
	}
	walk_end(&w);
	return err;
}

/* O_TMPFILE: a file without a name in the file system of the directory @dirp. */
static int open_tmpfile(const struct path *dirp, u32 oflags, u32 mode, struct file **out)
{
	struct inode *dir = dentry_inode(dirp->dentry), *i;
	struct path p = { .mnt = dirp->mnt };
	struct qname q;
	char name[24];
	int err = mount_may_write(dirp->mnt);

	if (!err)
		err = inode_permission(dir, MAY_WRITE | MAY_EXEC);
	if (err)
		return err;
	if (!dir->ops->tmpfile)
		return -EOPNOTSUPP;
	err = dir->ops->tmpfile(dir, inode_umask(dir, mode & 07777) | S_IFREG, &i);
	if (err)
		return err;
	qname_set(&q, name,
		  (u32)scnprintf(name, sizeof(name), "#%llu", (unsigned long long)i->ino));
	err = dentry_alloc(dir->sb, dirp->dentry, &q, i, &p.dentry);
	if (err) {
		inode_put(i);
		return err;
	}
	err = file_open_path(&p, oflags & ~(u32)(O_TRUNC | O_CREAT | O_EXCL), out);
	/* O_EXCL: it may never be given a name. */
	if (!err && (oflags & O_EXCL))
		__atomic_or_fetch(&i->flags, INODE_NOLINK, __ATOMIC_RELAXED);
	dentry_put(p.dentry);
	return err;
}

/*
 * Do these flags contradict each other? open(2) asks before it reads the name. ctx: any. 0 or
 * -EINVAL.
 */
int vfs_open_check(u32 oflags)
{
	u32 both = O_CREAT | O_DIRECTORY;

	if (oflags & O_PATH)
		return 0;
	if (oflags & TMPFILE_BIT)
		return (oflags & (O_TMPFILE | O_CREAT)) == O_TMPFILE &&
				       (want_of(oflags & O_ACCMODE) & MAY_WRITE)
			       ? 0
			       : -EINVAL;
	return (oflags & both) == both ? -EINVAL : 0;
}

/* *oflags is normalised. */
static void adapt_flags(u32 *oflags, u32 *lookup)
{
	if (*oflags & O_PATH)
		*oflags &= OPEN_PATH_FLAGS;
	if (*oflags & O_DIRECTORY)
		*lookup |= LOOKUP_DIRECTORY;
	if ((*oflags & O_NOFOLLOW) || (*oflags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		*lookup &= ~LOOKUP_FOLLOW;
	else
		*lookup |= LOOKUP_FOLLOW;
}

/*
 * Open @name from @at (NULL: the current directory). @oflags O_*, @mode for a new file (the umask
 * is applied here), @lookup the LOOKUP_ restrictions of openat2.
 * ctx: thread; sleeps. Returns 0 and the open file in *out, or -errno as open(2) gives them.
 */
int vfs_open(const struct path *at, const char *name, u32 oflags, u32 mode, u32 lookup,
	     struct file **out)
{
	struct path p;
	int err;

	adapt_flags(&oflags, &lookup);
	if (oflags & O_CREAT) {
		err = open_create(at, name, oflags, mode, lookup, out);
		goto out;
	}
	err = path_lookup(at, name, lookup, &p);
	if (err)
		return err;
	if (oflags & TMPFILE_BIT)
		err = open_tmpfile(&p, oflags, mode, out);
	else
		err = file_open_checked(&p, oflags, out);
	path_put(&p);
out:
	if (!err)
		notify_file(*out, IN_OPEN);
	return err;
}
