#pragma once
/* Shared by pmm.c (allocation) and pmm_boot.c (where memory is). */
#include "kernel/base/spinlock.h"
#include "mm/pmm.h"

/* I immutable after pmm_init, p guarded by .lock (PMM), a atomic */
struct pmm_state {
	struct spinlock lock;
	u32 nonempty; /* p: bit n: free[n] has blocks */
	u64 nfree; /* p: frames on the lists; a for reading */
	u64 total; /* p: frames ever given to the allocator */
	u64 ram; /* I: frames of memory in the machine */
	u64 reserve; /* a: frames kept for allocations that may not wait */
	u32 cpu_max; /* I: frames a per-CPU list may hold */
	u32 cpu_batch; /* I: frames moved at a time */
	struct list free[PMM_MAX_ORDER + 1]; /* p: heads of free blocks */
	u64 blocks[PMM_MAX_ORDER + 1]; /* p: how many */
};
extern struct pmm_state pmm_state;

/* Give frames [@pfn, @end) to the allocator as the largest blocks possible. ctx: any */
void pmm_insert_range(u64 pfn, u64 end);
/* Empty lists and limits for @ram frames of memory. ctx: boot */
void pmm_state_init(u64 ram);
