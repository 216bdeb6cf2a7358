/*
 * Changing what is allowed on mapped memory (mprotect) and locking it (mlock and friends).
 *
 * Both split at the edges of the range and go region by region; as Linux documents, a hole stops
 * the call with -ENOMEM where it lies and what came before it stays changed. Locking is a promise
 * not to page out: anonymous memory never is, and mapped cache pages are not reclaimed, so it comes
 * down to accounting and bringing the pages in.
 */
#include <linux/mman.h>
#include "mm/vm/pagecache_internal.h"
#include "mm/vm/vm_internal.h"

/*
 * The entry @pte of @r under the region's new protection. Write access returns at once only where
 * no fault is needed to sort things out: a private frame that nobody shares, or a shared page whose
 * owner knows that it is written.
 */
static pte_t protect_entry(struct region *r, pte_t pte)
{
	u32 prot = vm_pte_prot(r->prot);
	struct page *p;

	if (r->flags & VM_DEVICE)
		return pte_set_prot(pte, prot);
	p = pa_to_page(pte_pa(pte));
	if (page_flag(p, PG_HWPOISON))
		return pte;
	if (!(r->flags & VM_SHARED)) {
		if (p->type != PAGE_ANON || page_refs(p) != 1)
			prot &= ~PROT_W;
	} else if (r->cache && pagecache_tracks_writes(r->cache) && !pte_writable(pte)) {
		prot &= ~PROT_W;
	}
	if ((prot & PROT_X) && !page_flag(p, PG_EXEC)) {
		pmap_sync_icache(page_to_va(p), PAGE_SIZE);
		page_flag_set(p, PG_EXEC);
	}
	return pte_set_prot(pte, prot);
}

static void protect_entries(struct region *r)
{
	struct pmap *pm = &r->vm->pmap;
	vaddr_t lo = 0, hi = 0;

	spin_lock(&pm->lock);
	for (vaddr_t va = r->start; (va = pmap_next_leaf(pm, va, r->end)) < r->end;) {
		vaddr_t stop = MIN(LEAF_END(va), r->end);
		pte_t *slot = pmap_leaf(pm, va);

		for (; va < stop; va += PAGE_SIZE, slot++) {
			if (!pte_present(*slot))
				continue;
			pte_set(slot, protect_entry(r, *slot));
			if (hi == lo)
				lo = va;
			hi = va + PAGE_SIZE;
		}
	}
	if (hi > lo)
		tlb_flush_range(pm, lo, hi);
	spin_unlock(&pm->lock);
}

/*
 * Would @r, private and now to be written, take its process over RLIMIT_DATA? Who could not map it
 * anew anyway, by RLIMIT_AS, is not asked: so Linux has it.
 */
static bool protect_over_limit(const struct region *r, u32 prot, const struct vm_limits *lim)
{
	u64 n = region_pages(r);

	return lim && region_private_writable(prot, r->flags) &&
	       !(r->flags & (VM_GROWSDOWN | VM_STACK)) &&
	       !region_private_writable(r->prot, r->flags) &&
	       r->vm->data_pages + n > PAGES(lim->data) && r->vm->total_pages + n <= PAGES(lim->as);
}

/*
 * Give the whole region @r the protection @prot. 0, -EACCES, -ENOMEM (RLIMIT_DATA, commit limit).
 */
static int protect_region(struct region *r, u32 prot, const struct vm_limits *lim)
{
	struct vmspace *vm = r->vm;
	bool account;

	if (r->prot == prot)
		return 0;
	if (prot & ~r->max_prot)
		return -EACCES;
	if (protect_over_limit(r, prot, lim))
		return -ENOMEM;
	account = region_private_writable(prot, r->flags) && !(r->flags & VM_ACCOUNT) &&
		  (!(r->flags & VM_NORESERVE) || vm_overcommit_mode == 2);
	if (account && vm_commit(region_pages(r)) != 0)
		return -ENOMEM;
	region_count(vm, r, -1);
	r->prot = prot;
	if (account)
		r->flags |= VM_ACCOUNT;
	region_count(vm, r, 1);
	protect_entries(r);
	return 0;
}

/* Call @fn for each region of the isolated, gapless part of [start, end); merges behind itself. */
static int for_regions(struct vmspace *vm, vaddr_t start, vaddr_t end,
		       int (*fn)(struct region *r, u32 arg, const struct vm_limits *lim), u32 arg,
		       const struct vm_limits *lim)
{
	struct region *first = region_find(vm, start), *r;
	vaddr_t at = start;
	int err;

	if (!first || first->start > start)
		return -ENOMEM;
	err = region_isolate(vm, start, end, false);
	while (!err && at < end) {
		r = region_find(vm, at);
		err = !r || r->start > at ? -ENOMEM : 0;
		if (err)
			break;
		at = r->end;
		err = fn(r, arg, lim);
		region_merge(r);
	}
	/* What lies behind the place where it ended was split in vain. */
	r = err ? region_find(vm, end) : NULL;
	if (r)
		region_merge(r);
	return err;
}

/*
 * mprotect(2) of whole pages; prot is PROT_R/W/X.
 * ctx: thread; sleeps. 0, -EINVAL (unaligned), -ENOMEM (a hole, or no memory to split), -EACCES.
 */
int vm_protect(struct vmspace *vm, vaddr_t addr, u64 len, u32 prot, const struct vm_limits *lim)
{
	u64 size = ALIGN_UP(len, (u64)PAGE_SIZE);
	int err;

	if (addr & PAGE_MASK)
		return -EINVAL;
	if (!len)
		return 0;
	if (size < len || size > USER_TOP || addr > USER_TOP - size)
		return -ENOMEM;
	rwsem_write_lock(&vm->sem);
	err = for_regions(vm, addr, addr + size, protect_region, prot, lim);
	rwsem_write_unlock(&vm->sem);
	return err;
}

static int lock_region(struct region *r, u32 flags, const struct vm_limits *lim)
{
	if (r->flags & (VM_DEVICE | VM_VDSO))
		return 0;
	region_set_flags(r, flags, VM_LOCKED | VM_LOCKONFAULT);
	return 0;
}

/* Pages of [start, end) that are not locked yet. holds: sem. */
static u64 pages_unlocked(struct vmspace *vm, vaddr_t start, vaddr_t end)
{
	struct region *r = region_find(vm, start);
	u64 n = 0;

	for (; r && r->start < end; r = vm_next(r))
		if (!(r->flags & VM_LOCKED))
			n += PAGES(MIN(r->end, end) - MAX(r->start, start));
	return n;
}

/*
 * mlock answers a page that could not be had with ENOMEM or EAGAIN, whatever the cause: mlock(2).
 */
static int lock_errno(int err)
{
	if (err == -EIO || err == -EFAULT)
		return -ENOMEM;
	return err;
}

/*
 * mlock(2), mlock2(2) (@onfault), munlock(2).
 * ctx: thread; sleeps. 0, -EINVAL, -ENOMEM (hole, or over the limit), -EPERM (no right to lock
 * anything), -EINTR.
 */
int vm_lock(struct vmspace *vm, vaddr_t addr, u64 len, bool lock, bool onfault,
	    const struct vm_limits *lim)
{
	vaddr_t start = addr & ~(vaddr_t)PAGE_MASK;
	u64 size = ALIGN_UP(len + (addr & PAGE_MASK), (u64)PAGE_SIZE);
	u32 flags = lock ? VM_LOCKED | (onfault ? VM_LOCKONFAULT : 0) : 0;
	int err = 0;

	if (lock && lim && !lim->ipc_lock && !lim->memlock)
		return -EPERM;
	if (start + size < start) /* also more than any limit */
		return lock && lim && !lim->ipc_lock && PAGES(size) > PAGES(lim->memlock) ? -ENOMEM
											  : -EINVAL;
	if (!size)
		return 0;
	rwsem_write_lock(&vm->sem);
	if (lock && lim && !lim->ipc_lock &&
	    vm->locked_pages + pages_unlocked(vm, start, start + size) > PAGES(lim->memlock))
		err = -ENOMEM;
	else
		err = for_regions(vm, start, start + size, lock_region, flags, lim);
	rwsem_write_unlock(&vm->sem);
	if (err || !lock || onfault)
		return err;
	return lock_errno(vm_populate(vm, start, start + size, true));
}

static void lock_all_regions(struct vmspace *vm, u32 flags)
{
	struct rb_node *n = rb_first(&vm->regions);

	while (n) {
		struct region *r = rb_entry(n, struct region, node);

		(void)lock_region(r, flags, NULL);
		n = rb_next(&region_merge(r)->node);
	}
}

static void populate_all(struct vmspace *vm)
{
	vaddr_t at = 0;

	while (at < USER_TOP) {
		struct region *r;
		vaddr_t start, end;

		rwsem_read_lock(&vm->sem);
		r = region_find(vm, at);
		start = r ? r->start : USER_TOP;
		end = r ? r->end : USER_TOP;
		rwsem_read_unlock(&vm->sem);
		if (start < end)
			(void)vm_populate(vm, MAX(start, at), end, false);
		at = end;
	}
}

/*
 * mlockall(2) with Linux's MCL_* flags; 0 is munlockall(2).
 * ctx: thread; sleeps. 0, -EINVAL, -ENOMEM (over the limit), -EPERM.
 */
int vm_lock_all(struct vmspace *vm, int flags, const struct vm_limits *lim)
{
	u32 set = VM_LOCKED | (flags & MCL_ONFAULT ? VM_LOCKONFAULT : 0);

	if ((flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags == MCL_ONFAULT)
		return -EINVAL;
	if (flags && lim && !lim->ipc_lock && !lim->memlock)
		return -EPERM;
	rwsem_write_lock(&vm->sem);
	if ((flags & MCL_CURRENT) && lim && !lim->ipc_lock &&
	    vm->total_pages > PAGES(lim->memlock)) {
		rwsem_write_unlock(&vm->sem);
		return -ENOMEM;
	}
	vm->def_flags = flags & MCL_FUTURE ? set : 0;
	if (!flags || (flags & MCL_CURRENT))
		lock_all_regions(vm, flags ? set : 0);
	rwsem_write_unlock(&vm->sem);
	if ((flags & MCL_CURRENT) && !(flags & MCL_ONFAULT))
		populate_all(vm);
	return 0;
}

static void protect_one(struct region *r, vaddr_t va)
{
	struct pmap *pm = &r->vm->pmap;
	pte_t *slot;

	spin_lock(&pm->lock);
	slot = pmap_leaf(pm, va);
	if (slot && pte_present(*slot) && pte_writable(*slot)) {
		pte_set(slot, pte_wrprotect(*slot));
		tlb_flush_page(pm, va);
	}
	spin_unlock(&pm->lock);
}

/*
 * Page @index of @pc is about to be written back: the next store through any shared mapping of it
 * faults, and makes it dirty again. ctx: thread; holds: no PAGECACHE lock; sleeps: no
 */
void vm_write_protect_object(struct pagecache *pc, u64 index)
{
	struct region *r;

	spin_lock(&pc->maps_lock);
	list_for_each(r, &pc->maps, object_link)
		if ((r->flags & VM_SHARED) && index >= r->pgoff &&
		    index - r->pgoff < region_pages(r))
			protect_one(r, r->start + ((index - r->pgoff) << PAGE_SHIFT));
	spin_unlock(&pc->maps_lock);
}
