/*
 * The traced side: where a thread stops for its tracer, and what it says.
 *
 * All stops go through stop_locked(): the thread notes code, message and siginfo, parks its user
 * registers (arch/thread.h), sets TJ_TRACED, tells the tracer (SIGCHLD and its wait) and sleeps
 * until TJ_TRACED is gone: by the tracer's will (ptrace_resume), by its end or detaching, or by a
 * deadly signal. The value of the code when it wakes is the signal to go on with. The kinds of
 * stops:
 *
 *   signal delivery   ptrace_signal_locked: each signal but SIGKILL, before its action; the tracer
 *                     may change or drop it
 *   group stop        ptrace_trap_locked: a stop signal's action, as traced threads do it. Of a
 *                     seized thread it is PTRACE_EVENT_STOP, which tells it from the above and
 *                     allows PTRACE_LISTEN: to stay stopped but trap again (TJ_TRAP_NOTIFY) when
 *                     the group goes on. PTRACE_INTERRUPT and new seized children use it, too
 *   events            ptrace_event: clone, exec, exit..., where the options ask for them
 *   system calls      ptrace_syscall_enter and _exit, from kernel/sys. x7 tells which it is
 *   single step       not a stop of its own: the trap raises SIGTRAP. After a system call, and in
 *                     front of a handler, where no instruction traps, it is pretended
 *
 * The tracer and the group's parent are told separately, as if the other were not there.
 *
 * Locking: siglock around the change of state. A tracer that holds it and sees TJ_TRACED may read
 * and write the thread's registers, even if that has not gone to sleep yet.
 */
#include <linux/errno.h>
#include <linux/sched.h>
#include <arch/frame.h>
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"
#include "kernel/sched/sched.h"

#define EVENT_CODE(event) (SIGTRAP | (event) << 8)
#define SYSGOOD 0x80
#define REG_DIRECTION 7

/*
 * Wake @t, which may be interested in what has become of its jobctl; @resume: also from a stop for
 * its tracer. ctx: any; holds: siglock.
 */
void ptrace_wake_locked(struct task *t, bool resume)
{
	if (resume && (t->jobctl & TJ_TRACED)) {
		word_and(&t->jobctl, ~TJ_TRACED);
		sched_wake(&t->thread, 1u << TS_STOPPED);
	}
	signal_wake_task(t, false);
}

/*
 * The seized thread @t is to tell its tracer that its group stops or goes on. ctx: any; holds:
 * siglock.
 */
void ptrace_trap_notify_locked(struct task *t)
{
	if (signal_set_jobctl_locked(t, TJ_TRAP_NOTIFY))
		ptrace_wake_locked(t, t->jobctl & TJ_LISTENING);
}

/*
 * A PTRACE_ATTACH need not wait for @t to trap any more. ctx: any; holds: siglock.
 */
void ptrace_trapping_done_locked(struct task *t)
{
	if (!(t->jobctl & TJ_TRAPPING))
		return;
	word_and(&t->jobctl, ~TJ_TRAPPING);
	if (t->trace.tracer)
		waitq_wake_all(&t->trace.tracer->proc->child_wait);
}

/* Tell tracer and, when a group stop is @complete, parent. */
static void stop_notify(struct task *t, int why, int status, bool complete)
{
	struct proc *p = t->proc;

	proc_tree_lock();
	if (t->trace.tracer)
		ptrace_notify_tracer_locked(t, SIGCHLD, why, status);
	if (complete && (!t->trace.tracer || t->trace.tracer->proc != p->parent))
		signal_notify_parent_locked(p, CLD_STOPPED, READ_ONCE(p->stop_code) & 0x7f, true);
	proc_tree_unlock();
}

static void stop_sleep(struct task *t)
{
	t->thread.wait_addr = __builtin_return_address(0);
	for (;;) {
		sched_prepare(TS_STOPPED);
		if (!(READ_ONCE(t->jobctl) & TJ_TRACED))
			break;
		schedule();
	}
	sched_cancel();
	t->thread.wait_addr = NULL;
}

/*
 * Look at what came while @t, current, was stopped. What it was to look at before stays due even if
 * the tracer has undone its cause: an interrupted call counts on it to begin again. holds: siglock
 */
static void stop_recalc(struct task *t)
{
	bool due = READ_ONCE(t->thread.interrupted);

	signal_recalc(t);
	if (!due)
		return;
	WRITE_ONCE(t->thread.interrupted, true);
	word_or(&t->thread.arch.work, WORK_SIGNAL);
}

/*
 * Current, @t, stops for its tracer. @code: as wait shows it; @why: CLD_* for SIGCHLD.
 * holds: siglock; drops and retakes it. The signal to go on with, 0: none.
 */
static int stop_locked(struct task *t, int code, int why, u64 message, struct ksiginfo *info,
		       u64 *f)
{
	struct proc *p = t->proc;
	bool complete = false;
	int status = why == CLD_STOPPED ? p->stop_code & 0x7f : code & 0x7f;

	if (!(t->trace.flags & TRACE_ON) || READ_ONCE(t->thread.killed))
		return code;
	arch_thread_park();
	t->trace.code = code;
	t->trace.message = message;
	t->trace.info = info;
	word_or(&t->jobctl, TJ_TRACED);
	if (why == CLD_STOPPED && (t->jobctl & TJ_STOP_PENDING))
		complete = signal_stop_join_locked(t);
	word_and(&t->jobctl, ~TJ_TRAP_STOP);
	if (info && info->si_code >> 8 == PTRACE_EVENT_STOP)
		word_and(&t->jobctl, ~TJ_TRAP_NOTIFY);
	ptrace_trapping_done_locked(t);
	spin_unlock_irqrestore(&p->siglock, *f);
	stop_notify(t, why, status, complete);
	stop_sleep(t);
	*f = spin_lock_irqsave(&p->siglock);
	code = t->trace.code;
	t->trace.code = 0;
	t->trace.message = 0;
	t->trace.info = NULL;
	word_and(&t->jobctl, ~TJ_LISTENING);
	arch_thread_unpark();
	arch_thread_step(t->trace.flags & TRACE_STEP);
	stop_recalc(t);
	return code;
}

/* A stop whose siginfo says no more than the code. */
static int stop_plain_locked(struct task *t, int sig, int code, int why, u64 message, u64 *f)
{
	struct ksiginfo si;

	siginfo_fill(&si, sig, code);
	si.si_pid = (int)t->tid->nr;
	return stop_locked(t, code, why, message, &si, f);
}

static int stop_for(struct task *t, int code, u64 message)
{
	u64 f = spin_lock_irqsave(&t->proc->siglock);
	int sig = stop_plain_locked(t, SIGTRAP, code, CLD_TRAPPED, message, &f);

	spin_unlock_irqrestore(&t->proc->siglock, f);
	return sig;
}

/*
 * Current took the signal @sig with @si: its tracer decides. @shared: it was for the process.
 * ctx: thread; holds: siglock; drops and retakes it; sleeps. What to act on, 0: nothing.
 */
int ptrace_signal_locked(struct task *t, int sig, struct ksiginfo *si, bool shared, u64 *f)
{
	int pid = (int)t->trace.tracer->tid->nr;
	u32 uid = t->trace.cred->uid;

	word_or(&t->jobctl, TJ_STOP_TAKEN);
	sig = stop_locked(t, sig, CLD_TRAPPED, 0, si, f);
	if (!sig)
		return 0;
	if (sig != si->si_signo) {
		memset(si, 0, sizeof(*si));
		si->si_signo = sig;
		si->si_pid = pid;
		si->si_uid = uid;
	}
	if (!(t->blocked & SIGBIT(sig)) && !READ_ONCE(t->thread.killed))
		return sig;
	(void)signal_send_locked(t->proc, shared ? NULL : t, sig, si, false);
	return 0;
}

/*
 * Current has TJ_TRAPS: it takes part in a group stop, or PTRACE_INTERRUPT was asked for.
 * ctx: thread; holds: siglock; drops and retakes it; sleeps.
 */
void ptrace_trap_locked(struct task *t, u64 *f)
{
	const struct proc *p = t->proc;
	int sig = (int)t->stop_signal;

	if (!(t->trace.flags & TRACE_SEIZED)) {
		(void)stop_locked(t, sig, CLD_STOPPED, 0, NULL, f);
		return;
	}
	if (!p->stop_count && !p->stopped)
		sig = SIGTRAP;
	(void)stop_plain_locked(t, sig, sig | PTRACE_EVENT_STOP << 8, CLD_STOPPED, 0, f);
}

/*
 * Stop for @event (PTRACE_EVENT_*) if current's tracer asked for it. The result of the system call
 * that it happens in is reported as well. ctx: thread; sleeps.
 */
void ptrace_event(int event, u64 message)
{
	struct task *t = current_task();

	if (!(READ_ONCE(t->trace.options) & 1u << event))
		return;
	word_or(&t->thread.arch.work, WORK_SYSEXIT);
	(void)stop_for(t, EVENT_CODE(event), message);
}

/*
 * Current has become another program. A tracer of the old kind that did not ask for the event gets
 * a SIGTRAP instead. ctx: thread; sleeps.
 */
void ptrace_exec_event(u32 old_tid)
{
	struct task *t = current_task();
	struct ksiginfo si;

	if (!(READ_ONCE(t->trace.flags) & TRACE_ON))
		return;
	word_or(&t->thread.arch.work, WORK_SYSEXIT);
	if (READ_ONCE(t->trace.options) & PTRACE_O_TRACEEXEC) {
		ptrace_event(PTRACE_EVENT_EXEC, old_tid);
	} else if (!(READ_ONCE(t->trace.flags) & TRACE_SEIZED)) {
		siginfo_fill(&si, SIGTRAP, SI_USER);
		(void)signal_send_task(t, SIGTRAP, &si);
	}
}

/*
 * Which event a clone with @a is to current's tracer; 0: it does not care. ctx: thread.
 */
int ptrace_clone_event(const struct clone_args_k *a)
{
	u32 options = READ_ONCE(current_task()->trace.options);
	int event = PTRACE_EVENT_CLONE;

	if (likely(!options) || (a->flags & CLONE_UNTRACED))
		return 0;
	if (a->flags & CLONE_VFORK)
		event = PTRACE_EVENT_VFORK;
	else if (a->exit_signal == SIGCHLD)
		event = PTRACE_EVENT_FORK;
	return options & 1u << event ? event : 0;
}

/*
 * Current ends, with wait status @code. That it is being killed does not keep it from this stop;
 * being killed while in it does. ctx: thread; sleeps.
 */
void ptrace_exit_event(int code)
{
	struct task *t = current_task();
	bool killed;

	if (likely(!(READ_ONCE(t->trace.options) & PTRACE_O_TRACEEXIT)))
		return;
	killed = READ_ONCE(t->thread.killed);
	WRITE_ONCE(t->thread.killed, false);
	ptrace_event(PTRACE_EVENT_EXIT, (u64)code);
	if (killed)
		WRITE_ONCE(t->thread.killed, true);
}

/* --- system calls --- */

/* Stop at @message (PTRACE_EVENTMSG_SYSCALL_*) of a call. */
static void call_stop(struct task *t, struct trapframe *tf, u64 message)
{
	u64 saved = tf->x[REG_DIRECTION];
	int code = SIGTRAP | (t->trace.options & PTRACE_O_TRACESYSGOOD ? SYSGOOD : 0);
	int sig;

	tf->x[REG_DIRECTION] = message - PTRACE_EVENTMSG_SYSCALL_ENTRY;
	sig = stop_for(t, code, message);
	if (sig)
		(void)signal_send_task(t, sig, NULL);
	tf->x[REG_DIRECTION] = saved;
}

/*
 * The entry to a system call of a traced thread: see ptrace.h. The tracer may have changed number
 * and arguments in @tf. ctx: thread; sleeps.
 */
bool ptrace_syscall_enter(struct trapframe *tf)
{
	struct task *t = current_task();
	u32 modes = READ_ONCE(t->trace.flags) & (TRACE_SYSCALL | TRACE_EMULATE);

	word_or(&t->thread.arch.work, WORK_SYSEXIT);
	if (!modes)
		return true;
	/*
	 * A tracer makes the number -1 to skip a call; a program that does so gets what it is due.
	 */
	if (tf->syscallno == -1)
		frame_set_result(tf, -ENOSYS);
	call_stop(t, tf, PTRACE_EVENTMSG_SYSCALL_ENTRY);
	if (signal_fatal_pending())
		tf->syscallno = -1;
	return !(modes & TRACE_EMULATE) && tf->syscallno != -1;
}

/*
 * The exit from a system call of a traced thread, with its result in @tf. ctx: thread; sleeps.
 */
void ptrace_syscall_exit(struct trapframe *tf)
{
	struct task *t = current_task();
	u32 flags = READ_ONCE(t->trace.flags);

	if (flags & TRACE_STEP)
		signal_force(SIGTRAP, SI_USER, 0, tf);
	else if (flags & TRACE_SYSCALL)
		call_stop(t, tf, PTRACE_EVENTMSG_SYSCALL_EXIT);
}

/* --- single step --- */

/*
 * The frame of a handler was pushed while current is stepped: it stops in front of the handler. The
 * tracer cannot give it a signal to go on with here.
 * ctx: thread; sleeps.
 */
void ptrace_step_into_handler(void)
{
	(void)stop_for(current_task(), SIGTRAP, 0);
}

/*
 * Current executed one instruction and trapped. False: nobody steps it any more. ctx: thread.
 */
bool ptrace_stepping(void)
{
	return READ_ONCE(current_task()->trace.flags) & TRACE_STEP;
}
