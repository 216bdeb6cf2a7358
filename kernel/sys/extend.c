/*
 * Structures of system calls that grow with the years. The caller says how large his is. One
 * smaller than ours was made for an older kernel: what it lacks is zero. Of a larger one all that
 * we do not know must be zero, or something would be asked for that is not done.
 *
 * What sizes are sensible at all, and how that is answered, differs from call to call.
 */
#include "kernel/sys/abi.h"

/* See abi.h. ctx: thread; sleeps */
int sys_copy_struct(void *out, size_t known, u64 usrc, u64 size)
{
	u8 more;

	for (u64 k = known; k < size; k++) {
		if (get_user(&more, usrc + k))
			return -EFAULT;
		if (more)
			return -E2BIG;
	}
	memset(out, 0, known);
	return copy_from_user(out, usrc, MIN(size, known)) ? -EFAULT : 0;
}
