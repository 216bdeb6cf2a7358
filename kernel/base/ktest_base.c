/*
 * Tests of the base layer in the running kernel: locks and per-CPU data across CPUs, timers,
 * clocks, the log's ring, symbols, random numbers, message interrupts. Run by "ktest=base". Waits
 * are bounded by the clock.
 */
#include <linux/errno.h>
#include <arch/cpu.h>
#include "kernel/base/irq.h"
#include "kernel/base/ktest.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/base/percpu.h"
#include "kernel/base/rand.h"
#include "kernel/base/spinlock.h"
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"
#include "kernel/base/uio.h"
#include "kernel/lib/bitmap.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define ROUNDS 10000

static struct spinlock lock = SPINLOCK_INIT(RANK_SPIN_OUTER);
static u64 shared; /* lock */
PERCPU(u64, ktest_cell);

static bool wait_for(const u32 *word, u32 at_least)
{
	s64 end = time_now() + KT_PATIENCE;

	while (load_acquire(word) < at_least && time_now() < end)
		cpu_relax();
	return load_acquire(word) >= at_least;
}

/* In interrupts on all CPUs at once: so the lock must be taken with interrupts off. */
static void count_up(void *arg)
{
	for (u32 i = 0; i < ROUNDS; i++) {
		u64 flags = spin_lock_irqsave(&lock);

		shared++;
		spin_unlock_irqrestore(&lock, flags);
	}
}

KTEST(base, spinlock_excludes)
{
	shared = 0;
	smp_call(cpu_online_mask, count_up, NULL);
	KT_ASSERT(shared == (u64)ROUNDS * bit_count(cpu_online_mask));
	KT_ASSERT(!spin_is_locked(&lock));
}

KTEST(base, trylock)
{
	static struct spinlock l = SPINLOCK_INIT(RANK_SPIN_OUTER);
	bool first, second;

	first = spin_trylock(&l);
	second = spin_trylock(&l);
	if (first)
		spin_unlock(&l);
	KT_ASSERT(first && !second);
	KT_ASSERT(spin_trylock(&l));
	spin_unlock(&l);
}

static void write_cell(void *arg)
{
	this_cpu(ktest_cell) = 100 + cpu_id();
}

KTEST(base, percpu_copies_are_apart)
{
	smp_call(cpu_online_mask, write_cell, NULL);
	for (u32 cpu = 0; cpu < cpu_count; cpu++)
		if (cpu_online_mask & BIT(cpu))
			KT_ASSERT(per_cpu(ktest_cell, cpu) == 100 + cpu);
}

/* The clock never goes back, whichever CPU reads it. */
static void clock_step(void *arg)
{
	s64 *last = arg, now;
	u64 flags = spin_lock_irqsave(&lock);

	now = time_now();
	if (now < *last)
		shared++;
	*last = now;
	spin_unlock_irqrestore(&lock, flags);
}

KTEST(base, clock_is_monotonic)
{
	s64 last = 0;

	shared = 0;
	for (u32 i = 0; i < 50; i++)
		smp_call(cpu_online_mask, clock_step, &last);
	KT_ASSERT(shared == 0);
	KT_ASSERT(time_to_counter(time_now()) <= time_counter() + 1);
	KT_ASSERT(time_to_counter(TIME_NEVER) > time_counter());
}

static struct {
	struct timeout t;
	u32 order; /* a */
} timers[8];
static u32 fired; /* a */

/* All run on one CPU, one after the other: the order is written before the count is seen. */
static void timer_fired(struct timeout *t)
{
	for (u32 i = 0; i < ARRAY_SIZE(timers); i++)
		if (&timers[i].t == t)
			timers[i].order = fired + 1;
	__atomic_add_fetch(&fired, 1, __ATOMIC_ACQ_REL);
}

KTEST(base, timeouts_fire_in_order)
{
	s64 now;
	u64 flags;

	fired = 0;
	/*
	 * One CPU's tree, else the order is not promised; no interrupt until all are armed, however
	 * long a loaded host keeps this CPU from running.
	 */
	flags = irq_save();
	now = time_now();
	for (u32 i = 0; i < ARRAY_SIZE(timers); i++) {
		timeout_init(&timers[i].t, timer_fired);
		timeout_set(&timers[i].t, now + (s64)(ARRAY_SIZE(timers) - i) * NSEC_PER_MSEC);
	}
	irq_restore(flags);
	KT_ASSERT(wait_for(&fired, ARRAY_SIZE(timers)));
	KT_ASSERT(time_now() - now >= (s64)ARRAY_SIZE(timers) * NSEC_PER_MSEC);
	for (u32 i = 0; i < ARRAY_SIZE(timers); i++)
		KT_ASSERT(timers[i].order == ARRAY_SIZE(timers) - i);
}

KTEST(base, timeout_cancelled)
{
	fired = 0;
	timeout_init(&timers[0].t, timer_fired);
	KT_ASSERT(!timeout_cancel(&timers[0].t));
	timeout_set(&timers[0].t, time_now() + 1000 * NSEC_PER_SEC);
	timeout_set(&timers[0].t, time_now() + 2000 * NSEC_PER_SEC); /* again, while armed */
	KT_ASSERT(timeout_cancel_sync(&timers[0].t));
	KT_ASSERT(!timeout_cancel_sync(&timers[0].t));
	KT_ASSERT(fired == 0);
	timeout_set(&timers[0].t, time_now() - 1); /* past deadlines fire at once */
	KT_ASSERT(wait_for(&fired, 1));
}

static void arm_far(void *arg)
{
	timeout_set(&timers[0].t, time_now() + 2000 * NSEC_PER_SEC);
}

/* Armed on every CPU in turn, moved here, cancelled from here. */
KTEST(base, timeout_moves_between_cpus)
{
	fired = 0;
	timeout_init(&timers[0].t, timer_fired);
	for (u32 cpu = 0; cpu < cpu_count; cpu++) {
		if (!(cpu_online_mask & BIT(cpu)))
			continue;
		smp_call(BIT(cpu), arm_far, NULL);
		KT_ASSERT(timers[0].t.armed && timers[0].t.cpu == cpu);
		timeout_set(&timers[0].t, time_now() + 1000 * NSEC_PER_SEC);
		smp_call(BIT(cpu), arm_far, NULL);
		KT_ASSERT(timeout_cancel_sync(&timers[0].t));
	}
	KT_ASSERT(fired == 0);
}

KTEST(base, log_reads_back)
{
	char text[64], want[64];
	struct log_record rec;
	u64 seq = log_next_seq();
	ssize_t n;

	log_debug("ktest record %d", 7);
	snprintf(want, sizeof(want), "ktest record %d", 7);
	do {
		n = log_read(&seq, &rec, text, sizeof(text) - 1);
		KT_ASSERT(n >= 0);
		text[n] = '\0';
		seq++;
	} while (strcmp(text, want) != 0);
	KT_ASSERT(rec.level == LOG_DEBUG && rec.facility == 0 && rec.stamp > 0 &&
		  rec.seq == seq - 1);
}

/* Far more than the ring holds: old records go, the rest stays whole and in sequence. */
KTEST(base, log_ring_wraps)
{
	static char text[512];
	struct log_record rec;
	u64 seq = 0, before = ~0ULL;
	u32 count = 0;
	ssize_t n;

	for (u32 i = 0; i < 2000; i++)
		log_debug("wrap %.*s|", (int)(i % 97),
			  "0123456789012345678901234567890123456789012345678901234"
			  "567890123456789012345678901234567890123456789");
	while ((n = log_read(&seq, &rec, text, sizeof(text))) >= 0) {
		KT_ASSERT(before == ~0ULL || seq == before + 1);
		before = seq++;
		count++;
	}
	KT_ASSERT(n == -EAGAIN && log_first_seq() > 0);
	KT_ASSERT(count > 500 && count < 2000);
	seq = 0; /* a reader far behind is moved up */
	KT_ASSERT(log_read(&seq, &rec, text, sizeof(text)) >= 0 && seq == log_first_seq());
}

KTEST(base, rate_limit)
{
	struct log_rate r = { 0, 0, 0 };
	u32 passed = 0;

	for (u32 i = 0; i < 20; i++)
		passed += log_rate_ok(&r, 5, 1000 * NSEC_PER_SEC);
	KT_ASSERT(passed == 5 && r.missed == 15);
}

KTEST(base, symbols)
{
	struct symbol sym;
	const char *name = symbol_lookup((vaddr_t)symbol_lookup, &sym);

	KT_ASSERT(name && strcmp(name, "symbol_lookup") == 0 && sym.off == 0);
	name = symbol_lookup((vaddr_t)symbol_lookup + 4, &sym);
	KT_ASSERT(name && strcmp(name, "symbol_lookup") == 0 && sym.off == 4);
	KT_ASSERT(!symbol_lookup(0x1000, &sym) && !symbol_lookup(~0ULL, &sym));
	KT_ASSERT(symbol_address(0, &sym) != 0 && symbol_address(~0u, &sym) == 0);
}

/* Not a test of randomness: that it is not stuck, repeats nothing, and fills every length. */
KTEST(base, random)
{
	u8 buf[200] = { 0 };
	u64 a = rand_u64(), b = rand_u64(), ones = 0;

	KT_ASSERT(a != b && a && b);
	rand_bytes(buf, sizeof(buf));
	for (u32 i = 0; i < sizeof(buf); i++)
		ones += bit_count(buf[i]);
	KT_ASSERT(ones > 600 && ones < 1000);
	memset(buf, 0, sizeof(buf));
	rand_bytes(buf, 65);
	KT_ASSERT(buf[65] == 0 && memcmp(buf, buf + 32, 32) != 0);
}

KTEST(base, user_addresses_are_checked)
{
	u64 v = 0;

	KT_ASSERT(copy_from_user(&v, USER_TOP, 8) == -EFAULT);
	KT_ASSERT(copy_from_user(&v, USER_TOP - 4, 8) == -EFAULT);
	KT_ASSERT(copy_from_user(&v, (u64)&v, 8) == -EFAULT);
	KT_ASSERT(copy_to_user(~0ULL - 3, &v, 8) == -EFAULT);
	KT_ASSERT(clear_user(LINEAR_BASE, 8) == -EFAULT);
	KT_ASSERT(strncpy_from_user((char *)&v, LINEAR_BASE, 8) == -EFAULT);
}

KTEST(base, uio_cursor)
{
	char a[8] = "abcdefg", b[8] = { 0 };
	struct uio u;

	uio_init_kernel(&u, a, 7);
	KT_ASSERT(uio_copy_from(&u, b, 3) == 3 && memcmp(b, "abc", 3) == 0 && u.left == 4);
	uio_revert(&u, 2);
	KT_ASSERT(uio_copy_from(&u, b, 9) == 6 && memcmp(b, "bcdefg", 6) == 0 && u.left == 0);
	KT_ASSERT(uio_copy_from(&u, b, 1) == 0);
	uio_init_kernel(&u, a, 7);
	uio_advance(&u, 1);
	KT_ASSERT(uio_zero(&u, 2) == 2 && uio_copy_to(&u, "XY", 2) == 2);
	KT_ASSERT(memcmp(a, "a\0\0XYfg", 7) == 0);
}

static u32 got_irqs; /* a */

static void count_irq(u32 irq, void *arg)
{
	__atomic_fetch_add(&got_irqs, 1, __ATOMIC_RELAXED);
}

KTEST(base, irq_registration)
{
	KT_ASSERT(irq_register(5000, count_irq, NULL, "none", 0) == -EINVAL);
	KT_ASSERT(irq_register(900, count_irq, &got_irqs, "ktest", 0) == 0);
	KT_ASSERT(irq_register(900, count_irq, NULL, "ktest", 0) == -EBUSY);
	irq_unregister(900, &got_irqs);
	KT_ASSERT(irq_register(900, count_irq, &got_irqs, "ktest", IRQ_SHARED) == 0);
	KT_ASSERT(irq_register(900, count_irq, &fired, "ktest", IRQ_SHARED) == 0);
	irq_unregister(900, &got_irqs);
	irq_unregister(900, &fired);
	KT_ASSERT(got_irqs == 0);
}

KTEST(base, message_interrupts_come_back)
{
	struct irq_msg msg[4];
	u32 irqs[4], again[4];
	int err = irq_msi_alloc(0x1f8, 4, irqs, msg);

	if (err == -ENODEV)
		return; /* a machine without them */
	KT_ASSERT(err == 0);
	for (u32 i = 0; i < 4; i++)
		KT_ASSERT(msg[i].addr && (i == 0 || irqs[i] != irqs[i - 1]));
	irq_msi_free(0x1f8, 4, irqs);
	KT_ASSERT(irq_msi_alloc(0x1f8, 4, again, msg) == 0);
	KT_ASSERT(again[0] == irqs[0]);
	irq_msi_free(0x1f8, 4, again);
}
