/*
 * Tests of the address sanitizer, "ktest=kasan": each makes one kind of mistake and asks for the
 * report of it (kernel/base/report.h); the code goes on after the report and does what it was about
 * to do, so each mistake touches only red zones and memory that is waiting to be reused. What would
 * fault is only asked of the checker. Numbers are volatile, so that the compiler does not see what
 * is coming.
 */
#include <arch/thread.h>
#include "kernel/base/kasan.h"
#include "kernel/base/ktest.h"
#include "kernel/base/panic.h"
#include "kernel/base/report.h"
#include "kernel/base/uio.h"
#include "kernel/lib/string.h"
#include "mm/kvm.h"
#include "mm/slab.h"
#include "mm/slab_internal.h"

static volatile u64 sink;

KTEST(kasan, slab_out_of_bounds)
{
	volatile u8 *p = kmalloc(40, 0), *odd = kmalloc(13, 0);

	KT_ASSERT(p && odd);
	KT_ASSERT_REPORT("slab-out-of-bounds: write of 1 bytes", p[40] = 1);
	KT_ASSERT_REPORT("slab-out-of-bounds: read of 1 bytes", sink = p[47]);
	KT_ASSERT_REPORT("slab-out-of-bounds: read of 1 bytes", sink = p[-1]);
	KT_ASSERT_REPORT("slab-out-of-bounds: read of 8 bytes", sink = *(volatile u64 *)(p + 40));
	KT_ASSERT_REPORT("slab-out-of-bounds: write of 1 bytes", odd[13] = 1);
	report_expect("kasan");
	odd[12] = 1;
	sink = *(volatile u64 *)(p + 32);
	KT_ASSERT(report_expected() == 0);
	kfree((void *)p);
	kfree((void *)odd);
}

KTEST(kasan, cache_object)
{
	static struct kmem_cache *c;
	volatile u8 *p;

	if (!c)
		c = kmem_cache_create("ktest-kasan", 100, 64);
	p = kmem_cache_alloc(c, 0);
	KT_ASSERT(p && IS_ALIGNED((u64)p, 64));
	KT_ASSERT_REPORT("slab-out-of-bounds: read of 1 bytes", sink = p[100]);
	kmem_cache_free(c, (void *)p);
	KT_ASSERT_REPORT("use-after-free: write of 1 bytes", p[99] = 1);
}

KTEST(kasan, use_after_free)
{
	volatile u64 *p = kmalloc(64, 0);
	void *again;

	KT_ASSERT(p);
	kfree((void *)p);
	again = kmalloc(64, 0);
	KT_ASSERT(again && again != p); /* it is not given out again at once */
	KT_ASSERT_REPORT("use-after-free: read of 8 bytes", sink = p[3]);
	KT_ASSERT_REPORT("use-after-free: write of 8 bytes",
			 __atomic_fetch_add(p, 1, __ATOMIC_RELAXED));
	kfree(again);
}

KTEST(kasan, bad_free)
{
	char *p = kmalloc(100, 0);

	KT_ASSERT(p);
	KT_ASSERT_REPORT("kasan: invalid-free", kfree(p + 16));
	kfree(p);
	KT_ASSERT_REPORT("kasan: double-free", kfree(p));
}

static bool track_names(const struct kasan_track *t, const char *function)
{
	extern const char _start[];
	struct symbol sym;
	const char *name;

	for (u32 i = 0; i < t->count; i++) {
		name = symbol_lookup((vaddr_t)_start + t->frame[i] - 4, &sym);
		if (name && strcmp(name, function) == 0)
			return true;
	}
	return false;
}

static __noinline void free_it(void *p)
{
	kfree(p);
	__asm__ volatile("" ::: "memory"); /* not a tail call: the frame must be there */
}

KTEST(kasan, who_allocated_and_freed)
{
	struct kasan_origin o = { 0 };
	char *p = kmalloc(72, 0);

	KT_ASSERT(p);
	kasan_origin_find((vaddr_t)p + 80, &o);
	KT_ASSERT(o.start == (u64)p && o.size == 72 && strcmp(o.name, "kmalloc-96") == 0);
	KT_ASSERT(track_names(&o.alloc, "ktest_kasan_who_allocated_and_freed"));
	KT_ASSERT(o.free.count == 0);
	free_it(p);
	kasan_origin_find((vaddr_t)p, &o);
	KT_ASSERT(track_names(&o.free, "free_it"));
	KT_ASSERT(track_names(&o.alloc, "ktest_kasan_who_allocated_and_freed"));
}

KTEST(kasan, large)
{
	volatile u8 *p = kmalloc(20000, 0);

	KT_ASSERT(p);
	KT_ASSERT_REPORT("slab-out-of-bounds: write of 1 bytes", p[20000] = 1);
	KT_ASSERT_REPORT("slab-out-of-bounds: read of 1 bytes", sink = p[32767]);
	kfree((void *)p);
	KT_ASSERT_REPORT("use-after-free: read of 1 bytes", sink = p[0]);
}

KTEST(kasan, frames)
{
	struct page *pg = pmm_alloc(1, 0);
	struct kasan_origin o = { 0 };
	volatile u64 *p;

	KT_ASSERT(pg);
	p = page_to_va(pg);
	p[1023] = 1;
	pmm_free(pg, 1);
	KT_ASSERT_REPORT("use-after-free: read of 8 bytes", sink = p[1023]);
	kasan_origin_find((vaddr_t)p, &o);
	KT_ASSERT(track_names(&o.free, "ktest_kasan_frames"));
	KT_ASSERT(track_names(&o.alloc, "ktest_kasan_frames"));
}

KTEST(kasan, vmalloc)
{
	volatile u8 *p = kvm_alloc(100, 0);

	KT_ASSERT(p);
	p[99] = 1;
	KT_ASSERT_REPORT("vmalloc-out-of-bounds: read of 1 bytes", sink = p[100]);
	kvm_free((void *)p);
	KT_ASSERT_REPORT("vmalloc-out-of-bounds", kasan_check_read(p, 1));
}

KTEST(kasan, stack)
{
	volatile u32 i = 10;
	volatile u8 local[10];
	volatile u8 *volatile end = local + 10;

	for (u32 k = 0; k < 10; k++)
		local[k] = (u8)k;
	KT_ASSERT_REPORT("stack-out-of-bounds: read of 1 bytes", sink = *end);
	KT_ASSERT_REPORT("stack-out-of-bounds: write of 1 bytes", end[i] = 1);
}

KTEST(kasan, stack_scope)
{
	volatile u64 *volatile p;

	{
		volatile u64 inner[4] = { 1 };

		p = inner;
		sink = *p;
	}
	KT_ASSERT_REPORT("stack-use-after-scope: read of 8 bytes", sink = *p);
}

/* A stack that went back to the cache of stacks. */
KTEST(kasan, stack_freed)
{
	volatile u64 *stack = kvm_stack_alloc();

	KT_ASSERT(stack);
	stack[1] = 1;
	kvm_stack_free((void *)stack);
	KT_ASSERT_REPORT("use-after-free: read of 8 bytes", kasan_check_read(&stack[1], 8));
}

KTEST(kasan, global)
{
	static volatile u8 table[10];
	volatile u8 *volatile end = table + 10;

	table[9] = 1;
	KT_ASSERT_REPORT("global-out-of-bounds: read of 1 bytes", sink = *end);
	KT_ASSERT_REPORT("global-out-of-bounds: write of 1 bytes", end[3] = 1);
}

KTEST(kasan, memory_functions)
{
	char *a = kmalloc(40, 0), *b = kmalloc(40, 0);
	volatile size_t n = 41;

	KT_ASSERT(a && b);
	KT_ASSERT_REPORT("slab-out-of-bounds: write of 41 bytes", memset(a, 'x', n));
	KT_ASSERT_REPORT("slab-out-of-bounds: read of 41 bytes", memcpy(&(char[48]){ 0 }, b, n));
	KT_ASSERT_REPORT("slab-out-of-bounds: write of 41 bytes", memmove(a, &(char[48]){ 0 }, n));
	memset(a, 'x', 40);
	KT_ASSERT_REPORT("slab-out-of-bounds: read of 1 bytes", sink = strnlen(a, 41));
	memcpy(a, b, 40);
	kfree(a);
	KT_ASSERT_REPORT("use-after-free: read of 40 bytes", memcpy(b, a, n - 1));
	kfree(b);
}

KTEST(kasan, user_copies)
{
	char *p = kmalloc(16, 0);

	KT_ASSERT(p);
	KT_ASSERT_REPORT("slab-out-of-bounds: write of 17 bytes", sink = copy_from_user(p, 64, 17));
	KT_ASSERT_REPORT("slab-out-of-bounds: read of 17 bytes", sink = copy_to_user(64, p, 17));
	KT_ASSERT_REPORT("slab-out-of-bounds: write of 17 bytes",
			 sink = strncpy_from_user(p, 64, 17));
	kfree(p);
}

KTEST(kasan, wild)
{
	KT_ASSERT_REPORT("wild-access: read of 8 bytes", kasan_check_read(NULL, 8));
	KT_ASSERT_REPORT("wild-access: write of 8 bytes", kasan_check_write(~0ull - 8, 8));
}

static u64 kept_of_192(void)
{
	struct slab_info info;

	for (u32 i = 0; slab_get_info(i, &info); i++)
		if (strcmp(info.name, "kmalloc-192") == 0)
			return kasan_kept(&slab_caches[i]);
	return 0;
}

/* The queue of freed objects holds some, not all, and none when memory is wanted. */
KTEST(kasan, queue_is_bounded)
{
	u64 free_before, kept = 0;

	slab_reap();
	free_before = pmm_free_frames();
	for (u32 i = 0; i < 200000; i++) {
		void *p = kmalloc(192, 0);

		KT_ASSERT(p);
		kfree(p);
		kept = MAX(kept, kept_of_192());
	}
	KT_ASSERT(kept > 100 && kept < 199000);
	slab_reap();
	KT_ASSERT(kept_of_192() == 0);
	KT_ASSERT(pmm_free_frames() + 64 > free_before);
}
