/*
 * The page cache: which page holds which part of a file, who fills it, and how it goes.
 *
 * A page is in at most one cache, at one index; cache and index in struct page say so as long as it
 * is in. The cache holds one reference; finding a page takes another, so a page that truncation
 * takes out lives on until its last reader, mapping or device lets go, with cache = NULL as the
 * sign that it is nobody's any more.
 *
 * First fill. Whoever finds an index empty inserts a new page locked and not up to date, fills it,
 * and unlocks it; others find that page and wait for its lock, then look again. A fill that fails
 * takes the page out and marks it PG_ERROR: the waiters return -EIO, the next reader tries anew.
 * Memory-only caches need no fill: their pages are zeroed before they are inserted and up to date
 * from the start.
 *
 * Locks: .lock guards tree and counters; page locks (PG_LOCKED, waited for on a hashed table of
 * queues) are taken outside it. Truncation lowers .size, removes the pages, then unmaps them (see
 * unmap.c for why in this order); pagecache_get_mapped checks .size under .lock, so that a fault
 * does not bring back a page beyond the end. Tree nodes are allocated before the lock is taken and
 * freed after it is released.
 */
#include <linux/errno.h>
#include <arch/barrier.h>
#include <arch/cpu.h>
#include "kernel/base/panic.h"
#include "kernel/base/percpu.h"
#include "kernel/base/time.h"
#include "kernel/sched/waitq.h"
#include "mm/slab.h"
#include "mm/vm/pagecache.h"
#include "mm/vm/pagecache_internal.h"
#include "mm/vm/vm_internal.h"
#include "mm/vm/writeback.h"

#define PAGE_QUEUES 64u

static struct waitq page_queues[PAGE_QUEUES];
static struct kmem_cache *node_cache;
static PERCPU(s64, cached_frames);
static PERCPU(s64, memory_frames);

/* Boot: node objects and wait queues. */
void pagecache_setup(void)
{
	node_cache = kmem_cache_create("radix_node", sizeof(struct radix_node), 0);
	for (u32 i = 0; i < PAGE_QUEUES; i++)
		waitq_init(&page_queues[i]);
	reclaim_setup();
}

/* An empty cache of @owner. ctx: any */
void pagecache_init(struct pagecache *pc, const struct pagecache_ops *ops, void *owner)
{
	memset(pc, 0, sizeof(*pc));
	spin_init(&pc->lock, RANK_PAGECACHE);
	spin_init(&pc->maps_lock, RANK_VM_OBJECT);
	radix_init(&pc->pages);
	list_init(&pc->maps);
	list_init(&pc->dirty_link);
	pc->ops = ops;
	pc->owner = owner;
	if (ops->fill)
		reclaim_add(pc);
}

/* Frames in all caches. ctx: any */
u64 pagecache_total_frames(void)
{
	return PERCPU_SUM(cached_frames);
}

/* Frames in memory-only caches. ctx: any */
u64 pagecache_memory_frames(void)
{
	return PERCPU_SUM(memory_frames);
}

static void count_frame(const struct pagecache *pc, s64 n)
{
	PERCPU_ADD(cached_frames, n);
	if (pagecache_in_memory(pc))
		PERCPU_ADD(memory_frames, n);
}

/* Where those wait who wait for @p. ctx: any */
struct waitq *page_queue(const struct page *p)
{
	return &page_queues[((u64)p / sizeof(*p) * 0x9e3779b97f4a7c15ull) >> 58];
}

/* ctx: any */
bool page_trylock(struct page *p)
{
	return !(__atomic_fetch_or(&p->flags, PG_LOCKED, __ATOMIC_ACQUIRE) & PG_LOCKED);
}

/* Become the one who may do I/O on @p or take it out. ctx: thread; sleeps. */
void page_lock(struct page *p)
{
	if (!page_trylock(p))
		wait_event(page_queue(p), page_trylock(p));
}

/* ctx: any */
void page_unlock(struct page *p)
{
	page_flag_clear(p, PG_LOCKED);
	waitq_wake_all(page_queue(p));
}

static void pool_drain(struct radix_pool *pool)
{
	struct radix_node *n;

	while ((n = radix_pool_take(pool)))
		kmem_cache_free(node_cache, n);
}

static int __must_check pool_fill(struct radix_pool *pool, u32 count)
{
	while (pool->count < count) {
		struct radix_node *n = kmem_cache_alloc(node_cache, 0);

		if (!n)
			return -ENOMEM;
		radix_pool_put(pool, n);
	}
	return 0;
}

/* Insert under the lock; the tree takes over the caller's reference. */
static int insert_locked(struct pagecache *pc, u64 index, struct page *p, struct radix_pool *pool)
{
	int err;

	p->cache = pc;
	p->index = index;
	p->type = PAGE_CACHE;
	err = radix_insert(&pc->pages, index, p, pool);
	if (err) {
		p->cache = NULL;
		return err;
	}
	pc->npages++;
	return 0;
}

/*
 * Put @p at @index; with @bounded only when that lies within .size. Consumes a reference on
 * success.
 * ctx: thread; sleeps. 0, -EEXIST, -ENOMEM, -EIO (out of bounds).
 */
int pagecache_add(struct pagecache *pc, u64 index, struct page *p, bool bounded)
{
	struct radix_pool pool = { NULL, 0 };
	u32 need = 0;
	int err;

	do {
		err = pool_fill(&pool, need);
		if (err)
			break;
		spin_lock(&pc->lock);
		if (bounded && index >= DIV_ROUND_UP(READ_ONCE(pc->size), PAGE_SIZE))
			err = -EIO;
		else
			err = insert_locked(pc, index, p, &pool);
		need = radix_nodes_needed(&pc->pages, index);
		spin_unlock(&pc->lock);
	} while (err == -ENOMEM && pool.count < need);
	pool_drain(&pool);
	if (!err)
		count_frame(pc, 1);
	return err;
}

/* Under the lock: out of tree and counters. The tree's reference passes to the caller. */
static void remove_locked(struct pagecache *pc, struct page *p, struct radix_pool *pool)
{
	radix_erase(&pc->pages, p->index, pool);
	if (page_flag_clear(p, PG_DIRTY) & PG_DIRTY) {
		pc->ndirty--;
		writeback_count(-1);
	}
	pc->npages--;
	p->cache = NULL;
}

/*
 * Take @p out if it still is in, and drop the cache's reference. With @clean a dirty one stays, and
 * false is returned. ctx: thread
 */
static bool page_take(struct pagecache *pc, struct page *p, bool clean)
{
	struct radix_pool pool = { NULL, 0 };
	bool in, stays;

	spin_lock(&pc->lock);
	in = p->cache == pc;
	stays = in && clean && page_flag(p, PG_DIRTY);
	if (in && !stays)
		remove_locked(pc, p, &pool);
	spin_unlock(&pc->lock);
	pool_drain(&pool);
	if (in && !stays) {
		count_frame(pc, -1);
		page_put(p);
	}
	return !stays;
}

static void page_remove(struct pagecache *pc, struct page *p)
{
	(void)page_take(pc, p, false);
}

static struct page *find_any(struct pagecache *pc, u64 index)
{
	struct page *p;

	spin_lock(&pc->lock);
	p = radix_lookup(&pc->pages, index);
	if (p)
		page_get(p);
	spin_unlock(&pc->lock);
	return p;
}

/*
 * Up-to-date page with a reference, or NULL. ctx: thread or any that holds no PAGECACHE lock;
 * sleeps: no.
 */
struct page *pagecache_find(struct pagecache *pc, u64 index)
{
	struct page *p = find_any(pc, index);

	if (!p || page_flag(p, PG_UPTODATE)) {
		if (p && !page_flag(p, PG_REFERENCED))
			page_flag_set(p, PG_REFERENCED);
		return p;
	}
	page_put(p);
	return NULL;
}

/*
 * A page of one's own for @index: ready when the cache is memory-only, else locked and to be
 * filled.
 */
static struct page *page_make(struct pagecache *pc)
{
	struct page *p = pmm_alloc(0, PMM_USER | (pc->ops->fill ? 0 : PMM_ZERO));

	if (p)
		page_flag_set(p, pc->ops->fill ? PG_LOCKED : PG_UPTODATE);
	return p;
}

/* Fill @p, locked. 0, or the fill's error with the page taken out again; unlocked. */
static int page_fill(struct pagecache *pc, struct page *p)
{
	int err = pc->ops->fill(pc, p);

	if (err) {
		page_flag_set(p, PG_ERROR);
		page_remove(pc, p);
	} else {
		page_flag_set(p, PG_UPTODATE);
	}
	page_unlock(p);
	return err;
}

/*
 * Wait for the fill of @p. 0: up to date; -EAGAIN: look it up again; -EIO. A page whose reading
 * ahead failed is still in the cache: it is read once more, now by who needs it. The reference
 * stays the caller's.
 */
static int wait_filled(struct pagecache *pc, struct page *p)
{
	if (page_flag(p, PG_UPTODATE))
		return 0;
	page_lock(p);
	if (unlikely(page_flag(p, PG_HWPOISON))) {
		page_unlock(p);
		return -EIO;
	}
	if (!page_flag(p, PG_UPTODATE) && p->cache == pc) {
		if (pc->ops->fill) {
			page_flag_clear(p, PG_ERROR);
			return page_fill(pc, p);
		}
		/* Only reserved so far: it becomes data now. */
		page_flag_set(p, PG_UPTODATE);
	}
	page_unlock(p);
	if (page_flag(p, PG_UPTODATE))
		return 0;
	return page_flag(p, PG_ERROR) ? -EIO : -EAGAIN;
}

/*
 * Make the absent page. 0 and *out with a reference, -EEXIST: somebody else did, or another error.
 */
static int get_absent(struct pagecache *pc, u64 index, bool bounded, struct page **out)
{
	struct page *p = page_make(pc);
	int err;

	if (!p)
		return -ENOMEM;
	page_get(p);
	err = pagecache_add(pc, index, p, bounded);
	if (err) {
		/* Never seen by anybody: both references are ours. */
		page_put(p);
		goto put;
	}
	if (pc->ops->fill) {
		err = page_fill(pc, p);
		if (err)
			goto put;
	}
	*out = p;
	return 0;
put:
	page_put(p);
	return err;
}

static int get_page(struct pagecache *pc, u64 index, bool bounded, struct page **out, bool *major)
{
	for (;;) {
		struct page *p = find_any(pc, index);
		int err;

		if (p) {
			err = wait_filled(pc, p);
			if (!err) {
				*out = p;
				return 0;
			}
			if (bounded && page_flag(p, PG_HWPOISON))
				err = -EHWPOISON;
			page_put(p);
		} else {
			if (pc->ops->fill)
				*major = true;
			err = get_absent(pc, index, bounded, out);
			if (err == -EEXIST)
				continue;
			return err;
		}
		if (err != -EAGAIN)
			return err;
	}
}

/* Up-to-date page, made and filled if need be; see the header. ctx: thread; sleeps. */
int pagecache_get(struct pagecache *pc, u64 index, struct page **out)
{
	bool major;

	return get_page(pc, index, false, out, &major);
}

/* As pagecache_get, for faults: -EIO beyond .size, -EHWPOISON. ctx: thread; sleeps. */
int pagecache_get_mapped(struct pagecache *pc, u64 index, u32 order, struct page **out, bool *major)
{
	if (index >= DIV_ROUND_UP(READ_ONCE(pc->size), PAGE_SIZE))
		return -EIO;
	if (pc->ra_pages) {
		*out = pagecache_find(pc, index);
		if (*out) {
			if (unlikely(page_flag(*out, PG_READAHEAD)))
				readahead_hit(pc, *out, order);
			return 0;
		}
		*major = true;
		readahead_miss(pc, index, 1, order);
	}
	return get_page(pc, index, true, out, major);
}

/* As pagecache_get; -ENOENT for what a memory-only cache does not hold. ctx: thread; sleeps. */
int pagecache_get_existing(struct pagecache *pc, u64 index, struct page **out)
{
	struct page *p;

	if (pc->ops->fill)
		return pagecache_get(pc, index, out);
	p = pagecache_find(pc, index);
	if (!p)
		return -ENOENT;
	*out = p;
	return 0;
}

/* See the header. ctx: thread; sleeps. */
int pagecache_reserve(struct pagecache *pc, u64 index)
{
	struct page *p = find_any(pc, index);
	int err = 0;

	if (!p) {
		p = pmm_alloc(0, PMM_USER | PMM_ZERO);
		if (!p)
			return -ENOMEM;
		page_get(p);
		err = pagecache_add(pc, index, p, false);
		if (err)
			page_put(p);
	}
	page_put(p);
	return err == -EEXIST ? 0 : err;
}

/* See the header. ctx: thread; sleeps: no */
bool pagecache_lost(struct pagecache *pc, u64 index)
{
	struct page *p = unlikely(vm_retired_frames()) ? find_any(pc, index) : NULL;
	bool lost = p && page_flag(p, PG_HWPOISON);

	if (p)
		page_put(p);
	return lost;
}

/* A page that will be overwritten whole; see the header. ctx: thread; sleeps. 0, -ENOMEM, -EIO. */
int pagecache_get_for_overwrite(struct pagecache *pc, u64 index, struct page **out, bool *fresh)
{
	for (;;) {
		struct page *p = find_any(pc, index);
		int err;

		if (p) {
			err = wait_filled(pc, p);
			if (!err) {
				*fresh = false;
				*out = p;
				return 0;
			}
			page_put(p);
			if (err != -EAGAIN)
				return err;
			continue;
		}
		p = pmm_alloc(0, PMM_USER);
		if (!p)
			return -ENOMEM;
		page_flag_set(p, PG_LOCKED);
		page_get(p);
		err = pagecache_add(pc, index, p, false);
		if (!err) {
			*fresh = true;
			*out = p;
			return 0;
		}
		page_put(p);
		page_put(p);
		if (err != -EEXIST)
			return err;
	}
}

/*
 * End of an overwrite that began with *fresh = true: @ok makes the page valid, else it is taken
 * out.
 * ctx: thread; the page's reference stays the caller's.
 */
void pagecache_fresh_done(struct pagecache *pc, struct page *p, bool ok)
{
	if (ok)
		page_flag_set(p, PG_UPTODATE);
	else
		page_remove(pc, p);
	page_unlock(p);
}

/*
 * Insert a frame that has its contents; consumes the reference on success. ctx: thread; sleeps. 0,
 * -ENOMEM, -EEXIST.
 */
int pagecache_insert(struct pagecache *pc, u64 index, struct page *p)
{
	page_flag_set(p, PG_UPTODATE);
	return pagecache_add(pc, index, p, false);
}

/*
 * @p holds something newer than the backing store. No-op for memory-only caches. ctx: any, no
 * PAGECACHE lock held
 */
void pagecache_mark_dirty(struct pagecache *pc, struct page *p)
{
	if (!pc->ops->write)
		return;
	/* What was stored is seen by who clears the flag before we look at it. */
	smp_mb();
	if (page_flag(p, PG_DIRTY))
		return;
	spin_lock(&pc->lock);
	if (p->cache == pc && !page_flag(p, PG_DIRTY | PG_HWPOISON)) {
		page_flag_set(p, PG_DIRTY);
		radix_tag_set(&pc->pages, p->index, TAG_DIRTY);
		writeback_count(1);
		if (!pc->ndirty++)
			writeback_note(pc);
	}
	spin_unlock(&pc->lock);
}

#define GANG 32

/*
 * Take the pages [first, last] out of the tree, a gang at a time. Pages that may be under I/O are
 * locked first, so that neither a fill nor a write is going on when they leave. With @clean dirty
 * ones stay; false: there was one.
 */
static bool remove_range(struct pagecache *pc, u64 first, u64 last, bool clean)
{
	bool io = pc->ops->fill || pc->ops->write, all = true;
	void *pages[GANG];
	u64 keys[GANG];
	u32 n;

	while (first <= last) {
		spin_lock(&pc->lock);
		n = radix_gang(&pc->pages, first, last, pages, keys, GANG);
		for (u32 i = 0; i < n; i++)
			page_get(pages[i]);
		spin_unlock(&pc->lock);
		if (!n)
			return all;
		for (u32 i = 0; i < n; i++) {
			if (io) {
				page_lock(pages[i]);
				page_wait_writeback(pages[i]);
			}
			all &= page_take(pc, pages[i], clean);
			if (io)
				page_unlock(pages[i]);
			page_put(pages[i]);
		}
		if (keys[n - 1] == ~0ull)
			return all;
		first = keys[n - 1] + 1;
	}
	return all;
}

/* See the header. ctx: thread; sleeps */
int pagecache_invalidate(struct pagecache *pc, u64 first, u64 last)
{
	bool all = !pc->npages || remove_range(pc, first, last, true);

	vm_unmap_object(pc, first, last, false);
	return all ? 0 : -EBUSY;
}

/* Zero bytes [start, end) of the page they lie in, if it is cached. */
static void zero_part(struct pagecache *pc, u64 start, u64 end)
{
	struct page *p;

	if (start >= end)
		return;
	p = pagecache_find(pc, start >> PAGE_SHIFT);
	if (!p)
		return;
	memset((char *)page_to_va(p) + (start & PAGE_MASK), 0, end - start);
	pagecache_mark_dirty(pc, p);
	page_put(p);
}

/*
 * Set the size to @size. What lies beyond leaves memory and every mapping, private copies included.
 * ctx: thread; holds: the inode's lock exclusively; sleeps.
 */
void pagecache_truncate(struct pagecache *pc, u64 size)
{
	u64 old = READ_ONCE(pc->size);

	store_release(&pc->size, size);
	if (size >= old)
		return;
	(void)remove_range(pc, DIV_ROUND_UP(size, PAGE_SIZE), ~0ull, false);
	vm_unmap_object(pc, DIV_ROUND_UP(size, PAGE_SIZE), ~0ull, true);
	if (size & PAGE_MASK)
		zero_part(pc, size, ALIGN_UP(size, (u64)PAGE_SIZE));
}

/*
 * Make bytes [@start, @end) a hole: whole pages leave memory and mappings (private copies stay),
 * partial ones are zeroed.
 * ctx: thread; holds: the inode's lock exclusively; sleeps.
 */
void pagecache_punch(struct pagecache *pc, u64 start, u64 end)
{
	u64 first = DIV_ROUND_UP(start, PAGE_SIZE), last = end >> PAGE_SHIFT;

	if (start >= end)
		return;
	if (first > last) {
		zero_part(pc, start, end);
		return;
	}
	zero_part(pc, start, first << PAGE_SHIFT);
	if (first < last) {
		(void)remove_range(pc, first, last - 1, false);
		vm_unmap_object(pc, first, last - 1, false);
	}
	zero_part(pc, last << PAGE_SHIFT, end);
}

/* Drop everything; no mapping is left. ctx: thread; sleeps only when pages are under I/O. */
void pagecache_fini(struct pagecache *pc)
{
	debug_assert(list_empty(&pc->maps));
	if (pc->ops->write)
		writeback_unlist(pc);
	if (pc->ops->fill)
		reclaim_remove(pc);
	if (pc->npages)
		(void)remove_range(pc, 0, ~0ull, false);
}

/* See the header. ctx: thread; sleeps: no */
bool pagecache_is_busy(struct pagecache *pc)
{
	void *pages[GANG];
	u64 keys[GANG], at = 0;
	bool busy = false;
	u32 n = READ_ONCE(pc->npages) ? GANG : 0;

	while (n == GANG && !busy) {
		spin_lock(&pc->lock);
		n = radix_gang(&pc->pages, at, ~0ull, pages, keys, GANG);
		for (u32 i = 0; i < n; i++)
			busy |= page_flag(pages[i], PG_WRITEBACK | PG_LOCKED);
		spin_unlock(&pc->lock);
		if (n)
			at = keys[n - 1] + 1;
	}
	return busy;
}

/* Out of the cache if it is clean and nobody else has it. holds: pc->lock */
static bool forget_locked(struct pagecache *pc, struct page *p, struct radix_pool *pool)
{
	const u16 busy = PG_DIRTY | PG_WRITEBACK | PG_LOCKED;

	if (page_refs(p) != 1 || (READ_ONCE(p->flags) & busy))
		return false;
	remove_locked(pc, p, pool);
	return true;
}

/* The clean pages of a gang from *@at to @last; with @spare the used ones stay, once. */
static u64 take_gang(struct pagecache *pc, u64 *at, u64 last, bool spare)
{
	struct radix_pool pool = { NULL, 0 };
	void *pages[GANG];
	u64 keys[GANG];
	u32 n, gone = 0;

	spin_lock(&pc->lock);
	n = radix_gang(&pc->pages, *at, last, pages, keys, GANG);
	for (u32 i = 0; i < n; i++) {
		struct page *p = pages[i];

		if (spare && (page_flag_clear(p, PG_REFERENCED) & PG_REFERENCED))
			continue;
		if (forget_locked(pc, p, &pool))
			pages[gone++] = p;
	}
	spin_unlock(&pc->lock);
	pool_drain(&pool);
	count_frame(pc, -(s64)gone);
	for (u32 i = 0; i < gone; i++)
		page_put(pages[i]);
	*at = n == GANG ? keys[n - 1] + 1 : 0;
	return gone;
}

/* See pagecache_internal.h. ctx: thread; sleeps: no */
u64 pagecache_take_clean(struct pagecache *pc, u64 *at, bool all)
{
	return take_gang(pc, at, ~0ull, !all);
}

/* See the header. Memory-only caches have nothing to read it from again. ctx: thread; sleeps: no */
u64 pagecache_forget(struct pagecache *pc, u64 first, u64 last)
{
	u64 total = 0;

	if (!pc->ops->fill)
		return 0;
	do {
		total += take_gang(pc, &first, last, false);
	} while (first && first <= last);
	return total;
}

/* First index >= @from with a page, ~0 if there is none. ctx: thread */
u64 pagecache_next_data(struct pagecache *pc, u64 from)
{
	u64 key = from;
	void *p;

	spin_lock(&pc->lock);
	p = radix_next(&pc->pages, &key);
	spin_unlock(&pc->lock);
	return p ? key : ~0ull;
}

/* First index >= @from without a page. ctx: thread */
u64 pagecache_next_hole(struct pagecache *pc, u64 from)
{
	void *items[GANG];
	u64 keys[GANG];

	for (;;) {
		u32 n, i;

		spin_lock(&pc->lock);
		n = radix_gang(&pc->pages, from, ~0ull, items, keys, GANG);
		spin_unlock(&pc->lock);
		for (i = 0; i < n && keys[i] == from; i++)
			from++;
		if (i < GANG)
			return from;
	}
}
