/*
 * fanotify(7): the queue of an instance, reading it, and answers to permission events.
 *
 * An event is merged with one of the last in the queue that says the same of the same file by the
 * same process. A permission event is never merged; it is also referred to by the thread that waits
 * for the answer, and lies, once read, on a list of its own until somebody writes the answer or the
 * instance goes, which allows everything. If the queue is full, one event says so, and permission
 * is given unasked.
 *
 * A record that is read is put together in one piece of memory: the metadata, then what the
 * instance asked for: directory and name, the second ones of a rename, the file, the process.
 * Descriptors are installed when the record has been copied.
 */
#include <asm/siginfo.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include "fs/async.h"
#include "fs/fanotify_internal.h"
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

#define MERGE_MAX 128 /* events of the queue that a new one is compared with */

/* Drop a reference; the last frees. ctx: thread; sleeps */
void fan_event_put(struct fan_event *e)
{
	if (!ref_put(&e->refs))
		return;
	if (e->path.mnt)
		path_put(&e->path);
	caller_ops->put(e->pid);
	kfree(e);
}

static bool same_fid(const struct fan_event *a, const struct fan_fid *fa, const struct fan_event *b,
		     const struct fan_fid *fb)
{
	return fa->there == fb->there && fa->ino == fb->ino && fa->len == fb->len &&
	       !memcmp(a->names + fa->name, b->names + fb->name, fa->len);
}

/* Do @a and @b differ only in what happened? */
static bool mergeable(const struct fan_event *a, const struct fan_event *b)
{
	const u32 alike = FAN_ONDIR | FAN_RENAME;

	return !((a->mask | b->mask) & (FAN_PERMS | FAN_Q_OVERFLOW)) && a->pid == b->pid &&
	       !((a->mask ^ b->mask) & alike) && a->path.mnt == b->path.mnt &&
	       a->path.dentry == b->path.dentry && a->fsid == b->fsid &&
	       same_fid(a, &a->dir, b, &b->dir) && same_fid(a, &a->dir2, b, &b->dir2) &&
	       same_fid(a, &a->object, b, &b->object);
}

/* Add @e's mask to an event that says the same. holds: g->lock */
static bool merge(struct fan_group *g, const struct fan_event *e)
{
	struct list *l = g->events.prev;

	for (u32 k = 0; k < MERGE_MAX && l != &g->events; k++, l = l->prev) {
		struct fan_event *old = list_entry(l, struct fan_event, link);

		if (mergeable(old, e)) {
			old->mask |= e->mask;
			return true;
		}
	}
	return false;
}

static void wake_readers(struct fan_group *g)
{
	waitq_wake_all(&g->wait);
	async_notify(&g->async, POLL_IN);
}

/* holds: g->lock. False: it says so already. */
static bool overflow_locked(struct fan_group *g)
{
	if (g->closed || !list_empty(&g->overflow->link))
		return false;
	list_add_tail(&g->events, &g->overflow->link);
	g->count++;
	return true;
}

/* An event is lost for lack of memory. ctx: thread */
void fan_queue_overflow(struct fan_group *g)
{
	bool news;

	spin_lock(&g->lock);
	news = overflow_locked(g);
	spin_unlock(&g->lock);
	if (news)
		wake_readers(g);
}

/* See fanotify_internal.h. */
bool fan_queue_add(struct fan_group *g, struct fan_event *e)
{
	bool added = false, news = false;

	spin_lock(&g->lock);
	if (g->closed) {
		added = false;
	} else if (g->count >= g->max) {
		news = overflow_locked(g);
	} else if (!merge(g, e)) {
		list_add_tail(&g->events, &e->link);
		g->count++;
		added = news = true;
	}
	spin_unlock(&g->lock);
	if (news)
		wake_readers(g);
	if (!added)
		fan_event_put(e);
	return added;
}

/* See fanotify_internal.h. */
int fan_wait_answer(struct fan_group *g, struct fan_event *e)
{
	bool mine = false;
	int err = 0;

	caller_ops->killable(true);
	wait_event(&g->answers,
		   load_acquire(&e->state) == FAN_ANSWERED || READ_ONCE(current->killed));
	caller_ops->killable(false);
	spin_lock(&g->lock);
	if (e->state == FAN_ANSWERED) {
		err = e->answer == FAN_ALLOW ? 0 : -EPERM;
	} else {
		err = -EINTR;
		if (e->state == FAN_QUEUED) {
			list_del(&e->link);
			g->count--;
			mine = true;
		}
	}
	spin_unlock(&g->lock);
	if (mine)
		fan_event_put(e);
	fan_event_put(e);
	return err;
}

/* Answer @e, which is on no list any more. holds: g->lock; then put and wake */
static void answer_locked(struct fan_event *e, u32 answer)
{
	e->answer = answer;
	store_release(&e->state, (u32)FAN_ANSWERED);
}

/* The last reader is gone: nobody is asked any more. ctx: thread; sleeps */
void fan_queue_close(struct fan_group *g)
{
	struct list dead = LIST_INIT(dead);
	struct fan_event *e, *tmp;

	spin_lock(&g->lock);
	g->closed = true;
	list_for_each_safe(e, tmp, &g->asked, link) {
		list_del(&e->link);
		list_add_tail(&g->events, &e->link);
	}
	list_for_each_safe(e, tmp, &g->events, link) {
		list_del(&e->link);
		if (e->mask & FAN_PERMS)
			answer_locked(e, FAN_ALLOW);
		if (e != g->overflow)
			list_add(&dead, &e->link);
	}
	spin_unlock(&g->lock);
	waitq_wake_all(&g->answers);
	list_for_each_safe(e, tmp, &dead, link)
		fan_event_put(e);
}

/* See fanotify_internal.h. */
u32 fan_queue_bytes(struct fan_group *g)
{
	struct fan_event *e;
	u32 n = 0;

	spin_lock(&g->lock);
	list_for_each(e, &g->events, link)
		n += FAN_EVENT_METADATA_LEN;
	spin_unlock(&g->lock);
	return n;
}

/* --- reading --- */

/* A record with its descriptors, which are installed when it is copied. */
struct record {
	char bytes[FAN_EVENT_METADATA_LEN + 3 * (20 + NAME_MAX_LEN + 4) + 8] __aligned(8);
	u32 len;
	int fd, pidfd;
	struct file *file, *pidfile;
};

/* struct file_handle as name_to_handle_at gives it (kernel/sys/sys_handle.c). */
struct handle_info {
	struct fanotify_event_info_header hdr;
	u32 fsid[2];
	u32 bytes;
	int type;
	u32 generation, ino[2];
};

static u32 fid_len(const struct fan_fid *fid, u32 name)
{
	return fid->there ? (u32)ALIGN_UP(sizeof(struct handle_info) + (name ? name + 1 : 0), 4)
			  : 0;
}

/* A directory by itself is "." to those who want names. */
static bool is_dot(const struct fan_group *g, const struct fan_event *e)
{
	return (g->flags & FAN_REPORT_NAME) && (e->mask & FAN_ONDIR) && !e->dir.there &&
	       !e->dir2.there;
}

static u32 record_len(const struct fan_group *g, const struct fan_event *e)
{
	return FAN_EVENT_METADATA_LEN + fid_len(&e->dir, e->dir.len) +
	       fid_len(&e->dir2, e->dir2.len) + fid_len(&e->object, is_dot(g, e)) +
	       (g->flags & FAN_REPORT_PIDFD ? (u32)sizeof(struct fanotify_event_info_pidfd) : 0);
}

static void put_fid(struct record *r, const struct fan_event *e, const struct fan_fid *fid, u8 type,
		    const char *name, u32 len)
{
	struct handle_info h = {
		.hdr = { .info_type = type, .len = (u16)fid_len(fid, len) },
		.fsid = { (u32)e->fsid, (u32)(e->fsid >> 32) },
		.bytes = 12,
		.type = 1,
		.ino = { (u32)fid->ino, (u32)(fid->ino >> 32) },
	};

	if (!fid->there)
		return;
	memcpy(r->bytes + r->len, &h, sizeof(h));
	memcpy(r->bytes + r->len + sizeof(h), name, len);
	r->len += h.hdr.len;
}

static void put_fids(struct record *r, const struct fan_group *g, const struct fan_event *e)
{
	u32 type = e->dir.len ? FAN_EVENT_INFO_TYPE_DFID_NAME : FAN_EVENT_INFO_TYPE_DFID;
	bool alone = !e->dir.there && !e->dir2.there, dot = is_dot(g, e);

	put_fid(r, e, &e->dir, e->mask & FAN_RENAME ? FAN_EVENT_INFO_TYPE_OLD_DFID_NAME : type,
		e->names + e->dir.name, e->dir.len);
	put_fid(r, e, &e->dir2, FAN_EVENT_INFO_TYPE_NEW_DFID_NAME, e->names + e->dir2.name,
		e->dir2.len);
	type = FAN_EVENT_INFO_TYPE_FID;
	if (alone && (g->flags & FAN_FIDS) != FAN_REPORT_FID) {
		if (dot)
			type = FAN_EVENT_INFO_TYPE_DFID_NAME;
		else if (e->mask & (FAN_DIRENT | FAN_ONDIR))
			type = FAN_EVENT_INFO_TYPE_DFID;
	}
	put_fid(r, e, &e->object, type, ".", dot);
}

/* The file, or the process, as a descriptor. It, or an error. */
static int open_fd(const struct fan_group *g, const struct fan_event *e, bool process,
		   struct file **out)
{
	int fd, err = fd_reserve(0, caller_ops->fd_limit(), process || (g->event_flags & O_CLOEXEC),
				 &fd);

	if (err)
		return err;
	if (process)
		err = caller_ops->open(e->pid, out);
	else
		err = file_open_path(&e->path, g->event_flags | OPEN_UNNOTICED, out);
	if (!err)
		return fd;
	fd_unreserve(fd);
	return err;
}

static void record_close(struct record *r, bool good)
{
	if (r->file && good)
		fd_install(r->fd, r->file);
	if (r->pidfile && good)
		fd_install(r->pidfd, r->pidfile);
	if (good)
		return;
	if (r->file) {
		fd_unreserve(r->fd);
		file_put(r->file);
	}
	if (r->pidfile) {
		fd_unreserve(r->pidfd);
		file_put(r->pidfile);
	}
}

/* Put @r together. 0, or why the file cannot be opened. */
static int record_fill(struct record *r, const struct fan_group *g, const struct fan_event *e)
{
	struct fanotify_event_metadata m = {
		.event_len = record_len(g, e),
		.vers = FANOTIFY_METADATA_VERSION,
		.metadata_len = FAN_EVENT_METADATA_LEN,
		.mask = e->mask,
		.fd = FAN_NOFD,
		.pid = (int)caller_ops->number(e->pid),
	};
	struct fanotify_event_info_pidfd p = {
		.hdr = { .info_type = FAN_EVENT_INFO_TYPE_PIDFD, .len = sizeof(p) },
		.pidfd = FAN_NOPIDFD,
	};

	memset(r, 0, sizeof(*r));
	if ((g->flags & FANOTIFY_UNPRIV) && m.pid != (int)caller_number())
		m.pid = 0;
	if (e->path.mnt) {
		r->fd = m.fd = open_fd(g, e, false, &r->file);
		if (m.fd < 0)
			return m.fd;
	}
	memcpy(r->bytes, &m, sizeof(m));
	r->len = sizeof(m);
	put_fids(r, g, e);
	if (!(g->flags & FAN_REPORT_PIDFD))
		return 0;
	if (m.pid) {
		r->pidfd = open_fd(g, e, true, &r->pidfile);
		p.pidfd = r->pidfd == -ESRCH ? FAN_NOPIDFD : r->pidfd < 0 ? FAN_EPIDFD : r->pidfd;
	}
	memcpy(r->bytes + r->len, &p, sizeof(p));
	r->len += sizeof(p);
	return 0;
}

/* @e was read with @fd, or could not be (an error): what comes of it. ctx: thread; sleeps */
static void event_done(struct fan_group *g, struct fan_event *e, int fd)
{
	bool later = false;

	if (e == g->overflow)
		return;
	if (e->mask & FAN_PERMS) {
		spin_lock(&g->lock);
		if (fd < 0 || g->closed) {
			answer_locked(e, fd < 0 ? FAN_DENY : FAN_ALLOW);
		} else {
			e->fd = fd;
			list_add_tail(&g->asked, &e->link);
			later = true;
		}
		spin_unlock(&g->lock);
		if (!later)
			waitq_wake_all(&g->answers);
	}
	if (!later)
		fan_event_put(e);
}

/* The first event if it fits @room: 0 with *out (NULL: none is there), or -EINVAL. */
static int take(struct fan_group *g, size_t room, struct fan_event **out)
{
	struct fan_event *e = NULL;
	int err = 0;

	spin_lock(&g->lock);
	if (!list_empty(&g->events)) {
		e = list_first(&g->events, struct fan_event, link);
		if (record_len(g, e) > room) {
			err = -EINVAL;
		} else {
			list_del(&e->link);
			g->count--;
			e->state = FAN_READ;
		}
	}
	spin_unlock(&g->lock);
	*out = e;
	return err;
}

static int read_one(struct fan_group *g, struct fan_event *e, struct uio *u)
{
	struct record r;
	int err = record_fill(&r, g, e);

	if (!err && uio_copy_to(u, r.bytes, r.len) != (ssize_t)r.len)
		err = -EFAULT;
	record_close(&r, !err);
	event_done(g, e, err ? err : r.fd);
	return err;
}

/*
 * Read whole events, waiting for the first.
 * ctx: thread; sleeps. Bytes, -EINVAL (not even one fits), -EAGAIN, -ERESTARTSYS, -EFAULT, or why
 * the file of the first cannot be opened.
 */
ssize_t fanotify_read(struct file *f, struct uio *u, u64 *pos)
{
	struct fan_group *g = f->priv;
	struct fan_event *e;
	size_t room = u->left;
	int err;

	for (;;) {
		err = take(g, u->left, &e);
		if (!err && e)
			err = read_one(g, e, u);
		if (err == -EFAULT)
			return err;
		if (err)
			break;
		if (e)
			continue;
		err = -EAGAIN;
		if (u->left < room || u->nonblock)
			break;
		if (wait_event_interruptible(&g->wait, !list_empty(&g->events)))
			return -ERESTARTSYS;
	}
	return u->left < room ? (ssize_t)(room - u->left) : err;
}

/*
 * The answer to a permission event.
 * ctx: thread; sleeps. Its size, -EINVAL, -EFAULT, -ENOENT (there is no such question).
 */
ssize_t fanotify_write(struct file *f, struct uio *u, u64 *pos)
{
	struct fan_group *g = f->priv;
	struct fanotify_response r;
	struct fan_event *e, *found = NULL;
	u32 allowed, answer;

	if (u->left < sizeof(r))
		return -EINVAL;
	if (uio_copy_from(u, &r, sizeof(r)) != (ssize_t)sizeof(r))
		return -EFAULT;
	allowed = FAN_ALLOW | FAN_DENY | (g->flags & FAN_ENABLE_AUDIT ? FAN_AUDIT : 0);
	answer = r.response & (FAN_ALLOW | FAN_DENY);
	if ((r.response & ~allowed) || (answer != FAN_ALLOW && answer != FAN_DENY) || r.fd < 0)
		return -EINVAL;
	spin_lock(&g->lock);
	list_for_each(e, &g->asked, link) {
		if (e->fd == r.fd) {
			found = e;
			break;
		}
	}
	if (found) {
		list_del(&found->link);
		answer_locked(found, answer);
	}
	spin_unlock(&g->lock);
	if (!found)
		return -ENOENT;
	waitq_wake_all(&g->answers);
	fan_event_put(found);
	return sizeof(r);
}
