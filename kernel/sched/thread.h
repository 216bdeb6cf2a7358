#pragma once
/*
 * Threads: what the scheduler runs. One per user thread (kernel/proc embeds struct thread in its
 * struct task) and for kernel work.
 *
 * I immutable after creation, a atomic, o owned by this thread, t guarded by .lock (THREAD), r
 * guarded by the RUNQ lock of the run queue of .cpu, asleep or not (take it with
 * sched_thread_lock).
 */
#include <arch/thread.h>
#include "kernel/base/spinlock.h"
#include "kernel/lib/list.h"
#include "kernel/lib/rbtree.h"
#include "kernel/lib/refcount.h"

struct vmspace;
struct proc;
struct cred;
struct fsctx;
struct fdtable;
struct file;
struct waitq;
struct dl;

enum thread_state {
	TS_RUNNABLE, /* running or on a run queue */
	TS_SLEEPING, /* interruptible wait */
	TS_BLOCKED, /* uninterruptible wait */
	TS_STOPPED, /* job control or ptrace stop */
	TS_DEAD,
	TS_NEW, /* thread_start was not called yet */
};

enum sched_class { SC_FAIR, SC_IDLE_POLICY, SC_FIFO, SC_RR, SC_IDLE, SC_DL };

/* Scheduling parameters and accounting. */
struct sched_entity {
	struct rb_node node; /* r: fair tree, or that of deadlines */
	struct list link; /* r: rt queue */
	u64 vruntime; /* r: virtual time received, while runnable */
	/* r: virtual deadline of the current request; SC_DL: that it runs with, a for reading */
	u64 deadline;
	s64 lag; /* r: virtual time owed to it (> 0) when it last stopped being runnable */
	u32 weight; /* r */
	u8 klass; /* r: enum sched_class, of what it runs with */
	u8 prio; /* r: real-time priority that it runs with, PRIO_DL; a for reading */
	u8 policy; /* r: SCHED_* as user space set it */
	u8 rt_prio; /* r: 1-99, as user space set it */
	s8 nice; /* r: -20..19 */
	struct dl *dl; /* r: of SCHED_DEADLINE; a for reading whether there is one */
	u64 boost; /* r: urgency that it was lent (sched.h), 0: none */
	bool reset_on_fork; /* r */
	bool blocked; /* r: counted in a run queue's .nblocked */
	bool queued; /* r: in the tree or an rt queue; the running thread is not */
	bool on_cpu; /* r: running; a for reading */
	s64 slice_end; /* r: real time at which a competitor gets its turn */
	s64 slice_left; /* r: SCHED_RR, preempted: what is left of its slice; 0: a whole one */
	s64 exec_start; /* r: accounted up to here */
	s64 pick_time; /* r: got the CPU */
	u64 sum_exec; /* r: ns on CPU, all */
	u64 rt_since; /* r: sum_exec when it last woke, or became a real-time thread */
	u64 unsplit; /* r: part of sum_exec that no sample has given to user or system yet */
	u64 user_ns, sys_ns; /* r: given by samples */
	u64 told_user, told_sys; /* r: what sched_times() said last */
	u64 nvcsw, nivcsw; /* r: voluntary and involuntary switches */
};

struct thread {
	struct arch_thread arch; /* o: must be first, see arch/thread.h */
	struct spinlock lock; /* rank THREAD */
	refcount_t refs; /* a: the last put frees stack and struct */
	u32 state; /* r: enum thread_state; o to announce a sleep; a for reading */
	u32 cpu; /* r: run queue it belongs to, also while asleep; a for reading */
	cpumask_t affinity; /* r */
	struct sched_entity se; /* r */
	bool interrupted; /* a: a signal is pending: interruptible waits return -EINTR */
	bool killed; /* a: a fatal signal is pending: killable waits end too */
	bool privileged; /* o: a capability was used (thread_capable) */
	bool user; /* I: has a user half (is a struct task) */
	void *stack; /* I: bottom of the kernel stack */
	char name[16]; /* t: comm */
	s64 start_time; /* I */
	const void *wait_addr; /* o: caller of the wait, for wchan */
	struct list all; /* THREAD_LIST: every thread that was started and has not ended */
	/*
	 * I: frees the containing object at the last put; NULL: kernel thread. The last put may be
	 * the one of the thread's own end, made by whichever thread runs next with preemption off:
	 * it must not sleep.
	 */
	void (*destroy)(struct thread *t);

	/* The current user half, seen by lower layers as opaque; kernel/proc owns the references.
	 * NULL in kernel threads (cred: cred_root). */
	struct vmspace *vm; /* o */
	/* o: what the scheduler loads: vm's; changed together with vm, preemption off */
	struct pmap *pmap;
	struct proc *proc; /* I */
	struct cred *cred; /* o: replaced by this thread only; others take a reference under PROC */
	struct fsctx *fs; /* o */
	u32 walks; /* o: path walks under way (namei.c); a for reading */
	struct fdtable *files; /* o */
	struct file **puts; /* o: list of the files that mappings let go of; NULL: for a worker */
	struct list *net_queue; /* o: loopback's queues to deliver after this one; NULL: in none */
};
_Static_assert(offsetof(struct thread, arch) == 0, "current is one register");

#define current ((struct thread *)arch_current())

/* Has current the capability? If so it is known to have used it. ctx: thread */
bool thread_capable(int cap);

/* Kernel thread running @fn(@arg); starts at once. ctx: thread; sleeps. 0 or -ENOMEM. The thread
 * holds its own reference; *out (may be NULL) gets another. It ends by returning from @fn. */
int __must_check thread_create(const char *name, void (*fn)(void *), void *arg,
			       struct thread **out);
/*
 * Prepare @t (zeroed by the caller, inside a larger object if user) to run @fn(@arg): stack, name,
 * scheduling parameters inherited from current (reset_on_fork honoured). refs = 1. Not started. 0
 * or -ENOMEM.
 */
int __must_check thread_init(struct thread *t, const char *name, void (*fn)(void *), void *arg);
void thread_start(struct thread *t); /* make it runnable for the first time */
void thread_fini_unstarted(struct thread *t); /* undo thread_init */
void thread_exit(void) __noreturn; /* drops the running thread's own reference */
void thread_get(struct thread *t);
void thread_put(struct thread *t);
void thread_set_name(struct thread *t, const char *name);
void thread_get_name(struct thread *t, char out[16]);
/* Every thread in turn, for debug dumps: holds sched's list lock during @fn. */
void thread_foreach(void (*fn)(struct thread *t, void *arg), void *arg);
