#pragma once
/*
 * Who calls, for those in fs who tell others about it (leases, fanotify): kernel/proc knows.
 * struct pid is its own.
 */
#include "fs/vfs.h"

struct pid;

struct caller_ops {
	/*
	 * The calling process, or its thread, with a reference; NULL: a kernel thread. ctx: thread
	 */
	struct pid *(*get)(bool thread);
	void (*put)(struct pid *p); /* may be NULL. ctx: any */
	u32 (*number)(const struct pid *p); /* 0 for NULL. ctx: any */
	/* A pidfd of it. 0, -ESRCH (it is gone), -ENOMEM. ctx: thread; sleeps */
	int (*open)(struct pid *p, struct file **out);
	u64 (*fd_limit)(void); /* RLIMIT_NOFILE. ctx: thread */
	/* From now on a fatal signal ends waits that no other ends (thread.killed). ctx: thread */
	void (*killable)(bool on);
};
extern const struct caller_ops *caller_ops; /* I after boot */

/* The number of the calling process, 0 of a kernel thread. ctx: thread */
u32 caller_number(void);
