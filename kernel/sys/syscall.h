#pragma once
/*
 * The system-call table's face: prototypes, numbers and properties, all from syscalls.def. One row:
 *
 *   SYSCALL(nr, name, nargs, "format", flags)
 *
 * "format" has one letter per argument for the tracer: d int, u unsigned, x hex, p pointer, s
 * string, f descriptor, F open flags, m mode, S signal, z size. flags: SCF_*.
 *
 * A sys_ function decodes, copies in, checks, makes one call into the owner, copies out. It
 * returns a value, or a negative errno (also the internal ERESTART* of proc.h). It runs in the
 * calling thread with IRQs on.
 */
#include "kernel/lib/types.h"

#define SCF_NONE 0u
#define SCF_NORETURN 1u /* exit and friends */
#define SCF_NORESULT 2u /* rt_sigreturn: x0 is already right */

#define SYS_ARGS0 void
#define SYS_ARGS1 u64
#define SYS_ARGS2 u64, u64
#define SYS_ARGS3 u64, u64, u64
#define SYS_ARGS4 u64, u64, u64, u64
#define SYS_ARGS5 u64, u64, u64, u64, u64
#define SYS_ARGS6 u64, u64, u64, u64, u64, u64

#define SYSCALL(nr, name, nargs, format, flags) long sys_##name(SYS_ARGS##nargs);
#include "kernel/sys/syscalls.def"
#undef SYSCALL

#define SYSCALL_MAX 451 /* one more than the highest number of Linux 6.1 */
const char *syscall_name(u32 nr); /* NULL for holes */

/* From now on each system call asks whether the thread is bound by seccomp(2). ctx: thread */
void syscall_ask_first(void);
