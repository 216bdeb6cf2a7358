#pragma once
/*
 * What the tests of the ext driver share: an image that mke2fs made, mounted and checked, and files
 * whose bytes tell where they belong. Each test makes its image and drops it.
 */
#include <linux/stat.h>
#include "fs/ext/ext.h"
#include "tests/unit/ext/host.h"
#include "tests/unit/unit.h"

static const char *const kinds[] = {
	"-b 1024 -I 128",
	"-b 1024 -r 0 -I 128",
	"-b 2048 -I 256",
	"-b 4096 -I 256",
	"-b 1024 -I 256 -g 1024 -N 512",
	"-b 4096 -O ^filetype,^resize_inode,^sparse_super,^dir_index -I 512",
	"-b 1024 -O ^large_file,^ext_attr -I 128",
};
#define MB (1024ull * 1024)

static char *image;
static u64 image_bytes;
static struct super *sb;
static struct inode *top;

static inline void make_image(const char *options, u64 bytes)
{
	image = tool_mkfs(options, bytes);
	image_bytes = bytes;
	host_image(image, bytes);
}

static inline void mount(void)
{
	CHECK_EQ(host_mount(0, NULL, &sb), 0);
	top = sb->root->inode;
}

static inline void check_image(int repair)
{
	const char *why = tool_fsck(image, image_bytes, repair, "");

	if (why)
		unit_fail(__FILE__, __LINE__, "e2fsck: %s", why);
}

static inline void end(void)
{
	host_umount(sb);
	check_image(0);
	CHECK_EQ(host_bytes_allocated(), 0);
}

static inline void drop_image(void)
{
	tool_free(image, image_bytes);
}

static inline u8 pattern(u64 pos, u32 seed)
{
	return (u8)((pos * 2654435761u + seed * 40503u) >> 13 ^ seed);
}

static inline void write_pattern(struct inode *i, u64 pos, size_t n, u32 seed)
{
	static u8 buf[1 << 20];

	for (size_t k = 0; k < n; k++)
		buf[k] = pattern(pos + k, seed);
	CHECK_EQ(host_write(i, pos, buf, n), (s64)n);
}

static inline void check_pattern(struct inode *i, u64 pos, size_t n, u32 seed)
{
	static u8 buf[1 << 20];

	CHECK_EQ(host_read(i, pos, buf, n), (s64)n);
	for (size_t k = 0; k < n; k++)
		CHECK_EQ(buf[k], pattern(pos + k, seed));
}

/* The file @name of @n bytes as the device has it, read without our driver. */
static inline void check_stored(const char *name, size_t n, u32 seed)
{
	static u8 buf[1 << 20];

	CHECK_EQ(tool_cat(image, image_bytes, name, buf, sizeof(buf)), (s64)n);
	for (size_t k = 0; k < n; k++)
		CHECK_EQ(buf[k], pattern(k, seed));
}

static inline struct inode *new_file(const char *name)
{
	struct inode *i;

	CHECK_EQ(host_create(top, name, S_IFREG | 0644, &i), 0);
	return i;
}

static inline struct inode *find(const char *name)
{
	struct inode *i;

	CHECK_EQ(host_lookup(top, name, &i), 0);
	return i;
}

static inline void each_kind(void (*fn)(void), u64 bytes)
{
	for (u32 k = 0; k < ARRAY_SIZE(kinds); k++) {
		make_image(kinds[k], bytes);
		fn();
		drop_image();
	}
}
