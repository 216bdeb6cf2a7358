#pragma once
/*
 * Stands in for the frame allocator: pages come from malloc, so that leaks and overruns are seen.
 * The struct lies right below the page, which is aligned.
 */
#include <arch/atomic.h>
#include <arch/memlayout.h>
#include "kernel/lib/list.h"

struct page {
	u32 refs;
	u8 data[]; /* PAGE_SIZE << order */
};
#define PMM_ZERO 1u
#define PMM_NOWAIT 2u
struct page *__must_check pmm_alloc(u32 order, u32 flags);
void page_put(struct page *p);
u64 pmm_free_frames(void);
static inline void page_get(struct page *p)
{
	p->refs++;
}
static inline u32 page_refs(const struct page *p)
{
	return p->refs;
}
static inline void *page_to_va(const struct page *p)
{
	return (void *)p->data;
}
static inline struct page *va_to_page(const void *va)
{
	return (struct page *)(((u64)va & ~(PAGE_SIZE - 1)) - sizeof(struct page));
}
