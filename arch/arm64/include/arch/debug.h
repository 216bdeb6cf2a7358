#pragma once
/*
 * Breakpoints and watchpoints of a thread: the debug registers that the CPU has while the thread
 * runs.
 */
#include "kernel/lib/types.h"

#define DEBUG_SLOTS 16

/* As ptrace shows them: the address, and the control word of asm/ptrace.h's user_hwdebug_state. */
struct debug_slot {
	u64 addr;
	u32 ctrl;
};

/* o: all of it the thread's, and its tracer's while it is parked. */
struct debug_regs {
	struct debug_slot brk[DEBUG_SLOTS], watch[DEBUG_SLOTS];
};

/* How many of them this machine has. ctx: any. */
u32 debug_slots(bool watch);
/* Version of the debug architecture, as ptrace shows it. ctx: any. */
u32 debug_version(void);
/*
 * Bring @s into the form that the hardware takes. False: no such breakpoint (watchpoint) can be.
 * ctx: any.
 */
bool __must_check debug_slot_normalize(struct debug_slot *s, bool watch);
/* Is any of @r enabled? ctx: any. */
bool debug_regs_active(const struct debug_regs *r);
