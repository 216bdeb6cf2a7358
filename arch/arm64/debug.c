/*
 * The debug unit: single step, hardware breakpoints and watchpoints of user threads.
 *
 * Whether a thread uses any of it is one word, arch_thread.debug, which the context switch tests;
 * only then are registers written here. A thread is stepped with MDSCR_EL1.SS set and SPSR_EL1.SS
 * set in its frame: the CPU runs one instruction, clears PSTATE.SS, and traps. What the kernel must
 * know of that:
 *
 *   - an SVC counts as one instruction: its frame has SS clear, and the return would trap at once;
 *   - an instruction that the kernel emulates must clear SS, for it has been executed;
 *   - where a frame is replaced (signal handler, sigreturn), SS is set again.
 *
 * Breakpoints match the address of an instruction, watchpoints up to eight bytes in a doubleword;
 * both fire before the instruction takes effect, in EL0 only. MDSCR_EL1.MDE switches all of them
 * on, so those of a thread that has none need not be cleared; a thread that has some loads every
 * register the machine has.
 *
 * Reference: Arm ARM, D2 (self-hosted debug); asm/ptrace.h for the form in which programs see it.
 */
#include <arch/debug.h>
#include <arch/frame.h>
#include <arch/irqflags.h>
#include <arch/memlayout.h>
#include <arch/sysreg.h>
#include <arch/thread.h>
#include "arch/arm64/arch_private.h"
#include "kernel/lib/string.h"

#define MDSCR_SS 0x1
#define MDSCR_MDE 0x8000

/* Control words: enable, privilege, type (load, store), byte select. */
#define CTRL_ENABLE 0x1u
#define CTRL_EL0 (2u << 1)
#define CTRL_TYPE(ctrl) ((ctrl) >> 3 & 3)
#define CTRL_BYTES(ctrl) ((ctrl) >> 5 & 0xff)
#define CTRL_MAKE(bytes, type, enable) ((bytes) << 5 | (type) << 3 | CTRL_EL0 | (enable))

static u32 slots[2]; /* I: breakpoints, watchpoints */
static u32 version; /* I */

/*
 * What this machine has.
 * ctx: boot.
 */
void debug_init(void)
{
	u64 dfr = sysreg_read(id_aa64dfr0_el1);

	version = sysreg_field(dfr, 0);
	slots[0] = sysreg_field(dfr, 12) + 1;
	slots[1] = sysreg_field(dfr, 20) + 1;
}

/* Contract in arch/debug.h. */
u32 debug_slots(bool watch)
{
	return slots[watch];
}

/* Contract in arch/debug.h. */
u32 debug_version(void)
{
	return version;
}

/* Contract in arch/debug.h. */
bool debug_slot_normalize(struct debug_slot *s, bool watch)
{
	u32 bytes = CTRL_BYTES(s->ctrl), type = CTRL_TYPE(s->ctrl), first;
	u64 align = watch ? 7 : 3;

	if (!(s->ctrl & CTRL_ENABLE)) {
		s->ctrl = CTRL_MAKE(bytes, type, 0);
		return true;
	}
	if (!bytes || (watch ? type == 0 : type != 0))
		return false;
	first = (u32)__builtin_ctz(bytes);
	bytes >>= first;
	if (bytes & (bytes + 1) || (!watch && bytes != 0xf))
		return false;
	if (s->addr >= USER_TOP)
		return false;
	s->addr += first;
	bytes <<= s->addr & align;
	if (bytes > 0xff)
		return false;
	s->addr &= ~align;
	s->ctrl = CTRL_MAKE(bytes, type, CTRL_ENABLE);
	return true;
}

static bool slots_active(const struct debug_slot *s)
{
	u32 any = 0;

	for (u32 i = 0; i < DEBUG_SLOTS; i++)
		any |= s[i].ctrl;
	return any & CTRL_ENABLE;
}

/* Contract in arch/debug.h. */
bool debug_regs_active(const struct debug_regs *r)
{
	return slots_active(r->brk) || slots_active(r->watch);
}

/* System registers are named in the instruction: a case for each. */
#define SLOT_CASE(kind, n)                                       \
	case n:                                                  \
		sysreg_write(dbg##kind##vr##n##_el1, s[n].addr); \
		sysreg_write(dbg##kind##cr##n##_el1, s[n].ctrl); \
		break;
/* clang-format off */
#define SLOT_CASES(kind) \
	SLOT_CASE(kind, 0) SLOT_CASE(kind, 1) SLOT_CASE(kind, 2) SLOT_CASE(kind, 3) \
	SLOT_CASE(kind, 4) SLOT_CASE(kind, 5) SLOT_CASE(kind, 6) SLOT_CASE(kind, 7) \
	SLOT_CASE(kind, 8) SLOT_CASE(kind, 9) SLOT_CASE(kind, 10) SLOT_CASE(kind, 11) \
	SLOT_CASE(kind, 12) SLOT_CASE(kind, 13) SLOT_CASE(kind, 14) SLOT_CASE(kind, 15)
/* clang-format on */

static void breakpoints_load(const struct debug_slot *s)
{
	for (u32 i = 0; i < slots[0]; i++) {
		switch (i) {
			SLOT_CASES(b)
		}
	}
}

static void watchpoints_load(const struct debug_slot *s)
{
	for (u32 i = 0; i < slots[1]; i++) {
		switch (i) {
			SLOT_CASES(w)
		}
	}
}

/*
 * @next comes on, and it or the thread before it uses the debug unit.
 * ctx: scheduler, IRQs off.
 */
void debug_switch(const struct arch_thread *next)
{
	u32 d = next->debug;

	if (d & DEBUG_REGS) {
		breakpoints_load(next->debug_regs->brk);
		watchpoints_load(next->debug_regs->watch);
	}
	sysreg_write(mdscr_el1, (d & DEBUG_STEP ? MDSCR_SS : 0) | (d & DEBUG_REGS ? MDSCR_MDE : 0));
}

/*
 * The debug registers of the current thread were changed while it was parked.
 * ctx: thread.
 */
void debug_apply(void)
{
	struct arch_thread *t = arch_current();
	bool active = t->debug_regs && debug_regs_active(t->debug_regs);
	u64 flags;

	if (!active && !t->debug)
		return;
	flags = irq_save();
	t->debug = (t->debug & DEBUG_STEP) | (active ? DEBUG_REGS : 0);
	debug_switch(t);
	irq_restore(flags);
}

/*
 * exec: the current thread has no breakpoints any more; stepping goes on.
 * ctx: thread.
 */
void debug_regs_clear(void)
{
	struct arch_thread *t = arch_current();

	if (!t->debug_regs)
		return;
	memset(t->debug_regs, 0, sizeof(*t->debug_regs));
	debug_apply();
}

/*
 * Contract in arch/thread.h.
 * ctx: thread.
 */
void arch_thread_step(bool on)
{
	struct arch_thread *t = arch_current();
	struct trapframe *tf = arch_user_frame(t);
	u64 flags;

	if (on == !!(t->debug & DEBUG_STEP))
		return;
	if (on)
		tf->pstate |= PSTATE_SS;
	else
		tf->pstate &= ~(u64)PSTATE_SS;
	flags = irq_save();
	t->debug ^= DEBUG_STEP;
	debug_switch(t);
	irq_restore(flags);
}

/*
 * Contract in arch/thread.h.
 * ctx: thread.
 */
void arch_step_rewind(struct trapframe *tf)
{
	if (arch_current()->debug & DEBUG_STEP)
		tf->pstate |= PSTATE_SS;
}
