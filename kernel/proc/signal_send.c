/*
 * Sending signals: what becomes pending, for whom, and who is woken.
 *
 * A signal is pending for a thread (task->pending) or for the process (proc->pending): a bit, and
 * for most an entry with the siginfo. Signals 1-31 are pending once; real-time ones queue, up to
 * RLIMIT_SIGPENDING of the receiver's user. If no entry can be had the bit alone stands, except for
 * queued real-time signals, whose sender gets EAGAIN.
 *
 * A signal that nobody would notice (ignored and not blocked) is dropped here. One that will
 * certainly kill ends the whole group here: proc->group_exit is set and every thread gets SIGKILL,
 * so SIGKILL always wins over stops and sleeps. Otherwise one thread that does not block it is
 * woken: the one meant, else the leader, else any.
 *
 * Flags kept in step with this state, all on the receiving thread: thread.interrupted (an
 * interruptible wait ends), thread.killed (killable ones too), WORK_SIGNAL (the way to user mode
 * looks). Others only set them; the thread itself clears them (signal_recalc).
 *
 * All under the receiver's siglock with IRQs off: timers send from interrupts.
 */
#include <linux/errno.h>
#include <arch/cpu.h>
#include "kernel/lib/bitmap.h"
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"
#include "kernel/sched/sched.h"

#define SIG_LEGACY_MAX 31

/*
 * An empty set of pending signals. ctx: any.
 */
void sigpending_init(struct sigpending *s)
{
	s->set = 0;
	list_init(&s->queue);
}

/* Free an entry, unless its POSIX timer owns it. holds: siglock */
static void entry_release(struct sigqueue_entry *e)
{
	list_del(&e->link);
	if (!e->user)
		return;
	atomic_dec(&e->user->signals);
	user_put(e->user);
	kmem_cache_free(sigqueue_cache, e);
}

/* Remove the signals of @set. holds: siglock */
static void sigpending_remove(struct sigpending *s, ksigset_t set)
{
	struct sigqueue_entry *e, *tmp;

	if (!(s->set & set))
		return;
	WRITE_ONCE(s->set, s->set & ~set);
	list_for_each_safe(e, tmp, &s->queue, link) {
		if (set & SIGBIT(e->info.si_signo))
			entry_release(e);
	}
}

/*
 * Drop everything pending. ctx: any; holds: siglock.
 */
void sigpending_flush(struct sigpending *s)
{
	sigpending_remove(s, ~0ull);
}

/*
 * Take the signals of @set from the process and all its threads. ctx: any; holds: siglock.
 */
void signal_remove_locked(struct proc *p, ksigset_t set)
{
	struct task *t;

	sigpending_remove(&p->pending, set);
	list_for_each(t, &p->tasks, proc_link)
		sigpending_remove(&t->pending, set);
}

/*
 * @t has a signal to look at; @fatal: it will die of it. ctx: any; holds: siglock.
 */
void signal_wake_task(struct task *t, bool fatal)
{
	u32 states = 1u << TS_SLEEPING;
	u32 cpu;

	if (fatal) {
		WRITE_ONCE(t->thread.killed, true);
		word_and(&t->jobctl, ~(TJ_STOPPED | TJ_TRACED));
		states |= 1u << TS_STOPPED;
		if (READ_ONCE(t->jobctl) & TJ_KILLABLE)
			states |= 1u << TS_BLOCKED;
	}
	WRITE_ONCE(t->thread.interrupted, true);
	word_or(&t->thread.arch.work, WORK_SIGNAL);
	if (sched_wake(&t->thread, states))
		return;
	cpu = READ_ONCE(t->thread.cpu);
	if (cpu != cpu_id() && READ_ONCE(t->thread.se.on_cpu))
		ipi_send(cpu, IPI_RESCHED);
}

/*
 * Set @t's flags by what is pending and not blocked; they are cleared only by the thread itself.
 * ctx: any; holds: siglock.
 */
void signal_recalc(struct task *t)
{
	struct proc *p = t->proc;
	bool yes;

	yes = ((t->pending.set | p->pending.set) & ~t->blocked) ||
	      (t->jobctl & (TJ_STOP_PENDING | TJ_TRAPS)) || p->group_exit || t->thread.killed ||
	      p->cld_pending; /* killed: also by another thread's exec */
	if (yes) {
		WRITE_ONCE(t->thread.interrupted, true);
		word_or(&t->thread.arch.work, WORK_SIGNAL);
	} else if (&t->thread == current) {
		WRITE_ONCE(t->thread.interrupted, false);
		word_and(&t->thread.arch.work, ~WORK_SIGNAL);
	}
}

static u64 handler_of(const struct proc *p, int sig)
{
	return READ_ONCE(p->sighand->action[sig - 1].handler);
}

/*
 * Is @sig without effect for @p: ignored, or by default? ctx: any.
 */
bool signal_is_ignored(struct proc *p, int sig)
{
	u64 h = handler_of(p, sig);

	return h == (u64)SIG_IGN || (h == (u64)SIG_DFL && (KSIG_IGNORED & SIGBIT(sig)));
}

/* Nobody would notice @sig. @forced: the kernel insists, even with init. */
static bool signal_drops(struct proc *p, const struct task *t, int sig, bool forced)
{
	u64 bit = SIGBIT(sig);

	if ((t->blocked | t->wait_set) & bit)
		return false;
	/* A tracer sees also what is ignored. */
	if (t->trace.flags && sig != SIGKILL)
		return false;
	if (p->unkillable && handler_of(p, sig) == (u64)SIG_DFL && !forced)
		return true;
	return signal_is_ignored(p, sig);
}

/* SIGCONT: undo stops, whether it is blocked, ignored or caught. holds: siglock */
static void signal_continue_locked(struct proc *p)
{
	struct task *t;

	signal_remove_locked(p, KSIG_STOPS);
	list_for_each(t, &p->tasks, proc_link) {
		signal_clear_jobctl_locked(t, TJ_STOP_PENDING);
		if (t->trace.flags & TRACE_SEIZED) {
			ptrace_trap_notify_locked(t);
		} else if (t->jobctl & TJ_STOPPED) {
			word_and(&t->jobctl, ~TJ_STOPPED);
			sched_wake(&t->thread, 1u << TS_STOPPED);
		}
	}
	if (!p->stopped && !p->stop_count)
		return;
	/* The parent is told by the first thread that runs. */
	p->cld_pending = p->stopped ? CLD_CONTINUED : CLD_STOPPED;
	p->stopped = false;
	p->stop_count = 0;
	p->stop_code = 0;
	p->continued = true;
	list_for_each(t, &p->tasks, proc_link)
		signal_wake_task(t, false);
}

/* Can @t take @sig? One that is stopped looks at what is pending when it goes on. */
static bool task_takes(const struct task *t, int sig)
{
	if (((t->blocked & ~t->wait_set) & SIGBIT(sig)) || (t->jobctl & TJ_EXITING))
		return false;
	return sig == SIGKILL || !(t->jobctl & (TJ_STOPPED | TJ_TRACED));
}

/*
 * Which thread takes a signal to the process: the leader if it can, else any that does not block
 * it.
 */
static struct task *signal_choose_task(struct proc *p, int sig)
{
	struct task *t, *busy = NULL;

	t = p->leader;
	if (t && task_takes(t, sig))
		return t;
	list_for_each(t, &p->tasks, proc_link) {
		if (!task_takes(t, sig))
			continue;
		if (!READ_ONCE(t->thread.interrupted))
			return t;
		busy = t;
	}
	return busy;
}

/*
 * Every thread of @p dies; the process ends with wait status @code. ctx: any; holds: siglock.
 */
void signal_group_exit_locked(struct proc *p, int code)
{
	struct task *t;

	p->group_exit = true;
	p->exit_code = code;
	p->stopped = false;
	p->stop_count = 0;
	p->cld_pending = 0;
	list_for_each(t, &p->tasks, proc_link) {
		signal_clear_jobctl_locked(t, TJ_STOP_PENDING | TJ_TRAPS);
		signal_wake_task(t, true);
	}
}

/* Will @sig end the process at once, whoever takes it? */
static bool signal_is_fatal(const struct proc *p, const struct task *t, int sig)
{
	u64 bit = SIGBIT(sig);

	if (sig == SIGKILL)
		return true;
	if (handler_of(p, sig) != (u64)SIG_DFL || (bit & (KSIG_IGNORED | KSIG_STOPS | KSIG_CORES)))
		return false;
	return !p->unkillable && !(t->wait_set & bit) && !t->trace.flags;
}

/* @sig is pending: wake who takes it. @t: the thread meant, NULL: the process */
static void signal_complete_locked(struct proc *p, struct task *t, int sig)
{
	if (unlikely(p->sigwatch))
		sigwatch_wake_locked(p);
	if (!t)
		t = signal_choose_task(p, sig);
	else if (!task_takes(t, sig))
		return;
	if (!t)
		return;
	if (signal_is_fatal(p, t, sig)) {
		signal_group_exit_locked(p, sig);
		return;
	}
	signal_wake_task(t, false);
}

static void info_default(struct ksiginfo *out, int sig)
{
	memset(out, 0, sizeof(*out));
	out->si_signo = sig;
	out->si_code = SI_KERNEL;
}

/* An entry that counts against the receiver's user; NULL: limit or memory. holds: siglock */
static struct sigqueue_entry *entry_alloc(struct proc *p, int sig, const struct ksiginfo *info)
{
	struct user_counts *u = p->user;
	struct sigqueue_entry *e;
	u64 limit = READ_ONCE(p->rlim[RLIMIT_SIGPENDING].rlim_cur);

	/*
	 * What the kernel says by a signal that can be pending only once is not held to the limit.
	 */
	if (atomic_add_return(&u->signals, 1) > limit &&
	    (sig > SIG_LEGACY_MAX || (info && info->si_code < 0)))
		goto fail;
	e = kmem_cache_alloc(sigqueue_cache, PMM_NOWAIT);
	if (!e)
		goto fail;
	e->user = user_get(u);
	if (info)
		e->info = *info;
	else
		info_default(&e->info, sig);
	return e;
fail:
	atomic_dec(&u->signals);
	return NULL;
}

/* Before anything else: stops and SIGCONT cancel each other. True: go on. holds: siglock */
static bool signal_prepare_locked(struct proc *p, struct task *t, int sig, bool forced)
{
	struct task *who = t;

	if (p->group_exit || p->ntasks == 0) {
		if (sig == SIGKILL)
			coredump_abort_locked(p);
		return false;
	}
	if (KSIG_STOPS & SIGBIT(sig))
		signal_remove_locked(p, SIGBIT(SIGCONT));
	else if (sig == SIGCONT)
		signal_continue_locked(p);
	if (!who)
		who = p->leader ? p->leader : list_first(&p->tasks, struct task, proc_link);
	return !signal_drops(p, who, sig, forced);
}

/*
 * Make @sig pending for @t, or for the process when @t is NULL. @forced: as a fault, reaches init
 * too.
 * ctx: any; holds: siglock. 0 or -EAGAIN.
 */
int signal_send_locked(struct proc *p, struct task *t, int sig, const struct ksiginfo *info,
		       bool forced)
{
	struct sigpending *s = t ? &t->pending : &p->pending;
	struct sigqueue_entry *e = NULL;

	if (!signal_prepare_locked(p, t, sig, forced))
		return 0;
	if (sig <= SIG_LEGACY_MAX && (s->set & SIGBIT(sig)))
		return 0;
	if (sig != SIGKILL) {
		e = entry_alloc(p, sig, info);
		if (e)
			list_add_tail(&s->queue, &e->link);
		else if (sig > SIG_LEGACY_MAX && info && info->si_code != SI_USER)
			return -EAGAIN;
	}
	WRITE_ONCE(s->set, s->set | SIGBIT(sig));
	signal_complete_locked(p, t, sig);
	return 0;
}

/*
 * Queue a POSIX timer's own entry. ctx: any; holds: siglock. 0, or 1 when it is queued already or
 * ignored.
 */
int signal_send_entry(struct proc *p, struct task *t, struct sigqueue_entry *e)
{
	struct sigpending *s = t ? &t->pending : &p->pending;
	int sig = e->info.si_signo;

	if (!list_empty(&e->link) || !signal_prepare_locked(p, t, sig, false))
		return 1;
	list_add_tail(&s->queue, &e->link);
	WRITE_ONCE(s->set, s->set | SIGBIT(sig));
	signal_complete_locked(p, t, sig);
	return 0;
}

/*
 * Send @sig to the thread @t: see signal.h. ctx: any.
 */
int signal_send_task(struct task *t, int sig, const struct ksiginfo *info)
{
	struct proc *p = t->proc;
	int err = 0;
	u64 f;

	if (!sig)
		return 0;
	f = spin_lock_irqsave(&p->siglock);
	if (!(t->jobctl & TJ_EXITING) || sig == SIGKILL)
		err = signal_send_locked(p, t, sig, info, false);
	spin_unlock_irqrestore(&p->siglock, f);
	return err;
}

/*
 * Send @sig to the process @p: see signal.h. ctx: any.
 */
int signal_send_proc(struct proc *p, int sig, const struct ksiginfo *info)
{
	int err;
	u64 f;

	if (!sig)
		return 0;
	f = spin_lock_irqsave(&p->siglock);
	err = signal_send_locked(p, NULL, sig, info, false);
	spin_unlock_irqrestore(&p->siglock, f);
	return err;
}

/*
 * Send @sig to the calling thread, as from itself: a call of its own is the cause. ctx: thread.
 */
void signal_raise(int sig)
{
	struct ksiginfo si;

	siginfo_fill(&si, sig, SI_USER);
	(void)signal_send_task(current_task(), sig, &si);
}

/*
 * Send @sig to every member of @pgrp. ctx: thread. 0, -ESRCH: it has none.
 */
int signal_send_pgrp(struct pid *pgrp, int sig, const struct ksiginfo *info)
{
	struct proc *p;
	int ret = -ESRCH;

	proc_tree_lock();
	list_for_each(p, &pgrp->pgrp, pgrp_link) {
		ret = 0;
		signal_send_proc(p, sig, info);
	}
	proc_tree_unlock();
	return ret;
}

/*
 * Tell @child's parent what became of it. ctx: thread; holds: tree, no siglock.
 * @check_nocldstop: it stopped or continued, which SA_NOCLDSTOP keeps quiet, and SIG_IGN even where
 * the signal is blocked.
 */
void signal_notify_parent_locked(struct proc *child, int code, int status, bool check_nocldstop)
{
	struct proc *parent = child->parent;
	const struct ksigaction *act;
	struct ksiginfo si = { 0 };
	struct cred *c;
	struct proc_usage u;
	u64 f;

	if (!parent)
		return;
	c = proc_get_cred(child);
	f = spin_lock_irqsave(&child->siglock);
	proc_usage_get(child, &u);
	spin_unlock_irqrestore(&child->siglock, f);
	si.si_signo = check_nocldstop ? SIGCHLD : child->exit_signal;
	si.si_code = code;
	si.si_pid = (int)child->pid->nr;
	si.si_uid = c->uid;
	si.si_status = status;
	si.si_utime = u.utime / (NSEC_PER_SEC / 100);
	si.si_stime = u.stime / (NSEC_PER_SEC / 100);
	cred_put(c);
	f = spin_lock_irqsave(&parent->siglock);
	act = &parent->sighand->action[SIGCHLD - 1];
	if (!check_nocldstop ||
	    (READ_ONCE(act->handler) != (u64)SIG_IGN && !(READ_ONCE(act->flags) & SA_NOCLDSTOP)))
		signal_send_locked(parent, NULL, si.si_signo, &si, false);
	spin_unlock_irqrestore(&parent->siglock, f);
	waitq_wake_all(&parent->child_wait);
}

/*
 * @si for a signal that current sends or causes. ctx: thread.
 */
void siginfo_fill(struct ksiginfo *si, int sig, int code)
{
	memset(si, 0, sizeof(*si));
	si->si_signo = sig;
	si->si_code = code;
	si->si_pid = (int)current_proc()->pid->nr;
	si->si_uid = current->cred->uid;
}

/* Next signal of @s outside @mask, 0: none. Faults first: their cause would come again. */
static int pending_next(const struct sigpending *s, ksigset_t mask)
{
	ksigset_t x = s->set & ~mask;

	if (!x)
		return 0;
	if (x & KSIG_SYNCHRONOUS)
		x &= KSIG_SYNCHRONOUS;
	return (int)bit_lowest(x) + 1;
}

/* Take one instance of @sig with its info. holds: siglock */
static void pending_take(struct sigpending *s, int sig, struct ksiginfo *info)
{
	struct sigqueue_entry *e, *first = NULL;
	bool more = false;

	list_for_each(e, &s->queue, link) {
		if (e->info.si_signo != sig)
			continue;
		if (first) {
			more = true;
			break;
		}
		first = e;
	}
	if (!more)
		WRITE_ONCE(s->set, s->set & ~SIGBIT(sig));
	if (!first) {
		memset(info, 0, sizeof(*info));
		info->si_signo = sig;
		info->si_code = SI_USER;
		return;
	}
	*info = first->info;
	if (!first->user)
		ptimer_dequeued_locked(first, info);
	entry_release(first);
}

/*
 * Take the next signal for @t (current) that is not in @mask; *shared: it was sent to the process.
 * ctx: thread; holds: siglock. Its number, 0: none.
 */
int signal_dequeue_from_locked(struct task *t, ksigset_t mask, struct ksiginfo *info, bool *shared)
{
	struct sigpending *s = &t->pending;
	int sig = pending_next(s, mask);

	*shared = !sig;
	if (!sig) {
		s = &t->proc->pending;
		sig = pending_next(s, mask);
	}
	if (sig)
		pending_take(s, sig, info);
	return sig;
}

/*
 * As signal_dequeue_from_locked, for whom it does not matter where it comes from. ctx: thread;
 * holds: siglock. Its number, 0: none.
 */
int signal_dequeue_locked(struct task *t, ksigset_t mask, struct ksiginfo *info)
{
	bool shared;

	return signal_dequeue_from_locked(t, mask, info, &shared);
}
