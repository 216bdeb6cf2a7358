/*
 * Clocks.
 *
 * "now" is the virtual counter since boot, scaled by a 32.32 fixed-point factor: exact for QEMU's
 * 62.5 MHz, and within a few parts in 10^10 for any other frequency. Every CPU sees the same
 * counter, so there is nothing to keep in step. Wall time is now plus an offset; the RTC and
 * settimeofday set it.
 *
 * The three numbers live in the page that the vDSO reads (vdso_data.h); the kernel reads them there
 * too. Only time_set_wall() writes after boot, under the page's odd/even sequence.
 */
#include <arch/counter.h>
#include <arch/memlayout.h>
#include "kernel/base/spinlock.h"
#include "kernel/base/time.h"
#include "kernel/base/vdso_data.h"

/* s guarded by wall_lock (TIMEOUT) and .seq */
static union {
	struct vdso_data d; /* base, mult: I; seq, wall_offset: s */
	u8 page[PAGE_SIZE];
} vdso __aligned(PAGE_SIZE);

static struct spinlock wall_lock = SPINLOCK_INIT(RANK_TIMEOUT);
static u32 wall_generation; /* a */
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

/* Make wall time @wall_ns now. ctx: any. */
void time_set_wall(s64 wall_ns)
{
	u64 flags = spin_lock_irqsave(&wall_lock);

	__atomic_store_n(&vdso.d.seq, vdso.d.seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	WRITE_ONCE(vdso.d.wall_offset, wall_ns - time_now());
	store_release(&vdso.d.seq, vdso.d.seq + 1);
	__atomic_fetch_add(&wall_generation, 1, __ATOMIC_RELEASE);
	spin_unlock_irqrestore(&wall_lock, flags);
}

/* Changes whenever wall time is set. ctx: any. */
u32 time_wall_generation(void)
{
	return __atomic_load_n(&wall_generation, __ATOMIC_ACQUIRE);
}

/* Frame of the page that the vDSO reads. ctx: any. */
paddr_t time_vdso_page(void)
{
	return kimage_to_pa(&vdso);
}
