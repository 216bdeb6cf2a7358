/*
 * inotify(7): each event, in the order and with the names that Linux gives; watches, their flags
 * and their end; the queue. Works in a directory of its own under the current one.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include "event_text.h"
#include "tap.h"

#ifndef IN_MASK_CREATE
#define IN_MASK_CREATE 0x10000000
#endif

static int ifd;

static const char *bit_name(unsigned bit)
{
	static const char *const names[32] = {
		"ACCESS", "MODIFY",  "ATTRIB",	 "CLOSE_WRITE", "CLOSE",       "OPEN",
		"FROM",	  "TO",	     "CREATE",	 "DELETE",	"DELETE_SELF", "MOVE_SELF",
		NULL,	  "UNMOUNT", "OVERFLOW", "IGNORED",	[30] = "DIR"
	};

	return names[bit] ? names[bit] : "?";
}

/* All events that wait, as "wd:MASK|MASK=name " each; cookies of a pair as +1, +2... */
static const char *events(void)
{
	static char out[8192];
	char buf[8192] __attribute__((aligned(8)));
	unsigned cookies[64], ncookies = 0;
	ssize_t n = read(ifd, buf, sizeof(buf));
	size_t len = 0;

	out[0] = '\0';
	for (char *p = buf; n > 0 && p < buf + n;) {
		struct inotify_event *e = (void *)p;
		const char *sep = "";
		unsigned k;

		len += (size_t)sprintf(out + len, "%s%d:", len ? " " : "", e->wd);
		for (unsigned b = 0; b < 32; b++) {
			if (e->mask & (1u << b)) {
				len += (size_t)sprintf(out + len, "%s%s", sep, bit_name(b));
				sep = "|";
			}
		}
		if (e->len)
			len += (size_t)sprintf(out + len, "=%s", e->name);
		if (e->cookie) {
			for (k = 0; k < ncookies && cookies[k] != e->cookie; k++)
				;
			if (k == ncookies)
				cookies[ncookies++] = e->cookie;
			len += (size_t)sprintf(out + len, "+%u", k + 1);
		}
		p += sizeof(*e) + e->len;
	}
	return out;
}

static void test_arguments(void)
{
	char buf[64];
	int fd = inotify_init1(IN_CLOEXEC), p[2];
	struct pollfd pf;

	REQUIRE(fd >= 0 && !pipe(p));
	pf = (struct pollfd){ fd, POLLIN | POLLOUT, 0 };
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && fcntl(ifd, F_GETFL) == O_NONBLOCK);
	CHECK_ERR(inotify_init1(1), EINVAL);
	CHECK_ERR(inotify_add_watch(fd, ".", 0), EINVAL);
	CHECK_ERR(inotify_add_watch(fd, ".", 0x00100000), EINVAL);
	CHECK_ERR(inotify_add_watch(99, ".", IN_OPEN), EBADF);
	CHECK_ERR(inotify_add_watch(99, ".", 0), EINVAL);
	CHECK_ERR(inotify_add_watch(p[0], ".", IN_OPEN), EINVAL);
	CHECK_ERR(inotify_add_watch(fd, "none", IN_OPEN), ENOENT);
	CHECK_ERR(inotify_add_watch(fd, NULL, IN_OPEN), EFAULT);
	CHECK_ERR(inotify_add_watch(fd, "", IN_OPEN), ENOENT);
	CHECK_ERR(inotify_add_watch(fd, ".", IN_MASK_ADD | IN_MASK_CREATE | IN_OPEN), EINVAL);
	CHECK_ERR(inotify_add_watch(fd, "/proc/self/exe", IN_ONLYDIR | IN_OPEN), ENOTDIR);
	CHECK_ERR(inotify_rm_watch(fd, 1), EINVAL);
	CHECK_ERR(inotify_rm_watch(99, 1), EBADF);
	CHECK_ERR(inotify_rm_watch(p[0], 1), EINVAL);
	CHECK_ERR(read(ifd, buf, sizeof(buf)), EAGAIN);
	CHECK_ERR(write(ifd, buf, sizeof(buf)), EBADF);
	CHECK_ERR(pread(ifd, buf, sizeof(buf), 0), ESPIPE);
	CHECK(lseek(ifd, 5, SEEK_SET) == 0);
	CHECK(poll(&pf, 1, 0) == 0);
	/* Numbers count up, are not used again, and adding again gives the same. */
	CHECK(inotify_add_watch(fd, ".", IN_OPEN) == 1);
	CHECK(inotify_add_watch(fd, "..", IN_OPEN) == 2);
	CHECK(inotify_add_watch(fd, ".", IN_ATTRIB) == 1);
	CHECK(!inotify_rm_watch(fd, 2));
	CHECK(inotify_add_watch(fd, "..", IN_OPEN) == 3);
	CHECK(poll(&pf, 1, 0) == 1 && pf.revents == POLLIN);
	CHECK_ERR(inotify_add_watch(fd, ".", IN_MASK_CREATE | IN_OPEN), EEXIST);
	close(fd), close(p[0]), close(p[1]);
}

static void test_file_events(void)
{
	int fd, wd, out[2];
	char c[16];
	off_t off = 0;

	wd = inotify_add_watch(ifd, ".", IN_ALL_EVENTS);
	CHECK(wd == 1);
	put("a", "text");
	EXPECT("1:CREATE=a 1:OPEN=a 1:MODIFY=a 1:CLOSE_WRITE=a");
	fd = open("a", O_RDONLY);
	EXPECT("1:OPEN=a");
	CHECK(read(fd, c, 2) == 2 && read(fd, c, 2) == 2);
	EXPECT("1:ACCESS=a");
	CHECK(read(fd, c, 2) == 0);
	EXPECT("");
	CHECK(pread(fd, c, 1, 0) == 1);
	EXPECT("1:ACCESS=a");
	CHECK(!fchmod(fd, 0600));
	EXPECT("1:ATTRIB=a");
	CHECK(!pipe(out) && sendfile(out[1], fd, &off, 2) == 2);
	EXPECT("1:ACCESS=a");
	close(fd);
	EXPECT("1:CLOSE=a");
	/* A duplicate is no other open file. */
	fd = open("a", O_RDWR);
	close(dup(fd));
	EXPECT("1:OPEN=a");
	close(fd);
	EXPECT("1:CLOSE_WRITE=a");
	CHECK(!truncate("a", 1));
	EXPECT("1:MODIFY=a");
	CHECK(!chmod("a", 0644));
	EXPECT("1:ATTRIB=a");
	CHECK(!chown("a", 0, 0));
	EXPECT("1:ATTRIB=a");
	CHECK(!utimensat(AT_FDCWD, "a", NULL, 0));
	EXPECT("1:ATTRIB=a");
	CHECK(!utimensat(AT_FDCWD, "a", (struct timespec[2]){ { 1, 0 }, { 0, UTIME_OMIT } }, 0));
	EXPECT("1:ACCESS=a");
	CHECK(!utimensat(AT_FDCWD, "a", (struct timespec[2]){ { 0, UTIME_OMIT }, { 1, 0 } }, 0));
	EXPECT("1:MODIFY=a");
	CHECK(!setxattr("a", "trusted.x", "1", 1, 0));
	EXPECT("1:ATTRIB=a");
	CHECK(!removexattr("a", "trusted.x"));
	EXPECT("1:ATTRIB=a");
	fd = open("a", O_WRONLY | O_TRUNC);
	EXPECT("1:MODIFY=a 1:OPEN=a");
	CHECK(!fallocate(fd, 0, 0, 100));
	EXPECT("1:MODIFY=a");
	CHECK(!ftruncate(fd, 5));
	EXPECT("1:MODIFY=a");
	close(fd);
	EXPECT("1:CLOSE_WRITE=a");
	CHECK(!access("a", R_OK) && !stat("a", &(struct stat){ 0 }));
	EXPECT("");
	close(out[0]), close(out[1]);
}

static void test_names(void)
{
	DIR *d;

	CHECK(!link("a", "b"));
	EXPECT("1:CREATE=b");
	CHECK(!unlink("b"));
	EXPECT("1:DELETE=b");
	CHECK(!mkdir("d", 0755));
	EXPECT("1:CREATE|DIR=d");
	CHECK(!symlink("a", "s") && !mkfifo("f", 0600));
	EXPECT("1:CREATE=s 1:CREATE=f");
	CHECK(!rename("a", "A"));
	EXPECT("1:FROM=a+1 1:TO=A+1");
	CHECK(!rename("A", "d/a"));
	EXPECT("1:FROM=A+1");
	CHECK(!rename("d/a", "a"));
	EXPECT("1:TO=a+1");
	CHECK(!rename("d", "e"));
	EXPECT("1:FROM|DIR=d+1 1:TO|DIR=e+1");
	CHECK(!syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "e", 2 /* RENAME_EXCHANGE */));
	EXPECT("1:FROM=a+1 1:TO=e+1 1:FROM|DIR=e+2 1:TO|DIR=a+2");
	CHECK(!rename("a", "d") && !rename("e", "a"));
	events();
	d = opendir("d");
	EXPECT("1:OPEN|DIR=d");
	while (readdir(d))
		;
	EXPECT("1:ACCESS|DIR=d");
	closedir(d);
	EXPECT("1:CLOSE|DIR=d");
	CHECK(!rmdir("d"));
	EXPECT("1:DELETE|DIR=d");
	d = opendir(".");
	EXPECT("1:OPEN|DIR");
	closedir(d);
	EXPECT("1:CLOSE|DIR");
	CHECK(!unlink("s") && !unlink("f"));
	EXPECT("1:DELETE=s 1:DELETE=f");
	CHECK_ERR(unlink("s"), ENOENT);
	CHECK_ERR(mkdir("a", 0700), EEXIST);
	EXPECT("");
	CHECK(!inotify_rm_watch(ifd, 1));
	EXPECT("1:IGNORED");
}

/* The file's own watch, beside that of its directory. */
static void test_self(void)
{
	int fd;

	CHECK(inotify_add_watch(ifd, ".", IN_ALL_EVENTS) == 2);
	CHECK(inotify_add_watch(ifd, "a", IN_ALL_EVENTS) == 3);
	put("a", "x");
	EXPECT("2:MODIFY=a 3:MODIFY 2:OPEN=a 3:OPEN 2:MODIFY=a 3:MODIFY 2:CLOSE_WRITE=a 3:CLOSE_WRITE");
	CHECK(!rename("a", "b"));
	EXPECT("2:FROM=a+1 2:TO=b+1 3:MOVE_SELF");
	CHECK(!link("b", "c"));
	EXPECT("3:ATTRIB 2:CREATE=c");
	CHECK(!unlink("c"));
	EXPECT("3:ATTRIB 2:DELETE=c");
	CHECK(!unlink("b"));
	EXPECT("3:ATTRIB 3:DELETE_SELF 3:IGNORED 2:DELETE=b");
	CHECK_ERR(inotify_rm_watch(ifd, 3), EINVAL);
	/* An open file is not gone before it is closed. */
	put("a", "");
	CHECK(inotify_add_watch(ifd, "a", IN_ALL_EVENTS) == 4);
	events();
	fd = open("a", O_RDWR);
	CHECK(!unlink("a"));
	EXPECT("2:OPEN=a 4:OPEN 4:ATTRIB 2:DELETE=a");
	CHECK(write(fd, "x", 1) == 1);
	EXPECT("2:MODIFY=a 4:MODIFY");
	close(fd);
	EXPECT("2:CLOSE_WRITE=a 4:CLOSE_WRITE 4:DELETE_SELF 4:IGNORED");
	/* What a rename replaces is gone too. */
	put("a", ""), put("b", "");
	CHECK(inotify_add_watch(ifd, "b", IN_ALL_EVENTS) == 5);
	events();
	CHECK(!rename("a", "b"));
	EXPECT("2:FROM=a+1 2:TO=b+1 5:ATTRIB 5:DELETE_SELF 5:IGNORED");
	/* A directory. */
	mkdir("d", 0755);
	CHECK(inotify_add_watch(ifd, "d", IN_ALL_EVENTS) == 6);
	events();
	CHECK(!chmod("d", 0700));
	EXPECT("2:ATTRIB|DIR=d 6:ATTRIB|DIR");
	CHECK(!rename("d", "e"));
	EXPECT("2:FROM|DIR=d+1 2:TO|DIR=e+1 6:MOVE_SELF");
	CHECK(!rmdir("e"));
	EXPECT("6:DELETE_SELF 6:IGNORED 2:DELETE|DIR=e");
	CHECK(!unlink("b") && !inotify_rm_watch(ifd, 2));
	events();
}

static void test_flags(void)
{
	int fd;

	put("a", "x");
	symlink("a", "s");
	CHECK(inotify_add_watch(ifd, "s", IN_OPEN | IN_DONT_FOLLOW) == 7);
	CHECK(inotify_add_watch(ifd, "s", IN_OPEN) == 8);
	close(open("s", O_RDONLY));
	EXPECT("8:OPEN");
	/* A second mask replaces the first, or adds to it. */
	CHECK(inotify_add_watch(ifd, "a", IN_MASK_ADD | IN_CLOSE) == 8);
	close(open("a", O_RDONLY));
	EXPECT("8:OPEN 8:CLOSE");
	CHECK(inotify_add_watch(ifd, "a", IN_CLOSE_WRITE) == 8);
	close(open("a", O_RDONLY));
	EXPECT("");
	CHECK(inotify_add_watch(ifd, "a", IN_OPEN | IN_CLOSE | IN_ONESHOT) == 8);
	close(open("a", O_RDONLY));
	EXPECT("8:OPEN 8:IGNORED");
	CHECK(!unlink("s"));
	EXPECT("7:IGNORED");
	/* Events of a file that has no name any more. */
	CHECK(inotify_add_watch(ifd, ".", IN_MODIFY | IN_EXCL_UNLINK) == 9);
	fd = open("a", O_RDWR);
	CHECK(write(fd, "x", 1) == 1);
	EXPECT("9:MODIFY=a");
	unlink("a");
	CHECK(write(fd, "x", 1) == 1);
	EXPECT("");
	CHECK(inotify_add_watch(ifd, ".", IN_MODIFY) == 9);
	CHECK(write(fd, "x", 1) == 1);
	EXPECT("9:MODIFY=a");
	close(fd);
	inotify_rm_watch(ifd, 9);
	events();
}

static void test_other_opens(void)
{
	int fd, wd = inotify_add_watch(ifd, ".", IN_ALL_EVENTS);
	char want[128];
	struct stat st;

	CHECK(wd == 10);
	put("a", "x");
	events();
	fd = open("a", O_PATH);
	CHECK(fd >= 0);
	close(fd);
	EXPECT("");
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	REQUIRE(fd >= 0 && !fstat(fd, &st));
	sprintf(want, "10:OPEN=#%ld", (long)st.st_ino);
	EXPECT(want);
	snprintf(want, sizeof(want), "/proc/self/fd/%d", fd);
	CHECK(!linkat(AT_FDCWD, want, AT_FDCWD, "t", AT_SYMLINK_FOLLOW));
	EXPECT("10:CREATE=t");
	close(fd);
	sprintf(want, "10:CLOSE_WRITE=#%ld", (long)st.st_ino);
	EXPECT(want);
	unlink("t");
	events();
	/* A program that runs is opened and read. */
	unlink("a");
	fd = open("prog", O_CREAT | O_WRONLY, 0755);
	CHECK(write(fd, "#!/nonexistent\n", 15) == 15 && !close(fd));
	events();
	if (!fork()) {
		execl("./prog", "prog", NULL);
		_exit(0);
	}
	wait(NULL);
	EXPECT("10:OPEN=prog 10:ACCESS=prog 10:CLOSE=prog");
	unlink("prog");
	inotify_rm_watch(ifd, 10);
	events();
}

/* Copies within the kernel: what was written to is told of before and after what was read. */
static void test_copies(void)
{
	int usual = ifd, p[2], from = open("from", O_CREAT | O_RDWR, 0600);
	int to = open("to", O_CREAT | O_RDWR, 0600);
	loff_t a = 0, b = 0;
	off_t o = 0;

	REQUIRE(write(from, "0123456789", 10) == 10 && !pipe(p));
	ifd = inotify_init1(IN_NONBLOCK);
	CHECK(inotify_add_watch(ifd, "from", IN_ALL_EVENTS) == 1);
	CHECK(inotify_add_watch(ifd, "to", IN_ALL_EVENTS) == 2);
	CHECK(copy_file_range(from, &a, to, &b, 10, 0) == 10);
	EXPECT("2:MODIFY 1:ACCESS 2:MODIFY");
	CHECK(sendfile(to, from, &o, 10) == 10);
	EXPECT("2:MODIFY 1:ACCESS 2:MODIFY");
	o = 0;
	CHECK(sendfile(p[1], from, &o, 5) == 5);
	EXPECT("1:ACCESS");
	a = 0;
	CHECK(splice(from, &a, p[1], NULL, 5, 0) == 5);
	EXPECT("");
	CHECK(splice(p[0], NULL, to, NULL, 5, 0) == 5);
	EXPECT("2:MODIFY");
	close(p[0]), close(p[1]), close(from), close(to), close(ifd);
	unlink("from"), unlink("to");
	ifd = usual;
}

static void test_queue(void)
{
	char buf[sizeof(struct inotify_event) + 16] __attribute__((aligned(8)));
	struct inotify_event *e = (void *)buf;
	int n = -1, fd = inotify_init1(IN_NONBLOCK), wd;

	put("a", "");
	wd = inotify_add_watch(fd, ".", IN_ATTRIB);
	for (int i = 0; i < 3; i++)
		chmod("a", 0600);
	CHECK(!ioctl(fd, FIONREAD, &n) && n == 32);
	CHECK_ERR(read(fd, buf, 31), EINVAL);
	CHECK_ERR(read(fd, buf, 0), EINVAL);
	CHECK(read(fd, buf, 32) == 32 && e->len == 16 && !strcmp(e->name, "a") && e->wd == wd);
	for (int i = 0; i < 16; i++)
		CHECK(i == 0 || !e->name[i]);
	CHECK_ERR(read(fd, buf, 0), EAGAIN);
	/* A repetition counts only next to the first. */
	put("b", "");
	chmod("a", 0600), chmod("b", 0600), chmod("a", 0600), chmod("a", 0600);
	CHECK(!ioctl(fd, FIONREAD, &n) && n == 96);
	CHECK_ERR(ioctl(fd, 0x5421 + 0x100, &n), ENOTTY);
	close(fd);
	unlink("a"), unlink("b");
}

static void test_overflow(void)
{
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r+");
	struct inotify_event e[16];
	char name[8];
	int fd, was = 0, n = 0;

	CHECK(f && fscanf(f, "%d", &was) == 1 && was == 16384);
	rewind(f);
	CHECK(fprintf(f, "3\n") == 2 && !fflush(f));
	fd = inotify_init1(IN_NONBLOCK);
	inotify_add_watch(fd, ".", IN_CREATE);
	for (int i = 0; i < 6; i++) {
		sprintf(name, "o%d", i);
		put(name, "");
		unlink(name);
	}
	CHECK(!ioctl(fd, FIONREAD, &n) && n == 3 * 32 + 16);
	CHECK(read(fd, e, sizeof(e)) == n);
	CHECK(e[6].wd == -1 && e[6].mask == IN_Q_OVERFLOW && !e[6].cookie && !e[6].len);
	CHECK_ERR(read(fd, e, sizeof(e)), EAGAIN);
	put("p", "");
	CHECK(read(fd, e, sizeof(e)) == 32 && e[0].mask == IN_CREATE);
	unlink("p");
	close(fd);
	rewind(f);
	fprintf(f, "%d\n", was);
	fclose(f);
}

static int set_limit(const char *name, int value)
{
	char path[64];
	FILE *f;
	int was = -1;

	sprintf(path, "/proc/sys/fs/inotify/%s", name);
	f = fopen(path, "r+");
	if (!f || fscanf(f, "%d", &was) != 1)
		return -1;
	rewind(f);
	fprintf(f, "%d\n", value);
	fclose(f);
	return was;
}

static void test_limits(void)
{
	int was = set_limit("max_user_instances", 0), fd, watches;

	CHECK(was == 128);
	CHECK_ERR(inotify_init1(0), EMFILE);
	set_limit("max_user_instances", was);
	fd = inotify_init1(0);
	watches = set_limit("max_user_watches", 2);
	CHECK(watches >= 8192);
	CHECK(inotify_add_watch(fd, ".", IN_OPEN) == 1 &&
	      inotify_add_watch(fd, "..", IN_OPEN) == 2);
	CHECK_ERR(inotify_add_watch(fd, "/dev", IN_OPEN), ENOSPC);
	CHECK(inotify_add_watch(fd, ".", IN_CLOSE) == 1);
	CHECK(!inotify_rm_watch(fd, 2) && inotify_add_watch(fd, "/dev", IN_OPEN) > 2);
	close(fd);
	set_limit("max_user_watches", watches);
}

static void test_unmount(void)
{
	int a, b;

	mkdir("m", 0755);
	REQUIRE(!mount("none", "m", "tmpfs", 0, ""));
	put("m/f", "x");
	a = inotify_add_watch(ifd, "m/f", IN_OPEN);
	CHECK(!umount("m"));
	CHECK(a == 11);
	EXPECT("11:UNMOUNT 11:IGNORED");
	/* The mount point itself is not what was mounted there. */
	b = inotify_add_watch(ifd, "m", IN_DELETE_SELF);
	REQUIRE(!mount("none", "m", "tmpfs", 0, ""));
	CHECK(inotify_add_watch(ifd, "m", IN_OPEN) == b + 1);
	CHECK(!umount2("m", MNT_DETACH));
	EXPECT("13:UNMOUNT|DIR 13:IGNORED");
	CHECK(!rmdir("m"));
	EXPECT("12:DELETE_SELF 12:IGNORED");
}

static void on_alarm(int sig)
{
}

static void *create_later(void *arg)
{
	EVENTUALLY(is_asleep(getpid()));
	put("late", "");
	return NULL;
}

static void test_waiting(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	/* Again and again: the first may come before the read. */
	struct itimerval soon = { { 0, 100000 }, { 0, 100000 } }, off = { 0 };
	struct inotify_event e[4];
	int fd = inotify_init1(0);
	struct pollfd p = { fd, POLLIN, 0 };
	pthread_t th;

	inotify_add_watch(fd, ".", IN_CREATE | IN_DELETE);
	pthread_create(&th, NULL, create_later, NULL);
	CHECK(read(fd, e, sizeof(e)) == 32 && e[0].mask == IN_CREATE);
	pthread_join(th, NULL);
	unlink("late");
	read(fd, e, sizeof(e));
	pthread_create(&th, NULL, create_later, NULL);
	CHECK(poll(&p, 1, TAP_PATIENCE_MS) == 1 && p.revents == POLLIN);
	pthread_join(th, NULL);
	read(fd, e, sizeof(e));
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	CHECK_ERR(read(fd, e, sizeof(e)), EINTR);
	setitimer(ITIMER_REAL, &off, NULL);
	unlink("late");
	close(fd);
}

static void test_fdinfo(void)
{
	char path[64], text[512] = "", want[128];
	struct stat st;
	int fd = inotify_init(), info;

	CHECK(inotify_add_watch(fd, ".", IN_OPEN | IN_ONESHOT) == 1 && !stat(".", &st));
	sprintf(path, "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY);
	CHECK(read(info, text, sizeof(text) - 1) > 0);
	sprintf(want, "inotify wd:1 ino:%lx sdev:", (long)st.st_ino);
	CHECK(strstr(text, want) && strstr(text, " mask:80000020 ignored_mask:0 "));
	close(info), close(fd);
	sprintf(path, "/proc/self/fd/%d", (fd = inotify_init()));
	text[readlink(path, text, sizeof(text) - 1)] = '\0';
	CHECK(!strcmp(text, "anon_inode:inotify"));
	close(fd);
}

/* Permission: reading the watched thing. */
static void test_permission(void)
{
	int status;

	put("secret", "x");
	chmod("secret", 0200);
	if (!fork()) {
		setresuid(1000, 1000, 1000);
		_exit(!(inotify_add_watch(ifd, "secret", IN_OPEN) == -1 && errno == EACCES));
	}
	CHECK(wait(&status) > 0 && !status);
	unlink("secret");
}

int main(void)
{
	char dir[] = "inotify.XXXXXX";

	REQUIRE(mkdtemp(dir) && !chdir(dir));
	chmod(".", 0777);
	ifd = inotify_init1(IN_NONBLOCK);
	test_arguments();
	test_file_events();
	test_names();
	test_self();
	test_flags();
	test_other_opens();
	test_copies();
	test_queue();
	test_overflow();
	test_limits();
	test_unmount();
	test_waiting();
	test_fdinfo();
	test_permission();
	CHECK(!chdir("..") && !rmdir(dir));
	return tap_done();
}
