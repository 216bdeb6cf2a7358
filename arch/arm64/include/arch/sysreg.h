#pragma once
/*
 * System registers: access, and the fields this kernel sets or tests (Arm ARM, chapter D17).
 */
#define MAIR_NORMAL 0 /* index 0: write-back, read and write allocate */
#define MAIR_DEVICE 1 /* index 1: nGnRE */
#define MAIR_NC 2 /* index 2: not cacheable */
#define MAIR_VALUE 0x4404ff

/* Descriptors. */
#define PTE_VALID (1 << 0)
#define PTE_TABLE (1 << 1) /* levels 1 and 2: next table; level 3: page */
#define PTE_ATTR(n) ((n) << 2)
#define PTE_USER (1 << 6)
#define PTE_RDONLY (1 << 7)
#define PTE_SHARED (3 << 8)
#define PTE_AF (1 << 10)
#define PTE_NG (1 << 11)

/* TCR_EL1: 39-bit halves, 4 KiB granule, write-back inner-shareable walks, tagged user pointers. */
#define TCR_T0SZ 25
#define TCR_T1SZ (25 << 16)
#define TCR_WALKS (0x3500 | 0x35000000)
#define TCR_TG1_4K (2 << 30)
#define TCR_IPS_SHIFT 32
#define TCR_AS_SHIFT 36
#define TCR_TBI0_SHIFT 37

#define SCTLR_M (1 << 0)
#define SCTLR_C (1 << 2)
#define SCTLR_SA (1 << 3)
#define SCTLR_SA0 (1 << 4)
#define SCTLR_SED (1 << 8)
#define SCTLR_EOS (1 << 11)
#define SCTLR_I (1 << 12)
#define SCTLR_DZE (1 << 14)
#define SCTLR_UCT (1 << 15)
#define SCTLR_NTWE (1 << 18)
#define SCTLR_TSCXT (1 << 20)
#define SCTLR_EIS (1 << 22)
#define SCTLR_SPAN (1 << 23)
#define SCTLR_UCI (1 << 26)
#define SCTLR_NTLSMD (1 << 28)
#define SCTLR_LSMAOE (1 << 29)
#define SCTLR_RES1 (SCTLR_EOS | SCTLR_TSCXT | SCTLR_EIS | SCTLR_SPAN | SCTLR_NTLSMD | SCTLR_LSMAOE)
#define SCTLR_MMU_OFF SCTLR_RES1
#define SCTLR_MMU_ON                                                                               \
	(SCTLR_RES1 | SCTLR_M | SCTLR_C | SCTLR_SA | SCTLR_SA0 | SCTLR_SED | SCTLR_I | SCTLR_DZE | \
	 SCTLR_UCT | SCTLR_NTWE | SCTLR_UCI)

/* PSTATE as SPSR_EL1 holds it. */
#define PSTATE_EL1H 0x5
#define PSTATE_MODE32 0x10
#define PSTATE_F 0x40
#define PSTATE_I 0x80
#define PSTATE_A 0x100
#define PSTATE_D 0x200
#define PSTATE_DAIF 0x3c0
#define PSTATE_SS 0x200000

#ifndef __ASSEMBLY__
#include "kernel/lib/types.h"

#define SCTLR_ENIA (1UL << 31)
#define SCTLR_ENIB (1UL << 30)
#define SCTLR_ENDA (1UL << 27)
#define SCTLR_ENDB (1UL << 13)

#define PTE_PXN (1UL << 53)
#define PTE_UXN (1UL << 54)
#define PTE_SW_DIRTY (1UL << 55)

#define CPACR_FP_EL1 (1UL << 20) /* EL1 may use FP/SIMD; EL0 traps */
#define CPACR_FP_EL0 (1UL << 21) /* together with the former: EL0 too */

#define sysreg_read(reg)                                        \
	({                                                      \
		u64 sr_v;                                       \
		__asm__ volatile("mrs %0, " #reg : "=r"(sr_v)); \
		sr_v;                                           \
	})
#define sysreg_write(reg, v) __asm__ volatile("msr " #reg ", %x0" ::"rZ"((u64)(v)) : "memory")

/* Field of four bits, as ID registers have them. */
static inline u32 sysreg_field(u64 reg, u32 shift)
{
	return reg >> shift & 0xf;
}

/* Exception class of an ESR. */
enum {
	EC_UNKNOWN = 0x00,
	EC_WFX = 0x01,
	EC_FP_ACCESS = 0x07,
	EC_SVC64 = 0x15,
	EC_SYSREG = 0x18,
	EC_IABT_EL0 = 0x20,
	EC_IABT_EL1 = 0x21,
	EC_PC_ALIGN = 0x22,
	EC_DABT_EL0 = 0x24,
	EC_DABT_EL1 = 0x25,
	EC_SP_ALIGN = 0x26,
	EC_FP_EXC64 = 0x2c,
	EC_BREAKPT_EL0 = 0x30,
	EC_STEP_EL0 = 0x32,
	EC_WATCHPT_EL0 = 0x34,
	EC_BRK64 = 0x3c,
};
#define ESR_EC(esr) ((u32)((esr) >> 26) & 0x3f)
#define ESR_FSC(esr) ((u32)(esr)&0x3f)
#define ESR_WNR 0x40
#define ESR_CM 0x100
#endif
