/*
 * /proc files about CPUs, time and interrupts: cpuinfo, stat, uptime, interrupts, softirqs.
 *
 * Times are in ticks of 1/100 s (USER_HZ), whatever the kernel's own timers do. There are no
 * software interrupts in Linnet: their table is there for its readers, with zeroes. man: proc(5);
 * for cpuinfo Linux's arm64 format.
 */
#include <asm/hwcap.h>
#include <arch/cpu.h>
#include "fs/procfs.h"
#include "kernel/base/irq.h"
#include "kernel/base/time.h"
#include "kernel/sched/sched.h"

typedef unsigned long long ull;

#define NSEC_PER_TICK 10000000ull

static const char *const hwcap_names[] = {
	"fp",	   "asimd", "evtstrm", "aes",	"pmull",    "sha1",   "sha2", "crc32",
	"atomics", "fphp",  "asimdhp", "cpuid", "asimdrdm", "jscvt",  "fcma", "lrcpc",
	"dcpop",   "sha3",  "sm3",     "sm4",	"asimddp",  "sha512", "sve",  "asimdfhm",
	"dit",	   "uscat", "ilrcpc",  "flagm", "ssbs",	    "sb",     "paca", "pacg",
};

static const char *const hwcap2_names[] = {
	"dcpodp",    "sve2",	  "sveaes",  "svepmull",  "svebitperm", "svesha3",  "svesm4",
	"flagm2",    "frint",	  "svei8mm", "svef32mm",  "svef64mm",	"svebf16",  "i8mm",
	"bf16",	     "dgh",	  "rng",     "bti",	  "mte",	"ecv",	    "afp",
	"rpres",     "mte3",	  "sme",     "smei16i64", "smef64f64",	"smei8i32", "smef16f32",
	"smeb16f32", "smef32f32", "smefa64", "wfxt",	  "ebf16",
};

static void show_features(struct sbuf *out, u64 caps, const char *const *names, u32 n)
{
	for (u32 i = 0; i < n; i++)
		if (caps >> i & 1)
			sbuf_printf(out, " %s", names[i]);
}

static bool cpu_is_online(u32 cpu)
{
	return READ_ONCE(cpu_online_mask) >> cpu & 1;
}

static int cpuinfo_show(struct sbuf *out, void *arg)
{
	u32 hz = time_counter_hz();

	for (u32 cpu = 0; cpu < cpu_count; cpu++) {
		u64 midr = cpu_midr(cpu);

		if (!cpu_is_online(cpu))
			continue;
		sbuf_printf(out, "processor\t: %u\n", cpu);
		sbuf_printf(out, "BogoMIPS\t: %u.%02u\n", hz / 500000, hz / 5000 % 100);
		sbuf_puts(out, "Features\t:");
		show_features(out, cpu_hwcap(), hwcap_names, ARRAY_SIZE(hwcap_names));
		show_features(out, cpu_hwcap2(), hwcap2_names, ARRAY_SIZE(hwcap2_names));
		sbuf_printf(out, "\nCPU implementer\t: 0x%02x\n", (u32)(midr >> 24 & 0xff));
		sbuf_puts(out, "CPU architecture: 8\n");
		sbuf_printf(out, "CPU variant\t: 0x%x\n", (u32)(midr >> 20 & 0xf));
		sbuf_printf(out, "CPU part\t: 0x%03x\n", (u32)(midr >> 4 & 0xfff));
		sbuf_printf(out, "CPU revision\t: %u\n\n", (u32)(midr & 0xf));
	}
	return 0;
}
PROC_FILE(cpuinfo, "cpuinfo", 0444, .show = cpuinfo_show);

static void show_times(struct sbuf *out, const struct sched_cpu_stats *s)
{
	sbuf_printf(out, "%llu %llu %llu %llu 0 %llu 0 0 0 0\n", (ull)(s->user_ns / NSEC_PER_TICK),
		    (ull)(s->nice_ns / NSEC_PER_TICK), (ull)(s->sys_ns / NSEC_PER_TICK),
		    (ull)(s->idle_ns / NSEC_PER_TICK), (ull)(s->irq_ns / NSEC_PER_TICK));
}

static void add_stats(struct sched_cpu_stats *sum, const struct sched_cpu_stats *s)
{
	sum->user_ns += s->user_ns;
	sum->nice_ns += s->nice_ns;
	sum->sys_ns += s->sys_ns;
	sum->idle_ns += s->idle_ns;
	sum->irq_ns += s->irq_ns;
	sum->switches += s->switches;
	sum->running += s->running;
	sum->blocked += s->blocked;
}

static u64 sum_stats(struct sched_cpu_stats *sum)
{
	u64 irqs = 0;

	*sum = (struct sched_cpu_stats){ 0 };
	for (u32 cpu = 0; cpu < cpu_count; cpu++) {
		struct sched_cpu_stats s;

		if (!cpu_is_online(cpu))
			continue;
		sched_get_cpu_stats(cpu, &s);
		add_stats(sum, &s);
		irqs += irq_total(cpu);
	}
	return irqs;
}

/* All interrupts, then those of each number. */
static void show_intr(struct sbuf *out, u64 total)
{
	struct irq_info i;

	sbuf_printf(out, "intr %llu", (ull)total);
	for (u32 n = 0; irq_get_info(n, &i); n++) {
		u64 sum = 0;

		for (u32 cpu = 0; cpu < cpu_count; cpu++)
			sum += irq_count(i.irq, cpu);
		sbuf_printf(out, " %llu", (ull)sum);
	}
	sbuf_putc(out, '\n');
}

static int stat_show(struct sbuf *out, void *arg)
{
	struct sched_cpu_stats sum, s;
	u64 irqs = sum_stats(&sum);

	sbuf_puts(out, "cpu  ");
	show_times(out, &sum);
	for (u32 cpu = 0; cpu < cpu_count; cpu++) {
		if (!cpu_is_online(cpu))
			continue;
		sched_get_cpu_stats(cpu, &s);
		sbuf_printf(out, "cpu%u ", cpu);
		show_times(out, &s);
	}
	show_intr(out, irqs);
	sbuf_printf(out, "ctxt %llu\n", (ull)sum.switches);
	sbuf_printf(out, "btime %lld\n", (long long)((time_wall() - time_now()) / NSEC_PER_SEC));
	sbuf_printf(out, "processes %llu\n", (ull)sched_total_forks());
	sbuf_printf(out, "procs_running %u\nprocs_blocked %d\n", sum.running ? sum.running : 1,
		    MAX(sum.blocked, 0));
	sbuf_puts(out, "softirq 0 0 0 0 0 0 0 0 0 0 0\n");
	return 0;
}
PROC_FILE(stat, "stat", 0444, .show = stat_show);

static int uptime_show(struct sbuf *out, void *arg)
{
	struct sched_cpu_stats sum;
	u64 now = (u64)time_now() / (NSEC_PER_SEC / 100), idle;

	sum_stats(&sum);
	idle = sum.idle_ns / NSEC_PER_TICK;
	sbuf_printf(out, "%llu.%02llu %llu.%02llu\n", (ull)now / 100, (ull)now % 100,
		    (ull)idle / 100, (ull)idle % 100);
	return 0;
}
PROC_FILE(uptime, "uptime", 0444, .show = uptime_show);

static void cpu_header(struct sbuf *out, u32 indent)
{
	sbuf_printf(out, "%*s", (int)indent, "");
	for (u32 cpu = 0; cpu < cpu_count; cpu++)
		if (cpu_is_online(cpu))
			sbuf_printf(out, "CPU%-8u", cpu);
	sbuf_putc(out, '\n');
}

/* Of devices and timers, or (@ipi) of CPUs to each other, which have no line at the controller. */
static void show_interrupts(struct sbuf *out, bool ipi)
{
	struct irq_info i;

	for (u32 n = 0; irq_get_info(n, &i); n++) {
		if (irq_is_ipi(i.irq) != ipi)
			continue;
		sbuf_printf(out, ipi ? "IPI%u:" : "%3u: ", i.irq);
		for (u32 cpu = 0; cpu < cpu_count; cpu++)
			if (cpu_is_online(cpu))
				sbuf_printf(out, "%10llu ", (ull)irq_count(i.irq, cpu));
		if (!ipi)
			sbuf_printf(out, " %8s %3u %-6s", i.chip, i.irq,
				    i.flags & IRQ_EDGE ? "Edge" : "Level");
		sbuf_printf(out, "    %s\n", i.name);
	}
}

static int interrupts_show(struct sbuf *out, void *arg)
{
	cpu_header(out, 11);
	show_interrupts(out, false);
	show_interrupts(out, true);
	return 0;
}
PROC_FILE(interrupts, "interrupts", 0444, .show = interrupts_show);

static int softirqs_show(struct sbuf *out, void *arg)
{
	static const char *const names[] = { "HI",	 "TIMER",   "NET_TX", "NET_RX",	 "BLOCK",
					     "IRQ_POLL", "TASKLET", "SCHED",  "HRTIMER", "RCU" };

	cpu_header(out, 20);
	for (u32 n = 0; n < ARRAY_SIZE(names); n++) {
		sbuf_printf(out, "%12s:", names[n]);
		for (u32 cpu = 0; cpu < cpu_count; cpu++)
			if (cpu_is_online(cpu))
				sbuf_printf(out, " %10u", 0);
		sbuf_putc(out, '\n');
	}
	return 0;
}
PROC_FILE(softirqs, "softirqs", 0444, .show = softirqs_show);
