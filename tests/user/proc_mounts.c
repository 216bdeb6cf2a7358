/*
 * Mounts of proc: each is its own file system with its own options (proc(5), "Mount options"), and
 * other things can be mounted in it, also on what belongs to a process and goes with it. And the
 * tables of mounts tell who polls them of changes.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <linux/mount.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "listing.h"
#include "tap.h"

int mount(const char *, const char *, const char *, unsigned long, const void *);
int umount(const char *);
int umount2(const char *, int);
#define MNT_DETACH 2
#define fsopen(name, flags) (int)syscall(430, name, flags)
#define fsconfig(fd, cmd, key, value, aux) (int)syscall(431, fd, cmd, key, value, aux)
#define fsmount(fd, flags, attr) (int)syscall(432, fd, flags, attr)
#define fspick(dfd, path, flags) (int)syscall(433, dfd, path, flags)
#define move_mount(fd, from, td, to, flags) (int)syscall(429, fd, from, td, to, flags)

/* The options of what is mounted last on @where as /proc/mounts has them; "": nothing is. */
static const char *options_of(const char *where)
{
	static char found[256];
	char dev[64], at[256], type[64], opts[256], line[1024];
	FILE *f = fopen("/proc/self/mounts", "r");

	found[0] = 0;
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %255s %63s %255s", dev, at, type, opts) == 4 &&
		    !strcmp(at, where))
			strcpy(found, opts);
	if (f)
		fclose(f);
	return found;
}

static int has(const char *where, const char *option)
{
	char all[300], want[64];

	snprintf(all, sizeof(all), ",%s,", options_of(where));
	snprintf(want, sizeof(want), ",%s,", option);
	return strstr(all, want) != NULL;
}

static char here[200];

static const char *at(const char *name)
{
	static char path[4][256];
	static int turn;

	turn = (turn + 1) % 4;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", here, name);
	return path[turn];
}

static void test_options(void)
{
	struct stat a, b, root;
	int fs, m;

	CHECK(!mkdir("p", 0755) && !mkdir("q", 0755));
	CHECK(!mount("proc", "p", "proc", 0, NULL));
	CHECK(!mount("proc", "q", "proc", 0, "hidepid=2,gid=77"));
	CHECK(!stat("/proc", &root) && !stat("p", &a) && !stat("q", &b));
	CHECK(root.st_dev != a.st_dev && a.st_dev != b.st_dev && root.st_dev != b.st_dev);
	CHECK(!stat("p/self/status", &a) && !stat("q/self/status", &b) && a.st_dev != b.st_dev);
	CHECK(has(at("q"), "hidepid=invisible") && has(at("q"), "gid=77"));
	CHECK(!strstr(options_of(at("p")), "hidepid") && !strstr(options_of(at("p")), "gid="));
	/* What is not named stays. */
	CHECK(!mount("proc", "q", NULL, MS_REMOUNT, "hidepid=noaccess"));
	CHECK(has(at("q"), "hidepid=noaccess") && has(at("q"), "gid=77"));
	CHECK(!mount("proc", "q", NULL, MS_REMOUNT, "hidepid=4,gid=0x0"));
	CHECK(has(at("q"), "hidepid=ptraceable") && !strstr(options_of(at("q")), "gid="));
	CHECK(!mount("proc", "q", NULL, MS_REMOUNT, "hidepid=off"));
	CHECK(!strstr(options_of(at("q")), "hidepid"));
	CHECK_ERR(mount("proc", "q", NULL, MS_REMOUNT, "hidepid=3"), EINVAL);
	CHECK_ERR(mount("proc", "q", NULL, MS_REMOUNT, "hidepid=5"), EINVAL);
	CHECK_ERR(mount("proc", "q", NULL, MS_REMOUNT, "hidepid=none"), EINVAL);
	CHECK_ERR(mount("proc", "q", NULL, MS_REMOUNT, "hidepid="), EINVAL);
	CHECK_ERR(mount("proc", "q", NULL, MS_REMOUNT, "hidepid"), EINVAL);
	CHECK_ERR(mount("proc", "q", NULL, MS_REMOUNT, "gid=x"), EINVAL);
	CHECK_ERR(mount("proc", "q", NULL, MS_REMOUNT, "gid=4294967296"), EINVAL);
	CHECK_ERR(mount("proc", "q", NULL, MS_REMOUNT, "subset=pids"), EINVAL);
	CHECK_ERR(mount("proc", "q", NULL, MS_REMOUNT, "subset"), EINVAL);
	CHECK(!umount("q"));
	fs = fsopen("proc", 0);
	CHECK(fs >= 0);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_STRING, "hidepid", "9", 0), EINVAL);
	CHECK_ERR(fsconfig(fs, FSCONFIG_SET_FLAG, "gid", NULL, 0), EINVAL);
	CHECK(!fsconfig(fs, FSCONFIG_SET_STRING, "hidepid", "invisible", 0));
	CHECK(!fsconfig(fs, FSCONFIG_SET_STRING, "subset", "pid", 0));
	CHECK(!fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	m = fsmount(fs, 0, 0);
	CHECK(m >= 0 && !move_mount(m, "", AT_FDCWD, "q", MOVE_MOUNT_F_EMPTY_PATH));
	close(m);
	close(fs);
	CHECK(has(at("q"), "hidepid=invisible") && has(at("q"), "subset=pid"));
	fs = fspick(AT_FDCWD, "q", 0);
	CHECK(fs >= 0 && !fsconfig(fs, FSCONFIG_SET_STRING, "hidepid", "0", 0) &&
	      !fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
	close(fs);
	CHECK(!has(at("q"), "hidepid=invisible") && has(at("q"), "subset=pid"));
	CHECK(!umount("q"));
}

static void test_subset(void)
{
	char self[16];
	int fd;

	CHECK(!mount("proc", "q", "proc", 0, "subset=pid"));
	snprintf(self, sizeof(self), "%d", getpid());
	CHECK(lists("q", self) && lists("q", "self") && lists("q", "thread-self"));
	CHECK(!lists("q", "meminfo") && !lists("q", "sys") && !lists("q", "mounts"));
	CHECK(lists("p", "meminfo") && lists("p", "sys"));
	CHECK(!access("q/self/status", R_OK) && !access("q/thread-self/stat", R_OK));
	CHECK_ERR(open("q/meminfo", O_RDONLY), ENOENT);
	CHECK_ERR(open("q/sys/kernel/hostname", O_RDONLY), ENOENT);
	CHECK_ERR(open("q/mounts", O_RDONLY), ENOENT);
	fd = open("q/self/mounts", O_RDONLY);
	CHECK(fd >= 0);
	close(fd);
	CHECK(!umount("q"));
}

/* As user 1000 in the groups @gid and nothing else, look at @pid in q by the rules of @hide. */
struct view {
	int hide, pid, member;
};

static int as_user(int member)
{
	gid_t g = 77;

	return setgroups(member, &g) || setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000);
}

static int look(void *arg)
{
	struct view *v = arg;
	char dir[32], path[48], own[32], name[16];
	struct stat st;
	int hidden = v->hide == 4 || (v->hide && !v->member);
	int listed = v->hide < 2 || (v->hide == 2 && v->member);

	if (as_user(v->member))
		return 1;
	/* Its own can be seen in any case, and all must be able to look again at a dumpable one. */
	prctl(PR_SET_DUMPABLE, 1);
	snprintf(own, sizeof(own), "q/%d/status", getpid());
	snprintf(name, sizeof(name), "%d", v->pid);
	snprintf(dir, sizeof(dir), "q/%d", v->pid);
	snprintf(path, sizeof(path), "q/%d/status", v->pid);
	if (access(own, R_OK) || access("q/self/status", R_OK) || lists("q", name) != listed)
		return 2;
	errno = 0;
	if (stat(dir, &st) != (listed ? 0 : -1) || (!listed && errno != ENOENT))
		return 3;
	errno = 0;
	if (!hidden)
		return access(path, R_OK) || open(dir, O_RDONLY) < 0 ? 4 : 0;
	if (open(path, O_RDONLY) >= 0 || errno != (v->hide == 1 ? EPERM : ENOENT))
		return 5;
	if (open(dir, O_RDONLY | O_DIRECTORY) >= 0 || errno != (v->hide == 1 ? EPERM : ENOENT))
		return 6;
	return 0;
}

static void test_hide(void)
{
	static const char *const opts[] = { "hidepid=0,gid=77", "hidepid=1,gid=77",
					    "hidepid=2,gid=77", "", "hidepid=4,gid=77" };
	int status;

	for (int hide = 0; hide <= 4; hide++) {
		if (hide == 3)
			continue;
		CHECK(!mount("proc", "q", "proc", 0, opts[hide]));
		for (int member = 0; member <= 1; member++) {
			struct view v = { hide, getpid(), member };
			pid_t pid = fork();

			if (!pid)
				_exit(look(&v));
			CHECK(waitpid(pid, &status, 0) == pid);
			if (status)
				printf("# hidepid=%d member %d: %d\n", hide, member, status >> 8);
			CHECK(status == 0);
		}
		CHECK(!umount("q"));
	}
}

static int is_tmpfs(const char *path)
{
	struct stat a, b;

	return !stat(path, &a) && !stat("t", &b) && a.st_dev == b.st_dev;
}

/* On directories and files of a living process: all see it, and it goes by umount. */
static void test_over(void)
{
	struct stat st, f;
	char path[64];
	int dir = open("/proc/self", O_RDONLY | O_DIRECTORY), fd;

	CHECK(!mkdir("t", 0755) && !mount("none", "t", "tmpfs", 0, NULL));
	fd = open("t/file", O_CREAT | O_WRONLY, 0644);
	CHECK(fd >= 0 && write(fd, "hello", 5) == 5);
	CHECK(!mount("t", "/proc/self/fdinfo", NULL, MS_BIND, NULL));
	CHECK(is_tmpfs("/proc/self/fdinfo") && !access("/proc/self/fdinfo/file", F_OK));
	snprintf(path, sizeof(path), "/proc/%d/fdinfo", getpid());
	CHECK(has(path, "rw"));
	/* Also from a directory that was open before. */
	CHECK(!fstatat(dir, "fdinfo/file", &st, 0) && st.st_size == 5);
	CHECK_ERR(umount("/proc/self"), EINVAL);
	CHECK(!umount("/proc/self/fdinfo") && !is_tmpfs("/proc/self/fdinfo"));
	CHECK(!has(path, "rw"));
	/* The directory itself. */
	snprintf(path, sizeof(path), "/proc/%d", getpid());
	CHECK(!mount("t", path, NULL, MS_BIND, NULL));
	CHECK(!access("/proc/self/file", F_OK) && access("/proc/self/status", F_OK));
	CHECK(!umount2(path, MNT_DETACH) && !access("/proc/self/status", F_OK));
	/* A file on a file, a fixed one too. */
	CHECK(!mount("t/file", "/proc/self/status", NULL, MS_BIND, NULL));
	CHECK(!stat("/proc/self/status", &st) && !fstat(fd, &f) && st.st_ino == f.st_ino);
	CHECK_ERR(mount("t", "/proc/self/stat", NULL, MS_BIND, NULL), ENOTDIR);
	CHECK(!umount("/proc/self/status"));
	CHECK(!mount("t/file", "/proc/sys/kernel/hostname", NULL, MS_BIND, NULL));
	CHECK(!stat("/proc/sys/kernel/hostname", &st) && st.st_ino == f.st_ino);
	CHECK(!umount("/proc/sys/kernel/hostname"));
	CHECK(!mount("t", "/proc/sys/kernel", NULL, MS_BIND, NULL));
	CHECK(!access("/proc/sys/kernel/file", F_OK) && !umount("/proc/sys/kernel"));
	/* A link of fd leads to what is open. */
	CHECK(!mkdir("d", 0755));
	close(dir);
	dir = open("d", O_RDONLY | O_DIRECTORY);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dir);
	CHECK(!mount("t", path, NULL, MS_BIND, NULL) && is_tmpfs("d") && !umount("d"));
	close(dir);
	close(fd);
}

/* What hangs on a process goes with it. */
static void test_end(void)
{
	int to[2], status;
	char path[64], other[64], c;
	pid_t pid;

	REQUIRE(!pipe(to));
	pid = fork();
	if (!pid) {
		close(to[1]);
		_exit(read(to[0], &c, 1) == 0 ? 0 : 1);
	}
	close(to[0]);
	snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
	snprintf(other, sizeof(other), "/proc/%d/status", pid);
	CHECK(!mount("t", path, NULL, MS_BIND, NULL) && is_tmpfs(path));
	CHECK(!mount("t/file", other, NULL, MS_BIND, NULL));
	CHECK(!mount("none", path, "tmpfs", 0, NULL) && has(path, "rw"));
	close(to[1]);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(!has(path, "rw") && !has(other, "rw"));
	CHECK_ERR(umount(path), ENOENT);
	/* Nothing of it keeps the file system that was shown there. */
	CHECK(!umount("t"));
	CHECK(!umount("p"));
}

/* What poll(2) says of @fd at once. */
static int polled(int fd, short wanted)
{
	struct pollfd p = { fd, wanted, 0 };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

/* A change of the tree is told once to each open file, by whatever waits for files. */
static void test_changes(void)
{
	int table = open("/proc/self/mountinfo", O_RDONLY), other = open("/proc/mounts", O_RDONLY);
	int stats = open("/proc/self/mountstats", O_RDONLY), set = epoll_create1(0);
	struct epoll_event ev = { .events = EPOLLPRI };
	pid_t child;

	REQUIRE(table >= 0 && other >= 0 && stats >= 0 && set >= 0);
	CHECK(polled(table, POLLIN | POLLPRI) == POLLIN && polled(other, POLLPRI) == 0);
	CHECK(!epoll_ctl(set, EPOLL_CTL_ADD, table, &ev));
	CHECK(epoll_wait(set, &ev, 1, 0) == 0);
	CHECK_ERR(epoll_ctl(set, EPOLL_CTL_ADD, stats, &ev), EPERM);
	child = fork();
	if (!child)
		_exit(mount("none", "d", "tmpfs", 0, NULL) ? 1 : 0);
	CHECK(epoll_wait(set, &ev, 1, TAP_PATIENCE_MS) == 1 && ev.events == (EPOLLPRI | EPOLLERR));
	CHECK(waitpid(child, NULL, 0) == child);
	CHECK(polled(other, POLLIN) == (POLLIN | POLLERR) && polled(other, POLLPRI) == 0);
	CHECK(!umount("d"));
	CHECK(polled(other, POLLPRI) == (POLLPRI | POLLERR) && polled(table, POLLPRI));
	close(table);
	table = open("/proc/self/mountinfo", O_RDONLY);
	CHECK(polled(table, POLLPRI) == 0);
	close(table);
	close(other);
	close(stats);
	close(set);
}

int main(void)
{
	char dir[] = "proc_mounts.XXXXXX";

	REQUIRE(mkdtemp(dir) && !chdir(dir) && getcwd(here, sizeof(here)));
	CHECK(!chmod(".", 0755));
	test_options();
	test_subset();
	test_hide();
	test_over();
	test_end();
	test_changes();
	CHECK(!rmdir("p") && !rmdir("q") && !rmdir("t") && !rmdir("d"));
	CHECK(!chdir("..") && !rmdir(dir));
	return tap_done();
}
