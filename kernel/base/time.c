/*
 * Clocks.
 *
 * "now" is the virtual counter since boot, scaled by a 32.32 fixed-point factor: exact for QEMU's
 * 62.5 MHz, and within a few parts in 10^10 for any other frequency. Every CPU sees the same
 * counter, so there is nothing to keep in step. adjtimex(2) can make it run faster or slower: then
 * factor and base change, so that the clock goes on from what it shows. What does not follow is the
 * raw clock. Wall time is now plus an offset; the RTC and settimeofday set it. Whoever waits for a
 * wall time, or wants to know that it was set, is told then: timeouts by the wall clock
 * (timeout.c), and the list of watchers.
 *
 * The numbers live in the page that the vDSO reads (vdso_data.h); the kernel reads them there too.
 * Only time_set_wall() and time_set_rate() write after boot, under the page's odd/even sequence.
 */
#include <arch/counter.h>
#include <arch/cpu.h>
#include <arch/memlayout.h>
#include "kernel/base/errno.h"
#include "kernel/base/spinlock.h"
#include "kernel/base/time.h"
#include "kernel/base/vdso_data.h"

/* s guarded by wall_lock (TIMEOUT) and .seq */
static union {
	struct vdso_data d; /* raw_base, raw_mult: I; the rest: s */
	u8 page[PAGE_SIZE];
} vdso __aligned(PAGE_SIZE);

static struct spinlock wall_lock = SPINLOCK_INIT(RANK_TIMEOUT);
static s32 tai_offset; /* a: seconds */
static struct spinlock watch_lock = SPINLOCK_INIT(RANK_CLOCK);
static struct list watchers = LIST_INIT(watchers); /* watch_lock */
static u64 ticks_per_ns; /* s: 0.64 fixed point */

/*
 * How many ticks a nanosecond has, at @mult nanoseconds per tick: 2^96 / @mult, by long division.
 */
static u64 ticks_of_mult(u64 mult)
{
	u64 q = ~0ULL / mult, rest = ~0ULL % mult + 1;

	if (mult <= 1ULL << 32)
		return ~0ULL;
	for (u32 i = 0; i < 2; i++) {
		q = (q << 16) + (rest << 16) / mult;
		rest = (rest << 16) % mult;
	}
	return q;
}

/* Start the clocks. ctx: boot, before everything else. */
void time_init(void)
{
	u32 hz = arch_counter_hz();

	vdso.d.counter_hz = hz;
	vdso.d.raw_mult = vdso.d.mult = ((u64)NSEC_PER_SEC << 32) / hz;
	vdso.d.raw_base = vdso.d.base = arch_counter();
	ticks_per_ns = ticks_of_mult(vdso.d.mult);
}

/* The numbers change between these two. holds: wall_lock */
static void change_begin(void)
{
	__atomic_store_n(&vdso.d.seq, vdso.d.seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void change_end(void)
{
	store_release(&vdso.d.seq, vdso.d.seq + 1);
}

/* Readers begin again until nothing has changed meanwhile. */
static __always_inline u32 read_begin(void)
{
	u32 seq;

	while (unlikely((seq = load_acquire(&vdso.d.seq)) & 1))
		cpu_relax();
	return seq;
}

static __always_inline bool read_again(u32 seq)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return unlikely(READ_ONCE(vdso.d.seq) != seq);
}

/* @ticks as nanoseconds (of a difference). ctx: any. */
s64 time_from_counter(u64 ticks)
{
	return (s64)((__uint128_t)ticks * READ_ONCE(vdso.d.mult) >> 32);
}

static u64 scaled(u64 ticks, u64 mult)
{
	return (u64)((__uint128_t)ticks * mult >> 32);
}

/* Nanoseconds since boot. ctx: any. */
s64 time_now(void)
{
	u64 now;
	u32 seq;

	do {
		seq = read_begin();
		now = vdso.d.base_ns + scaled(arch_counter() - vdso.d.base, vdso.d.mult);
	} while (read_again(seq));
	return (s64)now;
}

/* See time.h. */
s64 time_raw(void)
{
	return (s64)scaled(arch_counter() - vdso.d.raw_base, vdso.d.raw_mult);
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
	u64 base, base_ns, ratio, ticks;
	u32 seq;

	do {
		seq = read_begin();
		base = vdso.d.base;
		base_ns = vdso.d.base_ns;
		ratio = ticks_per_ns;
	} while (read_again(seq));
	if (ns < 0 || (u64)ns < base_ns)
		return base;
	ticks = (u64)((__uint128_t)((u64)ns - base_ns) * ratio >> 64) + 1;
	return ticks > ~0ULL - base ? ~0ULL : ticks + base;
}

/* See time.h. */
void time_set_rate(s64 rate)
{
	u64 flags, counter, mult;
	bool change;

	mult = vdso.d.raw_mult + (u64)((__int128_t)vdso.d.raw_mult * rate >> 32);
	flags = spin_lock_irqsave(&wall_lock);
	change = mult != vdso.d.mult;
	if (change) {
		change_begin();
		counter = arch_counter();
		vdso.d.base_ns += scaled(counter - vdso.d.base, vdso.d.mult);
		vdso.d.base = counter;
		vdso.d.mult = mult;
		ticks_per_ns = ticks_of_mult(mult);
		change_end();
	}
	spin_unlock_irqrestore(&wall_lock, flags);
	if (change)
		timeout_wall_was_set();
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
	s64 offset;

	if (wall_ns < time_now())
		return -EINVAL;
	flags = spin_lock_irqsave(&wall_lock);
	offset = wall_ns - time_now();
	change_begin();
	WRITE_ONCE(vdso.d.wall_offset, offset);
	change_end();
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

/* See time.h. */
void time_set_zone(s32 minutes_west, s32 dst)
{
	WRITE_ONCE(vdso.d.tz_minuteswest, (u32)minutes_west);
	WRITE_ONCE(vdso.d.tz_dsttime, (u32)dst);
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
