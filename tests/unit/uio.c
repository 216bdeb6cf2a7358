/* Fakes of kernel/base/uio.h for tests whose buffers are one piece of the program's own memory. */
#include "kernel/base/uio.h"
#include "kernel/lib/string.h"

void uio_init_kernel(struct uio *u, void *base, size_t len)
{
	memset(u, 0, sizeof(*u));
	u->one.base = (u64)base;
	u->one.len = u->left = len;
	u->seg = &u->one;
	u->nseg = 1;
	u->kernel = true;
}

void uio_advance(struct uio *u, size_t n)
{
	u->off += n;
	u->left -= n;
}

void uio_revert(struct uio *u, size_t n)
{
	u->off -= n;
	u->left += n;
}

ssize_t uio_copy_from(struct uio *u, void *dst, size_t n)
{
	n = MIN(n, u->left);
	memcpy(dst, (void *)(u->one.base + u->off), n);
	uio_advance(u, n);
	return (ssize_t)n;
}

ssize_t uio_copy_to(struct uio *u, const void *src, size_t n)
{
	n = MIN(n, u->left);
	memcpy((void *)(u->one.base + u->off), src, n);
	uio_advance(u, n);
	return (ssize_t)n;
}

ssize_t uio_zero(struct uio *u, size_t n)
{
	n = MIN(n, u->left);
	memset((void *)(u->one.base + u->off), 0, n);
	uio_advance(u, n);
	return (ssize_t)n;
}
