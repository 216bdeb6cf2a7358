/*
 * Trap policy: what an exception from user mode means for the process.
 *
 * arch/arm64/trap.c decodes the syndrome into a struct fault and comes here. A fault on memory
 * goes to vm_fault(), whose errno says which signal it deserves; everything else is a signal by
 * its kind. The si_code values are those of Linux on arm64. The instruction restarts when the
 * fault was resolved.
 *
 * A kernel copy that touches user memory faults the same way (trap_kernel_user_access), but has a
 * fixup instead of a signal: the copy then returns -EFAULT.
 *
 * trap_user_work runs the deferred work of the thread on its way back to user mode. It is the only
 * place where signals are delivered and, apart from kernel preemption, where a time slice ends.
 */
#include <linux/errno.h>
#include <linux/capability.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <arch/frame.h>
#include <arch/memlayout.h>
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/base/trap.h"
#include "kernel/proc/proc.h"
#include "kernel/proc/rseq.h"
#include "kernel/sched/sched.h"
#include "kernel/sys/stats.h"
#include "kernel/sys/sys.h"
#include "mm/vm/vmspace.h"

#define PSTATE_IRQ_MASKED 0x80u

static int fault_resolve(const struct fault *f)
{
	const struct proc *p = current_proc();
	struct vm_limits lim = {
		.as = READ_ONCE(p->rlim[RLIMIT_AS].rlim_cur),
		.data = READ_ONCE(p->rlim[RLIMIT_DATA].rlim_cur),
		.stack = READ_ONCE(p->rlim[RLIMIT_STACK].rlim_cur),
		.memlock = READ_ONCE(p->rlim[RLIMIT_MEMLOCK].rlim_cur),
		.ipc_lock = cred_capable(current->cred, CAP_IPC_LOCK),
	};

	struct task *t = current_task();
	u64 major = atomic_read(&current->vm->majflt);
	int err =
		vm_fault(current->vm, f->addr, f->flags & FAULT_WRITE, f->flags & FAULT_EXEC, &lim);

	/* Another thread's major fault at the same time may be taken for this one's. */
	if (unlikely(atomic_read(&current->vm->majflt) != major))
		t->majflt++;
	else
		t->minflt++;
	return err;
}

/*
 * Bring in what a user access wants. Without memory a second time: who was killed for it by the
 * first attempt may have gone by then.
 */
static int fault_resolve_user(const struct fault *f)
{
	int err = fault_resolve(f);

	return unlikely(err == -ENOMEM) ? fault_resolve(f) : err;
}

/* Memory is gone even after the OOM killer had its turn: this process cannot go on. */
static __cold void fault_out_of_memory(void)
{
	char comm[16];

	if (signal_fatal_pending())
		return;
	thread_get_name(current, comm);
	log_limited(LOG_ERR, "%s[%u]: no memory for a page, killed", comm, current_proc()->pid->nr);
	signal_send_proc(current_proc(), SIGKILL, NULL);
}

/*
 * What the frames of handlers show as the last fault: address and syndrome of those that have both,
 * no address for a misaligned sp or pc, nothing for an instruction that does not exist. They stay
 * until the next one. For kernel addresses the syndrome says no more than "not mapped", or it would
 * tell where the kernel lies.
 */
static __cold void fault_note(const struct fault *f)
{
	struct task *t = current_task();

	switch (f->kind) {
	case FAULT_UNDEF: t->fault_addr = t->fault_esr = 0; break;
	case FAULT_BREAKPOINT:
	case FAULT_STEP:
	case FAULT_HW_BREAKPOINT:
	case FAULT_WATCHPOINT:
	case FAULT_FPE: break;
	default:
		t->fault_addr = f->addr;
		t->fault_esr = f->addr < USER_TOP ? f->esr : (f->esr & ~0x3fULL) | 0x4;
	}
}

static __cold void fault_signal(const struct fault *f, int sig, int code,
				const struct trapframe *tf)
{
	fault_note(f);
	signal_force(sig, code, f->tagged, tf);
}

/* What was in the frame is lost. */
static __cold void fault_lost(const struct fault *f)
{
	struct ksiginfo si;

	fault_note(f);
	memfail_siginfo(&si, BUS_MCEERR_AR, f->tagged);
	signal_force_info(&si);
}

static void fault_memory(struct trapframe *tf, const struct fault *f)
{
	int err = f->addr < USER_TOP ? fault_resolve_user(f) : -EFAULT;

	switch (err) {
	case 0:
	case -EINTR: /* killed while waiting: trap_user_work ends the thread */ break;
	case -EACCES: fault_signal(f, SIGSEGV, SEGV_ACCERR, tf); break;
	case -EIO: fault_signal(f, SIGBUS, BUS_ADRERR, tf); break;
	case -EHWPOISON: fault_lost(f); break;
	case -ENOMEM: fault_out_of_memory(); break;
	default: fault_signal(f, SIGSEGV, SEGV_MAPERR, tf);
	}
}

/* One instruction was executed. The next trap comes after another one, if the tracer goes on so. */
static __cold void fault_step(struct trapframe *tf, const struct fault *f)
{
	if (!ptrace_stepping()) {
		arch_thread_step(false);
		return;
	}
	fault_signal(f, SIGTRAP, TRAP_TRACE, tf);
	arch_step_rewind(tf);
}

/*
 * A synchronous exception from user mode: resolve it, or raise its signal.
 * ctx: thread, IRQs on; sleeps: yes.
 */
void trap_user_fault(struct trapframe *tf, const struct fault *f)
{
	stats_count_fault(f->kind);
	switch (f->kind) {
	case FAULT_TRANSLATION:
	case FAULT_PERMISSION: fault_memory(tf, f); break;
	case FAULT_ALIGNMENT:
	case FAULT_PC_ALIGN:
	case FAULT_SP_ALIGN: fault_signal(f, SIGBUS, BUS_ADRALN, tf); break;
	case FAULT_BUS: fault_signal(f, SIGBUS, BUS_OBJERR, tf); break;
	case FAULT_UNDEF: fault_signal(f, SIGILL, ILL_ILLOPC, tf); break;
	case FAULT_BREAKPOINT: fault_signal(f, SIGTRAP, TRAP_BRKPT, tf); break;
	case FAULT_STEP: fault_step(tf, f); break;
	case FAULT_HW_BREAKPOINT:
	case FAULT_WATCHPOINT: fault_signal(f, SIGTRAP, TRAP_HWBKPT, tf); break;
	case FAULT_FPE: fault_signal(f, SIGFPE, f->code, tf); break;
	}
}

/*
 * A kernel copy touched user memory that is not there: bring it in.
 * ctx: as at the fault. True: retry the access; false: take its fixup.
 */
bool trap_kernel_user_access(struct trapframe *tf, const struct fault *f)
{
	if (arch_current()->preempt_count || (tf->pstate & PSTATE_IRQ_MASKED))
		return false;
	if (!current->user || f->addr >= USER_TOP)
		return false;
	if (f->kind != FAULT_TRANSLATION && f->kind != FAULT_PERMISSION)
		return false;
	return fault_resolve(f) == 0;
}

/*
 * Deferred work before the return to user mode. Signals come after rescheduling, so that one that
 * arrived while the thread waited for the CPU is seen at once.
 * ctx: thread, IRQs on; sleeps: yes.
 */
void trap_user_work(struct trapframe *tf, u32 work)
{
	debug_assert(arch_current()->preempt_count == 0);
	while (work & WORK_USER) {
		if (work & WORK_RESCHED)
			schedule();
		if (work & WORK_SYSEXIT) {
			word_and(&arch_current()->work, ~WORK_SYSEXIT);
			ptrace_syscall_exit(tf);
			work = READ_ONCE(arch_current()->work);
		}
		if (work & WORK_NOTIFY) {
			word_and(&arch_current()->work, ~WORK_NOTIFY);
			kmsg_flush_notify();
			fsctx_moved(current->fs);
			if (sched_take_overrun())
				(void)signal_send_proc(current_task()->proc, SIGXCPU, NULL);
		}
		if ((work & WORK_RSEQ_EVENT) && rseq_update(tf))
			signal_force_segv(0, tf);
		if (work & (WORK_SIGNAL | WORK_NOTIFY | WORK_RESTORE_MASK))
			signal_deliver(tf);
		work = READ_ONCE(arch_current()->work);
	}
}
