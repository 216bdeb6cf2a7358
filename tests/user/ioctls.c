/*
 * What ioctl(2) says of requests that most files do not know, in Linux's order of errors, and what
 * a serial line and a real-time clock do know (ioctl_tty(2), ioctl_ficlonerange(2), rtc(4)).
 */
#define _GNU_SOURCE
#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/random.h>
#include <linux/rtc.h>
#include <linux/serial.h>
#include <linux/sockios.h>
#include <linux/tty_flags.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "in_child.h"
#include "tap.h"

#ifndef TFD_IOC_SET_TICKS
#define TFD_IOC_SET_TICKS _IOW('T', 0, unsigned long)
#endif
#define BAD ((void *)8)

static int reg, dir, dev, ro;

static void test_sharing(void)
{
	struct file_clone_range r = { .src_fd = reg };
	struct {
		struct file_dedupe_range head;
		struct file_dedupe_range_info one;
	} d = { .head = { .dest_count = 1 } };

	CHECK_ERR(ioctl(reg, FICLONE, -1), EBADF);
	CHECK_ERR(ioctl(reg, FICLONE, dev), EXDEV);
	CHECK_ERR(ioctl(dev, FICLONE, reg), EXDEV);
	CHECK_ERR(ioctl(reg, FICLONE, dir), EISDIR);
	CHECK_ERR(ioctl(dir, FICLONE, reg), EISDIR);
	CHECK_ERR(ioctl(ro, FICLONE, reg), EBADF);
	CHECK_ERR(ioctl(reg, FICLONE, ro), EOPNOTSUPP);
	CHECK_ERR(ioctl(dev, FICLONE, dev), EINVAL);
	CHECK_ERR(ioctl(reg, FICLONERANGE, BAD), EFAULT);
	CHECK_ERR(ioctl(reg, FICLONERANGE, &r), EOPNOTSUPP);
	r.src_fd = -1;
	CHECK_ERR(ioctl(dev, FICLONERANGE, &r), EBADF);
	CHECK_ERR(ioctl(reg, FIDEDUPERANGE, BAD), EFAULT);
	CHECK_ERR(ioctl(reg, FIDEDUPERANGE, &d), EOPNOTSUPP);
	CHECK_ERR(ioctl(dir, FIDEDUPERANGE, &d), EISDIR);
	CHECK_ERR(ioctl(dev, FIDEDUPERANGE, &d), EINVAL);
	d.head.reserved1 = 1;
	CHECK_ERR(ioctl(dir, FIDEDUPERANGE, &d), EINVAL);
	d.head.dest_count = 200;
	CHECK_ERR(ioctl(reg, FIDEDUPERANGE, &d), ENOMEM);
}

static void test_generic(void)
{
	int random = open("/dev/urandom", O_RDONLY), p[2], flags = 0;
	int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	long long size = -1;
	unsigned long ticks = 0;
	struct stat st;

	/* The room that it takes, not its length. */
	CHECK(!ftruncate(reg, 1 << 20) && !ioctl(reg, FIOQSIZE, &size) && size == 0);
	CHECK(write(reg, "x", 1) == 1 && !fstat(reg, &st) && !ioctl(reg, FIOQSIZE, &size) &&
	      size == st.st_blocks * 512);
	CHECK_ERR(ioctl(dev, FIOQSIZE, &size), ENOTTY);
	/* What is to be set is read first, whoever is asked then. */
	REQUIRE(!pipe(p));
	/* Where extents are is asked of a file system, and any file has one. */
	CHECK_ERR(ioctl(p[0], FS_IOC_FIEMAP, BAD), EOPNOTSUPP);
	CHECK_ERR(ioctl(dev, FS_IOC_FIEMAP, BAD), EOPNOTSUPP);
	CHECK_ERR(ioctl(reg, FS_IOC_FIEMAP, BAD), EOPNOTSUPP);
	CHECK_ERR(ioctl(p[0], FS_IOC_SETFLAGS, BAD), EFAULT);
	CHECK_ERR(ioctl(p[0], FS_IOC_SETFLAGS, &flags), ENOTTY);
	CHECK_ERR(ioctl(p[0], FS_IOC_GETFLAGS, BAD), ENOTTY);
	CHECK_ERR(ioctl(random, FS_IOC_SETFLAGS, BAD), EFAULT);
	CHECK_ERR(ioctl(random, FS_IOC_SETFLAGS, &flags), EINVAL);
	CHECK_ERR(ioctl(t, TFD_IOC_SET_TICKS, BAD), EFAULT);
	CHECK_ERR(ioctl(t, TFD_IOC_SET_TICKS, &ticks), EINVAL);
	ticks = 77;
	CHECK(!ioctl(t, TFD_IOC_SET_TICKS, &ticks));
	ticks = 0;
	CHECK(read(t, &ticks, 8) == 8 && ticks == 77);
	CHECK_ERR(read(t, &ticks, 8), EAGAIN);
	close(t);
	close(random);
	close(p[0]);
	close(p[1]);
}

static int line;
static struct serial_struct was;

static int set(struct serial_struct s)
{
	return ioctl(line, TIOCSSERIAL, &s) ? errno : 0;
}

static int serial_as_user(void)
{
	struct serial_struct s = was, now;

	if (setgid(1000) || setuid(1000) || set(s))
		return 1;
	s.close_delay++;
	if (set(s) != EPERM)
		return 2;
	s = was;
	s.baud_base = 9600;
	if (set(s) != EPERM)
		return 3;
	s = was;
	s.type++;
	if (set(s) != EPERM)
		return 4;
	s = was;
	s.flags ^= ASYNC_SAK;
	if (set(s) != EPERM)
		return 5;
	s = was;
	s.flags ^= ASYNC_LOW_LATENCY;
	s.xmit_fifo_size = 0;
	if (set(s) || ioctl(line, TIOCGSERIAL, &now) || now.flags != s.flags ||
	    now.xmit_fifo_size != was.xmit_fifo_size)
		return 6;
	return set(was) ? 7 : 0;
}

static void wake(int sig)
{
}

/* Waits for lines that nobody moves, until a signal comes. */
static int wait_for_lines(void)
{
	struct sigaction sa = { .sa_handler = wake };

	sigaction(SIGUSR1, &sa, NULL);
	return ioctl(line, TIOCMIWAIT, TIOCM_CTS | TIOCM_CAR) == -1 && errno == EINTR ? 0 : 1;
}

static void test_serial(void)
{
	struct serial_icounter_struct c;
	struct serial_struct s, now;
	struct serial_rs485 r;
	int status, lsr = -1;
	pid_t pid;

	line = open("/dev/ttyAMA0", O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (line < 0)
		return;
	CHECK_ERR(ioctl(line, TIOCGSERIAL, BAD), EFAULT);
	CHECK(!ioctl(line, TIOCGSERIAL, &was));
	CHECK(was.type == 32 && was.line == 0 && was.irq > 0 && was.io_type == 2 &&
	      was.baud_base == 1500000 && was.xmit_fifo_size == 16 && was.iomem_base);
	CHECK(was.close_delay == 50 && was.closing_wait == 3000 && !was.custom_divisor &&
	      was.flags == 0x10000000);
	CHECK(set(was) == 0);
	s = was;
	s.close_delay = 7;
	s.closing_wait = ASYNC_CLOSING_WAIT_NONE;
	s.custom_divisor = 5;
	s.xmit_fifo_size = 8;
	s.flags = ~0;
	CHECK(set(s) == 0 && !ioctl(line, TIOCGSERIAL, &now));
	CHECK(now.close_delay == 7 && now.closing_wait == 65535 && now.custom_divisor == 5 &&
	      now.xmit_fifo_size == 8 && now.flags == 0x10017fff);
	CHECK(set(was) == 0 && !ioctl(line, TIOCGSERIAL, &now) && !memcmp(&now, &was, sizeof(was)));
	s = was;
	s.type = 5;
	CHECK(set(s) == EINVAL);
	s = was;
	s.baud_base = 100;
	CHECK(set(s) == EINVAL);
	s = was;
	s.iomem_base = NULL;
	CHECK(set(s) == EINVAL);
	s = was;
	s.irq = -1;
	CHECK(set(s) == EINVAL);
	CHECK_ERR(ioctl(line, TIOCSSERIAL, BAD), EFAULT);
	CHECK(in_child(serial_as_user) == 0);
	CHECK(!ioctl(line, TIOCSERGETLSR, &lsr) && (lsr & ~1) == 0);
	CHECK_ERR(ioctl(line, TIOCSERGETLSR, BAD), EFAULT);
	CHECK(!ioctl(line, TIOCGICOUNT, &c) && c.tx > 0);
	CHECK(!ioctl(line, TIOCGRS485, &r) && !(r.flags & SER_RS485_ENABLED));
	memset(&r, 0, sizeof(r));
	CHECK(!ioctl(line, TIOCSRS485, &r));
	r.flags = ~0u;
	CHECK_ERR(ioctl(line, TIOCSRS485, &r), EINVAL);
	CHECK_ERR(ioctl(line, TIOCSRS485, BAD), EFAULT);
	pid = fork();
	if (!pid)
		_exit(wait_for_lines());
	CHECK(EVENTUALLY(is_asleep(pid)));
	CHECK(!kill(pid, SIGUSR1) && waitpid(pid, &status, 0) == pid && status == 0);
	close(line);
}

static int rtc;

static int rtc_as_user(void)
{
	unsigned long data[4] = { 0 };

	if (setgid(1000) || setuid(1000))
		return 1;
	if (ioctl(rtc, RTC_IRQP_SET, 65) != -1 || errno != EACCES)
		return 2;
	if (ioctl(rtc, RTC_EPOCH_SET, 1900) != -1 || errno != EACCES)
		return 3;
	if (ioctl(rtc, RTC_PARAM_SET, data) != -1 || errno != EACCES)
		return 4;
	return ioctl(rtc, RTC_IRQP_SET, 64) ? 5 : 0;
}

/* The clock is set by @years: new seconds come as before. The first may be an old one. */
static int seconds_after(int years)
{
	struct pollfd p = { rtc, POLLIN, 0 };
	unsigned long data;
	struct rtc_time t;

	if (ioctl(rtc, RTC_RD_TIME, &t))
		return 0;
	t.tm_year += years;
	if (ioctl(rtc, RTC_SET_TIME, &t))
		return 0;
	for (int i = 0; i < 2; i++)
		if (poll(&p, 1, TAP_PATIENCE_MS) != 1 || read(rtc, &data, 8) != 8)
			return 0;
	return 1;
}

static void test_rtc(void)
{
	struct pollfd p = { .events = POLLIN };
	unsigned long data = 0, freq = 0;
	struct rtc_param q = { 0 };
	char odd[6];
	ssize_t n;

	rtc = open("/dev/rtc0", O_RDONLY);
	if (rtc < 0)
		return;
	CHECK_ERR(open("/dev/rtc0", O_RDONLY), EBUSY);
	CHECK(!ioctl(rtc, RTC_IRQP_READ, &freq) && freq == 1);
	CHECK_ERR(ioctl(rtc, RTC_IRQP_SET, 0), EINVAL);
	CHECK_ERR(ioctl(rtc, RTC_IRQP_SET, 8193), EINVAL);
	CHECK(in_child(rtc_as_user) == 0);
	CHECK(!ioctl(rtc, RTC_IRQP_READ, &freq) && freq == 64);
	CHECK_ERR(ioctl(rtc, RTC_EPOCH_SET, 1900), ENOTTY);
	CHECK_ERR(read(rtc, odd, sizeof(odd)), EINVAL);
	/* Each new second, with the flags and the count that rtc(4) tells of. */
	CHECK(!ioctl(rtc, RTC_UIE_ON, 0));
	CHECK(read(rtc, &data, 8) == 8 && (data & 0xff) == (RTC_IRQF | RTC_UF) && data >> 8 >= 1);
	data = 0;
	CHECK(read(rtc, &data, 4) == 4 && (data & 0xff) == (RTC_IRQF | RTC_UF));
	CHECK(seconds_after(-4) && seconds_after(8) &&
	      seconds_after(-4)); /* from leap year to leap year */
	CHECK(!ioctl(rtc, RTC_UIE_OFF, 0) && !ioctl(rtc, RTC_UIE_OFF, 0));
	CHECK(!ioctl(rtc, RTC_PIE_ON, 0));
	p.fd = rtc;
	/* An update may have come before they went off. */
	do
		n = poll(&p, 1, -1) == 1 ? read(rtc, &data, 8) : -1;
	while (n == 8 && !(data & RTC_PF));
	CHECK(n == 8 && (data & RTC_IRQF));
	CHECK(!ioctl(rtc, RTC_PIE_OFF, 0));
	CHECK(!ioctl(rtc, RTC_PARAM_GET, &q) && (q.uvalue & 1));
	q.param = RTC_PARAM_CORRECTION;
	CHECK_ERR(ioctl(rtc, RTC_PARAM_GET, &q), EINVAL);
	CHECK_ERR(ioctl(rtc, RTC_PARAM_SET, &q), EINVAL);
	CHECK(!ioctl(rtc, RTC_IRQP_SET, 1));
	close(rtc);
	rtc = open("/dev/rtc0", O_RDONLY);
	CHECK(rtc >= 0);
	close(rtc);
}

/* The same of @s for whoever asks: what it is asked, with no device of that name. */
static int asked(int s, unsigned long cmd)
{
	struct ifreq r = { .ifr_name = "none0" };

	if (ioctl(s, cmd, BAD) != -1 || errno != EFAULT)
		return errno;
	return ioctl(s, cmd, &r) ? errno : 0;
}

static int sockets_as_user(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	if (setgid(1000) || setuid(1000))
		return 1;
	if (asked(s, SIOCSIFNAME) != EPERM || asked(s, SIOCADDMULTI) != EPERM ||
	    asked(s, SIOCSIFADDR) != EPERM || asked(s, SIOCADDRT) != EPERM)
		return 2;
	return asked(s, SIOCGIFFLAGS) == ENODEV ? 0 : 3;
}

/* Devices by any socket, addresses by those that know them. */
static void test_sockets(void)
{
	int in = socket(AF_INET, SOCK_DGRAM, 0), un = socket(AF_UNIX, SOCK_STREAM, 0);
	int raw = socket(AF_PACKET, SOCK_RAW, 0);

	CHECK(asked(un, SIOCGIFFLAGS) == ENODEV && asked(un, SIOCGIFADDR) == ENOTTY);
	CHECK(asked(in, SIOCGIFADDR) == ENODEV && asked(raw, SIOCGIFADDR) == ENODEV);
	CHECK(asked(in, SIOCSIFADDR) == EINVAL && asked(un, SIOCSIFADDR) == ENOTTY);
	CHECK(asked(in, SIOCADDRT) == EAFNOSUPPORT && asked(un, SIOCADDRT) == ENOTTY);
	CHECK(asked(un, SIOCGARP) == ENOTTY && asked(un, SIOCDARP) == ENOTTY);
	CHECK(asked(in, SIOCDEVPRIVATE) == ENODEV && asked(un, SIOCDEVPRIVATE + 15) == ENODEV);
	CHECK(asked(in, SIOCADDMULTI) == ENODEV && asked(in, SIOCSIFNAME) == ENODEV);
	CHECK(asked(in, SIOCBONDENSLAVE) == ENODEV && asked(in, SIOCGIFSLAVE) == ENODEV);
	CHECK(asked(in, SIOCGIFMEM) == ENOTTY && asked(in, SIOCGIFCOUNT) == ENOTTY);
	CHECK(asked(in, SIOCGIFPFLAGS) == EINVAL && asked(raw, SIOCGIFPFLAGS) == ENOTTY);
	CHECK_ERR(ioctl(in, SIOCGIFVLAN, BAD), ENOPKG);
	CHECK_ERR(ioctl(un, SIOCBRADDBR, BAD), ENOPKG);
	CHECK_ERR(ioctl(in, 0x12345678, BAD), ENOTTY);
	CHECK(in_child(sockets_as_user) == 0);
	close(in);
	close(un);
	close(raw);
}

int main(void)
{
	char name[] = "ioctls.XXXXXX";

	alarm(TAP_LIMIT);
	REQUIRE(mkdtemp(name) && !chdir(name));
	reg = open("file", O_CREAT | O_RDWR, 0644);
	ro = open("file", O_RDONLY);
	dir = open(".", O_RDONLY | O_DIRECTORY);
	dev = open("/dev/null", O_RDWR);
	REQUIRE(reg >= 0 && ro >= 0 && dir >= 0 && dev >= 0);
	test_sharing();
	test_generic();
	test_sockets();
	test_serial();
	test_rtc();
	CHECK(!unlink("file") && !chdir("..") && !rmdir(name));
	return tap_done();
}
