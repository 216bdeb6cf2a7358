/*
 * Signal frames in the layout of Linux on arm64.
 *
 *   higher   frame record (fp, lr)       x29 of the handler points here
 *            struct ucontext             x2: mask, stack, registers; in __reserved
 *                                        fpsimd_context, esr_context, end
 *   sp ->    siginfo_t                   x1
 *
 * The frame has the full size of Linux's whatever it holds, as programs measure their stacks by it.
 * What sigreturn reads comes from the user and is not believed: of PSTATE only the bits that EL0
 * may change are taken, other modes are refused, and records must be aligned, known and of their
 * exact size. A frame that is refused has done its harm already, as on Linux: the general registers
 * and the mask are the frame's, and it is with these that the program gets its SIGSEGV.
 *
 * Reference: asm/sigcontext.h and asm/ucontext.h of the UAPI headers.
 */
#include <linux/errno.h>
#include <linux/signal.h>
#include <asm/ptrace.h>
#include <asm/sigcontext.h>
#include <asm/ucontext.h>
#include <arch/frame.h>
#include <arch/signal.h>
#include <arch/sysreg.h>
#include <arch/thread.h>
#include <arch/user.h>
#include "kernel/lib/string.h"

#define SIGINFO_SIZE 128

struct rt_sigframe {
	u8 info[SIGINFO_SIZE];
	struct ucontext uc;
};
_Static_assert(sizeof(struct rt_sigframe) == 4688, "the frame of Linux");

struct frame_record {
	u64 fp, lr;
};

#define RESERVED_SIZE sizeof(((struct sigcontext *)0)->__reserved)
#define PSTATE_USER                                                                      \
	(PSR_N_BIT | PSR_Z_BIT | PSR_C_BIT | PSR_V_BIT | PSR_BTYPE_MASK | PSR_SSBS_BIT | \
	 PSR_DIT_BIT)

static int copy_out(u64 dst, const void *src, size_t n)
{
	return !user_ok(dst, n) || arch_user_copy_out(dst, src, n) ? -EFAULT : 0;
}

static int copy_in(void *dst, u64 src, size_t n)
{
	return !user_ok(src, n) || arch_user_copy_in(dst, src, n) ? -EFAULT : 0;
}

/* AT_MINSIGSTKSZ: frame, frame record, alignment. ctx: any. */
u64 sigframe_min_size(void)
{
	return sizeof(struct rt_sigframe) + ALIGN_UP(sizeof(struct frame_record), 16) + 16;
}

/* True when EL0 may run with @pstate: AArch64, EL0, no exception masked. ctx: any. */
bool frame_pstate_ok(u64 pstate)
{
	return !(pstate & (PSR_MODE_MASK | PSR_MODE32_BIT | PSTATE_DAIF));
}

/* Take from @pstate what EL0 may set; a step under way begins anew. ctx: any. */
void frame_set_pstate(struct trapframe *tf, u64 pstate, bool step)
{
	tf->pstate = (pstate & PSTATE_USER) | (step ? PSTATE_SS : 0);
}

/* Records behind the registers; returns how many bytes of __reserved they take. */
static size_t put_records(struct sigcontext *sc, const struct sigframe_info *info)
{
	struct fpsimd_context *fp = (void *)sc->__reserved;
	const struct fpu_state *fpu = &arch_current()->fpu;
	size_t off = sizeof(*fp);

	fpu_save_current();
	fp->head = (struct _aarch64_ctx){ FPSIMD_MAGIC, sizeof(*fp) };
	fp->fpsr = fpu->fpsr;
	fp->fpcr = fpu->fpcr;
	memcpy(fp->vregs, fpu->v, sizeof(fp->vregs));
	if (info->fault_esr) {
		struct esr_context *esr = (void *)(sc->__reserved + off);

		esr->head = (struct _aarch64_ctx){ ESR_MAGIC, sizeof(*esr) };
		esr->esr = info->fault_esr;
		off += sizeof(*esr);
	}
	memset(sc->__reserved + off, 0, sizeof(struct _aarch64_ctx));
	return off + sizeof(struct _aarch64_ctx);
}

/* Everything in @uc that is not zero; returns the bytes in use. */
static size_t fill_context(struct ucontext *uc, const struct trapframe *tf,
			   const struct sigframe_info *info)
{
	struct sigcontext *sc = &uc->uc_mcontext;

	memset(uc, 0, offsetof(struct ucontext, uc_mcontext.__reserved));
	uc->uc_stack.ss_sp = (void *)info->altstack_sp;
	uc->uc_stack.ss_flags = (int)info->altstack_flags;
	uc->uc_stack.ss_size = info->altstack_size;
	memcpy(&uc->uc_sigmask, &info->mask, sizeof(uc->uc_sigmask));
	sc->fault_address = info->fault_addr;
	memcpy(sc->regs, tf->x, sizeof(sc->regs));
	sc->sp = tf->sp;
	sc->pc = tf->pc;
	sc->pstate = tf->pstate;
	return offsetof(struct ucontext, uc_mcontext.__reserved) + put_records(sc, info);
}

static u64 stack_begin(const struct trapframe *tf, const struct sigframe_info *info)
{
	if (info->on_altstack && tf->sp - info->altstack_sp > info->altstack_size)
		return info->altstack_sp + info->altstack_size;
	return tf->sp;
}

/* Contract in arch/signal.h. */
int sigframe_push(struct trapframe *tf, const struct sigframe_info *info)
{
	u64 record_at = ALIGN_DOWN(stack_begin(tf, info) - sizeof(struct frame_record), 16ULL);
	u64 frame_at = record_at - sizeof(struct rt_sigframe);
	struct frame_record record = { tf->x[29], tf->x[30] };
	bool with_info = info->sa_flags & SA_SIGINFO;
	struct ucontext uc;
	size_t used = fill_context(&uc, tf, info);

	if (copy_out(frame_at + offsetof(struct rt_sigframe, uc), &uc, used) ||
	    copy_out(record_at, &record, sizeof(record)) ||
	    (with_info && copy_out(frame_at, info->siginfo, SIGINFO_SIZE)))
		return -EFAULT;
	tf->x[0] = (u64)info->sig;
	if (with_info) {
		tf->x[1] = frame_at;
		tf->x[2] = frame_at + offsetof(struct rt_sigframe, uc);
	}
	tf->sp = frame_at;
	tf->x[29] = record_at;
	tf->x[30] = info->restorer;
	tf->pc = info->handler;
	tf->pstate &= ~(u64)PSR_BTYPE_MASK;
	tf->syscallno = -1;
	return 0;
}

static int restore_fpsimd(u64 at)
{
	struct fpu_state *fpu = &arch_current()->fpu;
	u32 status[2];

	if (copy_in(status, at + offsetof(struct fpsimd_context, fpsr), sizeof(status)))
		return -EFAULT;
	/* From here on the registers are dead, so no switch stores them over what is copied in. */
	fpu_save_current();
	fpu_reload_current();
	fpu->fpsr = status[0];
	fpu->fpcr = status[1];
	return copy_in(fpu->v, at + offsetof(struct fpsimd_context, vregs), sizeof(fpu->v));
}

/* Walk the records of the frame whose __reserved is at @at. */
static int restore_records(u64 at)
{
	u64 fpsimd = 0;

	for (size_t off = 0; off + sizeof(struct _aarch64_ctx) <= RESERVED_SIZE;) {
		struct _aarch64_ctx head;

		if (copy_in(&head, at + off, sizeof(head)))
			return -EFAULT;
		if (!head.magic && !head.size)
			return fpsimd ? restore_fpsimd(fpsimd) : -EFAULT;
		if (head.size < sizeof(head) || head.size > RESERVED_SIZE - off || head.size & 15)
			return -EFAULT;
		if (head.magic == FPSIMD_MAGIC) {
			if (fpsimd || head.size != sizeof(struct fpsimd_context))
				return -EFAULT;
			fpsimd = at + off;
		} else if (head.magic != ESR_MAGIC) {
			return -EFAULT;
		}
		off += head.size;
	}
	return -EFAULT;
}

/* Contract in arch/signal.h. */
int sigframe_pop(struct trapframe *tf, struct sigframe_restored *out)
{
	u64 uc_at = tf->sp + offsetof(struct rt_sigframe, uc);
	u64 records_at = uc_at + offsetof(struct ucontext, uc_mcontext.__reserved);
	struct ucontext uc; /* only what lies before __reserved is read */
	struct sigcontext *sc = &uc.uc_mcontext;
	bool ok;

	out->whole = false;
	if (tf->sp & 15 || !user_ok(tf->sp, sizeof(struct rt_sigframe)))
		return -EFAULT;
	memset(&uc, 0, offsetof(struct ucontext, uc_mcontext.__reserved));
	ok = !copy_in(&uc, uc_at, offsetof(struct ucontext, uc_mcontext.__reserved));
	out->whole = ok;
	ok = ok && frame_pstate_ok(sc->pstate) && !restore_records(records_at);
	memcpy(tf->x, sc->regs, sizeof(tf->x));
	tf->sp = sc->sp;
	tf->pc = sc->pc;
	frame_set_pstate(tf, sc->pstate, arch_current()->debug & DEBUG_STEP);
	tf->syscallno = -1;
	memcpy(&out->mask, &uc.uc_sigmask, sizeof(out->mask));
	out->stack = uc.uc_stack;
	return ok ? 0 : -EFAULT;
}

/* Contract in arch/signal.h. */
void frame_init_user(struct trapframe *tf, u64 pc, u64 sp)
{
	s64 nr = tf->syscallno;

	memset(tf, 0, sizeof(*tf));
	tf->pc = pc;
	tf->sp = sp;
	tf->syscallno = nr;
}
