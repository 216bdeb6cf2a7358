/*
 * sysfs: a tree of made-up files (fs/pseudo.c) that parts of the kernel add to. Here are the
 * directories that always exist, the CPUs, the device tree blob, and character devices.
 *
 * Character devices all stand under devices/virtual, also those with hardware behind them. The
 * class follows from the major number, as in Linux. Device names with a slash (input/mice) appear
 * with '!' instead, as there. Documentation of the layout: Linux's sysfs-rules and ABI documents;
 * man: sysfs(5).
 */
#include <linux/errno.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <arch/cpu.h>
#include "fs/sysfs.h"
#include "kernel/base/fdt.h"
#include "kernel/base/log.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define SYSFS_PATH_MAX 128

static struct pseudo_tree sysfs_tree;

/* See the header. */
int sysfs_add(const char *path, const struct pseudo_attr *a)
{
	return pseudo_add(&sysfs_tree, path, a);
}

/* See the header. */
int sysfs_add_dir(const char *path)
{
	return pseudo_add_dir(&sysfs_tree, path);
}

/* See the header. */
void sysfs_remove(const char *path)
{
	pseudo_remove(&sysfs_tree, path);
}

static int __printf(2, 3) add_at(const struct pseudo_attr *a, const char *fmt, ...)
{
	char path[SYSFS_PATH_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return n < (int)sizeof(path) ? sysfs_add(path, a) : -ENAMETOOLONG;
}

/* --- CPUs --- */

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
	const struct pseudo_attr a = {
		.mode = 0444, .show = show, .arg = (void *)arg, .size = PAGE_SIZE
	};

	(void)sysfs_add(path, &a);
}

static void add_cpu(u32 cpu)
{
	const struct pseudo_attr midr = {
		.mode = 0444, .show = midr_show, .arg = (void *)(u64)cpu, .size = PAGE_SIZE
	};
	const struct pseudo_attr id = {
		.mode = 0444, .show = number_show, .arg = (void *)(u64)cpu, .size = PAGE_SIZE
	};
	const struct pseudo_attr zero = { .mode = 0444, .show = number_show, .size = PAGE_SIZE };

	(void)add_at(&midr, "devices/system/cpu/cpu%u/regs/identification/midr_el1", cpu);
	(void)add_at(&id, "devices/system/cpu/cpu%u/topology/core_id", cpu);
	(void)add_at(&zero, "devices/system/cpu/cpu%u/topology/physical_package_id", cpu);
}

static void add_cpus(void)
{
	add_text("devices/system/cpu/online", cpu_list_show, CPUS_ONLINE);
	add_text("devices/system/cpu/possible", cpu_list_show, CPUS_PRESENT);
	add_text("devices/system/cpu/present", cpu_list_show, CPUS_PRESENT);
	add_text("devices/system/cpu/offline", cpu_list_show, CPUS_NONE);
	add_text("devices/system/cpu/isolated", cpu_list_show, CPUS_NONE);
	add_text("devices/system/cpu/kernel_max", kernel_max_show, 0);
	for (u32 cpu = 0; cpu < cpu_count; cpu++)
		add_cpu(cpu);
}

/* --- firmware --- */

static ssize_t fdt_read(struct file *f, struct uio *u, u64 *pos)
{
	size_t size = fdt_blob_size();
	ssize_t n;

	if (*pos >= size)
		return 0;
	n = uio_copy_to(u, (const char *)fdt_blob() + *pos, size - *pos);
	if (n > 0)
		*pos += (u64)n;
	return n;
}

static const struct file_ops fdt_fops = { .read = fdt_read };

static int empty_show(struct sbuf *out, void *arg)
{
	sbuf_putc(out, '\n');
	return 0;
}

static ssize_t refuse_write(const char *text, size_t n, void *arg)
{
	return -EINVAL;
}

static void add_firmware(void)
{
	const struct pseudo_attr fdt = { .mode = 0400, .ops = &fdt_fops, .size = fdt_blob_size() };
	/* No sleep state to offer: the list is empty, and every request is refused. */
	const struct pseudo_attr state = {
		.mode = 0644, .show = empty_show, .write = refuse_write, .size = PAGE_SIZE
	};

	(void)sysfs_add("firmware/fdt", &fdt);
	(void)sysfs_add("power/state", &state);
}

/* --- character devices --- */

static const char *class_of(u64 dev)
{
	switch (dev_major(dev)) {
	case MEM_MAJOR: return "mem";
	case MISC_MAJOR: return "misc";
	}
	return "tty";
}

static int dev_show(struct sbuf *out, void *arg)
{
	const struct chrdev *c = arg;

	sbuf_printf(out, "%u:%u\n", dev_major(c->dev), dev_minor(c->dev));
	return 0;
}

static int uevent_show(struct sbuf *out, void *arg)
{
	const struct chrdev *c = arg;

	sbuf_printf(out, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\n", dev_major(c->dev), dev_minor(c->dev),
		    c->name);
	if (c->mode != 0600)
		sbuf_printf(out, "DEVMODE=0%o\n", c->mode & 0777);
	return 0;
}

/* Asking for an event to be sent again: there is nobody to send it to. */
static ssize_t uevent_write(const char *text, size_t n, void *arg)
{
	return (ssize_t)n;
}

static void device_name(const struct chrdev *c, char name[64])
{
	strlcpy(name, c->name, 64);
	for (char *p = name; *p; p++)
		if (*p == '/')
			*p = '!';
}

/* See the header. ctx: thread; sleeps. Memory shortage leaves entries out. */
void sysfs_add_chrdev(const struct chrdev *c)
{
	const struct pseudo_attr dev = {
		.mode = 0444, .show = dev_show, .arg = (void *)c, .size = PAGE_SIZE
	};
	const struct pseudo_attr uevent = {
		.mode = 0644,
		.show = uevent_show,
		.write = uevent_write,
		.arg = (void *)c,
		.size = PAGE_SIZE,
	};
	const char *class = class_of(c->dev);
	char name[64], target[SYSFS_PATH_MAX];
	struct pseudo_attr link = { .target = target };

	device_name(c, name);
	(void)add_at(&dev, "devices/virtual/%s/%s/dev", class, name);
	(void)add_at(&uevent, "devices/virtual/%s/%s/uevent", class, name);
	snprintf(target, sizeof(target), "../../../../class/%s", class);
	(void)add_at(&link, "devices/virtual/%s/%s/subsystem", class, name);
	snprintf(target, sizeof(target), "../../devices/virtual/%s/%s", class, name);
	(void)add_at(&link, "class/%s/%s", class, name);
	(void)add_at(&link, "dev/char/%u:%u", dev_major(c->dev), dev_minor(c->dev));
}

/* See the header. ctx: thread; sleeps. */
void sysfs_remove_chrdev(const struct chrdev *c)
{
	const char *class = class_of(c->dev);
	char name[64], path[SYSFS_PATH_MAX];

	device_name(c, name);
	snprintf(path, sizeof(path), "dev/char/%u:%u", dev_major(c->dev), dev_minor(c->dev));
	sysfs_remove(path);
	snprintf(path, sizeof(path), "class/%s/%s", class, name);
	sysfs_remove(path);
	snprintf(path, sizeof(path), "devices/virtual/%s/%s", class, name);
	sysfs_remove(path);
}

/* See the header. ctx: boot; sleeps. */
void sysfs_init(void)
{
	static const char *const dirs[] = {
		"block",	   "bus",      "class/tty",
		"dev/block",	   "dev/char", "devices/platform",
		"devices/virtual", "firmware", "fs",
		"kernel/debug",	   "module",   "power",
	};

	pseudo_init(&sysfs_tree);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (sysfs_add_dir(dirs[i]))
			log_err("sysfs: no memory for %s", dirs[i]);
	add_cpus();
	add_firmware();
}

static int sysfs_statfs(struct super *sb, struct kstatfs *st)
{
	st->bsize = PAGE_SIZE;
	return 0;
}

static const struct super_ops sysfs_super_ops = {
	.evict = pseudo_evict,
	.statfs = sysfs_statfs,
};

static int sysfs_mount(const struct fs_type *t, const char *source, u32 flags, const char *data,
		       struct super **out)
{
	return pseudo_mount(&sysfs_tree, t, SYSFS_MAGIC, &sysfs_super_ops, out);
}

FS_TYPE(sysfs, .flags = FS_NODEV | FS_SINGLE, .mount = sysfs_mount);
