/*
 * Overcommit: how much memory user space was promised beyond what it has touched
 * (vm.overcommit_memory of proc(5)). Pages of private writable mappings and of shared anonymous
 * objects count as committed from the mapping on. Mode 0 refuses only a single request that memory
 * could never hold, mode 1 refuses nothing, mode 2 keeps the sum below a share of memory.
 *
 * The sum is one counter per CPU (mmap writes its own only); modes 0 and 1 never read it. In mode 2
 * the check and the charge are not one step, so that racing requests may pass the limit by what
 * they ask for together: the limit is a share of memory, with the rest as slack.
 */
#include <linux/capability.h>
#include <arch/cpu.h>
#include "kernel/base/cred.h"
#include "kernel/sched/thread.h"
#include "mm/vm/vm_internal.h"

#define KB_PAGES(kb) ((u64)(kb) / (PAGE_SIZE / 1024))

int vm_overcommit_mode;
int vm_overcommit_ratio = 50;
int vm_overcommit_kbytes;
int vm_admin_reserve_kbytes = 8192;
int vm_user_reserve_kbytes = 131072;

static PERCPU(s64, committed);

/* Pages promised at the moment, over all address spaces. ctx: any */
u64 vm_committed_pages(void)
{
	return PERCPU_SUM(committed);
}

/* The sum that mode 2 allows ("CommitLimit"). ctx: any */
u64 vm_commit_limit_pages(void)
{
	struct pmm_stats s;

	if (vm_overcommit_kbytes)
		return KB_PAGES(vm_overcommit_kbytes);
	pmm_get_stats(&s);
	return s.total * (u64)vm_overcommit_ratio / 100;
}

/*
 * Mode 2: something is left for an administrator to log in with, and a process cannot grow so large
 * that its user has nothing left to end it with.
 */
static u64 commit_left(void)
{
	u64 limit = vm_commit_limit_pages(), kept = vm_committed_pages();

	if (!cred_capable(current->cred, CAP_SYS_ADMIN))
		kept += KB_PAGES(vm_admin_reserve_kbytes);
	if (current->vm)
		kept += MIN(READ_ONCE(current->vm->total_pages) / 32,
			    KB_PAGES(vm_user_reserve_kbytes));
	return limit > kept ? limit - kept : 0;
}

/* How many pages more may be promised: a limit in mode 2 only. ctx: thread; sleeps: no */
u64 vm_commit_room(void)
{
	return READ_ONCE(vm_overcommit_mode) == 2 ? commit_left() : ~0ull;
}

static bool commit_allowed(u64 pages)
{
	struct pmm_stats s;

	if (vm_overcommit_mode == 1)
		return true;
	if (vm_overcommit_mode == 2)
		return pages <= commit_left();
	/* Small requests cannot be absurd; spare them the sum over the CPUs' free lists. */
	if (pages <= PAGES(MIB(4)))
		return true;
	pmm_get_stats(&s);
	return pages <= s.total;
}

/* Promise @pages. ctx: thread; sleeps: no. 0 or -ENOMEM. */
int vm_commit(u64 pages)
{
	if (!commit_allowed(pages))
		return -ENOMEM;
	PERCPU_ADD(committed, (s64)pages);
	return 0;
}

/* Take a promise back. ctx: any */
void vm_uncommit(u64 pages)
{
	PERCPU_ADD(committed, -(s64)pages);
}
