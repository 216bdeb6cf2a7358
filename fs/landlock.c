/*
 * Landlock (landlock(7)): rulesets, domains, and what a domain allows.
 *
 * A ruleset says which rights it handles, and by rules what of them is allowed at and beneath an
 * inode. A thread that restricts itself gets a copy as one more layer of its domain, which hangs in
 * its credentials: so it is inherited, shared and never taken off. A domain is its last layer; each
 * points to the one before.
 *
 * A right is had if every layer that handles it has a rule for it somewhere on the way from the
 * file up to the root of everything, through mountpoints (which what is mounted on them hides).
 * Moving or linking into another directory needs LANDLOCK_ACCESS_FS_REFER, which every layer denies
 * by itself, at both, and may not give anybody rights over the file that it had not where it was.
 *
 * Rules hold their inodes, but not the file system: when its superblock goes they let go, and stay
 * without meaning under the old address. Who frees a rule meanwhile keeps the superblock until the
 * inode is put, or, if that is on its way out already, leaves the rule to it.
 *
 * Locking: l: landlock_lock guards the list of rules and their inodes; r: a ruleset's mutex. Layers
 * do not change. Walks upward hold vfs_tree_lock, which is what keeps in place what they look at; a
 * long one rests now and then, with references to where it is (struct climb).
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include "fs/landlock.h"
#include "fs/namei.h"
#include "kernel/base/errno.h"
#include "kernel/lib/rbtree.h"
#include "kernel/sched/work.h"
#include "mm/slab.h"

#define LAYERS_MAX 16
#define STEPS_MAX 32u /* of a walk, with vfs_tree_lock held */
#define RIGHTS_OF_FILES \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE)
#define RIGHT_REFER ((u32)LANDLOCK_ACCESS_FS_REFER)

struct rule {
	struct rb_node node; /* r: by .key */
	struct list all; /* l */
	struct inode *inode; /* l, a for reading: reference; NULL: it is gone */
	u64 key; /* I: the inode's address */
	u16 access; /* r */
	bool abandoned; /* l: whoever lets go of the inode frees it */
};

/* A ruleset, or a layer. */
struct landlock {
	struct cred_bound bound; /* own: how credentials hold it */
	struct landlock *below; /* I: reference: the layer before; NULL: the first, or a ruleset */
	struct mutex lock; /* rank LEAF_MUTEX */
	struct rb_root rules; /* r */
	struct work work; /* own: to be freed */
	u16 handled; /* I */
	u8 level; /* I: layers, it included */
};

/* What each layer of a domain has not allowed yet. */
typedef u16 denied_t[LAYERS_MAX];

static struct spinlock landlock_lock = SPINLOCK_INIT(RANK_EVENT);
static struct list all_rules = LIST_INIT(all_rules); /* l */
static const struct file_ops ruleset_ops;

static const struct landlock *domain_of(const struct cred *c)
{
	return c->bound ? container_of(c->bound, struct landlock, bound) : NULL;
}

/* --- rules --- */

static struct rule *rule_find(const struct landlock *l, u64 key)
{
	struct rb_node *n = l->rules.node;

	while (n) {
		struct rule *r = rb_entry(n, struct rule, node);

		if (r->key == key)
			return r;
		n = key < r->key ? n->left : n->right;
	}
	return NULL;
}

static bool rule_less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct rule, node)->key < rb_entry(b, struct rule, node)->key;
}

/* One without an inode yet. NULL: no memory. */
static struct rule *rule_make(struct landlock *l, u64 key)
{
	struct rule *r = kzalloc(sizeof(*r), 0);

	if (r) {
		r->key = key;
		rb_insert(&l->rules, &r->node, rule_less);
	}
	return r;
}

/* @i cannot go meanwhile. holds: landlock_lock */
static void rule_hang(struct rule *r, struct inode *i)
{
	inode_get(i);
	WRITE_ONCE(r->inode, i);
	list_add_tail(&all_rules, &r->all);
}

/* @r is out of its tree. ctx: thread; sleeps */
static void rule_free(struct rule *r)
{
	struct inode *i;
	struct super *sb = NULL;

	spin_lock(&landlock_lock);
	i = r->inode;
	if (i && !ref_get_unless_zero(&i->sb->refs)) {
		r->abandoned = true;
		r = NULL;
	} else if (i) {
		sb = i->sb;
		list_del(&r->all);
	}
	spin_unlock(&landlock_lock);
	kfree(r);
	if (sb) {
		inode_put(i);
		super_put(sb);
	}
}

/* See landlock.h. */
void landlock_drop_super(const struct super *sb)
{
	struct inode *gone[16];
	struct rule *r, *tmp;
	u32 n;

	do {
		n = 0;
		spin_lock(&landlock_lock);
		list_for_each_safe(r, tmp, &all_rules, all) {
			if (r->inode->sb != sb)
				continue;
			if (n == ARRAY_SIZE(gone))
				break;
			gone[n++] = r->inode;
			list_del(&r->all);
			WRITE_ONCE(r->inode, NULL);
			if (r->abandoned)
				kfree(r);
		}
		spin_unlock(&landlock_lock);
		for (u32 k = 0; k < n; k++)
			inode_put(gone[k]);
	} while (n == ARRAY_SIZE(gone));
}

/* --- rulesets and layers --- */

/* ctx: thread; sleeps */
static void landlock_free(struct landlock *l)
{
	struct landlock *below;

	do {
		struct rb_node *n;

		while ((n = rb_first(&l->rules))) {
			rb_erase(&l->rules, n);
			rule_free(rb_entry(n, struct rule, node));
		}
		below = l->below;
		kfree(l);
		l = below;
	} while (l && ref_put(&l->bound.refs));
}

static void free_work(struct work *w)
{
	landlock_free(container_of(w, struct landlock, work));
}

/* Credentials go under any lock: a worker does it. */
static void layer_release(struct cred_bound *b)
{
	work_queue(&container_of(b, struct landlock, bound)->work);
}

static struct landlock *landlock_alloc(u32 handled)
{
	struct landlock *l = kzalloc(sizeof(*l), 0);

	if (l) {
		ref_init(&l->bound.refs, 1);
		l->bound.release = layer_release;
		mutex_init(&l->lock, RANK_LEAF_MUTEX);
		work_init(&l->work, free_work);
		l->handled = (u16)handled;
		l->level = 1;
	}
	return l;
}

static void ruleset_release(struct file *f)
{
	landlock_free(f->priv);
}

static const struct file_ops ruleset_ops = {
	.release = ruleset_release,
};

/* See landlock.h. */
int landlock_ruleset_open(u32 handled, struct file **out)
{
	struct landlock *l = landlock_alloc(handled);
	int err;

	if (!l)
		return -ENOMEM;
	err = file_alloc_anon("[landlock-ruleset]", &ruleset_ops, l,
			      FILE_READ | FILE_WRITE | FILE_STREAM, O_RDWR, out);
	if (err)
		landlock_free(l);
	return err;
}

/* See landlock.h. */
int landlock_ruleset_of(const struct file *f, struct landlock **out)
{
	if (f->ops != &ruleset_ops)
		return -EBADFD;
	*out = f->priv;
	return 0;
}

/* See landlock.h. */
u32 landlock_handled(const struct landlock *l)
{
	return l->handled;
}

/* See landlock.h. */
int landlock_rule_add(struct landlock *l, const struct file *f, u32 access)
{
	struct inode *i = f->inode;
	struct rule *r;

	if (f->path.mnt->anon)
		return -EBADFD;
	if (!inode_is_dir(i) && (access & ~(u32)RIGHTS_OF_FILES))
		return -EINVAL;
	/* What is not handled is no matter of this layer. */
	access |= LANDLOCK_FS_ALL & ~(l->handled | RIGHT_REFER);
	mutex_lock(&l->lock);
	r = rule_find(l, (u64)i);
	if (!r)
		r = rule_make(l, (u64)i);
	if (r) {
		spin_lock(&landlock_lock);
		if (!r->inode) {
			r->access = 0;
			rule_hang(r, i);
		}
		spin_unlock(&landlock_lock);
		r->access |= (u16)access;
	}
	mutex_unlock(&l->lock);
	return r ? 0 : -ENOMEM;
}

/* 0 or -ENOMEM, with a part copied. */
static int rules_copy(struct landlock *from, struct landlock *to)
{
	struct rule *r, *copy;
	int err = 0;

	mutex_lock(&from->lock);
	rb_for_each(r, &from->rules, node) {
		copy = rule_make(to, r->key);
		if (!copy) {
			err = -ENOMEM;
			break;
		}
		copy->access = r->access;
		spin_lock(&landlock_lock);
		if (r->inode)
			rule_hang(copy, r->inode);
		spin_unlock(&landlock_lock);
	}
	mutex_unlock(&from->lock);
	return err;
}

/* See landlock.h. */
int landlock_bind(struct landlock *l, struct cred *c)
{
	const struct landlock *old = domain_of(c);
	struct landlock *layer;
	int err;

	if (old && old->level == LAYERS_MAX)
		return -E2BIG;
	layer = landlock_alloc(l->handled);
	if (!layer)
		return -ENOMEM;
	err = rules_copy(l, layer);
	if (err) {
		landlock_free(layer);
		return err;
	}
	if (old) {
		layer->below = container_of(c->bound, struct landlock, bound);
		layer->level = (u8)(old->level + 1);
	}
	c->bound = &layer->bound;
	return 0;
}

/* --- questions --- */

/* All of @access is denied by the layers that care for it. What that is, for any of them. */
static u32 denied_begin(const struct landlock *top, u32 access, u16 *denied)
{
	u32 any = 0;

	for (const struct landlock *l = top; l; l = l->below) {
		denied[l->level - 1] = (u16)(access & (l->handled | RIGHT_REFER));
		any |= denied[l->level - 1];
	}
	return any;
}

/* Take off what rules for @d itself allow of @access: is nothing of it left? */
static bool denied_pass(const struct landlock *top, const struct dentry *d, u32 access, u16 *denied)
{
	u32 left = 0;

	for (const struct landlock *l = top; l; l = l->below) {
		const struct rule *r = rule_find(l, (u64)dentry_inode(d));

		if (r && READ_ONCE(r->inode))
			denied[l->level - 1] &= (u16) ~(r->access & access);
		left |= denied[l->level - 1] & access;
	}
	return !left;
}

/* Does any layer deny some of @access? */
static bool denied_has(const struct landlock *top, u32 access, const u16 *denied)
{
	for (u32 k = 0; k < top->level; k++)
		if (denied[k] & access)
			return true;
	return false;
}

/* A walk upward. */
struct climb {
	struct path at;
	struct path held; /* references: where it rested last; no mount: nowhere yet */
	u32 steps;
};

/* holds afterwards: vfs_tree_lock */
static void climb_begin(struct climb *c, const struct path *from)
{
	*c = (struct climb){ .at = *from };
	spin_lock(&vfs_tree_lock);
}

static void climb_end(struct climb *c)
{
	spin_unlock(&vfs_tree_lock);
	if (c->held.mnt)
		path_put(&c->held);
}

/* Others want the lock, too: a path may have any number of directories. */
static void climb_rest(struct climb *c)
{
	struct path last = c->held;

	c->held = c->at;
	path_get(&c->held);
	spin_unlock(&vfs_tree_lock);
	if (last.mnt)
		path_put(&last);
	spin_lock(&vfs_tree_lock);
}

/*
 * To the directory above, past mountpoints; false at the root. What was moved out of the part of
 * its file system that is mounted is beneath that nevertheless. holds: vfs_tree_lock, which may be
 * let go of and taken again
 */
static bool go_up(struct climb *c)
{
	struct path *p = &c->at;

	if (++c->steps % STEPS_MAX == 0)
		climb_rest(c);
	while (p->dentry == p->mnt->root) {
		if (!p->mnt->parent)
			return false;
		p->dentry = p->mnt->mountpoint;
		p->mnt = p->mnt->parent;
	}
	p->dentry = p->dentry->parent == p->dentry ? p->mnt->root : p->dentry->parent;
	return true;
}

/*
 * Pipes, memory files and the like are beneath nothing, and are nobody's business. What may be
 * mounted as well (POSIX message queues) is not among them, even if nobody did.
 */
static bool is_pathless(const struct mount *m)
{
	return m->anon && !(m->sb->type->flags & FS_SINGLE);
}

/* As landlock_check, for those with a domain. ctx: thread; holds: no spinlock */
int landlock_check_path(const struct path *p, u32 access)
{
	const struct landlock *top = domain_of(current->cred);
	struct climb c;
	denied_t denied;
	bool ok;

	access = denied_begin(top, access, denied);
	if (!access || is_pathless(p->mnt))
		return 0;
	climb_begin(&c, p);
	do
		ok = denied_pass(top, c.at.dentry, access, denied);
	while (!ok && go_up(&c));
	climb_end(&c);
	return ok ? 0 : -EACCES;
}

/* As landlock_open, for those with a domain. ctx: thread; holds: no spinlock */
int landlock_check_open(const struct file *f)
{
	u32 access = 0;

	if (f->mode & FILE_READ)
		access = inode_is_dir(f->inode) ? LANDLOCK_ACCESS_FS_READ_DIR
						: LANDLOCK_ACCESS_FS_READ_FILE;
	if (f->mode & FILE_WRITE)
		access |= LANDLOCK_ACCESS_FS_WRITE_FILE;
	return landlock_check_path(&f->path, access);
}

/* See landlock.h. */
u32 landlock_right_to_make(u32 mode, u64 rdev)
{
	switch (mode & S_IFMT) {
	case S_IFDIR: return LANDLOCK_ACCESS_FS_MAKE_DIR;
	case S_IFCHR: return rdev ? LANDLOCK_ACCESS_FS_MAKE_CHAR : LANDLOCK_ACCESS_FS_MAKE_REG;
	case S_IFBLK: return LANDLOCK_ACCESS_FS_MAKE_BLOCK;
	case S_IFIFO: return LANDLOCK_ACCESS_FS_MAKE_FIFO;
	case S_IFSOCK: return LANDLOCK_ACCESS_FS_MAKE_SOCK;
	case S_IFLNK: return LANDLOCK_ACCESS_FS_MAKE_SYM;
	default: return LANDLOCK_ACCESS_FS_MAKE_REG;
	}
}

static u32 right_to_remove(const struct inode *i)
{
	if (!i)
		return 0;
	return inode_is_dir(i) ? LANDLOCK_ACCESS_FS_REMOVE_DIR : LANDLOCK_ACCESS_FS_REMOVE_FILE;
}

/* A file that goes from one directory to another, and perhaps one that goes back. */
struct referral {
	const struct landlock *top;
	u32 want_from, want_to; /* of the directories */
	u32 scope_moved, scope_back; /* the rights that mean something for the two */
	denied_t from, to, moved, back;
};

/* What is denied to the file by its own rules alone, into @denied. The rights that matter to it. */
static u32 refer_begin(const struct landlock *top, const struct dentry *d, u16 *denied)
{
	u32 all = denied_begin(top, LANDLOCK_FS_ALL, denied);

	(void)denied_pass(top, d, all, denied);
	return inode_is_dir(dentry_inode(d)) ? LANDLOCK_FS_ALL : RIGHTS_OF_FILES;
}

/* What is denied in the directory @d of @mnt by rules within the mount. None? */
static bool refer_collect(const struct landlock *top, struct mount *mnt, struct dentry *d,
			  u16 *denied)
{
	u32 all = denied_begin(top, LANDLOCK_FS_ALL, denied);
	const struct path from = { mnt, d };
	struct climb c;
	bool ok;

	climb_begin(&c, &from);
	do
		ok = denied_pass(top, c.at.dentry, all, denied);
	while (!ok && c.at.dentry != mnt->root && c.at.dentry != c.at.dentry->parent && go_up(&c));
	climb_end(&c);
	return ok;
}

/* Is nothing that was denied where it was allowed where it comes to? */
static bool refer_gains_nothing(const struct referral *r)
{
	for (u32 k = 0; k < r->top->level; k++) {
		if (r->from[k] & r->moved[k] & r->scope_moved & ~(u32)r->to[k])
			return false;
		if (r->to[k] & r->back[k] & r->scope_back & ~(u32)r->from[k])
			return false;
	}
	return true;
}

/*
 * From the root of the mount @m upward. Until nothing is gained, all rights count, and afterwards
 * those that the directories need.
 */
static bool refer_walk(struct referral *r, struct mount *m)
{
	const struct path from = { m, m->root };
	bool whole = true, ok = false, ok_from, ok_to;
	struct climb c;

	climb_begin(&c, &from);
	do {
		if (whole && refer_gains_nothing(r)) {
			whole = false;
			ok = !denied_has(r->top, r->want_from, r->from) &&
			     !denied_has(r->top, r->want_to, r->to);
			if (ok)
				break;
		}
		ok_from = denied_pass(r->top, c.at.dentry, whole ? LANDLOCK_FS_ALL : r->want_from,
				      r->from);
		ok_to = denied_pass(r->top, c.at.dentry, whole ? LANDLOCK_FS_ALL : r->want_to,
				    r->to);
		ok = ok_from && ok_to;
	} while (!ok && go_up(&c));
	climb_end(&c);
	return ok;
}

/* As landlock_refer, for those with a domain. */
int landlock_check_refer(struct dentry *old, const struct path *dir, struct dentry *new, bool moves,
			 u32 flags)
{
	struct referral r = { .top = domain_of(current->cred) };
	const struct inode *oi = dentry_inode(old), *ni = dentry_inode(new);
	bool ok, from_free, to_free, exchange = flags & RENAME_EXCHANGE;

	r.want_from = exchange ? landlock_right_to_make(ni->mode, ni->rdev) : 0;
	if (flags & RENAME_WHITEOUT)
		r.want_from |= LANDLOCK_ACCESS_FS_MAKE_REG;
	r.want_to = landlock_right_to_make(oi->mode, oi->rdev);
	if (moves) {
		r.want_from |= right_to_remove(oi);
		r.want_to |= right_to_remove(ni);
	}
	if (old->parent == dir->dentry)
		return landlock_check_path(dir, r.want_from | r.want_to);
	r.want_from |= RIGHT_REFER;
	r.want_to |= RIGHT_REFER;
	r.scope_moved = refer_begin(r.top, old, r.moved);
	if (exchange)
		r.scope_back = refer_begin(r.top, new, r.back);
	from_free = refer_collect(r.top, dir->mnt, old->parent, r.from);
	to_free = refer_collect(r.top, dir->mnt, dir->dentry, r.to);
	ok = (from_free && to_free) || refer_walk(&r, dir->mnt);
	if (ok)
		return 0;
	if (denied_has(r.top, r.want_from & ~RIGHT_REFER, r.from) ||
	    denied_has(r.top, r.want_to & ~RIGHT_REFER, r.to))
		return -EACCES;
	return -EXDEV;
}

/*
 * See landlock.h: who is bound sees into those that are bound by the same, and perhaps by more.
 */
bool landlock_may_trace(const struct cred *tracer, const struct cred *tracee)
{
	const struct landlock *mine = domain_of(tracer);

	for (const struct landlock *l = domain_of(tracee); l; l = l->below)
		if (l == mine)
			return true;
	return !mine;
}
