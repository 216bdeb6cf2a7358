/*
 * The mqueue file system: the names of POSIX message queues. There is one instance, which mq_open
 * uses through a mount of its own and which can be mounted anywhere; so queues can be listed,
 * looked at, made and removed with the ordinary calls.
 *
 * A queue has one name (there are no hard links), so the name is part of it, and the directory is a
 * list, the newest first, guarded by the directory's inode lock. The list holds a reference to each
 * queue until it is unlinked. mq_overview(7).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include "fs/namei.h"
#include "fs/notify.h"
#include "fs/procfs.h"
#include "fs/textfile.h"
#include "kernel/ipc/mqueue.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

#define MQUEUE_FS_MAGIC 0x19800202 /* statfs(2) */
#define FILE_SIZE 80 /* what stat says of a queue, */
#define ENTRY_SIZE 20 /* and what each adds to the directory */
#define DT_REGULAR 8
#define POS_TOP (1ull << 62) /* cookies go down from here: the newest comes first */

/* d: guarded by the root's inode lock */
struct mqueue_dir {
	struct list queues; /* d: struct mqueue.link */
	u64 next_pos; /* d */
	u32 count; /* a: queues there are, also those without a name */
	u64 next_ino; /* a */
};

static int queues_max = 256;
SYSCTL_INT(mq_queues_max, "sys/fs/mqueue/queues_max", &queues_max, 0, 0x7fffffff);

static struct mutex mount_lock = MUTEX_INIT(mount_lock, RANK_MODULE);
static struct mount *own_mount; /* mount_lock; I once made */

static const struct inode_ops dir_inode_ops;
static const struct file_ops dir_file_ops;
static const struct inode_ops queue_inode_ops;

static struct mqueue *queue_of(struct inode *i)
{
	return container_of(i, struct mqueue, vfs);
}

static struct mqueue_dir *dir_of(const struct super *sb)
{
	return sb->priv;
}

/* --- the directory --- */

static struct mqueue *dir_find(const struct mqueue_dir *d, const char *name, u32 len)
{
	struct mqueue *q;

	list_for_each(q, &d->queues, link)
		if (q->name_len == len && !memcmp(q->name, name, len))
			return q;
	return NULL;
}

static int dir_lookup(struct inode *dir, const struct qname *n, struct inode **out)
{
	struct mqueue *q = dir_find(dir_of(dir->sb), n->name, n->len);

	if (!q)
		return -ENOENT;
	inode_get(&q->vfs);
	*out = &q->vfs;
	return 0;
}

/* One more queue, if there may be. */
static int dir_count(struct mqueue_dir *d)
{
	u32 n = __atomic_add_fetch(&d->count, 1, __ATOMIC_RELAXED);

	if (n <= (u32)READ_ONCE(queues_max) || cred_capable(current->cred, CAP_SYS_RESOURCE))
		return 0;
	__atomic_sub_fetch(&d->count, 1, __ATOMIC_RELAXED);
	return -ENOSPC;
}

/* A queue named as @name. holds: dir->lock for writing. *out has a reference of its own. */
static int dir_make(struct inode *dir, const struct dentry *name, u32 mode,
		    const struct mq_attr *attr, struct inode **out)
{
	struct mqueue_dir *d = dir_of(dir->sb);
	struct mqueue *q;
	int err = dir_count(d);

	if (err)
		return err;
	err = -ENOMEM;
	q = kzalloc(sizeof(*q), 0);
	if (!q)
		goto uncount;
	err = mqueue_init(q, attr);
	if (err)
		goto free;
	inode_init(&q->vfs, dir->sb, __atomic_add_fetch(&d->next_ino, 1, __ATOMIC_RELAXED), mode);
	q->vfs.size = FILE_SIZE;
	q->vfs.ops = &queue_inode_ops;
	q->vfs.fops = &mqueue_file_ops;
	q->name_len = name->name_len;
	memcpy(q->name, name->name, q->name_len);
	q->pos = d->next_pos--;
	list_add(&d->queues, &q->link);
	WRITE_ONCE(dir->size, dir->size + ENTRY_SIZE);
	inode_touch(dir, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	inode_get(&q->vfs);
	*out = &q->vfs;
	return 0;
free:
	kfree(q);
uncount:
	__atomic_sub_fetch(&d->count, 1, __ATOMIC_RELAXED);
	return err;
}

static int dir_create(struct inode *dir, struct dentry *d, u32 mode, u64 rdev, struct inode **out)
{
	return S_ISREG(mode) ? dir_make(dir, d, mode, NULL, out) : -EPERM;
}

static int dir_unlink(struct inode *dir, struct dentry *d)
{
	struct mqueue *q = dir_find(dir_of(dir->sb), d->name, d->name_len);

	if (!q)
		return -ENOENT;
	list_del(&q->link);
	WRITE_ONCE(dir->size, dir->size - ENTRY_SIZE);
	inode_touch(dir, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	inode_touch(&q->vfs, ATTR_CTIME);
	WRITE_ONCE(q->vfs.nlink, 0);
	inode_put(&q->vfs);
	return 0;
}

/* Positions: 0 ".", 1 "..", then the queues' own. */
static int dir_readdir(struct file *f, struct dir_ctx *c)
{
	struct mqueue_dir *d = dir_of(f->inode->sb);
	struct mqueue *q;

	if (c->pos == 0 && !c->emit(c, ".", 1, f->inode->ino, 4, 1))
		return 0;
	c->pos = MAX(c->pos, 1ull);
	if (c->pos == 1 && !c->emit(c, "..", 2, f->inode->ino, 4, 2))
		return 0;
	c->pos = MAX(c->pos, 2ull);
	list_for_each(q, &d->queues, link) {
		if (q->pos < c->pos)
			continue;
		if (!c->emit(c, q->name, q->name_len, q->vfs.ino, DT_REGULAR, q->pos + 1))
			return 0;
		c->pos = q->pos + 1;
	}
	return 0;
}

static const struct inode_ops dir_inode_ops = {
	.lookup = dir_lookup,
	.create = dir_create,
	.unlink = dir_unlink,
};
static const struct file_ops dir_file_ops = { .readdir = dir_readdir };

/* --- a queue as a file --- */

static ssize_t queue_read(struct file *f, struct uio *u, u64 *pos)
{
	struct mqueue *q = queue_of(f->inode);
	struct sbuf sb;
	char text[96];
	size_t n;
	ssize_t got;

	sbuf_init(&sb, text, sizeof(text));
	mqueue_show(q, &sb);
	n = sbuf_stored(&sb);
	if (*pos >= n)
		return 0;
	got = uio_copy_to(u, text + *pos, MIN(n - *pos, u->left));
	if (got > 0) {
		*pos += (u64)got;
		inode_touch(f->inode, ATTR_ATIME | ATTR_CTIME);
	}
	return got;
}

static u32 queue_poll(struct file *f, struct poll_table *pt)
{
	return mqueue_poll(queue_of(f->inode), pt);
}

static int queue_open(struct inode *i, struct file *f)
{
	return f->flags & O_DIRECT ? -EINVAL : 0;
}

static int queue_flush(struct file *f)
{
	mqueue_leave(queue_of(f->inode));
	return 0;
}

/* The size that stat tells is no length of anything. */
static int queue_setattr(struct inode *i, const struct iattr *a)
{
	struct iattr rest = *a;

	if (rest.valid & ATTR_SIZE)
		WRITE_ONCE(i->size, a->size);
	rest.valid &= ~ATTR_SIZE;
	return inode_setattr_generic(i, &rest);
}

static const struct inode_ops queue_inode_ops = { .setattr = queue_setattr };

const struct file_ops mqueue_file_ops = {
	.open = queue_open,
	.read = queue_read,
	.poll = queue_poll,
	.flush = queue_flush,
};

/* --- the file system --- */

static void super_evict(struct inode *i)
{
	if (S_ISDIR(i->mode)) {
		kfree(i);
		return;
	}
	__atomic_sub_fetch(&dir_of(i->sb)->count, 1, __ATOMIC_RELAXED);
	mqueue_fini(queue_of(i));
	kfree(queue_of(i));
}

static void super_release(struct super *sb)
{
	kfree(sb->priv);
}

static int super_statfs(struct super *sb, struct kstatfs *st)
{
	st->type = MQUEUE_FS_MAGIC;
	st->bsize = st->frsize = PAGE_SIZE;
	st->namelen = NAME_MAX_LEN;
	return 0;
}

static const struct super_ops mqueue_super_ops = {
	.evict = super_evict,
	.statfs = super_statfs,
	.put_super = super_release,
};

static int mqueue_mount(const struct fs_type *t, const char *source, u32 flags, const char *data,
			struct super **out)
{
	struct super *sb = super_alloc(t, MQUEUE_FS_MAGIC, &mqueue_super_ops);
	struct mqueue_dir *d = kzalloc(sizeof(*d), 0);
	struct inode *root = kzalloc(sizeof(*root), 0);

	if (!sb || !d || !root)
		goto free;
	list_init(&d->queues);
	d->next_pos = POS_TOP;
	d->next_ino = 1;
	sb->priv = d;
	vfs_register_super(sb);
	inode_init(root, sb, 1, S_IFDIR | S_ISVTX | 0777);
	root->uid = root->gid = 0;
	root->nlink = 2;
	root->size = 2 * ENTRY_SIZE;
	root->ops = &dir_inode_ops;
	root->fops = &dir_file_ops;
	sb->root = dentry_make_root(root, sb);
	if (!sb->root)
		goto free;
	*out = sb;
	return 0;
free:
	kfree(root);
	kfree(d);
	kfree(sb);
	return -ENOMEM;
}

FS_TYPE(mqueue, .flags = FS_NODEV | FS_SINGLE, .mount = mqueue_mount, .check_option = fs_no_option);

/* The root as the calls see it, without a reference: it never goes. */
static int own_root(struct path *out)
{
	int err = 0;

	mutex_lock(&mount_lock);
	if (!own_mount)
		err = mount_single_internal(&fs_type_mqueue, &own_mount);
	if (!err)
		*out = (struct path){ own_mount, own_mount->root };
	mutex_unlock(&mount_lock);
	return err;
}

/* What can be no name of a queue. */
static int check_name(const char *name)
{
	if (!*name)
		return -ENOENT;
	if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EACCES;
	return strlen(name) > NAME_MAX_LEN ? -ENAMETOOLONG : 0;
}

/* May the queue there is be opened? */
static int may_open(struct inode *i, u32 oflags)
{
	static const u8 want[3] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE };

	if ((oflags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if ((oflags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	return inode_permission(i, want[oflags & O_ACCMODE]);
}

/* The dentry of @n, made if @oflags say so. holds: the directory's lock for writing */
static int find_or_make(const struct path *root, const struct qname *n, u32 oflags, u32 mode,
			const struct mq_attr *attr, struct dentry **out)
{
	struct inode *dir = dentry_inode(root->dentry), *i;
	struct dentry *d;
	int err = dentry_lookup_locked(root->dentry, n, &d);

	if (err)
		return err;
	if (dentry_inode(d)) {
		err = may_open(dentry_inode(d), oflags);
	} else {
		err = oflags & O_CREAT ? dir_may_change(dir) : -ENOENT;
		mode = (mode & ~fsctx_current()->umask & 07777) | S_IFREG;
		if (!err)
			err = dir_make(dir, d, mode, attr, &i);
		if (!err) {
			dentry_instantiate(d, i);
			notify_entry(root->dentry, n, i, d, IN_CREATE);
		}
	}
	if (err)
		dentry_put(d);
	else
		*out = d;
	return err;
}

/* See mqueue.h. */
int mqueue_open(const char *name, u32 oflags, u32 mode, const struct mq_attr *attr,
		struct file **out)
{
	struct path p;
	struct qname n;
	struct inode *dir;
	struct dentry *d = NULL;
	int err = check_name(name);

	if (!err)
		err = own_root(&p);
	if (err)
		return err;
	qname_set(&n, name, (u32)strlen(name));
	dir = dentry_inode(p.dentry);
	rwsem_write_lock(&dir->lock);
	err = find_or_make(&p, &n, oflags, mode, attr, &d);
	rwsem_write_unlock(&dir->lock);
	if (err)
		return err;
	p.dentry = d;
	err = file_open_path(&p, oflags, out);
	dentry_put(d);
	return err;
}

/* mq_unlink(2). ctx: thread; sleeps. 0, -ENOENT, -EACCES, -EPERM, -ENAMETOOLONG. */
int mqueue_unlink(const char *name)
{
	struct path p;
	int err = check_name(name);

	if (!err)
		err = own_root(&p);
	return err ? err : vfs_unlink(&p, name);
}
