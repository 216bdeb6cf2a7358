#pragma once
/* What the tests of ptrace have in common: the requests by name, waiting, children to trace. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <elf.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include <asm/ptrace.h>
#include "tap.h"

/* Of a wait status: the signal that stopped it, and the event above it. */
#define STOP(sig) ((sig) << 8 | 0x7f)
#define EVENT(event) (STOP(SIGTRAP) | (event) << 16)
#define GROUP_STOP(sig) (STOP(sig) | PTRACE_EVENT_STOP << 16)
#define SYSCALL_STOP STOP(SIGTRAP | 0x80)

/* The status of @pid's next news, -1 - errno when there is none. */
static inline int news(pid_t pid)
{
	int st;

	return waitpid(pid, &st, __WALL) == pid ? st : -1 - errno;
}

/* Anybody's news: the status, and whose in *pid. */
static inline int any_news(pid_t *pid)
{
	int st = 0;

	*pid = waitpid(-1, &st, __WALL);
	return *pid > 0 ? st : -1 - errno;
}

static inline long trace(int request, pid_t pid, long addr, long data)
{
	return syscall(SYS_ptrace, (long)request, (long)pid, addr, data);
}

static inline int get_regs(pid_t pid, struct user_pt_regs *r)
{
	struct iovec v = { r, sizeof(*r) };

	return (int)trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, (long)&v);
}

static inline int set_regs(pid_t pid, struct user_pt_regs *r)
{
	struct iovec v = { r, sizeof(*r) };

	return (int)trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, (long)&v);
}

static inline int get_call(pid_t pid)
{
	int nr = -2;
	struct iovec v = { &nr, sizeof(nr) };

	return trace(PTRACE_GETREGSET, pid, NT_ARM_SYSTEM_CALL, (long)&v) ? -3 : nr;
}

static inline int set_call(pid_t pid, int nr)
{
	struct iovec v = { &nr, sizeof(nr) };

	return (int)trace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, (long)&v);
}

static inline siginfo_t get_info(pid_t pid)
{
	siginfo_t si;

	memset(&si, 0xee, sizeof(si));
	if (trace(PTRACE_GETSIGINFO, pid, 0, (long)&si))
		si.si_signo = -errno;
	return si;
}

static inline unsigned long get_message(pid_t pid)
{
	unsigned long m = ~0ul;

	return trace(PTRACE_GETEVENTMSG, pid, 0, (long)&m) ? ~0ul : m;
}

/* State letter of /proc/PID/task/TID. */
static inline char state_of(pid_t pid)
{
	char path[64], text[512], *p;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f)
		return '-';
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = 0;
	p = strrchr(text, ')');
	return p ? p[2] : '?';
}

static inline int tracer_of(pid_t pid)
{
	char path[64], line[128];
	int tracer = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "TracerPid: %d", &tracer);
	if (f)
		fclose(f);
	return tracer;
}

/* Wait until @pid, which is about to sleep, does: bounded by its own progress. */
static inline void until_state(pid_t pid, char state)
{
	while (state_of(pid) != state && state_of(pid) != '-')
		sched_yield();
}

/* A child that runs @fn under PTRACE_TRACEME, stopped before it. */
static inline pid_t traced_child(void (*fn)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		trace(PTRACE_TRACEME, 0, 0, 0);
		kill(getpid(), SIGSTOP);
		fn();
		_exit(0);
	}
	if (news(pid) != STOP(SIGSTOP))
		printf("# a traced child does not stop\n");
	return pid;
}

/* A child that runs @fn untraced. */
static inline pid_t plain_child(void (*fn)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		fn();
		_exit(0);
	}
	return pid;
}

static inline void finish(pid_t pid)
{
	int st;

	kill(pid, SIGKILL);
	while (waitpid(pid, &st, __WALL) == pid && !WIFEXITED(st) && !WIFSIGNALED(st))
		trace(PTRACE_CONT, pid, 0, 0);
}
