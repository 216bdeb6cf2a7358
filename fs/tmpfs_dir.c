/*
 * Directories of tmpfs. An entry sits in two trees: by name (hash, then length, then text) for
 * lookups, and by position for readdir. 0 and 1 are "." and ".."; the others go down from a high
 * number, so that the newest comes first, as programs know it from Linux, and a reader that goes on
 * after entries came and went neither repeats nor misses what stayed.
 *
 * Everything here runs with the directory's inode lock held for writing (lookup and readdir: for
 * reading).
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include "fs/namei.h"
#include "fs/tmpfs.h"
#include "fs/xattr_list.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

static int entry_compare(const struct tmpfs_entry *e, const struct qname *n)
{
	if (e->hash != n->hash)
		return e->hash < n->hash ? -1 : 1;
	if (e->len != n->len)
		return e->len < n->len ? -1 : 1;
	return memcmp(e->name, n->name, n->len);
}

static struct tmpfs_entry *entry_find(struct tmpfs_inode *dir, const struct qname *n)
{
	struct rb_node *node = dir->dir.by_name.node;

	while (node) {
		struct tmpfs_entry *e = rb_entry(node, struct tmpfs_entry, by_name);
		int c = entry_compare(e, n);

		if (!c)
			return e;
		node = c > 0 ? node->left : node->right;
	}
	return NULL;
}

static struct tmpfs_entry *entry_of(struct inode *dir, struct dentry *d)
{
	struct qname q;

	qname_set(&q, d->name, d->name_len);
	return entry_find(tmpfs_of(dir), &q);
}

static struct tmpfs_entry *entry_alloc(struct dentry *d, struct inode *i)
{
	struct tmpfs_entry *e = kmalloc(sizeof(*e) + d->name_len + 1u, 0);
	struct qname q;

	if (!e)
		return NULL;
	qname_set(&q, d->name, d->name_len);
	e->hash = q.hash;
	e->len = d->name_len;
	memcpy(e->name, d->name, d->name_len);
	e->name[e->len] = '\0';
	e->inode = i;
	return e;
}

static bool name_less(const struct rb_node *a, const struct rb_node *b)
{
	const struct tmpfs_entry *ea = rb_entry(a, struct tmpfs_entry, by_name);
	const struct tmpfs_entry *eb = rb_entry(b, struct tmpfs_entry, by_name);
	struct qname q = { ea->name, ea->len, ea->hash };

	return entry_compare(eb, &q) > 0;
}

static bool pos_less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct tmpfs_entry, by_pos)->pos <
	       rb_entry(b, struct tmpfs_entry, by_pos)->pos;
}

static void entry_insert(struct inode *dir, struct tmpfs_entry *e)
{
	struct tmpfs_inode *td = tmpfs_of(dir);

	e->pos = td->dir.next_pos--;
	rb_insert(&td->dir.by_name, &e->by_name, name_less);
	rb_insert(&td->dir.by_pos, &e->by_pos, pos_less);
	WRITE_ONCE(dir->size, dir->size + TMPFS_ENTRY_SIZE);
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
}

static void entry_remove(struct inode *dir, struct tmpfs_entry *e)
{
	struct tmpfs_inode *td = tmpfs_of(dir);

	rb_erase(&td->dir.by_name, &e->by_name);
	rb_erase(&td->dir.by_pos, &e->by_pos);
	WRITE_ONCE(dir->size, dir->size - TMPFS_ENTRY_SIZE);
	inode_touch(dir, ATTR_MTIME | ATTR_CTIME);
	kfree(e);
}

static int tmpfs_lookup(struct inode *dir, const struct qname *n, struct inode **out)
{
	struct tmpfs_entry *e = entry_find(tmpfs_of(dir), n);

	if (!e)
		return -ENOENT;
	inode_get(e->inode);
	*out = e->inode;
	return 0;
}

/*
 * Make an inode and its entry; *out gets a reference of its own. @link: text of a symlink, taken
 * over on success.
 */
static int make(struct inode *dir, struct dentry *d, u32 mode, u64 rdev, char *link,
		struct inode **out)
{
	struct tmpfs_entry *e;
	struct inode *i;
	int err = tmpfs_inode_alloc(dir->sb, dir, mode, rdev, &i);

	if (err)
		return err;
	e = entry_alloc(d, i);
	if (!e) {
		inode_put(i);
		return -ENOMEM;
	}
	if (link) {
		tmpfs_of(i)->link = link;
		i->size = strlen(link);
	}
	entry_insert(dir, e);
	if (S_ISDIR(mode))
		WRITE_ONCE(dir->nlink, dir->nlink + 1);
	inode_get(i);
	*out = i;
	return 0;
}

static int tmpfs_create(struct inode *dir, struct dentry *d, u32 mode, u64 rdev, struct inode **out)
{
	return make(dir, d, mode, rdev, NULL, out);
}

static int tmpfs_mkdir(struct inode *dir, struct dentry *d, u32 mode, struct inode **out)
{
	return make(dir, d, mode, 0, NULL, out);
}

static int tmpfs_symlink(struct inode *dir, struct dentry *d, const char *target,
			 struct inode **out)
{
	char *text = kstrdup(target, 0);
	int err;

	if (!text)
		return -ENOMEM;
	err = make(dir, d, S_IFLNK | 0777, 0, text, out);
	if (err)
		kfree(text);
	return err;
}

static int tmpfs_tmpfile(struct inode *dir, u32 mode, struct inode **out)
{
	int err = tmpfs_inode_alloc(dir->sb, dir, mode, 0, out);

	if (err)
		return err;
	(*out)->nlink = 0;
	(*out)->flags |= INODE_TMPFILE;
	return 0;
}

static int tmpfs_link(struct inode *dir, struct dentry *d, struct inode *target)
{
	struct tmpfs_super *ts = tmpfs_sb(dir->sb);
	struct tmpfs_entry *e;
	u64 n;

	if (target->nlink >= 0xffffffff)
		return -EMLINK;
	if (target->nlink) {
		n = __atomic_add_fetch(&ts->used_inodes, 1, __ATOMIC_RELAXED);
		if (ts->max_inodes && n > ts->max_inodes) {
			__atomic_sub_fetch(&ts->used_inodes, 1, __ATOMIC_RELAXED);
			return -ENOSPC;
		}
	}
	e = entry_alloc(d, target);
	if (!e) {
		if (target->nlink)
			__atomic_sub_fetch(&ts->used_inodes, 1, __ATOMIC_RELAXED);
		return -ENOMEM;
	}
	inode_get(target);
	entry_insert(dir, e);
	target->flags &= ~INODE_TMPFILE;
	WRITE_ONCE(target->nlink, target->nlink + 1);
	inode_touch(target, ATTR_CTIME);
	return 0;
}

/* One name of @i is gone, with the entry's reference. holds: @i's lock */
static void drop_name(struct inode *i)
{
	WRITE_ONCE(i->nlink, i->nlink - 1);
	if (i->nlink && !S_ISDIR(i->mode))
		__atomic_sub_fetch(&tmpfs_sb(i->sb)->used_inodes, 1, __ATOMIC_RELAXED);
	inode_touch(i, ATTR_CTIME);
	inode_put(i);
}

static int tmpfs_unlink(struct inode *dir, struct dentry *d)
{
	struct tmpfs_entry *e = entry_of(dir, d);

	if (!e)
		return -ENOENT;
	entry_remove(dir, e);
	drop_name(d->inode);
	return 0;
}

static int tmpfs_rmdir(struct inode *dir, struct dentry *d)
{
	struct inode *i = d->inode;
	struct tmpfs_entry *e = entry_of(dir, d);

	if (!e)
		return -ENOENT;
	if (!rb_empty(&tmpfs_of(i)->dir.by_name))
		return -ENOTEMPTY;
	entry_remove(dir, e);
	WRITE_ONCE(dir->nlink, dir->nlink - 1);
	WRITE_ONCE(i->nlink, i->nlink - 1);
	drop_name(i);
	return 0;
}

static void exchange(struct inode *odir, struct tmpfs_entry *oe, struct inode *ndir,
		     struct tmpfs_entry *ne)
{
	struct inode *oi = oe->inode, *ni = ne->inode;
	int delta = !!S_ISDIR(ni->mode) - !!S_ISDIR(oi->mode);

	oe->inode = ni;
	ne->inode = oi;
	if (odir != ndir && delta) {
		WRITE_ONCE(odir->nlink, odir->nlink + (u32)delta);
		WRITE_ONCE(ndir->nlink, ndir->nlink - (u32)delta);
	}
	inode_touch(oi, ATTR_CTIME);
	inode_touch(ni, ATTR_CTIME);
	inode_touch(odir, ATTR_MTIME | ATTR_CTIME);
	inode_touch(ndir, ATTR_MTIME | ATTR_CTIME);
}

/* @oe's inode takes over the entry @ne, the newest from now on, whose own loses the name. */
static void replace(struct inode *ndir, struct tmpfs_entry *oe, struct tmpfs_entry *ne)
{
	struct tmpfs_inode *td = tmpfs_of(ndir);
	struct inode *ni = ne->inode;

	ne->inode = oe->inode;
	rb_erase(&td->dir.by_pos, &ne->by_pos);
	ne->pos = td->dir.next_pos--;
	rb_insert(&td->dir.by_pos, &ne->by_pos, pos_less);
	inode_touch(ndir, ATTR_MTIME | ATTR_CTIME);
	if (S_ISDIR(ni->mode)) {
		WRITE_ONCE(ndir->nlink, ndir->nlink - 1);
		WRITE_ONCE(ni->nlink, ni->nlink - 1);
	}
	drop_name(ni);
}

static int tmpfs_rename(struct inode *odir, struct dentry *od, struct inode *ndir,
			struct dentry *nd, u32 flags)
{
	struct tmpfs_entry *oe = entry_of(odir, od), *ne = entry_of(ndir, nd);
	struct inode *oi = od->inode, *white = NULL;
	int err;

	if (!oe || (!ne && nd->inode))
		return -ENOENT;
	if (flags & RENAME_EXCHANGE) {
		exchange(odir, oe, ndir, ne);
		return 0;
	}
	if (ne && S_ISDIR(ne->inode->mode) && !rb_empty(&tmpfs_of(ne->inode)->dir.by_name))
		return -ENOTEMPTY;
	/*
	 * A whiteout, the device 0:0, stays behind: overlays take it for "there is no such name".
	 */
	err = flags & RENAME_WHITEOUT ? tmpfs_inode_alloc(odir->sb, odir, S_IFCHR, 0, &white) : 0;
	if (err)
		return err;
	if (ne) {
		replace(ndir, oe, ne);
	} else {
		ne = entry_alloc(nd, oi);
		if (!ne) {
			if (white)
				inode_put(white);
			return -ENOMEM;
		}
		entry_insert(ndir, ne);
	}
	inode_touch(odir, ATTR_MTIME | ATTR_CTIME);
	if (white)
		oe->inode = white;
	else
		entry_remove(odir, oe);
	if (S_ISDIR(oi->mode)) {
		WRITE_ONCE(odir->nlink, odir->nlink - 1);
		WRITE_ONCE(ndir->nlink, ndir->nlink + 1);
	}
	inode_touch(oi, ATTR_CTIME);
	return 0;
}

static bool pos_below(const struct rb_node *n, u64 pos)
{
	return rb_entry(n, struct tmpfs_entry, by_pos)->pos < pos;
}

static int tmpfs_readdir(struct file *f, struct dir_ctx *c)
{
	struct tmpfs_inode *td = tmpfs_of(f->inode);
	struct rb_node *n;

	if (!dir_emit_dots(f, c))
		return 0;
	for (n = rb_lower_bound(&td->dir.by_pos, c->pos, pos_below); n; n = rb_next(n)) {
		struct tmpfs_entry *e = rb_entry(n, struct tmpfs_entry, by_pos);

		if (!c->emit(c, e->name, e->len, e->inode->ino, (u8)(e->inode->mode >> 12),
			     e->pos + 1))
			return 0;
		c->pos = e->pos + 1;
	}
	return 0;
}

/*
 * Put the inodes of the entries on the super's list; what they free adds to the list instead of
 * recursing.
 */
static void drain_doomed(struct tmpfs_super *ts)
{
	struct tmpfs_entry *e;

	ts->draining = true;
	while ((e = ts->doomed) != NULL) {
		ts->doomed = e->next_doomed;
		inode_put(e->inode);
		kfree(e);
	}
	ts->draining = false;
}

/*
 * Free the entries of a directory that goes with the whole file system (a removed directory has
 * none).
 * ctx: thread, unmounting; sleeps.
 */
void tmpfs_dir_drain(struct tmpfs_inode *dir)
{
	struct tmpfs_super *ts = tmpfs_sb(dir->vfs.sb);
	struct rb_node *n;

	if (rb_empty(&dir->dir.by_name))
		return;
	while ((n = rb_first(&dir->dir.by_name)) != NULL) {
		struct tmpfs_entry *e = rb_entry(n, struct tmpfs_entry, by_name);

		rb_erase(&dir->dir.by_name, n);
		rb_erase(&dir->dir.by_pos, &e->by_pos);
		e->next_doomed = ts->doomed;
		ts->doomed = e;
	}
	if (!ts->draining)
		drain_doomed(ts);
}

const struct inode_ops tmpfs_dir_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.mkdir = tmpfs_mkdir,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.tmpfile = tmpfs_tmpfile,
	XATTR_LIST_OPS(tmpfs_xattrs),
	.fileattr = tmpfs_fileattr,
};

const struct file_ops tmpfs_dir_fops = { .readdir = tmpfs_readdir, .fsync = tmpfs_fsync };
