/* Raw, ping and packet sockets on loopback, and filters on them. raw(7), icmp(7), packet(7). */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include "inet.h"

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif
#ifndef ICMP_FILTER
#define ICMP_FILTER 1
#endif

static unsigned short sum16(const void *p, int n)
{
	const unsigned char *b = p;
	unsigned sum = 0;

	for (int i = 0; i < n; i++)
		sum += (unsigned)b[i] << (i & 1 ? 8 : 0);
	sum = (sum & 0xffff) + (sum >> 16);
	return (unsigned short)~(sum + (sum >> 16));
}

/* The next packet within patience, that @fd gets. */
static long next_packet(int fd, void *buf, size_t n)
{
	return arrives(fd) ? recv(fd, buf, n, 0) : -1;
}

static void echo(void)
{
	struct sockaddr_in to = at("127.0.0.1", 0);
	struct {
		struct icmphdr h;
		char data[32];
	} req = { .h = { .type = ICMP_ECHO }, .data = "abc" };
	unsigned char buf[200];
	struct icmphdr *h = (struct icmphdr *)(buf + 20);
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), v = ~(1 << ICMP_ECHOREPLY);

	REQUIRE(fd >= 0);
	CHECK(!setsockopt(fd, SOL_RAW, ICMP_FILTER, &v, sizeof(v)));
	req.h.un.echo.id = htons(77);
	req.h.checksum = sum16(&req, sizeof(req));
	CHECK(sendto(fd, &req, sizeof(req), 0, SA(to)) == sizeof(req));
	CHECK(next_packet(fd, buf, sizeof(buf)) == 20 + sizeof(req));
	CHECK(buf[0] == 0x45 && h->type == ICMP_ECHOREPLY && h->un.echo.id == htons(77));
	CHECK(!memcmp(h + 1, req.data, sizeof(req.data)) && !sum16(h, sizeof(req)));
	close(fd);
}

static void hdrincl(void)
{
	struct sockaddr_in to = at("127.0.0.1", 0), a = at("127.0.0.1", 0);
	struct {
		struct iphdr ip;
		struct udphdr u;
		char data[4];
	} __attribute__((packed))
	p = { .ip = { .version = 4, .ihl = 5, .ttl = 9, .protocol = IPPROTO_UDP } };
	char buf[16];
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), y = socket(AF_INET, SOCK_DGRAM, 0);
	struct sockaddr_in from;
	socklen_t n = sizeof(from);

	CHECK(!bind(y, SA(a)));
	p.ip.saddr = inet_addr("127.0.0.77");
	p.ip.daddr = to.sin_addr.s_addr;
	p.u.source = htons(1234);
	p.u.dest = htons(port_of(y));
	p.u.len = htons(12);
	memcpy(p.data, "made", 4);
	CHECK(sendto(fd, &p, sizeof(p), 0, SA(to)) == sizeof(p));
	CHECK(recvfrom(y, buf, sizeof(buf), 0, (struct sockaddr *)&from, &n) == 4);
	CHECK(from.sin_addr.s_addr == p.ip.saddr && from.sin_port == htons(1234));
	/* A wrong sum, a length that lies: nothing arrives, the next right one does. */
	p.u.check = htons(0x1234);
	CHECK(sendto(fd, &p, sizeof(p), 0, SA(to)) == sizeof(p));
	p.u.check = 0;
	p.u.len = htons(400);
	CHECK(sendto(fd, &p, sizeof(p), 0, SA(to)) == sizeof(p));
	p.u.len = htons(12);
	memcpy(p.data, "next", 4);
	CHECK(sendto(fd, &p, sizeof(p), 0, SA(to)) == sizeof(p));
	CHECK(recv(y, buf, sizeof(buf), 0) == 4 && !memcmp(buf, "next", 4));
	close(fd);
	close(y);
}

/* Two fragments of a datagram, sent by hand, the second first. */
static void fragments(void)
{
	struct sockaddr_in to = at("127.0.0.1", 0), a = at("127.0.0.1", 0);
	unsigned char whole[8 + 24], p[20 + 32], buf[64];
	struct iphdr *ip = (struct iphdr *)p;
	struct udphdr *u = (struct udphdr *)whole;
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), y = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK(!bind(y, SA(a)));
	memset(whole, 'f', sizeof(whole));
	*u = (struct udphdr){ .source = htons(5),
			      .dest = htons(port_of(y)),
			      .len = htons(sizeof(whole)) };
	memset(p, 0, sizeof(p));
	*ip = (struct iphdr){
		.version = 4, .ihl = 5, .ttl = 9, .protocol = IPPROTO_UDP, .id = htons(4242)
	};
	ip->saddr = ip->daddr = to.sin_addr.s_addr;
	ip->frag_off = htons(2);
	memcpy(p + 20, whole + 16, 16);
	CHECK(sendto(fd, p, 36, 0, SA(to)) == 36);
	ip->frag_off = htons(0x2000);
	memcpy(p + 20, whole, 16);
	CHECK(sendto(fd, p, 36, 0, SA(to)) == 36);
	CHECK(next_packet(y, buf, sizeof(buf)) == 24 && buf[0] == 'f' && buf[23] == 'f');
	close(fd);
	close(y);
}

static int set_packet(int fd, int option, int v)
{
	return setsockopt(fd, SOL_PACKET, option, &v, sizeof(v));
}

static int get_packet(int fd, int option)
{
	int v = -1;
	socklen_t n = sizeof(v);

	return getsockopt(fd, SOL_PACKET, option, &v, &n) ? -1 : v;
}

/* PACKET_AUXDATA comes with each packet; what the other options are is told. */
static void beside_packets(void)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(0x88b5) };
	struct tpacket_auxdata aux = { 0 };
	int k = socket(AF_PACKET, SOCK_DGRAM, 0), x = socket(AF_PACKET, SOCK_DGRAM, 0);
	char buf[4];
	union {
		char bytes[128];
		struct cmsghdr align;
	} ctl;
	struct iovec io = { buf, sizeof(buf) };
	struct msghdr m = {
		.msg_iov = &io, .msg_iovlen = 1, .msg_control = &ctl, .msg_controllen = sizeof(ctl)
	};
	struct cmsghdr *c;

	ll.sll_ifindex = if_nametoindex("lo");
	REQUIRE(k >= 0 && x >= 0 && !bind(k, SA(ll)));
	CHECK(get_packet(k, PACKET_AUXDATA) == 0 && !set_packet(k, PACKET_AUXDATA, 1));
	CHECK(get_packet(k, PACKET_AUXDATA) == 1);
	CHECK(get_packet(k, PACKET_ORIGDEV) == 0 && !set_packet(k, PACKET_ORIGDEV, 1));
	CHECK(get_packet(k, PACKET_ORIGDEV) == 1);
	CHECK(get_packet(x, PACKET_QDISC_BYPASS) == 0 && !set_packet(x, PACKET_QDISC_BYPASS, 7));
	CHECK(get_packet(x, PACKET_QDISC_BYPASS) == 1);
	CHECK_ERR(set_packet(x, PACKET_IGNORE_OUTGOING, 2), EINVAL);
	ll.sll_halen = 6;
	CHECK(sendto(x, "auxiliary", 9, 0, SA(ll)) == 9);
	CHECK(arrives(k) && recvmsg(k, &m, 0) == 4 && (m.msg_flags & MSG_TRUNC));
	c = CMSG_FIRSTHDR(&m);
	CHECK(c && c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA &&
	      c->cmsg_len == CMSG_LEN(sizeof(aux)));
	if (c)
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
	CHECK((aux.tp_status & TP_STATUS_USER) && aux.tp_len == 9 && aux.tp_snaplen == 9);
	CHECK(!set_packet(k, PACKET_AUXDATA, 0));
	m.msg_controllen = sizeof(ctl);
	CHECK(sendto(x, "none", 4, 0, SA(ll)) == 4 && arrives(k) && recvmsg(k, &m, 0) == 4);
	CHECK(!CMSG_FIRSTHDR(&m));
	close(k);
	close(x);
}

/* What goes is seen by who asked for everything, unless PACKET_IGNORE_OUTGOING. */
static void outgoing(void)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	int x = udp_bound(), fds[2];
	struct sockaddr_in to = at("127.0.0.1", port_of(x));
	unsigned char buf[100];

	ll.sll_ifindex = if_nametoindex("lo");
	for (int i = 0; i < 2; i++) {
		fds[i] = socket(AF_PACKET, SOCK_DGRAM, 0);
		CHECK(get_packet(fds[i], PACKET_IGNORE_OUTGOING) == 0);
		CHECK(!set_packet(fds[i], PACKET_IGNORE_OUTGOING, i) && !bind(fds[i], SA(ll)));
	}
	CHECK(sendto(x, "both ways", 9, 0, SA(to)) == 9);
	for (int i = 0; i < 2; i++) {
		int types[8] = { 0 };
		struct sockaddr_ll from = { 0 };
		socklen_t n = sizeof(from);

		while (!types[PACKET_HOST] && arrives(fds[i]) &&
		       recvfrom(fds[i], buf, sizeof(buf), 0, (struct sockaddr *)&from, &n) > 0)
			if (buf[9] == IPPROTO_UDP && buf[22] == port_of(x) >> 8 &&
			    buf[23] == (port_of(x) & 255))
				types[from.sll_pkttype & 7]++;
		CHECK(types[PACKET_HOST] == 1 && types[PACKET_OUTGOING] == !i);
		close(fds[i]);
	}
	close(x);
}

/* SO_NO_CHECK: a datagram without a sum is no worse. */
static void unsummed(void)
{
	int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP), x = udp_bound(), y = udp_bound();
	struct sockaddr_in to = at("127.0.0.1", port_of(y));
	unsigned char buf[100];

	REQUIRE(raw >= 0);
	for (int off = 0; off < 2; off++) {
		long n;

		CHECK(!setsockopt(x, SOL_SOCKET, SO_NO_CHECK, &(int){ !off }, sizeof(int)));
		CHECK(sendto(x, "sum", 3, 0, SA(to)) == 3);
		do
			n = next_packet(raw, buf, sizeof(buf));
		while (n >= 28 && buf[22] * 256 + buf[23] != port_of(y));
		CHECK(n == 31 && (buf[26] || buf[27]) == off);
		CHECK(arrives(y) && recv(y, buf, sizeof(buf), 0) == 3);
	}
	close(raw);
	close(x);
	close(y);
}

static void packets(void)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) }, from;
	struct sock_filter only_udp_to[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 22),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 24),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { 6, only_udp_to };
	struct sockaddr_in a = at("127.0.0.1", 0), to;
	unsigned char buf[200];
	socklen_t n = sizeof(from);
	int k = socket(AF_PACKET, SOCK_DGRAM, 0), x = socket(AF_INET, SOCK_DGRAM, 0);
	int y = socket(AF_INET, SOCK_DGRAM, 0), raw = socket(AF_PACKET, SOCK_RAW, 0);
	long got;

	REQUIRE(k >= 0 && raw >= 0);
	CHECK(!bind(y, SA(a)) && !bind(x, SA(a)));
	only_udp_to[3].k = port_of(y);
	CHECK(!setsockopt(k, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	prog.len = 0;
	CHECK_ERR(setsockopt(k, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), EINVAL);
	ll.sll_ifindex = if_nametoindex("lo");
	CHECK(ll.sll_ifindex && !bind(k, SA(ll)) && !bind(raw, SA(ll)));
	to = at("127.0.0.1", port_of(x));
	CHECK(sendto(y, "not", 3, 0, SA(to)) == 3);
	to = at("127.0.0.1", port_of(y));
	CHECK(sendto(x, "seen", 4, 0, SA(to)) == 4);
	CHECK(recvfrom(k, buf, sizeof(buf), MSG_TRUNC, (struct sockaddr *)&from, &n) == 24);
	CHECK(from.sll_family == AF_PACKET && from.sll_protocol == htons(ETH_P_IP));
	CHECK(from.sll_ifindex == ll.sll_ifindex && from.sll_hatype == 772);
	CHECK(from.sll_pkttype == PACKET_HOST && buf[9] == IPPROTO_UDP);
	do /* what else is under way on loopback */
		got = next_packet(raw, buf, sizeof(buf));
	while (got >= 38 && (buf[36] != port_of(x) >> 8 || buf[37] != (port_of(x) & 255)));
	CHECK(got == 14 + 20 + 8 + 3);
	CHECK(buf[12] == 8 && buf[13] == 0 && buf[14] == 0x45);
	CHECK(!setsockopt(k, SOL_SOCKET, SO_DETACH_FILTER, &(int){ 0 }, sizeof(int)));
	CHECK_ERR(setsockopt(k, SOL_SOCKET, SO_DETACH_FILTER, &(int){ 0 }, sizeof(int)), ENOENT);
	ll.sll_ifindex = 9999;
	CHECK_ERR(bind(k, SA(ll)), ENODEV);
	close(k);
	close(raw);
	close(x);
	close(y);
}

static void rights(void)
{
	CHECK(!seteuid(1000));
	CHECK_ERR(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
	CHECK_ERR(socket(AF_PACKET, SOCK_RAW, 0), EPERM);
	CHECK(!seteuid(0));
}

int main(void)
{
	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	echo();
	hdrincl();
	fragments();
	packets();
	beside_packets();
	outgoing();
	unsummed();
	rights();
	return tap_done();
}
