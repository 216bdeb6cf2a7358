/*
 * Mounting in steps, by descriptors: fsopen, fsconfig, fsmount, fspick, open_tree, move_mount,
 * mount_setattr (the manual pages of those names, and util-linux's use of them).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "tap.h"

int mount(const char *, const char *, const char *, unsigned long, const void *);
int umount(const char *);
int umount2(const char *, int);
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define BAD ((void *)8)
#define fsopen(name, flags) (int)syscall(430, name, flags)
#define fsconfig(fd, cmd, key, value, aux) (int)syscall(431, fd, cmd, key, value, aux)
#define fsmount(fd, flags, attr) (int)syscall(432, fd, flags, attr)
#define fspick(dfd, path, flags) (int)syscall(433, dfd, path, flags)
#define open_tree(dfd, path, flags) (int)syscall(428, dfd, path, flags)
#define move_mount(fd, from, td, to, flags) (int)syscall(429, fd, from, td, to, flags)
#define mount_setattr(dfd, path, flags, attr, size) \
	(int)syscall(442, dfd, path, flags, attr, (long)(size))

static void touch(const char *name)
{
	int fd = open(name, O_CREAT | O_RDWR, 0644);

	close(fd);
}

static long flags_of(const char *path)
{
	struct statfs sf;

	return statfs(path, &sf) ? -1 : (long)sf.f_flags;
}

/* A new tmpfs, step by step, up to the loose mount. */
static int new_mount(const char *size, int attr)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), m;

	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", "linnet", 0) ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0) ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -1;
	m = fsmount(fs, FSMOUNT_CLOEXEC, attr);
	close(fs);
	return m;
}

static void test_new(void)
{
	struct statfs sf;
	char line[512];
	int m = new_mount("1m", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV), fd, found = 0;
	FILE *f;

	REQUIRE(m >= 0);
	CHECK(fcntl(m, F_GETFD) == FD_CLOEXEC);
	CHECK((fcntl(m, F_GETFL) & O_PATH) != 0);
	/* It can be used before it hangs anywhere. */
	fd = openat(m, "file", O_CREAT | O_RDWR, 0644);
	CHECK(fd >= 0 && write(fd, "x", 1) == 1);
	CHECK(!mkdirat(m, "dir", 0755));
	CHECK(!fstatfs(fd, &sf) && sf.f_type == 0x01021994 && sf.f_blocks == 256);
	close(fd);
	CHECK_ERR(mount("none", "m", NULL, 1 << 5, NULL), EINVAL);
	CHECK(!move_mount(m, "", AT_FDCWD, "m", MOVE_MOUNT_F_EMPTY_PATH));
	CHECK(!access("m/file", F_OK));
	CHECK((flags_of("m") & 6) == 6);
	f = fopen("/proc/self/mounts", "r");
	while (f && fgets(line, sizeof(line), f))
		found |= !strncmp(line, "linnet ", 7) && strstr(line, "size=1024k");
	if (f)
		fclose(f);
	CHECK(found);
	/* The second time it is an ordinary move. */
	CHECK(!move_mount(AT_FDCWD, "m", AT_FDCWD, "m2", 0));
	CHECK(access("m/file", F_OK) && !access("m2/file", F_OK));
	CHECK_ERR(umount("m2"), EBUSY);
	close(m);
	CHECK(!umount("m2"));
	/* One that never hangs goes with its descriptor. */
	m = new_mount("1m", 0);
	CHECK(m >= 0);
	fd = openat(m, "file", O_CREAT | O_RDWR, 0644);
	CHECK(fd >= 0 && !close(m));
	CHECK(write(fd, "x", 1) == 1 && !close(fd));
}

static void test_errors(void)
{
	int fs = fsopen("tmpfs", 0), m, null = open("/dev/null", O_RDONLY);
	char c;

	REQUIRE(fs >= 0);
	CHECK(fcntl(fs, F_GETFD) == 0);
	CHECK_ERR(fsopen("nosuchfs", 0), ENODEV);
	CHECK_ERR(fsopen("tmpfs", 8), EINVAL);
	CHECK_ERR(fsopen(BAD, 0), EFAULT);
	CHECK_ERR(read(fs, &c, 1), ENODATA);
	CHECK_ERR(fsconfig(-1, FSCONFIG_SET_FLAG, "ro", NULL, 0), EINVAL);
	CHECK_ERR(fsconfig(99, FSCONFIG_SET_FLAG, "ro", NULL, 0), EBADF);
	CHECK_ERR(fsconfig(null, FSCONFIG_SET_FLAG, "ro", NULL, 0), EINVAL);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_FLAG, "ro", "x", 0), EINVAL);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_FLAG, NULL, NULL, 0), EINVAL);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_STRING, "size", NULL, 0), EINVAL);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_STRING, "size", "1m", 1), EINVAL);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_BINARY, "size", "1m", 0), EINVAL);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_FD, "size", NULL, -1), EINVAL);
	CHECK_ERR(fsconfig(fs, 100, "size", NULL, 0), EOPNOTSUPP);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_FD, "sync", NULL, 99), EBADF);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_FD, "size", NULL, null), EINVAL);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_PATH, "sync", BAD, AT_FDCWD), EFAULT);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_PATH, "sync", "", AT_FDCWD), ENOENT);
	CHECK(!fsconfig(fs, FSCONFIG_SET_PATH_EMPTY, "sync", "", AT_FDCWD));
	CHECK(!fsconfig(fs, FSCONFIG_SET_PATH, "async", "/dev/null", AT_FDCWD));
	CHECK(!fsconfig(fs, FSCONFIG_SET_FD, "async", NULL, null));
	CHECK_ERR(fsconfig(fs, FSCONFIG_CMD_CREATE, "x", NULL, 0), EINVAL);
	CHECK_ERR(fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0), EBUSY);
	CHECK_ERR(fsmount(fs, 0, 0), EINVAL);
	CHECK_ERR(fsmount(fs, 2, 0), EINVAL);
	CHECK_ERR(fsmount(fs, 0, 0x1000), EINVAL);
	CHECK_ERR(fsmount(fs, 0, MOUNT_ATTR__ATIME), EINVAL);
	CHECK_ERR(fsmount(null, 0, 0), EINVAL);
	CHECK_ERR(fsmount(99, 0, 0), EBADF);
	CHECK(!fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0));
	CHECK(!fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_STRING, "size", "1m", 0), EBUSY);
	CHECK_ERR(fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EBUSY);
	m = fsmount(fs, 0, 0);
	CHECK(m >= 0);
	CHECK_ERR(openat(m, "x", O_CREAT | O_RDWR, 0644), EROFS);
	CHECK_ERR(fsmount(fs, 0, 0), EBUSY);
	CHECK_ERR(move_mount(m, "", AT_FDCWD, "none", MOVE_MOUNT_F_EMPTY_PATH), ENOENT);
	CHECK_ERR(move_mount(m, "", AT_FDCWD, "f", MOVE_MOUNT_F_EMPTY_PATH), EINVAL);
	CHECK_ERR(move_mount(m, "", AT_FDCWD, "m", 0), ENOENT);
	CHECK_ERR(move_mount(m, "", AT_FDCWD, "m", 0x8000), EINVAL);
	CHECK_ERR(move_mount(AT_FDCWD, "m", AT_FDCWD, "m2", 0), EINVAL);
	close(m);
	close(fs);
	close(null);
}

/* The next message of the context @fs. */
static const char *message(int fs)
{
	static char text[256];
	ssize_t n = read(fs, text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static void test_messages(void)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	char few[4];

	CHECK_ERR(read(fs, few, sizeof(few)), ENODATA);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_STRING, "colour", "red", 0), EINVAL);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_STRING, "size", "big", 0), EINVAL);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_FLAG, "size", NULL, 0), EINVAL);
	CHECK(!strcmp(message(fs), "e tmpfs: Unknown parameter 'colour'\n"));
	CHECK(!strcmp(message(fs), "e tmpfs: Bad value for 'size'\n"));
	CHECK_ERR(read(fs, few, sizeof(few)), EMSGSIZE);
	CHECK(!strcmp(message(fs), "e tmpfs: Bad value for 'size'\n"));
	CHECK_ERR(read(fs, few, sizeof(few)), ENODATA);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_BINARY, "size", "1", 1), EINVAL);
	CHECK(!strcmp(message(fs), "e tmpfs: Bad value for 'size'\n"));
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_FLAG, "source", NULL, 0), EINVAL);
	CHECK(!strcmp(message(fs), "e Non-string source\n"));
	CHECK(!fsconfig(fs, FSCONFIG_SET_STRING, "source", "a", 0));
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_STRING, "source", "b", 0), EINVAL);
	CHECK(!strcmp(message(fs), "e Multiple sources\n"));
	/* The last eight are kept. */
	for (int i = 0; i < 9; i++) {
		char name[16];

		snprintf(name, sizeof(name), "x%d", i);
		CHECK_ERR(fsconfig(fs, FSCONFIG_SET_FLAG, name, NULL, 0), EINVAL);
	}
	CHECK(!strcmp(message(fs), "e tmpfs: Unknown parameter 'x1'\n"));
	/* What was refused is forgotten. */
	CHECK(!fsconfig(fs, FSCONFIG_SET_STRING, "ro", "whatever", 0));
	CHECK(!fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	close(fs);
	fs = fsopen("sysfs", 0);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_FLAG, "colour", NULL, 0), EINVAL);
	CHECK(!strcmp(message(fs), "e sysfs: Unknown parameter 'colour'\n"));
	close(fs);
}

static void test_copies(void)
{
	int t, plain;

	CHECK(!mount("none", "m", "tmpfs", 0, "size=2m") && !mkdir("m/sub", 0755));
	touch("m/one");
	CHECK(!mount("none", "m/sub", "tmpfs", 0, NULL));
	touch("m/sub/two");
	plain = open_tree(AT_FDCWD, "m", OPEN_TREE_CLOEXEC);
	CHECK(plain >= 0 && !faccessat(plain, "sub/two", F_OK, 0));
	close(plain);
	t = open_tree(AT_FDCWD, "m", OPEN_TREE_CLONE);
	CHECK(t >= 0 && !faccessat(t, "one", F_OK, 0) && faccessat(t, "sub/two", F_OK, 0));
	close(t);
	t = open_tree(AT_FDCWD, "m", OPEN_TREE_CLONE | AT_RECURSIVE);
	CHECK(t >= 0 && !faccessat(t, "sub/two", F_OK, 0));
	CHECK(!move_mount(t, "", AT_FDCWD, "m2", MOVE_MOUNT_F_EMPTY_PATH));
	CHECK(!access("m2/sub/two", F_OK));
	/* Hung once, it is not loose any more. */
	CHECK(!close(t) && !access("m2/sub/two", F_OK));
	t = open_tree(AT_FDCWD, "m/sub", OPEN_TREE_CLONE);
	CHECK(t >= 0);
	CHECK_ERR(umount("m"), EBUSY);
	CHECK(!umount("m2/sub") && !umount("m2") && !umount("m/sub") && !umount("m"));
	CHECK(!faccessat(t, "two", F_OK, 0));
	close(t);
	CHECK_ERR(open_tree(AT_FDCWD, "m", AT_RECURSIVE), EINVAL);
	CHECK_ERR(open_tree(AT_FDCWD, "m", 0x10), EINVAL);
	CHECK_ERR(open_tree(AT_FDCWD, "none", OPEN_TREE_CLONE), ENOENT);
	CHECK_ERR(open_tree(99, "m", 0), EBADF);
}

/* Does what is mounted on m/d show at @other, and go there too? */
static int propagates(const char *other)
{
	int shows;

	if (mount("none", "m/d", "tmpfs", 0, NULL))
		return -1;
	touch("m/d/x");
	shows = !access(other, F_OK);
	return umount("m/d") || !access(other, F_OK) ? -1 : shows;
}

static void test_groups(void)
{
	int t;

	CHECK(!mount("none", "m", "tmpfs", 0, NULL) && !mount(NULL, "m", NULL, MS_SHARED, NULL));
	CHECK(!mkdir("m/d", 0755) && !mkdir("m3", 0755));
	/* A copy is a peer; while it hangs nowhere nothing comes to it. */
	t = open_tree(AT_FDCWD, "m", OPEN_TREE_CLONE);
	CHECK(!move_mount(t, "", AT_FDCWD, "m2", MOVE_MOUNT_F_EMPTY_PATH) && !close(t));
	CHECK(propagates("m2/d/x") == 1);
	CHECK(!mount("m", "m3", NULL, MS_BIND, NULL) && !mount(NULL, "m3", NULL, MS_PRIVATE, NULL));
	CHECK(propagates("m3/d/x") == 0);
	CHECK(!move_mount(AT_FDCWD, "m", AT_FDCWD, "m3", MOVE_MOUNT_SET_GROUP));
	CHECK(propagates("m3/d/x") == 1 && propagates("m2/d/x") == 1);
	CHECK_ERR(move_mount(AT_FDCWD, "m", AT_FDCWD, "m3", MOVE_MOUNT_SET_GROUP), EINVAL);
	CHECK(!mount(NULL, "m3", NULL, MS_PRIVATE, NULL));
	CHECK_ERR(move_mount(AT_FDCWD, "m/d", AT_FDCWD, "m3", MOVE_MOUNT_SET_GROUP), EINVAL);
	CHECK_ERR(move_mount(AT_FDCWD, "m3", AT_FDCWD, "m2", MOVE_MOUNT_SET_GROUP), EINVAL);
	CHECK_ERR(move_mount(AT_FDCWD, "m", AT_FDCWD, ".", MOVE_MOUNT_SET_GROUP), EINVAL);
	/* Only part of what the other shows, and a slave's master too. */
	CHECK(!umount("m3") && !mount("m/d", "m3", NULL, MS_BIND, NULL) &&
	      !mount(NULL, "m3", NULL, MS_PRIVATE, NULL) &&
	      !mount(NULL, "m2", NULL, MS_SLAVE, NULL));
	CHECK_ERR(move_mount(AT_FDCWD, "m3", AT_FDCWD, "m3", MOVE_MOUNT_SET_GROUP), EINVAL);
	CHECK(!move_mount(AT_FDCWD, "m2", AT_FDCWD, "m3", MOVE_MOUNT_SET_GROUP));
	CHECK(!mkdir("m/d/e", 0755) && !mount("none", "m/d/e", "tmpfs", 0, NULL));
	touch("m/d/e/y");
	CHECK(!access("m3/e/y", F_OK) && !access("m2/d/e/y", F_OK) && !umount("m/d/e"));
	CHECK(!umount("m3") && !umount("m2") && !umount("m") && !rmdir("m3"));
}

static void test_attributes(void)
{
	struct mount_attr a = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC };
	int fd;

	CHECK(!mount("none", "m", "tmpfs", 0, NULL) && !mkdir("m/sub", 0755) &&
	      !mount("none", "m/sub", "tmpfs", 0, NULL));
	CHECK(!mount_setattr(AT_FDCWD, "m", 0, &a, sizeof(a)));
	CHECK((flags_of("m") & 9) == 9 && !(flags_of("m/sub") & 9));
	CHECK_ERR(open("m/x", O_CREAT | O_RDWR, 0644), EROFS);
	touch("m/sub/x");
	CHECK(!access("m/sub/x", F_OK));
	CHECK(!mount_setattr(AT_FDCWD, "m", AT_RECURSIVE, &a, sizeof(a)));
	CHECK((flags_of("m/sub") & 9) == 9);
	a = (struct mount_attr){ .attr_clr = MOUNT_ATTR_RDONLY };
	CHECK(!mount_setattr(AT_FDCWD, "m", AT_RECURSIVE, &a, sizeof(a)));
	CHECK((flags_of("m") & 9) == 8 && (flags_of("m/sub") & 9) == 8);
	a = (struct mount_attr){ .attr_set = MOUNT_ATTR_NOATIME, .attr_clr = MOUNT_ATTR__ATIME };
	CHECK(!mount_setattr(AT_FDCWD, "m", 0, &a, sizeof(a)));
	CHECK((flags_of("m") & 0x400) && !(flags_of("m") & 0x1000));
	fd = open("m/y", O_CREAT | O_RDWR, 0644);
	a = (struct mount_attr){ .attr_set = MOUNT_ATTR_RDONLY };
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0, &a, sizeof(a)), EBUSY);
	close(fd);
	CHECK_ERR(mount_setattr(AT_FDCWD, "m/y", 0, &a, sizeof(a)), EINVAL);
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0x10, &a, sizeof(a)), EINVAL);
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0, &a, 31), EINVAL);
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0, &a, 4097), E2BIG);
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0, BAD, 32), EFAULT);
	a = (struct mount_attr){ .attr_set = MOUNT_ATTR_NOATIME };
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0, &a, 32), EINVAL);
	a = (struct mount_attr){ .attr_set = 1ull << 40 };
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0, &a, 32), EINVAL);
	a = (struct mount_attr){ .propagation = (1 << 18) | (1 << 20) };
	CHECK_ERR(mount_setattr(AT_FDCWD, "m", 0, &a, 32), EINVAL);
	a = (struct mount_attr){ .propagation = 1 << 18 };
	CHECK(!mount_setattr(AT_FDCWD, "m", AT_RECURSIVE, &a, 32));
	CHECK(!umount("m/sub") && !umount("m"));
}

static void test_pick(void)
{
	int fs;

	CHECK(!mount("none", "m", "tmpfs", 0, "size=1m") && !mkdir("m/d", 0755));
	CHECK_ERR(fspick(AT_FDCWD, "m/d", 0), EINVAL);
	CHECK_ERR(fspick(AT_FDCWD, "none", 0), ENOENT);
	CHECK_ERR(fspick(AT_FDCWD, "m", 0x100), EINVAL);
	fs = fspick(AT_FDCWD, "m", FSPICK_CLOEXEC);
	CHECK(fs >= 0 && fcntl(fs, F_GETFD) == FD_CLOEXEC);
	CHECK(!fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0));
	CHECK(!mkdir("m/e", 0755));
	CHECK(!fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
	CHECK_ERR(mkdir("m/f", 0755), EROFS);
	CHECK_ERR(fsmount(fs, 0, 0), EBUSY);
	close(fs);
	CHECK(!umount("m"));
}

static void test_user(void)
{
	struct mount_attr a = { .attr_set = 1 };
	int st;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		int ok = !setuid(1000);

		ok = ok && fsopen("tmpfs", 0) < 0 && errno == EPERM;
		ok = ok && fsmount(0, 0, 0) < 0 && errno == EPERM;
		ok = ok && fspick(AT_FDCWD, "m", 0) < 0 && errno == EPERM;
		ok = ok && open_tree(AT_FDCWD, "m", OPEN_TREE_CLONE) < 0 && errno == EPERM;
		ok = ok && move_mount(0, "", 0, "", 0) < 0 && errno == EPERM;
		ok = ok && mount_setattr(AT_FDCWD, "m", 0, &a, 32) < 0 && errno == EPERM;
		_exit(ok ? 7 : 8);
	}
	CHECK(waitpid(pid, &st, 0) == pid && WEXITSTATUS(st) == 7);
}

int main(void)
{
	char dir[] = "/tmp/mount_fd.XXXXXX";

	umask(022);
	REQUIRE(mkdtemp(dir) && !mount("none", dir, "tmpfs", 0, "mode=755") && !chdir(dir));
	CHECK(!mount(NULL, ".", NULL, 1 << 18, NULL)); /* private, whatever is above */
	CHECK(!mkdir("m", 0755) && !mkdir("m2", 0755));
	touch("f");
	test_new();
	test_errors();
	test_messages();
	test_copies();
	test_groups();
	test_attributes();
	test_pick();
	test_user();
	CHECK(!chdir("/") && !umount(dir) && !rmdir(dir));
	return tap_done();
}
