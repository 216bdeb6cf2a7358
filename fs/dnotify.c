/*
 * dnotify: signals about changes in a directory (fcntl(2), F_NOTIFY), which inotify replaced.
 *
 * A request belongs to an open directory in one descriptor table, and is a watch on the directory
 * like inotify's (notify_watch.h): the same events reach it. It is told through the file's owner
 * (async.h) with the descriptor it was made by. Without DN_MULTISHOT the first event is the last;
 * closing any descriptor of the file in that table ends it too, and at the latest the end of the
 * file itself, so that a request never outlives what it points to.
 */
#include <asm/siginfo.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include "fs/async.h"
#include "fs/notify_watch.h"
#include "fs/procfs.h"
#include "mm/slab.h"

static int dnotify_enable = 1;
SYSCTL_INT(dir_notify_enable, "sys/fs/dir-notify-enable", &dnotify_enable, 0, 1);

/* The request of @f in table @owner (NULL: in any), or NULL. holds: notify_lock */
static struct watch *request_find(const struct file *f, const void *owner)
{
	struct watch *w;

	list_for_each(w, &f->inode->watches, of_inode)
		if (!w->group && !w->fan && w->file == f && (!owner || w->owner == owner))
			return w;
	return NULL;
}

/* See notify.h. ctx: thread; sleeps */
void notify_file_gone(struct file *f, const void *owner)
{
	struct list dead = LIST_INIT(dead);
	struct watch *w;

	spin_lock(&notify_lock);
	while ((w = request_find(f, owner)))
		watch_detach(w, &dead);
	spin_unlock(&notify_lock);
	watches_free(&dead);
}

/* See notify.h. ctx: thread; sleeps */
int dnotify_set(struct file *f, const void *owner, int fd, u32 mask)
{
	struct watch *fresh, *w;

	if (!READ_ONCE(dnotify_enable))
		return -EINVAL;
	if (!(mask & ~(u32)DN_MULTISHOT)) {
		notify_file_gone(f, owner);
		return 0;
	}
	if (!S_ISDIR(f->inode->mode))
		return -ENOTDIR;
	fresh = kzalloc(sizeof(*fresh), 0);
	if (!fresh)
		return -ENOMEM;
	fresh->wd = fd;
	fresh->file = f;
	fresh->owner = owner;
	spin_lock(&notify_lock);
	w = request_find(f, owner);
	if (!w) {
		w = fresh;
		fresh = NULL;
		watch_hang(w, f->inode);
	}
	w->wd = fd;
	w->mask |= mask;
	spin_unlock(&notify_lock);
	kfree(fresh);
	return 0;
}

/* What an event is to dnotify. */
static u32 mask_of(u32 in)
{
	u32 dn = 0;

	if (in & IN_ACCESS)
		dn |= DN_ACCESS;
	if (in & IN_MODIFY)
		dn |= DN_MODIFY;
	if (in & IN_ATTRIB)
		dn |= DN_ATTRIB;
	if (in & (IN_CREATE | IN_MOVED_TO))
		dn |= DN_CREATE;
	if (in & (IN_DELETE | IN_MOVED_FROM))
		dn |= DN_DELETE;
	if (in & NOTIFY_SAME_DIR)
		dn |= DN_RENAME;
	return dn;
}

/* See notify_watch.h. */
bool dnotify_tell(struct watch *w, u32 mask)
{
	if (!(mask_of(mask) & w->mask))
		return false;
	file_owner_ops->send(w->file, w->wd, POLL_MSG);
	return !(w->mask & DN_MULTISHOT);
}
