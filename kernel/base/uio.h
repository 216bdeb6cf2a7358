#pragma once
/*
 * Copies between kernel and user memory, and the cursor (struct uio) that read, write, send and
 * receive hand down to the object, which copies once, at the leaf. (Here, below fs and net, because
 * those leaves call it.)
 */
#include <arch/memlayout.h>
#include "kernel/lib/types.h"

/* 0 or -EFAULT. May sleep for page faults; with preemption off they fail instead. */
int __must_check copy_from_user(void *dst, u64 src, size_t n);
int __must_check copy_to_user(u64 dst, const void *src, size_t n);
int __must_check clear_user(u64 dst, size_t n);
/*
 * String with NUL into @dst. Its length, -EFAULT, or -ENAMETOOLONG when it has no NUL in @size
 * bytes.
 */
ssize_t __must_check strncpy_from_user(char *dst, u64 src, size_t size);
/* Scalars by pointer: get_user(&v, uaddr), put_user(uaddr, v); sizes 1, 2, 4, 8. */
#define get_user(ptr, uaddr) copy_from_user((ptr), (uaddr), sizeof(*(ptr)))
#define put_user(uaddr, val)                                \
	({                                                  \
		__typeof__(val) pu_v = (val);               \
		copy_to_user((uaddr), &pu_v, sizeof(pu_v)); \
	})
/*
 * As copy_*_user but never faults pages in: fails with -EFAULT when the page is not there. ctx: any
 */
int __must_check copy_from_user_nofault(void *dst, u64 src, size_t n);
int __must_check copy_to_user_nofault(u64 dst, const void *src, size_t n);

struct uio_seg {
	u64 base; /* user address, or kernel pointer */
	size_t len;
};

/* Orders of reading. */
#define READ_NORMAL 0u /* found out by watching him */
#define READ_IN_ORDER 1u
#define READ_RANDOM 2u

struct uio {
	const struct uio_seg *seg; /* current segment */
	u32 nseg; /* left, current included */
	size_t off; /* into the current one */
	size_t left; /* bytes in total */
	bool kernel; /* segments are kernel memory */
	/* To write: pieces of single pages that may be kept by reference instead of copied. */
	bool lend;
	bool nonblock; /* O_NONBLOCK or RWF_NOWAIT for this call */
	u8 order; /* READ_*: what the reader said of the order he reads in */
	u32 flags; /* RWF_* */
	struct uio_seg one; /* storage for single-buffer calls */
};

void uio_init_user(struct uio *u, u64 base, size_t len);
void uio_init_kernel(struct uio *u, void *base, size_t len);
void uio_init_segs(struct uio *u, const struct uio_seg *seg, u32 nseg, size_t total);
/*
 * Move @n bytes at the cursor and advance by what was moved. Returns the bytes moved: fewer than
 * min(n, left) only when user memory faulted; -EFAULT when that was none.
 */
ssize_t uio_copy_to(struct uio *u, const void *src, size_t n); /* kernel -> uio (read) */
ssize_t uio_copy_from(struct uio *u, void *dst, size_t n); /* uio -> kernel (write) */
ssize_t uio_zero(struct uio *u, size_t n);
/* Touch the pages at the cursor so that a copy under a page lock will not fault. 0 or -EFAULT. */
int __must_check uio_fault_in(struct uio *u, size_t n, bool write);
void uio_advance(struct uio *u, size_t n);
/* Go back @n bytes already moved (error paths). */
void uio_revert(struct uio *u, size_t n);
