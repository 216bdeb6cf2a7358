/*
 * Rows of a file system on a disk, which is mounted on /mnt: names, and contents of files in the
 * page cache. A file is at most FILE_BYTES long, so that it stays in memory. Most rows do not wait
 * for the disk; those at the end do, and count the time that the CPU was busy.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "bench.h"

#define NAME "/mnt/bench-file"
#define FILE_BYTES (32L << 20)
#define SMALL 4096L
#define LARGE (1L << 20)

static char *buffer(void)
{
	static char *buf;

	if (!buf) {
		buf = malloc(LARGE);
		must(buf != NULL, "memory");
		memset(buf, 'b', LARGE);
	}
	return buf;
}

/* The file, all there and in the cache. */
static int whole_file(void)
{
	int fd = open(NAME, O_RDWR | O_CREAT, 0644);

	must(fd >= 0, NAME);
	for (long at = lseek(fd, 0, SEEK_END); at < FILE_BYTES; at += LARGE)
		must(pwrite(fd, buffer(), LARGE, at) == LARGE, NAME);
	return fd;
}

int64_t bench_disk_create(long n)
{
	int64_t start = now();

	for (long i = 0; i < n; i++) {
		close(open("/mnt/bench-new", O_CREAT | O_EXCL | O_WRONLY, 0644));
		unlink("/mnt/bench-new");
	}
	return now() - start;
}

int64_t bench_disk_create_write(long n)
{
	char *buf = buffer();
	int64_t start = now();

	for (long i = 0; i < n; i++) {
		int fd = open("/mnt/bench-new", O_CREAT | O_EXCL | O_WRONLY, 0644);

		must(write(fd, buf, SMALL) == SMALL, "write");
		close(fd);
		unlink("/mnt/bench-new");
	}
	return now() - start;
}

int64_t bench_disk_mkdir(long n)
{
	int64_t start = now();

	for (long i = 0; i < n; i++) {
		mkdir("/mnt/bench-dir", 0755);
		rmdir("/mnt/bench-dir");
	}
	return now() - start;
}

int64_t bench_disk_rename(long n)
{
	int64_t start;

	close(open("/mnt/bench-0", O_CREAT | O_WRONLY, 0644));
	start = now();
	for (long i = 0; i < n; i++)
		must(!(i & 1 ? rename("/mnt/bench-1", "/mnt/bench-0")
			     : rename("/mnt/bench-0", "/mnt/bench-1")),
		     "rename");
	start = now() - start;
	unlink("/mnt/bench-0");
	unlink("/mnt/bench-1");
	return start;
}

static int64_t transfers(long n, long size, int writes)
{
	char *buf = buffer();
	int fd = whole_file();
	int64_t start;

	for (long at = 0; at < FILE_BYTES; at += LARGE)
		must(pread(fd, buf, LARGE, at) == LARGE, "read");
	start = now();
	for (long i = 0; i < n; i++) {
		long at = i * size % FILE_BYTES;

		must((writes ? pwrite(fd, buf, size, at) : pread(fd, buf, size, at)) == size, NAME);
	}
	start = now() - start;
	close(fd);
	return start;
}

int64_t bench_disk_read4k(long n)
{
	return transfers(n, SMALL, 0);
}

int64_t bench_disk_write4k(long n)
{
	return transfers(n, SMALL, 1);
}

int64_t bench_disk_read1m(long n)
{
	return transfers(n, LARGE, 0);
}

int64_t bench_disk_write1m(long n)
{
	return transfers(n, LARGE, 1);
}

int64_t bench_disk_append(long n)
{
	char *buf = buffer();
	int fd = open("/mnt/bench-log", O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0644);
	int64_t start, took = 0;

	must(fd >= 0, "/mnt/bench-log");
	while (n) {
		start = now();
		for (long at = 0; n && at < FILE_BYTES; at += SMALL, n--)
			must(write(fd, buf, SMALL) == SMALL, "append");
		took += now() - start;
		must(!ftruncate(fd, 0), "ftruncate");
	}
	close(fd);
	return took;
}

/* --- rows that wait --- */

int64_t bench_disk_fsync(long n)
{
	char *buf = buffer();
	int fd = whole_file();
	int64_t start;

	must(!fsync(fd), "fsync");
	start = busy();
	for (long i = 0; i < n; i++)
		must(pwrite(fd, buf, SMALL, i * SMALL % FILE_BYTES) == SMALL && !fsync(fd),
		     "fsync");
	start = busy() - start;
	close(fd);
	return start;
}

static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	sync();
	must(fd >= 0 && write(fd, "3", 1) == 1, "drop_caches");
	close(fd);
}

int64_t bench_disk_cold(long n)
{
	char *buf = buffer();
	int fd = whole_file();
	int64_t took = 0;

	must(!fsync(fd), "fsync");
	while (n > 0) {
		int64_t start;

		must(!posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), "fadvise");
		start = busy();
		for (long at = 0; n > 0 && at < FILE_BYTES; at += LARGE, n--)
			for (long part = 0; part < LARGE; part += LARGE / 8)
				must(pread(fd, buf, LARGE / 8, at + part) == LARGE / 8, "read");
		took += busy() - start;
	}
	close(fd);
	return took;
}

/* A directory of NAMES files: made, or listed with each name's state asked for; as a whole. */
#define NAMES 100000L

static const char *name_of(long i)
{
	static char name[64];

	sprintf(name, "/mnt/bench-names/name-%06ld", i);
	return name;
}

static int names_made;

int64_t bench_disk_names_make(long n)
{
	int64_t took = 0;

	mkdir("/mnt/bench-names", 0755);
	for (; n > 0; n--) {
		int64_t start;

		for (long i = 0; i < NAMES && names_made; i++)
			must(!unlink(name_of(i)), "unlink");
		start = busy();
		for (long i = 0; i < NAMES; i++)
			close(open(name_of(i), O_CREAT | O_EXCL | O_WRONLY, 0644));
		took += busy() - start;
		names_made = 1;
	}
	return took;
}

int64_t bench_disk_names_stat(long n)
{
	int64_t took = 0;

	if (!names_made)
		(void)bench_disk_names_make(1);
	for (; n > 0; n--) {
		struct dirent *e;
		struct stat st;
		int64_t start;
		DIR *d;

		drop_caches();
		start = busy();
		d = opendir("/mnt/bench-names");
		must(d != NULL, "/mnt/bench-names");
		while ((e = readdir(d)))
			must(!fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW), e->d_name);
		took += busy() - start;
		closedir(d);
	}
	return took;
}

static long disk_sectors(void)
{
	long reads, merged, read, took, writes, written;
	FILE *f = fopen("/sys/block/vdb/stat", "r");

	must(f && fscanf(f, "%ld %ld %ld %ld %ld %*d %ld", &reads, &merged, &read, &took, &writes,
			 &written) == 6,
	     "/sys/block/vdb/stat");
	fclose(f);
	return read + written;
}

int64_t bench_disk_mount(long n)
{
	long before = disk_sectors();

	must(!mkdir("/large", 0755) && !mount("/dev/vdb", "/large", "ext2", 0, NULL), "mount");
	before = disk_sectors() - before;
	umount("/large");
	return (before + 7) / 8;
}
