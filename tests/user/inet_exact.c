/*
 * Corners of datagram sockets, as Linux has them: errors that were read, peeking at an offset, what
 * fits into SO_RCVBUF, who of several ends hears, headers of the user's, netlink's last message.
 */
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include "inet.h"

#define PORTS_WIDE 64 /* bytes for IP's and UDP's header, and what follows */

static char bytes[4096];

static int set_int(int fd, int level, int option, int v)
{
	return setsockopt(fd, level, option, &v, sizeof(v));
}

static int get_int(int fd, int level, int option)
{
	int v = -99;
	socklen_t n = sizeof(v);

	return getsockopt(fd, level, option, &v, &n) ? -99 : v;
}

/* What comes over loopback is there when the call returns, as a rule; some patience all the same. */
static int arrives_now(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, 100) == 1;
}

static void errors(void)
{
	struct sockaddr_in to;
	struct msghdr m = { 0 };
	int x = socket(AF_INET, SOCK_DGRAM, 0), y = udp_bound();

	to = at("127.0.0.1", port_of(y));
	close(y);
	CHECK(!set_int(x, SOL_IP, IP_RECVERR, 1));
	CHECK(!connect(x, SA(to)) && send(x, "hello", 5, 0) == 5 && arrives(x));
	CHECK(recvmsg(x, &m, MSG_ERRQUEUE) == 0 && (m.msg_flags & MSG_ERRQUEUE));
	CHECK(get_int(x, SOL_SOCKET, SO_ERROR) == 0); /* it was read */
	CHECK(send(x, "hello", 5, 0) == 5 && arrives(x));
	CHECK(!set_int(x, SOL_IP, IP_RECVERR, 0));
	CHECK_ERR(recvmsg(x, &m, MSG_ERRQUEUE), EAGAIN); /* lost with the option */
	CHECK(get_int(x, SOL_SOCKET, SO_ERROR) == ECONNREFUSED);
	close(x);
}

static int peeks(int fd, const char *what)
{
	char b[4];
	long n = recv(fd, b, 3, MSG_PEEK | MSG_DONTWAIT);

	return n == (long)strlen(what) && !memcmp(b, what, (size_t)n);
}

static void peek_offset(void)
{
	int y = udp_bound(), x = socket(AF_INET, SOCK_DGRAM, 0), r;
	struct sockaddr_in to = at("127.0.0.1", port_of(y));
	char b[8];

	CHECK(!set_int(y, SOL_SOCKET, SO_PEEK_OFF, 2));
	CHECK(sendto(x, "abcdefg", 7, 0, SA(to)) == 7 && sendto(x, "ABCD", 4, 0, SA(to)) == 4);
	CHECK(arrives(y) && peeks(y, "cde") && peeks(y, "fg") && peeks(y, "ABC") && peeks(y, "D"));
	CHECK_ERR(recv(y, b, 3, MSG_PEEK | MSG_DONTWAIT), EAGAIN);
	CHECK(get_int(y, SOL_SOCKET, SO_PEEK_OFF) == 11);
	CHECK(recv(y, b, 3, 0) == 3 && get_int(y, SOL_SOCKET, SO_PEEK_OFF) == 8);
	r = socket(AF_INET, SOCK_RAW, 253);
	CHECK_ERR(set_int(r, SOL_SOCKET, SO_PEEK_OFF, 2), EOPNOTSUPP);
	close(r);
	close(x);
	close(y);
}

/* How many of six datagrams of @size bytes fit. */
static int fitting(int size, int room)
{
	int y = udp_bound(), x = socket(AF_INET, SOCK_DGRAM, 0), n = 0;
	struct sockaddr_in to = at("127.0.0.1", port_of(y));

	set_int(y, SOL_SOCKET, SO_RCVBUF, room);
	for (int i = 0; i < 6; i++)
		sendto(x, bytes, (size_t)size, 0, SA(to));
	while (arrives_now(y) && recv(y, bytes, sizeof(bytes), MSG_DONTWAIT) >= 0)
		n++;
	close(x);
	close(y);
	return n;
}

static void room(void)
{
	CHECK(fitting(2304, 0) == 1);
	CHECK(fitting(2304, 4608) == 3);
	CHECK(fitting(0, 1152) == 4);
}

/* Which of two that share a port hears: bit 0 SO_REUSEADDR, 1 SO_REUSEPORT, 2 bound to lo, 3 to
 * 127.0.0.1. */
static int hears(int first, int second)
{
	int how[2] = { first, second }, fd[2], port = 0, got, x = udp_bound();
	struct sockaddr_in a;

	for (int i = 0; i < 2; i++) {
		fd[i] = socket(AF_INET, SOCK_DGRAM, 0);
		set_int(fd[i], SOL_SOCKET, SO_REUSEADDR, how[i] & 1);
		set_int(fd[i], SOL_SOCKET, SO_REUSEPORT, how[i] >> 1 & 1);
		if (how[i] & 4)
			setsockopt(fd[i], SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
		a = at(how[i] & 8 ? "127.0.0.1" : "0.0.0.0", port);
		CHECK(!bind(fd[i], SA(a)));
		port = port_of(fd[i]);
	}
	a = at("127.0.0.1", port);
	sendto(x, "a", 1, 0, SA(a));
	got = arrives_now(fd[1]) ? 1 : arrives_now(fd[0]) ? 0 : -1;
	close(fd[0]);
	close(fd[1]);
	close(x);
	return got;
}

static void shared(void)
{
	CHECK(hears(3, 1) == 1); /* the last of those that share, not the group */
	CHECK(hears(5, 3) == 1); /* a group that is met first, before a device */
	CHECK(hears(5, 9) == 1 && hears(9, 5) == 0); /* an address before a device */
	CHECK(hears(13, 11) == 1);
}

/* A packet with a header of ours, by 127.0.0.1 to @dst; what came of it in @got. */
static int own_header(unsigned dst, unsigned char *got)
{
	struct sockaddr_in lo = at("127.0.0.1", 0);
	int s = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), r = socket(AF_INET, SOCK_RAW, 253);
	struct iphdr h = { .version = 4, .ihl = 5, .ttl = 7, .protocol = 253, .daddr = dst };
	int n;

	CHECK(sendto(s, &h, sizeof(h), 0, SA(lo)) == sizeof(h));
	arrives_now(r);
	n = (int)recv(r, got, PORTS_WIDE, MSG_DONTWAIT);
	CHECK(!connect(s, SA(lo)) && !shutdown(s, SHUT_WR));
	CHECK_ERR(send(s, &h, sizeof(h), 0), EPIPE);
	close(r);
	close(s);
	return n;
}

static void raw(void)
{
	struct sockaddr_in lo = at("127.0.0.1", 0);
	int s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	unsigned char b[PORTS_WIDE];

	CHECK(own_header(htonl(INADDR_LOOPBACK), b) == 20 && (b[4] | b[5]));
	CHECK(own_header(42, b) == 20 && b[16] == 42); /* the address of the call counts */
	memset(b, 0, sizeof(b));
	b[0] = ICMP_ECHO;
	CHECK(sendto(s, b, 6, 0, SA(lo)) == 6); /* not a whole header: nobody hears it */
	CHECK(sendto(s, b, 8, 0, SA(lo)) == 8 && arrives(s) && recv(s, b, sizeof(b), 0) == 28);
	lo.sin_family = AF_UNIX;
	CHECK(!bind(s, SA(lo)));
	close(s);
}

/* Where a broadcast on lo comes from. */
static void broadcast(void)
{
	int x = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in a = at("127.255.255.255", 9);
	socklen_t n = sizeof(a);

	CHECK(!set_int(x, SOL_SOCKET, SO_BROADCAST, 1) && !connect(x, SA(a)));
	CHECK(!getsockname(x, (struct sockaddr *)&a, &n));
	CHECK(a.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	close(x);
}

static void packet(void)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(0x0800) }, from;
	int s = socket(AF_PACKET, SOCK_DGRAM, htons(0x0800)), x = udp_bound();
	struct sockaddr_in to = at("127.0.0.1", port_of(x));
	socklen_t n = sizeof(from);

	a.sll_ifindex = 1;
	CHECK_ERR(bind(s, (struct sockaddr *)&a, sizeof(a) - 1), EINVAL);
	CHECK(!bind(s, SA(a)) && sendto(x, "a", 1, 0, SA(to)) == 1 && arrives(s));
	CHECK_ERR(recv(s, bytes, sizeof(bytes), MSG_WAITALL | MSG_DONTWAIT), EINVAL);
	CHECK(recvfrom(s, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &n) == 29);
	CHECK(n == sizeof(from));
	close(s);
	close(x);
}

static void netlink(void)
{
	struct {
		struct nlmsghdr h;
		struct rtgenmsg g;
	} ask = { { sizeof(ask), RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0 }, { AF_INET } };
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = 1 };
	int s = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct nlmsghdr *h = (struct nlmsghdr *)bytes;

	CHECK(send(s, &ask, sizeof(ask), 0) == sizeof(ask));
	CHECK(recv(s, NULL, 0, MSG_TRUNC) > 40); /* the end is alone */
	CHECK(recv(s, bytes, sizeof(bytes), MSG_DONTWAIT) == 20 && h->nlmsg_type == NLMSG_DONE);
	ask.h.nlmsg_type = NLMSG_NOOP;
	ask.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	CHECK(send(s, &ask, sizeof(ask), 0) == sizeof(ask));
	CHECK(recv(s, bytes, sizeof(bytes), MSG_DONTWAIT) == 36 && h->nlmsg_flags == NLM_F_CAPPED);
	CHECK_ERR(bind(s, SA(a)), EINVAL); /* it has a port */
	a.nl_pid = (unsigned)getpid();
	CHECK(!bind(s, SA(a)));
	close(s);
}

int main(void)
{
	REQUIRE(loopback_up());
	errors();
	peek_offset();
	room();
	shared();
	raw();
	broadcast();
	packet();
	netlink();
	return tap_done();
}
