#pragma once
/* What the files of kernel/proc share and nobody else calls. */
#include "kernel/proc/proc.h"
#include "mm/slab.h"

/* Counts of a real user, found by uid. a atomic, I immutable */
struct user_counts {
	refcount_t refs; /* a */
	u32 uid; /* I */
	atomic_t tasks; /* a: RLIMIT_NPROC */
	atomic_t signals; /* a: RLIMIT_SIGPENDING */
	struct list link; /* user table's lock */
};

/* user.c */
void user_init(void);
struct user_counts *user_find(u32 uid); /* with a reference; NULL: no memory. ctx: thread */
struct user_counts *user_get(struct user_counts *u);
void user_put(struct user_counts *u);
/* Move @p, which the caller is, to another real user's account. */
void user_switch(struct proc *p, u32 uid);

/* pid.c */
void pid_init(void);
extern int pid_max;
/*
 * A number of its own (or @want, which must be free) in the table, with the caller's reference. 0,
 * -EAGAIN, -EEXIST, -ENOMEM
 */
int __must_check pid_alloc(u32 want, struct pid **out);
/* Take the number out of the table unless something still bears it. holds: tree */
void pid_release_locked(struct pid *p);
void pid_release(struct pid *p);
struct pid *pid_find_locked(u32 nr); /* no reference; NULL. holds: tree */
struct pid *pid_next_locked(u32 from);

/* Tasks (by trace.link) and processes (by sibling) to be put when no lock is held any more. */
struct dead_list {
	struct list tasks, procs; /* o */
};
#define DEAD_LIST_INIT(name)                                     \
	{                                                        \
		LIST_INIT((name).tasks), LIST_INIT((name).procs) \
	}

/* si_code and si_status for a wait status. */
static inline int wait_code_of(int status)
{
	return !(status & 0x7f) ? CLD_EXITED : status & 0x80 ? CLD_DUMPED : CLD_KILLED;
}

static inline int wait_status_of(int status)
{
	return status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
}

/* session.c: holds: tree */
void proc_join_pgrp_locked(struct proc *p, struct pid *pgrp); /* leaves the old one */
void proc_join_session_locked(struct proc *p, struct pid *session);
void proc_leave_groups_locked(struct proc *p);

/* proc.c */
extern struct kmem_cache *sigqueue_cache;
extern struct proc *proc_of_init; /* I after boot */
int threads_max(void);
struct task *task_alloc(void); /* zeroed, with lists and the destructor; NULL */
void task_free_unstarted(struct task *t); /* before thread_init, or after thread_fini_unstarted */
struct proc *proc_alloc(void); /* refs = 1, defaults, no pid; NULL */
int sighand_copy(const struct sighand *from, bool clear, struct sighand **out);
struct sighand *sighand_alloc(void);
struct sighand *sighand_get(struct sighand *s);
void sighand_put(struct sighand *s);
/* Count a thread in, or refuse. 0 or -EAGAIN */
int __must_check thread_count_inc(void);
void thread_count_dec(void);
void proc_usage_add_task(struct proc_usage *u, struct task *t);
void proc_usage_add(struct proc_usage *u, const struct proc_usage *more);
/* dead threads and live ones; holds: siglock or tree */
void proc_usage_get(struct proc *p, struct proc_usage *out);

/* fork.c, exit.c */
/* robust futexes, clear_child_tid, vfork parent: user memory is still there */
void task_release_vm(struct task *t);
/* iocontext.c */
int __must_check io_context_inherit(struct task *child, bool share);
void io_context_put(struct io_context *io);
void task_wake_vfork_parent(struct task *t);
/* No thread is left, and no dead one that is traced. holds: tree */
bool proc_is_empty(const struct proc *p);
/* Such a process ends: its tracer or parent learns of it, or it is reaped. holds: tree */
void proc_become_zombie_locked(struct proc *p, struct dead_list *dead);
/* SIGCHLD is ignored, or its handler wants no zombies */
bool proc_ignores_children(const struct proc *p);
/* what unlocking left over. holds: nothing */
void dead_list_put(struct dead_list *dead);
/* Zombie @p's parent learns of it. True: nobody will wait, reap it. holds: tree */
bool proc_notify_parent_locked(struct proc *p);
/*
 * Takes a zombie out of the tree; the caller drops the tree's reference after unlocking. holds:
 * tree
 */
void proc_reap_locked(struct proc *p);

/* signal_send.c: holds: siglock of the process */
void sigpending_init(struct sigpending *s);
void sigpending_flush(struct sigpending *s);
void signal_wake_task(struct task *t, bool fatal);
void signal_group_exit_locked(struct proc *p, int code);
int signal_send_locked(struct proc *p, struct task *t, int sig, const struct ksiginfo *info,
		       bool forced);
int signal_dequeue_locked(struct task *t, ksigset_t mask, struct ksiginfo *info);
int signal_dequeue_from_locked(struct task *t, ksigset_t mask, struct ksiginfo *info, bool *shared);
void signal_remove_locked(struct proc *p, ksigset_t set);
/* A preallocated entry (POSIX timers): queues it unless it is queued already. */
int signal_send_entry(struct proc *p, struct task *t, struct sigqueue_entry *e);
/* SIGCHLD with status @code (CLD_*) from @child to its parent. holds: tree, no siglock */
void signal_notify_parent_locked(struct proc *child, int code, int status, bool check_nocldstop);
void signal_flush_handlers(struct sighand *h);

/* signalfd.c */
void sigwatch_wake_locked(struct proc *p); /* p->sigwatch is there; holds: siglock */
void sigwatch_exit(struct proc *p); /* @p is freed */

/* signal_stop.c: holds: siglock where named so */
bool signal_set_jobctl_locked(struct task *t, u32 bits);
void signal_clear_jobctl_locked(struct task *t, u32 bits);
bool __must_check signal_stop_join_locked(struct task *t);
/* a stop signal's default action in current */
void signal_stop_begin_locked(struct task *t, int sig);
void signal_stop_inherit_locked(struct task *child);
/* stops; releases the siglock that was taken with @flags */
void signal_stop_wait(struct task *t, u64 flags);
void signal_notify_stop(struct proc *p, int code);

/*
 * helper.c: run the program @argv[0] as root, a child of init that nobody waits for, whose thread
 * begins with @begin(@arg). ctx: thread; sleeps until it runs. 0, or why it does not.
 */
int __must_check helper_run(const char *const *argv, const char *const *envp,
			    int (*begin)(void *arg), void *arg);

/* coredump.c */
extern int suid_dumpable; /* a: /proc/sys/fs/suid_dumpable */
bool coredump_wanted(void);
void coredump(struct task *t, int sig, const struct ksiginfo *info);
void coredump_hold(struct task *t);
/* The core dump under way in @p is to end. holds: siglock */
void coredump_abort_locked(struct proc *p);

/* ptrace.c: holds: tree */
/* current's tracer gets the new task @child, too. holds: current's siglock, too */
void ptrace_inherit_locked(struct task *child);
/* SIGCHLD, or @sig (0: none), with CLD_* @code and @status from @t to its tracer; wakes it */
void ptrace_notify_tracer_locked(struct task *t, int sig, int code, int status);
/* the same when @t is dead */
void ptrace_notify_dead_locked(struct task *t);
/* current leaves its process; stays for its tracer if it has one. holds: siglock, too */
void ptrace_leave_dead_locked(struct task *t);
/* a dead thread, or exec's dead leader, is not waited for any more */
void ptrace_drop_dead_locked(struct task *t, struct dead_list *dead);
void ptrace_drop_leader_locked(struct proc *p, struct dead_list *dead);
/* the zombie @p, whose leader was traced by @tracer's, is its parent's now */
void ptrace_pass_zombie_locked(struct proc *p, const struct proc *tracer, struct dead_list *dead);
/* current ends: those it traces go on without it */
void ptrace_exit_tracer_locked(struct task *t, struct dead_list *dead);
/* May current's exec make it more than it is: does no tracer stand in the way? holds: siglock */
bool ptrace_allows_setid(const struct task *t);

/*
 * ptrace_scope.c: may current attach to @t, which its credentials allow; 0 or -EPERM. holds: tree
 */
int ptrace_scope_check_locked(const struct task *t);
/* May one with @tracer become the tracer of who asks for it (PTRACE_TRACEME)? */
bool ptrace_scope_allows(const struct cred *tracer);

/* ptrace_request.c: holds: siglock */
bool ptrace_is_mine_locked(const struct task *t);

/* ptrace_stop.c */
/* Which event a clone reports, PTRACE_EVENT_*; 0: none that the tracer wants. ctx: thread */
int ptrace_clone_event(const struct clone_args_k *a);
/* Stop for PTRACE_EVENT_* if the tracer wants it. ctx: thread; sleeps */
void ptrace_event(int event, u64 message);
void ptrace_exec_event(u32 old_tid);
void ptrace_exit_event(int code);
/* A signal that current took: what is to be done with it, 0: nothing. holds: siglock; drops it */
int ptrace_signal_locked(struct task *t, int sig, struct ksiginfo *si, bool shared, u64 *f);
/* current has TJ_TRAPS. holds: siglock; drops and retakes it */
void ptrace_trap_locked(struct task *t, u64 *f);
/* current's handler was entered, and it is stepped */
void ptrace_step_into_handler(void);
/* holds: siglock */
void ptrace_trap_notify_locked(struct task *t);
void ptrace_wake_locked(struct task *t, bool resume);
void ptrace_trapping_done_locked(struct task *t);

/* timers: itimer.c, ptimer.c */
void itimers_init(struct proc *p);
void itimers_exit(struct proc *p); /* last thread: no timer fires any more */
void ptimers_exit(struct proc *p); /* exec and exit: delete all */
/* The queued entry of a POSIX timer was taken: its overruns. holds: siglock */
void ptimer_dequeued_locked(struct sigqueue_entry *e, struct ksiginfo *info);
void cpu_limit_changed(struct proc *p);
void cpu_limit_inherited(struct proc *p);

/* procfs_pid.c, oom.c */
void procfs_pid_init(void);
void procfs_ns_init(void);
void oom_init(void);
void caller_init(void); /* caller.c */
void binfmt_init(void); /* binfmt_misc.c */

/* acct.c: of a process whose last thread ends, before and after it lets go of its memory. */
struct acct_exit {
	u64 kib; /* of memory */
	u16 tty;
	bool ends; /* else it goes on, which nothing but its name is told of */
};
void acct_init(void);
void acct_collect(struct acct_exit *x);
void acct_process(const struct acct_exit *x, int code);
s64 oom_score(struct proc *p);
void oom_note_left(const struct proc *p); /* its last thread has given all back */

/* exec.c */
struct file *exec_file_of(struct vmspace *vm); /* with a reference; NULL */
