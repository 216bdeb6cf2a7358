/*
 * AF_NETLINK between programs (NETLINK_USERSOCK), events that an administrator sends, and the
 * families of NETLINK_GENERIC. netlink(7), linux/genetlink.h.
 */
#define _GNU_SOURCE
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "tap.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

static int open_at(int protocol, unsigned port, unsigned groups)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd >= 0 && bind(fd, (void *)&a, sizeof(a))) {
		int e = errno;

		close(fd);
		errno = e;
		return -1;
	}
	return fd;
}

static int say(int fd, unsigned port, unsigned groups, const char *text, int flags)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups };

	return (int)sendto(fd, text, strlen(text), flags, (void *)&a, sizeof(a));
}

static int to(int fd, unsigned port, unsigned groups)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_pid = port, .nl_groups = groups };

	return connect(fd, (void *)&a, sizeof(a));
}

/* The next message is @text, from @port to @groups. */
static int hears(int fd, const char *text, unsigned port, unsigned groups)
{
	struct sockaddr_nl a = { 0 };
	socklen_t n = sizeof(a);
	char buf[100] = "";
	long got = recvfrom(fd, buf, sizeof(buf), MSG_DONTWAIT, (void *)&a, &n);

	return got == (long)strlen(text) && !strcmp(buf, text) && a.nl_pid == port &&
	       a.nl_groups == groups;
}

static int empty(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

static void programs(void)
{
	int a = open_at(NETLINK_USERSOCK, 7001, 0), b = open_at(NETLINK_USERSOCK, 7002, 0);
	int other = open_at(NETLINK_ROUTE, 7003, 0);
	struct sockaddr_nl peer = { 0 };
	socklen_t n = sizeof(peer);

	REQUIRE(a >= 0 && b >= 0 && other >= 0);
	CHECK_ERR(open_at(NETLINK_USERSOCK, 7001, 0), EADDRINUSE);
	CHECK(say(a, 7002, 0, "unicast", 0) == 7 && hears(b, "unicast", 7001, 0));
	CHECK(say(a, 7001, 0, "self", 0) == 4 && hears(a, "self", 7001, 0));
	CHECK_ERR(say(a, 7003, 0, "x", 0), ECONNREFUSED); /* another protocol's */
	CHECK_ERR(say(a, 0, 0, "x", 0), ECONNREFUSED);
	CHECK_ERR(send(a, "x", 1, 0), ECONNREFUSED);

	CHECK(!to(a, 7002, 0) && !getpeername(a, (void *)&peer, &n));
	CHECK(n == sizeof(peer) && peer.nl_pid == 7002 && !peer.nl_groups);
	CHECK(send(a, "connected", 9, 0) == 9 && hears(b, "connected", 7001, 0));
	CHECK(write(a, "written", 7) == 7 && hears(b, "written", 7001, 0));
	CHECK(!to(b, 7777, 0)); /* hears nobody else, and nobody is there */
	CHECK_ERR(send(b, "x", 1, 0), ECONNREFUSED);
	CHECK_ERR(send(a, "x", 1, 0), ECONNREFUSED);
	CHECK(!connect(b, &(struct sockaddr){ .sa_family = AF_UNSPEC }, sizeof(struct sockaddr)));
	CHECK(send(a, "again", 5, 0) == 5 && hears(b, "again", 7001, 0));
	close(b);
	CHECK_ERR(send(a, "x", 1, 0), ECONNREFUSED);
	close(a);
	close(other);
}

static void groups(void)
{
	int a = open_at(NETLINK_USERSOCK, 7001, 2), b = open_at(NETLINK_USERSOCK, 7002, 2);
	int c = open_at(NETLINK_USERSOCK, 7003, 4), d = open_at(NETLINK_USERSOCK, 7004, 6), on = 1;
	struct {
		struct cmsghdr h;
		struct nl_pktinfo info;
		int pad;
	} control;
	struct msghdr m = { .msg_iov = &(struct iovec){ (char[20]){ 0 }, 20 },
			    .msg_iovlen = 1,
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };

	REQUIRE(a >= 0 && b >= 0 && c >= 0 && d >= 0);
	/* All members but the sender get it, then there is no port to send it to. */
	CHECK_ERR(say(a, 0, 2, "all", 0), ECONNREFUSED);
	CHECK(hears(b, "all", 7001, 2) && hears(d, "all", 7001, 2) && empty(c) && empty(a));
	CHECK(say(a, 7002, 2, "both", 0) == 4); /* once each */
	CHECK(hears(b, "both", 7001, 2) && hears(d, "both", 7001, 2) && empty(b) && empty(c));
	CHECK(say(a, 7002, 6, "first", 0) == 5); /* the lowest one of several */
	CHECK(hears(b, "first", 7001, 2) && hears(d, "first", 7001, 2) && empty(c));
	CHECK(!setsockopt(d, SOL_NETLINK, NETLINK_PKTINFO, &on, sizeof(on)));
	CHECK_ERR(say(a, 0, 4, "info", 0), ECONNREFUSED);
	CHECK(recvmsg(d, &m, MSG_DONTWAIT) == 4 && control.h.cmsg_level == SOL_NETLINK);
	CHECK(control.h.cmsg_type == NETLINK_PKTINFO && control.info.group == 3);
	CHECK(hears(c, "info", 7001, 4));
	close(a);
	close(b);
	close(c);
	close(d);
}

/* Who does not want to wait is told; a child waits, if it comes while there is no room. */
static void room(void)
{
	int a = open_at(NETLINK_USERSOCK, 7001, 0), b = open_at(NETLINK_USERSOCK, 7002, 0);
	int sent = 0, got = 0, status = -1, small = 4096;
	struct pollfd p = { b, POLLIN, 0 };
	char buf[1000];
	pid_t child;

	memset(buf, 'x', sizeof(buf));
	CHECK(!setsockopt(b, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)) && !to(a, 7002, 0));
	while (sent < 10000 && send(a, buf, sizeof(buf), MSG_DONTWAIT) == sizeof(buf))
		sent++;
	CHECK(sent && sent < 10000);
	CHECK_ERR(send(a, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLIN); /* no error: it lost nothing */
	child = fork();
	if (!child)
		_exit(send(a, "last", 4, 0) == 4 ? 0 : 1);
	while (poll(&p, 1, TAP_PATIENCE_MS) == 1 &&
	       recv(b, buf, sizeof(buf), MSG_DONTWAIT) == sizeof(buf))
		got++;
	CHECK(got == sent && !memcmp(buf, "last", 4));
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	close(a);
	close(b);
}

/* What a plain user may do; what a child finds wrong. */
static int plain_user(void)
{
	int a, b, group = 1, wrong = 0;

	if (setgid(1000) || setuid(1000))
		return 64;
	a = open_at(NETLINK_USERSOCK, 7001, 0);
	b = open_at(NETLINK_USERSOCK, 7002, 0);
	wrong |= say(a, 7002, 0, "x", 0) == 1 && hears(b, "x", 7001, 0) ? 0 : 1;
	wrong |= say(a, 0, 1, "x", 0) == -1 && errno == ECONNREFUSED ? 0 : 2;
	wrong |= open_at(NETLINK_USERSOCK, 7003, 1) == -1 && errno == EPERM ? 0 : 4;
	wrong |= setsockopt(a, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == -1 &&
				 errno == EPERM
			 ? 0
			 : 8;
	wrong |= to(a, 7002, 1) == 0 ? 0 : 16;
	wrong |= open_at(NETLINK_KOBJECT_UEVENT, 7004, 1) >= 0 ? 0 : 32;
	return wrong;
}

static void plain(void)
{
	pid_t child = fork();
	int status = -1;

	if (!child)
		_exit(plain_user());
	CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

/* udevd tells its own news to group 2; what goes to the kernel goes out as news of group 1. */
static void events(void)
{
	int one = open_at(NETLINK_KOBJECT_UEVENT, 0, 1),
	    two = open_at(NETLINK_KOBJECT_UEVENT, 0, 2);
	int out = open_at(NETLINK_KOBJECT_UEVENT, 7005, 0);
	static const char text[] = "add@/of/mine\0ACTION=add";
	struct {
		struct nlmsghdr h;
		char text[sizeof(text)];
	} __attribute__((packed)) m = { .h = { .nlmsg_len = NLMSG_HDRLEN + sizeof(text),
					       .nlmsg_type = 100,
					       .nlmsg_flags = NLM_F_REQUEST } };
	struct pollfd p = { one, POLLIN, 0 };
	struct sockaddr_nl from = { 0 };
	socklen_t n = sizeof(from);
	char buf[2000];
	long got;

	CHECK(say(out, 0, 2, "libudev and more of it", 0) == 22);
	CHECK(hears(two, "libudev and more of it", 7005, 2));
	memcpy(m.text, text, sizeof(text));
	CHECK(send(out, &m, sizeof(m), 0) == sizeof(m));
	do {
		CHECK(poll(&p, 1, TAP_PATIENCE_MS) == 1);
		got = recvfrom(one, buf, sizeof(buf), MSG_DONTWAIT, (void *)&from, &n);
	} while (got > 0 && strcmp(buf, "add@/of/mine"));
	CHECK(got > (long)sizeof(text) + 7 && !memcmp(buf, text, sizeof(text)));
	CHECK(!memcmp(buf + sizeof(text), "SEQNUM=", 7) && !buf[got - 1]);
	CHECK(!from.nl_pid && from.nl_groups == 1);
	close(one);
	close(two);
	close(out);
}

struct ask {
	struct nlmsghdr h;
	struct genlmsghdr g;
	struct nlattr a;
	char value[40];
};

/* Ask the controller by one attribute; the answer in @buf. Its length, or -errno of its verdict. */
static int ask(int fd, int cmd, int flags, int attr, const void *value, int len, char *buf)
{
	struct ask q = { .h = { .nlmsg_type = GENL_ID_CTRL,
				.nlmsg_flags = NLM_F_REQUEST | flags,
				.nlmsg_seq = 5 },
			 .g = { .cmd = cmd, .version = 1 },
			 .a = { NLA_HDRLEN + len, attr } };
	struct nlmsghdr *h = (struct nlmsghdr *)buf;
	int got;

	q.h.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN) + (attr ? NLA_HDRLEN + NLA_ALIGN(len) : 0);
	memcpy(q.value, value, len);
	if (send(fd, &q, q.h.nlmsg_len, 0) != (int)q.h.nlmsg_len)
		return -1000;
	got = recv(fd, buf, 8192, MSG_DONTWAIT);
	if (got < (int)sizeof(*h))
		return -1001;
	return h->nlmsg_type == NLMSG_ERROR ? ((struct nlmsgerr *)NLMSG_DATA(h))->error : got;
}

/* The controller's own answer about itself: @buf begins with it. */
static int is_own(const char *buf, int flags)
{
	const struct nlmsghdr *h = (const void *)buf;
	const struct genlmsghdr *g = NLMSG_DATA(h);
	const struct nlattr *a = (const void *)(g + 1);
	int seen = 0;

	if (h->nlmsg_type != GENL_ID_CTRL || h->nlmsg_flags != flags || h->nlmsg_seq != 5 ||
	    g->cmd != CTRL_CMD_NEWFAMILY || g->version != 2)
		return 0;
	for (; (const char *)a < buf + h->nlmsg_len;
	     a = (const void *)((char *)a + NLA_ALIGN(a->nla_len))) {
		const unsigned *v = (const void *)(a + 1);

		switch (a->nla_type) {
		case CTRL_ATTR_FAMILY_NAME:
			seen += a->nla_len == 11 && !strcmp((char *)v, "nlctrl");
			break;
		case CTRL_ATTR_FAMILY_ID:
			seen += a->nla_len == 6 && *(unsigned short *)v == GENL_ID_CTRL;
			break;
		case CTRL_ATTR_VERSION:
		case CTRL_ATTR_HDRSIZE:
		case CTRL_ATTR_MAXATTR:
			seen += a->nla_len == 8 && *v == (a->nla_type == CTRL_ATTR_VERSION ? 2 : 0);
			break;
		case CTRL_ATTR_OPS: /* the first of them */
			seen += v[0] == (1u << 16 | 20) && v[2] == CTRL_CMD_GETFAMILY && v[4] == 14;
		}
	}
	return seen == 6;
}

static void families(void)
{
	int fd = open_at(NETLINK_GENERIC, 0, 0);
	unsigned short id = GENL_ID_CTRL, none = 0x3ff;
	char buf[8192] __attribute__((aligned(8)));
	int got;

	REQUIRE(fd >= 0);
	CHECK(ask(fd, CTRL_CMD_GETFAMILY, 0, CTRL_ATTR_FAMILY_NAME, "nlctrl", 7, buf) > 0);
	CHECK(is_own(buf, 0));
	CHECK(ask(fd, CTRL_CMD_GETFAMILY, 0, CTRL_ATTR_FAMILY_ID, &id, 2, buf) > 0 &&
	      is_own(buf, 0));
	CHECK(ask(fd, CTRL_CMD_GETFAMILY, 0, CTRL_ATTR_FAMILY_ID, &none, 2, buf) == -ENOENT);
	CHECK(ask(fd, CTRL_CMD_GETFAMILY, 0, CTRL_ATTR_FAMILY_ID, &none, 1, buf) == -ERANGE);
	CHECK(ask(fd, CTRL_CMD_GETFAMILY, 0, CTRL_ATTR_FAMILY_NAME, "no such", 8, buf) == -ENOENT);
	CHECK(ask(fd, CTRL_CMD_GETFAMILY, 0, CTRL_ATTR_FAMILY_NAME, "nlctrl", 6, buf) == -EINVAL);
	CHECK(ask(fd, CTRL_CMD_GETFAMILY, 0, CTRL_ATTR_FAMILY_NAME, "a name that is too long", 24,
		  buf) == -EINVAL);
	CHECK(ask(fd, CTRL_CMD_GETFAMILY, 0, 0, "", 0, buf) == -EINVAL);
	CHECK(ask(fd, 99, 0, CTRL_ATTR_FAMILY_ID, &id, 2, buf) == -EOPNOTSUPP);
	got = ask(fd, CTRL_CMD_GETFAMILY, NLM_F_DUMP, 0, "", 0, buf);
	CHECK(got > 0 && is_own(buf, NLM_F_MULTI));
	for (int more = 1; more && got > 0;) {
		for (char *at = buf; at < buf + got;
		     at += NLMSG_ALIGN(((struct nlmsghdr *)at)->nlmsg_len))
			more &= ((struct nlmsghdr *)at)->nlmsg_type != NLMSG_DONE;
		if (more)
			got = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	}
	CHECK(got > 0);
	CHECK(ask(fd, CTRL_CMD_GETFAMILY, NLM_F_ACK, CTRL_ATTR_FAMILY_ID, &id, 2, buf) > 0);
	CHECK(recv(fd, buf, sizeof(buf), MSG_DONTWAIT) == 36 && !((int *)buf)[4]);
	close(fd);
}

int main(void)
{
	alarm(TAP_LIMIT);
	CHECK_ERR(socket(AF_NETLINK, SOCK_RAW, 31), EPROTONOSUPPORT);
	programs();
	groups();
	room();
	plain();
	events();
	families();
	return tap_done();
}
