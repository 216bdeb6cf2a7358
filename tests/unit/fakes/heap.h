#pragma once
/* The kernel's memory from the host's heap, but for kmalloc(), which may fail as a test likes. */
#include <arch/memlayout.h>
#include <stdlib.h>
#include "kernel/lib/string.h"
#include "mm/slab.h"

void *kzalloc(size_t n, u32 flags)
{
	return calloc(1, n);
}
void *kcalloc(size_t n, size_t size, u32 flags)
{
	return calloc(n, size);
}
void kfree(const void *p)
{
	free((void *)p);
}
void *pmm_alloc_va(u32 order, u32 flags)
{
	void *p = aligned_alloc(PAGE_SIZE, (size_t)PAGE_SIZE << order);

	return memset(p, 0, (size_t)PAGE_SIZE << order);
}
void pmm_free_va(void *va, u32 order)
{
	free(va);
}
