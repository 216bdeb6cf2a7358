#pragma once
/*
 * ptrace(2): a thread, the tracer, watches and controls another. See ptrace.c (who traces whom),
 * ptrace_stop.c (the traced side: its stops) and ptrace_request.c (what a tracer asks of a stopped
 * thread).
 */
#include <linux/ptrace.h>
#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "kernel/proc/signal.h"

struct arch_thread;
struct clone_args_k;
struct cred;
struct proc;
struct task;
struct trapframe;

/* task_trace.flags */
#define TRACE_ON 0x1u /* has a tracer */
#define TRACE_SEIZED 0x2u /* attached by PTRACE_SEIZE */
#define TRACE_DEAD 0x4u /* has ended and waits for its tracer to wait for it */
/* How its tracer let it go on. */
#define TRACE_SYSCALL 0x8u /* until the next entry or exit of a system call */
#define TRACE_EMULATE 0x10u /* until the next entry, and the call is not made */
#define TRACE_STEP 0x20u /* for one instruction */
#define TRACE_MODES (TRACE_SYSCALL | TRACE_EMULATE | TRACE_STEP)

/*
 * What a traced thread knows of being traced; all zero for others. T tree lock, S siglock of its
 * process, T + S: both to change, either to read.
 */
struct task_trace {
	u32 flags; /* T + S for the first three, S for the modes; a as a hint: TRACE_* */
	u32 options; /* S: PTRACE_O_* */
	struct task *tracer; /* T + S: no reference, it lets go of us before it ends */
	struct cred *cred; /* T + S: reference: who the tracer was when it attached */
	struct list link; /* T: tracer->tracees; a dead thread there holds a reference to itself */
	int code; /* S: of the stop, until reported by wait; then the signal to go on with */
	u64 message; /* S: PTRACE_GETEVENTMSG */
	struct ksiginfo *info; /* S: of the stop, on the stopped thread's stack; NULL: group stop */
};

/* PR_SET_PTRACER; @nr 0: nobody, -1 as an int: anybody. ctx: thread. 0 or -EINVAL. */
int ptrace_declare(u64 nr);

/* --- ptrace.c --- */
/* PTRACE_TRACEME. ctx: thread. 0 or -EPERM. */
int ptrace_traceme(void);
/*
 * PTRACE_ATTACH, or PTRACE_SEIZE with @options. ctx: thread; sleeps. 0, -EPERM, -EIO, -EINVAL.
 */
int ptrace_attach(struct task *t, bool seize, u64 options);
int ptrace_check_options(u64 options); /* 0, -EINVAL, -EPERM. ctx: thread */
/* PTRACE_DETACH: @t goes on with signal @sig. ctx: thread. 0, -EIO, -ESRCH. */
int ptrace_detach(struct task *t, u64 sig);
/*
 * The thread that @nr means to ptrace, dead ones included, with a reference. ctx: thread. 0,
 * -ESRCH, -EPERM: a zombie; *out is NULL then.
 */
int ptrace_find(u32 nr, struct task **out);
/* What system calls need to know while any thread is traced; made by kernel/sys. */
extern void (*ptrace_calls_hook)(bool any); /* I after boot. holds: tree */
/* Number of @t's tracer, 0: none. ctx: thread */
u32 ptrace_tracer_nr(struct task *t);

/* --- ptrace_stop.c: called by the thread itself --- */
/* Both sides of a system call, when WORK_TRACE says so. False: do not make the call. */
bool __must_check ptrace_syscall_enter(struct trapframe *tf);
void ptrace_syscall_exit(struct trapframe *tf);
bool ptrace_stepping(void); /* single-stepped by a tracer */

/*
 * --- ptrace_request.c: of current's stopped tracee @t. All: ctx: thread; -ESRCH when it is not
 * that, or not stopped. ---
 */
int ptrace_check(struct task *t);
/* PTRACE_CONT and its relatives. -EIO: no such signal. */
int ptrace_resume(struct task *t, u32 modes, u64 sig);
int ptrace_kill(struct task *t);
int ptrace_interrupt(struct task *t); /* -EIO: not seized */
int ptrace_listen(struct task *t); /* -EIO: not seized, or not in a group stop */
int ptrace_set_options(struct task *t, u64 options); /* -EINVAL, -EPERM */
int ptrace_get_message(struct task *t, u64 *out);
int ptrace_get_siginfo(struct task *t, struct ksiginfo *out); /* -EINVAL: a group stop */
int ptrace_set_siginfo(struct task *t, const struct ksiginfo *si);
/* Entry @index of its own queue, or of its process's. 1: there; 0: beyond the end. */
int ptrace_peek_siginfo(struct task *t, bool shared, u64 index, struct ksiginfo *out);
int ptrace_get_sigmask(struct task *t, ksigset_t *out);
int ptrace_set_sigmask(struct task *t, ksigset_t set);
/* One word of memory, whatever its protection. -EIO. ctx: sleeps */
int ptrace_peek(struct task *t, u64 addr, u64 *out);
int ptrace_poke(struct task *t, u64 addr, u64 v);
/*
 * How many of *size bytes the register set @note has. 0, -EINVAL: no such set, or not a multiple of
 * its unit. ctx: any
 */
int ptrace_regset_size(u32 note, size_t *size);
/* Its first @size bytes. -EINVAL, -ENOSPC, -EOPNOTSUPP, -ENOMEM. ctx: sleeps */
int ptrace_get_regset(struct task *t, u32 note, void *buf, size_t size);
int ptrace_set_regset(struct task *t, u32 note, const void *buf, size_t size);
int ptrace_get_rseq(struct task *t, struct ptrace_rseq_configuration *out);
/* PTRACE_GET_SYSCALL_INFO: bytes of *out that have a meaning. */
int ptrace_get_syscall_info(struct task *t, struct ptrace_syscall_info *out);
