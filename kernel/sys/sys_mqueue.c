/*
 * System calls of POSIX message queues: mq_*. The C library takes the leading slash off the names;
 * struct sigevent is the kernel's, where SIGEV_THREAD carries a netlink socket instead of a signal
 * and a pointer to 32 bytes instead of a value.
 *
 * mq_overview(7), mq_open(3), mq_send(3), mq_receive(3), mq_notify(3), mq_getsetattr(2).
 */
#include <asm/siginfo.h>
#include "kernel/ipc/mqueue.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/path.h"
#include "mm/slab.h"
#include "net/sock/socket.h"

/* mq_open(3). ctx: thread; sleeps */
long sys_mq_open(u64 uname, u64 oflags, u64 mode, u64 uattr)
{
	struct mq_attr attr;
	struct file *f;
	char *name;
	int fd, err;

	if (uattr && copy_from_user(&attr, uattr, sizeof(attr)))
		return -EFAULT;
	err = sys_string_dup(uname, PATH_MAX_LEN, &name);
	if (err)
		return err;
	err = fd_reserve(0, proc_rlimit(RLIMIT_NOFILE), true, &fd);
	if (err)
		goto free;
	err = mqueue_open(name, (u32)oflags, (u32)mode, uattr ? &attr : NULL, &f);
	if (err) {
		fd_unreserve(fd);
		goto free;
	}
	fd_install(fd, f);
	err = fd;
free:
	kfree(name);
	return err;
}

/* mq_unlink(3). ctx: thread; sleeps */
long sys_mq_unlink(u64 uname)
{
	char *name;
	int err = sys_string_dup(uname, PATH_MAX_LEN, &name);

	if (err)
		return err;
	err = mqueue_unlink(name);
	kfree(name);
	return err;
}

/* The deadline of an optional struct timespec: a time of the wall clock. */
static int take_deadline(u64 utime, s64 *out)
{
	struct __kernel_timespec ts;

	*out = TIME_NEVER;
	if (!utime)
		return 0;
	if (copy_from_user(&ts, utime, sizeof(ts)))
		return -EFAULT;
	return sys_timespec_ns(&ts, out) ? 0 : -EINVAL;
}

/* The queue of @fd, open for @mode. 0 with a borrowed file, or -EBADF. */
static int queue_borrow(int fd, u32 mode, struct fdref *r, struct mqueue **q)
{
	int err = fd_borrow(fd, r);

	if (err)
		return err;
	*q = mqueue_of(r->file);
	if (*q && (r->file->mode & mode) == mode)
		return 0;
	fd_release(r);
	return -EBADF;
}

static int take_message(u64 utext, size_t size, u32 prio, struct mq_message **out)
{
	struct mq_message *m = kmalloc(sizeof(*m) + size, 0);

	if (!m)
		return -ENOMEM;
	m->prio = prio;
	m->size = (u32)size;
	if (copy_from_user(m->data, utext, size)) {
		kfree(m);
		return -EFAULT;
	}
	*out = m;
	return 0;
}

/* mq_timedsend(3). ctx: thread; sleeps */
long sys_mq_timedsend(u64 fd, u64 utext, u64 size, u64 prio, u64 utime)
{
	struct mq_message *m = NULL;
	struct mqueue *q;
	struct fdref r;
	s64 deadline;
	int err = take_deadline(utime, &deadline);

	if (err)
		return err;
	if ((u32)prio >= MQ_PRIO_MAX)
		return -EINVAL;
	err = queue_borrow((int)fd, FILE_WRITE, &r, &q);
	if (err)
		return err;
	err = size > q->max_size ? -EMSGSIZE : take_message(utext, size, (u32)prio, &m);
	if (!err)
		err = mqueue_send(q, m, r.file->flags & O_NONBLOCK, deadline);
	if (err)
		kfree(m);
	fd_release(&r);
	return err;
}

/* mq_timedreceive(3). ctx: thread; sleeps */
long sys_mq_timedreceive(u64 fd, u64 utext, u64 size, u64 uprio, u64 utime)
{
	struct mq_message *m;
	struct mqueue *q;
	struct fdref r;
	s64 deadline;
	long ret = take_deadline(utime, &deadline);

	if (ret)
		return ret;
	ret = queue_borrow((int)fd, FILE_READ, &r, &q);
	if (ret)
		return ret;
	ret = size < q->max_size ? -EMSGSIZE
				 : mqueue_receive(q, r.file->flags & O_NONBLOCK, deadline, &m);
	if (!ret) {
		ret = m->size;
		if ((uprio && put_user(uprio, m->prio)) || copy_to_user(utext, m->data, m->size))
			ret = -EFAULT;
		kfree(m);
	}
	fd_release(&r);
	return ret;
}

/* What SIGEV_THREAD's value points to, and the socket that takes the place of a signal. */
static int take_thread_event(struct mq_event *ev)
{
	u8 cookie[NOTIFY_COOKIE_LEN];
	int err;

	if (copy_from_user(cookie, ev->value, sizeof(cookie)))
		return -EFAULT;
	err = fd_get(ev->signo, &ev->sock);
	if (err)
		return err;
	err = !socket_of(ev->sock) ? -ENOTSOCK : !file_is_netlink(ev->sock) ? -EINVAL : 0;
	if (!err) {
		ev->note = netlink_note_alloc(cookie, sizeof(cookie));
		err = ev->note ? 0 : -ENOMEM;
	}
	if (err)
		file_put(ev->sock);
	return err;
}

static int take_event(u64 uevent, struct mq_event *ev)
{
	struct sigevent se;

	if (copy_from_user(&se, uevent, sizeof(se)))
		return -EFAULT;
	*ev = (struct mq_event){ .notify = se.sigev_notify,
				 .signo = se.sigev_signo,
				 .value = (u64)se.sigev_value.sival_ptr };
	switch (ev->notify) {
	case SIGEV_NONE: return 0;
	case SIGEV_SIGNAL: return (u32)ev->signo > KSIG_COUNT ? -EINVAL : 0;
	case SIGEV_THREAD: return take_thread_event(ev);
	}
	return -EINVAL;
}

/* mq_notify(3). ctx: thread; sleeps */
long sys_mq_notify(u64 fd, u64 uevent)
{
	struct mq_event ev = { .notify = SIGEV_NONE };
	struct mqueue *q;
	struct fdref r;
	int err = uevent ? take_event(uevent, &ev) : 0;

	if (err)
		return err;
	err = queue_borrow((int)fd, 0, &r, &q);
	if (!err) {
		err = mqueue_notify(q, uevent ? &ev : NULL);
		fd_release(&r);
	}
	if (err && ev.notify == SIGEV_THREAD) {
		netlink_note_free(ev.note);
		file_put(ev.sock);
	}
	return err;
}

/* mq_getsetattr(2). ctx: thread; sleeps */
long sys_mq_getsetattr(u64 fd, u64 unew, u64 uold)
{
	struct mq_attr new, old = { 0 };
	struct mqueue *q;
	struct fdref r;
	int err;

	if (unew && copy_from_user(&new, unew, sizeof(new)))
		return -EFAULT;
	if (unew && (new.mq_flags & ~(long)O_NONBLOCK))
		return -EINVAL;
	err = queue_borrow((int)fd, 0, &r, &q);
	if (err)
		return err;
	old.mq_flags = r.file->flags & O_NONBLOCK;
	old.mq_maxmsg = q->max_count;
	old.mq_msgsize = q->max_size;
	old.mq_curmsgs = READ_ONCE(q->count);
	if (unew) {
		u32 f = READ_ONCE(r.file->flags);

		WRITE_ONCE(r.file->flags, (f & ~(u32)O_NONBLOCK) | (u32) new.mq_flags);
		inode_touch(&q->vfs, ATTR_ATIME | ATTR_CTIME);
	}
	fd_release(&r);
	return uold ? copy_to_user(uold, &old, sizeof(old)) : 0;
}
