/*
 * Memory failures as processes meet them: madvise(2) with MADV_HWPOISON and MADV_SOFT_OFFLINE.
 *
 * mm/vm takes the frame out of use (mm/vm/poison.c). Who touches what was lost gets a SIGBUS with
 * BUS_MCEERR_AR from the trap. A process that wants to know at once, by prctl(PR_MCE_KILL) or the
 * setting for all, gets one with BUS_MCEERR_AO. man: madvise(2), prctl(2), proc(5).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/prctl.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include "fs/procfs.h"
#include "kernel/base/panic.h"
#include "kernel/proc/proc.h"
#include "kernel/proc/signal.h"
#include "mm/vm/vmspace.h"

static int early_kill, recovery = 1;

SYSCTL_INT(memory_failure_early, "sys/vm/memory_failure_early_kill", &early_kill, 0, 1);
SYSCTL_INT(memory_failure_recovery, "sys/vm/memory_failure_recovery", &recovery, 0, 1);

/*
 * The siginfo of lost memory at @addr. ctx: any
 */
void memfail_siginfo(struct ksiginfo *si, int code, u64 addr)
{
	siginfo_fill(si, SIGBUS, code);
	si->si_addr = (void *)addr;
	si->si_addr_lsb = PAGE_SHIFT;
}

static bool wants_early(const struct task *t)
{
	u8 policy = READ_ONCE(t->mce_kill);

	return policy ? policy == PR_MCE_KILL_EARLY + 1 : early_kill;
}

/* Tell the first thread of @p that wants to know, when something of its memory was lost. */
static void memfail_tell(struct proc *p)
{
	struct task *t, *next;

	for (t = task_next(p, 1); t; t = next) {
		struct vmspace *vm = task_get_vm(t);
		u64 addr = vm ? READ_ONCE(vm->poisoned) : 0;
		u32 after = t->tid->nr + 1;
		struct ksiginfo si;

		if (vm)
			vmspace_put(vm);
		if (addr && wants_early(t)) {
			memfail_siginfo(&si, BUS_MCEERR_AO, addr);
			(void)signal_send_task(t, SIGBUS, &si);
			addr = 0;
		}
		next = addr ? task_next(p, after) : NULL;
		task_put(t);
	}
}

static void memfail_forget(struct vmspace *vm, void *arg)
{
	WRITE_ONCE(vm->poisoned, 0);
}

static void memfail_tell_all(void)
{
	for (struct proc *p = proc_next(1); p;) {
		u32 next = p->pid->nr + 1;

		memfail_tell(p);
		proc_put(p);
		p = proc_next(next);
	}
	vm_for_each(memfail_forget, NULL);
}

/*
 * madvise(2) with MADV_HWPOISON, or with @soft MADV_SOFT_OFFLINE, about current's memory.
 * ctx: thread; sleeps. 0, -EINVAL, -EPERM, -EFAULT (not mapped, or lost already), -EBUSY, -ENOMEM.
 */
int memfail_inject(u64 addr, u64 len, bool soft)
{
	u64 end = addr + ALIGN_UP(len, (u64)PAGE_SIZE);
	int err = 0;

	if ((addr & PAGE_MASK) || end - addr < len || end < addr)
		return -EINVAL;
	if (end > addr && !cred_capable(current->cred, CAP_SYS_ADMIN))
		return -EPERM;
	for (; addr < end && !err; addr += PAGE_SIZE) {
		if (!soft && !recovery)
			panic("memory failure");
		err = vm_retire(current->vm, addr, soft);
		if (!soft && !err)
			memfail_tell_all();
	}
	return err;
}
