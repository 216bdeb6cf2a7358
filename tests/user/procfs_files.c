/*
 * proc(5): io, stack, ns, pagemap, clear_refs, numa_maps, timers and the maps of the user name space
 * of a process; setns(2). System-wide: buddyinfo, zoneinfo, schedstat, iomem, cgroups, stat,
 * kpageflags. Runs as root.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/nsfs.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include "proc_text.h"

static void io(void)
{
	unsigned long long r0, w0, c0, d0;
	char buf[1000] = { 0 };
	int fd = open("/dev/zero", O_RDWR);

	CHECK(slurp("/proc/self/io") > 0);
	r0 = field("rchar: ");
	w0 = field("wchar: ");
	c0 = field("syscr: ");
	d0 = field("syscw: ");
	CHECK(read(fd, buf, 1000) == 1000 && pread(fd, buf, 500, 0) == 500);
	CHECK(write(fd, buf, 300) == 300);
	slurp("/proc/self/io");
	CHECK(field("rchar: ") >= r0 + 1500 && field("syscr: ") >= c0 + 2);
	CHECK(field("wchar: ") >= w0 + 300 && field("syscw: ") > d0);
	CHECK(field("read_bytes: ") != ~0ull && field("cancelled_write_bytes: ") == 0);
	CHECK(slurp("/proc/thread-self/io") > 0 && slurp("/proc/1/io") > 0);
	close(fd);
}

/* What is left of a process that nobody has waited for. */
static void zombie(void)
{
	const char *const files[] = { "io", "task/%d/io", "schedstat", "wchan", "syscall" };
	const char *const begins[] = { "rchar: ", "rchar: ", "", "0", "-1 0x0 0x0\n" };
	pid_t child = fork();
	char path[64], name[32];
	siginfo_t info;
	int fd;

	if (!child)
		_exit(write(open("/dev/null", O_WRONLY), "123", 3) != 3);
	REQUIRE(child > 0 && !waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
	for (unsigned i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), files[i], child);
		snprintf(path, sizeof(path), "/proc/%d/%s", child, name);
		CHECK(slurp(path) > 0 && !strncmp(text, begins[i], strlen(begins[i])));
	}
	snprintf(path, sizeof(path), "/proc/%d/io", child);
	CHECK(slurp(path) > 0 && field("wchar: ") >= 3);
	snprintf(path, sizeof(path), "/proc/%d/stack", child);
	CHECK(slurp(path) == 0);
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", child);
	fd = open(path, O_RDONLY);
	CHECK_ERR(read(fd, text, 1), ESRCH);
	close(fd);
	snprintf(path, sizeof(path), "/proc/%d/coredump_filter", child);
	fd = open(path, O_RDWR);
	CHECK(fd >= 0 && read(fd, text, 1) == 0);
	CHECK_ERR(write(fd, "5", 1), ESRCH);
	close(fd);
	waitpid(child, NULL, 0);
}

static void name_spaces(void)
{
	static const char *const names[] = { "cgroup", "ipc", "mnt", "net", "pid", "user", "uts" };
	struct stat mine, its;
	char path[64], link[64];
	int fd, found = 0;
	DIR *d = opendir("/proc/self/ns");
	ssize_t n;

	for (unsigned i = 0; i < 7; i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		n = readlink(path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = 0;
		if (!stat(path, &mine)) {
			snprintf(path, sizeof(path), "%s:[%llu]", names[i],
				 (unsigned long long)mine.st_ino);
			snprintf(text, sizeof(text), "/proc/1/ns/%s", names[i]);
			found += !strcmp(path, link) && !stat(text, &its) &&
				 its.st_ino == mine.st_ino && its.st_dev == mine.st_dev;
		}
	}
	CHECK(found == 7);
	found = 0;
	while (d && readdir(d))
		found++;
	CHECK(found >= 2 + 8);
	if (d)
		closedir(d);
	fd = open("/proc/self/ns/uts", O_RDONLY);
	REQUIRE(fd >= 0);
	CHECK(ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWUTS);
	CHECK(!setns(fd, 0) && !setns(fd, CLONE_NEWUTS));
	CHECK_ERR(setns(fd, CLONE_NEWNET), EINVAL);
	CHECK_ERR(ioctl(fd, NS_GET_PARENT), EINVAL);
	CHECK_ERR(read(fd, text, 1), EINVAL);
	CHECK_ERR(lseek(fd, 0, SEEK_CUR), ESPIPE);
	close(fd);
	fd = open("/proc/self/ns/user", O_RDONLY);
	CHECK_ERR(setns(fd, 0), EINVAL);
	CHECK_ERR(ioctl(fd, NS_GET_USERNS), EPERM);
	close(fd);
	fd = open("/proc/self/stat", O_RDONLY);
	CHECK_ERR(setns(fd, 0), EINVAL);
	close(fd);
	CHECK_ERR(setns(-1, 0), EBADF);
	fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	CHECK(!setns(fd, CLONE_NEWUTS | CLONE_NEWIPC));
	CHECK_ERR(setns(fd, 0), EINVAL);
	CHECK_ERR(setns(fd, 1), EINVAL);
	close(fd);
	CHECK(slurp("/proc/self/uid_map") == 33 && field("0") == 0);
	CHECK(slurp("/proc/self/setgroups") == 6 && !strcmp(text, "allow\n"));
	CHECK_ERR(spit("/proc/self/uid_map", "0 0 1"), EPERM);
	CHECK_ERR(spit("/proc/self/setgroups", "deny"), EPERM);
}

static void stack(void)
{
	char path[64];
	pid_t p = fork();

	if (p == 0) {
		pause();
		_exit(0);
	}
	CHECK(EVENTUALLY(is_asleep(p)));
	snprintf(path, sizeof(path), "/proc/%d/stack", p);
	CHECK(slurp(path) > 0 && !strncmp(text, "[<0>] ", 6));
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stack", p, p);
	CHECK(slurp(path) > 0);
	kill(p, SIGKILL);
	waitpid(p, NULL, 0);
	p = fork();
	if (p == 0)
		_exit(setresuid(1000, 1000, 1000) || slurp("/proc/self/stack") > 0);
	int st;
	waitpid(p, &st, 0);
	CHECK(st == 0);
}

static void page_tables(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *m = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t w[4];
	off_t at = (off_t)((uintptr_t)m / page * 8);

	m[page] = 1;
	REQUIRE(fd >= 0 && pread(fd, w, sizeof(w), at) == sizeof(w));
	CHECK(!(w[0] >> 63) && w[1] >> 63 && !(w[3] >> 63));
	CHECK((w[1] & ((1ull << 55) - 1)) != 0 && !(w[1] >> 61 & 1) && w[1] >> 56 & 1);
	CHECK_ERR(pread(fd, w, 7, at), EINVAL);
	CHECK_ERR(pread(fd, w, 8, at + 4), EINVAL);
	CHECK(pread(fd, w, 8, 0) == 8 && w[0] == 0);
	close(fd);
	CHECK(!spit("/proc/self/clear_refs", "1"));
	/* Memory works as before; what is touched is referenced again. */
	m[page]++;
	m[2 * page] = 3;
	CHECK(m[page] == 2 && m[0] == 0 && m[2 * page] == 3);
	CHECK(!spit("/proc/self/clear_refs", "5"));
	CHECK_ERR(spit("/proc/self/clear_refs", "6"), EINVAL);
	CHECK_ERR(spit("/proc/self/clear_refs", "x"), EINVAL);
	CHECK(slurp("/proc/self/numa_maps") > 0 && strstr(text, " N0=") && strstr(text, "default"));
	munmap(m, 4 * page);
}

/* What /proc/kpageflags says of the frame at @m, which is there. */
static uint64_t frame_flags(int map, int flags, const char *m)
{
	off_t at = (off_t)((uintptr_t)m / (size_t)sysconf(_SC_PAGESIZE) * 8);
	uint64_t w;

	REQUIRE(pread(map, &w, 8, at) == 8 && w >> 63);
	REQUIRE(pread(flags, &w, 8, (off_t)(w & ((1ull << 55) - 1)) * 8) == 8);
	return w;
}

static void frames(void)
{
	const int anon = 12, nopage = 20;
	int map = open("/proc/self/pagemap", O_RDONLY), fd = open("/proc/kpageflags", O_RDONLY);
	char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t w[2];

	REQUIRE(map >= 0 && fd >= 0);
	m[0] = 1;
	w[0] = frame_flags(map, fd, m);
	CHECK(w[0] >> anon & 1 && !(w[0] >> nopage & 1));
	munmap(m, 4096);
	CHECK(lseek(fd, 0, SEEK_SET) == 0 && read(fd, w, 8) == 8 && w[0] == 1u << nopage);
	CHECK_ERR(pread(fd, w, 7, 0), EINVAL);
	CHECK_ERR(pread(fd, w, 8, 4), EINVAL);
	CHECK(pread(fd, w, 16, 1ll << 50) == 0);
	close(fd);
	close(map);
}

static void timers(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	timer_t t;
	char want[128];

	ev.sigev_value.sival_ptr = (void *)0x1234;
	CHECK(slurp("/proc/self/timers") == 0);
	CHECK(!timer_create(CLOCK_REALTIME, &ev, &t));
	snprintf(want, sizeof(want),
		 "signal: 10/0000000000001234\nnotify: signal/pid.%d\nClockID: 0\n", getpid());
	CHECK(slurp("/proc/self/timers") > 0 && !strncmp(text, "ID: ", 4) && strstr(text, want));
	timer_delete(t);
	CHECK(slurp("/proc/self/timers") == 0);
}

static void whole_system(void)
{
	char *p;

	CHECK(slurp("/proc/buddyinfo") > 0 && !strncmp(text, "Node 0, zone ", 13));
	CHECK(slurp("/proc/zoneinfo") > 0 && strstr(text, "  pages free "));
	CHECK(slurp("/proc/pagetypeinfo") > 0 && strstr(text, "Movable"));
	CHECK(slurp("/proc/schedstat") > 0 && !strncmp(text, "version 15\ntimestamp ", 21) &&
	      strstr(text, "cpu0 "));
	alarm(TAP_LIMIT);
	CHECK(slurp("/proc/timer_list") > 0 &&
	      !strncmp(text, "Timer List Version: v0.9\nHRTIMER_MAX_CLOCK_BASES: ", 49));
	CHECK(field("\nnow at ") > 0 && strstr(text, " nsecs\n\ncpu: 0\n clock 0:\n  .base: ") &&
	      strstr(text, "\nactive timers:\n #0: <") && strstr(text, "\n # expires at "));
	alarm(0);
	CHECK(slurp("/proc/iomem") > 0 && strstr(text, " : System RAM\n") && field("") != 0);
	CHECK(slurp("/proc/cgroups") > 0 &&
	      !strncmp(text, "#subsys_name\thierarchy\tnum_cgroups\tenabled\n", 43));
	CHECK(slurp("/proc/devices") > 0 && !strncmp(text, "Character devices:\n  1 mem\n", 27) &&
	      strstr(text, "\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n") &&
	      strstr(text, "\n128 ptm\n136 pts\n") && strstr(text, "\n204 ttyAMA\n"));
	CHECK(slurp("/proc/tty/drivers") > 0 &&
	      strstr(text, "/dev/ptmx            /dev/ptmx       5       2 system\n") &&
	      strstr(text, "\nttyAMA               /dev/ttyAMA   204 64-"));
	CHECK(slurp("/proc/misc") >= 0 && slurp("/proc/ioports") >= 0);
	CHECK(access("/proc/sysrq-trigger", F_OK) == 0);
	CHECK(!spit("/proc/sysrq-trigger", "s"));
	CHECK(slurp("/proc/stat") > 0 && (p = strstr(text, "\nintr ")) && strchr(p + 6, ' '));
	CHECK(field("procs_blocked ") != ~0ull);
	CHECK(slurp("/proc/softirqs") > 0 && (p = strstr(text, "CPU0")) &&
	      strstr(p, "\n          HI:") && strstr(p, "\n      NET_RX:"));
	CHECK(slurp("/proc/sys/kernel/arch") > 0 && !strcmp(text, "aarch64\n"));
	CHECK(slurp("/proc/sys/kernel/ns_last_pid") > 0 && field("") > 0);
}

/* A parent that waits for CLONE_VFORK waits uninterruptibly. */
static void blocked(void)
{
	static int go[2];
	char path[64], c;
	pid_t p;
	int st;

	if (pipe(go))
		return;
	p = fork();
	if (p == 0) {
		long q = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);

		if (q == 0) {
			read(go[0], &c, 1);
			_exit(0);
		}
		_exit(q < 0);
	}
	snprintf(path, sizeof(path), "/proc/%d/stat", p);
	CHECK(EVENTUALLY(task_state(p, p) == 'D'));
	write(go[1], "x", 1);
	waitpid(p, &st, 0);
	CHECK(st == 0);
}

/* What open(2) says of @path with @flags: 0 or errno. */
static int opens(const char *path, int flags)
{
	int fd = open(path, flags), err = errno;

	if (fd < 0)
		return err;
	close(fd);
	return 0;
}

static unsigned mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_mode & 07777;
}

/* The superuser too: a sysctl's mode binds him, other files' only where nothing could be written. */
static void modes(void)
{
	static const char sysctl[] = "/proc/sys/kernel/ostype", drop[] = "/proc/sys/vm/drop_caches",
			  attr[] = "/sys/devices/system/cpu/online";

	CHECK(opens(sysctl, O_RDONLY) == 0 && opens(sysctl, O_WRONLY) == EACCES);
	CHECK(opens(sysctl, O_RDONLY | O_TRUNC) == EACCES && opens(drop, O_RDONLY) == EACCES);
	CHECK(opens(drop, O_WRONLY) == 0 && opens("/proc/sys/kernel/hostname", O_RDWR) == 0);
	CHECK_ERR(access(sysctl, W_OK), EACCES);
	CHECK_ERR(access("/proc/sys", W_OK), EACCES);
	CHECK_ERR(unlink(sysctl), EACCES);
	CHECK_ERR(chmod(sysctl, 0644), EPERM);
	CHECK_ERR(chown(sysctl, 1, 1), EPERM);
	CHECK(opens(attr, O_RDONLY) == 0 && opens(attr, O_WRONLY) == EACCES);
	CHECK(!access(attr, W_OK) && opens("/proc/net/tcp", O_RDWR) == EACCES);
	CHECK(opens("/proc/uptime", O_WRONLY) == 0 &&
	      opens("/proc/self/ns/net", O_WRONLY) == EPERM);
	CHECK(mode_of("/sys") == 0555 && mode_of("/sys/devices/system") == 0755);
	CHECK(mode_of("/sys/fs") == 0755 && mode_of("/sys/fs/cgroup") == 0555);
	CHECK(mode_of("/sys/kernel") == 0755 && mode_of("/sys/kernel/debug") == 0555);
	CHECK(mode_of("/proc/sys/kernel") == 0555 && mode_of("/proc/self/fdinfo/0") == 0444);
}

static void direct(void)
{
	static const char *const paths[] = { "/proc/uptime", "/proc/self/status", "/dev/zero",
					     "/sys/devices/system/cpu/online" };

	for (unsigned i = 0; i < 4; i++) {
		int fd = open(paths[i], O_RDONLY);

		CHECK(opens(paths[i], O_RDONLY | O_DIRECT) == EINVAL);
		CHECK_ERR(fcntl(fd, F_SETFL, O_DIRECT), EINVAL);
		CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
		close(fd);
	}
}

/*
 * The name of a process that was made by execveat(2): of the file if only a descriptor was given,
 * else of what was asked for. 0: @want is it.
 */
static int name_after(int at, const char *path, int flags, const char *want)
{
	char *const argv[] = { "procfs_files", "name", (char *)want, NULL };
	int status;
	pid_t pid = fork();

	if (!pid) {
		syscall(SYS_execveat, at, path, argv, environ, flags);
		_exit(1);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void exec_names(void)
{
	int exe = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int copy = (int)syscall(SYS_memfd_create, "a copy", 1);
	char file[PATH_MAX + 1] = { 0 }, want[16];

	CHECK(readlink("/proc/self/exe", file, PATH_MAX) > 0);
	snprintf(want, sizeof(want), "%.15s", strrchr(file, '/') + 1);
	CHECK(name_after(exe, "", AT_EMPTY_PATH, want) == 0);
	while (sendfile(copy, exe, NULL, 1 << 20) > 0)
		;
	CHECK(name_after(copy, "", AT_EMPTY_PATH, "memfd:a copy") == 0);
	close(copy);
	CHECK(name_after(AT_FDCWD, "/proc/self/exe", 0, "exe") == 0);
	CHECK(symlink(file, "/tmp/another-name") == 0);
	CHECK(name_after(AT_FDCWD, "/tmp/another-name", 0, "another-name") == 0);
	unlink("/tmp/another-name");
	close(exe);
}

static int has_name(const char *want)
{
	char name[16];

	return prctl(PR_GET_NAME, name) || strcmp(name, want) != 0;
}

/* Kept; here nothing comes of them. */
static void limits(void)
{
	static const char path[] = "/proc/sys/user/max_user_namespaces";
	char old[sizeof(text)];

	CHECK(slurp(path) > 0);
	snprintf(old, sizeof(old), "%s", text);
	CHECK(spit(path, "7\n") == 0 && slurp(path) == 2 && !strcmp(text, "7\n"));
	CHECK(spit(path, "-1\n") == -1 && errno == EINVAL);
	CHECK(spit(path, old) == 0);
}

/* A child, made by fork(), that ends at once. */
static int ends_well(pid_t pid)
{
	int status;

	if (!pid)
		_exit(0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* How many descriptors a process may be allowed, by whom that is allowed. */
static void descriptors(void)
{
	static const char path[] = "/proc/sys/fs/nr_open";
	struct rlimit old, more;
	char was[sizeof(text)];
	int fd;

	CHECK(slurp(path) > 0 && !getrlimit(RLIMIT_NOFILE, &old));
	snprintf(was, sizeof(was), "%s", text);
	more = (struct rlimit){ strtoul(was, NULL, 10) + 64, strtoul(was, NULL, 10) + 64 };
	CHECK_ERR(setrlimit(RLIMIT_NOFILE, &more), EPERM);
	CHECK(spit(path, "2097152\n") == 0 && setrlimit(RLIMIT_NOFILE, &more) == 0);
	CHECK((fd = dup2(0, (int)more.rlim_cur - 1)) == (int)more.rlim_cur - 1 && !close(fd));
	CHECK(spit(path, was) == 0 && setrlimit(RLIMIT_NOFILE, &old) == 0);
	/* A lowered limit keeps from having a copy whoever has one open beyond it. */
	CHECK((fd = dup2(0, 200)) == 200 && spit(path, "255\n") == 0);
	CHECK_ERR(fork(), EMFILE);
	CHECK(spit(path, "256\n") == 0 && ends_well(fork()));
	CHECK(!close(fd) && spit(path, "64\n") == 0 && ends_well(fork()));
	CHECK(spit(path, was) == 0);
	CHECK(spit(path, "63\n") == -1 && errno == EINVAL);
	CHECK(spit(path, "2147483647\n") == -1 && errno == EINVAL);
	CHECK(slurp(path) > 0 && !strcmp(text, was));
}

/* The attributes of a network device that can be set. */
static void net_attributes(void)
{
	static const char path[] = "/sys/class/net/lo/tx_queue_len";

	CHECK(slurp(path) == 5 && !strcmp(text, "1000\n"));
	CHECK(spit(path, "500\n") == 0 && slurp(path) == 4 && !strcmp(text, "500\n"));
	CHECK(spit(path, "1000\n") == 0);
	CHECK(spit("/sys/class/net/lo/uevent", "change\n") == 0);
	CHECK(spit("/sys/class/net/lo/uevent", "nonsense\n") == -1 && errno == EINVAL);
	/* Nothing written is nothing done. */
	CHECK(spit("/sys/class/net/lo/uevent", "") == 0 && spit(path, "") == 0);
	CHECK(spit("/proc/sys/vm/swappiness", "") == 0);
}

static char piece_text[sizeof(text)];

/* As slurp(), into piece_text and by reads of @size bytes; not more than fits. */
static ssize_t slurp_by(const char *path, size_t size)
{
	int fd = open(path, O_RDONLY);
	size_t n = 0;
	ssize_t r = 0;

	while (fd >= 0 && n + size < sizeof(piece_text) && (r = read(fd, piece_text + n, size)) > 0)
		n += (size_t)r;
	close(fd);
	piece_text[n] = 0;
	return fd < 0 || r < 0 ? -1 : (ssize_t)n;
}

/* Numbers that run on while one looks are all the same: each becomes one 0. */
static void blur(char *t)
{
	char *to = t;

	for (; *t; t++) {
		int digit = *t >= '0' && *t <= '9';

		if (!digit || to == piece_text || to == text || to[-1] != '0')
			*to++ = digit ? '0' : *t;
	}
	*to = 0;
}

/* Is what is read by pieces of @size what is read at once? Tried again: something may change. */
static int same_by(const char *path, size_t size, int blurred)
{
	for (int i = 0; i < 20; i++) {
		ssize_t whole = slurp(path), n = slurp_by(path, size);

		if (whole <= 0 || n <= 0)
			return 0;
		if (blurred) {
			blur(text);
			blur(piece_text);
		}
		if (!blurred && n < whole && (size_t)n + size >= sizeof(text))
			text[n] = 0; /* of one larger than there is room for: what was read of it */
		if (!strcmp(text, piece_text))
			return 1;
	}
	printf("# %s by %zu\n", path, size);
	return 0;
}

/* pread() and lseek() anywhere in it give the same text as reading on to there. */
static int same_at(const char *path)
{
	int fd = open(path, O_RDONLY), good = 0;

	for (int i = 0; i < 20 && !good; i++) {
		ssize_t len = slurp(path);
		const ssize_t at[] = {
			len / 2, 0, 1, len - 1, len / 3, 4097 < len ? 4097 : 2, len
		};

		good = len > 4;
		for (size_t k = 0; k < sizeof(at) / sizeof(*at) && good; k++) {
			char b[2][40] = { { 0 } };
			ssize_t r[2] = { pread(fd, b[0], 32, at[k]), -1 };

			if (lseek(fd, at[k], SEEK_SET) == at[k])
				r[1] = read(fd, b[1], 32);
			good = r[0] == r[1] && (at[k] == len ? r[0] == 0 : r[0] > 0) &&
			       !memcmp(b[0], text + at[k], (size_t)r[0]) &&
			       !memcmp(b[1], b[0], (size_t)r[0]);
			good = good && lseek(fd, 0, SEEK_CUR) == at[k] + r[1];
		}
	}
	good = good && lseek(fd, 1, SEEK_CUR) > 0 && lseek(fd, -1, SEEK_SET) == -1 &&
	       errno == EINVAL;
	close(fd);
	return good;
}

/* Generated text is a file: any size of reads, any place. */
static void pieces(void)
{
	static const char *const files[] = { "/proc/self/maps", "/proc/self/smaps", "/proc/mounts",
					     "/proc/net/tcp", "/proc/filesystems" };

	memset(text, 1, sizeof(text)); /* what smaps counts is there from now on */
	memset(piece_text, 1, sizeof(piece_text));
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		CHECK(same_by(files[i], 1, 0) && same_by(files[i], 7, 0) &&
		      same_by(files[i], 100, 0));
		if (!CHECK(same_at(files[i])))
			printf("# %s\n", files[i]);
	}
	CHECK(same_by("/proc/stat", 1, 1) && same_by("/proc/stat", 7, 1) &&
	      same_by("/proc/stat", 100, 1));
	CHECK(same_by("/proc/kallsyms", 7, 0) && same_by("/proc/kallsyms", 100, 0));
}

static volatile int torn_over;

static void *mapper(void *arg)
{
	unsigned n = 0;

	while (!torn_over) {
		size_t size = 4096 * (1 + n++ % 5);
		char *m = mmap(NULL, size, n % 3 ? PROT_READ : PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (n % 2)
			mprotect(m, 4096, PROT_NONE);
		munmap(m, size);
	}
	return arg;
}

/* Every line of maps in piece_text is whole. */
static int maps_parse(void)
{
	for (char *line = piece_text, *end; *line; line = end + 1) {
		unsigned long from, to, offset, inode;
		unsigned major, minor;
		char prot[5];
		int n = 0;

		end = strchr(line, '\n');
		if (!end)
			return printf("# no end: %s\n", line), 0;
		*end = 0;
		if (sscanf(line, "%lx-%lx %4[rwxps-] %lx %x:%x %lu%n", &from, &to, prot, &offset,
			   &major, &minor, &inode, &n) != 7 ||
		    from >= to || ((from | to) & 4095) || strlen(prot) != 4 ||
		    (line[n] && line[n] != ' '))
			return printf("# torn: %s\n", line), 0;
	}
	return 1;
}

/* A line is as it was at some time, whatever becomes of the list while it is read in pieces. */
static void torn_lines(void)
{
	static const size_t sizes[] = { 1, 7, 60, 100, 1000, 4096 };
	pthread_t t[2];
	int good = 0;

	for (int i = 0; i < 2; i++)
		REQUIRE(!pthread_create(&t[i], NULL, mapper, NULL));
	for (int i = 0; i < 60; i++)
		good += slurp_by("/proc/self/maps", sizes[i % 6]) > 0 && maps_parse();
	torn_over = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	CHECK(good == 60);
}

/* @name's lines are "address type symbol"; the addresses are 0 for who may not know. 0: yes. */
static int symbols(int hidden)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	unsigned long at, seen = 0;
	char line[512], name[256], type;
	int n = 0, bad = 0;

	while (f && n < 500 && fgets(line, sizeof(line), f)) {
		n++;
		bad += sscanf(line, "%16lx %c %255s", &at, &type, name) != 3 || line[16] != ' ' ||
		       !strchr("tTdDbBrRwWvVaAuU", type);
		seen |= at;
	}
	if (f)
		fclose(f);
	return n < 500 || bad || (hidden ? seen != 0 : seen == 0);
}

static int score(int adj)
{
	char n[16];

	snprintf(n, sizeof(n), "%d", adj);
	return spit("/proc/self/oom_score_adj", n) || slurp("/proc/self/oom_score") <= 0
		       ? -1
		       : atoi(text);
}

/* /proc/PID: root, oom_score, timerslack_ns; as a user kallsyms tells no addresses. */
static void own_texts(void)
{
	char path[64], c, link[64] = "";
	int p[2], st;
	pid_t pid;

	CHECK(readlink("/proc/self/root", link, sizeof(link)) == 1 && link[0] == '/');
	REQUIRE(!pipe(p));
	pid = fork();
	if (!pid) {
		close(p[1]);
		if (chroot("/proc/self") || setgid(1000) || setuid(1000) || read(p[0], &c, 1))
			_exit(1);
		_exit(0);
	}
	close(p[0]);
	snprintf(path, sizeof(path), "/proc/%d/root", pid);
	CHECK(EVENTUALLY(readlink(path, link, sizeof(link)) > 6));
	snprintf(text, sizeof(text), "/proc/%d", pid);
	CHECK(!strncmp(link, text, strlen(text)));
	strcat(path, "/cmdline");
	CHECK(access(path, R_OK) == 0 && close(p[1]) == 0);
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);

	/* badness(0) of this small process is nearly 0, of 1000: two thirds (proc(5)) */
	CHECK(score(0) >= 666 && score(0) < 700);
	CHECK(score(1000) >= 1330 && score(1000) < 1400);
	CHECK(score(-900) >= 66 && score(-900) < 100);
	CHECK(score(-1000) == 0 && score(0) >= 666);

	CHECK(prctl(PR_SET_TIMERSLACK, 1234) == 0 && slurp("/proc/self/timerslack_ns") > 0 &&
	      !strcmp(text, "1234\n"));
	CHECK(!spit("/proc/self/timerslack_ns", "4321") && prctl(PR_GET_TIMERSLACK) == 4321);
	CHECK(!spit("/proc/self/timerslack_ns", "0") && prctl(PR_GET_TIMERSLACK) == 50000);

	CHECK(symbols(0) == 0);
	pid = fork();
	if (!pid)
		_exit(setgid(1000) || setuid(1000) || symbols(1));
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "name"))
		return has_name(argv[2]);
	if (getuid()) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	io();
	zombie();
	name_spaces();
	stack();
	page_tables();
	frames();
	timers();
	whole_system();
	blocked();
	modes();
	direct();
	exec_names();
	pieces();
	torn_lines();
	own_texts();
	limits();
	descriptors();
	net_attributes();
	return tap_done();
}
