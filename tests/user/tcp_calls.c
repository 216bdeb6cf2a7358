/*
 * TCP sockets, call by call: when what was announced leaves, when a poller is told that there is
 * room, what is told about what was sent and what is left. tcp(7), epoll(7), and Linux's
 * networking/timestamping.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <time.h>
/* after the one that it needs */
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include "inet.h"

#define NOTSENT_LOWAT 25 /* what old headers do not have */
#define INQ 36
#define SND_WND 228 /* where struct tcp_info has tcpi_snd_wnd */

static char much[1 << 16];

/* A connection of loopback: @s sends, @r receives; what it takes is bounded if @rcvbuf. */
static void pair(int *s, int *r, int rcvbuf)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	if (rcvbuf)
		setsockopt(l, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	REQUIRE(!bind(l, SA(a)) && !listen(l, 1));
	a = at("127.0.0.1", port_of(l));
	*s = socket(AF_INET, SOCK_STREAM, 0);
	REQUIRE(!connect(*s, SA(a)));
	*r = accept(l, NULL, NULL);
	REQUIRE(*r >= 0);
	close(l);
}

static int set(int fd, int option, int v)
{
	return setsockopt(fd, SOL_TCP, option, &v, sizeof(v));
}

static int there(int fd, unsigned long what)
{
	int n = -1;

	return ioctl(fd, what, &n) ? -1 : n;
}

/* Everything that @r was sent is read, until @s has nothing more. */
static void drain(int s, int r)
{
	static char buf[1 << 16];

	EVENTUALLY(({
		while (recv(r, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
		there(s, SIOCOUTQ) == 0;
	}));
}

/* Fills what @s may queue; the bytes. */
static long fill(int s)
{
	long sum = 0;
	ssize_t n;

	while ((n = send(s, much, sizeof(much), MSG_DONTWAIT)) > 0)
		sum += n;
	return sum;
}

/* --- MSG_MORE, TCP_CORK, TCP_NODELAY, MSG_EOR --- */

static void announced(void)
{
	struct pollfd p = { .events = POLLIN };
	char buf[64];
	int s, r;

	pair(&s, &r, 0);
	p.fd = r;
	CHECK(!set(s, TCP_NODELAY, 1));
	CHECK(send(s, "0123456789", 10, MSG_MORE) == 10);
	CHECK(poll(&p, 1, 20) == 0); /* it waits for more */
	CHECK(arrives(r) && there(r, FIONREAD) == 10); /* but not for ever */
	CHECK(recv(r, buf, sizeof(buf), 0) == 10);
	CHECK(send(s, "ab", 2, MSG_MORE) == 2);
	CHECK(send(s, "cd", 2, 0) == 2);
	CHECK(arrives(r) && EVENTUALLY(there(r, FIONREAD) == 4));
	CHECK(recv(r, buf, sizeof(buf), 0) == 4);
	CHECK(!set(s, TCP_NODELAY, 0) && !set(s, TCP_CORK, 1));
	CHECK(send(s, "efg", 3, 0) == 3);
	CHECK(poll(&p, 1, 20) == 0);
	CHECK(!set(s, TCP_NODELAY, 1)); /* goes over the cork */
	CHECK(poll(&p, 1, 100) == 1 && there(r, FIONREAD) == 3);
	CHECK(!set(s, TCP_CORK, 0));
	CHECK(send(s, "h", 1, MSG_EOR) == 1 && send(s, "i", 1, MSG_EOR) == 1);
	CHECK(EVENTUALLY(there(r, FIONREAD) == 5));
	close(s);
	close(r);
}

/* --- room --- */

static int edge(int ep)
{
	struct epoll_event e = { 0 };
	int n = epoll_wait(ep, &e, 1, 0);

	return n == 1 ? (int)(e.events & (EPOLLIN | EPOLLOUT)) : n;
}

/* An edge of EPOLLOUT is for whoever had no room; acknowledgments alone are none. */
static void edges(void)
{
	struct epoll_event e = { .events = EPOLLOUT | EPOLLIN | EPOLLET };
	int s, r, ep = epoll_create1(0);

	pair(&s, &r, 0);
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, s, &e));
	CHECK(edge(ep) == EPOLLOUT && edge(ep) == 0);
	CHECK(send(s, much, 20000, 0) == 20000);
	drain(s, r);
	CHECK(edge(ep) == 0);
	CHECK(fill(s) > 0 && edge(ep) == 0);
	drain(s, r);
	CHECK(EVENTUALLY(edge(ep) == EPOLLOUT));
	CHECK(edge(ep) == 0);
	CHECK(send(r, "x", 1, 0) == 1); /* what is level is told with another edge */
	CHECK(EVENTUALLY(edge(ep) == (EPOLLIN | EPOLLOUT)));
	CHECK(edge(ep) == 0);
	close(ep);
	close(s);
	close(r);
}

static void *reads_all(void *arg)
{
	static char buf[1 << 15];
	long sum = 0, n;

	while ((n = read(*(int *)arg, buf, sizeof(buf))) > 0)
		sum += n;
	return (void *)sum;
}

/* Whoever writes until there is no room, and then waits for the edge, is never forgotten. */
static void stream_by_edges(int rcvbuf)
{
	const long all = 24 << 20;
	struct epoll_event e = { .events = EPOLLOUT | EPOLLET };
	int s, r, ep = epoll_create1(0), forgotten = 0;
	pthread_t reader;
	long sum = 0, n;
	void *got = NULL;

	pair(&s, &r, rcvbuf);
	CHECK(!pthread_create(&reader, NULL, reads_all, &r));
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, s, &e));
	while (sum < all && !forgotten) {
		while ((n = send(s, much, 1 + (size_t)sum % sizeof(much), MSG_DONTWAIT)) > 0)
			sum += n;
		forgotten = epoll_wait(ep, &e, 1, TAP_PATIENCE_MS) != 1;
	}
	CHECK(!forgotten && !shutdown(s, SHUT_WR));
	CHECK(!pthread_join(reader, &got) && (long)got == sum);
	close(ep);
	close(s);
	close(r);
}

static void lowat(void)
{
	struct pollfd p = { .events = POLLOUT };
	socklen_t n = sizeof(int);
	char text[16] = "";
	int s, r, v = -1, f = open("/proc/sys/net/ipv4/tcp_notsent_lowat", O_RDONLY);

	CHECK(read(f, text, sizeof(text) - 1) > 0 && !strcmp(text, "4294967295\n"));
	close(f);
	pair(&s, &r, 8192);
	p.fd = s;
	CHECK(!getsockopt(s, SOL_TCP, NOTSENT_LOWAT, &v, &n) && v == 0);
	CHECK(!set(s, NOTSENT_LOWAT, 16384));
	CHECK(fill(s) > 0);
	v = there(s, SIOCOUTQNSD);
	CHECK(v >= 16384 && v <= 16384 + 2 * (int)sizeof(much));
	CHECK(poll(&p, 1, 0) == 0);
	CHECK(!set(s, NOTSENT_LOWAT, 0)); /* no bound but the buffer's */
	CHECK(poll(&p, 1, 0) == 1 && fill(s) > 0 && there(s, SIOCOUTQNSD) > v);
	CHECK(!set(s, NOTSENT_LOWAT, 16384));
	CHECK(poll(&p, 1, 0) == 0);
	drain(s, r);
	CHECK(poll(&p, 1, TAP_PATIENCE_MS) == 1);
	close(s);
	close(r);
}

/* --- what is taken --- */

/* Windows that @s was told, the largest, while its peer reads all that comes; -1: not known. */
static long told(int s, int r)
{
	long most = 0;

	for (int i = 0; i < 20; i++) {
		unsigned info[64] = { 0 };
		socklen_t n = sizeof(info);

		if (send(s, much, 30000, 0) != 30000)
			return -1;
		drain(s, r);
		if (getsockopt(s, SOL_TCP, TCP_INFO, info, &n) || n < SND_WND + 4)
			return -1;
		most = info[SND_WND / 4] > most ? info[SND_WND / 4] : most;
	}
	return most;
}

static int get_clamp(int fd)
{
	int v = -1;
	socklen_t n = sizeof(v);

	return getsockopt(fd, SOL_TCP, TCP_WINDOW_CLAMP, &v, &n) ? -1 : v;
}

/* TCP_WINDOW_CLAMP: no larger window than that is told, from the SYN on. */
static void clamped(void)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), s = -1,
	    r = -1;
	int room = 100000;
	long most;

	CHECK(get_clamp(l) == 0 && !set(l, TCP_WINDOW_CLAMP, 100) && get_clamp(l) >= 1152);
	CHECK(!set(l, TCP_WINDOW_CLAMP, 0) && get_clamp(l) == 0); /* closed: none at all */
	CHECK(!set(l, TCP_WINDOW_CLAMP, 8192) && get_clamp(l) == 8192);
	/* A buffer that grows takes the clamp along on Linux. */
	CHECK(!setsockopt(l, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)));
	REQUIRE(!bind(l, SA(a)) && !listen(l, 1));
	a = at("127.0.0.1", port_of(l));
	REQUIRE(!connect(c, SA(a)) && (s = accept(l, NULL, NULL)) >= 0);
	CHECK(get_clamp(s) == 8192 && get_clamp(c) > 8192);
	CHECK_ERR(set(s, TCP_WINDOW_CLAMP, 0), EINVAL);
	most = told(c, s);
	CHECK(most > 0 && most <= 8192);
	close(s);
	close(c);
	close(l);
	pair(&c, &r, 0);
	CHECK(told(c, r) > 20000);
	close(r);
	close(c);
}

/* SO_RCVLOWAT: nothing is ready before that much has come, or the end. */
static void least(void)
{
	struct pollfd p = { .events = POLLIN };
	struct timeval tv = { 0, 20000 };
	char buf[16];
	int s, r, v = 8;

	pair(&s, &r, 0);
	p.fd = r;
	CHECK(!setsockopt(r, SOL_SOCKET, SO_RCVLOWAT, &v, sizeof(v)));
	CHECK(!setsockopt(r, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	CHECK(send(s, "12345", 5, 0) == 5);
	CHECK(EVENTUALLY(there(r, FIONREAD) == 5) && poll(&p, 1, 0) == 0);
	CHECK(recv(r, buf, 10, MSG_PEEK | MSG_DONTWAIT) == 5); /* there it is */
	CHECK(recv(r, buf, 3, 0) == 3); /* who wants less waits for less */
	CHECK(recv(r, buf, 10, 0) == 2); /* what had come when the time was over */
	CHECK(send(s, "1234567", 7, 0) == 7);
	CHECK(EVENTUALLY(there(r, FIONREAD) == 7) && poll(&p, 1, 0) == 0);
	CHECK(send(s, "8", 1, 0) == 1 && poll(&p, 1, TAP_PATIENCE_MS) == 1);
	CHECK(recv(r, buf, 10, 0) == 8);
	CHECK(send(s, "12", 2, 0) == 2 && !shutdown(s, SHUT_WR));
	CHECK(poll(&p, 1, TAP_PATIENCE_MS) == 1 && recv(r, buf, 10, 0) == 2);
	close(s);
	close(r);
}

/* TCP_DEFER_ACCEPT: nobody is accepted before there is something to read. */
static void deferred(void)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0),
	    c = socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd p = { l, POLLIN, 0 };
	char buf[8];
	int s;

	CHECK(!set(l, TCP_DEFER_ACCEPT, 1000));
	REQUIRE(!bind(l, SA(a)) && !listen(l, 1));
	a = at("127.0.0.1", port_of(l));
	CHECK(!connect(c, SA(a))); /* it is told nothing of that */
	CHECK(poll(&p, 1, 20) == 0);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
	CHECK(send(c, "first", 5, 0) == 5 && poll(&p, 1, TAP_PATIENCE_MS) == 1);
	s = accept(l, NULL, NULL);
	CHECK(s >= 0 && recv(s, buf, sizeof(buf), MSG_DONTWAIT) == 5);
	close(s);
	close(c);
	close(l);
}

/* --- addresses of nobody --- */

/* bind(2) to a group or to all: it listens there in vain, and connects from an own address. */
static void bound_to_groups(void)
{
	static const char *const addrs[] = { "224.0.0.1", "239.1.2.3", "255.255.255.255",
					     "127.255.255.255" };
	struct sockaddr_in lo = at("127.0.0.1", 0);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	REQUIRE(!bind(l, SA(lo)) && !listen(l, 5));
	lo = at("127.0.0.1", port_of(l));
	for (int i = 0; i < 4; i++) {
		struct sockaddr_in a = at(addrs[i], 0), is = { 0 };
		int fd = socket(AF_INET, SOCK_STREAM, 0), other = socket(AF_INET, SOCK_STREAM, 0);
		socklen_t n = sizeof(is);

		CHECK(!bind(fd, SA(a)) && !listen(fd, 1));
		CHECK(!getsockname(fd, (struct sockaddr *)&is, &n) &&
		      is.sin_addr.s_addr == a.sin_addr.s_addr && is.sin_port);
		CHECK(!bind(other, SA(a)) && !connect(other, SA(lo)));
		CHECK(!getsockname(other, (struct sockaddr *)&is, &n) &&
		      is.sin_addr.s_addr == lo.sin_addr.s_addr);
		close(fd);
		close(other);
	}
	close(l);
}

/* --- what is told --- */

/* TCP_INQ: the end counts as one more, so that whoever sees 0 need not read. */
static void left(void)
{
	union {
		char bytes[64];
		struct cmsghdr align;
	} ctl;
	static const struct {
		int want, got, left;
	} reads[] = { { 4, 4, 7 }, { 6, 6, 1 }, { 4, 0, 1 } };
	char buf[16];
	int s, r;

	pair(&s, &r, 0);
	CHECK(!set(r, INQ, 1));
	CHECK(send(s, "0123456789", 10, 0) == 10 && !shutdown(s, SHUT_WR));
	EVENTUALLY(poll(&(struct pollfd){ r, POLLRDHUP, 0 }, 1, 0) == 1);
	for (unsigned i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		struct iovec io = { buf, (size_t)reads[i].want };
		struct msghdr m = { .msg_iov = &io,
				    .msg_iovlen = 1,
				    .msg_control = &ctl,
				    .msg_controllen = sizeof(ctl) };
		struct cmsghdr *h;
		int n = -1;

		CHECK(recvmsg(r, &m, 0) == reads[i].got);
		h = CMSG_FIRSTHDR(&m);
		if (h && h->cmsg_level == SOL_TCP && h->cmsg_type == INQ)
			memcpy(&n, CMSG_DATA(h), sizeof(n));
		CHECK(n == reads[i].left);
	}
	close(s);
	close(r);
}

/* The number of the byte of which @fd is told a time; -1: of none. */
static long stamped(int fd)
{
	union {
		char bytes[256];
		struct cmsghdr align;
	} ctl;
	struct msghdr m = { .msg_control = &ctl, .msg_controllen = sizeof(ctl) };

	if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return -1;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
		struct sock_extended_err e;

		memcpy(&e, CMSG_DATA(h), sizeof(e));
		if (h->cmsg_level == SOL_IP && h->cmsg_type == IP_RECVERR &&
		    e.ee_origin == SO_EE_ORIGIN_TIMESTAMPING)
			return e.ee_data;
	}
	return -2;
}

/* A call that did not get all its bytes in has a last one, too. */
static void cut(void)
{
	int how = SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID |
		  SOF_TIMESTAMPING_OPT_TSONLY;
	long n, sum = 0, last = -1;
	int s, r;

	pair(&s, &r, 8192);
	sum = fill(s);
	drain(s, r);
	CHECK(!setsockopt(s, SOL_SOCKET, SO_TIMESTAMPING, &how, sizeof(how)));
	CHECK(sum > 0);
	for (sum = 0; (n = send(s, much, sizeof(much), MSG_DONTWAIT)) == sizeof(much);)
		sum += n;
	CHECK(n != 0); /* cut short, or nothing */
	sum += n > 0 ? n : 0;
	drain(s, r);
	EVENTUALLY(({
		long one = stamped(s);

		last = one >= 0 ? one : last;
		last == sum - 1;
	}));
	CHECK(last == sum - 1);
	close(s);
	close(r);
}

/* A stream gives no name: where one would go is not looked at, its length becomes 0. */
static void nameless(void)
{
	void *nowhere = (void *)-1;
	socklen_t n = sizeof(struct sockaddr_in);
	struct iovec v = { much, 1 };
	struct msghdr m = { .msg_name = nowhere, .msg_namelen = n, .msg_iov = &v, .msg_iovlen = 1 };
	int s, r;

	pair(&s, &r, 0);
	CHECK(send(s, "ab", 2, 0) == 2);
	CHECK(recvfrom(r, much, 1, 0, nowhere, &n) == 1 && n == 0);
	CHECK(recvmsg(r, &m, 0) == 1 && m.msg_namelen == 0);
	close(s);
	close(r);
}

int main(void)
{
	alarm(TAP_LIMIT);
	CHECK(loopback_up());
	announced();
	edges();
	stream_by_edges(0);
	stream_by_edges(16384);
	lowat();
	clamped();
	least();
	deferred();
	bound_to_groups();
	left();
	cut();
	nameless();
	return tap_done();
}
