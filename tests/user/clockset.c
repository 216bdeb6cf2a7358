/*
 * What setting the wall clock does to those who wait by it: sleeps, futexes, POSIX timers and timer
 * descriptors until a time of CLOCK_REALTIME end when the clock is set past it, and wait on when it
 * is set back; relative ones do not notice. Descriptors that ask for it are told (ECANCELED).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>
#include "tap.h"

#define HOUR 3600

static struct timespec ago(clockid_t clock, long seconds, long ns)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_sec += seconds + (ts.tv_nsec + ns) / 1000000000;
	ts.tv_nsec = (ts.tv_nsec + ns) % 1000000000;
	return ts;
}

static void shift_clock(long seconds)
{
	struct timespec ts = ago(CLOCK_REALTIME, seconds, 0);

	clock_settime(CLOCK_REALTIME, &ts);
}

/* --- a thread that waits by one of several means --- */

enum how { SLEEP, FUTEX, TAI_SLEEP };

static volatile int done, result;
static pid_t waiter_tid;
static sem_t up; /* it has told its number */
static uint32_t word;

static void *waiter(void *arg)
{
	enum how how = (enum how)(intptr_t)arg;
	struct timespec ts = ago(how == TAI_SLEEP ? CLOCK_TAI : CLOCK_REALTIME, HOUR, 0);

	waiter_tid = syscall(SYS_gettid);
	sem_post(&up);
	if (how == FUTEX)
		result = syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &ts,
				 NULL, ~0u) == -1 &&
			 errno == ETIMEDOUT;
	else
		result = clock_nanosleep(how == TAI_SLEEP ? CLOCK_TAI : CLOCK_REALTIME,
					 TIMER_ABSTIME, &ts, NULL) == 0;
	done = 1;
	return NULL;
}

/* Wait until thread @tid sleeps. */
static int sleeps(pid_t tid)
{
	return EVENTUALLY(task_state(getpid(), tid) == 'S');
}

static void test_waits(enum how how)
{
	pthread_t t;

	done = result = 0;
	sem_init(&up, 0, 0);
	REQUIRE(!pthread_create(&t, NULL, waiter, (void *)(intptr_t)how) && !sem_wait(&up));
	CHECK(sleeps(waiter_tid));
	shift_clock(-HOUR);
	shift_clock(HOUR);
	CHECK(sleeps(waiter_tid) && !done);
	shift_clock(HOUR + 1);
	pthread_join(t, NULL);
	CHECK(done && result);
	shift_clock(-HOUR - 1);
}

static void test_set_back(void)
{
	struct timespec at, begin, end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	at = ago(CLOCK_REALTIME, 0, 50000000);
	shift_clock(-1);
	CHECK(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, NULL) == 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	CHECK((end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000 >= 950);
	shift_clock(1);
}

static void *shift_soon(void *arg)
{
	sleeps((pid_t)(intptr_t)arg);
	shift_clock(HOUR);
	shift_clock(-2 * HOUR);
	shift_clock(HOUR);
	return NULL;
}

/* A relative sleep on the wall clock takes its time whatever the clock is set to. */
static void test_relative(void)
{
	struct timespec rel = { 0, 300000000 }, begin, end;
	pthread_t t;
	long ms;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	pthread_create(&t, NULL, shift_soon, (void *)(intptr_t)syscall(SYS_gettid));
	CHECK(clock_nanosleep(CLOCK_REALTIME, 0, &rel, NULL) == 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	pthread_join(t, NULL);
	ms = (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000;
	CHECK(ms >= 299 && ms < HOUR / 2 * 1000l);
}

/* --- timer descriptors --- */

static int has_input(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1 && p.revents == POLLIN;
}

static int armed(int flags, long seconds)
{
	struct itimerspec its = { 0 };
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);

	its.it_value.tv_sec = seconds;
	if (flags & TFD_TIMER_ABSTIME)
		its.it_value = ago(CLOCK_REALTIME, seconds, 0);
	timerfd_settime(fd, flags, &its, NULL);
	return fd;
}

static void *set_forward(void *arg)
{
	sleeps(getpid());
	shift_clock(2 * HOUR);
	return NULL;
}

static void test_timerfd(void)
{
	int abs = armed(TFD_TIMER_ABSTIME, HOUR), rel = armed(0, HOUR);
	int both = armed(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, 3 * HOUR);
	int useless = armed(TFD_TIMER_CANCEL_ON_SET, HOUR);
	struct itimerspec its;
	uint64_t n = 0;
	pthread_t t;

	pthread_create(&t, NULL, set_forward, NULL);
	CHECK(has_input(both, TAP_PATIENCE_MS));
	pthread_join(t, NULL);
	CHECK(has_input(abs, TAP_PATIENCE_MS) && read(abs, &n, 8) == 8 && n == 1);
	CHECK_ERR(read(both, &n, 8), ECANCELED);
	CHECK_ERR(read(both, &n, 8), EAGAIN);
	CHECK(!has_input(both, 0));
	timerfd_gettime(both, &its);
	CHECK(its.it_value.tv_sec > HOUR / 2 && its.it_value.tv_sec <= HOUR);
	CHECK(!has_input(rel, 0) && !has_input(useless, 0));
	timerfd_gettime(rel, &its);
	CHECK(its.it_value.tv_sec > HOUR / 2 && its.it_value.tv_sec <= HOUR);
	/* Once more; arming it again does so, but tells of the change. */
	shift_clock(-2 * HOUR);
	CHECK(has_input(both, 0));
	timerfd_gettime(both, &its);
	CHECK(its.it_value.tv_sec > 5 * HOUR / 2);
	its.it_value = ago(CLOCK_REALTIME, HOUR, 0);
	CHECK_ERR(timerfd_settime(both, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &its, NULL),
		  ECANCELED);
	CHECK_ERR(read(both, &n, 8), EAGAIN);
	timerfd_gettime(both, &its);
	CHECK(its.it_value.tv_sec > HOUR / 2 && its.it_value.tv_sec <= HOUR);
	its.it_value = ago(CLOCK_REALTIME, HOUR, 0);
	CHECK(!timerfd_settime(both, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &its, NULL));
	CHECK_ERR(timerfd_settime(-1, 8, &its, NULL), EINVAL);
	close(abs);
	close(rel);
	close(both);
	close(useless);
}

/* --- POSIX timers --- */

static volatile int fired;

static void on_timer(int sig)
{
	fired++;
}

static void test_posix(void)
{
	struct itimerspec its = { .it_interval = { HOUR, 0 } };
	timer_t abs, rel;

	signal(SIGALRM, on_timer);
	timer_create(CLOCK_REALTIME, NULL, &abs);
	timer_create(CLOCK_REALTIME, NULL, &rel);
	its.it_value.tv_sec = HOUR;
	timer_settime(rel, 0, &its, NULL);
	its.it_value = ago(CLOCK_REALTIME, HOUR, 0);
	timer_settime(abs, TIMER_ABSTIME, &its, NULL);
	shift_clock(5 * HOUR / 2);
	CHECK(EVENTUALLY(fired == 1));
	CHECK(timer_getoverrun(abs) == 1);
	timer_gettime(abs, &its);
	CHECK(its.it_value.tv_sec > HOUR / 4 && its.it_value.tv_sec <= HOUR / 2);
	timer_gettime(rel, &its);
	CHECK(its.it_value.tv_sec > HOUR / 2);
	shift_clock(-5 * HOUR / 2);
	timer_gettime(abs, &its);
	CHECK(its.it_value.tv_sec > 5 * HOUR / 2);
	timer_delete(abs);
	timer_delete(rel);
}

/* --- the calls that set --- */

static void test_calls(void)
{
	struct timespec ts, after;
	struct timeval tv;
	struct timex tx = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec--;
	CHECK_ERR(clock_settime(CLOCK_REALTIME, &ts), EINVAL);
	ts.tv_nsec = 1000000000;
	CHECK_ERR(clock_settime(CLOCK_REALTIME, &ts), EINVAL);
	ts = (struct timespec){ -1, 0 };
	CHECK_ERR(clock_settime(CLOCK_REALTIME, &ts), EINVAL);
	/* 30 years before the last second that can be counted. */
	ts.tv_sec = 9223372036 - 30 * 365 * 86400ll;
	CHECK_ERR(clock_settime(CLOCK_REALTIME, &ts), EINVAL);
	tv = (struct timeval){ ts.tv_sec, 0 };
	CHECK_ERR(settimeofday(&tv, NULL), EINVAL);
	CHECK_ERR(clock_settime(CLOCK_MONOTONIC, &ts), EINVAL);
	CHECK_ERR(clock_settime(CLOCK_REALTIME, (void *)8), EFAULT);
	clock_gettime(CLOCK_REALTIME, &ts);
	tv = (struct timeval){ ts.tv_sec + HOUR, 0 };
	CHECK(!settimeofday(&tv, NULL));
	clock_gettime(CLOCK_REALTIME, &after);
	CHECK(after.tv_sec >= tv.tv_sec && after.tv_sec < tv.tv_sec + HOUR / 2);
	tx.modes = ADJ_SETOFFSET | ADJ_NANO;
	tx.time.tv_sec = -HOUR;
	tx.time.tv_usec = ts.tv_nsec;
	CHECK(adjtimex(&tx) >= 0);
	clock_gettime(CLOCK_REALTIME, &after);
	CHECK(after.tv_sec >= ts.tv_sec && after.tv_sec < ts.tv_sec + HOUR / 2);
	tx.modes = ADJ_SETOFFSET;
	tx.time.tv_usec = 1000000;
	CHECK_ERR(adjtimex(&tx), EINVAL);
}

int main(void)
{
	if (geteuid() != 0) {
		printf("1..0 # skip the clock can only be set by root\n");
		return 0;
	}
	alarm(TAP_LIMIT);
	test_waits(SLEEP);
	test_waits(FUTEX);
	test_waits(TAI_SLEEP);
	test_set_back();
	test_relative();
	test_timerfd();
	alarm(0);
	test_posix();
	test_calls();
	return tap_done();
}
