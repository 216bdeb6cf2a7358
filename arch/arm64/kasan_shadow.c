/*
 * Where the shadow of the address sanitizer is mapped (KASAN=1 builds; kernel/base/kasan.c says
 * what it is).
 *
 * First, while head.S still runs at physical addresses, the whole range of the shadow is mapped to
 * one page through one table of each level: instrumented code may run, and what it reads and writes
 * there means nothing. With the final kernel tables comes the shadow of what exists: every bank of
 * memory and the image get frames of their own, zeroed, which says that all may be used. The
 * vmalloc area's shadow follows at run time, by kasan_shadow_cover().
 *
 * Not instrumented. kasan_shadow_map_early() runs before relocation: addresses here are physical
 * then, as in kaslr.c. Locking: boot, then whoever owns the addresses (mm/kvm.c's lock).
 */
#include <linux/errno.h>
#include <arch/kasan.h>
#include <arch/sysreg.h>
#include "arch/arm64/arch_private.h"
#include "kernel/base/fdt.h"
#include "mm/pmm.h"

static u8 early_page[PAGE_SIZE] __aligned(PAGE_SIZE) __section(".bss.page_aligned");
static pte_t early_l3[512] __aligned(PAGE_SIZE) __section(".bss.page_aligned");
static pte_t early_l2[512] __aligned(PAGE_SIZE) __section(".bss.page_aligned");

static vaddr_t shadow_of(vaddr_t addr)
{
	return (addr >> 3) + KASAN_SHADOW_OFFSET;
}

/* Contract in arch_private.h. */
void kasan_shadow_map_early(pte_t *root)
{
	for (u32 i = 0; i < 512; i++) {
		early_l3[i] = (paddr_t)early_page | KPTE_RW | PTE_TABLE;
		early_l2[i] = (paddr_t)early_l3 | PTE_VALID | PTE_TABLE;
	}
	for (u64 va = KASAN_SHADOW_BASE; va < KASAN_SHADOW_END; va += BIT(L1_SHIFT))
		root[L1_INDEX(va)] = (paddr_t)early_l2 | PTE_VALID | PTE_TABLE;
}

static void map_range(pte_t *root, vaddr_t start, vaddr_t end)
{
	vaddr_t last = ALIGN_UP(shadow_of(end), (u64)PAGE_SIZE);

	for (vaddr_t va = ALIGN_DOWN(shadow_of(start), (u64)PAGE_SIZE); va < last;
	     va += PAGE_SIZE) {
		pte_t *l2 = pmap_boot_table(&root[L1_INDEX(va)]);
		pte_t *l3 = pmap_boot_table(&l2[L2_INDEX(va)]);

		if (!l3[L3_INDEX(va)])
			l3[L3_INDEX(va)] =
				va_to_pa(pmm_early_alloc(PAGE_SIZE)) | KPTE_RW | PTE_TABLE;
	}
}

/* Where the linear map begins there are devices, for early consoles: any access is in order. */
static void map_devices(pte_t *root)
{
	pte_t *l2 = pmap_boot_table(&root[L1_INDEX(shadow_of((vaddr_t)pa_to_va(0)))]);

	for (u32 i = 0; i < 512; i++) {
		if (!l2[i])
			l2[i] = kimage_to_pa(early_l3) | PTE_VALID | PTE_TABLE;
	}
}

/* Contract in arch_private.h. */
void kasan_shadow_map_final(pte_t *root)
{
	paddr_t base;
	u64 size;

	for (u64 va = KASAN_SHADOW_BASE; va < KASAN_SHADOW_END; va += BIT(L1_SHIFT))
		root[L1_INDEX(va)] = 0;
	for (u32 i = 0; fdt_memory(i, &base, &size) == 0; i++) {
		paddr_t end = MIN(base + size, (paddr_t)LINEAR_SIZE);

		if (base < end)
			map_range(root, (vaddr_t)pa_to_va(base), (vaddr_t)pa_to_va(end));
	}
	map_range(root, (vaddr_t)_start, (vaddr_t)_end);
	map_devices(root);
}

/* Contract in arch/kasan.h. */
int kasan_shadow_cover(vaddr_t start, u64 size, u8 why)
{
	vaddr_t last = ALIGN_UP(shadow_of(start + size), (u64)PAGE_SIZE);
	paddr_t pa;

	for (vaddr_t va = ALIGN_DOWN(shadow_of(start), (u64)PAGE_SIZE); va < last;
	     va += PAGE_SIZE) {
		u8 *frame;

		if (pmap_kernel_lookup(va, &pa))
			continue;
		frame = pmm_alloc_va(0, PMM_NOWAIT);
		if (!frame)
			return -ENOMEM;
		for (u32 i = 0; i < PAGE_SIZE; i++)
			frame[i] = why;
		if (pmap_kernel_map(va, va_to_pa(frame), PAGE_SIZE, PROT_R | PROT_W)) {
			pmm_free_va(frame, 0);
			return -ENOMEM;
		}
	}
	return 0;
}
