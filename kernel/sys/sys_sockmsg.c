/*
 * Sending and receiving on sockets: struct msghdr and control data in and out.
 *
 * Control data is a row of records, each a header and bytes, aligned to eight. Descriptors become
 * files on the way in and descriptors of the receiver on the way out; what does not fit the
 * receiver's buffer or table is dropped, and MSG_CTRUNC says so. A failed send on a stream raises
 * SIGPIPE, unless MSG_NOSIGNAL is there.
 *
 * send(2), recv(2), sendmmsg(2), recvmmsg(2), cmsg(3), unix(7).
 */
#include <linux/net_tstamp.h>
#include <linux/uio.h>
#include "fs/fsuser.h"
#include "fs/procfs.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/iovs.h"
#include "kernel/sys/sys.h"
#include "kernel/sys/sys_socket.h"
#include "mm/slab.h"

#define MSG_CMSG_COMPAT \
	0x80000000u /* how Linux marks calls of 32-bit programs inside: never from here */

struct user_msghdr {
	u64 name;
	int namelen;
	u64 iov, iovlen;
	u64 control, controllen;
	u32 flags;
};
_Static_assert(sizeof(struct user_msghdr) == 56, "struct msghdr of recvmsg(2)");

struct user_mmsghdr {
	struct user_msghdr hdr;
	u32 len;
};
_Static_assert(sizeof(struct user_mmsghdr) == 64, "struct mmsghdr of recvmmsg(2)");

struct user_cmsghdr {
	u64 len; /* with this header */
	int level, type;
};

#define CMSG_HEAD sizeof(struct user_cmsghdr)

/* --- sending --- */

static int take_rights(struct scm *scm, const int *fds, u32 n)
{
	if (scm->nfiles + n > SCM_FILES_MAX)
		return -EINVAL;
	if (!scm->user) {
		int err = fs_user_get(current->cred->uid, &scm->user);

		if (err)
			return err;
	}
	if (READ_ONCE(scm->user->unix_inflight) > proc_rlimit(RLIMIT_NOFILE) &&
	    !sys_capable(CAP_SYS_RESOURCE) && !sys_capable(CAP_SYS_ADMIN))
		return -ETOOMANYREFS;
	if (!scm->files)
		scm->files = kcalloc(SCM_FILES_MAX, sizeof(*scm->files), 0);
	if (!scm->files)
		return -ENOMEM;
	for (u32 i = 0; i < n; i++) {
		int err = fd_get(fds[i], &scm->files[scm->nfiles]);

		if (err)
			return err;
		scm->nfiles++;
	}
	return 0;
}

/* Who may claim to be whom: unix(7), SCM_CREDENTIALS. */
static int take_cred(struct scm *scm, const struct sock_ucred *c)
{
	const struct cred *me = current->cred;
	struct pid *pid;

	if (c->uid == ~0u || c->gid == ~0u)
		return -EINVAL;
	if (c->pid != current_proc()->pid->nr && !sys_capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (c->uid != me->uid && c->uid != me->euid && c->uid != me->suid &&
	    !sys_capable(CAP_SETUID))
		return -EPERM;
	if (c->gid != me->gid && c->gid != me->egid && c->gid != me->sgid &&
	    !sys_capable(CAP_SETGID))
		return -EPERM;
	pid = pid_lookup(c->pid);
	if (!pid)
		return -ESRCH;
	pid_put(pid);
	scm->cred = *c;
	scm->has_cred = true;
	return 0;
}

static int take_record(struct socket *s, struct sock_msg *m, const struct user_cmsghdr *h,
		       const u8 *data)
{
	u64 n = h->len - CMSG_HEAD;
	struct scm *scm = &m->scm;

	if (h->level != SOL_SOCKET)
		return s->ops->control ? s->ops->control(s, m, h->level, h->type, data, (u32)n) : 0;
	if (s->family != AF_UNIX && s->family != AF_NETLINK)
		return socket_control(s, m, h->type, data, n);
	switch (h->type) {
	case SCM_RIGHTS:
		if (s->family != AF_UNIX)
			return -EINVAL;
		return take_rights(scm, (const int *)data, (u32)(n / sizeof(int)));
	case SCM_CREDENTIALS:
		if (n != sizeof(struct sock_ucred))
			return -EINVAL;
		return take_cred(scm, (const struct sock_ucred *)data);
	}
	return -EINVAL;
}

#define CONTROL_FREE 36u /* bytes that no limit is for */
int sock_optmem_max = 20480;
SYSCTL_INT(optmem_max, "sys/net/core/optmem_max", &sock_optmem_max, -0x7fffffff - 1, 0x7fffffff);

/* All control data of a message; what is wrong in it goes to ->control_err. 0, or of the copy. */
static int control_in(struct socket *s, struct sock_msg *m, u64 ucontrol, u64 len)
{
	u8 *buf;
	int err = 0;

	if (len > CONTROL_FREE && (s64)len >= READ_ONCE(sock_optmem_max))
		return -ENOBUFS;
	if (len < CMSG_HEAD)
		return 0;
	buf = kmalloc(len, 0);
	if (!buf)
		return -ENOMEM;
	if (copy_from_user(buf, ucontrol, len)) {
		kfree(buf);
		return -EFAULT;
	}
	for (u64 at = 0; !err && len - at >= CMSG_HEAD;) {
		const struct user_cmsghdr *h = (const void *)(buf + at);

		if (h->len < CMSG_HEAD || h->len > len - at) {
			err = -EINVAL;
			break;
		}
		err = take_record(s, m, h, buf + at + CMSG_HEAD);
		if (ALIGN_UP(h->len, 8) > len - at)
			break;
		at += ALIGN_UP(h->len, 8);
	}
	m->control_err = err;
	kfree(buf);
	return 0;
}

static long do_send(struct fdref *r, struct socket *s, struct sock_msg *m)
{
	long n;

	if (r->file->flags & O_NONBLOCK)
		m->flags |= MSG_DONTWAIT;
	n = s->ops->send ? s->ops->send(s, m) : -EOPNOTSUPP;
	if (n == -EPIPE && s->type == SOCK_STREAM && !(m->flags & MSG_NOSIGNAL))
		sys_write_result(n);
	return n;
}

/* ctx: thread */
long sys_sendto(u64 fd, u64 ubuf, u64 len, u64 flags, u64 uaddr, u64 addrlen)
{
	struct sock_addr a = { 0 };
	struct sock_msg m = { .flags = (u32)flags, .addr = &a };
	struct socket *s;
	struct fdref r;
	struct uio u;
	long n = 0;

	len = MIN(len, MAX_RW);
	if (!user_ok(ubuf, len))
		return -EFAULT;
	n = sock_borrow((int)fd, &r, &s);
	if (n)
		return n;
	uio_init_user(&u, ubuf, len);
	m.data = &u;
	if (uaddr)
		n = sock_addr_in(&a, uaddr, addrlen);
	if (!n)
		n = do_send(&r, s, &m);
	fd_release(&r);
	return n;
}

static long send_msghdr(struct fdref *r, struct socket *s, const struct user_msghdr *h, u32 flags)
{
	struct sock_addr a = { 0 };
	struct sock_msg m = { .flags = flags, .addr = &a, .inet = { .ttl = -1, .tos = -1 } };
	struct iovs v;
	long n = 0;

	if (h->namelen < 0)
		return -EINVAL;
	if (h->name && h->namelen)
		n = sock_addr_in(&a, h->name, MIN((u32)h->namelen, (u32)SOCK_ADDR_MAX));
	if (!n && h->iovlen > UIO_MAXIOV)
		n = -EMSGSIZE;
	if (!n)
		n = iovs_import(&v, h->iov, h->iovlen);
	if (n)
		return n;
	m.data = &v.u;
	if (h->controllen)
		n = control_in(s, &m, h->control, h->controllen);
	if (!n && !s->ops->late_control)
		n = m.control_err;
	if (!n)
		n = do_send(r, s, &m);
	scm_release(&m.scm);
	iovs_free(&v);
	return n;
}

/* ctx: thread */
long sys_sendmsg(u64 fd, u64 umsg, u64 flags)
{
	struct user_msghdr h;
	struct socket *s;
	struct fdref r;
	long n = (u32)flags & MSG_CMSG_COMPAT ? -EINVAL : sock_borrow((int)fd, &r, &s);

	if (n)
		return n;
	n = copy_from_user(&h, umsg, sizeof(h)) ? -EFAULT : send_msghdr(&r, s, &h, (u32)flags);
	fd_release(&r);
	return n;
}

/* ctx: thread */
long sys_sendmmsg(u64 fd, u64 uvec, u64 count, u64 flags)
{
	struct socket *s;
	struct fdref r;
	u32 done = 0;
	long n = (u32)flags & MSG_CMSG_COMPAT ? -EINVAL : sock_borrow((int)fd, &r, &s);

	if (n)
		return n;
	for (count = MIN((u32)count, (u32)UIO_MAXIOV); done < count; done++) {
		u64 at = uvec + done * sizeof(struct user_mmsghdr);
		struct user_msghdr h;

		n = -EFAULT;
		if (copy_from_user(&h, at, sizeof(h)))
			break;
		n = send_msghdr(&r, s, &h, (u32)flags);
		if (n < 0)
			break;
		if (put_user(at + offsetof(struct user_mmsghdr, len), (u32)n)) {
			n = -EFAULT;
			break;
		}
	}
	fd_release(&r);
	return done ? (long)done : MIN(n, 0l);
}

/* --- receiving --- */

/* Control data being given: where, and how much room is left. */
struct control_out {
	u64 at, left;
	u32 flags; /* MSG_CTRUNC */
};

/* One record, cut where the room ends. 0 or -EFAULT. */
static int give_record(struct control_out *c, int level, int type, const void *data, u32 size)
{
	struct user_cmsghdr h = { CMSG_HEAD + size, level, type };
	u64 whole = MIN(ALIGN_UP(h.len, 8), c->left);

	if (c->left < CMSG_HEAD) {
		c->flags |= MSG_CTRUNC;
		return 0;
	}
	if (h.len > c->left) {
		c->flags |= MSG_CTRUNC;
		h.len = c->left;
	}
	if (copy_to_user(c->at, &h, sizeof(h)) ||
	    copy_to_user(c->at + CMSG_HEAD, data, h.len - CMSG_HEAD))
		return -EFAULT;
	c->at += whole;
	c->left -= whole;
	return 0;
}

/* Descriptors for as many of the files as there is room for. */
static int give_rights(struct control_out *c, struct scm *scm, bool cloexec)
{
	u64 room = c->left > CMSG_HEAD ? (c->left - CMSG_HEAD) / sizeof(int) : 0;
	u32 given = 0;
	struct user_cmsghdr h = { 0, SOL_SOCKET, SCM_RIGHTS };

	while (given < scm->nfiles && given < room) {
		int fd;

		if (fd_reserve(0, proc_rlimit(RLIMIT_NOFILE), cloexec, &fd))
			break;
		if (put_user(c->at + CMSG_HEAD + given * sizeof(int), fd)) {
			fd_unreserve(fd);
			break;
		}
		fd_install(fd, file_get(scm->files[given++]));
	}
	if (given < scm->nfiles)
		c->flags |= MSG_CTRUNC;
	if (!given)
		return 0;
	h.len = CMSG_HEAD + given * sizeof(int);
	if (copy_to_user(c->at, &h, sizeof(h)))
		return -EFAULT;
	c->at += MIN(ALIGN_UP(h.len, 8), c->left);
	c->left -= MIN(ALIGN_UP(h.len, 8), c->left);
	return 0;
}

/* When the message was received, in the form that the socket's option asks for. */
static int give_stamp(struct control_out *c, u8 kind, s64 stamp)
{
	static const u8 types[] = {
		[STAMP_ON] = SO_TIMESTAMP_OLD,
		[STAMP_ON | STAMP_NSEC] = SO_TIMESTAMPNS_OLD,
		[STAMP_ON | STAMP_NEW] = SO_TIMESTAMP_NEW,
		[STAMP_ON | STAMP_NSEC | STAMP_NEW] = SO_TIMESTAMPNS_NEW,
	};
	s64 v[2] = { stamp / NSEC_PER_SEC, stamp % NSEC_PER_SEC / (kind & STAMP_NSEC ? 1 : 1000) };

	return kind & STAMP_ON ? give_record(c, SOL_SOCKET, types[kind], v, sizeof(v)) : 0;
}

/* The same for SO_TIMESTAMPING: by software, converted, by hardware; only the first is known. */
static int give_stamping(struct control_out *c, s64 stamp, bool new)
{
	s64 v[6] = { stamp / NSEC_PER_SEC, stamp % NSEC_PER_SEC };

	return give_record(c, SOL_SOCKET, new ? SO_TIMESTAMPING_NEW : SO_TIMESTAMPING_OLD, v,
			   sizeof(v));
}

/* What the family had to say. */
static int give_family(struct control_out *c, const struct sock_control *from)
{
	int err = 0;

	for (u32 at = 0; !err && at < from->len;) {
		const struct sock_control_head *h = (const void *)(from->bytes + at);

		err = give_record(c, h->level, h->type, h + 1, h->len);
		at += (u32)sizeof(*h) + ALIGN_UP(h->len, 8u);
	}
	return err;
}

static int control_out(struct control_out *c, struct socket *s, struct sock_msg *m)
{
	int err = m->stamp ? give_stamp(c, READ_ONCE(s->stamp), m->stamp) : 0;

	if (!err && m->stamp && (READ_ONCE(s->stamping) & SOF_TIMESTAMPING_SOFTWARE))
		err = give_stamping(c, m->stamp, READ_ONCE(s->stamp) & STAMP_NEW);
	if (!err && READ_ONCE(s->passcred) && m->scm.has_cred)
		err = give_record(c, SOL_SOCKET, SCM_CREDENTIALS, &m->scm.cred,
				  sizeof(m->scm.cred));
	if (!err && m->control->len)
		err = give_family(c, m->control);
	if (!err && m->scm.nfiles)
		err = give_rights(c, &m->scm, m->flags & MSG_CMSG_CLOEXEC);
	return err;
}

static long do_recv(struct fdref *r, struct socket *s, struct sock_msg *m)
{
	if (r->file->flags & O_NONBLOCK)
		m->flags |= MSG_DONTWAIT;
	return s->ops->recv ? s->ops->recv(s, m) : -EOPNOTSUPP;
}

/* ctx: thread */
long sys_recvfrom(u64 fd, u64 ubuf, u64 len, u64 flags, u64 uaddr, u64 ulen)
{
	struct sock_addr a = { 0 };
	struct sock_msg m = { .flags = (u32)flags, .addr = uaddr ? &a : NULL };
	struct socket *s;
	struct fdref r;
	struct uio u;
	long n = 0;

	len = MIN(len, MAX_RW);
	if (!user_ok(ubuf, len))
		return -EFAULT;
	n = sock_borrow((int)fd, &r, &s);
	if (n)
		return n;
	uio_init_user(&u, ubuf, len);
	m.data = &u;
	n = do_recv(&r, s, &m);
	if (n >= 0 && uaddr) {
		int err = sock_addr_out(&a, uaddr, ulen);

		n = err ? err : n;
	}
	scm_release(&m.scm);
	fd_release(&r);
	return n;
}

/* What came back, as fields of the user's struct msghdr at @umsg. 0, -EFAULT, -EINVAL. */
static int give_msghdr(u64 umsg, const struct user_msghdr *h, const struct sock_msg *m,
		       const struct control_out *c)
{
	u32 flags = m->out_flags | c->flags | (m->flags & MSG_CMSG_CLOEXEC);
	int err = 0;

	if (h->name)
		err = sock_addr_out(m->addr, h->name, umsg + offsetof(struct user_msghdr, namelen));
	if (err)
		return err;
	if (put_user(umsg + offsetof(struct user_msghdr, flags), flags) ||
	    put_user(umsg + offsetof(struct user_msghdr, controllen),
		     h->control ? h->controllen - c->left : 0ull))
		return -EFAULT;
	return 0;
}

static long recv_msghdr(struct fdref *r, struct socket *s, u64 umsg, u32 flags)
{
	struct sock_addr a = { 0 };
	struct sock_control family;
	struct sock_msg m = { .flags = flags, .addr = &a, .control = &family };
	struct control_out c = { 0 };
	struct user_msghdr h;
	struct iovs v;
	long n;
	int err;

	if (copy_from_user(&h, umsg, sizeof(h)))
		return -EFAULT;
	if (h.namelen < 0)
		return -EINVAL;
	if (h.iovlen > UIO_MAXIOV)
		return -EMSGSIZE;
	n = iovs_import(&v, h.iov, h.iovlen);
	if (n)
		return n;
	m.data = &v.u;
	c.at = h.control;
	c.left = h.control ? h.controllen : 0;
	family.len = 0;
	n = do_recv(r, s, &m);
	if (n >= 0) {
		err = control_out(&c, s, &m);
		if (!err)
			err = give_msghdr(umsg, &h, &m, &c);
		n = err ? err : n;
	}
	scm_release(&m.scm);
	iovs_free(&v);
	return n;
}

/* ctx: thread */
long sys_recvmsg(u64 fd, u64 umsg, u64 flags)
{
	struct socket *s;
	struct fdref r;
	long n = (u32)flags & MSG_CMSG_COMPAT ? -EINVAL : sock_borrow((int)fd, &r, &s);

	if (n)
		return n;
	n = recv_msghdr(&r, s, umsg, (u32)flags);
	fd_release(&r);
	return n;
}

/* The time left until @deadline, or the error of a bad one. */
static int mmsg_deadline(u64 utimeout, s64 *deadline)
{
	struct __kernel_timespec ts;
	s64 rel;

	*deadline = TIME_NEVER;
	if (!utimeout)
		return 0;
	if (copy_from_user(&ts, utimeout, sizeof(ts)))
		return -EFAULT;
	if (!sys_timespec_ns(&ts, &rel))
		return -EINVAL;
	*deadline = sys_deadline(rel);
	return 0;
}

static int mmsg_time_left(u64 utimeout, s64 deadline)
{
	struct __kernel_timespec ts;

	if (!utimeout)
		return 0;
	ts = sys_ns_timespec(MAX(deadline - time_now(), 0ll));
	return copy_to_user(utimeout, &ts, sizeof(ts)) ? -EFAULT : 0;
}

/*
 * recvmmsg(2): the timeout is looked at after each message only, as on Linux. An error behind the
 * first message is reported by the next call. ctx: thread
 */
long sys_recvmmsg(u64 fd, u64 uvec, u64 count, u64 flags, u64 utimeout)
{
	struct socket *s;
	struct fdref r;
	s64 deadline;
	u32 done = 0;
	long n = (u32)flags & MSG_CMSG_COMPAT ? -EINVAL : mmsg_deadline(utimeout, &deadline);

	if (!n)
		n = sock_borrow((int)fd, &r, &s);
	if (n)
		return n;
	n = socket_take_error(s);
	for (count = MIN((u32)count, (u32)UIO_MAXIOV); !n && done < count;) {
		u64 at = uvec + done * sizeof(struct user_mmsghdr);

		n = recv_msghdr(&r, s, at, (u32)flags & ~MSG_WAITFORONE);
		if (n < 0)
			break;
		if (put_user(at + offsetof(struct user_mmsghdr, len), (u32)n)) {
			n = -EFAULT;
			break;
		}
		n = 0;
		done++;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (deadline != TIME_NEVER && time_now() >= deadline)
			break;
	}
	if (done && n < 0 && n != -EAGAIN)
		WRITE_ONCE(s->err, (int)-n);
	if (done && mmsg_time_left(utimeout, deadline))
		n = -EFAULT, done = 0;
	fd_release(&r);
	return done ? (long)done : n;
}
