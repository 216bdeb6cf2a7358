/*
 * process_mrelease(2): take back the memory of a process that is being killed, without waiting
 * until it has got so far itself.
 *
 * It may be stuck in a call, or stand behind others for a CPU; whoever killed it to get memory
 * wants that now. Nobody may miss the pages: so the process, and every other that shares its
 * address space, must be on its way out for certain, and not be dumping core. Taken are private
 * pages that are not locked, as the OOM killer of Linux does it; the rest goes at the exit.
 *
 * man: process_mrelease(2).
 */
#include "kernel/sys/abi.h"
#include "mm/vm/vmspace.h"

/* Is @p certain to end without looking at its memory again? */
static bool is_doomed(struct proc *p)
{
	u64 f = spin_lock_irqsave(&p->siglock);
	bool yes = !p->core && (p->group_exit || !p->nlive);

	spin_unlock_irqrestore(&p->siglock, f);
	return yes;
}

/* Are all processes that use @vm? */
static bool all_doomed(struct vmspace *vm)
{
	bool yes = true;
	struct proc *p;
	u32 from = 1;

	while (yes && (p = proc_next(from)) != NULL) {
		struct task *t = proc_get_leader(p);

		from = p->pid->nr + 1;
		/* Only compared: who comes to share it now is a child of one that is not doomed. */
		if (t && READ_ONCE(t->thread.vm) == vm)
			yes = is_doomed(p);
		if (t)
			task_put(t);
		proc_put(p);
	}
	return yes;
}

/* process_mrelease(2). ctx: thread; sleeps */
long sys_process_mrelease(u64 pidfd, u64 flags)
{
	struct vmspace *vm = NULL;
	struct task *t;
	struct proc *p;
	int err;

	if ((u32)flags)
		return -EINVAL;
	err = pidfd_get_proc((int)pidfd, &p);
	if (err)
		return err;
	t = proc_get_leader(p);
	if (t) {
		vm = task_get_vm(t);
		task_put(t);
	}
	if (!vm)
		err = -ESRCH;
	else if (!is_doomed(p) || !all_doomed(vm))
		err = -EINVAL;
	else
		vm_reap(vm);
	if (vm)
		vmspace_put(vm);
	proc_put(p);
	return err;
}
