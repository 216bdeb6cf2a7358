/*
 * Sockets of TCP: send and receive. net/tcp moves what it can; here is the waiting. The lock of the
 * one sender, or receiver, is not held meanwhile, so that a call that may not wait finds out at
 * once.
 *
 * send(2), recv(2), tcp(7).
 */
#include <linux/errno.h>
#include <linux/poll.h>
#include <linux/socket.h>
#include "kernel/base/errno.h"
#include "kernel/base/time.h"
#include "net/sock/inet_tcp.h"

#define MSG_MORE 0x8000u
#define MEMORY_WAIT (50 * NSEC_PER_MSEC)

static bool may_send(const struct tcp_pcb *p)
{
	return tcp_poll(p) & (POLLOUT | POLLERR | POLLHUP);
}

/* Wait until it is worth trying again after @why. 0 or -errno */
static int wait_send(struct tcp_sock *t, ssize_t why, s64 deadline)
{
	s64 timeo = READ_ONCE(t->i.s.sndtimeo), now;
	int err;

	if (!deadline)
		return -EAGAIN;
	if (why == -ENOMEM) {
		/* Nobody tells when there is memory again. */
		now = time_now();
		if (deadline <= now)
			return -EAGAIN;
		err = wait_event_interruptible_timeout(tcp_waitq(t->pcb), false,
						       MIN(deadline, now + MEMORY_WAIT));
		return err == -ETIMEDOUT ? 0 : socket_wait_error(err, timeo);
	}
	err = wait_event_interruptible_timeout(tcp_waitq(t->pcb), may_send(t->pcb), deadline);
	return err ? socket_wait_error(err, timeo) : 0;
}

/* Control data comes after the connection: one that takes nothing any more says that first. */
static int control_err(const struct tcp_sock *t, const struct sock_msg *m)
{
	enum tcp_state s = tcp_state(t->pcb);

	return s <= TCP_SYN_RECV || s == TCP_CLOSE_WAIT ? m->control_err : 0;
}

/* See inet_tcp.h. ctx: thread; sleeps */
ssize_t inet_tcp_send(struct socket *s, struct sock_msg *m)
{
	struct tcp_sock *t = tcp_of(s);
	s64 deadline = socket_deadline(READ_ONCE(s->sndtimeo), m->flags & MSG_DONTWAIT);
	u32 flags = (m->flags & MSG_MORE ? TCP_SEND_MORE : 0) |
		    (m->flags & MSG_OOB ? TCP_SEND_OOB : 0) |
		    (m->flags & MSG_EOR ? TCP_SEND_EOR : 0);
	struct pkt *notice = NULL;
	ssize_t done = 0, n = 0;

	if (unlikely(m->flags & (MSG_ZEROCOPY | MSG_FASTOPEN))) {
		ssize_t first = 0;
		int err = m->flags & MSG_ZEROCOPY ? inet_errq_zerocopy(&t->i, m, &notice) : 0;

		if (err)
			return err;
		if (m->flags & MSG_FASTOPEN)
			n = inet_tcp_fast_open(t, m, &first);
		done = first;
		if (n || (done && !m->data->left))
			goto out;
	}
	if (unlikely(m->control_err)) {
		n = control_err(t, m);
		if (n)
			goto out;
	}
	flags |= (u32)inet_stamp_wanted(&t->i, m) << TCP_SEND_STAMP_SHIFT;
	for (;;) {
		mutex_lock(&t->wr);
		n = tcp_send(t->pcb, m->data, flags);
		mutex_unlock(&t->wr);
		if (n > 0)
			done += n;
		if (n < 0 ? n != -EAGAIN && n != -ENOMEM : !m->data->left)
			break;
		if (tcp_held(t->pcb)) { /* its SYN goes, even without a byte */
			ssize_t first = 0; /* on its own, so that what counts is in a register */

			n = inet_tcp_fast_open(t, m, &first);
			done += first;
		} else if (!m->data->left) {
			break;
		} else {
			n = wait_send(t, n, deadline);
		}
		if (n || !m->data->left)
			break;
	}
	if (unlikely(flags >> TCP_SEND_STAMP_SHIFT) && done && m->data->left)
		tcp_send_cut(t->pcb, flags);
out:
	if (unlikely(notice) && inet_errq_complete(&t->i, notice, done))
		waitq_wake(tcp_waitq(t->pcb), ~0u, POLLERR);
	return done ? done : n;
}

/* --- receiving --- */

static bool may_recv(const struct tcp_pcb *p, u32 skip)
{
	return tcp_readable(p) > skip || (tcp_poll(p) & (POLLRDHUP | POLLERR | POLLHUP));
}

static ssize_t recv_oob(struct tcp_sock *t, struct sock_msg *m)
{
	u8 byte = 0;
	int err = tcp_recv_oob(t->pcb, &byte, m->flags & MSG_PEEK);

	if (err)
		return err;
	m->out_flags |= MSG_OOB;
	if (!m->data->left) {
		m->out_flags |= MSG_TRUNC;
		return 0;
	}
	if (m->flags & MSG_TRUNC)
		return 1;
	return uio_copy_to(m->data, &byte, 1);
}

/* See inet_tcp.h. ctx: thread; sleeps */
ssize_t inet_tcp_recv(struct socket *s, struct sock_msg *m)
{
	struct tcp_sock *t = tcp_of(s);
	s64 timeo = READ_ONCE(s->rcvtimeo);
	s64 deadline = socket_deadline(timeo, m->flags & MSG_DONTWAIT);
	bool peek = m->flags & MSG_PEEK;
	u32 skip = socket_peek_from(s, m->flags);
	u32 flags = (peek ? TCP_RECV_PEEK : 0) | (m->flags & MSG_TRUNC ? TCP_RECV_TRUNC : 0) |
		    (READ_ONCE(s->oobinline) ? TCP_RECV_INLINE : 0);
	ssize_t done = 0, n, least = MAX(READ_ONCE(s->rcvlowat), 1);

	if (m->flags & MSG_ERRQUEUE)
		return inet_errq_recv(&t->i, m);
	if (m->flags & MSG_OOB)
		return recv_oob(t, m);
	if (m->addr)
		m->addr->len = 0;
	if ((m->flags & MSG_WAITALL) || (size_t)least > m->data->left)
		least = (ssize_t)MAX(MIN(m->data->left, 0x7fffffffu), 1u); /* waits for none, too */
	for (;;) {
		mutex_lock(&t->rd);
		n = tcp_recv(t->pcb, m->data, flags, skip);
		mutex_unlock(&t->rd);
		if (n > 0) {
			done += n;
			skip += peek ? (u32)n : 0;
		}
		if ((!m->data->left && done) || done >= least || (n <= 0 && n != -EAGAIN))
			break;
		if (done && tcp_at_mark(t->pcb, skip)) /* a read ends there */
			break;
		if (!deadline) {
			n = -EAGAIN;
			break;
		}
		n = wait_event_interruptible_timeout(tcp_waitq(t->pcb), may_recv(t->pcb, skip),
						     deadline);
		if (n) {
			n = socket_wait_error((int)n, timeo);
			break;
		}
	}
	if (done > 0) {
		socket_peek_moved(s, m->flags, (u32)done);
		socket_stamp(s, m);
	}
	if (unlikely(READ_ONCE(t->inq)) && (done || !n)) {
		int left = (int)tcp_left(t->pcb);

		sock_msg_control(m, IPPROTO_TCP, TCP_CM_INQ, &left, sizeof(left));
	}
	return done ? done : n;
}
