#pragma once
/*
 * Filters of system calls: seccomp(2). See seccomp.c.
 */
#include <linux/seccomp.h>
#include "kernel/lib/bpf.h"
#include "kernel/lib/refcount.h"

struct task;
struct trapframe;

/* One program, and those installed before it. I immutable once a thread has it. */
struct seccomp_filter {
	refcount_t refs; /* a */
	struct seccomp_filter *prev; /* I: with a reference; NULL: the first */
	u32 total; /* I: cost of it and all before it */
	u32 depth; /* I: filters, it included */
	bool log; /* I: SECCOMP_FILTER_FLAG_LOG */
	u32 length; /* I: instructions */
	struct sock_filter code[]; /* I */
};

/* Room for @n instructions, 1..BPF_MAXINSNS. -ENOMEM. ctx: thread; sleeps */
int __must_check seccomp_filter_alloc(u32 n, struct seccomp_filter **out);
void seccomp_filter_put(struct seccomp_filter *f); /* and those before it. ctx: any */
/*
 * The program in @f binds current from now on, with SECCOMP_FILTER_FLAG_TSYNC in @flags all threads
 * of its process. Consumes @f. 0; the id of a thread that has other filters; -EINVAL, -ENOMEM,
 * -ESRCH. ctx: thread; sleeps
 */
long seccomp_filter_attach(struct seccomp_filter *f, u32 flags);
/* SECCOMP_MODE_STRICT for current. 0, -EINVAL: it is bound otherwise. ctx: thread */
int seccomp_bind_strictly(void);
/* A new thread is bound as current is. holds: the siglock of current's process */
void seccomp_inherit_locked(struct task *child);
/*
 * Current is bound, and *tf makes a system call. False: it is not made, and x0 is in *tf. The
 * number and the arguments may have been changed by a tracer. ctx: thread; sleeps; or it ends there
 */
bool __must_check seccomp_enter(struct trapframe *tf);
u32 seccomp_depth(struct task *t); /* how many filters it has. ctx: thread */
/*
 * Filter @index of @t, 0: the oldest, with a reference. -EINVAL: none at all; -ENOENT: not so many.
 * ctx: thread
 */
int __must_check seccomp_filter_lookup(struct task *t, u64 index, struct seccomp_filter **out);
