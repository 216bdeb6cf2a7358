/*
 * TCP and the length of packets: IP_MTU_DISCOVER and its default, net.ipv4.ip_no_pmtu_disc, as seen
 * on loopback in the headers; and a device whose MTU becomes smaller while a connection is open.
 * ip(7), RFC 1191.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netpacket/packet.h>
#include <net/ethernet.h>
#include "inet.h"

#define SYSCTL "/proc/sys/net/ipv4/ip_no_pmtu_disc"
#define DF 0x4000

static void set_sysctl(const char *value)
{
	int fd = open(SYSCTL, O_WRONLY);

	CHECK(fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value));
	close(fd);
}

static int discovers(int fd)
{
	int v = -1;
	socklen_t len = sizeof(v);

	getsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v, &len);
	return v;
}

static void defaults(void)
{
	static const char *const values[] = { "1", "2", "3", "0" };

	for (int i = 0; i < 4; i++) {
		int tcp, udp;

		set_sysctl(values[i]);
		tcp = socket(AF_INET, SOCK_STREAM, 0);
		udp = socket(AF_INET, SOCK_DGRAM, 0);
		CHECK(discovers(tcp) == (i == 3 ? IP_PMTUDISC_WANT : IP_PMTUDISC_DONT));
		CHECK(discovers(udp) == discovers(tcp));
		close(tcp);
		close(udp);
	}
}

struct ends {
	int l, c, s; /* listener, who connected, who was accepted */
};

static struct ends connected(int how)
{
	struct sockaddr_in a = at("127.0.0.1", 0);
	struct ends e = { socket(AF_INET, SOCK_STREAM, 0), socket(AF_INET, SOCK_STREAM, 0), -1 };

	if (how >= 0)
		CHECK(!setsockopt(e.c, IPPROTO_IP, IP_MTU_DISCOVER, &how, sizeof(how)));
	REQUIRE(!bind(e.l, SA(a)) && !listen(e.l, 1));
	a.sin_port = htons(port_of(e.l));
	REQUIRE(!connect(e.c, SA(a)));
	REQUIRE((e.s = accept(e.l, NULL, NULL)) >= 0);
	patient(e.s);
	return e;
}

static void end(struct ends *e)
{
	close(e->c);
	close(e->s);
	close(e->l);
}

/* The next packet from that port; frag_off and id, in host order. */
static int seen(int tap, int port, struct iphdr *ip)
{
	struct {
		struct iphdr ip;
		struct tcphdr tcp;
		char rest[256];
	} b;

	while (recv(tap, &b, sizeof(b), 0) > 0) {
		if (b.ip.protocol != IPPROTO_TCP || ntohs(b.tcp.source) != port)
			continue;
		*ip = b.ip;
		return 1;
	}
	return 0;
}

/* Each kind says it of all its segments; a listener that says nothing has its own. */
static void in_headers(void)
{
	for (int how = IP_PMTUDISC_DONT; how <= IP_PMTUDISC_OMIT; how++) {
		int df = how == IP_PMTUDISC_WANT || how == IP_PMTUDISC_DO ? DF : 0;
		int tap = patient(socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP)));
		struct ends e = connected(how);
		struct iphdr syn, ack, data;
		char c = 'c';

		REQUIRE(tap >= 0);
		CHECK(send(e.c, &c, 1, 0) == 1);
		CHECK(recv(e.s, &c, 1, 0) == 1);
		CHECK(seen(tap, port_of(e.c), &syn) && (ntohs(syn.frag_off) & DF) == df);
		CHECK(seen(tap, port_of(e.c), &ack) && (ntohs(ack.frag_off) & DF) == df);
		CHECK(seen(tap, port_of(e.c), &data) && (ntohs(data.frag_off) & DF) == df);
		if (!df)
			CHECK(ack.id != data.id && ack.id != syn.id);
		close(tap);
		tap = patient(socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP)));
		CHECK(send(e.s, &c, 1, 0) == 1);
		CHECK(seen(tap, port_of(e.l), &data) && (ntohs(data.frag_off) & DF) == DF);
		close(tap);
		end(&e);
	}
}

static int set_mtu(int mtu)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_mtu = mtu };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), err = ioctl(fd, SIOCSIFMTU, &r);

	close(fd);
	return err;
}

/* What is sent after that comes whole. */
static void narrower(int how)
{
	static char out[30000], in[30000];
	struct ends e = connected(how);
	size_t got = 0;

	memset(out, 'o', sizeof(out));
	CHECK(!set_mtu(1500));
	CHECK(send(e.c, out, sizeof(out), 0) == sizeof(out));
	while (got < sizeof(in)) {
		ssize_t n = recv(e.s, in + got, sizeof(in) - got, 0);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	CHECK(got == sizeof(in) && !memcmp(in, out, sizeof(in)));
	CHECK(!set_mtu(65536));
	end(&e);
}

int main(void)
{
	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	defaults();
	in_headers();
	narrower(IP_PMTUDISC_WANT);
	narrower(IP_PMTUDISC_DONT);
	return tap_done();
}
