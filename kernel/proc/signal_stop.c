/*
 * Stopping and continuing whole processes (job control).
 *
 * A stop signal's default action begins in the thread that takes it: every thread of the group gets
 * TJ_STOP_PENDING and stops on its way to user mode. The last one to stop makes the process stopped
 * (STOP_STOPPED) and tells the parent. SIGCONT, at its sending, and SIGKILL undo it: signal_send.c.
 * A thread that sleeps in the kernel is woken for the stop, and its system call begins again
 * afterwards as if nothing had been.
 */
#include "kernel/proc/internal.h"
#include "kernel/sched/sched.h"

/*
 * Tell @p's parent that it stopped or continued. ctx: thread, no lock held.
 */
void signal_notify_stop(struct proc *p, int code)
{
	proc_tree_lock();
	signal_notify_parent_locked(p, code,
				    code == CLD_STOPPED ? READ_ONCE(p->stop_code) : SIGCONT, true);
	proc_tree_unlock();
}

/* One thread less to wait for. True: the process is stopped now. holds: siglock */
static bool stop_count_down_locked(struct proc *p)
{
	if (p->stop_count && --p->stop_count == 0) {
		p->stop_state = STOP_STOPPED;
		p->continued = false;
		return true;
	}
	return false;
}

/*
 * The exiting thread @t will not stop: the group's stop may be complete without it. ctx: thread;
 * holds: siglock.
 */
void signal_stop_leave_locked(struct task *t, bool *notify)
{
	if (!(t->jobctl & TJ_STOP_PENDING))
		return;
	word_and(&t->jobctl, ~TJ_STOP_PENDING);
	*notify = stop_count_down_locked(t->proc);
}

/*
 * Current took the stop signal @sig: the group stops. False: a SIGCONT or SIGKILL came first.
 * ctx: thread; holds: siglock.
 */
bool signal_stop_begin_locked(struct task *t, int sig)
{
	struct proc *p = t->proc;
	struct task *other;

	if (p->group_exit)
		return false;
	if (p->stop_state != STOP_STOPPED)
		p->stop_code = sig;
	p->stop_state = STOP_STOPPING;
	p->stop_count = 0;
	list_for_each(other, &p->tasks, proc_link) {
		if (other->jobctl & (TJ_EXITING | TJ_STOPPED))
			continue;
		word_or(&other->jobctl, TJ_STOP_PENDING);
		p->stop_count++;
		if (other != t)
			signal_wake_task(other, false);
	}
	return true;
}

/*
 * Current has TJ_STOP_PENDING: stop until continued or killed.
 * ctx: thread; holds: siglock, taken with @flags, and releases it; sleeps.
 */
void signal_stop_wait(struct task *t, u64 flags)
{
	struct proc *p = t->proc;
	bool complete;

	word_and(&t->jobctl, ~TJ_STOP_PENDING);
	word_or(&t->jobctl, TJ_STOPPED);
	complete = stop_count_down_locked(p);
	spin_unlock_irqrestore(&p->siglock, flags);
	if (complete)
		signal_notify_stop(p, CLD_STOPPED);
	while ((READ_ONCE(t->jobctl) & TJ_STOPPED) && !READ_ONCE(p->group_exit)) {
		sched_prepare(TS_STOPPED);
		if (!(READ_ONCE(t->jobctl) & TJ_STOPPED) || READ_ONCE(p->group_exit))
			break;
		schedule();
	}
	sched_cancel();
	word_and(&t->jobctl, ~TJ_STOPPED);
}
