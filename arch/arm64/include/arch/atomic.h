#pragma once
/*
 * Atomic words. Read-modify-write operations are full acquire+release unless the name says
 * _relaxed; load_acquire/store_release pair as in the C11 model.
 */
#include "kernel/lib/types.h"

typedef struct {
	u32 v;
} atomic_t;

typedef struct {
	u64 v;
} atomic64_t;

#define atomic_read(a) __atomic_load_n(&(a)->v, __ATOMIC_RELAXED)
#define atomic_read_acquire(a) __atomic_load_n(&(a)->v, __ATOMIC_ACQUIRE)
#define atomic_set(a, x) __atomic_store_n(&(a)->v, (x), __ATOMIC_RELAXED)
#define atomic_set_release(a, x) __atomic_store_n(&(a)->v, (x), __ATOMIC_RELEASE)
#define atomic_add(a, x) ((void)__atomic_fetch_add(&(a)->v, (x), __ATOMIC_RELAXED))
#define atomic_sub(a, x) ((void)__atomic_fetch_sub(&(a)->v, (x), __ATOMIC_RELAXED))
#define atomic_inc(a) atomic_add(a, 1)
#define atomic_dec(a) atomic_sub(a, 1)
#define atomic_add_return(a, x) __atomic_add_fetch(&(a)->v, (x), __ATOMIC_ACQ_REL)
#define atomic_sub_return(a, x) __atomic_sub_fetch(&(a)->v, (x), __ATOMIC_ACQ_REL)
#define atomic_xchg(a, x) __atomic_exchange_n(&(a)->v, (x), __ATOMIC_ACQ_REL)
/* On failure *(old) is the value found. */
#define atomic_cmpxchg(a, old, x) \
	__atomic_compare_exchange_n(&(a)->v, (old), (x), false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)

#define load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define store_release(p, x) __atomic_store_n((p), (x), __ATOMIC_RELEASE)
#define word_or(p, x) __atomic_fetch_or((p), (x), __ATOMIC_ACQ_REL)
#define word_and(p, x) __atomic_fetch_and((p), (x), __ATOMIC_ACQ_REL)
#define word_xchg(p, x) __atomic_exchange_n((p), (x), __ATOMIC_ACQ_REL)
