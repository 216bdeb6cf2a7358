/*
 * System calls on signals: kill and relatives, masks, actions, alternate stacks, waiting, returning
 * from handlers.
 *
 * Signal sets are 64 bits and every call that takes one checks the size argument, as Linux does.
 * struct ksigaction has the layout of the kernel's struct sigaction of arm64.
 */
#include <arch/frame.h>
#include <arch/signal.h>
#include "kernel/proc/kill.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/abi.h"
#include "kernel/sys/sys.h"

#define SIGSET_SIZE sizeof(ksigset_t)

_Static_assert(sizeof(struct ksigaction) == 32, "handler, flags, restorer, mask");

/* kill(2) */
long sys_kill(u64 pid, u64 sig)
{
	struct ksiginfo si;

	siginfo_fill(&si, (int)sig, SI_USER);
	return proc_kill((int)pid, (int)sig, &si);
}

/* tgkill(2) */
long sys_tgkill(u64 tgid, u64 tid, u64 sig)
{
	struct ksiginfo si;

	if ((int)tgid <= 0 || (int)tid <= 0)
		return -EINVAL;
	siginfo_fill(&si, (int)sig, SI_TKILL);
	return proc_tgkill((u32)tgid, (u32)tid, (int)sig, &si);
}

/* tkill(2) */
long sys_tkill(u64 tid, u64 sig)
{
	struct ksiginfo si;

	if ((int)tid <= 0)
		return -EINVAL;
	siginfo_fill(&si, (int)sig, SI_TKILL);
	return proc_tgkill(0, (u32)tid, (int)sig, &si);
}

#define SI_LAST_KNOWN (-7)

/* The highest code that has a meaning with @sig. */
static int info_last_code(int sig)
{
	switch (sig) {
	case SIGILL: return NSIGILL;
	case SIGFPE: return NSIGFPE;
	case SIGSEGV: return NSIGSEGV;
	case SIGBUS: return NSIGBUS;
	case SIGTRAP: return NSIGTRAP;
	case SIGCHLD: return NSIGCHLD;
	case SIGSYS: return NSIGSYS;
	default: return NSIGPOLL;
	}
}

static bool info_has_layout(int sig, int code)
{
	if (code > SI_USER)
		return code == SI_KERNEL || code <= info_last_code(sig);
	return code >= SI_LAST_KNOWN || code == SI_ASYNCNL;
}

/* See sys.h. ctx: thread; sleeps */
int sys_siginfo_from_user(struct ksiginfo *out, u64 uinfo, int sig)
{
	u8 rest[sizeof(siginfo_t) - sizeof(*out)];

	if (copy_from_user(out, uinfo, sizeof(*out)))
		return -EFAULT;
	if (info_has_layout(sig ? sig : out->si_signo, out->si_code))
		return 0;
	if (copy_from_user(rest, uinfo + sizeof(*out), sizeof(rest)))
		return -EFAULT;
	for (size_t i = 0; i < sizeof(rest); i++)
		if (rest[i])
			return -E2BIG;
	return 0;
}

/* What the kernel or tkill would say may be said to oneself only. */
static int info_check(const struct ksiginfo *si, u32 target)
{
	bool official = si->si_code >= 0 || si->si_code == SI_TKILL;

	return official && target != current_task()->tid->nr ? -EPERM : 0;
}

/* rt_sigqueueinfo(2) */
long sys_rt_sigqueueinfo(u64 pid, u64 sig, u64 uinfo)
{
	struct ksiginfo si;
	int err = sys_siginfo_from_user(&si, uinfo, (int)sig);

	if (!err)
		err = info_check(&si, (u32)pid);
	if (err)
		return err;
	si.si_signo = (int)sig;
	return (int)pid <= 0 ? -ESRCH : proc_kill((int)pid, (int)sig, &si);
}

/* rt_tgsigqueueinfo(2) */
long sys_rt_tgsigqueueinfo(u64 tgid, u64 tid, u64 sig, u64 uinfo)
{
	struct ksiginfo si;
	int err = sys_siginfo_from_user(&si, uinfo, (int)sig);

	if (!err && ((int)tgid <= 0 || (int)tid <= 0))
		err = -EINVAL;
	if (!err)
		err = info_check(&si, (u32)tid);
	si.si_signo = (int)sig;
	return err ? err : proc_tgkill((u32)tgid, (u32)tid, (int)sig, &si);
}

/* pidfd_send_signal(2) */
long sys_pidfd_send_signal(u64 fd, u64 sig, u64 uinfo, u64 flags)
{
	struct ksiginfo si;
	struct pid *pid;
	int err;

	if ((u32)flags)
		return -EINVAL;
	err = pidfd_get_pid_or_dir((int)fd, &pid);
	if (err)
		return err;
	if (uinfo) {
		err = sys_siginfo_from_user(&si, uinfo, (int)sig);
		if (!err && si.si_signo != (int)sig)
			err = -EINVAL;
		if (!err)
			err = info_check(&si, pid->nr);
	} else {
		siginfo_fill(&si, (int)sig, SI_USER);
	}
	if (!err)
		err = proc_kill_pid(pid, (int)sig, &si);
	pid_put(pid);
	return err;
}

/* rt_sigprocmask(2) */
long sys_rt_sigprocmask(u64 how, u64 uset, u64 uold, u64 size)
{
	ksigset_t old = current_task()->blocked, set;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (uset) {
		if (get_user(&set, uset))
			return -EFAULT;
		switch ((int)how) {
		case SIG_BLOCK: set |= old; break;
		case SIG_UNBLOCK: set = old & ~set; break;
		case SIG_SETMASK: break;
		default: return -EINVAL;
		}
		signal_set_blocked(set);
	}
	return uold ? put_user(uold, old) : 0;
}

/* rt_sigpending(2) */
long sys_rt_sigpending(u64 uset, u64 size)
{
	struct task *t = current_task();
	ksigset_t set = (t->pending.set | t->proc->pending.set) & t->blocked;

	if (size > SIGSET_SIZE)
		return -EINVAL;
	return copy_to_user(uset, &set, size);
}

/* rt_sigaction(2) */
long sys_rt_sigaction(u64 sig, u64 uact, u64 uold, u64 size)
{
	struct ksigaction act, old;
	int err;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (uact && copy_from_user(&act, uact, sizeof(act)))
		return -EFAULT;
	err = signal_action((int)sig, uact ? &act : NULL, uold ? &old : NULL);
	if (err || !uold)
		return err;
	return copy_to_user(uold, &old, sizeof(old));
}

/* rt_sigsuspend(2) */
long sys_rt_sigsuspend(u64 uset, u64 size)
{
	ksigset_t set;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (get_user(&set, uset))
		return -EFAULT;
	signal_set_temporary_mask(set);
	while (!signal_pending())
		(void)sched_sleep_interruptible(TIME_NEVER);
	return -ERESTARTNOHAND;
}

/* rt_sigtimedwait(2) */
long sys_rt_sigtimedwait(u64 uset, u64 uinfo, u64 utimeout, u64 size)
{
	struct __kernel_timespec ts;
	s64 deadline = TIME_NEVER, ns;
	struct ksiginfo si;
	siginfo_t info;
	ksigset_t set;
	int sig;

	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (get_user(&set, uset))
		return -EFAULT;
	if (utimeout) {
		if (get_user(&ts, utimeout))
			return -EFAULT;
		if (!sys_timespec_ns(&ts, &ns))
			return -EINVAL;
		deadline = ns ? sys_deadline(ns) : 0;
	}
	sig = signal_wait(set, deadline, &si);
	if (sig > 0 && uinfo) {
		signal_siginfo_to_user(&si, &info);
		if (copy_to_user(uinfo, &info, sizeof(info)))
			return -EFAULT;
	}
	return sig;
}

static bool on_altstack(const struct task *t, u64 sp)
{
	return t->altstack_size && !(t->altstack_flags & SS_AUTODISARM) && sp > t->altstack_sp &&
	       sp - t->altstack_sp <= t->altstack_size;
}

static int altstack_set(struct task *t, const stack_t *ss, u64 sp)
{
	u32 mode = (u32)ss->ss_flags & ~SS_AUTODISARM;

	if (on_altstack(t, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		t->altstack_sp = 0;
		t->altstack_size = 0;
	} else {
		if (ss->ss_size < MINSIGSTKSZ)
			return -ENOMEM;
		t->altstack_sp = (u64)ss->ss_sp;
		t->altstack_size = ss->ss_size;
	}
	t->altstack_flags = (u32)ss->ss_flags;
	return 0;
}

/* sigaltstack(2) */
long sys_sigaltstack(u64 uss, u64 uold)
{
	struct task *t = current_task();
	u64 sp = t->frame->sp;
	stack_t ss, old;
	int err = 0;

	memset(&old, 0, sizeof(old));
	old.ss_sp = (void *)t->altstack_sp;
	old.ss_size = t->altstack_size;
	old.ss_flags = t->altstack_size ? (on_altstack(t, sp) ? SS_ONSTACK : 0) : SS_DISABLE;
	old.ss_flags |= (int)(t->altstack_flags & SS_AUTODISARM);
	if (uss) {
		if (copy_from_user(&ss, uss, sizeof(ss)))
			return -EFAULT;
		err = altstack_set(t, &ss, sp);
	}
	if (!err && uold)
		err = copy_to_user(uold, &old, sizeof(old));
	return err;
}

/* What the SIGSEGV for a bad frame says of the stack it is on: nothing there, or no frame. */
static int bad_frame_code(struct task *t)
{
	struct vmspace *vm = t->thread.vm;
	bool mapped;

	rwsem_read_lock(&vm->sem);
	mapped = vm_find(vm, t->frame->sp) != NULL;
	rwsem_read_unlock(&vm->sem);
	return mapped ? SEGV_ACCERR : SEGV_MAPERR;
}

/* rt_sigreturn(2): x0 and all other registers come from the frame. */
long sys_rt_sigreturn(void)
{
	struct task *t = current_task();
	struct sigframe_restored r;
	bool bad;

	/*
	 * The result in the frame is the interrupted code's x0, not a call's that could start
	 * again.
	 */
	t->frame->syscallno = -1;
	t->restart_fn = NULL;
	bad = sigframe_pop(t->frame, &r);
	if (r.whole)
		signal_set_blocked(r.mask);
	if (bad) {
		t->frame->x[0] = 0;
		signal_force(SIGSEGV, bad_frame_code(t), t->frame->sp, t->frame);
	} else {
		(void)altstack_set(t, &r.stack, t->frame->sp);
	}
	return 0;
}

/* restart_syscall(2): what a signal without a handler interrupted goes on. */
long sys_restart_syscall(void)
{
	struct task *t = current_task();
	long (*fn)(struct task *) = t->restart_fn;

	t->restart_fn = NULL;
	return fn ? fn(t) : -EINTR;
}
