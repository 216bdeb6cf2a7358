#pragma once
/*
 * Processes and their threads as user space sees them.
 *
 * A struct task is a user thread: a struct thread with an id, signal state and the Linux extras. A struct proc
 * is a thread group: what CLONE_THREAD shares. A struct pid is a number with the task, process, group and
 * session that bear it; references to it stay valid (and pollable: pidfd) after death.
 *
 * Life: fork makes task + proc; exit turns the last task into a zombie (proc->exited); the parent's wait
 * reaps it (proc leaves the tree); the last proc_put frees it.
 *
 * I immutable, a atomic, o owned by the task itself, T guarded by PROC_TREE (one rwlock-like spinlock or mutex, see pid.c),
 * P guarded by proc->lock (rank PROC), S guarded by proc->siglock (rank SIGNAL).
 */
#include <linux/resource.h>
#include <arch/frame.h>
#include "fs/vfs.h"
#include "kernel/base/timeout.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/thread.h"
#include "mm/vm/vmspace.h"

struct proc;
struct tty;

typedef u64 ksigset_t; /* bit n-1: signal n */
#define SIGBIT(n) (1ull << ((n)-1))

struct pid {
	refcount_t refs; /* a */
	u32 nr; /* I */
	struct rb_node node; /* T: or a radix slot */
	struct task *task; /* T: thread with this id */
	struct proc *proc; /* T: process whose leader id it is */
	struct list pgrp; /* T: proc.pgrp_link of members */
	struct list session; /* T: proc.session_link of members */
	struct waitq exit_wait; /* own: pidfd pollers */
};

struct ksigaction {
	u64 handler; /* SIG_DFL 0, SIG_IGN 1, or user address */
	u64 flags; /* SA_* */
	u64 restorer;
	ksigset_t mask;
};

struct ksiginfo {
	int signo, code, err;
	u8 raw[128]; /* Linux siginfo_t, complete */
};

struct sigqueue_entry {
	struct list link; /* S */
	struct ksiginfo info; /* o */
};

struct sigpending {
	ksigset_t set; /* S; a for reading */
	struct list queue; /* S */
};

struct sighand { /* CLONE_SIGHAND shares it */
	refcount_t refs; /* a */
	struct ksigaction action[64]; /* S */
};

struct task {
	struct thread thread; /* first */
	struct pid *tid; /* I */
	struct proc *proc; /* I */
	struct list proc_link; /* P: proc->tasks */
	/* signals */
	ksigset_t blocked; /* S to write from others; o */
	ksigset_t saved_mask; /* o: for sigsuspend, ppoll (WORK_RESTORE_MASK) */
	struct sigpending pending; /* S */
	u64 altstack_sp, altstack_size; /* o */
	u32 altstack_flags; /* o */
	/* threads */
	u64 clear_child_tid; /* o */
	u64 set_child_tid; /* o */
	u64 robust_list; /* o */
	u64 rseq, rseq_len, rseq_sig; /* o */
	struct completion *vfork_done; /* T: parent waits here */
	int exit_signal; /* T: what the parent gets for a leader; -1 for threads */
	int exit_code; /* T: wait status */
	struct task *tracer; /* T: ptrace */
	/* restart block of nanosleep, futex, poll: see sys_restart_syscall */
	long (*restart_fn)(struct task *t); /* o */
	u64 restart_arg[6]; /* o */
	u64 personality; /* o */
	u64 timer_slack; /* o */
	s64 minflt, majflt; /* o */
	u64 syscalls; /* o */
	struct trapframe *frame; /* I: user registers at the top of its stack */
};

struct proc {
	refcount_t refs; /* a */
	struct pid *pid; /* I */
	struct pid *pgrp, *session; /* T */
	struct list pgrp_link, session_link; /* T */
	struct proc *parent; /* T: reaper after exit */
	struct list children, sibling; /* T */
	struct list all; /* T */
	struct mutex lock; /* rank PROC */
	struct spinlock siglock; /* rank SIGNAL */
	struct list tasks; /* P + S: both to change, either to read */
	u32 ntasks; /* a: alive */
	struct task *leader; /* T */
	struct sighand *sighand; /* S */
	struct sigpending pending; /* S */
	struct waitq child_wait; /* own: wait4 */
	u32 state; /* T: PROC_ALIVE, PROC_ZOMBIE, PROC_DEAD */
	bool group_exit; /* S */
	int exit_code; /* T: wait status */
	u32 stop_state; /* S: none, stopping, stopped */
	int stop_code; /* S: signal, until reported by wait */
	bool continued; /* S: to report WCONTINUED */
	bool subreaper, has_subreaper; /* T */
	bool did_exec; /* T: setpgid's EACCES */
	bool dumpable; /* a */
	struct tty *tty; /* T: controlling terminal, reference held */
	struct rlimit64 rlim[RLIM_NLIMITS]; /* P; a for reading */
	/* accounting of dead threads and reaped children */
	s64 dead_utime, dead_stime, child_utime, child_stime; /* P */
	u64 dead_minflt, dead_majflt, child_minflt, child_majflt; /* P */
	u64 dead_nvcsw, dead_nivcsw, child_nvcsw, child_nivcsw; /* P */
	u64 child_maxrss; /* P */
	s64 start_time; /* I: monotonic */
	struct timeout itimer_real; /* S */
	s64 itimer_real_interval; /* S */
	struct list posix_timers; /* P */
	int oom_score_adj; /* a */
	struct ksiginfo stop_info; /* S */
	struct mutex exec_lock; /* rank EXEC */
	struct rwsem *threadgroup; /* unused: NULL */
};

static inline struct task *task_of(struct thread *t) { return container_of(t, struct task, thread); }
#define current_task() task_of(current) /* only in user threads */
#define current_proc() (current->proc)

/* pid.c: numbers and groups. Lookups return references. */
struct task *task_lookup(u32 tid); /* NULL */
void task_get(struct task *t);
void task_put(struct task *t);
struct proc *proc_lookup(u32 pid); /* also zombies; NULL */
struct proc *proc_get(struct proc *p);
void proc_put(struct proc *p);
struct pid *pid_lookup(u32 nr);
struct pid *pid_get(struct pid *p);
void pid_put(struct pid *p);
/* Next process with pid >= @from, with reference; NULL at the end. */
struct proc *proc_next(u32 from);
struct task *task_next(struct proc *p, u32 from);
u32 proc_count(void);
u32 thread_count(void);
u64 proc_rlimit(int which); /* soft limit of the current process */

/* fork.c */
struct clone_args_k {
	u64 flags, stack, tls, parent_tid, child_tid, pidfd;
	int exit_signal;
	const u32 *set_tid;
	u32 set_tid_size;
};
/* The child's id, or -errno (EAGAIN, ENOMEM, EINVAL...). */
long proc_clone(const struct clone_args_k *a);
/* exec.c: 0 (returns to the new image through the frame) or -errno. argv/envp as user pointers, or kernel strings for init. */
struct exec_args {
	const char *filename; /* kernel string */
	struct file *file; /* execveat with AT_EMPTY_PATH; else NULL */
	struct path at; /* start of a relative lookup */
	u32 lookup;
	u64 user_argv, user_envp;
	const char *const *argv, *const *envp; /* kernel ones; NULL: use user_ */
};
int proc_exec(const struct exec_args *a);
/* exit.c */
void proc_exit_thread(int code) __noreturn; /* exit(2); @code as wait status */
void proc_exit_group(int status) __noreturn;
struct proc_wait_result {
	u32 pid, uid;
	int status, code; /* wait status; si_code CLD_* */
	struct rusage ru;
};
/* wait4/waitid: @which P_ALL, P_PID, P_PGID, P_PIDFD; options WNOHANG... pid found, 0 (WNOHANG), -ECHILD, -EINTR(-ERESTARTSYS), -EINVAL */
long proc_wait(int which, u32 id, struct pid *pidfd, int options, struct proc_wait_result *out);

/* signal.c. info NULL: SI_KERNEL/SI_USER chosen by the name. */
int signal_send_task(struct task *t, int sig, const struct ksiginfo *info);
int signal_send_proc(struct proc *p, int sig, const struct ksiginfo *info);
int signal_send_pgrp(struct pid *pgrp, int sig, const struct ksiginfo *info); /* -ESRCH if empty */
/* Synchronous fault: cannot be blocked or ignored. */
void signal_force(int sig, int code, u64 addr, const struct trapframe *tf);
void siginfo_fill(struct ksiginfo *si, int sig, int code);
bool signal_pending(void); /* of current, not blocked */
bool signal_fatal_pending(void);
void signal_recalc(struct task *t); /* holds: siglock */
/* From trap_user_work: deliver what is pending; restarts system calls by their internal errno. */
void signal_deliver(struct trapframe *tf);
/* The mask for the duration of a call (ppoll, sigsuspend, pselect, epoll_pwait). */
void signal_set_temporary_mask(ksigset_t mask);
void signal_restore_mask(void); /* call succeeded without a handler to run: undo at once */
bool signal_is_ignored_or_blocked(int sig); /* of current: tty's SIGTTOU/SIGTTIN rules */
bool proc_pgrp_orphaned(struct pid *pgrp); /* tty */

/* Internal results of a system call: never seen by user space (signal_deliver turns them into EINTR or a restart). */
#define ERESTARTSYS 512 /* restart if SA_RESTART or no handler */
#define ERESTARTNOINTR 513 /* always restart */
#define ERESTARTNOHAND 514 /* restart if no handler ran */
#define ERESTART_RESTARTBLOCK 516 /* restart through restart_syscall */

/*
 * Sessions and their terminal (session.c). kernel/tty is a layer above and registers what processes need of it:
 * fork takes a reference for the child (get), the last thread's exit drops it (put) and, when the process leads its
 * session, calls leader_exit first; setsid drops it too; /proc/PID/stat shows dev and foreground.
 */
struct proc_tty_ops {
	void (*get)(struct tty *t); /* ctx: any */
	void (*put)(struct tty *t); /* ctx: thread; holds: nothing; sleeps */
	void (*leader_exit)(struct proc *leader); /* hangs the session's terminal up. ctx: thread; holds: nothing; sleeps */
	u32 (*dev)(struct tty *t); /* in stat's old encoding. ctx: any */
	u32 (*foreground)(struct tty *t); /* id of the foreground group, 0: none. ctx: any */
};
extern const struct proc_tty_ops *proc_tty_ops; /* I after boot */
struct tty *proc_get_tty(struct proc *p); /* with a reference; NULL: none */
void proc_set_tty(struct proc *p, struct tty *t); /* takes over the reference; drops the old one; NULL: none */
void proc_session_clear_tty(struct pid *session, struct tty *t); /* every member that has @t loses it */
struct pid *proc_get_pgrp(struct proc *p); /* with a reference */
struct pid *proc_get_session(struct proc *p);
bool proc_pgrp_in_session(struct pid *pgrp, struct pid *session); /* does a member of @pgrp belong to @session? */

/* futex.c */
long futex_call(u64 uaddr, int op, u32 val, u64 timeout_or_val2, u64 uaddr2, u32 val3);
void futex_exit_robust(struct task *t);
/* Wake one waiter on a word and clear it: clear_child_tid. */
void futex_wake_address(u64 uaddr, u32 nr);

/* Boot: pid 1. Runs @path as init with the bootargs' argv/envp; returns only with -errno. ctx: the first user task */
void proc_init(void);
int proc_start_init(void (*fn)(void *arg), void *arg); /* makes pid 1's task running @fn, which execs */
/* cred.c */
void cred_commit(struct cred *c); /* becomes current's; consumes */
/* Permission of current to signal or examine another. 0 or -EPERM */
int proc_may_signal(struct proc *p, int sig);
int proc_may_access(struct task *t, u32 mode); /* ptrace-style check */
/* Times and usage of a process, running threads included. RUSAGE_SELF/CHILDREN/THREAD. */
void proc_rusage(struct proc *p, int who, struct rusage *out);
void proc_times(struct proc *p, s64 *utime, s64 *stime);
