/*
 * Backtraces by frame records.
 *
 * Every function keeps x29 pointing at a pair (caller's x29, return address), and so does every
 * trapframe (link), which carries the chain across exceptions. A chain may be damaged when it is
 * walked, so each record must be aligned and mapped before it is read, and the walk is bounded. It
 * takes no lock: panics use it.
 */
#include <arch/frame.h>
#include <arch/pmap.h>
#include <arch/thread.h>
#include "arch/arm64/arch_private.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"

#define PRINT_MAX 32

static bool record_readable(vaddr_t fp)
{
	paddr_t pa;

	return fp >= LINEAR_BASE && IS_ALIGNED(fp, 8) && pmap_kernel_lookup(fp, &pa) &&
	       pmap_kernel_lookup(fp + 8, &pa);
}

/*
 * Return addresses of @t (NULL: the running thread), which does not run if it is another one, or of
 * the context in @tf, whose pc comes first. Returns how many were written to @out.
 * ctx: any.
 */
u32 stacktrace(const struct arch_thread *t, const struct trapframe *tf, vaddr_t *out, u32 max)
{
	vaddr_t fp = (vaddr_t)__builtin_frame_address(0);
	u32 n = 0;

	if (tf) {
		fp = frame_is_user(tf) ? 0 : tf->x[29];
		if (max)
			out[n++] = tf->pc;
	} else if (t && t != arch_current()) {
		fp = t->sp;
	}
	while (n < max && record_readable(fp)) {
		const vaddr_t *record = (const vaddr_t *)fp;

		if (!record[1])
			break;
		out[n++] = record[1];
		fp = record[0];
	}
	return n;
}

/*
 * Return addresses of @t, which sleeps, or may have begun to run meanwhile: the walk stays within
 * its stack, which the caller's reference keeps.
 * ctx: any.
 */
u32 stacktrace_sleeping(const struct arch_thread *t, vaddr_t *out, u32 max)
{
	vaddr_t top = t->kstack_top, bottom = top - KSTACK_SIZE, fp = READ_ONCE(t->sp);
	u32 n = 0;

	while (n < max && fp >= bottom && fp <= top - 16 && IS_ALIGNED(fp, 8)) {
		const vaddr_t *record = (const vaddr_t *)fp;
		vaddr_t next = READ_ONCE(record[0]), pc = READ_ONCE(record[1]);

		if (!pc)
			break;
		out[n++] = pc;
		if (next <= fp)
			break;
		fp = next;
	}
	return n;
}

/* As stacktrace, to the log, with symbols. ctx: any. */
void stacktrace_print(const struct arch_thread *t, const struct trapframe *tf)
{
	vaddr_t addr[PRINT_MAX];
	u32 n = stacktrace(t, tf, addr, PRINT_MAX);
	struct symbol sym;

	for (u32 i = 0; i < n; i++) {
		/* A return address may lie behind the end of a function that does not return. */
		u64 back = i || !tf ? 4 : 0;
		const char *name = symbol_lookup(addr[i] - back, &sym);

		if (name)
			log_crit("  [%016lx] %s+%#lx", addr[i], name, sym.off + back);
		else
			log_crit("  [%016lx]", addr[i]);
	}
}
