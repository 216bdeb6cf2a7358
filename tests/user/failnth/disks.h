#pragma once
/*
 * Loop devices, and a small ext2 file system on one, that is written here: mounts and files. A request
 * that the loop device has no memory for is an error of the device (EIO).
 */
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/xattr.h>
#include "engine.h"

#define DISK_IMAGE "/tmp/failnth.img"
#define DISK_DIR "/tmp/failnth.disk"
#define DISK_BLOCK 1024u
#define DISK_BLOCKS 256u
#define DISK_INODES 32u
#define DISK_USED 9u /* blocks: super, group, bitmaps, inodes, the root's */

static char disk_node[32];
static int disk_fd = -1;

static void put16(unsigned char *p, unsigned v)
{
	p[0] = (unsigned char)v;
	p[1] = (unsigned char)(v >> 8);
}

static void put32(unsigned char *p, unsigned v)
{
	put16(p, v);
	put16(p + 2, v >> 16);
}

static void bits_set(unsigned char *map, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		map[i / 8] |= (unsigned char)(1 << i % 8);
}

/* The super block and the only group's descriptor; ext2, revision 1, blocks of 1 KiB. */
static void disk_super(unsigned char *s, unsigned char *group)
{
	const unsigned free = DISK_BLOCKS - 1 - DISK_USED, inodes = DISK_INODES - 10;

	put32(s, DISK_INODES);
	put32(s + 4, DISK_BLOCKS);
	put32(s + 12, free);
	put32(s + 16, inodes);
	put32(s + 20, 1); /* first block */
	put32(s + 32, 8192);
	put32(s + 36, 8192);
	put32(s + 40, DISK_INODES);
	put16(s + 54, 0xffff);
	put16(s + 56, 0xef53);
	put16(s + 58, 1); /* clean */
	put16(s + 60, 1);
	put32(s + 76, 1);
	put32(s + 84, 11); /* first inode that is free to use */
	put16(s + 88, 128);
	put32(s + 92, 8); /* extended attributes */
	put32(s + 96, 2); /* types of entries */
	put32(group, 3);
	put32(group + 4, 4);
	put32(group + 8, 5);
	put16(group + 12, free);
	put16(group + 14, inodes);
	put16(group + 16, 1);
}

static void disk_root(unsigned char *inode, unsigned char *dir)
{
	put16(inode, S_IFDIR | 0755);
	put32(inode + 4, DISK_BLOCK);
	put16(inode + 26, 2);
	put32(inode + 28, DISK_BLOCK / 512);
	put32(inode + 40, DISK_USED);
	put32(dir, 2);
	put16(dir + 4, 12);
	put16(dir + 6, 1 | 2 << 8);
	dir[8] = '.';
	put32(dir + 12, 2);
	put16(dir + 16, DISK_BLOCK - 12);
	put16(dir + 18, 2 | 2 << 8);
	dir[20] = dir[21] = '.';
}

static int disk_image(void)
{
	static unsigned char disk[DISK_BLOCKS * DISK_BLOCK];
	int fd = open(DISK_IMAGE, O_CREAT | O_TRUNC | O_RDWR, 0600);
	ssize_t n;

	memset(disk, 0, sizeof(disk));
	disk_super(disk + DISK_BLOCK, disk + 2 * DISK_BLOCK);
	bits_set(disk + 3 * DISK_BLOCK, 0, DISK_USED);
	bits_set(disk + 3 * DISK_BLOCK, DISK_BLOCKS - 1, 8 * DISK_BLOCK);
	bits_set(disk + 4 * DISK_BLOCK, 0, 10);
	bits_set(disk + 4 * DISK_BLOCK, DISK_INODES, 8 * DISK_BLOCK);
	disk_root(disk + 5 * DISK_BLOCK + 128, disk + DISK_USED * DISK_BLOCK);
	n = fd < 0 ? -1 : write(fd, disk, sizeof(disk));
	closed(fd);
	return n == sizeof(disk) ? 0 : -1;
}

/* A loop device for the image: disk_fd, disk_node. */
static long disk_bind(void)
{
	int control = open("/dev/loop-control", O_RDWR), file = open(DISK_IMAGE, O_RDWR);
	int n = control < 0 || file < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
	struct loop_config c = { .fd = (unsigned)file };
	long r = n;

	if (n >= 0) {
		snprintf(disk_node, sizeof(disk_node), "/dev/loop%d", n);
		r = disk_fd = open(disk_node, O_RDWR);
	}
	if (r >= 0)
		r = ioctl(disk_fd, LOOP_CONFIGURE, &c);
	KEEP_ERRNO((closed(control), closed(file)));
	return r;
}

static void disk_release(void)
{
	if (disk_fd >= 0) {
		ioctl(disk_fd, LOOP_CLR_FD, 0);
		close(disk_fd);
	}
	disk_fd = -1;
}

static void disk_drop(void)
{
	umount2(DISK_DIR, MNT_DETACH);
	rmdir(DISK_DIR);
	disk_release();
	unlink(DISK_IMAGE);
}

static long do_loop(void)
{
	static char data[3 * PAGE];
	long r = disk_bind();

	if (r >= 0)
		r = pread(disk_fd, data, sizeof(data), 0);
	if (r >= 0)
		r = pwrite(disk_fd, data, sizeof(data), 0);
	if (r >= 0)
		r = fsync(disk_fd);
	KEEP_ERRNO((disk_release(), 0));
	return r;
}

static int disk_make(void)
{
	return disk_image() || disk_bind() < 0 || mkdir(DISK_DIR, 0755) ? -1 : 0;
}

static long disk_mount(void)
{
	return mount(disk_node, DISK_DIR, "ext2", 0, NULL);
}

static long do_disk_mount(void)
{
	long r = disk_mount();

	if (!r)
		KEEP_ERRNO(umount(DISK_DIR));
	return r;
}

static int disk_mounted(void)
{
	return disk_make() || disk_mount() ? -1 : 0;
}

static long do_disk_file(void)
{
	static char data[40 * DISK_BLOCK]; /* an indirect block */
	int fd = open(DISK_DIR "/file", O_CREAT | O_RDWR, 0644);
	long r;

	if (fd < 0)
		return -1;
	r = write(fd, data, sizeof(data));
	if (r >= 0)
		r = fsync(fd);
	if (r >= 0)
		r = pread(fd, data, sizeof(data), 0);
	if (r >= 0)
		r = ftruncate(fd, 100);
	if (r >= 0)
		r = fsetxattr(fd, "user.name", "value", 5, 0);
	if (r >= 0)
		r = fsync(fd);
	KEEP_ERRNO(close(fd));
	return r;
}

static long do_disk_names(void)
{
	char buf[1024];
	long r = mkdir(DISK_DIR "/sub", 0755);
	int fd;

	if (!r)
		r = closed(open(DISK_DIR "/sub/a", O_CREAT | O_RDWR, 0644)) < 0 ? -1 : 0;
	if (!r)
		r = link(DISK_DIR "/sub/a", DISK_DIR "/b");
	if (!r)
		r = symlink("b", DISK_DIR "/sub/c");
	if (!r)
		r = rename(DISK_DIR "/b", DISK_DIR "/sub/d");
	if (!r)
		r = rename(DISK_DIR "/sub", DISK_DIR "/other");
	if (!r) {
		r = fd = open(DISK_DIR "/other", O_RDONLY);
		if (r >= 0)
			r = syscall(SYS_getdents64, fd, buf, sizeof(buf));
		KEEP_ERRNO(closed(fd));
	}
	if (r >= 0)
		r = unlink(DISK_DIR "/other/a");
	if (r >= 0)
		r = readlink(DISK_DIR "/other/c", buf, sizeof(buf));
	return r;
}

/* Through the page cache, by a mapping, with what was cached dropped. */
static long do_disk_map(void)
{
	int fd = open(DISK_DIR "/map", O_CREAT | O_RDWR, 0644);
	char *p = MAP_FAILED;
	long r = fd < 0 ? -1 : ftruncate(fd, 2 * PAGE);

	if (!r) {
		p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		r = p == MAP_FAILED ? -1 : pwrite(fd, "x", 1, PAGE);
	}
	if (r >= 0)
		r = msync(p, 2 * PAGE, MS_SYNC);
	if (r >= 0)
		r = syscall(SYS_syncfs, fd);
	if (p != MAP_FAILED)
		KEEP_ERRNO(munmap(p, 2 * PAGE));
	KEEP_ERRNO(closed(fd));
	return r;
}

#define WITH_DISK .before = disk_mounted, .after = disk_drop, .errs = { ENFILE, EIO }

static const struct op disk_ops[] = {
	{ "loop device", do_loop, disk_image, disk_drop, { ENFILE } },
	{ "ext2, mount", do_disk_mount, disk_make, disk_drop, { ENFILE, EIO } },
	{ "ext2, file", do_disk_file, WITH_DISK },
	{ "ext2, names", do_disk_names, WITH_DISK },
	{ "ext2, mapping", do_disk_map, WITH_DISK },
	{ NULL },
};
