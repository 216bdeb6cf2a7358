/*
 * Partition tables.
 *
 * MBR: four entries in sector 0, in logical blocks. One of an extended type (5, 0f, 85) holds a
 * chain of further tables: in each the first entry is a logical partition (numbers from 5),
 * relative to that table, the second leads to the next table, relative to the extended partition.
 * The chain must go on inside the extended partition, and ends after a fixed number of steps
 * whatever it says.
 *
 * GPT (UEFI specification, chapter 5): a header in block 1 and a copy in the last block, each with
 * its own array of entries; header and array have CRC-32s. A GPT is looked for when the MBR has an
 * entry of type EE. When the primary header or its array is bad, the copy is used. The array is
 * read by sectors: its checksum runs over all of it, an entry is looked at when its sector is
 * there.
 *
 * An entry that does not lie within the disk is cut to it (MBR: disks copied to smaller ones), or
 * left out when it begins beyond. The PARTUUID of an MBR partition is the disk's signature and its
 * number; that of a GPT one is its GUID, the first three parts of which are little-endian.
 */
#include <linux/errno.h>
#include "block/parttable.h"
#include "kernel/lib/crc.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define SECTOR 512u
#define MBR_TABLE 446u
#define MBR_SIGNATURE 440u
#define TYPE_GPT 0xee
#define LOGICAL_FIRST 5u
#define CHAIN_MAX 128u
#define GPT_ENTRY_MAX 4096u
#define GPT_ENTRIES_MAX 1024u

static u16 get16(const u8 *p)
{
	return (u16)(p[0] | p[1] << 8);
}

static u32 get32(const u8 *p)
{
	return (u32)get16(p) | (u32)get16(p + 2) << 16;
}

static u64 get64(const u8 *p)
{
	return get32(p) | (u64)get32(p + 4) << 32;
}

struct found {
	const struct part_source *s;
	struct part_entry *out;
	u32 max, count;
};

/* Keep a partition given in sectors of 512, if any of it lies on the disk. The entry or NULL. */
static struct part_entry *keep(struct found *f, u32 number, u64 start, u64 nsect)
{
	struct part_entry *e;

	if (!nsect || start >= f->s->nsect || f->count == f->max)
		return NULL;
	e = &f->out[f->count++];
	memset(e, 0, sizeof(*e));
	e->number = number;
	e->start = start;
	e->nsect = nsect > f->s->nsect - start ? f->s->nsect - start : nsect;
	return e;
}

/* --- MBR --- */

static bool is_extended(u8 type)
{
	return type == 0x05 || type == 0x0f || type == 0x85;
}

static bool has_magic(const u8 *sector)
{
	return sector[510] == 0x55 && sector[511] == 0xaa;
}

static const u8 *mbr_entry(const u8 *sector, u32 i)
{
	return sector + MBR_TABLE + 16 * i;
}

static u8 mbr_type(const u8 *sector, u32 i)
{
	return mbr_entry(sector, i)[4];
}

/* A table, rather than the boot sector of a file system: each entry's first byte is 0 or 80. */
static bool mbr_plausible(const u8 *sector)
{
	if (!has_magic(sector))
		return false;
	for (u32 i = 0; i < 4; i++)
		if (mbr_entry(sector, i)[0] & 0x7f)
			return false;
	return true;
}

static void mbr_keep(struct found *f, u32 signature, u32 number, u64 start, u64 nsect)
{
	struct part_entry *e = keep(f, number, start, nsect);

	if (e)
		snprintf(e->uuid, sizeof(e->uuid), "%08x-%02x", signature, number);
}

/* The logical partitions of the extended one at @base of @size sectors. */
static int mbr_logical(struct found *f, u32 signature, u64 base, u64 size, u32 *number)
{
	u32 unit = f->s->block / SECTOR;
	u64 at = base;
	u8 t[SECTOR];

	for (u32 step = 0; step < CHAIN_MAX; step++) {
		u64 next = 0;
		int err;

		if (at >= f->s->nsect)
			return 0;
		err = f->s->read(f->s, at, t);
		if (err)
			return err;
		if (!has_magic(t))
			return 0;
		for (u32 i = 0; i < 4; i++) {
			u64 start = (u64)get32(mbr_entry(t, i) + 8) * unit;
			u64 n = (u64)get32(mbr_entry(t, i) + 12) * unit;

			if (!n)
				continue;
			if (!is_extended(mbr_type(t, i))) {
				mbr_keep(f, signature, (*number)++, at + start, n);
			} else if (!next && start && start < size) {
				next = base + start;
			}
		}
		if (!next)
			return 0;
		at = next;
	}
	return 0;
}

static int mbr_read(struct found *f, const u8 *sector)
{
	u32 signature = get32(sector + MBR_SIGNATURE), unit = f->s->block / SECTOR;
	u32 number = LOGICAL_FIRST;
	int err = 0;

	for (u32 i = 0; i < 4; i++) {
		u64 start = (u64)get32(mbr_entry(sector, i) + 8) * unit;
		u64 n = (u64)get32(mbr_entry(sector, i) + 12) * unit;

		/* Of an extended partition only its own table shows, for boot loaders. */
		if (is_extended(mbr_type(sector, i)) && n)
			mbr_keep(f, signature, i + 1, start, n > 2 * unit ? 2 * unit : n);
		else if (mbr_type(sector, i))
			mbr_keep(f, signature, i + 1, start, n);
	}
	for (u32 i = 0; i < 4 && !err; i++)
		if (is_extended(mbr_type(sector, i)))
			err = mbr_logical(f, signature, (u64)get32(mbr_entry(sector, i) + 8) * unit,
					  (u64)get32(mbr_entry(sector, i) + 12) * unit, &number);
	return err;
}

/* --- GPT --- */

struct gpt {
	u64 entries; /* block where the array begins */
	u32 count, size; /* of entries */
	u32 crc; /* of the array */
	u64 first, last; /* usable blocks */
};

/* Is @h, read from block @lba, a header? Then *g tells what it says. */
static bool gpt_header(const struct part_source *s, u8 *h, u64 lba, struct gpt *g)
{
	u64 blocks = s->nsect / (s->block / SECTOR);
	u32 len = get32(h + 12), crc = get32(h + 16);

	if (memcmp(h, "EFI PART", 8) != 0 || len < 92 || len > SECTOR)
		return false;
	memset(h + 16, 0, 4);
	if (crc32_ieee(0, h, len) != crc || get64(h + 24) != lba)
		return false;
	g->first = get64(h + 40);
	g->last = get64(h + 48);
	g->entries = get64(h + 72);
	g->count = get32(h + 80);
	g->size = get32(h + 84);
	g->crc = get32(h + 88);
	if (g->size < 128 || g->size > GPT_ENTRY_MAX || (g->size & (g->size - 1)))
		return false;
	if (!g->count || g->count > GPT_ENTRIES_MAX)
		return false;
	return g->first <= g->last && g->last < blocks && g->entries < blocks &&
	       (u64)g->count * g->size <= (blocks - g->entries) * s->block;
}

static void guid_text(char out[40], const u8 *g)
{
	snprintf(out, 40, "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x", get32(g),
		 get16(g + 4), get16(g + 6), g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]);
}

/* 36 UTF-16 units to UTF-8; what is no character of the basic plane becomes '?'. */
static void label_text(char *out, size_t size, const u8 *name)
{
	size_t n = 0;

	for (u32 i = 0; i < 36; i++) {
		u32 c = get16(name + 2 * i);

		if (!c)
			break;
		if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0xd800 && c < 0xe000))
			c = '?';
		if (n + 4 > size)
			break;
		if (c < 0x80) {
			out[n++] = (char)c;
		} else if (c < 0x800) {
			out[n++] = (char)(0xc0 | c >> 6);
			out[n++] = (char)(0x80 | (c & 0x3f));
		} else {
			out[n++] = (char)(0xe0 | c >> 12);
			out[n++] = (char)(0x80 | (c >> 6 & 0x3f));
			out[n++] = (char)(0x80 | (c & 0x3f));
		}
	}
	out[n] = '\0';
}

static void gpt_keep(struct found *f, const struct gpt *g, u32 number, const u8 *e)
{
	static const u8 unused[16];
	u32 unit = f->s->block / SECTOR;
	u64 first = get64(e + 32), last = get64(e + 40);
	struct part_entry *p;

	if (!memcmp(e, unused, 16) || first < g->first || last > g->last || first > last)
		return;
	p = keep(f, number, first * unit, (last - first + 1) * unit);
	if (!p)
		return;
	guid_text(p->uuid, e + 16);
	label_text(p->label, sizeof(p->label), e + 56);
}

/* The array of @g: 0 with its partitions in @f, 1 when its checksum is wrong, or -errno. */
static int gpt_entries(struct found *f, const struct gpt *g)
{
	u32 total = g->count * g->size, crc = 0;
	u64 sector = g->entries * (f->s->block / SECTOR);
	u8 buf[SECTOR];

	f->count = 0;
	for (u32 at = 0; at < total; at += SECTOR, sector++) {
		u32 n = total - at < SECTOR ? total - at : SECTOR;
		int err = f->s->read(f->s, sector, buf);

		if (err)
			return err;
		crc = crc32_ieee(crc, buf, n);
		/* Entries begin at multiples of their size; what is used is in 128 bytes. */
		for (u32 o = 0; o + 128 <= n; o += 128)
			if (!((at + o) % g->size))
				gpt_keep(f, g, (at + o) / g->size + 1, buf + o);
	}
	if (crc == g->crc)
		return 0;
	f->count = 0;
	return 1;
}

/* Header and array at block @lba: 0, 1 (they are no GPT, or damaged), or -errno. */
static int gpt_try(struct found *f, u64 lba)
{
	u8 h[SECTOR];
	struct gpt g;
	int err = f->s->read(f->s, lba * (f->s->block / SECTOR), h);

	if (err)
		return err;
	return gpt_header(f->s, h, lba, &g) ? gpt_entries(f, &g) : 1;
}

static int gpt_read(struct found *f, enum part_kind *kind)
{
	u64 blocks = f->s->nsect / (f->s->block / SECTOR);
	int err, primary;

	if (blocks < 3)
		return 0;
	primary = gpt_try(f, 1);
	if (!primary) {
		*kind = PART_GPT;
		return 0;
	}
	err = gpt_try(f, blocks - 1);
	if (!err)
		*kind = PART_GPT_BACKUP;
	else
		f->count = 0;
	/* An unreadable place is no reason to do without the other. */
	return err < 0 && primary < 0 ? err : 0;
}

/* See parttable.h. ctx: thread; sleeps: in @s->read */
int parttable_read(const struct part_source *s, struct part_entry *out, u32 max, u32 *count,
		   enum part_kind *kind)
{
	struct found f = { .s = s, .out = out, .max = max };
	u8 sector[SECTOR];
	bool gpt = false;
	int err;

	*count = 0;
	*kind = PART_NONE;
	if (!s->nsect)
		return 0;
	err = s->read(s, 0, sector);
	if (err)
		return err;
	if (!mbr_plausible(sector))
		return 0;
	for (u32 i = 0; i < 4; i++)
		gpt |= mbr_type(sector, i) == TYPE_GPT;
	if (gpt)
		err = gpt_read(&f, kind);
	if (!gpt || (!err && *kind == PART_NONE)) {
		err = mbr_read(&f, sector);
		*kind = f.count ? PART_MBR : PART_NONE;
	}
	*count = f.count;
	return err;
}
