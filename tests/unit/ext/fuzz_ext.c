/*
 * libFuzzer: an image that mke2fs made, the driver filled (attributes, access lists) and e2fsck
 * gave indexed directories, with bytes changed as the input says: four bytes each, three of a place
 * and one of a value. Half of the places are among those that are in use. The first byte of the
 * input chooses the image.
 */
#include <linux/stat.h>
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "tests/unit/ext/abuse.h"
#include "tests/unit/ext/host.h"
#include "tests/unit/unit.h"

#define BYTES (512u * 1024)
#define KINDS 4
/* What mke2fs would choose anew each time. */
#define UUID "01234567-89ab-cdef-0123-456789abcdef"
#define SAME "-U " UUID " -E hash_seed=" UUID
static char *good[KINDS], *image;

static u32 *used[KINDS], nused[KINDS]; /* where the good image has bytes that are not zero */

static const struct {
	u32 version;
	struct {
		u16 tag, perm;
		u32 id;
	} e[5];
} list = { 2, { { 1, 6, ~0u }, { 2, 4, 1001 }, { 4, 4, ~0u }, { 16, 6, ~0u }, { 32, 0, ~0u } } };

static void attributes(struct inode *i, bool dir)
{
	static char value[400];

	if (!i->ops->setxattr)
		return;
	memset(value, 'v', sizeof(value));
	(void)i->ops->setxattr(i, "user.a", value, 20, 0);
	(void)i->ops->setxattr(i, "user.b", value, 300, 0);
	(void)i->ops->setxattr(i, "trusted.c", value, 3, 0);
	(void)i->ops->setxattr(i, "system.posix_acl_access", &list, sizeof(list), 0);
	if (dir)
		(void)i->ops->setxattr(i, "system.posix_acl_default", &list, sizeof(list), 0);
}

/* Names for three blocks and more: e2fsck makes an index of them. */
static void many_names(struct inode *top, struct inode *target)
{
	char name[128];
	struct inode *d;

	CHECK_EQ(host_mkdir(top, "many", &d), 0);
	for (u32 k = 0; k < 140; k++) {
		snprintf(name, sizeof(name),
			 "a-name-that-is-long-so-that-they-are-several-blocks-in-all-%0*u",
			 (int)(20 + k % 40), k);
		CHECK_EQ(host_link(d, name, target), 0);
	}
	inode_put(d);
}

static void fill(char *data)
{
	static char buf[60000];
	struct inode *d, *i;
	struct super *sb;
	char name[32];

	host_image(data, BYTES);
	CHECK_EQ(host_mount(0, NULL, &sb), 0);
	CHECK_EQ(host_create(sb->root->inode, "large", S_IFREG | 0600, &i), 0);
	(void)host_write(i, 0, buf, sizeof(buf));
	(void)host_write(i, 700000, buf, 3000);
	attributes(i, false);
	inode_put(i);
	CHECK_EQ(host_mkdir(sb->root->inode, "dir", &d), 0);
	attributes(d, true);
	for (u32 k = 0; k < 30; k++) {
		snprintf(name, sizeof(name), "some-file-%u", k);
		if (!host_create(d, name, S_IFREG | 0600, &i)) {
			if (k == 7)
				many_names(sb->root->inode, i);
			inode_put(i);
		}
	}
	CHECK_EQ(host_symlink(d, "short", "target"), 0);
	CHECK_EQ(
		host_symlink(
			d, "long",
			"a target that does not fit into the inode, as it has more than sixty bytes"),
		0);
	inode_put(d);
	host_umount(sb);
}

static void make_good(u32 k, const char *options)
{
	const char *why;

	good[k] = tool_mkfs(options, BYTES);
	fill(good[k]);
	why = tool_fsck(good[k], BYTES, 1, "-D");
	if (why)
		unit_fail(__FILE__, __LINE__, "e2fsck: %s", why);
	used[k] = host_alloc(BYTES * sizeof(u32));
	for (u32 at = 0; at < BYTES; at++)
		if (good[k][at])
			used[k][nused[k]++] = at;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n);
int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	static const char *const kinds[KINDS] = { "-b 1024 -I 256 -N 64 -O dir_index " SAME,
						  "-b 1024 -r 0 -I 128 -N 64 " SAME,
						  "-b 4096 -N 64 -O dir_index " SAME,
						  "-b 2048 -I 128 -N 64 -O dir_index " SAME };
	u32 kind;

	if (!image) {
		image = host_alloc(BYTES);
		for (u32 k = 0; k < KINDS; k++)
			make_good(k, kinds[k]);
	}
	if (!n)
		return 0;
	kind = data[0] % KINDS;
	memcpy(image, good[kind], BYTES);
	for (size_t k = 1; k + 4 <= n; k += 4) {
		u32 place = data[k] | (u32)data[k + 1] << 8 | (u32)data[k + 2] << 16;

		place = place >> 23 ? used[kind][place % nused[kind]] : place % BYTES;
		image[place] = (char)data[k + 3];
	}
	abuse(image, BYTES);
	return 0;
}
