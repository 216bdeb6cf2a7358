/*
 * Tests of the memory allocators, in the running kernel. Each returns all it took; those that
 * exhaust memory do so without waiting, so that shrinkers and the OOM handler stay out of it.
 *
 * Other CPUs may be giving back what a thread held that has just ended, at any later time when the
 * host keeps them from running. So what compares figures of all memory is done again when they do
 * not come out: what is lost is lost each time, what others do is over some time.
 */
#include <arch/cpu.h>
#include <arch/pmap.h>
#include "kernel/base/ktest.h"
#include "kernel/base/rand.h"
#include "kernel/lib/string.h"
#include "mm/kvm.h"
#include "mm/slab.h"

#define RUNS 100

/* Do @run until the figures come out, which it returns. */
static bool comes_out(bool (*run)(void))
{
	for (u32 i = 0; i < RUNS; i++)
		if (run())
			return true;
	return false;
}

static bool frames_are_zero(const struct page *p, u32 order)
{
	const u64 *w = page_to_va(p);

	for (u64 i = 0; i < ((u64)PAGE_SIZE << order) / 8; i++)
		if (w[i])
			return false;
	return true;
}

static bool orders_come_out(void)
{
	struct page *p[PMM_MAX_ORDER + 1];
	u64 before = pmm_free_frames();
	bool good;

	for (u32 o = 0; o <= PMM_MAX_ORDER; o++) {
		p[o] = pmm_alloc(o, o < 4 ? PMM_ZERO : 0);
		KT_ASSERT_OR(p[o], true);
		KT_ASSERT_OR(IS_ALIGNED(page_to_pa(p[o]), (u64)PAGE_SIZE << o), true);
		KT_ASSERT_OR(page_refs(p[o]) == 1, true);
		KT_ASSERT_OR(pa_is_ram(page_to_pa(p[o])), true);
		KT_ASSERT_OR(o >= 4 || frames_are_zero(p[o], o), true);
		memset(page_to_va(p[o]), 0xa5, (u64)PAGE_SIZE << o);
	}
	good = pmm_free_frames() == before - ((2u << PMM_MAX_ORDER) - 1);
	for (u32 o = 0; o <= PMM_MAX_ORDER; o++)
		pmm_free(p[o], o);
	KT_ASSERT_OR(!pmm_alloc(PMM_MAX_ORDER + 1, PMM_NOWAIT), true);
	return good && pmm_free_frames() == before;
}

KTEST(pmm, orders)
{
	KT_ASSERT(comes_out(orders_come_out));
}

static bool references_come_out(void)
{
	u64 before = pmm_free_frames();
	struct page *p = pmm_alloc(0, 0);
	bool good;

	KT_ASSERT_OR(p, true);
	page_get(p);
	page_put(p);
	good = pmm_free_frames() == before - 1;
	page_put(p);
	return good && pmm_free_frames() == before;
}

KTEST(pmm, references)
{
	KT_ASSERT(comes_out(references_come_out));
}

static bool exhaustion_comes_out(void)
{
	u64 before = pmm_free_frames(), taken = 0;
	struct page *chain = NULL, *p;
	bool good;

	while ((p = pmm_alloc(0, PMM_NOWAIT)) != NULL) {
		p->priv[0] = (u64)chain;
		chain = p;
		taken++;
	}
	/* The reserve is still there for those who are about to free memory. */
	p = pmm_alloc(0, PMM_NOWAIT | PMM_RESERVE);
	if (p)
		pmm_free(p, 0);
	while (chain) {
		struct page *next = (struct page *)chain->priv[0];

		pmm_free(chain, 0);
		chain = next;
	}
	KT_ASSERT_OR(p, true);
	good = taken > before / 2 && taken <= before && pmm_free_frames() == before;
	p = pmm_alloc(PMM_MAX_ORDER, PMM_NOWAIT);
	KT_ASSERT_OR(p, true); /* merged again */
	pmm_free(p, PMM_MAX_ORDER);
	return good;
}

KTEST(pmm, exhaustion)
{
	KT_ASSERT(comes_out(exhaustion_comes_out));
}

static bool random_comes_out(void)
{
	static struct page *slot[64];
	static u8 order[64];
	u64 before = pmm_free_frames();

	for (u32 i = 0; i < 4000; i++) {
		u64 r = rand_u64();
		u32 s = r % 64;

		if (slot[s]) {
			u8 *mark = page_to_va(slot[s]);

			KT_ASSERT_OR(mark[0] == s, true);
			KT_ASSERT_OR(mark[((u64)PAGE_SIZE << order[s]) - 1] == s, true);
			pmm_free(slot[s], order[s]);
			slot[s] = NULL;
			continue;
		}
		order[s] = (u8)((r >> 8) % 4);
		slot[s] = pmm_alloc(order[s], PMM_NOWAIT);
		KT_ASSERT_OR(slot[s], true);
		((u8 *)page_to_va(slot[s]))[0] = (u8)s;
		((u8 *)page_to_va(slot[s]))[((u64)PAGE_SIZE << order[s]) - 1] = (u8)s;
	}
	for (u32 s = 0; s < 64; s++) {
		if (slot[s])
			pmm_free(slot[s], order[s]);
		slot[s] = NULL;
	}
	return pmm_free_frames() == before;
}

KTEST(pmm, random)
{
	KT_ASSERT(comes_out(random_comes_out));
}

static bool frames_fail(void)
{
	struct page *a, *b, *c;

	pmm_fail_after(1, 1);
	a = pmm_alloc(0, 0);
	b = pmm_alloc(0, 0);
	c = pmm_alloc(0, 0);
	pmm_fail_after(0, 0);
	if (a)
		pmm_free(a, 0);
	if (b)
		pmm_free(b, 0);
	if (c)
		pmm_free(c, 0);
	return a && !b && c;
}

KTEST(pmm, fault_injection)
{
	KT_ASSERT(comes_out(frames_fail));
}

static u64 objects_active(const char *name)
{
	struct slab_info info;

	for (u32 i = 0; slab_get_info(i, &info); i++)
		if (strcmp(info.name, name) == 0)
			return info.active;
	return ~0ull;
}

KTEST(slab, sizes)
{
	for (size_t size = 1; size <= 40000; size += size < 300 ? 1 : size / 7) {
		u8 *p = kmalloc(size, 0), *q = kzalloc(size, 0);

		KT_ASSERT(p && q);
		KT_ASSERT(IS_ALIGNED((u64)p, 16) && IS_ALIGNED((u64)q, 16));
		memset(p, 0xff, size);
		for (size_t i = 0; i < size; i++)
			KT_ASSERT(q[i] == 0);
		memset(q, 0xff, size);
		kfree(p);
		kfree(q);
	}
	kfree(NULL);
}

static bool many_come_out(void)
{
	u64 active = objects_active("kmalloc-96");
	u32 **p = kcalloc(3000, sizeof(*p), 0);
	bool good;

	KT_ASSERT_OR(p, true);
	for (u32 i = 0; i < 3000; i++) {
		p[i] = kmalloc(80, 0);
		KT_ASSERT_OR(p[i], true);
		p[i][0] = i;
		p[i][19] = ~i;
	}
	good = objects_active("kmalloc-96") == active + 3000;
	for (u32 i = 0; i < 3000; i++) {
		u32 k = (i * 1237) % 3000;

		KT_ASSERT_OR(p[k][0] == k && p[k][19] == ~k, true);
		kfree(p[k]);
	}
	kfree(p);
	return good && objects_active("kmalloc-96") == active;
}

KTEST(slab, many)
{
	KT_ASSERT(comes_out(many_come_out));
}

KTEST(slab, helpers)
{
	char *s = kstrdup("linnet", 0), *t;

	KT_ASSERT(s && strcmp(s, "linnet") == 0);
	t = krealloc(s, 7, 500, 0);
	KT_ASSERT(t && strcmp(t, "linnet") == 0);
	s = krealloc(t, 500, 20000, 0);
	KT_ASSERT(s && strcmp(s, "linnet") == 0);
	t = krealloc(s, 20000, 8, 0);
	KT_ASSERT(t && strcmp(t, "linnet") == 0);
	kfree(t);
	KT_ASSERT(!kcalloc(~0ull / 2, 3, PMM_NOWAIT));
	KT_ASSERT(!kmalloc(64ull << 20, PMM_NOWAIT));
}

KTEST(slab, cache)
{
	static struct kmem_cache *c;
	void *a, *b;

	if (!c)
		c = kmem_cache_create("ktest-200", 200, 64);
	a = kmem_cache_alloc(c, PMM_ZERO);
	b = kmem_cache_alloc(c, 0);
	KT_ASSERT(a && b && a != b);
	KT_ASSERT(IS_ALIGNED((u64)a, 64) && IS_ALIGNED((u64)b, 64));
	kmem_cache_free(c, a);
	kmem_cache_free(c, b);
	KT_ASSERT(objects_active("ktest-200") == 0);
}

static bool objects_fail(void)
{
	void *a, *b;

	slab_fail_after(0, 1);
	a = kmalloc(64, 0);
	b = kmalloc(64, 0);
	slab_fail_after(0, 0);
	kfree(a);
	kfree(b);
	return !a && b;
}

KTEST(slab, fault_injection)
{
	KT_ASSERT(comes_out(objects_fail));
}

static bool guarded_comes_out(void)
{
	u64 frames = kvm_used_frames();
	u8 *p = kvm_alloc(3 * PAGE_SIZE, 0);
	bool good;

	KT_ASSERT_OR(p, true);
	for (u32 i = 0; i < 3 * PAGE_SIZE; i++)
		KT_ASSERT_OR(p[i] == 0, true);
	memset(p, 1, 3 * PAGE_SIZE);
	KT_ASSERT_OR(kvm_is_guard((vaddr_t)p - 1), true);
	KT_ASSERT_OR(kvm_is_guard((vaddr_t)p + 3 * PAGE_SIZE), true);
	KT_ASSERT_OR(!kvm_is_guard((vaddr_t)p), true);
	KT_ASSERT_OR(!kvm_is_guard((vaddr_t)p + 3 * PAGE_SIZE - 1), true);
	good = kvm_used_frames() == frames + 3;
	kvm_free(p);
	return good && kvm_used_frames() == frames;
}

KTEST(kvm, guarded)
{
	KT_ASSERT(comes_out(guarded_comes_out));
}

static bool reuse_comes_out(void)
{
	static void *p[40];
	paddr_t pa;
	u64 frames = kvm_used_frames();

	for (u32 round = 0; round < 3; round++) {
		for (u32 i = 0; i < 40; i++) {
			p[i] = kvm_alloc((i % 5 + 1) * PAGE_SIZE, 0);
			KT_ASSERT_OR(p[i], true);
			*(u64 *)p[i] = i;
		}
		for (u32 i = 0; i < 40; i++) {
			u32 k = (i * 7) % 40;

			KT_ASSERT_OR(*(u64 *)p[k] == k, true);
			kvm_free(p[k]);
			KT_ASSERT_OR(!pmap_kernel_lookup((vaddr_t)p[k], &pa), true);
		}
	}
	KT_ASSERT_OR(!kvm_alloc(1ull << 40, 0), true);
	KT_ASSERT_OR(!kvm_alloc(0, 0), true);
	return kvm_used_frames() == frames;
}

KTEST(kvm, reuse)
{
	KT_ASSERT(comes_out(reuse_comes_out));
}

static bool no_memory_comes_out(void)
{
	u64 before = pmm_free_frames();
	u64 frames = kvm_used_frames();
	bool good = true;
	void *p;

	/* The first runs bring struct spans and table pages, which stay. */
	p = kvm_alloc(8 * PAGE_SIZE, 0);
	KT_ASSERT_OR(p, true);
	kvm_free(p);
	for (u32 n = 0; n < 10; n++) {
		pmm_fail_after(n, 1);
		p = kvm_alloc(8 * PAGE_SIZE, 0);
		pmm_fail_after(0, 0);
		if (p)
			kvm_free(p);
		good &= kvm_used_frames() == frames;
	}
	return good && (before - pmm_free_frames() < 8 || pmm_free_frames() > before);
}

KTEST(kvm, no_memory)
{
	KT_ASSERT(comes_out(no_memory_comes_out));
}

KTEST(kvm, stacks)
{
	void *s[12];

	for (u32 i = 0; i < 12; i++) {
		s[i] = kvm_stack_alloc();
		KT_ASSERT(s[i]);
		memset(s[i], (int)i, KSTACK_SIZE);
		KT_ASSERT(kvm_is_guard((vaddr_t)s[i] - 1));
	}
	for (u32 i = 0; i < 12; i++) {
		KT_ASSERT(*(u8 *)s[i] == i);
		kvm_stack_free(s[i]);
	}
}
