/*
 * Page faults: making one address of a region present, readable or writable.
 *
 * fault_once() works under the pmap lock, where it looks at the entry as it is now and either
 * finishes or says what it lacks: a frame, a page of the cache, leave to write. vm_fault_region()
 * drops the lock, gets that (this may sleep), and starts over; what was got is kept in struct
 * fault_state. So each pass decides on a fresh entry, and two threads on the same page are in
 * order: the second finds the entry present and leaves.
 *
 * The common cases take the lock once: a new anonymous page and the copy of a shared one take their
 * frame by an allocation that does not sleep; cached file pages are mapped in one go with up to 15
 * cached neighbours (fault-around). Somebody who touches anonymous memory in order gets a growing
 * run of pages per fault (2, 4, ... 16).
 *
 * Copy on write goes by the frame's reference count. An anonymous frame with one reference belongs
 * to this entry alone and becomes writable in place. Otherwise it is copied, under the lock: every
 * entry that maps a shared frame is read-only, and to become writable again its space would need to
 * see a count of one, which our entry's reference excludes; so the source cannot change.
 *
 * Locks: sem held for reading (the region stays), pmap lock, then the cache's lock. See unmap.c for
 * truncation.
 */
#include <arch/cpu.h>
#include "kernel/sched/thread.h"
#include "kernel/base/uio.h"
#include "mm/vm/vm_internal.h"
#include "mm/vm/writeback.h"

#define AROUND_PAGES 16u
#define SEQ_WINDOW_MAX 16u

struct page *vm_zero_page;

/* What a pass of fault_once() asks for. */
enum fault_need {
	FAULT_DONE,
	NEED_TABLE,
	NEED_FRAME,
	NEED_CACHED,
	NEED_LEAVE,
	NEED_SPECIAL,
	FAULT_LOST
};

/* o: all owned by the faulting thread. */
struct fault_state {
	struct region *r;
	vaddr_t addr; /* page aligned */
	bool write;
	bool leave; /* the object agreed to a shared write, and have is marked dirty */
	bool major;
	struct page *frame; /* a fresh frame, contents undefined, or NULL */
	struct page *have; /* page of the cache or special frame, with a reference, or NULL */
	int err;
};

/* Boot: the page of zeroes. */
void fault_setup(void)
{
	vm_zero_page = pmm_alloc(0, PMM_ZERO);
	assert(vm_zero_page);
	vm_zero_page->type = PAGE_RESERVED;
}

/* Contract in vmspace.h. */
const void *vm_zeroes(void)
{
	return page_to_va(vm_zero_page);
}

/* A frame for anonymous memory without sleeping: the one got before, or a new one. */
static struct page *state_take_frame(struct fault_state *f, bool zero)
{
	struct page *p = f->frame;

	if (!p) {
		p = pmm_alloc(0, PMM_NOWAIT | PMM_USER | (zero ? PMM_ZERO : 0));
	} else {
		f->frame = NULL;
		if (zero)
			page_zero(page_to_va(p));
	}
	if (p)
		p->type = PAGE_ANON;
	return p;
}

/* An executable page's first mapping: instruction fetch must see what the kernel wrote. */
static void sync_for_exec(struct page *p)
{
	if (page_flag(p, PG_EXEC))
		return;
	pmap_sync_icache(page_to_va(p), PAGE_SIZE);
	page_flag_set(p, PG_EXEC);
}

/*
 * Write @p into an absent entry with the attributes of @model; the entry takes over the caller's
 * reference.
 */
static inline void entry_fill(struct region *r, pte_t *slot, struct page *p, pte_t model)
{
	if (unlikely(r->prot & PROT_X))
		sync_for_exec(p);
	pte_set(slot, pte_with_pa(model, page_to_pa(p)));
}

/* What entries of @r look like, without a frame. */
static inline pte_t entry_model(const struct region *r, bool writable)
{
	return pte_make(0, writable ? vm_pte_prot(r->prot) : vm_pte_prot_ro(r->prot));
}

/* Replace a present entry. */
static void entry_change(struct region *r, vaddr_t va, pte_t *slot, pte_t pte)
{
	pte_set(slot, pte);
	tlb_flush_page(&r->vm->pmap, va);
}

/*
 * How many pages a fault at f->addr should make: more for who goes through the region in order. A
 * small region, and one to be locked page by page, gets what it touches: mincore(2) and smaps tell.
 */
static u32 seq_window(struct region *r, vaddr_t addr)
{
	u64 room = PAGES(MIN(r->end, LEAF_END(addr)) - addr);
	u32 n = 1;

	if (unlikely(r->flags & VM_LOCKONFAULT))
		return 1;
	if (addr && addr == READ_ONCE(r->seq_next)) /* 0: there was no fault yet */
		n = MIN(READ_ONCE(r->seq_window) * 2, SEQ_WINDOW_MAX);
	else if (addr == r->start && room >= SEQ_WINDOW_MAX &&
		 !(r->flags & (VM_GROWSDOWN | VM_STACK | VM_HEAP)))
		n = 4;
	if (n > room)
		n = (u32)room;
	WRITE_ONCE(r->seq_window, n);
	WRITE_ONCE(r->seq_next, addr + (u64)n * PAGE_SIZE);
	return n;
}

static enum fault_need fault_anon(struct fault_state *f, pte_t *slot)
{
	struct region *r = f->r;
	pte_t model;
	u32 n, made;

	if (!f->write) {
		pte_set(slot, pte_with_pa(entry_model(r, false), page_to_pa(vm_zero_page)));
		return FAULT_DONE;
	}
	n = seq_window(r, f->addr);
	model = entry_model(r, true);
	for (made = 0; made < n; made++, slot++) {
		struct page *p;

		if (made && pte_present(*slot))
			break;
		p = state_take_frame(f, true);
		if (!p)
			break;
		entry_fill(r, slot, p, model);
	}
	if (!made)
		return NEED_FRAME;
	atomic_add(&r->vm->rss_anon, made);
	return FAULT_DONE;
}

/*
 * Give the entry at @slot a private copy of @src (NULL: of zeroes). An entry that was present is
 * replaced, and its reference on its frame dropped.
 */
static enum fault_need fault_copy(struct fault_state *f, pte_t *slot, struct page *src)
{
	struct region *r = f->r;
	pte_t old = *slot, pte;
	struct page *p = state_take_frame(f, !src);

	if (!p)
		return NEED_FRAME;
	if (src)
		page_copy(page_to_va(p), page_to_va(src));
	if (r->prot & PROT_X)
		sync_for_exec(p);
	if (!region_is_anon(r) && !(r->flags & VM_HAS_ANON))
		word_or(&r->flags, VM_HAS_ANON);
	atomic_inc(&r->vm->rss_anon);
	pte = pte_mkdirty(pte_make(page_to_pa(p), vm_pte_prot(r->prot)));
	if (!pte_present(old)) {
		pte_set(slot, pte);
		return FAULT_DONE;
	}
	/* Invalid in between: no CPU may see old and new frame at once. */
	entry_change(r, f->addr, slot, 0);
	pte_set(slot, pte);
	if (src && page_counted(src)) {
		atomic_dec(vm_rss_of(r, src));
		page_put(src);
	}
	return FAULT_DONE;
}

/*
 * May a store go to the frame that a shared mapping shows? Writeback clears PG_DIRTY before it
 * takes the pmap lock, which we hold, to protect the page: while the flag is set, it will come by
 * after us.
 */
static bool shared_write_ok(const struct fault_state *f)
{
	const struct pagecache *pc = f->r->cache;

	if (!pc || !pagecache_tracks_writes(pc))
		return true;
	return f->leave && (!pc->ops->write || page_flag(f->have, PG_DIRTY));
}

/*
 * The entry is there already: a copy on write, a first shared write, or somebody else was faster.
 */
static enum fault_need fault_present(struct fault_state *f, pte_t *slot)
{
	struct region *r = f->r;
	pte_t pte = *slot;
	struct page *p;

	if (!f->write || pte_writable(pte) || (r->flags & VM_DEVICE)) {
		/* A stale translation of ours at most, or the first access since somebody asked. */
		if (unlikely(!pte_young(pte))) {
			if (!(r->flags & VM_DEVICE) &&
			    page_flag(pa_to_page(pte_pa(pte)), PG_HWPOISON))
				return FAULT_LOST;
			pte_set(slot, pte_mkyoung(pte));
		}
		tlb_flush_page(&r->vm->pmap, f->addr);
		return FAULT_DONE;
	}
	p = pa_to_page(pte_pa(pte));
	if (r->flags & VM_SHARED) {
		if (!shared_write_ok(f) || (f->leave && f->have != p)) {
			f->leave = false;
			return NEED_LEAVE;
		}
		entry_change(r, f->addr, slot,
			     pte_mkdirty(pte_set_prot(pte, vm_pte_prot(r->prot))));
		return FAULT_DONE;
	}
	if (p == vm_zero_page)
		return fault_copy(f, slot, NULL);
	if (p->type == PAGE_ANON && page_refs(p) == 1) {
		entry_change(r, f->addr, slot,
			     pte_mkdirty(pte_set_prot(pte, vm_pte_prot(r->prot))));
		return FAULT_DONE;
	}
	return unlikely(page_flag(p, PG_HWPOISON)) ? FAULT_LOST : fault_copy(f, slot, p);
}

/* First page index beyond the file. */
static inline u64 cache_limit(const struct pagecache *pc)
{
	return DIV_ROUND_UP(READ_ONCE(pc->size), PAGE_SIZE);
}

/*
 * Map the cached page at f->addr and cached neighbours within an aligned window of it. True when
 * the page itself was there. holds: pmap lock.
 */
static bool fault_around(struct fault_state *f, pte_t *slot)
{
	struct region *r = f->r;
	struct pagecache *pc = r->cache;
	bool tracked = pagecache_tracks_writes(pc), found = false;
	pte_t model = entry_model(r, (r->flags & VM_SHARED) && !tracked);
	u32 mapped = 0;
	vaddr_t lo = f->addr, hi = f->addr + PAGE_SIZE;
	void *items[AROUND_PAGES];
	u64 keys[AROUND_PAGES], here = region_index(r, f->addr), limit;
	u32 n;

	if (!(r->flags & VM_RAND)) {
		lo = MAX(f->addr & ~((vaddr_t)AROUND_PAGES * PAGE_SIZE - 1), r->start);
		hi = MIN(lo + AROUND_PAGES * PAGE_SIZE, r->end);
		hi = MIN(hi, LEAF_END(f->addr));
	}
	spin_lock(&pc->lock);
	limit = cache_limit(pc);
	n = radix_gang(&pc->pages, region_index(r, lo), region_index(r, hi) - 1, items, keys,
		       AROUND_PAGES);
	for (u32 i = 0; i < n; i++) {
		struct page *p = items[i];
		pte_t *s = slot + (s64)(keys[i] - here);

		if (keys[i] >= limit || pte_present(*s) || !page_flag(p, PG_UPTODATE))
			continue;
		page_get(p);
		entry_fill(r, s, p, model);
		mapped++;
		if (keys[i] == here)
			found = true;
	}
	spin_unlock(&pc->lock);
	if (mapped)
		atomic_add(pagecache_in_memory(pc) ? &r->vm->rss_shmem : &r->vm->rss_file, mapped);
	return found;
}

/* The page in f->have is still the one the file has at f->addr. holds: pmap lock; see unmap.c. */
static bool have_is_current(const struct fault_state *f)
{
	const struct pagecache *pc = f->r->cache;

	return READ_ONCE(f->have->cache) == pc && f->have->index == region_index(f->r, f->addr) &&
	       f->have->index < cache_limit(pc) && page_flag(f->have, PG_UPTODATE);
}

static enum fault_need fault_cache(struct fault_state *f, pte_t *slot)
{
	struct region *r = f->r;
	struct page *p;
	enum fault_need need;

	if (f->write && !(r->flags & VM_SHARED)) {
		u64 index = region_index(r, f->addr);

		p = index < cache_limit(r->cache) ? pagecache_find(r->cache, index) : NULL;
		if (!p)
			return NEED_CACHED;
		need = fault_copy(f, slot, p);
		page_put(p);
		return need;
	}
	if (!f->write || shared_write_ok(f)) {
		if (!f->leave)
			return fault_around(f, slot) ? FAULT_DONE : NEED_CACHED;
		if (f->have && have_is_current(f)) {
			page_get(f->have);
			entry_fill(r, slot, f->have, entry_model(r, true));
			atomic_inc(vm_rss_of(r, f->have));
			return FAULT_DONE;
		}
	}
	f->leave = false;
	return NEED_LEAVE;
}

static enum fault_need fault_special(struct fault_state *f, pte_t *slot)
{
	struct region *r = f->r;
	struct page *p = f->have;
	enum fault_need need;

	if (!p)
		return NEED_SPECIAL;
	if (f->write && !(r->flags & VM_SHARED))
		return fault_copy(f, slot, p);
	need = FAULT_DONE;
	f->have = NULL;
	if (page_counted(p))
		atomic_inc(vm_rss_of(r, p));
	entry_fill(r, slot, p, entry_model(r, r->flags & VM_SHARED));
	return need;
}

static enum fault_need fault_once(struct fault_state *f)
{
	struct pmap *pm = &f->r->vm->pmap;
	enum fault_need need;
	pte_t *slot;

	spin_lock(&pm->lock);
	slot = pmap_leaf_alloc(pm, f->addr);
	if (unlikely(!slot))
		need = NEED_TABLE;
	else if (pte_present(*slot))
		need = fault_present(f, slot);
	else if (region_is_anon(f->r))
		need = fault_anon(f, slot);
	else if (f->r->cache)
		need = fault_cache(f, slot);
	else
		need = fault_special(f, slot);
	spin_unlock(&pm->lock);
	return need;
}

static void state_drop_have(struct fault_state *f)
{
	if (f->have)
		page_put(f->have);
	f->have = NULL;
}

/* A table page is wanted: make the allocator find one, and give it back for the retry. */
static int get_table_room(void)
{
	struct page *p = pmm_alloc(0, PMM_USER);

	if (!p)
		return -ENOMEM;
	page_put(p);
	return 0;
}

static int get_frame(struct fault_state *f)
{
	f->frame = pmm_alloc(0, PMM_USER);
	return f->frame ? 0 : -ENOMEM;
}

static int get_cached(struct fault_state *f)
{
	state_drop_have(f);
	return pagecache_get_mapped(f->r->cache, region_index(f->r, f->addr),
				    f->r->flags & VM_RAND  ? READ_RANDOM
				    : f->r->flags & VM_SEQ ? READ_IN_ORDER
							   : READ_NORMAL,
				    &f->have, &f->major);
}

/*
 * The first store through a shared mapping since the page was clean: the file system has its say.
 */
static int get_leave(struct fault_state *f)
{
	struct pagecache *pc = f->r->cache;
	u64 index = region_index(f->r, f->addr);
	int err = get_cached(f);

	if (err)
		return err;
	if (pc->ops->make_writable) {
		err = pc->ops->make_writable(pc, index);
		if (err)
			return err == -ENOMEM || err == -EINTR ? err : -EIO;
	}
	if (pc->ops->write)
		writeback_throttle();
	pagecache_mark_dirty(pc, f->have);
	f->leave = true;
	return 0;
}

static int get_special(struct fault_state *f)
{
	struct vm_file *file = f->r->file;
	int err;

	if (!file->ops->fault)
		return -EIO;
	err = file->ops->fault(file, region_index(f->r, f->addr), &f->have);
	return err == -EFAULT ? -EIO : err;
}

static int fault_provide(struct fault_state *f, enum fault_need need)
{
	/* A process that is to die does not wait for memory or devices. */
	if (unlikely(READ_ONCE(current->killed)))
		return -EINTR;
	switch (need) {
	case NEED_TABLE: return get_table_room();
	case NEED_FRAME: return get_frame(f);
	case NEED_CACHED: return get_cached(f);
	case NEED_LEAVE: return get_leave(f);
	case NEED_SPECIAL: return get_special(f);
	case FAULT_LOST: return -EHWPOISON;
	case FAULT_DONE: break;
	}
	return 0;
}

/*
 * Make page @addr of @r present, and writable with VMF_WRITE. The access was checked against the
 * region's protection, or VMF_FORCE is given. *@flags gets VMF_MAJOR when a device was read.
 * ctx: thread; holds: sem; sleeps. 0, -EIO (no such page of the file), -EHWPOISON (its frame is
 * lost), -ENOMEM, -EINTR.
 */
int vm_fault_region(struct region *r, vaddr_t addr, u32 *flags)
{
	struct fault_state f = { .r = r, .addr = addr & ~(vaddr_t)PAGE_MASK };
	enum fault_need need;
	int err = 0;

	f.write = *flags & VMF_WRITE;
	while ((need = fault_once(&f)) != FAULT_DONE) {
		err = fault_provide(&f, need);
		if (err)
			break;
	}
	if (unlikely(f.frame))
		page_put(f.frame);
	state_drop_have(&f);
	if (f.major)
		*flags |= VMF_MAJOR;
	return err;
}

/*
 * Does @r allow the access? Execution and writing imply reading, as on Linux without execute-only
 * mappings.
 */
static inline bool access_allowed(const struct region *r, bool write, bool exec)
{
	if (exec)
		return r->prot & PROT_X;
	return write ? r->prot & PROT_W : r->prot != 0;
}

static inline struct region *fault_find(struct vmspace *vm, vaddr_t addr)
{
	struct region *r = READ_ONCE(vm->cached);

	if (likely(r && addr - r->start < r->end - r->start))
		return r;
	r = region_find(vm, addr);
	if (!r || r->start > addr)
		return NULL;
	WRITE_ONCE(vm->cached, r);
	return r;
}

/* May the stack @r grow down to @addr? holds: sem for writing. */
static int stack_may_grow(struct vmspace *vm, struct region *r, vaddr_t addr,
			  const struct vm_limits *lim)
{
	struct region *prev = region_prev(r);
	u64 grow = PAGES(r->start - addr);

	if (addr < (vaddr_t)vm_mmap_min_addr)
		return -EFAULT;
	if (prev && !(prev->flags & VM_GROWSDOWN) && prev->prot &&
	    addr - prev->end < STACK_GUARD_GAP)
		return -EFAULT;
	if (prev && prev->end > addr)
		return -EFAULT;
	if (!lim)
		return 0;
	if (r->end - addr > lim->stack || (vm->total_pages + grow) > PAGES(lim->as))
		return -EFAULT;
	if ((r->flags & VM_LOCKED) && !lim->ipc_lock &&
	    vm->locked_pages + grow > PAGES(lim->memlock))
		return -EFAULT;
	return 0;
}

/* No region at @addr: grow a stack above it. 0, -EFAULT, or -ENOMEM. */
static int stack_grow(struct vmspace *vm, vaddr_t addr, const struct vm_limits *lim)
{
	vaddr_t page = addr & ~(vaddr_t)PAGE_MASK;
	struct region *r;
	int err = -EFAULT;

	rwsem_write_lock(&vm->sem);
	r = region_find(vm, addr);
	if (!r)
		goto unlock;
	if (r->start <= addr) {
		err = 0;
		goto unlock;
	}
	if (!(r->flags & VM_GROWSDOWN))
		goto unlock;
	err = stack_may_grow(vm, r, page, lim);
	if (err)
		goto unlock;
	if (r->flags & VM_ACCOUNT) {
		err = vm_commit(PAGES(r->start - page));
		if (err)
			goto unlock;
	}
	region_set_bounds(r, page, r->end);
unlock:
	rwsem_write_unlock(&vm->sem);
	return err;
}

/*
 * Resolve a fault; see the header for the errors. A stack grows when the address lies below it.
 * ctx: thread; sleeps.
 */
int vm_fault(struct vmspace *vm, vaddr_t addr, bool write, bool exec, const struct vm_limits *lim)
{
	u32 flags = write ? VMF_WRITE : 0;
	struct region *r;
	int err;

	rwsem_read_lock(&vm->sem);
	r = fault_find(vm, addr);
	while (unlikely(!r)) {
		rwsem_read_unlock(&vm->sem);
		err = addr < USER_TOP ? stack_grow(vm, addr, lim) : -EFAULT;
		if (err)
			return err;
		rwsem_read_lock(&vm->sem);
		r = fault_find(vm, addr);
	}
	err = likely(access_allowed(r, write, exec)) ? vm_fault_region(r, addr, &flags) : -EACCES;
	rwsem_read_unlock(&vm->sem);
	if (unlikely(flags & VMF_MAJOR))
		atomic_inc(&vm->majflt);
	else
		atomic_inc(&vm->minflt);
	return err;
}

/*
 * Bring in the pages of [@start, @end) as a read or write access would. *@done gets the first
 * address not done.
 * holds: sem for reading. 0, -ENOMEM (hole, or no memory), -EFAULT (access not allowed), -EIO,
 * -EINTR.
 */
int vm_populate_locked(struct vmspace *vm, vaddr_t start, vaddr_t end, bool write, vaddr_t *done)
{
	vaddr_t va = start;
	int err = 0;

	while (va < end && !err) {
		struct region *r = region_find(vm, va);
		u32 flags = write ? VMF_WRITE : 0;

		*done = va;
		if (!r || r->start > va)
			return -ENOMEM;
		if (!access_allowed(r, write, false))
			return -EFAULT;
		for (; va < MIN(end, r->end) && !err; va += err ? 0 : PAGE_SIZE)
			err = READ_ONCE(current->killed) ? -EINTR : vm_fault_region(r, va, &flags);
	}
	*done = va;
	return err;
}

/*
 * Bring in [@start, @end) for mlock and MAP_POPULATE: private writable memory for writing, so that
 * nothing faults later.
 * ctx: thread; sleeps. 0, -ENOMEM (hole, or no memory), -EIO, -EINTR; regions without access are
 * passed over, or with @strict answered with -EFAULT.
 */
int vm_populate(struct vmspace *vm, vaddr_t start, vaddr_t end, bool strict)
{
	vaddr_t va = start, done;
	int err = 0;

	rwsem_read_lock(&vm->sem);
	while (va < end && !err) {
		struct region *r = region_find(vm, va);
		vaddr_t stop;

		if (!r || r->start > va) {
			err = -ENOMEM;
			break;
		}
		stop = MIN(end, r->end);
		if (r->prot && !(r->flags & (VM_DEVICE | VM_LOCKONFAULT)))
			err = vm_populate_locked(vm, va, stop,
						 region_private_writable(r->prot, r->flags), &done);
		else if (strict && !r->prot)
			err = -EFAULT;
		va = stop;
	}
	rwsem_read_unlock(&vm->sem);
	return err;
}
