/*
 * Platform devices: nodes of the device tree that a driver has taken.
 *
 * The name is Linux's: the unit's address, a dot, the node's name (9000000.pl011). Only devices
 * with a driver are described; the tree's other nodes are in firmware/devicetree for who wants
 * them. Those with PrimeCell identification registers are on the bus amba. The node's name lies in
 * the device tree blob, which stays in memory.
 */
#include "drivers/platform/platform.h"
#include "kernel/base/fdt.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "mm/slab.h"

struct platform_device {
	struct device dev; /* I */
	const char *node_name; /* I */
};

static int base_len(const char *node_name)
{
	const char *at = strchr(node_name, '@');

	return (int)(at ? (size_t)(at - node_name) : strlen(node_name));
}

static void platform_uevent(const struct device *d, struct sbuf *out)
{
	const struct platform_device *p = container_of(d, struct platform_device, dev);

	sbuf_printf(out, "OF_NAME=%.*s\n", base_len(p->node_name), p->node_name);
}

/* See the header. */
const struct device *platform_device_add(int node, const char *driver)
{
	struct platform_device *p = kzalloc(sizeof(*p), 0);
	paddr_t base = 0;
	u64 size;

	if (!p)
		return NULL;
	p->node_name = fdt_node_name(node);
	if (fdt_node_reg(node, 0, &base, &size))
		base = 0;
	snprintf(p->dev.name, sizeof(p->dev.name), "%lx.%.*s", base, base_len(p->node_name),
		 p->node_name);
	p->dev.parent = &device_platform;
	p->dev.bus = fdt_node_is(node, "arm,primecell") ? "amba" : "platform";
	p->dev.driver = driver;
	p->dev.uevent = platform_uevent;
	device_add(&p->dev);
	return &p->dev;
}
