/*
 * Tests of the memory allocators, in the running kernel. Each returns all it took; those that
 * exhaust memory do so without waiting, so that shrinkers and the OOM handler stay out of it.
 */
#include <arch/cpu.h>
#include <arch/pmap.h>
#include "kernel/base/ktest.h"
#include "kernel/base/rand.h"
#include "kernel/lib/string.h"
#include "mm/kvm.h"
#include "mm/slab.h"

static bool frames_are_zero(const struct page *p, u32 order)
{
	const u64 *w = page_to_va(p);

	for (u64 i = 0; i < ((u64)PAGE_SIZE << order) / 8; i++)
		if (w[i])
			return false;
	return true;
}

KTEST(pmm, orders)
{
	struct page *p[PMM_MAX_ORDER + 1];
	u64 before = pmm_free_frames();

	for (u32 o = 0; o <= PMM_MAX_ORDER; o++) {
		p[o] = pmm_alloc(o, o < 4 ? PMM_ZERO : 0);
		KT_ASSERT(p[o]);
		KT_ASSERT(IS_ALIGNED(page_to_pa(p[o]), (u64)PAGE_SIZE << o));
		KT_ASSERT(page_refs(p[o]) == 1);
		KT_ASSERT(pa_is_ram(page_to_pa(p[o])));
		KT_ASSERT(o >= 4 || frames_are_zero(p[o], o));
		memset(page_to_va(p[o]), 0xa5, (u64)PAGE_SIZE << o);
	}
	KT_ASSERT(pmm_free_frames() == before - ((2u << PMM_MAX_ORDER) - 1));
	for (u32 o = 0; o <= PMM_MAX_ORDER; o++)
		pmm_free(p[o], o);
	KT_ASSERT(pmm_free_frames() == before);
	KT_ASSERT(!pmm_alloc(PMM_MAX_ORDER + 1, PMM_NOWAIT));
}

KTEST(pmm, references)
{
	u64 before = pmm_free_frames();
	struct page *p = pmm_alloc(0, 0);

	KT_ASSERT(p);
	page_get(p);
	page_put(p);
	KT_ASSERT(pmm_free_frames() == before - 1);
	page_put(p);
	KT_ASSERT(pmm_free_frames() == before);
}

KTEST(pmm, exhaustion)
{
	u64 before = pmm_free_frames(), taken = 0;
	struct page *chain = NULL, *p;

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
	KT_ASSERT(p);
	KT_ASSERT(taken > before / 2 && taken <= before);
	KT_ASSERT(pmm_free_frames() == before);
	p = pmm_alloc(PMM_MAX_ORDER, PMM_NOWAIT);
	KT_ASSERT(p); /* merged again */
	pmm_free(p, PMM_MAX_ORDER);
}

KTEST(pmm, random)
{
	static struct page *slot[64];
	static u8 order[64];
	u64 before = pmm_free_frames();

	for (u32 i = 0; i < 4000; i++) {
		u64 r = rand_u64();
		u32 s = r % 64;

		if (slot[s]) {
			u8 *mark = page_to_va(slot[s]);

			KT_ASSERT(mark[0] == s);
			KT_ASSERT(mark[((u64)PAGE_SIZE << order[s]) - 1] == s);
			pmm_free(slot[s], order[s]);
			slot[s] = NULL;
			continue;
		}
		order[s] = (u8)((r >> 8) % 4);
		slot[s] = pmm_alloc(order[s], PMM_NOWAIT);
		KT_ASSERT(slot[s]);
		((u8 *)page_to_va(slot[s]))[0] = (u8)s;
		((u8 *)page_to_va(slot[s]))[((u64)PAGE_SIZE << order[s]) - 1] = (u8)s;
	}
	for (u32 s = 0; s < 64; s++) {
		if (slot[s])
			pmm_free(slot[s], order[s]);
		slot[s] = NULL;
	}
	KT_ASSERT(pmm_free_frames() == before);
}

KTEST(pmm, fault_injection)
{
	struct page *a, *b, *c;

	pmm_fail_after(1, 1);
	a = pmm_alloc(0, 0);
	b = pmm_alloc(0, 0);
	c = pmm_alloc(0, 0);
	pmm_fail_after(0, 0);
	KT_ASSERT(a && !b && c);
	pmm_free(a, 0);
	pmm_free(c, 0);
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

KTEST(slab, many)
{
	u64 active = objects_active("kmalloc-96");
	u32 **p = kcalloc(3000, sizeof(*p), 0);

	KT_ASSERT(p);
	for (u32 i = 0; i < 3000; i++) {
		p[i] = kmalloc(80, 0);
		KT_ASSERT(p[i]);
		p[i][0] = i;
		p[i][19] = ~i;
	}
	KT_ASSERT(objects_active("kmalloc-96") == active + 3000);
	for (u32 i = 0; i < 3000; i++) {
		u32 k = (i * 1237) % 3000;

		KT_ASSERT(p[k][0] == k && p[k][19] == ~k);
		kfree(p[k]);
	}
	kfree(p);
	KT_ASSERT(objects_active("kmalloc-96") == active);
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

KTEST(slab, fault_injection)
{
	void *a, *b;

	slab_fail_after(0, 1);
	a = kmalloc(64, 0);
	b = kmalloc(64, 0);
	slab_fail_after(0, 0);
	KT_ASSERT(!a && b);
	kfree(b);
}

KTEST(kvm, guarded)
{
	u64 frames = kvm_used_frames();
	u8 *p = kvm_alloc(3 * PAGE_SIZE, 0);

	KT_ASSERT(p);
	for (u32 i = 0; i < 3 * PAGE_SIZE; i++)
		KT_ASSERT(p[i] == 0);
	memset(p, 1, 3 * PAGE_SIZE);
	KT_ASSERT(kvm_is_guard((vaddr_t)p - 1));
	KT_ASSERT(kvm_is_guard((vaddr_t)p + 3 * PAGE_SIZE));
	KT_ASSERT(!kvm_is_guard((vaddr_t)p));
	KT_ASSERT(!kvm_is_guard((vaddr_t)p + 3 * PAGE_SIZE - 1));
	KT_ASSERT(kvm_used_frames() == frames + 3);
	kvm_free(p);
	KT_ASSERT(kvm_used_frames() == frames);
}

KTEST(kvm, reuse)
{
	static void *p[40];
	paddr_t pa;
	u64 frames = kvm_used_frames();

	for (u32 round = 0; round < 3; round++) {
		for (u32 i = 0; i < 40; i++) {
			p[i] = kvm_alloc((i % 5 + 1) * PAGE_SIZE, 0);
			KT_ASSERT(p[i]);
			*(u64 *)p[i] = i;
		}
		for (u32 i = 0; i < 40; i++) {
			u32 k = (i * 7) % 40;

			KT_ASSERT(*(u64 *)p[k] == k);
			kvm_free(p[k]);
			KT_ASSERT(!pmap_kernel_lookup((vaddr_t)p[k], &pa));
		}
	}
	KT_ASSERT(kvm_used_frames() == frames);
	KT_ASSERT(!kvm_alloc(1ull << 40, 0));
	KT_ASSERT(!kvm_alloc(0, 0));
}

KTEST(kvm, no_memory)
{
	u64 before = pmm_free_frames();
	u64 frames = kvm_used_frames();
	void *p;

	/* The first runs bring struct spans and table pages, which stay. */
	p = kvm_alloc(8 * PAGE_SIZE, 0);
	KT_ASSERT(p);
	kvm_free(p);
	for (u32 n = 0; n < 10; n++) {
		pmm_fail_after(n, 1);
		p = kvm_alloc(8 * PAGE_SIZE, 0);
		pmm_fail_after(0, 0);
		if (p)
			kvm_free(p);
		KT_ASSERT(kvm_used_frames() == frames);
	}
	KT_ASSERT(before - pmm_free_frames() < 8 || pmm_free_frames() > before);
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
