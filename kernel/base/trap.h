#pragma once
/*
 * The two-way contract between arch/arm64 and the kernel: what arch calls upward. House rule: under
 * twenty functions, all here. IRQ and time have theirs in irq.h and time.h.
 */
#include "kernel/lib/types.h"

struct trapframe;
struct arch_thread;

/* Why a synchronous exception from EL0, or a kernel access to user memory, failed. */
enum fault_kind {
	FAULT_TRANSLATION, /* no mapping: also access flag */
	FAULT_PERMISSION,
	FAULT_ALIGNMENT,
	FAULT_BUS, /* synchronous external abort */
	FAULT_UNDEF, /* undefined instruction */
	FAULT_BREAKPOINT, /* BRK */
	FAULT_STEP, /* single step */
	FAULT_WATCHPOINT,
	FAULT_HW_BREAKPOINT,
	FAULT_PC_ALIGN,
	FAULT_SP_ALIGN,
	FAULT_FPE, /* trapped floating point: code = FPE_* */
};

#define FAULT_WRITE 1u
#define FAULT_EXEC 2u
#define FAULT_USER 4u /* taken from EL0 */

struct fault {
	enum fault_kind kind;
	u32 flags; /* FAULT_WRITE... */
	vaddr_t addr; /* memory: what could not be reached, without tag; else 0 */
	vaddr_t tagged; /* what the signal says: the same with its tag; else pc or sp */
	u64 esr; /* for signal frames and logs */
	s32 code; /* si_code hint, e.g. FPE_FLTDIV */
};

/* kernel/sys/syscall.c: SVC from EL0; number in x8, arguments x0-x5. IRQs on. The entry
 * code has filled in orig_x0 and syscallno, and stores the result in tf->x[0]. */
long trap_syscall(struct trapframe *tf);

/* kernel/sys/trap.c: synchronous exception from EL0, IRQs on: resolves it or makes the signal. */
void trap_user_fault(struct trapframe *tf, const struct fault *f);

/*
 * kernel/sys/trap.c: a kernel instruction that has a fixup entry touched user memory. IRQs as they
 * were at the fault. True: resolved, retry. False: take the fixup (the copy returns -EFAULT). Must
 * return false at once when it may not sleep (preemption or IRQs off): that is the _nofault copy.
 */
bool trap_kernel_user_access(struct trapframe *tf, const struct fault *f);

/* kernel/sys/trap.c: the return to EL0 found work bits set. Called with IRQs on; loops until none
 * is left; arch masks IRQs and tests again afterwards. */
void trap_user_work(struct trapframe *tf, u32 work);

/*
 * kernel/sched: an IRQ is over, the interrupted context was preemptible and WORK_RESCHED is set.
 * IRQs off.
 */
void trap_preempt_irq(void);

/* kernel/sched: first thing a new thread runs after a switch, before IRQs are enabled. */
void trap_thread_start(struct arch_thread *prev);

/*
 * kernel/main.c: the boot CPU, MMU on, IRQs off, in the boot thread; @fdt is where the loader put
 * the device tree.
 */
void kmain(paddr_t fdt) __noreturn;

/* kernel/main.c: a secondary CPU, MMU and per-CPU data on, IRQs off, on its idle thread's stack. */
void secondary_main(u32 cpu) __noreturn;

/* kernel/sched: idle thread of a CPU about to be started; 0 or -ENOMEM. */
int __must_check sched_idle_thread(u32 cpu, struct arch_thread **out);
