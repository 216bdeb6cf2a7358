#pragma once
/*
 * Small objects: caches of one size with per-CPU magazines over slabs of frames; kmalloc is a row
 * of such caches with whole frames above 8 KiB. Debug builds poison freed objects and check red
 * zones.
 * ctx: any with PMM_NOWAIT, else thread. Alignment: 16 bytes (kmalloc), or the cache's.
 */
#include "mm/pmm.h"

struct kmem_cache;

/* Never fails at boot (panics before userspace exists only). @name lives for ever. */
struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align);
void *__must_check kmem_cache_alloc(struct kmem_cache *c, u32 flags); /* PMM_* flags; NULL = none */
void kmem_cache_free(struct kmem_cache *c, void *obj);

void *__must_check kmalloc(size_t size, u32 flags);
void *__must_check kzalloc(size_t size, u32 flags);
void *__must_check kcalloc(size_t n, size_t size, u32 flags); /* overflow checked */
void *__must_check krealloc(void *p, size_t old_size, size_t size, u32 flags);
char *__must_check kstrdup(const char *s, u32 flags);
void *__must_check kmemdup(const void *p, size_t n, u32 flags);
void kfree(const void *p); /* NULL is allowed */

void slab_init(void);
/* For /proc/slabinfo and /proc/meminfo: false past the end. */
struct slab_info {
	const char *name;
	u64 size, objects, active, frames;
};
bool slab_get_info(u32 index, struct slab_info *out);
u64 slab_total_frames(void);
u64 slab_reap(void); /* give empty slabs back, for shrinkers: frames freed. ctx: thread */
/* Fault injection as pmm_fail_after, over kmalloc and caches. */
void slab_fail_after(u64 after, u64 count);
