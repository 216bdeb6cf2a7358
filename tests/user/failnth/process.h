#pragma once
/* Processes: fork, clone, exec, threads, signals, tracing, timers of a process, credentials. */
#include <grp.h>
#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <time.h>
#include "../vforked.h"
#include "engine.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

static long reaped(pid_t pid)
{
	int status;

	if (pid > 0)
		while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
			;
	return pid;
}

static long do_fork(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return reaped(pid);
}

static int end_well(void *arg)
{
	return 0;
}

static long do_vfork(void)
{
	return reaped(vforked(end_well, NULL));
}

/* A child with descriptors in a table of its own size, handlers, a pid descriptor. */
static long do_clone_pidfd(void)
{
	int pidfd = -1;
	long pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, &pidfd, NULL, 0);

	if (!pid)
		_exit(0);
	if (pid > 0)
		KEEP_ERRNO(close(pidfd));
	return reaped(pid);
}

static int fork_many_fds(void)
{
	return dup2(fail_fd, 700) < 0 ? -1 : 0;
}

static void close_many_fds(void)
{
	close(700);
}

static void *thread_main(void *arg)
{
	return arg;
}

static long do_thread(void)
{
	static char stack[64 * 1024] __attribute__((aligned(4096)));
	pthread_attr_t attr;
	pthread_t t;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stack, sizeof(stack));
	err = pthread_create(&t, &attr, thread_main, NULL);

	if (err) {
		errno = err;
		return -1;
	}
	return pthread_join(t, NULL);
}

/* The new program says by its name that it runs; until then the old one tells the errno. */
static long exec_self(void)
{
	char *const argv[] = { self_path, "--child", NULL }, *const envp[] = { "A=b", NULL };

	return execve(self_path, argv, envp);
}

static long exec_script(void)
{
	char *const argv[] = { "/tmp/failnth.sh", NULL }, *const envp[] = { NULL };

	return execve("/tmp/failnth.sh", argv, envp);
}

/*
 * An exec that works ends the child by the new program, which cannot tell: the count stays the
 * thread's, and the parent reads from it. The child waits for that on a pipe that the program
 * inherits as its standard input.
 */
static long exec_child(long (*fn)(void))
{
	int go[2], said[2];
	struct child_word *w = child_page();
	char path[64], byte;
	pid_t pid;
	long n;
	int fd;

	if (pipe(go) || pipe2(said, O_CLOEXEC))
		abort();
	w->hit = w->result = 0;
	pid = fork();
	if (!pid) {
		dup2(go[0], 0);
		close(go[1]);
		child_arm();
		fn();
		child_report(-1, errno);
		_exit(0);
	}
	close(go[0]);
	close(said[1]);
	n = read(said[0], &byte, 1); /* its end is closed by the exec, or by the exit */
	close(said[0]);
	if (n != 0 || !EVENTUALLY(strchr("SZ", task_state(pid, pid))))
		abort();
	snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
	fd = w->result ? -1 : open(path, O_RDWR);
	if (fd >= 0) {
		char text[16] = "";

		/* A program that could not be set up is dead already. */
		if (pread(fd, text, sizeof(text) - 1, 0) > 0)
			w->hit = atoi(text) == 0;
		if (pwrite(fd, "0", 1, 0) != 1 && errno != ESRCH)
			abort();
		close(fd);
	}
	close(go[1]);
	return child_result(pid, 1);
}

static long do_exec(void)
{
	return exec_child(exec_self);
}

static int script_make(void)
{
	int fd = open("/tmp/failnth.sh", O_CREAT | O_WRONLY | O_TRUNC, 0755);

	if (fd < 0 || dprintf(fd, "#!%s --child\n", self_path) < 0)
		return -1;
	return close(fd);
}

static void script_remove(void)
{
	unlink("/tmp/failnth.sh");
}

static long do_exec_script(void)
{
	return exec_child(exec_script);
}

static void on_signal(int sig)
{
	(void)sig;
}

static int block_usr1(void)
{
	sigset_t set;

	signal(SIGUSR1, on_signal);
	signal(SIGRTMIN, on_signal);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	return sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Take what is pending, then let the signals through. */
static void unblock_usr1(void)
{
	const struct timespec none = { 0, 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN);
	while (sigtimedwait(&set, NULL, &none) > 0)
		;
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* kill() must get its signal through without memory, too. */
static long do_kill(void)
{
	sigset_t set;

	if (kill(getpid(), SIGUSR1) || sigpending(&set))
		return -1;
	if (sigismember(&set, SIGUSR1))
		return 0;
	errno = EPROTO;
	return -1;
}

static long do_sigqueue(void)
{
	return sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = 5 });
}

static long do_timer_create(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_NONE };
	int id;

	if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id))
		return -1;
	return syscall(SYS_timer_delete, id);
}

static long do_itimer(void)
{
	struct timeval far[2] = { { 0, 0 }, { 5000, 0 } };

	if (syscall(SYS_setitimer, 0, far, NULL))
		return -1;
	far[1].tv_sec = 0;
	return syscall(SYS_setitimer, 0, far, NULL);
}

static long do_creds(void)
{
	gid_t groups[100];

	for (int i = 0; i < 100; i++)
		groups[i] = i + 1;
	if (setgroups(100, groups) || setresgid(0, 0, 0) || setresuid(0, 0, 0))
		return -1;
	return 0;
}

static void creds_back(void)
{
	setgroups(0, NULL);
}

static long do_unshare(void)
{
	return unshare(CLONE_FS | CLONE_FILES);
}

static long do_unshare_child(void)
{
	return in_child(do_unshare, 0);
}

static pid_t stopped_child;

static int child_make(void)
{
	stopped_child = fork();
	if (!stopped_child)
		for (;;)
			pause();
	return stopped_child < 0 ? -1 : 0;
}

static void child_end(void)
{
	KEEP_ERRNO((kill(stopped_child, SIGKILL), waitpid(stopped_child, NULL, 0)));
}

static long do_ptrace(void)
{
	char regs[512];
	struct iovec iov = { regs, sizeof(regs) };
	int status;
	long r;

	if (ptrace(PTRACE_ATTACH, stopped_child, 0, 0))
		return -1;
	waitpid(stopped_child, &status, 0);
	r = ptrace(PTRACE_GETREGSET, stopped_child, (void *)1, &iov);
	if (r >= 0)
		r = ptrace(PTRACE_SETREGSET, stopped_child, (void *)1, &iov);
	iov = (struct iovec){ regs, sizeof(regs) };
	if (r >= 0)
		r = ptrace(PTRACE_GETREGSET, stopped_child, (void *)0x403, &iov);
	if (r >= 0) {
		errno = 0;
		ptrace(PTRACE_PEEKDATA, stopped_child, &stopped_child, 0);
		r = errno ? -1 : 0;
	}
	KEEP_ERRNO(ptrace(PTRACE_DETACH, stopped_child, 0, 0));
	return r;
}

static long do_process_vm(void)
{
	static char there[3 * PAGE], here[3 * PAGE];
	struct iovec local = { here, sizeof(here) }, remote = { there, sizeof(there) };
	long r = process_vm_readv(stopped_child, &local, 1, &remote, 1, 0);

	return r < 0 ? r : process_vm_writev(stopped_child, &local, 1, &remote, 1, 0);
}

static long do_pidfd(void)
{
	int fd = syscall(SYS_pidfd_open, stopped_child, 0), copy;

	if (fd < 0)
		return -1;
	copy = syscall(438 /* pidfd_getfd */, fd, fail_fd, 0);
	if (copy >= 0)
		KEEP_ERRNO(close(copy));
	KEEP_ERRNO(close(fd));
	return copy;
}

static uint32_t futex_word;

static long do_futex_wait(void)
{
	const struct timespec none = { 0, 1 };
	long r = syscall(SYS_futex, &futex_word, FUTEX_WAIT, 0, &none, NULL, 0);

	return r < 0 && errno == ETIMEDOUT ? 0 : r;
}

static long do_futex_pi(void)
{
	futex_word = 0;
	if (syscall(SYS_futex, &futex_word, FUTEX_LOCK_PI, 0, NULL, NULL, 0))
		return -1;
	return syscall(SYS_futex, &futex_word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
}

/* The owner is another process: a state for the waiter has to be made. */
static long do_futex_pi_wait(void)
{
	struct timespec now;
	uint32_t *word = (uint32_t *)((char *)child_page() + 512);
	long r;

	clock_gettime(CLOCK_REALTIME, &now);
	*word = stopped_child;
	r = syscall(SYS_futex, word, FUTEX_LOCK_PI, 0, &now, NULL, 0);
	if (r < 0 && errno == ETIMEDOUT)
		r = 0;
	*word = 0;
	futex_word = 0;
	return r;
}

static long do_futex_waitv(void)
{
	struct {
		uint64_t val, uaddr;
		uint32_t flags, reserved;
	} v[3] = { { 0, (uintptr_t)&futex_word, 2, 0 },
		   { 0, (uintptr_t)&futex_word, 2, 0 },
		   { 0, (uintptr_t)&futex_word, 2, 0 } };
	struct timespec past = { 0, 1 };
	long r = syscall(SYS_futex_waitv, v, 3, 0, &past, CLOCK_MONOTONIC);

	return r < 0 && errno == ETIMEDOUT ? 0 : r;
}

static long dump_core(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	if (setrlimit(RLIMIT_CORE, &all) || chdir("/tmp"))
		return -1;
	abort();
}

#define CORE_FAILURES 40 /* nothing tells the parent where the count stands; a dump needs more */

/* The core dump may fail, the process must end by its signal all the same. */
static long do_coredump(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		child_arm();
		dump_core();
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	child_hit = child_nth <= CORE_FAILURES;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && (child_hit || WCOREDUMP(status)))
		return 0;
	errno = EPROTO;
	return -1;
}

static void core_remove(void)
{
	unlink("/tmp/core");
}

static long read_all(const char *path)
{
	static char buf[65536];
	int fd = open(path, O_RDONLY);
	long n;

	if (fd < 0)
		return -1;
	do
		n = read(fd, buf, sizeof(buf));
	while (n > 0);
	KEEP_ERRNO(close(fd));
	return n;
}

static long do_proc_files(void)
{
	static const char *const files[] = { "maps",	"smaps", "status",    "stat",	"limits",
					     "cmdline", "auxv",	 "mountinfo", "environ" };
	char path[64];

	for (unsigned i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", files[i]);
		if (read_all(path) < 0)
			return -1;
	}
	return 0;
}

static long do_proc_global(void)
{
	return read_all("/proc/meminfo") < 0 || read_all("/proc/stat") < 0 ||
			       read_all("/proc/interrupts") < 0 || read_all("/proc/slabinfo") < 0 ||
			       read_all("/proc/mounts") < 0 ||
			       read_all("/proc/sys/kernel/hostname") < 0
		       ? -1
		       : 0;
}

static long do_affinity(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return -1;
	return sched_setaffinity(0, sizeof(set), &set);
}

static long do_prctl(void)
{
	return prctl(PR_SET_NAME, "failnth");
}

static const struct op process_ops[] = {
	{ "fork", do_fork, .errs = { EAGAIN } },
	{ "fork with many descriptors", do_fork, fork_many_fds, close_many_fds, { EAGAIN } },
	{ "vfork", do_vfork, .errs = { EAGAIN } },
	{ "clone pidfd", do_clone_pidfd, .errs = { EAGAIN } },
	{ "thread", do_thread, .errs = { EAGAIN } },
	{ "exec", do_exec, .child = 1, .errs = { E2BIG } },
	{ "exec script", do_exec_script, script_make, script_remove, { E2BIG }, 1 },
	{ "kill", do_kill, block_usr1, unblock_usr1 },
	{ "sigqueue", do_sigqueue, block_usr1, unblock_usr1, { EAGAIN } },
	{ "timer_create", do_timer_create, .errs = { EAGAIN } },
	{ "setitimer", do_itimer },
	{ "credentials", do_creds, NULL, creds_back },
	{ "unshare", do_unshare_child, .child = 1 },
	{ "ptrace", do_ptrace, child_make, child_end, { EIO } },
	{ "process_vm", do_process_vm, child_make, child_end },
	{ "pidfd", do_pidfd, child_make, child_end },
	{ "futex wait", do_futex_wait },
	{ "futex pi", do_futex_pi },
	{ "futex pi wait", do_futex_pi_wait, child_make, child_end },
	{ "futex_waitv", do_futex_waitv },
	{ "core dump", do_coredump, NULL, core_remove, .child = 1 },
	{ "proc files of a process", do_proc_files },
	{ "proc files", do_proc_global },
	{ "affinity", do_affinity },
	{ "prctl", do_prctl },
	{ NULL },
};
