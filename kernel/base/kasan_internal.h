#pragma once
/* Shared by kasan.c (shadow, checks) and kasan_report.c. */
#include "kernel/base/kasan.h"

/* A variable as the compiler describes it to __asan_register_globals. */
struct kasan_global {
	vaddr_t start;
	u64 size;
	u64 size_with_redzone;
	const char *name;
	const char *module;
	u64 has_init;
	const void *place;
	u64 odr;
};

static inline u8 *kasan_shadow(vaddr_t addr)
{
	return (u8 *)((addr >> 3) + KASAN_SHADOW_OFFSET);
}

/* The shadow of @addr exists: it is memory, image, or in a mapped part of the vmalloc area. */
bool kasan_has_shadow(vaddr_t addr);
/* The registered variable that @addr belongs to or stands shortly in front of, or NULL. */
const struct kasan_global *kasan_global_find(vaddr_t addr);
/* The first byte of [@addr, @addr + @n) that may not be used is at *@bad. False: all may. */
bool kasan_find_bad(vaddr_t addr, size_t n, vaddr_t *bad);
void kasan_report(vaddr_t addr, size_t n, bool write, const void *who);
