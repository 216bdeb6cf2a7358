/*
 * Terminals and sessions: who gets a controlling terminal and how it is lost, whom keys, windows
 * and hangups signal, and what groups in the background may do. ioctl_tty(2), setsid(2),
 * vhangup(2), POSIX.1 11.1.
 *
 * Signals are blocked in the processes that are watched: one that was sent is pending when the
 * call that sent it returns, so that its absence can be seen as well, without waiting.
 */
#define _GNU_SOURCE
#include <asm/ioctls.h>
#include <sys/prctl.h>
#include "terminal.h"

#define HUP 1
#define CONT 2
#define WINCH 4
#define INT 8
#define QUIT 16
#define TSTP 32
#define TTOU 64

static const struct {
	int sig, bit;
} watched[] = { { SIGHUP, HUP },   { SIGCONT, CONT }, { SIGWINCH, WINCH }, { SIGINT, INT },
		{ SIGQUIT, QUIT }, { SIGTSTP, TSTP }, { SIGTTOU, TTOU } };

static void watch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (unsigned i = 0; i < sizeof(watched) / sizeof(*watched); i++)
		sigaddset(&set, watched[i].sig);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* What was sent to the caller since it last asked. */
static int got_signals(void)
{
	struct timespec now = { 0, 0 };
	sigset_t set;
	int bits = 0;

	for (unsigned i = 0; i < sizeof(watched) / sizeof(*watched); i++) {
		sigemptyset(&set);
		sigaddset(&set, watched[i].sig);
		if (sigtimedwait(&set, NULL, &now) == watched[i].sig)
			bits |= watched[i].bit;
	}
	return bits;
}

/* These come, sooner or later, and no others. */
static int in_the_end(int bits)
{
	int got = 0;

	return EVENTUALLY((got |= got_signals()) == bits);
}

/* In processes of a test: end with the step that failed. */
#define STEP(x)                                                                       \
	do {                                                                          \
		errno = 0;                                                            \
		if (!(x)) {                                                           \
			printf("# line %d: %s: errno %d (%s)\n", __LINE__, #x, errno, \
			       strerror(errno));                                      \
			fflush(stdout);                                               \
			_exit(1);                                                     \
		}                                                                     \
	} while (0)
#define STEP_ERR(call, e) STEP((call) == -1 && errno == (e))

static int m, s; /* the pair of a test */
static char name[32]; /* the slave's */

/*
 * Run @f as leader of a session of its own without terminal, signals watched. @m and @s are open
 * in both processes; the parent's own part is @parent.
 */
static int in_session(void (*f)(void), void (*parent)(void))
{
	pid_t pid;
	int status, n;

	pair(&m, &s);
	ioctl(m, TIOCGPTN, &n);
	snprintf(name, sizeof(name), "/dev/pts/%d", n);
	modes(s, 0, 0, ECHO, 0);
	pid = fork();
	if (pid == 0) {
		watch_signals();
		STEP(setsid() == getpid());
		f();
		_exit(0);
	}
	if (parent)
		parent();
	if (waitpid(pid, &status, 0) != pid || status)
		printf("# status %#x\n", status);
	close(m);
	close(s);
	return status == 0;
}

/* A process beside the leader that tells on demand what it was sent. */
struct member {
	pid_t pid;
	int ask;
};

static struct member member_start(int own_group)
{
	int ask[2], ready[2];
	struct member k;
	char c;

	STEP(!pipe(ask) && !pipe(ready));
	k.pid = fork();
	if (k.pid == 0) {
		close(ask[1]);
		if (own_group)
			setpgid(0, 0);
		got_signals();
		STEP(write(ready[1], "r", 1) == 1);
		STEP(read(ask[0], &c, 1) == 1);
		_exit(got_signals());
	}
	if (own_group)
		setpgid(k.pid, k.pid);
	STEP(read(ready[0], &c, 1) == 1);
	close(ready[0]);
	close(ready[1]);
	close(ask[0]);
	k.ask = ask[1];
	return k;
}

static int member_got(struct member k)
{
	int status;

	STEP(write(k.ask, "?", 1) == 1);
	STEP(waitpid(k.pid, &status, 0) == k.pid && WIFEXITED(status));
	close(k.ask);
	return WEXITSTATUS(status);
}

/* Does the caller have a controlling terminal? */
static int has_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR), err = errno;

	close(fd);
	errno = err;
	return fd >= 0;
}

static int foreground(int group)
{
	signal(SIGTTOU, SIG_IGN);
	return !tcsetpgrp(s, group) && tcgetpgrp(s) == group;
}

static int child(void (*f)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		f();
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static void not_leader(void)
{
	STEP_ERR(ioctl(s, TIOCSCTTY, 0), EPERM);
	STEP_ERR(ioctl(s, TIOCSCTTY, 1), EPERM);
	STEP_ERR(ioctl(s, TIOCNOTTY), ENOTTY);
}

static void acquire(void)
{
	int fd, other_m, other_s, n;

	STEP(!has_terminal() && errno == ENXIO);
	STEP_ERR(ioctl(s, TIOCNOTTY), ENOTTY);
	STEP_ERR(ioctl(s, TIOCGSID, &n), ENOTTY);
	STEP_ERR(ioctl(m, TIOCGSID, &n), ENOTTY);
	STEP(!ioctl(m, TIOCGPGRP, &n) && n == 0);
	STEP(child(not_leader));
	STEP((fd = open(name, O_RDWR | O_NOCTTY)) >= 0 && !has_terminal());
	close(fd);
	STEP((fd = open(name, O_WRONLY)) >= 0 && !has_terminal());
	close(fd);
	STEP((fd = open(name, O_RDONLY)) >= 0 && has_terminal());
	STEP(tcgetsid(s) == getpid() && tcgetpgrp(s) == getpgrp());
	STEP(!ioctl(m, TIOCGSID, &n) && n == getpid());
	STEP(!ioctl(m, TIOCGPGRP, &n) && n == getpgrp());
	STEP(!ioctl(s, TIOCSCTTY, 0)); /* has it already */
	pair(&other_m, &other_s);
	STEP_ERR(ioctl(other_s, TIOCSCTTY, 1), EPERM); /* has another one */
	STEP_ERR(ioctl(other_s, TIOCGPGRP, &n), ENOTTY);
	STEP_ERR(ioctl(other_s, TIOCNOTTY), ENOTTY);
	STEP((fd = open("/dev/tty", O_RDWR)) >= 0 && types(fd, "me\n") && reads(m, "me\r\n"));
}

static void by_request(void)
{
	STEP(!ioctl(s, TIOCSCTTY, 0) && has_terminal());
}

static void by_master(void)
{
	STEP(!ioctl(m, TIOCSCTTY, 0) && has_terminal() && tcgetsid(s) == getpid());
}

static void write_only(void)
{
	int fd = open(name, O_WRONLY | O_NOCTTY);

	STEP(!setgid(65534) && !setuid(65534));
	STEP_ERR(ioctl(fd, TIOCSCTTY, 0), EPERM);
	STEP(!ioctl(s, TIOCSCTTY, 0) && has_terminal());
}

static int turn[2][2]; /* pipes: to the thief, from it */

static void wait_turn(int who)
{
	char c;

	STEP(read(turn[who][0], &c, 1) == 1);
}

static void give_turn(int who)
{
	STEP(write(turn[who][1], "t", 1) == 1);
}

static void thief(void)
{
	STEP(setsid() == getpid());
	give_turn(1);
	wait_turn(0);
	STEP_ERR(ioctl(s, TIOCSCTTY, 0), EPERM);
	STEP(!ioctl(s, TIOCSCTTY, 1));
	STEP(has_terminal() && tcgetsid(s) == getpid() && tcgetpgrp(s) == getpid());
	give_turn(1);
	wait_turn(0);
}

static void stolen_from(void)
{
	pid_t pid;
	int status;

	STEP(!pipe(turn[0]) && !pipe(turn[1]));
	pid = fork();
	if (pid == 0) {
		thief();
		_exit(0);
	}
	wait_turn(1);
	STEP(!ioctl(s, TIOCSCTTY, 0));
	give_turn(0);
	wait_turn(1);
	STEP(!has_terminal() && got_signals() == 0);
	STEP(types(s, "still open\n") && reads(m, "still open\r\n"));
	give_turn(0);
	STEP(waitpid(pid, &status, 0) == pid && status == 0);
}

static void drops_it(void)
{
	STEP(has_terminal() && !ioctl(s, TIOCNOTTY) && !has_terminal());
	STEP_ERR(ioctl(s, TIOCNOTTY), ENOTTY);
	STEP(types(s, "x") && reads(m, "x"));
}

static void lose_by_request(void)
{
	struct member front, back;
	int n;

	STEP(!ioctl(s, TIOCSCTTY, 0));
	STEP(child(drops_it) && has_terminal() && got_signals() == 0);
	front = member_start(1);
	back = member_start(1);
	STEP(foreground(front.pid));
	STEP(!ioctl(s, TIOCNOTTY) && !has_terminal());
	STEP(got_signals() == 0);
	STEP(member_got(front) == (HUP | CONT));
	STEP(member_got(back) == 0);
	STEP_ERR(ioctl(m, TIOCGSID, &n), ENOTTY);
	STEP(types(s, "not hung up\n") && reads(m, "not hung up\r\n"));
	STEP(!ioctl(s, TIOCSCTTY, 0) && has_terminal());
}

static struct member front, back;
static int told[2];

static void stays_for_hup(void)
{
	int status;
	pid_t pid;

	/* Its end shows in its child: the foreground is told when the leader goes. */
	STEP(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	STEP(!pipe(told));
	pid = fork();
	if (pid == 0) {
		int ask[2], ready[2];
		char c;

		STEP(setsid() == getpid() && !ioctl(s, TIOCSCTTY, 0));
		STEP(!pipe(ask) && !pipe(ready));
		if (fork() == 0) {
			close(ask[1]);
			setpgid(0, 0);
			STEP(foreground(getpid()));
			signal(SIGTTOU, SIG_DFL);
			got_signals();
			STEP(write(ready[1], "r", 1) == 1);
			STEP(read(ask[0], &c, 1) == 0); /* the leader is gone */
			STEP(EVENTUALLY(getppid() != getsid(0)));
			STEP(in_the_end(HUP));
			c = (char)(HUP | got_signals());
			STEP(!has_terminal());
			STEP(types(s, "yet\n"));
			STEP(write(told[1], &c, 1) == 1);
			_exit(0);
		}
		STEP(read(ready[0], &c, 1) == 1);
		_exit(0);
	}
	STEP(waitpid(pid, &status, 0) == pid && status == 0);
	char c = 0;
	STEP(read(told[0], &c, 1) == 1);
	STEP(c == HUP); /* and no SIGCONT: nobody was stopped */
	STEP(reads(m, "yet\r\n"));
	STEP(wait(&status) > 0 && status == 0);
}

/* The master closes: the leader is told, the foreground only when the leader ends. */
static void line_drops(void)
{
	int status;
	pid_t pid, group;

	STEP(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	STEP(!pipe(told));
	pid = fork();
	if (pid == 0) {
		int ask[2], ready[2];
		char c;

		STEP(setsid() == getpid() && !ioctl(s, TIOCSCTTY, 0));
		STEP(!pipe(ask) && !pipe(ready));
		group = fork();
		if (group == 0) {
			close(m);
			close(ask[1]);
			setpgid(0, 0);
			got_signals();
			STEP(write(ready[1], "r", 1) == 1);
			STEP(read(ask[0], &c, 1) == 1);
			STEP(got_signals() == 0);
			STEP(write(ready[1], "r", 1) == 1);
			STEP(read(ask[0], &c, 1) == 0);
			STEP(EVENTUALLY(getppid() != getsid(0)));
			STEP(in_the_end(HUP | CONT));
			c = HUP | CONT;
			STEP(write(told[1], &c, 1) == 1);
			_exit(0);
		}
		STEP(read(ready[0], &c, 1) == 1);
		STEP(foreground(group));
		STEP(write(told[1], "c", 1) == 1);
		close(m);
		STEP(EVENTUALLY(!has_terminal()));
		STEP(in_the_end(HUP | CONT)); /* the terminal goes first, then they come */
		STEP(read(s, &c, 1) == 0);
		STEP_ERR(write(s, "x", 1), EIO);
		STEP(write(ask[1], "?", 1) == 1);
		STEP(read(ready[0], &c, 1) == 1);
		_exit(0);
	}
	char c = 0;
	STEP(read(told[0], &c, 1) == 1);
	close(m);
	STEP(waitpid(pid, &status, 0) == pid && status == 0);
	STEP(read(told[0], &c, 1) == 1);
	STEP(c == (HUP | CONT));
	STEP(wait(&status) > 0 && status == 0);
}

static void close_master(void)
{
	close(m);
	m = -1;
}

static void cannot_hang_up(void)
{
	STEP(!setgid(65534) && !setuid(65534));
	STEP_ERR(vhangup(), EPERM);
	STEP_ERR(ioctl(s, TIOCVHANGUP), EPERM);
}

static void hang_up(void)
{
	int fd;
	char c;

	STEP(!ioctl(s, TIOCSCTTY, 0));
	front = member_start(1);
	STEP(child(cannot_hang_up) && has_terminal());
	STEP(!vhangup() && !has_terminal());
	STEP(got_signals() == (HUP | CONT));
	STEP(member_got(front) == 0);
	STEP(read(s, &c, 1) == 0);
	STEP_ERR(write(s, "x", 1), EIO);
	STEP((events(s, POLLIN | POLLOUT, 0) & (POLLIN | POLLOUT | POLLHUP | POLLERR)) ==
	     (POLLIN | POLLOUT | POLLHUP | POLLERR));
	STEP_ERR(ioctl(s, TCFLSH, TCIFLUSH), EIO);
	STEP(!vhangup()); /* without a terminal: nothing to do */
	/* The line is as good as new for who opens it now. */
	STEP((fd = open(name, O_RDWR)) >= 0 && has_terminal());
	STEP(types(fd, "again\n") && reads(m, "again\r\n"));
	STEP(!ioctl(fd, TIOCVHANGUP) && !has_terminal());
	STEP(got_signals() == (HUP | CONT));
	STEP_ERR(write(fd, "x", 1), EIO);
}

static void set_group_errors(void)
{
	int n, other_m, other_s;

	STEP(!ioctl(s, TIOCSCTTY, 0));
	STEP_ERR(ioctl(s, TIOCSPGRP, 8), EFAULT);
	n = -1;
	STEP_ERR(ioctl(s, TIOCSPGRP, &n), EINVAL);
	n = 0x3ffffff;
	STEP_ERR(ioctl(s, TIOCSPGRP, &n), ESRCH);
	n = 1;
	STEP_ERR(ioctl(s, TIOCSPGRP, &n), EPERM);
	pair(&other_m, &other_s);
	n = getpgrp();
	STEP_ERR(ioctl(other_s, TIOCSPGRP, &n), ENOTTY);
	STEP(!ioctl(m, TIOCSPGRP, &n)); /* through the master, by a process that has it */
}

/* Keys and windows: the foreground group alone. */
static void keys(void)
{
	struct winsize ws = { 12, 34, 0, 0 };

	STEP(!ioctl(s, TIOCSCTTY, 0));
	STEP(types(m, "\003") && EVENTUALLY(got_signals() == INT));
	STEP(types(m, "\034") && EVENTUALLY(got_signals() == QUIT));
	STEP(types(m, "\032") && EVENTUALLY(got_signals() == TSTP));
	STEP(!ioctl(m, TIOCSIG, SIGINT) && got_signals() == INT);
	STEP(!ioctl(m, TIOCSWINSZ, &ws) && got_signals() == WINCH);
	STEP(!ioctl(m, TIOCSWINSZ, &ws) && got_signals() == 0); /* no change */
	ws.ws_xpixel = 7;
	STEP(!ioctl(s, TIOCSWINSZ, &ws) && got_signals() == WINCH);
	front = member_start(1);
	back = member_start(1);
	STEP(foreground(front.pid));
	ws.ws_row = 13;
	STEP(!ioctl(m, TIOCSIG, SIGQUIT) && !ioctl(m, TIOCSWINSZ, &ws));
	STEP(got_signals() == 0 && member_got(back) == 0);
	STEP(member_got(front) == (WINCH | QUIT));
}

/* A signal's key drops what was typed and what is to be shown, unless NOFLSH. */
static void key_flush(void)
{
	STEP(!ioctl(s, TIOCSCTTY, 0));
	STEP(types(m, "line\nrest") && EVENTUALLY(has(s)));
	STEP(types(m, "\003") && EVENTUALLY(got_signals() == INT) && EVENTUALLY(silent(s)));
	modes(s, 0, 0, 0, NOFLSH);
	STEP(types(m, "line\nrest") && types(m, "\003") && EVENTUALLY(got_signals() == INT));
	STEP(reads(s, "line\n") && types(m, "!\n") && reads(s, "rest!\n"));
	modes(s, 0, 0, ISIG, 0);
	STEP(types(m, "\003\n") && reads(s, "\003\n") && got_signals() == 0);
}

/* What groups in the background try; their errno. */
static int try_read(void)
{
	char c;

	return read(s, &c, 1) < 0 ? errno : 0;
}

static int try_write(void)
{
	return write(s, "w", 1) < 0 ? errno : 0;
}

static int try_modes(void)
{
	struct termios t;

	if (tcgetattr(s, &t))
		return 99;
	return tcsetattr(s, TCSANOW, &t) ? errno : 0;
}

static int try_group(void)
{
	return tcsetpgrp(s, getpgrp()) ? errno : 0;
}

static int try_flush(void)
{
	return tcflush(s, TCIFLUSH) ? errno : 0;
}

static int try_break(void)
{
	return ioctl(s, TIOCSBRK) || ioctl(s, TIOCSETD, &(int){ 0 }) ? errno : 0;
}

static int try_window(void)
{
	struct winsize ws = { 1, 1, 1, 1 };

	return ioctl(s, TIOCSWINSZ, &ws) ? errno : 0;
}

/*
 * Run @f in a group in the background, with @sig left as it is, ignored or blocked ('d', 'i',
 * 'b'). Its errno, or -N when signal N stopped it.
 */
static int in_background(int (*f)(void), int sig, char how)
{
	pid_t pid = fork();
	sigset_t set;
	int status;

	if (pid == 0) {
		setpgid(0, 0);
		sigemptyset(&set);
		sigaddset(&set, sig);
		sigprocmask(how == 'b' ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
		signal(sig, how == 'i' ? SIG_IGN : SIG_DFL);
		_exit(f());
	}
	setpgid(pid, pid);
	if (waitpid(pid, &status, WUNTRACED) != pid)
		return 200;
	if (!WIFSTOPPED(status))
		return WIFEXITED(status) ? WEXITSTATUS(status) : 201;
	kill(pid, SIGKILL);
	if (waitpid(pid, &(int){ 0 }, 0) != pid)
		return 202;
	return -WSTOPSIG(status);
}

static void background(void)
{
	STEP(!ioctl(s, TIOCSCTTY, 0));
	STEP(in_background(try_read, SIGTTIN, 'd') == -SIGTTIN);
	STEP(in_background(try_read, SIGTTIN, 'i') == EIO);
	STEP(in_background(try_read, SIGTTIN, 'b') == EIO);
	STEP(in_background(try_write, SIGTTOU, 'd') == 0 && reads(m, "w"));
	modes(s, 0, 0, 0, TOSTOP);
	STEP(in_background(try_write, SIGTTOU, 'd') == -SIGTTOU);
	STEP(in_background(try_write, SIGTTOU, 'i') == 0 && reads(m, "w"));
	STEP(in_background(try_write, SIGTTOU, 'b') == 0 && reads(m, "w"));
	modes(s, 0, 0, TOSTOP, 0);
	STEP(in_background(try_modes, SIGTTOU, 'd') == -SIGTTOU);
	STEP(in_background(try_modes, SIGTTOU, 'i') == 0);
	STEP(in_background(try_group, SIGTTOU, 'd') == -SIGTTOU);
	STEP(in_background(try_flush, SIGTTOU, 'd') == -SIGTTOU);
	STEP(in_background(try_break, SIGTTOU, 'd') == -SIGTTOU);
	STEP(in_background(try_window, SIGTTOU, 'd') == 0);
	/* The leader may, whichever signals it blocks: it is in front. */
	STEP(types(m, "mine\n") && reads(s, "mine\n"));
}

/* A group whose parents cannot continue it is refused instead of stopped. */
static void orphans(void)
{
	pid_t group;
	int status;
	char c = 0;

	STEP(!prctl(PR_SET_CHILD_SUBREAPER, 1));
	STEP(!pipe(told));
	group = fork();
	if (group == 0) {
		STEP(setsid() == getpid() && !ioctl(s, TIOCSCTTY, 0));
		modes(s, 0, 0, 0, TOSTOP);
		if (fork() == 0) {
			pid_t parent;

			setpgid(0, 0);
			parent = getpid();
			if (fork() == 0) {
				sigset_t all;

				sigfillset(&all);
				sigprocmask(SIG_UNBLOCK, &all, NULL);
				STEP(EVENTUALLY(getppid() != parent));
				STEP(try_read() == EIO && try_write() == EIO);
				STEP(try_modes() == EIO && try_group() == ENOTTY);
				STEP(write(told[1], "k", 1) == 1);
			}
			_exit(0);
		}
		STEP(wait(&status) > 0 && status == 0);
		STEP(read(told[0], &c, 1) == 1);
		_exit(c != 'k');
	}
	STEP(waitpid(group, &status, 0) == group && status == 0);
}

int main(void)
{
	CHECK(in_session(acquire, NULL));
	CHECK(in_session(by_request, NULL));
	CHECK(in_session(by_master, NULL));
	CHECK(in_session(write_only, NULL));
	CHECK(in_session(stolen_from, NULL));
	CHECK(in_session(lose_by_request, NULL));
	CHECK(in_session(stays_for_hup, NULL));
	CHECK(in_session(line_drops, close_master));
	CHECK(in_session(hang_up, NULL));
	CHECK(in_session(set_group_errors, NULL));
	CHECK(in_session(keys, NULL));
	CHECK(in_session(key_flush, NULL));
	CHECK(in_session(background, NULL));
	CHECK(in_session(orphans, NULL));
	return tap_done();
}
