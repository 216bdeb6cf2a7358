#pragma once
/* Restartable sequences, rseq(2): see rseq.c. */
#include "kernel/lib/types.h"

struct task;
struct trapframe;

#define RSEQ_AREA_SIZE 32 /* what Linux 6.1 knows of struct rseq */

int rseq_register(u64 addr, u32 len, int flags, u32 sig);
/* For WORK_RSEQ_EVENT and signal frames; an error is the program's SIGSEGV. */
int __must_check rseq_update(struct trapframe *tf);
void rseq_fork(struct task *t);
void rseq_exec(void);
