/*
 * Timers.
 *
 * Each CPU has a red-black tree of armed timeouts by deadline and programs its hardware timer for
 * the first, only when a new first is earlier than what is programmed; taking the first out leaves
 * the hardware alone, and the early interrupt finds nothing to do. So an idle CPU without timeouts
 * gets no interrupt.
 *
 * A timeout is in the tree of the CPU that armed it last (.cpu). To change one, take the lock of
 * the tree it names and look again whether it still names it. Functions run in IRQ context without
 * the lock, so they may arm their own or any other timeout; the timeout may be gone when its
 * function returns. .running tells timeout_cancel_sync() that it must wait.
 */
#include <arch/cpu.h>
#include "kernel/base/panic.h"
#include "kernel/base/spinlock.h"
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"

/* T guarded by .lock (TIMEOUT) */
struct timeout_cpu {
	struct spinlock lock;
	struct rb_root tree; /* T */
	s64 programmed; /* T: what the hardware waits for */
	struct timeout *running; /* a: whose function runs; written under the lock */
};

PERCPU(struct timeout_cpu, timeout_cpus);

static bool earlier(const struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct timeout, node)->deadline <
	       rb_entry(b, struct timeout, node)->deadline;
}

/* ctx: boot, before @cpu uses timeouts. */
void timeout_init_cpu(u32 cpu)
{
	struct timeout_cpu *c = &per_cpu(timeout_cpus, cpu);

	spin_init(&c->lock, RANK_TIMEOUT);
	rb_root_init(&c->tree);
	c->programmed = TIME_NEVER;
}

/* Not armed, to run @fn. ctx: any. */
void timeout_init(struct timeout *t, void (*fn)(struct timeout *t))
{
	rb_clear(&t->node);
	t->deadline = TIME_NEVER;
	t->fn = fn;
	t->cpu = 0;
	t->armed = false;
}

/* Lock the tree that @t belongs to. */
static struct timeout_cpu *lock_tree_of(struct timeout *t, u64 *flags)
{
	for (;;) {
		u32 cpu = READ_ONCE(t->cpu);
		struct timeout_cpu *c = &per_cpu(timeout_cpus, cpu);

		*flags = spin_lock_irqsave(&c->lock);
		if (t->cpu == cpu)
			return c;
		spin_unlock_irqrestore(&c->lock, *flags);
	}
}

static bool disarm_locked(struct timeout_cpu *c, struct timeout *t)
{
	if (!t->armed)
		return false;
	rb_erase(&c->tree, &t->node);
	t->armed = false;
	return true;
}

/*
 * The first deadline of this CPU may be earlier than what the hardware waits for. holds: c->lock.
 */
static void program_first(struct timeout_cpu *c)
{
	struct rb_node *n = rb_first(&c->tree);
	s64 first = n ? rb_entry(n, struct timeout, node)->deadline : TIME_NEVER;

	if (first < c->programmed) {
		c->programmed = first;
		timer_program(first);
	}
}

/*
 * See timeout.h. A timeout that is armed or was last armed elsewhere moves here. Between the two
 * locks it belongs to this CPU's tree and is not armed; a second CPU that arms it then does the
 * same, and the later one wins.
 */
void timeout_set(struct timeout *t, s64 deadline)
{
	u64 flags;
	struct timeout_cpu *c = lock_tree_of(t, &flags);
	u32 here = cpu_id();

	while (unlikely(t->cpu != here)) {
		disarm_locked(c, t);
		WRITE_ONCE(t->cpu, here);
		spin_unlock_irqrestore(&c->lock, flags);
		c = lock_tree_of(t, &flags);
		here = cpu_id();
	}
	disarm_locked(c, t);
	t->deadline = deadline;
	t->armed = true;
	rb_insert(&c->tree, &t->node, earlier);
	program_first(c);
	spin_unlock_irqrestore(&c->lock, flags);
}

/* See timeout.h. */
bool timeout_cancel(struct timeout *t)
{
	u64 flags;
	struct timeout_cpu *c = lock_tree_of(t, &flags);
	bool was_armed = disarm_locked(c, t);

	spin_unlock_irqrestore(&c->lock, flags);
	return was_armed;
}

/* See timeout.h. */
bool timeout_cancel_sync(struct timeout *t)
{
	bool was_armed = timeout_cancel(t);

	for (u32 cpu = 0; cpu < cpu_count; cpu++)
		while (load_acquire(&per_cpu(timeout_cpus, cpu).running) == t)
			cpu_relax();
	return was_armed;
}

/* Earliest deadline on this CPU, TIME_NEVER without one. ctx: any, preemption off. */
s64 timeout_next(void)
{
	struct timeout_cpu *c = this_cpu_ptr(timeout_cpus);
	u64 flags = spin_lock_irqsave(&c->lock);
	struct rb_node *n = rb_first(&c->tree);
	s64 first = n ? rb_entry(n, struct timeout, node)->deadline : TIME_NEVER;

	spin_unlock_irqrestore(&c->lock, flags);
	return first;
}

/* Run one that is due, without the lock meanwhile. */
static void run_one(struct timeout_cpu *c, struct timeout *t, u64 *flags)
{
	void (*fn)(struct timeout * t) = t->fn;

	disarm_locked(c, t);
	store_release(&c->running, t);
	spin_unlock_irqrestore(&c->lock, *flags);
	fn(t);
	*flags = spin_lock_irqsave(&c->lock);
	store_release(&c->running, NULL);
}

/* The timer interrupt: run everything due, then wait for the next. ctx: IRQ. */
void timeout_run_irq(void)
{
	struct timeout_cpu *c = this_cpu_ptr(timeout_cpus);
	u64 flags = spin_lock_irqsave(&c->lock);
	struct rb_node *n;

	while ((n = rb_first(&c->tree))) {
		struct timeout *t = rb_entry(n, struct timeout, node);

		if (t->deadline > time_now())
			break;
		run_one(c, t, &flags);
	}
	c->programmed = TIME_NEVER;
	if (n)
		program_first(c);
	else
		timer_program(TIME_NEVER);
	spin_unlock_irqrestore(&c->lock, flags);
}
