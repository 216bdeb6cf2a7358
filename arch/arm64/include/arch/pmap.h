#pragma once
/*
 * Page tables of user address spaces, and the kernel's own mappings.
 *
 * A pmap is the tables of one address space, guarded by pmap->lock. mm/vm works on leaf entries in
 * place: pmap_leaf() finds the level-3 entry of an address, and entries up to the end of that table
 * (512 of them, 2 MiB) follow it. Values are built and taken apart by the pte_* functions only.
 */
#include <arch/memlayout.h>
#include "kernel/base/spinlock.h"
#include "kernel/lib/list.h"

typedef u64 pte_t;

/* Protection of a mapping. */
#define PROT_R 1u
#define PROT_W 2u
#define PROT_X 4u
#define PROT_U 8u /* user; without it kernel */
#define PROT_DEVICE 16u /* device memory (nGnRE) */
#define PROT_NC 32u /* normal, not cached */

struct pmap {
	struct spinlock lock; /* rank PMAP */
	pte_t *root; /* I: level-1 table, 512 entries, linear-map address */
	u64 asid; /* a: generation | ASID, see tlb.c */
	cpumask_t active; /* a: CPUs that may hold TLB entries of it */
	u32 tables; /* p: table pages, root included (for VmPTE) */
	struct list below; /* p: the tables but the root, by struct page's table */
};

/* Entry values. A user entry has attributes nG, inner shareable, AF set. */
pte_t pte_make(paddr_t pa, u32 prot);
/* The entry @model, made for frame 0, for frame @pa: for many entries of one protection. */
static inline pte_t pte_with_pa(pte_t model, paddr_t pa)
{
	return model | pa;
}
static inline bool pte_present(pte_t p)
{
	return p & 1;
}
static inline paddr_t pte_pa(pte_t p)
{
	return p & 0x0000fffffffff000ull;
}
bool pte_writable(pte_t p);
bool pte_dirty(pte_t p); /* software bit: set by pte_mkdirty and by pte_make with PROT_W */
bool pte_young(pte_t p); /* accessed flag */
pte_t pte_set_prot(pte_t p, u32 prot); /* same frame, new protection; keeps dirty */
pte_t pte_wrprotect(pte_t p);
pte_t pte_mkdirty(pte_t p);
pte_t pte_mkyoung(pte_t p);
pte_t pte_mkold(pte_t p);

/*
 * New empty address space; 0 or -ENOMEM. fini frees the tables (leaf entries must be gone). ctx:
 * thread
 */
int __must_check pmap_init(struct pmap *pm);
void pmap_fini(struct pmap *pm);

/* Leaf entry for user address @va, or NULL when there is no table. holds: pm->lock. */
pte_t *pmap_leaf(struct pmap *pm, vaddr_t va);
/*
 * As pmap_leaf, making tables. Never sleeps, so call with a page pre-allocated when it returned
 * NULL (-ENOMEM): pmap_leaf_alloc tries PMM_NOWAIT allocations. holds: pm->lock.
 */
pte_t *pmap_leaf_alloc(struct pmap *pm, vaddr_t va);
/* Next address >= @va (below @end) that has a leaf table, else @end. holds: pm->lock. */
vaddr_t pmap_next_leaf(struct pmap *pm, vaddr_t va, vaddr_t end);
/* Free leaf tables that lie wholly inside [start, end) and are not needed (munmap). holds:
 * pm->lock. Only after the leaf entries in it were cleared; the TLB's walk cache is flushed. */
void pmap_free_tables(struct pmap *pm, vaddr_t start, vaddr_t end);

/* Write an entry. Making an absent entry present needs no TLB flush; every other change does. */
static inline void pte_set(pte_t *slot, pte_t v)
{
	__atomic_store_n(slot, v, __ATOMIC_RELEASE);
	if (v & 1)
		__asm__ volatile("dsb ishst" ::: "memory");
}

/* Invalidate translations of @pm. Local when only this CPU runs it. ctx: any. */
void tlb_flush_page(struct pmap *pm, vaddr_t va);
void tlb_flush_range(struct pmap *pm, vaddr_t start, vaddr_t end);
void tlb_flush_all(struct pmap *pm);

/* Make @pm the user address space of this CPU (NULL: none needed, tables stay as they are unless
 * being freed). No TTBR write when it is loaded already. ctx: scheduler, IRQs off. */
void pmap_activate(struct pmap *pm);
/* Before @pm is freed: no CPU has it loaded any more. ctx: thread. */
void pmap_deactivate(struct pmap *pm);

/*
 * Make instructions in the frame visible (first executable mapping of a page written by the
 * kernel).
 */
void pmap_sync_icache(void *page_va, size_t len);

/*
 * Kernel mappings, in the vmalloc area (mm/kvm.c calls; KVM lock held). Page aligned. 0 or -ENOMEM.
 */
int __must_check pmap_kernel_map(vaddr_t va, paddr_t pa, size_t size, u32 prot);
void pmap_kernel_unmap(vaddr_t va, size_t size); /* and flushes all CPUs */
bool pmap_kernel_lookup(vaddr_t va, paddr_t *pa); /* any kernel address */

/*
 * Device registers at @pa from the first instruction of C on, with no memory to spare: the GiB
 * around them goes into the linear map as one block. NULL when memory lies in that GiB.
 * ctx: boot, or panic.
 */
void *pmap_map_early_io(paddr_t pa);

/* Boot (arch, main.c): the linear map of all memory, W^X image, drop the identity map. */
void pmap_init_kernel(void);
