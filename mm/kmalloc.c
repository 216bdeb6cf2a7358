/*
 * Memory of any size: a row of caches up to 8 KiB, whole frames above.
 *
 * The class of a size comes from a table for small sizes and a short search for the others. kfree
 * finds out from struct page which kind of memory it has: PAGE_SLAB, or the head of a block whose
 * order is in the page. No state of its own and so no locks.
 */
#include "kernel/lib/string.h"
#include "mm/mm_debug.h"
#include "mm/slab_internal.h"

#define SMALL_MAX 1024 /* sizes up to this one use the table */
#define CLASS_MAX 8192

static const struct {
	const char *name;
	u32 size;
} classes[] = {
	{ "kmalloc-16", 16 },	  { "kmalloc-32", 32 },	    { "kmalloc-48", 48 },
	{ "kmalloc-64", 64 },	  { "kmalloc-96", 96 },	    { "kmalloc-128", 128 },
	{ "kmalloc-192", 192 },	  { "kmalloc-256", 256 },   { "kmalloc-384", 384 },
	{ "kmalloc-512", 512 },	  { "kmalloc-768", 768 },   { "kmalloc-1024", 1024 },
	{ "kmalloc-1536", 1536 }, { "kmalloc-2048", 2048 }, { "kmalloc-3072", 3072 },
	{ "kmalloc-4096", 4096 }, { "kmalloc-8192", 8192 },
};

static struct kmem_cache *class_cache[ARRAY_SIZE(classes)]; /* I */
static u8 class_of_small[SMALL_MAX / 16 + 1]; /* I: index (size + 15) / 16 */

/*
 * Make the caches.
 * ctx: boot
 */
void kmalloc_init(void)
{
	u32 k = 0;

	for (u32 i = 0; i < ARRAY_SIZE(classes); i++)
		class_cache[i] = kmem_cache_create(classes[i].name, classes[i].size,
						   IS_ALIGNED(classes[i].size, 64) ? 64 : 16);
	for (u32 i = 0; i <= SMALL_MAX / 16; i++) {
		if (i * 16 > classes[k].size)
			k++;
		class_of_small[i] = (u8)k;
	}
}

static void *large_alloc(size_t size, u32 flags)
{
	u32 order = 64 - PAGE_SHIFT - (u32)__builtin_clzll(size - 1);
	struct page *p;

	if (order > PMM_MAX_ORDER)
		return NULL;
	p = pmm_alloc(order, flags);
	if (!p)
		return NULL;
	p->kmalloc_size = size;
	kasan_poison((char *)page_to_va(p) + ALIGN_UP(size, (size_t)8),
		     ((size_t)PAGE_SIZE << order) - ALIGN_UP(size, (size_t)8), KASAN_PAGE_REDZONE);
	kasan_unpoison(page_to_va(p), size);
	return page_to_va(p);
}

static __noinline void *big_alloc(size_t size, u32 flags, const void *who)
{
	u32 k = 0;

	if (size > CLASS_MAX)
		return large_alloc(size, flags);
	while (classes[k].size < size)
		k++;
	return slab_alloc(class_cache[k], size, flags, who);
}

static __always_inline void *alloc(size_t size, u32 flags, const void *who)
{
	if (unlikely(size > SMALL_MAX))
		return big_alloc(size, flags, who);
	return slab_alloc(class_cache[class_of_small[(size + 15) / 16]], size, flags, who);
}

/*
 * @size bytes, aligned to 16. Size 0 gives a distinct object.
 * ctx: any with PMM_NOWAIT, else thread; sleeps: as pmm_alloc. Returns it or NULL; the caller owns
 * it.
 */
void *kmalloc(size_t size, u32 flags)
{
	return alloc(size, flags, MM_CALLER);
}

/*
 * kmalloc, zeroed.
 * ctx: as kmalloc
 */
void *kzalloc(size_t size, u32 flags)
{
	return alloc(size, flags | PMM_ZERO, MM_CALLER);
}

/*
 * Zeroed array; NULL also when @n * @size overflows.
 * ctx: as kmalloc
 */
void *kcalloc(size_t n, size_t size, u32 flags)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return alloc(bytes, flags | PMM_ZERO, MM_CALLER);
}

/* Bytes that the memory at @p has room for. */
static size_t room_of(const void *p)
{
	const struct page *pg = va_to_page(p);

	if (pg->type == PAGE_SLAB)
		return ((const struct kmem_cache *)pg->owner)->size;
	return (size_t)PAGE_SIZE << pg->order;
}

/*
 * Memory of @size bytes with the first min(@old_size, @size) bytes of @p (which may be NULL). On
 * failure @p stays.
 * ctx: as kmalloc; consumes: p on success
 */
void *krealloc(void *p, size_t old_size, size_t size, u32 flags)
{
	void *n;

	/* The debug head knows the exact size, so there every change moves. */
	if (p && !MM_DEBUG && size <= room_of(p) && size >= room_of(p) / 2)
		return p;
	n = alloc(size, flags, MM_CALLER);
	if (n && p) {
		memcpy(n, p, MIN(old_size, size));
		kfree(p);
	}
	return n;
}

/*
 * Copy of a string.
 * ctx: as kmalloc
 */
char *kstrdup(const char *s, u32 flags)
{
	return kmemdup(s, strlen(s) + 1, flags);
}

/*
 * Copy of @n bytes.
 * ctx: as kmalloc
 */
void *kmemdup(const void *p, size_t n, u32 flags)
{
	void *d = alloc(n, flags & ~PMM_ZERO, MM_CALLER);

	return d ? memcpy(d, p, n) : NULL;
}

/*
 * Free what kmalloc and its kin gave; NULL is nothing.
 * ctx: any; consumes: p
 */
void kfree(const void *p)
{
	struct page *pg;

	if (!p)
		return;
	pg = va_to_page(p);
	if (likely(pg->type == PAGE_SLAB)) {
		slab_free((struct kmem_cache *)pg->owner, (void *)p, MM_CALLER);
		return;
	}
	debug_assert(pg->type == PAGE_NONE && pg->refs == 1 && ((u64)p & PAGE_MASK) == 0);
	pmm_free(pg, pg->order);
}
