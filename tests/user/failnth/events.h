#pragma once
/* Waiting: poll, select, epoll, eventfd, timerfd, signalfd, asynchronous I/O by signals. */
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

#define WITH_PIPE .before = event_pipe_make, .after = event_pipe_drop

static const struct op event_ops[] = {
	{ "epoll", do_epoll, WITH_PIPE, { ENFILE } },
	{ "poll of many", do_poll, WITH_PIPE },
	{ "select", do_select, WITH_PIPE },
	{ "eventfd", do_eventfd, .errs = { ENFILE } },
	{ "timerfd", do_timerfd, .errs = { ENFILE } },
	{ "signalfd", do_signalfd, .errs = { ENFILE } },
	{ "signals of a file", do_sigio, .errs = { ENFILE } },
	{ NULL },
};
