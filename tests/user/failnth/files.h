#pragma once
/* Files: names, data, attributes, locks, mounts. */
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include "engine.h"

#define DIR "/tmp/failnth"
#define LONG_NAME DIR "/a-name-that-does-not-fit-into-what-a-dentry-keeps-of-short-ones-by-itself"

static int dir_make(void)
{
	return mkdir(DIR, 0755) ? -1 : closed(open(DIR "/file", O_CREAT | O_RDWR, 0644)) < 0;
}

static void dir_drop(void)
{
	static const char *const names[] = { "file", "other", "link", "new", "third" };
	char path[64];

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), DIR "/%s", names[i]);
		unlink(path);
	}
	unlink(LONG_NAME);
	rmdir(DIR "/sub");
	rmdir(DIR);
}

static long do_create(void)
{
	return closed(open(DIR "/new", O_CREAT | O_RDWR, 0644)) < 0 ? -1 : 0;
}

static long do_create_long(void)
{
	return closed(open(LONG_NAME, O_CREAT | O_RDWR, 0644)) < 0 ? -1 : 0;
}

static long do_open(void)
{
	return closed(open(DIR "/file", O_RDONLY)) < 0 ? -1 : 0;
}

static long do_open_missing(void)
{
	int fd = open(DIR "/missing", O_RDONLY);

	return fd < 0 && errno == ENOENT ? 0 : closed(fd);
}

static long do_tmpfile(void)
{
	int fd = open(DIR, O_TMPFILE | O_RDWR, 0600);
	char path[64];
	long r;

	if (fd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = linkat(AT_FDCWD, path, AT_FDCWD, DIR "/third", AT_SYMLINK_FOLLOW);
	KEEP_ERRNO(close(fd));
	return r;
}

static long do_mkdir(void)
{
	return mkdir(DIR "/sub", 0755);
}

static long do_mknod(void)
{
	return mknod(DIR "/new", S_IFIFO | 0644, 0);
}

static long do_link(void)
{
	return link(DIR "/file", DIR "/other");
}

static long do_symlink(void)
{
	struct stat st;

	if (symlink("/tmp/failnth/file", DIR "/link"))
		return -1;
	return stat(DIR "/link", &st);
}

static long do_rename(void)
{
	return rename(DIR "/file", DIR "/other");
}

static long do_exchange(void)
{
	if (do_create())
		return -1;
	return syscall(SYS_renameat2, AT_FDCWD, DIR "/file", AT_FDCWD, DIR "/new", 2);
}

/* Taking names away must not need memory that may be missing. */
static long do_unlink(void)
{
	return unlink(DIR "/file");
}

static long do_xattr(void)
{
	char buf[256];

	if (setxattr(DIR "/file", "trusted.name", "value", 5, 0))
		return -1;
	if (getxattr(DIR "/file", "trusted.name", buf, sizeof(buf)) < 0)
		return -1;
	if (listxattr(DIR "/file", buf, sizeof(buf)) < 0)
		return -1;
	return removexattr(DIR "/file", "trusted.name");
}

static long do_write(void)
{
	static char data[5 * PAGE];
	int fd = open(DIR "/file", O_RDWR);
	long r;

	if (fd < 0)
		return -1;
	r = write(fd, data, sizeof(data)); /* short when memory ends in between */
	if (r >= 0)
		r = pread(fd, data, sizeof(data), 0);
	if (r >= 0)
		r = ftruncate(fd, 10);
	if (r >= 0)
		r = fallocate(fd, 0, 0, 4 * PAGE);
	if (r >= 0)
		r = fallocate(fd, 3 /* PUNCH_HOLE, KEEP_SIZE */, PAGE, 100);
	KEEP_ERRNO(close(fd));
	return r;
}

static long do_readv_many(void)
{
	static struct iovec iov[200];
	static char bytes[200];
	int fd = open("/dev/zero", O_RDONLY);
	long r;

	if (fd < 0)
		return -1;
	for (int i = 0; i < 200; i++)
		iov[i] = (struct iovec){ &bytes[i], 1 };
	r = readv(fd, iov, 200);
	KEEP_ERRNO(close(fd));
	return r;
}

static long do_getdents(void)
{
	char buf[4096];
	int fd = open("/proc", O_RDONLY | O_DIRECTORY);
	long r;

	if (fd < 0)
		return -1;
	do
		r = syscall(SYS_getdents64, fd, buf, sizeof(buf));
	while (r > 0);
	KEEP_ERRNO(close(fd));
	if (r < 0)
		return -1;
	fd = open(DIR, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return -1;
	do
		r = syscall(SYS_getdents64, fd, buf, sizeof(buf));
	while (r > 0);
	KEEP_ERRNO(close(fd));
	return r;
}

static long do_cwd(void)
{
	char buf[PATH_MAX];
	long r = chdir(DIR);

	if (!r)
		r = syscall(SYS_getcwd, buf, sizeof(buf));
	KEEP_ERRNO(chdir("/"));
	return r < 0 ? -1 : 0;
}

static long do_stats(void)
{
	struct statfs sfs;
	struct stat st;

	if (stat(DIR "/file", &st) || statfs(DIR, &sfs) || access(DIR "/file", R_OK))
		return -1;
	return chmod(DIR "/file", 0600) || utimensat(AT_FDCWD, DIR "/file", NULL, 0) ? -1 : 0;
}

static long do_locks(void)
{
	int fd = open(DIR "/file", O_RDWR);
	struct flock mid = { .l_type = F_WRLCK, .l_start = 10, .l_len = 10 };
	long r;

	if (fd < 0)
		return -1;
	r = flock(fd, LOCK_EX);
	if (!r) {
		mid.l_len = 100;
		r = fcntl(fd, F_SETLK, &mid);
		mid.l_start = 40;
		mid.l_len = 10;
		mid.l_type = F_UNLCK;
		if (!r)
			r = fcntl(fd, F_SETLK, &mid); /* splits it */
		mid.l_type = F_WRLCK;
	}
	if (!r)
		r = fcntl(fd, 37 /* F_OFD_SETLK */, &mid);
	if (r && errno == EAGAIN)
		r = 0; /* against our own POSIX lock */
	KEEP_ERRNO(close(fd));
	return r;
}

static long do_dup(void)
{
	return dup2(fail_fd, 3000) < 0 ? -1 : close(3000);
}

/* In a child, as a table of descriptors never shrinks. */
static long do_dup_child(void)
{
	struct rlimit soft, more = { 4096, 4096 };
	long r;

	getrlimit(RLIMIT_NOFILE, &soft);
	if (setrlimit(RLIMIT_NOFILE, &more))
		return -1;
	r = in_child(do_dup, 0);
	KEEP_ERRNO(setrlimit(RLIMIT_NOFILE, &soft));
	return r;
}

static long do_sendfile(void)
{
	int in = open(self_path, O_RDONLY), out = open(DIR "/other", O_CREAT | O_RDWR, 0644);
	loff_t from = 0, to = 0;
	long r = in < 0 || out < 0 ? -1 : sendfile(out, in, NULL, 3 * PAGE);

	to = 4 * PAGE;
	if (r >= 0)
		r = syscall(SYS_copy_file_range, out, &from, out, &to, 2 * PAGE, 0);
	KEEP_ERRNO((closed(in), closed(out)));
	return r < 0 ? -1 : 0;
}

static long do_mount(void)
{
	if (mkdir(DIR "/sub", 0755))
		return -1;
	if (mount("none", DIR "/sub", "tmpfs", 0, "size=64k,mode=700"))
		return -1;
	return umount2(DIR "/sub", MNT_DETACH);
}

static long do_bind(void)
{
	long r;

	if (mkdir(DIR "/sub", 0755))
		return -1;
	r = mount("/proc", DIR "/sub", NULL, MS_BIND | MS_REC, NULL);
	if (!r)
		r = mount(NULL, DIR "/sub", NULL, MS_SHARED, NULL);
	if (!r)
		r = mount(NULL, DIR "/sub", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
	KEEP_ERRNO(umount2(DIR "/sub", MNT_DETACH));
	return r;
}

static long do_mount_devpts(void)
{
	if (mkdir(DIR "/sub", 0755))
		return -1;
	if (mount("none", DIR "/sub", "devpts", 0, "newinstance,ptmxmode=666") ||
	    umount2(DIR "/sub", MNT_DETACH))
		return -1;
	if (mount("none", DIR "/sub", "proc", 0, NULL) || umount2(DIR "/sub", MNT_DETACH))
		return -1;
	if (mount("none", DIR "/sub", "sysfs", 0, NULL))
		return -1;
	return umount2(DIR "/sub", MNT_DETACH);
}

static void mounts_gone(void)
{
	while (!umount2(DIR "/sub", MNT_DETACH))
		;
	dir_drop();
}

static long do_chroot(void)
{
	return chroot(DIR);
}

static long do_chroot_child(void)
{
	return in_child(do_chroot, 0);
}

static long do_sysfs(void)
{
	static char buf[4096];
	int fd = open("/sys/devices/system/cpu/online", O_RDONLY);
	long r;

	if (fd < 0)
		return -1;
	r = read(fd, buf, sizeof(buf));
	KEEP_ERRNO(close(fd));
	return r;
}

static long do_inotify(void)
{
	struct inotify_event ev[16];
	int fd = inotify_init1(IN_NONBLOCK), file;
	long r;

	if (fd < 0)
		return -1;
	r = inotify_add_watch(fd, DIR, IN_ALL_EVENTS);
	file = r < 0 ? -1 : open(DIR "/new", O_CREAT | O_RDWR, 0644);
	r = file < 0 ? -1 : read(fd, ev, sizeof(ev));
	if (r < 0 && errno == EAGAIN)
		errno = EPROTO; /* an event that finds no memory leaves an overflow event */
	KEEP_ERRNO((closed(file), close(fd)));
	return r;
}

#define WITH_DIR .before = dir_make, .after = dir_drop

static const struct op file_ops[] = {
	{ "create", do_create, WITH_DIR, { ENOSPC, ENFILE } },
	{ "create a long name", do_create_long, WITH_DIR, { ENOSPC, ENFILE } },
	{ "open", do_open, WITH_DIR, { ENFILE } },
	{ "open what is not there", do_open_missing, WITH_DIR, { ENFILE } },
	{ "tmpfile", do_tmpfile, WITH_DIR, { ENOSPC, ENFILE } },
	{ "mkdir", do_mkdir, WITH_DIR, { ENOSPC } },
	{ "mknod", do_mknod, WITH_DIR, { ENOSPC } },
	{ "link", do_link, WITH_DIR, { ENOSPC } },
	{ "symlink", do_symlink, WITH_DIR, { ENOSPC } },
	{ "rename", do_rename, WITH_DIR, { ENOSPC } },
	{ "exchange", do_exchange, WITH_DIR, { ENOSPC, ENFILE } },
	{ "unlink", do_unlink, WITH_DIR },
	{ "xattr", do_xattr, WITH_DIR, { ENOSPC } },
	{ "read, write, allocate", do_write, WITH_DIR, { ENOSPC, ENFILE } },
	{ "readv of many", do_readv_many, .errs = { ENFILE } },
	{ "getdents", do_getdents, WITH_DIR, { ENFILE } },
	{ "chdir, getcwd", do_cwd, WITH_DIR },
	{ "stat, chmod, utimens", do_stats, WITH_DIR },
	{ "locks", do_locks, WITH_DIR, { ENOLCK, ENFILE } },
	{ "dup2 far up", do_dup_child, .child = 1, .errs = { EMFILE } },
	{ "sendfile, copy_file_range", do_sendfile, WITH_DIR, { ENOSPC, ENFILE } },
	{ "mount", do_mount, .before = dir_make, .after = mounts_gone, { ENOSPC } },
	{ "bind mount", do_bind, .before = dir_make, .after = mounts_gone, { ENOSPC } },
	{ "mount devpts, proc, sysfs", do_mount_devpts, dir_make, mounts_gone, { ENOSPC } },
	{ "chroot", do_chroot_child, WITH_DIR, .child = 1 },
	{ "sysfs", do_sysfs, .errs = { ENFILE } },
	{ "inotify", do_inotify, WITH_DIR, { ENFILE, EMFILE, ENOSPC } },
	{ NULL },
};
