/*
 * AF_UNIX: names, connections, and the life of a socket.
 *
 * A name is a file of type socket, made by bind, or abstract: bytes behind a leading NUL, gone with
 * the socket. Bound sockets are on a list by a hash of the inode or the bytes; the names' lock
 * guards it, and each socket's name is set once. Sockets of different types may have the same
 * abstract name. A name keeps no reference: a socket leaves the list before it goes.
 *
 * connect on a stream makes the other end at once, connected, and puts it on the listener's pending
 * list; accept takes it from there. Each end holds a reference to the other until its own end. A
 * datagram socket's peer is only where it sends to.
 *
 * Locks: two sockets are never locked at once; a state that spans two is set on the far one first,
 * under its lock, and given up when the near one turns out to have changed. unix(7).
 */
#include <asm/siginfo.h>
#include <linux/errno.h>
#include <linux/poll.h>
#include "fs/async.h"
#include "fs/procfs.h"
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/lib/sbuf.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "net/sock/unix.h"

#define NAME_BUCKETS 64
#define PATH_OFF offsetof(struct sockaddr_un, sun_path)
#define BACKLOG_MAX 4096

static struct spinlock names_lock = SPINLOCK_INIT(RANK_SPIN_OUTER);
static struct list names[NAME_BUCKETS]; /* names_lock: struct unix_sock.named */
static struct list all_socks = LIST_INIT(all_socks); /* names_lock */

/* Who a peer is: as it was when it connected or listened. */
struct unix_peer {
	struct sock_ucred cred;
	struct cred *groups; /* reference */
};

/* See unix.h. The last reference: nothing leads here any more. */
void unix_put(struct unix_sock *u)
{
	if (!ref_put(&u->refs))
		return;
	if (u->bound)
		path_put(&u->where);
	if (u->peergroups)
		cred_put(u->peergroups);
	kfree(u->addr);
	kfree(u);
}

/* See unix.h. ctx: thread */
struct unix_sock *unix_peer(struct unix_sock *u)
{
	struct unix_sock *peer;

	spin_lock(&u->lock);
	peer = u->peer;
	if (peer)
		unix_get(peer);
	spin_unlock(&u->lock);
	return peer;
}

/* --- names --- */

static u32 hash_bytes(const void *p, u32 len)
{
	const u8 *b = p;
	u32 h = 2166136261u;

	while (len--)
		h = (h ^ *b++) * 16777619u;
	return h % NAME_BUCKETS;
}

static u32 hash_inode(const struct inode *i)
{
	return hash_bytes(&i, sizeof(i));
}

/* holds: names_lock */
static struct unix_sock *abstract_find(const struct sockaddr_un *sun, u32 len, u16 type)
{
	struct unix_sock *u;

	list_for_each(u, &names[hash_bytes(sun, len)], named)
		if (!u->bound && u->s.type == type && u->addr->len == len &&
		    !memcmp(&u->addr->sun, sun, len))
			return u;
	return NULL;
}

/* See unix.h. ctx: any */
bool unix_addr_wrong(const struct sock_addr *a)
{
	return a->len <= PATH_OFF || a->len > sizeof(struct sockaddr_un) || a->family != AF_UNIX;
}

/* Check an address, and end a path with NUL. Its length as kept: sun_path as text, or all bytes. */
static int addr_check(const struct sock_addr *a, struct sockaddr_un *sun, u32 *len)
{
	if (unix_addr_wrong(a))
		return -EINVAL;
	memset(sun, 0, sizeof(*sun));
	memcpy(sun, a->bytes, a->len);
	*len = a->len;
	if (sun->sun_path[0])
		*len = (u32)(PATH_OFF + strnlen(sun->sun_path, a->len - PATH_OFF) + 1);
	return 0;
}

static int path_find(const char *name, struct unix_sock **out)
{
	struct unix_sock *u;
	struct path p;
	int err = path_lookup(NULL, name, LOOKUP_FOLLOW, &p);

	if (err)
		return err;
	err = inode_permission(p.dentry->inode, MAY_WRITE);
	if (!err)
		err = -ECONNREFUSED;
	if (err == -ECONNREFUSED && S_ISSOCK(p.dentry->inode->mode)) {
		spin_lock(&names_lock);
		list_for_each(u, &names[hash_inode(p.dentry->inode)], named) {
			if (u->bound == p.dentry->inode) {
				*out = unix_get(u);
				err = 0;
				break;
			}
		}
		spin_unlock(&names_lock);
	}
	path_put(&p);
	return err;
}

/* See unix.h. ctx: thread; sleeps. */
int unix_find(const struct sock_addr *a, u16 type, struct unix_sock **out)
{
	char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	struct sockaddr_un sun;
	u32 len;
	int err = addr_check(a, &sun, &len);

	if (err)
		return err;
	if (sun.sun_path[0]) {
		strlcpy(name, sun.sun_path, MIN(sizeof(name), (size_t)len - PATH_OFF));
		err = path_find(name, out);
	} else {
		spin_lock(&names_lock);
		*out = abstract_find(&sun, len, type);
		if (*out)
			unix_get(*out);
		else
			err = -ECONNREFUSED;
		spin_unlock(&names_lock);
	}
	if (!err && (*out)->s.type != type) {
		unix_put(*out);
		err = -EPROTOTYPE;
	}
	return err;
}

static struct unix_addr *addr_make(const struct sockaddr_un *sun, u32 len)
{
	struct unix_addr *a = kzalloc(sizeof(*a), 0);

	if (a) {
		a->len = len;
		memcpy(&a->sun, sun, MIN((size_t)len, sizeof(*sun)));
	}
	return a;
}

/*
 * Give @u the name @a, in @bucket; abstract ones (@where NULL) must be free. 0, -EINVAL (has one),
 * -EADDRINUSE; @a and the references of @where are @u's on success.
 */
static int name_set(struct unix_sock *u, struct unix_addr *a, const struct path *where, u32 bucket)
{
	int err = 0;

	spin_lock(&names_lock);
	if (u->addr)
		err = -EINVAL;
	else if (!where && abstract_find(&a->sun, a->len, u->s.type))
		err = -EADDRINUSE;
	if (!err) {
		if (where) {
			u->where = *where;
			u->bound = where->dentry->inode;
		}
		store_release(&u->addr, a);
		list_add_tail(&names[bucket], &u->named);
	}
	spin_unlock(&names_lock);
	return err;
}

static int bind_abstract(struct unix_sock *u, const struct sockaddr_un *sun, u32 len)
{
	struct unix_addr *a = addr_make(sun, len);
	int err = a ? name_set(u, a, NULL, hash_bytes(sun, len)) : -ENOMEM;

	if (err)
		kfree(a);
	return err;
}

static int bind_path(struct unix_sock *u, const struct sockaddr_un *sun, u32 len)
{
	struct unix_addr *a = addr_make(sun, len);
	char name[sizeof(sun->sun_path) + 1];
	struct path where;
	int err;

	if (!a)
		return -ENOMEM;
	strlcpy(name, sun->sun_path, MIN(sizeof(name), (size_t)len - PATH_OFF));
	err = vfs_mknod(NULL, name, S_IFSOCK | (u->s.file->inode->mode & 07777), 0);
	if (err == -EEXIST)
		err = -EADDRINUSE;
	if (err)
		goto free;
	err = path_lookup(NULL, name, 0, &where);
	if (!err) {
		err = name_set(u, a, &where, hash_inode(where.dentry->inode));
		if (!err)
			return 0;
		path_put(&where);
	}
	(void)vfs_unlink(NULL, name);
free:
	kfree(a);
	return err;
}

/* See unix.h. ctx: thread; sleeps. Five hexadecimal digits, as Linux. */
int unix_autobind(struct unix_sock *u)
{
	static u32 next; /* a */
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int err = 0;

	for (u32 tries = 0; tries < 1 << 20 && !load_acquire(&u->addr); tries++) {
		u32 n = __atomic_add_fetch(&next, 1, __ATOMIC_RELAXED) & 0xfffff;
		struct sbuf sb;

		sbuf_init(&sb, sun.sun_path + 1, 5);
		sbuf_printf(&sb, "%05x", n);
		err = bind_abstract(u, &sun, PATH_OFF + 6);
		if (err == -EINVAL) /* another thread was quicker */
			return 0;
		if (err != -EADDRINUSE)
			return err;
	}
	return err == -EADDRINUSE ? -ENOSPC : err;
}

static int unix_bind(struct socket *s, const struct sock_addr *a)
{
	struct unix_sock *u = unix_of(s);
	struct sockaddr_un sun;
	u32 len;
	int err;

	if (a->len == PATH_OFF && a->family == AF_UNIX)
		return unix_autobind(u);
	err = addr_check(a, &sun, &len);
	if (err)
		return err;
	return sun.sun_path[0] ? bind_path(u, &sun, len) : bind_abstract(u, &sun, len);
}

static int unix_getname(struct socket *s, bool peer, struct sock_addr *out)
{
	struct unix_sock *u = unix_of(s);
	const struct unix_addr *a;

	u = peer ? unix_peer(u) : unix_get(u);
	if (!u)
		return -ENOTCONN;
	a = load_acquire(&u->addr);
	out->len = a ? a->len : PATH_OFF;
	out->family = AF_UNIX;
	if (a)
		memcpy(out->bytes, &a->sun, MIN((size_t)a->len, sizeof(a->sun)));
	unix_put(u);
	return 0;
}

/* --- a socket --- */

static const struct sock_ops stream_ops, dgram_ops, seqpacket_ops;

static int max_dgram_qlen = 10; /* a */
SYSCTL_INT(max_dgram_qlen, "sys/net/unix/max_dgram_qlen", &max_dgram_qlen, 0, 1 << 20);

static struct unix_sock *unix_alloc(int type)
{
	struct unix_sock *u = kzalloc(sizeof(*u), 0);

	if (!u)
		return NULL;
	socket_init(&u->s,
		    type == SOCK_STREAM	 ? &stream_ops
		    : type == SOCK_DGRAM ? &dgram_ops
					 : &seqpacket_ops,
		    AF_UNIX, (u16)type, 0);
	ref_init(&u->refs, 1);
	u->uid = current->cred->euid;
	u->backlog = (u32)READ_ONCE(max_dgram_qlen);
	spin_init(&u->lock, RANK_UNIX);
	mutex_init(&u->rlock, RANK_SOCK);
	waitq_init(&u->wait);
	list_init(&u->queue);
	list_init(&u->pending);
	list_init(&u->accept_link);
	list_init(&u->named);
	list_init(&u->flying);
	spin_lock(&names_lock);
	list_add_tail(&all_socks, &u->all);
	spin_unlock(&names_lock);
	return u;
}

static int unix_create(int type, int protocol, struct socket **out)
{
	struct unix_sock *u;

	if (protocol && protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	if (type == SOCK_RAW)
		type = SOCK_DGRAM;
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		return -ESOCKTNOSUPPORT;
	u = unix_alloc(type);
	if (!u)
		return -ENOMEM;
	*out = &u->s;
	return 0;
}
SOCK_FAMILY(unix, .family = AF_UNIX, .create = unix_create);

/* The other end went: @reset when it left something unread. */
static void peer_died(struct unix_sock *u, bool reset)
{
	spin_lock(&u->lock);
	WRITE_ONCE(u->shut, SHUT_READ | SHUT_WRITE);
	spin_unlock(&u->lock);
	if (reset)
		WRITE_ONCE(u->s.err, ECONNRESET);
	waitq_wake_all(&u->wait);
	async_notify(&u->s.async, POLL_HUP);
}

static struct unix_sock *next_pending(struct unix_sock *u)
{
	struct unix_sock *c = NULL;

	spin_lock(&u->lock);
	if (!list_empty(&u->pending)) {
		c = list_first(&u->pending, struct unix_sock, accept_link);
		list_del(&c->accept_link);
		u->npending--;
	}
	spin_unlock(&u->lock);
	return c;
}

static void unix_release(struct socket *s)
{
	struct unix_sock *u = unix_of(s), *peer, *child;
	bool unread;

	spin_lock(&names_lock);
	list_del(&u->all);
	if (u->addr)
		list_del(&u->named);
	spin_unlock(&names_lock);
	spin_lock(&u->lock);
	WRITE_ONCE(u->dead, true);
	WRITE_ONCE(u->shut, SHUT_READ | SHUT_WRITE);
	unread = u->nqueued;
	peer = u->peer;
	u->peer = NULL;
	spin_unlock(&u->lock);
	while ((child = next_pending(u)))
		unix_release(&child->s);
	if (peer) {
		if (s->type != SOCK_DGRAM)
			peer_died(peer, unread || !s->file);
		unix_put(peer);
	}
	unix_flush(u);
	waitq_wake_all(&u->wait);
	if (s->type == SOCK_DGRAM)
		waitq_wake_all(&unix_room);
	unix_put(u);
	unix_gc_kick();
}

/* --- connections --- */

/*
 * Who the peer of @u is: the same as that of @like, or the caller (NULL). Returns what was known
 * before, to be put. holds: u->lock
 */
static struct cred *peer_is(struct unix_sock *u, const struct unix_peer *like)
{
	struct cred *old = u->peergroups;

	u->peercred = like ? like->cred : socket_current_cred();
	u->peergroups = cred_get(like ? like->groups : current->cred);
	u->has_peercred = true;
	return old;
}

static int unix_listen(struct socket *s, int backlog)
{
	struct unix_sock *u = unix_of(s);
	struct cred *old = NULL;
	int err = 0;

	if (!load_acquire(&u->addr))
		return -EINVAL;
	spin_lock(&u->lock);
	if (u->state == UNIX_CONNECTED) {
		err = -EINVAL;
	} else {
		u->backlog = (u32)MIN((u32)backlog, (u32)BACKLOG_MAX);
		old = peer_is(u, NULL);
		WRITE_ONCE(u->state, UNIX_LISTEN);
	}
	spin_unlock(&u->lock);
	if (old)
		cred_put(old);
	if (!err)
		waitq_wake_all(&u->wait); /* a larger backlog */
	return err;
}

/* @end becomes connected to @other, whose reference it takes. False: it is not free any more. */
static bool end_connect(struct unix_sock *end, struct unix_sock *other, const struct unix_peer *who)
{
	struct cred *old = NULL;
	bool free;

	spin_lock(&end->lock);
	free = end->state == UNIX_FREE && !end->peer;
	if (free) {
		end->peer = other;
		old = peer_is(end, who);
		WRITE_ONCE(end->state, UNIX_CONNECTED);
	}
	spin_unlock(&end->lock);
	if (old)
		cred_put(old);
	return free;
}

static bool backlog_full(struct unix_sock *l)
{
	return READ_ONCE(l->npending) > READ_ONCE(l->backlog);
}

static bool listener_open(struct unix_sock *l)
{
	return READ_ONCE(l->state) == UNIX_LISTEN && !(READ_ONCE(l->shut) & SHUT_READ);
}

/* Put the connection @c on @l's list. 0, -EAGAIN (full), -ECONNREFUSED. */
static int pending_add(struct unix_sock *l, struct unix_sock *c)
{
	int err = 0;

	spin_lock(&l->lock);
	if (l->dead || !listener_open(l))
		err = -ECONNREFUSED;
	else if (backlog_full(l))
		err = -EAGAIN;
	if (!err) {
		list_add_tail(&l->pending, &c->accept_link);
		l->npending++;
	}
	spin_unlock(&l->lock);
	if (!err) {
		waitq_wake(&l->wait, ~0u, POLLIN | POLLRDNORM);
		async_notify(&l->s.async, POLL_IN);
	}
	return err;
}

/* Connect @u to the listener @l through the fresh end @c. 0, or -errno and nothing has changed. */
static int connect_through(struct unix_sock *u, struct unix_sock *l, struct unix_sock *c)
{
	struct unix_peer listener;
	bool mine;
	int err;

	spin_lock(&l->lock);
	listener.cred = l->peercred;
	listener.groups = cred_get(l->peergroups);
	spin_unlock(&l->lock);
	(void)end_connect(c, unix_get(u), NULL);
	mine = end_connect(u, unix_get(c), &listener);
	cred_put(listener.groups);
	if (!mine) {
		unix_put(c);
		return READ_ONCE(u->state) == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	}
	err = pending_add(l, c);
	if (!err)
		return 0;
	spin_lock(&u->lock);
	u->peer = NULL;
	u->has_peercred = false;
	WRITE_ONCE(u->state, UNIX_FREE);
	spin_unlock(&u->lock);
	unix_put(c);
	return err;
}

/* The end that accept will give out: with the listener's name and options. */
static struct unix_sock *end_make(struct unix_sock *l)
{
	struct unix_sock *c = unix_alloc(l->s.type);
	struct unix_addr *a = load_acquire(&l->addr);

	if (!c)
		return NULL;
	c->s.passcred = READ_ONCE(l->s.passcred);
	c->addr = a ? addr_make(&a->sun, a->len) : NULL;
	if (a && !c->addr) {
		unix_release(&c->s);
		return NULL;
	}
	return c;
}

/* An end that nobody saw goes; it does not tell @u, whose reference it has. */
static void end_drop(struct unix_sock *c)
{
	struct unix_sock *u;

	spin_lock(&c->lock);
	u = c->peer;
	c->peer = NULL;
	spin_unlock(&c->lock);
	if (u)
		unix_put(u);
	unix_release(&c->s);
}

static int connect_to(struct unix_sock *u, struct unix_sock *l, s64 deadline)
{
	for (;;) {
		struct unix_sock *c;
		int err;

		if (!listener_open(l) || READ_ONCE(l->dead))
			return -ECONNREFUSED;
		c = end_make(l);
		if (!c)
			return -ENOMEM;
		err = connect_through(u, l, c);
		if (!err)
			return 0;
		end_drop(c);
		if (err != -EAGAIN || !deadline)
			return err;
		err = wait_event_interruptible_timeout(
			&l->wait, !backlog_full(l) || !listener_open(l), deadline);
		if (err)
			return socket_wait_error(err, u->s.sndtimeo);
	}
}

static int unix_connect(struct socket *s, const struct sock_addr *a, bool nonblock)
{
	struct unix_sock *u = unix_of(s), *l;
	int err = 0;

	if (READ_ONCE(s->passcred))
		err = unix_autobind(u);
	if (!err)
		err = unix_find(a, s->type, &l);
	if (err)
		return err;
	if (READ_ONCE(u->state) != UNIX_FREE)
		err = READ_ONCE(u->state) == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	else
		err = connect_to(u, l, socket_deadline(READ_ONCE(s->sndtimeo), nonblock));
	unix_put(l);
	return err;
}

static int dgram_connect(struct socket *s, const struct sock_addr *a, bool nonblock)
{
	struct unix_sock *u = unix_of(s), *to = NULL, *old;
	int err = 0;

	if (a->len < sizeof(a->family))
		return -EINVAL;
	if (a->family != AF_UNSPEC) {
		if (READ_ONCE(s->passcred))
			err = unix_autobind(u);
		if (!err)
			err = unix_find(a, s->type, &to);
		if (err)
			return err;
		if (to->peer && to->peer != u) { /* it hears nobody else */
			unix_put(to);
			return -EPERM;
		}
	}
	spin_lock(&u->lock);
	old = u->peer;
	u->peer = to;
	WRITE_ONCE(u->state, to ? UNIX_CONNECTED : UNIX_FREE);
	spin_unlock(&u->lock);
	if (old) {
		if (old != to)
			unix_dgram_lost(u, old);
		unix_put(old);
	}
	return 0;
}

static int unix_accept(struct socket *s, bool nonblock, struct socket **out, struct sock_addr *from)
{
	struct unix_sock *u = unix_of(s), *c;
	s64 deadline = socket_deadline(READ_ONCE(s->rcvtimeo), nonblock);

	for (;;) {
		int err;

		if (READ_ONCE(u->state) != UNIX_LISTEN)
			return -EINVAL;
		c = next_pending(u);
		if (c)
			break;
		if (READ_ONCE(u->shut) & SHUT_READ)
			return -EINVAL;
		if (!deadline)
			return -EAGAIN;
		err = wait_event_interruptible_timeout(
			&u->wait, READ_ONCE(u->npending) || (READ_ONCE(u->shut) & SHUT_READ),
			deadline);
		if (err)
			return socket_wait_error(err, s->rcvtimeo);
	}
	waitq_wake(&u->wait, ~0u, POLLOUT); /* who waits for the backlog */
	*out = &c->s;
	if (from && unix_getname(&c->s, true, from)) /* gone again: its name went with it */
		*from = (struct sock_addr){ .family = AF_UNIX, .len = PATH_OFF };
	return 0;
}

static int unix_pair(struct socket *a, struct socket *b)
{
	(void)end_connect(unix_of(a), unix_get(unix_of(b)), NULL);
	(void)end_connect(unix_of(b), unix_get(unix_of(a)), NULL);
	return 0;
}

static int unix_shutdown(struct socket *s, u32 how)
{
	struct unix_sock *u = unix_of(s), *peer = unix_peer(u);

	spin_lock(&u->lock);
	WRITE_ONCE(u->shut, u->shut | how);
	spin_unlock(&u->lock);
	if (peer && s->type != SOCK_DGRAM) {
		spin_lock(&peer->lock);
		WRITE_ONCE(peer->shut, peer->shut | (how & SHUT_READ ? SHUT_WRITE : 0) |
					       (how & SHUT_WRITE ? SHUT_READ : 0));
		spin_unlock(&peer->lock);
		waitq_wake_all(&peer->wait);
		async_notify(&peer->s.async, how == (SHUT_READ | SHUT_WRITE) ? POLL_HUP : POLL_IN);
	}
	if (peer)
		unix_put(peer);
	waitq_wake_all(&u->wait);
	if (s->type == SOCK_DGRAM)
		waitq_wake_all(&unix_room);
	return 0;
}

/* --- operations --- */

static u64 unix_memory(const struct socket *s)
{
	return READ_ONCE(container_of(s, const struct unix_sock, s)->wmem);
}

#define CONNECTED_OPS                                                                             \
	.release = unix_release, .bind = unix_bind, .connect = unix_connect,                      \
	.listen = unix_listen, .accept = unix_accept, .pair = unix_pair, .getname = unix_getname, \
	.shutdown = unix_shutdown, .poll = unix_stream_poll, .queued = unix_queued,               \
	.ioctl = unix_ioctl, .memory = unix_memory, .at_mark = unix_at_mark,                      \
	.peercred = unix_peercred, .listening = unix_listening, .peek_off = true

static const struct sock_ops stream_ops = {
	CONNECTED_OPS,
	.send = unix_stream_send,
	.recv = unix_stream_recv,
};

static const struct sock_ops seqpacket_ops = {
	CONNECTED_OPS,
	.send = unix_seqpacket_send,
	.recv = unix_dgram_recv,
	.late_control = true,
};

static const struct sock_ops dgram_ops = {
	.release = unix_release,
	.bind = unix_bind,
	.connect = dgram_connect,
	.pair = unix_pair,
	.getname = unix_getname,
	.send = unix_dgram_send,
	.recv = unix_dgram_recv,
	.shutdown = unix_shutdown,
	.poll = unix_dgram_poll,
	.queued = unix_queued,
	.ioctl = unix_ioctl,
	.memory = unix_memory,
	.at_mark = unix_at_mark,
	.peercred = unix_peercred,
	.peek_off = true,
};

/* See unix.h. With @max 0 only the number. */
u32 unix_collect(struct unix_sock **out, u32 max)
{
	struct unix_sock *u;
	u32 n = 0;

	spin_lock(&names_lock);
	list_for_each(u, &all_socks, all) {
		if (n < max)
			out[n] = unix_get(u);
		else if (max)
			break;
		n++;
	}
	spin_unlock(&names_lock);
	return n;
}

static int unix_show(struct sbuf *out, void *arg)
{
	struct unix_sock *u;

	sbuf_puts(out, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	spin_lock(&names_lock);
	list_for_each(u, &all_socks, all)
		unix_show_sock(out, u);
	spin_unlock(&names_lock);
	return 0;
}
PROC_FILE(net_unix, "net/unix", 0444, .show = unix_show);

/* See socket.h. ctx: boot */
void unix_init(void)
{
	for (u32 i = 0; i < NAME_BUCKETS; i++)
		list_init(&names[i]);
	mutex_init(&unix_gc_lock, RANK_LEAF_MUTEX);
}
