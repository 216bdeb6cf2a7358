/*
 * Checks of slab objects in debug builds (KASAN=1 has its own: kasan_mm.c).
 *
 * A cell is a head (struct slab_debug_head), the object, and a red zone from the byte behind the
 * size asked for to the end of the cell. Free objects are poisoned. State word, poison and red zone
 * are verified at both ends of an object's life. All of it needs no lock: a cell is owned by one
 * party at a time.
 */
#include "kernel/base/log.h"
#include "kernel/lib/string.h"
#include "mm/slab_internal.h"

#define CELL_ALLOCATED 0x616c6c6f63617465ull
#define CELL_FREE 0x667265656672656bull
#define OBJECT_POISON 0x6b
#define OBJECT_FRESH 0x5a
#define RED_ZONE 0xbb

struct slab_debug_head {
	void *link; /* free list, while free */
	u64 state; /* CELL_* */
	const void *who; /* return address of the last allocation or free */
	u64 size; /* bytes asked for: the red zone begins behind them */
};
_Static_assert(sizeof(struct slab_debug_head) <= SLAB_DEBUG_HEAD, "slab_internal.h");

static void __noreturn __cold cell_bad(const char *cache, const char *what, void *obj,
				       const struct slab_debug_head *h, const void *who)
{
	struct symbol sym;
	const char *last = symbol_lookup((vaddr_t)h->who, &sym);

	panic("%s: %s, object %p of %llu bytes, last used by %s, now %p", cache, what, obj,
	      (unsigned long long)h->size, last ? last : "?", who);
}

/* See slab_internal.h. */
void slab_debug_fresh(const struct kmem_cache *c, void *cell)
{
	struct slab_debug_head *h = cell;

	h->state = CELL_FREE;
	h->who = NULL;
	h->size = 0;
	memset((char *)cell + c->head, OBJECT_POISON, c->cell - c->head);
}

/* See slab_internal.h. Panics when the cell was written while free. */
void slab_debug_alloc(const struct kmem_cache *c, void *cell, size_t size, const void *who)
{
	struct slab_debug_head *h = cell;
	u8 *obj = (u8 *)cell + c->head;

	if (h->state != CELL_FREE)
		cell_bad(c->name, "free list corrupt", obj, h, who);
	for (u32 i = 0; i < c->cell - c->head; i++)
		if (obj[i] != OBJECT_POISON)
			cell_bad(c->name, "written after free", obj, h, who);
	h->state = CELL_ALLOCATED;
	h->who = who;
	h->size = size;
	memset(obj, OBJECT_FRESH, size);
	memset(obj + size, RED_ZONE, c->cell - c->head - size);
}

/* See slab_internal.h. Panics on a double free and on a write past the object's end. */
void *slab_debug_free(const struct kmem_cache *c, void *obj_, const void *who)
{
	u8 *obj = obj_;
	struct slab_debug_head *h = (struct slab_debug_head *)(obj - c->head);

	if (h->state == CELL_FREE)
		cell_bad(c->name, "double free", obj, h, who);
	if (h->state != CELL_ALLOCATED)
		cell_bad(c->name, "bad free or write before the object", obj, h, who);
	for (u64 i = h->size; i < c->cell - c->head; i++)
		if (obj[i] != RED_ZONE)
			cell_bad(c->name, "written past its end", obj, h, who);
	h->state = CELL_FREE;
	h->who = who;
	memset(obj, OBJECT_POISON, c->cell - c->head);
	return h;
}
