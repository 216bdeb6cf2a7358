#pragma once
/* Pseudo terminals: made, used, made a controlling terminal, hung up. */
#include <sys/ioctl.h>
#include <termios.h>
#include "engine.h"

static long use_terminal(void)
{
	struct termios t;
	struct winsize w = { 24, 80, 0, 0 };
	char name[32], buf[64];
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), s = -1, n, unlocked = 0;
	long r = m < 0 ? -1 : ioctl(m, TIOCSPTLCK, &unlocked);

	if (!r)
		r = ioctl(m, TIOCGPTN, &n);
	if (!r) {
		snprintf(name, sizeof(name), "/dev/pts/%d", n);
		r = s = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
	}
	if (r >= 0)
		r = tcgetattr(s, &t);
	if (r >= 0)
		r = tcsetattr(s, TCSANOW, &t);
	if (r >= 0)
		r = ioctl(s, TIOCSWINSZ, &w);
	if (r >= 0)
		r = write(s, "to the master\n", 14);
	if (r >= 0)
		r = write(m, "to the program\n", 15);
	if (r >= 0)
		r = read(m, buf, sizeof(buf));
	KEEP_ERRNO((closed(s), closed(m), 0));
	return r;
}

static long do_session(void)
{
	int m = -1, s = -1, n, unlocked = 0;
	char name[32];
	long r = setsid();

	if (r >= 0)
		r = m = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (r >= 0)
		r = ioctl(m, TIOCSPTLCK, &unlocked);
	if (r >= 0)
		r = ioctl(m, TIOCGPTN, &n);
	if (r >= 0) {
		snprintf(name, sizeof(name), "/dev/pts/%d", n);
		r = s = open(name, O_RDWR);
	}
	if (r >= 0)
		r = open("/dev/tty", O_RDWR);
	return r < 0 ? -1 : 0;
}

/* The master is closed by the end of the child: its session is hung up. */
static long do_session_child(void)
{
	return in_child(do_session, 0);
}

static const struct op terminal_ops[] = {
	{ "pty", use_terminal, .errs = { ENFILE, ENOSPC } },
	{ "session with a terminal", do_session_child, .child = 1, .errs = { ENFILE, ENOSPC } },
	{ NULL },
};
