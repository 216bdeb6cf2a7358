/* Whole frames: zeroing by cache-line blocks, copying by pairs. */
#include <arch/memlayout.h>

#ifdef CONFIG_KASAN /* kernel/base/kasan.c has the functions of these names */
#define page_zero raw_page_zero
#define page_copy raw_page_copy
#endif

	.text
	.balign	16
/* void page_zero(void *va): DC ZVA in the CPU's block size, or stores where it is prohibited. */
	.globl	page_zero
	.hidden	page_zero
page_zero:
	mrs	x1, dczid_el0
	add	x3, x0, #PAGE_SIZE
	tbnz	x1, #4, 2f
	mov	x2, #4
	and	x1, x1, #0xf
	lsl	x2, x2, x1
	cmp	x2, #PAGE_SIZE
	b.hi	2f
1:	dc	zva, x0
	add	x0, x0, x2
	cmp	x0, x3
	b.lo	1b
	ret
2:	stp	xzr, xzr, [x0]
	stp	xzr, xzr, [x0, #16]
	stp	xzr, xzr, [x0, #32]
	stp	xzr, xzr, [x0, #48]
	add	x0, x0, #64
	cmp	x0, x3
	b.lo	2b
	ret

	.balign	16
/* void page_copy(void *dst, const void *src) */
	.globl	page_copy
	.hidden	page_copy
page_copy:
	add	x3, x0, #PAGE_SIZE
1:	ldp	x4, x5, [x1]
	ldp	x6, x7, [x1, #16]
	ldp	x8, x9, [x1, #32]
	ldp	x10, x11, [x1, #48]
	ldp	x12, x13, [x1, #64]
	ldp	x14, x15, [x1, #80]
	stp	x4, x5, [x0]
	stp	x6, x7, [x0, #16]
	stp	x8, x9, [x0, #32]
	stp	x10, x11, [x0, #48]
	ldp	x4, x5, [x1, #96]
	ldp	x6, x7, [x1, #112]
	stp	x12, x13, [x0, #64]
	stp	x14, x15, [x0, #80]
	add	x1, x1, #128
	stp	x4, x5, [x0, #96]
	stp	x6, x7, [x0, #112]
	add	x0, x0, #128
	cmp	x0, x3
	b.lo	1b
	ret
