/*
 * User memory: copies with checked addresses, and the cursor that I/O calls move along.
 *
 * The raw copies (arch/user.h) run with unprivileged loads and stores and say how many bytes they
 * left; a fault on the way is resolved by the trap handler or ends the copy. Every address is
 * checked against the top of user space here, once per segment. The _nofault forms keep preemption
 * off, which makes the trap handler end the copy instead of sleeping for a page.
 *
 * A uio belongs to one call of one thread; nothing is locked. Segments are the caller's and are not
 * changed: the place reached is in (seg, off).
 */
#include <arch/user.h>
#include <linux/errno.h>
#include "kernel/base/spinlock.h"
#include "kernel/base/uio.h"
#include "kernel/lib/string.h"

/* See uio.h. ctx: thread; sleeps. */
int copy_from_user(void *dst, u64 src, size_t n)
{
	if (!user_ok(src, n) || arch_user_copy_in(dst, src, n))
		return -EFAULT;
	return 0;
}

/* See uio.h. ctx: thread; sleeps. */
int copy_to_user(u64 dst, const void *src, size_t n)
{
	if (!user_ok(dst, n) || arch_user_copy_out(dst, src, n))
		return -EFAULT;
	return 0;
}

/* See uio.h. ctx: thread; sleeps. */
int clear_user(u64 dst, size_t n)
{
	if (!user_ok(dst, n) || arch_user_clear(dst, n))
		return -EFAULT;
	return 0;
}

/* See uio.h. ctx: thread; sleeps. */
ssize_t strncpy_from_user(char *dst, u64 src, size_t size)
{
	size_t room = size;
	s64 n;

	if (!user_ok(src, 1))
		return -EFAULT;
	src = user_untag(src);
	if (room > USER_TOP - src)
		room = USER_TOP - src;
	n = arch_user_strncpy(dst, src, room);
	if (n < 0 || (size_t)n < room)
		return n;
	return room < size ? -EFAULT : -ENAMETOOLONG;
}

/* See uio.h. ctx: any. */
int copy_from_user_nofault(void *dst, u64 src, size_t n)
{
	int err;

	preempt_disable();
	err = copy_from_user(dst, src, n);
	preempt_enable();
	return err;
}

/* See uio.h. ctx: any. */
int copy_to_user_nofault(u64 dst, const void *src, size_t n)
{
	int err;

	preempt_disable();
	err = copy_to_user(dst, src, n);
	preempt_enable();
	return err;
}

static void init_one(struct uio *u, u64 base, size_t len, bool kernel)
{
	u->one.base = base;
	u->one.len = len;
	u->seg = &u->one;
	u->nseg = 1;
	u->off = 0;
	u->left = len;
	u->kernel = kernel;
	u->lend = false;
	u->nonblock = false;
	u->flags = 0;
}

/* One user buffer. The uio must not be moved: it points into itself. ctx: any. */
void uio_init_user(struct uio *u, u64 base, size_t len)
{
	init_one(u, base, len, false);
}

/* One kernel buffer, likewise. ctx: any. */
void uio_init_kernel(struct uio *u, void *base, size_t len)
{
	init_one(u, (u64)base, len, true);
}

/* @nseg user segments of @total bytes. ctx: any. */
void uio_init_segs(struct uio *u, const struct uio_seg *seg, u32 nseg, size_t total)
{
	init_one(u, 0, total, false);
	u->seg = seg;
	u->nseg = nseg;
}

/* Move past segments that are used up. */
static void next_segment(struct uio *u)
{
	while (u->nseg > 1 && u->off == u->seg->len) {
		u->seg++;
		u->nseg--;
		u->off = 0;
	}
}

/* See uio.h. ctx: any. */
void uio_advance(struct uio *u, size_t n)
{
	u->left -= n;
	while (n) {
		size_t k = MIN(n, u->seg->len - u->off);

		u->off += k;
		n -= k;
		next_segment(u);
	}
}

/* See uio.h. ctx: any. */
void uio_revert(struct uio *u, size_t n)
{
	u->left += n;
	while (n > u->off) {
		n -= u->off;
		u->seg--;
		u->nseg++;
		u->off = u->seg->len;
	}
	u->off -= n;
}

enum direction { TO_UIO, FROM_UIO, ZERO_UIO };

/* Move @n bytes at one place of user memory; returns how many were moved. */
static size_t move_user(u64 base, void *buf, size_t n, enum direction dir)
{
	if (!user_ok(base, n))
		return 0;
	switch (dir) {
	case TO_UIO: return n - arch_user_copy_out(base, buf, n);
	case FROM_UIO: return n - arch_user_copy_in(buf, base, n);
	default: return n - arch_user_clear(base, n);
	}
}

static size_t move_kernel(u64 base, void *buf, size_t n, enum direction dir)
{
	void *p = (void *)base;

	switch (dir) {
	case TO_UIO: memcpy(p, buf, n); break;
	case FROM_UIO: memcpy(buf, p, n); break;
	default: memset(p, 0, n);
	}
	return n;
}

static ssize_t move(struct uio *u, void *buf, size_t n, enum direction dir)
{
	size_t done = 0;

	n = MIN(n, u->left);
	while (done < n) {
		u64 base;
		size_t k, moved;

		next_segment(u);
		base = u->seg->base + u->off;
		k = MIN(n - done, u->seg->len - u->off);
		moved = u->kernel ? move_kernel(base, (u8 *)buf + done, k, dir)
				  : move_user(base, (u8 *)buf + done, k, dir);
		u->off += moved;
		u->left -= moved;
		done += moved;
		if (moved < k)
			break;
	}
	return done == 0 && n ? -EFAULT : (ssize_t)done;
}

/* See uio.h. ctx: thread; sleeps for user memory. */
ssize_t uio_copy_to(struct uio *u, const void *src, size_t n)
{
	return move(u, (void *)src, n, TO_UIO);
}

/* See uio.h. ctx: thread; sleeps for user memory. */
ssize_t uio_copy_from(struct uio *u, void *dst, size_t n)
{
	return move(u, dst, n, FROM_UIO);
}

/* Put @n zero bytes at the cursor; results as uio_copy_to. ctx: thread; sleeps for user memory. */
ssize_t uio_zero(struct uio *u, size_t n)
{
	return move(u, NULL, n, ZERO_UIO);
}

/* Fault one page in for reading, or for writing by putting back the byte that is there. */
static int touch(u64 addr, bool write)
{
	u8 byte;
	int err = copy_from_user(&byte, addr, 1);
	u64 word = addr & ~3ULL;
	u32 old;

	if (err || !write)
		return err;
	/* An atomic or with 0: another thread may be writing the same bytes. */
	return arch_user_atomic32(word, 2, 0, &old);
}

/* See uio.h. ctx: thread; sleeps. */
int uio_fault_in(struct uio *u, size_t n, bool write)
{
	const struct uio_seg *seg = u->seg;
	size_t off = u->off;

	n = MIN(n, u->left);
	while (!u->kernel && n) {
		u64 base = seg->base + off;
		size_t k = MIN(n, seg->len - off);

		if (!user_ok(base, k))
			return -EFAULT;
		for (u64 a = base; a < base + k; a = ALIGN_DOWN(a, (u64)PAGE_SIZE) + PAGE_SIZE) {
			int err = touch(a, write);

			if (err)
				return err;
		}
		n -= k;
		seg++;
		off = 0;
	}
	return 0;
}
