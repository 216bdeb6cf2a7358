/*
 * O_DIRECT of the ext driver beside everything else that reads and writes a file.
 */
#include <linux/errno.h>
#include "kernel/lib/string.h"
#include "tests/unit/ext/image.h"

#define MOST 400000u
static u8 model[MOST + 4096];
static u8 buf[MOST + 4096] __attribute__((aligned(512)));
static u64 size;

static void fill(u64 n)
{
	for (u64 k = 0; k < n; k++)
		buf[k] = (u8)unit_random();
}

static void write_some(struct inode *f, bool direct)
{
	u64 unit = direct ? 512 : 1, pos = unit_random() % MOST / unit * unit;
	u64 n = MIN(unit_random() % 40000, MOST - pos) / unit * unit;
	ssize_t done;

	if (!n)
		return;
	fill(n);
	host_direct = direct;
	done = host_write(f, pos, buf, n);
	host_direct = false;
	CHECK_EQ(done, (s64)n);
	if (pos > size)
		memset(model + size, 0, pos - size);
	memcpy(model + pos, buf, n);
	size = MAX(size, pos + n);
	CHECK_EQ(f->size, size);
}

static void read_some(struct inode *f, bool direct)
{
	u64 unit = direct ? 512 : 1, pos = unit_random() % MOST / unit * unit;
	u64 n = MIN(unit_random() % 60000, MOST - pos) / unit * unit;
	u64 want = pos < size ? MIN(n, size - pos) : 0;
	ssize_t done;

	host_direct = direct;
	done = host_read(f, pos, buf, n);
	host_direct = false;
	CHECK_EQ(done, (s64)want);
	CHECK(!memcmp(buf, model + pos, want));
}

static void cut(struct inode *f)
{
	u64 to = unit_random() % MOST;

	CHECK_EQ(host_truncate(f, to), 0);
	if (to > size)
		memset(model + size, 0, to - size);
	size = to;
}

static void both_ways(void)
{
	struct inode *f;

	size = 0;
	mount();
	f = new_file("file");
	for (u32 n = 0; n < 1500; n++) {
		u32 what = (u32)(unit_random() % 16);

		if (what < 4)
			write_some(f, what & 1);
		else if (what < 14)
			read_some(f, what & 1);
		else if (what == 14)
			cut(f);
		else
			CHECK_EQ(host_fsync(f), 0);
	}
	inode_put(f);
	end();
	mount();
	f = find("file");
	CHECK_EQ(f->size, size);
	CHECK_EQ(host_read(f, 0, buf, MOST), (s64)size);
	CHECK(!memcmp(buf, model, size));
	inode_put(f);
	end();
}

UNIT_TEST(direct_and_cached_see_the_same)
{
	each_kind(both_ways, 4 * MB);
}

/* A new file of @n bytes on a device of kind @k. */
static struct inode *file_of(u32 k, size_t n)
{
	struct inode *f;

	make_image(kinds[k], 4 * MB);
	mount();
	f = new_file("file");
	write_pattern(f, 0, n, 3);
	return f;
}

UNIT_TEST(direct_is_aligned_and_ends_with_the_file)
{
	struct inode *f = file_of(0, 10000);

	host_direct = true;
	CHECK_EQ(host_read(f, 100, buf, 512), -EINVAL);
	CHECK_EQ(host_read(f, 0, buf, 100), -EINVAL);
	CHECK_EQ(host_read(f, 0, buf + 1, 512), -EINVAL);
	CHECK_EQ(host_write(f, 1, buf, 512), -EINVAL);
	CHECK_EQ(host_read(f, 9728, buf, 4096), 10000 - 9728);
	CHECK_EQ(buf[0], pattern(9728, 3));
	CHECK_EQ(host_read(f, 10240, buf, 512), 0);
	CHECK_EQ(host_read(f, 10001, buf, 511), 0);
	host_direct = false;
	inode_put(f);
	end();
	drop_image();
}

/* What a direct write put there is on the device at once: no sync is needed to read it there. */
UNIT_TEST(direct_writes_are_on_the_device)
{
	struct inode *f = file_of(2, 65536);

	CHECK_EQ(host_fsync(f), 0);
	for (u32 k = 0; k < 65536; k++)
		buf[k] = pattern(k, 9);
	host_direct = true;
	CHECK_EQ(host_write(f, 0, buf, 65536), 65536);
	host_direct = false;
	inode_put(f);
	host_crash(sb);
	check_image(1);
	check_stored("file", 65536, 9);
	drop_image();
}
