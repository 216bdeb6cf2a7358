/*
 * What the allocators check about their users.
 *
 * Fault injection counts allocations down and then fails some, so that tests reach every unwinding
 * path.
 *
 * Debug builds fill a freed frame with a pattern and note it in page->owner; the next allocation of
 * the frame verifies it, so a write after free is found, with the frame, at the latest then. Frames
 * that were never allocated carry no note and are not checked.
 * Objects are slab_debug.c's.
 */
#include "mm/mm_debug.h"

#define FRAME_POISON 0x6b6b6b6b6b6b6b6bull
#define FRAME_NOTE 0x706f69736f6e6564ull

/*
 * Arm @f, or disarm it with @count 0.
 * ctx: any
 */
void mm_fail_set(struct mm_fail *f, u64 after, u64 count)
{
	__atomic_store_n(&f->armed, false, __ATOMIC_RELEASE);
	__atomic_store_n(&f->after, after, __ATOMIC_RELAXED);
	__atomic_store_n(&f->count, count, __ATOMIC_RELAXED);
	__atomic_store_n(&f->armed, count != 0, __ATOMIC_RELEASE);
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
bool mm_fail_hit(struct mm_fail *f)
{
	if (count_down(&f->after))
		return false;
	if (count_down(&f->count))
		return true;
	__atomic_store_n(&f->armed, false, __ATOMIC_RELEASE);
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
