#pragma once
/*
 * An error that is remembered until each who asks was told once. The word holds the last error, a
 * bit that says that somebody was told of it, and a number that changes with each error that
 * follows one somebody knows. A reader keeps the value he has seen last: any other one is news.
 *
 * An error that nobody was told of yet is news for readers that come later, too.
 */
#include "kernel/lib/types.h"

#define ERRSEQ_ERRNO 0xfffu
#define ERRSEQ_SEEN 0x1000u
#define ERRSEQ_ONE 0x2000u

/* Remember @err (-errno). ctx: any */
static inline void errseq_set(u32 *e, int err)
{
	u32 old = __atomic_load_n(e, __ATOMIC_ACQUIRE), new;

	do {
		new = (old & ~(ERRSEQ_ERRNO | ERRSEQ_SEEN)) | ((u32)-err & ERRSEQ_ERRNO);
		if (old & ERRSEQ_SEEN)
			new += ERRSEQ_ONE;
	} while (!__atomic_compare_exchange_n(e, &old, new, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
}

/* What a reader that begins now has seen. ctx: any */
static inline u32 errseq_sample(const u32 *e)
{
	u32 v = __atomic_load_n(e, __ATOMIC_ACQUIRE);

	return v & ERRSEQ_SEEN ? v : 0;
}

/*
 * The error since *@seen, once; 0: none. ctx: any; *@seen is the caller's alone, or torn news are
 * no harm
 */
static inline int errseq_check(u32 *e, u32 *seen)
{
	u32 v = __atomic_load_n(e, __ATOMIC_ACQUIRE);

	if (v == __atomic_load_n(seen, __ATOMIC_RELAXED) || !v)
		return 0;
	while (!(v & ERRSEQ_SEEN) &&
	       !__atomic_compare_exchange_n(e, &v, v | ERRSEQ_SEEN, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_ACQUIRE))
		;
	v |= ERRSEQ_SEEN;
	__atomic_store_n(seen, v, __ATOMIC_RELAXED);
	return -(int)(v & ERRSEQ_ERRNO);
}
