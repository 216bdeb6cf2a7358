/*
 * pty(7), termios(3): modes, editing, signals, windows, packet mode, ends of either side, sessions.
 */
#define _GNU_SOURCE
#include <time.h>
#include <unistd.h>
#include "terminal.h"

/* Whether an echo came before it is open: it may have been flushed. */
static int reads_up_to(int fd, char last)
{
	ssize_t n;

	do
		n = has(fd) ? read(fd, buf, sizeof(buf)) : -1;
	while (n > 0 && buf[n - 1] != last);
	return n > 0;
}

static void test_editing(void)
{
	struct termios t;
	int m, s, n;

	pair(&m, &s);
	CHECK(isatty(s) && isatty(m));
	CHECK(!tcgetattr(s, &t) && (t.c_lflag & ICANON) && (t.c_iflag & ICRNL) &&
	      t.c_cc[VINTR] == 3);
	CHECK(cfgetospeed(&t) == B38400);
	CHECK(types(m, "hellp\177o\r") && reads(m, "hellp\b \bo\r\n"));
	CHECK(!ioctl(s, FIONREAD, &n) && n == 6);
	CHECK(reads(s, "hello\n"));
	CHECK(types(m, "ab\004") && has(s) && read(s, buf, 9) == 2);
	CHECK(types(m, "\004") && has(s) && read(s, buf, 9) == 0);
	reads(m, "ab");
	CHECK(write(s, "x\ny", 3) == 3 && reads(m, "x\r\ny"));
	t.c_lflag &= ~(tcflag_t)ECHO;
	CHECK(!tcsetattr(s, TCSANOW, &t) && types(m, "quiet\n") && reads(s, "quiet\n") &&
	      silent(m));
	close(s);
	close(m);
}

static void test_raw(void)
{
	struct timespec begin;
	struct termios t;
	int m, s;

	pair(&m, &s);
	tcgetattr(s, &t);
	cfmakeraw(&t);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 0;
	CHECK(!tcsetattr(s, TCSAFLUSH, &t) && read(s, buf, 9) == 0);
	CHECK(types(m, "\003\r\n\177") && reads(s, "\003\r\n\177") && silent(m));
	t.c_cc[VTIME] = 2;
	tcsetattr(s, TCSANOW, &t);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	CHECK(read(s, buf, 9) == 0 && ms_since(&begin) >= 190);
	t.c_cc[VMIN] = 3;
	tcsetattr(s, TCSANOW, &t);
	CHECK(types(m, "ab"));
	clock_gettime(CLOCK_MONOTONIC, &begin);
	CHECK(read(s, buf, 9) == 2 && ms_since(&begin) >= 190);
	CHECK(types(m, "abc") && read(s, buf, 2) == 2 && read(s, buf, 9) == 1);
	t.c_cc[VTIME] = 0;
	tcsetattr(s, TCSANOW, &t);
	if (fork() == 0) {
		EVENTUALLY(is_asleep(getppid()));
		types(m, "1");
		EVENTUALLY(is_asleep(getppid()));
		types(m, "23");
		_exit(0);
	}
	CHECK(read(s, buf, 9) == 3);
	wait(NULL);
	fcntl(s, F_SETFL, O_NONBLOCK);
	CHECK_ERR(read(s, buf, 9), EAGAIN);
	CHECK(write(s, "a\nb", 3) == 3 && reads(m, "a\nb"));
	close(s);
	close(m);
}

static void test_ioctls(void)
{
	struct winsize ws = { 24, 80, 0, 0 }, got;
	int m, s, n, p[2], peer;

	pair(&m, &s);
	CHECK(!ioctl(m, TIOCSWINSZ, &ws) && !ioctl(s, TIOCGWINSZ, &got) && got.ws_row == 24 &&
	      got.ws_col == 80);
	CHECK(!ioctl(s, TIOCGETD, &n) && n == 0);
	CHECK_ERR(ioctl(s, TIOCGPTN, &n), ENOTTY);
	CHECK_ERR(ioctl(s, 0x5499, &n), ENOTTY);
	CHECK_ERR(ioctl(s, TIOCGPGRP, &n), ENOTTY);
	CHECK_ERR(tcsetpgrp(s, getpgrp()), ENOTTY);
	REQUIRE(!pipe(p));
	CHECK_ERR(ioctl(p[0], TCGETS, buf), ENOTTY);
	CHECK_ERR(ioctl(p[0], TIOCGWINSZ, buf), ENOTTY);
	CHECK(write(s, "drop", 4) == 4 && !tcflush(m, TCIFLUSH) && silent(m));
	CHECK(types(m, "drop\n") && !tcflush(s, TCIFLUSH) && silent(s));
	CHECK_ERR(tcflush(s, 7), EINVAL);
	CHECK(!tcdrain(s) && !tcsendbreak(s, 0));
	peer = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	CHECK(peer >= 0 && !strcmp(ttyname(peer) ? ttyname(peer) : "", ttyname(s)));
	CHECK(!tcflow(s, TCOOFF));
	fcntl(s, F_SETFL, O_NONBLOCK);
	CHECK_ERR(write(s, "x", 1), EAGAIN);
	CHECK(!tcflow(s, TCOON) && write(s, "x", 1) == 1);
	n = 1;
	CHECK(reads_up_to(m, 'x') && !ioctl(m, TIOCPKT, &n));
	memset(buf, 1, 4);
	CHECK(write(s, "pk", 2) == 2 && has(m) && read(m, buf, 9) == 3 && !memcmp(buf, "\0pk", 3));
	CHECK(!tcflush(s, TCIFLUSH) && has(m) && read(m, buf, 9) == 1 &&
	      (buf[0] & TIOCPKT_FLUSHREAD));
	close(peer);
	close(s);
	close(m);
}

static void test_ends(void)
{
	struct pollfd f;
	int m, s;

	pair(&m, &s);
	CHECK(write(s, "last", 4) == 4);
	close(s);
	CHECK(reads(m, "last"));
	f = (struct pollfd){ m, POLLIN, 0 };
	CHECK(poll(&f, 1, 0) == 1 && (f.revents & POLLHUP));
	CHECK_ERR(read(m, buf, 1), EIO);
	close(m);
	pair(&m, &s);
	close(m);
	f = (struct pollfd){ s, POLLIN, 0 };
	CHECK(poll(&f, 1, TAP_PATIENCE_MS) == 1 && (f.revents & POLLHUP));
	CHECK(read(s, buf, 1) <= 0);
	CHECK_ERR(write(s, "x", 1), EIO);
	close(s);
}

/* Many at once, with distinct numbers, and names that go with the master. */
static void test_many(void)
{
	int m[300], n, made = 0, distinct = 1, last = -1;
	char name[32];

	for (; made < 300; made++) {
		m[made] = open("/dev/ptmx", O_RDWR | O_NOCTTY);
		if (m[made] < 0 || ioctl(m[made], TIOCGPTN, &n))
			break;
		distinct &= n > last;
		last = n;
	}
	CHECK(made == 300);
	CHECK(distinct);
	snprintf(name, sizeof(name), "/dev/pts/%d", last);
	CHECK(!access(name, F_OK));
	while (made)
		close(m[--made]);
	CHECK_ERR(access(name, F_OK), ENOENT);
}

static volatile int got_int, got_winch, got_hup;

static void on_signal(int sig)
{
	got_int += sig == SIGINT;
	got_winch += sig == SIGWINCH;
	got_hup += sig == SIGHUP;
}

static void await(volatile int *what)
{
	EVENTUALLY(*what);
}

/*
 * The session's side; exit status 0 when all went as it should, else the number of the step that
 * did not.
 */
static int session(const char *name, int m)
{
	static const int sigs[] = { SIGINT, SIGWINCH, SIGHUP, SIGTTOU };
	int s, status, background;

	for (unsigned i = 0; i < 3; i++)
		signal(sigs[i], on_signal);
	if (setsid() < 0)
		return 1;
	s = open(name, O_RDWR);
	close(m);
	if (s < 0 || tcgetpgrp(s) != getpid() || tcgetsid(s) != getpid())
		return 2;
	background = open("/dev/tty", O_RDWR);
	if (background < 0)
		return 3;
	close(background);
	if (write(s, "R", 1) != 1)
		return 4;
	await(&got_int);
	await(&got_winch);
	if (!got_int || !got_winch)
		return 5;
	background = fork();
	if (background == 0) {
		setpgid(0, 0);
		read(s, buf, 1);
		_exit(0);
	}
	setpgid(background, background);
	if (waitpid(background, &status, WUNTRACED) != background || !WIFSTOPPED(status) ||
	    WSTOPSIG(status) != SIGTTIN)
		return 6;
	if (tcsetpgrp(s, background) || tcgetpgrp(s) != background)
		return 7;
	signal(SIGTTOU, SIG_IGN);
	if (tcsetpgrp(s, getpid()))
		return 8;
	kill(background, SIGKILL);
	kill(background, SIGCONT);
	waitpid(background, &status, 0);
	if (tcsetpgrp(s, 1) != -1 || errno != EPERM)
		return 9;
	if (write(s, "D", 1) != 1)
		return 10;
	await(&got_hup);
	if (!got_hup || read(s, buf, 1) != 0 || write(s, "x", 1) != -1 || errno != EIO)
		return 11;
	return open("/dev/tty", O_RDWR) == -1 && errno == ENXIO ? 0 : 12;
}

static void test_session(void)
{
	struct winsize ws = { 11, 22, 0, 0 };
	char name[32];
	int m, s, status;
	pid_t pid;

	pair(&m, &s);
	snprintf(name, sizeof(name), "%s", ttyname(s));
	pid = fork();
	if (pid == 0) {
		close(s);
		_exit(session(name, m));
	}
	CHECK(reads(m, "R"));
	close(s);
	CHECK(types(m, "\003") && reads(m, "^C"));
	CHECK(!ioctl(m, TIOCSWINSZ, &ws));
	CHECK(reads(m, "D"));
	close(m);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(status == 0);
	if (status)
		printf("# step %d\n", WEXITSTATUS(status));
}

/* What a session leader wrote last is not lost when it exits. */
static void test_last_words(void)
{
	char name[32];
	int m, s, status;
	pid_t pid;

	pair(&m, &s);
	snprintf(name, sizeof(name), "%s", ttyname(s));
	pid = fork();
	if (pid == 0) {
		close(s);
		setsid();
		s = open(name, O_RDWR);
		_exit(write(s, "bye", 3) != 3);
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	close(s);
	CHECK(reads(m, "bye"));
	CHECK_ERR(read(m, buf, 1), EIO);
	close(m);
}

/* A writer whose next character does not fit waits, and a signal ends that. */
static void test_little_room(void)
{
	int m, s, status;
	struct termios t;
	pid_t pid;

	pair(&m, &s);
	tcgetattr(s, &t);
	t.c_oflag |= OPOST | ONLCR;
	tcsetattr(s, TCSANOW, &t);
	fcntl(s, F_SETFL, O_NONBLOCK);
	memset(buf, 'x', sizeof(buf));
	/* What was written may move on to the other side for a while. */
	CHECK(EVENTUALLY(write(s, buf, sizeof(buf)) == -1 && errno == EAGAIN));
	CHECK(read(m, buf, 1) == 1);
	fcntl(s, F_SETFL, 0);
	pid = fork();
	if (pid == 0) {
		alarm(1);
		memset(buf, '\n', sizeof(buf));
		for (;;)
			write(s, buf, sizeof(buf));
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGALRM);
	close(s);
	close(m);
}

int main(void)
{
	test_little_room();
	test_editing();
	test_raw();
	test_ioctls();
	test_ends();
	test_many();
	test_session();
	test_last_words();
	return tap_done();
}
