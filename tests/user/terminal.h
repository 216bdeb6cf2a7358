#pragma once
/*
 * What the tests of terminals share: a pty and bounded waits for what comes out of either end.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include "tap.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

static char buf[16384];

/* A new pair; the slave without becoming the controlling terminal. */
static inline void pair(int *m, int *s)
{
	int unlock = 0, n = -1;
	char name[32];

	*m = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (*m < 0 || ioctl(*m, TIOCGPTN, &n) || ioctl(*m, TIOCSPTLCK, &unlock))
		REQUIRE(!"a pty with a number, unlocked");
	snprintf(name, sizeof(name), "/dev/pts/%d", n);
	*s = open(name, O_RDWR | O_NOCTTY);
	if (*s < 0)
		REQUIRE(!"the slave opens");
}

static inline int events(int fd, short wanted, int ms)
{
	struct pollfd p = { fd, wanted, 0 };

	return poll(&p, 1, ms) > 0 ? p.revents : 0;
}

/* Is there to be read what must come. */
static inline int has(int fd)
{
	return events(fd, POLLIN, TAP_PATIENCE_MS) & POLLIN;
}

/* Nothing comes: by now, as what would be wrong could come later. */
static inline int silent(int fd)
{
	return !(events(fd, POLLIN, 100) & POLLIN);
}

/* Exactly @n bytes at @want come, in as many pieces as may be. */
static inline int reads_n(int fd, const char *want, size_t len)
{
	size_t n = 0;

	memset(buf, 0, sizeof(buf));
	while (n < len && has(fd)) {
		ssize_t c = read(fd, buf + n, len - n);

		if (c <= 0)
			break;
		n += (size_t)c;
	}
	if (n == len && !memcmp(buf, want, len))
		return 1;
	printf("# read %zu bytes: \"%s\"\n", n, buf);
	return 0;
}

static inline int reads(int fd, const char *want)
{
	return reads_n(fd, want, strlen(want));
}

static inline int types(int fd, const char *s)
{
	return write(fd, s, strlen(s)) == (ssize_t)strlen(s);
}

static inline long ms_since(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - from->tv_sec) * 1000 + (now.tv_nsec - from->tv_nsec) / 1000000;
}

/* Change flags of the terminal at once. */
static inline void modes(int fd, tcflag_t i_off, tcflag_t i_on, tcflag_t l_off, tcflag_t l_on)
{
	struct termios t;

	if (tcgetattr(fd, &t))
		REQUIRE(!"tcgetattr");
	t.c_iflag = (t.c_iflag & ~i_off) | i_on;
	t.c_lflag = (t.c_lflag & ~l_off) | l_on;
	if (tcsetattr(fd, TCSANOW, &t))
		REQUIRE(!"tcsetattr");
}

/* Raw, with VMIN and VTIME. */
static inline void raw(int fd, int min, int tenths)
{
	struct termios t;

	if (tcgetattr(fd, &t))
		REQUIRE(!"tcgetattr");
	cfmakeraw(&t);
	t.c_cc[VMIN] = (cc_t)min;
	t.c_cc[VTIME] = (cc_t)tenths;
	if (tcsetattr(fd, TCSANOW, &t))
		REQUIRE(!"tcsetattr");
}

/* An unprivileged child runs @f; true when it returns 0. */
static inline int as_nobody(int (*f)(int, int), int a, int b)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(setgid(65534) || setuid(65534) ? 99 : f(a, b));
	if (waitpid(pid, &status, 0) != pid || status)
		printf("# status %#x\n", status);
	return status == 0;
}
