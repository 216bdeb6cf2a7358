/*
 * AF_UNIX: which of several reasons a send that cannot be is given, and what error is then left for
 * the next call; sizes and queues at their limits. TCP: bytes of which some cannot be read. send(2),
 * unix(7). As root.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/uio.h>
#include <sys/un.h>
#include "inet.h"
#include "sockopt.h"

#define LARGE (1 << 20)

enum state {
	FRESH, /* without a peer */
	PAIR,
	FORGOTTEN, /* of a pair, whose peer went elsewhere without reading: ECONNRESET is pending */
	RESET, /* of a pair, whose peer was closed without reading */
};
enum to { PEER, NOWHERE, WRONG, SHORT }; /* a name nobody has, of another family, too short */
enum what { BYTE, NOTHING, BAD, BIG };

struct row {
	int type, state, shut, to, what, flags;
	int err, left; /* of the call, and of SO_ERROR behind it */
};

#define D SOCK_DGRAM
#define Q SOCK_SEQPACKET
#define S SOCK_STREAM

static const struct row rows[] = {
	/* A datagram: flags, the name's form, a peer, the size, an error, the end, bytes, the name. */
	{ D, FRESH, 0, PEER, BYTE, MSG_OOB, EOPNOTSUPP, 0 },
	{ D, FRESH, 0, WRONG, BYTE, MSG_OOB, EOPNOTSUPP, 0 },
	{ D, FORGOTTEN, 0, PEER, BYTE, MSG_OOB, EOPNOTSUPP, ECONNRESET },
	{ D, FRESH, 0, WRONG, BIG, 0, EINVAL, 0 },
	{ D, FRESH, 0, SHORT, BIG, 0, EINVAL, 0 },
	{ D, FRESH, 1, WRONG, BYTE, 0, EINVAL, 0 },
	{ D, FORGOTTEN, 0, WRONG, BYTE, 0, EINVAL, ECONNRESET },
	{ D, FRESH, 0, PEER, BIG, 0, ENOTCONN, 0 },
	{ D, FRESH, 1, PEER, BYTE, 0, ENOTCONN, 0 },
	{ D, FRESH, 0, NOWHERE, BIG, 0, EMSGSIZE, 0 },
	{ D, FRESH, 1, NOWHERE, BIG, 0, EMSGSIZE, 0 },
	{ D, FORGOTTEN, 0, PEER, BIG, 0, EMSGSIZE, ECONNRESET },
	{ D, FORGOTTEN, 0, PEER, BAD, 0, ECONNRESET, 0 },
	{ D, FORGOTTEN, 0, NOWHERE, BYTE, 0, ECONNRESET, 0 },
	{ D, FORGOTTEN, 1, PEER, BYTE, 0, ECONNRESET, 0 },
	{ D, FRESH, 1, NOWHERE, BAD, 0, EPIPE, 0 },
	{ D, FRESH, 0, NOWHERE, BAD, 0, EFAULT, 0 },
	{ D, FRESH, 0, NOWHERE, BYTE, 0, ECONNREFUSED, 0 },
	/* Packets in their order: a connection, flags, the size, the end; no name is looked at. */
	{ Q, FRESH, 1, PEER, BIG, MSG_OOB, ENOTCONN, 0 },
	{ Q, PAIR, 1, PEER, BIG, MSG_OOB, EOPNOTSUPP, 0 },
	{ Q, PAIR, 1, WRONG, BIG, 0, EMSGSIZE, 0 },
	{ Q, PAIR, 1, PEER, BAD, 0, EPIPE, 0 },
	{ Q, PAIR, 0, PEER, BAD, 0, EFAULT, 0 },
	{ Q, RESET, 0, PEER, BYTE, 0, ECONNRESET, 0 },
	/* A stream: flags of no byte, a name, a connection, the end; an error waits for another call. */
	{ S, FRESH, 1, PEER, NOTHING, MSG_OOB, EOPNOTSUPP, 0 },
	{ S, FRESH, 1, NOWHERE, BYTE, 0, EOPNOTSUPP, 0 },
	{ S, PAIR, 1, WRONG, BYTE, 0, EISCONN, 0 },
	{ S, FRESH, 1, PEER, BYTE, 0, ENOTCONN, 0 },
	{ S, PAIR, 1, PEER, NOTHING, 0, EPIPE, 0 },
	{ S, PAIR, 1, PEER, BAD, 0, EPIPE, 0 },
	{ S, PAIR, 0, PEER, BAD, 0, EFAULT, 0 },
	{ S, RESET, 0, PEER, BYTE, 0, EPIPE, ECONNRESET },
	{ S, RESET, 0, PEER, NOTHING, 0, EPIPE, ECONNRESET },
	{ S, RESET, 0, WRONG, BYTE, 0, EISCONN, ECONNRESET },
};

static char large[LARGE];

/* An abstract name, and its length. */
static struct sockaddr_un name_of(const char *text, socklen_t *n)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	strcpy(a.sun_path + 1, text);
	*n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(text));
	return a;
}

static int named(const char *text)
{
	socklen_t n;
	struct sockaddr_un a = name_of(text, &n);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	REQUIRE(fd >= 0 && !bind(fd, (void *)&a, n));
	return fd;
}

static int make(const struct row *r, int *peer)
{
	struct sockaddr_un a;
	socklen_t n;
	int p[2];

	*peer = -1;
	if (r->state == FRESH)
		return socket(AF_UNIX, r->type, 0);
	REQUIRE(!socketpair(AF_UNIX, r->type, 0, p));
	*peer = p[1];
	if (r->state != PAIR)
		REQUIRE(send(p[0], "unread", 6, 0) == 6);
	a = name_of("elsewhere", &n);
	if (r->state == FORGOTTEN)
		REQUIRE(!connect(p[1], (void *)&a, n));
	if (r->state == RESET)
		close(p[1]);
	return p[0];
}

static int row_holds(const struct row *r)
{
	static const size_t sizes[] = { 1, 0, 1, LARGE };
	socklen_t n;
	struct sockaddr_un a = name_of("nowhere", &n);
	int peer, fd = make(r, &peer), err, left;

	if (r->shut)
		shutdown(fd, SHUT_WR);
	a.sun_family = r->to == WRONG ? AF_INET : AF_UNIX;
	n = r->to == PEER ? 0 : r->to == SHORT ? 2 : n;
	errno = 0;
	sendto(fd, r->what == BAD ? (char *)8 : large, sizes[r->what],
	       r->flags | MSG_DONTWAIT | MSG_NOSIGNAL, n ? (void *)&a : NULL, n);
	err = errno;
	left = get(fd, SO_ERROR);
	close(fd);
	if (r->state != RESET)
		close(peer);
	if (err != r->err || left != r->left)
		printf("# row %d: errno %d, then %d\n", (int)(r - rows), err, left);
	return err == r->err && left == r->left;
}

/* All but 32 bytes of the buffer's size. */
static void largest(void)
{
	int p[2], size = 8192;

	REQUIRE(!socketpair(AF_UNIX, SOCK_DGRAM, 0, p));
	CHECK(!setsockopt(p[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)));
	size = get(p[0], SO_SNDBUF) - 32;
	CHECK_ERR(send(p[0], large, (size_t)size + 1, MSG_DONTWAIT), EMSGSIZE);
	CHECK(send(p[0], large, (size_t)size, MSG_DONTWAIT) == size);
	CHECK(recv(p[1], large, sizeof(large), 0) == size);
	close(p[0]);
	close(p[1]);
}

/* How many datagrams @fd takes before its queue is full. */
static int takes(int fd, const char *name)
{
	socklen_t n;
	struct sockaddr_un a = name_of(name, &n);
	int s = socket(AF_UNIX, SOCK_DGRAM, 0), count = 0;

	while (sendto(s, "x", 1, MSG_DONTWAIT, (void *)&a, n) == 1)
		count++;
	if (errno != EAGAIN)
		count = -1;
	for (int i = 0; i < count; i++)
		recv(fd, large, 1, MSG_DONTWAIT);
	close(s);
	return count;
}

/* net.unix.max_dgram_qlen holds for sockets made later. */
static void queues(void)
{
	int f = open("/proc/sys/net/unix/max_dgram_qlen", O_RDWR), before = named("before"), after;
	char old[16] = "";
	ssize_t n = read(f, old, sizeof(old) - 1);

	REQUIRE(n > 0);
	CHECK(takes(before, "before") == atoi(old) + 1);
	CHECK(pwrite(f, "3", 1, 0) == 1);
	after = named("after");
	CHECK(takes(after, "after") == 4 && takes(before, "before") == atoi(old) + 1);
	CHECK(pwrite(f, old, (size_t)n, 0) == n);
	CHECK(takes(after, "after") == 4);
	close(f);
	close(before);
	close(after);
}

/* --- memory that cannot be read --- */

static int waiting(int fd)
{
	int n = -1;

	return ioctl(fd, FIONREAD, &n) ? -1 : n;
}

/* A piece of what is written goes whole or not at all: nothing of these came. */
static void faults(void)
{
	char *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec io[] = { { map, 5 }, { (void *)8, 5 } };
	struct sockaddr_in a = at("127.0.0.1", 0);
	int l = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0), r;
	char buf[16];

	REQUIRE(map != MAP_FAILED && !munmap(map + 4096, 4096));
	REQUIRE(!bind(l, SA(a)) && !listen(l, 1));
	a = at("127.0.0.1", port_of(l));
	REQUIRE(!connect(s, SA(a)));
	r = accept(l, NULL, NULL);
	CHECK_ERR(send(s, map + 4086, 20, 0), EFAULT);
	CHECK_ERR(writev(s, io, 2), EFAULT);
	CHECK(send(s, "0123456789", 10, 0) == 10 && EVENTUALLY(waiting(r) == 10));
	/* Nor is anything lost that cannot be put where it was wanted. */
	CHECK_ERR(recv(r, map + 4092, 10, 0), EFAULT);
	CHECK_ERR(readv(r, io, 2), EFAULT);
	CHECK(recv(r, buf, sizeof(buf), 0) == 10 && !memcmp(buf, "0123456789", 10));
	close(l);
	close(s);
	close(r);
}

int main(void)
{
	int elsewhere = named("elsewhere");

	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		CHECK(row_holds(&rows[i]));
	close(elsewhere);
	largest();
	queues();
	faults();
	return tap_done();
}
