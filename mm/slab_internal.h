#pragma once
/* Shared by slab.c (caches) and kmalloc.c (size classes). */
#include "kernel/base/percpu.h"
#include "kernel/base/spinlock.h"
#include "kernel/lib/string.h"
#include "mm/mm_debug.h"
#include "mm/slab.h"

#define SLAB_CACHES_MAX 96

/* S guarded by the cache's lock, I immutable after creation */
struct kmem_slab {
	struct list link; /* S: on the cache's list while a cell is free */
	struct kmem_cache *cache; /* I */
	void *free; /* S: cells that came back, linked through their first word */
	char *base; /* I: first cell */
	u32 inuse; /* S: cells that are objects or in magazines */
	u32 total; /* I */
	u32 fresh; /* S: cells from this one on were never used */
	u32 order; /* I */
};

/* Free cells of one cache on one CPU. */
struct slab_mag {
	void *free; /* o */
	u64 count; /* o */
};

/* I immutable after creation, S guarded by .lock (SLAB) */
struct kmem_cache {
	struct slab_mag *mag; /* I: per CPU */
	u32 limit; /* I: cells a magazine holds */
	u32 cell; /* I: bytes from object to object */
	u32 head; /* I: bytes in front of the object in debug builds */
	u32 size; /* I: of an object */
	u32 order; /* I: preferred order of a slab */
	bool off_slab; /* I: descriptors are in the descriptor cache */
	const char *name; /* I */
	struct spinlock lock;
	struct list slabs; /* S: with free cells, empty ones last */
	u32 nempty; /* S */
	u32 nslabs; /* S */
	u64 frames; /* S; a for reading */
	u64 capacity; /* S: cells in all slabs */
	u64 out; /* S: of those, objects or in magazines */
};

extern struct kmem_cache slab_caches[SLAB_CACHES_MAX];

void *slab_alloc_slow(struct kmem_cache *c, void *cell, size_t size, u32 flags, const void *who);
void slab_free_slow(struct kmem_cache *c, u64 irq);
void kmalloc_init(void);

/*
 * Checks of objects in debug builds: slab_debug.c, or kasan_mm.c with the address sanitizer. Bytes
 * that a cell has in front of the object and at least behind it.
 */
#ifdef CONFIG_KASAN
#define SLAB_DEBUG_HEAD 160
#define SLAB_DEBUG_TAIL 16
#else
#define SLAB_DEBUG_HEAD 32
#define SLAB_DEBUG_TAIL 8
#endif
/* Make the head of a cell that was never used. ctx: any */
void slab_debug_fresh(const struct kmem_cache *c, void *cell);
/* A free cell becomes an object of @size bytes. ctx: any */
void slab_debug_alloc(const struct kmem_cache *c, void *cell, size_t size, const void *who);
/*
 * An object becomes a free cell: returned, or NULL when it is kept for later (slab_cell_free) or
 * was no object. ctx: any
 */
void *slab_debug_free(const struct kmem_cache *c, void *obj, const void *who);

/* Freed cells that the address sanitizer keeps for a while. ctx: any */
#ifdef CONFIG_KASAN
u64 kasan_kept(const struct kmem_cache *c);
void kasan_kept_drain(void);
#else
static inline u64 kasan_kept(const struct kmem_cache *c)
{
	return 0;
}
static inline void kasan_kept_drain(void)
{
}
#endif

static inline struct slab_mag *slab_mag_this(const struct kmem_cache *c)
{
	return percpu_ptr_off(*c->mag, percpu_this_offset());
}

static inline void *slab_mag_pop(struct slab_mag *m)
{
	void *cell = m->free;

	if (likely(cell)) {
		m->free = *(void **)cell;
		m->count--;
	}
	return cell;
}

/* Object of @c, of which @size bytes are used. ctx: as kmem_cache_alloc */
static __always_inline void *slab_alloc(struct kmem_cache *c, size_t size, u32 flags,
					const void *who)
{
	u64 irq = irq_save();
	void *cell = slab_mag_pop(slab_mag_this(c));

	irq_restore(irq);
	if (unlikely(!cell || slab_fail.armed || MM_DEBUG))
		return slab_alloc_slow(c, cell, size, flags, who);
	return flags & PMM_ZERO ? memset(cell, 0, size) : cell;
}

/* Put a cell back into the magazine. ctx: any */
static __always_inline void slab_cell_free(struct kmem_cache *c, void *cell)
{
	u64 irq = irq_save();
	struct slab_mag *m = slab_mag_this(c);

	*(void **)cell = m->free;
	m->free = cell;
	if (unlikely(++m->count > c->limit)) {
		slab_free_slow(c, irq);
		return;
	}
	irq_restore(irq);
}

/* Give an object back. ctx: any */
static __always_inline void slab_free(struct kmem_cache *c, void *obj, const void *who)
{
	void *cell = MM_DEBUG ? slab_debug_free(c, obj, who) : obj;

	if (!MM_DEBUG || cell)
		slab_cell_free(c, cell);
}
