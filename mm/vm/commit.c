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
#include <arch/cpu.h>
#include "mm/vm/vm_internal.h"

int vm_overcommit_mode;
int vm_overcommit_ratio = 50;

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

	pmm_get_stats(&s);
	return s.total * (u64)vm_overcommit_ratio / 100;
}

static bool commit_allowed(u64 pages)
{
	struct pmm_stats s;

	if (vm_overcommit_mode == 1)
		return true;
	if (vm_overcommit_mode == 2)
		return vm_committed_pages() + pages <= vm_commit_limit_pages();
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
