#pragma once
/*
 * What the files of mm/vm share among themselves: operations on the region tree, the walk over leaf
 * entries, and the accounting helpers. Nobody outside mm/vm includes this.
 */
#include <linux/errno.h>
#include "kernel/base/panic.h"
#include "kernel/base/percpu.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"
#include "mm/vm/vmspace.h"

#define STACK_GUARD_GAP (256 * (u64)PAGE_SIZE)
#define LEAF_SPAN MIB(2) /* what one leaf table maps */
#define LEAF_END(va) (((va) | (LEAF_SPAN - 1)) + 1)
#define PAGES(bytes) ((bytes) >> PAGE_SHIFT)
/*
 * Flags that say how a region came to be, not what it is: they do not keep neighbours from merging.
 */
#define VM_MERGE_IGNORE VM_HAS_ANON

/* ---- region.c: the tree. All hold vm->sem for writing, region_find for reading. ---- */
struct region *region_find(struct vmspace *vm, vaddr_t addr);
struct region *region_prev(struct region *r);
struct region *region_before(struct vmspace *vm, vaddr_t addr);
bool region_overlaps(struct vmspace *vm, vaddr_t start, vaddr_t end);
struct region *__must_check region_alloc(const struct region *proto);
void region_free(struct region *r);
void region_link(struct region *r, struct region *fork_parent);
void region_unlink(struct region *r);
bool region_absorb(struct vmspace *vm, const struct region *proto);
struct region *region_merge(struct region *r);
int __must_check region_isolate(struct vmspace *vm, vaddr_t start, vaddr_t end, bool leaving);
void region_set_bounds(struct region *r, vaddr_t start, vaddr_t end);
void region_count(struct vmspace *vm, const struct region *r, s64 sign);
void region_set_flags(struct region *r, u32 set, u32 clear);
vaddr_t region_low(const struct region *r);
int __must_check region_find_gap(struct vmspace *vm, u64 len, vaddr_t *out);
void region_gap_opened(struct vmspace *vm, vaddr_t start, vaddr_t end);
void region_setup(void);

/* True for a mapping whose pages have no other home: counts against RLIMIT_DATA and commit. */
static inline bool region_private_writable(u32 prot, u32 flags)
{
	return (prot & PROT_W) && !(flags & (VM_SHARED | VM_DEVICE));
}

static inline u64 region_pages(const struct region *r)
{
	return PAGES(r->end - r->start);
}

static inline u64 region_index(const struct region *r, vaddr_t va)
{
	return r->pgoff + PAGES(va - r->start);
}

/* ---- unmap.c ---- */
/*
 * Take the entries of [start, end) of @r out and drop their pages. holds: sem (any mode) or
 * maps_lock.
 */
#define UNMAP_KEEP_COPIES 1u /* leave private copies of file pages */
#define UNMAP_DYING \
	2u /* nobody runs in the address space any more: no TLB flush, entries stay as they are */
void unmap_entries(struct region *r, vaddr_t start, vaddr_t end, u32 how);
/* munmap with sem held for writing. */
int __must_check unmap_locked(struct vmspace *vm, vaddr_t start, vaddr_t end);

/* ---- fault.c ---- */
#define VMF_WRITE 1u
#define VMF_FORCE \
	2u /* ptrace: a private page is copied and written whatever the region's protection */
#define VMF_MAJOR 4u /* out: something was read from a device */
int __must_check vm_fault_region(struct region *r, vaddr_t addr, u32 *flags);
int vm_populate(struct vmspace *vm, vaddr_t start, vaddr_t end, bool strict);
int vm_populate_locked(struct vmspace *vm, vaddr_t start, vaddr_t end, bool write, vaddr_t *done);
/* Frame of @addr in @r with a reference, made present (and writable). holds: sem for reading. */
int __must_check vm_page_of(struct region *r, vaddr_t addr, u32 flags, struct page **out);
extern struct page *vm_zero_page; /* I: one frame of zeroes, read-only in every address space */
void fault_setup(void);

/*
 * Entry protection for a region's; without any access the entry stays present but out of user
 * reach.
 */
static inline u32 vm_pte_prot(u32 prot)
{
	return prot ? prot | PROT_R | PROT_U : PROT_U;
}

/* The same for an entry through which must not be written yet. */
static inline u32 vm_pte_prot_ro(u32 prot)
{
	return vm_pte_prot(prot) & ~PROT_W;
}

/*
 * Frames that mappings hold a reference on: not the zero page, nor the kernel's own frames (vDSO).
 */
static inline bool page_counted(const struct page *p)
{
	return p->type != PAGE_RESERVED;
}

/* Which resident-set counter a page mapped by @r belongs to. */
static inline atomic64_t *vm_rss_of(const struct region *r, const struct page *p)
{
	if (p->type == PAGE_ANON)
		return &r->vm->rss_anon;
	return r->cache && pagecache_in_memory(r->cache) ? &r->vm->rss_shmem : &r->vm->rss_file;
}

static inline u64 vm_rss(struct vmspace *vm)
{
	return atomic_read(&vm->rss_anon) + atomic_read(&vm->rss_file) +
	       atomic_read(&vm->rss_shmem);
}

/* High-water marks: taken before something shrinks, and by readers. */
static inline void vm_note_peak(struct vmspace *vm)
{
	u64 rss = vm_rss(vm);

	if (rss > READ_ONCE(vm->peak_rss))
		WRITE_ONCE(vm->peak_rss, rss);
	if (vm->total_pages > READ_ONCE(vm->peak_total))
		WRITE_ONCE(vm->peak_total, vm->total_pages);
}

/* Counters that hot paths write: one word per CPU, added up by readers. */
#define PERCPU_ADD(var, n)            \
	do {                          \
		preempt_disable();    \
		this_cpu(var) += (n); \
		preempt_enable();     \
	} while (0)
#define PERCPU_SUM(var)                                            \
	({                                                         \
		s64 pcs_sum = 0;                                   \
		for (u32 pcs_c = 0; pcs_c < cpu_count; pcs_c++)    \
			pcs_sum += READ_ONCE(per_cpu(var, pcs_c)); \
		pcs_sum < 0 ? 0 : (u64)pcs_sum;                    \
	})
