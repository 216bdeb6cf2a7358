/*
 * The Internet checksum (RFC 1071): the sum of 16-bit words in ones' complement.
 *
 * Such a sum is the same whatever the word length it is made with, as long as carries come back at
 * the low end; so it is made of 64-bit words, of which arch/cksum.h adds whole blocks. The order of
 * bytes does not matter either: the result lies in memory as the data did.
 */
#include <arch/cksum.h>
#include "kernel/lib/string.h"
#include "net/pkt.h"

/* See pkt.h. */
u32 cksum_add(const void *data, size_t n, u32 sum)
{
	const u8 *at = data;
	u64 low = sum, high = 0, w = 0;

	if (n >= 64) {
		high = arch_cksum_blocks(at, n / 64, low);
		low = high & 0xffffffff;
		high >>= 32;
		at += n & ~(size_t)63;
		n &= 63;
	}
	for (; n >= 4; n -= 4, at += 4) {
		u32 v;

		memcpy(&v, at, 4);
		low += v;
	}
	if (n)
		memcpy(&w, at, n); /* the bytes left, zeroes behind them */
	low += w + high;
	low = (low & 0xffffffff) + (low >> 32);
	return (u32)low + (u32)(low >> 32);
}
