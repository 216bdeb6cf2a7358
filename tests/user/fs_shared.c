/*
 * Shared subtrees, mount_namespaces(7): peers, slaves, private and unbindable mounts; what is hung
 * on one shows on the others; umounts are passed on; what /proc/self/mountinfo says of groups.
 * Works in a tmpfs of its own below the current directory. Run as root.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tap.h"

static char base[256];

static int exists(const char *name)
{
	struct stat st;

	return !stat(name, &st);
}

static int bind(const char *from, const char *to)
{
	return mount(from, to, NULL, MS_BIND, NULL);
}

static int mark(const char *name, unsigned long type)
{
	return mount(NULL, name, NULL, type, NULL);
}

/* A tmpfs with the file @file on @where. */
static int tmp(const char *where, const char *file)
{
	char path[300];
	int fd;

	if (mount("t", where, "tmpfs", 0, NULL))
		return -1;
	snprintf(path, sizeof(path), "%s/%s", where, file);
	fd = open(path, O_CREAT | O_WRONLY, 0644);
	return fd < 0 ? -1 : close(fd);
}

/* The number behind @key ("shared:", "master:") of the last mount on @name; 0: none; -1: no mount. */
static int group(const char *name, const char *key)
{
	char line[1024], where[600], want[600], *at;
	FILE *f = fopen("/proc/self/mountinfo", "r");
	int n = -1;

	snprintf(want, sizeof(want), "%s/%s", base, name);
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%*d %*d %*s %*s %599s", where) != 1 || strcmp(where, want))
			continue;
		at = strstr(line, key);
		n = at && at < strstr(line, " - ") ? atoi(at + strlen(key)) : 0;
	}
	if (f)
		fclose(f);
	return n;
}

static void test_peers(void)
{
	CHECK(!bind("a", "a") && group("a", "shared:") == 0);
	CHECK(!mark("a", MS_SHARED) && group("a", "shared:") > 0);
	CHECK(!bind("a", "b") && group("b", "shared:") == group("a", "shared:"));
	CHECK(!tmp("a/d", "one") && exists("b/d/one"));
	CHECK(group("a/d", "shared:") > 0 && group("b/d", "shared:") == group("a/d", "shared:"));
	CHECK(!tmp("b/d/", "two") && exists("a/d/two") && !exists("a/d/one"));
	CHECK(!umount("a/d") && exists("b/d/one") && !exists("b/d/two"));
	/* A use of the copy keeps the original. */
	int fd = open("b/d/one", O_RDONLY);
	CHECK_ERR(umount("a/d"), EBUSY);
	close(fd);
	CHECK(!umount("b/d") && !exists("a/d/one") && group("a/d", "shared:") == -1);
	/* The copy of a part sees what happens within the part only. */
	CHECK(!bind("a/d", "c") && !tmp("a/e", "no") && !tmp("a/d/f", "yes"));
	CHECK(exists("c/f/yes") && exists("b/d/f/yes") && exists("b/e/no") && !exists("c/no"));
	CHECK(!umount("c/f") && !exists("a/d/f/yes") && !umount("b/e"));
	/* A change of type passes nothing on. */
	CHECK(!mark("c", MS_PRIVATE) && group("c", "shared:") == 0);
	CHECK(!tmp("a/d/f", "yes") && !exists("c/f/yes") && exists("b/d/f/yes"));
	CHECK(!umount("a/d/f") && !umount("c") && !umount("b") && !umount("a"));
}

static void test_slaves(void)
{
	CHECK(!bind("a", "a") && !mark("a", MS_SHARED) && !bind("a", "b") && !bind("a", "c"));
	CHECK(!mark("c", MS_SLAVE) && group("c", "shared:") == 0);
	CHECK(group("c", "master:") == group("a", "shared:"));
	CHECK(!tmp("a/d", "down") && exists("c/d/down") && exists("b/d/down"));
	CHECK(group("c/d", "master:") == group("a/d", "shared:"));
	CHECK(!tmp("c/e", "own") && !exists("a/e/own") && group("c/e", "shared:") == 0);
	CHECK(!umount("c/e") && !umount("b/d") && !exists("c/d/down"));
	/* A slave that is shared passes on to its own group. */
	CHECK(!mark("c", MS_SHARED) && !bind("c", "g"));
	CHECK(group("g", "master:") == group("a", "shared:") &&
	      group("g", "shared:") == group("c", "shared:") &&
	      group("g", "shared:") != group("a", "shared:"));
	CHECK(!tmp("b/d", "x") && exists("a/d/x") && exists("c/d/x") && exists("g/d/x"));
	CHECK(group("g/d", "shared:") == group("c/d", "shared:") &&
	      group("g/d", "master:") == group("a/d", "shared:"));
	CHECK(!umount("a/d") && !exists("g/d/x"));
	CHECK(!tmp("g/e", "y") && exists("c/e/y") && !exists("a/e/y") && !umount("c/e"));
	/* The last of a group leaves its slaves without a master. */
	CHECK(!umount("a") && group("c", "master:") == group("b", "shared:"));
	CHECK(!tmp("b/d", "z") && exists("g/d/z") && !umount("b/d"));
	CHECK(!umount("b") && group("c", "master:") == 0 && group("g", "master:") == 0);
	CHECK(!umount("c") && !mark("g", MS_SLAVE) && group("g", "shared:") == 0 && !umount("g"));
}

static void test_unbindable(void)
{
	CHECK(!bind("a", "a") && !mark("a", MS_UNBINDABLE));
	CHECK_ERR(bind("a", "b"), EINVAL);
	CHECK_ERR(bind("a/d", "b"), EINVAL);
	CHECK(!mount(".", "b", NULL, MS_BIND | MS_REC, NULL) && group("b/a", "shared:") == -1 &&
	      exists("b/c") && !umount("b"));
	CHECK(!bind("c", "c") && !mark("c", MS_SHARED));
	CHECK_ERR(mount("a", "c/h", NULL, MS_MOVE, NULL), EINVAL);
	CHECK_ERR(mark("c", MS_SHARED | MS_PRIVATE), EINVAL);
	CHECK_ERR(mark("c/h", MS_SHARED), EINVAL);
	CHECK_ERR(mark("c", MS_SHARED | MS_NODEV), EINVAL);
	CHECK(!umount("c") && !umount("a"));
}

/* Trees: moved and bound onto shared mounts, copies below what is there already. */
static void test_trees(void)
{
	CHECK(!bind("a", "a") && !mark("a", MS_SHARED) && !bind("a", "b"));
	CHECK(!tmp("c", "top") && !mkdir("c/in", 0755) && !tmp("c/in", "deep"));
	CHECK(!mount("c", "a/d", NULL, MS_MOVE, NULL) && exists("b/d/top"));
	CHECK(exists("b/d/in/deep") && group("b/d/in", "shared:") == group("a/d/in", "shared:"));
	CHECK_ERR(mount("a/d", "c", NULL, MS_MOVE, NULL), EINVAL);
	CHECK_ERR(umount("a/d"), EBUSY);
	CHECK(!umount2("a/d", MNT_DETACH) && !exists("b/d/in") && !exists("b/d/top"));
	CHECK(!tmp("c", "top") && !mkdir("c/in", 0755) && !tmp("c/in", "deep"));
	CHECK(!mount("c", "b/e", NULL, MS_BIND | MS_REC, NULL) && exists("a/e/in/deep"));
	CHECK(!mark("b", MS_REC | MS_PRIVATE) && !umount("b/e/in") && exists("a/e/in/deep"));
	CHECK(group("b/e", "shared:") == 0 && group("c", "shared:") == 0);
	CHECK(!umount2("c", MNT_DETACH) && !umount2("b", MNT_DETACH) &&
	      !umount2("a/e", MNT_DETACH));
	/* What is private on a slave stays above what comes later from the master. */
	CHECK(!bind("a", "b") && !mark("b", MS_SLAVE) && !tmp("b/d", "mine"));
	CHECK(!tmp("a/d", "theirs") && exists("b/d/mine") && exists("a/d/theirs"));
	CHECK(!umount("b/d") && exists("b/d/theirs"));
	CHECK(!tmp("b/d", "mine") && !umount("a/d") && exists("b/d/mine") && !umount("b/d"));
	CHECK_ERR(umount("b/d"), EINVAL);
	CHECK(!umount("b") && !umount("a"));
}

/* A shared tree bound into itself ends. */
static void test_within_itself(void)
{
	CHECK(!bind("a", "a") && !mark("a", MS_SHARED));
	CHECK(!bind("a", "a/d") && exists("a/d/e") && group("a/d/d", "shared:") == -1);
	CHECK(!tmp("a/e", "f") && exists("a/d/e/f"));
	CHECK(!umount("a/d/e") && !exists("a/e/f"));
	CHECK(!umount2("a", MNT_DETACH));
}

int main(void)
{
	static const char *const dirs[] = { "a", "a/d", "a/d/f", "a/e", "b", "c", "c/h", "g" };
	char dir[] = "fs_shared.XXXXXX";

	REQUIRE(mkdtemp(dir) && !mount("base", dir, "tmpfs", 0, NULL) && !chdir(dir));
	REQUIRE(!mark(".", MS_PRIVATE) && getcwd(base, sizeof(base)));
	for (unsigned i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		REQUIRE(!mkdir(dirs[i], 0755));
	test_peers();
	test_slaves();
	test_unbindable();
	test_trees();
	test_within_itself();
	CHECK(!chdir("..") && !umount2(dir, MNT_DETACH) && !rmdir(dir));
	return tap_done();
}
