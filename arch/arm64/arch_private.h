#pragma once
/* What the files of arch/arm64 share among themselves. */
#include <arch/memlayout.h>
#include <arch/pmap.h>
#include "kernel/lib/types.h"

struct arch_thread;
struct fault;
struct trapframe;

/* Image bounds (kernel.ld). */
extern u8 _start[], _etext[], _erodata[], _edata[], _end[];
extern u8 boot_stack_guard[], boot_stack[];

/* Tables (head.S, kaslr.c); image addresses. */
extern pte_t idmap_root[512], empty_table[512], kernel_root_boot[512];

/* Attributes of kernel leaf entries. */
#define KPTE_BASE (PTE_VALID | PTE_SHARED | PTE_AF | PTE_UXN)
#define KPTE_TEXT (KPTE_BASE | PTE_RDONLY)
#define KPTE_RO (KPTE_BASE | PTE_RDONLY | PTE_PXN)
#define KPTE_RW (KPTE_BASE | PTE_PXN)

/* Entries of kernel tables by level: shift of the index. */
#define L1_SHIFT 30
#define L2_SHIFT 21
#define L1_INDEX(va) ((va) >> L1_SHIFT & 511)
#define L2_INDEX(va) ((va) >> L2_SHIFT & 511)
#define L3_INDEX(va) ((va) >> PAGE_SHIFT & 511)

/* kaslr.c, called by head.S. */
u64 kimage_map(const u8 *fdt, paddr_t image);
/* Permissions of the image page at offset @off from its start; 0: no mapping. */
pte_t kimage_page_attr(u64 off);

/* pmap.c */
paddr_t pmap_kernel_root(void);
/* The table behind @slot of a kernel table, made if there is none. ctx: boot */
pte_t *pmap_boot_table(pte_t *slot);
/* kasan_shadow.c */
#ifdef CONFIG_KASAN
/* Map the whole shadow to one page. ctx: kimage_map(), at physical addresses. */
void kasan_shadow_map_early(pte_t *root);
/* Map the shadow of all memory and of the image in the tables to come. ctx: boot */
void kasan_shadow_map_final(pte_t *root);
#else
static inline void kasan_shadow_map_early(pte_t *root)
{
}
static inline void kasan_shadow_map_final(pte_t *root)
{
}
#endif
/* tlb.c */
void tlb_init_boot(void);
void tlb_flush_tables(struct pmap *pm, vaddr_t va);
void tlb_flush_kernel(vaddr_t start, vaddr_t end);

/* cpu.c: this CPU's control registers and identity; ctx: IRQs off. */
void cpu_init_this(u32 cpu);
bool cpu_emulate_mrs(u32 crm, u32 op2, u64 *out);
void cpu_pauth_init(void);
extern u8 cpu_has_pan;

/* trap.c: what an exception from EL0 was, in @f; true: it is dealt with. ctx: thread, IRQs on */
bool trap_decode_el0(struct trapframe *tf, u64 esr, u64 far, struct fault *f);

/* fpu.c */
void fpu_switch(struct arch_thread *prev, struct arch_thread *next);
void fpu_trap(void);

/* debug.c */
void debug_init(void);
void debug_switch(const struct arch_thread *next);
void debug_apply(void);
void debug_regs_clear(void);

/* switch.S, vectors.S, head.S */
struct arch_thread *switch_stacks(struct arch_thread *prev, struct arch_thread *next);
void thread_begin(void);
void secondary_entry(void);
void ttbr1_replace(paddr_t root, paddr_t empty);

/* smp.c */
void secondary_start(u32 cpu) __noreturn;

/* timer.c and vdso */
void vdso_init(void);
