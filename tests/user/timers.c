/* setitimer(2), timer_create(2), RLIMIT_CPU. */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
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
	/* A timer that is off: only those of CPU time keep the interval. */
	it = (struct itimerval){ { 10, 20 }, { 0, 0 } };
	CHECK(!setitimer(ITIMER_REAL, &it, NULL) && !getitimer(ITIMER_REAL, &old) &&
	      !old.it_interval.tv_sec && !old.it_interval.tv_usec);
	CHECK(!setitimer(ITIMER_PROF, &it, NULL) && !getitimer(ITIMER_PROF, &old) &&
	      old.it_interval.tv_sec == 10);
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
	/* Who handles that ends at the hard limit. */
	p = fork();
	if (p == 0) {
		rl.rlim_max = 2;
		set(SIGXCPU);
		setrlimit(RLIMIT_CPU, &rl);
		burn(1);
		if (hits != 1)
			_exit(1);
		for (;;)
			;
	}
	CHECK(waitpid(p, &st, 0) == p && WIFSIGNALED(st) && WTERMSIG(st) == SIGKILL);
}

static long ticks(const struct tms *t)
{
	return t->tms_utime + t->tms_stime;
}

/* Use up at least @n ticks of CPU time more, as times(2) counts them. */
static void spend(long n)
{
	struct tms was, now;

	times(&was);
	do
		times(&now);
	while (ticks(&now) < ticks(&was) + n);
}

static long long micros(const struct timeval *t)
{
	return t->tv_sec * 1000000ll + t->tv_usec;
}

/* However the kernel divides the time, neither part of it is ever taken back. */
static void test_times_rise(void)
{
	struct rusage was, now;
	struct tms begun, t;
	int fell = 0;

	getrusage(RUSAGE_SELF, &was);
	times(&begun);
	do {
		/* Much in the kernel, then much outside of it. */
		for (int i = 0; i < 200; i++)
			getppid();
		getrusage(RUSAGE_SELF, &now);
		fell += micros(&now.ru_utime) < micros(&was.ru_utime) ||
			micros(&now.ru_stime) < micros(&was.ru_stime);
		was = now;
		for (volatile int i = 0; i < 2000; i++)
			;
		times(&t);
	} while (ticks(&t) < ticks(&begun) + 20);
	CHECK(!fell);
}

/* times(2): one's own, and of children those that were waited for. */
static void test_times(void)
{
	struct tms before, t;
	clock_t begun;
	siginfo_t si;
	pid_t p;

	begun = times(&before);
	spend(5);
	/* User and system time are rounded down each for itself: five ticks of both can be three. */
	CHECK(times(&t) >= begun + 3 && ticks(&t) >= ticks(&before) + 5);
	CHECK(t.tms_cutime == before.tms_cutime && t.tms_cstime == before.tms_cstime);
	p = fork();
	if (p == 0) {
		/* It begins at nothing, also in what its children spent. */
		times(&t);
		if (ticks(&t) >= 5 || t.tms_cutime || t.tms_cstime)
			_exit(1);
		spend(5);
		_exit(0);
	}
	CHECK(!waitid(P_PID, (id_t)p, &si, WEXITED | WNOWAIT) && si.si_status == 0);
	times(&t);
	CHECK(t.tms_cutime == before.tms_cutime && t.tms_cstime == before.tms_cstime);
	CHECK(waitpid(p, NULL, 0) == p && times(&t) > 0);
	CHECK(t.tms_cutime + t.tms_cstime >= before.tms_cutime + before.tms_cstime + 5);
}

static volatile pid_t hit_tid, timed_tid;

static void on_thread_timer(int sig, siginfo_t *si, void *uc)
{
	last = *si;
	hit_tid = gettid();
}

static void *timed_thread(void *arg)
{
	timed_tid = gettid();
	CHECK(EVENTUALLY(hit_tid));
	return NULL;
}

/* As struct sigevent with SIGEV_THREAD_ID, which not every C library's has. */
struct thread_event {
	union sigval value;
	int signo, notify, tid, rest[11];
};

/* SIGEV_THREAD_ID: the signal is that thread's, not the first one's. */
static void test_thread_timer(void)
{
	struct thread_event ev = { { .sival_int = 78 }, SIGRTMIN + 1, SIGEV_THREAD_ID, 0, { 0 } };
	struct sigaction sa = { .sa_sigaction = on_thread_timer, .sa_flags = SA_SIGINFO };
	struct itimerspec soon = { { 0, 0 }, { 0, 2000000 } };
	pthread_t t;
	int id;

	sigaction(SIGRTMIN + 1, &sa, NULL);
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id), EINVAL);
	ev.tid = getppid();
	CHECK_ERR(syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id), EINVAL);
	REQUIRE(!pthread_create(&t, NULL, timed_thread, NULL) && EVENTUALLY(timed_tid));
	ev.tid = timed_tid;
	CHECK(!syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id) &&
	      !syscall(SYS_timer_settime, id, 0, &soon, NULL));
	pthread_join(t, NULL);
	CHECK(hit_tid == timed_tid && last.si_code == SI_TIMER && last.si_int == 78);
	CHECK(!syscall(SYS_timer_delete, id));
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

/* CAP_WAKE_ALARM is not in effect from now on. */
static int lose_wake_alarm(void)
{
	struct __user_cap_header_struct h = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &h, d))
		return -1;
	d[1].effective &= ~(1u << (CAP_WAKE_ALARM - 32));
	return (int)syscall(SYS_capset, &h, d);
}

/* Clocks that would wake the machine: with the right to; told in the order of the checks. */
static void test_alarm_clocks(void)
{
	static const int clocks[2][2] = { { CLOCK_REALTIME_ALARM, CLOCK_REALTIME },
					  { CLOCK_BOOTTIME_ALARM, CLOCK_BOOTTIME } };
	struct itimerspec soon = { { 0, 0 }, { 0, 2000000 } };
	struct timespec none = { 0, 1000000 }, now;
	uint64_t v = 0;
	int id, fd, st;
	pid_t p;

	CHECK(!syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME, 0, &none, NULL));
	CHECK(!clock_gettime(CLOCK_BOOTTIME, &now));
	now.tv_sec++;
	CHECK(!syscall(SYS_clock_nanosleep, CLOCK_BOOTTIME, TIMER_ABSTIME, &now, NULL));
	CHECK(!clock_gettime(CLOCK_BOOTTIME, &none) && none.tv_sec >= now.tv_sec);
	none = (struct timespec){ 0, 1000000 };
	for (int i = 0; i < 2; i++) {
		int clock = clocks[i][0];

		CHECK(!syscall(SYS_clock_gettime, clock, &now) && now.tv_sec > 0);
		CHECK_ERR(syscall(SYS_clock_nanosleep, clock, 2, &none, NULL), EINVAL);
		CHECK(!syscall(SYS_clock_nanosleep, clock, 0, &none, NULL));
		CHECK(!syscall(SYS_clock_nanosleep, clock, TIMER_ABSTIME, &now, NULL));
		alarms = 0;
		CHECK(!timer_on(clock, &id) && !syscall(SYS_timer_settime, id, 0, &soon, NULL));
		CHECK(EVENTUALLY(alarms) && !syscall(SYS_timer_delete, id));
		fd = timerfd_create(clock, 0);
		CHECK(fd >= 0 && !timerfd_settime(fd, 0, &soon, NULL));
		CHECK(read(fd, &v, sizeof(v)) == sizeof(v) && v == 1);
		p = fork();
		if (p)
			CHECK(waitpid(p, &st, 0) == p && st == 0);
		else {
			CHECK(!lose_wake_alarm());
			CHECK_ERR(syscall(SYS_clock_nanosleep, clock, 0, &none, NULL), EPERM);
			CHECK_ERR(syscall(SYS_clock_nanosleep, clock, 2, &none, NULL), EINVAL);
			CHECK_ERR(timer_on(clock, &id), EPERM);
			CHECK_ERR(timerfd_create(clock, 0), EPERM);
			CHECK_ERR(timerfd_settime(fd, 0, &soon, NULL), EPERM);
			CHECK(!timer_on(clocks[i][1], &id));
			_exit(0);
		}
		close(fd);
	}
}

/* The number of a new timer of this process, which stays. */
static int next_number(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_NONE };
	int id = -1;

	return syscall(SYS_timer_create, CLOCK_MONOTONIC, &ev, &id) ? -1 : id;
}

/* Numbers rise; one that is free again is not given; a child begins at 0 and has no timers. */
static void test_numbers(void)
{
	struct itimerspec it;
	int first = next_number(), st;
	pid_t p;

	CHECK(first >= 0 && next_number() == first + 1);
	CHECK(!syscall(SYS_timer_delete, first + 1) && next_number() == first + 2);
	CHECK_ERR(syscall(SYS_timer_delete, first + 1), EINVAL);
	CHECK_ERR(syscall(SYS_timer_gettime, first + 1, &it), EINVAL);
	p = fork();
	if (!p) {
		if (syscall(SYS_timer_gettime, first, &it) != -1 || errno != EINVAL)
			_exit(1);
		_exit(next_number());
	}
	CHECK(waitpid(p, &st, 0) == p && st == 0);
	CHECK(!syscall(SYS_timer_gettime, first, &it) && !syscall(SYS_timer_delete, first) &&
	      !syscall(SYS_timer_delete, first + 2));
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
	test_times();
	test_times_rise();
	test_thread_timer();
	test_tiny_periods();
	test_clocks();
	test_alarm_clocks();
	test_numbers();
	test_far_away();
	return tap_done();
}
