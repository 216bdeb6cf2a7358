/*
 * Yama: whom a process may trace besides what its credentials allow.
 *
 * /proc/sys/kernel/yama/ptrace_scope says how much of an administrator one has to be to attach to
 * another process: 0 credentials are enough; 1 the other must be a descendant, or have declared
 * (PR_SET_PTRACER) that one or an ancestor may; 2 CAP_SYS_PTRACE; 3 nobody may, until the next
 * boot. To look without attaching (ACCESS_READ) is never refused here.
 *
 * A declaration holds until its maker or the declared tracer has ended, which is why it is a struct
 * pid and not a process: that one forgets its process, and is never another's.
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/prctl.h>
#include "fs/procfs.h"
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"
#include "kernel/proc/ptrace.h"

enum { SCOPE_CREDENTIALS, SCOPE_RELATIVES, SCOPE_CAPABLE, SCOPE_NOBODY };
static int ptrace_scope; /* a */
static struct pid anybody = { .refs = { { 1 } } }; /* PR_SET_PTRACER_ANY; never freed */

/* Is current's process @p or a descendant of it? holds: tree */
static bool descends_locked(const struct proc *p)
{
	const struct proc *me = current_proc();

	while (me && me != p)
		me = me->parent;
	return me;
}

/* Did the process of @t declare that current may trace it? holds: tree */
static bool is_declared_locked(const struct task *t)
{
	const struct pid *tracer = t->proc->ptracer;

	if (!tracer || tracer == &anybody)
		return tracer;
	if (tracer->proc)
		return descends_locked(tracer->proc);
	return tracer->task && descends_locked(tracer->task->proc);
}

/* Is current's process an ancestor of the one of @t, or its tracer already? holds: tree */
static bool is_related_locked(const struct task *t)
{
	const struct proc *me = current_proc(), *p = t->proc;

	if (t->trace.tracer && t->trace.tracer->proc == me)
		return true;
	while (p && p != me)
		p = p->parent;
	return p;
}

/* See internal.h. */
int ptrace_scope_check_locked(const struct task *t)
{
	int scope = READ_ONCE(ptrace_scope);

	if (scope == SCOPE_CREDENTIALS)
		return 0;
	if (scope != SCOPE_NOBODY && cred_capable(current->cred, CAP_SYS_PTRACE))
		return 0;
	if (scope == SCOPE_RELATIVES && (is_related_locked(t) || is_declared_locked(t)))
		return 0;
	return -EPERM;
}

/* See internal.h. */
bool ptrace_scope_allows(const struct cred *tracer)
{
	int scope = READ_ONCE(ptrace_scope);

	return scope < SCOPE_CAPABLE ||
	       (scope == SCOPE_CAPABLE && cred_capable(tracer, CAP_SYS_PTRACE));
}

/* PR_SET_PTRACER: see ptrace.h. ctx: thread */
int ptrace_declare(u64 nr)
{
	struct pid *pid = (int)nr == -1 ? pid_get(&anybody) : nr ? pid_lookup((u32)nr) : NULL;
	struct proc *p = current_proc();
	struct pid *old;
	int err = -EINVAL;

	proc_tree_lock();
	if (!nr || (pid && (pid == &anybody || pid->proc || pid->task))) {
		old = p->ptracer;
		p->ptracer = pid;
		pid = old;
		err = 0;
	}
	proc_tree_unlock();
	if (pid)
		pid_put(pid);
	return err;
}

/* --- the setting --- */

static int scope_show(struct sbuf *out, void *arg)
{
	sbuf_printf(out, "%d\n", READ_ONCE(ptrace_scope));
	return 0;
}

/* From the highest there is no way back. */
static ssize_t scope_write(const char *text, size_t n, void *arg)
{
	struct sysctl_int s = { .value = &ptrace_scope, .max = SCOPE_NOBODY };

	if (!cred_capable(current->cred, CAP_SYS_PTRACE))
		return -EPERM;
	if (READ_ONCE(ptrace_scope) == SCOPE_NOBODY)
		s.min = SCOPE_NOBODY;
	return sysctl_int_write(text, n, &s);
}
PROC_FILE(ptrace_scope, "sys/kernel/yama/ptrace_scope", 0644, .show = scope_show,
	  .write = scope_write);
