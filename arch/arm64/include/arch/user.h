#pragma once
/*
 * Raw access to user memory: unprivileged loads and stores with fixups (user.S). Nobody includes
 * this but kernel/base/uio.c and kernel/proc/futex.c.
 *
 * Each returns 0 or -EFAULT unless noted. Addresses are checked against USER_TOP by the caller
 * (user_ok). The address sanitizer looks at the kernel's side here, for the assembly does not.
 */
#include <arch/memlayout.h>
#include "kernel/base/kasan.h"
#include "kernel/lib/types.h"

/* user.S; callers use the functions below. */
size_t raw_user_copy_in(void *dst, u64 src, size_t n);
size_t raw_user_copy_out(u64 dst, const void *src, size_t n);
size_t raw_user_clear(u64 dst, size_t n);
s64 raw_user_strncpy(char *dst, u64 src, size_t size);
int __must_check raw_user_load32(u32 *out, u64 addr);
int __must_check raw_user_store32(u64 addr, u32 v);
int __must_check raw_user_load64(u64 *out, u64 addr);
int __must_check raw_user_store64(u64 addr, u64 v);
int __must_check raw_user_cmpxchg32(u64 addr, u32 old, u32 new, u32 *found);
int __must_check raw_user_atomic32(u64 addr, int op, u32 operand, u32 *old);

/* Bytes NOT copied (0 = all). May fault pages in (sleeps) when preemptible. */
static inline size_t arch_user_copy_in(void *dst, u64 src, size_t n)
{
	kasan_check_write(dst, n);
	return raw_user_copy_in(dst, src, n);
}

static inline size_t arch_user_copy_out(u64 dst, const void *src, size_t n)
{
	kasan_check_read(src, n);
	return raw_user_copy_out(dst, src, n);
}

static inline size_t arch_user_clear(u64 dst, size_t n)
{
	return raw_user_clear(dst, n);
}

/*
 * Length of the string without NUL, copied with NUL if it fits in @size; -EFAULT; @size if no NUL
 * was found.
 */
static inline s64 arch_user_strncpy(char *dst, u64 src, size_t size)
{
	kasan_check_write(dst, size);
	return raw_user_strncpy(dst, src, size);
}

/* Single aligned words; futex and friends. */
static inline int __must_check arch_user_load32(u32 *out, u64 addr)
{
	kasan_check_write(out, sizeof(*out));
	return raw_user_load32(out, addr);
}

static inline int __must_check arch_user_store32(u64 addr, u32 v)
{
	return raw_user_store32(addr, v);
}

static inline int __must_check arch_user_load64(u64 *out, u64 addr)
{
	kasan_check_write(out, sizeof(*out));
	return raw_user_load64(out, addr);
}

static inline int __must_check arch_user_store64(u64 addr, u64 v)
{
	return raw_user_store64(addr, v);
}

/*
 * Atomic compare-and-swap; *found is the value there. 0, -EFAULT, or -EAGAIN after too many lost
 * races.
 */
static inline int __must_check arch_user_cmpxchg32(u64 addr, u32 old, u32 new, u32 *found)
{
	kasan_check_write(found, sizeof(*found));
	return raw_user_cmpxchg32(addr, old, new, found);
}

/* Atomic op for FUTEX_WAKE_OP: op 0 set, 1 add, 2 or, 3 andn, 4 xor. */
static inline int __must_check arch_user_atomic32(u64 addr, int op, u32 operand, u32 *old)
{
	kasan_check_write(old, sizeof(*old));
	return raw_user_atomic32(addr, op, operand, old);
}
