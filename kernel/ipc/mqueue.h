#pragma once
/*
 * POSIX message queues: what the system calls (kernel/sys/sys_mqueue.c) use of them, and what the
 * queues (mqueue.c) and their file system (mqueue_fs.c) share. mq_overview(7).
 */
#include <linux/mqueue.h>
#include "fs/vfs.h"
#include "kernel/lib/rbtree.h"

struct fs_user;
struct netlink_note;
struct pid;

/* A message. Its bytes belong to the queue, or to whoever holds it. */
struct mq_message {
	struct rb_node node; /* q: queue->messages */
	u64 seq; /* q: among those of one priority, the order of arrival */
	u32 prio; /* I */
	u32 size; /* I */
	u8 data[]; /* I */
};

/* How a process wants to be told that the queue is not empty any more: struct sigevent's part. */
struct mq_event {
	int notify; /* SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD */
	int signo;
	u64 value;
	struct file *sock; /* SIGEV_THREAD: reference to a netlink socket, */
	struct netlink_note *note; /* and what to say there */
};

/* q: guarded by .lock */
struct mqueue {
	struct inode vfs; /* a: as its own fields say; its waitq: pollers */
	struct spinlock lock; /* rank SPIN_OUTER: signals are sent inside */
	struct rb_root messages; /* q: the next to be received is the first */
	u64 next_seq; /* q */
	u64 bytes; /* q: of all messages */
	u32 count; /* q; a for reading */
	u32 max_count, max_size; /* I */
	struct list senders,
		receivers; /* q: struct mq_waiter, the next to be served is the first */
	struct pid *owner; /* q: process to be told, with a reference; NULL: none */
	struct mq_event event; /* q: valid with an owner */
	struct fs_user *user; /* I: whom the queue is charged to */
	u64 charged; /* I: bytes of that */
	struct list link; /* its directory's lock: in the list of names */
	u64 pos; /* I: readdir cookie */
	u32 name_len; /* I */
	char name[NAME_MAX_LEN + 1]; /* I */
};

/* --- mqueue.c --- */

/*
 * A queue as @attr says (NULL: the defaults), charged to the current user. 0, -EINVAL, -EOVERFLOW,
 * -EMFILE (RLIMIT_MSGQUEUE), -ENOMEM. ctx: thread; sleeps
 */
int __must_check mqueue_init(struct mqueue *q, const struct mq_attr *attr);
void mqueue_fini(struct mqueue *q); /* nobody uses it any more. ctx: thread; sleeps */
/* The current process leaves a descriptor of @q: it is not told any more. ctx: thread; sleeps */
void mqueue_leave(struct mqueue *q);
/* The text of the queue's file. ctx: thread */
void mqueue_show(struct mqueue *q, struct sbuf *out);
u32 mqueue_poll(struct mqueue *q, struct poll_table *pt);
/* Of a file that is no queue: NULL. */
struct mqueue *mqueue_of(const struct file *f);

/*
 * Put @m in; @deadline: of the wall clock, TIME_NEVER: none. Takes @m over when it returns 0;
 * -EAGAIN, -ETIMEDOUT, -ERESTARTSYS. ctx: thread; sleeps
 */
int __must_check mqueue_send(struct mqueue *q, struct mq_message *m, bool nonblock, s64 deadline);
/* The oldest of the highest priority, to be kfree'd. As above. */
int __must_check mqueue_receive(struct mqueue *q, bool nonblock, s64 deadline,
				struct mq_message **out);
/* mq_notify(3): takes @ev's references over on success; NULL: no more. 0 or -EBUSY. ctx: thread */
int __must_check mqueue_notify(struct mqueue *q, const struct mq_event *ev);

/* --- mqueue_fs.c --- */

/*
 * mq_open(2) on the system's one instance; the descriptor's flags are the caller's business.
 * ctx: thread; sleeps. 0, or -errno as the manual page says.
 */
int __must_check mqueue_open(const char *name, u32 oflags, u32 mode, const struct mq_attr *attr,
			     struct file **out);
int mqueue_unlink(const char *name);
extern const struct file_ops mqueue_file_ops;
