#pragma once
/*
 * Raw access to user memory: unprivileged loads and stores with fixups (user.S). Nobody includes
 * this but kernel/base/uio.c and kernel/proc/futex.c.
 *
 * Each returns 0 or -EFAULT unless noted. Addresses are checked against USER_TOP by the caller
 * (user_ok).
 */
#include <arch/memlayout.h>
#include "kernel/lib/types.h"

static inline bool user_ok(u64 addr, u64 len)
{
	return len <= USER_TOP && addr <= USER_TOP - len;
}

/* Bytes NOT copied (0 = all). May fault pages in (sleeps) when preemptible. */
size_t arch_user_copy_in(void *dst, u64 src, size_t n);
size_t arch_user_copy_out(u64 dst, const void *src, size_t n);
size_t arch_user_clear(u64 dst, size_t n);
/*
 * Length of the string without NUL, copied with NUL if it fits in @size; -EFAULT; @size if no NUL
 * was found.
 */
s64 arch_user_strncpy(char *dst, u64 src, size_t size);

/* Single aligned words; futex and friends. */
int __must_check arch_user_load32(u32 *out, u64 addr);
int __must_check arch_user_store32(u64 addr, u32 v);
int __must_check arch_user_load64(u64 *out, u64 addr);
int __must_check arch_user_store64(u64 addr, u64 v);
/*
 * Atomic compare-and-swap; *found is the value there. 0, -EFAULT, or -EAGAIN after too many lost
 * races.
 */
int __must_check arch_user_cmpxchg32(u64 addr, u32 old, u32 new, u32 *found);
/* Atomic op for FUTEX_WAKE_OP: op 0 set, 1 add, 2 or, 3 andn, 4 xor. */
int __must_check arch_user_atomic32(u64 addr, int op, u32 operand, u32 *old);
