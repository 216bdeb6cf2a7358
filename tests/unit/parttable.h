#pragma once
/* What the tests and the fuzzer of partition tables share: numbers on a disk, an MBR, what must hold. */
#include "block/parttable.h"
#include "kernel/lib/string.h"
#include "tests/unit/unit.h"

static inline void put32(u8 *p, u32 v)
{
	for (u32 i = 0; i < 4; i++)
		p[i] = (u8)(v >> 8 * i);
}

/* Entry @i of the MBR, or of the record of a logical partition, in @sector. */
static inline void mbr_entry_put(u8 sector[512], u32 i, u8 type, u32 from, u32 n)
{
	u8 *e = sector + 446 + 16 * i;

	e[4] = type;
	put32(e + 8, from);
	put32(e + 12, n);
	sector[510] = 0x55;
	sector[511] = 0xaa;
}

/* Whatever the disk says, partitions lie on it, have a number, and their texts end. */
static inline void check_parts(const struct part_entry *p, u32 count, u32 most, u64 nsect)
{
	CHECK(count <= most);
	for (u32 i = 0; i < count; i++) {
		CHECK(p[i].start < nsect && p[i].nsect <= nsect - p[i].start);
		CHECK(p[i].nsect && p[i].number);
		CHECK(strnlen(p[i].label, 64) < 64 && strnlen(p[i].uuid, 40) < 40);
	}
}
