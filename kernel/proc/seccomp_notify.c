/*
 * User notification of seccomp(2): a filter asks another process what becomes of a call.
 *
 * The listener, a file, belongs to one filter. A thread whose call gets SECCOMP_RET_USER_NOTIF from
 * that filter hangs a request, which lies on its stack, into the listener's list and sleeps. Who
 * holds the file receives the request (SENT from then on) and answers (REPLIED), after it has
 * perhaps put descriptors into the thread's table: the thread itself does that, woken for each
 * (struct addfd, on the stack of the one who asks).
 *
 * Filter and file hold a reference to struct seccomp_notify. When the file goes, all who wait get
 * ENOSYS, and so does everybody later. When the filter goes, nobody is left who could ask; pollers
 * see POLLHUP.
 *
 * Everything is guarded by .lock (N). One wait queue serves all: receivers, threads that asked,
 * those who add descriptors, and pollers; there are few of them, and each looks at its own
 * condition.
 *
 * man: seccomp_unotify(2).
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <arch/frame.h>
#include "kernel/base/rand.h"
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"
#include "kernel/proc/seccomp.h"

enum request_state { INIT, SENT, REPLIED };

/* Lives on the stack of the thread that asks, in the list as long. N */
struct request {
	struct list link;
	u64 id;
	enum request_state state;
	u32 pid;
	struct seccomp_data data;
	struct seccomp_notif_resp answer;
	struct list addfds; /* struct addfd.link */
};

enum addfd_state { ADD_WAITING, ADD_TAKEN, ADD_DONE };

/* N, but .file, .how: I */
struct addfd {
	struct list link;
	enum addfd_state state;
	struct file *file;
	const struct seccomp_notif_addfd *how;
	long result;
};

struct seccomp_notify {
	refcount_t refs; /* a */
	struct spinlock lock; /* rank SPIN_OUTER */
	struct waitq wait; /* own */
	struct list requests; /* N: struct request.link */
	u64 next_id; /* N */
	u32 posted; /* N: requests that nobody has come for yet, and such that were taken back */
	bool closed; /* N: the file is gone */
	bool orphan; /* N: the filter is gone */
	bool killable; /* I: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV */
};

/* See seccomp.h. */
int seccomp_notify_create(bool killable, struct seccomp_notify **out)
{
	struct seccomp_notify *n = kzalloc(sizeof(*n), 0);

	if (!n)
		return -ENOMEM;
	ref_init(&n->refs, 1);
	spin_init(&n->lock, RANK_SPIN_OUTER);
	waitq_init(&n->wait);
	list_init(&n->requests);
	n->next_id = rand_u64();
	n->killable = killable;
	*out = n;
	return 0;
}

/* See seccomp.h. */
struct seccomp_notify *seccomp_notify_get(struct seccomp_notify *n)
{
	ref_get(&n->refs);
	return n;
}

/* See seccomp.h. */
void seccomp_notify_put(struct seccomp_notify *n)
{
	if (ref_put(&n->refs))
		kfree(n);
}

/* See seccomp.h. */
void seccomp_notify_orphan(struct seccomp_notify *n)
{
	WRITE_ONCE(n->orphan, true);
	waitq_wake_all(&n->wait);
	seccomp_notify_put(n);
}

/* See seccomp.h. */
void seccomp_notify_close(struct seccomp_notify *n)
{
	spin_lock(&n->lock);
	n->closed = true;
	spin_unlock(&n->lock);
	waitq_wake_all(&n->wait);
	seccomp_notify_put(n);
}

/* See seccomp.h. */
bool seccomp_notify_is_open(const struct seccomp_notify *n)
{
	return !READ_ONCE(n->closed);
}

/* See seccomp.h. */
u32 seccomp_notify_poll(struct seccomp_notify *n, struct poll_table *pt)
{
	struct request *r;
	u32 events = 0;

	poll_wait(pt, &n->wait);
	spin_lock(&n->lock);
	list_for_each(r, &n->requests, link) {
		if (r->state == INIT)
			events |= POLLIN | POLLRDNORM;
		else if (r->state == SENT)
			events |= POLLOUT | POLLWRNORM;
	}
	if (n->orphan)
		events |= POLLHUP;
	spin_unlock(&n->lock);
	return events;
}

/* --- the thread that asks --- */

/* One descriptor that the listener wants current to have. */
static long install(const struct addfd *a)
{
	const struct seccomp_notif_addfd *how = a->how;
	bool cloexec = how->newfd_flags & O_CLOEXEC;
	u64 limit = proc_rlimit(RLIMIT_NOFILE);
	int fd, err;

	if (how->flags & SECCOMP_ADDFD_FLAG_SETFD)
		return fd_dup2(a->file, (int)how->newfd, cloexec, limit);
	err = fd_reserve(0, limit, cloexec, &fd);
	if (err)
		return err;
	fd_install(fd, file_get(a->file));
	return fd;
}

/* The next of the descriptors for @r. False: there is none. */
static bool add_next(struct seccomp_notify *n, struct request *r)
{
	struct addfd *a;
	long fd;

	spin_lock(&n->lock);
	if (list_empty(&r->addfds)) {
		spin_unlock(&n->lock);
		return false;
	}
	a = list_first(&r->addfds, struct addfd, link);
	list_del(&a->link);
	a->state = ADD_TAKEN;
	spin_unlock(&n->lock);
	fd = install(a);
	spin_lock(&n->lock);
	if (a->how->flags & SECCOMP_ADDFD_FLAG_SEND) {
		r->state = fd < 0 ? SENT : REPLIED;
		r->answer.val = fd;
	}
	a->result = fd;
	a->state = ADD_DONE; /* @a may be gone from here on */
	spin_unlock(&n->lock);
	waitq_wake_all(&n->wait);
	return true;
}

/* Is there something for the thread of @r to do? */
static bool request_moved(struct seccomp_notify *n, const struct request *r)
{
	bool yes;

	spin_lock(&n->lock);
	yes = n->closed || r->state == REPLIED || !list_empty(&r->addfds);
	spin_unlock(&n->lock);
	return yes;
}

static bool request_answered(struct seccomp_notify *n, const struct request *r)
{
	bool yes;

	spin_lock(&n->lock);
	yes = r->state == REPLIED && list_empty(&r->addfds);
	spin_unlock(&n->lock);
	return yes;
}

/* Has it come so far that only a fatal signal ends the wait? */
static bool is_deep(const struct seccomp_notify *n, const struct request *r)
{
	return n->killable && READ_ONCE(r->state) != INIT;
}

/* Sleep until @r moves, or @deep is not right any more. 0 or -EINTR */
static int wait_move(struct seccomp_notify *n, struct request *r, bool deep)
{
	struct task *self = current_task();

	if (!deep)
		return wait_event_interruptible(&n->wait, request_moved(n, r) || is_deep(n, r));
	word_or(&self->jobctl, TJ_KILLABLE);
	wait_event(&n->wait, request_moved(n, r) || !is_deep(n, r) || signal_fatal_pending());
	word_and(&self->jobctl, ~TJ_KILLABLE);
	return signal_fatal_pending() ? -EINTR : 0;
}

/* Sleep until @r has been answered. 0, -ENOSYS (nobody listens), -ERESTARTSYS. */
static int wait_answer(struct seccomp_notify *n, struct request *r)
{
	for (;;) {
		bool deep = is_deep(n, r);
		int err = wait_move(n, r, deep);

		if (err && (deep || !is_deep(n, r)))
			return -ERESTARTSYS;
		while (add_next(n, r))
			;
		if (request_answered(n, r))
			return 0;
		if (READ_ONCE(n->closed))
			return -ENOSYS;
	}
}

/* @r leaves the list; who still wants to add a descriptor comes too late. */
static void request_end(struct seccomp_notify *n, struct request *r)
{
	spin_lock(&n->lock);
	list_del(&r->link);
	while (!list_empty(&r->addfds)) {
		struct addfd *a = list_first(&r->addfds, struct addfd, link);

		list_del(&a->link);
		a->result = -ESRCH;
		a->state = ADD_DONE;
	}
	spin_unlock(&n->lock);
	waitq_wake_all(&n->wait);
}

/* See seccomp.h. */
bool seccomp_notify_ask(struct seccomp_notify *n, struct trapframe *tf,
			const struct seccomp_data *data)
{
	struct request r = { .data = *data, .pid = current_task()->tid->nr };
	int err;

	list_init(&r.addfds);
	spin_lock(&n->lock);
	if (n->closed) {
		spin_unlock(&n->lock);
		frame_set_result(tf, -ENOSYS);
		return false;
	}
	r.id = n->next_id++;
	n->posted++;
	list_add_tail(&n->requests, &r.link);
	spin_unlock(&n->lock);
	waitq_wake_all(&n->wait);
	err = wait_answer(n, &r);
	request_end(n, &r);
	if (err) {
		frame_set_result(tf, err);
		return false;
	}
	if (r.answer.flags & SECCOMP_USER_NOTIF_FLAG_CONTINUE)
		return true;
	frame_set_result(tf, r.answer.error ? r.answer.error : r.answer.val);
	return false;
}

/* --- the listener --- */

/* holds: n->lock */
static struct request *request_find(struct seccomp_notify *n, u64 id)
{
	struct request *r;

	list_for_each(r, &n->requests, link)
		if (r->id == id)
			return r;
	return NULL;
}

static bool take_post(struct seccomp_notify *n)
{
	bool some;

	spin_lock(&n->lock);
	some = n->posted;
	if (some)
		n->posted--;
	spin_unlock(&n->lock);
	return some;
}

/* See seccomp.h. */
int seccomp_notify_recv(struct seccomp_notify *n, struct seccomp_notif *out)
{
	struct request *r;
	int err = -ENOENT;

	while (!take_post(n))
		if (wait_event_interruptible(&n->wait, READ_ONCE(n->posted)))
			return -EINTR;
	spin_lock(&n->lock);
	list_for_each(r, &n->requests, link) {
		if (r->state != INIT)
			continue;
		r->state = SENT;
		*out = (struct seccomp_notif){ .id = r->id, .pid = r->pid, .data = r->data };
		err = 0;
		break;
	}
	spin_unlock(&n->lock);
	waitq_wake_all(&n->wait);
	return err;
}

/* See seccomp.h. */
void seccomp_notify_unrecv(struct seccomp_notify *n, u64 id)
{
	struct request *r;

	spin_lock(&n->lock);
	r = request_find(n, id);
	if (r && r->state == SENT) {
		r->state = INIT;
		n->posted++;
	}
	spin_unlock(&n->lock);
	waitq_wake_all(&n->wait);
}

/* A request that was received and not answered. holds: n->lock. 0, -ENOENT, -EINPROGRESS */
static int request_sent(struct seccomp_notify *n, u64 id, struct request **out)
{
	*out = request_find(n, id);
	if (!*out)
		return -ENOENT;
	return (*out)->state == SENT ? 0 : -EINPROGRESS;
}

/* See seccomp.h. */
int seccomp_notify_send(struct seccomp_notify *n, const struct seccomp_notif_resp *answer)
{
	struct request *r;
	int err;

	spin_lock(&n->lock);
	err = request_sent(n, answer->id, &r);
	if (!err) {
		r->answer = *answer;
		r->state = REPLIED;
	}
	spin_unlock(&n->lock);
	waitq_wake_all(&n->wait);
	return err;
}

/* See seccomp.h. */
int seccomp_notify_valid(struct seccomp_notify *n, u64 id)
{
	struct request *r;
	int err;

	spin_lock(&n->lock);
	err = request_sent(n, id, &r);
	spin_unlock(&n->lock);
	return err ? -ENOENT : 0;
}

/* See seccomp.h. */
long seccomp_notify_addfd(struct seccomp_notify *n, const struct seccomp_notif_addfd *how,
			  struct file *file)
{
	struct addfd a = { .file = file, .how = how };
	struct request *r;
	int err;

	spin_lock(&n->lock);
	err = request_sent(n, how->id, &r);
	if (!err && (how->flags & SECCOMP_ADDFD_FLAG_SEND)) {
		if (list_empty(&r->addfds))
			r->state = REPLIED; /* what add_next confirms or takes back */
		else
			err = -EBUSY;
	}
	if (!err)
		list_add_tail(&r->addfds, &a.link);
	spin_unlock(&n->lock);
	if (err)
		return err;
	waitq_wake_all(&n->wait);
	err = wait_event_interruptible(&n->wait, READ_ONCE(a.state) == ADD_DONE);
	spin_lock(&n->lock);
	if (err && a.state == ADD_WAITING) {
		/* Not taken yet. An answer that would have come with it has not been given. */
		list_del(&a.link);
		if (how->flags & SECCOMP_ADDFD_FLAG_SEND)
			r->state = SENT;
		spin_unlock(&n->lock);
		return -ERESTARTSYS;
	}
	spin_unlock(&n->lock);
	wait_event(&n->wait, READ_ONCE(a.state) == ADD_DONE);
	spin_lock(&n->lock); /* until who has done it has let go of @a */
	spin_unlock(&n->lock);
	return a.result;
}
