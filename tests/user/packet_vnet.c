/*
 * PACKET_VNET_HDR: the header of virtio in front of the frames of a packet socket, both ways.
 * packet(7), virtio 1.2 section 5.1.6.
 */
#define _GNU_SOURCE
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include "inet.h"

#define HEADERS 42 /* of Ethernet, IP and UDP */

static int vnet(int fd, int on)
{
	return setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on));
}

static int is_vnet(int fd)
{
	int v = -1;
	socklen_t len = sizeof(v);

	getsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &v, &len);
	return v;
}

static int raw_on_lo(void)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_IP),
				 .sll_ifindex = (int)if_nametoindex("lo") };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	REQUIRE(fd >= 0 && !bind(fd, SA(a)));
	return patient(fd);
}

static void options(void)
{
	struct tpacket_req q = { 4096, 1, 2048, 2 };
	int raw = raw_on_lo(), dgram = socket(AF_PACKET, SOCK_DGRAM, 0), one = 1;

	CHECK(is_vnet(raw) == 0 && is_vnet(dgram) == 0);
	CHECK_ERR(vnet(dgram, 1), EINVAL);
	CHECK_ERR(setsockopt(raw, SOL_PACKET, PACKET_VNET_HDR, &one, 2), EINVAL);
	CHECK(!vnet(raw, 5) && is_vnet(raw) == 1);
	CHECK(!vnet(raw, 0) && is_vnet(raw) == 0);
	CHECK(!setsockopt(raw, SOL_PACKET, PACKET_RX_RING, &q, sizeof(q)));
	CHECK_ERR(vnet(raw, 1), EBUSY);
	close(raw);
	close(dgram);
}

struct frame {
	struct virtio_net_hdr h;
	char b[256];
} __attribute__((packed));

/* The next frame with a datagram to @port. Bytes of it with its header. */
static ssize_t hear(int fd, int port, struct frame *f, int flags)
{
	ssize_t n;

	do {
		n = recv(fd, f, sizeof(*f), flags);
	} while (n >= HEADERS && (f->b[23] != IPPROTO_UDP || f->b[36] != (char)(port >> 8) ||
				  f->b[37] != (char)port));
	return n;
}

static void heard(int udp, struct frame *f)
{
	struct sockaddr_in to = at("127.0.0.1", port_of(udp));
	int fd = raw_on_lo();
	char small[8];

	CHECK(!vnet(fd, 1));
	CHECK(sendto(udp, "0123456789", 10, 0, SA(to)) == 10);
	memset(f, 0xee, sizeof(*f));
	CHECK(hear(fd, port_of(udp), f, 0) == (ssize_t)sizeof(f->h) + HEADERS + 10);
	CHECK(!memcmp(f->b + HEADERS, "0123456789", 10));
	CHECK(f->h.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM && f->h.gso_type == 0);
	CHECK(f->h.csum_start == 34 && f->h.csum_offset == 6);
	close(fd);
	fd = raw_on_lo();
	CHECK(!vnet(fd, 1));
	CHECK(sendto(udp, "0123456789", 10, 0, SA(to)) == 10);
	CHECK(arrives(fd));
	CHECK_ERR(recv(fd, small, sizeof(small), 0), EINVAL);
	close(fd);
}

/*
 * @f is what was heard, to be said again. Only another packet socket hears that: for UDP it would be
 * a stranger with an address of ours (net.ipv4.conf.lo.route_localnet).
 */
static void said(int port, struct frame *f)
{
	int fd = raw_on_lo(), ear = raw_on_lo(), n = (int)sizeof(f->h) + HEADERS + 10;
	struct frame g = *f;

	CHECK(!vnet(fd, 1) && !vnet(ear, 1));
	CHECK_ERR(send(fd, f, 9, 0), EINVAL);
	g.h.hdr_len = 200;
	CHECK_ERR(send(fd, &g, (size_t)n, 0), EINVAL);
	g = *f;
	g.h.csum_start = (unsigned short)n;
	CHECK_ERR(send(fd, &g, (size_t)n, 0), EINVAL);
	g = *f;
	g.h.gso_type = 0x55;
	g.h.gso_size = 1000;
	CHECK_ERR(send(fd, &g, (size_t)n, 0), EINVAL);
	CHECK(send(fd, f, (size_t)n, 0) == n);
	memset(&g, 0xee, sizeof(g));
	CHECK(hear(ear, port, &g, 0) == n && !memcmp(g.b, f->b, HEADERS + 10));
	CHECK(g.h.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM);
	CHECK(g.h.csum_start == 34 && g.h.csum_offset == 6);
	CHECK(!vnet(fd, 0));
	CHECK(send(fd, f->b, HEADERS + 10, 0) == HEADERS + 10);
	CHECK(hear(ear, port, &g, 0) == n && g.h.flags == 0);
	close(fd);
	close(ear);
}

int main(void)
{
	struct frame f;
	int udp;

	alarm(TAP_LIMIT);
	REQUIRE(loopback_up());
	options();
	udp = patient(udp_bound());
	heard(udp, &f);
	said(port_of(udp), &f);
	close(udp);
	return tap_done();
}
