/*
 * The vDSO image, whole pages, as exec maps it; its ELF entry point is __kernel_rt_sigreturn
 * (vdso.ld).
 */
#include <arch/memlayout.h>

	.section .rodata
	.balign	PAGE_SIZE
	.globl	vdso_start, vdso_end
	.hidden	vdso_start, vdso_end
vdso_start:
	.incbin	"vdso.so"
	.balign	PAGE_SIZE
vdso_end:
