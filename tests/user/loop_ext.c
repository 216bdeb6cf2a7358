/*
 * An ext2 file system on a loop device: the mount has claimed the device, where the blocks of its
 * files lie, and what an immutable file refuses to who had it open before. Linux may have loop
 * devices as a module: then there is nothing to be tried.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "tap.h"

#define BLOCK 1024
#define EXTENTS 4

static char node[32], data[BLOCK];
static struct {
	struct fiemap m;
	struct fiemap_extent e[EXTENTS];
} map;

static int make_file_system(void)
{
	char command[80];

	snprintf(command, sizeof(command), "mkfs.ext2 -b %d %s > /dev/null", BLOCK, node);
	return system(command);
}

static void claims(int l)
{
	struct loop_info64 i = { .lo_flags = LO_FLAGS_PARTSCAN };
	int fd = open(node, O_RDWR | O_EXCL);

	CHECK(fd >= 0);
	CHECK_ERR(open(node, O_RDONLY | O_EXCL), EBUSY);
	CHECK_ERR(mount(node, "mnt", "ext2", 0, NULL), EBUSY);
	CHECK(!close(fd) && !mount(node, "mnt", "ext2", 0, NULL));
	CHECK_ERR(open(node, O_RDONLY | O_EXCL), EBUSY);
	CHECK_ERR(ioctl(l, LOOP_SET_BLOCK_SIZE, 1024), EBUSY);
	CHECK(!ioctl(l, LOOP_SET_STATUS64, &i));
	CHECK_ERR(ioctl(l, BLKRRPART), EBUSY);
}

/* The extents of @fd from @start on, at most @max: their number, or -1. */
static int extents(int fd, unsigned long long start, unsigned max, unsigned flags)
{
	memset(&map, 0, sizeof(map));
	map.m.fm_start = start;
	map.m.fm_length = ~0ull;
	map.m.fm_extent_count = max;
	map.m.fm_flags = flags;
	return ioctl(fd, FS_IOC_FIEMAP, &map) ? -1 : (int)map.m.fm_mapped_extents;
}

static int extent_is(int n, unsigned block, unsigned last)
{
	const struct fiemap_extent *e = &map.e[n];

	return e->fe_logical == block * BLOCK && e->fe_length == BLOCK && e->fe_physical > BLOCK &&
	       (e->fe_flags & FIEMAP_EXTENT_LAST) == last;
}

static void fiemap(int fd)
{
	CHECK_ERR(extents(fd, 0, 1, ~0u), EBADR);
	CHECK(map.m.fm_flags && !(map.m.fm_flags & FIEMAP_FLAG_SYNC));
	CHECK(extents(fd, 0, 1, 0) == 0);
	for (int k = 0; k < 3; k++)
		CHECK(pwrite(fd, data, BLOCK, 2 * k * BLOCK) == BLOCK);
	CHECK(extents(fd, 0, EXTENTS, FIEMAP_FLAG_SYNC) == 3);
	CHECK(extent_is(0, 0, 0) && extent_is(1, 2, 0) && extent_is(2, 4, FIEMAP_EXTENT_LAST));
	CHECK(extents(fd, 0, 0, 0) == 3 && !map.e[0].fe_length);
	CHECK(extents(fd, 0, 2, 0) == 2 && extent_is(1, 2, 0));
	CHECK(extents(fd, BLOCK, 4, 0) == 2 && extent_is(0, 2, 0));
	CHECK(extents(fd, 9 * BLOCK, 4, 0) == 0);
	CHECK_ERR(extents(fd, ~0ull, 4, 0), EFBIG);
	CHECK_ERR(ioctl(fd, FS_IOC_FIEMAP, 8), EFAULT);
	map.m.fm_length = 0;
	CHECK_ERR(ioctl(fd, FS_IOC_FIEMAP, &map), EINVAL);
}

static int block_of(int fd, int block)
{
	return ioctl(fd, FIBMAP, &block) ? -1 : block;
}

static void fibmap(int fd)
{
	int none = open("f", O_RDWR | O_CREAT, 0600), n = 1, status;
	pid_t pid;

	CHECK(extents(fd, 0, 1, 0) == 1);
	CHECK(block_of(fd, 0) == (int)(map.e[0].fe_physical / BLOCK));
	CHECK(block_of(fd, 1) == 0 && block_of(fd, 2) > 0 && block_of(fd, 1 << 20) == 0);
	CHECK_ERR(block_of(fd, -1), EINVAL);
	CHECK_ERR(ioctl(none, FIBMAP, &n), EINVAL); /* a file system that has no blocks */
	CHECK(n == 0);
	CHECK_ERR(ioctl(none, FS_IOC_FIEMAP, &map), EOPNOTSUPP);
	CHECK_ERR(ioctl(fd, FIBMAP, 8), EFAULT);
	pid = fork();
	if (!pid)
		_exit(setuid(1) || block_of(fd, 0) != -1 || errno != EPERM);
	CHECK(waitpid(pid, &status, 0) == pid && !status);
	close(none);
}

static void immutable(int fd)
{
	unsigned on = FS_IMMUTABLE_FL, off = 0;

	CHECK(!ioctl(fd, FS_IOC_SETFLAGS, &on));
	CHECK_ERR(pwrite(fd, data, 1, 0), EPERM);
	CHECK_ERR(ftruncate(fd, 0), EPERM);
	CHECK_ERR(fchmod(fd, 0600), EPERM);
	CHECK(!ioctl(fd, FS_IOC_SETFLAGS, &off));
	CHECK(pwrite(fd, data, 1, 0) == 1 && !ftruncate(fd, 0));
}

/* What is stored into a mapped page after it was written to the disk is written again. */
static void stores(void)
{
	int fd = open("mnt/mapped", O_RDWR | O_CREAT, 0600);
	char *p, c[2] = "";

	REQUIRE(fd >= 0 && !ftruncate(fd, 8192));
	p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	REQUIRE(p != MAP_FAILED);
	p[0] = p[4096] = 'a';
	CHECK(!msync(p, 8192, MS_SYNC));
	p[0] = 'b';
	CHECK(!fsync(fd));
	p[4096] = 'c';
	CHECK(!munmap(p, 8192) && !close(fd) && !umount("mnt"));
	CHECK(!mount(node, "mnt", "ext2", 0, NULL) && (fd = open("mnt/mapped", O_RDONLY)) >= 0);
	CHECK(pread(fd, c, 1, 0) == 1 && pread(fd, c + 1, 1, 4096) == 1);
	CHECK(c[0] == 'b' && c[1] == 'c' && !close(fd));
}

/* Ranges of a file cannot be taken out or put in. */
static void ranges(int fd)
{
	CHECK(!ftruncate(fd, 4 * BLOCK));
	CHECK_ERR(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, BLOCK), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, BLOCK), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, FALLOC_FL_UNSHARE_RANGE, 0, BLOCK), EOPNOTSUPP);
	CHECK(!ftruncate(fd, 0));
}

int main(void)
{
	int control = open("/dev/loop-control", O_RDWR), f, l, fd;

	if (control < 0)
		return printf("ok 1 - no loop devices here\n") < 0;
	alarm(TAP_LIMIT);
	REQUIRE(!chdir("/tmp") && (!mkdir("mnt", 0755) || errno == EEXIST));
	f = open("image", O_RDWR | O_CREAT | O_TRUNC, 0600);
	REQUIRE(f >= 0 && !ftruncate(f, 1 << 20));
	snprintf(node, sizeof(node), "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
	l = open(node, O_RDWR);
	REQUIRE(l >= 0 && !ioctl(l, LOOP_SET_FD, f) && !make_file_system());
	claims(l);
	fd = open("mnt/file", O_RDWR | O_CREAT, 0600);
	REQUIRE(fd >= 0);
	fiemap(fd);
	fibmap(fd);
	immutable(fd);
	ranges(fd);
	CHECK(!close(fd));
	stores();
	CHECK(!umount("mnt"));
	CHECK(!ioctl(l, LOOP_CLR_FD) && !close(l));
	unlink("image");
	unlink("f");
	return tap_done();
}
