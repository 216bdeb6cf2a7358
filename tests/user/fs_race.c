/*
 * Many processes make, find, rename and remove the same few names at once. Whatever order things
 * happen in, each call has one of the results that some order allows, the tree stays a tree, and
 * nothing is left at the end.
 *
 *   fs_race [SECONDS [PROCESSES]]
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tap.h"

static const char *const names[] = { "a",   "b",     "c",     "a/x",	 "b/x", "c/x",
				     "a/y", "a/x/z", "b/x/z", "c/a/x/b", "l/x", "l" };
#define NAMES ((int)(sizeof(names) / sizeof(names[0])))

static unsigned long state;

static unsigned random_number(unsigned below)
{
	state = state * 6364136223846793005ul + 1442695040888963407ul;
	return (unsigned)(state >> 33) % below;
}

static const char *any(void)
{
	return names[random_number(NAMES)];
}

/* -1 with an error that no order of events explains. */
static int explained(int r)
{
	static const int errors[] = { ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY,
				      EINVAL, ELOOP,  EBUSY,   EPERM };

	if (r >= 0)
		return 1;
	for (unsigned k = 0; k < sizeof(errors) / sizeof(errors[0]); k++)
		if (errno == errors[k])
			return 1;
	fprintf(stderr, "# unexpected errno %d (%s)\n", errno, strerror(errno));
	return 0;
}

static int step(void)
{
	char cwd[4096];
	struct stat st;
	int fd;

	switch (random_number(12)) {
	case 0: return explained(mkdir(any(), 0755));
	case 1: return explained(rmdir(any()));
	case 2: return explained(unlink(any()));
	case 3: return explained(rename(any(), any()));
	case 4: return explained((int)syscall(SYS_renameat2, AT_FDCWD, any(), AT_FDCWD, any(), 2));
	case 5: return explained(link(any(), any()));
	case 6: return explained(symlink(random_number(2) ? "a" : "b/x", any()));
	case 7:
		fd = open(any(), O_CREAT | O_RDWR, 0644);
		if (fd >= 0 && (write(fd, "text", 4) != 4 || close(fd)))
			return 0;
		return explained(fd);
	case 8:
		fd = open(any(), O_RDONLY | O_DIRECTORY);
		if (fd >= 0) {
			explained((int)syscall(SYS_getdents64, fd, cwd, sizeof(cwd)));
			/* Up from wherever that directory is by now. */
			if (fstatat(fd, "..", &st, 0) && errno != ENOENT)
				return 0;
			if (!fchdir(fd)) {
				syscall(SYS_getcwd, cwd, sizeof(cwd));
				fstatat(AT_FDCWD, "../..", &st, 0);
			}
			close(fd);
		}
		return 1;
	default: return explained(stat(any(), &st));
	}
}

static int worker(unsigned seed, int seconds, int home)
{
	time_t end = time(NULL) + seconds;

	state = seed * 0x9e3779b97f4a7c15ul + 1;
	do {
		for (int k = 0; k < 200; k++) {
			if (!step())
				return 1;
			if (fchdir(home))
				return 2;
		}
	} while (time(NULL) < end);
	return 0;
}

/*
 * Move what is in the directory @name up to here, under new names: trees may have become too deep
 * to descend.
 */
static int flatten(const char *name)
{
	static int number;
	char from[300], to[32];
	struct dirent *e;
	DIR *d = opendir(name);

	if (!d)
		return -1;
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(from, sizeof(from), "%.20s/%.255s", name, e->d_name);
		snprintf(to, sizeof(to), "up%d", number++);
		if (rename(from, to))
			return -1;
	}
	return closedir(d);
}

/* Remove everything in the current directory; true when that leaves it empty. */
static int remove_all(void)
{
	struct dirent *e;
	int left;
	DIR *d;

	do {
		left = 0;
		d = opendir(".");
		while ((e = readdir(d))) {
			if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
				continue;
			left++;
			if (e->d_type == DT_DIR ? flatten(e->d_name) || rmdir(e->d_name)
						: unlink(e->d_name))
				return 0;
		}
		closedir(d);
	} while (left);
	return 1;
}

int main(int argc, char **argv)
{
	int seconds = argc > 1 ? atoi(argv[1]) : 3, processes = argc > 2 ? atoi(argv[2]) : 6, home,
	    status, bad = 0;
	struct statfs before, after;

	CHECK(!mkdir("race", 0755));
	REQUIRE(!mount("race", "race", "tmpfs", 0, NULL) && !chdir("race"));
	CHECK(!statfs(".", &before));
	home = open(".", O_RDONLY);
	for (int k = 0; k < processes; k++)
		if (!fork())
			_exit(worker((unsigned)k + 1, seconds, home));
	while (wait(&status) > 0)
		bad += status != 0;
	CHECK(bad == 0);
	CHECK(remove_all());
	close(home);
	CHECK(EVENTUALLY(!statfs(".", &after) && after.f_ffree == before.f_ffree &&
			 after.f_bfree == before.f_bfree));
	CHECK(!chdir("..") && !umount("race") && !rmdir("race"));
	return tap_done();
}
