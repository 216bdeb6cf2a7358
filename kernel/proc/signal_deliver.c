/*
 * Delivering signals: on the way to user mode, and to sigtimedwait and signalfd.
 *
 * signal_deliver takes pending signals until one has a handler (whose frame is pushed: the next
 * one, if any, is pushed on top of it on the next round), one ends the process, or none is left.
 * Then, if a system call was interrupted, its internal result says whether it starts again:
 *
 *   result                   a handler ran                  none ran
 *   ERESTARTSYS              again if SA_RESTART,           again
 *                            EINTR without
 *   ERESTARTNOINTR           again                          again
 *   ERESTARTNOHAND           EINTR                          again
 *   ERESTART_RESTARTBLOCK    EINTR                          restart_syscall(2), for the time left
 *
 * "Again" is the SVC instruction with x0 as it was. It is prepared before the signals are looked
 * at, because a stop in between must find the state consistent.
 */
#include <linux/errno.h>
#include <asm/unistd.h>
#include <arch/frame.h>
#include <arch/signal.h>
#include "kernel/base/log.h"
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"
#include "kernel/proc/rseq.h"
#include "kernel/sched/sched.h"

#define SVC_SIZE 4
/* The others read back as 0: so a program finds out what is supported (SA_UNSUPPORTED). */
#define FLAGS_KNOWN                                                                      \
	((u64)(u32)(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | \
		    SA_NODEFER | SA_RESETHAND | SA_EXPOSE_TAGBITS | SA_RESTORER))

int sysctl_print_fatal_signals;

/*
 * Has current a signal that it does not block? ctx: thread.
 */
bool signal_pending(void)
{
	return READ_ONCE(current->interrupted);
}

/*
 * Will current die on its way to user mode? ctx: thread.
 */
bool signal_fatal_pending(void)
{
	return READ_ONCE(current->killed);
}

/*
 * Set the mask of blocked signals of current. ctx: thread.
 */
void signal_set_blocked(ksigset_t mask)
{
	struct task *t = current_task();
	struct proc *p = t->proc;
	ksigset_t added;
	struct task *other;
	u64 f;

	mask &= ~KSIG_UNBLOCKABLE;
	if (mask == t->blocked)
		return;
	/*
	 * Nothing pending anywhere: the word is the thread's own, and a sender that misses the
	 * change comes before it.
	 */
	f = spin_lock_irqsave(&p->siglock);
	added = mask & ~t->blocked;
	WRITE_ONCE(t->blocked, mask);
	if (unlikely((p->pending.set & added) && p->ntasks > 1)) {
		list_for_each(other, &p->tasks, proc_link) {
			if (other != t && (p->pending.set & added & ~other->blocked))
				signal_wake_task(other, false);
		}
	}
	if ((t->pending.set | p->pending.set) || t->thread.interrupted)
		signal_recalc(t);
	spin_unlock_irqrestore(&p->siglock, f);
}

/*
 * Block @mask for the duration of a system call; signal_deliver or signal_restore_mask puts the old
 * one back.
 * ctx: thread.
 */
void signal_set_temporary_mask(ksigset_t mask)
{
	struct task *t = current_task();

	t->saved_mask = t->blocked;
	signal_set_blocked(mask);
	word_or(&t->thread.arch.work, WORK_RESTORE_MASK);
}

/*
 * The call ends without having been interrupted: the old mask is back at once. ctx: thread.
 */
void signal_restore_mask(void)
{
	struct task *t = current_task();

	if (!(READ_ONCE(t->thread.arch.work) & WORK_RESTORE_MASK))
		return;
	word_and(&t->thread.arch.work, ~WORK_RESTORE_MASK);
	signal_set_blocked(t->saved_mask);
}

/*
 * Would @sig do nothing to current? For the terminal's SIGTTIN and SIGTTOU. ctx: thread.
 */
bool signal_is_ignored_or_blocked(int sig)
{
	struct task *t = current_task();

	return (t->blocked & SIGBIT(sig)) ||
	       READ_ONCE(t->proc->sighand->action[sig - 1].handler) == (u64)SIG_IGN;
}

/*
 * All handlers become defaults; what is ignored stays so. ctx: any, nobody else uses @h.
 */
void signal_flush_handlers(struct sighand *h)
{
	for (int i = 0; i < KSIG_COUNT; i++) {
		if (h->action[i].handler != (u64)SIG_IGN)
			h->action[i].handler = (u64)SIG_DFL;
		h->action[i].flags = 0;
		h->action[i].restorer = 0;
		h->action[i].mask = 0;
	}
}

/*
 * sigaction(2) on current's table; @act or @old may be NULL. ctx: thread. 0 or -EINVAL.
 */
int signal_action(int sig, const struct ksigaction *act, struct ksigaction *old)
{
	struct proc *p = current_proc();
	struct sighand *h = p->sighand;
	struct ksigaction *a;
	u64 f;

	if (sig < 1 || sig > KSIG_COUNT || (act && (KSIG_UNBLOCKABLE & SIGBIT(sig))))
		return -EINVAL;
	a = &h->action[sig - 1];
	f = spin_lock_irqsave(&h->lock);
	if (old)
		*old = *a;
	if (act) {
		WRITE_ONCE(a->handler, act->handler);
		a->flags = act->flags & FLAGS_KNOWN;
		a->restorer = act->restorer;
		a->mask = act->mask & ~KSIG_UNBLOCKABLE;
	}
	spin_unlock_irqrestore(&h->lock, f);
	if (!act || act->handler > (u64)SIG_IGN)
		return 0;
	/* POSIX: what becomes ignored stops being pending. */
	f = spin_lock_irqsave(&p->siglock);
	if (signal_is_ignored(p, sig))
		signal_remove_locked(p, SIGBIT(sig));
	spin_unlock_irqrestore(&p->siglock, f);
	return 0;
}

/*
 * See signal.h. ctx: thread.
 */
void signal_force_info(const struct ksiginfo *si)
{
	int sig = si->si_signo;
	struct task *t = current_task();
	struct proc *p = t->proc;
	struct sighand *h = p->sighand;
	struct ksigaction *a = &h->action[sig - 1];
	bool blocked;
	u64 f = spin_lock_irqsave(&p->siglock);

	spin_lock(&h->lock);
	blocked = t->blocked & SIGBIT(sig);
	if (blocked || a->handler == (u64)SIG_IGN) {
		WRITE_ONCE(a->handler, (u64)SIG_DFL);
		if (blocked)
			WRITE_ONCE(t->blocked, t->blocked & ~SIGBIT(sig));
	}
	if (a->handler == (u64)SIG_DFL && !t->trace.flags)
		p->unkillable = false;
	spin_unlock(&h->lock);
	signal_send_locked(p, t, sig, si, true);
	signal_recalc(t);
	spin_unlock_irqrestore(&p->siglock, f);
}

/*
 * A fault of current: its signal cannot be blocked or ignored, and reaches init. ctx: thread.
 */
void signal_force(int sig, int code, u64 addr, const struct trapframe *tf)
{
	struct ksiginfo si = { 0 };

	si.si_signo = sig;
	si.si_code = code;
	si.si_addr = (void *)addr;
	signal_force_info(&si);
}

/*
 * @sig cannot be delivered to its handler (0: something else about user memory is wrong that has no
 * other way to be told): it becomes a SIGSEGV, and a SIGSEGV that cannot be handled kills. ctx:
 * thread.
 */
void signal_force_segv(int sig, const struct trapframe *tf)
{
	static const struct ksigaction deflt;

	if (sig == SIGSEGV)
		(void)signal_action(SIGSEGV, &deflt, NULL);
	signal_force(SIGSEGV, SI_KERNEL, 0, tf);
}

/*
 * The whole siginfo_t as user space gets it. ctx: any.
 */
void signal_siginfo_to_user(const struct ksiginfo *si, siginfo_t *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out, si, sizeof(*si));
}

static void __cold signal_log_fatal(const struct task *t, int sig)
{
	if (READ_ONCE(sysctl_print_fatal_signals))
		log_limited(LOG_INFO, "%s[%u]: signal %d at pc %llx, address %llx", t->thread.name,
			    t->tid->nr, sig, (unsigned long long)t->frame->pc,
			    (unsigned long long)t->fault_addr);
}

/* A stop signal's default action; drops and retakes the siglock. */
static void deliver_stop(struct task *t, int sig, u64 *f)
{
	struct proc *p = t->proc;

	if (sig != SIGSTOP) {
		struct pid *pgrp;
		bool orphaned;

		spin_unlock_irqrestore(&p->siglock, *f);
		pgrp = proc_get_pgrp(p);
		orphaned = !pgrp || proc_pgrp_orphaned(pgrp);
		if (pgrp)
			pid_put(pgrp);
		*f = spin_lock_irqsave(&p->siglock);
		/* Nobody could continue it. */
		if (orphaned)
			return;
	}
	signal_stop_begin_locked(t, sig);
}

/*
 * Work for the group before any signal: stop, trap, or tell the parent about the end of a stop.
 * True: look again.
 */
static bool deliver_group_work(struct task *t, u64 *f)
{
	struct proc *p = t->proc;

	if (p->cld_pending) {
		int code = p->cld_pending;

		p->cld_pending = 0;
		spin_unlock_irqrestore(&p->siglock, *f);
		signal_notify_stop(p, code);
		*f = spin_lock_irqsave(&p->siglock);
		return true;
	}
	if (t->jobctl & TJ_STOP_PENDING) {
		if (!(t->trace.flags & TRACE_ON)) {
			signal_stop_wait(t, *f);
			*f = spin_lock_irqsave(&p->siglock);
			return true;
		}
		signal_set_jobctl_locked(t, TJ_TRAP_STOP);
	}
	if (!(t->jobctl & TJ_TRAPS))
		return false;
	ptrace_trap_locked(t, f);
	return true;
}

/* What @sig is to do; SA_RESETHAND takes effect. holds: siglock */
static void take_action(struct proc *p, int sig, struct ksigaction *out)
{
	struct sighand *h = p->sighand;

	spin_lock(&h->lock);
	*out = h->action[sig - 1];
	if ((out->flags & SA_RESETHAND) && out->handler > (u64)SIG_IGN)
		h->action[sig - 1].handler = (u64)SIG_DFL;
	spin_unlock(&h->lock);
}

/* Is the default action of @sig to do nothing? */
static bool default_ignores(const struct proc *p, int sig)
{
	if (KSIG_IGNORED & SIGBIT(sig))
		return true;
	return p->unkillable && !(KSIG_UNBLOCKABLE & SIGBIT(sig));
}

/* Is current to die, of whatever? holds: siglock. True: with wait status *code */
static bool must_die(const struct task *t, int *code)
{
	const struct proc *p = t->proc;

	if (p->group_exit)
		*code = p->exit_code;
	else if (t->thread.killed && p->exec_task && p->exec_task != t)
		*code = SIGKILL;
	else
		return false;
	return true;
}

/*
 * Take a signal, and let the tracer have its say. holds: siglock, drops and retakes it. 0: none is
 * left, -EAGAIN: nothing came of this one.
 */
static int signal_take(struct task *t, struct ksiginfo *si, u64 *f)
{
	bool shared;
	int sig = signal_dequeue_from_locked(t, t->blocked, si, &shared);

	if (!sig)
		return 0;
	if (KSIG_STOPS & SIGBIT(sig))
		word_or(&t->jobctl, TJ_STOP_TAKEN);
	if ((t->trace.flags & TRACE_ON) && sig != SIGKILL)
		sig = ptrace_signal_locked(t, sig, si, shared, f);
	return sig ? sig : -EAGAIN;
}

/* The process dies of @sig. holds: siglock; drops and retakes it */
static void die_locked(struct task *t, int sig, const struct ksiginfo *si, u64 *f)
{
	signal_log_fatal(t, sig);
	if ((KSIG_CORES & SIGBIT(sig)) && coredump_wanted()) {
		spin_unlock_irqrestore(&t->proc->siglock, *f);
		coredump(t, sig, si);
		*f = spin_lock_irqsave(&t->proc->siglock);
	} else {
		signal_group_exit_locked(t->proc, sig);
	}
}

/*
 * See signal.h. ctx: thread; sleeps.
 */
void signal_die(int sig, const struct ksiginfo *si)
{
	struct task *t = current_task();
	int code = sig;
	u64 f = spin_lock_irqsave(&t->proc->siglock);

	if (!must_die(t, &code)) {
		die_locked(t, sig, si, &f);
		(void)must_die(t, &code);
	}
	t->proc->signaled = true;
	spin_unlock_irqrestore(&t->proc->siglock, f);
	proc_exit_thread(code);
}

/*
 * See signal.h. ctx: thread; sleeps.
 */
void signal_doom(int sig)
{
	const struct ksiginfo si = { .si_signo = sig, .si_code = SI_KERNEL };
	struct task *t = current_task();
	int code;
	u64 f = spin_lock_irqsave(&t->proc->siglock);

	if (!must_die(t, &code))
		die_locked(t, sig, &si, &f);
	spin_unlock_irqrestore(&t->proc->siglock, f);
}

/*
 * The next signal that has a handler, 0 when none is left. A deadly one does not return.
 */
static int signal_next(struct task *t, struct ksiginfo *si, struct ksigaction *act)
{
	struct proc *p = t->proc;
	int sig, code;
	u64 f = spin_lock_irqsave(&p->siglock);

	while (!must_die(t, &code)) {
		if (deliver_group_work(t, &f))
			continue;
		sig = signal_take(t, si, &f);
		if (sig == -EAGAIN)
			continue;
		if (sig)
			take_action(p, sig, act);
		if (!sig || act->handler > (u64)SIG_IGN) {
			signal_recalc(t);
			spin_unlock_irqrestore(&p->siglock, f);
			return sig;
		}
		if (act->handler == (u64)SIG_IGN || default_ignores(p, sig))
			continue;
		if (KSIG_STOPS & SIGBIT(sig)) {
			deliver_stop(t, sig, &f);
			continue;
		}
		die_locked(t, sig, si, &f);
	}
	p->signaled = true;
	spin_unlock_irqrestore(&p->siglock, f);
	proc_exit_thread(code);
}

/* Does the handler run on the alternate stack? */
static bool use_altstack(const struct task *t, const struct trapframe *tf, u64 flags)
{
	if (!(flags & SA_ONSTACK) || !t->altstack_size)
		return false;
	/*
	 * With SS_AUTODISARM the stack may be in use without sp lying in it: it was disarmed then.
	 */
	return t->altstack_sp >= tf->sp || tf->sp - t->altstack_sp > t->altstack_size;
}

/* The bits that tell of an address's tag go with handlers that did not ask for them. */
static void hide_tag(struct ksiginfo *si, u64 flags)
{
	if (!(flags & SA_EXPOSE_TAGBITS) && si->si_code > SI_USER && si->si_code < SI_KERNEL &&
	    (KSIG_SYNCHRONOUS & SIGBIT(si->si_signo)))
		si->si_addr = (void *)user_untag((u64)si->si_addr);
}

/* Push the frame of @sig's handler. */
static void deliver_handler(struct task *t, struct trapframe *tf, int sig, struct ksiginfo *si,
			    const struct ksigaction *act)
{
	bool restore = READ_ONCE(t->thread.arch.work) & WORK_RESTORE_MASK;
	ksigset_t mask;
	siginfo_t user_si;
	struct sigframe_info info = {
		.sig = sig,
		.handler = act->handler,
		.restorer = act->flags & SA_RESTORER ? act->restorer
						     : t->thread.vm->vdso + vdso_sigreturn_offset(),
		.sa_flags = (u32)act->flags,
		.siginfo = &user_si,
		.mask = restore ? t->saved_mask : t->blocked,
		.altstack_sp = t->altstack_sp,
		.altstack_size = t->altstack_size,
		.altstack_flags = t->altstack_flags,
		.on_altstack = use_altstack(t, tf, act->flags),
		.fault_addr = t->fault_addr,
		.fault_esr = t->fault_esr,
	};

	hide_tag(si, act->flags);
	signal_siginfo_to_user(si, &user_si);
	word_and(&t->thread.arch.work, ~WORK_RESTORE_MASK);
	if ((t->rseq && rseq_update(tf)) || sigframe_push(tf, &info)) {
		if (restore)
			signal_set_blocked(t->saved_mask);
		signal_force_segv(sig, tf);
		return;
	}
	if (t->altstack_flags & SS_AUTODISARM) {
		t->altstack_sp = 0;
		t->altstack_size = 0;
		t->altstack_flags = SS_DISABLE;
	}
	mask = t->blocked | act->mask;
	if (!(act->flags & SA_NODEFER))
		mask |= SIGBIT(sig);
	signal_set_blocked(mask);
	if (t->trace.flags & TRACE_STEP)
		ptrace_step_into_handler();
}

static bool is_restart_code(s64 r)
{
	return r == -ERESTARTSYS || r == -ERESTARTNOINTR || r == -ERESTARTNOHAND ||
	       r == -ERESTART_RESTARTBLOCK;
}

/* Does a handler with @flags turn an interrupted call with result @r into EINTR? */
static bool handler_interrupts(s64 r, u64 flags)
{
	if (r == -ERESTARTNOHAND || r == -ERESTART_RESTARTBLOCK)
		return true;
	return r == -ERESTARTSYS && !(flags & SA_RESTART);
}

/*
 * Act on what is pending for current before it goes to user mode with @tf.
 * ctx: thread, IRQs on; sleeps. Does not return when the thread ends.
 */
void signal_deliver(struct trapframe *tf)
{
	struct task *t = current_task();
	struct ksiginfo si;
	struct ksigaction act;
	s64 result = 0;
	u64 after = tf->pc;
	int sig;

	if (tf->syscallno >= 0 && is_restart_code((s64)tf->x[0])) {
		result = (s64)tf->x[0];
		tf->x[0] = tf->orig_x0;
		tf->pc -= SVC_SIZE;
	}
	tf->syscallno = -1;
	sig = signal_next(t, &si, &act);
	/* A tracer may have sent the thread elsewhere meanwhile. */
	if (tf->pc != after - SVC_SIZE)
		result = 0;
	if (sig) {
		if (result && handler_interrupts(result, act.flags)) {
			frame_set_result(tf, -EINTR);
			tf->pc = after;
		}
		deliver_handler(t, tf, sig, &si, &act);
		return;
	}
	if (result) {
		if (result == -ERESTART_RESTARTBLOCK)
			tf->x[8] = __NR_restart_syscall;
		arch_step_rewind(tf);
	}
	signal_restore_mask();
}

/*
 * Take a pending signal of @set, blocked or not, for sigtimedwait and signalfd. ctx: thread. Its
 * number, 0: none.
 */
int signal_dequeue(ksigset_t set, struct ksiginfo *out)
{
	struct task *t = current_task();
	u64 f = spin_lock_irqsave(&t->proc->siglock);
	int sig = signal_dequeue_locked(t, ~(set & ~KSIG_UNBLOCKABLE), out);

	if (sig)
		signal_recalc(t);
	spin_unlock_irqrestore(&t->proc->siglock, f);
	return sig;
}

/*
 * Wait for a signal of @set until @deadline (0: only look). ctx: thread; sleeps. Its number,
 * -EAGAIN, -EINTR.
 */
int signal_wait(ksigset_t set, s64 deadline, struct ksiginfo *out)
{
	struct task *t = current_task();
	struct proc *p = t->proc;
	int sig = signal_dequeue(set, out), err;
	u64 f;

	if (sig || !deadline)
		return sig ? sig : -EAGAIN;
	f = spin_lock_irqsave(&p->siglock);
	t->wait_set = set & ~KSIG_UNBLOCKABLE;
	spin_unlock_irqrestore(&p->siglock, f);
	/*
	 * The senders treat these as not blocked, so the sleep ends with one of them pending or
	 * with another signal.
	 */
	for (;;) {
		sig = signal_dequeue(set, out);
		if (sig)
			break;
		err = sched_sleep_interruptible(deadline);
		sig = signal_dequeue(set, out);
		if (sig || err == 0 || signal_pending())
			break;
	}
	f = spin_lock_irqsave(&p->siglock);
	t->wait_set = 0;
	signal_recalc(t);
	spin_unlock_irqrestore(&p->siglock, f);
	if (sig)
		return sig;
	return err == 0 ? -EAGAIN : -EINTR;
}

/*
 * The sets that /proc/PID/status shows; @t may be NULL (a zombie). ctx: thread.
 */
void signal_sets(struct proc *p, struct task *t, ksigset_t *pending, ksigset_t *shared,
		 ksigset_t *blocked, ksigset_t *ignored, ksigset_t *caught)
{
	u64 f = spin_lock_irqsave(&p->siglock);

	*pending = t ? t->pending.set : 0;
	*blocked = t ? t->blocked : 0;
	*shared = p->pending.set;
	*ignored = *caught = 0;
	for (int i = 0; i < KSIG_COUNT; i++) {
		u64 h = READ_ONCE(p->sighand->action[i].handler);

		if (h == (u64)SIG_IGN)
			*ignored |= 1ull << i;
		else if (h != (u64)SIG_DFL)
			*caught |= 1ull << i;
	}
	spin_unlock_irqrestore(&p->siglock, f);
}
