/*
 * /proc files about memory: meminfo, vmstat, slabinfo, buddyinfo, swaps, and the settings under
 * sys/vm.
 *
 * Lines that Linnet has no counterpart for show 0, as Linux does on a machine without that feature
 * (swap, huge pages). Mapped and anonymous memory are sums over address spaces: a frame that
 * several share counts in each.
 * man: proc(5).
 */
#include <linux/errno.h>
#include "block/block.h"
#include "fs/procfs.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "mm/kvm.h"
#include "mm/slab.h"
#include "mm/vm/writeback.h"

typedef unsigned long long ull;

/* What the lines tell, in frames. */
struct mem_view {
	u64 none; /* of what this kernel has not got */
	u64 total, free, used, available, buffers, cached, active, anon, clean, shmem, file;
	u64 dirty, busy, mapped, slab, stacks, tables;
	u64 commit_limit, committed, vmalloc, vmalloc_used, retired;
};

#define IN_PROC 1
#define IN_NODE 2
#define LINE(name_, field, where_)                                                            \
	{                                                                                     \
		.name = name_, .index = offsetof(struct mem_view, field) / 8, .where = where_ \
	}

static const struct {
	char name[18];
	u8 index; /* of a u64 in struct mem_view */
	u8 where;
} mem_lines[] = {
	LINE("MemTotal", total, IN_PROC | IN_NODE),
	LINE("MemFree", free, IN_PROC | IN_NODE),
	LINE("MemUsed", used, IN_NODE),
	LINE("MemAvailable", available, IN_PROC),
	LINE("Buffers", buffers, IN_PROC),
	LINE("Cached", cached, IN_PROC),
	LINE("SwapCached", none, IN_PROC | IN_NODE),
	LINE("Active", active, IN_PROC | IN_NODE),
	LINE("Inactive", shmem, IN_PROC | IN_NODE),
	LINE("Active(anon)", anon, IN_PROC | IN_NODE),
	LINE("Inactive(anon)", shmem, IN_PROC | IN_NODE),
	LINE("Active(file)", clean, IN_PROC | IN_NODE),
	LINE("Inactive(file)", none, IN_PROC | IN_NODE),
	LINE("SwapTotal", none, IN_PROC),
	LINE("SwapFree", none, IN_PROC),
	LINE("Dirty", dirty, IN_PROC | IN_NODE),
	LINE("Writeback", busy, IN_PROC | IN_NODE),
	LINE("FilePages", file, IN_NODE),
	LINE("Mapped", mapped, IN_NODE),
	LINE("AnonPages", anon, IN_PROC | IN_NODE),
	LINE("Mapped", mapped, IN_PROC),
	LINE("Shmem", shmem, IN_PROC | IN_NODE),
	LINE("KernelStack", stacks, IN_NODE),
	LINE("PageTables", tables, IN_NODE),
	LINE("KReclaimable", none, IN_PROC),
	LINE("Slab", slab, IN_PROC | IN_NODE),
	LINE("SReclaimable", none, IN_PROC | IN_NODE),
	LINE("SUnreclaim", slab, IN_PROC | IN_NODE),
	LINE("KernelStack", stacks, IN_PROC),
	LINE("PageTables", tables, IN_PROC),
	LINE("NFS_Unstable", none, IN_PROC),
	LINE("Bounce", none, IN_PROC),
	LINE("WritebackTmp", none, IN_PROC),
	LINE("CommitLimit", commit_limit, IN_PROC),
	LINE("Committed_AS", committed, IN_PROC),
	LINE("VmallocTotal", vmalloc, IN_PROC),
	LINE("VmallocUsed", vmalloc_used, IN_PROC),
	LINE("VmallocChunk", none, IN_PROC),
	LINE("HardwareCorrupted", retired, IN_PROC),
};

static void count_thread(struct thread *t, void *arg)
{
	u64 *n = arg;

	*n += 1;
}

static void mem_view_get(struct mem_view *v)
{
	u64 cached = pagecache_total_frames(), shmem = pagecache_memory_frames(), threads = 0;
	u64 clean = cached > shmem ? cached - shmem : 0;
	u64 buffers = MIN(blkdev_cached_frames(), cached);
	struct vm_totals t;
	struct pmm_stats s;

	pmm_get_stats(&s);
	vm_get_totals(&t);
	thread_foreach(count_thread, &threads);
	*v = (struct mem_view){
		.total = s.total,
		.free = s.free,
		.used = s.total - s.free,
		.available = s.free + clean,
		.buffers = buffers,
		.cached = cached - buffers,
		.active = t.anon + clean,
		.anon = t.anon,
		.clean = clean,
		.shmem = shmem,
		.file = cached,
		.dirty = writeback_dirty_frames(),
		.busy = writeback_busy_frames(),
		.mapped = t.mapped,
		.slab = slab_total_frames(),
		.stacks = threads * (KSTACK_SIZE / PAGE_SIZE),
		.tables = t.tables,
		.commit_limit = vm_commit_limit_pages(),
		.committed = vm_committed_pages(),
		.vmalloc = VMALLOC_SIZE >> PAGE_SHIFT,
		.vmalloc_used = kvm_used_frames(),
		.retired = vm_retired_frames(),
	};
}

static void show_lines(struct sbuf *out, u8 where, const char *prefix)
{
	struct mem_view v;

	mem_view_get(&v);
	for (u32 i = 0; i < ARRAY_SIZE(mem_lines); i++) {
		size_t at;

		if (!(mem_lines[i].where & where))
			continue;
		sbuf_puts(out, prefix);
		at = out->len;
		sbuf_printf(out, "%s:", mem_lines[i].name);
		sbuf_pad(out, at, 16);
		sbuf_printf(out, "%8llu kB\n",
			    (ull)((u64 *)&v)[mem_lines[i].index] << (PAGE_SHIFT - 10));
	}
}

static int meminfo_show(struct sbuf *out, void *arg)
{
	show_lines(out, IN_PROC, "");
	return 0;
}
PROC_FILE(meminfo, "meminfo", 0444, .show = meminfo_show);

/* See procfs.h. */
int proc_node_meminfo_show(struct sbuf *out, void *arg)
{
	show_lines(out, IN_NODE, "Node 0 ");
	return 0;
}

static int vmstat_show(struct sbuf *out, void *arg)
{
	struct vm_totals t;

	vm_get_totals(&t);
	sbuf_printf(out, "nr_free_pages %llu\n", (ull)pmm_free_frames());
	sbuf_printf(out, "nr_anon_pages %llu\n", (ull)t.anon);
	sbuf_printf(out, "nr_mapped %llu\n", (ull)t.mapped);
	sbuf_printf(out, "nr_file_pages %llu\n", (ull)pagecache_total_frames());
	sbuf_printf(out, "nr_shmem %llu\n", (ull)pagecache_memory_frames());
	sbuf_printf(out, "nr_dirty %llu\nnr_writeback %llu\n", (ull)writeback_dirty_frames(),
		    (ull)writeback_busy_frames());
	sbuf_printf(out, "nr_page_table_pages %llu\n", (ull)t.tables);
	sbuf_printf(out, "nr_slab_unreclaimable %llu\n", (ull)slab_total_frames());
	sbuf_printf(out, "pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\n");
	sbuf_printf(out, "pgfault %llu\n", (ull)(t.minflt + t.majflt));
	sbuf_printf(out, "pgmajfault %llu\n", (ull)t.majflt);
	return 0;
}
PROC_FILE(vmstat, "vmstat", 0444, .show = vmstat_show);

static int slabinfo_show(struct sbuf *out, void *arg)
{
	struct slab_info i;

	sbuf_puts(out,
		  "slabinfo - version: 2.1\n"
		  "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab>"
		  " : tunables <limit> <batchcount> <sharedfactor>"
		  " : slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	for (u32 n = 0; slab_get_info(n, &i); n++)
		sbuf_printf(out,
			    "%-17s %6llu %6llu %6llu %4llu %4d : tunables    0    0    0"
			    " : slabdata %6llu %6llu %6d\n",
			    i.name, (ull)i.active, (ull)i.objects, (ull)i.size,
			    (ull)(PAGE_SIZE / MIN(i.size, (u64)PAGE_SIZE)), 1, (ull)i.frames,
			    (ull)i.frames, 0);
	return 0;
}
PROC_FILE(slabinfo, "slabinfo", 0400, .show = slabinfo_show);

static int swaps_show(struct sbuf *out, void *arg)
{
	sbuf_puts(out, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	return 0;
}
PROC_FILE(swaps, "swaps", 0444, .show = swaps_show);

/* 1: page cache, 2: names, 3: both; by the shrinkers. Reading gives the last value. */
static int drop_caches;

static ssize_t drop_caches_write(const char *text, size_t n, void *arg)
{
	u64 v;

	if (str_to_u64(text, NULL, 0, &v) || v < 1 || v > 4)
		return -EINVAL;
	drop_caches = (int)v;
	(void)pmm_shrink(PMM_SHRINK_ALL);
	return (ssize_t)n;
}

static int drop_caches_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%d\n", drop_caches);
	return 0;
}
PROC_FILE(drop_caches, "sys/vm/drop_caches", 0200, .show = drop_caches_show,
	  .write = drop_caches_write);

/* Kept for who sets and reads it; nothing here swaps. */
static int swappiness = 60;

SYSCTL_INT(overcommit_memory, "sys/vm/overcommit_memory", &vm_overcommit_mode, 0, 2);
SYSCTL_INT(admin_reserve, "sys/vm/admin_reserve_kbytes", &vm_admin_reserve_kbytes, 0, 0x7fffffff);
SYSCTL_INT(user_reserve, "sys/vm/user_reserve_kbytes", &vm_user_reserve_kbytes, 0, 0x7fffffff);
SYSCTL_INT(max_map_count, "sys/vm/max_map_count", &vm_max_map_count, 0, 0x7fffffff);
SYSCTL_INT(mmap_min_addr, "sys/vm/mmap_min_addr", &vm_mmap_min_addr, 0, 0x7fffffff);
SYSCTL_INT(swappiness, "sys/vm/swappiness", &swappiness, 0, 200);
SYSCTL_INT(dirty_ratio, "sys/vm/dirty_ratio", &writeback_ratio, 0, 100);
SYSCTL_INT(dirty_background_ratio, "sys/vm/dirty_background_ratio", &writeback_background_ratio, 0,
	   100);
SYSCTL_INT(dirty_expire, "sys/vm/dirty_expire_centisecs", &writeback_expire_cs, 0, 0x7fffffff);

static int number_of(const char *text, int *out)
{
	const char *end;
	u64 v;

	if (str_to_u64(text, &end, 0, &v) || (*end && *end != '\n') || v > 0x7fffffff)
		return -EINVAL;
	*out = (int)v;
	return 0;
}

static int int_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%d\n", *(int *)arg);
	return 0;
}

/* The limit is told as a ratio or in kilobytes: setting one clears the other. */
static ssize_t overcommit_write(const char *text, size_t n, void *arg)
{
	int v, err = number_of(text, &v);

	if (err)
		return err;
	*(int *)arg = v;
	*(arg == &vm_overcommit_ratio ? &vm_overcommit_kbytes : &vm_overcommit_ratio) = 0;
	return (ssize_t)n;
}
PROC_FILE(overcommit_ratio, "sys/vm/overcommit_ratio", 0644, .show = int_show,
	  .write = overcommit_write, .arg = &vm_overcommit_ratio);
PROC_FILE(overcommit_kbytes, "sys/vm/overcommit_kbytes", 0644, .show = int_show,
	  .write = overcommit_write, .arg = &vm_overcommit_kbytes);

static int min_free_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%llu\n", (ull)pmm_reserve_frames() << (PAGE_SHIFT - 10));
	return 0;
}

static ssize_t min_free_write(const char *text, size_t n, void *arg)
{
	int v, err = number_of(text, &v);

	if (err)
		return err;
	pmm_set_reserve_frames((u64)v >> (PAGE_SHIFT - 10));
	return (ssize_t)n;
}
PROC_FILE(min_free, "sys/vm/min_free_kbytes", 0644, .show = min_free_show, .write = min_free_write);
