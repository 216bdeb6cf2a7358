/*
 * Where a signal handler returns to when its program gave no restorer. There is no unwind entry on
 * purpose: one by the frame record that x29 points at would give the caller of the interrupted
 * function for the interrupted place. Without one unwinders know these two instructions and read
 * the signal frame. They look up pc - 1: the instruction before keeps that out of another function.
 */
#include <asm/unistd.h>

	.text
	.balign	16
	nop
	.globl	__kernel_rt_sigreturn
	.type	__kernel_rt_sigreturn, %function
__kernel_rt_sigreturn:
	mov	x8, #__NR_rt_sigreturn
	svc	#0
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
