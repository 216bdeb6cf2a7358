#pragma once
/*
 * Core dumps: coredump.c decides and stops the threads, core_elf.c writes.
 */
#include "kernel/proc/internal.h"

/* Bits of proc.core_filter, as /proc/PID/coredump_filter has them. */
#define CORE_ANON_PRIVATE 0x1u
#define CORE_ANON_SHARED 0x2u
#define CORE_FILE_PRIVATE 0x4u
#define CORE_FILE_SHARED 0x8u
#define CORE_ELF_HEADERS 0x10u
#define CORE_FILTER_DEFAULT 0x33u
#define CORE_FILTER_MASK 0x1ffu /* beside those: huge pages and DAX, which are not here */

/* A dump under way; on the stack of the thread that dumps. S siglock of the process. */
struct core_dump {
	struct task *dumper; /* I */
	u32 missing; /* S: threads that have not stopped yet */
	int sig; /* I */
	const struct ksiginfo *info; /* I */
	struct file *file; /* o */
	u64 limit; /* o: bytes written at most */
	bool suid; /* I: fs.suid_dumpable 2: the dump is root's */
	/* o: the other threads, stopped, each with a reference */
	struct task **others;
	u32 nothers; /* o */
};

/* core_elf.c: True: there is something of a dump, cut off perhaps. ctx: current dumps; sleeps */
bool core_elf_write(struct core_dump *c);
