#pragma once
/*
 * Signal-driven I/O (fcntl(2), O_ASYNC): an object that supports it keeps a list of the open files
 * on it that are in this mode, and says when something can be read or written.
 */
#include "fs/vfs.h"

/*
 * The body of a file_ops.fasync: @f, known to its user as @fd, enters the object's list @head or
 * leaves it. 0, or -ENOMEM (never when leaving). ctx: thread; sleeps.
 */
int __must_check async_change(struct list *head, struct file *f, int fd, bool on);
void async_leave(struct list *head, struct file *f); /* as above with @on false */
#define ASYNC_URGENT 0 /* a code beside POLL_*, for ->send only: SIGURG, whatever F_SETSIG says */
void async_notify_list(struct list *head, int code);

/*
 * Something happened: @code is POLL_IN, POLL_OUT... as si_code says it. ctx: thread; holds: no lock
 * ranked FILE_ASYNC or later; sleeps: no.
 */
static inline void async_notify(struct list *head, int code)
{
	if (unlikely(!list_empty(head)))
		async_notify_list(head, code);
}

/* Who gets signals, and which: kernel/proc knows. f->owner is its own. */
struct file_owner_ops {
	void (*send)(struct file *f, int fd, int code); /* @f must live meanwhile */
	void (*release)(struct file *f); /* the file goes */
	/* Leases: the calling process owns @f unless somebody does; nobody does. ctx: as send */
	void (*claim)(struct file *f);
	void (*disown)(struct file *f);
};
extern const struct file_owner_ops *file_owner_ops; /* I after boot */
