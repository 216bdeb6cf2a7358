/*
 * wait4(2) and waitid(2).
 *
 * One pass over the children under the tree lock finds one with news (exited, stopped, continued)
 * or says whether there is any that could have some later. Between passes the caller sleeps on its
 * process's child_wait, which every change of a child's state wakes. A zombie is reaped in the pass
 * that finds it, so of several waiters exactly one gets it.
 *
 * Threads that the caller's process traces (ptrace) come after the children: their stops, and their
 * end, which for the leader of a process that is not the caller's child is not the last word: it is
 * then its parent's zombie.
 */
#include <linux/errno.h>
#include <linux/wait.h>
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"
#include "kernel/sched/sched.h"

struct wait_query {
	int which;
	u32 id;
	/* P_PID, P_PGID, P_PIDFD: of the children asked for; NULL: no such number */
	const struct pid *pid;
	int options;
	struct proc_wait_result *out;
	struct proc *reaped; /* out: the process found, with a reference */
	struct dead_list dead; /* out: to be put after unlocking */
};

static bool query_matches(const struct wait_query *q, const struct proc *p)
{
	if (q->which == P_PGID) {
		if (p->pgrp != q->pid)
			return false;
	} else if (q->which != P_ALL && p->pid != q->pid) {
		return false;
	}
	if ((q->options & __WNOTHREAD) && p->creator != current_task()->tid->nr)
		return false;
	if (q->options & __WALL)
		return true;
	return (p->exit_signal != SIGCHLD) == !!(q->options & __WCLONE);
}

static void result_fill(struct wait_query *q, struct proc *p, int code, int status)
{
	struct cred *c = proc_get_cred(p);

	q->out->pid = p->pid->nr;
	q->out->uid = c->uid;
	cred_put(c);
	q->out->code = code;
	q->out->status = status;
	q->reaped = proc_get(p);
}

/* A zombie's usage becomes its parent's children's. holds: tree */
static void usage_pass_on(struct proc *p)
{
	struct proc *parent = p->parent;
	u64 f = spin_lock_irqsave(&parent->siglock);

	proc_usage_add(&parent->kids, &p->dead);
	proc_usage_add(&parent->kids, &p->kids);
	spin_unlock_irqrestore(&parent->siglock, f);
}

static void wait_reap(struct wait_query *q, struct proc *p)
{
	usage_pass_on(p);
	proc_reap_locked(p);
	list_add_tail(&q->dead.procs, &p->sibling);
}

static bool wait_zombie(struct wait_query *q, struct proc *p)
{
	result_fill(q, p, wait_code_of(p->exit_code), p->exit_code);
	if (!(q->options & WNOWAIT))
		wait_reap(q, p);
	return true;
}

static bool wait_stopped(struct wait_query *q, struct proc *p)
{
	int sig = 0;
	u64 f;

	if (!(q->options & WUNTRACED) || !READ_ONCE(p->stopped))
		return false;
	f = spin_lock_irqsave(&p->siglock);
	if (p->stopped)
		sig = p->stop_code;
	if (sig && !(q->options & WNOWAIT))
		p->stop_code = 0;
	spin_unlock_irqrestore(&p->siglock, f);
	if (!sig)
		return false;
	result_fill(q, p, CLD_STOPPED, sig << 8 | 0x7f);
	return true;
}

static bool wait_continued(struct wait_query *q, struct proc *p)
{
	bool yes;
	u64 f;

	if (!(q->options & WCONTINUED) || !READ_ONCE(p->continued))
		return false;
	f = spin_lock_irqsave(&p->siglock);
	yes = p->continued;
	if (yes && !(q->options & WNOWAIT))
		p->continued = false;
	spin_unlock_irqrestore(&p->siglock, f);
	if (!yes)
		return false;
	result_fill(q, p, CLD_CONTINUED, 0xffff);
	return true;
}

/*
 * The child @p: news of it. *any: it could have some later. A zombie that another process traces is
 * not seen before that has waited for it; what we trace ourselves is looked at with the tracees.
 */
static bool wait_child(struct wait_query *q, struct proc *p, bool *any)
{
	const struct task *leader = p->leader ? p->leader : p->dead_leader;
	const struct task *tracer = leader ? leader->trace.tracer : NULL;

	if (p->state == PROC_ZOMBIE && !tracer) {
		if (!(q->options & WEXITED))
			return false;
		*any = true;
		return wait_zombie(q, p);
	}
	*any = true;
	if (tracer && tracer->proc == current_proc())
		return false;
	return wait_stopped(q, p) || wait_continued(q, p);
}

/* --- tracees --- */

static bool query_matches_task(const struct wait_query *q, const struct task *t)
{
	if (q->which == P_PGID)
		return t->proc->pgrp == q->pid;
	return q->which == P_ALL || t->tid == q->pid;
}

static void result_fill_task(struct wait_query *q, struct task *t, int code, int status)
{
	q->out->pid = t->tid->nr;
	q->out->uid = t->thread.cred->uid;
	q->out->code = code;
	q->out->status = status;
	q->reaped = proc_get(t->proc);
}

/* The dead thread @t; its process is a zombie if it is the leader. */
static bool wait_dead(struct wait_query *q, struct task *t)
{
	struct proc *p = t->proc, *tracer = t->trace.tracer->proc;
	bool leader = p->dead_leader == t;
	int status = p->group_exit || leader ? p->exit_code : t->exit_code;

	result_fill_task(q, t, wait_code_of(status), status);
	if (q->options & WNOWAIT)
		return true;
	ptrace_drop_dead_locked(t, &q->dead);
	if (leader && p->parent == tracer)
		wait_reap(q, p);
	else if (leader)
		ptrace_pass_zombie_locked(p, tracer, &q->dead);
	else if (proc_is_empty(p))
		proc_become_zombie_locked(p, &q->dead);
	return true;
}

/* A stop of @t for its tracer that was not reported yet. */
static bool wait_traced(struct wait_query *q, struct task *t)
{
	int code = 0;
	u64 f = spin_lock_irqsave(&t->proc->siglock);

	if ((t->jobctl & (TJ_TRACED | TJ_LISTENING)) == TJ_TRACED)
		code = t->trace.code;
	if (code && !(q->options & WNOWAIT))
		t->trace.code = 0;
	spin_unlock_irqrestore(&t->proc->siglock, f);
	if (!code)
		return false;
	result_fill_task(q, t, CLD_TRAPPED, code << 8 | 0x7f);
	return true;
}

/* As wait_child, for @t that the caller's process traces. */
static bool wait_tracee(struct wait_query *q, struct task *t, bool *any)
{
	struct proc *p = t->proc;

	if (t->trace.flags & TRACE_DEAD) {
		/* The leader is the last to be seen. */
		if (p->dead_leader == t && p->state != PROC_ZOMBIE) {
			if (q->options & (WCONTINUED | WEXITED))
				*any = true;
			return wait_continued(q, p);
		}
		if (!(q->options & WEXITED))
			return false;
		*any = true;
		return wait_dead(q, t);
	}
	*any = true;
	if (wait_traced(q, t))
		return true;
	if (!wait_continued(q, p))
		return false;
	q->out->pid = t->tid->nr;
	return true;
}

static bool wait_tracees_of(struct wait_query *q, struct task *tracer, bool *any)
{
	struct task *t;

	list_for_each(t, &tracer->tracees, trace.link) {
		if (query_matches_task(q, t) && wait_tracee(q, t, any))
			return true;
	}
	return false;
}

static bool wait_tracees(struct wait_query *q, bool *any)
{
	struct task *t;

	if (q->options & __WNOTHREAD)
		return wait_tracees_of(q, current_task(), any);
	list_for_each(t, &current_proc()->tasks, proc_link) {
		if (wait_tracees_of(q, t, any))
			return true;
	}
	return false;
}

/* --- waiting --- */

static bool wait_children(struct wait_query *q, bool *any)
{
	struct proc *p;

	list_for_each(p, &current_proc()->children, sibling) {
		if (query_matches(q, p) && wait_child(q, p, any))
			return true;
	}
	return false;
}

/* 1: found, 0: nothing yet, -ECHILD. */
static int wait_scan(struct wait_query *q)
{
	bool any = false, found;

	proc_tree_lock();
	found = wait_children(q, &any) || (current_proc()->ntracees && wait_tracees(q, &any));
	proc_tree_unlock();
	if (found)
		return 1;
	return any ? 0 : -ECHILD;
}

static long wait_loop(struct wait_query *q)
{
	struct proc *self = current_proc();
	int found = wait_scan(q), err = 0;

	if (found || (q->options & WNOHANG))
		return found;
	err = wait_event_interruptible(&self->child_wait, (found = wait_scan(q)) != 0);
	if (found)
		return found;
	return err ? -ERESTARTSYS : 0;
}

/* The number that the query names, with a reference; NULL when it has none or nobody bears it. */
static struct pid *query_pid(int which, u32 id, struct pid *pidfd)
{
	if (which == P_PIDFD)
		return pid_get(pidfd);
	if (which == P_PGID && id == 0)
		return proc_get_pgrp(current_proc());
	if (which == P_PID || which == P_PGID)
		return pid_lookup(id);
	return NULL;
}

/*
 * Wait for a child: see proc.h. ctx: thread; sleeps.
 * The child's number; 0: WNOHANG and none has news; -ECHILD; -ERESTARTSYS.
 */
long proc_wait(int which, u32 id, struct pid *pidfd, int options, struct proc_wait_result *out)
{
	struct wait_query q = { .which = which,
				.id = id,
				.options = options,
				.out = out,
				.dead = DEAD_LIST_INIT(q.dead) };
	struct pid *pid = query_pid(which, id, pidfd);
	long ret = -ECHILD;

	q.pid = pid;
	if (pid || which == P_ALL)
		ret = wait_loop(&q);
	if (ret == 1) {
		proc_rusage(q.reaped, RUSAGE_BOTH, &out->ru);
		ret = (long)out->pid;
		proc_put(q.reaped);
		dead_list_put(&q.dead);
		mount_prune_gone();
	}
	if (pid)
		pid_put(pid);
	return ret;
}
