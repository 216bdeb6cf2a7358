/*
 * Interrupt numbers and their handlers.
 *
 * A number is mapped to a line, a small dense index, when its first handler is attached; counts are
 * per CPU and per line. A line has a chain of actions (more than one only for shared numbers).
 * irq_dispatch() reads map and chain without a lock: entries are published with release stores, and
 * irq_unregister() waits until no CPU is still in the chain before an action is used again.
 *
 * The controller is one struct irq_chip, message-signalled interrupts one struct irq_msi_ops, both
 * set at boot by the drivers. IRQ context is counted per CPU and as one preemption level of the
 * interrupted thread.
 *
 * Reference: Arm GIC architecture specification (INTID ranges); device tree binding arm,gic.
 */
#include <linux/errno.h>
#include <arch/barrier.h>
#include <arch/counter.h>
#include <arch/cpu.h>
#include <arch/frame.h>
#include "kernel/base/irq.h"
#include "kernel/base/log.h"
#include "kernel/base/log_internal.h"
#include "kernel/base/panic.h"
#include "kernel/base/rand_internal.h"
#include "kernel/base/spinlock.h"

#define SPI_END 1024
#define LPI_BASE 8192
#define LPI_MAX 1024
#define NUMBERS (SPI_END + LPI_MAX)
#define LINES_MAX 256
#define ACTIONS_MAX 288
#define NO_LINE 0 /* line 0 is not used */

/* q guarded by irq_lock (IRQ); readers in irq_dispatch take none */
struct action {
	struct action *next; /* q: also the free list */
	irq_handler_t fn; /* q */
	void *arg; /* q */
	const char *name; /* q */
};

struct line {
	struct action *first; /* q */
	u32 irq; /* q */
	u32 flags; /* q */
};

static struct spinlock irq_lock = SPINLOCK_INIT(RANK_IRQ);
static u16 line_of[NUMBERS]; /* q: index into lines */
static struct line lines[LINES_MAX]; /* q */
static u32 nlines = 1; /* q */
static struct action actions[ACTIONS_MAX]; /* q */
static u32 nactions; /* q */
static struct action *free_actions; /* q */
static const struct irq_chip *chip; /* I */
static const struct irq_msi_ops *msi; /* I */

PERCPU(u64, irq_counts[LINES_MAX]); /* o */
PERCPU(u64, irq_counts_total); /* o */
static PERCPU(u64, irq_ticks); /* o; a for reading: time in handlers, by the counter */
PERCPU(u32, irq_depth); /* o */
static PERCPU(bool, irq_user); /* o: the interrupt came from user mode */
PERCPU(u32, irq_running); /* o: line being dispatched; read by irq_unregister */

static bool number_index(u32 irq, u32 *index)
{
	if (irq < SPI_END)
		*index = irq;
	else if (irq >= LPI_BASE && irq < LPI_BASE + LPI_MAX)
		*index = SPI_END + (irq - LPI_BASE);
	else
		return false;
	return true;
}

static struct action *action_alloc(void)
{
	struct action *a = free_actions;

	if (a)
		free_actions = a->next;
	else if (nactions < ACTIONS_MAX)
		a = &actions[nactions++];
	return a;
}

/* Line of number @index, made if there is none. NULL: table full. holds: irq_lock. */
static struct line *line_get(u32 index, u32 irq)
{
	u32 n = line_of[index];

	if (n == NO_LINE) {
		if (nlines == LINES_MAX)
			return NULL;
		n = nlines++;
		lines[n].irq = irq;
		store_release(&line_of[index], (u16)n);
	}
	return &lines[n];
}

static int attach(u32 index, u32 irq, const struct action *wanted, u32 flags, bool *first)
{
	struct line *l = line_get(index, irq);
	struct action *a;

	if (!l)
		return -ENOMEM;
	if (l->first && !((l->flags & flags) & IRQ_SHARED))
		return -EBUSY;
	a = action_alloc();
	if (!a)
		return -ENOMEM;
	*first = !l->first;
	*a = *wanted;
	a->next = l->first;
	l->flags = flags;
	store_release(&l->first, a);
	return 0;
}

/* See irq.h. ctx: thread. */
int irq_register(u32 irq, irq_handler_t fn, void *arg, const char *name, u32 flags)
{
	struct action wanted = { NULL, fn, arg, name };
	bool first = false;
	u32 index;
	u64 saved;
	int err;

	if (!number_index(irq, &index))
		return -EINVAL;
	saved = spin_lock_irqsave(&irq_lock);
	err = attach(index, irq, &wanted, flags, &first);
	spin_unlock_irqrestore(&irq_lock, saved);
	if (!err && first)
		chip->unmask(irq, flags);
	return err;
}

/* Wait until no CPU is inside the chain of @line. */
static void line_wait_idle(u32 line)
{
	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		if (!(__atomic_load_n(&cpu_online_mask, __ATOMIC_RELAXED) & BIT(cpu)))
			continue;
		while (load_acquire(&per_cpu(irq_running, cpu)) == line)
			cpu_relax();
	}
}

/*
 * Detach the handler that was registered with @arg; it does not run any more on return. ctx:
 * thread.
 */
void irq_unregister(u32 irq, void *arg)
{
	struct action **p, *a = NULL;
	u32 index, n;
	bool last = false;
	u64 saved;

	if (!number_index(irq, &index) || line_of[index] == NO_LINE)
		return;
	n = line_of[index];
	saved = spin_lock_irqsave(&irq_lock);
	for (p = &lines[n].first; *p && (*p)->arg != arg; p = &(*p)->next)
		;
	if (*p) {
		a = *p;
		store_release(p, a->next);
		last = !lines[n].first;
	}
	spin_unlock_irqrestore(&irq_lock, saved);
	if (!a)
		return;
	if (last)
		chip->mask(irq);
	smp_mb();
	line_wait_idle(n);
	saved = spin_lock_irqsave(&irq_lock);
	a->next = free_actions;
	free_actions = a;
	spin_unlock_irqrestore(&irq_lock, saved);
}

/* Unmask a per-CPU interrupt on this CPU. ctx: any. */
void irq_enable_percpu(u32 irq)
{
	u32 index;

	if (number_index(irq, &index) && line_of[index] != NO_LINE)
		chip->unmask(irq, lines[line_of[index]].flags);
}

/* Deliver @irq to @cpu from now on. ctx: thread. */
void irq_set_affinity(u32 irq, u32 cpu)
{
	if (chip->set_affinity)
		chip->set_affinity(irq, cpu);
}

/* See irq.h. ctx: thread. */
int irq_msi_alloc(u32 devid, u32 count, u32 *irqs, struct irq_msg *msg)
{
	return msi ? msi->alloc(devid, count, irqs, msg) : -ENODEV;
}

/* Give back what irq_msi_alloc gave; handlers must be detached. ctx: thread. */
void irq_msi_free(u32 devid, u32 count, const u32 *irqs)
{
	if (msi)
		msi->free(devid, count, irqs);
}

/* ctx: boot. */
void irq_set_chip(const struct irq_chip *c)
{
	chip = c;
}

/* ctx: boot. */
void irq_set_msi(const struct irq_msi_ops *ops)
{
	msi = ops;
}

/* The controller, NULL before it is there. ctx: any. */
const struct irq_chip *irq_get_chip(void)
{
	return chip;
}

/* See irq.h. ctx: IRQ. */
void irq_dispatch(u32 irq)
{
	u32 index, n = NO_LINE;

	if (number_index(irq, &index))
		n = load_acquire(&line_of[index]);
	this_cpu(irq_counts_total)++;
	if (unlikely(n == NO_LINE)) {
		log_limited(LOG_ERR, "irq %u: nobody wants it", irq);
		return;
	}
	this_cpu(irq_counts)[n]++;
	store_release(&this_cpu(irq_running), n);
	smp_mb(); /* pairs with irq_unregister */
	for (struct action *a = load_acquire(&lines[n].first); a; a = load_acquire(&a->next))
		a->fn(irq, a->arg);
	store_release(&this_cpu(irq_running), NO_LINE);
}

/* See irq.h. ctx: IRQ, from the vector. */
void irq_entry(struct trapframe *tf)
{
	struct arch_thread *t = arch_current();
	u64 begin = arch_counter_relaxed(), end;
	u32 saved = lockdebug_irq_enter();

	t->preempt_count++;
	this_cpu(irq_depth)++;
	this_cpu(irq_user) = frame_is_user(tf);
	chip->handle(tf);
	this_cpu(irq_depth)--;
	t->preempt_count--;
	lockdebug_irq_exit(saved);
	end = arch_counter_relaxed();
	WRITE_ONCE(this_cpu(irq_ticks), this_cpu(irq_ticks) + (end - begin));
	rand_add_interrupt(end);
	if (t->preempt_count == 0)
		log_notify_irq();
}

/*
 * See irq.h. A handler runs with preemption off. Without that the thread may move to another CPU
 * between finding its CPU's depth and reading it.
 * ctx: any
 */
bool irq_in_handler(void)
{
	return arch_current()->preempt_count && this_cpu(irq_depth) != 0;
}

/* See irq.h. */
bool irq_from_user(void)
{
	return this_cpu(irq_user);
}

/* See irq.h. ctx: any. */
int irq_from_fdt(const u32 cells[3], u32 *irq, u32 *flags)
{
	u32 f = (cells[2] & 3) ? IRQ_EDGE : 0;

	if (cells[0] == 0 && cells[1] < SPI_END - 4 - 32) {
		*irq = cells[1] + 32;
	} else if (cells[0] == 1 && cells[1] < 16) {
		*irq = cells[1] + 16;
		f |= IRQ_PERCPU;
	} else {
		return -EINVAL;
	}
	*flags = f;
	return 0;
}

/* See irq.h. ctx: any. */
bool irq_get_info(u32 index, struct irq_info *out)
{
	if (index + 1 >= READ_ONCE(nlines))
		return false;
	out->irq = lines[index + 1].irq;
	out->flags = lines[index + 1].flags;
	out->chip = chip->name;
	out->name = lines[index + 1].first ? lines[index + 1].first->name : "";
	return true;
}

/* Times @irq was taken on @cpu. ctx: any. */
u64 irq_count(u32 irq, u32 cpu)
{
	u32 index;

	if (!number_index(irq, &index) || line_of[index] == NO_LINE)
		return 0;
	return READ_ONCE(per_cpu(irq_counts, cpu)[line_of[index]]);
}

/* Time that interrupts took on @cpu, in ticks of the counter. ctx: any. */
u64 irq_time(u32 cpu)
{
	return READ_ONCE(per_cpu(irq_ticks, cpu));
}

/* Interrupts taken on @cpu. ctx: any. */
u64 irq_total(u32 cpu)
{
	return READ_ONCE(per_cpu(irq_counts_total, cpu));
}
