#pragma once
/*
 * Checks of the memory allocators: fault injection (all builds), and what only debug builds do:
 * poison, red zones, double-free detection. In release builds the hooks below are empty and
 * the checks of mm_debug.o and slab_debug.o are dropped by the linker.
 */
#include <arch/thread.h>
#include "kernel/base/irq.h"
#include "kernel/base/kasan.h"
#include "kernel/base/panic.h"
#include "mm/pmm.h"

/* Let @after allocations pass, then fail @count. a atomic */
struct mm_fail {
	u64 after; /* a */
	u64 count; /* a */
	bool armed; /* a: read on every allocation */
};
extern struct mm_fail pmm_fail, slab_fail;
void mm_fail_set(struct mm_fail *f, u64 after, u64 count);
/* Only called while @f is armed. True: this allocation, with PMM_* @flags, fails. ctx: any */
bool mm_fail_hit(struct mm_fail *f, u32 flags);

/*
 * The @nth allocation that thread @t makes from now on fails, once (0: none does). Allocations of
 * interrupts, of memory shrinkers and those that may use the reserve are not counted. ctx: any
 */
void mm_fail_nth_set(struct arch_thread *t, u32 nth);
/* How many are left until then; 0: it has failed. ctx: any */
u32 mm_fail_nth_get(const struct arch_thread *t);
/* True: this allocation of the current thread, with PMM_* @flags, fails. ctx: any */
bool mm_fail_nth_hit(u32 flags);

void mm_debug_poison_frames(struct page *p, u32 order);
void mm_debug_check_frames(struct page *p, u32 order);

/* The address sanitizer's view of frames (kasan_mm.c). ctx: any */
#ifdef CONFIG_KASAN
void kasan_frames_init(void); /* ctx: boot, the page array exists */
void kasan_frames_insert(u64 pfn, u64 end); /* they are free from now on */
void kasan_frames_alloc(struct page *p, u32 order);
void kasan_frames_free(struct page *p, u32 order);
#else
static inline void kasan_frames_init(void)
{
}
static inline void kasan_frames_insert(u64 pfn, u64 end)
{
}
static inline void kasan_frames_alloc(struct page *p, u32 order)
{
}
static inline void kasan_frames_free(struct page *p, u32 order)
{
}
#endif

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
