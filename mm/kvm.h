#pragma once
/*
 * Kernel virtual memory: the vmalloc area. Every allocation has an unmapped guard page on each
 * side.
 * ctx: thread; sleeps.
 */
#include "mm/pmm.h"

void kvm_init(void);
void *__must_check kvm_alloc(size_t size, u32 flags); /* page granular, W, not X; NULL = none */
void kvm_free(void *p);
/*
 * Map device registers (uncached). The physical range need not be aligned. NULL = no room. Usable
 * from early boot.
 */
volatile void *__must_check kvm_map_io(paddr_t pa, size_t size);
void kvm_unmap_io(volatile void *va);
/*
 * Kernel stacks: KSTACK_SIZE with a guard page; a few are kept for reuse per CPU. Bottom address.
 */
void *__must_check kvm_stack_alloc(void);
void kvm_stack_free(void *stack);
u64 kvm_used_frames(void);
/* True when @va lies in a guard page (the panic message says "stack overflow"). */
bool kvm_is_guard(vaddr_t va);
