/*
 * Mounting in steps: fsopen, fsconfig, fsmount, fspick, open_tree, move_mount, mount_setattr.
 *
 * A file system is asked for as a context (fsopen; fspick for one that is mounted), told its
 * options one by one (fsconfig), made by a last fsconfig, and turned into a mount that hangs
 * nowhere (fsmount). Such loose mounts, also copies of others (open_tree with OPEN_TREE_CLONE), are
 * descriptors: move_mount hangs them, and they end with the last descriptor when nobody does.
 * mount_setattr changes flags and propagation of a mount or a tree of them.
 *
 * Arguments are copied and checked here, in Linux's order; the contexts are fs/fscontext.c's, the
 * mounts fs/mount_fd.c's. What a context has to say of a failure is read from its descriptor.
 *
 * fsopen(2), fsconfig(2), fsmount(2), fspick(2), open_tree(2), move_mount(2), mount_setattr(2).
 */
#include <linux/mount.h>
#include "fs/landlock.h"
#include "fs/mount_fd.h"
#include "fs/namei.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/path.h"
#include "mm/slab.h"

#define OPTION_MAX 256 /* of a name or a text, with NUL */
#define BINARY_MAX (1 << 20)

static int option_string(u64 ustr, char **out)
{
	int err = sys_string_dup(ustr, OPTION_MAX, out);

	return err == -ENAMETOOLONG ? -EINVAL : err;
}

/* ctx: thread; sleeps */
long sys_fsopen(u64 uname, u64 flags)
{
	struct file *f;
	char *name;
	int err;

	if (!sys_capable(CAP_SYS_ADMIN))
		return -EPERM;
	if ((u32)flags & ~(u32)FSOPEN_CLOEXEC)
		return -EINVAL;
	err = sys_string_dup(uname, PAGE_SIZE, &name);
	if (err)
		return err == -ENAMETOOLONG ? -EINVAL : err;
	err = fscontext_open(name, &f);
	kfree(name);
	return err ? err : proc_fd_open(f, flags & FSOPEN_CLOEXEC);
}

/* ctx: thread; sleeps */
long sys_fspick(u64 dfd, u64 uname, u64 flags)
{
	struct path p;
	struct file *f;
	int err;

	if (!sys_capable(CAP_SYS_ADMIN))
		return -EPERM;
	if ((u32)flags & ~(u32)(FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT |
				FSPICK_EMPTY_PATH))
		return -EINVAL;
	err = sys_path_lookup((int)dfd, uname, flags & FSPICK_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW,
			      flags & FSPICK_EMPTY_PATH ? AT_EMPTY_PATH : 0, &p);
	if (err)
		return err;
	err = fscontext_pick(&p, &f);
	path_put(&p);
	return err ? err : proc_fd_open(f, flags & FSPICK_CLOEXEC);
}

/* Which arguments go with which command. */
static int check_config(u32 cmd, u64 ukey, u64 uvalue, int aux)
{
	bool ok;

	switch (cmd) {
	case FSCONFIG_SET_FLAG: ok = ukey && !uvalue && !aux; break;
	case FSCONFIG_SET_STRING: ok = ukey && uvalue && !aux; break;
	case FSCONFIG_SET_BINARY: ok = ukey && uvalue && aux > 0 && aux <= BINARY_MAX; break;
	case FSCONFIG_SET_PATH:
	case FSCONFIG_SET_PATH_EMPTY: ok = ukey && uvalue && (aux == AT_FDCWD || aux >= 0); break;
	case FSCONFIG_SET_FD: ok = ukey && !uvalue && aux >= 0; break;
	case FSCONFIG_CMD_CREATE:
	case FSCONFIG_CMD_RECONFIGURE: ok = !ukey && !uvalue && !aux; break;
	default: return -EOPNOTSUPP;
	}
	return ok ? 0 : -EINVAL;
}

/* Is there the file that an option names, by its descriptor or by a path? 0 or -errno. */
static int check_object(u32 cmd, u64 uvalue, int fd)
{
	struct fdref r;
	char *name;
	int err;

	if (cmd == FSCONFIG_SET_BINARY)
		return 0;
	if (cmd == FSCONFIG_SET_FD) {
		err = fd_borrow(fd, &r);
		if (!err)
			fd_release(&r);
		return err;
	}
	err = sys_string_dup(uvalue, PATH_MAX, &name);
	if (err)
		return err;
	err = cmd == FSCONFIG_SET_PATH && !*name ? -ENOENT : 0;
	kfree(name);
	return err;
}

static long config_object(struct file *f, u32 cmd, u64 ukey, u64 uvalue, int aux)
{
	char *key;
	int err = option_string(ukey, &key);

	if (err)
		return err;
	err = check_object(cmd, uvalue, aux);
	if (!err)
		err = fscontext_set_object(f, key);
	kfree(key);
	return err;
}

static long config_set(struct file *f, u64 ukey, u64 uvalue)
{
	char *key, *value = NULL;
	int err = option_string(ukey, &key);

	if (err)
		return err;
	if (uvalue)
		err = option_string(uvalue, &value);
	if (!err)
		err = fscontext_set(f, key, value);
	kfree(value);
	kfree(key);
	return err;
}

static long do_config(struct file *f, u32 cmd, u64 ukey, u64 uvalue, int aux)
{
	if (!file_is_fscontext(f))
		return -EINVAL;
	switch (cmd) {
	case FSCONFIG_SET_FLAG:
	case FSCONFIG_SET_STRING: return config_set(f, ukey, uvalue);
	case FSCONFIG_CMD_CREATE: return sys_capable(CAP_SYS_ADMIN) ? fscontext_create(f) : -EPERM;
	case FSCONFIG_CMD_RECONFIGURE:
		return sys_capable(CAP_SYS_ADMIN) ? fscontext_reconfigure(f) : -EPERM;
	}
	return config_object(f, cmd, ukey, uvalue, aux);
}

/* ctx: thread; sleeps */
long sys_fsconfig(u64 fd, u64 cmd, u64 ukey, u64 uvalue, u64 aux)
{
	struct fdref r;
	long ret;

	if ((int)fd < 0)
		return -EINVAL;
	ret = check_config((u32)cmd, ukey, uvalue, (int)aux);
	if (!ret)
		ret = fd_borrow((int)fd, &r);
	if (ret)
		return ret;
	ret = do_config(r.file, (u32)cmd, ukey, uvalue, (int)aux);
	fd_release(&r);
	return ret;
}

#define ATTR_KNOWN                                                                      \
	(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | \
	 MOUNT_ATTR__ATIME | MOUNT_ATTR_NODIRATIME | MOUNT_ATTR_NOSYMFOLLOW)

/* MOUNT_ATTR_* but for the atime mode, as MS_*. */
static u32 ms_of(u64 attr)
{
	static const u32 pairs[][2] = {
		{ MOUNT_ATTR_RDONLY, MS_RDONLY },
		{ MOUNT_ATTR_NOSUID, MS_NOSUID },
		{ MOUNT_ATTR_NODEV, MS_NODEV },
		{ MOUNT_ATTR_NOEXEC, MS_NOEXEC },
		{ MOUNT_ATTR_NODIRATIME, MS_NODIRATIME },
		{ MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW },
	};
	u32 ms = 0;

	for (u32 k = 0; k < ARRAY_SIZE(pairs); k++)
		if (attr & pairs[k][0])
			ms |= pairs[k][1];
	return ms;
}

/* The atime mode, one of three. 0 or -EINVAL. */
static int atime_of(u64 attr, u32 *ms)
{
	switch (attr & MOUNT_ATTR__ATIME) {
	case MOUNT_ATTR_RELATIME: *ms |= MS_RELATIME; return 0;
	case MOUNT_ATTR_NOATIME: *ms |= MS_NOATIME; return 0;
	case MOUNT_ATTR_STRICTATIME: return 0;
	}
	return -EINVAL;
}

/* ctx: thread; sleeps */
long sys_fsmount(u64 fd, u64 flags, u64 attr)
{
	u32 ms = ms_of((u32)attr);
	struct fdref r;
	struct file *f;
	long ret;

	if (!sys_capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (((u32)flags & ~(u32)FSMOUNT_CLOEXEC) || ((u32)attr & ~(u32)ATTR_KNOWN))
		return -EINVAL;
	ret = atime_of((u32)attr, &ms);
	if (!ret)
		ret = fd_borrow((int)fd, &r);
	if (ret)
		return ret;
	ret = file_is_fscontext(r.file) ? fscontext_mount(r.file, ms, &f) : -EINVAL;
	fd_release(&r);
	return ret ? ret : proc_fd_open(f, flags & FSMOUNT_CLOEXEC);
}

/* ctx: thread; sleeps */
long sys_open_tree(u64 dfd, u64 uname, u64 flags)
{
	const u32 known = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW |
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	struct path p;
	struct file *f;
	int err;

	if (((u32)flags & ~known) || (flags & (AT_RECURSIVE | OPEN_TREE_CLONE)) == AT_RECURSIVE)
		return -EINVAL;
	if ((flags & OPEN_TREE_CLONE) && !sys_capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = sys_path_lookup((int)dfd, uname, flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW,
			      (u32)flags & AT_EMPTY_PATH, &p);
	if (err)
		return err;
	err = flags & OPEN_TREE_CLONE ? mount_open_copy(&p, flags & AT_RECURSIVE, &f)
				      : file_open_path(&p, O_PATH, &f);
	path_put(&p);
	return err ? err : proc_fd_open(f, flags & OPEN_TREE_CLOEXEC);
}

static long move_mount(const struct path *from, const struct path *to)
{
	return from->mnt->loose ? mount_hang_loose(from, to) : vfs_move_mount(from, to);
}

/* ctx: thread; sleeps */
long sys_move_mount(u64 fdfd, u64 ufrom, u64 tdfd, u64 uto, u64 flags)
{
	struct path from, to;
	long err;

	if (!sys_capable(CAP_SYS_ADMIN))
		return -EPERM;
	if ((u32)flags & ~(u32)MOVE_MOUNT__MASK)
		return -EINVAL;
	err = sys_path_lookup((int)fdfd, ufrom, flags & MOVE_MOUNT_F_SYMLINKS ? LOOKUP_FOLLOW : 0,
			      flags & MOVE_MOUNT_F_EMPTY_PATH ? AT_EMPTY_PATH : 0, &from);
	if (err)
		return err;
	err = sys_path_lookup((int)tdfd, uto, flags & MOVE_MOUNT_T_SYMLINKS ? LOOKUP_FOLLOW : 0,
			      flags & MOVE_MOUNT_T_EMPTY_PATH ? AT_EMPTY_PATH : 0, &to);
	if (!err) {
		if (landlock_is_bound())
			err = -EPERM;
		else
			err = flags & MOVE_MOUNT_SET_GROUP ? mount_set_group(&from, &to)
							   : move_mount(&from, &to);
		path_put(&to);
	}
	path_put(&from);
	return err;
}

/* struct mount_attr as a change. 0 or -EINVAL. */
static int change_of(const struct mount_attr *a, struct mount_change *c)
{
	const u64 kinds = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

	if ((a->propagation & ~kinds) || (a->propagation & (a->propagation - 1)))
		return -EINVAL;
	if ((a->attr_set | a->attr_clr) & ~(u64)ATTR_KNOWN) /* ids are not mapped here */
		return -EINVAL;
	c->set = ms_of(a->attr_set);
	c->clear = ms_of(a->attr_clr);
	c->propagation = (u32)a->propagation;
	if (!(a->attr_clr & MOUNT_ATTR__ATIME))
		return a->attr_set & MOUNT_ATTR__ATIME ? -EINVAL : 0;
	/* The mode is one field: it is cleared whole and set anew. */
	if ((a->attr_clr & MOUNT_ATTR__ATIME) != MOUNT_ATTR__ATIME)
		return -EINVAL;
	c->clear |= MS_RELATIME | MS_NOATIME;
	return atime_of(a->attr_set, &c->set);
}

/* ctx: thread; sleeps */
long sys_mount_setattr(u64 dfd, u64 uname, u64 flags, u64 uattr, u64 size)
{
	struct mount_change c = { .recursive = flags & AT_RECURSIVE };
	struct mount_attr a;
	struct path p;
	long err;

	if ((u32)flags &
	    ~(u32)(AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT))
		return -EINVAL;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < MOUNT_ATTR_SIZE_VER0)
		return -EINVAL;
	if (!sys_capable(CAP_SYS_ADMIN))
		return -EPERM;
	err = sys_copy_struct(&a, sizeof(a), uattr, size);
	if (err)
		return err;
	if (!a.attr_set && !a.attr_clr && !a.propagation)
		return 0;
	err = change_of(&a, &c);
	if (!err)
		err = sys_path_lookup((int)dfd, uname,
				      flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW,
				      (u32)flags & AT_EMPTY_PATH, &p);
	if (err)
		return err;
	err = mount_change_flags(&p, &c);
	path_put(&p);
	return err;
}
