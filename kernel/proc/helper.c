/*
 * Programs that the kernel runs on its own account: the receiver of a core dump, the maker of keys.
 *
 * The process is made like init's first thread, not forked from whoever causes it: root's
 * credentials, init's root directory and limits, and what its first function adds. It is init's
 * child, but reaped at its end without anybody waiting (proc.unwaited).
 */
#include <linux/errno.h>
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"
#include "kernel/sched/sched.h"

/* What the new thread is to do; on the stack of the caller, who waits. */
struct helper {
	const char *const *argv, *const *envp; /* I */
	int (*begin)(void *arg); /* I */
	void *arg; /* I */
	int err; /* o: of exec */
	struct completion done;
};

/* First thing the new thread runs; it goes to user mode when this returns. */
static void helper_main(void *arg)
{
	struct helper *h = arg;
	struct exec_args a = {
		.filename = h->argv[0], .lookup = LOOKUP_FOLLOW, .argv = h->argv, .envp = h->envp
	};
	int err = h->begin(h->arg);

	if (!err) {
		fsctx_get_root(&a.at);
		err = proc_exec(&a);
		path_put(&a.at);
	}
	h->err = err;
	completion_done(&h->done);
	if (err)
		proc_exit_group(127 << 8);
}

/* Contract in internal.h. */
int helper_run(const char *const *argv, const char *const *envp, int (*begin)(void *arg), void *arg)
{
	struct helper h = { .argv = argv, .envp = envp, .begin = begin, .arg = arg };
	int err;

	completion_init(&h.done);
	err = proc_start_helper(helper_main, &h);
	if (err)
		return err;
	completion_wait(&h.done);
	return h.err;
}
