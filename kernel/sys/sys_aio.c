/*
 * io_setup(2) and its kin. Reads, writes and syncs are done while they are submitted, as Linux does
 * them for all but a few files; what is left to wait for are polls (fs/aio.c has those, and the
 * contexts).
 *
 * A request that cannot be begun ends io_submit(2) with its error; what went wrong while it was
 * done is in its event. io_setup(2), io_submit(2), io_getevents(2), io_cancel(2), io_destroy(2).
 */
#include <linux/aio_abi.h>
#include <linux/ioprio.h>
#include <linux/uio.h>
#include "fs/aio.h"
#include "fs/eventfd.h"
#include "kernel/proc/rlimit.h"
#include "kernel/proc/signal.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/iovs.h"
#include "kernel/sys/sys.h"

_Static_assert(sizeof(struct iocb) == 64, "struct iocb of io_submit(2)");

/* ctx: thread; sleeps */
long sys_io_setup(u64 nr, u64 uctx)
{
	struct vm_limits lim;
	struct aio_ctx *c;
	u64 id;
	int err;

	if (get_user(&id, uctx))
		return -EFAULT;
	if (id || !(u32)nr)
		return -EINVAL;
	proc_vm_limits(&lim);
	err = aio_setup((u32)nr, &lim, &id);
	if (err || !put_user(uctx, id))
		return err;
	c = aio_find(id);
	if (c) {
		(void)aio_destroy(c);
		aio_put(c);
	}
	return -EFAULT;
}

/* ctx: thread; sleeps */
long sys_io_destroy(u64 id)
{
	struct aio_ctx *c = aio_find(id);
	int err;

	if (!c)
		return -EINVAL;
	err = aio_destroy(c);
	aio_put(c);
	return err;
}

static int check_priority(const struct iocb *cb)
{
	u32 value = (u16)cb->aio_reqprio;

	return cb->aio_flags & IOCB_FLAG_IOPRIO ? sys_ioprio_check(value) : 0;
}

/* Is the file fit for this, is the request? Then its buffers, in @v. 0 or -errno */
static int rw_prepare(const struct file *f, const struct iocb *cb, bool write, struct iovs *v)
{
	bool vector = cb->aio_lio_opcode >= IOCB_CMD_PREADV;
	int err = check_priority(cb);

	if (!err)
		err = sys_rw_check(f, (u32)cb->aio_rw_flags);
	if (err)
		return err;
	if (!(f->mode & (write ? FILE_WRITE : FILE_READ)))
		return -EBADF;
	if (write ? !f->ops->write : !f->ops->read)
		return -EINVAL;
	if (vector) {
		err = iovs_import(v, cb->aio_buf, cb->aio_nbytes);
		if (err)
			return err;
	} else {
		v->seg = v->few;
		if (!user_ok(cb->aio_buf, MIN(cb->aio_nbytes, MAX_RW)))
			return -EFAULT;
		uio_init_user(&v->u, cb->aio_buf, MIN(cb->aio_nbytes, MAX_RW));
	}
	if (cb->aio_offset < 0) {
		iovs_free(v);
		return -EINVAL;
	}
	v->u.flags = (u32)cb->aio_rw_flags;
	v->u.nonblock |= (cb->aio_rw_flags & RWF_NOWAIT) != 0;
	return 0;
}

/* *res: what the event is to say. */
static int do_rw(struct file *f, const struct iocb *cb, bool write, s64 *res)
{
	u64 pos = (u64)cb->aio_offset;
	struct iovs v;
	long n;
	int err = rw_prepare(f, cb, write, &v);

	if (err)
		return err;
	n = write ? sys_write_result(file_write(f, &v.u, &pos)) : file_read(f, &v.u, &pos);
	iovs_free(&v);
	*res = n == -ERESTARTSYS || n == -ERESTARTNOINTR || n == -ERESTARTNOHAND ? -EINTR : n;
	return 0;
}

static int do_fsync(struct file *f, const struct iocb *cb, s64 *res)
{
	if (cb->aio_buf || cb->aio_offset || cb->aio_nbytes || cb->aio_rw_flags || !f->ops->fsync)
		return -EINVAL;
	*res = file_fsync(f, 0, ~0ull, cb->aio_lio_opcode == IOCB_CMD_FDSYNC);
	return 0;
}

/* Begin one request, for which there is room. 0: its event comes, or has come. */
static int submit_file(struct aio_ctx *c, struct file *f, const struct iocb *cb,
		       const struct aio_done *d)
{
	s64 res = 0;
	int err;

	switch (cb->aio_lio_opcode) {
	case IOCB_CMD_PREAD:
	case IOCB_CMD_PREADV: err = do_rw(f, cb, false, &res); break;
	case IOCB_CMD_PWRITE:
	case IOCB_CMD_PWRITEV: err = do_rw(f, cb, true, &res); break;
	case IOCB_CMD_FSYNC:
	case IOCB_CMD_FDSYNC: err = do_fsync(f, cb, &res); break;
	case IOCB_CMD_POLL:
		if (cb->aio_buf > 0xffff || cb->aio_offset || cb->aio_nbytes || cb->aio_rw_flags)
			return -EINVAL;
		return aio_poll(c, f, (u32)cb->aio_buf, d);
	default: return -EINVAL;
	}
	if (err)
		return err;
	aio_complete(c, d, res);
	file_put(f);
	return 0;
}

/* The file, and the eventfd that is to be told. References on success. */
static int get_files(const struct iocb *cb, struct file **f, struct file **eventfd)
{
	int err = fd_get((int)cb->aio_fildes, f);

	*eventfd = NULL;
	if (err || !(cb->aio_flags & IOCB_FLAG_RESFD))
		return err;
	err = fd_get((int)cb->aio_resfd, eventfd);
	if (!err && !file_is_eventfd(*eventfd)) {
		file_put(*eventfd);
		err = -EINVAL;
	}
	if (err)
		file_put(*f);
	return err;
}

static int submit_one(struct aio_ctx *c, u64 ucb)
{
	struct aio_done d = { .iocb = ucb };
	struct iocb cb;
	struct file *f;
	int err;

	if (copy_from_user(&cb, ucb, sizeof(cb)))
		return -EFAULT;
	if (cb.aio_reserved2 || (s64)cb.aio_nbytes < 0)
		return -EINVAL;
	err = aio_reserve(c);
	if (err)
		return err;
	d.data = cb.aio_data;
	err = get_files(&cb, &f, &d.eventfd);
	if (err)
		goto unreserve;
	err = -EFAULT;
	if (!put_user(ucb + offsetof(struct iocb, aio_key), 0u))
		err = submit_file(c, f, &cb, &d);
	if (!err)
		return 0;
	file_put(f);
	if (d.eventfd)
		file_put(d.eventfd);
unreserve:
	aio_unreserve(c);
	return err;
}

/* ctx: thread; sleeps */
long sys_io_submit(u64 id, u64 nr, u64 ulist)
{
	struct aio_ctx *c;
	long done = 0;
	int err = 0;

	if ((s64)nr < 0)
		return -EINVAL;
	c = aio_find(id);
	if (!c)
		return -EINVAL;
	for (; !err && done < (long)nr; done += !err) {
		u64 ucb;

		err = get_user(&ucb, ulist + (u64)done * sizeof(ucb)) ? -EFAULT
								      : submit_one(c, ucb);
	}
	aio_put(c);
	return done ? done : err;
}

/* ctx: thread; sleeps. What was called off says so by an event, hence EINPROGRESS. */
long sys_io_cancel(u64 id, u64 ucb, u64 uresult)
{
	struct aio_ctx *c;
	u32 key;
	int err;

	if (get_user(&key, ucb + offsetof(struct iocb, aio_key)))
		return -EFAULT;
	if (key)
		return -EINVAL;
	c = aio_find(id);
	if (!c)
		return -EINVAL;
	err = aio_cancel(c, ucb);
	aio_put(c);
	return err ? err : -EINPROGRESS;
}

static int limit_get(u64 uts, s64 *deadline)
{
	struct __kernel_timespec ts;
	s64 rel;

	*deadline = TIME_NEVER;
	if (!uts)
		return 0;
	if (copy_from_user(&ts, uts, sizeof(ts)))
		return -EFAULT;
	/* Linux takes any: a time before now is no wait at all. */
	if (ts.tv_sec < 0 || (!ts.tv_sec && ts.tv_nsec <= 0))
		rel = 0;
	else if (ts.tv_sec >= SYS_SEC_MAX)
		return 0;
	else
		rel = ts.tv_sec * NSEC_PER_SEC + MIN(ts.tv_nsec, NSEC_PER_SEC - 1);
	*deadline = rel > 0 ? sys_deadline(rel) : 0;
	return 0;
}

static long get_events(u64 id, long min, long most, u64 uevents, s64 deadline)
{
	struct aio_ctx *c = aio_find(id);
	long n;

	if (!c)
		return -EINVAL;
	n = min < 0 || min > most ? -EINVAL : aio_collect(c, uevents, min, most, deadline);
	aio_put(c);
	return n;
}

/* ctx: thread; sleeps */
long sys_io_getevents(u64 id, u64 min, u64 most, u64 uevents, u64 uts)
{
	s64 deadline;
	int err = limit_get(uts, &deadline);

	return err ? err : get_events(id, (long)min, (long)most, uevents, deadline);
}

/* ctx: thread; sleeps */
long sys_io_pgetevents(u64 id, u64 min, u64 most, u64 uevents, u64 uts, u64 usig)
{
	struct {
		u64 mask, size;
	} sig = { 0 };
	ksigset_t mask;
	s64 deadline;
	long n = limit_get(uts, &deadline);

	if (n)
		return n;
	if (usig && copy_from_user(&sig, usig, sizeof(sig)))
		return -EFAULT;
	if (sig.mask) {
		if (sig.size != sizeof(mask))
			return -EINVAL;
		if (get_user(&mask, sig.mask))
			return -EFAULT;
		signal_set_temporary_mask(mask);
	}
	n = get_events(id, (long)min, (long)most, uevents, deadline);
	if (n == -EINTR)
		n = -ERESTARTNOHAND;
	if (sig.mask && n != -ERESTARTNOHAND)
		signal_restore_mask();
	return n;
}
