/*
 * Mounts: tmpfs with its options and limits, bind, move, remount, stacking, lazy and refused
 * umounts, crossing by path, chroot. Makes a new directory under the current one. Run as root.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tap.h"

#define MS_LAZYTIME_ (1ul << 25)
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

static char big[65536];

static int exists(const char *name)
{
	struct stat st;

	return !stat(name, &st);
}

static void touch(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0644);

	if (fd >= 0)
		close(fd);
}

static long fill(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0644);
	long sum = 0, n;

	while ((n = write(fd, big, sizeof(big))) > 0)
		sum += n;
	sum = n == -1 && errno == ENOSPC ? sum : -1;
	close(fd);
	return sum;
}

static int fill_one(const char *name)
{
	int fd = open(name, O_CREAT | O_WRONLY, 0644), good = write(fd, "text", 4) == 4;

	return !close(fd) && good;
}

static void test_tmpfs(void)
{
	struct statfs fs;
	struct stat st, up;

	CHECK(!mkdir("m", 0755));
	CHECK_ERR(mount("none", "m", "nosuchfs", 0, NULL), ENODEV);
	CHECK_ERR(mount("none", "none", "tmpfs", 0, NULL), ENOENT);
	CHECK_ERR(mount("none", "m", "proc", 0, "nonsense=1"), EINVAL);
	CHECK_ERR(mount("none", "m", "proc", 0, "hidepid=3"), EINVAL);
	CHECK_ERR(mount("none", "m", "sysfs", 0, "nonsense"), EINVAL);
	CHECK_ERR(mount("none", "/proc", NULL, MS_REMOUNT, "hidepid=3"), EINVAL);
	CHECK(!mount("none", "/proc", NULL, MS_REMOUNT, "hidepid=0"));
	CHECK_ERR(mount("none", "m", "tmpfs", 0, "nonsense=1"), EINVAL);
	CHECK_ERR(umount("m"), EINVAL);
	touch("plain");
	CHECK_ERR(mount("none", "plain", "tmpfs", 0, NULL), ENOTDIR);
	CHECK(!mount("none", "m", "tmpfs", MS_NOSUID,
		     "size=1m,nr_inodes=10,mode=0700,uid=3,gid=4"));
	CHECK(!stat("m", &st) && (st.st_mode & 07777) == 0700 && st.st_uid == 3 && st.st_gid == 4);
	CHECK(!stat("m/..", &up) && up.st_dev != st.st_dev && !stat(".", &st) &&
	      up.st_ino == st.st_ino);
	CHECK(!statfs("m", &fs) && fs.f_blocks == 256 && fs.f_files == 10 && fs.f_bfree == 256 &&
	      (fs.f_flags & 2));
	CHECK(fill("m/big") == 1 << 20);
	CHECK(!statfs("m", &fs) && fs.f_bfree == 0);
	CHECK(!unlink("m/big") && !statfs("m", &fs) && fs.f_bfree == 256);
	for (int k = 0; k < 9; k++) {
		char name[8];

		snprintf(name, sizeof(name), "m/%d", k);
		touch(name);
	}
	CHECK(exists("m/8"));
	CHECK_ERR(open("m/9", O_CREAT | O_WRONLY, 0600), ENOSPC);
	CHECK_ERR(mkdir("m/9", 0700), ENOSPC);
	CHECK_ERR(rmdir("m"), EBUSY);
	CHECK_ERR(rename("m", "n"), EBUSY);
	CHECK_ERR(rename("m/1", "n"), EXDEV);
	CHECK_ERR(link("m/1", "n"), EXDEV);
	CHECK(!mount("none", "m", "tmpfs", MS_REMOUNT, "size=2m"));
	CHECK(!statfs("m", &fs) && fs.f_blocks == 512);
	CHECK(!umount("m") && !exists("m/1"));
	unlink("plain");
}

static void test_busy_and_lazy(void)
{
	int fd;

	CHECK(!mount("one", "m", "tmpfs", 0, NULL));
	CHECK((fd = open("m/f", O_CREAT | O_RDWR, 0600)) >= 0);
	CHECK_ERR(umount("m"), EBUSY);
	close(fd);
	CHECK(!chdir("m"));
	CHECK_ERR(umount("../m"), EBUSY);
	CHECK(!chdir(".."));
	CHECK(!mkdir("m/sub", 0755) && !mount("two", "m/sub", "tmpfs", 0, NULL));
	CHECK_ERR(umount("m"), EBUSY);
	CHECK_ERR(umount2("m", 0x100), EINVAL);
	CHECK((fd = open("m/f", O_RDWR)) >= 0 && write(fd, "x", 1) == 1);
	CHECK(!umount2("m", MNT_DETACH));
	CHECK(!exists("m/f") && write(fd, "y", 1) == 1 && lseek(fd, 0, SEEK_END) == 2);
	close(fd);
	/* Stacked: the last one is seen, and goes first. */
	CHECK(!mount("one", "m", "tmpfs", 0, NULL));
	touch("m/one");
	CHECK(!mount("two", "m", "tmpfs", 0, NULL) && !exists("m/one"));
	CHECK(!umount("m") && exists("m/one") && !umount("m") && !exists("m/one"));
}

static void test_readonly(void)
{
	char *p;
	int fd;

	CHECK(!mount("ro", "m", "tmpfs", 0, NULL));
	CHECK((fd = open("m/f", O_CREAT | O_RDWR, 0600)) >= 0);
	CHECK_ERR(mount("ro", "m", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	close(fd);
	CHECK(!mount("ro", "m", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	CHECK_ERR(open("m/f", O_RDWR), EROFS);
	CHECK_ERR(open("m/g", O_CREAT | O_RDWR, 0600), EROFS);
	CHECK_ERR(open("m/f", O_RDONLY | O_TRUNC), EROFS);
	CHECK((fd = open("m/f", O_CREAT | O_RDONLY, 0600)) >= 0 && !close(fd));
	CHECK_ERR(mkdir("m/d", 0700), EROFS);
	CHECK_ERR(mkdir("m/f", 0700), EEXIST);
	CHECK_ERR(unlink("m/f"), EROFS);
	CHECK_ERR(unlink("m/none"), EROFS);
	CHECK_ERR(chmod("m/f", 0), EROFS);
	CHECK_ERR(access("m/f", W_OK), EROFS);
	CHECK_ERR(rename("m/f", "m/g"), EROFS);
	CHECK_ERR(truncate("m/f", 0), EROFS);
	CHECK(!mount("ro", "m", NULL, MS_REMOUNT, NULL) && !unlink("m/f"));
	CHECK(!mount("ro", "m", NULL, MS_REMOUNT | MS_NODEV | MS_NOEXEC, NULL));
	CHECK(!mknod("m/null", S_IFCHR | 0666, 0x103));
	CHECK_ERR(open("m/null", O_RDONLY), EACCES);
	CHECK(!symlink("/bin/sh", "m/sh"));
	touch("m/prog");
	CHECK(!chmod("m/prog", 0755));
	CHECK_ERR(execl("m/prog", "prog", NULL), EACCES);
	CHECK_ERR(access("m/prog", X_OK), EACCES);
	/* Nor is it mapped to run. */
	CHECK((fd = open("m/prog", O_RDWR)) >= 0 && !ftruncate(fd, 4096));
	CHECK_ERR(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0), EPERM);
	p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK_ERR(mprotect(p, 4096, PROT_READ | PROT_EXEC), EACCES);
	CHECK(!munmap(p, 4096) && !close(fd));
	CHECK(!umount("m"));
}

static void test_bind_and_move(void)
{
	struct stat a, b;

	CHECK(!mkdir("src", 0755) && !mkdir("dst", 0755) && !mkdir("src/in", 0755));
	touch("src/f");
	CHECK(!mount("src", "dst", NULL, MS_BIND, NULL));
	CHECK(!stat("src/f", &a) && !stat("dst/f", &b) && a.st_ino == b.st_ino &&
	      a.st_dev == b.st_dev);
	touch("dst/new");
	CHECK(exists("src/new"));
	CHECK_ERR(rename("src/new", "dst/x"), EXDEV);
	CHECK(!mount(NULL, "dst", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CHECK_ERR(open("dst/f", O_RDWR), EROFS);
	CHECK(!access("src/f", W_OK));
	CHECK(!umount("dst"));
	/* A mount below is only seen through a recursive bind. */
	CHECK(!mount("sub", "src/in", "tmpfs", 0, NULL));
	touch("src/in/deep");
	CHECK(!mount("src", "dst", NULL, MS_BIND, NULL) && !exists("dst/in/deep") &&
	      !umount("dst"));
	CHECK(!mount("src", "dst", NULL, MS_BIND | MS_REC, NULL) && exists("dst/in/deep"));
	CHECK(!umount2("dst", MNT_DETACH));
	CHECK(!mount("src/in", "dst", NULL, MS_MOVE, NULL) && exists("dst/deep") &&
	      !exists("src/in/deep"));
	CHECK_ERR(mount("src", "dst", NULL, MS_MOVE, NULL), EINVAL);
	CHECK(!mkdir("dst/x", 0755));
	CHECK_ERR(mount("dst", "dst/x", NULL, MS_MOVE, NULL), ELOOP);
	CHECK_ERR(mount("dst", "dst/deep", NULL, MS_MOVE, NULL), EINVAL); /* no directory */
	CHECK(!umount("dst"));
	/* Binding one file over another. */
	touch("src/g");
	CHECK(!mount("src/f", "src/g", NULL, MS_BIND, NULL) && !stat("src/g", &b) &&
	      a.st_ino == b.st_ino);
	CHECK_ERR(unlink("src/g"), EBUSY);
	CHECK(!umount("src/g") && !unlink("src/g"));
	unlink("src/f"), unlink("src/new"), rmdir("src/in"), rmdir("src"), rmdir("dst");
}

static const struct timespec long_ago = { 1000, 0 }, never = { 4000000000, 0 };

/* Does reading @name change the time of access that is set to @then, sooner or later than now? */
static int reading_counts(const char *name, struct timespec then)
{
	struct timespec t[2] = { then, { 2000, 0 } };
	struct stat st;
	int fd = open(name, O_RDONLY);

	if (fd < 0 || utimensat(AT_FDCWD, name, t, 0))
		return -1;
	if (read(fd, big, 1) < 0)
		syscall(SYS_getdents64, fd, big, sizeof(big));
	close(fd);
	return stat(name, &st) ? -1 : st.st_atim.tv_sec != then.tv_sec;
}

/* File and directory, each with a time of access before that of its last change, and after it. */
static int times_counted(void)
{
	return reading_counts("m/f", long_ago) << 3 | reading_counts("m/f", never) << 2 |
	       reading_counts("m/d", long_ago) << 1 | reading_counts("m/d", never);
}

/* The file system's flags of the mount whose source is "flags" begin with these, and end there. */
static int super_shows(const char *what)
{
	FILE *f = fopen("/proc/self/mountinfo", "r");
	char line[256];
	int found = 0;

	snprintf(line, sizeof(line), " tmpfs flags %s,inode64\n", what);
	while (f && fgets(big, sizeof(big), f))
		found |= strstr(big, line) != NULL;
	if (f)
		fclose(f);
	return found;
}

static int remount_shows(unsigned long flags, const char *data, const char *what)
{
	return !mount(NULL, "m", NULL, MS_REMOUNT | flags, data) && super_shows(what);
}

/*
 * Flags of the file system: given by number or by name, set anew by each remount but that of a
 * single mount. MS_DIRSYNC stays as it is.
 */
static void test_super_flags(void)
{
	static const char *const rows[][2] = {
		{ "lazytime", "rw,lazytime" },
		{ "sync", "rw,sync" },
		{ "dirsync", "rw,dirsync" },
		{ "mand", "rw,mand" },
		{ "async", "rw" },
		{ "ro,rw", "rw" },
		{ "lazytime,nolazytime", "rw" },
		{ "sync=1", "rw,sync" },
		{ "ro", "ro" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		CHECK(!mount("flags", "m", "tmpfs", 0, rows[i][0]) && super_shows(rows[i][1]));
		CHECK(!umount("m"));
	}
	CHECK_ERR(mount("flags", "m", "tmpfs", 0, "noatime"), EINVAL);
	CHECK(!mount("flags", "m", "tmpfs", MS_LAZYTIME_, NULL) && super_shows("rw,lazytime"));
	CHECK(remount_shows(MS_BIND, NULL, "rw,lazytime") && remount_shows(0, NULL, "rw"));
	CHECK(remount_shows(MS_LAZYTIME_, NULL, "rw,lazytime"));
	CHECK(remount_shows(0, "ro,lazytime", "ro,lazytime"));
	CHECK_ERR(mkdir("m/d", 0755), EROFS);
	CHECK(remount_shows(MS_RDONLY, "rw", "rw"));
	CHECK_ERR(mkdir("m/d", 0755), EROFS); /* the mount is */
	CHECK_ERR(mount(NULL, "m", NULL, MS_REMOUNT, "dirsync"), EINVAL);
	CHECK(!umount("m") && !mount("flags", "m", "tmpfs", MS_DIRSYNC, NULL));
	CHECK(remount_shows(0, NULL, "rw,dirsync") && !umount("m"));
}

/* mount(2), MS_NOATIME to MS_STRICTATIME, MS_NOSYMFOLLOW; umount2(2), UMOUNT_NOFOLLOW. */
static void test_flags(void)
{
	static const struct {
		unsigned long flags;
		int counted;
	} rows[] = {
		{ 0, 8 | 2 }, /* as MS_RELATIME */
		{ MS_RELATIME, 8 | 2 },
		{ MS_STRICTATIME, 15 },
		{ MS_NOATIME, 0 },
		{ MS_NODIRATIME, 8 },
		{ MS_STRICTATIME | MS_NODIRATIME, 8 | 4 },
		{ MS_NOATIME | MS_NODIRATIME, 0 },
		{ MS_NOATIME | MS_STRICTATIME, 15 },
	};
	int fd;

	CHECK(!mount("times", "m", "tmpfs", 0, NULL) && !mkdir("m/d", 0755));
	CHECK(fill_one("m/f") && fill_one("m/d/f"));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int got;

		CHECK(!mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | rows[i].flags, NULL));
		got = times_counted();
		if (!CHECK(got == rows[i].counted))
			printf("# flags %#lx: %d\n", rows[i].flags, got);
	}
	CHECK(!mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_NOSYMFOLLOW, NULL));
	CHECK(!symlink("f", "m/link") && !symlink("d", "m/dlink") && !symlink("m", "link"));
	CHECK_ERR(open("m/link", O_RDONLY), ELOOP);
	CHECK_ERR(open("m/dlink/f", O_RDONLY), ELOOP);
	CHECK(readlink("m/link", big, sizeof(big)) == 1);
	CHECK((fd = open("m/link", O_PATH | O_NOFOLLOW)) >= 0 && !close(fd));
	CHECK((fd = open("link/f", O_RDONLY)) >= 0 && !close(fd)); /* that link is elsewhere */
	CHECK_ERR(umount2("link", UMOUNT_NOFOLLOW), EINVAL);
	CHECK_ERR(umount2("link", UMOUNT_NOFOLLOW | 16), EINVAL);
	CHECK(!umount2("link", 0) && !unlink("link"));
	CHECK(!mount("plain", "m", "tmpfs", 0, NULL) && !umount2("m", UMOUNT_NOFOLLOW));
}

static int in_chroot(void)
{
	struct stat a, b;
	char cwd[100];

	if (chroot("m") || chdir("/"))
		return 1;
	if (stat("/", &a) || stat("/..", &b) || a.st_ino != b.st_ino || a.st_dev != b.st_dev)
		return 2;
	if (stat("/../../../../f", &a) || stat("/abs", &b) || a.st_ino != b.st_ino)
		return 3;
	if (syscall(SYS_getcwd, cwd, sizeof(cwd)) < 0 || strcmp(cwd, "/"))
		return 4;
	return 0;
}

static long pivot_root(const char *new_root, const char *put_old)
{
	return syscall(SYS_pivot_root, new_root, put_old);
}

enum where { AT_ROOT, BELOW, IN_OPEN, WALKING };

/*
 * A process (with a thread's part: CLONE_FS is not given) that is in the old root while it is
 * pivoted away. 0: it is in the new one afterwards, with what it had below the old one.
 */
static int bystander(enum where how, int ready, int go)
{
	struct stat st;
	char c, cwd[100];

	if (how == BELOW && chdir("/sub"))
		return 1;
	write(ready, "r", 1);
	if (how == IN_OPEN && open("/fifo", O_RDONLY | O_CREAT, 0600) < 0)
		return 2;
	alarm(TAP_LIMIT);
	while (how == WALKING && stat("/in_new", &st))
		stat("f", &st);
	if (read(go, &c, 1))
		return 3;
	if (stat("/in_new", &st) || !stat("/f", &st) || stat("/old/f", &st))
		return 4;
	if (syscall(SYS_getcwd, cwd, sizeof(cwd)) < 0)
		return 5;
	return strcmp(cwd, how == BELOW ? "/old/sub" : "/") != 0;
}

static void *bystander_thread(void *arg)
{
	int *fds = arg;

	return (void *)(long)(unshare(CLONE_FS) ? 100 : bystander(AT_ROOT, fds[0], fds[1]));
}

static void start_bystanders(pid_t pids[], int n, int ready[2], int go[2])
{
	char c;

	REQUIRE(!pipe(ready) && !pipe(go));
	for (int i = 0; i < n; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			close(go[1]);
			_exit(bystander(i < 4 ? (enum where)i : WALKING, ready[1], go[0]));
		}
	}
	for (int i = 0; i < n; i++)
		CHECK(read(ready[0], &c, 1) == 1);
	CHECK(EVENTUALLY(is_asleep(pids[IN_OPEN])));
}

/*
 * The root "m" and a mount in it change places (pivot_root(2)), for all who have it. Its own
 * root is a mount point; that of the machine, which is none, nobody can move.
 */
static int in_pivot(void)
{
	enum { N = 8 };
	int ready[2], go[2], fds[2], status, fd;
	pid_t pids[N];
	pthread_t thread;
	void *verdict;
	char c;

	CHECK_ERR(pivot_root("m/new", "m/new/old"), EINVAL);
	if (chroot("m") || chdir("/"))
		return 1;
	CHECK_ERR(pivot_root("/", "/"), EBUSY);
	CHECK_ERR(pivot_root("/new/old", "/new/old"), EINVAL); /* no mount */
	CHECK_ERR(pivot_root("/new", "/f"), ENOTDIR);
	CHECK(!mkdir("/sub", 0755) && !mkfifo("/fifo", 0600));
	start_bystanders(pids, N, ready, go);
	fds[0] = ready[1];
	fds[1] = go[0];
	REQUIRE(!pthread_create(&thread, NULL, bystander_thread, fds) &&
		read(ready[0], &c, 1) == 1);
	CHECK(!pivot_root("new", "new/old"));
	CHECK((fd = open("/old/fifo", O_WRONLY)) >= 0);
	close(go[1]);
	for (int i = 0; i < N; i++)
		if (!CHECK(waitpid(pids[i], &status, 0) == pids[i] && status == 0))
			printf("# bystander %d: %#x\n", i, status);
	CHECK(!pthread_join(thread, &verdict) && !verdict);
	CHECK(exists("/in_new") && exists("in_new") && exists("/old/f") && !exists("/f"));
	CHECK_ERR(rmdir("/old"), EBUSY);
	CHECK(!umount2("/old", MNT_DETACH) && !exists("/old/f") && !rmdir("/old"));
	return 0;
}

static void test_roots(void)
{
	int status;
	pid_t pid;

	CHECK(!mount("root", "m", "tmpfs", 0, NULL));
	touch("m/f");
	CHECK(!symlink("/f", "m/abs"));
	pid = fork();
	if (!pid)
		_exit(in_chroot());
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(!mkdir("m/new", 0755) && !mount("new", "m/new", "tmpfs", 0, NULL));
	CHECK(!mkdir("m/new/old", 0755));
	CHECK(!mkdir("m/proc", 0755) && !mount("proc", "m/proc", "proc", 0, NULL));
	touch("m/new/in_new");
	pid = fork();
	if (!pid)
		_exit(in_pivot());
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	/* From outside: what was mounted in "m" is mounted on it. */
	CHECK(exists("m/in_new") && !exists("m/f"));
	CHECK(!umount2("m", MNT_DETACH) && !rmdir("m"));
}

int main(void)
{
	char dir[] = "fs_mounts.XXXXXX";

	umask(022);
	REQUIRE(mkdtemp(dir) && !chmod(dir, 0755) && !chdir(dir));
	test_tmpfs();
	test_busy_and_lazy();
	test_readonly();
	test_bind_and_move();
	test_flags();
	test_super_flags();
	test_roots();
	CHECK(!chdir("..") && !rmdir(dir));
	return tap_done();
}
