/*
 * Reading and writing, and moving data between files without user memory.
 *
 * A transfer is at most MAX_RW bytes, as on Linux, so that its count fits an int. Vectors are
 * imported once, then a cursor over them goes down to the object. pread and friends refuse streams;
 * -EPIPE of a write raises SIGPIPE here.
 *
 * read(2), pread(2), readv(2), sendfile(2), copy_file_range(2), splice(2), tee(2), vmsplice(2).
 */
#include <linux/fs.h>
#include <linux/uio.h>
#include "fs/namei.h"
#include "fs/pipe.h"
#include "fs/splice.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/iovs.h"
#include "kernel/sys/sys.h"
#include "mm/slab.h"

#define RWF_KNOWN (RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND)

_Static_assert(sizeof(struct uio_seg) == sizeof(struct iovec), "imported in one copy");

/* ctx: thread */
long sys_read(u64 fd, u64 ubuf, u64 count)
{
	struct fdref r;
	struct uio u;
	long n = fd_borrow((int)fd, &r);

	if (unlikely(n))
		return n;
	uio_init_user(&u, ubuf, MIN(count, MAX_RW));
	n = file_read(r.file, &u, &r.file->pos);
	fd_release(&r);
	return n;
}

/* ctx: thread */
long sys_write(u64 fd, u64 ubuf, u64 count)
{
	struct fdref r;
	struct uio u;
	long n = fd_borrow((int)fd, &r);

	if (unlikely(n))
		return n;
	uio_init_user(&u, ubuf, MIN(count, MAX_RW));
	n = file_write(r.file, &u, &r.file->pos);
	fd_release(&r);
	return sys_write_result(n);
}

/* Transfer at @pos, which the file's own position does not follow. */
static long do_at(struct file *f, struct uio *u, s64 pos, bool write)
{
	u64 at = (u64)pos;

	if (pos < 0)
		return -EINVAL;
	if ((f->mode & FILE_STREAM) && !(f->mode & FILE_PREAD))
		return -ESPIPE;
	return write ? file_write(f, u, &at) : file_read(f, u, &at);
}

/* ctx: thread */
long sys_pread64(u64 fd, u64 ubuf, u64 count, u64 pos)
{
	struct fdref r;
	struct uio u;
	long n;

	if ((s64)pos < 0)
		return -EINVAL;
	n = fd_borrow((int)fd, &r);
	if (n)
		return n;
	uio_init_user(&u, ubuf, MIN(count, MAX_RW));
	n = do_at(r.file, &u, (s64)pos, false);
	fd_release(&r);
	return n;
}

/* ctx: thread */
long sys_pwrite64(u64 fd, u64 ubuf, u64 count, u64 pos)
{
	struct fdref r;
	struct uio u;
	long n;

	if ((s64)pos < 0)
		return -EINVAL;
	n = fd_borrow((int)fd, &r);
	if (n)
		return n;
	uio_init_user(&u, ubuf, MIN(count, MAX_RW));
	n = do_at(r.file, &u, (s64)pos, true);
	fd_release(&r);
	return sys_write_result(n);
}

/* See iovs.h. */
void iovs_free(struct iovs *v)
{
	if (v->seg != v->few)
		kfree(v->seg);
}

/* See iovs.h. */
int iovs_import(struct iovs *v, u64 uiov, u64 count)
{
	size_t total = 0;
	int err = -EFAULT;

	if (count > UIO_MAXIOV)
		return -EINVAL;
	v->seg = count <= IOV_FEW ? v->few : kmalloc(count * sizeof(*v->seg), 0);
	if (!v->seg)
		return -ENOMEM;
	if (copy_from_user(v->seg, uiov, count * sizeof(*v->seg)))
		goto free;
	err = -EINVAL;
	for (u64 k = 0; k < count; k++) {
		if ((ssize_t)v->seg[k].len < 0)
			goto free;
		v->seg[k].len = MIN(v->seg[k].len, MAX_RW - total);
		total += v->seg[k].len;
	}
	uio_init_segs(&v->u, v->seg, (u32)count, total);
	return 0;
free:
	iovs_free(v);
	return err;
}

/* All the vector calls. @pos -1: the file's own position. */
static long do_vector(int fd, u64 uiov, u64 count, s64 pos, u32 flags, bool write)
{
	struct fdref r;
	struct iovs v;
	long n;

	if (flags & ~(u32)RWF_KNOWN)
		return -EOPNOTSUPP;
	n = fd_borrow(fd, &r);
	if (n)
		return n;
	n = iovs_import(&v, uiov, count);
	if (n)
		goto release;
	v.u.flags = flags;
	if ((flags & RWF_NOWAIT) && !(r.file->mode & FILE_STREAM))
		n = -EOPNOTSUPP;
	else if (pos != -1)
		n = do_at(r.file, &v.u, pos, write);
	else {
		v.u.nonblock |= (flags & RWF_NOWAIT) != 0;
		n = write ? file_write(r.file, &v.u, &r.file->pos)
			  : file_read(r.file, &v.u, &r.file->pos);
	}
	iovs_free(&v);
release:
	fd_release(&r);
	return write ? sys_write_result(n) : n;
}

/* ctx: thread */
long sys_readv(u64 fd, u64 uiov, u64 count)
{
	return do_vector((int)fd, uiov, count, -1, 0, false);
}

/* ctx: thread */
long sys_writev(u64 fd, u64 uiov, u64 count)
{
	return do_vector((int)fd, uiov, count, -1, 0, true);
}

/* ctx: thread */
long sys_preadv(u64 fd, u64 uiov, u64 count, u64 pos, u64 pos_high)
{
	return (s64)pos < 0 ? -EINVAL : do_vector((int)fd, uiov, count, (s64)pos, 0, false);
}

/* ctx: thread */
long sys_pwritev(u64 fd, u64 uiov, u64 count, u64 pos, u64 pos_high)
{
	return (s64)pos < 0 ? -EINVAL : do_vector((int)fd, uiov, count, (s64)pos, 0, true);
}

/* ctx: thread */
long sys_preadv2(u64 fd, u64 uiov, u64 count, u64 pos, u64 pos_high, u64 flags)
{
	return (s64)pos < -1 ? -EINVAL
			     : do_vector((int)fd, uiov, count, (s64)pos, (u32)flags, false);
}

/* ctx: thread */
long sys_pwritev2(u64 fd, u64 uiov, u64 count, u64 pos, u64 pos_high, u64 flags)
{
	return (s64)pos < -1 ? -EINVAL
			     : do_vector((int)fd, uiov, count, (s64)pos, (u32)flags, true);
}

/* A position argument by pointer; absent: the file's own is used and moves. */
struct pos_arg {
	u64 uptr;
	u64 value;
	u64 *pos;
};

static int pos_get(struct pos_arg *p, u64 uptr, struct file *f)
{
	p->uptr = uptr;
	p->pos = &f->pos;
	if (!uptr)
		return 0;
	if (f->mode & FILE_STREAM)
		return -ESPIPE;
	p->pos = &p->value;
	if (get_user(&p->value, uptr))
		return -EFAULT;
	return (s64)p->value < 0 ? -EINVAL : 0;
}

static int pos_put(const struct pos_arg *p)
{
	return p->uptr ? put_user(p->uptr, p->value) : 0;
}

static long do_sendfile(struct file *out, struct file *in, u64 upos, u64 count)
{
	struct pos_arg ipos;
	long n;

	if (!(in->mode & FILE_READ) || !(out->mode & FILE_WRITE))
		return -EBADF;
	if (!S_ISREG(in->inode->mode) && !S_ISBLK(in->inode->mode))
		return -EINVAL;
	if (out->flags & O_APPEND)
		return -EINVAL;
	n = pos_get(&ipos, upos, in);
	if (n)
		return n;
	n = splice_copy(in, ipos.pos, out, &out->pos, MIN(count, MAX_RW), 0);
	if (n >= 0 && pos_put(&ipos))
		n = -EFAULT;
	return n;
}

/* ctx: thread */
long sys_sendfile(u64 ofd, u64 ifd, u64 upos, u64 count)
{
	struct fdref in, out;
	long n = fd_borrow((int)ifd, &in);

	if (n)
		return n;
	n = fd_borrow((int)ofd, &out);
	if (!n) {
		n = do_sendfile(out.file, in.file, upos, count);
		fd_release(&out);
	}
	fd_release(&in);
	return sys_write_result(n);
}

static long check_copy_range(struct file *in, u64 ipos, struct file *out, u64 opos, u64 len)
{
	if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
		return -EINVAL;
	if (!(in->mode & FILE_READ) || !(out->mode & FILE_WRITE) || (out->flags & O_APPEND))
		return -EBADF;
	if (in->inode->sb->type != out->inode->sb->type)
		return -EXDEV;
	if (ipos + len < ipos || opos + len < opos)
		return -EOVERFLOW;
	/* Only what is there counts for the overlap. */
	len = MIN(len, in->inode->size > ipos ? in->inode->size - ipos : 0);
	if (in->inode == out->inode && ipos < opos + len && opos < ipos + len)
		return -EINVAL;
	return 0;
}

static long do_copy_range(struct file *in, u64 uipos, struct file *out, u64 uopos, u64 len)
{
	struct pos_arg ipos, opos;
	long n = pos_get(&ipos, uipos, in);

	if (!n)
		n = pos_get(&opos, uopos, out);
	if (!n)
		n = check_copy_range(in, *ipos.pos, out, *opos.pos, len);
	if (n || !len)
		return n;
	n = splice_copy(in, ipos.pos, out, opos.pos, MIN(len, MAX_RW), 0);
	if (n >= 0 && (pos_put(&ipos) || pos_put(&opos)))
		n = -EFAULT;
	return n;
}

/* ctx: thread */
long sys_copy_file_range(u64 ifd, u64 uipos, u64 ofd, u64 uopos, u64 len, u64 flags)
{
	struct fdref in, out;
	long n;

	if (flags)
		return -EINVAL;
	n = fd_borrow((int)ifd, &in);
	if (n)
		return n;
	n = fd_borrow((int)ofd, &out);
	if (!n) {
		n = do_copy_range(in.file, uipos, out.file, uopos, len);
		fd_release(&out);
	}
	fd_release(&in);
	return n;
}

static long do_splice(struct file *in, u64 uipos, struct file *out, u64 uopos, u64 len, u32 flags)
{
	struct pos_arg ipos, opos;
	bool pin = file_is_pipe(in), pout = file_is_pipe(out);
	long n;

	if (!(in->mode & FILE_READ) || !(out->mode & FILE_WRITE))
		return -EBADF;
	if (!pin && !pout)
		return -EINVAL;
	if ((pin && uipos) || (pout && uopos))
		return -ESPIPE;
	if (pin && pout && in->inode == out->inode)
		return -EINVAL;
	if (!pout && (out->flags & O_APPEND))
		return -EINVAL;
	n = pos_get(&ipos, uipos, in);
	if (!n)
		n = pos_get(&opos, uopos, out);
	if (n)
		return n;
	n = splice_copy(in, ipos.pos, out, opos.pos, MIN(len, MAX_RW), flags);
	if (n >= 0 && (pos_put(&ipos) || pos_put(&opos)))
		n = -EFAULT;
	return n;
}

/* ctx: thread */
long sys_splice(u64 ifd, u64 uipos, u64 ofd, u64 uopos, u64 len, u64 flags)
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
		n = do_splice(in.file, uipos, out.file, uopos, len, (u32)flags);
		fd_release(&out);
	}
	fd_release(&in);
	return sys_write_result(n);
}

/* ctx: thread. Memory to pipe, or pipe to memory: the transfer that writev and readv do. */
long sys_vmsplice(u64 fd, u64 uiov, u64 count, u64 flags)
{
	struct fdref r;
	long n;
	bool pipe, write;

	if ((u32)flags & ~(u32)SPLICE_FLAGS)
		return -EINVAL;
	n = fd_borrow((int)fd, &r);
	if (n)
		return n;
	pipe = file_is_pipe(r.file);
	write = r.file->mode & FILE_WRITE;
	fd_release(&r);
	if (!pipe)
		return -EBADF;
	return do_vector((int)fd, uiov, count, -1, flags & SPLICE_F_NONBLOCK ? RWF_NOWAIT : 0,
			 write);
}

static u64 fsize_limit(void)
{
	return current->user ? proc_rlimit(RLIMIT_FSIZE) : ~0ull;
}

static void fsize_exceeded(void)
{
	if (current->user)
		signal_send_task(current_task(), SIGXFSZ, NULL);
}

/* See sys.h. ctx: boot */
void sys_rw_init(void)
{
	vfs_set_fsize_hooks(fsize_limit, fsize_exceeded);
}
