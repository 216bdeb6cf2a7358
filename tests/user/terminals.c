/*
 * ioctl_tty(2), termios(3), pts(4): the requests a terminal knows, what each refuses, flow control,
 * packet mode, MIN and TIME, limits of the pool, mounts of devpts, console redirection.
 */
#define _GNU_SOURCE
#include <asm/ioctls.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include "terminal.h"

#ifndef EXTPROC
#define EXTPROC 0200000
#endif

/* The kernel's own form of the modes, which no header of libc shows. */
struct modes2 {
	unsigned iflag, oflag, cflag, lflag;
	unsigned char line, cc[19];
	unsigned ispeed, ospeed;
};
#define TCGETS2_ _IOR('T', 0x2a, struct modes2)
#define TCSETS2_ _IOW('T', 0x2b, struct modes2)
#define TCSETSW2_ _IOW('T', 0x2c, struct modes2)
#define TCSETSF2_ _IOW('T', 0x2d, struct modes2)
#define BOTHER_ 010000
#define CBAUD_ 010017
#define CIBAUD_ 002003600000u

static void test_speeds(void)
{
	struct modes2 t, got;
	struct termios old;
	int m, s;

	pair(&m, &s);
	CHECK(!ioctl(s, TCGETS2_, &t) && t.ispeed == 38400 && t.ospeed == 38400);
	CHECK(t.iflag == 02400 && t.oflag == 5 && t.cflag == 0277 && t.lflag == 0105073);
	t.cflag = (t.cflag & ~(CBAUD_ | CIBAUD_)) | BOTHER_;
	t.ospeed = 12345;
	t.ispeed = 99;
	CHECK(!ioctl(s, TCSETS2_, &t) && !ioctl(m, TCGETS2_, &got));
	CHECK(got.ospeed == 12345 && got.ispeed == 12345 && (got.cflag & CBAUD_) == BOTHER_);
	t.cflag |= (unsigned)BOTHER_ << 16;
	t.ispeed = 77;
	CHECK(!ioctl(s, TCSETSW2_, &t) && !ioctl(s, TCGETS2_, &got));
	CHECK(got.ospeed == 12345 && got.ispeed == 77);
	/* The shorter form does not touch what it does not show. */
	CHECK(!ioctl(s, TCGETS, &old) && !ioctl(s, TCSETS, &old) && !ioctl(s, TCGETS2_, &got));
	CHECK(got.ospeed == 12345);
	t.cflag = (t.cflag & ~(CBAUD_ | CIBAUD_)) | 4098; /* B115200 */
	CHECK(!ioctl(s, TCSETSF2_, &t) && !ioctl(s, TCGETS2_, &got));
	CHECK(got.ospeed == 115200 && got.ispeed == 115200);
	CHECK_ERR(ioctl(s, TCSETS2_, 8), EFAULT);
	CHECK_ERR(ioctl(s, TCGETS2_, 8), EFAULT);
	/* A pty has eight bits without parity. */
	t.cflag = (t.cflag & ~CSIZE) | CS5 | PARENB;
	CHECK(!ioctl(s, TCSETS2_, &t) && !ioctl(s, TCGETS2_, &got));
	CHECK((got.cflag & CSIZE) == CS8 && !(got.cflag & PARENB));
	close(s);
	close(m);
}

static int cannot_lock(int s, int unused)
{
	struct termios t;

	memset(&t, 0xff, sizeof(t));
	return ioctl(s, TIOCSLCKTRMIOS, &t) == -1 && errno == EPERM ? 0 : 1;
}

static void test_locks(void)
{
	struct termios lock = { 0 }, t, got;
	int m, s;

	pair(&m, &s);
	tcgetattr(s, &t);
	lock.c_lflag = ECHO;
	lock.c_cc[VINTR] = 1;
	CHECK(as_nobody(cannot_lock, s, 0));
	CHECK(!ioctl(s, TIOCSLCKTRMIOS, &lock));
	memset(&got, 0, sizeof(got));
	CHECK(!ioctl(m, TIOCGLCKTRMIOS, &got) && got.c_lflag == ECHO && got.c_cc[VINTR] == 1);
	t.c_lflag &= ~(tcflag_t)(ECHO | ICANON);
	t.c_cc[VINTR] = 'x';
	t.c_cc[VQUIT] = 'y';
	CHECK(!ioctl(s, TCSETS, &t) && !ioctl(s, TCGETS, &got));
	CHECK((got.c_lflag & ECHO) && !(got.c_lflag & ICANON));
	CHECK(got.c_cc[VINTR] == 3 && got.c_cc[VQUIT] == 'y');
	CHECK_ERR(ioctl(s, TIOCSLCKTRMIOS, 8), EFAULT);
	CHECK_ERR(ioctl(s, TIOCGLCKTRMIOS, 8), EFAULT);
	close(s);
	close(m);
}

static int cannot_reopen(int s, int n)
{
	char name[32];

	snprintf(name, sizeof(name), "/dev/pts/%d", n);
	if (open(name, O_RDWR | O_NOCTTY) != -1 || errno != EBUSY)
		return 1;
	close(s);
	return open(name, O_RDWR | O_NOCTTY) == -1 && errno == EBUSY ? 0 : 2;
}

static void test_exclusive(void)
{
	char name[32];
	int m, s, n, on = -1, again;

	pair(&m, &s);
	ioctl(m, TIOCGPTN, &n);
	snprintf(name, sizeof(name), "/dev/pts/%d", n);
	CHECK(!chmod(name, 0666));
	CHECK(!ioctl(s, TIOCGEXCL, &on) && on == 0);
	CHECK(!ioctl(s, TIOCEXCL) && !ioctl(s, TIOCGEXCL, &on) && on == 1);
	CHECK(!ioctl(m, TIOCGEXCL, &on) && on == 0); /* the master has a mark of its own */
	CHECK(as_nobody(cannot_reopen, s, n));
	again = open(name, O_RDWR | O_NOCTTY); /* CAP_SYS_ADMIN may */
	CHECK(again >= 0);
	close(again);
	CHECK(!ioctl(s, TIOCNXCL) && !ioctl(s, TIOCGEXCL, &on) && on == 0);
	CHECK(!ioctl(m, TIOCEXCL) && !ioctl(m, TIOCGEXCL, &on) && on == 1);
	CHECK_ERR(ioctl(s, TIOCGEXCL, 8), EFAULT);
	close(s);
	close(m);
}

/* What the master answers for itself, and what for its slave. */
static void test_master_requests(void)
{
	int m, s, n = -1;
	struct stat st;

	pair(&m, &s);
	CHECK(!ioctl(m, TIOCGETD, &n) && n == 0);
	n = 0;
	CHECK(!ioctl(m, TIOCSETD, &n) && !ioctl(s, TIOCSETD, &n));
	n = 29;
	CHECK_ERR(ioctl(s, TIOCSETD, &n), EINVAL);
	n = 1000;
	CHECK_ERR(ioctl(s, TIOCSETD, &n), EINVAL);
	CHECK_ERR(ioctl(s, TIOCSETD, 8), EFAULT);
	n = -1;
	CHECK(!ioctl(m, TIOCGPTLCK, &n) && n == 0);
	CHECK_ERR(ioctl(s, TIOCGPTLCK, &n), ENOTTY);
	CHECK_ERR(ioctl(s, TIOCSPTLCK, &n), ENOTTY);
	CHECK_ERR(ioctl(s, TIOCPKT, &n), ENOTTY);
	CHECK_ERR(ioctl(s, TIOCGPKT, &n), ENOTTY);
	CHECK_ERR(ioctl(s, TIOCSIG, SIGINT), ENOTTY);
	CHECK_ERR(ioctl(m, TIOCSIG, SIGHUP), EINVAL);
	CHECK(!ioctl(m, TIOCSIG, SIGINT)); /* no foreground group: nothing happens */
	CHECK_ERR(ioctl(m, TIOCSPTLCK, 8), EFAULT);
	CHECK_ERR(ioctl(m, TIOCGPTN, 8), EFAULT);
	CHECK_ERR(ioctl(m, TIOCPKT, 8), EFAULT);
	CHECK(!fstat(s, &st) && !ioctl(m, TIOCGDEV, &n) &&
	      makedev((unsigned)n >> 8 & 0xfff, n & 0xff) == st.st_rdev);
	CHECK(!ioctl(s, TIOCGDEV, &n) && makedev((unsigned)n >> 8 & 0xfff, n & 0xff) == st.st_rdev);
	CHECK(!ioctl(m, TCSBRK, 1) && !ioctl(m, TCSBRKP, 0) && !ioctl(s, TCSBRKP, 1));
	CHECK(!ioctl(s, TIOCSBRK) && !ioctl(s, TIOCCBRK) && !ioctl(m, TIOCSBRK));
	CHECK_ERR(ioctl(m, TCXONC, 9), EINVAL);
	CHECK_ERR(ioctl(s, TCXONC, 9), EINVAL);
	CHECK_ERR(ioctl(m, TCFLSH, 3), EINVAL);
	close(s);
	close(m);
}

/* Those of serial lines and of virtual consoles, on ptys and on the console. */
static void test_not_for_ptys(void)
{
	static const unsigned kd[] = {
		0x4b33 /* KDGKBTYPE */,	     0x4b44 /* KDGKBMODE */,   0x4b3b /* KDGETMODE */,
		0x4b30 /* KDMKTONE */,	     0x4b2f /* KIOCSOUND */,   0x5600 /* VT_OPENQRY */,
		0x5603 /* VT_GETSTATE */,    0x5606 /* VT_ACTIVATE */, 0x5607 /* VT_WAITACTIVE */,
		0x5608 /* VT_DISALLOCATE */, 0x541c /* TIOCLINUX */,
	};
	int m, s, console = open("/dev/console", O_RDWR | O_NOCTTY);

	pair(&m, &s);
	REQUIRE(console >= 0);
	for (unsigned i = 0; i < sizeof(kd) / sizeof(*kd); i++) {
		memset(buf, 0, 64);
		CHECK_ERR(ioctl(s, kd[i], buf), ENOTTY);
		CHECK_ERR(ioctl(m, kd[i], buf), ENOTTY);
		CHECK_ERR(ioctl(console, kd[i], buf), ENOTTY);
	}
	CHECK_ERR(ioctl(s, TIOCMGET, buf), ENOTTY);
	CHECK_ERR(ioctl(s, TIOCMSET, buf), ENOTTY);
	CHECK_ERR(ioctl(s, TIOCGICOUNT, buf), ENOTTY);
	CHECK_ERR(ioctl(s, TIOCGSERIAL, buf), ENOTTY);
	CHECK_ERR(ioctl(m, TIOCGSERIAL, buf), ENOTTY);
	CHECK_ERR(ioctl(s, TIOCSERCONFIG, buf), ENOTTY);
	CHECK_ERR(ioctl(s, TIOCMIWAIT, 0), ENOTTY);
	CHECK_ERR(ioctl(s, TIOCGRS485, buf), ENOTTY);
	close(console);
	close(s);
	close(m);
}

static int peer_opens(int m, int flags, int mode)
{
	int fd = ioctl(m, TIOCGPTPEER, flags), got;

	if (fd < 0)
		return 0;
	got = fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK | O_APPEND);
	close(fd);
	return got == mode;
}

static void test_peer(void)
{
	int m, s, fd, on = 1;

	pair(&m, &s);
	CHECK(peer_opens(m, O_RDONLY | O_NOCTTY, O_RDONLY));
	CHECK(peer_opens(m, O_RDWR | O_NOCTTY | O_NONBLOCK, O_RDWR | O_NONBLOCK));
	CHECK(peer_opens(m, O_WRONLY | O_NOCTTY | O_APPEND, O_WRONLY | O_APPEND));
	fd = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	close(fd);
	CHECK(ioctl(s, TIOCGPTPEER, O_RDWR | O_NOCTTY) == -1);
	CHECK(!ioctl(m, TIOCSPTLCK, &on) && !ioctl(m, TIOCGPTLCK, &on) && on == 1);
	CHECK_ERR(ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY), EIO);
	close(s);
	close(m);
}

static int cannot_fake(int m, int s)
{
	return ioctl(s, TIOCSTI, "x") == -1 && errno == EPERM ? 0 : 1;
}

static void test_fake_input(void)
{
	int m, s;

	pair(&m, &s);
	CHECK(as_nobody(cannot_fake, m, s));
	CHECK(!ioctl(s, TIOCSTI, "a") && !ioctl(s, TIOCSTI, "\n") && reads(s, "a\n"));
	CHECK(reads(m, "a\r\n"));
	CHECK_ERR(ioctl(s, TIOCSTI, 8), EFAULT);
	CHECK(!ioctl(m, TIOCSTI, "q") && reads(m, "q"));
	close(s);
	close(m);
}

static int queued(int fd, unsigned long request)
{
	int n = -1;

	return ioctl(fd, request, &n) ? -1 : n;
}

static void test_queues(void)
{
	int m, s;

	pair(&m, &s);
	modes(s, 0, 0, ECHO, 0);
	CHECK(queued(s, FIONREAD) == 0 && queued(s, TIOCOUTQ) == 0);
	CHECK(types(m, "half") && queued(s, FIONREAD) == 0);
	CHECK(types(m, " line\nmore\n\004no") && has(s) && EVENTUALLY(queued(s, FIONREAD) == 15));
	CHECK(!(events(s, POLLIN, 0) & POLLHUP));
	CHECK(read(s, buf, 3) == 3 && queued(s, FIONREAD) == 12);
	CHECK(!tcflush(s, TCIFLUSH) && queued(s, FIONREAD) == 0 && silent(s));
	raw(s, 1, 0);
	CHECK(types(m, "abc") && EVENTUALLY(queued(s, FIONREAD) == 3));
	CHECK(types(s, "defg") && EVENTUALLY(queued(m, FIONREAD) == 4));
	CHECK(queued(s, TIOCOUTQ) == 0 && queued(m, TIOCOUTQ) == 0);
	CHECK_ERR(ioctl(s, FIONREAD, 8), EFAULT);
	CHECK_ERR(ioctl(m, FIONREAD, 8), EFAULT);
	CHECK(!tcflush(m, TCIFLUSH) && silent(m));
	close(s);
	close(m);
}

/* The output of one side stops; what it means to a writer and to poll. */
static int is_held(int fd)
{
	return !(events(fd, POLLOUT, 0) & POLLOUT) && write(fd, "x", 1) == -1 && errno == EAGAIN;
}

static void test_flow(void)
{
	int m, s;

	pair(&m, &s);
	modes(s, 0, 0, ECHO, 0);
	fcntl(s, F_SETFL, O_NONBLOCK);
	fcntl(m, F_SETFL, O_NONBLOCK);
	CHECK(!tcflow(s, TCOOFF) && is_held(s));
	CHECK(!tcflow(s, TCOOFF) && !tcflow(s, TCOON) && types(s, "1") && reads(m, "1"));
	/* ^S and ^Q typed, IXANY, and IXON switched off while output is held. */
	CHECK(types(m, "\023") && EVENTUALLY(is_held(s)));
	CHECK(types(m, "\021") && EVENTUALLY(types(s, "2")) && reads(m, "2"));
	CHECK(types(m, "\023") && EVENTUALLY(is_held(s)));
	CHECK(types(m, "k") && is_held(s));
	modes(s, 0, IXANY, 0, 0);
	CHECK(types(m, "l") && EVENTUALLY(types(s, "3")) && reads(m, "3"));
	CHECK(types(m, "\023") && EVENTUALLY(is_held(s)));
	modes(s, IXON, 0, 0, 0);
	CHECK(types(s, "4") && reads(m, "4"));
	CHECK(types(m, "\023\n") && reads(s, "kl\023\n"));
	/* TCOOFF is not undone by ^Q. */
	modes(s, IXANY, IXON, 0, 0);
	CHECK(!tcflow(s, TCOOFF) && types(m, "\021") && silent(m) && is_held(s));
	CHECK(!tcflow(s, TCOON) && types(s, "5") && reads(m, "5"));
	/* TCIOFF and TCION send the characters to the other side. */
	CHECK(!tcflow(s, TCIOFF) && reads(m, "\023"));
	CHECK(!tcflow(s, TCION) && reads(m, "\021"));
	CHECK(!tcflow(m, TCIOFF) && EVENTUALLY(is_held(s)));
	CHECK(!tcflow(m, TCION) && EVENTUALLY(types(s, "6")) && reads(m, "6"));
	/* The master's own output. */
	CHECK(!tcflow(m, TCOOFF) && is_held(m) && silent(s));
	CHECK(!tcflow(m, TCOON) && types(m, "in\n") && reads(s, "in\n"));
	close(s);
	close(m);
}

/* One status byte comes, with these bits. */
static int packet(int m, int bits)
{
	int e = events(m, POLLIN | POLLPRI, TAP_PATIENCE_MS);

	memset(buf, 0, sizeof(buf));
	if ((e & (POLLIN | POLLPRI)) == (POLLIN | POLLPRI) && read(m, buf, 99) == 1 &&
	    buf[0] == bits)
		return 1;
	printf("# events %#x, byte %#x, not %#x\n", e, buf[0], bits);
	return 0;
}

static void test_packets(void)
{
	int m, s, on = 1, off = 0;

	pair(&m, &s);
	modes(s, 0, 0, ECHO, 0);
	CHECK(!ioctl(m, TIOCPKT, &on) && !ioctl(m, TIOCGPKT, &off) && off == 1);
	CHECK(types(s, "ab") && reads_n(m, "\0ab", 3) && silent(m));
	CHECK(types(s, "cd") && has(m) && read(m, buf, 1) == 1 && buf[0] == 0);
	CHECK(reads_n(m, "\0cd", 3));
	CHECK(!tcflow(s, TCOOFF) && packet(m, TIOCPKT_STOP));
	CHECK(!tcflow(s, TCOON) && packet(m, TIOCPKT_START));
	CHECK(types(m, "\023") && packet(m, TIOCPKT_STOP));
	CHECK(types(m, "\021") && packet(m, TIOCPKT_START));
	/* What runs is not started; held twice is held once, and TCOON ends both. */
	CHECK(!tcflow(s, TCOON) && !tcflow(s, TCOOFF) && packet(m, TIOCPKT_STOP));
	CHECK(types(m, "\023") && silent(m) && !tcflow(s, TCOON) && packet(m, TIOCPKT_START));
	CHECK(types(s, "ef") && reads_n(m, "\0ef", 3));
	CHECK(!tcflush(s, TCIFLUSH) && packet(m, TIOCPKT_FLUSHREAD));
	CHECK(!tcflush(s, TCOFLUSH) && packet(m, TIOCPKT_FLUSHWRITE));
	CHECK(!tcflush(s, TCIOFLUSH) && packet(m, TIOCPKT_FLUSHREAD | TIOCPKT_FLUSHWRITE));
	modes(s, IXON, 0, 0, 0);
	CHECK(packet(m, TIOCPKT_NOSTOP));
	modes(s, 0, IXON, 0, 0);
	CHECK(packet(m, TIOCPKT_DOSTOP));
	modes(s, 0, 0, ECHOE, 0);
	CHECK(silent(m)); /* without EXTPROC other modes are the slave's own affair */
	modes(s, 0, 0, 0, EXTPROC);
	CHECK(packet(m, TIOCPKT_IOCTL));
	modes(s, 0, 0, 0, ECHOE);
	CHECK(packet(m, TIOCPKT_IOCTL));
	/* The other side edits lines: nothing is done to them here. */
	CHECK(types(m, "x\177\003y") && reads(s, "x\177\003y"));
	modes(s, 0, 0, EXTPROC, 0);
	CHECK(packet(m, TIOCPKT_IOCTL));
	CHECK(!tcflow(s, TCOOFF) && !ioctl(m, TIOCPKT, (off = 0, &off)) && silent(m));
	CHECK(!ioctl(m, TIOCPKT, &on) && silent(m)); /* begins anew */
	close(s);
	close(m);
}

static int opened(int m)
{
	int n, s;

	ioctl(m, TIOCGPTN, &n);
	snprintf(buf, sizeof(buf), "/dev/pts/%d", n);
	s = open(buf, O_RDWR | O_NOCTTY | O_NONBLOCK);
	REQUIRE(s >= 0);
	return s;
}

/* A slave that nobody has open stays as it is: input, modes, what holds its output. */
static void test_closed(void)
{
	int m, s, on = 1;

	pair(&m, &s);
	modes(s, 0, 0, ECHO | ECHOE, 0);
	CHECK(!ioctl(m, TIOCPKT, &on) && types(m, "line\npart") && has(s));
	close(s);
	CHECK_ERR(read(m, buf, 9), EIO); /* and nothing to tell of */
	s = opened(m);
	CHECK(reads(s, "line\n") && types(m, "!\n") && reads(s, "part!\n"));
	CHECK(!tcflow(s, TCOOFF) && packet(m, TIOCPKT_STOP));
	close(s);
	s = opened(m);
	CHECK_ERR(write(s, "x", 1), EAGAIN);
	/* So it does when it is hung up, but for its modes and its input. */
	CHECK(types(m, "gone\n") && has(s) && !ioctl(s, TIOCVHANGUP) && silent(m));
	close(s);
	s = opened(m);
	CHECK_ERR(write(s, "x", 1), EAGAIN);
	CHECK(!tcflow(s, TCOON) && packet(m, TIOCPKT_START) && silent(s));
	CHECK(types(m, "echo\n") && reads_n(m, "\0echo\r\n", 7) && reads(s, "echo\n"));
	close(s);
	close(m);
}

/* The times of a terminal tell when it was last read and written, by which w(1) says who is idle. */
static void test_times(void)
{
	struct timespec old[2] = { { 1000, 5 }, { 2000, 6 } };
	struct stat st;
	int m, s;

	pair(&m, &s);
	CHECK(!futimens(s, old) && types(m, "key\n") && reads(s, "key\n") && !fstat(s, &st));
	CHECK(st.st_atim.tv_sec > 3000 && st.st_atim.tv_nsec == 5 && st.st_mtim.tv_sec == 2000);
	CHECK(types(s, "out") && !fstat(s, &st));
	CHECK(st.st_mtim.tv_sec > 3000 && st.st_mtim.tv_nsec == 6);
	close(s);
	close(m);
}

/* Modes that go together in ways of their own. */
static void test_odd_modes(void)
{
	struct termios t;
	int m, s;

	pair(&m, &s);
	/* What has arrived is not flushed any more. */
	CHECK(types(s, "kept") && has(m) && !tcflush(s, TCIOFLUSH) && reads(m, "kept"));
	/* Letters are those of Latin 1. */
	modes(s, 0, IUCLC, ECHO, 0);
	CHECK(types(m, "A\xc4\xd7\n") && reads(s, "a\xe4\xd7\n"));
	CHECK(!tcgetattr(s, &t));
	t.c_oflag |= OLCUC;
	CHECK(!tcsetattr(s, TCSANOW, &t) && types(s, "b\xe4\xf7") && reads(m, "B\xc4\xf7"));
	/* A newline that was typed is a control character where there are no lines. */
	modes(s, IUCLC, 0, ICANON, ECHO | ECHOCTL);
	CHECK(types(m, "\n") && reads(m, "^J") && types(m, "\r") && reads(m, "\r\n"));
	CHECK(reads(s, "\n\n"));
	/* With EXTPROC reading is as without lines: MIN counts for poll, not for read. */
	modes(s, 0, 0, ECHO, ICANON | EXTPROC);
	CHECK(!tcgetattr(s, &t));
	t.c_cc[VMIN] = 2;
	CHECK(!tcsetattr(s, TCSANOW, &t) && types(m, "1") && EVENTUALLY(queued(s, FIONREAD) == 1));
	CHECK(!(events(s, POLLIN, 0) & POLLIN) && types(m, "2\n3") && has(s));
	CHECK(EVENTUALLY(queued(s, FIONREAD) == 4) && read(s, buf, 9) == 4);
	/* What is there when that begins or ends is one line. */
	CHECK(types(m, "x\ny") && EVENTUALLY(queued(s, FIONREAD) == 3));
	modes(s, 0, 0, EXTPROC, 0);
	CHECK(read(s, buf, 9) == 3);
	close(s);
	close(m);
}

/* A reader that has come to its read, and what it gets: its count as exit status. */
static pid_t reader(int s, size_t n)
{
	pid_t pid = fork();
	ssize_t got;

	if (pid)
		return EVENTUALLY(is_asleep(pid)) ? pid : -1;
	got = read(s, buf, n);
	_exit(got < 0 ? 100 + errno : (int)got);
}

static int got_bytes(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_min_time(void)
{
	struct timespec begin;
	int m, s;
	pid_t pid;

	pair(&m, &s);
	raw(s, 0, 0);
	CHECK(read(s, buf, 9) == 0);
	CHECK(types(m, "ab") && has(s) && read(s, buf, 9) == 2);
	fcntl(s, F_SETFL, O_NONBLOCK);
	CHECK(read(s, buf, 9) == 0);
	raw(s, 0, 5);
	CHECK_ERR(read(s, buf, 9), EAGAIN);
	fcntl(s, F_SETFL, 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	CHECK(read(s, buf, 9) == 0 && ms_since(&begin) >= 490);
	raw(s, 0, 255);
	pid = reader(s, 9);
	CHECK(types(m, "c") && got_bytes(pid) == 1);
	raw(s, 3, 0);
	pid = reader(s, 9);
	CHECK(types(m, "de") && EVENTUALLY(is_asleep(pid)) && !(events(s, POLLIN, 0) & POLLIN));
	CHECK(types(m, "f") && got_bytes(pid) == 3);
	pid = reader(s, 2); /* MIN counts no further than the buffer */
	CHECK(types(m, "gh") && got_bytes(pid) == 2);
	raw(s, 255, 2);
	pid = reader(s, 9);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	CHECK(types(m, "i") && got_bytes(pid) == 1 && ms_since(&begin) >= 190);
	/* With a time, one byte is enough for poll; without, MIN is. */
	CHECK(types(m, "j") && has(s));
	raw(s, 2, 0);
	CHECK(!(events(s, POLLIN, 0) & POLLIN) && types(m, "k") && has(s));
	CHECK(read(s, buf, 9) == 2);
	/* Canonical mode does not know them. */
	modes(s, 0, ICRNL, ECHO, ICANON);
	pid = reader(s, 9);
	CHECK(types(m, "lm\r") && got_bytes(pid) == 3);
	close(s);
	close(m);
}

static void test_readiness(void)
{
	int m, s, n;

	pair(&m, &s);
	close(s);
	CHECK((events(m, POLLIN | POLLOUT, 0) & (POLLIN | POLLHUP)) == POLLHUP);
	ioctl(m, TIOCGPTN, &n);
	snprintf(buf, sizeof(buf), "/dev/pts/%d", n);
	s = open(buf, O_RDWR | O_NOCTTY);
	CHECK(s >= 0 && events(m, POLLIN | POLLOUT, 0) == POLLOUT);
	CHECK(events(s, POLLIN | POLLOUT, 0) == POLLOUT);
	CHECK(types(m, "typed") && silent(s));
	CHECK(types(m, "\n") && has(s));
	fcntl(s, F_SETFL, O_NONBLOCK);
	memset(buf, 'x', sizeof(buf));
	/* What was written may move on to the other side for a while. */
	CHECK(EVENTUALLY(write(s, buf, sizeof(buf)) <= 0 && !(events(s, POLLOUT, 0) & POLLOUT)));
	fcntl(m, F_SETFL, O_NONBLOCK);
	CHECK(EVENTUALLY(read(m, buf, sizeof(buf)) && (events(s, POLLOUT, 0) & POLLOUT)));
	close(m);
	CHECK((events(s, POLLIN | POLLOUT, TAP_PATIENCE_MS) & POLLHUP) && read(s, buf, 1) == 0);
	CHECK_ERR(ioctl(s, TCGETS, buf), EIO);
	CHECK_ERR(ioctl(s, TIOCSPGRP, buf), ENOTTY);
	close(s);
}

static int number_in(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		REQUIRE(!"a number in /proc/sys");
	close(fd);
	return atoi(text);
}

static int set_number(const char *path, int n)
{
	int fd = open(path, O_WRONLY), good;

	dprintf(fd, "%d\n", n);
	good = number_in(path) == n;
	close(fd);
	return good;
}

#define PTY_SYS "/proc/sys/kernel/pty/"

static void test_pool(void)
{
	int max = number_in(PTY_SYS "max"), nr = number_in(PTY_SYS "nr"), m, s, n = 0, fds[20];

	CHECK(max == 4096 && number_in(PTY_SYS "reserve") == 1024);
	pair(&m, &s);
	CHECK(number_in(PTY_SYS "nr") == nr + 1);
	close(s);
	close(m);
	CHECK(EVENTUALLY(number_in(PTY_SYS "nr") == nr));
	CHECK(set_number(PTY_SYS "reserve", 2) && set_number(PTY_SYS "max", nr + 10));
	while (n < 20 && (fds[n] = open("/dev/ptmx", O_RDWR | O_NOCTTY)) >= 0)
		n++;
	CHECK_ERR(open("/dev/ptmx", O_RDWR | O_NOCTTY), ENOSPC);
	CHECK(n == 9); /* the limit itself is not reached */
	while (n)
		close(fds[--n]);
	CHECK(set_number(PTY_SYS "max", max) && set_number(PTY_SYS "reserve", 1024));
}

static int shows(const char *where, const char *options)
{
	FILE *f = fopen("/proc/mounts", "r");
	int found = 0;

	while (f && fgets(buf, sizeof(buf), f) && !found) {
		char *at = strstr(buf, where);

		found = at && at[strlen(where)] == ' ' && strstr(buf, options);
	}
	if (f)
		fclose(f);
	return found;
}

static void test_mounts(void)
{
	struct stat st;
	int m, n;

	REQUIRE(!mkdir("/tmp/pts", 0755));
	CHECK(!mount("devpts", "/tmp/pts", "devpts", 0,
		     "newinstance,ptmxmode=0666,gid=5,mode=0620,max=3"));
	CHECK(shows("/tmp/pts", ",gid=5,mode=620,ptmxmode=666,max=3"));
	CHECK(!stat("/tmp/pts/ptmx", &st) && (st.st_mode & 07777) == 0666 &&
	      st.st_rdev == makedev(5, 2));
	m = open("/tmp/pts/ptmx", O_RDWR | O_NOCTTY);
	CHECK(m >= 0 && !ioctl(m, TIOCGPTN, &n) && n == 0);
	CHECK(!stat("/tmp/pts/0", &st) && (st.st_mode & 07777) == 0620 && st.st_gid == 5 &&
	      st.st_rdev == makedev(136, 0));
	CHECK(open("/tmp/pts/ptmx", O_RDWR) >= 0 && open("/tmp/pts/ptmx", O_RDWR) >= 0);
	CHECK_ERR(open("/tmp/pts/ptmx", O_RDWR), ENOSPC);
	CHECK(!mount("devpts", "/tmp/pts", "devpts", MS_REMOUNT, "ptmxmode=0600,mode=0600"));
	CHECK(!stat("/tmp/pts/ptmx", &st) && (st.st_mode & 07777) == 0600);
	CHECK_ERR(umount("/tmp/pts"), EBUSY);
	CHECK(!umount2("/tmp/pts", MNT_DETACH));
	for (int fd = m; fd < m + 3; fd++)
		close(fd);
	CHECK_ERR(mount("devpts", "/tmp/pts", "devpts", 0, "mode=99"), EINVAL);
	CHECK_ERR(mount("devpts", "/tmp/pts", "devpts", 0, "nonsense=1"), EINVAL);
	CHECK_ERR(mount("devpts", "/tmp/pts", "devpts", 0, "max=99999999"), EINVAL);
	rmdir("/tmp/pts");
}

static int cannot_redirect(int m, int s)
{
	return ioctl(s, TIOCCONS) == -1 && errno == EPERM ? 0 : 1;
}

/* What is written to /dev/console goes to the terminal that asked for it. */
static void redirect(void)
{
	int m, s, m2, s2, console = open("/dev/console", O_WRONLY | O_NOCTTY), reading;

	pair(&m, &s);
	pair(&m2, &s2);
	CHECK(as_nobody(cannot_redirect, m, s));
	reading = ioctl(m, TIOCGPTPEER, O_RDONLY | O_NOCTTY);
	CHECK_ERR(ioctl(reading, TIOCCONS), EBADF);
	close(reading);
	CHECK(!ioctl(s, TIOCCONS));
	CHECK_ERR(ioctl(s2, TIOCCONS), EBUSY);
	CHECK(types(console, "to the pty\n") && reads(m, "to the pty\r\n"));
	CHECK(!ioctl(console, TIOCCONS)); /* back */
	CHECK(!ioctl(s2, TIOCCONS) && types(console, "second\n") && reads(m2, "second\r\n"));
	/* A hangup of the terminal ends it. */
	close(m2);
	CHECK_ERR(write(s2, "x", 1), EIO);
	CHECK(!ioctl(s, TIOCCONS) && types(console, "third\n") && reads(m, "third\r\n"));
	/* The other open of it going does not. */
	close(s);
	CHECK(types(console, "fourth\n") && reads(m, "fourth\r\n"));
	close(m);
	CHECK(types(console, "# to the console itself\n"));
	close(s2);
	close(console);
}

/* The results must not go the same way, should they be written to the console. */
static void test_redirection(void)
{
	int out = dup(1), held = memfd_create("results", 0);
	char buf[4096];
	ssize_t n;

	dup2(held, 1);
	redirect();
	dup2(out, 1);
	lseek(held, 0, SEEK_SET);
	while ((n = read(held, buf, sizeof(buf))) > 0)
		write(1, buf, (size_t)n);
	close(held);
	close(out);
}

int main(void)
{
	test_speeds();
	test_locks();
	test_exclusive();
	test_master_requests();
	test_not_for_ptys();
	test_peer();
	test_fake_input();
	test_queues();
	test_flow();
	test_packets();
	test_closed();
	test_times();
	test_odd_modes();
	test_min_time();
	test_readiness();
	test_pool();
	test_mounts();
	test_redirection();
	return tap_done();
}
