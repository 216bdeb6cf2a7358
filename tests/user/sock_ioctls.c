/*
 * ioctls of sockets: the time of the last datagram, what TCP has not sent, the name space of the
 * network, the file that is an AF_UNIX socket's name, and another name for a device.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include "tap.h"

#define STAMP_US 0x8906
#define STAMP_NS 0x8907
#define STAMP_US_NEW _IOR(0x89, 6, long long[2])
#define STAMP_NS_NEW _IOR(0x89, 7, long long[2])
#define OUTQ 0x5411
#define OUTQNSD 0x894b
#define GSKNS 0x894c
#define UNIXFILE 0x89e0

static struct sockaddr_in bind_lo(int s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);

	if (bind(s, (struct sockaddr *)&a, sizeof(a)) ||
	    getsockname(s, (struct sockaddr *)&a, &len))
		a.sin_port = 0;
	return a;
}

static long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000000000ll + ts.tv_nsec;
}

/* The time that @cmd gives, in nanoseconds; -errno. */
static long long stamp(int s, unsigned long cmd)
{
	long long v[2] = { 0 };

	if (ioctl(s, cmd, v))
		return -errno;
	return v[0] * 1000000000ll + v[1] * ((cmd & 0xff) == 6 ? 1000 : 1);
}

static int to_itself(int s)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	char c;

	return !getsockname(s, (struct sockaddr *)&a, &len) &&
	       sendto(s, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)) == 1 &&
	       recv(s, &c, 1, 0) == 1;
}

static void stamps(void)
{
	int u = socket(AF_INET, SOCK_DGRAM, 0), t = socket(AF_INET, SOCK_STREAM, 0);
	int x = socket(AF_UNIX, SOCK_DGRAM, 0), on = 1;
	int p = socket(AF_PACKET, SOCK_DGRAM, htons(0x0800));
	struct sockaddr_in a = bind_lo(u);
	long long start = now(), before, first;
	char c[100];

	REQUIRE(u >= 0 && t >= 0 && x >= 0 && a.sin_port);
	CHECK(stamp(u, STAMP_US) == -ENOENT && stamp(u, STAMP_NS_NEW) == -ENOENT);
	CHECK(stamp(t, STAMP_NS) == -ENOENT && stamp(p, STAMP_US_NEW) == -ENOENT);
	CHECK(stamp(x, STAMP_NS) == -ENOTTY && stamp(x, STAMP_US_NEW) == -ENOTTY);
	before = now();
	CHECK(to_itself(u));
	first = stamp(u, STAMP_NS); /* taken as it came in, or now */
	CHECK(first >= before && first <= now() && stamp(u, STAMP_NS_NEW) == first);
	CHECK(stamp(u, STAMP_US) == first / 1000 * 1000 &&
	      stamp(u, STAMP_US_NEW) / 1000 == first / 1000);
	CHECK_ERR(ioctl(u, STAMP_NS, (void *)-4096l), EFAULT);
	before = first;
	CHECK(to_itself(u) && stamp(u, STAMP_NS) > before);
	/* With the option the times are given with the messages, and there alone. */
	first = stamp(u, STAMP_NS);
	CHECK(!setsockopt(u, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof(on)) && to_itself(u));
	CHECK(stamp(u, STAMP_NS) == first);
	CHECK(recv(p, c, sizeof(c), 0) > 0 && stamp(p, STAMP_NS) >= start);
	close(u);
	u = socket(AF_INET, SOCK_DGRAM, 0); /* it came before anybody asked: now */
	a = bind_lo(u);
	CHECK(to_itself(u));
	before = now();
	first = stamp(u, STAMP_NS);
	CHECK(first >= before && first <= now() && stamp(u, STAMP_NS) == first);
	close(u);
	close(t);
	close(x);
	close(p);
}

static void not_sent(void)
{
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), s = -1,
	    n = -1, q = -1;
	int u = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in a = bind_lo(l);
	static char buf[65536];

	CHECK(!ioctl(c, OUTQNSD, &n) && n == 0);
	REQUIRE(!listen(l, 1));
	CHECK_ERR(ioctl(l, OUTQNSD, &n), EINVAL);
	CHECK_ERR(ioctl(u, OUTQNSD, &n), ENOTTY);
	REQUIRE(!connect(c, (struct sockaddr *)&a, sizeof(a)) && (s = accept(l, NULL, NULL)) >= 0);
	while (send(c, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	/* Nobody reads: the window closes, and some of it has never gone. */
	CHECK(EVENTUALLY(!ioctl(c, OUTQNSD, &n) && n > 0 && !ioctl(c, OUTQ, &q) && n <= q));
	CHECK_ERR(ioctl(c, OUTQNSD, (void *)-4096l), EFAULT);
	fcntl(s, F_SETFL, O_NONBLOCK);
	CHECK(EVENTUALLY((read(s, buf, sizeof(buf)) > 0 || 1) && !ioctl(c, OUTQ, &q) && q == 0));
	CHECK(!ioctl(c, OUTQNSD, &n) && n == 0);
	close(l);
	close(c);
	close(s);
	close(u);
}

static void name_space(void)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0), fd = ioctl(s, GSKNS);
	struct stat a, b;

	CHECK(fd >= 0 && !fstat(fd, &a) && !stat("/proc/self/ns/net", &b));
	CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	close(fd);
	close(s);
}

static int bind_unix(int s, const char *path, socklen_t len)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	memcpy(a.sun_path, path, len);
	return bind(s, (struct sockaddr *)&a, (socklen_t)sizeof(sa_family_t) + len);
}

static void unix_file(void)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0), fd = -1;
	struct stat a, b;

	CHECK_ERR(ioctl(s, UNIXFILE), ENOENT);
	CHECK(!bind_unix(s, "\0abstract", 9));
	CHECK_ERR(ioctl(s, UNIXFILE), ENOENT);
	close(s);
	s = socket(AF_UNIX, SOCK_DGRAM, 0);
	unlink("/tmp/sock_ioctls");
	CHECK(!bind_unix(s, "/tmp/sock_ioctls", 16) && !stat("/tmp/sock_ioctls", &a));
	CHECK(!unlink("/tmp/sock_ioctls") && (fd = ioctl(s, UNIXFILE)) >= 0);
	CHECK(!fstat(fd, &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC && (fcntl(fd, F_GETFL) & O_PATH));
	close(fd);
	close(s);
}

/* --- names of devices --- */

static int ctl;

static int rename_dev(const char *from, const char *to)
{
	struct ifreq r = { 0 };

	strcpy(r.ifr_name, from);
	memcpy(r.ifr_newname, to, strlen(to) < IFNAMSIZ ? strlen(to) + 1 : IFNAMSIZ);
	return ioctl(ctl, SIOCSIFNAME, &r) ? errno : 0;
}

static int set_up(const char *name, int up)
{
	struct ifreq r = { 0 };

	strcpy(r.ifr_name, name);
	r.ifr_flags = up ? IFF_UP : 0;
	return !ioctl(ctl, SIOCSIFFLAGS, &r);
}

static int is_shown(const char *name)
{
	char path[64], text[4096], want[32];
	FILE *f = fopen("/proc/net/dev", "r");
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		fclose(f);
	text[n] = 0;
	snprintf(want, sizeof(want), "%s:", name);
	snprintf(path, sizeof(path), "/sys/class/net/%s/ifindex", name);
	n = strstr(text, want) != NULL;
	return (int)n + 2 * !access(path, F_OK) + 4 * (if_nametoindex(name) == 1);
}

static int has_label(const char *label)
{
	struct ifreq all[20];
	struct ifconf c = { .ifc_len = sizeof(all), .ifc_req = all };

	if (ioctl(ctl, SIOCGIFCONF, &c))
		return 0;
	for (size_t i = 0; i < (size_t)c.ifc_len / sizeof(all[0]); i++)
		if (!strcmp(all[i].ifr_name, label))
			return 1;
	return 0;
}

static int add_label(const char *label, const char *addr)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct ifreq r = { 0 };

	strcpy(r.ifr_name, label);
	inet_pton(AF_INET, addr, &a.sin_addr);
	memcpy(&r.ifr_addr, &a, sizeof(a));
	return !ioctl(ctl, SIOCSIFADDR, &r);
}

/* The next event of a device that says something of @key; what it says, or NULL. */
static const char *event_of(int s, const char *key)
{
	static char text[2048];
	ssize_t n;

	while ((n = recv(s, text, sizeof(text) - 1, 0)) > 0) {
		text[n] = 0;
		for (char *p = text; p < text + n; p += strlen(p) + 1)
			if (!strncmp(p, key, strlen(key)) && p[strlen(key)] == '=')
				return p + strlen(key) + 1;
	}
	return NULL;
}

static int netlink_rename(int index, const char *name)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg m;
		struct rtattr a;
		char name[IFNAMSIZ];
	} q = { .h = { sizeof(q), RTM_SETLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0 },
		.m = { .ifi_index = index },
		.a = { sizeof(q.a) + IFNAMSIZ, IFLA_IFNAME } };
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[200];
	} r = { .e.error = 1 };
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	strncpy(q.name, name, IFNAMSIZ - 1);
	if (send(s, &q, sizeof(q), 0) < 0 || recv(s, &r, sizeof(r), 0) < 0)
		r.e.error = -errno;
	close(s);
	return -r.e.error;
}

static void names(void)
{
	struct sockaddr_nl all = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int events = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
	int sys = open("/sys/class/net/lo/ifindex", O_RDONLY);
	const char *said;
	char c = 0;

	REQUIRE(!bind(events, (struct sockaddr *)&all, sizeof(all)));
	CHECK(set_up("lo", 1) && rename_dev("lo", "x") == EBUSY && rename_dev("lo", "lo") == EBUSY);
	CHECK(add_label("lo:a", "127.0.0.2"));
	CHECK(set_up("lo", 0) && rename_dev("lo", "lo") == 0 && rename_dev("none", "x") == ENODEV);
	CHECK(rename_dev("lo", "") == EINVAL && rename_dev("lo", "a/b") == EINVAL);
	CHECK(rename_dev("lo", "a:b") == EINVAL && rename_dev("lo", "a b") == EINVAL);
	CHECK(rename_dev("lo", "..") == EINVAL && rename_dev("lo", ".") == EINVAL);
	CHECK(rename_dev("lo", "a%db%d") == EINVAL && rename_dev("lo", "a%s") == EINVAL);
	CHECK(is_shown("lo") == 7);
	CHECK(rename_dev("lo", "back0") == 0 && is_shown("back0") == 7 && is_shown("lo") == 0);
	said = event_of(events, "DEVPATH_OLD");
	CHECK(said && !strcmp(said, "/devices/virtual/net/lo"));
	CHECK(has_label("back0") && has_label("back0:a") && !has_label("lo") && !has_label("lo:a"));
	CHECK(sys < 0 || pread(sys, &c, 1, 0) <= 1); /* who has it open is not hurt */
	CHECK(rename_dev("back0", "lo%d") == 0 && is_shown("lo0") == 7 && is_shown("back0") == 0);
	CHECK(netlink_rename(1, "abcdefghijklmno") == 0 && is_shown("abcdefghijklmno") == 7);
	CHECK(has_label("abcdefghijklm:a"));
	CHECK(netlink_rename(1, "a/b") == EINVAL && netlink_rename(1, "lo") == 0);
	CHECK(is_shown("lo") == 7 && set_up("lo", 1) && netlink_rename(1, "other") == EBUSY);
	CHECK(netlink_rename(1, "lo") == EBUSY);
	close(events);
	close(sys);
}

static int as_user(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (setgid(1000) || setuid(1000))
			_exit(1);
		fn();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) == pid && !status)
		return 1;
	printf("# status %x\n", status);
	return 0;
}

static void plain_user(void)
{
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	if (ioctl(s, GSKNS) != -1 || errno != EPERM)
		_exit(2);
	if (ioctl(s, UNIXFILE) != -1 || errno != EPERM)
		_exit(3);
	if (rename_dev("lo", "x") != EPERM || rename_dev("none", "x") != EPERM)
		_exit(4);
}

int main(void)
{
	alarm(TAP_LIMIT);
	ctl = socket(AF_INET, SOCK_DGRAM, 0);
	REQUIRE(ctl >= 0 && set_up("lo", 1));
	stamps();
	not_sent();
	name_space();
	unix_file();
	CHECK(as_user(plain_user));
	names();
	return tap_done();
}
