/*
 * What a tracer asks of a thread that is stopped for it.
 *
 * Each request takes the siglock of the thread's process, looks whether the thread is the caller's
 * and stopped (tracee_lock), and does its work before letting go: a stopped thread cannot go on
 * without that lock, not even to die. So nothing here sleeps while it touches the thread's
 * registers, which are parked in memory (arch/thread.h); kernel/sys copies to and from the user.
 * Memory is another matter: the address space is taken by reference, and used without the lock.
 */
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <arch/debug.h>
#include <arch/frame.h>
#include <arch/regset.h>
#include "kernel/lib/string.h"
#include "kernel/proc/internal.h"
#include "kernel/proc/rseq.h"
#include "kernel/sched/sched.h"

/* Did @t get another number by exec, and the tracer, not knowing it yet, means the dead leader? */
static bool means_another(const struct task *t)
{
	return t->trace.code == (SIGTRAP | PTRACE_EVENT_EXEC << 8) &&
	       t->trace.message != t->tid->nr;
}

/*
 * Is @t traced by current, and stopped for it? ctx: thread; holds: siglock.
 */
bool ptrace_is_mine_locked(const struct task *t)
{
	if (t->trace.tracer != current_task() || !(t->jobctl & TJ_TRACED))
		return false;
	return !(t->jobctl & TJ_LISTENING) && !READ_ONCE(t->thread.killed) && !means_another(t);
}

/* 0 with the siglock held, or -ESRCH. */
static int __must_check tracee_lock(struct task *t, u64 *f)
{
	*f = spin_lock_irqsave(&t->proc->siglock);
	if (ptrace_is_mine_locked(t))
		return 0;
	spin_unlock_irqrestore(&t->proc->siglock, *f);
	return -ESRCH;
}

static void tracee_unlock(struct task *t, u64 f)
{
	spin_unlock_irqrestore(&t->proc->siglock, f);
}

/* See ptrace.h. ctx: thread */
int ptrace_check(struct task *t)
{
	u64 f;
	int err = tracee_lock(t, &f);

	if (!err)
		tracee_unlock(t, f);
	return err;
}

/* --- going on --- */

/* See ptrace.h. ctx: thread */
int ptrace_resume(struct task *t, u32 modes, u64 sig)
{
	u64 f;
	int err = tracee_lock(t, &f);

	if (err)
		return err;
	if (sig <= KSIG_COUNT) {
		t->trace.flags = (t->trace.flags & ~TRACE_MODES) | modes;
		t->trace.code = (int)sig;
		word_and(&t->jobctl, ~TJ_TRACED);
		sched_wake(&t->thread, 1u << TS_STOPPED);
	} else {
		err = -EIO;
	}
	tracee_unlock(t, f);
	return err;
}

/* PTRACE_KILL: whether it is stopped or not. See ptrace.h. ctx: thread */
int ptrace_kill(struct task *t)
{
	struct ksiginfo si;

	if (READ_ONCE(t->trace.tracer) != current_task())
		return -ESRCH;
	siginfo_fill(&si, SIGKILL, SI_USER);
	(void)signal_send_task(t, SIGKILL, &si);
	return 0;
}

/* See ptrace.h; @t need not be stopped. ctx: thread */
int ptrace_interrupt(struct task *t)
{
	u64 f = spin_lock_irqsave(&t->proc->siglock);
	int err = -EIO;

	if (t->trace.tracer != current_task()) {
		err = -ESRCH;
	} else if (t->trace.flags & TRACE_SEIZED) {
		if (signal_set_jobctl_locked(t, TJ_TRAP_STOP))
			ptrace_wake_locked(t, t->jobctl & TJ_LISTENING);
		err = 0;
	}
	tracee_unlock(t, f);
	return err;
}

/* See ptrace.h. ctx: thread */
int ptrace_listen(struct task *t)
{
	u64 f;
	int err = tracee_lock(t, &f);

	if (err)
		return err;
	if (!(t->trace.flags & TRACE_SEIZED) || !t->trace.info ||
	    t->trace.info->si_code >> 8 != PTRACE_EVENT_STOP) {
		err = -EIO;
	} else {
		word_or(&t->jobctl, TJ_LISTENING);
		/* Something happened since it trapped: it says so at once. */
		if (t->jobctl & TJ_TRAP_NOTIFY)
			ptrace_wake_locked(t, true);
	}
	tracee_unlock(t, f);
	return err;
}

/* See ptrace.h. ctx: thread */
int ptrace_set_options(struct task *t, u64 options)
{
	u64 f;
	int err = tracee_lock(t, &f);

	if (err)
		return err;
	err = ptrace_check_options(options);
	if (!err)
		t->trace.options = (u32)options;
	tracee_unlock(t, f);
	return err;
}

/* --- what it says of its stop --- */

/* See ptrace.h. ctx: thread */
int ptrace_get_message(struct task *t, u64 *out)
{
	u64 f;
	int err = tracee_lock(t, &f);

	if (err)
		return err;
	*out = t->trace.message;
	tracee_unlock(t, f);
	return 0;
}

/* See ptrace.h. ctx: thread */
int ptrace_get_siginfo(struct task *t, struct ksiginfo *out)
{
	u64 f;
	int err = tracee_lock(t, &f);

	if (err)
		return err;
	if (t->trace.info)
		*out = *t->trace.info;
	else
		err = -EINVAL;
	tracee_unlock(t, f);
	return err;
}

/* See ptrace.h. ctx: thread */
int ptrace_set_siginfo(struct task *t, const struct ksiginfo *si)
{
	u64 f;
	int err = tracee_lock(t, &f);

	if (err)
		return err;
	if (t->trace.info)
		*t->trace.info = *si;
	else
		err = -EINVAL;
	tracee_unlock(t, f);
	return err;
}

/* See ptrace.h. ctx: thread */
int ptrace_get_rseq(struct task *t, struct ptrace_rseq_configuration *out)
{
	u64 f;
	int err = tracee_lock(t, &f);

	if (err)
		return err;
	memset(out, 0, sizeof(*out));
	out->rseq_abi_pointer = t->rseq;
	out->rseq_abi_size = RSEQ_AREA_SIZE;
	out->signature = t->rseq_sig;
	tracee_unlock(t, f);
	return 0;
}

static size_t fill_call_entry(const struct trapframe *tf, struct ptrace_syscall_info *out)
{
	out->op = PTRACE_SYSCALL_INFO_ENTRY;
	out->entry.nr = (u64)tf->syscallno;
	for (u32 i = 0; i < ARRAY_SIZE(out->entry.args); i++)
		out->entry.args[i] = i ? tf->x[i] : tf->orig_x0;
	return offsetof(struct ptrace_syscall_info, entry) + sizeof(out->entry);
}

static size_t fill_call_exit(const struct trapframe *tf, struct ptrace_syscall_info *out)
{
	out->op = PTRACE_SYSCALL_INFO_EXIT;
	out->exit.rval = (s64)tf->x[0];
	out->exit.is_error = (s64)tf->x[0] < 0 && (s64)tf->x[0] >= -4095;
	return offsetof(struct ptrace_syscall_info, exit.is_error) + 1;
}

static size_t fill_call_filtered(const struct trapframe *tf, u64 data,
				 struct ptrace_syscall_info *out)
{
	(void)fill_call_entry(tf, out);
	out->op = PTRACE_SYSCALL_INFO_SECCOMP;
	out->seccomp.ret_data = (u32)data;
	return offsetof(struct ptrace_syscall_info, seccomp.ret_data) + sizeof(u32);
}

/* See ptrace.h. ctx: thread */
int ptrace_get_syscall_info(struct task *t, struct ptrace_syscall_info *out)
{
	const struct trapframe *tf = t->frame;
	size_t size = offsetof(struct ptrace_syscall_info, entry);
	u64 f;
	int err = tracee_lock(t, &f);

	if (err)
		return err;
	memset(out, 0, sizeof(*out));
	out->op = PTRACE_SYSCALL_INFO_NONE;
	out->arch = AUDIT_ARCH_AARCH64;
	out->instruction_pointer = tf->pc;
	out->stack_pointer = tf->sp;
	if (t->trace.info && t->trace.info->si_code == (SIGTRAP | 0x80)) {
		if (t->trace.message == PTRACE_EVENTMSG_SYSCALL_ENTRY)
			size = fill_call_entry(tf, out);
		else if (t->trace.message == PTRACE_EVENTMSG_SYSCALL_EXIT)
			size = fill_call_exit(tf, out);
	} else if (t->trace.info &&
		   t->trace.info->si_code == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
		size = fill_call_filtered(tf, t->trace.message, out);
	}
	tracee_unlock(t, f);
	return (int)size;
}

/* --- signals --- */

/* See ptrace.h. ctx: thread */
int ptrace_peek_siginfo(struct task *t, bool shared, u64 index, struct ksiginfo *out)
{
	struct sigqueue_entry *e;
	int ret = 0;
	u64 f;
	int err = tracee_lock(t, &f);

	if (err)
		return err;
	list_for_each(e, shared ? &t->proc->pending.queue : &t->pending.queue, link) {
		if (index-- == 0) {
			*out = e->info;
			ret = 1;
			break;
		}
	}
	tracee_unlock(t, f);
	return ret;
}

/* See ptrace.h. ctx: thread */
int ptrace_get_sigmask(struct task *t, ksigset_t *out)
{
	u64 f;
	int err = tracee_lock(t, &f);

	if (err)
		return err;
	*out = READ_ONCE(t->thread.arch.work) & WORK_RESTORE_MASK ? t->saved_mask : t->blocked;
	tracee_unlock(t, f);
	return 0;
}

/* See ptrace.h. Each thread looks at what is pending when it goes on. ctx: thread */
int ptrace_set_sigmask(struct task *t, ksigset_t set)
{
	u64 f;
	int err = tracee_lock(t, &f);

	if (err)
		return err;
	WRITE_ONCE(t->blocked, set & ~KSIG_UNBLOCKABLE);
	word_and(&t->thread.arch.work, ~WORK_RESTORE_MASK);
	tracee_unlock(t, f);
	return 0;
}

/* --- memory --- */

/* The tracee's address space, if the tracer may touch it. 0, -ESRCH, -EIO. */
static int tracee_vm(struct task *t, struct vmspace **out)
{
	bool may;
	u64 f;
	int err = tracee_lock(t, &f);

	if (err)
		return err;
	may = READ_ONCE(t->proc->dumpable) == 1 || cred_capable(t->trace.cred, CAP_SYS_PTRACE);
	tracee_unlock(t, f);
	*out = may ? task_get_vm(t) : NULL;
	return *out ? 0 : -EIO;
}

static int tracee_access(struct task *t, u64 addr, u64 *word, bool write)
{
	struct vmspace *vm;
	ssize_t n;
	int err = tracee_vm(t, &vm);

	if (err)
		return err;
	n = vm_access(vm, addr, word, sizeof(*word), write, true);
	vmspace_put(vm);
	return n == sizeof(*word) ? 0 : -EIO;
}

/* See ptrace.h. ctx: thread; sleeps */
int ptrace_peek(struct task *t, u64 addr, u64 *out)
{
	return tracee_access(t, addr, out, false);
}

/* See ptrace.h. ctx: thread; sleeps */
int ptrace_poke(struct task *t, u64 addr, u64 v)
{
	return tracee_access(t, addr, &v, true);
}

/* --- registers --- */

/* See ptrace.h. ctx: any */
int ptrace_regset_size(u32 note, size_t *size)
{
	const struct regset *r = regset_find(note);

	if (!r || *size % r->unit)
		return -EINVAL;
	*size = MIN(*size, (size_t)r->size);
	return 0;
}

/* See ptrace.h. ctx: thread */
int ptrace_get_regset(struct task *t, u32 note, void *buf, size_t size)
{
	const struct regset *r = regset_find(note);
	struct regset_buf all;
	u64 f;
	int err = tracee_lock(t, &f);

	if (err)
		return err;
	r->get(&t->thread.arch, &all);
	tracee_unlock(t, f);
	memcpy(buf, &all, size);
	return 0;
}

/* @t, a tracee, has debug registers. 0, -ENOMEM, -ESRCH. */
static int debug_regs_provide(struct task *t)
{
	struct debug_regs *regs = kzalloc(sizeof(*regs), 0);
	u64 f;
	int err;

	if (!regs)
		return -ENOMEM;
	err = tracee_lock(t, &f);
	if (!err) {
		if (!t->thread.arch.debug_regs) {
			t->thread.arch.debug_regs = regs;
			regs = NULL;
		}
		tracee_unlock(t, f);
	}
	kfree(regs);
	return err;
}

/* See ptrace.h. What @buf does not hold stays as it is. ctx: thread; sleeps: for memory */
int ptrace_set_regset(struct task *t, u32 note, const void *buf, size_t size)
{
	const struct regset *r = regset_find(note);
	struct regset_buf all;
	u64 f;
	int err = 0;

	if (r->needs_debug_regs && !READ_ONCE(t->thread.arch.debug_regs))
		err = debug_regs_provide(t);
	if (!err)
		err = tracee_lock(t, &f);
	if (err)
		return err;
	if (r->set) {
		r->get(&t->thread.arch, &all);
		memcpy(&all, buf, size);
		err = r->set(&t->thread.arch, &all);
	} else {
		err = -EOPNOTSUPP;
	}
	tracee_unlock(t, f);
	return err;
}
