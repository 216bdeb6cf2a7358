/*
 * /proc/PID/ns: the name spaces of a process, and setns(2).
 *
 * There is one name space of each kind, and everybody is in it. Each is a file of a nameless file
 * system, so that two processes can be compared by the inode numbers, which are those of Linux's
 * first name spaces; an open one can be given to setns(2), which has nothing to change then but,
 * for the mount name space, the caller's root and working directory.
 *
 * man: namespaces(7), setns(2), ioctl_ns(2).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <arch/user.h>
#include "fs/namei.h"
#include "kernel/base/panic.h"
#include "kernel/lib/string.h"
#include "kernel/proc/procfs_pid.h"

struct ns_kind {
	const char *name;
	u64 ino;
	u32 flag; /* CLONE_NEW* */
};

enum { NS_TIME, NS_CGROUP, NS_PID, NS_USER, NS_UTS, NS_IPC, NS_NET, NS_MNT, NS_COUNT };

static const struct ns_kind kinds[NS_COUNT] = {
	[NS_TIME] = { "time", 0xeffffffa, CLONE_NEWTIME },
	[NS_CGROUP] = { "cgroup", 0xeffffffb, CLONE_NEWCGROUP },
	[NS_PID] = { "pid", 0xeffffffc, CLONE_NEWPID },
	[NS_USER] = { "user", 0xeffffffd, CLONE_NEWUSER },
	[NS_UTS] = { "uts", 0xeffffffe, CLONE_NEWUTS },
	[NS_IPC] = { "ipc", 0xefffffff, CLONE_NEWIPC },
	[NS_NET] = { "net", 0xf0000000, CLONE_NEWNET },
	[NS_MNT] = { "mnt", 0xf0000001, CLONE_NEWNS },
};

/* The names in the directory. */
static const struct {
	const char *name;
	u8 kind;
} links[] = {
	{ "cgroup", NS_CGROUP }, { "ipc", NS_IPC },
	{ "mnt", NS_MNT },	 { "net", NS_NET },
	{ "pid", NS_PID },	 { "pid_for_children", NS_PID },
	{ "time", NS_TIME },	 { "time_for_children", NS_TIME },
	{ "user", NS_USER },	 { "uts", NS_UTS },
};

static struct path places[NS_COUNT]; /* I after boot */

/* --- the files --- */

static const struct ns_kind *kind_of(const struct file *f)
{
	return f->inode->priv;
}

/* The user name space that governs the one of @f, as a new descriptor. */
static long open_governor(const struct file *f)
{
	struct file *user;
	int err;

	/* The first has none above. */
	if (kind_of(f) == &kinds[NS_USER])
		return -EPERM;
	err = file_open_path(&places[NS_USER], O_RDONLY, &user);
	return err ? err : proc_fd_open(user, true);
}

static long ns_ioctl(struct file *f, u32 cmd, u64 arg)
{
	const struct ns_kind *k = kind_of(f);
	u32 root = 0;

	switch (cmd) {
	case NS_GET_USERNS: return open_governor(f);
	case NS_GET_PARENT: return k == &kinds[NS_USER] || k == &kinds[NS_PID] ? -EPERM : -EINVAL;
	case NS_GET_NSTYPE: return k->flag;
	case NS_GET_OWNER_UID:
		if (k != &kinds[NS_USER])
			return -EINVAL;
		return put_user(arg, root) ? -EFAULT : 0;
	default: return -ENOTTY;
	}
}

static s64 ns_seek(struct file *f, s64 off, int whence)
{
	return -ESPIPE;
}

static const struct file_ops ns_fops = { .ioctl = ns_ioctl, .seek = ns_seek };

/* --- /proc/PID/ns --- */

static int ns_find(void *h, const char *name, u32 len, u64 *key)
{
	for (u32 i = 0; i < ARRAY_SIZE(links); i++) {
		if (strlen(links[i].name) == len && !memcmp(links[i].name, name, len)) {
			*key = i;
			return 0;
		}
	}
	return -ENOENT;
}

static int ns_next(void *h, u64 from, u64 *key, char *name)
{
	if (from >= ARRAY_SIZE(links))
		return -ENOENT;
	*key = from;
	strlcpy(name, links[from].name, sizeof("time_for_children"));
	return 0;
}

static u32 ns_mode(void *h, u64 key)
{
	return S_IFLNK | 0777;
}

static int ns_link(void *h, u64 key, struct path *out)
{
	struct task *t;
	int err = handle_access(h, &t);

	if (err)
		return err == -ESRCH ? -ENOENT : err;
	task_put(t);
	*out = places[links[key].kind];
	path_get(out);
	return 0;
}

const struct procfs_dir_ops pid_ns_dir = {
	.find = ns_find,
	.next = ns_next,
	.mode = ns_mode,
	.link = ns_link,
};

/* --- setns --- */

/* Enter the one mount name space: at its root. */
static int enter_mounts(void)
{
	struct path root;

	if (!cred_capable(current->cred, CAP_SYS_CHROOT))
		return -EPERM;
	if (ref_read(&current->fs->refs) > 1)
		return -EINVAL;
	spin_lock(&fsctx_boot.lock);
	root = fsctx_boot.root;
	path_get(&root);
	spin_unlock(&fsctx_boot.lock);
	fsctx_set_root(&root);
	fsctx_set_cwd(&root);
	path_put(&root);
	return 0;
}

static int enter(u32 kind)
{
	/* One does not enter the user name space that one is in. */
	if (kind == NS_USER)
		return -EINVAL;
	if (kind == NS_TIME && READ_ONCE(current_proc()->ntasks) > 1)
		return -EUSERS;
	if (!cred_capable(current->cred, CAP_SYS_ADMIN))
		return -EPERM;
	return kind == NS_MNT ? enter_mounts() : 0;
}

/* By a process descriptor: all kinds in @type. Consumes @pid. */
static int enter_of_process(struct pid *pid, u32 type)
{
	bool alive;
	u32 known = 0;
	int err = 0;

	proc_tree_lock();
	alive = pid->proc != NULL;
	proc_tree_unlock();
	pid_put(pid);
	for (u32 i = 0; i < NS_COUNT; i++)
		known |= kinds[i].flag;
	if (!type || (type & ~known))
		return -EINVAL;
	if (!alive)
		return -ESRCH;
	for (u32 i = NS_COUNT; i-- > 0 && !err;) {
		if (type & kinds[i].flag)
			err = enter(i);
	}
	return err;
}

/*
 * setns(2): @fd is a name space or a process. ctx: thread; sleeps. 0, -EBADF, -EINVAL, -EPERM,
 * -EUSERS, -ESRCH.
 */
int proc_setns(int fd, u32 type)
{
	struct file *f;
	struct pid *pid;
	int err = fd_get(fd, &f);

	if (err)
		return err;
	if (f->inode->fops == &ns_fops) {
		const struct ns_kind *k = kind_of(f);

		err = type && type != k->flag ? -EINVAL : enter((u32)(k - kinds));
	} else {
		err = pidfd_get_pid(fd, &pid) ? -EINVAL : enter_of_process(pid, type);
	}
	file_put(f);
	return err;
}

/* See proc.h. */
struct path proc_net_ns(void)
{
	return places[NS_NET];
}

/* --- boot --- */

static const struct fs_type nsfs_type = { .name = "nsfs", .flags = FS_NODEV };
static const struct super_ops nsfs_ops = { .evict = NULL };

static int place_make(struct super *sb, struct mount *mnt, const struct ns_kind *k,
		      struct path *out)
{
	struct qname q = { k->name, (u32)strlen(k->name), 0 };
	struct inode *i = kzalloc(sizeof(*i), 0);

	if (!i)
		return -ENOMEM;
	inode_init(i, sb, k->ino, S_IFREG | 0444);
	i->flags = INODE_IMMUTABLE;
	i->fops = &ns_fops;
	i->priv = (void *)k;
	out->mnt = mnt;
	return dentry_alloc(sb, NULL, &q, i, &out->dentry);
}

/*
 * Boot: the name spaces. ctx: boot; sleeps.
 */
void procfs_ns_init(void)
{
	struct super *sb = super_alloc(&nsfs_type, NSFS_MAGIC, &nsfs_ops);
	struct inode *top = kzalloc(sizeof(*top), 0);
	struct mount *mnt;
	int err = -ENOMEM;

	if (!sb || !top)
		panic("no memory for name spaces");
	vfs_register_super(sb);
	inode_init(top, sb, 1, S_IFDIR | 0555);
	sb->root = dentry_make_root(top, sb);
	if (sb->root)
		err = mount_create_internal(sb, &mnt);
	for (u32 i = 0; i < NS_COUNT && !err; i++)
		err = place_make(sb, mnt, &kinds[i], &places[i]);
	if (err)
		panic("no memory for name spaces");
}
