/*
 * The vmalloc area: kernel mappings that need not be physically contiguous, or that are not memory.
 *
 * The area is cut into spans, used or free, that cover it without gaps in one list in address
 * order; neighbours that are free are merged. Used spans are also in a tree by address. A used span
 * is the mapped pages and one unmapped guard page behind them; the first page of the area is never
 * used, so every mapping has a guard on each side. Unmapping flushes the TLBs (pmap_kernel_unmap),
 * so that a span can be used again at once.
 *
 * Kernel stacks are the frequent users. Each CPU keeps a few, mapped, for the next fork: taking one
 * is a pop, and neither tables nor TLBs are touched. Threads often end on another CPU than the one
 * that made them, so the caches exchange stacks in batches through a depot; memory pressure empties
 * that.
 *
 * Spans come from a small static pool first: device registers are mapped before the slab allocator
 * runs. Locking: kvm_lock (rank KVM) guards spans, tree and page tables; it is held while tables
 * are written, whose frames are taken without waiting. The stack caches belong to their CPU.
 */
#include <arch/cpu.h>
#include <arch/kasan.h>
#include <arch/pmap.h>
#include "kernel/base/kasan.h"
#include "kernel/base/percpu.h"
#include "kernel/base/spinlock.h"
#include "kernel/lib/rbtree.h"
#include "mm/kvm.h"
#include "mm/mm_debug.h"
#include "mm/slab.h"

#define STACKS_KEPT 8 /* per CPU */
#define DEPOT_MAX 64
#define STATIC_SPANS 24
#define SPANS_KEPT 4 /* spare ones that memory pressure leaves */

/* k guarded by kvm_lock */
struct span {
	struct rb_node node; /* k: in used_tree */
	struct list order; /* k: all spans by address */
	struct list free; /* k: in free_spans */
	vaddr_t start; /* k */
	u64 size; /* k: guard page included */
	bool used; /* k */
	bool memory; /* k: frames are ours to free */
};

struct stack_cache {
	u32 count; /* o */
	void *stack[STACKS_KEPT]; /* o */
};

static PERCPU(struct stack_cache, stack_cache);
static struct spinlock kvm_lock = SPINLOCK_INIT(RANK_KVM);
static struct list spans = LIST_INIT(spans);
static struct list free_spans = LIST_INIT(free_spans);
static struct rb_root used_tree;
static struct span static_spans[STATIC_SPANS];
static u32 static_spans_used;
static struct list spare_spans = LIST_INIT(spare_spans); /* k: structs to reuse, linked by .free */
static bool slab_runs; /* I after kvm_init */
static u64 used_frames; /* k; a for reading */
static void *depot[DEPOT_MAX]; /* k: stacks that no CPU's cache had room for */
static u32 depot_count; /* k */

static bool span_less(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct span, node)->start < rb_entry(b, struct span, node)->start;
}

static struct span *span_spare_take(void)
{
	struct span *s;

	if (list_empty(&spare_spans)) {
		if (static_spans_used == STATIC_SPANS)
			return NULL;
		return &static_spans[static_spans_used++];
	}
	s = list_first(&spare_spans, struct span, free);
	list_del(&s->free);
	return s;
}

/*
 * Have a struct to spare for the split of a span; none may be there on failure. holds: kvm_lock,
 * which is dropped to allocate one.
 */
static void spans_stock_locked(u32 flags)
{
	while (slab_runs && list_empty(&spare_spans) && static_spans_used == STATIC_SPANS) {
		struct span *s;

		spin_unlock(&kvm_lock);
		s = kzalloc(sizeof(*s), flags);
		spin_lock(&kvm_lock);
		if (!s)
			return;
		list_add(&spare_spans, &s->free);
	}
}

static void span_area_init(void)
{
	struct span *s = span_spare_take();

	s->start = VMALLOC_BASE + PAGE_SIZE;
	s->size = VMALLOC_SIZE - PAGE_SIZE;
	list_add(&spans, &s->order);
	list_add(&free_spans, &s->free);
}

/* First fit. holds: kvm_lock. NULL: no room or no struct for the rest. */
static struct span *span_alloc(u64 size)
{
	struct span *s, *rest;

	if (list_empty(&spans))
		span_area_init();
	list_for_each(s, &free_spans, free)
		if (s->size >= size)
			break;
	if (list_node_of(s, free) == &free_spans)
		return NULL;
	if (s->size > size) {
		rest = span_spare_take();
		if (!rest)
			return NULL;
		rest->start = s->start + size;
		rest->size = s->size - size;
		rest->used = false;
		s->size = size;
		list_add(&s->order, &rest->order);
		list_add(&s->free, &rest->free);
	}
	list_del(&s->free);
	s->used = true;
	s->memory = false;
	rb_insert(&used_tree, &s->node, span_less);
	return s;
}

/* Join @b, which follows @a, to it. */
static void span_merge(struct span *a, struct span *b)
{
	a->size += b->size;
	list_del(&b->order);
	list_del(&b->free);
	list_add(&spare_spans, &b->free);
}

/* holds: kvm_lock */
static void span_free(struct span *s)
{
	struct span *next = list_next_of(s, order);
	struct span *prev = list_entry(s->order.prev, struct span, order);

	rb_erase(&used_tree, &s->node);
	s->used = false;
	list_add(&free_spans, &s->free);
	if (s->order.next != &spans && !next->used)
		span_merge(s, next);
	if (s->order.prev != &spans && !prev->used)
		span_merge(prev, s);
}

/* The used span that holds @va. holds: kvm_lock */
static struct span *span_find(vaddr_t va)
{
	struct rb_node *n = used_tree.node;

	while (n) {
		struct span *s = rb_entry(n, struct span, node);

		if (va < s->start)
			n = n->left;
		else if (va >= s->start + s->size)
			n = n->right;
		else
			return s;
	}
	return NULL;
}

static void frames_free(struct page *chain)
{
	while (chain) {
		struct page *p = chain;

		chain = (struct page *)p->priv[0];
		pmm_free(p, 0);
	}
}

/*
 * Give the frames mapped in [va, va + size) back. The TLBs are flushed before any of them is
 * reused.
 */
static void unmap_memory(vaddr_t va, u64 size)
{
	struct page *chain = NULL, *p;
	paddr_t pa;

	for (u64 off = 0; off < size; off += PAGE_SIZE) {
		if (!pmap_kernel_lookup(va + off, &pa))
			continue;
		p = pa_to_page(pa);
		p->priv[0] = (u64)chain;
		chain = p;
	}
	pmap_kernel_unmap(va, size);
	frames_free(chain);
}

/* Map the frames of @chain over @s. False: undone, the frames freed. holds: kvm_lock */
static bool map_memory(struct span *s, u64 size, struct page *chain)
{
	if (kasan_shadow_cover(s->start, s->size, KASAN_VMALLOC)) {
		frames_free(chain);
		return false;
	}
	for (u64 off = 0; off < size; off += PAGE_SIZE) {
		struct page *p = chain;

		if (pmap_kernel_map(s->start + off, page_to_pa(p), PAGE_SIZE, PROT_R | PROT_W)) {
			frames_free(chain);
			unmap_memory(s->start, off);
			return false;
		}
		chain = (struct page *)p->priv[0];
	}
	s->memory = true;
	used_frames += size / PAGE_SIZE;
	return true;
}

/* @n single frames chained through priv[0]. */
static struct page *frames_alloc(u64 n, u32 flags)
{
	struct page *chain = NULL;

	while (n--) {
		struct page *p = pmm_alloc(0, flags);

		if (!p) {
			frames_free(chain);
			return NULL;
		}
		p->priv[0] = (u64)chain;
		chain = p;
	}
	return chain;
}

/*
 * @size bytes of zeroed memory, writable, not executable, between guard pages.
 * ctx: thread; sleeps: for frames. Returns the address or NULL; the caller owns it.
 */
void *kvm_alloc(size_t size, u32 flags)
{
	u64 bytes = ALIGN_UP((u64)size, PAGE_SIZE);
	struct page *chain;
	struct span *s;

	if (!size || bytes > VMALLOC_SIZE / 2 || bytes / PAGE_SIZE > pmm_free_frames())
		return NULL;
	chain = frames_alloc(bytes / PAGE_SIZE, flags | PMM_ZERO);
	if (!chain)
		return NULL;
	spin_lock(&kvm_lock);
	spans_stock_locked(flags);
	s = span_alloc(bytes + PAGE_SIZE);
	if (!s) {
		frames_free(chain);
	} else if (!map_memory(s, bytes, chain)) {
		span_free(s);
		s = NULL;
	} else {
		kasan_unpoison((void *)s->start, size);
	}
	spin_unlock(&kvm_lock);
	return s ? (void *)s->start : NULL;
}

static void span_release(vaddr_t va, bool memory)
{
	struct span *s;
	u64 size;

	spin_lock(&kvm_lock);
	s = span_find(va);
	if (!s || s->memory != memory)
		panic("%llx is not a kernel mapping", (unsigned long long)va);
	size = s->size - PAGE_SIZE;
	kasan_poison((void *)s->start, size, KASAN_VMALLOC);
	if (memory) {
		unmap_memory(s->start, size);
		used_frames -= size / PAGE_SIZE;
	} else {
		pmap_kernel_unmap(s->start, size);
	}
	s->memory = false;
	span_free(s);
	spin_unlock(&kvm_lock);
}

/*
 * Free what kvm_alloc gave; NULL is nothing.
 * ctx: any but IRQ; consumes: p
 */
void kvm_free(void *p)
{
	if (p)
		span_release((vaddr_t)p, true);
}

/*
 * Map device registers at [@pa, @pa + @size), uncached.
 * ctx: boot, thread; sleeps: no. Returns the address of @pa or NULL.
 */
volatile void *kvm_map_io(paddr_t pa, size_t size)
{
	u64 off = pa & PAGE_MASK;
	u64 bytes = ALIGN_UP(size + off, PAGE_SIZE);
	struct span *s;

	spin_lock(&kvm_lock);
	spans_stock_locked(PMM_NOWAIT);
	s = span_alloc(bytes + PAGE_SIZE);
	if (s && (kasan_shadow_cover(s->start, s->size, KASAN_VMALLOC) ||
		  pmap_kernel_map(s->start, pa - off, bytes, PROT_R | PROT_W | PROT_DEVICE))) {
		pmap_kernel_unmap(s->start, bytes);
		span_free(s);
		s = NULL;
	}
	if (s)
		kasan_unpoison((void *)s->start, bytes);
	spin_unlock(&kvm_lock);
	return s ? (volatile void *)(s->start + off) : NULL;
}

/*
 * Undo kvm_map_io.
 * ctx: thread
 */
void kvm_unmap_io(volatile void *va)
{
	span_release((vaddr_t)va, false);
}

/* Move up to half a cache of stacks from the depot to this CPU. IRQs off */
static void stacks_refill(struct stack_cache *c)
{
	spin_lock(&kvm_lock);
	while (depot_count && c->count < STACKS_KEPT / 2)
		c->stack[c->count++] = depot[--depot_count];
	spin_unlock(&kvm_lock);
}

/* And back, as far as there is room. IRQs off */
static void stacks_drain(struct stack_cache *c)
{
	spin_lock(&kvm_lock);
	while (depot_count < DEPOT_MAX && c->count > STACKS_KEPT / 2)
		depot[depot_count++] = c->stack[--c->count];
	spin_unlock(&kvm_lock);
}

static void *depot_take(void)
{
	void *stack;
	u64 irq = irq_save();

	spin_lock(&kvm_lock);
	stack = depot_count ? depot[--depot_count] : NULL;
	spin_unlock(&kvm_lock);
	irq_restore(irq);
	return stack;
}

/* This CPU's cache into the one at @arg, for smp_call. IRQs off */
static void cache_take(void *arg)
{
	struct stack_cache *c = this_cpu_ptr(stack_cache), *to = arg;

	*to = *c;
	c->count = 0;
}

static u64 caches_empty(void)
{
	struct stack_cache taken;
	u64 freed = 0;

	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		taken.count = 0;
		smp_call(BIT(cpu), cache_take, &taken);
		freed += taken.count;
		while (taken.count)
			kvm_free(taken.stack[--taken.count]);
	}
	return freed * (KSTACK_SIZE / PAGE_SIZE);
}

static bool span_is_static(const struct span *s)
{
	return s >= static_spans && s < static_spans + STATIC_SPANS;
}

/* A struct to reuse that is from the heap; NULL: none is left, or kvm_alloc might need it. */
static struct span *span_surplus(void)
{
	struct span *s, *found = NULL;
	u32 n = 0;

	spin_lock(&kvm_lock);
	list_for_each(s, &spare_spans, free) {
		if (!found && !span_is_static(s))
			found = s;
		if (++n > SPANS_KEPT && found)
			break;
	}
	if (n > SPANS_KEPT && found)
		list_del(&found->free);
	else
		found = NULL;
	spin_unlock(&kvm_lock);
	return found;
}

/* Memory pressure: the depot's stacks. Asked for all there is, those the CPUs keep too. */
static u64 stacks_shrink(u64 want)
{
	u64 freed = want == PMM_SHRINK_ALL ? caches_empty() : 0;
	struct span *s;
	void *stack;

	while (freed < want && (stack = depot_take()) != NULL) {
		kvm_free(stack);
		freed += KSTACK_SIZE / PAGE_SIZE;
	}
	while ((s = span_surplus()) != NULL)
		kfree(s);
	return freed;
}

static struct shrinker stacks_shrinker = { .name = "stacks", .shrink = stacks_shrink };

/*
 * Prepare for use with the slab allocator. Mapping device registers works before.
 * ctx: boot
 */
void kvm_init(void)
{
	slab_runs = true;
	pmm_add_shrinker(&stacks_shrinker);
}

/*
 * A kernel stack of KSTACK_SIZE bytes; its contents are undefined.
 * ctx: thread; sleeps: for frames when none is kept. Returns the lowest address or NULL.
 */
void *kvm_stack_alloc(void)
{
	u64 irq = irq_save();
	struct stack_cache *c = this_cpu_ptr(stack_cache);
	void *stack;

	if (unlikely(mm_fail_nth_hit(0))) {
		irq_restore(irq);
		return NULL;
	}
	if (unlikely(!c->count) && READ_ONCE(depot_count))
		stacks_refill(c);
	stack = c->count ? c->stack[--c->count] : NULL;
	irq_restore(irq);
	if (!stack)
		return kvm_alloc(KSTACK_SIZE, 0);
	kasan_unpoison(stack, KSTACK_SIZE);
	return stack;
}

/*
 * Give a stack back.
 * ctx: any but IRQ; consumes: stack
 */
void kvm_stack_free(void *stack)
{
	u64 irq = irq_save();
	struct stack_cache *c = this_cpu_ptr(stack_cache);
	bool kept;

	kasan_poison(stack, KSTACK_SIZE, KASAN_STACK_FREE);
	if (unlikely(c->count == STACKS_KEPT) && READ_ONCE(depot_count) < DEPOT_MAX)
		stacks_drain(c);
	kept = c->count < STACKS_KEPT;
	if (kept)
		c->stack[c->count++] = stack;
	irq_restore(irq);
	if (!kept)
		kvm_free(stack);
}

/*
 * Frames of memory mapped in the area (stacks kept for reuse included).
 * ctx: any
 */
u64 kvm_used_frames(void)
{
	return READ_ONCE(used_frames);
}

/*
 * True when @va lies in the area but belongs to no mapping: a guard page, or nothing.
 * ctx: any (panic); false when the lock is busy
 */
bool kvm_is_guard(vaddr_t va)
{
	struct span *s;
	bool guard;

	if (va < VMALLOC_BASE || va >= VMALLOC_BASE + VMALLOC_SIZE || !spin_trylock(&kvm_lock))
		return false;
	s = span_find(va);
	guard = !s || va >= s->start + s->size - PAGE_SIZE;
	spin_unlock(&kvm_lock);
	return guard;
}
