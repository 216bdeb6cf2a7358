/*
 * AF_UNIX: sending and receiving.
 *
 * A send copies user data into a fresh struct unix_msg before any lock is taken, and puts that on the
 * receiver's queue. A stream is cut into messages of at most STREAM_PIECE bytes, which reads run
 * across, except where credentials that are asked for change, and behind descriptors: those come
 * with the first byte of their message. The other types keep messages apart; what does not fit the
 * reader's buffer is dropped (MSG_TRUNC).
 *
 * Flow control: a message is charged to its sender until it was read (SO_SNDBUF); a queue of
 * datagrams takes max_dgram_qlen at most, except from the socket that the receiver itself is
 * connected to. Senders that wait for the room of a queue wait on one queue of waiters for all
 * sockets (unix_room), so that polling a sender never hangs on the life of its receiver.
 *
 * Receivers of one socket take turns by rlock, which is held while user memory is written; senders
 * do not care. unix(7), recv(2), send(2).
 */
#include <linux/errno.h>
#include <linux/poll.h>
#include "fs/procfs.h"
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/sock/unix.h"

#define STREAM_PIECE 16000 /* with its header within four frames */
#define CHARGE_EXTRA 512 /* what a message costs beside its bytes, about */

struct waitq unix_room = WAITQ_INIT(unix_room);
static int max_dgram_qlen = 10; /* a */
SYSCTL_INT(max_dgram_qlen, "sys/net/unix/max_dgram_qlen", &max_dgram_qlen, 0, 1 << 20);

/* See unix.h. ctx: any */
bool unix_writable(const struct unix_sock *u)
{
	return (u64)READ_ONCE(u->wmem) * 4 <= (u64)READ_ONCE(u->s.sndbuf);
}

/* See unix.h. ctx: any */
bool unix_has_room(const struct unix_sock *to, const struct unix_sock *from)
{
	return READ_ONCE(to->peer) == from ||
	       READ_ONCE(to->nqueued) <= (u32)READ_ONCE(max_dgram_qlen);
}

/* ctx: thread; sleeps. Its files go too. */
static void msg_free(struct unix_msg *m)
{
	struct unix_sock *from = m->sender;

	if (m->scm.nfiles) {
		mutex_lock(&unix_gc_lock);
		unix_land(&m->scm);
		mutex_unlock(&unix_gc_lock);
	}
	scm_release(&m->scm);
	if (__atomic_fetch_sub(&from->wmem, m->charge, __ATOMIC_ACQ_REL) && unix_writable(from))
		waitq_wake(&from->wait, ~0u, POLLOUT | POLLWRNORM | POLLWRBAND);
	unix_put(from);
	kfree(m);
}

/* See unix.h. */
void unix_flush(struct unix_sock *u)
{
	struct list all = LIST_INIT(all);

	spin_lock(&u->lock);
	list_splice_tail(&all, &u->queue);
	u->nqueued = 0;
	u->bytes = 0;
	spin_unlock(&u->lock);
	while (!list_empty(&all)) {
		struct unix_msg *m = list_first(&all, struct unix_msg, link);

		list_del(&m->link);
		msg_free(m);
	}
}

/* --- sending --- */

/* Room for @size more bytes, waited for until @deadline. @size is kept below the buffer's size. */
static int wait_writable(struct unix_sock *u, s64 deadline)
{
	int err;

	if (READ_ONCE(u->wmem) < (u32)READ_ONCE(u->s.sndbuf))
		return 0;
	if (!deadline)
		return -EAGAIN;
	err = wait_event_interruptible_timeout(&u->wait,
					       READ_ONCE(u->wmem) < (u32)READ_ONCE(u->s.sndbuf) ||
						       (READ_ONCE(u->shut) & SHUT_WRITE),
					       deadline);
	return err ? socket_wait_error(err, u->s.sndtimeo) : 0;
}

/* The next @size bytes of the caller's data, charged to @u. 0, -ENOMEM, -EFAULT. */
static int msg_make(struct unix_sock *u, struct sock_msg *m, u32 size, struct unix_msg **out)
{
	struct unix_msg *msg = kmalloc(sizeof(*msg) + size, 0);

	if (!msg)
		return -ENOMEM;
	memset(msg, 0, sizeof(*msg));
	if (uio_copy_from(m->data, msg->data, size) != (ssize_t)size && size) {
		kfree(msg);
		return -EFAULT;
	}
	msg->size = size;
	msg->charge = size + CHARGE_EXTRA;
	msg->sender = unix_get(u);
	msg->from = load_acquire(&u->addr);
	msg->scm.cred = m->scm.has_cred ? m->scm.cred : socket_current_cred();
	__atomic_add_fetch(&u->wmem, msg->charge, __ATOMIC_ACQ_REL);
	*out = msg;
	return 0;
}

/* Put @msg on @to's queue, the caller's files with it. 0, or -EPIPE: @msg stays the caller's. */
static int msg_deliver(struct unix_sock *to, struct unix_msg *msg, struct sock_msg *m)
{
	bool files = m && m->scm.nfiles, gone;

	if (files) {
		mutex_lock(&unix_gc_lock);
		msg->scm.files = m->scm.files;
		msg->scm.nfiles = m->scm.nfiles;
		unix_fly(&msg->scm);
	}
	spin_lock(&to->lock);
	gone = to->dead || (to->shut & SHUT_READ);
	if (!gone) {
		list_add_tail(&to->queue, &msg->link);
		to->nqueued++;
		to->bytes += msg->size;
	}
	spin_unlock(&to->lock);
	if (files) {
		if (gone) {
			unix_land(&msg->scm);
			msg->scm.files = NULL;
			msg->scm.nfiles = 0;
		} else {
			m->scm.files = NULL;
			m->scm.nfiles = 0;
		}
		mutex_unlock(&unix_gc_lock);
	}
	if (gone)
		return -EPIPE;
	waitq_wake_sync(&to->wait, 1, POLLIN | POLLRDNORM);
	return 0;
}

/* One piece of a stream. Bytes, or -errno. */
static ssize_t stream_piece(struct unix_sock *u, struct unix_sock *peer, struct sock_msg *m,
			    s64 deadline)
{
	u32 most = MIN((u32)READ_ONCE(u->s.sndbuf) / 2, (u32)STREAM_PIECE);
	struct unix_msg *msg;
	u32 size;
	int err;

	do {
		err = wait_writable(u, deadline);
		if (err)
			return err;
		if ((READ_ONCE(u->shut) & SHUT_WRITE) || READ_ONCE(peer->dead))
			return -EPIPE;
	} while (READ_ONCE(u->wmem) >= (u32)READ_ONCE(u->s.sndbuf));
	size = (u32)MIN(m->data->left, (size_t)most);
	err = msg_make(u, m, size, &msg);
	if (err)
		return err;
	err = msg_deliver(peer, msg, m);
	if (err)
		msg_free(msg);
	return err ? err : (ssize_t)size;
}

/* See sock_ops.send. */
ssize_t unix_stream_send(struct socket *s, struct sock_msg *m)
{
	struct unix_sock *u = unix_of(s), *peer = unix_peer(u);
	s64 deadline = socket_deadline(READ_ONCE(s->sndtimeo), m->flags & MSG_DONTWAIT);
	ssize_t sent = 0, n = socket_take_error(s);

	if (m->flags & MSG_OOB)
		n = -EOPNOTSUPP;
	else if (m->addr && m->addr->len)
		n = READ_ONCE(u->state) == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	else if (!peer)
		n = READ_ONCE(u->shut) & SHUT_WRITE ? -EPIPE : -ENOTCONN;
	else if (!n && ((READ_ONCE(u->shut) & SHUT_WRITE) || READ_ONCE(peer->dead)))
		n = -EPIPE;
	while (!n && m->data->left) {
		n = stream_piece(u, peer, m, deadline);
		if (n > 0) {
			sent += n;
			n = 0;
		}
	}
	if (peer)
		unix_put(peer);
	return sent ? sent : n;
}

/* Where a datagram goes: the address given, or the default. Reference in *out. */
static int dgram_target(struct unix_sock *u, struct sock_msg *m, struct unix_sock **out)
{
	if (m->addr && m->addr->len)
		return unix_find(m->addr, u->s.type, out);
	*out = unix_peer(u);
	return *out ? 0 : -ENOTCONN;
}

/* A connected datagram socket's destination died: forget it, once. */
static void dgram_disconnect(struct unix_sock *u, struct unix_sock *peer)
{
	bool mine;

	spin_lock(&u->lock);
	mine = u->peer == peer;
	if (mine)
		u->peer = NULL;
	spin_unlock(&u->lock);
	if (mine)
		unix_put(peer);
}

static int wait_room(struct unix_sock *to, struct unix_sock *u, s64 deadline)
{
	int err;

	if (unix_has_room(to, u))
		return 0;
	if (!deadline)
		return -EAGAIN;
	err = wait_event_interruptible_timeout(&unix_room,
					       unix_has_room(to, u) || READ_ONCE(to->dead) ||
						       (READ_ONCE(to->shut) & SHUT_READ),
					       deadline);
	return err ? socket_wait_error(err, u->s.sndtimeo) : 0;
}

/* To @to, which is alive or not. Bytes or -errno. */
static ssize_t dgram_send_to(struct unix_sock *u, struct unix_sock *to, struct sock_msg *m)
{
	s64 deadline = socket_deadline(READ_ONCE(u->s.sndtimeo), m->flags & MSG_DONTWAIT);
	size_t size = m->data->left;
	struct unix_sock *its = READ_ONCE(to->peer);
	struct unix_msg *msg;
	int err;

	if (size + CHARGE_EXTRA > (size_t)READ_ONCE(u->s.sndbuf))
		return -EMSGSIZE;
	if (READ_ONCE(to->dead)) {
		dgram_disconnect(u, to);
		return -ECONNREFUSED;
	}
	if (u->s.type == SOCK_DGRAM && its && its != u)
		return -EPERM;
	if (READ_ONCE(to->shut) & SHUT_READ)
		return -EPIPE;
	err = wait_writable(u, deadline);
	if (!err && u->s.type == SOCK_DGRAM)
		err = wait_room(to, u, deadline);
	if (!err && (READ_ONCE(u->shut) & SHUT_WRITE))
		err = -EPIPE;
	if (!err)
		err = msg_make(u, m, (u32)size, &msg);
	if (err)
		return err;
	err = msg_deliver(to, msg, m);
	if (!err)
		return (ssize_t)size;
	msg_free(msg);
	if (!READ_ONCE(to->dead))
		return -EPIPE;
	dgram_disconnect(u, to);
	return u->s.type == SOCK_DGRAM ? -ECONNREFUSED : -EPIPE;
}

/* See sock_ops.send. */
ssize_t unix_dgram_send(struct socket *s, struct sock_msg *m)
{
	struct unix_sock *u = unix_of(s), *to;
	ssize_t n = socket_take_error(s);

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (!n && (READ_ONCE(u->shut) & SHUT_WRITE))
		n = -EPIPE;
	/* With credentials on, the receiver must be able to answer. */
	if (!n && READ_ONCE(s->passcred))
		n = unix_autobind(u);
	if (!n)
		n = dgram_target(u, m, &to);
	if (n)
		return n;
	n = dgram_send_to(u, to, m);
	unix_put(to);
	return n;
}

/* See sock_ops.send. */
ssize_t unix_seqpacket_send(struct socket *s, struct sock_msg *m)
{
	struct unix_sock *u = unix_of(s), *peer;
	ssize_t n = socket_take_error(s);

	if (n)
		return n;
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (READ_ONCE(u->state) != UNIX_CONNECTED)
		return -ENOTCONN;
	peer = unix_peer(u);
	if (!peer || (READ_ONCE(u->shut) & SHUT_WRITE) || READ_ONCE(peer->dead))
		n = -EPIPE;
	else
		n = dgram_send_to(u, peer, m); /* a name given is not looked at */
	if (peer)
		unix_put(peer);
	return n;
}

/* --- receiving --- */

/* The message behind @after (NULL: the first), or NULL. holds: u->rlock, so that it stays. */
static struct unix_msg *queue_next(struct unix_sock *u, struct unix_msg *after)
{
	struct list *next;

	spin_lock(&u->lock);
	next = after ? after->link.next : u->queue.next;
	spin_unlock(&u->lock);
	return next == &u->queue ? NULL : list_entry(next, struct unix_msg, link);
}

/* @m, the first, was read. holds: u->rlock. */
static void queue_drop(struct unix_sock *u, struct unix_msg *m)
{
	bool was_full;

	spin_lock(&u->lock);
	list_del(&m->link);
	was_full = u->nqueued-- > (u32)READ_ONCE(max_dgram_qlen);
	u->bytes -= m->size - m->off;
	spin_unlock(&u->lock);
	if (was_full && u->s.type == SOCK_DGRAM)
		waitq_wake(&unix_room, ~0u, POLLOUT | POLLWRNORM | POLLWRBAND);
	msg_free(m);
}

static void give_name(struct sock_msg *m, const struct unix_msg *msg)
{
	if (!m->addr)
		return;
	m->addr->len = msg->from ? msg->from->len : 0;
	if (msg->from)
		memcpy(m->addr->bytes, &msg->from->sun, msg->from->len);
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
		for (u32 i = 0; i < m->scm.nfiles; i++)
			file_get(m->scm.files[i]);
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

/* Wait, without rlock, until something is to be read, or never will. */
static int wait_readable(struct unix_sock *u, s64 deadline)
{
	int err;

	if (!deadline)
		return -EAGAIN;
	mutex_unlock(&u->rlock);
	err = wait_event_interruptible_timeout(&u->wait, READ_ONCE(u->nqueued) || peer_gone(u),
					       deadline);
	mutex_lock(&u->rlock);
	return err ? socket_wait_error(err, u->s.rcvtimeo) : 0;
}

/* The first message, waited for. holds: rlock. 0 with NULL at the end, or -errno. */
static int next_msg(struct unix_sock *u, s64 deadline, struct unix_msg **out)
{
	for (;;) {
		int err;

		*out = queue_next(u, NULL);
		if (*out)
			return 0;
		err = socket_take_error(&u->s);
		if (err)
			return err;
		if (READ_ONCE(u->shut) & SHUT_READ)
			return 0;
		err = wait_readable(u, deadline);
		if (err)
			return err;
	}
}

static bool same_cred(const struct sock_ucred *a, const struct sock_ucred *b)
{
	return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid;
}

/* State of one read of a stream. */
struct stream_read {
	ssize_t got;
	bool files; /* of a message were taken: this read ends with it */
	struct unix_msg *peeked; /* MSG_PEEK: the message looked at last */
};

/* Bytes of @msg for the reader. False ends the read. holds: rlock. */
static bool stream_take(struct unix_sock *u, struct sock_msg *m, struct unix_msg *msg,
			struct stream_read *r)
{
	bool peek = m->flags & MSG_PEEK;
	ssize_t n;

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
	n = uio_copy_to(m->data, msg->data + msg->off, msg->size - msg->off);
	if (n < 0) {
		r->got = r->got ? r->got : n;
		return false;
	}
	r->got += n;
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
	queue_drop(u, msg);
	return !r->files;
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

	if (m->flags & (MSG_OOB | MSG_ERRQUEUE))
		return -EOPNOTSUPP;
	if (READ_ONCE(u->state) != UNIX_CONNECTED)
		return -EINVAL;
	mutex_lock(&u->rlock);
	do {
		struct unix_msg *msg;

		/* What is enough is not waited beyond. */
		if (r.peeked)
			msg = queue_next(u, r.peeked);
		else
			err = next_msg(u, r.got && (size_t)r.got >= want ? 0 : deadline, &msg);
		if (err || !msg || !stream_take(u, m, msg, &r))
			break;
	} while (m->data->left);
	mutex_unlock(&u->rlock);
	return r.got ? r.got : err;
}

/* See sock_ops.recv. */
ssize_t unix_dgram_recv(struct socket *s, struct sock_msg *m)
{
	struct unix_sock *u = unix_of(s);
	s64 deadline = socket_deadline(READ_ONCE(s->rcvtimeo), m->flags & MSG_DONTWAIT);
	struct unix_msg *msg;
	ssize_t n;

	if (m->flags & (MSG_OOB | MSG_ERRQUEUE))
		return m->flags & MSG_OOB ? -EOPNOTSUPP : -EAGAIN;
	if (s->type == SOCK_SEQPACKET && READ_ONCE(u->state) != UNIX_CONNECTED)
		return -ENOTCONN;
	mutex_lock(&u->rlock);
	n = next_msg(u, deadline, &msg);
	/* A datagram socket that is shut down but cannot know that nothing comes: as Linux. */
	if (n == -EAGAIN && s->type == SOCK_SEQPACKET && (READ_ONCE(u->shut) & SHUT_READ))
		n = 0;
	if (n || !msg)
		goto unlock;
	if (!take_files(m, msg)) {
		n = -ENOMEM;
		goto unlock;
	}
	give_name(m, msg);
	m->scm.cred = msg->scm.cred;
	m->scm.has_cred = true;
	if (msg->size > m->data->left)
		m->out_flags |= MSG_TRUNC;
	n = uio_copy_to(m->data, msg->data, MIN(m->data->left, (size_t)msg->size));
	if (n >= 0 && (m->flags & MSG_TRUNC))
		n = msg->size;
	if (!(m->flags & MSG_PEEK))
		queue_drop(u, msg);
unlock:
	mutex_unlock(&u->rlock);
	return n;
}
