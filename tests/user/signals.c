/* signal(7): delivery, masks, queues, siginfo, stacks, restarts, stops, waiting. */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <setjmp.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "tap.h"

static volatile int count, order[16], nested, last_sig;
static siginfo_t last;
static volatile char *stack_seen;
static sigjmp_buf jump;

static void set(int sig, void (*fn)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = fn, .sa_flags = SA_SIGINFO | flags };

	sigaction(sig, &sa, NULL);
}

static void on_sig(int sig, siginfo_t *si, void *uc)
{
	char here;

	stack_seen = &here;
	last = *si;
	last_sig = sig;
	if (count < 16)
		order[count] = sig * 1000 + si->si_value.sival_int;
	count++;
}

static void block(int how, int sig)
{
	sigset_t s;

	sigemptyset(&s);
	sigaddset(&s, sig);
	sigprocmask(how, &s, NULL);
}

static void test_basics(void)
{
	union sigval v = { .sival_int = 7 };
	sigset_t pend;

	set(SIGUSR1, on_sig, 0);
	CHECK(!kill(getpid(), SIGUSR1) && count == 1 && last.si_code == SI_USER &&
	      last.si_pid == getpid() && last.si_uid == getuid());
	CHECK(!syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1) && count == 2 &&
	      last.si_code == SI_TKILL);
	CHECK(!sigqueue(getpid(), SIGUSR1, v) && count == 3 && last.si_code == SI_QUEUE &&
	      last.si_int == 7);
	block(SIG_BLOCK, SIGUSR1);
	raise(SIGUSR1);
	raise(SIGUSR1);
	CHECK(count == 3 && !sigpending(&pend) && sigismember(&pend, SIGUSR1));
	block(SIG_UNBLOCK, SIGUSR1);
	CHECK(count == 4);
	CHECK_ERR(kill(getpid(), 65), EINVAL);
	CHECK_ERR(kill(999999, 0), ESRCH);
	CHECK(!kill(getpid(), 0));
	CHECK_ERR(syscall(SYS_tgkill, 0, gettid(), 0), EINVAL);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), 999999, 0), ESRCH);
	struct sigaction sa = { .sa_handler = SIG_IGN };
	CHECK_ERR(sigaction(SIGKILL, &sa, NULL), EINVAL);
	CHECK_ERR(sigaction(SIGSTOP, &sa, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, NULL, 4), EINVAL);
	block(SIG_BLOCK, SIGUSR2);
	raise(SIGUSR2);
	signal(SIGUSR2, SIG_IGN);
	CHECK(!sigpending(&pend) && !sigismember(&pend, SIGUSR2));
	block(SIG_UNBLOCK, SIGUSR2);
}

static void test_realtime(void)
{
	union sigval v;
	int r = SIGRTMIN;

	set(r, on_sig, 0);
	set(r + 1, on_sig, 0);
	block(SIG_BLOCK, r);
	block(SIG_BLOCK, r + 1);
	v.sival_int = 1;
	sigqueue(getpid(), r + 1, v);
	for (int i = 2; i < 5; i++) {
		v.sival_int = i;
		sigqueue(getpid(), r, v);
	}
	count = 0;
	sigset_t none, old;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, &old);
	CHECK(count == 4);
	/*
	 * The lower number is delivered first, so its frames lie below and run last; each queue is
	 * in order.
	 */
	int first_r = -1, last_r = -1;
	for (int i = 0; i < 4; i++) {
		if (order[i] / 1000 == r) {
			if (first_r < 0)
				first_r = order[i] % 1000;
			last_r = order[i] % 1000;
		}
	}
	CHECK((first_r == 2 && last_r == 4) || (first_r == 4 && last_r == 2));
}

/* Numbers that the C library keeps for itself: its sigaction(2) refuses them. */
struct raw_action {
	void (*handler)(int, siginfo_t *, void *);
	unsigned long flags, restorer, mask;
};

static long set_raw(int sig, void (*fn)(int, siginfo_t *, void *))
{
	struct raw_action a = { fn, SA_SIGINFO, 0, 0 };

	return syscall(SYS_rt_sigaction, sig, &a, NULL, 8);
}

/* What was heard of @sig is from this process and of @code, with @value if that has one. */
static int heard(int n, int sig, int code, int value)
{
	if (count == n && last_sig == sig && last.si_signo == sig && last.si_code == code &&
	    last.si_pid == getpid() && last.si_uid == getuid() && !last.si_errno &&
	    last.si_value.sival_int == value)
		return 1;
	printf("# signal %d: %d heard, last %d code %d value %d\n", sig, count, last_sig,
	       last.si_code, last.si_value.sival_int);
	return 0;
}

/* Each of the 64 is handled, by whichever call it was sent, with what that call says of it. */
static void all_numbers(void)
{
	siginfo_t si;
	int good = 0;

	for (int sig = 1; sig <= 64; sig++) {
		if (sig == SIGKILL || sig == SIGSTOP) {
			good += set_raw(sig, on_sig) == -1 && errno == EINVAL;
			continue;
		}
		memset(&si, 0, sizeof(si));
		si.si_signo = sig;
		si.si_code = -60; /* one's own */
		si.si_pid = getpid();
		si.si_uid = getuid();
		si.si_value.sival_int = 1000 + sig;
		count = 0;
		memset(&last, 0, sizeof(last));
		if (set_raw(sig, on_sig))
			break;
		good += !kill(getpid(), sig) && heard(1, sig, SI_USER, 0) &&
			!syscall(SYS_tkill, gettid(), sig) && heard(2, sig, SI_TKILL, 0) &&
			!syscall(SYS_tgkill, getpid(), gettid(), sig) &&
			heard(3, sig, SI_TKILL, 0) &&
			!syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), sig, &si) &&
			heard(4, sig, -60, 1000 + sig) &&
			!syscall(SYS_rt_sigqueueinfo, getpid(), sig, &si) &&
			heard(5, sig, -60, 1000 + sig);
	}
	CHECK(good == 64);
}

static int queue_info(pid_t tid, int sig, int code)
{
	siginfo_t si = { 0 };

	si.si_code = code;
	return (int)syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, sig, &si);
}

/* A child does it: the handlers stay. */
static void test_all_numbers(void)
{
	int st;
	pid_t p = fork();

	if (!p) {
		all_numbers();
		/* To a thread of one's own any code may be told; to another process not. */
		CHECK(!queue_info(gettid(), SIGUSR1, SI_USER) && last.si_code == SI_USER);
		CHECK_ERR(queue_info(getppid(), SIGUSR1, SI_QUEUE), ESRCH);
		CHECK_ERR(syscall(SYS_tkill, 0, SIGUSR1), EINVAL);
		_exit(0);
	}
	CHECK(waitpid(p, &st, 0) == p && st == 0);
}

enum { ENDS, CORE, STOPS, IGNORED };

/* signal(7), "Standard signals"; a real-time signal ends the process. */
static int default_action(int sig)
{
	switch (sig) {
	case SIGQUIT:
	case SIGILL:
	case SIGTRAP:
	case SIGABRT:
	case SIGBUS:
	case SIGFPE:
	case SIGSEGV:
	case SIGSYS:
	case SIGXCPU:
	case SIGXFSZ: return CORE;
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU: return STOPS;
	case SIGCHLD:
	case SIGCONT:
	case SIGURG:
	case SIGWINCH: return IGNORED;
	}
	return ENDS;
}

/*
 * What a child with every action as at the start does when it is sent @sig. Its group is its own,
 * with a parent outside in the session: not orphaned, so terminal stops count.
 */
static int action_taken(int sig, int *seen)
{
	int ready[2], st = 0, what;
	char c;
	pid_t p;

	if (pipe(ready))
		return -1;
	p = fork();
	if (!p) {
		struct raw_action a = { NULL, 0, 0, 0 };
		sigset_t none;

		setpgid(0, 0);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		for (int i = 1; i <= 64; i++)
			syscall(SYS_rt_sigaction, i, &a, NULL, 8);
		write(ready[1], "r", 1);
		syscall(SYS_tgkill, getpid(), gettid(), sig);
		_exit(42); /* ignored */
	}
	read(ready[0], &c, 1);
	close(ready[0]);
	close(ready[1]);
	if (waitpid(p, &st, WUNTRACED) != p)
		return -1;
	*seen = WIFSTOPPED(st) ? WSTOPSIG(st) : WIFSIGNALED(st) ? WTERMSIG(st) : sig;
	what = WIFSTOPPED(st)				? STOPS
	       : WIFEXITED(st) && WEXITSTATUS(st) == 42 ? IGNORED
	       : WIFSIGNALED(st) && WCOREDUMP(st)	? CORE
	       : WIFSIGNALED(st)			? ENDS
							: -1;
	if (what == STOPS) {
		kill(p, SIGKILL);
		waitpid(p, &st, 0);
	}
	return what;
}

/* waitid(2) tells of a core apart. */
static int dump_is_told(void)
{
	siginfo_t si = { 0 };
	pid_t p = fork();

	if (!p)
		abort();
	return !waitid(P_PID, (id_t)p, &si, WEXITED) && si.si_code == CLD_DUMPED &&
	       si.si_status == SIGABRT && si.si_pid == p;
}

static void test_default_actions(void)
{
	char dir[] = "/tmp/signals.XXXXXX";
	struct rlimit was, all;
	int good = 0;

	/* The wait status tells of a core only when one could be written. */
	REQUIRE(mkdtemp(dir) && !chdir(dir) && !getrlimit(RLIMIT_CORE, &was));
	all = (struct rlimit){ was.rlim_max, was.rlim_max };
	CHECK(!setrlimit(RLIMIT_CORE, &all));
	for (int sig = 1; sig <= 64; sig++) {
		int seen = 0, what = action_taken(sig, &seen);

		if (what == default_action(sig) && seen == sig)
			good++;
		else
			printf("# signal %d: action %d, seen as %d\n", sig, what, seen);
	}
	CHECK(good == 64);
	CHECK(dump_is_told());
	CHECK(!setrlimit(RLIMIT_CORE, &was) && !unlink("core") && !chdir("/") && !rmdir(dir));
}

static volatile int inside, deepest; /* handlers that run in one another */

static void nest(int sig, siginfo_t *si, void *uc)
{
	int depth = ++inside;

	nested++;
	deepest = depth > deepest ? depth : deepest;
	if (nested == 1)
		raise(sig);
	inside--;
}

static void test_flags(void)
{
	struct sigaction sa;
	stack_t ss = { .ss_sp = malloc(SIGSTKSZ * 4), .ss_size = SIGSTKSZ * 4 }, old;

	nested = deepest = 0;
	set(SIGUSR1, nest, 0);
	raise(SIGUSR1);
	CHECK(nested == 2 && deepest == 1);
	nested = deepest = 0;
	set(SIGUSR1, nest, SA_NODEFER);
	raise(SIGUSR1);
	CHECK(nested == 2 && deepest == 2);
	set(SIGUSR1, on_sig, SA_RESETHAND);
	raise(SIGUSR1);
	CHECK(!sigaction(SIGUSR1, NULL, &sa) && sa.sa_handler == SIG_DFL);
	CHECK(!sigaltstack(&ss, &old) && (old.ss_flags & SS_DISABLE));
	set(SIGUSR1, on_sig, SA_ONSTACK);
	raise(SIGUSR1);
	CHECK(stack_seen > (char *)ss.ss_sp && stack_seen < (char *)ss.ss_sp + ss.ss_size);
	CHECK(!sigaltstack(NULL, &old) && old.ss_sp == ss.ss_sp && !old.ss_flags);
	ss.ss_size = 100;
	CHECK_ERR(sigaltstack(&ss, NULL), ENOMEM);
	ss.ss_size = SIGSTKSZ * 4;
	ss.ss_flags = 5;
	CHECK_ERR(sigaltstack(&ss, NULL), EINVAL);
	ss.ss_flags = SS_DISABLE;
	CHECK(!sigaltstack(&ss, NULL));
}

#define AUTODISARM (1u << 31)

static stack_t in_handler, other_stack;
static int other_taken;

static void on_stack(int sig, siginfo_t *si, void *uc)
{
	sigaltstack(NULL, &in_handler);
	other_taken = !sigaltstack(&other_stack, NULL) ? 1 : -errno;
}

/* SS_AUTODISARM: within its handler the stack is none, and may be another; afterwards it is back. */
static void test_autodisarm(void)
{
	const size_t size = SIGSTKSZ * 4;
	stack_t ss = { .ss_sp = malloc(size), .ss_size = size }, now;

	other_stack = (stack_t){ .ss_sp = malloc(size), .ss_size = size };
	set(SIGUSR1, on_stack, SA_ONSTACK);
	for (int i = 0; i < 2; i++) {
		int flags = i ? (int)AUTODISARM : 0;

		ss.ss_flags = flags;
		CHECK(!sigaltstack(&ss, NULL) && !raise(SIGUSR1));
		if (i)
			CHECK(in_handler.ss_flags == SS_DISABLE && other_taken == 1);
		else
			CHECK(in_handler.ss_flags == SS_ONSTACK && in_handler.ss_sp == ss.ss_sp &&
			      other_taken == -EPERM);
		CHECK(!sigaltstack(NULL, &now) && now.ss_sp == ss.ss_sp && now.ss_size == size &&
		      now.ss_flags == flags);
	}
	ss.ss_flags = SS_DISABLE;
	CHECK(!sigaltstack(&ss, NULL));
	free(ss.ss_sp);
	free(other_stack.ss_sp);
}

static void on_fault(int sig, siginfo_t *si, void *uc)
{
	last = *si;
	siglongjmp(jump, sig);
}

static volatile int sink;
static volatile int *volatile low = (int *)16; /* unmapped */

static void test_faults(void)
{
	char *ro = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int sig;

	set(SIGSEGV, on_fault, 0);
	set(SIGILL, on_fault, 0);
	set(SIGBUS, on_fault, 0);
	set(SIGTRAP, on_fault, 0);
	sig = sigsetjmp(jump, 1);
	if (!sig)
		*low = 1;
	CHECK(sig == SIGSEGV && last.si_code == SEGV_MAPERR && last.si_addr == (void *)16);
	sig = sigsetjmp(jump, 1);
	if (!sig)
		*(volatile char *)(ro + 8) = 1;
	CHECK(sig == SIGSEGV && last.si_code == SEGV_ACCERR && last.si_addr == ro + 8);
	sig = sigsetjmp(jump, 1);
	if (!sig)
		__asm__ volatile(".inst 0x00000000");
	CHECK(sig == SIGILL && last.si_code == ILL_ILLOPC);
	sig = sigsetjmp(jump, 1);
	if (!sig)
		__asm__ volatile("brk #0");
	CHECK(sig == SIGTRAP && last.si_code == TRAP_BRKPT);
	sig = sigsetjmp(jump, 1);
	if (!sig)
		((void (*)(void))ro)();
	CHECK(sig == SIGSEGV && last.si_code == SEGV_ACCERR && last.si_addr == ro);
	FILE *f = tmpfile();
	char *m = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fileno(f), 0);
	sig = sigsetjmp(jump, 1);
	if (!sig)
		sink = *(volatile char *)m;
	CHECK(sig == SIGBUS && last.si_code == BUS_ADRERR && last.si_addr == m);
	pid_t p = fork();
	int st;
	if (p == 0) {
		block(SIG_BLOCK, SIGSEGV);
		*low = 1;
		_exit(0);
	}
	CHECK(waitpid(p, &st, 0) == p && WIFSIGNALED(st) && WTERMSIG(st) == SIGSEGV);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGILL, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	signal(SIGTRAP, SIG_DFL);
	munmap(ro, 4096);
}

/*
 * Alarms from now on, again and again: one may come before the call that it is to interrupt. 0: no
 * more.
 */
static void alarm_in(int us)
{
	struct itimerval it = { .it_value.tv_usec = us, .it_interval.tv_usec = us };

	setitimer(ITIMER_REAL, &it, NULL);
}

static volatile int alarms;

static int told[2];

/* The second one lets the interrupted read end. */
static void on_counted(int sig, siginfo_t *si, void *uc)
{
	if (++alarms == 2 && write(told[1], "x", 1) != 1)
		_exit(99);
}

static void test_restart(void)
{
	int *p = told;
	char c;
	struct timespec ts = { TAP_LONG, 0 }, left;

	REQUIRE(!pipe(p));
	set(SIGALRM, on_sig, 0);
	alarm_in(10000);
	CHECK_ERR(read(p[0], &c, 1), EINTR);
	alarm_in(0);
	set(SIGALRM, on_counted, SA_RESTART);
	alarm_in(10000);
	CHECK(read(p[0], &c, 1) == 1 && c == 'x' && alarms >= 2);
	alarm_in(0);
	alarm_in(10000);
	CHECK_ERR(nanosleep(&ts, &left), EINTR);
	CHECK(left.tv_sec < TAP_LONG && left.tv_sec > TAP_LONG / 2 && left.tv_nsec > 0);
	CHECK_ERR(pause(), EINTR);
	alarm_in(0);
	/* A stop and a continuation are not seen by a sleeping call. */
	pid_t k = fork();
	int st;
	if (k == 0)
		_exit(read(p[0], &c, 1) == 1 && c == 'y' ? 0 : 1);
	CHECK(EVENTUALLY(is_asleep(k)));
	kill(k, SIGSTOP);
	CHECK(waitpid(k, &st, WUNTRACED) == k && WIFSTOPPED(st));
	kill(k, SIGCONT);
	CHECK(EVENTUALLY(is_asleep(k)));
	write(p[1], "y", 1);
	CHECK(waitpid(k, &st, 0) == k && st == 0);
	close(p[0]);
	close(p[1]);
}

static void test_wait(void)
{
	sigset_t s, none;
	siginfo_t si;
	struct timespec ts = { 0, 10000000 };
	union sigval v = { .sival_int = 99 };

	sigemptyset(&none);
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	sigaddset(&s, SIGRTMIN + 2);
	sigprocmask(SIG_BLOCK, &s, NULL);
	CHECK_ERR(sigtimedwait(&s, &si, &ts), EAGAIN);
	sigqueue(getpid(), SIGRTMIN + 2, v);
	CHECK(sigwaitinfo(&s, &si) == SIGRTMIN + 2 && si.si_int == 99 && si.si_code == SI_QUEUE);
	pid_t me = getpid();
	if (fork() == 0) {
		EVENTUALLY(is_asleep(me));
		kill(me, SIGUSR1);
		_exit(0);
	}
	CHECK(sigwaitinfo(&s, &si) == SIGUSR1 && si.si_code == SI_USER);
	wait(NULL);
	set(SIGUSR1, on_sig, 0);
	count = 0;
	raise(SIGUSR1);
	CHECK_ERR(sigsuspend(&none), EINTR);
	CHECK(count == 1);
	sigset_t now;
	CHECK(!sigprocmask(SIG_BLOCK, NULL, &now) && sigismember(&now, SIGUSR1));
	set(SIGALRM, on_sig, 0);
	alarm_in(10000);
	/* A C library may hide this EINTR. */
	CHECK_ERR(syscall(SYS_rt_sigtimedwait, &s, &si, NULL, 8), EINTR);
	alarm_in(0);
	sigprocmask(SIG_UNBLOCK, &s, NULL);
}

static volatile int chld_code, chld_status, chlds;

static void on_chld(int sig, siginfo_t *si, void *uc)
{
	chld_code = si->si_code;
	chld_status = si->si_status;
	chlds++;
}

static void test_job_control(void)
{
	sigset_t none;
	int st;
	pid_t p;

	sigemptyset(&none);
	set(SIGCHLD, on_chld, SA_RESTART);
	p = fork();
	if (p == 0)
		for (;;)
			pause();
	block(SIG_BLOCK, SIGCHLD);
	kill(p, SIGSTOP);
	while (!chlds)
		sigsuspend(&none);
	block(SIG_UNBLOCK, SIGCHLD);
	CHECK(chld_code == CLD_STOPPED && chld_status == SIGSTOP);
	CHECK(waitpid(p, &st, WUNTRACED) == p && WIFSTOPPED(st) && WSTOPSIG(st) == SIGSTOP);
	kill(p, SIGTERM);
	CHECK(waitpid(p, &st, WNOHANG) == 0);
	kill(p, SIGCONT);
	CHECK(waitpid(p, &st, WCONTINUED) == p);
	if (WIFCONTINUED(st))
		CHECK(waitpid(p, &st, 0) == p);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGTERM);
	p = fork();
	if (p == 0)
		for (;;)
			pause();
	kill(p, SIGSTOP);
	waitpid(p, &st, WUNTRACED);
	kill(p, SIGKILL);
	CHECK(waitpid(p, &st, 0) == p && WTERMSIG(st) == SIGKILL);
	set(SIGCHLD, on_chld, SA_NOCLDSTOP | SA_RESTART);
	p = fork();
	if (p == 0)
		for (;;)
			pause();
	chlds = 0;
	kill(p, SIGSTOP);
	waitpid(p, &st, WUNTRACED);
	CHECK(chlds == 0);
	kill(p, SIGKILL);
	waitpid(p, &st, 0);
	CHECK(chlds == 1 && chld_code == CLD_KILLED && chld_status == SIGKILL);
	signal(SIGCHLD, SIG_DFL);
}

/* Whether SIGCHLD is pending, blocked, after a child has stopped, gone on and stopped again. */
static int stop_is_told(void (*action)(int))
{
	sigset_t now;
	int st;
	pid_t p;

	signal(SIGCHLD, action);
	block(SIG_BLOCK, SIGCHLD);
	p = fork();
	if (p == 0)
		for (;;)
			raise(SIGSTOP);
	CHECK(waitpid(p, &st, WUNTRACED) == p && WIFSTOPPED(st));
	kill(p, SIGCONT);
	CHECK(waitpid(p, &st, WUNTRACED) == p && WIFSTOPPED(st));
	CHECK(!sigpending(&now));
	kill(p, SIGKILL);
	while (waitpid(p, &st, 0) == p)
		;
	signal(SIGCHLD, SIG_IGN); /* what is pending goes */
	block(SIG_UNBLOCK, SIGCHLD);
	signal(SIGCHLD, SIG_DFL);
	return sigismember(&now, SIGCHLD);
}

static pthread_t main_thread;
static volatile pthread_t got_in;
static sem_t came;

static void on_thread(int sig)
{
	got_in = pthread_self();
	sem_post(&came);
}

static void *thread_unblocked(void *arg)
{
	while (sem_wait(&came))
		;
	return NULL;
}

static void test_threads(void)
{
	pthread_t t;

	sem_init(&came, 0, 0);
	signal(SIGUSR2, on_thread);
	pthread_create(&t, NULL, thread_unblocked, NULL);
	block(SIG_BLOCK, SIGUSR2);
	kill(getpid(), SIGUSR2);
	pthread_join(t, NULL);
	CHECK(got_in == t);
	got_in = 0;
	block(SIG_UNBLOCK, SIGUSR2);
	pthread_create(&t, NULL, thread_unblocked, NULL);
	pthread_kill(t, SIGUSR2);
	pthread_join(t, NULL);
	CHECK(got_in == t);
	main_thread = pthread_self();
}

/* Flags that nobody knows read back as 0, which is how a program asks for those it knows. */
static void test_unknown_flags(void)
{
	const unsigned long known = 0xdc000807;
	struct {
		unsigned long handler, flags, restorer, mask;
	} a = { 0, ~0ul, 0, 0 }, old = { 0 };

	CHECK(!syscall(SYS_rt_sigaction, SIGUSR1, &a, NULL, 8));
	CHECK(!syscall(SYS_rt_sigaction, SIGUSR1, NULL, &old, 8) && old.flags == known);
	a.flags = 0;
	CHECK(!syscall(SYS_rt_sigaction, SIGUSR1, &a, NULL, 8));
}

static char *bad_frame;

static void on_bad_frame(int sig, siginfo_t *si, void *uc)
{
	_exit(si->si_code == SEGV_ACCERR ? 0 : 1);
}

/* rt_sigreturn(2) on a stack that holds no frame: SIGSEGV that tells the stack pointer. */
static void test_bad_frame(void)
{
	static char other[16384];
	stack_t ss = { .ss_sp = other, .ss_size = sizeof(other) };
	int st;
	pid_t p = fork();

	if (!p) {
		bad_frame = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				 -1, 0);
		sigaltstack(&ss, NULL);
		set(SIGSEGV, on_bad_frame, SA_ONSTACK);
		__asm__ volatile("mov sp, %0; mov x8, %1; svc 0"
				 :
				 : "r"(bad_frame), "i"(SYS_rt_sigreturn)
				 : "x8", "memory");
		_exit(2);
	}
	CHECK(waitpid(p, &st, 0) == p && WIFEXITED(st) && WEXITSTATUS(st) == 0);
}

int main(void)
{
	test_unknown_flags();
	test_basics();
	test_realtime();
	test_all_numbers();
	test_default_actions();
	test_flags();
	test_autodisarm();
	test_faults();
	test_bad_frame();
	test_restart();
	test_wait();
	test_job_control();
	CHECK(stop_is_told(SIG_DFL));
	CHECK(!stop_is_told(SIG_IGN));
	test_threads();
	return tap_done();
}
