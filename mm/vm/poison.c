/*
 * Frames that must not be used any more: memory failures, which here are injected by madvise(2).
 *
 * A retired frame keeps one reference for good, so no allocator sees it again, and PG_HWPOISON.
 *
 * With MADV_HWPOISON its contents are lost. Anonymous memory: every entry that maps the frame goes
 * on pointing to it, out of user reach; the frame becomes PAGE_RESERVED, so that entries no longer
 * count as references or resident memory, may be copied by fork and dropped by munmap. The fault
 * path, and whoever else follows an entry to a frame, meets the flag: -EHWPOISON. Cached pages: a
 * clean one with a file behind it is dropped and will be read again. Another stays in its cache, no
 * longer up to date, which sends everybody into the slow path that finds the flag; truncation or
 * a punched hole takes it out.
 *
 * With MADV_SOFT_OFFLINE the contents move to a new frame. An anonymous frame may move when all its
 * references are entries: then either several of them share it, which nobody writes, or there is
 * one, which is changed under its pmap lock. Anything else that holds it (a pipe, a request) makes
 * the answer -EBUSY.
 *
 * There is no way back from an anonymous frame to its entries but to look at all page tables. That
 * takes long, but happens to those only whose hardware is failing, or who play so.
 */
#include <linux/errno.h>
#include "mm/vm/pagecache_internal.h"
#include "mm/vm/vm_internal.h"
#include "mm/vm/writeback.h"

static atomic64_t retired;

/* One search of all page tables. o: the searcher's */
struct search {
	struct page *p, *to;
	void (*found)(struct search *s, struct vmspace *vm, pte_t *slot, vaddr_t va);
	u32 n;
	bool copied;
};

/* Frames out of use ("HardwareCorrupted"). ctx: any */
u64 vm_retired_frames(void)
{
	return atomic_read(&retired);
}

static void retire(struct page *p)
{
	page_flag_set(p, PG_HWPOISON);
	atomic_inc(&retired);
}

static void search_space(struct vmspace *vm, void *arg)
{
	struct search *s = arg;
	struct pmap *pm = &vm->pmap;
	paddr_t pa = page_to_pa(s->p);

	spin_lock(&pm->lock);
	for (vaddr_t va = 0; (va = pmap_next_leaf(pm, va, USER_TOP)) < USER_TOP;) {
		pte_t *slot = pmap_leaf(pm, va);

		for (vaddr_t stop = LEAF_END(va); va < stop; va += PAGE_SIZE, slot++)
			if (pte_present(*slot) && pte_pa(*slot) == pa)
				s->found(s, vm, slot, va);
	}
	spin_unlock(&pm->lock);
}

static void entry_count(struct search *s, struct vmspace *vm, pte_t *slot, vaddr_t va)
{
	s->n++;
}

/* Remember where, for who wants to tell the process. */
static void entry_note(struct search *s, struct vmspace *vm, pte_t *slot, vaddr_t va)
{
	WRITE_ONCE(vm->poisoned, va);
}

static void entry_poison(struct search *s, struct vmspace *vm, pte_t *slot, vaddr_t va)
{
	pte_set(slot, pte_set_prot(*slot, 0));
	tlb_flush_page(&vm->pmap, va);
	atomic_dec(&vm->rss_anon);
	WRITE_ONCE(vm->poisoned, va);
}

/* s->n entries are left, and hold all references but ours; else something came in between. */
static void entry_move(struct search *s, struct vmspace *vm, pte_t *slot, vaddr_t va)
{
	pte_t pte = *slot;

	if (page_refs(s->p) != s->n + 1)
		return;
	pte_set(slot, 0);
	tlb_flush_page(&vm->pmap, va);
	if (!s->copied) {
		page_copy(page_to_va(s->to), page_to_va(s->p));
		if (page_flag(s->p, PG_EXEC)) {
			pmap_sync_icache(page_to_va(s->to), PAGE_SIZE);
			page_flag_set(s->to, PG_EXEC);
		}
		s->copied = true;
	}
	page_get(s->to);
	pte_set(slot, pte_with_pa(pte - pte_pa(pte), page_to_pa(s->to)));
	page_put(s->p);
	s->n--;
}

static void anon_poison(struct page *p)
{
	struct search s = { .p = p, .found = entry_poison };

	retire(p);
	p->type = PAGE_RESERVED;
	vm_for_each(search_space, &s);
}

/* 0, -EBUSY, -ENOMEM. */
static int anon_offline(struct page *p)
{
	struct search s = { .p = p, .found = entry_count };

	s.to = pmm_alloc(0, PMM_USER);
	if (!s.to)
		return -ENOMEM;
	s.to->type = PAGE_ANON;
	vm_for_each(search_space, &s);
	if (s.n) {
		s.found = entry_move;
		vm_for_each(search_space, &s);
	}
	page_put(s.to);
	if (s.n || !s.copied)
		return -EBUSY;
	retire(p);
	p->type = PAGE_RESERVED;
	return 0;
}

/* Not dirty any more. True: it was. holds: pc->lock */
static bool clear_dirty(struct pagecache *pc, struct page *p)
{
	if (!(page_flag_clear(p, PG_DIRTY) & PG_DIRTY))
		return false;
	radix_tag_clear(&pc->pages, p->index, TAG_DIRTY);
	pc->ndirty--;
	writeback_count(-1);
	return true;
}

static void cached_poison(struct pagecache *pc, struct page *p)
{
	struct search s = { .p = p, .found = entry_note };
	u64 index = p->index;
	bool lost = false;

	page_lock(p);
	page_wait_writeback(p);
	retire(p);
	spin_lock(&pc->lock);
	if (p->cache == pc)
		lost = clear_dirty(pc, p) || !pc->ops->fill;
	if (lost)
		page_flag_clear(p, PG_UPTODATE);
	spin_unlock(&pc->lock);
	page_unlock(p);
	if (lost) {
		vm_for_each(search_space, &s);
		vm_unmap_object(pc, index, index, false);
	} else {
		(void)pagecache_invalidate(pc, index, index);
	}
}

/* Put a copy into the cache in @p's stead, when nobody but cache and caller has @p. */
static bool cached_replace(struct pagecache *pc, struct page *p, struct page *to)
{
	bool alone;

	spin_lock(&pc->lock);
	alone = p->cache == pc && page_refs(p) == 2 && page_flag(p, PG_UPTODATE);
	if (alone) {
		page_copy(page_to_va(to), page_to_va(p));
		to->type = PAGE_CACHE;
		to->cache = pc;
		to->index = p->index;
		to->owner = p->owner;
		page_flag_set(to, p->flags & (PG_UPTODATE | PG_DIRTY));
		(void)radix_replace(&pc->pages, p->index, to);
		page_flag_clear(p, PG_DIRTY);
		p->cache = NULL;
	}
	spin_unlock(&pc->lock);
	return alone;
}

/* 0, -EBUSY, -ENOMEM. */
static int cached_offline(struct pagecache *pc, struct page *p)
{
	u64 index = p->index;
	struct page *to;
	bool moved;

	if (pc->ops->fill && !page_flag(p, PG_DIRTY)) {
		if (pagecache_invalidate(pc, index, index))
			return -EBUSY;
		retire(p);
		return 0;
	}
	to = pmm_alloc(0, PMM_USER);
	if (!to)
		return -ENOMEM;
	page_lock(p);
	page_wait_writeback(p);
	vm_unmap_object(pc, index, index, false);
	moved = cached_replace(pc, p, to);
	page_unlock(p);
	page_put(moved ? p : to);
	if (!moved)
		return -EBUSY;
	retire(p);
	return 0;
}

/* @p, with a reference that is kept on success. */
static int frame_retire(struct region *r, struct page *p, bool soft)
{
	if (p->type == PAGE_ANON) {
		if (soft)
			return anon_offline(p);
		anon_poison(p);
		return 0;
	}
	if (p->type != PAGE_CACHE || !r->cache || p->cache != r->cache)
		return -EBUSY;
	if (soft)
		return cached_offline(r->cache, p);
	cached_poison(r->cache, p);
	return 0;
}

/* Contract in vmspace.h. */
int vm_retire(struct vmspace *vm, vaddr_t addr, bool soft)
{
	struct region *r;
	struct page *p;
	int err = -EFAULT;

	rwsem_read_lock(&vm->sem);
	r = region_find(vm, addr);
	if (r && r->start <= addr && r->prot)
		err = vm_page_of(r, addr, 0, &p);
	if (err) {
		err = err == -ENOMEM || err == -EINTR ? err : -EFAULT;
	} else {
		/* Zeroes that are nobody's need not move. */
		err = soft && p == vm_zero_page ? 0 : frame_retire(r, p, soft);
		if (err || p == vm_zero_page)
			page_put(p);
	}
	rwsem_read_unlock(&vm->sem);
	return err;
}
