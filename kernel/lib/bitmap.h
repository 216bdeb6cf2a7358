#pragma once
/* Bit sets of any size as arrays of u64. Not atomic: the caller's lock guards them. */
#include "kernel/lib/types.h"

#define BITMAP_WORDS(bits) (((bits) + 63) / 64)
#define BITMAP_NONE (~0ULL)

static inline bool bitmap_test(const u64 *map, u64 bit)
{
	return map[bit / 64] >> (bit % 64) & 1;
}

static inline void bitmap_set(u64 *map, u64 bit)
{
	map[bit / 64] |= 1ULL << (bit % 64);
}

static inline void bitmap_clear(u64 *map, u64 bit)
{
	map[bit / 64] &= ~(1ULL << (bit % 64));
}

void bitmap_set_range(u64 *map, u64 first, u64 count);
void bitmap_clear_range(u64 *map, u64 first, u64 count);
/* First set (clear) bit in [@from, @bits), BITMAP_NONE if there is none. */
u64 bitmap_find_set(const u64 *map, u64 bits, u64 from);
u64 bitmap_find_clear(const u64 *map, u64 bits, u64 from);
/* First of @count clear bits in a row, starting at a multiple of @align (a power of two). */
u64 bitmap_find_clear_range(const u64 *map, u64 bits, u64 from, u64 count, u64 align);
u64 bitmap_count(const u64 *map, u64 bits);

/* Index of the lowest and highest set bit; @v is not 0. */
static inline u32 bit_lowest(u64 v)
{
	return (u32)__builtin_ctzll(v);
}

static inline u32 bit_highest(u64 v)
{
	return 63 - (u32)__builtin_clzll(v);
}

/*
 * Set bits, by the classic sum of pairs, nibbles, bytes: the compiler's own would call its library.
 */
static inline u32 bit_count(u64 v)
{
	v -= v >> 1 & 0x5555555555555555ULL;
	v = (v & 0x3333333333333333ULL) + (v >> 2 & 0x3333333333333333ULL);
	v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (u32)(v * 0x0101010101010101ULL >> 56);
}
