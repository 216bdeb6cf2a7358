#pragma once
/*
 * Page frames: a buddy allocator over all memory with per-CPU lists of single frames, and one
 * 32-byte struct page per frame. A zero-filled struct page is a frame inside a free or allocated
 * block (not its head), so boot touches only block heads.
 */
#include <arch/memlayout.h>
#include <arch/atomic.h>
#include "kernel/lib/list.h"

struct pagecache;
struct kmem_slab;

enum page_type {
	PAGE_NONE, /* tail, or allocated without a special owner */
	PAGE_FREE, /* head of a free buddy block */
	PAGE_ANON, /* anonymous user memory */
	PAGE_CACHE, /* in a page cache */
	PAGE_TABLE, /* page table */
	PAGE_SLAB, /* slab head or tail */
	PAGE_RESERVED, /* firmware, kernel image, page array */
};

/* Flags (a). */
#define PG_DIRTY 0x01u /* cache page: newer than backing store */
#define PG_UPTODATE 0x02u /* contents valid */
#define PG_LOCKED 0x04u /* under I/O or being filled; waiters on the page wait table */
#define PG_WRITEBACK 0x08u
#define PG_REFERENCED 0x10u /* for the reclaim clock */
#define PG_EXEC 0x20u /* instruction cache is in step */
#define PG_ERROR 0x40u
#define PG_HWPOISON 0x200u /* out of use for good: mm/vm/poison.c */
#define PG_READAHEAD 0x100u /* cache page: a reader that comes here wants more soon */
#define PG_HEAD 0x80u /* head of an allocated block of order > 0 */

/*
 * a atomic, b guarded by PMM, c guarded by the cache's PAGECACHE lock, w owned by whoever allocated
 * it
 */
struct page {
	u32 refs; /* a: 0 = free; mappings, caches and users hold one each */
	u16 flags; /* a: PG_* */
	u8 order; /* b: of the block this heads */
	u8 type; /* w: enum page_type */
	union {
		struct list free; /* b: on a free list */
		struct {
			struct pagecache *cache; /* c */
			u64 index; /* c: page number in the file */
		};
		struct {
			struct kmem_slab *slab; /* w: PAGE_SLAB */
			size_t kmalloc_size; /* w: large allocations */
		};
		struct list table; /* w: PAGE_TABLE of a user, in its pmap */
		u64 priv[2]; /* w */
	};
	u64 owner; /* w: free for the owner (fs private, mapcount) */
};
_Static_assert(sizeof(struct page) == 32, "one per frame");

#define PMM_ZERO 1u /* zero-filled */
#define PMM_NOWAIT 2u /* do not call shrinkers or sleep: IRQs or spinlocks may be held */
#define PMM_RESERVE 4u /* may use the emergency reserve (freeing paths) */
#define PMM_USER 8u /* for user memory: leaves the reserve alone, may invoke the OOM killer */

#define PMM_MAX_ORDER 10 /* 4 MiB */

/*
 * Block of 2^order frames with refs = 1 on its head, or NULL. ctx: any with PMM_NOWAIT, else
 * thread; sleeps.
 */
struct page *__must_check pmm_alloc(u32 order, u32 flags);
/* Free a block at once, whatever refs says (must be 1). ctx: any */
void pmm_free(struct page *p, u32 order);
/* Single page, zero or more flags, as its linear-map address. */
void *__must_check pmm_alloc_va(u32 order, u32 flags);
void pmm_free_va(void *va, u32 order);

extern struct page *pmm_pages; /* I: the array; index = pfn - pmm_base_pfn */
extern u64 pmm_base_pfn; /* I */
extern u64 pmm_end_pfn; /* I */

static inline struct page *pa_to_page(paddr_t pa)
{
	return &pmm_pages[(pa >> PAGE_SHIFT) - pmm_base_pfn];
}
static inline paddr_t page_to_pa(const struct page *p)
{
	return ((u64)(p - pmm_pages) + pmm_base_pfn) << PAGE_SHIFT;
}
static inline void *page_to_va(const struct page *p)
{
	return pa_to_va(page_to_pa(p));
}
static inline struct page *va_to_page(const void *va)
{
	return pa_to_page(va_to_pa(va));
}
bool pa_is_ram(paddr_t pa); /* has a struct page */

static inline void page_get(struct page *p)
{
	__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
}
/* Drop one; the last frees the frame (order 0). ctx: any */
void page_put(struct page *p);
static inline u32 page_refs(const struct page *p)
{
	return __atomic_load_n(&p->refs, __ATOMIC_ACQUIRE);
}
static inline void page_flag_set(struct page *p, u16 f)
{
	__atomic_fetch_or(&p->flags, f, __ATOMIC_RELAXED);
}
static inline u16 page_flag_clear(struct page *p, u16 f)
{
	return __atomic_fetch_and(&p->flags, (u16)~f, __ATOMIC_ACQ_REL);
}
static inline bool page_flag(const struct page *p, u16 f)
{
	return __atomic_load_n(&p->flags, __ATOMIC_ACQUIRE) & f;
}

/* Zero or copy whole frames (DC ZVA, paired loads and stores). */
void page_zero(void *va);
void page_copy(void *dst, const void *src);

/* Boot: banks and reservations are read from the device tree (mem= caps them). Early allocations
 * come from pmm_early_alloc until pmm_init; they are zeroed, page aligned and never freed. */
void pmm_early_init(void);
void *pmm_early_alloc(size_t size);
void pmm_init(void); /* after the linear map exists */
/* Hand a reserved range (initrd, boot data) back. */
void pmm_free_range(paddr_t start, paddr_t end);

/* Frames kept for allocations that may not wait; may be set (vm.min_free_kbytes). ctx: any */
u64 pmm_reserve_frames(void);
void pmm_set_reserve_frames(u64 n);

struct pmm_stats {
	u64 total; /* frames managed */
	u64 free;
	u64 reserved; /* never free: image, page array */
};
void pmm_get_stats(struct pmm_stats *s);
u64 pmm_free_frames(void);
/*
 * Free frames that data nobody's death gives back (files with names in memory) may still take: what
 * programs need to go on is left. A lower bound, cheap. ctx: any
 */
u64 pmm_spare_frames(void);
void pmm_get_free_blocks(u64 n[PMM_MAX_ORDER + 1]); /* of each order; ctx: any */

/* Memory pressure: shrinkers free what they can of @want frames and return how many. Registered at
 * boot. Called in thread context without locks by an allocation that may sleep. */
struct shrinker {
	const char *name;
	u64 (*shrink)(u64 want);
	struct shrinker *next;
};
void pmm_add_shrinker(struct shrinker *s);
u64 pmm_shrink(u64 want); /* ask them now; frames or objects freed. ctx: thread; sleeps */
#define PMM_SHRINK_ALL (~0ull) /* @want: all there is, what other CPUs keep for themselves too */
/* kernel/proc/oom.c: pick and kill; true: something was killed or is dying, try again. */
void pmm_set_oom_handler(bool (*fn)(u32 order));

/*
 * Fault injection: let the next @after allocations pass, then fail @count (0 = off). Debug builds
 * and tests.
 */
void pmm_fail_after(u64 after, u64 count);
