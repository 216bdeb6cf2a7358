/*
 * mremap(2): shrink, grow in place, or move.
 *
 * A move takes the page-table entries along; no page is copied or faulted. Once the target is free
 * (remap_fixed), all that may fail comes first: the new region object, the tables of the target,
 * the promise of memory. The new region stands right behind the old one in its cache's list of
 * mappings, so that truncation, which walks in order, finds each entry before its move in the old
 * region or after it in the new one.
 */
#include <linux/mman.h>
#include <linux/capability.h>
#include "kernel/base/cred.h"
#include "kernel/sched/thread.h"
#include "mm/vm/vm_internal.h"

/* o: one call's arguments, lengths rounded to pages. */
struct remap {
	struct vmspace *vm;
	vaddr_t old, new;
	u64 old_len, new_len;
	u32 flags;
	const struct vm_limits *lim;
	struct region *r;
};

/* May @m->r grow by @extra bytes? 0, -ENOMEM, -EAGAIN. holds: sem. */
static int remap_check_limits(const struct remap *m, u64 extra)
{
	const struct vm_limits *lim = m->lim;
	struct vmspace *vm = m->vm;
	u64 pages = PAGES(extra);

	if (!lim)
		return 0;
	if ((m->r->flags & VM_LOCKED) && !lim->ipc_lock &&
	    vm->locked_pages + pages > PAGES(lim->memlock))
		return -EAGAIN;
	if (vm->total_pages + pages > PAGES(lim->as))
		return -ENOMEM;
	if (region_private_writable(m->r->prot, m->r->flags) &&
	    vm->data_pages + pages > PAGES(lim->data))
		return -ENOMEM;
	return 0;
}

/*
 * Find and check the region at the old address. holds: sem for writing. 0, -EFAULT, -EINVAL,
 * -ENOMEM, -EAGAIN.
 */
static int remap_find(struct remap *m)
{
	struct region *r = region_find(m->vm, m->old);

	if (!r || r->start > m->old)
		return -EFAULT;
	if (!m->old_len && !(r->flags & VM_SHARED))
		return -EINVAL;
	if ((m->flags & MREMAP_DONTUNMAP) && (r->flags & (VM_DONTEXPAND | VM_DEVICE)))
		return -EINVAL;
	if (m->old_len > r->end - m->old)
		return -EFAULT;
	m->r = r;
	if (m->flags & MREMAP_DONTUNMAP)
		return remap_check_limits(m, m->new_len);
	if (m->new_len <= m->old_len)
		return 0;
	if (r->flags & (VM_DONTEXPAND | VM_DEVICE))
		return -EFAULT;
	if (r->file && region_index(r, m->old) + PAGES(m->new_len) < region_index(r, m->old))
		return -EINVAL;
	return remap_check_limits(m, m->new_len - m->old_len);
}

/* Make the leaf table of @va. holds: sem for writing. 0 or -ENOMEM. */
static int remap_make_table(struct vmspace *vm, vaddr_t va)
{
	for (;;) {
		struct page *room;
		pte_t *slot;

		spin_lock(&vm->pmap.lock);
		slot = pmap_leaf_alloc(&vm->pmap, va);
		spin_unlock(&vm->pmap.lock);
		if (slot)
			return 0;
		/* The table came without waiting; this allocation may make room. */
		room = pmm_alloc(0, PMM_USER);
		if (!room)
			return -ENOMEM;
		page_put(room);
	}
}

/*
 * Make the leaf tables that the entries of [from, from + len) need at @to: where nothing was ever
 * touched none, however long the range is. holds: sem for writing. 0 or -ENOMEM.
 */
static int remap_make_tables(struct vmspace *vm, vaddr_t from, vaddr_t to, u64 len)
{
	vaddr_t end = from + len, va = from;
	int err = 0;

	while (!err) {
		spin_lock(&vm->pmap.lock);
		va = pmap_next_leaf(&vm->pmap, va, end);
		spin_unlock(&vm->pmap.lock);
		if (va >= end)
			break;
		/* One leaf's entries may come to lie in two. */
		err = remap_make_table(vm, va - from + to);
		va = MIN(LEAF_END(va), end);
		if (!err)
			err = remap_make_table(vm, va - 1 - from + to);
	}
	return err;
}

/* Move the entries of [from, from + len) to @to, whose tables exist. */
static void remap_move_entries(struct vmspace *vm, vaddr_t from, vaddr_t to, u64 len)
{
	struct pmap *pm = &vm->pmap;
	vaddr_t end = from + len, lo = 0, hi = 0;

	spin_lock(&pm->lock);
	for (vaddr_t va = from; (va = pmap_next_leaf(pm, va, end)) < end;) {
		vaddr_t stop = MIN(LEAF_END(va), end);
		pte_t *slot = pmap_leaf(pm, va);

		for (; va < stop; va += PAGE_SIZE, slot++) {
			pte_t pte = *slot;

			if (!pte_present(pte))
				continue;
			pte_set(slot, 0);
			pte_set(pmap_leaf(pm, va - from + to), pte);
			if (hi == lo)
				lo = va;
			hi = va + PAGE_SIZE;
		}
	}
	if (hi > lo)
		tlb_flush_range(pm, lo, hi);
	spin_unlock(&pm->lock);
}

/* The region at the new place, linked, without entries. 0, -ENOMEM. */
static int remap_new_region(struct remap *m, u64 commit, struct region **out)
{
	struct region proto = *m->r, *n;
	int err;

	proto.start = m->new;
	proto.end = m->new + m->new_len;
	if (proto.file)
		proto.pgoff = region_index(m->r, m->old);
	proto.seq_next = 0;
	if (m->vm->nregions + 3 >= (u32)vm_max_map_count)
		return -ENOMEM;
	if ((proto.flags & VM_ACCOUNT) && commit) {
		err = vm_commit(commit);
		if (err)
			return err;
	}
	n = region_alloc(&proto);
	if (!n) {
		if ((proto.flags & VM_ACCOUNT) && commit)
			vm_uncommit(commit);
		return -ENOMEM;
	}
	region_link(n, m->r->cache ? m->r : NULL);
	*out = n;
	return 0;
}

/* Take the emptied old region out of the tree; its promise of memory went to the new one. */
static void remap_drop_old(struct remap *m)
{
	struct region *r = m->r;

	region_unlink(r);
	region_free(r);
	region_gap_opened(m->vm, m->old, m->old + m->old_len);
}

/* Move to m->new, which is free. holds: sem for writing. */
static int remap_move(struct remap *m)
{
	bool keep = m->flags & MREMAP_DONTUNMAP;
	u64 moved = MIN(m->old_len, m->new_len);
	struct region *n;
	int err;

	if (m->old_len) {
		err = region_isolate(m->vm, m->old, m->old + m->old_len, true);
		if (err)
			return err;
		m->r = region_find(m->vm, m->old);
	}
	err = remap_make_tables(m->vm, m->old, m->new, moved);
	if (!err)
		err = remap_new_region(m, PAGES(keep ? m->new_len : m->new_len - moved), &n);
	if (err) {
		region_merge(m->r);
		return err;
	}
	remap_move_entries(m->vm, m->old, m->new, moved);
	if (keep) {
		region_set_flags(m->r, 0, VM_LOCKED | VM_LOCKONFAULT);
		region_merge(m->r);
		n = region_find(m->vm, m->new);
	} else if (m->old_len) {
		remap_drop_old(m);
	}
	region_merge(n);
	return 0;
}

/* Grow in place when the region ends where the range does and room follows. False: cannot. */
static bool remap_grow(struct remap *m, int *err)
{
	struct region *r = m->r, *next = vm_next(r);
	vaddr_t end = m->old + m->new_len;

	*err = 0;
	if (r->end != m->old + m->old_len || end > USER_TOP || end < m->old ||
	    (next && end > region_low(next)))
		return false;
	if (r->flags & VM_ACCOUNT) {
		*err = vm_commit(PAGES(m->new_len - m->old_len));
		if (*err)
			return true;
	}
	region_set_bounds(r, r->start, end);
	region_merge(r);
	m->new = m->old;
	return true;
}

/* May what is moved come to m->new, which is a hint without MREMAP_FIXED? */
static int remap_check_target(const struct remap *m)
{
	if ((m->new &PAGE_MASK) || m->new_len > USER_TOP || m->new > USER_TOP - m->new_len)
		return -EINVAL;
	if (m->new + m->new_len > m->old && m->old + m->old_len > m->new)
		return -EINVAL;
	return 0;
}

/* Unmap what is behind the new length, whatever regions it lies in; it must be user memory. */
static int remap_cut(struct remap *m)
{
	if (m->old_len <= m->new_len)
		return 0;
	if (m->old_len > USER_TOP || m->old > USER_TOP - m->old_len)
		return -EINVAL;
	return unmap_locked(m->vm, m->old + m->new_len, m->old + m->old_len);
}

/*
 * MREMAP_FIXED: clear the target, cut the source to what fits. As on Linux the target is gone also
 * when the source then turns out wrong, or lay there itself.
 */
static int remap_fixed(struct remap *m)
{
	int err = remap_check_target(m);

	if (!err && m->vm->nregions + 5 >= (u32)vm_max_map_count)
		err = -ENOMEM;
	if (!err)
		err = unmap_locked(m->vm, m->new, m->new + m->new_len);
	if (!err)
		err = remap_cut(m);
	if (err)
		return err;
	m->old_len = MIN(m->old_len, m->new_len);
	err = remap_find(m);
	if (!err && m->new < (vaddr_t)vm_mmap_min_addr &&
	    !cred_capable(current->cred, CAP_SYS_RAWIO))
		err = -EPERM;
	return err ? err : remap_move(m);
}

static int remap_anywhere(struct remap *m)
{
	int err = 0;

	if (!(m->flags & MREMAP_DONTUNMAP) && m->old_len >= m->new_len) {
		m->new = m->old;
		return remap_cut(m);
	}
	if (m->flags & MREMAP_DONTUNMAP)
		err = remap_check_target(m);
	if (!err)
		err = remap_find(m);
	if (err)
		return err;
	if (m->old_len && !(m->flags & MREMAP_DONTUNMAP) && remap_grow(m, &err))
		return err;
	if (!(m->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	err = region_find_gap(m->vm, m->new_len, &m->new);
	return err ? err : remap_move(m);
}

/*
 * mremap(2) with Linux's MREMAP_* flags.
 * ctx: thread; sleeps. 0 and *out, or -EINVAL, -EFAULT, -ENOMEM, -EAGAIN.
 */
int vm_remap(struct vmspace *vm, vaddr_t old, u64 old_len, u64 new_len, u32 flags, vaddr_t new_addr,
	     const struct vm_limits *lim, vaddr_t *out)
{
	struct remap m = { .vm = vm, .old = old, .new = new_addr, .flags = flags, .lim = lim };
	bool populate;
	int err;

	m.old_len = ALIGN_UP(old_len, (u64)PAGE_SIZE);
	m.new_len = ALIGN_UP(new_len, (u64)PAGE_SIZE);
	if ((flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) || (old & PAGE_MASK) ||
	    !m.new_len)
		return -EINVAL;
	if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((flags & MREMAP_DONTUNMAP) && old_len != new_len)
		return -EINVAL;
	rwsem_write_lock(&vm->sem);
	m.r = region_find(vm, old);
	if (!m.r || m.r->start > old)
		err = -EFAULT;
	else
		err = flags & MREMAP_FIXED ? remap_fixed(&m) : remap_anywhere(&m);
	populate = !err && vm->locked_pages && m.new_len > m.old_len;
	if (populate) {
		struct region *r = region_find(vm, m.new);

		populate = r && (r->flags & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED;
	}
	rwsem_write_unlock(&vm->sem);
	if (err)
		return err;
	if (populate)
		(void)vm_populate(vm, m.new + m.old_len, m.new + m.new_len, false);
	*out = m.new;
	return 0;
}
