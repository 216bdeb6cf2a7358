/*
 * seccomp(2) and the listener of seccomp_unotify(2): what kernel/proc/seccomp.c and
 * seccomp_notify.c do, with the copies from and to the caller.
 *
 * man: seccomp(2), seccomp_unotify(2), prctl(2).
 */
#include <linux/ioctl.h>
#include <linux/seccomp.h>
#include "kernel/proc/seccomp.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/sys.h"
#include "kernel/sys/syscall.h"

#define FLAGS_KNOWN                                                                              \
	(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH | SECCOMP_FILTER_FLAG_LOG | \
	 SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_NEW_LISTENER |                     \
	 SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)

/* --- the listener --- */

/* As Linux 5.0 had it, with the wrong direction. */
#define NOTIF_ID_VALID_OLD SECCOMP_IOR(2, u64)

static u32 listener_poll(struct file *f, struct poll_table *pt)
{
	return seccomp_notify_poll(f->priv, pt);
}

static void listener_release(struct file *f)
{
	seccomp_notify_close(f->priv);
}

static bool is_zero(const void *p, size_t n)
{
	const u8 *b = p;

	while (n && !*b) {
		b++;
		n--;
	}
	return !n;
}

static long listener_recv(struct seccomp_notify *n, u64 arg)
{
	struct seccomp_notif what;
	int err;

	if (copy_from_user(&what, arg, sizeof(what)))
		return -EFAULT;
	if (!is_zero(&what, sizeof(what)))
		return -EINVAL;
	err = seccomp_notify_recv(n, &what);
	if (!err && copy_to_user(arg, &what, sizeof(what))) {
		seccomp_notify_unrecv(n, what.id);
		err = -EFAULT;
	}
	return err;
}

static long listener_send(struct seccomp_notify *n, u64 arg)
{
	struct seccomp_notif_resp answer;

	if (copy_from_user(&answer, arg, sizeof(answer)))
		return -EFAULT;
	if ((answer.flags & ~SECCOMP_USER_NOTIF_FLAG_CONTINUE) ||
	    (answer.flags && (answer.error || answer.val)))
		return -EINVAL;
	return seccomp_notify_send(n, &answer);
}

static long listener_addfd(struct seccomp_notify *n, u64 arg, u32 size)
{
	struct seccomp_notif_addfd how = { 0 };
	struct file *file;
	u8 more;
	long r;

	if (size < 24 || size >= PAGE_SIZE) /* the first form of the structure */
		return -EINVAL;
	if (copy_from_user(&how, arg, MIN((size_t)size, sizeof(how))))
		return -EFAULT;
	for (u32 at = sizeof(how); at < size; at++) {
		if (get_user(&more, arg + at))
			return -EFAULT;
		if (more)
			return -E2BIG;
	}
	if ((how.newfd_flags & ~(u32)O_CLOEXEC) ||
	    (how.flags & ~(u32)(SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND)) ||
	    (how.newfd && !(how.flags & SECCOMP_ADDFD_FLAG_SETFD)))
		return -EINVAL;
	r = fd_get((int)how.srcfd, &file);
	if (r)
		return r;
	r = seccomp_notify_addfd(n, &how, file);
	file_put(file);
	return r;
}

static long listener_ioctl(struct file *f, u32 cmd, u64 arg)
{
	struct seccomp_notify *n = f->priv;
	u64 id;

	switch (cmd) {
	case SECCOMP_IOCTL_NOTIF_RECV: return listener_recv(n, arg);
	case SECCOMP_IOCTL_NOTIF_SEND: return listener_send(n, arg);
	case SECCOMP_IOCTL_NOTIF_ID_VALID:
	case NOTIF_ID_VALID_OLD: return get_user(&id, arg) ? -EFAULT : seccomp_notify_valid(n, id);
	}
	/* A structure that may grow: the size is not part of the command. */
	if (_IOC_TYPE(cmd) == _IOC_TYPE(SECCOMP_IOCTL_NOTIF_ADDFD) &&
	    _IOC_NR(cmd) == _IOC_NR(SECCOMP_IOCTL_NOTIF_ADDFD))
		return listener_addfd(n, arg, _IOC_SIZE(cmd));
	return -EINVAL;
}

static const struct file_ops listener_ops = {
	.poll = listener_poll,
	.ioctl = listener_ioctl,
	.release = listener_release,
};

/* A listener for @f as an open file. 0, -ENOMEM, -ENFILE */
static int listener_make(struct seccomp_filter *f, bool killable, struct file **out)
{
	struct seccomp_notify *n;
	int err = seccomp_notify_create(killable, &n);

	if (err)
		return err;
	err = file_alloc_anon("seccomp notify", &listener_ops, n,
			      FILE_READ | FILE_WRITE | FILE_STREAM, O_RDWR, out);
	if (err)
		seccomp_notify_put(n);
	else
		f->notify = seccomp_notify_get(n);
	return err;
}

/* Bind with a listener: its descriptor, or as seccomp_filter_attach. Consumes @f. */
static long attach_listened(struct seccomp_filter *f, u32 flags)
{
	struct file *file;
	int fd;
	long r = fd_reserve(0, proc_rlimit(RLIMIT_NOFILE), true, &fd);

	if (r)
		goto put_filter;
	r = listener_make(f, flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &file);
	if (r)
		goto unreserve;
	r = seccomp_filter_attach(f, flags);
	if (!r) {
		fd_install(fd, file);
		return fd;
	}
	file_put(file);
	fd_unreserve(fd);
	return r;
unreserve:
	fd_unreserve(fd);
put_filter:
	seccomp_filter_put(f);
	return r;
}

/* --- binding --- */

/* Flags that say the same: an id of a thread could be taken for a descriptor. */
static bool flags_clash(u64 flags)
{
	if (!(flags & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	return (flags & SECCOMP_FILTER_FLAG_TSYNC) && !(flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
}

/* See sys.h. ctx: thread */
long sys_seccomp_strict(void)
{
	syscall_ask_first();
	return seccomp_bind_strictly();
}

/* See sys.h. ctx: thread; sleeps */
long sys_seccomp_filter(u64 flags, u64 uprog)
{
	struct sock_fprog prog;
	struct seccomp_filter *f;
	int err;

	if ((flags & ~(u64)FLAGS_KNOWN) || flags_clash(flags))
		return -EINVAL;
	if (copy_from_user(&prog, uprog, sizeof(prog)))
		return -EFAULT;
	if (!prog.len || prog.len > BPF_MAXINSNS)
		return -EINVAL;
	if (!current_task()->no_new_privs && !sys_capable(CAP_SYS_ADMIN))
		return -EACCES;
	err = seccomp_filter_alloc(prog.len, &f);
	if (err)
		return err;
	if (copy_from_user(f->code, (u64)prog.filter, prog.len * sizeof(f->code[0]))) {
		seccomp_filter_put(f);
		return -EFAULT;
	}
	syscall_ask_first();
	return flags & SECCOMP_FILTER_FLAG_NEW_LISTENER ? attach_listened(f, (u32)flags)
							: seccomp_filter_attach(f, (u32)flags);
}

static long action_avail(u64 uaction)
{
	u32 action;

	if (get_user(&action, uaction))
		return -EFAULT;
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_USER_NOTIF:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW: return 0;
	default: return -EOPNOTSUPP;
	}
}

static long notif_sizes(u64 usizes)
{
	static const struct seccomp_notif_sizes sizes = {
		.seccomp_notif = sizeof(struct seccomp_notif),
		.seccomp_notif_resp = sizeof(struct seccomp_notif_resp),
		.seccomp_data = sizeof(struct seccomp_data),
	};

	return copy_to_user(usizes, &sizes, sizeof(sizes)) ? -EFAULT : 0;
}

/* seccomp(2). ctx: thread; sleeps */
long sys_seccomp(u64 op, u64 flags, u64 uargs)
{
	switch ((u32)op) {
	case SECCOMP_SET_MODE_STRICT: return (u32)flags || uargs ? -EINVAL : sys_seccomp_strict();
	case SECCOMP_SET_MODE_FILTER: return sys_seccomp_filter((u32)flags, uargs);
	case SECCOMP_GET_ACTION_AVAIL: return (u32)flags ? -EINVAL : action_avail(uargs);
	case SECCOMP_GET_NOTIF_SIZES: return (u32)flags ? -EINVAL : notif_sizes(uargs);
	default: return -EINVAL;
	}
}
