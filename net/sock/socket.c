/*
 * Sockets as files, and what all families have in common.
 *
 * socket(2) finds the family in a table and asks it for an object; socket_open puts a file around
 * it, whose inode is a socket in the nameless file system. read and write are receive and send
 * without address and flags.
 *
 * socket(2), socket(7).
 */
#include <asm/ioctls.h>
#include <asm/sockios.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/sockios.h>
#include <linux/xattr.h>
#include "fs/async.h"
#include "fs/fsuser.h"
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/base/log.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"
#include "net/sock/inet.h"
#include "net/sock/sockfilter.h"

static u32 (*pid_hook)(void); /* I after boot */
static u32 sockets_used; /* a: with a file */

/* See socket.h. */
u32 socket_count(void)
{
	return READ_ONCE(sockets_used);
}

/* See socket.h. ctx: boot */
void socket_set_pid_hook(u32 (*pid)(void))
{
	pid_hook = pid;
}

/* See socket.h. ctx: thread */
struct sock_ucred socket_current_cred(void)
{
	return (struct sock_ucred){
		.pid = pid_hook ? pid_hook() : 0,
		.uid = current->cred->euid,
		.gid = current->cred->egid,
	};
}

/* See socket.h. ctx: thread; sleeps. */
int socket_create(int family, int type, int protocol, struct socket **out)
{
	const struct sock_family *f;

	if (family < 0 || family >= AF_MAX)
		return -EAFNOSUPPORT;
	if (type < 0 || type >= SOCK_TYPE_MAX)
		return -EINVAL;
	if (family == AF_INET && type == SOCK_PACKET) {
		static bool told; /* a */
		char comm[16];

		thread_get_name(current, comm);
		if (!__atomic_exchange_n(&told, true, __ATOMIC_RELAXED))
			log_info("%s uses obsolete (PF_INET,SOCK_PACKET)", comm);
		family = AF_PACKET; /* which there was not yet */
	}
	TABLE_FOREACH(sock_family, f) {
		if (f->family == family)
			return f->create(type, protocol, out);
	}
	return -EAFNOSUPPORT;
}

/* See socket.h. ctx: any */
void socket_init(struct socket *s, const struct sock_ops *ops, u16 family, u16 type, int protocol)
{
	s->ops = ops;
	s->family = family;
	s->type = type;
	s->protocol = protocol;
	s->rcvtimeo = s->sndtimeo = TIME_NEVER;
	socket_init_buffers(s);
	s->rcvlowat = 1;
	s->pacing = ~0ull;
	s->peek_off = -1;
	s->linger = -1;
	s->cpu = -1;
	s->last_stamp = -1;
	s->busy_budget = 8;
	list_init(&s->async);
}

/* See socket.h. ctx: any */
int socket_take_error(struct socket *s)
{
	return READ_ONCE(s->err) ? -__atomic_exchange_n(&s->err, 0, __ATOMIC_ACQ_REL) : 0;
}

/* See socket.h. ctx: any */
s64 socket_deadline(s64 timeo, bool nonblock)
{
	if (nonblock)
		return 0;
	return timeo == TIME_NEVER ? TIME_NEVER : time_add(time_now(), timeo);
}

/* See socket.h. ctx: any */
int socket_wait_error(int err, s64 timeo)
{
	if (err == -ETIMEDOUT)
		return -EAGAIN;
	/* A call that waits by a timeout of its own is not begun again: socket(7), signal(7). */
	return err == -EINTR && timeo == TIME_NEVER ? -ERESTARTSYS : err;
}

/* See socket.h. ctx: thread; sleeps */
void scm_release(struct scm *scm)
{
	for (u32 i = 0; i < scm->nfiles; i++)
		file_put_deferred(scm->files[i]);
	kfree(scm->files);
	if (scm->user)
		fs_user_put(scm->user);
	scm->files = NULL;
	scm->nfiles = 0;
	scm->user = NULL;
}

/* See socket.h. */
void socket_urgent(struct socket *s)
{
	if (s->file && s->file->owner)
		file_owner_ops->send(s->file, -1, ASYNC_URGENT);
}

/* See socket.h. */
void socket_stamp(struct socket *s, struct sock_msg *m)
{
	if (unlikely(socket_wants_stamp(s)))
		m->stamp = time_wall();
}

/* See socket.h. */
void socket_tell_drops(struct socket *s, struct sock_msg *m, u32 drops)
{
	if (drops && socket_option(s, SO_RXQ_OVFL))
		sock_msg_control(m, SOL_SOCKET, SO_RXQ_OVFL, &drops, sizeof(drops));
}

/* See socket.h. */
u32 socket_peek_from(const struct socket *s, u32 flags)
{
	int off = READ_ONCE(s->peek_off);

	return (flags & MSG_PEEK) && off > 0 ? (u32)off : 0;
}

/* See socket.h. Readers of one socket take turns. */
void socket_peek_moved(struct socket *s, u32 flags, u32 n)
{
	int off = READ_ONCE(s->peek_off);

	if (likely(off < 0))
		return;
	if (flags & MSG_PEEK)
		off += (int)MIN(n, (u32)(0x7fffffff - off));
	else
		off -= (int)MIN(n, (u32)off);
	WRITE_ONCE(s->peek_off, off);
}

/* See socket.h. */
void sock_msg_control(struct sock_msg *m, int level, int type, const void *data, u32 len)
{
	struct sock_control_head h = { level, type, len, 0 };
	u32 whole = (u32)sizeof(h) + ALIGN_UP(len, 8u);

	if (!m->control || whole > SOCK_CONTROL_MAX - m->control->len)
		return;
	memcpy(m->control->bytes + m->control->len, &h, sizeof(h));
	memcpy(m->control->bytes + m->control->len + sizeof(h), data, len);
	m->control->len += whole;
}

/* --- the file --- */

static ssize_t socket_read(struct file *f, struct uio *u, u64 *pos)
{
	struct socket *s = f->priv;
	struct sock_msg m = { .data = u, .flags = u->nonblock ? MSG_DONTWAIT : 0 };
	ssize_t n = 0;

	if (u->left) /* read(2) of nothing neither waits nor takes a message */
		n = s->ops->recv ? s->ops->recv(s, &m) : -EOPNOTSUPP;
	scm_release(&m.scm);
	return n;
}

static ssize_t socket_write(struct file *f, struct uio *u, u64 *pos)
{
	struct socket *s = f->priv;
	struct sock_msg m = { .data = u, .flags = u->nonblock ? MSG_DONTWAIT : 0 };
	ssize_t n;

	/* A message ends with each call of a socket that keeps them apart. */
	if (s->type == SOCK_SEQPACKET)
		m.flags |= MSG_EOR;
	n = s->ops->send ? s->ops->send(s, &m) : -EOPNOTSUPP;
	return n == -EPIPE && s->type != SOCK_STREAM ? -EPIPE_QUIET : n;
}

static u32 socket_poll(struct file *f, struct poll_table *pt)
{
	struct socket *s = f->priv;

	return s->ops->poll(s, pt);
}

static long socket_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct socket *s = f->priv;
	long n;

	if (cmd == SIOCATMARK && s->ops->at_mark)
		return s->type == SOCK_STREAM ? put_user(arg, (int)s->ops->at_mark(s))
					      : -EOPNOTSUPP;
	if ((cmd != FIONREAD && cmd != SIOCOUTQ) || !s->ops->queued) {
		n = socket_own_ioctl(s, cmd, arg);
		if (n == -ENOTTY && s->ops->ioctl)
			n = s->ops->ioctl(s, cmd, arg);
		return n == -ENOTTY ? inet_ioctl(s, cmd, arg)
				    : n; /* names of devices: any socket */
	}
	n = s->ops->queued(s, cmd == SIOCOUTQ);
	return n < 0 ? n : put_user(arg, (int)n);
}

static int socket_fasync(struct file *f, int fd, bool on)
{
	struct socket *s = f->priv;

	return async_change(&s->async, f, fd, on);
}

static void socket_release(struct file *f)
{
	struct socket *s = f->priv;

	__atomic_sub_fetch(&sockets_used, 1, __ATOMIC_RELAXED);
	socket_filter_free(s);
	s->ops->release(s);
}

static int socket_no_open(struct inode *i, struct file *f)
{
	return -ENXIO;
}

static u64 socket_memory(const struct file *f)
{
	const struct socket *s = f->priv;

	return s->ops->memory ? s->ops->memory(s) / PAGE_SIZE : 0;
}

static int socket_mmap(struct file *f, struct vm_map_args *a)
{
	struct socket *s = f->priv;

	return s->ops->mmap ? s->ops->mmap(s, a) : -ENODEV;
}

static const struct file_ops socket_fops = {
	.mmap = socket_mmap,
	.memory = socket_memory,
	.open = socket_no_open,
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
	.fasync = socket_fasync,
	.release = socket_release,
};

/* See socket.h. ctx: any */
struct socket *socket_of(const struct file *f)
{
	return f->ops == &socket_fops ? f->priv : NULL;
}

/* --- the attribute that lsof asks for: the protocol's name --- */

#define PROTO_NAME "system.sockprotoname"

static const char *proto_name(const struct socket *s)
{
	switch (s->family) {
	case AF_UNIX: return s->type == SOCK_STREAM ? "UNIX-STREAM" : "UNIX";
	case AF_NETLINK: return "NETLINK";
	case AF_PACKET: return "PACKET";
	}
	return s->type == SOCK_STREAM	     ? "TCP"
	       : s->type == SOCK_RAW	     ? "RAW"
	       : s->protocol == IPPROTO_ICMP ? "PING"
					     : "UDP";
}

static ssize_t give_attr(const char *text, char *buf, size_t size)
{
	size_t n = strlen(text) + 1;

	if (size && size < n)
		return -ERANGE;
	if (size)
		memcpy(buf, text, n);
	return (ssize_t)n;
}

static ssize_t socket_getxattr(struct inode *i, const char *name, void *buf, size_t size)
{
	return strcmp(name, PROTO_NAME) ? -EOPNOTSUPP : give_attr(i->priv, buf, size);
}

static ssize_t socket_listxattr(struct inode *i, char *buf, size_t size)
{
	return give_attr(PROTO_NAME, buf, size);
}

static const struct inode_ops socket_inode_ops = {
	.getxattr = socket_getxattr,
	.listxattr = socket_listxattr,
};

/* See socket.h. ctx: thread; sleeps. */
int socket_open(struct socket *s, u32 flags, struct file **out)
{
	int err = file_alloc_anon("socket", &socket_fops, s, FILE_READ | FILE_WRITE | FILE_STREAM,
				  O_RDWR | (flags & O_NONBLOCK), out);

	if (!err) {
		__atomic_add_fetch(&sockets_used, 1, __ATOMIC_RELAXED);
		s->ino = (*out)->inode->ino;
		(*out)->inode->priv = (void *)proto_name(s);
		(*out)->inode->ops = &socket_inode_ops;
		store_release(&s->file, *out);
	}
	return err;
}
