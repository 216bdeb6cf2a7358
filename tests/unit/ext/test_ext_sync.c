/*
 * What fsync of the ext driver writes, and what of it is there after the power went.
 */
#include <linux/errno.h>
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "tests/unit/ext/image.h"

static u8 buf[200000];

/* The file at @path of the repaired image is @n bytes of pattern @seed. */
static void check_kept(const char *path, u64 n, u32 seed)
{
	CHECK_EQ(tool_cat(image, image_bytes, path, buf, sizeof(buf)), (s64)n);
	for (u64 k = 0; k < n; k++)
		CHECK_EQ(buf[k], pattern(k, seed));
}

static void make_many(struct inode *dir, const char *prefix, u32 n, u32 bytes)
{
	char name[32];

	for (u32 k = 0; k < n; k++) {
		struct inode *i;

		snprintf(name, sizeof(name), "%s%u", prefix, k);
		CHECK_EQ(host_create(dir, name, S_IFREG | 0644, &i), 0);
		if (bytes)
			write_pattern(i, 0, bytes, k);
		inode_put(i);
	}
}

UNIT_TEST(fsync_leaves_the_metadata_of_others_alone)
{
	struct inode *f, *d;
	char name[32];
	u32 before;

	make_image("-b 1024 -I 256 -N 4000", 16 * MB);
	mount();
	f = new_file("mine");
	write_pattern(f, 0, 100000, 5);
	CHECK_EQ(host_fsync(f), 0);
	for (u32 k = 0; k < 30; k++) {
		snprintf(name, sizeof(name), "dir%u", k);
		CHECK_EQ(host_mkdir(top, name, &d), 0);
		make_many(d, "theirs-", 10, 0);
		inode_put(d);
	}
	/* An overwrite: the page, and the inode for its time. */
	write_pattern(f, 8192, 4096, 6);
	before = host_writes;
	CHECK_EQ(host_fsync(f), 0);
	CHECK(host_writes - before <= 3);
	/* It grows: the blocks of numbers, too. */
	write_pattern(f, 100000, 100000, 5);
	before = host_writes;
	CHECK_EQ(host_fsync(f), 0);
	CHECK(host_writes - before <= 32);
	/* All of it, when blocks may have had another owner. */
	CHECK_EQ(host_create(top, "gone", S_IFREG | 0644, &d), 0);
	write_pattern(d, 0, 3000, 1);
	CHECK_EQ(host_truncate(d, 0), 0);
	inode_put(d);
	before = host_writes;
	CHECK_EQ(host_fsync(f), 0);
	CHECK(host_writes - before > 33);
	inode_put(f);
	end();
	drop_image();
}

/* Files in directories that are as new as they are; among much that is not synced. */
static void new_names(u32 round)
{
	struct inode *a, *b, *c, *f, *g;

	mount();
	make_many(top, "before-", unit_random() % 60, 0);
	CHECK_EQ(host_mkdir(top, "a", &a), 0);
	CHECK_EQ(host_mkdir(a, "b", &b), 0);
	make_many(b, "beside-", unit_random() % 80, 700);
	CHECK_EQ(host_mkdir(b, "c", &c), 0);
	CHECK_EQ(host_create(c, "new", S_IFREG | 0644, &f), 0);
	write_pattern(f, 0, 150000, round);
	CHECK_EQ(host_fsync(f), 0);
	CHECK_EQ(host_create(top, "moves", S_IFREG | 0644, &g), 0);
	write_pattern(g, 0, 40000, round + 1);
	CHECK_EQ(host_rename(top, "moves", c, "moved", 0), 0);
	CHECK_EQ(host_fsync(g), 0);
	CHECK_EQ(host_link(a, "second", g), 0);
	CHECK_EQ(host_link(top, "third", g), 0);
	CHECK_EQ(host_fsync(g), 0);
	make_many(c, "after-", unit_random() % 60, 100);
	if (round & 1)
		CHECK_EQ(host_rename(a, "b", top, "e", 0), 0);
	if (round & 1)
		CHECK_EQ(host_fsync(b), 0);
	inode_put(a);
	inode_put(b);
	inode_put(c);
	inode_put(f);
	inode_put(g);
	host_crash(sb);
	check_image(1);
	check_kept(round & 1 ? "e/c/new" : "a/b/c/new", 150000, round);
	check_kept(round & 1 ? "e/c/moved" : "a/b/c/moved", 40000, round + 1);
	check_kept("a/second", 40000, round + 1);
	check_kept("third", 40000, round + 1);
}

UNIT_TEST(fsync_keeps_the_way_to_a_new_name)
{
	for (u32 round = 0; round < 8; round++) {
		make_image(kinds[round % 4], 8 * MB);
		new_names(round);
		drop_image();
	}
}

/* Blocks of files that are gone, but are there still on the disk, belong to one that was synced. */
static void second_hand(u32 round)
{
	struct inode *i, *kept;
	char name[32];

	mount();
	make_many(top, "old-", 60, 50000);
	make_many(top, "dirs-", 20, 0);
	sb->ops->sync(sb, true);
	for (u32 k = 0; k < 60; k++) {
		snprintf(name, sizeof(name), "old-%u", k);
		if (k % 3) {
			CHECK_EQ(host_remove(top, name), 0);
			continue;
		}
		CHECK_EQ(host_lookup(top, name, &i), 0);
		CHECK_EQ(host_truncate(i, unit_random() % 3 * 10000), 0);
		inode_put(i);
	}
	kept = new_file("kept");
	for (u32 at = 0; at < 200000; at += 50000) {
		write_pattern(kept, at, 50000, round);
		CHECK_EQ(host_fsync(kept), 0);
	}
	inode_put(kept);
	host_crash(sb);
	check_image(1);
	check_kept("kept", 200000, round);
}

UNIT_TEST(fsync_of_blocks_that_others_had)
{
	for (u32 round = 0; round < 8; round++) {
		make_image(kinds[round % 4], 5 * MB);
		second_hand(round);
		drop_image();
	}
}
