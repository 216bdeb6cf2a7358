/*
 * Cyclic redundancy checks, four bits at a time: 16-entry tables that fit in one or two cache
 * lines, made at the first compile by the definition: entry i is i shifted right four times through
 * the reflected polynomial.
 *
 * Polynomials: IEEE 802.3 0x04c11db7, Castagnoli 0x1edc6f41 (RFC 3720), CRC-16 0x8005. Any context,
 * no sleep.
 */
#include "kernel/lib/crc.h"

#define STEP(v, poly) ((v) >> 1 ^ ((v)&1 ? (poly) : 0))
#define STEP4(v, poly) STEP(STEP(STEP(STEP((v), poly), poly), poly), poly)
#define ROW4(v, poly) \
	STEP4((v), poly), STEP4((v) + 1, poly), STEP4((v) + 2, poly), STEP4((v) + 3, poly)
#define TABLE(poly)                                                         \
	{                                                                   \
		ROW4(0, poly), ROW4(4, poly), ROW4(8, poly), ROW4(12, poly) \
	}

static const u32 table_ieee[16] = TABLE(0xedb88320u);
static const u32 table_castagnoli[16] = TABLE(0x82f63b78u);
static const u16 table_ansi[16] = TABLE(0xa001u);

static u32 crc32_run(const u32 table[16], u32 crc, const u8 *p, size_t n)
{
	for (; n; n--) {
		crc ^= *p++;
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return crc;
}

/* See crc.h. */
u32 crc32_ieee(u32 crc, const void *data, size_t n)
{
	return ~crc32_run(table_ieee, ~crc, data, n);
}

/* See crc.h. */
u32 crc32c_raw(u32 crc, const void *data, size_t n)
{
	return crc32_run(table_castagnoli, crc, data, n);
}

/* See crc.h. */
u16 crc16_ansi(u16 crc, const void *data, size_t n)
{
	const u8 *p = data;

	for (; n; n--) {
		crc ^= *p++;
		crc = crc >> 4 ^ table_ansi[crc & 15];
		crc = crc >> 4 ^ table_ansi[crc & 15];
	}
	return crc;
}
