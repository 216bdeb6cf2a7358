/*
 * Exceptions: from the vector to C and back.
 *
 * In the kernel SP_EL0 holds the running thread and SP_EL1 its stack. While a thread is in user
 * mode SP_EL1 stands at kstack_top, and the word there points back to the thread: that is how an
 * entry from EL0 finds it. Each entry pushes one struct trapframe (arch/frame.h).
 *
 *   EL0 sync   SVC: trap_syscall(); all else: trap_el0_sync()        then ret_to_user
 *   EL0 irq    irq_entry()                                           then ret_to_user
 *   EL1 sync   stack check, trap_el1_sync()                          then restore
 *   EL1 irq    irq_entry(); preemption when it is allowed and asked  then restore
 *
 * The way back to user mode tests the thread's work word with interrupts masked, so no request is
 * lost.
 */
#include <arch/frame.h>
#include <arch/memlayout.h>
#include <arch/thread.h>

	.macro	save_x0_x29
	stp	x0, x1, [sp, #FRAME_X(0)]
	stp	x2, x3, [sp, #FRAME_X(2)]
	stp	x4, x5, [sp, #FRAME_X(4)]
	stp	x6, x7, [sp, #FRAME_X(6)]
	stp	x8, x9, [sp, #FRAME_X(8)]
	stp	x10, x11, [sp, #FRAME_X(10)]
	stp	x12, x13, [sp, #FRAME_X(12)]
	stp	x14, x15, [sp, #FRAME_X(14)]
	stp	x16, x17, [sp, #FRAME_X(16)]
	stp	x18, x19, [sp, #FRAME_X(18)]
	stp	x20, x21, [sp, #FRAME_X(20)]
	stp	x22, x23, [sp, #FRAME_X(22)]
	stp	x24, x25, [sp, #FRAME_X(24)]
	stp	x26, x27, [sp, #FRAME_X(26)]
	stp	x28, x29, [sp, #FRAME_X(28)]
	.endm

	.macro	restore_x0_x29
	ldp	x0, x1, [sp, #FRAME_X(0)]
	ldp	x2, x3, [sp, #FRAME_X(2)]
	ldp	x4, x5, [sp, #FRAME_X(4)]
	ldp	x6, x7, [sp, #FRAME_X(6)]
	ldp	x8, x9, [sp, #FRAME_X(8)]
	ldp	x10, x11, [sp, #FRAME_X(10)]
	ldp	x12, x13, [sp, #FRAME_X(12)]
	ldp	x14, x15, [sp, #FRAME_X(14)]
	ldp	x16, x17, [sp, #FRAME_X(16)]
	ldp	x18, x19, [sp, #FRAME_X(18)]
	ldp	x20, x21, [sp, #FRAME_X(20)]
	ldp	x22, x23, [sp, #FRAME_X(22)]
	ldp	x24, x25, [sp, #FRAME_X(24)]
	ldp	x26, x27, [sp, #FRAME_X(26)]
	ldp	x28, x29, [sp, #FRAME_X(28)]
	.endm

	/* x28: the thread. */
	.macro	enter_el0
	sub	sp, sp, #FRAME_SIZE
	save_x0_x29
	mrs	x21, sp_el0
	mrs	x22, elr_el1
	mrs	x23, spsr_el1
	ldr	x28, [sp, #FRAME_SIZE]
	stp	x30, x21, [sp, #FRAME_X(30)]
	stp	x22, x23, [sp, #FRAME_PC]
	stp	xzr, x22, [sp, #FRAME_LINK]
	msr	sp_el0, x28
	add	x29, sp, #FRAME_LINK
	.endm

	.macro	enter_el1
	sub	sp, sp, #FRAME_SIZE
	save_x0_x29
	add	x21, sp, #FRAME_SIZE
	enter_el1_rest
	.endm

	/* x21: the interrupted stack pointer. */
	.macro	enter_el1_rest
	mrs	x22, elr_el1
	mrs	x23, spsr_el1
	stp	x30, x21, [sp, #FRAME_X(30)]
	stp	x22, x23, [sp, #FRAME_PC]
	stp	x29, x22, [sp, #FRAME_LINK]
	mov	x24, #-1
	stp	x0, x24, [sp, #FRAME_ORIG_X0]
	add	x29, sp, #FRAME_LINK
	.endm

	.macro	vector, target
	.balign	128
	b	\target
	.endm

	.macro	vector_bad, id
	.balign	128
	msr	spsel, #1
	sub	sp, sp, #FRAME_SIZE
	str	x0, [sp]
	mov	x0, #\id
	b	bad_exception
	.endm

	.text
	.balign	2048
	.globl	vectors
	.hidden	vectors
vectors:
	vector_bad 0
	vector_bad 1
	vector_bad 2
	vector_bad 3

	.balign	128
	/* Room on this thread's stack? TPIDRRO_EL0 is zero but here. */
	msr	tpidrro_el0, x0
	mrs	x0, sp_el0
	ldr	x0, [x0, #AT_KSTACK_TOP]
	sub	x0, sp, x0
	add	x0, x0, #((KSTACK_SIZE - 16 - FRAME_SIZE) & 0xfff)
	add	x0, x0, #((KSTACK_SIZE - 16 - FRAME_SIZE) & 0xfff000)
	tbnz	x0, #63, stack_overflow
	mrs	x0, tpidrro_el0
	msr	tpidrro_el0, xzr
	b	el1_sync
	vector	el1_irq
	vector_bad 6
	vector_bad 7

	.balign	128
	enter_el0
	b	el0_sync
	.balign	128
	enter_el0
	b	el0_irq
	vector_bad 10
	.balign	128
	enter_el0
	b	el0_serror

	/* AArch32 state at EL0: it can not be entered, but the vectors exist. */
	.balign	128
	enter_el0
	b	el0_sync
	.balign	128
	enter_el0
	b	el0_irq
	vector_bad 14
	.balign	128
	enter_el0
	b	el0_serror
	.balign	128

el0_sync:
	mrs	x25, esr_el1
	lsr	x24, x25, #26
	cmp	x24, #0x15
	b.ne	el0_fault
	sxtw	x9, w8
	stp	x0, x9, [sp, #FRAME_ORIG_X0]
	msr	daifclr, #3
	mov	x0, sp
	bl	trap_syscall
	str	x0, [sp, #FRAME_X(0)]

	/* x28: the thread. */
ret_to_user:
	msr	daifset, #3
	ldr	w1, [x28, #AT_WORK]
	mov	w2, #WORK_USER
	ands	w1, w1, w2
	b.ne	user_work
	ldp	x30, x21, [sp, #FRAME_X(30)]
	ldp	x22, x23, [sp, #FRAME_PC]
	msr	sp_el0, x21
	msr	elr_el1, x22
	msr	spsr_el1, x23
	restore_x0_x29
	add	sp, sp, #FRAME_SIZE
	eret

user_work:
	msr	daifclr, #3
	mov	x0, sp
	bl	trap_user_work
	b	ret_to_user

el0_fault:
	mrs	x2, far_el1
	mov	x3, #-1
	stp	x0, x3, [sp, #FRAME_ORIG_X0]
	mov	x0, sp
	mov	x1, x25
	bl	trap_el0_sync
	b	ret_to_user

el0_irq:
	mov	x3, #-1
	stp	x0, x3, [sp, #FRAME_ORIG_X0]
	mov	x0, sp
	bl	irq_entry
	b	ret_to_user

el0_serror:
	mov	x3, #-1
	stp	x0, x3, [sp, #FRAME_ORIG_X0]
	mov	x0, sp
	mrs	x1, esr_el1
	bl	trap_el0_serror
	b	ret_to_user

el1_sync:
	enter_el1
	mov	x0, sp
	mrs	x1, esr_el1
	mrs	x2, far_el1
	bl	trap_el1_sync
	b	el1_return

el1_irq:
	enter_el1
	mov	x0, sp
	bl	irq_entry
	mrs	x28, sp_el0
	ldr	x1, [x28, #AT_PREEMPT]		/* preempt_count, and work above it */
	cbnz	w1, el1_return
	tbz	x1, #32, el1_return		/* WORK_RESCHED */
	bl	trap_preempt_irq
el1_return:
	ldr	x30, [sp, #FRAME_X(30)]
	ldp	x22, x23, [sp, #FRAME_PC]
	msr	elr_el1, x22
	msr	spsr_el1, x23
	restore_x0_x29
	add	sp, sp, #FRAME_SIZE
	eret

/* x0: vector number; its value is in the first word of the frame. */
bad_exception:
	stp	x1, x2, [sp, #FRAME_X(1)]
	mov	x1, x0
	ldr	x0, [sp]
	stp	x0, x1, [sp, #FRAME_ORIG_X0]
	ldr	x1, [sp, #FRAME_X(1)]
	save_x0_x29
	add	x21, sp, #FRAME_SIZE
	ldr	x25, [sp, #FRAME_SYSCALLNO]
	enter_el1_rest
	mov	x0, sp
	mov	x1, x25
	mrs	x2, esr_el1
	mrs	x3, far_el1
	bl	trap_bad
	b	.

/*
 * The stack has no room for a frame: go on with this CPU's emergency stack, to panic only. x0 is in
 * TPIDRRO_EL0; the user's TPIDR_EL0 is lost.
 */
stack_overflow:
	msr	tpidr_el0, x1
	mrs	x0, tpidr_el1
	adrp	x1, emergency_stack_top
	add	x1, x1, :lo12:emergency_stack_top
	ldr	x0, [x1, x0]
	mov	x1, sp
	mov	sp, x0
	sub	sp, sp, #FRAME_SIZE
	str	x1, [sp, #FRAME_SP]
	mrs	x0, tpidrro_el0
	mrs	x1, tpidr_el0
	save_x0_x29
	ldr	x21, [sp, #FRAME_SP]
	enter_el1_rest
	mov	x0, sp
	mrs	x1, esr_el1
	mrs	x2, far_el1
	bl	trap_stack_overflow
	b	.

/*
 * Where a new thread begins: the switch has loaded x19 = function, x20 = argument and returned the
 * previous thread in x0. A function that returns leads to user mode through the frame above it.
 */
	.globl	thread_begin
	.hidden	thread_begin
thread_begin:
	bl	trap_thread_start
	msr	daifclr, #3
	mov	x0, x20
	blr	x19
	mrs	x28, sp_el0
	b	ret_to_user
