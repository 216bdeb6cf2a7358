/*
 * Lock statistics: see lockstat.h.
 *
 * Each CPU has a small open hash table of the places where it waited; what finds no room is counted
 * together. A CPU writes only its own, with interrupts off, so there is nothing to lock, and a
 * reader sees each number whole. The table says which functions meet at a lock, which is what one
 * needs to know to split it; which lock that is, their source says.
 */
#include <arch/atomic.h>
#include <arch/cpu.h>
#include <arch/irqflags.h>
#include "kernel/base/lockstat.h"
#include "kernel/base/panic.h"
#include "kernel/base/percpu.h"
#include "kernel/base/time.h"

#define PLACES 32 /* a power of two */

typedef unsigned long long ull;

struct lock_wait {
	const void *caller; /* NULL: free; the last place is for the others */
	u32 kind; /* before caller */
	u32 waits;
	u64 ns;
};
/* Written by their CPU only */
static PERCPU(struct lock_wait[PLACES + 1], lock_waits);

static struct lock_wait *place_of(struct lock_wait *table, const void *caller)
{
	u32 at = (u32)((u64)caller >> 2) * 2654435761u >> 16;

	for (u32 i = 0; i < PLACES; i++, at++) {
		struct lock_wait *w = &table[at % PLACES];

		if (!READ_ONCE(w->caller) || w->caller == caller)
			return w;
	}
	return &table[PLACES];
}

void lockstat_count(enum lock_kind kind, const void *caller, s64 since)
{
	u64 irq = irq_save();
	struct lock_wait *table = *this_cpu_ptr(lock_waits), *w = place_of(table, caller);

	if (!w->caller && w != &table[PLACES]) {
		w->kind = kind;
		store_release(&w->caller, caller);
	}
	WRITE_ONCE(w->waits, w->waits + 1);
	WRITE_ONCE(w->ns, w->ns + (u64)(time_now() - since));
	irq_restore(irq);
}

/* What all CPUs waited at @caller; false when one before @first has it, which has told it then. */
static bool sum(const void *caller, u32 first, struct lock_wait *total)
{
	for (u32 cpu = 0; cpu < cpu_count; cpu++) {
		struct lock_wait *w;

		if (!(READ_ONCE(cpu_online_mask) >> cpu & 1))
			continue;
		w = caller ? place_of(per_cpu(lock_waits, cpu), caller)
			   : &per_cpu(lock_waits, cpu)[PLACES];
		if (load_acquire(&w->caller) != caller)
			continue;
		if (cpu < first)
			return false;
		total->kind = w->kind;
		total->waits += READ_ONCE(w->waits);
		total->ns += READ_ONCE(w->ns);
	}
	return true;
}

static void show_place(struct sbuf *out, const void *caller, u32 first)
{
	static const char *const kinds[] = { "spin", "mutex", "rwsem" };
	struct lock_wait total = {};
	struct symbol sym;

	/* The call's address: what comes behind it may be another function. */
	if (sum(caller, first, &total) && symbol_lookup((vaddr_t)caller - 4, &sym))
		sbuf_printf(out, "lock %s %s+%#llx %u %llu\n", kinds[total.kind], sym.name,
			    (ull)sym.off + 4, total.waits, (ull)total.ns);
}

void lockstat_show(struct sbuf *out)
{
	struct lock_wait others = {};

	for (u32 cpu = 0; cpu < cpu_count; cpu++) {
		for (u32 i = 0; i < PLACES && READ_ONCE(cpu_online_mask) >> cpu & 1; i++) {
			const void *caller = load_acquire(&per_cpu(lock_waits, cpu)[i].caller);

			if (caller)
				show_place(out, caller, cpu);
		}
	}
	(void)sum(NULL, 0, &others);
	sbuf_printf(out, "lock other - %u %llu\n", others.waits, (ull)others.ns);
}
