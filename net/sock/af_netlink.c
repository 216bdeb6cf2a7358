/*
 * AF_NETLINK: NETLINK_KOBJECT_UEVENT, the kernel's news of devices, NETLINK_ROUTE,
 * NETLINK_SOCK_DIAG, NETLINK_GENERIC, and NETLINK_USERSOCK, which is for programs alone.
 *
 * On the first, a socket that has bound itself to multicast group 1 gets one message per event, as
 * text: a head "ACTION@DEVPATH" and KEY=VALUE strings, each ended by NUL. What is sent to the
 * kernel are requests, which rtnetlink.c, sockdiag.c and genl.c answer before send returns; the
 * answers wait in the queue. A reader that is too slow loses messages, and its next read says
 * ENOBUFS; who has more answers waiting than SO_RCVBUF allows gets no new ones.
 *
 * Programs send to each other by port, and wait for room there, and to groups, without waiting.
 *
 * A note is a message to one socket that was made beforehand: mq_notify(3) with SIGEV_THREAD.
 *
 * The list of sockets and their queues are guarded by nl_lock (rank UNIX: events are rare, and
 * small). netlink(7), Linux's kobject_uevent.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/netlink.h>
#include <linux/poll.h>
#include <linux/rtnetlink.h>
#include "fs/procfs.h"
#include "fs/sysfs.h"
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/lib/bitmap.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"
#include "net/sock/netlink.h"
#include "net/sock/socket.h"
#include "net/sock/sockfilter.h"

#define MESSAGE_CHARGE 512 /* what a message costs beside its bytes, about */

/* Whom a message comes from and goes to. Zeroes: from the kernel to one socket. I: all */
struct nl_way {
	u32 port; /* of the sender */
	u32 group; /* 0: it was sent to one socket */
	struct sock_ucred cred;
};

struct nl_msg {
	struct list link; /* nl_lock */
	u32 size; /* I */
	struct nl_way way; /* I */
	char data[]; /* I */
};

/* N: nl_lock; a: atomic; I: immutable after creation. */
struct nl_sock {
	struct socket s; /* a: as its fields say */
	struct list all; /* N */
	struct list queue; /* N: struct nl_msg */
	u32 charged; /* N: of the queue */
	u32 nqueued; /* N; a for looking */
	u32 port; /* N; a for looking */
	u64 groups; /* N; a for looking: bit N - 1 is group N */
	bool grouped; /* N; a for looking: it was in a group, now or before */
	bool connected; /* N */
	struct sockaddr_nl peer; /* N; a for looking: where what has no address goes */
	bool cap_ack, ext_ack, strict, no_enobufs, pktinfo; /* a: options, by setsockopt */
	struct waitq wait; /* own lock */
};

static struct spinlock nl_lock = SPINLOCK_INIT(RANK_UNIX);
static struct list nl_socks = LIST_INIT(nl_socks); /* nl_lock */
static struct waitq nl_room = WAITQ_INIT(nl_room); /* who sends to a socket without room */

static const struct nl_way from_kernel;

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
	if (m && waitq_active(&nl_room))
		waitq_wake(&nl_room, ~0u, POLLOUT);
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

/* Each protocol has ports of its own. NULL: it is free. holds: nl_lock */
static struct nl_sock *find_port(int protocol, u32 port)
{
	struct nl_sock *n;

	list_for_each(n, &nl_socks, all)
		if (n->port == port && n->s.protocol == protocol)
			return n;
	return NULL;
}

/*
 * @port for @n; 0 asks for one of the kernel's choice: that which it has, the process's number, or
 * any that is free. 0, -EINVAL: it has another one, -EADDRINUSE. holds: nl_lock
 */
static int take_port(struct nl_sock *n, u32 port)
{
	if (!port) {
		port = n->port ? n->port : socket_current_cred().pid;
		while (!n->port && find_port(n->s.protocol, port))
			port = port > 0x80000000u ? port - 1 : ~0u;
	}
	if (n->port && n->port != port)
		return -EINVAL;
	if (!n->port && find_port(n->s.protocol, port))
		return -EADDRINUSE;
	n->port = port;
	return 0;
}

/* holds: nl_lock */
static void set_groups(struct nl_sock *n, u64 groups)
{
	WRITE_ONCE(n->groups, groups);
	if (groups)
		WRITE_ONCE(n->grouped, true);
}

/* What anybody may do, and administrators may do everywhere. */
static bool may(bool anybody)
{
	return anybody || cred_capable(current->cred, CAP_NET_ADMIN);
}

static bool may_listen(const struct socket *s)
{
	return may(s->protocol != NETLINK_USERSOCK);
}

static int nl_bind(struct socket *s, const struct sock_addr *a)
{
	struct nl_sock *n = nl_of(s);
	struct sockaddr_nl sa;
	int err;

	if (a->len < sizeof(sa) || a->family != AF_NETLINK)
		return -EINVAL;
	memcpy(&sa, a->bytes, sizeof(sa));
	if (sa.nl_groups && !may_listen(s))
		return -EPERM;
	spin_lock(&nl_lock);
	err = n->port && n->port != sa.nl_pid ? -EINVAL : take_port(n, sa.nl_pid);
	if (!err) /* the address has room for the first 32 */
		set_groups(n, (n->groups & ~0xffffffffull) | sa.nl_groups);
	spin_unlock(&nl_lock);
	return err;
}

/* Who sends or connects has a port from then on; the groups stay. */
static int bind_any(struct nl_sock *n)
{
	int err;

	if (READ_ONCE(n->port))
		return 0;
	spin_lock(&nl_lock);
	err = take_port(n, 0);
	spin_unlock(&nl_lock);
	return err;
}

/* To others than the kernel? */
static bool may_reach(const struct socket *s, const struct sockaddr_nl *to)
{
	return may(s->protocol == NETLINK_USERSOCK || (!to->nl_pid && !to->nl_groups));
}

/* A message goes to one group only. */
static u32 first_group(const struct sockaddr_nl *to)
{
	return to->nl_groups ? bit_lowest(to->nl_groups) + 1 : 0;
}

/* As an address has it. */
static u32 group_mask(u32 group)
{
	return group && group <= 32 ? 1u << (group - 1) : 0;
}

static int nl_getname(struct socket *s, bool peer, struct sock_addr *out)
{
	struct nl_sock *n = nl_of(s);
	struct sockaddr_nl sa = { .nl_family = AF_NETLINK };

	if (!peer) {
		sa.nl_pid = READ_ONCE(n->port);
		sa.nl_groups = (u32)READ_ONCE(n->groups);
	} else {
		sa.nl_pid = READ_ONCE(n->peer.nl_pid);
		sa.nl_groups = group_mask(first_group(&n->peer));
	}
	memcpy(out->bytes, &sa, sizeof(sa));
	out->len = sizeof(sa);
	return 0;
}

/* The message that fills it may be of any size. */
static bool has_room(const struct nl_sock *n)
{
	return n->charged <= (u32)READ_ONCE(n->s.rcvbuf);
}

/* holds: nl_lock */
static void queue_message(struct nl_sock *n, struct nl_msg *m)
{
	list_add_tail(&n->queue, &m->link);
	n->nqueued++;
	n->charged += m->size + MESSAGE_CHARGE;
}

/* How much of a message the filter of @n lets through; 0: it is dropped. */
static u32 filtered(struct nl_sock *n, const void *data, u32 size)
{
	return READ_ONCE(n->s.filter) ? socket_filter_bytes(&n->s, (void *)data, size) : size;
}

static struct nl_msg *message(const void *data, u32 size, const struct nl_way *way, u32 flags)
{
	struct nl_msg *m = kmalloc(sizeof(*m) + size, flags);

	if (m) {
		m->size = size;
		m->way = *way;
		memcpy(m->data, data, size);
	}
	return m;
}

/* One copy for @n, or word of the loss. holds: nl_lock */
static void queue_add(struct nl_sock *n, const void *data, u32 size, const struct nl_way *way)
{
	struct nl_msg *m = NULL;

	size = filtered(n, data, size);
	if (!size)
		return;
	if (has_room(n))
		m = message(data, size, way, PMM_NOWAIT);
	if (m)
		queue_message(n, m);
	else if (!READ_ONCE(n->no_enobufs))
		WRITE_ONCE(n->s.err, ENOBUFS);
	waitq_wake(&n->wait, ~0u, POLLIN | POLLRDNORM);
}

/* A copy for each socket of @protocol in the group, but for @except and who has @port. */
static void multicast(int protocol, const void *data, u32 size, const struct nl_way *way,
		      const struct nl_sock *except, u32 port)
{
	struct nl_sock *n;

	spin_lock(&nl_lock);
	list_for_each(n, &nl_socks, all)
		if (n->s.protocol == protocol && n != except && (!port || n->port != port) &&
		    (n->groups >> (way->group - 1) & 1))
			queue_add(n, data, size, way);
	spin_unlock(&nl_lock);
}

/* For the socket at @port. 0, -ECONNREFUSED: nobody is there, -EAGAIN: it has no room. */
static int unicast_now(struct nl_sock *n, u32 port, const void *data, u32 size,
		       const struct nl_way *way)
{
	struct nl_sock *to;
	int err = 0;

	spin_lock(&nl_lock);
	to = find_port(n->s.protocol, port);
	if (!to || (to->connected && to->peer.nl_pid != n->port))
		err = -ECONNREFUSED;
	else if (!has_room(to) && filtered(to, data, size))
		err = -EAGAIN;
	else
		queue_add(to, data, size, way);
	spin_unlock(&nl_lock);
	return err;
}

static int unicast(struct nl_sock *n, u32 port, const void *data, u32 size,
		   const struct nl_way *way, u32 flags)
{
	s64 timeo = READ_ONCE(n->s.sndtimeo),
	    deadline = socket_deadline(timeo, flags & MSG_DONTWAIT);
	int sent = unicast_now(n, port, data, size, way), err;

	if (sent != -EAGAIN || !deadline)
		return sent;
	err = wait_event_interruptible_timeout(
		&nl_room, (sent = unicast_now(n, port, data, size, way)) != -EAGAIN, deadline);
	return err ? socket_wait_error(err, timeo) : sent;
}

/* --- answers --- */

/* See netlink.h. */
int nl_queue(struct nl_sock *n, const void *data, u32 size)
{
	struct nl_msg *m;

	size = filtered(n, data, size);
	if (!size)
		return 0;
	m = message(data, size, &from_kernel, 0);
	if (!m)
		return -ENOMEM;
	spin_lock(&nl_lock);
	queue_message(n, m);
	spin_unlock(&nl_lock);
	waitq_wake(&n->wait, ~0u, POLLIN | POLLRDNORM);
	return 0;
}

/* See netlink.h. */
bool nl_wanted(u32 group)
{
	struct nl_sock *n;
	bool wanted = false;

	spin_lock(&nl_lock);
	list_for_each(n, &nl_socks, all)
		wanted |= n->s.protocol == NETLINK_ROUTE && (n->groups >> (group - 1) & 1);
	spin_unlock(&nl_lock);
	return wanted;
}

/* See netlink.h. */
void nl_flush(struct nl_out *o)
{
	if (o->len && !o->to)
		multicast(NETLINK_ROUTE, o->bytes, o->len, &(struct nl_way){ .group = o->group },
			  NULL, 0);
	else if (o->len && !o->err)
		o->err = nl_queue(o->to, o->bytes, o->len);
	kfree(o->bytes);
	o->bytes = NULL;
	o->len = 0;
}

/* The verdict on a request: its head comes back, with all of it when it failed. */
static void acknowledge(struct nl_out *o, const struct nlmsghdr *h, int err, bool capped)
{
	u32 size = sizeof(struct nlmsgerr);
	struct nlmsgerr *e;

	if (err && !capped)
		size += h->nlmsg_len - sizeof(*h);
	if (size > NL_MESSAGE_MAX)
		size = sizeof(*e);
	o->flags = !err || (size == sizeof(*e) && h->nlmsg_len > sizeof(*h)) ? NLM_F_CAPPED : 0;
	e = nl_begin(o, NLMSG_ERROR, size);
	if (!e)
		return;
	e->error = err;
	memcpy(&e->msg, h, size - offsetof(struct nlmsgerr, msg));
	nl_end(o);
}

/* See netlink.h, and sysfs_uevent_hook in sysfs.h. */
void nl_uevent_send(const char *text, size_t size)
{
	multicast(NETLINK_KOBJECT_UEVENT, text, (u32)size, &(struct nl_way){ .group = 1 }, NULL, 0);
}

static int request(struct nl_sock *n, const struct nlmsghdr *h, bool admin, struct nl_out *o)
{
	switch (n->s.protocol) {
	case NETLINK_ROUTE: return rtnetlink_request(h, admin, o);
	case NETLINK_GENERIC: return genl_request(h, o);
	case NETLINK_KOBJECT_UEVENT: return uevent_request(h);
	}
	return sockdiag_request(h, admin, o);
}

/* All requests in @bytes. 0 or -ENOBUFS */
static int requests(struct nl_sock *n, const u8 *bytes, u32 len)
{
	bool admin = cred_capable(current->cred, CAP_NET_ADMIN);
	struct nl_out o = { .to = n, .port = READ_ONCE(n->port) };

	while (len >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)bytes;
		u32 whole;
		int err = 0;

		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > len)
			break;
		o.seq = h->nlmsg_seq;
		if (READ_ONCE(n->charged) > (u32)READ_ONCE(n->s.rcvbuf))
			o.err = -ENOBUFS; /* many dumps in one send */
		else if ((h->nlmsg_flags & NLM_F_REQUEST) && h->nlmsg_type >= NLMSG_MIN_TYPE)
			err = request(n, h, admin, &o);
		o.flags = 0;
		if (o.err)
			break;
		if (err || ((h->nlmsg_flags & NLM_F_ACK) &&
			    !(h->nlmsg_type >= NLMSG_MIN_TYPE &&
			      (h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP))) {
			/* What was asked for, and the verdict, are messages of their own. */
			nl_flush(&o);
			acknowledge(&o, h, err, READ_ONCE(n->cap_ack));
		}
		nl_flush(&o);
		whole = MIN(NLMSG_ALIGN(h->nlmsg_len), len);
		bytes += whole;
		len -= whole;
	}
	nl_flush(&o);
	return o.err;
}

static ssize_t nl_send(struct socket *s, struct sock_msg *m)
{
	struct nl_sock *n = nl_of(s);
	struct sockaddr_nl to = n->peer;
	size_t len = m->data->left;
	struct nl_way way;
	ssize_t err;
	u8 *bytes;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (!len)
		return -ENODATA;
	if (m->addr && m->addr->len) {
		if (m->addr->len < sizeof(to) || m->addr->family != AF_NETLINK)
			return -EINVAL;
		memcpy(&to, m->addr->bytes, sizeof(to));
		if (!may_reach(s, &to))
			return -EPERM;
	}
	err = bind_any(n);
	if (err)
		return err;
	if (len > (size_t)READ_ONCE(s->sndbuf) - 32)
		return -EMSGSIZE;
	bytes = kmalloc(len, 0);
	if (!bytes)
		return -ENOBUFS;
	if (uio_copy_from(m->data, bytes, len) != (ssize_t)len) {
		err = -EFAULT;
		goto free;
	}
	way = (struct nl_way){ READ_ONCE(n->port), first_group(&to),
			       m->scm.has_cred ? m->scm.cred : socket_current_cred() };
	if (way.group)
		multicast(s->protocol, bytes, (u32)len, &way, n, to.nl_pid);
	if (to.nl_pid)
		err = unicast(n, to.nl_pid, bytes, (u32)len, &way, m->flags);
	else if (s->protocol == NETLINK_USERSOCK) /* the kernel does not listen there */
		err = -ECONNREFUSED;
	else if (READ_ONCE(n->charged) > (u32)READ_ONCE(s->rcvbuf))
		err = -ENOBUFS;
	else
		err = requests(n, bytes, (u32)len);
free:
	kfree(bytes);
	return err ? err : (ssize_t)len;
}

/* --- options --- */

static bool *option_field(struct nl_sock *n, int option)
{
	switch (option) {
	case NETLINK_CAP_ACK: return &n->cap_ack;
	case NETLINK_EXT_ACK: return &n->ext_ack;
	case NETLINK_GET_STRICT_CHK: return &n->strict;
	case NETLINK_NO_ENOBUFS: return &n->no_enobufs;
	case NETLINK_PKTINFO: return &n->pktinfo;
	}
	return NULL;
}

/* How many there are in its protocol. */
static u32 groups_of(const struct socket *s)
{
	return s->protocol == NETLINK_ROUTE	? RTNLGRP_MAX
	       : s->protocol == NETLINK_GENERIC ? 64
						: 32;
}

static int nl_setsockopt(struct socket *s, int level, int option, const void *val, u32 len)
{
	struct nl_sock *n = nl_of(s);
	bool *field = option_field(n, option);
	u64 group;
	u32 v = 0; /* also what is shorter, as on Linux */

	if (level != SOL_NETLINK)
		return -ENOPROTOOPT;
	if (len >= sizeof(v))
		memcpy(&v, val, sizeof(v));
	if (field) {
		WRITE_ONCE(*field, v != 0);
		return 0;
	}
	if (option != NETLINK_ADD_MEMBERSHIP && option != NETLINK_DROP_MEMBERSHIP)
		return -ENOPROTOOPT;
	if (!may_listen(s))
		return -EPERM;
	if (v < 1 || v > groups_of(s))
		return -EINVAL;
	group = 1ull << (v - 1);
	spin_lock(&nl_lock);
	set_groups(n, option == NETLINK_ADD_MEMBERSHIP ? n->groups | group : n->groups & ~group);
	spin_unlock(&nl_lock);
	return 0;
}

static int nl_getsockopt(struct socket *s, int level, int option, void *val, u32 *len)
{
	struct nl_sock *n = nl_of(s);
	bool *field = option_field(n, option);
	int v;

	if (level == SOL_NETLINK && option == NETLINK_LIST_MEMBERSHIPS) {
		memcpy(val, &n->groups, sizeof(n->groups));
		*len = READ_ONCE(n->grouped) ? ALIGN_UP(groups_of(s), 32u) / 8 : 0;
		return 0;
	}
	if (level != SOL_NETLINK || !field)
		return -ENOPROTOOPT;
	v = READ_ONCE(*field);
	if (*len < sizeof(v))
		return -EINVAL;
	*len = sizeof(v);
	memcpy(val, &v, sizeof(v));
	return 0;
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
		from.nl_pid = msg->way.port;
		from.nl_groups = group_mask(msg->way.group);
		m->addr->len = sizeof(from);
		memcpy(m->addr->bytes, &from, sizeof(from));
	}
	if (READ_ONCE(n->pktinfo))
		sock_msg_control(m, SOL_NETLINK, NETLINK_PKTINFO, &msg->way.group,
				 sizeof(struct nl_pktinfo));
	m->scm.has_cred = true; /* from the kernel: nobody's process, root's rights */
	m->scm.cred = msg->way.cred;
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

/* Whether somebody is there is seen when something is sent. */
static int nl_connect(struct socket *s, const struct sock_addr *a, bool nonblock)
{
	struct sockaddr_nl to = { 0 };
	struct nl_sock *n = nl_of(s);
	int err;

	if (a->len < sizeof(a->family))
		return -EINVAL;
	if (a->family != AF_UNSPEC) {
		if (a->family != AF_NETLINK || a->len < sizeof(to))
			return -EINVAL;
		memcpy(&to, a->bytes, sizeof(to));
		if (!may_reach(s, &to))
			return -EPERM;
		err = bind_any(n);
		if (err)
			return err;
	}
	spin_lock(&nl_lock);
	n->peer = to;
	n->connected = a->family != AF_UNSPEC;
	spin_unlock(&nl_lock);
	return 0;
}

static const struct sock_ops netlink_ops = {
	.release = nl_release,
	.bind = nl_bind,
	.getname = nl_getname,
	.connect = nl_connect,
	.setsockopt = nl_setsockopt,
	.getsockopt = nl_getsockopt,
	.send = nl_send,
	.recv = nl_recv,
	.poll = nl_poll,
};

static int netlink_create(int type, int protocol, struct socket **out)
{
	struct nl_sock *n;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol != NETLINK_KOBJECT_UEVENT && protocol != NETLINK_ROUTE &&
	    protocol != NETLINK_SOCK_DIAG && protocol != NETLINK_USERSOCK &&
	    protocol != NETLINK_GENERIC)
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

/* One line per socket with a port; the last group's number that is kept is 32. */
static int nl_show(struct sbuf *out, void *arg)
{
	struct nl_sock *n;

	sbuf_puts(out, "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    "
		       "Drops    Inode\n");
	spin_lock(&nl_lock);
	list_for_each(n, &nl_socks, all)
		if (n->port)
			sbuf_printf(out, "%016x %-3d %-10u %08x %-8u %-8u %-5u %-8u %-8u %llu\n", 0,
				    n->s.protocol, n->port, (u32)n->groups, n->charged, 0u, 0u, 2u,
				    0u, (unsigned long long)READ_ONCE(n->s.ino));
	spin_unlock(&nl_lock);
	return 0;
}
PROC_FILE(net_netlink, "net/netlink", 0444, .show = nl_show);

/* See netlink.h. */
u32 nl_collect(struct nl_seen *out, u32 max)
{
	struct nl_sock *n;
	u32 found = 0;

	spin_lock(&nl_lock);
	list_for_each(n, &nl_socks, all) {
		if (!n->port && !n->groups)
			continue;
		if (found < max)
			out[found] = (struct nl_seen){
				.id = (u64)n,
				.ino = (u32)READ_ONCE(n->s.ino),
				.port = n->port,
				.groups = (u32)n->groups,
				.charged = n->charged,
				.rcvbuf = (u32)READ_ONCE(n->s.rcvbuf),
				.sndbuf = (u32)READ_ONCE(n->s.sndbuf),
				.pktinfo = n->pktinfo,
				.no_enobufs = n->no_enobufs,
				.cap_ack = n->cap_ack,
				.type = (u8)n->s.type,
				.protocol = (u8)n->s.protocol,
			};
		found++;
	}
	spin_unlock(&nl_lock);
	return found;
}

struct netlink_note {
	struct nl_msg m;
};

/* See socket.h. ctx: thread */
struct netlink_note *netlink_note_alloc(const void *data, u32 size)
{
	return (struct netlink_note *)message(data, size, &from_kernel, 0);
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
	room = has_room(n);
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
	sysfs_uevent_hook = nl_uevent_send;
	rtnetlink_init();
}
