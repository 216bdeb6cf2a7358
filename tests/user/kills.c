/*
 * Whom kill(2) reaches: groups, everybody, threads by number, zombies, init; SIGCONT within the
 * session. What execve(2) leaves of signals and timers; fork(2) while signals come. Runs as root.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "in_child.h"
#include "tap.h"

static char self_path[256];

static pid_t sleeper(void)
{
	pid_t p = fork();

	if (p == 0)
		for (;;)
			pause();
	return p;
}

static int ended_by(pid_t p)
{
	int st;

	return waitpid(p, &st, 0) == p && WIFSIGNALED(st) ? WTERMSIG(st) : 0;
}

/* A child in the group @group, 0: its own. */
static pid_t member(pid_t group)
{
	pid_t p = sleeper();

	if (p > 0 && setpgid(p, group))
		kill(p, SIGKILL);
	return p;
}

static void test_groups(void)
{
	pid_t a = member(0), b = member(a), other = member(0);
	int st;

	CHECK(!kill(-a, 0) && !kill(-a, SIGTERM));
	CHECK(ended_by(a) == SIGTERM && ended_by(b) == SIGTERM);
	CHECK(waitpid(other, &st, WNOHANG) == 0);
	CHECK_ERR(kill(-a, 0), ESRCH); /* nobody is left */
	CHECK_ERR(kill(-0x7fffffff - 1, 0), ESRCH);
	CHECK(!kill(other, SIGKILL) && ended_by(other) == SIGKILL);
}

/* All processes of a user that has no others; not who calls. */
static int kill_mine(void)
{
	pid_t a, b;

	if (setresgid(4343, 4343, 4343) || setresuid(4343, 4343, 4343))
		return 1;
	a = sleeper();
	b = sleeper();
	if (kill(-1, SIGTERM))
		return 2;
	return ended_by(a) == SIGTERM && ended_by(b) == SIGTERM ? 0 : 3;
}

static volatile int told;
static volatile pid_t thread;

static void on_told(int sig)
{
	told++;
}

static void *sits(void *arg)
{
	thread = gettid();
	while (!told)
		usleep(1000);
	return arg;
}

static void test_numbers(void)
{
	pthread_t t;
	siginfo_t si;
	pid_t z = fork();

	if (z == 0)
		_exit(0);
	CHECK(!waitid(P_PID, (id_t)z, &si, WEXITED | WNOWAIT));
	CHECK(!kill(z, 0) && !kill(z, SIGKILL) && !syscall(SYS_tgkill, z, z, SIGTERM));
	CHECK_ERR(kill(z, 65), EINVAL);
	CHECK(waitpid(z, NULL, 0) == z);
	CHECK_ERR(kill(z, 0), ESRCH);
	signal(SIGUSR1, on_told);
	REQUIRE(!pthread_create(&t, NULL, sits, NULL));
	CHECK(EVENTUALLY(thread) && !kill(thread, SIGUSR1));
	pthread_join(t, NULL);
	CHECK(told == 1);
	/* init is not harmed by what it has no handler for */
	CHECK(!kill(1, SIGKILL) && !kill(1, SIGSTOP) && !kill(1, 0));
	CHECK(task_state(1, 1) != 'T' && task_state(1, 1) != 'Z');
	signal(SIGUSR1, SIG_DFL);
}

/* A stranger may only let who is in the session go on. */
static int stranger(void)
{
	pid_t p = fork();

	if (p == 0) {
		if (setresuid(1000, 1000, 1000))
			_exit(1);
		for (;;)
			pause();
	}
	if (!EVENTUALLY(is_asleep(p)) || setresuid(1001, 1001, 1001))
		return 1;
	if (kill(p, SIGCONT) || kill(p, 0) != -1 || errno != EPERM || kill(p, SIGTERM) != -1)
		return 2;
	if (setsid() < 0 || kill(p, SIGCONT) != -1 || errno != EPERM)
		return 3;
	return 0;
}

/* --- exec --- */

static void nothing(int sig)
{
}

/* With a mask, something pending, handlers, an alternate stack, timers: the program again. */
static int exec_with_state(void)
{
	char *args[] = { "x", "state", NULL }, *env[] = { NULL };
	static char stack[65536];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigevent ev = { .sigev_notify = SIGEV_NONE };
	struct itimerval it = { .it_value.tv_sec = TAP_LONG };
	sigset_t set;
	int id;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGRTMIN + 3);
	if (sigprocmask(SIG_SETMASK, &set, NULL) || sigaltstack(&ss, NULL) ||
	    syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id) || id ||
	    setitimer(ITIMER_REAL, &it, NULL))
		return 1;
	signal(SIGUSR1, nothing);
	signal(SIGUSR2, nothing);
	signal(SIGHUP, SIG_IGN);
	raise(SIGUSR1);
	sigqueue(getpid(), SIGRTMIN + 3, (union sigval){ .sival_int = 77 });
	execve(self_path, args, env);
	return 2;
}

static int handler_is(int sig, void (*what)(int))
{
	struct sigaction a;

	return !sigaction(sig, NULL, &a) && a.sa_handler == what && !a.sa_flags;
}

/* What that finds. */
static int role_of_state(void)
{
	struct timespec none = { 0, 0 };
	struct itimerspec its;
	struct itimerval it;
	sigset_t set, pending;
	siginfo_t si;
	stack_t ss;

	if (sigprocmask(SIG_BLOCK, NULL, &set) || sigpending(&pending))
		return 1;
	if (!sigismember(&set, SIGUSR1) || !sigismember(&set, SIGRTMIN + 3) ||
	    sigismember(&set, SIGUSR2))
		return 2;
	if (!sigismember(&pending, SIGUSR1) || sigtimedwait(&set, &si, &none) != SIGUSR1 ||
	    sigtimedwait(&set, &si, &none) != SIGRTMIN + 3 || si.si_int != 77)
		return 3;
	if (!handler_is(SIGUSR1, SIG_DFL) || !handler_is(SIGUSR2, SIG_DFL) ||
	    !handler_is(SIGHUP, SIG_IGN))
		return 4;
	if (sigaltstack(NULL, &ss) || ss.ss_flags != SS_DISABLE)
		return 5;
	if (syscall(SYS_timer_gettime, 0, &its) != -1 || errno != EINVAL)
		return 6;
	return getitimer(ITIMER_REAL, &it) || it.it_value.tv_sec < TAP_LONG / 2 ? 7 : 0;
}

/* --- fork --- */

/* fork(2) begins again by itself: no EINTR. */
static void test_fork_among_signals(void)
{
	struct itimerval often = { { 0, 300 }, { 0, 300 } }, off = { { 0, 0 }, { 0, 0 } };
	int bad = 0, st;
	pid_t p;

	told = 0;
	signal(SIGALRM, on_told);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 2000 && (i < 50 || told < 20); i++) {
		p = fork();
		if (p == 0)
			_exit(0);
		if (p < 0)
			bad++;
		while (p > 0 && waitpid(p, &st, 0) != p)
			;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	CHECK(told && !bad);
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self_path, sizeof(self_path) - 1);

	if (n < 0)
		strcpy(self_path, argv[0]);
	if (argc > 1)
		return role_of_state();
	if (getuid()) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	alarm(TAP_LIMIT);
	test_groups();
	CHECK(in_child(kill_mine) == 0);
	test_numbers();
	CHECK(in_child(stranger) == 0);
	CHECK(in_child(exec_with_state) == 0);
	test_fork_among_signals();
	return tap_done();
}
