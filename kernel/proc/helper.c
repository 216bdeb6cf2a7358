/*
 * Programs that the kernel runs on its own account: the receiver of a core dump.
 *
 * The process is made like init's first thread, not forked from whoever causes it: root's
 * credentials, init's root directory and limits, one descriptor. It is init's child, but reaped at
 * its end without anybody waiting (proc.unwaited).
 */
#include <linux/errno.h>
#include "kernel/lib/string.h"
#include "kernel/proc/coredump.h"
#include "kernel/sched/sched.h"

/* What the new thread is to do; on the stack of the caller, who waits. */
struct helper {
	const char *const *argv; /* I */
	struct file *input; /* I: reference of the caller's */
	int err; /* o: of exec */
	struct completion done;
};

/* First thing the new thread runs; it goes to user mode when this returns. */
static void helper_main(void *arg)
{
	static const char *const no_env[] = { NULL };
	struct helper *h = arg;
	struct exec_args a = {
		.filename = h->argv[0], .lookup = LOOKUP_FOLLOW, .argv = h->argv, .envp = no_env
	};
	int fd, err = fd_reserve(0, 1, false, &fd);

	if (!err) {
		fd_install(fd, file_get(h->input));
		fsctx_get_root(&a.at);
		err = proc_exec(&a);
		path_put(&a.at);
	}
	h->err = err;
	completion_done(&h->done);
	if (err)
		proc_exit_group(127 << 8);
}

/* Contract in coredump.h. */
int helper_run(const char *const *argv, struct file *input)
{
	struct helper h = { .argv = argv, .input = input };
	int err;

	completion_init(&h.done);
	err = proc_start_helper(helper_main, &h);
	if (err)
		return err;
	completion_wait(&h.done);
	return h.err;
}
