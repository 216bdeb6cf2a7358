/*
 * AF_NETLINK: NETLINK_KOBJECT_UEVENT, the kernel's news of devices, and sockets of NETLINK_ROUTE, to
 * which only notes come: nobody in the kernel answers requests there, and sending one is refused as
 * Linux refuses it on a protocol without a listener. A note is a message to one socket that was made
 * beforehand: mq_notify(3) with SIGEV_THREAD is told in that way.
 *
 * A socket that has bound itself to multicast group 1 gets one message per event, as text: a head
 * "ACTION@DEVPATH" and KEY=VALUE strings, each ended by NUL. Nothing can be sent to the kernel on this
 * protocol. A reader that is too slow loses messages, and its next read says ENOBUFS.
 *
 * The list of sockets and their queues are guarded by nl_lock (rank UNIX: events are rare, and small).
 * netlink(7), Linux's kobject_uevent.
 */
#include <linux/errno.h>
#include <linux/netlink.h>
#include <linux/poll.h>
#include "fs/sysfs.h"
#include "kernel/base/errno.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/sock/socket.h"

#define MESSAGE_CHARGE 512 /* what a message costs beside its bytes, about */

struct nl_msg {
	struct list link; /* nl_lock */
	u32 size; /* I */
	u32 groups; /* I: it was sent to */
	char data[]; /* I */
};

/* N: nl_lock; a: atomic; I: immutable after creation. */
struct nl_sock {
	struct socket s; /* a: as its fields say */
	struct list all; /* N */
	struct list queue; /* N: struct nl_msg */
	u32 charged; /* N: of the queue */
	u32 nqueued; /* N; a for looking */
	u32 port, groups; /* N; a for looking */
	struct waitq wait; /* own lock */
};

static struct spinlock nl_lock = SPINLOCK_INIT(RANK_UNIX);
static struct list nl_socks = LIST_INIT(nl_socks); /* nl_lock */

static struct nl_sock *nl_of(struct socket *s)
{
	return container_of(s, struct nl_sock, s);
}

static struct nl_msg *queue_pop(struct nl_sock *n)
{
	struct nl_msg *m = NULL;

	spin_lock(&nl_lock);
	if (!list_empty(&n->queue)) {
		m = list_first(&n->queue, struct nl_msg, link);
		list_del(&m->link);
		n->nqueued--;
		n->charged -= m->size + MESSAGE_CHARGE;
	}
	spin_unlock(&nl_lock);
	return m;
}

static void nl_release(struct socket *s)
{
	struct nl_sock *n = nl_of(s);
	struct nl_msg *m;

	spin_lock(&nl_lock);
	list_del(&n->all);
	spin_unlock(&nl_lock);
	while ((m = queue_pop(n)))
		kfree(m);
	kfree(n);
}

/* holds: nl_lock */
static bool port_taken(u32 port)
{
	struct nl_sock *n;

	list_for_each(n, &nl_socks, all)
		if (n->port == port)
			return true;
	return false;
}

/* Port 0 asks for one of the kernel's choice: the process's number, or any that is free. */
static int nl_bind(struct socket *s, const struct sock_addr *a)
{
	struct nl_sock *n = nl_of(s);
	struct sockaddr_nl sa;
	int err = 0;

	if (a->len < sizeof(sa) || a->family != AF_NETLINK)
		return -EINVAL;
	memcpy(&sa, a->bytes, sizeof(sa));
	spin_lock(&nl_lock);
	if (!sa.nl_pid) {
		sa.nl_pid = n->port ? n->port : socket_current_cred().pid;
		while (!n->port && port_taken(sa.nl_pid))
			sa.nl_pid = sa.nl_pid > 0x80000000u ? sa.nl_pid - 1 : ~0u;
	}
	if (n->port && n->port != sa.nl_pid)
		err = -EINVAL;
	else if (!n->port && port_taken(sa.nl_pid))
		err = -EADDRINUSE;
	if (!err) {
		n->port = sa.nl_pid;
		n->groups = sa.nl_groups;
	}
	spin_unlock(&nl_lock);
	return err;
}

static int nl_getname(struct socket *s, bool peer, struct sock_addr *out)
{
	struct nl_sock *n = nl_of(s);
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK };

	if (!peer) {
		sa.nl_pid = READ_ONCE(n->port);
		sa.nl_groups = READ_ONCE(n->groups);
	}
	memcpy(out->bytes, &sa, sizeof(sa));
	out->len = sizeof(sa);
	return 0;
}

static ssize_t nl_send(struct socket *s, struct sock_msg *m)
{
	return -ECONNREFUSED; /* the kernel does not listen on this protocol */
}

static int wait_message(struct nl_sock *n, u32 flags)
{
	s64 timeo = READ_ONCE(n->s.rcvtimeo),
	    deadline = socket_deadline(timeo, flags & MSG_DONTWAIT);
	int err = socket_take_error(&n->s);

	if (err || READ_ONCE(n->nqueued))
		return err;
	if (!deadline)
		return -EAGAIN;
	err = wait_event_interruptible_timeout(
		&n->wait, READ_ONCE(n->nqueued) || READ_ONCE(n->s.err), deadline);
	return err ? socket_wait_error(err, timeo) : socket_take_error(&n->s);
}

/* A peeked message may be read by another thread meanwhile: so a copy of it is looked at. */
static struct nl_msg *peek_copy(struct nl_sock *n)
{
	struct nl_msg *m, *copy = NULL;

	spin_lock(&nl_lock);
	if (!list_empty(&n->queue)) {
		m = list_first(&n->queue, struct nl_msg, link);
		copy = kmemdup(m, sizeof(*m) + m->size, PMM_NOWAIT);
	}
	spin_unlock(&nl_lock);
	return copy;
}

static ssize_t nl_recv(struct socket *s, struct sock_msg *m)
{
	struct nl_sock *n = nl_of(s);
	struct sockaddr_nl from = { .nl_family = AF_NETLINK };
	struct nl_msg *msg;
	ssize_t got;
	int err;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	do {
		err = wait_message(n, m->flags);
		if (err)
			return err;
		msg = m->flags & MSG_PEEK ? peek_copy(n) : queue_pop(n);
	} while (!msg);
	if (m->addr) {
		from.nl_groups = msg->groups;
		m->addr->len = sizeof(from);
		memcpy(m->addr->bytes, &from, sizeof(from));
	}
	m->scm.has_cred = true; /* from the kernel: nobody's process, root's rights */
	if (msg->size > m->data->left)
		m->out_flags |= MSG_TRUNC;
	got = uio_copy_to(m->data, msg->data, MIN(m->data->left, (size_t)msg->size));
	if (got >= 0 && (m->flags & MSG_TRUNC))
		got = msg->size;
	kfree(msg);
	return got;
}

static u32 nl_poll(struct socket *s, struct poll_table *pt)
{
	struct nl_sock *n = nl_of(s);

	poll_wait(pt, &n->wait);
	return (READ_ONCE(n->nqueued) ? POLLIN | POLLRDNORM : 0) |
	       (READ_ONCE(n->s.err) ? POLLERR : 0) | POLLOUT | POLLWRNORM | POLLWRBAND;
}

static const struct sock_ops netlink_ops = {
	.release = nl_release,
	.bind = nl_bind,
	.getname = nl_getname,
	.send = nl_send,
	.recv = nl_recv,
	.poll = nl_poll,
};

static bool has_room(const struct nl_sock *n, u32 size)
{
	return n->charged + size + MESSAGE_CHARGE <= (u32)READ_ONCE(n->s.rcvbuf);
}

/* holds: nl_lock */
static void queue_message(struct nl_sock *n, struct nl_msg *m)
{
	list_add_tail(&n->queue, &m->link);
	n->nqueued++;
	n->charged += m->size + MESSAGE_CHARGE;
}

/* One copy for @n, or word of the loss. holds: nl_lock */
static void queue_add(struct nl_sock *n, const char *text, u32 size)
{
	struct nl_msg *m = NULL;

	if (has_room(n, size))
		m = kmalloc(sizeof(*m) + size, PMM_NOWAIT);
	if (!m) {
		WRITE_ONCE(n->s.err, ENOBUFS);
		return;
	}
	m->size = size;
	m->groups = 1;
	memcpy(m->data, text, size);
	queue_message(n, m);
}

/* See sysfs_uevent_hook in sysfs.h. */
static void uevent_send(const char *text, size_t size)
{
	struct nl_sock *n;

	spin_lock(&nl_lock);
	list_for_each(n, &nl_socks, all) {
		if (!(n->groups & 1))
			continue;
		queue_add(n, text, (u32)size);
		waitq_wake(&n->wait, ~0u, POLLIN | POLLRDNORM);
	}
	spin_unlock(&nl_lock);
}

static int netlink_create(int type, int protocol, struct socket **out)
{
	struct nl_sock *n;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol != NETLINK_KOBJECT_UEVENT && protocol != NETLINK_ROUTE)
		return -EPROTONOSUPPORT;
	n = kzalloc(sizeof(*n), 0);
	if (!n)
		return -ENOMEM;
	socket_init(&n->s, &netlink_ops, AF_NETLINK, (u16)type, protocol);
	list_init(&n->queue);
	waitq_init(&n->wait);
	spin_lock(&nl_lock);
	list_add_tail(&nl_socks, &n->all);
	spin_unlock(&nl_lock);
	*out = &n->s;
	return 0;
}
SOCK_FAMILY(netlink, .family = AF_NETLINK, .create = netlink_create);

struct netlink_note {
	struct nl_msg m;
};

/* See socket.h. ctx: thread */
struct netlink_note *netlink_note_alloc(const void *data, u32 size)
{
	struct nl_msg *m = kmalloc(sizeof(*m) + size, 0);

	if (!m)
		return NULL;
	m->size = size;
	m->groups = 0;
	memcpy(m->data, data, size);
	return container_of(m, struct netlink_note, m);
}

/* See socket.h. ctx: any */
u8 *netlink_note_bytes(struct netlink_note *n)
{
	return (u8 *)n->m.data;
}

/* See socket.h. ctx: any */
void netlink_note_free(struct netlink_note *n)
{
	kfree(n);
}

/* See socket.h. ctx: any; sleeps: no. */
void netlink_note_post(struct file *sock, struct netlink_note *note)
{
	struct nl_sock *n = nl_of(socket_of(sock));
	bool room;

	spin_lock(&nl_lock);
	room = has_room(n, note->m.size);
	if (room)
		queue_message(n, &note->m);
	else
		WRITE_ONCE(n->s.err, ENOBUFS);
	waitq_wake(&n->wait, ~0u, POLLIN | POLLRDNORM);
	spin_unlock(&nl_lock);
	if (!room)
		netlink_note_free(note);
}

/* See socket.h. ctx: any */
bool file_is_netlink(const struct file *f)
{
	const struct socket *s = socket_of(f);

	return s && s->ops == &netlink_ops;
}

/* See socket.h. ctx: boot */
void netlink_init(void)
{
	sysfs_uevent_hook = uevent_send;
}
