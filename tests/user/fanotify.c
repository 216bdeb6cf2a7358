/*
 * fanotify(7): what the two calls refuse, events with descriptors and with handles, in the form
 * and order that Linux gives; marks of inodes, mounts and file systems, what is ignored, merging,
 * the full queue; permission events. Wants to be root; works in a tmpfs of its own.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <linux/fanotify.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "event_text.h"
#include "in_child.h"
#include "tap.h"

#define TOP "fanotify-test"
#define NOTIF (FAN_CLASS_NOTIF | FAN_NONBLOCK)

static int fd;
static int no_path; /* events have descriptors, whose paths are of no interest */

static int f_init(unsigned flags, unsigned event_flags)
{
	return (int)syscall(SYS_fanotify_init, flags, event_flags);
}

static int f_mark(int f, unsigned flags, uint64_t mask, const char *name)
{
	return (int)syscall(SYS_fanotify_mark, f, flags, mask, AT_FDCWD, name);
}

static const char *bit_name(unsigned bit)
{
	static const char *const names[32] = {
		"ACCESS",      "MODIFY",    "ATTRIB",	   "CLOSE_WRITE", "CLOSE",
		"OPEN",	       "FROM",	    "TO",	   "CREATE",	  "DELETE",
		"DELETE_SELF", "MOVE_SELF", "EXEC",	   NULL,	  "OVERFLOW",
		NULL,	       "OPEN_PERM", "ACCESS_PERM", "EXEC_PERM",	  [28] = "RENAME",
		[30] = "DIR"
	};

	return names[bit] ? names[bit] : "?";
}

static size_t print_mask(char *out, uint64_t mask)
{
	size_t len = 0;

	for (unsigned b = 0; b < 32; b++)
		if (mask & (1ull << b))
			len += (size_t)sprintf(out + len, "%s%s", len ? "|" : "", bit_name(b));
	return len;
}

/* The name behind a descriptor: its last component. */
static const char *last_of(int f)
{
	static char path[PATH_MAX];
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", f);
	n = readlink(link, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	return strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
}

struct info {
	struct fanotify_event_info_header hdr;
	int fsid[2];
	unsigned bytes;
	int type;
	unsigned char data[];
};

/* One of the records: its type, the file by its handle, the name. */
static size_t print_info(char *out, const struct info *i)
{
	static const char *const types[] = { "?", "fid", "dfid+name", "dfid", "pidfd", "?",  "?",
					     "?", "?",	 "?",	      "old",  "?",     "new" };
	struct {
		unsigned bytes;
		int type;
		unsigned char data[128];
	} handle = { i->bytes, i->type, { 0 } };
	int at = open(".", O_RDONLY | O_DIRECTORY), f;
	size_t len;

	if (i->hdr.info_type == FAN_EVENT_INFO_TYPE_PIDFD) {
		close(at);
		return (size_t)sprintf(out, " pidfd(%s)", i->fsid[0] >= 0 ? "yes" : "no");
	}
	memcpy(handle.data, i->data, i->bytes);
	f = (int)syscall(SYS_open_by_handle_at, at, &handle, O_PATH);
	len = (size_t)sprintf(out, " %s(%s", types[i->hdr.info_type], f < 0 ? "gone" : last_of(f));
	if (i->hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME || i->hdr.info_type >= 10)
		len += (size_t)sprintf(out + len, ",%s", (const char *)i->data + i->bytes);
	close(f);
	close(at);
	return len + (size_t)sprintf(out + len, ")");
}

/* All events that wait: "MASK file" or "MASK type(file,name)...", separated by "; ". */
static const char *events(void)
{
	static char out[16384];
	static char buf[16384] __attribute__((aligned(8)));
	ssize_t n = read(fd, buf, sizeof(buf));
	size_t len = 0;

	out[0] = '\0';
	for (char *p = buf; n > 0 && p < buf + n;) {
		struct fanotify_event_metadata *m = (void *)p;

		len += (size_t)sprintf(out + len, "%s", len ? "; " : "");
		len += print_mask(out + len, m->mask);
		if (m->vers != 3 || m->metadata_len != 24 || m->reserved ||
		    (m->pid != getpid() && !(m->mask & FAN_Q_OVERFLOW)))
			len += (size_t)sprintf(out + len, " (bad)");
		if (m->fd >= 0) {
			if (!no_path)
				len += (size_t)sprintf(out + len, " %s", last_of(m->fd));
			close(m->fd);
		}
		for (char *q = p + 24; q < p + m->event_len; q += ((struct info *)q)->hdr.len) {
			len += print_info(out + len, (struct info *)q);
			if (((struct info *)q)->hdr.info_type == FAN_EVENT_INFO_TYPE_PIDFD)
				close(((struct info *)q)->fsid[0]);
		}
		p += m->event_len;
	}
	return out;
}

static void get(const char *name)
{
	char buf[16];
	int f = open(name, O_RDONLY);

	if (f < 0 || read(f, buf, sizeof(buf)) < 0)
		perror(name);
	close(f);
}

static void test_init(void)
{
	int f;

	CHECK_ERR(f_init(0x2000, O_RDONLY), EINVAL);
	CHECK_ERR(f_init(FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT, O_RDONLY), EINVAL);
	CHECK_ERR(f_init(FAN_REPORT_PIDFD | FAN_REPORT_TID, O_RDONLY), EINVAL);
	CHECK_ERR(f_init(0, 3), EINVAL);
	CHECK_ERR(f_init(0, O_CREAT), EINVAL);
	CHECK_ERR(f_init(FAN_CLASS_CONTENT | FAN_REPORT_FID, O_RDONLY), EINVAL);
	CHECK_ERR(f_init(FAN_REPORT_NAME, O_RDONLY), EINVAL);
	CHECK_ERR(f_init(FAN_REPORT_TARGET_FID | FAN_REPORT_DFID_NAME, O_RDONLY), EINVAL);
	f = f_init(FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS,
		   O_RDWR | O_CLOEXEC | O_NOATIME);
	CHECK(f >= 0 && fcntl(f, F_GETFD) == FD_CLOEXEC);
	CHECK((fcntl(f, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == (O_RDWR | O_NONBLOCK));
	CHECK(!strcmp(last_of(f), "anon_inode:[fanotify]"));
	CHECK(lseek(f, 0, SEEK_SET) == 0 || errno == ESPIPE);
	close(f);
}

static void test_mark(void)
{
	const unsigned add = FAN_MARK_ADD;
	int f = f_init(NOTIF, O_RDONLY), g = f_init(FAN_REPORT_FID, O_RDONLY), p[2];

	REQUIRE(f >= 0 && g >= 0 && !pipe(p));
	CHECK_ERR(f_mark(f, add, 1ull << 32 | FAN_OPEN, "a"), EINVAL);
	CHECK_ERR(f_mark(f, add | 0x800, FAN_OPEN, "a"), EINVAL);
	CHECK_ERR(f_mark(f, add | FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM, FAN_OPEN, "a"), EINVAL);
	CHECK_ERR(f_mark(f, add | FAN_MARK_REMOVE, FAN_OPEN, "a"), EINVAL);
	CHECK_ERR(f_mark(f, 0, FAN_OPEN, "a"), EINVAL);
	CHECK_ERR(f_mark(f, add, 0, "a"), EINVAL);
	CHECK_ERR(f_mark(f, add, 0x2000, "a"), EINVAL);
	CHECK_ERR(f_mark(f, FAN_MARK_FLUSH | FAN_MARK_ONLYDIR, 0, "a"), EINVAL);
	CHECK_ERR(f_mark(99, add, FAN_OPEN, "a"), EBADF);
	CHECK_ERR(f_mark(p[0], add, FAN_OPEN, "a"), EINVAL);
	CHECK_ERR(f_mark(f, add, FAN_OPEN_PERM, "a"), EINVAL);
	CHECK_ERR(f_mark(f, add, FAN_CREATE, "a"), EINVAL);
	CHECK_ERR(f_mark(g, add | FAN_MARK_MOUNT, FAN_CREATE, "a"), EINVAL);
	CHECK_ERR(f_mark(g, add, FAN_RENAME, "dir"), EINVAL);
	CHECK_ERR(f_mark(g, add, FAN_FS_ERROR, "dir"), EINVAL);
	CHECK_ERR(f_mark(f, add | FAN_MARK_MOUNT | FAN_MARK_EVICTABLE, FAN_OPEN, "a"), EINVAL);
	CHECK_ERR(f_mark(f, add | FAN_MARK_IGNORE | FAN_MARK_IGNORED_MASK, FAN_OPEN, "a"), EINVAL);
	CHECK_ERR(f_mark(f, add | FAN_MARK_ONLYDIR, FAN_OPEN, "a"), ENOTDIR);
	CHECK_ERR(f_mark(f, add, FAN_OPEN, "none"), ENOENT);
	CHECK_ERR(f_mark(f, add, FAN_OPEN, (void *)1), EFAULT);
	CHECK_ERR(syscall(SYS_fanotify_mark, f, add, (uint64_t)FAN_OPEN, 98, NULL), EBADF);
	CHECK_ERR(syscall(SYS_fanotify_mark, f, add, (uint64_t)FAN_OPEN, AT_FDCWD, NULL), EBADF);
	CHECK_ERR(f_mark(f, add | FAN_MARK_MOUNT | FAN_MARK_IGNORE, FAN_OPEN, "a"), EINVAL);
	CHECK_ERR(f_mark(f, add | FAN_MARK_IGNORE, FAN_OPEN, "dir"), EISDIR);
	CHECK_ERR(f_mark(f, add | FAN_MARK_IGNORE_SURV, FAN_OPEN | FAN_ONDIR, "a"), ENOTDIR);
	CHECK_ERR(f_mark(g, add, FAN_OPEN, "/proc"), ENODEV);
	CHECK_ERR(f_mark(f, FAN_MARK_REMOVE, FAN_OPEN, "a"), ENOENT);
	CHECK_ERR(syscall(SYS_fanotify_mark, f, add | FAN_MARK_MOUNT, (uint64_t)FAN_OPEN, p[0],
			  NULL),
		  EINVAL);
	CHECK(!f_mark(f, add | FAN_MARK_EVICTABLE, FAN_OPEN, "a"));
	CHECK(!f_mark(f, add, FAN_OPEN, "a"));
	CHECK_ERR(f_mark(f, add | FAN_MARK_EVICTABLE, FAN_OPEN, "a"), EEXIST);
	CHECK(!f_mark(f, add | FAN_MARK_IGNORE_SURV, FAN_CLOSE, "a"));
	CHECK_ERR(f_mark(f, add | FAN_MARK_IGNORE, FAN_CLOSE, "a"), EEXIST);
	CHECK_ERR(f_mark(f, add | FAN_MARK_IGNORED_MASK, FAN_CLOSE, "a"), EEXIST);
	CHECK(!f_mark(f, FAN_MARK_FLUSH, 0, "none"));
	CHECK_ERR(f_mark(f, FAN_MARK_REMOVE, FAN_OPEN, "a"), ENOENT);
	close(f);
	close(g);
	close(p[0]);
	close(p[1]);
}

/* Descriptors in events. */
static void test_files(void)
{
	char text[4];
	struct fanotify_event_metadata m;
	struct pollfd pf;
	int n = 0;

	fd = f_init(NOTIF, O_RDONLY);
	pf = (struct pollfd){ fd, POLLIN, 0 };
	CHECK(!f_mark(fd, FAN_MARK_ADD, FAN_OPEN | FAN_ACCESS | FAN_MODIFY | FAN_CLOSE, "a"));
	CHECK(poll(&pf, 1, 0) == 0);
	CHECK_ERR(read(fd, text, sizeof(text)), EAGAIN);
	get("a");
	CHECK(poll(&pf, 1, 0) == 1 && !ioctl(fd, FIONREAD, &n) && n == 24);
	CHECK_ERR(read(fd, text, sizeof(text)), EINVAL);
	EXPECT("ACCESS|CLOSE|OPEN a");
	put("a", "text");
	EXPECT("MODIFY|CLOSE_WRITE|OPEN a");
	get("b");
	EXPECT("");
	/* The directory: its children, itself with FAN_ONDIR. */
	CHECK(!f_mark(fd, FAN_MARK_ADD, FAN_OPEN | FAN_EVENT_ON_CHILD, "dir"));
	get("dir/x");
	close(open("dir", O_RDONLY));
	close(open("dir/sub", O_RDONLY));
	EXPECT("OPEN x");
	CHECK(!f_mark(fd, FAN_MARK_ADD, FAN_ONDIR, "dir"));
	close(open("dir", O_RDONLY));
	close(open("dir/sub", O_RDONLY));
	EXPECT("OPEN dir; OPEN sub");
	/* What is done by an event's descriptor is no event. */
	get("dir/x");
	CHECK(read(fd, &m, sizeof(m)) == sizeof(m) && m.fd >= 0 && read(m.fd, text, 1) == 1);
	close(m.fd);
	EXPECT("");
	/* Ignored: until the file is modified, or for good. */
	CHECK(!f_mark(fd, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, "a"));
	get("a");
	EXPECT("ACCESS|CLOSE a");
	put("a", "text");
	get("a");
	EXPECT("ACCESS|MODIFY|CLOSE_WRITE|CLOSE|OPEN a");
	CHECK(!f_mark(fd, FAN_MARK_ADD | FAN_MARK_IGNORE_SURV, FAN_OPEN | FAN_ACCESS, "a"));
	put("a", "text");
	get("a");
	EXPECT("MODIFY|CLOSE_WRITE|CLOSE a");
	CHECK(!f_mark(fd, FAN_MARK_REMOVE | FAN_MARK_IGNORE, FAN_OPEN, "a"));
	get("a");
	EXPECT("CLOSE|OPEN a");
	CHECK(!f_mark(fd, FAN_MARK_REMOVE, FAN_OPEN | FAN_ACCESS | FAN_MODIFY | FAN_CLOSE, "a"));
	get("a");
	EXPECT("");
	close(fd);
}

static void test_mount(void)
{
	fd = f_init(NOTIF, O_RDONLY);
	CHECK(!f_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN | FAN_ONDIR, "a"));
	CHECK(!f_mark(fd, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY,
		      FAN_OPEN, "b"));
	get("dir/x");
	get("b");
	close(open("dir/sub", O_RDONLY));
	EXPECT("OPEN x; OPEN sub");
	/* Another mount of the same files is another matter. */
	CHECK(!mount("dir", "bound", NULL, MS_BIND, NULL));
	get("bound/x");
	EXPECT("");
	CHECK(!f_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_CLOSE, "bound"));
	get("bound/x");
	EXPECT("CLOSE x");
	CHECK(!f_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_ACCESS, "bound/x"));
	CHECK(!umount("bound"));
	get("dir/x");
	EXPECT("CLOSE|OPEN x");
	CHECK(!f_mark(fd, FAN_MARK_FLUSH | FAN_MARK_MOUNT, 0, NULL));
	get("dir/x");
	EXPECT("CLOSE x");
	CHECK(!f_mark(fd, FAN_MARK_FLUSH | FAN_MARK_FILESYSTEM, 0, NULL));
	get("dir/x");
	EXPECT("");
	close(fd);
}

/* All that happens to names, as one kind of instance reports it. */
static void changes(void)
{
	struct stat st;

	put("dir/new", "x");
	mkdir("dir/d2", 0755);
	link("dir/new", "dir/l");
	rename("dir/new", "dir/moved");
	rename("dir/moved", "dir/sub/m");
	chmod("dir/sub/m", 0600);
	unlink("dir/l");
	unlink("dir/sub/m");
	rmdir("dir/d2");
	stat("dir", &st);
}

#define CHANGES (FAN_CREATE | FAN_DELETE | FAN_MOVE | FAN_ATTRIB | FAN_DELETE_SELF | FAN_MOVE_SELF)

static void test_fids(void)
{
	fd = f_init(NOTIF | FAN_REPORT_FID, 0);
	CHECK(!f_mark(fd, FAN_MARK_ADD, CHANGES | FAN_ONDIR | FAN_EVENT_ON_CHILD, "dir"));
	changes();
	EXPECT("FROM|TO|CREATE|DELETE fid(dir); CREATE|DELETE|DIR fid(dir)");
	CHECK(!f_mark(fd, FAN_MARK_FLUSH, 0, NULL));
	CHECK(!f_mark(fd, FAN_MARK_ADD, FAN_OPEN | FAN_ATTRIB | FAN_DELETE_SELF, "a"));
	get("a");
	chmod("a", 0644);
	EXPECT("ATTRIB|OPEN fid(a)");
	close(fd);
	fd = f_init(NOTIF | FAN_REPORT_DIR_FID, 0);
	CHECK(!f_mark(fd, FAN_MARK_ADD, CHANGES | FAN_OPEN | FAN_ONDIR | FAN_EVENT_ON_CHILD,
		      "dir"));
	CHECK(!f_mark(fd, FAN_MARK_ADD, FAN_OPEN, "a"));
	changes();
	get("a");
	EXPECT("OPEN|FROM|TO|CREATE|DELETE dfid(dir); CREATE|DELETE|DIR dfid(dir); "
	       "OPEN fid(fanotify-test)");
	close(fd);
	fd = f_init(NOTIF | FAN_REPORT_DIR_FID | FAN_REPORT_FID, 0);
	CHECK(!f_mark(fd, FAN_MARK_ADD, CHANGES | FAN_OPEN | FAN_ONDIR | FAN_EVENT_ON_CHILD,
		      "dir"));
	changes();
	EXPECT("FROM|TO|CREATE|DELETE dfid(dir); OPEN dfid(dir) fid(gone); "
	       "CREATE|DELETE|DIR dfid(dir)");
	close(fd);
	fd = f_init(NOTIF | FAN_REPORT_DFID_NAME, 0);
	CHECK(!f_mark(fd, FAN_MARK_ADD, CHANGES | FAN_OPEN | FAN_ONDIR | FAN_EVENT_ON_CHILD,
		      "dir"));
	changes();
	close(open("dir", O_RDONLY));
	EXPECT("OPEN|FROM|CREATE dfid+name(dir,new); CREATE|DELETE|DIR dfid+name(dir,d2); "
	       "CREATE|DELETE dfid+name(dir,l); FROM|TO dfid+name(dir,moved); "
	       "OPEN|DIR dfid+name(dir,.)");
	close(fd);
	fd = f_init(NOTIF | FAN_REPORT_DFID_NAME_TARGET, 0);
	CHECK(!f_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, CHANGES | FAN_RENAME | FAN_ONDIR,
		      "dir"));
	changes();
	EXPECT("FROM|CREATE dfid+name(dir,new) fid(gone); "
	       "CREATE|DELETE|DIR dfid+name(dir,d2) fid(gone); "
	       "ATTRIB|DELETE_SELF|MOVE_SELF fid(gone); "
	       "CREATE|DELETE dfid+name(dir,l) fid(gone); "
	       "RENAME old(dir,new) new(dir,moved) fid(gone); "
	       "FROM|TO dfid+name(dir,moved) fid(gone); "
	       "RENAME old(dir,moved) new(sub,m) fid(gone); "
	       "ATTRIB|TO|DELETE dfid+name(sub,m) fid(gone); DELETE_SELF|DIR dfid+name(gone,.)");
	CHECK(!f_mark(fd, FAN_MARK_FLUSH | FAN_MARK_FILESYSTEM, 0, NULL));
	CHECK(!f_mark(fd, FAN_MARK_ADD, FAN_RENAME, "dir"));
	CHECK_ERR(f_mark(fd, FAN_MARK_ADD, FAN_CREATE, "a"), ENOTDIR);
	changes();
	EXPECT("RENAME old(dir,new) new(dir,moved) fid(gone); RENAME old(dir,moved) fid(gone)");
	close(fd);
}

static void test_overflow(void)
{
	char name[32];
	FILE *f = fopen("/proc/sys/fs/fanotify/max_queued_events", "r+");
	int old = 0;

	CHECK(f && fscanf(f, "%d", &old) == 1 && old == 16384);
	rewind(f);
	CHECK(fprintf(f, "3\n") == 2 && !fflush(f));
	fd = f_init(NOTIF, O_RDONLY);
	rewind(f);
	CHECK(fprintf(f, "%d\n", old) == 6 && !fclose(f));
	CHECK(!f_mark(fd, FAN_MARK_ADD, FAN_OPEN | FAN_EVENT_ON_CHILD, "dir"));
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "dir/o%d", i);
		put(name, "");
	}
	EXPECT("OPEN o0; OPEN o1; OPEN o2; OVERFLOW");
	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "dir/o%d", i);
		unlink(name);
	}
	close(fd);
}

/* The number of a permission event that was read and its file. */
static struct fanotify_event_metadata next_question(void)
{
	struct fanotify_event_metadata m = { .fd = -1 };

	CHECK(read(fd, &m, sizeof(m)) == sizeof(m) && m.fd >= 0);
	return m;
}

static int answer(int file, unsigned response)
{
	struct fanotify_response r = { file, response };
	int done = write(fd, &r, sizeof(r)) == sizeof(r);

	close(file);
	return done;
}

/* A child that opens and reads @name: 0, or the errno of the open, or 100 and that of the read. */
static pid_t reader(const char *name)
{
	pid_t pid = fork();
	char c;

	if (pid == 0) {
		int f;

		close(fd); /* the last one must be the parent's */
		f = open(name, O_RDONLY);
		if (f < 0)
			_exit(errno);
		_exit(read(f, &c, 1) < 0 ? 100 + errno : 0);
	}
	return pid;
}

static int ended_with(pid_t pid, int code)
{
	int status = -1;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == code;
}

static void test_permission(void)
{
	struct fanotify_event_metadata m;
	struct fanotify_response r = { 77, FAN_ALLOW };
	pid_t pid;

	fd = f_init(FAN_CLASS_CONTENT, O_RDONLY);
	CHECK_ERR(f_mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM, "/proc/version"), EINVAL);
	CHECK(!f_mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM | FAN_ACCESS_PERM, "a"));
	CHECK_ERR(write(fd, &r, 4), EINVAL);
	CHECK_ERR(write(fd, &r, sizeof(r)), ENOENT);
	r.response = 7;
	CHECK_ERR(write(fd, &r, sizeof(r)), EINVAL);
	pid = reader("a");
	m = next_question();
	CHECK(m.mask == FAN_OPEN_PERM && m.pid == pid && !strcmp(last_of(m.fd), "a"));
	CHECK(waitpid(pid, NULL, WNOHANG) == 0 && answer(m.fd, FAN_ALLOW));
	m = next_question();
	CHECK(m.mask == FAN_ACCESS_PERM && answer(m.fd, FAN_DENY) && ended_with(pid, 100 + EPERM));
	pid = reader("a");
	m = next_question();
	CHECK(answer(m.fd, FAN_DENY) && ended_with(pid, EPERM));
	/* Killed while it waits, asked or not yet asked. */
	pid = reader("a");
	m = next_question();
	CHECK(!kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid);
	CHECK(answer(m.fd, FAN_ALLOW));
	CHECK(!f_mark(fd, FAN_MARK_ADD, FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM, "prog"));
	pid = fork();
	if (pid == 0) {
		execl("./prog", "prog", NULL);
		_exit(errno);
	}
	m = next_question();
	CHECK(m.mask == FAN_OPEN_EXEC_PERM && answer(m.fd, FAN_ALLOW));
	m = next_question();
	CHECK(m.mask == FAN_OPEN_PERM && answer(m.fd, FAN_DENY) && ended_with(pid, EPERM));
	/* With the instance goes the question. */
	pid = reader("a");
	m = next_question();
	close(m.fd);
	close(fd);
	CHECK(ended_with(pid, 0));
}

static int as_stranger(void)
{
	if (setuid(12345))
		return 1;
	if (f_init(FAN_CLASS_NOTIF, O_RDONLY) != -1 || errno != EPERM)
		return 2;
	if (f_init(FAN_REPORT_FID | FAN_UNLIMITED_MARKS, O_RDONLY) != -1 || errno != EPERM)
		return 3;
	fd = f_init(NOTIF | FAN_REPORT_FID, O_RDONLY);
	if (fd < 0)
		return 4;
	if (f_mark(fd, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, "a") != -1 || errno != EPERM)
		return 5;
	if (f_mark(fd, FAN_MARK_ADD, FAN_OPEN, "secret") != -1 || errno != EACCES)
		return 6;
	if (f_mark(fd, FAN_MARK_ADD, FAN_OPEN, "a"))
		return 7;
	get("a");
	return strstr(events(), "bad") ? 8 : 0; /* its own number is told */
}

static void test_rest(void)
{
	char line[256], want[128];
	struct stat st;
	FILE *f;
	int found = 0;
	pid_t pid;

	fd = f_init(NOTIF | FAN_REPORT_PIDFD, O_RDONLY);
	CHECK(!f_mark(fd, FAN_MARK_ADD, FAN_OPEN | FAN_OPEN_EXEC, "a"));
	CHECK(!f_mark(fd, FAN_MARK_ADD, FAN_OPEN_EXEC, "prog"));
	get("a");
	EXPECT("OPEN a pidfd(yes)");
	pid = fork();
	if (pid == 0) {
		execl("./prog", "prog", NULL);
		_exit(errno);
	}
	CHECK(ended_with(pid, ENOEXEC) && strstr(events(), "EXEC (bad) prog pidfd("));
	REQUIRE(!stat("a", &st));
	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", fd);
	snprintf(want, sizeof(want), "fanotify ino:%llx sdev:", (unsigned long long)st.st_ino);
	f = fopen(line, "r");
	while (f && fgets(line, sizeof(line), f)) {
		found += !strcmp(line, "fanotify flags:82 event-flags:20000\n");
		found += strstr(line, want) && strstr(line, " mflags:0 mask:1020 ignored_mask:0 ");
	}
	CHECK(found == 2);
	fclose(f);
	close(fd);
	/* A file that goes takes its marks along. */
	put("short", "x");
	fd = f_init(NOTIF | FAN_REPORT_FID, O_RDONLY);
	CHECK(!f_mark(fd, FAN_MARK_ADD, FAN_DELETE_SELF, "short") && !unlink("short"));
	EXPECT("DELETE_SELF fid(gone)");
	close(fd);
	CHECK(in_child(as_stranger) == 0);
}

int main(void)
{
	alarm(TAP_LIMIT);
	mkdir(TOP, 0755);
	REQUIRE(!mount("none", TOP, "tmpfs", 0, NULL) && !chdir(TOP) && !chmod(".", 0755));
	mkdir("dir", 0755);
	mkdir("dir/sub", 0755);
	mkdir("bound", 0755);
	put("a", "text");
	put("b", "text");
	put("dir/x", "text");
	put("prog", "text");
	put("secret", "text");
	chmod("prog", 0755);
	chmod("secret", 0600);
	test_init();
	test_mark();
	test_files();
	test_mount();
	test_fids();
	test_overflow();
	test_permission();
	test_rest();
	CHECK(!chdir("/") && !umount2(TOP, MNT_DETACH));
	return tap_done();
}
