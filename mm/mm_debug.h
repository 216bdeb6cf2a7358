#pragma once
/*
 * Checks of the memory allocators: fault injection (all builds), and what only debug builds do:
 * poison, red zones, double-free detection. In release builds the hooks below are empty and
 * mm_debug.o's checks are dropped by the linker.
 */
#include <arch/thread.h>
#include "kernel/base/irq.h"
#include "kernel/base/panic.h"
#include "mm/pmm.h"

/* Let @after allocations pass, then fail @count. a atomic */
struct mm_fail {
	u64 after; /* a */
	u64 count; /* a */
	bool armed; /* a: read on every allocation */
};
void mm_fail_set(struct mm_fail *f, u64 after, u64 count);
/* Only called while @f is armed. True: this allocation fails. ctx: any */
bool mm_fail_hit(struct mm_fail *f);

/* Bytes that a debug cell has in front of the object, and its layout. */
#define SLAB_DEBUG_HEAD 32

struct slab_debug_head {
	void *link; /* free list, while free */
	u64 state; /* SLAB_DEBUG_ALLOCATED or _FREE */
	const void *who; /* return address of the last allocation or free */
	u64 size; /* bytes asked for: the red zone begins behind them */
};

void mm_debug_poison_frames(struct page *p, u32 order);
void mm_debug_check_frames(struct page *p, u32 order);
void slab_debug_fresh(void *cell, u32 head, u32 cell_size);
void slab_debug_alloc(const char *cache, void *cell, u32 head, u32 cell_size, size_t size,
		      const void *who);
void slab_debug_free(const char *cache, void *cell, u32 head, u32 cell_size, const void *who);

#ifdef CONFIG_DEBUG
#define MM_DEBUG true
#define MM_CALLER __builtin_return_address(0) /* who allocates or frees, for the debug head */
#else
#define MM_DEBUG false
#define MM_CALLER NULL
#endif

/* An allocation that may wait must not be made where waiting is impossible. */
static inline void mm_assert_may_wait(u32 flags)
{
	if (MM_DEBUG && !(flags & PMM_NOWAIT) &&
	    (arch_current()->preempt_count || irq_in_handler()))
		panic("sleeping allocation with preemption off");
}
