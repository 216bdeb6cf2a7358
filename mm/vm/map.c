/*
 * Making mappings: mmap and brk.
 *
 * vm_map checks everything and gets everything that may fail (a place, the limits, the promise of
 * memory, a region object) before it takes away what a fixed mapping replaces; from there on only
 * the splitting of the replaced regions may fail, which changes nothing visible. Then the new range
 * is either absorbed by a neighbour that means the same, or linked as a region of its own.
 */
#include <linux/capability.h>
#include "kernel/base/cred.h"
#include "kernel/sched/thread.h"
#include "mm/vm/vm_internal.h"

/* Pages of regions within [start, end): a fixed mapping replaces them. holds: sem. */
static u64 pages_within(struct vmspace *vm, vaddr_t start, vaddr_t end)
{
	struct region *r = region_find(vm, start);
	u64 n = 0;

	for (; r && r->start < end; r = vm_next(r))
		n += PAGES(MIN(r->end, end) - MAX(r->start, start));
	return n;
}

/* RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK and the number of regions. holds: sem for writing. */
static int map_check_limits(struct vmspace *vm, const struct region *n, u64 replaced,
			    const struct vm_limits *lim)
{
	u64 pages = region_pages(n);

	if (vm->nregions > (u32)vm_max_map_count)
		return -ENOMEM;
	if (!lim)
		return 0;
	if (vm->total_pages - replaced + pages > PAGES(lim->as))
		return -ENOMEM;
	if (region_private_writable(n->prot, n->flags) && !(n->flags & (VM_GROWSDOWN | VM_STACK)) &&
	    vm->data_pages + pages > PAGES(lim->data))
		return -ENOMEM;
	if ((n->flags & VM_LOCKED) && !lim->ipc_lock &&
	    vm->locked_pages + pages > PAGES(lim->memlock))
		return -EAGAIN;
	return 0;
}

/* Where the mapping goes. holds: sem for writing. 0, -EINVAL, -ENOMEM, -EEXIST, -EPERM. */
static int map_place(struct vmspace *vm, const struct vm_map_args *a, u64 len, vaddr_t *out)
{
	vaddr_t addr = a->addr;

	if (a->how & (VM_MAP_FIXED | VM_MAP_NOREPLACE)) {
		if (addr & PAGE_MASK)
			return -EINVAL;
		if (addr > USER_TOP - len)
			return -ENOMEM;
		if (addr < (vaddr_t)vm_mmap_min_addr && !cred_capable(current->cred, CAP_SYS_RAWIO))
			return -EPERM;
		if ((a->how & VM_MAP_NOREPLACE) && region_overlaps(vm, addr, addr + len))
			return -EEXIST;
		*out = addr;
		return 0;
	}
	if (addr) {
		struct region *next, *prev;

		addr = addr > USER_TOP ? USER_TOP : ALIGN_UP(addr, (vaddr_t)PAGE_SIZE);
		if (addr < (vaddr_t)vm_mmap_min_addr)
			addr = ALIGN_UP((vaddr_t)vm_mmap_min_addr, (vaddr_t)PAGE_SIZE);
		next = region_find(vm, addr);
		prev = region_before(vm, addr);
		if (addr <= USER_TOP - len && (!next || addr + len <= region_low(next)) &&
		    (!prev || prev->end <= addr)) {
			*out = addr;
			return 0;
		}
	}
	return region_find_gap(vm, len, out);
}

/* The region that the arguments describe, on the stack. */
static void map_describe(struct vmspace *vm, const struct vm_map_args *a, u64 len, struct region *n)
{
	memset(n, 0, sizeof(*n));
	n->vm = vm;
	n->end = len;
	n->prot = a->prot;
	n->max_prot = a->max_prot;
	n->flags = a->flags | vm->def_flags;
	n->file = a->file;
	n->cache = a->file && a->file->ops->cache ? a->file->ops->cache(a->file) : NULL;
	n->pgoff = a->file ? a->pgoff : 0;
	n->name = a->name;
	if (region_private_writable(n->prot, n->flags) &&
	    (!(n->flags & VM_NORESERVE) || vm_overcommit_mode == 2))
		n->flags |= VM_ACCOUNT;
	if (n->flags & VM_DEVICE)
		n->flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
}

/*
 * Commit the described region at its place. holds: sem for writing. 0 or -ENOMEM, nothing changed.
 */
static int map_insert(struct vmspace *vm, const struct region *n)
{
	struct region *r = NULL;
	int err;

	if (region_overlaps(vm, n->start, n->end)) {
		/* The replaced mappings go only when the new one cannot fail any more. */
		r = region_alloc(n);
		if (!r)
			return -ENOMEM;
		err = unmap_locked(vm, n->start, n->end);
		if (err) {
			region_free(r);
			return err;
		}
	} else if (region_absorb(vm, n)) {
		return 0;
	} else {
		r = region_alloc(n);
		if (!r)
			return -ENOMEM;
	}
	region_link(r, NULL);
	region_merge(r);
	return 0;
}

static int map_locked(struct vmspace *vm, const struct vm_map_args *a, u64 len, struct region *n)
{
	u64 replaced = 0;
	vaddr_t addr;
	int err = map_place(vm, a, len, &addr);

	if (err)
		return err;
	n->start = addr;
	n->end = addr + len;
	if (a->how & VM_MAP_FIXED)
		replaced = pages_within(vm, n->start, n->end);
	err = map_check_limits(vm, n, replaced, a->limits);
	if (err)
		return err;
	if (n->flags & VM_ACCOUNT) {
		err = vm_commit(PAGES(len));
		if (err)
			return err;
	}
	err = map_insert(vm, n);
	if (err && (n->flags & VM_ACCOUNT))
		vm_uncommit(PAGES(len));
	return err;
}

/*
 * The mapping stands whether or not its pages can be brought in: mmap(2), NOTES on MAP_LOCKED.
 */
static void map_populate(struct vmspace *vm, const struct vm_map_args *a, const struct region *n)
{
	if ((a->how & (VM_MAP_POPULATE | VM_MAP_NONBLOCK)) == VM_MAP_POPULATE ||
	    ((n->flags & VM_LOCKED) && !(n->flags & VM_LOCKONFAULT)))
		(void)vm_populate(vm, n->start, n->end, false);
}

/*
 * mmap(2); see the header. ctx: thread; sleeps. The file's reference stays the caller's, the region
 * takes its own.
 */
int vm_map(struct vmspace *vm, const struct vm_map_args *a, vaddr_t *out)
{
	u64 len = ALIGN_UP(a->len, (u64)PAGE_SIZE);
	struct region n;
	int err;

	if (!a->len)
		return -EINVAL;
	if (len < a->len || len > USER_TOP)
		return -ENOMEM;
	rwsem_write_lock(&vm->sem);
	map_describe(vm, a, len, &n);
	err = map_locked(vm, a, len, &n);
	rwsem_write_unlock(&vm->sem);
	if (err)
		return err;
	map_populate(vm, a, &n);
	*out = n.start;
	return 0;
}

/*
 * The region at @start, when [start, start + size) is one shared mapping of one file that may be
 * written to, in as many regions as it takes. holds: sem. NULL: it is not.
 */
static struct region *shared_range(struct vmspace *vm, vaddr_t start, u64 size)
{
	struct region *first = region_find(vm, start), *r = first, *next;

	if (!r || r->start > start || !(r->flags & VM_SHARED) || !(r->max_prot & PROT_W) ||
	    (r->flags & VM_DEVICE))
		return NULL;
	for (; r->end < start + size; r = next) {
		next = vm_next(r);
		if (!next || next->start != r->end || next->file != first->file ||
		    next->prot != first->prot || ((next->flags ^ first->flags) & ~VM_MERGE_IGNORE))
			return NULL;
	}
	return first;
}

/*
 * remap_file_pages(2) as Linux has it since 4.0: [@addr, @addr + @size) of a shared mapping becomes
 * a mapping of the same file from page @pgoff on. ctx: thread; sleeps. 0, -EINVAL, -EOVERFLOW,
 * -ENOMEM, -EAGAIN (locked limit).
 */
int vm_remap_pages(struct vmspace *vm, vaddr_t addr, u64 size, u64 pgoff, bool nonblock,
		   const struct vm_limits *lim)
{
	struct vm_map_args a = { .addr = addr, .len = size, .pgoff = pgoff, .limits = lim };
	struct vm_file *file = NULL;
	struct region n, *r;
	int err = -EINVAL;

	rwsem_write_lock(&vm->sem);
	r = shared_range(vm, addr, size);
	if (r) {
		a.prot = r->prot;
		a.max_prot = r->max_prot;
		a.flags = r->flags & (VM_SHARED | VM_LOCKED | VM_NORESERVE);
		a.how = VM_MAP_FIXED | VM_MAP_POPULATE | (nonblock ? VM_MAP_NONBLOCK : 0);
		a.file = file = r->file;
		file->ops->get(file); /* what is replaced may hold the last reference */
		map_describe(vm, &a, size, &n);
		err = pgoff + PAGES(size) > PAGES((u64)1 << 63) ? -EOVERFLOW
								: map_locked(vm, &a, size, &n);
	}
	rwsem_write_unlock(&vm->sem);
	if (!err)
		map_populate(vm, &a, &n);
	if (file)
		file->ops->put(file);
	return err;
}

static int brk_grow(struct vmspace *vm, vaddr_t from, vaddr_t to, const struct vm_limits *lim,
		    u32 *flags)
{
	struct vm_map_args a = {
		.addr = from,
		.prot = PROT_R | PROT_W,
		.max_prot = PROT_R | PROT_W | PROT_X,
		.flags = VM_HEAP,
		.how = VM_MAP_FIXED,
		.limits = lim,
	};
	struct region *next = region_find(vm, from);
	struct region n;

	/* Keep the gap that a stack above claims, and one page to anything else. */
	if (next && to + PAGE_SIZE > region_low(next))
		return -ENOMEM;
	map_describe(vm, &a, to - from, &n);
	*flags = n.flags;
	return map_locked(vm, &a, to - from, &n);
}

/* holds: sem for writing. True: the break is now @addr. */
static bool brk_move(struct vmspace *vm, vaddr_t addr, const struct vm_limits *lim, vaddr_t *from,
		     vaddr_t *to, u32 *flags)
{
	*from = ALIGN_UP(vm->brk, (vaddr_t)PAGE_SIZE);
	*to = ALIGN_UP(addr, (vaddr_t)PAGE_SIZE);
	if (addr < vm->brk_start || addr > USER_TOP - PAGE_SIZE)
		return false;
	if (lim && addr - vm->brk_start + (vm->data_end - vm->data_start) > lim->data)
		return false;
	if (*to > *from)
		return brk_grow(vm, *from, *to, lim, flags) == 0;
	return *to == *from || unmap_locked(vm, *to, *from) == 0;
}

/*
 * brk(2): the new break, or the unchanged one when @addr cannot be had.
 * ctx: thread; sleeps.
 */
vaddr_t vm_brk(struct vmspace *vm, vaddr_t addr, const struct vm_limits *lim)
{
	vaddr_t from = 0, to = 0, brk;
	u32 flags = 0;

	rwsem_write_lock(&vm->sem);
	if (brk_move(vm, addr, lim, &from, &to, &flags))
		vm->brk = addr;
	else
		to = from;
	brk = vm->brk;
	rwsem_write_unlock(&vm->sem);
	if (to > from && (flags & VM_LOCKED) && !(flags & VM_LOCKONFAULT))
		(void)vm_populate(vm, from, to, false);
	return brk;
}
