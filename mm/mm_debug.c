/*
 * What the allocators check about their users.
 *
 * Fault injection counts allocations down and then fails some, so that tests reach every unwinding
 * path: those of everybody (mm_fail_set), or of one thread (mm_fail_nth_set, /proc/PID/fail-nth).
 *
 * Debug builds fill a freed frame with a pattern and note it in page->owner; the next allocation of
 * the frame verifies it, so a write after free is found, with the frame, at the latest then. Frames
 * that were never allocated carry no note and are not checked.
 * Objects are slab_debug.c's.
 */
#include "mm/mm_debug.h"

#define FRAME_POISON 0x6b6b6b6b6b6b6b6bull
#define FRAME_NOTE 0x706f69736f6e6564ull

static u32 nth_threads; /* a: threads that have fail_nth set */

/*
 * Arm @f, or disarm it with @count 0.
 * ctx: any
 */
void mm_fail_set(struct mm_fail *f, u64 after, u64 count)
{
	__atomic_store_n(&f->armed, false, __ATOMIC_RELEASE);
	__atomic_store_n(&f->after, after, __ATOMIC_RELAXED);
	__atomic_store_n(&f->count, count, __ATOMIC_RELAXED);
	__atomic_store_n(&f->armed, count || __atomic_load_n(&nth_threads, __ATOMIC_RELAXED),
			 __ATOMIC_RELEASE);
}

static bool count_down(u64 *n)
{
	u64 v = __atomic_load_n(n, __ATOMIC_RELAXED);

	while (v)
		if (__atomic_compare_exchange_n(n, &v, v - 1, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED))
			return true;
	return false;
}

/*
 * Count one allocation; true when it must fail. The last failure disarms.
 * ctx: any
 */
bool mm_fail_hit(struct mm_fail *f, u32 flags)
{
	if (mm_fail_nth_hit(flags))
		return true;
	if (count_down(&f->after))
		return false;
	if (count_down(&f->count))
		return true;
	if (!__atomic_load_n(&nth_threads, __ATOMIC_RELAXED))
		__atomic_store_n(&f->armed, false, __ATOMIC_RELEASE);
	return false;
}

/*
 * See mm_debug.h. The allocators' hot paths look at their own switch only, so those are set as long
 * as any thread counts.
 * ctx: any
 */
void mm_fail_nth_set(struct arch_thread *t, u32 nth)
{
	u32 old = __atomic_exchange_n(&t->fail_nth, nth, __ATOMIC_ACQ_REL);

	if (!old == !nth)
		return;
	if (!nth) {
		__atomic_fetch_sub(&nth_threads, 1, __ATOMIC_RELAXED);
		return;
	}
	__atomic_fetch_add(&nth_threads, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&pmm_fail.armed, true, __ATOMIC_RELEASE);
	__atomic_store_n(&slab_fail.armed, true, __ATOMIC_RELEASE);
}

/*
 * See mm_debug.h. ctx: any
 */
u32 mm_fail_nth_get(const struct arch_thread *t)
{
	return __atomic_load_n(&t->fail_nth, __ATOMIC_ACQUIRE);
}

/*
 * See mm_debug.h. ctx: any
 */
bool mm_fail_nth_hit(u32 flags)
{
	struct arch_thread *t = arch_current();
	u32 n = __atomic_load_n(&t->fail_nth, __ATOMIC_RELAXED);

	if (likely(!n) || (flags & PMM_RESERVE) || t->reclaiming || irq_in_handler())
		return false;
	if (n == 1) {
		mm_fail_nth_set(t, 0);
		return true;
	}
	/* Should somebody set it at this moment, that counts. */
	__atomic_compare_exchange_n(&t->fail_nth, &n, n - 1, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	return false;
}

/*
 * Fill a block that is being freed.
 * ctx: any
 */
void mm_debug_poison_frames(struct page *p, u32 order)
{
	for (u64 i = 0; i < 1ull << order; i++) {
		u64 *w = page_to_va(p + i);

		for (u32 j = 0; j < PAGE_SIZE / 8; j++)
			w[j] = FRAME_POISON;
		p[i].owner = FRAME_NOTE;
	}
}

/*
 * Verify and un-note a block that is being allocated. Panics on a write after free.
 * ctx: any
 */
void mm_debug_check_frames(struct page *p, u32 order)
{
	for (u64 i = 0; i < 1ull << order; i++) {
		const u64 *w = page_to_va(p + i);

		if (p[i].owner != FRAME_NOTE)
			continue;
		p[i].owner = 0;
		for (u32 j = 0; j < PAGE_SIZE / 8; j++)
			if (w[j] != FRAME_POISON)
				panic("free frame %llx was written at offset %u: %llx",
				      (unsigned long long)page_to_pa(p + i), j * 8,
				      (unsigned long long)w[j]);
	}
}
