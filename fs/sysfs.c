/*
 * sysfs: a tree of made-up files (fs/pseudo.c) that parts of the kernel add to. Here are the
 * directories that always exist and some settings; sysfs_device.c has devices, sysfs_cpu.c the
 * CPUs, sysfs_firmware.c the device tree. Documentation of the layout: Linux's sysfs-rules and ABI
 * documents; man: sysfs(5).
 */
#include <linux/errno.h>
#include <linux/magic.h>
#include "fs/sysfs.h"
#include "fs/sysfs_internal.h"
#include "kernel/base/log.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

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

/* See sysfs_internal.h. */
int sysfs_add_at(const struct pseudo_attr *a, const char *fmt, ...)
{
	char path[SYSFS_PATH_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	return n < (int)sizeof(path) ? sysfs_add(path, a) : -ENAMETOOLONG;
}

/* --- settings --- */

static int text_show(struct sbuf *out, void *text)
{
	sbuf_puts(out, text);
	return 0;
}

static ssize_t refuse_write(const char *text, size_t n, void *arg)
{
	return -EINVAL;
}

static ssize_t never_write(const char *text, size_t n, void *arg)
{
	return strcmp(text, "never") == 0 || strcmp(text, "never\n") == 0 ? (ssize_t)n : -EINVAL;
}

static const struct {
	const char *path, *text;
	ssize_t (*write)(const char *text, size_t n, void *arg);
} settings[] = {
	/* Huge pages: there are none, and no others can be chosen. */
	{ "kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n", never_write },
	{ "kernel/mm/transparent_hugepage/hpage_pmd_size", "2097152\n", NULL },
	/* No sleep state to offer: the list is empty, and every request is refused. */
	{ "power/state", "\n", refuse_write },
};

static void add_settings(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(settings); i++)
		(void)sysfs_add(settings[i].path,
				&(struct pseudo_attr){ .mode = settings[i].write ? 0644 : 0444,
						       .show = text_show,
						       .write = settings[i].write,
						       .arg = (void *)settings[i].text });
}

/* Each of @dirs, and what is made from now on, with the permissions @mode. */
static void add_dirs(const char *dirs, u32 mode)
{
	sysfs_tree.dir_mode = S_IFDIR | mode;
	for (const char *d = dirs; *d; d += strlen(d) + 1)
		if (sysfs_add_dir(d))
			log_err("sysfs: no memory for %s", d);
}

/* See the header. ctx: boot; sleeps. */
void sysfs_init(void)
{
	pseudo_init(&sysfs_tree, 1, INODE_STRICT);
	sysfs_tree.has_xattrs = true;
	add_dirs("fs\0kernel\0", 0755);
	/* Where others mount what this kernel has not got. */
	add_dirs("fs/bpf\0fs/cgroup\0fs/pstore\0kernel/debug\0kernel/security\0kernel/tracing\0",
		 0555);
	add_dirs("block\0bus\0class/block\0class/tty\0dev/block\0dev/char\0devices/virtual\0"
		 "firmware\0module\0power\0",
		 0755);
	sysfs_add_cpus();
	sysfs_device_init();
	sysfs_add_firmware();
	add_settings();
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

FS_TYPE(sysfs, .flags = FS_NODEV | FS_SINGLE, .mount = sysfs_mount, .check_option = fs_no_option);
