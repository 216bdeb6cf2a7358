/*
 * What files say about themselves and what is said about them: the flags of chattr(1)
 * (ioctl_iflags(2)), statx(2)'s attributes, whiteouts of renameat2(2), the order of readdir(3),
 * dnotify (fcntl(2), F_NOTIFY), handles (open_by_handle_at(2)), extended attributes by all roads
 * and where there are none of user files: on links, sockets, in sysfs and procfs (xattr(7)).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#define __GLIBC__ 2 /* which keeps the rest of this header out of the C library's way */
#include <linux/stat.h>
#undef __GLIBC__
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <utime.h>
#include "tap.h"

static int child_status(pid_t pid)
{
	int st = -1;

	while (waitpid(pid, &st, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static int set_flags(int fd, unsigned flags)
{
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static unsigned get_flags(int fd)
{
	unsigned flags = ~0u;

	ioctl(fd, FS_IOC_GETFLAGS, &flags);
	return flags;
}

static int make(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0644);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? fd : -1;
}

static void test_immutable(void)
{
	int fd = make("imm", "text");
	char *map;

	REQUIRE(fd >= 0);
	CHECK(get_flags(fd) == 0);
	CHECK(!set_flags(fd, FS_IMMUTABLE_FL | FS_NODUMP_FL));
	CHECK(get_flags(fd) == (FS_IMMUTABLE_FL | FS_NODUMP_FL));
	CHECK_ERR(open("imm", O_RDWR), EPERM);
	CHECK_ERR(open("imm", O_RDONLY | O_TRUNC), EPERM);
	CHECK_ERR(access("imm", W_OK), EPERM);
	CHECK_ERR(truncate("imm", 0), EPERM);
	CHECK_ERR(fallocate(fd, 0, 0, 10), EPERM);
	CHECK_ERR(unlink("imm"), EPERM);
	CHECK_ERR(rename("imm", "imm2"), EPERM);
	CHECK_ERR(link("imm", "imm2"), EPERM);
	CHECK_ERR(chmod("imm", 0600), EPERM);
	CHECK_ERR(chown("imm", 1, 1), EPERM);
	CHECK_ERR(utime("imm", NULL), EPERM);
	CHECK_ERR(setxattr("imm", "trusted.x", "y", 1, 0), EPERM);
	/* A descriptor from before may still be written to. */
	CHECK(pwrite(fd, "TEXT", 4, 0) == 4 && !ftruncate(fd, 2));
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED && !munmap(map, 4096));
	CHECK(!set_flags(fd, 0));
	CHECK(!unlink("imm"));
	CHECK_ERR(set_flags(fd, FS_SYNC_FL), EOPNOTSUPP);
	CHECK_ERR(ioctl(fd, FS_IOC_SETFLAGS, 8), EFAULT);
	CHECK_ERR(ioctl(fd, FS_IOC_GETFLAGS, 8), EFAULT);
	close(fd);
	fd = open("/proc/self/stat", O_RDONLY);
	CHECK_ERR(ioctl(fd, FS_IOC_GETFLAGS, &fd), ENOTTY);
	close(fd);
}

static void test_append(void)
{
	struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	int fd = make("app", "text"), fd2;
	struct stat st;

	REQUIRE(fd >= 0);
	CHECK(!set_flags(fd, FS_APPEND_FL));
	CHECK_ERR(open("app", O_WRONLY), EPERM);
	CHECK_ERR(open("app", O_WRONLY | O_APPEND | O_TRUNC), EPERM);
	fd2 = open("app", O_RDWR | O_APPEND);
	CHECK(fd2 >= 0 && write(fd2, " more", 5) == 5 && !fstat(fd2, &st) && st.st_size == 9);
	CHECK_ERR(fcntl(fd2, F_SETFL, 0), EPERM);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd2, 0) == MAP_FAILED &&
	      errno == EACCES);
	CHECK_ERR(ftruncate(fd2, 0), EPERM);
	CHECK_ERR(fallocate(fd2, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), EPERM);
	CHECK(!fallocate(fd2, 0, 0, 16));
	CHECK_ERR(unlink("app"), EPERM);
	CHECK_ERR(rename("app", "app2"), EPERM);
	CHECK_ERR(link("app", "app2"), EPERM);
	CHECK_ERR(chmod("app", 0600), EPERM);
	CHECK_ERR(utimensat(AT_FDCWD, "app", old, 0), EPERM);
	CHECK(!utimensat(AT_FDCWD, "app", NULL, 0));
	CHECK(!set_flags(fd, 0));
	close(fd2);
	close(fd);
	unlink("app");
	/* A directory of which nothing may be taken away. */
	CHECK(!mkdir("appdir", 0755));
	fd = open("appdir", O_RDONLY);
	CHECK(!set_flags(fd, FS_APPEND_FL));
	fd2 = make("appdir/a", "x");
	CHECK(fd2 >= 0);
	close(fd2);
	CHECK_ERR(unlink("appdir/a"), EPERM);
	CHECK_ERR(rename("appdir/a", "appdir/b"), EPERM);
	CHECK(!set_flags(fd, FS_IMMUTABLE_FL));
	CHECK_ERR(open("appdir/b", O_CREAT | O_RDWR, 0644), EPERM);
	CHECK_ERR(mkdir("appdir/d", 0755), EPERM);
	CHECK_ERR(unlink("appdir/a"), EPERM);
	CHECK(!set_flags(fd, FS_NODUMP_FL | FS_NOATIME_FL));
	/* These two are handed down. */
	CHECK(!mkdir("appdir/d", 0755));
	fd2 = open("appdir/d", O_RDONLY);
	CHECK(get_flags(fd2) == (FS_NODUMP_FL | FS_NOATIME_FL));
	close(fd2);
	CHECK(!unlink("appdir/a") && !rmdir("appdir/d"));
	close(fd);
	CHECK(!rmdir("appdir"));
}

static void test_fsxattr(void)
{
	int fd = make("fsx", "text");
	struct fsxattr x;
	pid_t pid;

	REQUIRE(fd >= 0);
	memset(&x, 0xff, sizeof(x));
	CHECK(!ioctl(fd, FS_IOC_FSGETXATTR, &x) && !x.fsx_xflags && !x.fsx_projid);
	x.fsx_xflags = FS_XFLAG_NODUMP;
	CHECK(!ioctl(fd, FS_IOC_FSSETXATTR, &x));
	CHECK(get_flags(fd) == FS_NODUMP_FL);
	x.fsx_xflags = FS_XFLAG_REALTIME;
	CHECK_ERR(ioctl(fd, FS_IOC_FSSETXATTR, &x), EOPNOTSUPP);
	x.fsx_xflags = FS_XFLAG_APPEND;
	pid = fork();
	if (!pid) { /* somebody else's file; one's own, without the capability */
		unsigned f = FS_IMMUTABLE_FL;

		if (setuid(1000) || ioctl(fd, FS_IOC_SETFLAGS, &f) == 0 || errno != EPERM ||
		    ioctl(fd, FS_IOC_FSSETXATTR, &x) == 0 || errno != EPERM)
			_exit(8);
		_exit(7);
	}
	CHECK(child_status(pid) == 7);
	CHECK(!fchown(fd, 1000, 1000));
	pid = fork();
	if (!pid) {
		unsigned f = FS_IMMUTABLE_FL, g = FS_NOATIME_FL;

		if (setuid(1000) || ioctl(fd, FS_IOC_SETFLAGS, &f) == 0 || errno != EPERM ||
		    ioctl(fd, FS_IOC_SETFLAGS, &g))
			_exit(8);
		_exit(7);
	}
	CHECK(child_status(pid) == 7);
	CHECK(get_flags(fd) == FS_NOATIME_FL);
	close(fd);
	unlink("fsx");
}

static int statx(int dir, const char *name, int flags, unsigned mask, struct statx *x)
{
	return syscall(SYS_statx, dir, name, flags, mask, x);
}

static void test_statx(void)
{
	int fd = make("sx", "text");
	struct statx x;
	struct stat st;

	REQUIRE(fd >= 0);
	CHECK(!statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x));
	CHECK(x.stx_mask == (STATX_BASIC_STATS | STATX_MNT_ID) && !x.stx_btime.tv_sec);
	CHECK(!fstat(fd, &st) && st.st_ino == x.stx_ino && st.st_size == 4 && x.stx_size == 4);
	CHECK(x.stx_nlink == 1 && x.stx_mode == st.st_mode &&
	      makedev(x.stx_dev_major, x.stx_dev_minor) == st.st_dev);
	CHECK(!statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &x));
	CHECK((x.stx_mask & STATX_BTIME) && x.stx_btime.tv_sec &&
	      x.stx_btime.tv_sec <= x.stx_mtime.tv_sec);
	CHECK((x.stx_attributes_mask & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND |
					STATX_ATTR_NODUMP | STATX_ATTR_MOUNT_ROOT)) ==
	      (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND | STATX_ATTR_NODUMP |
	       STATX_ATTR_MOUNT_ROOT));
	CHECK(!x.stx_attributes);
	CHECK(!set_flags(fd, FS_IMMUTABLE_FL));
	CHECK(!statx(AT_FDCWD, "sx", 0, 0, &x) && x.stx_attributes == STATX_ATTR_IMMUTABLE);
	CHECK(!set_flags(fd, 0));
	CHECK(!statx(AT_FDCWD, "/proc", AT_STATX_DONT_SYNC, STATX_ALL, &x) &&
	      (x.stx_attributes & STATX_ATTR_MOUNT_ROOT) && !(x.stx_mask & STATX_BTIME));
	memset(&x, 0xff, sizeof(x));
	CHECK(!statx(AT_FDCWD, "sx", AT_STATX_FORCE_SYNC | AT_NO_AUTOMOUNT, STATX_BASIC_STATS,
		     &x) &&
	      x.stx_ino == st.st_ino && x.stx_size == 4);
	CHECK(!fstatat(AT_FDCWD, "sx", &st, AT_NO_AUTOMOUNT) && st.st_ino == x.stx_ino);
	CHECK(!symlink("sx", "sx-link") &&
	      !statx(AT_FDCWD, "sx-link", AT_SYMLINK_NOFOLLOW, 0, &x) &&
	      (x.stx_attributes_mask & STATX_ATTR_APPEND) && !unlink("sx-link"));
	CHECK(!statx(AT_FDCWD, "/dev/null", 0, 0, &x) && !x.stx_attributes &&
	      (x.stx_attributes_mask & STATX_ATTR_NODUMP));
	CHECK_ERR(statx(AT_FDCWD, "sx", AT_STATX_SYNC_TYPE, 0, &x), EINVAL);
	CHECK_ERR(statx(AT_FDCWD, "sx", 0, 0x80000000u, &x), EINVAL);
	CHECK_ERR(statx(AT_FDCWD, "sx", 0x40000, 0, &x), EINVAL);
	CHECK_ERR(statx(AT_FDCWD, "", 0, 0, &x), ENOENT);
	CHECK_ERR(syscall(SYS_statx, AT_FDCWD, "sx", 0, 0, 8), EFAULT);
	close(fd);
	unlink("sx");
}

static void test_whiteout(void)
{
	struct stat st;

	close(make("wa", "1"));
	close(make("wb", "2"));
	CHECK(!syscall(SYS_renameat2, AT_FDCWD, "wa", AT_FDCWD, "wb", RENAME_WHITEOUT));
	CHECK(!lstat("wa", &st) && S_ISCHR(st.st_mode) && !(st.st_mode & 0777) && !st.st_rdev);
	CHECK(!stat("wb", &st) && st.st_size == 1 && st.st_nlink == 1);
	CHECK(!unlink("wa"));
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "wb", AT_FDCWD, "wb",
			  RENAME_WHITEOUT | RENAME_EXCHANGE),
		  EINVAL);
	close(make("wa", "1"));
	CHECK_ERR(syscall(SYS_renameat2, AT_FDCWD, "wb", AT_FDCWD, "wa",
			  RENAME_WHITEOUT | RENAME_NOREPLACE),
		  EEXIST);
	CHECK(!unlink("wa"));
	CHECK(!mkdir("wd", 0755));
	CHECK(!syscall(SYS_renameat2, AT_FDCWD, "wd", AT_FDCWD, "wa",
		       RENAME_WHITEOUT | RENAME_NOREPLACE));
	CHECK(!lstat("wd", &st) && S_ISCHR(st.st_mode));
	CHECK(!rmdir("wa") && !unlink("wd") && !unlink("wb"));
}

/* The names in @dir in one string, in the order they come. */
static const char *order(const char *dir)
{
	static char out[256];
	DIR *d = opendir(dir);
	struct dirent *e;

	out[0] = 0;
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			strcat(strcat(out, e->d_name), " ");
	if (d)
		closedir(d);
	return out;
}

static void test_order(void)
{
	DIR *d;
	long at;
	struct dirent *e;

	CHECK(!mkdir("ord", 0755) && !mkdir("ord/one", 0755) && !mkdir("ord/two", 0755) &&
	      !mkdir("ord/three", 0755));
	CHECK(!strcmp(order("ord"), "three two one "));
	CHECK(!rename("ord/one", "ord/four"));
	CHECK(!strcmp(order("ord"), "four three two "));
	CHECK(!rename("ord/two", "ord/three"));
	CHECK(!strcmp(order("ord"), "three four "));
	d = opendir("ord");
	REQUIRE(d);
	CHECK(!strcmp(readdir(d)->d_name, ".") && !strcmp(readdir(d)->d_name, ".."));
	CHECK(!strcmp(readdir(d)->d_name, "three"));
	at = telldir(d);
	CHECK(!strcmp(readdir(d)->d_name, "four") && !readdir(d));
	seekdir(d, at);
	CHECK((e = readdir(d)) && !strcmp(e->d_name, "four"));
	closedir(d);
	CHECK(!rmdir("ord/three") && !rmdir("ord/four") && !rmdir("ord"));
}

static volatile sig_atomic_t signals, signal_fd;

static void on_notify(int sig, siginfo_t *si, void *uc)
{
	signals++;
	signal_fd = sig == SIGIO ? -1 : si->si_fd;
}

static void test_dnotify(void)
{
	struct sigaction sa = { .sa_sigaction = on_notify, .sa_flags = SA_SIGINFO };
	int dir, fd, file;
	pid_t pid;

	REQUIRE(!mkdir("dn", 0755));
	dir = open("dn", O_RDONLY);
	REQUIRE(dir >= 0);
	sigaction(SIGIO, &sa, NULL);
	sigaction(SIGRTMIN, &sa, NULL);
	CHECK(!fcntl(dir, F_NOTIFY, DN_CREATE));
	CHECK(fcntl(dir, F_GETOWN) == getpid());
	close(make("dn/a", "x"));
	CHECK(signals == 1 && signal_fd == -1);
	close(make("dn/b", "x")); /* it was for once */
	CHECK(signals == 1);
	CHECK(!fcntl(dir, F_SETSIG, SIGRTMIN));
	CHECK(!fcntl(dir, F_NOTIFY, DN_MODIFY | DN_MULTISHOT));
	CHECK(!fcntl(dir, F_NOTIFY, DN_DELETE | DN_MULTISHOT)); /* adds */
	file = open("dn/a", O_RDWR);
	CHECK(signals == 1);
	CHECK(write(file, "y", 1) == 1);
	CHECK(signals == 2 && signal_fd == dir);
	CHECK(!unlink("dn/b"));
	CHECK(signals == 3);
	CHECK(!chmod("dn/a", 0600) && signals == 3);
	CHECK(!fcntl(dir, F_NOTIFY, DN_ATTRIB | DN_MULTISHOT));
	CHECK(!chmod("dn/a", 0644) && signals == 4);
	CHECK(!fcntl(dir, F_NOTIFY, 0)); /* no more */
	CHECK(!chmod("dn/a", 0600) && signals == 4);
	CHECK(!fcntl(dir, F_NOTIFY, DN_RENAME | DN_MULTISHOT));
	CHECK(!rename("dn/a", "dn/c") && signals == 5);
	/* Into another directory is no renaming. */
	CHECK(!rename("dn/c", "c") && signals == 5);
	CHECK(!rename("c", "dn/c") && signals == 5);
	/* Closing a copy of the descriptor ends it, as far as this table goes. */
	fd = dup(dir);
	pid = fork();
	if (!pid) {
		close(dir);
		_exit(7);
	}
	CHECK(child_status(pid) == 7);
	CHECK(!rename("dn/c", "dn/d") && signals == 6);
	close(fd);
	CHECK(!rename("dn/d", "dn/e") && signals == 6);
	CHECK_ERR(fcntl(file, F_NOTIFY, DN_MODIFY), ENOTDIR);
	CHECK(!fcntl(dir, F_NOTIFY, DN_ACCESS | DN_MULTISHOT));
	close(dir);
	close(file);
	CHECK(!unlink("dn/e") && !rmdir("dn"));
	CHECK(signals == 6);
}

struct handle {
	unsigned bytes;
	int type;
	unsigned char data[128];
};

static int to_handle(int dfd, const char *name, void *h, int *id, int flags)
{
	return syscall(SYS_name_to_handle_at, dfd, name, h, id, flags);
}

static int by_handle(int mfd, void *h, int flags)
{
	return syscall(SYS_open_by_handle_at, mfd, h, flags);
}

/* What is refused; @h is that of "h2". */
static void test_bad_handles(struct handle h)
{
	struct handle d = { .bytes = 128 }, bad;
	int id, proc;

	CHECK_ERR(by_handle(AT_FDCWD, &h, O_RDONLY | O_DIRECTORY), ENOTDIR);
	bad = h;
	bad.bytes = 129;
	CHECK_ERR(by_handle(AT_FDCWD, &bad, O_RDONLY), EINVAL);
	CHECK_ERR(to_handle(AT_FDCWD, "h2", &bad, &id, 0), EINVAL);
	bad.bytes = 0;
	CHECK_ERR(by_handle(AT_FDCWD, &bad, O_RDONLY), EINVAL);
	bad = h;
	memset(bad.data, 0xa5, 12);
	CHECK_ERR(by_handle(AT_FDCWD, &bad, O_RDONLY), ESTALE);
	CHECK_ERR(by_handle(AT_FDCWD, (void *)8, O_RDONLY), EFAULT);
	CHECK_ERR(by_handle(-1, &h, O_RDONLY), EBADF);
	CHECK_ERR(to_handle(AT_FDCWD, "h2", (void *)8, &id, 0), EFAULT);
	CHECK_ERR(to_handle(AT_FDCWD, "h2", &d, (void *)8, 0), EFAULT);
	CHECK_ERR(to_handle(AT_FDCWD, "none", &d, &id, 0), ENOENT);
	CHECK_ERR(to_handle(AT_FDCWD, "h2", &d, &id, AT_SYMLINK_NOFOLLOW), EINVAL);
	proc = open("/proc", O_RDONLY);
	CHECK_ERR(to_handle(proc, "", &d, &id, AT_EMPTY_PATH), EOPNOTSUPP);
	CHECK_ERR(by_handle(proc, &h, O_RDONLY), ESTALE);
	close(proc);
}

static void test_handles_of_links(struct handle h)
{
	struct handle d = { .bytes = 128 };
	struct stat b;
	int fd, id;
	pid_t pid;

	CHECK(!symlink("h2", "hl"));
	CHECK(!to_handle(AT_FDCWD, "hl", &d, &id, AT_SYMLINK_FOLLOW) &&
	      !memcmp(&d, &h, 8 + h.bytes));
	d.bytes = 128;
	CHECK(!to_handle(AT_FDCWD, "hl", &d, &id, 0));
	CHECK_ERR(by_handle(AT_FDCWD, &d, O_RDONLY), ELOOP);
	fd = by_handle(AT_FDCWD, &d, O_PATH);
	CHECK(fd >= 0 && !fstat(fd, &b) && S_ISLNK(b.st_mode));
	close(fd);
	pid = fork();
	if (!pid)
		_exit(!setuid(1000) && by_handle(AT_FDCWD, &h, O_RDONLY) < 0 && errno == EPERM ? 7
											       : 8);
	CHECK(child_status(pid) == 7);
	CHECK(!unlink("hl"));
}

static void test_handle_of_directory(void)
{
	struct handle d = { .bytes = 128 };
	int fd, id;

	CHECK(!mkdir("hd", 0755));
	close(make("hd/in", "x"));
	CHECK(!to_handle(AT_FDCWD, "hd", &d, &id, 0));
	fd = by_handle(AT_FDCWD, &d, O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0 && !faccessat(fd, "in", F_OK, 0) && !faccessat(fd, "../h2", F_OK, 0));
	close(fd);
	CHECK(!unlink("hd/in") && !rmdir("hd"));
	CHECK_ERR(by_handle(AT_FDCWD, &d, O_RDONLY), ESTALE);
}

static void test_handles(void)
{
	struct handle h = { .bytes = 128 }, d = { .bytes = 128 }, small = { .bytes = 4 };
	struct stat a, b;
	char text[8];
	int fd = make("h", "text"), dir, id = -1, id2 = -2;

	REQUIRE(fd >= 0 && !fstat(fd, &a));
	CHECK(!to_handle(AT_FDCWD, "h", &h, &id, 0));
	CHECK(h.bytes > 0 && h.bytes <= 128 && id > 0);
	CHECK_ERR(to_handle(AT_FDCWD, "h", &small, &id2, 0), EOVERFLOW);
	CHECK(small.bytes == h.bytes && id2 == id);
	d = h;
	CHECK(!to_handle(fd, "", &d, &id2, AT_EMPTY_PATH) && id2 == id &&
	      !memcmp(&d, &h, 8 + h.bytes));
	close(fd);
	dir = open(".", O_RDONLY);
	CHECK(!rename("h", "h2"));
	fd = by_handle(dir, &h, O_RDWR);
	CHECK(fd >= 0 && !fstat(fd, &b) && a.st_ino == b.st_ino && read(fd, text, 8) == 4);
	close(fd);
	fd = by_handle(AT_FDCWD, &h, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	close(fd);
	test_bad_handles(h);
	test_handles_of_links(h);
	test_handle_of_directory();
	/* What is gone is gone. */
	close(make("h3", "other"));
	CHECK(!rename("h3", "h2"));
	CHECK_ERR(by_handle(AT_FDCWD, &h, O_RDONLY), ESTALE);
	h.bytes = 128;
	CHECK(!to_handle(AT_FDCWD, "h2", &h, &id, 0) && !link("h2", "h4") && !unlink("h2"));
	fd = by_handle(AT_FDCWD, &h, O_RDONLY);
	CHECK(fd >= 0 && read(fd, text, 8) == 5);
	close(fd);
	CHECK(!unlink("h4"));
	CHECK_ERR(by_handle(AT_FDCWD, &h, O_RDONLY), ESTALE);
	/* One that is left for the unmounting. */
	close(make("h5", "x"));
	h.bytes = 128;
	CHECK(!to_handle(AT_FDCWD, "h5", &h, &id, 0));
	close(dir);
}

/* A link has its own attributes, which only the calls with l reach. */
static void test_xattr_roads(void)
{
	char v[8];
	int fd = make("x", "text");

	REQUIRE(fd >= 0 && !symlink("x", "xl"));
	CHECK(!setxattr("xl", "trusted.of", "file", 4, 0) &&
	      !lsetxattr("xl", "trusted.of", "ln", 2, 0));
	CHECK(getxattr("x", "trusted.of", v, sizeof(v)) == 4 && !memcmp(v, "file", 4));
	CHECK(lgetxattr("xl", "trusted.of", v, sizeof(v)) == 2 && !memcmp(v, "ln", 2));
	CHECK(fgetxattr(fd, "trusted.of", NULL, 0) == 4);
	CHECK_ERR(fgetxattr(fd, "trusted.of", v, 3), ERANGE);
	CHECK(!fsetxattr(fd, "security.two", "", 0, XATTR_CREATE));
	CHECK_ERR(fsetxattr(fd, "security.two", "", 0, XATTR_CREATE), EEXIST);
	CHECK_ERR(fsetxattr(fd, "security.no", "", 0, XATTR_REPLACE), ENODATA);
	CHECK(flistxattr(fd, NULL, 0) == 24 && llistxattr("xl", NULL, 0) == 11);
	CHECK_ERR(flistxattr(fd, v, 8), ERANGE);
	CHECK(!lremovexattr("xl", "trusted.of") && llistxattr("xl", v, 8) == 0);
	CHECK_ERR(lremovexattr("xl", "trusted.of"), ENODATA);
	CHECK(!fremovexattr(fd, "trusted.of") && listxattr("xl", NULL, 0) == 13);
	CHECK_ERR(fremovexattr(fd, "trusted.of"), ENODATA);
	CHECK_ERR(fsetxattr(-1, "trusted.of", "", 0, 99), EBADF);
	CHECK_ERR(fremovexattr(-1, "trusted.of"), EBADF);
	CHECK_ERR(flistxattr(-1, v, 8), EBADF);
	close(fd);
	CHECK(!unlink("x") && !unlink("xl"));
}

/* A file system that is only read says so before it looks at what is asked for. */
static void test_xattr_readonly(void)
{
	char v[8];

	REQUIRE(!mkdir("ro", 0755) && !mount("none", "ro", "tmpfs", MS_RDONLY, NULL));
	CHECK_ERR(setxattr("ro", "trusted.a", "", 0, 99), EROFS);
	CHECK_ERR(removexattr("ro", ""), EROFS);
	CHECK_ERR(getxattr("ro", "trusted.a", v, 8), ENODATA);
	CHECK(!umount("ro") && !rmdir("ro"));
}

static void test_xattr_elsewhere(void)
{
	static const char name[] = "system.sockprotoname";
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char v[32];

	CHECK(flistxattr(fd, NULL, 0) == sizeof(name));
	CHECK(flistxattr(fd, v, sizeof(v)) == sizeof(name) && !strcmp(v, name));
	CHECK(fgetxattr(fd, name, v, sizeof(v)) > 0 && !strncmp(v, "UNIX", 4));
	CHECK_ERR(fgetxattr(fd, name, v, 2), ERANGE);
	CHECK_ERR(fgetxattr(fd, "system.other", v, 2), EOPNOTSUPP);
	close(fd);
	CHECK(!setxattr("/sys/kernel", "trusted.t", "sysfs", 5, 0));
	CHECK(getxattr("/sys/kernel", "trusted.t", v, sizeof(v)) == 5 && !memcmp(v, "sysfs", 5));
	CHECK(listxattr("/sys/kernel", v, sizeof(v)) == 10 && !strcmp(v, "trusted.t"));
	CHECK(!removexattr("/sys/kernel", "trusted.t"));
	CHECK_ERR(getxattr("/sys/kernel", "trusted.t", v, sizeof(v)), ENODATA);
	CHECK_ERR(setxattr("/sys/kernel", "user.t", "", 0, 0), EOPNOTSUPP);
	CHECK_ERR(setxattr("/proc/version", "trusted.t", "", 0, 0), EOPNOTSUPP);
	CHECK_ERR(getxattr("/proc/version", "trusted.t", v, sizeof(v)), EOPNOTSUPP);
	CHECK(listxattr("/proc/version", v, sizeof(v)) == 0);
}

int main(void)
{
	char dir[] = "/tmp/fs_attr.XXXXXX";

	umask(022);
	/* On a tmpfs of its own, whatever /tmp is. */
	REQUIRE(mkdtemp(dir) && !mount("none", dir, "tmpfs", 0, NULL) && !chdir(dir));
	test_immutable();
	test_append();
	test_fsxattr();
	test_statx();
	test_whiteout();
	test_order();
	test_dnotify();
	test_handles();
	test_xattr_roads();
	test_xattr_readonly();
	test_xattr_elsewhere();
	CHECK(!chdir("/") && !umount(dir) && !rmdir(dir));
	return tap_done();
}
