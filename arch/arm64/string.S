/*
 * memcpy, memmove, memset with general registers only (FP registers hold user state). Up to 64
 * bytes everything is loaded before anything is stored, so the short path serves overlapping copies
 * too.
 *
 * KASAN=1: kernel/base/kasan.c has the functions of these names, which check the range first.
 *
 *   x0 destination, returned; x1 source; x2 bytes left; x3 cursor in the destination
 */
#ifdef CONFIG_KASAN
#define memcpy raw_memcpy
#define memmove raw_memmove
#define memset raw_memset
#endif

	.macro	func, name
	.balign	16
	.globl	\name
	.hidden	\name
\name:
	.endm

	.text
func memmove
	sub	x4, x0, x1
	cmp	x4, x2
	b.hs	memcpy			/* the destination does not begin inside the source */
	mov	x3, x0
	cmp	x2, #64
	b.ls	copy_short
	add	x4, x1, x2		/* from the end downwards */
	add	x5, x3, x2
1:	ldp	x6, x7, [x4, #-16]
	ldp	x8, x9, [x4, #-32]
	ldp	x10, x11, [x4, #-48]
	ldp	x12, x13, [x4, #-64]!
	sub	x2, x2, #64
	stp	x6, x7, [x5, #-16]
	stp	x8, x9, [x5, #-32]
	stp	x10, x11, [x5, #-48]
	stp	x12, x13, [x5, #-64]!
	cmp	x2, #64
	b.hi	1b
	b	copy_short

func memcpy
	mov	x3, x0
	cmp	x2, #64
	b.ls	copy_short
1:	ldp	x6, x7, [x1]
	ldp	x8, x9, [x1, #16]
	ldp	x10, x11, [x1, #32]
	ldp	x12, x13, [x1, #48]
	add	x1, x1, #64
	sub	x2, x2, #64
	stp	x6, x7, [x3]
	stp	x8, x9, [x3, #16]
	stp	x10, x11, [x3, #32]
	stp	x12, x13, [x3, #48]
	add	x3, x3, #64
	cmp	x2, #64
	b.hi	1b
copy_short:				/* 0 to 64 bytes */
	add	x4, x1, x2
	add	x5, x3, x2
	cmp	x2, #16
	b.lo	2f
	ldp	x6, x7, [x1]
	ldp	x8, x9, [x4, #-16]
	cmp	x2, #32
	b.ls	1f
	ldp	x10, x11, [x1, #16]
	ldp	x12, x13, [x4, #-32]
	stp	x10, x11, [x3, #16]
	stp	x12, x13, [x5, #-32]
1:	stp	x6, x7, [x3]
	stp	x8, x9, [x5, #-16]
	ret
2:	tbz	x2, #3, 3f
	ldr	x6, [x1]
	ldr	x7, [x4, #-8]
	str	x6, [x3]
	str	x7, [x5, #-8]
	ret
3:	tbz	x2, #2, 4f
	ldr	w6, [x1]
	ldr	w7, [x4, #-4]
	str	w6, [x3]
	str	w7, [x5, #-4]
	ret
4:	cbz	x2, 5f
	lsr	x9, x2, #1		/* 1 to 3: first, middle, last */
	ldrb	w6, [x1]
	ldrb	w7, [x1, x9]
	ldrb	w8, [x4, #-1]
	strb	w6, [x3]
	strb	w7, [x3, x9]
	strb	w8, [x5, #-1]
5:	ret

/* void *memset(void *dst, int c, size_t n) */
func memset
	and	w1, w1, #0xff
	mov	x4, #0x0101010101010101
	mul	x1, x1, x4
	mov	x3, x0
	add	x5, x0, x2
	cmp	x2, #16
	b.lo	3f
	cmp	x2, #64
	b.ls	2f
1:	stp	x1, x1, [x3]
	stp	x1, x1, [x3, #16]
	stp	x1, x1, [x3, #32]
	stp	x1, x1, [x3, #48]
	add	x3, x3, #64
	sub	x2, x2, #64
	cmp	x2, #64
	b.hs	1b
	cbz	x2, 5f
	stp	x1, x1, [x5, #-64]	/* the rest, over what is done already */
	stp	x1, x1, [x5, #-48]
	stp	x1, x1, [x5, #-32]
	stp	x1, x1, [x5, #-16]
	ret
2:	stp	x1, x1, [x3]
	stp	x1, x1, [x5, #-16]
	cmp	x2, #32
	b.ls	5f
	stp	x1, x1, [x3, #16]
	stp	x1, x1, [x5, #-32]
	ret
3:	tbz	x2, #3, 4f
	str	x1, [x3]
	str	x1, [x5, #-8]
	ret
4:	cbz	x2, 5f
	strb	w1, [x3], #1
	sub	x2, x2, #1
	b	4b
5:	ret
