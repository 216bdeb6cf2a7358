/*
 * What programs ask of the network in passing: datagrams in pieces (UDP_CORK), packets with a header
 * of their own (IP_HDRINCL), TCP_QUICKACK, and the lists of addresses and neighbours that
 * getifaddrs(3) and ip(8) read. And which of several reasons a call is refused for.
 */
#include <ifaddrs.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/ioctl.h>
#include <sys/un.h>
#include <linux/sockios.h>
#include "inet.h"

static int get(int fd, int level, int option)
{
	int v = -1;
	socklen_t n = sizeof(v);

	return getsockopt(fd, level, option, &v, &n) ? -1 : v;
}

static int set(int fd, int level, int option, int v)
{
	return setsockopt(fd, level, option, &v, sizeof(v));
}

static void test_cork(void)
{
	int to = udp_bound(), fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in a = at("127.0.0.1", port_of(to));
	char buf[16];

	REQUIRE(!connect(fd, SA(a)));
	CHECK(get(fd, IPPROTO_UDP, UDP_CORK) == 0);
	CHECK(!set(fd, IPPROTO_UDP, UDP_CORK, 1) && get(fd, IPPROTO_UDP, UDP_CORK) == 1);
	CHECK(send(fd, "ab", 2, 0) == 2 && send(fd, "cde", 3, 0) == 3);
	CHECK_ERR(recv(to, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK(!set(fd, IPPROTO_UDP, UDP_CORK, 0));
	CHECK(recv(to, buf, sizeof(buf), 0) == 5 && !memcmp(buf, "abcde", 5));
	CHECK(send(fd, "f", 1, 0) == 1 && recv(to, buf, sizeof(buf), 0) == 1);
	close(fd);
	close(to);
}

static void test_own_header(void)
{
	int to = udp_bound(), fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
	struct sockaddr_in a = at("127.0.0.1", 0), from = { 0 };
	socklen_t n = sizeof(from);
	char buf[16];
	struct {
		struct iphdr ip;
		struct udphdr udp;
		char data[4];
	} p = { .ip = { .version = 4, .ihl = 5, .ttl = 9, .protocol = IPPROTO_UDP },
		.udp = { .uh_sport = htons(77), .uh_ulen = htons(12) },
		.data = "own" };

	REQUIRE(fd >= 0);
	p.udp.uh_dport = htons(port_of(to));
	p.ip.daddr = a.sin_addr.s_addr;
	p.ip.saddr = inet_addr("127.0.0.9");
	CHECK(get(fd, IPPROTO_IP, IP_HDRINCL) == 0);
	CHECK(!set(fd, IPPROTO_IP, IP_HDRINCL, 1) && get(fd, IPPROTO_IP, IP_HDRINCL) == 1);
	CHECK(sendto(fd, &p, sizeof(p), 0, SA(a)) == sizeof(p)); /* sum and length are filled in */
	CHECK(recvfrom(to, buf, sizeof(buf), 0, (struct sockaddr *)&from, &n) == 4);
	CHECK(!memcmp(buf, "own", 4) && from.sin_port == htons(77) &&
	      from.sin_addr.s_addr == p.ip.saddr);
	CHECK_ERR(sendto(fd, &p, 19, 0, SA(a)), EINVAL);
	CHECK_ERR(set(to, IPPROTO_IP, IP_HDRINCL, 1), ENOPROTOOPT);
	close(fd);
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	CHECK(get(fd, IPPROTO_IP, IP_HDRINCL) == 1);
	close(fd);
	close(to);
}

static void test_quickack(void)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	int l = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

	REQUIRE(!bind(l, SA(a)) && !listen(l, 1));
	a.sin_port = htons(port_of(l));
	REQUIRE(!connect(fd, SA(a)));
	CHECK(!set(fd, IPPROTO_TCP, TCP_QUICKACK, 0) && get(fd, IPPROTO_TCP, TCP_QUICKACK) == 0);
	CHECK(!set(fd, IPPROTO_TCP, TCP_QUICKACK, 1) && get(fd, IPPROTO_TCP, TCP_QUICKACK) == 1);
	close(fd);
	close(l);
}

static void test_addresses(void)
{
	int addrs = 0, links = 0;
	struct ifaddrs *all;

	REQUIRE(!getifaddrs(&all));
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)i->ifa_addr;

		if (strcmp(i->ifa_name, "lo") || !in)
			continue;
		links += in->sin_family == AF_PACKET;
		addrs += in->sin_family == AF_INET &&
			 in->sin_addr.s_addr == htonl(INADDR_LOOPBACK) &&
			 (i->ifa_flags & (IFF_UP | IFF_LOOPBACK)) == (IFF_UP | IFF_LOOPBACK);
	}
	CHECK(addrs == 1 && links == 1);
	freeifaddrs(all);
}

/* Of a dump nothing but neighbours, and its end. */
static void test_neighbours(void)
{
	struct {
		struct nlmsghdr h;
		struct ndmsg m;
	} ask = { .h = { .nlmsg_len = sizeof(ask),
			 .nlmsg_type = RTM_GETNEIGH,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		  .m = { .ndm_family = AF_INET } };
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), others = 0, done = 0;
	_Alignas(8) char buf[16384];

	REQUIRE(fd >= 0 && send(fd, &ask, sizeof(ask), 0) == sizeof(ask));
	while (!done) {
		int n = (int)recv(fd, buf, sizeof(buf), 0);
		struct nlmsghdr *h = (struct nlmsghdr *)buf;

		REQUIRE(n > 0);
		for (; NLMSG_OK(h, n) && !done; h = NLMSG_NEXT(h, n)) {
			done = h->nlmsg_type == NLMSG_DONE;
			others += !done && h->nlmsg_type != RTM_NEWNEIGH;
		}
	}
	CHECK(!others);
	close(fd);
}

/* sendmsg(2) of "xy" with a record of control data whose length is wrong. */
static ssize_t send_badly(int fd, const void *to, socklen_t n, int flags)
{
	struct cmsghdr c = { .cmsg_len = 3, .cmsg_level = SOL_IP, .cmsg_type = IP_TOS };
	struct iovec v = { "xy", 2 };
	struct msghdr m = { .msg_name = (void *)to,
			    .msg_namelen = n,
			    .msg_iov = &v,
			    .msg_iovlen = 1,
			    .msg_control = &c,
			    .msg_controllen = sizeof(c) };

	return sendmsg(fd, &m, flags | MSG_NOSIGNAL);
}

/* Flags and the address come before control data, that before the route. */
static void test_order_of_datagrams(int fd)
{
	struct sockaddr_in a = at("127.0.0.1", 9), other = { .sin_family = 77 };

	CHECK_ERR(send_badly(fd, NULL, 0, MSG_OOB), EOPNOTSUPP);
	CHECK_ERR(send_badly(fd, NULL, 0, 0), EDESTADDRREQ);
	CHECK_ERR(send_badly(fd, &other, sizeof(other), 0), EAFNOSUPPORT);
	CHECK_ERR(send_badly(fd, &a, 8, 0), EINVAL);
	CHECK_ERR(send_badly(fd, &a, sizeof(a), 0), EINVAL);
	close(fd);
}

static void test_order_of_streams(void)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	int l, fd = socket(AF_INET, SOCK_STREAM, 0), c = -1;
	char buf[4];

	CHECK_ERR(send_badly(fd, NULL, 0, 0), EPIPE); /* no connection at all */
	CHECK_ERR(recv(fd, buf, 0, 0), ENOTCONN);
	l = socket(AF_INET, SOCK_STREAM, 0);
	REQUIRE(!bind(l, SA(a)) && !listen(l, 1));
	CHECK_ERR(connect(l, (void *)&a, 3), EISCONN); /* the address is not looked at */
	CHECK_ERR(recv(l, buf, 0, 0), ENOTCONN);
	a = at("127.0.0.1", port_of(l));
	REQUIRE(!connect(fd, SA(a)) && (c = accept(l, NULL, NULL)) >= 0);
	CHECK_ERR(send_badly(fd, NULL, 0, 0), EINVAL);
	CHECK_ERR(recv(fd, buf, 0, MSG_DONTWAIT),
		  EAGAIN); /* no bytes are an answer if there are some */
	CHECK(read(fd, buf, 0) == 0 && send(c, "z", 1, 0) == 1);
	CHECK(recv(fd, buf, 1, MSG_PEEK) == 1 && recv(fd, buf, 0, 0) == 0);
	CHECK(recv(fd, buf, 4, 0) == 1);
	/* Closed: its FIN, and a reset as soon as more is sent. The end of the stream stays an end. */
	close(c);
	CHECK(recv(fd, buf, 4, 0) == 0 && send(fd, "z", 1, 0) == 1);
	EVENTUALLY(send(fd, "z", 1, MSG_NOSIGNAL) < 0);
	CHECK(recv(fd, buf, 4, 0) == 0 && recv(fd, buf, 0, 0) == 0);
	CHECK(!shutdown(fd, SHUT_RDWR) || errno == ENOTCONN);
	CHECK(!connect(fd, &(struct sockaddr){ AF_UNSPEC }, sizeof(struct sockaddr)));
	CHECK_ERR(recv(fd, buf, 0, 0), ENOTCONN);
	close(fd);
	close(l);
}

/* A raw socket sends even after its end was announced. */
static void test_raw_after_shutdown(void)
{
	int fd = socket(AF_INET, SOCK_RAW, 200);
	struct sockaddr_in a = at("127.0.0.1", 0);

	REQUIRE(fd >= 0 && !connect(fd, SA(a)));
	CHECK(!shutdown(fd, SHUT_WR) && send(fd, "x", 1, 0) == 1);
	close(fd);
}

static void test_order_of_unix(void)
{
	int packets = socket(AF_UNIX, SOCK_SEQPACKET, 0), stream = socket(AF_UNIX, SOCK_STREAM, 0);
	int datagrams = socket(AF_UNIX, SOCK_DGRAM, 0), n;
	char buf[4];

	CHECK_ERR(send(packets, "x", 1, MSG_OOB), ENOTCONN);
	CHECK_ERR(recv(packets, buf, 1, MSG_OOB), ENOTCONN);
	CHECK_ERR(send_badly(packets, NULL, 0, 0), ENOTCONN);
	CHECK_ERR(ioctl(packets, SIOCATMARK, &n), EOPNOTSUPP);
	CHECK_ERR(ioctl(datagrams, SIOCATMARK, &n), EOPNOTSUPP);
	CHECK(!ioctl(stream, SIOCATMARK, &n) && n == 0);
	CHECK(!shutdown(stream, SHUT_RDWR) && !shutdown(datagrams, SHUT_RDWR));
	CHECK_ERR(send(stream, "x", 1, MSG_NOSIGNAL), ENOTCONN);
	CHECK_ERR(send(datagrams, "x", 1, MSG_NOSIGNAL), ENOTCONN);
	close(packets);
	close(stream);
	close(datagrams);
}

/* Unread datagrams are lost with the connection they came by; the other end of a pair hears of it. */
static void test_lost_datagrams(void)
{
	struct sockaddr none = { AF_UNSPEC };
	char buf[4];
	int p[2];

	REQUIRE(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, p));
	CHECK(!connect(p[0], &none, sizeof(none)) && get(p[1], SOL_SOCKET, SO_ERROR) == 0);
	close(p[0]);
	close(p[1]);
	REQUIRE(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, p));
	CHECK(send(p[1], "lost", 4, 0) == 4 && !connect(p[0], &none, sizeof(none)));
	CHECK_ERR(recv(p[0], buf, sizeof(buf), 0), EAGAIN);
	CHECK(get(p[1], SOL_SOCKET, SO_ERROR) == ECONNRESET);
	close(p[0]);
	close(p[1]);
	REQUIRE(!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, p));
	CHECK(send(p[1], "lost", 4, 0) == 4 && !close(p[1]));
	CHECK_ERR(send(p[0], "x", 1, 0), ECONNREFUSED);
	CHECK_ERR(recv(p[0], buf, sizeof(buf), 0), EAGAIN);
	close(p[0]);
}

int main(void)
{
	if (getuid()) {
		printf("1..0 # SKIP not root\n");
		return 0;
	}
	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	test_cork();
	test_own_header();
	test_quickack();
	test_addresses();
	test_neighbours();
	test_order_of_datagrams(socket(AF_INET, SOCK_DGRAM, 0));
	test_order_of_datagrams(socket(AF_INET, SOCK_RAW, 200));
	test_order_of_streams();
	test_raw_after_shutdown();
	test_order_of_unix();
	test_lost_datagrams();
	return tap_done();
}
