/*
 * Sockets that share a port, and the program that chooses among them (SO_REUSEPORT,
 * SO_ATTACH_REUSEPORT_CBPF); datagrams that come in one piece (UDP_GRO); options of TCP that change
 * what a caller is told. socket(7), udp(7), tcp(7).
 */
#define _GNU_SOURCE
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <linux/filter.h>
#include "inet.h"
#include "sockopt.h"

#define ATTACH_CBPF 51
#define DETACH 68
#define INQ 36
#define THIN_LINEAR 16
#define THIN_DUPACK 17

static int attach(int fd, struct sock_filter *code, unsigned short n)
{
	struct sock_fprog prog = { n, code };

	return setsockopt(fd, SOL_SOCKET, ATTACH_CBPF, &prog, sizeof(prog));
}

/* A: the first byte of the data. */
static struct sock_filter by_byte[] = { { 0x30, 0, 0, 0 }, { 0x16, 0, 0, 0 } };

static int always(int fd, unsigned index)
{
	struct sock_filter code[] = { { 0x06, 0, 0, index } };

	return attach(fd, code, 1);
}

static int sharing(int type, int port)
{
	struct sockaddr_in a = at("127.0.0.1", port);
	int fd = socket(AF_INET, type, 0);

	REQUIRE(!set(fd, SO_REUSEPORT, 1) && !bind(fd, SA(a)));
	return fd;
}

/* Which of the sockets of @v has a datagram, which is taken; -1: none. */
static int got(const int *v, int n)
{
	struct pollfd p[4];
	char b;

	for (int i = 0; i < n; i++)
		p[i] = (struct pollfd){ v[i], POLLIN, 0 };
	if (poll(p, (nfds_t)n, TAP_PATIENCE_MS) != 1)
		return -1;
	for (int i = 0; i < n; i++) {
		if (p[i].revents & POLLIN)
			return recv(v[i], &b, 1, MSG_DONTWAIT) == 1 ? i : -1;
	}
	return -1;
}

static void datagrams(void)
{
	int v[3], x = udp_bound(), port, alone = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in to;

	v[0] = sharing(SOCK_DGRAM, 0);
	port = port_of(v[0]);
	v[1] = sharing(SOCK_DGRAM, port);
	v[2] = sharing(SOCK_DGRAM, port);
	to = at("127.0.0.1", port);
	CHECK_ERR(attach(alone, by_byte, 2), EINVAL); /* shares with nobody */
	CHECK_ERR(set(alone, DETACH, 0), EINVAL);
	CHECK_ERR(set(v[0], DETACH, 0), ENOENT);
	CHECK_ERR(attach(v[0], by_byte, 1), EINVAL); /* does not end */
	CHECK(!attach(v[1], by_byte, 2));
	for (char b = 0; b < 3; b++)
		CHECK(sendto(x, &b, 1, 0, SA(to)) == 1 && got(v, 3) == b);
	/* No such socket: chance. */
	CHECK(sendto(x, "\x7", 1, 0, SA(to)) == 1 && got(v, 3) >= 0);
	/* The program is of all of them; any of them changes it. */
	CHECK(!always(v[2], 0) && sendto(x, "\2", 1, 0, SA(to)) == 1 && got(v, 3) == 0);
	CHECK(!attach(v[0], by_byte, 2));
	/* It stays when who brought it goes; the last takes the place of one that goes. */
	close(v[0]);
	v[0] = v[2];
	CHECK(sendto(x, "\0", 1, 0, SA(to)) == 1 && got(v, 2) == 0);
	CHECK(sendto(x, "\1", 1, 0, SA(to)) == 1 && got(v, 2) == 1);
	CHECK(!set(v[1], DETACH, 0));
	CHECK_ERR(set(v[0], DETACH, 0), ENOENT);
	CHECK(sendto(x, "\0", 1, 0, SA(to)) == 1 && got(v, 2) >= 0);
	close(v[0]);
	close(v[1]);
	close(alone);
	close(x);
}

/* Who came with a program of his own joins those of the first, and any of them changes it for all. */
static void many_programs(void)
{
	int v[3], x = udp_bound(), port = 0;
	struct sockaddr_in to;

	for (int i = 0; i < 3; i++) {
		struct sockaddr_in a = at("127.0.0.1", port);

		v[i] = socket(AF_INET, SOCK_DGRAM, 0);
		REQUIRE(!set(v[i], SO_REUSEADDR, 1) && !set(v[i], SO_REUSEPORT, 1));
		REQUIRE(!always(v[i], 1) && !bind(v[i], SA(a)));
		port = port_of(v[i]);
	}
	to = at("127.0.0.1", port);
	for (int i = 2; i >= 0; i--) {
		CHECK(!always(v[i], (unsigned)i));
		CHECK(sendto(x, "a", 1, 0, SA(to)) == 1 && got(v, 3) == i);
	}
	CHECK(!set(v[1], DETACH, 0));
	for (int i = 0; i < 3; i++) {
		CHECK_ERR(set(v[i], DETACH, 0), ENOENT);
		close(v[i]);
	}
	close(x);
}

/* Who has a program, and so a group of its own, joins nobody by SO_REUSEPORT alone. */
static void early_programs(int type)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	int v[3];

	for (int i = 0; i < 3; i++) {
		v[i] = socket(AF_INET, type, 0);
		REQUIRE(!set(v[i], SO_REUSEPORT, 1));
	}
	CHECK(!always(v[0], 0) && !always(v[1], 0));
	CHECK(!bind(v[0], SA(a)));
	a.sin_port = htons((unsigned short)port_of(v[0]));
	CHECK_ERR(bind(v[1], SA(a)), EADDRINUSE);
	CHECK(!set(v[1], DETACH, 0)); /* its own is still there */
	CHECK(!bind(v[2], SA(a)));
	if (type == SOCK_STREAM) /* and listening is asked about too */
		CHECK_ERR(listen(v[0], 1), EADDRINUSE);
	for (int i = 0; i < 3; i++)
		close(v[i]);
}

/* Bound to @addr at @port, with SO_REUSEPORT or without; -1: it may not be. */
static int bound(const char *addr, int port, int share)
{
	struct sockaddr_in a = at(addr, port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	REQUIRE(!set(fd, SO_REUSEPORT, share));
	if (!bind(fd, SA(a)))
		return fd;
	close(fd);
	return -1;
}

/* Of several in the way the one that came last is asked, and nobody else. */
static void in_the_way(void)
{
	int plain = bound("127.0.0.1", 0, 0), port = port_of(plain), other, any;

	CHECK(bound("0.0.0.0", port, 1) == -1);
	other = bound("127.0.0.2", port, 1);
	any = bound("0.0.0.0", port, 1);
	CHECK(other >= 0 && any >= 0);
	CHECK(bound("0.0.0.0", port, 0) == -1);
	close(any);
	close(plain);
	plain = bound("127.0.0.1", port, 0);
	CHECK(plain >= 0 && bound("0.0.0.0", port, 1) == -1);
	close(other);
	close(plain);
}

static int connected(int port)
{
	struct sockaddr_in to = at("127.0.0.1", port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(!connect(fd, SA(to)));
	return fd;
}

/* Which listener has a connection, which is taken. */
static int accepted(const int *v, int n)
{
	struct pollfd p[4];

	for (int i = 0; i < n; i++)
		p[i] = (struct pollfd){ v[i], POLLIN, 0 };
	if (poll(p, (nfds_t)n, TAP_PATIENCE_MS) != 1)
		return -1;
	for (int i = 0; i < n; i++) {
		if (p[i].revents & POLLIN) {
			int fd = accept(v[i], NULL, NULL);

			close(fd);
			return fd >= 0 ? i : -1;
		}
	}
	return -1;
}

static void connections(void)
{
	int v[3], port, c;

	v[0] = sharing(SOCK_STREAM, 0);
	port = port_of(v[0]);
	v[1] = sharing(SOCK_STREAM, port);
	v[2] = sharing(SOCK_STREAM, port);
	for (int i = 0; i < 3; i++)
		REQUIRE(!listen(v[i], 4));
	CHECK_ERR(set(v[0], DETACH, 0), ENOENT);
	for (unsigned i = 0; i < 3; i++) {
		CHECK(!always(v[2 - i], i));
		for (int k = 0; k < 3; k++) {
			c = connected(port);
			CHECK(accepted(v, 3) == (int)i);
			close(c);
		}
	}
	CHECK(!always(v[0], 0));
	close(v[0]);
	v[0] = v[2];
	c = connected(port);
	CHECK(accepted(v, 2) == 0);
	close(c);
	CHECK(!always(v[1], 9));
	c = connected(port);
	CHECK(accepted(v, 2) >= 0);
	close(c);
	CHECK(!set(v[0], DETACH, 0));
	CHECK_ERR(set(v[1], DETACH, 0), ENOENT);
	close(v[0]);
	close(v[1]);
}

/* How many bytes a call gets; *size: of what length the pieces are, 0: it is one. */
static ssize_t take(int fd, char *buf, size_t room, int *size)
{
	union {
		char bytes[64];
		struct cmsghdr align;
	} ctl;
	struct iovec io = { buf, room };
	struct msghdr m = {
		.msg_iov = &io, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = sizeof(ctl)
	};
	ssize_t n = recvmsg(fd, &m, 0);

	*size = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
			memcpy(size, CMSG_DATA(c), sizeof(*size));
	}
	return n;
}

/* What is joined, and how far, is the receiver's chance; but no byte and no limit is lost. */
static void joined(void)
{
	static char data[5300], buf[70000];
	int x = udp_bound(), y = udp_bound(), on = 1, piece = 1000, size;
	struct sockaddr_in to = at("127.0.0.1", port_of(y));
	ssize_t n, at_ = 0;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i / 7);
	CHECK(!setsockopt(y, SOL_UDP, UDP_GRO, &on, sizeof(on)));
	CHECK(!setsockopt(x, SOL_UDP, UDP_SEGMENT, &piece, sizeof(piece)));
	CHECK(sendto(x, data, sizeof(data), 0, SA(to)) == (ssize_t)sizeof(data));
	while (at_ < (ssize_t)sizeof(data)) {
		n = take(y, buf, sizeof(buf), &size);
		REQUIRE(n > 0 && n <= (ssize_t)sizeof(data) - at_);
		CHECK(size ? size == 1000 && n > 1000 : n == 1000 || n == 300);
		CHECK(!memcmp(buf, data + at_, (size_t)n));
		at_ += n;
	}
	/* Datagrams of different lengths or senders are never one. */
	piece = on = 0;
	CHECK(!setsockopt(x, SOL_UDP, UDP_SEGMENT, &piece, sizeof(piece)));
	CHECK(sendto(x, data, 10, 0, SA(to)) == 10 && sendto(x, data, 20, 0, SA(to)) == 20);
	CHECK(take(y, buf, sizeof(buf), &size) == 10 && !size);
	CHECK(take(y, buf, sizeof(buf), &size) == 20 && !size);
	CHECK(!setsockopt(y, SOL_UDP, UDP_GRO, &on, sizeof(on)));
	CHECK(sendto(x, data, 10, 0, SA(to)) == 10 && sendto(x, data, 10, 0, SA(to)) == 10);
	CHECK(take(y, buf, sizeof(buf), &size) == 10 && !size);
	CHECK(take(y, buf, sizeof(buf), &size) == 10 && !size);
	close(x);
	close(y);
}

static int tcp_get(int fd, int option)
{
	int v = -99;
	socklen_t n = sizeof(v);

	return getsockopt(fd, SOL_TCP, option, &v, &n) ? -99 : v;
}

static int tcp_set(int fd, int option, int v)
{
	return setsockopt(fd, SOL_TCP, option, &v, sizeof(v));
}

/* With TCP_INQ a receiver learns how much there is still. */
static void told(void)
{
	union {
		char bytes[64];
		struct cmsghdr align;
	} ctl;
	char buf[16];
	struct iovec io = { buf, 4 };
	struct msghdr m = {
		.msg_iov = &io, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = sizeof(ctl)
	};
	struct sockaddr_in a = at("127.0.0.1", 0);
	int l = socket(AF_INET, SOCK_STREAM, 0), c, s, left = -1, there = 0;
	struct cmsghdr *h;

	REQUIRE(!bind(l, SA(a)) && !tcp_set(l, THIN_LINEAR, 1) && !listen(l, 1));
	a = at("127.0.0.1", port_of(l));
	c = socket(AF_INET, SOCK_STREAM, 0);
	CHECK(!tcp_set(c, THIN_LINEAR, 1) && !connect(c, SA(a)));
	s = accept(l, NULL, NULL);
	REQUIRE(s >= 0);
	CHECK(tcp_get(c, THIN_LINEAR) == 1 && tcp_get(s, THIN_LINEAR) == 1);
	CHECK_ERR(tcp_set(s, INQ, 2), EINVAL);
	CHECK(tcp_get(s, INQ) == 0 && !tcp_set(s, INQ, 1) && tcp_get(s, INQ) == 1);
	CHECK(send(c, "0123456789", 10, 0) == 10);
	EVENTUALLY(ioctl(s, FIONREAD, &there) == 0 && there == 10);
	CHECK(recvmsg(s, &m, 0) == 4);
	h = CMSG_FIRSTHDR(&m);
	CHECK(h && h->cmsg_level == SOL_TCP && h->cmsg_type == INQ);
	if (h)
		memcpy(&left, CMSG_DATA(h), sizeof(left));
	CHECK(left == 6);
	CHECK(!tcp_set(s, THIN_LINEAR, 1) && tcp_get(s, THIN_LINEAR) == 1);
	CHECK_ERR(tcp_set(s, THIN_LINEAR, 2), EINVAL);
	CHECK(!tcp_set(s, THIN_DUPACK, 1) && tcp_get(s, THIN_DUPACK) == 0);
	/* Counted in SYN-ACKs sent again, after 1, 2, 4... seconds. */
	CHECK(!tcp_set(l, TCP_DEFER_ACCEPT, 2) && tcp_get(l, TCP_DEFER_ACCEPT) == 3);
	CHECK(!tcp_set(l, TCP_DEFER_ACCEPT, 100) && tcp_get(l, TCP_DEFER_ACCEPT) == 127);
	CHECK(!tcp_set(l, TCP_DEFER_ACCEPT, 200) && tcp_get(l, TCP_DEFER_ACCEPT) == 247);
	CHECK(!tcp_set(l, TCP_DEFER_ACCEPT, 0) && tcp_get(l, TCP_DEFER_ACCEPT) == 0);
	close(c);
	close(s);
	close(l);
}

/* The options count as they are when another one binds, whenever they were set. */
static void afterwards(int option)
{
	int a = udp_bound(), b = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in at_a = at("127.0.0.1", port_of(a));

	CHECK(!set(b, option, 1));
	CHECK_ERR(bind(b, SA(at_a)), EADDRINUSE);
	CHECK(!set(a, option, 1) && !set(b, option, 0));
	CHECK_ERR(bind(b, SA(at_a)), EADDRINUSE);
	CHECK(!set(b, option, 1) && !bind(b, SA(at_a)));
	if (option == SO_REUSEADDR) { /* each of them counts */
		CHECK(!set(c, option, 1) && !set(a, option, 0));
		CHECK_ERR(bind(c, SA(at_a)), EADDRINUSE);
		CHECK(!set(a, option, 1) && !bind(c, SA(at_a)));
	}
	close(a);
	close(b);
	close(c);
}

int main(void)
{
	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	datagrams();
	connections();
	many_programs();
	early_programs(SOCK_DGRAM);
	in_the_way();
	early_programs(SOCK_STREAM);
	joined();
	told();
	afterwards(SO_REUSEADDR);
	afterwards(SO_REUSEPORT);
	return tap_done();
}
