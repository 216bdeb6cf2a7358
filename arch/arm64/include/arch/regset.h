#pragma once
/*
 * Registers of a thread in the sets that ptrace and core dumps name by ELF note types.
 */
#include "kernel/lib/types.h"

struct arch_thread;
struct debug_regs;

/* The largest set: FP registers. */
#define REGSET_SIZE_MAX 544

/* Room for any set, aligned as their structures want it. */
struct regset_buf {
	u8 bytes[REGSET_SIZE_MAX]; /* o */
} __aligned(16);

struct regset {
	u32 note; /* NT_* */
	u32 size; /* bytes */
	u32 unit; /* transfers are multiples of this */
	bool dumped; /* is part of a core dump */
	/* NULL: this machine always has it */
	bool (*present)(void);
	/* Fill @out, a struct regset_buf. */
	void (*get)(struct arch_thread *t, void *out);
	/*
	 * Take over @in, a struct regset_buf. 0, -EINVAL, -ENOSPC; nothing has changed then. NULL:
	 * cannot be written. The debug registers are there.
	 */
	int (*set)(struct arch_thread *t, const void *in);
	bool needs_debug_regs;
};

/*
 * The set of note type @note, NULL: there is none. Its functions work on threads that are parked
 * (arch_thread_park). ctx: any.
 */
const struct regset *regset_find(u32 note);
/* The sets in turn, NULL at the end. ctx: any. */
const struct regset *regset_at(u32 index);
