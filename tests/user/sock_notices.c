/*
 * What the error queue tells of what was sent: time stamps (SO_TIMESTAMPING), completions of
 * MSG_ZEROCOPY; and options of SOL_SOCKET that go with sending: SO_TXTIME, SO_MAX_PACING_RATE.
 * socket(7), ip(7), Linux's networking/timestamping and networking/msg_zerocopy.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <netinet/tcp.h>
#include "inet.h"
#include "sockopt.h"

#ifndef SO_TXTIME
#define SO_TXTIME 61
#endif
#define STAMPING 37
#define PACING 47
#define ZEROCOPY 60
#define SELECT_ERR 45
#define ZERO_FLAG 0x4000000

struct notice {
	ssize_t n; /* bytes of data that came with it; -1: there was none */
	struct sock_extended_err ee;
	struct sockaddr_in from;
	struct timespec at;
	int flags, stamped, ifindex;
	socklen_t namelen;
	char data[300];
};

static struct notice take(int fd)
{
	struct notice x = { 0 };
	char ctl[512];
	struct sockaddr_in name;
	struct iovec io = { x.data, sizeof(x.data) };
	struct msghdr m = { .msg_name = &name,
			    .msg_namelen = sizeof(name),
			    .msg_iov = &io,
			    .msg_iovlen = 1,
			    .msg_control = ctl,
			    .msg_controllen = sizeof(ctl) };

	x.n = recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
	if (x.n < 0)
		return x;
	x.flags = m.msg_flags;
	x.namelen = m.msg_namelen;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == STAMPING) {
			memcpy(&x.at, CMSG_DATA(c), sizeof(x.at));
			x.stamped = 1;
		} else if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) {
			memcpy(&x.ee, CMSG_DATA(c), sizeof(x.ee));
			memcpy(&x.from, CMSG_DATA(c) + sizeof(x.ee), sizeof(x.from));
		} else if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			x.ifindex = info.ipi_ifindex;
		}
	}
	return x;
}

/* The next notice, waited for. */
static struct notice await(int fd)
{
	struct pollfd p = { fd, 0, 0 };

	CHECK(poll(&p, 1, TAP_PATIENCE_MS) == 1 && (p.revents & POLLERR));
	return take(fd);
}

static int is_stamp(const struct notice *x, unsigned what, unsigned id)
{
	return x->n >= 0 && x->stamped && x->at.tv_sec > 0 && x->ee.ee_errno == ENOMSG &&
	       x->ee.ee_origin == SO_EE_ORIGIN_TIMESTAMPING && x->ee.ee_info == what &&
	       x->ee.ee_data == id && (x->flags & MSG_ERRQUEUE);
}

static int before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec <= b->tv_nsec);
}

static ssize_t send_stamped(int fd, struct sockaddr_in *to, unsigned flags)
{
	return send_with(fd, to, "by record", STAMPING, &flags, sizeof(flags));
}

static void datagrams(void)
{
	int x = udp_bound(), y = udp_bound(), one = 1;
	struct sockaddr_in to = at("127.0.0.1", port_of(y));
	struct timespec t0, t1;
	struct notice n;

	CHECK(!set(x, STAMPING,
		   SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED |
			   SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID |
			   SOF_TIMESTAMPING_OPT_TSONLY));
	CHECK(take(x).n == -1 && errno == EAGAIN);
	clock_gettime(CLOCK_REALTIME, &t0);
	CHECK(sendto(x, "hello", 5, 0, SA(to)) == 5);
	n = await(x);
	clock_gettime(CLOCK_REALTIME, &t1);
	CHECK(is_stamp(&n, SCM_TSTAMP_SCHED, 0) && n.n == 0 && !n.namelen);
	CHECK(before(&t0, &n.at) && before(&n.at, &t1));
	n = await(x);
	CHECK(is_stamp(&n, SCM_TSTAMP_SND, 0));
	CHECK(take(x).n == -1 && errno == EAGAIN);
	CHECK(get(x, SO_ERROR) == 0);
	/* Numbers go on; the data comes along, with headers, and with it where it left. */
	CHECK(!set(x, STAMPING,
		   SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE |
			   SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_CMSG) &&
	      !setsockopt(x, SOL_IP, IP_PKTINFO, &one, sizeof(one)));
	CHECK(sendto(x, "world", 5, 0, SA(to)) == 5);
	n = await(x);
	CHECK(is_stamp(&n, SCM_TSTAMP_SND, 1));
	CHECK(n.n >= 33 && !memcmp(n.data + n.n - 5, "world", 5));
	CHECK(n.ifindex > 0 && n.from.sin_family == AF_INET &&
	      n.from.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
	/* Set anew, they begin anew. Of one message alone: by control data. */
	CHECK(!set(x, STAMPING, 0) && !set(x, STAMPING,
					   SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID |
						   SOF_TIMESTAMPING_OPT_TSONLY));
	CHECK(sendto(x, "quiet", 5, 0, SA(to)) == 5 && take(x).n == -1);
	CHECK(send_stamped(x, &to, SOF_TIMESTAMPING_TX_SCHED) == 9);
	n = await(x);
	CHECK(is_stamp(&n, SCM_TSTAMP_SCHED, 0));
	CHECK_ERR(send_stamped(x, &to, SOF_TIMESTAMPING_OPT_ID), EINVAL);
	/* Nobody asked to be told (SOF_TIMESTAMPING_SOFTWARE): there is a notice without a time. */
	CHECK(!set(x, STAMPING, SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY));
	CHECK(sendto(x, "quiet", 5, 0, SA(to)) == 5);
	n = await(x);
	CHECK(n.n == 0 && !n.stamped && n.ee.ee_origin == SO_EE_ORIGIN_TIMESTAMPING);
	close(x);
	close(y);
}

/* Notices that nobody takes are kept within the receive buffer, with the data that they carry. */
static void memory(void)
{
	static char big[60000];
	int x = udp_bound(), y = udp_bound(), kept = 0;
	struct sockaddr_in to = at("127.0.0.1", port_of(y));

	CHECK(!set(x, STAMPING, SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE));
	for (int i = 0; i < 50; i++)
		CHECK(sendto(x, big, sizeof(big), 0, SA(to)) == sizeof(big));
	(void)await(x);
	for (kept = 1; take(x).n >= 0; kept++)
		;
	printf("# %d notices\n", kept);
	CHECK(kept * (int)sizeof(big) <= get(x, SO_RCVBUF));
	CHECK(sendto(x, big, sizeof(big), 0, SA(to)) == sizeof(big) && await(x).n > 0);
	close(x);
	close(y);
}

/* Two ends of a connection; @mss: with segments of so many bytes at most, 0: as it comes. */
static void connection(int v[2], int mss)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	int l = socket(AF_INET, SOCK_STREAM, 0);

	v[0] = socket(AF_INET, SOCK_STREAM, 0);
	REQUIRE(!bind(l, SA(a)) && !listen(l, 1));
	a.sin_port = htons(port_of(l));
	if (mss)
		REQUIRE(!setsockopt(v[0], SOL_TCP, TCP_MAXSEG, &mss, sizeof(mss)));
	REQUIRE(!connect(v[0], SA(a)));
	v[1] = accept(l, NULL, NULL);
	REQUIRE(v[1] >= 0);
	close(l);
}

static void stream(void)
{
	const int all = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED |
			SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE |
			SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;
	const unsigned kinds = 1u << SCM_TSTAMP_SND | 1u << SCM_TSTAMP_SCHED | 1u << SCM_TSTAMP_ACK;
	unsigned seen = 0;
	int v[2], fresh = socket(AF_INET, SOCK_STREAM, 0);
	struct pollfd p;
	char buf[64];

	CHECK_ERR(set(fresh, STAMPING, all), EINVAL); /* numbers of what? */
	CHECK(!set(fresh, STAMPING, all & ~SOF_TIMESTAMPING_OPT_ID));
	close(fresh);
	connection(v, 0);
	CHECK(send(v[0], "before", 6, 0) == 6 && recv(v[1], buf, 6, MSG_WAITALL) == 6);
	EVENTUALLY(ioctl(v[0], 0x5411 /* SIOCOUTQ */, &seen) == 0 && seen == 0);
	CHECK(!set(v[0], STAMPING, all));
	CHECK(send(v[0], "0123456789", 10, 0) == 10 && recv(v[1], buf, 10, MSG_WAITALL) == 10);
	seen = 0;
	/* What the acknowledgment is too late for leaves again, and says so again. */
	for (int i = 0; i < 20 && seen != kinds; i++) {
		struct notice n = await(v[0]);

		CHECK(n.ee.ee_info < 3 && is_stamp(&n, n.ee.ee_info, 9));
		seen |= 1u << (n.ee.ee_info & 31);
	}
	CHECK(seen == kinds);
	/* The number is of the last byte of the call. */
	CHECK(!set(v[0], STAMPING,
		   all & ~(SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED)));
	CHECK(send(v[0], "abcde", 5, 0) == 5 && recv(v[1], buf, 5, MSG_WAITALL) == 5);
	{
		struct notice n = await(v[0]);

		CHECK(is_stamp(&n, SCM_TSTAMP_ACK, 14) && n.n == 0);
	}
	/* The data come with it, unless they are not wanted. */
	CHECK(!set(v[0], STAMPING,
		   SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID |
			   SOF_TIMESTAMPING_OPT_CMSG));
	CHECK(send(v[0], "fghij", 5, 0) == 5 && recv(v[1], buf, 5, MSG_WAITALL) == 5);
	{
		struct notice n = await(v[0]);

		CHECK(is_stamp(&n, SCM_TSTAMP_ACK, 19) && n.n == 5 && !n.ifindex);
		CHECK(!memcmp(n.data, "fghij", 5) && !(n.flags & MSG_TRUNC));
	}
	CHECK(!set(v[0], STAMPING, 0) && send(v[0], "quiet", 5, 0) == 5);
	CHECK(recv(v[1], buf, 5, MSG_WAITALL) == 5 && take(v[0]).n == -1);
	p = (struct pollfd){ v[0], POLLOUT, 0 };
	CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
	close(v[0]);
	close(v[1]);
}

static int is_done(const struct notice *x, unsigned from, unsigned to)
{
	return x->n == 0 && !x->ee.ee_errno && x->ee.ee_origin == SO_EE_ORIGIN_ZEROCOPY &&
	       x->ee.ee_info == from && x->ee.ee_data == to &&
	       x->ee.ee_code == SO_EE_CODE_ZEROCOPY_COPIED;
}

/* Over loopback there is always a copy. Ranges may come in one or more notices. */
static void done_up_to(int fd, unsigned from, unsigned to)
{
	while (from <= to) {
		struct notice n = await(fd);

		CHECK(n.ee.ee_data >= from && n.ee.ee_data <= to &&
		      is_done(&n, from, n.ee.ee_data));
		if (n.n < 0)
			break;
		from = n.ee.ee_data + 1;
	}
	CHECK(take(fd).n == -1 && errno == EAGAIN);
}

static void zero_copy(void)
{
	int x = udp_bound(), y = udp_bound(), u = socket(AF_UNIX, SOCK_STREAM, 0), v[2];
	struct sockaddr_in to = at("127.0.0.1", port_of(y));
	struct pollfd p;
	char buf[64];

	CHECK(get(x, ZEROCOPY) == 0);
	CHECK(sendto(x, "12345", 5, ZERO_FLAG, SA(to)) == 5); /* not asked for: as if not said */
	CHECK(recv(y, buf, 5, 0) == 5 && take(x).n == -1);
	CHECK_ERR(set(x, ZEROCOPY, 2), EINVAL);
	CHECK_ERR(set(u, ZEROCOPY, 1), EOPNOTSUPP);
	CHECK(!set(x, ZEROCOPY, 1) && get(x, ZEROCOPY) == 1);
	for (int i = 0; i < 4; i++)
		CHECK(sendto(x, "12345", 5, ZERO_FLAG, SA(to)) == 5 && recv(y, buf, 5, 0) == 5);
	done_up_to(x, 0, 3);
	CHECK(!set(x, SELECT_ERR, 1));
	CHECK(sendto(x, "12345", 5, ZERO_FLAG, SA(to)) == 5 && recv(y, buf, 5, 0) == 5);
	p = (struct pollfd){ x, POLLPRI, 0 };
	CHECK(poll(&p, 1, TAP_PATIENCE_MS) == 1 && p.revents == (POLLPRI | POLLERR));
	done_up_to(x, 4, 4);
	/* What waits in a corked datagram is told of like the rest. */
	CHECK(sendto(x, "12", 2, ZERO_FLAG | MSG_MORE, SA(to)) == 2);
	CHECK(sendto(x, "345", 3, ZERO_FLAG, SA(to)) == 3 && recv(y, buf, 6, 0) == 5);
	done_up_to(x, 5, 6);
	connection(v, 0);
	CHECK(!set(v[0], ZEROCOPY, 1));
	CHECK(send(v[0], "12345", 5, ZERO_FLAG) == 5 && send(v[0], "67890", 5, ZERO_FLAG) == 5);
	CHECK(recv(v[1], buf, 10, MSG_WAITALL) == 10 && !memcmp(buf, "1234567890", 10));
	done_up_to(v[0], 0, 1);
	close(v[0]);
	close(v[1]);
	close(u);
	close(x);
	close(y);
}

static ssize_t send_at(int fd, struct sockaddr_in *to, uint64_t when, size_t len)
{
	return send_with(fd, to, "later", SO_TXTIME, &when, len);
}

/* Without a queueing discipline that knows of times a datagram leaves at once. */
static void launch_time(void)
{
	int x = udp_bound(), y = udp_bound(), st;
	struct sockaddr_in to = at("127.0.0.1", port_of(y));
	struct sock_txtime t = { CLOCK_MONOTONIC, 0 }, got;
	socklen_t n = sizeof(got);
	char buf[8];
	pid_t pid;

	CHECK_ERR(send_at(x, &to, 1, 8), EINVAL);
	CHECK_ERR(setsockopt(x, SOL_SOCKET, SO_TXTIME, &t, 4), EINVAL);
	t.flags = 4;
	CHECK_ERR(setsockopt(x, SOL_SOCKET, SO_TXTIME, &t, sizeof(t)), EINVAL);
	t.flags = SOF_TXTIME_REPORT_ERRORS;
	CHECK(!setsockopt(x, SOL_SOCKET, SO_TXTIME, &t, sizeof(t)));
	CHECK(!getsockopt(x, SOL_SOCKET, SO_TXTIME, &got, &n) && n == sizeof(got) &&
	      got.clockid == CLOCK_MONOTONIC && got.flags == SOF_TXTIME_REPORT_ERRORS);
	CHECK(send_at(x, &to, 1, 8) == 5 && recv(y, buf, 8, 0) == 5);
	CHECK_ERR(send_at(x, &to, 1, 4), EINVAL);
	pid = fork();
	if (!pid) {
		if (setresuid(1000, 1000, 1000))
			_exit(1);
		t.clockid = CLOCK_TAI;
		if (!setsockopt(x, SOL_SOCKET, SO_TXTIME, &t, sizeof(t)) || errno != EPERM)
			_exit(2);
		t.clockid = CLOCK_MONOTONIC;
		_exit(setsockopt(x, SOL_SOCKET, SO_TXTIME, &t, sizeof(t)) ? 3 : 0);
	}
	CHECK(waitpid(pid, &st, 0) == pid && !st);
	close(x);
	close(y);
}

/* Never more than the rate: so it takes time; how much more it takes nobody can say. */
static void pacing(void)
{
	enum { RATE = 400000, BYTES = 200000 };
	static char data[BYTES];
	uint64_t big = 1ull << 40, got = 0;
	socklen_t n = sizeof(got);
	struct timespec t0, t1;
	double took;
	int v[2];
	pid_t pid;

	connection(v, 1000);
	CHECK(get(v[0], PACING) == -1);
	CHECK(!setsockopt(v[0], SOL_SOCKET, PACING, &big, sizeof(big)));
	CHECK(get(v[0], PACING) == -1 && !getsockopt(v[0], SOL_SOCKET, PACING, &got, &n) &&
	      n == 8 && got == big);
	CHECK(!set(v[0], PACING, RATE) && get(v[0], PACING) == RATE);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	pid = fork();
	if (!pid) {
		ssize_t at = 0, k;

		while (at < BYTES && (k = send(v[0], data + at, (size_t)(BYTES - at), 0)) > 0)
			at += k;
		_exit(at != BYTES);
	}
	CHECK(recv(v[1], data, BYTES, MSG_WAITALL) == BYTES);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	waitpid(pid, NULL, 0);
	took = (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9;
	printf("# %d bytes at %d/s: %f s\n", BYTES, RATE, took);
	CHECK(took > 0.1); /* half a second, but for the first segments, which Linux lets through */
	/* A new limit counts at once, also for what waits for the old one. */
	CHECK(!set(v[0], PACING, 1000) && send(v[0], data, 8000, 0) == 8000);
	CHECK(!set(v[0], PACING, -1));
	CHECK(recv(v[1], data, 8000, MSG_WAITALL) == 8000);
	close(v[0]);
	close(v[1]);
}

static void filters(void)
{
	struct sock_filter code[3] = { { 0x20, 0, 0, 0 }, { 0x6, 0, 0, 0xffff }, { 0x6, 0, 0, 0 } },
			   back[3];
	struct sock_fprog prog = { 3, code };
	int x = udp_bound();
	socklen_t n = 0;

	CHECK(!getsockopt(x, SOL_SOCKET, SO_GET_FILTER, NULL, &n) && n == 0);
	CHECK_ERR(setsockopt(x, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog) + 1), EINVAL);
	CHECK(!setsockopt(x, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	CHECK(!getsockopt(x, SOL_SOCKET, SO_GET_FILTER, NULL, &n) && n == 3);
	n = 2;
	CHECK_ERR(getsockopt(x, SOL_SOCKET, SO_GET_FILTER, back, &n), EINVAL);
	n = 3;
	CHECK(!getsockopt(x, SOL_SOCKET, SO_GET_FILTER, back, &n) && n == 3 &&
	      !memcmp(back, code, sizeof(code)));
	n = 3;
	CHECK_ERR(getsockopt(x, SOL_SOCKET, SO_GET_FILTER, (void *)-4096l, &n), EFAULT);
	CHECK_ERR(set(x, 50 /* SO_ATTACH_BPF */, 9999), EBADF);
	CHECK_ERR(set(x, 50, x), EINVAL);
	close(x);
}

/* Lets through what has @first in the byte at @offset, and @keep bytes of it. */
static int passes(int x, unsigned offset, unsigned char first, unsigned keep)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offset),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, keep),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { 4, code };

	return setsockopt(x, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

/* The program of a UDP socket sees the UDP header first, and counts it, but cannot cut it. */
static void filtered_datagrams(void)
{
	int x = patient(udp_bound()), y = udp_bound();
	struct sockaddr_in to = at("127.0.0.1", port_of(x));
	char got[8];

	CHECK(!passes(x, 8, 'b', 10));
	CHECK(sendto(y, "abcd", 4, 0, SA(to)) == 4 && sendto(y, "bcde", 4, 0, SA(to)) == 4);
	CHECK(recv(x, got, sizeof(got), 0) == 2 && got[0] == 'b' && got[1] == 'c');
	CHECK(!passes(x, 3, (unsigned char)port_of(x), 1));
	CHECK(sendto(y, "cdef", 4, 0, SA(to)) == 4 && recv(x, got, sizeof(got), 0) == 0);
	CHECK(!passes(x, (unsigned)SKF_NET_OFF + 9, IPPROTO_UDP, 100));
	CHECK(sendto(y, "defg", 4, 0, SA(to)) == 4 && recv(x, got, sizeof(got), 0) == 4);
	CHECK(!passes(x, (unsigned)SKF_NET_OFF, 0x45, 8 + 3));
	CHECK(sendto(y, "efgh", 4, 0, SA(to)) == 4 && recv(x, got, sizeof(got), 0) == 3);
	CHECK(!passes(x, 12, 0, 100));
	CHECK(sendto(y, "none", 4, 0, SA(to)) == 4); /* beyond its end: dropped */
	CHECK(!passes(x, 11, 'i', 100));
	CHECK(sendto(y, "fghi", 4, 0, SA(to)) == 4 && recv(x, got, sizeof(got), 0) == 4 &&
	      got[0] == 'f');
	close(x);
	close(y);
}

static void numbers(void)
{
	int x = udp_bound();
	uint64_t cookie = 0;
	socklen_t n = 8;

	CHECK(get(x, 48 /* SO_BPF_EXTENSIONS */) == 64);
	CHECK(!getsockopt(x, SOL_SOCKET, 71 /* SO_NETNS_COOKIE */, &cookie, &n) && cookie);
	CHECK(get(x, 71) == -99);
	CHECK(get(x, 74 /* SO_TXREHASH */) == 1 && !set(x, 74, 0) && get(x, 74) == 0);
	CHECK(!set(x, 74, -1) && get(x, 74) == 1);
	CHECK_ERR(set(x, 74, 2), EINVAL);
	CHECK(get(x, 73 /* SO_RESERVE_MEM */) == 0);
	CHECK_ERR(set(x, 73, 4096), EOPNOTSUPP);
	CHECK(!set(x, 62 /* SO_BINDTOIFINDEX */, 1) && get(x, 62) == 1 && !set(x, 62, 0));
	CHECK_ERR(set(x, 62, -1), EINVAL);
	CHECK(!set(x, SO_SNDBUF, -1) && get(x, SO_SNDBUF) > 100000);
	CHECK(!set(x, SO_SNDBUFFORCE, -1) && get(x, SO_SNDBUF) < 10000);
	close(x);
}

int main(void)
{
	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	datagrams();
	memory();
	stream();
	zero_copy();
	launch_time();
	pacing();
	filters();
	filtered_datagrams();
	numbers();
	return tap_done();
}
