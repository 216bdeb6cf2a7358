#pragma once
/*
 * Processes and their threads as user space sees them.
 *
 * A struct task is a user thread: a struct thread with an id, signal state and the Linux extras. A
 * struct proc is a thread group: what CLONE_THREAD shares. A struct pid is a number with the task,
 * process, group and session that bear it; references to it stay valid (and pollable: pidfd) after
 * death.
 *
 * Life: fork makes task + proc; each task leaves at its exit; the last one turns the process into a
 * zombie (which has no task any more); the parent's wait reaps it (proc leaves the tree); the last
 * proc_put frees it.
 *
 * Locks: the process tree's spinlock (proc_tree_lock, rank PROC_TREE, never from IRQs), then a
 * process's siglock (rank SIGNAL, IRQs off), then its table of actions (SIGHAND). proc->lock is a
 * mutex for what may sleep.
 *
 * I immutable, a atomic, o owned by the task itself, T guarded by the tree lock, P guarded by
 * proc->lock, S guarded by proc->siglock.
 */
#include <linux/resource.h>
#include <arch/frame.h>
#include "fs/vfs.h"
#include "kernel/base/timeout.h"
#include "kernel/proc/futex.h"
#include "kernel/proc/ptrace.h"
#include "kernel/proc/signal.h"
#include "kernel/sched/mutex.h"
#include "kernel/sched/thread.h"
#include "mm/vm/vmspace.h"

struct futex_waiter;
struct key;
struct seccomp_filter;
struct proc;
struct tty;
struct user_counts;

struct pid {
	refcount_t refs; /* a: the table holds one while the number is in use */
	u32 nr; /* I */
	struct task *task; /* T: live thread with this id */
	struct proc *proc; /* T: process whose leader id it is, until reaped */
	/* T: traced thread with this id that has ended; its tracer has not waited for it yet */
	struct task *dead;
	struct list pgrp; /* T: proc.pgrp_link of members */
	struct list session; /* T: proc.session_link of members */
	struct waitq exit_wait; /* own: pidfd pollers */
};

/* task.jobctl */
#define TJ_STOP_PENDING 0x1u /* has to stop with the group */
#define TJ_STOP_COUNTED 0x2u /* is one of proc.stop_count */
#define TJ_STOP_TAKEN 0x4u /* took a stop signal, and no SIGCONT came since */
#define TJ_STOPPED 0x8u /* stopped with the group */
#define TJ_KILLABLE 0x10u /* in an uninterruptible wait that a fatal signal ends */
#define TJ_EXITING 0x20u /* takes no more signals */
/* Of a traced thread: see ptrace_stop.c. */
#define TJ_TRAP_STOP 0x40u /* has to trap: a group stop, or PTRACE_INTERRUPT */
#define TJ_TRAP_NOTIFY 0x80u /* has to trap: the group's stop began or ended */
#define TJ_TRAPPING 0x100u /* its tracer waits until it has gone from stopped to traced */
#define TJ_TRACED 0x200u /* stopped for its tracer */
#define TJ_LISTENING 0x400u /* with TJ_TRACED: its tracer lets it wait for events */
/* Of the threads of a process that dumps core. */
#define TJ_DUMPED 0x800u /* ends, but waits for the dump to be over */
#define TJ_LEAVING 0x1000u /* ends, past that point */
#define TJ_TRAPS (TJ_TRAP_STOP | TJ_TRAP_NOTIFY)

/* What calls read and wrote: bytes and calls, whatever they went to (/proc/PID/io). */
struct proc_io {
	u64 rchar, wchar, syscr, syscw;
};

struct task {
	struct thread thread; /* first */
	struct pid *tid; /* T; o */
	struct proc *proc; /* I */
	struct list proc_link; /* T + S: proc->tasks */
	/* signals */
	ksigset_t blocked; /* S; a for reading */
	ksigset_t saved_mask; /* o: for sigsuspend, ppoll (WORK_RESTORE_MASK) */
	ksigset_t wait_set; /* S: sigtimedwait waits for these although blocked */
	struct sigpending pending; /* S */
	u32 jobctl; /* S: TJ_*; a for reading */
	u32 stop_signal; /* S: of the group stop that it takes part in, or did last */
	struct task_trace trace; /* see ptrace.h */
	struct list tracees; /* T: task.trace.link of those that this thread traces */
	u64 altstack_sp, altstack_size; /* o */
	u32 altstack_flags; /* o */
	/* o: of the last fault on memory, which every signal frame shows; stored by trap.c */
	u64 fault_addr, fault_esr;
	/* threads */
	u64 clear_child_tid; /* o */
	u64 set_child_tid; /* o */
	u64 robust_list; /* o */
	struct list futex_owned; /* those who wait for words that this thread owns: futex_owner.c */
	struct futex_waiter *futex_blocked; /* futex_owner.c: what it waits to own itself */
	bool futex_dead; /* futex_owner.c: it has left; nobody may wait for it any more */
	u64 rseq; /* o: address, 0 = not registered */
	u32 rseq_sig; /* o */
	struct task *vfork_parent; /* a: waits until this is NULL; reference */
	int exit_code; /* o: wait status */
	int pdeath_signal; /* a: PR_SET_PDEATHSIG */
	/* Restart block of nanosleep, futex, poll: see sys_restart_syscall. */
	long (*restart_fn)(struct task *t); /* o */
	u64 restart_arg[6]; /* o */
	u32 personality; /* o; a for reading */
	u64 timer_slack; /* a */
	struct io_context *io_context; /* a: set once, a reference; NULL: no I/O priority given */
	u16 mempolicy,
		mempolicy_nodes; /* o: set_mempolicy(2): MPOL_*, and the mask given with it */
	u8 mce_kill; /* o: PR_MCE_KILL_* policy + 1, 0: default */
	bool io_flusher; /* o: PR_SET_IO_FLUSHER */
	bool bypass_forced; /* o: PR_SET_SPECULATION_CTRL was given PR_SPEC_FORCE_DISABLE */
	bool no_new_privs; /* a: PR_SET_NO_NEW_PRIVS; set by itself or under S */
	u8 seccomp_mode; /* S; a for reading: SECCOMP_MODE_* */
	struct seccomp_filter *seccomp; /* S; o for reading: the newest, with a reference */
	struct key *thread_keyring, *session_keyring; /* keys.c's lock: references */
	struct key *reqkey_auth; /* o: a reference: the key that it has the right to make */
	u8 reqkey_ring; /* o: KEY_REQKEY_DEFL_* */
	u32 login_uid, login_session; /* o: as audit has them, plus 1; 0: unset */
	u64 default_slack; /* I: the creator's timer slack, which a slack of 0 stands for */
	u64 minflt, majflt; /* o */
	struct proc_io io; /* o */
	struct trapframe *frame; /* I: user registers at the top of its stack */
};

enum proc_state { PROC_ALIVE, PROC_ZOMBIE, PROC_DEAD };

/* What dead threads and reaped children used. */
struct proc_usage {
	s64 utime, stime;
	u64 minflt, majflt, nvcsw, nivcsw, inblock, oublock;
	u64 maxrss; /* pages */
	struct proc_io io;
};

struct proc {
	refcount_t refs; /* a */
	u32 ppid; /* a: parent's number, written under T */
	struct pid *pid; /* I */
	struct pid *pgrp, *session; /* T: references */
	struct list pgrp_link, session_link; /* T */
	struct proc *parent; /* T: no reference: it outlives us or gives us away */
	u32 creator; /* T: id of the thread that made it, or has it now; for __WNOTHREAD */
	struct list children, sibling; /* T */
	struct mutex lock; /* rank PROC */
	struct spinlock siglock; /* rank SIGNAL */
	struct list tasks; /* T + S to change, either to read */
	u32 ntasks; /* T + S to change; a for reading: on the list */
	u32 nlive; /* a: threads that have not begun to exit */
	struct task *leader; /* T + S: NULL after its exit */
	struct sighand *sighand; /* T + S to change, by exec only; either to read, if not its own */
	struct sigpending pending; /* S */
	struct sigwatch *sigwatch; /* S to set, once; a for looking: signalfd readers and pollers */
	/* own: wait4, exec waiting for its threads to end, PTRACE_ATTACH for one to trap */
	struct waitq child_wait;
	struct pid *ptracer; /* T: reference: PR_SET_PTRACER */
	u32 ntracees; /* T: of all its threads */
	u32 ndead; /* T: other threads that ended while traced, until their tracer waits */
	struct task *dead_leader; /* T: the leader, likewise */
	u8 state; /* T: enum proc_state; a for reading */
	bool group_exit; /* S; a for reading */
	int exit_code; /* S: of the group when group_exit, else of the leader: wait status */
	struct task *exec_task; /* S: kills the others to exec */
	/* S: what an exec that has begun to change the process will make of it; no reference */
	const struct cred *exec_cred;
	bool exec_dumpable; /* S: likewise */
	int exit_signal; /* T: what the parent gets; 0: nothing */
	bool stopped; /* S: a group stop is complete; a for reading */
	u32 stop_count; /* S: threads that a group stop under way waits for */
	int stop_code; /* S: signal that stopped it, 0 once reported by wait */
	bool continued; /* S: to report by WCONTINUED */
	u8 cld_pending; /* S: CLD_CONTINUED or CLD_STOPPED to tell the parent */
	bool unkillable; /* I: init: signals without handler do not reach it */
	bool subreaper; /* T */
	bool did_exec; /* T: setpgid's EACCES */
	bool forked_noexec; /* a: shown in /proc stat flags */
	bool signaled; /* a: a signal ended a thread */
	u8 dumpable; /* a: 0, 1, 2 as PR_GET_DUMPABLE */
	bool thp_disable; /* a */
	bool nproc_exceeded; /* a: setuid went over RLIMIT_NPROC; exec checks again */
	struct tty *tty; /* T: controlling terminal, reference held (proc_tty_ops) */
	struct pid *hung_pgrp; /* T: reference: foreground when that was hung up; leaders only */
	struct rlimit64 rlim[RLIM_NLIMITS]; /* S to write; a for reading */
	struct user_counts *user; /* S: reference; processes and queued signals of the real user */
	struct proc_usage dead, kids; /* S: of exited threads; of reaped children */
	s64 start_time; /* I: monotonic */
	struct timeout itimer_real; /* S */
	s64 itimer_real_expires, itimer_real_interval; /* S: 0 = off */
	bool had_timers; /* S: a timer of this process was armed once */
	u64 cpu_warned; /* S: seconds of CPU time at which SIGXCPU comes next */
	struct cpu_itimer {
		s64 expires, interval; /* S: 0 = off */
	} itimer_cpu[2]; /* S: ITIMER_VIRTUAL and ITIMER_PROF */
	struct timeout cpu_timeout; /* S: next look at CPU-time limits and timers */
	struct list posix_timers; /* S */
	u32 posix_timer_next; /* S */
	/* a: made by this process only (proc_sem_ops); NULL: none */
	struct sem_undo_list *sem_undo;
	struct core_dump *core; /* S: a core dump under way, see coredump.c */
	u32 core_filter; /* a: CORE_*: which memory is dumped */
	bool unwaited; /* I: reaped at its end, without its parent's waiting */
	int oom_score_adj; /* a */
	int oom_score_adj_min; /* a: how far down who has no privilege may set it */
	u32 membarrier; /* a: MEMBARRIER_CMD_PRIVATE_* registered for */
	/* What remains when the leader has gone. */
	struct key *process_keyring; /* keys.c's lock: a reference */
	struct key *upcall; /* o: a reference: of who was started to make a key; its right to */
	struct task *dead_task; /* T: a reference; it is what calls find by the number */
	struct cred *dead_cred; /* S */
	char dead_name[16]; /* S */
};

static inline struct task *task_of(struct thread *t)
{
	return container_of(t, struct task, thread);
}
#define current_task() task_of(current) /* only in user threads */
#define current_proc() (current->proc)

/* --- pid.c: numbers and groups. Lookups return references, find does not. --- */
void proc_tree_lock(void);
void proc_tree_unlock(void);
void proc_tree_assert_held(void);
struct task *task_lookup(u32 tid); /* NULL */
struct task *task_lookup_dead(u32 tid); /* also one that ended and was not waited for; NULL */
struct task *pid_get_task(struct pid *p); /* likewise */
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
/* Thread of @p with the lowest id >= @from, with reference. */
struct task *task_next(struct proc *p, u32 from);
u32 proc_count(void);
u32 thread_count(void);
u32 pid_last(void); /* newest number, for loadavg */
void pid_set_last(u32 nr);
int proc_pid_max(void); /* numbers are below this */
/*
 * Process groups and sessions of current; 0, -EPERM, -ESRCH, -EACCES, -EINVAL as setpgid(2),
 * setsid(2).
 */
int proc_setpgid(u32 pid, u32 pgid);
int proc_setsid(u32 *sid);
/* no member can be continued by a parent in the session */
bool proc_pgrp_orphaned(struct pid *pgrp);
bool proc_pgrp_orphaned_locked(const struct pid *pgrp, const struct proc *ignore);
bool proc_is_session_leader(const struct proc *p); /* holds: tree */

/*
 * Sessions and their terminal (session.c). kernel/tty is a layer above and registers what processes
 * need of it: fork takes a reference for the child (get), the last thread's exit drops it (put)
 * and, when the process leads its session, calls leader_exit first; setsid drops it too;
 * /proc/PID/stat shows dev and foreground.
 */
struct proc_tty_ops {
	void (*get)(struct tty *t); /* ctx: any */
	void (*put)(struct tty *t); /* ctx: thread; holds: nothing; sleeps */
	/* the session's terminal loses it. ctx: thread; holds: nothing; sleeps */
	void (*leader_exit)(struct proc *leader);
	u32 (*dev)(struct tty *t); /* in stat's old encoding. ctx: any */
	/* id of the foreground group, 0: none. ctx: thread; holds: nothing; sleeps */
	u32 (*foreground)(struct tty *t);
};
extern const struct proc_tty_ops *proc_tty_ops; /* I after boot */
struct tty *proc_get_tty(struct proc *p); /* with a reference; NULL: none */
/* takes over the reference; drops the old one; NULL: none */
void proc_set_tty(struct proc *p, struct tty *t);
/* every member that has @t loses it; the leader keeps @hung_pgrp in mind (NULL: nothing) */
void proc_session_clear_tty(struct pid *session, struct tty *t, struct pid *hung_pgrp);
struct pid *proc_take_hung_pgrp(struct proc *p); /* with its reference; NULL: none */
struct pid *proc_get_pgrp(struct proc *p); /* with a reference */
struct pid *proc_get_session(struct proc *p);
/* does a member of @pgrp belong to @session? */
bool proc_pgrp_in_session(struct pid *pgrp, struct pid *session);

/*
 * System V semaphore adjustments (kernel/ipc, a layer above): clone with CLONE_SYSVSEM and without
 * CLONE_THREAD shares the parent's list with the child before it runs; the last thread's exit
 * applies and drops it.
 */
struct proc_sem_ops {
	void (*share)(struct proc *child, struct proc *parent); /* ctx: thread */
	void (*exit)(struct proc *p); /* ctx: thread; holds: nothing; sleeps */
};
extern const struct proc_sem_ops *proc_sem_ops; /* I after boot */

/* --- rlimit.c --- */
/* soft limit of the current process; RLIM64_INFINITY for kernel threads */
u64 proc_rlimit(int which);
void proc_vm_limits(struct vm_limits *out); /* of current */
/* Give @f, whose reference it takes, a descriptor: its number, -EMFILE, -ENOMEM. */
long proc_fd_open(struct file *f, bool cloexec);

/* --- iocontext.c: ioprio_set(2), shared by CLONE_IO --- */
u16 task_ioprio(const struct task *t); /* 0: none was given */
int __must_check task_set_ioprio(struct task *t, u16 ioprio); /* 0 or -ENOMEM */

/* --- fork.c --- */
struct clone_args_k {
	u64 flags, stack, tls, parent_tid, child_tid, pidfd;
	int exit_signal;
	const u32 *set_tid; /* kernel memory */
	u32 set_tid_size;
};
/* The child's id, or -errno (EAGAIN, ENOMEM, EINVAL...). */
long proc_clone(const struct clone_args_k *a);
int proc_unshare(u64 flags);
int proc_setns(int fd, u32 type); /* procfs_ns.c */
struct path proc_net_ns(void); /* the network's name space; without references. ctx: any */

/*
 * --- exec.c: 0 (returns to the new image through the frame) or -errno. argv/envp as user pointers,
 * or kernel strings for init. ---
 */
struct exec_args {
	/* kernel string: comm, AT_EXECFN, name given to a script's interpreter */
	const char *filename;
	const char *lookup_name; /* what to look up at .at; NULL: filename */
	struct path at; /* start of a relative lookup */
	u32 lookup; /* LOOKUP_* */
	int open_err; /* what opening the program will fail with, when that is known; else 0 */
	bool fd_cloexec; /* execveat of a close-on-exec descriptor: a script cannot be reopened */
	u64 user_argv, user_envp;
	const char *const *argv, *const *envp; /* kernel ones; argv NULL: use user_ */
};
int proc_exec(const struct exec_args *a);
int __must_check acct_on(const char *name); /* acct(2): acct.c */
int __must_check exec_set_file(struct file *f); /* PR_SET_MM_EXE_FILE; -EBUSY, -EACCES, -ENOMEM */

/* --- exit.c, wait.c --- */
void proc_exit_thread(int code) __noreturn; /* exit(2); @code as wait status */
void proc_exit_group(int status) __noreturn;
struct proc_wait_result {
	u32 pid, uid;
	/* wait status (code, signal or 0xffff as wait4 gives it); si_code CLD_* */
	int status, code;
	struct rusage ru;
};
/* wait4/waitid: @which P_ALL, P_PID, P_PGID, P_PIDFD; options WNOHANG... pid found, 0 (WNOHANG),
 * -ECHILD, -ERESTARTSYS. P_PGID with
 * @id 0: the caller's group. @pidfd: with P_PIDFD. */
long proc_wait(int which, u32 id, struct pid *pidfd, int options, struct proc_wait_result *out);

/* --- proc.c --- */
void proc_init(void);
/* makes pid 1's task running @fn, which execs */
int proc_start_init(void (*fn)(void *arg), void *arg);
/* likewise a child of init that is reaped by itself */
int __must_check proc_start_helper(void (*fn)(void *arg), void *arg);
extern void (*proc_hostname)(char out[65]); /* I after boot: the name is kernel/sys's */
/* References to what a (possibly other) task uses; NULL if it has none any more. */
struct vmspace *task_get_vm(struct task *t); /* vmspace_put; the regions may go at any time */
struct fdtable *task_get_files(struct task *t);
struct fsctx *task_get_fs(struct task *t);
void procs_move(const struct path *from, const struct path *to);
struct cred *task_get_cred(struct task *t);
struct cred *proc_get_cred(struct proc *p); /* the leader's, also of a zombie */
void proc_get_name(struct proc *p, char out[16]);
struct task *proc_get_leader(struct proc *p); /* or any live thread; NULL: zombie */
/* memfail.c */
struct ksiginfo;
int memfail_inject(u64 addr, u64 len, bool soft);
void memfail_siginfo(struct ksiginfo *si, int code, u64 addr);
/* Times and usage of a process, running threads included. RUSAGE_SELF/CHILDREN/THREAD. */
void proc_rusage(struct proc *p, int who, struct rusage *out);
void proc_times(struct proc *p, s64 *utime, s64 *stime);

/* --- cred.c --- */
void cred_commit(struct cred *c); /* becomes current's; consumes */
/* Permission of current to signal or examine another. 0 or -EPERM */
int proc_may_signal(struct proc *p, int sig);
int proc_may_access(struct task *t, u32 mode); /* ptrace-style check */
bool proc_may_see(struct proc *p); /* to look, also at a zombie */
#define ACCESS_READ 1u
#define ACCESS_ATTACH 2u
#define ACCESS_REAL_IDS 4u

/* --- pidfd.c --- */
int pidfd_create(struct pid *pid, u32 flags, struct file **out);
int pidfd_get_pid(int fd, struct pid **out); /* with reference; -EBADF */
/* The process of a descriptor, or its leader, with a reference. 0, -EBADF, -ESRCH. ctx: thread */
int __must_check pidfd_get_proc(int fd, struct proc **out);
int __must_check pidfd_get_leader(int fd, struct task **out);
bool pidfd_is_nonblock(int fd); /* of a process descriptor with O_NONBLOCK */
int pidfd_get_pid_or_dir(int fd, struct pid **out); /* also of an open /proc/PID */
