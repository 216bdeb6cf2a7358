#pragma once
/* Between gicv3.c and its.c. */
#include "kernel/base/irq.h"
#include "kernel/lib/types.h"

#define LPI_BASE 8192u

/* What the ITS driver does for LPIs on behalf of the chip; NULL while there is none. */
struct gicv3_lpi_ops {
	void (*mask)(u32 irq);
	void (*unmask)(u32 irq);
	void (*set_affinity)(u32 irq, u32 cpu);
};
void gicv3_set_lpi_ops(const struct gicv3_lpi_ops *ops);

/*
 * Redistributor of @cpu: registers (RD_base), its physical address and its processor number; NULL
 * if it has none yet.
 */
volatile u8 *gicv3_redist(u32 cpu, paddr_t *pa, u32 *number);
/* Bits of interrupt numbers (GICD_TYPER.IDbits + 1), 0 without LPIs. */
u32 gicv3_lpi_id_bits(void);
