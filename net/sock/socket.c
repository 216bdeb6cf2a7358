/*
 * Sockets as files, and what all families have in common.
 *
 * socket(2) finds the family in a table and asks it for an object; socket_open puts a file around
 * it, whose inode is a socket in the nameless file system. read and write are receive and send
 * without address and flags. Options of the level SOL_SOCKET live in struct socket; each is one word
 * that one writer stores and readers load, so they need no lock. Buffer sizes are doubled when set,
 * as Linux does, which leaves room for bookkeeping.
 *
 * socket(2), socket(7), getsockopt(2).
 */
#include <asm/ioctls.h>
#include <asm/sockios.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/sockios.h>
#include <linux/time_types.h>
#include "fs/procfs.h"
#include "kernel/base/cred.h"
#include "kernel/base/errno.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/slab.h"
#include "net/sock/socket.h"

#define BUF_DEFAULT 212992
#define SNDBUF_MIN 4608
#define RCVBUF_MIN 2304

static int wmem_max = BUF_DEFAULT, rmem_max = BUF_DEFAULT; /* a */
static int wmem_default = BUF_DEFAULT, rmem_default = BUF_DEFAULT; /* a */
SYSCTL_INT(wmem_max, "sys/net/core/wmem_max", &wmem_max, SNDBUF_MIN, 1 << 30);
SYSCTL_INT(rmem_max, "sys/net/core/rmem_max", &rmem_max, RCVBUF_MIN, 1 << 30);
SYSCTL_INT(wmem_default, "sys/net/core/wmem_default", &wmem_default, SNDBUF_MIN, 1 << 30);
SYSCTL_INT(rmem_default, "sys/net/core/rmem_default", &rmem_default, RCVBUF_MIN, 1 << 30);

static u32 (*pid_hook)(void); /* I after boot */

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
	s->rcvbuf = READ_ONCE(rmem_default);
	s->sndbuf = READ_ONCE(wmem_default);
	s->rcvlowat = 1;
	s->linger = -1;
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
	return timeo == TIME_NEVER ? TIME_NEVER : time_now() + timeo;
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
	scm->files = NULL;
	scm->nfiles = 0;
}

/* --- the file --- */

static ssize_t socket_read(struct file *f, struct uio *u, u64 *pos)
{
	struct socket *s = f->priv;
	struct sock_msg m = { .data = u, .flags = u->nonblock ? MSG_DONTWAIT : 0 };
	ssize_t n = s->ops->recv ? s->ops->recv(s, &m) : -EOPNOTSUPP;

	scm_release(&m.scm);
	return n;
}

static ssize_t socket_write(struct file *f, struct uio *u, u64 *pos)
{
	struct socket *s = f->priv;
	struct sock_msg m = { .data = u, .flags = u->nonblock ? MSG_DONTWAIT : 0 };

	/* A message ends with each call of a socket that keeps them apart. */
	if (s->type == SOCK_SEQPACKET)
		m.flags |= MSG_EOR;
	return s->ops->send ? s->ops->send(s, &m) : -EOPNOTSUPP;
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

	if ((cmd != FIONREAD && cmd != SIOCOUTQ) || !s->ops->queued)
		return -ENOTTY;
	n = s->ops->queued(s, cmd == SIOCOUTQ);
	return n < 0 ? n : put_user(arg, (int)n);
}

static void socket_release(struct file *f)
{
	struct socket *s = f->priv;

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

static const struct file_ops socket_fops = {
	.memory = socket_memory,
	.open = socket_no_open,
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
	.release = socket_release,
};

/* See socket.h. ctx: any */
struct socket *socket_of(const struct file *f)
{
	return f->ops == &socket_fops ? f->priv : NULL;
}

/* See socket.h. ctx: thread; sleeps. */
int socket_open(struct socket *s, u32 flags, struct file **out)
{
	int err = file_alloc_anon("socket", &socket_fops, s, FILE_READ | FILE_WRITE | FILE_STREAM,
				  O_RDWR | (flags & O_NONBLOCK), out);

	if (!err)
		store_release(&s->file, *out);
	return err;
}

/* --- options --- */

/* Options that are on or off and that nothing but getsockopt looks at here. */
static const int plain_options[] = {
	SO_DEBUG,	  SO_REUSEADDR,	      SO_DONTROUTE, SO_BROADCAST,
	SO_KEEPALIVE,	  SO_OOBINLINE,	      SO_REUSEPORT, SO_NO_CHECK,
	SO_TIMESTAMP_OLD, SO_TIMESTAMPNS_OLD, SO_RXQ_OVFL,  SO_LOCK_FILTER,
};

static int plain_option(int option)
{
	for (u32 i = 0; i < ARRAY_SIZE(plain_options); i++) {
		if (plain_options[i] == option)
			return (int)i;
	}
	return -1;
}

static bool timeout_option(int option)
{
	return option == SO_RCVTIMEO_OLD || option == SO_SNDTIMEO_OLD ||
	       option == SO_RCVTIMEO_NEW || option == SO_SNDTIMEO_NEW;
}

static int set_timeout(s64 *timeo, const void *val, u32 len)
{
	struct {
		s64 sec, usec;
	} tv;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.usec < 0 || tv.usec >= 1000000)
		return -EDOM;
	if (tv.sec < 0) /* has passed already: as Linux, no wait at all */
		WRITE_ONCE(*timeo, 0);
	else if ((!tv.sec && !tv.usec) || tv.sec >= TIME_NEVER / NSEC_PER_SEC - 1)
		WRITE_ONCE(*timeo, TIME_NEVER);
	else
		WRITE_ONCE(*timeo, tv.sec * NSEC_PER_SEC + tv.usec * 1000);
	return 0;
}

static int set_buffer(int *buf, int val, int max, int min)
{
	val = MAX(val, 0);
	max = MIN(max, 1 << 29);
	val = MIN(val, max) * 2;
	WRITE_ONCE(*buf, MAX(val, min));
	return 0;
}

static int set_linger(struct socket *s, const void *val, u32 len)
{
	int v[2]; /* struct linger: on, seconds */

	if (len < sizeof(v))
		return -EINVAL;
	memcpy(v, val, sizeof(v));
	WRITE_ONCE(s->linger, v[0] ? MAX(v[1], 0) : -1);
	return 0;
}

static int set_plain(struct socket *s, int option, int v)
{
	int bit = plain_option(option);

	if (bit < 0)
		return -ENOPROTOOPT;
	if (option == SO_DEBUG && v && !cred_capable(current->cred, CAP_NET_ADMIN))
		return -EACCES;
	if (v)
		__atomic_or_fetch(&s->options, BIT(bit), __ATOMIC_RELAXED);
	else
		__atomic_and_fetch(&s->options, ~BIT(bit), __ATOMIC_RELAXED);
	return 0;
}

/* See socket.h. ctx: thread */
int socket_setsockopt(struct socket *s, int option, const void *val, u32 len)
{
	bool admin = cred_capable(current->cred, CAP_NET_ADMIN);
	int v;

	if (timeout_option(option)) {
		bool rcv = option == SO_RCVTIMEO_OLD || option == SO_RCVTIMEO_NEW;

		return set_timeout(rcv ? &s->rcvtimeo : &s->sndtimeo, val, len);
	}
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	switch (option) {
	case SO_SNDBUF: return set_buffer(&s->sndbuf, v, READ_ONCE(wmem_max), SNDBUF_MIN);
	case SO_RCVBUF: return set_buffer(&s->rcvbuf, v, READ_ONCE(rmem_max), RCVBUF_MIN);
	case SO_SNDBUFFORCE: return admin ? set_buffer(&s->sndbuf, v, 1 << 29, SNDBUF_MIN) : -EPERM;
	case SO_RCVBUFFORCE: return admin ? set_buffer(&s->rcvbuf, v, 1 << 29, RCVBUF_MIN) : -EPERM;
	case SO_PASSCRED: WRITE_ONCE(s->passcred, v != 0); return 0;
	case SO_LINGER: return set_linger(s, val, len);
	case SO_RCVLOWAT: WRITE_ONCE(s->rcvlowat, v < 0 ? 0x7fffffff : MAX(v, 1)); return 0;
	case SO_PRIORITY:
		if (v < 0 || (v > 6 && !admin))
			return -EPERM;
		WRITE_ONCE(s->priority, v);
		return 0;
	case SO_TYPE:
	case SO_PROTOCOL:
	case SO_DOMAIN:
	case SO_ERROR: return -ENOPROTOOPT;
	default: return set_plain(s, option, v);
	}
}

static int give(void *val, u32 *len, const void *from, u32 size)
{
	*len = MIN(*len, size);
	memcpy(val, from, *len);
	return 0;
}

static int give_timeout(s64 timeo, void *val, u32 *len)
{
	s64 tv[2] = { 0, 0 };

	if (timeo != TIME_NEVER) {
		tv[0] = timeo / NSEC_PER_SEC;
		tv[1] = timeo % NSEC_PER_SEC / 1000;
	}
	return give(val, len, tv, sizeof(tv));
}

static int give_peercred(struct socket *s, void *val, u32 *len)
{
	struct sock_ucred c = { 0, ~0u, ~0u };

	if (s->ops->peercred)
		(void)s->ops->peercred(s, &c);
	return give(val, len, &c, sizeof(c));
}

static int option_value(struct socket *s, int option, int *v)
{
	int bit;

	switch (option) {
	case SO_SNDBUF: *v = READ_ONCE(s->sndbuf); return 0;
	case SO_RCVBUF: *v = READ_ONCE(s->rcvbuf); return 0;
	case SO_PASSCRED: *v = READ_ONCE(s->passcred); return 0;
	case SO_RCVLOWAT: *v = READ_ONCE(s->rcvlowat); return 0;
	case SO_SNDLOWAT: *v = 1; return 0;
	case SO_PRIORITY: *v = READ_ONCE(s->priority); return 0;
	case SO_TYPE: *v = s->type; return 0;
	case SO_DOMAIN: *v = s->family; return 0;
	case SO_PROTOCOL: *v = s->protocol; return 0;
	case SO_ERROR: *v = -socket_take_error(s); return 0;
	case SO_ACCEPTCONN: *v = s->ops->listening && s->ops->listening(s); return 0;
	}
	bit = plain_option(option);
	if (bit < 0)
		return -ENOPROTOOPT;
	*v = READ_ONCE(s->options) >> bit & 1;
	return 0;
}

/* See socket.h. ctx: thread */
int socket_getsockopt(struct socket *s, int option, void *val, u32 *len)
{
	int v[2], err;

	if (timeout_option(option)) {
		bool rcv = option == SO_RCVTIMEO_OLD || option == SO_RCVTIMEO_NEW;

		return give_timeout(READ_ONCE(*(rcv ? &s->rcvtimeo : &s->sndtimeo)), val, len);
	}
	if (option == SO_PEERCRED)
		return give_peercred(s, val, len);
	if (option == SO_LINGER) {
		v[0] = READ_ONCE(s->linger) >= 0;
		v[1] = MAX(READ_ONCE(s->linger), 0);
		return give(val, len, v, sizeof(v));
	}
	err = option_value(s, option, v);
	return err ? err : give(val, len, v, sizeof(int));
}
