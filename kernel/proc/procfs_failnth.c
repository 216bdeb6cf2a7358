/*
 * /proc/PID/fail-nth and /proc/PID/task/TID/fail-nth: let one allocation of a thread fail.
 *
 * Writing N makes the Nth allocation of memory that the thread makes from then on fail, once;
 * reading tells how many are left until then, 0 when it has failed (or none was asked for). So a
 * test sets 1, does a system call, sees it fail, sets 2, and so on until the call succeeds and the
 * number read says that the failure was not reached: then each allocation on its way has failed
 * once. The count is the thread's alone; a child begins with 0. What fails is in mm/mm_debug.h.
 *
 * Reading and writing allocate nothing themselves, given that the file is open and a position is
 * not needed: a number that changes with its being read would tell nothing.
 *
 * man: Documentation/fault-injection of the Linux kernel, "fail-nth".
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include "kernel/base/cred.h"
#include "kernel/base/uio.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/string.h"
#include "kernel/proc/procfs_pid.h"
#include "mm/mm_debug.h"

#define TEXT_MAX 16

static ssize_t failnth_read(struct file *f, struct uio *u, u64 *pos)
{
	struct task *t = handle_task(f->inode->priv);
	char text[TEXT_MAX];
	ssize_t n;

	if (!t)
		return -ESRCH;
	n = snprintf(text, sizeof(text), "%u\n", mm_fail_nth_get(&t->thread.arch));
	task_put(t);
	if (*pos >= (u64)n)
		return 0;
	n = uio_copy_to(u, text + *pos, (size_t)n - *pos);
	if (n > 0)
		*pos += (u64)n;
	return n;
}

/* Who may exceed limits may do without memory. */
static ssize_t failnth_write(struct file *f, struct uio *u, u64 *pos)
{
	char text[TEXT_MAX];
	const char *end = text;
	struct task *t;
	ssize_t n;
	u64 nth;

	if (!cred_capable(current->cred, CAP_SYS_RESOURCE))
		return -EPERM;
	if (u->left >= sizeof(text))
		return -EINVAL;
	n = uio_copy_from(u, text, u->left);
	if (n < 0)
		return n;
	text[n] = 0;
	if (str_to_u64(text, &end, 0, &nth) || nth > 0x7fffffff || (*end && *end != '\n'))
		return -EINVAL;
	t = handle_task(f->inode->priv);
	if (!t)
		return -ESRCH;
	mm_fail_nth_set(&t->thread.arch, (u32)nth);
	task_put(t);
	return n;
}

/* fail-nth. */
const struct file_ops pid_failnth_ops = {
	.read = failnth_read,
	.write = failnth_write,
};
