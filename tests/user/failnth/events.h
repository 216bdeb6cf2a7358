#pragma once
/* Waiting: poll, select, epoll, eventfd, timerfd, signalfd, asynchronous I/O by signals. */
#include <linux/keyctl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include "engine.h"

static int event_pipe[2];

static int event_pipe_make(void)
{
	return pipe(event_pipe);
}

static void event_pipe_drop(void)
{
	close(event_pipe[0]);
	close(event_pipe[1]);
}

static long do_epoll(void)
{
	struct epoll_event ev = { .events = EPOLLIN }, got[2];
	int ep = epoll_create1(0), outer = -1;
	long r;

	if (ep < 0)
		return -1;
	r = epoll_ctl(ep, EPOLL_CTL_ADD, event_pipe[0], &ev);
	if (!r)
		r = outer = epoll_create1(0);
	if (r >= 0)
		r = epoll_ctl(outer, EPOLL_CTL_ADD, ep, &ev);
	if (r >= 0)
		r = epoll_wait(outer, got, 2, 0);
	KEEP_ERRNO((closed(outer), close(ep)));
	return r;
}

static long do_poll(void)
{
	struct pollfd p[300];

	for (int i = 0; i < 300; i++)
		p[i] = (struct pollfd){ event_pipe[0], POLLIN, 0 };
	return poll(p, 300, 0);
}

static long do_select(void)
{
	struct timeval soon = { 0, 1 };
	fd_set set;

	FD_ZERO(&set);
	FD_SET(event_pipe[0], &set);
	return select(FD_SETSIZE, &set, NULL, NULL, &soon);
}

static long do_eventfd(void)
{
	uint64_t one = 1;
	int fd = eventfd(0, EFD_NONBLOCK);
	long r;

	if (fd < 0)
		return -1;
	r = write(fd, &one, 8);
	if (r >= 0)
		r = read(fd, &one, 8);
	KEEP_ERRNO(close(fd));
	return r;
}

static long do_timerfd(void)
{
	struct itimerspec far = { .it_value.tv_sec = 5000 };
	int fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
	long r;

	if (fd < 0)
		return -1;
	r = timerfd_settime(fd, 0, &far, NULL);
	KEEP_ERRNO(close(fd));
	return r;
}

static long do_signalfd(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	fd = signalfd(-1, &set, SFD_NONBLOCK);
	return closed(fd) < 0 ? -1 : 0;
}

/* An owner and O_ASYNC: the file's list of who is told. */
static long do_sigio(void)
{
	int fd[2];
	long r;

	if (pipe(fd))
		return -1;
	r = fcntl(fd[0], F_SETOWN, getpid());
	if (!r)
		r = fcntl(fd[0], F_SETFL, O_ASYNC);
	KEEP_ERRNO((close(fd[0]), close(fd[1])));
	return r;
}

static long keyctl(int op, long a, long b, long c)
{
	return syscall(SYS_keyctl, op, a, b, c, 0);
}

/* A session of its own with keys in it, and the user's persistent keyring. */
static long do_keys(void)
{
	static char big[20000];
	const long s = KEY_SPEC_SESSION_KEYRING;
	long r = keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0);

	if (r >= 0)
		r = syscall(SYS_add_key, "keyring", "ring", NULL, 0, s);
	for (int i = 0; r >= 0 && i < 5; i++) {
		char name[] = { 'a' + i, 0 };

		r = syscall(SYS_add_key, "user", name, "x", 1, s);
	}
	if (r >= 0)
		r = syscall(SYS_add_key, "big_key", "big", big, sizeof(big), s);
	if (r >= 0)
		r = keyctl(KEYCTL_READ, r, (long)big, sizeof(big));
	if (r >= 0)
		r = keyctl(KEYCTL_GET_PERSISTENT, -1, s, 0);
	if (r >= 0)
		KEEP_ERRNO(keyctl(KEYCTL_INVALIDATE, r, 0, 0));
	return r;
}

static void keys_drop(void)
{
	keyctl(KEYCTL_CLEAR, KEY_SPEC_SESSION_KEYRING, 0, 0);
}

/* A context with its ring; an exit without an end to it is the child's. */
static long do_aio(void)
{
	unsigned long ctx = 0;
	long r = syscall(SYS_io_setup, 100, &ctx);

	if (r >= 0)
		KEEP_ERRNO(syscall(SYS_io_destroy, ctx));
	return r;
}

static long aio_left(void)
{
	unsigned long ctx = 0;

	return syscall(SYS_io_setup, 100, &ctx);
}

static long do_aio_left(void)
{
	return in_child(aio_left, 0);
}

#define WITH_PIPE .before = event_pipe_make, .after = event_pipe_drop

static const struct op event_ops[] = {
	{ "epoll", do_epoll, WITH_PIPE, { ENFILE } },
	{ "poll of many", do_poll, WITH_PIPE },
	{ "select", do_select, WITH_PIPE },
	{ "eventfd", do_eventfd, .errs = { ENFILE } },
	{ "timerfd", do_timerfd, .errs = { ENFILE } },
	{ "signalfd", do_signalfd, .errs = { ENFILE } },
	{ "signals of a file", do_sigio, .errs = { ENFILE } },
	{ "keys", do_keys, .after = keys_drop },
	{ "asynchronous i/o", do_aio },
	{ "asynchronous i/o, left", do_aio_left, .child = 1 },
	{ NULL },
};
