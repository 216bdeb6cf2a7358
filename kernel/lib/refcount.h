#pragma once
/*
 * Reference counts that saturate instead of wrapping: an object that was got too often leaks, it is
 * never freed under a user. 0 means dead; ref_get_unless_zero is the lookup side of a table.
 */
#include <arch/atomic.h>

#define REF_SATURATED 0x80000000u

typedef struct {
	atomic_t n;
} refcount_t;

static inline void ref_init(refcount_t *r, u32 n)
{
	atomic_set(&r->n, n);
}

static inline u32 ref_read(const refcount_t *r)
{
	return atomic_read(&r->n);
}

static inline void ref_get(refcount_t *r)
{
	u32 v = __atomic_add_fetch(&r->n.v, 1, __ATOMIC_RELAXED);

	if (unlikely(v >= REF_SATURATED))
		atomic_set(&r->n, REF_SATURATED + (REF_SATURATED >> 1));
}

static inline bool __must_check ref_get_unless_zero(refcount_t *r)
{
	u32 v = atomic_read(&r->n);

	do {
		if (v == 0)
			return false;
		if (unlikely(v >= REF_SATURATED))
			return true;
	} while (!atomic_cmpxchg(&r->n, &v, v + 1));
	return true;
}

/* True when this was the last reference: the caller frees the object. */
static inline bool __must_check ref_put(refcount_t *r)
{
	u32 v = atomic_sub_return(&r->n, 1);

	if (unlikely(v >= REF_SATURATED)) {
		atomic_set(&r->n, REF_SATURATED + (REF_SATURATED >> 1));
		return false;
	}
	return v == 0;
}
