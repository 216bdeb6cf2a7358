/*
 * inotify(7): instances, their watches, and which of them an event concerns.
 *
 * A watch ties an instance to an inode: it is on the inode's list of watches and in the instance's
 * tree by number, and it keeps the inode in memory (not its file system mounted). Events come from
 * the VFS through notify.h. One that names a file concerns the watches of its directory, with the
 * name, and those of the file itself, without.
 *
 * A watch ends by inotify_rm_watch, with its instance, after one event (IN_ONESHOT), when the last
 * name of the inode goes (IN_DELETE_SELF) or its superblock (IN_UNMOUNT); all but the second are
 * followed by IN_IGNORED.
 *
 * Limits are per effective user (fsuser.h).
 *
 * Locking: notify_lock (SPIN_OUTER) guards all watches, trees and the lists at the inodes; queue
 * locks are taken inside. An inode's list may be looked at for emptiness without it. Inodes
 * are put after it.
 */
#include <asm/ioctls.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include "fs/async.h"
#include "fs/fsuser.h"
#include "fs/inotify.h"
#include "fs/namei.h"
#include "fs/notify_watch.h"
#include "fs/procfs.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

/* What a watch may ask for, and what it gets without asking. */
#define EVENTS_ASKED (IN_ALL_EVENTS | IN_UNMOUNT)
#define NOTIFY_NOT_IN (NOTIFY_SAME_DIR | NOTIFY_LOCKED | FAN_OPEN_EXEC)
#define FLAGS_KEPT (IN_ONESHOT | IN_EXCL_UNLINK)

static int max_user_instances = 128;
static int max_user_watches = 8192; /* raised at boot by the size of memory */
SYSCTL_INT(inotify_max_user_instances, "sys/fs/inotify/max_user_instances", &max_user_instances, 0,
	   0x7fffffff);
SYSCTL_INT(inotify_max_user_watches, "sys/fs/inotify/max_user_watches", &max_user_watches, 0,
	   0x7fffffff);

/* n: guarded by notify_lock */
struct inotify_group {
	struct inotify_queue queue; /* own lock */
	struct rb_root watches; /* n: by number */
	int next_wd; /* n */
	struct fs_user *user; /* I: counts this instance and its watches */
};

u32 notify_watches;
struct spinlock notify_lock = SPINLOCK_INIT(RANK_SPIN_OUTER);
static struct list all_watches = LIST_INIT(all_watches); /* n */
static u32 last_cookie; /* a */

static const struct file_ops inotify_ops;

/* --- watches --- */

static struct watch *watch_find(struct inotify_group *g, int wd)
{
	struct rb_node *n = g->watches.node;

	while (n) {
		struct watch *w = rb_entry(n, struct watch, node);

		if (w->wd == wd)
			return w;
		n = wd < w->wd ? n->left : n->right;
	}
	return NULL;
}

static bool watch_less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct watch, node)->wd < rb_entry(b, struct watch, node)->wd;
}

/* See notify_watch.h. ctx: thread */
void watch_hang(struct watch *w, struct inode *i)
{
	w->inode = i;
	inode_get(i);
	list_add(&i->watches, &w->of_inode);
	list_add(&all_watches, &w->all);
	WRITE_ONCE(notify_watches, notify_watches + 1);
}

/* See notify_watch.h. ctx: thread */
void watch_detach(struct watch *w, struct list *dead)
{
	if (w->group) {
		rb_erase(&w->group->watches, &w->node);
		fs_user_uncharge(&w->group->user->inotify_watches);
	}
	if (w->fan)
		fanotify_watch_gone(w);
	list_del(&w->of_inode);
	list_del(&w->all);
	list_add(dead, &w->all);
	WRITE_ONCE(notify_watches, notify_watches - 1);
}

/* As above, and the instance is told. holds: notify_lock */
static void watch_end(struct watch *w, struct list *dead)
{
	if (w->group)
		inotify_queue_add(&w->group->queue, w->wd, IN_IGNORED, 0, "", 0);
	watch_detach(w, dead);
}

/* See notify_watch.h. ctx: thread; sleeps */
void watches_free(struct list *dead)
{
	while (!list_empty(dead)) {
		struct watch *w = list_first(dead, struct watch, all);

		list_del(&w->all);
		inode_put(w->inode);
		kfree(w);
	}
}

/* Change the mask of a watch there is. Its number or -EEXIST. holds: notify_lock */
static int watch_change(struct watch *w, u32 mask)
{
	u32 events = mask & (EVENTS_ASKED | FLAGS_KEPT);

	if (mask & IN_MASK_CREATE)
		return -EEXIST;
	w->mask = (mask & IN_MASK_ADD ? w->mask | events : events) | IN_UNMOUNT;
	return w->wd;
}

/* Enter the new watch @w. Its number or -ENOSPC. holds: notify_lock */
static int watch_enter(struct inotify_group *g, struct inode *i, u32 mask, struct watch *w)
{
	if (!fs_user_charge(&g->user->inotify_watches, (u32)READ_ONCE(max_user_watches)))
		return -ENOSPC;
	do {
		w->wd = g->next_wd;
		g->next_wd = w->wd == 0x7fffffff ? 1 : w->wd + 1;
	} while (watch_find(g, w->wd));
	w->group = g;
	w->mask = (mask & (EVENTS_ASKED | FLAGS_KEPT)) | IN_UNMOUNT;
	rb_insert(&g->watches, &w->node, watch_less);
	watch_hang(w, i);
	return w->wd;
}

/* See inotify.h. ctx: thread; sleeps; the caller keeps a name of @i in use. */
int inotify_watch(struct file *f, struct inode *i, u32 mask)
{
	struct inotify_group *g = f->priv;
	struct watch *fresh = kzalloc(sizeof(*fresh), 0), *w;
	int wd = 0;

	if (!fresh)
		return -ENOMEM;
	spin_lock(&notify_lock);
	list_for_each(w, &i->watches, of_inode) {
		if (w->group == g) {
			wd = watch_change(w, mask);
			break;
		}
	}
	if (!wd) {
		wd = watch_enter(g, i, mask, fresh);
		if (wd > 0)
			fresh = NULL;
	}
	spin_unlock(&notify_lock);
	kfree(fresh);
	return wd;
}

/* See inotify.h. ctx: thread; sleeps. */
int inotify_unwatch(struct file *f, int wd)
{
	struct inotify_group *g = f->priv;
	struct list dead = LIST_INIT(dead);
	struct watch *w;

	spin_lock(&notify_lock);
	w = watch_find(g, wd);
	if (w)
		watch_end(w, &dead);
	spin_unlock(&notify_lock);
	watches_free(&dead);
	return w ? 0 : -EINVAL;
}

/* --- events --- */

/*
 * Tell the watches of @i that ask for @mask. @unlinked: it happened through an open file without a
 * name.
 */
static void watches_tell(struct inode *i, u32 mask, const struct qname *n, u32 cookie,
			 bool unlinked)
{
	struct list dead = LIST_INIT(dead);
	struct watch *w, *tmp;

	spin_lock(&notify_lock);
	list_for_each_safe(w, tmp, &i->watches, of_inode) {
		if (w->fan)
			continue;
		if (!w->group) {
			if (dnotify_tell(w, mask))
				watch_end(w, &dead);
			continue;
		}
		if (!(w->mask & mask & EVENTS_ASKED) || (unlinked && (w->mask & IN_EXCL_UNLINK)))
			continue;
		inotify_queue_add(&w->group->queue, w->wd, mask & ~NOTIFY_NOT_IN, cookie,
				  n ? n->name : "", n ? n->len : 0);
		if (w->mask & IN_ONESHOT)
			watch_end(w, &dead);
	}
	spin_unlock(&notify_lock);
	watches_free(&dead);
}

static inline bool has_watches(const struct inode *i)
{
	return i && !list_empty(&i->watches);
}

static u32 kind_of(const struct inode *i)
{
	return S_ISDIR(i->mode) ? IN_ISDIR : 0;
}

/* The watchers of the directory that @d is in, if there are any. */
static void tell_parent(struct dentry *d, u32 mask, bool unlinked)
{
	struct dentry *parent = dentry_get_parent(d);
	char name[NAME_MAX_LEN + 1];
	struct qname n = { .name = name };

	if (parent != d && has_watches(dentry_inode(parent))) {
		spin_lock(&vfs_tree_lock);
		n.len = d->parent == parent ? d->name_len : 0;
		memcpy(name, d->name, n.len);
		spin_unlock(&vfs_tree_lock);
		/* A name that has just moved elsewhere is no business of this directory. */
		if (n.len)
			watches_tell(dentry_inode(parent), mask, &n, 0, unlinked);
	}
	dentry_put(parent);
}

/* See notify.h. ctx: thread; holds: no spinlock; sleeps. */
void notify_path_event(struct dentry *d, const struct path *p, u32 mask)
{
	struct inode *i = dentry_inode(d);
	bool unlinked;

	if (!i)
		return;
	mask |= kind_of(i);
	if (READ_ONCE(fanotify_marks))
		(void)fanotify_tell_path(d, p, mask);
	unlinked =
		p && !(READ_ONCE(d->flags) & (DENTRY_HASHED | DENTRY_UNCACHED)) && d->parent != d;
	tell_parent(d, mask, unlinked);
	if (has_watches(i))
		watches_tell(i, mask, NULL, 0, unlinked);
}

/* See notify.h. A watch of the inode alone never says what kind it is. ctx: as above. */
void notify_inode_event(struct inode *i, struct dentry *d, u32 mask)
{
	struct fan_info e = { .mask = mask | kind_of(i), .inode = i, .dentry = d };

	if (READ_ONCE(fanotify_marks))
		(void)fanotify_tell(&e);
	if (!has_watches(i))
		return;
	if (!(mask & (IN_MOVE_SELF | IN_DELETE_SELF)))
		mask |= kind_of(i);
	watches_tell(i, mask, NULL, 0, false);
}

/* See notify.h. ctx: as above. */
void notify_entry_event(struct dentry *dir, const struct qname *n, struct inode *i,
			struct dentry *d, u32 mask, u32 cookie)
{
	struct fan_info e = {
		.mask = mask & ~NOTIFY_SAME_DIR, .inode = i, .dentry = d, .dir = dir, .name = *n
	};

	if (READ_ONCE(fanotify_marks))
		(void)fanotify_tell(&e);
	if (has_watches(dentry_inode(dir)))
		watches_tell(dentry_inode(dir), mask, n, cookie, false);
}

/* See notify.h: what FAN_RENAME says, before the two halves are told. ctx: as above. */
void notify_rename_event(struct dentry *from, const struct qname *old, struct dentry *to,
			 const struct qname *new, struct inode *i, struct dentry *d)
{
	struct fan_info e = { .mask = FAN_RENAME | kind_of(i),
			      .inode = i,
			      .dentry = d,
			      .dir = from,
			      .dir2 = to,
			      .name = *old,
			      .name2 = *new };

	if (READ_ONCE(fanotify_marks))
		(void)fanotify_tell(&e);
}

/* See notify.h. ctx: any. Never 0. */
u32 notify_cookie(void)
{
	u32 c = __atomic_add_fetch(&last_cookie, 1, __ATOMIC_RELAXED);

	return c ? c : notify_cookie();
}

/* The watches of @i say @mask and end. */
static void watches_end(struct inode *i, u32 mask)
{
	struct list dead = LIST_INIT(dead);
	struct watch *w, *tmp;

	spin_lock(&notify_lock);
	list_for_each_safe(w, tmp, &i->watches, of_inode) {
		if (w->group && (w->mask & mask))
			inotify_queue_add(&w->group->queue, w->wd, mask, 0, "", 0);
		watch_end(w, &dead);
	}
	spin_unlock(&notify_lock);
	watches_free(&dead);
}

/* See notify.h. ctx: thread; sleeps; the caller has a reference to @i. */
void notify_gone_event(struct inode *i)
{
	struct fan_info e = { .mask = FAN_DELETE_SELF | kind_of(i), .inode = i };

	if (READ_ONCE(fanotify_marks))
		(void)fanotify_tell(&e);
	if (has_watches(i))
		watches_end(i, IN_DELETE_SELF);
}

/* See notify.h. ctx: thread; sleeps. Nobody can add a watch on @sb any more. */
void notify_unmount_event(struct super *sb)
{
	struct inode *i;
	struct watch *w;

	do {
		i = NULL;
		spin_lock(&notify_lock);
		list_for_each(w, &all_watches, all) {
			if (w->inode->sb == sb) {
				i = w->inode;
				inode_get(i);
				break;
			}
		}
		spin_unlock(&notify_lock);
		if (i) {
			watches_end(i, IN_UNMOUNT | kind_of(i));
			inode_put(i);
		}
	} while (i);
}

/* --- the instance as a file --- */

static ssize_t inotify_read(struct file *f, struct uio *u, u64 *pos)
{
	struct inotify_group *g = f->priv;

	return inotify_queue_read(&g->queue, u);
}

static u32 inotify_poll(struct file *f, struct poll_table *pt)
{
	struct inotify_group *g = f->priv;

	poll_wait(pt, &g->queue.wait);
	return inotify_queue_empty(&g->queue) ? 0 : POLLIN | POLLRDNORM;
}

static long inotify_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct inotify_group *g = f->priv;

	return cmd == FIONREAD ? put_user(arg, inotify_queue_bytes(&g->queue)) : -ENOTTY;
}

static void inotify_release(struct file *f)
{
	struct inotify_group *g = f->priv;
	struct list dead = LIST_INIT(dead);
	struct rb_node *n;

	spin_lock(&notify_lock);
	while ((n = rb_first(&g->watches)))
		watch_detach(rb_entry(n, struct watch, node), &dead);
	spin_unlock(&notify_lock);
	watches_free(&dead);
	inotify_queue_fini(&g->queue);
	fs_user_uncharge(&g->user->inotify_instances);
	fs_user_put(g->user);
	kfree(g);
}

static void inotify_show(struct file *f, struct sbuf *sb)
{
	struct inotify_group *g = f->priv;

	spin_lock(&notify_lock);
	for (struct rb_node *n = rb_first(&g->watches); n; n = rb_next(n)) {
		struct watch *w = rb_entry(n, struct watch, node);
		u64 dev = w->inode->sb->dev;

		sbuf_printf(sb, "inotify wd:%x ino:%llx sdev:%x mask:%x ignored_mask:0 \n", w->wd,
			    (unsigned long long)w->inode->ino,
			    dev_major(dev) << 20 | dev_minor(dev),
			    w->mask & (IN_ALL_EVENTS | FLAGS_KEPT));
	}
	spin_unlock(&notify_lock);
}

static int inotify_fasync(struct file *f, int fd, bool on)
{
	struct inotify_group *g = f->priv;

	return async_change(&g->queue.async, f, fd, on);
}

static const struct file_ops inotify_ops = {
	.fasync = inotify_fasync,
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.seek = file_seek_nothing,
	.release = inotify_release,
	.show_fdinfo = inotify_show,
};

/* See inotify.h. ctx: any */
bool file_is_inotify(const struct file *f)
{
	return f->ops == &inotify_ops;
}

/* See inotify.h. ctx: thread; sleeps. */
int inotify_create(u32 flags, struct file **out)
{
	struct inotify_group *g = kzalloc(sizeof(*g), 0);
	int err = g ? inotify_queue_init(&g->queue) : -ENOMEM;

	if (err)
		goto free;
	rb_root_init(&g->watches);
	g->next_wd = 1;
	err = fs_user_get(current->cred->euid, &g->user);
	if (err)
		goto fini;
	err = -EMFILE;
	if (!fs_user_charge(&g->user->inotify_instances, (u32)READ_ONCE(max_user_instances)))
		goto put_user;
	err = file_alloc_anon("inotify", &inotify_ops, g, FILE_READ | FILE_STREAM,
			      O_RDONLY | (flags & O_NONBLOCK), out);
	if (!err)
		return 0;
	fs_user_uncharge(&g->user->inotify_instances);
put_user:
	fs_user_put(g->user);
fini:
	inotify_queue_fini(&g->queue);
free:
	kfree(g);
	return err;
}

/* Boot: one watch for each 200 KiB or so of memory, which keeps what they pin small. ctx: boot */
void inotify_init(void)
{
	struct pmm_stats st;
	u64 n;

	pmm_get_stats(&st);
	n = st.total / 100 * PAGE_SIZE / (sizeof(struct watch) + 2 * sizeof(struct inode));
	max_user_watches = (int)MIN(MAX(n, 8192ULL), 1048576ULL);
	fanotify_init(max_user_watches);
}
