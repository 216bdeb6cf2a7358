/*
 * The socket calls without messages: making, naming and connecting sockets, options. Addresses are
 * copied in and out whole here; families see struct sock_addr only.
 *
 * socket(2), bind(2), connect(2), listen(2), accept(2), socketpair(2), getsockname(2),
 * getsockopt(2), shutdown(2).
 */
#include <linux/if_packet.h>
#include <linux/net.h>
#include "kernel/sys/abi.h"
#include "kernel/sys/sys.h"
#include "kernel/sys/sys_socket.h"
#include "mm/slab.h"
#include "net/sock/sockfilter.h"

#define SOCK_CLOEXEC 02000000u
#define SOCK_NONBLOCK 04000u
#define SOCK_TYPE_MASK 0xfu
#define OPT_MAX 264 /* bytes of an option's value that are looked at */

/* See sys_socket.h. */
int sock_borrow(int fd, struct fdref *r, struct socket **s)
{
	int err = fd_borrow(fd, r);

	if (err)
		return err;
	*s = socket_of(r->file);
	if (*s)
		return 0;
	fd_release(r);
	return -ENOTSOCK;
}

/* See sys_socket.h. */
int sock_addr_in(struct sock_addr *a, u64 uaddr, u64 len)
{
	if ((u32)len > SOCK_ADDR_MAX)
		return -EINVAL;
	a->len = (u32)len;
	a->family = AF_UNSPEC;
	return a->len && copy_from_user(a->bytes, uaddr, a->len) ? -EFAULT : 0;
}

/* See sys_socket.h. */
int sock_addr_out(const struct sock_addr *a, u64 uaddr, u64 ulen)
{
	int room;

	if (get_user(&room, ulen))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	room = (int)MIN(a->len, (u32)room);
	if (room && copy_to_user(uaddr, a->bytes, (u32)room))
		return -EFAULT;
	return put_user(ulen, a->len);
}

static int sock_reserve(u32 flags, int *fd)
{
	return fd_reserve(0, proc_rlimit(RLIMIT_NOFILE), flags & SOCK_CLOEXEC, fd);
}

/* Descriptor @fd, reserved, for @s; without a file both are given back. */
static long sock_install(struct socket *s, u32 flags, int fd)
{
	struct file *f;
	int err = socket_open(s, flags & SOCK_NONBLOCK ? O_NONBLOCK : 0, &f);

	if (err) {
		fd_unreserve(fd);
		s->ops->release(s);
		return err;
	}
	fd_install(fd, f);
	return fd;
}

/* ctx: thread */
long sys_socket(u64 family, u64 type, u64 protocol)
{
	u32 flags = (u32)type & ~SOCK_TYPE_MASK;
	struct socket *s;
	int err, fd;

	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	err = socket_create((int)family, (int)(type & SOCK_TYPE_MASK), (int)protocol, &s);
	if (err)
		return err;
	err = sock_reserve(flags, &fd);
	if (err) {
		s->ops->release(s);
		return err;
	}
	return sock_install(s, flags, fd);
}

static int pair_make(u64 family, u32 type, u64 protocol, struct socket *s[2])
{
	int err = socket_create((int)family, (int)type, (int)protocol, &s[0]);

	if (err)
		return err;
	err = socket_create((int)family, (int)type, (int)protocol, &s[1]);
	if (err)
		goto release_first;
	err = s[0]->ops->pair ? s[0]->ops->pair(s[0], s[1]) : -EOPNOTSUPP;
	if (!err)
		return 0;
	s[1]->ops->release(s[1]);
release_first:
	s[0]->ops->release(s[0]);
	return err;
}

/* ctx: thread. The numbers are told before the descriptors exist, as a fault must leave none. */
long sys_socketpair(u64 family, u64 type, u64 protocol, u64 usv)
{
	u32 flags = (u32)type & ~SOCK_TYPE_MASK;
	struct socket *s[2];
	struct file *f[2];
	int fd[2], err;

	if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK))
		return -EINVAL;
	err = sock_reserve(flags, &fd[0]);
	if (err)
		return err;
	err = sock_reserve(flags, &fd[1]);
	if (err)
		goto unreserve_first;
	err = copy_to_user(usv, fd, sizeof(fd));
	if (!err)
		err = pair_make(family, (u32)type & SOCK_TYPE_MASK, protocol, s);
	if (err)
		goto unreserve_both;
	err = socket_open(s[0], flags & SOCK_NONBLOCK ? O_NONBLOCK : 0, &f[0]);
	if (err) {
		s[0]->ops->release(s[0]);
		goto release_second;
	}
	err = socket_open(s[1], flags & SOCK_NONBLOCK ? O_NONBLOCK : 0, &f[1]);
	if (err) {
		file_put(f[0]);
		goto release_second;
	}
	fd_install(fd[0], f[0]);
	fd_install(fd[1], f[1]);
	return 0;

release_second:
	s[1]->ops->release(s[1]);
unreserve_both:
	fd_unreserve(fd[1]);
unreserve_first:
	fd_unreserve(fd[0]);
	return err;
}

/* ctx: thread */
long sys_bind(u64 fd, u64 uaddr, u64 len)
{
	struct sock_addr a;
	struct socket *s;
	struct fdref r;
	long err = sock_borrow((int)fd, &r, &s);

	if (err)
		return err;
	err = sock_addr_in(&a, uaddr, len);
	if (!err)
		err = s->ops->bind ? s->ops->bind(s, &a) : -EOPNOTSUPP;
	fd_release(&r);
	return err;
}

/* ctx: thread */
long sys_connect(u64 fd, u64 uaddr, u64 len)
{
	struct sock_addr a;
	struct socket *s;
	struct fdref r;
	long err = sock_borrow((int)fd, &r, &s);

	if (err)
		return err;
	err = sock_addr_in(&a, uaddr, len);
	if (!err)
		err = s->ops->connect ? s->ops->connect(s, &a, r.file->flags & O_NONBLOCK)
				      : -EOPNOTSUPP;
	fd_release(&r);
	return err;
}

/* ctx: thread */
long sys_listen(u64 fd, u64 backlog)
{
	struct socket *s;
	struct fdref r;
	long err = sock_borrow((int)fd, &r, &s);

	if (err)
		return err;
	err = s->ops->listen ? s->ops->listen(s, (int)backlog) : -EOPNOTSUPP;
	fd_release(&r);
	return err;
}

/* The next connection; where it comes from is told before it has a descriptor. */
static int sock_accept(struct fdref *r, u64 uaddr, u64 ulen, struct socket **out)
{
	struct socket *s = socket_of(r->file), *new;
	struct sock_addr a;
	int err;

	if (!s)
		return -ENOTSOCK;
	if (!s->ops->accept)
		return -EOPNOTSUPP;
	err = s->ops->accept(s, r->file->flags & O_NONBLOCK, &new, uaddr ? &a : NULL);
	if (err)
		return err;
	if (uaddr) {
		err = sock_addr_out(&a, uaddr, ulen);
		if (err) {
			new->ops->release(new);
			return err;
		}
	}
	*out = new;
	return 0;
}

/* ctx: thread. Without a free descriptor no connection is taken off the queue. */
long sys_accept4(u64 fd, u64 uaddr, u64 ulen, u64 flags)
{
	struct socket *new;
	struct fdref r;
	int newfd, err = fd_borrow((int)fd, &r);

	if (err)
		return err;
	err = (u32)flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK) ? -EINVAL
							   : sock_reserve((u32)flags, &newfd);
	if (err)
		goto release;
	err = sock_accept(&r, uaddr, ulen, &new);
	if (err)
		fd_unreserve(newfd);
release:
	fd_release(&r);
	return err ? err : sock_install(new, (u32)flags, newfd);
}

/* ctx: thread */
long sys_accept(u64 fd, u64 uaddr, u64 ulen)
{
	return sys_accept4(fd, uaddr, ulen, 0);
}

static long get_name(u64 fd, u64 uaddr, u64 ulen, bool peer)
{
	struct sock_addr a;
	struct socket *s;
	struct fdref r;
	long err = sock_borrow((int)fd, &r, &s);

	if (err)
		return err;
	err = s->ops->getname ? s->ops->getname(s, peer, &a) : -EOPNOTSUPP;
	if (!err)
		err = sock_addr_out(&a, uaddr, ulen);
	fd_release(&r);
	return err;
}

/* ctx: thread */
long sys_getsockname(u64 fd, u64 uaddr, u64 ulen)
{
	return get_name(fd, uaddr, ulen, false);
}

/* ctx: thread */
long sys_getpeername(u64 fd, u64 uaddr, u64 ulen)
{
	return get_name(fd, uaddr, ulen, true);
}

/* The family knows its own levels, and may know more of SOL_SOCKET than all sockets do. */
static int sock_set(struct socket *s, int level, int option, const void *val, u32 len)
{
	int err = -ENOPROTOOPT;

	if (s->ops->setsockopt)
		err = s->ops->setsockopt(s, level, option, val, len);
	if (level != SOL_SOCKET || err != -ENOPROTOOPT)
		return err;
	return socket_setsockopt(s, option, val, len);
}

static int sock_get(struct socket *s, int level, int option, void *val, u32 *len)
{
	int err = -ENOPROTOOPT;

	if (s->ops->getsockopt)
		err = s->ops->getsockopt(s, level, option, val, len);
	if (level != SOL_SOCKET || err != -ENOPROTOOPT)
		return err;
	return socket_getsockopt(s, option, val, len);
}

/* Of lists of the sources of multicast groups, which may be long, and hold a question. */
static bool is_source_list(u64 level, u64 option)
{
	return (int)level == SOL_IP &&
	       ((int)option == IP_MSFILTER || (int)option == MCAST_MSFILTER);
}

/* ctx: thread */
long sys_setsockopt(u64 fd, u64 level, u64 option, u64 uval, u64 len)
{
	u8 small[OPT_MAX], *val = small;
	struct socket *s;
	struct fdref r;
	long err;

	if ((int)len < 0)
		return -EINVAL;
	err = sock_borrow((int)fd, &r, &s);
	if (err)
		return err;
	if ((u32)len > OPT_MAX && is_source_list(level, option))
		val = (int)len <= READ_ONCE(sock_optmem_max) ? kmalloc((u32)len, 0) : NULL;
	else
		len = MIN((u32)len, (u32)OPT_MAX);
	if (!val)
		err = -ENOBUFS;
	else if ((int)level != SOL_SOCKET && !s->ops->setsockopt)
		err = -EOPNOTSUPP;
	else if (copy_from_user(val, uval, (u32)len))
		err = -EFAULT;
	else
		err = sock_set(s, (int)level, (int)option, val, (u32)len);
	if (val != small)
		kfree(val);
	fd_release(&r);
	return err;
}

/* ctx: thread */
long sys_getsockopt(u64 fd, u64 level, u64 option, u64 uval, u64 ulen)
{
	u8 small[OPT_MAX] = { 0 }, *val = small;
	bool list = is_source_list(level, option);
	struct socket *s;
	struct fdref r;
	u32 size;
	int len = 0;
	long err = sock_borrow((int)fd, &r, &s);

	if (err)
		return err;
	err = -EFAULT;
	if ((int)level != SOL_SOCKET && !s->ops->getsockopt)
		err = -EOPNOTSUPP;
	else if (!get_user(&len, ulen))
		err = len < 0 ? -EINVAL : 0;
	size = MIN((u32)len, (u32)OPT_MAX);
	if (!err && (u32)len > OPT_MAX && ((int)option == SO_PEERGROUPS || list)) {
		size = MIN((u32)len, CRED_NGROUPS_MAX * (u32)sizeof(u32));
		val = kmalloc(size, 0);
		err = val ? 0 : -ENOMEM;
	}
	/* The question is in the value. */
	if (!err && (list || ((int)level == SOL_PACKET && (int)option == PACKET_HDRLEN)) &&
	    copy_from_user(val, uval, size))
		err = -EFAULT;
	if (!err && (int)level == SOL_SOCKET && (int)option == SO_GET_FILTER) {
		size = (u32)len;
		err = socket_filter_give(s, uval, &size);
	} else if (!err) {
		err = sock_get(s, (int)level, (int)option, val, &size);
		if (!err && copy_to_user(uval, val, MIN(size, (u32)len)))
			err = -EFAULT;
	}
	if ((!err || err == -ERANGE) && put_user(ulen, (int)size))
		err = -EFAULT;
	if (val != small)
		kfree(val);
	fd_release(&r);
	return err;
}

/* ctx: thread */
long sys_shutdown(u64 fd, u64 how)
{
	struct socket *s;
	struct fdref r;
	long err = sock_borrow((int)fd, &r, &s);

	if (err)
		return err;
	if (!s->ops->shutdown)
		err = -EOPNOTSUPP;
	else if ((int)how < 0 || (int)how > 2) /* SHUT_RD, SHUT_WR, SHUT_RDWR */
		err = -EINVAL;
	else
		err = s->ops->shutdown(s, (u32)how + 1);
	fd_release(&r);
	return err;
}

static u32 current_pid(void)
{
	return current_proc() ? current_proc()->pid->nr : 0;
}

static long open_for_socket(const struct path *p)
{
	struct path net = proc_net_ns();
	struct file *f;
	int err = file_open_path(p ? p : &net, p ? O_PATH : O_RDONLY, &f);

	return err ? err : proc_fd_open(f, true);
}

/* See sys.h. */
void sys_socket_init(void)
{
	unix_init();
	netlink_init();
	inet_stamp_init();
	socket_set_pid_hook(current_pid);
	socket_set_open_hook(open_for_socket);
}
