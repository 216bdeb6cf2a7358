/*
 * /proc/PID/fd and fdinfo: the open files of a process. Names are descriptor numbers; a link of fd
 * leads to the open file itself, whatever its path says by now.
 *
 * Who may look is asked at each access (handle_access), not when the directory was opened, as the
 * process may have changed its credentials since. The descriptor table is held by a reference while
 * one entry is looked at: a process that ends or execs meanwhile takes nothing away.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/proc/procfs_pid.h"

/* The descriptor table of @h, if current may look into it. 0, -ESRCH, -EACCES, -ENOENT */
static int fd_table(void *h, struct fdtable **out)
{
	struct task *t;
	int err = handle_access(h, &t);

	if (err)
		return err;
	*out = task_get_files(t);
	task_put(t);
	return *out ? 0 : -ENOENT;
}

/* The first open file at or after @fd. */
static int fd_file(void *h, u64 fd, int *found, struct file **out)
{
	struct fdtable *files;
	int err = fd > 0x7fffffff ? -ENOENT : fd_table(h, &files);

	if (err)
		return err;
	err = fdtable_next(files, (int)fd, found, out);
	fdtable_put(files);
	return err;
}

/* Exactly @fd. */
static int fd_exact(void *h, u64 fd, struct file **out)
{
	int found, err = fd_file(h, fd, &found, out);

	if (!err && (u64)found != fd) {
		file_put(*out);
		err = -ENOENT;
	}
	return err;
}

static int fd_find(void *h, const char *name, u32 len, u64 *key)
{
	struct file *f;
	u64 fd = 0;
	int err;

	if (!len || len > 9 || (name[0] == '0' && len > 1))
		return -ENOENT;
	for (u32 i = 0; i < len; i++) {
		if (!char_is_digit(name[i]))
			return -ENOENT;
		fd = fd * 10 + (u64)(name[i] - '0');
	}
	err = fd_exact(h, fd, &f);
	if (err)
		return err;
	file_put(f);
	*key = fd;
	return 0;
}

static int fd_next(void *h, u64 from, u64 *key, char *name)
{
	struct file *f;
	int fd;

	if (fd_file(h, from, &fd, &f))
		return -ENOENT;
	file_put(f);
	*key = (u64)fd;
	snprintf(name, 12, "%d", fd);
	return 0;
}

static u32 fd_mode(void *h, u64 key)
{
	struct file *f;
	u32 mode = S_IFLNK;

	if (fd_exact(h, key, &f))
		return 0;
	if (f->mode & FILE_READ)
		mode |= S_IRUSR | S_IXUSR;
	if (f->mode & FILE_WRITE)
		mode |= S_IWUSR | S_IXUSR;
	file_put(f);
	return mode;
}

static int fd_link(void *h, u64 key, struct path *out)
{
	struct file *f;
	int err = fd_exact(h, key, &f);

	if (err)
		return err;
	*out = f->path;
	path_get(out);
	file_put(f);
	return 0;
}

static u32 fdinfo_mode(void *h, u64 key)
{
	return S_IFREG | 0444;
}

static int fdinfo_show(struct sbuf *out, void *h, u64 key)
{
	struct fdtable *files;
	struct file *f;
	u32 flags;
	int err = fd_exact(h, key, &f);

	if (err)
		return err;
	flags = READ_ONCE(f->flags);
	if (!fd_table(h, &files)) {
		if (fdtable_get_cloexec(files, (int)key))
			flags |= O_CLOEXEC;
		fdtable_put(files);
	}
	sbuf_printf(out, "pos:\t%lld\nflags:\t0%o\nmnt_id:\t%u\nino:\t%llu\n", (long long)f->pos,
		    flags, f->path.mnt ? f->path.mnt->id : 0,
		    f->inode ? (unsigned long long)f->inode->ino : 0);
	if (f->ops && f->ops->show_fdinfo)
		f->ops->show_fdinfo(f, out);
	file_put(f);
	return 0;
}

const struct procfs_dir_ops pid_fd_dir = {
	.find = fd_find,
	.next = fd_next,
	.mode = fd_mode,
	.link = fd_link,
};
const struct procfs_dir_ops pid_fdinfo_dir = {
	.find = fd_find,
	.next = fd_next,
	.mode = fdinfo_mode,
	.show = fdinfo_show,
};
