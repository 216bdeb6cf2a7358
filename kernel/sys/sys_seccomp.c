/*
 * seccomp(2): a thread binds itself to read, write, exit and the return from signals; any other call
 * then kills it. Programs in the kernel's filter language (SECCOMP_SET_MODE_FILTER) are not run
 * here: asking for one is EINVAL, as on a Linux built without them.
 *
 * man: seccomp(2), prctl(2).
 */
#include <linux/seccomp.h>
#include "kernel/sys/abi.h"
#include "kernel/sys/sys.h"

/* See sys.h. ctx: thread */
long sys_seccomp_strict(void)
{
	syscall_bind_strictly();
	return 0;
}

/* What a filter could do is not there either. */
static long action_avail(u64 uaction)
{
	u32 action;

	if (get_user(&action, uaction))
		return -EFAULT;
	return -EOPNOTSUPP;
}

/* seccomp(2). ctx: thread */
long sys_seccomp(u64 op, u64 flags, u64 uargs)
{
	switch ((u32)op) {
	case SECCOMP_SET_MODE_STRICT: return (u32)flags || uargs ? -EINVAL : sys_seccomp_strict();
	case SECCOMP_GET_ACTION_AVAIL: return (u32)flags ? -EINVAL : action_avail(uargs);
	default: return -EINVAL;
	}
}
