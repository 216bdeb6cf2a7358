/*
 * The address sanitizer's part in the allocators (KASAN=1 builds; kernel/base/kasan.c has the
 * shadow).
 *
 * Frames are poisoned while they are free. A slab cell is a head (struct kasan_head), the object
 * and a red zone of at least 16 bytes; head and red zone are poisoned always, but for the first
 * word, which the free lists use. The head says how many bytes were asked for and who allocated and
 * freed the object; a table has the same for each frame.
 *
 * An object that is freed does not go back to its cache at once: it waits, poisoned, at the end of
 * a queue of freed objects of all caches, until as much memory as the limit allows has been freed
 * after it. So a use after free meets poison and not the next owner. Memory pressure empties the
 * queue (slab_reap).
 *
 * Not instrumented, for it looks at poisoned memory. Locking: kept_lock (rank KASAN) guards the
 * queue; a cell's head belongs to who owns the cell.
 */
#include "kernel/base/kasan.h"
#include "kernel/lib/string.h"
#include "mm/pmm_internal.h"
#include "mm/slab_internal.h"

#define KEPT_PART 32 /* of memory: limit of the queue */
#define OBJECT_FRESH 0x5a
#define OBJECT_FREED 0x6b

enum cell_state { CELL_UNUSED, CELL_ALLOCATED = 0x616c6c6f, CELL_KEPT = 0x6b657074, CELL_FREE };

/* w owned by who owns the cell, q guarded by kept_lock */
struct kasan_head {
	void *link; /* w: free list, while free: the one word that is not poisoned */
	struct kasan_head *next; /* q: in the queue */
	u64 size; /* w: bytes asked for */
	u32 state; /* w: enum cell_state */
	struct kasan_track alloc, free; /* w */
};
_Static_assert(sizeof(struct kasan_head) <= SLAB_DEBUG_HEAD, "slab_internal.h");

struct frame_tracks {
	struct kasan_track alloc, free; /* of the frame; the owner of the frame writes them */
};

static struct spinlock kept_lock = SPINLOCK_INIT(RANK_KASAN);
static struct kasan_head *kept_first, *kept_last; /* kept_lock */
static u64 kept_bytes; /* kept_lock */
static u64 kept_count[SLAB_CACHES_MAX]; /* kept_lock; a for reading: by cache */
static bool kept_leaving; /* kept_lock: somebody gives cells back to their caches */
static struct frame_tracks *frame_tracks; /* I: by frame */

/* --- frames --- */

/* See mm_debug.h. */
void kasan_frames_init(void)
{
	frame_tracks = pmm_early_alloc((pmm_end_pfn - pmm_base_pfn) * sizeof(*frame_tracks));
}

/* See mm_debug.h. */
void kasan_frames_insert(u64 pfn, u64 end)
{
	kasan_poison(pa_to_va(pfn << PAGE_SHIFT), (end - pfn) << PAGE_SHIFT, KASAN_PAGE_FREE);
}

/* See mm_debug.h. */
void kasan_frames_alloc(struct page *p, u32 order)
{
	struct frame_tracks *t = &frame_tracks[p - pmm_pages];
	struct kasan_track here;

	kasan_track_set(&here);
	for (u32 i = 0; i < 1u << order; i++) {
		t[i].alloc = here;
		t[i].free.count = 0;
	}
	kasan_unpoison(page_to_va(p), (size_t)PAGE_SIZE << order);
}

/* See mm_debug.h. */
void kasan_frames_free(struct page *p, u32 order)
{
	struct frame_tracks *t = &frame_tracks[p - pmm_pages];
	struct kasan_track here;

	kasan_track_set(&here);
	for (u32 i = 0; i < 1u << order; i++)
		t[i].free = here;
	kasan_poison(page_to_va(p), (size_t)PAGE_SIZE << order, KASAN_PAGE_FREE);
}

/* --- objects --- */

/* See slab_internal.h. */
void slab_debug_fresh(const struct kmem_cache *c, void *cell)
{
	struct kasan_head *h = cell;

	kasan_unpoison(&h->link, sizeof(h->link));
	h->state = CELL_FREE;
	h->size = c->size;
	h->alloc.count = 0;
	h->free.count = 0;
}

/* See slab_internal.h. */
void slab_debug_alloc(const struct kmem_cache *c, void *cell, size_t size, const void *who)
{
	struct kasan_head *h = cell;
	char *obj = (char *)cell + c->head;
	u64 used = ALIGN_UP(size, (size_t)8);

	h->state = CELL_ALLOCATED;
	h->size = size;
	h->free.count = 0;
	kasan_track_set(&h->alloc);
	kasan_poison(obj + used, c->cell - c->head - used, KASAN_SLAB_REDZONE);
	kasan_unpoison(obj, size);
	memset(obj, OBJECT_FRESH, size);
}

/* Take the oldest cell out of the queue; NULL: it is empty. holds: kept_lock */
static struct kasan_head *kept_take(void)
{
	struct kasan_head *h = kept_first;
	struct kmem_cache *c;

	if (!h)
		return NULL;
	c = (struct kmem_cache *)va_to_page(h)->owner;
	kept_first = h->next;
	kept_bytes -= c->cell;
	kept_count[c - slab_caches]--;
	h->state = CELL_FREE;
	return h;
}

/*
 * Give cells back to their caches until at most @limit bytes wait. Giving back may free further
 * objects, which then only join the queue.
 */
static void kept_trim(u64 limit)
{
	struct kasan_head *h;
	u64 irq = spin_lock_irqsave(&kept_lock);

	if (!kept_leaving) {
		kept_leaving = true;
		while (kept_bytes > limit && (h = kept_take()) != NULL) {
			spin_unlock_irqrestore(&kept_lock, irq);
			slab_cell_free((struct kmem_cache *)va_to_page(h)->owner, h);
			irq = spin_lock_irqsave(&kept_lock);
		}
		kept_leaving = false;
	}
	spin_unlock_irqrestore(&kept_lock, irq);
}

static void kept_add(const struct kmem_cache *c, struct kasan_head *h)
{
	u64 limit = pmm_state.ram * PAGE_SIZE / KEPT_PART;
	u64 irq = spin_lock_irqsave(&kept_lock);
	bool full;

	h->next = NULL;
	if (kept_first)
		kept_last->next = h;
	else
		kept_first = h;
	kept_last = h;
	kept_bytes += c->cell;
	kept_count[c - slab_caches]++;
	full = kept_bytes > limit;
	spin_unlock_irqrestore(&kept_lock, irq);
	if (full)
		kept_trim(limit);
}

/* See slab_internal.h. */
void *slab_debug_free(const struct kmem_cache *c, void *obj, const void *who)
{
	struct kasan_head *h = (struct kasan_head *)((char *)obj - c->head);
	const struct kmem_slab *s = va_to_page(obj)->slab;
	u64 off = (u64)((char *)h - s->base);

	if ((char *)h < s->base || off % c->cell || off / c->cell >= s->total ||
	    (h->state != CELL_ALLOCATED && h->state != CELL_KEPT && h->state != CELL_FREE)) {
		kasan_report_free(obj, "invalid-free", who);
		return NULL;
	}
	/* Of two threads that free it at once, one is late. */
	if (__atomic_exchange_n(&h->state, CELL_KEPT, __ATOMIC_ACQ_REL) != CELL_ALLOCATED) {
		kasan_report_free(obj, "double-free", who);
		return NULL;
	}
	kasan_track_set(&h->free);
	memset(obj, OBJECT_FREED, h->size);
	kasan_poison(obj, ALIGN_UP(h->size, 8ull), KASAN_SLAB_FREE);
	kept_add(c, h);
	return NULL;
}

/* See slab_internal.h. */
u64 kasan_kept(const struct kmem_cache *c)
{
	return READ_ONCE(kept_count[c - slab_caches]);
}

/* See slab_internal.h. */
void kasan_kept_drain(void)
{
	kept_trim(0);
}

/* --- what is at an address --- */

/* The cell that @addr has most to do with: its own, or the one before when that ended nearer. */
static const struct kasan_head *cell_near(const struct kmem_slab *s, vaddr_t addr)
{
	const struct kmem_cache *c = s->cache;
	u64 i = MIN((addr - (vaddr_t)s->base) / c->cell, (u64)s->total - 1);
	vaddr_t cell = (vaddr_t)s->base + i * c->cell;
	const struct kasan_head *before = (const struct kasan_head *)(cell - c->cell);

	if (addr < cell + c->head && i > 0 && before->state >= CELL_ALLOCATED &&
	    addr - ((vaddr_t)before + c->head + before->size) < cell + c->head - addr)
		return before;
	return (const struct kasan_head *)cell;
}

static void object_find(const struct kmem_slab *s, vaddr_t addr, struct kasan_origin *o)
{
	const struct kasan_head *h = cell_near(s, addr);

	o->what = "object of ";
	o->name = s->cache->name;
	o->start = (vaddr_t)h + s->cache->head;
	o->size = h->size;
	o->alloc = h->alloc;
	o->free = h->free;
}

/* Head of the allocated block that frame @p belongs to. */
static const struct page *block_of(const struct page *p)
{
	u64 index = (u64)(p - pmm_pages);

	for (u32 order = 0; order <= PMM_MAX_ORDER; order++) {
		const struct page *head = &pmm_pages[index & ~((1ull << order) - 1)];

		if ((head->flags & PG_HEAD) && head->order >= order)
			return head;
	}
	return p;
}

/* See kernel/base/kasan.h. */
void kasan_origin_find(vaddr_t addr, struct kasan_origin *o)
{
	const struct page *p = NULL;

	if (pmm_pages && addr < VMALLOC_BASE && pa_is_ram(va_to_pa((void *)addr)))
		p = va_to_page((void *)addr);
	if (!p || !frame_tracks)
		return;
	if (p->type == PAGE_SLAB) {
		object_find(p->slab, addr, o);
		return;
	}
	o->alloc = frame_tracks[p - pmm_pages].alloc;
	o->free = frame_tracks[p - pmm_pages].free;
	p = block_of(p);
	o->what = "memory";
	o->name = "";
	o->start = (u64)page_to_va(p);
	o->size = (u64)PAGE_SIZE << p->order;
	if (p->kmalloc_size && p->kmalloc_size <= o->size && p->type == PAGE_NONE && p->order)
		o->size = p->kmalloc_size;
}
