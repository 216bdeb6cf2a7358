/* UDP-Lite: ports of its own, a checksum over a part of the datagram. udplite(7), RFC 3828. */
#define _GNU_SOURCE
#include <stdbool.h>
#include "inet.h"

#define SOL_UDPLITE 136
#define SEND_CSCOV 10
#define RECV_CSCOV 11

static int lite(void)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	int s = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);

	REQUIRE(s >= 0 && !bind(s, SA(a)));
	return s;
}

static int set(int s, int option, int v)
{
	return setsockopt(s, SOL_UDPLITE, option, &v, sizeof(v));
}

static int get(int s, int option)
{
	int v = -1;
	socklen_t n = sizeof(v);

	return getsockopt(s, SOL_UDPLITE, option, &v, &n) ? -1 : v;
}

/* Is there nothing? What was sent before on loopback has come. */
static bool silent(int s)
{
	char c;

	return recv(s, &c, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

static void options(void)
{
	int s = lite(), u = udp_bound(), v = 8;

	CHECK(get(s, SEND_CSCOV) == 0 && get(s, RECV_CSCOV) == 0);
	CHECK(!set(s, SEND_CSCOV, 20) && get(s, SEND_CSCOV) == 20);
	CHECK(!set(s, SEND_CSCOV, 3) && get(s, SEND_CSCOV) == 8);
	CHECK(!set(s, RECV_CSCOV, 70000) && get(s, RECV_CSCOV) == 65535);
	CHECK(!set(s, RECV_CSCOV, 0) && get(s, RECV_CSCOV) == 0);
	CHECK_ERR(set(u, SEND_CSCOV, 8), ENOPROTOOPT);
	CHECK_ERR(setsockopt(u, IPPROTO_UDP, SEND_CSCOV, &v, sizeof(v)), ENOPROTOOPT);
	CHECK_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_UDPLITE), EPROTONOSUPPORT);
	close(s);
	close(u);
}

static void messages(void)
{
	int x = lite(), y = lite(), u = socket(AF_INET, SOCK_DGRAM, 0), v;
	struct sockaddr_in to = at("127.0.0.1", port_of(y)), from;
	socklen_t n = sizeof(from);
	char buf[100];

	CHECK(!bind(u, SA(to))); /* a port of UDP is another one */
	CHECK(sendto(x, "hello", 5, 0, SA(to)) == 5);
	CHECK(recvfrom(y, buf, sizeof(buf), 0, (struct sockaddr *)&from, &n) == 5);
	CHECK(!memcmp(buf, "hello", 5) && from.sin_port == htons(port_of(x)) && silent(u));
	/* A part is covered: whoever does not ask takes it. */
	CHECK(!set(x, SEND_CSCOV, 10));
	CHECK(sendto(x, "hello", 5, 0, SA(to)) == 5 && recv(y, buf, sizeof(buf), 0) == 5);
	CHECK(!set(y, RECV_CSCOV, 10));
	CHECK(sendto(x, "hello", 5, 0, SA(to)) == 5 && recv(y, buf, sizeof(buf), 0) == 5);
	CHECK(!set(y, RECV_CSCOV, 11));
	CHECK(sendto(x, "hello", 5, 0, SA(to)) == 5 && silent(y));
	CHECK(!set(y, RECV_CSCOV, 0)); /* all of it */
	CHECK(sendto(x, "hello", 5, 0, SA(to)) == 5 && silent(y));
	CHECK(!set(x, SEND_CSCOV, 13));
	CHECK(sendto(x, "hello", 5, 0, SA(to)) == 5 && recv(y, buf, sizeof(buf), 0) == 5);
	/* Several calls are one datagram; a peer; nobody. */
	CHECK(!connect(x, SA(to)) && send(x, "ab", 2, MSG_MORE) == 2 && send(x, "c", 1, 0) == 1);
	CHECK(recv(y, buf, sizeof(buf), 0) == 3 && !memcmp(buf, "abc", 3));
	CHECK(!ioctl(y, FIONREAD, &v) && v == 0);
	close(y);
	CHECK(send(x, "a", 1, 0) == 1);
	CHECK_ERR(send(x, "a", 1, 0), ECONNREFUSED);
	close(x);
	close(u);
}

static uint32_t sum(const void *data, size_t n, uint32_t s)
{
	const uint8_t *b = data;

	for (size_t i = 0; i < n; i++)
		s += i & 1 ? b[i] : b[i] << 8;
	return s;
}

/* A datagram of @n bytes with its header, whose sum is over @cover. */
static void seal(uint8_t *b, size_t n, uint16_t dport, uint16_t cover)
{
	uint8_t pseudo[12] = { 127, 0, 0, 1, 127, 0, 0, 1, 0, IPPROTO_UDPLITE, n >> 8, n };
	uint16_t head[4] = { htons(9), htons(dport), htons(cover), 0 };
	uint32_t s;

	memcpy(b, head, 8);
	s = sum(pseudo, 12, sum(b, cover ? cover : n, 0));
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	s = (uint16_t)~s ? (uint16_t)~s : 0xffff;
	b[6] = s >> 8;
	b[7] = s;
}

static void damage(void)
{
	int y = lite(), raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDPLITE);
	struct sockaddr_in to = at("127.0.0.1", 0);
	uint8_t b[20] = "........hello world", got[20];
	uint16_t port = port_of(y);

	REQUIRE(raw >= 0);
	seal(b, 20, port, 12);
	CHECK(sendto(raw, b, 20, 0, SA(to)) == 20 && recv(y, got, 20, 0) == 12 &&
	      !memcmp(got, "hello world", 12));
	b[15] = '?'; /* behind what is covered */
	CHECK(sendto(raw, b, 20, 0, SA(to)) == 20 && recv(y, got, 20, 0) == 12 &&
	      !memcmp(got, "hello w?rld", 11));
	b[9] = '?';
	CHECK(sendto(raw, b, 20, 0, SA(to)) == 20 && silent(y));
	seal(b, 20, port, 0); /* all */
	CHECK(sendto(raw, b, 20, 0, SA(to)) == 20 && recv(y, got, 20, 0) == 12);
	b[15] = 'x';
	CHECK(sendto(raw, b, 20, 0, SA(to)) == 20 && silent(y));
	for (int cover = 1; cover < 8; cover += 3) {
		seal(b, 20, port, cover);
		CHECK(sendto(raw, b, 20, 0, SA(to)) == 20 && silent(y));
	}
	seal(b, 20, port, 20);
	b[5] = 21; /* more than there is */
	CHECK(sendto(raw, b, 20, 0, SA(to)) == 20 && silent(y));
	seal(b, 20, port, 20);
	b[6] = b[7] = 0; /* no sum */
	CHECK(sendto(raw, b, 20, 0, SA(to)) == 20 && silent(y));
	close(y);
	close(raw);
}

int main(void)
{
	alarm(TAP_LIMIT);
	loopback_up();
	options();
	messages();
	damage();
	return tap_done();
}
