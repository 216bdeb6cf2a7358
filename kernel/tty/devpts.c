/*
 * devpts: the directory of pty slaves, /dev/pts. Each mount is an instance with numbers of its own.
 *
 * The instance (struct devpts) is shared by its superblock and the ptys made in it. It holds a
 * list of the ptys whose master is open, each with the inode of its name, and a bitmap of the
 * numbers in use; a number stays in use until the slave's last user has gone. Names are not kept
 * in the name cache's charge: revalidate() asks the list again, so a name disappears with its
 * master.
 *
 * d->lock (rank LEAF_MUTEX) guards list and bitmap. Options: uid=, gid=, mode=, ptmxmode=, max=.
 * mount(8), pts(4).
 */
#include <linux/magic.h>
#include <linux/major.h>
#include <linux/mount.h>
#include "fs/procfs.h"
#include "kernel/base/errno.h"
#include "kernel/base/time.h"
#include "kernel/lib/bitmap.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/sbuf.h"
#include "kernel/lib/string.h"
#include "kernel/tty/pty.h"
#include "mm/slab.h"

#define INO_ROOT 1
#define INO_PTMX 2
#define INO_FIRST 3 /* of pty 0 */

struct devpts {
	refcount_t refs; /* a */
	struct mutex lock; /* rank LEAF_MUTEX */
	struct super *sb; /* I: alive as long as something in it can be opened */
	struct list ptys; /* d */
	u64 used[PTY_MAX / 64]; /* d */
	u32 count; /* d */
	u32 max; /* d */
	bool set_uid, set_gid; /* d */
	u32 uid, gid, mode, ptmx_mode; /* d */
	struct inode *ptmx; /* I: reference */
};

#define LIMIT_MAX (1 << 20) /* of the numbers that can be asked for */

static int pty_limit = PTY_MAX; /* a */
static int pty_reserve = 1024; /* a: kept from other mount namespaces, of which there are none */
static atomic_t pty_total; /* a */
SYSCTL_INT(pty_max, "sys/kernel/pty/max", &pty_limit, 0, LIMIT_MAX);
SYSCTL_INT(pty_reserve, "sys/kernel/pty/reserve", &pty_reserve, 0, LIMIT_MAX);

static int show_total(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%u\n", atomic_read(&pty_total));
	return 0;
}
PROC_FILE(pty_nr, "sys/kernel/pty/nr", 0444, .show = show_total);

static struct devpts *of_super(const struct super *sb)
{
	return sb->priv;
}

/* ctx: thread; sleeps: no. */
void devpts_put(struct devpts *d)
{
	if (ref_put(&d->refs))
		kfree(d);
}

static struct pty *find_locked(struct devpts *d, u32 index)
{
	struct pty *p;

	list_for_each(p, &d->ptys, link) {
		if (p->index == index)
			return p;
	}
	return NULL;
}

/* Pty @index with a reference on its slave; NULL: none with an open master. */
static struct pty *lookup(struct devpts *d, u32 index)
{
	struct pty *p;

	mutex_lock(&d->lock);
	p = find_locked(d, index);
	if (p)
		tty_get(&p->slave);
	mutex_unlock(&d->lock);
	return p;
}

static int slave_open(struct inode *i, struct file *f)
{
	struct pty *p = lookup(of_super(i->sb), (u32)(i->ino - INO_FIRST));
	int err;

	if (!p)
		return -EIO;
	err = pty_open_slave(p, f);
	tty_put(&p->slave);
	return err;
}

static const struct file_ops slave_open_ops = { .open = slave_open };

static struct inode *make_inode(struct super *sb, u64 ino, u32 mode, u64 rdev,
				const struct file_ops *fops)
{
	struct inode *i = kzalloc(sizeof(*i), 0);

	if (!i)
		return NULL;
	inode_init(i, sb, ino, mode);
	i->rdev = rdev;
	i->fops = fops;
	return i;
}

static void owner_by_options(struct inode *i, const struct devpts *d)
{
	if (d->set_uid)
		i->uid = d->uid;
	if (d->set_gid)
		i->gid = d->gid;
}

/* A free number below the limits, marked as used; holds: d->lock. -ENOSPC */
static int take_index(struct devpts *d, u32 *out)
{
	u32 max = MIN(d->max, (u32)PTY_MAX);

	/* The limit itself is not reached, as on Linux. */
	if ((s32)atomic_read(&pty_total) + 1 >= READ_ONCE(pty_limit))
		return -ENOSPC;
	for (u32 i = 0; i < max; i++) {
		if (d->used[i / 64] >> (i % 64) & 1)
			continue;
		d->used[i / 64] |= 1ull << (i % 64);
		atomic_inc(&pty_total);
		*out = i;
		return 0;
	}
	return -ENOSPC;
}

/* The last user of pty @index is gone. ctx: thread; sleeps */
void devpts_free_index(struct devpts *d, u32 index)
{
	mutex_lock(&d->lock);
	d->used[index / 64] &= ~(1ull << (index % 64));
	mutex_unlock(&d->lock);
	atomic_dec(&pty_total);
}

/*
 * A new pty with its name in @d; the caller gets the master's reference.
 * ctx: thread; sleeps: yes. 0, -ENOSPC, -ENOMEM.
 */
int devpts_new(struct devpts *d, struct pty **out)
{
	struct pty *p;
	u32 index;
	int err;

	mutex_lock(&d->lock);
	err = take_index(d, &index);
	mutex_unlock(&d->lock);
	if (err)
		return err;
	err = pty_create(d, index, &p);
	if (err) {
		devpts_free_index(d, index);
		return err;
	}
	ref_get(&d->refs); /* the pty's: given back by its free */
	p->inode = make_inode(d->sb, INO_FIRST + index, S_IFCHR | d->mode,
			      dev_make(UNIX98_PTY_SLAVE_MAJOR, index), &slave_open_ops);
	if (!p->inode) {
		tty_put(&p->slave);
		return -ENOMEM;
	}
	owner_by_options(p->inode, d);
	mutex_lock(&d->lock);
	list_add_tail(&d->ptys, &p->link);
	mutex_unlock(&d->lock);
	*out = p;
	return 0;
}

/* The master of @p closes: its name goes. ctx: thread; sleeps */
void devpts_remove(struct pty *p)
{
	struct inode *i;

	mutex_lock(&p->dir->lock);
	list_del(&p->link);
	i = p->inode;
	p->inode = NULL;
	mutex_unlock(&p->dir->lock);
	WRITE_ONCE(i->nlink, 0);
	inode_put(i);
}

/* A name that is a pty's number, without leading zeros. */
static bool parse_index(const struct qname *n, u32 *index)
{
	u32 v = 0;

	if (n->len == 0 || n->len > 6 || (n->name[0] == '0' && n->len > 1))
		return false;
	for (u32 i = 0; i < n->len; i++) {
		if (!char_is_digit(n->name[i]))
			return false;
		v = v * 10 + (u32)(n->name[i] - '0');
	}
	*index = v;
	return true;
}

static int root_lookup(struct inode *dir, const struct qname *n, struct inode **out)
{
	struct devpts *d = of_super(dir->sb);
	struct inode *found = NULL;
	struct pty *p;
	u32 index;

	if (n->len == 4 && memcmp(n->name, "ptmx", 4) == 0) {
		found = d->ptmx;
		inode_get(found);
	} else if (parse_index(n, &index)) {
		mutex_lock(&d->lock);
		p = find_locked(d, index);
		if (p) {
			found = p->inode;
			inode_get(found);
		}
		mutex_unlock(&d->lock);
	}
	if (!found)
		return -ENOENT;
	*out = found;
	return 0;
}

static bool root_revalidate(struct inode *dir, struct dentry *dentry)
{
	struct devpts *d = of_super(dir->sb);
	struct inode *i = READ_ONCE(dentry->inode);
	struct pty *p;
	bool same;

	if (!i || i == d->ptmx)
		return i != NULL;
	mutex_lock(&d->lock);
	p = find_locked(d, (u32)(i->ino - INO_FIRST));
	same = p && p->inode == i;
	mutex_unlock(&d->lock);
	return same;
}

static const struct inode_ops root_inode_ops = { .lookup = root_lookup,
						 .revalidate = root_revalidate };

/* Lowest number >= @from with a name; false: none. */
static bool next_index(struct devpts *d, u32 from, u32 *out)
{
	struct pty *p;
	u32 best = PTY_MAX;

	mutex_lock(&d->lock);
	list_for_each(p, &d->ptys, link) {
		if (p->index >= from && p->index < best)
			best = p->index;
	}
	mutex_unlock(&d->lock);
	*out = best;
	return best < PTY_MAX;
}

/* Positions: 0 ".", 1 "..", 2 ptmx, 3 + N pty N. */
static int root_readdir(struct file *f, struct dir_ctx *c)
{
	struct devpts *d = of_super(f->inode->sb);
	char name[12];
	u32 index;

	if (c->pos == 0 && !c->emit(c, ".", 1, INO_ROOT, 4, 1))
		return 0;
	if (c->pos <= 1 && !c->emit(c, "..", 2, INO_ROOT, 4, 2))
		return 0;
	if (c->pos <= 2 && !c->emit(c, "ptmx", 4, INO_PTMX, 2, INO_FIRST))
		return 0;
	c->pos = MAX(c->pos, (u64)INO_FIRST);
	while (c->pos < INO_FIRST + PTY_MAX && next_index(d, (u32)(c->pos - INO_FIRST), &index)) {
		u32 len = (u32)scnprintf(name, sizeof(name), "%u", index);

		if (!c->emit(c, name, len, INO_FIRST + index, 2, INO_FIRST + index + 1))
			return 0;
		c->pos = INO_FIRST + index + 1;
	}
	return 0;
}

static const struct file_ops root_file_ops = { .readdir = root_readdir };

/*
 * One "name=number" option; other words are accepted and ignored, as Linux does with newinstance.
 */
static int parse_option(struct devpts *d, const char *s, size_t len)
{
	static const struct {
		const char *name;
		u32 base;
	} known[] = {
		{ "uid=", 10 }, { "gid=", 10 }, { "mode=", 8 }, { "ptmxmode=", 8 }, { "max=", 10 }
	};
	const char *end;
	u64 v;

	for (u32 k = 0; k < ARRAY_SIZE(known); k++) {
		size_t n = strlen(known[k].name);

		if (len < n || memcmp(s, known[k].name, n) != 0)
			continue;
		if (str_to_u64(s + n, &end, known[k].base, &v) || end != s + len || v > 0xffffffffu)
			return -EINVAL;
		if (k == 4 && v > LIMIT_MAX)
			return -EINVAL;
		d->set_uid |= k == 0;
		d->set_gid |= k == 1;
		*(u32 *[]){ &d->uid, &d->gid, &d->mode, &d->ptmx_mode, &d->max }[k] =
			k == 2 || k == 3 ? (u32)v & 07777 : (u32)v;
		return 0;
	}
	return len == 0 || (len == 11 && memcmp(s, "newinstance", 11) == 0) ? 0 : -EINVAL;
}

static int parse_options(struct devpts *d, const char *data)
{
	int err = 0;

	while (data && *data && !err) {
		size_t n = strcspn(data, ",");

		err = parse_option(d, data, n);
		data += n + (data[n] == ',');
	}
	return err;
}

static int super_statfs(struct super *sb, struct kstatfs *st)
{
	memset(st, 0, sizeof(*st));
	st->type = DEVPTS_SUPER_MAGIC;
	st->bsize = st->frsize = PAGE_SIZE;
	st->namelen = NAME_MAX_LEN;
	return 0;
}

static int super_remount(struct super *sb, u32 flags, const char *data)
{
	struct devpts *d = of_super(sb);
	int err;

	mutex_lock(&d->lock);
	err = parse_options(d, data);
	d->ptmx->mode = S_IFCHR | d->ptmx_mode;
	mutex_unlock(&d->lock);
	return err;
}

static void super_put_devpts(struct super *sb)
{
	struct devpts *d = of_super(sb);

	inode_put(d->ptmx);
	devpts_put(d);
}

static void super_show_options(struct super *sb, struct sbuf *out)
{
	struct devpts *d = of_super(sb);

	if (d->set_uid)
		sbuf_printf(out, ",uid=%u", d->uid);
	if (d->set_gid)
		sbuf_printf(out, ",gid=%u", d->gid);
	sbuf_printf(out, ",mode=%03o,ptmxmode=%03o", d->mode, d->ptmx_mode);
	if (d->max < LIMIT_MAX)
		sbuf_printf(out, ",max=%u", d->max);
}

static const struct super_ops devpts_super_ops = {
	.statfs = super_statfs,
	.remount = super_remount,
	.put_super = super_put_devpts,
	.show_options = super_show_options,
};

static struct devpts *instance_alloc(const char *data)
{
	struct devpts *d = kzalloc(sizeof(*d), 0);

	if (!d)
		return NULL;
	ref_init(&d->refs, 1);
	mutex_init(&d->lock, RANK_LEAF_MUTEX);
	list_init(&d->ptys);
	d->mode = 0600;
	d->max = LIMIT_MAX;
	return d;
}

static int devpts_mount(const struct fs_type *t, const char *source, u32 flags, const char *data,
			struct super **out)
{
	struct devpts *d = instance_alloc(data);
	struct inode *root;
	struct super *sb;
	int err = -ENOMEM;

	if (!d)
		return -ENOMEM;
	err = parse_options(d, data);
	if (err)
		goto free_instance;
	err = -ENOMEM;
	sb = super_alloc(t, DEVPTS_SUPER_MAGIC, &devpts_super_ops);
	if (!sb)
		goto free_instance;
	sb->blksize = 1024;
	sb->priv = d;
	d->sb = sb;
	vfs_register_super(sb);
	d->ptmx = make_inode(sb, INO_PTMX, S_IFCHR | d->ptmx_mode, dev_make(TTYAUX_MAJOR, 2),
			     &pty_ptmx_ops);
	if (!d->ptmx)
		goto free_super;
	root = make_inode(sb, INO_ROOT, S_IFDIR | 0755, 0, &root_file_ops);
	if (!root)
		goto put_ptmx;
	root->ops = &root_inode_ops;
	root->nlink = 2;
	sb->root = dentry_make_root(root, sb);
	if (!sb->root)
		goto put_ptmx;
	*out = sb;
	return 0;
put_ptmx:
	inode_put(d->ptmx);
free_super:
	kfree(sb);
free_instance:
	devpts_put(d);
	return err;
}

FS_TYPE(devpts, .flags = FS_NODEV, .mount = devpts_mount);

/*
 * Where opening the ptmx at @p makes its pty: the devpts it lies in, or the one mounted on "pts"
 * beside it.
 * ctx: thread; sleeps: yes. 0 with references on both results; -ENODEV.
 */
int devpts_of_ptmx(const struct path *p, struct devpts **out, struct path *root)
{
	struct path beside = { .mnt = p->mnt, .dentry = p->dentry->parent };
	int err;

	if (p->dentry->sb->type == &fs_type_devpts) {
		root->mnt = p->mnt;
		root->dentry = p->dentry->sb->root;
		path_get(root);
	} else {
		err = path_lookup(&beside, "pts", LOOKUP_FOLLOW | LOOKUP_DIRECTORY, root);
		if (err)
			return err;
		if (root->dentry->sb->type != &fs_type_devpts) {
			path_put(root);
			return -ENODEV;
		}
	}
	*out = of_super(root->dentry->sb);
	ref_get(&(*out)->refs);
	return 0;
}
