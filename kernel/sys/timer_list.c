/*
 * /proc/timer_list: the armed timers of each CPU, by the two clocks that they are kept by, and what
 * the CPU's timer hardware waits for.
 *
 * Timers come and go meanwhile, and nobody is kept waiting for the text: they are copied a few at a
 * time. Addresses of the kernel's are for nobody: they are shown as 0.
 */
#include <arch/cpu.h>
#include "fs/procfs.h"
#include "kernel/base/panic.h"
#include "kernel/base/time.h"
#include "kernel/base/timeout.h"

#define CHUNK 16

static void put_function(struct sbuf *out, void (*fn)(struct timeout *t))
{
	struct symbol s;
	const char *name = symbol_lookup((vaddr_t)fn, &s);

	sbuf_puts(out, name ? name : "?");
}

static void show_clock(struct sbuf *out, u32 cpu, bool wall, s64 now)
{
	s64 offset = wall ? time_wall_offset() : 0, from = 0;
	struct timeout_info t[CHUNK];
	u32 n, number = 0, equal = 0;

	sbuf_printf(out, " clock %d:\n  .base:       %016x\n  .index:      %d\n", wall, 0, wall);
	sbuf_printf(out, "  .resolution: 1 nsecs\n  .get_time:   %s\n  .offset:     %lld nsecs\n",
		    wall ? "ktime_get_real" : "ktime_get", (long long)offset);
	sbuf_puts(out, "active timers:\n");
	while ((n = timeout_list(cpu, wall, from, equal, t, CHUNK))) {
		for (u32 i = 0; i < n; i++) {
			long long at = t[i].deadline, in = at - offset - now;

			equal = at == from ? equal + 1 : 1;
			from = at;
			sbuf_printf(out, " #%u: <%016x>, ", number++, 0);
			put_function(out, t[i].fn);
			sbuf_printf(
				out,
				", S:01\n # expires at %lld-%lld nsecs [in %lld to %lld nsecs]\n",
				at, at, in, in);
		}
	}
}

static int timer_list_show(struct sbuf *out, void *arg)
{
	s64 now = time_now();

	(void)arg;
	sbuf_puts(out, "Timer List Version: v0.9\nHRTIMER_MAX_CLOCK_BASES: 2\n");
	sbuf_printf(out, "now at %lld nsecs\n\n", (long long)now);
	for (u32 cpu = 0; cpu < cpu_count; cpu++) {
		sbuf_printf(out, "cpu: %u\n", cpu);
		show_clock(out, cpu, false, now);
		show_clock(out, cpu, true, now);
		sbuf_printf(out, "  .expires_next   : %lld nsecs\n  .hres_active    : 1\n\n",
			    (long long)timeout_programmed(cpu));
	}
	for (u32 cpu = 0; cpu < cpu_count; cpu++)
		sbuf_printf(out,
			    "\nTick Device: mode:     1\nPer CPU device: %u\n"
			    "Clock Event Device: arch_sys_timer\n next_event:     %lld nsecs\n",
			    cpu, (long long)timeout_programmed(cpu));
	return 0;
}

PROC_FILE(timer_list, "timer_list", 0400, .show = timer_list_show);
