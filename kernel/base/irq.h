#pragma once
/*
 * Interrupts: numbers, handlers, controllers.
 *
 * One flat space of Linux-like interrupt numbers: the controller's own numbers (GIC INTID: 0-15
 * SGI, 16-31 per-CPU PPI, 32-1019 SPI, 8192.. LPI). A handler runs with IRQs off and only
 * acknowledges its device and wakes somebody (house.md section 2).
 */
#include "kernel/lib/types.h"

struct trapframe;

typedef void (*irq_handler_t)(u32 irq, void *arg);

#define IRQ_PERCPU 1u /* SGI or PPI: enabled on each CPU by itself (irq_enable_percpu) */
#define IRQ_EDGE 2u /* edge triggered; default level */
#define IRQ_SHARED 4u /* several handlers (INTx) */

/* Attach a handler and unmask. @name is for /proc/interrupts and must live for ever. ctx: thread;
 * sleeps: yes. Returns 0, -EBUSY (not shared), -EINVAL, -ENOMEM. */
int __must_check irq_register(u32 irq, irq_handler_t fn, void *arg, const char *name, u32 flags);
void irq_unregister(u32 irq, void *arg);
void irq_enable_percpu(u32 irq); /* on this CPU */
void irq_set_affinity(u32 irq, u32 cpu);

/* Message-signalled interrupts: allocate @count vectors for the device (PCI requester id or -1). On
 * success irqs[i] can be registered, and the device writes msg[i].data to msg[i].addr. 0, -ENOSPC
 * or -ENODEV (no MSI here). */
struct irq_msg {
	paddr_t addr;
	u32 data;
};
int __must_check irq_msi_alloc(u32 devid, u32 count, u32 *irqs, struct irq_msg *msg);
void irq_msi_free(u32 devid, u32 count, const u32 *irqs);

/* What a controller driver gives (drivers/irqchip). */
struct irq_chip {
	const char *name;
	/* take, irq_dispatch(), end all pending; IRQ context */
	void (*handle)(struct trapframe *tf);
	void (*mask)(u32 irq);
	void (*unmask)(u32 irq, u32 flags);
	void (*set_affinity)(u32 irq, u32 cpu);
	void (*send_ipi)(u32 cpu, u32 sgi);
	void (*cpu_init)(void); /* on each CPU as it comes up */
};
struct irq_msi_ops {
	int (*alloc)(u32 devid, u32 count, u32 *irqs, struct irq_msg *msg);
	void (*free)(u32 devid, u32 count, const u32 *irqs);
};
void irq_set_chip(const struct irq_chip *chip); /* boot */
void irq_set_msi(const struct irq_msi_ops *ops); /* boot */
const struct irq_chip *irq_get_chip(void);

/* From the chip's handle(): run the handlers of @irq and count. */
void irq_dispatch(u32 irq);
/* From arch: the IRQ vector. IRQs off. */
void irq_entry(struct trapframe *tf);
/* True in an interrupt handler on this CPU. */
bool irq_in_handler(void);
/* In a handler: did the interrupt come from user mode? For accounting by samples. */
bool irq_from_user(void);

/*
 * Controllers and arch: decode a device tree "interrupts" cell triple -> number and flags. -EINVAL
 */
int __must_check irq_from_fdt(const u32 cells[3], u32 *irq, u32 *flags);

/* Is @irq one that CPUs send each other? */
static inline bool irq_is_ipi(u32 irq)
{
	return irq < 16;
}

/* For /proc/interrupts: iterate; returns false past the end. Counts per CPU. */
struct irq_info {
	u32 irq;
	u32 flags; /* IRQ_* */
	const char *name;
	const char *chip;
};
bool irq_get_info(u32 index, struct irq_info *out);
u64 irq_count(u32 irq, u32 cpu);
u64 irq_total(u32 cpu);
u64 irq_time(u32 cpu); /* spent in handlers, in ticks of the counter */
