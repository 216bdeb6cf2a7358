#pragma once
/*
 * Signal frames in the Linux arm64 layout (struct rt_sigframe: siginfo, ucontext with
 * fpsimd_context, esr_context for faults), and single-step/TLS helpers for ptrace. Used by
 * kernel/proc/signal.c only.
 */
#include <linux/signal.h>
#include "kernel/lib/types.h"

struct trapframe;

struct sigframe_info {
	int sig;
	u64 handler; /* user address */
	u64 restorer; /* SA_RESTORER address; without one vDSO address + vdso_sigreturn_offset() */
	u32 sa_flags;
	const void *siginfo; /* 128 bytes, Linux siginfo_t */
	u64 mask; /* to restore at sigreturn */
	u64 altstack_sp, altstack_size;
	u32 altstack_flags; /* as in ucontext.uc_stack */
	bool on_altstack; /* deliver on the alternate stack */
	u64 fault_addr, fault_esr; /* for sigcontext; no syndrome: no record of it */
};

/*
 * Build the frame on the user stack and point @tf at the handler. ctx: thread; sleeps (user
 * memory). 0 or -EFAULT.
 */
int __must_check sigframe_push(struct trapframe *tf, const struct sigframe_info *info);

/*
 * rt_sigreturn: restore @tf, FP state; gives back mask and altstack as saved. 0 or -EFAULT (caller:
 * SIGSEGV): then @tf and the mask may have been restored, and .whole tells whether the mask was.
 */
struct sigframe_restored {
	u64 mask;
	stack_t stack;
	bool whole;
};
int __must_check sigframe_pop(struct trapframe *tf, struct sigframe_restored *out);

/* Stack that one frame takes at most, for AT_MINSIGSTKSZ. */
u64 sigframe_min_size(void);

/* Fresh user context for exec; the number of the call that execs stays for its tracer. */
void frame_init_user(struct trapframe *tf, u64 pc, u64 sp);
/* May EL0 run with @pstate; take over the bits of @pstate that EL0 may change. */
bool __must_check frame_pstate_ok(u64 pstate);
void frame_set_pstate(struct trapframe *tf, u64 pstate, bool step);

/*
 * vDSO image, whole pages, and symbols the kernel needs. Its data page (time_vdso_page) is mapped
 * directly below it.
 */
extern const u8 vdso_start[], vdso_end[];
u64 vdso_sigreturn_offset(void);
