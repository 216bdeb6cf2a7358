/*
 * ioctls of sockets themselves: when the last datagram came in (SIOCGSTAMP and its like), and the
 * name space of the network (SIOCGSKNS). Those that name devices are in ifioctl.c.
 *
 * A time is taken of each datagram only from the first question on. What came before has none: the
 * time of asking stands for it then. A socket with SO_TIMESTAMP gives times with its messages, and
 * has none here. TCP has never any.
 *
 * socket(7), ioctl_list(2).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/ioctl.h>
#include <linux/net.h>
#include <linux/sockios.h>
#include <linux/time_types.h>
#include "kernel/base/cred.h"
#include "kernel/base/time.h"
#include "kernel/sched/thread.h"
#include "net/sock/socket.h"

static long (*open_hook)(const struct path *p); /* I after boot */

/* See socket.h. ctx: boot */
void socket_set_open_hook(long (*open)(const struct path *p))
{
	open_hook = open;
}

/* See socket.h. -EPERM without CAP_NET_ADMIN. */
long socket_open_path(const struct path *p)
{
	return open_hook(p);
}

/* See socket.h. */
void socket_received(struct socket *s, struct sock_msg *m, s64 stamp)
{
	if (!socket_gives_stamp(s))
		WRITE_ONCE(s->last_stamp, stamp);
	else
		m->stamp = stamp;
}

/* The last datagram's time: seconds and parts of @unit nanoseconds. */
static long stamp_get(struct socket *s, u64 arg, u32 unit)
{
	struct __kernel_timespec ts;
	s64 at;

	WRITE_ONCE(s->keeps_stamp, true);
	at = READ_ONCE(s->last_stamp);
	if (at < 0)
		return -ENOENT;
	if (!at) {
		at = time_wall();
		WRITE_ONCE(s->last_stamp, at);
	}
	ts.tv_sec = at / NSEC_PER_SEC;
	ts.tv_nsec = at % NSEC_PER_SEC / unit;
	return copy_to_user(arg, &ts, sizeof(ts)) ? -EFAULT : 0;
}

/* See socket.h. */
long socket_own_ioctl(struct socket *s, u32 cmd, u64 arg)
{
	bool stamps = s->family == AF_INET || s->family == AF_PACKET;

	switch (cmd) {
	case SIOCGSKNS:
		return cred_capable(current->cred, CAP_NET_ADMIN) ? socket_open_path(NULL) : -EPERM;
	case SIOCGSTAMP_OLD:
	case SIOCGSTAMP_NEW: return stamps ? stamp_get(s, arg, 1000) : -ENOTTY;
	case SIOCGSTAMPNS_OLD:
	case SIOCGSTAMPNS_NEW: return stamps ? stamp_get(s, arg, 1) : -ENOTTY;
	default: return -ENOTTY;
	}
}
