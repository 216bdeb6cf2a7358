/*
 * procfs: the fixed part, which is a tree of made-up files (fs/pseudo.c) built at boot from the
 * tables PROC_FILE and SYSCTL_INT, and the root directory, which also answers for processes
 * (procfs_pid.c) and the links to oneself. What the tables have under net/ is a tree by itself:
 * each process and thread shows it as its directory net, and /proc/net is a link to one's own. Each
 * mount is a superblock of its own, with options of its own (procfs_options.c).
 *
 * man: proc(5).
 */
#include <linux/errno.h>
#include <linux/magic.h>
#include "fs/procfs.h"
#include "fs/procfs_internal.h"
#include "fs/pseudo.h"
#include "kernel/base/log.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

#define NET_INO 0x1000000u /* of /proc/PID/net; above those of the fixed tree */

static struct pseudo_tree procfs_tree, procfs_net;

/* See the header. ctx: thread. 0 */
int sysctl_row_show(struct sbuf *out, void *arg)
{
	const struct sysctl_row *r = arg;

	for (u32 i = 0; i < r->n; i++) {
		if (r->wide)
			sbuf_printf(out, "%llu", READ_ONCE(((unsigned long long *)r->values)[i]));
		else
			sbuf_printf(out, "%d", READ_ONCE(((int *)r->values)[i]));
		sbuf_putc(out, i + 1 < r->n ? '\t' : '\n');
	}
	return 0;
}

/* The next number of *text, which ends at @end, for @r. 0 or -EINVAL */
static int row_number(const struct sysctl_row *r, const char **text, const char *end, u64 *out)
{
	s64 v;

	if (**text == '+')
		return -EINVAL;
	if (r->wide) {
		if (str_to_u64(*text, text, 0, out) || *out > (u64)r->high)
			return -EINVAL;
	} else {
		if (str_to_s64(*text, text, 0, &v) || v < r->low || v > r->high)
			return -EINVAL;
		*out = (u64)v;
	}
	return *text == end || char_is_space(**text) ? 0 : -EINVAL;
}

/* See the header. ctx: thread. Bytes used, all unless more numbers follow, or -EINVAL */
ssize_t sysctl_row_write(const char *text, size_t n, void *arg)
{
	const struct sysctl_row *r = arg;
	const char *p = text;
	u32 i;
	u64 v;

	for (i = 0; i < r->n; i++) {
		while (char_is_space(*p))
			p++;
		if (p == text + n && i)
			break;
		if (row_number(r, &p, text + n, &v))
			return -EINVAL;
		if (r->wide)
			WRITE_ONCE(((u64 *)r->values)[i], v);
		else
			WRITE_ONCE(((int *)r->values)[i], (int)v);
	}
	while (char_is_space(*p))
		p++;
	return p - text;
}

/* A sysctl as text. ctx: thread. 0 */
int sysctl_int_show(struct sbuf *out, void *arg)
{
	const struct sysctl_int *s = arg;

	return sysctl_row_show(out, &(struct sysctl_row){ .values = s->value, .n = 1 });
}

/* One number with white space around it. ctx: thread. As sysctl_row_write */
ssize_t sysctl_int_write(const char *text, size_t n, void *arg)
{
	const struct sysctl_int *s = arg;
	struct sysctl_row r = { .values = s->value, .n = 1, .low = s->min, .high = s->max };

	return sysctl_row_write(text, n, &r);
}

/* The tree that @path, which loses the name of it, is in. */
static struct pseudo_tree *tree_of(const char **path)
{
	if (strncmp(*path, "net/", 4) != 0)
		return &procfs_tree;
	*path += 4;
	return &procfs_net;
}

/* See procfs.h. */
int procfs_add(const char *path, const struct pseudo_attr *a)
{
	struct pseudo_tree *t = tree_of(&path);

	return pseudo_add(t, path, a);
}

/* See procfs.h. */
void procfs_remove(const char *path)
{
	struct pseudo_tree *t = tree_of(&path);

	pseudo_remove(t, path);
}

static void add_or_log(const char *path, const struct pseudo_attr *a)
{
	int err = procfs_add(path, a);

	if (err)
		log_err("procfs: %s: error %d", path, err);
}

static void add_file(const struct proc_file *f)
{
	struct pseudo_attr a = {
		.mode = f->mode,
		.iflags = f->iflags,
		.show = f->show,
		.write = f->write,
		.arg = f->arg,
		.ops = f->ops,
	};

	add_or_log(f->path, &a);
}

static void add_sysctl(const struct sysctl_int *s)
{
	struct pseudo_attr a = {
		.mode = s->mode,
		.show = sysctl_int_show,
		.write = s->mode & 0222 ? sysctl_int_write : NULL,
		.arg = (void *)s,
	};

	add_or_log(s->path, &a);
}

static void add_link(const char *path, const char *target)
{
	struct pseudo_attr a = { .target = target };

	add_or_log(path, &a);
}

/* --- the root --- */

static int root_lookup(struct inode *dir, const struct qname *q, struct inode **out)
{
	int err = procfs_only_pids(dir->sb) ? -ENOENT : pseudo_lookup(dir, q, out);

	return err == -ENOENT ? procfs_pid_lookup_root(dir, q, out) : err;
}

static bool root_revalidate(struct inode *dir, struct dentry *d)
{
	return procfs_pid_is(d->inode)
		       ? procfs_pid_revalidate_root(dir, d)
		       : !procfs_only_pids(dir->sb) && pseudo_dir_ops.revalidate(dir, d);
}

static int root_readdir(struct file *f, struct dir_ctx *c)
{
	if (c->pos < PSEUDO_POS_END) {
		int err = procfs_only_pids(f->inode->sb) ? 0 : pseudo_readdir(f, c);

		/* A full buffer stops before the last fixed name; processes come only behind it. */
		if (err || (!procfs_only_pids(f->inode->sb) && pseudo_has_more(f, c->pos)))
			return err;
		c->pos = PSEUDO_POS_END;
	}
	return procfs_pid_readdir_root(f, c);
}

static const struct inode_ops root_ops = {
	.lookup = root_lookup,
	.revalidate = root_revalidate,
};
static const struct file_ops root_fops = { .readdir = root_readdir, .seek = sizeless_seek };

/* See the header. ctx: boot; sleeps. */
void procfs_init(void)
{
	static const struct pseudo_attr sys = { .mode = S_IFDIR | 0555, .iflags = INODE_BOUND };
	const struct proc_file *f;
	const struct sysctl_int *s;

	pseudo_init(&procfs_tree, 1, 0);
	pseudo_init(&procfs_net, NET_INO, INODE_UNCACHED | INODE_STRICT);
	add_or_log("sys", &sys);
	procfs_tree.root_ops = &root_ops;
	procfs_tree.root_fops = &root_fops;
	TABLE_FOREACH(proc_file, f)
		add_file(f);
	TABLE_FOREACH(sysctl, s)
		add_sysctl(s);
	add_link("mounts", "self/mounts");
	add_link("net", "self/net");
	add_link("device-tree", "/sys/firmware/devicetree/base");
	pseudo_add_dir(&procfs_tree, "fs");
	pseudo_add_dir(&procfs_tree, "bus");
	pseudo_add_dir(&procfs_tree, "driver");
	pseudo_add_dir(&procfs_tree, "irq");
	pseudo_add_dir(&procfs_tree, "tty");
	pseudo_add_dir(&procfs_tree, "sys/fs/binfmt_misc");
}

/* See the header. ctx: thread; sleeps. */
int procfs_net_dir(struct super *sb, struct inode **out)
{
	return pseudo_graft(&procfs_net, sb, out);
}

static int procfs_statfs(struct super *sb, struct kstatfs *st)
{
	st->bsize = PAGE_SIZE;
	return 0;
}

/* Processes' inodes and the fixed tree's live in one file system. */
static void procfs_evict(struct inode *i)
{
	if (procfs_pid_is(i))
		procfs_pid_evict(i);
	else
		pseudo_evict(i);
}

static const struct super_ops procfs_super_ops = {
	.evict = procfs_evict,
	.statfs = procfs_statfs,
	.remount = procfs_remount,
	.show_options = procfs_show_options,
};

static int procfs_mount(const struct fs_type *t, const char *source, u32 flags, const char *data,
			struct super **out)
{
	struct super *sb;
	int err = pseudo_mount(&procfs_tree, t, PROC_SUPER_MAGIC, &procfs_super_ops, &sb);

	if (err)
		return err;
	sb->no_new_names = true;
	sb->blksize = 1024;
	err = procfs_remount(sb, flags, data);
	if (err)
		super_put(sb);
	else
		*out = sb;
	return err;
}

FS_TYPE(proc, .flags = FS_NODEV, .mount = procfs_mount, .check_option = procfs_check_option);
