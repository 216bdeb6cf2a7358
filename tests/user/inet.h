#pragma once
/*
 * What the tests of AF_INET share: loopback is switched on, addresses are short to write, and what
 * was sent is waited for: it is there as a rule when the call returns, but a queue of loopback's that
 * is a worker's, or ksoftirqd's, is done when that has run.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include "tap.h"

static inline int loopback_up(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), ok;

	ok = fd >= 0 && !ioctl(fd, SIOCGIFFLAGS, &r);
	r.ifr_flags |= IFF_UP;
	ok = ok && !ioctl(fd, SIOCSIFFLAGS, &r);
	close(fd);
	return ok;
}

static inline struct sockaddr_in at(const char *addr, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, addr, &a.sin_addr);
	return a;
}
#define SA(a) (struct sockaddr *)&(a), sizeof(a)

static inline int port_of(int fd)
{
	struct sockaddr_in a = { 0 };
	socklen_t n = sizeof(a);

	getsockname(fd, (struct sockaddr *)&a, &n);
	return ntohs(a.sin_port);
}

/* A UDP socket bound to a free port of 127.0.0.1. */
static inline int udp_bound(void)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd >= 0 && bind(fd, SA(a)))
		perror("# bind");
	return fd;
}

/* Something has come to @fd, or does: a datagram or an error. */
static inline int arrives(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, TAP_PATIENCE_MS) == 1;
}

/* Who waits on @fd for what does not come gets EAGAIN in the end. Returns @fd. */
static inline int patient(int fd)
{
	struct timeval tv = { TAP_PATIENCE_MS / 1000, 0 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	return fd;
}
