/*
 * libFuzzer: a disk with an MBR and a chain of logical partitions, or with a GPT, with bytes
 * changed as the input says: three bytes each, two of a place and one of a value. The first byte of
 * the input chooses the disk, the size of its blocks, and whether the checksums of its GPT are put
 * right afterwards, so that what is behind them is reached.
 */
#include "kernel/lib/crc.h"
#include "kernel/lib/errseq.h"
#include "tests/unit/parttable.h"

#define SECTORS 128u
#define MAX_PARTS 64u

static u8 disk[SECTORS][512];

static int disk_read(const struct part_source *s, u64 sector, void *buf)
{
	CHECK(sector < s->nsect);
	memcpy(buf, disk[sector], 512);
	return 0;
}

static u32 get32(const u8 *p)
{
	return p[0] | (u32)p[1] << 8 | (u32)p[2] << 16 | (u32)p[3] << 24;
}

static void mbr_entry(u32 sector, u32 i, u8 type, u32 from, u32 n)
{
	mbr_entry_put(disk[sector], i, type, from, n);
}

static void make_mbr(u32 unit)
{
	mbr_entry(0, 0, 0x83, 1, 4);
	mbr_entry(0, 1, 0x05, 5, 100 / unit);
	for (u32 at = 5; at < 8; at++) {
		mbr_entry(at * unit, 0, 0x83, 1, 1);
		mbr_entry(at * unit, 1, 0x05, at - 4, 2);
	}
}

/* A header in block @lba whose checksums hold for the entries in block @entries. */
static void make_header(u32 lba, u32 entries, u32 unit)
{
	u8 *h = disk[lba * unit];

	memcpy(h, "EFI PART", 8);
	put32(h + 12, 92);
	put32(h + 24, lba);
	put32(h + 40, 3);
	put32(h + 48, SECTORS / unit - 3);
	put32(h + 72, entries);
	put32(h + 80, 4);
	put32(h + 84, 128);
	for (u32 i = 0; i < 4; i++) {
		u8 *e = disk[entries * unit] + 128 * i;

		e[0] = e[16] = (u8)(i + 1);
		put32(e + 32, 3 + i);
		put32(e + 40, 3 + i);
		memset(e + 56, 'a' + (int)i, 20);
	}
}

static void make_gpt(u32 unit)
{
	mbr_entry(0, 0, 0xee, 1, SECTORS - 1);
	make_header(1, 2, unit);
	make_header(SECTORS / unit - 1, SECTORS / unit - 2, unit);
}

/* The checksums of the header in block @lba are made to hold, whatever else it says. */
static void mend(u32 lba, u32 unit)
{
	u8 *h = disk[lba * unit];
	u32 entries = get32(h + 72) % (SECTORS / unit), len = get32(h + 12);
	u64 bytes = (u64)get32(h + 80) * get32(h + 84), room = (SECTORS - entries * unit) * 512;

	put32(h + 88, crc32_ieee(0, disk[entries * unit], bytes < room ? bytes : room));
	memset(h + 16, 0, 4);
	put32(h + 16, crc32_ieee(0, h, len > 512 ? 512 : len));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n);
int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	struct part_source s = { .nsect = SECTORS, .read = disk_read };
	struct part_entry parts[MAX_PARTS];
	enum part_kind kind;
	u32 count, unit, how = n ? data[0] : 0;

	unit = how & 1 ? 8 : 1;
	s.block = unit * 512;
	memset(disk, 0, sizeof(disk));
	if (how & 2)
		make_mbr(unit);
	else
		make_gpt(unit);
	for (size_t k = 1; k + 3 <= n; k += 3)
		((u8 *)disk)[(data[k] | data[k + 1] << 8) % sizeof(disk)] = data[k + 2];
	if (how & 4) {
		mend(1, unit);
		mend(SECTORS / unit - 1, unit);
	}
	if (!parttable_read(&s, parts, MAX_PARTS, &count, &kind))
		check_parts(parts, count, MAX_PARTS, s.nsect);
	return 0;
}
