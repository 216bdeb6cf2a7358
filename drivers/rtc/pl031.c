/*
 * PL031 real-time clock: a counter of seconds, one match register that interrupts.
 *
 * Each access is one register, so there is no lock. Under QEMU the counter starts at the host's
 * time (-rtc).
 *
 * Reference: Arm PrimeCell Real Time Clock (PL031), DDI 0224; device tree binding arm,pl031.
 */
#include <linux/errno.h>
#include "drivers/platform/platform.h"
#include "kernel/base/fdt.h"
#include "kernel/base/irq.h"
#include "kernel/base/log.h"
#include "kernel/base/rtc.h"
#include "mm/kvm.h"

enum {
	DR = 0x00 / 4, /* seconds */
	MR = 0x04 / 4, /* match */
	LR = 0x08 / 4, /* load */
	CR = 0x0c / 4,
	IMSC = 0x10 / 4,
	ICR = 0x1c / 4,
};

static volatile u32 *regs; /* I */

static s64 pl031_read(struct rtc *r)
{
	return regs[DR];
}

static void pl031_set(struct rtc *r, s64 seconds)
{
	regs[LR] = (u32)seconds;
}

static void pl031_set_alarm(struct rtc *r, s64 seconds, bool on)
{
	regs[IMSC] = 0;
	regs[ICR] = 1;
	regs[MR] = (u32)seconds;
	regs[IMSC] = on;
}

static struct rtc pl031 = {
	.name = "pl031",
	.read = pl031_read,
	.set = pl031_set,
	.set_alarm = pl031_set_alarm,
};

static void pl031_irq(u32 irq, void *arg)
{
	regs[ICR] = 1;
	if (pl031.alarm)
		pl031.alarm(&pl031);
}

static int pl031_probe(int node)
{
	paddr_t base;
	u64 size;
	u32 irq, flags;

	if (regs)
		return -EBUSY;
	if (fdt_node_reg(node, 0, &base, &size) || fdt_node_irq(node, 0, &irq, &flags))
		return -EINVAL;
	regs = kvm_map_io(base, PAGE_SIZE);
	if (!regs)
		return -ENOMEM;
	regs[IMSC] = 0;
	regs[ICR] = 1;
	regs[CR] = 1;
	pl031.parent = platform_device_add(node, "rtc-pl031");
	rtc_register(&pl031);
	return irq_register(irq, pl031_irq, NULL, "rtc-pl031", flags);
}

FDT_DRIVER(pl031, "arm,pl031", pl031_probe);
