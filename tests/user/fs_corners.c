/*
 * Corners of calls on files: arguments that ask for nothing, the order of checks where two of them
 * fail, and flags that an object does not know.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include "tap.h"

#ifndef FALLOC_FL_KEEP_SIZE
#define FALLOC_FL_KEEP_SIZE 1
#endif

static void touch(const char *name)
{
	close(open(name, O_CREAT | O_WRONLY, 0644));
}

static unsigned mode_of(const char *name)
{
	struct stat st;

	return stat(name, &st) ? ~0u : st.st_mode & 07777;
}

static int set_flags(int fd, int flags)
{
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static int utimens(int dfd, const char *name, long atime_ns, long mtime_ns, int flags)
{
	struct timespec ts[2] = { { 1, atime_ns }, { 1, mtime_ns } };

	return (int)syscall(SYS_utimensat, dfd, name, ts, flags);
}

static void test_times(void)
{
	int fd = open("f", O_CREAT | O_RDWR, 0644);

	/* The file is found before its times are looked at, */
	CHECK_ERR(utimens(AT_FDCWD, "none", -1, 0, 0), ENOENT);
	CHECK_ERR(utimens(-5, NULL, -1, 0, 0), EBADF);
	CHECK_ERR(utimens(fd, NULL, -1, 0, 0), EINVAL);
	CHECK_ERR(utimens(AT_FDCWD, "f", 0, 1000000000, 0), EINVAL);
	/* and when none is to change, nothing is. */
	CHECK(!utimens(AT_FDCWD, "none", UTIME_OMIT, UTIME_OMIT, 0x8000));
	CHECK_ERR(utimens(AT_FDCWD, "f", UTIME_NOW, UTIME_NOW, 0x8000), EINVAL);
	close(fd);
}

/* Neither owner nor group: set-id bits go all the same. */
static void test_chown_nothing(void)
{
	struct stat st, now;
	int fd;
	pid_t pid;

	CHECK(!chmod("f", 06777) && !chown("f", -1, -1) && mode_of("f") == 0777);
	CHECK(!chmod("f", 02767) && !chown("f", -1, -1) && mode_of("f") == 02767);
	CHECK(!mkdir("d", 0755) && !chmod("d", 06777) && !chown("d", -1, -1));
	CHECK(mode_of("d") == 06777 && !rmdir("d"));
	/* Who may not change the mode may not do that. */
	CHECK(!chmod("f", 04777));
	pid = fork();
	if (!pid) {
		CHECK(!setgid(1000) && !setuid(1000));
		CHECK_ERR(chown("f", -1, -1), EPERM);
		_exit(0);
	}
	CHECK(waitpid(pid, NULL, 0) == pid && mode_of("f") == 04777);
	CHECK(!chmod("f", 0777) && !stat("f", &st));
	pid = fork();
	if (!pid) {
		CHECK(!setgid(1000) && !setuid(1000));
		do /* until the clock has moved on */
			CHECK(!chown("f", -1, -1) && !stat("f", &now));
		while (st.st_ctim.tv_sec == now.st_ctim.tv_sec &&
		       st.st_ctim.tv_nsec == now.st_ctim.tv_nsec);
		_exit(0);
	}
	CHECK(waitpid(pid, NULL, 0) == pid);
	/* An immutable file is no hindrance, as nothing is asked for. */
	fd = open("f", O_RDONLY);
	CHECK(!set_flags(fd, FS_IMMUTABLE_FL) && !chown("f", -1, -1));
	CHECK_ERR(chown("f", 0, -1), EPERM);
	CHECK(!set_flags(fd, 0));
	close(fd);
}

static void test_append(void)
{
	int fd = open("f", O_WRONLY | O_APPEND | O_TRUNC), ro = open("f", O_RDONLY);

	CHECK(write(fd, "abc", 3) == 3 && lseek(fd, 1, SEEK_SET) == 1);
	CHECK(write(fd, "", 0) == 0 && lseek(fd, 0, SEEK_CUR) == 1);
	CHECK(write(fd, "d", 1) == 1 && lseek(fd, 0, SEEK_CUR) == 4);
	CHECK(!set_flags(ro, FS_APPEND_FL));
	CHECK_ERR(fcntl(fd, F_SETFL, 0), EPERM);
	CHECK_ERR(fcntl(ro, F_SETFL, O_APPEND), EPERM);
	CHECK(!fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK) && !fcntl(ro, F_SETFL, O_NONBLOCK));
	CHECK(!set_flags(ro, 0));
	close(fd);
	close(ro);
}

/* O_ASYNC changes only where it means something. */
static void test_async(void)
{
	int e = eventfd(0, 0), f = open("f", O_RDWR), kept = open("f", O_RDWR | O_ASYNC);
	int p[2], on = 1;

	REQUIRE(!pipe(p));
	CHECK(!fcntl(f, F_SETFL, O_ASYNC) && !(fcntl(f, F_GETFL) & O_ASYNC));
	CHECK(!fcntl(kept, F_SETFL, 0) && (fcntl(kept, F_GETFL) & O_ASYNC));
	CHECK(!fcntl(e, F_SETFL, O_ASYNC) && !(fcntl(e, F_GETFL) & O_ASYNC));
	CHECK_ERR(ioctl(e, FIOASYNC, &on), ENOTTY);
	CHECK(!fcntl(p[0], F_SETFL, O_ASYNC) && (fcntl(p[0], F_GETFL) & O_ASYNC));
	CHECK(!fcntl(p[0], F_SETFL, 0) && !(fcntl(p[0], F_GETFL) & O_ASYNC));
	close(e);
	close(f);
	close(kept);
	close(p[0]);
	close(p[1]);
}

/* RLIMIT_FSIZE is for what is reserved and for what is copied too. */
static void test_size_limit(void)
{
	struct rlimit old, small = { .rlim_cur = 20000 };
	int from = open("from", O_CREAT | O_RDWR, 0644), to = open("to", O_CREAT | O_RDWR, 0644);
	loff_t in, out;

	REQUIRE(!getrlimit(RLIMIT_FSIZE, &old) && signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
	small.rlim_max = old.rlim_max;
	CHECK(write(from, "0123456789", 10) == 10 && !setrlimit(RLIMIT_FSIZE, &small));
	CHECK_ERR(fallocate(to, FALLOC_FL_KEEP_SIZE, 0, 20001), EFBIG);
	CHECK(!fallocate(to, FALLOC_FL_KEEP_SIZE, 0, 20000));
	in = 0, out = 20000;
	CHECK_ERR(syscall(SYS_copy_file_range, from, &in, to, &out, 1, 0), EFBIG);
	in = 10, out = 20000; /* although there is nothing to copy */
	CHECK_ERR(syscall(SYS_copy_file_range, from, &in, to, &out, 1, 0), EFBIG);
	in = 0, out = 19997;
	CHECK(syscall(SYS_copy_file_range, from, &in, to, &out, 10, 0) == 3 && out == 20000);
	CHECK(!setrlimit(RLIMIT_FSIZE, &old));
	close(from);
	close(to);
}

/* What cannot be made, and why. */
static void test_no_such_place(void)
{
	CHECK_ERR(open("/proc/none", O_CREAT | O_WRONLY, 0644), ENOENT);
	CHECK_ERR(mkdir("/proc/none", 0755), ENOENT);
	CHECK_ERR(mkdir("/proc/sys/none", 0755), ENOENT);
	CHECK_ERR(symlink("x", "/proc/self/none"), ENOENT);
	CHECK_ERR(rename("/proc/self/stat", "/proc/self/none"), ENOENT);
	CHECK_ERR(open("/proc/uptime", O_CREAT | O_EXCL, 0644), EEXIST);
	CHECK_ERR(mknod("/dev/pts/none", S_IFREG | 0644, 0), EACCES);
	CHECK_ERR(mknod("/dev/pts/none", S_IFIFO | 0644, 0), EPERM);
	CHECK_ERR(setxattr("f", "trusted.", "", 0, 0), EINVAL);
	CHECK_ERR(removexattr("f", "security."), EINVAL);
	CHECK_ERR(setxattr("f", "none.", "", 0, 0), EOPNOTSUPP);
}

static void test_mounts(void)
{
	pid_t pid;

	CHECK(!mkdir("a", 0755) && !mkdir("a/s", 0755) && !mkdir("b", 0755) && !mkdir("c", 0755));
	/* A move may hang a directory on itself; a new mount of one file system may not. */
	CHECK(!mount("a", "b", NULL, MS_BIND, NULL) && !mount("a", "c", NULL, MS_BIND, NULL));
	CHECK(!mount(NULL, ".", NULL, MS_PRIVATE, NULL) && !mount("c", "b", NULL, MS_MOVE, NULL));
	CHECK(!umount("b") && !umount("b"));
	CHECK(!mount("none", "b", "tmpfs", 0, "inode32"));
	CHECK_ERR(mount("none", "/sys", "sysfs", 0, NULL), EBUSY);
	/* The root of who asks becomes read-only, and stays. */
	pid = fork();
	if (!pid) {
		CHECK(!chroot("b") && !chdir("/"));
		CHECK_ERR(umount2("/", MNT_EXPIRE), EINVAL);
		CHECK(!mkdir("/x", 0755) && !umount2("/", 0));
		CHECK_ERR(mkdir("/y", 0755), EROFS);
		_exit(0);
	}
	CHECK(waitpid(pid, NULL, 0) == pid && !umount("b"));
	CHECK(!rmdir("a/s") && !rmdir("a") && !rmdir("b") && !rmdir("c"));
}

static long fs_of(int fd)
{
	struct statfs s;

	return fstatfs(fd, &s) ? -1 : (long)s.f_type;
}

/* Files that are nowhere on a disk: their file systems, sizes of blocks, what can be spliced. */
static void test_nowhere(void)
{
	int p[2], s = socket(AF_UNIX, SOCK_STREAM, 0), e = eventfd(0, 0), to = open("f", O_RDWR);
	int mounts = open("/proc/self/mounts", O_RDONLY);
	struct statfs fs;
	struct stat st;

	REQUIRE(!pipe(p) && s >= 0 && e >= 0 && to >= 0 && mounts >= 0);
	CHECK(fs_of(p[0]) == PIPEFS_MAGIC && fs_of(s) == SOCKFS_MAGIC);
	CHECK(fs_of(e) == ANON_INODE_FS_MAGIC && fs_of(mounts) == PROC_SUPER_MAGIC);
	CHECK(!fstat(mounts, &st) && st.st_blksize == 1024);
	CHECK(!fstatfs(mounts, &fs) && fs.f_bsize == 4096);
	CHECK(sendfile(to, mounts, NULL, 10) == 10 && splice(mounts, NULL, p[1], NULL, 5, 0) == 5);
	close(p[0]);
	close(p[1]);
	close(s);
	close(e);
	close(to);
	close(mounts);
}

/* select(2) takes a descriptor that is only a place (O_PATH) as ready for all. */
static void test_select_place(void)
{
	int fd = open("f", O_PATH);
	struct timeval none = { 0 };
	fd_set in, out, ex;

	FD_ZERO(&in);
	FD_SET(fd, &in);
	out = ex = in;
	CHECK(select(fd + 1, &in, &out, &ex, &none) == 3);
	close(fd);
	CHECK_ERR(select(fd + 1, &in, NULL, NULL, &none), EBADF);
}

int main(void)
{
	char dir[] = "/tmp/fs_corners.XXXXXX";

	umask(022);
	/* On a tmpfs of its own, whatever /tmp is. */
	REQUIRE(mkdtemp(dir) && !mount("none", dir, "tmpfs", 0, NULL) && !chdir(dir));
	touch("f");
	test_times();
	test_chown_nothing();
	test_append();
	test_async();
	test_size_limit();
	test_no_such_place();
	/* Flags that contradict each other come before the name. */
	CHECK_ERR(open("", O_CREAT | O_DIRECTORY, 0644), EINVAL);
	CHECK_ERR(open(NULL, O_CREAT | O_TMPFILE | O_RDWR, 0644), EINVAL);
	test_nowhere();
	test_select_place();
	test_mounts();
	CHECK(!chdir("/") && !umount(dir) && !rmdir(dir));
	return tap_done();
}
