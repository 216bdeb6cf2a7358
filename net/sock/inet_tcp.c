/*
 * Sockets of TCP: their life. The protocol is net/tcp; here are names, connect, listen, accept, the
 * end, and what poll sees.
 *
 * A socket has one connection block all its life. close(2) gives that back, and TCP goes on alone
 * until the other side knows. With SO_LINGER the close waits for that, or resets. tcp(7),
 * socket(7), connect(2), accept(2).
 */
#include <asm/siginfo.h>
#include <linux/errno.h>
#include <linux/sockios.h>
#include <linux/poll.h>
#include <linux/rtnetlink.h>
#include "fs/async.h"
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/base/time.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"
#include "net/sock/inet_tcp.h"
#include "net/sock/sockfilter.h"

static const struct sock_ops tcp_ops;

/* --- what TCP tells: under the connection's lock --- */

static void user_event(void *user, u32 events)
{
	struct tcp_sock *t = user;

	if (events & POLLIN)
		socket_came_in(&t->i.s);
	if (list_empty(&t->i.s.async))
		return;
	if (events & POLLIN)
		async_notify(&t->i.s.async, POLL_IN);
	if (events & POLLOUT)
		async_notify(&t->i.s.async, POLL_OUT);
}

static void user_urgent(void *user)
{
	struct tcp_sock *t = user;

	socket_urgent(&t->i.s);
	async_notify(&t->i.s.async, POLL_PRI);
}

static void user_sent(void *user, const struct pkt *pkt, u32 what, u32 end)
{
	struct tcp_sock *t = user;

	inet_errq_stamp_stream(&t->i, pkt, what, end);
}

static u64 user_inode(void *user)
{
	struct tcp_sock *t = user;
	const struct file *f = load_acquire(&t->i.s.file);

	return f ? f->inode->ino : 0;
}

static const struct tcp_user_ops user_ops = {
	.event = user_event,
	.urgent = user_urgent,
	.sent = user_sent,
	.inode = user_inode,
};

/* --- beginning --- */

static struct tcp_sock *sock_make(int protocol)
{
	struct tcp_sock *t = kzalloc(sizeof(*t), 0);

	if (!t)
		return NULL;
	inet_sock_init(&t->i, &tcp_ops, SOCK_STREAM, protocol);
	mutex_init(&t->rd, RANK_SOCK);
	mutex_init(&t->wr, RANK_SOCK);
	return t;
}

static int tcp_create(int type, int protocol, struct socket **out)
{
	struct tcp_sock *t = sock_make(protocol);

	if (!t || tcp_open(&user_ops, t, &t->pcb)) {
		kfree(t);
		return -ENOBUFS;
	}
	inet_tcp_sync(t);
	*out = &t->i.s;
	return 0;
}
INET_TYPE(tcp, .type = SOCK_STREAM, .protocol = IPPROTO_TCP, .create = tcp_create);

static int sock_bind(struct socket *s, const struct sock_addr *a)
{
	struct tcp_sock *t = tcp_of(s);
	struct sockaddr_in in;
	int err = inet_addr_in(a, &in);

	if (err == -EAFNOSUPPORT && in.sin_family == AF_UNSPEC && !in.sin_addr.s_addr)
		err = 0;
	if (!err)
		err = inet_may_bind(&t->i, in.sin_addr.s_addr, net16(in.sin_port));
	if (err)
		return err;
	inet_tcp_sync(t);
	return tcp_bind(t->pcb, (struct tcp_addr){ in.sin_addr.s_addr, in.sin_port });
}

static bool is_opening(const struct tcp_pcb *p)
{
	enum tcp_state s = tcp_state(p);

	return s == TCP_SYN_SENT || s == TCP_SYN_RECV;
}

static void disconnect(struct tcp_sock *t)
{
	mutex_lock(&t->rd); /* a receiver copies from what goes */
	tcp_disconnect(t->pcb);
	mutex_unlock(&t->rd);
	WRITE_ONCE(t->connecting, false);
	WRITE_ONCE(t->connected, false);
}

/* The outcome of a connect that has begun. */
static int connect_wait(struct tcp_sock *t, bool nonblock)
{
	s64 timeo = READ_ONCE(t->i.s.sndtimeo);
	int err;

	if (is_opening(t->pcb)) {
		if (nonblock)
			return -EINPROGRESS;
		err = wait_event_interruptible_timeout(tcp_waitq(t->pcb), !is_opening(t->pcb),
						       socket_deadline(timeo, false));
		if (err)
			return err == -ETIMEDOUT ? -EINPROGRESS : socket_wait_error(err, timeo);
	}
	if (tcp_state(t->pcb) != TCP_CLOSE) {
		WRITE_ONCE(t->connecting, false);
		WRITE_ONCE(t->connected, true);
		return 0;
	}
	err = tcp_take_error(t->pcb);
	disconnect(t);
	return err ? err : -ECONNABORTED;
}

/* A SYN that waited for it goes, with what it can take of @first; and the outcome. */
static int connect_go(struct tcp_sock *t, bool nonblock, struct uio *first)
{
	ssize_t n = tcp_fast_open(t->pcb, first);

	if (n < 0)
		return (int)n;
	return nonblock ? -EINPROGRESS : connect_wait(t, false);
}

/* @first: bytes for the SYN, and @a may be NULL; NULL: connect(2). */
static int connect_to(struct tcp_sock *t, const struct sock_addr *a, bool nonblock,
		      struct uio *first)
{
	struct sockaddr_in in;
	int err;

	if (!first && a->family == AF_UNSPEC) {
		disconnect(t);
		return 0;
	}
	if (READ_ONCE(t->connected))
		return READ_ONCE(t->connecting) ? -EINVAL : -EISCONN;
	if (READ_ONCE(t->connecting)) {
		if (tcp_held(t->pcb))
			return first ? connect_go(t, nonblock, first) : -EISCONN;
		if (is_opening(t->pcb) && nonblock)
			return -EALREADY;
		return connect_wait(t, nonblock);
	}
	if (tcp_state(t->pcb) == TCP_LISTEN)
		return -EISCONN; /* whatever the address is */
	err = a ? inet_addr_in(a, &in) : -EINVAL;
	if (err)
		return err;
	inet_tcp_sync(t);
	mutex_lock(&t->rd); /* as above: what an earlier connection left goes */
	err = (first ? tcp_connect_held
		     : tcp_connect)(t->pcb, (struct tcp_addr){ in.sin_addr.s_addr, in.sin_port });
	mutex_unlock(&t->rd);
	if (err)
		return err;
	WRITE_ONCE(t->connecting, true);
	if (first)
		return connect_go(t, nonblock, first);
	if (tcp_held(t->pcb))
		return 0;
	/* Whoever does not wait hears of it by poll(), also when it is there already. */
	return nonblock ? -EINPROGRESS : connect_wait(t, false);
}

static int sock_connect(struct socket *s, const struct sock_addr *a, bool nonblock)
{
	if (a->len < sizeof(a->family))
		return -EINVAL;
	return connect_to(tcp_of(s), a, nonblock, NULL);
}

/* See inet_tcp.h. ctx: thread; sleeps */
int inet_tcp_fast_open(struct tcp_sock *t, struct sock_msg *m, ssize_t *done)
{
	const struct sock_addr *a = m->addr;
	size_t before = m->data->left;
	int err;

	if (!(READ_ONCE(tcp_sysctl_fastopen) & 1) ||
	    (a && a->len >= sizeof(a->family) && a->family == AF_UNSPEC))
		return -EOPNOTSUPP;
	err = connect_to(t, a, m->flags & MSG_DONTWAIT, m->data);
	if (!err || err == -EINPROGRESS)
		*done = (ssize_t)(before - m->data->left);
	return err;
}

static int sock_listen(struct socket *s, int backlog)
{
	struct tcp_sock *t = tcp_of(s);
	int err;

	if (READ_ONCE(t->connected) || READ_ONCE(t->connecting))
		return -EINVAL;
	inet_tcp_sync(t);
	mutex_lock(&t->rd);
	err = tcp_listen(t->pcb, backlog);
	mutex_unlock(&t->rd);
	return err;
}

/* A connection has its listener's options, but not what belongs to the file. */
static void inherit(struct tcp_sock *t, const struct tcp_sock *l)
{
	struct list async = t->i.s.async;

	t->i = l->i;
	t->i.s.async = async;
	list_init(&t->i.s.async);
	t->i.errq = NULL;
	t->i.groups = NULL;
	t->i.s.file = NULL;
	t->i.s.err = 0;
	t->i.s.cookie = 0;
	t->i.s.filter = NULL; /* of which that of @l has the reference */
	socket_filter_adopt(&t->i.s, tcp_get_filter(t->pcb));
}

static int sock_accept(struct socket *s, bool nonblock, struct socket **out, struct sock_addr *from)
{
	struct tcp_sock *l = tcp_of(s), *t = sock_make(s->protocol);
	s64 timeo = READ_ONCE(s->rcvtimeo), deadline = socket_deadline(timeo, nonblock);
	struct tcp_addr a;
	int err;

	if (!t)
		return -ENOMEM;
	for (;;) {
		err = tcp_accept(l->pcb, &t->pcb);
		if (err != -EAGAIN || nonblock)
			break;
		err = WAIT_EVENT(tcp_waitq(l->pcb),
				 tcp_state(l->pcb) != TCP_LISTEN || tcp_poll(l->pcb), TS_SLEEPING,
				 deadline, true);
		if (err) {
			err = socket_wait_error(err, timeo);
			break;
		}
	}
	if (err) {
		kfree(t);
		return err;
	}
	inherit(t, l);
	t->connected = true;
	if (READ_ONCE(t->i.s.pacing) != ~0ull && tcp_set_pacing(t->pcb, t->i.s.pacing))
		WRITE_ONCE(t->i.s.pacing, ~0ull);
	tcp_set_user(t->pcb, &user_ops, t);
	*out = &t->i.s;
	if (from) {
		tcp_remote(t->pcb, &a);
		inet_addr_out(from, a.addr, a.port);
	}
	return 0;
}

/* --- the end --- */

/* SO_LINGER: wait until the other side has all, and our FIN. */
static void linger(struct tcp_sock *t, int seconds)
{
	if (tcp_state(t->pcb) == TCP_LISTEN || tcp_shutdown(t->pcb, SHUT_WRITE))
		return;
	(void)wait_event_interruptible_timeout(tcp_waitq(t->pcb), !tcp_unsent(t->pcb),
					       time_now() + seconds * NSEC_PER_SEC);
}

static void sock_release(struct socket *s)
{
	struct tcp_sock *t = tcp_of(s);
	int seconds = READ_ONCE(s->linger);

	if (seconds > 0)
		linger(t, seconds);
	if (seconds)
		tcp_close(t->pcb);
	else
		tcp_abort(t->pcb);
	inet_mcast_free(&t->i);
	inet_errq_free(&t->i);
	kfree(t);
}

static int sock_shutdown(struct socket *s, u32 how)
{
	struct tcp_sock *t = tcp_of(s);
	enum tcp_state state = tcp_state(t->pcb);

	if (READ_ONCE(t->connecting)) { /* nobody asks any more */
		WRITE_ONCE(t->connected, state != TCP_SYN_SENT);
		WRITE_ONCE(t->connecting, state == TCP_CLOSE || state == TCP_SYN_RECV);
	}
	return tcp_shutdown(t->pcb, how);
}

/* --- looking --- */

static u32 sock_poll(struct socket *s, struct poll_table *pt)
{
	poll_wait(pt, tcp_waitq(pcb_of(s)));
	return tcp_poll(pcb_of(s)) | inet_errq_events(inet_of(s));
}

static int sock_getname(struct socket *s, bool peer, struct sock_addr *out)
{
	struct tcp_addr a;

	if (!tcp_name(pcb_of(s), peer, &a))
		return -ENOTCONN;
	inet_addr_out(out, a.addr, a.port);
	return 0;
}

static long sock_queued(struct socket *s, bool out)
{
	return tcp_queued(pcb_of(s), out);
}

static long sock_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	long n;

	if (cmd != SIOCOUTQNSD)
		return inet_ioctl(s, cmd, arg);
	n = tcp_not_sent(pcb_of(s));
	return n < 0 ? n : put_user(arg, (int)n);
}

static u32 sock_charged(const struct socket *s, bool out)
{
	return (u32)MAX(tcp_queued(pcb_of(s), out), 0); /* of a listener nothing is */
}

static bool sock_at_mark(struct socket *s)
{
	return tcp_at_mark(pcb_of(s), 0);
}

static bool sock_listening(struct socket *s)
{
	return tcp_state(pcb_of(s)) == TCP_LISTEN;
}

static void sock_device(struct socket *s)
{
	/* The connection is told like of each option (inet_tcp_sync). */
}

static int sock_chooser(struct socket *s, struct net_chooser *c)
{
	return socket_option(s, SO_REUSEPORT) ? tcp_set_chooser(pcb_of(s), c) : -EINVAL;
}

static int sock_filter(struct socket *s, struct net_chooser *c)
{
	return tcp_set_filter(pcb_of(s), c);
}

static int sock_number(struct socket *s)
{
	enum tcp_state state = tcp_state(pcb_of(s));

	if (state == TCP_CLOSE || state == TCP_LISTEN)
		return -EINVAL;
	inet_stamp_number(inet_of(s), tcp_unacked(pcb_of(s)));
	return 0;
}

static const struct sock_ops tcp_ops = {
	.number = sock_number,
	.chooser = sock_chooser,
	.filter = sock_filter,
	.release = sock_release,
	.bind = sock_bind,
	.connect = sock_connect,
	.listen = sock_listen,
	.accept = sock_accept,
	.getname = sock_getname,
	.send = inet_tcp_send,
	.recv = inet_tcp_recv,
	.shutdown = sock_shutdown,
	.poll = sock_poll,
	.queued = sock_queued,
	.charged = sock_charged,
	.at_mark = sock_at_mark,
	.late_control = true,
	.listening = sock_listening,
	.setsockopt = inet_tcp_setsockopt,
	.getsockopt = inet_tcp_getsockopt,
	.ioctl = sock_ioctl,
	.device = sock_device,
	.peek_off = true,
};
