/*
 * Stopping and continuing whole processes (job control).
 *
 * A stop signal's default action begins in the thread that takes it: every thread of the group gets
 * TJ_STOP_PENDING, is counted in proc.stop_count, and stops on its way to user mode. The last one
 * to stop makes the process stopped and tells the parent. SIGCONT, at its sending, and SIGKILL undo
 * it: signal_send.c. A thread that sleeps in the kernel is woken for the stop, and its system call
 * begins again afterwards as if nothing had been.
 *
 * A traced thread takes part in a group stop by a trap (ptrace_stop.c), and its tracer may let it
 * go on while the group stays stopped. So a stop may begin in a process that is stopped already;
 * TJ_STOP_COUNTED tells who is waited for.
 */
#include "kernel/proc/internal.h"
#include "kernel/sched/sched.h"

/*
 * Tell @p's parent that it stopped or continued; of the latter a tracer of its leader learns, too.
 * ctx: thread, no lock held.
 */
void signal_notify_stop(struct proc *p, int code)
{
	struct task *leader;

	proc_tree_lock();
	signal_notify_parent_locked(
		p, code, code == CLD_STOPPED ? READ_ONCE(p->stop_code) & 0x7f : SIGCONT, true);
	leader = p->leader;
	if (code == CLD_CONTINUED && leader && leader->trace.tracer &&
	    leader->trace.tracer->proc != p->parent)
		ptrace_notify_tracer_locked(leader, SIGCHLD, code, SIGCONT);
	proc_tree_unlock();
}

/*
 * @t has to stop, trap or tell (@bits), unless it is to die. ctx: any; holds: siglock. True: it
 * will.
 */
bool signal_set_jobctl_locked(struct task *t, u32 bits)
{
	if (READ_ONCE(t->thread.killed) || (t->jobctl & TJ_EXITING))
		return false;
	word_or(&t->jobctl, bits);
	return true;
}

/*
 * @t need not stop or trap (@bits) any more; with nothing left to wait for, its tracer's wait ends.
 * ctx: any; holds: siglock.
 */
void signal_clear_jobctl_locked(struct task *t, u32 bits)
{
	if (bits & TJ_STOP_PENDING)
		bits |= TJ_STOP_COUNTED | TJ_STOP_TAKEN;
	word_and(&t->jobctl, ~bits);
	if (!(t->jobctl & (TJ_STOP_PENDING | TJ_TRAPS)))
		ptrace_trapping_done_locked(t);
}

/*
 * @t takes part in the group stop, by stopping or by ending. ctx: any; holds: siglock. True: the
 * process is stopped now, and its parent is to be told.
 */
bool signal_stop_join_locked(struct task *t)
{
	struct proc *p = t->proc;
	bool counted = t->jobctl & TJ_STOP_COUNTED;

	signal_clear_jobctl_locked(t, TJ_STOP_PENDING);
	if (!counted || !p->stop_count || --p->stop_count || p->stopped)
		return false;
	p->stopped = true;
	p->continued = false;
	p->cld_pending = 0;
	return true;
}

/* Current's group begins to stop for @sig. holds: siglock */
static void stop_spread_locked(struct task *t, int sig)
{
	struct proc *p = t->proc;
	struct task *other;

	if (!p->stopped)
		p->stop_code = sig;
	p->stop_count = 0;
	list_for_each(other, &p->tasks, proc_link) {
		if (other->jobctl & TJ_STOPPED)
			continue;
		if (!signal_set_jobctl_locked(other, TJ_STOP_PENDING | TJ_STOP_COUNTED))
			continue;
		other->stop_signal = (u32)sig;
		p->stop_count++;
		if (other == t)
			continue;
		if (other->trace.flags & TRACE_SEIZED)
			ptrace_trap_notify_locked(other);
		else
			signal_wake_task(other, false);
	}
}

/*
 * Current took the stop signal @sig: the group stops. Nothing happens when a SIGCONT or SIGKILL
 * came in between.
 * ctx: thread; holds: siglock.
 */
void signal_stop_begin_locked(struct task *t, int sig)
{
	struct proc *p = t->proc;

	if ((t->jobctl & TJ_STOP_PENDING) || !(t->jobctl & TJ_STOP_TAKEN))
		return;
	if (p->group_exit || p->exec_task)
		return;
	stop_spread_locked(t, sig);
}

/*
 * @child, a new thread of current's process, joins a group stop that has begun. ctx: thread; holds:
 * siglock.
 */
void signal_stop_inherit_locked(struct task *child)
{
	struct task *self = current_task();
	struct proc *p = self->proc;

	child->stop_signal = self->stop_signal;
	if (p->stop_count) {
		p->stop_count++;
		child->jobctl |= TJ_STOP_PENDING | TJ_STOP_COUNTED;
	} else if (p->stopped) {
		child->jobctl |= TJ_STOP_PENDING;
	}
}

/*
 * Current, which is not traced, has TJ_STOP_PENDING: stop until continued, killed or traced.
 * ctx: thread; holds: siglock, taken with @flags, and releases it; sleeps.
 */
void signal_stop_wait(struct task *t, u64 flags)
{
	struct proc *p = t->proc;
	bool complete = signal_stop_join_locked(t);

	word_or(&t->jobctl, TJ_STOPPED);
	spin_unlock_irqrestore(&p->siglock, flags);
	if (complete)
		signal_notify_stop(p, CLD_STOPPED);
	for (;;) {
		sched_prepare(TS_STOPPED);
		if (!(READ_ONCE(t->jobctl) & TJ_STOPPED))
			break;
		schedule();
	}
	sched_cancel();
}
