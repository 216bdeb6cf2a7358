/* ptrace: events of clone, exec and exit; traced threads, their ends and stops; tracing threads. */
#include "tracing.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

static const char *self_path;

static void sleeper(void)
{
	for (;;)
		pause();
}

/* --- fork, vfork, clone --- */

static void forks(void)
{
	pid_t pid = fork();
	int st;

	if (pid == 0)
		_exit(5);
	_exit(waitpid(pid, &st, 0) == pid && st == 5 << 8 ? 0 : 1);
}

static void test_fork_attached(void)
{
	pid_t pid = traced_child(forks), child, who;
	int st;

	CHECK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	/* The event, and the child's first stop, in either order. */
	st = any_news(&who);
	if (who != pid) {
		child = who;
		CHECK(st == STOP(SIGSTOP));
		CHECK(news(pid) == EVENT(PTRACE_EVENT_FORK) &&
		      get_message(pid) == (unsigned long)child);
	} else {
		CHECK(st == EVENT(PTRACE_EVENT_FORK));
		child = (pid_t)get_message(pid);
		CHECK(news(child) == STOP(SIGSTOP));
	}
	CHECK(get_info(pid).si_code == (SIGTRAP | PTRACE_EVENT_FORK << 8));
	CHECK(tracer_of(child) == getpid());
	CHECK(get_info(child).si_code == SI_USER && get_info(child).si_signo == SIGSTOP);
	/* It has the same options. */
	CHECK(trace(PTRACE_CONT, child, 0, 0) == 0 && news(child) == 5 << 8);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	/* The parent gets its SIGCHLD, and then the zombie, after the tracer. */
	CHECK(news(pid) == STOP(SIGCHLD));
	CHECK(trace(PTRACE_CONT, pid, 0, SIGCHLD) == 0 && news(pid) == 0);
}

static void vforks(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(6);
	_exit(waitpid(pid, NULL, 0) != pid);
}

static void test_vfork_seized(void)
{
	int options = PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT;
	pid_t pid = fork(), child;

	if (pid == 0) {
		kill(getpid(), SIGSTOP);
		vforks();
	}
	CHECK(waitpid(pid, NULL, WUNTRACED) == pid);
	CHECK(trace(PTRACE_SEIZE, pid, 0, options) == 0 && news(pid) == GROUP_STOP(SIGSTOP));
	kill(pid, SIGCONT);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == GROUP_STOP(SIGTRAP));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGCONT));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == EVENT(PTRACE_EVENT_VFORK));
	child = (pid_t)get_message(pid);
	CHECK(news(child) == GROUP_STOP(SIGTRAP));
	CHECK(get_info(child).si_code == (SIGTRAP | PTRACE_EVENT_STOP << 8));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(trace(PTRACE_CONT, child, 0, 0) == 0);
	CHECK(news(child) == EVENT(PTRACE_EVENT_EXIT) && get_message(child) == 6 << 8);
	CHECK(trace(PTRACE_CONT, child, 0, 0) == 0 && news(child) == 6 << 8);
	CHECK(news(pid) == EVENT(PTRACE_EVENT_VFORK_DONE));
	CHECK(get_message(pid) == (unsigned long)child);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGCHLD));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == EVENT(PTRACE_EVENT_EXIT));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 0);
}

static void *thread_waits(void *arg)
{
	pause();
	return NULL;
}

static void clones(void)
{
	pthread_t t;

	pthread_create(&t, NULL, thread_waits, NULL);
	pthread_join(t, NULL);
	_exit(0);
}

static void test_clone(void)
{
	pid_t pid = traced_child(clones), thread;

	trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXIT);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == EVENT(PTRACE_EVENT_CLONE));
	thread = (pid_t)get_message(pid);
	CHECK(news(thread) == STOP(SIGSTOP) && tracer_of(thread) == getpid());
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && trace(PTRACE_CONT, thread, 0, 0) == 0);
	until_state(thread, 'S');
	/* Threads are attached to one by one. */
	CHECK(syscall(SYS_tgkill, pid, thread, SIGTERM) == 0);
	CHECK(news(thread) == STOP(SIGTERM));
	CHECK(trace(PTRACE_CONT, thread, 0, SIGTERM) == 0);
	/* Both die of it, and tell. */
	CHECK(news(thread) == EVENT(PTRACE_EVENT_EXIT) && get_message(thread) == SIGTERM);
	CHECK(news(pid) == EVENT(PTRACE_EVENT_EXIT) && get_message(pid) == SIGTERM);
	CHECK(trace(PTRACE_CONT, thread, 0, 0) == 0 && news(thread) == SIGTERM);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == SIGTERM);
}

static void clones_oddly(void)
{
	int st;
	long pid = syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(1);
	waitpid((pid_t)pid, &st, 0);
	pid = syscall(SYS_clone, CLONE_PTRACE | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		_exit(2);
	waitpid((pid_t)pid, &st, 0);
	_exit(0);
}

static void test_clone_flags(void)
{
	pid_t pid = traced_child(clones_oddly), child;

	CHECK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	/* Of the untraced child nothing but the parent's SIGCHLD. */
	CHECK(news(pid) == STOP(SIGCHLD));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == EVENT(PTRACE_EVENT_FORK));
	child = (pid_t)get_message(pid);
	CHECK(news(child) == STOP(SIGSTOP));
	/* Without the option CLONE_PTRACE alone does it. */
	finish(child);
	finish(pid);
	pid = traced_child(clones_oddly);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGCHLD));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(any_news(&child) == STOP(SIGSTOP) && child != pid);
	finish(child);
	finish(pid);
}

/* --- exec --- */

static void execs(void)
{
	execl(self_path, self_path, "exit", "9", NULL);
	_exit(1);
}

static void test_exec(void)
{
	pid_t pid = traced_child(execs);
	siginfo_t si;

	/* Without the option: a SIGTRAP. */
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGTRAP));
	si = get_info(pid);
	CHECK(si.si_code == SI_USER && si.si_pid == pid);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 9 << 8);
	pid = traced_child(execs);
	CHECK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == EVENT(PTRACE_EVENT_EXEC));
	CHECK(get_message(pid) == (unsigned long)pid);
	/* The call's exit comes after the event, though its entry was not asked for. */
	CHECK(trace(PTRACE_SYSCALL, pid, 0, 0) == 0 && news(pid) == SYSCALL_STOP);
	CHECK(get_message(pid) == 2 && get_call(pid) == SYS_execve);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 9 << 8);
	/* A seized one without the option: nothing. */
	pid = fork();
	if (pid == 0) {
		kill(getpid(), SIGSTOP);
		execs();
	}
	waitpid(pid, NULL, WUNTRACED);
	CHECK(trace(PTRACE_SEIZE, pid, 0, 0) == 0 && news(pid) == GROUP_STOP(SIGSTOP));
	kill(pid, SIGCONT);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == GROUP_STOP(SIGTRAP));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGCONT));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 9 << 8);
}

static void *thread_execs(void *arg)
{
	execs();
	return NULL;
}

static void threads_exec(void)
{
	pthread_t t[3];

	pthread_create(&t[0], NULL, thread_waits, NULL);
	pthread_create(&t[1], NULL, thread_waits, NULL);
	pthread_create(&t[2], NULL, thread_execs, NULL);
	sleeper();
}

/* A thread that is not the leader execs: it gets the leader's number, the others are gone. */
static void test_exec_thread(void)
{
	int options = PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE;
	pid_t pid = traced_child(threads_exec), who, thread[3];
	int st, gone = 0;

	CHECK(trace(PTRACE_SETOPTIONS, pid, 0, options) == 0);
	for (int i = 0; i < 3; i++) {
		CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == EVENT(PTRACE_EVENT_CLONE));
		thread[i] = (pid_t)get_message(pid);
		CHECK(news(thread[i]) == STOP(SIGSTOP));
		if (i < 2)
			trace(PTRACE_CONT, thread[i], 0, 0);
	}
	trace(PTRACE_CONT, pid, 0, 0);
	CHECK(trace(PTRACE_CONT, thread[2], 0, 0) == 0);
	while ((st = any_news(&who)) == 0 || !WIFSTOPPED(st)) {
		if (who == thread[0] || who == thread[1])
			gone++;
		if (who < 0)
			break;
	}
	CHECK(who == pid && st == EVENT(PTRACE_EVENT_EXEC));
	CHECK(get_message(pid) == (unsigned long)thread[2]);
	CHECK(gone == 2);
	CHECK_ERR(trace(PTRACE_CONT, thread[2], 0, 0), ESRCH);
	CHECK(news(thread[2]) == -1 - ECHILD);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 9 << 8);
}

/* A set-id program under a tracer that may not trace what it would become stays what it was. */
static void test_exec_setid(void)
{
	const char *path = "/ptrace-setid";
	char cmd[300];
	pid_t pid;

	if (getuid() != 0)
		return;
	snprintf(cmd, sizeof(cmd), "cp %s %s && chmod 4755 %s", self_path, path, path);
	CHECK(system(cmd) == 0);
	pid = fork();
	if (pid == 0) {
		pid_t child;
		int st;

		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(9);
		child = fork();
		if (child == 0) {
			execl(path, path, "euid", NULL);
			_exit(8);
		}
		if (waitpid(child, &st, 0) != child || st != 1 << 8)
			_exit(7); /* not traced: it has root's */
		child = fork();
		if (child == 0) {
			trace(PTRACE_TRACEME, 0, 0, 0);
			execl(path, path, "euid", NULL);
			_exit(8);
		}
		if (waitpid(child, &st, 0) != child || st != STOP(SIGTRAP) ||
		    trace(PTRACE_CONT, child, 0, 0) || waitpid(child, &st, 0) != child)
			_exit(6);
		_exit(st == 2 << 8 ? 0 : 5);
	}
	CHECK(news(pid) == 0);
	/* Root may. */
	pid = fork();
	if (pid == 0) {
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(9);
		kill(getpid(), SIGSTOP);
		execl(path, path, "euid", NULL);
		_exit(8);
	}
	waitpid(pid, NULL, WUNTRACED);
	CHECK(trace(PTRACE_SEIZE, pid, 0, 0) == 0 && news(pid) == GROUP_STOP(SIGSTOP));
	kill(pid, SIGCONT);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == GROUP_STOP(SIGTRAP));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGCONT));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == 1 << 8);
	unlink(path);
}

/* --- ends of threads --- */

static void *thread_exits(void *arg)
{
	syscall(SYS_exit, 3);
	return NULL;
}

static void leader_exits_first(void)
{
	pthread_t t;

	pthread_create(&t, NULL, thread_waits, NULL);
	syscall(SYS_exit, 4);
}

static void threads_exit(void)
{
	pthread_t t;

	pthread_create(&t, NULL, thread_exits, NULL);
	sleeper();
}

/* A traced thread's end is waited for like a process's. */
static void test_thread_exit(void)
{
	pid_t pid = traced_child(threads_exit), thread;
	siginfo_t si;
	int st;

	trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == EVENT(PTRACE_EVENT_CLONE));
	thread = (pid_t)get_message(pid);
	CHECK(news(thread) == STOP(SIGSTOP));
	CHECK(trace(PTRACE_CONT, thread, 0, 0) == 0);
	memset(&si, 0, sizeof(si));
	CHECK(waitid(P_PID, thread, &si, WEXITED | WNOWAIT | __WALL) == 0);
	CHECK(si.si_code == CLD_EXITED && si.si_status == 3 && si.si_pid == thread);
	/* It keeps its number until then. */
	CHECK(syscall(SYS_tgkill, pid, thread, 0) == 0);
	CHECK_ERR(trace(PTRACE_CONT, thread, 0, 0), ESRCH);
	CHECK_ERR(trace(PTRACE_ATTACH, thread, 0, 0), EPERM);
	CHECK(waitpid(thread, &st, __WCLONE) == thread && st == 3 << 8);
	CHECK_ERR(syscall(SYS_tgkill, pid, thread, 0), ESRCH);
	CHECK_ERR(waitpid(thread, &st, __WALL), ECHILD);
	finish(pid);
}

/* The leader is the last of a process to be waited for. */
static void test_leader_exit(void)
{
	pid_t pid = traced_child(leader_exits_first), thread, who;
	int st;

	trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == EVENT(PTRACE_EVENT_CLONE));
	thread = (pid_t)get_message(pid);
	CHECK(news(thread) == STOP(SIGSTOP));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && trace(PTRACE_CONT, thread, 0, 0) == 0);
	until_state(pid, 'Z');
	CHECK(waitpid(pid, &st, WNOHANG | __WALL) == 0);
	CHECK_ERR(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK(syscall(SYS_tgkill, pid, thread, SIGKILL) == 0);
	CHECK(any_news(&who) == SIGKILL && who == thread);
	CHECK(any_news(&who) == SIGKILL && who == pid);
	/* With the thread untraced the leader's zombie waits for it all the same. */
	pid = traced_child(leader_exits_first);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	until_state(pid, 'Z');
	CHECK(waitpid(pid, &st, WNOHANG | __WALL) == 0);
	kill(pid, SIGKILL);
	CHECK(news(pid) == SIGKILL);
}

/* --- group stops of several threads --- */

static void two_threads(void)
{
	pthread_t t;

	pthread_create(&t, NULL, thread_waits, NULL);
	sleeper();
}

/* A child with two threads, not traced; *thread: the second one. */
static pid_t two_thread_child(pid_t *thread)
{
	char path[64];
	pid_t pid = plain_child(two_threads);

	*thread = pid;
	while (*thread == pid) {
		for (pid_t t = pid + 1; t < pid + 20; t++) {
			snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, t);
			if (access(path, F_OK) == 0)
				*thread = t;
		}
	}
	until_state(pid, 'S');
	until_state(*thread, 'S');
	return pid;
}

static void test_group_stop_threads(void)
{
	pid_t thread, pid = two_thread_child(&thread);
	int st;

	CHECK(trace(PTRACE_SEIZE, thread, 0, 0) == 0);
	/* The thread that is traced takes part by a trap, the other one just stops. */
	CHECK(syscall(SYS_tgkill, pid, pid, SIGSTOP) == 0);
	CHECK(news(thread) == GROUP_STOP(SIGSTOP));
	CHECK(waitpid(pid, &st, WUNTRACED) == pid && st == STOP(SIGSTOP));
	/* It may go on alone while the process is stopped. */
	CHECK(trace(PTRACE_CONT, thread, 0, 0) == 0);
	until_state(thread, 'S');
	CHECK(state_of(pid) == 'T' && state_of(thread) == 'S');
	CHECK(waitpid(pid, &st, WUNTRACED | WNOHANG) == 0);
	kill(pid, SIGCONT);
	CHECK(news(thread) == GROUP_STOP(SIGTRAP));
	CHECK(waitpid(pid, &st, WCONTINUED) == pid && st == 0xffff);
	CHECK(trace(PTRACE_CONT, thread, 0, 0) == 0);
	kill(pid, SIGKILL);
	/* The process is not a zombie before its dead thread is gone. */
	until_state(pid, 'Z');
	CHECK(waitpid(pid, &st, WNOHANG) == 0);
	CHECK(news(thread) == SIGKILL && news(pid) == SIGKILL);
}

/* Both traced: a stop signal to one stops both, and each says so. */
static void test_group_stop_all(void)
{
	pid_t thread, pid = two_thread_child(&thread);

	CHECK(trace(PTRACE_ATTACH, pid, 0, 0) == 0 && news(pid) == STOP(SIGSTOP));
	CHECK(trace(PTRACE_ATTACH, thread, 0, 0) == 0 && news(thread) == STOP(SIGSTOP));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && trace(PTRACE_CONT, thread, 0, 0) == 0);
	CHECK(syscall(SYS_tgkill, pid, thread, SIGTSTP) == 0 && news(thread) == STOP(SIGTSTP));
	CHECK(trace(PTRACE_CONT, thread, 0, SIGSTOP) == 0);
	CHECK(news(thread) == STOP(SIGSTOP) && news(pid) == STOP(SIGSTOP));
	CHECK_ERR(trace(PTRACE_GETSIGINFO, pid, 0, (long)&(siginfo_t){ 0 }), EINVAL);
	CHECK(state_of(pid) == 't' && state_of(thread) == 't');
	/* Detached, they stay stopped with the group. */
	CHECK(trace(PTRACE_DETACH, pid, 0, 0) == 0 && trace(PTRACE_DETACH, thread, 0, 0) == 0);
	until_state(pid, 'T');
	until_state(thread, 'T');
	kill(pid, SIGCONT);
	until_state(pid, 'S');
	finish(pid);
}

/* --- threads that trace --- */

static pid_t victim;
static int result[4];

static void *other_thread(void *arg)
{
	int st;

	result[0] = trace(PTRACE_CONT, victim, 0, 0) == -1 ? errno : 0;
	/* Waiting may do any thread of the tracer's process, but for __WNOTHREAD. */
	result[1] = waitpid(victim, &st, __WALL | __WNOTHREAD) == -1 ? errno : 0;
	result[2] = waitpid(victim, &st, __WALL | WNOHANG) == victim && st == STOP(SIGUSR1);
	return NULL;
}

static void usr1(void)
{
	kill(getpid(), SIGUSR1);
	_exit(0);
}

static void *tracing_thread(void *arg)
{
	result[3] = trace(PTRACE_SEIZE, victim, 0, 0) == 0;
	return NULL;
}

static void test_tracer_threads(void)
{
	pthread_t t;
	siginfo_t si;

	victim = traced_child(usr1);
	CHECK(trace(PTRACE_CONT, victim, 0, 0) == 0);
	CHECK(waitid(P_PID, victim, &si, WSTOPPED | WNOWAIT) == 0);
	pthread_create(&t, NULL, other_thread, NULL);
	pthread_join(t, NULL);
	CHECK(result[0] == ESRCH && result[1] == ECHILD && result[2]);
	finish(victim);
	/* A tracer is a thread: with it the tracing ends. */
	victim = plain_child(sleeper);
	pthread_create(&t, NULL, tracing_thread, NULL);
	pthread_join(t, NULL);
	CHECK(result[3]);
	while (tracer_of(victim))
		sched_yield();
	CHECK(trace(PTRACE_SEIZE, victim, 0, 0) == 0);
	finish(victim);
}

/* --- many at once --- */

static void forks_a_lot(void)
{
	for (int i = 0; i < 40; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(i);
		if (i % 4 == 0)
			kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	_exit(0);
}

static void test_many(void)
{
	int options =
		PTRACE_O_TRACEFORK | PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;
	pid_t first = traced_child(forks_a_lot), who;
	int st, ends = 0, stops = 0;

	CHECK(trace(PTRACE_SETOPTIONS, first, 0, options) == 0);
	CHECK(trace(PTRACE_SYSCALL, first, 0, 0) == 0);
	for (;;) {
		int sig = 0;

		st = any_news(&who);
		if (who < 0)
			break;
		if (!WIFSTOPPED(st)) {
			ends++;
			continue;
		}
		stops++;
		if (WSTOPSIG(st) != (SIGTRAP | 0x80) && st >> 16 == 0 && WSTOPSIG(st) != SIGSTOP)
			sig = WSTOPSIG(st);
		trace(PTRACE_SYSCALL, who, 0, sig);
	}
	CHECK(ends == 41 && stops > 200);
}

int main(int argc, char **argv)
{
	char path[256];
	ssize_t n;

	if (argc > 2 && !strcmp(argv[1], "exit"))
		return atoi(argv[2]);
	if (argc > 1 && !strcmp(argv[1], "euid"))
		return geteuid() == 0 ? 1 : 2;
	n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = 0;
	self_path = path;
	alarm(TAP_LIMIT);
	test_fork_attached();
	test_vfork_seized();
	test_clone();
	test_clone_flags();
	test_exec();
	test_exec_thread();
	test_exec_setid();
	test_thread_exit();
	test_leader_exit();
	test_group_stop_threads();
	test_group_stop_all();
	test_tracer_threads();
	test_many();
	return tap_done();
}
