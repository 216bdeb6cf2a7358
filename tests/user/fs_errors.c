/*
 * The sections ERRORS of the manual pages of calls on files, page by page: each error that a
 * program can bring about, and what stays as it was.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include "tap.h"

#ifndef RWF_APPEND
#define RWF_HIPRI 1
#define RWF_DSYNC 2
#define RWF_SYNC 4
#define RWF_NOWAIT 8
#define RWF_APPEND 16
#endif
#define BAD ((void *)8)

static char longname[NAME_MAX + 2], longpath[PATH_MAX + 1];

static int make(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? fd : -1;
}

static void touch(const char *name)
{
	close(make(name, "text"));
}

static int child_status(pid_t pid)
{
	int st = -1;

	while (waitpid(pid, &st, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

/* Runs @fn as user 1000 in a child. */
static void as_user(void (*fn)(void))
{
	pid_t pid = fork();

	if (!pid) {
		if (setgid(1000) || setuid(1000))
			_exit(99);
		fn();
		_exit(0);
	}
	CHECK(child_status(pid) == 0);
}

static void names_of_directories(void)
{
	CHECK_ERR(mkdir("f", 0755), EEXIST);
	CHECK_ERR(mkdir("loop", 0755), EEXIST);
	CHECK_ERR(mkdir("f/x", 0755), ENOTDIR);
	CHECK_ERR(mkdir("none/x", 0755), ENOENT);
	CHECK_ERR(mkdir("loop/x", 0755), ELOOP);
	CHECK_ERR(mkdir(longname, 0755), ENAMETOOLONG);
	CHECK_ERR(mkdir(longpath, 0755), ENAMETOOLONG);
	CHECK_ERR(mkdir("", 0755), ENOENT);
	CHECK_ERR(mkdir(BAD, 0755), EFAULT);
	CHECK_ERR(mkdirat(-1, "x", 0755), EBADF);
	CHECK_ERR(mkdir("/", 0755), EEXIST);
	CHECK_ERR(mkdir(".", 0755), EEXIST);
	CHECK_ERR(rmdir("d/."), EINVAL);
	CHECK_ERR(rmdir("d/.."), ENOTEMPTY);
	CHECK_ERR(rmdir("f"), ENOTDIR);
	CHECK_ERR(rmdir("l"), ENOTDIR);
	CHECK_ERR(rmdir("/"), EBUSY);
	CHECK_ERR(rmdir("none"), ENOENT);
	touch("d/x");
	CHECK_ERR(rmdir("d"), ENOTEMPTY);
	CHECK_ERR(unlink("d"), EISDIR);
	CHECK_ERR(unlink("f/"), ENOTDIR);
	CHECK_ERR(unlink("d/"), EISDIR);
	CHECK_ERR(unlink("none/"), ENOENT);
	CHECK_ERR(unlink("."), EISDIR);
	CHECK_ERR(unlinkat(AT_FDCWD, "f", 0x1000), EINVAL);
	CHECK_ERR(unlinkat(99, "f", 0), EBADF);
}

static void links_and_renames(void)
{
	CHECK_ERR(symlink("", "s"), ENOENT);
	CHECK_ERR(symlink("f", "l"), EEXIST);
	CHECK_ERR(symlink("f", "s/"), ENOENT);
	CHECK_ERR(symlink(longpath, "s"), ENAMETOOLONG);
	CHECK_ERR(link("d", "d2"), EPERM);
	CHECK_ERR(link("none", "n2"), ENOENT);
	CHECK_ERR(link("f", "l"), EEXIST);
	CHECK_ERR(link("f", "/dev/linnet-x"), EXDEV);
	CHECK_ERR(linkat(AT_FDCWD, "f", AT_FDCWD, "n", 0x100), EINVAL);
	CHECK(!linkat(AT_FDCWD, "l", AT_FDCWD, "l2", AT_SYMLINK_FOLLOW) && !unlink("l2"));
	CHECK_ERR(rename("d", "d/e"), EINVAL);
	CHECK_ERR(rename("f", "d"), EISDIR);
	CHECK_ERR(rename("d", "f"), ENOTDIR);
	CHECK_ERR(rename("none", "f"), ENOENT);
	CHECK_ERR(rename("f", "none/x"), ENOENT);
	CHECK_ERR(rename(".", "x"), EBUSY);
	CHECK_ERR(rename("d", ".."), EBUSY);
	CHECK_ERR(rename("f", "/proc/x"), EXDEV);
	CHECK_ERR(rename("f/", "x"), ENOTDIR);
	CHECK_ERR(rename("f", "x/"), ENOTDIR);
	CHECK(!mkdir("e", 0755) && !mkdir("e/in", 0755));
	CHECK_ERR(rename("d", "e"), ENOTEMPTY);
	CHECK_ERR(rename("e/in", "e"), ENOTEMPTY);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "d", 8), EINVAL);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "d", 3), EINVAL);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "d", 1), EEXIST);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "none", 2), ENOENT);
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "e", AT_FDCWD, "e/in", 2), EINVAL);
	CHECK(!rmdir("e/in") && !rmdir("e"));
}

static void other_names(void)
{
	CHECK_ERR(mknod("f", S_IFREG, 0), EEXIST);
	CHECK_ERR(mknod("x", S_IFDIR, 0), EPERM);
	CHECK_ERR(mknod("x", S_IFLNK, 0), EINVAL);
	CHECK_ERR(mknod("x", 0170000, 0), EINVAL);
	CHECK_ERR(mknod("x/", S_IFREG, 0), ENOENT);
	CHECK_ERR(mknod("f/x", S_IFREG, 0), ENOTDIR);
	CHECK_ERR(readlink("f", longpath, 10), EINVAL);
	CHECK_ERR(syscall(SYS_readlinkat, AT_FDCWD, "l", longpath, 0), EINVAL);
	CHECK_ERR(readlink("none", longpath, 10), ENOENT);
	CHECK_ERR(syscall(SYS_readlinkat, AT_FDCWD, "l", BAD, 10), EFAULT);
	CHECK_ERR(chdir("f"), ENOTDIR);
	CHECK_ERR(chdir("loop"), ELOOP);
	CHECK_ERR(chdir(longname), ENAMETOOLONG);
	CHECK_ERR(fchdir(99), EBADF);
	CHECK_ERR(chroot("f"), ENOTDIR);
	CHECK_ERR(chroot("none"), ENOENT);
	CHECK_ERR(syscall(SYS_getcwd, longpath, 2), ERANGE);
	CHECK_ERR(syscall(SYS_getcwd, BAD, 4096), EFAULT);
}

static void test_names(void)
{
	touch("f");
	CHECK(!mkdir("d", 0755) && !symlink("loop", "loop") && !symlink("f", "l"));
	names_of_directories();
	links_and_renames();
	other_names();
	memset(longpath, 'a', PATH_MAX);
	CHECK(!unlink("d/x") && !rmdir("d") && !unlink("f") && !unlink("l") && !unlink("loop"));
}

static void open_as_user(void)
{
	struct open_how how = { .flags = O_CREAT | O_RDWR, .mode = 0644 };
	struct timespec old[2] = { { 5, 0 }, { 5, 0 } };

	CHECK_ERR(open("secret", O_RDONLY), EACCES);
	CHECK_ERR(open("public", O_RDWR), EACCES);
	CHECK_ERR(open("public", O_RDONLY | O_TRUNC), EACCES);
	CHECK_ERR(open("public", O_RDONLY | O_NOATIME), EPERM);
	CHECK_ERR(open("dir/x", O_CREAT | O_RDWR, 0644), EACCES);
	CHECK_ERR(syscall(SYS_openat2, AT_FDCWD, "dir/x", &how, sizeof(how)), EACCES);
	CHECK_ERR(mkdir("dir/x", 0755), EACCES);
	CHECK_ERR(symlink("x", "dir/x"), EACCES);
	CHECK_ERR(mknod("sticky/n", S_IFCHR | 0600, 0x103), EPERM);
	CHECK(!mknod("sticky/w", S_IFCHR | 0600, 0) && !unlink("sticky/w"));
	CHECK(!mknod("sticky/p", S_IFIFO | 0600, 0) && !unlink("sticky/p"));
	CHECK_ERR(unlink("sticky/root"), EPERM);
	CHECK_ERR(rename("sticky/root", "sticky/mine"), EPERM);
	CHECK_ERR(rmdir("sticky/rootdir"), EPERM);
	CHECK_ERR(link("secret", "sticky/s"), EPERM);
	/* Another mount is seen first, then whose file it is, and then the directory. */
	CHECK_ERR(link("secret", "/dev/linnet-x"), EXDEV);
	CHECK_ERR(link("mine", "/dev/linnet-x"), EXDEV);
	CHECK_ERR(link("secret", "dir/s"), EPERM);
	CHECK_ERR(link("mine", "dir/m"), EACCES);
	CHECK_ERR(unlink("public"), EACCES);
	CHECK_ERR(chmod("public", 0600), EPERM);
	CHECK_ERR(chown("public", 1000, 1000), EPERM);
	CHECK_ERR(chown("mine", 0, -1), EPERM);
	CHECK_ERR(chown("mine", -1, 0), EPERM);
	CHECK(!chown("mine", 1000, 1000) && !chmod("mine", 02755));
	CHECK_ERR(utimensat(AT_FDCWD, "public", old, 0), EPERM);
	CHECK_ERR(utimensat(AT_FDCWD, "public", NULL, 0), EACCES);
	CHECK(!utimensat(AT_FDCWD, "writable", NULL, 0));
	CHECK_ERR(utimensat(AT_FDCWD, "writable", old, 0), EPERM);
	CHECK_ERR(truncate("public", 0), EACCES);
	CHECK_ERR(access("secret", R_OK), EACCES);
	CHECK_ERR(access("public", W_OK), EACCES);
	CHECK_ERR(access("public", X_OK), EACCES);
	CHECK_ERR(chdir("closed"), EACCES);
	CHECK_ERR(open("closed/x", O_RDONLY), EACCES);
	CHECK_ERR(chroot("dir"), EPERM);
	CHECK_ERR(mount("none", "dir", "tmpfs", 0, NULL), EPERM);
	CHECK_ERR(umount2("dir", 0), EPERM);
	CHECK_ERR(syscall(SYS_pivot_root, "dir", "dir"), EPERM);
	CHECK_ERR(setxattr("public", "trusted.a", "b", 1, 0), EPERM);
	CHECK_ERR(getxattr("public", "trusted.t", longpath, 10), ENODATA);
	CHECK(listxattr("public", longpath, 100) == 0);
	memset(longpath, 'a', PATH_MAX);
	CHECK_ERR(inotify_add_watch(inotify_init1(0), "secret", IN_OPEN), EACCES);
}

#define OPENAT2(name, how, size) syscall(SYS_openat2, AT_FDCWD, name, how, size)

/* How openat2(2) is asked; "f" is a file and "l" leads to it. */
static void test_openat2(void)
{
	struct open_how how = { .flags = O_RDONLY };
	struct {
		struct open_how how;
		long more;
	} big = { .how = { .flags = O_RDONLY } };
	int n;

	CHECK_ERR(OPENAT2("f", &how, sizeof(how) - 1), EINVAL);
	CHECK((n = OPENAT2("f", &big, sizeof(big))) >= 0 && !close(n));
	big.more = 1;
	CHECK_ERR(OPENAT2("f", &big, sizeof(big)), E2BIG);
	CHECK_ERR(OPENAT2("f", BAD, sizeof(how)), EFAULT);
	how.mode = 0644;
	CHECK_ERR(OPENAT2("f", &how, sizeof(how)), EINVAL);
	how.flags = O_CREAT | O_RDWR;
	how.mode = 010000;
	CHECK_ERR(OPENAT2("f", &how, sizeof(how)), EINVAL);
	how = (struct open_how){ .flags = 1ull << 40 };
	CHECK_ERR(OPENAT2("f", &how, sizeof(how)), EINVAL);
	how = (struct open_how){ .flags = O_PATH | O_RDWR };
	CHECK_ERR(OPENAT2("f", &how, sizeof(how)), EINVAL);
	how = (struct open_how){ .resolve = 0x100 };
	CHECK_ERR(OPENAT2("f", &how, sizeof(how)), EINVAL);
	how.resolve = RESOLVE_BENEATH | RESOLVE_IN_ROOT;
	CHECK_ERR(OPENAT2("f", &how, sizeof(how)), EINVAL);
	how.resolve = RESOLVE_BENEATH;
	CHECK_ERR(OPENAT2("../x", &how, sizeof(how)), EXDEV);
	CHECK_ERR(OPENAT2("/proc", &how, sizeof(how)), EXDEV);
	how.resolve = RESOLVE_NO_XDEV;
	CHECK_ERR(OPENAT2("/proc/self/status", &how, sizeof(how)), EXDEV);
	how.resolve = RESOLVE_NO_SYMLINKS;
	CHECK_ERR(OPENAT2("l", &how, sizeof(how)), ELOOP);
	how.resolve = RESOLVE_NO_MAGICLINKS;
	CHECK_ERR(OPENAT2("/proc/self/exe", &how, sizeof(how)), ELOOP);
	CHECK((n = OPENAT2("l", &how, sizeof(how))) >= 0 && !close(n));
	how.resolve = RESOLVE_IN_ROOT;
	CHECK((n = OPENAT2("/../f", &how, sizeof(how))) >= 0 && !close(n));
	CHECK_ERR(OPENAT2("/proc", &how, sizeof(how)), ENOENT);
}

/* RESOLVE_CACHED: what is in the cache already, and may be had without waiting. */
static void test_open_cached(void)
{
	static const char *const here[] = { "f", "l", "d/../f", "." };
	struct open_how how = { .flags = O_RDONLY, .resolve = RESOLVE_CACHED };
	int fd;

	for (int i = 0; i < 4; i++)
		CHECK((fd = (int)OPENAT2(here[i], &how, sizeof(how))) >= 0 && !close(fd));
	CHECK_ERR(OPENAT2("never-asked-for", &how, sizeof(how)), EAGAIN);
	CHECK_ERR(OPENAT2("", &how, sizeof(how)), ENOENT);
	how.flags = O_RDONLY | O_NOFOLLOW;
	CHECK_ERR(OPENAT2("l", &how, sizeof(how)), ELOOP);
	how.flags = O_RDWR | O_TMPFILE;
	CHECK_ERR(OPENAT2(".", &how, sizeof(how)), EAGAIN);
	how.flags = O_CREAT | O_RDWR;
	how.mode = 0600;
	CHECK_ERR(OPENAT2("cached", &how, sizeof(how)), EAGAIN);
	how.mode = 0;
	how.flags = O_TRUNC | O_WRONLY;
	CHECK_ERR(OPENAT2("f", &how, sizeof(how)), EAGAIN);
	how.flags = 1ull << 40;
	CHECK_ERR(OPENAT2("f", &how, sizeof(how)), EINVAL);
}

static void test_open_as_user(void)
{
	touch("secret");
	touch("public");
	touch("mine");
	touch("writable");
	CHECK(!chmod("secret", 0600) && !chown("mine", 1000, 1000) && !chmod("writable", 0666));
	CHECK(!setxattr("public", "trusted.t", "v", 1, 0));
	CHECK(!mkdir("sticky", 0755) && !chmod("sticky", 01777) && !mkdir("sticky/rootdir", 0755));
	touch("sticky/root");
	CHECK(!mkdir("dir", 0755) && !mkdir("closed", 0700));
	as_user(open_as_user);
	CHECK(!unlink("secret") && !unlink("public") && !unlink("mine") && !unlink("writable") &&
	      !unlink("sticky/root") && !rmdir("sticky/rootdir") && !rmdir("sticky") &&
	      !rmdir("dir") && !rmdir("closed"));
}

/* access(2) asks by the real ids, faccessat2(2) with AT_EACCESS by those that count. */
static void as_both(void)
{
	CHECK(!setresuid(1000, 0, 0));
	CHECK_ERR(access("secret", R_OK), EACCES);
	CHECK_ERR(syscall(SYS_faccessat2, AT_FDCWD, "secret", R_OK, 0), EACCES);
	CHECK(!syscall(SYS_faccessat2, AT_FDCWD, "secret", R_OK, AT_EACCESS));
	CHECK_ERR(syscall(SYS_faccessat2, AT_FDCWD, "secret", X_OK, AT_EACCESS), EACCES);
	CHECK(!setresuid(0, 1000, 0) && !access("secret", W_OK));
	CHECK_ERR(syscall(SYS_faccessat2, AT_FDCWD, "secret", R_OK, AT_EACCESS), EACCES);
	CHECK_ERR(open("secret", O_RDONLY), EACCES);
	CHECK(!access("secret", F_OK));
}

static void test_access(void)
{
	pid_t pid;

	touch("secret");
	CHECK(!chmod("secret", 0600) && !symlink("secret", "link") && !symlink("none", "none2"));
	pid = fork();
	if (!pid) {
		as_both();
		_exit(0);
	}
	CHECK(child_status(pid) == 0);
	CHECK_ERR(access("none2", F_OK), ENOENT);
	CHECK(!syscall(SYS_faccessat2, AT_FDCWD, "none2", F_OK, AT_SYMLINK_NOFOLLOW));
	CHECK(!unlink("secret") && !unlink("link") && !unlink("none2"));
}

/* AT_SYMLINK_NOFOLLOW: the link's own owner and times; AT_REMOVEDIR; relative to a descriptor. */
static void test_own_names(void)
{
	struct timespec t[2] = { { 10, 0 }, { 20, 0 } };
	struct stat st;
	int dir = -1;

	touch("f");
	CHECK(!mkdir("d", 0755) && !symlink("../f", "d/l") && (dir = open("d", O_PATH)) >= 0);
	CHECK(!fchownat(dir, "l", 3, 4, AT_SYMLINK_NOFOLLOW) && !fstatat(dir, "l", &st, 0) &&
	      !st.st_uid);
	CHECK(!utimensat(dir, "l", t, AT_SYMLINK_NOFOLLOW) && !stat("f", &st) && st.st_mtime > 20);
	CHECK(!fstatat(dir, "l", &st, AT_SYMLINK_NOFOLLOW) && S_ISLNK(st.st_mode) &&
	      st.st_uid == 3 && st.st_gid == 4 && st.st_mtime == 20);
	CHECK(!fchownat(dir, "l", 5, 6, 0) && !stat("f", &st) && st.st_uid == 5);
	CHECK(!utimensat(dir, "l", t, 0) && !stat("f", &st) && st.st_mtime == 20);
	CHECK(!mkdirat(dir, "e", 0755) && !linkat(dir, "l", dir, "l2", 0));
	CHECK_ERR(unlinkat(dir, "e", 0), EISDIR);
	CHECK_ERR(unlinkat(dir, "l", AT_REMOVEDIR), ENOTDIR);
	CHECK(!unlinkat(dir, "e", AT_REMOVEDIR) && !renameat(dir, "l2", AT_FDCWD, "moved"));
	CHECK(!lstat("moved", &st) && st.st_uid == 3 && !unlink("moved"));
	CHECK(!unlinkat(dir, "l", 0) && !close(dir) && !rmdir("d") && !unlink("f"));
}

static void test_open(void)
{
	int fd = make("f", "text");
	struct rlimit rl, low;

	REQUIRE(fd >= 0);
	CHECK(!mkdir("d", 0755) && !symlink("f", "l") && !symlink("loop", "loop"));
	CHECK_ERR(open("f", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
	CHECK_ERR(open("l", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
	CHECK_ERR(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERR(open("loop", O_RDONLY), ELOOP);
	CHECK_ERR(open("d", O_RDWR), EISDIR);
	CHECK_ERR(open("d", O_RDONLY | O_TRUNC), EISDIR);
	CHECK_ERR(open("d", O_RDONLY | O_CREAT, 0644), EISDIR);
	CHECK_ERR(open("d", O_RDONLY | O_DIRECT), EINVAL);
	CHECK_ERR(open("f", O_RDONLY | O_DIRECT), EINVAL);
	CHECK_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	/* Flags are looked at before the name. */
	CHECK_ERR(open("", O_RDONLY | O_CREAT | O_DIRECTORY, 0644), EINVAL);
	CHECK_ERR(open(longname, O_RDONLY | O_TMPFILE, 0644), EINVAL);
	CHECK_ERR(open("f/x", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("f/", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("x/", O_CREAT | O_RDWR, 0644), EISDIR);
	CHECK_ERR(open("none/x", O_CREAT | O_RDWR, 0644), ENOENT);
	CHECK_ERR(open(longname, O_CREAT | O_RDWR, 0644), ENAMETOOLONG);
	CHECK_ERR(open(BAD, O_RDONLY), EFAULT);
	CHECK_ERR(openat(99, "f", O_RDONLY), EBADF);
	CHECK_ERR(openat(fd, "f", O_RDONLY), ENOTDIR);
	CHECK_ERR(open(".", O_TMPFILE | O_RDONLY, 0644), EINVAL);
	CHECK_ERR(open(".", O_TMPFILE | O_RDONLY | O_TRUNC, 0644), EINVAL);
	CHECK_ERR(open("f", O_TMPFILE | O_RDWR, 0644), ENOTDIR);
	CHECK_ERR(open("none", O_TMPFILE | O_RDWR, 0644), ENOENT);
	CHECK_ERR(open("/proc", O_TMPFILE | O_RDWR, 0644), EOPNOTSUPP);
	getrlimit(RLIMIT_NOFILE, &rl);
	low = rl;
	low.rlim_cur = fd + 1;
	CHECK(!setrlimit(RLIMIT_NOFILE, &low));
	CHECK_ERR(open("f", O_RDONLY), EMFILE);
	CHECK_ERR(dup(fd), EMFILE);
	CHECK(!setrlimit(RLIMIT_NOFILE, &rl));
	test_openat2();
	test_open_cached();
	test_open_as_user();
	close(fd);
	CHECK(!unlink("f") && !unlink("l") && !unlink("loop") && !rmdir("d"));
}

/* Extended attributes of "f", which @fd and @path have open. */
static void test_xattrs(int fd, int path)
{
	char v[8];

	CHECK_ERR(setxattr("f", "trusted.a", "b", 1, 4), EINVAL);
	CHECK_ERR(setxattr("f", longname, "b", 1, 0), ERANGE);
	CHECK_ERR(setxattr("f", "trusted.a", "b", 65537, 0), E2BIG);
	CHECK_ERR(setxattr("f", "trusted.a", BAD, 1, 0), EFAULT);
	CHECK_ERR(setxattr("f", BAD, "b", 1, 0), EFAULT);
	CHECK_ERR(fsetxattr(path, "trusted.a", "b", 1, 0), EBADF);
	CHECK(!setxattr("f", "trusted.a", NULL, 0, XATTR_CREATE));
	CHECK(getxattr("f", "trusted.a", v, sizeof(v)) == 0);
	CHECK(!setxattr("f", "trusted.a", "value", 5, XATTR_REPLACE));
	CHECK_ERR(getxattr("f", "trusted.a", v, 4), ERANGE);
	CHECK_ERR(listxattr("f", v, 4), ERANGE);
	CHECK(listxattr("f", NULL, 0) == 10);
	CHECK_ERR(syscall(SYS_listxattr, "f", BAD, 100), EFAULT);
	CHECK_ERR(removexattr("f", "trusted.none"), ENODATA);
	CHECK_ERR(removexattr("f", ""), ERANGE);
	CHECK(!fremovexattr(fd, "trusted.a") && listxattr("f", NULL, 0) == 0);
	CHECK_ERR(getxattr("f", "user", v, 4), EOPNOTSUPP);
	CHECK_ERR(getxattr("none", "trusted.a", v, 4), ENOENT);
}

static void test_attributes(void)
{
	struct timespec bad[2] = { { 0, -1 }, { 0, 0 } },
			omit[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
	int fd = make("f", "text"), path = open("f", O_PATH);
	struct statfs sf;
	struct stat st;

	REQUIRE(fd >= 0 && path >= 0);
	CHECK_ERR(chmod("none", 0), ENOENT);
	CHECK_ERR(fchmod(99, 0), EBADF);
	CHECK_ERR(syscall(SYS_fchmod, path, 0), EBADF);
	CHECK_ERR(syscall(SYS_fchown, path, 0, 0), EBADF);
	CHECK_ERR(fchownat(AT_FDCWD, "f", 0, 0, 0x10000), EINVAL);
	CHECK(!fchownat(fd, "", 1, 2, AT_EMPTY_PATH) && !fstat(fd, &st) && st.st_uid == 1 &&
	      st.st_gid == 2);
	/* Set-id bits go with the owner, also for root; the group's only with the x bit. */
	CHECK(!fchmod(fd, 06755) && !fchown(fd, 0, 0) && !fstat(fd, &st) &&
	      (st.st_mode & 07777) == 0755);
	CHECK(!fchmod(fd, 06745) && !fchown(fd, 0, 0) && !fstat(fd, &st) &&
	      (st.st_mode & 07777) == 02745);
	CHECK(!fchmod(fd, 0644));
	CHECK_ERR(utimensat(AT_FDCWD, "f", bad, 0), EINVAL);
	CHECK_ERR(syscall(SYS_utimensat, AT_FDCWD, "f", BAD, 0), EFAULT);
	CHECK_ERR(utimensat(AT_FDCWD, "f", NULL, 4), EINVAL);
	CHECK_ERR(utimensat(AT_FDCWD, "none", NULL, 0), ENOENT);
	CHECK(!utimensat(AT_FDCWD, "none", omit, 0));
	CHECK_ERR(syscall(SYS_utimensat, 99, NULL, NULL, 0), EBADF);
	CHECK_ERR(syscall(SYS_utimensat, fd, NULL, NULL, AT_SYMLINK_NOFOLLOW), EINVAL);
	CHECK_ERR(access("f", 8), EINVAL);
	CHECK_ERR(syscall(SYS_faccessat2, AT_FDCWD, "f", 0, 0x1), EINVAL);
	CHECK(!syscall(SYS_faccessat2, fd, "", R_OK, AT_EMPTY_PATH | AT_EACCESS));
	CHECK_ERR(truncate("f", -1), EINVAL);
	CHECK_ERR(truncate(".", 0), EISDIR);
	CHECK_ERR(truncate("/dev/null", 0), EINVAL);
	CHECK_ERR(ftruncate(fd, -1), EINVAL);
	CHECK_ERR(ftruncate(path, 0), EBADF);
	CHECK_ERR(ftruncate(99, 0), EBADF);
	CHECK_ERR(statfs("none", &sf), ENOENT);
	CHECK_ERR(fstatfs(99, &sf), EBADF);
	CHECK_ERR(syscall(SYS_statfs, "f", BAD), EFAULT);
	CHECK(!fstatfs(path, &sf) && sf.f_type == 0x01021994 && sf.f_namelen == 255);
	test_xattrs(fd, path);
	close(path);
	close(fd);
	unlink("f");
}

/* Of "f": to read and write, each alone, as a path; beside it a folder, pipes and sockets. */
static struct {
	int fd, rd, wr, path, dir, p[2], q[2], sock[2];
} io;

static void test_read_write(void)
{
	struct iovec v[2] = { { "ab", 2 }, { "cd", 2 } }, neg = { "x", (size_t)-1 };
	char b[16];

	CHECK_ERR(read(io.wr, b, 1), EBADF);
	CHECK_ERR(read(io.path, b, 1), EBADF);
	CHECK_ERR(read(io.dir, b, 1), EISDIR);
	CHECK_ERR(read(io.rd, BAD, 1), EFAULT);
	CHECK_ERR(write(io.rd, b, 1), EBADF);
	CHECK_ERR(pread(io.p[0], b, 1, 0), ESPIPE);
	CHECK_ERR(pwrite(io.p[1], b, 1, 0), ESPIPE);
	CHECK_ERR(pread(io.rd, b, 1, -1), EINVAL);
	/* What would end behind the largest position. */
	CHECK(pread(io.rd, b, 5, LLONG_MAX - 5) == 0);
	CHECK_ERR(pread(io.rd, b, 6, LLONG_MAX - 5), EINVAL);
	CHECK_ERR(pwrite(io.fd, b, 6, LLONG_MAX - 5), EINVAL);
	CHECK_ERR(preadv(io.rd, v, 2, LLONG_MAX - 3), EINVAL);
	CHECK(lseek(io.rd, LLONG_MAX, SEEK_SET) == LLONG_MAX && read(io.rd, b, 0) == 0);
	CHECK_ERR(read(io.rd, b, 1), EINVAL);
	CHECK(lseek(io.rd, 0, SEEK_SET) == 0);
	CHECK_ERR(readv(io.rd, v, -1), EINVAL);
	CHECK_ERR(readv(io.rd, v, 1025), EINVAL);
	CHECK_ERR(writev(io.fd, &neg, 1), EINVAL);
	CHECK_ERR(writev(io.fd, BAD, 1), EFAULT);
	CHECK(writev(io.fd, v, 0) == 0);
	CHECK_ERR(syscall(SYS_preadv2, io.rd, v, 2, 0, 0, 0x100), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_pwritev2, io.fd, v, 2, -2l, 0, 0), EINVAL);
	CHECK(syscall(SYS_pwritev2, io.fd, v, 2, 0, 0, RWF_DSYNC | RWF_SYNC) == 4);
	CHECK(syscall(SYS_pwritev2, io.fd, v, 1, 0, 0, RWF_APPEND) == 2 &&
	      lseek(io.fd, 0, SEEK_END) == 12);
	CHECK(syscall(SYS_pwritev2, io.fd, v, 1, -1l, 0, 0) == 2 &&
	      lseek(io.fd, 0, SEEK_CUR) == 14);
	CHECK(!ftruncate(io.fd, 10) && pwrite(io.fd, "0123", 4, 0) == 4);
	CHECK(syscall(SYS_pwritev, io.fd, v, 2, 6l, 0l) == 4 && pread(io.fd, b, 10, 0) == 10 &&
	      !memcmp(b, "0123", 4) && !memcmp(b + 6, "abcd", 4));
	CHECK(lseek(io.fd, 0, SEEK_CUR) == 14);
	CHECK_ERR(syscall(SYS_pwritev, io.fd, v, 2, -1l, -1l), EINVAL);
	CHECK_ERR(syscall(SYS_pwritev, io.p[1], v, 2, 0l, 0l), ESPIPE);
	CHECK_ERR(syscall(SYS_pwritev, io.rd, v, 2, 0l, 0l), EBADF);
	CHECK_ERR(syscall(SYS_pwritev, io.fd, v, 1025, 0l, 0l), EINVAL);
}

/* RWF_NOWAIT where there is nothing to read and where it is not known; RWF_HIPRI is a hint. */
static void test_read_flags(void)
{
	uint64_t count = 1;
	struct iovec v = { &count, sizeof(count) };
	int fd = eventfd(0, 0), zero = open("/dev/zero", O_RDONLY);

	REQUIRE(fd >= 0 && zero >= 0);
	CHECK_ERR(syscall(SYS_preadv2, fd, &v, 1, -1l, 0l, RWF_NOWAIT), EAGAIN);
	CHECK(write(fd, &count, sizeof(count)) == sizeof(count));
	CHECK(syscall(SYS_preadv2, fd, &v, 1, -1l, 0l, RWF_NOWAIT) == sizeof(count));
	CHECK(syscall(SYS_preadv2, zero, &v, 1, -1l, 0l, RWF_NOWAIT) == sizeof(count) && !count);
	CHECK_ERR(syscall(SYS_preadv2, io.p[0], &v, 1, -1l, 0l, RWF_NOWAIT), EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_pwritev2, io.fd, &v, 1, 0l, 0l, RWF_NOWAIT), EOPNOTSUPP);
	CHECK(syscall(SYS_preadv2, io.rd, &v, 1, 0l, 0l, RWF_HIPRI) == sizeof(count));
	CHECK(syscall(SYS_pwritev2, io.fd, &v, 1, 0l, 0l, RWF_HIPRI) == sizeof(count));
	CHECK(pwrite(io.fd, "0123", 4, 0) == 4);
	close(fd);
	close(zero);
}

static void test_seek_allocate_sync(void)
{
	CHECK_ERR(lseek(io.fd, 0, 9), EINVAL);
	CHECK_ERR(lseek(io.fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(io.p[0], 0, SEEK_CUR), ESPIPE);
	CHECK_ERR(lseek(io.fd, 10, SEEK_DATA), ENXIO);
	CHECK_ERR(lseek(io.fd, 10, SEEK_HOLE), ENXIO);
	CHECK(lseek(io.fd, 0, SEEK_HOLE) == 10 && lseek(io.fd, 3, SEEK_DATA) == 3);
	CHECK_ERR(fallocate(io.fd, 0, 0, 0), EINVAL);
	CHECK_ERR(fallocate(io.fd, 0, -1, 1), EINVAL);
	CHECK_ERR(fallocate(io.rd, 0, 0, 1), EBADF);
	CHECK_ERR(fallocate(io.p[1], 0, 0, 1), ESPIPE);
	CHECK_ERR(fallocate(io.fd, 2, 0, 4096), EOPNOTSUPP);
	CHECK_ERR(fallocate(io.fd, 8, 0, 4096), EOPNOTSUPP);
	CHECK_ERR(fallocate(io.fd, 0x10, 0, 4096), EOPNOTSUPP);
	CHECK_ERR(fallocate(io.fd, 0x20, 0, 4096), EOPNOTSUPP);
	CHECK_ERR(fallocate(io.fd, 0x1000, 0, 4096), EOPNOTSUPP);
	CHECK_ERR(fallocate(io.fd, 0x40, 0, 4096), EOPNOTSUPP);
	CHECK_ERR(fallocate(io.fd, 0x8 | 1, 0, 4096), EINVAL); /* these go with nothing else */
	CHECK_ERR(fallocate(io.fd, 0x20 | 1, 0, 4096), EINVAL);
	CHECK_ERR(fallocate(io.fd, 0x40 | 3, 0, 4096), EINVAL);
	CHECK_ERR(fallocate(io.fd, 0x10 | 3, 0, 4096), EOPNOTSUPP);
	CHECK_ERR(fallocate(io.fd, 0, LLONG_MAX - 1, 4096), EFBIG);
	CHECK_ERR(fsync(99), EBADF);
	CHECK_ERR(fsync(io.p[0]), EINVAL);
	CHECK_ERR(fdatasync(io.sock[0]), EINVAL);
	CHECK_ERR(syncfs(99), EBADF);
	CHECK_ERR(sync_file_range(99, -1, 0, 0), EBADF);
	CHECK_ERR(sync_file_range(io.fd, -1, 1, 0), EINVAL);
	CHECK_ERR(sync_file_range(io.fd, 0, 1, 8), EINVAL);
	CHECK_ERR(sync_file_range(io.p[0], 0, 1, 1), ESPIPE);
}

static void test_transfers(void)
{
	struct iovec v[2] = { { "ab", 2 }, { BAD, 2 } };
	char b[16];
	off_t o;
	loff_t l;

	CHECK_ERR(sendfile(io.rd, io.fd, NULL, 1), EBADF);
	CHECK_ERR(sendfile(io.fd, io.wr, NULL, 1), EBADF);
	CHECK_ERR(sendfile(io.fd, io.p[0], NULL, 1), EINVAL);
	o = -1;
	CHECK_ERR(sendfile(io.p[1], io.rd, &o, 1), EINVAL);
	CHECK_ERR(syscall(SYS_sendfile, io.p[1], io.rd, BAD, 1), EFAULT);
	o = 2;
	CHECK(sendfile(io.p[1], io.rd, &o, 3) == 3 && o == 5 && lseek(io.rd, 0, SEEK_CUR) == 0 &&
	      read(io.p[0], b, 16) == 3 && !memcmp(b, "234", 3));
	CHECK_ERR(syscall(SYS_copy_file_range, io.rd, NULL, io.rd, NULL, 1, 0), EBADF);
	CHECK_ERR(syscall(SYS_copy_file_range, io.rd, NULL, io.fd, NULL, 1, 1), EINVAL);
	CHECK_ERR(syscall(SYS_copy_file_range, io.dir, NULL, io.fd, NULL, 1, 0), EISDIR);
	CHECK_ERR(syscall(SYS_copy_file_range, io.p[0], NULL, io.fd, NULL, 1, 0), EINVAL);
	l = 0;
	CHECK_ERR(syscall(SYS_copy_file_range, io.fd, &l, io.fd, &l, 4, 0), EINVAL);
	CHECK(syscall(SYS_copy_file_range, io.rd, NULL, io.fd, NULL, 0, 0) == 0);
	CHECK_ERR(splice(io.fd, NULL, io.rd, NULL, 1, 0), EBADF);
	CHECK_ERR(splice(io.rd, NULL, io.fd, NULL, 1, 0), EINVAL);
	CHECK_ERR(splice(io.p[0], NULL, io.p[1], NULL, 1, 0), EINVAL);
	CHECK_ERR(splice(io.p[0], &l, io.fd, NULL, 1, 0), ESPIPE);
	CHECK_ERR(splice(io.p[0], NULL, io.fd, NULL, 1, 0x10), EINVAL);
	CHECK_ERR(splice(io.p[0], NULL, io.q[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERR(tee(io.p[0], io.p[1], 1, 0), EINVAL);
	CHECK_ERR(tee(io.rd, io.p[1], 1, 0), EINVAL);
	CHECK_ERR(tee(io.p[0], io.q[1], 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERR(vmsplice(io.fd, v, 1, 0), EBADF);
	CHECK_ERR(vmsplice(io.p[1], v, 1025, 0), EINVAL);
	CHECK(vmsplice(io.p[1], v, 2, 0) == 2 && read(io.p[0], b, 16) == 2);
}

static void test_io(void)
{
	char b[16];
	int proc = open("/proc/self/status", O_RDONLY);

	io.fd = make("f", "0123456789");
	io.rd = open("f", O_RDONLY), io.wr = open("f", O_WRONLY), io.path = open("f", O_PATH);
	io.dir = open(".", O_RDONLY);
	REQUIRE(io.fd >= 0 && !pipe(io.p) && !pipe(io.q) &&
		!socketpair(AF_UNIX, SOCK_STREAM, 0, io.sock));
	test_read_write();
	test_read_flags();
	test_seek_allocate_sync();
	test_transfers();
	CHECK_ERR(syscall(SYS_getdents64, io.fd, b, 16), ENOTDIR);
	CHECK_ERR(syscall(SYS_getdents64, io.dir, b, 16), EINVAL);
	CHECK_ERR(syscall(SYS_getdents64, io.dir, BAD, 1000), EFAULT);
	CHECK_ERR(flock(io.fd, 16), EINVAL);
	CHECK_ERR(flock(99, LOCK_EX), EBADF);
	CHECK_ERR(pipe2(io.p, 1), EINVAL);
	CHECK_ERR(syscall(SYS_pipe2, BAD, 0), EFAULT);
	CHECK_ERR(posix_fadvise(io.p[0], 0, 0, 0) == ESPIPE ? (errno = ESPIPE, -1) : 0, ESPIPE);
	CHECK_ERR(readahead(io.wr, 0, 1), EBADF);
	CHECK_ERR(readahead(io.p[0], 0, 1), EINVAL);
	CHECK(readahead(proc, 0, 100) == 0);
	for (int i = 0; i < 2; i++)
		close(io.p[i]), close(io.q[i]), close(io.sock[i]);
	close(io.fd), close(io.rd), close(io.wr), close(io.dir), close(io.path), close(proc);
	unlink("f");
}

static void test_fcntl(void)
{
	struct flock fl = { .l_type = F_RDLCK, .l_whence = SEEK_SET }, bad = { .l_type = 9 };
	int fd = make("f", "text"), wr = open("f", O_WRONLY), dir = open(".", O_RDONLY);
	struct f_owner_ex ex = { .type = 7 };

	REQUIRE(fd >= 0);
	CHECK_ERR(fcntl(99, F_GETFD), EBADF);
	CHECK_ERR(fcntl(fd, F_DUPFD, -1), EINVAL);
	CHECK_ERR(fcntl(fd, F_DUPFD, 1 << 30), EINVAL);
	CHECK_ERR(fcntl(fd, 9999), EINVAL);
	CHECK_ERR(fcntl(wr, F_SETLK, &fl), EBADF);
	fl.l_whence = 9;
	CHECK_ERR(fcntl(fd, F_SETLK, &fl), EINVAL);
	fl.l_whence = SEEK_SET;
	fl.l_start = -1;
	CHECK_ERR(fcntl(fd, F_SETLK, &fl), EINVAL);
	CHECK_ERR(fcntl(fd, F_SETLK, &bad), EINVAL);
	CHECK_ERR(fcntl(fd, F_SETLK, BAD), EFAULT);
	CHECK_ERR(fcntl(fd, F_GETLK, &bad), EINVAL);
	fl = (struct flock){ .l_type = F_WRLCK, .l_pid = 1 };
	CHECK_ERR(fcntl(fd, F_OFD_SETLK, &fl), EINVAL);
	CHECK_ERR(fcntl(fd, F_SETSIG, 65), EINVAL);
	CHECK_ERR(fcntl(fd, F_SETOWN, 0x3fffffff), ESRCH);
	CHECK_ERR(fcntl(fd, F_SETOWN_EX, &ex), EINVAL);
	CHECK_ERR(fcntl(fd, F_GETPIPE_SZ), EBADF);
	CHECK_ERR(fcntl(fd, F_SETPIPE_SZ, 4096), EBADF);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, 1), EPERM);
	CHECK_ERR(fcntl(fd, F_NOTIFY, DN_CREATE), ENOTDIR);
	CHECK_ERR(fcntl(fd, F_SETLEASE, 9), EINVAL);
	CHECK_ERR(fcntl(dir, F_SETLEASE, F_RDLCK), EINVAL);
	CHECK(fcntl(fd, F_GETLEASE) == F_UNLCK);
	close(fd), close(wr), close(dir);
	unlink("f");
}

static void test_mounts(void)
{
	CHECK(!mkdir("m", 0755));
	touch("f");
	CHECK_ERR(mount("none", "m", "nosuchfs", 0, NULL), ENODEV);
	CHECK_ERR(mount("none", "none", "tmpfs", 0, NULL), ENOENT);
	CHECK_ERR(mount("none", "f", "tmpfs", 0, NULL), ENOTDIR);
	CHECK_ERR(mount("none", "m", NULL, 0, NULL), EINVAL);
	CHECK_ERR(mount("none", "m", "tmpfs", 0, "size=x"), EINVAL);
	CHECK_ERR(mount("none", "m", "tmpfs", 0, "nonsense"), EINVAL);
	CHECK_ERR(mount("none", "m", "tmpfs", MS_REMOUNT, NULL), EINVAL);
	CHECK_ERR(mount("f", "m", NULL, MS_BIND, NULL), ENOTDIR);
	CHECK_ERR(mount("m", "f", NULL, MS_MOVE, NULL), EINVAL);
	CHECK_ERR(mount("none", "m", NULL, MS_SHARED | MS_PRIVATE, NULL), EINVAL);
	CHECK_ERR(mount("none", BAD, "tmpfs", 0, NULL), EFAULT);
	CHECK_ERR(umount2("m", 0), EINVAL);
	CHECK_ERR(umount2("m", 0x100), EINVAL);
	CHECK_ERR(umount2("none", 0), ENOENT);
	CHECK(!mount("none", "m", "tmpfs", MS_RDONLY, "size=1m,mode=700"));
	CHECK_ERR(mkdir("m/x", 0755), EROFS);
	CHECK_ERR(open("m/x", O_CREAT | O_RDWR, 0644), EROFS);
	CHECK_ERR(mknod("m/x", S_IFIFO, 0), EROFS);
	CHECK_ERR(chmod("m", 0755), EROFS);
	CHECK_ERR(utimensat(AT_FDCWD, "m", NULL, 0), EROFS);
	CHECK_ERR(access("m", W_OK), EROFS);
	CHECK_ERR(setxattr("m", "trusted.x", "y", 1, 0), EROFS);
	CHECK_ERR(rmdir("m"), EBUSY);
	CHECK_ERR(rename("m", "m2"), EBUSY);
	CHECK_ERR(link("f", "m/f"), EROFS);
	CHECK(!chdir("m"));
	CHECK_ERR(umount2("../m", 0), EBUSY);
	CHECK_ERR(umount2("../m", MNT_EXPIRE | MNT_FORCE), EINVAL);
	CHECK(!chdir(".."));
	CHECK_ERR(umount2("m", MNT_EXPIRE), EAGAIN);
	CHECK(!access("m", F_OK)); /* a use takes the mark away */
	CHECK_ERR(umount2("m", MNT_EXPIRE), EAGAIN);
	CHECK(!umount2("m", MNT_EXPIRE));
	CHECK(!mount("none", "m", "tmpfs", 0, "nr_inodes=3,size=8k") && !mkdir("m/a", 0755) &&
	      !mkdir("m/b", 0755));
	CHECK_ERR(mkdir("m/c", 0755), ENOSPC);
	CHECK(!mount("none", "m", NULL, MS_REMOUNT, "nr_inodes=10") && !mkdir("m/c", 0755));
	CHECK_ERR(mount("none", "m", NULL, MS_REMOUNT, "nr_inodes=2"), EINVAL);
	CHECK(!umount("m"));
	CHECK(!mount("none", "m", "tmpfs", 0, "ro"));
	CHECK_ERR(mkdir("m/x", 0755), EROFS);
	CHECK(!umount("m") && !rmdir("m") && !unlink("f"));
}

int main(void)
{
	char dir[] = "/tmp/fs_errors.XXXXXX";

	umask(022);
	memset(longname, 'a', NAME_MAX + 1);
	memset(longpath, 'a', PATH_MAX);
	REQUIRE(mkdtemp(dir) && !chmod(dir, 0755) && !mount("none", dir, "tmpfs", 0, "mode=755") &&
		!chdir(dir));
	test_names();
	test_open();
	test_access();
	test_own_names();
	test_attributes();
	test_io();
	test_fcntl();
	test_mounts();
	CHECK(!chdir("/") && !umount(dir) && !rmdir(dir));
	return tap_done();
}
