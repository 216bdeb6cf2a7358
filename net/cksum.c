/*
 * The Internet checksum (RFC 1071): the sum of 16-bit words in ones' complement.
 *
 * Such a sum is the same whatever the word length it is made with, as long as carries come back at
 * the low end; so it is made of 64-bit words with two accumulators of 32-bit halves, which cannot
 * overflow within the 64 KiB of a packet. The order of bytes does not matter either: the result
 * lies in memory as the data did.
 */
#include "kernel/lib/string.h"
#include "net/pkt.h"

/* See pkt.h. */
u32 cksum_add(const void *data, size_t n, u32 sum)
{
	const u8 *at = data;
	u64 low = sum, high = 0, w;

	for (; n >= 16; n -= 16, at += 16) {
		u64 v;

		memcpy(&w, at, 8);
		memcpy(&v, at + 8, 8);
		low += (w & 0xffffffff) + (v & 0xffffffff);
		high += (w >> 32) + (v >> 32);
	}
	for (; n >= 4; n -= 4, at += 4) {
		u32 v;

		memcpy(&v, at, 4);
		low += v;
	}
	w = 0;
	memcpy(&w, at, n); /* the bytes left, zeroes behind them */
	low += w + high;
	low = (low & 0xffffffff) + (low >> 32);
	return (u32)low + (u32)(low >> 32);
}
