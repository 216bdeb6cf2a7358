/*
 * RAM disks: /dev/ram0 and so on, each made when its node is first opened.
 *
 * The contents are the device's own page cache, which for these devices is one in memory only
 * (node.c): what reads and writes the device through it copies once, as with a file of tmpfs, and
 * is never written anywhere. File systems and O_DIRECT come with bios, which are copied from and to
 * the same pages; absent ones read as zeroes. Pages stay until power-off.
 *
 * ramdisk_size= on the command line is their size in kB.
 */
#include <linux/errno.h>
#include <linux/major.h>
#include "block/block.h"
#include "kernel/base/bootargs.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"

#define NODES 4u /* that are in /dev from the beginning */
#define NUMBERS 16u
#define SIZE_DEFAULT_KB 16384u

BOOTARG_WORD(ramdisk_size, "ramdisk_size");

static struct mutex make_lock = MUTEX_INIT(make_lock, RANK_BLKMAKE);

/* One piece, within a page of the memory and at most two of the disk. */
static int copy(struct pagecache *pc, const struct bio_seg *s, u64 pos, bool write)
{
	char *va = (char *)page_to_va(s->page) + s->off;
	u32 left = s->len;

	while (left) {
		u32 off = (u32)(pos & PAGE_MASK), n = MIN(left, (u32)PAGE_SIZE - off);
		struct page *p;
		int err = write ? pagecache_get(pc, pos >> PAGE_SHIFT, &p)
				: pagecache_get_existing(pc, pos >> PAGE_SHIFT, &p);

		if (err && err != -ENOENT)
			return err;
		if (err)
			memset(va, 0, n);
		else if (write)
			memcpy((char *)page_to_va(p) + off, va, n);
		else
			memcpy(va, (char *)page_to_va(p) + off, n);
		if (!err)
			page_put(p);
		va += n;
		pos += n;
		left -= n;
	}
	return 0;
}

static void ram_submit(struct disk *d, struct bio *b)
{
	struct pagecache *pc = blkdev_cache(d->parts[0]);
	u64 pos = b->sector << SECTOR_SHIFT;
	int err = b->op == BIO_READ || b->op == BIO_WRITE || b->op == BIO_FLUSH ? 0 : -EOPNOTSUPP;

	for (u32 i = 0; i < b->nsegs && !err; i++) {
		err = copy(pc, &b->segs[i], pos, b->op == BIO_WRITE);
		pos += b->segs[i].len;
	}
	bio_served(b, err);
}

static u64 size_kb(void)
{
	const char *value = bootargs_get("ramdisk_size");
	u64 kb;

	if (!value || str_to_u64(value, NULL, 10, &kb) || kb < PAGE_SIZE / 1024)
		return SIZE_DEFAULT_KB;
	return MIN(kb, 1ull << 32);
}

/* See block.h. ctx: thread; sleeps */
void ramdisk_probe(u32 minor)
{
	static const struct disk_ops ops = { .submit = ram_submit };
	static bool made[NUMBERS]; /* make_lock */
	struct disk *d;
	char name[8];

	if (minor >= NUMBERS)
		return;
	mutex_lock(&make_lock);
	if (!made[minor]) {
		snprintf(name, sizeof(name), "ram%u", minor);
		d = disk_alloc(name, &ops, NULL);
		if (d) {
			d->major = RAMDISK_MAJOR;
			d->first_minor = minor;
			d->in_memory = d->no_scan = true;
			d->limits.physical = PAGE_SIZE;
			made[minor] = !disk_add(d, size_kb() * 2);
			if (!made[minor])
				disk_free(d);
		}
	}
	mutex_unlock(&make_lock);
}

/* Boot: names to begin with. ctx: boot thread */
void ramdisk_init(void)
{
	char name[8] = "ram0";

	for (u32 i = 0; i < NODES; i++) {
		name[3] = (char)('0' + i);
		(void)devfs_add_node(name, S_IFBLK | 0660, dev_make(RAMDISK_MAJOR, i));
	}
}
