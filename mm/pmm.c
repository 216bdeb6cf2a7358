/*
 * Page frames: allocation and freeing.
 *
 * A binary buddy allocator over one flat array of struct page. The head of a free block of 2^n
 * frames has type PAGE_FREE and order n and hangs on free[n]; every other frame of the block is
 * PAGE_NONE. A block is merged with its buddy, the block whose index differs in bit n only, when
 * that is free and of the same order. The array begins at a multiple of the largest block, so
 * indexes serve as well as frame numbers.
 *
 * In front of the lists each CPU keeps a stack of single frames: allocation and freeing of order 0
 * normally are a pop and a push with interrupts off, no lock and nothing shared. A stack is filled
 * and emptied in batches. Its frames are PAGE_NONE with refs 0, so buddies do not merge with them.
 *
 * Life of a frame: free block -> CPU stack -> allocated (refs 1 or more) -> CPU stack -> free
 * block.
 *
 * When the lists run dry: a part of memory is kept back (the reserve), for user memory all of it,
 * for the kernel a half, for callers that cannot wait a quarter; PMM_RESERVE callers, which are
 * about to free memory, may use the last frame. Who may wait then asks the shrinkers, then the
 * out-of-memory handler, and only then gets NULL.
 *
 * Locking: pmm_state.lock (rank PMM, interrupts off) guards the lists; the stacks belong to their
 * CPU. See Knuth, The Art of Computer Programming 1, 2.5, for the buddy system.
 */
#include <arch/cpu.h>
#include "kernel/base/percpu.h"
#include "mm/mm_debug.h"
#include "mm/pmm_internal.h"

#define CPU_STACK_MAX 128
#define RESERVE_MIN 24 /* frames */
#define SPARE_PART 64 /* of memory: not for files in memory */
#define RETRIES_MAX 64 /* rounds of reclaim before an allocation gives up */

struct pmm_cpu {
	u32 count; /* o */
	struct page *page[CPU_STACK_MAX]; /* o */
};

static PERCPU(struct pmm_cpu, pmm_cpu);

struct page *pmm_pages;
u64 pmm_base_pfn;
u64 pmm_end_pfn;

struct pmm_state pmm_state = { .lock = SPINLOCK_INIT(RANK_PMM) };

struct mm_fail pmm_fail;
static struct shrinker *shrinkers; /* I after boot */
static bool (*oom_handler)(u32 order); /* I after boot */

/*
 * Empty lists, and limits in proportion to memory: a small machine keeps little back.
 * ctx: boot
 */
void pmm_state_init(u64 ram)
{
	struct pmm_state *s = &pmm_state;

	for (u32 i = 0; i <= PMM_MAX_ORDER; i++)
		list_init(&s->free[i]);
	s->ram = ram;
	s->reserve = MIN(MAX(ram / 256, (u64)RESERVE_MIN), 512ull);
	s->cpu_max = (u32)MIN(MAX(ram / 2048, 8ull), (u64)CPU_STACK_MAX);
	s->cpu_batch = s->cpu_max / 4;
}

static void block_insert(struct page *p, u32 order)
{
	p->refs = 0;
	p->flags = 0;
	p->order = (u8)order;
	p->type = PAGE_FREE;
	list_add(&pmm_state.free[order], &p->free);
	pmm_state.blocks[order]++;
	pmm_state.nonempty |= 1u << order;
}

static void block_remove(struct page *p, u32 order)
{
	list_del(&p->free);
	pmm_state.blocks[order]--;
	if (list_empty(&pmm_state.free[order]))
		pmm_state.nonempty &= ~(1u << order);
	p->order = 0;
	p->type = PAGE_NONE;
}

/* Merge a block with its free buddies and put it on its list. */
static void buddy_free(struct page *p, u32 order)
{
	u64 index = (u64)(p - pmm_pages);

	pmm_state.nfree += 1ull << order;
	for (; order < PMM_MAX_ORDER; order++) {
		struct page *buddy = &pmm_pages[index ^ (1ull << order)];

		/* The owner of an allocated buddy may write its type, but never PAGE_FREE. */
		if (READ_ONCE(buddy->type) != PAGE_FREE || buddy->order != order)
			break;
		block_remove(buddy, order);
		index &= ~(1ull << order);
	}
	block_insert(&pmm_pages[index], order);
}

/* Take a block of at least 2^@order frames off the lists and cut it to size. NULL: none. */
static struct page *buddy_alloc(u32 order)
{
	u32 usable = pmm_state.nonempty >> order;
	struct page *p;
	u32 o;

	if (!usable)
		return NULL;
	o = order + (u32)__builtin_ctz(usable);
	p = list_first(&pmm_state.free[o], struct page, free);
	block_remove(p, o);
	while (o > order) {
		o--;
		block_insert(p + (1ull << o), o);
	}
	pmm_state.nfree -= 1ull << order;
	return p;
}

/*
 * Give frames to the allocator, as the largest aligned blocks that fit.
 * ctx: any
 */
void pmm_insert_range(u64 pfn, u64 end)
{
	u64 irq = spin_lock_irqsave(&pmm_state.lock);

	kasan_frames_insert(pfn, end);
	pmm_state.total += end - pfn;
	while (pfn < end) {
		u64 index = pfn - pmm_base_pfn;
		u32 fit = 63 - (u32)__builtin_clzll(end - pfn);
		u32 order = MIN(index ? (u32)__builtin_ctzll(index) : PMM_MAX_ORDER, fit);

		order = MIN(order, (u32)PMM_MAX_ORDER);
		buddy_free(&pmm_pages[index], order);
		pfn += 1ull << order;
	}
	spin_unlock_irqrestore(&pmm_state.lock, irq);
}

/* Frames that an allocation with @flags must leave on the lists. */
static u64 frames_kept(u32 flags)
{
	if (flags & PMM_RESERVE)
		return 0;
	if (flags & PMM_USER)
		return pmm_state.reserve;
	return flags & PMM_NOWAIT ? pmm_state.reserve / 4 : pmm_state.reserve / 2;
}

/* Refill this CPU's stack from the lists and pop one. IRQs off. */
static struct page *stack_refill(u32 flags)
{
	struct pmm_cpu *c = this_cpu_ptr(pmm_cpu);
	u64 kept = frames_kept(flags);
	u64 want;

	if (c->count)
		return c->page[--c->count];
	spin_lock(&pmm_state.lock);
	want = pmm_state.nfree > kept ? MIN(pmm_state.nfree - kept, (u64)pmm_state.cpu_batch) : 0;
	while (want) {
		u32 order = 63 - (u32)__builtin_clzll(want);
		struct page *p;

		/* A whole block when one is there, else the smaller ones that are left. */
		order = MIN(order, (u32)__builtin_ctz(pmm_state.nonempty | 1u << PMM_MAX_ORDER));
		p = buddy_alloc(order);
		if (!p)
			break;
		/* The lowest frame on top: consecutive allocations get ascending addresses. */
		for (u64 i = 1ull << order; i-- > 0;)
			c->page[c->count++] = p + i;
		want -= 1ull << order;
	}
	spin_unlock(&pmm_state.lock);
	return c->count ? c->page[--c->count] : NULL;
}

/* Give @n frames of this CPU's stack back to the lists. IRQs off. */
static void stack_drain(struct pmm_cpu *c, u32 n)
{
	spin_lock(&pmm_state.lock);
	while (n-- && c->count)
		buddy_free(c->page[--c->count], 0);
	spin_unlock(&pmm_state.lock);
}

static void stack_push(struct page *p)
{
	u64 irq = irq_save();
	struct pmm_cpu *c = this_cpu_ptr(pmm_cpu);

	c->page[c->count++] = p;
	if (unlikely(c->count >= pmm_state.cpu_max))
		stack_drain(c, pmm_state.cpu_batch);
	irq_restore(irq);
}

/* One attempt at the lists. */
static struct page *alloc_from_lists(u32 order, u32 flags)
{
	u64 irq = irq_save();
	struct page *p = NULL;

	if (order == 0) {
		p = stack_refill(flags);
	} else {
		spin_lock(&pmm_state.lock);
		if (pmm_state.nfree >= frames_kept(flags) + (1ull << order))
			p = buddy_alloc(order);
		spin_unlock(&pmm_state.lock);
	}
	irq_restore(irq);
	return p;
}

/* Ask the shrinkers for @want frames. ctx: thread; sleeps. Returns what they say they freed. */
u64 pmm_shrink(u64 want)
{
	u64 freed = 0;

	arch_current()->reclaiming = true;
	for (struct shrinker *s = shrinkers; s && freed < want; s = s->next)
		freed += s->shrink(want == PMM_SHRINK_ALL ? want : want - freed);
	arch_current()->reclaiming = false;
	return freed;
}

static void stack_drain_this_cpu(void)
{
	u64 irq = irq_save();
	struct pmm_cpu *c = this_cpu_ptr(pmm_cpu);

	stack_drain(c, c->count);
	irq_restore(irq);
}

/*
 * The lists had nothing: make room if the caller may wait. Single frames and user memory are worth
 * a process; large blocks are not, killing seldom makes one.
 */
static struct page *alloc_reclaim(u32 order, u32 flags)
{
	const struct arch_thread *t = arch_current();
	bool wait = !(flags & PMM_NOWAIT) && !t->preempt_count && !irq_disabled() && !t->reclaiming;
	bool all = false;
	struct page *p;

	if (order) {
		stack_drain_this_cpu();
		p = alloc_from_lists(order, flags);
		if (p)
			return p;
	}
	for (u32 i = 0; wait && i < RETRIES_MAX; i++) {
		u64 freed = pmm_shrink(all ? PMM_SHRINK_ALL
					   : MAX(1ull << order, (u64)pmm_state.cpu_batch));

		if (order && freed)
			stack_drain_this_cpu();
		p = alloc_from_lists(order, flags);
		if (p)
			return p;
		if (freed && i < RETRIES_MAX / 2)
			continue;
		if (order && !(flags & PMM_USER))
			return NULL;
		/* What other CPUs keep for themselves comes before a process. */
		all = !all;
		if (all)
			continue;
		if (!oom_handler || !oom_handler(order))
			return NULL;
	}
	return NULL;
}

static inline struct page *block_begin(struct page *p, u32 order)
{
	p->refs = 1;
	p->flags = order ? PG_HEAD : 0;
	p->order = (u8)order;
	p->type = PAGE_NONE;
	p->priv[0] = 0;
	p->priv[1] = 0;
	p->owner = 0;
	return p;
}

static __noinline struct page *block_zero(struct page *p, u32 order)
{
	for (u64 i = 0; i < 1ull << order; i++)
		page_zero(page_to_va(p + i));
	return p;
}

/* All that the first lines of pmm_alloc do not do. */
static __noinline struct page *alloc_slow(u32 order, u32 flags)
{
	struct page *p;

	mm_assert_may_wait(flags);
	if (order > PMM_MAX_ORDER || (pmm_fail.armed && mm_fail_hit(&pmm_fail, flags)))
		return NULL;
	p = alloc_from_lists(order, flags);
	if (!p)
		p = alloc_reclaim(order, flags);
	if (!p)
		return NULL;
	kasan_frames_alloc(p, order);
	if (MM_DEBUG)
		mm_debug_check_frames(p, order);
	block_begin(p, order);
	return flags & PMM_ZERO ? block_zero(p, order) : p;
}

/*
 * Block of 2^@order frames, refs 1 on its head.
 * ctx: any with PMM_NOWAIT, else thread; sleeps: unless PMM_NOWAIT (shrinkers, OOM handler).
 * Returns the head or NULL; the caller owns the block.
 */
struct page *pmm_alloc(u32 order, u32 flags)
{
	struct pmm_cpu *c;
	struct page *p;
	u64 irq;

	if (unlikely(order || pmm_fail.armed || MM_DEBUG))
		return alloc_slow(order, flags);
	irq = irq_save();
	c = this_cpu_ptr(pmm_cpu);
	if (unlikely(!c->count)) {
		irq_restore(irq);
		return alloc_slow(order, flags);
	}
	p = c->page[--c->count];
	irq_restore(irq);
	block_begin(p, 0);
	return flags & PMM_ZERO ? block_zero(p, 0) : p;
}

static inline void block_free(struct page *p, u32 order)
{
	if (MM_DEBUG)
		mm_debug_poison_frames(p, order);
	kasan_frames_free(p, order);
	p->refs = 0;
	p->flags = 0;
	p->order = 0;
	p->type = PAGE_NONE;
	if (likely(order == 0)) {
		stack_push(p);
	} else {
		u64 irq = spin_lock_irqsave(&pmm_state.lock);

		buddy_free(p, order);
		spin_unlock_irqrestore(&pmm_state.lock, irq);
	}
}

/*
 * Free a block that has one reference.
 * ctx: any; consumes: p
 */
void pmm_free(struct page *p, u32 order)
{
	debug_assert(p->refs == 1 && p->type != PAGE_FREE && p->type != PAGE_RESERVED);
	debug_assert(p->order == order);
	block_free(p, order);
}

/*
 * Drop one reference; the last frees the block.
 * ctx: any
 */
void page_put(struct page *p)
{
	u32 left = __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL);

	debug_assert(left != ~0u);
	if (left == 0)
		block_free(p, p->order);
}

/*
 * As pmm_alloc, giving the linear-map address.
 * ctx: as pmm_alloc
 */
void *pmm_alloc_va(u32 order, u32 flags)
{
	struct page *p = pmm_alloc(order, flags);

	return p ? page_to_va(p) : NULL;
}

/*
 * Free what pmm_alloc_va gave.
 * ctx: any; consumes: va
 */
void pmm_free_va(void *va, u32 order)
{
	pmm_free(va_to_page(va), order);
}

/*
 * Free frames now, on lists and CPU stacks; a snapshot.
 * ctx: any
 */
u64 pmm_free_frames(void)
{
	u64 n = READ_ONCE(pmm_state.nfree);

	for (u32 c = 0; c < MAX_CPUS; c++)
		if (c == 0 || cpu_online_mask >> c & 1)
			n += READ_ONCE(per_cpu(pmm_cpu, c).count);
	return n;
}

/* See pmm.h. ctx: any */
u64 pmm_reserve_frames(void)
{
	return READ_ONCE(pmm_state.reserve);
}

/*
 * See pmm.h: at most a quarter of memory, at least what boot would give a small machine. ctx: any
 */
void pmm_set_reserve_frames(u64 n)
{
	WRITE_ONCE(pmm_state.reserve, MIN(MAX(n, (u64)RESERVE_MIN), pmm_state.ram / 4));
}

/*
 * See pmm.h. ctx: any
 */
u64 pmm_spare_frames(void)
{
	u64 kept = pmm_state.reserve + pmm_state.ram / SPARE_PART, n = READ_ONCE(pmm_state.nfree);

	return n > kept ? n - kept : 0;
}

/*
 * How many free blocks of each order the lists hold; the frames on CPU stacks are single blocks.
 * ctx: any
 */
void pmm_get_free_blocks(u64 n[PMM_MAX_ORDER + 1])
{
	u64 irq = spin_lock_irqsave(&pmm_state.lock), listed;

	for (u32 i = 0; i <= PMM_MAX_ORDER; i++)
		n[i] = pmm_state.blocks[i];
	listed = pmm_state.nfree;
	spin_unlock_irqrestore(&pmm_state.lock, irq);
	n[0] += MAX(pmm_free_frames(), listed) - listed;
}

/*
 * Figures for /proc/meminfo.
 * ctx: any
 */
void pmm_get_stats(struct pmm_stats *s)
{
	s->total = READ_ONCE(pmm_state.total);
	s->free = pmm_free_frames();
	s->reserved = pmm_state.ram - s->total;
}

/*
 * Register a shrinker; those registered later are asked first.
 * ctx: boot, or a thread whose lock keeps others from registering
 */
void pmm_add_shrinker(struct shrinker *s)
{
	s->next = shrinkers;
	__atomic_store_n(&shrinkers, s, __ATOMIC_RELEASE);
}

/*
 * Set what is asked when shrinkers found nothing.
 * ctx: boot
 */
void pmm_set_oom_handler(bool (*fn)(u32 order))
{
	oom_handler = fn;
}

/*
 * Fault injection: let @after allocations pass, then fail @count (0: off).
 * ctx: any
 */
void pmm_fail_after(u64 after, u64 count)
{
	mm_fail_set(&pmm_fail, after, count);
}
