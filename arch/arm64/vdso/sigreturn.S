/*
 * Where a signal handler returns to when its program gave no restorer. Unwinders find the
 * interrupted context by the frame record that x29 points at. The instruction before belongs to the
 * described range: unwinders look up pc - 1.
 */
#include <asm/unistd.h>

	.text
	.balign	16
	.cfi_startproc
	.cfi_signal_frame
	.cfi_def_cfa	x29, 0
	.cfi_offset	x29, 0
	.cfi_offset	x30, 8
	nop
	.globl	__kernel_rt_sigreturn
	.type	__kernel_rt_sigreturn, %function
__kernel_rt_sigreturn:
	mov	x8, #__NR_rt_sigreturn
	svc	#0
	.cfi_endproc
	.size	__kernel_rt_sigreturn, . - __kernel_rt_sigreturn

	/*
	 * No machine note is needed, but an empty vendor note gives the segment that Linux has: its
	 * version.
	 */
	.section .note.Linux, "a", %note
	.balign	4
	.word	6, 4, 0
	.asciz	"Linux"
	.balign	4
	.word	0x060100
	.section .note.GNU-stack, "", %progbits
