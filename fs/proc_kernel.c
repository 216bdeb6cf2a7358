/*
 * /proc files that say how the kernel is built and what it keeps: memory map, free blocks, run
 * queues, devices of the misc class, control groups, and the trigger of emergency actions.
 *
 * There is one memory node with one zone, "DMA", as Linux names it on a machine whose memory all
 * devices reach. Blocks are not sorted by mobility: pagetypeinfo tells all of them as movable.
 * Addresses are shown to those only who may administer the system.
 *
 * man: proc(5); formats as of Linux 6.1, schedstat version 15.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <arch/cpu.h>
#include <arch/pmap.h>
#include "fs/procfs.h"
#include "kernel/base/fdt.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/base/time.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "mm/pmm.h"
#include "mm/slab.h"

typedef unsigned long long ull;

/* --- memory --- */

static int buddyinfo_show(struct sbuf *out, void *arg)
{
	u64 n[PMM_MAX_ORDER + 1];

	pmm_get_free_blocks(n);
	sbuf_puts(out, "Node 0, zone      DMA ");
	for (u32 i = 0; i <= PMM_MAX_ORDER; i++)
		sbuf_printf(out, "%6llu ", (ull)n[i]);
	sbuf_putc(out, '\n');
	return 0;
}
PROC_FILE(buddyinfo, "buddyinfo", 0444, .show = buddyinfo_show);

static int pagetypeinfo_show(struct sbuf *out, void *arg)
{
	static const char *const types[] = { "Unmovable", "Movable", "Reclaimable", "HighAtomic" };
	u64 n[PMM_MAX_ORDER + 1];
	struct pmm_stats s;

	pmm_get_free_blocks(n);
	pmm_get_stats(&s);
	sbuf_puts(out, "Page block order: 9\nPages per block:  512\n\n");
	sbuf_puts(out, "Free pages count per migrate type at order ");
	for (u32 i = 0; i <= PMM_MAX_ORDER; i++)
		sbuf_printf(out, "%6u ", i);
	sbuf_putc(out, '\n');
	for (u32 t = 0; t < ARRAY_SIZE(types); t++) {
		sbuf_printf(out, "Node    0, zone      DMA, type %12s ", types[t]);
		for (u32 i = 0; i <= PMM_MAX_ORDER; i++)
			sbuf_printf(out, "%6llu ", t == 1 ? (ull)n[i] : 0ull);
		sbuf_putc(out, '\n');
	}
	sbuf_puts(out, "\nNumber of blocks type ");
	for (u32 t = 0; t < ARRAY_SIZE(types); t++)
		sbuf_printf(out, "%12s ", types[t]);
	sbuf_printf(out, "\nNode 0, zone      DMA %12d %12llu %12d %12d \n", 0, (ull)s.total / 512,
		    0, 0);
	return 0;
}
PROC_FILE(pagetypeinfo, "pagetypeinfo", 0400, .show = pagetypeinfo_show);

static int zoneinfo_show(struct sbuf *out, void *arg)
{
	struct vm_totals t;
	struct pmm_stats s;

	pmm_get_stats(&s);
	vm_get_totals(&t);
	sbuf_puts(out, "Node 0, zone      DMA\n  per-node stats\n");
	sbuf_printf(out, "      nr_anon_pages %llu\n      nr_mapped    %llu\n", (ull)t.anon,
		    (ull)t.mapped);
	sbuf_printf(out, "      nr_file_pages %llu\n      nr_shmem     %llu\n",
		    (ull)pagecache_total_frames(), (ull)pagecache_memory_frames());
	sbuf_printf(out, "      nr_slab_unreclaimable %llu\n", (ull)slab_total_frames());
	sbuf_printf(out, "  pages free     %llu\n        spanned  %llu\n        present  %llu\n",
		    (ull)s.free, (ull)(pmm_end_pfn - pmm_base_pfn), (ull)(s.total + s.reserved));
	sbuf_printf(out, "        managed  %llu\n      nr_free_pages %llu\n", (ull)s.total,
		    (ull)s.free);
	sbuf_printf(out, "  node_unreclaimable:  0\n  start_pfn:           %llu\n",
		    (ull)pmm_base_pfn);
	return 0;
}
PROC_FILE(zoneinfo, "zoneinfo", 0444, .show = zoneinfo_show);

extern const char _start[], _end[];

static int iomem_show(struct sbuf *out, void *arg)
{
	bool show = cred_capable(current->cred, CAP_SYS_ADMIN);
	paddr_t base, image = 0;
	u64 size;

	(void)pmap_kernel_lookup((vaddr_t)_start, &image);
	for (u32 i = 0; fdt_memory(i, &base, &size) == 0; i++) {
		paddr_t last = base + size - 1;

		sbuf_printf(out, "%08llx-%08llx : System RAM\n", show ? (ull)base : 0ull,
			    show ? (ull)last : 0ull);
		if (image >= base && image <= last)
			sbuf_printf(out, "  %08llx-%08llx : Kernel image\n",
				    show ? (ull)image : 0ull,
				    show ? (ull)(image + (u64)(_end - _start) - 1) : 0ull);
	}
	return 0;
}
PROC_FILE(iomem, "iomem", 0444, .show = iomem_show);

/* --- processors --- */

/*
 * Of the nine numbers of a CPU three are kept: time run, time waited (none is), and turns. There
 * are no scheduling domains.
 */
static int schedstat_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "version 15\ntimestamp %llu\n", (ull)time_now() / 4000000);
	for (u32 cpu = 0; cpu < cpu_count; cpu++) {
		struct sched_cpu_stats s;

		if (!(READ_ONCE(cpu_online_mask) >> cpu & 1))
			continue;
		sched_get_cpu_stats(cpu, &s);
		sbuf_printf(out, "cpu%u 0 0 0 0 0 0 %llu 0 %llu\n", cpu,
			    (ull)(s.user_ns + s.nice_ns + s.sys_ns), (ull)s.switches);
	}
	return 0;
}
PROC_FILE(schedstat, "schedstat", 0444, .show = schedstat_show);

/* --- what there is none of --- */

static int empty_show(struct sbuf *out, void *arg)
{
	return 0;
}
PROC_FILE(ioports, "ioports", 0444, .show = empty_show);
PROC_FILE(misc, "misc", 0444, .show = empty_show);

static int cgroups_show(struct sbuf *out, void *arg)
{
	sbuf_puts(out, "#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
	return 0;
}
PROC_FILE(cgroups, "cgroups", 0444, .show = cgroups_show);

/* --- sysrq-trigger: the letters of Linux that have a meaning here --- */

static void sysrq_memory(void)
{
	struct pmm_stats s;

	pmm_get_stats(&s);
	log_info("sysrq: %llu frames, %llu free, %llu reserved", (ull)s.total, (ull)s.free,
		 (ull)s.reserved);
}

static void sysrq_act(char c)
{
	switch (c) {
	case 'b':
		log_print(LOG_EMERG, "sysrq: Resetting");
		cpu_power_reset();
		break;
	case 'c': panic("sysrq triggered crash");
	case 'm': sysrq_memory(); break;
	case 'o':
		log_print(LOG_EMERG, "sysrq: Power off");
		cpu_power_off();
		break;
	case 's':
		log_info("sysrq: Emergency Sync");
		vfs_sync_all();
		break;
	case 'u':
		log_info("sysrq: Emergency Remount R/O");
		vfs_read_only_all(false);
		log_info("Emergency Remount complete");
		break;
	default:
		if (c >= '0' && c <= '9')
			log_set_console_level(c - '0');
		else
			log_info("sysrq: HELP : loglevel(0-9) reboot(b) crash(c) "
				 "show-memory-usage(m) poweroff(o) sync(s) unmount(u)");
	}
}

/* The first character only, whoever may open the file. */
static ssize_t sysrq_write(const char *text, size_t n, void *arg)
{
	if (n)
		sysrq_act(text[0]);
	return (ssize_t)n;
}
PROC_FILE(sysrq_trigger, "sysrq-trigger", 0200, .write = sysrq_write);
