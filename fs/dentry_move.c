/*
 * Renames in the name cache: a dentry gets another name and parent, or two of them swap places.
 *
 * Rule (3) of dentry.c: .parent, .name and .hash change here alone, under vfs_tree_lock and the
 * locks of both buckets, which are taken in the order of their addresses. A walker that met the
 * dentry before keeps a valid object; one that looks for either name meets the state before or
 * after. What was replaced leaves the table with its name, for those who have the file open.
 *
 * A long name is an object of its own with a count: the moved dentry takes a reference to the text
 * that its place had, as the dentry that was replaced still shows it. The parents' references go
 * with the pointers; what becomes free is put after the locks.
 */
#include "fs/dentry_internal.h"
#include "kernel/lib/string.h"

struct spinlock vfs_tree_lock = SPINLOCK_INIT(RANK_SPIN_OUTER);

static void buckets_lock_two(struct bucket *a, struct bucket *b)
{
	if (a == b) {
		spin_lock(&a->lock);
		return;
	}
	spin_lock(a < b ? &a->lock : &b->lock);
	spin_lock_nested(a < b ? &b->lock : &a->lock);
}

static void buckets_unlock_two(struct bucket *a, struct bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

static void name_copy(struct dentry *to, const struct dentry *from)
{
	to->longname = from->longname;
	if (to->longname) {
		ref_get(&to->longname->refs);
		to->name = to->longname->text;
	} else {
		memcpy(to->inline_name, from->inline_name, DENTRY_NAME_INLINE);
		to->name = to->inline_name;
	}
	to->name_len = from->name_len;
}

static void name_swap(struct dentry *a, struct dentry *b)
{
	struct dentry_name *ln = a->longname;
	char tmp[DENTRY_NAME_INLINE];
	u16 len = a->name_len;

	memcpy(tmp, a->inline_name, sizeof(tmp));
	memcpy(a->inline_name, b->inline_name, sizeof(tmp));
	memcpy(b->inline_name, tmp, sizeof(tmp));
	a->longname = b->longname;
	b->longname = ln;
	a->name_len = b->name_len;
	b->name_len = len;
	a->name = a->longname ? a->longname->text : a->inline_name;
	b->name = b->longname ? b->longname->text : b->inline_name;
}

/* holds: vfs_tree_lock, both buckets. The parents' references move along with the pointers. */
static void exchange_places(struct dentry *d, struct bucket *bd, struct dentry *t,
			    struct bucket *bt)
{
	struct dentry *parent = d->parent;
	u32 hash = d->hash;

	dentry_bucket_remove(bd, d);
	dentry_bucket_remove(bt, t);
	name_swap(d, t);
	d->parent = t->parent;
	d->hash = t->hash;
	t->parent = parent;
	t->hash = hash;
	dentry_bucket_add(bt, d);
	dentry_bucket_add(bd, t);
}

/* The lists of children after a move. holds: vfs_tree_lock */
static void families_follow(struct dentry *d, struct dentry *target, struct dentry *old_parent,
			    bool exchange)
{
	if (d->parent == old_parent)
		return;
	dentry_family_leave(old_parent, d);
	dentry_family_join(d->parent, d);
	if (exchange) {
		dentry_family_leave(d->parent, target);
		dentry_family_join(target->parent, target);
	}
}

/*
 * Rename in the cache: @d gets @target's name and place, @target leaves the table (it keeps its
 * name, for the users of a file that was replaced); with @exchange the two swap.
 * ctx: thread; holds: both directories' locks for writing; both hashed; sleeps: when something is
 * freed.
 */
void dentry_move(struct dentry *d, struct dentry *target, bool exchange)
{
	struct bucket *bd, *bt;
	struct dentry_name *old_name = NULL;
	struct dentry *old_parent = d->parent;

	spin_lock(&vfs_tree_lock);
	bd = dentry_bucket(d->hash);
	bt = dentry_bucket(target->hash);
	buckets_lock_two(bd, bt);
	if (exchange) {
		exchange_places(d, bd, target, bt);
	} else {
		dentry_bucket_remove(bd, d);
		dentry_bucket_remove(bt, target);
		old_name = d->longname;
		name_copy(d, target);
		d->parent = dentry_get(target->parent);
		d->hash = target->hash;
		dentry_bucket_add(bt, d);
	}
	buckets_unlock_two(bd, bt);
	families_follow(d, target, old_parent, exchange);
	spin_unlock(&vfs_tree_lock);
	dentry_longname_put(old_name);
	if (!exchange) {
		dentry_put(target); /* the table's reference */
		dentry_put(old_parent);
	}
}

/* See namei.h. ctx: any; holds: vfs_tree_lock or the rename lock */
bool dentry_is_below(const struct dentry *d, const struct dentry *top)
{
	for (;; d = d->parent) {
		if (d == top)
			return true;
		if (d->parent == d)
			return false;
	}
}
