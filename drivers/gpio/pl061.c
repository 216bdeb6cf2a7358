/*
 * PL061 GPIO: only what the power button needs, an input line that interrupts on its rising edge.
 *
 * The device tree names the line in a gpio-keys node whose key code is KEY_POWER. Other lines stay
 * masked. Nothing changes after the probe, so there is no lock.
 *
 * Reference: Arm PrimeCell GPIO (PL061), DDI 0190; device tree bindings arm,pl061 and gpio-keys.
 */
#include <linux/errno.h>
#include <linux/input-event-codes.h>
#include <libfdt.h>
#include "drivers/platform/platform.h"
#include "kernel/base/fdt.h"
#include "kernel/base/irq.h"
#include "kernel/base/log.h"
#include "kernel/base/power.h"
#include "mm/kvm.h"

enum {
	DIR = 0x400 / 4, /* 1: output */
	IS = 0x404 / 4, /* 1: level */
	IBE = 0x408 / 4, /* 1: both edges */
	IEV = 0x40c / 4, /* 1: rising */
	IE = 0x410 / 4,
	MIS = 0x418 / 4,
	IC = 0x41c / 4,
};

static volatile u32 *regs; /* I */
static u32 power_bit; /* I */

static void pl061_irq(u32 irq, void *arg)
{
	u32 status = regs[MIS];

	regs[IC] = status;
	if (status & power_bit)
		power_button_notify();
}

/* Bit of the line on controller @phandle that is the power key, 0 if none is. */
static u32 find_power_line(u32 phandle)
{
	int keys = fdt_find_compatible(-1, "gpio-keys");
	int key, len;

	if (keys < 0)
		return 0;
	fdt_for_each_subnode(key, fdt_blob(), keys)
	{
		const fdt32_t *gpios = fdt_prop(key, "gpios", &len);

		if (!gpios || len < 12 || fdt_prop_u32(key, "linux,code", 0) != KEY_POWER)
			continue;
		if (fdt32_to_cpu(gpios[0]) == phandle && fdt32_to_cpu(gpios[1]) < 8)
			return 1u << fdt32_to_cpu(gpios[1]);
	}
	return 0;
}

static int pl061_probe(int node)
{
	paddr_t base;
	u64 size;
	u32 irq, flags;

	if (regs)
		return 0;
	power_bit = find_power_line(fdt_prop_u32(node, "phandle", 0));
	if (!power_bit)
		return 0;
	if (fdt_node_reg(node, 0, &base, &size) || fdt_node_irq(node, 0, &irq, &flags))
		return -EINVAL;
	regs = kvm_map_io(base, PAGE_SIZE);
	if (!regs)
		return -ENOMEM;
	regs[IE] = 0;
	regs[DIR] &= ~power_bit;
	regs[IS] &= ~power_bit;
	regs[IBE] &= ~power_bit;
	regs[IEV] |= power_bit;
	regs[IC] = 0xff;
	regs[IE] = power_bit;
	(void)platform_device_add(node, "pl061_gpio");
	return irq_register(irq, pl061_irq, NULL, "power button", flags);
}

FDT_DRIVER(pl061, "arm,pl061", pl061_probe);
