/*
 * fanotify(7): instances and their marks.
 *
 * A mark ties an instance to an inode, a mount or a file system, with the events that are wanted
 * and those to be ignored. It is a watch like inotify's (notify_watch.h), so it ends with the inode
 * or the file system; a mark of a mount or file system lies on its root and is on one more list,
 * which each event is compared with. Marks that may be evicted are kept like the others.
 *
 * An instance is its open file. Events under way have references of their own.
 *
 * Locking: notify_lock guards the marks, group->lock (EVENT), taken inside or alone, the queue.
 */
#include <asm/ioctls.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include "fs/async.h"
#include "fs/fanotify_internal.h"
#include "fs/fsuser.h"
#include "fs/handle.h"
#include "fs/namei.h"
#include "fs/procfs.h"
#include "mm/slab.h"

static int max_queued_events = 16384;
static int max_user_groups = 128;
static int max_user_marks = 8192; /* raised at boot by the size of memory */
SYSCTL_INT(fanotify_max_queued, "sys/fs/fanotify/max_queued_events", &max_queued_events, 0,
	   0x7fffffff);
SYSCTL_INT(fanotify_max_groups, "sys/fs/fanotify/max_user_groups", &max_user_groups, 0, 0x7fffffff);
SYSCTL_INT(fanotify_max_marks, "sys/fs/fanotify/max_user_marks", &max_user_marks, 0, 0x7fffffff);

u32 fanotify_marks, fanotify_asked;
struct list fan_broad = LIST_INIT(fan_broad); /* notify_lock: struct fan_mark.broad */
static u64 last_order; /* a */

static const struct file_ops fanotify_ops;

static struct fan_mark *mark_of(struct watch *w)
{
	return container_of(w, struct fan_mark, w);
}

/* Count @m among those whose events ask for permission. holds: notify_lock */
static void mark_set_mask(struct fan_mark *m, u32 mask)
{
	u32 was = !!(m->mask & FAN_PERMS), is = !!(mask & FAN_PERMS);

	m->mask = mask;
	WRITE_ONCE(fanotify_asked, fanotify_asked + is - was);
}

/* See notify_watch.h: the mark leaves its group. */
void fanotify_watch_gone(struct watch *w)
{
	struct fan_mark *m = mark_of(w);

	mark_set_mask(m, 0);
	list_del(&m->of_group);
	list_del(&m->broad);
	WRITE_ONCE(fanotify_marks, fanotify_marks - 1);
	fs_user_uncharge(&m->group->user->fanotify_marks);
}

static struct inode *inode_of(const struct path *p, u32 type)
{
	if (!type)
		return dentry_inode(p->dentry);
	return dentry_inode(type == FAN_MARK_MOUNT ? p->mnt->root : p->mnt->sb->root);
}

/* @g's mark of that type on @p. holds: notify_lock */
static struct fan_mark *mark_find(struct fan_group *g, const struct path *p, u32 type)
{
	struct watch *w;

	list_for_each(w, &inode_of(p, type)->watches, of_inode) {
		if (w->fan && mark_of(w)->group == g && mark_of(w)->type == type &&
		    (type != FAN_MARK_MOUNT || mark_of(w)->mnt == p->mnt))
			return mark_of(w);
	}
	return NULL;
}

/* May the flags of @m become such? */
static int mark_may_change(const struct fan_mark *m, u32 flags)
{
	if ((flags & FAN_MARK_EVICTABLE) && !(m->flags & FAN_MARK_EVICTABLE))
		return -EEXIST;
	if ((flags & FAN_MARK_IGNORED_MASK) && (m->flags & FAN_MARK_IGNORE))
		return -EEXIST;
	if ((flags & FAN_MARK_IGNORE) && !(flags & FAN_MARK_IGNORED_SURV_MODIFY) &&
	    (m->flags & FAN_MARK_IGNORED_SURV_MODIFY))
		return -EEXIST;
	return 0;
}

static void mark_change(struct fan_mark *m, u32 flags, u32 mask)
{
	if (flags & (FAN_MARK_IGNORE | FAN_MARK_IGNORED_MASK)) {
		m->ignore |= mask;
		m->flags |= flags & (FAN_MARK_IGNORE | FAN_MARK_IGNORED_SURV_MODIFY);
	} else {
		mark_set_mask(m, m->mask | mask);
	}
	if (!(flags & FAN_MARK_EVICTABLE))
		m->flags &= ~(u32)FAN_MARK_EVICTABLE;
}

/* Enter the new mark @m. 0 or -ENOSPC. holds: notify_lock */
static int mark_enter(struct fan_group *g, const struct path *p, u32 flags, struct fan_mark *m)
{
	u32 max = g->flags & FAN_UNLIMITED_MARKS ? ~0u : (u32)READ_ONCE(max_user_marks);

	if (!fs_user_charge(&g->user->fanotify_marks, max))
		return -ENOSPC;
	m->w.fan = true;
	m->group = g;
	m->type = flags & FAN_TYPES;
	m->mnt = m->type == FAN_MARK_MOUNT ? p->mnt : NULL;
	m->flags = flags & FAN_MARK_EVICTABLE;
	list_add_tail(&g->marks, &m->of_group);
	list_init(&m->broad);
	if (m->type)
		list_add(&fan_broad, &m->broad);
	WRITE_ONCE(fanotify_marks, fanotify_marks + 1);
	watch_hang(&m->w, inode_of(p, m->type));
	return 0;
}

/* See fanotify.h. */
int fanotify_mark_add(struct file *f, const struct path *p, u32 flags, u32 mask)
{
	struct fan_mark *fresh, *m;
	struct fan_group *g = f->priv;
	int err = 0;
	u64 ino;

	/* What is written to now would lose such a mark at once. */
	if (!(flags & (FAN_TYPES | FAN_MARK_IGNORED_SURV_MODIFY)) &&
	    (flags & (FAN_MARK_IGNORE | FAN_MARK_IGNORED_MASK)) &&
	    READ_ONCE(dentry_inode(p->dentry)->writers))
		return 0;
	if (g->flags & FAN_FIDS) {
		err = handle_make(p, &ino);
		if (err)
			return err;
	}
	fresh = kzalloc(sizeof(*fresh), 0);
	if (!fresh)
		return -ENOMEM;
	spin_lock(&notify_lock);
	m = mark_find(g, p, flags & FAN_TYPES);
	if (m) {
		err = mark_may_change(m, flags);
	} else {
		m = fresh;
		err = mark_enter(g, p, flags, m);
		if (!err)
			fresh = NULL;
	}
	if (!err)
		mark_change(m, flags, mask);
	spin_unlock(&notify_lock);
	kfree(fresh);
	return err;
}

/* See fanotify.h. */
int fanotify_mark_remove(struct file *f, const struct path *p, u32 flags, u32 mask, u32 kept)
{
	struct list dead = LIST_INIT(dead);
	struct fan_mark *m;

	mask &= ~kept;
	spin_lock(&notify_lock);
	m = mark_find(f->priv, p, flags & FAN_TYPES);
	if (m) {
		if (flags & (FAN_MARK_IGNORE | FAN_MARK_IGNORED_MASK))
			m->ignore &= ~mask;
		else
			mark_set_mask(m, m->mask & ~mask);
		if (!((m->mask | m->ignore) & ~kept))
			watch_detach(&m->w, &dead);
	}
	spin_unlock(&notify_lock);
	watches_free(&dead);
	return m ? 0 : -ENOENT;
}

/* End the marks of @g that are of @type; ~0: all. ctx: thread; sleeps */
static void marks_end(struct fan_group *g, u32 type)
{
	struct list dead = LIST_INIT(dead);
	struct fan_mark *m, *tmp;

	spin_lock(&notify_lock);
	list_for_each_safe(m, tmp, &g->marks, of_group)
		if (type == ~0u || m->type == type)
			watch_detach(&m->w, &dead);
	spin_unlock(&notify_lock);
	watches_free(&dead);
}

/* See fanotify.h. */
void fanotify_mark_flush(struct file *f, u32 flags)
{
	marks_end(f->priv, flags & FAN_TYPES);
}

/* See fanotify.h. */
void fanotify_mount_gone(struct mount *mnt)
{
	struct list dead = LIST_INIT(dead);
	struct fan_mark *m, *tmp;

	spin_lock(&notify_lock);
	list_for_each_safe(m, tmp, &fan_broad, broad)
		if (m->mnt == mnt)
			watch_detach(&m->w, &dead);
	spin_unlock(&notify_lock);
	watches_free(&dead);
}

/* Drop a reference. ctx: thread */
void fan_group_put(struct fan_group *g)
{
	if (!ref_put(&g->refs))
		return;
	fs_user_uncharge(&g->user->fanotify_groups);
	fs_user_put(g->user);
	kfree(g->overflow);
	kfree(g);
}

static u32 fanotify_poll(struct file *f, struct poll_table *pt)
{
	struct fan_group *g = f->priv;

	poll_wait(pt, &g->wait);
	return list_empty(&g->events) ? 0 : POLLIN | POLLRDNORM;
}

static long fanotify_ioctl(struct file *f, u32 cmd, u64 arg)
{
	return cmd == FIONREAD ? put_user(arg, fan_queue_bytes(f->priv)) : -ENOTTY;
}

static int fanotify_fasync(struct file *f, int fd, bool on)
{
	struct fan_group *g = f->priv;

	return async_change(&g->async, f, fd, on);
}

static void fanotify_release(struct file *f)
{
	struct fan_group *g = f->priv;

	marks_end(g, ~0u);
	fan_queue_close(g);
	fan_group_put(g);
}

static void show_mark(struct sbuf *sb, const struct fan_mark *m)
{
	const struct inode *i = m->w.inode;
	u32 dev = dev_major(i->sb->dev) << 20 | dev_minor(i->sb->dev);

	sbuf_puts(sb, "fanotify ");
	if (m->type == FAN_MARK_MOUNT)
		sbuf_printf(sb, "mnt_id:%x", m->mnt->id);
	else if (m->type)
		sbuf_printf(sb, "sdev:%x", dev);
	else
		sbuf_printf(sb, "ino:%llx sdev:%x", (unsigned long long)i->ino, dev);
	sbuf_printf(sb, " mflags:%x mask:%x ignored_mask:%x", m->flags, m->mask, m->ignore);
	if (!m->type) {
		sbuf_puts(sb, " ");
		if (i->sb->handles) {
			sbuf_puts(sb, "fhandle-bytes:c fhandle-type:1 f_handle:00000000");
			for (int b = 0; b < 64; b += 8)
				sbuf_printf(sb, "%02x", (u32)(i->ino >> b) & 0xff);
		}
	}
	sbuf_puts(sb, "\n");
}

static void fanotify_show(struct file *f, struct sbuf *sb)
{
	struct fan_group *g = f->priv;
	struct fan_mark *m;

	sbuf_printf(sb, "fanotify flags:%x event-flags:%x\n",
		    g->flags & ~(FANOTIFY_UNPRIV | FAN_ENABLE_AUDIT), g->event_flags);
	spin_lock(&notify_lock);
	list_for_each(m, &g->marks, of_group)
		show_mark(sb, m);
	spin_unlock(&notify_lock);
}

static const struct file_ops fanotify_ops = {
	.read = fanotify_read,
	.write = fanotify_write,
	.poll = fanotify_poll,
	.ioctl = fanotify_ioctl,
	.fasync = fanotify_fasync,
	.seek = file_seek_nothing,
	.release = fanotify_release,
	.show_fdinfo = fanotify_show,
};

/* See fanotify.h. ctx: any */
bool file_is_fanotify(const struct file *f)
{
	return f->ops == &fanotify_ops;
}

/* See fanotify.h. ctx: any */
u32 fanotify_flags(const struct file *f)
{
	const struct fan_group *g = f->priv;

	return g->flags;
}

/* See fanotify.h. */
int fanotify_create(u32 flags, u32 event_flags, struct file **out)
{
	struct fan_group *g = kzalloc(sizeof(*g), 0);
	u64 class = flags & (FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT);
	int err = -ENOMEM;

	if (!g)
		return err;
	g->overflow = kzalloc(sizeof(*g->overflow), 0);
	if (!g->overflow)
		goto free;
	list_init(&g->overflow->link);
	g->overflow->mask = FAN_Q_OVERFLOW;
	err = fs_user_get(current->cred->euid, &g->user);
	if (err)
		goto free;
	err = -EMFILE;
	if (!fs_user_charge(&g->user->fanotify_groups, (u32)READ_ONCE(max_user_groups)))
		goto put_user;
	spin_init(&g->lock, RANK_EVENT);
	ref_init(&g->refs, 1);
	list_init(&g->marks);
	list_init(&g->events);
	list_init(&g->asked);
	list_init(&g->async);
	waitq_init(&g->wait);
	waitq_init(&g->answers);
	g->flags = flags;
	g->event_flags = event_flags;
	g->max = flags & FAN_UNLIMITED_QUEUE ? ~0u : (u32)READ_ONCE(max_queued_events);
	g->order = (FAN_CLASS_PRE_CONTENT - class) << 56 |
		   __atomic_add_fetch(&last_order, 1, __ATOMIC_RELAXED);
	err = file_alloc_anon("[fanotify]", &fanotify_ops, g, FILE_READ | FILE_WRITE | FILE_STREAM,
			      O_RDWR | (flags & FAN_NONBLOCK ? O_NONBLOCK : 0), out);
	if (!err)
		return 0;
	fs_user_uncharge(&g->user->fanotify_groups);
put_user:
	fs_user_put(g->user);
free:
	kfree(g->overflow);
	kfree(g);
	return err;
}

/* Boot: as many marks as inotify has watches. ctx: boot */
void fanotify_init(int marks)
{
	max_user_marks = marks;
}
