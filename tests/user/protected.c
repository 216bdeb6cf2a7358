/*
 * proc(5), /proc/sys/fs/protected_*: what may be followed, linked to and opened in directories that
 * all may write to. Runs as root.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tap.h"

#define USER 1000
#define OTHER 1001
#define FS "/proc/sys/fs/"

static char dir[] = "/tmp/protected.XXXXXX";

/* Writes @value; what was there before, or -1. */
static int set(const char *path, int value)
{
	int fd = open(path, O_RDWR);
	char now[2] = { 0 }, v[2] = { (char)('0' + value), 0 };

	if (fd < 0 || read(fd, now, 1) != 1 || pwrite(fd, v, 1, 0) != 1)
		now[0] = '0' - 1;
	close(fd);
	return now[0] - '0';
}

/* What @fn says as the user @uid, alone in its group: 0 or errno. */
static int as(uid_t uid, int (*fn)(const char *name), const char *name)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(setgid(uid) || setuid(uid) ? 255 : fn(name) ? errno : 0);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	unlink("new"); /* of link_it */
	return WEXITSTATUS(status);
}

static int follow(const char *name)
{
	return open(name, O_RDONLY) < 0;
}

static int through(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/file", name);
	return open(path, O_RDONLY) < 0;
}

static int link_it(const char *name)
{
	return link(name, "new");
}

static int create(const char *name)
{
	return open(name, O_RDWR | O_CREAT | O_NONBLOCK, 0666) < 0;
}

static int just_open(const char *name)
{
	return open(name, O_RDWR | O_NONBLOCK) < 0;
}

static int is_own(const char *name, uid_t uid)
{
	return !lchown(name, uid, uid);
}

/* In a sticky directory that all may write to only the owner's links, or the directory's owner's. */
static void symlinks(void)
{
	int old = set(FS "protected_symlinks", 1);

	CHECK(old >= 0 && !symlink("file", "link") && is_own("link", USER));
	CHECK(!symlink(".", "up") && is_own("up", USER));
	CHECK(!symlink("file", "rootlink"));
	CHECK(as(USER, follow, "link") == 0 && as(OTHER, follow, "link") == EACCES);
	CHECK(as(0, follow, "link") == EACCES && as(OTHER, follow, "rootlink") == 0);
	CHECK(as(OTHER, through, "up") == 0); /* only at the end of a path */
	CHECK(!chmod(".", 0777) && as(OTHER, follow, "link") == 0 && !chmod(".", 01755));
	CHECK(as(OTHER, follow, "link") == 0 && !chmod(".", 01777));
	CHECK(set(FS "protected_symlinks", 0) == 1 && as(OTHER, follow, "link") == 0);
	CHECK(set(FS "protected_symlinks", old) == 0);
}

/* Who does not own a file links only to what he could write, and what gives no rights. */
static void hard_links(void)
{
	int old = set(FS "protected_hardlinks", 1);

	CHECK(old >= 0 && !chmod("file", 0644) && as(USER, link_it, "file") == 0);
	CHECK(as(OTHER, link_it, "file") == EPERM && as(0, link_it, "file") == 0);
	CHECK(!chmod("file", 0666) && as(OTHER, link_it, "file") == 0);
	CHECK(!chmod("file", 04666) && as(OTHER, link_it, "file") == EPERM);
	CHECK(!chmod("file", 02676) && as(OTHER, link_it, "file") == EPERM);
	CHECK(!chmod("file", 02666) && as(OTHER, link_it, "file") == 0);
	CHECK(as(OTHER, link_it, "fifo") == EPERM && as(USER, link_it, "fifo") == 0);
	CHECK(!chmod("file", 0644) && set(FS "protected_hardlinks", 0) == 1);
	CHECK(as(OTHER, link_it, "file") == 0);
	CHECK(set(FS "protected_hardlinks", old) == 0 && !chmod("file", 0666));
}

/* O_CREAT does not open what another put where one wanted to make a file. */
static void in_the_way(const char *setting, const char *name)
{
	int old = set(setting, 1);

	CHECK(old >= 0 && as(OTHER, create, name) == EACCES && as(OTHER, just_open, name) == 0);
	CHECK(as(USER, create, name) == 0 && as(0, create, name) == EACCES);
	CHECK(!chmod(".", 01775) && !chown(".", 0, OTHER) && as(OTHER, create, name) == 0);
	CHECK(set(setting, 2) == 1 && as(OTHER, create, name) == EACCES);
	CHECK(!chmod(".", 0777) && as(OTHER, create, name) == 0);
	CHECK(!chmod(".", 01777) && !chown(".", USER, 0) && as(OTHER, create, name) == 0);
	CHECK(!chown(".", 0, 0) && set(setting, 0) == 2 && as(OTHER, create, name) == 0);
	set(setting, old);
}

int main(void)
{
	int fd;

	if (getuid()) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	umask(0);
	REQUIRE(mkdtemp(dir) && !chdir(dir) && !chmod(".", 01777));
	fd = open("file", O_WRONLY | O_CREAT, 0666);
	REQUIRE(fd >= 0 && !mkfifo("fifo", 0666) && is_own("file", USER) && is_own("fifo", USER));
	close(fd);
	symlinks();
	hard_links();
	in_the_way(FS "protected_regular", "file");
	in_the_way(FS "protected_fifos", "fifo");
	unlink("link"), unlink("up"), unlink("rootlink"), unlink("file"), unlink("fifo");
	CHECK(!chdir("/") && !rmdir(dir));
	return tap_done();
}
