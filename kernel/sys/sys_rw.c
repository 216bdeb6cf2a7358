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

/* Is @f open for this, and of a sort that can be read or written? (A folder says EISDIR itself.) */
static int check_file(const struct file *f, bool write)
{
	bool able = write ? f->ops->write != NULL : f->ops->read != NULL;

	if (!(f->mode & (write ? FILE_WRITE : FILE_READ)))
		return -EBADF;
	return able || S_ISDIR(f->inode->mode) ? 0 : -EINVAL;
}

/* What a transfer with an impossible buffer gets: what is wrong with the file comes first. */
static __cold long refuse(const struct file *f, bool write)
{
	int err = check_file(f, write);

	return err ? err : -EFAULT;
}

/* ctx: thread */
long sys_read(u64 fd, u64 ubuf, u64 count)
{
	struct fdref r;
	struct uio u;
	long n = fd_borrow((int)fd, &r);

	if (unlikely(n))
		return n;
	uio_init_user(&u, ubuf, MIN(count, MAX_RW));
	n = likely(user_range_ok(ubuf, count)) ? file_read(r.file, &u, &r.file->pos)
					       : refuse(r.file, false);
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
	n = likely(user_range_ok(ubuf, count)) ? file_write(r.file, &u, &r.file->pos)
					       : refuse(r.file, true);
	fd_release(&r);
	return sys_write_result(n);
}

/* Has @f positions of its own to read or write at? */
static int check_positions(const struct file *f, bool write)
{
	return f->mode & (FILE_STREAM | (write ? FILE_NOPWRITE : 0)) ? -ESPIPE : 0;
}

/* pread and pwrite: at @pos, which the file's own position does not follow. */
static long do_at(u64 fd, u64 ubuf, u64 count, u64 pos, bool write)
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
	n = check_positions(r.file, write);
	if (!n && !user_range_ok(ubuf, count))
		n = refuse(r.file, write);
	if (!n)
		n = write ? file_write(r.file, &u, &pos) : file_read(r.file, &u, &pos);
	fd_release(&r);
	return n;
}

/* ctx: thread */
long sys_pread64(u64 fd, u64 ubuf, u64 count, u64 pos)
{
	return do_at(fd, ubuf, count, pos, false);
}

/* ctx: thread */
long sys_pwrite64(u64 fd, u64 ubuf, u64 count, u64 pos)
{
	return sys_write_result(do_at(fd, ubuf, count, pos, true));
}

/* See iovs.h. */
void iovs_free(struct iovs *v)
{
	if (v->seg != v->few)
		kfree(v->seg);
}

/* Each length fits a result, each buffer user memory; together they are cut to MAX_RW. */
static int iovs_check(struct uio_seg *seg, u32 count, size_t *total)
{
	*total = 0;
	for (u32 k = 0; k < count; k++)
		if ((ssize_t)seg[k].len < 0)
			return -EINVAL;
	for (u32 k = 0; k < count; k++) {
		if (!user_range_ok(seg[k].base, seg[k].len))
			return -EFAULT;
		seg[k].len = MIN(seg[k].len, MAX_RW - *total);
		*total += seg[k].len;
	}
	return 0;
}

/* See iovs.h. */
int iovs_import(struct iovs *v, u64 uiov, u64 segments)
{
	u32 count = (u32)segments; /* Linux does not look at the rest of the register either */
	size_t total;
	int err;

	if (count > UIO_MAXIOV)
		return -EINVAL;
	v->seg = count <= IOV_FEW ? v->few : kmalloc(count * sizeof(*v->seg), 0);
	if (!v->seg)
		return -ENOMEM;
	err = copy_from_user(v->seg, uiov, count * sizeof(*v->seg));
	if (!err)
		err = iovs_check(v->seg, count, &total);
	if (err)
		iovs_free(v);
	else
		uio_init_segs(&v->u, v->seg, count, total);
	return err;
}

static int check_flags(const struct file *f, u32 flags)
{
	if (flags & ~(u32)RWF_KNOWN)
		return -EOPNOTSUPP;
	return (flags & RWF_NOWAIT) && !(f->mode & FILE_NOWAIT) ? -EOPNOTSUPP : 0;
}

/* At @pos, or at the file's own position when that is NULL. */
static long do_vector_file(struct file *f, u64 uiov, u32 count, u64 *pos, u32 flags, bool write)
{
	struct iovs v;
	long n = iovs_import(&v, uiov, count);

	if (n)
		return n;
	v.u.flags = flags;
	v.u.nonblock |= (flags & RWF_NOWAIT) != 0;
	n = check_file(f, write);
	if (!n && v.u.left)
		n = check_flags(f, flags);
	if (!n && v.u.left) {
		pos = pos ? pos : &f->pos;
		n = write ? file_write(f, &v.u, pos) : file_read(f, &v.u, pos);
	}
	iovs_free(&v);
	return n;
}

/* All the vector calls; those that have a position go there, @at. */
static long do_vector(int fd, u64 uiov, u64 count, bool at, u64 pos, u32 flags, bool write)
{
	struct fdref r;
	long n;

	if (at && (s64)pos < 0)
		return -EINVAL;
	n = fd_borrow(fd, &r);
	if (n)
		return n;
	n = at ? check_positions(r.file, write) : 0;
	if (!n)
		n = do_vector_file(r.file, uiov, (u32)count, at ? &pos : NULL, flags, write);
	fd_release(&r);
	return write ? sys_write_result(n) : n;
}

/* ctx: thread */
long sys_readv(u64 fd, u64 uiov, u64 count)
{
	return do_vector((int)fd, uiov, count, false, 0, 0, false);
}

/* ctx: thread */
long sys_writev(u64 fd, u64 uiov, u64 count)
{
	return do_vector((int)fd, uiov, count, false, 0, 0, true);
}

/* ctx: thread */
long sys_preadv(u64 fd, u64 uiov, u64 count, u64 pos, u64 pos_high)
{
	return do_vector((int)fd, uiov, count, true, pos, 0, false);
}

/* ctx: thread */
long sys_pwritev(u64 fd, u64 uiov, u64 count, u64 pos, u64 pos_high)
{
	return do_vector((int)fd, uiov, count, true, pos, 0, true);
}

/* ctx: thread. Position -1: the file's own. */
long sys_preadv2(u64 fd, u64 uiov, u64 count, u64 pos, u64 pos_high, u64 flags)
{
	return do_vector((int)fd, uiov, count, (s64)pos != -1, pos, (u32)flags, false);
}

/* ctx: thread */
long sys_pwritev2(u64 fd, u64 uiov, u64 count, u64 pos, u64 pos_high, u64 flags)
{
	return do_vector((int)fd, uiov, count, (s64)pos != -1, pos, (u32)flags, true);
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
	p->pos = uptr ? &p->value : &f->pos;
	return uptr ? get_user(&p->value, uptr) : 0;
}

static int pos_put(const struct pos_arg *p)
{
	return p->uptr ? put_user(p->uptr, p->value) : 0;
}

/* The area of a transfer ends before the largest position. */
static int check_area(u64 pos, u64 len)
{
	return (s64)pos < 0 || (s64)len < 0 || (s64)(pos + len) < 0 ? -EINVAL : 0;
}

static long do_sendfile(struct file *out, struct file *in, struct pos_arg *ipos, u64 count)
{
	long n;

	if (!(out->mode & FILE_WRITE))
		return -EBADF;
	if (!file_is_pipe(out) && (out->flags & O_APPEND))
		return -EINVAL;
	if (!S_ISREG(in->inode->mode) && !S_ISBLK(in->inode->mode))
		return -EINVAL;
	if (!file_can_splice(in, false) || !file_can_splice(out, true))
		return -EINVAL;
	n = splice_copy(in, ipos->pos, out, &out->pos, MIN(count, MAX_RW), 0);
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
		fd_release(&out);
	}
	fd_release(&in);
	return sys_write_result(n);
}

static long check_copy_range(struct file *in, u64 ipos, struct file *out, u64 opos, u64 len)
{
	int err;

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
	err = check_area(ipos, len);
	return err ? err : check_area(opos, len);
}

static long do_copy_range(struct file *in, u64 uipos, struct file *out, u64 uopos, u64 len,
			  u32 flags)
{
	struct pos_arg ipos, opos;
	long n = pos_get(&ipos, uipos, in);

	if (!n)
		n = pos_get(&opos, uopos, out);
	if (!n && flags)
		n = -EINVAL;
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
	if (p->uptr && check_positions(f, write))
		return -EINVAL;
	if (write && (f->flags & O_APPEND))
		return -EINVAL;
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

/* ctx: thread. Memory to pipe, or pipe to memory: the transfer that writev and readv do. */
long sys_vmsplice(u64 fd, u64 uiov, u64 count, u64 flags)
{
	struct fdref r;
	struct iovs v;
	bool write;
	long n;

	if ((u32)flags & ~(u32)SPLICE_FLAGS)
		return -EINVAL;
	n = fd_borrow((int)fd, &r);
	if (n)
		return n;
	write = r.file->mode & FILE_WRITE;
	n = r.file->mode & (FILE_READ | FILE_WRITE) ? iovs_import(&v, uiov, count) : -EBADF;
	if (!n) {
		v.u.nonblock = flags & SPLICE_F_NONBLOCK;
		n = !v.u.left		    ? 0
		    : !file_is_pipe(r.file) ? -EBADF
		    : write		    ? file_write(r.file, &v.u, &r.file->pos)
					    : file_read(r.file, &v.u, &r.file->pos);
		iovs_free(&v);
	}
	fd_release(&r);
	return write ? sys_write_result(n) : n;
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
