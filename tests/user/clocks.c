/*
 * Clocks and sleeps: clock_gettime(2), clock_nanosleep(2), nanosleep(2), gettimeofday(2),
 * adjtimex(2).
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "tap.h"

/* The kernel's answer, not the vDSO's. */
static int64_t kernel_ns(int clock)
{
	struct timespec ts = { -1, 0 };

	return syscall(SYS_clock_gettime, clock, &ts) ? -1 : ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int64_t lib_ns(int clock)
{
	struct timespec ts;

	return clock_gettime(clock, &ts) ? -1 : ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void test_clocks(void)
{
	static const int ids[] = { CLOCK_REALTIME,
				   CLOCK_MONOTONIC,
				   CLOCK_MONOTONIC_RAW,
				   CLOCK_REALTIME_COARSE,
				   CLOCK_MONOTONIC_COARSE,
				   CLOCK_BOOTTIME,
				   CLOCK_TAI,
				   CLOCK_PROCESS_CPUTIME_ID,
				   CLOCK_THREAD_CPUTIME_ID };
	struct timespec ts;
	clockid_t other;
	int64_t a, b;

	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		a = kernel_ns(ids[i]);
		b = lib_ns(ids[i]);
		CHECK(a >= 0 && b >= 0 && kernel_ns(ids[i]) >= a);
		CHECK(!clock_getres(ids[i], &ts) && ts.tv_sec == 0 && ts.tv_nsec > 0);
	}
	a = kernel_ns(CLOCK_MONOTONIC);
	b = lib_ns(CLOCK_MONOTONIC);
	CHECK(b >= a && b <= kernel_ns(CLOCK_MONOTONIC));
	CHECK_ERR(syscall(SYS_clock_gettime, 10, &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_gettime, 77, &ts), EINVAL);
	CHECK_ERR(syscall(SYS_clock_gettime, CLOCK_REALTIME, 8), EFAULT);
	CHECK_ERR(clock_settime(CLOCK_MONOTONIC, &ts), EINVAL);
	CHECK(!clock_getcpuclockid(getpid(), &other) && kernel_ns((int)other) > 0);
	CHECK(!clock_getcpuclockid(getppid(), &other) && kernel_ns((int)other) >= 0);
}

/* Unless the machine stands still while we are on our way to sleep, which counts as our work. */
static int sleep_is_no_work(void)
{
	int64_t t = kernel_ns(CLOCK_PROCESS_CPUTIME_ID);

	usleep(100000);
	return kernel_ns(CLOCK_PROCESS_CPUTIME_ID) - t < 60000000;
}

static void test_cpu_time(void)
{
	int64_t p = kernel_ns(CLOCK_PROCESS_CPUTIME_ID), t = kernel_ns(CLOCK_THREAD_CPUTIME_ID);

	for (long n = 0; n < 1000000000 && (kernel_ns(CLOCK_PROCESS_CPUTIME_ID) - p <= 10000000 ||
					    kernel_ns(CLOCK_THREAD_CPUTIME_ID) - t <= 10000000);
	     n++)
		;
	CHECK(kernel_ns(CLOCK_PROCESS_CPUTIME_ID) - p > 10000000);
	CHECK(kernel_ns(CLOCK_THREAD_CPUTIME_ID) - t > 10000000);
	CHECK(EVENTUALLY(sleep_is_no_work()));
}

static void on_alarm(int sig)
{
}

/*
 * Alarms from now on, again and again: one may come before the call that it is to interrupt. 0: no
 * more.
 */
static void alarm_every(int ms)
{
	struct itimerval it = { { 0, ms * 1000 }, { 0, ms * 1000 } };

	setitimer(ITIMER_REAL, &it, NULL);
}

static void test_sleep(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct timespec ts = { 0, 40000000 }, rem = { 0, 0 };
	int64_t t = lib_ns(CLOCK_MONOTONIC);

	CHECK(!nanosleep(&ts, NULL) && lib_ns(CLOCK_MONOTONIC) - t >= 40000000);
	t = lib_ns(CLOCK_MONOTONIC) + 30000000;
	ts = (struct timespec){ t / 1000000000, t % 1000000000 };
	CHECK(!clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) &&
	      lib_ns(CLOCK_MONOTONIC) >= t);
	CHECK(!clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL));
	t = lib_ns(CLOCK_REALTIME) + 30000000;
	ts = (struct timespec){ t / 1000000000, t % 1000000000 };
	CHECK(!clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &ts, NULL) &&
	      lib_ns(CLOCK_REALTIME) >= t);
	ts = (struct timespec){ 0, 1000000000 };
	CHECK_ERR(nanosleep(&ts, NULL), EINVAL);
	ts = (struct timespec){ -1, 0 };
	CHECK_ERR(nanosleep(&ts, NULL), EINVAL);
	CHECK(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &rem, NULL) == EINVAL);
	CHECK(clock_nanosleep(CLOCK_MONOTONIC_RAW, 0, &rem, NULL) == EOPNOTSUPP);
	sigaction(SIGALRM, &sa, NULL);
	alarm_every(50);
	ts = (struct timespec){ TAP_LONG, 0 };
	CHECK_ERR(nanosleep(&ts, &rem), EINTR);
	CHECK(rem.tv_sec < TAP_LONG && rem.tv_sec > TAP_LONG / 2 && rem.tv_nsec > 0);
	t = lib_ns(CLOCK_MONOTONIC) + TAP_LONG * 1000000000LL;
	ts = (struct timespec){ t / 1000000000, t % 1000000000 };
	CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, &rem) == EINTR);
	alarm_every(0);
}

/* The longest time there is: it neither wraps nor keeps signals away, whatever the clock. */
static void test_longest(void)
{
	static const int clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI,
				      CLOCK_PROCESS_CPUTIME_ID };
	struct timespec ts = { INT64_MAX, 999999999 };

	alarm_every(50);
	for (size_t i = 0; i < sizeof(clocks) / sizeof(*clocks); i++) {
		CHECK(clock_nanosleep(clocks[i], 0, &ts, NULL) == EINTR);
		CHECK(clock_nanosleep(clocks[i], TIMER_ABSTIME, &ts, NULL) == EINTR);
	}
	alarm_every(0);
}

/*
 * A stop and continue must not end a sleep: the rest is slept by restart_syscall. When the machine
 * stands still meanwhile, the sleep is over (Z) before the stop.
 */
static void test_restart(void)
{
	struct timespec ts = { 0, 200000000 };
	int64_t t = lib_ns(CLOCK_MONOTONIC);
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(nanosleep(&ts, NULL) ? 1 : 0);
	CHECK(EVENTUALLY(strchr("SZ", task_state(pid, pid))));
	kill(pid, SIGSTOP);
	CHECK(EVENTUALLY(strchr("TZ", task_state(pid, pid))));
	kill(pid, SIGCONT);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(lib_ns(CLOCK_MONOTONIC) - t >= 200000000);
}

static void test_wall(void)
{
	struct timeval tv;
	struct timezone tz;
	struct timespec ts;
	struct timex tx = { .modes = 0 };
	int64_t a = lib_ns(CLOCK_REALTIME);

	CHECK(!syscall(SYS_gettimeofday, &tv, &tz));
	CHECK(tv.tv_sec * 1000000000LL + tv.tv_usec * 1000LL <= lib_ns(CLOCK_REALTIME) &&
	      tv.tv_sec * 1000000LL + tv.tv_usec >= a / 1000 && a > 1000000000000000000LL);
	CHECK(adjtimex(&tx) >= 0 && tx.tick > 0 && tx.time.tv_sec >= tv.tv_sec);
	ts = (struct timespec){ 0, -1 };
	CHECK_ERR(clock_settime(CLOCK_REALTIME, &ts), EINVAL);
}

int main(void)
{
	test_clocks();
	test_cpu_time();
	test_sleep();
	test_longest();
	test_restart();
	test_wall();
	return tap_done();
}
