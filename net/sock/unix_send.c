/*
 * AF_UNIX: sending.
 *
 * A send copies user data into a fresh struct unix_msg before any lock is taken, and puts that on
 * the receiver's queue. A stream is cut into messages of at most STREAM_PIECE bytes. With MSG_OOB
 * its last byte is a message of its own, the out-of-band byte (unix_msg.c), and the receiver's
 * owner gets SIGURG.
 *
 * Flow control: a message is charged to its sender until it was read (SO_SNDBUF); a queue of
 * datagrams takes max_dgram_qlen at most, except from the socket that the receiver itself is
 * connected to. Senders that wait for the room of a queue wait on one queue of waiters for all
 * sockets (unix_room), so that polling a sender never hangs on the life of its receiver.
 *
 * unix(7), send(2).
 */
#include <asm/siginfo.h>
#include <linux/errno.h>
#include <linux/poll.h>
#include "fs/async.h"
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/sock/sockfilter.h"
#include "net/sock/unix.h"

#define STREAM_PIECE 16000u /* with its header within four frames */
#define STREAM_AT_ONCE 36544u /* as on Linux: bytes sent at most between looks at the room */
#define STREAM_LINEAR 3776u /* as on Linux: bytes of a message that are in one piece of memory */
#define DGRAM_LINEAR 16064u
#define PAGED_MAX (17u * 4096) /* and what it keeps in pages beside them */
#define NOBODY 65534u /* an id that is not known */
#define DGRAM_EXTRA 32u /* as on Linux: the room beside them that there has to be */

/* Room for a message, waited for until @deadline, if @u still may send and has no error. */
static int wait_writable(struct unix_sock *u, s64 deadline)
{
	int err = socket_take_error(&u->s);

	if (!err && (READ_ONCE(u->shut) & SHUT_WRITE))
		err = -EPIPE;
	if (err || READ_ONCE(u->wmem) < (u32)READ_ONCE(u->s.sndbuf))
		return err;
	if (!deadline)
		return -EAGAIN;
	err = wait_event_interruptible_timeout(&u->wait,
					       READ_ONCE(u->wmem) < (u32)READ_ONCE(u->s.sndbuf) ||
						       (READ_ONCE(u->shut) & SHUT_WRITE),
					       deadline);
	return err ? socket_wait_error(err, u->s.sndtimeo) : 0;
}

/*
 * What a message of @size bytes counts: the memory that Linux has for it, so that as many go into a
 * buffer of a given size. A block, a power of two, holds up to @linear bytes and 320 of its own.
 */
static u32 charge_of(u32 size, u32 linear)
{
	u32 paged = size > linear ? MIN(ALIGN_UP(size - linear, 4096u), PAGED_MAX) : 0;
	u32 need = ALIGN_UP(size - MIN(paged, size), 64u) + 320, block = 512;

	while (block < need)
		block *= 2;
	return paged + block + 256;
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
	msg->charge = charge_of(size, u->s.type == SOCK_STREAM ? STREAM_LINEAR : DGRAM_LINEAR);
	msg->sender = unix_get(u);
	msg->scm.has_cred = m->scm.has_cred;
	msg->scm.cred = m->scm.has_cred ? m->scm.cred : (struct sock_ucred){ 0, NOBODY, NOBODY };
	__atomic_add_fetch(&u->wmem, msg->charge, __ATOMIC_ACQ_REL);
	*out = msg;
	return 0;
}

/* Who sends @msg is said when one of the two asks for it by now, or may yet: not accepted. */
static void msg_sign(struct unix_msg *msg, const struct unix_sock *to)
{
	if (msg->scm.has_cred || !(READ_ONCE(msg->sender->s.passcred) ||
				   READ_ONCE(to->s.passcred) || !READ_ONCE(to->s.file)))
		return;
	msg->scm.cred = socket_current_cred();
	msg->scm.cred.uid = current->cred->uid;
	msg->scm.cred.gid = current->cred->gid;
}

/*
 * Put @msg on @to's queue, the caller's files with it; @oob: as its out-of-band byte. 0, or -EPIPE:
 * @msg stays the caller's.
 */
static int msg_deliver(struct unix_sock *to, struct unix_msg *msg, struct sock_msg *m, bool oob)
{
	bool files = m && m->scm.nfiles, gone;

	msg_sign(msg, to);
	if (files) {
		mutex_lock(&unix_gc_lock);
		msg->scm.files = m->scm.files;
		msg->scm.nfiles = m->scm.nfiles;
		msg->scm.user = m->scm.user;
		unix_fly(&msg->scm);
	}
	spin_lock(&to->lock);
	gone = to->dead || (to->shut & SHUT_READ);
	if (!gone) {
		list_add_tail(&to->queue, &msg->link);
		to->nqueued++;
		to->bytes += msg->size;
		WRITE_ONCE(to->arrivals, to->arrivals + 1);
		if (oob) {
			WRITE_ONCE(to->oob, msg);
			socket_urgent(&to->s);
		}
	}
	spin_unlock(&to->lock);
	if (files) {
		if (gone) {
			unix_land(&msg->scm);
			msg->scm.files = NULL;
			msg->scm.nfiles = 0;
			msg->scm.user = NULL;
		} else {
			m->scm.files = NULL;
			m->scm.nfiles = 0;
			m->scm.user = NULL;
		}
		mutex_unlock(&unix_gc_lock);
	}
	if (gone)
		return -EPIPE;
	waitq_wake_sync(&to->wait, 1, POLLIN | POLLRDNORM | (oob ? POLLPRI : 0));
	async_notify(&to->s.async, oob ? POLL_PRI : POLL_IN);
	return 0;
}

/*
 * One piece of a stream; @oob: its last byte, out of band. *had: bytes that there was room for when
 * it was last looked at. Bytes, or -errno.
 */
static ssize_t stream_piece(struct unix_sock *u, struct unix_sock *peer, struct sock_msg *m,
			    s64 deadline, bool oob, u32 *had)
{
	struct unix_msg *msg;
	u32 size, most;
	int err;

	while (!*had) {
		err = wait_writable(u, deadline);
		if (err)
			return err;
		if (READ_ONCE(u->wmem) < (u32)READ_ONCE(u->s.sndbuf))
			*had = MIN((u32)READ_ONCE(u->s.sndbuf) / 2 - 64, STREAM_AT_ONCE);
	}
	most = MIN(*had, STREAM_PIECE);
	size = (u32)MIN(m->data->left, (size_t)most);
	/* The byte that goes out of band is no part of what goes before it. */
	if ((m->flags & MSG_OOB) && !oob && size == m->data->left)
		size--;
	*had -= MIN(*had, size);
	err = msg_make(u, m, size, &msg);
	if (err)
		return err;
	err = msg_deliver(peer, msg, m, oob);
	if (err)
		unix_msg_free(msg);
	return err ? err : (ssize_t)size;
}

/* See sock_ops.send. */
ssize_t unix_stream_send(struct socket *s, struct sock_msg *m)
{
	struct unix_sock *u = unix_of(s), *peer = unix_peer(u);
	s64 deadline = socket_deadline(READ_ONCE(s->sndtimeo), m->flags & MSG_DONTWAIT);
	ssize_t sent = 0, n = 0;
	u32 had = 0;

	if ((m->flags & MSG_OOB) && !m->data->left)
		n = -EOPNOTSUPP;
	else if (m->addr && m->addr->len)
		n = READ_ONCE(u->state) == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	else if (!peer)
		n = -ENOTCONN;
	else if ((READ_ONCE(u->shut) & SHUT_WRITE) || READ_ONCE(peer->dead))
		n = -EPIPE; /* an error is for another call */
	while (!n && m->data->left) {
		bool oob = (m->flags & MSG_OOB) && m->data->left == 1;

		n = stream_piece(u, peer, m, deadline, oob, &had);
		if (n > 0) {
			sent += n;
			n = 0;
		}
	}
	if (peer)
		unix_put(peer);
	return sent ? sent : n;
}

/*
 * @u is no longer connected to @peer: what it has not read is lost. The other end of a pair hears
 * of that, if anything was. ctx: thread; sleeps
 */
void unix_dgram_lost(struct unix_sock *u, struct unix_sock *peer)
{
	struct list all = LIST_INIT(all);

	mutex_lock(&u->rlock); /* a receiver copies from what goes */
	unix_unqueue(u, &all);
	mutex_unlock(&u->rlock);
	if (list_empty(&all))
		return;
	unix_drop(&all);
	waitq_wake_all(&unix_room);
	if (READ_ONCE(peer->dead) || READ_ONCE(peer->peer) != u)
		return;
	WRITE_ONCE(peer->s.err, ECONNRESET);
	waitq_wake_all(&peer->wait);
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
	if (mine) {
		unix_dgram_lost(u, peer);
		unix_put(peer);
	}
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

/* 0, or why @to takes no datagram of @u. */
static int dgram_refused(struct unix_sock *u, struct unix_sock *to)
{
	struct unix_sock *its = READ_ONCE(to->peer);

	if (READ_ONCE(to->dead)) {
		if (u->s.type != SOCK_DGRAM)
			return -EPIPE;
		dgram_disconnect(u, to);
		return -ECONNREFUSED;
	}
	if (u->s.type == SOCK_DGRAM && its && its != u)
		return -EPERM;
	return READ_ONCE(to->shut) & SHUT_READ ? -EPIPE : 0;
}

/*
 * To *to, with a reference; NULL: whom the name given leads to, which is looked at when the message
 * is there already. Bytes or -errno. The receiver's filter comes before all else that it may have
 * against the message, and what is dropped by it counts as sent.
 */
static ssize_t dgram_send(struct unix_sock *u, struct unix_sock **to, struct sock_msg *m)
{
	s64 deadline = socket_deadline(READ_ONCE(u->s.sndtimeo), m->flags & MSG_DONTWAIT);
	size_t size = m->data->left;
	struct unix_msg *msg;
	u32 keep = (u32)size;
	int err;

	if (size + DGRAM_EXTRA > (size_t)READ_ONCE(u->s.sndbuf))
		return -EMSGSIZE;
	err = wait_writable(u, deadline);
	if (!err)
		err = msg_make(u, m, keep, &msg);
	if (err)
		return err;
	if (!*to)
		err = unix_find(m->addr, u->s.type, to);
	if (err)
		goto free;
	if (unlikely(READ_ONCE((*to)->s.filter))) {
		keep = socket_filter_bytes(&(*to)->s, msg->data, keep);
		msg->size = MIN(msg->size, keep);
		if (!keep)
			goto free;
	}
	err = dgram_refused(u, *to);
	if (!err && u->s.type == SOCK_DGRAM)
		err = wait_room(*to, u, deadline);
	if (!err && (READ_ONCE(u->shut) & SHUT_WRITE))
		err = -EPIPE;
	if (err)
		goto free;
	if (!msg_deliver(*to, msg, m, false))
		return (ssize_t)size;
	err = dgram_refused(u, *to);
free:
	unix_msg_free(msg);
	return err ? err : (ssize_t)size;
}

/* See sock_ops.send. */
ssize_t unix_dgram_send(struct socket *s, struct sock_msg *m)
{
	struct unix_sock *u = unix_of(s), *to = NULL;
	ssize_t n = 0;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->addr && m->addr->len)
		n = unix_addr_wrong(m->addr) ? -EINVAL : 0;
	else if (!(to = unix_peer(u)))
		n = -ENOTCONN;
	/* With credentials on, the receiver must be able to answer. */
	if (!n && READ_ONCE(s->passcred))
		n = unix_autobind(u);
	if (!n)
		n = dgram_send(u, &to, m);
	if (to)
		unix_put(to);
	return n;
}

/* See sock_ops.send. */
ssize_t unix_seqpacket_send(struct socket *s, struct sock_msg *m)
{
	ssize_t n = socket_take_error(s);

	if (n)
		return n;
	if (READ_ONCE(unix_of(s)->state) != UNIX_CONNECTED)
		return -ENOTCONN;
	if (m->control_err)
		return m->control_err;
	m->addr = NULL; /* a name given is not looked at */
	return unix_dgram_send(s, m);
}
