#pragma once
/*
 * What watches over others, or binds them: Landlock, fanotify, leases, accounting, binfmt_misc; and
 * the ways to pages that somebody else has (map_files, sendfile to TCP).
 */
#include <arpa/inet.h>
#include <linux/fanotify.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <sys/acct.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/quota.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include "engine.h"

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

#define GUARD_DIR "/tmp/failnth.guard"
#define GUARD_FILE GUARD_DIR "/file"
#define LEND_SIZE (off_t)(4 * PAGE)

static int guard_make(void)
{
	int fd;

	if (mkdir(GUARD_DIR, 0755))
		return -1;
	fd = open(GUARD_FILE, O_CREAT | O_RDWR, 0755);
	if (fd < 0 || pwrite(fd, "x", 1, LEND_SIZE - 1) != 1 || pwrite(fd, "x", 1, 0) != 1)
		return -1;
	return close(fd);
}

static void guard_drop(void)
{
	unlink(GUARD_DIR "/new");
	unlink(GUARD_DIR "/moved");
	unlink(GUARD_FILE);
	rmdir(GUARD_DIR);
}

/* Two layers, with rules, and what they forbid and allow. */
static long landlock_layers(void)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE };
	uint64_t handled = (LANDLOCK_ACCESS_FS_REFER << 1) - 1;
	long r = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);

	for (int i = 0; i < 2 && r >= 0; i++) {
		int set = (int)syscall(SYS_landlock_create_ruleset, &handled, 8, 0);

		r = rule.parent_fd = set < 0 ? -1 : open(GUARD_DIR, O_PATH);
		if (r >= 0)
			r = syscall(SYS_landlock_add_rule, set, 1, &rule, 0);
		if (r >= 0)
			r = syscall(SYS_landlock_restrict_self, set, 0);
	}
	if (r >= 0)
		r = open(GUARD_FILE, O_RDONLY);
	if (r >= 0 && rename(GUARD_FILE, GUARD_DIR "/moved") != -1)
		abort();
	return r;
}

static long do_landlock(void)
{
	return in_child(landlock_layers, 0);
}

static void close_events(char *buf, long n)
{
	for (char *p = buf; n > 0 && p < buf + n;) {
		struct fanotify_event_metadata *m = (void *)p;
		struct fanotify_event_info_pidfd *info = (void *)(p + m->event_len - 8);

		closed(m->fd);
		if (m->event_len > 24 && info->hdr.info_type == FAN_EVENT_INFO_TYPE_PIDFD)
			closed(info->pidfd);
		p += m->event_len;
	}
}

/* An event that is lost for want of memory is one that says so. */
static long watch(unsigned flags, uint64_t mask)
{
	char buf[4096] __attribute__((aligned(8)));
	int fd = (int)syscall(SYS_fanotify_init, flags | FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY);
	long r;

	if (fd < 0)
		return -1;
	r = syscall(SYS_fanotify_mark, fd, FAN_MARK_ADD, mask | FAN_EVENT_ON_CHILD, AT_FDCWD,
		    GUARD_DIR);
	if (r >= 0)
		r = closed(open(GUARD_FILE, O_RDONLY));
	if (r >= 0)
		r = closed(open(GUARD_DIR "/new", O_CREAT | O_RDWR, 0600));
	if (r >= 0)
		r = read(fd, buf, sizeof(buf));
	KEEP_ERRNO((close_events(buf, r), close(fd), unlink(GUARD_DIR "/new")));
	return r;
}

static long do_fanotify(void)
{
	return watch(FAN_CLASS_NOTIF, FAN_OPEN | FAN_CLOSE);
}

static long do_fanotify_handles(void)
{
	return watch(FAN_REPORT_DFID_NAME | FAN_REPORT_PIDFD, FAN_CREATE | FAN_OPEN | FAN_CLOSE);
}

static long do_lease(void)
{
	int fd = open(GUARD_FILE, O_RDONLY), other;
	long r;

	if (fd < 0)
		return -1;
	signal(SIGIO, SIG_IGN);
	r = fcntl(fd, F_SETLEASE, F_RDLCK);
	if (r >= 0) {
		other = open(GUARD_FILE, O_WRONLY | O_NONBLOCK);
		if (other >= 0)
			abort();
		r = errno == EWOULDBLOCK ? 0 : -1;
	}
	KEEP_ERRNO(close(fd));
	return r;
}

static long do_acct(void)
{
	long r = acct(GUARD_FILE);

	if (r >= 0)
		r = do_fork();
	KEEP_ERRNO(acct(NULL));
	return r;
}

static long say(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY);
	long r = fd < 0 ? -1 : write(fd, text, strlen(text));

	KEEP_ERRNO(closed(fd));
	return r;
}

static long exec_by_name(void)
{
	char *argv[] = { GUARD_DIR "/x.failnth", NULL }, *envp[] = { NULL };

	return execve(argv[0], argv, envp);
}

static long do_binfmt(void)
{
	long r = mount("none", GUARD_DIR, "binfmt_misc", 0, NULL);
	char kind[512];
	int err;

	if (r)
		return r;
	snprintf(kind, sizeof(kind), ":failnth:E::failnth::%s:FOC", self_path);
	r = say(GUARD_DIR "/register", kind);
	if (r >= 0)
		r = read_all(GUARD_DIR "/failnth") < 0 ? -1 : 0;
	err = errno;
	fail_stop();
	say(GUARD_DIR "/failnth", "-1");
	umount(GUARD_DIR);
	errno = err;
	return r;
}

/* The interpreter gets a descriptor of what it is to run. */
static int binfmt_make(void)
{
	char kind[512];

	if (guard_make() || mkdir("/tmp/failnth.misc", 0755) ||
	    mount("none", "/tmp/failnth.misc", "binfmt_misc", 0, NULL) ||
	    rename(GUARD_FILE, GUARD_DIR "/x.failnth"))
		return -1;
	snprintf(kind, sizeof(kind), ":fn:E::failnth::%s:O", "/tmp/failnth.misc/../failnth.run");
	return symlink(self_path, "/tmp/failnth.run") || say("/tmp/failnth.misc/register", kind) < 0
		       ? -1
		       : 0;
}

static void binfmt_drop(void)
{
	umount("/tmp/failnth.misc");
	rmdir("/tmp/failnth.misc");
	unlink("/tmp/failnth.run");
	unlink(GUARD_DIR "/x.failnth");
	guard_drop();
}

/* What the interpreter makes of its arguments does not matter: it has begun. */
static long do_binfmt_exec(void)
{
	return exec_child(exec_by_name);
}

static long do_quota(void)
{
	int fd = open(GUARD_DIR, O_RDONLY);
	long r;

	if (fd < 0)
		return -1;
	r = syscall(SYS_quotactl_fd, fd, QCMD(Q_GETFMT, USRQUOTA), 0, &r);
	if (r < 0 && errno == ENOSYS)
		r = quotactl(QCMD(Q_SYNC, USRQUOTA), NULL, 0, NULL);
	KEEP_ERRNO(close(fd));
	return r;
}

/* The file of a mapping, by the link that bears its addresses. */
static long do_map_files(void)
{
	int fd = open(GUARD_FILE, O_RDONLY);
	char link[80], names[4096], *p;
	long r;

	if (fd < 0)
		return -1;
	p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		KEEP_ERRNO(close(fd));
		return -1;
	}
	snprintf(link, sizeof(link), "/proc/self/map_files/%lx-%lx", (long)p, (long)p + 2 * PAGE);
	r = closed(open(link, O_RDONLY));
	if (r >= 0) {
		int d = open("/proc/self/map_files", O_RDONLY | O_DIRECTORY);

		r = d < 0 ? -1 : syscall(SYS_getdents64, d, names, sizeof(names));
		KEEP_ERRNO(closed(d));
	}
	KEEP_ERRNO((munmap(p, 2 * PAGE), close(fd)));
	return r;
}

static int lend_fd[2], lend_file;

/* A connection, as it is not the matter here. */
static int lend_make(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	lend_fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (guard_make() || l < 0 || bind(l, (void *)&a, len) || listen(l, 1) ||
	    getsockname(l, (void *)&a, &len) || connect(lend_fd[0], (void *)&a, len))
		return -1;
	lend_fd[1] = accept(l, NULL, NULL);
	lend_file = open(GUARD_FILE, O_RDONLY);
	close(l);
	return lend_file < 0 ? -1 : 0;
}

static void lend_drop(void)
{
	const struct linger none = { 1, 0 };

	close(lend_file);
	setsockopt(lend_fd[0], SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(lend_fd[0]);
	close(lend_fd[1]);
	guard_drop();
}

/* All that was sent arrives, even if a segment was lost for want of memory. */
static long do_lend(void)
{
	static char buf[LEND_SIZE];
	off_t at = 0;
	long r = 0;

	while (r >= 0 && at < LEND_SIZE)
		r = sendfile(lend_fd[0], lend_file, &at, LEND_SIZE - at);
	if (at)
		fail_stop();
	for (off_t got = 0; got < at;) {
		ssize_t n = recv(lend_fd[1], buf, (size_t)(at - got), 0);

		if (n <= 0)
			abort();
		got += n;
	}
	return r;
}

#define WITH_GUARD .before = guard_make, .after = guard_drop

static const struct op guard_ops[] = {
	{ "landlock", do_landlock, WITH_GUARD, .errs = { ENFILE }, .child = 1 },
	{ "fanotify", do_fanotify, WITH_GUARD, .errs = { ENFILE } },
	{ "fanotify with handles", do_fanotify_handles, WITH_GUARD, .errs = { ENFILE } },
	{ "lease", do_lease, WITH_GUARD, .errs = { ENFILE } },
	{ "acct", do_acct, WITH_GUARD, .errs = { ENFILE, EAGAIN } },
	{ "binfmt_misc", do_binfmt, WITH_GUARD, .errs = { ENFILE } },
	{ "binfmt_misc, exec", do_binfmt_exec, binfmt_make, binfmt_drop, { E2BIG, ENFILE }, 1 },
	{ "quotactl", do_quota, WITH_GUARD, .errs = { ENFILE } },
	{ "map_files", do_map_files, WITH_GUARD, .errs = { ENFILE } },
	{ "sendfile to tcp", do_lend, lend_make, lend_drop, { ENOBUFS } },
	{ NULL },
};
