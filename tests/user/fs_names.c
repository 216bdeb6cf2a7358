/*
 * Names: making, finding, removing and renaming them, with the error numbers of the manual pages.
 * Works in a new directory under the current one, which must be on a tmpfs or a disk file system
 * that supports all of it. Run as root.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/openat2.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tap.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

static void touch(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0644);

	if (fd >= 0)
		close(fd);
}

static int rename2(const char *a, const char *b, unsigned flags)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, flags);
}

static int open2(int dir, const char *name, int flags, unsigned long long resolve)
{
	struct open_how how = { .flags = flags, .resolve = resolve };

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

static int is_type(const char *name, mode_t type)
{
	struct stat st;

	return !lstat(name, &st) && (st.st_mode & S_IFMT) == type;
}

static int nlink_of(const char *name)
{
	struct stat st;

	return lstat(name, &st) ? -1 : (int)st.st_nlink;
}

static void test_lookup(void)
{
	char name[NAME_MAX + 2], path[PATH_MAX + 1];
	struct stat st;

	CHECK_ERR(open("", O_RDONLY), ENOENT);
	CHECK_ERR(open("nothing", O_RDONLY), ENOENT);
	CHECK_ERR(open("nothing/", O_RDONLY), ENOENT);
	CHECK_ERR(open("nothing/x", O_RDONLY), ENOENT);
	touch("file");
	CHECK_ERR(open("file/", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("file/x", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("file/.", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERR(stat("file/..", &st), ENOTDIR);
	memset(name, 'n', sizeof(name));
	name[NAME_MAX + 1] = 0;
	CHECK_ERR(open(name, O_RDONLY), ENAMETOOLONG);
	name[NAME_MAX] = 0;
	CHECK_ERR(open(name, O_RDONLY), ENOENT);
	touch(name);
	CHECK(!stat(name, &st));
	CHECK(!unlink(name));
	memset(path, '/', sizeof(path));
	path[PATH_MAX] = 0;
	CHECK_ERR(open(path, O_RDONLY), ENAMETOOLONG);
	path[PATH_MAX - 1] = 0;
	CHECK(!stat(path, &st));
	CHECK_ERR(open((char *)8, O_RDONLY), EFAULT);
	CHECK(!unlink("file"));
}

static void test_symlinks(void)
{
	char buf[PATH_MAX];
	struct stat st;
	int k;

	CHECK_ERR(symlink("", "l"), ENOENT);
	CHECK_ERR(symlink("x", ""), ENOENT);
	CHECK(!symlink("target", "dangling"));
	CHECK_ERR(symlink("x", "dangling"), EEXIST);
	CHECK_ERR(open("dangling", O_RDONLY), ENOENT);
	CHECK_ERR(open("dangling", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	CHECK_ERR(open("dangling", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERR(open("dangling", O_RDWR | O_CREAT | O_NOFOLLOW, 0600), ELOOP);
	CHECK_ERR(mkdir("dangling", 0700), EEXIST);
	k = open("dangling", O_RDWR | O_CREAT, 0600);
	CHECK(k >= 0);
	close(k);
	CHECK(is_type("target", S_IFREG));
	CHECK(readlink("dangling", buf, sizeof(buf)) == 6 && !memcmp(buf, "target", 6));
	CHECK(readlink("dangling", buf, 3) == 3);
	CHECK_ERR(readlink("target", buf, sizeof(buf)), EINVAL);
	CHECK_ERR(syscall(SYS_readlinkat, AT_FDCWD, "dangling", buf, 0), EINVAL);
	CHECK(!lstat("dangling", &st) && S_ISLNK(st.st_mode) && st.st_size == 6);
	CHECK_ERR(lstat("dangling/", &st), ENOTDIR);
	CHECK(!unlink("dangling") && !unlink("target"));
	CHECK(!symlink("loop2", "loop1") && !symlink("loop1", "loop2"));
	CHECK_ERR(open("loop1", O_RDONLY), ELOOP);
	CHECK_ERR(stat("loop1/x", &st), ELOOP);
	CHECK(!unlink("loop1") && !unlink("loop2"));
	/* A chain of 40 works, of 41 does not. */
	touch("c0");
	for (k = 1; k <= 41; k++) {
		char a[8], b[8];

		snprintf(a, sizeof(a), "c%d", k - 1);
		snprintf(b, sizeof(b), "c%d", k);
		if (symlink(a, b))
			break;
	}
	CHECK(k == 42);
	CHECK(!stat("c40", &st));
	CHECK_ERR(stat("c41", &st), ELOOP);
	for (k = 0; k <= 41; k++) {
		snprintf(buf, 8, "c%d", k);
		unlink(buf);
	}
	CHECK(!mkdir("dir", 0755) && !symlink("dir", "ldir") && !symlink("dir/", "ldirslash"));
	CHECK(!lstat("ldir/", &st) && S_ISDIR(st.st_mode));
	CHECK(!lstat("ldir", &st) && S_ISLNK(st.st_mode));
	CHECK(!lstat("ldirslash/", &st) && S_ISDIR(st.st_mode));
	CHECK_ERR(rmdir("ldir"), ENOTDIR);
	CHECK_ERR(rmdir("ldir/"), ENOTDIR);
	CHECK_ERR(unlink("ldir/"), ENOTDIR);
	touch("ldir/inside");
	CHECK(!stat("ldirslash/inside", &st));
	CHECK(!symlink("../dir/inside", "dir/rel"));
	CHECK(!stat("ldir/rel", &st) && S_ISREG(st.st_mode));
	CHECK(!unlink("dir/rel") && !unlink("dir/inside") && !unlink("ldir") &&
	      !unlink("ldirslash") && !rmdir("dir"));
}

static void test_make_remove(void)
{
	struct statfs fs;
	struct stat st;

	umask(022);
	CHECK(!mkdir("d", 0777));
	CHECK(!stat("d", &st) && (st.st_mode & 07777) == 0755 && st.st_nlink == 2);
	if (!statfs("d", &fs) && fs.f_type == TMPFS_MAGIC)
		CHECK(st.st_size == 40); /* 20 for each name, "." and ".." too */
	CHECK_ERR(mkdir("d", 0777), EEXIST);
	CHECK_ERR(mkdir("d/", 0777), EEXIST);
	CHECK_ERR(mkdir("d/.", 0777), EEXIST);
	CHECK_ERR(mkdir("d/..", 0777), EEXIST);
	CHECK_ERR(mkdir("no/d", 0777), ENOENT);
	CHECK_ERR(mkdir("/", 0777), EEXIST);
	CHECK(!mkdir("d/sub/", 0777));
	CHECK(nlink_of("d") == 3);
	CHECK_ERR(rmdir("d"), ENOTEMPTY);
	CHECK_ERR(rmdir("d/sub/."), EINVAL);
	CHECK_ERR(rmdir("d/sub/.."), ENOTEMPTY);
	CHECK_ERR(rmdir("/"), EBUSY);
	CHECK_ERR(unlink("d"), EISDIR);
	CHECK_ERR(unlink("d/"), EISDIR);
	CHECK_ERR(unlink("d/."), EISDIR);
	CHECK_ERR(unlink("/"), EISDIR);
	CHECK(!rmdir("d/sub/"));
	CHECK(nlink_of("d") == 2);
	touch("f");
	CHECK_ERR(rmdir("f"), ENOTDIR);
	CHECK_ERR(unlink("f/"), ENOTDIR);
	CHECK_ERR(unlinkat(AT_FDCWD, "f", 12345), EINVAL);
	CHECK_ERR(mkdir("f/x", 0777), ENOTDIR);
	CHECK_ERR(open("newfile/", O_CREAT | O_WRONLY, 0600), EISDIR);
	CHECK_ERR(open("d", O_CREAT | O_RDONLY, 0600), EISDIR);
	CHECK_ERR(open("d", O_WRONLY), EISDIR);
	CHECK_ERR(open("d/.", O_CREAT | O_RDONLY, 0600), EISDIR);
	CHECK_ERR(mknod("slash/", S_IFIFO | 0600, 0), ENOENT);
	CHECK_ERR(symlink("x", "slash/"), ENOENT);
	CHECK_ERR(mknod("x", S_IFDIR | 0700, 0), EPERM);
	CHECK_ERR(mknod("x", 0170000 | 0700, 0), EINVAL);
	CHECK(!mknod("plain", 0666, 0) && is_type("plain", S_IFREG));
	CHECK(!mknod("fifo", S_IFIFO | 0666, 0) && is_type("fifo", S_IFIFO));
	CHECK(!mknod("sock", S_IFSOCK | 0666, 0) && is_type("sock", S_IFSOCK));
	CHECK(!mknod("chr", S_IFCHR | 0666, (1 << 8) | 3) && is_type("chr", S_IFCHR));
	CHECK(!stat("chr", &st) && st.st_rdev == ((1 << 8) | 3));
	CHECK_ERR(open("sock", O_RDONLY), ENXIO);
	CHECK_ERR(mknod("chr", S_IFCHR | 0666, 0), EEXIST);
	CHECK(!unlink("chr") && !unlink("sock") && !unlink("fifo") && !unlink("plain") &&
	      !unlink("f") && !rmdir("d"));
	CHECK_ERR(unlink("f"), ENOENT);
	CHECK_ERR(rmdir("d"), ENOENT);
}

static void test_removed_dir(void)
{
	char buf[PATH_MAX];
	int fd;

	CHECK(!mkdir("gone", 0755));
	CHECK(!chdir("gone"));
	CHECK((fd = open(".", O_RDONLY)) >= 0);
	CHECK(!rmdir("../gone"));
	CHECK_ERR(syscall(SYS_getcwd, buf, sizeof(buf)), ENOENT);
	CHECK_ERR(open("x", O_CREAT | O_WRONLY, 0600), ENOENT);
	CHECK_ERR(mkdir("x", 0700), ENOENT);
	CHECK_ERR(syscall(SYS_getdents64, fd, buf, sizeof(buf)), ENOENT);
	close(fd);
	CHECK(!chdir(".."));
}

static void test_link(void)
{
	struct stat a, b;
	int fd;

	touch("one");
	CHECK(!link("one", "two"));
	CHECK(!stat("one", &a) && !stat("two", &b) && a.st_ino == b.st_ino && a.st_nlink == 2);
	CHECK_ERR(link("one", "two"), EEXIST);
	CHECK_ERR(link("none", "three"), ENOENT);
	CHECK(!mkdir("d", 0755));
	CHECK_ERR(link("d", "d2"), EPERM);
	CHECK_ERR(link("one", "three/"), ENOENT);
	CHECK(!symlink("one", "sym"));
	CHECK(!link("sym", "symlink2") && is_type("symlink2", S_IFLNK));
	CHECK(!linkat(AT_FDCWD, "sym", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW) &&
	      is_type("followed", S_IFREG));
	CHECK_ERR(linkat(AT_FDCWD, "one", AT_FDCWD, "x", 0x10000), EINVAL);
	CHECK(!unlink("one") && !stat("two", &a) && a.st_nlink == 2);
	unlink("two"), unlink("followed"), unlink("sym"), unlink("symlink2"), rmdir("d");
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	CHECK(fd >= 0);
	CHECK(write(fd, "x", 1) == 1);
	CHECK(!fstat(fd, &a) && a.st_nlink == 0);
	CHECK(!linkat(fd, "", AT_FDCWD, "named", AT_EMPTY_PATH));
	CHECK(!stat("named", &a) && a.st_nlink == 1 && a.st_size == 1);
	close(fd);
	CHECK_ERR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
	fd = open(".", O_TMPFILE | O_RDWR | O_EXCL, 0600);
	CHECK_ERR(linkat(fd, "", AT_FDCWD, "never", AT_EMPTY_PATH), ENOENT);
	close(fd);
	unlink("named");
}

static void test_rename(void)
{
	struct stat st;

	touch("a"), touch("b");
	CHECK(!mkdir("d", 0755) && !mkdir("e", 0755) && !mkdir("d/sub", 0755));
	CHECK(!rename("a", "a2") && is_type("a2", S_IFREG));
	CHECK_ERR(stat("a", &st), ENOENT);
	CHECK_ERR(rename("a", "b"), ENOENT);
	CHECK(!rename("a2", "b"));
	CHECK_ERR(rename("b", "d"), EISDIR);
	CHECK_ERR(rename("d", "b"), ENOTDIR);
	CHECK_ERR(rename("b/", "c"), ENOTDIR);
	CHECK_ERR(rename("b", "c/"), ENOTDIR);
	CHECK_ERR(rename("e", "d"), ENOTEMPTY);
	CHECK_ERR(rename("d", "d/sub/x"), EINVAL);
	CHECK_ERR(rename("d", "d/x"), EINVAL);
	CHECK_ERR(rename("d/sub", "d"), ENOTEMPTY);
	CHECK_ERR(rename(".", "x"), EBUSY);
	CHECK_ERR(rename("d", "."), EBUSY);
	CHECK_ERR(rename("d/..", "x"), EBUSY);
	CHECK(!rename("d/sub", "e/sub2/"));
	CHECK(nlink_of("d") == 2 && nlink_of("e") == 3);
	CHECK(!rename("d", "e/sub2"));
	CHECK_ERR(stat("d", &st), ENOENT);
	CHECK(nlink_of("e") == 3);
	touch("a");
	CHECK_ERR(rename2("a", "b", RENAME_NOREPLACE), EEXIST);
	CHECK(!rename2("a", "c", RENAME_NOREPLACE));
	CHECK_ERR(rename2("c", "none", RENAME_EXCHANGE), ENOENT);
	CHECK_ERR(rename2("c", "b", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
	CHECK_ERR(rename2("c", "b", 0x100), EINVAL);
	CHECK(!rename2("c", "e", RENAME_EXCHANGE) && is_type("c", S_IFDIR) &&
	      is_type("e", S_IFREG));
	CHECK(!stat("c/sub2", &st));
	CHECK(!link("e", "same") && !rename("e", "same") && !stat("e", &st) && st.st_nlink == 2);
	CHECK(!rename2("c/sub2", "b", RENAME_EXCHANGE) && is_type("c/sub2", S_IFREG) &&
	      is_type("b", S_IFDIR));
	CHECK(nlink_of("c") == 2);
	CHECK(!rmdir("b") && !unlink("c/sub2") && !rmdir("c") && !unlink("e") && !unlink("same"));
}

static void test_readdir(void)
{
	char name[16], seen[300] = { 0 };
	struct dirent *e;
	int n = 0, dots = 0;
	DIR *d;

	CHECK(!mkdir("many", 0755));
	for (int k = 0; k < 300; k++) {
		snprintf(name, sizeof(name), "many/%d", k);
		touch(name);
	}
	d = opendir("many");
	REQUIRE(d);
	/* Removing while reading: what stays is seen exactly once. */
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.') {
			dots++;
			continue;
		}
		n++;
		seen[atoi(e->d_name)]++;
		if (e->d_type != DT_REG)
			n += 1000;
		snprintf(name, sizeof(name), "many/%d", atoi(e->d_name));
		unlink(name);
	}
	CHECK(n == 300 && dots == 2);
	for (n = 0; n < 300 && seen[n] == 1; n++)
		;
	CHECK(n == 300);
	rewinddir(d);
	for (n = 0; readdir(d); n++)
		;
	CHECK(n == 2);
	closedir(d);
	CHECK(!rmdir("many"));
}

static void test_openat2(void)
{
	int dir, fd, k;

	CHECK(!mkdir("o", 0755) && !mkdir("o/in", 0755) && !symlink("/", "o/abs") &&
	      !symlink("..", "o/up"));
	CHECK(!symlink("in", "o/lin"));
	touch("o/in/f");
	touch("outside");
	dir = open("o", O_RDONLY | O_DIRECTORY);
	if (open2(dir, "in/f", O_RDONLY, 0) < 0 && errno == ENOSYS) {
		printf("# no openat2 here\n");
		goto out;
	}
	CHECK((fd = open2(dir, "in/f", O_RDONLY, RESOLVE_BENEATH)) >= 0);
	close(fd);
	CHECK((fd = open2(dir, "in/../in/f", O_RDONLY, RESOLVE_BENEATH)) >= 0);
	close(fd);
	CHECK_ERR(open2(dir, "../outside", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(open2(dir, "up/outside", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(open2(dir, "abs", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK_ERR(open2(dir, "/", O_RDONLY, RESOLVE_BENEATH), EXDEV);
	CHECK((fd = open2(dir, "/in/f", O_RDONLY, RESOLVE_IN_ROOT)) >= 0);
	close(fd);
	CHECK((fd = open2(dir, "abs/in/f", O_RDONLY, RESOLVE_IN_ROOT)) >= 0);
	close(fd);
	CHECK((fd = open2(dir, "../../in/f", O_RDONLY, RESOLVE_IN_ROOT)) >= 0);
	close(fd);
	CHECK_ERR(open2(dir, "lin/f", O_RDONLY, RESOLVE_NO_SYMLINKS), ELOOP);
	CHECK((fd = open2(dir, "lin", O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS)) >= 0);
	close(fd);
	CHECK_ERR(open2(dir, "in", O_RDONLY, 0x1000), EINVAL);
	CHECK_ERR(open2(dir, "in", 1 << 30, 0), EINVAL);
out:
	for (k = 0; k < 1; k++)
		close(dir);
	unlink("o/in/f"), rmdir("o/in"), unlink("o/abs"), unlink("o/up"), unlink("o/lin"),
		rmdir("o"), unlink("outside");
}

/* In a child, as somebody without privileges. */
static void as_nobody(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (setgroups(0, NULL) || setgid(1000) || setuid(1000))
			_exit(99);
		fn();
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void nobody_tests(void)
{
	struct stat st;

	CHECK_ERR(open("secret", O_RDONLY), EACCES);
	CHECK_ERR(open("readable", O_RDWR), EACCES);
	CHECK(open("readable", O_RDONLY) >= 0);
	CHECK_ERR(access("secret", R_OK), EACCES);
	CHECK(!access("secret", F_OK));
	CHECK_ERR(access("readable", W_OK), EACCES);
	CHECK_ERR(stat("closed/x", &st), EACCES);
	CHECK_ERR(open("closed", O_RDONLY), EACCES);
	CHECK_ERR(unlink("readable"), EACCES);
	CHECK_ERR(chmod("readable", 0777), EPERM);
	CHECK_ERR(chown("readable", 1000, 1000), EPERM);
	CHECK_ERR(mkdir("x", 0700), EACCES);
	CHECK_ERR(unlink("sticky/root"), EPERM);
	CHECK_ERR(rename("sticky/root", "sticky/mine"), EPERM);
	CHECK_ERR(mknod("sticky/dev", S_IFCHR | 0666, 0x103), EPERM);
	CHECK_ERR(chroot("."), EPERM);
	touch("sticky/own");
	CHECK(!chown("sticky/own", 1000, 1000));
	CHECK_ERR(chown("sticky/own", 1000, 0), EPERM);
	CHECK(!utimensat(AT_FDCWD, "writable", NULL, 0));
	CHECK_ERR(utimensat(AT_FDCWD, "writable", (struct timespec[2]){ { 1, 0 }, { 1, 0 } }, 0),
		  EPERM);
	CHECK_ERR(utimensat(AT_FDCWD, "readable", NULL, 0), EACCES);
	CHECK(!unlink("sticky/own"));
}

static void test_permissions(void)
{
	struct stat st;

	umask(0);
	touch("secret"), touch("readable"), touch("writable");
	chmod("secret", 0600), chmod("readable", 0644), chmod("writable", 0666);
	CHECK(!mkdir("closed", 0700) && !mkdir("sticky", 01777));
	touch("sticky/root");
	as_nobody(nobody_tests);
	CHECK(!mkdir("setgid", 02775) && !chown("setgid", 0, 500) && !chmod("setgid", 02775));
	touch("setgid/f");
	CHECK(!stat("setgid/f", &st) && st.st_gid == 500);
	CHECK(!mkdir("setgid/d", 0755) && !stat("setgid/d", &st) && st.st_gid == 500 &&
	      (st.st_mode & S_ISGID));
	touch("suid");
	CHECK(!chmod("suid", 06755) && !chown("suid", 5, 5) && !stat("suid", &st) &&
	      (st.st_mode & 07777) == 0755);
	rmdir("setgid/d"), unlink("setgid/f"), rmdir("setgid"), unlink("suid"),
		unlink("sticky/root");
	rmdir("sticky"), rmdir("closed"), unlink("secret"), unlink("readable"), unlink("writable");
}

static unsigned mode_of(const char *name)
{
	struct stat st;

	return stat(name, &st) ? 0 : st.st_mode & 07777;
}

/* Nobody is in the group 500: no file of his runs with it, whatever the umask hides. */
static void nobody_makes(void)
{
	int fd;

	umask(S_IXGRP);
	CHECK((fd = open("setgid/f", O_CREAT | O_RDWR, 02777)) >= 0 && mode_of("setgid/f") == 0767);
	CHECK(!mknod("setgid/p", S_IFIFO | 02777, 0) && mode_of("setgid/p") == 0767);
	close(fd);
	CHECK((fd = open("setgid/l", O_CREAT | O_RDWR, 02666)) >= 0 &&
	      mode_of("setgid/l") == 02666);
	close(fd);
}

/* The bits go when somebody writes, room is made or taken, or the owner sets anew. */
static void nobody_writes(void)
{
	struct stat st;
	int fd = open("lock", O_WRONLY);

	CHECK(pwrite(fd, "x", 1, 0) == 1 && mode_of("lock") == 0666);
	close(fd);
	CHECK(!chown("owned", -1, -1) && mode_of("owned") == 0644);
	fd = open("suid", O_WRONLY);
	CHECK(!utimensat(AT_FDCWD, "suid", (struct timespec[2]){ { 1, 0 }, { 1, 0 } }, 0));
	if (fallocate(fd, 0, 0, 4096))
		CHECK(errno == EOPNOTSUPP);
	else
		CHECK(mode_of("suid") == 0755 && !stat("suid", &st) && st.st_mtime > 1);
	close(fd);
}

static void test_setid(void)
{
	static const char *const names[] = { "lock", "owned", "suid" };
	static const mode_t modes[] = { 02666, 02644, 06755 };

	umask(0);
	REQUIRE(!mkdir("setgid", 02777) && !chown("setgid", 0, 500) && !chmod("setgid", 02777));
	as_nobody(nobody_makes);
	for (int i = 0; i < 3; i++) {
		touch(names[i]);
		CHECK(!chown(names[i], 1000, 500) && !chmod(names[i], modes[i]));
	}
	as_nobody(nobody_writes);
	for (int i = 0; i < 3; i++)
		unlink(names[i]);
	unlink("setgid/f"), unlink("setgid/p"), unlink("setgid/l"), rmdir("setgid");
}

int main(void)
{
	char dir[] = "fs_names.XXXXXX";

	REQUIRE(mkdtemp(dir) && !chmod(dir, 0755) && !chdir(dir));
	test_lookup();
	test_symlinks();
	test_make_remove();
	test_removed_dir();
	test_link();
	test_rename();
	test_readdir();
	test_openat2();
	test_permissions();
	test_setid();
	CHECK(!chdir("..") && !rmdir(dir));
	return tap_done();
}
