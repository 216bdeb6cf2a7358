/*
 * Where the ext driver puts blocks, and where it says that there are some.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "tests/unit/ext/image.h"

static const char *memmem_of(const char *where, u64 n, const char *what)
{
	size_t len = strlen(what);

	for (u64 k = 0; k + len <= n; k++)
		if (!memcmp(where + k, what, len))
			return where + k;
	return NULL;
}

/* Pieces that the blocks of a file lie in. */
static u32 runs_of(struct inode *i)
{
	u32 bits = ext_sb_of(sb)->block_bits, phys, count, next = 0, n = 0;

	for (u64 at = 0; at < i->size >> bits; at += count) {
		CHECK_EQ(ext_map(i, at, ~0u, &phys, &count), 0);
		CHECK(phys);
		n += phys != next;
		next = phys + count;
	}
	return n;
}

/* Several files grow in turn, a block at a time. */
static void side_by_side(void)
{
	enum { FILES = 4, BLOCKS = 250 };
	struct inode *f[FILES];
	u32 bs;
	char name[8];

	mount();
	bs = ext_sb_of(sb)->block_size;
	for (u32 k = 0; k < FILES; k++) {
		snprintf(name, sizeof(name), "f%u", k);
		f[k] = new_file(name);
	}
	for (u64 at = 0; at < BLOCKS; at++)
		for (u32 k = 0; k < FILES; k++)
			write_pattern(f[k], at * bs, bs, k);
	for (u32 k = 0; k < FILES; k++) {
		CHECK(runs_of(f[k]) <= 30);
		check_pattern(f[k], 0, BLOCKS * bs, k);
	}
	for (u32 k = 0; k < FILES; k++)
		inode_put(f[k]);
	end();
}

UNIT_TEST(files_that_grow_side_by_side_lie_in_rows)
{
	each_kind(side_by_side, 16 * MB);
}

/* The last free block is found, in whatever window it is; and no window outlives its file. */
static void to_the_last_block(void)
{
	struct inode *a, *b;
	struct ext_sb *s;
	u64 at = 0;
	u32 bs;
	static u8 buf[4096];

	mount();
	s = ext_sb_of(sb);
	bs = s->block_size;
	a = new_file("a");
	b = new_file("b");
	for (;; at += bs) {
		if (host_write(a, at, buf, bs) < 0 || host_write(b, at, buf, bs) < 0)
			break;
	}
	CHECK(s->free_blocks < 8);
	while (host_write(a, a->size, buf, bs) > 0)
		;
	while (host_write(b, b->size, buf, bs) > 0)
		;
	CHECK(s->free_blocks < 4); /* as many as blocks of numbers take that lead to none */
	CHECK_EQ(host_truncate(a, 0), 0);
	inode_put(a);
	inode_put(b);
	for (u32 k = 0; k < EXT_GROUP_LOCKS; k++)
		CHECK(list_empty(&s->windows[k]));
	end();
}

UNIT_TEST(windows_do_not_keep_the_last_blocks)
{
	each_kind(to_the_last_block, 2 * MB);
}

static s64 seek(struct inode *i, s64 off, int whence)
{
	struct file f = { .inode = i, .ops = i->fops };

	return i->fops->seek(&f, off, whence);
}

static void holes(void)
{
	struct inode *f;
	u32 bs;

	mount();
	bs = ext_sb_of(sb)->block_size;
	f = new_file("sparse");
	CHECK_EQ(seek(f, 0, SEEK_DATA), -ENXIO);
	CHECK_EQ(seek(f, 0, SEEK_HOLE), -ENXIO);
	write_pattern(f, 3 * bs, 2 * bs, 1);
	write_pattern(f, 1000 * bs, 100, 1);
	CHECK_EQ(host_truncate(f, 2000 * bs + 5), 0);
	CHECK_EQ(seek(f, 0, SEEK_DATA), 3 * bs);
	CHECK_EQ(seek(f, 0, SEEK_HOLE), 0);
	CHECK_EQ(seek(f, 3 * bs + 7, SEEK_DATA), 3 * bs + 7);
	CHECK_EQ(seek(f, 3 * bs + 7, SEEK_HOLE), 5 * bs);
	CHECK_EQ(seek(f, 5 * bs, SEEK_DATA), 1000 * bs);
	CHECK_EQ(seek(f, 1000 * bs + 1, SEEK_HOLE), 1001 * bs);
	CHECK_EQ(seek(f, 1001 * bs, SEEK_DATA), -ENXIO);
	CHECK_EQ(seek(f, 2000 * bs + 4, SEEK_HOLE), 2000 * bs + 4);
	CHECK_EQ(seek(f, 2000 * bs + 5, SEEK_HOLE), -ENXIO);
	CHECK_EQ(seek(f, -1, SEEK_DATA), -ENXIO);
	CHECK_EQ(host_truncate(f, 1000 * bs + 50), 0);
	CHECK_EQ(seek(f, 1000 * bs, SEEK_HOLE), 1000 * bs + 50);
	inode_put(f);
	end();
}

UNIT_TEST(holes_and_data_are_found)
{
	each_kind(holes, 4 * MB);
}

/* Who reads and writes the device's node sees the metadata, and changes it. */
static void by_the_node(void)
{
	struct blkdev_guard *g;
	struct inode *d;
	u32 at = 1024 + 0x78; /* the label, in the superblock */
	const char *found;

	mount();
	g = ext_sb_of(sb)->bdev->guard;
	CHECK_EQ(host_mkdir(top, "a-name-that-is-there", &d), 0);
	inode_put(d);
	found = memmem_of(image, image_bytes, "a-name-that-is-there");
	CHECK(!found);
	g->settle(g, 0, image_bytes);
	found = memmem_of(image, image_bytes, "a-name-that-is-there");
	CHECK(found);
	memcpy(image + at, "new-label", 10);
	g->take(g, at, at + 10);
	CHECK_EQ(host_mkdir(top, "another", &d), 0);
	inode_put(d);
	end();
	CHECK(!memcmp(image + at, "new-label", 10));
}

UNIT_TEST(the_node_of_a_mounted_device)
{
	each_kind(by_the_node, 4 * MB);
}

UNIT_TEST(another_superblock)
{
	struct inode *f;

	make_image("-b 1024 -I 128", 20 * MB);
	memset(image + 1024, 0, 2048); /* with the descriptors behind it */
	CHECK_EQ(host_mount(0, NULL, &sb), -EINVAL);
	CHECK_EQ(host_mount(0, "sb=8194", &sb), -EINVAL);
	CHECK_EQ(host_mount(0, "sb=99999999", &sb), -EINVAL);
	CHECK_EQ(host_mount(0, "sb=8193", &sb), 0);
	top = sb->root->inode;
	f = new_file("file");
	write_pattern(f, 0, 30000, 8);
	inode_put(f);
	host_umount(sb);
	check_image(1);
	check_stored("file", 30000, 8);
	drop_image();
}

/*
 * Names that differ only in the high bytes of their last word, as many as a page of the index holds,
 * and more.
 */
UNIT_TEST(names_that_are_alike_do_not_fill_a_page_of_the_index)
{
	enum { NAMES = 600 };
	char name[64];
	struct inode *d;

	make_image("-b 1024 -I 128 -N 2000", 8 * MB);
	mount();
	CHECK_EQ(host_mkdir(top, "many", &d), 0);
	for (u32 k = 0; k < NAMES; k++) {
		snprintf(name, sizeof(name), "a-name-that-is-somewhat-long-%03u", k);
		CHECK_EQ(host_symlink(d, name, "x"), 0);
	}
	CHECK(ext_of(d)->index);
	for (u32 k = 0; k < NAMES; k++) {
		snprintf(name, sizeof(name), "a-name-that-is-somewhat-long-%03u", k);
		CHECK_EQ(host_remove(d, name), 0);
	}
	CHECK_EQ(host_list(d, NULL, NULL), 2);
	inode_put(d);
	end();
	drop_image();
}
