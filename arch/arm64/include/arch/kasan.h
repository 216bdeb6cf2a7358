#pragma once
/* Shadow of the address sanitizer for addresses that come into use at run time. */
#include "kernel/lib/types.h"

/*
 * Have shadow for [@start, @start + @size) in the vmalloc area; what is new says @why. It stays.
 * holds: KVM lock; sleeps: no. 0 or -ENOMEM.
 */
#ifdef CONFIG_KASAN
int __must_check kasan_shadow_cover(vaddr_t start, u64 size, u8 why);
#else
static inline int __must_check kasan_shadow_cover(vaddr_t start, u64 size, u8 why)
{
	return 0;
}
#endif
