/*
 * Trees of made-up files; see the header. The tree of nodes is the truth and stays in memory;
 * inodes are made from it by lookups and hold a reference on their node, so a node that was removed
 * lives on under whoever has it open.
 *
 * Locks: one leaf mutex per tree guards the links between nodes. Lookups come with the directory's
 * inode lock held, additions do not: names that were looked up in vain before are not believed
 * (revalidate), so a node that is added appears at once, and one that was removed is looked up
 * anew.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/poll.h>
#include "fs/namei.h"
#include "fs/pseudo.h"
#include "fs/textfile.h"
#include "fs/xattr_list.h"
#include "kernel/base/panic.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

struct pseudo_node {
	refcount_t refs; /* a: the tree's, and one per inode */
	struct pseudo_tree *tree; /* I */
	struct pseudo_node *parent; /* I: root: NULL */
	struct list children, sibling; /* t: in order of creation */
	struct pseudo_attr attr; /* I once it is linked; fill: the parent's inode lock */
	u64 ino; /* I */
	u64 pos; /* I: readdir position in the parent */
	u64 next_pos; /* t: of the next child */
	u32 ndirs; /* t: children that are directories */
	bool removed; /* a: changes under t */
	struct xattr_item *xattrs; /* own lock (xattr_list.c) */
	char name[]; /* I */
};

struct pseudo_inode {
	struct inode vfs; /* first */
	struct pseudo_node *node; /* I: reference */
};

static struct pseudo_node *node_of(const struct inode *i)
{
	return container_of(i, struct pseudo_inode, vfs)->node;
}

static void node_put(struct pseudo_node *n)
{
	if (!ref_put(&n->refs))
		return;
	xattr_list_free(n->xattrs);
	kfree(n->attr.target);
	kfree(n);
}

static struct pseudo_node *node_alloc(struct pseudo_tree *t, const char *name, size_t len,
				      const struct pseudo_attr *a)
{
	struct pseudo_node *n = kzalloc(sizeof(*n) + len + 1, 0);

	if (!n)
		return NULL;
	memcpy(n->name, name, len);
	ref_init(&n->refs, 1);
	n->tree = t;
	list_init(&n->children);
	list_init(&n->sibling);
	n->attr = *a;
	n->next_pos = 2;
	if (a->target) {
		n->attr.target = kstrdup(a->target, 0);
		n->attr.mode = S_IFLNK | 0777;
		if (!n->attr.target) {
			kfree(n);
			return NULL;
		}
	} else if (!(a->mode & S_IFMT)) {
		n->attr.mode |= S_IFREG;
	}
	return n;
}

/* See the header. ctx: boot */
void pseudo_init(struct pseudo_tree *t, u64 ino, u32 iflags)
{
	const struct pseudo_attr dir = { .mode = S_IFDIR | 0555, .iflags = iflags };

	t->dir_mode = dir.mode;
	mutex_init(&t->lock, RANK_LEAF_MUTEX);
	t->root = node_alloc(t, "", 0, &dir);
	assert(t->root);
	t->root->ino = ino;
	t->next_ino = ino + 1;
}

/* holds: t->lock */
static struct pseudo_node *child_find(struct pseudo_node *dir, const char *name, size_t len)
{
	struct pseudo_node *n;

	list_for_each(n, &dir->children, sibling)
		if (!strncmp(n->name, name, len) && !n->name[len])
			return n;
	return NULL;
}

/* holds: t->lock */
static void child_link(struct pseudo_node *dir, struct pseudo_node *n)
{
	n->parent = dir;
	n->attr.iflags |= dir->attr.iflags;
	n->ino = dir->tree->next_ino++;
	n->pos = dir->next_pos++;
	if (S_ISDIR(n->attr.mode))
		dir->ndirs++;
	list_add_tail(&dir->children, &n->sibling);
}

/* Child directory @name of @dir, made if absent. holds: t->lock. 0, -ENOTDIR, -ENOMEM. */
static int dir_step(struct pseudo_node *dir, const char *name, size_t len, struct pseudo_node **out)
{
	const struct pseudo_attr attr = { .mode = dir->tree->dir_mode };
	struct pseudo_node *n = child_find(dir, name, len);

	if (!n) {
		n = node_alloc(dir->tree, name, len, &attr);
		if (!n)
			return -ENOMEM;
		child_link(dir, n);
	}
	if (!S_ISDIR(n->attr.mode))
		return -ENOTDIR;
	*out = n;
	return 0;
}

/* Parent directory of @path, made on the way; *last is the final component. holds: t->lock */
static int dir_walk(struct pseudo_tree *t, const char *path, struct pseudo_node **out,
		    const char **last)
{
	struct pseudo_node *dir = t->root;
	const char *slash;

	while ((slash = strchr(path, '/'))) {
		int err = dir_step(dir, path, (size_t)(slash - path), &dir);

		if (err)
			return err;
		path = slash + 1;
	}
	*out = dir;
	*last = path;
	return 0;
}

/* See the header. ctx: thread; sleeps. */
int pseudo_add(struct pseudo_tree *t, const char *path, const struct pseudo_attr *a)
{
	struct pseudo_node *dir, *n;
	const char *last;
	int err;

	mutex_lock(&t->lock);
	err = dir_walk(t, path, &dir, &last);
	if (err)
		goto unlock;
	err = -EEXIST;
	if (child_find(dir, last, strlen(last)))
		goto unlock;
	err = -ENOMEM;
	n = node_alloc(t, last, strlen(last), a);
	if (!n)
		goto unlock;
	child_link(dir, n);
	err = 0;
unlock:
	mutex_unlock(&t->lock);
	return err;
}

/* See the header. ctx: thread; sleeps. */
int pseudo_add_dir(struct pseudo_tree *t, const char *path)
{
	struct pseudo_node *dir;
	const char *last;
	int err;

	mutex_lock(&t->lock);
	err = dir_walk(t, path, &dir, &last);
	if (!err)
		err = dir_step(dir, last, strlen(last), &dir);
	mutex_unlock(&t->lock);
	return err;
}

/*
 * holds: t->lock. The subtree is unlinked from the top; depth is what the kernel's own callers
 * made.
 */
static void node_remove(struct pseudo_node *n)
{
	while (!list_empty(&n->children))
		node_remove(list_first(&n->children, struct pseudo_node, sibling));
	if (S_ISDIR(n->attr.mode))
		n->parent->ndirs--;
	list_del(&n->sibling);
	WRITE_ONCE(n->removed, true);
	node_put(n);
}

/* See the header. ctx: thread; sleeps. */
void pseudo_remove(struct pseudo_tree *t, const char *path)
{
	struct pseudo_node *n = t->root;
	size_t len;

	mutex_lock(&t->lock);
	for (; n && *path; path += len + (path[len] == '/')) {
		len = strcspn(path, "/");
		n = child_find(n, path, len);
	}
	if (n && n != t->root)
		node_remove(n);
	mutex_unlock(&t->lock);
}

/* --- inodes --- */

/* What reading and writing a file that is removed says. */
static int gone(const struct file *f)
{
	return f->inode->sb->magic == SYSFS_MAGIC ? -ENODEV : -ENOENT;
}

static int node_make(struct file *f, struct sbuf *out)
{
	struct pseudo_node *n = node_of(f->inode);

	if (READ_ONCE(n->removed))
		return gone(f);
	return n->attr.show ? n->attr.show(out, n->attr.arg) : -EIO;
}

/* What can be set (sysctls, sysfs) can be written at a position, unlike other made-up text. */
static int pseudo_open(struct inode *i, struct file *f)
{
	int err = textfile_open(f, node_make);

	if (err)
		return err;
	if (node_of(i)->attr.write)
		f->mode &= ~FILE_NOPWRITE;
	if (i->flags & INODE_NEWS)
		textfile_news(f, READ_ONCE(*(u32 *)i->priv));
	return 0;
}

/*
 * A setting is written behind its start, as sysctl_writes_strict wants it: a text that is so long
 * goes on there, all else stays as it is. The whole of @len counts as written.
 */
static ssize_t write_behind(struct pseudo_node *n, u64 pos, const char *text, size_t len)
{
	char whole[256];
	struct sbuf old;

	if (!(n->attr.iflags & INODE_JOIN))
		return (ssize_t)len;
	sbuf_init(&old, whole, sizeof(whole));
	/* The end of the line counts in the length. */
	if (!n->attr.show(&old, n->attr.arg) && pos < old.len) {
		strlcpy(whole + pos, text, sizeof(whole) - pos);
		(void)n->attr.write(whole, strlen(whole), n->attr.arg);
	}
	return (ssize_t)len;
}

static ssize_t pseudo_write(struct file *f, struct uio *u, u64 *pos)
{
	struct pseudo_node *n = node_of(f->inode);
	ssize_t len;
	char *text;

	if (!n->attr.write)
		return -EIO;
	if (READ_ONCE(n->removed))
		return gone(f);
	if (!u->left && f->inode->sb->magic != BINFMTFS_MAGIC)
		return 0;
	len = textfile_take(u, &text);
	if (len < 0)
		return len;
	if (*pos && (n->attr.iflags & INODE_BOUND))
		len = write_behind(n, *pos, text, (size_t)len);
	else
		len = n->attr.write(text, (size_t)len, n->attr.arg);
	kfree(text);
	if (len > 0)
		*pos += (u64)len;
	return len;
}

/* sysfs has nothing to write back and says so; files of /proc refuse. */
static int pseudo_fsync(struct file *f, u64 start, u64 end, bool datasync)
{
	return f->inode->sb->magic == SYSFS_MAGIC ? 0 : -EINVAL;
}

static struct waitq news_waitq = WAITQ_INIT(news_waitq);

/* See the header. */
void pseudo_tell(u32 *changes)
{
	__atomic_fetch_add(changes, 1, __ATOMIC_RELAXED);
	waitq_wake_all(&news_waitq);
}

/*
 * Always ready; that they can be asked is what epoll wants to know. A file of sysfs is news until
 * it is read, one with INODE_NEWS when it has changed.
 */
static u32 pseudo_poll(struct file *f, struct poll_table *pt)
{
	struct inode *i = f->inode;
	u32 ready = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;

	if (i->sb->magic == SYSFS_MAGIC && !textfile_was_read(f))
		return ready | POLLERR | POLLPRI;
	if (!(i->flags & INODE_NEWS))
		return ready;
	poll_wait(pt, &news_waitq);
	return textfile_news(f, READ_ONCE(*(u32 *)i->priv))
		       ? POLLIN | POLLRDNORM | POLLERR | POLLPRI
		       : ready;
}

static const struct file_ops pseudo_text_fops = {
	.open = pseudo_open,
	.release = textfile_release,
	.read = textfile_read,
	.seek = textfile_seek,
	.write = pseudo_write,
	.fsync = pseudo_fsync,
	.poll = pseudo_poll,
	.splice_read = true,
	.splice_write = true,
};

static ssize_t pseudo_readlink(struct inode *i, char *buf, size_t size)
{
	const char *target = node_of(i)->attr.target;
	size_t n = MIN(strlen(target), size);

	memcpy(buf, target, n);
	return (ssize_t)n;
}

/* chmod and chown are kept as long as the inode is cached; contents have no size to set. */
static int pseudo_setattr(struct inode *i, const struct iattr *a)
{
	struct iattr rest = *a;

	if ((i->flags & INODE_BOUND) && (a->valid & (ATTR_MODE | ATTR_UID | ATTR_GID)))
		return -EPERM;
	rest.valid &= ~ATTR_SIZE;
	return inode_setattr_generic(i, &rest);
}

static struct xattr_item **pseudo_xattrs(struct inode *i)
{
	struct pseudo_node *n = node_of(i);

	return n->tree->has_xattrs ? &n->xattrs : NULL;
}

static const struct inode_ops pseudo_file_ops = {
	.setattr = pseudo_setattr,
	XATTR_LIST_OPS(pseudo_xattrs),
};
static const struct inode_ops pseudo_link_ops = {
	.readlink = pseudo_readlink,
	.setattr = pseudo_setattr,
	XATTR_LIST_OPS(pseudo_xattrs),
};

/* The inode of @n, whose reference it takes over (also on failure). */
static int inode_make(struct super *sb, struct pseudo_node *n, struct inode **out)
{
	struct pseudo_inode *pi = kzalloc(sizeof(*pi), 0);
	bool sysfs = sb->magic == SYSFS_MAGIC;
	struct inode *i;

	if (!pi) {
		node_put(n);
		return -ENOMEM;
	}
	i = &pi->vfs;
	pi->node = n;
	inode_init(i, sb, n->ino, n->attr.mode);
	i->uid = i->gid = 0;
	i->priv = n->attr.arg;
	i->size = n->attr.size;
	i->flags |= n->attr.iflags;
	if (S_ISDIR(i->mode)) {
		bool root = !n->parent;

		i->nlink = n->attr.iflags & INODE_BOUND ? 1 : 2 + n->ndirs; /* 1: not counted */
		i->ops = root && n->tree->root_ops ? n->tree->root_ops : &pseudo_dir_ops;
		i->fops = root && n->tree->root_fops ? n->tree->root_fops : &pseudo_dir_fops;
	} else if (S_ISLNK(i->mode)) {
		i->size = sysfs ? 0 : strlen(n->attr.target);
		i->ops = &pseudo_link_ops;
	} else {
		i->ops = &pseudo_file_ops;
		i->fops = n->attr.ops ? n->attr.ops : &pseudo_text_fops;
		/* What sysfs says of every text; its links have no size. */
		if (sysfs && !n->attr.ops && !i->size)
			i->size = PAGE_SIZE;
	}
	*out = i;
	return 0;
}

/* super_ops.evict. ctx: thread */
void pseudo_evict(struct inode *i)
{
	node_put(node_of(i));
	kfree(container_of(i, struct pseudo_inode, vfs));
}

/* inode_ops.lookup: 0, -ENOENT, -ENOMEM. ctx: thread; holds: dir's inode lock; sleeps. */
int pseudo_lookup(struct inode *dir, const struct qname *q, struct inode **out)
{
	struct pseudo_node *d = node_of(dir), *n;

	mutex_lock(&d->tree->lock);
	n = child_find(d, q->name, q->len);
	if (n)
		ref_get(&n->refs);
	mutex_unlock(&d->tree->lock);
	if (!n)
		return -ENOENT;
	if (n->attr.fill) {
		n->attr.fill();
		n->attr.fill = NULL;
	}
	return inode_make(dir->sb, n, out);
}

static bool pseudo_revalidate(struct inode *dir, struct dentry *d)
{
	return !READ_ONCE(node_of(d->inode)->removed);
}

/* First child at or after position @pos, with a reference. */
static struct pseudo_node *child_at(struct pseudo_node *d, u64 pos)
{
	struct pseudo_node *n, *found = NULL;

	mutex_lock(&d->tree->lock);
	list_for_each(n, &d->children, sibling) {
		if (n->pos >= pos) {
			ref_get(&n->refs);
			found = n;
			break;
		}
	}
	mutex_unlock(&d->tree->lock);
	return found;
}

/*
 * "." and "..", then the children by position. ctx: thread; holds: the directory's inode lock;
 * sleeps.
 */
int pseudo_readdir(struct file *f, struct dir_ctx *c)
{
	struct pseudo_node *d = node_of(f->inode), *n;

	if (!dir_emit_dots(f, c))
		return 0;
	/* The callback may touch user memory: no lock of ours is held then. */
	while ((n = child_at(d, c->pos))) {
		bool more = c->emit(c, n->name, (u32)strlen(n->name), n->ino,
				    (u8)(n->attr.mode >> 12), n->pos + 1);

		if (more)
			c->pos = n->pos + 1;
		node_put(n);
		if (!more)
			break;
	}
	return 0;
}

/* Is there a name at or after position @pos? ctx: thread; sleeps. */
bool pseudo_has_more(struct file *f, u64 pos)
{
	struct pseudo_node *n = child_at(node_of(f->inode), pos);

	if (n)
		node_put(n);
	return pos < 2 || n;
}

const struct inode_ops pseudo_dir_ops = {
	.lookup = pseudo_lookup,
	.revalidate = pseudo_revalidate,
	.setattr = pseudo_setattr,
	XATTR_LIST_OPS(pseudo_xattrs),
};
const struct file_ops pseudo_dir_fops = { .readdir = pseudo_readdir, .seek = sizeless_seek };

/* See the header. ctx: thread; sleeps. */
int pseudo_graft(struct pseudo_tree *t, struct super *sb, struct inode **out)
{
	ref_get(&t->root->refs);
	return inode_make(sb, t->root, out);
}

/* A superblock with the tree's root. ctx: thread; sleeps. 0 or -ENOMEM. */
int pseudo_mount(struct pseudo_tree *t, const struct fs_type *type, u64 magic,
		 const struct super_ops *ops, struct super **out)
{
	struct super *sb = super_alloc(type, magic, ops);
	struct inode *i;
	int err = -ENOMEM;

	if (!sb)
		return -ENOMEM;
	vfs_register_super(sb);
	err = pseudo_graft(t, sb, &i);
	if (err)
		goto put_super;
	sb->root = dentry_make_root(i, sb);
	err = -ENOMEM;
	if (!sb->root)
		goto put_super;
	*out = sb;
	return 0;
put_super:
	super_put(sb);
	return err;
}
