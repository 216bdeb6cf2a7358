/*
 * Clocks.
 *
 * "now" is the virtual counter since boot, scaled by a 32.32 fixed-point factor: exact for QEMU's
 * 62.5 MHz, and within a few parts in 10^10 for any other frequency. Every CPU sees the same
 * counter, so there is nothing to keep in step. Wall time is now plus an offset; the RTC and
 * settimeofday set it. Whoever waits for a wall time, or wants to know that it was set, is told
 * then: timeouts by the wall clock (timeout.c), and the list of watchers.
 *
 * The three numbers live in the page that the vDSO reads (vdso_data.h); the kernel reads them there
 * too. Only time_set_wall() writes after boot, under the page's odd/even sequence.
 */
#include <arch/counter.h>
#include <arch/memlayout.h>
#include "kernel/base/errno.h"
#include "kernel/base/spinlock.h"
#include "kernel/base/time.h"
#include "kernel/base/vdso_data.h"

/* s guarded by wall_lock (TIMEOUT) and .seq */
static union {
	struct vdso_data d; /* base, mult: I; seq, wall_offset: s */
	u8 page[PAGE_SIZE];
} vdso __aligned(PAGE_SIZE);

static struct spinlock wall_lock = SPINLOCK_INIT(RANK_TIMEOUT);
static s32 tai_offset; /* a: seconds */
static struct spinlock watch_lock = SPINLOCK_INIT(RANK_CLOCK);
static struct list watchers = LIST_INIT(watchers); /* watch_lock */
static u64 ticks_per_ns; /* I: 0.64 fixed point */

/*
 * @a / @b as a 64-bit binary fraction, by two steps of long division; one and more becomes the
 * largest.
 */
static u64 fraction_64(u64 a, u64 b)
{
	u64 high = (a << 32) / b;
	u64 rest = (a << 32) % b;

	return a >= b ? ~0ULL : high << 32 | (rest << 32) / b;
}

/* Start the clocks. ctx: boot, before everything else. */
void time_init(void)
{
	u32 hz = arch_counter_hz();

	vdso.d.counter_hz = hz;
	vdso.d.mult = ((u64)NSEC_PER_SEC << 32) / hz;
	vdso.d.base = arch_counter();
	ticks_per_ns = fraction_64(hz, NSEC_PER_SEC);
}

/* @ticks as nanoseconds (of a difference). ctx: any. */
s64 time_from_counter(u64 ticks)
{
	return (s64)((__uint128_t)ticks * vdso.d.mult >> 32);
}

/* Nanoseconds since boot. ctx: any. */
s64 time_now(void)
{
	return time_from_counter(arch_counter() - vdso.d.base);
}

/* Raw counter. ctx: any. */
u64 time_counter(void)
{
	return arch_counter();
}

/* Ticks per second of the counter. ctx: any. */
u32 time_counter_hz(void)
{
	return vdso.d.counter_hz;
}

/* Counter value at which now is @ns; the largest for times beyond the counter. ctx: any. */
u64 time_to_counter(s64 ns)
{
	u64 ticks = (u64)((__uint128_t)(ns < 0 ? 0 : ns) * ticks_per_ns >> 64) + 1;

	return ticks > ~0ULL - vdso.d.base ? ~0ULL : ticks + vdso.d.base;
}

/* Wall time in nanoseconds since 1970. ctx: any. */
s64 time_wall(void)
{
	return time_now() + READ_ONCE(vdso.d.wall_offset);
}

/* See time.h. */
s64 time_wall_offset(void)
{
	return READ_ONCE(vdso.d.wall_offset);
}

static void tell_watchers(void)
{
	struct wall_watch *w;

	spin_lock(&watch_lock);
	list_for_each(w, &watchers, link)
		w->fn(w);
	spin_unlock(&watch_lock);
}

/* Make wall time @wall_ns now. ctx: thread, IRQs on; no lock held. 0 or -EINVAL. */
int time_set_wall(s64 wall_ns)
{
	u64 flags;

	if (wall_ns < time_now())
		return -EINVAL;
	flags = spin_lock_irqsave(&wall_lock);
	__atomic_store_n(&vdso.d.seq, vdso.d.seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	WRITE_ONCE(vdso.d.wall_offset, wall_ns - time_now());
	store_release(&vdso.d.seq, vdso.d.seq + 1);
	spin_unlock_irqrestore(&wall_lock, flags);
	timeout_wall_was_set();
	tell_watchers();
	return 0;
}

/* ctx: any. */
void wall_watch_init(struct wall_watch *w, void (*fn)(struct wall_watch *w))
{
	list_init(&w->link);
	w->fn = fn;
}

/* Be told from now on. ctx: thread. */
void wall_watch_add(struct wall_watch *w)
{
	spin_lock(&watch_lock);
	if (list_empty(&w->link))
		list_add_tail(&watchers, &w->link);
	spin_unlock(&watch_lock);
}

/* No more; the function has ended when this returns. ctx: thread. */
void wall_watch_remove(struct wall_watch *w)
{
	spin_lock(&watch_lock);
	list_del(&w->link);
	spin_unlock(&watch_lock);
}

/* See time.h. ctx: any. */
s32 time_tai_offset(void)
{
	return READ_ONCE(tai_offset);
}

/* See time.h. ctx: any. */
void time_set_tai_offset(s32 seconds)
{
	WRITE_ONCE(tai_offset, seconds);
}

/* Frame of the page that the vDSO reads. ctx: any. */
paddr_t time_vdso_page(void)
{
	return kimage_to_pa(&vdso);
}
