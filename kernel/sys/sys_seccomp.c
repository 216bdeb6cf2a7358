/*
 * seccomp(2): what kernel/proc/seccomp.c does, with the copies from the caller. Of user
 * notification (SECCOMP_FILTER_FLAG_NEW_LISTENER) there is none: EINVAL; a filter's
 * SECCOMP_RET_USER_NOTIF is ENOSYS, as where nobody listens.
 *
 * man: seccomp(2), prctl(2).
 */
#include <linux/seccomp.h>
#include "kernel/proc/seccomp.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/sys.h"
#include "kernel/sys/syscall.h"

#define FLAGS_KNOWN                                                                              \
	(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH | SECCOMP_FILTER_FLAG_LOG | \
	 SECCOMP_FILTER_FLAG_SPEC_ALLOW)

/* See sys.h. ctx: thread */
long sys_seccomp_strict(void)
{
	syscall_ask_first();
	return seccomp_bind_strictly();
}

/* See sys.h. ctx: thread; sleeps */
long sys_seccomp_filter(u64 flags, u64 uprog)
{
	struct sock_fprog prog;
	struct seccomp_filter *f;
	int err;

	if (flags & ~(u64)FLAGS_KNOWN)
		return -EINVAL;
	if (copy_from_user(&prog, uprog, sizeof(prog)))
		return -EFAULT;
	if (!prog.len || prog.len > BPF_MAXINSNS)
		return -EINVAL;
	if (!current_task()->no_new_privs && !sys_capable(CAP_SYS_ADMIN))
		return -EACCES;
	err = seccomp_filter_alloc(prog.len, &f);
	if (err)
		return err;
	if (copy_from_user(f->code, (u64)prog.filter, prog.len * sizeof(f->code[0]))) {
		seccomp_filter_put(f);
		return -EFAULT;
	}
	syscall_ask_first();
	return seccomp_filter_attach(f, (u32)flags);
}

static long action_avail(u64 uaction)
{
	u32 action;

	if (get_user(&action, uaction))
		return -EFAULT;
	switch (action) {
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_TRACE:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW: return 0;
	default: return -EOPNOTSUPP;
	}
}

/* seccomp(2). ctx: thread; sleeps */
long sys_seccomp(u64 op, u64 flags, u64 uargs)
{
	switch ((u32)op) {
	case SECCOMP_SET_MODE_STRICT: return (u32)flags || uargs ? -EINVAL : sys_seccomp_strict();
	case SECCOMP_SET_MODE_FILTER: return sys_seccomp_filter((u32)flags, uargs);
	case SECCOMP_GET_ACTION_AVAIL: return (u32)flags ? -EINVAL : action_avail(uargs);
	default: return -EINVAL;
	}
}
