/*
 * Exceptions decoded: the syndrome register becomes a struct fault or a panic, and nothing else
 * happens here.
 *
 * From EL0 every cause is turned into a fault for kernel/sys/trap.c; what has no name becomes
 * FAULT_UNDEF, so no user program can make the kernel panic. Exceptions handled without going up:
 * the first use of FP (fpu.c), WFI, and MRS of the identification registers, which Linux emulates
 * (HWCAP_CPUID).
 *
 * From EL1 only a data abort on a user address is expected, at an instruction that the exception
 * table (user.S) lists: its faults are resolved upstairs or end at the fixup. All others are bugs
 * of ours.
 *
 * Locking: none. Interrupts are off on entry; they are enabled before going up when the interrupted
 * context had them enabled, which EL0 always has. Reference: Arm ARM, D17.2.37 ESR_EL1.
 */
#include <asm-generic/siginfo.h>
#include <arch/barrier.h>
#include <arch/frame.h>
#include <arch/irqflags.h>
#include <arch/sysreg.h>
#include <arch/thread.h>
#include <arch/user.h>
#include "arch/arm64/arch_private.h"
#include "kernel/base/kasan.h"
#include "kernel/base/panic.h"
#include "kernel/base/percpu.h"
#include "kernel/base/trap.h"

/*
 * o: end of the stack on which a kernel stack overflow is reported; head.S sets that of the boot
 * CPU, smp.c those of the secondaries.
 */
PERCPU(u8 *, emergency_stack_top);

/*
 * Instructions [start, end) that touch user memory, and where a fault in them goes on; offsets from
 * each field.
 */
struct ex_entry {
	s32 start, end, fixup;
};
extern const struct ex_entry __ex_table_begin[], __ex_table_end[];

/* Entry points for vectors.S. */
void trap_el0_sync(struct trapframe *tf, u64 esr, u64 far);
void trap_el0_serror(struct trapframe *tf, u64 esr);
void trap_el1_sync(struct trapframe *tf, u64 esr, u64 far);
void trap_bad(struct trapframe *tf, u64 vector, u64 esr, u64 far) __noreturn;
void trap_stack_overflow(struct trapframe *tf, u64 esr, u64 far) __noreturn;

static u64 ex_fixup(u64 pc)
{
	for (const struct ex_entry *e = __ex_table_begin; e < __ex_table_end; e++) {
		if (pc >= (u64)&e->start + (s64)e->start && pc < (u64)&e->end + (s64)e->end)
			return (u64)&e->fixup + (s64)e->fixup;
	}
	return 0;
}

static enum fault_kind abort_kind(u32 fsc)
{
	switch (fsc & 0x3c) {
	case 0x04: /* translation, levels 0-3 */
	case 0x08: /* access flag */ return FAULT_TRANSLATION;
	case 0x0c: return FAULT_PERMISSION;
	case 0x20: return fsc == 0x21 ? FAULT_ALIGNMENT : FAULT_BUS;
	default: return FAULT_BUS;
	}
}

static void fault_from_abort(struct fault *f, u64 esr, u64 far)
{
	f->kind = abort_kind(ESR_FSC(esr));
	f->addr = user_untag(far);
	f->tagged = far;
	if (ESR_EC(esr) == EC_IABT_EL0)
		f->flags |= FAULT_EXEC;
	else if ((esr & ESR_WNR) && !(esr & ESR_CM))
		f->flags |= FAULT_WRITE;
}

static s32 fpe_code(u64 esr)
{
	static const struct {
		u32 bit;
		s32 code;
	} codes[] = { { 0x01, FPE_FLTINV },
		      { 0x02, FPE_FLTDIV },
		      { 0x04, FPE_FLTOVF },
		      { 0x08, FPE_FLTUND },
		      { 0x10, FPE_FLTRES } };

	for (u32 i = 0; (esr & BIT(23)) && i < ARRAY_SIZE(codes); i++) {
		if (esr & codes[i].bit)
			return codes[i].code;
	}
	return FPE_FLTUNK;
}

/* Go on behind an instruction that was emulated. */
static void skip_instruction(struct trapframe *tf)
{
	tf->pc += 4;
	tf->pstate &= ~(u64)PSTATE_SS; /* a step over it ends at once */
}

/* MRS Xt, <ID register>: op0 3, op1 0, CRn 0. */
static bool emulate_mrs(struct trapframe *tf, u32 crm, u32 op2, u32 rt)
{
	u64 v;

	if (!cpu_emulate_mrs(crm, op2, &v))
		return false;
	if (rt != 31)
		tf->x[rt] = v;
	skip_instruction(tf);
	return true;
}

/* CPUs without FEAT_IDST report such an MRS as an unknown instruction: look at it. IRQs on. */
static bool emulate_unknown(struct trapframe *tf)
{
	u32 insn;

	if ((tf->pstate & PSTATE_MODE32) || !user_ok(tf->pc, 4) || arch_user_load32(&insn, tf->pc))
		return false;
	if ((insn & 0xfffff000) != 0xd5380000 || (insn >> 8 & 0xf) > 7)
		return false;
	return emulate_mrs(tf, insn >> 8 & 0xf, insn >> 5 & 7, insn & 31);
}

static bool emulate_sysreg(struct trapframe *tf, u64 esr)
{
	u32 iss = esr & 0x1ffffff;

	/* op0 is 3, op1 0, CRn 0; a read */
	if ((iss & 0x31fc01) != 0x300001)
		return false;
	return emulate_mrs(tf, iss >> 1 & 0xf, iss >> 17 & 7, iss >> 5 & 31);
}

/* See arch_private.h. */
bool trap_decode_el0(struct trapframe *tf, u64 esr, u64 far, struct fault *f)
{
	f->kind = FAULT_UNDEF;
	f->tagged = tf->pc;
	if (tf->pstate & PSTATE_MODE32)
		return false;
	switch (ESR_EC(esr)) {
	case EC_IABT_EL0:
	case EC_DABT_EL0: fault_from_abort(f, esr, far); return false;
	case EC_UNKNOWN: return emulate_unknown(tf);
	case EC_SYSREG: return emulate_sysreg(tf, esr);
	case EC_WFX: skip_instruction(tf); return true;
	case EC_PC_ALIGN: f->kind = FAULT_PC_ALIGN; return false;
	case EC_SP_ALIGN:
		f->kind = FAULT_SP_ALIGN;
		f->tagged = tf->sp;
		return false;
	case EC_FP_EXC64:
		f->kind = FAULT_FPE;
		f->code = fpe_code(esr);
		return false;
	case EC_BRK64: f->kind = FAULT_BREAKPOINT; return false;
	case EC_STEP_EL0: f->kind = FAULT_STEP; return false;
	case EC_BREAKPT_EL0: f->kind = FAULT_HW_BREAKPOINT; return false;
	case EC_WATCHPT_EL0:
		f->kind = FAULT_WATCHPOINT;
		f->tagged = far;
		return false;
	default: return false;
	}
}

/* Synchronous exception from EL0 that is not SVC. ctx: IRQs off, returns so or on. */
void trap_el0_sync(struct trapframe *tf, u64 esr, u64 far)
{
	struct fault f = { .flags = FAULT_USER, .esr = esr };

	if (ESR_EC(esr) == EC_FP_ACCESS && !(tf->pstate & PSTATE_MODE32)) {
		fpu_trap();
		return;
	}
	irq_enable();
	if (!trap_decode_el0(tf, esr, far, &f))
		trap_user_fault(tf, &f);
}

/*
 * Asynchronous external abort while in EL0: the program's own doing as far as can be told. ctx:
 * IRQs off.
 */
void trap_el0_serror(struct trapframe *tf, u64 esr)
{
	struct fault f = { .kind = FAULT_BUS, .flags = FAULT_USER, .tagged = tf->pc, .esr = esr };

	irq_enable();
	trap_user_fault(tf, &f);
}

static const char *el1_cause(u64 esr)
{
	switch (ESR_EC(esr)) {
	case EC_DABT_EL1: return esr & ESR_WNR ? "write" : "read";
	case EC_IABT_EL1: return "instruction fetch";
	case EC_BRK64: return "trap instruction (a checked condition failed)";
	case EC_UNKNOWN: return "undefined instruction";
	case EC_PC_ALIGN:
	case EC_SP_ALIGN: return "misaligned pc or sp";
	default: return "unexpected exception";
	}
}

/* Synchronous exception in the kernel. ctx: IRQs off, and so on return. */
void trap_el1_sync(struct trapframe *tf, u64 esr, u64 far)
{
	u64 fixup = ex_fixup(tf->pc);
	bool retry;

	if (ESR_EC(esr) == EC_DABT_EL1 && fixup && user_untag(far) < USER_TOP) {
		struct fault f = { .esr = esr };

		fault_from_abort(&f, esr, far);
		if (!(tf->pstate & PSTATE_I))
			irq_enable();
		retry = trap_kernel_user_access(tf, &f);
		irq_disable();
		if (!retry)
			tf->pc = fixup;
		return;
	}
	kasan_explain_fault(far);
	panic_frame(tf, "%s in the kernel, address %#lx, esr %#lx", el1_cause(esr), far, esr);
}

/* A vector that nothing should reach. */
void trap_bad(struct trapframe *tf, u64 vector, u64 esr, u64 far)
{
	static const char *const name[4] = { "synchronous exception", "IRQ", "FIQ", "SError" };

	panic_frame(tf, "unexpected %s (vector %lu), address %#lx, esr %#lx", name[vector & 3],
		    vector, far, esr);
}

/* The running thread has used up its kernel stack; on the emergency stack. */
void trap_stack_overflow(struct trapframe *tf, u64 esr, u64 far)
{
	panic_frame(tf, "kernel stack overflow, address %#lx, esr %#lx", far, esr);
}
