#pragma once
/*
 * Virtual addresses: 39 bits, three levels of 4 KiB tables.
 *
 *   0000000000000000  user                      512 GiB  TTBR0
 *   ffffff8000000000  linear map of all memory  256 GiB  va = LINEAR_BASE + pa
 *   ffffffc000000000  vmalloc: stacks, I/O      128 GiB  guard pages between
 *   ffffffe000000000  kernel image, KASLR slides it by multiples of 2 MiB within 64 GiB
 *   fffffff000000000  shadow of the address sanitizer, 56 GiB (KASAN=1)
 *   ffffffff........  last 4 GiB: unused, so that ERR-like small negatives never are pointers
 */
#ifdef __ASSEMBLY__
#define UL(x) x
#else
#define UL(x) x##UL
#endif

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096
#define PAGE_MASK 4095 /* offset within a page */

#define USER_VA_BITS 39
#define USER_TOP UL(0x8000000000)
#define LINEAR_BASE UL(0xffffff8000000000)
#define LINEAR_SIZE UL(0x4000000000)
#define VMALLOC_BASE UL(0xffffffc000000000)
#define VMALLOC_SIZE UL(0x2000000000)
#define KIMAGE_BASE UL(0xffffffe000000000)
#define KIMAGE_SLIDE_MAX UL(0x1000000000)

/* Shadow of an address: (address >> 3) + KASAN_SHADOW_OFFSET; what lies below its base has one. */
#define KASAN_SHADOW_OFFSET UL(0xe000000000000000)
#define KASAN_SHADOW_BASE UL(0xfffffff000000000)
#define KASAN_SHADOW_END UL(0xfffffffe00000000)

#ifdef CONFIG_KASAN
#define KSTACK_SIZE 32768 /* red zones need room */
#define KIMAGE_SIZE_MAX 0x2000000
#else
#define KSTACK_SIZE 16384
#define KIMAGE_SIZE_MAX 0x800000
#endif
#define MAX_CPUS 32

#ifndef __ASSEMBLY__
#include "kernel/lib/types.h"

/* Without the tag in the top byte; addresses of the kernel's half keep theirs. */
static inline u64 user_untag(u64 addr)
{
	return addr & (u64)((s64)(addr << 8) >> 8);
}

/* As user_ok, for what has a tag. ctx: thread */
bool user_tagged_ok(u64 addr, u64 len);

/*
 * Could a program have memory there? A call refuses a buffer that fails this before it looks at
 * anything else. Tagged addresses pass where the thread has asked for it (PR_TAGGED_ADDR_ENABLE),
 * and serve as they are: loads and stores take no notice of the tag. ctx: thread
 */
static inline bool user_ok(u64 addr, u64 len)
{
	return likely(len <= USER_TOP && addr <= USER_TOP - len) || user_tagged_ok(addr, len);
}

/* Physical address in the linear map <-> pointer. Not for addresses of the kernel image. */
static inline void *pa_to_va(paddr_t pa)
{
	return (void *)(LINEAR_BASE + pa);
}

static inline paddr_t va_to_pa(const void *va)
{
	return (paddr_t)va - LINEAR_BASE;
}

/* Physical address of something in the kernel image (head.S sets the offset). */
extern u64 kimage_voffset; /* I: virtual minus physical of the image */
static inline paddr_t kimage_to_pa(const void *va)
{
	return (paddr_t)va - kimage_voffset;
}
#endif
