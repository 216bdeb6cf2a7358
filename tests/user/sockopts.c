/*
 * What is common to sockets of all families: options of SOL_SOCKET, control data of single
 * messages, which error comes first, and descriptors that are not there (socket(7), recvmsg(2),
 * accept(2)).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/net_tstamp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include "inet.h"
#include "sockopt.h"

#define BUF_LOCK 72
#define MEMINFO 55
#define STAMPING 37
#define PREFER_BUSY_POLL 69
#define BUSY_POLL_BUDGET 70
#define LOCK_FILTER 44
#define INCOMING_CPU 49
#define RXQ_OVFL 40
#define BAD ((void *)-4096l)
#define UNICAST_IF 50
#define SOL_NETLINK_ 270
#define PKTINFO 3 /* NETLINK_PKTINFO */
#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

static void buffers(int fd)
{
	CHECK(get(fd, BUF_LOCK) == 0);
	CHECK(!set(fd, SO_SNDBUF, 20000) && get(fd, BUF_LOCK) == 1 && get(fd, SO_SNDBUF) == 40000);
	CHECK(!set(fd, SO_RCVBUF, 1) && get(fd, BUF_LOCK) == 3 && get(fd, SO_RCVBUF) == 2304);
	CHECK(!set(fd, BUF_LOCK, 0) && get(fd, BUF_LOCK) == 0);
	CHECK_ERR(set(fd, BUF_LOCK, 4), EINVAL);
	CHECK_ERR(set(fd, SO_TYPE, 1), ENOPROTOOPT);
	CHECK_ERR(set(fd, SO_ACCEPTCONN, 1), ENOPROTOOPT);
	CHECK_ERR(set(fd, SO_SNDLOWAT, 1), ENOPROTOOPT);
	CHECK_ERR(set(fd, SO_PEERCRED, 1), ENOPROTOOPT);
	CHECK(get(fd, SO_SNDLOWAT) == 1);
	CHECK(!set(fd, SO_PRIORITY, -3) && get(fd, SO_PRIORITY) == -3);
	CHECK(!set(fd, SO_PRIORITY, 0));
	CHECK(!set(fd, LOCK_FILTER, 1) && get(fd, LOCK_FILTER) == 1);
	CHECK_ERR(set(fd, LOCK_FILTER, 0), EPERM);
	CHECK(!set(fd, SO_BUSY_POLL, 50) && get(fd, SO_BUSY_POLL) == 50);
	CHECK_ERR(set(fd, SO_BUSY_POLL, -1), EINVAL);
	CHECK(!set(fd, PREFER_BUSY_POLL, 1) && get(fd, PREFER_BUSY_POLL) == 1);
	CHECK_ERR(set(fd, BUSY_POLL_BUDGET, 65536), EINVAL);
	CHECK(!set(fd, BUSY_POLL_BUDGET, 16));
	CHECK(!set(fd, INCOMING_CPU, 1) && get(fd, INCOMING_CPU) == 1);
	CHECK(get(fd, 56) == 0); /* SO_INCOMING_NAPI_ID */
	CHECK(!set(fd, SO_BSDCOMPAT, 1) && get(fd, SO_BSDCOMPAT) == 0);
}

/* Without privileges words can only go down. */
static void unprivileged(int fd)
{
	pid_t pid = fork();
	int st;

	if (!pid) {
		if (setresgid(1000, 1000, 1000) || setresuid(1000, 1000, 1000))
			_exit(1);
		_exit(set(fd, SO_BUSY_POLL, 51) == -1 && errno == EPERM &&
				      !set(fd, SO_BUSY_POLL, 49) &&
				      set(fd, PREFER_BUSY_POLL, 1) == -1 && errno == EPERM &&
				      !set(fd, PREFER_BUSY_POLL, 0) &&
				      set(fd, SO_PRIORITY, 7) == -1 && errno == EPERM &&
				      set(fd, SO_PRIORITY, -1) == -1 && errno == EPERM &&
				      set(fd, SO_MARK, 7) == -1 && errno == EPERM &&
				      set(fd, SO_DEBUG, 1) == -1 && errno == EACCES &&
				      set(fd, SO_SNDBUFFORCE, 1) == -1 && errno == EPERM
			      ? 0
			      : 2);
	}
	CHECK(waitpid(pid, &st, 0) == pid && !st);
}

/* Bound to a device: a socket that has none tells it as well. */
static void devices(int fd)
{
	char name[16] = "";
	socklen_t n = sizeof(name);
	int lo = (int)if_nametoindex("lo");

	CHECK(get(fd, SO_BINDTOIFINDEX) == 0);
	CHECK_ERR(set(fd, SO_BINDTOIFINDEX, -1), EINVAL);
	CHECK(!set(fd, SO_BINDTOIFINDEX, lo) && get(fd, SO_BINDTOIFINDEX) == lo);
	CHECK(!getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &n) && !strcmp(name, "lo"));
	CHECK(!setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
	CHECK(get(fd, SO_BINDTOIFINDEX) == 0);
	CHECK(!setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	CHECK(get(fd, SO_BINDTOIFINDEX) == lo && !set(fd, SO_BINDTOIFINDEX, 0));
}

/* What IP_UNICAST_IF takes, and of whom ICMP_FILTER is. */
static void lengths(void)
{
	int d = socket(AF_INET, SOCK_DGRAM, 0), raw = socket(AF_INET, SOCK_RAW, 200);
	int icmp = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), v[2] = { 0 };
	socklen_t n = sizeof(int);

	CHECK(!setsockopt(d, SOL_IP, UNICAST_IF, v, 4));
	CHECK_ERR(setsockopt(d, SOL_IP, UNICAST_IF, v, 8), EINVAL);
	CHECK_ERR(setsockopt(raw, SOL_RAW, 1, v, 4), EOPNOTSUPP);
	CHECK_ERR(getsockopt(raw, SOL_RAW, 1, v, &n), EOPNOTSUPP);
	v[0] = -1;
	CHECK(!setsockopt(icmp, SOL_RAW, 1, v, 4));
	v[0] = 0;
	CHECK(!setsockopt(icmp, SOL_RAW, 1, v, 1));
	CHECK(!getsockopt(icmp, SOL_RAW, 1, v, &n) && n == 4 && v[0] == ~0xff);
	close(d);
	close(raw);
	close(icmp);
}

static void options(void)
{
	int u = socket(AF_UNIX, SOCK_DGRAM, 0), d = socket(AF_INET, SOCK_DGRAM, 0),
	    t = socket(AF_INET, SOCK_STREAM, 0);

	buffers(u);
	buffers(d);
	buffers(t);
	unprivileged(d);
	unprivileged(u);
	devices(u);
	devices(d);
	devices(t);
	lengths();
	close(u);
	close(d);
	close(t);
}

static void memory(void)
{
	unsigned v[12] = { 0 };
	socklen_t n = sizeof(v);
	int x = udp_bound(), y = udp_bound(), lost;
	struct sockaddr_in to = at("127.0.0.1", port_of(y));
	char buf[1000] = "", ctl[64];
	struct iovec io = { buf, sizeof(buf) };
	struct msghdr m = { .msg_iov = &io, .msg_iovlen = 1, .msg_control = ctl };
	struct cmsghdr *c;

	CHECK(!set(y, SO_RCVBUF, 4000) && !set(y, RXQ_OVFL, 1) && get(y, RXQ_OVFL) == 1);
	for (int i = 0; i < 30; i++)
		sendto(x, buf, sizeof(buf), 0, SA(to));
	CHECK(!getsockopt(y, SOL_SOCKET, MEMINFO, v, &n) && n == 36);
	CHECK(v[0] >= 4000 && v[1] == 8000 && v[3] == (unsigned)get(y, SO_SNDBUF) && v[8] > 0);
	/* The count comes with what was received after the losses. */
	while (recv(y, buf, sizeof(buf), MSG_DONTWAIT) > 0)
		;
	CHECK(sendto(x, buf, 9, 0, SA(to)) == 9);
	m.msg_controllen = sizeof(ctl);
	CHECK(recvmsg(y, &m, 0) == 9);
	c = CMSG_FIRSTHDR(&m);
	CHECK(c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == RXQ_OVFL);
	if (c)
		memcpy(&lost, CMSG_DATA(c), sizeof(lost));
	CHECK(c && lost > 0 && (unsigned)lost == v[8]);
	n = 8;
	CHECK(!getsockopt(y, SOL_SOCKET, MEMINFO, v, &n) && n == 8);
	close(x);
	close(y);
}

/* A listener has no bytes; a netlink socket takes short values for 0. */
static void odd_ones(void)
{
	int l = socket(AF_INET, SOCK_STREAM, 0), n = socket(AF_NETLINK, SOCK_RAW, 0), one = 1;
	unsigned v[9] = { 1, 1, 1, 1 };
	socklen_t len = sizeof(v);

	CHECK(!listen(l, 1) && !getsockopt(l, SOL_SOCKET, MEMINFO, v, &len) && len == 36);
	CHECK(v[0] == 0 && v[1] == (unsigned)get(l, SO_RCVBUF));
	CHECK(v[2] == 0 && v[3] == (unsigned)get(l, SO_SNDBUF));
	CHECK(!setsockopt(n, SOL_NETLINK_, PKTINFO, &one, 4));
	len = 4;
	CHECK(!getsockopt(n, SOL_NETLINK_, PKTINFO, &one, &len) && one == 1);
	CHECK(!setsockopt(n, SOL_NETLINK_, PKTINFO, &one, 3));
	CHECK(!getsockopt(n, SOL_NETLINK_, PKTINFO, &one, &len) && one == 0);
	CHECK_ERR(setsockopt(n, SOL_NETLINK_, 77, &one, 1), ENOPROTOOPT);
	CHECK_ERR(setsockopt(n, SOL_NETLINK_, 1, &one, 1),
		  EINVAL); /* NETLINK_ADD_MEMBERSHIP of 0 */
	close(l);
	close(n);
}

/* SO_TIMESTAMPING: when a datagram came in. */
static void stamping(void)
{
	int x = udp_bound(), y = udp_bound(), v[2] = { 0 };
	struct sockaddr_in to = at("127.0.0.1", port_of(y));
	struct timespec before, after, ts[3];
	socklen_t n = sizeof(v);
	char buf[8] = "", ctl[128];
	struct iovec io = { buf, sizeof(buf) };
	struct msghdr m = {
		.msg_iov = &io, .msg_iovlen = 1, .msg_control = ctl, .msg_controllen = sizeof(ctl)
	};
	struct cmsghdr *c;

	CHECK_ERR(set(y, STAMPING, 1 << 20), EINVAL);
	CHECK_ERR(set(y, STAMPING, SOF_TIMESTAMPING_OPT_STATS), EINVAL);
	/* As long as nobody asks when things come in, nobody looks. */
	CHECK(!set(y, STAMPING, SOF_TIMESTAMPING_SOFTWARE) && sendto(x, "a", 1, 0, SA(to)) == 1);
	CHECK(recvmsg(y, &m, 0) == 1 && !m.msg_controllen);
	m.msg_controllen = sizeof(ctl);
	CHECK(!set(y, STAMPING, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE));
	CHECK(!getsockopt(y, SOL_SOCKET, STAMPING, v, &n) && n == 8 &&
	      v[0] == (SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE) && !v[1]);
	clock_gettime(CLOCK_REALTIME, &before);
	CHECK(sendto(x, "a", 1, 0, SA(to)) == 1 && recvmsg(y, &m, 0) == 1);
	clock_gettime(CLOCK_REALTIME, &after);
	c = CMSG_FIRSTHDR(&m);
	REQUIRE(c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == STAMPING);
	CHECK(c->cmsg_len == CMSG_LEN(sizeof(ts)));
	memcpy(ts, CMSG_DATA(c), sizeof(ts));
	CHECK(ts[0].tv_sec >= before.tv_sec && ts[0].tv_sec <= after.tv_sec && !ts[2].tv_sec);
	CHECK(!set(y, STAMPING, 0) && sendto(x, "a", 1, 0, SA(to)) == 1);
	m.msg_controllen = sizeof(ctl);
	CHECK(recvmsg(y, &m, 0) == 1 && !m.msg_controllen);
	close(x);
	close(y);
}

#define STAMP 29 /* SO_TIMESTAMP */
#define STAMPNS 35
#define STAMP_LATER 63 /* SO_TIMESTAMP_NEW */
#define STAMPNS_LATER 64
#define STAMPING_LATER 65
static const int forms[] = { STAMP, STAMPNS, STAMP_LATER, STAMPNS_LATER };

/* Which of the four are said to be on: a bit for each. */
static int forms_on(int fd)
{
	int bits = 0;

	for (int i = 0; i < 4; i++)
		bits |= get(fd, forms[i]) << i;
	return bits;
}

/* A datagram to @fd itself comes with a time between now and then in the form @type, 0: without. */
static int is_stamped(int fd, int type)
{
	struct sockaddr_in to = at("127.0.0.1", port_of(fd));
	char buf[8];
	union {
		char bytes[256];
		struct cmsghdr align;
	} ctl;
	struct iovec io = { buf, sizeof(buf) };
	struct msghdr m = {
		.msg_iov = &io, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = sizeof(ctl)
	};
	struct timespec before, after;
	long long v[2], at, ns = type == STAMPNS || type == STAMPNS_LATER ? 1 : 1000;
	struct cmsghdr *c;

	clock_gettime(CLOCK_REALTIME, &before);
	if (sendto(fd, "a", 1, 0, SA(to)) != 1 || recvmsg(patient(fd), &m, 0) != 1)
		return 0;
	clock_gettime(CLOCK_REALTIME, &after);
	c = CMSG_FIRSTHDR(&m);
	if (!c || !type)
		return !c && !type;
	memcpy(v, CMSG_DATA(c), sizeof(v));
	at = v[0] * 1000000000 + v[1] * ns;
	return c->cmsg_level == SOL_SOCKET && c->cmsg_type == type &&
	       c->cmsg_len == CMSG_LEN(sizeof(v)) && v[1] >= 0 && v[1] * ns < 1000000000 &&
	       at > before.tv_sec * 1000000000ll + before.tv_nsec - ns &&
	       at <= after.tv_sec * 1000000000ll + after.tv_nsec;
}

/* SO_TIMESTAMP and SO_TIMESTAMPNS, by their old numbers and the new ones: the last one counts. */
static void stamp_forms(void)
{
	static const int bits[] = { 1, 2, 4, 8 | 4 }; /* as Linux tells of them */

	for (int i = 0; i < 4; i++) {
		int fd = udp_bound(), next = (i + 1) % 4;

		CHECK(forms_on(fd) == 0 && is_stamped(fd, 0));
		CHECK(!set(fd, forms[i], 1) && forms_on(fd) == bits[i]);
		CHECK(is_stamped(fd, forms[i]));
		CHECK(!set(fd, forms[next], 1) && forms_on(fd) == bits[next]);
		CHECK(is_stamped(fd, forms[next]));
		CHECK(!set(fd, forms[i], 0) && forms_on(fd) == 0); /* by whichever name */
		CHECK(is_stamped(fd, 0));
		close(fd);
	}
}

/* SO_TIMESTAMPING, too, decides about the form of the other. */
static void stamp_forms_together(void)
{
	int fd = udp_bound(), on = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;

	CHECK(!set(fd, STAMPNS, 1) && !set(fd, STAMPING_LATER, on));
	CHECK(forms_on(fd) == (8 | 4) && is_stamped(fd, STAMPNS_LATER));
	CHECK(get(fd, STAMPING) == on && get(fd, STAMPING_LATER) == on);
	CHECK(!set(fd, STAMPING, on) && forms_on(fd) == 2 && is_stamped(fd, STAMPNS));
	CHECK(!set(fd, STAMPNS, 0) && is_stamped(fd, 0) == 0 && forms_on(fd) == 0);
	close(fd);
}

static void control(void)
{
	int x = udp_bound(), y = udp_bound(), v = 7, bad = -1, pair[2];
	struct sockaddr_in to = at("127.0.0.1", port_of(y));
	struct iovec io = { "x", 1 };
	struct msghdr m = { .msg_name = &to,
			    .msg_namelen = sizeof(to),
			    .msg_iov = &io,
			    .msg_iovlen = 1,
			    .msg_controllen = 16 };

	CHECK(send_with(x, &to, "x", SO_MARK, &v, 4) == 1);
	CHECK_ERR(send_with(x, &to, "x", SO_MARK, &v, 2), EINVAL);
	CHECK_ERR(send_with(x, &to, "x", STAMPING, &(int){ 1 << 12 }, 4), EINVAL);
	CHECK(send_with(x, &to, "x", SCM_RIGHTS, &bad, 4) == 1); /* nobody there to get it */
	CHECK_ERR(send_with(x, &to, "x", 99, &v, 4), EINVAL);
	CHECK_ERR(syscall(SYS_sendmsg, x, &m, 0), EFAULT);
	m.msg_controllen = 1u << 31;
	CHECK_ERR(syscall(SYS_sendmsg, x, &m, 0), ENOBUFS);
	REQUIRE(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_ERR(send_with(pair[0], NULL, "x", SCM_RIGHTS, &bad, 4), EBADF);
	CHECK_ERR(send_with(pair[0], NULL, "x", SO_MARK, &v, 4), EINVAL);
	close(pair[0]);
	close(pair[1]);
	close(x);
	close(y);
}

/* Nothing is accepted for which there is no descriptor. */
static void no_descriptor(void)
{
	struct rlimit was, none = { 0, 0 };
	struct sockaddr_in a = at("127.0.0.1", 0);
	int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0), s, err, f;
	char b = 0;

	REQUIRE(!bind(l, SA(a)) && !listen(l, 2));
	a.sin_port = htons(port_of(l));
	REQUIRE(!connect(c, SA(a)) && send(c, "z", 1, 0) == 1);
	f = open("/dev/null", O_RDONLY);
	getrlimit(RLIMIT_NOFILE, &was);
	none.rlim_max = was.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	s = accept(l, NULL, NULL);
	err = errno;
	CHECK(s == -1 && err == EMFILE);
	s = accept(f, NULL, NULL); /* before it is seen that it is no socket */
	err = errno;
	CHECK(s == -1 && err == EMFILE);
	s = socket(AF_INET, SOCK_STREAM, 0);
	err = errno;
	CHECK(s == -1 && err == EMFILE);
	setrlimit(RLIMIT_NOFILE, &was);
	s = accept(l, NULL, NULL); /* still there */
	CHECK(s >= 0 && recv(s, &b, 1, 0) == 1 && b == 'z');
	CHECK_ERR(syscall(SYS_accept4, l, NULL, NULL, 1), EINVAL);
	CHECK_ERR(syscall(SYS_accept4, f, NULL, NULL, 1), EINVAL);
	CHECK_ERR(syscall(SYS_accept4, f, NULL, NULL, 0), ENOTSOCK);
	CHECK_ERR(syscall(SYS_accept4, -1, NULL, NULL, 1), EBADF);
	close(f);
	close(s);
	close(c);
	close(l);
}

static int pipes;

static void on_pipe(int sig)
{
	pipes++;
}

/* Who gets SIGPIPE: senders on what is a stream. */
static void broken(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM };
	int v[2], d = udp_bound();
	struct sockaddr_in to = at("127.0.0.1", port_of(d));

	signal(SIGPIPE, on_pipe);
	for (int i = 0; i < 3; i++) {
		pipes = 0;
		REQUIRE(!socketpair(AF_UNIX, types[i], 0, v) && !shutdown(v[0], SHUT_WR));
		CHECK_ERR(send(v[0], "x", 1, MSG_NOSIGNAL), EPIPE);
		CHECK(pipes == 0);
		CHECK_ERR(send(v[0], "x", 1, 0), EPIPE);
		CHECK(pipes == (types[i] == SOCK_STREAM));
		CHECK_ERR(write(v[0], "x", 1), EPIPE);
		CHECK(pipes == 2 * (types[i] == SOCK_STREAM));
		close(v[0]);
		close(v[1]);
	}
	pipes = 0;
	CHECK(!connect(d, SA(to)) && !shutdown(d, SHUT_WR));
	CHECK_ERR(send(d, "x", 1, 0), EPIPE);
	CHECK_ERR(write(d, "x", 1), EPIPE);
	CHECK(pipes == 0);
	close(d);
	CHECK_ERR(shutdown(-1, 9), EBADF);
	d = socket(AF_NETLINK, SOCK_RAW, 0);
	CHECK_ERR(shutdown(d, 9), EOPNOTSUPP);
	close(d);
	d = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERR(shutdown(d, 9), EINVAL);
	close(d);
}

int main(void)
{
	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	options();
	memory();
	odd_ones();
	stamping();
	stamp_forms();
	stamp_forms_together();
	control();
	no_descriptor();
	broken();
	return tap_done();
}
