/*
 * File handles (open_by_handle_at(2)): a number for a file that finds it again without a name.
 *
 * The handle is the inode's number. Names come and go in the cache, but a file must be opened with
 * one; so a table keeps a name in use for each file that a handle was made of, from the first
 * handle until the file's last name is removed or its file system is unmounted. That bounds the
 * table, a tree, by the number of files. Only file systems that say so (super.handles: numbers are
 * never used twice) take part.
 *
 * An inode with an entry has INODE_HANDLE set, guarded by its lock, as its link count is: so an
 * entry is never made for a file that has just lost its last name. The table's own lock (rank
 * SPIN_OUTER) is taken alone; names are put after it.
 */
#include <linux/errno.h>
#include "fs/handle.h"
#include "fs/namei.h"
#include "kernel/lib/rbtree.h"
#include "mm/slab.h"

/* h: guarded by table_lock */
struct entry {
	struct rb_node node; /* h */
	struct dentry *dentry; /* I: reference */
	u64 ino; /* I */
};

static struct spinlock table_lock = SPINLOCK_INIT(RANK_SPIN_OUTER);
static struct rb_root table; /* table_lock: by file system and number */

static struct entry *entry_of(const struct rb_node *n)
{
	return rb_entry(n, struct entry, node);
}

static bool comes_before(const struct entry *e, const struct super *sb, u64 ino)
{
	return e->dentry->sb == sb ? e->ino < ino : e->dentry->sb < sb;
}

static bool entry_less(const struct rb_node *a, const struct rb_node *b)
{
	return comes_before(entry_of(a), entry_of(b)->dentry->sb, entry_of(b)->ino);
}

/* The first of @sb from @ino on; NULL. holds: table_lock */
static struct entry *entry_from(const struct super *sb, u64 ino)
{
	struct rb_node *n = table.node;
	struct entry *found = NULL;

	while (n) {
		if (comes_before(entry_of(n), sb, ino)) {
			n = n->right;
		} else {
			found = entry_of(n);
			n = n->left;
		}
	}
	return found && found->dentry->sb == sb ? found : NULL;
}

/* holds: table_lock */
static struct entry *entry_find(const struct super *sb, u64 ino)
{
	struct entry *e = entry_from(sb, ino);

	return e && e->ino == ino ? e : NULL;
}

static void entry_free(struct entry *e)
{
	if (!e)
		return;
	dentry_put(e->dentry);
	kfree(e);
}

/* See handle.h. ctx: thread; sleeps */
int handle_make(const struct path *p, u64 *ino)
{
	struct inode *i = dentry_inode(p->dentry);

	if (!i->sb->handles)
		return -EOPNOTSUPP;
	*ino = i->ino;
	handle_enter(p->dentry, false);
	return READ_ONCE(i->flags) & INODE_HANDLE || !READ_ONCE(i->nlink) ? 0 : -ENOMEM;
}

/* See handle.h. */
void handle_enter(struct dentry *d, bool locked)
{
	struct inode *i = dentry_inode(d);
	struct entry *e;

	if (!i || !i->sb->handles || (READ_ONCE(i->flags) & INODE_HANDLE))
		return;
	e = kmalloc(sizeof(*e), 0);
	if (!e)
		return;
	e->dentry = dentry_get(d);
	e->ino = i->ino;
	if (!locked)
		rwsem_write_lock_nested(&i->lock);
	if (i->nlink && !(i->flags & INODE_HANDLE)) {
		i->flags |= INODE_HANDLE;
		spin_lock(&table_lock);
		rb_insert(&table, &e->node, entry_less);
		spin_unlock(&table_lock);
		e = NULL;
	}
	if (!locked)
		rwsem_write_unlock(&i->lock);
	entry_free(e);
}

/* See handle.h. ctx: thread; sleeps */
int handle_find(const struct mount *m, u64 ino, struct path *out)
{
	struct entry *e;

	spin_lock(&table_lock);
	e = entry_find(m->sb, ino);
	if (e)
		*out = (struct path){ (struct mount *)(uintptr_t)m, dentry_get(e->dentry) };
	spin_unlock(&table_lock);
	if (!e)
		return -ESTALE;
	mount_get(out->mnt);
	return 0;
}

/* See handle.h. ctx: thread; sleeps */
void handle_drop(struct inode *i)
{
	struct entry *e;

	spin_lock(&table_lock);
	e = entry_find(i->sb, i->ino);
	if (e)
		rb_erase(&table, &e->node);
	spin_unlock(&table_lock);
	entry_free(e);
}

/* See handle.h. ctx: thread; sleeps */
void handle_drop_super(const struct super *sb)
{
	struct entry *e;

	if (!sb->handles)
		return;
	do {
		spin_lock(&table_lock);
		e = entry_from(sb, 0);
		if (e)
			rb_erase(&table, &e->node);
		spin_unlock(&table_lock);
		entry_free(e);
	} while (e);
}
