/*
 * Taking mappings away: munmap, truncation, exit.
 *
 * Frames go back only after no CPU can reach them any more. Entries are cleared under the pmap
 * lock, the frames collected in a batch on the stack; when the batch is full or the range is done,
 * one TLB flush covers the cleared addresses, and then the references are dropped. An address space
 * that is being torn down skips the flush, and the clearing of what is in no cache: no thread runs
 * in it, its ASID is never used again, and pmap_fini frees the tables next.
 *
 * Against faults: a fault installs an entry under the pmap lock after it has found the region (sem
 * held for reading, so munmap is out) and, for cache pages, re-checked under that lock that the
 * page still is in the cache and within the file's size. Truncation lowers the size and takes the
 * pages out of the cache first, then visits each mapping here under the same pmap lock: an entry
 * made before is found and cleared, a fault that comes after sees that the page is gone.
 */
#include "mm/vm/vm_internal.h"

#define BATCH_PAGES 64

struct unmap_batch {
	struct pmap *pmap;
	u32 how;
	u32 n;
	vaddr_t lo, hi; /* addresses whose entries were cleared since the last flush */
	u64 anon, other; /* pages to take off the counters */
	struct page *pages[BATCH_PAGES];
};

static void batch_flush(struct unmap_batch *b)
{
	if (b->hi > b->lo) {
		if (b->hi - b->lo == PAGE_SIZE)
			tlb_flush_page(b->pmap, b->lo);
		else
			tlb_flush_range(b->pmap, b->lo, b->hi);
	}
	for (u32 i = 0; i < b->n; i++)
		page_put(b->pages[i]);
	b->n = 0;
	b->lo = b->hi = 0;
}

static inline void batch_add(struct unmap_batch *b, struct page *p)
{
	if (p->type == PAGE_ANON)
		b->anon++;
	else
		b->other++;
	b->pages[b->n++] = p;
	if (b->n == BATCH_PAGES)
		batch_flush(b);
}

/* Device frames have no struct page: only the entries go. */
static void unmap_leaf_device(struct unmap_batch *b, pte_t *slot, vaddr_t va, vaddr_t stop)
{
	for (; va < stop; va += PAGE_SIZE, slot++) {
		if (!pte_present(*slot))
			continue;
		pte_set(slot, 0);
		if (b->hi == b->lo)
			b->lo = va;
		b->hi = va + PAGE_SIZE;
	}
}

/* One leaf table's part: @slot is the entry of @va. */
static void unmap_leaf(struct unmap_batch *b, struct region *r, pte_t *slot, vaddr_t va,
		       vaddr_t stop)
{
	bool keep = b->how & UNMAP_KEEP_COPIES, dying = b->how & UNMAP_DYING;
	bool written = (r->flags & VM_SHARED) && r->cache && r->cache->ops->write;

	for (; va < stop; va += PAGE_SIZE, slot++) {
		pte_t pte = *slot;
		struct page *p;

		if (!pte_present(pte))
			continue;
		p = pa_to_page(pte_pa(pte));
		if (keep && p->type == PAGE_ANON)
			continue;
		if (!dying) {
			pte_set(slot, 0);
			if (b->hi == b->lo)
				b->lo = va;
			b->hi = va + PAGE_SIZE;
		} else if (r->cache) {
			pte_set(slot, 0); /* truncation finds the region until it is unlinked */
		}
		if (written && pte_dirty(pte))
			pagecache_mark_dirty(r->cache, p);
		if (page_counted(p))
			batch_add(b, p);
	}
}

static void unmap_uncount(struct region *r, const struct unmap_batch *b)
{
	struct vmspace *vm = r->vm;

	if (b->anon)
		atomic_sub(&vm->rss_anon, b->anon);
	if (b->other)
		atomic_sub(r->cache && pagecache_in_memory(r->cache) ? &vm->rss_shmem
								     : &vm->rss_file,
			   b->other);
}

/*
 * Clear the entries of @r in [@start, @end) and drop their frames. @how: UNMAP_*.
 * ctx: thread; holds: sem, or the cache's maps_lock; sleeps: no.
 */
void unmap_entries(struct region *r, vaddr_t start, vaddr_t end, u32 how)
{
	struct pmap *pm = &r->vm->pmap;
	struct unmap_batch b;

	b.pmap = pm;
	b.how = how;
	b.n = 0;
	b.lo = b.hi = 0;
	b.anon = b.other = 0;
	spin_lock(&pm->lock);
	for (vaddr_t va = start; (va = pmap_next_leaf(pm, va, end)) < end;) {
		vaddr_t stop = MIN(LEAF_END(va), end);
		pte_t *slot = pmap_leaf(pm, va);

		if (unlikely(r->flags & VM_DEVICE))
			unmap_leaf_device(&b, slot, va, stop);
		else
			unmap_leaf(&b, r, slot, va, stop);
		va = stop;
	}
	batch_flush(&b);
	spin_unlock(&pm->lock);
	unmap_uncount(r, &b);
}

/* Take the regions of [@start, @end), already isolated, out of the tree. */
static void unmap_regions(struct vmspace *vm, vaddr_t start, vaddr_t end, u32 how)
{
	struct region *r = region_find(vm, start), *next;

	for (; r && r->start < end; r = next) {
		next = vm_next(r);
		/* Entries first: once off its cache's list, truncation no longer finds them. */
		unmap_entries(r, r->start, r->end, how);
		region_unlink(r);
		if (r->flags & VM_ACCOUNT)
			vm_uncommit(region_pages(r));
		region_free(r);
	}
}

/*
 * Leaf tables that no region needs any more; small ranges keep theirs, the next mapping likely
 * wants it.
 */
static void unmap_tables(struct vmspace *vm, vaddr_t start, vaddr_t end)
{
	struct region *prev, *next;

	if (end - start < LEAF_SPAN)
		return;
	prev = region_before(vm, start);
	next = region_find(vm, end);
	spin_lock(&vm->pmap.lock);
	pmap_free_tables(&vm->pmap, prev ? prev->end : 0, next ? next->start : USER_TOP);
	spin_unlock(&vm->pmap.lock);
}

/*
 * munmap of the page-aligned range [@start, @end).
 * holds: sem for writing; sleeps. 0, or -ENOMEM when a region had to be split and could not:
 * nothing is unmapped then.
 */
int unmap_locked(struct vmspace *vm, vaddr_t start, vaddr_t end)
{
	int err;

	if (!region_overlaps(vm, start, end))
		return 0;
	err = region_isolate(vm, start, end, true);
	if (err)
		return err;
	vm_note_peak(vm);
	unmap_regions(vm, start, end, 0);
	unmap_tables(vm, start, end);
	region_gap_opened(vm, start, end);
	return 0;
}

/*
 * munmap(2): remove every mapping in the range; holes are allowed.
 * ctx: thread; sleeps. 0, -EINVAL (unaligned, empty, or outside user space), -ENOMEM.
 */
int vm_unmap(struct vmspace *vm, vaddr_t addr, u64 len)
{
	u64 size = ALIGN_UP(len, (u64)PAGE_SIZE);
	int err;

	if ((addr & PAGE_MASK) || !size || size < len || size > USER_TOP || addr > USER_TOP - size)
		return -EINVAL;
	rwsem_write_lock(&vm->sem);
	err = unmap_locked(vm, addr, addr + size);
	rwsem_write_unlock(&vm->sem);
	return err;
}

/*
 * Unmap everything: the end of an address space, or its emptying before exec's new image.
 * ctx: thread; sleeps.
 */
void vm_unmap_all(struct vmspace *vm)
{
	u32 how = ref_read(&vm->users) == 0 ? UNMAP_DYING : 0;

	rwsem_write_lock(&vm->sem);
	vm_note_peak(vm);
	unmap_regions(vm, 0, USER_TOP, how);
	vm->gap_top = 0;
	rwsem_write_unlock(&vm->sem);
}

/*
 * Take the pages [@first, @last] (indices, inclusive) of @pc out of every address space; private
 * copies too with @even_cow (truncation), else they stay (a punched hole). The caller has made sure
 * that faults no longer find the pages.
 * ctx: thread; sleeps: no.
 */
void vm_unmap_object(struct pagecache *pc, u64 first, u64 last, bool even_cow)
{
	struct region *r;

	if (list_empty(&pc->maps) || first > last)
		return;
	spin_lock(&pc->maps_lock);
	list_for_each(r, &pc->maps, object_link) {
		u64 lo = MAX(first, r->pgoff), hi = r->pgoff + region_pages(r) - 1;
		vaddr_t base = r->start - (r->pgoff << PAGE_SHIFT);

		if (hi > last)
			hi = last;
		if (lo > hi)
			continue;
		unmap_entries(r, base + (lo << PAGE_SHIFT), base + ((hi + 1) << PAGE_SHIFT),
			      even_cow ? 0 : UNMAP_KEEP_COPIES);
	}
	spin_unlock(&pc->maps_lock);
}
