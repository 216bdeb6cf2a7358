/* ptrace: attaching and detaching, the kinds of stops, signals, events, both ends of the relation. */
#include "tracing.h"
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/resource.h>

static void sleeper(void)
{
	for (;;)
		pause();
}

static void spinner(void)
{
	for (volatile long i = 0;; i++)
		;
}

static void no_op_handler(int sig)
{
}

/* --- TRACEME and signal-delivery stops --- */

static void raises(void)
{
	signal(SIGUSR1, no_op_handler);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR2);
	_exit(7);
}

static void test_traceme(void)
{
	pid_t pid = traced_child(raises);
	siginfo_t si = get_info(pid);

	CHECK(si.si_signo == SIGSTOP && si.si_code == SI_USER && si.si_pid == pid);
	CHECK(state_of(pid) == 't' && tracer_of(pid) == getpid());
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(news(pid) == STOP(SIGUSR1));
	CHECK(trace(PTRACE_CONT, pid, 0, SIGUSR1) == 0);
	CHECK(news(pid) == STOP(SIGUSR2));
	/* Dropped: it would have killed. */
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(news(pid) == 7 << 8);
	CHECK_ERR(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
}

static void test_inject(void)
{
	pid_t pid = traced_child(raises);
	siginfo_t si, back;

	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGUSR1));
	si = get_info(pid);
	si.si_value.sival_int = 4711;
	si.si_code = SI_QUEUE;
	CHECK(trace(PTRACE_SETSIGINFO, pid, 0, (long)&si) == 0);
	back = get_info(pid);
	CHECK(back.si_code == SI_QUEUE && back.si_value.sival_int == 4711);
	/* Another signal instead: its default action. */
	CHECK(trace(PTRACE_CONT, pid, 0, SIGTERM) == 0);
	CHECK(news(pid) == SIGTERM);
	pid = traced_child(raises);
	CHECK_ERR(trace(PTRACE_CONT, pid, 0, 65), EIO);
	CHECK_ERR(trace(0x4321, pid, 0, 0), EIO);
	CHECK_ERR(trace(PTRACE_PEEKUSER, pid, 0, 0), EIO);
	CHECK(state_of(pid) == 't');
	finish(pid);
}

static void ignores(void)
{
	signal(SIGUSR1, SIG_IGN);
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGCHLD);
	_exit(3);
}

/* A tracer sees what is ignored; it stays ignored. */
static void test_ignored(void)
{
	pid_t pid = traced_child(ignores);

	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == STOP(SIGUSR1));
	CHECK(trace(PTRACE_CONT, pid, 0, SIGUSR1) == 0 && news(pid) == STOP(SIGCHLD));
	CHECK(trace(PTRACE_CONT, pid, 0, SIGCHLD) == 0 && news(pid) == 3 << 8);
}

/* --- who may --- */

static void test_refusals(void)
{
	pid_t pid = plain_child(sleeper), other;
	int st;

	CHECK_ERR(trace(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
	CHECK_ERR(trace(PTRACE_ATTACH, 999999, 0, 0), ESRCH);
	CHECK_ERR(trace(PTRACE_ATTACH, 0, 0, 0), ESRCH);
	CHECK_ERR(trace(PTRACE_ATTACH, -1, 0, 0), ESRCH);
	CHECK_ERR(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK_ERR(trace(PTRACE_SEIZE, pid, 1, 0), EIO);
	CHECK_ERR(trace(PTRACE_SEIZE, pid, 0, 0x4000), EIO);
	CHECK(trace(PTRACE_SEIZE, pid, 0, 0) == 0);
	CHECK_ERR(trace(PTRACE_SEIZE, pid, 0, 0), EPERM);
	CHECK_ERR(trace(PTRACE_ATTACH, pid, 0, 0), EPERM);
	/* It runs. */
	CHECK_ERR(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK_ERR(trace(PTRACE_PEEKDATA, pid, 0, 0), ESRCH);
	CHECK_ERR(trace(PTRACE_DETACH, pid, 0, 0), ESRCH);
	CHECK_ERR(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, 0), ESRCH);
	other = fork();
	if (other == 0) {
		_exit(trace(PTRACE_ATTACH, pid, 0, 0) == -1 && errno == EPERM &&
		      trace(PTRACE_CONT, pid, 0, 0) == -1 && errno == ESRCH);
	}
	CHECK(waitpid(other, &st, 0) == other && st == 1 << 8);
	CHECK(trace(PTRACE_KILL, pid, 0, 0) == 0 && news(pid) == SIGKILL);
	/* A zombie. */
	pid = plain_child(raises);
	until_state(pid, 'Z');
	CHECK_ERR(trace(PTRACE_ATTACH, pid, 0, 0), EPERM);
	CHECK_ERR(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK(news(pid) == SIGUSR2);
}

/* 0 if the user @uid may attach to @pid, else errno. */
static int attach_as(uid_t uid, pid_t pid)
{
	pid_t helper = fork();
	int st;

	if (helper == 0) {
		if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
			_exit(99);
		_exit(trace(PTRACE_SEIZE, pid, 0, 0) ? errno : 0);
	}
	waitpid(helper, &st, 0);
	return st >> 8;
}

static void as_user(void)
{
	if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
		_exit(1);
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	prctl(PR_SET_NAME, "ready", 0, 0, 0);
	sleeper();
}

static void as_secret_user(void)
{
	if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
		_exit(1);
	prctl(PR_SET_NAME, "ready", 0, 0, 0);
	sleeper();
}

static void test_permission(void)
{
	pid_t root = plain_child(sleeper), user = plain_child(as_user);
	pid_t secret = plain_child(as_secret_user);

	if (getuid() != 0)
		return;
	until_state(root, 'S');
	until_state(user, 'S');
	until_state(secret, 'S');
	CHECK(attach_as(1000, root) == EPERM);
	CHECK(attach_as(1001, user) == EPERM);
	CHECK(attach_as(1000, user) == 0);
	CHECK(attach_as(1000, secret) == EPERM);
	CHECK(trace(PTRACE_SEIZE, secret, 0, 0) == 0);
	finish(secret);
	finish(user);
	finish(root);
}

/* --- attach, detach, seize --- */

static void test_attach(void)
{
	pid_t pid = plain_child(sleeper);

	until_state(pid, 'S');
	CHECK(trace(PTRACE_ATTACH, pid, 0, 0) == 0);
	CHECK(news(pid) == STOP(SIGSTOP) && tracer_of(pid) == getpid());
	CHECK(trace(PTRACE_DETACH, pid, 0, 0) == 0);
	CHECK(tracer_of(pid) == 0);
	until_state(pid, 'S');
	CHECK(trace(PTRACE_ATTACH, pid, 0, 0) == 0 && news(pid) == STOP(SIGSTOP));
	/* Detach with a signal. */
	CHECK(trace(PTRACE_DETACH, pid, 0, SIGTERM) == 0);
	CHECK(news(pid) == SIGTERM);
	/* One that does nothing but compute. */
	pid = plain_child(spinner);
	CHECK(trace(PTRACE_ATTACH, pid, 0, 0) == 0 && news(pid) == STOP(SIGSTOP));
	finish(pid);
}

/* A stopped process becomes traced without running in between. */
static void test_attach_stopped(void)
{
	pid_t pid = plain_child(sleeper);
	int st;

	kill(pid, SIGSTOP);
	CHECK(waitpid(pid, &st, WUNTRACED) == pid && st == STOP(SIGSTOP));
	CHECK(trace(PTRACE_ATTACH, pid, 0, 0) == 0);
	CHECK(state_of(pid) == 't');
	CHECK(news(pid) == STOP(SIGSTOP));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(news(pid) == STOP(SIGSTOP)); /* what ATTACH sent */
	/* The group is still stopped: so is the thread when nobody traces it. */
	CHECK(trace(PTRACE_DETACH, pid, 0, 0) == 0);
	until_state(pid, 'T');
	CHECK(state_of(pid) == 'T');
	kill(pid, SIGCONT);
	until_state(pid, 'S');
	CHECK(state_of(pid) == 'S');
	finish(pid);
}

static void test_seize(void)
{
	pid_t pid = plain_child(sleeper);
	siginfo_t si;

	until_state(pid, 'S');
	CHECK(trace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD) == 0);
	CHECK(state_of(pid) == 'S');
	CHECK(trace(PTRACE_INTERRUPT, pid, 0, 0) == 0);
	CHECK(news(pid) == GROUP_STOP(SIGTRAP));
	si = get_info(pid);
	CHECK(si.si_signo == SIGTRAP && si.si_code == (SIGTRAP | PTRACE_EVENT_STOP << 8) &&
	      si.si_pid == pid);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	until_state(pid, 'S');
	/* Interrupted twice while it is stopped: one more trap. */
	CHECK(trace(PTRACE_INTERRUPT, pid, 0, 0) == 0 && news(pid) == GROUP_STOP(SIGTRAP));
	CHECK(trace(PTRACE_INTERRUPT, pid, 0, 0) == 0 && trace(PTRACE_INTERRUPT, pid, 0, 0) == 0);
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == GROUP_STOP(SIGTRAP));
	CHECK(trace(PTRACE_DETACH, pid, 0, 0) == 0);
	finish(pid);
	pid = traced_child(sleeper);
	CHECK_ERR(trace(PTRACE_INTERRUPT, pid, 0, 0), EIO);
	CHECK_ERR(trace(PTRACE_LISTEN, pid, 0, 0), EIO);
	finish(pid);
}

/* --- group stops --- */

static void test_group_stop_attached(void)
{
	pid_t pid = traced_child(sleeper);
	siginfo_t si;

	/* The signal-delivery stop, then the group stop. */
	CHECK(trace(PTRACE_CONT, pid, 0, SIGSTOP) == 0);
	CHECK(news(pid) == STOP(SIGSTOP));
	CHECK_ERR(trace(PTRACE_GETSIGINFO, pid, 0, (long)&si), EINVAL);
	/* SIGCONT does not wake it. */
	kill(pid, SIGCONT);
	CHECK(state_of(pid) == 't');
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(news(pid) == STOP(SIGCONT));
	CHECK(trace(PTRACE_CONT, pid, 0, SIGCONT) == 0);
	kill(pid, SIGTSTP);
	CHECK(news(pid) == STOP(SIGTSTP));
	/* Swallowed: no group stop. */
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	until_state(pid, 'S');
	CHECK(state_of(pid) == 'S');
	finish(pid);
}

static void test_group_stop_seized(void)
{
	pid_t pid = plain_child(sleeper);
	siginfo_t si;
	int st;

	until_state(pid, 'S');
	CHECK(trace(PTRACE_SEIZE, pid, 0, 0) == 0);
	kill(pid, SIGSTOP);
	CHECK(news(pid) == STOP(SIGSTOP));
	CHECK_ERR(trace(PTRACE_LISTEN, pid, 0, 0), EIO);
	CHECK(trace(PTRACE_CONT, pid, 0, SIGSTOP) == 0);
	CHECK(news(pid) == GROUP_STOP(SIGSTOP));
	si = get_info(pid);
	CHECK(si.si_signo == SIGSTOP && si.si_code == (SIGSTOP | PTRACE_EVENT_STOP << 8));
	CHECK(trace(PTRACE_LISTEN, pid, 0, 0) == 0);
	/* Listening it is stopped, but not for its tracer. */
	CHECK_ERR(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK(waitpid(pid, &st, WNOHANG | __WALL) == 0);
	kill(pid, SIGCONT);
	CHECK(news(pid) == GROUP_STOP(SIGTRAP));
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(news(pid) == STOP(SIGCONT));
	CHECK(trace(PTRACE_CONT, pid, 0, SIGCONT) == 0);
	/* Stopped, listening, interrupted: it traps again. */
	kill(pid, SIGSTOP);
	CHECK(news(pid) == STOP(SIGSTOP));
	CHECK(trace(PTRACE_CONT, pid, 0, SIGSTOP) == 0 && news(pid) == GROUP_STOP(SIGSTOP));
	CHECK(trace(PTRACE_LISTEN, pid, 0, 0) == 0);
	CHECK(trace(PTRACE_INTERRUPT, pid, 0, 0) == 0 && news(pid) == GROUP_STOP(SIGSTOP));
	CHECK(trace(PTRACE_LISTEN, pid, 0, 0) == 0);
	kill(pid, SIGKILL);
	CHECK(news(pid) == SIGKILL);
}

/* --- death breaks every stop --- */

static void test_kill_in_stops(void)
{
	pid_t pid = traced_child(sleeper);

	kill(pid, SIGKILL);
	CHECK(news(pid) == SIGKILL);
	pid = plain_child(sleeper);
	CHECK(trace(PTRACE_SEIZE, pid, 0, 0) == 0);
	CHECK(trace(PTRACE_INTERRUPT, pid, 0, 0) == 0 && news(pid) == GROUP_STOP(SIGTRAP));
	kill(pid, SIGKILL);
	CHECK(news(pid) == SIGKILL);
	pid = traced_child(sleeper);
	CHECK(trace(PTRACE_KILL, pid, 0, 0) == 0 && news(pid) == SIGKILL);
	/* PTRACE_EVENT_EXIT comes also to the killed, and SIGKILL does not end it. */
	pid = plain_child(sleeper);
	CHECK(trace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEEXIT) == 0);
	kill(pid, SIGKILL);
	CHECK(news(pid) == EVENT(PTRACE_EVENT_EXIT) && get_message(pid) == SIGKILL);
	kill(pid, SIGKILL);
	CHECK(state_of(pid) == 't');
	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0 && news(pid) == SIGKILL);
}

/* --- signals: masks and queues --- */

static void masks(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGUSR1, no_op_handler);
	for (int i = 0; i < 2; i++)
		sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i });
	kill(getpid(), SIGSTOP);
	_exit(0);
}

static void test_signal_state(void)
{
	pid_t pid = traced_child(masks);
	struct __ptrace_peeksiginfo_args args = { 0, PTRACE_PEEKSIGINFO_SHARED, 8 };
	siginfo_t si[8];
	uint64_t mask = 0, all = ~0ull;

	CHECK(trace(PTRACE_CONT, pid, 0, 0) == 0);
	CHECK(news(pid) == STOP(SIGRTMIN) && get_info(pid).si_value.sival_int == 0);
	CHECK(trace(PTRACE_GETSIGMASK, pid, 8, (long)&mask) == 0 && mask == 1ull << (SIGUSR1 - 1));
	CHECK_ERR(trace(PTRACE_GETSIGMASK, pid, 4, (long)&mask), EINVAL);
	/* Everything blocked: what is sent stays where one can see it. */
	CHECK(trace(PTRACE_SETSIGMASK, pid, 8, (long)&all) == 0);
	CHECK(trace(PTRACE_GETSIGMASK, pid, 8, (long)&mask) == 0 &&
	      mask == (all & ~(1ull << (SIGKILL - 1)) & ~(1ull << (SIGSTOP - 1))));
	for (int i = 10; i < 14; i++)
		sigqueue(pid, SIGRTMIN + 1, (union sigval){ .sival_int = i });
	CHECK(trace(PTRACE_PEEKSIGINFO, pid, (long)&args, (long)si) == 4);
	CHECK(si[0].si_value.sival_int == 10 && si[3].si_value.sival_int == 13 &&
	      si[3].si_pid == getpid() && si[3].si_signo == SIGRTMIN + 1);
	args.off = 3;
	CHECK(trace(PTRACE_PEEKSIGINFO, pid, (long)&args, (long)si) == 1 &&
	      si[0].si_value.sival_int == 13);
	args.off = 9;
	CHECK(trace(PTRACE_PEEKSIGINFO, pid, (long)&args, (long)si) == 0);
	args = (struct __ptrace_peeksiginfo_args){ 0, 0, 8 };
	CHECK(trace(PTRACE_PEEKSIGINFO, pid, (long)&args, (long)si) == 0);
	args.flags = 2;
	CHECK_ERR(trace(PTRACE_PEEKSIGINFO, pid, (long)&args, (long)si), EINVAL);
	args = (struct __ptrace_peeksiginfo_args){ 0, 0, -1 };
	CHECK_ERR(trace(PTRACE_PEEKSIGINFO, pid, (long)&args, (long)si), EINVAL);
	CHECK_ERR(trace(PTRACE_PEEKSIGINFO, pid, 8, (long)si), EFAULT);
	finish(pid);
}

/* --- what the tracer's own SIGCHLD says --- */

static void test_sigchld(void)
{
	sigset_t set, old;
	siginfo_t si;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	pid = traced_child(raises);
	memset(&si, 0, sizeof(si));
	CHECK(sigwaitinfo(&set, &si) == SIGCHLD && si.si_code == CLD_TRAPPED &&
	      si.si_status == SIGSTOP && si.si_pid == pid);
	trace(PTRACE_CONT, pid, 0, 0);
	memset(&si, 0, sizeof(si));
	CHECK(waitid(P_PID, pid, &si, WSTOPPED | WNOWAIT) == 0 && si.si_code == CLD_TRAPPED &&
	      si.si_status == SIGUSR1 && si.si_pid == pid);
	CHECK(waitid(P_PID, pid, &si, WSTOPPED) == 0 && si.si_status == SIGUSR1);
	si.si_pid = 0;
	CHECK(waitid(P_PID, pid, &si, WSTOPPED | WNOHANG) == 0 && si.si_pid == 0);
	finish(pid);
	while (sigtimedwait(&set, NULL, &(struct timespec){ 0, 0 }) > 0)
		;
	sigprocmask(SIG_SETMASK, &old, NULL);
}

/* --- the tracer's end --- */

/* Status of a child of ours whose tracer, another process, ended with @options. */
static void tracer_ends(int options, int interrupt, pid_t *tracee)
{
	pid_t pid = plain_child(sleeper), tracer;
	int st;

	until_state(pid, 'S');
	tracer = fork();
	if (tracer == 0) {
		if (trace(PTRACE_SEIZE, pid, 0, options))
			_exit(1);
		if (interrupt && (trace(PTRACE_INTERRUPT, pid, 0, 0) ||
				  waitpid(pid, &st, __WALL) != pid || !WIFSTOPPED(st)))
			_exit(2);
		_exit(0);
	}
	CHECK(waitpid(tracer, &st, 0) == tracer && st == 0);
	*tracee = pid;
}

static void test_tracer_exit(void)
{
	pid_t pid;

	tracer_ends(0, 0, &pid);
	CHECK(tracer_of(pid) == 0);
	finish(pid);
	/* One that is stopped goes on. */
	tracer_ends(0, 1, &pid);
	until_state(pid, 'S');
	CHECK(tracer_of(pid) == 0 && state_of(pid) == 'S');
	finish(pid);
	tracer_ends(PTRACE_O_EXITKILL, 0, &pid);
	CHECK(news(pid) == SIGKILL);
	tracer_ends(PTRACE_O_EXITKILL, 1, &pid);
	CHECK(news(pid) == SIGKILL);
}

/* A zombie is its tracer's first, then its parent's. */
static void test_zombie_passes(void)
{
	pid_t pid = plain_child(sleeper), tracer;
	int st, ready[2], go[2];
	char c;

	CHECK(pipe(ready) == 0 && pipe(go) == 0);
	until_state(pid, 'S');
	tracer = fork();
	if (tracer == 0) {
		trace(PTRACE_SEIZE, pid, 0, 0);
		if (write(ready[1], "x", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(1);
		_exit(waitpid(pid, &st, __WALL) == pid && st == SIGTERM ? 0 : 2);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	kill(pid, SIGTERM);
	until_state(pid, 't');
	/* Its tracer sees the signal first, and ends without having waited... */
	CHECK(waitpid(pid, &st, WNOHANG) == 0);
	kill(tracer, SIGKILL);
	CHECK(waitpid(tracer, &st, 0) == tracer);
	/* ... which lets the signal through. */
	CHECK(news(pid) == SIGTERM);
	pid = plain_child(sleeper);
	tracer = fork();
	if (tracer == 0) {
		trace(PTRACE_SEIZE, pid, 0, 0);
		if (write(ready[1], "x", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(1);
		_exit(waitpid(pid, &st, __WALL) == pid && st == SIGKILL ? 0 : 2);
	}
	CHECK(read(ready[0], &c, 1) == 1);
	kill(pid, SIGKILL);
	until_state(pid, 'Z');
	CHECK(waitpid(pid, &st, WNOHANG) == 0);
	CHECK(write(go[1], "x", 1) == 1);
	CHECK(waitpid(tracer, &st, 0) == tracer && st == 0);
	CHECK(news(pid) == SIGKILL);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

/* TRACEME of a process whose parent ends. */
static void test_traceme_orphan(void)
{
	int p[2], st;
	char c = 0;
	pid_t mid;

	CHECK(pipe(p) == 0);
	mid = fork();
	if (mid == 0) {
		if (fork() == 0) {
			trace(PTRACE_TRACEME, 0, 0, 0);
			kill(getpid(), SIGSTOP);
			_exit(write(p[1], "y", 1) != 1);
		}
		waitpid(-1, &st, __WALL);
		_exit(0);
	}
	CHECK(waitpid(mid, &st, 0) == mid && st == 0);
	CHECK(read(p[0], &c, 1) == 1 && c == 'y');
	close(p[0]);
	close(p[1]);
}

int main(void)
{
	alarm(TAP_LIMIT);
	test_traceme();
	test_inject();
	test_ignored();
	test_refusals();
	test_permission();
	test_attach();
	test_attach_stopped();
	test_seize();
	test_group_stop_attached();
	test_group_stop_seized();
	test_kill_in_stops();
	test_signal_state();
	test_sigchld();
	test_tracer_exit();
	test_zombie_passes();
	test_traceme_orphan();
	return tap_done();
}
