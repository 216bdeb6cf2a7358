/*
 * Timers.
 *
 * Each CPU has a red-black tree of armed timeouts by deadline and programs its hardware timer for
 * the first, only when a new first is earlier than what is programmed; taking the first out leaves
 * the hardware alone, and the early interrupt finds nothing to do. So an idle CPU without timeouts
 * gets no interrupt.
 *
 * Deadlines by the wall clock are in a second tree. When the clock is set nothing in it moves, but
 * its first may be due earlier: each CPU looks again (timeout_wall_was_set).
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
	struct rb_root tree[2]; /* T: by the monotonic clock; by the wall clock */
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
	rb_root_init(&c->tree[false]);
	rb_root_init(&c->tree[true]);
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
	t->wall = false;
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
	rb_erase(&c->tree[t->wall], &t->node);
	t->armed = false;
	return true;
}

/* The armed timeout that is due first, NULL: there is none; *at when. holds: c->lock. */
static struct timeout *first(struct timeout_cpu *c, s64 *at)
{
	struct rb_node *n = rb_first(&c->tree[false]), *w = rb_first(&c->tree[true]);
	struct timeout *t = NULL;
	s64 wall_at;

	*at = TIME_NEVER;
	if (n) {
		t = rb_entry(n, struct timeout, node);
		*at = t->deadline;
	}
	if (unlikely(w != NULL)) {
		wall_at = rb_entry(w, struct timeout, node)->deadline - time_wall_offset();
		if (wall_at < *at) {
			t = rb_entry(w, struct timeout, node);
			*at = wall_at;
		}
	}
	return t;
}

/*
 * The first deadline of this CPU may be earlier than what the hardware waits for. holds: c->lock.
 */
static void program_first(struct timeout_cpu *c)
{
	s64 at;

	(void)first(c, &at);
	if (at < c->programmed) {
		c->programmed = at;
		timer_program(at);
	}
}

/*
 * A timeout that is armed or was last armed elsewhere moves here. Between the two locks it belongs
 * to this CPU's tree and is not armed; a second CPU that arms it then does the same, and the later
 * one wins.
 */
static void set(struct timeout *t, s64 deadline, bool wall)
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
	t->wall = wall;
	rb_insert(&c->tree[wall], &t->node, earlier);
	program_first(c);
	spin_unlock_irqrestore(&c->lock, flags);
}

/* See timeout.h. */
void timeout_set(struct timeout *t, s64 deadline)
{
	set(t, deadline, false);
}

/* See timeout.h. */
void timeout_set_wall(struct timeout *t, s64 deadline)
{
	set(t, deadline, true);
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
	s64 at;

	(void)first(c, &at);
	spin_unlock_irqrestore(&c->lock, flags);
	return at;
}

/* See timeout.h. */
s64 timeout_programmed(u32 cpu)
{
	return READ_ONCE(per_cpu(timeout_cpus, cpu).programmed);
}

static bool is_before(const struct rb_node *n, u64 at)
{
	return rb_entry(n, struct timeout, node)->deadline < (s64)at;
}

/* See timeout.h. */
u32 timeout_list(u32 cpu, bool wall, s64 from, u32 skip, struct timeout_info *out, u32 max)
{
	struct timeout_cpu *c = &per_cpu(timeout_cpus, cpu);
	u64 flags = spin_lock_irqsave(&c->lock);
	u32 n = 0;

	for (struct rb_node *r = rb_lower_bound(&c->tree[wall], (u64)from, is_before); r && n < max;
	     r = rb_next(r)) {
		const struct timeout *t = rb_entry(r, struct timeout, node);

		if (skip) {
			skip--;
			continue;
		}
		out[n++] = (struct timeout_info){ t->deadline, t->fn };
	}
	spin_unlock_irqrestore(&c->lock, flags);
	return n;
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
	struct timeout *t;
	s64 at;

	while ((t = first(c, &at)) && at <= time_now())
		run_one(c, t, &flags);
	c->programmed = at;
	timer_program(at);
	spin_unlock_irqrestore(&c->lock, flags);
}

static void look_again(void *arg)
{
	(void)arg;
	timeout_run_irq();
}

/*
 * The wall clock was set: every CPU runs what is due by it and waits for what is first now.
 * ctx: thread, IRQs on; returns when all have.
 */
void timeout_wall_was_set(void)
{
	smp_call(READ_ONCE(cpu_online_mask), look_again, NULL);
}
