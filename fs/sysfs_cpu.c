/*
 * The CPUs in sysfs: devices/system/cpu, with the lists of those possible, present and online, and
 * for each its identification register and topology; and devices/system/node, with the one node of
 * memory they have. Read by lscpu, nproc, ps, numactl and the C libraries. All CPUs of the machine
 * are cores of one package.
 */
#include <arch/cpu.h>
#include "fs/procfs.h"
#include "fs/sysfs_internal.h"
#include "kernel/lib/fmt.h"

/* A mask as a list of ranges: "0-3,5". */
static void show_cpu_list(struct sbuf *out, cpumask_t mask)
{
	const char *sep = "";

	for (u32 cpu = 0; cpu < MAX_CPUS; cpu++) {
		u32 end = cpu;

		if (!(mask >> cpu & 1))
			continue;
		while (end + 1 < MAX_CPUS && (mask >> (end + 1) & 1))
			end++;
		sbuf_printf(out, end > cpu ? "%s%u-%u" : "%s%u", sep, cpu, end);
		sep = ",";
		cpu = end;
	}
	sbuf_putc(out, '\n');
}

static cpumask_t present_mask(void)
{
	return cpu_count >= 64 ? ~0ull : BIT(cpu_count) - 1;
}

/* A mask as hexadecimal digits. */
static void show_cpu_mask(struct sbuf *out, cpumask_t mask)
{
	if (cpu_count > 32)
		sbuf_printf(out, "%08x,%08x\n", (u32)(mask >> 32), (u32)mask);
	else
		sbuf_printf(out, "%0*x\n", (int)(cpu_count + 3) / 4, (u32)mask);
}

enum cpu_list { CPUS_ONLINE, CPUS_PRESENT, CPUS_NONE };

static int cpu_list_show(struct sbuf *out, void *arg)
{
	switch ((enum cpu_list)(u64)arg) {
	case CPUS_ONLINE: show_cpu_list(out, READ_ONCE(cpu_online_mask)); break;
	case CPUS_PRESENT: show_cpu_list(out, present_mask()); break;
	case CPUS_NONE: show_cpu_list(out, 0); break;
	}
	return 0;
}

static int kernel_max_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%d\n", MAX_CPUS - 1);
	return 0;
}

static int midr_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "0x%016llx\n", (unsigned long long)cpu_midr((u32)(u64)arg));
	return 0;
}

static int number_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%llu\n", (unsigned long long)(u64)arg);
	return 0;
}

static void add_text(const char *path, int (*show)(struct sbuf *out, void *arg), u64 arg)
{
	const struct pseudo_attr a = { .mode = 0444, .show = show, .arg = (void *)arg };

	(void)sysfs_add(path, &a);
}

/* Files of a topology folder: of which CPUs, and whether as a list. */
static int self_mask_show(struct sbuf *out, void *arg)
{
	show_cpu_mask(out, BIT((u64)arg));
	return 0;
}

static int self_list_show(struct sbuf *out, void *arg)
{
	show_cpu_list(out, BIT((u64)arg));
	return 0;
}

static int all_mask_show(struct sbuf *out, void *arg)
{
	show_cpu_mask(out, present_mask());
	return 0;
}

static int all_list_show(struct sbuf *out, void *arg)
{
	show_cpu_list(out, present_mask());
	return 0;
}

static int zero_show(struct sbuf *out, void *arg)
{
	sbuf_puts(out, "0\n");
	return 0;
}

static const struct {
	const char *name;
	int (*show)(struct sbuf *out, void *arg);
} cpu_files[] = {
	{ "regs/identification/midr_el1", midr_show },
	{ "topology/core_id", number_show },
	{ "topology/physical_package_id", zero_show },
	{ "topology/thread_siblings", self_mask_show },
	{ "topology/thread_siblings_list", self_list_show },
	{ "topology/core_cpus", self_mask_show },
	{ "topology/core_cpus_list", self_list_show },
	{ "topology/core_siblings", all_mask_show },
	{ "topology/core_siblings_list", all_list_show },
	{ "topology/package_cpus", all_mask_show },
	{ "topology/package_cpus_list", all_list_show },
};

static void add_cpu(u32 cpu)
{
	char target[64];
	struct pseudo_attr link = { .target = target };

	for (u32 i = 0; i < ARRAY_SIZE(cpu_files); i++) {
		const struct pseudo_attr a = {
			.mode = 0444,
			.show = cpu_files[i].show,
			.arg = (void *)(u64)cpu,
		};

		(void)sysfs_add_at(&a, "devices/system/cpu/cpu%u/%s", cpu, cpu_files[i].name);
	}
	snprintf(target, sizeof(target), "../../../devices/system/cpu/cpu%u", cpu);
	(void)sysfs_add_at(&link, "bus/cpu/devices/cpu%u", cpu);
	snprintf(target, sizeof(target), "../../../../bus/cpu");
	(void)sysfs_add_at(&link, "devices/system/cpu/cpu%u/subsystem", cpu);
	snprintf(target, sizeof(target), "../../cpu/cpu%u", cpu);
	(void)sysfs_add_at(&link, "devices/system/node/node0/cpu%u", cpu);
	snprintf(target, sizeof(target), "../../node/node0");
	(void)sysfs_add_at(&link, "devices/system/cpu/cpu%u/node0", cpu);
}

static int distance_show(struct sbuf *out, void *arg)
{
	sbuf_puts(out, "10\n"); /* to itself, as firmware tables have it */
	return 0;
}

static void add_node(void)
{
	static const char *const lists[] = { "online", "possible", "has_cpu", "has_memory",
					     "has_normal_memory" };

	for (u32 i = 0; i < ARRAY_SIZE(lists); i++)
		(void)sysfs_add_at(&(struct pseudo_attr){ .mode = 0444, .show = zero_show },
				   "devices/system/node/%s", lists[i]);
	add_text("devices/system/node/node0/cpumap", all_mask_show, 0);
	add_text("devices/system/node/node0/cpulist", all_list_show, 0);
	add_text("devices/system/node/node0/distance", distance_show, 0);
	add_text("devices/system/node/node0/meminfo", proc_node_meminfo_show, 0);
}

/* See sysfs_internal.h. */
void sysfs_add_cpus(void)
{
	add_text("devices/system/cpu/online", cpu_list_show, CPUS_ONLINE);
	add_text("devices/system/cpu/possible", cpu_list_show, CPUS_PRESENT);
	add_text("devices/system/cpu/present", cpu_list_show, CPUS_PRESENT);
	add_text("devices/system/cpu/offline", cpu_list_show, CPUS_NONE);
	add_text("devices/system/cpu/isolated", cpu_list_show, CPUS_NONE);
	add_text("devices/system/cpu/kernel_max", kernel_max_show, 0);
	add_node();
	for (u32 cpu = 0; cpu < cpu_count; cpu++)
		add_cpu(cpu);
}
