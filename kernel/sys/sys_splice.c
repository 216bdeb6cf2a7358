/*
 * Moving data between files without user memory: sendfile, copy_file_range, splice, tee, vmsplice.
 *
 * Here are the checks, which differ from call to call; the moving is splice_copy() (fs/splice.c)
 * and, where pipes meet, fs/pipe_splice.c. A position given by pointer is used instead of the
 * file's own, which then stays where it is.
 *
 * sendfile(2), copy_file_range(2), splice(2), tee(2), vmsplice(2).
 */
#include <linux/fs.h>
#include "fs/namei.h"
#include "fs/notify.h"
#include "fs/pipe.h"
#include "fs/splice.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/iovs.h"
#include "kernel/sys/sys.h"

/* A position argument by pointer; absent: the file's own is used and moves. */
struct pos_arg {
	u64 uptr;
	u64 value;
	u64 *pos;
};

static int pos_get(struct pos_arg *p, u64 uptr, struct file *f)
{
	p->uptr = uptr;
	p->pos = uptr ? &p->value : &f->pos;
	return uptr ? get_user(&p->value, uptr) : 0;
}

static int pos_put(const struct pos_arg *p)
{
	return p->uptr ? put_user(p->uptr, p->value) : 0;
}

/* What a pipe's own descriptor says counts too. */
static u32 nonblock_of(const struct file *f)
{
	return READ_ONCE(f->flags) & O_NONBLOCK ? SPLICE_F_NONBLOCK : 0;
}

/* The area of a transfer ends before the largest position. */
static int check_area(u64 pos, u64 len)
{
	return (s64)pos < 0 || (s64)len < 0 || (s64)(pos + len) < 0 ? -EINVAL : 0;
}

/* splice_copy() of a call that tells who watches the files, which splice does not. */
static long copy_told(struct file *in, u64 *ipos, struct file *out, u64 *opos, u64 len, u32 flags)
{
	long n = splice_copy(in, ipos, out, opos, MIN(len, MAX_RW), flags);

	if (n > 0) {
		notify_file(in, IN_ACCESS);
		notify_file(out, IN_MODIFY);
	}
	return n;
}

static long do_sendfile(struct file *out, struct file *in, struct pos_arg *ipos, u64 count)
{
	long n;

	if (!(out->mode & FILE_WRITE))
		return -EBADF;
	if (!file_is_pipe(out) && (out->flags & O_APPEND))
		return -EINVAL;
	if (file_is_pipe(in) || (!file_is_pipe(out) && (in->mode & FILE_STREAM)))
		return -EINVAL;
	if (!file_can_splice(in, false) || !file_can_splice(out, true))
		return -EINVAL;
	n = copy_told(in, ipos->pos, out, &out->pos, count, nonblock_of(out));
	if (n >= 0 && pos_put(ipos))
		n = -EFAULT;
	return n;
}

static int check_sendfile_in(struct file *in, const struct pos_arg *ipos, u64 count)
{
	if (!(in->mode & FILE_READ))
		return -EBADF;
	if (ipos->uptr && (in->mode & FILE_STREAM))
		return -ESPIPE;
	return in->mode & FILE_STREAM ? 0 : check_area(*ipos->pos, count);
}

/* ctx: thread */
long sys_sendfile(u64 ofd, u64 ifd, u64 upos, u64 count)
{
	struct pos_arg ipos = { 0 };
	struct fdref in, out;
	u64 pos;
	long n;

	if (upos && get_user(&pos, upos))
		return -EFAULT;
	n = fd_borrow((int)ifd, &in);
	if (n)
		return n;
	n = pos_get(&ipos, upos, in.file);
	if (!n)
		n = check_sendfile_in(in.file, &ipos, count);
	if (!n)
		n = fd_borrow((int)ofd, &out);
	if (!n) {
		n = do_sendfile(out.file, in.file, &ipos, count);
		sys_count_copied(n);
		fd_release(&out);
	}
	fd_release(&in);
	return sys_write_result(n);
}

/* The files of copy_file_range as such. */
static long check_copy_files(struct file *in, struct file *out)
{
	if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
		return -EINVAL;
	if (!(in->mode & FILE_READ) || !(out->mode & FILE_WRITE) || (out->flags & O_APPEND))
		return -EBADF;
	if (in->inode->sb != out->inode->sb)
		return -EXDEV;
	return out->inode->flags & INODE_IMMUTABLE ? -EPERM : 0;
}

/* The ranges; *len is cut to what is there. */
static long check_copy_range(struct file *in, u64 ipos, struct file *out, u64 opos, u64 *len)
{
	u64 size = in->inode->cache ? in->inode->cache->size : in->inode->size;
	int err;

	if (ipos + *len < ipos || opos + *len < opos)
		return -EOVERFLOW;
	if ((s64)ipos < 0 || (s64)opos < 0)
		return -EINVAL;
	*len = ipos < size ? MIN(*len, size - ipos) : 0;
	err = vfs_check_write(out->inode->sb, opos, len);
	if (err)
		return err;
	if (*len && in->inode == out->inode && ipos < opos + *len && opos < ipos + *len)
		return -EINVAL;
	return 0;
}

static long do_copy_range(struct file *in, u64 uipos, struct file *out, u64 uopos, u64 len,
			  u32 flags)
{
	struct pos_arg ipos, opos;
	long n;

	if (pos_get(&ipos, uipos, in) || pos_get(&opos, uopos, out))
		return -EFAULT;
	if (flags)
		return -EINVAL;
	n = check_copy_files(in, out);
	if (!n)
		n = check_copy_range(in, *ipos.pos, out, *opos.pos, &len);
	if (n || !len)
		return n;
	n = copy_told(in, ipos.pos, out, opos.pos, len, 0);
	if (n >= 0 && (pos_put(&ipos) || pos_put(&opos)))
		n = -EFAULT;
	return n;
}

/* ctx: thread */
long sys_copy_file_range(u64 ifd, u64 uipos, u64 ofd, u64 uopos, u64 len, u64 flags)
{
	struct fdref in, out;
	long n = fd_borrow((int)ifd, &in);

	if (n)
		return n;
	n = fd_borrow((int)ofd, &out);
	if (!n) {
		n = do_copy_range(in.file, uipos, out.file, uopos, len, (u32)flags);
		fd_release(&out);
	}
	fd_release(&in);
	return n;
}

/* The side of a splice that is no pipe. */
static int check_splice_side(struct file *f, const struct pos_arg *p, u64 len, bool write)
{
	if (p->uptr && (f->mode & (FILE_STREAM | (write ? FILE_NOPWRITE : 0))))
		return -EINVAL;
	if (write && (f->flags & O_APPEND))
		return -EINVAL;
	/* One call never reads more than this. */
	if (!write)
		len = MIN(len, MAX_RW);
	if (!(f->mode & FILE_STREAM) && check_area(*p->pos, len))
		return -EINVAL;
	return file_can_splice(f, write) ? 0 : -EINVAL;
}

static long do_splice(struct file *in, u64 uipos, struct file *out, u64 uopos, u64 len, u32 flags)
{
	struct pos_arg ipos, opos;
	bool pin = file_is_pipe(in), pout = file_is_pipe(out);
	long n;

	if ((pin && uipos) || (pout && uopos))
		return -ESPIPE;
	n = pos_get(&opos, uopos, out);
	if (!n)
		n = pos_get(&ipos, uipos, in);
	if (n)
		return n;
	if (!(in->mode & FILE_READ) || !(out->mode & FILE_WRITE))
		return -EBADF;
	if (!pin && !pout)
		return -EINVAL;
	if (pin && pout && in->inode == out->inode)
		return -EINVAL;
	if (!pout)
		n = check_splice_side(out, &opos, len, true);
	else if (!pin)
		n = check_splice_side(in, &ipos, len, false);
	if (n)
		return n;
	if (pin)
		flags |= nonblock_of(in);
	if (pout)
		flags |= nonblock_of(out);
	n = splice_copy(in, ipos.pos, out, opos.pos, MIN(len, MAX_RW), flags);
	if (n >= 0 && (pos_put(&opos) || pos_put(&ipos)))
		n = -EFAULT;
	return n;
}

/* ctx: thread */
long sys_splice(u64 ifd, u64 uipos, u64 ofd, u64 uopos, u64 len, u64 flags)
{
	struct fdref in, out;
	long n;

	if (!len)
		return 0;
	if ((u32)flags & ~(u32)SPLICE_FLAGS)
		return -EINVAL;
	n = fd_borrow((int)ifd, &in);
	if (n)
		return n;
	n = fd_borrow((int)ofd, &out);
	if (!n) {
		n = do_splice(in.file, uipos, out.file, uopos, len, (u32)flags);
		fd_release(&out);
	}
	fd_release(&in);
	return sys_write_result(n);
}

static long do_tee(struct file *in, struct file *out, u64 len, u32 flags)
{
	if (!(in->mode & FILE_READ) || !(out->mode & FILE_WRITE))
		return -EBADF;
	if (!file_is_pipe(in) || !file_is_pipe(out) || in->inode == out->inode)
		return -EINVAL;
	flags |= nonblock_of(in) | nonblock_of(out);
	return pipe_share_pages(in, out, MIN(len, MAX_RW), flags & SPLICE_F_NONBLOCK);
}

/* ctx: thread */
long sys_tee(u64 ifd, u64 ofd, u64 len, u64 flags)
{
	struct fdref in, out;
	long n;

	if ((u32)flags & ~(u32)SPLICE_FLAGS)
		return -EINVAL;
	if (!len)
		return 0;
	n = fd_borrow((int)ifd, &in);
	if (n)
		return n;
	n = fd_borrow((int)ofd, &out);
	if (!n) {
		n = do_tee(in.file, out.file, len, (u32)flags);
		fd_release(&out);
	}
	fd_release(&in);
	return sys_write_result(n);
}

/* Memory to pipe (what fits), or pipe to memory (as readv does). */
static long do_vmsplice(struct file *f, u64 uiov, u64 count, u32 flags)
{
	bool nonblock = flags & SPLICE_F_NONBLOCK;
	struct iovs v;
	long n;

	if (!(f->mode & (FILE_READ | FILE_WRITE)))
		return -EBADF;
	n = iovs_import(&v, uiov, count);
	if (n)
		return n;
	v.u.nonblock = nonblock;
	if (!v.u.left)
		n = 0;
	else if (!file_is_pipe(f))
		n = -EBADF;
	else if (f->mode & FILE_WRITE)
		n = pipe_from_user(f, &v.u, nonblock);
	else
		n = file_read(f, &v.u, &f->pos);
	iovs_free(&v);
	return n;
}

/* ctx: thread; sleeps */
long sys_vmsplice(u64 fd, u64 uiov, u64 count, u64 flags)
{
	struct fdref r;
	long n;

	if ((u32)flags & ~(u32)SPLICE_FLAGS)
		return -EINVAL;
	n = fd_borrow((int)fd, &r);
	if (n)
		return n;
	n = do_vmsplice(r.file, uiov, count, (u32)flags);
	fd_release(&r);
	return sys_write_result(n);
}
