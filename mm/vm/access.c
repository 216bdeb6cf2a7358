/*
 * Reaching user memory by other roads than the CPU's own loads and stores: from another process
 * (ptrace, /proc/PID/mem, process_vm_readv, core dumps), by frame (futex keys, splice), and for
 * statistics (smaps).
 *
 * The page is made present by the fault path as if the owner had touched it, taken with a reference
 * under the pmap lock, and then copied through the linear map; nothing holds the address space
 * during the copy.
 */
#include "kernel/sched/thread.h"
#include "mm/vm/vm_internal.h"

/* Does the entry serve the access as it is? A forced store needs a frame of this mapping's own. */
static bool entry_serves(const struct region *r, pte_t pte, const struct page *p, u32 flags)
{
	if (unlikely(page_flag(p, PG_HWPOISON)))
		return false;
	if (!(flags & VMF_WRITE) || pte_writable(pte))
		return true;
	return (flags & VMF_FORCE) && !(r->flags & VM_SHARED) && p->type == PAGE_ANON &&
	       page_refs(p) == 1;
}

static struct page *page_grab(struct region *r, vaddr_t addr, u32 flags)
{
	struct pmap *pm = &r->vm->pmap;
	struct page *p = NULL;
	pte_t *slot;

	spin_lock(&pm->lock);
	slot = pmap_leaf(pm, addr);
	if (slot && pte_present(*slot)) {
		p = pa_to_page(pte_pa(*slot));
		if (entry_serves(r, *slot, p, flags))
			page_get(p);
		else
			p = NULL;
	}
	spin_unlock(&pm->lock);
	return p;
}

/*
 * Frame of @addr in @r with a reference; protection was checked, or VMF_FORCE is given.
 * ctx: thread; holds: sem; sleeps. 0, -EFAULT (device memory), -EIO, -ENOMEM, -EINTR.
 */
int vm_page_of(struct region *r, vaddr_t addr, u32 flags, struct page **out)
{
	struct page *p;
	int err;

	if (r->flags & VM_DEVICE)
		return -EFAULT;
	while (!(p = page_grab(r, addr, flags))) {
		u32 how = flags;

		err = vm_fault_region(r, addr, &how);
		if (err)
			return err;
	}
	*out = p;
	return 0;
}

static bool access_permitted(const struct region *r, bool write, bool force)
{
	if (!write)
		return (r->prot & PROT_R) || (force && r->max_prot);
	if (r->prot & PROT_W)
		return true;
	return force && !(r->flags & VM_SHARED) && (r->max_prot & PROT_W);
}

/* One page's part. Bytes done or -errno. holds: sem for reading. */
static ssize_t access_page(struct vmspace *vm, vaddr_t addr, void *buf, size_t len, bool write,
			   bool force)
{
	size_t off = addr & PAGE_MASK, n = MIN(len, PAGE_SIZE - off);
	u32 flags = (write ? VMF_WRITE : 0) | (force ? VMF_FORCE : 0);
	struct region *r = region_find(vm, addr);
	struct page *p;
	int err;

	if (!r || r->start > addr || !access_permitted(r, write, force))
		return -EFAULT;
	err = vm_page_of(r, addr & ~(vaddr_t)PAGE_MASK, flags, &p);
	if (err)
		return err == -EINTR ? err : -EFAULT;
	if (write) {
		memcpy((char *)page_to_va(p) + off, buf, n);
		if (r->prot & PROT_X)
			pmap_sync_icache(page_to_va(p), PAGE_SIZE);
	} else {
		memcpy(buf, (char *)page_to_va(p) + off, n);
	}
	page_put(p);
	return (ssize_t)n;
}

/*
 * Copy between @buf (kernel memory) and @vm; see the header. ctx: thread; sleeps. Bytes moved
 * (fewer than @len when something unreachable follows), or -EFAULT when that is none, -EINTR.
 */
ssize_t vm_access(struct vmspace *vm, vaddr_t addr, void *buf, size_t len, bool write, bool force)
{
	size_t done = 0;
	ssize_t n = 0;

	if (addr >= USER_TOP || len > USER_TOP - addr)
		return -EFAULT;
	rwsem_read_lock(&vm->sem);
	while (done < len) {
		n = access_page(vm, addr + done, (char *)buf + done, len - done, write, force);
		if (n < 0)
			break;
		done += (size_t)n;
	}
	rwsem_read_unlock(&vm->sem);
	return done ? (ssize_t)done : n;
}

/* The frame at @addr as it is there already, with a reference; *stop: none before that address. */
static struct page *dump_present(struct region *r, vaddr_t addr, vaddr_t *stop)
{
	struct pmap *pm = &r->vm->pmap;
	struct page *p = NULL;
	pte_t *slot;

	*stop = addr + PAGE_SIZE;
	spin_lock(&pm->lock);
	slot = pmap_leaf(pm, addr);
	if (!slot) {
		*stop = LEAF_END(addr);
	} else if (pte_present(*slot)) {
		p = pa_to_page(pte_pa(*slot));
		if (p == vm_zero_page || page_flag(p, PG_HWPOISON))
			p = NULL;
		else
			page_get(p);
	}
	spin_unlock(&pm->lock);
	return p;
}

/* As dump_present, of a file: its cached page, or what its device has. holds: sem */
static struct page *dump_file_page(struct region *r, vaddr_t addr)
{
	struct page *p;

	if (r->cache && pagecache_in_memory(r->cache))
		return pagecache_find(r->cache, region_index(r, addr));
	return vm_page_of(r, addr, 0, &p) ? NULL : p;
}

/* What a dump shows of @addr in @r, NULL: nothing up to *stop. holds: sem */
static struct page *dump_page(struct region *r, vaddr_t addr, vaddr_t *stop)
{
	struct page *p;

	*stop = r->end;
	if (r->flags & VM_DEVICE)
		return NULL;
	p = dump_present(r, addr, stop);
	if (!p && !region_is_anon(r)) {
		*stop = addr + PAGE_SIZE;
		p = dump_file_page(r, addr);
	}
	*stop = MIN(*stop, r->end);
	return p;
}

/* Contract in vmspace.h. */
vaddr_t vm_dump_next(struct vmspace *vm, vaddr_t addr, vaddr_t end, struct page **out)
{
	struct page *p = NULL;

	rwsem_read_lock(&vm->sem);
	while (addr < end && !READ_ONCE(current->killed)) {
		struct region *r = region_find(vm, addr);
		vaddr_t stop = end;

		if (r && r->start > addr)
			stop = r->start;
		else if (r)
			p = dump_page(r, addr, &stop);
		if (p)
			break;
		addr = stop;
	}
	rwsem_read_unlock(&vm->sem);
	*out = p;
	return p ? addr : end;
}

/*
 * Frame behind a user address with a reference, present and (with @write) private to the mapping or
 * shared for writing.
 * ctx: thread; sleeps. 0, -EFAULT, -ENOMEM, -EINTR.
 */
int vm_get_page(struct vmspace *vm, vaddr_t addr, bool write, struct page **out)
{
	struct region *r;
	int err = -EFAULT;

	addr = user_untag(addr);
	rwsem_read_lock(&vm->sem);
	r = region_find(vm, addr);
	if (r && r->start <= addr && access_permitted(r, write, false))
		err = vm_page_of(r, addr & ~(vaddr_t)PAGE_MASK, write ? VMF_WRITE : 0, out);
	rwsem_read_unlock(&vm->sem);
	return err == -EIO || err == -EHWPOISON ? -EFAULT : err;
}

/*
 * What identifies a futex word: for shared mappings the cache and byte offset, for private ones
 * *object NULL. Private memory must be writable, shared memory only to @write.
 * ctx: thread; sleeps. 0 or -EFAULT.
 */
int vm_shared_key(struct vmspace *vm, vaddr_t addr, bool write, const void **object, u64 *offset)
{
	struct region *r;
	int err = -EFAULT;

	addr = user_untag(addr);
	rwsem_read_lock(&vm->sem);
	r = region_find(vm, addr);
	if (r && r->start <= addr && r->prot) {
		bool shared = (r->flags & VM_SHARED) && r->file;

		err = (r->prot & PROT_W) || (shared && !write) ? 0 : -EFAULT;
		*object = shared ? r->cache ? (const void *)r->cache : (const void *)r->file : NULL;
		*offset = shared ? (r->pgoff << PAGE_SHIFT) + (addr - r->start) : addr;
	}
	rwsem_read_unlock(&vm->sem);
	return err;
}

static void count_entry(const struct region *r, pte_t pte, struct vm_counts *c)
{
	struct page *p = pa_to_page(pte_pa(pte));
	u64 *clean, *dirty;
	u32 sharers;

	if (!page_counted(p))
		return;
	/* The cache's own reference is not a sharer. */
	sharers = page_refs(p) - (p->type == PAGE_CACHE ? 1 : 0);
	clean = sharers > 1 ? &c->shared_clean : &c->private_clean;
	dirty = sharers > 1 ? &c->shared_dirty : &c->private_dirty;
	c->rss += PAGE_SIZE;
	c->pss += PAGE_SIZE / (sharers ? sharers : 1);
	c->referenced += PAGE_SIZE;
	*(p->type == PAGE_ANON || pte_dirty(pte) ? dirty : clean) += PAGE_SIZE;
	if (p->type == PAGE_ANON) {
		c->anon += PAGE_SIZE;
		c->anonymous += PAGE_SIZE;
	}
	if (sharers > 1)
		c->shared += PAGE_SIZE;
	if (r->flags & VM_LOCKED)
		c->locked += PAGE_SIZE / (sharers ? sharers : 1);
}

/* Sums over the present pages of @r, in bytes, for smaps. ctx: thread; holds: sem. */
void vm_region_counts(struct region *r, struct vm_counts *out)
{
	struct pmap *pm = &r->vm->pmap;

	memset(out, 0, sizeof(*out));
	if (r->flags & VM_DEVICE)
		return;
	spin_lock(&pm->lock);
	for (vaddr_t va = r->start; (va = pmap_next_leaf(pm, va, r->end)) < r->end;) {
		vaddr_t stop = MIN(LEAF_END(va), r->end);
		pte_t *slot = pmap_leaf(pm, va);

		for (; va < stop; va += PAGE_SIZE, slot++)
			if (pte_present(*slot))
				count_entry(r, *slot, out);
	}
	spin_unlock(&pm->lock);
}
