/*
 * A tracer and seccomp(2): filters that PTRACE_O_SUSPEND_SECCOMP takes no notice of, and what
 * PTRACE_SECCOMP_GET_METADATA tells of them. ptrace(2). Runs as root.
 */
#include "tracing.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#ifndef PTRACE_O_SUSPEND_SECCOMP
#define PTRACE_O_SUSPEND_SECCOMP (1 << 21)
#endif
#ifndef PTRACE_SECCOMP_GET_METADATA
#define PTRACE_SECCOMP_GET_METADATA 0x420d
#endif

struct metadata {
	uint64_t filter, flags;
};

/* getppid(2) fails with @err from now on. */
static int forbid(int err, int flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { 4, code };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

/* Two filters, the later one told of in the log; a stop; what getppid(2) answers; and again. */
static void filtered(void)
{
	int answers = 0;

	if (forbid(EXDEV, 0) || forbid(EXDEV, SECCOMP_FILTER_FLAG_LOG))
		_exit(99);
	for (int i = 0; i < 3; i++) {
		raise(SIGUSR1);
		answers |= (syscall(SYS_getppid) > 0) << i;
	}
	_exit(answers);
}

static int go_on(pid_t pid)
{
	return trace(PTRACE_CONT, pid, 0, 0) ? -1 : news(pid);
}

static void test_suspend(void)
{
	pid_t pid = traced_child(filtered);

	CHECK(go_on(pid) == STOP(SIGUSR1));
	CHECK(!trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_SUSPEND_SECCOMP));
	CHECK(go_on(pid) == STOP(SIGUSR1));
	CHECK(!trace(PTRACE_SETOPTIONS, pid, 0, 0));
	CHECK(go_on(pid) == STOP(SIGUSR1));
	CHECK(!trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_SUSPEND_SECCOMP));
	CHECK(go_on(pid) == 5 << 8);
}

static void pause_for_ever(void)
{
	for (;;)
		pause();
}

/* Not by one without the right, nor by one that is bound itself. */
static int suspend_fails(void (*become)(void))
{
	pid_t pid;
	long r;

	become();
	pid = traced_child(pause_for_ever);
	errno = 0;
	r = trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_SUSPEND_SECCOMP);
	r = r == -1 ? errno : 0;
	kill(pid, SIGKILL);
	return (int)r;
}

static void test_metadata(void)
{
	struct metadata m[2] = { { 0, ~0ull }, { 7, 7 } };
	pid_t pid = traced_child(filtered);

	CHECK_ERR(trace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(m[0]), (long)m), EINVAL);
	CHECK(go_on(pid) == STOP(SIGUSR1));
	CHECK(trace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(m[0]), (long)m) == 16);
	CHECK(m[0].filter == 0 && m[0].flags == 0);
	m[0].filter = 1;
	CHECK(trace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(m), (long)m) == 16);
	CHECK(m[0].filter == 1 && m[0].flags == SECCOMP_FILTER_FLAG_LOG && m[1].filter == 7);
	m[0] = (struct metadata){ 1, 9 };
	CHECK(trace(PTRACE_SECCOMP_GET_METADATA, pid, 8, (long)m) == 8 && m[0].flags == 9);
	CHECK_ERR(trace(PTRACE_SECCOMP_GET_METADATA, pid, 7, (long)m), EINVAL);
	m[0].filter = 2;
	CHECK_ERR(trace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(m[0]), (long)m), ENOENT);
	CHECK_ERR(trace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(m[0]), 8), EFAULT);
	kill(pid, SIGKILL);
	CHECK(news(pid) == SIGKILL);
}

/* A call that is emulated, and steps from there on. */
static void two_calls(void)
{
	raise(SIGUSR1);
	_exit((int)syscall(SYS_getppid));
}

static void test_emulated_steps(void)
{
	pid_t pid = traced_child(two_calls);
	struct user_pt_regs r;
	int st, steps = 0;

	trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
	CHECK(go_on(pid) == STOP(SIGUSR1));
	/* Instructions, until the call. */
	do {
		if (trace(PTRACE_SYSEMU_SINGLESTEP, pid, 0, 0))
			break;
		st = news(pid);
	} while (st == STOP(SIGTRAP) && ++steps < 10000);
	CHECK(st == SYSCALL_STOP && steps > 0 && get_call(pid) == SYS_getppid);
	CHECK(get_regs(pid, &r) == 0);
	r.regs[0] = 42;
	CHECK(set_regs(pid, &r) == 0 && trace(PTRACE_SYSEMU_SINGLESTEP, pid, 0, 0) == 0);
	st = news(pid);
	CHECK(st == STOP(SIGTRAP) && get_regs(pid, &r) == 0 && r.regs[0] == 42);
	CHECK(go_on(pid) == 42 << 8);
}

static void as_user(void)
{
	if (setuid(1000))
		_exit(98);
}

static void as_bound(void)
{
	if (forbid(EXDEV, 0))
		_exit(97);
}

static int in_tracer(void (*become)(void))
{
	pid_t pid = fork();
	int st;

	if (!pid)
		_exit(suspend_fails(become));
	return waitpid(pid, &st, 0) == pid && WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

int main(void)
{
	if (getuid()) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	alarm(TAP_LIMIT);
	test_suspend();
	CHECK(in_tracer(as_user) == EPERM);
	CHECK(in_tracer(as_bound) == EPERM);
	test_metadata();
	test_emulated_steps();
	return tap_done();
}
