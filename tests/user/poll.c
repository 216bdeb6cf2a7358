/* poll(2), select(2): events, time limits, remaining time, masks, many descriptors. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "tap.h"

static volatile int alarms;
static void *volatile nowhere = (void *)8; /* unmapped */

static void on_alarm(int sig)
{
	alarms++;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void test_poll(void)
{
	struct pollfd f[3];
	int p[2], q[2], file = open("/dev/null", O_RDWR);
	int64_t t;

	REQUIRE(!pipe(p) && !pipe(q) && file >= 0);
	f[0] = (struct pollfd){ p[0], POLLIN, 0 };
	f[1] = (struct pollfd){ q[0], POLLIN, 0 };
	f[2] = (struct pollfd){ -1, POLLIN, 99 };
	CHECK(poll(f, 3, 0) == 0 && f[2].revents == 0);
	t = now_ms();
	CHECK(poll(f, 3, 50) == 0 && now_ms() - t >= 49);
	CHECK(write(q[1], "x", 1) == 1 && poll(f, 3, -1) == 1 && f[0].revents == 0 &&
	      f[1].revents == POLLIN);
	f[0].fd = 900;
	CHECK(poll(f, 2, -1) == 2 && f[0].revents == POLLNVAL);
	f[0] = (struct pollfd){ file, POLLIN | POLLOUT, 0 };
	CHECK(poll(f, 1, -1) == 1 && f[0].revents == (POLLIN | POLLOUT));
	CHECK_ERR(poll(nowhere, 1, 0), EFAULT);
	CHECK(poll(NULL, 0, 1) == 0);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
	close(file);
}

static void *write_later(void *arg)
{
	EVENTUALLY(is_asleep(getpid()));
	return (void *)(long)write(*(int *)arg, "!", 1);
}

static void test_wake(void)
{
	struct pollfd f[100];
	int p[100][2];
	pthread_t t;
	void *r;

	for (int i = 0; i < 100; i++) {
		if (pipe(p[i]))
			REQUIRE(!"pipe");
		f[i] = (struct pollfd){ p[i][0], POLLIN, 0 };
	}
	REQUIRE(!pthread_create(&t, NULL, write_later, &p[77][1]));
	CHECK(poll(f, 100, TAP_PATIENCE_MS) == 1 && f[77].revents == POLLIN);
	pthread_join(t, &r);
	CHECK(r == (void *)1);
	for (int i = 0; i < 100; i++) {
		close(p[i][0]);
		close(p[i][1]);
	}
}

/*
 * The system call itself, which leaves the time that remains in @tv; C libraries differ in passing
 * that on.
 */
static int raw_select(int n, fd_set *in, fd_set *out, struct timeval *tv)
{
	struct timespec ts = { tv->tv_sec, tv->tv_usec * 1000 };
	int r = (int)syscall(SYS_pselect6, n, in, out, NULL, &ts, NULL);

	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return r;
}

static void test_select(void)
{
	struct timeval tv = { 0, 30000 };
	int p[2], high;
	fd_set in, out;

	REQUIRE(!pipe(p));
	high = fcntl(p[0], F_DUPFD, 200);
	FD_ZERO(&in);
	FD_SET(high, &in);
	CHECK(raw_select(high + 1, &in, NULL, &tv) == 0 && !FD_ISSET(high, &in));
	CHECK(tv.tv_sec == 0 && tv.tv_usec == 0);
	CHECK(write(p[1], "x", 1) == 1);
	FD_ZERO(&out);
	FD_SET(p[1], &out);
	FD_SET(high, &in);
	FD_SET(p[0], &in);
	tv = (struct timeval){ TAP_LONG, 0 };
	CHECK(raw_select(high + 1, &in, &out, &tv) == 3);
	CHECK(FD_ISSET(high, &in) && FD_ISSET(p[0], &in) && FD_ISSET(p[1], &out));
	CHECK(tv.tv_sec < TAP_LONG && tv.tv_sec > TAP_LONG / 2);
	FD_ZERO(&in);
	FD_SET(p[0], &in);
	close(p[0]);
	CHECK_ERR(select(p[0] + 1, &in, NULL, NULL, NULL), EBADF);
	CHECK_ERR(select(-1, NULL, NULL, NULL, NULL), EINVAL);
	tv = (struct timeval){ 0, 1000 };
	CHECK(select(0, NULL, NULL, NULL, &tv) == 0);
	close(p[1]);
	close(high);
}

/* The mask holds while the call waits, and the handler runs before it returns. */
static void test_mask(void)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct timespec ts = { TAP_LONG, 0 };
	sigset_t block, open_mask, old;

	sigaction(SIGALRM, &sa, NULL);
	sigemptyset(&block);
	sigaddset(&block, SIGALRM);
	sigprocmask(SIG_BLOCK, &block, &old);
	sigemptyset(&open_mask);
	raise(SIGALRM);
	CHECK(alarms == 0);
	CHECK_ERR(ppoll(NULL, 0, &ts, &open_mask), EINTR);
	CHECK(alarms == 1);
	raise(SIGALRM);
	CHECK_ERR(pselect(0, NULL, NULL, NULL, &ts, &open_mask), EINTR);
	CHECK(alarms == 2);
	sigprocmask(SIG_BLOCK, NULL, &open_mask);
	CHECK(sigismember(&open_mask, SIGALRM));
	ts = (struct timespec){ 0, 1000000 };
	CHECK(ppoll(NULL, 0, &ts, &block) == 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	ts = (struct timespec){ 0, 1000000000 };
	CHECK_ERR(ppoll(NULL, 0, &ts, NULL), EINVAL);
}

int main(void)
{
	test_poll();
	test_wake();
	test_select();
	test_mask();
	return tap_done();
}
