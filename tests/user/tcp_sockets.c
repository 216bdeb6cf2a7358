/*
 * TCP sockets over loopback: connecting, data, ends, errors, options. socket(7), tcp(7), connect(2),
 * accept(2), send(2), recv(2), shutdown(2), poll(2).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "tap.h"

static struct sockaddr_in loopback(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static void lo_up(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	REQUIRE(s >= 0 && ioctl(s, SIOCGIFFLAGS, &r) == 0);
	if (!(r.ifr_flags & IFF_UP)) {
		r.ifr_flags |= IFF_UP;
		ioctl(s, SIOCSIFFLAGS, &r);
	}
	close(s);
}

static int port_of(int s)
{
	struct sockaddr_in a;
	socklen_t n = sizeof(a);

	return getsockname(s, (struct sockaddr *)&a, &n) ? -1 : ntohs(a.sin_port);
}

static int listener(int backlog)
{
	struct sockaddr_in a = loopback(0);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	REQUIRE(s >= 0);
	REQUIRE(bind(s, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(s, backlog) == 0);
	return s;
}

static int dial(int port)
{
	struct sockaddr_in a = loopback(port);
	int s = socket(AF_INET, SOCK_STREAM, 0);

	REQUIRE(s >= 0);
	if (connect(s, (struct sockaddr *)&a, sizeof(a)) == 0)
		return s;
	int err = errno;
	close(s);
	errno = err;
	return -1;
}

/* Two ends of a connection. */
static void pair(int *a, int *b)
{
	int l = listener(4);

	*a = dial(port_of(l));
	REQUIRE(*a >= 0);
	*b = accept(l, NULL, NULL);
	REQUIRE(*b >= 0);
	close(l);
}

static short events(int fd, short want, int ms)
{
	struct pollfd p = { fd, want, 0 };

	poll(&p, 1, ms);
	return p.revents;
}

static int get(int s, int level, int option)
{
	int v = -1;
	socklen_t n = sizeof(v);

	return getsockopt(s, level, option, &v, &n) ? -1 : v;
}

static int set(int s, int level, int option, int v)
{
	return setsockopt(s, level, option, &v, sizeof(v));
}

static void names_and_data(void)
{
	struct sockaddr_in a, b;
	socklen_t n = sizeof(a), m = sizeof(b);
	char buf[64];
	int x, y;

	pair(&x, &y);
	CHECK(getsockname(x, (struct sockaddr *)&a, &n) == 0 && n == sizeof(a));
	CHECK(getpeername(y, (struct sockaddr *)&b, &m) == 0 && m == sizeof(b));
	CHECK(a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr);
	CHECK(get(x, SOL_SOCKET, SO_TYPE) == SOCK_STREAM);
	CHECK(get(x, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP);
	CHECK(get(x, SOL_SOCKET, SO_ACCEPTCONN) == 0);
	CHECK_ERR(recv(y, buf, sizeof(buf), MSG_DONTWAIT), EAGAIN);
	CHECK(send(x, "hello", 5, 0) == 5);
	CHECK(events(y, POLLIN | POLLOUT, TAP_PATIENCE_MS) & POLLIN);
	int queued = 0;
	CHECK(ioctl(y, FIONREAD, &queued) == 0 && queued == 5);
	CHECK(recv(y, buf, 2, MSG_PEEK) == 2 && !memcmp(buf, "he", 2));
	CHECK(recv(y, buf, 2, 0) == 2 && !memcmp(buf, "he", 2));
	CHECK(recv(y, buf, sizeof(buf), 0) == 3 && !memcmp(buf, "llo", 3));
	CHECK(send(x, "abc", 3, 0) == 3 && send(x, "def", 3, 0) == 3);
	CHECK(recv(y, buf, 6, MSG_WAITALL) == 6 && !memcmp(buf, "abcdef", 6));
	CHECK(send(y, "back", 4, MSG_MORE) == 4 && send(y, "!", 1, 0) == 1);
	CHECK(recv(x, buf, 5, MSG_WAITALL) == 5 && !memcmp(buf, "back!", 5));
	CHECK_ERR(connect(x, (struct sockaddr *)&a, sizeof(a)), EISCONN);
	CHECK_ERR(listen(x, 1), EINVAL);
	CHECK_ERR(accept(x, NULL, NULL), EINVAL);
	close(x);
	close(y);
}

static void ends(void)
{
	char buf[16];
	int x, y;

	pair(&x, &y);
	CHECK(write(x, "last", 4) == 4);
	CHECK(shutdown(x, SHUT_WR) == 0);
	CHECK(recv(y, buf, 4, MSG_WAITALL) == 4);
	CHECK(read(y, buf, sizeof(buf)) == 0);
	CHECK((events(y, POLLIN | POLLRDHUP, TAP_PATIENCE_MS) & (POLLIN | POLLRDHUP)) ==
	      (POLLIN | POLLRDHUP));
	CHECK_ERR(send(x, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK(write(y, "still", 5) == 5);
	CHECK(recv(x, buf, 5, MSG_WAITALL) == 5);
	close(y);
	CHECK(read(x, buf, sizeof(buf)) == 0);
	CHECK(events(x, POLLIN, TAP_PATIENCE_MS) & POLLHUP);
	close(x);

	/* Data that nobody read: the other side gets a reset. */
	pair(&x, &y);
	CHECK(write(x, "unread", 6) == 6);
	CHECK(events(y, POLLIN, TAP_PATIENCE_MS) == POLLIN);
	close(y);
	CHECK(events(x, POLLIN, TAP_PATIENCE_MS) & POLLERR);
	CHECK(get(x, SOL_SOCKET, SO_ERROR) == ECONNRESET);
	CHECK(get(x, SOL_SOCKET, SO_ERROR) == 0);
	CHECK(read(x, buf, sizeof(buf)) == 0);
	close(x);

	/* SO_LINGER of no time is a reset too. */
	pair(&x, &y);
	struct linger l = { 1, 0 };
	CHECK(setsockopt(y, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
	close(y);
	CHECK(events(x, POLLIN, TAP_PATIENCE_MS) & POLLERR);
	CHECK_ERR(read(x, buf, sizeof(buf)), ECONNRESET);
	CHECK_ERR(send(x, "x", 1, MSG_NOSIGNAL), EPIPE);
	close(x);

	pair(&x, &y);
	CHECK(shutdown(x, SHUT_RD) == 0);
	CHECK(read(x, buf, sizeof(buf)) == 0);
	CHECK(shutdown(x, SHUT_RDWR) == 0);
	CHECK(read(y, buf, sizeof(buf)) == 0);
	close(x);
	close(y);
}

static volatile sig_atomic_t pipes;

static void on_pipe(int sig)
{
	pipes++;
}

static void errors(void)
{
	struct sockaddr_in a = loopback(1);
	char buf[4];
	int s, l;

	CHECK_ERR(dial(1), ECONNREFUSED);
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERR(recv(s, buf, 1, 0), ENOTCONN);
	CHECK_ERR(shutdown(s, SHUT_WR), ENOTCONN);
	CHECK_ERR(getpeername(s, (struct sockaddr *)&a, &(socklen_t){ sizeof(a) }), ENOTCONN);
	CHECK_ERR(accept(s, NULL, NULL), EINVAL);
	signal(SIGPIPE, on_pipe);
	CHECK_ERR(send(s, "x", 1, 0), EPIPE);
	CHECK(pipes == 1);
	CHECK_ERR(send(s, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK(pipes == 1);
	CHECK((events(s, POLLIN | POLLOUT, 0) & POLLHUP) == POLLHUP);
	a = loopback(1);
	CHECK_ERR(connect(s, (struct sockaddr *)&a, 4), EINVAL);
	a.sin_family = AF_UNIX;
	CHECK_ERR(connect(s, (struct sockaddr *)&a, sizeof(a)), EAFNOSUPPORT);
	close(s);

	l = listener(4);
	a = loopback(port_of(l));
	s = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERR(bind(s, (struct sockaddr *)&a, sizeof(a)), EADDRINUSE);
	CHECK(set(s, SOL_SOCKET, SO_REUSEADDR, 1) == 0);
	CHECK_ERR(bind(s, (struct sockaddr *)&a, sizeof(a)), EADDRINUSE);
	a.sin_addr.s_addr = inet_addr("203.0.113.7");
	CHECK_ERR(bind(s, (struct sockaddr *)&a, sizeof(a)), EADDRNOTAVAIL);
	a = loopback(0);
	CHECK(bind(s, (struct sockaddr *)&a, sizeof(a)) == 0 && port_of(s) > 0);
	CHECK_ERR(bind(s, (struct sockaddr *)&a, sizeof(a)), EINVAL);
	CHECK(fcntl(l, F_SETFL, O_NONBLOCK) == 0);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
	CHECK_ERR(recv(l, buf, 1, 0), ENOTCONN);
	close(s);
	close(l);
	CHECK_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
}

static void nonblocking(void)
{
	int l = listener(4), s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), c;
	struct sockaddr_in a = loopback(port_of(l));
	char chunk[65536] = { 0 };
	long sent = 0, got = 0, n;
	int err;

	/* On loopback it may be there at once; that is said by poll(), and by asking again, once. */
	CHECK_ERR(connect(s, (struct sockaddr *)&a, sizeof(a)), EINPROGRESS);
	CHECK(events(s, POLLOUT, TAP_PATIENCE_MS) & POLLOUT);
	CHECK(get(s, SOL_SOCKET, SO_ERROR) == 0);
	CHECK(connect(s, (struct sockaddr *)&a, sizeof(a)) == 0);
	CHECK_ERR(connect(s, (struct sockaddr *)&a, sizeof(a)), EISCONN);
	CHECK(events(l, POLLIN, TAP_PATIENCE_MS) & POLLIN);
	c = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	CHECK(c >= 0 && (fcntl(c, F_GETFL) & O_NONBLOCK) && fcntl(c, F_GETFD) == FD_CLOEXEC);
	while ((n = send(s, chunk, sizeof(chunk), 0)) > 0)
		sent += n;
	err = errno;
	CHECK(n == -1 && err == EAGAIN && sent > 0);
	while (got < sent) {
		if (!(events(c, POLLIN, TAP_PATIENCE_MS) & POLLIN))
			break;
		n = recv(c, chunk, sizeof(chunk), 0);
		if (n <= 0)
			break;
		got += n;
	}
	CHECK(got == sent);
	CHECK(events(s, POLLOUT, TAP_PATIENCE_MS) & POLLOUT);
	close(s);
	close(c);

	s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	a = loopback(1);
	CHECK_ERR(connect(s, (struct sockaddr *)&a, sizeof(a)), EINPROGRESS);
	CHECK(events(s, POLLOUT, TAP_PATIENCE_MS) & (POLLERR | POLLHUP));
	CHECK(get(s, SOL_SOCKET, SO_ERROR) == ECONNREFUSED);
	close(s);
	close(l);
}

static void epoll_edges(void)
{
	int x, y, ep = epoll_create1(0);
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP }, got;
	char c;

	pair(&x, &y);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, y, &e) == 0);
	CHECK(epoll_wait(ep, &got, 1, 0) == 1 && got.events == EPOLLOUT);
	CHECK(epoll_wait(ep, &got, 1, 0) == 0);
	CHECK(write(x, "1", 1) == 1);
	CHECK(epoll_wait(ep, &got, 1, TAP_PATIENCE_MS) == 1 && (got.events & EPOLLIN));
	CHECK(epoll_wait(ep, &got, 1, 0) == 0);
	CHECK(read(y, &c, 1) == 1);
	CHECK(shutdown(x, SHUT_WR) == 0);
	CHECK(epoll_wait(ep, &got, 1, TAP_PATIENCE_MS) == 1 && (got.events & EPOLLRDHUP));
	close(ep);
	close(x);
	close(y);
}

static void options(void)
{
	struct tcp_info i;
	socklen_t n = sizeof(i);
	char name[16] = "";
	int x, y;

	pair(&x, &y);
	CHECK(get(x, IPPROTO_TCP, TCP_NODELAY) == 0);
	CHECK(set(x, IPPROTO_TCP, TCP_NODELAY, 1) == 0 && get(x, IPPROTO_TCP, TCP_NODELAY) == 1);
	CHECK(set(x, IPPROTO_TCP, TCP_CORK, 1) == 0 && get(x, IPPROTO_TCP, TCP_CORK) == 1);
	CHECK(set(x, IPPROTO_TCP, TCP_CORK, 0) == 0);
	CHECK(set(x, IPPROTO_TCP, TCP_KEEPIDLE, 100) == 0 &&
	      get(x, IPPROTO_TCP, TCP_KEEPIDLE) == 100);
	CHECK(get(x, IPPROTO_TCP, TCP_KEEPINTVL) == 75 && get(x, IPPROTO_TCP, TCP_KEEPCNT) == 9);
	CHECK_ERR(set(x, IPPROTO_TCP, TCP_KEEPCNT, 0), EINVAL);
	CHECK(set(x, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000) == 0);
	CHECK(get(x, IPPROTO_TCP, TCP_USER_TIMEOUT) == 5000);
	CHECK_ERR(set(x, IPPROTO_TCP, 999, 1), ENOPROTOOPT);
	CHECK(setsockopt(x, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) == 0);
	n = sizeof(name);
	CHECK(getsockopt(x, IPPROTO_TCP, TCP_CONGESTION, name, &n) == 0 && !strcmp(name, "reno"));
	CHECK_ERR(setsockopt(x, IPPROTO_TCP, TCP_CONGESTION, "none", 4), ENOENT);
	n = sizeof(i);
	CHECK(getsockopt(x, IPPROTO_TCP, TCP_INFO, &i, &n) == 0 && i.tcpi_state == TCP_ESTABLISHED);
	CHECK((i.tcpi_options & 7) == 7); /* time stamps, SACK, scaling */
	CHECK(i.tcpi_snd_cwnd == 10 && i.tcpi_rtt > 0);
	CHECK(set(x, SOL_SOCKET, SO_KEEPALIVE, 1) == 0 && get(x, SOL_SOCKET, SO_KEEPALIVE) == 1);
	CHECK(set(x, SOL_SOCKET, SO_RCVBUF, 30000) == 0 && get(x, SOL_SOCKET, SO_RCVBUF) == 60000);
	CHECK(get(x, SOL_SOCKET, SO_SNDBUF) > 4608);
	CHECK(get(x, IPPROTO_TCP, TCP_MAXSEG) > 10000); /* as loopback takes */
	close(x);
	close(y);
}

static void urgent(void)
{
	char buf[8];
	int x, y;

	pair(&x, &y);
	CHECK_ERR(recv(y, buf, 1, MSG_OOB), EINVAL);
	CHECK(send(x, "ab!", 3, MSG_OOB) == 3 && send(x, "cd", 2, 0) == 2);
	CHECK(events(y, POLLPRI, TAP_PATIENCE_MS) & POLLPRI);
	CHECK(recv(y, buf, sizeof(buf), 0) == 2 && !memcmp(buf, "ab", 2));
	int mark = 0;
	CHECK(ioctl(y, SIOCATMARK, &mark) == 0 && mark == 1);
	CHECK(recv(y, buf, 1, MSG_OOB) == 1 && buf[0] == '!');
	CHECK_ERR(recv(y, buf, 1, MSG_OOB), EINVAL);
	CHECK(recv(y, buf, 2, MSG_WAITALL) == 2 && !memcmp(buf, "cd", 2));
	close(x);
	close(y);
}

/* Passed in reading, or its connection reset, the urgent byte is gone. */
static void urgent_gone(void)
{
	struct linger now = { 1, 0 };
	char buf[8];
	int x, y;

	pair(&x, &y);
	CHECK(send(x, "ab!", 3, MSG_OOB) == 3 && send(x, "cd", 2, 0) == 2);
	CHECK(events(y, POLLPRI, TAP_PATIENCE_MS) & POLLPRI);
	CHECK(recv(y, buf, 2, MSG_WAITALL) == 2 && !memcmp(buf, "ab", 2));
	CHECK(recv(y, buf, 1, MSG_OOB | MSG_PEEK) == 1 && *buf == '!');
	CHECK(recv(y, buf, 2, MSG_WAITALL) == 2 && !memcmp(buf, "cd", 2));
	CHECK_ERR(recv(y, buf, 1, MSG_OOB), EINVAL);
	CHECK(!(events(y, POLLPRI, 0) & POLLPRI));
	CHECK(send(x, "!", 1, MSG_OOB) == 1);
	CHECK(events(y, POLLPRI, TAP_PATIENCE_MS) & POLLPRI);
	CHECK(setsockopt(x, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0 && close(x) == 0);
	CHECK(events(y, POLLHUP, TAP_PATIENCE_MS) & POLLHUP);
	CHECK_ERR(recv(y, buf, 1, MSG_OOB), ENOTCONN);
	close(y);
}

/* In line the urgent byte is read with the others, but a read ends before it. */
static void urgent_inline(void)
{
	char buf[8];
	int x, y, mark = 0;

	pair(&x, &y);
	CHECK(set(y, SOL_SOCKET, SO_OOBINLINE, 1) == 0);
	CHECK(send(x, "ab!", 3, MSG_OOB) == 3 && send(x, "cd", 2, 0) == 2);
	CHECK(events(y, POLLPRI, TAP_PATIENCE_MS) & POLLPRI);
	CHECK_ERR(recv(y, buf, 1, MSG_OOB), EINVAL);
	CHECK(recv(y, buf, 5, MSG_WAITALL | MSG_PEEK) == 2);
	CHECK(recv(y, buf, 5, MSG_WAITALL) == 2 && !memcmp(buf, "ab", 2));
	CHECK(ioctl(y, SIOCATMARK, &mark) == 0 && mark == 1);
	CHECK(recv(y, buf, 3, MSG_WAITALL) == 3 && !memcmp(buf, "!cd", 3));
	CHECK(!(events(y, POLLPRI, 0) & POLLPRI));
	CHECK(ioctl(y, SIOCATMARK, &mark) == 0 && mark == 0);
	close(x);
	close(y);
	x = socket(AF_INET, SOCK_STREAM, 0);
	CHECK_ERR(recv(x, buf, 1, MSG_OOB), EINVAL);
	CHECK(listen(x, 1) == 0);
	CHECK_ERR(recv(x, buf, 1, MSG_OOB), ENOTCONN);
	close(x);
}

/* What was a connection stays one, also reset, until connect() names no family. */
static void once_connected(void)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct linger now = { 1, 0 };
	int l = listener(4), x, y;
	struct sockaddr_in to = loopback(port_of(l));

	for (int accepted = 0; accepted < 2; accepted++) {
		pair(&x, &y);
		if (accepted) {
			int t = x;

			x = y;
			y = t;
		}
		CHECK(setsockopt(y, SOL_SOCKET, SO_LINGER, &now, sizeof(now)) == 0 &&
		      close(y) == 0);
		CHECK(events(x, POLLHUP, TAP_PATIENCE_MS) & POLLHUP);
		CHECK_ERR(connect(x, (struct sockaddr *)&to, sizeof(to)), EISCONN);
		CHECK_ERR(listen(x, 1), EINVAL);
		CHECK_ERR(shutdown(x, SHUT_RDWR), ENOTCONN);
		CHECK(connect(x, &none, sizeof(none)) == 0);
		CHECK(connect(x, (struct sockaddr *)&to, sizeof(to)) == 0);
		close(x);
	}
	x = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	CHECK_ERR(connect(x, (struct sockaddr *)&to, sizeof(to)), EINPROGRESS);
	CHECK(events(x, POLLOUT, TAP_PATIENCE_MS) & POLLOUT);
	CHECK(shutdown(x, SHUT_WR) == 0);
	CHECK_ERR(connect(x, (struct sockaddr *)&to, sizeof(to)), EISCONN);
	close(x);
	close(l);
}

static void *drain(void *arg)
{
	static char buf[100000];
	long *v = arg, n;
	unsigned sum = 0;

	while ((n = read((int)v[0], buf, sizeof(buf))) > 0) {
		for (long i = 0; i < n; i++)
			sum = sum * 31 + (unsigned char)buf[i];
		v[1] += n;
	}
	v[2] = (long)sum;
	return NULL;
}

#define BULK (4 << 20)

static void bulk(void)
{
	char *data = malloc(BULK);
	unsigned sum = 0, r = 1;
	long v[3] = { 0 };
	pthread_t t;
	int x, y, fd;
	off_t off = 0;

	for (long i = 0; i < BULK; i++) {
		r = r * 1103515245 + 12345;
		data[i] = (char)(r >> 16);
		sum = sum * 31 + (unsigned char)data[i];
	}
	pair(&x, &y);
	v[0] = y;
	REQUIRE(pthread_create(&t, NULL, drain, v) == 0);
	CHECK(send(x, data, BULK, 0) == BULK);
	CHECK(shutdown(x, SHUT_WR) == 0);
	pthread_join(t, NULL);
	CHECK(v[1] == BULK && (unsigned)v[2] == sum);
	close(x);
	close(y);

	/* The same from a file. */
	fd = open("/tmp/tcp-bulk", O_RDWR | O_CREAT | O_TRUNC, 0600);
	REQUIRE(fd >= 0 && write(fd, data, BULK) == BULK);
	unlink("/tmp/tcp-bulk");
	pair(&x, &y);
	memset(v, 0, sizeof(v));
	v[0] = y;
	REQUIRE(pthread_create(&t, NULL, drain, v) == 0);
	while (off < BULK && sendfile(x, fd, &off, (size_t)(BULK - off)) > 0)
		;
	CHECK(off == BULK);
	CHECK(shutdown(x, SHUT_WR) == 0);
	pthread_join(t, NULL);
	CHECK(v[1] == BULK && (unsigned)v[2] == sum);
	close(fd);
	close(x);
	close(y);
	free(data);
}

/* Many at once: each says its number and gets it back. */
#define MANY 200

static void many(void)
{
	static int a[MANY], b[MANY];
	int l = listener(MANY), good = 0;

	for (int i = 0; i < MANY; i++) {
		a[i] = dial(port_of(l));
		b[i] = accept(l, NULL, NULL);
		good += a[i] >= 0 && b[i] >= 0;
	}
	CHECK(good == MANY);
	good = 0;
	for (int i = 0; i < MANY; i++) {
		int v = -1;

		good += write(a[i], &i, sizeof(i)) == sizeof(i) &&
			recv(b[i], &v, sizeof(v), MSG_WAITALL) == sizeof(v) && v == i;
	}
	CHECK(good == MANY);
	for (int i = 0; i < MANY; i++) {
		close(a[i]);
		close(b[i]);
	}
	close(l);
}

static void timeouts(void)
{
	struct timeval tv = { 0, 20000 };
	char c;
	int x, y;

	pair(&x, &y);
	CHECK(setsockopt(x, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == 0);
	CHECK_ERR(recv(x, &c, 1, 0), EAGAIN);
	close(x);
	close(y);
}

/* Sends until no more goes: the other end reads nothing. Returns the bytes. */
static size_t fill(int s)
{
	static const char block[65536];
	ssize_t n;
	size_t sum = 0;
	int e;

	while ((n = send(s, block, sizeof(block), MSG_DONTWAIT)) > 0)
		sum += n;
	e = errno;
	CHECK(n == -1 && e == EAGAIN);
	return sum;
}

/* Reads to the end of file. Returns the bytes. */
static size_t read_out(int s)
{
	static char block[65536];
	ssize_t n;
	size_t sum = 0;

	while ((n = read(s, block, sizeof(block))) > 0)
		sum += n;
	CHECK(n == 0);
	return sum;
}

static void *closes(void *s)
{
	return (void *)(long)close(*(int *)s);
}

/* SO_LINGER with time: socket(7). */
static void lingers(void)
{
	struct linger l = { 1, 10000 }, got;
	socklen_t len = sizeof(got);
	struct timespec from, to;
	pthread_t thread;
	size_t sent;
	void *ret;
	int x, y, end[2];
	pid_t pid;
	char c;

	/* close waits until the other side has all. */
	pair(&x, &y);
	CHECK(setsockopt(x, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
	CHECK(getsockopt(x, SOL_SOCKET, SO_LINGER, &got, &len) == 0);
	CHECK(got.l_onoff == 1 && got.l_linger == 10000);
	sent = fill(x);
	REQUIRE(pthread_create(&thread, NULL, closes, &x) == 0);
	CHECK(read_out(y) == sent);
	CHECK(pthread_join(thread, &ret) == 0 && ret == NULL);
	close(y);

	/* Or until the time is over, which is no error; what is there goes on its way. */
	l.l_linger = 1;
	pair(&x, &y);
	CHECK(setsockopt(x, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
	sent = fill(x);
	clock_gettime(CLOCK_MONOTONIC, &from);
	CHECK(close(x) == 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	CHECK((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 >= 990);
	CHECK(read_out(y) == sent);
	close(y);

	/* Who ends does not wait. */
	l.l_linger = 10000;
	pair(&x, &y);
	CHECK(setsockopt(x, SOL_SOCKET, SO_LINGER, &l, sizeof(l)) == 0);
	sent = fill(x);
	CHECK(pipe(end) == 0);
	pid = fork();
	REQUIRE(pid >= 0);
	if (pid == 0) {
		close(y);
		close(end[1]);
		_exit((int)read(end[0], &c, 1)); /* when the parent has closed the socket, too */
	}
	CHECK(close(x) == 0);
	close(end[0]);
	close(end[1]);
	CHECK(EVENTUALLY(waitpid(pid, NULL, WNOHANG) == pid));
	CHECK(read_out(y) == sent);
	close(y);
}

int main(void)
{
	alarm(TAP_LIMIT);
	lo_up();
	names_and_data();
	ends();
	errors();
	nonblocking();
	epoll_edges();
	options();
	urgent();
	urgent_gone();
	urgent_inline();
	once_connected();
	bulk();
	many();
	timeouts();
	lingers();
	return tap_done();
}
