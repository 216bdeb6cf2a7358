/*
 * Places in folders: lseek(2), getdents64(2), telldir(3), seekdir(3), rewinddir(3). From each
 * entry's d_off reading goes on behind it, whatever was read meanwhile; in /proc, /sys, and where
 * entries are kept in memory.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "tap.h"

#define MAX 2000

struct entry {
	uint64_t ino;
	int64_t off;
	unsigned short len;
	unsigned char type;
	char name[];
};

static struct {
	char name[256];
	int64_t off;
	uint64_t ino;
	unsigned char type;
} all[MAX];
static int count;

/* Processes come and go. */
static int is_number(const char *name)
{
	return name[0] >= '0' && name[0] <= '9';
}

static int get(int fd, void *buf, size_t n)
{
	return (int)syscall(SYS_getdents64, fd, buf, n);
}

/* All of it, by as many bytes at once. */
static int read_all(int fd, size_t room)
{
	static char buf[8192] __attribute__((aligned(8)));
	int n;

	count = 0;
	while ((n = get(fd, buf, room)) > 0)
		for (int at = 0; at < n && count < MAX; count++) {
			const struct entry *e = (void *)(buf + at);

			strcpy(all[count].name, e->name);
			all[count].off = e->off;
			all[count].ino = e->ino;
			all[count].type = e->type;
			at += e->len;
		}
	return n == 0 && count < MAX;
}

/* The next name of @fd; "": none is left. */
static const char *next(int fd)
{
	static char buf[512] __attribute__((aligned(8)));

	return get(fd, buf, sizeof(buf)) > 0 ? ((struct entry *)(void *)buf)->name : "";
}

/* From the place behind entry @i the one after it is next; numbers aside. */
static int goes_on(int fd, int i)
{
	const char *want = i + 1 < count ? all[i + 1].name : "", *name;

	if (is_number(want) || lseek(fd, all[i].off, SEEK_SET) != all[i].off)
		return is_number(want);
	name = next(fd);
	if (!strcmp(name, want))
		return 1;
	printf("# behind %s: \"%s\", not \"%s\"\n", all[i].name, name, want);
	return 0;
}

static void test(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY), good = 1, small, same = 1;
	struct stat st;

	printf("# %s\n", path);
	REQUIRE(fd >= 0 && read_all(fd, 8192));
	small = count;
	CHECK(count >= 2 && !strcmp(all[0].name, ".") && !strcmp(all[1].name, ".."));
	CHECK(all[0].off == 1 && all[1].off >= 2 && all[0].type == DT_DIR && all[1].type == DT_DIR);
	CHECK(!*next(fd) && lseek(fd, 0, SEEK_CUR) == all[count - 1].off);
	for (int i = 0; i < count; i++)
		good &= goes_on(fd, i);
	for (int i = count - 1; i >= 0; i--)
		good &= goes_on(fd, i);
	CHECK(good);
	CHECK(lseek(fd, 0, SEEK_SET) == 0 && !strcmp(next(fd), "."));
	CHECK(lseek(fd, 0, SEEK_SET) == 0 && read_all(fd, 288));
	CHECK(count == small || !strcmp(path, "/proc"));
	for (int i = 0; i < count; i++)
		if (!is_number(all[i].name) && all[i].type == DT_DIR && i)
			same &= !fstatat(fd, all[i].name, &st, AT_SYMLINK_NOFOLLOW) &&
				S_ISDIR(st.st_mode);
	CHECK(same);
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(fd, 0, 99), EINVAL);
	CHECK(lseek(fd, 0x7ffffffe, SEEK_SET) == 0x7ffffffe);
	/* The library's calls. */
	DIR *d = opendir(path);
	struct dirent *e;
	long place;

	readdir(d);
	place = telldir(d);
	e = readdir(d);
	CHECK(e && !strcmp(e->d_name, ".."));
	while (readdir(d))
		;
	seekdir(d, place);
	e = readdir(d);
	CHECK(e && !strcmp(e->d_name, ".."));
	rewinddir(d);
	e = readdir(d);
	CHECK(e && !strcmp(e->d_name, "."));
	closedir(d);
	close(fd);
}

/* An entry that was made or went meanwhile does not move the others. */
static void test_changes(void)
{
	int fd = open("/proc/self/fd", O_RDONLY), more[8];
	char name[16];

	for (int i = 0; i < 8; i++)
		more[i] = open("/dev/null", O_RDONLY);
	REQUIRE(read_all(fd, 8192));
	close(more[2]);
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%d", more[1]);
		if (strcmp(all[i].name, name))
			continue;
		snprintf(name, sizeof(name), "%d", more[3]);
		CHECK(lseek(fd, all[i].off, SEEK_SET) == all[i].off && !strcmp(next(fd), name));
	}
	for (int i = 0; i < 8; i++)
		close(more[i]);
	close(fd);
}

/* Directories of processes and of sysfs end at 0, whatever is in them; those of tmpfs nowhere. */
static void test_end(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);

	if (!strcmp(path, "/dev") || !strcmp(path, "/tmp")) {
		CHECK_ERR(lseek(fd, 0, SEEK_END), EINVAL);
		CHECK_ERR(lseek(fd, 0, SEEK_DATA), EINVAL);
	} else {
		CHECK(lseek(fd, 0, SEEK_END) == 0 && *next(fd));
		CHECK(lseek(fd, 5, SEEK_END) == 5);
		CHECK_ERR(lseek(fd, -1, SEEK_END), EINVAL);
		CHECK_ERR(lseek(fd, 0, SEEK_DATA), ENXIO);
		CHECK_ERR(lseek(fd, 0, SEEK_HOLE), ENXIO);
	}
	close(fd);
}

int main(void)
{
	static const char *const paths[] = {
		"/proc",	  "/proc/self",	    "/proc/self/task",
		"/proc/self/fd",  "/proc/sys",	    "/proc/sys/kernel",
		"/proc/self/net", "/proc/irq",	    "/sys",
		"/sys/class",	  "/sys/class/net", "/sys/devices/system/cpu",
		"/dev",		  "/tmp",
	};

	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		test(paths[i]);
	for (unsigned i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		test_end(paths[i]);
	test_changes();
	return tap_done();
}
