#pragma once
/*
 * Signals: generation, delivery, stops. See signal_send.c, signal_deliver.c and signal_stop.c.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/signal.h>
#include "kernel/base/errno.h"
#include "kernel/base/spinlock.h"
#include "kernel/lib/list.h"
#include "kernel/lib/refcount.h"

struct task;
struct proc;
struct pid;
struct trapframe;
struct user_counts;

typedef u64 ksigset_t; /* bit n-1: signal n */
#define SIGBIT(n) (1ull << ((n)-1))
#define KSIG_COUNT 64

/* Signals that cannot be caught, blocked or ignored; sets by default action. */
#define KSIG_UNBLOCKABLE (SIGBIT(SIGKILL) | SIGBIT(SIGSTOP))
#define KSIG_STOPS (SIGBIT(SIGSTOP) | SIGBIT(SIGTSTP) | SIGBIT(SIGTTIN) | SIGBIT(SIGTTOU))
#define KSIG_IGNORED (SIGBIT(SIGCHLD) | SIGBIT(SIGCONT) | SIGBIT(SIGURG) | SIGBIT(SIGWINCH))
#define KSIG_CORES                                                                               \
	(SIGBIT(SIGQUIT) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGABRT) | SIGBIT(SIGFPE) | \
	 SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGSYS) | SIGBIT(SIGXCPU) | SIGBIT(SIGXFSZ))
/* Delivered before all others, because the instruction that caused them would cause them again. */
#define KSIG_SYNCHRONOUS                                                                        \
	(SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGFPE) | \
	 SIGBIT(SIGSYS))

/*
 * What is kept of a siginfo_t: all fields that the kernel fills. The rest of its 128 bytes is zero.
 */
struct ksiginfo {
	__SIGINFO;
};
_Static_assert(sizeof(struct ksiginfo) == 48, "header and the largest member of the union");

struct ksigaction {
	u64 handler; /* SIG_DFL 0, SIG_IGN 1, or user address */
	u64 flags; /* SA_* */
	u64 restorer;
	ksigset_t mask;
};

struct sigqueue_entry {
	struct list link; /* S */
	/* o: whose RLIMIT_SIGPENDING it counts against; NULL: preallocated */
	struct user_counts *user;
	struct ksiginfo info; /* o */
};

/* Guarded by the process's siglock; .set may be read without. */
struct sigpending {
	ksigset_t set; /* S; a for reading */
	struct list queue; /* S */
};

/* Signal actions, shared by CLONE_SIGHAND. a atomic, h guarded by .lock */
struct sighand {
	refcount_t refs; /* a */
	struct spinlock lock; /* rank SIGHAND */
	struct ksigaction action[KSIG_COUNT]; /* h; .handler a for reading */
};

/*
 * Send @sig (0: only check). @info NULL: sent by the kernel (SI_KERNEL). 0, or -EAGAIN when a
 * queued real-time signal finds its queue full. No permission check. ctx: any; holds: not the
 * siglock.
 */
int signal_send_task(struct task *t, int sig, const struct ksiginfo *info);
int signal_send_proc(struct proc *p, int sig, const struct ksiginfo *info);
void signal_raise(int sig);
/* -ESRCH if empty; not from IRQs */
int signal_send_pgrp(struct pid *pgrp, int sig, const struct ksiginfo *info);
/* Synchronous fault of current: cannot be blocked or ignored. @addr: si_addr. ctx: thread */
void signal_force(int sig, int code, u64 addr, const struct trapframe *tf);
/* The same with all that *si says. ctx: thread */
void signal_force_info(const struct ksiginfo *si);
/* Current's process dies of @sig, and nothing that it or a tracer does can keep it. ctx: thread */
void signal_die(int sig, const struct ksiginfo *si) __noreturn;
/* The same, of the kernel, on the way to user mode. ctx: thread; sleeps */
void signal_doom(int sig);
/* The frame of @sig's handler cannot be made (0: nothing to do with a handler): SIGSEGV. */
void signal_force_segv(int sig, const struct trapframe *tf);
/* with the sender's (current's) pid and uid */
void siginfo_fill(struct ksiginfo *si, int sig, int code);

bool signal_pending(void); /* of current, not blocked: an interruptible wait ends */
bool signal_fatal_pending(void); /* of current: it will die on the way to user mode */
void signal_recalc(struct task *t); /* holds: siglock */
/* From trap_user_work: deliver what is pending; restarts system calls by their internal errno. */
void signal_deliver(struct trapframe *tf);
void signal_set_blocked(ksigset_t mask); /* of current */
/* The mask for the duration of a call (ppoll, sigsuspend, pselect, epoll_pwait). */
void signal_set_temporary_mask(ksigset_t mask);
void signal_restore_mask(void); /* call succeeded without a handler to run: undo at once */
bool signal_is_ignored_or_blocked(int sig); /* of current: tty's SIGTTOU/SIGTTIN rules */
bool signal_is_ignored(struct proc *p, int sig);
/* Take a pending signal of @set (sigtimedwait, signalfd): its number, 0: none. ctx: thread */
int signal_dequeue(ksigset_t set, struct ksiginfo *out);
/* sigtimedwait: number, -EAGAIN at @deadline (monotonic; 0: do not wait), -EINTR. */
int signal_wait(ksigset_t set, s64 deadline, struct ksiginfo *out);
int signal_action(int sig, const struct ksigaction *act, struct ksigaction *old); /* 0 or -EINVAL */
void signal_siginfo_to_user(const struct ksiginfo *si, siginfo_t *out);
/* No thread of current's process blocks in vain: pending and blocked sets for /proc. */
void signal_sets(struct proc *p, struct task *t, ksigset_t *pending, ksigset_t *shared,
		 ksigset_t *blocked, ksigset_t *ignored, ksigset_t *caught);
