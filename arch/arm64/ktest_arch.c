/*
 * Tests of the architecture layer that need no user program: copies, page tables and user access
 * through them, flushes and calls across CPUs, W^X of the kernel's own mappings.
 *
 * Address spaces are made by hand (space_init, space_map) and user access goes through them with
 * the real instructions, so a fault that is to be caught really happens.
 */
#include <asm-generic/siginfo.h>
#include <linux/errno.h>
#include <arch/cksum.h>
#include <arch/cpu.h>
#include <arch/frame.h>
#include <arch/irqflags.h>
#include <arch/pmap.h>
#include <arch/sysreg.h>
#include <arch/thread.h>
#include <arch/user.h>
#include "arch/arm64/arch_private.h"
#include "kernel/base/ktest.h"
#include "kernel/base/panic.h"
#include "kernel/base/spinlock.h"
#include "kernel/base/time.h"
#include "kernel/base/trap.h"
#include "kernel/lib/string.h"
#include "mm/pmm.h"

#define USER_AT 0x40000000UL /* two pages, the second one present only if mapped */

static u8 pattern_byte(u32 i)
{
	return (u8)(i * 37 + 11);
}

static bool copy_is_right(u8 *buf, u32 from, u32 to, u32 n)
{
	for (u32 i = 0; i < 512; i++)
		buf[i] = pattern_byte(i);
	if (memmove(buf + to, buf + from, n) != buf + to)
		return false;
	for (u32 i = 0; i < 512; i++) {
		bool inside = i >= to && i < to + n;

		if (buf[i] != pattern_byte(inside ? i - to + from : i))
			return false;
	}
	return true;
}

KTEST(arch, memmove)
{
	static u8 buf[512];

	for (u32 n = 0; n < 200; n++) {
		KT_ASSERT(copy_is_right(buf, 100, 100, n));
		KT_ASSERT(copy_is_right(buf, 100, 101, n));
		KT_ASSERT(copy_is_right(buf, 101, 100, n));
		KT_ASSERT(copy_is_right(buf, 7, 310, n));
		KT_ASSERT(copy_is_right(buf, 310, 3, n));
		KT_ASSERT(copy_is_right(buf, 150, 100, n));
		KT_ASSERT(copy_is_right(buf, 100, 164, n));
	}
}

KTEST(arch, memset)
{
	static u8 buf[256];

	for (u32 n = 0; n < 200; n++) {
		memset(buf, 0x11, sizeof(buf));
		KT_ASSERT(memset(buf + 5, 0xee, n) == buf + 5);
		for (u32 i = 0; i < sizeof(buf); i++)
			KT_ASSERT(buf[i] == (i >= 5 && i < 5 + n ? 0xee : 0x11));
	}
}

/* The sum in ones' complement, word by word. */
static u64 plain_sum(const u8 *at, size_t n, u64 sum)
{
	for (size_t i = 0; i < n; i += 8) {
		u64 w;

		memcpy(&w, at + i, 8);
		sum += w;
		sum += sum < w;
	}
	return sum;
}

KTEST(arch, cksum_blocks)
{
	static u8 buf[5 * 64 + 8];

	for (u32 round = 0; round < 64; round++) {
		u64 sum = round % 2 ? ~0ull : round, got, want;
		u32 off = round % 8, n = 1 + round % 5;

		for (u32 i = 0; i < sizeof(buf); i++)
			buf[i] = round % 3 ? 0xff : (u8)(i * 37 + round);
		got = arch_cksum_blocks(buf + off, n, sum);
		want = plain_sum(buf + off, n * 64, sum);
		KT_ASSERT(got % ~0ull == want % ~0ull && !got == !want);
	}
}

KTEST(arch, page_zero_copy)
{
	u8 *a = pmm_alloc_va(0, 0), *b = pmm_alloc_va(0, 0);

	KT_ASSERT(a && b);
	for (u32 i = 0; i < PAGE_SIZE; i++)
		a[i] = pattern_byte(i * 3);
	page_copy(b, a);
	KT_ASSERT(memcmp(a, b, PAGE_SIZE) == 0);
	page_zero(a);
	for (u32 i = 0; i < PAGE_SIZE; i++)
		KT_ASSERT(a[i] == 0);
	pmm_free_va(a, 0);
	pmm_free_va(b, 0);
}

KTEST(arch, pte)
{
	pte_t p = pte_make(0x12345000, PROT_U | PROT_R | PROT_W);

	KT_ASSERT(pte_present(p) && pte_pa(p) == 0x12345000);
	KT_ASSERT(pte_writable(p) && pte_dirty(p) && pte_young(p));
	p = pte_wrprotect(p);
	KT_ASSERT(!pte_writable(p) && pte_dirty(p));
	p = pte_make(0x12345000, PROT_U | PROT_R);
	KT_ASSERT(!pte_writable(p) && !pte_dirty(p));
	KT_ASSERT(pte_dirty(pte_mkdirty(p)) && !pte_young(pte_mkold(p)));
	p = pte_set_prot(pte_mkdirty(p), PROT_U);
	KT_ASSERT(pte_present(p) && !pte_writable(p) && pte_dirty(p) && pte_pa(p) == 0x12345000);
}

/*
 * A user address space with one page at USER_AT, loaded on this CPU; preemption is off until
 * space_fini.
 */
struct space {
	struct pmap pm;
	u8 *page;
};

static bool space_map(struct space *s, vaddr_t va, u32 prot)
{
	pte_t *e;

	spin_lock(&s->pm.lock);
	e = pmap_leaf_alloc(&s->pm, va);
	if (e) {
		pte_set(e, pte_make(va_to_pa(s->page), prot | PROT_U));
		tlb_flush_page(&s->pm, va);
	}
	spin_unlock(&s->pm.lock);
	return e;
}

static bool space_init(struct space *s)
{
	u64 flags;

	s->page = pmm_alloc_va(0, PMM_ZERO);
	if (!s->page || pmap_init(&s->pm))
		return false;
	if (!space_map(s, USER_AT, PROT_R | PROT_W))
		return false;
	preempt_disable();
	flags = irq_save();
	pmap_activate(&s->pm);
	irq_restore(flags);
	return true;
}

static void space_fini(struct space *s)
{
	preempt_enable();
	pmap_fini(&s->pm);
	pmm_free_va(s->page, 0);
}

KTEST(arch, user_copy)
{
	static u8 out[256], in[256];
	struct space s;

	KT_ASSERT(space_init(&s));
	for (u32 i = 0; i < sizeof(out); i++)
		out[i] = pattern_byte(i);
	for (u32 n = 0; n < 200; n++) {
		KT_ASSERT(arch_user_copy_out(USER_AT + n, out, n) == 0);
		KT_ASSERT(memcmp(s.page + n, out, n) == 0);
		memset(in, 0, sizeof(in));
		KT_ASSERT(arch_user_copy_in(in, USER_AT + n, n) == 0);
		KT_ASSERT(memcmp(in, out, n) == 0 && in[n] == 0);
		KT_ASSERT(arch_user_clear(USER_AT + n, n) == 0);
		for (u32 i = 0; i < n; i++)
			KT_ASSERT(s.page[n + i] == 0);
	}
	space_fini(&s);
}

/* The page behind is missing: each function says exactly how many bytes it did not reach. */
KTEST(arch, user_fault_exact)
{
	static u8 buf[256];
	struct space s;

	KT_ASSERT(space_init(&s));
	for (u32 there = 0; there < 130; there++) {
		u64 at = USER_AT + PAGE_SIZE - there;

		KT_ASSERT(arch_user_copy_out(at, buf, 130) == 130 - there);
		KT_ASSERT(arch_user_copy_in(buf, at, 130) == 130 - there);
		KT_ASSERT(arch_user_clear(at, 130) == 130 - there);
	}
	KT_ASSERT(space_map(&s, USER_AT, PROT_R));
	KT_ASSERT(arch_user_copy_out(USER_AT, buf, 100) == 100);
	KT_ASSERT(arch_user_copy_in(buf, USER_AT, 100) == 0);
	KT_ASSERT(space_map(&s, USER_AT, 0));
	KT_ASSERT(arch_user_copy_in(buf, USER_AT, 100) == 100);
	space_fini(&s);
}

KTEST(arch, user_string)
{
	char buf[64];
	struct space s;

	KT_ASSERT(space_init(&s));
	for (u32 len = 0; len < 40; len++) {
		for (u32 off = 0; off < 9; off++) {
			memset(s.page, 0, 64);
			memset(s.page + off, 'a', len);
			KT_ASSERT(arch_user_strncpy(buf, USER_AT + off, sizeof(buf)) == len);
			KT_ASSERT(strlen(buf) == len);
			if (len)
				KT_ASSERT(arch_user_strncpy(buf, USER_AT + off, len) == len);
		}
	}
	memset(s.page + PAGE_SIZE - 20, 'b', 20);
	KT_ASSERT(arch_user_strncpy(buf, USER_AT + PAGE_SIZE - 20, sizeof(buf)) == -EFAULT);
	s.page[PAGE_SIZE - 1] = 0;
	KT_ASSERT(arch_user_strncpy(buf, USER_AT + PAGE_SIZE - 20, sizeof(buf)) == 19);
	space_fini(&s);
}

KTEST(arch, user_words)
{
	struct space s;
	u32 v32 = 0, old = 0;
	u64 v64 = 0;

	KT_ASSERT(space_init(&s));
	KT_ASSERT(arch_user_store64(USER_AT, 0x1122334455667788) == 0);
	KT_ASSERT(arch_user_load64(&v64, USER_AT) == 0 && v64 == 0x1122334455667788);
	KT_ASSERT(arch_user_load32(&v32, USER_AT) == 0 && v32 == 0x55667788);
	KT_ASSERT(arch_user_store32(USER_AT, 5) == 0);
	KT_ASSERT(arch_user_cmpxchg32(USER_AT, 4, 9, &old) == 0 && old == 5);
	KT_ASSERT(arch_user_cmpxchg32(USER_AT, 5, 9, &old) == 0 && old == 5);
	KT_ASSERT(arch_user_atomic32(USER_AT, 1, 3, &old) == 0 && old == 9);
	KT_ASSERT(arch_user_atomic32(USER_AT, 2, 0x30, &old) == 0 && old == 12);
	KT_ASSERT(arch_user_atomic32(USER_AT, 3, 0x10, &old) == 0 && old == 0x3c);
	KT_ASSERT(arch_user_atomic32(USER_AT, 4, 0xff, &old) == 0 && old == 0x2c);
	KT_ASSERT(arch_user_atomic32(USER_AT, 0, 7, &old) == 0 && old == 0xd3);
	KT_ASSERT(arch_user_load32(&v32, USER_AT) == 0 && v32 == 7);
	KT_ASSERT(arch_user_load32(&v32, USER_AT + PAGE_SIZE) == -EFAULT);
	KT_ASSERT(arch_user_store32(USER_AT + PAGE_SIZE, 1) == -EFAULT);
	KT_ASSERT(arch_user_cmpxchg32(USER_AT + PAGE_SIZE, 0, 1, &old) == -EFAULT);
	KT_ASSERT(space_map(&s, USER_AT, PROT_R));
	KT_ASSERT(arch_user_atomic32(USER_AT, 0, 1, &old) == -EFAULT);
	KT_ASSERT(space_map(&s, USER_AT, 0));
	KT_ASSERT(arch_user_cmpxchg32(USER_AT, 7, 1, &old) == -EFAULT);
	space_fini(&s);
}

KTEST(arch, pmap_tables)
{
	struct space s;
	vaddr_t far = USER_AT + GIB(3) + MIB(4);

	KT_ASSERT(space_init(&s));
	KT_ASSERT(s.pm.tables == 3);
	KT_ASSERT(space_map(&s, far, PROT_R));
	KT_ASSERT(s.pm.tables == 5);
	KT_ASSERT(pmap_next_leaf(&s.pm, 0, USER_TOP) == USER_AT);
	KT_ASSERT(pmap_next_leaf(&s.pm, USER_AT + MIB(2), USER_TOP) == far);
	KT_ASSERT(pmap_next_leaf(&s.pm, far + MIB(2), USER_TOP) == USER_TOP);
	spin_lock(&s.pm.lock);
	pte_set(pmap_leaf(&s.pm, far), 0);
	pmap_free_tables(&s.pm, far - MIB(1), far + MIB(1));
	KT_ASSERT(s.pm.tables == 5);
	pmap_free_tables(&s.pm, USER_AT + MIB(2), USER_TOP);
	KT_ASSERT(s.pm.tables == 3 && !pmap_leaf(&s.pm, far) && pmap_leaf(&s.pm, USER_AT));
	spin_unlock(&s.pm.lock);
	space_fini(&s);
}

static void count_call(void *arg)
{
	__atomic_fetch_add((u32 *)arg, 1, __ATOMIC_RELAXED);
}

KTEST(arch, smp_call)
{
	u32 n = 0, cpus = 0;

	for (cpumask_t m = cpu_online_mask; m; m &= m - 1)
		cpus++;
	for (u32 i = 0; i < 100; i++)
		smp_call(~0ULL, count_call, &n);
	KT_ASSERT(n == 100 * cpus);
}

static bool writable_at(const void *va)
{
	u64 par;

	__asm__ volatile("at s1e1w, %1\n\tisb\n\tmrs %0, par_el1" : "=r"(par) : "r"(va) : "memory");
	return !(par & 1);
}

KTEST(arch, kernel_write_protection)
{
	static u32 data;
	static const u32 constant = 1;

	KT_ASSERT(writable_at(&data));
	KT_ASSERT(writable_at(pa_to_va(kimage_to_pa(&data))));
	KT_ASSERT(!writable_at(&constant));
	KT_ASSERT(!writable_at(pa_to_va(kimage_to_pa(&constant))));
	KT_ASSERT(!writable_at((const void *)panic));
	KT_ASSERT(!writable_at(pa_to_va(kimage_to_pa((const void *)panic))));
	KT_ASSERT(!writable_at((const void *)kimage_to_pa(&data))); /* no identity map */
}

#define SYNDROME(ec, iss) ((u64)(ec) << 26 | (iss))
#define FP_BITS_VALID BIT(23)

/*
 * What exceptions of programs are taken for; those of floating point no CPU here raises, so this is
 * where their codes are seen.
 */
KTEST(arch, exceptions_decoded)
{
	static const struct {
		u64 esr;
		u32 kind, flags, code;
	} rows[] = {
		{ SYNDROME(EC_FP_EXC64, FP_BITS_VALID | 0x01), FAULT_FPE, 0, FPE_FLTINV },
		{ SYNDROME(EC_FP_EXC64, FP_BITS_VALID | 0x02), FAULT_FPE, 0, FPE_FLTDIV },
		{ SYNDROME(EC_FP_EXC64, FP_BITS_VALID | 0x04), FAULT_FPE, 0, FPE_FLTOVF },
		{ SYNDROME(EC_FP_EXC64, FP_BITS_VALID | 0x08), FAULT_FPE, 0, FPE_FLTUND },
		{ SYNDROME(EC_FP_EXC64, FP_BITS_VALID | 0x10), FAULT_FPE, 0, FPE_FLTRES },
		{ SYNDROME(EC_FP_EXC64, FP_BITS_VALID | 0x12), FAULT_FPE, 0, FPE_FLTDIV },
		{ SYNDROME(EC_FP_EXC64, FP_BITS_VALID), FAULT_FPE, 0, FPE_FLTUNK },
		{ SYNDROME(EC_FP_EXC64, 0x02), FAULT_FPE, 0, FPE_FLTUNK },
		{ SYNDROME(EC_DABT_EL0, 0x07), FAULT_TRANSLATION, 0, 0 },
		{ SYNDROME(EC_DABT_EL0, ESR_WNR | 0x0f), FAULT_PERMISSION, FAULT_WRITE, 0 },
		{ SYNDROME(EC_DABT_EL0, ESR_CM | ESR_WNR | 0x0f), FAULT_PERMISSION, 0, 0 },
		{ SYNDROME(EC_DABT_EL0, 0x21), FAULT_ALIGNMENT, 0, 0 },
		{ SYNDROME(EC_DABT_EL0, 0x10), FAULT_BUS, 0, 0 },
		{ SYNDROME(EC_IABT_EL0, 0x07), FAULT_TRANSLATION, FAULT_EXEC, 0 },
		{ SYNDROME(EC_PC_ALIGN, 0), FAULT_PC_ALIGN, 0, 0 },
		{ SYNDROME(EC_SP_ALIGN, 0), FAULT_SP_ALIGN, 0, 0 },
		{ SYNDROME(EC_BRK64, 1), FAULT_BREAKPOINT, 0, 0 },
		{ SYNDROME(0x3f, 0), FAULT_UNDEF, 0, 0 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		struct trapframe tf = { .pc = 0x1000, .sp = 0x2008 };
		struct fault f = { 0 };

		KT_ASSERT(!trap_decode_el0(&tf, rows[i].esr, 0x3000, &f));
		KT_ASSERT(f.kind == rows[i].kind && f.flags == rows[i].flags);
		KT_ASSERT(f.code == (s32)rows[i].code);
		KT_ASSERT(f.kind != FAULT_FPE || f.tagged == tf.pc);
	}
}

KTEST(arch, counter)
{
	s64 a = time_now(), b = time_now();

	KT_ASSERT(b >= a);
	KT_ASSERT(time_from_counter(time_to_counter(a + NSEC_PER_SEC) - time_to_counter(a)) >
		  999999000);
}
