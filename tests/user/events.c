/* eventfd(2), timerfd_create(2), epoll(7). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include "tap.h"

static int readable(int fd, int ms)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, ms) == 1 && (p.revents & POLLIN);
}

static void test_eventfd(void)
{
	int e = eventfd(5, EFD_NONBLOCK | EFD_CLOEXEC),
	    s = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	uint64_t v = 0;

	REQUIRE(e >= 0 && s >= 0);
	CHECK_ERR(eventfd(0, 0x40), EINVAL);
	CHECK(fcntl(e, F_GETFD) == FD_CLOEXEC);
	CHECK_ERR(read(e, &v, 4), EINVAL);
	CHECK(read(e, &v, 8) == 8 && v == 5);
	CHECK_ERR(read(e, &v, 8), EAGAIN);
	CHECK(!readable(e, 0));
	v = UINT64_MAX;
	CHECK_ERR(write(e, &v, 8), EINVAL);
	v = UINT64_MAX - 1;
	CHECK(write(e, &v, 8) == 8);
	v = 1;
	CHECK_ERR(write(e, &v, 8), EAGAIN);
	CHECK(read(s, &v, 8) == 8 && v == 1 && read(s, &v, 8) == 8 && v == 1);
	CHECK_ERR(read(s, &v, 8), EAGAIN);
	CHECK(lseek(e, 9, SEEK_SET) == 0);
	close(e);
	close(s);
}

static void test_timerfd(void)
{
	struct itimerspec its = { { 0, 5000000 }, { 0, 5000000 } }, old;
	int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	uint64_t v = 0;

	REQUIRE(t >= 0);
	CHECK_ERR(timerfd_create(99, 0), EINVAL);
	CHECK_ERR(read(t, &v, 8), EAGAIN);
	CHECK(!timerfd_settime(t, 0, &its, &old) && old.it_value.tv_nsec == 0);
	CHECK(readable(t, TAP_PATIENCE_MS));
	CHECK(read(t, &v, 8) == 8 && v >= 1);
	CHECK(!timerfd_gettime(t, &old) && old.it_interval.tv_nsec == 5000000 &&
	      old.it_value.tv_nsec <= 5000000);
	its = (struct itimerspec){ { 0, 0 }, { 0, 0 } };
	CHECK(!timerfd_settime(t, 0, &its, NULL));
	CHECK(!readable(t, 20));
	clock_gettime(CLOCK_MONOTONIC, &its.it_value);
	CHECK(!timerfd_settime(t, TFD_TIMER_ABSTIME, &its, NULL) && readable(t, TAP_PATIENCE_MS));
	its.it_value.tv_nsec = 1000000000;
	CHECK_ERR(timerfd_settime(t, 0, &its, NULL), EINVAL);
	CHECK_ERR(timerfd_settime(0, 0, &its, NULL), EINVAL);
	close(t);
}

static int wait_one(int ep, int ms)
{
	struct epoll_event e = { 0 };
	int n = epoll_wait(ep, &e, 1, ms);

	return n == 1 ? (int)e.data.u32 : n == 0 ? 0 : -1;
}

static void test_epoll(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = 7 };
	int ep = epoll_create1(0), outer = epoll_create1(EPOLL_CLOEXEC), ev = eventfd(1, 0), p[2],
	    file;
	uint64_t v = 1;

	REQUIRE(ep >= 0 && outer >= 0 && ev >= 0 && !pipe(p));
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e));
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e), EEXIST);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e), ENOENT);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL), ENOENT);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
	CHECK_ERR(epoll_ctl(ev, EPOLL_CTL_ADD, p[0], &e), EINVAL);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, 99, &e), EBADF);
	file = open("/proc/self/exe", O_RDONLY);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, file, &e), EPERM);
	CHECK_ERR(epoll_wait(ep, &e, 0, 0), EINVAL);
	/* Level triggered: again and again. */
	CHECK(wait_one(ep, 0) == 7 && wait_one(ep, 0) == 7);
	/* A set in a set. */
	e = (struct epoll_event){ .events = EPOLLIN, .data.u32 = 9 };
	CHECK(!epoll_ctl(outer, EPOLL_CTL_ADD, ep, &e));
	CHECK(wait_one(outer, 0) == 9);
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, outer, &e), ELOOP);
	/* Edge triggered: once per change. */
	e = (struct epoll_event){ .events = EPOLLIN | EPOLLET, .data.u32 = 8 };
	CHECK(!epoll_ctl(ep, EPOLL_CTL_MOD, ev, &e));
	CHECK(wait_one(ep, 0) == 8 && wait_one(ep, 0) == 0);
	CHECK(write(ev, &v, 8) == 8 && wait_one(ep, 0) == 8);
	/* One shot: disarmed until MOD. */
	e.events = EPOLLIN | EPOLLONESHOT;
	CHECK(!epoll_ctl(ep, EPOLL_CTL_MOD, ev, &e));
	CHECK(wait_one(ep, 0) == 8 && write(ev, &v, 8) == 8 && wait_one(ep, 0) == 0);
	CHECK(!epoll_ctl(ep, EPOLL_CTL_MOD, ev, &e) && wait_one(ep, 0) == 8);
	/* Closing a descriptor takes it out; a hang-up is always reported. */
	close(ev);
	CHECK(wait_one(ep, 10) == 0);
	e = (struct epoll_event){ .events = EPOLLET, .data.u32 = 5 };
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e));
	close(p[1]);
	CHECK(wait_one(ep, TAP_PATIENCE_MS) == 5);
	close(p[0]);
	close(ep);
	CHECK(wait_one(outer, 0) == 0);
	close(outer);
}

/* A call reports as many as are ready and fit, however many those are. */
/* A periodic timer is one edge until it is read; a look at what is left makes it go on. */
static void test_timer_edges(void)
{
	struct itimerspec its = { { 0, 5000000 }, { 0, 5000000 } };
	struct epoll_event e = { .events = EPOLLIN | EPOLLET, .data.u32 = 4 };
	int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), ep = epoll_create1(0);
	uint64_t v = 0;

	REQUIRE(!epoll_ctl(ep, EPOLL_CTL_ADD, t, &e) && !timerfd_settime(t, 0, &its, NULL));
	CHECK(wait_one(ep, TAP_PATIENCE_MS) == 4);
	CHECK(wait_one(ep, 30) == 0);
	CHECK(read(t, &v, 8) == 8 && v >= 6);
	CHECK(wait_one(ep, TAP_PATIENCE_MS) == 4 && wait_one(ep, 12) == 0);
	CHECK(!timerfd_gettime(t, &its) && its.it_value.tv_nsec > 0);
	CHECK(wait_one(ep, TAP_PATIENCE_MS) == 4 && wait_one(ep, 12) == 0);
	CHECK(!timerfd_settime(t, 0, &(struct itimerspec){ 0 }, &its));
	CHECK(its.it_value.tv_nsec > 0 && its.it_value.tv_nsec <= 5000000);
	CHECK(wait_one(ep, 12) == 0);
	close(t);
	close(ep);
}

/* The end of a stream is no news for datagrams. */
static void test_foreign_end(void)
{
	struct epoll_event e = { .events = EPOLLOUT | EPOLLET, .data.u32 = 6 };
	int d[2], s[2], ep = epoll_create1(0);

	REQUIRE(!socketpair(AF_UNIX, SOCK_DGRAM, 0, d) && !socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, d[0], &e) && wait_one(ep, 0) == 6);
	CHECK(!shutdown(s[0], SHUT_RDWR) && wait_one(ep, 0) == 0);
	CHECK(!close(s[0]) && !close(s[1]) && wait_one(ep, 0) == 0);
	close(d[0]);
	close(d[1]);
	close(ep);
}

static void test_epoll_many(void)
{
	static struct epoll_event out[800];
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(0), ev = eventfd(1, 0), first, added = 0;
	unsigned char seen[800] = { 0 };
	int distinct = 0, n;

	CHECK((first = dup(ev)) >= 0);
	for (int i = 0; i < 600; i++) {
		e.data.u32 = (uint32_t)i;
		added += !epoll_ctl(ep, EPOLL_CTL_ADD, i ? dup(ev) : first, &e);
	}
	CHECK(added == 600);
	CHECK(epoll_wait(ep, out, 3, 0) == 3);
	CHECK((n = epoll_wait(ep, out, 800, 0)) == 600);
	for (int i = 0; i < n; i++)
		distinct += out[i].data.u32 < 800 && !seen[out[i].data.u32]++;
	CHECK(distinct == 600);
	CHECK(epoll_wait(ep, out, 500, 0) == 500);
	for (int i = 0; i < 600; i++)
		close(first + i);
	close(ev), close(ep);
}

static volatile int waiter_got;
static volatile pid_t waiter;

static void *exclusive_wait(void *arg)
{
	waiter = gettid();
	waiter_got = wait_one(*(int *)arg, -1);
	return NULL;
}

/* Of two sets that want a file exclusively one has a waiter: the event is for that one. */
static void test_exclusive(int waited_first)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLEXCLUSIVE, .data.u32 = 3 };
	int idle = epoll_create1(0), waited = epoll_create1(0), ev = eventfd(0, 0);
	int other = eventfd(0, 0);
	uint64_t v = 1;
	pthread_t t;

	CHECK(!epoll_ctl(waited_first ? waited : idle, EPOLL_CTL_ADD, ev, &e));
	CHECK(!epoll_ctl(waited_first ? idle : waited, EPOLL_CTL_ADD, ev, &e));
	CHECK_ERR(epoll_ctl(idle, EPOLL_CTL_MOD, ev, &e), EINVAL);
	e.events = EPOLLIN;
	CHECK_ERR(epoll_ctl(idle, EPOLL_CTL_MOD, ev, &e), EINVAL);
	e.events = EPOLLIN | EPOLLEXCLUSIVE;
	CHECK_ERR(epoll_ctl(idle, EPOLL_CTL_ADD, waited, &e), EINVAL);
	e.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
	CHECK_ERR(epoll_ctl(idle, EPOLL_CTL_ADD, other, &e), EINVAL);
	waiter_got = waiter = 0;
	REQUIRE(!pthread_create(&t, NULL, exclusive_wait, &waited));
	CHECK(EVENTUALLY(waiter && task_state(getpid(), waiter) == 'S'));
	CHECK(write(ev, &v, 8) == 8);
	pthread_join(t, NULL);
	CHECK(waiter_got == 3);
	CHECK(!epoll_ctl(idle, EPOLL_CTL_DEL, ev, NULL));
	close(idle), close(waited), close(ev), close(other);
}

/* Sets in sets: five deep, and no deeper. Edges come from what others do, not from reading. */
static void test_nesting(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int set[6], p[2], ep = epoll_create1(0);
	char c;

	for (int i = 0; i < 6; i++)
		set[i] = epoll_create1(0);
	for (int i = 0; i < 4; i++)
		CHECK(!epoll_ctl(set[i], EPOLL_CTL_ADD, set[i + 1], &e));
	CHECK_ERR(epoll_ctl(set[4], EPOLL_CTL_ADD, set[5], &e), ELOOP);
	CHECK_ERR(epoll_ctl(set[5], EPOLL_CTL_ADD, set[0], &e), ELOOP);
	CHECK_ERR(epoll_ctl(set[4], EPOLL_CTL_ADD, set[0], &e), ELOOP);
	for (int i = 0; i < 6; i++)
		close(set[i]);
	CHECK_ERR(epoll_wait(ep, (struct epoll_event *)-4096l, 1, 0), EFAULT);
	REQUIRE(!pipe(p));
	e.events = EPOLLIN | EPOLLET;
	e.data.u32 = 4;
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e));
	CHECK(write(p[1], "ab", 2) == 2 && wait_one(ep, 0) == 4);
	CHECK(read(p[0], &c, 1) == 1 && wait_one(ep, 0) == 0);
	CHECK(write(p[1], "c", 1) == 1 && wait_one(ep, 0) == 4);
	close(p[0]), close(p[1]), close(ep);
}

static volatile int usr1_seen;

static void on_usr1(int sig)
{
	usr1_seen++;
}

static long pwait2(int ep, struct epoll_event *e, int max, const struct timespec *ts,
		   const sigset_t *mask)
{
	return syscall(SYS_epoll_pwait2, ep, e, max, ts, mask, 8);
}

/* epoll_pwait2(2): time in nanoseconds, and signals that are let in while it waits. */
static void test_pwait2(void)
{
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = 11 };
	struct timespec none = { 0, 0 }, little = { 0, 1 }, bad = { 0, 1000000000 };
	int ep = epoll_create1(0), ev = eventfd(0, 0);
	sigset_t usr1, all_in;
	uint64_t v = 1;

	REQUIRE(ep >= 0 && ev >= 0 && !epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e));
	CHECK(pwait2(ep, &e, 1, &none, NULL) == 0 && pwait2(ep, &e, 1, &little, NULL) == 0);
	CHECK_ERR(pwait2(ep, &e, 1, &bad, NULL), EINVAL);
	CHECK_ERR(pwait2(ep, &e, 1, (void *)8, NULL), EFAULT);
	CHECK_ERR(pwait2(ep, &e, 0, &none, NULL), EINVAL);
	sigemptyset(&all_in);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	signal(SIGUSR1, on_usr1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	raise(SIGUSR1);
	CHECK(pwait2(ep, &e, 1, &little, NULL) == 0 && !usr1_seen);
	CHECK_ERR(pwait2(ep, &e, 1, NULL, &all_in), EINTR);
	CHECK(usr1_seen == 1);
	/* What is ready goes before the signal, which stays for when it is let in. */
	raise(SIGUSR1);
	CHECK(write(ev, &v, 8) == 8);
	CHECK(pwait2(ep, &e, 1, NULL, &all_in) == 1 && e.data.u32 == 11 && usr1_seen == 1);
	sigprocmask(SIG_UNBLOCK, &usr1, NULL);
	CHECK(usr1_seen == 2);
	CHECK(pwait2(ep, &e, 1, NULL, NULL) == 1);
	signal(SIGUSR1, SIG_DFL);
	close(ep), close(ev);
}

/* How many files a user may have in sets. */
static void test_epoll_limit(void)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(0), a = eventfd(0, 0), b = eventfd(0, 0), was = 0;
	FILE *f = fopen("/proc/sys/fs/epoll/max_user_watches", "r+");

	if (geteuid() || !CHECK(f && fscanf(f, "%d", &was) == 1 && was > 1000))
		return;
	rewind(f);
	CHECK(fprintf(f, "1\n") == 2 && !fflush(f));
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, a, &e));
	CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, b, &e), ENOSPC);
	CHECK(!epoll_ctl(ep, EPOLL_CTL_DEL, a, NULL));
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, b, &e));
	rewind(f);
	fprintf(f, "%d\n", was);
	fclose(f);
	close(ep), close(a), close(b);
}

int main(void)
{
	alarm(TAP_LIMIT);
	test_eventfd();
	test_timerfd();
	test_epoll();
	test_timer_edges();
	test_foreign_end();
	test_epoll_many();
	test_exclusive(0);
	test_exclusive(1);
	test_nesting();
	test_pwait2();
	test_epoll_limit();
	return tap_done();
}
