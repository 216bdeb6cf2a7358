/*
 * Lists of open files in signal-driven mode: see async.h.
 *
 * An entry belongs to one object's list and one open file; it goes when the mode is switched off
 * and at the latest with the open file, whose release calls its fasync operation. So entries need
 * no reference to the file.
 *
 * One lock (FILE_ASYNC) guards all lists: changes are rare, and an object whose list is empty is
 * found out without it. The signal is sent under the lock, since the file lives only as long as its
 * entry.
 */
#include <linux/errno.h>
#include "fs/async.h"
#include "mm/slab.h"

struct async_entry {
	struct list link; /* async_lock */
	struct file *file; /* I */
	int fd; /* async_lock: what si_fd says */
};

static struct spinlock async_lock = SPINLOCK_INIT(RANK_FILE_ASYNC);
const struct file_owner_ops *file_owner_ops;

/* The entry of @f on @head, or NULL. holds: async_lock */
static struct async_entry *entry_find(struct list *head, const struct file *f)
{
	struct async_entry *e;

	list_for_each(e, head, link)
		if (e->file == f)
			return e;
	return NULL;
}

static int async_enter(struct list *head, struct file *f, int fd)
{
	struct async_entry *fresh = kmalloc(sizeof(*fresh), 0), *e;

	if (!fresh)
		return -ENOMEM;
	spin_lock(&async_lock);
	e = entry_find(head, f);
	if (!e) {
		e = fresh;
		e->file = f;
		list_add(head, &e->link);
		fresh = NULL;
	}
	e->fd = fd;
	spin_unlock(&async_lock);
	kfree(fresh);
	return 0;
}

/* See async.h. ctx: thread */
void async_leave(struct list *head, struct file *f)
{
	struct async_entry *e;

	spin_lock(&async_lock);
	e = entry_find(head, f);
	if (e)
		list_del(&e->link);
	spin_unlock(&async_lock);
	kfree(e);
}

/* See async.h. */
int async_change(struct list *head, struct file *f, int fd, bool on)
{
	if (on)
		return async_enter(head, f, fd);
	async_leave(head, f);
	return 0;
}

/* Tell all on @head. ctx: as async_notify */
void async_notify_list(struct list *head, int code)
{
	struct async_entry *e;

	spin_lock(&async_lock);
	list_for_each(e, head, link)
		file_owner_ops->send(e->file, e->fd, code);
	spin_unlock(&async_lock);
}
