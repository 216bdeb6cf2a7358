/*
 * Who calls, as fs/caller.h asks: the process or thread that does something to a file, for those
 * who tell others about it.
 *
 * It is kept as struct pid, which stays valid when the process is gone: a pidfd can be made as long
 * as it has not been waited for.
 */
#include <linux/errno.h>
#include <linux/fcntl.h>
#include "fs/caller.h"
#include "kernel/proc/internal.h"

static struct pid *caller_get(bool thread)
{
	if (!current->user)
		return NULL;
	return pid_get(thread ? current_task()->tid : current_proc()->pid);
}

static void caller_put(struct pid *p)
{
	if (p)
		pid_put(p);
}

static u32 caller_nr(const struct pid *p)
{
	return p ? p->nr : 0;
}

static int caller_open(struct pid *p, struct file **out)
{
	bool lives;

	if (!p)
		return -ESRCH;
	proc_tree_lock();
	lives = p->proc;
	proc_tree_unlock();
	return lives ? pidfd_create(p, O_RDWR, out) : -ESRCH;
}

static u64 caller_fd_limit(void)
{
	return proc_rlimit(RLIMIT_NOFILE);
}

static void caller_killable(bool on)
{
	if (!current->user)
		return;
	if (on)
		word_or(&current_task()->jobctl, TJ_KILLABLE);
	else
		word_and(&current_task()->jobctl, ~TJ_KILLABLE);
}

static const struct caller_ops ops = {
	.get = caller_get,
	.put = caller_put,
	.number = caller_nr,
	.open = caller_open,
	.fd_limit = caller_fd_limit,
	.killable = caller_killable,
};

/* See internal.h. ctx: boot */
void caller_init(void)
{
	caller_ops = &ops;
}
