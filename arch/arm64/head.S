/*
 * Entry of the kernel on every CPU.
 *
 * The first 64 bytes are the arm64 Image header of Linux's Documentation/arm64/booting.rst. The
 * boot loader enters with the MMU off, at EL1 or EL2, at any 2 MiB-aligned address, x0 = device
 * tree.
 *
 *   primary:    EL1 -> identity map of the image and the device tree by 1 GiB blocks -> MMU on
 *               -> kimage_map() (kaslr.c): slide, relocation, W^X tables of the image, linear map
 *               -> jump to the virtual address -> identity map off -> kmain(device tree)
 *   secondary:  EL1 -> MMU on -> struct secondary_boot (smp.c) -> secondary_start(cpu)
 *
 * boot_thread (kernel/sched) becomes the first thread. All that runs before the jump is position
 * independent: addresses come from adrp.
 */
#include <arch/frame.h>
#include <arch/memlayout.h>
#include <arch/sysreg.h>
#include <arch/thread.h>

	.macro	adr_l, reg, sym
	adrp	\reg, \sym
	add	\reg, \reg, :lo12:\sym
	.endm

	.macro	mov_q, reg, val
	movz	\reg, #(((\val) >> 48) & 0xffff), lsl #48
	movk	\reg, #(((\val) >> 32) & 0xffff), lsl #32
	movk	\reg, #(((\val) >> 16) & 0xffff), lsl #16
	movk	\reg, #((\val) & 0xffff)
	.endm

	.section .head.text, "ax"
	.globl	_start
	.hidden	_start
_start:
	b	primary_entry
	.word	0
	.quad	0			/* offset from a 2 MiB boundary */
	.quad	_end - _start		/* memory needed, zeroed data included */
	.quad	0xa			/* little endian, 4 KiB pages, anywhere in memory */
	.quad	0, 0, 0
	.ascii	"ARM\x64"
	.word	0

	.text
primary_entry:
	msr	daifset, #0xf
	mov	x21, x0
	bl	drop_to_el1
	bl	idmap_build
	adrp	x0, empty_table
	bl	mmu_on

	adrp	x0, __bss_begin
	adrp	x1, __bss_end
1:	stp	xzr, xzr, [x0]
	stp	xzr, xzr, [x0, #16]
	stp	xzr, xzr, [x0, #32]
	stp	xzr, xzr, [x0, #48]
	add	x0, x0, #64
	cmp	x0, x1
	b.lo	1b

	adr_l	x0, boot_stack
	add	sp, x0, #KSTACK_SIZE
	mov	x29, #0
	mov	x0, x21
	adrp	x1, _start
	bl	kimage_map
	dsb	ishst
	adrp	x1, kernel_root_boot
	msr	ttbr1_el1, x1
	isb
	adr	x1, 2f
	add	x1, x1, x0
	br	x1

2:	bl	idmap_leave
	adr_l	x0, boot_stack
	add	x0, x0, #KSTACK_SIZE
	sub	x0, x0, #16
	mov	sp, x0
	adr_l	x1, boot_thread
	str	x1, [x0]
	str	x0, [x1, #AT_KSTACK_TOP]
	msr	sp_el0, x1
	msr	tpidr_el1, xzr
	adr_l	x0, boot_stack_guard	/* what lies below it is the emergency stack */
	adr_l	x1, emergency_stack_top
	str	x0, [x1]
	mov	x29, #0
	mov	x0, x21
	bl	kmain
	b	.

/* PSCI starts secondaries here, MMU off; x0: physical address of a struct secondary_boot. */
	.globl	secondary_entry
	.hidden	secondary_entry
secondary_entry:
	msr	daifset, #0xf
	mov	x21, x0
	bl	drop_to_el1
	adrp	x0, empty_table
	bl	mmu_on
	ldp	x1, x0, [x21]		/* kernel tables, kimage_voffset */
	ldp	x22, x23, [x21, #16]	/* thread, per-CPU offset */
	ldr	w24, [x21, #32]		/* CPU number */
	msr	ttbr1_el1, x1
	isb
	adr	x1, 1f
	add	x1, x1, x0
	br	x1
1:	bl	idmap_leave
	msr	sp_el0, x22
	msr	tpidr_el1, x23
	ldr	x0, [x22, #AT_KSTACK_TOP]
	mov	sp, x0
	mov	x29, #0
	mov	w0, w24
	bl	secondary_start
	b	.

/*
 * Goes on at the caller at EL1 with the MMU off, whatever the level of entry. EL2 is left so that
 * it never interferes: no traps, the virtual counter equal to the physical one, the GIC's system
 * registers usable.
 */
drop_to_el1:
	mov_q	x0, SCTLR_MMU_OFF
	msr	sctlr_el1, x0
	mrs	x1, currentel
	cmp	x1, #(2 << 2)
	b.eq	1f
	isb
	ret
1:	mov_q	x0, (1 << 41 | 1 << 40 | 1 << 31 | 1 << 29)
	msr	hcr_el2, x0		/* RW, no pointer authentication traps, no HVC */
	isb
	mov	x0, #3
	msr	cnthctl_el2, x0
	msr	cntvoff_el2, xzr
	mov	x0, #0x33ff
	msr	cptr_el2, x0
	msr	hstr_el2, xzr
	msr	vttbr_el2, xzr
	mrs	x0, midr_el1
	msr	vpidr_el2, x0
	mrs	x0, mpidr_el1
	msr	vmpidr_el2, x0

	mov	x1, #0			/* MDCR: all event counters belong to EL1 */
	mrs	x0, id_aa64dfr0_el1
	ubfx	x0, x0, #8, #4
	cbz	x0, 2f
	cmp	x0, #0xf
	b.eq	2f
	mrs	x1, pmcr_el0
	ubfx	x1, x1, #11, #5
2:	msr	mdcr_el2, x1

	mrs	x0, id_aa64mmfr0_el1	/* fine-grained traps */
	ubfx	x0, x0, #56, #4
	cbz	x0, 3f
	msr	s3_4_c1_c1_4, xzr
	msr	s3_4_c1_c1_5, xzr
	msr	s3_4_c1_c1_6, xzr
	msr	s3_4_c3_c1_4, xzr
	msr	s3_4_c3_c1_5, xzr

3:	mrs	x0, id_aa64pfr0_el1	/* GICv3 CPU interface */
	ubfx	x0, x0, #24, #4
	cbz	x0, 4f
	mrs	x0, s3_4_c12_c9_5	/* ICC_SRE_EL2 */
	mov	x1, #9			/* system registers on, for EL1 too */
	orr	x0, x0, x1
	msr	s3_4_c12_c9_5, x0
	isb
	msr	s3_4_c12_c11_0, xzr	/* ICH_HCR_EL2 */
4:	mov	x0, #(PSTATE_DAIF | PSTATE_EL1H)
	msr	spsr_el2, x0
	msr	elr_el2, x30
	eret

/*
 * Tables for running at physical addresses: blocks of 1 GiB around the image and the device tree
 * (x21).
 */
idmap_build:
	adrp	x0, idmap_root
	mov	x1, #(2 * PAGE_SIZE)	/* empty_table follows */
1:	sub	x1, x1, #16
	add	x2, x0, x1
	stp	xzr, xzr, [x2]
	cbnz	x1, 1b
	adrp	x1, _start
	lsr	x1, x1, #30
	lsr	x2, x21, #30
	mov	x3, #(PTE_VALID | PTE_ATTR(MAIR_NORMAL) | PTE_SHARED | PTE_AF)
	mov	x5, #2
2:	orr	x4, x3, x1, lsl #30
	str	x4, [x0, x1, lsl #3]
	orr	x4, x3, x2, lsl #30
	and	x6, x2, #511
	str	x4, [x0, x6, lsl #3]
	add	x1, x1, #1
	add	x2, x2, #1
	subs	x5, x5, #1
	b.ne	2b
	mov	x1, #(2 * PAGE_SIZE)	/* stores went around the caches: drop stale lines */
3:	sub	x1, x1, #64
	add	x2, x0, x1
	dc	ivac, x2
	cbnz	x1, 3b
	dsb	sy
	ret

/* MMU and caches on, at the same address through idmap_root; x0: table for the upper half. */
mmu_on:
	adrp	x1, idmap_root
	msr	ttbr0_el1, x1
	msr	ttbr1_el1, x0
	mov_q	x1, MAIR_VALUE
	msr	mair_el1, x1
	mov_q	x1, (TCR_T0SZ | TCR_T1SZ | TCR_WALKS | TCR_TG1_4K | 1 << TCR_TBI0_SHIFT)
	mrs	x2, id_aa64mmfr0_el1
	and	x3, x2, #0xf		/* physical address size, 48 bits at most */
	mov	x4, #5
	cmp	x3, x4
	csel	x3, x3, x4, lo
	orr	x1, x1, x3, lsl #TCR_IPS_SHIFT
	ubfx	x3, x2, #4, #4		/* 16-bit ASIDs: 2 */
	lsr	x3, x3, #1
	orr	x1, x1, x3, lsl #TCR_AS_SHIFT
	msr	tcr_el1, x1
	mov	x1, #(1 << 20)		/* FP: EL1 may, EL0 traps (fpu.c) */
	msr	cpacr_el1, x1
	tlbi	vmalle1
	dsb	nsh
	isb
	mov_q	x1, SCTLR_MMU_ON
	msr	sctlr_el1, x1
	isb
	ic	iallu
	dsb	nsh
	isb
	ret

/*
 * At the virtual address (x0: kimage_voffset): TTBR0 to the empty table, exceptions to the vectors.
 */
idmap_leave:
	adrp	x1, empty_table
	sub	x1, x1, x0
	msr	ttbr0_el1, x1
	isb
	tlbi	vmalle1
	dsb	nsh
	adr_l	x1, vectors
	msr	vbar_el1, x1
	isb
	ret

/*
 * void ttbr1_replace(paddr_t root, paddr_t empty): change the kernel's tables by way of an empty
 * one, so that no address ever has two translations. Called at its physical address through the
 * identity map, which the caller has put into TTBR0; touches no memory, so the stack need not be
 * mapped.
 */
	.globl	ttbr1_replace
	.hidden	ttbr1_replace
ttbr1_replace:
	msr	ttbr1_el1, x1
	isb
	tlbi	vmalle1
	dsb	nsh
	isb
	msr	ttbr1_el1, x0
	isb
	ret

	.section .bss.page_aligned, "aw", %nobits
	.balign	PAGE_SIZE
	.globl	boot_stack_guard, boot_stack
	.hidden	boot_stack_guard, boot_stack
boot_emergency_stack:
	.skip	PAGE_SIZE
boot_stack_guard:			/* left unmapped */
	.skip	PAGE_SIZE
boot_stack:
	.skip	KSTACK_SIZE

	.section .noinit, "aw", %nobits
	.balign	PAGE_SIZE
	.globl	idmap_root, empty_table
	.hidden	idmap_root, empty_table
idmap_root:
	.skip	PAGE_SIZE
empty_table:
	.skip	PAGE_SIZE
