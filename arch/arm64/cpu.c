/*
 * What a CPU is, and how it is set up.
 *
 * The identification registers of the boot CPU are read once and filtered by the table of fields
 * below: what passes is what user programs see by MRS (emulated, trap.c) and, through a second
 * table, as AT_HWCAP bits. Only features that work from EL0 under this kernel pass: no SVE or SME
 * (not saved), no BTI and MTE (no page attributes for them), pointer authentication only with
 * "pauth=on", as it is off in SCTLR_EL1 otherwise.
 *
 * All CPUs of a machine are taken to be alike, as QEMU's are. Everything here is immutable once
 * smp_init() is over.
 *
 * Reference: Arm ARM D17.2 (ID_AA64*), Linux Documentation/arm64/cpu-feature-registers.rst and
 * elf_hwcaps.rst.
 */
#include <asm/hwcap.h>
#include <arch/barrier.h>
#include <arch/cpu.h>
#include <arch/sysreg.h>
#include "arch/arm64/arch_private.h"
#include "kernel/base/bootargs.h"
#include "kernel/base/rand.h"
#include "kernel/lib/string.h"

#define CNTKCTL_EL0VCTEN 2
#define CNTKCTL_MASK 0x3ff

enum id_reg { PFR0, PFR1, ISAR0, ISAR1, ISAR2, MMFR0, MMFR1, MMFR2, ID_REGS };

#define F(shift) (0xfULL << (shift))
#define PAUTH_ISAR1 (F(4) | F(8) | F(24) | F(28))
#define PAUTH_ISAR2 (F(8) | F(12))

/* Which register it is (CRm, op2), the fields that pass, and bits that always read as set. */
static const struct {
	u8 crm, op2;
	u64 visible, fixed;
} id_desc[ID_REGS] = {
	[PFR0] = { 4, 0, F(16) | F(20) | F(48), 0x11 }, /* FP, AdvSIMD, DIT; EL0, EL1 are AArch64 */
	[PFR1] = { 4, 1, F(4), 0 }, /* SSBS */
	[ISAR0] = { 6, 0, ~(F(56) | F(24) | F(0)), 0 }, /* all but TLB, TME */
	[ISAR1] = { 6, 1, ~(F(56) | F(40) | F(60)), 0 }, /* all but XS, SPECRES, LS64 */
	[ISAR2] = { 6, 2, F(0) | F(4) | PAUTH_ISAR2, 0 }, /* WFxT, RPRES, GPA3, APA3 */
	[MMFR0] = { 7, 0, F(60), 0 }, /* ECV */
	[MMFR1] = { 7, 1, F(44), 0 }, /* AFP */
	[MMFR2] = { 7, 2, F(32), 0 }, /* AT */
};

/* HWCAP bit @cap of word @word: field at @shift of @reg is at least @min. */
static const struct {
	u8 reg, shift, min, word;
	u64 cap;
} hwcap_desc[] = {
	{ ISAR0, 4, 1, 0, HWCAP_AES },	     { ISAR0, 4, 2, 0, HWCAP_PMULL },
	{ ISAR0, 8, 1, 0, HWCAP_SHA1 },	     { ISAR0, 12, 1, 0, HWCAP_SHA2 },
	{ ISAR0, 12, 2, 0, HWCAP_SHA512 },   { ISAR0, 16, 1, 0, HWCAP_CRC32 },
	{ ISAR0, 20, 2, 0, HWCAP_ATOMICS },  { ISAR0, 28, 1, 0, HWCAP_ASIMDRDM },
	{ ISAR0, 32, 1, 0, HWCAP_SHA3 },     { ISAR0, 36, 1, 0, HWCAP_SM3 },
	{ ISAR0, 40, 1, 0, HWCAP_SM4 },	     { ISAR0, 44, 1, 0, HWCAP_ASIMDDP },
	{ ISAR0, 48, 1, 0, HWCAP_ASIMDFHM }, { ISAR0, 52, 1, 0, HWCAP_FLAGM },
	{ ISAR0, 52, 2, 1, HWCAP2_FLAGM2 },  { ISAR0, 60, 1, 1, HWCAP2_RNG },
	{ ISAR1, 0, 1, 0, HWCAP_DCPOP },     { ISAR1, 0, 2, 1, HWCAP2_DCPODP },
	{ ISAR1, 4, 1, 0, HWCAP_PACA },	     { ISAR1, 8, 1, 0, HWCAP_PACA },
	{ ISAR1, 12, 1, 0, HWCAP_JSCVT },    { ISAR1, 16, 1, 0, HWCAP_FCMA },
	{ ISAR1, 20, 1, 0, HWCAP_LRCPC },    { ISAR1, 20, 2, 0, HWCAP_ILRCPC },
	{ ISAR1, 24, 1, 0, HWCAP_PACG },     { ISAR1, 28, 1, 0, HWCAP_PACG },
	{ ISAR1, 32, 1, 1, HWCAP2_FRINT },   { ISAR1, 36, 1, 0, HWCAP_SB },
	{ ISAR1, 44, 1, 1, HWCAP2_BF16 },    { ISAR1, 44, 2, 1, HWCAP2_EBF16 },
	{ ISAR1, 48, 1, 1, HWCAP2_DGH },     { ISAR1, 52, 1, 1, HWCAP2_I8MM },
	{ ISAR2, 0, 2, 1, HWCAP2_WFXT },     { ISAR2, 4, 1, 1, HWCAP2_RPRES },
	{ ISAR2, 8, 1, 0, HWCAP_PACG },	     { ISAR2, 12, 1, 0, HWCAP_PACA },
	{ MMFR0, 60, 1, 1, HWCAP2_ECV },     { MMFR1, 44, 1, 1, HWCAP2_AFP },
	{ MMFR2, 32, 1, 0, HWCAP_USCAT },    { PFR0, 48, 1, 0, HWCAP_DIT },
	{ PFR1, 4, 2, 0, HWCAP_SSBS },
};

u8 cpu_has_pan; /* I: user.S lifts PAN around exclusive accesses */
static u64 id_value[ID_REGS]; /* I: filtered */
static u64 hwcap[2]; /* I */
static u64 midr[MAX_CPUS], mpidr[MAX_CPUS]; /* I: after the CPU came up */
static bool pauth_wanted; /* I */
static u64 pauth_keys[10]; /* I: zero until pauth_init */

static void arg_pauth(const char *value)
{
	pauth_wanted = value && strcmp(value, "on") == 0;
}

BOOTARG("pauth", arg_pauth);
BOOTARG_WORD(nokaslr, "nokaslr"); /* obeyed by kaslr.c, before there is a parser */

static void id_read(void)
{
	u64 raw[ID_REGS] = {
		[PFR0] = sysreg_read(id_aa64pfr0_el1),	 [PFR1] = sysreg_read(id_aa64pfr1_el1),
		[ISAR0] = sysreg_read(id_aa64isar0_el1), [ISAR1] = sysreg_read(id_aa64isar1_el1),
		[ISAR2] = sysreg_read(s3_0_c0_c6_2),	 [MMFR0] = sysreg_read(id_aa64mmfr0_el1),
		[MMFR1] = sysreg_read(id_aa64mmfr1_el1), [MMFR2] = sysreg_read(s3_0_c0_c7_2),
	};

	if (!pauth_wanted) {
		raw[ISAR1] &= ~PAUTH_ISAR1;
		raw[ISAR2] &= ~PAUTH_ISAR2;
	}
	for (u32 i = 0; i < ID_REGS; i++)
		id_value[i] = (raw[i] & id_desc[i].visible) | id_desc[i].fixed;
}

static void hwcap_find(void)
{
	u32 fp = sysreg_field(id_value[PFR0], 16), simd = sysreg_field(id_value[PFR0], 20);

	hwcap[0] = HWCAP_CPUID;
	hwcap[1] = 0;
	if (fp != 0xf)
		hwcap[0] |= HWCAP_FP | (fp ? HWCAP_FPHP : 0);
	if (simd != 0xf)
		hwcap[0] |= HWCAP_ASIMD | (simd ? HWCAP_ASIMDHP : 0);
	for (u32 i = 0; i < ARRAY_SIZE(hwcap_desc); i++) {
		if (sysreg_field(id_value[hwcap_desc[i].reg], hwcap_desc[i].shift) >=
		    hwcap_desc[i].min)
			hwcap[hwcap_desc[i].word] |= hwcap_desc[i].cap;
	}
}

/*
 * Value that MRS from EL0 reads for S3_0_C0_C@crm_@op2; false when there is no such register for
 * user programs. Unassigned numbers of the identification space read as zero.
 * ctx: any.
 */
bool cpu_emulate_mrs(u32 crm, u32 op2, u64 *out)
{
	if (crm == 0) {
		if (op2 != 0 && op2 != 5 && op2 != 6)
			return false;
		*out = op2 == 0	  ? sysreg_read(midr_el1)
		       : op2 == 5 ? BIT(31)
				  : sysreg_read(revidr_el1);
		return true;
	}
	*out = 0;
	for (u32 i = 0; i < ID_REGS; i++) {
		if (id_desc[i].crm == crm && id_desc[i].op2 == op2)
			*out = id_value[i];
	}
	return crm >= 2 && crm <= 7;
}

static void pauth_load(void)
{
	u64 *k = pauth_keys;

	if (!(hwcap[0] & HWCAP_PACA))
		return;
	sysreg_write(s3_0_c2_c1_0, k[0]); /* APIA, APIB, APDA, APDB, APGA; low and high */
	sysreg_write(s3_0_c2_c1_1, k[1]);
	sysreg_write(s3_0_c2_c1_2, k[2]);
	sysreg_write(s3_0_c2_c1_3, k[3]);
	sysreg_write(s3_0_c2_c2_0, k[4]);
	sysreg_write(s3_0_c2_c2_1, k[5]);
	sysreg_write(s3_0_c2_c2_2, k[6]);
	sysreg_write(s3_0_c2_c2_3, k[7]);
	sysreg_write(s3_0_c2_c3_0, k[8]);
	sysreg_write(s3_0_c2_c3_1, k[9]);
	sysreg_write(sctlr_el1,
		     sysreg_read(sctlr_el1) | SCTLR_ENIA | SCTLR_ENIB | SCTLR_ENDA | SCTLR_ENDB);
	isb();
}

/*
 * With pauth=on: draw the machine's keys and switch authentication on here; secondaries follow as
 * they start.
 * ctx: boot thread, random generator ready, secondaries not started.
 */
void cpu_pauth_init(void)
{
	if (!(hwcap[0] & HWCAP_PACA))
		return;
	rand_bytes(pauth_keys, sizeof(pauth_keys));
	pauth_load();
}

/* Contract in arch_private.h. */
void cpu_init_this(u32 cpu)
{
	midr[cpu] = sysreg_read(midr_el1);
	mpidr[cpu] = sysreg_read(mpidr_el1) & 0xff00ffffffULL;
	sysreg_write(oslar_el1, 0);
	sysreg_write(mdscr_el1, 0);
	sysreg_write(pmuserenr_el0, 0);
	sysreg_write(tpidr_el0, 0);
	sysreg_write(tpidrro_el0, 0);
	sysreg_write(cntkctl_el1,
		     (sysreg_read(cntkctl_el1) & ~(u64)CNTKCTL_MASK) | CNTKCTL_EL0VCTEN);
	if (sysreg_field(sysreg_read(id_aa64mmfr1_el1), 20)) {
		sysreg_write(sctlr_el1, sysreg_read(sctlr_el1) & ~(u64)SCTLR_SPAN);
		isb();
		__asm__ volatile(".inst 0xd500419f" ::: "memory"); /* msr pan, #1 */
		cpu_has_pan = 1;
	}
	if (cpu)
		pauth_load();
	isb();
}

/*
 * The boot CPU: features, control registers.
 * ctx: boot, command line and device tree read.
 */
void cpu_init_boot(void)
{
	id_read();
	hwcap_find();
	debug_init();
	cpu_init_this(0);
	tlb_init_boot();
}

/* AT_HWCAP and AT_HWCAP2. ctx: any. */
u64 cpu_hwcap(void)
{
	return hwcap[0];
}

u64 cpu_hwcap2(void)
{
	return hwcap[1];
}

/* Identification of @cpu, 0 when it never came up. ctx: any. */
u64 cpu_midr(u32 cpu)
{
	return cpu < MAX_CPUS ? midr[cpu] : 0;
}

/* Affinity fields only. ctx: any. */
u64 cpu_mpidr(u32 cpu)
{
	return cpu < MAX_CPUS ? mpidr[cpu] : 0;
}

/* Contract in arch/cpu.h. */
void cpu_idle(void)
{
	__asm__ volatile("dsb sy\n\twfi" ::: "memory");
}

/*
 * Contract in arch/cpu.h. CTR_EL0 tells line sizes, and what the hardware does by itself (IDC,
 * DIC).
 */
void cpu_sync_icache(const void *va, size_t len)
{
	u64 ctr = sysreg_read(ctr_el0);
	u64 dline = 4ULL << (ctr >> 16 & 0xf), iline = 4ULL << (ctr & 0xf);
	u64 end = (u64)va + len;

	if (!(ctr & BIT(28))) {
		for (u64 p = ALIGN_DOWN((u64)va, dline); p < end; p += dline)
			__asm__ volatile("dc cvau, %0" ::"r"(p) : "memory");
	}
	dsb(ish);
	if (!(ctr & BIT(29))) {
		for (u64 p = ALIGN_DOWN((u64)va, iline); p < end; p += iline)
			__asm__ volatile("ic ivau, %0" ::"r"(p) : "memory");
		dsb(ish);
	}
	isb();
}

/* Contract in arch/pmap.h. */
void pmap_sync_icache(void *page_va, size_t len)
{
	cpu_sync_icache(page_va, len);
}
