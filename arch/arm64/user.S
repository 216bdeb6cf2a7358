/*
 * Access to user memory by unprivileged loads and stores (LDTR, STTR), which have EL0's rights
 * whatever PAN says.
 *
 * A fault in one of these instructions is offered to trap_kernel_user_access(); if it cannot be
 * resolved, the trap goes on at the fixup of the range of instructions (.ex_table, see trap.c). The
 * fixup of the wide loops is the byte loop, which starts at the last address known to be done and
 * finds the exact byte that faults.
 */
#include <asm-generic/errno-base.h>

	/* Instructions from @from to here go on at @fixup. */
	.macro	on_fault, from, fixup
	.pushsection .ex_table, "a"
	.balign	4
	.word	\from - ., 9999f - ., \fixup - .
	.popsection
9999:
	.endm

	.macro	func, name
	.balign	16
	.globl	\name
	.hidden	\name
\name:
	.endm

	.text
/* size_t raw_user_copy_in(void *dst, u64 src, size_t n): bytes not copied. */
func raw_user_copy_in
	cmp	x2, #64
	b.lo	3f
	sub	x2, x2, #64
1:	ldtr	x3, [x1]
	ldtr	x4, [x1, #8]
	ldtr	x5, [x1, #16]
	ldtr	x6, [x1, #24]
	ldtr	x7, [x1, #32]
	ldtr	x8, [x1, #40]
	ldtr	x9, [x1, #48]
	ldtr	x10, [x1, #56]
	on_fault 1b, 9f
	stp	x5, x6, [x0, #16]
	stp	x7, x8, [x0, #32]
	stp	x9, x10, [x0, #48]
	stp	x3, x4, [x0], #64
	add	x1, x1, #64
	subs	x2, x2, #64
	b.hs	1b
	add	x2, x2, #64
3:	tbz	x2, #5, 7f
2:	ldtr	x3, [x1]
	ldtr	x4, [x1, #8]
	ldtr	x5, [x1, #16]
	ldtr	x6, [x1, #24]
	on_fault 2b, 5f
	sub	x2, x2, #32
	stp	x3, x4, [x0]
	stp	x5, x6, [x0, #16]
	add	x1, x1, #32
	add	x0, x0, #32
7:	cmp	x2, #8
	b.lo	6f
4:	ldtr	x3, [x1]
	on_fault 4b, 5f
	sub	x2, x2, #8
	str	x3, [x0], #8
	add	x1, x1, #8
	cmp	x2, #8
	b.hs	4b
6:	cbz	x2, 8f
5:	ldtrb	w3, [x1]
	on_fault 5b, 8f
	strb	w3, [x0], #1
	add	x1, x1, #1
	subs	x2, x2, #1
	b.ne	5b
8:	mov	x0, x2
	ret
9:	add	x2, x2, #64
	b	5b

/* size_t raw_user_copy_out(u64 dst, const void *src, size_t n): bytes not copied. */
func raw_user_copy_out
	cmp	x2, #64
	b.lo	3f
	sub	x2, x2, #64
1:	ldp	x5, x6, [x1, #16]
	ldp	x7, x8, [x1, #32]
	ldp	x9, x10, [x1, #48]
	ldp	x3, x4, [x1], #64
2:	sttr	x3, [x0]
	sttr	x4, [x0, #8]
	sttr	x5, [x0, #16]
	sttr	x6, [x0, #24]
	sttr	x7, [x0, #32]
	sttr	x8, [x0, #40]
	sttr	x9, [x0, #48]
	sttr	x10, [x0, #56]
	on_fault 2b, 12f
	add	x0, x0, #64
	subs	x2, x2, #64
	b.hs	1b
	add	x2, x2, #64
3:	tbz	x2, #5, 11f
	ldp	x3, x4, [x1]
	ldp	x5, x6, [x1, #16]
10:	sttr	x3, [x0]
	sttr	x4, [x0, #8]
	sttr	x5, [x0, #16]
	sttr	x6, [x0, #24]
	on_fault 10b, 5f
	sub	x2, x2, #32
	add	x1, x1, #32
	add	x0, x0, #32
11:	cmp	x2, #8
	b.lo	6f
4:	ldr	x3, [x1]
7:	sttr	x3, [x0]
	on_fault 7b, 5f
	sub	x2, x2, #8
	add	x1, x1, #8
	add	x0, x0, #8
	cmp	x2, #8
	b.hs	4b
6:	cbz	x2, 8f
5:	ldrb	w3, [x1]
9:	sttrb	w3, [x0]
	on_fault 9b, 8f
	add	x1, x1, #1
	add	x0, x0, #1
	subs	x2, x2, #1
	b.ne	5b
8:	mov	x0, x2
	ret
12:	sub	x1, x1, #64
	add	x2, x2, #64
	b	5b

/* size_t raw_user_clear(u64 dst, size_t n): bytes not cleared. */
func raw_user_clear
	cmp	x1, #64
	b.lo	3f
1:	sttr	xzr, [x0]
	sttr	xzr, [x0, #8]
	sttr	xzr, [x0, #16]
	sttr	xzr, [x0, #24]
	sttr	xzr, [x0, #32]
	sttr	xzr, [x0, #40]
	sttr	xzr, [x0, #48]
	sttr	xzr, [x0, #56]
	on_fault 1b, 5f
	sub	x1, x1, #64
	add	x0, x0, #64
	cmp	x1, #64
	b.hs	1b
3:	cbz	x1, 8f
5:	sttrb	wzr, [x0]
	on_fault 5b, 8f
	add	x0, x0, #1
	subs	x1, x1, #1
	b.ne	5b
8:	mov	x0, x1
	ret

/*
 * s64 raw_user_strncpy(char *dst, u64 src, size_t size): eight bytes at a time while they fit and
 * cannot cross into the next page, else one. The test for a zero byte is (x - 0x01..01) & ~x &
 * 0x80..80.
 */
func raw_user_strncpy
	mov	x3, x0
	mov	x4, x2
	mov	x10, #0x0101010101010101
1:	cmp	x4, #8
	b.lo	4f
	and	x5, x1, #0xfff
	cmp	x5, #0xff8
	b.hi	4f
2:	ldtr	x5, [x1]
	on_fault 2b, 4f
	sub	x6, x5, x10
	bic	x6, x6, x5
	ands	x6, x6, #0x8080808080808080
	str	x5, [x3], #8
	b.ne	3f
	add	x1, x1, #8
	sub	x4, x4, #8
	b	1b
3:	rev	x6, x6
	clz	x6, x6
	sub	x0, x3, x0
	sub	x0, x0, #8
	add	x0, x0, x6, lsr #3
	ret
4:	cbz	x4, 7f
5:	ldtrb	w5, [x1]
	on_fault 5b, 8f
	strb	w5, [x3], #1
	cbz	w5, 6f
	add	x1, x1, #1
	sub	x4, x4, #1
	tst	x1, #0xfff
	b.ne	4b
	b	1b
6:	sub	x0, x3, x0
	sub	x0, x0, #1
	ret
7:	mov	x0, x2
	ret
8:	mov	x0, #-EFAULT
	ret

/* int raw_user_load32(u32 *out, u64 addr) and the other single words. */
func raw_user_load32
1:	ldtr	w2, [x1]
	on_fault 1b, user_efault
	str	w2, [x0]
	mov	x0, #0
	ret

func raw_user_load64
1:	ldtr	x2, [x1]
	on_fault 1b, user_efault
	str	x2, [x0]
	mov	x0, #0
	ret

func raw_user_store32
1:	sttr	w1, [x0]
	on_fault 1b, user_efault
	mov	x0, #0
	ret

func raw_user_store64
1:	sttr	x1, [x0]
	on_fault 1b, user_efault
	mov	x0, #0
	ret

user_efault:
	mov	x0, #-EFAULT
	ret

/*
 * There is no unprivileged exclusive access: these two use ordinary ones and lift PAN meanwhile.
 * EL1 has EL0's rights on user pages, but for those of PROT_NONE mappings, which therefore are not
 * readable at EL1 either (pmap.c).
 */
	.arch	armv8.1-a
/* int raw_user_cmpxchg32(u64 addr, u32 old, u32 new, u32 *found) */
func raw_user_cmpxchg32
	adrp	x8, cpu_has_pan
	ldrb	w8, [x8, :lo12:cpu_has_pan]
	mov	w7, #128
	cbz	w8, 1f
	msr	pan, #0
1:	ldxr	w5, [x0]
	cmp	w5, w1
	b.ne	2f
	stlxr	w6, w2, [x0]
	cbz	w6, 3f
	subs	w7, w7, #1
	b.ne	1b
	on_fault 1b, 6f
	mov	x0, #-EAGAIN
	b	5f
2:	clrex
3:	dmb	ish
	str	w5, [x3]
	mov	x0, #0
5:	cbz	w8, 7f
	msr	pan, #1
7:	ret
6:	mov	x0, #-EFAULT
	b	5b

/* int raw_user_atomic32(u64 addr, int op, u32 operand, u32 *old) */
func raw_user_atomic32
	adrp	x8, cpu_has_pan
	ldrb	w8, [x8, :lo12:cpu_has_pan]
	mov	w7, #128
	cbz	w8, 1f
	msr	pan, #0
1:	ldxr	w5, [x0]
	mov	w6, w2
	cbz	w1, 4f
	add	w6, w5, w2
	cmp	w1, #2
	b.lo	4f
	orr	w6, w5, w2
	b.eq	4f
	bic	w6, w5, w2
	cmp	w1, #4
	b.lo	4f
	eor	w6, w5, w2
4:	stlxr	w9, w6, [x0]
	cbz	w9, 3f
	subs	w7, w7, #1
	b.ne	1b
	on_fault 1b, 6f
	mov	x0, #-EAGAIN
	b	5f
3:	dmb	ish
	str	w5, [x3]
	mov	x0, #0
5:	cbz	w8, 7f
	msr	pan, #1
7:	ret
6:	mov	x0, #-EFAULT
	b	5b
