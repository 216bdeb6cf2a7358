#pragma once
/* Shared by slab.c (caches) and kmalloc.c (size classes). */
#include "kernel/base/spinlock.h"
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

void *slab_cache_alloc(struct kmem_cache *c, size_t size, u32 flags, const void *who);
void slab_cache_free(struct kmem_cache *c, void *obj, const void *who);
void kmalloc_init(void);
