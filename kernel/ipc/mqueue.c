/*
 * POSIX message queues: the queues themselves.
 *
 * Messages lie in a tree by priority and, within one, by arrival; the first is received next. Who
 * must wait, a sender at a full queue or a receiver at an empty one, hangs a waiter from its own
 * stack on the queue, behind those of its own priority and before those of lower ones. Whoever
 * makes room or brings a message serves the first waiter itself: it gives the message to the
 * receiver, or takes the sender's in, and wakes it. So nobody who comes later can be served first,
 * and a message that finds a receiver waiting never makes the queue "not empty", which is what
 * mq_notify is about.
 *
 * One process may be registered for being told when a message comes to the empty queue; being told,
 * and closing any descriptor of the queue, ends that. SIGEV_THREAD is the C library's: it gives a
 * netlink socket and 32 bytes, which come back there with the last one changed to say what
 * happened.
 *
 * A queue is charged to the user who made it with all that it may ever hold (RLIMIT_MSGQUEUE), by
 * Linux's formula, so that limits mean the same.
 *
 * Everything is guarded by q->lock (rank SPIN_OUTER). mq_overview(7).
 */
#include <asm/siginfo.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/poll.h>
#include <linux/resource.h>
#include "fs/fsuser.h"
#include "fs/procfs.h"
#include "kernel/ipc/mqueue.h"
#include "kernel/lib/string.h"
#include "kernel/proc/proc.h"
#include "mm/slab.h"
#include "net/sock/socket.h"

/*
 * What nobody may exceed, whatever his capabilities; and the least that the limits can be set to.
 */
#define COUNT_HARD 65536
#define SIZE_HARD (16 * 1024 * 1024)
#define COUNT_LEAST 1
#define SIZE_LEAST 128

/* Linux charges a message its header, and each possible priority a tree node. */
#define CHARGE_MESSAGE 48
#define CHARGE_NODE 48

static int count_max = 10, count_default = 10, size_max = 8192, size_default = 8192;
SYSCTL_INT(mq_msg_max, "sys/fs/mqueue/msg_max", &count_max, COUNT_LEAST, COUNT_HARD);
SYSCTL_INT(mq_msg_default, "sys/fs/mqueue/msg_default", &count_default, COUNT_LEAST, COUNT_HARD);
SYSCTL_INT(mq_msgsize_max, "sys/fs/mqueue/msgsize_max", &size_max, SIZE_LEAST, SIZE_HARD);
SYSCTL_INT(mq_msgsize_default, "sys/fs/mqueue/msgsize_default", &size_default, SIZE_LEAST,
	   SIZE_HARD);

/* On the stack of who waits. */
struct mq_waiter {
	struct list link; /* q */
	struct thread *thread; /* I */
	struct mq_message *m; /* q: the sender's; or what the receiver gets */
	u32 served; /* q; a for reading: taken off the list by who served it */
};

/* --- making and ending --- */

static int check_attr(const struct mq_attr *a)
{
	bool free = cred_capable(current->cred, CAP_SYS_RESOURCE);
	long counts = free ? COUNT_HARD : READ_ONCE(count_max);
	long sizes = free ? SIZE_HARD : READ_ONCE(size_max);

	if (a->mq_maxmsg <= 0 || a->mq_msgsize <= 0 || a->mq_maxmsg > counts ||
	    a->mq_msgsize > sizes)
		return -EINVAL;
	return 0;
}

static int charge(struct mqueue *q)
{
	u64 *total = &q->user->mqueue_bytes;

	q->charged = (u64)q->max_count * (q->max_size + CHARGE_MESSAGE) +
		     (u64)MIN(q->max_count, (u32)MQ_PRIO_MAX) * CHARGE_NODE;
	if (__atomic_add_fetch(total, q->charged, __ATOMIC_RELAXED) <= proc_rlimit(RLIMIT_MSGQUEUE))
		return 0;
	__atomic_sub_fetch(total, q->charged, __ATOMIC_RELAXED);
	return -EMFILE;
}

/* See mqueue.h. */
int mqueue_init(struct mqueue *q, const struct mq_attr *attr)
{
	int err = attr ? check_attr(attr) : 0;

	if (err)
		return err;
	q->max_count = attr ? (u32)attr->mq_maxmsg : (u32)MIN(count_max, count_default);
	q->max_size = attr ? (u32)attr->mq_msgsize : (u32)MIN(size_max, size_default);
	err = fs_user_get(current->cred->uid, &q->user);
	if (err)
		return err;
	err = charge(q);
	if (err) {
		fs_user_put(q->user);
		return err;
	}
	spin_init(&q->lock, RANK_SPIN_OUTER);
	rb_root_init(&q->messages);
	list_init(&q->senders);
	list_init(&q->receivers);
	list_init(&q->link);
	q->next_seq = q->bytes = 0;
	q->count = 0;
	q->owner = NULL;
	return 0;
}

/* See mqueue.h. */
void mqueue_fini(struct mqueue *q)
{
	struct rb_node *n;

	while ((n = rb_first(&q->messages))) {
		rb_erase(&q->messages, n);
		kfree(rb_entry(n, struct mq_message, node));
	}
	__atomic_sub_fetch(&q->user->mqueue_bytes, q->charged, __ATOMIC_RELAXED);
	fs_user_put(q->user);
}

/* --- being told --- */

/* What a registration holds, to be let go when no lock is held. */
static void event_release(struct pid *owner, struct mq_event *ev)
{
	if (!owner)
		return;
	pid_put(owner);
	if (ev->notify == SIGEV_THREAD) {
		netlink_note_free(ev->note);
		file_put(ev->sock);
	}
}

/* The registration ends: *owner and *ev are the caller's to release. holds: q->lock */
static void event_end(struct mqueue *q, struct pid **owner, struct mq_event *ev)
{
	*owner = q->owner;
	*ev = q->event;
	q->owner = NULL;
}

/* Word of @what by the netlink socket, which takes the note. holds: q->lock */
static void event_say(struct mq_event *ev, u8 what)
{
	netlink_note_bytes(ev->note)[NOTIFY_COOKIE_LEN - 1] = what;
	netlink_note_post(ev->sock, ev->note);
	ev->note = NULL;
}

/* A message came to the empty queue: tell. holds: q->lock */
static void event_fire(struct mqueue *q, struct pid **owner, struct mq_event *ev)
{
	struct ksiginfo si;
	struct proc *p;

	event_end(q, owner, ev);
	if (ev->notify == SIGEV_THREAD) {
		event_say(ev, NOTIFY_WOKENUP);
	} else if (ev->notify == SIGEV_SIGNAL && ev->signo) {
		siginfo_fill(&si, ev->signo, SI_MESGQ);
		si.si_value.sival_ptr = (void *)ev->value;
		p = proc_lookup((*owner)->nr);
		if (p) {
			if (p->pid == *owner)
				signal_send_proc(p, ev->signo, &si);
			proc_put(p);
		}
	}
}

/* The registration ends without having been of use; its socket is told. */
static void event_cancel(struct mqueue *q, struct pid **owner, struct mq_event *ev)
{
	event_end(q, owner, ev);
	if (ev->notify == SIGEV_THREAD)
		event_say(ev, NOTIFY_REMOVED);
}

/* See mqueue.h. */
void mqueue_leave(struct mqueue *q)
{
	struct pid *owner = NULL;
	struct mq_event ev;

	spin_lock(&q->lock);
	if (q->owner && q->owner == current_proc()->pid)
		event_cancel(q, &owner, &ev);
	spin_unlock(&q->lock);
	event_release(owner, &ev);
}

/* See mqueue.h. */
int mqueue_notify(struct mqueue *q, const struct mq_event *ev)
{
	struct pid *me = current_proc()->pid, *owner = NULL;
	struct mq_event old;
	int err = 0;

	spin_lock(&q->lock);
	if (!ev) {
		if (q->owner == me)
			event_cancel(q, &owner, &old);
	} else if (q->owner) {
		err = -EBUSY;
	} else {
		q->owner = pid_get(me);
		q->event = *ev;
	}
	spin_unlock(&q->lock);
	event_release(owner, &old);
	if (!err)
		inode_touch(&q->vfs, ATTR_ATIME | ATTR_CTIME);
	return err;
}

/* --- messages --- */

static bool message_less(const struct rb_node *a, const struct rb_node *b)
{
	const struct mq_message *x = rb_entry(a, struct mq_message, node);
	const struct mq_message *y = rb_entry(b, struct mq_message, node);

	return x->prio != y->prio ? x->prio > y->prio : x->seq < y->seq;
}

/* holds: q->lock */
static void message_insert(struct mqueue *q, struct mq_message *m)
{
	m->seq = q->next_seq++;
	rb_insert(&q->messages, &m->node, message_less);
	q->bytes += m->size;
	WRITE_ONCE(q->count, q->count + 1);
}

/* holds: q->lock */
static struct mq_message *message_take(struct mqueue *q)
{
	struct mq_message *m = rb_entry(rb_first(&q->messages), struct mq_message, node);

	rb_erase(&q->messages, &m->node);
	q->bytes -= m->size;
	WRITE_ONCE(q->count, q->count - 1);
	return m;
}

/* --- waiting --- */

static bool more_urgent(const struct thread *a, const struct thread *b)
{
	if (a->se.prio != b->se.prio)
		return a->se.prio > b->se.prio;
	return !a->se.prio && a->se.nice < b->se.nice;
}

/* Behind all that are as urgent. holds: q->lock */
static void waiter_enter(struct list *waiters, struct mq_waiter *w)
{
	struct mq_waiter *before;

	w->thread = current;
	w->served = 0;
	list_for_each(before, waiters, link) {
		if (more_urgent(current, before->thread)) {
			list_add_tail(&before->link, &w->link);
			return;
		}
	}
	list_add_tail(waiters, &w->link);
}

/* The first of them, taken off, or NULL. holds: q->lock */
static struct mq_waiter *waiter_first(struct list *waiters)
{
	struct mq_waiter *w;

	if (list_empty(waiters))
		return NULL;
	w = list_first(waiters, struct mq_waiter, link);
	list_del(&w->link);
	return w;
}

/* @w, which may be gone as soon as q->lock is. holds: q->lock */
static void waiter_serve(struct mq_waiter *w)
{
	store_release(&w->served, 1);
	sched_wake(w->thread, WAKE_NORMAL);
}

/*
 * Sleep on @waiters until served. Called and left with q->lock held. 0, -ETIMEDOUT, -ERESTARTSYS:
 * not served, and off the list.
 */
static int waiter_sleep(struct mqueue *q, struct list *waiters, struct mq_waiter *w, s64 deadline)
{
	int err = 0;

	waiter_enter(waiters, w);
	for (;;) {
		sched_prepare(TS_SLEEPING);
		if (load_acquire(&w->served) || err)
			break;
		if (signal_pending()) {
			err = -ERESTARTSYS;
			break;
		}
		spin_unlock(&q->lock);
		err = schedule_until_clock(deadline, true);
		spin_lock(&q->lock);
	}
	sched_cancel();
	if (w->served)
		return 0;
	list_del(&w->link);
	return err;
}

/* --- the calls --- */

/* See mqueue.h. */
int mqueue_send(struct mqueue *q, struct mq_message *m, bool nonblock, s64 deadline)
{
	struct mq_waiter me = { .m = m }, *w;
	struct pid *told = NULL;
	struct mq_event ev;
	int err = 0;

	spin_lock(&q->lock);
	if (q->count >= q->max_count) {
		err = nonblock ? -EAGAIN : waiter_sleep(q, &q->senders, &me, deadline);
		goto unlock;
	}
	w = waiter_first(&q->receivers);
	if (w) {
		w->m = m;
		waiter_serve(w);
	} else {
		message_insert(q, m);
		if (q->count == 1 && q->owner)
			event_fire(q, &told, &ev);
	}
	inode_touch(&q->vfs, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
unlock:
	spin_unlock(&q->lock);
	if (!err)
		waitq_wake(&q->vfs.waitq, ~0u, POLLIN | POLLRDNORM);
	event_release(told, &ev);
	return err;
}

/* See mqueue.h. */
int mqueue_receive(struct mqueue *q, bool nonblock, s64 deadline, struct mq_message **out)
{
	struct mq_waiter me, *w;
	int err = 0;

	spin_lock(&q->lock);
	if (q->count) {
		*out = message_take(q);
		w = waiter_first(&q->senders);
		if (w) {
			message_insert(q, w->m);
			waiter_serve(w);
		}
		inode_touch(&q->vfs, ATTR_ATIME | ATTR_MTIME | ATTR_CTIME);
	} else if (nonblock) {
		err = -EAGAIN;
	} else {
		err = waiter_sleep(q, &q->receivers, &me, deadline);
		if (!err)
			*out = me.m;
	}
	spin_unlock(&q->lock);
	if (!err)
		waitq_wake(&q->vfs.waitq, ~0u, POLLOUT | POLLWRNORM);
	return err;
}

/* See mqueue.h. */
u32 mqueue_poll(struct mqueue *q, struct poll_table *pt)
{
	u32 n;

	poll_wait(pt, &q->vfs.waitq);
	n = READ_ONCE(q->count);
	return (n ? POLLIN | POLLRDNORM : 0) | (n < q->max_count ? POLLOUT | POLLWRNORM : 0);
}

/* See mqueue.h. */
void mqueue_show(struct mqueue *q, struct sbuf *out)
{
	int notify = 0, signo = 0, pid = 0;
	u64 bytes;

	spin_lock(&q->lock);
	bytes = q->bytes;
	if (q->owner) {
		notify = q->event.notify;
		signo = notify == SIGEV_SIGNAL ? q->event.signo : 0;
		pid = (int)q->owner->nr;
	}
	spin_unlock(&q->lock);
	sbuf_printf(out, "QSIZE:%-10llu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
		    (unsigned long long)bytes, notify, signo, pid);
}

/* See mqueue.h. ctx: any */
struct mqueue *mqueue_of(const struct file *f)
{
	return f->ops == &mqueue_file_ops ? container_of(f->inode, struct mqueue, vfs) : NULL;
}
