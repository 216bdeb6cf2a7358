/*
 * seccomp(2) with filters: each action, which answer counts, threads, children, exec and tracers.
 * Everything is done by children, since nothing takes a filter away.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "tap.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RET(v) BPF_STMT(BPF_RET | BPF_K, v)
/* "this call gets that answer" in front of what follows. */
#define CALL(nr, answer) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), RET(answer)

static long install(const struct sock_filter *f, unsigned n, unsigned flags)
{
	struct sock_fprog prog = { (unsigned short)n, (struct sock_filter *)f };

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

/* A filter that answers @nr with @answer and allows the rest. */
static long answer_flags(int nr, unsigned answer, unsigned flags)
{
	const struct sock_filter f[] = { LOAD(nr), CALL((unsigned)nr, answer),
					 RET(SECCOMP_RET_ALLOW) };

	return install(f, N(f), flags);
}

static long answer(int nr, unsigned what)
{
	return answer_flags(nr, what, 0);
}

/* The wait status of a child that runs @fn with no new privileges. */
static int in_child(int (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(fn());
	}
	waitpid(pid, &status, 0);
	return status;
}

static int exited(int status, int code)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == code)
		return 1;
	printf("# status 0x%x\n", (unsigned)status);
	return 0;
}

static int killed(int status, int sig)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == sig)
		return 1;
	printf("# status 0x%x\n", (unsigned)status);
	return 0;
}

static int status_field(const char *name)
{
	char text[4096], *p;
	int fd = open("/proc/thread-self/status", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n > 0 ? n : 0] = 0;
	p = strstr(text, name);
	return p ? atoi(p + strlen(name)) : -1;
}

/* --- answers --- */

static int errnos(void)
{
	if (answer(SYS_getppid, SECCOMP_RET_ERRNO | 42))
		return 1;
	if (syscall(SYS_getppid) != -1 || errno != 42)
		return 2;
	if (getpid() <= 0)
		return 3;
	/* The newer of two equal ones; the graver of different ones, whoever is newer. */
	if (answer(SYS_getppid, SECCOMP_RET_ERRNO | 43) || syscall(SYS_getppid) != -1 ||
	    errno != 43)
		return 4;
	if (answer(SYS_getppid, SECCOMP_RET_LOG) || syscall(SYS_getppid) != -1 || errno != 43)
		return 5;
	if (answer(SYS_getsid, SECCOMP_RET_ERRNO) || syscall(SYS_getsid, -1) != 0)
		return 6;
	if (answer(SYS_getpgid, SECCOMP_RET_ERRNO | 0xffff) || syscall(SYS_getpgid, 0) != -1 ||
	    errno != 4095)
		return 7;
	if (answer(SYS_getuid, SECCOMP_RET_LOG) || syscall(SYS_getuid) < 0)
		return 8;
	/* Numbers that do not exist are asked for as well. */
	if (answer(3000, SECCOMP_RET_ERRNO | 44) || syscall(3000) != -1 || errno != 44 ||
	    syscall(3001) != -1 || errno != ENOSYS)
		return 9;
	if (prctl(PR_GET_SECCOMP) != SECCOMP_MODE_FILTER || status_field("Seccomp:") != 2 ||
	    status_field("Seccomp_filters:") != 7 || status_field("NoNewPrivs:") != 1)
		return 10;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != -1 || errno != EINVAL)
		return 11;
	/* Nobody traces, nobody listens. */
	if (answer(SYS_getgid, SECCOMP_RET_TRACE) || syscall(SYS_getgid) != -1 || errno != ENOSYS)
		return 12;
	if (answer(SYS_getegid, SECCOMP_RET_USER_NOTIF) || syscall(SYS_getegid) != -1 ||
	    errno != ENOSYS)
		return 13;
	return 0;
}

static int arguments(void)
{
	const struct sock_filter f[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_AARCH64, 1, 0),
		RET(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgid, 1, 0),
		RET(SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 77, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[5]) + 4),
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_A, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &(struct sock_fprog){ N(f), (void *)f }))
		return 1;
	if (syscall(SYS_getpgid, 77, 0, 0, 0, 0, 5ul << 32) != -1 || errno != 5)
		return 2;
	if (syscall(SYS_getpgid, 0) != -1 || errno != sizeof(struct seccomp_data))
		return 3;
	return 0;
}

static int kills(void)
{
	answer(SYS_getppid, SECCOMP_RET_KILL_PROCESS);
	signal(SIGSYS, SIG_IGN);
	syscall(SYS_getppid);
	return 1;
}

static int kills_unknown(void)
{
	answer(SYS_getppid, 0x12340000);
	syscall(SYS_getppid);
	return 1;
}

static int strict_after_log(void)
{
	const struct sock_filter f[] = { RET(SECCOMP_RET_KILL_THREAD) };

	install(f, N(f), SECCOMP_FILTER_FLAG_LOG);
	return 1;
}

static void *call_getppid(void *arg)
{
	syscall(SYS_getppid);
	return arg;
}

/* The thread dies, the process does not. */
static int kills_thread(void)
{
	pthread_t t;

	answer(SYS_getppid, SECCOMP_RET_KILL_THREAD);
	pthread_create(&t, NULL, call_getppid, (void *)1);
	return EVENTUALLY(status_field("Threads:") == 1) ? 7 : 1;
}

static int __attribute__((noreturn)) kills_all_threads(void)
{
	pthread_t t;

	answer(SYS_getppid, SECCOMP_RET_KILL_PROCESS);
	pthread_create(&t, NULL, call_getppid, NULL);
	for (;;)
		pause();
}

static volatile siginfo_t trapped;

static void on_sigsys(int sig, siginfo_t *si, void *ctx)
{
	memcpy((void *)&trapped, si, sizeof(trapped));
}

static int traps(void)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

	sigaction(SIGSYS, &sa, NULL);
	if (answer(SYS_getppid, SECCOMP_RET_TRAP | 33))
		return 1;
	/* Registers stay as they were: the result is the first argument. */
	if (syscall(SYS_getppid, 1234) != 1234)
		return 2;
	if (trapped.si_signo != SIGSYS || trapped.si_code != 1 || trapped.si_errno != 33 ||
	    trapped.si_syscall != SYS_getppid || trapped.si_arch != AUDIT_ARCH_AARCH64 ||
	    !trapped.si_call_addr)
		return 3;
	signal(SIGSYS, SIG_IGN);
	syscall(SYS_getppid); /* cannot be ignored */
	return 4;
}

/* --- what is refused --- */

static int refusals(void)
{
	static struct sock_filter many[BPF_MAXINSNS];
	struct sock_fprog prog = { 0, many };
	const struct sock_filter mod[] = { BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RET(0) };
	const struct sock_filter half[] = { BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RET(0) };
	const struct sock_filter odd[] = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RET(0) };
	const struct sock_filter beyond[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sizeof(struct seccomp_data)), RET(0)
	};
	const struct sock_filter open[] = { BPF_STMT(BPF_LD | BPF_IMM, 0) };
	unsigned n = 0, i, action;

#define REFUSED(f, e) (install(f, N(f), 0) == -1 && errno == (e))
	if (!REFUSED(mod, EINVAL) || !REFUSED(half, EINVAL) || !REFUSED(odd, EINVAL) ||
	    !REFUSED(beyond, EINVAL) || !REFUSED(open, EINVAL))
		return 1;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) != -1 || errno != EINVAL)
		return 2;
	prog.len = BPF_MAXINSNS + 1;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) != -1 || errno != EINVAL)
		return 3;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) != -1 || errno != EFAULT)
		return 4;
	prog.len = 1;
	prog.filter = (void *)16;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) != -1 || errno != EFAULT)
		return 5;
	if (install(open, 1, 1u << 31) != -1 || errno != EINVAL)
		return 6;
	action = SECCOMP_RET_TRAP;
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action))
		return 7;
	action = SECCOMP_RET_TRAP | 1;
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != -1 || errno != EOPNOTSUPP)
		return 8;
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &action) != -1 || errno != EINVAL)
		return 9;
	/* Not more instructions than a call can be made to wait for. */
	for (i = 0; i < BPF_MAXINSNS; i++)
		many[i] = (struct sock_filter)RET(SECCOMP_RET_ALLOW);
	while (n < 100 && !install(many, BPF_MAXINSNS, 0))
		n++;
	return n == 7 && errno == ENOMEM ? 0 : 10;
}

static int refused_to_users(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (setresuid(1000, 1000, 1000))
			_exit(1);
		_exit(answer(SYS_getppid, SECCOMP_RET_ERRNO) == -1 && errno == EACCES ? 0 : 2);
	}
	waitpid(pid, &status, 0);
	return status;
}

/* --- threads, children, exec --- */

static int go[2], told[2];

static void *wait_and_try(void *arg)
{
	char c;

	*(int *)arg = (int)syscall(SYS_gettid);
	write(told[1], "x", 1);
	read(go[0], &c, 1);
	errno = 0;
	*(int *)arg = syscall(SYS_getppid) == -1 ? errno : 0;
	if (status_field("NoNewPrivs:") != 1)
		*(int *)arg = -1;
	return NULL;
}

static int all_threads(void)
{
	pthread_t t;
	int got = 0;
	char c;

	pipe(go);
	pipe(told);
	if (answer(SYS_getsid, SECCOMP_RET_ERRNO | 5))
		return 1;
	pthread_create(&t, NULL, wait_and_try, &got);
	read(told[0], &c, 1);
	if (answer_flags(SYS_getppid, SECCOMP_RET_ERRNO | 9, SECCOMP_FILTER_FLAG_TSYNC))
		return 2;
	write(go[1], "x", 1);
	pthread_join(t, NULL);
	return got == 9 ? 0 : 3;
}

static void *diverge(void *arg)
{
	char c;

	answer(SYS_getsid, SECCOMP_RET_ERRNO | 6);
	*(int *)arg = (int)syscall(SYS_gettid);
	write(told[1], "x", 1);
	read(go[0], &c, 1);
	return NULL;
}

static int diverged_thread(void)
{
	pthread_t t;
	int tid = 0;
	long r;
	char c;

	pipe(go);
	pipe(told);
	pthread_create(&t, NULL, diverge, &tid);
	read(told[0], &c, 1);
	r = answer_flags(SYS_getppid, SECCOMP_RET_ERRNO | 9, SECCOMP_FILTER_FLAG_TSYNC);
	if (r != tid || syscall(SYS_getppid) < 0)
		return 1;
	r = answer_flags(SYS_getppid, SECCOMP_RET_ERRNO | 9,
			 SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH);
	if (r != -1 || errno != ESRCH)
		return 2;
	write(go[1], "x", 1);
	pthread_join(t, NULL);
	return 0;
}

static const char *self;

static int inherits(void)
{
	int status;
	pid_t pid;

	if (answer(SYS_getppid, SECCOMP_RET_ERRNO | 21))
		return 1;
	pid = fork();
	if (!pid)
		_exit(syscall(SYS_getppid) == -1 && errno == 21 ? 0 : 1);
	waitpid(pid, &status, 0);
	if (status)
		return 2;
	execl(self, self, "after exec", (char *)NULL);
	return 3;
}

/* --- tracers --- */

static int traced(void)
{
	ptrace(PTRACE_TRACEME, 0, 0, 0);
	raise(SIGSTOP);
	if (answer(SYS_getppid, SECCOMP_RET_TRACE | 17) ||
	    answer(SYS_getsid, SECCOMP_RET_ERRNO | 3))
		return 1;
	if (syscall(SYS_getppid) != 4321) /* 1: the tracer makes the result */
		return 2;
	if (syscall(SYS_getppid) != getpid()) /* 2: it makes another call of it */
		return 3;
	if (syscall(SYS_getppid) != -1 || errno != 3) /* 3: one that is forbidden */
		return 4;
	return 0;
}

/* Wait for the next SECCOMP_RET_TRACE stop of @pid. */
static int next_event(pid_t pid)
{
	struct ptrace_syscall_info info;
	unsigned long message = 0;
	int status;

	if (ptrace(PTRACE_CONT, pid, 0, 0) || waitpid(pid, &status, 0) != pid ||
	    status >> 8 != (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
		return 0;
	if (ptrace(PTRACE_GETEVENTMSG, pid, 0, &message) || message != 17)
		return 0;
	/* Up to ret_data, which is the last field. */
	return ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) == 84 &&
	       info.op == PTRACE_SYSCALL_INFO_SECCOMP && info.seccomp.nr == SYS_getppid &&
	       info.seccomp.ret_data == 17;
}

static int set_call(pid_t pid, int nr)
{
	struct iovec iov = { &nr, sizeof(nr) };

	return !ptrace(PTRACE_SETREGSET, pid, 0x404, &iov); /* NT_ARM_SYSTEM_CALL */
}

static int set_x0(pid_t pid, unsigned long v)
{
	unsigned long regs[34];
	struct iovec iov = { regs, sizeof(regs) };

	if (ptrace(PTRACE_GETREGSET, pid, 1, &iov))
		return 0;
	regs[0] = v;
	return !ptrace(PTRACE_SETREGSET, pid, 1, &iov);
}

static void tracers(void)
{
	struct sock_filter f[8];
	int status;
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(traced());
	}
	REQUIRE(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	CHECK(!ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL));
	CHECK_ERR(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, NULL), EINVAL);
	CHECK(next_event(pid) && set_call(pid, -1) && set_x0(pid, 4321));
	CHECK(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, NULL) == 4);
	CHECK(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, f) == 4 && f[1].k == SYS_getppid);
	CHECK(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 1, f) == 4 && f[1].k == SYS_getsid);
	CHECK_ERR(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 2, f), ENOENT);
	CHECK(next_event(pid) && set_call(pid, SYS_getpid));
	CHECK(next_event(pid) && set_call(pid, SYS_getsid));
	CHECK(!ptrace(PTRACE_CONT, pid, 0, 0) && waitpid(pid, &status, 0) == pid);
	CHECK(exited(status, 0));
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc > 1)
		return syscall(SYS_getppid) == -1 && errno == 21 ? 0 : 1;
	CHECK(exited(in_child(errnos), 0));
	CHECK(exited(in_child(arguments), 0));
	CHECK(killed(in_child(kills), SIGSYS));
	CHECK(killed(in_child(kills_unknown), SIGSYS));
	CHECK(killed(in_child(strict_after_log), SIGSYS));
	CHECK(exited(in_child(kills_thread), 7));
	CHECK(killed(in_child(kills_all_threads), SIGSYS));
	CHECK(killed(in_child(traps), SIGSYS));
	CHECK(exited(in_child(refusals), 0));
	CHECK(refused_to_users() == 0);
	CHECK(exited(in_child(all_threads), 0));
	CHECK(exited(in_child(diverged_thread), 0));
	CHECK(exited(in_child(inherits), 0));
	tracers();
	return tap_done();
}
