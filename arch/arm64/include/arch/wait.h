#pragma once
/*
 * Waiting for another CPU to change a word, with the CPU asleep between tries: the exclusive load
 * arms the monitor, and the store by the other CPU is the event that ends WFE. For waits as short
 * as a spinlock section only.
 */
#include "kernel/lib/types.h"

/* Return the first value of *@p that is not @old (acquire). ctx: any. */
static __always_inline u32 arch_wait_change32(const u32 *p, u32 old)
{
	u32 v;

	__asm__ volatile("	sevl\n"
			 "1:	wfe\n"
			 "	ldaxr	%w0, %1\n"
			 "	cmp	%w0, %w2\n"
			 "	b.eq	1b\n"
			 : "=&r"(v)
			 : "Q"(*p), "r"(old)
			 : "cc", "memory");
	return v;
}

static __always_inline u64 arch_wait_change64(const u64 *p, u64 old)
{
	u64 v;

	__asm__ volatile("	sevl\n"
			 "1:	wfe\n"
			 "	ldaxr	%0, %1\n"
			 "	cmp	%0, %2\n"
			 "	b.eq	1b\n"
			 : "=&r"(v)
			 : "Q"(*p), "r"(old)
			 : "cc", "memory");
	return v;
}
