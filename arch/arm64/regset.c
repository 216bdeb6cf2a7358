/*
 * Register sets: struct trapframe and struct arch_thread in the layouts of asm/ptrace.h.
 *
 * A set is a row of the table below: its ELF note type and two functions between the thread's state
 * and the layout. They work on memory only; the thread is parked meanwhile (arch/thread.h). What a
 * tracer writes is not believed: PSTATE keeps EL0 in AArch64 with nothing masked, control words of
 * breakpoints are checked and confined to EL0.
 *
 * Locking: the caller keeps the thread parked.
 */
#include <linux/elf.h>
#include <linux/errno.h>
#include <asm/hwcap.h>
#include <asm/ptrace.h>
#include <arch/cpu.h>
#include <arch/debug.h>
#include <arch/frame.h>
#include <arch/regset.h>
#include <arch/signal.h>
#include <arch/sysreg.h>
#include <arch/thread.h>
#include "kernel/lib/string.h"

#define VA_BITS 39

_Static_assert(sizeof(struct user_fpsimd_state) <= REGSET_SIZE_MAX, "NT_PRFPREG");
_Static_assert(sizeof(struct user_pt_regs) <= REGSET_SIZE_MAX, "NT_PRSTATUS");
_Static_assert(sizeof(struct user_hwdebug_state) <= REGSET_SIZE_MAX, "NT_ARM_HW_*");
_Static_assert(ARRAY_SIZE(((struct user_hwdebug_state *)0)->dbg_regs) == DEBUG_SLOTS, "slots");

static void gpr_get(struct arch_thread *t, void *out)
{
	const struct trapframe *tf = arch_user_frame(t);
	struct user_pt_regs *r = out;

	memcpy(r->regs, tf->x, sizeof(r->regs));
	r->sp = tf->sp;
	r->pc = tf->pc;
	r->pstate = tf->pstate;
}

static int gpr_set(struct arch_thread *t, const void *in)
{
	struct trapframe *tf = arch_user_frame(t);
	const struct user_pt_regs *r = in;

	if (!frame_pstate_ok(r->pstate))
		return -EINVAL;
	memcpy(tf->x, r->regs, sizeof(r->regs));
	tf->sp = r->sp;
	tf->pc = r->pc;
	frame_set_pstate(tf, r->pstate, t->debug & DEBUG_STEP);
	return 0;
}

static void fpr_get(struct arch_thread *t, void *out)
{
	struct user_fpsimd_state *r = out;

	memset(r, 0, sizeof(*r));
	if (!t->fpu_used)
		return;
	memcpy(r->vregs, t->fpu.v, sizeof(r->vregs));
	r->fpsr = t->fpu.fpsr;
	r->fpcr = t->fpu.fpcr;
}

static int fpr_set(struct arch_thread *t, const void *in)
{
	const struct user_fpsimd_state *r = in;

	memcpy(t->fpu.v, r->vregs, sizeof(t->fpu.v));
	t->fpu.fpsr = r->fpsr;
	t->fpu.fpcr = r->fpcr;
	t->fpu_used = true;
	t->fpu_cpu = ~0u;
	return 0;
}

/* TPIDR_EL0, and a second word, which is of CPUs with streaming vectors (TPIDR2_EL0). */
static void tls_get(struct arch_thread *t, void *out)
{
	const u64 v[2] = { t->tls_parked, 0 };

	memcpy(out, v, sizeof(v));
}

static int tls_set(struct arch_thread *t, const void *in)
{
	memcpy(&t->tls_parked, in, sizeof(t->tls_parked));
	return 0;
}

static void call_get(struct arch_thread *t, void *out)
{
	s32 nr = (s32)arch_user_frame(t)->syscallno;

	memcpy(out, &nr, sizeof(nr));
}

static int call_set(struct arch_thread *t, const void *in)
{
	s32 nr;

	memcpy(&nr, in, sizeof(nr));
	arch_user_frame(t)->syscallno = nr;
	return 0;
}

static void debug_get(struct arch_thread *t, struct user_hwdebug_state *out, bool watch)
{
	const struct debug_slot *s;

	memset(out, 0, sizeof(*out));
	out->dbg_info = debug_version() << 8 | debug_slots(watch);
	if (!t->debug_regs)
		return;
	s = watch ? t->debug_regs->watch : t->debug_regs->brk;
	for (u32 i = 0; i < debug_slots(watch); i++) {
		out->dbg_regs[i].addr = s[i].addr;
		out->dbg_regs[i].ctrl = s[i].ctrl;
	}
}

static int debug_set(struct arch_thread *t, const struct user_hwdebug_state *in, bool watch)
{
	struct debug_slot *to = watch ? t->debug_regs->watch : t->debug_regs->brk;
	struct debug_slot s[DEBUG_SLOTS];

	for (u32 i = 0; i < DEBUG_SLOTS; i++) {
		s[i].addr = in->dbg_regs[i].addr;
		s[i].ctrl = in->dbg_regs[i].ctrl;
		if (i >= debug_slots(watch)) {
			if (s[i].addr || s[i].ctrl)
				return -ENOSPC;
		} else if (!debug_slot_normalize(&s[i], watch)) {
			return -EINVAL;
		}
	}
	memcpy(to, s, debug_slots(watch) * sizeof(s[0]));
	return 0;
}

static void break_get(struct arch_thread *t, void *out)
{
	debug_get(t, out, false);
}

static int break_set(struct arch_thread *t, const void *in)
{
	return debug_set(t, in, false);
}

static void watch_get(struct arch_thread *t, void *out)
{
	debug_get(t, out, true);
}

static int watch_set(struct arch_thread *t, const void *in)
{
	return debug_set(t, in, true);
}

static bool pac_present(void)
{
	return cpu_hwcap() & HWCAP_PACA;
}

/* Which bits of an address hold its authentication code: those between it and the tag. */
static void pac_get(struct arch_thread *t, void *out)
{
	const u64 mask = (BIT(55) - 1) & ~(BIT(VA_BITS) - 1);
	struct user_pac_mask *m = out;

	m->data_mask = m->insn_mask = mask;
}

/* What PR_GET_TAGGED_ADDR_CTRL says. */
static void tagged_get(struct arch_thread *t, void *out)
{
	u64 v = t->tagged_addr;

	memcpy(out, &v, sizeof(v));
}

static int tagged_set(struct arch_thread *t, const void *in)
{
	u64 v;

	memcpy(&v, in, sizeof(v));
	return arch_tagged_set(t, v);
}

static const struct regset regsets[] = {
	{ .note = NT_PRSTATUS,
	  .size = sizeof(struct user_pt_regs),
	  .unit = sizeof(u64),
	  .get = gpr_get,
	  .set = gpr_set },
	{ .note = NT_PRFPREG,
	  .size = sizeof(struct user_fpsimd_state),
	  .unit = sizeof(u32),
	  .dumped = true,
	  .get = fpr_get,
	  .set = fpr_set },
	{ .note = NT_ARM_TLS,
	  .size = 2 * sizeof(u64),
	  .unit = sizeof(u64),
	  .dumped = true,
	  .get = tls_get,
	  .set = tls_set },
	{ .note = NT_ARM_HW_BREAK,
	  .size = sizeof(struct user_hwdebug_state),
	  .unit = sizeof(u32),
	  .dumped = true,
	  .get = break_get,
	  .set = break_set,
	  .needs_debug_regs = true },
	{ .note = NT_ARM_HW_WATCH,
	  .size = sizeof(struct user_hwdebug_state),
	  .unit = sizeof(u32),
	  .dumped = true,
	  .get = watch_get,
	  .set = watch_set,
	  .needs_debug_regs = true },
	{ .note = NT_ARM_SYSTEM_CALL,
	  .size = sizeof(s32),
	  .unit = sizeof(s32),
	  .dumped = true,
	  .get = call_get,
	  .set = call_set },
	{ .note = NT_ARM_PAC_MASK,
	  .size = sizeof(struct user_pac_mask),
	  .unit = sizeof(u64),
	  .dumped = true,
	  .present = pac_present,
	  .get = pac_get },
	{ .note = NT_ARM_TAGGED_ADDR_CTRL,
	  .size = sizeof(u64),
	  .unit = sizeof(u64),
	  .dumped = true,
	  .get = tagged_get,
	  .set = tagged_set },
};

/* Contract in arch/regset.h. */
const struct regset *regset_at(u32 index)
{
	return index < ARRAY_SIZE(regsets) ? &regsets[index] : NULL;
}

/* Contract in arch/regset.h. */
const struct regset *regset_find(u32 note)
{
	for (u32 i = 0; i < ARRAY_SIZE(regsets); i++) {
		const struct regset *r = &regsets[i];

		if (r->note == note)
			return r->present && !r->present() ? NULL : r;
	}
	return NULL;
}
