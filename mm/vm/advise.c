/*
 * madvise, msync and mincore: what user space says and asks about ranges.
 *
 * Advice either marks regions (for fork, core dumps, the fault path), which splits them at the
 * edges of the range and needs the sem for writing; or acts on pages (drop, bring in), for which
 * reading is enough. A hole in the range is skipped and reported as -ENOMEM at the end, as
 * madvise(2) says. Hints with nothing to do here are checked and accepted.
 */
#include <linux/mman.h>
#include "mm/vm/vm_internal.h"

/* A kind of advice that sets and clears region flags. */
struct advice_flags {
	int advice;
	u32 set, clear;
	u32 forbidden; /* -EINVAL on regions with one of these */
	bool anon_only; /* -EINVAL on anything but private anonymous memory */
};

static const struct advice_flags advice_flags[] = {
	{ MADV_NORMAL, 0, VM_RAND | VM_SEQ, 0, false },
	{ MADV_SEQUENTIAL, VM_SEQ, VM_RAND, 0, false },
	{ MADV_RANDOM, VM_RAND, VM_SEQ, 0, false },
	{ MADV_DONTFORK, VM_DONTFORK, 0, 0, false },
	{ MADV_DOFORK, 0, VM_DONTFORK, VM_DEVICE, false },
	{ MADV_WIPEONFORK, VM_WIPEONFORK, 0, VM_SHARED, true },
	{ MADV_KEEPONFORK, 0, VM_WIPEONFORK, 0, false },
	{ MADV_DONTDUMP, VM_DONTDUMP, 0, 0, false },
	{ MADV_DODUMP, 0, VM_DONTDUMP, VM_DEVICE | VM_DONTEXPAND, false },
	{ MADV_HUGEPAGE, VM_HUGE, VM_NOHUGE, VM_DEVICE, false },
	{ MADV_NOHUGEPAGE, VM_NOHUGE, VM_HUGE, 0, false },
	{ MADV_MERGEABLE, VM_MERGEABLE, 0, 0, false },
	{ MADV_UNMERGEABLE, 0, VM_MERGEABLE, 0, false },
};

static const struct advice_flags *advice_find(int advice)
{
	for (size_t i = 0; i < ARRAY_SIZE(advice_flags); i++)
		if (advice_flags[i].advice == advice)
			return &advice_flags[i];
	return NULL;
}

static int advise_flags(struct vmspace *vm, vaddr_t start, vaddr_t end,
			const struct advice_flags *a)
{
	vaddr_t at = start;
	bool hole = false;
	int err;

	rwsem_write_lock(&vm->sem);
	/* -ENOMEM means a hole. */
	err = region_isolate(vm, start, end, false) ? -EAGAIN : 0;
	while (!err && at < end) {
		struct region *r = region_find(vm, at);

		if (!r || r->start >= end) {
			hole = true;
			break;
		}
		hole |= r->start > at;
		at = r->end;
		if ((r->flags & a->forbidden) || (a->anon_only && r->file))
			err = -EINVAL;
		else
			region_set_flags(r, a->set, a->clear);
		region_merge(r);
	}
	rwsem_write_unlock(&vm->sem);
	return err ? err : hole ? -ENOMEM : 0;
}

static int advise_drop(struct region *r, vaddr_t start, vaddr_t end, int advice)
{
	if (r->flags & (VM_LOCKED | VM_DEVICE | VM_VDSO))
		return -EINVAL;
	if (advice == MADV_FREE && (!region_is_anon(r) || (r->flags & VM_SHARED)))
		return -EINVAL;
	vm_note_peak(r->vm);
	unmap_entries(r, start, end, 0);
	return 0;
}

static int advise_range(struct region *r, vaddr_t start, vaddr_t end, int advice)
{
	vaddr_t done;
	int err;

	switch (advice) {
	case MADV_DONTNEED:
	case MADV_FREE: return advise_drop(r, start, end, advice);
	case MADV_DONTNEED_LOCKED:
		if (r->flags & VM_DEVICE)
			return -EINVAL;
		unmap_entries(r, start, end, 0);
		return 0;
	case MADV_COLD:
	case MADV_PAGEOUT: return r->flags & (VM_LOCKED | VM_DEVICE) ? -EINVAL : 0;
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		if ((r->flags & (VM_DEVICE | VM_VDSO)) ||
		    (advice == MADV_POPULATE_READ && !(r->prot & PROT_R)))
			return -EINVAL;
		err = vm_populate_locked(r->vm, start, end, advice == MADV_POPULATE_WRITE, &done);
		return err == -EFAULT ? -EINVAL : err == -EIO ? -EFAULT : err;
	case MADV_WILLNEED:
		if (r->cache && !pagecache_in_memory(r->cache) && r->prot)
			(void)vm_populate_locked(r->vm, start, end, false, &done);
		return 0;
	}
	return -EINVAL;
}

static int advise_pages(struct vmspace *vm, vaddr_t start, vaddr_t end, int advice)
{
	bool hole = false;
	vaddr_t at = start;
	int err = 0;

	rwsem_read_lock(&vm->sem);
	while (!err && at < end) {
		struct region *r = region_find(vm, at);

		if (!r || r->start >= end) {
			hole = true;
			break;
		}
		hole |= r->start > at;
		at = MAX(at, r->start);
		err = advise_range(r, at, MIN(end, r->end), advice);
		at = r->end;
	}
	rwsem_read_unlock(&vm->sem);
	return err ? err : hole ? -ENOMEM : 0;
}

/* See vmspace.h. ctx: thread; sleeps */
void vm_reap(struct vmspace *vm)
{
	struct region *r;

	rwsem_read_lock(&vm->sem);
	vm_note_peak(vm);
	rb_for_each(r, &vm->regions, node) {
		if (!(r->flags & (VM_SHARED | VM_LOCKED | VM_DEVICE | VM_VDSO)))
			unmap_entries(r, r->start, r->end, 0);
	}
	rwsem_read_unlock(&vm->sem);
}

/*
 * The file behind @addr with a reference, for work that must not hold the sem. *stop: end of its
 * part.
 */
static int file_at(struct vmspace *vm, vaddr_t addr, vaddr_t end, struct region *copy,
		   vaddr_t *stop)
{
	struct region *r;
	int err = 0;

	rwsem_read_lock(&vm->sem);
	r = region_find(vm, addr);
	if (!r || r->start > addr) {
		err = -ENOMEM;
		*stop = r ? MIN(end, r->start) : end;
	} else {
		*copy = *r;
		*stop = MIN(end, r->end);
		if (r->file)
			r->file->ops->get(r->file);
	}
	rwsem_read_unlock(&vm->sem);
	return err;
}

static int remove_part(const struct region *r, vaddr_t start, vaddr_t end)
{
	u64 from = region_index(r, start) << PAGE_SHIFT;

	if ((r->flags & VM_LOCKED) || !r->file || !r->cache)
		return -EINVAL;
	if (!(r->flags & VM_SHARED) || !(r->max_prot & PROT_W))
		return -EACCES;
	return r->file->ops->punch ? r->file->ops->punch(r->file, from, from + (end - start))
				   : -EOPNOTSUPP;
}

static int advise_remove(struct vmspace *vm, vaddr_t start, vaddr_t end)
{
	bool hole = false;
	vaddr_t stop;

	for (vaddr_t at = start; at < end; at = stop) {
		struct region r;
		int err = file_at(vm, at, end, &r, &stop);

		if (err) {
			hole = true;
			continue;
		}
		err = remove_part(&r, at, stop);
		if (r.file)
			r.file->ops->put(r.file);
		if (err)
			return err;
	}
	return hole ? -ENOMEM : 0;
}

static bool advice_known(int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
	case MADV_FREE:
	case MADV_DONTNEED_LOCKED:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
	case MADV_WILLNEED:
	case MADV_COLLAPSE: /* valid, but no range here may hold a transparent huge page */
	case MADV_REMOVE: return true;
	}
	return advice_find(advice) != NULL;
}

/*
 * madvise(2). ctx: thread; sleeps. 0, -EINVAL, -ENOMEM (hole; no memory for pages), -EAGAIN (none
 * for a region, or too many), -EACCES, -EFAULT, -EOPNOTSUPP.
 */
int vm_advise(struct vmspace *vm, vaddr_t addr, u64 len, int advice)
{
	const struct advice_flags *flags = advice_find(advice);
	u64 size = ALIGN_UP(len, (u64)PAGE_SIZE);

	if (!advice_known(advice) || (addr & PAGE_MASK) || size < len || addr + size < addr)
		return -EINVAL;
	if (!size)
		return 0;
	if (flags)
		return advise_flags(vm, addr, addr + size, flags);
	if (advice == MADV_REMOVE)
		return advise_remove(vm, addr, addr + size);
	return advise_pages(vm, addr, addr + size, advice);
}

static int sync_part(const struct region *r, vaddr_t start, vaddr_t end, int flags)
{
	u64 from = region_index(r, start) << PAGE_SHIFT;

	if ((flags & MS_INVALIDATE) && (r->flags & VM_LOCKED))
		return -EBUSY;
	if (!(flags & MS_SYNC) || !(r->flags & VM_SHARED) || !r->file || !r->file->ops->sync)
		return 0;
	return r->file->ops->sync(r->file, from, from + (end - start));
}

/*
 * msync(2) with Linux's MS_* flags. Stores through mappings are in the page cache at once, so
 * MS_ASYNC has nothing to start.
 * ctx: thread; sleeps. 0, -EINVAL, -EBUSY, -ENOMEM (hole), or the error of writing.
 */
int vm_sync(struct vmspace *vm, vaddr_t addr, u64 len, int flags)
{
	u64 size = ALIGN_UP(len, (u64)PAGE_SIZE);
	bool hole = false;
	vaddr_t stop;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	if (addr & PAGE_MASK)
		return -EINVAL;
	if (addr + size < addr)
		return -ENOMEM;
	for (vaddr_t at = addr; at < addr + size; at = stop) {
		struct region r;
		int err = file_at(vm, at, addr + size, &r, &stop);

		if (err) {
			hole = true;
			continue;
		}
		err = sync_part(&r, at, stop, flags);
		if (r.file)
			r.file->ops->put(r.file);
		if (err)
			return err;
	}
	return hole ? -ENOMEM : 0;
}

/* Is the page of @r at @va in memory? True also where that is a secret of others. holds: sem. */
static bool page_resident(struct region *r, vaddr_t va)
{
	struct pmap *pm = &r->vm->pmap;
	struct page *p;
	pte_t *slot;
	bool present;

	spin_lock(&pm->lock);
	slot = pmap_leaf(pm, va);
	present = slot && pte_present(*slot);
	spin_unlock(&pm->lock);
	if (present || !r->cache)
		return present;
	if (r->file && r->file->ops->may_look && !r->file->ops->may_look(r->file))
		return true;
	p = pagecache_find(r->cache, region_index(r, va));
	if (p)
		page_put(p);
	return p;
}

/*
 * mincore(2) for @pages <= 4096 pages: *vec gets 1 for a page in memory, else 0.
 * ctx: thread; sleeps. 0, -EINVAL (unaligned), -ENOMEM (hole).
 */
int vm_mincore(struct vmspace *vm, vaddr_t addr, u64 pages, u8 *vec)
{
	struct region *r = NULL;
	int err = 0;

	if (addr & PAGE_MASK)
		return -EINVAL;
	rwsem_read_lock(&vm->sem);
	for (u64 i = 0; i < pages; i++, addr += PAGE_SIZE) {
		if (!r || addr >= r->end)
			r = region_find(vm, addr);
		if (!r || r->start > addr) {
			err = -ENOMEM;
			break;
		}
		vec[i] = page_resident(r, addr);
	}
	rwsem_read_unlock(&vm->sem);
	return err;
}
