/*
 * The GICv3 Interrupt Translation Service: message-signalled interrupts as LPIs.
 *
 * A device's write of an event number is looked up by device and event in a table (ITT) that gives
 * an LPI number and a collection, which is a CPU here. Tables are the ITS's: we allocate them, and
 * change entries by commands in a queue that it reads. An LPI's priority and enable bit are a byte
 * in one table for all CPUs; each CPU that is to take LPIs needs a pending table. All of it costs
 * memory, so nothing but the registers is touched until the first device wants messages, and a CPU
 * gets its pending table when the first LPI is sent to it.
 *
 * Numbers are handed out from a bitmap; struct its_device holds a device's table and its numbers,
 * and is freed with its last vector. Everything is guarded by its_lock (rank IRQ), except that
 * memory is allocated before it is taken.
 *
 * Reference: Arm IHI 0069, chapters 5 (LPIs) and 12 (registers); device tree binding
 * arm,gic-v3-its.
 */
#include <linux/errno.h>
#include <arch/barrier.h>
#include <arch/cpu.h>
#include "drivers/irqchip/gicv3.h"
#include "kernel/base/fdt.h"
#include "kernel/base/log.h"
#include "kernel/base/spinlock.h"
#include "kernel/lib/bitmap.h"
#include "kernel/lib/list.h"
#include "kernel/lib/string.h"
#include "mm/kvm.h"
#include "mm/slab.h"

#define GITS_CTLR 0x0000
#define GITS_TYPER 0x0008
#define GITS_CBASER 0x0080
#define GITS_CWRITER 0x0088
#define GITS_CREADR 0x0090
#define GITS_BASER(n) (0x0100 + (n)*8)
#define GITS_TRANSLATER 0x10040
#define GITS_SIZE 0x10000

#define GICR_CTLR 0x0000
#define GICR_PROPBASER 0x0070
#define GICR_PENDBASER 0x0078
#define GICR_CTLR_LPIS 1u

#define BASER_VALID BIT(63)
#define BASER_INDIRECT BIT(62)
#define BASER_TYPE(v) ((v) >> 56 & 7)
#define BASER_ENTRY(v) (((v) >> 48 & 31) + 1)
#define BASER_PAGE(v) ((v) >> 8 & 3) /* 4, 16, 64 KiB */
#define TABLE_DEVICES 1
#define TABLE_COLLECTIONS 4
/* Inner shareable, write-back: cacheable like all our memory. */
#define TABLE_ATTRS (7ULL << 59 | 1ULL << 10)
#define REDIST_ATTRS (7ULL << 7 | 1ULL << 10)
#define PENDING_ZERO BIT(62) /* the table is zeroed: no need to read it */

#define CMD_MOVI 0x01
#define CMD_SYNC 0x05
#define CMD_MAPD 0x08
#define CMD_MAPC 0x09
#define CMD_MAPTI 0x0a
#define CMD_INV 0x0c
#define CMD_DISCARD 0x0f

#define LPI_BITS 14 /* numbers to 16383: the least there may be */
#define LPI_COUNT 1024 /* what the interrupt core has room for */
#define LPI_ENABLE 1u
#define LPI_PRIORITY 0xa2 /* bit 1 reads as one */
#define QUEUE_SIZE PAGE_SIZE
#define WAIT_LIMIT 1000000
#define EVENTS_MAX 256
#define PENDING_ORDER 4 /* 64 KiB: its alignment */

/* i guarded by its_lock */
struct its_device {
	struct list link; /* i: in devices */
	u32 id; /* I */
	u32 count; /* i: vectors in use */
	u32 max; /* I: vectors its table has room for */
	void *itt; /* I */
	size_t itt_size; /* I */
	u64 events[BITMAP_WORDS(EVENTS_MAX)]; /* i */
};

/* i */
struct its_vector {
	struct its_device *dev; /* NULL: free */
	u32 event;
	u32 cpu;
};

/* One ITS is enough for one PCI host. i guarded by lock */
static struct {
	struct spinlock lock;
	volatile u8 *regs; /* I */
	paddr_t pa; /* I */
	u64 typer; /* I */
	u8 *queue; /* i: commands; NULL until the first device, as the vectors */
	u8 *property; /* i: a byte per LPI */
	u64 *device_table; /* i */
	u64 device_baser; /* i */
	u32 devices_max; /* i: ids the device table covers */
	u64 mapped; /* i: CPUs that take LPIs */
	struct list devices; /* i */
	u64 used[BITMAP_WORDS(LPI_COUNT)]; /* i */
	struct its_vector *vector; /* i: LPI_COUNT of them */
} its = { .lock = SPINLOCK_INIT(RANK_IRQ), .devices = LIST_INIT(its.devices) };

static u64 reg_read(u32 reg)
{
	return *(volatile u64 *)(its.regs + reg);
}

static void reg_write(u32 reg, u64 v)
{
	*(volatile u64 *)(its.regs + reg) = v;
}

/* Put one command in the queue and wait until it was taken. holds: its.lock. */
static void command(u64 a, u64 b, u64 c)
{
	u64 at = reg_read(GITS_CWRITER) & 0xfffe0;
	u64 next = (at + 32) % QUEUE_SIZE;
	u64 *cmd = (u64 *)(its.queue + at);

	cmd[0] = a;
	cmd[1] = b;
	cmd[2] = c;
	cmd[3] = 0;
	dma_wmb();
	reg_write(GITS_CWRITER, next);
	for (u32 i = 0; i < WAIT_LIMIT; i++) {
		u64 read = reg_read(GITS_CREADR);

		if ((read & 0xfffe0) == next)
			return;
		if (read & 1)
			break;
	}
	log_limited(LOG_ERR, "ITS: command %#lx refused", a & 0xff);
	reg_write(GITS_CWRITER, reg_read(GITS_CWRITER) | 1); /* retry past it */
}

/* How commands name the redistributor of @cpu. */
static u64 target_of(u32 cpu)
{
	paddr_t pa = 0;
	u32 number = 0;

	gicv3_redist(cpu, &pa, &number);
	return its.typer & BIT(19) ? pa & ~0xffffULL : (u64)number << 16;
}

static void sync(u32 cpu)
{
	command(CMD_SYNC, 0, target_of(cpu));
}

static void invalidate(const struct its_vector *v)
{
	command(CMD_INV | (u64)v->dev->id << 32, v->event, 0);
	sync(v->cpu);
}

/*
 * Have @cpu take LPIs; @pending is a zeroed table for it, used up when true is returned. holds:
 * its.lock.
 */
static bool enable_cpu(u32 cpu, void *pending)
{
	paddr_t pa;
	u32 number;
	volatile u8 *rd = gicv3_redist(cpu, &pa, &number);

	if (!rd || !pending)
		return false;
	*(volatile u64 *)(rd + GICR_PROPBASER) =
		va_to_pa(its.property) | REDIST_ATTRS | (LPI_BITS - 1);
	*(volatile u64 *)(rd + GICR_PENDBASER) = va_to_pa(pending) | REDIST_ATTRS | PENDING_ZERO;
	dsb(sy);
	*(volatile u32 *)(rd + GICR_CTLR) |= GICR_CTLR_LPIS;
	dsb(sy);
	command(CMD_MAPC, 0, BIT(63) | target_of(cpu) | cpu);
	sync(cpu);
	its.mapped |= BIT(cpu);
	return true;
}

static int cpu_take_lpis(u32 cpu)
{
	void *pending;
	u64 flags;
	bool taken = false;

	if (READ_ONCE(its.mapped) & BIT(cpu))
		return 0;
	pending = pmm_alloc_va(PENDING_ORDER, PMM_ZERO);
	if (!pending)
		return -ENOMEM;
	flags = spin_lock_irqsave(&its.lock);
	if (!(its.mapped & BIT(cpu)))
		taken = enable_cpu(cpu, pending);
	spin_unlock_irqrestore(&its.lock, flags);
	if (!taken)
		pmm_free_va(pending, PENDING_ORDER);
	return READ_ONCE(its.mapped) & BIT(cpu) ? 0 : -ENODEV;
}

static void lpi_configure(u32 irq, u8 value)
{
	struct its_vector *v = &its.vector[irq - LPI_BASE];
	u64 flags = spin_lock_irqsave(&its.lock);

	its.property[irq - LPI_BASE] = value;
	dma_wmb();
	if (v->dev)
		invalidate(v);
	spin_unlock_irqrestore(&its.lock, flags);
}

static void its_mask(u32 irq)
{
	lpi_configure(irq, LPI_PRIORITY);
}

static void its_unmask(u32 irq)
{
	lpi_configure(irq, LPI_PRIORITY | LPI_ENABLE);
}

static void its_set_affinity(u32 irq, u32 cpu)
{
	struct its_vector *v = &its.vector[irq - LPI_BASE];
	u64 flags;

	if (cpu_take_lpis(cpu))
		return;
	flags = spin_lock_irqsave(&its.lock);
	if (v->dev) {
		command(CMD_MOVI | (u64)v->dev->id << 32, v->event, cpu);
		sync(v->cpu);
		v->cpu = cpu;
	}
	spin_unlock_irqrestore(&its.lock, flags);
}

static const struct gicv3_lpi_ops lpi_ops = { its_mask, its_unmask, its_set_affinity };

/* Page size code that a table register takes: the smallest. Leaves it in the register. */
static u64 baser_page(u32 n)
{
	for (u64 code = 0; code < 3; code++) {
		u64 v = (reg_read(GITS_BASER(n)) & ~(3ULL << 8)) | code << 8;

		reg_write(GITS_BASER(n), v);
		if (BASER_PAGE(reg_read(GITS_BASER(n))) == code)
			return code;
	}
	return 2;
}

/* Table @n of one page of the ITS; two levels when the device table can have them. */
static int table_setup(u32 n, u64 type)
{
	u64 code = baser_page(n);
	u32 order = (u32)code * 2;
	u64 v = reg_read(GITS_BASER(n));
	u64 *table = pmm_alloc_va(order, PMM_ZERO);
	u64 bytes = (u64)PAGE_SIZE << order;

	if (!table)
		return -ENOMEM;
	v = BASER_VALID | TABLE_ATTRS | va_to_pa(table) | code << 8;
	reg_write(GITS_BASER(n), v | (type == TABLE_DEVICES ? BASER_INDIRECT : 0));
	v = reg_read(GITS_BASER(n));
	if (type == TABLE_DEVICES) {
		u64 max = bytes / BASER_ENTRY(v);

		if (v & BASER_INDIRECT)
			max *= bytes / sizeof(u64);
		its.devices_max = (u32)MIN(max, BIT((its.typer >> 13 & 31) + 1));
		its.device_table = table;
		its.device_baser = v;
	}
	return 0;
}

/* Tables, queue and properties: once, before the first device. ctx: thread. */
static int its_start(void)
{
	struct its_vector *vector;
	u8 *property, *queue;

	if (its.queue)
		return 0;
	for (u32 n = 0; n < 8; n++) {
		u64 type = BASER_TYPE(reg_read(GITS_BASER(n)));
		int err = type == TABLE_DEVICES || type == TABLE_COLLECTIONS ? table_setup(n, type)
									     : 0;

		if (err)
			return err;
	}
	if (!its.device_table)
		return -ENODEV;
	vector = kzalloc(LPI_COUNT * sizeof(*vector), 0);
	property = pmm_alloc_va(1, 0);
	queue = pmm_alloc_va(0, PMM_ZERO);
	if (!vector || !property || !queue)
		goto free;
	memset(property, LPI_PRIORITY, BIT(LPI_BITS) - LPI_BASE);
	reg_write(GITS_CBASER, BASER_VALID | TABLE_ATTRS | va_to_pa(queue));
	reg_write(GITS_CWRITER, 0);
	dsb(sy);
	its.vector = vector;
	its.property = property;
	its.queue = queue;
	*(volatile u32 *)(its.regs + GITS_CTLR) |= 1;
	return cpu_take_lpis(0);
free:
	kfree(vector);
	if (property)
		pmm_free_va(property, 1);
	if (queue)
		pmm_free_va(queue, 0);
	return -ENOMEM;
}

/* Second-level page of the device table for @id. ctx: thread. */
static int device_table_fill(u32 id)
{
	u32 order = (u32)BASER_PAGE(its.device_baser) * 2;
	u64 bytes = (u64)PAGE_SIZE << order;
	u64 index = id / (bytes / BASER_ENTRY(its.device_baser));
	void *page;

	if (id >= its.devices_max)
		return -ENODEV;
	if (!(its.device_baser & BASER_INDIRECT) || its.device_table[index])
		return 0;
	page = pmm_alloc_va(order, PMM_ZERO);
	if (!page)
		return -ENOMEM;
	its.device_table[index] = BASER_VALID | va_to_pa(page);
	dsb(sy);
	return 0;
}

static struct its_device *device_find(u32 id)
{
	struct its_device *d;

	list_for_each(d, &its.devices, link)
		if (d->id == id)
			return d;
	return NULL;
}

/* New device with a table for @max events, a power of two. ctx: thread. */
static int device_create(u32 id, u32 max, struct its_device **out)
{
	struct its_device *d = kzalloc(sizeof(*d), 0);
	u32 entry = (u32)(its.typer >> 4 & 15) + 1;
	u64 flags;

	if (!d)
		return -ENOMEM;
	d->id = id;
	d->max = max;
	d->itt_size = MAX(ALIGN_UP((size_t)max * entry, 256), (size_t)256);
	d->itt = kzalloc(d->itt_size + 255, 0); /* used from its first multiple of 256 on */
	if (!d->itt) {
		kfree(d);
		return -ENOMEM;
	}
	flags = spin_lock_irqsave(&its.lock);
	list_add(&its.devices, &d->link);
	command(CMD_MAPD | (u64)id << 32, bit_highest(max) - 1,
		BIT(63) | ALIGN_UP(va_to_pa(d->itt), 256));
	sync(0);
	spin_unlock_irqrestore(&its.lock, flags);
	*out = d;
	return 0;
}

/* Give back a device without vectors. ctx: thread. */
static void device_destroy(struct its_device *d)
{
	u64 flags = spin_lock_irqsave(&its.lock);

	command(CMD_MAPD | (u64)d->id << 32, 0, 0);
	sync(0);
	list_del(&d->link);
	spin_unlock_irqrestore(&its.lock, flags);
	kfree(d->itt);
	kfree(d);
}

static int vector_map(struct its_device *d, u32 *irq, struct irq_msg *msg)
{
	u64 lpi = bitmap_find_clear(its.used, LPI_COUNT, 0);
	u64 event = bitmap_find_clear(d->events, d->max, 0);

	if (lpi == BITMAP_NONE || event == BITMAP_NONE)
		return -ENOSPC;
	bitmap_set(its.used, lpi);
	bitmap_set(d->events, event);
	d->count++;
	its.vector[lpi] = (struct its_vector){ d, (u32)event, 0 };
	command(CMD_MAPTI | (u64)d->id << 32, event | (lpi + LPI_BASE) << 32, 0);
	sync(0);
	*irq = LPI_BASE + (u32)lpi;
	*msg = (struct irq_msg){ its.pa + GITS_TRANSLATER, (u32)event };
	return 0;
}

static void vector_unmap(u32 irq)
{
	struct its_vector *v = &its.vector[irq - LPI_BASE];

	command(CMD_DISCARD | (u64)v->dev->id << 32, v->event, 0);
	sync(v->cpu);
	bitmap_clear(v->dev->events, v->event);
	bitmap_clear(its.used, irq - LPI_BASE);
	v->dev->count--;
	v->dev = NULL;
}

static void its_msi_free(u32 devid, u32 count, const u32 *irqs)
{
	struct its_device *d = device_find(devid);
	u64 flags = spin_lock_irqsave(&its.lock);

	for (u32 i = 0; i < count; i++)
		vector_unmap(irqs[i]);
	spin_unlock_irqrestore(&its.lock, flags);
	if (d && d->count == 0)
		device_destroy(d);
}

static int vectors_map(struct its_device *d, u32 count, u32 *irqs, struct irq_msg *msg)
{
	u64 flags = spin_lock_irqsave(&its.lock);
	int err = 0;
	u32 i;

	for (i = 0; i < count && !err; i++)
		err = vector_map(d, &irqs[i], &msg[i]);
	if (err)
		for (i--; i > 0; i--)
			vector_unmap(irqs[i - 1]);
	spin_unlock_irqrestore(&its.lock, flags);
	return err;
}

/* Devices are probed one at a time, so no two calls are for one device. */
static int its_msi_alloc(u32 devid, u32 count, u32 *irqs, struct irq_msg *msg)
{
	struct its_device *d;
	u32 max = 2;
	int err;

	if (count > EVENTS_MAX)
		return -ENOSPC;
	while (max < count)
		max *= 2;
	err = its_start();
	if (!err)
		err = device_table_fill(devid);
	if (err)
		return err;
	d = device_find(devid);
	err = d ? 0 : device_create(devid, max, &d);
	if (err)
		return err;
	err = vectors_map(d, count, irqs, msg);
	if (err && d->count == 0)
		device_destroy(d);
	return err;
}

static const struct irq_msi_ops its_msi_ops = { .alloc = its_msi_alloc, .free = its_msi_free };

static int its_probe(int node)
{
	u64 size;

	if (its.regs || gicv3_lpi_id_bits() < LPI_BITS)
		return -ENODEV;
	if (fdt_node_reg(node, 0, &its.pa, &size) || size < 2 * GITS_SIZE)
		return -EINVAL;
	its.regs = kvm_map_io(its.pa, PAGE_SIZE);
	if (!its.regs)
		return -ENOMEM;
	*(volatile u32 *)(its.regs + GITS_CTLR) &= ~1u;
	its.typer = reg_read(GITS_TYPER);
	gicv3_set_lpi_ops(&lpi_ops);
	irq_set_msi(&its_msi_ops);
	log_info("ITS at %#lx", its.pa);
	return 0;
}

FDT_IRQCHIP(its, "arm,gic-v3-its", its_probe);
