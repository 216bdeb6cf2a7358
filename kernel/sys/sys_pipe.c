/*
 * pipe2(2). Both descriptors are reserved before the pipe is made, so nothing needs to be closed
 * again when the second cannot be had.
 *
 * The numbers are copied to the caller before the files are installed: when the copy fails nothing
 * has been visible to other threads, and the reservations are given back.
 */
#include "kernel/sys/abi.h"

static int reserve_pair(bool cloexec, int fds[2])
{
	u64 limit = proc_rlimit(RLIMIT_NOFILE);
	int err = fd_reserve(0, limit, cloexec, &fds[0]);

	if (err)
		return err;
	err = fd_reserve(0, limit, cloexec, &fds[1]);
	if (err)
		fd_unreserve(fds[0]);
	return err;
}

/* pipe2(2). ctx: thread; sleeps */
long sys_pipe2(u64 ufds, u64 flags)
{
	struct file *r, *w;
	int fds[2], err;

	if ((u32)flags & ~(u32)(O_CLOEXEC | O_NONBLOCK | O_DIRECT | O_EXCL))
		return -EINVAL;
	if (flags & O_EXCL) /* a pipe of the kernel's notifications */
		return -ENOPKG;
	err = reserve_pair(flags & O_CLOEXEC, fds);
	if (err)
		return err;
	err = pipe_create((u32)flags, &r, &w);
	if (err)
		goto unreserve;
	err = copy_to_user(ufds, fds, sizeof(fds));
	if (err)
		goto put_files;
	fd_install(fds[0], r);
	fd_install(fds[1], w);
	return 0;
put_files:
	file_put(r);
	file_put(w);
unreserve:
	fd_unreserve(fds[0]);
	fd_unreserve(fds[1]);
	return err;
}
