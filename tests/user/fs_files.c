/*
 * Contents and descriptors of files: reading, writing, positions, holes, sizes, flags, duplicates,
 * times, attributes, transfers inside the kernel. Works in a new directory under the current one,
 * which must be on tmpfs. Run as root.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <signal.h>
#include <unistd.h>
#include "tap.h"

#ifndef O_LARGEFILE
#define O_LARGEFILE 0
#endif
#define FLAGS_SEEN                                                                         \
	(O_ACCMODE | O_APPEND | O_NONBLOCK | O_DIRECTORY | O_NOFOLLOW | O_CREAT | O_EXCL | \
	 O_TRUNC | O_CLOEXEC)

static char buf[65536], big[65536];
static volatile unsigned long nowhere = 8; /* no memory is there */

static int make(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0644);

	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -1;
	return fd;
}

static void test_rw(void)
{
	struct iovec v[3] = { { buf, 2 }, { buf + 100, 0 }, { buf + 200, 10 } };
	int fd = make("f", "hello world"), ro, wo = -1;

	REQUIRE(fd >= 0);
	CHECK(lseek(fd, 0, SEEK_CUR) == 11);
	CHECK(read(fd, buf, 10) == 0);
	CHECK(lseek(fd, 6, SEEK_SET) == 6);
	CHECK(read(fd, buf, 100) == 5 && !memcmp(buf, "world", 5));
	CHECK(pread(fd, buf, 5, 0) == 5 && !memcmp(buf, "hello", 5) &&
	      lseek(fd, 0, SEEK_CUR) == 11);
	CHECK(pwrite(fd, "HE", 2, 0) == 2 && lseek(fd, 0, SEEK_CUR) == 11);
	CHECK_ERR(pread(fd, buf, 1, -1), EINVAL);
	CHECK_ERR(pwrite(fd, buf, 1, -1), EINVAL);
	CHECK(preadv(fd, v, 3, 0) == 11 && !memcmp(buf, "HE", 2) &&
	      !memcmp(buf + 200, "llo world", 9));
	CHECK_ERR(syscall(SYS_readv, fd, v, -1), EINVAL);
	CHECK_ERR(syscall(SYS_readv, fd, v, 1025), EINVAL);
	CHECK(readv(fd, v, 0) == 0);
	v[1].iov_len = (size_t)-1;
	CHECK_ERR(readv(fd, v, 3), EINVAL);
	CHECK_ERR(read(fd + 100, buf, 1), EBADF);
	lseek(fd, 0, SEEK_SET);
	CHECK_ERR(read(fd, (char *)nowhere, 4), EFAULT);
	CHECK_ERR(write(fd, (char *)nowhere, 4), EFAULT);
	CHECK((ro = open("f", O_RDONLY)) >= 0 && (wo = open("f", O_WRONLY)) >= 0);
	CHECK_ERR(write(ro, "x", 1), EBADF);
	CHECK_ERR(read(wo, buf, 1), EBADF);
	CHECK_ERR(ftruncate(ro, 0), EINVAL);
	CHECK_ERR(read(open(".", O_RDONLY), buf, 1), EISDIR);
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(fd, 0, 99), EINVAL);
	CHECK(lseek(fd, 0x7fffffffffffffffll, SEEK_SET) >= 0);
	CHECK_ERR(lseek(fd, 1, SEEK_CUR), EINVAL);
	close(ro), close(wo), close(fd);
	fd = open("f", O_WRONLY | O_APPEND);
	CHECK(write(fd, "1", 1) == 1 && lseek(fd, 0, SEEK_SET) == 0 && write(fd, "2", 1) == 1);
	CHECK(lseek(fd, 0, SEEK_CUR) == 13);
	CHECK(pwrite(fd, "3", 1, 0) == 1);
	close(fd);
	fd = open("f", O_RDONLY);
	CHECK(read(fd, buf, 100) == 14 && !memcmp(buf, "HEllo world123", 14));
	close(fd);
	fd = open("f", O_RDONLY | O_TRUNC);
	CHECK(fd >= 0 && lseek(fd, 0, SEEK_END) == 0);
	close(fd), unlink("f");
}

static void test_sizes(void)
{
	struct stat st;
	int fd = make("s", "0123456789");

	memset(big, 'B', sizeof(big));
	CHECK(!ftruncate(fd, 5) && !fstat(fd, &st) && st.st_size == 5);
	CHECK(!ftruncate(fd, 10000) && pread(fd, buf, 16, 0) == 16 &&
	      !memcmp(buf, "01234\0\0\0\0\0\0\0\0\0\0\0", 16));
	CHECK_ERR(ftruncate(fd, -1), EINVAL);
	CHECK_ERR(truncate(".", 0), EISDIR);
	CHECK_ERR(truncate("none", 0), ENOENT);
	CHECK(!truncate("s", 0) && !fstat(fd, &st) && st.st_size == 0 && st.st_blocks == 0);
	CHECK(pwrite(fd, "end", 3, 1 << 20) == 3 && !fstat(fd, &st) && st.st_size == (1 << 20) + 3);
	CHECK(st.st_blocks == 8);
	CHECK(pread(fd, buf, 100, 500000) == 100 && buf[0] == 0 && buf[99] == 0);
	CHECK(lseek(fd, 0, SEEK_DATA) == 1 << 20);
	CHECK(lseek(fd, 0, SEEK_HOLE) == 0);
	CHECK(lseek(fd, 1 << 20, SEEK_HOLE) == (1 << 20) + 3);
	CHECK_ERR(lseek(fd, 2 << 20, SEEK_DATA), ENXIO);
	CHECK(!fallocate(fd, 0, 0, 8192) && !fstat(fd, &st) && st.st_blocks == 24);
	CHECK(pwrite(fd, big, 12288, 0) == 12288);
	CHECK(!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 8192) &&
	      pread(fd, buf, 12288, 0) == 12288);
	CHECK(buf[99] == 'B' && buf[100] == 0 && buf[8291] == 0 && buf[8292] == 'B');
	CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1), EOPNOTSUPP);
	CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
	CHECK_ERR(fallocate(fd, 0, -1, 1), EINVAL);
	CHECK(!fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4 << 20) && !fstat(fd, &st) &&
	      st.st_size == (1 << 20) + 3);
	CHECK(st.st_blocks == 8192);
	CHECK(!ftruncate(fd, 1) && !fstat(fd, &st) && st.st_blocks == 8);
	CHECK(!fallocate(fd, 0, 0, 5000) && !fstat(fd, &st) && st.st_size == 5000);
	close(fd), unlink("s");
}

static volatile int got_xfsz;
static void on_xfsz(int s)
{
	got_xfsz++;
}

static void test_limit(void)
{
	struct rlimit old, lim;
	int fd = make("l", ""), set, wrote, more, grown, at_write, at_write_errno, at_size,
	    at_size_errno;

	getrlimit(RLIMIT_FSIZE, &old);
	lim = old;
	lim.rlim_cur = 1000;
	signal(SIGXFSZ, on_xfsz);
	/* No check before the limit is off again: standard output may be a file, too. */
	set = setrlimit(RLIMIT_FSIZE, &lim);
	wrote = (int)write(fd, big, 2000);
	more = (int)write(fd, big, 1);
	at_write_errno = errno;
	at_write = got_xfsz;
	grown = ftruncate(fd, 1001);
	at_size_errno = errno;
	at_size = got_xfsz;
	CHECK(!setrlimit(RLIMIT_FSIZE, &old) && !set);
	CHECK(wrote == 1000);
	CHECK(more == -1 && at_write_errno == EFBIG && at_write == 1);
	CHECK(grown == -1 && at_size_errno == EFBIG && at_size == 2);
	close(fd), unlink("l");
}

static void test_descriptors(void)
{
	int fd = make("d", "abc"), k, p;
	struct rlimit lim, old;

	CHECK((k = dup(fd)) > fd);
	CHECK(lseek(k, 1, SEEK_SET) == 1 && lseek(fd, 0, SEEK_CUR) == 1);
	CHECK(fcntl(k, F_GETFD) == 0 && !fcntl(k, F_SETFD, FD_CLOEXEC) &&
	      fcntl(k, F_GETFD) == FD_CLOEXEC);
	CHECK(fcntl(fd, F_GETFD) == 0);
	close(k);
	CHECK(fcntl(fd, F_DUPFD, 50) == 50 && close(50) == 0);
	CHECK(fcntl(fd, F_DUPFD_CLOEXEC, 60) == 60 && fcntl(60, F_GETFD) == FD_CLOEXEC &&
	      close(60) == 0);
	CHECK_ERR(fcntl(fd, F_DUPFD, -1), EINVAL);
	CHECK(dup2(fd, 70) == 70 && dup2(fd, fd) == fd);
	CHECK_ERR(dup3(fd, fd, 0), EINVAL);
	CHECK_ERR(dup3(fd, 71, O_APPEND), EINVAL);
	CHECK_ERR(dup2(999, 72), EBADF);
	CHECK_ERR(dup2(fd, -1), EBADF);
	close(70);
	CHECK_ERR(close(70), EBADF);
	CHECK_ERR(close(-1), EBADF);
	CHECK_ERR(fcntl(999, F_GETFD), EBADF);
	CHECK_ERR(fcntl(fd, 9999), EINVAL);
	CHECK((fcntl(fd, F_GETFL) & FLAGS_SEEN) == O_RDWR);
	CHECK(!fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK) &&
	      (fcntl(fd, F_GETFL) & FLAGS_SEEN) == (O_RDWR | O_APPEND | O_NONBLOCK));
	getrlimit(RLIMIT_NOFILE, &old);
	lim = old;
	lim.rlim_cur = (rlim_t)fd + 2;
	setrlimit(RLIMIT_NOFILE, &lim);
	CHECK((k = dup(fd)) == fd + 1);
	CHECK_ERR(dup(fd), EMFILE);
	CHECK_ERR(open("d", O_RDONLY), EMFILE);
	CHECK_ERR(dup2(fd, fd + 2), EBADF);
	setrlimit(RLIMIT_NOFILE, &old);
	close(k);
	CHECK((p = open("d", O_PATH)) >= 0);
	CHECK_ERR(read(p, buf, 1), EBADF);
	CHECK_ERR(syscall(SYS_fchmod, p, 0600), EBADF);
	CHECK_ERR(ioctl(p, FIONREAD, &k), EBADF);
	CHECK((fcntl(p, F_GETFL) & (O_PATH | O_ACCMODE)) == O_PATH);
	CHECK_ERR(fcntl(p, F_SETFL, 0), EBADF);
	close(p);
	lseek(fd, 1, SEEK_SET);
	CHECK(!ioctl(fd, FIONREAD, &k) && k == 2);
	CHECK_ERR(ioctl(fd, 0x5413, &k), ENOTTY);
	CHECK(dup2(fd, 200) == 200 && dup2(fd, 201) == 201 &&
	      !syscall(SYS_close_range, 200, 300, 0));
	CHECK_ERR(close(200), EBADF);
	CHECK_ERR(syscall(SYS_close_range, 5, 4, 0), EINVAL);
	close(fd), unlink("d");
}

static void *close_elsewhere(void *arg)
{
	int fd = *(int *)arg;

	/* A table of its own, in which only this one is closed. */
	if (syscall(SYS_close_range, fd, fd, 2))
		return (void *)1;
	return (void *)(long)(fcntl(fd, F_GETFD) != -1 || errno != EBADF || fcntl(1, F_GETFD) < 0);
}

static void test_close_range(void)
{
	int fd = open("/dev/null", O_RDONLY);
	pthread_t t;
	void *r;

	CHECK_ERR(syscall(SYS_close_range, 500, 600, 1), EINVAL);
	CHECK(!syscall(SYS_close_range, 500, ~0u, 0));
	CHECK(fcntl(fd, F_DUPFD, 300) == 300 && !syscall(SYS_close_range, 300, 300, 4));
	CHECK(fcntl(300, F_GETFD) == FD_CLOEXEC);
	close(300);
	CHECK(!pthread_create(&t, NULL, close_elsewhere, &fd) && !pthread_join(t, &r) && !r);
	CHECK(fcntl(fd, F_GETFD) == 0);
	close(fd);
}

static void test_attributes(void)
{
	struct timespec t[2] = { { 100, 5 }, { 200, 7 } };
	struct {
		unsigned mask, blksize;
		unsigned long attributes;
		unsigned nlink, uid, gid, mode;
		unsigned long ino, size;
		unsigned rest[60];
	} x;
	struct statfs fs;
	struct stat st;
	int fd = make("a", "x");

	CHECK(!futimens(fd, t) && !fstat(fd, &st) && st.st_atim.tv_sec == 100 &&
	      st.st_atim.tv_nsec == 5 && st.st_mtim.tv_sec == 200 && st.st_mtim.tv_nsec == 7);
	t[0].tv_nsec = UTIME_OMIT;
	t[1].tv_sec = -5;
	CHECK(!utimensat(AT_FDCWD, "a", t, 0) && !stat("a", &st) && st.st_atim.tv_sec == 100 &&
	      st.st_mtim.tv_sec == -5 && st.st_mtim.tv_nsec == 7);
	t[1].tv_nsec = 1000000000;
	CHECK_ERR(utimensat(AT_FDCWD, "a", t, 0), EINVAL);
	memset(t, 0, sizeof(t)); /* the epoch is a time */
	CHECK(!utimensat(AT_FDCWD, "a", t, 0) && !stat("a", &st) && !st.st_atim.tv_sec &&
	      !st.st_mtim.tv_sec && !st.st_mtim.tv_nsec && st.st_ctim.tv_sec > 1000);
	t[0] = (struct timespec){ 100, 5 };
	t[1].tv_nsec = UTIME_NOW;
	CHECK(!utimensat(AT_FDCWD, "a", t, 0) && !stat("a", &st) && st.st_atim.tv_sec == 100 &&
	      st.st_mtim.tv_sec > 1000 && st.st_mtim.tv_sec == st.st_ctim.tv_sec &&
	      st.st_mtim.tv_nsec == st.st_ctim.tv_nsec);
	CHECK(!utimensat(AT_FDCWD, "a", NULL, 0) && !stat("a", &st) &&
	      st.st_mtim.tv_nsec == st.st_ctim.tv_nsec && st.st_mtim.tv_nsec == st.st_atim.tv_nsec);
	CHECK_ERR(utimensat(AT_FDCWD, "none", NULL, 0), ENOENT);
	CHECK(!fchmod(fd, 04711) && !fstat(fd, &st) && (st.st_mode & 07777) == 04711);
	CHECK(!fchown(fd, 7, 8) && !fstat(fd, &st) && st.st_uid == 7 && st.st_gid == 8 &&
	      (st.st_mode & 07777) == 0711);
	CHECK(!fchown(fd, -1, 9) && !fstat(fd, &st) && st.st_uid == 7 && st.st_gid == 9);
	CHECK(!syscall(SYS_statx, AT_FDCWD, "a", 0, 0x7ff, &x) && x.size == 1 && x.uid == 7 &&
	      (x.mask & 0x7ff) == 0x7ff);
	CHECK_ERR(syscall(SYS_statx, AT_FDCWD, "a", 0, 0x80000000u, &x), EINVAL);
	CHECK_ERR(syscall(SYS_newfstatat, AT_FDCWD, "a", &st, 0x8000000), EINVAL);
	CHECK(!fstatat(fd, "", &st, AT_EMPTY_PATH) && st.st_uid == 7);
	CHECK(!statfs("a", &fs) && fs.f_type == 0x01021994 && fs.f_bsize == 4096 &&
	      fs.f_namelen == 255);
	CHECK(!fstatfs(fd, &fs));
	CHECK_ERR(statfs("none", &fs), ENOENT);
	CHECK_ERR(faccessat(AT_FDCWD, "a", 99, 0), EINVAL);
	CHECK(!setxattr("a", "trusted.t", "value", 5, 0) &&
	      getxattr("a", "trusted.t", buf, 100) == 5 && !memcmp(buf, "value", 5));
	CHECK(getxattr("a", "trusted.t", NULL, 0) == 5);
	CHECK_ERR(getxattr("a", "trusted.t", buf, 2), ERANGE);
	CHECK_ERR(getxattr("a", "trusted.none", buf, 100), ENODATA);
	CHECK_ERR(setxattr("a", "trusted.t", "v", 1, XATTR_CREATE), EEXIST);
	CHECK_ERR(setxattr("a", "trusted.u", "v", 1, XATTR_REPLACE), ENODATA);
	CHECK_ERR(setxattr("a", "nonsense", "v", 1, 0), EOPNOTSUPP);
	CHECK_ERR(setxattr("a", "", "v", 1, 0), ERANGE);
	CHECK(listxattr("a", buf, sizeof(buf)) >= 10);
	CHECK(!removexattr("a", "trusted.t"));
	CHECK_ERR(removexattr("a", "trusted.t"), ENODATA);
	close(fd), unlink("a");
}

static void test_transfers(void)
{
	int in = make("in", ""), out = make("out", ""), p[2];
	off_t off = 10;
	loff_t a = 0, b = 5;

	for (size_t k = 0; k < sizeof(big); k++)
		big[k] = (char)(k * 7 + k / 4096);
	CHECK(write(in, big, sizeof(big)) == sizeof(big));
	lseek(in, 0, SEEK_SET);
	CHECK(sendfile(out, in, NULL, 50000) == 50000 && lseek(in, 0, SEEK_CUR) == 50000);
	CHECK(pread(out, buf, 50000, 0) == 50000 && !memcmp(buf, big, 50000));
	CHECK(sendfile(out, in, &off, 100) == 100 && off == 110 && lseek(in, 0, SEEK_CUR) == 50000);
	CHECK(sendfile(out, in, NULL, 100000) == (ssize_t)sizeof(big) - 50000);
	CHECK(sendfile(out, in, NULL, 10) == 0);
	CHECK(!ftruncate(out, 0));
	CHECK(copy_file_range(in, &a, out, &b, 1000, 0) == 1000 && a == 1000 && b == 1005);
	CHECK(pread(out, buf, 1005, 0) == 1005 && !memcmp(buf + 5, big, 1000) &&
	      !memcmp(buf, "\0\0\0\0\0", 5));
	a = 0, b = 5;
	CHECK_ERR(copy_file_range(in, &a, in, &b, 10, 0), EINVAL);
	CHECK(copy_file_range(in, NULL, in, NULL, 10, 0) == 0);
	CHECK(!pipe(p));
	a = 4096;
	CHECK(splice(in, &a, p[1], NULL, 6000, 0) == 6000 && a == 10096);
	CHECK(read(p[0], buf, 8192) == 6000 && !memcmp(buf, big + 4096, 6000));
	CHECK(write(p[1], "piped", 5) == 5);
	b = 0;
	CHECK(splice(p[0], NULL, out, &b, 100, 0) == 5 && b == 5 && pread(out, buf, 5, 0) == 5 &&
	      !memcmp(buf, "piped", 5));
	CHECK_ERR(splice(p[0], NULL, out, NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_ERR(splice(in, NULL, out, NULL, 1, 0), EINVAL);
	CHECK_ERR(sendfile(out, p[0], NULL, 1), EINVAL);
	CHECK_ERR(lseek(p[0], 0, SEEK_SET), ESPIPE);
	CHECK_ERR(pread(p[0], buf, 1, 0), ESPIPE);
	close(p[0]), close(p[1]), close(in), close(out), unlink("in"), unlink("out");
}

static void test_memfd(void)
{
	struct stat st;
	char link[64], *m;
	int fd = memfd_create("name", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	char name[251];

	memset(name, 'n', 249);
	name[249] = '\0';
	REQUIRE(fd >= 0);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(fd, F_GET_SEALS) == 0);
	CHECK(write(fd, "data", 4) == 4 && !fstat(fd, &st) && st.st_nlink == 0 && st.st_size == 4);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	CHECK(readlink(link, buf, 100) == 21 && !memcmp(buf, "/memfd:name (deleted)", 21));
	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(m != MAP_FAILED && m[0] == 'd');
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
	munmap(m, 4096);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK));
	CHECK_ERR(ftruncate(fd, 5), EPERM);
	CHECK_ERR(ftruncate(fd, 3), EPERM);
	CHECK(pwrite(fd, "DATA", 4, 0) == 4);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
	CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED &&
	      errno == EPERM);
	CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL), EPERM);
	CHECK(fallocate(fd, 0, 0, 4) == 0);
	CHECK_ERR(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 5), EPERM);
	close(fd);
	fd = memfd_create(name, 0);
	CHECK(fd >= 0);
	close(fd);
	strcpy(name + 249, "n");
	CHECK_ERR(memfd_create(name, 0), EINVAL);
	fd = memfd_create("grows", MFD_ALLOW_SEALING);
	CHECK(!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CHECK(!fallocate(fd, 0, 0, 8192) && !fstat(fd, &st) && st.st_size == 8192);
	CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), EPERM);
	CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
	close(fd);
	fd = memfd_create("plain", 0);
	CHECK(fcntl(fd, F_GET_SEALS) == F_SEAL_SEAL);
	close(fd);
	fd = make("noseal", "");
	CHECK(fcntl(fd, F_GET_SEALS) == F_SEAL_SEAL);
	close(fd), unlink("noseal");
}

static void test_devices(void)
{
	int fd = open("/dev/null", O_RDWR);

	CHECK(fd >= 0 && write(fd, big, 1000) == 1000 && read(fd, buf, 10) == 0);
	close(fd);
	fd = open("/dev/zero", O_RDWR);
	memset(buf, 1, 100);
	CHECK(read(fd, buf, 100) == 100 && buf[0] == 0 && buf[99] == 0);
	CHECK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	close(fd);
	fd = open("/dev/full", O_RDWR);
	CHECK_ERR(write(fd, "x", 1), ENOSPC);
	close(fd);
	fd = open("/dev/urandom", O_RDONLY);
	CHECK(read(fd, buf, 64) == 64 && read(fd, buf + 64, 64) == 64 && memcmp(buf, buf + 64, 64));
	close(fd);
	CHECK(!mknod("nodev", S_IFCHR | 0600, (60 << 8) | 1) && open("nodev", O_RDONLY) == -1 &&
	      errno == ENXIO);
	unlink("nodev");
}

int main(void)
{
	char dir[] = "fs_files.XXXXXX";

	umask(022);
	REQUIRE(mkdtemp(dir) && !chmod(dir, 0755) && !chdir(dir));
	test_rw();
	test_sizes();
	test_limit();
	test_descriptors();
	test_close_range();
	test_attributes();
	test_transfers();
	test_memfd();
	test_devices();
	CHECK(!chdir("..") && !rmdir(dir));
	return tap_done();
}
