#pragma once
/* Interrupt timing as a source of random bits: cheap enough for every interrupt. */
#include "kernel/base/percpu.h"

struct rand_timing {
	u64 mix; /* o: counter values of interrupts, rotated and added up */
	u64 count; /* o */
	u64 used; /* RAND: count when it was last mixed in */
};
PERCPU_DECLARE(struct rand_timing, rand_timing);

/* ctx: IRQ. */
static inline void rand_add_interrupt(u64 counter)
{
	struct rand_timing *t = this_cpu_ptr(rand_timing);

	t->mix = (t->mix << 7 | t->mix >> 57) + counter;
	t->count++;
}
