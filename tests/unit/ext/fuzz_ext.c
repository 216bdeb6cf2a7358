/*
 * libFuzzer: an image that mke2fs made and the driver filled, with bytes changed as the input says: four
 * bytes each, three of a place and one of a value. The first byte of the input chooses the image.
 */
#include <linux/stat.h>
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "tests/unit/ext/abuse.h"
#include "tests/unit/ext/host.h"
#include "tests/unit/unit.h"

#define BYTES (512u * 1024)
#define KINDS 3
static char *good[KINDS], *image;

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
	inode_put(i);
	CHECK_EQ(host_mkdir(sb->root->inode, "dir", &d), 0);
	for (u32 k = 0; k < 30; k++) {
		snprintf(name, sizeof(name), "some-file-%u", k);
		if (!host_create(d, name, S_IFREG | 0600, &i))
			inode_put(i);
	}
	inode_put(d);
	host_umount(sb);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n);
int LLVMFuzzerTestOneInput(const u8 *data, size_t n)
{
	static const char *const kinds[KINDS] = { "-b 1024 -I 256 -N 64",
						  "-b 1024 -r 0 -I 128 -N 64", "-b 4096 -N 64" };

	if (!image) {
		image = host_alloc(BYTES);
		for (u32 k = 0; k < KINDS; k++) {
			good[k] = tool_mkfs(kinds[k], BYTES);
			fill(good[k]);
		}
	}
	if (!n)
		return 0;
	memcpy(image, good[data[0] % KINDS], BYTES);
	for (size_t k = 1; k + 4 <= n; k += 4)
		image[(data[k] | data[k + 1] << 8 | data[k + 2] << 16) % BYTES] = (char)data[k + 3];
	abuse(image, BYTES);
	return 0;
}
