#pragma once
/* The host's: no carry flag. */
#include "kernel/lib/string.h"

static inline u64 arch_cksum_blocks(const void *at, size_t n, u64 sum)
{
	for (size_t i = 0; i < 8 * n; i++) {
		u64 w;

		memcpy(&w, (const u8 *)at + 8 * i, 8);
		sum += w;
		sum += sum < w;
	}
	return sum;
}
