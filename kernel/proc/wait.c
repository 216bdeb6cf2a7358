/*
 * wait4(2) and waitid(2).
 *
 * One pass over the children under the tree lock finds one with news (exited, stopped, continued)
 * or says whether there is any that could have some later. Between passes the caller sleeps on its
 * process's child_wait, which every change of a child's state wakes. A zombie is reaped in the pass
 * that finds it, so of several waiters exactly one gets it.
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
	struct proc *reaped; /* out: its tree reference */
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

static bool wait_zombie(struct wait_query *q, struct proc *p)
{
	int status = p->exit_code, code = CLD_EXITED;

	if (p->state != PROC_ZOMBIE || !(q->options & WEXITED))
		return false;
	if (status & 0x7f)
		code = status & 0x80 ? CLD_DUMPED : CLD_KILLED;
	result_fill(q, p, code, status);
	if (q->options & WNOWAIT) {
		q->reaped = proc_get(p);
		return true;
	}
	usage_pass_on(p);
	proc_reap_locked(p);
	q->reaped = p;
	return true;
}

static bool wait_stopped(struct wait_query *q, struct proc *p)
{
	int sig = 0;
	u64 f;

	if (!(q->options & WUNTRACED) || READ_ONCE(p->stop_state) != STOP_STOPPED)
		return false;
	f = spin_lock_irqsave(&p->siglock);
	if (p->stop_state == STOP_STOPPED)
		sig = p->stop_code;
	if (sig && !(q->options & WNOWAIT))
		p->stop_code = 0;
	spin_unlock_irqrestore(&p->siglock, f);
	if (!sig)
		return false;
	result_fill(q, p, CLD_STOPPED, sig << 8 | 0x7f);
	q->reaped = proc_get(p);
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
	q->reaped = proc_get(p);
	return true;
}

/* 1: found, 0: nothing yet, -ECHILD. */
static int wait_scan(struct wait_query *q)
{
	struct proc *self = current_proc(), *p;
	int ret = -ECHILD;

	proc_tree_lock();
	list_for_each(p, &self->children, sibling) {
		if (!query_matches(q, p))
			continue;
		ret = 0;
		if (wait_zombie(q, p) || wait_stopped(q, p) || wait_continued(q, p)) {
			ret = 1;
			break;
		}
	}
	proc_tree_unlock();
	return ret;
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
	struct wait_query q = { .which = which, .id = id, .options = options, .out = out };
	struct pid *pid = query_pid(which, id, pidfd);
	long ret = -ECHILD;

	q.pid = pid;
	if (pid || which == P_ALL)
		ret = wait_loop(&q);
	if (ret == 1) {
		proc_rusage(q.reaped, RUSAGE_BOTH, &out->ru);
		ret = (long)out->pid;
		proc_put(q.reaped);
	}
	if (pid)
		pid_put(pid);
	return ret;
}
