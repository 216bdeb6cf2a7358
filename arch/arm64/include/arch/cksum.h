#pragma once
/* The inner loop of the Internet checksum, which wants the carry flag. */
#include "kernel/lib/types.h"

/*
 * Add @n blocks of 64 bytes at @at to @sum in ones' complement: what overflows 64 bits comes back
 * at the low end. @n > 0. ctx: any
 */
static inline u64 arch_cksum_blocks(const void *at, size_t n, u64 sum)
{
	u64 a, b, c, d, e, f, g, h;

	__asm__("	cmn	xzr, xzr\n" /* no carry */
		"1:	ldp	%2, %3, [%0]\n"
		"	ldp	%4, %5, [%0, #16]\n"
		"	ldp	%6, %7, [%0, #32]\n"
		"	ldp	%8, %9, [%0, #48]\n"
		"	add	%0, %0, #64\n"
		"	sub	%1, %1, #1\n"
		"	adcs	%10, %10, %2\n"
		"	adcs	%10, %10, %3\n"
		"	adcs	%10, %10, %4\n"
		"	adcs	%10, %10, %5\n"
		"	adcs	%10, %10, %6\n"
		"	adcs	%10, %10, %7\n"
		"	adcs	%10, %10, %8\n"
		"	adcs	%10, %10, %9\n"
		"	cbnz	%1, 1b\n"
		"	adcs	%10, %10, xzr\n"
		"	adc	%10, %10, xzr\n"
		: "+r"(at), "+r"(n), "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d), "=&r"(e), "=&r"(f),
		  "=&r"(g), "=&r"(h), "+r"(sum)
		:
		: "cc", "memory");
	return sum;
}
