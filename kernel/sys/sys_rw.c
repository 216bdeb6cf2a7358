/*
 * Reading and writing.
 *
 * A transfer is at most MAX_RW bytes, as on Linux, so that its count fits an int. Vectors are
 * imported once, then a cursor over them goes down to the object. pread and friends refuse streams;
 * -EPIPE of a write raises SIGPIPE here.
 *
 * read(2), pread(2), readv(2), preadv2(2).
 */
#include <linux/fs.h>
#include <linux/uio.h>
#include "fs/namei.h"
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

/* A call that reads or writes is over: for /proc/PID/io. */
static inline long count_io(long n, bool write)
{
	struct proc_io *io = &current_task()->io;

	if (write) {
		io->syscw++;
		io->wchar += likely(n > 0) ? (u64)n : 0;
	} else {
		io->syscr++;
		io->rchar += likely(n > 0) ? (u64)n : 0;
	}
	return n;
}

/* See sys.h. ctx: thread */
void sys_count_copied(long n)
{
	count_io(n, false);
	count_io(n, true);
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
	n = likely(user_ok(ubuf, count)) ? file_read(r.file, &u, &r.file->pos)
					 : refuse(r.file, false);
	fd_release(&r);
	return count_io(n, false);
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
	n = likely(user_ok(ubuf, count)) ? file_write(r.file, &u, &r.file->pos)
					 : refuse(r.file, true);
	fd_release(&r);
	return sys_write_result(count_io(n, true));
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
	if (!n && !user_ok(ubuf, count))
		n = refuse(r.file, write);
	if (!n)
		n = write ? file_write(r.file, &u, &pos) : file_read(r.file, &u, &pos);
	fd_release(&r);
	return count_io(n, write);
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
		if (!user_ok(seg[k].base, seg[k].len))
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

/* See sys.h. */
int sys_rw_check(const struct file *f, u32 flags)
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
		n = sys_rw_check(f, flags);
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
	n = count_io(n, write);
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

static u64 fsize_limit(void)
{
	return current->user ? proc_rlimit(RLIMIT_FSIZE) : ~0ull;
}

static void signal_user(int sig)
{
	if (current->user)
		signal_raise(sig);
}

/* See sys.h. ctx: boot */
void sys_rw_init(void)
{
	vfs_set_write_hooks(fsize_limit, signal_user);
}
