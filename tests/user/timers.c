/* setitimer(2), timer_create(2), RLIMIT_CPU. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <sys/timerfd.h>
#include <stdint.h>
#include "tap.h"

static volatile int hits;
static siginfo_t last;

static void on_sig(int sig, siginfo_t *si, void *uc)
{
	last = *si;
	hits++;
}

static void set(int sig)
{
	struct sigaction sa = { .sa_sigaction = on_sig, .sa_flags = SA_SIGINFO };

	sigaction(sig, &sa, NULL);
	hits = 0;
}

static void burn(int until)
{
	for (volatile long i = 0; i < 2000000000 && hits < until; i++)
		;
}

static void test_itimers(void)
{
	struct itimerval it = { { 0, 5000 }, { 0, 5000 } }, old;

	set(SIGALRM);
	CHECK(!setitimer(ITIMER_REAL, &it, &old) && !old.it_value.tv_sec && !old.it_value.tv_usec);
	while (hits < 3)
		pause();
	CHECK(last.si_signo == SIGALRM && last.si_code == SI_KERNEL);
	CHECK(!getitimer(ITIMER_REAL, &old) && old.it_interval.tv_usec == 5000 &&
	      old.it_value.tv_usec <= 5000); /* 0: less than a microsecond */
	memset(&it, 0, sizeof(it));
	CHECK(!setitimer(ITIMER_REAL, &it, &old));
	hits = 0;
	usleep(20000);
	CHECK(hits == 0);
	it.it_value.tv_usec = 1000000;
	CHECK_ERR(setitimer(ITIMER_REAL, &it, NULL), EINVAL);
	CHECK_ERR(setitimer(9, &it, NULL), EINVAL);
	it = (struct itimerval){ { 0, 0 }, { 0, 20000 } };
	set(SIGVTALRM);
	CHECK(!setitimer(ITIMER_VIRTUAL, &it, NULL));
	burn(1);
	CHECK(hits == 1);
	set(SIGPROF);
	CHECK(!setitimer(ITIMER_PROF, &it, NULL));
	burn(1);
	CHECK(hits == 1);
}

static void test_posix(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGRTMIN,
			       .sigev_value.sival_int = 77 };
	struct itimerspec it = { { 0, 3000000 }, { 0, 3000000 } }, old;
	sigset_t s;
	timer_t id;
	struct timespec ts = { 0, 20000000 };

	set(SIGRTMIN);
	REQUIRE(!timer_create(CLOCK_MONOTONIC, &ev, &id));
	CHECK(!timer_settime(id, 0, &it, NULL));
	while (hits < 3)
		pause();
	CHECK(last.si_code == SI_TIMER && last.si_int == 77);
	CHECK(!timer_gettime(id, &old) && old.it_interval.tv_nsec == 3000000 &&
	      old.it_value.tv_nsec <= 3000000);
	sigemptyset(&s);
	sigaddset(&s, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &s, NULL);
	nanosleep(&ts, NULL);
	siginfo_t si;
	CHECK(sigwaitinfo(&s, &si) == SIGRTMIN && si.si_overrun >= 3);
	CHECK(timer_getoverrun(id) == si.si_overrun);
	CHECK(!timer_delete(id));
	CHECK_ERR(syscall(SYS_timer_delete, 12345), EINVAL);
	sigprocmask(SIG_UNBLOCK, &s, NULL);
	ev.sigev_signo = 99;
	CHECK_ERR(timer_create(CLOCK_MONOTONIC, &ev, &id), EINVAL);
	ev.sigev_signo = SIGRTMIN;
	CHECK_ERR(timer_create(77, &ev, &id), EINVAL);
	set(SIGRTMIN);
	REQUIRE(!timer_create(CLOCK_REALTIME, &ev, &id));
	it.it_interval.tv_nsec = 0;
	clock_gettime(CLOCK_REALTIME, &it.it_value);
	it.it_value.tv_nsec += 5000000;
	if (it.it_value.tv_nsec >= 1000000000) {
		it.it_value.tv_nsec -= 1000000000;
		it.it_value.tv_sec++;
	}
	CHECK(!timer_settime(id, TIMER_ABSTIME, &it, NULL));
	CHECK(EVENTUALLY(hits == 1)); /* not by pause(): it may come before that */
	CHECK(!timer_gettime(id, &old) && !old.it_value.tv_sec && !old.it_value.tv_nsec);
	timer_delete(id);
	REQUIRE(!timer_create(CLOCK_PROCESS_CPUTIME_ID, &ev, &id));
	it.it_value = (struct timespec){ 0, 10000000 };
	hits = 0;
	CHECK(!timer_settime(id, 0, &it, NULL));
	burn(1);
	CHECK(hits == 1);
}

static void test_cpu_limit(void)
{
	struct rlimit rl = { 1, TAP_LONG };
	int st;
	pid_t p = fork();

	if (p == 0) {
		setrlimit(RLIMIT_CPU, &rl);
		for (;;)
			;
	}
	CHECK(waitpid(p, &st, 0) == p && WIFSIGNALED(st) && WTERMSIG(st) == SIGXCPU);
}

static volatile int alarms;

static void count_alarm(int sig)
{
	alarms += sig == SIGALRM;
}

/* Periods shorter than anything takes: the process still gets on. */
static void test_tiny_periods(void)
{
	struct itimerval it = { { 0, 1 }, { 0, 1 } }, off = { 0 };
	struct itimerspec ts = { { 0, 1 }, { 0, 1 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t v;

	signal(SIGALRM, count_alarm);
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
	while (alarms < 20)
		;
	CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
	CHECK(timerfd_settime(fd, 0, &ts, NULL) == 0);
	for (int i = 0; i < 20; i++)
		if (read(fd, &v, 8) != 8 || !v)
			break;
	CHECK(read(fd, &v, 8) == 8 && v > 0);
	close(fd);
}

/* The number of a CPU clock, clock_getcpuclockid(3): of process or, with 4, thread @id. */
static int cpu_clock(pid_t id, int kind)
{
	return (int)(~(unsigned)id << 3) | kind;
}

static long timer_on(int clock, int *id)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };

	return syscall(SYS_timer_create, clock, &ev, id);
}

/* On which clocks there are timers and sleeps. */
static void test_clocks(void)
{
	const int spent[] = { cpu_clock(getpid(), 2), cpu_clock(getpid(), 1), cpu_clock(0, 0),
			      cpu_clock(gettid(), 6), cpu_clock(0, 4 | 1) };
	struct itimerspec soon = { { 0, 0 }, { 0, 2000000 } };
	struct timespec none = { 0, 0 };
	struct rlimit was, no;
	int id;

	CHECK_ERR(timer_on(CLOCK_MONOTONIC_RAW, &id), EOPNOTSUPP);
	CHECK_ERR(timer_on(CLOCK_REALTIME_COARSE, &id), EOPNOTSUPP);
	CHECK_ERR(timer_on(cpu_clock(1, 3), &id), EOPNOTSUPP);
	CHECK_ERR(timer_on(77, &id), EINVAL);
	CHECK_ERR(timer_on(cpu_clock(999999, 6), &id), EINVAL);
	for (int i = 0; i < 5; i++) {
		alarms = 0;
		CHECK(!timer_on(spent[i], &id) && !syscall(SYS_timer_settime, id, 0, &soon, NULL));
		while (!alarms)
			;
		CHECK(!syscall(SYS_timer_delete, id));
	}
	CHECK_ERR(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &none, NULL),
		  EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_clock_nanosleep, spent[3], 0, &none, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_clock_nanosleep, spent[4], 0, &none, NULL), EINVAL);
	CHECK_ERR(syscall(SYS_clock_nanosleep, spent[3], 0, NULL, NULL), EFAULT);
	CHECK(!syscall(SYS_clock_nanosleep, spent[0], 0, &none, NULL));
	/* A timer's signal counts as one that is queued. */
	CHECK(!getrlimit(RLIMIT_SIGPENDING, &was));
	no = was;
	no.rlim_cur = 0;
	CHECK(!setrlimit(RLIMIT_SIGPENDING, &no));
	CHECK_ERR(timer_on(CLOCK_MONOTONIC, &id), EAGAIN);
	CHECK(!setrlimit(RLIMIT_SIGPENDING, &was) && !timer_on(CLOCK_MONOTONIC, &id));
	CHECK(!syscall(SYS_timer_delete, id));
}

/* Now and what is asked for are together more than a kernel counts in nanoseconds. */
static void test_far_away(void)
{
	const time_t far = INT64_MAX / 4;
	struct itimerval it = { { far, 0 }, { far, 0 } }, old;
	struct itimerspec ts = { { far, 0 }, { 0, 1 } };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t ticks = 0;

	for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++)
		CHECK(!setitimer(which, &it, NULL));
	CHECK(!getitimer(ITIMER_REAL, &old) && old.it_value.tv_sec > 1000000000);
	set(SIGALRM);
	it.it_value = (struct timeval){ 0, 1000 };
	CHECK(!setitimer(ITIMER_REAL, &it, NULL) && EVENTUALLY(hits) && hits == 1);
	CHECK(!getitimer(ITIMER_REAL, &old) && old.it_value.tv_sec > 1000000000);
	CHECK(!timerfd_settime(fd, 0, &ts, NULL));
	CHECK(read(fd, &ticks, sizeof(ticks)) == sizeof(ticks) && ticks == 1);
	CHECK(!timerfd_gettime(fd, &ts) && ts.it_value.tv_sec > 1000000000);
	close(fd);
	memset(&it, 0, sizeof(it));
	for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++)
		CHECK(!setitimer(which, &it, NULL));
}

int main(void)
{
	test_itimers();
	test_posix();
	test_cpu_limit();
	test_tiny_periods();
	test_clocks();
	test_far_away();
	return tap_done();
}
