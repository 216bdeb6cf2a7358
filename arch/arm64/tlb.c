/*
 * Address-space identifiers and TLB maintenance.
 *
 * A pmap has an ASID while its generation, in the bits above, is the current one. When the ASIDs of
 * a generation are used up the next begins: all are free again but for those loaded on a CPU
 * (reserved), and each CPU flushes its TLB before it next switches. 0 belongs to the empty table.
 *
 *   asid_active[cpu]    generation | ASID last switched to; 0: a new generation began, take the
 *                       slow path
 *   asid_reserved[cpu]  what was active when the generation changed: stays valid, moves to the new
 *                       generation
 *   pmap_loaded[cpu]    pmap in TTBR0, NULL: the empty table
 *
 * The fast path is a compare of generations and an exchange on a word of this CPU; everything else
 * is under asid_lock. The exchange fails against a concurrent change of generation, which zeroes
 * the word.
 *
 * Idle and kernel threads keep the last user tables loaded, so pmap->active, the CPUs that may hold
 * translations, only grows; a flush of everything by all CPUs takes out those that have the pmap no
 * longer loaded. A CPU sets pmap_loaded before its bit, and that flush clears the bit before it
 * looks at pmap_loaded, so none is lost.
 */
#include <arch/atomic.h>
#include <arch/barrier.h>
#include <arch/cpu.h>
#include <arch/irqflags.h>
#include <arch/pmap.h>
#include <arch/sysreg.h>
#include "arch/arm64/arch_private.h"
#include "kernel/lib/bitmap.h"
#include "kernel/lib/string.h"

#define ASID_BITS_MAX 16
#define ASID_MASK (BIT(ASID_BITS_MAX) - 1)
#define GENERATION_FIRST BIT(ASID_BITS_MAX)
#define ACTIVE_TRIM BIT(63) /* in pmap->active */
#define FLUSH_PAGES_MAX 64 /* beyond it one flush by ASID is cheaper than one by page each */

static struct spinlock asid_lock = SPINLOCK_INIT(RANK_ASID);
static u64 generation = GENERATION_FIRST; /* a: written under asid_lock */
static u64 asid_map[BITMAP_WORDS(1 << ASID_BITS_MAX)]; /* asid_lock: in use in this generation */
static u64 asid_count; /* I */
static u64 asid_next = 1; /* asid_lock: where to look */
static cpumask_t flush_pending; /* asid_lock */
static u64 asid_active[MAX_CPUS]; /* a */
static u64 asid_reserved[MAX_CPUS]; /* asid_lock */
static struct pmap *pmap_loaded[MAX_CPUS]; /* a: written by that CPU */

#define tlbi(op) __asm__ volatile("tlbi " #op ::: "memory")
#define tlbi_arg(op, arg) __asm__ volatile("tlbi " #op ", %0" ::"r"(arg) : "memory")

/* Number of ASIDs. ctx: boot. */
void tlb_init_boot(void)
{
	asid_count = sysreg_field(sysreg_read(id_aa64mmfr0_el1), 4) == 2 ? 65536 : 256;
	bitmap_set(asid_map, 0);
}

static void generation_begin(void)
{
	generation += GENERATION_FIRST;
	memset(asid_map, 0, asid_count / 8);
	bitmap_set(asid_map, 0);
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		u64 asid = word_xchg(&asid_active[cpu], 0);

		/* Zero: no switch since the last change, so its reservation goes on. */
		if (asid)
			asid_reserved[cpu] = asid;
		bitmap_set(asid_map, asid_reserved[cpu] & ASID_MASK);
	}
	flush_pending = ~0ULL;
	asid_next = 1;
}

/* @asid was loaded somewhere when the generation changed: it goes on, in the current generation. */
static bool asid_keep(u64 asid, u64 *out)
{
	u64 now = generation | (asid & ASID_MASK);
	bool hit = false;

	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (asid_reserved[cpu] == asid) {
			asid_reserved[cpu] = now;
			hit = true;
		}
	}
	*out = now;
	return hit;
}

/* holds: asid_lock. */
static u64 asid_alloc(u64 old)
{
	u64 asid;

	if (old && asid_keep(old, &asid))
		return asid;
	asid = bitmap_find_clear(asid_map, asid_count, asid_next);
	if (asid == BITMAP_NONE) {
		generation_begin();
		asid = bitmap_find_clear(asid_map, asid_count, 1);
	}
	bitmap_set(asid_map, asid);
	asid_next = asid + 1;
	return generation | asid;
}

/* A valid ASID for @pm on this CPU. ctx: IRQs off. */
static u64 asid_get(struct pmap *pm, u32 cpu)
{
	u64 asid = READ_ONCE(pm->asid);
	u64 active = READ_ONCE(asid_active[cpu]);

	if (active && !((asid ^ READ_ONCE(generation)) >> ASID_BITS_MAX) &&
	    __atomic_compare_exchange_n(&asid_active[cpu], &active, asid, false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED))
		return asid;
	spin_lock(&asid_lock);
	asid = pm->asid;
	if ((asid ^ generation) >> ASID_BITS_MAX) {
		asid = asid_alloc(asid);
		WRITE_ONCE(pm->asid, asid);
	}
	if (flush_pending & BIT(cpu)) {
		flush_pending &= ~BIT(cpu);
		tlbi(vmalle1);
		dsb(nsh);
	}
	WRITE_ONCE(asid_active[cpu], asid);
	spin_unlock(&asid_lock);
	return asid;
}

/*
 * Make @pm the user address space of this CPU; NULL: none is needed, which changes nothing.
 * ctx: scheduler, IRQs off.
 */
void pmap_activate(struct pmap *pm)
{
	u32 cpu = cpu_id();
	u64 asid;

	if (!pm || pm == pmap_loaded[cpu])
		return;
	asid = asid_get(pm, cpu);
	WRITE_ONCE(pmap_loaded[cpu], pm);
	/*
	 * Pairs with active_trim_begin. A store-release and a load-acquire would do by the
	 * architecture, but QEMU lets them pass each other.
	 */
	smp_mb();
	if (!(READ_ONCE(pm->active) & BIT(cpu))) {
		__atomic_fetch_or(&pm->active, BIT(cpu), __ATOMIC_SEQ_CST);
		dsb(ish);
	}
	sysreg_write(ttbr0_el1, va_to_pa(pm->root) | (asid & ASID_MASK) << 48);
	isb();
}

/* Take @arg, a pmap, out of this CPU. ctx: IRQs off. */
static void unload(void *arg)
{
	u32 cpu = cpu_id();

	if (pmap_loaded[cpu] != arg)
		return;
	__atomic_store_n(&pmap_loaded[cpu], NULL, __ATOMIC_RELEASE);
	sysreg_write(ttbr0_el1, kimage_to_pa(empty_table));
	isb();
}

/*
 * No CPU has @pm loaded on return, and no translations of it. No thread uses it any more.
 * ctx: thread, IRQs on.
 */
void pmap_deactivate(struct pmap *pm)
{
	cpumask_t others = 0;
	u64 flags = irq_save();

	unload(pm);
	irq_restore(flags);
	for (u32 cpu = 0; cpu < cpu_count; cpu++) {
		if (__atomic_load_n(&pmap_loaded[cpu], __ATOMIC_ACQUIRE) == pm)
			others |= BIT(cpu);
	}
	if (others)
		smp_call(others, unload, pm);
	tlb_flush_all(pm);
}

/*
 * True when translations of @pm are in this CPU's TLB only. The barrier puts the change of the
 * entry before the look at the mask; a CPU that loads @pm has its own between setting its bit and
 * the first walk. ctx: preemption off.
 */
static inline bool only_here(const struct pmap *pm)
{
	dsb(ish);
	return READ_ONCE(pm->active) == BIT(cpu_id());
}

static inline u64 tlbi_va(const struct pmap *pm, vaddr_t va)
{
	return pm->asid << 48 | (va >> PAGE_SHIFT & (BIT(44) - 1));
}

/*
 * Forget the leaf translation of @va.
 * ctx: any. The entry was changed before.
 */
void tlb_flush_page(struct pmap *pm, vaddr_t va)
{
	tlb_flush_range(pm, va, va + PAGE_SIZE);
}

/*
 * Forget all leaf translations in [@start, @end).
 * ctx: any.
 */
void tlb_flush_range(struct pmap *pm, vaddr_t start, vaddr_t end)
{
	if (!READ_ONCE(pm->active) || start >= end)
		return;
	if ((end - start) >> PAGE_SHIFT > FLUSH_PAGES_MAX) {
		tlb_flush_all(pm);
		return;
	}
	preempt_disable();
	if (only_here(pm)) {
		for (vaddr_t va = start; va < end; va += PAGE_SIZE)
			tlbi_arg(vale1, tlbi_va(pm, va));
		dsb(nsh);
	} else {
		for (vaddr_t va = start; va < end; va += PAGE_SIZE)
			tlbi_arg(vale1is, tlbi_va(pm, va));
		dsb(ish);
	}
	preempt_enable();
}

/*
 * CPUs that do not have @pm loaded lose their bit; the flush that follows empties their TLBs of it.
 * From here until the flush is complete ACTIVE_TRIM keeps everybody from flushing only locally.
 * False: another CPU is at it.
 */
static bool active_trim_begin(struct pmap *pm)
{
	cpumask_t left = __atomic_fetch_or(&pm->active, ACTIVE_TRIM, __ATOMIC_SEQ_CST);

	if (left & ACTIVE_TRIM)
		return false;
	for (; left; left &= left - 1) {
		u32 cpu = bit_lowest(left);

		if (__atomic_load_n(&pmap_loaded[cpu], __ATOMIC_SEQ_CST) == pm)
			continue;
		__atomic_fetch_and(&pm->active, ~BIT(cpu), __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&pmap_loaded[cpu], __ATOMIC_SEQ_CST) == pm)
			__atomic_fetch_or(&pm->active, BIT(cpu), __ATOMIC_SEQ_CST);
	}
	return true;
}

/*
 * Forget everything about @pm, tables included.
 * ctx: any.
 */
void tlb_flush_all(struct pmap *pm)
{
	bool trimming;

	if (!READ_ONCE(pm->active))
		return;
	preempt_disable();
	if (only_here(pm)) {
		tlbi_arg(aside1, pm->asid << 48);
		dsb(nsh);
	} else {
		trimming = active_trim_begin(pm);
		dsb(ish);
		tlbi_arg(aside1is, pm->asid << 48);
		dsb(ish);
		if (trimming)
			__atomic_fetch_and(&pm->active, ~ACTIVE_TRIM, __ATOMIC_SEQ_CST);
	}
	preempt_enable();
}

/*
 * The table that maps @va was unlinked: forget the walk to it.
 * ctx: any.
 */
void tlb_flush_tables(struct pmap *pm, vaddr_t va)
{
	if (!READ_ONCE(pm->active))
		return;
	preempt_disable();
	if (only_here(pm)) {
		tlbi_arg(vae1, tlbi_va(pm, va));
		dsb(nsh);
	} else {
		tlbi_arg(vae1is, tlbi_va(pm, va));
		dsb(ish);
	}
	preempt_enable();
}

/*
 * Forget kernel translations in [@start, @end) on all CPUs.
 * ctx: any.
 */
void tlb_flush_kernel(vaddr_t start, vaddr_t end)
{
	dsb(ishst);
	if ((end - start) >> PAGE_SHIFT > FLUSH_PAGES_MAX) {
		tlbi(vmalle1is);
	} else {
		for (vaddr_t va = start; va < end; va += PAGE_SIZE)
			tlbi_arg(vaae1is, va >> PAGE_SHIFT & (BIT(44) - 1));
	}
	dsb(ish);
	isb();
}
