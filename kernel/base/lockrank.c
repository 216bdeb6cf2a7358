/*
 * Lock-order checking; only debug builds have this file.
 *
 * Each thread keeps the stack of locks it holds (arch_thread.held). A lock may be taken when its
 * rank comes after that of every lock held, or equals the last one's for the _nested forms; so no
 * two threads can wait for each other in a circle. An interrupt handler starts an order of its own
 * (held_base): what the interrupted code holds was taken with interrupts on, and the usage bits
 * prove that handlers never take those locks.
 *
 * Everything here runs in any context and takes no lock: the stack belongs to the running thread.
 */
#include <arch/irqflags.h>
#include <arch/thread.h>
#include "kernel/base/irq.h"
#include "kernel/base/lockrank.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/base/spinlock.h"

#define LOCKDEBUG_IN_IRQ 1u
#define LOCKDEBUG_IRQS_ON 2u

static const char *const rank_name[] = {
#define LOCKRANK(name, why) #name,
#include "kernel/base/lockrank.def"
#undef LOCKRANK
};

/* A panic prints with locks of its own: no second panic about them. */
static bool quiet(void)
{
	return panic_in_progress();
}

static void check_order(struct arch_thread *t, struct lock_debug *d, const void *where, bool nested)
{
	for (u32 i = 0; i < t->nheld; i++) {
		struct lock_debug *h = t->held[i].lock;

		if (h == d)
			panic("lock %s taken twice: at %p and at %p", rank_name[d->rank],
			      t->held[i].where, where);
		if (i < t->held_base)
			continue;
		if (h->rank > d->rank || (h->rank == d->rank && !nested))
			panic("lock order: %s (at %p) wanted while holding %s (at %p)",
			      rank_name[d->rank], where, rank_name[h->rank], t->held[i].where);
	}
}

/* A lock that handlers take must be taken with interrupts off everywhere else. */
static void check_usage(struct lock_debug *d, const void *where)
{
	u32 use = irq_in_handler() ? LOCKDEBUG_IN_IRQ : irq_disabled() ? 0 : LOCKDEBUG_IRQS_ON;
	u32 all = d->usage | use;

	if ((all & LOCKDEBUG_IN_IRQ) && (all & LOCKDEBUG_IRQS_ON))
		panic("lock %s is taken in interrupts and, with them on, outside (now at %p)",
		      rank_name[d->rank], where);
	if (all != d->usage)
		__atomic_fetch_or(&d->usage, use, __ATOMIC_RELAXED);
}

/* See lockrank.h. */
void lockdebug_check(struct lock_debug *d, const void *where, bool nested)
{
	if (quiet())
		return;
	check_order(arch_current(), d, where, nested);
	check_usage(d, where);
}

/* See lockrank.h. */
void lockdebug_acquired(struct lock_debug *d, const void *where)
{
	struct arch_thread *t = arch_current();
	u64 irq = irq_save(); /* a handler, or the preemption after it, uses the same stack */
	u32 i = t->nheld;

	d->owner = t;
	d->where = where;
	if (i < ARRAY_SIZE(t->held)) {
		t->held[i].lock = d;
		t->held[i].where = where;
		t->nheld++;
	}
	irq_restore(irq);
	if (i == ARRAY_SIZE(t->held) && !quiet())
		panic("more than %u locks held", i);
}

/* See lockrank.h. */
void lockdebug_acquire(struct lock_debug *d, const void *where, bool nested)
{
	lockdebug_check(d, where, nested);
	lockdebug_acquired(d, where);
}

/* @d is about to be released, in any order. */
void lockdebug_release(struct lock_debug *d)
{
	struct arch_thread *t = arch_current();
	u64 irq = irq_save();
	u32 i = t->nheld;
	bool found;

	while (i > 0 && t->held[i - 1].lock != d)
		i--;
	found = i > 0;
	if (found) {
		d->owner = NULL;
		for (; i < t->nheld; i++)
			t->held[i - 1] = t->held[i];
		t->nheld--;
	}
	irq_restore(irq);
	if (!found && !quiet())
		panic("lock %s released by a thread that does not hold it", rank_name[d->rank]);
}

/* An interrupt handler begins; the result goes to lockdebug_irq_exit. ctx: IRQ. */
u32 lockdebug_irq_enter(void)
{
	struct arch_thread *t = arch_current();
	u32 saved = t->held_base;

	t->held_base = t->nheld;
	return saved;
}

/* The handler is over and must have released what it took. ctx: IRQ. */
void lockdebug_irq_exit(u32 saved)
{
	struct arch_thread *t = arch_current();

	if (t->nheld != t->held_base && !quiet())
		panic("an interrupt handler left a lock held");
	t->held_base = saved;
}

/* The running thread must hold nothing. ctx: thread. */
void lockdebug_assert_none(void)
{
	if (arch_current()->nheld && !quiet())
		panic("a thread that holds locks ends");
}

/*
 * Print what @t (NULL: the running thread) holds. ctx: any; best effort for a thread that runs
 * elsewhere.
 */
void lockdebug_print_held(struct arch_thread *t)
{
	if (!t)
		t = arch_current();
	for (u32 i = 0; i < t->nheld && i < ARRAY_SIZE(t->held); i++) {
		struct lock_debug *h = t->held[i].lock;
		struct symbol sym;
		const char *name = symbol_lookup((vaddr_t)t->held[i].where, &sym);

		log_crit("  holds %s, taken at %s+%#lx", rank_name[h->rank], name ? name : "?",
			 name ? sym.off : 0);
	}
}

/* Panic unless the running thread holds @l. ctx: any. */
void lock_assert_held(const struct spinlock *l)
{
	if (l->dbg.owner != arch_current() && !quiet())
		panic("lock %s is not held", rank_name[l->dbg.rank]);
}

/* Panic when the caller may not sleep. ctx: any. */
void assert_can_sleep(void)
{
	struct arch_thread *t = arch_current();

	if ((t->preempt_count || irq_disabled()) && !quiet())
		panic("sleeping with preemption off (%u) or interrupts masked", t->preempt_count);
}
