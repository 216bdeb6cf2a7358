/*
 * /proc/stats: what this kernel counts of itself, one "name value..." per line.
 *
 * Each CPU counts for itself, without locks or atomic operations: system calls by number, their
 * errors, exceptions of user programs by kind. A reader adds the CPUs up. Errors are pairs of call
 * and errno in a small open hash table per CPU; what finds no place in it is counted together.
 * Calls that are not implemented are kept by number and caller's name under a lock, which also says
 * when one is new and worth a line in the log.
 *
 * The rest is asked of those who have it: context switches of the scheduler, interrupts, frames and
 * caches of the allocator, waits of the locks. Lines with nothing to say are left out.
 */
#include <arch/cpu.h>
#include "fs/procfs.h"
#include "kernel/base/irq.h"
#include "kernel/base/lockstat.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/stats.h"
#include "mm/pmm.h"
#include "mm/slab.h"

#define ABSENT_MAX 64
#define PROBES 8

typedef unsigned long long ull;

PERCPU(struct sys_stats, sys_stats);

/* Who asked for what is not there; s guarded by absent_lock */
static struct {
	s64 nr; /* s */
	char comm[16]; /* s: "" = free */
	u64 count; /* s */
} absent[ABSENT_MAX];
static u64 absent_others; /* absent_lock */
static struct spinlock absent_lock = SPINLOCK_INIT(RANK_EVENT);

/*
 * Call @nr came back with the error @r. ctx: thread; sleeps: no.
 */
void stats_count_error(u64 nr, long r)
{
	u32 what = (u32)nr << 16 | (u32)-r;
	struct sys_stats *s;
	u32 at = what * 2654435761u >> 16;

	/* Internal ones: the call is going to be restarted. */
	if (r <= -ERESTARTSYS)
		return;
	preempt_disable();
	s = this_cpu_ptr(sys_stats);
	for (u32 i = 0; i < PROBES; i++, at++) {
		u32 *there = &s->error[at % STATS_ERRORS].what;

		if (!*there)
			WRITE_ONCE(*there, what);
		if (*there == what) {
			s->error[at % STATS_ERRORS].count++;
			preempt_enable();
			return;
		}
	}
	s->other_errors++;
	preempt_enable();
}

/*
 * A program called @comm asked for call @nr, which is not there. ctx: thread. True: nobody of that
 * name has before.
 */
bool stats_count_absent(s64 nr, const char comm[16])
{
	bool fresh = false;
	u32 i;

	if (!comm[0])
		comm = "?";
	spin_lock(&absent_lock);
	for (i = 0; i < ABSENT_MAX && absent[i].comm[0]; i++) {
		if (absent[i].nr == nr && strcmp(absent[i].comm, comm) == 0)
			break;
	}
	if (i == ABSENT_MAX) {
		absent_others++;
	} else {
		fresh = !absent[i].comm[0];
		absent[i].nr = nr;
		strlcpy(absent[i].comm, comm, sizeof(absent[i].comm));
		absent[i].count++;
	}
	spin_unlock(&absent_lock);
	return fresh;
}

static u64 sum(const u64 *template)
{
	u64 n = 0;

	for (u32 cpu = 0; cpu < cpu_count; cpu++) {
		if (READ_ONCE(cpu_online_mask) >> cpu & 1)
			n += READ_ONCE(*percpu_ptr_off(*template, percpu_offset[cpu]));
	}
	return n;
}

static u64 sum_error(u32 what)
{
	u64 n = 0;

	for (u32 cpu = 0; cpu < cpu_count; cpu++) {
		const struct sys_stats *s = &per_cpu(sys_stats, cpu);

		if (!(READ_ONCE(cpu_online_mask) >> cpu & 1))
			continue;
		for (u32 i = 0; i < STATS_ERRORS; i++) {
			if (READ_ONCE(s->error[i].what) == what)
				n += READ_ONCE(s->error[i].count);
		}
	}
	return n;
}

/* Errors of one call, by number: each pair is told once, whichever CPUs have it. */
static void show_errors(struct sbuf *out, u32 nr, const char *name)
{
	for (u32 e = 1; e < ERESTARTSYS; e++) {
		u64 n = 0;

		/* Most are nowhere: the hash says where to look. */
		for (u32 cpu = 0; cpu < cpu_count && !n; cpu++) {
			const struct sys_stats *s = &per_cpu(sys_stats, cpu);
			u32 what = nr << 16 | e, at = what * 2654435761u >> 16;

			if (!(READ_ONCE(cpu_online_mask) >> cpu & 1))
				continue;
			for (u32 i = 0; i < PROBES && !n; i++, at++) {
				if (READ_ONCE(s->error[at % STATS_ERRORS].what) == what)
					n = sum_error(what);
			}
		}
		if (n)
			sbuf_printf(out, "error %s %u %llu\n", name, e, (ull)n);
	}
}

static void show_calls(struct sbuf *out)
{
	for (u32 nr = 0; nr < SYSCALL_MAX; nr++) {
		u64 n = sum(&sys_stats.calls[nr]);
		const char *name = syscall_name(nr);

		if (!n || !name)
			continue;
		sbuf_printf(out, "call %s %llu\n", name, (ull)n);
		show_errors(out, nr, name);
	}
	sbuf_printf(out, "error other 0 %llu\n", (ull)sum(&sys_stats.other_errors));
}

static void show_absent(struct sbuf *out)
{
	spin_lock(&absent_lock);
	for (u32 i = 0; i < ABSENT_MAX && absent[i].comm[0]; i++) {
		sbuf_printf(out, "absent %lld ", (long long)absent[i].nr);
		sbuf_puts_escaped(out, absent[i].comm, " \n");
		sbuf_printf(out, " %llu\n", (ull)absent[i].count);
	}
	if (absent_others)
		sbuf_printf(out, "absent other - %llu\n", (ull)absent_others);
	spin_unlock(&absent_lock);
}

static void show_faults(struct sbuf *out)
{
	static const char *const names[STATS_FAULT_KINDS] = {
		[FAULT_TRANSLATION] = "translation",
		[FAULT_PERMISSION] = "permission",
		[FAULT_ALIGNMENT] = "alignment",
		[FAULT_BUS] = "bus",
		[FAULT_UNDEF] = "undefined",
		[FAULT_BREAKPOINT] = "breakpoint",
		[FAULT_STEP] = "step",
		[FAULT_WATCHPOINT] = "watchpoint",
		[FAULT_HW_BREAKPOINT] = "hardware",
		[FAULT_PC_ALIGN] = "pc-alignment",
		[FAULT_SP_ALIGN] = "sp-alignment",
		[FAULT_FPE] = "floating-point",
	};

	for (u32 i = 0; i < STATS_FAULT_KINDS; i++)
		sbuf_printf(out, "fault %s %llu\n", names[i], (ull)sum(&sys_stats.faults[i]));
}

static void show_cpus(struct sbuf *out)
{
	struct irq_info irq;

	for (u32 cpu = 0; cpu < cpu_count; cpu++) {
		struct sched_cpu_stats s;

		if (!(READ_ONCE(cpu_online_mask) >> cpu & 1))
			continue;
		sched_get_cpu_stats(cpu, &s);
		sbuf_printf(out, "switches %u %llu\n", cpu, (ull)s.switches);
	}
	sbuf_printf(out, "threads %llu\n", (ull)sched_total_forks());
	for (u32 n = 0; irq_get_info(n, &irq); n++) {
		u64 count = 0;

		for (u32 cpu = 0; cpu < cpu_count; cpu++)
			count += irq_count(irq.irq, cpu);
		sbuf_printf(out, "irq %u %llu\n", irq.irq, (ull)count);
	}
}

static void show_memory(struct sbuf *out)
{
	struct pmm_stats mem;
	struct slab_info i;

	pmm_get_stats(&mem);
	sbuf_printf(out, "frames total %llu\nframes free %llu\nframes reserved %llu\n",
		    (ull)mem.total, (ull)mem.free, (ull)mem.reserved);
	for (u32 n = 0; slab_get_info(n, &i); n++)
		sbuf_printf(out, "cache %s %llu %llu %llu\n", i.name, (ull)i.active, (ull)i.objects,
			    (ull)i.frames);
}

static int stats_show(struct sbuf *out, void *arg)
{
	show_cpus(out);
	show_calls(out);
	show_absent(out);
	show_faults(out);
	show_memory(out);
	lockstat_show(out);
	return 0;
}
PROC_FILE(stats, "stats", 0444, .show = stats_show);
