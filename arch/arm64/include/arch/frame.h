#pragma once
/*
 * What an exception saves on the kernel stack: the whole general register file of the interrupted
 * context. Signal delivery, ptrace, fork and exec work on this one structure.
 */
#define FRAME_X(n) ((n)*8)
#define FRAME_SP 248
#define FRAME_PC 256
#define FRAME_PSTATE 264
#define FRAME_ORIG_X0 272
#define FRAME_SYSCALLNO 280
#define FRAME_LINK 288 /* a frame record (fp, lr) so that backtraces cross exceptions */
#define FRAME_SIZE 304

#ifndef __ASSEMBLY__
#include "kernel/lib/types.h"

struct trapframe {
	u64 x[31];
	u64 sp;
	u64 pc;
	u64 pstate;
	u64 orig_x0; /* x0 at syscall entry, for restarts */
	s64 syscallno; /* -1 when not in a system call */
	u64 link[2];
};
_Static_assert(sizeof(struct trapframe) == FRAME_SIZE, "vectors.S knows the layout");
_Static_assert(sizeof(struct trapframe) % 16 == 0, "sp alignment");

/* True when @tf was taken from EL0. */
static inline bool frame_is_user(const struct trapframe *tf)
{
	return (tf->pstate & 0xf) == 0;
}

/* System call arguments and result by the arm64 Linux convention. */
static inline u64 frame_arg(const struct trapframe *tf, int n)
{
	return tf->x[n];
}

static inline void frame_set_result(struct trapframe *tf, s64 v)
{
	tf->x[0] = (u64)v;
}
#endif
