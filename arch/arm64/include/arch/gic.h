#pragma once
/* The GICv3 CPU interface's system registers, and this CPU's affinity. */
#include "kernel/lib/types.h"

#define GIC_READ(reg)                                                     \
	({                                                                \
		u64 gic_v;                                                \
		__asm__ volatile("mrs %0, " reg : "=r"(gic_v)::"memory"); \
		gic_v;                                                    \
	})
#define GIC_WRITE(reg, v) __asm__ volatile("msr " reg ", %x0" ::"rZ"((u64)(v)) : "memory")

#define ICC_PMR "s3_0_c4_c6_0"
#define ICC_SGI1R "s3_0_c12_c11_5"
#define ICC_IAR1 "s3_0_c12_c12_0"
#define ICC_EOIR1 "s3_0_c12_c12_1"
#define ICC_BPR1 "s3_0_c12_c12_3"
#define ICC_CTLR "s3_0_c12_c12_4"
#define ICC_SRE "s3_0_c12_c12_5"
#define ICC_IGRPEN1 "s3_0_c12_c12_7"

/* Affinity fields of MPIDR_EL1 as GICR_TYPER has them: aff3.aff2.aff1.aff0. */
static inline u32 arch_affinity(void)
{
	u64 mpidr = GIC_READ("mpidr_el1");

	return (u32)(mpidr & 0xffffff) | (u32)(mpidr >> 32 & 0xff) << 24;
}
