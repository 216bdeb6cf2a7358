/*
 * Process descriptors: pidfd_open(2), CLONE_PIDFD, pidfd_send_signal(2), waitid(P_PIDFD).
 *
 * pidfd_send_signal(2) takes an open /proc/PID directory too, which programs used before there was
 * pidfd_open(2).
 *
 * The file holds a reference to the struct pid, so it names the same process for ever, also when
 * the number is used again. It becomes readable when the process has become a zombie or is gone.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include "fs/procfs.h"
#include "kernel/lib/sbuf.h"
#include "kernel/proc/internal.h"

static struct pid *pid_of(struct file *f)
{
	return f->priv;
}

static void pidfd_release(struct file *f)
{
	pid_put(pid_of(f));
}

static u32 pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct pid *pid = pid_of(f);
	u32 events = 0;

	poll_wait(pt, &pid->exit_wait);
	proc_tree_lock();
	if (!pid->proc || pid->proc->state != PROC_ALIVE)
		events = POLLIN | POLLRDNORM;
	proc_tree_unlock();
	return events;
}

static void pidfd_show(struct file *f, struct sbuf *sb)
{
	struct pid *pid = pid_of(f);
	int nr;

	proc_tree_lock();
	nr = pid->proc ? (int)pid->nr : -1;
	proc_tree_unlock();
	sbuf_printf(sb, "Pid:\t%d\nNSpid:\t%d\n", nr, nr);
}

static const struct file_ops pidfd_ops = {
	.release = pidfd_release,
	.poll = pidfd_poll,
	.show_fdinfo = pidfd_show,
};

/*
 * An open file that names @pid. @flags: O_RDWR and O_NONBLOCK. ctx: thread; sleeps. 0, -ENOMEM,
 * -ENFILE.
 */
int pidfd_create(struct pid *pid, u32 flags, struct file **out)
{
	int err = file_alloc_anon("[pidfd]", &pidfd_ops, pid, FILE_READ | FILE_WRITE | FILE_STREAM,
				  flags, out);

	if (!err)
		pid_get(pid);
	return err;
}

/*
 * The process that descriptor @fd names, with a reference. ctx: thread. 0 or -EBADF.
 */
int pidfd_get_pid(int fd, struct pid **out)
{
	struct file *f;
	int err = fd_get(fd, &f);

	if (err)
		return err;
	if (f->ops == &pidfd_ops)
		*out = pid_get(pid_of(f));
	else
		err = -EBADF;
	file_put(f);
	return err;
}

/* See proc.h. */
int pidfd_get_proc(int fd, struct proc **out)
{
	struct pid *pid;
	int err = pidfd_get_pid(fd, &pid);

	if (err)
		return err;
	proc_tree_lock();
	*out = pid->proc ? proc_get(pid->proc) : NULL;
	proc_tree_unlock();
	pid_put(pid);
	return *out ? 0 : -ESRCH;
}

/* See proc.h. */
int pidfd_get_leader(int fd, struct task **out)
{
	struct proc *p;
	int err = pidfd_get_proc(fd, &p);

	if (err)
		return err;
	*out = proc_get_leader(p);
	proc_put(p);
	return *out ? 0 : -ESRCH;
}

/*
 * Is @fd a process descriptor that does not block? ctx: thread.
 */
bool pidfd_is_nonblock(int fd)
{
	struct file *f;
	bool yes;

	if (fd_get(fd, &f))
		return false;
	yes = f->ops == &pidfd_ops && (READ_ONCE(f->flags) & O_NONBLOCK);
	file_put(f);
	return yes;
}

/*
 * As pidfd_get_pid(); @fd may also be an open /proc/PID directory. ctx: thread. 0 or -EBADF.
 */
int pidfd_get_pid_or_dir(int fd, struct pid **out)
{
	struct file *f;
	int err = fd_get(fd, &f);

	if (err)
		return err;
	*out = f->ops == &pidfd_ops ? pid_of(f) : procfs_dir_task(f);
	if (*out)
		pid_get(*out);
	else
		err = -EBADF;
	file_put(f);
	return err;
}
