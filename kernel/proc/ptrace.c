/*
 * Who traces whom: attaching, detaching, inheriting a tracer, and the ends of both sides.
 *
 * The relation is between threads: task.trace.tracer, and task.tracees of the other. It is made
 * (link_locked) by PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_SEIZE, and by clone for children of traced
 * threads; it ends (unlink_locked) with PTRACE_DETACH or the end of either side. While it lasts
 * WORK_TRACE is set in the traced thread, and while there is any, kernel/sys sends all system calls
 * over a table that looks at that bit: nobody pays for tracing that does not happen.
 *
 * A traced thread that ends stays behind as a dead one: off its process's list, but still bearing
 * its number (pid.dead) and on its tracer's list, with a reference to itself, until the tracer has
 * waited for it. A process is not a zombie before all dead threads but its leader are gone, and a
 * zombie whose leader is still traced shows itself to the tracer first, then to the parent.
 *
 * Locking: the tree lock guards the lists; what a thread knows of its tracer changes under the tree
 * lock and the siglock of its process together. References: ptrace(2).
 */
#include <linux/capability.h>
#include <linux/errno.h>
#include "fs/landlock.h"
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"
#include "kernel/sched/sched.h"

void (*ptrace_calls_hook)(bool any);
static u32 traced; /* T: threads that have a tracer */

static void traced_add_locked(void)
{
	if (traced++ == 0)
		ptrace_calls_hook(true);
}

static void traced_sub_locked(void)
{
	if (--traced == 0)
		ptrace_calls_hook(false);
}

/* holds: tree, @t's siglock. Consumes the reference to @cred. */
static void link_locked(struct task *t, struct task *tracer, u32 flags, struct cred *cred)
{
	t->trace.flags = TRACE_ON | flags;
	t->trace.tracer = tracer;
	t->trace.cred = cred;
	list_add_tail(&tracer->tracees, &t->trace.link);
	tracer->proc->ntracees++;
	word_or(&t->thread.arch.work, WORK_TRACE);
	traced_add_locked();
}

/*
 * @t is its own master again: it goes on, or joins the stop of its group. holds: tree, @t's
 * siglock
 */
static void unlink_locked(struct task *t)
{
	struct proc *p = t->proc;
	struct task_trace *tr = &t->trace;

	list_del(&tr->link);
	tr->tracer->proc->ntracees--;
	traced_sub_locked();
	signal_clear_jobctl_locked(t, TJ_TRAPS);
	ptrace_trapping_done_locked(t);
	cred_put(tr->cred);
	tr->cred = NULL;
	tr->tracer = NULL;
	tr->flags = 0;
	tr->options = 0;
	word_and(&t->thread.arch.work, ~WORK_TRACE);
	if (!(t->jobctl & TJ_EXITING) && (p->stopped || p->stop_count)) {
		word_or(&t->jobctl, TJ_STOP_PENDING);
		if (!t->stop_signal)
			t->stop_signal = SIGSTOP;
	}
	if (t->jobctl & (TJ_STOP_PENDING | TJ_TRACED))
		ptrace_wake_locked(t, true);
}

/* May @cred, current's or the like, control one with @victim and @dumpable? */
static bool creds_cover(const struct cred *cred, const struct cred *victim, bool dumpable)
{
	if (cred_capable(cred, CAP_SYS_PTRACE))
		return true;
	return dumpable && cred->uid == victim->euid && cred->uid == victim->suid &&
	       cred->uid == victim->uid && cred->gid == victim->egid && cred->gid == victim->sgid &&
	       cred->gid == victim->gid && !(victim->permitted & ~cred->permitted);
}

/* --- attaching --- */

/* The thread that made current's process, or another of the parent. holds: tree */
static struct task *parent_thread_locked(const struct proc *p)
{
	struct proc *parent = p->parent;
	struct pid *pid = pid_find_locked(p->creator);

	if (pid && pid->task && pid->task->proc == parent)
		return pid->task;
	if (parent->leader)
		return parent->leader;
	return list_empty(&parent->tasks) ? NULL
					  : list_first(&parent->tasks, struct task, proc_link);
}

/* PTRACE_TRACEME: see ptrace.h. ctx: thread */
int ptrace_traceme(void)
{
	struct task *t = current_task(), *tracer;
	struct proc *p = t->proc;
	struct cred *c;
	int err = -EPERM;
	u64 f;

	proc_tree_lock();
	tracer = p->parent && !t->trace.tracer ? parent_thread_locked(p) : NULL;
	if (!tracer && !t->trace.tracer) {
		err = 0; /* the parent has just ended: it can trace nobody, and that is no error */
		goto out;
	}
	if (tracer) {
		c = task_get_cred(tracer);
		if ((!(current->cred->permitted & ~c->permitted) ||
		     cred_capable(c, CAP_SYS_PTRACE)) &&
		    landlock_may_trace(c, current->cred) && ptrace_scope_allows(c))
			err = 0;
		cred_put(c);
	}
	if (!err) {
		f = spin_lock_irqsave(&p->siglock);
		link_locked(t, tracer, 0, cred_get(current->cred));
		spin_unlock_irqrestore(&p->siglock, f);
	}
out:
	proc_tree_unlock();
	return err;
}

/* PTRACE_O_*: see ptrace.h. ctx: thread */
int ptrace_check_options(u64 options)
{
	const struct task *self = current_task();

	if (options & ~(u64)PTRACE_O_MASK)
		return -EINVAL;
	if (!(options & PTRACE_O_SUSPEND_SECCOMP))
		return 0;
	if (!cred_capable(current->cred, CAP_SYS_ADMIN) || self->seccomp_mode ||
	    (self->trace.options & PTRACE_O_SUSPEND_SECCOMP))
		return -EPERM;
	return 0;
}

/*
 * The part of attaching that must be one step: an exec sees either no tracer, or one that may trace
 * what it is about to become. holds: tree
 */
static int attach_locked(struct task *t, bool seize, u64 options)
{
	struct proc *p = t->proc;
	struct ksiginfo si = { .si_signo = SIGSTOP, .si_code = SI_KERNEL };
	int err = -EPERM;
	u64 f = spin_lock_irqsave(&p->siglock);

	if (t->trace.tracer || list_empty(&t->proc_link))
		goto unlock;
	if (p->exec_cred && !creds_cover(current->cred, p->exec_cred, p->exec_dumpable))
		goto unlock;
	link_locked(t, current_task(), seize ? TRACE_SEIZED : 0, cred_get(current->cred));
	t->trace.options = (u32)options;
	if (!seize)
		(void)signal_send_locked(p, t, SIGSTOP, &si, true);
	/* One that is stopped shall be seen stopped by its tracer, too, not in between. */
	if ((t->jobctl & TJ_STOPPED) && signal_set_jobctl_locked(t, TJ_TRAP_STOP | TJ_TRAPPING)) {
		word_and(&t->jobctl, ~TJ_STOPPED);
		sched_wake(&t->thread, 1u << TS_STOPPED);
	}
	err = 0;
unlock:
	spin_unlock_irqrestore(&p->siglock, f);
	return err;
}

/* PTRACE_ATTACH, PTRACE_SEIZE: see ptrace.h. ctx: thread; sleeps */
int ptrace_attach(struct task *t, bool seize, u64 options)
{
	struct task *self = current_task();
	int err;

	if (t->proc == self->proc)
		return -EPERM;
	proc_tree_lock();
	err = proc_may_access(t, ACCESS_READ | ACCESS_REAL_IDS);
	if (!err)
		err = ptrace_scope_check_locked(t);
	if (!err)
		err = attach_locked(t, seize, options);
	proc_tree_unlock();
	if (err)
		return err;
	word_or(&self->jobctl, TJ_KILLABLE);
	wait_event(&self->proc->child_wait,
		   !(READ_ONCE(t->jobctl) & TJ_TRAPPING) || signal_fatal_pending());
	word_and(&self->jobctl, ~TJ_KILLABLE);
	return 0;
}

/* PTRACE_DETACH: see ptrace.h. ctx: thread */
int ptrace_detach(struct task *t, u64 sig)
{
	struct proc *p = t->proc;
	int err = -ESRCH;
	u64 f;

	proc_tree_lock();
	f = spin_lock_irqsave(&p->siglock);
	if (ptrace_is_mine_locked(t)) {
		err = sig > KSIG_COUNT ? -EIO : 0;
		if (!err) {
			t->trace.code = (int)sig;
			unlink_locked(t);
		}
	}
	spin_unlock_irqrestore(&p->siglock, f);
	proc_tree_unlock();
	return err;
}

/*
 * The new task @child gets current's tracer, too, and begins with a stop. ctx: thread; holds: tree,
 * current's siglock; nobody knows @child yet.
 */
void ptrace_inherit_locked(struct task *child)
{
	const struct task_trace *mine = &current_task()->trace;

	if (!(mine->flags & TRACE_ON))
		return;
	link_locked(child, mine->tracer, mine->flags & TRACE_SEIZED, cred_get(mine->cred));
	child->trace.options = mine->options;
	if (mine->flags & TRACE_SEIZED)
		word_or(&child->jobctl, TJ_TRAP_STOP);
	else
		child->pending.set |= SIGBIT(SIGSTOP);
	child->thread.interrupted = true;
	word_or(&child->thread.arch.work, WORK_SIGNAL);
}

/*
 * May exec give @t, current, more than it has: is there no tracer without the right to trace
 * whomever it likes? ctx: thread; holds: siglock.
 */
bool ptrace_allows_setid(const struct task *t)
{
	return !t->trace.tracer || cred_capable(t->trace.cred, CAP_SYS_PTRACE);
}

/*
 * For /proc/PID/status. ctx: thread.
 */
u32 ptrace_tracer_nr(struct task *t)
{
	u32 nr;

	proc_tree_lock();
	nr = t->trace.tracer ? t->trace.tracer->tid->nr : 0;
	proc_tree_unlock();
	return nr;
}

/* See ptrace.h. ctx: thread */
int ptrace_find(u32 nr, struct task **out)
{
	struct pid *pid;
	int err = 0;

	proc_tree_lock();
	pid = pid_find_locked(nr);
	*out = pid ? (pid->task ? pid->task : pid->dead) : NULL;
	if (*out)
		task_get(*out);
	else
		err = pid && pid->proc ? -EPERM : -ESRCH;
	proc_tree_unlock();
	return err;
}

/* --- telling the tracer --- */

/*
 * SIGCHLD, or @sig, from @t to its tracer, and an end to the tracer's wait: see internal.h. ctx:
 * thread; holds: tree, no siglock.
 */
void ptrace_notify_tracer_locked(struct task *t, int sig, int code, int status)
{
	struct proc *tracer = t->trace.tracer->proc;
	const struct ksigaction *act = &tracer->sighand->action[SIGCHLD - 1];
	bool quiet = code == CLD_STOPPED || code == CLD_TRAPPED || code == CLD_CONTINUED;
	struct ksiginfo si = { .si_signo = sig, .si_code = code };
	s64 user, sys;
	u64 f;

	sched_times(&t->thread, &user, &sys);
	si.si_pid = (int)t->tid->nr;
	si.si_uid = t->thread.cred->uid;
	si.si_status = status;
	si.si_utime = user / (NSEC_PER_SEC / 100);
	si.si_stime = sys / (NSEC_PER_SEC / 100);
	f = spin_lock_irqsave(&tracer->siglock);
	if (sig && !(quiet && ((READ_ONCE(act->flags) & SA_NOCLDSTOP) ||
			       READ_ONCE(act->handler) == (u64)SIG_IGN)))
		(void)signal_send_locked(tracer, NULL, sig, &si, false);
	spin_unlock_irqrestore(&tracer->siglock, f);
	waitq_wake_all(&tracer->child_wait);
}

/*
 * The dead thread @t's tracer can wait for it now. ctx: thread; holds: tree.
 */
void ptrace_notify_dead_locked(struct task *t)
{
	struct proc *p = t->proc;
	int status = p->group_exit ? p->exit_code : t->exit_code;
	bool own = p->dead_leader == t && p->state == PROC_ZOMBIE &&
		   t->trace.tracer->proc == p->parent;

	ptrace_notify_tracer_locked(t, own ? p->exit_signal : SIGCHLD, wait_code_of(status),
				    wait_status_of(status));
}

/* --- the ends --- */

/*
 * Current, a traced thread, leaves its process: it stays for its tracer. ctx: thread; holds: tree
 * and siglock.
 */
void ptrace_leave_dead_locked(struct task *t)
{
	struct proc *p = t->proc;

	if (!t->trace.tracer)
		return;
	task_get(t);
	t->trace.flags |= TRACE_DEAD;
	t->tid->dead = t;
	if (t->tid == p->pid)
		p->dead_leader = t;
	else
		p->ndead++;
}

/*
 * The dead thread @t has no tracer any more and goes. ctx: thread; holds: tree.
 */
void ptrace_drop_dead_locked(struct task *t, struct dead_list *dead)
{
	struct proc *p = t->proc;
	u64 f = spin_lock_irqsave(&p->siglock);

	unlink_locked(t);
	if (p->dead_leader == t)
		p->dead_leader = NULL;
	else
		p->ndead--;
	spin_unlock_irqrestore(&p->siglock, f);
	t->tid->dead = NULL;
	pid_release_locked(t->tid);
	list_add_tail(&dead->tasks, &t->trace.link);
}

/*
 * The zombie @p's leader is not traced any more: it is its parent's. ctx: thread; holds: tree.
 * @tracer: who traced it.
 */
void ptrace_pass_zombie_locked(struct proc *p, const struct proc *tracer, struct dead_list *dead)
{
	bool reap;

	if (p->parent != tracer)
		reap = proc_notify_parent_locked(p);
	else
		reap = proc_ignores_children(tracer);
	if (reap) {
		proc_reap_locked(p);
		list_add_tail(&dead->procs, &p->sibling);
	}
}

/* Current ends; its tracee @t goes on without it. holds: tree */
static void tracer_leaves_locked(struct task *t, struct dead_list *dead)
{
	struct proc *p = t->proc, *tracer = t->trace.tracer->proc;
	bool leader = p->dead_leader == t;
	u64 f;

	if (t->trace.options & PTRACE_O_EXITKILL)
		(void)signal_send_task(t, SIGKILL, NULL);
	if (!(t->trace.flags & TRACE_DEAD)) {
		f = spin_lock_irqsave(&p->siglock);
		unlink_locked(t);
		spin_unlock_irqrestore(&p->siglock, f);
		return;
	}
	ptrace_drop_dead_locked(t, dead);
	if (leader && p->state == PROC_ZOMBIE)
		ptrace_pass_zombie_locked(p, tracer, dead);
	else if (proc_is_empty(p))
		proc_become_zombie_locked(p, dead);
}

/*
 * Current ends: see internal.h. ctx: thread; holds: tree.
 */
void ptrace_exit_tracer_locked(struct task *t, struct dead_list *dead)
{
	struct task *child, *tmp;

	list_for_each_safe(child, tmp, &t->tracees, trace.link)
		tracer_leaves_locked(child, dead);
}

/*
 * The leader that ended before current execs and takes its number: if it was traced, nobody waits
 * for it any more. ctx: thread; holds: tree.
 */
void ptrace_drop_leader_locked(struct proc *p, struct dead_list *dead)
{
	struct task *leader = p->dead_leader;
	struct proc *tracer;

	if (!leader)
		return;
	tracer = leader->trace.tracer->proc;
	ptrace_drop_dead_locked(leader, dead);
	waitq_wake_all(&tracer->child_wait);
}
