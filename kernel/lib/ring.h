#pragma once
/*
 * Byte ring of a power-of-two size. One producer and one consumer may work at the same time without
 * a lock (the counters only grow and are published with release); more of either need a lock.
 */
#include "kernel/lib/types.h"

struct ring {
	u8 *buf; /* I */
	u32 size; /* I: power of two */
	u32 head; /* a: bytes ever put */
	u32 tail; /* a: bytes ever taken */
};

static inline void ring_init(struct ring *r, void *buf, u32 size)
{
	r->buf = buf;
	r->size = size;
	r->head = 0;
	r->tail = 0;
}

static inline u32 ring_used(const struct ring *r)
{
	return __atomic_load_n(&r->head, __ATOMIC_ACQUIRE) -
	       __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
}

static inline u32 ring_space(const struct ring *r)
{
	return r->size - ring_used(r);
}

/* Producer: false when full. */
static inline bool ring_put(struct ring *r, u8 c)
{
	u32 head = r->head;

	if (head - __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE) == r->size)
		return false;
	r->buf[head & (r->size - 1)] = c;
	__atomic_store_n(&r->head, head + 1, __ATOMIC_RELEASE);
	return true;
}

/* Consumer: false when empty. */
static inline bool ring_get(struct ring *r, u8 *c)
{
	u32 tail = r->tail;

	if (__atomic_load_n(&r->head, __ATOMIC_ACQUIRE) == tail)
		return false;
	*c = r->buf[tail & (r->size - 1)];
	__atomic_store_n(&r->tail, tail + 1, __ATOMIC_RELEASE);
	return true;
}

/* As many of @n bytes as fit, or are there; returns how many. */
u32 ring_write(struct ring *r, const void *data, u32 n);
u32 ring_read(struct ring *r, void *data, u32 n);
/* Consumer: the bytes that lie in one piece at the tail, and taking @n of them. */
u32 ring_peek(const struct ring *r, const u8 **p);
void ring_consume(struct ring *r, u32 n);
/* Consumer: forget everything. */
void ring_clear(struct ring *r);

/* Drop all but the oldest @n bytes. The producer's. */
static inline void ring_keep(struct ring *r, u32 n)
{
	if (ring_used(r) > n)
		__atomic_store_n(&r->head, r->tail + n, __ATOMIC_RELEASE);
}
