/* Multicast, and datagrams that one call makes many of (UDP_SEGMENT). ip(7), udp(7). */
#define _GNU_SOURCE
#include <netinet/udp.h>
#include "inet.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static int bound(const char *addr, int port)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
	struct sockaddr_in a = at(addr, port);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return bind(fd, SA(a)) ? -1 : patient(fd);
}

static int join(int fd, int option, const char *group)
{
	struct ip_mreqn r = { .imr_ifindex = 1 };

	inet_pton(AF_INET, group, &r.imr_multiaddr);
	return setsockopt(fd, IPPROTO_IP, option, &r, sizeof(r));
}

static int hears(int fd)
{
	char c;

	return recv(fd, &c, 1, 0) == 1 ? c : 0;
}

static int silent(int fd)
{
	char c;

	return recv(fd, &c, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

static void groups(void)
{
	int a = bound("0.0.0.0", 0), b, c, x = socket(AF_INET, SOCK_DGRAM, 0), v, one = 1, zero = 0;
	struct sockaddr_in to = at("239.1.2.3", port_of(a)), other = at("239.1.2.4", port_of(a));
	struct ip_mreqn by = { .imr_ifindex = 1 };
	struct in_addr addr;
	socklen_t n = sizeof(v);

	b = bound("0.0.0.0", port_of(a));
	c = bound("239.1.2.3", port_of(a));
	REQUIRE(a >= 0 && b >= 0 && c >= 0);
	CHECK_ERR(join(a, IP_ADD_MEMBERSHIP, "10.1.2.3"), EINVAL);
	CHECK_ERR(join(a, IP_DROP_MEMBERSHIP, "239.1.2.3"), EADDRNOTAVAIL);
	by.imr_ifindex = 4711;
	inet_pton(AF_INET, "239.1.2.3", &by.imr_multiaddr);
	CHECK_ERR(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &by, sizeof(by)), ENODEV);
	CHECK_ERR(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &by, 4), EINVAL);
	CHECK(!join(a, IP_ADD_MEMBERSHIP, "239.1.2.3") && !join(b, IP_ADD_MEMBERSHIP, "239.1.2.3"));
	CHECK_ERR(join(a, IP_ADD_MEMBERSHIP, "239.1.2.3"), EADDRINUSE);
	by = (struct ip_mreqn){ .imr_ifindex = 1 };
	CHECK(!setsockopt(x, IPPROTO_IP, IP_MULTICAST_IF, &by, sizeof(by)));
	n = sizeof(addr);
	CHECK(!getsockopt(x, IPPROTO_IP, IP_MULTICAST_IF, &addr, &n) && n == 4);
	n = sizeof(v);
	CHECK(!getsockopt(x, IPPROTO_IP, IP_MULTICAST_TTL, &v, &n) && v == 1);
	CHECK(!getsockopt(x, IPPROTO_IP, IP_MULTICAST_LOOP, &v, &n) && v == 1);
	CHECK(sendto(x, "1", 1, 0, SA(to)) == 1);
	CHECK(hears(a) == '1' && hears(b) == '1' && hears(c) == '1'); /* each of them */
	CHECK(silent(a) && silent(b) && silent(c)); /* and once */
	CHECK(sendto(x, "2", 1, 0, SA(other)) == 1);
	CHECK(silent(a) && silent(b) && silent(c)); /* nobody has joined that one */
	CHECK(!join(b, IP_DROP_MEMBERSHIP, "239.1.2.3"));
	CHECK(sendto(x, "3", 1, 0, SA(to)) == 1 && hears(a) == '3');
	CHECK(hears(b) == '3' && hears(c) == '3'); /* the device has it still: IP_MULTICAST_ALL */
	CHECK(!setsockopt(b, IPPROTO_IP, IP_MULTICAST_ALL, &zero, sizeof(zero)));
	CHECK(sendto(x, "4", 1, 0, SA(to)) == 1 && hears(a) == '4' && hears(c) == '4' && silent(b));
	CHECK(!setsockopt(x, IPPROTO_IP, IP_MULTICAST_LOOP, &zero, sizeof(zero)));
	CHECK(!setsockopt(x, IPPROTO_IP, IP_MULTICAST_LOOP, &one, sizeof(one)));
	close(a); /* the last who had joined */
	CHECK(sendto(x, "5", 1, 0, SA(to)) == 1 && silent(c));
	close(b);
	close(c);
	close(x);
}

static void no_segment_size(int x, int v)
{
	CHECK_ERR(setsockopt(x, IPPROTO_UDP, UDP_SEGMENT, &v, sizeof(v)), EINVAL);
}

static void segments(void)
{
	int a = bound("127.0.0.1", 0), x = bound("127.0.0.1", 0), v = 1000, got = 0, right = 1;
	struct sockaddr_in to = at("127.0.0.1", port_of(a));
	char control[CMSG_SPACE(2)] = { 0 }, big[64000], buf[2000];
	struct iovec io = { big, 4500 };
	struct msghdr m = { .msg_name = &to,
			    .msg_namelen = sizeof(to),
			    .msg_iov = &io,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	socklen_t n = sizeof(v);

	for (unsigned i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 1000);
	CHECK(!setsockopt(x, IPPROTO_UDP, UDP_SEGMENT, &v, sizeof(v)));
	CHECK(!getsockopt(x, IPPROTO_UDP, UDP_SEGMENT, &v, &n) && v == 1000);
	CHECK(sendto(x, big, 10500, 0, SA(to)) == 10500);
	for (ssize_t k; got < 11 && (k = recv(a, buf, sizeof(buf), 0)) >= 0; got++)
		right &= k == (got < 10 ? 1000 : 500) && !memcmp(buf, big + got * 1000, (size_t)k);
	CHECK(got == 11 && right && silent(a));
	CHECK(sendto(x, big, 999, 0, SA(to)) == 999 && recv(a, buf, sizeof(buf), 0) == 999);
	CHECK(sendto(x, big, 1000, 0, SA(to)) == 1000 && recv(a, buf, sizeof(buf), 0) == 1000);
	v = 0;
	CHECK(!setsockopt(x, IPPROTO_UDP, UDP_SEGMENT, &v, sizeof(v)));
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(2);
	*(unsigned short *)CMSG_DATA(c) = 1500;
	CHECK(sendmsg(x, &m, 0) == 4500);
	for (int i = 0; i < 3; i++)
		CHECK(recv(a, buf, sizeof(buf), 0) == 1500);
	io.iov_len = 1; /* of what several calls make, the first says how it is cut */
	CHECK(sendmsg(x, &m, MSG_MORE) == 1);
	CHECK(sendto(x, big + 1, 2999, 0, SA(to)) == 2999);
	for (int i = 0; i < 2; i++)
		CHECK(recv(a, buf, sizeof(buf), 0) == 1500 && !memcmp(buf, big + i * 1500, 1500));
	*(unsigned short *)CMSG_DATA(c) = 1;
	io.iov_len = 128;
	CHECK(sendmsg(x, &m, 0) == 128);
	for (got = 0; got < 128 && recv(a, buf, sizeof(buf), 0) == 1;)
		got++;
	CHECK(got == 128 && silent(a));
	io.iov_len = 129;
	CHECK_ERR(sendmsg(x, &m, 0), EINVAL);
	*(unsigned short *)CMSG_DATA(c) = 10;
	io.iov_len = sizeof(big);
	CHECK_ERR(sendmsg(x, &m, 0), EINVAL); /* more pieces than are allowed */
	no_segment_size(x, 70000);
	no_segment_size(x, -1);
	CHECK_ERR(recv(a, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	close(a);
	close(x);
}

int main(void)
{
	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	groups();
	segments();
	return tap_done();
}
