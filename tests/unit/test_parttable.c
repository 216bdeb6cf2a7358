/* unit: block/parttable.c kernel/lib/crc.c kernel/lib/fmt.c kernel/lib/string.c */
/* Partition tables, sound, damaged and hostile. */
#include "kernel/lib/crc.h"
#include "kernel/lib/errseq.h"
#include "tests/unit/parttable.h"

#define SECTORS 4096u
#define MAX_PARTS 128u

static u8 disk[SECTORS][512];
static struct part_entry parts[MAX_PARTS];
static u32 count, reads;
static enum part_kind kind;
static u64 unreadable;

static int disk_read(const struct part_source *s, u64 sector, void *buf)
{
	CHECK(sector < SECTORS);
	reads++;
	if (sector == unreadable)
		return -5;
	memcpy(buf, disk[sector], 512);
	return 0;
}

static int parse_of(u64 nsect, u32 block)
{
	struct part_source s = { .nsect = nsect, .block = block, .read = disk_read };
	int err;

	reads = 0;
	memset(parts, 0xa5, sizeof(parts));
	err = parttable_read(&s, parts, MAX_PARTS, &count, &kind);
	check_parts(parts, count, MAX_PARTS, nsect);
	return err;
}

static int parse(void)
{
	return parse_of(SECTORS, 512);
}

static void put64(u8 *p, u64 v)
{
	put32(p, (u32)v);
	put32(p + 4, (u32)(v >> 32));
}

static void start(void)
{
	memset(disk, 0, sizeof(disk));
	unreadable = ~0ull;
}

static void mbr_entry(u64 sector, u32 i, u8 type, u32 from, u32 n)
{
	mbr_entry_put(disk[sector], i, type, from, n);
}

UNIT_TEST(a_disk_without_a_table)
{
	start();
	CHECK_EQ(parse(), 0);
	CHECK_EQ(count, 0);
	CHECK_EQ(kind, PART_NONE);
	unreadable = 0;
	CHECK_EQ(parse(), -5);
	CHECK_EQ(parse_of(0, 512), 0);
}

UNIT_TEST(a_boot_sector_is_no_table)
{
	start();
	mbr_entry(0, 0, 0x83, 64, 64);
	disk[0][446] = 0x31;
	CHECK_EQ(parse(), 0);
	CHECK_EQ(count, 0);
}

UNIT_TEST(primary_partitions)
{
	start();
	put32(disk[0] + 440, 0xcafe0102);
	mbr_entry(0, 0, 0x83, 64, 100);
	mbr_entry(0, 2, 0x82, 200, 100000);
	mbr_entry(0, 3, 0x83, 5000, 10);
	CHECK_EQ(parse(), 0);
	CHECK_EQ(kind, PART_MBR);
	CHECK_EQ(count, 2);
	CHECK_EQ(parts[0].number, 1);
	CHECK_EQ(parts[0].start, 64);
	CHECK_EQ(parts[0].nsect, 100);
	CHECK_STR(parts[0].uuid, "cafe0102-01");
	CHECK_EQ(parts[1].number, 3);
	CHECK_EQ(parts[1].nsect, SECTORS - 200);
	CHECK_EQ(parse_of(SECTORS, 1024), 0);
	CHECK_EQ(parts[0].start, 128);
}

UNIT_TEST(logical_partitions)
{
	start();
	mbr_entry(0, 1, 0x0f, 1000, 2000);
	mbr_entry(1000, 0, 0x83, 10, 100);
	mbr_entry(1000, 1, 0x05, 500, 300);
	mbr_entry(1500, 0, 0x83, 10, 200);
	CHECK_EQ(parse(), 0);
	CHECK_EQ(count, 3);
	CHECK_EQ(parts[0].number, 2);
	CHECK_EQ(parts[0].nsect, 2);
	CHECK_EQ(parts[1].number, 5);
	CHECK_EQ(parts[1].start, 1010);
	CHECK_EQ(parts[2].number, 6);
	CHECK_EQ(parts[2].start, 1510);
}

UNIT_TEST(a_chain_that_bites_its_tail_ends)
{
	start();
	mbr_entry(0, 0, 0x05, 1000, 2000);
	mbr_entry(1000, 0, 0x83, 10, 20);
	mbr_entry(1000, 1, 0x05, 100, 100);
	mbr_entry(1100, 0, 0x83, 10, 20);
	mbr_entry(1100, 1, 0x05, 100, 100);
	CHECK_EQ(parse(), 0);
	CHECK(reads < 200);
	unreadable = 1100;
	CHECK_EQ(parse(), -5);
}

/* --- GPT --- */

static void gpt_finish(u64 lba, u64 entries)
{
	u8 *h = disk[lba];

	put32(h + 88, crc32_ieee(0, disk[entries], 128 * 128));
	put32(h + 16, 0);
	put32(h + 16, crc32_ieee(0, h, 92));
}

static void gpt_header(u64 lba, u64 other, u64 entries)
{
	u8 *h = disk[lba];

	memcpy(h, "EFI PART", 8);
	put32(h + 8, 0x10000);
	put32(h + 12, 92);
	put64(h + 24, lba);
	put64(h + 32, other);
	put64(h + 40, 34);
	put64(h + 48, SECTORS - 34);
	put64(h + 72, entries);
	put32(h + 80, 128);
	put32(h + 84, 128);
	gpt_finish(lba, entries);
}

static void gpt_entry(u64 entries, u32 i, u64 first, u64 last, const char *name)
{
	u8 *e = (u8 *)disk[entries] + 128 * i;

	memset(e, 0x11 + (int)i, 32);
	put64(e + 32, first);
	put64(e + 40, last);
	for (u32 k = 0; name[k]; k++)
		e[56 + 2 * k] = (u8)name[k];
}

static void gpt(void)
{
	start();
	mbr_entry(0, 0, 0xee, 1, SECTORS - 1);
	for (u64 at = 2; at < SECTORS; at += SECTORS - 33 - 2) {
		gpt_entry(at, 0, 64, 127, "root");
		gpt_entry(at, 3, 128, 1023, "\xe4");
		gpt_entry(at, 4, 5, 9, "before the first usable block");
		gpt_entry(at, 5, 2000, 1999, "backwards");
		gpt_entry(at, 6, 2000, SECTORS, "too long");
	}
	gpt_header(1, SECTORS - 1, 2);
	gpt_header(SECTORS - 1, 1, SECTORS - 33);
}

static void expect_gpt(enum part_kind which)
{
	CHECK_EQ(parse(), 0);
	CHECK_EQ(kind, which);
	CHECK_EQ(count, 2);
	CHECK_EQ(parts[0].number, 1);
	CHECK_EQ(parts[0].nsect, 64);
	CHECK_STR(parts[0].label, "root");
	CHECK_STR(parts[0].uuid, "11111111-1111-1111-1111-111111111111");
	CHECK_EQ(parts[1].number, 4);
	CHECK_STR(parts[1].label, "\xc3\xa4");
}

UNIT_TEST(gpt_both_copies)
{
	gpt();
	expect_gpt(PART_GPT);
	disk[1][60] ^= 1; /* header */
	expect_gpt(PART_GPT_BACKUP);
	gpt();
	disk[2][200] ^= 1; /* array */
	expect_gpt(PART_GPT_BACKUP);
	gpt();
	unreadable = 3;
	expect_gpt(PART_GPT_BACKUP);
	gpt();
	unreadable = SECTORS - 1;
	expect_gpt(PART_GPT);
}

UNIT_TEST(gpt_neither_copy)
{
	gpt();
	disk[1][60] ^= 1;
	disk[SECTORS - 1][60] ^= 1;
	CHECK_EQ(parse(), 0);
	CHECK_EQ(kind, PART_MBR); /* the protective entry is what there is */
	CHECK_EQ(count, 1);
	gpt();
	disk[1][60] ^= 1;
	unreadable = 1;
	disk[SECTORS - 1][60] ^= 1;
	CHECK_EQ(parse(), 0);
}

UNIT_TEST(gpt_headers_that_lie)
{
	static const struct {
		u32 at;
		u64 value;
	} lies[] = {
		{ 24, 7 },	  { 40, 5000 }, { 48, SECTORS }, { 72, SECTORS }, { 72, ~0ull },
		{ 80, 0 },	  { 80, ~0u },	{ 84, 0 },	 { 84, 64 },	  { 84, 130 },
		{ 84, 1u << 31 }, { 12, 4 },	{ 12, 600 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(lies); i++) {
		gpt();
		if (lies[i].at == 12 || (lies[i].at >= 80 && lies[i].at < 88))
			put32(disk[1] + lies[i].at, (u32)lies[i].value);
		else
			put64(disk[1] + lies[i].at, lies[i].value);
		put32(disk[1] + 16, 0);
		put32(disk[1] + 16, crc32_ieee(0, disk[1], 92));
		expect_gpt(PART_GPT_BACKUP);
	}
}

UNIT_TEST(random_tables_do_no_harm)
{
	for (u32 round = 0; round < 2000; round++) {
		if (round & 1)
			gpt();
		else
			start();
		mbr_entry(0, round % 4, round & 2 ? 5 : 0xee, 1, SECTORS - 1);
		for (u32 i = 0; i < 40; i++) {
			u64 r = unit_random();

			disk[(r >> 32) % (round & 4 ? 8 : SECTORS)][r % 512] = (u8)(r >> 16);
		}
		disk[0][510] = 0x55;
		disk[0][511] = 0xaa;
		(void)parse_of(1 + unit_random() % SECTORS, 512u << unit_random() % 4);
	}
}

/* --- errors remembered once per reader (kernel/lib/errseq.h) --- */

UNIT_TEST(errors_are_told_once_to_each)
{
	u32 e = 0, a, b, late;

	a = b = errseq_sample(&e);
	CHECK_EQ(errseq_check(&e, &a), 0);
	errseq_set(&e, -5);
	CHECK_EQ(errseq_check(&e, &a), -5);
	CHECK_EQ(errseq_check(&e, &a), 0);
	CHECK_EQ(errseq_check(&e, &b), -5);
	CHECK_EQ(errseq_check(&e, &b), 0);
	late = errseq_sample(&e); /* somebody knows: not news for who comes later */
	CHECK_EQ(errseq_check(&e, &late), 0);
	errseq_set(&e, -5);
	CHECK_EQ(errseq_check(&e, &a), -5);
	errseq_set(&e, -28);
	errseq_set(&e, -28);
	late = 0;
	late = errseq_sample(&e); /* nobody was told yet */
	CHECK_EQ(errseq_check(&e, &late), -28);
	CHECK_EQ(errseq_check(&e, &b), -28);
	CHECK_EQ(errseq_check(&e, &b), 0);
}
