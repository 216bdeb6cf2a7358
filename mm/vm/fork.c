/*
 * Copying an address space for fork.
 *
 * The child gets a region for each of the parent's (but MADV_DONTFORK) and page-table entries only
 * where refaulting could not bring the contents back: for anonymous memory and for private file
 * regions that hold copies. Entries of files are copied only for small regions, where copying is
 * cheaper than the child's first fault. A private frame becomes read-only in both and is copied by
 * whoever writes first (fault.c); its reference count says when it is private again.
 *
 * Locks: the parent's sem for writing (no fault changes entries meanwhile), the child's as nested
 * (nobody knows it yet); the parent's pmap lock, then the child's. Truncation may run at the same
 * time. It walks a cache's mappings in list order, and the child's region is linked right behind
 * the parent's before entries are copied: an entry is either cleared in the parent before it is
 * copied, or copied and then cleared in the child.
 *
 * A region that brought pages of the parent does not merge with what the child maps next to it
 * (VM_FORKED): Linux, which keeps lists of a page's sharers by region, shows two lines in
 * /proc/PID/maps, and mremap does not reach across. The heap is left out: brk would need a region.
 */
#include "mm/vm/vm_internal.h"

#define COPY_FILE_PAGES 64 /* larger unmodified file regions are left to fault-around */

/* o: one fork's copying state. */
struct fork_state {
	struct vmspace *parent, *child;
	struct region *from, *to;
	bool downgraded; /* the parent lost write access somewhere */
	u64 anon, file;
};

static bool entries_are_copied(const struct region *r)
{
	if (r->flags & VM_WIPEONFORK)
		return false;
	if (region_is_anon(r))
		return true;
	if (r->flags & VM_SHARED)
		return false;
	return (r->flags & VM_HAS_ANON) || region_pages(r) <= COPY_FILE_PAGES;
}

/* Copy the present entries of one leaf table; both slots are for @va. holds: both pmap locks. */
static void copy_leaf(struct fork_state *f, pte_t *from, pte_t *to, vaddr_t va, vaddr_t stop)
{
	for (; va < stop; va += PAGE_SIZE, from++, to++) {
		pte_t pte = *from;
		struct page *p;

		if (!pte_present(pte))
			continue;
		if (pte_writable(pte)) {
			pte = pte_wrprotect(pte);
			pte_set(from, pte);
			f->downgraded = true;
		}
		p = pa_to_page(pte_pa(pte));
		if (page_counted(p)) {
			page_get(p);
			if (p->type == PAGE_ANON)
				f->anon++;
			else
				f->file++;
		}
		pte_set(to, pte);
	}
}

/* One leaf table of the region. 0, or -ENOMEM: no table page at once. */
static int copy_span(struct fork_state *f, vaddr_t va, vaddr_t stop)
{
	pte_t *to;

	spin_lock_nested(&f->child->pmap.lock);
	to = pmap_leaf_alloc(&f->child->pmap, va);
	if (to)
		copy_leaf(f, pmap_leaf(&f->parent->pmap, va), to, va, stop);
	spin_unlock(&f->child->pmap.lock);
	return to ? 0 : -ENOMEM;
}

static int copy_entries(struct fork_state *f)
{
	struct pmap *pm = &f->parent->pmap;
	vaddr_t va = f->from->start, end = f->from->end;

	spin_lock(&pm->lock);
	while ((va = pmap_next_leaf(pm, va, end)) < end) {
		vaddr_t stop = MIN(LEAF_END(va), end);
		struct page *room;

		if (copy_span(f, va, stop) == 0) {
			va = stop;
			continue;
		}
		spin_unlock(&pm->lock);
		room = pmm_alloc(0, PMM_USER);
		if (!room)
			return -ENOMEM;
		page_put(room);
		spin_lock(&pm->lock);
	}
	spin_unlock(&pm->lock);
	return 0;
}

static int fork_region(struct fork_state *f, struct region *r)
{
	struct region *n;
	int err;

	if ((r->flags & VM_ACCOUNT) && vm_commit(region_pages(r)) != 0)
		return -ENOMEM;
	n = region_alloc(r);
	if (!n) {
		if (r->flags & VM_ACCOUNT)
			vm_uncommit(region_pages(r));
		return -ENOMEM;
	}
	n->vm = f->child;
	n->flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
	if (n->flags & VM_WIPEONFORK)
		n->flags &= ~VM_HAS_ANON;
	n->seq_next = 0;
	region_link(n, r->cache ? r : NULL);
	if (!entries_are_copied(r))
		return 0;
	f->from = r;
	f->to = n;
	f->anon = f->file = 0;
	err = copy_entries(f);
	if (f->anon && !(n->flags & VM_HEAP))
		n->flags |= VM_FORKED;
	atomic_add(&f->child->rss_anon, f->anon);
	if (f->file)
		atomic_add(r->cache && pagecache_in_memory(r->cache) ? &f->child->rss_shmem
								     : &f->child->rss_file,
			   f->file);
	return err;
}

static void fork_layout(struct vmspace *to, struct vmspace *from)
{
	to->mmap_base = from->mmap_base;
	to->bottom_up = from->bottom_up;
	to->gap_top = from->gap_top;
	to->gap_len = from->gap_len;
	to->brk_start = from->brk_start;
	to->brk = from->brk;
	to->stack_start = from->stack_start;
	to->arg_start = from->arg_start;
	to->arg_end = from->arg_end;
	to->env_start = from->env_start;
	to->env_end = from->env_end;
	to->code_start = from->code_start;
	to->code_end = from->code_end;
	to->data_start = from->data_start;
	to->data_end = from->data_end;
	to->vdso = from->vdso;
	memcpy(to->auxv, from->auxv, sizeof(to->auxv));
	to->dumpable = from->dumpable;
	to->exe = from->exe;
	if (to->exe)
		to->exe->ops->get(to->exe);
}

/* A gap that the parent's hint does not know opened where a region was left out. */
static void fork_skip(struct fork_state *f)
{
	f->child->gap_top = 0;
}

/*
 * Copy @parent for fork: private memory copy-on-write, shared mappings shared; memory locks are not
 * inherited.
 * ctx: thread; sleeps. 0 or -ENOMEM, with nothing left behind.
 */
int vmspace_fork(struct vmspace *parent, struct vmspace **out)
{
	struct fork_state f = { .parent = parent };
	struct region *r;
	int err = vmspace_create(&f.child);

	if (err)
		return err;
	rwsem_write_lock(&parent->sem);
	rwsem_write_lock_nested(&f.child->sem);
	fork_layout(f.child, parent);
	rb_for_each(r, &parent->regions, node) {
		if (r->flags & VM_DONTFORK) {
			fork_skip(&f);
			continue;
		}
		err = fork_region(&f, r);
		if (err)
			break;
	}
	if (f.downgraded)
		tlb_flush_all(&parent->pmap);
	rwsem_write_unlock(&f.child->sem);
	rwsem_write_unlock(&parent->sem);
	if (err) {
		vmspace_put_user(f.child);
		return err;
	}
	*out = f.child;
	return 0;
}
