/*
 * IP_OPTIONS of datagram and raw sockets: what is taken, what comes back, what is sent. ip(7),
 * RFC 791, 3.1.
 */
#define _GNU_SOURCE
#include <netinet/ip.h>
#include "inet.h"

#define SET(fd, bytes) setsockopt(fd, SOL_IP, IP_OPTIONS, bytes, sizeof(bytes) - 1)

/* What getsockopt gives is @want. */
static int has(int fd, const char *want, size_t len)
{
	char got[64];
	socklen_t n = sizeof(got);

	return !getsockopt(fd, SOL_IP, IP_OPTIONS, got, &n) && n == len && !memcmp(got, want, len);
}
#define HAS(fd, bytes) has(fd, bytes, sizeof(bytes) - 1)

static void checked(void)
{
	int x = socket(AF_INET, SOCK_DGRAM, 0);
	char many[44];
	socklen_t n = 2;

	CHECK(HAS(x, ""));
	CHECK(!SET(x, "\1") && HAS(x, "\1\0\0\0"));
	CHECK(!SET(x, "\1\1\1\1\1\1") && HAS(x, "\1\1\1\1\1\1\0\0"));
	CHECK(!getsockopt(x, SOL_IP, IP_OPTIONS, many, &n) && n == 2);
	CHECK(!SET(x, "\0\5\6\7") && HAS(x, "\0\0\0\0")); /* nothing lies behind the end */
	CHECK(!SET(x, "\7\13\4\0\0\0\0\0\0\0\0\0") && HAS(x, "\7\13\4\0\0\0\0\0\0\0\0\0"));
	CHECK(!SET(x, "\7\7\10\1\2\3\4\0")); /* full */
	CHECK_ERR(SET(x, "\7\7\3\1\2\3\4\0"), EINVAL); /* the pointer is in the head */
	CHECK_ERR(SET(x, "\7\7\5\0\0\0\0\0"), EINVAL); /* no room behind it */
	CHECK_ERR(SET(x, "\7\2\4\0"), EINVAL);
	CHECK_ERR(SET(x, "\7\7\4\0\0\0\0\7\7\4\0\0\0\0\0\0"), EINVAL); /* twice */
	CHECK(HAS(x, "\7\7\10\1\2\3\4\0")); /* what fails changes nothing */
	CHECK(!SET(x, "\104\14\5\0\0\0\0\0\0\0\0\0"));
	CHECK(!SET(x, "\104\14\5\1\0\0\0\0\0\0\0\0"));
	CHECK(!SET(x, "\104\14\5\3\177\0\0\1\0\0\0\0"));
	CHECK_ERR(SET(x, "\104\14\4\0\0\0\0\0\0\0\0\0"), EINVAL);
	CHECK(!SET(x, "\224\4\0\0") && HAS(x, "\224\4\0\0")); /* router alert */
	CHECK_ERR(SET(x, "\224\3\0\0"), EINVAL);
	CHECK_ERR(SET(x, "\203\7\5\177\0\0\1\0"), EINVAL);
	CHECK_ERR(SET(x, "\266\11\0\0"), EINVAL); /* longer than the list */
	memset(many, 1, sizeof(many));
	CHECK_ERR(setsockopt(x, SOL_IP, IP_OPTIONS, many, 41), EINVAL);
	CHECK(!setsockopt(x, SOL_IP, IP_OPTIONS, many, 40) && has(x, many, 40));
	CHECK(!setsockopt(x, SOL_IP, IP_OPTIONS, many, 0) && HAS(x, ""));
	close(x);
}

/* Without the capability: nothing that is unknown, and no source route. */
static void unprivileged(void)
{
	int x = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(!SET(x, "\266\4\0\0")); /* of root */
	REQUIRE(!setresuid(-1u, 1000, -1u));
	CHECK_ERR(SET(x, "\266\4\0\0"), EINVAL);
	CHECK_ERR(SET(x, "\202\13\0\0\0\0\0\0\0\0\0\0"), EINVAL);
	CHECK_ERR(SET(x, "\203\7\4\177\0\0\1\0"), EPERM);
	CHECK(!SET(x, "\7\7\4\0\0\0\0\0"));
	REQUIRE(!setresuid(-1u, 0, -1u));
	close(x);
}

/* The header of the packet that a raw socket gets. */
static struct iphdr *heard(int raw, char *packet, size_t size)
{
	ssize_t n = recv(raw, packet, size, 0);

	return n >= 20 ? (struct iphdr *)packet : NULL;
}

static void sent(void)
{
	int x = udp_bound(), y = udp_bound(), raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP),
	    n = 1200;
	struct sockaddr_in to = at("127.0.0.1", port_of(y));
	char packet[2000], data[1200];
	struct iphdr *h;

	REQUIRE(raw >= 0);
	memset(data, 'x', sizeof(data));
	CHECK(!SET(x, "\1\7\13\4\0\0\0\0\0\0\0\0"));
	CHECK(sendto(x, data, 5, 0, SA(to)) == 5 && recv(y, packet, sizeof(packet), 0) == 5);
	h = heard(raw, packet, sizeof(packet));
	CHECK(h && h->ihl == 8 && h->protocol == IPPROTO_UDP);
	CHECK(h && !memcmp(packet + 20, "\1\7\13", 3) && packet[23] >= 8); /* at least ours */
	CHECK(h && !memcmp(packet + 24, "\177\0\0\1", 4));
	CHECK(h && packet[32] == (char)(port_of(x) >> 8) && packet[33] == (char)port_of(x));
	/* A connected socket; MSG_MORE; a datagram larger than the usual packet. */
	CHECK(!connect(x, SA(to)) && !SET(x, "\104\10\5\0\0\0\0\0"));
	CHECK(send(x, data, 3, MSG_MORE) == 3 && send(x, data, 4, 0) == 4);
	CHECK(recv(y, packet, sizeof(packet), 0) == 7);
	h = heard(raw, packet, sizeof(packet));
	CHECK(h && h->ihl == 7 && packet[20] == 0x44 && packet[22] >= 9);
	CHECK(send(x, data, (size_t)n, 0) == n && recv(y, packet, sizeof(packet), 0) == n);
	h = heard(raw, packet, sizeof(packet));
	CHECK(h && h->ihl == 7 && ntohs(h->tot_len) == 28 + 8 + n);
	CHECK(!setsockopt(x, SOL_IP, IP_OPTIONS, "", 0));
	CHECK(send(x, data, 1, 0) == 1 && recv(y, packet, sizeof(packet), 0) == 1);
	h = heard(raw, packet, sizeof(packet));
	CHECK(h && h->ihl == 5);
	close(raw);
	/* Who writes the header writes the options, too. */
	raw = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	to.sin_port = 0;
	memset(packet, 0, sizeof(packet));
	*(struct iphdr *)packet =
		(struct iphdr){ .version = 4, .ihl = 5, .ttl = 1, .protocol = 253 };
	((struct iphdr *)packet)->daddr = to.sin_addr.s_addr;
	CHECK(sendto(raw, packet, 20, 0, SA(to)) == 20);
	CHECK(!SET(raw, "\1\1\1\0"));
	CHECK_ERR(sendto(raw, packet, 20, 0, SA(to)), EINVAL);
	close(raw);
	close(x);
	close(y);
}

int main(void)
{
	alarm(TAP_LIMIT);
	CHECK(loopback_up());
	checked();
	unprivileged();
	sent();
	return tap_done();
}
