/*
 * /proc/PID/attr: what a security module knows of a thread, as AppArmor answers where no profile
 * was ever loaded: everybody is unconfined, and no profile can be changed to.
 *
 * man: proc(5), apparmor(7), aa_change_profile(2).
 */
#include <linux/errno.h>
#include "kernel/lib/string.h"
#include "kernel/proc/procfs_pid.h"

static int current_show(struct sbuf *out, void *h)
{
	struct task *t = handle_task(h);

	if (!t)
		return -ESRCH;
	task_put(t);
	sbuf_puts(out, "unconfined\n");
	return 0;
}

static int unset_show(struct sbuf *out, void *h)
{
	return -EINVAL;
}

/* Only a thread itself writes what is its own: 0, -EPERM, -EACCES: another of its process. */
static int check_own(void *h)
{
	struct task *t = handle_task(h);
	int err = 0;

	if (!t || t->proc != current_proc())
		err = -EPERM;
	else if (t != current_task())
		err = -EACCES;
	if (t)
		task_put(t);
	return err;
}

/* A word of @words, each with a space behind it, and a name after it: there is no such profile. */
static ssize_t change(void *h, const char *text, const char *words)
{
	size_t len = strcspn(text, " ");
	int err = check_own(h);
	const char *w;

	if (err)
		return err;
	if (text[len + strspn(text + len, " \n")]) {
		for (w = words; *w; w += strcspn(w, " ") + 1)
			if (!strncmp(w, text, len + 1))
				return -ENOENT;
	}
	return -EINVAL;
}

static ssize_t current_write(void *h, const char *text, size_t n)
{
	return change(h, text, "changeprofile permprofile stack ");
}

static ssize_t exec_write(void *h, const char *text, size_t n)
{
	return change(h, text, "exec stack ");
}

static ssize_t other_write(void *h, const char *text, size_t n)
{
	return change(h, text, "");
}

#define ATTR(name_, show_, write_)                                                          \
	{                                                                                   \
		.name = (name_), .mode = S_IFREG | 0666, .show = (show_), .write = (write_) \
	}
#define OF_APPARMOR                                                                         \
	ATTR("current", current_show, current_write), ATTR("exec", unset_show, exec_write), \
	{                                                                                   \
		.name = "prev", .mode = S_IFREG | 0444, .show = unset_show                  \
	}

static const struct procfs_pid_entry apparmor[] = { OF_APPARMOR, { .name = NULL } };
static const struct procfs_dir_ops apparmor_dir = { .entries = apparmor };
static const struct procfs_pid_entry attrs[] = {
	OF_APPARMOR,
	ATTR("fscreate", unset_show, other_write),
	ATTR("keycreate", unset_show, other_write),
	ATTR("sockcreate", unset_show, other_write),
	{ .name = "apparmor", .mode = S_IFDIR | 0555, .dir = &apparmor_dir },
	{ .name = NULL },
};
const struct procfs_dir_ops pid_attr_dir = { .entries = attrs };
