/* ptrace: the stops at the entry and exit of system calls, changing and skipping them, restarts. */
#include "tracing.h"
#include <sched.h>
#include <stdbool.h>

#define NAP_LONGEST 20000 /* ms */

static void calls(void)
{
	long r = syscall(SYS_getppid);

	syscall(SYS_close, -1);
	_exit(r == 4711 ? syscall(SYS_getpid) == getpid() : 2);
}

static void test_syscalls(void)
{
	pid_t pid = traced_child(calls);
	struct user_pt_regs r;

	CHECK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD) == 0);
	/* kill(2), in which it stopped, is over: the next stop is an entry. */
	CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0 && news(pid) == SYSCALL_STOP);
	CHECK(get_regs(pid, &r) == 0 && r.regs[7] == 0 && r.regs[8] == SYS_getppid);
	CHECK(get_call(pid) == SYS_getppid && get_message(pid) == 1);
	CHECK(get_info(pid).si_code == (SIGTRAP | 0x80));
	CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0 && news(pid) == SYSCALL_STOP);
	CHECK(get_regs(pid, &r) == 0 && r.regs[7] == 1 && r.regs[0] == (unsigned long)getpid());
	CHECK(get_message(pid) == 2);
	/* The result is what the tracer says it is. */
	r.regs[0] = 4711;
	CHECK(set_regs(pid, &r) == 0);
	CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0 && news(pid) == SYSCALL_STOP);
	CHECK(get_call(pid) == SYS_close);
	CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0 && news(pid) == SYSCALL_STOP);
	CHECK(get_regs(pid, &r) == 0 && (long)r.regs[0] == -EBADF);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 1 << 8);
}

static void one_call(void)
{
	long r = syscall(SYS_getppid);

	_exit(r == -1 ? errno : (int)r);
}

/* Stopped at the entry of getppid. */
static pid_t at_call(int request)
{
	pid_t pid = traced_child(one_call);

	trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
	trace(request, pid, 0, 0);
	news(pid);
	return pid;
}

static void test_change_call(void)
{
	pid_t pid = at_call(PTRACE_SYSCALL);
	struct user_pt_regs r;

	/* Another call instead, with other arguments. */
	get_regs(pid, &r);
	r.regs[0] = 123;
	CHECK(set_regs(pid, &r) == 0 && set_call(pid, SYS_exit_group) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 123 << 8);
	/* None: the result is x0. */
	pid = at_call(PTRACE_SYSCALL);
	get_regs(pid, &r);
	r.regs[0] = 55;
	CHECK(set_regs(pid, &r) == 0 && set_call(pid, -1) == 0);
	CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0 && news(pid) == SYSCALL_STOP);
	CHECK(get_regs(pid, &r) == 0 && r.regs[7] == 1);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 55 << 8);
	/* One that there is not. */
	pid = at_call(PTRACE_SYSCALL);
	CHECK(set_call(pid, 100000) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == ENOSYS << 8);
	/* Emulated: it is not made; no exit is reported. */
	pid = at_call(PTRACE_SYSEMU);
	get_regs(pid, &r);
	CHECK(get_call(pid) == SYS_getppid && r.regs[7] == 0);
	r.regs[0] = 66;
	CHECK(set_regs(pid, &r) == 0);
	CHECK(trace(PTRACE_SYSEMU, pid, 0, 0) == 0 && news(pid) == SYSCALL_STOP);
	CHECK(get_call(pid) == SYS_exit_group && get_regs(pid, &r) == 0 && r.regs[0] == 66);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 66 << 8);
	/* Killed at the entry, by the signal that the stop ends with. */
	pid = at_call(PTRACE_SYSCALL);
	CHECK(trace(PTRACE_CONT, pid, 0, SIGTERM) == 0 && news(pid) == STOP(SIGTERM));
	CHECK(trace(PTRACE_CONT, pid, 0, SIGTERM) == 0 && news(pid) == SIGTERM);
}

/* What nobody knows a meaning of must be zero. */
static void test_siginfo_unknown(void)
{
	pid_t pid = at_call(PTRACE_SYSCALL);
	siginfo_t si;

	CHECK(trace(PTRACE_GETSIGINFO, pid, 0, (long)&si) == 0);
	memset((char *)&si + 48, 0, sizeof(si) - 48);
	si.si_code = -1000;
	CHECK(trace(PTRACE_SETSIGINFO, pid, 0, (long)&si) == 0);
	((char *)&si)[127] = 1;
	CHECK_ERR(trace(PTRACE_SETSIGINFO, pid, 0, (long)&si), E2BIG);
	si.si_code = SI_USER;
	CHECK(trace(PTRACE_SETSIGINFO, pid, 0, (long)&si) == 0);
	finish(pid);
}

static void no_such_call(void)
{
	long r = syscall(100000);

	_exit(r == -1 && errno == ENOSYS ? 1 : 0);
}

static void test_syscall_info(void)
{
	struct __ptrace_syscall_info *info = calloc(1, 256);
	pid_t pid = at_call(PTRACE_SYSCALL);
	struct user_pt_regs r;
	long n;

	get_regs(pid, &r);
	n = trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(*info), (long)info);
	CHECK(n == 80 && info->op == PTRACE_SYSCALL_INFO_ENTRY);
	CHECK(info->entry.nr == SYS_getppid && info->arch == 0xc00000b7);
	CHECK(info->instruction_pointer == r.pc && info->stack_pointer == r.sp);
	CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0 && news(pid) == SYSCALL_STOP);
	n = trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(*info), (long)info);
	CHECK(n == 33 && info->op == PTRACE_SYSCALL_INFO_EXIT && !info->exit.is_error);
	CHECK(info->exit.rval == getpid());
	memset(info, 0xaa, 256);
	CHECK(trace(PTRACE_GET_SYSCALL_INFO, pid, 1, (long)info) == 33);
	CHECK(info->op == PTRACE_SYSCALL_INFO_EXIT && ((unsigned char *)info)[1] == 0xaa);
	CHECK_ERR(trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(*info), 8), EFAULT);
	finish(pid);
	pid = traced_child(no_such_call);
	n = trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(*info), (long)info);
	CHECK(n == 24 && info->op == PTRACE_SYSCALL_INFO_NONE);
	trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
	CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0 && news(pid) == SYSCALL_STOP);
	CHECK(get_call(pid) == 100000);
	CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0 && news(pid) == SYSCALL_STOP);
	trace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(*info), (long)info);
	CHECK(info->exit.is_error && info->exit.rval == -ENOSYS);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 1 << 8);
	free(info);
}

/*
 * A call that a stop interrupts begins again; nothing is lost of its time. On a machine that was held
 * up the nap may be over before it is interrupted: then with a longer one.
 */
static long nap_ms = 100;

static void naps(void)
{
	struct timespec ts = { nap_ms / 1000, nap_ms % 1000 * 1000000 };
	int r = nanosleep(&ts, NULL);

	_exit(r == 0);
}

/* Wait until @pid sleeps; false when there is news of it first: its nap is over. */
static bool until_asleep(pid_t pid)
{
	siginfo_t si = { 0 };

	while (state_of(pid) != 'S') {
		if (waitid(P_PID, pid, &si, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) ||
		    si.si_pid)
			return false;
		sched_yield();
	}
	return true;
}

/* A child at the exit of its nap, which a signal interrupted. */
static pid_t interrupted_nap(void)
{
	struct user_pt_regs r = { 0 };
	pid_t pid;

	for (nap_ms = 100;; nap_ms *= 2) {
		pid = traced_child(naps);
		trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
		CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0 && news(pid) == SYSCALL_STOP);
		CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0);
		if (until_asleep(pid))
			kill(pid, SIGUSR1);
		CHECK(news(pid) == SYSCALL_STOP && get_regs(pid, &r) == 0);
		if (r.regs[0] || nap_ms > NAP_LONGEST)
			return pid;
		finish(pid);
	}
}

static void test_restart(void)
{
	pid_t pid = interrupted_nap();
	struct user_pt_regs r;

	/* The exit with the internal result, the signal, then restart_syscall. */
	CHECK(get_regs(pid, &r) == 0 && (long)r.regs[0] == -516);
	CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0 && news(pid) == STOP(SIGUSR1));
	CHECK(get_regs(pid, &r) == 0 && r.regs[8] != SYS_restart_syscall);
	CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0 && news(pid) == SYSCALL_STOP);
	CHECK(get_call(pid) == SYS_restart_syscall);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 1 << 8);
}

/*
 * A child that napped when it was seized, at the exit of the call that it made then; what the tracer
 * sees, one after the other, in *seen.
 */
static pid_t seized_nap(int seen[3], struct user_pt_regs *r)
{
	pid_t pid = plain_child(naps);

	(void)until_asleep(pid);
	trace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD);
	seen[0] = trace(PTRACE_INTERRUPT, pid, 0, 0) ? -1 : news(pid);
	seen[1] = trace(PTRACE_SYSCALL, pid, 0, 0) ? -1 : news(pid);
	if (!trace(PTRACE_SYSCALL, pid, 0, 0))
		(void)until_asleep(pid);
	seen[2] = trace(PTRACE_INTERRUPT, pid, 0, 0) ? -1 : news(pid);
	if (get_regs(pid, r))
		r->regs[0] = 0;
	return pid;
}

/* Detached at the exit of a call that the stop interrupted: it begins again, and nobody notices. */
static void test_detach_restart(void)
{
	struct user_pt_regs r;
	int seen[3];
	pid_t pid;

	for (nap_ms = 100;; nap_ms *= 2) {
		pid = seized_nap(seen, &r);
		if ((long)r.regs[0] == -516 || nap_ms > NAP_LONGEST)
			break;
		finish(pid);
	}
	CHECK(seen[0] == GROUP_STOP(SIGTRAP) && seen[1] == SYSCALL_STOP && seen[2] == SYSCALL_STOP);
	CHECK((long)r.regs[0] == -516);
	CHECK(trace(PTRACE_DETACH, pid, 0, 0) == 0 && news(pid) == 1 << 8);
}

int main(void)
{
	alarm(TAP_LIMIT);
	test_syscalls();
	test_change_call();
	test_syscall_info();
	test_siginfo_unknown();
	test_restart();
	test_detach_restart();
	return tap_done();
}
