/*
 * AF_UNIX: receiving, and the life of a message.
 *
 * Reads of a stream run across messages, except where credentials that are asked for change, and
 * behind descriptors: those come with the first byte of their message. The other types keep
 * messages apart; what does not fit the reader's buffer is dropped (MSG_TRUNC).
 *
 * An out-of-band byte (MSG_OOB, streams only) is a message of its own in its place in the queue.
 * While nobody has read it, ->oob is that message; a newer one takes the place, and the older is
 * plain data from then on. A read never runs across the byte. One that begins at it passes it over,
 * for good, unless SO_OOBINLINE makes it plain; MSG_OOB reads it and leaves the empty message
 * behind, as the mark.
 *
 * A reader that finds nothing of use waits for the next arrival rather than for the queue to fill:
 * what is queued may be an out-of-band byte, or lie before the offset that it peeks at.
 *
 * Receivers of one socket take turns by rlock, which is held while user memory is written; senders
 * do not care. unix(7), recv(2), socket(7).
 */
#include <asm/siginfo.h>
#include <linux/errno.h>
#include <linux/poll.h>
#include "fs/async.h"
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/sock/unix.h"

struct waitq unix_room = WAITQ_INIT(unix_room);

/* See unix.h. ctx: any */
bool unix_writable(const struct unix_sock *u)
{
	return (u64)READ_ONCE(u->wmem) * 4 <= (u64)READ_ONCE(u->s.sndbuf);
}

/* See unix.h. ctx: any */
bool unix_has_room(const struct unix_sock *to, const struct unix_sock *from)
{
	return READ_ONCE(to->peer) == from || READ_ONCE(to->nqueued) <= READ_ONCE(to->backlog);
}

static void wake_writers(struct unix_sock *u)
{
	waitq_wake(&u->wait, ~0u, POLLOUT | POLLWRNORM | POLLWRBAND);
	async_notify(&u->s.async, POLL_OUT);
}

/* See unix.h. Its files go too. */
void unix_msg_free(struct unix_msg *m)
{
	struct unix_sock *from = m->sender;

	if (m->scm.nfiles) {
		mutex_lock(&unix_gc_lock);
		unix_land(&m->scm);
		mutex_unlock(&unix_gc_lock);
	}
	scm_release(&m->scm);
	if (__atomic_fetch_sub(&from->wmem, m->charge, __ATOMIC_ACQ_REL) && unix_writable(from))
		wake_writers(from);
	unix_put(from);
	kfree(m);
}

/* See unix.h. */
void unix_unqueue(struct unix_sock *u, struct list *out)
{
	spin_lock(&u->lock);
	list_splice_tail(out, &u->queue);
	u->nqueued = 0;
	u->bytes = 0;
	u->oob = NULL;
	spin_unlock(&u->lock);
}

/* See unix.h. */
void unix_drop(struct list *msgs)
{
	while (!list_empty(msgs)) {
		struct unix_msg *m = list_first(msgs, struct unix_msg, link);

		list_del(&m->link);
		unix_msg_free(m);
	}
}

/* See unix.h. */
void unix_flush(struct unix_sock *u)
{
	struct list all = LIST_INIT(all);

	unix_unqueue(u, &all);
	unix_drop(&all);
}

/* The message behind @after (NULL: the first), or NULL. holds: u->rlock, so that it stays. */
static struct unix_msg *queue_next(struct unix_sock *u, struct unix_msg *after)
{
	struct list *next;

	spin_lock(&u->lock);
	next = after ? after->link.next : u->queue.next;
	spin_unlock(&u->lock);
	return next == &u->queue ? NULL : list_entry(next, struct unix_msg, link);
}

/* @m goes; @spent: it was no longer counted as queued. holds: u->rlock. */
static void queue_drop(struct unix_sock *u, struct unix_msg *m, bool spent)
{
	bool was_full;

	spin_lock(&u->lock);
	list_del(&m->link);
	was_full = u->nqueued > u->backlog;
	u->nqueued -= !spent;
	u->bytes -= m->size - m->off;
	if (u->oob == m)
		WRITE_ONCE(u->oob, NULL);
	spin_unlock(&u->lock);
	if (was_full && u->s.type == SOCK_DGRAM)
		waitq_wake(&unix_room, ~0u, POLLOUT | POLLWRNORM | POLLWRBAND);
	unix_msg_free(m);
}

/* The sender's name as it is now: one that it got since it sent counts. */
static void give_name(struct sock_msg *m, const struct unix_msg *msg)
{
	const struct unix_addr *from = load_acquire(&msg->sender->addr);

	if (!m->addr)
		return;
	m->addr->len = from ? from->len : 0;
	if (from)
		memcpy(m->addr->bytes, &from->sun, from->len);
}

/*
 * The files of @msg become the reader's: for good, or another reference each when peeking. False:
 * no memory, the message stays as it was. holds: rlock.
 */
static bool take_files(struct sock_msg *m, struct unix_msg *msg)
{
	if (!msg->scm.nfiles || m->scm.nfiles)
		return true;
	if (m->flags & MSG_PEEK) {
		m->scm.files = kmemdup(msg->scm.files, msg->scm.nfiles * sizeof(struct file *), 0);
		if (!m->scm.files)
			return false;
		m->scm.nfiles = msg->scm.nfiles;
		mutex_lock(&unix_gc_lock); /* a collection counts references */
		for (u32 i = 0; i < m->scm.nfiles; i++)
			file_get(m->scm.files[i]);
		mutex_unlock(&unix_gc_lock);
		return true;
	}
	mutex_lock(&unix_gc_lock);
	unix_land(&msg->scm);
	m->scm.files = msg->scm.files;
	m->scm.nfiles = msg->scm.nfiles;
	msg->scm.files = NULL;
	msg->scm.nfiles = 0;
	mutex_unlock(&unix_gc_lock);
	return true;
}

static bool peer_gone(struct unix_sock *u)
{
	return (READ_ONCE(u->shut) & SHUT_READ) || READ_ONCE(u->s.err);
}

/* Wait, without rlock, until more than @seen messages ever came, or none will. */
static int wait_arrival(struct unix_sock *u, u32 seen, s64 deadline)
{
	int err;

	if (!deadline)
		return -EAGAIN;
	mutex_unlock(&u->rlock);
	err = wait_event_interruptible_timeout(
		&u->wait, READ_ONCE(u->arrivals) != seen || peer_gone(u), deadline);
	mutex_lock(&u->rlock);
	return err ? socket_wait_error(err, u->s.rcvtimeo) : 0;
}

/*
 * Nothing of use was queued at @seen: 0 with *end false after an arrival, true at the end. What
 * came since goes before the sender's end, which is why both are looked at under the lock.
 */
static int wait_more(struct unix_sock *u, u32 seen, s64 deadline, bool *end)
{
	int err = 0;
	bool more;

	spin_lock(&u->lock);
	more = u->arrivals != seen;
	if (!more)
		err = socket_take_error(&u->s);
	*end = !more && !err && (u->shut & SHUT_READ);
	spin_unlock(&u->lock);
	return err || more || *end ? err : wait_arrival(u, seen, deadline);
}

static bool same_cred(const struct sock_ucred *a, const struct sock_ucred *b)
{
	return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid;
}

/* --- streams --- */

/* State of one read of a stream. */
struct stream_read {
	ssize_t got;
	u32 skip; /* MSG_PEEK: bytes still to be passed over (SO_PEEK_OFF) */
	bool files; /* of a message were taken: this read ends with it */
	bool done;
	struct unix_msg *peeked; /* MSG_PEEK: the message looked at last */
};

/* The out-of-band byte becomes plain data. holds: rlock */
static void oob_forget(struct unix_sock *u)
{
	spin_lock(&u->lock);
	WRITE_ONCE(u->oob, NULL);
	spin_unlock(&u->lock);
}

/*
 * The message to read next, NULL: none now, or r->done when the read ends here, at the mark. What
 * is passed over for good is dropped. holds: rlock
 */
static struct unix_msg *stream_next(struct unix_sock *u, struct sock_msg *m, struct stream_read *r)
{
	bool peek = m->flags & MSG_PEEK, plain = READ_ONCE(u->s.oobinline);
	struct unix_msg *msg, *after = r->peeked;

	while ((msg = queue_next(u, after))) {
		struct unix_msg *oob = READ_ONCE(u->oob);
		bool spent = msg->off == msg->size;

		if (!spent && msg != oob)
			return msg;
		if (r->got && (msg == oob || !oob)) {
			r->done = true;
			return NULL;
		}
		if (!spent && plain) {
			if (!peek)
				oob_forget(u);
			return msg;
		}
		if (peek)
			after = msg;
		else
			queue_drop(u, msg, spent);
	}
	return NULL;
}

/* Bytes of @msg for the reader. False ends the read. holds: rlock. */
static bool stream_take(struct unix_sock *u, struct sock_msg *m, struct unix_msg *msg,
			struct stream_read *r)
{
	bool peek = m->flags & MSG_PEEK;
	u32 left = msg->size - msg->off;
	ssize_t n;

	if (r->skip >= left && r->skip) { /* only when peeking */
		r->skip -= left;
		r->peeked = msg;
		return true;
	}
	if (r->got && READ_ONCE(u->s.passcred) && !same_cred(&m->scm.cred, &msg->scm.cred))
		return false;
	if (!take_files(m, msg)) {
		r->got = r->got ? r->got : -ENOMEM;
		return false;
	}
	r->files = r->files || m->scm.nfiles;
	if (!r->got)
		give_name(m, msg);
	m->scm.cred = msg->scm.cred;
	m->scm.has_cred = true;
	n = uio_copy_to(m->data, msg->data + msg->off + r->skip, left - r->skip);
	if (n < 0) {
		r->got = r->got ? r->got : n;
		return false;
	}
	r->got += n;
	r->skip = 0;
	socket_peek_moved(&u->s, m->flags, (u32)n);
	if (peek) {
		r->peeked = msg;
		return !r->files;
	}
	msg->off += (u32)n;
	spin_lock(&u->lock);
	u->bytes -= (u32)n;
	spin_unlock(&u->lock);
	if (msg->off < msg->size)
		return false;
	queue_drop(u, msg, false);
	return !r->files;
}

/* MSG_OOB: the byte, if there is one that was not read. holds: rlock. 1, -EINVAL, -EFAULT. */
static ssize_t stream_take_oob(struct unix_sock *u, struct sock_msg *m)
{
	bool peek = m->flags & MSG_PEEK;
	struct unix_msg *msg;

	if (READ_ONCE(u->s.oobinline))
		return -EINVAL;
	spin_lock(&u->lock);
	msg = u->oob;
	if (msg && !peek) {
		WRITE_ONCE(u->oob, NULL);
		u->nqueued--;
		u->bytes--;
	}
	spin_unlock(&u->lock);
	if (!msg)
		return -EINVAL;
	if (!peek)
		msg->off = 1;
	if (uio_copy_to(m->data, msg->data, 1) != 1)
		return -EFAULT;
	m->out_flags |= MSG_OOB;
	return 1;
}

/* As much as there is, waiting until @want bytes are had. holds: rlock. 0 or -errno, r->got. */
static int stream_read(struct unix_sock *u, struct sock_msg *m, s64 deadline, size_t want,
		       struct stream_read *r)
{
	bool end = false;
	int err = 0;

	do {
		u32 seen = READ_ONCE(u->arrivals);
		struct unix_msg *msg = stream_next(u, m, r);

		if (r->done)
			break;
		if (msg) {
			if (!stream_take(u, m, msg, r))
				break;
			continue;
		}
		if (r->got && ((m->flags & MSG_PEEK) || (size_t)r->got >= want))
			break;
		err = wait_more(u, seen, deadline, &end);
		/* The queue may have been read by others meanwhile: look from its head. */
		r->peeked = NULL;
		r->skip = socket_peek_from(&u->s, m->flags);
	} while (!err && !end && m->data->left);
	return err;
}

/* See sock_ops.recv. */
ssize_t unix_stream_recv(struct socket *s, struct sock_msg *m)
{
	struct unix_sock *u = unix_of(s);
	s64 deadline = socket_deadline(READ_ONCE(s->rcvtimeo), m->flags & MSG_DONTWAIT);
	size_t want = m->flags & MSG_WAITALL ? m->data->left
					     : MIN(m->data->left, (size_t)READ_ONCE(s->rcvlowat));
	struct stream_read r = { 0 };
	int err = 0;

	if (READ_ONCE(u->state) != UNIX_CONNECTED)
		return -EINVAL;
	mutex_lock(&u->rlock);
	r.skip = socket_peek_from(s, m->flags);
	if (m->flags & MSG_OOB)
		r.got = stream_take_oob(u, m);
	else
		err = stream_read(u, m, deadline, want, &r);
	mutex_unlock(&u->rlock);
	return r.got ? r.got : err;
}

/* --- messages kept apart --- */

/*
 * The message to read: the first, or with MSG_PEEK the one at the peek offset, which is brought
 * down to an offset in it. NULL: none. holds: rlock
 */
static struct unix_msg *dgram_at(struct unix_sock *u, struct sock_msg *m, u32 *off)
{
	struct unix_msg *msg = NULL;

	while ((msg = queue_next(u, msg)) && (m->flags & MSG_PEEK)) {
		if (*off < msg->size || (!*off && !msg->peeked))
			break;
		*off -= msg->size;
	}
	if (msg && (m->flags & MSG_PEEK) && !msg->size)
		msg->peeked = true;
	return msg;
}

/* As dgram_at, waited for. holds: rlock. 0 with NULL at the end, or -errno. */
static int dgram_wait(struct unix_sock *u, struct sock_msg *m, s64 deadline, u32 *off,
		      struct unix_msg **out)
{
	bool end = false;
	int err;

	do {
		u32 seen = READ_ONCE(u->arrivals);

		err = socket_take_error(&u->s); /* goes before what is there */
		if (err)
			return err;
		*off = socket_peek_from(&u->s, m->flags);
		*out = dgram_at(u, m, off);
		if (*out)
			return 0;
		err = wait_more(u, seen, deadline, &end);
	} while (!err && !end);
	/* Only a reader who would wait hears of the end, but with SOCK_SEQPACKET all do. */
	return end && !deadline && u->s.type == SOCK_DGRAM ? -EAGAIN : err;
}

/* See sock_ops.recv. */
ssize_t unix_dgram_recv(struct socket *s, struct sock_msg *m)
{
	struct unix_sock *u = unix_of(s);
	s64 deadline = socket_deadline(READ_ONCE(s->rcvtimeo), m->flags & MSG_DONTWAIT);
	struct unix_msg *msg;
	u32 off;
	ssize_t n;

	if (s->type == SOCK_SEQPACKET && READ_ONCE(u->state) != UNIX_CONNECTED)
		return -ENOTCONN;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	mutex_lock(&u->rlock);
	n = dgram_wait(u, m, deadline, &off, &msg);
	if (n || !msg)
		goto unlock;
	if (!take_files(m, msg)) {
		n = -ENOMEM;
		goto unlock;
	}
	give_name(m, msg);
	m->scm.cred = msg->scm.cred;
	m->scm.has_cred = true;
	socket_stamp(s, m);
	if (msg->size - off > m->data->left)
		m->out_flags |= MSG_TRUNC;
	n = uio_copy_to(m->data, msg->data + off, MIN(m->data->left, (size_t)(msg->size - off)));
	if (n >= 0)
		socket_peek_moved(s, m->flags, m->flags & MSG_PEEK ? (u32)n : msg->size);
	if (n >= 0 && (m->flags & MSG_TRUNC))
		n = msg->size - off;
	if (!(m->flags & MSG_PEEK))
		queue_drop(u, msg, false);
unlock:
	mutex_unlock(&u->rlock);
	return n;
}
