/*
 * What a socket of AF_INET is after calls that failed, were reset, or took its connection back: its
 * names, what poll() says, and what the next call does. connect(2), shutdown(2), getsockname(2),
 * tcp(7), udp(7).
 *
 * A row is one call on one socket and what the socket is like behind it. A row that makes a socket
 * begins with a fresh one.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include "inet.h"
#include "sockopt.h"

#define REFUSED 9 /* nobody listens there */
#define OWN 4711 /* the port that rows bind to */
#define PROTO 200 /* of raw sockets */

#define NOTHING (POLLOUT)
#define CLOSED (POLLOUT | POLLHUP)
#define FAILED (CLOSED | POLLERR)
#define ENDED (CLOSED | POLLIN | POLLRDHUP)
#define RESET (ENDED | POLLERR)

enum call {
	TCP,
	UDP,
	RAW,
	NONBLOCK, /* fcntl(O_NONBLOCK) */
	DEVICE, /* SO_BINDTODEVICE */
	DEVICE_OF,
	BIND, /* to 127.0.0.2 or to any, and the row's port */
	BIND_ANY,
	CONNECT, /* to the row's port */
	CONNECT_SHORT,
	UNSPEC, /* connect(2) to AF_UNSPEC */
	LISTEN,
	SHUTDOWN, /* the row's port says how */
	SEND,
	RECV,
	ERROR, /* SO_ERROR is the row's error */
	POLL, /* until there is something */
	OTHER_BIND, /* another socket binds to the name of this one */
	ACCEPT, /* the other end */
	PEER_SEND,
	PEER_RESET,
	PEER_END,
};

enum { ANY, LO, LO2 }; /* addresses: 0.0.0.0, 127.0.0.1, 127.0.0.2 */
enum { NO = 0, GIVEN = -1, TAKEN = -2, FULL = -3, LISTENER = -4 }; /* ports */

static int listener, listener_port, full, full_port, other = -1;

struct row {
	enum call call;
	int arg; /* a port, or how */
	int err; /* 0: it succeeds */
	int addr, port; /* of getsockname; GIVEN: not 0, TAKEN: as before */
	int peer; /* of getpeername: the port, NO: ENOTCONN */
	short events;
};

static const struct row rows[] = {
	/* Port 0 is one that nobody listens at. */
	{ TCP, 0, 0, ANY, NO, NO, CLOSED },
	{ CONNECT, 0, ECONNREFUSED, ANY, GIVEN, NO, CLOSED },
	{ TCP, 0, 0, ANY, NO, NO, CLOSED },
	{ NONBLOCK, 0, 0, ANY, NO, NO, CLOSED },
	{ CONNECT, 0, EINPROGRESS, LO, GIVEN, NO, RESET },
	{ UDP, 0, 0, ANY, NO, NO, NOTHING },
	{ CONNECT, 0, 0, LO, GIVEN, NO, NOTHING },
	{ SEND, 0, 0, LO, TAKEN, NO, NOTHING | POLLERR },
	{ ERROR, 0, ECONNREFUSED, LO, TAKEN, NO, NOTHING },
	{ CONNECT, LISTENER, 0, LO, TAKEN, LISTENER, NOTHING },
	{ CONNECT, 0, 0, LO, TAKEN, NO, NOTHING },
	{ UNSPEC, 0, 0, ANY, NO, NO, NOTHING },
	{ UDP, 0, 0, ANY, NO, NO, NOTHING },
	{ CONNECT_SHORT, LISTENER, EINVAL, ANY, GIVEN, NO, NOTHING },

	/* A connection that failed can be tried again, and nothing is left of it but its port. */
	{ TCP, 0, 0, ANY, NO, NO, CLOSED },
	{ CONNECT, REFUSED, ECONNREFUSED, ANY, GIVEN, NO, CLOSED },
	{ ERROR, 0, 0, ANY, TAKEN, NO, CLOSED },
	{ RECV, 0, ENOTCONN, ANY, TAKEN, NO, CLOSED },
	{ SEND, 0, EPIPE, ANY, TAKEN, NO, CLOSED },
	{ OTHER_BIND, 0, 0, ANY, TAKEN, NO, CLOSED },
	{ CONNECT, LISTENER, 0, LO, GIVEN, LISTENER, NOTHING },
	{ TCP, 0, 0, ANY, NO, NO, CLOSED },
	{ CONNECT, REFUSED, ECONNREFUSED, ANY, GIVEN, NO, CLOSED },
	{ BIND, OWN, 0, LO2, OWN, NO, CLOSED },
	{ CONNECT, REFUSED, ECONNREFUSED, LO2, OWN, NO, CLOSED },
	{ BIND, OWN + 1, EINVAL, LO2, OWN, NO, CLOSED },
	{ OTHER_BIND, 0, EADDRINUSE, LO2, OWN, NO, CLOSED },
	{ LISTEN, 0, 0, LO2, OWN, NO, 0 },
	{ SHUTDOWN, SHUT_RD, 0, LO2, OWN, NO, CLOSED },
	{ CONNECT, REFUSED, ECONNREFUSED, LO2, OWN, NO, CLOSED },
	{ UNSPEC, 0, 0, LO2, OWN, NO, CLOSED },
	/* An address that was named stays, a port that was not goes. */
	{ TCP, 0, 0, ANY, NO, NO, CLOSED },
	{ BIND, 0, 0, LO2, GIVEN, NO, CLOSED },
	{ UNSPEC, 0, 0, LO2, TAKEN, NO, CLOSED },
	{ OTHER_BIND, 0, EADDRINUSE, LO2, TAKEN, NO, CLOSED },
	{ CONNECT, REFUSED, ECONNREFUSED, LO2, TAKEN, NO, CLOSED },
	{ OTHER_BIND, 0, 0, LO2, TAKEN, NO, CLOSED },
	{ CONNECT, LISTENER, 0, LO2, GIVEN, LISTENER, NOTHING },
	{ TCP, 0, 0, ANY, NO, NO, CLOSED },
	{ BIND_ANY, OWN, 0, ANY, OWN, NO, CLOSED },
	{ CONNECT, REFUSED, ECONNREFUSED, ANY, OWN, NO, CLOSED },
	{ OTHER_BIND, 0, EADDRINUSE, ANY, OWN, NO, CLOSED },
	/* Who does not wait is told once, and then by connect(2), which takes it back. */
	{ TCP, 0, 0, ANY, NO, NO, CLOSED },
	{ NONBLOCK, 0, 0, ANY, NO, NO, CLOSED },
	{ CONNECT, REFUSED, EINPROGRESS, LO, GIVEN, NO, RESET },
	{ CONNECT, LISTENER, ECONNREFUSED, ANY, TAKEN, NO, CLOSED },
	{ CONNECT, REFUSED, EINPROGRESS, LO, GIVEN, NO, RESET },
	{ ERROR, 0, ECONNREFUSED, LO, TAKEN, NO, ENDED },
	{ CONNECT, LISTENER, ECONNABORTED, ANY, TAKEN, NO, CLOSED },
	{ CONNECT, LISTENER, EINPROGRESS, LO, GIVEN, LISTENER, NOTHING },
	{ CONNECT, LISTENER, 0, LO, TAKEN, LISTENER, NOTHING },
	{ CONNECT, LISTENER, EISCONN, LO, TAKEN, LISTENER, NOTHING },
	/* Nobody answers. */
	{ TCP, 1, 0, ANY, NO, NO, CLOSED },
	{ CONNECT, FULL, ETIMEDOUT, ANY, GIVEN, NO, CLOSED },
	{ ERROR, 0, 0, ANY, TAKEN, NO, CLOSED },
	{ CONNECT, LISTENER, 0, LO, GIVEN, LISTENER, NOTHING },
	/* Seven seconds, of which the rows up to the wait need none. */
	{ TCP, 2, 0, ANY, NO, NO, CLOSED },
	{ NONBLOCK, 0, 0, ANY, NO, NO, CLOSED },
	{ CONNECT, FULL, EINPROGRESS, LO, GIVEN, NO, 0 },
	{ CONNECT, FULL, EALREADY, LO, TAKEN, NO, 0 },
	{ POLL, 0, 0, LO, TAKEN, NO, RESET },
	{ ERROR, 0, ETIMEDOUT, LO, TAKEN, NO, ENDED },
	{ RECV, 0, 0, LO, TAKEN, NO, ENDED },
	{ CONNECT, FULL, ECONNABORTED, ANY, TAKEN, NO, CLOSED },
	{ CONNECT, FULL, EINPROGRESS, LO, GIVEN, NO, 0 },
	{ SHUTDOWN, SHUT_WR, 0, ANY, TAKEN, NO, FAILED },
	{ ERROR, 0, ECONNRESET, ANY, TAKEN, NO, CLOSED },
	{ CONNECT, FULL, EINPROGRESS, LO, GIVEN, NO, 0 },
	{ UNSPEC, 0, 0, ANY, TAKEN, NO, FAILED },
	{ RECV, 0, ECONNRESET, ANY, TAKEN, NO, CLOSED },
	{ CONNECT, LISTENER, EINPROGRESS, LO, GIVEN, LISTENER, NOTHING },

	/* AF_UNSPEC resets a connection. */
	{ TCP, 0, 0, ANY, NO, NO, CLOSED },
	{ UNSPEC, 0, 0, ANY, NO, NO, CLOSED },
	{ CONNECT, LISTENER, 0, LO, GIVEN, LISTENER, NOTHING },
	{ ACCEPT, 0, 0, LO, TAKEN, LISTENER, NOTHING },
	{ PEER_SEND, 0, 0, LO, TAKEN, LISTENER, NOTHING | POLLIN },
	{ UNSPEC, 0, 0, ANY, TAKEN, NO, FAILED },
	{ OTHER_BIND, 0, 0, ANY, TAKEN, NO, FAILED },
	{ RECV, 0, ECONNRESET, ANY, TAKEN, NO, CLOSED },
	{ RECV, 0, ENOTCONN, ANY, TAKEN, NO, CLOSED },
	{ CONNECT, LISTENER, 0, LO, GIVEN, LISTENER, NOTHING },
	{ TCP, 0, 0, ANY, NO, NO, CLOSED },
	{ BIND, OWN, 0, LO2, OWN, NO, CLOSED },
	{ CONNECT, LISTENER, 0, LO2, OWN, LISTENER, NOTHING },
	{ UNSPEC, 0, 0, LO2, OWN, NO, FAILED },
	{ CONNECT, LISTENER, 0, LO2, OWN, LISTENER, NOTHING },
	{ UNSPEC, 0, 0, LO2, OWN, NO, FAILED },
	{ TCP, 0, 0, ANY, NO, NO, CLOSED },
	{ LISTEN, 0, 0, ANY, GIVEN, NO, 0 },
	{ UNSPEC, 0, 0, ANY, TAKEN, NO, CLOSED },
	{ OTHER_BIND, 0, 0, ANY, TAKEN, NO, CLOSED },
	{ LISTEN, 0, 0, ANY, GIVEN, NO, 0 },

	/* UDP: the same, but the port that goes is not seen any more; the device goes too. */
	{ UDP, 0, 0, ANY, NO, NO, NOTHING },
	{ DEVICE, 0, 0, ANY, NO, NO, NOTHING },
	{ CONNECT, LISTENER, 0, LO, GIVEN, LISTENER, NOTHING },
	{ DEVICE_OF, 1, 0, LO, TAKEN, LISTENER, NOTHING },
	{ UNSPEC, 0, 0, ANY, NO, NO, NOTHING },
	{ DEVICE_OF, 0, 0, ANY, NO, NO, NOTHING },
	{ UDP, 0, 0, ANY, NO, NO, NOTHING },
	{ BIND, OWN, 0, LO2, OWN, NO, NOTHING },
	{ BIND, OWN + 1, EINVAL, LO2, OWN, NO, NOTHING },
	{ CONNECT, LISTENER, 0, LO2, OWN, LISTENER, NOTHING },
	{ UNSPEC, 0, 0, LO2, OWN, NO, NOTHING },
	{ UDP, 0, 0, ANY, NO, NO, NOTHING },
	{ BIND, 0, 0, LO2, GIVEN, NO, NOTHING },
	{ CONNECT, LISTENER, 0, LO2, TAKEN, LISTENER, NOTHING },
	{ UNSPEC, 0, 0, LO2, NO, NO, NOTHING },
	{ UDP, 0, 0, ANY, NO, NO, NOTHING },
	{ BIND_ANY, OWN, 0, ANY, OWN, NO, NOTHING },
	{ CONNECT, LISTENER, 0, LO, OWN, LISTENER, NOTHING },
	{ UNSPEC, 0, 0, ANY, OWN, NO, NOTHING },
	/* A raw socket has the port of its peer, for nothing; without one it is bound no more. */
	{ RAW, 0, 0, ANY, PROTO, NO, NOTHING },
	{ CONNECT, 0, 0, LO, PROTO, NO, NOTHING },
	{ BIND, 0, EINVAL, LO, PROTO, NO, NOTHING },
	{ CONNECT, LISTENER, 0, LO, PROTO, LISTENER, NOTHING },
	{ SEND, 0, 0, LO, PROTO, LISTENER, NOTHING | POLLIN },
	{ RECV, 0, 0, LO, PROTO, LISTENER, NOTHING },
	{ UNSPEC, 0, 0, ANY, NO, NO, NOTHING },
	{ CONNECT, LISTENER, 0, LO, NO, LISTENER, NOTHING },
	{ SEND, 0, 0, LO, NO, LISTENER, NOTHING },

	/* A connection that was reset is none anew, but by AF_UNSPEC. */
	{ TCP, 0, 0, ANY, NO, NO, CLOSED },
	{ CONNECT, LISTENER, 0, LO, GIVEN, LISTENER, NOTHING },
	{ ACCEPT, 0, 0, LO, TAKEN, LISTENER, NOTHING },
	{ PEER_RESET, 0, 0, LO, TAKEN, NO, RESET },
	{ CONNECT, LISTENER, EISCONN, LO, TAKEN, NO, RESET },
	{ LISTEN, 0, EINVAL, LO, TAKEN, NO, RESET },
	{ SHUTDOWN, SHUT_RDWR, ENOTCONN, LO, TAKEN, NO, RESET },
	{ UNSPEC, 0, 0, ANY, TAKEN, NO, FAILED },
	{ CONNECT, LISTENER, 0, LO, GIVEN, LISTENER, NOTHING },
	{ ACCEPT, 0, 0, LO, TAKEN, LISTENER, NOTHING },
	{ SHUTDOWN, SHUT_RDWR, 0, LO, TAKEN, LISTENER, ENDED },
	{ PEER_END, 0, 0, LO, TAKEN, NO, ENDED },
	{ CONNECT, LISTENER, EISCONN, LO, TAKEN, NO, ENDED },
	{ UNSPEC, 0, 0, ANY, TAKEN, NO, CLOSED },
	{ CONNECT, LISTENER, 0, LO, GIVEN, LISTENER, NOTHING },
	/* What is shut down before there is a connection is so in it. */
	{ TCP, 0, 0, ANY, NO, NO, CLOSED },
	{ SHUTDOWN, SHUT_RDWR, ENOTCONN, ANY, NO, NO, ENDED },
	{ CONNECT, LISTENER, 0, LO, GIVEN, LISTENER, ENDED },
	{ SEND, 0, EPIPE, LO, TAKEN, LISTENER, ENDED },
	{ TCP, 0, 0, ANY, NO, NO, CLOSED },
	{ CONNECT, REFUSED, ECONNREFUSED, ANY, GIVEN, NO, CLOSED },
	{ SHUTDOWN, SHUT_WR, ENOTCONN, ANY, TAKEN, NO, CLOSED },
	{ CONNECT, LISTENER, 0, LO, GIVEN, LISTENER, NOTHING },
	{ SEND, 0, EPIPE, LO, TAKEN, LISTENER, NOTHING },
	{ TCP, 0, 0, ANY, NO, NO, CLOSED },
	{ SHUTDOWN, SHUT_WR, ENOTCONN, ANY, NO, NO, CLOSED },
	{ UNSPEC, 0, 0, ANY, NO, NO, CLOSED },
	{ CONNECT, LISTENER, 0, LO, GIVEN, LISTENER, NOTHING },
	{ SEND, 0, 0, LO, TAKEN, LISTENER, NOTHING },
	/* An attempt that failed, was not asked about, and is shut down. */
	{ TCP, 0, 0, ANY, NO, NO, CLOSED },
	{ NONBLOCK, 0, 0, ANY, NO, NO, CLOSED },
	{ CONNECT, REFUSED, EINPROGRESS, LO, GIVEN, NO, RESET },
	{ SHUTDOWN, SHUT_WR, ENOTCONN, LO, TAKEN, NO, RESET },
	{ CONNECT, LISTENER, EINVAL, LO, TAKEN, NO, RESET },
	{ UNSPEC, 0, 0, ANY, TAKEN, NO, FAILED },
	{ CONNECT, LISTENER, EINPROGRESS, LO, GIVEN, LISTENER, NOTHING },
};

static const char *const addrs[] = { "0.0.0.0", "127.0.0.1", "127.0.0.2" };

static int port_at(int p)
{
	return p == LISTENER ? listener_port : p == FULL ? full_port : p;
}

static int make(const struct row *r)
{
	int fd = r->call == RAW ? socket(AF_INET, SOCK_RAW, PROTO)
				: socket(AF_INET, r->call == TCP ? SOCK_STREAM : SOCK_DGRAM, 0);

	if (r->arg && setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &r->arg, sizeof(r->arg)))
		return -1;
	return fd;
}

static int other_bind(int fd)
{
	struct sockaddr_in a;
	socklen_t n = sizeof(a);
	int one = socket(AF_INET, SOCK_STREAM, 0), r, e;

	r = getsockname(fd, (struct sockaddr *)&a, &n) || bind(one, (struct sockaddr *)&a, n);
	e = errno;
	close(one);
	errno = e;
	return r ? -1 : 0;
}

static short events_of(int fd, int timeout)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDHUP, 0 };

	poll(&p, 1, timeout);
	return p.revents;
}

/* Close the other end, and wait until this one knows. */
static int peer_close(int fd, int reset)
{
	struct linger l = { reset, 0 };
	struct pollfd p = { fd, POLLRDHUP, 0 };
	struct tcp_info info;
	socklen_t n = sizeof(info);

	setsockopt(other, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(other);
	other = -1;
	return !EVENTUALLY(poll(&p, 1, 0) == 1 &&
			   !getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) &&
			   info.tcpi_state == TCP_CLOSE);
}

static int call(const struct row *r, int fd)
{
	struct sockaddr_in a = at(addrs[r->call == BIND	      ? LO2
					: r->call == BIND_ANY ? ANY
							      : LO],
				  port_at(r->arg));
	char b[64];

	switch (r->call) {
	case NONBLOCK: return fcntl(fd, F_SETFL, O_NONBLOCK);
	case DEVICE: return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3);
	case DEVICE_OF: return get(fd, SO_BINDTOIFINDEX) == r->arg ? 0 : -1;
	case BIND:
	case BIND_ANY: return bind(fd, SA(a));
	case CONNECT: return connect(fd, SA(a));
	case CONNECT_SHORT: return connect(fd, (struct sockaddr *)&a, 8);
	case UNSPEC: a.sin_family = AF_UNSPEC; return connect(fd, SA(a));
	case LISTEN: return listen(fd, 4);
	case SHUTDOWN: return shutdown(fd, r->arg);
	case SEND: return (int)send(fd, "x", 1, MSG_NOSIGNAL) < 0 ? -1 : 0;
	case RECV: return (int)recv(fd, b, sizeof(b), MSG_DONTWAIT) < 0 ? -1 : 0;
	case ERROR: errno = get(fd, SO_ERROR); return errno ? -1 : 0;
	case POLL: return events_of(fd, TAP_PATIENCE_MS) ? 0 : -1;
	case OTHER_BIND: return other_bind(fd);
	case ACCEPT: return (other = accept(listener, NULL, NULL)) < 0 ? -1 : 0;
	case PEER_SEND:
		return send(other, "hello", 5, 0) == 5 && EVENTUALLY(events_of(fd, 0) & POLLIN)
			       ? 0
			       : -1;
	case PEER_RESET: return peer_close(fd, 1);
	case PEER_END: return peer_close(fd, 0);
	default: return 0;
	}
}

/* Is the name that @get tells @addr (-1: any) and @port? */
static int named(int fd, int (*name)(int, struct sockaddr *, socklen_t *), int addr, int port,
		 int *was)
{
	struct sockaddr_in a = { 0 };
	socklen_t n = sizeof(a);
	int is;

	if (name(fd, (struct sockaddr *)&a, &n))
		return name == getpeername && port == NO && errno == ENOTCONN;
	is = ntohs(a.sin_port);
	if (addr >= 0 && a.sin_addr.s_addr != inet_addr(addrs[addr]))
		return 0;
	if (name == getpeername)
		return port != NO && is == port_at(port);
	if (port == TAKEN ? is != *was : port == GIVEN ? !is : is != port)
		return 0;
	*was = is;
	return 1;
}

/* A listener whose queue takes no more: who connects to it hears nothing. */
static int full_listener(void)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one[3];

	REQUIRE(!bind(fd, SA(a)) && !listen(fd, 0));
	a.sin_port = htons((unsigned short)port_of(fd));
	for (int i = 0; i < 3; i++) {
		one[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(one[i], SA(a));
	}
	return fd;
}

static int row_holds(const struct row *r, int *fd)
{
	static int was;
	int err;

	if (r->call == TCP || r->call == UDP || r->call == RAW) {
		int left;

		close(*fd);
		close(other);
		while ((left = accept4(listener, NULL, NULL, 0)) >= 0)
			close(left);
		*fd = make(r);
	}
	errno = 0;
	err = call(r, *fd) ? errno : 0;
	if (err != r->err || !named(*fd, getsockname, r->addr, r->port, &was) ||
	    !named(*fd, getpeername, -1, r->peer, NULL) || events_of(*fd, 0) != r->events) {
		printf("# row %d: errno %d, poll %x\n", (int)(r - rows), err, events_of(*fd, 0));
		return 0;
	}
	return 1;
}

int main(void)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	int fd = -1;

	REQUIRE(loopback_up());
	alarm(TAP_LIMIT);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	REQUIRE(!bind(listener, SA(a)) && !listen(listener, 16));
	listener_port = port_of(listener);
	full = full_listener();
	full_port = port_of(full);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CHECK(row_holds(&rows[i], &fd));
	return tap_done();
}
