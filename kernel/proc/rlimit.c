/*
 * Resource limits: getrlimit(2), setrlimit(2), prlimit64(2).
 *
 * Limits belong to the process, are copied by fork and kept by exec. Readers take single values
 * without a lock; changes are made under the siglock, so that two threads cannot tear a pair.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include "kernel/proc/internal.h"
#include "kernel/proc/rlimit.h"

/*
 * Soft limit of the current process. ctx: thread.
 */
u64 proc_rlimit(int which)
{
	struct proc *p = current->proc;

	return p ? READ_ONCE(p->rlim[which].rlim_cur) : RLIM64_INFINITY;
}

/*
 * What mm/vm has to hold the current process to. ctx: thread.
 */
void proc_vm_limits(struct vm_limits *out)
{
	out->as = proc_rlimit(RLIMIT_AS);
	out->data = proc_rlimit(RLIMIT_DATA);
	/* A soft limit of 0 is what Valgrind sets to have brk(2) refused, and no more than that. */
	if (!out->data && current->proc)
		out->data = READ_ONCE(current->proc->rlim[RLIMIT_DATA].rlim_max);
	out->stack = proc_rlimit(RLIMIT_STACK);
	out->memlock = proc_rlimit(RLIMIT_MEMLOCK);
	out->ipc_lock = cred_capable(current->cred, CAP_IPC_LOCK);
}

/* See proc.h. ctx: thread; sleeps */
long proc_fd_open(struct file *f, bool cloexec)
{
	int fd, err = fd_reserve(0, proc_rlimit(RLIMIT_NOFILE), cloexec, &fd);

	if (err) {
		file_put(f);
		return err;
	}
	fd_install(fd, f);
	return fd;
}

static int rlimit_check(const struct rlimit64 *cur, int which, const struct rlimit64 *new)
{
	if (new->rlim_cur > new->rlim_max)
		return -EINVAL;
	if (which == RLIMIT_NOFILE && new->rlim_max > (u64)READ_ONCE(fd_nr_open))
		return -EPERM;
	if (new->rlim_max > cur->rlim_max && !cred_capable(current->cred, CAP_SYS_RESOURCE))
		return -EPERM;
	return 0;
}

/*
 * Exchange a limit of @p; @new and @old may be NULL. ctx: thread. 0, -EINVAL, -EPERM.
 */
int proc_rlimit_exchange(struct proc *p, int which, const struct rlimit64 *new,
			 struct rlimit64 *old)
{
	struct rlimit64 was;
	int err = 0;
	u64 f;

	if (which < 0 || which >= RLIM_NLIMITS)
		return -EINVAL;
	f = spin_lock_irqsave(&p->siglock);
	was = p->rlim[which];
	if (new)
		err = rlimit_check(&was, which, new);
	if (new && !err)
		p->rlim[which] = *new;
	spin_unlock_irqrestore(&p->siglock, f);
	if (err)
		return err;
	if (new && (which == RLIMIT_CPU || which == RLIMIT_RTTIME))
		cpu_limit_changed(p);
	if (old)
		*old = was;
	return 0;
}
