/*
 * The address sanitizer: shadow memory and checks.
 *
 * Every 8 bytes from LINEAR_BASE up have one byte of shadow at (address >> 3) +
 * KASAN_SHADOW_OFFSET. The compiler (-fsanitize=kernel-address) puts a look at the shadow in front
 * of each access, red zones around local and global variables, and calls the __asan_ functions
 * below for what it does not do in line. Owners of memory mark what may be used: the frame
 * allocator, the slab caches (mm/kasan_mm.c) and the vmalloc area (mm/kvm.c). The shadow itself is
 * mapped by arch/arm64/kasan_shadow.c: for all memory and the image at boot, for the vmalloc area
 * as it is used; where nothing is mapped there is no shadow either, so a wild access faults in its
 * check.
 *
 * memcpy, memmove, memset, page_zero and page_copy are assembly; here are the names that all code
 * calls, which check the range and then call the assembly under another name.
 *
 * This file is not instrumented. Until kasan_start() the shadow is one page that everything shares
 * and that means nothing, so nothing is reported. No locks: the owner of memory writes its shadow.
 *
 * Reference: Serebryany et al., "AddressSanitizer: A Fast Address Sanity Checker", USENIX 2012; the
 * interface is that of LLVM's compiler-rt, lib/asan/asan_interface_internal.h.
 */
#include <arch/pmap.h>
#include <arch/thread.h>
#include "kernel/base/kasan_internal.h"
#include "kernel/base/percpu.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"

#define MODULES_MAX 1024

extern void (*const __init_array_begin[])(void);
extern void (*const __init_array_end[])(void);
extern const char _start[], _end[];

/* The assembly (arch/arm64/string.S, page.S). */
void *raw_memcpy(void *dst, const void *src, size_t n);
void *raw_memmove(void *dst, const void *src, size_t n);
void *raw_memset(void *dst, int c, size_t n);
void raw_page_zero(void *va);
void raw_page_copy(void *dst, const void *src);
void page_zero(void *va);
void page_copy(void *dst, const void *src);

static bool kasan_on; /* I after boot */
/* I after boot: the variables of each source file */
static struct {
	const struct kasan_global *global;
	u64 count;
} modules[MODULES_MAX];
static u32 modules_count;

/* See kasan.h. */
void kasan_poison(const void *p, size_t n, u8 why)
{
	if (kasan_on)
		raw_memset(kasan_shadow((vaddr_t)p), why, n / 8);
}

/* See kasan.h. */
void kasan_unpoison(const void *p, size_t n)
{
	u8 *shadow = kasan_shadow((vaddr_t)p);

	if (!kasan_on)
		return;
	raw_memset(shadow, 0, n / 8);
	if (n % 8)
		shadow[n / 8] = n % 8;
}

/* See kasan_internal.h. */
bool kasan_has_shadow(vaddr_t addr)
{
	paddr_t pa;

	return addr >= LINEAR_BASE && addr < KASAN_SHADOW_BASE &&
	       pmap_kernel_lookup((vaddr_t)kasan_shadow(addr), &pa);
}

static bool byte_bad(vaddr_t addr)
{
	s8 shadow = (s8)*kasan_shadow(addr);

	return shadow && (shadow < 0 || (s8)(addr & 7) >= shadow);
}

/* See kasan_internal.h. */
bool kasan_find_bad(vaddr_t addr, size_t n, vaddr_t *bad)
{
	vaddr_t end = addr + n;

	while (addr < end) {
		/* 64 bytes at a time while their shadow is one word of zeros. */
		if (IS_ALIGNED(addr, 64) && end - addr >= 64 && !*(u64 *)kasan_shadow(addr)) {
			addr += 64;
		} else if (byte_bad(addr)) {
			*bad = addr;
			return true;
		} else {
			/* The byte is good, so are those before it; the last of the 8 tells all. */
			vaddr_t last = MIN(addr | 7, end - 1);

			if (!byte_bad(last)) {
				addr = last + 1;
				continue;
			}
			addr++;
		}
	}
	return false;
}

/* See kasan.h. */
void kasan_check(vaddr_t addr, size_t n, bool write, const void *who)
{
	vaddr_t bad;

	if (!kasan_on || !n)
		return;
	if (unlikely(addr < LINEAR_BASE || addr + n < addr || addr + n > KASAN_SHADOW_BASE ||
		     kasan_find_bad(addr, n, &bad)))
		kasan_report(addr, n, write, who);
}

/*
 * Note who is here: by the frame records on the running thread's stack, which need no look at the
 * page tables as long as they lie there.
 */
void kasan_track_set(struct kasan_track *t)
{
	vaddr_t top = arch_current()->kstack_top, fp = (vaddr_t)__builtin_frame_address(0);
	vaddr_t low = top - KSTACK_SIZE;
	u32 n = 0;

	while (n < KASAN_FRAMES && fp >= low && fp <= top - 16 && IS_ALIGNED(fp, 8)) {
		const vaddr_t *record = (const vaddr_t *)fp;

		if (record[1] < (vaddr_t)_start || record[1] >= (vaddr_t)_end)
			break;
		t->frame[n++] = (u32)(record[1] - (vaddr_t)_start);
		low = fp + 16;
		fp = record[0];
	}
	t->count = n;
	t->cpu = cpu_id();
	t->when = time_now();
}

/* See kasan_internal.h. */
const struct kasan_global *kasan_global_find(vaddr_t addr)
{
	const struct kasan_global *next = NULL;

	for (u32 m = 0; m < modules_count; m++) {
		for (u64 i = 0; i < modules[m].count; i++) {
			const struct kasan_global *g = &modules[m].global[i];

			if (addr >= g->start && addr < g->start + g->size_with_redzone)
				return g;
			if (addr < g->start && (!next || g->start < next->start))
				next = g;
		}
	}
	return next && next->start - addr <= 64 ? next : NULL;
}

/* See kasan.h. */
void kasan_start(void)
{
	kasan_on = true;
	for (void (*const *init)(void) = __init_array_begin; init < __init_array_end; init++)
		(*init)();
}

/* --- what the compiler calls --- */

void __asan_register_globals(const struct kasan_global *g, u64 n);
void __asan_unregister_globals(const struct kasan_global *g, u64 n);
void __asan_handle_no_return(void);
void __asan_poison_stack_memory(vaddr_t p, size_t n);
void __asan_unpoison_stack_memory(vaddr_t p, size_t n);
void __asan_alloca_poison(vaddr_t p, size_t n);
void __asan_allocas_unpoison(vaddr_t top, vaddr_t bottom);

void __asan_register_globals(const struct kasan_global *g, u64 n)
{
	for (u64 i = 0; i < n; i++) {
		u64 end = ALIGN_UP(g[i].size, 8ull);

		kasan_unpoison((void *)g[i].start, g[i].size);
		kasan_poison((void *)(g[i].start + end), g[i].size_with_redzone - end,
			     KASAN_GLOBAL_REDZONE);
	}
	if (modules_count < MODULES_MAX) {
		modules[modules_count].global = g;
		modules[modules_count++].count = n;
	}
}

void __asan_unregister_globals(const struct kasan_global *g, u64 n)
{
}

/* Frames that are never returned to keep their red zones; kvm_stack_alloc() clears the stack. */
void __asan_handle_no_return(void)
{
}

void __asan_poison_stack_memory(vaddr_t p, size_t n)
{
	kasan_poison((void *)p, ALIGN_UP(n, 8ul), KASAN_STACK_SCOPE);
}

void __asan_unpoison_stack_memory(vaddr_t p, size_t n)
{
	kasan_unpoison((void *)p, n);
}

/* The kernel has no arrays of variable length; these are for the linker. */
void __asan_alloca_poison(vaddr_t p, size_t n)
{
}

void __asan_allocas_unpoison(vaddr_t top, vaddr_t bottom)
{
}

/* The checks of one size: called in place of the look at the shadow, or when that was bad. */
#define CHECKS(size)                                                                  \
	void __asan_load##size##_noabort(vaddr_t addr);                               \
	void __asan_load##size##_noabort(vaddr_t addr)                                \
	{                                                                             \
		kasan_check_read(addr, size);                                         \
	}                                                                             \
	void __asan_store##size##_noabort(vaddr_t addr);                              \
	void __asan_store##size##_noabort(vaddr_t addr)                               \
	{                                                                             \
		kasan_check_write(addr, size);                                        \
	}                                                                             \
	void __asan_report_load##size##_noabort(vaddr_t addr);                        \
	void __asan_report_load##size##_noabort(vaddr_t addr)                         \
	{                                                                             \
		if (kasan_on)                                                         \
			kasan_report(addr, size, false, __builtin_return_address(0)); \
	}                                                                             \
	void __asan_report_store##size##_noabort(vaddr_t addr);                       \
	void __asan_report_store##size##_noabort(vaddr_t addr)                        \
	{                                                                             \
		if (kasan_on)                                                         \
			kasan_report(addr, size, true, __builtin_return_address(0));  \
	}
CHECKS(1)
CHECKS(2)
CHECKS(4)
CHECKS(8)
CHECKS(16)

void __asan_loadN_noabort(vaddr_t addr, size_t n);
void __asan_storeN_noabort(vaddr_t addr, size_t n);
void __asan_report_load_n_noabort(vaddr_t addr, size_t n);
void __asan_report_store_n_noabort(vaddr_t addr, size_t n);

void __asan_loadN_noabort(vaddr_t addr, size_t n)
{
	kasan_check_read(addr, n);
}

void __asan_storeN_noabort(vaddr_t addr, size_t n)
{
	kasan_check_write(addr, n);
}

void __asan_report_load_n_noabort(vaddr_t addr, size_t n)
{
	if (kasan_on)
		kasan_report(addr, n, false, __builtin_return_address(0));
}

void __asan_report_store_n_noabort(vaddr_t addr, size_t n)
{
	if (kasan_on)
		kasan_report(addr, n, true, __builtin_return_address(0));
}

/* The compiler's short cuts for the shadow of a frame. */
#define SET_SHADOW(name, value)                              \
	void __asan_set_shadow_##name(vaddr_t at, size_t n); \
	void __asan_set_shadow_##name(vaddr_t at, size_t n)  \
	{                                                    \
		raw_memset((void *)at, value, n);            \
	}
SET_SHADOW(00, 0x00)
SET_SHADOW(f1, 0xf1)
SET_SHADOW(f2, 0xf2)
SET_SHADOW(f3, 0xf3)
SET_SHADOW(f5, 0xf5)
SET_SHADOW(f8, 0xf8)

/* --- memory functions: the names in parentheses, as string.h has macros for them too --- */

/* As ISO C. ctx: any. */
void *(memcpy)(void *dst, const void *src, size_t n)
{
	kasan_check_read(src, n);
	kasan_check_write(dst, n);
	return raw_memcpy(dst, src, n);
}

/* As ISO C. ctx: any. */
void *memmove(void *dst, const void *src, size_t n)
{
	kasan_check_read(src, n);
	kasan_check_write(dst, n);
	return raw_memmove(dst, src, n);
}

/* As ISO C. ctx: any. */
void *(memset)(void *dst, int c, size_t n)
{
	kasan_check_write(dst, n);
	return raw_memset(dst, c, n);
}

/* See mm/pmm.h. ctx: any. */
void page_zero(void *va)
{
	kasan_check_write(va, PAGE_SIZE);
	raw_page_zero(va);
}

/* See mm/pmm.h. ctx: any. */
void page_copy(void *dst, const void *src)
{
	kasan_check_read(src, PAGE_SIZE);
	kasan_check_write(dst, PAGE_SIZE);
	raw_page_copy(dst, src);
}
