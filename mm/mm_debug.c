/*
 * What the allocators check about their users.
 *
 * Fault injection counts allocations down and then fails some, so that tests reach every unwinding
 * path.
 *
 * Debug builds fill a freed frame with a pattern and note it in page->owner; the next allocation of
 * the frame verifies it, so a write after free is found, with the frame, at the latest then. Frames
 * that were never allocated carry no note and are not checked.
 *
 * A debug slab cell is a head (struct slab_debug_head), the object, and a red zone from the byte
 * behind the size asked for to the end of the cell. Free objects are poisoned. State word, poison
 * and red zone are verified at both ends of an object's life. All of it needs no lock: a cell is
 * owned by one party at a time.
 */
#include "mm/mm_debug.h"
#include "kernel/base/log.h"
#include "kernel/lib/string.h"

#define FRAME_POISON 0x6b6b6b6b6b6b6b6bull
#define FRAME_NOTE 0x706f69736f6e6564ull
#define CELL_ALLOCATED 0x616c6c6f63617465ull
#define CELL_FREE 0x667265656672656bull
#define OBJECT_POISON 0x6b
#define OBJECT_FRESH 0x5a
#define RED_ZONE 0xbb

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

static void __noreturn __cold cell_bad(const char *cache, const char *what, void *obj,
				       const struct slab_debug_head *h, const void *who)
{
	u64 off;
	const char *last = symbol_lookup((vaddr_t)h->who, &off);

	panic("%s: %s, object %p of %llu bytes, last used by %s, now %p", cache, what, obj,
	      (unsigned long long)h->size, last ? last : "?", who);
}

/*
 * Make the head of a cell that was never used.
 * ctx: any
 */
void slab_debug_fresh(void *cell, u32 head, u32 cell_size)
{
	struct slab_debug_head *h = cell;

	h->state = CELL_FREE;
	h->who = NULL;
	h->size = 0;
	memset((char *)cell + head, OBJECT_POISON, cell_size - head);
}

/*
 * A free cell becomes an object of @size bytes. Panics when it was written while free.
 * ctx: any
 */
void slab_debug_alloc(const char *cache, void *cell, u32 head, u32 cell_size, size_t size,
		      const void *who)
{
	struct slab_debug_head *h = cell;
	u8 *obj = (u8 *)cell + head;

	if (h->state != CELL_FREE)
		cell_bad(cache, "free list corrupt", obj, h, who);
	for (u32 i = 0; i < cell_size - head; i++)
		if (obj[i] != OBJECT_POISON)
			cell_bad(cache, "written after free", obj, h, who);
	h->state = CELL_ALLOCATED;
	h->who = who;
	h->size = size;
	memset(obj, OBJECT_FRESH, size);
	memset(obj + size, RED_ZONE, cell_size - head - size);
}

/*
 * An object becomes a free cell. Panics on a double free and on a write past its end.
 * ctx: any
 */
void slab_debug_free(const char *cache, void *cell, u32 head, u32 cell_size, const void *who)
{
	struct slab_debug_head *h = cell;
	u8 *obj = (u8 *)cell + head;

	if (h->state == CELL_FREE)
		cell_bad(cache, "double free", obj, h, who);
	if (h->state != CELL_ALLOCATED)
		cell_bad(cache, "bad free or write before the object", obj, h, who);
	for (u64 i = h->size; i < cell_size - head; i++)
		if (obj[i] != RED_ZONE)
			cell_bad(cache, "written past its end", obj, h, who);
	h->state = CELL_FREE;
	h->who = who;
	memset(obj, OBJECT_POISON, cell_size - head);
}
