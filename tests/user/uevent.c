/* Device events over netlink(7), asked for by writing to uevent files. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tap.h"

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), n = fd < 0 ? -1 : (int)write(fd, text, strlen(text)),
	    e = errno;

	if (fd >= 0)
		close(fd);
	errno = e;
	return n;
}

/* The value of @key in the strings of a message, or "". */
static const char *value(const char *text, ssize_t n, const char *key)
{
	size_t len = strlen(key);

	for (const char *p = text; p < text + n; p += strlen(p) + 1)
		if (!strncmp(p, key, len) && p[len] == '=')
			return p + len + 1;
	return "";
}

/* As said by a network device. */
static void net_event(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char buf[4096];
	ssize_t n;

	CHECK(write_file("/sys/class/net/lo/uevent", "change\n") == 7);
	CHECK(poll(&p, 1, TAP_PATIENCE_MS) == 1);
	n = recv(fd, buf, sizeof(buf), 0);
	CHECK(n > 50 && !strcmp(buf, "change@/devices/virtual/net/lo"));
	CHECK(!strcmp(value(buf, n, "INTERFACE"), "lo") && !strcmp(value(buf, n, "IFINDEX"), "1"));
}

int main(void)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = 1 }, from;
	socklen_t len = sizeof(from);
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT), other;
	struct pollfd p = { fd, POLLIN, 0 };
	char buf[4096];
	ssize_t n;

	CHECK_ERR(socket(AF_NETLINK, SOCK_STREAM, NETLINK_KOBJECT_UEVENT), ESOCKTNOSUPPORT);
	REQUIRE(fd >= 0);
	CHECK_ERR(bind(fd, (void *)&a, 4), EINVAL);
	CHECK(bind(fd, (void *)&a, sizeof(a)) == 0);
	CHECK(getsockname(fd, (void *)&from, &len) == 0 && from.nl_pid == (unsigned)getpid());
	other = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT);
	CHECK(bind(other, (void *)&a, sizeof(a)) == 0);
	len = sizeof(from);
	CHECK(getsockname(other, (void *)&from, &len) == 0 && from.nl_pid != (unsigned)getpid());
	CHECK_ERR(recv(fd, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK_ERR(write_file("/sys/class/mem/null/uevent", "nonsense"), EINVAL);
	CHECK(write_file("/sys/class/mem/null/uevent", "change\n") == 7);
	CHECK(poll(&p, 1, TAP_PATIENCE_MS) == 1 && p.revents == POLLIN);
	CHECK(recv(fd, buf, 1, MSG_PEEK | MSG_TRUNC) > 50);
	len = sizeof(from);
	n = recvfrom(fd, buf, sizeof(buf), 0, (void *)&from, &len);
	CHECK(n > 50 && !strcmp(buf, "change@/devices/virtual/mem/null") && buf[n - 1] == 0);
	CHECK(from.nl_pid == 0 && from.nl_groups == 1);
	CHECK(!strcmp(value(buf, n, "ACTION"), "change") &&
	      !strcmp(value(buf, n, "SUBSYSTEM"), "mem"));
	CHECK(!strcmp(value(buf, n, "MAJOR"), "1") && !strcmp(value(buf, n, "MINOR"), "3"));
	CHECK(!strcmp(value(buf, n, "DEVNAME"), "null") && atoi(value(buf, n, "SEQNUM")) > 0);
	CHECK(recv(other, buf, sizeof(buf), MSG_DONTWAIT) == n);
	net_event(fd);
	return tap_done();
}
