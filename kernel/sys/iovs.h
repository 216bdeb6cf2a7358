#pragma once
/* Vectors of buffers from user space, and the limit of one transfer. */
#include "kernel/base/uio.h"

#define MAX_RW 0x7ffff000ul
#define IOV_FEW 8

/* A vector of the user's: a few segments lie in it, more are allocated. */
struct iovs {
	struct uio u;
	struct uio_seg *seg;
	struct uio_seg few[IOV_FEW];
};

/*
 * Copy @count segments in; iovs_free afterwards. 0, -EINVAL, -EFAULT, -ENOMEM. ctx: thread; sleeps
 */
int __must_check iovs_import(struct iovs *v, u64 uiov, u64 count);
void iovs_free(struct iovs *v);
