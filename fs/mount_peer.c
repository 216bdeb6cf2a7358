/*
 * Shared subtrees: mounts that see each other's mounts.
 *
 * The mounts of a peer group (a ring, .peers, with the number .group) show the same tree: what is
 * hung on one of them is hung on all, and taken off all. A slave (.master, on the master's list
 * .slaves) receives what happens in its master's group and gives nothing back; it can be shared
 * itself, with a group that passes things on. All mounts of a group have masters in one group, or
 * none has. A private mount is in no group; an unbindable one is private and cannot be copied.
 *
 * A copy of a shared mount joins its group, a copy of a slave its master's slaves. Hanging a tree
 * on a shared mount makes the tree shared, makes one copy per mount that is reached (if the place
 * lies within what that one shows), and only then, when nothing can fail any more, hangs them. A
 * copy goes below what already hangs at its place, so that it hides nothing.
 *
 * Mounts that are reached are collected in a queue (.todo) before anything is copied, masters
 * before slaves: so a new copy, which is in the groups at once, does not get into the queue, and a
 * slave's copy can be made of its master's. Groups hold no references: a mount leaves its groups
 * when it leaves the tree. Everything is guarded by mount_mutex.
 *
 * mount_namespaces(7), mount(2).
 */
#include <linux/errno.h>
#include <linux/mount.h>
#include "fs/mount.h"

static u32 next_group = 1; /* m */

static struct mount *next_peer(const struct mount *m)
{
	return list_first(&m->peers, struct mount, peers);
}

static void enslave(struct mount *m, struct mount *master)
{
	list_del(&m->slave_link);
	m->master = master;
	if (master)
		list_add(&master->slaves, &m->slave_link);
}

/* Out of its group; its slaves, and itself, become slaves of a peer that is left, or its master. */
static void leave_group(struct mount *m)
{
	struct mount *heir = next_peer(m), *s, *tmp;

	if (heir == m)
		heir = m->master;
	list_del(&m->peers);
	m->group = 0;
	list_for_each_safe(s, tmp, &m->slaves, slave_link)
		enslave(s, heir);
	if (heir != m->master)
		enslave(m, heir);
}

/* See mount.h. ctx: thread; holds: mount_mutex; sleeps: no. */
void mount_set_kind(struct mount *m, u32 type)
{
	if (type == MS_SHARED) {
		if (!m->group)
			m->group = next_group++;
		m->unbindable = false;
		return;
	}
	leave_group(m);
	if (type == MS_SLAVE)
		return;
	enslave(m, NULL);
	m->unbindable = type == MS_UNBINDABLE;
}

/* See mount.h. ctx: thread; holds: mount_mutex; sleeps: no. */
void mount_join(struct mount *copy, struct mount *m, enum mount_kin kin)
{
	if (kin == KIN_SLAVE) {
		enslave(copy, m);
		return;
	}
	if (m->group) {
		copy->group = m->group;
		list_add(&m->peers, &copy->peers);
	}
	if (m->master)
		enslave(copy, m->master);
}

/*
 * See mount.h. The originals remember their clones in .clone for the time of this.
 * ctx: thread; holds: mount_mutex; sleeps: yes (memory).
 */
int mount_copy_children(const struct path *src, struct mount *copy, enum mount_kin kin)
{
	struct mount *m, *c;
	bool skip;
	int err;

	src->mnt->clone = copy;
	for (m = mount_tree_next(src->mnt, src->mnt, false); m;
	     m = mount_tree_next(m, src->mnt, skip)) {
		skip = m->unbindable || m == copy ||
		       (m->parent == src->mnt && !mount_dentry_below(m->mountpoint, src->dentry));
		if (skip)
			continue;
		err = mount_clone(m, m->root, &c);
		if (err)
			return err;
		mount_join(c, m, kin);
		m->clone = c;
		mount_attach(c, &(struct path){ m->parent->clone, m->mountpoint });
	}
	return 0;
}

/* See mount.h. ctx: thread; holds: mount_mutex; sleeps */
void mount_discard_tree(struct mount *top)
{
	while (!list_empty(&top->children))
		mount_remove_tree(list_first(&top->children, struct mount, sibling), false);
	mount_set_kind(top, MS_PRIVATE);
	mount_put(top);
}

/* All mounts that an event at @origin reaches, without itself, masters before their slaves. */
static void collect(struct mount *origin, struct list *queue)
{
	struct mount *m, *s;

	if (!origin->group)
		return;
	for (m = next_peer(origin); m != origin; m = next_peer(m))
		list_add_tail(queue, &m->todo);
	list_for_each(s, &origin->slaves, slave_link)
		list_add_tail(queue, &s->todo);
	list_for_each(m, queue, todo)
		list_for_each(s, &m->slaves, slave_link)
			list_add_tail(queue, &s->todo);
}

/* What was hung on @m or one of its peers; NULL */
static struct mount *hung_in_group(struct mount *m)
{
	struct mount *p = m;

	do {
		if (p->hung)
			return p->hung;
		p = next_peer(p);
	} while (p != m);
	return NULL;
}

/* What a copy for @t is made of when the tree @m is hung on @origin. */
static struct mount *source_for(struct mount *t, struct mount *origin, struct mount *m,
				enum mount_kin *kin)
{
	struct mount *found;

	*kin = KIN_PEER;
	if (t->group && t->group == origin->group)
		return m;
	found = t->group ? hung_in_group(t) : NULL;
	*kin = found ? KIN_PEER : KIN_SLAVE;
	while (!found && (t = t->master)->group != origin->group)
		found = hung_in_group(t);
	return found ? found : m;
}

/* A copy of the tree @m for the mount @t. 0 or -ENOMEM */
static int copy_tree(struct mount *m, struct mount *t, enum mount_kin kin, struct mount **out)
{
	struct mount *copy, *c;
	int err = mount_clone(m, m->root, &copy);

	if (err)
		return err;
	mount_join(copy, m, kin);
	err = mount_copy_children(&(struct path){ m, m->root }, copy, kin);
	if (err) {
		mount_discard_tree(copy);
		return err;
	}
	if (t->group)
		for (c = copy; c; c = mount_tree_next(c, copy, false))
			mount_set_kind(c, MS_SHARED);
	*out = copy;
	return 0;
}

/* The copies of @m for all that hanging it on @at reaches, in the .hung of those in @queue. */
static int copies_make(struct mount *m, const struct path *at, struct list *queue)
{
	struct mount *t, *src;
	enum mount_kin kin;
	int err = 0;

	list_for_each(t, queue, todo) {
		if (!t->id || !mount_dentry_below(at->dentry, t->root))
			continue; /* not hung yet itself, or does not show the place */
		src = source_for(t, at->mnt, m, &kin);
		err = copy_tree(src, t, kin, &t->hung);
		if (err)
			break;
	}
	return err;
}

/* Hang @m on (@t, @at), below what is there already. */
static void hang_copy(struct mount *m, struct mount *t, struct dentry *at)
{
	struct mount *above = mount_child_at(t, at);
	struct path was;

	if (above)
		mount_detach(above, &was);
	mount_attach(m, &(struct path){ t, at });
	mount_commit(m);
	if (above) {
		mount_attach(above, &(struct path){ m, m->root });
		path_put(&was);
	}
}

/* Hang, or on failure discard, what copies_make() made; empties the queue. */
static void copies_finish(struct list *queue, struct dentry *at, bool hang)
{
	struct mount *t, *tmp;

	list_for_each_safe(t, tmp, queue, todo) {
		list_del(&t->todo);
		if (t->hung && hang)
			hang_copy(t->hung, t, at);
		else if (t->hung)
			mount_discard_tree(t->hung);
		t->hung = NULL;
	}
}

/* Make the tree @m shared; .fresh marks what was not. */
static void tree_share(struct mount *m)
{
	for (struct mount *c = m; c; c = mount_tree_next(c, m, false)) {
		c->fresh = !c->group;
		mount_set_kind(c, MS_SHARED);
	}
}

static void tree_unshare(struct mount *m)
{
	for (struct mount *c = m; c; c = mount_tree_next(c, m, false))
		if (c->fresh)
			leave_group(c);
}

static bool tree_is_bindable(struct mount *m)
{
	for (struct mount *c = m; c; c = mount_tree_next(c, m, false))
		if (c->unbindable)
			return false;
	return true;
}

/*
 * See mount.h. @m is in no tree; on failure it is as before.
 * ctx: thread; holds: mount_mutex; sleeps: yes. 0, -EINVAL (unbindable mounts in @m), -ENOMEM.
 */
int mount_hang(struct mount *m, const struct path *at)
{
	struct list queue = LIST_INIT(queue);
	int err = 0;

	if (at->mnt->group) {
		if (!tree_is_bindable(m))
			return -EINVAL;
		tree_share(m);
		collect(at->mnt, &queue);
		err = copies_make(m, at, &queue);
	}
	if (!err) {
		mount_attach(m, at);
		mount_commit(m);
		mount_tree_changed();
	}
	copies_finish(&queue, at->dentry, !err);
	if (err)
		tree_unshare(m);
	return err;
}

/* The one mount that covers all of @m; NULL: none, or something else hangs on @m as well. */
static struct mount *cover_of(const struct mount *m)
{
	struct mount *c = list_first(&m->children, struct mount, sibling);

	return !list_empty(&m->children) && c->sibling.next == &m->children &&
			       c->mountpoint == m->root
		       ? c
		       : NULL;
}

/*
 * See mount.h: the references that count are those beside the tree's and a cover's.
 * ctx: thread; holds: mount_mutex; sleeps: no.
 */
bool mount_spread_is_busy(struct mount *m)
{
	struct list queue = LIST_INIT(queue);
	struct mount *t, *tmp, *c;
	bool busy = false;

	if (m->parent)
		collect(m->parent, &queue);
	list_for_each_safe(t, tmp, &queue, todo) {
		list_del(&t->todo);
		c = mount_child_at(t, m->mountpoint);
		if (c && c != m && (list_empty(&c->children) || cover_of(c)))
			busy |= ref_read(&c->refs) > (cover_of(c) ? 2u : 1u);
	}
	return busy;
}

/* Take @m away; what covers it moves to its place. */
static void remove_under_cover(struct mount *m)
{
	struct mount *cover = cover_of(m);
	struct path was, place;

	if (!cover) {
		mount_remove_tree(m, false);
		return;
	}
	mount_detach(cover, &was);
	place = (struct path){ m->parent, m->mountpoint };
	path_get(&place);
	mount_remove_tree(m, false);
	mount_attach(cover, &place);
	path_put(&place);
	path_put(&was);
}

/*
 * See mount.h. Mounts below @top are left: they go with it.
 * ctx: thread; holds: mount_mutex; sleeps: yes.
 */
void mount_spread_removal(struct mount *m, const struct mount *top)
{
	struct list queue = LIST_INIT(queue), doomed = LIST_INIT(doomed);
	struct mount *t, *tmp, *c;

	if (!m->parent)
		return;
	collect(m->parent, &queue);
	list_for_each_safe(t, tmp, &queue, todo) {
		list_del(&t->todo);
		c = mount_child_at(t, m->mountpoint);
		if (c && c != m && !mount_is_below(c, top) &&
		    (list_empty(&c->children) || cover_of(c)))
			list_add_tail(&doomed, &c->doomed);
	}
	list_for_each_safe(c, tmp, &doomed, doomed) {
		list_del(&c->doomed);
		remove_under_cover(c);
	}
}
