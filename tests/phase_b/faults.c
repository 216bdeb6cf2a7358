/*
 * What a shell cannot ask of a disk, for faults.exp: each command prints one word for each answer,
 * "ok" or the name of the error.
 *
 *   faults fsync FILE OFFSET      two descriptors; a write by the first; fsync of each, twice
 *   faults zero|discard DEVICE OFFSET LENGTH
 *   faults trim FOLDER
 *   faults direct DEVICE OFFSET LENGTH      a read past the cache, into aligned memory
 *   faults nonblock FILE OFFSET LENGTH      a read with O_NONBLOCK, which means nothing to files
 *   faults hold DEVICE            reads without end, until there is an error; says so when the first is done
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void say(long ret)
{
	static const struct {
		int number;
		const char *name;
	} errors[] = { { EIO, "EIO" },	     { EINVAL, "EINVAL" },	  { EPERM, "EPERM" },
		       { ENOTTY, "ENOTTY" }, { EBADF, "EBADF" },	  { ENXIO, "ENXIO" },
		       { ENOSPC, "ENOSPC" }, { EOPNOTSUPP, "EOPNOTSUPP" } };
	const char *name = "another";

	for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].number == errno)
			name = errors[i].name;
	if (ret < 0)
		printf("%s ", name);
	else if (ret)
		printf("%ld ", ret);
	else
		printf("ok ");
	fflush(stdout);
}

static int must_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0) {
		say(-1);
		exit(1);
	}
	return fd;
}

static void fsyncs(const char *path, long long offset)
{
	int a = must_open(path, O_RDWR), b = must_open(path, O_RDWR);

	say(pwrite(a, "changed", 7, offset));
	say(fsync(a));
	say(fsync(a));
	say(fsync(b));
	say(fsync(b));
	say(fsync(must_open(path, O_RDWR)));
}

static void hold(const char *path)
{
	int fd = must_open(path, O_RDONLY | O_DIRECT);
	void *buf = aligned_alloc(4096, 65536);
	ssize_t n = pread(fd, buf, 65536, 0);

	say(n);
	puts("begun");
	fflush(stdout);
	while (n > 0)
		n = pread(fd, buf, 65536, 0);
	say(n);
}

int main(int argc, char **argv)
{
	uint64_t range[2];
	int fd;

	if (argc < 3)
		return 2;
	range[0] = argc > 3 ? strtoull(argv[3], NULL, 0) : 0;
	range[1] = argc > 4 ? strtoull(argv[4], NULL, 0) : 0;
	if (!strcmp(argv[1], "fsync")) {
		fsyncs(argv[2], (long long)range[0]);
	} else if (!strcmp(argv[1], "hold")) {
		hold(argv[2]);
	} else if (!strcmp(argv[1], "trim")) {
		struct fstrim_range all = { 0, ~0ull, 0 };

		fd = must_open(argv[2], O_RDONLY | O_DIRECTORY);
		say(ioctl(fd, FITRIM, &all));
	} else if (!strcmp(argv[1], "direct")) {
		fd = must_open(argv[2], O_RDONLY | O_DIRECT);
		say(pread(fd, aligned_alloc(4096, (range[1] | 4095) + 1), range[1],
			  (off_t)range[0]));
	} else if (!strcmp(argv[1], "nonblock")) {
		fd = must_open(argv[2], O_RDONLY | O_NONBLOCK);
		say(pread(fd, malloc(range[1]), range[1], (off_t)range[0]));
	} else {
		fd = must_open(argv[2], O_RDWR);
		say(ioctl(fd, !strcmp(argv[1], "zero") ? BLKZEROOUT : BLKDISCARD, range));
	}
	puts("");
	return 0;
}
