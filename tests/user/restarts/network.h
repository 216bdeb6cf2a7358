#pragma once
/* Calls on sockets with addresses, for restarts.c: connections, datagrams, many messages at once. */

static int timed_socket(int family, int type, int timeout)
{
	struct timeval t = { TAP_LONG, 0 };
	int s = socket(family, type, 0);

	if (s < 0 || (timeout && setsockopt(s, SOL_SOCKET, timeout, &t, sizeof(t))))
		_exit(110);
	return s;
}

/* One that listens where only a few may wait; its address goes to @a. */
static void make_listener(int family, struct sockaddr_storage *a, socklen_t *len)
{
	int s = socket(family, SOCK_STREAM, 0);

	*a = (struct sockaddr_storage){ .ss_family = family };
	*len = family == AF_UNIX ? sizeof(sa_family_t) : sizeof(struct sockaddr_in);
	if (family == AF_INET)
		((struct sockaddr_in *)a)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(s, (struct sockaddr *)a, *len) || listen(s, 0))
		_exit(111);
	*len = sizeof(*a);
	getsockname(s, (struct sockaddr *)a, len);
}

/* As many connections as are taken, then one that must wait. */
static long connect_full(int family, int timeout)
{
	struct sockaddr_storage a;
	socklen_t len;

	make_listener(family, &a, &len);
	for (int i = 0; i < 4; i++)
		connect(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0), (struct sockaddr *)&a, len);
	return connect(timed_socket(family, SOCK_STREAM, timeout), (struct sockaddr *)&a, len);
}

static long connect_unix(void)
{
	return connect_full(AF_UNIX, 0);
}

static long connect_unix_timed(void)
{
	return connect_full(AF_UNIX, SO_SNDTIMEO);
}

static long connect_tcp(void)
{
	return connect_full(AF_INET, 0);
}

static long connect_tcp_timed(void)
{
	return connect_full(AF_INET, SO_SNDTIMEO);
}

static long accept_tcp(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0);

	if (listen(s, 1))
		_exit(112);
	return accept4(s, NULL, NULL, SOCK_CLOEXEC);
}

static long recv_udp(void)
{
	return recv(timed_socket(AF_INET, SOCK_DGRAM, 0), &byte, 1, 0);
}

static long recv_udp_timed(void)
{
	return recv(timed_socket(AF_INET, SOCK_DGRAM, SO_RCVTIMEO), &byte, 1, 0);
}

static long recv_raw(void)
{
	return recv(socket(AF_INET, SOCK_RAW, 253), &byte, 1, 0);
}

static long recv_packet(void)
{
	return recv(socket(AF_PACKET, SOCK_RAW, 0), &byte, 1, 0);
}

static long recv_netlink(void)
{
	return recv(socket(AF_NETLINK, SOCK_RAW, 0), &byte, 1, 0);
}

/* A limit of time for all messages is looked at only when one has come. */
static long call_recvmmsg(void)
{
	struct iovec v = { &byte, 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_iov = &v, .msg_iovlen = 1 } };
	struct timespec t = forever;

	return recvmmsg(timed_socket(AF_INET, SOCK_DGRAM, 0), &m, 1, 0, &t);
}

static long datagrams(int timeout, int many)
{
	struct timeval t = { TAP_LONG, 0 };
	struct iovec v = { &byte, 1 };
	struct mmsghdr m = { .msg_hdr = { .msg_iov = &v, .msg_iovlen = 1 } };
	int s[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, s) ||
	    (timeout && setsockopt(s[0], SOL_SOCKET, timeout, &t, sizeof(t))))
		_exit(113);
	while (send(s[0], "", 1, MSG_DONTWAIT) == 1)
		;
	return many ? sendmmsg(s[0], &m, 1, 0) : send(s[0], "", 1, 0);
}

static long send_datagram(void)
{
	return datagrams(0, 0);
}

static long send_datagram_timed(void)
{
	return datagrams(SO_SNDTIMEO, 0);
}

static long call_sendmmsg(void)
{
	return datagrams(0, 1);
}

/* --- the table --- */

enum { EINTRS = 1, SLEEPS = 2 };
