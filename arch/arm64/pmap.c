/*
 * Page tables: 4 KiB granule, 39-bit addresses, levels 1 to 3.
 *
 * A table is one frame of 512 entries, reached through the linear map. User tables belong to a
 * pmap: the root lives as long as it, the others are made on the way to a leaf (pmap_leaf_alloc)
 * and go with munmap (pmap_free_tables) or with the address space. The kernel has one tree for all
 * CPUs, so nothing has to be kept in step: image and linear map are built at boot, the vmalloc
 * area's tables are added on demand and stay.
 *
 * A leaf entry of a user page says everything about it: the frame; PTE_RDONLY, which copy-on-write
 * and dirty tracking use; PTE_AF, cleared by pte_mkold(), after which the next access faults;
 * PTE_SW_DIRTY. An entry without any permission (PROT_NONE) keeps the frame with neither PTE_USER
 * nor PTE_AF, so that EL0 and EL1 fault.
 *
 * Locking: user tables under pmap->lock, or by the last owner; kernel tables under mm/kvm.c's lock,
 * or at boot.
 * Reference: Arm ARM D8, VMSAv8-64.
 */
#include <linux/errno.h>
#include <arch/barrier.h>
#include <arch/irqflags.h>
#include <arch/pmap.h>
#include <arch/sysreg.h>
#include "arch/arm64/arch_private.h"
#include "kernel/base/fdt.h"
#include "kernel/base/panic.h"
#include "kernel/lib/string.h"
#include "mm/pmm.h"

#define TABLE_DESC(pa) ((pa) | PTE_VALID | PTE_TABLE)
#define L1_SIZE BIT(L1_SHIFT)
#define L2_SIZE BIT(L2_SHIFT)
#define PROT_RWX (PROT_R | PROT_W | PROT_X)

static pte_t *kernel_root =
	kernel_root_boot; /* I after pmap_init_kernel; image, then linear-map address */

static inline bool is_table(pte_t e)
{
	return (e & (PTE_VALID | PTE_TABLE)) == (PTE_VALID | PTE_TABLE);
}

/* Table that the valid table entry @e points to. */
static inline pte_t *table_of(pte_t e)
{
	return pa_to_va(pte_pa(e));
}

static pte_t user_attr(u32 prot)
{
	pte_t v = PTE_VALID | PTE_TABLE | PTE_SHARED | PTE_NG | PTE_PXN;

	if (!(prot & PROT_RWX))
		return v | PTE_RDONLY | PTE_UXN;
	v |= PTE_USER | PTE_AF;
	if (!(prot & PROT_X))
		v |= PTE_UXN;
	return v | (prot & PROT_W ? PTE_SW_DIRTY : PTE_RDONLY);
}

static pte_t kernel_attr(u32 prot)
{
	return (prot & PROT_W ? KPTE_BASE : KPTE_BASE | PTE_RDONLY) | PTE_TABLE |
	       (prot & PROT_X ? 0 : PTE_PXN);
}

static pte_t memory_attr(u32 prot)
{
	return prot & PROT_DEVICE ? PTE_ATTR(MAIR_DEVICE) : prot & PROT_NC ? PTE_ATTR(MAIR_NC) : 0;
}

/* Entry that maps frame @pa with @prot. ctx: any. */
pte_t pte_make(paddr_t pa, u32 prot)
{
	return pa | memory_attr(prot) | (prot & PROT_U ? user_attr(prot) : kernel_attr(prot));
}

/* True when EL0 may write. ctx: any. */
bool pte_writable(pte_t p)
{
	return (p & (PTE_USER | PTE_RDONLY)) == PTE_USER;
}

/* The page was writable through this entry since it was made clean. ctx: any. */
bool pte_dirty(pte_t p)
{
	return p & PTE_SW_DIRTY;
}

/* Accessed since the last pte_mkold. ctx: any. */
bool pte_young(pte_t p)
{
	return p & PTE_AF;
}

/* Same frame and memory type, protection @prot; keeps dirty. ctx: any. */
pte_t pte_set_prot(pte_t p, u32 prot)
{
	return (p & (0x0000fffffffff000ULL | PTE_ATTR(7) | PTE_SW_DIRTY)) | user_attr(prot);
}

/* Not writable. ctx: any. */
pte_t pte_wrprotect(pte_t p)
{
	return p | PTE_RDONLY;
}

/* Dirty. ctx: any. */
pte_t pte_mkdirty(pte_t p)
{
	return p | PTE_SW_DIRTY;
}

/* Accessed. ctx: any. */
pte_t pte_mkyoung(pte_t p)
{
	return p | PTE_AF;
}

/* Not accessed. ctx: any. */
pte_t pte_mkold(pte_t p)
{
	return p & ~(pte_t)PTE_AF;
}

/*
 * New empty address space.
 * ctx: thread; sleeps: yes. 0 or -ENOMEM.
 */
int pmap_init(struct pmap *pm)
{
	pm->root = pmm_alloc_va(0, PMM_ZERO);
	if (!pm->root)
		return -ENOMEM;
	va_to_page(pm->root)->type = PAGE_TABLE;
	spin_init(&pm->lock, RANK_PMAP);
	pm->asid = 0;
	pm->active = 0;
	pm->tables = 1;
	list_init(&pm->below);
	return 0;
}

static void table_free(struct pmap *pm, pte_t *t)
{
	list_del(&va_to_page(t)->table);
	pm->tables--;
	pmm_free_va(t, 0);
}

/*
 * Take @pm off all CPUs and free its tables; leaf entries are gone.
 * ctx: thread, last user.
 */
void pmap_fini(struct pmap *pm)
{
	struct page *p, *next;

	pmap_deactivate(pm);
	list_for_each_safe(p, next, &pm->below, table)
		pmm_free(p, 0);
	pmm_free_va(pm->root, 0);
	pm->root = NULL;
}

/* Contract in arch/pmap.h. */
pte_t *pmap_leaf(struct pmap *pm, vaddr_t va)
{
	pte_t e = pm->root[L1_INDEX(va)];

	if (!is_table(e))
		return NULL;
	e = table_of(e)[L2_INDEX(va)];
	if (!is_table(e))
		return NULL;
	return &table_of(e)[L3_INDEX(va)];
}

/* The table behind @slot, made if there is none; NULL: out of memory. */
static pte_t *user_table(struct pmap *pm, pte_t *slot)
{
	pte_t *t;

	if (is_table(*slot))
		return table_of(*slot);
	t = pmm_alloc_va(0, PMM_ZERO | PMM_NOWAIT);
	if (!t)
		return NULL;
	va_to_page(t)->type = PAGE_TABLE;
	list_add(&pm->below, &va_to_page(t)->table);
	pm->tables++;
	smp_wmb();
	pte_set(slot, TABLE_DESC(va_to_pa(t)));
	return t;
}

/* Contract in arch/pmap.h. */
pte_t *pmap_leaf_alloc(struct pmap *pm, vaddr_t va)
{
	pte_t *t = user_table(pm, &pm->root[L1_INDEX(va)]);

	if (t)
		t = user_table(pm, &t[L2_INDEX(va)]);
	return t ? &t[L3_INDEX(va)] : NULL;
}

/* Contract in arch/pmap.h. */
vaddr_t pmap_next_leaf(struct pmap *pm, vaddr_t va, vaddr_t end)
{
	while (va < end) {
		pte_t e = pm->root[L1_INDEX(va)];

		if (!is_table(e)) {
			va = ALIGN_DOWN(va, L1_SIZE) + L1_SIZE;
			continue;
		}
		if (is_table(table_of(e)[L2_INDEX(va)]))
			return va;
		va = ALIGN_DOWN(va, L2_SIZE) + L2_SIZE;
	}
	return end;
}

static void free_tables_l2(struct pmap *pm, pte_t *l2, vaddr_t start, vaddr_t end)
{
	for (vaddr_t va = ALIGN_UP(start, L2_SIZE); va + L2_SIZE <= end; va += L2_SIZE) {
		pte_t e = l2[L2_INDEX(va)];

		if (!is_table(e))
			continue;
		pte_set(&l2[L2_INDEX(va)], 0);
		tlb_flush_tables(pm, va);
		table_free(pm, table_of(e));
	}
}

/* Contract in arch/pmap.h. */
void pmap_free_tables(struct pmap *pm, vaddr_t start, vaddr_t end)
{
	vaddr_t next;

	for (vaddr_t va = start; va < end; va = next) {
		pte_t e = pm->root[L1_INDEX(va)];

		next = MIN(ALIGN_DOWN(va, L1_SIZE) + L1_SIZE, end);
		if (!is_table(e))
			continue;
		free_tables_l2(pm, table_of(e), va, next);
		if (IS_ALIGNED(va, L1_SIZE) && next - va == L1_SIZE) {
			pte_set(&pm->root[L1_INDEX(va)], 0);
			tlb_flush_tables(pm, va);
			table_free(pm, table_of(e));
		}
	}
}

/* A zeroed frame for a kernel table, from whatever allocator there is; NULL: none. */
static pte_t *kernel_table_alloc(void)
{
	pte_t *t;

	if (!pmm_pages)
		return pmm_early_alloc(PAGE_SIZE);
	/* mm/kvm.c holds its spinlock. */
	t = pmm_alloc_va(0, PMM_ZERO | PMM_NOWAIT);
	if (t)
		va_to_page(t)->type = PAGE_TABLE;
	return t;
}

static pte_t *kernel_table(pte_t *slot)
{
	pte_t *t;

	if (is_table(*slot))
		return table_of(*slot);
	t = kernel_table_alloc();
	if (t) {
		smp_wmb();
		pte_set(slot, TABLE_DESC(va_to_pa(t)));
	}
	return t;
}

static pte_t *kernel_leaf_alloc(pte_t *root, vaddr_t va)
{
	pte_t *t = kernel_table(&root[L1_INDEX(va)]);

	if (t)
		t = kernel_table(&t[L2_INDEX(va)]);
	return t ? &t[L3_INDEX(va)] : NULL;
}

/*
 * Leaf entry of kernel address @va, block entries included; *size is what it spans. NULL: no table
 * there.
 */
static pte_t *kernel_lookup(vaddr_t va, u64 *size)
{
	pte_t *e = &kernel_root[L1_INDEX(va)];

	*size = L1_SIZE;
	if (!is_table(*e))
		return e;
	e = &table_of(*e)[L2_INDEX(va)];
	*size = L2_SIZE;
	if (!is_table(*e))
		return e;
	*size = PAGE_SIZE;
	return &table_of(*e)[L3_INDEX(va)];
}

/* Contract in arch/pmap.h. */
int pmap_kernel_map(vaddr_t va, paddr_t pa, size_t size, u32 prot)
{
	for (size_t off = 0; off < size; off += PAGE_SIZE) {
		pte_t *e = kernel_leaf_alloc(kernel_root, va + off);

		if (!e) {
			pmap_kernel_unmap(va, off);
			return -ENOMEM;
		}
		__atomic_store_n(e, pte_make(pa + off, prot & ~PROT_U), __ATOMIC_RELAXED);
	}
	dsb(ishst);
	isb();
	return 0;
}

/* Contract in arch/pmap.h. */
void pmap_kernel_unmap(vaddr_t va, size_t size)
{
	u64 span;

	if (!size)
		return;
	for (size_t off = 0; off < size; off += PAGE_SIZE) {
		pte_t *e = kernel_lookup(va + off, &span);

		if (span == PAGE_SIZE)
			__atomic_store_n(e, 0, __ATOMIC_RELAXED);
	}
	tlb_flush_kernel(va, va + size);
}

/* Contract in arch/pmap.h. */
bool pmap_kernel_lookup(vaddr_t va, paddr_t *pa)
{
	u64 span;
	pte_t *e;

	if (va < LINEAR_BASE)
		return false;
	e = kernel_lookup(va, &span);
	if (!pte_present(*e))
		return false;
	*pa = (pte_pa(*e) & ~(span - 1)) | (va & (span - 1));
	return true;
}

/* Contract in arch/pmap.h. */
void *pmap_map_early_io(paddr_t pa)
{
	pte_t block = ALIGN_DOWN(pa, (paddr_t)L1_SIZE) | KPTE_RW | PTE_ATTR(MAIR_DEVICE);
	pte_t *e;

	if (pa >= LINEAR_SIZE)
		return NULL;
	e = &kernel_root[L1_INDEX((vaddr_t)pa_to_va(pa))];
	if (*e && *e != block)
		return NULL;
	*e = block;
	dsb(ishst);
	isb();
	return pa_to_va(pa);
}

/* Root of the kernel's tables, for TTBR1. ctx: any. */
paddr_t pmap_kernel_root(void)
{
	return kernel_root == kernel_root_boot ? kimage_to_pa(kernel_root) : va_to_pa(kernel_root);
}

/* Contract in arch_private.h. */
pte_t *pmap_boot_table(pte_t *slot)
{
	pte_t *t = kernel_table(slot);

	if (!t)
		panic("no memory for the linear map");
	return t;
}

/*
 * Pages of the image that are not to be written are not writable by way of the linear map either.
 */
static pte_t linear_attr(paddr_t pa)
{
	u64 off = pa - kimage_to_pa(_start);

	return pa >= kimage_to_pa(_start) && off < (u64)(_erodata - _start) ? KPTE_RO : KPTE_RW;
}

static bool has_readonly(paddr_t pa, u64 size)
{
	return pa < kimage_to_pa(_erodata) && pa + size > kimage_to_pa(_start);
}

/*
 * [@pa, @end) into the linear map of @root, by the largest blocks that alignment and the image
 * allow.
 */
static void map_linear(pte_t *root, paddr_t pa, paddr_t end)
{
	while (pa < end) {
		vaddr_t va = (vaddr_t)pa_to_va(pa);
		pte_t *slot = &root[L1_INDEX(va)];

		if (IS_ALIGNED(pa, L1_SIZE) && end - pa >= L1_SIZE && !has_readonly(pa, L1_SIZE)) {
			*slot = pa | KPTE_RW;
			pa += L1_SIZE;
			continue;
		}
		slot = &pmap_boot_table(slot)[L2_INDEX(va)];
		if (IS_ALIGNED(pa, L2_SIZE) && end - pa >= L2_SIZE && !has_readonly(pa, L2_SIZE)) {
			*slot = pa | KPTE_RW;
			pa += L2_SIZE;
			continue;
		}
		pmap_boot_table(slot)[L3_INDEX(va)] = pa | linear_attr(pa) | PTE_TABLE;
		pa += PAGE_SIZE;
	}
}

/* Change the kernel's tables by the routine in the identity map (head.S). */
static void root_install(pte_t *root)
{
	void (*replace)(paddr_t, paddr_t) = (void (*)(paddr_t, paddr_t))kimage_to_pa(ttbr1_replace);
	u64 flags = irq_save();

	sysreg_write(ttbr0_el1, kimage_to_pa(idmap_root));
	isb();
	replace(va_to_pa(root), kimage_to_pa(empty_table));
	sysreg_write(ttbr0_el1, kimage_to_pa(empty_table));
	isb();
	__asm__ volatile("tlbi vmalle1\n\tdsb nsh\n\tisb" ::: "memory");
	irq_restore(flags);
}

/*
 * The final kernel tables: exact linear map of every memory bank, image and what was mapped so far
 * taken over. From here on no page of code or constants is writable through any address.
 * ctx: boot CPU; pmm_early_init done.
 */
void pmap_init_kernel(void)
{
	pte_t *root = pmm_early_alloc(PAGE_SIZE);
	paddr_t base;
	u64 size;

	if (!root)
		panic("no memory for the linear map");
	for (u64 i = L1_INDEX(VMALLOC_BASE); i < 512; i++)
		root[i] = kernel_root_boot[i];
	for (u32 i = 0; fdt_memory(i, &base, &size) == 0; i++) {
		paddr_t end = MIN(ALIGN_DOWN(base + size, (u64)PAGE_SIZE), (paddr_t)LINEAR_SIZE);

		map_linear(root, ALIGN_UP(base, (u64)PAGE_SIZE), end);
	}
	kasan_shadow_map_final(root);
	root_install(root);
	kernel_root = root;
	for (u32 i = 0; i < 512; i++) {
		if (idmap_root[i])
			idmap_root[i] |= PTE_RDONLY; /* secondaries only pass through it */
	}
	dsb(ishst);
}
