/*
 * Loop devices: making, binding, what they show of the file and the file of them, limits, read-only
 * ones, letting go by the last close, partitions, chains. Linux may have them as a module: then there
 * is nothing to be tried.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include "tap.h"

#define SIZE (1 << 20)

static int control, number;
static char node[32];

static int backing(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	return fd >= 0 && !ftruncate(fd, SIZE) ? fd : -1;
}

static unsigned long long size_of(int fd)
{
	unsigned long long n = ~0ull;

	return ioctl(fd, BLKGETSIZE64, &n) ? ~0ull : n;
}

/* Does [@off, @off + 512) of @fd hold 512 times @c? */
static int holds(int fd, long off, char c)
{
	char buf[512];

	if (pread(fd, buf, sizeof(buf), off) != sizeof(buf))
		return 0;
	for (unsigned i = 0; i < sizeof(buf); i++)
		if (buf[i] != c)
			return 0;
	return 1;
}

static int put(int fd, long off, char c)
{
	char buf[512];

	memset(buf, c, sizeof(buf));
	return pwrite(fd, buf, sizeof(buf), off) == sizeof(buf);
}

static void make(void)
{
	struct loop_info64 i;

	number = ioctl(control, LOOP_CTL_GET_FREE);
	CHECK(number >= 0);
	CHECK_ERR(ioctl(control, LOOP_CTL_ADD, number), EEXIST);
	CHECK_ERR(ioctl(control, LOOP_CTL_REMOVE, 4000), ENODEV);
	CHECK(ioctl(control, LOOP_CTL_ADD, 77) == 77);
	CHECK(!access("/sys/block/loop77", F_OK));
	CHECK(ioctl(control, LOOP_CTL_REMOVE, 77) >= 0);
	CHECK(access("/sys/block/loop77", F_OK));
	CHECK_ERR(ioctl(control, 0x4c99, 0), ENOSYS);
	snprintf(node, sizeof(node), "/dev/loop%d", number);
	int l = open(node, O_RDWR);
	REQUIRE(l >= 0);
	CHECK_ERR(ioctl(l, LOOP_CLR_FD), ENXIO);
	CHECK_ERR(ioctl(l, LOOP_GET_STATUS64, &i), ENXIO);
	CHECK_ERR(ioctl(l, LOOP_SET_CAPACITY), ENXIO);
	CHECK_ERR(ioctl(l, LOOP_SET_BLOCK_SIZE, 512), ENXIO);
	CHECK_ERR(ioctl(l, LOOP_SET_FD, -1), EBADF);
	CHECK_ERR(ioctl(l, LOOP_SET_FD, control), EINVAL);
	CHECK(size_of(l) == 0);
	close(l);
}

static void contents(void)
{
	int f = backing("file"), l = open(node, O_RDWR);
	struct loop_info64 i;
	struct stat st;

	REQUIRE(f >= 0 && l >= 0);
	CHECK(!ioctl(l, LOOP_SET_FD, f));
	CHECK_ERR(ioctl(l, LOOP_SET_FD, f), EBUSY);
	CHECK_ERR(ioctl(control, LOOP_CTL_REMOVE, number), EBUSY);
	CHECK(ioctl(control, LOOP_CTL_GET_FREE) != number);
	CHECK(size_of(l) == SIZE);
	CHECK(!ioctl(l, LOOP_GET_STATUS64, &i));
	CHECK(!fstat(f, &st) && i.lo_inode == st.st_ino && i.lo_device == st.st_dev);
	CHECK(i.lo_number == (unsigned)number && !i.lo_offset && !i.lo_sizelimit && !i.lo_flags);
	CHECK(put(l, 8192, 'a') && !fsync(l));
	CHECK(holds(f, 8192, 'a') && holds(f, 4096, 0));
	CHECK(put(f, 65536, 'b') && holds(l, 65536, 'b'));
	CHECK(!fallocate(l, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 65536, 4096));
	CHECK(holds(l, 65536, 0) && holds(f, 65536, 0) && !fstat(f, &st) && st.st_size == SIZE);
	CHECK(!fallocate(l, FALLOC_FL_ZERO_RANGE, 8192, 4096) && holds(f, 8192, 0));
	CHECK(put(l, 8192, 'a') && !fsync(l));
	CHECK_ERR(pwrite(l, "x", 1, SIZE), ENOSPC);
	CHECK(pread(l, node + 30, 1, SIZE) == 0);
	CHECK(lseek(l, SIZE, SEEK_SET) == SIZE && lseek(l, -512, SEEK_END) == SIZE - 512);
	CHECK_ERR(lseek(l, SIZE + 1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(l, 0, SEEK_HOLE), EINVAL);
	CHECK_ERR(lseek(l, 0, SEEK_DATA), EINVAL);
	CHECK(lseek(l, 0, SEEK_CUR) == SIZE - 512);
	CHECK_ERR(ioctl(l, 0x1234), EINVAL);
	CHECK(!ioctl(l, LOOP_CLR_FD));
	CHECK(close(l) == 0 && holds(f, 8192, 'a'));
	close(f);
}

static void limits(void)
{
	int f = backing("file"), l = open(node, O_RDWR), n;
	struct loop_info64 i = { .lo_offset = 4096, .lo_sizelimit = 16384 };

	REQUIRE(f >= 0 && l >= 0 && put(f, 4096, 'c') && put(f, 8192, 'd'));
	CHECK(!ioctl(l, LOOP_SET_FD, f));
	CHECK(!ioctl(l, LOOP_SET_STATUS64, &i));
	CHECK(size_of(l) == 16384 && holds(l, 0, 'c') && holds(l, 4096, 'd'));
	CHECK(put(l, 12288, 'e') && !fsync(l) && holds(f, 16384, 'e'));
	CHECK_ERR(pwrite(l, "x", 1, 16384), ENOSPC);
	i.lo_sizelimit = 0;
	CHECK(!ioctl(l, LOOP_SET_STATUS64, &i) && size_of(l) == SIZE - 4096);
	CHECK(!ftruncate(f, 2 * SIZE) && size_of(l) == SIZE - 4096);
	CHECK(!ioctl(l, LOOP_SET_CAPACITY) && size_of(l) == 2 * SIZE - 4096);
	i.lo_offset = 1ull << 63;
	CHECK_ERR(ioctl(l, LOOP_SET_STATUS64, &i), EOVERFLOW);
	CHECK_ERR(ioctl(l, LOOP_SET_BLOCK_SIZE, 256), EINVAL);
	CHECK_ERR(ioctl(l, LOOP_SET_BLOCK_SIZE, 3072), EINVAL);
	CHECK(!ioctl(l, LOOP_SET_BLOCK_SIZE, 2048) && !ioctl(l, BLKSSZGET, &n) && n == 2048);
	CHECK(!ioctl(l, LOOP_CLR_FD));
	close(l);
	close(f);
}

static void modes(void)
{
	int f = backing("file"), l = open(node, O_RDWR), n, ro = open("file", O_RDONLY);
	struct loop_config c = { .fd = (unsigned)f };
	struct loop_info64 i;

	REQUIRE(f >= 0 && l >= 0 && ro >= 0);
	c.info.lo_flags = LO_FLAGS_READ_ONLY;
	strcpy((char *)c.info.lo_file_name, "a name");
	CHECK(!ioctl(l, LOOP_CONFIGURE, &c));
	CHECK(!ioctl(l, BLKROGET, &n) && n == 1);
	n = 0; /* the flag of the node alone: the device stays as it is */
	CHECK(!ioctl(l, BLKROSET, &n) && !ioctl(l, BLKROGET, &n) && n == 1);
	CHECK(pwrite(l, "x", 1, 0) < 0 && errno == EPERM);
	CHECK(!ioctl(l, LOOP_GET_STATUS64, &i) && !strcmp((char *)i.lo_file_name, "a name"));
	CHECK(i.lo_flags == LO_FLAGS_READ_ONLY);
	CHECK(!ioctl(l, LOOP_CHANGE_FD, ro) && !ioctl(l, LOOP_CLR_FD));
	c.info.lo_flags = 0;
	c.fd = (unsigned)ro;
	c.block_size = 4096;
	CHECK(!ioctl(l, LOOP_CONFIGURE, &c) && !ioctl(l, BLKROGET, &n) && n == 1);
	CHECK(!ioctl(l, BLKSSZGET, &n) && n == 4096 && !ioctl(l, LOOP_CLR_FD));
	c.info.lo_flags = 128;
	CHECK_ERR(ioctl(l, LOOP_CONFIGURE, &c), EINVAL);
	CHECK_ERR(ioctl(l, LOOP_CONFIGURE, 8), EFAULT);
	close(l);
	close(ro);
	close(f);
}

static int bound(void)
{
	struct loop_info64 i;
	int l = open(node, O_RDONLY), yes = l >= 0 && !ioctl(l, LOOP_GET_STATUS64, &i);

	close(l);
	return yes;
}

static void last_close(void)
{
	int f = backing("file"), l = open(node, O_RDWR), second = open(node, O_RDONLY);
	struct loop_config c = { .fd = (unsigned)f, .info = { .lo_flags = LO_FLAGS_AUTOCLEAR } };

	REQUIRE(f >= 0 && l >= 0 && second >= 0);
	CHECK(!ioctl(l, LOOP_CONFIGURE, &c));
	CHECK(put(l, 0, 'z') && !close(l) && holds(second, 0, 'z'));
	CHECK(!close(second) && EVENTUALLY(!bound()));
	CHECK(holds(f, 0, 'z'));
	c.info.lo_flags = 0;
	l = open(node, O_RDWR);
	second = open(node, O_RDONLY);
	CHECK(!ioctl(l, LOOP_CONFIGURE, &c));
	CHECK(!ioctl(l, LOOP_CLR_FD) && size_of(l) == SIZE); /* in use: put off */
	CHECK(!close(l) && !close(second) && EVENTUALLY(!bound()));
	close(f);
}

static void partitions(void)
{
	static const unsigned char entry[16] = { 0, 0, 0, 0, 0x83, 0, 0, 0, 8, 0, 0, 0, 16 };
	static const unsigned char second[16] = { 0, 0, 0, 0, 0x83, 0, 0, 0, 32, 0, 0, 0, 8 };
	int f = backing("file"), l = open(node, O_RDWR), p;
	struct loop_config c = { .fd = (unsigned)f, .info = { .lo_flags = LO_FLAGS_PARTSCAN } };
	char name[48];

	REQUIRE(f >= 0 && l >= 0);
	CHECK(pwrite(f, entry, 16, 446) == 16 && pwrite(f, "\x55\xaa", 2, 510) == 2);
	CHECK(put(f, 8 * 512, 'p'));
	CHECK(!ioctl(l, LOOP_CONFIGURE, &c));
	snprintf(name, sizeof(name), "%sp1", node);
	CHECK(EVENTUALLY(!access(name, F_OK)));
	p = open(name, O_RDWR);
	CHECK(p >= 0 && size_of(p) == 16 * 512 && holds(p, 0, 'p'));
	CHECK(put(p, 512, 'q') && !close(p));
	/* A second one, written to the file: the device's page cache still has the old table. */
	CHECK(pwrite(f, second, 16, 462) == 16 && !ioctl(l, BLKRRPART));
	snprintf(name, sizeof(name), "%sp2", node);
	CHECK(EVENTUALLY(!access(name, F_OK)));
	CHECK(!ioctl(l, LOOP_CLR_FD) && !close(l));
	CHECK(EVENTUALLY(access(name, F_OK)) && holds(f, 9 * 512, 'q'));
	close(f);
}

static void chains(void)
{
	int f = backing("file"), l = open(node, O_RDWR), n = 0, upper;
	char second[32];

	REQUIRE(f >= 0 && l >= 0);
	CHECK_ERR(ioctl(l, LOOP_SET_FD, l), EBADF);
	CHECK_ERR(ioctl(l, BLKRRPART), EINVAL); /* nobody asked for partitions */
	REQUIRE(!ioctl(l, LOOP_SET_FD, f));
	CHECK_ERR(ioctl(l, BLKRRPART), EINVAL);
	n = ioctl(control, LOOP_CTL_GET_FREE);
	snprintf(second, sizeof(second), "/dev/loop%d", n);
	upper = open(second, O_RDWR);
	REQUIRE(upper >= 0);
	CHECK(!ioctl(upper, LOOP_SET_FD, l) && size_of(upper) == SIZE);
	CHECK(put(upper, 4096, 'u') && !fsync(upper) && holds(f, 4096, 'u'));
	CHECK(!ioctl(upper, LOOP_CLR_FD) && !close(upper));
	CHECK(!ioctl(l, LOOP_CLR_FD) && !close(l));
	CHECK(EVENTUALLY(!bound()));
	close(f);
}

int main(void)
{
	control = open("/dev/loop-control", O_RDWR);
	if (control < 0)
		return printf("ok 1 - no loop devices here\n") < 0;
	alarm(TAP_LIMIT);
	if (chdir("/tmp"))
		return 1;
	make();
	contents();
	limits();
	modes();
	last_close();
	partitions();
	chains();
	unlink("file");
	return tap_done();
}
