/*
 * Searching and filling bit sets, a 64-bit word at a time. Bit n is bit n % 64 of word n / 64.
 *
 * Nothing here locks or sleeps; any context.
 */
#include "kernel/lib/bitmap.h"

/* Bits [first, first + count) of one word. */
static u64 word_mask(u64 first, u64 count)
{
	return (count >= 64 ? ~0ULL : (1ULL << count) - 1) << first;
}

/* Set @count bits from @first. */
void bitmap_set_range(u64 *map, u64 first, u64 count)
{
	while (count) {
		u64 n = MIN(count, 64 - first % 64);

		map[first / 64] |= word_mask(first % 64, n);
		first += n;
		count -= n;
	}
}

/* Clear @count bits from @first. */
void bitmap_clear_range(u64 *map, u64 first, u64 count)
{
	while (count) {
		u64 n = MIN(count, 64 - first % 64);

		map[first / 64] &= ~word_mask(first % 64, n);
		first += n;
		count -= n;
	}
}

/* First bit in [from, bits) of the map with every word changed by @flip. */
static u64 find(const u64 *map, u64 bits, u64 from, u64 flip)
{
	while (from < bits) {
		u64 w = (map[from / 64] ^ flip) & (~0ULL << (from % 64));

		if (w) {
			u64 bit = ALIGN_DOWN(from, 64) + bit_lowest(w);

			return bit < bits ? bit : BITMAP_NONE;
		}
		from = ALIGN_DOWN(from, 64) + 64;
	}
	return BITMAP_NONE;
}

/* See bitmap.h. */
u64 bitmap_find_set(const u64 *map, u64 bits, u64 from)
{
	return find(map, bits, from, 0);
}

/* See bitmap.h. */
u64 bitmap_find_clear(const u64 *map, u64 bits, u64 from)
{
	return find(map, bits, from, ~0ULL);
}

/* See bitmap.h. */
u64 bitmap_find_clear_range(const u64 *map, u64 bits, u64 from, u64 count, u64 align)
{
	for (;;) {
		u64 start = bitmap_find_clear(map, bits, from);
		u64 used;

		if (start == BITMAP_NONE)
			return BITMAP_NONE;
		start = ALIGN_UP(start, align);
		if (start >= bits || count > bits - start)
			return BITMAP_NONE;
		used = bitmap_find_set(map, start + count, start);
		if (used == BITMAP_NONE)
			return start;
		from = used + 1;
	}
}

/* Set bits among the first @bits. */
u64 bitmap_count(const u64 *map, u64 bits)
{
	u64 n = 0;

	for (u64 i = 0; i < bits / 64; i++)
		n += bit_count(map[i]);
	if (bits % 64)
		n += bit_count(map[bits / 64] & word_mask(0, bits % 64));
	return n;
}
