#pragma once
/*
 * The address sanitizer (KASAN=1 builds): each 8 bytes of kernel memory have a shadow byte that
 * says which of them may be used; code that the compiler has instrumented looks at it before every
 * access. The owners of memory say here what may be used. In all other builds this is nothing.
 *
 * ctx: any.
 */
#include <arch/memlayout.h>

/* Shadow bytes. 0: all 8 bytes may be used; 1-7: the first so many; these: none, and why. */
#define KASAN_PAGE_FREE 0xff /* a frame that is free */
#define KASAN_PAGE_REDZONE 0xfe /* behind a large kmalloc */
#define KASAN_SLAB_REDZONE 0xfc /* around an object */
#define KASAN_SLAB_FREE 0xfb /* an object that was freed */
#define KASAN_GLOBAL_REDZONE 0xf9 /* around a variable */
#define KASAN_STACK_LEFT 0xf1 /* written by the compiler's code, as are the next three */
#define KASAN_STACK_MIDDLE 0xf2
#define KASAN_STACK_RIGHT 0xf3
#define KASAN_STACK_SCOPE 0xf8 /* a local variable whose block has ended */
#define KASAN_VMALLOC 0xe0 /* in the vmalloc area, belongs to no mapping */
#define KASAN_STACK_FREE 0xe1 /* a kernel stack without a thread */

#define KASAN_FRAMES 12

/* Who did something to an object, and when. w owned by whoever owns the object */
struct kasan_track {
	s64 when; /* w: ns since boot */
	u32 cpu; /* w */
	u32 count; /* w: frames; 0: it did not happen */
	u32 frame[KASAN_FRAMES]; /* w: return addresses, as offsets into the image */
};

/* What is known about the memory at an address. */
struct kasan_origin {
	const char *what; /* "object of ", "memory"; NULL: nothing */
	const char *name; /* of the cache */
	u64 start, size; /* as its owner asked for it */
	struct kasan_track alloc, free; /* count 0: did not happen, or not known */
};

#ifdef CONFIG_KASAN
#define KASAN true
void kasan_poison(const void *p, size_t n, u8 why); /* both ends at multiples of 8 */
void kasan_unpoison(const void *p, size_t n); /* @p at a multiple of 8 */
/* Report unless all @n bytes at @addr may be used. */
void kasan_check(vaddr_t addr, size_t n, bool write, const void *who);
void kasan_track_set(struct kasan_track *t);
/* A free that cannot be: @what is "double-free" or "invalid-free". */
void kasan_report_free(const void *p, const char *what, const void *who);
/* The shadow is mapped: run the compiler's constructors and report from now on. ctx: boot */
void kasan_start(void);
/* The kernel faulted at @far: if that is shadow, say what was looked for. */
void kasan_explain_fault(vaddr_t far);
#define kasan_check_read(p, n) kasan_check((vaddr_t)(p), n, false, __builtin_return_address(0))
#define kasan_check_write(p, n) kasan_check((vaddr_t)(p), n, true, __builtin_return_address(0))
#else
#define KASAN false
static inline void kasan_poison(const void *p, size_t n, u8 why)
{
}
static inline void kasan_unpoison(const void *p, size_t n)
{
}
static inline void kasan_check_read(const void *p, size_t n)
{
}
static inline void kasan_check_write(const void *p, size_t n)
{
}
static inline void kasan_start(void)
{
}
static inline void kasan_explain_fault(vaddr_t far)
{
}
#endif

/* What mm knows about @addr (mm/kasan_mm.c). */
void kasan_origin_find(vaddr_t addr, struct kasan_origin *o);
