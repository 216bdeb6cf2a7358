#pragma once
/*
 * Device tree access over libfdt. libfdt may use FP registers, so it is called only at boot, before
 * user FP state exists: drivers read what they need in their probe and keep it.
 */
#include "kernel/base/table.h"

/* checks the blob; without a valid one there is no machine: panic_plain */
void fdt_init(paddr_t pa);
const void *fdt_blob(void);
size_t fdt_blob_size(void);

/* Region @index of a node's "reg", translated by parents' #cells. 0 or -ENOENT. */
int __must_check fdt_node_reg(int node, u32 index, paddr_t *base, u64 *size);
/* Interrupt @index as number and IRQ_* flags. 0 or -ENOENT. */
int __must_check fdt_node_irq(int node, u32 index, u32 *irq, u32 *flags);
/* node offset or < 0; after = -1 to start */
int fdt_find_compatible(int after, const char *compatible);
bool fdt_node_is(int node, const char *compatible); /* among others */
const char *fdt_node_name(int node); /* with its unit address; lives for ever */
const void *fdt_prop(int node, const char *name, int *len); /* NULL when absent */
/* Overwrite what fdt_prop() found: a secret that others would read in /sys. */
void fdt_prop_erase(const void *value, int len);
u32 fdt_prop_u32(int node, const char *name, u32 missing);
bool fdt_node_enabled(int node); /* status absent or "okay" */
int fdt_chosen(void);
/* Memory banks: 0 or -ENOENT past the last. */
int __must_check fdt_memory(u32 index, paddr_t *base, u64 *size);
/* Reserved ranges (memreserve and /reserved-memory). */
int __must_check fdt_reserved(u32 index, paddr_t *base, u64 *size);
/* Initrd as given in /chosen. 0 or -ENOENT. */
int __must_check fdt_initrd(paddr_t *base, u64 *size);

/*
 * A driver for a node: FDT_DRIVER(pl011, "arm,pl011", probe). probe returns 0 or -errno (logged,
 * boot goes on).
 */
struct fdt_driver {
	const char *name;
	const char *compatible;
	int (*probe)(int node);
};
#define FDT_DRIVER(id, compat, func) \
	TABLE_ENTRY(fdt_driver, struct fdt_driver, fdt_driver_##id) = { #id, (compat), (func) }
TABLE_DECLARE(fdt_driver, struct fdt_driver);
void fdt_probe_drivers(void); /* every enabled node with a driver, in tree order */

/* Interrupt controllers come before everything else: same structure, own table. */
#define FDT_IRQCHIP(id, compat, func) \
	TABLE_ENTRY(irqchip, struct fdt_driver, irqchip_##id) = { #id, (compat), (func) }
TABLE_DECLARE(irqchip, struct fdt_driver);
void fdt_probe_irqchips(void);

/* Parent node, or < 0. Cheap, unlike libfdt's. */
int fdt_parent(int node);
int fdt_by_phandle(u32 phandle); /* node or < 0 */
/* Node that /chosen/stdout-path names, or < 0. */
int fdt_stdout(void);
