/*
 * Caches of objects of one size.
 *
 * A slab is a block of frames cut into cells; its descriptor (struct kmem_slab) lies at its end,
 * or, for cells of 512 bytes and more, in a cell of the descriptor cache. struct page leads from an
 * object to slab and cache. A slab with a free cell is on its cache's list, those in use in front
 * of the empty ones.
 *
 * In front of that each CPU has a magazine per cache: a list of free cells linked through the cells
 * themselves. Allocation and freeing are a pop and a push with interrupts off. An empty magazine is
 * filled, a full one half emptied under the cache's lock.
 *
 * Life of a cell: never used ("fresh") -> magazine -> object -> magazine -> slab's free list ->
 * magazine ...; a slab all of whose cells are back goes to the frame allocator, but for one that
 * the cache keeps.
 *
 * Locking: kmem_cache.lock (rank SLAB, interrupts off) guards slabs and lists; frames are allocated
 * and freed outside it. Magazines belong to their CPU. Debug builds check cells at both ends
 * (mm_debug.c). The magazine layer follows Bonwick and Adams, "Magazines and Vmem", USENIX 2001.
 */
#include <arch/cpu.h>
#include "kernel/base/percpu.h"
#include "kernel/base/spinlock.h"
#include "kernel/lib/string.h"
#include "mm/mm_debug.h"
#include "mm/slab.h"
#include "mm/slab_internal.h"

#define OFF_SLAB_MIN 512 /* cells from this size on keep their slab's descriptor elsewhere */
#define SLAB_ORDER_MAX 3
#define EMPTY_KEPT 1 /* empty slabs a cache holds back */

static PERCPU(struct slab_mag, slab_mags)[SLAB_CACHES_MAX];

struct kmem_cache slab_caches[SLAB_CACHES_MAX];
u32 slab_cache_count;

static struct spinlock create_lock = SPINLOCK_INIT(RANK_SPIN_OUTER);
static struct kmem_cache *desc_cache; /* I */
struct mm_fail slab_fail;

static inline struct kmem_slab *slab_of(void *cell)
{
	return va_to_page(cell)->slab;
}

/* Cells that fit a block of @order. */
static u32 cells_fit(const struct kmem_cache *c, u32 order)
{
	u64 bytes = (u64)PAGE_SIZE << order;

	return (u32)((bytes - (c->off_slab ? 0 : sizeof(struct kmem_slab))) / c->cell);
}

/* The smallest block with eight cells, or with four and little waste. */
static u32 order_choose(const struct kmem_cache *c)
{
	for (u32 order = 0; order < SLAB_ORDER_MAX; order++) {
		u64 bytes = (u64)PAGE_SIZE << order;
		u32 n = cells_fit(c, order);

		if (n >= 8 || (n >= 4 && bytes - (u64)n * c->cell <= bytes / 8))
			return order;
	}
	return SLAB_ORDER_MAX;
}

static u32 magazine_size(u32 cell)
{
	if (cell <= 256)
		return 32;
	if (cell <= 1024)
		return 16;
	return cell <= 4096 ? 8 : 4;
}

/*
 * New cache of objects of @size bytes, aligned to @align (a power of two; 0: 16). @name must live
 * for ever.
 * ctx: boot (never fails: the table is sized for the kernel, running out is a bug)
 */
struct kmem_cache *kmem_cache_create(const char *name, size_t size, size_t align)
{
	u64 irq = spin_lock_irqsave(&create_lock);
	struct kmem_cache *c = &slab_caches[slab_cache_count];

	if (slab_cache_count == SLAB_CACHES_MAX)
		panic("no room for cache %s", name);
	align = MAX(align, (size_t)16);
	c->name = name;
	c->size = (u32)size;
	c->head = MM_DEBUG ? (u32)ALIGN_UP((size_t)SLAB_DEBUG_HEAD, align) : 0;
	c->cell = (u32)ALIGN_UP(size + c->head + (MM_DEBUG ? SLAB_DEBUG_TAIL : 0), align);
	c->off_slab = c->cell >= OFF_SLAB_MIN;
	c->order = order_choose(c);
	c->limit = magazine_size(c->cell);
	c->mag = &slab_mags[slab_cache_count];
	spin_init(&c->lock, RANK_SLAB);
	list_init(&c->slabs);
	__atomic_store_n(&slab_cache_count, slab_cache_count + 1, __ATOMIC_RELEASE);
	spin_unlock_irqrestore(&create_lock, irq);
	return c;
}

static void frames_mark(struct page *p, u32 order, struct kmem_slab *s, struct kmem_cache *c)
{
	for (u32 i = 0; i < 1u << order; i++) {
		p[i].type = PAGE_SLAB;
		p[i].slab = s;
		p[i].owner = (u64)c;
	}
}

/* The frames of a slab and, if they hold it, its descriptor. */
static struct page *slab_frames(struct kmem_cache *c, u32 flags, u32 *order)
{
	struct page *p = NULL;

	for (*order = c->order; !p; (*order)--) {
		p = pmm_alloc(*order, flags & ~PMM_ZERO);
		if (p || *order == 0 || !cells_fit(c, *order - 1))
			break;
	}
	return p;
}

/* Add a slab to @c. False: no memory. */
static bool cache_grow(struct kmem_cache *c, u32 flags)
{
	u32 order;
	struct page *p = slab_frames(c, flags, &order);
	struct kmem_slab *s;
	char *base;
	u64 irq;

	if (!p)
		return false;
	base = page_to_va(p);
	kasan_poison(base, (u64)cells_fit(c, order) * c->cell, KASAN_SLAB_REDZONE);
	if (c->off_slab)
		s = kmem_cache_alloc(desc_cache, flags & ~PMM_ZERO);
	else
		s = (struct kmem_slab *)(base + ((u64)PAGE_SIZE << order) - sizeof(*s));
	if (!s) {
		pmm_free(p, order);
		return false;
	}
	*s = (struct kmem_slab){
		.cache = c, .base = base, .order = order, .total = cells_fit(c, order)
	};
	frames_mark(p, order, s, c);

	irq = spin_lock_irqsave(&c->lock);
	list_add_tail(&c->slabs, &s->link);
	c->nempty++;
	c->nslabs++;
	c->frames += 1u << order;
	c->capacity += s->total;
	spin_unlock_irqrestore(&c->lock, irq);
	return true;
}

/* Frames and descriptor of an empty slab that is on no list. */
static void slab_destroy(struct kmem_slab *s)
{
	struct kmem_cache *c = s->cache;
	struct page *p = va_to_page(s->base);
	u32 order = s->order;

	for (u32 i = 0; i < 1u << order; i++) {
		p[i].type = PAGE_NONE;
		p[i].owner = 0;
	}
	if (c->off_slab)
		kmem_cache_free(desc_cache, s);
	pmm_free(p, order);
}

static void *slab_take(struct kmem_cache *c, struct kmem_slab *s)
{
	void *cell = s->free;

	if (s->inuse++ == 0)
		c->nempty--;
	if (cell) {
		s->free = *(void **)cell;
		return cell;
	}
	cell = s->base + (u64)s->fresh++ * c->cell;
	if (MM_DEBUG)
		slab_debug_fresh(c, cell);
	return cell;
}

/* Fill @m to half. holds: c->lock */
static void mag_fill(struct kmem_cache *c, struct slab_mag *m)
{
	while (m->count < c->limit / 2 && !list_empty(&c->slabs)) {
		struct kmem_slab *s = list_first(&c->slabs, struct kmem_slab, link);

		while (m->count < c->limit / 2 && s->inuse < s->total) {
			void *cell = slab_take(c, s);

			*(void **)cell = m->free;
			m->free = cell;
			m->count++;
			c->out++;
		}
		if (s->inuse == s->total)
			list_del(&s->link);
	}
}

static void mag_push(struct kmem_cache *c, void *cell)
{
	u64 irq = irq_save();
	struct slab_mag *m = slab_mag_this(c);

	*(void **)cell = m->free;
	m->free = cell;
	m->count++;
	irq_restore(irq);
}

static void *cell_find(struct kmem_cache *c, u32 flags)
{
	void *cell;

	do {
		u64 irq = spin_lock_irqsave(&c->lock);
		struct slab_mag *m = slab_mag_this(c);

		mag_fill(c, m);
		cell = slab_mag_pop(m);
		spin_unlock_irqrestore(&c->lock, irq);
	} while (!cell && cache_grow(c, flags));
	return cell;
}

/*
 * What slab_alloc() leaves over. @cell: already popped, or NULL.
 * ctx, result: as kmem_cache_alloc
 */
void *slab_alloc_slow(struct kmem_cache *c, void *cell, size_t size, u32 flags, const void *who)
{
	mm_assert_may_wait(flags);
	if (slab_fail.armed && mm_fail_hit(&slab_fail, flags)) {
		if (cell)
			mag_push(c, cell);
		return NULL;
	}
	if (!cell)
		cell = cell_find(c, flags);
	if (!cell)
		return NULL;
	if (MM_DEBUG) {
		slab_debug_alloc(c, cell, size, who);
		cell = (char *)cell + c->head;
	}
	if (flags & PMM_ZERO)
		memset(cell, 0, size);
	return cell;
}

/*
 * Give @n cells of @m back to their slabs; empty slabs above what is kept go to @dead. holds:
 * c->lock
 */
static void mag_flush(struct kmem_cache *c, struct slab_mag *m, u32 n, struct list *dead)
{
	while (n--) {
		void *cell = slab_mag_pop(m);
		struct kmem_slab *s = slab_of(cell);

		*(void **)cell = s->free;
		s->free = cell;
		c->out--;
		if (s->inuse-- == s->total)
			list_add(&c->slabs, &s->link);
		if (s->inuse)
			continue;
		list_del(&s->link);
		if (c->nempty < EMPTY_KEPT) {
			c->nempty++;
			list_add_tail(&c->slabs, &s->link);
		} else {
			c->nslabs--;
			c->frames -= 1u << s->order;
			c->capacity -= s->total;
			list_add(dead, &s->link);
		}
	}
}

static void slabs_destroy(struct list *dead)
{
	struct kmem_slab *s, *tmp;

	list_for_each_safe(s, tmp, dead, link) {
		list_del(&s->link);
		slab_destroy(s);
	}
}

/*
 * What slab_free() leaves over: the magazine of this CPU is full.
 * IRQs off; gives @irq back
 */
void slab_free_slow(struct kmem_cache *c, u64 irq)
{
	struct list dead = LIST_INIT(dead);

	spin_lock(&c->lock);
	mag_flush(c, slab_mag_this(c), c->limit / 2, &dead);
	spin_unlock(&c->lock);
	slabs_destroy(&dead);
	irq_restore(irq);
}

/*
 * Object of @c, zeroed with PMM_ZERO.
 * ctx: any with PMM_NOWAIT, else thread; sleeps: as pmm_alloc. Returns it or NULL; the caller owns
 * it.
 */
void *kmem_cache_alloc(struct kmem_cache *c, u32 flags)
{
	return slab_alloc(c, c->size, flags, MM_CALLER);
}

/*
 * Give back what kmem_cache_alloc gave.
 * ctx: any; consumes: obj
 */
void kmem_cache_free(struct kmem_cache *c, void *obj)
{
	debug_assert((struct kmem_cache *)va_to_page(obj)->owner == c);
	slab_free(c, obj, MM_CALLER);
}

/*
 * Memory pressure: give back this CPU's magazines and every empty slab; returns the frames. Also
 * for shrinkers that free objects and want to know what came of it.
 * ctx: thread
 */
u64 slab_reap(void)
{
	u64 before = slab_total_frames();

	kasan_kept_drain();
	/* The cache of descriptors, which destroying slabs of the others fills, is the first. */
	for (u32 i = slab_cache_count; i-- > 0;) {
		struct kmem_cache *c = &slab_caches[i];
		struct list dead = LIST_INIT(dead);
		u64 irq = spin_lock_irqsave(&c->lock);
		struct kmem_slab *s, *tmp;

		mag_flush(c, slab_mag_this(c), slab_mag_this(c)->count, &dead);
		list_for_each_safe(s, tmp, &c->slabs, link) {
			if (!c->nempty)
				break;
			if (s->inuse)
				continue;
			list_del(&s->link);
			list_add(&dead, &s->link);
			c->nempty--;
			c->nslabs--;
			c->frames -= 1u << s->order;
			c->capacity -= s->total;
		}
		spin_unlock_irqrestore(&c->lock, irq);
		slabs_destroy(&dead);
	}
	return before - MIN(before, slab_total_frames());
}

/* All of this CPU's magazines, for smp_call. IRQs off */
static void mags_flush(void *arg)
{
	for (u32 i = slab_cache_count; i-- > 0;) {
		struct kmem_cache *c = &slab_caches[i];
		struct list dead = LIST_INIT(dead);

		spin_lock(&c->lock);
		mag_flush(c, slab_mag_this(c), slab_mag_this(c)->count, &dead);
		spin_unlock(&c->lock);
		slabs_destroy(&dead);
	}
}

/* Asked for all there is, the other CPUs' magazines too. */
static u64 slab_shrink(u64 want)
{
	u64 before = slab_total_frames(), now;

	if (want == PMM_SHRINK_ALL)
		smp_call(~0ull, mags_flush, NULL);
	slab_reap();
	now = slab_total_frames();
	return before - MIN(before, now);
}

static struct shrinker slab_shrinker = { .name = "slab", .shrink = slab_shrink };

/*
 * Make the descriptor cache and the kmalloc classes.
 * ctx: boot, after pmm_init
 */
void slab_init(void)
{
	desc_cache = kmem_cache_create("slab", sizeof(struct kmem_slab), 0);
	kmalloc_init();
	pmm_add_shrinker(&slab_shrinker);
}

/*
 * Figures of cache number @index; false past the end.
 * ctx: any
 */
bool slab_get_info(u32 index, struct slab_info *out)
{
	struct kmem_cache *c = &slab_caches[index];
	u64 cached = 0, irq;

	if (index >= __atomic_load_n(&slab_cache_count, __ATOMIC_ACQUIRE))
		return false;
	irq = spin_lock_irqsave(&c->lock);
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++)
		if (cpu == 0 || cpu_online_mask >> cpu & 1)
			cached += READ_ONCE(per_cpu(*c->mag, cpu).count);
	*out = (struct slab_info){ .name = c->name,
				   .size = c->size,
				   .objects = c->capacity,
				   .active = c->out - MIN(cached + kasan_kept(c), c->out),
				   .frames = c->frames };
	spin_unlock_irqrestore(&c->lock, irq);
	return true;
}

/*
 * Frames in all slabs.
 * ctx: any
 */
u64 slab_total_frames(void)
{
	u64 n = 0;

	for (u32 i = 0; i < slab_cache_count; i++)
		n += READ_ONCE(slab_caches[i].frames);
	return n;
}

/*
 * Fault injection, as pmm_fail_after.
 * ctx: any
 */
void slab_fail_after(u64 after, u64 count)
{
	mm_fail_set(&slab_fail, after, count);
}
