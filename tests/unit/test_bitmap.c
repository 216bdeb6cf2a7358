/* unit: kernel/lib/bitmap.c kernel/lib/ring.c kernel/lib/crc.c */
#include <stdlib.h>
#include "kernel/lib/bitmap.h"
#include "kernel/lib/crc.h"
#include "kernel/lib/ring.h"
#include "kernel/lib/string.h"
#include "tests/unit/unit.h"

#define BITS 300

UNIT_TEST(ranges_against_bytes)
{
	u64 *map = calloc(BITMAP_WORDS(BITS), 8);
	bool ref[BITS] = { false };

	for (u32 step = 0; step < 2000; step++) {
		u64 first = unit_random() % BITS, n = unit_random() % (BITS - first + 1), count = 0;
		bool set = unit_random() & 1;

		(set ? bitmap_set_range : bitmap_clear_range)(map, first, n);
		for (u64 i = first; i < first + n; i++)
			ref[i] = set;
		for (u64 i = 0; i < BITS; i++) {
			CHECK_EQ(bitmap_test(map, i), ref[i]);
			count += ref[i];
		}
		CHECK_EQ(bitmap_count(map, BITS), count);
		for (first = unit_random() % BITS, n = first; n < BITS && !ref[n]; n++)
			;
		CHECK_EQ(bitmap_find_set(map, BITS, first), n < BITS ? n : BITMAP_NONE);
		for (n = first; n < BITS && ref[n]; n++)
			;
		CHECK_EQ(bitmap_find_clear(map, BITS, first), n < BITS ? n : BITMAP_NONE);
	}
	free(map);
}

UNIT_TEST(aligned_ranges)
{
	u64 map[2] = { 0 };

	bitmap_set(map, 5);
	CHECK_EQ(bitmap_find_clear_range(map, 128, 0, 5, 1), 0);
	CHECK_EQ(bitmap_find_clear_range(map, 128, 0, 6, 1), 6);
	CHECK_EQ(bitmap_find_clear_range(map, 128, 0, 8, 8), 8);
	CHECK_EQ(bitmap_find_clear_range(map, 128, 0, 122, 1), 6);
	CHECK_EQ(bitmap_find_clear_range(map, 128, 0, 123, 1), BITMAP_NONE);
	CHECK_EQ(bit_count(0xf0f0), 8);
	CHECK(bit_lowest(8) == 3 && bit_highest(9) == 3 && bit_count(~0ULL) == 64);
}

UNIT_TEST(ring_wraps)
{
	u8 *buf = malloc(16);
	u8 out[32], next_in = 0, next_out = 0;
	struct ring r;

	ring_init(&r, buf, 16);
	r.head = r.tail = 0xfffffff0; /* the counters wrap too */
	for (u32 step = 0; step < 3000; step++) {
		u8 in[20];
		u32 n = (u32)(unit_random() % 20), space = ring_space(&r), got;

		for (u32 i = 0; i < n; i++)
			in[i] = (u8)(next_in + i);
		got = ring_write(&r, in, n);
		CHECK_EQ(got, MIN(n, space));
		next_in = (u8)(next_in + got);
		if (ring_put(&r, next_in))
			next_in++;
		got = ring_read(&r, out, (u32)(unit_random() % 20));
		for (u32 i = 0; i < got; i++)
			CHECK_EQ(out[i], next_out++);
		if (ring_get(&r, out))
			CHECK_EQ(out[0], next_out++);
	}
	ring_clear(&r);
	CHECK(ring_used(&r) == 0 && !ring_get(&r, out));
	free(buf);
}

/* The check values of the catalogue of parametrised CRC algorithms. */
UNIT_TEST(crc_check_values)
{
	CHECK_EQ(crc32_ieee(0, "123456789", 9), 0xcbf43926);
	CHECK_EQ((u32)~crc32c_raw(~0u, "123456789", 9), 0xe3069283);
	CHECK_EQ(crc16_ansi(0, "123456789", 9), 0xbb3d);
	CHECK_EQ(crc32_ieee(crc32_ieee(0, "1234", 4), "56789", 5), 0xcbf43926);
}
