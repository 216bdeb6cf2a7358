/*
 * acct(2): records of processes that end, what switches them, errors; /proc/sys/kernel/acct.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "tap.h"

#define F "/tmp/acct.records"
#define D "/tmp/acct.dir"

/* struct acct_v3 of linux/acct.h */
struct record {
	uint8_t flag, version;
	uint16_t tty;
	uint32_t exitcode, uid, gid, pid, ppid, btime;
	float etime;
	uint16_t utime, stime, mem, io, rw, minflt, majflt, swaps;
	char comm[16];
};

static long set(const char *name)
{
	return syscall(SYS_acct, name);
}

static double comp(uint16_t c)
{
	double v = c & 0x1fff;

	for (int e = c >> 13; e; e--)
		v *= 8;
	return v;
}

/* The record of @pid in the file @path; it comes before the parent is told. */
static int find(const char *path, pid_t pid, struct record *r)
{
	int fd = open(path, O_RDONLY), found = 0;

	while (!found && read(fd, r, sizeof(*r)) == sizeof(*r))
		found = r->pid == (uint32_t)pid;
	close(fd);
	return found;
}

static long size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : (long)st.st_size;
}

static pid_t child(void (*fn)(void), int *status)
{
	pid_t p = fork();

	if (!p) {
		fn();
		_exit(3);
	}
	waitpid(p, status, 0);
	return p;
}

static void nothing(void)
{
}

static void killed(void)
{
	kill(getpid(), SIGTERM);
}

static void dumps(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	kill(getpid(), SIGABRT);
}

static void as_user(void)
{
	if (setgid(1001) || setuid(1000))
		_exit(1);
}

/* User time, memory and a limit on files that does not count. */
static void busy(void)
{
	struct rlimit none = { 0, 0 };
	struct rusage u;
	static volatile char m[8 << 20];
	volatile unsigned n = 0;

	for (size_t i = 0; i < sizeof(m); i += 4096)
		m[i] = 1;
	setrlimit(RLIMIT_FSIZE, &none);
	do {
		for (unsigned i = 0; i < 100000; i++)
			n += i;
		getrusage(RUSAGE_SELF, &u);
	} while (u.ru_utime.tv_sec == 0 && u.ru_utime.tv_usec < 150000);
}

static void runs(void)
{
	execl("/bin/sh", "sh", "-c", "exit 5", NULL);
}

static void *forever(void *arg)
{
	write((int)(intptr_t)arg, "x", 1);
	for (;;)
		pause();
	return NULL;
}

static void threads(void)
{
	pthread_t t;
	int p[2];
	char c;

	if (pipe(p) || pthread_create(&t, NULL, forever, (void *)(intptr_t)p[1]) ||
	    read(p[0], &c, 1) != 1)
		_exit(1);
}

static void records(void)
{
	struct record r;
	time_t before = time(NULL);
	int status;
	pid_t p;

	p = child(nothing, &status);
	REQUIRE(find(F, p, &r));
	CHECK(r.version == 3 && r.flag == 1 && r.exitcode == 3 << 8);
	CHECK(r.uid == 0 && r.gid == 0 && r.ppid == (uint32_t)getpid() && !strcmp(r.comm, "acct"));
	CHECK(r.btime + 1 >= before && r.btime <= time(NULL) && r.etime >= 0);
	CHECK(comp(r.mem) > 100 && comp(r.minflt) > 0 && !r.io && !r.rw && !r.swaps);
	CHECK(size_of(F) % (long)sizeof(r) == 0 && sizeof(r) == 64);
	p = child(killed, &status);
	CHECK(find(F, p, &r) && r.flag == 0x11 && r.exitcode == SIGTERM);
	p = child(dumps, &status);
	CHECK(find(F, p, &r) && (r.flag & ~0x02) == 0x19 && (r.exitcode & 0x7f) == SIGABRT);
	p = child(as_user, &status);
	CHECK(find(F, p, &r) && r.uid == 1000 && r.gid == 1001 && (r.flag & 2));
	p = child(busy, &status);
	CHECK(find(F, p, &r) && comp(r.utime) >= 10 && comp(r.mem) > 8000 && comp(r.minflt) > 20);
	CHECK(r.etime >= 10 && r.exitcode == 3 << 8);
	p = child(runs, &status);
	CHECK(find(F, p, &r) && !(r.flag & 1) && !strcmp(r.comm, "sh") && r.exitcode == 5 << 8);
	p = child(threads, &status);
	CHECK(find(F, p, &r) && (r.flag & ~0x02) == 0x11 && r.exitcode == 3 << 8);
	CHECK(!find(F, getpid(), &r));
}

static void errors(void)
{
	static char name[5000];

	CHECK_ERR(set("/tmp/none/at/all"), ENOENT);
	CHECK_ERR(set(""), ENOENT);
	CHECK_ERR(set("/tmp"), EISDIR);
	CHECK_ERR(set(F "/x"), ENOTDIR);
	CHECK_ERR(set("/dev/null"), EACCES);
	CHECK_ERR(set("/proc/self/status"), EINVAL);
	CHECK_ERR(set((char *)-4096l), EFAULT);
	memset(name, 'x', sizeof(name) - 1);
	CHECK_ERR(set(name), ENAMETOOLONG);
	name[300] = 0;
	CHECK_ERR(set(name), ENAMETOOLONG);
	CHECK(!symlink(F ".loop", F ".loop"));
	CHECK_ERR(set(F ".loop"), ELOOP);
	unlink(F ".loop");
	CHECK(!mount("none", D, "tmpfs", MS_RDONLY, NULL));
	CHECK_ERR(set(D "/x"), ENOENT);
	CHECK(!umount(D));
	CHECK(!mount("none", D, "tmpfs", 0, NULL) && mknod(D "/f", S_IFREG | 0600, 0) == 0);
	CHECK(!mount("none", D, "tmpfs", MS_REMOUNT | MS_RDONLY, NULL));
	CHECK_ERR(set(D "/f"), EROFS);
	CHECK(!umount(D));
	pid_t p = fork();
	int status;

	if (!p) {
		if (setuid(1000))
			_exit(1);
		_exit((set(NULL) == -1 && errno == EPERM) +
		      2 * (set((char *)-4096l) == -1 && errno == EPERM));
	}
	waitpid(p, &status, 0);
	CHECK(status == 3 << 8);
}

/* On and off, another file, and one whose file system goes. */
static void switching(void)
{
	struct record r;
	int status;
	long size;
	pid_t p;

	/* The last record tells of who switches it off, once, and not much. */
	size = size_of(F);
	CHECK(!set(NULL) && !set(NULL) && size_of(F) == size + 64);
	CHECK(find(F, getpid(), &r) && !r.flag && !r.exitcode && !r.mem && !r.minflt);
	CHECK(r.ppid == (uint32_t)getppid() && !strcmp(r.comm, "acct"));
	size = size_of(F);
	child(nothing, &status);
	CHECK(size_of(F) == size);
	CHECK(!set(F));
	p = child(nothing, &status);
	CHECK(size_of(F) == size + 64 && find(F, p, &r));
	CHECK(!mount("none", D, "tmpfs", 0, NULL) && mknod(D "/f", S_IFREG | 0600, 0) == 0);
	CHECK(!set(D "/f") && size_of(F) == size + 128 && !size_of(D "/f"));
	p = child(nothing, &status);
	CHECK(find(D "/f", p, &r) && !find(F, p, &r));
	CHECK_ERR(set("/tmp/none/at/all"), ENOENT); /* as it was */
	p = child(nothing, &status);
	CHECK(find(D "/f", p, &r));
	CHECK(!umount(D)); /* is no obstacle, and ends it */
	size = size_of(F);
	p = child(nothing, &status);
	CHECK(size_of(F) == size);
}

static int tell(const char *text)
{
	int fd = open("/proc/sys/kernel/acct", O_WRONLY), good;

	good = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return good;
}

static int says(const char *want)
{
	char text[64] = "";
	int fd = open("/proc/sys/kernel/acct", O_RDONLY);

	read(fd, text, sizeof(text) - 1);
	close(fd);
	return !strcmp(text, want);
}

/* A full disk: less than 30 % pauses, 60 % resumes; looked at each time. */
static void room(void)
{
	static char block[4096];
	struct statvfs st;
	int status, fd;

	CHECK(says("4\t2\t30\n") && tell("60 30 0\n") && says("60\t30\t0\n"));
	CHECK(tell("60") && says("60\t30\t0\n") && !tell("x") && !tell("1x 2 3"));
	CHECK(!mount("none", D, "tmpfs", 0, "size=400k") && mknod(D "/f", S_IFREG | 0600, 0) == 0);
	CHECK(!set(D "/f"));
	child(nothing, &status);
	CHECK(size_of(D "/f") == 64);
	fd = open(D "/much", O_WRONLY | O_CREAT, 0600);
	do
		write(fd, block, sizeof(block));
	while (!statvfs(D, &st) && st.f_bavail * 2 > st.f_blocks);
	child(nothing, &status);
	CHECK(size_of(D "/f") == 128); /* half: it goes on */
	do
		write(fd, block, sizeof(block));
	while (!statvfs(D, &st) && st.f_bavail * 4 > st.f_blocks);
	child(nothing, &status);
	CHECK(size_of(D "/f") == 128);
	CHECK(!ftruncate(fd, 200 << 10));
	child(nothing, &status);
	CHECK(size_of(D "/f") == 128); /* half is not enough to begin */
	CHECK(!ftruncate(fd, 0));
	child(nothing, &status);
	CHECK(size_of(D "/f") == 192);
	close(fd);
	CHECK(tell("4 2 30") && !set(NULL) && !umount(D));
}

int main(void)
{
	alarm(TAP_LIMIT);
	if (getuid()) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	mkdir(D, 0755);
	unlink(F);
	close(open(F, O_WRONLY | O_CREAT, 0600));
	REQUIRE(!set(F));
	records();
	errors();
	switching();
	room();
	return tap_done();
}
