/*
 * Moving runs of bytes through a ring (see ring.h for the structure and who may call what when).
 *
 * The counters run freely over 32 bits; their difference is the fill, and the low bits the place.
 * Any context, no sleep.
 */
#include "kernel/lib/ring.h"
#include "kernel/lib/string.h"

/* Producer: put up to @n bytes; returns how many fitted. */
u32 ring_write(struct ring *r, const void *data, u32 n)
{
	u32 at = r->head & (r->size - 1);
	u32 first;

	n = MIN(n, ring_space(r));
	first = MIN(n, r->size - at);
	memcpy(r->buf + at, data, first);
	memcpy(r->buf, (const u8 *)data + first, n - first);
	__atomic_store_n(&r->head, r->head + n, __ATOMIC_RELEASE);
	return n;
}

/* Consumer: take up to @n bytes; returns how many there were. */
u32 ring_read(struct ring *r, void *data, u32 n)
{
	u32 at = r->tail & (r->size - 1);
	u32 first;

	n = MIN(n, ring_used(r));
	first = MIN(n, r->size - at);
	memcpy(data, r->buf + at, first);
	memcpy((u8 *)data + first, r->buf, n - first);
	ring_consume(r, n);
	return n;
}

/* Consumer: the bytes in one piece at the tail; returns how many. */
u32 ring_peek(const struct ring *r, const u8 **p)
{
	u32 at = r->tail & (r->size - 1);

	*p = r->buf + at;
	return MIN(ring_used(r), r->size - at);
}

/* Consumer: drop @n bytes, which must be there. */
void ring_consume(struct ring *r, u32 n)
{
	__atomic_store_n(&r->tail, r->tail + n, __ATOMIC_RELEASE);
}

/* Consumer: drop everything. */
void ring_clear(struct ring *r)
{
	ring_consume(r, ring_used(r));
}
