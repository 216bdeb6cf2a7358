/*
 * /proc/loadavg: the averages of the scheduler, how many threads run of how many there are, and the
 * newest process number.
 *
 * It stands here and not with the other system-wide files in fs, because fs knows nothing of
 * processes. The averages are fixed-point numbers with 11 bits of fraction, shown rounded to
 * hundredths. man: proc(5).
 */
#include <arch/cpu.h>
#include "fs/procfs.h"
#include "kernel/proc/proc.h"
#include "kernel/sched/sched.h"

#define LOAD_SHIFT 11 /* bits of fraction */

static u32 load_hundredths(u32 v)
{
	return ((v & ((1u << LOAD_SHIFT) - 1)) * 100) >> LOAD_SHIFT;
}

static int loadavg_show(struct sbuf *out, void *arg)
{
	u32 avg[3], running = 0;

	sched_get_loadavg(avg);
	for (u32 cpu = 0; cpu < cpu_count; cpu++) {
		struct sched_cpu_stats s;

		if (!(READ_ONCE(cpu_online_mask) >> cpu & 1))
			continue;
		sched_get_cpu_stats(cpu, &s);
		running += s.running;
	}
	for (u32 i = 0; i < 3; i++) {
		u32 v = avg[i] + (1u << LOAD_SHIFT) / 200;

		sbuf_printf(out, "%u.%02u ", v >> LOAD_SHIFT, load_hundredths(v));
	}
	sbuf_printf(out, "%u/%u %u\n", running ? running : 1, thread_count(), pid_last());
	return 0;
}
PROC_FILE(loadavg, "loadavg", 0444, .show = loadavg_show);
