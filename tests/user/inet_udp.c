/* UDP sockets on loopback: ends, messages, options, errors, control data. udp(7), ip(7). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <time.h>
#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include "inet.h"

#define ORIGDSTADDR 20 /* IP_RECVORIGDSTADDR, too */

/* A socket on a free port, on which nobody waits for ever. */
static int bound(void)
{
	return patient(udp_bound());
}

static void ends(void)
{
	struct sockaddr_in a = at("127.0.0.1", 0), b;
	socklen_t n = sizeof(b);
	int x = socket(AF_INET, SOCK_DGRAM, 0), y = bound();

	CHECK_ERR(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
	CHECK(!getsockname(x, (struct sockaddr *)&b, &n) && n == sizeof(b) && !b.sin_port);
	CHECK_ERR(getpeername(x, (struct sockaddr *)&b, &n), ENOTCONN);
	CHECK_ERR(send(x, "a", 1, 0), EDESTADDRREQ);
	CHECK(port_of(x) > 0); /* it got a port all the same */
	close(x);
	x = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK_ERR(bind(x, (struct sockaddr *)&a, 8), EINVAL);
	b = at("192.0.2.77", 0);
	CHECK_ERR(bind(x, SA(b)), EADDRNOTAVAIL);
	b = at("127.0.0.1", port_of(y));
	CHECK_ERR(bind(x, SA(b)), EADDRINUSE);
	CHECK(!bind(x, SA(a)) && port_of(x) > 0);
	CHECK_ERR(bind(x, SA(a)), EINVAL);
	b.sin_family = AF_UNIX;
	CHECK_ERR(sendto(x, "a", 1, 0, SA(b)), EAFNOSUPPORT);
	b = at("127.0.0.1", 0);
	CHECK_ERR(sendto(x, "a", 1, 0, SA(b)), EINVAL);
	CHECK_ERR(listen(x, 1), EOPNOTSUPP);
	CHECK_ERR(shutdown(x, SHUT_RD), ENOTCONN);
	close(x);
	close(y);
}

static void messages(void)
{
	struct sockaddr_in to, from;
	struct iovec io[2];
	struct msghdr m = { .msg_iov = io, .msg_iovlen = 2 };
	socklen_t n = sizeof(from);
	char buf[100];
	int x = bound(), y = bound(), v;

	to = at("127.0.0.1", port_of(y));
	CHECK(sendto(x, "hello", 5, 0, SA(to)) == 5);
	CHECK(sendto(x, "", 0, 0, SA(to)) == 0);
	CHECK(arrives(y) && !ioctl(y, FIONREAD, &v) && v == 5);
	CHECK(recvfrom(y, buf, sizeof(buf), MSG_PEEK, (struct sockaddr *)&from, &n) == 5);
	CHECK(recvfrom(y, buf, 2, MSG_TRUNC, (struct sockaddr *)&from, &n) == 5);
	CHECK(!memcmp(buf, "he", 2) && from.sin_port == htons(port_of(x)));
	CHECK(from.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && n == sizeof(from));
	CHECK(recv(y, buf, sizeof(buf), 0) == 0);
	CHECK_ERR(recv(y, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK(!connect(x, SA(to)));
	io[0] = (struct iovec){ "ab", 2 };
	io[1] = (struct iovec){ "cd", 2 };
	CHECK(sendmsg(x, &m, 0) == 4);
	io[0] = (struct iovec){ buf, 1 };
	io[1] = (struct iovec){ buf + 10, 2 };
	CHECK(recvmsg(y, &m, 0) == 3 && (m.msg_flags & MSG_TRUNC));
	CHECK(buf[0] == 'a' && !memcmp(buf + 10, "bc", 2));
	/* The connected one hears only its peer. */
	from = at("127.0.0.1", port_of(x));
	v = bound();
	CHECK(sendto(v, "no", 2, 0, SA(from)) == 2);
	CHECK_ERR(recv(x, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK(sendto(y, "yes", 3, 0, SA(from)) == 3 && recv(x, buf, sizeof(buf), 0) == 3);
	CHECK(send(x, "1", 1, MSG_MORE) == 1 && send(x, "23", 2, 0) == 2);
	CHECK(recv(y, buf, sizeof(buf), 0) == 3 && !memcmp(buf, "123", 3));
	close(v);
	close(x);
	close(y);
}

static void sizes(void)
{
	static char big[65507 + 1], back[65507];
	int x = bound(), y = bound(), v = 400000;
	struct sockaddr_in to = at("127.0.0.1", port_of(y));

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 251);
	setsockopt(x, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v));
	CHECK_ERR(sendto(x, big, sizeof(big), 0, SA(to)), EMSGSIZE);
	CHECK(sendto(x, big, 65507, 0, SA(to)) == 65507);
	CHECK(recv(y, back, sizeof(back), 0) == 65507 && !memcmp(big, back, 65507));
	for (int n = 2900; n < 3200; n += 41) {
		if (sendto(x, big, n, 0, SA(to)) != n || recv(y, back, sizeof(back), 0) != n ||
		    memcmp(big, back, n))
			CHECK(!"datagrams of every length arrive as they were sent");
	}
	close(x);
	close(y);
}

static void errors(void)
{
	struct sockaddr_in to, off;
	char buf[64], ctl[200];
	struct iovec io = { buf, sizeof(buf) };
	struct msghdr m = { .msg_name = &off,
			    .msg_namelen = sizeof(off),
			    .msg_iov = &io,
			    .msg_iovlen = 1,
			    .msg_control = ctl,
			    .msg_controllen = sizeof(ctl) };
	struct sock_extended_err *ee;
	int x = bound(), y = bound(), z = bound(), port = port_of(y), v = 1;
	socklen_t n = sizeof(v);

	close(y);
	to = at("127.0.0.1", port);
	CHECK(sendto(z, "a", 1, 0, SA(to)) == 1);
	CHECK_ERR(recv(z, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN); /* not connected: not told */
	close(z);
	CHECK(!connect(x, SA(to)) && send(x, "a", 1, 0) == 1);
	CHECK_ERR(recv(x, buf, sizeof(buf), 0), ECONNREFUSED);
	CHECK(send(x, "b", 1, 0) == 1 && arrives(x));
	CHECK(!getsockopt(x, SOL_SOCKET, SO_ERROR, &v, &n) && v == ECONNREFUSED);
	CHECK(!getsockopt(x, SOL_SOCKET, SO_ERROR, &v, &n) && v == 0);
	v = 1;
	CHECK(!setsockopt(x, SOL_IP, IP_RECVERR, &v, sizeof(v)));
	CHECK(send(x, "lost", 4, 0) == 4 && arrives(x));
	CHECK_ERR(send(x, "again", 5, 0), ECONNREFUSED);
	CHECK(recvmsg(x, &m, MSG_ERRQUEUE) == 4 && !memcmp(buf, "lost", 4));
	CHECK((m.msg_flags & MSG_ERRQUEUE) && off.sin_port == htons(port));
	REQUIRE(CMSG_FIRSTHDR(&m) != NULL);
	ee = (struct sock_extended_err *)CMSG_DATA(CMSG_FIRSTHDR(&m));
	CHECK(CMSG_FIRSTHDR(&m)->cmsg_level == SOL_IP &&
	      CMSG_FIRSTHDR(&m)->cmsg_type == IP_RECVERR);
	CHECK(ee->ee_errno == ECONNREFUSED && ee->ee_origin == SO_EE_ORIGIN_ICMP);
	CHECK(ee->ee_type == 3 && ee->ee_code == 3);
	CHECK_ERR(recvmsg(x, &m, MSG_ERRQUEUE), EAGAIN);
	to.sin_family = AF_UNSPEC;
	CHECK(!connect(x, SA(to)));
	CHECK_ERR(getpeername(x, (struct sockaddr *)&off, &n), ENOTCONN);
	close(x);
}

static int int_option(int fd, int level, int name)
{
	int v = -1;
	socklen_t n = sizeof(v);

	return getsockopt(fd, level, name, &v, &n) ? -errno : v;
}

/* An empty value is 0 for some options, and none for others. */
static void empty_values(int x)
{
	static const int none[] = {
		IP_TTL,	       IP_MINTTL,	 IP_FREEBIND,	    IP_TRANSPARENT,
		IP_UNICAST_IF, IP_MULTICAST_TTL, IP_MULTICAST_LOOP, IP_MULTICAST_ALL
	};
	static const int zero[] = { IP_TOS,	IP_RECVTTL,	 IP_PKTINFO,
				    IP_RECVERR, IP_MTU_DISCOVER, IP_BIND_ADDRESS_NO_PORT };
	int v = 0;

	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		CHECK_ERR(setsockopt(x, SOL_IP, none[i], &v, 0), EINVAL);
	for (size_t i = 0; i < sizeof(zero) / sizeof(*zero); i++)
		CHECK(!setsockopt(x, SOL_IP, zero[i], &v, 0) &&
		      int_option(x, SOL_IP, zero[i]) == 0);
	CHECK_ERR(setsockopt(x, SOL_IP, IP_UNICAST_IF, &v, 3), EINVAL);
	v = IP_PMTUDISC_WANT;
	CHECK(!setsockopt(x, SOL_IP, IP_MTU_DISCOVER, &v, sizeof(v)));
}

/* IP_LOCAL_PORT_RANGE: where a port of the kernel's choice comes from, for bind and connect. */
static void port_ranges(int type)
{
	enum { LOCAL_PORT_RANGE = 51, FIRST = 41000, LAST = 41001 };
	struct sockaddr_in any = at("127.0.0.1", 0), to = any;
	int x = socket(AF_INET, type, 0), y = socket(AF_INET, type, 0), v = LAST << 16 | FIRST;
	int z = socket(AF_INET, type, 0), peer = socket(AF_INET, type, 0);

	CHECK(!bind(peer, SA(any)) && (type == SOCK_DGRAM || !listen(peer, 5)));
	to.sin_port = htons(port_of(peer));
	CHECK(int_option(x, SOL_IP, LOCAL_PORT_RANGE) == 0);
	CHECK(!setsockopt(x, SOL_IP, LOCAL_PORT_RANGE, &v, sizeof(v)));
	CHECK(int_option(x, SOL_IP, LOCAL_PORT_RANGE) == v);
	CHECK_ERR(setsockopt(x, SOL_IP, LOCAL_PORT_RANGE, &v, 2), EINVAL);
	CHECK_ERR(setsockopt(x, SOL_IP, LOCAL_PORT_RANGE, &v, 8), EINVAL);
	v = FIRST << 16 | LAST;
	CHECK_ERR(setsockopt(x, SOL_IP, LOCAL_PORT_RANGE, &v, sizeof(v)), EINVAL);
	v = LAST << 16 | FIRST;
	CHECK(!setsockopt(y, SOL_IP, LOCAL_PORT_RANGE, &v, sizeof(v)));
	CHECK(!setsockopt(z, SOL_IP, LOCAL_PORT_RANGE, &v, sizeof(v)));
	CHECK(!bind(x, SA(any)) && !connect(y, SA(to)));
	CHECK(port_of(x) + port_of(y) == FIRST + LAST && abs(port_of(x) - port_of(y)) == 1);
	CHECK_ERR(bind(z, SA(any)), EADDRINUSE);
	close(x);
	close(y);
	close(z);
	close(peer);
}

static void options(void)
{
	struct sockaddr_in to = at("127.255.255.255", 9);
	int one = 1, x = socket(AF_INET, SOCK_DGRAM, 0), v;

	CHECK(int_option(x, SOL_IP, IP_TTL) == 64 && int_option(x, SOL_IP, IP_TOS) == 0);
	v = 7;
	CHECK(!setsockopt(x, SOL_IP, IP_TTL, &v, sizeof(v)) && int_option(x, SOL_IP, IP_TTL) == 7);
	v = 256;
	CHECK_ERR(setsockopt(x, SOL_IP, IP_TTL, &v, sizeof(v)), EINVAL);
	v = 0x10;
	CHECK(!setsockopt(x, SOL_IP, IP_TOS, &v, sizeof(v)) &&
	      int_option(x, SOL_IP, IP_TOS) == 0x10);
	CHECK(int_option(x, SOL_IP, IP_MTU_DISCOVER) == IP_PMTUDISC_WANT);
	empty_values(x);
	CHECK(int_option(x, SOL_IP, IP_MULTICAST_TTL) == 1);
	CHECK(int_option(x, SOL_IP, IP_MULTICAST_LOOP) == 1);
	CHECK_ERR(getsockopt(x, SOL_IP, IP_MTU, &v, &(socklen_t){ sizeof(v) }), ENOTCONN);
	CHECK(int_option(x, SOL_SOCKET, SO_DOMAIN) == AF_INET);
	CHECK(int_option(x, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_UDP);
	CHECK(int_option(x, SOL_SOCKET, SO_TYPE) == SOCK_DGRAM);
	CHECK(int_option(x, SOL_IP, 9999) == -ENOPROTOOPT);
	CHECK_ERR(setsockopt(x, SOL_SOCKET, SO_BINDTODEVICE, "none", 5), ENODEV);
	CHECK(!setsockopt(x, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	/* The last address of the net of loopback is a broadcast address, too. */
	CHECK_ERR(sendto(x, "", 1, 0, SA(to)), EACCES);
	CHECK(!setsockopt(x, SOL_SOCKET, SO_BROADCAST, &one, sizeof(one)));
	CHECK(sendto(x, "", 1, 0, SA(to)) == 1);
	close(x);
}

static int find_cmsg(struct msghdr *m, int type, void *out, size_t len)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_IP && c->cmsg_type == type) {
			memcpy(out, CMSG_DATA(c), len);
			return 1;
		}
	}
	return 0;
}

static void control(void)
{
	char buf[16] = "x", ctl[300];
	struct iovec io = { buf, 1 };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = ctl };
	struct in_pktinfo info = { 0 };
	struct cmsghdr *c;
	unsigned char tos = 0;
	int x = bound(), y = patient(socket(AF_INET, SOCK_DGRAM, 0)), one = 1, ttl = 33;
	struct sockaddr_in any = at("0.0.0.0", 0), to, from;

	CHECK(!bind(y, SA(any)));
	to = at("127.0.0.9", port_of(y));
	CHECK(!setsockopt(y, SOL_IP, IP_PKTINFO, &one, sizeof(one)));
	CHECK(!setsockopt(y, SOL_IP, IP_RECVTTL, &one, sizeof(one)));
	CHECK(!setsockopt(y, SOL_IP, IP_RECVTOS, &one, sizeof(one)));
	CHECK(!setsockopt(y, SOL_IP, ORIGDSTADDR, &one, sizeof(one)));
	m.msg_name = &to;
	m.msg_namelen = sizeof(to);
	m.msg_controllen = CMSG_SPACE(sizeof(ttl)) + CMSG_SPACE(sizeof(one));
	c = CMSG_FIRSTHDR(&m);
	*c = (struct cmsghdr){ CMSG_LEN(sizeof(ttl)), 0, SOL_IP, IP_TTL };
	memcpy(CMSG_DATA(c), &ttl, sizeof(ttl));
	c = (struct cmsghdr *)(ctl + CMSG_SPACE(sizeof(ttl)));
	*c = (struct cmsghdr){ CMSG_LEN(sizeof(one)), 0, SOL_IP, IP_TOS };
	memcpy(CMSG_DATA(c), &(int){ 0x28 }, sizeof(int));
	CHECK(sendmsg(x, &m, 0) == 1);
	m.msg_name = &from;
	m.msg_namelen = sizeof(from);
	m.msg_controllen = sizeof(ctl);
	ttl = 0;
	CHECK(recvmsg(y, &m, 0) == 1);
	CHECK(find_cmsg(&m, IP_PKTINFO, &info, sizeof(info)));
	CHECK(info.ipi_addr.s_addr == to.sin_addr.s_addr);
	CHECK(info.ipi_ifindex == (int)if_nametoindex("lo"));
	CHECK(find_cmsg(&m, IP_TTL, &ttl, sizeof(ttl)) && ttl == 33);
	CHECK(find_cmsg(&m, IP_TOS, &tos, 1) && tos == 0x28);
	CHECK(find_cmsg(&m, ORIGDSTADDR, &any, sizeof(any)) && !memcmp(&any, &to, sizeof(to)));
	close(x);
	close(y);
}

static void waiting(void)
{
	struct pollfd p = { .events = POLLIN | POLLOUT };
	struct timeval tv = { 0, 20000 };
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	char buf[8];
	int x = bound(), y = bound(), ep = epoll_create1(0);
	struct sockaddr_in to = at("127.0.0.1", port_of(y));

	p.fd = y;
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
	CHECK(!setsockopt(y, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	CHECK_ERR(recv(y, buf, sizeof(buf), 0), EAGAIN);
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, y, &e));
	CHECK(epoll_wait(ep, &e, 1, 0) == 0);
	CHECK(sendto(x, "1", 1, 0, SA(to)) == 1);
	CHECK(epoll_wait(ep, &e, 1, TAP_PATIENCE_MS) == 1);
	CHECK(epoll_wait(ep, &e, 1, 0) == 0);
	CHECK(sendto(x, "2", 1, 0, SA(to)) == 1);
	CHECK(epoll_wait(ep, &e, 1, TAP_PATIENCE_MS) == 1);
	CHECK(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLOUT));
	/* What lies there is no news for having been behind another. */
	CHECK(recv(y, buf, sizeof(buf), 0) == 1 && epoll_wait(ep, &e, 1, 0) == 0);
	CHECK(!connect(y, SA(to)) && !shutdown(y, SHUT_RD));
	CHECK(recv(y, buf, sizeof(buf), 0) == 1);
	CHECK(recv(y, buf, sizeof(buf), 0) == 0);
	CHECK_ERR(recv(y, buf, 1, MSG_DONTWAIT), EAGAIN); /* of the end hears who would wait */
	CHECK_ERR(recv(y, buf, 1, MSG_DONTWAIT | MSG_OOB), EAGAIN);
	close(x);
	close(y);
	close(ep);
}

static void *sender(void *arg)
{
	struct sockaddr_in to = *(struct sockaddr_in *)arg;
	int fd = bound();

	for (int i = 0; i < 200; i++) {
		char ack;

		if (sendto(fd, &i, sizeof(i), 0, SA(to)) != sizeof(i) || recv(fd, &ack, 1, 0) != 1)
			return "no";
	}
	close(fd);
	return NULL;
}

/* Four threads, each with a request under way; one socket answers all. */
static void threads(void)
{
	struct sockaddr_in me, from;
	pthread_t t[4];
	int y = bound(), bad = 0, v;

	me = at("127.0.0.1", port_of(y));
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, sender, &me);
	for (int i = 0; i < 800; i++) {
		socklen_t n = sizeof(from);

		bad |= recvfrom(y, &v, sizeof(v), 0, (struct sockaddr *)&from, &n) != sizeof(v);
		bad |= sendto(y, "k", 1, 0, SA(from)) != 1;
	}
	for (int i = 0; i < 4; i++) {
		void *r;

		pthread_join(t[i], &r);
		bad |= r != NULL;
	}
	CHECK(!bad);
	close(y);
}

/* A datagram comes to one of the two, and not to both. */
static int one_of(int a, int b)
{
	struct pollfd p[2] = { { a, POLLIN, 0 }, { b, POLLIN, 0 } };
	char c;

	return poll(p, 2, TAP_PATIENCE_MS) > 0 &&
	       (recv(a, &c, 1, MSG_DONTWAIT) == 1) + (recv(b, &c, 1, MSG_DONTWAIT) == 1) == 1;
}

static void sharing(void)
{
	struct sockaddr_in any = at("0.0.0.0", 0), to;
	int x = bound(), a = socket(AF_INET, SOCK_DGRAM, 0), b = socket(AF_INET, SOCK_DGRAM, 0);
	int one = 1;

	CHECK(!setsockopt(a, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) && !bind(a, SA(any)));
	any.sin_port = htons(port_of(a));
	CHECK_ERR(bind(b, SA(any)), EADDRINUSE);
	CHECK(!setsockopt(b, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) && !bind(b, SA(any)));
	to = at("127.0.0.1", port_of(a));
	CHECK(sendto(x, "1", 1, 0, SA(to)) == 1);
	CHECK(one_of(a, b));
	close(x);
	close(a);
	close(b);
}

/* A server's child takes a peer over from its parent, as tftpd under a super server does. */
static void taken_over(void)
{
	int a = patient(socket(AF_INET, SOCK_DGRAM, 0)), b = socket(AF_INET, SOCK_DGRAM, 0),
	    x = bound(), one = 1;
	struct sockaddr_in here = at("127.0.0.1", 0), peer = at("127.0.0.1", port_of(x));
	char buf[10];

	CHECK(!setsockopt(a, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) && !bind(a, SA(here)));
	here = at("127.0.0.1", port_of(a));
	CHECK(!setsockopt(b, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) && !bind(b, SA(here)));
	/* Which of two equals gets it is not promised: the last that was bound, or the CPU decides. */
	CHECK(sendto(x, "1", 1, 0, SA(here)) == 1);
	CHECK(one_of(a, b));
	CHECK(!connect(a, SA(peer)) && !connect(b, SA(peer)));
	CHECK(sendto(x, "2", 1, 0, SA(here)) == 1);
	CHECK(one_of(a, b));
	close(b);
	CHECK(sendto(x, "3", 1, 0, SA(here)) == 1 && recv(a, buf, 1, 0) == 1 && *buf == '3');
	b = socket(AF_INET, SOCK_DGRAM, 0);
	CHECK(!setsockopt(b, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) && !bind(b, SA(here)));
	CHECK(sendto(x, "4", 1, 0, SA(here)) == 1 && recv(a, buf, 1, 0) == 1 && *buf == '4');
	close(a);
	close(b);
	close(x);
}

static void overflow(void)
{
	char buf[1000] = { 0 };
	int x = bound(), y = bound(), v = 4096, got = 0;
	struct sockaddr_in to = at("127.0.0.1", port_of(y));

	CHECK(!setsockopt(y, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v)));
	for (int i = 0; i < 100; i++)
		(void)!sendto(x, buf, sizeof(buf), 0, SA(to));
	CHECK(arrives(y));
	while (recv(y, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		got++;
	CHECK(got > 0 && got < 20);
	close(x);
	close(y);
}

int main(void)
{
	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	ends();
	messages();
	sizes();
	errors();
	options();
	port_ranges(SOCK_DGRAM);
	port_ranges(SOCK_STREAM);
	control();
	waiting();
	threads();
	sharing();
	taken_over();
	overflow();
	return tap_done();
}
