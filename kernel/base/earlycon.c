/*
 * Finding the early console: by the device tree's stdout-path or by name and address. The table of
 * devices is the drivers'; see earlycon.h. Runs once on the boot CPU; the console goes when the
 * first real one comes (log.c).
 */
#include <linux/errno.h>
#include <arch/pmap.h>
#include "kernel/base/bootargs.h"
#include "kernel/base/earlycon.h"
#include "kernel/base/fdt.h"
#include "kernel/lib/string.h"

static struct log_console console = { .name = "earlycon", .boot = true };

BOOTARG_WORD(earlycon, "earlycon");

static const struct earlycon *find_by_node(int node)
{
	const struct earlycon *e;
	int len;
	const char *list = fdt_prop(node, "compatible", &len);

	TABLE_FOREACH(earlycon, e)
		for (int at = 0; list && at < len;
		     at += (int)strnlen(list + at, (size_t)(len - at)) + 1)
			if (strncmp(list + at, e->compatible, (size_t)(len - at)) == 0)
				return e;
	return NULL;
}

static const struct earlycon *find_by_name(const char *name, size_t n)
{
	const struct earlycon *e;

	TABLE_FOREACH(earlycon, e)
		if (strlen(e->name) == n && memcmp(e->name, name, n) == 0)
			return e;
	return NULL;
}

static int start(const struct earlycon *e, paddr_t base)
{
	void *regs = pmap_map_early_io(base);

	if (!regs)
		return -ENODEV;
	e->setup(&console, regs);
	return 0;
}

static int start_by_tree(void)
{
	int node = fdt_stdout();
	const struct earlycon *e = node < 0 ? NULL : find_by_node(node);
	paddr_t base;
	u64 size;

	if (!e || fdt_node_reg(node, 0, &base, &size))
		return -ENODEV;
	return start(e, base);
}

static int start_by_name(const char *value)
{
	size_t n = strcspn(value, ",");
	const struct earlycon *e = find_by_name(value, n);
	const char *at = strrchr(value, ',');
	u64 base;

	if (!e || !at || str_to_u64(at + 1, NULL, 0, &base))
		return -ENODEV;
	return start(e, base);
}

/* See earlycon.h. */
void earlycon_init(void)
{
	const char *value = bootargs_get("earlycon");
	int err;

	if (!bootargs_has("earlycon"))
		return;
	err = value && *value ? start_by_name(value) : start_by_tree();
	if (err)
		log_warn("earlycon: no such device");
	else
		log_console_add(&console, true);
}

/* See earlycon.h. */
void earlycon_panic(void)
{
	if (!log_has_console() && start_by_tree() == 0)
		log_console_add(&console, true);
}
