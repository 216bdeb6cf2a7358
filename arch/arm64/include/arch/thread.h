#pragma once
/*
 * The part of a thread that the architecture and the lowest layers know. It is the first member of
 * struct thread (kernel/sched/thread.h), so that one register, SP_EL0 in the kernel, serves both
 * views: arch_current() here, current there.
 *
 * I immutable after creation, a atomic, o owned by this thread (or by the CPU switching it).
 */
#define AT_PREEMPT 0
#define AT_WORK 4
#define AT_SP 8
#define AT_KSTACK_TOP 16

/* Bits of work: the one word that the way back to user mode tests. */
#define WORK_RESCHED 0x1 /* another thread should run: also tested when preemption is re-enabled */
#define WORK_SIGNAL 0x2 /* signals to look at */
#define WORK_TRACE 0x4 /* is traced: system calls may stop for the tracer */
#define WORK_NOTIFY 0x8 /* deferred work that locks were in the way of */
#define WORK_RESTORE_MASK 0x10 /* sigsuspend and friends: saved mask to restore */
#define WORK_RSEQ 0x20 /* registered for rseq: a switch to it adds the next */
#define WORK_RSEQ_EVENT 0x40 /* the rseq area is to be brought up to date */
#define WORK_SYSEXIT 0x80 /* a system call of a traced thread ends: its tracer may want to know */
/* What keeps a thread from returning to user mode: those that stay set are no reason. */
#define WORK_USER 0xdb

/* Bits of debug. */
#define DEBUG_STEP 0x1 /* trap after each instruction */
#define DEBUG_REGS 0x2 /* some of debug_regs is enabled */

#ifndef __ASSEMBLY__
#include "kernel/lib/types.h"

struct debug_regs;
struct trapframe;
struct lock_debug;

/* FP/SIMD registers as the signal frame and ptrace show them. */
struct fpu_state {
	__uint128_t v[32];
	u32 fpsr;
	u32 fpcr;
} __aligned(16);

struct lock_held {
	struct lock_debug *lock;
	const void *where;
};

struct arch_thread {
	u32 preempt_count; /* o: 0 = preemptible */
	u32 work; /* a: WORK_* */
	u64 sp; /* o: kernel stack pointer while switched out; callee-saved registers lie there */
	u64 kstack_top; /* I: the user trapframe ends here */
	u64 tls; /* o: TPIDR_EL0 while switched out */
	u32 fpu_cpu; /* o: CPU whose registers hold our state, or ~0 */
	bool fpu_used; /* o: state below is live (the thread has used FP since exec) */
	bool tagged_addr; /* o: its system calls take tagged addresses */
	bool reclaiming; /* o: inside memory shrinkers: its allocations do not reclaim again */
	u32 fail_nth; /* a: that many allocations from now one fails; 0: none (mm/mm_debug.h) */
	u32 debug; /* o: DEBUG_*: what the CPU's debug unit does while it is in user mode */
	u64 tls_parked; /* o: TPIDR_EL0 from arch_thread_park to arch_thread_unpark */
	/* o: breakpoints and watchpoints, NULL: never had any; whoever embeds this allocates */
	struct debug_regs *debug_regs;
	struct fpu_state fpu; /* o: valid when not loaded on fpu_cpu */
#ifdef CONFIG_DEBUG
	struct lock_held held[24]; /* o: locks held, oldest first (kernel/base/lockrank.c) */
	u32 nheld; /* o */
	u32 held_base; /* o: those below were held by the code that was interrupted */
#endif
};
_Static_assert(offsetof(struct arch_thread, work) == AT_WORK, "asm");
_Static_assert(offsetof(struct arch_thread, sp) == AT_SP, "asm");
_Static_assert(offsetof(struct arch_thread, kstack_top) == AT_KSTACK_TOP, "asm");

/* The running thread. ctx: any; never NULL once head.S is through (CPU boot threads). */
static __always_inline struct arch_thread *arch_current(void)
{
	struct arch_thread *t;

	/* Not volatile: the value is constant within a thread, so the compiler may reuse it. */
	__asm__("mrs %0, sp_el0" : "=r"(t));
	return t;
}

/* The trapframe of @t's entry from user mode: at the top of its kernel stack. */
static inline struct trapframe *arch_user_frame(struct arch_thread *t)
{
	return (struct trapframe *)(t->kstack_top - 304);
}

/*
 * Switch CPU state from @prev to @next (registers, stack, TLS, FP laziness). Returns in the context
 * of a later switch back to @prev; the return value is the thread that ran before.
 * ctx: scheduler, IRQs off. Address-space switch is pmap_activate()'s.
 */
struct arch_thread *arch_thread_switch(struct arch_thread *prev, struct arch_thread *next);

/*
 * Lay out a new thread's kernel stack so that the first switch to it calls @fn(@arg) with IRQs on
 * (after sched_tail(prev), see trap.h). If @fn returns, the thread returns to user mode through its
 * user frame.
 */
void arch_thread_init(struct arch_thread *t, void *stack, size_t size, void (*fn)(void *),
		      void *arg);

/* Forked user thread: copies FP state and TLS of the current thread into @t. */
void arch_thread_fork(struct arch_thread *t);

/* exec: forget FP state and TLS of the current thread, and that it may use tagged addresses. */
void arch_thread_exec(void);

/* Sysctl abi/tagged_addr_disabled: no thread can ask for tagged addresses any more. */
extern int arch_tagged_disabled;
/*
 * PR_SET_TAGGED_ADDR_CTRL of @t, which is current or parked. ctx: thread. 0 or -EINVAL.
 */
int __must_check arch_tagged_set(struct arch_thread *t, u64 ctrl);

/* Bring the current thread's FP registers into arch.fpu (sigframe, ptrace, core dumps). */
void fpu_save_current(void);
/* Make arch.fpu of the current thread the truth; registers reload lazily. Call it before changing
 * arch.fpu: a switch in between would store the registers over the change. */
void fpu_reload_current(void);

/*
 * A thread that stops for others to look at: its user registers (frame, FP, TLS, debug) lie in
 * memory, where they may be read and changed, from arch_thread_park to arch_thread_unpark, which it
 * calls itself. ctx: thread.
 */
void arch_thread_park(void);
void arch_thread_unpark(void);
/*
 * Trap after each instruction that the current thread executes in user mode, or no longer. The
 * first instruction is stepped over when stepping begins. ctx: thread.
 */
void arch_thread_step(bool on);
/* The current thread, if it is stepped, executes one instruction before it traps again. */
void arch_step_rewind(struct trapframe *tf);
#endif
