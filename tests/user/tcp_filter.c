/*
 * What a TCP socket lets in: SO_ATTACH_FILTER, whose program sees a segment from its header on, and
 * IP_MINTTL. Segments that are not let in were never there: they come again, until they may.
 * socket(7), ip(7), RFC 5082.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include "tap.h"

#define LONG 200 /* bytes: more than any header */

static int attach(int fd, struct sock_filter *code, unsigned short n)
{
	struct sock_fprog prog = { n, code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

/* Short segments only: those without data. */
static int attach_short(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, LONG, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, ~0u),
	};

	return attach(fd, code, 4);
}

/* From that port only. */
static int attach_from(int fd, in_port_t port)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohs(port), 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, ~0u),
	};

	return attach(fd, code, 4);
}

/* Everything, but so many bytes of it. */
static int attach_keep(int fd, unsigned keep)
{
	struct sock_filter code[] = { BPF_STMT(BPF_RET | BPF_K, keep) };

	return attach(fd, code, 1);
}

static int detach(int fd)
{
	return setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &(int){ 0 }, sizeof(int));
}

/* Instructions of the filter; 0: there is none. */
static int filter_of(int fd)
{
	socklen_t n = 0;

	return getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &n) ? -1 : (int)n;
}

static int set_ip(int fd, int option, int v)
{
	return setsockopt(fd, SOL_IP, option, &v, sizeof(v));
}

static int get_ip(int fd, int option)
{
	socklen_t n = sizeof(int);
	int v = -1;

	return getsockopt(fd, SOL_IP, option, &v, &n) ? -1 : v;
}

static struct sockaddr_in addr_of(int fd)
{
	struct sockaddr_in a = { 0 };
	socklen_t n = sizeof(a);

	CHECK(!getsockname(fd, (struct sockaddr *)&a, &n));
	return a;
}

static int listener(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(!bind(fd, (struct sockaddr *)&a, sizeof(a)) && !listen(fd, 4));
	return fd;
}

/* A socket that has begun to connect. */
static int begin(int l, int ttl)
{
	struct sockaddr_in a = addr_of(l);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	CHECK(!set_ip(fd, IP_TTL, ttl));
	CHECK_ERR(connect(fd, (struct sockaddr *)&a, sizeof(a)), EINPROGRESS);
	return fd;
}

static int connected(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	return poll(&p, 1, TAP_PATIENCE_MS) == 1 && p.revents == POLLOUT;
}

static unsigned sent_again(int fd)
{
	struct tcp_info i = { 0 };
	socklen_t n = sizeof(i);

	return getsockopt(fd, SOL_TCP, TCP_INFO, &i, &n) ? ~0u : i.tcpi_total_retrans;
}

/* What @fd said last is sent again and again, and @to sees nothing. */
static int is_kept_out(int fd, int to)
{
	unsigned before = sent_again(fd);
	char c;

	return EVENTUALLY(sent_again(fd) > before) &&
	       (to < 0 || (recv(to, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN));
}

static void handshake(void)
{
	int l = listener(), c, a;

	CHECK(!attach_keep(l, 0));
	c = begin(l, 64);
	CHECK(is_kept_out(c, -1));
	CHECK_ERR(detach(c), ENOENT);
	CHECK(!detach(l));
	CHECK(connected(c));
	a = accept(l, NULL, NULL);
	CHECK(a >= 0 && filter_of(a) == 0);
	close(a);
	close(c);
	close(l);
}

static void connections(void)
{
	char data[LONG] = "abcdef", buf[LONG];
	int l = listener(), c, a;

	CHECK(!attach_short(l));
	c = begin(l, 64);
	CHECK(connected(c));
	CHECK(send(c, data, LONG, 0) == LONG); /* kept out before the connection is accepted, too */
	CHECK(is_kept_out(c, -1));
	a = accept(l, NULL, NULL);
	CHECK(filter_of(a) == 4); /* the listener's */
	CHECK(is_kept_out(c, a));
	CHECK(!detach(l) && filter_of(a) == 4);
	CHECK(!attach_from(a, addr_of(c).sin_port)); /* instead */
	CHECK(recv(a, buf, LONG, MSG_WAITALL) == LONG && !memcmp(buf, data, LONG));
	CHECK(!attach_from(a, addr_of(a).sin_port));
	CHECK(send(c, data, 6, 0) == 6 && is_kept_out(c, a));
	CHECK(!detach(a) && filter_of(a) == 0);
	CHECK(recv(a, buf, 6, MSG_WAITALL) == 6);

	/* Cut to a header with time stamps and three bytes; never into the header. */
	CHECK(!attach_keep(a, 32 + 3));
	CHECK(send(c, data, 6, 0) == 6);
	CHECK(recv(a, buf, LONG, 0) == 3 && !memcmp(buf, "abc", 3));
	CHECK(recv(a, buf, 3, MSG_WAITALL) == 3 && !memcmp(buf, "def", 3));
	CHECK(!attach_keep(a, 1));
	CHECK(send(c, data, 6, 0) == 6 && is_kept_out(c, a));
	CHECK(!detach(a));
	CHECK(recv(a, buf, 6, MSG_WAITALL) == 6 && !memcmp(buf, "abcdef", 6));
	CHECK(!close(c) && recv(a, buf, 1, 0) == 0);
	close(a);
	close(l);
}

/* RFC 5082: who is next door has 255, and who is not cannot have it. */
static void distance(void)
{
	int l = listener(), c, far, a;
	char b;

	CHECK(!set_ip(l, IP_MINTTL, 255));
	far = begin(l, 64);
	c = begin(l, 255);
	CHECK(connected(c));
	CHECK(is_kept_out(far, -1));
	a = accept(l, NULL, NULL);
	CHECK(get_ip(a, IP_MINTTL) == 255);
	CHECK(send(c, "x", 1, 0) == 1 && recv(a, &b, 1, 0) == 1);
	CHECK(!set_ip(c, IP_TTL, 254));
	CHECK(send(c, "y", 1, 0) == 1 && is_kept_out(c, a));
	CHECK(!set_ip(a, IP_MINTTL, 254));
	CHECK(recv(a, &b, 1, 0) == 1 && b == 'y');
	close(far);
	close(c);
	close(a);
	close(l);
}

/* It is for TCP alone. */
static void datagrams(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int to = socket(AF_INET, SOCK_DGRAM, 0), from = socket(AF_INET, SOCK_DGRAM, 0);
	char c;

	CHECK(!bind(to, (struct sockaddr *)&a, sizeof(a)) && !set_ip(to, IP_MINTTL, 255));
	a = addr_of(to);
	CHECK(sendto(from, "z", 1, 0, (struct sockaddr *)&a, sizeof(a)) == 1);
	CHECK(recv(to, &c, 1, 0) == 1 && c == 'z');
	close(from);
	close(to);
}

int main(void)
{
	alarm(TAP_LIMIT);
	handshake();
	connections();
	distance();
	datagrams();
	return tap_done();
}
